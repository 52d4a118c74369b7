//! `tidemark savepoint`: a server takes and deletes savepoints; a server that is stopped has them restored. Listing and
//! checking need none.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use super::{
    DEFAULT_URL, accepted,
    backup::print_json,
    block_on,
    maintain::{bytes, table},
    unreachable,
};
use crate::{
    api::savepoints::{Described, Held},
    compose::object_store,
    error::{Error, ErrorKind, Result},
    savepoints::{
        self, Contents, Deleted, Order, SavepointOptions, SavepointRecord, SavepointReport, Stopped, Summary,
    },
    store::{self, SAVEPOINTS, open_store},
};

const COLUMNS: [&str; 7] = ["savepoint", "taken", "epoch", "system time", "slots", "bytes", "can be restored"];

/// Arguments of `tidemark savepoint`.
#[derive(Debug, Args)]
pub struct SavepointArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Take a savepoint; the pipeline goes on meanwhile.
    Create(CreateArguments),
    /// List the savepoints there are, oldest first, and whether they can be restored.
    List(ListArguments),
    /// Show one with its files, as JSON.
    Show(ShowArguments),
    /// Delete one, and all contents that no other needs.
    Delete(DeleteArguments),
    /// Read one whole and compare hashes; fails where a file is missing or altered. Needs no server.
    Verify(VerifyArguments),
    /// Put one in the place of the timeline state. The server has to be stopped.
    Restore(RestoreArguments),
}

#[derive(Debug, Args)]
struct CreateArguments {
    /// Its name: lower-case letters, digits, '-', '_' and '.'.
    name: String,
    /// Anything worth remembering.
    #[arg(long)]
    note: Option<String>,
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
}

#[derive(Debug, Args)]
struct ListArguments {
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, Args)]
struct ShowArguments {
    /// Which.
    name: String,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, Args)]
struct DeleteArguments {
    /// Which.
    name: String,
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
}

#[derive(Debug, Args)]
struct VerifyArguments {
    /// Which.
    name: String,
    #[command(flatten)]
    kept: Kept,
}

#[derive(Debug, Args)]
struct RestoreArguments {
    /// Which.
    name: String,
    #[command(flatten)]
    kept: Kept,
    /// Workers the pipeline is to have from the next start on, until the settings or serve --slots say another number than
    /// they did.
    #[arg(long)]
    slots: Option<u16>,
}

/// A server, or without one what it left.
#[derive(Debug, Args)]
struct Whom {
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
    /// Data folder of a Tidemark that is stopped; then no server is asked.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Where the savepoints are. Default: in the data folder.
    #[arg(long, env = "TIDEMARK_SAVEPOINTS", requires = "data")]
    savepoints: Option<PathBuf>,
}

/// Where savepoints are, without a server.
#[derive(Debug, Args)]
struct Kept {
    /// Data folder.
    #[arg(long)]
    data: PathBuf,
    /// Folder or s3://bucket/prefix where the savepoints are. Default: in the data folder.
    #[arg(long, env = "TIDEMARK_SAVEPOINTS")]
    savepoints: Option<PathBuf>,
}

/// Does what the arguments say.
pub fn run(arguments: SavepointArguments) -> Result<()> {
    match arguments.action {
        Action::Create(arguments) => create(arguments),
        Action::List(ListArguments { whom }) => list(&whom),
        Action::Show(ShowArguments { name, whom }) => show(&name, &whom),
        Action::Delete(arguments) => delete(&arguments),
        Action::Verify(VerifyArguments { name, kept }) => verify(&name, &kept),
        Action::Restore(arguments) => restore(&arguments),
    }
}

fn create(arguments: CreateArguments) -> Result<()> {
    let CreateArguments { name, note, url } = arguments;
    block_on(async {
        let url = calls(&url);
        let request = reqwest::Client::new().post(&url).json(&Order { name, note });
        let response = accepted(request.send().await.map_err(|e| unreachable(&url, e))?).await?;
        let report: SavepointReport = response.json().await.map_err(|e| unreachable(&url, e))?;
        print_json(&report)
    })
}

fn list(whom: &Whom) -> Result<()> {
    let held = match &whom.data {
        Some(data) => kept(data, whom.savepoints.as_deref())?,
        None => block_on(ask(&calls(&whom.url)))?,
    };
    let rows: Vec<Vec<String>> = held.savepoints.iter().map(row).collect();
    writeln!(std::io::stdout(), "{}", table(&COLUMNS, &rows)?)?;
    for summary in &held.savepoints {
        if let Some(reason) = &summary.reason {
            eprintln!("{} cannot be restored: {reason}", summary.name);
        }
    }
    held.damaged.iter().for_each(|damaged| eprintln!("{damaged}"));
    if let Some(problem) = held.problem {
        eprintln!("the last savepoint could not be taken: {problem}");
    }
    Ok(())
}

fn row(summary: &Summary) -> Vec<String> {
    let restorable = match summary.restorable {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "not looked at",
    };
    vec![
        summary.name.clone(),
        summary.taken.to_string(),
        summary.epoch.to_string(),
        summary.system_time.map_or_else(|| "before the first commit".to_owned(), |time| time.to_string()),
        summary.slots.to_string(),
        bytes(summary.bytes),
        restorable.to_owned(),
    ]
}

fn show(name: &str, whom: &Whom) -> Result<()> {
    let described = match &whom.data {
        Some(data) => {
            let record = kept_record(name, data, whom.savepoints.as_deref())?;
            let savepoint = block_on(async { Stopped::open(data).await?.summary(&record).await })?;
            Described { savepoint, contents: record.files }
        }
        None => block_on(ask(&format!("{}/{name}", calls(&whom.url))))?,
    };
    print_json(&described)
}

fn delete(arguments: &DeleteArguments) -> Result<()> {
    block_on(async {
        let url = format!("{}/{}", calls(&arguments.url), arguments.name);
        let request = reqwest::Client::new().delete(&url);
        let response = accepted(request.send().await.map_err(|e| unreachable(&url, e))?).await?;
        let deleted: Deleted = response.json().await.map_err(|e| unreachable(&url, e))?;
        print_json(&deleted)
    })
}

fn verify(name: &str, kept: &Kept) -> Result<()> {
    let record = kept_record(name, &kept.data, kept.savepoints.as_deref())?;
    let store = open_store(&place(&kept.data, kept.savepoints.as_deref()), SAVEPOINTS, &object_store())?;
    let found = store::verify(&*store, &record.name, &record.files)?;
    print_json(&found)?;
    if found.holds() {
        return Ok(());
    }
    let spoilt =
        found.altered_objects.iter().map(|hash| format!("; remove the object {hash} there first")).collect::<String>();
    let message = format!(
        "savepoint {name} in {} is not whole{}{spoilt}; delete it and take another",
        store.place(),
        found.faults()
    );
    Err(Error::new(ErrorKind::Unprocessable, message))
}

fn restore(arguments: &RestoreArguments) -> Result<()> {
    let RestoreArguments { name, kept, slots } = arguments;
    let place = place(&kept.data, kept.savepoints.as_deref());
    let report = block_on(savepoints::restore(name, &place, &kept.data, *slots, &object_store()))?;
    eprintln!("start it with: tidemark serve --data {}", kept.data.display());
    print_json(&report)
}

/// Where savepoints of a data folder are, unless another place is named.
fn place(data: &Path, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| SavepointOptions::default().place(data), Path::to_path_buf)
}

/// What a server that is stopped would list.
fn kept(data: &Path, named: Option<&Path>) -> Result<Held> {
    let place = place(data, named);
    let Contents { records, damaged } = Contents::at(&place, &object_store())?;
    let savepoints = block_on(async { Stopped::open(data).await?.summaries(&records).await })?;
    Ok(Held { place: place.display().to_string(), problem: None, damaged, savepoints })
}

fn kept_record(name: &str, data: &Path, named: Option<&Path>) -> Result<SavepointRecord> {
    let store = open_store(&place(data, named), SAVEPOINTS, &object_store())?;
    SavepointRecord::read(name, &store.record(name)?)
}

fn calls(url: &str) -> String {
    format!("{}/api/v1/savepoints", url.trim_end_matches('/'))
}

async fn ask<T: serde::de::DeserializeOwned>(url: &str) -> Result<T> {
    let response = accepted(reqwest::get(url).await.map_err(|e| unreachable(url, e))?).await?;
    response.json().await.map_err(|e| unreachable(url, e))
}
