//! Backups through the real binary: taken while records arrive, restored elsewhere, with the same answers; what is not
//! whole is told and refused.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    quick,
    support::{Client, Server, tidemark},
};

const BACKUPS: &str = "/api/v1/backups";

fn prices() -> Value {
    json!({
        "columns": [
            {"name": "instrument", "type": "string"}, {"name": "since", "type": "date"},
            {"name": "close", "type": "decimal(18,4)"}, {"name": "op", "type": "string"},
        ],
        "key": ["instrument"], "valid_from": "since", "operation": "op", "mode": "until_changed",
    })
}

fn rates() -> Value {
    json!({
        "columns": [
            {"name": "country", "type": "string"}, {"name": "begins", "type": "date"}, {"name": "ends", "type": "date"},
            {"name": "rate", "type": "float64"}, {"name": "op", "type": "string"},
        ],
        "key": ["country"], "valid_from": "begins", "valid_to": "ends", "operation": "op", "mode": "interval",
    })
}

fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a temporary folder can be made"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a readable path")
}

/// A few events of a commit, late ones and corrections among them; the same for the same number.
fn lines(commit: u64) -> String {
    let event = |index: u64| {
        let lot = commit * 31 + index * 17 + commit * commit % 13;
        let op = if lot.is_multiple_of(7) { "delete" } else { "put" };
        let since = format!("2026-01-{:02}", 1 + lot % 28);
        json!({"instrument": format!("I{}", lot % 5), "since": since, "close": format!("{}.2500", lot % 9), "op": op})
            .to_string()
            + "\n"
    };
    (0..4).map(event).collect()
}

/// Commits one after the other; gives their system times.
fn commit(server: &Server, commits: std::ops::Range<u64>) -> Vec<String> {
    let send = |number: u64| {
        let receipt = server.post_events("prices", "committed", lines(number)).expect_status(200).json();
        let rate =
            json!({"country": "ISL", "begins": "2026-01-01", "ends": null, "rate": number as f64 / 8.0, "op": "put"});
        server.post_events("rates", "committed", rate.to_string()).expect_status(200);
        receipt["system_time"].as_str().expect("a system time").to_owned()
    };
    commits.map(send).collect()
}

fn questions(times: &[String]) -> Vec<String> {
    let mut questions = vec![
        "SELECT * FROM history(prices) ORDER BY instrument, valid_from, system_from".to_owned(),
        "SELECT p.*, r.rate FROM prices AS p JOIN rates AS r ON r.VALID_TIME CONTAINS p.valid_from \
         ORDER BY p.instrument, p.valid_from"
            .to_owned(),
    ];
    for time in times.iter().step_by(3) {
        let known = format!("FOR SYSTEM_TIME AS OF TIMESTAMP '{time}'");
        questions.push(format!("SELECT * FROM prices {known} ORDER BY instrument, valid_from"));
        questions.push(format!(
            "SELECT instrument, close FROM prices FOR VALID_TIME AS OF DATE '2026-01-15' {known} ORDER BY instrument"
        ));
    }
    questions
}

fn answers(client: &Client, questions: &[String], token: &str) -> Vec<String> {
    let ask = |sql: &String| {
        let reply = client.post_sql(&json!({"sql": sql, "snapshot": token}), "text/csv");
        assert_eq!(reply.status, 200, "{sql}\n{}", reply.text());
        reply.text()
    };
    questions.iter().map(ask).collect()
}

fn token(client: &Client) -> String {
    let reply = client.post_sql(&json!({"sql": "SELECT 1 AS one"}), "application/json").expect_status(200);
    reply.header("tidemark-snapshot").expect("a token").to_owned()
}

fn counts(client: &Client, dataset: &str) -> Value {
    client.get(&format!("/api/v1/datasets/{dataset}")).expect_status(200).json()["counts"].clone()
}

fn settled(client: &Client) {
    for _ in 0..600 {
        if counts(client, "prices")["in_flight"] == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the stream does not drain");
}

/// Takes a backup by command; gives its report.
fn backup(server: &Server, into: &Path) -> Value {
    let output = tidemark(&["backup", text(into), "--url", server.base()], b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a report")
}

fn restore(from: &Path, id: &str, data: &Path) -> Result<Value, String> {
    let output = tidemark(&["restore", text(from), "--backup", id, "--data", text(data)], b"");
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).expect("a report")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn verify(folder: &Path, id: &str) -> (bool, Value) {
    let output = tidemark(&["backup", "--verify", text(folder), id], b"");
    (output.status.success(), serde_json::from_slice(&output.stdout).expect("a report"))
}

/// A server over a restored backup, in a folder of its own.
fn restored(from: &Path, report: &Value) -> Server {
    let data = folder();
    let done = restore(from, id_of(report), data.path()).expect("a restore");
    assert_eq!((&done["files"], &done["epoch"]), (&report["files"], &report["epoch"]));
    quick::start_on(data)
}

fn id_of(report: &Value) -> &str {
    report["id"].as_str().expect("an id")
}

fn record_of(folder: &Path, report: &Value) -> Value {
    let path = folder.join("backups").join(format!("{}.json", id_of(report)));
    serde_json::from_slice(&fs::read(path).expect("a record")).expect("JSON")
}

/// The object of the first file whose place ends so.
fn object(folder: &Path, report: &Value, ending: &str) -> PathBuf {
    let record = record_of(folder, report);
    let mut files = record["files"].as_array().expect("files").iter();
    let file = files.find(|file| file["path"].as_str().is_some_and(|path| path.ends_with(ending)));
    let hash = file.and_then(|file| file["sha256"].as_str()).expect("a file of that ending").to_owned();
    folder.join("objects").join(&hash[..2]).join(hash)
}

#[test]
fn a_backup_taken_while_records_arrive_is_restored_with_the_same_answers() {
    let server = quick::start_on(folder());
    server.put_dataset("prices", &prices()).expect_status(201);
    server.put_dataset("rates", &rates()).expect_status(201);
    let refused = server.post_events("prices", "committed", "{\"instrument\": 5, \"since\": \"never\"}\n");
    assert_eq!(refused.expect_status(200).json()["accepted"], 0);
    let mut times = commit(&server, 0..12);
    server.post("/api/v1/datasets/prices/upkeep", "application/json", "{\"action\": \"compact\"}").expect_status(200);
    times.extend(commit(&server, 12..18));
    let (asked, early) = (questions(&times), token(&server));
    let before = answers(&server, &asked, &early);

    let place = folder();
    let into = place.path().join("kept");
    let (client, stop) = (server.client(), Arc::new(AtomicBool::new(false)));
    let writer = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            for number in 100.. {
                if stop.load(Ordering::Relaxed) {
                    return number;
                }
                client.post_events("prices", "durable", lines(number)).expect_status(200);
            }
            0
        }
    });
    thread::sleep(Duration::from_millis(300));
    let first = backup(&server, &into);
    stop.store(true, Ordering::Relaxed);
    let sent = writer.join().expect("the writer does not panic");
    settled(&server);
    times.extend(commit(&server, sent..sent + 4));
    let second = backup(&server, &into);
    assert!(id_of(&second) > id_of(&first));
    // What is there already is not copied again.
    assert!(second["new_files"].as_u64() < second["files"].as_u64(), "{second}");
    assert!(second["new_bytes"].as_u64() < second["bytes"].as_u64(), "{second}");
    let (later, asked_later) = (token(&server), questions(&times));
    let after = answers(&server, &asked_later, &later);
    let (counted, in_quarantine) = (counts(&server, "prices"), quarantine(&server));

    for report in [&first, &second] {
        let (holds, found) = verify(&into, id_of(report));
        assert!(holds && found["missing"] == json!([]), "{found}");
    }
    listed(&server, &into, &[id_of(&first), id_of(&second)]);
    drop(server.kill());

    let server = restored(&into, &first);
    assert_eq!(answers(&server, &asked, &early), before);
    assert_eq!(server.post_sql(&json!({"sql": "SELECT 1", "snapshot": later}), "text/csv").status, 422);
    settled(&server);
    commit(&server, 500..503);
    drop(server);

    let server = restored(&into, &second);
    assert_eq!(answers(&server, &asked, &early), before);
    assert_eq!(answers(&server, &asked_later, &later), after);
    assert_eq!(counts(&server, "prices"), counted);
    assert_eq!(quarantine(&server), in_quarantine);
    // The state came along: what is known already is no news, and a late event ends where the next one begins.
    let known = json!({"instrument": "new", "since": "2026-02-10", "close": "1.0000", "op": "put"}).to_string();
    server.post_events("prices", "committed", known.clone()).expect_status(200);
    let unchanged = counts(&server, "prices")["unchanged"].as_u64();
    server.post_events("prices", "committed", known).expect_status(200);
    assert_eq!(counts(&server, "prices")["unchanged"].as_u64(), unchanged.map(|count| count + 1));
    let late = json!({"instrument": "new", "since": "2026-02-01", "close": "2.0000", "op": "put"}).to_string();
    server.post_events("prices", "committed", late).expect_status(200);
    let sql = "SELECT close, valid_to FROM prices WHERE instrument = 'new' ORDER BY valid_from";
    assert_eq!(server.rows(sql)[0]["valid_to"], "2026-02-10T00:00:00Z");
    let compacted = server.post("/api/v1/datasets/prices/upkeep", "application/json", "{\"action\": \"compact\"}");
    compacted.expect_status(200);
    assert_eq!(answers(&server, &asked, &early), before);
    assert_eq!(answers(&server, &asked_later, &later), after);
    // The restored lake goes on with the backups of the first.
    let third = backup(&server, &into);
    let server = restored(&into, &third);
    assert_eq!(answers(&server, &asked_later, &later), after);
}

fn quarantine(client: &Client) -> Value {
    client.get("/api/v1/datasets/prices/quarantine").expect_status(200).json()
}

fn listed(server: &Server, folder: &Path, ids: &[&str]) {
    let by_api = server.get(&format!("{BACKUPS}?folder={}", text(folder))).expect_status(200).json();
    let found: Vec<&str> =
        by_api["backups"].as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(found, ids);
    let output = tidemark(&["backup", "--list", text(folder)], b"");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && ids.iter().all(|id| shown.contains(id)), "{shown}");
}

#[test]
fn what_is_missing_or_altered_is_told_and_not_restored() {
    let server = quick::start_on(folder());
    server.put_dataset("prices", &prices()).expect_status(201);
    server.put_dataset("rates", &rates()).expect_status(201);
    commit(&server, 0..3);
    let place = folder();
    let into = place.path();
    let report = backup(&server, into);
    let id = id_of(&report);
    let data = place.path().join("data");
    let kept = object(into, &report, ".parquet");
    let contents = fs::read(&kept).expect("an object");

    let mut altered = contents.clone();
    altered[contents.len() / 2] ^= 1;
    fs::write(&kept, &altered).expect("the object can be altered");
    let (holds, found) = verify(into, id);
    assert!(!holds && found["altered"].as_array().is_some_and(|files| files.len() == 1), "{found}");
    let error = restore(into, id, &data).expect_err("a refusal");
    assert!(error.contains("altered") && error.contains(".parquet"), "{error}");
    assert_eq!(fs::read_dir(&data).expect("the folder").count(), 0, "nothing is left of it");

    fs::remove_file(&kept).expect("the object can be removed");
    let (holds, found) = verify(into, id);
    assert!(!holds && found["missing"].as_array().is_some_and(|files| files.len() == 1), "{found}");
    assert!(restore(into, id, &data).expect_err("a refusal").contains("missing"));
    // The lake still has it, so the next backup puts it back.
    backup(&server, into);
    assert!(verify(into, id).0);
    assert_eq!(fs::read(&kept).expect("an object"), contents);

    fs::write(data.join("mine"), "something").expect("a file");
    let error = restore(into, id, &data).expect_err("a refusal");
    assert!(error.contains("not empty"), "{error}");
    assert!(data.join("mine").is_file());
    let error = restore(into, "nosuch", &place.path().join("other")).expect_err("a refusal");
    assert!(error.contains("nosuch") && error.contains("--list"), "{error}");

    let path = into.join("backups").join(format!("{id}.json"));
    let mut record = record_of(into, &report);
    record["format"] = json!(2);
    fs::write(&path, record.to_string()).expect("the record can be written");
    let error = restore(into, id, &place.path().join("other")).expect_err("a refusal");
    assert!(error.contains("format 2"), "{error}");
}

#[test]
fn a_backup_that_is_cut_off_leaves_none_and_the_next_goes_on() {
    let server = quick::start_on(folder());
    server.put_dataset("prices", &prices()).expect_status(201);
    server.put_dataset("rates", &rates()).expect_status(201);
    commit(&server, 0..3);
    let place = folder();
    let into = place.path();
    // What stands in the way of an object cuts it off after others.
    let first = backup(&server, into);
    let kept = object(into, &first, "catalog.sqlite");
    fs::remove_dir_all(into.join("backups")).expect("the records can be removed");
    fs::remove_file(&kept).expect("the object can be removed");
    commit(&server, 3..4);
    fs::create_dir_all(into.join("incoming").join("object")).expect("a folder in the way");
    let failed = server.post(BACKUPS, "application/json", json!({ "folder": into }).to_string()).expect_status(500);
    assert!(failed.json()["detail"].as_str().is_some_and(|detail| detail.contains("cannot be written")));
    assert_eq!(fs::read_dir(into.join("backups")).expect("the records").count(), 0);
    assert!(!server.data().join("backup-scratch").exists());
    fs::remove_dir(into.join("incoming").join("object")).expect("the folder can go");
    // Killed at any moment: whatever it leaves, the next start cleans, and the next backup is whole.
    let client = server.client();
    let body = json!({ "folder": into }).to_string();
    let asking = thread::spawn(move || {
        // The server is gone before it answers, or not.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.post(BACKUPS, "application/json", body))).ok();
    });
    thread::sleep(Duration::from_millis(40));
    let data = server.kill();
    asking.join().expect("the asking thread ends");
    let server = quick::start_on(data);
    assert!(!server.data().join("backup-scratch").exists());
    let report = backup(&server, into);
    assert!(verify(into, id_of(&report)).0);
    restored(into, &report);
}

#[test]
fn folders_that_cannot_be_used_are_refused_with_their_reason() {
    let server = quick::start_on(folder());
    let problem = |body: Value, status: u16, word: &str| {
        let reply = server.post(BACKUPS, "application/json", body.to_string()).expect_status(status);
        let detail = reply.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains(word), "{detail}");
    };
    problem(json!({"folder": "backups"}), 422, "absolute");
    problem(json!({"folder": server.data().join("backups")}), 422, "inside the data folder");
    problem(json!({"folder": "/tmp", "name": "x"}), 422, "name");
    problem(json!({}), 422, "folder");
    for (query, status) in [("", 400), ("?folder=backups", 422), ("?folder=/nosuch-folder", 404)] {
        assert_eq!(server.get(&format!("{BACKUPS}{query}")).status, status, "{query}");
    }
    let output = tidemark(&["backup", "--list", "/nosuch-folder"], b"");
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds no backups"));
    // A restore that was cut off is not taken for a lake.
    let data = folder();
    fs::write(data.path().join("restore-unfinished"), "").expect("the mark");
    let refused = tidemark(&["serve", "--data", text(data.path()), "--listen", "127.0.0.1:0"], b"");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("restore"), "it says why");
}
