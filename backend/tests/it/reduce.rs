//! `reduce` over HTTP: what comes back, what may be kept, and what is refused.

use serde_json::{Value, json};

use crate::{
    bad_input::prices,
    quick,
    support::{Reply, Server},
};

const DAYS: i64 = 400;
const SQL: &str = "SELECT instrument, volume, valid_from FROM prices ORDER BY instrument, valid_from";

/// Prices of three instruments, one each day; that of B leaps once.
fn server_with_prices() -> Server {
    let server = quick::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    let event = |day: i64, instrument: &str| {
        let (from, until) = (date_of(day), date_of(day + 1));
        let volume = if instrument == "B" && day == 123 { 1_000_000 } else { 100 + day % 10 };
        json!({"instrument": instrument, "day": from, "until": until, "close": "1.5", "volume": volume}).to_string()
            + "\n"
    };
    let lines: String = (0..DAYS).flat_map(|day| ["A", "B", "C"].map(|instrument| event(day, instrument))).collect();
    server.post_events("prices", "committed", lines).expect_status(200);
    server
}

/// The day so many days after 1 January 2025.
fn date_of(day: i64) -> String {
    let micros = 1_735_689_600_000_000 + day * 86_400_000_000;
    model::Instant(micros).to_string().chars().take(10).collect()
}

fn ask(server: &Server, reduce: &Value) -> Reply {
    server.post_sql(&json!({"sql": SQL, "reduce": reduce}), "application/json")
}

fn rows(reply: &Reply) -> Vec<Value> {
    reply.json().as_array().expect("rows").clone()
}

#[test]
fn an_answer_is_reduced_before_it_is_sent() {
    let server = server_with_prices();
    let all = rows(&server.post_sql(&json!({ "sql": SQL }), "application/json").expect_status(200));
    assert_eq!(all.len() as i64, 3 * DAYS);

    let m4 = json!({"m4": {"x": "valid_from", "y": ["volume"], "by": ["instrument"], "columns": 60}});
    let reduced = rows(&ask(&server, &m4).expect_status(200));
    assert!((180..=720).contains(&reduced.len()), "{}", reduced.len());
    assert!(reduced.iter().all(|row| all.contains(row)));
    assert!(reduced.iter().any(|row| row["volume"] == 1_000_000));

    let chain =
        json!([{"top": {"by": "instrument", "of": ["volume"], "n": 1}}, {"bins": {"x": "others", "columns": 5}}]);
    let counted = rows(&ask(&server, &chain).expect_status(200));
    assert_eq!(
        counted,
        [json!({"x_from": 2, "x_to": 3, "count": DAYS}), json!({"x_from": null, "x_to": null, "count": DAYS})]
    );

    let bins =
        json!({"bins": {"x": "valid_from", "columns": 60, "y": "instrument", "of": "volume", "aggregate": "max"}});
    let bins = rows(&ask(&server, &bins).expect_status(200));
    assert_eq!(bins[0]["x_from"], "2024-12-30T00:00:00Z");
    assert_eq!(bins[0]["y"], "A");
    let counted: i64 = bins.iter().map(|bin| bin["count"].as_i64().expect("a count")).sum();
    assert_eq!(counted, 3 * DAYS);
    assert_eq!(bins.iter().filter(|bin| bin["value"] == 1_000_000).count(), 1);

    let dots = json!({"dots": {"x": "valid_from", "y": ["volume"], "by": ["instrument"], "columns": 60, "rows": 30}});
    let reduced = rows(&ask(&server, &dots).expect_status(200));
    assert!(reduced.len() < all.len() / 2, "{}", reduced.len());
    assert!(reduced.iter().all(|row| all.contains(row)));
    let few = json!({"at_most": {"rows": 3 * DAYS}});
    assert_eq!(rows(&ask(&server, &few).expect_status(200)), all);

    let null = rows(&ask(&server, &Value::Null).expect_status(200));
    assert_eq!(null, all);
}

#[test]
fn a_reduced_answer_may_be_kept_like_any_other() {
    let server = server_with_prices();
    let first = server.post_sql(&json!({"sql": "SELECT 1 AS one"}), "application/json").expect_status(200);
    let token = first.header("tidemark-snapshot").expect("a token").to_owned();
    let under = |reduce: Option<Value>| {
        let mut question = json!({"sql": SQL, "snapshot": token});
        if let Some(reduce) = reduce {
            question["reduce"] = reduce;
        }
        server.post_sql(&question, "application/json").expect_status(200)
    };
    let m4 = |columns: usize| json!({"m4": {"x": "valid_from", "y": ["volume"], "columns": columns}});
    let replies = [under(None), under(Some(m4(50))), under(Some(m4(51))), under(Some(json!([m4(50), m4(50)])))];
    let mut tags: Vec<&str> = replies.iter().map(|reply| reply.header("etag").expect("a tag")).collect();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 4, "what is reduced otherwise is another answer");
    assert_eq!(under(Some(m4(50))).body, replies[1].body);
    assert_eq!(replies[3].body, replies[1].body, "reducing again changes nothing");

    let address = format!("/api/v1/sql?snapshot={token}&sql={}&reduce={}", escaped(SQL), escaped(&m4(50).to_string()));
    let got = server.get(&address).expect_status(200);
    assert_eq!((got.header("etag"), &got.body), (replies[1].header("etag"), &replies[1].body));
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn what_cannot_be_reduced_is_refused_with_a_reason() {
    let server = server_with_prices();
    for (reduce, status, words) in [
        (json!({}), 400, "m4, dots, top, bins and at_most"),
        (json!({"m4": {"x": "valid_from"}}), 400, "columns"),
        (json!({"m4": {"x": "valid_from", "columns": 0}}), 422, "from 1 to 4096"),
        (json!({"m4": {"x": "day", "columns": 9}}), 422, "there are instrument, volume, valid_from"),
        (json!({"m4": {"x": "instrument", "columns": 9}}), 422, "has to be a time, a date or a number"),
        (json!({"dots": {"x": "volume", "y": [], "columns": 9, "rows": 9}}), 422, "'y' names no column"),
        (json!({"at_most": {"rows": 1_000}}), 422, "more than 1000 rows; group them"),
        (json!({"bins": {"x": "instrument", "columns": 2}}), 422, "more than 2 different values"),
    ] {
        let reply = ask(&server, &reduce).expect_status(status);
        let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(words), "{reduce}: {detail}");
    }
    let m4 = json!({"m4": {"x": "valid_from", "columns": 9}});
    for sql in ["DELETE FROM prices", "CREATE VIEW v AS SELECT 1 AS one", "ALTER TABLE prices DROP COLUMN volume"] {
        let reply = server.post_sql(&json!({"sql": sql, "reduce": m4}), "application/json").expect_status(400);
        assert!(reply.text().contains("for statements that read"), "{sql}: {}", reply.text());
    }
    assert_eq!(server.rows("SELECT count(*) AS n FROM prices"), [json!({"n": 3 * DAYS})]);
}
