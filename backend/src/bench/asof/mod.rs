//! `tidemark bench asof`: what a long history costs a question as of now and of then.
//!
//! Writes daily prices as the pipeline would have left them, asks Tidemark and DuckDB the same questions over the same
//! files, compacts, asks again, and at last asks for single keys over HTTP. Answers have to agree, or there is no figure.

mod duckdb;
mod points;
mod questions;

use std::{num::NonZero, path::PathBuf, sync::Arc, time::Instant as Stopwatch};

use clap::Args;
use lake::ScanFiles;
use query::QueryEngine;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use self::{
    duckdb::Best,
    questions::{Coordinates, Question, ask_in_turn, differ},
};
use super::{
    figures::Timings,
    in_own_folder, maintenance,
    prices::{self, History},
    process,
};
use crate::{
    compose::Parts,
    config::Settings,
    error::{Error, ErrorKind, Result},
};

const DATASET: &str = "prices";
const SINGLE: &str = "prices_single";

/// Arguments of `tidemark bench asof`.
#[derive(Debug, Args)]
pub struct AsofArguments {
    /// Instruments.
    #[arg(long, default_value_t = 400_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// Days, on each of which every instrument gets a row.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..1000))]
    versions: u32,
    /// Runs of each question, after one to warm up; the middle one counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Requests for single keys.
    #[arg(long, default_value_t = 2_000)]
    points: u64,
    /// A Python with the package duckdb.
    #[arg(long, env = "TIDEMARK_PYTHON")]
    python: PathBuf,
    /// Folder to work in; made, and removed at the end. Default: in the current one.
    #[arg(long, default_value = "tidemark-bench-asof")]
    data: PathBuf,
    /// Leave the folder for a look.
    #[arg(long)]
    keep: bool,
    /// Leave out compaction and what is measured after it but the single keys.
    #[arg(long)]
    without_upkeep: bool,
}

/// Runs it.
pub fn run(arguments: &AsofArguments) -> Result<()> {
    in_own_folder(&arguments.data, arguments.keep, || {
        let identifiers = Arc::new(prices::instruments(arguments.keys));
        let mut figures = Runtime::new()?.block_on(measure(arguments, &identifiers))?;
        // The server wants the folder for itself: everything above is closed by now.
        eprintln!("asking for {} single keys over HTTP", arguments.points);
        let history = arguments.history();
        let points = points::measure(&arguments.data, &identifiers, &history, arguments.points);
        figures.insert("point_http".to_owned(), Runtime::new()?.block_on(points)?.tail());
        Ok(Value::Object(figures))
    })
}

impl AsofArguments {
    fn history(&self) -> History {
        History { first_day: 0, rounds: self.versions }
    }
}

/// A question with DuckDB's answer.
struct Asked {
    question: Question,
    duckdb: Best,
}

async fn measure(arguments: &AsofArguments, identifiers: &Arc<Vec<String>>) -> Result<Map<String, Value>> {
    let settings = Settings::for_folder(arguments.data.clone());
    let parts = Parts::open(&settings).await?;
    let watch = Stopwatch::now();
    prices::write(&parts.lake, DATASET, identifiers, arguments.history()).await?;
    let write_seconds = watch.elapsed().as_secs_f64();
    let ScanFiles { files, rows, bytes } = files_of(&parts, DATASET).await?;

    let (version, asked) = ask_duckdb(arguments, &parts).await?;
    let engine = parts.query_engine(&settings)?;
    eprintln!("asking Tidemark on {files} files of {rows} rows");
    let uncompacted = ask_tidemark(&engine, &asked, arguments.repeat).await?;
    let mut figures = object(json!({
        "benchmark": "asof",
        "keys": arguments.keys, "versions": arguments.versions, "repeat": arguments.repeat,
        "rows": rows, "files": files, "file_bytes": bytes, "write_seconds": write_seconds,
        "duckdb_version": version, "threads": threads(),
        "duckdb": asked.iter().map(|asked| {
            let mut timings = object(asked.duckdb.timings.median_and_minimum());
            timings.insert("form".to_owned(), json!(asked.duckdb.form));
            (asked.question.name.to_owned(), Value::Object(timings))
        }).collect::<Map<_, _>>(),
        "uncompacted": by_name(&asked, &uncompacted),
    }));
    figures.extend(ratios("uncompacted", &asked, &uncompacted));
    if !arguments.without_upkeep {
        figures.extend(compact(&parts).await?);
        eprintln!("asking Tidemark on compacted files");
        let compacted = ask_tidemark(&engine, &asked, arguments.repeat).await?;
        figures.insert("compacted".to_owned(), by_name(&asked, &compacted));
        figures.extend(ratios("compacted", &asked, &compacted));
        figures.extend(fifty_to_one(arguments, &parts, &engine, identifiers).await?);
    }
    Ok(figures)
}

/// DuckDB's version and answers, over all files that were written.
async fn ask_duckdb(arguments: &AsofArguments, parts: &Parts) -> Result<(String, Vec<Asked>)> {
    let head = parts.lake.head().ok_or_else(|| Error::new(ErrorKind::Internal, "nothing was written"))?;
    let questions = questions::of_history(&arguments.history(), head.system_time);
    let files = duckdb::parquet_files(&arguments.data.join("lake/warehouse").join(DATASET).join("data"))?;
    let report = duckdb::ask(&arguments.python, DATASET, &files, threads(), arguments.repeat, &questions).await?;
    let with_answer = |question: Question| Ok(Asked { duckdb: report.best(&question)?, question });
    let asked = questions.into_iter().map(with_answer).collect::<Result<_>>()?;
    Ok((report.version, asked))
}

/// How long Tidemark takes for each question. Fails where it answers otherwise than DuckDB.
async fn ask_tidemark(engine: &QueryEngine, asked: &[Asked], repeat: u32) -> Result<Vec<Timings>> {
    let mut all = Vec::with_capacity(asked.len());
    for Asked { question, duckdb } in asked {
        for (rows, timings) in ask_in_turn(engine, &[&question.tidemark], repeat).await? {
            if rows != duckdb.rows {
                return Err(differ(&question.tidemark, &rows, &duckdb.rows));
            }
            eprintln!("Tidemark, {}: {:.1} ms", question.name, timings.median_millis());
            all.push(timings);
        }
    }
    Ok(all)
}

async fn compact(parts: &Parts) -> Result<Map<String, Value>> {
    eprintln!("compacting");
    process::reset_peak_memory();
    let memory_before_bytes = process::memory_bytes();
    let watch = Stopwatch::now();
    let run = maintenance::compact(&parts.lake, DATASET).await?;
    let seconds = watch.elapsed().as_secs_f64();
    let peak_memory_bytes = process::peak_memory_bytes();
    let ScanFiles { files, rows, bytes } = files_of(parts, DATASET).await?;
    Ok(object(json!({
        "compaction_seconds": seconds,
        "compaction_memory_before_bytes": memory_before_bytes,
        "compaction_peak_memory_bytes": peak_memory_bytes,
        "compaction_run": run,
        "compacted_rows": rows, "compacted_files": files, "compacted_file_bytes": bytes,
    })))
}

/// The same question over the same keys with all their versions and with one, in turn.
async fn fifty_to_one(
    arguments: &AsofArguments,
    parts: &Parts,
    engine: &QueryEngine,
    identifiers: &Arc<Vec<String>>,
) -> Result<Map<String, Value>> {
    let single = History { first_day: arguments.versions, rounds: 1 };
    prices::write(&parts.lake, SINGLE, identifiers, single).await?;
    maintenance::compact(&parts.lake, SINGLE).await?;
    let system = parts.lake.head().map_or(single.end(), |head| head.system_time);
    let at = Coordinates { valid: single.end(), system };
    let (many, one) = (questions::as_of("many", DATASET, at), questions::as_of("one", SINGLE, at));
    let answers = ask_in_turn(engine, &[&many.tidemark, &one.tidemark], arguments.repeat).await?;
    let mut medians = answers.iter().map(|(_, timings)| timings.median_millis());
    let (many_millis, one_millis) = (medians.next().unwrap_or(0.0), medians.next().unwrap_or(0.0));
    Ok(object(json!({
        "all_versions_median_millis": many_millis,
        "one_version_median_millis": one_millis,
        "fifty_to_one_ratio": many_millis / one_millis,
    })))
}

async fn files_of(parts: &Parts, dataset: &str) -> Result<ScanFiles> {
    Ok(parts.lake.snapshot(None).await?.table(dataset)?.file_count().await?)
}

/// Threads of either engine: one per core.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

fn by_name(asked: &[Asked], timings: &[Timings]) -> Value {
    let figure = |(asked, timings): (&Asked, &Timings)| (asked.question.name.to_owned(), timings.median_and_minimum());
    Value::Object(asked.iter().zip(timings).map(figure).collect())
}

/// How many times as long DuckDB takes, by the middle runs.
fn ratios(files: &str, asked: &[Asked], timings: &[Timings]) -> Map<String, Value> {
    let ratio = |(asked, timings): (&Asked, &Timings)| {
        let name = format!("duckdb_to_tidemark_{files}_{}", asked.question.name);
        (name, json!(asked.duckdb.timings.median_millis() / timings.median_millis()))
    };
    asked.iter().zip(timings).map(ratio).collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
