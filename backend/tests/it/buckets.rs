//! Backups and archives in a bucket, through the real binary, against a server that stands in for S3.

use std::{fs, sync::Arc};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    bucket::{AUTHORISATION, Bucket},
    quick,
    support::{Environment, Server, tidemark_in},
};

const BACKUPS: &str = "s3://lake/kept/backups";
/// Larger than what is sent in one part.
const LARGE_FILE_BYTES: usize = 40 << 20;

fn prices() -> Value {
    json!({
        "columns": [
            {"name": "instrument", "type": "string"}, {"name": "since", "type": "date"},
            {"name": "close", "type": "decimal(18,4)"},
        ],
        "key": ["instrument"], "valid_from": "since", "mode": "until_changed",
    })
}

fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a temporary folder can be made"))
}

/// Commits one after the other, later ones over earlier ones; gives their system times.
fn commit(server: &Server, commits: std::ops::Range<u64>) -> Vec<String> {
    let send = |number: u64| {
        let event = |index: u64| {
            let (day, close) = (1 + (number * 7 + index * 5) % 28, number * 10 + index);
            json!({"instrument": format!("I{}", index % 4), "since": format!("2026-01-{day:02}"), "close": format!("{close}.25")})
                .to_string()
        };
        let lines: Vec<String> = (0..6).map(event).collect();
        let receipt = server.post_events("prices", "committed", lines.join("\n")).expect_status(200).json();
        receipt["system_time"].as_str().expect("a system time").to_owned()
    };
    commits.map(send).collect()
}

fn questions(times: &[String]) -> Vec<String> {
    let as_of = |time: &String| {
        format!("SELECT * FROM prices FOR SYSTEM_TIME AS OF TIMESTAMP '{time}' ORDER BY instrument, valid_from")
    };
    let mut questions: Vec<String> = times.iter().map(as_of).collect();
    questions.push("SELECT * FROM history(prices) ORDER BY instrument, valid_from, system_from".to_owned());
    questions
}

fn token(server: &Server) -> String {
    let reply = server.post_sql(&json!({"sql": "SELECT 1 AS one"}), "application/json").expect_status(200);
    reply.header("tidemark-snapshot").expect("a token").to_owned()
}

fn answers(server: &Server, questions: &[String], token: &str) -> Vec<String> {
    let ask = |sql: &String| {
        let reply = server.post_sql(&json!({"sql": sql, "snapshot": token}), "text/csv");
        assert_eq!(reply.status, 200, "{sql}\n{}", reply.text());
        reply.text()
    };
    questions.iter().map(ask).collect()
}

fn run(arguments: &[&str], environment: Environment<'_>) -> (bool, String, String) {
    let output = tidemark_in(arguments, b"", environment);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn report(arguments: &[&str], environment: Environment<'_>) -> Value {
    let (done, out, err) = run(arguments, environment);
    assert!(done, "{arguments:?}: {err}");
    serde_json::from_str(&out).expect("a report")
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("a readable path")
}

#[test]
fn a_backup_in_a_bucket_is_incremental_verified_and_restored() {
    let Some(bucket) = Bucket::start() else { return };
    let environment = bucket.environment();
    let data = folder();
    let large: Vec<u8> = (0..LARGE_FILE_BYTES).map(|at| ((at * at) >> 7) as u8).collect();
    fs::write(data.path().join("demo.json"), &large).expect("a large file");
    let server = quick::start_in(data, "", &environment);
    server.put_dataset("prices", &prices()).expect_status(201);
    let mut times = commit(&server, 0..6);
    let take = ["backup", BACKUPS, "--url", server.base()];
    let first = report(&take, &[]);
    times.extend(commit(&server, 6..9));
    let (asked, token) = (questions(&times), token(&server));
    let before = answers(&server, &asked, &token);
    let second = report(&take, &[]);
    assert!(second["new_files"].as_u64() < second["files"].as_u64(), "{second}");
    assert!(second["new_bytes"].as_u64() < Some(LARGE_FILE_BYTES as u64), "{second}");
    let ids = [&first, &second].map(|report| report["id"].as_str().expect("an id").to_owned());
    let (done, listed, _) = run(&["backup", "--list", BACKUPS], &environment);
    assert!(done && ids.iter().all(|id| listed.contains(id)), "{listed}");
    let by_api = server.get(&format!("/api/v1/backups?folder={BACKUPS}")).expect_status(200).json();
    assert_eq!(by_api["backups"].as_array().map(Vec::len), Some(2));
    for id in &ids {
        let found = report(&["backup", "--verify", BACKUPS, id], &environment);
        assert_eq!((&found["missing"], &found["altered"]), (&json!([]), &json!([])));
    }
    drop(server);

    let data = folder();
    report(&["restore", BACKUPS, "--data", text(data.path())], &environment);
    assert_eq!(fs::read(data.path().join("demo.json")).expect("the large file"), large);
    let server = quick::start_in(data, "", &environment);
    assert_eq!(answers(&server, &asked, &token), before);
    drop(server);

    // Objects that are altered are found, and not restored.
    let keys = bucket.keys("kept/backups/objects/");
    assert!(!keys.is_empty());
    for key in keys {
        bucket.client.put(&format!("/lake/{key}"), AUTHORISATION, "something else").expect_status(200);
    }
    let (held, out, _) = run(&["backup", "--verify", BACKUPS, &ids[1]], &environment);
    let found: Value = serde_json::from_str(&out).expect("a report");
    let altered = found["altered"].as_array().expect("a list");
    assert!(
        !held && altered.iter().any(|file| file.as_str().is_some_and(|place| place.ends_with(".parquet"))),
        "{out}"
    );
    let data = folder();
    let (restored, _, why) = run(&["restore", BACKUPS, "--data", text(data.path())], &environment);
    assert!(!restored && why.contains("altered"), "{why}");
}

#[test]
fn files_in_an_archive_in_a_bucket_answer_as_before() {
    let Some(bucket) = Bucket::start() else { return };
    let environment = bucket.environment();
    let settings = "archive = \"s3://lake/cold\"\narchive_after_days = 0\nupkeep = false";
    let server = quick::start_in(folder(), settings, &environment);
    server.put_dataset("prices", &prices()).expect_status(201);
    let times = commit(&server, 0..20);
    let (asked, token) = (questions(&times), token(&server));
    let before = answers(&server, &asked, &token);
    let maintain = |server: &Server, further: &[&str]| {
        let (done, out, err) = run(&[&["maintain"], further, &["--url", server.base()]].concat(), &[]);
        assert!(done, "{further:?}: {err}");
        out
    };
    maintain(&server, &[]);
    let table = maintain(&server, &["--archive"]);
    assert!(table.contains("archive") && table.contains("superseded"), "{table}");
    assert_eq!(bucket.keys("cold/").len(), 1);
    assert_eq!(answers(&server, &asked, &token), before);
    assert!(maintain(&server, &["--verify"]).contains("yes"));

    let server = quick::start_in(server.kill(), settings, &environment);
    assert_eq!(answers(&server, &asked, &token), before);
    // A backup into a folder has what is archived in the bucket.
    let kept = folder();
    report(&["backup", text(kept.path()), "--url", server.base()], &[]);
    let data = folder();
    report(&["restore", text(kept.path()), "--data", text(data.path())], &[]);
    let restored = quick::start_with(data, "upkeep = false");
    assert_eq!(answers(&restored, &asked, &token), before);
    drop(restored);

    let data = server.kill();
    let server = quick::start_in(data.clone(), settings, &environment);
    drop(bucket);
    assert!(!server.rows("SELECT count(*) AS n FROM prices").is_empty(), "what is known now needs no bucket");
    let missed = server.post_sql(&json!({ "sql": asked[0] }), "text/csv").expect_status(503).json();
    let detail = missed["detail"].as_str().expect("a detail");
    assert!(detail.contains("bucket lake") && detail.contains("try again"), "{detail}");
    assert!(!server.log().contains("secret-of-a-test"), "credentials stay out of the log");
    drop(server);
    // Without credentials it says which variable is missing.
    let server = quick::start_with(data, settings);
    let missed = server.post_sql(&json!({ "sql": asked[0] }), "text/csv").expect_status(503);
    assert!(missed.text().contains("AWS_ACCESS_KEY_ID"), "{}", missed.text());
}

#[test]
fn places_in_buckets_that_cannot_be_used_are_refused_with_their_reason() {
    let Some(bucket) = Bucket::start() else { return };
    let environment = bucket.environment();
    for (place, word) in
        [("s3://", "s3://bucket/prefix"), ("s3://nosuch/x", "bucket nosuch"), ("s3://lake/x", "no backups")]
    {
        let (done, _, why) = run(&["backup", "--list", place], &environment);
        assert!(!done && why.contains(word), "{place}: {why}");
        assert!(!why.contains("secret-of-a-test"), "{why}");
    }
    let server = quick::start_in(folder(), "", &environment);
    let order = json!({"folder": "s3://nosuch/x"}).to_string();
    let refused = server.post("/api/v1/backups", "application/json", order).expect_status(503);
    assert!(refused.text().contains("bucket nosuch"), "{}", refused.text());
    let (done, _, why) = run(&["backup", "--list", "s3://lake/x"], &[("AWS_ACCESS_KEY_ID", "")]);
    assert!(!done && why.contains("AWS_ACCESS_KEY_ID"), "{why}");
}
