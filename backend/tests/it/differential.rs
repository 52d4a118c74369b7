//! Random histories of three datasets, and random questions about them, against a naive oracle that shares no code.
//!
//! A round publishes a random workload through the real binary, asks every kind of question at many coordinates, asks
//! again under a token while more data arrives, and again after a restart; each answer is compared byte for byte. Some
//! of the datasets are compacted after some of the publications, at last all of them.
//! `TIDEMARK_SEED` replays a round, `TIDEMARK_DIFFERENTIAL_ROUNDS` asks for more of them.

mod oracle;
mod questions;
mod workload;

use std::{
    collections::BTreeMap,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::{quick, support::Client};
use oracle::{Event, Oracle, micros};
use questions::{Question, questions};
use workload::{Publication, datasets, definitions, event_json, publication};

const ROUNDS: u64 = 2;
/// Publications before the first question, and while questions are asked under a token.
const PUBLICATIONS: usize = 14;
const LATER_PUBLICATIONS: usize = 8;
/// Questions of each kind, and of each kind once more about all data.
const OF_EACH_KIND: usize = 6;
const OF_EACH_KIND_LATER: usize = 3;

#[test]
fn random_questions_are_answered_as_a_naive_oracle_answers_them() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let seed = number("TIDEMARK_SEED").unwrap_or(clock);
    for round in 0..number("TIDEMARK_DIFFERENTIAL_ROUNDS").unwrap_or(ROUNDS) {
        replay(seed.wrapping_add(round));
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

fn replay(seed: u64) {
    eprintln!("TIDEMARK_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let server = quick::start();
    let mut oracle = Oracle::new(datasets());
    for (dataset, definition) in oracle.datasets.iter().zip(definitions()) {
        server.put_dataset(dataset.name, &definition).expect_status(201);
    }
    // Drawn apart, so that upkeep changes nothing of what is published and asked.
    let mut upkeep = ChaCha8Rng::seed_from_u64(!seed);
    for _ in 0..PUBLICATIONS {
        let publication = publication(&mut rng);
        oracle.commit(publish(&server, &publication), &publication.events);
        compact_some(&server, &mut upkeep);
    }
    let token = token(&server);
    let first = questions(&oracle, &mut rng, OF_EACH_KIND);
    let mut findings = Findings::new(seed);
    findings.ask(&server, &first, None, "without a token");

    let later: Vec<Publication> = (0..LATER_PUBLICATIONS).map(|_| publication(&mut rng)).collect();
    let times = thread::scope(|scope| {
        let (client, later) = (server.client(), &later);
        let publish_and_compact = move |one| {
            let at = publish(&client, one);
            compact_some(&client, &mut upkeep);
            at
        };
        let publisher = scope.spawn(move || later.iter().map(publish_and_compact).collect::<Vec<i64>>());
        findings.ask(&server, &first, Some(&token), "under a token while data arrives");
        publisher.join().expect("the publisher does not panic")
    });
    for (publication, at) in later.iter().zip(times) {
        oracle.commit(at, &publication.events);
    }
    let second = questions(&oracle, &mut rng, OF_EACH_KIND_LATER);
    findings.ask(&server, &second, None, "after more data");

    let data = if seed.is_multiple_of(2) { server.stop() } else { server.kill() };
    let server = quick::start_on(data);
    findings.ask(&server, &first, Some(&token), "under the token of before, after a restart");
    let fixed: Vec<Question> = first.into_iter().filter(|question| !question.latest).collect();
    findings.ask(&server, &fixed, None, "without a token, after a restart");
    findings.ask(&server, &second, None, "about all data, after a restart");
    datasets().iter().for_each(|dataset| compact(&server, dataset.name));
    findings.ask(&server, &fixed, None, "after all was compacted");
    findings.ask(&server, &second, None, "about all data, after all was compacted");
    findings.report();
}

/// Compacts one of the datasets in a third of all cases.
fn compact_some(client: &Client, rng: &mut ChaCha8Rng) {
    let datasets = datasets();
    if let Some(dataset) = datasets.get(rng.random_range(0..3 * datasets.len())) {
        compact(client, dataset.name);
    }
}

fn compact(client: &Client, dataset: &str) {
    let run = client.try_upkeep(dataset, "compact").expect("an answer").expect_status(200).json();
    assert_eq!(run["run"]["error"], Value::Null, "{run}");
}

/// Publishes and waits for the commit; gives its system time.
fn publish(client: &Client, publication: &Publication) -> i64 {
    let Publication { events, transaction } = publication;
    let reply = if *transaction {
        let line = |event: &Event| json!({"dataset": datasets()[event.dataset].name, "event": event_json(event)});
        client.post_transaction("committed", lines(events.iter().map(line)))
    } else {
        let dataset = datasets()[events[0].dataset].name;
        client.post_events(dataset, "committed", lines(events.iter().map(event_json)))
    };
    let receipt = reply.expect_status(200).json();
    assert_eq!(receipt["accepted"], events.len(), "{receipt}");
    assert_eq!(receipt["rejected"], json!([]));
    micros(receipt["system_time"].as_str().unwrap_or_else(|| panic!("no system time: {receipt}")))
}

fn lines(objects: impl Iterator<Item = Value>) -> String {
    objects.map(|object| object.to_string() + "\n").collect()
}

fn token(client: &Client) -> String {
    let reply = client.post_sql(&json!({"sql": "SELECT 1 AS one"}), "text/csv").expect_status(200);
    reply.header("tidemark-snapshot").expect("each answer carries a token").to_owned()
}

/// Answers that were not the oracle's: for each kind of question how many, and the first.
struct Findings {
    seed: u64,
    asked: usize,
    wrong: BTreeMap<&'static str, (usize, String)>,
}

impl Findings {
    fn new(seed: u64) -> Findings {
        Findings { seed, asked: 0, wrong: BTreeMap::new() }
    }

    fn ask(&mut self, client: &Client, questions: &[Question], token: Option<&str>, when: &str) {
        for question in questions {
            self.asked += 1;
            let request = question.request(token);
            let reply = client.post_sql(&request, question.accept);
            if reply.status == 200 && reply.body == question.expected.as_bytes() {
                continue;
            }
            let described = || {
                let difference = match reply.status {
                    200 => first_difference(&question.expected, &reply.text()),
                    status => format!("status {status}: {}", reply.text()),
                };
                let sql = request["sql"].as_str().unwrap_or_default();
                format!("{when}:\n{sql}\n{request}\n{difference}")
            };
            self.wrong.entry(question.kind).or_insert_with(|| (0, described())).0 += 1;
        }
    }

    fn report(self) {
        let Findings { seed, asked, wrong } = self;
        let count: usize = wrong.values().map(|(count, _)| count).sum();
        let listed: Vec<String> =
            wrong.iter().map(|(kind, (count, first))| format!("== {kind}, {count} times, first {first}")).collect();
        assert!(count == 0, "TIDEMARK_SEED={seed}: {count} of {asked} answers differ\n{}", listed.join("\n"));
        assert!(asked > 0, "nothing was asked");
    }
}

/// The first line in which two texts differ; rows of JSON are taken for lines.
fn first_difference(wanted: &str, found: &str) -> String {
    let split = |text: &str| -> Vec<String> { text.replace("},{", "},\n{").split('\n').map(str::to_owned).collect() };
    let (wanted, found) = (split(wanted), split(found));
    let differs = (0..wanted.len().max(found.len())).find(|line| wanted.get(*line) != found.get(*line));
    let line = differs.unwrap_or_default();
    let shown = |lines: &[String]| lines.get(line).map_or("(nothing)".to_owned(), |text| format!("{text:?}"));
    format!(
        "line {} of {} wanted, {} found:\n  wanted {}\n  found  {}",
        line + 1,
        wanted.len(),
        found.len(),
        shown(&wanted),
        shown(&found)
    )
}
