//! `tidemark backup` and `tidemark restore`: a server takes backups; listing, checking and restoring need none.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;

use super::{
    DEFAULT_URL, accepted, block_on,
    maintain::{bytes, table},
    unreachable,
};
use crate::{
    api::backups::{Place, Summary, summaries},
    backup::{self, BackupRecord, BackupReport},
    compose::object_store,
    error::{Error, ErrorKind, Result},
    store::{self, BACKUPS, Store, bucket_place, open_store},
};

const COLUMNS: [&str; 6] = ["backup", "lake", "epoch", "system time", "files", "bytes"];

/// Arguments of `tidemark backup`.
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// Folder of the backups, or s3://bucket/prefix. A folder is made where it is missing; files that are in it already
    /// are not copied again.
    folder: PathBuf,
    /// The backup to check. Default: the last one.
    #[arg(requires = "verify")]
    id: Option<String>,
    /// List the backups in the folder. Needs no server.
    #[arg(long, conflicts_with = "verify")]
    list: bool,
    /// Read a backup whole and compare hashes; fails where a file is missing or altered. Needs no server.
    #[arg(long)]
    verify: bool,
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
}

/// Arguments of `tidemark restore`.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// Folder of the backups, or s3://bucket/prefix.
    folder: PathBuf,
    /// The backup to restore. Default: the last one.
    #[arg(long)]
    backup: Option<String>,
    /// Data folder to make: empty, or not there yet.
    #[arg(long)]
    data: PathBuf,
}

/// Takes, lists or checks.
pub fn run(arguments: BackupArguments) -> Result<()> {
    if arguments.list {
        return list(&arguments.folder);
    }
    if arguments.verify {
        return verify(&arguments.folder, arguments.id.as_deref());
    }
    // The server may run elsewhere in the file system, and takes absolute folders alone.
    let folder = match bucket_place(&arguments.folder)? {
        Some(bucket) => PathBuf::from(bucket),
        None => std::path::absolute(&arguments.folder)?,
    };
    block_on(async {
        let url = format!("{}/api/v1/backups", arguments.url.trim_end_matches('/'));
        let request = reqwest::Client::new().post(&url).json(&Place { folder });
        let response = accepted(request.send().await.map_err(|e| unreachable(&url, e))?).await?;
        let report: BackupReport = response.json().await.map_err(|e| unreachable(&url, e))?;
        print_json(&report)
    })
}

/// Makes a data folder of a backup.
pub fn restore(arguments: RestoreArguments) -> Result<()> {
    let store = open_store(&arguments.folder, BACKUPS, &object_store())?;
    let record = record_of(&*store, arguments.backup.as_deref())?;
    let report = block_on(backup::restore(&*store, &record, &arguments.data))?;
    eprintln!("start it with: tidemark serve --data {}", arguments.data.display());
    print_json(&report)
}

fn list(folder: &Path) -> Result<()> {
    let rows: Vec<Vec<String>> = summaries(folder, &object_store())?.iter().map(row).collect();
    writeln!(std::io::stdout(), "{}", table(&COLUMNS, &rows)?)?;
    Ok(())
}

fn row(summary: &Summary) -> Vec<String> {
    vec![
        summary.id.clone(),
        summary.lake.clone(),
        summary.epoch.to_string(),
        summary.system_time.map_or_else(|| "before the first commit".to_owned(), |time| time.to_string()),
        summary.files.to_string(),
        bytes(summary.bytes),
    ]
}

fn verify(folder: &Path, id: Option<&str>) -> Result<()> {
    let store = open_store(folder, BACKUPS, &object_store())?;
    let record = record_of(&*store, id)?;
    let found = store::verify(&*store, &record.id, &record.files)?;
    print_json(&found)?;
    if found.holds() {
        return Ok(());
    }
    let message = format!(
        "backup {} in {} is not whole{}; remove what is altered from objects/, then the next backup puts both back \
         where the lake still has them",
        found.id,
        store.place(),
        found.faults()
    );
    Err(Error::new(ErrorKind::Unprocessable, message))
}

/// The backup of that name, or the last one of all lakes.
fn record_of(store: &dyn Store, id: Option<&str>) -> Result<BackupRecord> {
    let id = match id {
        Some(id) => id.to_owned(),
        None => store.ids()?.pop().ok_or_else(|| {
            let message = format!("{} holds no backup that is whole; take one with: tidemark backup", store.place());
            Error::new(ErrorKind::NotFound, message)
        })?,
    };
    BackupRecord::read(&id, &store.record(&id)?)
}

pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value)
        .map_err(|e| Error::new(ErrorKind::Internal, "the report cannot be written").because(e))?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
