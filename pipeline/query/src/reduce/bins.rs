//! Counts rows by where they lie: along one column (a histogram) or two (a heat map), and adds up another column there.
//!
//! Numbers and times have bins between round edges, everything else one for each value. Rows whose number is null, NaN or
//! infinite have a bin of their own, without edges, so that the counts add up to the rows.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array, new_null_array},
        compute::{SortOptions, concat, sort_to_indices, take},
        datatypes::{DataType, SchemaRef},
    },
    common::Result,
    execution::memory_pool::MemoryReservation,
};

use crate::{Error, ErrorKind, error::external};

use super::{
    Aggregate, Batches, Fold,
    groups::Groups,
    numbers::{Column, Kind, Number},
    scale::{Bucket, Chain, DecimalSteps, Scale},
    slots::{self, Slots},
    totals::Totals,
};

/// What is counted, by the places of columns.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// What comes out.
    pub(crate) schema: SchemaRef,
    pub(crate) input: SchemaRef,
    /// x and perhaps y, each with its most bins.
    pub(crate) axes: Vec<(usize, u32)>,
    /// What is added up and how.
    pub(crate) of: Option<(usize, Aggregate)>,
}

impl Shape {
    /// A folder; the reservation is that of what it keeps.
    pub(crate) fn folder(&self, memory: MemoryReservation) -> Result<Box<dyn Fold>> {
        let axis = |&(column, most): &(usize, u32)| {
            let field = self.input.field(column);
            Axis::of(field.name(), field.data_type(), most)
        };
        let axes: Vec<Axis> = self.axes.iter().map(axis).collect::<Result<_>>()?;
        let widths: Vec<u32> = self.axes.iter().map(|(_, most)| most + 1).collect();
        let lines = widths.get(1).copied().unwrap_or(1) as usize;
        let values = self.of.map(|(column, aggregate)| Values::of(self.input.field(column).data_type(), aggregate));
        let slots = Slots::new(widths[0] as usize);
        memory.try_grow(lines * widths[0] as usize * size_of::<u32>())?;
        Ok(Box::new(Bins { shape: self.clone(), axes, lines, slots, counts: Vec::new(), values, memory }))
    }
}

/// One axis. A position is below the axis' most bins, or that for what has no bin.
enum Axis {
    I64(Scale<i64>, u32),
    I128(Scale<i128>, u32),
    F64(Scale<f64>, u32),
    Categories(Categories),
}

/// The values of an axis that has no order to put neighbours together by.
struct Categories {
    name: String,
    most: u32,
    groups: Groups,
    values: Vec<ArrayRef>,
}

impl Axis {
    fn of(name: &str, data_type: &DataType, most: u32) -> Result<Axis> {
        Ok(match Kind::of(data_type) {
            Some(Kind::I64) => Axis::I64(Scale::new(Chain::of(data_type), most), most),
            Some(Kind::I128) => Axis::I128(Scale::new(Chain::of(data_type), most), most),
            Some(Kind::F64) => Axis::F64(Scale::new(DecimalSteps, most), most),
            None => {
                let groups = Groups::new(std::slice::from_ref(data_type))?;
                Axis::Categories(Categories { name: name.to_owned(), most, groups, values: Vec::new() })
            }
        })
    }

    /// The position of each row; and where bins became wider, the new position of each old one.
    fn positions(&mut self, column: &ArrayRef) -> Result<(Vec<u32>, Option<Vec<u32>>)> {
        match self {
            Axis::I64(scale, most) => positions(scale, *most, column),
            Axis::I128(scale, most) => positions(scale, *most, column),
            Axis::F64(scale, most) => positions(scale, *most, column),
            Axis::Categories(categories) => Ok((categories.positions(column)?, None)),
        }
    }

    /// Positions in the order in which they come out, and for these the columns that name their bins.
    fn in_order(&self, data_type: &DataType) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        match self {
            Axis::I64(scale, most) => edges(scale, *most, data_type),
            Axis::I128(scale, most) => edges(scale, *most, data_type),
            Axis::F64(scale, most) => edges(scale, *most, data_type),
            Axis::Categories(categories) => categories.in_order(data_type),
        }
    }
}

fn positions<N: Number>(scale: &mut Scale<N>, most: u32, column: &ArrayRef) -> Result<(Vec<u32>, Option<Vec<u32>>)> {
    let column = Column::of(column)?;
    let values = N::slice(&column.numbers)?;
    let moved = column.range(values).and_then(|(low, high)| scale.fit(low, high));
    let mut bucket: Option<Bucket<N>> = None;
    let position = |row| {
        let Some(value) = column.value(values, row) else { return most };
        match bucket {
            Some(Bucket { position, from, to }) if from <= value && value < to => position,
            _ => bucket.insert(scale.bucket(value)).position,
        }
    };
    let positions = (0..values.len()).map(position).collect();
    // What has no bin stays where it is.
    let moved = moved.map(|moved| moved.into_iter().chain([most]).collect());
    Ok((positions, moved))
}

/// Where bins begin and end; nothing for what has no bin, which comes last.
fn edges<N: Number>(scale: &Scale<N>, most: u32, data_type: &DataType) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
    let buckets = scale.in_order();
    let positions = buckets.iter().map(|bucket| bucket.position).chain([most]).collect();
    let from = buckets.iter().map(|bucket| Some(bucket.from)).chain([None]).collect();
    let to = buckets.iter().map(|bucket| Some(bucket.to)).chain([None]).collect();
    Ok((positions, vec![N::array(from, data_type)?, N::array(to, data_type)?]))
}

impl Categories {
    fn positions(&mut self, column: &ArrayRef) -> Result<Vec<u32>> {
        let mut first = Vec::new();
        let positions = self.groups.number(std::slice::from_ref(column), |row| first.push(row))?;
        if self.groups.len() > self.most as usize {
            let message = format!(
                "bins: '{}' has more than {} different values; ask for more, or reduce with top first",
                self.name, self.most
            );
            return Err(external(Error::new(ErrorKind::Execution, message)));
        }
        if !first.is_empty() {
            self.values.push(take(column, &UInt32Array::from(first), None)?);
        }
        Ok(positions)
    }

    fn in_order(&self, data_type: &DataType) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        if self.values.is_empty() {
            return Ok((Vec::new(), vec![new_null_array(data_type, 0)]));
        }
        let values: Vec<&dyn Array> = self.values.iter().map(AsRef::as_ref).collect();
        let values = concat(&values)?;
        let options = SortOptions { descending: false, nulls_first: false };
        let order = sort_to_indices(&values, Some(options), None)?;
        let sorted = take(&values, &order, None)?;
        Ok((order.values().to_vec(), vec![sorted]))
    }
}

/// What a column gives in each bin.
enum Values {
    /// How many numbers there are, or their sum or mean.
    Totals(Totals),
    I64(Extremes<i64>),
    I128(Extremes<i128>),
    F64(Extremes<f64>),
}

/// The least, or the greatest, value of each bin.
struct Extremes<N> {
    greatest: bool,
    values: Vec<Option<N>>,
}

impl<N: Number> Extremes<N> {
    fn add(&mut self, column: &Column, slots: &[u32], count: usize) -> Result<()> {
        self.values.resize(count, None);
        let numbers = N::slice(&column.numbers)?;
        let greatest = self.greatest;
        for (row, &slot) in slots.iter().enumerate() {
            better(greatest, &mut self.values[slot as usize], column.value(numbers, row));
        }
        Ok(())
    }

    fn merge(&mut self, to: &[u32]) {
        let greatest = self.greatest;
        slots::merge(&mut self.values, to, |held, other| better(greatest, held, other));
    }

    fn column(&self, slots: &[usize], data_type: &DataType) -> Result<ArrayRef> {
        N::array(slots.iter().map(|&slot| self.values[slot]).collect(), data_type)
    }
}

fn better<N: Number>(greatest: bool, held: &mut Option<N>, value: Option<N>) {
    let replaces = match (value, *held) {
        (Some(value), Some(held)) => {
            if greatest {
                value > held
            } else {
                value < held
            }
        }
        (value, _) => value.is_some(),
    };
    if replaces {
        *held = value;
    }
}

impl Values {
    fn of(data_type: &DataType, aggregate: Aggregate) -> Values {
        let greatest = aggregate == Aggregate::Max;
        match (aggregate, Kind::of(data_type)) {
            (Aggregate::Count | Aggregate::Sum | Aggregate::Mean, _) => Values::Totals(Totals::of(data_type)),
            (_, Some(Kind::F64)) => Values::F64(Extremes { greatest, values: Vec::new() }),
            (_, Some(Kind::I128)) => Values::I128(Extremes { greatest, values: Vec::new() }),
            _ => Values::I64(Extremes { greatest, values: Vec::new() }),
        }
    }

    fn add(&mut self, column: &Column, slots: &[u32], count: usize) -> Result<()> {
        match self {
            Values::Totals(totals) => {
                totals.reserve(count);
                totals.add(column, slots.iter().enumerate().map(|(row, &slot)| (row, slot as usize)))
            }
            Values::I64(extremes) => extremes.add(column, slots, count),
            Values::I128(extremes) => extremes.add(column, slots, count),
            Values::F64(extremes) => extremes.add(column, slots, count),
        }
    }

    fn merge(&mut self, to: &[u32]) {
        match self {
            Values::Totals(totals) => totals.merge(to),
            Values::I64(extremes) => extremes.merge(to),
            Values::I128(extremes) => extremes.merge(to),
            Values::F64(extremes) => extremes.merge(to),
        }
    }

    fn column(&self, slots: &[usize], aggregate: Aggregate, data_type: &DataType, name: &str) -> Result<ArrayRef> {
        match self {
            Values::Totals(totals) => match aggregate {
                Aggregate::Mean => Ok(totals.means(slots, data_type)),
                Aggregate::Sum => totals.sums(slots, data_type, name),
                _ => Ok(totals.counts(slots)),
            },
            Values::I64(extremes) => extremes.column(slots, data_type),
            Values::I128(extremes) => extremes.column(slots, data_type),
            Values::F64(extremes) => extremes.column(slots, data_type),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Values::Totals(totals) => totals.bytes(),
            Values::I64(extremes) => extremes.values.capacity() * size_of::<Option<i64>>(),
            Values::I128(extremes) => extremes.values.capacity() * size_of::<Option<i128>>(),
            Values::F64(extremes) => extremes.values.capacity() * size_of::<Option<f64>>(),
        }
    }
}

/// Folds batches; memory holds a state a bin.
struct Bins {
    shape: Shape,
    axes: Vec<Axis>,
    /// Positions of y, or one.
    lines: usize,
    /// Lines are positions of y.
    slots: Slots,
    counts: Vec<i64>,
    values: Option<Values>,
    memory: MemoryReservation,
}

impl Fold for Bins {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let mut found = Vec::with_capacity(self.axes.len());
        for (axis, (column, _)) in self.axes.iter_mut().zip(&self.shape.axes) {
            found.push(axis.positions(batch.column(*column))?);
        }
        if found.iter().any(|(_, moved)| moved.is_some()) {
            let moved = |axis: usize, position: u32| match found.get(axis) {
                Some((_, Some(moved))) => moved[position as usize],
                _ => position,
            };
            let to = self.slots.move_all(|line, position| (moved(1, line), moved(0, position)));
            slots::merge(&mut self.counts, &to, |held, other| *held += other);
            self.values.iter_mut().for_each(|values| values.merge(&to));
        }
        self.slots.reserve_lines(self.lines);
        let line = |row: usize| found.get(1).map_or(0, |(lines, _)| lines[row]);
        let slots: Vec<u32> =
            found[0].0.iter().enumerate().map(|(row, &position)| self.slots.slot(line(row), position) as u32).collect();
        self.counts.resize(self.slots.len(), 0);
        slots.iter().for_each(|&slot| self.counts[slot as usize] += 1);
        if let (Some(values), Some((column, _))) = (&mut self.values, self.shape.of) {
            values.add(&Column::of(batch.column(column))?, &slots, self.slots.len())?;
        }
        let values = self.values.as_ref().map_or(0, Values::bytes);
        self.memory.try_resize(self.slots.bytes() + self.counts.capacity() * size_of::<i64>() + values)
    }

    fn finish(self: Box<Self>) -> Result<Batches> {
        let (input, output) = (&self.shape.input, &self.shape.schema);
        // The first column that names an axis' bins has the type of its edges.
        let mut first = 0;
        let mut orders = Vec::with_capacity(2);
        for (axis, _) in self.axes.iter().zip(&self.shape.axes) {
            let (positions, names) = axis.in_order(output.field(first).data_type())?;
            first += names.len();
            orders.push((positions, names));
        }
        let cells = self.cells(&orders);
        self.memory.try_grow(cells.len() * size_of::<Cell>() * 2)?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(output.fields().len());
        for (axis, (_, names)) in orders.iter().enumerate() {
            let ranks: UInt32Array = cells.iter().map(|cell| Some(cell.ranks[axis])).collect();
            for name in names {
                columns.push(take(name, &ranks, None)?);
            }
        }
        let slots: Vec<usize> = cells.iter().map(|cell| cell.slot).collect();
        columns.push(Arc::new(slots.iter().map(|&slot| Some(self.counts[slot])).collect::<Int64Array>()));
        if let (Some(values), Some((column, aggregate))) = (&self.values, self.shape.of) {
            let field = input.field(column);
            columns.push(values.column(&slots, aggregate, field.data_type(), field.name())?);
        }
        let batch = RecordBatch::try_new(output.clone(), columns)?;
        let some = (batch.num_rows() > 0).then_some(Ok(batch));
        Ok(Box::new(some.into_iter()))
    }
}

/// A bin in use: its rank along each axis, and its slot.
struct Cell {
    ranks: [u32; 2],
    slot: usize,
}

impl Bins {
    /// The bins in use, by x and then y.
    fn cells(&self, orders: &[(Vec<u32>, Vec<ArrayRef>)]) -> Vec<Cell> {
        let mut cells = Vec::with_capacity(self.slots.len());
        let one_line = vec![0];
        let lines = orders.get(1).map_or(&one_line, |(lines, _)| lines);
        for (x, &position) in (0_u32..).zip(&orders[0].0) {
            for (y, &line) in (0_u32..).zip(lines) {
                let cell = self.slots.find(line, position).map(|slot| Cell { ranks: [x, y], slot });
                cells.extend(cell);
            }
        }
        cells
    }
}
