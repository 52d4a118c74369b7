//! What goes wrong around a process: a second one on its folder, a full disk, a state file that is altered. What is
//! acknowledged stays, whoever asks is told what is the matter, and all goes on once it is put right.

use std::{fs, path::PathBuf, sync::Arc, thread, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Server;

fn positions() -> Value {
    json!({
        "columns": [
            {"name": "account", "type": "string"}, {"name": "since", "type": "timestamp"}, {"name": "amount", "type": "int64"},
        ],
        "key": ["account"], "valid_from": "since", "mode": "until_changed",
    })
}

fn settled_counts(server: &Server) -> Value {
    for _ in 0..600 {
        let counts = server.get("/api/v1/datasets/positions").expect_status(200).json()["counts"].clone();
        if counts["in_flight"] == 0 {
            return counts;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the stream does not drain: {}", server.log());
}

#[test]
fn a_stop_by_sigterm_is_clean_and_a_second_process_is_kept_out() {
    let server = Server::start();
    server.put_dataset("positions", &positions()).expect_status(201);
    let line = r#"{"account":"A","since":"2026-01-01","amount":1}"#;
    server.post_events("positions", "committed", line).expect_status(200);
    let folder = server.data().to_str().expect("a readable path").to_owned();
    let second = crate::support::tidemark(&["serve", "--data", &folder, "--listen", "127.0.0.1:0"], b"");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another Tidemark"), "{second:?}");
    // An open page listens; it must not hold the server back.
    let live = server.base().trim_start_matches("http://").to_owned();
    let mut listener = std::net::TcpStream::connect(&live).expect("the server listens");
    std::io::Write::write_all(&mut listener, format!("GET /api/v1/live HTTP/1.1\r\nHost: {live}\r\n\r\n").as_bytes())
        .expect("sent");
    std::io::Read::read_exact(&mut listener, &mut [0; 12]).expect("an answer begins");
    let data = server.stop();
    let server = Server::start_on(data, &[]);
    // The same fact again, after the restart: the state knows it.
    server.post_events("positions", "committed", line).expect_status(200);
    let counts = settled_counts(&server);
    assert_eq!((&counts["committed"], &counts["unchanged"]), (&json!(1), &json!(1)));
}

/// Requests that each say one amount of 2,000 accounts; `None` where the server refuses it.
fn post_amount(server: &Server, amount: u64, wait: &str) -> Option<u64> {
    let filler = "x".repeat(300);
    let line = |account| {
        format!(
            "{{\"account\":\"{account}\",\"since\":\"2026-01-01\",\"amount\":{amount},\"unused\":\"{filler}{amount}\"}}\n"
        )
    };
    let reply = server.post_events("positions", wait, (0..2_000).map(line).collect::<String>());
    if reply.status == 200 {
        return Some(amount);
    }
    assert!(reply.status >= 500, "{}: {}", reply.status, reply.text());
    let problem = reply.json();
    assert!(problem["detail"].as_str().or(problem["title"].as_str()).is_some_and(|text| !text.is_empty()), "{problem}");
    None
}

fn amounts(server: &Server) -> Value {
    json!(server.rows("SELECT amount, count(*) AS accounts FROM positions GROUP BY amount ORDER BY amount"))
}

#[test]
fn on_a_full_disk_nothing_more_is_acknowledged_and_nothing_acknowledged_is_lost() {
    let data = Arc::new(TempDir::new().expect("a temporary folder can be made"));
    // No file may grow beyond so many KiB, which the log of the stream reaches first.
    let server = Server::start_with_file_limit(data, &["--no-upkeep"], 6_144);
    server.put_dataset("positions", &positions()).expect_status(201);
    let acknowledged = (1..=100).map_while(|amount| post_amount(&server, amount, "durable")).last();
    let acknowledged = acknowledged.expect("the first fits");
    assert!(acknowledged < 100, "the disk was never full");
    assert_eq!(post_amount(&server, acknowledged + 2, "durable"), None, "it is full still");
    server.get("/healthz").expect_status(200);
    server.rows("SELECT count(*) AS n FROM positions");
    assert!(server.log().contains("cannot be written"), "{}", server.log());
    // There is room again.
    let server = Server::start_on(server.kill(), &["--no-upkeep"]);
    let counts = settled_counts(&server);
    assert_eq!(counts["received"], json!(acknowledged * 2_000), "what was refused is not there");
    assert_eq!(amounts(&server), json!([{"amount": acknowledged, "accounts": 2_000}]));
    let more = post_amount(&server, acknowledged + 1, "committed");
    assert_eq!(amounts(&server), json!([{"amount": more, "accounts": 2_000}]));
}

/// The files of the timeline state, largest first.
fn state_files(server_data: &std::path::Path) -> Vec<PathBuf> {
    let files = fs::read_dir(server_data.join("state")).expect("the state is there");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sst"));
    files.sort_by_key(|file| std::cmp::Reverse(fs::metadata(file).expect("a file").len()));
    files
}

#[test]
fn a_state_file_that_is_altered_is_told_and_loses_nothing_that_is_acknowledged() {
    let server = Server::start();
    server.put_dataset("positions", &positions()).expect_status(201);
    post_amount(&server, 1, "committed").expect("accepted");
    let data = server.stop();
    let files = state_files(data.path());
    let whole: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("readable")).collect();
    assert!(!files.is_empty());
    for (file, whole) in files.iter().zip(&whole) {
        let mut altered = whole.clone();
        // The blocks of data, not what says where they are.
        altered[64..whole.len() / 2].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(file, altered).expect("written");
    }
    let server = Server::start_unready(data, &[]);
    // Records are kept meanwhile, and what is committed can be read.
    post_amount(&server, 2, "durable").expect("accepted");
    assert_eq!(amounts(&server), json!([{"amount": 1, "accounts": 2_000}]));
    let failed = || server.get("/readyz").status == 503 && server.log().contains("the pipeline has stopped");
    (0..200).take_while(|_| !failed()).for_each(|_| thread::sleep(Duration::from_millis(50)));
    assert!(failed(), "{}", server.log());
    assert!(server.get("/metrics").text().contains("tidemark_pipeline_running 0"));
    let log = server.log();
    assert!(log.contains("timeline state"), "the log says what is the matter: {log}");
    let data = server.stop();
    files.iter().zip(&whole).for_each(|(file, whole)| fs::write(file, whole).expect("written"));
    let server = Server::start_on(data, &[]);
    assert_eq!(settled_counts(&server)["committed"], json!(4_000));
    assert_eq!(amounts(&server), json!([{"amount": 2, "accounts": 2_000}]));
}
