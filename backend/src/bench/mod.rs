//! `tidemark bench NAME`: measurements. Each prints one JSON object on its last line.

use clap::{Args, Subcommand};

use crate::error::Result;

mod burst;
mod process;

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
}

/// Runs a benchmark.
pub fn run(arguments: BenchArguments) -> Result<()> {
    match arguments.name {
        Benchmark::Burst(arguments) => burst::run(arguments),
    }
}
