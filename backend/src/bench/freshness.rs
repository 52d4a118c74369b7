//! `tidemark bench freshness`: how long after an event was acknowledged a query shows it.
//!
//! A server of its own takes in events at a steady rate, as clients send them. Some of them are of keys of their own; these
//! are asked for, again and again, from the moment their request was acknowledged until an answer has them.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant as Stopwatch},
};

use clap::Args;
use model::Instant;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    figures::{Timings, draw},
    in_own_folder,
    server::{Server, answered},
};
use crate::error::{Error, ErrorKind, Result};

const DATASET: &str = "readings";
const FIRST_VALID_MICROS: i64 = 1_700_000_000_000_000;
/// One request in so many has an event that is asked for.
const PROBE_EVERY: u64 = 5;
/// What is asked for at once at most.
const ASKED_AT_ONCE: usize = 64;
/// Requests without an answer at most.
const REQUESTS_AT_ONCE: usize = 64;
/// An event that no answer has by then is lost.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);
/// What draws are for.
const WHICH_KEY: u64 = 501;

/// Arguments of `tidemark bench freshness`.
#[derive(Debug, Args)]
pub struct FreshnessArguments {
    /// Events a second.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// How long.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Requests they come in, a second.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    requests: u32,
    /// Different keys.
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Parallel workers.
    #[arg(long, default_value_t = 2)]
    slots: u16,
    /// Shortest time between two epochs, in milliseconds. Default: as `serve`.
    #[arg(long)]
    epoch_interval_ms: Option<u64>,
    /// Folder to work in; made, and removed at the end. Default: in the current one.
    #[arg(long, default_value = "tidemark-bench-freshness")]
    data: PathBuf,
    /// Leave the folder for a look.
    #[arg(long)]
    keep: bool,
}

/// Runs it.
pub fn run(arguments: &FreshnessArguments) -> Result<()> {
    in_own_folder(&arguments.data, arguments.keep, || tokio::runtime::Runtime::new()?.block_on(measure(arguments)))
}

/// What sending and asking share.
#[derive(Default)]
struct Seen {
    /// Acknowledged and in no answer yet, with when they were acknowledged.
    waiting: Mutex<HashMap<String, Stopwatch>>,
    acknowledged: AtomicU64,
    acknowledging: Mutex<Timings>,
    sent_all: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn measure(arguments: &FreshnessArguments) -> Result<Value> {
    let mut settings = format!("slots = {}\n", arguments.slots);
    if let Some(interval) = arguments.epoch_interval_ms {
        settings += &format!("epoch_interval_ms = {interval}\n");
    }
    let mut server = Server::start(&arguments.data.join("data"), &settings)?;
    server.ready().await?;
    let definition = json!({
        "columns": [
            {"name": "sensor", "type": "string"}, {"name": "at", "type": "timestamp"},
            {"name": "value", "type": "decimal(18,2)"}, {"name": "unit", "type": "string"},
        ],
        "key": ["sensor"], "valid_from": "at", "mode": "until_changed",
    });
    server.define(DATASET, &definition).await?;
    let (server, seen) = (Arc::new(server), Arc::new(Seen::default()));
    let asking = tokio::spawn(ask_until_all_are_shown(server.clone(), seen.clone()));
    let watch = Stopwatch::now();
    send(arguments, &server, &seen).await?;
    let sending_seconds = watch.elapsed().as_secs_f64();
    seen.sent_all.store(true, Ordering::Relaxed);
    let (shown, asked) = asking.await.map_err(super::burst::panicked)??;
    let epochs = server.rows("SELECT count(*) AS epochs, avg(duration_ms) AS duration FROM system.epochs").await?;
    let metrics = metrics(&server).await?;
    let acknowledged = seen.acknowledged.load(Ordering::Relaxed);
    let acknowledging = lock(&seen.acknowledging).tail();
    Ok(json!({
        "benchmark": "freshness",
        "rate_wanted": arguments.rate, "rate_acknowledged": (acknowledged as f64 / sending_seconds).round(),
        "seconds": sending_seconds, "events": acknowledged, "keys": arguments.keys, "slots": arguments.slots,
        "freshness": shown.tail(),
        "acknowledging": acknowledging,
        "query": asked.tail(),
        "epochs_kept": epochs[0]["epochs"], "epoch_mean_millis": epochs[0]["duration"],
        "data_files": data_files(&metrics),
        "pipeline_seconds": pipeline_seconds(&metrics),
    }))
}

/// Sends at the rate asked for, as long as it was asked for.
async fn send(arguments: &FreshnessArguments, server: &Arc<Server>, seen: &Arc<Seen>) -> Result<()> {
    let room = Arc::new(Semaphore::new(REQUESTS_AT_ONCE));
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / arguments.requests);
    let mut sending = tokio::task::JoinSet::new();
    let requests = arguments.seconds * u64::from(arguments.requests);
    let mut sent = 0;
    for request in 0..requests {
        ticks.tick().await;
        // So that the rate is exact where it does not divide.
        let events = arguments.rate * (request + 1) / u64::from(arguments.requests) - sent;
        let mut lines: Vec<String> = (0..events).map(|index| event(arguments.keys, sent + index)).collect();
        sent += events;
        let probe = (request % PROBE_EVERY == 0).then(|| format!("probe-{request}"));
        if let (Some(probe), Some(first)) = (&probe, lines.first_mut()) {
            *first = line(probe, request);
        }
        let closed = |e| Error::new(ErrorKind::Internal, "the benchmark ended early").because(e);
        let permit = Arc::clone(&room).acquire_owned().await.map_err(closed)?;
        let url = server.url(&format!("/api/v1/datasets/{DATASET}/events?wait=durable"));
        let (post, seen) = (server.http.post(url).body(lines.join("\n")), Arc::clone(seen));
        sending.spawn(async move {
            let watch = Stopwatch::now();
            let outcome = answered(post).await;
            drop(permit);
            outcome?;
            lock(&seen.acknowledging).push(watch.elapsed());
            seen.acknowledged.fetch_add(events, Ordering::Relaxed);
            if let Some(probe) = probe {
                lock(&seen.waiting).insert(probe, Stopwatch::now());
            }
            Ok::<(), Error>(())
        });
    }
    while let Some(outcome) = sending.join_next().await {
        outcome.map_err(super::burst::panicked)??;
    }
    Ok(())
}

fn event(keys: u64, index: u64) -> String {
    line(&format!("sensor-{}", draw(WHICH_KEY, index, 0) % keys), index)
}

fn line(sensor: &str, index: u64) -> String {
    let at = Instant(FIRST_VALID_MICROS + index as i64 * 50);
    format!(r#"{{"sensor":"{sensor}","at":"{at}","value":{}.5,"unit":"kWh"}}"#, index % 10_000)
}

/// Asks for what was acknowledged until all of it was shown; gives how long that took, and how long each question.
async fn ask_until_all_are_shown(server: Arc<Server>, seen: Arc<Seen>) -> Result<(Timings, Timings)> {
    let (mut shown, mut asked) = (Timings::default(), Timings::default());
    loop {
        let waiting: Vec<String> =
            lock(&seen.waiting).keys().take(ASKED_AT_ONCE).map(|key| format!("'{key}'")).collect();
        if waiting.is_empty() {
            if seen.sent_all.load(Ordering::Relaxed) {
                return Ok((shown, asked));
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let watch = Stopwatch::now();
        let sql = format!("SELECT sensor FROM {DATASET} WHERE sensor IN ({})", waiting.join(", "));
        let rows = server.rows(&sql).await?;
        asked.push(watch.elapsed());
        shown.extend(take_shown(&seen, &rows)?);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes those that an answer has out of those that wait; gives how long each took.
fn take_shown(seen: &Seen, rows: &[Value]) -> Result<Vec<Duration>> {
    let mut waiting = lock(&seen.waiting);
    let sensors = rows.iter().filter_map(|row| row["sensor"].as_str());
    let shown =
        sensors.filter_map(|sensor| waiting.remove(sensor)).map(|acknowledged| acknowledged.elapsed()).collect();
    match waiting.iter().find(|(_, since)| since.elapsed() > SHOWN_WITHIN) {
        None => Ok(shown),
        Some((lost, _)) => {
            Err(Error::new(ErrorKind::Internal, format!("{lost} was acknowledged and no answer has it")))
        }
    }
}

async fn metrics(server: &Server) -> Result<String> {
    let answer = answered(server.http.get(server.url("/metrics"))).await?;
    answer.text().await.map_err(|e| Error::new(ErrorKind::Internal, "no metrics").because(e))
}

/// `None` until upkeep has looked for the first time.
fn data_files(metrics: &str) -> Option<u64> {
    let line = metrics.lines().find(|line| line.starts_with("tidemark_dataset_files{"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// What the pipeline spent its time on, in seconds: who waits for whom.
fn pipeline_seconds(metrics: &str) -> BTreeMap<&str, f64> {
    fn one(line: &str) -> Option<(&str, f64)> {
        let (doing, seconds) = line.strip_prefix("tidemark_pipeline_seconds_total{doing=\"")?.split_once("\"} ")?;
        Some((doing, seconds.parse().ok()?))
    }
    metrics.lines().filter_map(one).collect()
}
