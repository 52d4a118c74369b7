//! How a dataset becomes an Iceberg table: its schema with field ids, its folders, and the metadata it starts with.
//!
//! Unpartitioned, format version 2. Field ids count from 1 in the order of the stored columns ([`model::StoredColumns`]),
//! which is also how Iceberg numbers the fields of a new table.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit};
use iceberg::{
    TableCreation,
    spec::{
        NestedField, NullOrder, PrimitiveType, Schema, SchemaRef as SchemaRefOfTable, SortDirection, SortField,
        SortOrder, TableMetadata, TableMetadataBuilder, Transform, Type,
    },
};
use model::{DatasetDefinition, StoredColumns, TIME_COLUMNS, arrow_layout::assertion_schema};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use crate::{
    Error, Result,
    files::{location_of, path_of},
};

/// The sort order of exact files: by key, `valid_from` and `system_from`. A data file that names it holds exact
/// rectangles, which nothing but rows appended later overrides.
pub(crate) const EXACT_SORT_ORDER_ID: i32 = 1;

/// The folder of a table's Parquet files, from the table's.
pub(crate) const DATA: &str = "data";

/// Superseded metadata files that stay listed and on disk, per table.
const METADATA_VERSIONS_KEPT: &str = "100";

/// The columns of an assertion row, in the order of the assertion columns, as they are written to Parquet: with their
/// names in files and their field ids.
pub(crate) fn file_schema(definition: &DatasetDefinition, columns: &StoredColumns) -> SchemaRef {
    let assertion = assertion_schema(definition);
    let fields = assertion.fields().iter().filter_map(|field| {
        let (stored, id) = columns.column(field.name()).zip(columns.field_id(field.name()))?;
        Some(with_id(field.as_ref().clone().with_name(&stored.name), id))
    });
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

/// All columns a table ever had, with their names in files and their field ids.
pub(crate) fn whole_schema(columns: &StoredColumns) -> SchemaRef {
    let schema = columns.schema();
    let fields = (1..).zip(schema.fields()).map(|(id, field)| with_id(field.as_ref().clone(), id));
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

fn with_id(field: Field, id: i32) -> Field {
    field.with_metadata(HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]))
}

/// The field id of a column of a file.
pub(crate) fn field_id(field: &Field) -> Result<i32> {
    let id = field.metadata().get(PARQUET_FIELD_ID_META_KEY).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::internal("a column of a file has no field id").with("column", field.name()))
}

/// The Iceberg type a column is stored as.
pub(crate) fn iceberg_type(data_type: &DataType) -> Result<PrimitiveType> {
    Ok(match data_type {
        DataType::Utf8 => PrimitiveType::String,
        DataType::Boolean => PrimitiveType::Boolean,
        DataType::Int32 => PrimitiveType::Int,
        DataType::Int64 => PrimitiveType::Long,
        DataType::Float64 => PrimitiveType::Double,
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            PrimitiveType::Decimal { precision: u32::from(*precision), scale: u32::from(scale.unsigned_abs()) }
        }
        DataType::Date32 => PrimitiveType::Date,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => PrimitiveType::Timestamptz,
        other => return Err(Error::internal("a column has a type that tables do not have").with("type", other)),
    })
}

/// Metadata of a new, empty table at a location.
pub(crate) fn new_table(name: &str, location: &str, definition: &DatasetDefinition) -> Result<TableMetadata> {
    let properties = [
        ("write.format.default", "parquet"),
        ("write.parquet.compression-codec", "zstd"),
        ("write.metadata.previous-versions-max", METADATA_VERSIONS_KEPT),
        ("write.metadata.delete-after-commit.enabled", "true"),
    ];
    let assertion = assertion_schema(definition);
    let schema = table_schema((1..).zip(assertion.fields().iter().map(Arc::as_ref)))?;
    let sort_order = exact_sort_order(definition, &schema)?;
    let creation = TableCreation::builder()
        .name(name.to_owned())
        .location(location.to_owned())
        .schema(schema)
        .sort_order(sort_order)
        .properties(properties.map(|(key, value)| (key.to_owned(), value.to_owned())))
        .build();
    Ok(TableMetadataBuilder::from_table_creation(creation)?.build()?.metadata)
}

fn table_schema<'a>(fields: impl Iterator<Item = (i32, &'a Field)>) -> Result<Schema> {
    let fields = fields.map(|(id, field)| {
        let field_type = Type::Primitive(iceberg_type(field.data_type())?);
        Ok(Arc::new(NestedField::new(id, field.name(), field_type, !field.is_nullable())))
    });
    Ok(Schema::builder().with_fields(fields.collect::<Result<Vec<_>>>()?).build()?)
}

/// Table metadata in which the columns of a definition are the current ones. All columns there ever were are a schema
/// of the table too, by which manifests are written, so that nothing that is known of a file is lost.
pub(crate) fn with_columns(
    builder: TableMetadataBuilder,
    definition: &DatasetDefinition,
    columns: &StoredColumns,
) -> Result<TableMetadataBuilder> {
    let (all, shown) = (columns.schema(), assertion_schema(definition));
    let all = table_schema((1..).zip(all.fields().iter().map(Arc::as_ref)))?;
    let shown = shown.fields().iter().filter_map(|field| Some((columns.field_id(field.name())?, field.as_ref())));
    Ok(builder.add_schema(all)?.add_current_schema(table_schema(shown)?)?)
}

/// The schema of a table that has every column there ever was, in its widest type: of those with the most columns the
/// one that came last. A column may go by another name in it.
pub(crate) fn schema_with_all(table: &TableMetadata) -> &SchemaRefOfTable {
    let schemas = table.schemas_iter();
    let last = schemas.max_by_key(|schema| (schema.as_struct().fields().len(), schema.schema_id()));
    last.unwrap_or_else(|| table.current_schema())
}

/// The sort order of exact files, for a table's metadata.
pub(crate) fn exact_sort_order(definition: &DatasetDefinition, schema: &Schema) -> Result<SortOrder> {
    let times = [TIME_COLUMNS[0], TIME_COLUMNS[2]];
    let names = definition.key.iter().map(String::as_str).chain(times);
    let fields = names.map(|name| {
        let id = schema.field_id_by_name(name).ok_or_else(|| {
            Error::corrupt("a table lacks a column that its files are sorted by").with("column", name)
        })?;
        Ok(SortField::builder()
            .source_id(id)
            .transform(Transform::Identity)
            .direction(SortDirection::Ascending)
            .null_order(NullOrder::First)
            .build())
    });
    let fields = fields.collect::<Result<Vec<_>>>()?;
    Ok(SortOrder::builder().with_order_id(i64::from(EXACT_SORT_ORDER_ID)).with_fields(fields).build(schema)?)
}

/// The folders of one table.
#[derive(Debug, Clone)]
pub(crate) struct TableFolders {
    root: PathBuf,
}

impl TableFolders {
    /// Those of the table at a location.
    pub(crate) fn at(location: &str) -> TableFolders {
        TableFolders { root: path_of(location) }
    }

    /// Those of a dataset in a warehouse.
    pub(crate) fn of(warehouse: &std::path::Path, dataset: &str) -> TableFolders {
        TableFolders { root: warehouse.join(dataset) }
    }

    /// The table's location.
    pub(crate) fn location(&self) -> Result<String> {
        location_of(&self.root)
    }

    /// Where Parquet files are.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join(DATA)
    }

    /// Where metadata, manifest lists and manifests are.
    pub(crate) fn metadata(&self) -> PathBuf {
        self.root.join("metadata")
    }
}

#[cfg(test)]
mod tests {
    use model::{ColumnDefinition, ColumnType, Mode};

    use super::*;

    #[test]
    fn field_ids_of_files_and_table_agree() {
        let column = |name: &str, column_type| ColumnDefinition { name: name.to_owned(), column_type, path: None };
        let definition = DatasetDefinition {
            columns: vec![
                column("amount", ColumnType::Decimal { precision: 20, scale: 4 }),
                column("id", ColumnType::String),
                column("from", ColumnType::Date),
                column("day", ColumnType::Date),
                column("flag", ColumnType::Bool),
            ],
            key: vec!["id".to_owned()],
            valid_from: "from".to_owned(),
            valid_to: None,
            operation: None,
            sequence: None,
            system_time: None,
            mode: Mode::Interval,
            each: None,
        };
        let table = new_table("x", "file:///w/x", &definition).unwrap();
        let file = file_schema(&definition, &StoredColumns::of(&definition));
        let schema = table.current_schema();
        assert_eq!(schema.as_struct().fields().len(), file.fields().len());
        for (field, stored) in file.fields().iter().zip(schema.as_struct().fields()) {
            assert_eq!(field.name(), &stored.name);
            assert_eq!(field.metadata()[PARQUET_FIELD_ID_META_KEY], stored.id.to_string());
            assert_eq!(field.is_nullable(), !stored.required);
        }
        assert_eq!(schema.field_by_name("id").map(|f| (f.id, f.required)), Some((1, true)));
    }
}
