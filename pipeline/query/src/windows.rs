//! Resolution of rows that come sorted by key: what is at hand are the rows of a batch and those of the key it began
//! in, however many rows there are in all.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch},
        compute::partition,
    },
    common::{Result, utils::memory::get_record_batch_memory_size},
    execution::memory_pool::MemoryReservation,
};

use crate::{
    layout::Layout,
    resolution::{Chunk, Output, Resolution, RowPlace},
    same_values::same_value,
};

/// Takes in batches of the layout's scan, sorted by key, and gives what comes out of each key once the next begins.
pub(crate) struct Windows {
    layout: Arc<Layout>,
    /// The rows of the last key so far.
    open: Vec<RecordBatch>,
    memory: MemoryReservation,
}

impl Windows {
    /// The reservation is that of the rows at hand.
    pub(crate) fn new(layout: Arc<Layout>, memory: MemoryReservation) -> Windows {
        Windows { layout, open: Vec::new(), memory }
    }

    /// Takes the next batch, and gives what the keys it ends come to; `None` for nothing.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let groups = partition(&self.keys_of(&batch))?.ranges();
        let Some(last) = groups.last().cloned() else { return Ok(None) };
        let goes_on = self.goes_on(&batch);
        let open_bytes: usize = self.open.iter().map(get_record_batch_memory_size).sum();
        self.memory.try_resize(open_bytes + get_record_batch_memory_size(&batch))?;
        if goes_on {
            self.open.push(batch.slice(0, groups[0].end));
            if groups.len() == 1 {
                return Ok(None);
            }
        }
        let next = batch.slice(last.start, last.len());
        let ended = std::mem::replace(&mut self.open, vec![next]);
        let whole = &groups[usize::from(goes_on)..groups.len() - 1];
        let mut keys = Vec::with_capacity(whole.len() + 1);
        keys.push(all_rows(&ended));
        keys.extend(whole.iter().map(|group| group.clone().map(|row| (ended.len(), row)).collect()));
        self.resolved(ended.into_iter().chain([batch]), keys)
    }

    /// What the last key comes to; `None` for nothing.
    pub(crate) fn finish(mut self) -> Result<Option<RecordBatch>> {
        let ended = std::mem::take(&mut self.open);
        let keys = vec![all_rows(&ended)];
        self.resolved(ended.into_iter(), keys)
    }

    fn resolved(
        &self,
        batches: impl Iterator<Item = RecordBatch>,
        keys: Vec<Vec<RowPlace>>,
    ) -> Result<Option<RecordBatch>> {
        let chunks: Result<Vec<Chunk>> = batches.map(|batch| Chunk::new(batch, &self.layout)).collect();
        let rows = Resolution { layout: self.layout.clone(), chunks: chunks? };
        let mut output = Output::default();
        for mut places in keys {
            rows.resolve(&mut places, &mut output);
        }
        if output.places.is_empty() { Ok(None) } else { rows.gather(&output).map(Some) }
    }

    fn keys_of(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.layout.keys.iter().map(|&key| batch.column(key).clone()).collect()
    }

    /// Whether a batch begins with the key the last one ended with.
    fn goes_on(&self, batch: &RecordBatch) -> bool {
        let Some(open) = self.open.last() else { return false };
        let last = open.num_rows() - 1;
        self.layout.keys.iter().all(|&key| same_value(open.column(key), last, batch.column(key), 0))
    }
}

fn all_rows(batches: &[RecordBatch]) -> Vec<RowPlace> {
    let rows_of = |(index, batch): (usize, &RecordBatch)| (0..batch.num_rows()).map(move |row| (index, row));
    batches.iter().enumerate().flat_map(rows_of).collect()
}
