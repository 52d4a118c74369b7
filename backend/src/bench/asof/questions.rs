//! The questions, in Tidemark's SQL and in plain SQL over assertion rows, and how Tidemark is asked.

use std::time::Instant as Stopwatch;

use model::Instant;
use query::QueryEngine;
use serde::Serialize;

use crate::{
    bench::{
        answers::{Rows, ask},
        figures::Timings,
        prices::{DAY_MICROS, History},
    },
    error::{Error, ErrorKind, Result},
};

/// One question over all keys.
#[derive(Debug, Clone)]
pub struct Question {
    /// What it is called in the figures.
    pub name: &'static str,
    /// For Tidemark.
    pub tidemark: String,
    /// For an engine that knows assertion rows only.
    pub plain: Forms,
}

/// The same question to an engine without periods, written in two ways.
#[derive(Debug, Clone, Serialize)]
pub struct Forms {
    /// The latest row of each key by aggregation.
    pub arg_max: String,
    /// The latest row of each key by a window function.
    pub row_number: String,
}

/// Where in both times to look.
#[derive(Debug, Clone, Copy)]
pub struct Coordinates {
    /// When it holds.
    pub valid: Instant,
    /// As it was known then.
    pub system: Instant,
}

/// An instant as SQL writes it. Tidemark's timestamps are UTC; elsewhere the type has to say so.
fn literal(instant: Instant) -> String {
    format!("TIMESTAMP '{instant}'")
}

/// What the benchmark asks of a history whose last commit is `known`.
pub fn of_history(history: &History, known: Instant) -> Vec<Question> {
    let last_day = Instant(history.end().micros() - DAY_MICROS);
    let middle = Instant(last_day.micros() - i64::from(history.rounds / 2) * DAY_MICROS + DAY_MICROS / 2);
    let now = Coordinates { valid: last_day, system: known };
    let day_before = Coordinates { system: Instant(known.micros() - DAY_MICROS), ..now };
    vec![
        as_of("now", "prices", now),
        as_of("mid", "prices", Coordinates { valid: middle, system: middle }),
        difference(day_before, now),
    ]
}

/// How many keys, the sum of their values, and the last key.
pub fn as_of(name: &'static str, dataset: &str, at: Coordinates) -> Question {
    let asked = "count(*) AS n, sum(value) AS total, max(instrument) AS last";
    let (valid, system) = (literal(at.valid), literal(at.system));
    let tidemark = format!("SELECT {asked} FROM {dataset} FOR VALID_TIME AS OF {valid} FOR SYSTEM_TIME AS OF {system}");
    let plain = state(dataset, at).map(|state| format!("SELECT {asked} FROM ({state}) AS held"));
    Question { name, tidemark, plain }
}

/// What two system times have not in common at one valid time.
fn difference(before: Coordinates, after: Coordinates) -> Question {
    let tidemark = format!(
        "SELECT change, count(*) AS n, sum(value_before) AS before, sum(value_after) AS after \
         FROM diff(prices, {}, {}, {}) GROUP BY change ORDER BY change",
        literal(before.system),
        literal(after.system),
        literal(after.valid)
    );
    let (old, new) = (state("prices", before), state("prices", after));
    let join = |old: &str, new: &str| {
        format!(
            "SELECT CASE WHEN old.instrument IS NULL THEN 'added' WHEN new.instrument IS NULL THEN 'removed' \
             ELSE 'changed' END AS change, count(*) AS n, sum(old.value) AS before, sum(new.value) AS after \
             FROM ({old}) AS old FULL JOIN ({new}) AS new ON old.instrument = new.instrument \
             WHERE old.instrument IS NULL OR new.instrument IS NULL OR old.value IS DISTINCT FROM new.value \
             OR old.currency IS DISTINCT FROM new.currency OR old.venue IS DISTINCT FROM new.venue \
             GROUP BY change ORDER BY change"
        )
    };
    let plain = Forms { arg_max: join(&old.arg_max, &new.arg_max), row_number: join(&old.row_number, &new.row_number) };
    Question { name: "diff", tidemark, plain }
}

/// The rows that hold at coordinates. Deleted keys are left out behind the choice of the latest row, where it belongs.
fn state(dataset: &str, at: Coordinates) -> Forms {
    let (valid, system) = (format!("TIMESTAMPTZ '{}'", at.valid), format!("TIMESTAMPTZ '{}'", at.system));
    let covering = format!(
        "FROM {dataset} WHERE system_from <= {system} AND (system_to IS NULL OR system_to > {system}) \
         AND valid_from <= {valid} AND (valid_to IS NULL OR valid_to > {valid})"
    );
    let latest = |column: &str| format!("arg_max({column}, system_from) AS {column}");
    Forms {
        arg_max: format!(
            "SELECT instrument, {}, {}, {} {covering} GROUP BY instrument \
             HAVING arg_max(operation, system_from) = 'put'",
            latest("value"),
            latest("currency"),
            latest("venue")
        ),
        row_number: format!(
            "SELECT instrument, value, currency, venue FROM (SELECT instrument, value, currency, venue, operation, \
             row_number() OVER (PARTITION BY instrument ORDER BY system_from DESC) AS nth {covering}) AS covering \
             WHERE nth = 1 AND operation = 'put'"
        ),
    }
}

impl Forms {
    fn map(&self, wrap: impl Fn(&str) -> String) -> Forms {
        Forms { arg_max: wrap(&self.arg_max), row_number: wrap(&self.row_number) }
    }
}

/// Asks each of some statements once to warm up and then `repeat` times, in turn. Gives answers and times.
pub async fn ask_in_turn(engine: &QueryEngine, statements: &[&str], repeat: u32) -> Result<Vec<(Rows, Timings)>> {
    let mut answers = Vec::with_capacity(statements.len());
    for sql in statements {
        answers.push((ask(engine, sql).await?, Timings::default()));
    }
    for _ in 0..repeat {
        for (sql, (rows, timings)) in statements.iter().zip(&mut answers) {
            let watch = Stopwatch::now();
            let again = ask(engine, sql).await?;
            timings.push(watch.elapsed());
            if again != *rows {
                return Err(differ(sql, rows, &again));
            }
        }
    }
    Ok(answers)
}

/// The error of two answers that should be one.
pub fn differ(question: &str, one: &Rows, other: &Rows) -> Error {
    let message = format!("two answers that have to agree do not, {one:?} and {other:?}: {question}");
    Error::new(ErrorKind::Internal, message)
}
