//! Answers reduced by the engine: columns, mistakes, chains, plans, memory, cancelling, tokens.

use std::time::Duration;

use futures::StreamExt;
use query::{Aggregate, Error, ErrorKind, Others, QueryOptions, QueryRequest, Reduction};

use crate::{
    fixture,
    harness::{Answer, Harness},
};

const READINGS: &str = r#"{"columns":[{"name":"sensor","type":"string"},{"name":"value","type":"float64"},
    {"name":"cost","type":"decimal(12,2)"},{"name":"at","type":"timestamp"}],
    "key":["sensor"],"valid_from":"at","mode":"until_changed"}"#;

const HOURS: usize = 2_000;

/// Three sensors, each with a reading an hour that swings slowly, and one that is far off.
async fn readings() -> Harness {
    let mut harness = Harness::new().await;
    harness.define("readings", READINGS).await;
    let line = |hour: usize, sensor: usize| {
        let time = lake::model::Instant(1_767_225_600_000_000 + hour as i64 * 3_600_000_000);
        let value = if (hour, sensor) == (1_234, 1) { 1e6 } else { ((hour * (sensor + 1)) as f64 / 50.0).sin() };
        format!(
            r#"{{"sensor":"s{sensor}","value":{value},"cost":"{sensor}.25","valid_from":"{time}","valid_to":null,"operation":"put"}}"#
        )
    };
    let lines: Vec<String> = (0..HOURS).flat_map(|hour| (0..3).map(move |sensor| line(hour, sensor))).collect();
    harness.commit("2026-06-01", &[("readings", &lines.join("\n"))], &[]).await;
    harness
}

const ALL: &str = "SELECT sensor, value, cost, valid_from FROM readings";

fn m4(x: &str, y: &[&str], by: &[&str], columns: usize) -> Reduction {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Reduction::M4 { x: x.to_owned(), y: owned(y), by: owned(by), columns }
}

fn top(by: &str, of: &[&str], n: usize) -> Reduction {
    let of = of.iter().map(|name| (*name).to_owned()).collect();
    Reduction::Top { by: by.to_owned(), of, n, others: Others::Sum }
}

fn bins(x: &str, columns: usize) -> Reduction {
    Reduction::Bins { x: x.to_owned(), y: None, columns, rows: None, of: None, aggregate: Aggregate::Count }
}

async fn reduced(harness: &Harness, sql: &str, reduce: Vec<Reduction>) -> Result<Answer, Error> {
    harness.request(QueryRequest { sql: sql.to_owned(), reduce, ..QueryRequest::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_out_stays_and_the_rest_is_thinned() {
    let harness = readings().await;
    let all = harness.ask(ALL).await.unwrap();
    let answer = reduced(&harness, ALL, vec![m4("valid_from", &["value"], &["sensor"], 100)]).await.unwrap();
    assert_eq!(answer.columns, all.columns);
    // 84 days of three sensors, each with two rows or more, and at most four.
    assert!((504..=1_008).contains(&answer.rows.len()), "{}", answer.rows.len());
    assert!(answer.rows.iter().all(|row| all.rows.contains(row)), "rows come as they are");
    assert!(answer.rows.iter().any(|row| row[1] == "1000000.0"));
    assert!(answer.rows.is_sorted_by(|a, b| a[3] <= b[3]));
    let few = format!("{ALL} WHERE sensor = 's1' LIMIT 90");
    let few = reduced(&harness, &few, vec![m4("valid_from", &[], &[], 100)]).await.unwrap();
    assert_eq!(few.rows.len(), 90, "few rows all come");
}

#[tokio::test(flavor = "multi_thread")]
async fn reductions_follow_each_other() {
    let harness = readings().await;
    let chain = vec![top("sensor", &["value"], 1), m4("valid_from", &["value"], &["sensor"], 50)];
    let answer = reduced(&harness, &format!("{ALL} ORDER BY valid_from"), chain).await.unwrap();
    assert_eq!(answer.columns, ["sensor", "value", "cost", "valid_from", "others"]);
    let of = |sensor: &str| answer.rows.iter().filter(|row| row[0] == sensor).collect::<Vec<_>>();
    // Costs differ and are not added up, so each of the other sensors keeps rows of its own.
    assert!(of("s1").iter().all(|row| row[4] == "NULL") && of("NULL").iter().all(|row| row[4] == "1"));
    assert_eq!(of("s1").len() + of("NULL").len(), answer.rows.len());
    assert!(of("s1").len() <= 200 && of("NULL").len() <= 200);

    let costs = "SELECT sensor, valid_from, cost, value FROM readings";
    let answer = reduced(&harness, costs, vec![top("sensor", &["cost", "value"], 1)]).await.unwrap();
    assert_eq!(answer.rows.len(), 2 * HOURS);
    assert_eq!(answer.rows[0][0], "s2", "the dearest");
    assert!(answer.rows[HOURS..].iter().all(|row| row[2] == "1.50" && row[4] == "2"), "{:?}", answer.rows[HOURS]);

    let counted = reduced(&harness, ALL, vec![bins("cost", 10), bins("count", 10)]).await.unwrap();
    assert_eq!(counted.columns, ["x_from", "x_to", "count"]);
    assert_eq!(counted.rows.iter().map(|row| row[2].parse::<usize>().unwrap()).sum::<usize>(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_named() {
    let harness = fixture::history().await;
    let sql = "SELECT country, value, note, valid_from, value AS others FROM gdp";
    let unknown = ErrorKind::UnknownColumn;
    let invalid = ErrorKind::InvalidParameter;
    for (reduction, kind, message) in [
        (
            m4("valid_form", &[], &[], 10),
            unknown,
            "m4: the answer has no column 'valid_form'; did you mean 'valid_from'?",
        ),
        (
            m4("valid_from", &["price"], &[], 10),
            unknown,
            "m4: the answer has no column 'price'; there are country, value, note, valid_from, others",
        ),
        (m4("country", &[], &[], 10), invalid, "m4: 'country' is text and has to be a time, a date or a number"),
        (m4("valid_from", &["note"], &[], 10), invalid, "m4: 'note' is text and has to be a time, a date or a number"),
        (m4("valid_from", &[], &[], 0), invalid, "m4: 'columns' is 0; it is a number from 1 to 4096"),
        (m4("valid_from", &[], &[], 4_097), invalid, "m4: 'columns' is 4097; it is a number from 1 to 4096"),
        (
            top("country", &["value"], 5),
            invalid,
            "top: the answer has a column 'others' already; give it another name with AS",
        ),
        (
            top("country", &[], 5),
            invalid,
            "top: 'of' names no column; name the number that says what a category weighs",
        ),
        (top("country", &["value"], 1_001), invalid, "top: 'n' is 1001; it is a number from 1 to 1000"),
        (bins("valid_from", 0), invalid, "bins: 'columns' is 0; it is a number from 1 to 4096"),
        (bins("Value", 9), unknown, "bins: the answer has no column 'Value'; did you mean 'value'?"),
    ] {
        let error = reduced(&harness, sql, vec![reduction]).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, message));
    }
    let on_others = "SELECT country, value, note, valid_from FROM gdp";
    for (sql, reduction, message) in [
        (on_others, top("country", &["note"], 5), "top: 'note' is text and has to be a number"),
        (on_others, top("value", &["value"], 5), "top: 'value' is both 'by' and 'of'; name another column"),
        (
            on_others,
            Reduction::Bins {
                x: "value".into(),
                y: None,
                columns: 5,
                rows: Some(5),
                of: None,
                aggregate: Aggregate::Count,
            },
            "bins: 'rows' is there without 'y'; name the column of the second axis",
        ),
        (
            on_others,
            Reduction::Bins { x: "value".into(), y: None, columns: 5, rows: None, of: None, aggregate: Aggregate::Max },
            "bins: 'aggregate' is there without 'of'; name the column whose values are meant",
        ),
        (
            "SELECT a.value, b.value FROM gdp a CROSS JOIN gdp b",
            bins("value", 5),
            "bins: several columns are called 'value'; give them names with AS",
        ),
        (
            "SELECT [value] AS list FROM gdp",
            bins("list", 5),
            "bins: 'list' is of type List(Int64) and has to be a text, a time or a number",
        ),
    ] {
        let error = reduced(&harness, sql, vec![reduction]).await.unwrap_err();
        assert_eq!(error.message(), message, "{sql}");
    }
    let error = reduced(&harness, sql, vec![bins("value", 5); 9]).await.unwrap_err();
    assert_eq!(error.message(), "'reduce' has 9 reductions; there are at most 8");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_shows_what_is_reduced() {
    let harness = fixture::history().await;
    let chain = || vec![top("country", &["value"], 3), m4("valid_from", &["value"], &["country"], 600)];
    let explain = "EXPLAIN SELECT country, value, valid_from FROM gdp";
    let answer = reduced(&harness, explain, chain()).await.unwrap();
    let plan: Vec<&str> = answer.rows.iter().flat_map(|row| row[1].lines()).map(str::trim).collect();
    let at = |line: &str| plan.iter().position(|found| found.starts_with(line)).unwrap_or_else(|| panic!("{plan:?}"));
    let m4 = at("ReduceExec: m4, x=valid_from, y=[value], by=[country], columns=600");
    let top = at("ReduceExec: top, by=country, of=[value], n=3, others=sum");
    assert!(m4 < top && top < at("ResolveExec"), "{plan:?}");
    let analysed = reduced(&harness, &explain.replace("EXPLAIN", "EXPLAIN ANALYZE"), chain()).await.unwrap();
    let text = analysed.rows.concat().concat();
    assert!(text.contains("ReduceExec: m4") && text.contains("output_rows=7"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_gives_the_same_reduced_rows() {
    let mut harness = readings().await;
    let request = |snapshot: Option<String>| QueryRequest {
        sql: ALL.to_owned(),
        snapshot,
        reduce: vec![m4("valid_from", &["value"], &["sensor"], 60)],
        ..QueryRequest::default()
    };
    let before = harness.request(request(None)).await.unwrap();
    let row = r#"{"sensor":"s0","value":-1e9,"cost":"1.00","valid_from":"2026-02-01T00:30:00Z","valid_to":"2026-02-01T01:00:00Z","operation":"put"}"#;
    harness.commit("2026-06-02", &[("readings", row)], &[]).await;
    let again = harness.request(request(Some(before.token.to_string()))).await.unwrap();
    assert_eq!(before.rows, again.rows);
    let head = harness.request(request(None)).await.unwrap();
    assert!(head.rows.iter().any(|row| row[1] == "-1000000000.0"));
    // What was added moves no bucket: rows of other weeks are those that they were.
    let elsewhere = |answer: &Answer| -> Vec<Vec<String>> {
        let same_week = |row: &&Vec<String>| ("2026-01-26".."2026-02-02").contains(&row[3].as_str());
        answer.rows.iter().filter(|row| !same_week(row)).cloned().collect()
    };
    assert_eq!(elsewhere(&head), elsewhere(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_the_querys_and_is_given_back() {
    let options = QueryOptions { memory_limit_bytes: 4 << 20, ..QueryOptions::default() };
    let harness = Harness::with_options(options).await;
    let sql = "SELECT value, value % 9000 AS series, 'a rather long text to fill memory' AS text FROM range(300000)";
    for _ in 0..2 {
        let error = reduced(&harness, sql, vec![m4("value", &["value"], &["series"], 4_000)]).await.unwrap_err();
        assert_eq!((error.kind(), error.retryable()), (ErrorKind::ResourcesExhausted, true), "{error}");
        let error = reduced(&harness, sql, vec![top("series", &["value"], 5)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
    }
    let answer = reduced(&harness, sql, vec![m4("value", &["value"], &[], 100)]).await.unwrap();
    assert!((100..=400).contains(&answer.rows.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_answer_ends_the_reduction() {
    let harness = Harness::new().await;
    let sql = "SELECT a.value FROM range(1000000) a CROSS JOIN range(1000000) b".to_owned();
    let request = QueryRequest { sql, reduce: vec![bins("value", 10)], ..QueryRequest::default() };
    let mut answer = harness.engine.query(request).await.unwrap();
    let first = tokio::time::timeout(Duration::from_millis(200), answer.stream.next()).await;
    assert!(first.is_err(), "so many rows cannot be counted so quickly");
    drop(answer);
    assert_eq!(harness.rows("SELECT 1").await, ["1"]);
}
