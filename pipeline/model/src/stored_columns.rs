//! Where the columns of a definition are stored.
//!
//! A table keeps every column it ever had, because what was known in the past stays what it was: a column that is
//! dropped is hidden, one that is renamed keeps its place, one that is widened changes its type in place, and one that is
//! added comes last. So a column's place, and the field id that follows from it, means the same for ever.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arrow_schema::{Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::{ColumnDefinition, ColumnType, DatasetDefinition, OPERATION_COLUMN, TIME_COLUMNS, arrow_layout::data_type};

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// Its name in files, which no other column of the table ever has.
    pub name: String,
    /// Its type; in files that are older than a widening it is narrower.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether every row has a value in it.
    pub required: bool,
}

/// All columns a table ever had up to one version of its dataset's definition, and which of them that version shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumns {
    /// In the order of their field ids, which count from 1. Key columns come first.
    all: Vec<StoredColumn>,
    /// Of each column of the definition's assertion rows, by its name there, the place among all.
    places: BTreeMap<String, usize>,
}

impl StoredColumns {
    /// Those of a new table: the columns of [`crate::arrow_layout::assertion_schema`], in its order.
    pub fn of(definition: &DatasetDefinition) -> StoredColumns {
        let stored = |name: &str, column_type, required| StoredColumn { name: name.to_owned(), column_type, required };
        let of = |column: &ColumnDefinition, required| stored(&column.name, column.column_type, required);
        let mut all: Vec<StoredColumn> = definition.key_columns().map(|column| of(column, true)).collect();
        all.extend(definition.value_columns().map(|column| of(column, false)));
        all.extend(TIME_COLUMNS.map(|name| stored(name, ColumnType::Timestamp, !name.ends_with("_to"))));
        all.push(stored(OPERATION_COLUMN, ColumnType::String, true));
        let places = all.iter().enumerate().map(|(place, column)| (column.name.clone(), place)).collect();
        StoredColumns { all, places }
    }

    /// All columns there ever were, in the order of their field ids.
    pub fn all(&self) -> &[StoredColumn] {
        &self.all
    }

    /// The column that the definition calls so now; also one of the time columns or the operation.
    pub fn column(&self, name: &str) -> Option<&StoredColumn> {
        self.places.get(name).and_then(|&place| self.all.get(place))
    }

    /// The field id of a column that the definition calls so now.
    pub fn field_id(&self, name: &str) -> Option<i32> {
        self.places.get(name).and_then(|&place| i32::try_from(place + 1).ok())
    }

    /// Field ids by the name in files.
    pub fn field_ids(&self) -> HashMap<String, i32> {
        (1..).zip(&self.all).map(|(id, column)| (column.name.clone(), id)).collect()
    }

    /// Whether there are columns that the definition does not show any more.
    pub fn hides_some(&self) -> bool {
        self.places.len() < self.all.len()
    }

    /// The Arrow schema of all columns, with their names in files.
    pub fn schema(&self) -> SchemaRef {
        let field = |column: &StoredColumn| Field::new(&column.name, data_type(column.column_type), !column.required);
        Arc::new(Schema::new(self.all.iter().map(field).collect::<Vec<_>>()))
    }

    /// Adds a column, which may be null.
    pub(crate) fn add(&mut self, name: &str, column_type: ColumnType) {
        let taken = self.all.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        // No definition can have such a name, so it is nobody else's.
        let in_files = if taken { format!("{name}#{}", self.all.len() + 1) } else { name.to_owned() };
        self.places.insert(name.to_owned(), self.all.len());
        self.all.push(StoredColumn { name: in_files, column_type, required: false });
    }

    /// Calls a column something else.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        if let Some(place) = self.places.remove(from) {
            self.places.insert(to.to_owned(), place);
        }
    }

    /// Hides a column.
    pub(crate) fn hide(&mut self, name: &str) {
        self.places.remove(name);
    }

    /// Gives a column another type.
    pub(crate) fn widen(&mut self, name: &str, column_type: ColumnType) {
        if let Some(column) = self.places.get(name).and_then(|&place| self.all.get_mut(place)) {
            column.column_type = column_type;
        }
    }
}
