//! kill -9 while records stream in and files are compacted: nothing acknowledged is lost, nothing is there twice, the past
//! stays as it was.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Client, Server};

const WRITERS: usize = 3;
const EVENTS_PER_REQUEST: usize = 40;

fn positions() -> Value {
    json!({
        "columns": [
            {"name": "account", "type": "string"}, {"name": "since", "type": "timestamp"}, {"name": "amount", "type": "int64"},
        ],
        "key": ["account"], "valid_from": "since", "mode": "until_changed",
    })
}

/// What a writer was told: for each account the acknowledged amounts in order, and the number of requests sent.
#[derive(Default)]
struct Told {
    acknowledged: BTreeMap<String, Vec<i64>>,
    sent_requests: usize,
    acknowledged_requests: usize,
}

/// Sends requests until the server is gone. Each event of a writer has its own valid time, so each is a version.
fn write(client: &Client, writer: usize, round: usize, told: &Mutex<Told>, stop: &AtomicBool) {
    for request in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let account = format!("w{writer}-r{round}-{request}");
        let mut lines = String::new();
        for index in 0..EVENTS_PER_REQUEST {
            let second = index % 60;
            lines += &format!(
                "{{\"account\":\"{account}\",\"since\":\"2026-01-01T00:00:{second:02}Z\",\"amount\":{index}}}\n"
            );
        }
        told.lock().expect("no writer panics").sent_requests += 1;
        let Some(reply) = client.try_post_events("positions", "durable", lines) else { return };
        if reply.status == 200 {
            let mut told = told.lock().expect("no writer panics");
            told.acknowledged.insert(account, (0..EVENTS_PER_REQUEST as i64).collect());
            told.acknowledged_requests += 1;
        }
    }
}

/// Compacts again and again until the server is gone.
fn compact(client: &Client, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Some(reply) = client.try_upkeep("positions", "compact") else { return };
        assert_eq!(reply.expect_status(200).json()["run"]["error"], Value::Null);
    }
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

fn stored(server: &Server) -> BTreeMap<String, Vec<i64>> {
    let mut stored: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in server.rows("SELECT account, amount FROM positions ORDER BY account, valid_from") {
        let account = row["account"].as_str().expect("text").to_owned();
        stored.entry(account).or_default().push(row["amount"].as_i64().expect("a number"));
    }
    stored
}

#[test]
fn after_kill_9_every_acknowledged_record_is_there_once_and_the_past_is_unchanged() {
    let told = Mutex::new(Told::default());
    let mut server = Server::start();
    server.put_dataset("positions", &positions()).expect_status(201);
    // Answers before a kill, to be given again after it.
    let mut past: Vec<(String, Vec<u8>)> = Vec::new();
    for round in 0..4 {
        let stop = AtomicBool::new(false);
        let client = server.client();
        let data = thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (client, told, stop) = (client.clone(), &told, &stop);
                scope.spawn(move || write(&client, writer, round, told, stop));
            }
            let (compacting, stop_too) = (client.clone(), &stop);
            scope.spawn(move || compact(&compacting, stop_too));
            // Long enough for several epochs, and never the same moment of one.
            thread::sleep(Duration::from_millis(1_500 + 270 * round as u64));
            let reply = server.post_sql(&json!({"sql": "SELECT * FROM positions"}), "text/csv").expect_status(200);
            past.push((reply.header("tidemark-snapshot").expect("a token").to_owned(), reply.body));
            let data = server.kill();
            stop.store(true, Ordering::Relaxed);
            data
        });
        server = Server::start_on(data, &[]);
        let counts = settled_counts(&server);
        let number = |name: &str| counts[name].as_u64().expect("a count");
        assert_eq!(number("received"), number("committed") + number("unchanged") + number("quarantined"), "{counts}");

        let told = told.lock().expect("no writer panics");
        assert!(told.acknowledged_requests > 0, "nothing was tested");
        let stored = stored(&server);
        for (account, amounts) in &told.acknowledged {
            assert_eq!(stored.get(account), Some(amounts), "round {round}, acknowledged {account}");
        }
        // A request that was cut off before its answer may be there, but then whole.
        for (account, amounts) in &stored {
            assert_eq!(amounts.len(), EVENTS_PER_REQUEST, "round {round}, {account} is there in part or twice");
        }
        assert!(stored.len() <= told.sent_requests);
        assert_eq!(number("committed") as usize, stored.len() * EVENTS_PER_REQUEST);
        drop(told);
        for (token, body) in &past {
            let question = json!({"sql": "SELECT * FROM positions", "snapshot": token});
            assert_eq!(&server.post_sql(&question, "text/csv").expect_status(200).body, body, "round {round}");
        }
        let checked = server.try_upkeep("positions", "verify").expect("an answer").expect_status(200).json();
        let checked = checked["verified"].as_array().expect("digests").clone();
        assert!(!checked.is_empty(), "nothing was compacted");
        assert!(checked.iter().all(|digest| digest["holds"] == true), "round {round}: {checked:?}");
    }
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
