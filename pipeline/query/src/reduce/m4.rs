//! M4 (Jugel, Jerzak, Hackenbroich, Markl, "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014): of
//! each series and bucket of x the rows that a line drawn through all of them would show.
//!
//! These are the rows with the first and the last x, and for each y those with its least and its greatest value. Of rows
//! with the same y the one with the least x counts; of rows with the same x the first to arrive, for the last one the
//! last. So what comes out depends on the rows and their order alone, and reducing it again changes nothing.

use datafusion::{
    arrow::{
        array::RecordBatch,
        datatypes::{DataType, SchemaRef},
    },
    common::{Result, utils::memory::get_record_batch_memory_size},
    execution::memory_pool::MemoryReservation,
};

use crate::{Error, ErrorKind, error::external, rows::Place};

use super::{
    Batches, Fold, MOST_SERIES,
    groups::Groups,
    kept::Kept,
    numbers::{Column, Kind, Number},
    scale::{Bucket, Chain, DecimalSteps, Scale},
    slots::{self, Slots},
};

/// The slot of a row that takes no part.
const NONE: u32 = u32::MAX;

/// What is reduced, by the places of columns.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) schema: SchemaRef,
    pub(crate) x: usize,
    pub(crate) y: Vec<usize>,
    pub(crate) by: Vec<usize>,
    /// Buckets of x, at most.
    pub(crate) columns: u32,
}

impl Shape {
    /// A folder; the reservation is that of what it keeps. The columns x and y have to be of types that have a kind.
    pub(crate) fn folder(&self, memory: MemoryReservation) -> Result<Box<dyn Fold>> {
        let data_type = self.data_type(self.x);
        Ok(match Kind::of(data_type) {
            Some(Kind::F64) => Box::new(M4::<f64>::new(self.clone(), DecimalSteps, memory)?),
            Some(Kind::I128) => Box::new(M4::<i128>::new(self.clone(), Chain::of(data_type), memory)?),
            _ => Box::new(M4::<i64>::new(self.clone(), Chain::of(data_type), memory)?),
        })
    }

    fn data_type(&self, column: usize) -> &DataType {
        self.schema.field(column).data_type()
    }
}

/// A row that is kept for its place in a bucket.
#[derive(Clone, Copy)]
struct Held<X> {
    x: X,
    place: Place,
}

/// The rows at both ends of a bucket.
struct Ends<X> {
    first: Held<X>,
    last: Held<X>,
}

impl<X: Number> Ends<X> {
    fn merge(&mut self, other: Ends<X>) {
        if (other.first.x, other.first.place) < (self.first.x, self.first.place) {
            self.first = other.first;
        }
        if (other.last.x, other.last.place) > (self.last.x, self.last.place) {
            self.last = other.last;
        }
    }
}

/// The rows of a batch that take part: for each row its slot or [`NONE`], and its x.
struct Rows<'a, X> {
    slots: &'a [u32],
    xs: &'a [X],
    chunk: u32,
}

/// Batches with rows that have an x.
#[derive(Default)]
struct Few {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

/// Folds batches; memory holds a few rows a bucket and series, whatever comes.
struct M4<X: Number> {
    shape: Shape,
    scale: Scale<X>,
    /// Lines are series.
    slots: Slots,
    /// `None` for a single series.
    series: Option<Groups>,
    ends: Vec<Ends<X>>,
    extremes: Vec<Box<dyn Extremes<X>>>,
    /// For each slot the last batch that had rows for it, and the number of the current one.
    touched: Vec<u64>,
    batch: u64,
    kept: Kept,
    /// The batches so far, while they have so few rows that all are given out.
    few: Option<Few>,
    memory: MemoryReservation,
}

impl<X: Number> M4<X> {
    fn new(shape: Shape, steps: X::Steps, memory: MemoryReservation) -> Result<M4<X>> {
        let types: Vec<DataType> = shape.by.iter().map(|&column| shape.data_type(column).clone()).collect();
        let series = if types.is_empty() { None } else { Some(Groups::new(&types)?) };
        let extremes = shape.y.iter().map(|&column| extremes(shape.data_type(column))).collect();
        let (scale, slots) = (Scale::new(steps, shape.columns), Slots::new(shape.columns as usize));
        let (ends, touched, kept, few) = (Vec::new(), Vec::new(), Kept::default(), Some(Few::default()));
        Ok(M4 { shape, scale, slots, series, ends, extremes, touched, batch: 0, kept, few, memory })
    }

    fn take_in(&mut self, batch: &RecordBatch) -> Result<()> {
        let x = Column::of(batch.column(self.shape.x))?;
        let xs = X::slice(&x.numbers)?;
        let Some((low, high)) = x.range(xs) else { return Ok(()) };
        if let Some(moved) = self.scale.fit(low, high) {
            self.widen(&moved);
        }
        let series = self.series_of(batch)?;
        self.batch += 1;
        let (chunk, mut slots, mut touched) = (self.kept.next_chunk(), Vec::with_capacity(xs.len()), Vec::new());
        let mut bucket: Option<Bucket<X>> = None;
        for row in 0..xs.len() {
            let Some(x) = x.value(xs, row) else {
                slots.push(NONE);
                continue;
            };
            let position = match bucket {
                Some(same) if same.from <= x && x < same.to => same.position,
                _ => bucket.insert(self.scale.bucket(x)).position,
            };
            let slot = self.slots.slot(series.as_ref().map_or(0, |series| series[row]), position);
            slots.push(slot as u32);
            if self.see_end(slot, Held { x, place: Place { chunk, row: row as u32 } }) {
                touched.push(slot as u32);
            }
        }
        let rows = Rows { slots: &slots, xs, chunk };
        for (extremes, &column) in self.extremes.iter_mut().zip(&self.shape.y) {
            extremes.see(&Column::of(batch.column(column))?, self.ends.len(), &rows)?;
        }
        self.keep(batch, &touched)
    }

    /// The series of each row, all within those there are lines for; `None` for a single one.
    fn series_of(&mut self, batch: &RecordBatch) -> Result<Option<Vec<u32>>> {
        let Some(series) = &mut self.series else {
            self.slots.reserve_lines(1);
            return Ok(None);
        };
        let columns: Vec<_> = self.shape.by.iter().map(|&column| batch.column(column).clone()).collect();
        let numbers = series.number(&columns, |_| ())?;
        if series.len() > MOST_SERIES {
            let names: Vec<&str> =
                self.shape.by.iter().map(|&by| self.shape.schema.field(by).name().as_str()).collect();
            let message = format!(
                "m4: the rows have more than {MOST_SERIES} series by '{}'; reduce with top first, or name fewer columns",
                names.join("', '")
            );
            return Err(external(Error::new(ErrorKind::Execution, message)));
        }
        let directory = series.len() * self.shape.columns as usize * size_of::<u32>();
        if directory > self.slots.bytes() {
            self.memory.try_grow(directory)?;
        }
        self.slots.reserve_lines(series.len());
        Ok(Some(numbers))
    }

    /// Takes a row for the ends of its bucket. Tells whether the slot is seen for the first time in this batch.
    fn see_end(&mut self, slot: usize, row: Held<X>) -> bool {
        let Some(ends) = self.ends.get_mut(slot) else {
            self.ends.push(Ends { first: row, last: row });
            self.touched.push(self.batch);
            return true;
        };
        if row.x < ends.first.x {
            ends.first = row;
        }
        if row.x >= ends.last.x {
            ends.last = row;
        }
        std::mem::replace(&mut self.touched[slot], self.batch) != self.batch
    }

    /// Puts neighbouring buckets together.
    fn widen(&mut self, moved: &[u32]) {
        let to = self.slots.move_all(|series, position| (series, moved[position as usize]));
        slots::merge(&mut self.ends, &to, Ends::merge);
        slots::merge(&mut self.touched, &to, |held, other| *held = other.max(*held));
        self.extremes.iter_mut().for_each(|extremes| extremes.merge(&to));
    }

    /// Keeps the rows of a batch that hold a place, and lets go of others that lost theirs.
    fn keep(&mut self, batch: &RecordBatch, touched: &[u32]) -> Result<()> {
        let chunk = self.kept.next_chunk();
        let mut rows = Vec::new();
        self.each_held(touched.iter().copied(), |_, place| {
            if place.chunk == chunk {
                rows.push(place.row);
            }
        });
        rows.sort_unstable();
        rows.dedup();
        if self.kept.keep(batch, &rows)? {
            let rank = |row: u32| rows.partition_point(|kept| *kept < row) as u32;
            self.each_held(touched.iter().copied(), |_, place| {
                if place.chunk == chunk {
                    place.row = rank(place.row);
                }
            });
        }
        let held_each = 2 + 2 * self.extremes.len();
        if self.kept.is_wasteful(self.slots.len() * held_each) {
            self.let_go()?;
        }
        self.account()
    }

    fn let_go(&mut self) -> Result<()> {
        let mut places: Vec<Place> = Vec::new();
        self.each_held(0..self.slots.len() as u32, |_, place| places.push(*place));
        places.sort_unstable();
        places.dedup();
        self.memory.try_grow(self.kept.bytes())?;
        self.kept.keep_only(&places)?;
        let rank = |place: Place| places.partition_point(|kept| *kept < place) as u32;
        self.each_held(0..self.slots.len() as u32, |_, place| *place = Place { chunk: 0, row: rank(*place) });
        Ok(())
    }

    fn each_held(&mut self, slots: impl Iterator<Item = u32>, mut see: impl FnMut(X, &mut Place)) {
        for slot in slots {
            let Ends { first, last } = &mut self.ends[slot as usize];
            see(first.x, &mut first.place);
            see(last.x, &mut last.place);
            self.extremes.iter_mut().for_each(|extremes| extremes.each_held(slot as usize, &mut see));
        }
    }

    fn account(&self) -> Result<()> {
        let few = self.few.as_ref().map_or(0, |few| few.bytes);
        let extremes: usize = self.extremes.iter().map(|extremes| extremes.bytes()).sum();
        let ends = self.ends.capacity() * size_of::<Ends<X>>() + self.touched.capacity() * size_of::<u64>();
        let series = self.series.as_ref().map_or(0, Groups::bytes);
        self.memory.try_resize(few + extremes + ends + series + self.slots.bytes() + self.kept.bytes())
    }

    /// The places of all rows, where there are few.
    fn all_places(&mut self, batches: Vec<RecordBatch>) -> Result<Vec<(X, Place)>> {
        let mut places = Vec::new();
        for batch in batches {
            let x = Column::of(batch.column(self.shape.x))?;
            let (xs, chunk) = (X::slice(&x.numbers)?, self.kept.next_chunk());
            let rows = (0..xs.len()).filter_map(|row| Some((x.value(xs, row)?, Place { chunk, row: row as u32 })));
            places.extend(rows);
            self.kept.push(batch);
        }
        Ok(places)
    }
}

impl<X: Number> Fold for M4<X> {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let Some(few) = &mut self.few else { return self.take_in(&batch) };
        let rows = Column::of(batch.column(self.shape.x))?.finite();
        if rows == 0 {
            return Ok(());
        }
        few.rows += rows;
        few.bytes += get_record_batch_memory_size(&batch);
        few.batches.push(batch);
        if few.rows <= self.shape.columns as usize {
            return self.account();
        }
        let few = self.few.take().unwrap_or_default();
        few.batches.iter().try_for_each(|batch| self.take_in(batch))
    }

    fn finish(self: Box<Self>) -> Result<Batches> {
        let mut this = *self;
        let mut places = Vec::new();
        match this.few.take() {
            Some(few) => places = this.all_places(few.batches)?,
            None => this.each_held(0..this.slots.len() as u32, |x, place| places.push((x, *place))),
        }
        this.memory.try_grow(places.capacity() * size_of::<(X, Place)>())?;
        places.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(a.1.cmp(&b.1)));
        places.dedup_by_key(|(_, place)| *place);
        let places = places.into_iter().map(|(_, place)| place).collect();
        Ok(this.kept.into_batches(places, this.memory))
    }
}

/// The rows with the least and the greatest value of one y, by slot.
trait Extremes<X>: Send {
    /// Takes the rows of a batch; there are so many slots.
    fn see(&mut self, y: &Column, slots: usize, rows: &Rows<'_, X>) -> Result<()>;

    /// Puts slots together, see [`slots::merge`].
    fn merge(&mut self, to: &[u32]);

    /// Gives out what is held in a slot.
    fn each_held(&mut self, slot: usize, see: &mut dyn FnMut(X, &mut Place));

    /// Memory held, in bytes.
    fn bytes(&self) -> usize;
}

fn extremes<X: Number>(data_type: &DataType) -> Box<dyn Extremes<X>> {
    match Kind::of(data_type) {
        Some(Kind::F64) => Box::new(ExtremesOf::<X, f64>(Vec::new())),
        Some(Kind::I128) => Box::new(ExtremesOf::<X, i128>(Vec::new())),
        _ => Box::new(ExtremesOf::<X, i64>(Vec::new())),
    }
}

/// By slot; nothing where no row has a value.
struct ExtremesOf<X, Y>(Vec<Option<Extreme<X, Y>>>);

#[derive(Clone, Copy)]
struct Extreme<X, Y> {
    least: (Y, Held<X>),
    greatest: (Y, Held<X>),
}

impl<X: Number, Y: Number> Extreme<X, Y> {
    fn merge(&mut self, other: Extreme<X, Y>) {
        let earlier = |a: &Held<X>, b: &Held<X>| (a.x, a.place) < (b.x, b.place);
        let ((y, row), (least, held)) = (&other.least, &self.least);
        if y < least || (y == least && earlier(row, held)) {
            self.least = other.least;
        }
        let ((y, row), (greatest, held)) = (&other.greatest, &self.greatest);
        if y > greatest || (y == greatest && earlier(row, held)) {
            self.greatest = other.greatest;
        }
    }
}

impl<X: Number, Y: Number> Extremes<X> for ExtremesOf<X, Y> {
    fn see(&mut self, y: &Column, slots: usize, rows: &Rows<'_, X>) -> Result<()> {
        let ys = Y::slice(&y.numbers)?;
        self.0.resize(slots, None);
        for (row, (&slot, &x)) in rows.slots.iter().zip(rows.xs).enumerate() {
            if slot == NONE {
                continue;
            }
            let Some(y) = y.value(ys, row) else { continue };
            let seen = (y, Held { x, place: Place { chunk: rows.chunk, row: row as u32 } });
            match &mut self.0[slot as usize] {
                Some(Extreme { least, greatest }) => {
                    if y < least.0 || (y == least.0 && x < least.1.x) {
                        *least = seen;
                    }
                    if y > greatest.0 || (y == greatest.0 && x < greatest.1.x) {
                        *greatest = seen;
                    }
                }
                none => *none = Some(Extreme { least: seen, greatest: seen }),
            }
        }
        Ok(())
    }

    fn merge(&mut self, to: &[u32]) {
        slots::merge(&mut self.0, to, |held, other| {
            let Some(other) = other else { return };
            match held {
                Some(held) => held.merge(other),
                None => *held = Some(other),
            }
        });
    }

    fn each_held(&mut self, slot: usize, see: &mut dyn FnMut(X, &mut Place)) {
        if let Some(Some(Extreme { least, greatest })) = self.0.get_mut(slot) {
            see(least.1.x, &mut least.1.place);
            see(greatest.1.x, &mut greatest.1.place);
        }
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Option<Extreme<X, Y>>>()
    }
}
