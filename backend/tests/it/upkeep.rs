//! Upkeep through the real binary: files become few by API, by command line and by themselves, and no answer changes.

use std::{
    fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    quick,
    support::{Reply, Server, tidemark},
};

/// How long upkeep may take to come to do something by itself.
const MAINTAINED_WITHIN: Duration = Duration::from_secs(60);
const BY_HAND: &str = "upkeep = false";
const RUNS: &str = "/api/v1/upkeep";
const OF_PRICES: &str = "/api/v1/datasets/prices/upkeep";
/// Few, so that values are said again and intervals overlap.
const KEYS: u64 = 5;
const DAYS: u64 = 28;

fn prices() -> Value {
    json!({
        "columns": [
            {"name": "instrument", "type": "string"}, {"name": "begins", "type": "date"}, {"name": "ends", "type": "date"},
            {"name": "close", "type": "decimal(18,4)"}, {"name": "op", "type": "string"},
        ],
        "key": ["instrument"], "valid_from": "begins", "valid_to": "ends", "operation": "op", "mode": "interval",
    })
}

fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a temporary folder can be made"))
}

/// A few events of a commit; the same for the same number.
fn lines(commit: u64) -> String {
    let event = |index: u64| {
        let lot = commit * 31 + index * 17 + commit * commit % 13;
        let begins = 1 + lot % (DAYS - 1);
        let ends = begins + 1 + (lot / 3) % (DAYS - begins);
        let op = if lot.is_multiple_of(7) { "delete" } else { "put" };
        let mut event = json!({
            "instrument": format!("I{}", lot % KEYS), "close": format!("{}.2500", lot % 4), "op": op,
            "begins": format!("2026-01-{begins:02}"), "ends": format!("2026-01-{ends:02}"),
        });
        if lot.is_multiple_of(5) {
            event["ends"] = Value::Null;
        }
        event.to_string() + "\n"
    };
    (0..3).map(event).collect()
}

/// Commits one after the other; gives their system times.
fn commit(server: &Server, commits: std::ops::Range<u64>) -> Vec<String> {
    let send = |number| {
        let receipt = server.post_events("prices", "committed", lines(number)).expect_status(200).json();
        assert_eq!(receipt["rejected"], json!([]));
        receipt["system_time"].as_str().expect("a system time").to_owned()
    };
    commits.map(send).collect()
}

/// Questions at several coordinates, whose answers are settled once they can be given.
fn questions(system_times: &[String]) -> Vec<String> {
    let mut questions = Vec::new();
    for time in system_times.iter().step_by(4).chain(system_times.last()) {
        let known = format!("FOR SYSTEM_TIME AS OF TIMESTAMP '{time}'");
        questions.push(format!("SELECT * FROM prices {known} ORDER BY instrument, valid_from"));
        for day in [3, 12, 27] {
            let at = format!("FOR VALID_TIME AS OF DATE '2026-01-{day:02}' {known}");
            questions.push(format!("SELECT instrument, close, system_from FROM prices {at} ORDER BY instrument"));
        }
    }
    let (first, last) = (&system_times[0], &system_times[system_times.len() - 1]);
    let span = format!("FOR SYSTEM_TIME FROM TIMESTAMP '{first}' TO TIMESTAMP '{last}'");
    questions.push(format!("SELECT * FROM prices {span} ORDER BY instrument, valid_from, system_from"));
    let between = format!("diff(prices, TIMESTAMP '{first}', TIMESTAMP '{last}')");
    questions.push(format!("SELECT change, count(*) AS stretches FROM {between} GROUP BY change ORDER BY change"));
    questions
}

fn answers(server: &Server, questions: &[String], snapshot: Option<&str>) -> Vec<String> {
    let ask = |sql: &String| {
        let question = match snapshot {
            Some(token) => json!({ "sql": sql, "snapshot": token }),
            None => json!({ "sql": sql }),
        };
        let reply = server.post_sql(&question, "text/csv");
        assert_eq!(reply.status, 200, "{sql}\n{}", reply.text());
        reply.text()
    };
    questions.iter().map(ask).collect()
}

/// All there was ever known, as of a snapshot.
fn whole_history() -> Vec<String> {
    vec!["SELECT * FROM history(prices) ORDER BY instrument, valid_from, system_from".to_owned()]
}

fn token(server: &Server) -> String {
    let reply = server.post_sql(&json!({"sql": "SELECT 1 AS one"}), "application/json").expect_status(200);
    reply.header("tidemark-snapshot").expect("a token").to_owned()
}

fn upkeep(server: &Server, dataset: &str, order: &Value) -> Reply {
    server.post(&format!("/api/v1/datasets/{dataset}/upkeep"), "application/json", order.to_string())
}

fn compact(server: &Server, dataset: &str) -> Value {
    upkeep(server, dataset, &json!({"action": "compact"})).expect_status(200).json()["run"].clone()
}

fn maintain(server: &Server, arguments: &[&str]) -> String {
    let arguments = [&["maintain"], arguments, &["--url", server.base()]].concat();
    let output = tidemark(&arguments, b"");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Verifies by API; gives how many digests were checked.
fn verified(server: &Server) -> usize {
    let answer = upkeep(server, "prices", &json!({"action": "verify"})).expect_status(200).json();
    let digests = answer["verified"].as_array().expect("digests").clone();
    assert!(digests.iter().all(|digest| digest["holds"] == true), "{digests:?}");
    digests.len()
}

#[test]
fn compaction_by_api_and_by_command_changes_no_answer() {
    let server = quick::start_with(folder(), BY_HAND);
    server.put_dataset("prices", &prices()).expect_status(201);
    let mut times = commit(&server, 0..20);
    let (early, early_token) = (questions(&times), token(&server));
    let before = answers(&server, &early, None);
    let all_before = answers(&server, &whole_history(), Some(&early_token));
    let distinct: std::collections::HashSet<&String> = before.iter().collect();
    assert!(distinct.len() >= 8, "the questions tell states apart");
    let unchanged = |server: &Server| {
        assert_eq!(answers(server, &early, None), before);
        assert_eq!(answers(server, &early, Some(&early_token)), before);
        assert_eq!(answers(server, &whole_history(), Some(&early_token)), all_before);
    };

    a_dry_run_changes_nothing(&server);
    let run = compact(&server, "prices");
    assert_eq!((&run["kind"], &run["error"]), (&json!("compaction"), &Value::Null));
    assert!(run["files_before"].as_u64() >= Some(10) && run["files_after"].as_u64() <= Some(3), "{run}");
    assert_eq!(run["digest"].as_str().map(str::len), Some(32));
    unchanged(&server);
    assert_eq!(compact(&server, "prices"), Value::Null, "all is resolved");

    times.extend(commit(&server, 20..40));
    let late = questions(&times);
    let late_before = answers(&server, &late, None);
    let table = maintain(&server, &["prices"]);
    assert!(table.contains("compaction") && table.contains('→'), "{table}");
    unchanged(&server);
    assert_eq!(answers(&server, &late, None), late_before);
    assert!(maintain(&server, &["--all"]).contains("nothing to do"));
    assert_eq!(verified(&server), 2);

    let server = quick::start_with(server.stop(), BY_HAND);
    unchanged(&server);
    assert_eq!(answers(&server, &late, None), late_before);
    assert_eq!(verified(&server), 2);
    commit(&server, 40..45);
    unchanged(&server);
    it_is_told(&server);
}

fn a_dry_run_changes_nothing(server: &Server) {
    let plans = server.get(OF_PRICES).expect_status(200).json();
    assert_eq!(plans["maintain"], Value::Null, "twenty commits are few");
    assert_eq!(plans["compact"]["kind"], "compaction");
    let dry = upkeep(server, "prices", &json!({"action": "compact", "dry_run": true})).expect_status(200).json();
    assert_eq!(dry["plan"], plans["compact"]);
    let table = maintain(server, &["--dry-run"]);
    assert!(table.contains("prices") && table.contains("not run"), "{table}");
    assert!(maintain(server, &["--dry-run", "--due"]).contains("nothing to do"));
    let due = upkeep(server, "prices", &json!({"action": "maintain"})).expect_status(200).json();
    assert_eq!(due, json!({ "run": null }));
    assert_eq!(server.get(OF_PRICES).json(), plans);
    assert_eq!(server.get(RUNS).expect_status(200).json(), json!({"running": null, "runs": []}));
}

/// The two runs, wherever they can be seen.
fn it_is_told(server: &Server) {
    let runs = server.get(&format!("{RUNS}?dataset=prices&limit=10")).expect_status(200).json()["runs"].clone();
    let runs = runs.as_array().expect("runs");
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs[0]["started"].as_str() > runs[1]["started"].as_str(), "latest first");
    assert_eq!(server.get(&format!("{RUNS}?limit=1")).expect_status(200).json()["runs"], json!([runs[0]]));
    let told = server.rows("SELECT run, dataset, files_before, digest FROM system.upkeep ORDER BY started DESC");
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0]["run"], &told[0]["digest"]), (&runs[0]["run"], &runs[0]["digest"]));
    let history = maintain(server, &["prices", "--history"]);
    assert_eq!(history.matches("compaction").count(), 2, "{history}");
    let digests = maintain(server, &["--verify"]);
    assert_eq!(digests.matches("yes").count(), 2, "{digests}");

    let count = |metrics: &str, name: &str| -> Option<u64> {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned));
        line.and_then(|value| value.parse().ok())
    };
    let files = "tidemark_dataset_files{dataset=\"prices\"}";
    let metrics = server.get("/metrics").expect_status(200).text();
    assert!(count(&metrics, files) > Some(1), "{metrics}");
    assert_ne!(compact(server, "prices"), Value::Null);
    let metrics = server.get("/metrics").expect_status(200).text();
    let done = "tidemark_upkeep_runs_total{kind=\"compaction\",outcome=\"done\"}";
    assert_eq!(count(&metrics, done), Some(1), "since the start\n{metrics}");
    assert!(metrics.contains("tidemark_upkeep_last_duration_seconds{kind=\"compaction\""), "{metrics}");
}

#[test]
fn what_is_due_is_done_without_being_told() {
    let server = quick::start_with(folder(), "upkeep_interval_secs = 1");
    server.put_dataset("prices", &prices()).expect_status(201);
    let times = commit(&server, 0..10);
    let (questions, token) = (questions(&times), token(&server));
    let before = answers(&server, &questions, None);
    commit(&server, 10..90);
    let started = Instant::now();
    let compactions = || {
        let runs = server.get(RUNS).expect_status(200).json()["runs"].clone();
        runs.as_array().is_some_and(|runs| runs.iter().any(|run| run["kind"] == "compaction"))
    };
    while !compactions() {
        assert!(started.elapsed() < MAINTAINED_WITHIN, "nothing was done by itself");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(answers(&server, &questions, None), before);
    let all = answers(&server, &whole_history(), Some(&token));
    let server = quick::start_with(server.stop(), "upkeep_interval_secs = 1");
    assert_eq!(answers(&server, &questions, Some(&token)), before);
    assert_eq!(answers(&server, &whole_history(), Some(&token)), all);
    assert!(verified(&server) > 0);
}

#[test]
fn nothing_of_an_import_is_resolved_before_it_is_sealed() {
    let server = quick::start_with(folder(), BY_HAND);
    let mut definition = prices();
    definition["columns"].as_array_mut().expect("columns").push(json!({"name": "known", "type": "timestamp"}));
    definition["system_time"] = json!("known");
    server.put_dataset("prices", &definition).expect_status(201);
    for day in 1..=8 {
        let event = json!({
            "instrument": format!("I{}", day % 3), "close": format!("{day}.5000"), "op": "put",
            "begins": "2026-01-01", "ends": format!("2026-01-{:02}", 28 - day), "known": format!("2025-02-{day:02}"),
        });
        server.post_events("prices", "committed", event.to_string() + "\n").expect_status(200);
    }
    let plans = server.get(OF_PRICES).expect_status(200).json();
    assert_ne!(plans["compact"]["kind"], "compaction", "{plans}");
    let run = compact(&server, "prices");
    assert_ne!(run["kind"], "compaction", "{run}");
    assert_eq!(server.post_sql(&json!({"sql": "SELECT * FROM prices"}), "text/csv").status, 409);

    server.seal("prices").expect_status(200);
    let times: Vec<String> = (1..=8).map(|day| format!("2025-02-{day:02}T00:00:00Z")).collect();
    let (questions, token) = (questions(&times), token(&server));
    let before = answers(&server, &questions, None);
    let all = answers(&server, &whole_history(), Some(&token));
    let run = compact(&server, "prices");
    assert_eq!(run["kind"], "compaction", "{run}");
    assert_eq!(answers(&server, &questions, Some(&token)), before);
    assert_eq!(answers(&server, &whole_history(), Some(&token)), all);
    assert_eq!(verified(&server), 1);
}

/// Settings with an archive that takes files as soon as they are superseded.
fn archiving(archive: &Path, further: &str) -> String {
    format!("archive = {:?}\narchive_after_days = 0\n{further}", archive.display().to_string())
}

/// The data files in an archive.
fn archived(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { archived(&path) } else { 1 }).sum()
}

#[test]
fn archived_files_stay_queryable_and_are_missed_only_where_they_are_needed() {
    let place = folder();
    let archive = place.path().join("archive");
    fs::create_dir(&archive).expect("the archive can be made");
    let settings = archiving(&archive, BY_HAND);
    let server = quick::start_with(folder(), &settings);
    server.put_dataset("prices", &prices()).expect_status(201);
    let times = commit(&server, 0..20);
    let (asked, token) = (questions(&times), token(&server));
    let before = answers(&server, &asked, None);
    assert!(maintain(&server, &["--archive"]).contains("nothing to do"), "appended files stay");
    compact(&server, "prices");
    let plans = server.get(OF_PRICES).expect_status(200).json();
    assert_eq!((&plans["archive"]["kind"], &plans["maintain"]["kind"]), (&json!("archive"), &json!("archive")));
    assert!(maintain(&server, &["--archive", "--dry-run"]).contains("not run"));
    assert_eq!(archived(&archive), 0);
    let table = maintain(&server, &["--archive"]);
    assert!(table.contains("archive") && table.contains("superseded"), "{table}");
    assert_eq!(archived(&archive), 1);
    assert_eq!(answers(&server, &asked, None), before);
    assert_eq!(verified(&server), 1);
    assert_eq!(server.get(OF_PRICES).json()["archive"], Value::Null, "once is enough");

    let data = server.stop();
    let away = place.path().join("away");
    fs::rename(&archive, &away).expect("the archive can go away");
    let server = quick::start_with(data, &settings);
    assert_eq!(server.rows("SELECT count(*) AS n FROM prices").len(), 1, "what is known now needs no archive");
    let missed = server.post_sql(&json!({ "sql": asked[0] }), "text/csv").expect_status(503);
    let detail = missed.json()["detail"].as_str().expect("a detail").to_owned();
    assert!(detail.contains(archive.to_str().expect("a path")) && detail.contains("mount"), "{detail}");
    let order = json!({"action": "verify"});
    assert!(upkeep(&server, "prices", &order).expect_status(503).text().contains("mount"));
    fs::rename(&away, &archive).expect("the archive can come back");
    assert_eq!(answers(&server, &asked, Some(&token)), before);

    // A backup has what is archived, and needs no archive once it is restored.
    let kept = place.path().join("kept");
    let taken = tidemark(&["backup", kept.to_str().expect("a path"), "--url", server.base()], b"");
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    drop(server);
    fs::remove_dir_all(&archive).expect("the archive can be lost");
    let data = folder();
    let [kept, into] = [&kept, data.path()].map(|path| path.to_str().expect("a path").to_owned());
    assert!(tidemark(&["restore", &kept, "--data", &into], b"").status.success());
    let server = quick::start_with(data, BY_HAND);
    assert_eq!(answers(&server, &asked, Some(&token)), before);
    assert_eq!(verified(&server), 1);
    let refused = upkeep(&server, "prices", &json!({"action": "archive"})).expect_status(422);
    assert!(refused.text().contains("--archive"), "it says how to have one");
}

#[test]
fn what_is_old_enough_is_archived_without_being_told() {
    let archive = folder();
    let server = quick::start_with(folder(), &archiving(archive.path(), "upkeep_interval_secs = 1"));
    server.put_dataset("prices", &prices()).expect_status(201);
    let times = commit(&server, 0..10);
    let (asked, token) = (questions(&times), token(&server));
    let before = answers(&server, &asked, Some(&token));
    compact(&server, "prices");
    let started = Instant::now();
    while archived(archive.path()) == 0 {
        assert!(started.elapsed() < MAINTAINED_WITHIN, "nothing was archived by itself");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(answers(&server, &asked, Some(&token)), before);
    let server = quick::start_with(server.kill(), BY_HAND);
    assert_eq!(answers(&server, &asked, Some(&token)), before, "what is archived is read without an archive set");
}

#[test]
fn an_archive_that_cannot_be_used_is_refused_with_its_reason() {
    let data = folder();
    let path = data.path().join("settings.toml");
    let within =
        format!("data = {0:?}\narchive = \"{1}/archive\"\narchive_after_days = 1", data.path(), data.path().display());
    for (settings, word) in [
        ("archive = \"/archive\"", "archive_after_days"),
        ("archive_after_days = 30", "archive"),
        ("archive = \"archive\"\narchive_after_days = 30", "absolute"),
        ("archive = \"/archive\"\narchive_after_days = 40000", "36525"),
        (&within, "inside the data folder"),
    ] {
        fs::write(&path, settings).expect("the settings can be written");
        let refused = tidemark(&["serve", "--config", path.to_str().expect("a path")], b"");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(word), "{settings}: {said}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_its_reason() {
    let server = quick::start_with(folder(), BY_HAND);
    server.put_dataset("prices", &prices()).expect_status(201);
    let problem = |reply: Reply, status: u16, word: &str| {
        let reply = reply.expect_status(status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        let detail = reply.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains(word), "{detail}");
    };
    problem(server.get("/api/v1/datasets/nosuch/upkeep"), 404, "nosuch");
    problem(server.get(&format!("{RUNS}?dataset=nosuch")), 404, "nosuch");
    for action in ["compact", "maintain", "verify"] {
        problem(upkeep(&server, "nosuch", &json!({ "action": action })), 404, "nosuch");
    }
    problem(upkeep(&server, "prices", &json!({"action": "compact", "force": true})), 422, "force");
    problem(upkeep(&server, "prices", &json!({"action": "tidy"})), 422, "tidy");
    problem(upkeep(&server, "prices", &json!({"dry_run": true})), 422, "action");
    problem(upkeep(&server, "prices", &json!({"action": "verify", "dry_run": true})), 422, "dry_run");
    problem(server.post(OF_PRICES, "application/json", ""), 400, "action");
    for query in ["limit=0", "limit=1001", "limit=many", "since=2026-01-01"] {
        problem(server.get(&format!("{RUNS}?{query}")), 400, "limit=N");
    }
    assert_eq!(compact(&server, "prices"), Value::Null, "a dataset without rows");

    let unknown = tidemark(&["maintain", "prices", "nosuch", "--url", server.base()], b"");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("nosuch"));
    assert!(String::from_utf8_lossy(&unknown.stdout).contains("prices"), "what could be done is shown");
    let both = tidemark(&["maintain", "--verify", "--dry-run", "--url", server.base()], b"");
    assert!(!both.status.success());
    let never = folder();
    std::fs::write(never.path().join("settings.toml"), "upkeep_interval_secs = 0")
        .expect("the settings can be written");
    let settings = never.path().join("settings.toml");
    let refused = tidemark(&["serve", "--config", settings.to_str().expect("a path")], b"");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("upkeep_interval_secs"));
}
