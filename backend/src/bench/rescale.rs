//! `tidemark bench rescale`: how long nothing is processed when the number of slots changes, at one size of state and at
//! another.
//!
//! New keys go through the pipeline until the state has its size. Then records for keys that are there come in at a
//! steady rate while the number of slots is changed again and again. What is reported is the pause as the pipeline
//! measures it, and, told from outside, the gap between the last commit before a rescale and the first after it beside
//! the gaps between all other commits.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
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
    rescale::RescaleRequest,
};
use model::{DatasetDefinition, Instant, RescaleOutcome, RescaleReason, RescaleRecord};
use serde_json::{Value, json};

use super::{
    burst::panicked,
    figures::{Timings, draw},
    in_own_folder, process,
};
use crate::{
    compose::Parts,
    config::Settings,
    error::{Error, ErrorKind, Result},
};

const DATASET: &str = "positions";
/// Events in one request while the state is filled.
const FILL_EVENTS: u64 = 8_192;
/// Events that may be on their way while the state is filled.
const FILL_LAG_MAX: u64 = 1 << 20;
/// Requests a second under load.
const LOAD_REQUESTS_PER_SECOND: u64 = 50;
/// A rescale that takes longer has failed.
const ENDED_WITHIN: Duration = Duration::from_secs(300);
/// Valid time of the first event: 2023-11-14T22:13:20Z.
const FIRST_VALID_MICROS: i64 = 1_700_000_000_000_000;
/// Valid time between two events.
const STEP_MICROS: i64 = 1_000;
/// What draws are for.
const WHICH_KEY: u64 = 301;
const HOW_LONG: u64 = 302;

/// Arguments of `tidemark bench rescale`.
#[derive(Debug, Args)]
pub struct RescaleArguments {
    /// Size of the state in GiB; several, ascending, are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    state_gib: Vec<f64>,
    /// Rescales at each size.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    rescales: u32,
    /// Numbers of slots that are gone through again and again.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,3")]
    slots: Vec<u16>,
    /// Records a second meanwhile.
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// Shortest time between two epochs, in milliseconds. Shorter than that of `serve`, so that gaps show.
    #[arg(long, default_value_t = 200)]
    epoch_interval_ms: u64,
    /// Bytes of a key. The longer, the fewer keys fill the state.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(16..4_096))]
    key_bytes: u64,
    /// Folder to work in; made, and removed at the end. Default: in the current one.
    #[arg(long, default_value = "tidemark-bench-rescale")]
    data: PathBuf,
    /// Leave the folder for a look.
    #[arg(long)]
    keep: bool,
}

/// Runs it.
pub fn run(arguments: &RescaleArguments) -> Result<()> {
    let refused = |message: &str| Err(Error::new(ErrorKind::BadRequest, message));
    if !arguments.state_gib.is_sorted() || arguments.state_gib.iter().any(|gib| !gib.is_finite() || *gib <= 0.0) {
        return refused("--state-gib wants sizes above zero, the smallest first");
    }
    if arguments.slots.len() < 2 || arguments.slots.windows(2).any(|pair| pair[0] == pair[1]) {
        return refused("--slots wants at least two numbers, and no two alike beside each other");
    }
    in_own_folder(&arguments.data, arguments.keep, || tokio::runtime::Runtime::new()?.block_on(measure(arguments)))
}

async fn measure(arguments: &RescaleArguments) -> Result<Value> {
    let mut settings = Settings::for_folder(arguments.data.clone());
    settings.pipeline.epoch_interval = Duration::from_millis(arguments.epoch_interval_ms);
    settings.pipeline.slots = arguments.slots.last().copied().unwrap_or(1);
    let parts = Parts::open(&settings).await?;
    let feeder = Feeder::new(&parts, arguments).await?;
    let commits = Commits::follow(&parts);
    let stop = Arc::new(AtomicBool::new(false));
    let (pipeline, stopping) = (parts.pipeline(&settings, tokio::runtime::Handle::current()), Arc::clone(&stop));
    let running = tokio::task::spawn_blocking(move || pipeline.run(&stopping));
    let outcome = sizes(arguments, &parts, &feeder, &commits).await;
    stop.store(true, Ordering::Relaxed);
    running.await.map_err(panicked)??;
    let sizes = outcome?;
    check_counts(&parts, feeder.sent.load(Ordering::Relaxed)).await?;
    let p99 = |size: Option<&Value>| size.and_then(|size| size["pause"]["p99_millis"].as_f64());
    let (first, last) = (p99(sizes.first()), p99(sizes.last()));
    Ok(json!({
        "benchmark": "rescale",
        "rescales": arguments.rescales, "slots": arguments.slots, "rate": arguments.rate,
        "epoch_interval_ms": arguments.epoch_interval_ms, "key_bytes": arguments.key_bytes,
        "sizes": sizes,
        "pause_p99_ratio": first.zip(last).map(|(first, last)| last / first),
        "records": feeder.sent.load(Ordering::Relaxed),
        "peak_memory_bytes": process::peak_memory_bytes(),
    }))
}

/// Fills up to each size and rescales there.
async fn sizes(
    arguments: &RescaleArguments,
    parts: &Parts,
    feeder: &Arc<Feeder>,
    commits: &Commits,
) -> Result<Vec<Value>> {
    let mut sizes = Vec::new();
    for &gib in &arguments.state_gib {
        let watch = Stopwatch::now();
        let wanted_bytes = (gib * f64::from(1 << 30)) as u64;
        eprintln!("filling the state up to {gib} GiB");
        loop {
            feeder.fill(FILL_EVENTS).await?;
            feeder.wait_until_lag_is(parts, FILL_LAG_MAX).await?;
            if parts.state.size_bytes() >= wanted_bytes {
                break;
            }
        }
        feeder.wait_until_lag_is(parts, 0).await?;
        let fill_seconds = watch.elapsed().as_secs_f64();
        // What filling so much at once left to be done is not what a state of this size has to do day by day.
        while parts.state.is_rearranging() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        eprintln!("rescaling {} times under {} records/s", arguments.rescales, arguments.rate);
        let (stop, feeding) = (Arc::new(AtomicBool::new(false)), Arc::clone(feeder));
        let (stopping, rate) = (Arc::clone(&stop), arguments.rate);
        let load = tokio::spawn(async move { feeding.load(rate, &stopping).await });
        commits.forget();
        let records = rescale(arguments, parts).await;
        stop.store(true, Ordering::Relaxed);
        load.await.map_err(panicked)??;
        feeder.wait_until_lag_is(parts, 0).await?;
        sizes.push(figures(gib, fill_seconds, feeder, &records?, &commits.gaps()));
    }
    Ok(sizes)
}

/// Changes the number of slots again and again, at moments that have nothing to do with epochs.
async fn rescale(arguments: &RescaleArguments, parts: &Parts) -> Result<Vec<RescaleRecord>> {
    let mut records = Vec::new();
    for (number, &slots) in (0..arguments.rescales).zip(arguments.slots.iter().cycle()) {
        let apart =
            2 * arguments.epoch_interval_ms + draw(HOW_LONG, number.into(), 0) % (2 * arguments.epoch_interval_ms + 1);
        tokio::time::sleep(Duration::from_millis(apart)).await;
        if parts.rescales.scaling().slots() == slots {
            continue;
        }
        let reason = RescaleReason::Hand { text: "benchmark".to_owned() };
        let asked = parts.rescales.request(RescaleRequest { slots, reason, asked_by: "bench".to_owned() }).await?;
        let ended = parts.rescales.ended(asked.id, ENDED_WITHIN).await;
        let done = ended.filter(|record| record.outcome == Some(RescaleOutcome::Done));
        let failed = || Error::new(ErrorKind::Internal, format!("the rescale to {slots} slots did not take place"));
        records.push(done.ok_or_else(failed)?);
    }
    // The gap behind the last one has to end, too.
    tokio::time::sleep(Duration::from_millis(4 * arguments.epoch_interval_ms)).await;
    Ok(records)
}

fn figures(
    gib: f64,
    fill_seconds: f64,
    feeder: &Feeder,
    records: &[RescaleRecord],
    gaps: &BTreeMap<u64, Duration>,
) -> Value {
    let micros = |of: fn(&RescaleRecord) -> Option<u64>| -> Timings {
        records.iter().filter_map(of).map(Duration::from_micros).collect()
    };
    let pauses = micros(|record| record.pause_micros);
    // The gap behind the last epoch under the former slots holds the rescale.
    let around = |epoch: &u64| records.iter().any(|record| record.epoch == Some(*epoch));
    let gap_around: Timings = gaps.iter().filter(|(epoch, _)| around(epoch)).map(|(_, gap)| *gap).collect();
    let gap_usual: Timings = gaps.iter().filter(|(epoch, _)| !around(epoch)).map(|(_, gap)| *gap).collect();
    json!({
        "state_gib": gib,
        "state_bytes": records.iter().filter_map(|record| record.state_bytes).max(),
        "keys": feeder.keys.load(Ordering::Relaxed),
        "fill_seconds": fill_seconds,
        "pause": pauses.tail(),
        "expected_pause": micros(|record| Some(record.expected_pause_micros)).tail(),
        "waited_for_epoch": micros(|record| record.waited_micros).tail(),
        "commit_gap_around_rescales": gap_around.tail(),
        "commit_gap_usual": gap_usual.tail(),
        "commit_gap_p99_ratio": gap_around.quantile_millis(0.99) / gap_usual.quantile_millis(0.99),
    })
}

async fn check_counts(parts: &Parts, sent: u64) -> Result<()> {
    let counts = parts.lake.counts().await?;
    let told: u64 = counts.iter().map(|counts| counts.committed + counts.unchanged).sum();
    if told != sent {
        let message = format!("{told} records committed or unchanged are not the {sent} sent");
        return Err(Error::new(ErrorKind::Internal, message));
    }
    Ok(())
}

/// When epochs were committed, seen from outside of the pipeline.
struct Commits(Arc<Mutex<BTreeMap<u64, Stopwatch>>>);

impl Commits {
    fn follow(parts: &Parts) -> Commits {
        let seen: Arc<Mutex<BTreeMap<u64, Stopwatch>>> = Arc::default();
        let (seeing, mut heads) = (Arc::downgrade(&seen), parts.lake.subscribe());
        tokio::spawn(async move {
            while heads.changed().await.is_ok() {
                let epoch = heads.borrow_and_update().as_ref().map(|head| head.epoch);
                let Some((seen, epoch)) = seeing.upgrade().zip(epoch) else { return };
                seen.lock().unwrap_or_else(PoisonError::into_inner).insert(epoch, Stopwatch::now());
            }
        });
        Commits(seen)
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// From each epoch's commit to the next one's, where both were seen.
    fn gaps(&self) -> BTreeMap<u64, Duration> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = |epoch: u64| seen.get(&(epoch + 1));
        seen.iter().filter_map(|(&epoch, at)| Some((epoch, next(epoch)?.duration_since(*at)))).collect()
    }
}

/// Sends events.
struct Feeder {
    stream: Arc<adapters::EmbeddedStream>,
    decoder: Decoder,
    dataset_id: u32,
    /// Begins every key, so that it has its length.
    padding: String,
    /// Events sent.
    sent: AtomicU64,
    /// Different keys sent.
    keys: AtomicU64,
}

impl Feeder {
    async fn new(parts: &Parts, arguments: &RescaleArguments) -> Result<Arc<Feeder>> {
        let definition: DatasetDefinition = serde_json::from_value(json!({
            "columns": [
                {"name": "account", "type": "string"}, {"name": "valid_from", "type": "timestamp"},
                {"name": "value", "type": "int64"},
            ],
            "key": ["account"], "valid_from": "valid_from", "mode": "until_changed",
        }))
        .map_err(|e| Error::new(ErrorKind::Internal, "the benchmark's dataset").because(e))?;
        let dataset = parts.lake.define_dataset(DATASET, &definition).await?.dataset().clone();
        Ok(Arc::new(Feeder {
            stream: parts.stream.clone(),
            decoder: Decoder::new(Arc::new(definition), &dataset.columns),
            dataset_id: dataset.id,
            padding: "account-".repeat(arguments.key_bytes as usize / 8 + 1)[..arguments.key_bytes as usize - 12]
                .to_owned(),
            sent: AtomicU64::new(0),
            keys: AtomicU64::new(0),
        }))
    }

    /// Sends events of so many keys that are not there yet.
    async fn fill(&self, events: u64) -> Result<()> {
        let first = self.keys.fetch_add(events, Ordering::Relaxed);
        self.send((first..first + events).collect()).await
    }

    /// Sends events of keys that are there, at a steady rate, until told to stop. What could not be sent in time because
    /// the stream was slow is sent at once.
    async fn load(&self, rate: u64, stop: &AtomicBool) -> Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / LOAD_REQUESTS_PER_SECOND));
        let keys = self.keys.load(Ordering::Relaxed);
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            let events = (rate / LOAD_REQUESTS_PER_SECOND).max(1);
            self.send((sent..sent + events).map(|event| draw(WHICH_KEY, keys, event) % keys).collect()).await?;
            sent += events;
        }
        Ok(())
    }

    async fn send(&self, keys: Vec<u64>) -> Result<()> {
        let mut request = Request::default();
        let mut scratch = EventBatch::new(self.decoder.definition());
        for (line, key) in keys.iter().enumerate() {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            let valid_from = Instant(FIRST_VALID_MICROS + number as i64 * STEP_MICROS);
            let padding = &self.padding;
            let event = format!(r#"{{"account":"{padding}{key:012}","valid_from":"{valid_from}","value":{number}}}"#);
            let place = Place { position: 0, line: line as u32 + 1 };
            let rejected = |rejection: engine::Rejection| Error::new(ErrorKind::Internal, rejection.0);
            self.decoder.decode(event.as_bytes(), place, false, &mut scratch).map_err(rejected)?;
            request.accept(self.dataset_id, place.line, scratch.hashes[line], 1, event.as_bytes());
        }
        self.stream.append(request).await?;
        Ok(())
    }

    /// Returns once no more events than that are sent and not committed.
    async fn wait_until_lag_is(&self, parts: &Parts, at_most: u64) -> Result<()> {
        let mut heads = parts.lake.subscribe();
        loop {
            let position = heads.borrow_and_update().as_ref().map_or(0, |head| head.position);
            if self.stream.lag_after(position)?.records <= at_most {
                return Ok(());
            }
            if parts.progress.failed.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::Internal, "the pipeline has stopped"));
            }
            // Looked at again in any case, since a pipeline that stopped commits nothing.
            let _ = tokio::time::timeout(Duration::from_secs(1), heads.changed()).await;
        }
    }
}
