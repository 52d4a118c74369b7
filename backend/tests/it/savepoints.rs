//! Savepoints through the real binary: taken while records arrive, restored after the state was lost, with the same
//! answers; what does not belong together, is not whole or comes too late is refused with its reason.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    bucket::Bucket,
    quick,
    support::{Client, Environment, Server, tidemark, tidemark_in},
};

pub const SAVEPOINTS: &str = "/api/v1/savepoints";
/// The stream lets go of all it may, soon, so that what it holds it holds for savepoints.
pub const LETS_GO: &str = "stream_kept_bytes = 0\ncheckpoint_interval_secs = 1\nsavepoint_interval_secs = 0";

pub fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a temporary folder can be made"))
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a readable path")
}

pub fn prices() -> Value {
    json!({
        "columns": [
            {"name": "instrument", "type": "string"}, {"name": "since", "type": "date"},
            {"name": "close", "type": "decimal(18,4)"}, {"name": "op", "type": "string"},
        ],
        "key": ["instrument"], "valid_from": "since", "operation": "op", "mode": "until_changed",
    })
}

fn lines(number: u64) -> String {
    let event = |index: u64| {
        let (day, close) = (1 + (number * 7 + index * 5) % 28, number * 10 + index);
        let op = if (number + index) % 11 == 10 { "delete" } else { "put" };
        let instrument = format!("I{}", (number + index * 3) % 50);
        json!({"instrument": instrument, "since": format!("2026-01-{day:02}"), "close": format!("{close}.25"), "op": op})
            .to_string()
    };
    (0..40).map(event).collect::<Vec<_>>().join("\n")
}

/// Commits one after the other; gives their system times.
pub fn commit(client: &Client, numbers: std::ops::Range<u64>) -> Vec<String> {
    let send = |number| {
        let receipt = client.post_events("prices", "committed", lines(number)).expect_status(200).json();
        receipt["system_time"].as_str().expect("a system time").to_owned()
    };
    numbers.map(send).collect()
}

/// What is asked before and after, and its answers under one token.
pub struct Asked {
    questions: Vec<String>,
    token: String,
    answers: Vec<String>,
    counts: Value,
}

impl Asked {
    pub fn of(client: &Client, times: &[String]) -> Asked {
        settled(client);
        let as_of = |time: &String| {
            format!("SELECT * FROM prices FOR SYSTEM_TIME AS OF TIMESTAMP '{time}' ORDER BY instrument, valid_from")
        };
        let mut questions: Vec<String> = times.iter().map(as_of).collect();
        questions.push("SELECT * FROM history(prices) ORDER BY instrument, valid_from, system_from".to_owned());
        let one = client.post_sql(&json!({"sql": "SELECT 1 AS one"}), "application/json").expect_status(200);
        let token = one.header("tidemark-snapshot").expect("a token").to_owned();
        let answers = answers(client, &questions, &token);
        Asked { questions, token, answers, counts: counts(client) }
    }

    /// Nothing has changed: not the past, not the counts, and not what the state knows.
    pub fn again(&self, client: &Client) {
        assert_eq!(counts(client), self.counts);
        assert_eq!(answers(client, &self.questions, &self.token), self.answers);
        let put = |since: &str, close: &str| {
            let event = json!({"instrument": "known", "since": since, "close": close, "op": "put"}).to_string();
            client.post_events("prices", "committed", event).expect_status(200);
            counts(client)["unchanged"].as_u64().expect("a count")
        };
        // A late event ends where the next one begins, and what is known already is no news: the state has both.
        let before = put("2026-02-10", "1.0000");
        put("2026-02-01", "2.0000");
        assert_eq!(put("2026-02-10", "1.0000"), before + 1);
        let sql = "SELECT valid_to FROM prices WHERE instrument = 'known' ORDER BY valid_from";
        assert_eq!(client.rows(sql)[0]["valid_to"], "2026-02-10T00:00:00Z");
        assert_eq!(answers(client, &self.questions, &self.token), self.answers);
    }
}

impl Asked {
    /// Nothing of the past has changed.
    pub fn past_again(&self, client: &Client) {
        assert_eq!(answers(client, &self.questions, &self.token), self.answers);
    }

    /// Records that had arrived.
    pub fn received(&self) -> u64 {
        self.counts["received"].as_u64().expect("a count")
    }
}

fn answers(client: &Client, questions: &[String], token: &str) -> Vec<String> {
    let ask = |sql: &String| {
        let reply = client.post_sql(&json!({"sql": sql, "snapshot": token}), "text/csv");
        assert_eq!(reply.status, 200, "{sql}\n{}", reply.text());
        reply.text()
    };
    questions.iter().map(ask).collect()
}

pub fn counts(client: &Client) -> Value {
    client.get("/api/v1/datasets/prices").expect_status(200).json()["counts"].clone()
}

pub fn settled(client: &Client) {
    until("the stream drains", || counts(client)["in_flight"] == 0);
}

/// Waits until something holds that is about to.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Runs `tidemark savepoint …`; gives its answer, or what it said.
pub fn savepoint(arguments: &[&str], environment: Environment<'_>) -> Result<Value, String> {
    let output = tidemark_in(&[&["savepoint"], arguments].concat(), b"", environment);
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).expect("JSON")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

pub fn create(server: &Server, name: &str) -> Value {
    savepoint(&["create", name, "--url", server.base()], &[]).expect("a savepoint")
}

pub fn restore(name: &str, data: &TempDir, further: &[&str]) -> Result<Value, String> {
    savepoint(&[&["restore", name, "--data", text(data.path())], further].concat(), &[])
}

/// The savepoint of that name as it is listed.
fn listed(client: &Client, name: &str) -> Value {
    let held = client.get(SAVEPOINTS).expect_status(200).json();
    let mut savepoints = held["savepoints"].as_array().expect("a list").iter();
    savepoints.find(|savepoint| savepoint["name"] == name).cloned().expect("a savepoint of that name")
}

/// The objects of a place.
fn objects(place: &Path) -> Vec<PathBuf> {
    let inside = |folder: PathBuf| fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    inside(place.join("savepoint-objects")).flat_map(inside).collect()
}

#[test]
fn a_savepoint_taken_under_load_is_restored_into_other_slots_with_the_same_answers() {
    let server = quick::start_with(folder(), LETS_GO);
    server.put_dataset("prices", &prices()).expect_status(201);
    let mut times = commit(&server, 0..10);
    let (client, stop) = (server.client(), Arc::new(AtomicBool::new(false)));
    let writer = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut number = 100;
            while !stop.load(Ordering::Relaxed) {
                client.post_events("prices", "durable", lines(number)).expect_status(200);
                number += 1;
            }
            number
        }
    });
    thread::sleep(Duration::from_millis(500));
    let first = create(&server, "first");
    // Long enough for checkpoints after which the stream would let go of what the savepoint needs.
    thread::sleep(Duration::from_millis(2_500));
    let second = create(&server, "second");
    stop.store(true, Ordering::Relaxed);
    let sent = writer.join().expect("the writer does not panic");
    assert!(first["epoch"].as_u64() > Some(0) && first["epoch"].as_u64() < second["epoch"].as_u64(), "{second}");
    assert_eq!((&first["slots"], &first["restorable"]), (&json!(2), &json!(true)));
    times.extend(commit(&server, sent..sent + 5));
    let asked = Asked::of(&server, &times);

    // Killed, with the state gone; then the same again with the state as it is.
    let data = server.kill();
    fs::remove_dir_all(data.path().join("state")).expect("the state can be removed");
    let report = restore("first", &data, &["--slots", "5"]).expect("a restore");
    assert!(report["epochs_to_apply"].as_u64() > Some(0) && report["slots"] == 5, "{report}");
    let server = quick::start_with(data, LETS_GO);
    asked.again(&server);
    until("five workers are told of", || {
        let samples = server.rows("SELECT slots FROM system.pipeline_samples ORDER BY at DESC LIMIT 1");
        samples.first().is_some_and(|sample| sample["slots"] == 5)
    });
    let data = server.stop();
    restore("second", &data, &["--slots", "1"]).expect("a restore");
    assert!(data.path().join("state-before-restore").is_dir());
    let server = quick::start_with(data, LETS_GO);
    until("the state from before is gone", || !server.data().join("state-before-restore").exists());
    assert_eq!(answers(&server, &asked.questions, &asked.token), asked.answers);
    let known =
        server.rows("SELECT close, valid_from, valid_to FROM prices WHERE instrument = 'known' ORDER BY valid_from");
    assert_eq!(known.len(), 2, "{known:?}");
}

#[test]
fn the_slots_of_a_restore_take_the_place_of_those_of_a_rescale() {
    let slots = |server: &Server| server.get("/api/v1/pipeline").expect_status(200).json()["slots"].clone();
    let server = quick::start_with(folder(), LETS_GO);
    server.put_dataset("prices", &prices()).expect_status(201);
    commit(&server, 0..3);
    server.post("/api/v1/pipeline/rescale?wait=60", "application/json", r#"{"slots":5}"#).expect_status(200);
    assert_eq!(create(&server, "five")["slots"], 5);
    let mut data = server.stop();
    for (asked_for, found) in [(None, 5), (Some("2"), 2), (None, 2), (Some("3"), 3)] {
        let arguments: Vec<&str> = asked_for.iter().flat_map(|slots| ["--slots", slots]).collect();
        let report = restore("five", &data, &arguments).expect("a restore");
        assert_eq!(report["slots"], asked_for.map_or(Value::Null, |_| json!(found)));
        let server = quick::start_with(data, LETS_GO);
        assert_eq!(slots(&server), found, "{asked_for:?}");
        data = server.stop();
    }
    // What the settings say is another number than they said before.
    let server = quick::start_with(data, &format!("{LETS_GO}\nslots = 4"));
    assert_eq!(slots(&server), 4);
}

#[test]
fn a_second_savepoint_stores_only_what_is_new_and_deleting_one_leaves_the_others_whole() {
    let disk = folder();
    let place = disk.path().join("kept");
    let settings = format!("{LETS_GO}\nsavepoints = \"{}\"", text(&place));
    let server = quick::start_with(folder(), &settings);
    server.put_dataset("prices", &prices()).expect_status(201);
    let times = commit(&server, 0..10);
    create(&server, "a");
    commit(&server, 10..12);
    let second = create(&server, "b");
    let number = |name: &str| second[name].as_u64().expect("a number");
    assert!(number("new_files") < number("files") && number("new_bytes") < number("bytes"), "{second}");
    let described = server.get(&format!("{SAVEPOINTS}/b")).expect_status(200).json();
    let contents = described["contents"].as_array().expect("files");
    assert_eq!(contents.len() as u64, number("files"));
    assert!(contents.iter().all(|file| file["path"].as_str().is_some_and(|path| path.starts_with("state/"))));
    let rows = server.rows("SELECT name, epoch, restorable FROM system.savepoints ORDER BY epoch");
    assert_eq!(rows[1], json!({"name": "b", "epoch": second["epoch"], "restorable": true}));

    let before = objects(&place).len();
    let deleted = savepoint(&["delete", "a", "--url", server.base()], &[]).expect("a report");
    assert!(deleted["removed_files"].as_u64() > Some(0), "{deleted}");
    assert_eq!(objects(&place).len() as u64, before as u64 - deleted["removed_files"].as_u64().expect("a count"));
    let there = ["--data", text(server.data()), "--savepoints", text(&place)];
    let verified = savepoint(&[&["verify", "b"], &there[..]].concat(), &[]).expect("a whole savepoint");
    assert_eq!((&verified["missing"], &verified["altered"]), (&json!([]), &json!([])));
    assert_eq!(server.get(&format!("{SAVEPOINTS}/a")).status, 404);
    assert_eq!(server.delete(&format!("{SAVEPOINTS}/a")).status, 404);
    let asked = Asked::of(&server, &times);
    let data = server.stop();
    // Where the place is away at a start, as a disk that is not mounted, the stream goes on holding what is needed.
    let elsewhere = disk.path().join("elsewhere");
    fs::rename(&place, &elsewhere).expect("it can be moved");
    let server = quick::start_with(data, &settings);
    until("it is told of", || {
        let problem = server.get(SAVEPOINTS).expect_status(200).json()["problem"].clone();
        problem.as_str().is_some_and(|problem| problem.contains("mount it"))
    });
    commit(&server, 50..52);
    thread::sleep(Duration::from_millis(1_500));
    let data = server.stop();
    fs::rename(&elsewhere, &place).expect("it can be moved");
    restore("b", &data, &["--savepoints", text(&place)]).expect("a restore");
    asked.past_again(&quick::start_with(data, &settings));
}

#[test]
fn what_is_altered_or_missing_is_told_and_nothing_is_changed() {
    let server = quick::start_with(folder(), LETS_GO);
    server.put_dataset("prices", &prices()).expect_status(201);
    let times = commit(&server, 0..5);
    create(&server, "only");
    let asked = Asked::of(&server, &times);
    let contents = server.get(&format!("{SAVEPOINTS}/only")).json()["contents"].clone();
    let mut files = contents.as_array().expect("files").iter();
    let table = files.find(|file| file["path"].as_str().is_some_and(|path| path.ends_with(".sst"))).expect("a table");
    let hash = table["sha256"].as_str().expect("a hash");
    let data = server.stop();
    let object = data.path().join("savepoints/savepoint-objects").join(&hash[..2]).join(hash);
    let whole = fs::read(&object).expect("an object");
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    fs::write(&object, &altered).expect("the object can be altered");
    let refused = |word: &str| {
        let why = savepoint(&["verify", "only", "--data", text(data.path())], &[]).expect_err("a refusal");
        assert!(why.contains(word) && why.contains("take another"), "{why}");
        let why = restore("only", &data, &[]).expect_err("a refusal");
        assert!(why.contains(word) && why.contains(".sst") && why.contains("use another savepoint"), "{why}");
        assert!(!data.path().join("state-incoming").exists() && data.path().join("state/CURRENT").is_file());
    };
    refused("altered");
    // While altered contents lie there, they are not stored anew: so whoever looks is told which.
    let why = savepoint(&["verify", "only", "--data", text(data.path())], &[]).expect_err("a refusal");
    assert!(why.contains(&format!("remove the object {hash}")), "{why}");
    fs::remove_file(&object).expect("the object can be removed");
    refused("missing");
    let why = restore("nosuch", &data, &[]).expect_err("a refusal");
    assert!(why.contains("nosuch") && why.contains("tidemark savepoint list"), "{why}");
    let why = restore("only", &data, &["--slots", "0"]).expect_err("a refusal");
    assert!(why.contains("1 to 128"), "{why}");
    // The state was not touched, and the next savepoint has what is missing again.
    let server = quick::start_with(data, LETS_GO);
    asked.again(&server);
    create(&server, "next");
    // A record that cannot be read is told of, hides no other and can be deleted.
    let record = server.data().join("savepoints/savepoints/only.json");
    fs::write(&record, "{").expect("the record can be altered");
    let held = server.get(SAVEPOINTS).expect_status(200).json();
    assert!(held["damaged"][0].as_str().is_some_and(|damaged| damaged.contains("only")), "{held}");
    assert_eq!(held["savepoints"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.delete(&format!("{SAVEPOINTS}/only")).expect_status(200).json()["name"], "only");
    savepoint(&["verify", "next", "--data", text(server.data())], &[]).expect("a whole savepoint");
}

#[test]
fn savepoints_and_lakes_that_do_not_belong_together_are_refused() {
    let server = quick::start_with(folder(), LETS_GO);
    server.put_dataset("prices", &prices()).expect_status(201);
    commit(&server, 0..3);
    let kept = folder();
    let backup = tidemark(&["backup", text(kept.path()), "--url", server.base()], b"");
    assert!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stderr));
    commit(&server, 3..6);
    create(&server, "later");
    assert_eq!(listed(&server, "later")["restorable"], true);
    let why = restore_from(server.data(), server.data()).expect_err("a refusal");
    assert!(why.contains("stop the Tidemark"), "{why}");
    let place = server.data().to_path_buf();

    // Another lake, which must not take savepoints there either.
    let settings = format!("{LETS_GO}\nsavepoints = \"{}\"", text(&place.join("savepoints")));
    let other = quick::start_with(folder(), &settings);
    other.put_dataset("prices", &prices()).expect_status(201);
    commit(&other, 0..9);
    let refused = other.post(SAVEPOINTS, "application/json", r#"{"name": "mine"}"#).expect_status(409);
    assert!(refused.text().contains("a place of its own"), "{}", refused.text());
    let data = other.stop();
    let why = restore_from(data.path(), &place).expect_err("a refusal");
    assert!(why.contains("it is of lake") && why.contains("use a savepoint of this lake"), "{why}");

    // The same lake as it was before: first without the epoch of the savepoint, then with another one of that number.
    let data = folder();
    let restored = tidemark(&["restore", text(kept.path()), "--data", text(data.path())], b"");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let why = restore_from(data.path(), &place).expect_err("a refusal");
    assert!(why.contains("the lake at epoch"), "{why}");
    let server = quick::start_with(data, LETS_GO);
    commit(&server, 50..60);
    let data = server.stop();
    let savepoints = place.join("savepoints");
    let listing = ["list", "--data", text(data.path()), "--savepoints", text(&savepoints)];
    let said = tidemark(&[&["savepoint"], &listing[..]].concat(), b"");
    assert!(String::from_utf8_lossy(&said.stderr).contains("another than that of the savepoint"), "{said:?}");
    let why = restore_from(data.path(), &place).expect_err("a refusal");
    assert!(why.contains("another than that of the savepoint"), "{why}");
    let why = restore_from(folder().path(), &place).expect_err("a refusal");
    assert!(why.contains("no data folder"), "{why}");
}

fn restore_from(data: &Path, place: &Path) -> Result<Value, String> {
    let place = place.join("savepoints");
    savepoint(&["restore", "later", "--data", text(data), "--savepoints", text(&place)], &[])
}

#[test]
fn a_savepoint_says_when_the_stream_could_hold_no_more_for_it() {
    let server = quick::start_with(folder(), &format!("{LETS_GO}\nsavepoint_stream_bytes = 100000"));
    server.put_dataset("prices", &prices()).expect_status(201);
    commit(&server, 0..3);
    create(&server, "old");
    commit(&server, 3..5);
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(listed(&server, "old")["restorable"], true);
    let mut number = 100;
    until("the stream has let go of what it needs", || {
        commit(&server, number..number + 20);
        number += 20;
        listed(&server, "old")["restorable"] == false
    });
    create(&server, "new");
    let old = listed(&server, "old");
    assert!(old["reason"].as_str().is_some_and(|why| why.contains("savepoint_stream_bytes")), "{old}");
    assert_eq!(listed(&server, "new")["restorable"], true);
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("tidemark_savepoints_restorable 1"), "{metrics}");
    let data = server.kill();
    let offline = tidemark(&["savepoint", "list", "--data", text(data.path())], b"");
    let (shown, said) = (String::from_utf8_lossy(&offline.stdout), String::from_utf8_lossy(&offline.stderr));
    assert!(shown.contains("NO") && shown.contains("yes") && said.contains("use a later savepoint"), "{shown}{said}");
    let why = restore("old", &data, &[]).expect_err("a refusal");
    assert!(why.contains("the stream has let go"), "{why}");
    restore("new", &data, &[]).expect("a restore");
    settled(&quick::start_with(data, LETS_GO));
}

#[test]
fn automatic_savepoints_come_by_themselves_and_the_newest_stay() {
    let settings =
        "stream_kept_bytes = 0\ncheckpoint_interval_secs = 1\nsavepoint_interval_secs = 1\nsavepoints_kept = 2";
    let server = quick::start_with(folder(), settings);
    server.put_dataset("prices", &prices()).expect_status(201);
    create_named_conflicts(&server);
    let names = || {
        let held = server.get(SAVEPOINTS).expect_status(200).json();
        let list = held["savepoints"].as_array().expect("a list").clone();
        list.iter().map(|savepoint| savepoint["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let automatic = || names().into_iter().filter(|name| name.starts_with("auto-")).collect::<Vec<_>>();
    let (mut number, mut seen) = (0, std::collections::BTreeSet::new());
    while seen.len() < 4 {
        commit(&server, number..number + 1);
        number += 1;
        seen.extend(automatic());
        assert!(automatic().len() <= 3, "two, and one that is just coming: {:?}", automatic());
        assert!(number < 2_000, "automatic savepoints stay away: {}", server.log());
        thread::sleep(Duration::from_millis(50));
    }
    assert!(names().contains(&"mine".to_owned()), "named ones stay");
    let times = commit(&server, number..number + 2);
    let asked = Asked::of(&server, &times);
    let newest = automatic().pop().expect("an automatic savepoint");
    let data = server.kill();
    fs::remove_dir_all(data.path().join("state")).expect("the state can be removed");
    restore(&newest, &data, &[]).expect("a restore");
    asked.again(&quick::start_with(data, settings));
}

#[test]
fn one_place_holds_backups_too_and_after_restoring_one_savepoints_go_on() {
    let kept = folder();
    let settings = format!(
        "stream_kept_bytes = 0\ncheckpoint_interval_secs = 1\nsavepoint_interval_secs = 1\nsavepoints = \"{}\"",
        text(kept.path())
    );
    let server = quick::start_with(folder(), &settings);
    server.put_dataset("prices", &prices()).expect_status(201);
    commit(&server, 0..3);
    create(&server, "mine");
    let backup = tidemark(&["backup", text(kept.path()), "--url", server.base()], b"");
    assert!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stderr));
    // Taking and deleting savepoints leaves the backup whole.
    commit(&server, 3..6);
    create(&server, "another");
    server.delete(&format!("{SAVEPOINTS}/mine")).expect_status(200);
    let verified = tidemark(&["backup", text(kept.path()), "--verify"], b"");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    drop(server.kill());

    // The stream of the backup holds what savepoints needed that are not there now, in its data folder or elsewhere.
    let elsewhere = folder();
    let gone = format!("{}/not-mounted", text(elsewhere.path()));
    let data = folder();
    let restored = tidemark(&["restore", text(kept.path()), "--data", text(data.path())], b"");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let server = quick::start_with(data, &settings.replace(text(kept.path()), &gone));
    let told = || server.get(SAVEPOINTS).expect_status(200).json()["problem"].as_str().map(str::to_owned);
    until("it is told that the place is empty", || told().is_some_and(|why| why.contains("mount it")));
    create(&server, "anew");
    assert_eq!(told(), None);
    let server = quick::start_with(server.stop(), "savepoint_interval_secs = 1");
    let mut number = 10;
    until("automatic savepoints come", || {
        commit(&server, number..number + 1);
        number += 1;
        let held = server.get(SAVEPOINTS).expect_status(200).json();
        held["savepoints"].as_array().is_some_and(|list| list.iter().any(|one| one["automatic"] == true))
    });
}

/// Names that cannot be, and one that is taken.
fn create_named_conflicts(server: &Server) {
    create(server, "mine");
    let refused = |body: &str, status: u16, word: &str| {
        let reply = server.post(SAVEPOINTS, "application/json", body.to_owned()).expect_status(status);
        assert!(reply.text().contains(word), "{}", reply.text());
    };
    refused(r#"{"name": "mine"}"#, 409, "delete that one first");
    refused(r#"{"name": "../mine"}"#, 422, "lower-case");
    refused(r#"{"name": "auto-1"}"#, 422, "by itself");
    refused(r#"{"name": "x", "colour": "red"}"#, 422, "colour");
    refused("{", 400, "the body is not");
}

#[test]
fn savepoints_in_a_bucket_are_incremental_and_restored() {
    let Some(bucket) = Bucket::start() else { return };
    let environment = bucket.environment();
    let settings = format!("{LETS_GO}\nsavepoints = \"s3://lake/kept/points\"");
    let server = quick::start_in(folder(), &settings, &environment);
    server.put_dataset("prices", &prices()).expect_status(201);
    let mut times = commit(&server, 0..6);
    create(&server, "one");
    times.extend(commit(&server, 6..8));
    let two = create(&server, "two");
    assert!(two["new_bytes"].as_u64() < two["bytes"].as_u64(), "{two}");
    let before = bucket.keys("kept/points/savepoint-objects/").len();
    server.delete(&format!("{SAVEPOINTS}/one")).expect_status(200);
    assert!(bucket.keys("kept/points/savepoint-objects/").len() < before);
    assert_eq!(bucket.keys("kept/points/savepoints/"), ["kept/points/savepoints/two.json"]);
    times.extend(commit(&server, 8..10));
    let asked = Asked::of(&server, &times);
    let data = server.kill();
    fs::remove_dir_all(data.path().join("state")).expect("the state can be removed");
    let place = ["--savepoints", "s3://lake/kept/points"];
    let arguments = [&["restore", "two", "--data", text(data.path())], &place[..]].concat();
    let why = savepoint(&arguments, &[("AWS_ACCESS_KEY_ID", "")]).expect_err("a refusal");
    assert!(why.contains("AWS_ACCESS_KEY_ID"), "{why}");
    savepoint(&arguments, &environment).expect("a restore");
    asked.again(&quick::start_in(data, &settings, &environment));
}
