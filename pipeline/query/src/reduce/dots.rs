//! Of each series and each cell of a grid over x and y the first row: where dots lie on so many pixels, all that is seen of
//! them.
//!
//! A cell is taken by the first row to arrive in it. Where cells become wider the first of those put together stays, so what
//! comes out depends on the rows and their order alone.

use datafusion::{
    arrow::{
        array::RecordBatch,
        datatypes::{DataType, SchemaRef},
    },
    common::{HashMap, Result, hash_map::Entry, utils::memory::get_record_batch_memory_size},
    execution::memory_pool::MemoryReservation,
};

use crate::rows::Place;

use super::{Batches, Fold, MOST_COLUMNS, axis::Axis, groups::Groups, kept::Kept, numbers::Kind};

/// Of no more rows for each column of cells than these all come, those in the same place too.
const FEW_ROWS_A_COLUMN: usize = 8;

/// What is reduced, by the places of columns.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) schema: SchemaRef,
    pub(crate) x: usize,
    pub(crate) y: Vec<usize>,
    pub(crate) by: Vec<usize>,
    /// Cells along x and along y, at most.
    pub(crate) cells: (u32, u32),
}

impl Shape {
    /// A folder; the reservation is that of what it keeps.
    pub(crate) fn folder(&self, memory: MemoryReservation) -> Result<Box<dyn Fold>> {
        let types: Vec<DataType> = self.by.iter().map(|&by| self.schema.field(by).data_type().clone()).collect();
        let series = if types.is_empty() { None } else { Some(Groups::new(&types)?) };
        let x = self.axis(self.x, self.cells.0)?;
        let y = self.y.iter().map(|&column| self.axis(column, self.cells.1)).collect::<Result<_>>()?;
        let (dots, kept, few) = (HashMap::new(), Kept::default(), Some(Vec::new()));
        Ok(Box::new(Dots { shape: self.clone(), x, y, series, dots, kept, few, memory }))
    }

    fn axis(&self, column: usize, cells: u32) -> Result<Placed> {
        let field = self.schema.field(column);
        // What has no order has no neighbours that could share a cell.
        let most = if Kind::of(field.data_type()).is_some() { cells } else { MOST_COLUMNS as u32 };
        Ok(Placed { axis: Axis::of("dots", field.name(), field.data_type(), most)?, most })
    }
}

/// An axis, and the position of what has no place on it.
struct Placed {
    axis: Axis,
    most: u32,
}

/// A cell: which y and which series it is of, and where it lies along x and y.
type Cell = ([u32; 2], [u32; 2]);

/// Folds batches; memory holds a row for each cell in use.
struct Dots {
    shape: Shape,
    x: Placed,
    y: Vec<Placed>,
    /// `None` for a single series.
    series: Option<Groups>,
    dots: HashMap<Cell, Place>,
    kept: Kept,
    /// The batches so far, while they have so few rows that all are given out.
    few: Option<Vec<RecordBatch>>,
    memory: MemoryReservation,
}

impl Dots {
    fn take_in(&mut self, batch: &RecordBatch) -> Result<()> {
        let (xs, moved_x) = self.x.axis.positions(batch.column(self.shape.x))?;
        let mut ys = Vec::with_capacity(self.y.len());
        let mut moved_y = Vec::with_capacity(self.y.len());
        for (placed, &column) in self.y.iter_mut().zip(&self.shape.y) {
            let (positions, moved) = placed.axis.positions(batch.column(column))?;
            ys.push(positions);
            moved_y.push(moved);
        }
        if moved_x.is_some() || moved_y.iter().any(Option::is_some) {
            self.widen(moved_x.as_deref(), &moved_y);
        }
        let by: Vec<_> = self.shape.by.iter().map(|&column| batch.column(column).clone()).collect();
        let series = self.series.as_mut().map(|series| series.number(&by, |_| ())).transpose()?;
        let chunk = self.kept.next_chunk();
        let (mut rows, mut cells): (Vec<u32>, Vec<Cell>) = (Vec::new(), Vec::new());
        for row in 0..batch.num_rows() {
            let series = series.as_ref().map_or(0, |series| series[row]);
            for ((y, positions), placed) in (0_u32..).zip(&ys).zip(&self.y) {
                if xs[row] == self.x.most || positions[row] == placed.most {
                    continue;
                }
                let cell = ([y, series], [xs[row], positions[row]]);
                if let Entry::Vacant(free) = self.dots.entry(cell) {
                    free.insert(Place { chunk, row: row as u32 });
                    cells.push(cell);
                    if rows.last() != Some(&(row as u32)) {
                        rows.push(row as u32);
                    }
                }
            }
        }
        self.keep(batch, &rows, &cells)
    }

    /// Keeps the rows of a batch that took cells, and lets go of others that lost theirs.
    fn keep(&mut self, batch: &RecordBatch, rows: &[u32], cells: &[Cell]) -> Result<()> {
        if self.kept.keep(batch, rows)? {
            for cell in cells {
                if let Some(place) = self.dots.get_mut(cell) {
                    place.row = rows.partition_point(|kept| *kept < place.row) as u32;
                }
            }
        }
        if self.kept.is_wasteful(self.dots.len()) {
            let places = self.places();
            self.memory.try_grow(self.kept.bytes())?;
            self.kept.keep_only(&places)?;
            for place in self.dots.values_mut() {
                *place = Place { chunk: 0, row: places.partition_point(|kept| *kept < *place) as u32 };
            }
        }
        self.account()
    }

    /// Puts neighbouring cells together.
    fn widen(&mut self, moved_x: Option<&[u32]>, moved_y: &[Option<Vec<u32>>]) {
        let to = |moved: Option<&[u32]>, position: u32| moved.map_or(position, |moved| moved[position as usize]);
        for (([y, series], [x, line]), place) in std::mem::take(&mut self.dots) {
            let cell = ([y, series], [to(moved_x, x), to(moved_y[y as usize].as_deref(), line)]);
            self.dots.entry(cell).and_modify(|held| *held = place.min(*held)).or_insert(place);
        }
    }

    /// The places of all rows that are kept, each once, in the order in which they arrived.
    fn places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = self.dots.values().copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    fn account(&self) -> Result<()> {
        let few: usize = self.few.iter().flatten().map(get_record_batch_memory_size).sum();
        let series = self.series.as_ref().map_or(0, Groups::bytes);
        let dots = self.dots.capacity() * size_of::<(Cell, Place)>();
        self.memory.try_resize(few + series + dots + self.kept.bytes())
    }
}

impl Fold for Dots {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let Some(few) = &mut self.few else { return self.take_in(&batch) };
        few.push(batch);
        if few.iter().map(RecordBatch::num_rows).sum::<usize>() <= self.shape.cells.0 as usize * FEW_ROWS_A_COLUMN {
            return self.account();
        }
        let few = self.few.take().unwrap_or_default();
        few.iter().try_for_each(|batch| self.take_in(batch))
    }

    fn finish(self: Box<Self>) -> Result<Batches> {
        let mut this = *self;
        if let Some(few) = this.few.take() {
            let held = this.memory;
            return Ok(Box::new(few.into_iter().map(move |batch| {
                let _until_given_out = &held;
                Ok(batch)
            })));
        }
        let places = this.places();
        this.memory.try_grow(places.capacity() * size_of::<Place>())?;
        Ok(this.kept.into_batches(places, this.memory))
    }
}
