//! Savepoints: the timeline state at a moment, by name, so that a state that is lost or damaged can be put back without a
//! backup of everything. Taken from the running pipeline, which goes on meanwhile.
//!
//! A savepoint holds no records: what came after it is applied again from the stream, as after a crash. So the stream
//! holds what each savepoint needs, up to a bound, and a savepoint says of itself whether it can still be restored.
//!
//! What may not happen here: holding back commits or acknowledgements.

mod contents;
mod fit;
mod options;
mod record;
mod restore;
mod summary;
mod taking;

pub use contents::Contents;
pub use options::{SavepointOptions, Written};
pub use record::SavepointRecord;
pub use restore::{Stopped, finish_restore, forget_old_state, restore};
pub use summary::{Deleted, Order, SavepointReport, Summary};

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use adapters::{EmbeddedStream, RocksDbState, SystemClock};
use engine::{
    Scaling,
    ports::{Clock, Source as _},
};
use fit::{Found, Now, due, fits};
use lake::{Lake, ObjectStore};
use model::Instant;
use record::{check_name, check_note};
use restore::judge;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    error::{Error, ErrorKind, Result},
    store::{SAVEPOINTS, bucket_place, open_store},
};

/// Folder in the data folder for what a savepoint keeps until it is copied.
const SCRATCH: &str = "savepoint-scratch";
/// How often it is looked at least whether an automatic one is due, and the pause after one that failed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// What savepoints are taken of.
pub struct Parts {
    /// The data folder.
    pub data: PathBuf,
    /// The lake.
    pub lake: Lake,
    /// The stream.
    pub stream: Arc<EmbeddedStream>,
    /// The timeline state.
    pub state: Arc<RocksDbState>,
    /// Access to buckets.
    pub objects: Arc<dyn ObjectStore>,
    /// How many workers the pipeline has.
    pub scaling: Arc<Scaling>,
}

/// Takes, lists and deletes savepoints, one thing at a time.
pub struct Savepoints {
    parts: Parts,
    place: PathBuf,
    options: SavepointOptions,
    started: Instant,
    turn: tokio::sync::Mutex<()>,
    stopping: CancellationToken,
    /// Those there are, by name, as far as is known.
    known: Mutex<Contents>,
    /// What the last attempt failed with, where it did.
    problem: Mutex<Option<String>>,
    failures: AtomicU64,
}

impl Savepoints {
    /// Over what lies in a data folder. Removes what an earlier savepoint left there when it was cut off.
    pub fn new(mut parts: Parts, options: SavepointOptions) -> Result<Savepoints> {
        parts.data = parts.data.canonicalize()?;
        restore::remove_folder(&parts.data.join(SCRATCH))?;
        Ok(Savepoints {
            place: options.place(&parts.data),
            parts,
            options,
            started: SystemClock.now(),
            turn: tokio::sync::Mutex::default(),
            stopping: CancellationToken::new(),
            known: Mutex::default(),
            problem: Mutex::default(),
            failures: AtomicU64::new(0),
        })
    }

    /// Takes a named savepoint, once it has its turn. It goes on to its end even where the caller stops waiting.
    ///
    /// Fails with `Unprocessable` for a name that cannot be, with `Conflict` where there is one of that name or the place
    /// is another lake's, with `Unavailable` where a bucket cannot be reached or the server stops, and with `Io` where a
    /// folder cannot be written. Then there is no savepoint of that name, unless the answer of a bucket was lost; what was
    /// copied is of use to the next.
    pub async fn take(self: &Arc<Self>, order: Order) -> Result<SavepointReport> {
        check_name(&order.name)?;
        check_note(order.note.as_deref())?;
        self.take_detached(Some(order)).await
    }

    /// All there are, oldest first, and what is wrong with records that cannot be read. Waits for nothing that goes on.
    pub async fn list(self: &Arc<Self>) -> Result<(Vec<Summary>, Vec<String>)> {
        let Contents { records, damaged } = self.look().await?;
        Ok((Summary::of_all(&records, &self.found()?, &self.parts.lake).await?, damaged))
    }

    /// One of them with its files. Fails with `NotFound` where there is none of that name, and with `Unprocessable` where
    /// its record is damaged.
    pub async fn show(self: &Arc<Self>, name: &str) -> Result<(Summary, SavepointRecord)> {
        let (savepoints, name) = (Arc::clone(self), name.to_owned());
        let record = blocking(move || {
            let store = open_store(&savepoints.place, SAVEPOINTS, &savepoints.parts.objects)?;
            SavepointRecord::read(&name, &store.record(&name)?)
        })
        .await?;
        let fit = judge(&record, &self.found()?, &self.parts.lake).await?;
        Ok((Summary::of(&record, Some(fit)), record))
    }

    /// Deletes one, and all contents that no other needs, once it has its turn. It goes on to its end even where the caller
    /// stops waiting. Fails with `NotFound` where there is none of that name.
    pub async fn delete(self: &Arc<Self>, name: &str) -> Result<Deleted> {
        let (savepoints, name) = (Arc::clone(self), name.to_owned());
        let deleting = tokio::spawn(async move { savepoints.delete_in_turn(name).await });
        deleting
            .await
            .map_err(|e| Error::new(ErrorKind::Internal, "the deletion did not come to its end").because(e))?
    }

    async fn delete_in_turn(self: &Arc<Self>, name: String) -> Result<Deleted> {
        let _turn = self.turn.lock().await;
        let savepoints = Arc::clone(self);
        blocking(move || {
            let store = open_store(&savepoints.place, SAVEPOINTS, &savepoints.parts.objects)?;
            let lock = store.lock()?;
            store.retract(&name)?;
            let (removed_files, removed_bytes) = savepoints.settle(&*store)?;
            drop(lock);
            info!(name, removed_bytes, "savepoint deleted");
            Ok(Deleted { name, removed_files, removed_bytes })
        })
        .await
    }

    /// Those there are, as far as is known, without looking.
    pub fn known(&self) -> Vec<Summary> {
        let found = self.found().ok();
        let summary = |record: &SavepointRecord| Summary::of(record, found.as_ref().map(|found| fits(record, found)));
        lock(&self.known).records.iter().map(summary).collect()
    }

    /// Where they are.
    pub fn place(&self) -> String {
        self.place.display().to_string()
    }

    /// What the last attempt to take one failed with, where it did.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    /// Attempts that failed since the start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Gives up the savepoint that is being taken, and takes no other.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Finds out which there are, then takes those that are due by themselves, until told to stop.
    pub async fn run(self: Arc<Self>) {
        // Until this succeeds the stream goes on holding what it held before the restart.
        while let Err(error) = self.begin().await {
            warn!(%error, place = self.place(), "savepoints cannot be listed; it is tried again");
            *lock(&self.problem) = Some(error.to_string());
            if self.stopped_within(PAUSE_AFTER_FAILURE).await {
                return;
            }
        }
        *lock(&self.problem) = None;
        let look_every = LOOK_EVERY.min(self.options.automatic.interval);
        if !self.options.by_itself {
            return;
        }
        loop {
            let failed = self.is_due() && self.take_detached(None).await.is_err();
            let pause = if failed { PAUSE_AFTER_FAILURE } else { look_every };
            if self.stopped_within(pause).await {
                return;
            }
        }
    }

    async fn stopped_within(&self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.stopping.cancelled()).await.is_ok()
    }

    fn is_due(&self) -> bool {
        let now = Now {
            time: SystemClock.now(),
            started: self.started,
            epoch: self.parts.lake.head().map_or(0, |head| head.epoch),
            stream_bytes: self.parts.stream.appended_bytes(),
        };
        let Ok(found) = self.found() else { return false };
        let known = lock(&self.known);
        due(known.records.iter().rfind(|record| fits(record, &found).is_ok()), now, &self.options.automatic)
    }

    async fn take_detached(self: &Arc<Self>, order: Option<Order>) -> Result<SavepointReport> {
        let savepoints = Arc::clone(self);
        let taking = tokio::spawn(async move {
            let named = order.is_some();
            let taken = savepoints.take_in_turn(order).await;
            savepoints.remember(named, &taken);
            taken
        });
        taking.await.map_err(|e| Error::new(ErrorKind::Internal, "the savepoint did not come to its end").because(e))?
    }

    /// A refusal of what was asked for is no failure of ours.
    fn remember(&self, named: bool, taken: &Result<SavepointReport>) {
        match taken {
            Ok(_) => *lock(&self.problem) = None,
            Err(error) if named && matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Unprocessable) => {}
            Err(_) if self.stopping.is_cancelled() => {}
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                *lock(&self.problem) = Some(error.to_string());
                warn!(%error, place = self.place(), "a savepoint could not be taken; earlier ones stay as they are");
            }
        }
    }

    async fn take_in_turn(self: &Arc<Self>, order: Option<Order>) -> Result<SavepointReport> {
        let _turn = self.turn.lock().await;
        let (savepoints, runtime) = (Arc::clone(self), tokio::runtime::Handle::current());
        blocking(move || savepoints.take_now(order, &runtime)).await
    }

    /// Finds out which there are, and has the stream hold what they need.
    async fn begin(self: &Arc<Self>) -> Result<()> {
        let _turn = self.turn.lock().await;
        let savepoints = Arc::clone(self);
        blocking(move || {
            savepoints.check_mounted()?;
            let contents = Contents::at(&savepoints.place, &savepoints.parts.objects)?;
            savepoints.hold(&contents, None)?;
            *lock(&savepoints.known) = contents;
            Ok(())
        })
        .await
    }

    /// A folder that was named in the settings and has nothing in it may be a disk that is not mounted; then what its
    /// savepoints need must stay. The folder in the data folder is not there after a backup was restored.
    fn check_mounted(&self) -> Result<()> {
        if self.options.place.is_none() || bucket_place(&self.place)?.is_some() {
            return Ok(());
        }
        match open_store(&self.place, SAVEPOINTS, &self.parts.objects) {
            Err(error) if error.kind() == ErrorKind::NotFound && !self.parts.stream.held_behind().is_empty() => {
                let message = format!(
                    "{} holds no savepoints, and there were some; mount it, or begin anew there with 'tidemark savepoint \
                     create NAME'; until then the stream holds what they need",
                    self.place()
                );
                Err(Error::new(ErrorKind::Unavailable, message))
            }
            _ => Ok(()),
        }
    }

    async fn look(self: &Arc<Self>) -> Result<Contents> {
        let savepoints = Arc::clone(self);
        blocking(move || Contents::at(&savepoints.place, &savepoints.parts.objects)).await
    }

    /// The lake, as in its snapshot tokens.
    fn lake(&self) -> String {
        format!("{:08x}", self.parts.lake.id())
    }

    fn found(&self) -> Result<Found> {
        let Parts { lake, stream, .. } = &self.parts;
        Ok(Found { lake: self.lake(), head: lake.head(), retained: stream.retained()? })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs work that blocks away from the executor's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::new(ErrorKind::Internal, "work on a savepoint did not end").because(e))?
}
