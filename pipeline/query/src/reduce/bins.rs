//! Counts rows by where they lie: along one column (a histogram) or two (a heat map), and adds up another column there.
//!
//! Numbers and times have bins between round edges, everything else one for each value. Rows whose number is null, NaN or
//! infinite have a bin of their own, without edges, so that the counts add up to the rows.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, Int64Array, RecordBatch, UInt32Array},
        compute::take,
        datatypes::{DataType, SchemaRef},
    },
    common::Result,
    execution::memory_pool::MemoryReservation,
};

use super::{
    Aggregate, Batches, Fold,
    axis::Axis,
    numbers::{Column, Kind, Number},
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
            Axis::of("bins", field.name(), field.data_type(), most)
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
