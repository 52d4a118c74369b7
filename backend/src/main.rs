//! The binary `tidemark`: reads the command line and hands over.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod api;
mod backup;
mod bench;
mod cli;
mod compose;
mod config;
mod dashboards;
mod demo;
mod demo_runner;
mod error;
mod ingest;
mod live;
mod rescales;
mod savepoints;
mod semantics;
mod site;
mod store;
mod system_tables;
mod upkeep;

/// A bitemporal data lake with dashboards.
#[derive(Debug, Parser)]
#[command(name = "tidemark", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve pages and the API, and run the pipeline.
    Serve(config::ServeArguments),
    /// The same as `serve --demo`: a simulated market with a history of corrections, then live.
    Demo(config::ServeArguments),
    /// Send records to a dataset, from files or standard input.
    Ingest(cli::ingest::IngestArguments),
    /// Ask a question in SQL.
    Query(cli::query::QueryArguments),
    /// Store a folder of dashboards, or write those that are stored into one.
    Dashboards(cli::dashboards::DashboardsArguments),
    /// Resolve and put together the files of datasets now, or check that upkeep has changed no answer.
    Maintain(cli::maintain::MaintainArguments),
    /// Take a backup of the whole lake, list backups, or check one.
    Backup(cli::backup::BackupArguments),
    /// Make a data folder of a backup. Needs no server.
    Restore(cli::backup::RestoreArguments),
    /// Change the number of slots of the running pipeline, and say how long the pause is.
    Rescale(cli::rescale::RescaleArguments),
    /// Take, list, show, delete, verify and restore savepoints of the timeline state.
    Savepoint(cli::savepoint::SavepointArguments),
    /// Measure; prints one JSON object on the last line.
    Bench(bench::BenchArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Serve(arguments) => compose::serve(arguments),
        Command::Demo(arguments) => compose::serve(config::ServeArguments { demo: true, ..arguments }),
        Command::Ingest(arguments) => cli::ingest::run(arguments),
        Command::Query(arguments) => cli::query::run(arguments),
        Command::Dashboards(arguments) => return ended(cli::dashboards::run(arguments)),
        Command::Maintain(arguments) => cli::maintain::run(arguments),
        Command::Backup(arguments) => cli::backup::run(arguments),
        Command::Restore(arguments) => cli::backup::restore(arguments),
        Command::Rescale(arguments) => cli::rescale::run(arguments),
        Command::Savepoint(arguments) => cli::savepoint::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
    };
    ended(outcome.map(|()| ExitCode::SUCCESS))
}

fn ended(outcome: error::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tidemark: {error}");
            ExitCode::FAILURE
        }
    }
}
