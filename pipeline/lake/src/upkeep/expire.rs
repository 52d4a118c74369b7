//! Expiry: Iceberg snapshots that nobody needs leave the table's metadata, and files that nothing refers to leave the
//! disk.
//!
//! System time does not depend on snapshots. Rows say since when and until when they were known, so every answer as of
//! every system time, and under every snapshot token, comes from the files the table has now. Snapshots are for other
//! engines, which may be in the middle of reading one.
//!
//! A file goes only if no snapshot that stays and no reader in this process refers to it, no writer holds it, and it has
//! been so for a while. Whatever was left by a crash goes the same way.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::{Duration, Instant as Stopwatch, SystemTime, UNIX_EPOCH},
};

use iceberg::spec::{ManifestFile, TableMetadata};
use model::Instant;
use serde::Serialize;

use super::{
    MaintainOptions,
    replace::{next_metadata, write_metadata},
    runs::{UpkeepKind, UpkeepRun},
};
use crate::{
    Error, Lake, Result,
    catalog::TableMove,
    commit::settle_doubt,
    files,
    lake::{Shared, State, TableState, no_dataset, to_the_end},
    layout::TableFolders,
    manifests::load_list,
    objects::{DataFiles, ObjectFound, location_at},
};

/// What expiry keeps.
#[derive(Debug, Clone, Copy)]
pub struct ExpiryOptions {
    /// Snapshots younger than this stay, unless there are too many. Default: ten minutes.
    pub keep_for: Duration,
    /// The last so many stay whatever their age. Default: 10.
    pub keep_at_least: usize,
    /// No more stay than this, whatever their age, because every commit writes all of them down again. Default: 50.
    pub keep_at_most: usize,
    /// How long a file has to have been of no use before it is removed. Longer than a commit may take, whose metadata is
    /// of no use before its end. Default: fifteen minutes.
    pub grace: Duration,
    #[cfg(test)]
    pub(crate) fault: Option<super::tests::Fault>,
}

impl Default for ExpiryOptions {
    fn default() -> ExpiryOptions {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        ExpiryOptions {
            keep_for: minutes(10),
            keep_at_least: 10,
            keep_at_most: 50,
            grace: minutes(15),
            #[cfg(test)]
            fault: None,
        }
    }
}

/// What expiry would remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExpiryPlan {
    /// Snapshots that would leave the metadata.
    pub snapshots: u64,
    /// Files of no use that are old enough to go now.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
}

/// A file in a table's folders, or among what is archived of it.
struct Found {
    path: PathBuf,
    bytes: u64,
    written: SystemTime,
}

impl Found {
    fn object(found: ObjectFound) -> Found {
        let ObjectFound { location, bytes, written_secs } = found;
        let written = UNIX_EPOCH + Duration::from_secs(u64::try_from(written_secs).unwrap_or(0));
        Found { path: PathBuf::from(location), bytes, written }
    }
}

impl Lake {
    /// What [`Lake::expire`] would do now.
    pub async fn plan_expiry(&self, dataset: &str, options: ExpiryOptions) -> Result<ExpiryPlan> {
        let state = self.shared.state();
        let table = state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        let expired = expired(&table.metadata, now(), options);
        let useless = self.useless_files(dataset, options).await?;
        Ok(ExpiryPlan {
            snapshots: expired.len() as u64,
            files: useless.len() as u64,
            bytes: useless.iter().map(|file| file.bytes).sum(),
        })
    }

    /// Removes what nobody needs of a dataset; `None` where there is nothing of the kind. Answers stay as they are, those
    /// of other engines under a snapshot that is gone excepted. Runs to its end even where the caller stops waiting.
    ///
    /// Fails with `NotFound`, and with `Io` where a file cannot be removed; the next run then tries again.
    pub async fn expire(&self, dataset: &str, options: ExpiryOptions) -> Result<Option<UpkeepRun>> {
        let (lake, dataset) = (self.clone(), dataset.to_owned());
        to_the_end(async move {
            let _turn = lake.shared.upkeep.lock().await;
            lake.run_expiry(&dataset, options).await
        })
        .await
    }

    /// Whether a dataset has many snapshots, or nobody looked for a while.
    pub(crate) fn expiry_is_due(&self, dataset: &str, options: &MaintainOptions) -> bool {
        let state = self.shared.state();
        let Some(table) = state.table(dataset) else { return false };
        let last = self.shared.last_expiry(table.dataset.id);
        last.elapsed() >= options.expire_every || table.metadata.snapshots().len() >= 2 * options.expiry.keep_at_most
    }

    pub(crate) async fn run_expiry(&self, dataset: &str, options: ExpiryOptions) -> Result<Option<UpkeepRun>> {
        let watch = Stopwatch::now();
        let mut run = self.expiry_run(dataset).await?;
        self.shared.expiry_begins(dataset);
        let expired = drop_snapshots(self, &mut run, options).await?;
        let useless = self.useless_files(dataset, options).await?;
        if expired == 0 && useless.is_empty() {
            return Ok(None);
        }
        let (count, bytes) = (useless.len() as u64, useless.iter().map(|file| file.bytes).sum::<u64>());
        let data = self.shared.files.data().clone();
        let useless =
            files::on_own_thread("upkeep", move || remove(&data, &useless, options).map(|()| useless)).await?;
        self.shared.catalog.forget_replaced(useless.iter().map(|file| file.path.as_path())).await?;
        run.files_after = run.files_before.saturating_sub(count);
        run.bytes_after = run.bytes_before.saturating_sub(bytes);
        run.reason = format!("{expired} snapshots, {count} files of no use");
        run.duration_micros = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.catalog.keep_upkeep_run(&run).await?;
        Ok(Some(run))
    }

    /// Counts of an expiry are those of all files in the table's folders, metadata among them.
    async fn expiry_run(&self, dataset: &str) -> Result<UpkeepRun> {
        let state = self.shared.state();
        let table = state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        let found = found_of(&self.shared, table).await?;
        let (files, bytes) = (found.len() as u64, found.iter().map(|file| file.bytes).sum());
        Ok(UpkeepRun {
            run: uuid::Uuid::now_v7().to_string(),
            kind: UpkeepKind::Expiry,
            dataset: dataset.to_owned(),
            reason: String::new(),
            started: Instant(i64::try_from(now().as_micros()).unwrap_or(i64::MAX)),
            duration_micros: 0,
            error: None,
            system_time: state.head.as_ref().map(|head| head.system_time),
            files_before: files,
            files_after: files,
            rows_before: 0,
            rows_after: 0,
            bytes_before: bytes,
            bytes_after: bytes,
            digest: None,
        })
    }

    /// Files of a table's folders that nothing refers to and that are old enough.
    async fn useless_files(&self, dataset: &str, options: ExpiryOptions) -> Result<Vec<Found>> {
        let state = self.shared.state();
        let table = state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        // First what is there, then what is in use: a file that comes meanwhile is not among the first, and one that is
        // committed meanwhile is among the second.
        let found = found_of(&self.shared, table).await?;
        let used = self.used_files(table.dataset.id).await?;
        // An archive can be reached by several paths, but a name is given once.
        let names: HashSet<&OsStr> = used.iter().filter_map(|path| path.file_name()).collect();
        let is_used = |path: &Path| path.file_name().is_some_and(|name| names.contains(name));
        let replaced = self.shared.catalog.replaced_files(dataset).await?;
        let elsewhere = replaced.keys().cloned().collect();
        let found = with_those_elsewhere(found, elsewhere, self.shared.files.data().clone()).await?;
        let now = SystemTime::now();
        let aged = |file: &Found| {
            let since = replaced.get(&file.path).copied().unwrap_or(file.written);
            now.duration_since(since).is_ok_and(|age| age >= options.grace)
        };
        Ok(found.into_iter().filter(|file| !is_used(&file.path) && aged(file)).collect())
    }

    /// What snapshots, readers and writers of a dataset refer to now.
    async fn used_files(&self, dataset_id: u32) -> Result<HashSet<PathBuf>> {
        let mut used = self.shared.staging.paths();
        let state = self.shared.state();
        let Some(table) = state.table_by_id(dataset_id) else { return Ok(used) };
        let metadata = &table.metadata;
        used.insert(files::path_of(&table.metadata_location));
        used.extend(metadata.metadata_log().iter().map(|log| files::path_of(&log.metadata_file)));
        let mut manifests: Vec<ManifestFile> = Vec::new();
        for snapshot in metadata.snapshots() {
            used.insert(files::path_of(snapshot.manifest_list()));
            manifests.extend(load_list(snapshot.manifest_list()).await?);
        }
        for read in self.shared.tables_in_use(dataset_id) {
            manifests.extend(read.manifests.iter().cloned());
        }
        let mut seen = HashSet::new();
        manifests.retain(|manifest| seen.insert(manifest.manifest_path.clone()));
        for manifest in &manifests {
            used.insert(files::path_of(&manifest.manifest_path));
            let entries = self.shared.manifests.load(manifest).await?;
            let alive = entries.iter().filter(|entry| entry.is_alive());
            used.extend(alive.map(|entry| files::path_of(entry.data_file().file_path())));
        }
        Ok(used)
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The snapshots of a table that may go: never the current one.
fn expired(metadata: &TableMetadata, now: Duration, options: ExpiryOptions) -> Vec<i64> {
    let others = metadata.snapshots().filter(|snapshot| Some(snapshot.snapshot_id()) != metadata.current_snapshot_id());
    let others = others.map(|snapshot| (snapshot.sequence_number(), snapshot.timestamp_ms(), snapshot.snapshot_id()));
    to_expire(others.collect(), now, options)
}

/// Of snapshots given by sequence number, time in milliseconds and id, the current one not among them.
fn to_expire(mut snapshots: Vec<(i64, i64, i64)>, now: Duration, options: ExpiryOptions) -> Vec<i64> {
    snapshots.sort_unstable_by(|a, b| b.cmp(a));
    let oldest_kept = i64::try_from(now.saturating_sub(options.keep_for).as_millis()).unwrap_or(i64::MAX);
    let goes = |(index, (_, timestamp_ms, id)): (usize, &(i64, i64, i64))| {
        // The current snapshot is the first of those that stay.
        let place = index + 1;
        let too_many = place >= options.keep_at_most.max(1);
        let too_old = place >= options.keep_at_least && *timestamp_ms < oldest_kept;
        (too_many || too_old).then_some(*id)
    };
    snapshots.iter().enumerate().filter_map(goes).collect()
}

/// Takes snapshots out of a table's metadata, in one commit. Gives how many.
async fn drop_snapshots(lake: &Lake, run: &mut UpkeepRun, options: ExpiryOptions) -> Result<usize> {
    let shared: &Shared = &lake.shared;
    let _changing = shared.changing.lock().await;
    settle_doubt(shared).await?;
    let state = shared.state();
    let table = state.table(&run.dataset).ok_or_else(|| no_dataset(&run.dataset))?;
    let ids = expired(&table.metadata, now(), options);
    if ids.is_empty() {
        return Ok(0);
    }
    let (location, before) = next_metadata(table)?;
    let gone = ids.clone();
    let metadata = write_metadata(location.clone(), move || Ok(before.remove_snapshots(&gone).build()?)).await?;
    #[cfg(test)]
    super::tests::crash(options.fault, super::tests::Step::MetadataWritten)?;
    let moved = TableMove { name: &table.dataset.name, from: &table.metadata_location, to: &location };
    move_alone(shared, &moved).await?;
    #[cfg(test)]
    super::tests::crash(options.fault, super::tests::Step::Committed)?;
    let next = TableState { metadata: metadata.into(), metadata_location: location, ..TableState::clone(table) };
    let mut changed = State::clone(&state);
    changed.put(next);
    shared.set_state(changed);
    Ok(ids.len())
}

/// Moves a table to metadata that reads the same. An error can reach us after the move reached the disk; then it is found
/// out before the next commit.
async fn move_alone(shared: &Shared, moved: &TableMove<'_>) -> Result<()> {
    let outcome = shared.catalog.move_alone(moved).await;
    shared.in_doubt.fetch_or(outcome.is_err(), Ordering::Relaxed);
    outcome
}

async fn found_of(shared: &Shared, table: &TableState) -> Result<Vec<Found>> {
    let archived = shared.archive.as_ref().map(|archive| archive.folder_of(&table.dataset.name));
    let folders = TableFolders::at(table.metadata.location());
    let data = shared.files.data().clone();
    files::blocking(move || {
        let mut found = Vec::new();
        for folder in [folders.data(), folders.metadata()] {
            list(&folder, &mut found)?;
        }
        match archived {
            Some(folder) if location_at(&folder).is_some() => {
                match data.objects().and_then(|objects| objects.list(&format!("{}/", folder.display()))) {
                    Ok(objects) => found.extend(objects.into_iter().map(Found::object)),
                    Err(error) => tracing::warn!(%error, "files of no use in the archive stay for now"),
                }
            }
            // It is made when something is archived, and its disk may be elsewhere today.
            Some(folder) if folder.is_dir() => list(&folder, &mut found)?,
            _ => {}
        }
        Ok(found)
    })
    .await
}

/// Files that were replaced may lie in an archive that is the lake's no longer.
async fn with_those_elsewhere(mut found: Vec<Found>, replaced: Vec<PathBuf>, data: DataFiles) -> Result<Vec<Found>> {
    files::blocking(move || {
        let listed: HashSet<PathBuf> = found.iter().map(|file| file.path.clone()).collect();
        for path in replaced.into_iter().filter(|path| !listed.contains(path)) {
            if let Some(location) = location_at(&path) {
                // One that cannot be reached now stays for now.
                let there = data.objects().and_then(|objects| objects.find(location)).unwrap_or_default();
                found.extend(there.map(Found::object));
            } else if let Ok(metadata) = fs::metadata(&path) {
                let written = metadata.modified().unwrap_or_else(|_| SystemTime::now());
                found.push(Found { path, bytes: metadata.len(), written });
            }
        }
        Ok(found)
    })
    .await
}

fn list(folder: &Path, found: &mut Vec<Found>) -> Result<()> {
    let failed = |e| Error::io("list a folder", folder, e);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => found.push(Found {
                path: entry.path(),
                bytes: metadata.len(),
                written: metadata.modified().unwrap_or_else(|_| SystemTime::now()),
            }),
            Ok(_) => {}
            // Gone since the folder was listed: a superseded metadata file.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

fn remove(data: &DataFiles, files: &[Found], _options: ExpiryOptions) -> Result<()> {
    #[cfg(test)]
    if _options.fault == Some(super::tests::Fault::CrashAt(super::tests::Step::FilesRemoved)) {
        remove(data, &files[..files.len() / 2], ExpiryOptions::default())?;
        return super::tests::crash(_options.fault, super::tests::Step::FilesRemoved);
    }
    for file in files {
        if let Some(location) = location_at(&file.path) {
            data.objects()?.delete(location)?;
            continue;
        }
        match fs::remove_file(&file.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove a file of no use", &file.path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod expiry_tests {
    use super::*;

    #[test]
    fn the_current_snapshot_and_the_young_stay_unless_they_are_too_many() {
        let now = Duration::from_secs(10_000);
        let expired = |keep_at_least, keep_at_most, ages_secs: &[i64]| {
            let options = ExpiryOptions {
                keep_for: Duration::from_secs(100),
                keep_at_least,
                keep_at_most,
                ..ExpiryOptions::default()
            };
            let snapshots = (1..).zip(ages_secs).map(|(id, age)| (1_000 - id, (10_000 - age) * 1_000, id)).collect();
            to_expire(snapshots, now, options)
        };
        assert_eq!(expired(1, 100, &[5, 100, 101, 900]), [3, 4]);
        assert_eq!(expired(4, 100, &[5, 100, 101, 900]), [4]);
        assert_eq!(expired(1, 3, &[5, 6, 7, 8]), [3, 4]);
        assert_eq!(expired(1, 1, &[5, 6]), [1, 2]);
        assert!(expired(0, 0, &[]).is_empty());
    }
}
