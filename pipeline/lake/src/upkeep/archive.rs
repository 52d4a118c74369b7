//! Archiving: files whose rows have been known no longer for a while move to another place, and stay part of their table.
//!
//! Each is copied, read back and compared; then one commit names the copies in place of the files. A copy has a name of
//! its own, so that a copy that was cut off and one that is in use are never taken for each other. What is left by a
//! crash goes by expiry, from the archive as from the table's folders.
//!
//! Files lie in `<archive>/<name>/<dataset>/`, where the name is drawn by lot for each lake, and again for each restored
//! copy of one: two lakes of the same identity must not clean up after each other.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant as Stopwatch, SystemTime, UNIX_EPOCH},
};

use iceberg::spec::DataFile;
use sqlx::Row;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::{
    CompactOptions,
    compact::micros,
    plan::FileFacts,
    policy::UpkeepJob,
    progress::Progress,
    replace::{Replacement, replace},
    runs::{FileDigest, UpkeepRun},
};
use crate::{
    Error, ErrorKind, Lake, Result,
    catalog::Catalog,
    files,
    lake::{Shared, TableState},
    manifests::described_at,
    objects::{DataFiles, ObjectContents, location_at},
    scan_plan::live_files,
    writer::{InStaging, Staging},
};

const COPIED_AT_ONCE_BYTES: usize = 1 << 20;
/// Of an object.
const READ_BACK_BYTES: u64 = 16 << 20;

/// Where the archive is, and what belongs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveOptions {
    /// An absolute folder, or `s3://bucket/prefix`. It has to be there when something is archived, for it is not made: a
    /// disk that is not mounted would be taken for an empty one.
    pub folder: PathBuf,
    /// How long all rows of a file have to have been known no longer.
    pub after: Duration,
}

/// The archive of one lake.
pub(crate) struct Archive {
    options: ArchiveOptions,
    name: String,
}

/// What is copied, and where to: all that the blocking part of the work needs, and nothing shared.
struct Work {
    folder: PathBuf,
    data: DataFiles,
    files: Vec<DataFile>,
    staging: Staging,
    progress: Arc<Progress>,
    _options: CompactOptions,
}

/// A copy, which is in use for as long as this is held.
struct Copied {
    from: String,
    data_file: DataFile,
    _held: Vec<Arc<InStaging>>,
}

impl Archive {
    pub(crate) fn new(options: ArchiveOptions, name: String) -> Archive {
        Archive { options, name }
    }

    /// Where the archived files of a dataset are, once there are any.
    pub(crate) fn folder_of(&self, dataset: &str) -> PathBuf {
        self.options.folder.join(&self.name).join(dataset)
    }

    /// The same folder, made where nothing was archived so far. Fails with `Unreachable` where it should be there.
    fn ready_folder(&self, dataset: &str, in_use: bool) -> Result<PathBuf> {
        let (root, folder) = (&self.options.folder, self.folder_of(dataset));
        // Buckets have no folders, and say themselves where they are not there.
        if folder.is_dir() || location_at(&folder).is_some() {
            return Ok(folder);
        }
        if in_use || !root.is_dir() {
            let message = format!(
                "the archive {} is not there, or not what it was; mount its disk or make the folder, then what is due \
                 is archived by itself",
                root.display()
            );
            return Err(Error::new(ErrorKind::Unreachable, message));
        }
        files::create_folder(&folder)?;
        [&root.join(&self.name), root].into_iter().try_for_each(|folder| files::sync(folder))?;
        Ok(folder)
    }
}

impl Shared {
    /// Rows that ceased to be known before this, in microseconds, may be archived; none where there is no archive.
    pub(crate) fn archive_before(&self) -> Option<i64> {
        let after = i64::try_from(self.archive.as_ref()?.options.after.as_micros()).unwrap_or(i64::MAX);
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let committed = self.state().head.as_ref().map_or(0, |head| head.system_time.micros());
        Some(i64::try_from(clock).unwrap_or(i64::MAX).max(committed).saturating_sub(after))
    }
}

/// Carries out a job of archiving on a moment of a table whose files are given.
pub(super) async fn attempt(
    lake: &Lake,
    table: &TableState,
    files: &[FileFacts],
    job: &UpkeepJob,
    options: &CompactOptions,
    run: &mut UpkeepRun,
    watch: Stopwatch,
) -> Result<()> {
    let archive = lake.shared.archive.as_ref().ok_or_else(|| Error::internal("this lake has no archive"))?;
    let removed: HashSet<String> = job.inputs.iter().map(|file| file.location.clone()).collect();
    let folder = archive.folder_of(&table.dataset.name);
    let in_use = files.iter().any(|file| file.path().starts_with(&folder));
    let work = Work {
        folder: archive.ready_folder(&table.dataset.name, in_use)?,
        data: lake.shared.files.data().clone(),
        files: live_files(&lake.shared, table, |file| removed.contains(file.file_path()).then(|| file.clone())).await?,
        staging: lake.shared.staging.clone(),
        progress: lake.shared.progress.clone(),
        _options: options.clone(),
    };
    let copied = files::on_own_thread("upkeep", move || work.copy_all()).await?;
    let known = lake.shared.catalog.file_digests().await?;
    let digest = |copy: &Copied| {
        let digest = *known.get(&copy.from)?;
        Some(FileDigest { location: copy.data_file.file_path().to_owned(), digest })
    };
    let replacement = Replacement {
        dataset_id: table.dataset.id,
        removed,
        added: copied.iter().map(|copy| copy.data_file.clone()).collect(),
        digests: copied.iter().filter_map(digest).collect(),
    };
    run.duration_micros = micros(watch);
    // The copies are in use until they are committed.
    replace(lake, replacement, run, options).await.inspect(|()| drop(copied))
}

impl Work {
    fn copy_all(&self) -> Result<Vec<Copied>> {
        self.progress.begin(self.files.iter().map(DataFile::record_count).sum());
        let mut copied = Vec::with_capacity(self.files.len());
        for file in &self.files {
            copied.push(self.copy(file)?);
            self.progress.add(usize::try_from(file.record_count()).unwrap_or(usize::MAX));
        }
        if location_at(&self.folder).is_none() {
            files::sync(&self.folder)?;
        }
        Ok(copied)
    }

    fn copy(&self, file: &DataFile) -> Result<Copied> {
        match location_at(&self.folder) {
            None => self.copy_to_folder(file),
            Some(prefix) => self.copy_to_bucket(file, prefix),
        }
    }

    /// Copies a file under another name first, and reads it back before it gets its own.
    fn copy_to_folder(&self, file: &DataFile) -> Result<Copied> {
        let name = Uuid::now_v7();
        let (part, path) = (self.folder.join(format!("{name}.part")), self.folder.join(format!("{name}.parquet")));
        let held = vec![self.staging.hold(&part), self.staging.hold(&path)];
        let source = files::path_of(file.file_path());
        let read = {
            let mut to = File::create_new(&part).map_err(|e| Error::io("write a file", &part, e))?;
            let read = copy_hashing(&source, &mut to, &part)?;
            to.sync_all().map_err(|e| Error::io("sync to disk", &part, e))?;
            read
        };
        #[cfg(test)]
        super::tests::crash(self._options.fault, super::tests::Step::PartWritten)?;
        #[cfg(test)]
        super::tests::spoil(self._options.fault, &part);
        let written = copy_hashing(&part, &mut std::io::sink(), &part)?;
        if written != read || read.1 != file.file_size_in_bytes() {
            // What stays behind where that fails goes as an orphan.
            let _ = fs::remove_file(&part);
            return Err(not_what_was_copied(&source));
        }
        fs::rename(&part, &path).map_err(|e| Error::io("rename a file", &part, e))?;
        let data_file = described_at(file, files::location_of(&path)?)?;
        Ok(Copied { from: file.file_path().to_owned(), data_file, _held: held })
    }

    /// An object is there whole or not at all, so it gets its name at once, and is read back.
    fn copy_to_bucket(&self, file: &DataFile, prefix: &str) -> Result<Copied> {
        let location = format!("{prefix}/{}.parquet", Uuid::now_v7());
        let held = vec![self.staging.hold(Path::new(&location))];
        let (source, objects) = (files::path_of(file.file_path()), self.data.objects()?);
        let read = copy_hashing(&source, &mut std::io::sink(), &source)?;
        objects.put(&location, ObjectContents::File(source.clone()), true)?;
        #[cfg(test)]
        super::tests::crash(self._options.fault, super::tests::Step::PartWritten)?;
        let mut hasher = Xxh3::new();
        let mut bytes = 0;
        while bytes < read.1 {
            let range = bytes..(bytes + READ_BACK_BYTES).min(read.1);
            let stretch = objects.get(&location, Some(range))?.ok_or_else(|| not_what_was_copied(&source))?;
            hasher.update(&stretch);
            bytes += stretch.len() as u64;
        }
        if (hasher.digest128(), bytes) != read || bytes != file.file_size_in_bytes() {
            // What stays behind where that fails goes as an orphan.
            let _ = objects.delete(&location);
            return Err(not_what_was_copied(&source));
        }
        let data_file = described_at(file, location)?;
        Ok(Copied { from: file.file_path().to_owned(), data_file, _held: held })
    }
}

fn not_what_was_copied(source: &Path) -> Error {
    let message = "a copy in the archive is not what was copied, or not of the size its table says; the old files stay, \
                   the copy was removed";
    Error::new(ErrorKind::ProofFailed, message).with("path", source.display())
}

/// Copies a whole file. Gives the hash and the number of the bytes that were read.
fn copy_hashing(source: &Path, to: &mut dyn Write, target: &Path) -> Result<(u128, u64)> {
    let mut from = files::open(source)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; COPIED_AT_ONCE_BYTES];
    let mut bytes = 0;
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok((hasher.digest128(), bytes)),
            Ok(length) => length,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::io("read a file", source, e)),
        };
        let read = buffer.get(..length).unwrap_or_default();
        hasher.update(read);
        to.write_all(read).map_err(|e| Error::io("write a file", target, e))?;
        bytes += length as u64;
    }
}

impl Catalog {
    /// The name of this lake's folder in an archive: drawn by lot, and the same from then on.
    pub(crate) async fn archive_name(&self, lake: u32) -> Result<String> {
        let drawn = format!("{lake:08x}-{:08x}", Uuid::new_v4().as_fields().0);
        sqlx::query("INSERT OR IGNORE INTO tidemark_archive (only_row, name) VALUES (1, ?)")
            .bind(drawn)
            .execute(self.pool())
            .await?;
        let row = sqlx::query("SELECT name FROM tidemark_archive").fetch_one(self.pool()).await?;
        Ok(row.try_get(0)?)
    }
}
