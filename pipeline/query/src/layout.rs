//! What a resolution reads and what it gives: which stored columns are needed, and where each is in a scanned batch.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, Field, Schema, SchemaRef},
    physical_plan::PhysicalExpr,
};
use lake::model::{
    DatasetDefinition, Instant, OPEN, OPERATION_COLUMN, TIME_COLUMNS,
    arrow_layout::{assertion_schema, timestamp_type, version_schema},
};

use crate::coordinates::{Coordinates, SystemTime, ValidTime};

/// A column that comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// As stored; the column of the scanned batch.
    Stored(usize),
    /// The start of the maximal valid interval.
    ValidFrom,
    /// Its end.
    ValidTo,
    /// The end of what was known; null as of one system time, because nothing learned after it shows, and of what was
    /// known first.
    SystemTo,
    /// `added`, `removed` or `changed`.
    Change,
    /// As stored in the row that held before; null where none did.
    Before(usize),
    /// As stored in the row that holds after; null where none does.
    After(usize),
}

/// One of the two points or lines that a diff compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiffSide {
    pub(crate) system: Instant,
    /// `None` for all valid time; of both sides or of none.
    pub(crate) valid: Option<Instant>,
}

/// What is made of the assertions of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The latest row that covers one instant, all read rows doing so.
    Latest,
    /// What holds as of one system time.
    Versions(ValidTime),
    /// What held at some system time from this one on.
    Rectangles(ValidTime, i64),
    /// What was the first to hold.
    First(ValidTime),
    /// What differs.
    Diff(DiffSide, DiffSide),
}

/// The shape of one resolution. Columns are indices into the scanned batch.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) reading: Reading,
    /// Rows of a later system time are not read.
    pub(crate) known: Instant,
    /// Rows are read only where they are valid within this, in microseconds; nothing of it for an empty interval.
    pub(crate) valid_overlap: Option<(i64, i64)>,
    /// For plans.
    pub(crate) description: String,
    /// The columns the scan is asked for, in this order.
    pub(crate) scan_schema: SchemaRef,
    /// The columns that come out.
    pub(crate) output_schema: SchemaRef,
    pub(crate) keys: Vec<usize>,
    /// The values that decide whether neighbours are one version; none where there are no neighbours.
    pub(crate) values: Vec<usize>,
    /// `valid_from`, `valid_to`, `system_from`, `system_to`; `system_from` in place of one that is not read.
    pub(crate) times: [usize; 4],
    pub(crate) operation: usize,
    /// Of a diff: what a scanned row has to meet for its versions to be seen on a side; all of them without it.
    pub(crate) passing: Option<Arc<dyn PhysicalExpr>>,
    pub(crate) output: Vec<Column>,
}

impl Layout {
    /// For the columns of the version schema that `projection` names, all of them without one.
    pub(crate) fn new(
        definition: &DatasetDefinition,
        coordinates: Coordinates,
        projection: Option<&[usize]>,
    ) -> Layout {
        let versions = version_schema(definition);
        let output_schema = projected(&versions, projection);
        let wanted: Vec<&str> = output_schema.fields().iter().map(|field| field.name().as_str()).collect();
        let bounds = wanted.iter().any(|name| *name == TIME_COLUMNS[0] || *name == TIME_COLUMNS[1]);
        let at_instant = matches!(coordinates.valid, ValidTime::At(_)) && !bounds;
        // Where versions can have neighbours, all values decide whether two of them are one.
        // The latest row that covers an instant is told by its system time, the lake having seen that it covers it.
        let latest = at_instant && matches!(coordinates.system, SystemTime::AsOf(_));
        let needed = |name: &str| {
            let is_value = definition.value_columns().any(|column| column.name == name);
            let is_unread_time = latest && name != TIME_COLUMNS[2] && TIME_COLUMNS.contains(&name);
            (!is_value || !at_instant || wanted.contains(&name)) && !is_unread_time
        };
        let mut layout = Layout::of_scan(definition, coordinates.known(), needed);
        if at_instant {
            layout.values.clear();
        }
        layout.reading = match coordinates.system {
            SystemTime::AsOf(_) if at_instant => Reading::Latest,
            SystemTime::AsOf(_) => Reading::Versions(coordinates.valid),
            SystemTime::Within { from, .. } => Reading::Rectangles(coordinates.valid, from),
            SystemTime::First { .. } => Reading::First(coordinates.valid),
        };
        // Bounds are only right when what lies beside the range has been read as well.
        layout.valid_overlap = match coordinates.valid {
            _ if coordinates.hold_nothing() => Some((0, 0)),
            ValidTime::At(at) if !bounds => Some((at.micros(), at.micros().saturating_add(1))),
            ValidTime::Within { from, to } if !bounds => Some((from, to)),
            _ => None,
        };
        layout.description =
            format!("valid_time={}, system_time={}", coordinates.describe_valid(), coordinates.describe_system());
        let output = wanted.iter().filter_map(|&name| match name {
            "valid_from" => Some(Column::ValidFrom),
            "valid_to" => Some(Column::ValidTo),
            "system_to" => Some(Column::SystemTo),
            _ => layout.position(name).map(Column::Stored),
        });
        layout.output = output.collect();
        layout.output_schema = output_schema;
        layout
    }

    /// For the columns of [`diff_schema`] that `projection` names, all of them without one.
    pub(crate) fn diff(
        definition: &DatasetDefinition,
        before: DiffSide,
        after: DiffSide,
        projection: Option<&[usize]>,
    ) -> Layout {
        let mut layout = Layout::of_scan(definition, before.system.max(after.system), |_| true);
        let all = diff_columns(definition, &layout);
        let whole = diff_schema(definition);
        layout.output_schema = projected(&whole, projection);
        layout.output = match projection {
            Some(indices) => indices.iter().map(|&index| all[index]).collect(),
            None => all,
        };
        layout.reading = Reading::Diff(before, after);
        let bounds = layout.output.iter().any(|column| matches!(column, Column::ValidFrom | Column::ValidTo));
        layout.valid_overlap = match (before.valid, after.valid) {
            (Some(before), Some(after)) if before == after && !bounds => {
                Some((before.micros(), before.micros().saturating_add(1)))
            }
            _ => None,
        };
        let side = |side: DiffSide| {
            let valid = side.valid.map_or_else(|| "ALL".to_owned(), |at| at.to_string());
            format!("(valid_time={valid}, system_time={})", side.system)
        };
        layout.description = format!("diff={} to {}", side(before), side(after));
        layout
    }

    fn of_scan(definition: &DatasetDefinition, known: Instant, needed: impl Fn(&str) -> bool) -> Layout {
        let stored = assertion_schema(definition);
        let fields: Vec<_> = stored.fields().iter().filter(|field| needed(field.name())).cloned().collect();
        let scan_schema: SchemaRef = Arc::new(Schema::new(fields));
        let at = |name: &str| scan_schema.fields().iter().position(|field| field.name() == name);
        Layout {
            reading: Reading::Versions(ValidTime::All),
            known,
            valid_overlap: None,
            description: String::new(),
            keys: definition.key_columns().filter_map(|column| at(&column.name)).collect(),
            values: definition.value_columns().filter_map(|column| at(&column.name)).collect(),
            times: TIME_COLUMNS.map(|name| at(name).or(at(TIME_COLUMNS[2])).unwrap_or_default()),
            operation: at(OPERATION_COLUMN).unwrap_or_default(),
            passing: None,
            output: Vec::new(),
            output_schema: scan_schema.clone(),
            scan_schema,
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.scan_schema.fields().iter().position(|field| field.name() == name)
    }

    /// Whether a version that holds over `[from, to)` is one of those asked for.
    pub(crate) fn keeps(valid: ValidTime, from: i64, to: i64) -> bool {
        match valid {
            ValidTime::All => true,
            ValidTime::At(at) => (from..to).contains(&at.micros()),
            ValidTime::Within { from: start, to: end } => (from < end || end == OPEN) && to > start,
        }
    }
}

fn projected(schema: &SchemaRef, projection: Option<&[usize]>) -> SchemaRef {
    match projection {
        None => schema.clone(),
        Some(indices) => {
            Arc::new(Schema::new(indices.iter().map(|&index| schema.field(index).clone()).collect::<Vec<_>>()))
        }
    }
}

/// The columns of a diff: key, the valid interval, what happened, each value before and after, and since when each side
/// was known.
pub(crate) fn diff_schema(definition: &DatasetDefinition) -> SchemaRef {
    let versions = version_schema(definition);
    let field = |name: &str| versions.field_with_name(name).ok().cloned();
    let mut fields: Vec<Field> = definition.key_columns().filter_map(|column| field(&column.name)).collect();
    fields.extend(TIME_COLUMNS[..2].iter().filter_map(|name| field(name)));
    fields.push(Field::new("change", DataType::Utf8, false));
    for column in definition.value_columns().filter_map(|column| field(&column.name)) {
        for side in ["before", "after"] {
            fields.push(column.clone().with_name(format!("{}_{side}", column.name())).with_nullable(true));
        }
    }
    for side in ["before", "after"] {
        fields.push(Field::new(format!("system_from_{side}"), timestamp_type(), true));
    }
    Arc::new(Schema::new(fields))
}

/// Where each column of [`diff_schema`] comes from.
fn diff_columns(definition: &DatasetDefinition, layout: &Layout) -> Vec<Column> {
    let mut columns: Vec<Column> = layout.keys.iter().map(|&key| Column::Stored(key)).collect();
    columns.extend([Column::ValidFrom, Column::ValidTo, Column::Change]);
    let values = definition.value_columns().filter_map(|column| layout.position(&column.name));
    for column in values.chain([layout.times[2]]) {
        columns.extend([Column::Before(column), Column::After(column)]);
    }
    columns
}
