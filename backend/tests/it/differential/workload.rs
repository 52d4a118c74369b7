//! Three datasets of different shapes, and random events for them: few keys and few values, so that events meet,
//! repeat and contradict each other often.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::oracle::{CELLS, Dataset, Event, Mode, Row, Scalar, cell_start, moment};

pub const PRICES: usize = 0;
pub const RATINGS: usize = 1;
pub const WEIGHTS: usize = 2;

/// Names that CSV and SQL have to quote among them.
pub const INSTRUMENTS: [&str; 5] = ["AAA", "B,B", "C\"C", "D'D", "Ünï"];
pub const INDICES: [&str; 2] = ["Core", "Wide"];

/// The datasets, empty, in the order of the constants.
pub fn datasets() -> Vec<Dataset> {
    vec![
        Dataset::new("prices", &["instrument"], &["volume", "close", "note"], Mode::Interval),
        Dataset::new("ratings", &["issuer"], &["grade", "score"], Mode::UntilChanged),
        Dataset::new("weights", &["index_id", "instrument"], &["weight", "reviewed", "active"], Mode::Interval),
    ]
}

/// Their definitions, in the same order.
pub fn definitions() -> [Value; 3] {
    [
        json!({
            "columns": [
                {"name": "instrument", "type": "string"}, {"name": "begins", "type": "date"},
                {"name": "ends", "type": "date"}, {"name": "op", "type": "string"},
                {"name": "volume", "type": "int64"}, {"name": "close", "type": "decimal(18,4)"},
                {"name": "note", "type": "string"},
            ],
            "key": ["instrument"], "valid_from": "begins", "valid_to": "ends", "operation": "op", "mode": "interval",
        }),
        json!({
            "columns": [
                {"name": "issuer", "type": "string"}, {"name": "grade", "type": "string"},
                {"name": "score", "type": "int64"}, {"name": "since", "type": "timestamp"},
                {"name": "op", "type": "string"},
            ],
            "key": ["issuer"], "valid_from": "since", "operation": "op", "mode": "until_changed",
        }),
        json!({
            "columns": [
                {"name": "weight", "type": "decimal(9,6)"}, {"name": "instrument", "type": "string"},
                {"name": "index_id", "type": "string"}, {"name": "reviewed", "type": "date"},
                {"name": "active", "type": "bool"}, {"name": "starts", "type": "timestamp"},
                {"name": "stops", "type": "timestamp"}, {"name": "said", "type": "string"},
            ],
            "key": ["index_id", "instrument"], "valid_from": "starts", "valid_to": "stops", "mode": "interval",
            "operation": {"column": "said", "put": "assert", "delete": "retract"},
        }),
    ]
}

/// What is published at once.
pub struct Publication {
    pub events: Vec<Event>,
    /// A transaction, or the events of one dataset posted to it.
    pub transaction: bool,
}

/// A random publication.
pub fn publication(rng: &mut ChaCha8Rng) -> Publication {
    let transaction = rng.random_bool(0.75);
    let only = rng.random_range(0..3);
    let count = rng.random_range(1..=9);
    let events = (0..count).map(|_| {
        let dataset = if transaction { rng.random_range(0..3) } else { only };
        event(rng, dataset)
    });
    Publication { events: events.collect(), transaction }
}

fn event(rng: &mut ChaCha8Rng, dataset: usize) -> Event {
    let instrument = text(INSTRUMENTS[rng.random_range(0..INSTRUMENTS.len())]);
    let key = match dataset {
        WEIGHTS => vec![text(INDICES[rng.random_range(0..INDICES.len())]), instrument],
        _ => vec![instrument],
    };
    let from = rng.random_range(0..CELLS);
    let open = from == CELLS - 1 || rng.random_bool(0.2);
    let to = if open { CELLS } else { (from + rng.random_range(1..=16_usize)).min(CELLS - 1) };
    let delete = rng.random_bool(0.2);
    Event { dataset, key, from, to, values: (!delete).then(|| values(rng, dataset)) }
}

fn values(rng: &mut ChaCha8Rng, dataset: usize) -> Row {
    match dataset {
        PRICES => vec![
            one_of(rng, [0, 100, -5, 9_007_199_254_740_993].map(Scalar::Int)),
            one_of(rng, [15_000, -5_000, 1, 999_999_999_999_999_999].map(|digits| Scalar::Decimal(digits, 4))),
            one_of(rng, ["fixed", "two\nlines", "a, \"quoted\" one", "großer Umsatz"].map(text)),
        ],
        RATINGS => {
            vec![one_of(rng, ["A", "AA+", "B, watch", "C"].map(text)), one_of(rng, [1, 2, 3, -1].map(Scalar::Int))]
        }
        _ => vec![
            one_of(rng, [250_000, 333_333, 1_000_000, -1].map(|digits| Scalar::Decimal(digits, 6))),
            one_of(rng, [0, 20_454, 20_513, -719_162].map(Scalar::Day)),
            one_of(rng, [true, false, true, false].map(Scalar::Bool)),
        ],
    }
}

/// One of the values, or null.
fn one_of(rng: &mut ChaCha8Rng, values: [Scalar; 4]) -> Scalar {
    let index = rng.random_range(0..5);
    values.into_iter().nth(index).unwrap_or(Scalar::Null)
}

pub fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

/// The event as its dataset's definition wants it.
pub fn event_json(event: &Event) -> Value {
    let dataset = &datasets()[event.dataset];
    let mut object = Map::new();
    for (name, value) in dataset.keys.iter().zip(&event.key) {
        object.insert((*name).to_owned(), value_json(value));
    }
    for (name, value) in dataset.values.iter().zip(event.values.iter().flatten()) {
        object.insert((*name).to_owned(), value_json(value));
    }
    let from = moment(cell_start(event.from));
    let to = if event.to == CELLS { Value::Null } else { json!(moment(cell_start(event.to))) };
    let put = event.values.is_some();
    match event.dataset {
        PRICES => {
            object.insert("begins".to_owned(), json!(&from[..10]));
            object.insert("ends".to_owned(), to.as_str().map_or(Value::Null, |to| json!(&to[..10])));
            object.insert("op".to_owned(), json!(if put { "put" } else { "delete" }));
        }
        RATINGS => {
            object.insert("since".to_owned(), json!(from));
            object.insert("op".to_owned(), json!(if put { "put" } else { "delete" }));
        }
        _ => {
            object.insert("starts".to_owned(), json!(from));
            object.insert("stops".to_owned(), to);
            object.insert("said".to_owned(), json!(if put { "assert" } else { "retract" }));
        }
    }
    Value::Object(object)
}

fn value_json(value: &Scalar) -> Value {
    match value {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => json!(value),
        Scalar::Int(value) => json!(value),
        // Zeros at the end are no digits: the same value may be written with or without them.
        Scalar::Decimal(digits, _) if digits % 2 == 0 => {
            json!(value.text().unwrap_or_default().trim_end_matches('0').trim_end_matches('.'))
        }
        other => json!(other.text()),
    }
}
