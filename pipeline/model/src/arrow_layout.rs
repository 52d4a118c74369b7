//! How columns are laid out in Arrow: the assertion rows on disk, and the versions that SQL shows.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::{ColumnDefinition, ColumnType, DatasetDefinition, OPERATION_COLUMN, TIME_COLUMNS};

/// The Arrow type of the four time columns and of every `timestamp`: microseconds, UTC written as Iceberg writes it.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))
}

/// The Arrow type of a column type.
pub fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::String => DataType::Utf8,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Decimal { precision, scale } => DataType::Decimal128(precision, scale.cast_signed()),
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => timestamp_type(),
    }
}

/// The columns of an assertion row on disk: key (required), values, `valid_from`, `valid_to`, `system_from`,
/// `system_to`, `operation`. `valid_from`, `system_from` and `operation` are required, all values may be null.
pub fn assertion_schema(definition: &DatasetDefinition) -> SchemaRef {
    let mut fields = data_fields(definition);
    fields.extend(time_fields());
    fields.push(Field::new(OPERATION_COLUMN, DataType::Utf8, false));
    Arc::new(Schema::new(fields))
}

/// The columns SQL shows of a dataset: key, values, and the four time columns.
pub fn version_schema(definition: &DatasetDefinition) -> SchemaRef {
    let mut fields = data_fields(definition);
    fields.extend(time_fields());
    Arc::new(Schema::new(fields))
}

fn data_fields(definition: &DatasetDefinition) -> Vec<Field> {
    let field = |column: &ColumnDefinition, nullable| Field::new(&column.name, data_type(column.column_type), nullable);
    let keys = definition.key_columns().map(|column| field(column, false));
    keys.chain(definition.value_columns().map(|column| field(column, true))).collect()
}

fn time_fields() -> impl Iterator<Item = Field> {
    TIME_COLUMNS.into_iter().map(|name| Field::new(name, timestamp_type(), name.ends_with("_to")))
}
