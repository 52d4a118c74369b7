//! Backups of the whole data folder: stream, state and lake as of one commit, copied while everything goes on.
//!
//! The three belong together. While no commit can take place, first the stream is kept, then the state, then the catalog.
//! In this order the stream has every record that the state may need again, and the state is never ahead of the lake.
//! All this is links for the most part and soon done; then commits go on, and files are copied at leisure.

mod record;
mod restore;

pub use record::BackupRecord;
pub use restore::{restore, restored_whole};

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant as Stopwatch},
};

use adapters::{EmbeddedStream, RocksDbState, SystemClock};
use engine::ports::{Clock, StateStore};
use lake::{Lake, LakeSource, ObjectStore};
use model::{EpochRecord, Instant};
use record::{FORMAT, TableRecord, id_of, is_of};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    error::{Error, ErrorKind, Result},
    store::{BACKUPS, Source, Store, bucket_place, create_store, files_of_database, keep_files},
};

/// Folders of the data folder, as `compose` opens them.
pub const STREAM: &str = "stream";
/// The timeline state.
pub const STATE: &str = "state";
/// The lake.
pub const LAKE: &str = "lake";
/// Folder in the data folder for what a backup keeps until it is copied.
const SCRATCH: &str = "backup-scratch";
/// And in it, for a file that is brought here to be copied.
const FETCHED: &str = "fetched";
/// What else may lie in the data folder and belongs to it: the demo's seed and day.
const OTHER_FILES: [&str; 1] = ["demo.json"];
/// How often the stores are kept anew because the state went on meanwhile, and the pause between.
const ATTEMPTS_MAX: u32 = 40;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes backups, one at a time.
pub struct Backups {
    data: PathBuf,
    lake: Lake,
    stream: Arc<EmbeddedStream>,
    state: Arc<RocksDbState>,
    objects: Arc<dyn ObjectStore>,
    turn: tokio::sync::Mutex<()>,
    stopping: CancellationToken,
}

/// What a backup came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupReport {
    /// Its name.
    pub id: String,
    /// The last epoch in it; 0 before the first.
    pub epoch: u64,
    /// The system time of that epoch.
    pub system_time: Option<Instant>,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files whose contents were not in the backup folder before.
    pub new_files: u64,
    /// Their bytes.
    pub new_bytes: u64,
    /// How long commits were held back, in milliseconds.
    pub held_ms: u64,
    /// How long it took in all, in milliseconds.
    pub duration_ms: u64,
}

/// What is known of a backup before its files are copied.
struct Draft {
    root: String,
    lake: String,
    head: Option<EpochRecord>,
    tables: Vec<TableRecord>,
    sources: Vec<Source>,
}

/// The scratch folder, removed when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = clean_scratch_at(&self.0) {
            warn!(%error, "what a backup kept for itself is removed at the next start");
        }
    }
}

impl Backups {
    /// Over what lies in the data folder. Removes what an earlier backup left there when it was cut off.
    pub fn new(
        data: &Path,
        lake: Lake,
        stream: Arc<EmbeddedStream>,
        state: Arc<RocksDbState>,
        objects: Arc<dyn ObjectStore>,
    ) -> Result<Backups> {
        let data = data.canonicalize()?;
        clean_scratch_at(&data.join(SCRATCH))?;
        let stopping = CancellationToken::new();
        Ok(Backups { data, lake, stream, state, objects, turn: tokio::sync::Mutex::default(), stopping })
    }

    /// Takes a backup into a folder or `s3://bucket/prefix`, once it has its turn. It goes on to its end even where the
    /// caller stops waiting.
    ///
    /// Fails with `Unprocessable` for a folder that cannot be used, with `Unavailable` while the state is catching up,
    /// where a bucket cannot be reached and where the server stops, with `Conflict` where another process writes to the folder. Then there is no backup
    /// of that name; what was copied is of use to the next.
    pub async fn take(self: &Arc<Self>, folder: &Path) -> Result<BackupReport> {
        if bucket_place(folder)?.is_none() {
            check_folder(&self.data, folder)?;
        }
        let (backups, folder) = (Arc::clone(self), folder.to_path_buf());
        let taking = tokio::spawn(async move { backups.take_in_turn(&folder).await });
        taking.await.map_err(|e| Error::new(ErrorKind::Internal, "the backup did not come to its end").because(e))?
    }

    /// Access to buckets.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.objects.clone()
    }

    /// Gives up the backup that is being taken, and takes no other.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    async fn take_in_turn(&self, folder: &Path) -> Result<BackupReport> {
        let _turn = self.turn.lock().await;
        let watch = Stopwatch::now();
        // Before anything is held back: whether the folder can be written to.
        let (folder, objects) = (folder.to_path_buf(), self.objects.clone());
        let store = blocking(move || create_store(&folder, BACKUPS, &objects)).await?;
        let lock = store.lock()?;
        let scratch = Scratch(self.data.join(SCRATCH));
        fs::create_dir_all(&scratch.0).map_err(|e| {
            let message = format!("{} cannot be made, where a backup keeps its files meanwhile", scratch.0.display());
            Error::new(ErrorKind::Io, message).because(e)
        })?;
        // Then little is left to be written out while commits wait.
        let state = self.state.clone();
        blocking(move || Ok(state.flush()?)).await?;
        let keeping = Stores { stream: self.stream.clone(), state: self.state.clone(), scratch: scratch.0.clone() };
        let (moment, kept) = self.lake.hold_still(&scratch.0.join(LAKE), move || keeping.keep()).await?;
        kept?;
        let held_ms = millis(watch);
        let draft = self.draft(&moment, &scratch).await?;
        let (objects, fetched, stopping) = (self.objects.clone(), scratch.0.join(FETCHED), self.stopping.clone());
        let report = blocking(move || copy(&*store, draft, &*objects, &fetched, &stopping)).await?;
        // Until here: the files of the lake stay because the moment is held, the others because the scratch folder is.
        drop((moment, scratch, lock));
        let report = BackupReport { held_ms, duration_ms: millis(watch), ..report };
        info!(
            id = report.id,
            files = report.files,
            bytes = report.bytes,
            new_bytes = report.new_bytes,
            held_ms,
            ms = report.duration_ms,
            "backup taken"
        );
        Ok(report)
    }

    async fn draft(&self, moment: &lake::LakeMoment, scratch: &Scratch) -> Result<Draft> {
        let mut sources = Vec::new();
        for file in moment.files().await? {
            let place = place_text(&Path::new(LAKE).join(&file.place))?;
            sources.push(Source { place, contents: file.source, immutable: file.immutable });
        }
        for store in [STREAM, STATE] {
            sources.extend(files_of_database(store, &scratch.0.join(store))?);
        }
        for name in OTHER_FILES.iter().filter(|name| self.data.join(name).is_file()) {
            sources.push(Source {
                place: (*name).to_owned(),
                contents: LakeSource::File(self.data.join(name)),
                immutable: false,
            });
        }
        sources.sort_by(|a, b| a.place.cmp(&b.place));
        let table = |(dataset, metadata): (String, PathBuf)| {
            Ok(TableRecord { dataset, metadata: place_text(&Path::new(LAKE).join(metadata))? })
        };
        Ok(Draft {
            root: place_text(&self.data)?,
            lake: format!("{:08x}", self.lake.id()),
            head: moment.head().cloned(),
            tables: moment.tables()?.into_iter().map(table).collect::<Result<_>>()?,
            sources,
        })
    }
}

/// The stores of the pipeline, and where they are kept.
struct Stores {
    stream: Arc<EmbeddedStream>,
    state: Arc<RocksDbState>,
    scratch: PathBuf,
}

impl Stores {
    /// Keeps both. What an epoch refused goes to the stream before its changes go to the state, and replay does it again
    /// only for key groups that lack the epoch; so the state must not have gone on since before the stream was kept.
    fn keep(&self) -> Result<()> {
        let (stream, state) = (self.scratch.join(STREAM), self.scratch.join(STATE));
        for _ in 0..ATTEMPTS_MAX {
            let before = self.state.applied_epochs()?;
            self.stream.checkpoint(&stream)?;
            self.state.checkpoint(&state)?;
            if self.state.applied_epochs()? == before {
                return Ok(());
            }
            fs::remove_dir_all(&stream)?;
            fs::remove_dir_all(&state)?;
            std::thread::sleep(ATTEMPT_PAUSE);
        }
        let message = "the timeline state is catching up with the lake; take the backup once /readyz says 'ready'";
        Err(Error::new(ErrorKind::Unavailable, message))
    }
}

/// Copies what is new, and writes the record at last.
fn copy(
    store: &dyn Store,
    draft: Draft,
    objects: &dyn ObjectStore,
    fetched: &Path,
    stopping: &CancellationToken,
) -> Result<BackupReport> {
    let Draft { root, lake, head, tables, sources } = draft;
    let earlier = latest_of(store, &lake)?.map_or(Vec::new(), |record| record.files);
    let kept = keep_files(store, &sources, &earlier, objects, fetched, stopping)?;
    let taken = SystemClock.now();
    let (epoch, system_time) = head.map_or((0, None), |head| (head.epoch, Some(head.system_time)));
    let id = id_of(taken, &lake, epoch);
    let files = kept.files;
    let record = BackupRecord { format: FORMAT, id, lake, epoch, system_time, taken, root, tables, files };
    let text = serde_json::to_vec(&record)
        .map_err(|e| Error::new(ErrorKind::Internal, "the record of the backup cannot be written").because(e))?;
    store.publish(&record.id, &text)?;
    let (files, bytes) = (record.files.len() as u64, record.bytes());
    Ok(BackupReport {
        id: record.id,
        epoch,
        system_time,
        files,
        bytes,
        new_files: kept.new_files,
        new_bytes: kept.new_bytes,
        held_ms: 0,
        duration_ms: 0,
    })
}

/// The last backup of a lake that can be read. Its files need not be read again.
fn latest_of(store: &dyn Store, lake: &str) -> Result<Option<BackupRecord>> {
    for id in store.ids()?.iter().rev().filter(|id| is_of(id, lake)) {
        match BackupRecord::read(id, &store.record(id)?) {
            Ok(record) => return Ok(Some(record)),
            Err(error) => warn!(%error, "an earlier backup is passed over, and its files are read again"),
        }
    }
    Ok(None)
}

fn place_text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let message = format!("{} is not a name in UTF-8, which a backup needs", path.display());
        Error::new(ErrorKind::Unprocessable, message)
    })
}

fn check_folder(data: &Path, folder: &Path) -> Result<()> {
    if !folder.is_absolute() {
        let message = format!("the backup folder {} has to be absolute, or like s3://bucket/prefix", folder.display());
        return Err(Error::new(ErrorKind::Unprocessable, message));
    }
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    if real.starts_with(data) {
        let message = format!(
            "the backup folder {} is inside the data folder, with which it would be lost; choose another",
            folder.display()
        );
        return Err(Error::new(ErrorKind::Unprocessable, message));
    }
    Ok(())
}

fn clean_scratch_at(scratch: &Path) -> Result<()> {
    match fs::remove_dir_all(scratch) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::new(ErrorKind::Io, format!("{} cannot be removed", scratch.display())).because(e))
        }
        _ => Ok(()),
    }
}

/// Runs work that blocks away from the executor's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::new(ErrorKind::Internal, "work on a backup did not end").because(e))?
}

fn millis(watch: Stopwatch) -> u64 {
    u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_absolute_and_outside_the_data() {
        let data = tempfile::tempdir().unwrap();
        let root = data.path().canonicalize().unwrap();
        assert!(check_folder(&root, Path::new("backups")).is_err());
        assert!(check_folder(&root, &root.join("backups")).is_err());
        assert!(check_folder(&root, &root).is_err());
        assert!(check_folder(&root, Path::new("/tmp/elsewhere")).is_ok());
    }
}
