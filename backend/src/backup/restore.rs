//! Making a data folder of a backup.

use std::{
    fs::{self, File},
    path::Path,
};

use model::Instant;
use serde::{Deserialize, Serialize};

use super::{BackupRecord, LAKE};
use crate::{
    error::{Error, ErrorKind, Result},
    store::{self, Store, sync},
};

/// Lies in a data folder while it is being restored.
const UNFINISHED: &str = "restore-unfinished";

/// What was restored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// The backup.
    pub id: String,
    /// The last epoch in it; 0 before the first.
    pub epoch: u64,
    /// The system time of that epoch.
    pub system_time: Option<Instant>,
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Makes a data folder of a backup. The folder has to be empty, or not there yet. What was written is removed again where
/// it fails.
///
/// Fails with `Conflict` where the folder is not empty, with `Unprocessable` where contents are missing or altered, and
/// with `Io` where it cannot be written.
pub async fn restore(store: &dyn Store, record: &BackupRecord, data: &Path) -> Result<RestoreReport> {
    prepare(data)?;
    let outcome = fill(store, record, data).await;
    if outcome.is_err() {
        // The error that led here says more than one of this.
        let _ = empty(data);
    }
    outcome
}

/// Fails where a restore into a data folder did not come to its end.
pub fn restored_whole(data: &Path) -> Result<()> {
    if !data.join(UNFINISHED).exists() {
        return Ok(());
    }
    let message = format!(
        "the data folder {} is what a restore left that was cut off; empty it and restore again",
        data.display()
    );
    Err(Error::new(ErrorKind::Conflict, message))
}

fn prepare(data: &Path) -> Result<()> {
    let failed = |e| cannot_write(data, &e);
    fs::create_dir_all(data).map_err(failed)?;
    if fs::read_dir(data).map_err(failed)?.next().is_some() {
        let message =
            format!("{} is not empty; a backup is restored into an empty folder, or one not there yet", data.display());
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    Ok(())
}

async fn fill(store: &dyn Store, record: &BackupRecord, data: &Path) -> Result<RestoreReport> {
    let failed = |e| cannot_write(data, &e);
    let mark = data.join(UNFINISHED);
    File::create_new(&mark).and_then(|file| file.sync_all()).map_err(failed)?;
    sync(data).map_err(failed)?;
    for file in &record.files {
        store::write(store, file, &data.join(&file.path), "use another backup")?;
    }
    lake::relocate(&data.join(LAKE)).await.map_err(|e| {
        let message = format!("the tables of backup {} cannot be moved to {}", record.id, data.display());
        Error::new(ErrorKind::Unprocessable, message).because(e)
    })?;
    sync_folders(data).map_err(failed)?;
    fs::remove_file(&mark).and_then(|()| sync(data)).map_err(failed)?;
    let BackupRecord { id, epoch, system_time, .. } = record.clone();
    Ok(RestoreReport { id, epoch, system_time, files: record.files.len() as u64, bytes: record.bytes() })
}

fn sync_folders(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync(folder)
}

fn empty(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

fn cannot_write(data: &Path, source: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("the data folder {} cannot be written: {source}", data.display()))
}
