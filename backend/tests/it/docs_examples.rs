//! The documentation, through the real binary: its pages are served, and every example does what it says.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use app::docs::{Example, Outcome, examples};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Server;

/// How long the demo may take to load its history.
const LOADED_WITHIN: Duration = Duration::from_secs(120);
const DATASETS: [&str; 6] = ["instruments", "constituents", "prices", "bonds", "reports", "corporate_actions"];
const JSON: &str = "application/json";

#[test]
fn every_example_does_what_it_says() {
    let server = server_with_demo();
    // In their order: those that write build on each other.
    let wrong: Vec<String> = examples().filter_map(|example| wrong_with(&server, example)).collect();
    assert!(wrong.is_empty(), "{} of {} examples:\n\n{}", wrong.len(), examples().count(), wrong.join("\n\n"));
}

#[test]
fn the_pages_are_served_with_their_text() {
    let server = Server::start();
    for (path, words) in [
        ("/docs", "All sections"),
        ("/docs/semantics", "<svg"),
        ("/docs/grammar", "id=\"system-as-of\""),
        ("/docs/periods", "id=\"met-by\""),
        ("/docs/recipes", "id=\"audit-trail\""),
        ("/docs/api", "/transactions"),
        ("/docs/upkeep", "id=\"proof\""),
        ("/docs/scaling", "tidemark_partition_lag_records"),
        ("/docs/search?q=as%20of", "<mark>"),
    ] {
        let page = server.get(path).expect_status(200).text();
        assert!(page.contains(words), "{path} has no {words}");
        assert!(page.contains("role=\"search\"") && page.contains("<h1"), "{path}");
    }
    server.get("/docs/no-such-page").expect_status(404);
}

/// A server with the history of the demo and without its live feed: what is found is then a matter of the day alone.
pub fn server_with_demo() -> Server {
    let data = Arc::new(TempDir::new().expect("a temporary folder can be made"));
    let server = Server::start_on(data, &["--demo", "--demo-rate", "0"]);
    await_history(&server);
    server
}

/// Returns once every dataset of the demo can be read.
fn await_history(server: &Server) {
    let started = Instant::now();
    let readable = |dataset: &&str| {
        let question = json!({ "sql": format!("SELECT count(*) AS n FROM {dataset}") });
        server.post_sql(&question, JSON).status == 200
    };
    while !DATASETS.iter().all(readable) {
        assert!(started.elapsed() < LOADED_WITHIN, "the demo's history was not loaded; {}", server.log());
        thread::sleep(Duration::from_millis(200));
    }
}

/// What is wrong with an example, if anything is.
fn wrong_with(server: &Server, example: &Example) -> Option<String> {
    if example.outcome == Outcome::Shown {
        return None;
    }
    let mut question = json!({ "sql": example.sql });
    if let Some(parameters) = &example.parameters {
        question["parameters"] = parameters.clone();
    }
    if let Some(reduce) = &example.reduce {
        question["reduce"] = reduce.clone();
    }
    let reply = server.post_sql(&question, JSON);
    let refused = example.outcome == Outcome::Refused;
    let reason = match reply.status {
        200 if refused => Some("is not refused".to_owned()),
        200 => wrong_rows(example, &reply.text()),
        400 | 422 if refused => {
            reply.json()["detail"].as_str().is_none().then(|| "is refused without a reason".to_owned())
        }
        status => Some(format!("is answered {status}: {}", reply.text())),
    };
    reason.map(|reason| format!("/docs/{}#{} {reason}\n{}", example.page, example.anchor(), example.sql))
}

fn wrong_rows(example: &Example, answer: &str) -> Option<String> {
    let rows: Vec<Value> = match serde_json::from_str(answer) {
        Ok(rows) => rows,
        // A statement that defines something may answer with nothing.
        Err(_) if answer.trim().is_empty() && example.outcome == Outcome::Written => return None,
        Err(error) => return Some(format!("is no array of rows: {error}")),
    };
    if rows.is_empty() && example.outcome == Outcome::Rows {
        return Some("finds no row".to_owned());
    }
    // A statement that asks whether something holds is there because it does.
    let untrue = rows.iter().any(|row| row.get("holds").is_some_and(|holds| holds != &json!(true)));
    untrue.then(|| format!("is not so: {answer}"))
}
