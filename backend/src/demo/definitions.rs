//! The datasets of the demo feed. All have a system-time column, so that the history keeps the day on which each fact
//! became known.

use model::{ColumnDefinition, ColumnType, DatasetDefinition, Mode, OperationColumn};

use ColumnType::{Int32, Int64, String as Text};

/// Column that carries the system time.
pub const KNOWN_AT: &str = "known_at";

/// Column that says put or delete, where deletes occur.
pub const OPERATION: &str = "op";

/// The datasets, by name, in the order in which they are best created and loaded.
pub fn definitions() -> Vec<(&'static str, DatasetDefinition)> {
    vec![
        ("instruments", instruments()),
        ("constituents", constituents()),
        ("prices", prices()),
        ("bonds", bonds()),
        ("reports", reports()),
        ("corporate_actions", corporate_actions()),
    ]
}

/// What the figures of the datasets mean, as JSON: units and formats of their columns, and ways down.
pub const MEANINGS: [(&str, &str); 4] = [
    (
        "instruments",
        r#"{"dataset": "instruments", "description": "A share, and how it is classified.",
            "hierarchies": [{"name": "place", "title": "By sector", "levels": ["sector", "instrument_id"]}]}"#,
    ),
    (
        "prices",
        r#"{"dataset": "prices", "description": "The closing price of a share on a day; of today the running one.",
            "dimensions": [{"name": "close", "unit": "own currency"}, {"name": "volume", "unit": "shares"}]}"#,
    ),
    (
        "bonds",
        r#"{"dataset": "bonds", "description": "What a floating-rate note pays in a period.",
            "dimensions": [{"name": "coupon_rate", "format": {"percent-value": 3}}, {"name": "spread_bp", "unit": "basis points"}]}"#,
    ),
    (
        "reports",
        r#"{"dataset": "reports", "description": "A figure of a quarterly report, as stated first and restated later.",
            "dimensions": [{"name": "value", "unit": "own currency"}]}"#,
    ),
];

fn instruments() -> DatasetDefinition {
    let values = [("name", Text), ("sector", Text), ("currency", Text), ("country", Text)];
    dataset(Mode::UntilChanged, &["instrument_id"], &values, false)
}

fn constituents() -> DatasetDefinition {
    let values = [("weight", decimal(12, 10)), ("index_shares", decimal(24, 12))];
    dataset(Mode::Interval, &["index_id", "instrument_id"], &values, true)
}

fn prices() -> DatasetDefinition {
    let values = [("close", decimal(18, 4)), ("volume", Int64), ("source", Text)];
    dataset(Mode::Interval, &["instrument_id"], &values, true)
}

fn bonds() -> DatasetDefinition {
    let values = [("issuer", Text), ("coupon_rate", decimal(9, 6)), ("reference_rate", Text), ("spread_bp", Int32)];
    dataset(Mode::Interval, &["isin"], &values, false)
}

fn reports() -> DatasetDefinition {
    let values = [("value", decimal(24, 2)), ("currency", Text), ("status", Text)];
    dataset(Mode::Interval, &["issuer_id", "metric"], &values, false)
}

fn corporate_actions() -> DatasetDefinition {
    let values = [("instrument_id", Text), ("kind", Text), ("ratio", decimal(18, 8)), ("amount", decimal(18, 4))];
    dataset(Mode::Interval, &["action_id"], &values, true)
}

/// A dataset with text keys, these values, the valid interval as dates and the system time; with an operation column
/// if asked for.
fn dataset(mode: Mode, key: &[&str], values: &[(&str, ColumnType)], deletes: bool) -> DatasetDefinition {
    let mut columns: Vec<ColumnDefinition> = key.iter().map(|name| column(name, Text)).collect();
    columns.extend(values.iter().map(|(name, column_type)| column(name, *column_type)));
    columns.push(column("valid_from", ColumnType::Date));
    let valid_to = (mode == Mode::Interval).then(|| "valid_to".to_owned());
    columns.extend(valid_to.iter().map(|name| column(name, ColumnType::Date)));
    if deletes {
        columns.push(column(OPERATION, Text));
    }
    columns.push(column(KNOWN_AT, ColumnType::Timestamp));
    DatasetDefinition {
        columns,
        key: key.iter().map(|&name| name.to_owned()).collect(),
        valid_from: "valid_from".to_owned(),
        valid_to,
        operation: deletes.then(|| OperationColumn::Named(OPERATION.to_owned())),
        sequence: None,
        system_time: Some(KNOWN_AT.to_owned()),
        mode,
        each: None,
    }
}

fn column(name: &str, column_type: ColumnType) -> ColumnDefinition {
    ColumnDefinition { name: name.to_owned(), column_type, path: None }
}

fn decimal(precision: u8, scale: u8) -> ColumnType {
    ColumnType::Decimal { precision, scale }
}
