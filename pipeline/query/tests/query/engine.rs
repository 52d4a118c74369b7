//! What `.slt` files cannot ask: tokens, limits, kinds of errors, plans, deep texts.

use std::time::Duration;

use futures::StreamExt;
use query::{ErrorKind, QueryOptions, QueryRequest};

use crate::{fixture, harness::Harness};

const ONE_NUMBER: &str = r#"{"columns":[{"name":"id","type":"int64"},{"name":"text","type":"string"},
    {"name":"at","type":"timestamp"}],"key":["id"],"valid_from":"at","mode":"until_changed"}"#;

fn numbers(from: usize, to: usize, text: &str) -> String {
    let line = |id: usize| {
        format!(
            r#"{{"id":{id},"text":"{text} {id}","valid_from":"2020-01-01T00:00:00Z","valid_to":null,"operation":"put"}}"#
        )
    };
    (from..to).rev().map(line).collect::<Vec<_>>().join("\n")
}

/// The head of a plan's line that names our operator.
async fn resolve_line(harness: &Harness, sql: &str) -> String {
    let rows = harness.rows(&format!("EXPLAIN {sql}")).await.join("\n");
    let line = rows.lines().find(|line| line.contains("ResolveExec"));
    line.unwrap_or_else(|| panic!("{rows}")).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_gives_the_same_batches_after_more_commits() {
    let mut harness = fixture::history().await;
    let request = |snapshot: Option<String>| QueryRequest {
        sql: "SELECT g.*, r.rate FROM gdp g CROSS JOIN rates r".to_owned(),
        snapshot,
        ..QueryRequest::default()
    };
    let before = harness.request(request(None)).await.unwrap();
    assert_eq!(before.system_time, before.token.system_time);
    let row = r#"{"country":"GER","value":1,"valid_from":"2000-01-01T00:00:00Z","valid_to":null,"operation":"put"}"#;
    harness.commit("2026-03-04T12:00:00Z", &[("gdp", row)], &[]).await;
    let again = harness.request(request(Some(before.token.to_string()))).await.unwrap();
    assert_eq!(before, again);
    let head = harness.request(request(None)).await.unwrap();
    assert_ne!(before.rows, head.rows);

    let late = QueryRequest { system_time: Some("2026-03-04".into()), ..request(Some(before.token.to_string())) };
    assert_eq!(harness.request(late).await.unwrap_err().kind(), ErrorKind::FutureSystemTime);
    let clause = "SELECT * FROM gdp FOR SYSTEM_TIME AS OF '2026-03-04'".to_owned();
    let late = QueryRequest { sql: clause, ..request(Some(before.token.to_string())) };
    assert_eq!(harness.request(late).await.unwrap_err().kind(), ErrorKind::FutureSystemTime);
    let other_lake =
        QueryRequest { ..request(Some(Harness::new().await.ask("SELECT 1").await.unwrap().token.to_string())) };
    assert_eq!(harness.request(other_lake).await.unwrap_err().kind(), ErrorKind::UnknownSnapshot);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_in_the_same_order_each_time() {
    let mut harness = Harness::new().await;
    harness.define("numbers", ONE_NUMBER).await;
    harness.commit("2026-01-01", &[("numbers", &numbers(0, 20_000, "x"))], &[]).await;
    let many = "SELECT id, id % 7 AS rest FROM numbers";
    let few = "SELECT id, id % 3 FROM numbers WHERE id = 3";
    for sql in [
        format!("{many} UNION ALL {few}"),
        format!("{many} UNION ALL {few} LIMIT 20001"),
        format!("SELECT rest FROM ({many} UNION ALL {few} UNION ALL {many}) ORDER BY rest"),
        format!("SELECT id FROM ({many} UNION ALL {few} UNION ALL {many}) ORDER BY rest"),
        format!("SELECT rest, count(*), sum(id) FROM ({many} UNION ALL {few}) GROUP BY rest"),
        "SELECT id % 5, count(*) FROM numbers GROUP BY 1 UNION ALL SELECT id, 1 FROM numbers WHERE id < 2".to_owned(),
        "SELECT a.id, b.text FROM numbers a JOIN numbers b ON a.id % 100 = b.id % 100 WHERE b.id < 200".to_owned(),
        "SELECT text FROM numbers UNION SELECT text FROM numbers WHERE id > 10".to_owned(),
    ] {
        let first = harness.ask(&sql).await.unwrap();
        for _ in 0..8 {
            assert_eq!(harness.ask(&sql).await.unwrap().rows, first.rows, "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_system_time_is_in_the_answer() {
    let harness = fixture::history().await;
    let request =
        QueryRequest { sql: "SELECT 1".into(), system_time: Some("2026-03-02".into()), ..QueryRequest::default() };
    let answer = harness.request(request).await.unwrap();
    assert_eq!(answer.system_time.to_string(), "2026-03-02T00:00:00Z");
    assert_eq!(answer.token.system_time.to_string(), "2026-03-03T12:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_says_what_is_read() {
    let harness = fixture::history().await;
    let line = resolve_line(
        &harness,
        "SELECT value FROM gdp FOR VALID_TIME AS OF '2008-06-30' WHERE country = 'GER' AND value > 1",
    );
    assert_eq!(
        line.await,
        "ResolveExec: dataset=gdp, valid_time=AS OF 2008-06-30T00:00:00Z, system_time=AS OF 2026-03-03T12:00:00Z, \
         projection=[country, value], key_filters=[country IN (GER)], rows=latest, files=3, after_system_time=3, \
         after_valid_time=3, after_keys=2"
    );
    let line =
        resolve_line(&harness, "SELECT note, valid_to FROM gdp WHERE country IN ('GER', 'FRA') ORDER BY country");
    assert_eq!(
        line.await,
        "ResolveExec: dataset=gdp, valid_time=ALL, system_time=AS OF 2026-03-03T12:00:00Z, \
         projection=[country, note, valid_to], key_filters=[country IN (GER, FRA)], rows=versions, files=3, \
         after_system_time=3, after_valid_time=3, after_keys=3"
    );
    let plan = harness.rows("EXPLAIN SELECT * FROM gdp ORDER BY country, valid_from").await.join("\n");
    assert!(!plan.contains("SortExec"), "rows come in this order: {plan}");
    let plan = harness.rows("EXPLAIN ANALYZE SELECT * FROM gdp WHERE country = 'GER'").await.join("\n");
    assert!(plan.contains("rows_scanned=3"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_come_in_order_over_batches_and_files() {
    let mut harness = Harness::new().await;
    harness.define("numbers", ONE_NUMBER).await;
    harness.commit("2026-01-01", &[("numbers", &numbers(0, 30_000, "old"))], &[]).await;
    harness.commit("2026-01-02", &[("numbers", &numbers(10_000, 50_000, "new"))], &[]).await;
    let answer = harness.ask("SELECT id, text FROM numbers").await.unwrap();
    assert_eq!(answer.batches.len(), 50_000_usize.div_ceil(8_192));
    for (id, row) in answer.rows.iter().enumerate() {
        let word = if id < 10_000 { "old" } else { "new" };
        assert_eq!(row[..], [id.to_string(), format!("{word} {id}")]);
    }
    let limited = harness.ask("SELECT id FROM numbers LIMIT 3 OFFSET 20000").await.unwrap();
    assert_eq!(limited.rows, [["20000"], ["20001"], ["20002"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_memory_is_an_error_and_gives_it_all_back() {
    let options = QueryOptions { memory_limit_bytes: 1 << 20, ..QueryOptions::default() };
    let mut harness = Harness::with_options(options).await;
    harness.define("numbers", ONE_NUMBER).await;
    harness.commit("2026-01-01", &[("numbers", &numbers(0, 50_000, "a rather long text to fill memory"))], &[]).await;
    for _ in 0..3 {
        let error = harness.ask("SELECT * FROM numbers").await.unwrap_err();
        assert_eq!((error.kind(), error.retryable()), (ErrorKind::ResourcesExhausted, true), "{error}");
        assert!(!error.message().contains('\n'));
    }
    assert_eq!(harness.rows("SELECT text FROM numbers WHERE id = 7").await.len(), 1);
    let error = harness.ask("SELECT a.value FROM range(1000000) a ORDER BY random()").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_answer_ends_the_query() {
    let mut harness = Harness::new().await;
    harness.define("numbers", ONE_NUMBER).await;
    harness.commit("2026-01-01", &[("numbers", &numbers(0, 60_000, "x"))], &[]).await;
    let sql = "SELECT count(*) FROM numbers a, numbers b, numbers c".to_owned();
    let mut answer = harness.engine.query(QueryRequest { sql, ..QueryRequest::default() }).await.unwrap();
    let first = tokio::time::timeout(Duration::from_millis(200), answer.stream.next()).await;
    assert!(first.is_err(), "so many rows cannot be counted so quickly");
    drop(answer);
    assert_eq!(harness.rows("SELECT count(*) FROM numbers").await, ["60000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_has_its_kind() {
    let harness = fixture::history().await;
    for (sql, kind) in [
        ("SELECT * FROM gdp WHERE", ErrorKind::Syntax),
        ("SELECT nosuch(1)", ErrorKind::Syntax),
        ("SELECT country + 1 FROM gdp GROUP BY value", ErrorKind::Syntax),
        ("SELECT * FROM nosuch", ErrorKind::UnknownTable),
        ("SELECT * FROM other.gdp", ErrorKind::UnknownTable),
        ("SELECT * FROM other.public.gdp FOR VALID_TIME AS OF '2020-01-01'", ErrorKind::Unsupported),
        ("DESCRIBE nosuch", ErrorKind::UnknownTable),
        ("SELECT nosuch FROM gdp", ErrorKind::UnknownColumn),
        ("SELECT * FROM gdp FOR VALID_TIME AS OF country", ErrorKind::InvalidTime),
        ("SELECT * FROM gdp FOR SYSTEM_TIME AS OF '2100-01-01'", ErrorKind::FutureSystemTime),
        ("SELECT * FROM unsealed", ErrorKind::NotReadable),
        ("DELETE FROM gdp", ErrorKind::Unsupported),
        ("EXPLAIN DELETE FROM gdp", ErrorKind::Unsupported),
        ("SELECT * INTO other FROM gdp", ErrorKind::Unsupported),
        ("SELECT 1 / (value - value) FROM gdp", ErrorKind::Execution),
        ("SELECT CAST(country AS INT) FROM gdp", ErrorKind::Execution),
        ("SELECT * FROM gdp WHERE country = $1", ErrorKind::InvalidParameter),
    ] {
        let error = harness.ask(sql).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sql}: {error:?}");
        let message = error.message();
        assert!(!message.contains('\n') && !message.contains('@') && message.len() < 400, "{sql}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_about_tables_is_answered() {
    let harness = fixture::history().await;
    for sql in ["SHOW TABLES", "DESCRIBE gdp", "SHOW COLUMNS FROM gdp", "EXPLAIN VERBOSE SELECT * FROM gdp"] {
        assert!(!harness.rows(sql).await.is_empty(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_and_deep_queries_do_not_overflow_the_stack() {
    let harness = fixture::history().await;
    let chain = |link: &str, times: usize| link.repeat(times);
    for sql in [
        format!("SELECT 1{}", chain(" + 1", 900)),
        format!("SELECT * FROM gdp WHERE value = 1{}", chain(" OR value = 1", 450)),
        format!("SELECT {}true", chain("NOT ", 900)),
        format!("SELECT {}1", chain("- ", 900)),
        format!("SELECT 1{}", chain(" UNION ALL SELECT 1", 400)),
        format!("SELECT {}1{}", chain("(", 40), chain(")", 40)),
        format!("SELECT {}1{}", chain("abs(", 900), chain(")", 900)),
        format!("SELECT '1'{}", chain("::text", 900)),
        format!("SELECT * FROM {}gdp{}", chain("(SELECT * FROM ", 20), chain(")", 20)),
        format!("SELECT country IN ({}) FROM gdp", vec!["'x'"; 20_000].join(",")),
        format!("SELECT 1 FROM gdp g0{}", (1..200).map(|i| format!(", (SELECT 1) g{i}")).collect::<String>()),
    ] {
        let started = std::time::Instant::now();
        let answer = harness.ask(&sql).await;
        let head: String = sql.chars().take(40).collect();
        if let Err(error) = &answer {
            let fits = matches!(error.kind(), ErrorKind::Syntax | ErrorKind::Unsupported | ErrorKind::Execution);
            assert!(fits, "{head}: {error:?}");
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{head}: {:?}", started.elapsed());
    }
    let long = format!("SELECT '{}'", "x".repeat(2 << 20));
    assert_eq!(harness.ask(&long).await.unwrap_err().kind(), ErrorKind::Unsupported);
}
