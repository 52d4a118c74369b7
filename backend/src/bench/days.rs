//! `tidemark bench days`: what grows when a lake commits every second for days.
//!
//! The clock is simulated: epochs of a few rows, a second apart in system time and as fast as they go in ours, with the
//! upkeep a server does by itself in between. Everything that could grow with the number of commits is looked at on the
//! way, just before upkeep runs, and at the end.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant as Stopwatch},
};

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use clap::Args;
use futures::TryStreamExt;
use lake::{Dataset, StagedFile};
use model::{DatasetDefinition, Instant, arrow_layout::assertion_schema};
use query::{QueryEngine, QueryRequest};
use serde_json::{Value, json};

use super::{
    answers::ask,
    figures::{Timings, draw},
    in_own_folder, maintenance, prices, process,
};
use crate::{
    compose::Parts,
    config::Settings,
    error::{Error, ErrorKind, Result},
};

/// System time of the first epoch: a second after 2024-01-01.
const FIRST_SECOND: i64 = 1;
const SECOND_MICROS: i64 = 1_000_000;
/// How often queries are timed on the way.
const LOOKS: u64 = 48;
/// Queries timed at each look on the way, and at the end.
const QUERIES_ON_THE_WAY: u64 = 10;
const QUERIES_AT_THE_END: u64 = 50;
/// What draws are for.
const WHICH_KEYS: u64 = 301;
const READING: u64 = 302;

/// Arguments of `tidemark bench days`.
#[derive(Debug, Args)]
pub struct DaysArguments {
    /// Epochs, one a second. A day has 86,400.
    #[arg(long, default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(1..))]
    commits: u32,
    /// Datasets; every epoch brings rows to each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    datasets: u32,
    /// Rows of an epoch and a dataset; at most one per key.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rows: u32,
    /// Different keys of a dataset.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// Seconds of the simulated clock between two rounds of upkeep.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    upkeep_every_secs: u32,
    /// Folder to work in; made, and removed at the end. Default: in the current one.
    #[arg(long, default_value = "tidemark-bench-days")]
    data: PathBuf,
    /// Leave the folder for a look.
    #[arg(long)]
    keep: bool,
    /// Do without upkeep, to see what it is for.
    #[arg(long)]
    without_upkeep: bool,
}

/// Runs it.
pub fn run(arguments: &DaysArguments) -> Result<()> {
    in_own_folder(&arguments.data, arguments.keep, || tokio::runtime::Runtime::new()?.block_on(measure(arguments)))
}

async fn measure(arguments: &DaysArguments) -> Result<Value> {
    let settings = Settings::for_folder(arguments.data.clone());
    let parts = Parts::open(&settings).await?;
    let engine = parts.query_engine(&settings)?;
    let datasets = define(&parts, arguments.datasets).await?;
    let (mut commits, mut upkeep, mut largest) = (Timings::default(), Timings::default(), Seen::default());
    let look_every = (u64::from(arguments.commits) / LOOKS).max(1);
    process::reset_peak_memory();
    let watch = Stopwatch::now();
    for second in 0..arguments.commits {
        commits.push(commit(arguments, &parts, &datasets, second).await?);
        let due = (second + 1) % arguments.upkeep_every_secs == 0;
        let looking = u64::from(second + 1) % look_every == 0;
        if looking || (due && !arguments.without_upkeep) {
            largest = largest.or_more(see(&parts, &arguments.data, &datasets).await?);
        }
        if looking {
            largest = largest.or_more(time_queries(&engine, &datasets, QUERIES_ON_THE_WAY).await?);
            eprintln!("{} of {} commits; largest so far: {largest:?}", second + 1, arguments.commits);
        }
        if due && !arguments.without_upkeep {
            // How many times as fast as the real clock the simulated one has run so far.
            let speed = f64::from(second + 1) / watch.elapsed().as_secs_f64().max(1e-3);
            let round = Stopwatch::now();
            maintenance::maintain_once(&parts, speed).await?;
            upkeep.push(round.elapsed());
        }
    }
    let seconds = watch.elapsed().as_secs_f64();
    let end = see(&parts, &arguments.data, &datasets).await?;
    let end = end.or_more(time_queries(&engine, &datasets, QUERIES_AT_THE_END).await?);
    Ok(json!({
        "benchmark": "days",
        "commits": arguments.commits, "datasets": arguments.datasets,
        "rows_per_commit": arguments.rows, "keys": arguments.keys,
        "upkeep": !arguments.without_upkeep, "upkeep_every_seconds": arguments.upkeep_every_secs,
        "seconds": seconds,
        "peak_memory_bytes": process::peak_memory_bytes(),
        "commit": commits.tail(),
        "upkeep_round": upkeep.tail(),
        "end": end.figures(),
        "largest": largest.or_more(end).figures(),
    }))
}

/// What may grow. Files and bytes are of one dataset, that with the most.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Data files that a query may have to look at.
    files: u64,
    /// Parquet files on disk, needed or not.
    data_files_on_disk: u64,
    data_bytes: u64,
    metadata_files: u64,
    metadata_bytes: u64,
    catalog_bytes: u64,
    /// Middle time until a query is planned.
    planning_millis: f64,
    /// Middle time of a query for a key that no file can hold: planning, and a look at the bounds of every file.
    no_key_millis: f64,
    /// Middle time of a query for a key that is there.
    one_key_millis: f64,
}

impl Seen {
    fn or_more(self, other: Seen) -> Seen {
        Seen {
            files: self.files.max(other.files),
            data_files_on_disk: self.data_files_on_disk.max(other.data_files_on_disk),
            data_bytes: self.data_bytes.max(other.data_bytes),
            metadata_files: self.metadata_files.max(other.metadata_files),
            metadata_bytes: self.metadata_bytes.max(other.metadata_bytes),
            catalog_bytes: self.catalog_bytes.max(other.catalog_bytes),
            planning_millis: self.planning_millis.max(other.planning_millis),
            no_key_millis: self.no_key_millis.max(other.no_key_millis),
            one_key_millis: self.one_key_millis.max(other.one_key_millis),
        }
    }

    fn figures(self) -> Value {
        json!({
            "files": self.files,
            "data_files_on_disk": self.data_files_on_disk, "data_bytes": self.data_bytes,
            "metadata_files": self.metadata_files, "metadata_bytes": self.metadata_bytes,
            "catalog_bytes": self.catalog_bytes,
            "planning_median_millis": self.planning_millis,
            "no_key_query_median_millis": self.no_key_millis,
            "one_key_query_median_millis": self.one_key_millis,
        })
    }
}

/// Looks at the files.
async fn see(parts: &Parts, data: &Path, datasets: &[Arc<Dataset>]) -> Result<Seen> {
    let snapshot = parts.lake.snapshot(None).await?;
    let lake = data.join("lake");
    let mut seen = Seen { catalog_bytes: size_of(&lake.join("catalog.sqlite")), ..Seen::default() };
    for dataset in datasets {
        let folder = lake.join("warehouse").join(&dataset.name);
        let (data_files_on_disk, data_bytes) = files_in(&folder.join("data"))?;
        let (metadata_files, metadata_bytes) = files_in(&folder.join("metadata"))?;
        let files = snapshot.table(&dataset.name)?.file_count().await?.files;
        let of_dataset =
            Seen { files, data_files_on_disk, data_bytes, metadata_files, metadata_bytes, ..Seen::default() };
        seen = seen.or_more(of_dataset);
    }
    Ok(seen)
}

/// How many files are in a folder, and their bytes.
fn files_in(folder: &Path) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(folder)? {
        files += 1;
        bytes += size_of(&entry?.path());
    }
    Ok((files, bytes))
}

/// The size of a file; zero where it has just been removed.
fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Times queries of the first dataset.
async fn time_queries(engine: &QueryEngine, datasets: &[Arc<Dataset>], count: u64) -> Result<Seen> {
    let Some(dataset) = datasets.first() else { return Ok(Seen::default()) };
    let (mut planning, mut no_key, mut one_key) = (Timings::default(), Timings::default(), Timings::default());
    for _ in 0..count {
        // Keys begin with 'sensor', so no file's bounds let this one in.
        let sql = format!("SELECT value FROM {} WHERE sensor = 'none'", dataset.name);
        let watch = Stopwatch::now();
        let request = QueryRequest { sql, ..QueryRequest::default() };
        let answer = engine.query(request).await.map_err(failed)?;
        planning.push(watch.elapsed());
        let _: Vec<_> = answer.stream.try_collect().await.map_err(failed)?;
        no_key.push(watch.elapsed());

        let sql = format!("SELECT value FROM {} WHERE sensor = '{}'", dataset.name, key(0));
        let watch = Stopwatch::now();
        ask(engine, &sql).await?;
        one_key.push(watch.elapsed());
    }
    Ok(Seen {
        planning_millis: planning.median_millis(),
        no_key_millis: no_key.median_millis(),
        one_key_millis: one_key.median_millis(),
        ..Seen::default()
    })
}

fn failed(source: query::Error) -> Error {
    Error::new(ErrorKind::Internal, "the benchmark's dataset cannot be queried").because(source)
}

async fn define(parts: &Parts, count: u32) -> Result<Vec<Arc<Dataset>>> {
    let definition: DatasetDefinition = serde_json::from_value(json!({
        "columns": [
            {"name": "sensor", "type": "string"}, {"name": "value", "type": "decimal(18,2)"},
            {"name": "at", "type": "timestamp"},
        ],
        "key": ["sensor"], "valid_from": "at", "mode": "until_changed",
    }))
    .map_err(unmade)?;
    let mut datasets = Vec::new();
    for number in 1..=count {
        datasets.push(parts.lake.define_dataset(&format!("readings_{number}"), &definition).await?.dataset().clone());
    }
    Ok(datasets)
}

/// Writes and commits the epoch of a second; gives how long the commit took, the files not counted.
async fn commit(arguments: &DaysArguments, parts: &Parts, datasets: &[Arc<Dataset>], second: u32) -> Result<Duration> {
    let seconds = FIRST_SECOND + i64::from(second);
    let system_time = Instant(prices::start_of_day(0).micros() + seconds * SECOND_MICROS);
    let mut files: Vec<(u32, Vec<StagedFile>)> = Vec::with_capacity(datasets.len());
    for dataset in datasets {
        let rows = batch(arguments, dataset, second, system_time)?;
        let mut writer = parts.lake.writer(dataset)?;
        let stage = move || {
            writer.write(&rows)?;
            writer.finish()
        };
        files.push((dataset.id, tokio::task::block_in_place(stage)?));
    }
    let watch = Stopwatch::now();
    prices::commit(&parts.lake, &files, system_time).await?;
    Ok(watch.elapsed())
}

/// The rows of a second: other keys each time, no key twice.
fn batch(arguments: &DaysArguments, dataset: &Dataset, second: u32, system_time: Instant) -> Result<RecordBatch> {
    let rows = u64::from(arguments.rows.min(arguments.keys));
    let first = draw(WHICH_KEYS, u64::from(dataset.id), u64::from(second));
    let keys = (0..rows).map(|row| key((first % u64::from(arguments.keys) + row) % u64::from(arguments.keys)));
    let reading = |row| i128::from(draw(READING, u64::from(second), row) % 10_000_000);
    let values = Decimal128Array::from_iter_values((0..rows).map(reading));
    let times = |micros: Option<i64>| -> ArrayRef {
        let times: TimestampMicrosecondArray = (0..rows).map(|_| micros).collect();
        Arc::new(times.with_timezone("+00:00"))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(keys)),
        Arc::new(values.with_precision_and_scale(18, 2).map_err(unmade)?),
        times(Some(system_time.micros())),
        times(None),
        times(Some(system_time.micros())),
        times(None),
        Arc::new(StringArray::from_iter_values((0..rows).map(|_| "put"))),
    ];
    RecordBatch::try_new(assertion_schema(&dataset.definition), columns).map_err(unmade)
}

fn key(number: u64) -> String {
    format!("sensor-{number:06}")
}

fn unmade(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "the benchmark's rows could not be made").because(source)
}
