//! Resolution over Arrow batches: assertion rows go in, in any order, versions come out, by key and then valid time.
//!
//! Rows are kept in the batches they came in and sorted by reference; what comes out is gathered from them. The order
//! of the output depends on the rows alone, never on the files they came from.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch},
        compute::{concat_batches, interleave_record_batch},
        datatypes::DataType,
    },
    common::{Result, utils::memory::get_record_batch_memory_size},
    execution::memory_pool::MemoryReservation,
};

use crate::{
    keys::KeyOrder,
    layout::Layout,
    resolution::{Chunk, Output, Resolution, RowPlace, internal},
};

/// Batches of fewer rows are put together until there are so many, so that gathering touches few batches.
const CHUNK_ROWS: usize = 16_384;

/// Rows of a batch that comes out, at most.
pub(crate) const OUTPUT_ROWS: usize = 8_192;

/// Takes in the batches of a scan, which gives the rows that are asked for and no others.
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
        Resolver::new(Resolution { layout: self.layout, chunks: self.chunks }, self.memory)
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
}

/// Where a row is kept: chunk and row in it. Later rows are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) chunk: u32,
    pub(crate) row: u32,
}

impl Place {
    /// As interleaving takes it.
    pub(crate) fn pair(self) -> (usize, usize) {
        (self.chunk as usize, self.row as usize)
    }
}

/// Gives out versions, a batch at a time.
pub(crate) struct Resolver {
    rows: Resolution,
    keys: KeyOrder,
    next: usize,
    /// Kept for as long as the rows are.
    _memory: MemoryReservation,
}

impl Resolver {
    fn new(rows: Resolution, memory: MemoryReservation) -> Result<Resolver> {
        let columns: Vec<Vec<ArrayRef>> = rows
            .chunks
            .iter()
            .map(|chunk| rows.layout.keys.iter().map(|&key| chunk.batch.column(key).clone()).collect())
            .collect();
        let keys = KeyOrder::new(&columns, &memory)?;
        Ok(Resolver { rows, keys, next: 0, _memory: memory })
    }

    /// Sorts the rows by key. Takes long, and is to be called once, before the first batch.
    pub(crate) fn sort(&mut self) {
        self.keys.sort();
    }

    /// The next versions; `None` when there are no more.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut output = Output::default();
        let mut places = Vec::new();
        while output.places.len() < OUTPUT_ROWS
            && let Some(group) = self.keys.group_at(self.next)
        {
            self.next = group.end;
            places.clear();
            places.extend(group.map(|index| self.keys.place(index).pair()));
            self.rows.resolve(&mut places, &mut output);
        }
        if output.places.is_empty() {
            return Ok(None);
        }
        // One key may have more versions than a batch should: the operators above take any size.
        self.rows.gather(&output).map(Some)
    }

    /// The next rows as they were taken in, in the order of their keys; `None` when there are no more.
    pub(crate) fn next_rows(&mut self) -> Result<Option<RecordBatch>> {
        let end = (self.next + OUTPUT_ROWS).min(self.keys.len());
        if self.next == end {
            return Ok(None);
        }
        let places: Vec<RowPlace> = (self.next..end).map(|index| self.keys.place(index).pair()).collect();
        self.next = end;
        let batches: Vec<&RecordBatch> = self.rows.chunks.iter().map(|chunk| &chunk.batch).collect();
        Ok(Some(interleave_record_batch(&batches, &places)?))
    }

    /// Whether no rows were taken in.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.len() == 0
    }

    /// The key columns of each key once, the rows being sorted; `None` for more than `most` keys.
    pub(crate) fn distinct_keys(&self, most: usize) -> Result<Option<Vec<ArrayRef>>> {
        let mut places: Vec<RowPlace> = Vec::new();
        let mut next = 0;
        while let Some(group) = self.keys.group_at(next) {
            if places.len() == most {
                return Ok(None);
            }
            places.push(self.keys.place(group.start).pair());
            next = group.end;
        }
        self.rows.layout.keys.iter().map(|&key| self.rows.take(key, &places)).collect::<Result<_>>().map(Some)
    }
}
