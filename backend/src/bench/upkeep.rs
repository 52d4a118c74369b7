//! `tidemark bench upkeep`: what compaction costs those who write and those who ask meanwhile.
//!
//! A lake with a long history of prices takes in a full stream while single keys of another dataset are asked for.
//! After a third of the stream the history is compacted in the same process. What the pipeline does gets slower as its
//! state grows, so the time of the compaction is compared with what came right before it and what came right after.

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
    /// Do not compact: what the figures differ by is then noise.
    #[arg(long)]
    without_upkeep: bool,
}

/// Runs it.
pub fn run(arguments: &UpkeepArguments) -> Result<()> {
    in_own_folder(&arguments.data, arguments.keep, || tokio::runtime::Runtime::new()?.block_on(measure(arguments)))
}

async fn measure(arguments: &UpkeepArguments) -> Result<Value> {
    let mut settings = Settings::for_folder(arguments.data.clone());
    settings.pipeline.slots = arguments.slots;
    let parts = Parts::open(&settings).await?;
    let identifiers = Arc::new(prices::instruments(arguments.keys));
    let history = History { first_day: 0, rounds: arguments.versions };
    prices::write(&parts.lake, COMPACTED, &identifiers, history).await?;
    prices::write(&parts.lake, ASKED, &identifiers, History { first_day: arguments.versions, rounds: 1 }).await?;
    eprintln!("filling the stream with {} events", arguments.records);
    burst::fill(arguments.records, arguments.record_keys, &parts).await?;

    let engine = Arc::new(parts.query_engine(&settings)?);
    let stop = Arc::new(AtomicBool::new(false));
    let (pipeline, stopping) = (parts.pipeline(&settings, tokio::runtime::Handle::current()), Arc::clone(&stop));
    let ingesting = tokio::task::spawn_blocking(move || pipeline.run(&stopping));
    let asking = tokio::spawn(keep_asking(engine, identifiers, Arc::clone(&stop)));
    let outcome = observe(arguments, &parts.lake).await;
    stop.store(true, Ordering::Relaxed);
    ingesting.await.map_err(panicked)??;
    let asked = asking.await.map_err(panicked)??;
    Ok(figures(arguments, &outcome?, &asked))
}

/// A stretch of time, with the commits in it.
#[derive(Debug)]
struct Window {
    from: Stopwatch,
    to: Stopwatch,
    /// When how many records were committed.
    commits: Vec<(Stopwatch, u64)>,
}

impl Window {
    /// From the first commit in it to the last: records, and seconds.
    fn records_and_seconds(&self) -> (f64, f64) {
        match (self.commits.first(), self.commits.last()) {
            (Some((from, before)), Some((to, after))) => {
                ((after - before) as f64, to.duration_since(*from).as_secs_f64())
            }
            _ => (0.0, 0.0),
        }
    }

    /// Null where there are not two commits.
    fn records_per_second(&self) -> Option<f64> {
        rate(&[self])
    }

    /// The questions that began in it.
    fn timings(&self, asked: &[(Stopwatch, Duration)]) -> Timings {
        asked.iter().filter(|(at, _)| (self.from..self.to).contains(at)).map(|(_, duration)| *duration).collect()
    }
}

/// Records per second over several windows; None where there are no two commits in any.
fn rate(windows: &[&Window]) -> Option<f64> {
    let sum = |sum: (f64, f64), add: (f64, f64)| (sum.0 + add.0, sum.1 + add.1);
    let (records, seconds) = windows.iter().map(|window| window.records_and_seconds()).fold((0.0, 0.0), sum);
    (seconds > 0.0).then_some((records / seconds).round())
}

/// What was observed.
struct Observed {
    before: Window,
    during: Window,
    after: Window,
    compaction_seconds: f64,
    compaction_run: Value,
    peak_memory_bytes: u64,
}

async fn observe(arguments: &UpkeepArguments, lake: &Lake) -> Result<Observed> {
    let mut commits = Commits { heads: lake.subscribe(), lake: lake.clone(), committed: 0 };
    let share = |sixths: u64| arguments.records / 6 * sixths;
    eprintln!("taking in events until things are warm");
    commits.follow(share(1), std::future::pending::<()>()).await?;
    eprintln!("taking in events before compaction");
    let (before, _) = commits.follow(share(2), std::future::pending::<()>()).await?;

    eprintln!("taking in events during compaction");
    process::reset_peak_memory();
    let watch = Stopwatch::now();
    let mut compacting = tokio::spawn({
        let (lake, without_upkeep) = (lake.clone(), arguments.without_upkeep);
        async move {
            let run = if without_upkeep { Ok(Value::Null) } else { maintenance::compact(&lake, COMPACTED).await };
            (run, watch.elapsed().as_secs_f64())
        }
    });
    let (during, ended) = if arguments.without_upkeep {
        commits.follow(share(4), std::future::pending()).await?
    } else {
        commits.follow(arguments.records, &mut compacting).await?
    };
    let ended = match ended {
        Some(ended) => ended,
        None => compacting.await,
    };
    let (compaction_run, compaction_seconds) = ended.map_err(panicked)?;
    let peak_memory_bytes = process::peak_memory_bytes();

    eprintln!("taking in events after compaction");
    let (after, _) = commits.follow(arguments.records, std::future::pending::<()>()).await?;
    let compaction_run = compaction_run?;
    Ok(Observed { before, during, after, compaction_seconds, compaction_run, peak_memory_bytes })
}

/// The commits of the stream's records.
struct Commits {
    heads: watch::Receiver<Option<EpochRecord>>,
    lake: Lake,
    committed: u64,
}

impl Commits {
    /// Waits for the next; gives when it came and how many records are committed by now.
    async fn next(&mut self) -> Result<(Stopwatch, u64)> {
        let changed = tokio::time::timeout(COMMIT_WITHIN, self.heads.changed()).await;
        if !matches!(changed, Ok(Ok(()))) {
            let message = format!("the pipeline committed nothing for {} s", COMMIT_WITHIN.as_secs());
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let now = Stopwatch::now();
        let id = self.lake.dataset(burst::DATASET).map(|dataset| dataset.id);
        let counts = self.lake.counts().await?;
        let of_stream = counts.iter().find(|counts| Some(counts.dataset_id) == id);
        self.committed = of_stream.map_or(0, |counts| counts.committed + counts.unchanged);
        Ok((now, self.committed))
    }

    /// Follows them until so many records are committed, or `end` comes first, whose outcome is given then.
    async fn follow<T>(&mut self, records: u64, end: impl Future<Output = T>) -> Result<(Window, Option<T>)> {
        let from = Stopwatch::now();
        let mut commits: Vec<(Stopwatch, u64)> = Vec::new();
        tokio::pin!(end);
        let ended = loop {
            if self.committed >= records {
                break None;
            }
            tokio::select! {
                commit = self.next() => commits.push(commit?),
                outcome = &mut end => break Some(outcome),
            }
        };
        Ok((Window { from, to: Stopwatch::now(), commits }, ended))
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

fn figures(arguments: &UpkeepArguments, observed: &Observed, asked: &[(Stopwatch, Duration)]) -> Value {
    let Observed { before, during, after, .. } = observed;
    let loss = rate(&[before, after]).zip(during.records_per_second()).map(|(usual, now)| 100.0 * (1.0 - now / usual));
    let asked_during = during.timings(asked);
    let asked_usually = Timings::joined(&before.timings(asked), &after.timings(asked));
    json!({
        "benchmark": "upkeep",
        "keys": arguments.keys, "versions": arguments.versions,
        "records": arguments.records, "record_keys": arguments.record_keys, "slots": arguments.slots,
        "compacting": !arguments.without_upkeep,
        "compaction_seconds": observed.compaction_seconds,
        "compaction_run": observed.compaction_run,
        "ingesting_during_compaction_seconds": during.to.duration_since(during.from).as_secs_f64(),
        "peak_memory_bytes": observed.peak_memory_bytes,
        "records_per_second_before": before.records_per_second(),
        "records_per_second_during": during.records_per_second(),
        "records_per_second_after": after.records_per_second(),
        "ingestion_loss_percent": loss,
        "query_without": asked_usually.tail(),
        "query_during": asked_during.tail(),
        "query_p99_ratio": asked_during.quantile_millis(0.99) / asked_usually.quantile_millis(0.99),
    })
}
