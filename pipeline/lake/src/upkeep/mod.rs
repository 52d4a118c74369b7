//! Upkeep: what keeps a lake quick and small however long it runs, and changes no answer.
//!
//! *Compaction* resolves appended rows into exact rectangles. *Merging* puts small appended files together where
//! resolving them would rewrite much for little. *Archiving* moves what is known no longer to a cheaper place. Each works
//! on a moment of the table beside the running pipeline, writes new files, proves by a digest or a hash, read back from
//! where they lie, that they say the same, and replaces the old ones in one commit of its own. What it leaves when it is
//! cut off before that commit are files that nothing refers to.
//!
//! What may not happen here: deleting a file somebody may still read, and replacing one without proof.

mod archive;
mod compact;
mod digest;
mod expire;
mod partitions;
mod plan;
mod policy;
mod progress;
mod replace;
mod rows;
mod runs;
#[cfg(test)]
mod tests;
mod time_tree;
mod verify;

pub(crate) use archive::Archive;
pub use archive::ArchiveOptions;
pub use compact::CompactOptions;
pub use digest::PlaneDigest;
pub use expire::{ExpiryOptions, ExpiryPlan};
pub use policy::{Extent, UpkeepPlan};
pub(crate) use progress::Progress;
pub(crate) use replace::{next_metadata, write_metadata};
pub(crate) use runs::TABLES;
pub use runs::{UpkeepKind, UpkeepRun};
pub use verify::Verified;

use std::{path::Path, time::Duration};

use crate::{
    Lake, Result, files,
    lake::{TableState, no_dataset, to_the_end},
    scan_plan,
};

/// How upkeep keeps a lake by itself.
#[derive(Debug, Clone)]
pub struct MaintainOptions {
    /// How appended rows are resolved.
    pub compaction: CompactOptions,
    /// What expiry keeps.
    pub expiry: ExpiryOptions,
    /// Files of no use are looked for this often, and whenever snapshots are many. Default: five minutes.
    pub expire_every: Duration,
}

impl Default for MaintainOptions {
    fn default() -> MaintainOptions {
        let (compaction, expiry) = (CompactOptions::default(), ExpiryOptions::default());
        MaintainOptions { compaction, expiry, expire_every: Duration::from_secs(300) }
    }
}

/// Folder in the lake's folder for what upkeep writes and nobody else reads.
const SCRATCH: &str = "upkeep-scratch";

/// Removes what upkeep left in its scratch folder when it was cut off.
pub(crate) fn clean_scratch(lake: &Path) -> Result<()> {
    let scratch = lake.join(SCRATCH);
    match std::fs::remove_dir_all(&scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(crate::Error::io("remove a folder", &scratch, error))
        }
        _ => Ok(()),
    }
}

impl Lake {
    /// What upkeep would do for a dataset now, by itself or when told to; `None` where nothing is to do.
    pub async fn plan_upkeep(&self, dataset: &str, extent: Extent) -> Result<Option<UpkeepPlan>> {
        let state = self.shared.state();
        let table = state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        let files = self.facts(table).await?;
        let job = policy::chosen(extent, &files, table.dataset.is_open_import(), self.shared.archive_before());
        Ok(job.map(|job| job.plan(dataset)))
    }

    /// Whether it was opened with an archive.
    pub fn has_archive(&self) -> bool {
        self.shared.archive.is_some()
    }

    /// How far the piece of upkeep is that runs now, from 0 to 1; of no meaning where none does.
    pub fn upkeep_progress(&self) -> f64 {
        self.shared.progress.share()
    }

    /// Resolves all appended rows of a dataset into exact rectangles, and puts small exact files together. `None` where
    /// there is nothing to do. Runs to its end even where the caller stops waiting; upkeep runs one at a time.
    ///
    /// The files of a history import that is not sealed are merged only, for nobody may resolve them yet.
    ///
    /// Fails with `NotFound`, with `ProofFailed` where what was written does not say what was read, and with `Conflict`
    /// where the table was changed meanwhile. Then nothing has changed.
    pub async fn compact(&self, dataset: &str, options: CompactOptions) -> Result<Option<UpkeepRun>> {
        let (lake, dataset) = (self.clone(), dataset.to_owned());
        to_the_end(async move {
            let _turn = lake.shared.upkeep.lock().await;
            lake.run_upkeep(&dataset, &options, Extent::All).await
        })
        .await
    }

    /// Moves the files of a dataset whose rows have been known no longer for long enough to the archive, where they stay
    /// part of the table. `None` where there is none of them, or no archive. Runs to its end even where the caller stops
    /// waiting; upkeep runs one at a time.
    ///
    /// Fails with `NotFound`, with `Unreachable` where the archive is not there, with `ProofFailed` where a copy is not
    /// what was copied, and with `Conflict` where the table was changed meanwhile. Then nothing has changed.
    pub async fn archive(&self, dataset: &str, options: CompactOptions) -> Result<Option<UpkeepRun>> {
        let (lake, dataset) = (self.clone(), dataset.to_owned());
        to_the_end(async move {
            let _turn = lake.shared.upkeep.lock().await;
            lake.run_upkeep(&dataset, &options, Extent::Archive).await
        })
        .await
    }

    /// Does one thing that is due for a dataset, if one is: compaction or merging, chosen by the number and size of its
    /// files, archiving, or expiry, where snapshots are many or it is a while since the last. Otherwise as
    /// [`Lake::compact`], [`Lake::archive`] and [`Lake::expire`].
    pub async fn maintain(&self, dataset: &str, options: MaintainOptions) -> Result<Option<UpkeepRun>> {
        let (lake, dataset) = (self.clone(), dataset.to_owned());
        to_the_end(async move {
            let _turn = lake.shared.upkeep.lock().await;
            let planned = lake.plan_upkeep(&dataset, Extent::Due).await?;
            // Archiving fails while the archive is out of reach, and must not keep the rest waiting.
            let can_wait = planned.is_none_or(|plan| plan.kind == UpkeepKind::Archive);
            if can_wait && lake.expiry_is_due(&dataset, &options) {
                let run = lake.run_expiry(&dataset, options.expiry).await?;
                if run.is_some() {
                    return Ok(run);
                }
            }
            lake.run_upkeep(&dataset, &options.compaction, Extent::Due).await
        })
        .await
    }

    async fn run_upkeep(&self, dataset: &str, options: &CompactOptions, extent: Extent) -> Result<Option<UpkeepRun>> {
        let state = self.shared.state();
        let table = state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        let files = self.facts(table).await?;
        let chosen = policy::chosen(extent, &files, table.dataset.is_open_import(), self.shared.archive_before());
        let job = match chosen {
            None => return Ok(None),
            Some(job) if self.in_reach(&job.inputs).await? => Some(job),
            Some(job) => job.without_archived(),
        };
        match job {
            None => Ok(None),
            Some(job) => compact::run(self, &state, table, &files, job, options).await.map(Some),
        }
    }

    /// Whether the archive is there, where some of these files are in it.
    async fn in_reach(&self, inputs: &[plan::FileFacts]) -> Result<bool> {
        let Some(archived) = inputs.iter().find(|file| file.archived) else { return Ok(true) };
        let (data, path) = (self.shared.files.data().clone(), archived.path());
        files::blocking(move || Ok(data.open(&path).is_ok())).await
    }

    async fn facts(&self, table: &TableState) -> Result<Vec<plan::FileFacts>> {
        let columns = &table.dataset.columns;
        let ids = columns.field_ids();
        // Key columns are stored first.
        let key = columns.all().first().map_or("", |column| column.name.as_str());
        let facts = |file: &_| Some(plan::FileFacts::of(file, table.metadata.location(), &ids, key));
        scan_plan::live_files(&self.shared, table, facts).await
    }

    fn scratch(&self) -> Result<std::path::PathBuf> {
        let folder = self.shared.folder().join(SCRATCH).join(uuid::Uuid::now_v7().to_string());
        files::create_folder(&folder)?;
        Ok(folder)
    }
}
