//! `tidemark bench recovery`: how long after `kill -9` a server with much state processes records again.
//!
//! The state is filled through the pipeline, in this process. Then a server of its own takes in records at a steady rate,
//! is killed in the middle of it and started again, some times over. What is measured is the time from the start of the
//! process until a new record is committed, so it has in it whatever is applied again.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant as Stopwatch},
};

use adapters::Request;
use clap::Args;
use engine::{
    Decoder,
    event_batch::{EventBatch, Place},
    ports::StateStore,
};
use model::{DatasetDefinition, Instant};
use serde_json::{Value, json};

use super::{
    burst::panicked,
    figures::{Timings, draw},
    in_own_folder,
    server::{Server, answered},
};
use crate::{
    compose::Parts,
    config::Settings,
    error::{Error, ErrorKind, Result},
};

const DATASET: &str = "accounts";
const EVENTS_PER_REQUEST: u64 = 16_384;
/// Requests that wait in the stream while the state is filled.
const REQUESTS_AHEAD: u64 = 64;
const FIRST_VALID_MICROS: i64 = 1_700_000_000_000_000;
/// Requests a second while the server is under load.
const REQUESTS_PER_SECOND: u64 = 50;
const ASK_EVERY: Duration = Duration::from_millis(5);
const GIB: f64 = (1_u64 << 30) as f64;
/// What draws are for.
const WHICH_KEY: u64 = 401;

/// Arguments of `tidemark bench recovery`.
#[derive(Debug, Args)]
pub struct RecoveryArguments {
    /// Size of the timeline state.
    #[arg(long, default_value_t = 10.0)]
    state_gib: f64,
    /// Length of a key.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u16).range(16..1024))]
    key_bytes: u16,
    /// Events a second while the server runs, of keys that are there.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(50..))]
    rate: u64,
    /// How long it runs before it is killed.
    #[arg(long, default_value_t = 20.0)]
    load_seconds: f64,
    /// How often it is killed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// Parallel workers.
    #[arg(long, default_value_t = 2)]
    slots: u16,
    /// Folder to work in; made, and removed at the end. Default: in the current one.
    #[arg(long, default_value = "tidemark-bench-recovery")]
    data: PathBuf,
    /// Leave the folder for a look.
    #[arg(long)]
    keep: bool,
}

/// Runs it.
pub fn run(arguments: &RecoveryArguments) -> Result<()> {
    in_own_folder(&arguments.data, arguments.keep, || tokio::runtime::Runtime::new()?.block_on(measure(arguments)))
}

async fn measure(arguments: &RecoveryArguments) -> Result<Value> {
    let data = arguments.data.join("data");
    let filled = fill(arguments, &data).await?;
    let settings = format!("slots = {}\n", arguments.slots);
    let mut server = Server::start(&data, &settings)?;
    server.ready().await?;
    let (mut processing, mut ready, mut acknowledged) = (Timings::default(), Timings::default(), 0);
    for kill in 0..arguments.kills {
        acknowledged += load(arguments, &server, filled.keys, kill).await?;
        server.kill()?;
        let watch = Stopwatch::now();
        server = Server::start(&data, &settings)?;
        let (until_ready, until_processing) = processing_again(&mut server, kill, watch).await?;
        eprintln!("killed {} of {}: processing after {until_processing:?}", kill + 1, arguments.kills);
        ready.push(until_ready);
        processing.push(until_processing);
        acknowledged += 1;
    }
    let counts = server.counts(DATASET).await?;
    let count = |name: &str| counts[name].as_u64().unwrap_or(0);
    let expected = filled.keys + acknowledged;
    // The last request before a kill may be in the stream without its answer having arrived.
    if count("received") < expected || count("received") != count("committed") + count("unchanged") {
        let message = format!("{expected} were acknowledged, and the server counts {counts}");
        return Err(Error::new(ErrorKind::Internal, message));
    }
    Ok(json!({
        "benchmark": "recovery",
        "state_bytes": filled.state_bytes, "keys": filled.keys, "key_bytes": arguments.key_bytes,
        "slots": arguments.slots, "rate": arguments.rate, "load_seconds": arguments.load_seconds,
        "fill_seconds": filled.seconds,
        "ready": ready.tail(),
        "processing": processing.tail(),
        "processing_seconds_max": processing.quantile_millis(1.0) / 1e3,
        "acknowledged": expected, "received": count("received"), "committed": count("committed"),
    }))
}

struct Filled {
    keys: u64,
    state_bytes: u64,
    seconds: f64,
}

/// Fills the state through the pipeline, a key an event, and closes everything.
async fn fill(arguments: &RecoveryArguments, data: &Path) -> Result<Filled> {
    let watch = Stopwatch::now();
    let mut settings = Settings::for_folder(data.to_path_buf());
    settings.pipeline.slots = arguments.slots;
    let parts = Parts::open(&settings).await?;
    let definition: DatasetDefinition = serde_json::from_value(json!({
        "columns": [
            {"name": "account", "type": "string"}, {"name": "valid_from", "type": "timestamp"},
            {"name": "value", "type": "decimal(18,2)"},
        ],
        "key": ["account"], "valid_from": "valid_from", "mode": "until_changed",
    }))
    .map_err(|e| Error::new(ErrorKind::Internal, "the benchmark's dataset").because(e))?;
    let dataset = parts.lake.define_dataset(DATASET, &definition).await?.dataset().clone();
    let decoder = Decoder::new(Arc::new(definition), &dataset.columns);
    let pipeline = parts.pipeline(&settings, tokio::runtime::Handle::current());
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let running = tokio::task::spawn_blocking(move || pipeline.run(&stopping));
    let mut heads = parts.lake.subscribe();
    let (target, mut keys, mut told) = ((arguments.state_gib * GIB) as u64, 0, 0);
    while parts.state.size_bytes() < target {
        let mut request = Request::default();
        let mut scratch = EventBatch::new(decoder.definition());
        for line in 0..EVENTS_PER_REQUEST as usize {
            let event = event(keys, 0, arguments.key_bytes);
            let place = Place { position: 0, line: line as u32 + 1 };
            decoder
                .decode(event.as_bytes(), place, false, &mut scratch)
                .map_err(|rejection| Error::new(ErrorKind::Internal, rejection.0))?;
            request.accept(dataset.id, place.line, scratch.hashes[line], 1, event.as_bytes());
            keys += 1;
        }
        let appended = parts.stream.append(request).await?;
        wait_for(&mut heads, appended.position.saturating_sub(REQUESTS_AHEAD)).await?;
        if keys - told >= 5_000_000 {
            told = keys;
            eprintln!("{keys} keys, {:.2} GiB of state", parts.state.size_bytes() as f64 / GIB);
        }
    }
    wait_for(&mut heads, parts.stream.last_position()).await?;
    stop.store(true, Ordering::Relaxed);
    running.await.map_err(panicked)??;
    let state_bytes = parts.state.size_bytes();
    eprintln!("filled: {keys} keys, {:.2} GiB of state", state_bytes as f64 / GIB);
    Ok(Filled { keys, state_bytes, seconds: watch.elapsed().as_secs_f64() })
}

type Heads = tokio::sync::watch::Receiver<Option<model::EpochRecord>>;

async fn wait_for(heads: &mut Heads, position: u64) -> Result<()> {
    const COMMIT_WITHIN: Duration = Duration::from_secs(300);
    let reached = heads.wait_for(|head| head.as_ref().map_or(0, |head| head.position) >= position);
    match tokio::time::timeout(COMMIT_WITHIN, reached).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(Error::new(ErrorKind::Internal, "the pipeline does not commit")),
    }
}

fn event(key: u64, version: u64, key_bytes: u16) -> String {
    let valid_from = Instant(FIRST_VALID_MICROS + version as i64 * 1_000_000);
    let padding = "x".repeat(usize::from(key_bytes).saturating_sub(12));
    format!(r#"{{"account":"{key:012}{padding}","valid_from":"{valid_from}","value":{}.25}}"#, version % 1_000)
}

/// Sends events of keys that are there until the time is over; gives how many were acknowledged.
async fn load(arguments: &RecoveryArguments, server: &Server, keys: u64, kill: u32) -> Result<u64> {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let events = (arguments.rate / REQUESTS_PER_SECOND).max(1);
    let requests = (arguments.load_seconds * REQUESTS_PER_SECOND as f64) as u64;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / REQUESTS_PER_SECOND as u32);
    let mut sending = tokio::task::JoinSet::new();
    for request in 0..requests {
        ticks.tick().await;
        let version = u64::from(kill) * requests + request + 1;
        let key = |index: u64| draw(WHICH_KEY, version, index) % keys.max(1);
        let lines: Vec<String> = (0..events).map(|i| event(key(i), version, arguments.key_bytes)).collect();
        let url = server.url(&format!("/api/v1/datasets/{DATASET}/events?wait=durable"));
        let (post, acknowledged) = (server.http.post(url).body(lines.join("\n")), Arc::clone(&acknowledged));
        sending.spawn(async move {
            // Whoever has no answer does not count.
            if answered(post).await.is_ok() {
                acknowledged.fetch_add(events, Ordering::Relaxed);
            }
        });
    }
    Ok(acknowledged.load(Ordering::Relaxed))
}

/// How long until the server says it is ready, and until a new record is committed.
async fn processing_again(server: &mut Server, kill: u32, watch: Stopwatch) -> Result<(Duration, Duration)> {
    let url = server.url(&format!("/api/v1/datasets/{DATASET}/events?wait=committed"));
    let (http, body) = (server.http.clone(), event(u64::MAX - u64::from(kill), 1, 16));
    let committed = tokio::spawn(async move {
        loop {
            let answer = answered(http.post(&url).body(body.clone())).await;
            let receipt: Option<Value> = match answer {
                Ok(answer) => answer.json().await.ok(),
                Err(_) => None,
            };
            if receipt.is_some_and(|receipt| receipt["system_time"].is_string()) {
                return watch.elapsed();
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    });
    server.ready().await?;
    let ready = watch.elapsed();
    Ok((ready, committed.await.map_err(panicked)?))
}
