//! Random assertion rows against a dense grid that shares no code with resolution.
//!
//! The grid has a cell for each key, epoch and day; what a query must answer is read off it cell by cell. The same
//! history is asked three times: as it was appended, cut into needless pieces, and as exact rectangles of one day each
//! with their `system_to` filled in, as upkeep may leave them.

use std::fmt::Write;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;

use crate::harness::Harness;

const DAYS: usize = 12;
const KEYS: usize = 3;

/// What was said of a cell: in which epoch, and the values.
type Said = (usize, Option<i64>, u8);

/// What holds in a cell, if anything does.
type Cell = Option<Said>;

/// One stretch of days of one key in one epoch.
#[derive(Debug, Clone, Copy)]
struct Row {
    key: usize,
    from: usize,
    /// Exclusive; `DAYS` for open.
    to: usize,
    put: bool,
    number: Option<i64>,
    letter: u8,
}

#[derive(Debug, Clone)]
struct History {
    epochs: Vec<Vec<Row>>,
}

/// Disjoint rows of one key, made of cuts at random days, with neighbours that often touch.
fn rows_of_key(key: usize) -> impl Strategy<Value = Vec<Row>> {
    let stretch = (1..4_usize, 0..3_u8, prop::option::weighted(0.8, 0..2_i64), 0..2_u8);
    vec(stretch, 0..6).prop_map(move |stretches| {
        let mut rows: Vec<Row> = Vec::new();
        let mut at = 0;
        for (days, kind, number, letter) in stretches {
            if at >= DAYS {
                break;
            }
            let to = (at + days).min(DAYS);
            let row = Row { key, from: at, to, put: kind != 1, number, letter };
            // Rows of one epoch are coalesced when they are written: equal neighbours are one row.
            match rows.last_mut() {
                Some(last)
                    if last.to == at && last.put == row.put && last.number == number && last.letter == letter =>
                {
                    last.to = to;
                }
                _ if kind != 2 => rows.push(row),
                _ => {}
            }
            at = to;
        }
        rows
    })
}

fn histories() -> impl Strategy<Value = History> {
    let epoch = (0..KEYS).map(rows_of_key).collect::<Vec<_>>().prop_map(|keys| keys.concat());
    vec(epoch, 1..5).prop_map(|epochs| History { epochs })
}

fn day(day: usize) -> String {
    format!("2020-01-{:02}T00:00:00Z", day + 1)
}

fn known(epoch: usize) -> String {
    format!("2026-01-{:02}T00:00:00Z", epoch + 1)
}

fn line(text: &mut String, row: &Row, known_from: usize, known_to: Option<usize>) {
    let null = || "null".to_owned();
    let to = if row.to == DAYS { null() } else { format!("\"{}\"", day(row.to)) };
    let known_to = known_to.map_or_else(null, |epoch| format!("\"{}\"", known(epoch)));
    let number = row.number.map_or_else(null, |number| number.to_string());
    let operation = if row.put { "put" } else { "delete" };
    writeln!(
        text,
        r#"{{"k":"key {}","n":{},"number":{number},"letter":"{}","valid_from":"{}","valid_to":{to},"system_from":"{}","system_to":{known_to},"operation":"{operation}"}}"#,
        row.key, row.key % 2, row.letter, day(row.from), known(known_from),
    )
    .unwrap();
}

impl History {
    /// The cell of a key and day as of an epoch.
    fn cell(&self, key: usize, day: usize, epoch: usize) -> Cell {
        let covers = |row: &&Row| row.key == key && row.from <= day && day < row.to;
        let latest = (0..=epoch).rev().find_map(|e| self.epochs[e].iter().find(covers).map(|row| (e, row)));
        latest.filter(|(_, row)| row.put).map(|(epoch, row)| (epoch, row.number, row.letter))
    }

    fn appended(&self, epoch: usize) -> String {
        let mut text = String::new();
        self.epochs[epoch].iter().for_each(|row| line(&mut text, row, epoch, None));
        text
    }

    /// Each row cut into days.
    fn cut(&self, epoch: usize) -> String {
        let mut text = String::new();
        for row in self.epochs[epoch].iter().rev() {
            (row.from..row.to).for_each(|from| line(&mut text, &Row { from, to: from + 1, ..*row }, epoch, None));
        }
        text
    }

    /// Exact rectangles of one day each. What a delete ended says so itself; the delete is not kept.
    fn rectangles(&self) -> String {
        let mut text = String::new();
        for (epoch, rows) in self.epochs.iter().enumerate() {
            for row in rows.iter().filter(|row| row.put) {
                for from in row.from..row.to {
                    let later =
                        |e: &usize| self.epochs[*e].iter().any(|r| r.key == row.key && r.from <= from && from < r.to);
                    let until = (epoch + 1..self.epochs.len()).find(later);
                    line(&mut text, &Row { from, to: from + 1, ..*row }, epoch, until);
                }
            }
        }
        text
    }

    /// All versions as of an epoch: `key number letter from to known`, the bounds as texts.
    fn versions(&self, epoch: usize) -> Vec<Version> {
        let mut versions: Vec<Version> = Vec::new();
        for key in 0..KEYS {
            let mut run: Option<(usize, Said)> = None;
            for at in 0..=DAYS {
                let here = if at < DAYS { self.cell(key, at, epoch) } else { None };
                if let Some((from, cell)) = run
                    && here != Some(cell)
                {
                    versions.push(Version { key, from, to: at, cell });
                    run = None;
                }
                if run.is_none() {
                    run = here.map(|cell| (at, cell));
                }
            }
        }
        versions
    }
}

#[derive(Debug, Clone, Copy)]
struct Version {
    key: usize,
    from: usize,
    to: usize,
    cell: Said,
}

impl Version {
    fn holds_at(&self, day: usize) -> bool {
        // The last cell stands for all days from there on.
        self.from <= day && (day < self.to || self.to == DAYS)
    }

    fn values(&self) -> String {
        let (epoch, number, letter) = self.cell;
        let number = number.map_or("NULL".to_owned(), |number| number.to_string());
        format!("key {} {number} {letter} {}", self.key, known(epoch))
    }

    fn bounds(&self) -> String {
        let to = if self.to == DAYS { "NULL".to_owned() } else { day(self.to) };
        format!("{} {to} NULL", day(self.from))
    }
}

const DEFINITION: &str = r#"{"columns":[{"name":"k","type":"string"},{"name":"n","type":"int32"},
    {"name":"number","type":"int64"},{"name":"letter","type":"string"},{"name":"from","type":"date"},
    {"name":"known","type":"timestamp"}],"key":["k","n"],"valid_from":"from","mode":"until_changed","system_time":"known"}"#;

const TABLES: [&str; 3] = ["appended", "cut", "rectangles"];

async fn check(history: &History) {
    let mut harness = Harness::new().await;
    for table in ["cut", "rectangles"] {
        harness.define(table, DEFINITION).await;
    }
    harness
        .define(
            "appended",
            &DEFINITION.replace(r#","system_time":"known""#, "").replace(
                r#",
    {"name":"known","type":"timestamp"}"#,
                "",
            ),
        )
        .await;
    let last = history.epochs.len() - 1;
    let mut tokens = Vec::new();
    for epoch in 0..=last {
        let (appended, cut) = (history.appended(epoch), history.cut(epoch));
        let rectangles = if epoch == last { history.rectangles() } else { String::new() };
        let rows = [("appended", appended.as_str()), ("cut", cut.as_str()), ("rectangles", rectangles.as_str())];
        let seal: &[&str] = if epoch == last { &["cut", "rectangles"] } else { &[] };
        harness.commit(&known(epoch), &rows, seal).await;
        tokens.push(harness.ask("SELECT 1").await.unwrap().token);
    }
    for (epoch, token) in tokens.iter().enumerate() {
        let versions = history.versions(epoch);
        for table in TABLES {
            check_all(&harness, table, epoch, &versions).await;
            for at in 0..DAYS + 2 {
                check_at(&harness, table, epoch, at, &versions).await;
            }
        }
        let sql = "SELECT * FROM appended".to_owned();
        let early =
            harness.request(query::QueryRequest { sql, snapshot: Some(token.to_string()), ..Default::default() });
        assert_eq!(early.await.unwrap().rows.len(), versions.len(), "as of token {epoch}");
    }
}

async fn check_all(harness: &Harness, table: &str, epoch: usize, versions: &[Version]) {
    let of = format!("FROM {table} FOR SYSTEM_TIME AS OF '{}'", known(epoch));
    let sql = format!("SELECT k, number, letter, system_from, valid_from, valid_to, system_to {of}");
    let expected: Vec<String> = versions.iter().map(|v| format!("{} {}", v.values(), v.bounds())).collect();
    assert_eq!(harness.rows(&sql).await, expected, "{sql}");
    let keys: Vec<String> = versions.iter().map(|v| format!("key {}", v.key)).collect();
    assert_eq!(harness.rows(&format!("SELECT k {of}")).await, keys, "keys alone {of}");
    let count = harness.rows(&format!("SELECT count(*) {of}")).await;
    assert_eq!(count, [versions.len().to_string()], "count {of}");
}

async fn check_at(harness: &Harness, table: &str, epoch: usize, at: usize, versions: &[Version]) {
    let of = format!("FROM {table} FOR SYSTEM_TIME AS OF '{}' FOR VALID_TIME AS OF '{}'", known(epoch), day(at));
    let here = || versions.iter().filter(|version| version.holds_at(at));
    let with_bounds = format!("SELECT k, number, letter, system_from, valid_from, valid_to, system_to {of}");
    let expected: Vec<String> = here().map(|v| format!("{} {}", v.values(), v.bounds())).collect();
    assert_eq!(harness.rows(&with_bounds).await, expected, "{with_bounds}");
    let without_bounds = format!("SELECT k, number, letter, system_from {of}");
    let expected: Vec<String> = here().map(Version::values).collect();
    assert_eq!(harness.rows(&without_bounds).await, expected, "{without_bounds}");
    let one_key = format!("SELECT k, number, letter, system_from {of} WHERE k = 'key 1' AND number = 1");
    let wanted = here().filter(|version| version.key == 1 && version.cell.1 == Some(1));
    assert_eq!(harness.rows(&one_key).await, wanted.map(Version::values).collect::<Vec<_>>(), "{one_key}");
}

#[test]
fn versions_are_those_of_the_grid() {
    let runtime = Runtime::new().unwrap();
    let config = Config { cases: 24, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    TestRunner::new(config)
        .run(&histories(), |history| {
            runtime.block_on(check(&history));
            Ok(())
        })
        .unwrap();
}
