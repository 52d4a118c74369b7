//! Reductions against plain loops over the same rows.

mod bins;
mod dots;
mod m4;
mod top;

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch},
        compute::concat_batches,
        datatypes::SchemaRef,
        util::display::{ArrayFormatter, FormatOptions},
    },
    common::Result,
    execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool},
};

use super::{Reduction, bind::Bound};

/// Columns by name.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

/// What a batch is reduced to when it comes in parts of so many rows.
fn reduced(reduction: &Reduction, rows: &RecordBatch, part: usize) -> Result<RecordBatch> {
    let parts = (0..rows.num_rows()).step_by(part.max(1));
    let parts = parts.map(|start| rows.slice(start, part.max(1).min(rows.num_rows() - start)));
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    let (schema, batches) = fold(reduction, rows.schema(), parts, &pool)?;
    assert_eq!(pool.reserved(), 0, "what was given out is no longer reserved");
    Ok(concat_batches(&schema, &batches)?)
}

fn fold(
    reduction: &Reduction,
    schema: SchemaRef,
    batches: impl Iterator<Item = RecordBatch>,
    pool: &Arc<dyn MemoryPool>,
) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let bound = Bound::new(reduction, &schema)?;
    let mut folder = bound.folder(MemoryConsumer::new("test").register(pool))?;
    for batch in batches {
        folder.push(batch)?;
    }
    Ok((bound.schema().clone(), folder.finish()?.collect::<Result<_>>()?))
}

/// The rows of a batch as texts, null as NULL.
fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
