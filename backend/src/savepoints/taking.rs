//! Taking a savepoint: the state is kept as it is now, with the stream holding what it needs, and then copied at leisure.

use std::{
    path::{Path, PathBuf},
    time::Instant as Stopwatch,
};

use adapters::{RocksDbState, SystemClock};
use engine::ports::{Clock, Source as _, StateStore};
use model::Instant;
use tracing::{info, warn};

use super::{
    Contents, Order, Parts, SCRATCH, SavepointRecord, SavepointReport, Savepoints, Summary,
    fit::{expired, fits},
    lock,
    record::{FORMAT, automatic_name, objects_of},
    restore,
};
use crate::{
    backup::STATE,
    error::{Error, ErrorKind, Result},
    store::{SAVEPOINTS, Store, create_store, files_of_database, keep_files, remove_unused},
};

/// How often the state is kept anew because the stream let go of what it needs meanwhile.
const ATTEMPTS_MAX: u32 = 5;

/// Where in the lake's history a state is that was kept.
struct Moment {
    epoch: u64,
    system_time: Option<Instant>,
    position: u64,
    last_epoch: u64,
    last_system_time: Option<Instant>,
}

/// The scratch folder, removed when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = restore::remove_folder(&self.0) {
            warn!(%error, "what a savepoint kept for itself is removed at the next start");
        }
    }
}

impl Savepoints {
    pub(super) fn take_now(&self, order: Option<Order>, runtime: &tokio::runtime::Handle) -> Result<SavepointReport> {
        let watch = Stopwatch::now();
        let store = create_store(&self.place, SAVEPOINTS, &self.parts.objects)?;
        let lock_of_place = store.lock()?;
        let earlier = Contents::of(&*store)?;
        check_place(&earlier.records, &self.lake(), order.as_ref(), &store.place())?;
        let kept = self.keep(&*store, order, &earlier, runtime);
        if kept.is_err()
            && let Ok(contents) = Contents::of(&*store)
        {
            // Mostly nothing more is needed than before. The error that led here says more than one of this.
            let _ = self.hold(&contents, None);
        }
        drop(lock_of_place);
        let (record, new_files, new_bytes) = kept?;
        let savepoint = Summary::of(&record, self.found().ok().map(|found| fits(&record, &found)));
        let duration_ms = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(
            name = record.name,
            epoch = record.epoch,
            bytes = savepoint.bytes,
            new_bytes,
            ms = duration_ms,
            "savepoint taken"
        );
        Ok(SavepointReport { savepoint, new_files, new_bytes, duration_ms })
    }

    /// Keeps the state as it is now and writes the record, once all of it is durable. Gives with it how many files were
    /// new, and their bytes.
    fn keep(
        &self,
        store: &dyn Store,
        order: Option<Order>,
        earlier: &Contents,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(SavepointRecord, u64, u64)> {
        let Parts { stream, objects, .. } = &self.parts;
        let scratch = Scratch(self.parts.data.join(SCRATCH));
        let Moment { epoch, system_time, position, last_epoch, last_system_time } =
            self.keep_state(&scratch.0, earlier, runtime)?;
        let sources = files_of_database(STATE, &scratch.0)?;
        let last_files = earlier.records.last().map_or(&[][..], |record| record.files.as_slice());
        // Nothing of the state lies in a bucket, so nothing is brought here first.
        let kept = keep_files(store, &sources, last_files, &**objects, &scratch.0, &self.stopping)?;
        let taken = SystemClock.now();
        let automatic = order.is_none();
        let (name, note) = match order {
            Some(order) => (order.name, order.note),
            None => (automatic_name(taken, epoch), None),
        };
        let record = SavepointRecord {
            format: FORMAT,
            name,
            automatic,
            note,
            lake: self.lake(),
            epoch,
            system_time,
            position,
            last_epoch,
            last_system_time,
            stream_bytes: stream.appended_bytes(),
            slots: self.parts.scaling.slots(),
            taken,
            files: kept.files,
        };
        let text = serde_json::to_vec(&record)
            .map_err(|e| Error::new(ErrorKind::Internal, "the record of the savepoint cannot be written").because(e))?;
        store.publish(&record.name, &text)?;
        for object in objects_of(std::slice::from_ref(&record)) {
            match store.has(&object) {
                Ok(true) => {}
                Ok(false) => {
                    // Somebody else removes contents there. Better none than one that cannot be restored.
                    store.retract(&record.name)?;
                    let message =
                        format!("what was just stored is gone from {}; see who else writes there", store.place());
                    return Err(Error::new(ErrorKind::Io, message));
                }
                // It is taken; 'verify' looks again.
                Err(error) => {
                    warn!(%error, name = record.name, "it could not be looked whether a savepoint is whole");
                    break;
                }
            }
        }
        // It is taken, whatever becomes of those before.
        if let Err(error) = self.settle(store) {
            warn!(%error, "savepoints that have had their day could not be removed; it is tried again with the next");
            lock(&self.known).records.push(record.clone());
        }
        Ok((record, kept.new_files, kept.new_bytes))
    }

    /// Keeps the state in a new folder, with the stream holding all it needs.
    fn keep_state(&self, folder: &Path, earlier: &Contents, runtime: &tokio::runtime::Handle) -> Result<Moment> {
        let Parts { stream, state, .. } = &self.parts;
        for _ in 0..ATTEMPTS_MAX {
            // The stream holds what the state needs now before the state is kept, which then needs that or less.
            let before = state.applied_epochs()?.into_iter().min().unwrap_or(0);
            let (_, position) = runtime.block_on(self.epoch(before))?;
            self.hold(earlier, Some(position))?;
            restore::remove_folder(folder)?;
            state.checkpoint(folder)?;
            let applied = RocksDbState::applied_epochs_in(folder)?;
            let epoch = applied.iter().copied().min().unwrap_or(0);
            let last_epoch = applied.iter().copied().max().unwrap_or(0);
            let (system_time, position) = runtime.block_on(self.epoch(epoch))?;
            let (last_system_time, _) = runtime.block_on(self.epoch(last_epoch))?;
            self.hold(earlier, Some(position))?;
            // A checkpoint of the pipeline may have been quicker than the first hold.
            if stream.retained()?.released_up_to <= position {
                return Ok(Moment { epoch, system_time, position, last_epoch, last_system_time });
            }
        }
        let message = "the stream lets go of records faster than a savepoint can hold them; try again";
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// After a record came or went: removes automatic ones that have had their day and contents of no use, and has the
    /// stream hold what is needed. Gives how many contents were removed, and their bytes.
    pub(super) fn settle(&self, store: &dyn Store) -> Result<(u64, u64)> {
        let mut contents = Contents::of(store)?;
        let found = self.found()?;
        let restorable = |record: &SavepointRecord| fits(record, &found).is_ok();
        let gone = expired(&contents.records, &self.lake(), SystemClock.now(), &self.options.automatic, restorable);
        for name in &gone {
            store.retract(name)?;
            info!(name, "automatic savepoint removed, it has had its day");
        }
        contents.records.retain(|record| !gone.contains(&record.name));
        self.hold(&contents, None)?;
        let removed = match contents.damaged.first() {
            None => remove_unused(store, &objects_of(&contents.records))?,
            // What it needs is not known, so nothing is removed.
            Some(damaged) => {
                warn!(damaged, "contents of no use stay where they are while a record cannot be read");
                (0, 0)
            }
        };
        *lock(&self.known) = contents;
        Ok(removed)
    }

    /// Has the stream hold what savepoints need, and what is behind one more position. What a record needs that cannot be
    /// read is not known, so then the stream goes on holding all it held.
    pub(super) fn hold(&self, contents: &Contents, more: Option<u64>) -> Result<()> {
        let (stream, ours) = (&self.parts.stream, self.lake());
        let positions = contents.records.iter().filter(|record| record.lake == ours).map(|record| record.position);
        let held = if contents.damaged.is_empty() { Vec::new() } else { stream.held_behind() };
        Ok(stream.hold_behind(positions.chain(more).chain(held).collect())?)
    }

    /// System time of a committed epoch, and the position at its end.
    async fn epoch(&self, epoch: u64) -> Result<(Option<Instant>, u64)> {
        let Some(before) = epoch.checked_sub(1) else { return Ok((None, 0)) };
        let found = self.parts.lake.epochs_after(before, 1).await?.into_iter().next();
        let found = found.filter(|found| found.epoch == epoch).ok_or_else(|| {
            let message =
                format!("the timeline state is at epoch {epoch}, which the lake does not have; restart Tidemark");
            Error::new(ErrorKind::Internal, message)
        })?;
        Ok((Some(found.system_time), found.position))
    }
}

fn check_place(earlier: &[SavepointRecord], lake: &str, order: Option<&Order>, place: &str) -> Result<()> {
    let conflict = |message: String| Err(Error::new(ErrorKind::Conflict, message));
    if let Some(other) = earlier.iter().find(|record| record.lake != lake) {
        return conflict(format!(
            "{place} holds savepoints of lake {}, and this is lake {lake}; give each lake a place of its own \
             (savepoints = … in the settings, or --savepoints)",
            other.lake
        ));
    }
    match order.filter(|order| earlier.iter().any(|record| record.name == order.name)) {
        None => Ok(()),
        Some(Order { name, .. }) => conflict(format!(
            "there is a savepoint {name} in {place} already; choose another name, or delete that one first"
        )),
    }
}
