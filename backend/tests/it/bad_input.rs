//! Bad input over HTTP: a clear answer or a place in quarantine, and nothing else lost.

use serde_json::{Value, json};

use crate::support::{Reply, Server};

pub fn prices() -> Value {
    json!({
        "columns": [
            {"name": "instrument", "type": "string"}, {"name": "day", "type": "date"}, {"name": "until", "type": "date"},
            {"name": "close", "type": "decimal(18,4)"}, {"name": "volume", "type": "int64"},
        ],
        "key": ["instrument"], "valid_from": "day", "valid_to": "until", "mode": "interval",
    })
}

fn server_with_prices() -> Server {
    let server = Server::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    server
}

const GOOD: &str =
    r#"{"instrument":"A","day":"2026-01-05","until":"2026-01-06","close":"12.3400","volume":9007199254740993}"#;

fn problem(reply: Reply, status: u16) -> String {
    let reply = reply.expect_status(status);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{}", reply.text());
    let document = reply.json();
    assert_eq!(document["status"], status);
    assert!(document["title"].is_string() && document["type"].is_string());
    document["detail"].as_str().expect("a detail").to_owned()
}

#[test]
fn each_bad_line_is_refused_with_its_reason_and_the_good_ones_are_kept() {
    let server = server_with_prices();
    let huge = format!(r#"{{"instrument":"{}","day":"2026-01-05"}}"#, "x".repeat(20 << 20));
    let mut body: Vec<u8> = Vec::new();
    let bad: [(&[u8], &str); 8] = [
        (b"{\"instrument\":\"A\",", "not an acceptable JSON object"),
        (br#"{"instrument":["A"],"day":"2026-01-05"}"#, "column 'instrument': [\"A\"] is not text"),
        (br#"{"day":"2026-01-05","close":1}"#, "column 'instrument' is part of the key"),
        (br#"{"instrument":"A","day":"2026-01-05","until":"2026-01-05"}"#, "column 'until' is not after the start"),
        (br#"{"instrument":"A","day":"2026-01-05","close":"1.23456"}"#, "more digits behind the point"),
        (br#"{"instrument":"A","day":"05/01/2026"}"#, "column 'day': '05/01/2026' is not an ISO date"),
        (b"{\"instrument\":\"\xff\",\"day\":\"2026-01-05\"}", "not UTF-8 from byte 16"),
        (huge.as_bytes(), "at most 1048576 are accepted"),
    ];
    for (line, _) in &bad {
        body.extend_from_slice(line);
        body.push(b'\n');
    }
    body.extend_from_slice(GOOD.as_bytes());
    let receipt = server.post_events("prices", "committed", body).expect_status(200).json();
    assert_eq!(receipt["accepted"], 1);
    assert!(receipt["system_time"].is_string());
    let rejected = receipt["rejected"].as_array().expect("a list");
    assert_eq!(rejected.len(), bad.len());
    for (index, (rejected, (_, reason))) in rejected.iter().zip(&bad).enumerate() {
        assert_eq!(rejected["line"], index + 1);
        assert!(rejected["reason"].as_str().unwrap_or_default().contains(reason), "{rejected}");
    }
    let kept = server.get("/api/v1/datasets/prices/quarantine").expect_status(200).json();
    let kept = kept.as_array().expect("a list");
    assert_eq!(kept.len(), bad.len());
    assert_eq!(kept[0]["raw"].as_str().map(str::len), Some(huge.len()), "the bytes are kept whole");
    assert_eq!(kept[1]["raw_hex"].as_str().map(|hex| hex.contains("ff")), Some(true));
    let counts = server.get("/api/v1/datasets/prices").json()["counts"].clone();
    assert_eq!((&counts["received"], &counts["committed"], &counts["quarantined"]), (&json!(9), &json!(1), &json!(8)));
    let nothing = server.post_events("prices", "committed", "{}").expect_status(200).json();
    assert_eq!((&nothing["accepted"], &nothing["system_time"]), (&json!(0), &Value::Null), "nothing to wait for");
    let rows = server.rows("SELECT close, volume FROM prices");
    assert_eq!(rows, [json!({"close": "12.3400", "volume": 9_007_199_254_740_993_i64})]);
}

#[test]
fn calls_that_cannot_be_carried_out_say_why() {
    let server = server_with_prices();
    let sql = |question: Value| server.post_sql(&question, "application/json");
    let detail = problem(server.post_events("nosuch", "durable", GOOD), 404);
    assert!(detail.contains("no dataset 'nosuch'"), "{detail}");
    let detail = problem(server.post_events("prices", "whenever", GOOD), 400);
    assert!(detail.contains("wait=durable"), "{detail}");
    let detail = problem(server.post("/api/v1/sql", "application/json", "{"), 400);
    assert!(detail.contains("the body is not"), "{detail}");
    let detail = problem(server.get("/api/v1/nosuch"), 404);
    assert!(detail.contains("openapi.json"), "{detail}");
    let detail = problem(server.get("/api/v1/datasets/nosuch"), 404);
    assert!(detail.contains("nosuch"), "{detail}");
    let detail = problem(server.seal("prices"), 409);
    assert!(detail.contains("no history import"), "{detail}");

    let refused = sql(json!({"sql": "SELECT *\nFROM prices p WHERE p.nosuch = 1"}));
    assert!(problem(refused, 422).contains("nosuch"));
    let refused = sql(json!({"sql": "SELECT * FROM nosuch"}));
    assert!(problem(refused, 422).contains("nosuch"));
    let refused = sql(json!({"sql": "SELEC 1"}));
    assert!(!problem(refused, 400).is_empty());
    let refused = sql(json!({"sql": "DROP TABLE prices"}));
    assert!(!problem(refused, 422).is_empty());
    let refused = sql(json!({"sql": "SELECT * FROM prices FOR SYSTEM_TIME AS OF TIMESTAMP '2999-01-01T00:00:00Z'"}));
    assert!(problem(refused, 422).contains("later than the last committed"));
    let refused = sql(json!({"sql": "SELECT * FROM prices", "system_time": "2999-01-01"}));
    assert!(problem(refused, 422).contains("later than the last committed"));
    let refused = sql(json!({"sql": "SELECT * FROM prices", "valid_time": "soon"}));
    assert!(problem(refused, 422).contains("soon"));
    let refused = sql(json!({"sql": "SELECT * FROM prices", "snapshot": "t1-0-1-2"}));
    assert!(!problem(refused, 422).is_empty());
    let refused = server.post_sql(&json!({"sql": "SELECT 1"}), "image/png");
    assert!(problem(refused, 400).contains("text/csv"));
}

#[test]
fn a_definition_is_checked_and_cannot_be_changed_by_saying_it_differently() {
    let server = server_with_prices();
    server.put_dataset("prices", &prices()).expect_status(200);
    let mut other = prices();
    other["columns"][3]["type"] = json!("float64");
    let detail = problem(server.put_dataset("prices", &other), 409);
    assert!(detail.contains("prices"), "{detail}");
    let mut wrong = prices();
    wrong["key"] = json!(["nosuch"]);
    wrong["mode"] = json!("until_changed");
    let reply = server.put_dataset("other", &wrong).expect_status(422).json();
    let pointers: Vec<&str> =
        reply["problems"].as_array().expect("problems").iter().filter_map(|p| p["pointer"].as_str()).collect();
    assert_eq!(pointers, ["/key/0", "/valid_to"]);
    let mut unknown = prices();
    unknown["colour"] = json!("red");
    assert!(problem(server.put_dataset("other", &unknown), 422).contains("colour"));
    assert!(problem(server.put_dataset("Bad-Name", &prices()), 422).contains("lower-case"));
}

#[test]
fn a_transaction_is_taken_whole_or_not_at_all() {
    let server = server_with_prices();
    server.put_dataset("more", &prices()).expect_status(201);
    let line = |dataset: &str, event: &str| format!("{{\"dataset\":\"{dataset}\",\"event\":{event}}}\n");
    let bad = line("prices", GOOD) + &line("more", "{}") + &line("nosuch", GOOD);
    let reply = server.post_transaction("committed", bad).expect_status(422).json();
    let lines: Vec<i64> =
        reply["rejected"].as_array().expect("a list").iter().filter_map(|r| r["line"].as_i64()).collect();
    assert_eq!(lines, [2, 3]);
    assert_eq!(server.rows("SELECT * FROM prices").len(), 0);

    let receipt =
        server.post_transaction("committed", line("prices", GOOD) + &line("more", GOOD)).expect_status(200).json();
    let known: Vec<Value> = server
        .rows("SELECT p.system_from AS a, m.system_from AS b FROM prices p JOIN more m ON p.instrument = m.instrument");
    assert_eq!(known, [json!({"a": receipt["system_time"], "b": receipt["system_time"]})]);
}

#[test]
fn the_same_token_gives_the_same_bytes_while_data_goes_on_arriving() {
    let server = server_with_prices();
    server.post_events("prices", "committed", GOOD).expect_status(200);
    let question = json!({"sql": "SELECT * FROM prices"});
    for accept in ["application/json", "text/csv", "application/vnd.apache.arrow.stream"] {
        let first = server.post_sql(&question, accept).expect_status(200);
        let token = first.header("tidemark-snapshot").expect("a token").to_owned();
        server.post_events("prices", "committed", GOOD.replace("12.34", "99.99")).expect_status(200);
        server.post_events("prices", "committed", GOOD).expect_status(200);
        let again =
            server.post_sql(&json!({"sql": "SELECT * FROM prices", "snapshot": token}), accept).expect_status(200);
        assert_eq!(first.body, again.body, "{accept}");
        assert_eq!(again.header("tidemark-snapshot"), Some(token.as_str()));
    }
}
