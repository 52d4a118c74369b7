//! `tidemark bench upkeep`: what compaction costs those who write and those who ask meanwhile.
//!
//! A lake with a long history of prices takes in a full stream while single keys of another dataset are asked for.
//! After a third of the stream the history is compacted in the same process. What the pipeline does gets slower as its
//! state grows, so all is done twice, without compaction and with it, and the same stretch of the stream is compared.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant as Stopwatch},
};

use clap::Args;
use lake::Lake;
use model::EpochRecord;
use query::QueryEngine;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    answers::ask,
    burst::{self, panicked},
    figures::{Timings, draw},
    in_own_folder, maintenance,
    prices::{self, History},
    process,
};
use crate::{
    compose::Parts,
    config::Settings,
    error::{Error, ErrorKind, Result},
};

const COMPACTED: &str = "prices";
const ASKED: &str = "prices_single";
/// A pipeline that commits nothing for so long has failed.
const COMMIT_WITHIN: Duration = Duration::from_secs(120);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(10);
/// What draws are for.
const WHICH_KEY: u64 = 201;

/// Arguments of `tidemark bench upkeep`.
#[derive(Debug, Args)]
pub struct UpkeepArguments {
    /// Instruments of the history that is compacted.
    #[arg(long, default_value_t = 400_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// Days of it, on each of which every instrument has a row.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..1000))]
    versions: u32,
    /// Events that come in meanwhile. Two thirds of them should last longer than the compaction.
    #[arg(long, default_value_t = 20_000_000)]
    records: u64,
    /// Different keys of these events.
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1..))]
    record_keys: u64,
    /// Parallel workers of the pipeline.
    #[arg(long, default_value_t = 2)]
    slots: u16,
    /// Folder to work in; made, and removed at the end. Default: in the current one.
    #[arg(long, default_value = "tidemark-bench-upkeep")]
    data: PathBuf,
    /// Leave the folder for a look.
    #[arg(long)]
    keep: bool,
}

/// Runs it.
pub fn run(arguments: &UpkeepArguments) -> Result<()> {
    in_own_folder(&arguments.data, arguments.keep, || tokio::runtime::Runtime::new()?.block_on(measure(arguments)))
}

async fn measure(arguments: &UpkeepArguments) -> Result<Value> {
    let without = pass(arguments, "without", false).await?;
    let with = pass(arguments, "with", true).await?;
    Ok(figures(arguments, &without, &with))
}

/// The stream taken in once, with a compaction or without.
struct Pass {
    /// When how many records were committed.
    commits: Vec<(Stopwatch, u64)>,
    /// When each question began, and how long it took.
    asked: Vec<(Stopwatch, Duration)>,
    /// When the compaction began and ended.
    compacted: (Stopwatch, Stopwatch),
    compaction_run: Value,
    peak_memory_bytes: u64,
}

async fn pass(arguments: &UpkeepArguments, name: &str, compacting: bool) -> Result<Pass> {
    let mut settings = Settings::for_folder(arguments.data.join(name));
    settings.pipeline.slots = arguments.slots;
    let parts = Parts::open(&settings).await?;
    let identifiers = Arc::new(prices::instruments(arguments.keys));
    let history = History { first_day: 0, rounds: arguments.versions };
    prices::write(&parts.lake, COMPACTED, &identifiers, history).await?;
    prices::write(&parts.lake, ASKED, &identifiers, History { first_day: arguments.versions, rounds: 1 }).await?;
    eprintln!("filling the stream with {} events", arguments.records);
    let load = burst::Load { records: arguments.records, keys: arguments.record_keys, every_key: false };
    burst::fill(load, &parts).await?;

    let engine = Arc::new(parts.query_engine(&settings)?);
    let stop = Arc::new(AtomicBool::new(false));
    let (pipeline, stopping) = (parts.pipeline(&settings, tokio::runtime::Handle::current()), Arc::clone(&stop));
    let ingesting = tokio::task::spawn_blocking(move || pipeline.run(&stopping));
    let asking = tokio::spawn(keep_asking(engine, identifiers, Arc::clone(&stop)));
    let outcome = observe(arguments, &parts.lake, compacting).await;
    stop.store(true, Ordering::Relaxed);
    ingesting.await.map_err(panicked)??;
    let asked = asking.await.map_err(panicked)??;
    Ok(Pass { asked, ..outcome? })
}

/// Follows the stream to its end; a third of it is in when the compaction begins.
async fn observe(arguments: &UpkeepArguments, lake: &Lake, compacting: bool) -> Result<Pass> {
    let mut commits = Commits { heads: lake.subscribe(), lake: lake.clone(), followed: Vec::new() };
    eprintln!("taking in events {} compaction", if compacting { "with" } else { "without" });
    commits.follow(arguments.records / 3).await?;
    process::reset_peak_memory();
    let began = Stopwatch::now();
    let work = tokio::spawn({
        let lake = lake.clone();
        async move {
            let run = if compacting { maintenance::compact(&lake, COMPACTED).await } else { Ok(Value::Null) };
            run.map(|run| (run, Stopwatch::now(), process::peak_memory_bytes()))
        }
    });
    commits.follow(arguments.records).await?;
    let (compaction_run, ended, peak_memory_bytes) = work.await.map_err(panicked)??;
    Ok(Pass {
        commits: commits.followed,
        asked: Vec::new(),
        compacted: (began, ended),
        compaction_run,
        peak_memory_bytes,
    })
}

impl Pass {
    /// Records committed by a moment.
    fn committed_at(&self, moment: Stopwatch) -> u64 {
        self.commits.iter().take_while(|(at, _)| *at <= moment).last().map_or(0, |(_, committed)| *committed)
    }

    /// When so many records were committed; the last commit where there never were.
    fn moment_of(&self, records: u64) -> Option<Stopwatch> {
        let reached = self.commits.iter().find(|(_, committed)| *committed >= records);
        reached.or(self.commits.last()).map(|(at, _)| *at)
    }

    /// Moments at which a stretch of the stream began and ended.
    fn window(&self, (from, to): (u64, u64)) -> Option<(Stopwatch, Stopwatch)> {
        Some((self.moment_of(from)?, self.moment_of(to)?))
    }

    /// Over a stretch of the stream; None where it is empty.
    fn records_per_second(&self, stretch: (u64, u64)) -> Option<f64> {
        let (from, to) = self.window(stretch)?;
        let seconds = to.duration_since(from).as_secs_f64();
        (seconds > 0.0).then(|| ((self.committed_at(to) - self.committed_at(from)) as f64 / seconds).round())
    }

    /// The questions that began during a stretch of the stream.
    fn timings(&self, stretch: (u64, u64)) -> Timings {
        let within = |at: &Stopwatch| self.window(stretch).is_some_and(|(from, to)| (from..to).contains(at));
        self.asked.iter().filter(|(at, _)| within(at)).map(|(_, duration)| *duration).collect()
    }
}

/// The commits of the stream's records.
struct Commits {
    heads: watch::Receiver<Option<EpochRecord>>,
    lake: Lake,
    /// When how many were committed.
    followed: Vec<(Stopwatch, u64)>,
}

impl Commits {
    /// Waits until so many records are committed.
    async fn follow(&mut self, records: u64) -> Result<()> {
        while self.followed.last().is_none_or(|(_, committed)| *committed < records) {
            let changed = tokio::time::timeout(COMMIT_WITHIN, self.heads.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                let message = format!("the pipeline committed nothing for {} s", COMMIT_WITHIN.as_secs());
                return Err(Error::new(ErrorKind::Internal, message));
            }
            let now = Stopwatch::now();
            let id = self.lake.dataset(burst::DATASET).map(|dataset| dataset.id);
            let counts = self.lake.counts().await?;
            let of_stream = counts.iter().find(|counts| Some(counts.dataset_id) == id);
            self.followed.push((now, of_stream.map_or(0, |counts| counts.committed + counts.unchanged)));
        }
        Ok(())
    }
}

/// Asks for one key after the other until told to stop; gives when each question began and how long it took.
async fn keep_asking(
    engine: Arc<QueryEngine>,
    identifiers: Arc<Vec<String>>,
    stop: Arc<AtomicBool>,
) -> Result<Vec<(Stopwatch, Duration)>> {
    let mut asked = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let place = draw(WHICH_KEY, asked.len() as u64, 0) % identifiers.len() as u64;
        let sql = format!("SELECT value FROM {ASKED} WHERE instrument = '{}'", identifiers[place as usize]);
        let watch = Stopwatch::now();
        let rows = ask(&engine, &sql).await?;
        asked.push((watch, watch.elapsed()));
        if rows.len() != 1 {
            let message = format!("{sql} is answered with {} rows in place of one", rows.len());
            return Err(Error::new(ErrorKind::Internal, message));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(asked)
}

fn figures(arguments: &UpkeepArguments, without: &Pass, with: &Pass) -> Value {
    let (began, ended) = with.compacted;
    let stretch = (arguments.records / 3, with.committed_at(ended));
    let (usual, now) = (without.records_per_second(stretch), with.records_per_second(stretch));
    let loss = usual.zip(now).map(|(usual, now)| 100.0 * (1.0 - now / usual));
    let (asked_usually, asked_during) = (without.timings(stretch), with.timings(stretch));
    json!({
        "benchmark": "upkeep",
        "keys": arguments.keys, "versions": arguments.versions,
        "records": arguments.records, "record_keys": arguments.record_keys, "slots": arguments.slots,
        "compaction_seconds": ended.duration_since(began).as_secs_f64(),
        "compaction_run": with.compaction_run,
        "compared_records": stretch.1.saturating_sub(stretch.0),
        "peak_memory_bytes": with.peak_memory_bytes,
        "records_per_second_without": usual,
        "records_per_second_with": now,
        "ingestion_loss_percent": loss,
        "query_without": asked_usually.tail(),
        "query_with": asked_during.tail(),
        "query_p99_ratio": asked_during.quantile_millis(0.99) / asked_usually.quantile_millis(0.99),
    })
}
