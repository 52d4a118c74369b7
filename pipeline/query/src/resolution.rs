//! What is made of the rows of one key, in any batches: versions, rectangles or differences, gathered into what comes out.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringArray,
            TimestampMicrosecondArray, new_null_array,
        },
        compute::interleave,
        datatypes::TimestampMicrosecondType,
    },
    common::{DataFusionError, Result},
    physical_plan::PhysicalExpr,
};
use lake::model::{
    Assertion, Difference, OPEN, Piece, StoredAssertion, arrow_layout::timestamp_type, differences, first_published,
    rectangles, resolve,
};

use crate::{
    coordinates::ValidTime,
    error::external,
    layout::{Column, DiffSide, Layout, Reading},
    same_values::same_value,
};

/// The four times of a batch.
struct Times {
    valid_from: TimestampMicrosecondArray,
    valid_to: TimestampMicrosecondArray,
    system_from: TimestampMicrosecondArray,
    system_to: TimestampMicrosecondArray,
}

impl Times {
    fn of(batch: &RecordBatch, layout: &Layout) -> Times {
        let [valid_from, valid_to, system_from, system_to] =
            layout.times.map(|column| batch.column(column).as_primitive::<TimestampMicrosecondType>().clone());
        Times { valid_from, valid_to, system_from, system_to }
    }
}

fn end(ends: &TimestampMicrosecondArray, row: usize) -> i64 {
    if ends.is_null(row) { OPEN } else { ends.value(row) }
}

/// Rows that stay together, with their times at hand.
pub(crate) struct Chunk {
    pub(crate) batch: RecordBatch,
    times: Times,
    puts: BooleanArray,
    /// Of a diff that does not show all: the rows whose versions it shows.
    passing: Option<BooleanArray>,
}

impl Chunk {
    pub(crate) fn new(batch: RecordBatch, layout: &Layout) -> Result<Chunk> {
        let operations = batch.column(layout.operation).as_string::<i32>();
        let puts = operations
            .iter()
            .map(|operation| match operation {
                Some("put") => Ok(Some(true)),
                Some("delete") => Ok(Some(false)),
                other => Err(internal(format!("a stored row has the operation {other:?}"))),
            })
            .collect::<Result<BooleanArray>>()?;
        let passes = |condition: &Arc<dyn PhysicalExpr>| -> Result<BooleanArray> {
            Ok(condition.evaluate(&batch)?.into_array(batch.num_rows())?.as_boolean().clone())
        };
        let passing = layout.passing.as_ref().map(passes).transpose()?;
        Ok(Chunk { times: Times::of(&batch, layout), puts, passing, batch })
    }

    fn passes(&self, row: usize) -> bool {
        self.passing.as_ref().is_none_or(|passing| passing.is_valid(row) && passing.value(row))
    }

    fn assertion(&self, row: usize) -> Assertion {
        Assertion {
            from: self.times.valid_from.value(row),
            to: end(&self.times.valid_to, row),
            system_from: self.times.system_from.value(row),
            put: self.puts.value(row),
        }
    }

    /// With the end of its system time as far as that was known at `known`.
    fn stored_assertion(&self, row: usize, known: i64) -> StoredAssertion {
        let system_to = end(&self.times.system_to, row);
        let system_to = if system_to > known { OPEN } else { system_to };
        StoredAssertion { assertion: self.assertion(row), system_to }
    }
}

/// A kept row, by chunk and row in it.
pub(crate) type RowPlace = (usize, usize);

/// The rows of the batch being made.
#[derive(Default)]
pub(crate) struct Output {
    /// Rows whose key, and but for a diff whose values, come out.
    pub(crate) places: Vec<RowPlace>,
    valid_from: Vec<i64>,
    valid_to: Vec<i64>,
    /// Empty where every end is open.
    system_to: Vec<i64>,
    /// Of a diff: the row that held before, and the one that holds after.
    sides: Vec<(Option<RowPlace>, Option<RowPlace>)>,
}

impl Output {
    pub(crate) fn push(&mut self, place: RowPlace, from: i64, to: i64) {
        self.places.push(place);
        self.valid_from.push(from);
        self.valid_to.push(to);
    }
}

/// Rows that are at hand, and how they are read.
pub(crate) struct Resolution {
    pub(crate) layout: Arc<Layout>,
    pub(crate) chunks: Vec<Chunk>,
}

impl Resolution {
    /// Adds what comes out of the rows of one key, which are brought into an order that depends on what they say alone.
    pub(crate) fn resolve(&self, places: &mut [RowPlace], output: &mut Output) {
        if places.len() > 1 && self.layout.reading != Reading::Latest {
            places.sort_unstable_by_key(|place| {
                let Assertion { from, to, system_from, put } = self.assertion(place);
                (system_from, from, to, put)
            });
        }
        match self.layout.reading {
            Reading::Latest => self.latest(places, output),
            Reading::Versions(valid) | Reading::First(valid) => self.versions(places, valid, output),
            Reading::Rectangles(valid, from) => self.rectangles(places, valid, from, output),
            Reading::Diff(before, after) => self.differences(places, before, after, output),
        }
    }

    fn passes(&self, (chunk, row): RowPlace) -> bool {
        self.chunks[chunk].passes(row)
    }

    fn assertion(&self, &(chunk, row): &RowPlace) -> Assertion {
        self.chunks[chunk].assertion(row)
    }

    /// All rows of the key are valid at the one instant asked for: the latest known of them holds.
    fn latest(&self, places: &[RowPlace], output: &mut Output) {
        let known = |&&(chunk, row): &&RowPlace| self.chunks[chunk].times.system_from.value(row);
        if let Some(&(chunk, row)) = places.iter().max_by_key(known)
            && self.chunks[chunk].puts.value(row)
        {
            output.places.push((chunk, row));
        }
    }

    fn versions(&self, places: &[RowPlace], valid: ValidTime, output: &mut Output) {
        if let [place] = places {
            let Assertion { from, to, put, .. } = self.assertion(place);
            if put && Layout::keeps(valid, from, to) {
                output.push(*place, from, to);
            }
            return;
        }
        let assertions: Vec<Assertion> = places.iter().map(|place| self.assertion(place)).collect();
        let same = |a: usize, b: usize| self.same_values(places[a], places[b]);
        let pieces = match self.layout.reading {
            Reading::First(_) => first_published(&assertions, same),
            _ => resolve(&assertions, same),
        };
        for Piece { assertion, from, to } in pieces {
            if Layout::keeps(valid, from, to) {
                output.push(places[assertion], from, to);
            }
        }
    }

    fn rectangles(&self, places: &[RowPlace], valid: ValidTime, system_from: i64, output: &mut Output) {
        let known = self.layout.known.micros();
        let stored = |&(chunk, row): &RowPlace| self.chunks[chunk].stored_assertion(row, known);
        let assertions: Vec<StoredAssertion> = places.iter().map(stored).collect();
        for found in rectangles(&assertions, |a, b| self.same_values(places[a], places[b])) {
            if Layout::keeps(valid, found.from, found.to) && found.system_to > system_from {
                output.push(places[found.assertion], found.from, found.to);
                output.system_to.push(found.system_to);
            }
        }
    }

    fn differences(&self, places: &[RowPlace], before: DiffSide, after: DiffSide, output: &mut Output) {
        let (mut was, mut is) = (self.pieces_at(places, before), self.pieces_at(places, after));
        let same = |a: usize, b: usize| self.same_values(places[a], places[b]);
        let found = match (before.valid, after.valid) {
            (Some(was_at), Some(is_at)) if was_at != is_at => {
                was.retain(|piece| (piece.from..piece.to).contains(&was_at.micros()));
                is.retain(|piece| (piece.from..piece.to).contains(&is_at.micros()));
                difference_of_points(&was, &is, same)
            }
            (at, _) => {
                let mut found = differences(&was, &is, same);
                found.retain(|found| at.is_none_or(|at| (found.from..found.to).contains(&at.micros())));
                found
            }
        };
        for Difference { from, to, before, after } in found {
            let (before, after) = (before.map(|index| places[index]), after.map(|index| places[index]));
            if let Some(place) = after.or(before) {
                output.push(place, from, to);
                output.sides.push((before, after));
            }
        }
    }

    /// What holds as of a side's system time, as far as it passes.
    fn pieces_at(&self, places: &[RowPlace], side: DiffSide) -> Vec<Piece> {
        let system = side.system.micros();
        let known = |index: &usize| {
            let (chunk, row) = places[*index];
            let times = &self.chunks[chunk].times;
            times.system_from.value(row) <= system && end(&times.system_to, row) > system
        };
        let indices: Vec<usize> = (0..places.len()).filter(known).collect();
        let assertions: Vec<Assertion> = indices.iter().map(|&index| self.assertion(&places[index])).collect();
        let same = |a: usize, b: usize| self.same_values(places[indices[a]], places[indices[b]]);
        let pieces = resolve(&assertions, same);
        let pieces = pieces.iter().map(|piece| Piece { assertion: indices[piece.assertion], ..*piece });
        pieces.filter(|piece| self.passes(places[piece.assertion])).collect()
    }

    fn same_values(&self, a: RowPlace, b: RowPlace) -> bool {
        self.layout.values.iter().all(|&value| {
            let column = |chunk: usize| self.chunks[chunk].batch.column(value);
            same_value(column(a.0), a.1, column(b.0), b.1)
        })
    }

    /// The batch of what comes out.
    pub(crate) fn gather(&self, output: &Output) -> Result<RecordBatch> {
        let rows = output.places.len();
        let open = |&micros: &i64| (micros != OPEN).then_some(micros);
        let columns: Result<Vec<ArrayRef>> = self
            .layout
            .output
            .iter()
            .map(|column| match column {
                Column::Stored(column) => self.take(*column, &output.places),
                Column::ValidFrom => timestamps(output.valid_from.iter().map(|&from| Some(from))),
                Column::ValidTo => timestamps(output.valid_to.iter().map(open)),
                Column::SystemTo if output.system_to.is_empty() => timestamps(std::iter::repeat_n(None, rows)),
                Column::SystemTo => timestamps(output.system_to.iter().map(open)),
                Column::Change => Ok(Arc::new(output.sides.iter().map(change).collect::<StringArray>()) as ArrayRef),
                Column::Before(column) => self.take_some(*column, output.sides.iter().map(|sides| sides.0)),
                Column::After(column) => self.take_some(*column, output.sides.iter().map(|sides| sides.1)),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.layout.output_schema.clone(), columns?, &options)?)
    }

    fn column_of_chunks(&self, column: usize) -> Vec<&dyn Array> {
        self.chunks.iter().map(|chunk| chunk.batch.column(column).as_ref()).collect()
    }

    /// One column of some rows.
    pub(crate) fn take(&self, column: usize, places: &[RowPlace]) -> Result<ArrayRef> {
        Ok(interleave(&self.column_of_chunks(column), places)?)
    }

    /// Null for `None`, which is taken from an array of one null behind the chunks.
    fn take_some(&self, column: usize, places: impl Iterator<Item = Option<RowPlace>>) -> Result<ArrayRef> {
        let nothing = new_null_array(self.layout.scan_schema.field(column).data_type(), 1);
        let mut arrays = self.column_of_chunks(column);
        let null = (arrays.len(), 0);
        arrays.push(nothing.as_ref());
        let places: Vec<RowPlace> = places.map(|place| place.unwrap_or(null)).collect();
        Ok(interleave(&arrays, &places)?)
    }
}

/// Two different valid instants have no interval in common: what holds at the one faces what holds at the other.
fn difference_of_points(
    before: &[Piece],
    after: &[Piece],
    same_values: impl Fn(usize, usize) -> bool,
) -> Vec<Difference> {
    let (before, after) = (before.first(), after.first());
    let same = before.zip(after).is_some_and(|(was, is)| same_values(was.assertion, is.assertion));
    let shown = after.or(before).filter(|_| !same);
    let difference = shown.map(|piece| Difference {
        from: piece.from,
        to: piece.to,
        before: before.map(|piece| piece.assertion),
        after: after.map(|piece| piece.assertion),
    });
    difference.into_iter().collect()
}

fn change(sides: &(Option<RowPlace>, Option<RowPlace>)) -> Option<&'static str> {
    match sides {
        (None, _) => Some("added"),
        (_, None) => Some("removed"),
        _ => Some("changed"),
    }
}

fn timestamps(micros: impl Iterator<Item = Option<i64>>) -> Result<ArrayRef> {
    let array: TimestampMicrosecondArray = micros.collect();
    Ok(Arc::new(array.with_data_type(timestamp_type())))
}

pub(crate) fn internal(message: String) -> DataFusionError {
    external(crate::Error::new(crate::ErrorKind::Internal, message))
}
