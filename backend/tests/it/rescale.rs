//! Another number of slots while records come in: by API and by command line, what it changes and what it leaves alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    quick,
    support::{Client, Reply, Server, tidemark},
};

const PIPELINE: &str = "/api/v1/pipeline";
const RESCALE: &str = "/api/v1/pipeline/rescale";
const RESCALES: &str = "/api/v1/pipeline/rescales";
/// Every slot has work, however small an epoch is.
const ALL_SLOTS: &str = "small_epoch_records = 0";
/// Over all key groups.
const KEYS: u64 = 400;

fn positions() -> Value {
    json!({
        "columns": [
            {"name": "account", "type": "string"}, {"name": "at", "type": "timestamp"}, {"name": "value", "type": "int64"},
        ],
        "key": ["account"], "valid_from": "at", "mode": "until_changed",
    })
}

/// Round `round`: a new value of every key, from a later instant on.
fn lines(round: u64) -> String {
    let line = |key: u64| {
        let at = format!("2026-01-01T{:02}:{:02}:{:02}Z", round / 3_600, round / 60 % 60, round % 60);
        format!("{{\"account\":\"a{key}\",\"at\":\"{at}\",\"value\":{}}}\n", round * KEYS + key)
    };
    (0..KEYS).map(line).collect()
}

fn start() -> Server {
    let server =
        quick::start_with(Arc::new(tempfile::TempDir::new().expect("a temporary folder can be made")), ALL_SLOTS);
    server.put_dataset("positions", &positions()).expect_status(201);
    server
}

fn rescale(client: &Client, slots: u16) -> Reply {
    let order = json!({ "slots": slots, "reason": format!("to {slots}") });
    client.post(&format!("{RESCALE}?wait=60"), "application/json", order.to_string())
}

fn slots(client: &Client) -> u64 {
    client.get(PIPELINE).expect_status(200).json()["slots"].as_u64().expect("a number of slots")
}

/// Records sent by a thread, round after round, until told to stop; how many rounds were committed.
struct Load {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Load {
    fn begin(client: Client) -> Load {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopping, counting) = (Arc::clone(&stop), Arc::clone(&rounds));
        let thread = thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                let round = counting.load(Ordering::Relaxed);
                client.post_events("positions", "committed", lines(round)).expect_status(200);
                counting.store(round + 1, Ordering::Relaxed);
            }
        });
        Load { stop, rounds, thread }
    }

    fn wait_for(&self, rounds: u64) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.rounds.load(Ordering::Relaxed) < rounds {
            assert!(Instant::now() < until, "records are taken in no longer");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("records were taken in all the time");
        self.rounds.load(Ordering::Relaxed)
    }
}

/// After so many rounds: every record is in exactly one version, and counted once.
fn check(client: &Client, rounds: u64) {
    let sql = "SELECT count(*) AS versions, count(DISTINCT value) AS different, count(DISTINCT account) AS accounts, \
               max(value) AS latest, sum(CASE WHEN valid_to IS NULL THEN 1 ELSE 0 END) AS unended FROM positions";
    let expected = json!([{
        "versions": rounds * KEYS, "different": rounds * KEYS, "accounts": KEYS, "latest": rounds * KEYS - 1, "unended": KEYS,
    }]);
    assert_eq!(Value::from(client.rows(sql)), expected);
    let datasets = client.get("/api/v1/datasets").json();
    let counts = &datasets[0]["counts"];
    assert_eq!((&counts["received"], &counts["committed"]), (&json!(rounds * KEYS), &json!(rounds * KEYS)));
}

#[test]
fn rescales_under_load_by_api_and_command_line_change_no_answer() {
    let server = start();
    let load = Load::begin(server.client());
    load.wait_for(2);
    let early = json!({ "sql": "SELECT * FROM positions ORDER BY account, valid_from" });
    let first = server.post_sql(&early, "application/json").expect_status(200);
    let token = first.header("tidemark-snapshot").expect("a token").to_owned();
    let mut before = slots(&server);
    let mut seen = 0;
    for (number, slots_wanted) in [128, 1, 7, 3, 64, 2, 5, 4].into_iter().enumerate() {
        if number % 2 == 0 {
            let record = rescale(&server, slots_wanted).expect_status(200).json();
            assert_eq!((&record["outcome"], &record["phase"]), (&json!("done"), &json!("resumed")), "{record}");
            assert_eq!((&record["slots_before"], &record["slots_after"]), (&json!(before), &json!(slots_wanted)));
            assert!(record["pause_micros"].is_u64() && record["expected_pause_micros"].is_u64(), "{record}");
            assert!(record["state_bytes"].as_u64() > Some(0) && record["epoch"].as_u64() > Some(0), "{record}");
        } else {
            let wanted = slots_wanted.to_string();
            let output =
                tidemark(&["rescale", "--slots", &wanted, "--reason", "by a test", "--url", server.base()], &[]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
            assert!(
                said.contains(&format!("{before} → {wanted} slots")) && said.contains("measured: a pause of"),
                "{said}"
            );
        }
        before = slots(&server);
        assert_eq!(before, u64::from(slots_wanted));
        seen = load.rounds.load(Ordering::Relaxed).max(seen);
        load.wait_for(seen + 2);
    }
    let rounds = load.end();
    check(&server, rounds);
    let mut again = early.clone();
    again["snapshot"] = json!(token);
    let again = server.post_sql(&again, "application/json").expect_status(200);
    assert_eq!(again.text(), first.text(), "under its token, byte for byte");
}

#[test]
fn what_cannot_be_is_refused_with_the_reason_and_changes_nothing() {
    let server = start();
    let post = |body: &str| server.post(RESCALE, "application/json", body.to_owned());
    for (body, status, reason) in [
        (r#"{"slots":0}"#, 422, "1 to 128"),
        (r#"{"slots":129}"#, 422, "1 to 128"),
        (r#"{"slots":2}"#, 422, "has 2 slots already"),
        (r#"{"slots":65536}"#, 422, "1 to 128"),
        (r#"{"slots":-1}"#, 422, "1 to 128"),
        (r#"{"slots":2.5}"#, 422, "1 to 128"),
        (r#"{"slots":"four"}"#, 422, "1 to 128"),
        (r#"{"reason":"none"}"#, 422, "missing field `slots`"),
        (r#"{"slots":4,"when":"now"}"#, 422, "unknown field `when`"),
        (r#"{"slots":4"#, 400, "the body is not"),
        ("", 400, "the body is not"),
    ] {
        let reply = post(body).expect_status(status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        let problem = reply.json();
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(reason)), "{body}: {problem}");
        assert_eq!(problem["status"], json!(status));
    }
    let long = json!({ "slots": 4, "reason": "x".repeat(501) });
    let detail = post(&long.to_string()).expect_status(422).json()["detail"].clone();
    assert!(detail.as_str().is_some_and(|detail| detail.contains("500 characters")), "{detail}");
    for (path, status) in [
        (format!("{RESCALE}?wait=301"), 400),
        (format!("{RESCALE}?wait=soon"), 400),
        (format!("{RESCALE}?until=1"), 400),
    ] {
        server.post(&path, "application/json", r#"{"slots":4}"#).expect_status(status);
    }
    for path in ["?limit=0", "?limit=1001", "?limit=all", "?of=me"] {
        server.get(&format!("{RESCALES}{path}")).expect_status(400);
    }
    server.delete(RESCALE).expect_status(404);
    server.delete(&format!("{RESCALE}?id=first")).expect_status(400);
    assert_eq!(slots(&server), 2);
    assert_eq!(server.get(RESCALES).json(), json!({ "rescales": [] }));
}

#[test]
fn one_rescale_at_a_time_and_one_that_has_not_begun_can_be_taken_back() {
    let server = start();
    let (mut refused, mut cancelled) = (0, 0);
    // The pipeline may come to it at any moment, so it takes some tries to be quicker.
    for attempt in 0..40_u16 {
        let wanted = 3 + attempt % 2;
        let asked = server.post(RESCALE, "application/json", json!({ "slots": wanted }).to_string());
        let asked = asked.expect_status(202).json();
        let second = server.post(RESCALE, "application/json", r#"{"slots":9}"#);
        if second.status == 409 {
            refused += 1;
            assert!(second.text().contains(&format!("rescale {} to {wanted} slots is under way", asked["id"])));
        } else {
            second.expect_status(202);
        }
        let taken_back = server.delete(&format!("{RESCALE}?id={}", asked["id"]));
        if taken_back.status == 200 {
            cancelled += 1;
            assert_eq!(taken_back.json()["outcome"], json!("cancelled"));
        }
        until_nothing_is_under_way(&server);
        // Back to a number that is asked for next by nobody.
        if slots(&server) != 1 {
            rescale(&server, 1).expect_status(200);
        }
    }
    assert!(refused > 0 && cancelled > 0, "{refused} refused, {cancelled} cancelled");
}

fn until_nothing_is_under_way(client: &Client) {
    let until = Instant::now() + Duration::from_secs(30);
    while !client.get(PIPELINE).json()["rescale"].is_null() {
        assert!(Instant::now() < until, "a rescale does not end");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn slots_and_rescales_survive_a_stop_and_a_kill() {
    let server = start();
    let load = Load::begin(server.client());
    load.wait_for(1);
    rescale(&server, 5).expect_status(200);
    load.wait_for(3);
    let rounds = load.end();
    let history = server.get(RESCALES).json();
    let data = server.stop();

    let server = quick::start_with(data, ALL_SLOTS);
    assert_eq!(slots(&server), 5);
    assert_eq!(server.get(RESCALES).json(), history);
    // Asked for and killed: done already, or done by the restart.
    server.post(RESCALE, "application/json", r#"{"slots":11,"reason":"just before the end"}"#).expect_status(202);
    let data = server.kill();

    let server = quick::start_with(data, ALL_SLOTS);
    assert_eq!(slots(&server), 11);
    let rescales = server.get(RESCALES).json();
    let [last, first] = &rescales["rescales"].as_array().expect("a list")[..] else { panic!("{rescales}") };
    assert!(["done", "at_restart"].contains(&last["outcome"].as_str().unwrap_or_default()), "{last}");
    assert_eq!((&last["id"], first), (&json!(2), &history["rescales"][0]));
    check(&server, rounds);
    let data = server.stop();

    // Whoever starts it with another number wants that one.
    let settings = format!("{ALL_SLOTS}\nslots = 6");
    assert_eq!(slots(&quick::start_with(data, &settings)), 6);
}

#[test]
fn sql_and_command_line_tell_what_the_api_tells() {
    let server = start();
    let order = json!({ "slots": 4, "reason": "market close, 18:00", "asked_by": "the desk" });
    server.post(&format!("{RESCALE}?wait=60"), "application/json", order.to_string()).expect_status(200);
    rescale(&server, 3).expect_status(200);
    let records = server.get(&format!("{RESCALES}?limit=1000")).json();
    let rows = server.rows("SELECT * FROM system.rescales ORDER BY id DESC");
    assert_eq!(rows.len(), 2);
    for (row, record) in rows.iter().zip(records["rescales"].as_array().expect("a list")) {
        for name in ["id", "asked_by", "slots_before", "slots_after", "key_groups_moved", "phase", "outcome", "epoch"] {
            assert_eq!(row[name], record[name], "{name}");
        }
        assert_eq!(row["pause_ms"].as_f64().map(|ms| (ms * 1e3).round()), record["pause_micros"].as_f64());
        assert_eq!(row["reason"], record["reason"]["text"]);
        assert_eq!((&row["trigger"], &row["requested"]), (&json!("hand"), &record["requested"]));
    }
    assert_eq!(server.get(&format!("{RESCALES}?limit=1")).json()["rescales"], json!([records["rescales"][0]]));

    let cli = |arguments: &[&str]| tidemark(&[&["rescale", "--url", server.base()][..], arguments].concat(), &[]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let planned = cli(&["--slots", "8", "--dry-run"]);
    let said = text(&planned.stdout);
    assert!(planned.status.success() && said.contains("3 → 8 slots") && said.contains("not run"), "{said}");
    assert_eq!(slots(&server), 3, "a dry run changes nothing");
    let listed = text(&cli(&["--history"]).stdout);
    assert!(listed.contains("market close, 18:00") && listed.contains("the desk"), "{listed}");
    let refused: [(&[&str], &str); 6] = [
        (&["--slots", "0"], "1 to 128"),
        (&["--slots", "129"], "1 to 128"),
        (&["--slots", "3"], "already"),
        (&["--cancel"], "nothing to cancel"),
        (&["--slots", "many"], "invalid value"),
        (&[], "required"),
    ];
    for (arguments, reason) in refused {
        let output = cli(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(text(&output.stderr).contains(reason), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn the_pipeline_tells_who_owns_what_and_what_lags_where() {
    let server = start();
    server.post_events("positions", "committed", lines(0)).expect_status(200);
    rescale(&server, 3).expect_status(200);
    let status = server.get(PIPELINE).expect_status(200).json();
    assert_eq!(
        (&status["running"], &status["failed"], &status["rescale"]),
        (&json!(true), &json!(false), &Value::Null)
    );
    assert_eq!((&status["slots"], &status["slots_wanted"], &status["slots_max"]), (&json!(3), &json!(3), &json!(128)));
    let groups = json!([
        {"slot": 0, "first": 0, "last": 41}, {"slot": 1, "first": 42, "last": 84}, {"slot": 2, "first": 85, "last": 127},
    ]);
    assert_eq!(status["key_groups"], groups);
    let lag: Vec<u64> =
        status["partitions"].as_array().expect("a list").iter().filter_map(|p| p["lag_records"].as_u64()).collect();
    assert_eq!((lag.len(), lag.iter().sum::<u64>()), (8, 0), "all is committed");
    assert_eq!(status["expected"]["basis"], json!("earlier_pauses"));
}

#[test]
fn the_benchmark_says_how_long_pauses_are() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = folder.path().join("bench");
    let arguments = [
        "bench",
        "rescale",
        "--state-gib",
        "0.002,0.004",
        "--rescales",
        "6",
        "--slots",
        "1,3,2",
        "--rate",
        "5000",
        "--epoch-interval-ms",
        "50",
        "--data",
        data.to_str().expect("a readable path"),
    ];
    let output = tidemark(&arguments, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).expect("one JSON object");
    let sizes = figures["sizes"].as_array().expect("a list");
    assert_eq!(sizes.len(), 2);
    for size in sizes {
        assert_eq!(size["pause"]["count"], json!(6), "{size}");
        assert!(size["pause"]["p99_millis"].as_f64() > Some(0.0), "{size}");
        assert!(size["commit_gap_around_rescales"]["count"].as_u64() > Some(0), "{size}");
        assert!(size["state_bytes"].as_u64() > Some(0) && size["keys"].as_u64() > Some(0), "{size}");
    }
    assert!(figures["pause_p99_ratio"].is_f64(), "{figures}");
    assert!(!data.exists(), "the folder is removed");
}
