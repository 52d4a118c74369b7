//! All rows, if there are no more than can be shown; otherwise an error that says so, before any of them is sent.

use datafusion::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    common::{Result, utils::memory::get_record_batch_memory_size},
    execution::memory_pool::MemoryReservation,
};

use crate::{Error, ErrorKind, error::external};

use super::{Batches, Fold};

/// How many rows may come.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) schema: SchemaRef,
    pub(crate) rows: u32,
}

impl Shape {
    /// A folder; the reservation is that of what it keeps.
    pub(crate) fn folder(&self, memory: MemoryReservation) -> Box<dyn Fold> {
        Box::new(AtMost { most: self.rows as usize, rows: 0, batches: Vec::new(), memory })
    }
}

struct AtMost {
    most: usize,
    rows: usize,
    batches: Vec<RecordBatch>,
    memory: MemoryReservation,
}

impl Fold for AtMost {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows += batch.num_rows();
        if self.rows > self.most {
            let message = format!(
                "at_most: the answer has more than {} rows; group them in the statement, or narrow down what it reads",
                self.most
            );
            return Err(external(Error::new(ErrorKind::Execution, message)));
        }
        self.memory.try_grow(get_record_batch_memory_size(&batch))?;
        self.batches.push(batch);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Batches> {
        let AtMost { batches, memory, .. } = *self;
        Ok(Box::new(batches.into_iter().map(move |batch| {
            let _until_given_out = &memory;
            Ok(batch)
        })))
    }
}
