//! Rows that are kept whole out of the batches they came in, while others are forgotten.

use datafusion::{
    arrow::{
        array::{RecordBatch, UInt32Array},
        compute::{interleave_record_batch, take_record_batch},
    },
    common::{Result, utils::memory::get_record_batch_memory_size},
};

use crate::rows::{OUTPUT_ROWS, Place};

use super::Batches;

/// Of a batch of which fewer rows than one in so many are kept, these alone are.
const SPARSE: usize = 4;
/// Rows kept for each one in use, and in any case, and batches, before what is not in use is let go.
const ROWS_PER_USE: usize = 2;
const ROWS_IN_ANY_CASE: usize = 1 << 14;
const MOST_CHUNKS: usize = 1 << 12;

/// Batches of which some rows are in use.
#[derive(Default)]
pub(crate) struct Kept {
    chunks: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Kept {
    /// The number that the batch kept next will have.
    pub(crate) fn next_chunk(&self) -> u32 {
        self.chunks.len() as u32
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps rows of a batch, which ascend. Where only these are kept it tells so: each is then at its rank among them.
    pub(crate) fn keep(&mut self, batch: &RecordBatch, rows: &[u32]) -> Result<bool> {
        if rows.is_empty() {
            return Ok(false);
        }
        let sparse = rows.len() < batch.num_rows() / SPARSE;
        let kept = if sparse { take_record_batch(batch, &UInt32Array::from(rows.to_vec()))? } else { batch.clone() };
        self.push(kept);
        Ok(sparse)
    }

    /// Keeps a whole batch.
    pub(crate) fn push(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.bytes += get_record_batch_memory_size(&batch);
        self.chunks.push(batch);
    }

    /// Whether so much is kept that is not in use that letting go is worth it, so many places being in use.
    pub(crate) fn is_wasteful(&self, in_use: usize) -> bool {
        self.rows > ROWS_IN_ANY_CASE.max(ROWS_PER_USE * in_use) || self.chunks.len() > MOST_CHUNKS
    }

    /// Keeps the rows at these places, which ascend, and no others: each is at its rank then, in the one chunk.
    pub(crate) fn keep_only(&mut self, places: &[Place]) -> Result<()> {
        if places.is_empty() {
            *self = Kept::default();
            return Ok(());
        }
        let left = self.gather(places)?;
        *self = Kept::default();
        self.push(left);
        Ok(())
    }

    /// The rows at these places, in this order.
    pub(crate) fn gather(&self, places: &[Place]) -> Result<RecordBatch> {
        let chunks: Vec<&RecordBatch> = self.chunks.iter().collect();
        let places: Vec<(usize, usize)> = places.iter().map(|place| place.pair()).collect();
        Ok(interleave_record_batch(&chunks, &places)?)
    }

    /// The rows at these places as an answer; `held` lives until it was given out.
    pub(crate) fn into_batches(self, places: Vec<Place>, held: impl Send + 'static) -> Batches {
        let starts = (0..places.len()).step_by(OUTPUT_ROWS);
        Box::new(starts.map(move |start| {
            let _until_given_out = &held;
            self.gather(&places[start..places.len().min(start + OUTPUT_ROWS)])
        }))
    }
}
