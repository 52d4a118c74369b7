//! Checking a backup, and making a data folder of it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::sink,
    path::Path,
};

use model::Instant;
use serde::{Deserialize, Serialize};

use super::{
    BackupRecord, LAKE, Store,
    record::{FileRecord, Object},
    store::{Copying, copy_hashing, sync},
};
use crate::error::{Error, ErrorKind, Result};

/// Lies in a data folder while it is being restored.
const UNFINISHED: &str = "restore-unfinished";

/// What reading a backup whole found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The backup.
    pub id: String,
    /// Its files.
    pub files: u64,
    /// Different contents, each read once.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Files whose contents are missing.
    pub missing: Vec<String>,
    /// Files whose contents are not what was kept.
    pub altered: Vec<String>,
}

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

/// The condition of contents.
enum Condition {
    Whole,
    Missing,
    Altered,
}

/// Reads all contents of a backup and compares their hashes.
pub fn verify(store: &dyn Store, record: &BackupRecord) -> Result<Verification> {
    let mut by_object: BTreeMap<&Object, Vec<&FileRecord>> = BTreeMap::new();
    for file in &record.files {
        by_object.entry(&file.object).or_default().push(file);
    }
    let mut found = Verification {
        id: record.id.clone(),
        files: record.files.len() as u64,
        objects: by_object.len() as u64,
        bytes: 0,
        missing: Vec::new(),
        altered: Vec::new(),
    };
    for (object, files) in by_object {
        let places = files.iter().map(|file| file.path.clone());
        match condition(store, object)? {
            Condition::Whole => found.bytes += object.bytes,
            Condition::Missing => found.missing.extend(places),
            Condition::Altered => found.altered.extend(places),
        }
    }
    Ok(found)
}

impl Verification {
    /// Whether all is there as it was kept.
    pub fn holds(&self) -> bool {
        self.missing.is_empty() && self.altered.is_empty()
    }
}

fn condition(store: &dyn Store, object: &Object) -> Result<Condition> {
    let Some(mut contents) = store.open(object)? else { return Ok(Condition::Missing) };
    match copy_hashing(&mut *contents, &mut sink()) {
        Ok(found) if found == *object => Ok(Condition::Whole),
        Ok(_) => Ok(Condition::Altered),
        Err(Copying::Reading(e) | Copying::Writing(e)) => Err(unreadable(store, object, &e)),
    }
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
        write(store, file, data)?;
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

/// Writes one file to its place, and checks what was written against its hash.
fn write(store: &dyn Store, file: &FileRecord, data: &Path) -> Result<()> {
    let path = data.join(&file.path);
    let spoilt = |what: &str| {
        let message = format!(
            "{} is {what} in the backup folder {} (object {}); nothing was restored, use another backup",
            file.path,
            store.place(),
            file.object.sha256
        );
        Error::new(ErrorKind::Unprocessable, message)
    };
    let mut contents = store.open(&file.object)?.ok_or_else(|| spoilt("missing"))?;
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|e| cannot_write(data, &e))?;
    let mut written = File::create_new(&path).map_err(|e| cannot_write(data, &e))?;
    let found = copy_hashing(&mut *contents, &mut written).map_err(|e| match e {
        Copying::Reading(e) => unreadable(store, &file.object, &e),
        Copying::Writing(e) => cannot_write(data, &e),
    })?;
    if found != file.object {
        return Err(spoilt("altered"));
    }
    written.sync_all().map_err(|e| cannot_write(data, &e))
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

fn unreadable(store: &dyn Store, object: &Object, source: &std::io::Error) -> Error {
    let message = format!("object {} in {} cannot be read: {source}", object.sha256, store.place());
    Error::new(ErrorKind::Io, message)
}

fn cannot_write(data: &Path, source: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("the data folder {} cannot be written: {source}", data.display()))
}
