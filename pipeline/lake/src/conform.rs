//! Columns of files as whoever reads them knows them. A file has the columns and types of the day it was written on:
//! columns that were added later are null in it, and those that were widened later are narrower.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, SchemaRef},
};

use crate::{Error, Result, filter::missing};

/// A column of a file, if it has it, as a field of so many rows.
pub(crate) fn column(found: Option<&ArrayRef>, field: &Field, rows: usize) -> Result<ArrayRef> {
    match found {
        Some(found) => typed(found, field.data_type()),
        None if field.is_nullable() => Ok(new_null_array(field.data_type(), rows)),
        None => Err(missing(field.name())),
    }
}

/// Values as another type, without losing anything. Nothing is done where they have it.
pub(crate) fn typed(values: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if values.data_type() == wanted {
        return Ok(Arc::clone(values));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(values, wanted, &options).map_err(|e| {
        Error::corrupt("a column of a file does not fit its table")
            .with("in the file", values.data_type())
            .with("in the table", wanted)
            .because(e)
    })
}

/// The columns of a schema, found by their names.
pub(crate) fn batch(found: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = found.num_rows();
    let columns = schema.fields().iter().map(|field| column(found.column_by_name(field.name()), field, rows));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_>>()?, &options)?)
}
