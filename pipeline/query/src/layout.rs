//! What a resolution reads and what it gives: which stored columns are needed, and where each is in a scanned batch.

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

use lake::model::{
    DatasetDefinition, OPERATION_COLUMN, TIME_COLUMNS,
    arrow_layout::{assertion_schema, version_schema},
};

use crate::coordinates::Coordinates;

/// A column that comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// As stored; the column of the scanned batch.
    Stored(usize),
    /// The start of the maximal valid interval.
    ValidFrom,
    /// Its end.
    ValidTo,
    /// Always null: what was learned after the system time of the read does not show.
    SystemTo,
}

/// The shape of one resolution. Columns are indices into the scanned batch.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) coordinates: Coordinates,
    /// The columns the scan is asked for, in this order.
    pub(crate) scan_schema: SchemaRef,
    /// The columns that come out.
    pub(crate) output_schema: SchemaRef,
    pub(crate) keys: Vec<usize>,
    /// The values that decide whether neighbours are one version; none where bounds are not asked for.
    pub(crate) values: Vec<usize>,
    /// `valid_from`, `valid_to`, `system_from`, `system_to`.
    pub(crate) times: [usize; 4],
    pub(crate) operation: usize,
    pub(crate) output: Vec<Column>,
    bounds: bool,
}

impl Layout {
    /// For the columns of the version schema that `projection` names, all of them without one.
    pub(crate) fn new(
        definition: &DatasetDefinition,
        coordinates: Coordinates,
        projection: Option<&[usize]>,
    ) -> Layout {
        let versions = version_schema(definition);
        let all: Vec<usize> = (0..versions.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let wanted: Vec<&str> = projection.iter().map(|&column| versions.field(column).name().as_str()).collect();
        let bounds = coordinates.valid.is_none()
            || wanted.iter().any(|name| *name == TIME_COLUMNS[0] || *name == TIME_COLUMNS[1]);
        // Where versions can have neighbours, all values decide whether two of them are one.
        let needed = |name: &str| {
            let is_value = definition.value_columns().any(|column| column.name == name);
            !is_value || bounds || wanted.contains(&name)
        };
        let stored = assertion_schema(definition);
        let fields: Vec<_> = stored.fields().iter().filter(|field| needed(field.name())).cloned().collect();
        let scan_schema = Arc::new(Schema::new(fields));
        let at = |name: &str| scan_schema.fields().iter().position(|field| field.name() == name);
        let values = definition.value_columns().filter(|_| bounds);
        let output = wanted.iter().filter_map(|&name| match name {
            "valid_from" => Some(Column::ValidFrom),
            "valid_to" => Some(Column::ValidTo),
            "system_to" => Some(Column::SystemTo),
            _ => at(name).map(Column::Stored),
        });
        Layout {
            coordinates,
            keys: definition.key_columns().filter_map(|column| at(&column.name)).collect(),
            values: values.filter_map(|column| at(&column.name)).collect(),
            times: TIME_COLUMNS.map(|name| at(name).unwrap_or_default()),
            operation: at(OPERATION_COLUMN).unwrap_or_default(),
            output: output.collect(),
            output_schema: Arc::new(Schema::new(
                projection.iter().map(|&column| versions.field(column).clone()).collect::<Vec<_>>(),
            )),
            bounds,
            scan_schema,
        }
    }

    /// The only valid instant that matters, if there is one: then the latest row that covers it is the answer, and no
    /// other row need be read.
    pub(crate) fn only_instant(&self) -> Option<i64> {
        self.coordinates.valid.filter(|_| !self.bounds).map(|valid| valid.micros())
    }
}
