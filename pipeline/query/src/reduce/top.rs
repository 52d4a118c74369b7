//! The categories that weigh most keep their rows; those of all others are added up or left out.
//!
//! Which they are is known when all rows were seen, so all rows are kept until then.

use std::{cmp::Ordering, collections::HashSet, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, new_null_array},
        compute::{SortOptions, cast, filter_record_batch, interleave},
        datatypes::{DataType, FieldRef, Schema, SchemaRef},
        row::{RowConverter, SortField},
    },
    common::{Result, utils::memory::get_record_batch_memory_size},
    execution::memory_pool::MemoryReservation,
};

use crate::rows::OUTPUT_ROWS;

use super::{
    Batches, Fold, Others,
    groups::Groups,
    numbers::{Column, Number, Numbers},
    sums::{FLOAT_SUM_BYTES, FloatSum, IntegerSum},
    totals::Totals,
};

/// What is reduced, by the places of columns.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// What comes out: the columns that come in, those added up as wide as sums are, and `others`.
    pub(crate) schema: SchemaRef,
    pub(crate) input: SchemaRef,
    pub(crate) by: usize,
    /// At least one; the first decides what weighs most.
    pub(crate) of: Vec<usize>,
    pub(crate) n: usize,
    pub(crate) others: Others,
}

impl Shape {
    /// A folder; the reservation is that of what it keeps. The columns `of` have to be of types that can be added up.
    pub(crate) fn folder(&self, memory: MemoryReservation) -> Result<Box<dyn Fold>> {
        let categories = Groups::new(std::slice::from_ref(self.input.field(self.by).data_type()))?;
        let weights = match Totals::of(self.input.field(self.of[0]).data_type()) {
            Totals::Integers(_) => Weights::Integers(Vec::new()),
            Totals::Floats(_) => Weights::Floats(Vec::new()),
        };
        let (batches, numbers, firsts) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Box::new(Top { shape: self.clone(), categories, weights, batches, numbers, firsts, bytes: 0, memory }))
    }

    /// The columns that are neither counted by nor added up.
    fn remaining(&self) -> Vec<usize> {
        (0..self.input.fields().len()).filter(|column| *column != self.by && !self.of.contains(column)).collect()
    }
}

/// Sums of absolute values, by category.
enum Weights {
    Integers(Vec<IntegerSum>),
    Floats(Vec<FloatSum>),
}

impl Weights {
    fn add(&mut self, column: &Column, categories: &[u32], count: usize) -> Result<()> {
        let rows = || categories.iter().enumerate().map(|(row, &category)| (row, category as usize));
        match self {
            Weights::Floats(sums) => {
                sums.resize(count, FloatSum::default());
                let values = f64::slice(&column.numbers)?;
                let valid = rows().filter_map(|(row, category)| Some((column.value(values, row)?, category)));
                valid.for_each(|(value, category)| sums[category].add(value.abs()));
            }
            Weights::Integers(sums) => {
                sums.resize(count, IntegerSum::default());
                let value = |row| match &column.numbers {
                    Numbers::I64(values) => column.value(values, row).map(i128::from),
                    numbers => i128::slice(numbers).ok().and_then(|values| column.value(values, row)),
                };
                let valid = rows().filter_map(|(row, category)| Some((value(row)?, category)));
                valid.for_each(|(value, category)| sums[category].add(value.saturating_abs()));
            }
        }
        Ok(())
    }

    /// The heavier first.
    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Weights::Integers(sums) => sums[b].cmp(&sums[a]),
            Weights::Floats(sums) => sums[b].value().total_cmp(&sums[a].value()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Weights::Integers(sums) => sums.capacity() * size_of::<IntegerSum>(),
            Weights::Floats(sums) => sums.capacity() * FLOAT_SUM_BYTES,
        }
    }
}

/// Keeps batches until the last has come.
struct Top {
    shape: Shape,
    categories: Groups,
    weights: Weights,
    batches: Vec<RecordBatch>,
    /// The category of each row of each batch.
    numbers: Vec<Vec<u32>>,
    /// The first row of each category, as batch and row.
    firsts: Vec<(usize, usize)>,
    bytes: usize,
    memory: MemoryReservation,
}

impl Fold for Top {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let at = self.batches.len();
        let category = std::slice::from_ref(batch.column(self.shape.by));
        let numbers = self.categories.number(category, |row| self.firsts.push((at, row as usize)))?;
        let weight = Column::of(batch.column(self.shape.of[0]))?;
        self.weights.add(&weight, &numbers, self.categories.len())?;
        self.bytes += get_record_batch_memory_size(&batch) + numbers.capacity() * size_of::<u32>();
        self.batches.push(batch);
        self.numbers.push(numbers);
        let firsts = self.firsts.capacity() * size_of::<(usize, usize)>();
        self.memory.try_resize(self.bytes + firsts + self.weights.bytes() + self.categories.bytes())
    }

    fn finish(self: Box<Self>) -> Result<Batches> {
        let first = self.first_categories()?;
        let folded = match self.shape.others {
            Others::Sum if self.categories.len() > self.shape.n => self.folded(&first)?,
            _ => RecordBatch::new_empty(self.shape.schema.clone()),
        };
        self.memory.try_grow(get_record_batch_memory_size(&folded))?;
        let Top { shape, batches, numbers, memory, .. } = *self;
        let kept = batches.into_iter().zip(numbers).map(move |(batch, numbers)| {
            let _until_given_out = &memory;
            let among: BooleanArray = numbers.iter().map(|&category| Some(first[category as usize])).collect();
            shape.ordinary(&filter_record_batch(&batch, &among)?)
        });
        let starts = (0..folded.num_rows()).step_by(OUTPUT_ROWS);
        let folded = starts.map(move |start| Ok(folded.slice(start, OUTPUT_ROWS.min(folded.num_rows() - start))));
        let some = |batch: &Result<RecordBatch>| batch.as_ref().map_or(true, |batch| batch.num_rows() > 0);
        Ok(Box::new(kept.chain(folded).filter(some)))
    }
}

impl Shape {
    /// Rows of the first categories, in the shape that comes out.
    fn ordinary(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let wider =
            |(column, field): (&ArrayRef, &FieldRef)| -> Result<ArrayRef> { Ok(cast(column, field.data_type())?) };
        let columns = rows.columns().iter().zip(self.schema.fields()).map(wider);
        let others = Ok(new_null_array(&DataType::Int64, rows.num_rows()));
        let columns: Vec<ArrayRef> = columns.chain([others]).collect::<Result<_>>()?;
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

impl Top {
    /// For each category whether it is among the first: those that weigh most, and of equal ones those with the lesser
    /// value, null last.
    fn first_categories(&self) -> Result<Vec<bool>> {
        let count = self.categories.len();
        let mut first = vec![count <= self.shape.n; count];
        if count <= self.shape.n {
            return Ok(first);
        }
        let columns: Vec<&dyn Array> = self.batches.iter().map(|batch| batch.column(self.shape.by).as_ref()).collect();
        let values = interleave(&columns, &self.firsts)?;
        let options = SortOptions { descending: false, nulls_first: false };
        let field = SortField::new_with_options(values.data_type().clone(), options);
        let rows = RowConverter::new(vec![field])?.convert_columns(&[values])?;
        self.memory.try_grow(rows.size() + count * size_of::<usize>())?;
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_unstable_by(|&a, &b| self.weights.compare(a, b).then_with(|| rows.row(a).cmp(&rows.row(b))));
        order.into_iter().take(self.shape.n).for_each(|category| first[category] = true);
        Ok(first)
    }

    /// The rows of all other categories: for each combination of the remaining columns one, in the order in which the
    /// first row of each came.
    fn folded(&self, first: &[bool]) -> Result<RecordBatch> {
        let remaining = self.shape.remaining();
        let others: Vec<(RecordBatch, Vec<u32>)> = self
            .batches
            .iter()
            .zip(&self.numbers)
            .map(|(batch, numbers)| others_of(batch, numbers, first))
            .collect::<Result<_>>()?;
        let copied: usize = others.iter().map(|(batch, _)| get_record_batch_memory_size(batch)).sum();
        let held = self.memory.size() + copied;
        self.memory.try_grow(copied)?;
        let mut combinations = Combinations::new(&self.shape.input, &remaining)?;
        let mut totals: Vec<Totals> =
            self.shape.of.iter().map(|&of| Totals::of(self.shape.input.field(of).data_type())).collect();
        let mut pairs: HashSet<(u32, u32)> = HashSet::new();
        let mut categories: Vec<i64> = Vec::new();
        for (batch, numbers) in &others {
            let combination = combinations.number(batch)?;
            categories.resize(combinations.firsts.len(), 0);
            for (&combination, &category) in combination.iter().zip(numbers) {
                categories[combination as usize] += i64::from(pairs.insert((combination, category)));
            }
            for (totals, &of) in totals.iter_mut().zip(&self.shape.of) {
                totals.reserve(combinations.firsts.len());
                let rows = combination.iter().enumerate().map(|(row, &slot)| (row, slot as usize));
                totals.add(&Column::of(batch.column(of))?, rows)?;
            }
            self.memory.try_resize(held + pairs.capacity() * 2 * size_of::<(u32, u32)>())?;
        }
        let batches: Vec<RecordBatch> = others.into_iter().map(|(batch, _)| batch).collect();
        self.folded_batch(&combinations, &batches, &totals, categories)
    }

    fn folded_batch(
        &self,
        combinations: &Combinations,
        batches: &[RecordBatch],
        totals: &[Totals],
        categories: Vec<i64>,
    ) -> Result<RecordBatch> {
        // Null may get its number late in a batch: the order is that of the rows.
        let mut order: Vec<usize> = (0..combinations.firsts.len()).collect();
        order.sort_unstable_by_key(|&combination| combinations.firsts[combination]);
        let places: Vec<(usize, usize)> = order.iter().map(|&combination| combinations.firsts[combination]).collect();
        let Shape { schema, input, by, of, .. } = &self.shape;
        let column = |index: usize| -> Result<ArrayRef> {
            if index == *by {
                return Ok(new_null_array(schema.field(index).data_type(), order.len()));
            }
            match of.iter().position(|&of| of == index) {
                Some(at) => totals[at].sums(&order, input.field(index).data_type(), input.field(index).name()),
                None => {
                    let columns: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(index).as_ref()).collect();
                    Ok(interleave(&columns, &places)?)
                }
            }
        };
        let counts: Int64Array = order.iter().map(|&combination| Some(categories[combination])).collect();
        let columns = (0..input.fields().len()).map(column).chain([Ok(Arc::new(counts) as ArrayRef)]);
        Ok(RecordBatch::try_new(schema.clone(), columns.collect::<Result<_>>()?)?)
    }
}

/// The rows of a batch that are not of the first categories, and the category of each.
fn others_of(batch: &RecordBatch, numbers: &[u32], first: &[bool]) -> Result<(RecordBatch, Vec<u32>)> {
    let other: BooleanArray = numbers.iter().map(|&category| Some(!first[category as usize])).collect();
    let left = numbers.iter().copied().filter(|&category| !first[category as usize]).collect();
    Ok((filter_record_batch(batch, &other)?, left))
}

/// The combinations of the remaining columns.
struct Combinations<'a> {
    columns: &'a [usize],
    /// `None` where no columns remain.
    groups: Option<Groups>,
    /// The first row of each, as batch and row.
    firsts: Vec<(usize, usize)>,
    batches: usize,
}

impl<'a> Combinations<'a> {
    fn new(schema: &Schema, columns: &'a [usize]) -> Result<Combinations<'a>> {
        let types: Vec<DataType> = columns.iter().map(|&column| schema.field(column).data_type().clone()).collect();
        let groups = if types.is_empty() { None } else { Some(Groups::new(&types)?) };
        Ok(Combinations { columns, groups, firsts: Vec::new(), batches: 0 })
    }

    /// The number of each row's combination.
    fn number(&mut self, batch: &RecordBatch) -> Result<Vec<u32>> {
        let at = self.batches;
        self.batches += 1;
        let Some(groups) = &mut self.groups else {
            if self.firsts.is_empty() && batch.num_rows() > 0 {
                self.firsts.push((at, 0));
            }
            return Ok(vec![0; batch.num_rows()]);
        };
        let columns: Vec<ArrayRef> = self.columns.iter().map(|&column| batch.column(column).clone()).collect();
        groups.number(&columns, |row| self.firsts.push((at, row as usize)))
    }
}
