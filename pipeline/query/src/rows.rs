//! Resolution over Arrow batches: assertion rows go in, in any order, versions come out, by key and then valid time.
//!
//! Rows are kept in the batches they came in and sorted by reference; what comes out is gathered from them. The order
//! of the output depends on the rows alone, never on the files they came from.

use std::{ops::Range, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray},
        compute::{concat_batches, filter_record_batch, interleave},
        datatypes::{DataType, SchemaRef, TimestampMicrosecondType},
    },
    common::{DataFusionError, Result, utils::memory::get_record_batch_memory_size},
    execution::memory_pool::MemoryReservation,
};
use lake::model::{Assertion, OPEN, Piece, arrow_layout::timestamp_type, resolve};

use crate::{
    error::external,
    keys::KeyOrder,
    layout::{Column, Layout},
    same_values::same_value,
};

/// Batches of fewer rows are put together until there are so many, so that gathering touches few batches.
const CHUNK_ROWS: usize = 16_384;

/// Rows of a batch that comes out, at most.
pub(crate) const OUTPUT_ROWS: usize = 8_192;

/// Takes in the batches of a scan, keeping the rows that were known.
pub(crate) struct Collector {
    layout: Arc<Layout>,
    /// Small batches that wait to become a chunk, and the rows in them.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    chunks: Vec<Chunk>,
    memory: MemoryReservation,
}

impl Collector {
    /// For batches of the layout's scan; the reservation grows with what is kept.
    pub(crate) fn new(layout: Arc<Layout>, memory: MemoryReservation) -> Collector {
        Collector { layout, waiting: Vec::new(), waiting_rows: 0, chunks: Vec::new(), memory }
    }

    /// Takes one batch, whose columns may be in any order.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.arranged(batch)?;
        let batch = filter_record_batch(&batch, &self.visible(&batch)?)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.memory.try_grow(get_record_batch_memory_size(&batch))?;
        if batch.num_rows() >= CHUNK_ROWS / 2 {
            return self.keep(batch);
        }
        self.waiting_rows += batch.num_rows();
        self.waiting.push(batch);
        if self.waiting_rows >= CHUNK_ROWS { self.keep_waiting() } else { Ok(()) }
    }

    /// Ends the taking in.
    pub(crate) fn finish(mut self) -> Result<Resolver> {
        self.keep_waiting()?;
        Resolver::new(self.layout, self.chunks, self.memory)
    }

    fn keep(&mut self, batch: RecordBatch) -> Result<()> {
        self.chunks.push(Chunk::new(batch, &self.layout)?);
        Ok(())
    }

    fn keep_waiting(&mut self) -> Result<()> {
        self.waiting_rows = 0;
        match std::mem::take(&mut self.waiting).as_slice() {
            [] => Ok(()),
            [only] => self.keep(only.clone()),
            several => {
                let before: usize = several.iter().map(get_record_batch_memory_size).sum();
                self.memory.try_grow(before)?;
                let batch = concat_batches(&self.layout.scan_schema, several)?;
                self.memory.try_shrink((2 * before).saturating_sub(get_record_batch_memory_size(&batch)))?;
                self.keep(batch)
            }
        }
    }

    fn arranged(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = &self.layout.scan_schema;
        let column = |name: &str, wanted: &DataType| {
            let found = batch.column_by_name(name).filter(|column| column.data_type() == wanted);
            found.cloned().ok_or_else(|| internal(format!("the lake gave no column '{name}' of type {wanted}")))
        };
        let columns: Result<Vec<ArrayRef>> =
            schema.fields().iter().map(|field| column(field.name(), field.data_type())).collect();
        Ok(RecordBatch::try_new(schema.clone(), columns?)?)
    }

    /// Rows known at the system time and, where only one instant matters, valid at it.
    fn visible(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let times = Times::of(batch, &self.layout);
        let system = self.layout.coordinates.system.micros();
        let instant = self.layout.only_instant();
        let known = |row: usize| times.system_from.value(row) <= system && end(&times.system_to, row) > system;
        let valid = |row: usize| match instant {
            Some(at) => times.valid_from.value(row) <= at && end(&times.valid_to, row) > at,
            None => true,
        };
        Ok((0..batch.num_rows()).map(|row| Some(known(row) && valid(row))).collect())
    }
}

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
struct Chunk {
    batch: RecordBatch,
    times: Times,
    puts: BooleanArray,
}

impl Chunk {
    fn new(batch: RecordBatch, layout: &Layout) -> Result<Chunk> {
        let operations = batch.column(layout.operation).as_string::<i32>();
        let puts = operations
            .iter()
            .map(|operation| match operation {
                Some("put") => Ok(Some(true)),
                Some("delete") => Ok(Some(false)),
                other => Err(internal(format!("a stored row has the operation {other:?}"))),
            })
            .collect::<Result<BooleanArray>>()?;
        Ok(Chunk { times: Times::of(&batch, layout), puts, batch })
    }

    fn assertion(&self, row: usize) -> Assertion {
        Assertion {
            from: self.times.valid_from.value(row),
            to: end(&self.times.valid_to, row),
            system_from: self.times.system_from.value(row),
            put: self.puts.value(row),
        }
    }
}

/// Where a row is kept: chunk and row in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) chunk: u32,
    pub(crate) row: u32,
}

impl Place {
    fn pair(self) -> (usize, usize) {
        (self.chunk as usize, self.row as usize)
    }
}

/// Gives out versions, a batch at a time.
pub(crate) struct Resolver {
    layout: Arc<Layout>,
    chunks: Vec<Chunk>,
    keys: KeyOrder,
    next: usize,
    /// Kept for as long as the rows are.
    _memory: MemoryReservation,
}

/// The rows of the batch being made.
#[derive(Default)]
struct Output {
    places: Vec<(usize, usize)>,
    valid_from: Vec<i64>,
    valid_to: Vec<i64>,
}

impl Resolver {
    fn new(layout: Arc<Layout>, chunks: Vec<Chunk>, memory: MemoryReservation) -> Result<Resolver> {
        let columns: Vec<Vec<ArrayRef>> = chunks
            .iter()
            .map(|chunk| layout.keys.iter().map(|&key| chunk.batch.column(key).clone()).collect())
            .collect();
        let keys = KeyOrder::new(&columns, &memory)?;
        Ok(Resolver { layout, chunks, keys, next: 0, _memory: memory })
    }

    /// Sorts the rows by key. Takes long, and is to be called once, before the first batch.
    pub(crate) fn sort(&mut self) {
        self.keys.sort();
    }

    /// The next versions; `None` when there are no more.
    pub(crate) fn next_batch(&mut self, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        let mut output = Output::default();
        let mut assertions = Vec::new();
        let mut places = Vec::new();
        while output.places.len() < OUTPUT_ROWS
            && let Some(group) = self.keys.group_at(self.next)
        {
            self.next = group.end;
            if self.layout.only_instant().is_some() {
                self.latest(group, &mut output);
            } else {
                self.versions(group, &mut places, &mut assertions, &mut output);
            }
        }
        if output.places.is_empty() {
            return Ok(None);
        }
        // One key may have more versions than a batch should: the operators above take any size.
        self.gather(schema, &output).map(Some)
    }

    /// All rows of the key are valid at the one instant asked for: the latest known of them holds.
    fn latest(&self, group: Range<usize>, output: &mut Output) {
        let places = group.map(|index| self.keys.place(index).pair());
        let known = |&(chunk, row): &(usize, usize)| self.chunks[chunk].times.system_from.value(row);
        if let Some((chunk, row)) = places.max_by_key(known)
            && self.chunks[chunk].puts.value(row)
        {
            output.places.push((chunk, row));
        }
    }

    fn versions(
        &self,
        group: Range<usize>,
        places: &mut Vec<(usize, usize)>,
        assertions: &mut Vec<Assertion>,
        output: &mut Output,
    ) {
        places.clear();
        places.extend(group.map(|index| self.keys.place(index).pair()));
        let assertion = |&(chunk, row): &(usize, usize)| self.chunks[chunk].assertion(row);
        if places.len() > 1 {
            places.sort_unstable_by_key(|place| {
                let Assertion { from, to, system_from, put } = assertion(place);
                (system_from, from, to, put)
            });
        }
        assertions.clear();
        assertions.extend(places.iter().map(assertion));
        for Piece { assertion, from, to } in resolve(assertions, |a, b| self.same_values(places[a], places[b])) {
            if self.layout.coordinates.valid.is_none_or(|at| (from..to).contains(&at.micros())) {
                output.places.push(places[assertion]);
                output.valid_from.push(from);
                output.valid_to.push(to);
            }
        }
    }

    fn same_values(&self, a: (usize, usize), b: (usize, usize)) -> bool {
        self.layout.values.iter().all(|&value| {
            let column = |chunk: usize| self.chunks[chunk].batch.column(value);
            same_value(column(a.0), a.1, column(b.0), b.1)
        })
    }

    fn gather(&self, schema: &SchemaRef, output: &Output) -> Result<RecordBatch> {
        let rows = output.places.len();
        let columns: Result<Vec<ArrayRef>> = self
            .layout
            .output
            .iter()
            .map(|column| match column {
                Column::Stored(column) => {
                    let arrays: Vec<&dyn Array> =
                        self.chunks.iter().map(|chunk| chunk.batch.column(*column).as_ref()).collect();
                    Ok(interleave(&arrays, &output.places)?)
                }
                Column::ValidFrom => timestamps(output.valid_from.iter().map(|&from| Some(from))),
                Column::ValidTo => timestamps(output.valid_to.iter().map(|&to| (to != OPEN).then_some(to))),
                Column::SystemTo => timestamps(std::iter::repeat_n(None, rows)),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(schema.clone(), columns?, &options)?)
    }
}

fn timestamps(micros: impl Iterator<Item = Option<i64>>) -> Result<ArrayRef> {
    let array: TimestampMicrosecondArray = micros.collect();
    Ok(Arc::new(array.with_data_type(timestamp_type())))
}

fn internal(message: String) -> DataFusionError {
    external(crate::Error::new(crate::ErrorKind::Internal, message))
}
