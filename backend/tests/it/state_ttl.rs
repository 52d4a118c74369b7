//! A server whose state forgets what ended more than a day ago, killed again and again, beside one that keeps everything:
//! they answer the same.

use std::{fs, sync::Arc};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    quick,
    savepoints::until,
    support::{Server, tidemark},
};

const ROUNDS: u64 = 4;
const REQUESTS_PER_ROUND: u64 = 12;
const EVENTS_PER_REQUEST: u64 = 25;
const ACCOUNTS: u64 = 40;

fn datasets() -> [(&'static str, Value); 4] {
    let definition = |mode: &str, sequenced: bool| {
        let mut definition = json!({
            "columns": [
                {"name": "account", "type": "string"}, {"name": "since", "type": "date"}, {"name": "op", "type": "string"},
                {"name": "amount", "type": "decimal(9,2)"}, {"name": "number", "type": "int64"},
            ],
            "key": ["account"], "valid_from": "since", "operation": "op", "mode": mode,
        });
        if mode == "interval" {
            definition["columns"].as_array_mut().expect("columns").push(json!({"name": "until", "type": "date"}));
            definition["valid_to"] = json!("until");
        }
        if sequenced {
            definition["sequence"] = json!("number");
        }
        definition
    };
    [
        ("spans", definition("interval", false)),
        ("numbered_spans", definition("interval", true)),
        ("changes", definition("until_changed", false)),
        ("numbered_changes", definition("until_changed", true)),
    ]
}

/// Numbers that look random and are the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn request(dice: &mut Dice, dataset: &str) -> String {
    let day = |day: u64| format!("2020-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
    let mut lines = String::new();
    for _ in 0..EVENTS_PER_REQUEST {
        let (account, from, length) = (dice.below(ACCOUNTS), dice.below(300), 1 + dice.below(30));
        let op = match dice.below(10) {
            0 | 1 if dataset.ends_with("changes") => "retract",
            2 => "delete",
            _ => "put",
        };
        let numbered = dataset.starts_with("numbered");
        let (amount, number) = (dice.below(4), if numbered { dice.below(500) } else { 0 });
        let until =
            if dataset.ends_with("spans") { format!(r#","until":"{}""#, day(from + length)) } else { String::new() };
        let since = day(from);
        lines += &format!(
            "{{\"account\":\"a{account}\",\"since\":\"{since}\",\"op\":\"{op}\",\"amount\":\"{amount}.5\",\"number\":{number}{until}}}\n"
        );
    }
    lines
}

/// All that holds, and what became of the records. Neighbours that say the same are joined: whether they are one version
/// depends on which requests came to share an epoch.
fn told(server: &Server, dataset: &str) -> (Vec<[String; 4]>, Value, Value) {
    let sql = format!("SELECT account, amount, valid_from, valid_to FROM {dataset} ORDER BY account, valid_from");
    let mut held: Vec<[String; 4]> = Vec::new();
    for row in server.rows(&sql) {
        let row = ["account", "amount", "valid_from", "valid_to"].map(|name| row[name].to_string());
        match held.last_mut() {
            Some(last) if last[..2] == row[..2] && last[3] == row[2] => last[3] = row[3].clone(),
            _ => held.push(row),
        }
    }
    let counts = server.get(&format!("/api/v1/datasets/{dataset}")).expect_status(200).json()["counts"].clone();
    (held, counts["committed"].clone(), counts["unchanged"].clone())
}

fn metric(server: &Server, name: &str) -> f64 {
    let text = server.get("/metrics").expect_status(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the metric is told");
    line.trim().parse().expect("a number")
}

#[test]
fn a_state_that_forgets_gives_the_same_answers_whenever_it_is_killed() {
    let folder = || Arc::new(TempDir::new().expect("a temporary folder can be made"));
    let keeping = quick::start_with(folder(), "");
    let mut server = quick::start_with(folder(), "state_ttl_days = 1");
    for (name, definition) in datasets() {
        keeping.put_dataset(name, &definition).expect_status(201);
        server.put_dataset(name, &definition).expect_status(201);
    }
    let mut dice = Dice(11);
    for round in 0..ROUNDS {
        for request_of_round in 0..REQUESTS_PER_ROUND {
            for (name, _) in datasets() {
                let lines = request(&mut dice, name);
                keeping.post_events(name, "durable", lines.clone()).expect_status(200);
                // The last ones are not waited for: the kill comes at any moment of their epochs.
                let wait = if request_of_round + 2 < REQUESTS_PER_ROUND { "committed" } else { "durable" };
                server.post_events(name, wait, lines).expect_status(200);
            }
        }
        if round > 0 {
            // Behind the epochs, however slow the machine is.
            let what = format!("something is forgotten in round {round}");
            until(&what, || metric(&server, "tidemark_state_evicted_segments_total ") > 0.0);
        }
        server = quick::start_with(server.kill(), "state_ttl_days = 1");
        // Committed when this is, because requests are in order.
        for (name, _) in datasets() {
            let lines = request(&mut dice, name);
            keeping.post_events(name, "committed", lines.clone()).expect_status(200);
            server.post_events(name, "committed", lines).expect_status(200);
        }
        for (name, _) in datasets() {
            assert_eq!(told(&server, name), told(&keeping, name), "round {round}, {name}");
        }
        if round == 1 {
            server.try_upkeep("changes", "compact").expect("an answer").expect_status(200);
            server.try_upkeep("spans", "compact").expect("an answer").expect_status(200);
        }
    }
    // Without a time to live what went before is still fetched back.
    let server = quick::start_with(server.stop(), "");
    for (name, _) in datasets() {
        let lines = request(&mut dice, name);
        keeping.post_events(name, "committed", lines.clone()).expect_status(200);
        server.post_events(name, "committed", lines).expect_status(200);
        assert_eq!(told(&server, name), told(&keeping, name), "{name}");
    }
}

#[test]
fn settings_of_the_state_that_cannot_be_are_refused_with_their_reason() {
    let data = TempDir::new().expect("a temporary folder can be made");
    let path = data.path().join("settings.toml");
    for (settings, words) in [
        ("state_ttl_days = 0", "state_ttl_days = 0 cannot be; it is 1 to 36525"),
        ("state_ttl_days = 40000", "1 to 36525"),
        ("state_block_cache_bytes = 1000", "state_block_cache_bytes = 1000 is too little"),
        ("state_write_buffer_bytes = 1000", "state_write_buffer_bytes = 1000 is too little"),
    ] {
        fs::write(&path, settings).expect("the settings can be written");
        let refused = tidemark(&["serve", "--config", path.to_str().expect("a path")], b"");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(words), "{settings}: {said}");
    }
}
