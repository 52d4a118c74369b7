//! Parameters, views, plans of joins by period, what may be cached, and what statements that write work out to.

use std::collections::BTreeMap;

use query::{ErrorKind, Parameter, Parameters, QueryRequest, ViewChange, WriteOperation};

use crate::{fixture, harness::Harness};

fn request(sql: &str, parameters: &[(&str, Parameter)]) -> QueryRequest {
    let given: BTreeMap<String, Parameter> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    QueryRequest { sql: sql.to_owned(), parameters: Parameters(given), ..QueryRequest::default() }
}

fn text(value: &str) -> Parameter {
    Parameter::Text(value.to_owned())
}

fn number(value: &str) -> Parameter {
    Parameter::Number(value.to_owned())
}

async fn rows(harness: &Harness, sql: &str, parameters: &[(&str, Parameter)]) -> Vec<String> {
    let answer = harness.request(request(sql, parameters)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    answer.rows.iter().map(|row| row.join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_values_wherever_they_stand() {
    let harness = fixture::history().await;
    let sql = "SELECT country FROM gdp FOR VALID_TIME AS OF $2 FOR SYSTEM_TIME BETWEEN $3 AND $3 WHERE value = $1";
    let times = [("1", number("100")), ("2", text("2008-06-30")), ("3", text("2026-03-01T12:00:00Z"))];
    assert_eq!(rows(&harness, sql, &times).await, ["GER"]);

    let marks = "SELECT ? || country FROM gdp FOR VALID_TIME AS OF ? WHERE country = ? LIMIT ?";
    let given = [("1", text("'; --")), ("2", text("2008-06-30")), ("3", text("GER")), ("4", number("1"))];
    assert_eq!(rows(&harness, marks, &given).await, ["'; --GER"]);

    let hostile = [("who", text("x' OR country = 'GER"))];
    assert!(rows(&harness, "SELECT * FROM gdp WHERE country = $who", &hostile).await.is_empty());

    let list = [("1", Parameter::List(vec![text("GER"), text("ESP")]))];
    assert_eq!(
        rows(&harness, "SELECT DISTINCT country FROM gdp WHERE country IN ($1) ORDER BY 1", &list).await,
        ["ESP", "GER"]
    );
    let cast = [("1", Parameter::List(vec![text("100"), text("101.0"), number("7")]))];
    let sql =
        "SELECT DISTINCT country FROM gdp WHERE value IN (CAST(CAST($1 AS DOUBLE) AS DECIMAL(38, 10))) ORDER BY 1";
    let one_by_one = "SELECT DISTINCT country FROM gdp WHERE value IN (100, 101, 7) ORDER BY 1";
    let found = rows(&harness, sql, &cast).await;
    assert!(!found.is_empty());
    assert_eq!(found, rows(&harness, one_by_one, &[]).await);
    assert_eq!(
        rows(
            &harness,
            "SELECT $1 IS NULL, -$2, NOT $3",
            &[("1", Parameter::Null), ("2", number("-7")), ("3", Parameter::Boolean(false))]
        )
        .await,
        ["true 7 true"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_do_not_fit_are_told() {
    let harness = fixture::history().await;
    for (sql, parameters, message) in [
        ("SELECT $1", vec![], "nothing is sent for the parameter $1"),
        ("SELECT 1", vec![("1", number("1"))], "a parameter was sent that the query does not use: $1"),
        ("SELECT ?, $1", vec![("1", number("1"))], "? and named parameters cannot stand in one query"),
        ("SELECT $1", vec![("1", Parameter::List(vec![]))], "a list of values can only stand alone in IN"),
        ("SELECT * FROM gdp FOR VALID_TIME AS OF $1", vec![("1", text("soon"))], "'soon' is not"),
    ] {
        let error = harness.request(request(sql, &parameters)).await.unwrap_err();
        assert!(error.message().starts_with(message), "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_literals_and_parameters_in_a_list() {
    let harness = fixture::history().await;
    let literals: Vec<String> = (0..10_000).map(|n| format!("'C{n}'")).collect();
    let sql = format!("SELECT count(*) FROM gdp WHERE country IN ({}, 'GER')", literals.join(", "));
    assert_eq!(rows(&harness, &sql, &[]).await, ["4"]);
    let values = (0..10_000).map(|n| text(&format!("C{n}"))).chain([text("GER")]).collect();
    let sql = "SELECT count(*) FROM gdp WHERE country IN ($1)";
    assert_eq!(rows(&harness, sql, &[("1", Parameter::List(values))]).await, ["4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn periods_that_overlap_are_joined_by_sweeping() {
    let harness = fixture::history().await;
    for (sql, swept) in [
        ("SELECT * FROM gdp a JOIN gdp b ON a.VALID_TIME OVERLAPS b.VALID_TIME", true),
        ("SELECT * FROM gdp a JOIN gdp b ON a.country = b.country AND a.VALID_TIME DURING b.VALID_TIME", true),
        ("SELECT * FROM gdp a LEFT JOIN rates b ON b.VALID_TIME CONTAINS a.valid_from AND a.value > b.tenor", true),
        ("SELECT * FROM gdp a WHERE NOT EXISTS (SELECT 1 FROM rates b WHERE a.VALID_TIME OVERLAPS b.VALID_TIME)", true),
        ("SELECT * FROM gdp a JOIN gdp b ON a.VALID_TIME PRECEDES b.VALID_TIME", false),
        ("SELECT * FROM gdp a JOIN gdp b ON a.country = b.country", false),
    ] {
        let plan = harness.rows(&format!("EXPLAIN {sql}")).await.join("\n");
        assert_eq!(plan.contains("IntervalJoinExec"), swept, "{plan}");
        assert_eq!(plan.contains("NestedLoopJoinExec"), !swept && !sql.contains("country ="), "{plan}");
        assert!(!plan.contains("gdp@"), "private names do not show: {plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_gives_nothing_ends_with_its_asker() {
    let harness = Harness::new().await;
    let side = "periods('2000-01-01', '2000-01-06', INTERVAL '1 second')";
    let sql = format!(
        "SELECT count(*) FROM {side} a JOIN {side} b ON PERIOD(a.valid_from, NULL) OVERLAPS PERIOD(b.valid_from, NULL)
         AND allen(PERIOD(a.valid_from, NULL), PERIOD(b.valid_from, NULL)) = 'before'"
    );
    let mut answer = harness.engine.query(request(&sql, &[])).await.unwrap();
    let first =
        tokio::time::timeout(std::time::Duration::from_millis(300), futures::StreamExt::next(&mut answer.stream));
    assert!(first.await.is_err(), "so many pairs cannot be looked at so quickly");
    drop(answer);
    // The runtime waits for threads that work when it is dropped; this one ends by itself.
    assert_eq!(harness.rows("SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_of_clauses_and_periods_are_read_in_one_pass() {
    let harness = Harness::new().await;
    for piece in ["t FOR VALID_TIME FROM 1 TO 2, ", "PERIOD(", "PERIOD(1, PERIOD("] {
        let sql = format!("SELECT * FROM {}", piece.repeat((1 << 20) / piece.len() - 100));
        assert!(harness.ask(&sql).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_tell_what_each_axis_prunes() {
    let harness = fixture::history().await;
    let sql =
        "EXPLAIN SELECT value FROM gdp FOR VALID_TIME AS OF '2008-02-01' FOR SYSTEM_TIME AS OF '2026-03-02T12:00:00Z'
               WHERE country = 'GER'";
    let plan = harness.rows(sql).await.join("\n");
    assert!(plan.contains("files=3, after_system_time=2, after_valid_time=1, after_keys=1"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_cannot_change_is_not_volatile() {
    let harness = fixture::history().await;
    for (sql, volatile) in [
        ("SELECT * FROM gdp", false),
        ("SELECT * FROM history(gdp)", false),
        ("SELECT now()", true),
        ("SELECT * FROM gdp FOR VALID_TIME AS OF now()", true),
        ("SELECT random() FROM gdp", true),
        ("SELECT * FROM system.greetings", true),
        ("EXPLAIN SELECT * FROM gdp", true),
        ("SELECT \"now\"()", true),
    ] {
        let answer = harness.engine.query(request(sql, &[])).await.unwrap();
        assert_eq!(answer.volatile, volatile, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_what_it_was_under_each_token() {
    let mut harness = fixture::history().await;
    let before = harness.ask("SELECT 1").await.unwrap().token.to_string();
    create(&harness, "CREATE VIEW big AS SELECT country, value FROM gdp WHERE value > 60", false).await;
    let row = r#"{"country":"POR","value":70,"valid_from":"2008-01-01T00:00:00Z","valid_to":null,"operation":"put"}"#;
    harness.commit("2026-03-04T12:00:00Z", &[("gdp", row)], &[]).await;
    let first = harness.ask("SELECT DISTINCT country FROM big ORDER BY 1").await.unwrap();
    assert_eq!(first.rows, [["ESP"], ["GER"], ["POR"]]);
    create(&harness, "CREATE OR REPLACE VIEW big AS\n  SELECT country, value FROM gdp WHERE value > 100;", true).await;
    harness.commit("2026-03-05T12:00:00Z", &[], &[]).await;
    assert_eq!(harness.rows("SELECT DISTINCT country FROM big").await, ["GER"]);

    let under = |token: &str| QueryRequest {
        snapshot: Some(token.to_owned()),
        ..request("SELECT DISTINCT country FROM big ORDER BY 1", &[])
    };
    assert_eq!(harness.request(under(&first.token.to_string())).await.unwrap().rows, first.rows);
    assert_eq!(harness.request(under(&before)).await.unwrap_err().kind(), ErrorKind::UnknownTable);

    harness.lake.drop_view("big").await.unwrap();
    harness.commit("2026-03-06T12:00:00Z", &[], &[]).await;
    assert_eq!(harness.ask("SELECT * FROM big").await.unwrap_err().kind(), ErrorKind::UnknownTable);
    assert_eq!(harness.request(under(&first.token.to_string())).await.unwrap().rows, first.rows);
}

async fn create(harness: &Harness, sql: &str, expected_replace: bool) {
    match harness.engine.view_change(request(sql, &[])).await.unwrap() {
        Some(ViewChange::Put { name, sql, replace }) => {
            assert_eq!(replace, expected_replace);
            harness.lake.put_view(&name, &sql, replace).await.unwrap();
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinates_hold_inside_views() {
    let mut harness = fixture::history().await;
    create(&harness, "CREATE VIEW plain AS SELECT country, value, valid_from FROM gdp", false).await;
    create(
        &harness,
        "CREATE VIEW first_known AS SELECT * FROM gdp FOR SYSTEM_TIME AS OF '2026-03-01T12:00:00Z'",
        false,
    )
    .await;
    harness.commit("2026-03-04T12:00:00Z", &[], &[]).await;
    create(
        &harness,
        "CREATE VIEW both AS SELECT a.country, a.value AS now, b.value AS then FROM plain a
        JOIN first_known b ON a.country = b.country AND a.valid_from = b.valid_from",
        false,
    )
    .await;
    harness.commit("2026-03-05T12:00:00Z", &[], &[]).await;
    let of = |from: &str| format!("SELECT country, value FROM {from} ORDER BY country, value");
    assert_eq!(
        harness.rows(&of("plain FOR VALID_TIME AS OF '2008-05-01' FOR SYSTEM_TIME AS OF '2026-03-02T12:00:00Z'")).await,
        ["FRA 80", "GER 105", "ITA NULL"]
    );
    assert_eq!(
        harness.rows(&of("first_known FOR VALID_TIME AS OF '2008-05-01' AS f")).await,
        ["FRA 80", "GER 100", "ITA NULL"]
    );
    let at = QueryRequest { valid_time: Some("2008-05-01".into()), ..request(&of("plain"), &[]) };
    let answer = harness.request(at).await.unwrap();
    assert_eq!(answer.rows, [["ESP", "60"], ["GER", "105"], ["ITA", "NULL"]]);
    assert_eq!(
        harness.rows("SELECT * FROM both WHERE country = 'GER' ORDER BY 2, 3").await,
        ["GER 100 100", "GER 110 110"]
    );
    assert_eq!(
        harness.rows("WITH plain AS (SELECT 1 AS one) SELECT * FROM plain").await,
        ["1"],
        "a WITH name hides a view"
    );
    let around = "WITH gdp AS (SELECT 'X' AS country, 1 AS value, 2 AS valid_from) SELECT count(*) FROM plain";
    assert_eq!(harness.rows(around).await, ["7"], "and no table inside one");
    let per_row = "SELECT * FROM rates t JOIN plain FOR VALID_TIME AS OF t.valid_from p ON true";
    assert_eq!(harness.ask(per_row).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_cannot_be_are_refused() {
    let harness = fixture::history().await;
    for (sql, message) in [
        ("CREATE VIEW v AS SELECT * FROM nowhere", "in the view's query: there is no table 'nowhere'"),
        ("CREATE VIEW v AS SELECT * FROM v", "the view 'v' cannot be made of itself"),
        ("CREATE VIEW v AS SELECT $1", "in the view's query: nothing is sent"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1", "of CREATE VIEW only"),
        ("CREATE VIEW system.v AS SELECT 1", "a view has a plain name"),
        ("DROP VIEW a, b", "one view is dropped at a time"),
    ] {
        let error = harness.engine.view_change(request(sql, &[])).await.unwrap_err();
        assert!(error.message().starts_with(message), "{sql}: {error}");
    }
    assert!(harness.engine.view_change(request("SELECT 1", &[])).await.unwrap().is_none());
    assert!(harness.lake.put_view("gdp", "SELECT 1", false).await.is_err(), "a dataset's name is taken");
}

/// The changes of a statement as lines: `put|delete key value from to`.
async fn written(harness: &Harness, sql: &str) -> (WriteOperation, usize, Vec<String>) {
    let plan = harness.engine.write(request(sql, &[])).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let plan = plan.unwrap();
    let mut lines = Vec::new();
    for row in crate::harness::texts(&plan.change.rows) {
        lines.push(format!("{} {}", if plan.change.delete { "delete" } else { "put" }, row.join(" ")));
    }
    (plan.operation, plan.change.rows.num_rows(), lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_cut_at_the_portion_and_leave_what_is_outside() {
    let harness = fixture::history().await;
    let (operation, versions, lines) = written(
        &harness,
        "UPDATE gdp FOR PORTION OF VALID_TIME FROM '2008-06-01' TO '2008-08-01' SET value = value + 1 WHERE country = 'GER'",
    )
    .await;
    assert_eq!((operation, versions), (WriteOperation::Update, 2));
    assert_eq!(
        lines,
        [
            "put GER 106 revised 2008-06-01T00:00:00Z 2008-07-01T00:00:00Z",
            "put GER 101 flash 2008-07-01T00:00:00Z 2008-08-01T00:00:00Z"
        ]
    );
    let (_, _, lines) = written(
        &harness,
        "DELETE FROM gdp FOR PORTION OF VALID_TIME FROM '2009-01-01' TO NULL g WHERE g.country = 'GER'",
    )
    .await;
    assert_eq!(lines, ["delete GER 110 NULL 2009-01-01T00:00:00Z NULL"]);
    let (_, versions, lines) =
        written(&harness, "UPDATE gdp FOR PORTION OF VALID_TIME FROM '2008-06-01' TO '2008-06-01' SET value = 0").await;
    assert_eq!((versions, lines.len()), (0, 0), "equal bounds do nothing");
    let (_, _, lines) = written(
        &harness,
        "UPDATE gdp FOR PORTION OF VALID_TIME FROM last_commit() TO NULL SET value = value + 1 WHERE country = 'GER'",
    )
    .await;
    assert_eq!(lines, ["put GER 111 NULL 2026-03-03T12:00:00Z NULL"]);
    let (_, versions, _) = written(&harness, "DELETE FROM gdp WHERE value > 100").await;
    assert_eq!(versions, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_rows_hold_until_the_next_change_the_portion_is_cut_as_well() {
    let harness = fixture::history().await;
    let (_, versions, lines) = written(
        &harness,
        "UPDATE rates FOR PORTION OF VALID_TIME FROM '2020-03-01' TO '2020-04-01' SET rate = 2 WHERE tenor = 10",
    )
    .await;
    assert_eq!(versions, 1);
    assert_eq!(lines, ["put X1 10 2.0000000000 true 2020-01-01 2020-03-01T00:00:00Z 2020-04-01T00:00:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn inserts_keep_every_digit() {
    let harness = fixture::history().await;
    let (operation, versions, lines) = written(
        &harness,
        "INSERT INTO rates (bond, tenor, rate, valid_from) VALUES ('Y', 1, 1234567890123456789012345678.0123456789, DATE '2021-01-01')",
    )
    .await;
    assert_eq!((operation, versions), (WriteOperation::Insert, 1));
    assert_eq!(lines, ["put Y 1 1234567890123456789012345678.0123456789 NULL NULL 2021-01-01T00:00:00Z NULL"]);
    let (_, versions, _) =
        written(&harness, "INSERT INTO gdp SELECT country || '2', value, note, valid_from, valid_to FROM gdp").await;
    assert_eq!(versions, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_cannot_be_are_refused_with_their_place() {
    let harness = fixture::history().await;
    for (sql, message, column) in [
        (
            "UPDATE gdp FOR PORTION OF VALID_TIME FROM '2009-01-01' TO '2008-01-01' SET value = 1",
            "the range begins at",
            Some(43),
        ),
        (
            "UPDATE gdp FOR PORTION OF SYSTEM_TIME FROM '2009-01-01' TO NULL SET value = 1",
            "system time is written by commits",
            Some(12),
        ),
        ("UPDATE gdp SET system_from = now()", "system time is written by commits", Some(16)),
        (
            "INSERT INTO gdp (country, valid_from, system_to) VALUES ('A', now(), now())",
            "system time is written by commits",
            Some(39),
        ),
        ("UPDATE gdp SET country = 'X'", "'country' is part of the key", Some(16)),
        ("UPDATE gdp SET valid_to = now()", "valid time is not assigned", Some(16)),
        ("UPDATE gdp SET nothing = 1", "'gdp' has no column 'nothing'", Some(16)),
        ("UPDATE nowhere SET value = 1", "there is no table 'nowhere'", Some(8)),
        ("INSERT INTO gdp (country) VALUES ('A')", "INSERT has to say since when it holds", Some(13)),
        ("INSERT INTO gdp (country, valid_from) VALUES ('A', now(), 1)", "INSERT names 2 columns and is given 3", None),
        (
            "INSERT INTO gdp (country, value, valid_from) VALUES ('A', 1.5, DATE '2020-01-01')",
            "a value does not fit the column 'value': 1.5",
            None,
        ),
        (
            "INSERT INTO unsealed (id, value, at) VALUES (1, 1, now())",
            "history import of 'unsealed' is not sealed",
            Some(13),
        ),
        ("DELETE FROM gdp USING rates", "of DELETE only", None),
        (
            "UPDATE gdp SET value = 1 WHERE country IN (SELECT country FROM gdp FOR PORTION OF VALID_TIME FROM '2008-01-01' TO NULL)",
            "FOR PORTION OF stands behind",
            Some(68),
        ),
        (
            "INSERT INTO gdp (country, value, valid_from) VALUES ('A', 1, 2020)",
            "a value does not fit the column 'valid_from'",
            None,
        ),
        (
            "INSERT INTO gdp (country, value, valid_from) VALUES ('A', true, '2020-01-01')",
            "a value does not fit the column 'value'",
            None,
        ),
        (
            "INSERT INTO rates (bond, tenor, rate, valid_from) VALUES ('A', 1, '1.23456789012', '2020-01-01')",
            "a value does not fit the column 'rate'",
            None,
        ),
        ("UPDATE gdp SET value = 1 RETURNING *", "of UPDATE only", Some(8)),
    ] {
        let error = harness.engine.write(request(sql, &[])).await.unwrap_err();
        assert!(error.message().starts_with(message), "{sql}: {error}");
        assert_eq!(error.position().map(|at| at.column), column, "{sql}: {error}");
    }
    let with_token = QueryRequest { snapshot: Some("t1-0-0-0".into()), ..request("DELETE FROM gdp", &[]) };
    assert_eq!(harness.engine.write(with_token).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(harness.engine.write(request("SELECT 1", &[])).await.unwrap().is_none());
}
