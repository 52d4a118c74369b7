//! Random rows with random changes of columns between them, against a dense grid that shares no code with resolution.
//!
//! The grid remembers of each row what it said in every column there ever was. A question at a state shows the columns of
//! that state's definition and no others, so neighbours that differ in what was dropped are one version. The same history
//! is asked as it was appended and compacted after some of the epochs: right away, again at the end under the token of
//! each epoch, and at earlier system times by the columns of today.
//!
//! 60 histories; `PROPTEST_CASES=10000` asks for more. A failure prints its seed for `PROPTEST_RNG_SEED`.

use std::{collections::BTreeMap, fmt::Write};

use lake::{CompactOptions, model::DefinitionChange};
use proptest::{collection::vec, prelude::*};
use query::QueryRequest;

use crate::harness::{Harness, check_random};

const DAYS: usize = 8;
const KEYS: usize = 3;
const TABLES: [&str; 3] = ["appended", "compacted", "compacted_small"];
const DEFINITION: &str = r#"{"columns":[{"name":"k","type":"int32"},{"name":"a","type":"int32"},
    {"name":"b","type":"decimal(5,1)"},{"name":"from","type":"date"}],"key":["k"],"valid_from":"from","mode":"until_changed"}"#;

/// A stretch of days of a key in an epoch. Of the values each column takes the one at its number, modulo how many there
/// are.
#[derive(Debug, Clone)]
struct Row {
    key: usize,
    from: usize,
    /// Exclusive; `DAYS` for open.
    to: usize,
    put: bool,
    values: Vec<Option<u8>>,
}

/// What is drawn of an epoch.
#[derive(Debug, Clone)]
struct Epoch {
    /// Kind of change and which column, taken modulo what there is.
    changes: Vec<(u8, usize)>,
    rows: Vec<Row>,
    compacted: bool,
}

/// A column as it is shown, with a number that no other column ever has.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    number: usize,
    name: String,
    decimal: bool,
    wide: bool,
}

fn rows_of_key(key: usize) -> impl Strategy<Value = Vec<Row>> {
    let values = vec(prop::option::weighted(0.8, 0..2_u8), 4);
    vec((1..4_usize, 0..4_u8, values), 0..5).prop_map(move |stretches| {
        let (mut rows, mut at) = (Vec::new(), 0);
        for (days, kind, values) in stretches {
            let (from, to) = (at, (at + days).min(DAYS));
            if from < to && kind != 3 {
                rows.push(Row { key, from, to, put: kind != 2, values });
            }
            at = to;
        }
        rows
    })
}

fn histories() -> impl Strategy<Value = Vec<Epoch>> {
    let rows = (0..KEYS).map(rows_of_key).collect::<Vec<_>>().prop_map(|keys| keys.concat());
    let changes = prop_oneof![Just(Vec::new()), vec((0..5_u8, 0..8_usize), 1..3)];
    let epoch = (changes, rows, prop::bool::weighted(0.5));
    vec(epoch.prop_map(|(changes, rows, compacted)| Epoch { changes, rows, compacted }), 2..6)
}

/// The columns of an epoch and the changes that made them of those before.
fn changed(before: &[Column], epoch: &Epoch, next: &mut usize) -> (Vec<Column>, Vec<DefinitionChange>) {
    let (mut columns, mut changes) = (before.to_vec(), Vec::new());
    for &(kind, which) in &epoch.changes {
        let name = |column: &Column| column.name.clone();
        let value = (columns.len() > 1).then(|| 1 + which % (columns.len().max(2) - 1));
        let text = match (kind, value) {
            (0 | 1, _) => {
                // The name of a column that was dropped is taken again.
                let free = ["a", "b", "c", "d"].into_iter().find(|free| columns.iter().all(|c| c.name != *free));
                let name = free.map_or(format!("x{next}"), str::to_owned);
                let decimal = which % 2 == 0;
                let column_type = if decimal { "decimal(5,1)" } else { "int32" };
                columns.push(Column { number: *next, name: name.clone(), decimal, wide: false });
                *next += 1;
                format!(r#"{{"add":{{"name":"{name}","type":"{column_type}"}}}}"#)
            }
            (2, _) => {
                let index = which % columns.len();
                let (from, to) = (name(&columns[index]), format!("r{next}"));
                *next += 1;
                columns[index].name.clone_from(&to);
                format!(r#"{{"rename":{{"from":"{from}","to":"{to}"}}}}"#)
            }
            (3, Some(index)) => format!(r#"{{"drop":{{"column":"{}"}}}}"#, columns.remove(index).name),
            _ => {
                let index = which % columns.len();
                if columns[index].wide {
                    continue;
                }
                columns[index].wide = true;
                let wide = if columns[index].decimal { "decimal(12,1)" } else { "int64" };
                format!(r#"{{"widen":{{"column":"{}","type":"{wide}"}}}}"#, name(&columns[index]))
            }
        };
        changes.push(serde_json::from_str(&text).unwrap());
    }
    (columns, changes)
}

fn day(day: usize) -> String {
    format!("2020-01-{:02}T00:00:00Z", day + 1)
}

fn known(epoch: usize) -> String {
    format!("2026-01-{:02}T00:00:00Z", epoch + 1)
}

fn shown(column: &Column, value: Option<u8>) -> String {
    value.map_or("NULL".to_owned(), |value| if column.decimal { format!("{value}.0") } else { value.to_string() })
}

/// A row, and what it said by the number of the column.
type Stored = (Row, BTreeMap<usize, Option<u8>>);

/// What was committed, and the columns it was committed with.
#[derive(Default)]
struct Grid {
    epochs: Vec<(Vec<Column>, Vec<Stored>)>,
}

impl Grid {
    fn take(&mut self, columns: &[Column], rows: &[Row]) -> String {
        let mut text = String::new();
        let mut stored: Vec<Stored> = Vec::new();
        for row in rows {
            let said: BTreeMap<usize, Option<u8>> =
                columns.iter().skip(1).map(|c| (c.number, row.values[c.number % row.values.len()])).collect();
            let said = if row.put { said } else { BTreeMap::new() };
            let to = if row.to == DAYS { "null".to_owned() } else { format!("\"{}\"", day(row.to)) };
            let operation = if row.put { "put" } else { "delete" };
            write!(text, r#"{{"{}":{},"#, columns[0].name, row.key).unwrap();
            for column in &columns[1..] {
                if let Some(Some(value)) = said.get(&column.number) {
                    write!(text, r#""{}":{value},"#, column.name).unwrap();
                }
            }
            let from = day(row.from);
            writeln!(text, r#""valid_from":"{from}","valid_to":{to},"operation":"{operation}"}}"#).unwrap();
            stored.push((row.clone(), said));
        }
        self.epochs.push((columns.to_vec(), stored));
        text
    }

    /// What a key's day says in these columns as of an epoch, and since which epoch.
    fn cell(&self, columns: &[Column], key: usize, day: usize, epoch: usize) -> Option<(usize, String)> {
        let covers = |(row, _): &&Stored| row.key == key && row.from <= day && day < row.to;
        let latest = (0..=epoch).rev().find_map(|e| self.epochs[e].1.iter().find(covers).map(|row| (e, row)));
        let (since, (row, said)) = latest?;
        let value = |column: &Column| shown(column, said.get(&column.number).copied().flatten());
        let values: Vec<String> = columns[1..].iter().map(value).collect();
        row.put.then(|| (since, values.join(" ")))
    }

    /// All versions as of an epoch by the columns of another, as `SELECT *` shows them.
    fn versions(&self, shown_by: usize, epoch: usize) -> Vec<String> {
        let columns = &self.epochs[shown_by].0;
        let mut rows = Vec::new();
        for key in 0..KEYS {
            let mut from = 0;
            while from < DAYS {
                let here = self.cell(columns, key, from, epoch);
                let to = (from + 1..DAYS).find(|&to| self.cell(columns, key, to, epoch) != here).unwrap_or(DAYS);
                if let Some((since, values)) = here {
                    let end = if to == DAYS { "NULL".to_owned() } else { day(to) };
                    let blank = if values.is_empty() { "" } else { " " };
                    rows.push(format!("{key}{blank}{values} {} {end} {} NULL", day(from), known(since)));
                }
                from = to;
            }
        }
        rows
    }

    fn names(&self, epoch: usize) -> Vec<String> {
        let times = ["valid_from", "valid_to", "system_from", "system_to"].map(str::to_owned);
        self.epochs[epoch].0.iter().map(|column| column.name.clone()).chain(times).collect()
    }
}

async fn asked(harness: &Harness, sql: &str, snapshot: Option<&String>) -> (Vec<String>, Vec<String>) {
    let request = QueryRequest { sql: sql.to_owned(), snapshot: snapshot.cloned(), ..QueryRequest::default() };
    let answer = harness.request(request).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    (answer.columns, answer.rows.iter().map(|row| row.join(" ")).collect())
}

async fn check(history: &[Epoch]) {
    let mut harness = Harness::new().await;
    for table in TABLES {
        harness.define(table, DEFINITION).await;
    }
    let column = |number, name: &str, decimal| Column { number, name: name.to_owned(), decimal, wide: false };
    let mut columns = vec![column(0, "k", false), column(1, "a", false), column(2, "b", true)];
    let (mut grid, mut next, mut tokens) = (Grid::default(), columns.len(), Vec::new());
    for (number, epoch) in history.iter().enumerate() {
        let (after, changes) = changed(&columns, epoch, &mut next);
        columns = after;
        if !changes.is_empty() {
            for table in TABLES {
                harness.lake.change_definition(table, &changes).await.unwrap();
            }
        }
        let rows = grid.take(&columns, &epoch.rows);
        harness.commit(&known(number), &TABLES.map(|table| (table, rows.as_str())), &[]).await;
        tokens.push(harness.ask("SELECT 1").await.unwrap().token.to_string());
        for (table, rows_per_file) in [("compacted", None), ("compacted_small", Some(2))] {
            if epoch.compacted {
                let options = CompactOptions { rows_per_file };
                harness.lake.compact(table, options).await.unwrap();
                assert!(harness.lake.verify_upkeep(table).await.unwrap().iter().all(lake::Verified::holds));
            }
        }
        for table in TABLES {
            check_state(&harness, table, &grid, number, None).await;
        }
    }
    for table in TABLES {
        for (epoch, token) in tokens.iter().enumerate() {
            check_state(&harness, table, &grid, epoch, Some(token)).await;
        }
        check_like_appended(&harness, table, &grid, tokens.len() - 1).await;
    }
}

/// A state with its own columns: as it is, and as of each epoch before.
async fn check_state(harness: &Harness, table: &str, grid: &Grid, epoch: usize, token: Option<&String>) {
    let all = asked(harness, &format!("SELECT * FROM {table}"), token).await;
    assert_eq!(all, (grid.names(epoch), grid.versions(epoch, epoch)), "{table} in epoch {epoch}");
    for earlier in 0..=epoch {
        let sql = format!("SELECT * FROM {table} FOR SYSTEM_TIME AS OF '{}'", known(earlier));
        assert_eq!(asked(harness, &sql, token).await.1, grid.versions(epoch, earlier), "{sql} in epoch {epoch}");
    }
}

/// Whatever else can be asked has the answer that it has of rows as they were appended.
async fn check_like_appended(harness: &Harness, table: &str, grid: &Grid, last: usize) {
    let key = &grid.epochs[last].0[0].name;
    let value = grid.epochs[last].0.get(1).map_or(key, |column| &column.name);
    let (first, now) = (known(0), known(last));
    let mut questions = vec![
        format!(
            "SELECT * FROM @ FOR SYSTEM_TIME BETWEEN '{first}' AND '{now}' ORDER BY {key}, valid_from, system_from"
        ),
        format!("SELECT * FROM history(@) ORDER BY {key}, valid_from, system_from"),
        format!("SELECT * FROM diff(@, '{first}', '{now}') ORDER BY {key}, valid_from"),
        format!(
            "SELECT {key} AS one, {value} AS two FROM @ FOR VALID_TIME FROM '{}' TO '{}' ORDER BY 1, 2",
            day(2),
            day(4)
        ),
        format!("SELECT * FROM @ FOR VALID_TIME FROM '{}' TO '{}' ORDER BY {key}, valid_from", day(2), day(4)),
    ];
    for at in 0..=DAYS {
        questions
            .push(format!("SELECT {key} AS one, {value} AS two FROM @ FOR VALID_TIME AS OF '{}' ORDER BY 1", day(at)));
        questions
            .push(format!("SELECT * FROM @ FOR VALID_TIME AS OF '{}' WHERE {key} IN (0, 2) ORDER BY {key}", day(at)));
    }
    for question in questions {
        let appended = asked(harness, &question.replace('@', TABLES[0]), None).await;
        assert_eq!(asked(harness, &question.replace('@', table), None).await, appended, "{table}: {question}");
    }
}

#[test]
fn columns_change_and_every_state_stays_what_it_was() {
    check_random(&histories(), async |history: &Vec<Epoch>| check(history).await);
}
