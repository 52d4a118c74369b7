//! `MEASURE(name)`: formulas as they were known, put in the place of calls; what is refused and where.

use query::{ErrorKind, QueryRequest};

use crate::harness::Harness;

const PRICES: &str = r#"{"columns":[{"name":"share","type":"string"},{"name":"close","type":"decimal(10,2)"},
    {"name":"volume","type":"int64"},{"name":"at","type":"date"}],"key":["share"],"valid_from":"at","mode":"until_changed"}"#;

const SEMANTICS: &str = r#"{"columns":[{"name":"name","type":"string"},{"name":"change","type":"string"},
    {"name":"definition","type":"string"},{"name":"from","type":"timestamp"}],
    "key":["name"],"valid_from":"from","mode":"interval"}"#;

const ROWS: &str = r#"
    {"share":"A","close":"10.00","volume":1,"valid_from":"2026-01-01T00:00:00Z","valid_to":null,"operation":"put"}
    {"share":"B","close":"40.00","volume":2,"valid_from":"2026-01-01T00:00:00Z","valid_to":null,"operation":"put"}"#;

/// A row that stores a definition of `prices` with these measures.
fn defined(change: &str, measures: &[(&str, &str)]) -> String {
    let measures: Vec<serde_json::Value> =
        measures.iter().map(|(name, formula)| serde_json::json!({"name": name, "formula": formula})).collect();
    let definition = serde_json::json!({"dataset": "prices", "measures": measures}).to_string();
    serde_json::json!({"name": "prices", "change": change, "definition": definition,
        "valid_from": "1970-01-01T00:00:00Z", "valid_to": null, "operation": "put"})
    .to_string()
}

/// Prices known on 1 March; measures defined on 2 March, changed on 3 March and deleted on 4 March.
async fn history() -> Harness {
    let mut harness = Harness::new().await;
    harness.define("prices", PRICES).await;
    harness.define("tidemark_semantics", SEMANTICS).await;
    harness.commit("2026-03-01T12:00:00Z", &[("prices", ROWS)], &[]).await;
    let first = defined(
        "created",
        &[
            ("turnover", "sum(close * volume)"),
            ("shares", "sum(volume)"),
            ("vwap", "MEASURE(turnover) / MEASURE(shares)"),
            ("old", "sum(weight)"),
        ],
    );
    harness.commit("2026-03-02T12:00:00Z", &[("tidemark_semantics", &first)], &[]).await;
    let second = defined("replaced", &[("turnover", "count(*)"), ("shares", "sum(volume)")]);
    harness.commit("2026-03-03T12:00:00Z", &[("tidemark_semantics", &second)], &[]).await;
    harness
}

const THEN: &str = "FOR SYSTEM_TIME AS OF '2026-03-02T12:00:00Z'";

#[tokio::test(flavor = "multi_thread")]
async fn a_measure_is_its_formula_as_it_was_known() {
    let mut harness = history().await;
    assert_eq!(harness.rows("SELECT MEASURE(turnover) FROM prices").await, ["2"]);
    let then =
        harness.ask(&format!("SELECT MEASURE(turnover), measure(shares) AS n FROM prices {THEN}")).await.unwrap();
    assert_eq!(
        (then.columns, then.rows),
        (vec!["turnover".to_owned(), "n".to_owned()], vec![vec!["90.00".to_owned(), "3".to_owned()]])
    );
    // Coordinates of the request are those of its tables.
    let request = |sql: &str| QueryRequest {
        sql: sql.to_owned(),
        system_time: Some("2026-03-02T12:00:00Z".to_owned()),
        ..QueryRequest::default()
    };
    let vwap = harness.request(request("SELECT CAST(MEASURE(vwap) AS DOUBLE) AS v FROM prices")).await.unwrap();
    assert_eq!(vwap.rows, [["30.0"]]);
    let both = format!(
        "SELECT MEASURE(now.turnover), MEASURE(past.turnover) AS past FROM prices AS now JOIN prices {THEN} AS past ON now.share = past.share"
    );
    assert_eq!(harness.rows(&both).await, ["2 90.00"]);
    // A token is of its moment, whatever is defined later.
    let token = harness.ask("SELECT 1").await.unwrap().token.to_string();
    harness
        .commit(
            "2026-03-04T12:00:00Z",
            &[("tidemark_semantics", &defined("deleted", &[("turnover", "count(*)")]))],
            &[],
        )
        .await;
    let error = harness.ask("SELECT MEASURE(turnover) FROM prices").await.unwrap_err();
    assert!(error.message().contains("none was defined"), "{error}");
    let again = QueryRequest { snapshot: Some(token), ..QueryRequest::default() };
    let again = QueryRequest { sql: "SELECT MEASURE(turnover) FROM prices".to_owned(), ..again };
    assert_eq!(harness.request(again).await.unwrap().rows, [["2"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn measures_stand_wherever_aggregates_do() {
    let harness = history().await;
    for (sql, rows) in [
        (
            format!("SELECT share, MEASURE(turnover) FROM prices {THEN} GROUP BY share HAVING MEASURE(turnover) > 20"),
            vec!["B 80.00"],
        ),
        (format!("SELECT share FROM prices {THEN} GROUP BY share ORDER BY MEASURE(turnover) DESC"), vec!["B", "A"]),
        (
            format!("SELECT share, MEASURE(turnover) FROM prices {THEN} AS p GROUP BY share ORDER BY turnover"),
            vec!["A 10.00", "B 80.00"],
        ),
        (format!("SELECT 1 + MEASURE(p.shares) AS n FROM prices {THEN} p"), vec!["4"]),
        ("WITH prices AS (SELECT MEASURE(shares) FROM prices) SELECT shares FROM prices".to_owned(), vec!["3"]),
        (
            "SELECT MEASURE(shares) FROM prices UNION ALL SELECT MEASURE(turnover) FROM prices".to_owned(),
            vec!["3", "2"],
        ),
        ("SELECT (SELECT MEASURE(shares) FROM public.prices) AS n".to_owned(), vec!["3"]),
        (
            format!(
                "SELECT * FROM (SELECT share, MEASURE(shares) AS n FROM prices {THEN} GROUP BY share) AS t ORDER BY n"
            ),
            vec!["A 1", "B 2"],
        ),
        ("SELECT MEASURE(shares) FROM history(prices)".to_owned(), vec!["3"]),
    ] {
        assert_eq!(harness.rows(&sql).await, rows, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_in_is_told_with_its_place() {
    let harness = history().await;
    for (sql, message, column) in [
        ("SELECT MEASURE(turnovr) FROM prices", "did you mean 'turnover'?", Some(8)),
        ("SELECT MEASURE(nothing_like_it) FROM prices", "there are shares, turnover", Some(8)),
        ("SELECT MEASURE(shares) FROM (SELECT * FROM prices) AS p", "this SELECT reads none", Some(8)),
        ("SELECT MEASURE(shares)", "this SELECT reads none", Some(8)),
        ("SELECT MEASURE(q.shares) FROM prices AS p", "names the table 'q'", Some(8)),
        ("SELECT MEASURE(shares) FROM prices AS a, prices AS b", "MEASURE(a.shares)", Some(8)),
        ("SELECT share FROM prices WHERE MEASURE(shares) > 1", "stands in SELECT, HAVING", Some(32)),
        ("SELECT MEASURE(shares) OVER () FROM prices", "takes no FILTER, OVER", Some(8)),
        ("SELECT MEASURE(1) FROM prices", "takes the name of one measure", Some(8)),
        ("SELECT MEASURE() FROM prices", "takes the name of one measure", Some(8)),
        ("SELECT MEASURE(shares, turnover) FROM prices", "takes the name of one measure", Some(8)),
    ] {
        let error = harness.ask(sql).await.unwrap_err();
        assert!(error.message().contains(message), "{sql}: {error}");
        assert_eq!(error.position().map(|place| place.column), column, "{sql}: {error}");
    }
    let gone = format!("SELECT MEASURE(old) FROM prices {THEN}");
    let error = harness.ask(&gone).await.unwrap_err();
    assert!(
        error.message().contains("is made of the column 'weight', which 'prices' does not have any more"),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::UnknownColumn);
}

#[tokio::test(flavor = "multi_thread")]
async fn formulas_are_checked_before_they_are_stored() {
    let harness = history().await;
    let measures = [
        ("turnover", "sum(close * volume)"),
        ("vwap", "MEASURE(turnover) / sum(volume)"),
        ("typo", "sum(clsoe)"),
        ("words", "sum(share)"),
        ("loose", "sum(close) / volume"),
        ("plain", "close * 2"),
        ("round", "1 + MEASURE(round)"),
        ("last", "last_value(close ORDER BY valid_from)"),
    ];
    let measures = measures.map(|(name, formula)| (name.to_owned(), formula.to_owned())).to_vec();
    let mistakes = harness.engine.check_measures("prices", measures).await.unwrap();
    let places: Vec<_> = mistakes.iter().map(|m| (m.measure, m.position.map(|place| place.column))).collect();
    assert_eq!(places, [(2, Some(5)), (3, None), (4, None), (5, None), (6, Some(5))], "{mistakes:?}");
    let error = harness.engine.check_measures("gone", Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTable);
}
