//! Random assertion rows against a dense grid that shares no code with resolution.
//!
//! The grid has a cell for each key, epoch and day; what a query must answer is read off it cell by cell. The same
//! history is asked several times: as it was appended, cut into needless pieces, as rectangles of one day each with their
//! `system_to` filled in, and compacted after some of the epochs, into files of a few rows and into as few as can be,
//! with all snapshots expired but the last.
//! Each history is asked at a few coordinates of its own: as of both times, over ranges of both, for what was the first
//! to be known, and for what differs between two.
//!
//! 60 histories; `PROPTEST_CASES=10000` asks for more. A failure prints its seed for `PROPTEST_RNG_SEED`.

use std::{fmt::Write, time::Duration};

use lake::{CompactOptions, ExpiryOptions};
use proptest::{collection::vec, prelude::*};

use crate::harness::{Harness, check_random};

const DAYS: usize = 12;
const KEYS: usize = 3;

/// What was said of a cell: in which epoch, and the values.
pub type Said = (usize, Option<i64>, u8);

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
pub struct History {
    epochs: Vec<Vec<Row>>,
    /// Days to ask at, beyond the last one too.
    pub days: (usize, usize),
    /// Epochs to ask as of, counted modulo how many there are.
    pub known: (usize, usize),
    /// After which epochs there is a compaction.
    compactions: Vec<bool>,
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

pub fn histories() -> impl Strategy<Value = History> {
    let epoch = (0..KEYS).map(rows_of_key).collect::<Vec<_>>().prop_map(|keys| keys.concat());
    let days = (0..DAYS + 2, 0..DAYS + 2);
    let compactions = vec(prop::bool::weighted(0.4), 4);
    (vec(epoch, 1..5), days, (0..4_usize, 0..4_usize), compactions).prop_map(|(epochs, days, (a, b), compactions)| {
        let known = (a % epochs.len(), b % epochs.len());
        History { epochs, days, known, compactions }
    })
}

pub fn day(day: usize) -> String {
    format!("2020-01-{:02}T00:00:00Z", day + 1)
}

pub fn known(epoch: usize) -> String {
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

    /// What was the first to be put into the cell of a key and day, as of an epoch.
    fn first_cell(&self, key: usize, day: usize, epoch: usize) -> Cell {
        (0..=epoch).find_map(|known| self.cell(key, day, known))
    }

    /// All versions as of an epoch.
    fn versions(&self, epoch: usize) -> Vec<Version> {
        History::drawn(|key, day| self.cell(key, day, epoch))
    }

    /// What was first published, as of an epoch.
    fn first_versions(&self, epoch: usize) -> Vec<Version> {
        History::drawn(|key, day| self.first_cell(key, day, epoch))
    }

    /// Neighbouring days of a key that are the same cell, by key and start.
    fn drawn(cell: impl Fn(usize, usize) -> Cell) -> Vec<Version> {
        let mut versions: Vec<Version> = Vec::new();
        for key in 0..KEYS {
            let mut run: Option<(usize, Said)> = None;
            for at in 0..=DAYS {
                let here = if at < DAYS { cell(key, at) } else { None };
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

/// What a cell held, and from which epoch until which, as of a last one.
type Strip = (Said, usize, Option<usize>);

impl History {
    /// All that a key's day ever held as of an epoch, in the order in which it became known.
    fn strips(&self, key: usize, day: usize, last: usize) -> Vec<Strip> {
        let mut strips: Vec<Strip> = Vec::new();
        for epoch in 0..=last {
            let held = self.cell(key, day, epoch);
            let open = strips.last_mut().filter(|strip| strip.2.is_none());
            if open.as_ref().map(|strip| strip.0) == held {
                continue;
            }
            open.into_iter().for_each(|strip| strip.2 = Some(epoch));
            strips.extend(held.map(|said| (said, epoch, None)));
        }
        strips
    }

    /// Rectangles as of epoch `last` that were known in epoch `first` or later and share a day with `days`, as rows:
    /// `key number letter from to known_from known_to`, by key, start and epoch.
    fn rectangles_known(&self, first: usize, last: usize, days: (usize, usize)) -> Vec<String> {
        let mut rows: Vec<(usize, usize, usize, String)> = Vec::new();
        for key in 0..KEYS {
            for epoch in 0..=last {
                let strip_of = |day: usize| {
                    let strips = if day < DAYS { self.strips(key, day, last) } else { Vec::new() };
                    strips.into_iter().find(|strip| strip.1 == epoch)
                };
                let mut from = 0;
                while from < DAYS {
                    let strip = strip_of(from);
                    let to = (from + 1..=DAYS).find(|&to| to == DAYS || strip_of(to) != strip).unwrap_or(DAYS);
                    // The last day stands for all days from there on.
                    let shares = from < days.1 && (to > days.0 || to == DAYS);
                    if let Some((said, known_from, known_to)) = strip.filter(|_| shares)
                        && known_to.is_none_or(|until| until > first)
                    {
                        let version = Version { key, from, to, cell: said };
                        let until = known_to.map_or("NULL".to_owned(), known);
                        let end = if to == DAYS { "NULL".to_owned() } else { day(to) };
                        let row = format!("{} {} {end} {until}", version.values(), day(from));
                        rows.push((key, from, known_from, row));
                    }
                    from = to;
                }
            }
        }
        rows.sort();
        rows.into_iter().map(|row| row.3).collect()
    }

    /// What differs between two epochs on one day, by key: `key change before after`, values only.
    fn differences_at(&self, before: usize, after: usize, at: usize) -> Vec<String> {
        let row = |key: usize| {
            let (was, is) = (self.cell(key, at, before), self.cell(key, at, after));
            change(was, is).map(|change| format!("key {key} {change} {} {}", text(was), text(is)))
        };
        (0..KEYS).filter_map(row).collect()
    }

    /// What differs between two epochs of what passes, by key and start: `key from to change before after`, values only.
    pub fn differences(&self, before: usize, after: usize, passes: impl Fn(usize, Said) -> bool) -> Vec<String> {
        let mut rows = Vec::new();
        for key in 0..KEYS {
            let passing = |cell: Cell| cell.filter(|said| passes(key, *said));
            let pair = |day: usize| (passing(self.cell(key, day, before)), passing(self.cell(key, day, after)));
            let mut from = 0;
            while from < DAYS {
                let (was, is) = pair(from);
                let to = (from + 1..=DAYS).find(|&to| to == DAYS || pair(to) != (was, is)).unwrap_or(DAYS);
                let change = change(was, is);
                let end = if to == DAYS { "NULL".to_owned() } else { day(to) };
                rows.extend(
                    change.map(|change| format!("key {key} {} {end} {change} {} {}", day(from), text(was), text(is))),
                );
                from = to;
            }
        }
        rows
    }
}

fn change(was: Cell, is: Cell) -> Option<&'static str> {
    match (was, is) {
        (None, Some(_)) => Some("added"),
        (Some(_), None) => Some("removed"),
        (Some(was), Some(is)) if (was.1, was.2) != (is.1, is.2) => Some("changed"),
        _ => None,
    }
}

fn text(cell: Cell) -> String {
    let values = cell.map(|(_, number, letter)| (number.map_or("NULL".to_owned(), |n| n.to_string()), letter));
    values.map_or("NULL NULL".to_owned(), |(number, letter)| format!("{number} {letter}"))
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

pub const TABLES: [&str; 5] = ["appended", "cut", "rectangles", "compacted", "compacted_small"];

/// Rows a file of a table should have when it is compacted.
const COMPACTED: [(&str, Option<u64>); 2] = [("compacted", None), ("compacted_small", Some(2))];

/// A lake with the history in each table, and the token after each epoch.
pub async fn filled(history: &History) -> (Harness, Vec<String>) {
    let mut harness = Harness::new().await;
    for table in ["cut", "rectangles"] {
        harness.define(table, DEFINITION).await;
    }
    let no_import = DEFINITION.replace(r#","system_time":"known""#, "").replace(
        r#",
    {"name":"known","type":"timestamp"}"#,
        "",
    );
    for table in ["appended", "compacted", "compacted_small"] {
        harness.define(table, &no_import).await;
    }
    let last = history.epochs.len() - 1;
    let mut tokens = Vec::new();
    for epoch in 0..=last {
        let (appended, cut) = (history.appended(epoch), history.cut(epoch));
        let rectangles = if epoch == last { history.rectangles() } else { String::new() };
        let of_table = |table| match table {
            "cut" => (table, cut.as_str()),
            "rectangles" => (table, rectangles.as_str()),
            _ => (table, appended.as_str()),
        };
        let rows = TABLES.map(of_table);
        let seal: &[&str] = if epoch == last { &["cut", "rectangles"] } else { &[] };
        harness.commit(&known(epoch), &rows, seal).await;
        tokens.push(harness.ask("SELECT 1").await.unwrap().token.to_string());
        for (table, rows_per_file) in COMPACTED.iter().filter(|_| history.compactions[epoch]) {
            let options = CompactOptions { rows_per_file: *rows_per_file };
            harness.lake.compact(table, options).await.unwrap();
            let (keep_for, grace) = (Duration::ZERO, Duration::ZERO);
            let last_only = ExpiryOptions { keep_for, keep_at_least: 1, keep_at_most: 1, grace };
            harness.lake.expire(table, last_only).await.unwrap();
        }
    }
    (harness, tokens)
}

async fn check(history: &History) {
    let (harness, tokens) = filled(history).await;
    let (one, other) = history.known;
    for epoch in [one, other] {
        let versions = history.versions(epoch);
        for table in TABLES {
            check_all(&harness, table, epoch, &versions).await;
            for at in [history.days.0, history.days.1] {
                check_at(&harness, table, epoch, at, &versions).await;
            }
        }
        for table in ["appended", "compacted", "compacted_small"] {
            let sql = format!("SELECT * FROM {table}");
            let snapshot = Some(tokens[epoch].clone());
            let early = harness.request(query::QueryRequest { sql, snapshot, ..Default::default() });
            assert_eq!(early.await.unwrap().rows.len(), versions.len(), "{table} as of token {epoch}");
            check_first(&harness, table, Some(&tokens[epoch]), &history.first_versions(epoch), history.days).await;
        }
    }
    for table in TABLES {
        check_ranges(&harness, table, history).await;
        let first = history.first_versions(history.epochs.len() - 1);
        check_first(&harness, table, None, &first, history.days).await;
    }
}

/// What was first published: by the function, and by the request for a table with each clause on the other axis.
async fn check_first(
    harness: &Harness,
    table: &str,
    token: Option<&String>,
    versions: &[Version],
    (one, other): (usize, usize),
) {
    let rows = async |sql: &str, system_time: Option<&str>| -> Vec<String> {
        let (system_time, snapshot) = (system_time.map(str::to_owned), token.cloned());
        let request = query::QueryRequest { sql: sql.to_owned(), system_time, snapshot, ..Default::default() };
        let answer = harness.request(request).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        answer.rows.iter().map(|row| row.join(" ")).collect()
    };
    let columns = "k, number, letter, system_from, valid_from, valid_to, system_to";
    let whole = |version: &Version| format!("{} {}", version.values(), version.bounds());
    let expected: Vec<String> = versions.iter().map(whole).collect();
    let function = format!("SELECT {columns} FROM first_published({table})");
    assert_eq!(rows(&function, None).await, expected, "{function}");
    let asked = Some("first-published");
    assert_eq!(rows(&format!("SELECT {columns} FROM {table}"), asked).await, expected, "{table}");
    assert_eq!(rows(&format!("SELECT count(*) FROM {table}"), asked).await, [expected.len().to_string()], "{table}");

    let (from, to) = (one.min(other), one.max(other) + 1);
    let range = format!("FROM {table} FOR VALID_TIME FROM '{}' TO '{}'", day(from), day(to));
    let within: Vec<&Version> = versions.iter().filter(|v| v.from < to && (v.to > from || v.to == DAYS)).collect();
    let expected: Vec<String> = within.iter().map(|version| whole(version)).collect();
    assert_eq!(rows(&format!("SELECT {columns} {range}"), asked).await, expected, "{range}");
    let expected: Vec<String> = within.iter().map(|version| version.values()).collect();
    assert_eq!(rows(&format!("SELECT k, number, letter, system_from {range}"), asked).await, expected, "{range}");
    for at in [one, other] {
        let here = || versions.iter().filter(|version| version.holds_at(at));
        let expected: Vec<String> = here().map(whole).collect();
        let of = format!("FROM {table} FOR VALID_TIME AS OF '{}'", day(at));
        assert_eq!(rows(&format!("SELECT {columns} {of}"), asked).await, expected, "{of}");
        let called = format!("SELECT {columns} FROM first_published({table}, '{}')", day(at));
        assert_eq!(rows(&called, None).await, expected, "{called}");
        let expected: Vec<String> = here().map(Version::values).collect();
        assert_eq!(rows(&format!("SELECT k, number, letter, system_from {of}"), asked).await, expected, "{of}");
    }
}

/// Ranges of both times, and the difference between their ends.
async fn check_ranges(harness: &Harness, table: &str, history: &History) {
    let columns = "k, number, letter, system_from, valid_from, valid_to, system_to";
    let (first, last) = (history.known.0.min(history.known.1), history.known.0.max(history.known.1));
    let (from, to) = (history.days.0.min(history.days.1), history.days.0.max(history.days.1));
    let between = format!(
        "SELECT {columns} FROM {table} FOR SYSTEM_TIME BETWEEN '{}' AND '{}' FOR VALID_TIME FROM '{}' TO '{}'",
        known(first),
        known(last),
        day(from),
        day(to)
    );
    let expected = if from == to { Vec::new() } else { history.rectangles_known(first, last, (from, to)) };
    assert_eq!(harness.rows(&between).await, expected, "{between}");
    let counted = between.replace(columns, "count(*)");
    assert_eq!(harness.rows(&counted).await, [expected.len().to_string()], "{counted}");
    let all = format!("SELECT {columns} FROM history({table})");
    let expected = history.rectangles_known(0, history.epochs.len() - 1, (0, DAYS));
    assert_eq!(harness.rows(&all).await, expected, "{all}");
    let diff = format!(
        "SELECT k, valid_from, valid_to, change, number_before, letter_before, number_after, letter_after
         FROM diff({table}, '{}', '{}')",
        known(history.known.0),
        known(history.known.1)
    );
    assert_eq!(harness.rows(&diff).await, history.differences(history.known.0, history.known.1, |_, _| true), "{diff}");
    let at = history.days.0.min(DAYS - 1);
    let diff_at = format!(
        "SELECT k, change, number_before, letter_before, number_after, letter_after FROM diff({table}, '{}', '{}', '{}')",
        known(history.known.0),
        known(history.known.1),
        day(at)
    );
    let expected = history.differences_at(history.known.0, history.known.1, at);
    assert_eq!(harness.rows(&diff_at).await, expected, "{diff_at}");
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
    check_random(&histories(), check);
}
