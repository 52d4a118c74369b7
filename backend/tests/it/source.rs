//! From a version back to the records it came from, as long as the stream keeps them.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{bad_input::prices, quick, support::Server};

fn line(instrument: &str, close: &str) -> String {
    json!({"instrument": instrument, "day": "2026-03-01", "until": "2026-03-02", "close": close, "volume": 1})
        .to_string()
        + "\n"
}

/// Sends records in one request; gives the system time at which they became known.
fn send(server: &Server, records: &[String]) -> String {
    let reply = server.post_events("prices", "committed", records.concat()).expect_status(200).json();
    reply["system_time"].as_str().expect("a system time").to_owned()
}

fn source(server: &Server, system_time: &str, key: &str) -> Value {
    let query = format!("system_time={system_time}&key=%5B%22{key}%22%5D");
    server.get(&format!("/api/v1/datasets/prices/source?{query}")).expect_status(200).json()
}

#[test]
fn a_version_leads_to_its_records_as_they_came() {
    let server = quick::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    let first = send(&server, &[line("A", "1.50"), line("B", "2.50")]);
    let second = send(&server, &[line("A", "1.75")]);
    let found = source(&server, &first, "A");
    assert_eq!((found["kept"].as_bool(), found["records"].as_u64()), (Some(true), Some(2)));
    let raw = |found: &Value| -> Vec<String> {
        let events = found["events"].as_array().expect("events");
        events.iter().map(|event| event["raw"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(raw(&found), [line("A", "1.50").trim_end()]);
    assert_eq!(raw(&source(&server, &second, "A")), [line("A", "1.75").trim_end()]);
    assert!(raw(&source(&server, &second, "B")).is_empty());
    // The same after a restart, though the state has been made durable and the stream released.
    let server = quick::start_on(server.stop());
    assert_eq!(raw(&source(&server, &first, "B")), [line("B", "2.50").trim_end()]);
}

#[test]
fn records_the_stream_let_go_of_are_said_to_be_gone() {
    let server = quick::start_with(
        Arc::new(TempDir::new().expect("a temporary folder can be made")),
        "stream_kept_bytes = 0\ncheckpoint_interval_secs = 1\n",
    );
    server.put_dataset("prices", &prices()).expect_status(201);
    let first = send(&server, &[line("A", "1.50")]);
    let gone = || source(&server, &first, "A")["kept"] == false;
    let waited = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        send(&server, &[line("B", "2.50")]);
        gone()
    });
    assert!(waited, "the stream keeps what it need not");
    assert_eq!(source(&server, &first, "A")["events"], json!([]));
}

#[test]
fn what_has_no_source_says_why() {
    let server = quick::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    send(&server, &[line("A", "1.50")]);
    let refused = |path: &str, status: u16| {
        let reply = server.get(&format!("/api/v1/datasets/{path}")).expect_status(status).json();
        reply["detail"].as_str().expect("a detail").to_owned()
    };
    assert!(refused("prices/source?system_time=2012-01-01T00:00:00Z", 404).contains("no epoch"));
    assert!(refused("prices/source?system_time=soon", 400).contains("system_time"));
    assert!(refused("prices/source?system_time=2012-01-01T00:00:00Z&key=A", 400).contains("JSON array"));
    assert!(refused("other/source?system_time=2012-01-01T00:00:00Z", 404).contains("no dataset 'other'"));
}
