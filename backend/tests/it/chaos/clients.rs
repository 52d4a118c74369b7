//! Clients that send until the server is gone, and what they were told.

use std::{
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::model::{CELLS, DATASETS, Event, LIMITS, Model};
use crate::support::{Client, Reply};

/// Clients that send small requests, each about keys of its own.
pub const WRITERS: usize = 4;
/// The dataset of large requests, of which every slot has a part.
pub const BULK: &str = "bulk";
pub const BULK_KEYS: u64 = 5_000;
const KEYS: u64 = 4;

/// A small request as it was sent.
#[derive(Debug, Clone)]
pub struct Request {
    pub writer: usize,
    /// Its number among the writer's of the round; there is a record in it that says so.
    pub number: u64,
    pub events: Vec<Event>,
    /// Lines of one dataset that cannot be accepted.
    pub refused: u64,
    /// System time of its epoch, where it was waited for.
    pub committed_at: Option<String>,
}

impl Request {
    /// The datasets it is about.
    pub fn datasets(&self) -> impl Iterator<Item = &'static str> {
        DATASETS.into_iter().filter(move |dataset| self.events.iter().any(|event| event.dataset == *dataset))
    }
}

/// What the clients of a round were told.
#[derive(Debug, Default)]
pub struct Told {
    /// By whoever sent them in order; of different writers in any.
    pub acknowledged: Vec<Request>,
    /// Whose answer has not come: of each writer the last, if any.
    pub unanswered: Vec<Request>,
    /// Large requests that were acknowledged, ever, and whether one more is unanswered.
    pub bulk: u64,
    pub bulk_unanswered: bool,
}

impl Told {
    /// Nothing yet, after what is there already.
    pub fn after(model: &Model) -> Told {
        Told { bulk: model.bulk, ..Told::default() }
    }
}

/// Sends small requests, one after the other.
pub fn write(client: &Client, writer: usize, round: u64, seed: u64, told: &Mutex<Told>, stop: &AtomicBool) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (transaction, committed) = (random.random_bool(0.4), random.random_bool(0.3));
        let request = request(&mut random, writer, round, number, transaction);
        let wait = if committed { "committed" } else { "durable" };
        told.lock().expect("no client panics").unanswered.push(request.clone());
        let reply = match transaction {
            true => client.try_post_transaction(wait, transaction_lines(&request)),
            false => client.try_post_events(request.events[0].dataset, wait, lines(&request)),
        };
        let Some(reply) = reply else { return };
        let mut told = told.lock().expect("no client panics");
        told.unanswered.retain(|unanswered| unanswered.writer != writer);
        told.acknowledged.push(acknowledged(request, reply, committed));
        drop(told);
        thread::sleep(Duration::from_millis(random.random_range(0..12)));
    }
}

fn acknowledged(request: Request, reply: Reply, committed: bool) -> Request {
    let answer = reply.expect_status(200).json();
    assert_eq!(answer["accepted"], json!(request.events.len()), "{answer}");
    assert_eq!(answer["rejected"].as_array().map(Vec::len), Some(request.refused as usize), "{answer}");
    let committed_at = answer["system_time"].as_str().map(str::to_owned);
    assert_eq!(committed_at.is_some(), committed, "{answer}");
    Request { committed_at, ..request }
}

fn request(random: &mut ChaCha8Rng, writer: usize, round: u64, number: u64, transaction: bool) -> Request {
    let datasets = if transaction { DATASETS.to_vec() } else { vec![DATASETS[random.random_range(0..DATASETS.len())]] };
    let mut events: Vec<Event> = datasets.iter().map(|&dataset| Event::mark(dataset, writer, round, number)).collect();
    for _ in 0..random.random_range(0..10) {
        let from = random.random_range(0..CELLS);
        let value = random.random_bool(0.8).then(|| random.random_range(1..6));
        let key = format!("w{writer}-{}", random.random_range(0..KEYS));
        let to = if random.random_bool(0.3) { CELLS } else { random.random_range(from + 1..=CELLS) };
        let dataset = datasets[random.random_range(0..datasets.len())];
        events.push(Event { dataset, key, from, to, value });
    }
    if let Some(last) = events.last().cloned().filter(|_| random.random_bool(0.2)) {
        events.push(last);
    }
    // A transaction with such a line is refused whole.
    let refused = u64::from(!transaction && random.random_bool(0.1));
    Request { writer, number, events, refused, committed_at: None }
}

fn event_line(event: &Event) -> Value {
    let op = if event.value.is_some() { "put" } else { "delete" };
    let (since, until) = (Event::instant(event.from), Event::end(event));
    let mut line = json!({"account": event.key, "since": since, "amount": event.value, "op": op});
    if event.dataset == LIMITS {
        line["until"] = json!(until);
    }
    line
}

fn lines(request: &Request) -> String {
    let mut lines = String::new();
    for event in &request.events {
        let _ = writeln!(lines, "{}", event_line(event));
    }
    (0..request.refused).for_each(|_| lines.push_str("{\"account\":null}\n"));
    lines
}

fn transaction_lines(request: &Request) -> String {
    let line = |event: &Event| format!("{}\n", json!({"dataset": event.dataset, "event": event_line(event)}));
    request.events.iter().map(line).collect()
}

/// Sends large requests: each says one amount of all keys, one more than the one before.
pub fn bulk(client: &Client, told: &Mutex<Told>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let amount = {
            let mut told = told.lock().expect("no client panics");
            told.bulk_unanswered = true;
            told.bulk + 1
        };
        let mut lines = String::new();
        for key in 0..BULK_KEYS {
            let _ = writeln!(lines, "{{\"account\":\"b{key}\",\"since\":\"2026-01-01\",\"amount\":{amount}}}");
        }
        let Some(reply) = client.try_post_events(BULK, "durable", lines) else { return };
        reply.expect_status(200);
        let mut told = told.lock().expect("no client panics");
        (told.bulk, told.bulk_unanswered) = (amount, false);
        drop(told);
        thread::sleep(Duration::from_millis(100));
    }
}
