//! `tidemark bench NAME`: measurements. Each prints one JSON object on its last line.

use std::{io::Write, path::Path};

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

mod answers;
mod asof;
mod burst;
mod days;
mod figures;
mod freshness;
mod maintenance;
mod prices;
mod process;
mod recovery;
mod rescale;
mod server;
mod upkeep;

/// Arguments of `tidemark bench`.
#[derive(Debug, Args)]
pub struct BenchArguments {
    #[command(subcommand)]
    name: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// Drain a filled stream into committed, queryable data.
    Burst(burst::BurstArguments),
    /// Ask about a long history as of now and of then, before and after compaction, beside DuckDB.
    Asof(asof::AsofArguments),
    /// Compact while records come in and questions are asked, and see what it costs both.
    Upkeep(upkeep::UpkeepArguments),
    /// Change the number of slots under load, at one size of state and at another.
    Rescale(rescale::RescaleArguments),
    /// Kill a server with much state and see how soon it processes records again.
    Recovery(recovery::RecoveryArguments),
    /// Send events at a steady rate and see how soon queries show them.
    Freshness(freshness::FreshnessArguments),
    /// Commit once a second for days, on a simulated clock, and see what grows.
    Days(days::DaysArguments),
}

/// Runs a benchmark.
pub fn run(arguments: BenchArguments) -> Result<()> {
    match arguments.name {
        Benchmark::Burst(arguments) => burst::run(arguments),
        Benchmark::Asof(arguments) => asof::run(&arguments),
        Benchmark::Upkeep(arguments) => upkeep::run(&arguments),
        Benchmark::Rescale(arguments) => rescale::run(&arguments),
        Benchmark::Recovery(arguments) => recovery::run(&arguments),
        Benchmark::Freshness(arguments) => freshness::run(&arguments),
        Benchmark::Days(arguments) => days::run(&arguments),
    }
}

/// Measures in a folder that does not exist yet, removes it unless it is to be kept, and prints the figures.
fn in_own_folder(folder: &Path, keep: bool, measure: impl FnOnce() -> Result<Value>) -> Result<()> {
    if folder.exists() {
        let message = format!("{} exists; the benchmark wants a folder of its own", folder.display());
        return Err(Error::new(ErrorKind::BadRequest, message));
    }
    let outcome = measure();
    if !keep {
        let _ = std::fs::remove_dir_all(folder);
    }
    writeln!(std::io::stdout(), "{}", outcome?)?;
    Ok(())
}
