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

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Decimal128Array, Int32Array, Int64Array};

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn older_files_lack_columns_and_have_narrower_ones() {
        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![Some(-7), None]));
        let wide = column(Some(&narrow), &Field::new("x", DataType::Int64, true), 2).unwrap();
        assert_eq!(&wide, &(Arc::new(Int64Array::from(vec![Some(-7), None])) as ArrayRef));
        let absent = column(None, &Field::new("y", DataType::Utf8, true), 2).unwrap();
        assert_eq!((absent.data_type(), absent.null_count()), (&DataType::Utf8, 2));
        let required = column(None, &Field::new("valid_from", DataType::Int64, false), 2);
        assert_eq!(required.unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn values_that_would_not_stay_the_same_are_an_error() {
        let decimals = |value: i128| -> ArrayRef {
            Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(18, 2).unwrap())
        };
        assert!(typed(&decimals(99_999), &DataType::Decimal128(5, 2)).is_ok());
        let error = typed(&decimals(100_000), &DataType::Decimal128(5, 2)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let large: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
        assert!(typed(&large, &DataType::Int32).is_err());
    }
}
