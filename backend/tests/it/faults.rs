//! Faults of the machine and of what is around it: a second process, a full disk, a damaged state, poison, an object store
//! that does not do. Each is told with what to do, nothing acknowledged is lost, and everything goes on once it is mended.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    bucket::Bucket,
    quick,
    savepoints::{
        Asked, LETS_GO, SAVEPOINTS, commit, counts, create, folder, prices, restore, savepoint, settled, text, until,
    },
    support::{Client, Server, tidemark},
};

mod proxy;

use proxy::{LOSE_ANSWER, PASS, Proxy, REFUSE, REFUSE_RECORDS, SILENT, SLOW, borrowed};

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
    let second = tidemark(&["serve", "--data", &folder, "--listen", "127.0.0.1:0"], b"");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another Tidemark"), "{second:?}");
    // An open page listens; it must not hold the server back.
    let live = server.base().trim_start_matches("http://").to_owned();
    let mut listener = TcpStream::connect(&live).expect("the server listens");
    write!(listener, "GET /api/v1/live HTTP/1.1\r\nHost: {live}\r\n\r\n").expect("sent");
    listener.read_exact(&mut [0; 12]).expect("an answer begins");
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
fn state_files(server_data: &Path) -> Vec<PathBuf> {
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

fn metric(client: &Client, name: &str) -> f64 {
    let metrics = client.get("/metrics").expect_status(200).text();
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

/// A small disk of its own. Unmounted when it is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this machine does not let tests mount one, as without root. Under `CI=true` that is a failure.
    fn mount(bytes: u64) -> Option<SmallDisk> {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(folder));
        }
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no small disk can be mounted");
        eprintln!("skipped: no small disk can be mounted here");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Fills a disk but for less than a page, so that nothing more has room.
fn fill(disk: &Path) {
    let mut ballast = fs::File::options().create(true).append(true).open(disk.join("ballast")).expect("the ballast");
    for chunk in [1 << 20, 4096, 512, 1] {
        while ballast.write_all(&vec![7; chunk]).is_ok() {}
    }
}

fn event(number: u64) -> String {
    let note = "x".repeat(200);
    json!({"instrument": format!("D{number}-{note}"), "since": "2026-01-01", "close": "1.0000", "op": "put"})
        .to_string()
}

#[test]
fn a_full_disk_refuses_records_and_all_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(192 << 20) else { return };
    let data = Arc::new(TempDir::new_in(disk.0.path()).expect("a folder on the small disk"));
    let server = quick::start_with(data, "upkeep = false\nsavepoint_interval_secs = 0\ncheckpoint_interval_secs = 1");
    server.put_dataset("prices", &prices()).expect_status(201);
    commit(&server, 0..3);
    fill(disk.0.path());
    let (mut acknowledged, mut refused) = (Vec::new(), None);
    for number in 0..2_000 {
        let reply = server.post_events("prices", "durable", event(number));
        if reply.status == 200 {
            acknowledged.push(number);
        } else {
            refused = Some(reply);
            break;
        }
        // Whatever was written out meanwhile may have made room.
        fill(disk.0.path());
    }
    let refused = refused.expect("a full disk").expect_status(503).json();
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(detail.contains("the disk is full") && detail.contains("free some space"), "{detail}");
    let ready = server.get("/readyz").expect_status(503).json();
    assert!(ready["detail"].as_str().is_some_and(|detail| detail.contains("the disk is full")), "{ready}");
    assert!(metric(&server, "tidemark_stream_write_failures_total") >= 1.0);
    assert!(server.log().contains("records are refused until"), "{}", server.log());
    let failed = server.post(SAVEPOINTS, "application/json", r#"{"name": "full"}"#);
    assert!(failed.status >= 500, "{}", failed.text());
    // Questions are answered all the while.
    assert!(!server.rows("SELECT count(*) AS n FROM prices").is_empty());

    fs::remove_file(disk.0.path().join("ballast")).expect("room can be made");
    until("the server is ready again", || server.get("/readyz").status == 200);
    let more = event(9_999);
    server.post_events("prices", "committed", more).expect_status(200);
    settled(&server);
    let stored: BTreeSet<String> = server
        .rows("SELECT instrument FROM prices WHERE instrument LIKE 'D%'")
        .iter()
        .map(|row| row["instrument"].as_str().expect("text").split('-').next().expect("a name").to_owned())
        .collect();
    for number in acknowledged.iter().chain(&[9_999]) {
        assert!(stored.contains(&format!("D{number}")), "acknowledged {number} is not there");
    }
    let counts = counts(&server);
    assert_eq!(
        counts["received"],
        counts["committed"].as_u64().expect("a count") + counts["unchanged"].as_u64().expect("a count")
    );
    create(&server, "room");
    // And after a restart too.
    let data = server.kill();
    let server = quick::start_on(data);
    assert_eq!(counts_of(&server), counts);
    drop(server);
}

fn counts_of(server: &Server) -> Value {
    settled(server);
    counts(server)
}

/// So many that their timelines are in several blocks of a table.
const MANY: u64 = 200;

/// Each of the same instruments from a day on, with a close that is news.
fn many(since: &str, close: &str) -> String {
    let line = |number| event(number).replace("2026-01-01", since).replace("1.0000", close);
    (0..MANY).map(line).collect::<Vec<String>>().join("\n")
}

/// Turns bits in the middle of every table of the state.
fn damage(state: &Path) -> usize {
    let mut damaged = 0;
    for entry in fs::read_dir(state).expect("the state").map(|entry| entry.expect("an entry").path()) {
        if entry.extension().is_some_and(|ending| ending == "sst") {
            let mut bytes = fs::read(&entry).expect("a table");
            // The first blocks hold entries; footer and index are read when it is opened.
            for byte in bytes.iter_mut().take(200).skip(20) {
                *byte ^= 0x55;
            }
            fs::write(&entry, bytes).expect("it can be altered");
            damaged += 1;
        }
    }
    damaged
}

#[test]
fn a_damaged_state_names_its_folder_and_the_way_out_and_a_savepoint_mends_it() {
    let server = quick::start_with(folder(), LETS_GO);
    server.put_dataset("prices", &prices()).expect_status(201);
    let mut times = commit(&server, 0..10);
    server.post_events("prices", "committed", many("2026-01-01", "1.0000")).expect_status(200);
    create(&server, "good");
    times.extend(commit(&server, 10..12));
    server.post_events("prices", "committed", many("2026-02-01", "2.0000")).expect_status(200);
    let asked = Asked::of(&server, &times);
    let data = server.stop();
    let state = data.path().join("state");
    assert!(damage(&state) > 0);

    let server = quick::start_with(data, LETS_GO);
    // What needs the state meets the damage; it is acknowledged and kept all the same.
    server.post_events("prices", "durable", many("2026-03-01", "3.0000")).expect_status(200);
    let told = |text: &str| {
        assert!(text.contains(&state.display().to_string()) && text.contains("tidemark savepoint list"), "{text}");
        assert!(text.contains("damaged"), "{text}");
    };
    until("the pipeline has stopped", || server.get("/readyz").text().contains("the pipeline has stopped"));
    told(&server.get("/readyz").expect_status(503).text());
    told(&server.log());
    server.post_events("prices", "durable", event(9_999)).expect_status(200);
    let data = server.kill();
    restore("good", &data, &[]).expect("a restore");
    assert!(data.path().join("state-before-restore").is_dir(), "the damaged one stays aside");
    let server = quick::start_with(data, LETS_GO);
    settled(&server);
    let meanwhile = "instrument LIKE 'D9999%' OR (instrument LIKE 'D%' AND valid_from = DATE '2026-03-01')";
    let stored = server.rows(&format!("SELECT count(*) AS n FROM prices WHERE {meanwhile}"));
    assert_eq!(stored[0]["n"], MANY + 1, "what was acknowledged meanwhile is there");
    let (before, received) = (asked.received(), counts(&server)["received"].as_u64().expect("a count"));
    assert_eq!(received, before + MANY + 1);
    asked.past_again(&server);
    until("the damaged state is gone", || !server.data().join("state-before-restore").exists());
}

#[test]
fn a_state_that_cannot_be_opened_is_refused_with_the_way_out() {
    let server = quick::start_with(folder(), LETS_GO);
    server.put_dataset("prices", &prices()).expect_status(201);
    let times = commit(&server, 0..5);
    create(&server, "good");
    let asked = Asked::of(&server, &times);
    let data = server.stop();
    for entry in
        fs::read_dir(data.path().join("state")).expect("the state").map(|entry| entry.expect("an entry").path())
    {
        if entry.extension().is_some_and(|ending| ending == "sst") {
            fs::write(&entry, "cut off").expect("it can be altered");
        }
    }
    let refused = tidemark(&["serve", "--data", text(data.path()), "--listen", "127.0.0.1:0"], b"");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let state = data.path().join("state").display().to_string();
    assert!(
        !refused.status.success() && said.contains(&state) && said.contains("tidemark savepoint restore"),
        "{said}"
    );
    // A state that is gone is told of too, where the stream no longer has everything.
    fs::remove_dir_all(data.path().join("state")).expect("the state can be removed");
    restore("good", &data, &[]).expect("a restore");
    asked.again(&quick::start_with(data, LETS_GO));
}

#[test]
fn poison_records_go_to_quarantine_and_the_good_ones_around_them_are_committed() {
    let server = quick::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    let nested = format!("{{\"instrument\": {}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let wide = format!("{{{}}}", (0..5_000).map(|n| format!("\"f{n}\": {n}")).collect::<Vec<_>>().join(","));
    let poison: Vec<Vec<u8>> = vec![
        nested.into_bytes(),
        wide.into_bytes(),
        b"{\"instrument\":\"\\ud800\",\"since\":\"2026-01-01\"}".to_vec(),
        b"{\"instrument\":\"A\",\"since\":\"+999999-12-31\"}".to_vec(),
        b"{\"instrument\":\"A\",\"since\":\"2026-02-30\"}".to_vec(),
        b"{\"instrument\":\"A\",\"since\":\"2026-01-01\",\"close\":1e999999999}".to_vec(),
        b"{\"instrument\":\"A\",\"since\":\"2026-01-01\",\"close\":NaN}".to_vec(),
        b"{\"instrument\":\"A\",\"since\":\"2026-01-01\",\"op\":\"explode\"}".to_vec(),
        b"\x00\x01\x02".to_vec(),
        b"[]".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
    ];
    let mut body = Vec::new();
    for (index, line) in poison.iter().enumerate() {
        body.extend_from_slice(event(index as u64).as_bytes());
        body.push(b'\n');
        body.extend_from_slice(line);
        body.push(b'\n');
    }
    let receipt = server.post_events("prices", "committed", body).expect_status(200).json();
    let (good, bad) = (poison.len() as u64, poison.len() as u64);
    assert_eq!(receipt["accepted"], good, "{receipt}");
    let rejected = receipt["rejected"].as_array().expect("a list");
    assert!(rejected.iter().all(|line| line["reason"].as_str().is_some_and(|why| !why.is_empty())), "{receipt}");
    let counted = counts_of(&server);
    assert_eq!((&counted["committed"], &counted["quarantined"]), (&json!(good), &json!(bad)));
    assert_eq!(server.get("/readyz").status, 200);
    let metrics = server.get("/metrics").text();
    let told = format!("tidemark_records_total{{dataset=\"prices\",fate=\"quarantined\"}} {bad}");
    assert!(metrics.contains(&told), "{metrics}");
    // The same after a crash: nothing is read again that would stop the pipeline.
    let server = quick::start_on(server.kill());
    assert_eq!(counts_of(&server), counted);
    server.post_events("prices", "committed", event(77)).expect_status(200);
}

#[test]
fn an_object_store_that_refuses_or_is_silent_fails_savepoints_alone() {
    let proxy = Proxy::start(None);
    let environment = proxy.environment();
    let settings = format!("{LETS_GO}\nsavepoints = \"s3://lake/points\"");
    proxy.set(REFUSE);
    let server = quick::start_in(folder(), &settings, &borrowed(&environment));
    server.put_dataset("prices", &prices()).expect_status(201);
    let mut number = 0;
    for (mode, word) in [(REFUSE, "SlowDown"), (SILENT, "no answer in time")] {
        proxy.set(mode);
        let client = server.client();
        let asking = thread::spawn(move || client.post(SAVEPOINTS, "application/json", r#"{"name": "cannot"}"#));
        // Meanwhile records are acknowledged, committed and shown.
        while !asking.is_finished() {
            commit(&server, number..number + 1);
            number += 1;
        }
        let refused = asking.join().expect("an answer").expect_status(503).json();
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(detail.contains(word) && detail.contains("bucket lake") && detail.contains("try again"), "{detail}");
        assert_eq!(server.get("/readyz").status, 200);
    }
    assert!(number > 0 && metric(&server, "tidemark_savepoint_failures_total") >= 2.0);
    assert!(server.log().contains("could not be taken"), "{}", server.log());
    assert!(!server.log().contains("secret-of-a-test"));
}

#[test]
fn an_object_store_that_is_slow_or_comes_back_gets_whole_savepoints() {
    let Some(bucket) = Bucket::start() else { return };
    let proxy = Proxy::start(Some(bucket.client.base().trim_start_matches("http://").to_owned()));
    let environment = proxy.environment();
    let settings = format!("{LETS_GO}\nsavepoints = \"s3://lake/points\"");
    let server = quick::start_in(folder(), &settings, &borrowed(&environment));
    server.put_dataset("prices", &prices()).expect_status(201);
    let mut times = commit(&server, 0..5);
    proxy.set(REFUSE);
    let why = savepoint(&["create", "later", "--url", server.base()], &[]).expect_err("a refusal");
    assert!(why.contains("SlowDown"), "{why}");
    // Cut off when all but its record is stored: there is no savepoint, and what lies there does no harm.
    proxy.set(REFUSE_RECORDS);
    savepoint(&["create", "later", "--url", server.base()], &[]).expect_err("a refusal");
    assert!(!bucket.keys("points/savepoint-objects/").is_empty() && bucket.keys("points/savepoints/").is_empty());
    proxy.set(SLOW);
    let later = create(&server, "later");
    assert!(later["new_bytes"].as_u64() < later["bytes"].as_u64(), "{later}");
    // Taken, and nobody was told: it is asked again, and found to be there.
    proxy.set(LOSE_ANSWER);
    create(&server, "told-late");
    assert_eq!(bucket.keys("points/savepoints/").len(), 2);
    proxy.set(PASS);
    times.extend(commit(&server, 5..8));
    let asked = Asked::of(&server, &times);
    let listing = server.get(SAVEPOINTS).expect_status(200).json();
    assert_eq!(listing["problem"], Value::Null, "{listing}");
    let data = server.kill();
    fs::remove_dir_all(data.path().join("state")).expect("the state can be removed");
    let place = ["--savepoints", "s3://lake/points"];
    proxy.set(SILENT);
    let arguments = [&["restore", "later", "--data", text(data.path())], &place[..]].concat();
    let why = savepoint(&arguments, &borrowed(&environment)).expect_err("a refusal");
    assert!(why.contains("no answer in time") && !data.path().join("state").exists(), "{why}");
    proxy.set(PASS);
    savepoint(&arguments, &borrowed(&environment)).expect("a restore");
    // A start while the bucket is out of reach goes on with what the stream held before.
    proxy.set(REFUSE);
    let server = quick::start_in(data, &settings, &borrowed(&environment));
    asked.again(&server);
    proxy.set(PASS);
}
