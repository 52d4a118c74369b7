//! Restoring a savepoint into the data folder of a Tidemark that does not run.
//!
//! First all files are written beside the state and checked, durably. Then a note is written that says so; with it the
//! restore has taken place. Whatever a crash leaves after that is brought to its end by the next start or restore, so
//! the data folder always has the old state or the new one. The old one stays aside until a start has succeeded.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{ErrorKind as IoErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use adapters::{EmbeddedStream, SystemClock};
use engine::{PipelineOptions, Progress, ports::Source as _};
use lake::{Lake, ObjectStore};
use model::{EpochRecord, Instant, KEY_GROUPS, KeptSlots};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::{
    SavepointRecord, Summary,
    fit::{Found, Misfit, fits, same_history},
};
use crate::{
    backup::{LAKE, STATE, STREAM, restored_whole},
    error::{Error, ErrorKind, Result},
    store::{self, SAVEPOINTS, open_store, sync},
};

/// The new state while it is written, and until it has its place.
const INCOMING: &str = "state-incoming";
/// The old state, once the new one has its place.
const ASIDE: &str = "state-before-restore";
/// What is written down of a restore.
const NOTE: &str = "state-restore.json";
const NOTE_PART: &str = "state-restore.json.part";
/// Every database has it.
const DATABASE_FILE: &str = "CURRENT";

/// Written down of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RestoreNote {
    savepoint: String,
    /// Whether the new state has its place.
    done: bool,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RestoreReport {
    /// The savepoint.
    pub name: String,
    /// The last epoch that all of it has.
    pub epoch: u64,
    /// The system time of that epoch.
    pub system_time: Option<Instant>,
    /// Epochs that the next start applies again.
    pub epochs_to_apply: u64,
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Workers that the next start has unless its settings say another number than they did.
    pub slots: Option<u16>,
}

/// A data folder that no Tidemark runs on, held so that none can.
pub struct Stopped {
    stream: EmbeddedStream,
    lake: Lake,
}

impl Stopped {
    /// Opens it. Fails with `NotFound` where it is no data folder, and with `Conflict` where a Tidemark runs on it.
    pub async fn open(data: &Path) -> Result<Stopped> {
        let shown = data.display();
        if !data.join(LAKE).is_dir() || !data.join(STREAM).join(DATABASE_FILE).is_file() {
            let message =
                format!("{shown} is no data folder of Tidemark; name the one that 'tidemark serve --data' has");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        restored_whole(data)?;
        // The stream's lock keeps every Tidemark away from the whole folder.
        let stream = EmbeddedStream::open(&data.join(STREAM), Arc::new(SystemClock)).map_err(|e| {
            let message = format!("the data folder {shown} cannot be opened; stop the Tidemark that runs on it first");
            Error::new(ErrorKind::Conflict, message).because(e)
        })?;
        let lake = Lake::open(&data.join(LAKE)).await?;
        Ok(Stopped { stream, lake })
    }

    /// What a savepoint has to fit.
    pub fn found(&self) -> Result<Found> {
        let lake = format!("{:08x}", self.lake.id());
        Ok(Found { lake, head: self.lake.head(), retained: self.stream.retained()? })
    }

    /// The next start has so many workers, as if a rescale had led to them.
    async fn keep_slots(&self, slots: u16) -> Result<()> {
        let kept = self.lake.kept_slots().await?;
        // A lake of a version without rescales has none; then what settings say is another number unless it is the default.
        let configured = kept.map_or_else(|| PipelineOptions::default().slots, |kept| kept.configured);
        self.lake.keep_rescales(&[], KeptSlots { configured, wanted: slots }).await?;
        Ok(())
    }

    /// A savepoint, and whether it can be restored here.
    pub async fn summary(&self, record: &SavepointRecord) -> Result<Summary> {
        Ok(Summary::of(record, Some(judge(record, &self.found()?, &self.lake).await?)))
    }

    /// The same of many.
    pub async fn summaries(&self, records: &[SavepointRecord]) -> Result<Vec<Summary>> {
        Summary::of_all(records, &self.found()?, &self.lake).await
    }

    async fn check(&self, record: &SavepointRecord) -> Result<()> {
        judge(record, &self.found()?, &self.lake).await?.map_err(|misfit| {
            let message = format!("savepoint {} cannot be restored: {misfit}", record.name);
            Error::new(ErrorKind::Unprocessable, message)
        })
    }
}

/// Whether a savepoint can be restored, with a look at the lake's history: it may have become another since, where an older
/// backup was restored.
pub(super) async fn judge(record: &SavepointRecord, found: &Found, lake: &Lake) -> Result<Result<(), Misfit>> {
    let fit = fits(record, found);
    if let Err(Misfit::OtherLake { .. } | Misfit::AheadOfLake { .. }) = fit {
        return Ok(fit);
    }
    let mut committed = Vec::new();
    for epoch in BTreeSet::from([record.epoch, record.last_epoch]) {
        committed.extend(lake.epochs_after(epoch.saturating_sub(1), 1).await?);
    }
    // Before the stream, whose positions are of no meaning where the history is another.
    Ok(same_history(record, |epoch| committed.iter().find(|found| found.epoch == epoch).cloned()).and(fit))
}

/// Puts a savepoint in the place of the state of a data folder. Every hash is checked before anything is changed.
///
/// Fails with `NotFound` where there is no such savepoint or data folder, with `Conflict` where a Tidemark runs on it,
/// with `Unprocessable` where the savepoint does not fit, or a file of it is missing or altered, and with `Io` where the
/// folder cannot be written. Then everything is as it was, except that the number of slots may not have been kept.
pub async fn restore(
    name: &str,
    place: &Path,
    data: &Path,
    slots: Option<u16>,
    objects: &Arc<dyn ObjectStore>,
) -> Result<RestoreReport> {
    check_slots(slots)?;
    let stopped = Stopped::open(data).await?;
    // An earlier restore that was cut off comes to its end first.
    match finish_restore(data) {
        // What it was cannot be read, and this one takes its place.
        Err(error) if error.kind() == ErrorKind::Unprocessable => fs::remove_file(data.join(NOTE))?,
        outcome => outcome?,
    }
    let store = open_store(place, SAVEPOINTS, objects)?;
    let record = SavepointRecord::read(name, &store.record(name)?)?;
    stopped.check(&record).await?;
    let incoming = data.join(INCOMING);
    let written = write_files(&*store, &record, &incoming);
    if let Err(error) = written {
        // The error that led here says more than one of this.
        let _ = remove_folder(&incoming);
        return Err(error);
    }
    let note = RestoreNote { savepoint: name.to_owned(), done: false };
    write_note(data, &note)?;
    finish_restore(data)?;
    if let Some(slots) = slots {
        stopped.keep_slots(slots).await.map_err(|e| {
            let message =
                format!("savepoint {name} is restored, but not the number of slots; give serve --slots {slots}");
            Error::new(ErrorKind::Io, message).because(e)
        })?;
    }
    let head = stopped.lake.head().map_or(0, |head: EpochRecord| head.epoch);
    Ok(RestoreReport {
        name: record.name.clone(),
        epoch: record.epoch,
        system_time: record.system_time,
        epochs_to_apply: head.saturating_sub(record.epoch),
        files: record.files.len() as u64,
        bytes: record.bytes(),
        slots,
    })
}

fn check_slots(slots: Option<u16>) -> Result<()> {
    match slots.filter(|slots| !(1..=KEY_GROUPS).contains(slots)) {
        None => Ok(()),
        Some(slots) => {
            let message =
                format!("{slots} slots cannot be; there are 1 to {KEY_GROUPS}, one for each key group at most");
            Err(Error::new(ErrorKind::BadRequest, message))
        }
    }
}

fn write_files(store: &dyn store::Store, record: &SavepointRecord, incoming: &Path) -> Result<()> {
    remove_folder(incoming)?;
    fs::create_dir_all(incoming).map_err(|e| cannot_write(incoming, &e))?;
    for file in &record.files {
        // A database has all its files in one folder.
        let within = file.path.strip_prefix(STATE).and_then(|rest| rest.strip_prefix('/'));
        let within = within.filter(|name| !name.contains('/')).ok_or_else(|| {
            let message = format!("savepoint {} has a file {} that is not of the state", record.name, file.path);
            Error::new(ErrorKind::Unprocessable, message)
        })?;
        store::write(store, file, &incoming.join(within), "use another savepoint, or a backup")?;
    }
    sync(incoming).map_err(|e| cannot_write(incoming, &e))
}

/// Brings a restore that was cut off to its end, or removes what it left where it had not taken place. Called before the
/// state is opened.
pub fn finish_restore(data: &Path) -> Result<()> {
    let (state, incoming, aside) = (data.join(STATE), data.join(INCOMING), data.join(ASIDE));
    let Some(note) = read_note(data)?.filter(|note| !note.done) else { return remove_folder(&incoming) };
    let failed = |e: std::io::Error| cannot_write(data, &e);
    if incoming.exists() {
        if state.exists() && aside.exists() {
            // What is aside is the state that was there before several restores, none of which was started.
            remove_folder(&state)?;
        } else if state.exists() {
            fs::rename(&state, &aside).map_err(failed)?;
        }
        fs::rename(&incoming, &state).map_err(failed)?;
        sync(data).map_err(failed)?;
    }
    info!(
        savepoint = note.savepoint,
        "savepoint restored; the state from before stays aside until a start has succeeded"
    );
    write_note(data, &RestoreNote { done: true, ..note })
}

/// Once the pipeline runs, the state from before a restore is of no use.
pub async fn forget_old_state(data: PathBuf, progress: Arc<Progress>) {
    const LOOK_EVERY: Duration = Duration::from_millis(200);
    let aside = data.join(ASIDE);
    if !aside.exists() {
        return;
    }
    while !progress.running.load(Ordering::Relaxed) {
        if progress.failed.load(Ordering::Relaxed) {
            warn!(
                folder = %aside.display(),
                "the restored state does not do; the one from before is still there, and comes back where the folder is \
                 renamed to 'state' while Tidemark is stopped"
            );
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    match tokio::task::spawn_blocking(move || remove_folder(&aside)).await {
        Ok(Ok(())) => info!("the state from before the restore was removed: the restored one does"),
        Ok(Err(error)) => warn!(%error, "the state from before the restore could not be removed"),
        Err(_) => {}
    }
}

fn read_note(data: &Path) -> Result<Option<RestoreNote>> {
    let path = data.join(NOTE);
    match fs::read(&path) {
        Err(e) if e.kind() == IoErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::new(ErrorKind::Io, format!("{} cannot be read", path.display())).because(e)),
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| {
            let message = format!("{} is not what a restore wrote; restore the savepoint again", path.display());
            Error::new(ErrorKind::Unprocessable, message).because(e)
        }),
    }
}

/// Whole or not at all, and durable.
fn write_note(data: &Path, note: &RestoreNote) -> Result<()> {
    let text = serde_json::to_vec(note)
        .map_err(|e| Error::new(ErrorKind::Internal, "the note of the restore cannot be written").because(e))?;
    let part = data.join(NOTE_PART);
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&part, data.join(NOTE))?;
        sync(data)
    };
    write().map_err(|e| cannot_write(data, &e))
}

/// Removes a folder and all in it. One that is not there is no error.
pub(super) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != IoErrorKind::NotFound => {
            Err(Error::new(ErrorKind::Io, format!("{} cannot be removed", folder.display())).because(e))
        }
        _ => Ok(()),
    }
}

fn cannot_write(folder: &Path, source: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{} cannot be written: {source}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in the state's folder.
    fn state(data: &Path) -> Option<String> {
        fs::read_to_string(data.join(STATE).join("contents")).ok()
    }

    fn put(data: &Path, folder: &str, contents: &str) {
        fs::create_dir_all(data.join(folder)).unwrap();
        fs::write(data.join(folder).join("contents"), contents).unwrap();
    }

    fn note(done: bool) -> RestoreNote {
        RestoreNote { savepoint: "a".to_owned(), done }
    }

    /// The folders as a crash can leave them, and the state there has to be after the next start.
    #[test]
    fn a_crash_at_any_point_leaves_the_old_state_or_the_new() {
        type Left = (&'static str, &'static [(&'static str, &'static str)], Option<bool>, &'static str);
        let left: [Left; 7] = [
            ("while files are written", &[(STATE, "old"), (INCOMING, "ne")], None, "old"),
            ("written, not yet restored", &[(STATE, "old"), (INCOMING, "new")], None, "old"),
            ("the note is written", &[(STATE, "old"), (INCOMING, "new")], Some(false), "new"),
            ("the old one is aside", &[(ASIDE, "old"), (INCOMING, "new")], Some(false), "new"),
            ("the new one has its place", &[(ASIDE, "old"), (STATE, "new")], Some(false), "new"),
            ("done", &[(ASIDE, "old"), (STATE, "new")], Some(true), "new"),
            (
                "a second one is written after a first",
                &[(ASIDE, "old"), (STATE, "new"), (INCOMING, "x")],
                Some(true),
                "new",
            ),
        ];
        for (when, folders, noted, expected) in left {
            let folder = tempfile::tempdir().unwrap();
            let data = folder.path();
            folders.iter().for_each(|(folder, contents)| put(data, folder, contents));
            if let Some(done) = noted {
                write_note(data, &note(done)).unwrap();
            }
            for _ in 0..2 {
                finish_restore(data).unwrap();
                assert_eq!(state(data).as_deref(), Some(expected), "{when}");
                assert!(!data.join(INCOMING).exists(), "{when}");
            }
        }
    }

    #[test]
    fn of_several_restores_without_a_start_the_first_state_stays_aside() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        put(data, STATE, "first");
        for contents in ["second", "third"] {
            put(data, INCOMING, contents);
            write_note(data, &note(false)).unwrap();
            finish_restore(data).unwrap();
        }
        assert_eq!(state(data).as_deref(), Some("third"));
        assert_eq!(fs::read_to_string(data.join(ASIDE).join("contents")).unwrap(), "first");
    }

    #[test]
    fn a_state_that_is_gone_is_no_hindrance() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), INCOMING, "new");
        write_note(folder.path(), &note(false)).unwrap();
        finish_restore(folder.path()).unwrap();
        assert_eq!(state(folder.path()).as_deref(), Some("new"));
    }
}
