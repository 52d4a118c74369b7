//! `tidemark bench burst`: how fast a full stream becomes committed, queryable data.
//!
//! Fills the embedded stream with JSON events (not timed), then starts the pipeline as `serve` runs it and takes the
//! time until the last record is committed; at the end SQL counts what is there.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant as Stopwatch},
};

use adapters::{Request, RocksDbState, StateMemory};
use arrow::array::AsArray;
use clap::Args;
use engine::{
    Decoder,
    event_batch::{EventBatch, Place},
    ports::StateStore,
};
use futures::TryStreamExt;
use model::{DatasetDefinition, Instant};
use query::QueryRequest;
use serde_json::json;

use super::{figures::mix, in_own_folder, process};
use crate::{
    compose::Parts,
    config::Settings,
    error::{Error, ErrorKind, Result},
};

/// The dataset that is filled.
pub const DATASET: &str = "positions";
/// Events appended in one request.
const EVENTS_PER_REQUEST: u64 = 16_384;
/// Valid time of the first event: 2023-11-14T22:13:20Z.
const FIRST_VALID_MICROS: i64 = 1_700_000_000_000_000;
/// Valid time between two events.
const STEP_MICROS: i64 = 10_000;
/// How much earlier a late event is effective: one hour.
const LATE_MICROS: i64 = 3_600_000_000;

/// Arguments of `tidemark bench burst`.
#[derive(Debug, Args)]
pub struct BurstArguments {
    /// Events.
    #[arg(long, default_value_t = 5_000_000)]
    records: u64,
    /// Different keys.
    #[arg(long, default_value_t = 500_000)]
    keys: u64,
    /// Parallel workers.
    #[arg(long, default_value_t = 2)]
    slots: u16,
    /// Folder to work in; made, and removed at the end. Default: in the current one.
    #[arg(long, default_value = "tidemark-bench-burst")]
    data: PathBuf,
    /// Records in an epoch at most. Default: as `serve`.
    #[arg(long)]
    epoch_max_records: Option<u64>,
    /// Begin with one event of each key, so that all of them are in the state.
    #[arg(long)]
    every_key: bool,
    /// Memory for reading timelines, in bytes. Default: as `serve`.
    #[arg(long)]
    state_block_cache_bytes: Option<usize>,
    /// Memory for writing timelines, in bytes. Default: as `serve`.
    #[arg(long)]
    state_write_buffer_bytes: Option<usize>,
    /// Days after which what ended goes from the state. Default: nothing goes.
    #[arg(long)]
    state_ttl_days: Option<u32>,
    /// Never make the state durable on the way, to see what that costs.
    #[arg(long)]
    without_checkpoints: bool,
    /// Take a savepoint so often, in seconds. Default: none.
    #[arg(long)]
    savepoint_every_secs: Option<u64>,
    /// Leave the folder for a look.
    #[arg(long)]
    keep: bool,
}

impl BurstArguments {
    fn settings(&self) -> Settings {
        let mut settings = Settings::for_folder(self.data.clone());
        let Settings { pipeline, state, savepoints, .. } = &mut settings;
        pipeline.slots = self.slots;
        pipeline.limits.max_records = self.epoch_max_records.unwrap_or(pipeline.limits.max_records);
        pipeline.state_ttl = self.state_ttl_days.map(|days| Duration::from_secs(86_400) * days);
        if self.without_checkpoints {
            pipeline.checkpoint_interval = Duration::MAX;
            pipeline.checkpoint_max_records = u64::MAX;
            pipeline.checkpoint_max_work = Duration::MAX;
        }
        savepoints.by_itself = self.savepoint_every_secs.is_some();
        savepoints.automatic.interval = Duration::from_secs(self.savepoint_every_secs.unwrap_or(1).max(1));
        state.block_cache_bytes = self.state_block_cache_bytes.unwrap_or(state.block_cache_bytes);
        state.write_buffer_bytes = self.state_write_buffer_bytes.unwrap_or(state.write_buffer_bytes);
        settings
    }

    fn load(&self) -> Load {
        Load { records: self.records, keys: self.keys, every_key: self.every_key }
    }
}

/// What is filled in.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Events.
    pub records: u64,
    /// Different keys.
    pub keys: u64,
    /// Whether the first events are one of each key.
    pub every_key: bool,
}

/// Lets what runs beside a measurement end with it, however it ends.
struct StopAtEnd(Arc<AtomicBool>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The most memory that the state took so far, by kind.
#[derive(Default)]
struct PeakOfState(Mutex<StateMemory>);

impl PeakOfState {
    /// Looks again and again until told to stop.
    fn watch(&self, state: &RocksDbState, stop: &AtomicBool) {
        const EVERY: Duration = Duration::from_millis(50);
        while !stop.load(Ordering::Relaxed) {
            let now = state.memory();
            let mut peak = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            peak.block_cache_bytes = peak.block_cache_bytes.max(now.block_cache_bytes);
            peak.write_buffer_bytes = peak.write_buffer_bytes.max(now.write_buffer_bytes);
            peak.open_files_bytes = peak.open_files_bytes.max(now.open_files_bytes);
            drop(peak);
            std::thread::sleep(EVERY);
        }
    }

    fn get(&self) -> StateMemory {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs it.
pub fn run(arguments: BurstArguments) -> Result<()> {
    in_own_folder(&arguments.data, arguments.keep, || tokio::runtime::Runtime::new()?.block_on(measure(&arguments)))
}

async fn measure(arguments: &BurstArguments) -> Result<serde_json::Value> {
    let settings = arguments.settings();
    let parts = Parts::open(&settings).await?;
    eprintln!("filling the stream with {} events of {} keys", arguments.records, arguments.keys);
    let event_bytes = fill(arguments.load(), &parts).await?;
    let last_position = parts.stream.last_position();

    eprintln!("draining with {} slots", arguments.slots);
    process::reset_peak_memory();
    let (cpu_before, written_before) = (process::cpu_seconds(), process::written_bytes());
    let watch = Stopwatch::now();
    let pipeline = parts.pipeline(&settings, tokio::runtime::Handle::current());
    let stop = Arc::new(AtomicBool::new(false));
    let _stop_at_end = StopAtEnd(Arc::clone(&stop));
    let stopping = Arc::clone(&stop);
    let mut running = tokio::task::spawn_blocking(move || pipeline.run(&stopping));
    let peak = Arc::new(PeakOfState::default());
    let (watched, state, watching) = (Arc::clone(&peak), Arc::clone(&parts.state), Arc::clone(&stop));
    let watcher = tokio::task::spawn_blocking(move || watched.watch(&state, &watching));
    tokio::spawn(parts.savepoints.clone().run());
    let mut heads = parts.lake.subscribe();
    tokio::select! {
        drained = heads.wait_for(|head| head.as_ref().is_some_and(|head| head.position >= last_position)) => {
            drained.map_err(|e| Error::new(ErrorKind::Internal, "the lake closed").because(e))?;
        }
        ended = &mut running => {
            ended.map_err(panicked)??;
            return Err(Error::new(ErrorKind::Internal, "the pipeline ended before the stream was drained"));
        }
    }
    let seconds = watch.elapsed().as_secs_f64();
    let cpu_seconds = process::cpu_seconds() - cpu_before;
    let peak_memory_bytes = process::peak_memory_bytes();
    let written_bytes = process::written_bytes() - written_before;
    let savepoints = parts.savepoints.known().len();
    parts.savepoints.stop();
    stop.store(true, Ordering::Relaxed);
    running.await.map_err(panicked)??;
    watcher.await.map_err(panicked)?;
    let peak_of_state = peak.get();
    let group_bytes = parts.state.key_group_bytes()?;
    let counts = parts.lake.counts().await?;
    let (committed, unchanged, rows) = counts.first().map_or((0, 0, 0), |c| (c.committed, c.unchanged, c.rows));
    if committed + unchanged != arguments.records {
        let message = format!("{committed} committed and {unchanged} unchanged are not the {} sent", arguments.records);
        return Err(Error::new(ErrorKind::Internal, message));
    }
    let queried_keys = count_keys(&parts, &settings).await?;
    Ok(json!({
        "benchmark": "burst",
        "records": arguments.records,
        "keys": arguments.keys,
        "slots": arguments.slots,
        "checkpoints": !arguments.without_checkpoints,
        "savepoints_kept": savepoints,
        "event_bytes_mean": event_bytes as f64 / arguments.records as f64,
        "seconds": seconds,
        "records_per_second": (arguments.records as f64 / seconds).round(),
        "cpu_seconds_per_million_records": cpu_seconds / (arguments.records as f64 / 1e6),
        "peak_memory_bytes": peak_memory_bytes,
        "written_bytes": written_bytes,
        "state_bytes": parts.state.size_bytes(),
        "state_bytes_of_largest_key_group": group_bytes.iter().max(),
        "state_block_cache_bytes": settings.state.block_cache_bytes,
        "state_write_buffer_bytes": settings.state.write_buffer_bytes,
        "peak_block_cache_bytes": peak_of_state.block_cache_bytes,
        "peak_write_buffer_bytes": peak_of_state.write_buffer_bytes,
        "peak_open_files_bytes": peak_of_state.open_files_bytes,
        "evicted_segments": parts.progress.evicted_segments.load(Ordering::Relaxed),
        "epochs": parts.lake.head().map_or(0, |head| head.epoch),
        "committed": committed,
        "unchanged": unchanged,
        "rows": rows,
        "keys_by_sql": queried_keys,
    }))
}

/// The error of work that panicked.
pub fn panicked(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "the pipeline panicked").because(error)
}

/// Defines `positions` and appends a load to the stream; returns its bytes.
pub async fn fill(load: Load, parts: &Parts) -> Result<u64> {
    let records = load.records;
    let definition: DatasetDefinition = serde_json::from_value(json!({
        "columns": [
            {"name": "account", "type": "string"}, {"name": "valid_from", "type": "timestamp"},
            {"name": "value", "type": "decimal(18,2)"}, {"name": "currency", "type": "string"},
            {"name": "desk", "type": "string"}, {"name": "note", "type": "string"},
        ],
        "key": ["account"], "valid_from": "valid_from", "mode": "until_changed",
    }))
    .map_err(|e| Error::new(ErrorKind::Internal, "the benchmark's dataset").because(e))?;
    let dataset = parts.lake.define_dataset(DATASET, &definition).await?.dataset().clone();
    let decoder = Decoder::new(Arc::new(definition), &dataset.columns);
    let mut bytes = 0;
    for start in (0..records).step_by(EVENTS_PER_REQUEST as usize) {
        let mut request = Request::default();
        let mut scratch = EventBatch::new(decoder.definition());
        for (line, index) in (start..records.min(start + EVENTS_PER_REQUEST)).enumerate() {
            let event = event(index, load);
            let place = Place { position: 0, line: line as u32 + 1 };
            decoder
                .decode(event.as_bytes(), place, false, &mut scratch)
                .map_err(|rejection| Error::new(ErrorKind::Internal, rejection.0))?;
            request.accept(dataset.id, place.line, scratch.hashes[line], 1, event.as_bytes());
            bytes += event.len() as u64;
        }
        parts.stream.append(request).await?;
    }
    Ok(bytes)
}

/// The same load as the stream engine it is compared with: keys at random, one event in twenty an hour late.
fn event(index: u64, Load { keys, every_key, .. }: Load) -> String {
    let random = mix(index + 1);
    let key = if every_key && index < keys { index } else { (random >> 1) % keys };
    let late = if random & 0xff < 13 { LATE_MICROS } else { 0 };
    let valid_from = Instant(FIRST_VALID_MICROS + index as i64 * STEP_MICROS - late);
    let cents = (random >> 20) % 10_000_000;
    format!(
        r#"{{"account":"acct-{key}","valid_from":"{valid_from}","value":{}.{:02},"currency":"EUR","desk":"rates-{}","note":"position update"}}"#,
        cents / 100,
        cents % 100,
        key % 17
    )
}

async fn count_keys(parts: &Parts, settings: &Settings) -> Result<i64> {
    let engine = parts.query_engine(settings)?;
    let sql = "SELECT count(*) AS keys FROM positions FOR VALID_TIME AS OF TIMESTAMP '2100-01-01T00:00:00Z'".to_owned();
    let request = QueryRequest { sql, ..QueryRequest::default() };
    let failed = |e| Error::new(ErrorKind::Internal, "what was committed cannot be queried").because(e);
    let answer = engine.query(request).await.map_err(failed)?;
    let batches: Vec<_> = answer.stream.try_collect().await.map_err(failed)?;
    let count = batches.first().map(|batch| batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0));
    count.ok_or_else(|| Error::new(ErrorKind::Internal, "counting gave no row"))
}
