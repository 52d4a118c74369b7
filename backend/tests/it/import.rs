//! Published histories with known corrections: imported, sealed, and asked what was known when.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Server, shared_data, tidemark};

pub fn gdp_definition() -> Value {
    json!({
        "columns": [
            {"name": "country", "type": "string", "path": "key"}, {"name": "value", "type": "string"},
            {"name": "valid_from", "type": "date"}, {"name": "valid_to", "type": "date"},
            {"name": "op", "type": "string"}, {"name": "known", "type": "timestamp", "path": "system_time"},
        ],
        "key": ["country"], "valid_from": "valid_from", "valid_to": "valid_to", "mode": "interval",
        "operation": {"column": "op", "put": "assert", "delete": "retract"}, "system_time": "known",
    })
}

pub fn lifecycle_definition() -> Value {
    json!({
        "columns": [
            {"name": "cycle", "type": "string", "path": "key"},
            {"name": "eol", "type": "string", "path": "value.eol"},
            {"name": "lts", "type": "string", "path": "value.lts"},
            {"name": "support", "type": "string", "path": "value.support"},
            {"name": "valid_from", "type": "date"}, {"name": "valid_to", "type": "date"},
            {"name": "op", "type": "string"}, {"name": "known", "type": "timestamp", "path": "system_time"},
        ],
        "key": ["cycle"], "valid_from": "valid_from", "valid_to": "valid_to", "mode": "interval",
        "operation": {"column": "op", "put": "assert", "delete": "retract"}, "system_time": "known",
    })
}

/// Defines and imports through the command line, as a user would.
pub fn import(server: &Server, data: &Path, dataset: &str, definition: &Value) {
    server.put_dataset(dataset, definition).expect_status(201);
    let file = data.join(format!("{dataset}.ndjson.gz"));
    let file = file.to_str().expect("a readable path");
    let output = tidemark(&["ingest", dataset, file, "--seal", "--url", server.base()], b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(summary["rejected"], 0, "{}", String::from_utf8_lossy(&output.stderr));
    let counts = server.get(&format!("/api/v1/datasets/{dataset}")).expect_status(200).json()["counts"].clone();
    assert_eq!(counts["received"], summary["accepted"]);
    assert_eq!(counts["in_flight"], 0, "{counts}");
}

/// Asks one of the expected questions; the answer in the form the expectation has.
fn ask(server: &Server, question: &Value) -> Value {
    let text = |name: &str| question[name].as_str().expect("a text").to_owned();
    let clauses = format!(
        "FOR VALID_TIME AS OF DATE '{}' FOR SYSTEM_TIME AS OF TIMESTAMP '{}'",
        text("valid_as_of"),
        text("system_as_of")
    );
    let key = question["key"].as_str().unwrap_or_default();
    let sql = match (text("dataset").as_str(), text("kind").as_str()) {
        ("gdp", "point") => format!("SELECT value FROM gdp {clauses} WHERE country = '{key}'"),
        ("gdp", _) => format!(
            "SELECT count(*) AS count, max(CAST(value AS DOUBLE)) AS max,
                    count(*) FILTER (WHERE CAST(value AS DOUBLE) > 1e12) AS keys_over_1e12 FROM gdp {clauses}"
        ),
        (_, "point") => format!(
            "SELECT CAST(valid_from AS DATE) AS valid_from, CAST(valid_to AS DATE) AS valid_to
             FROM eol_lifecycle {clauses} WHERE cycle = '{key}'"
        ),
        _ => format!(
            "SELECT count(*) AS cycles_alive, count(DISTINCT split_part(cycle, '/', 1)) AS products_with_one
             FROM eol_lifecycle {clauses}"
        ),
    };
    let rows = server.rows(&sql);
    assert!(rows.len() <= 1, "one truth: {rows:?}");
    match rows.into_iter().next() {
        Some(row) if question["dataset"] == "gdp" && question["kind"] == "point" => row["value"].clone(),
        Some(row) => row,
        None => Value::Null,
    }
}

#[test]
fn published_histories_answer_all_forty_questions() {
    let Some(data) = shared_data() else { return };
    let server = Server::start();
    import(&server, &data, "gdp", &gdp_definition());
    import(&server, &data, "eol_lifecycle", &lifecycle_definition());
    let questions = std::fs::read(data.join("expected_asof.json")).expect("the expectations");
    let questions: Vec<Value> = serde_json::from_slice(&questions).expect("JSON");
    assert_eq!(questions.len(), 40);
    let wrong: Vec<String> = questions
        .iter()
        .filter_map(|question| {
            let found = ask(&server, question);
            let id = &question["id"];
            (found != question["expected"]).then(|| format!("{id}: wanted {}, found {found}", question["expected"]))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of 40 answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn history_line(key: &str, value: u32, known: &str) -> String {
    format!(
        r#"{{"key":"{key}","value":"{value}","valid_from":"2020-01-01","valid_to":null,"op":"assert","system_time":"{known}"}}"#
    ) + "\n"
}

#[test]
fn an_import_cannot_be_read_until_it_is_sealed_and_keeps_its_order() {
    let server = Server::start();
    server.put_dataset("gdp", &gdp_definition()).expect_status(201);
    let lines = history_line("A", 1, "2020-02-01") + &history_line("A", 2, "2020-03-01");
    server.post_events("gdp", "committed", lines).expect_status(200);
    let refused = server.post_sql(&json!({"sql": "SELECT * FROM gdp"}), "application/json").expect_status(409);
    assert!(refused.json()["detail"].as_str().unwrap_or_default().contains("not sealed"), "{}", refused.text());

    // The same system time again, in another request: both act together.
    server.post_events("gdp", "committed", history_line("B", 7, "2020-03-01")).expect_status(200);
    server.post_events("gdp", "committed", history_line("A", 9, "2020-01-15")).expect_status(200);
    server.post_events("gdp", "committed", history_line("A", 9, "2999-01-01")).expect_status(200);
    server.seal("gdp").expect_status(200);
    let as_of = |system_time: &str| {
        let sql =
            format!("SELECT country, value FROM gdp FOR SYSTEM_TIME AS OF TIMESTAMP '{system_time}' ORDER BY country");
        serde_json::to_string(&server.rows(&sql)).expect("JSON")
    };
    assert_eq!(as_of("2020-01-31T00:00:00Z"), "[]");
    assert_eq!(as_of("2020-02-01T00:00:00Z"), r#"[{"country":"A","value":"1"}]"#);
    assert_eq!(as_of("2020-03-01T00:00:00Z"), r#"[{"country":"A","value":"2"},{"country":"B","value":"7"}]"#);
    let quarantine = server.get("/api/v1/datasets/gdp/quarantine").expect_status(200).json();
    let reasons: Vec<&str> =
        quarantine.as_array().expect("a list").iter().filter_map(|r| r["reason"].as_str()).collect();
    assert_eq!(reasons.len(), 2, "{quarantine}");
    assert!(reasons[0].contains("later than now"), "{quarantine}");
    assert!(reasons[1].contains("imported already"), "{quarantine}");
    let counts = server.get("/api/v1/datasets/gdp").json()["counts"].clone();
    assert_eq!(
        (&counts["received"], &counts["committed"], &counts["quarantined"], &counts["in_flight"]),
        (&json!(5), &json!(3), &json!(2), &json!(0)),
        "{counts}"
    );
}
