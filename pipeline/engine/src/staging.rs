//! From what a slot did to a dataset to files that wait for the commit.
//!
//! Rows carry the values of the epoch's events. Only where a retraction lets an earlier assertion extend that no event
//! of the epoch made are its values asked of the lake, once for a slot and a dataset.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array},
    compute::{interleave, take},
};
use model::{DatasetDefinition, OPEN, arrow_layout};

use crate::{
    Error, ErrorKind, Result,
    apply::{Applied, Assertion, Held},
    ports::{DatasetInfo, RowWriter, Sink, StagedFile},
};

/// Writes the rows of a slot. `columns` are those of the event batches: key columns in key order, then value columns.
pub fn stage(
    sink: &dyn Sink,
    dataset_id: u32,
    info: &DatasetInfo,
    columns: &[Vec<ArrayRef>],
    applied: &Applied,
) -> Result<Vec<StagedFile>> {
    let definition = info.definition.as_ref();
    if applied.assertions.is_empty() {
        return Ok(Vec::new());
    }
    let laid_out = if applied.held.is_empty() {
        lay_out(definition, columns, &applied.assertions)?
    } else {
        let held = held_columns(sink, dataset_id, info, columns, &applied.held)?;
        lay_out(definition, &[columns, &[held]].concat(), &applied.assertions)?
    };
    let mut writer: Box<dyn RowWriter> = sink.writer(dataset_id, info.version)?;
    for batch in laid_out {
        writer.write(&batch)?;
    }
    writer.finish()
}

/// The keys of some events, by batch and row.
pub(crate) fn key_columns(
    columns: &[Vec<ArrayRef>],
    rows: &[(usize, usize)],
    key_count: usize,
) -> Result<Vec<ArrayRef>> {
    let key = |key: usize| {
        let of_batches: Vec<&dyn Array> = columns.iter().map(|columns| columns[key].as_ref()).collect();
        Ok(interleave(&of_batches, rows)?)
    };
    (0..key_count).map(key).collect()
}

/// The columns of one more batch, whose rows are what the lake holds.
fn held_columns(
    sink: &dyn Sink,
    dataset_id: u32,
    info: &DatasetInfo,
    columns: &[Vec<ArrayRef>],
    held: &[Held],
) -> Result<Vec<ArrayRef>> {
    let definition = info.definition.as_ref();
    let rows: Vec<(usize, usize)> = held.iter().map(|held| (held.key.batch as usize, held.key.row as usize)).collect();
    let instants: Vec<i64> = held.iter().map(|held| held.instant).collect();
    let mut found = key_columns(columns, &rows, definition.key.len())?;
    let values = sink.values_at(dataset_id, info.version, &found, &instants)?;
    if values.len() != definition.value_columns().count() || values.iter().any(|column| column.len() != held.len()) {
        return Err(Error::new(ErrorKind::Internal, "the sink did not give the values it was asked for")
            .with("dataset", dataset_id)
            .with("asked for", held.len()));
    }
    found.extend(values);
    Ok(found)
}

/// Lays assertions out as [`arrow_layout::assertion_schema`] says, a record batch for each batch they come from.
/// `columns` are the batches' columns.
fn lay_out(
    definition: &DatasetDefinition,
    columns: &[Vec<ArrayRef>],
    assertions: &[Assertion],
) -> Result<Vec<RecordBatch>> {
    let schema = arrow_layout::assertion_schema(definition);
    let key_count = definition.key.len();
    let mut by_batch: Vec<Vec<&Assertion>> = vec![Vec::new(); columns.len()];
    for assertion in assertions {
        by_batch[assertion.source.batch as usize].push(assertion);
    }
    let mut laid_out = Vec::new();
    for (columns, assertions) in columns.iter().zip(&by_batch).filter(|(_, assertions)| !assertions.is_empty()) {
        let rows = UInt32Array::from_iter_values(assertions.iter().map(|a| a.source.row));
        let put_rows = UInt32Array::from_iter(assertions.iter().map(|a| a.put.then_some(a.source.row)));
        let mut arrays = Vec::with_capacity(schema.fields().len());
        for (index, column) in columns.iter().enumerate() {
            arrays.push(take(column, if index < key_count { &rows } else { &put_rows }, None)?);
        }
        let end = |to: i64| (to != OPEN).then_some(to);
        arrays.push(timestamps(assertions.iter().map(|a| Some(a.from))));
        arrays.push(timestamps(assertions.iter().map(|a| end(a.to))));
        arrays.push(timestamps(assertions.iter().map(|a| Some(a.system_from))));
        arrays.push(timestamps(assertions.iter().map(|_| None)));
        let words = assertions.iter().map(|a| if a.put { "put" } else { "delete" });
        arrays.push(Arc::new(StringArray::from_iter_values(words)));
        laid_out.push(RecordBatch::try_new(Arc::clone(&schema), arrays)?);
    }
    Ok(laid_out)
}

fn timestamps(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("+00:00"))
}
