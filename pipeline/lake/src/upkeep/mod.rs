//! Upkeep: what keeps a lake quick and small however long it runs, and changes no answer.
//!
//! *Compaction* resolves appended rows into exact rectangles. *Merging* puts small appended files together where
//! resolving them would rewrite much for little. Each works on a moment of the table beside the running pipeline, writes
//! new files, proves by a digest, read back from disk, that they say the same, and replaces the old ones in one commit of
//! its own. What it leaves when it is cut off before that commit are files that nothing refers to.
//!
//! What may not happen here: deleting a file somebody may still read, and replacing one without proof.

mod compact;
mod digest;
mod partitions;
mod plan;
mod policy;
mod replace;
mod rows;
mod runs;
#[cfg(test)]
mod tests;
mod time_tree;
mod verify;

pub use compact::CompactOptions;
pub use digest::PlaneDigest;
pub use policy::{UpkeepJob, UpkeepPlan};
pub(crate) use runs::TABLES;
pub use runs::{UpkeepKind, UpkeepRun};
pub use verify::Verified;

use std::path::Path;

use crate::{
    Lake, Result, files,
    lake::{TableState, no_dataset, to_the_end},
    scan_plan,
};

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
    /// What upkeep would do for a dataset now, by itself or, forced, when told to compact; `None` where nothing is to do.
    pub async fn plan_upkeep(&self, dataset: &str, forced: bool) -> Result<Option<UpkeepPlan>> {
        let state = self.shared.state();
        let table = state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        let files = self.facts(table).await?;
        let open_import = table.dataset.is_open_import();
        let job = if forced { policy::forced(&files, open_import) } else { policy::due(&files, open_import) };
        Ok(job.map(|job| job.plan(dataset)))
    }

    /// Resolves all appended rows of a dataset into exact rectangles, and puts small exact files together. `None` where
    /// there is nothing to do. Runs to its end even where the caller stops waiting; upkeep runs one at a time.
    ///
    /// Fails with `NotFound`, with `NotReadable` for a history import that is not sealed, with `ProofFailed` where what
    /// was written does not say what was read, and with `Conflict` where the table was changed meanwhile. Then nothing
    /// has changed.
    pub async fn compact(&self, dataset: &str, options: CompactOptions) -> Result<Option<UpkeepRun>> {
        let (lake, dataset) = (self.clone(), dataset.to_owned());
        to_the_end(async move {
            let _turn = lake.shared.upkeep.lock().await;
            lake.run_upkeep(&dataset, &options, policy::forced).await
        })
        .await
    }

    /// Does what is due for a dataset: few but useful things, chosen by the number and size of its files. Otherwise as
    /// [`Lake::compact`].
    pub async fn maintain(&self, dataset: &str, options: CompactOptions) -> Result<Option<UpkeepRun>> {
        let (lake, dataset) = (self.clone(), dataset.to_owned());
        to_the_end(async move {
            let _turn = lake.shared.upkeep.lock().await;
            lake.run_upkeep(&dataset, &options, policy::due).await
        })
        .await
    }

    async fn run_upkeep(
        &self,
        dataset: &str,
        options: &CompactOptions,
        choose: impl FnOnce(&[plan::FileFacts], bool) -> Option<UpkeepJob>,
    ) -> Result<Option<UpkeepRun>> {
        let state = self.shared.state();
        let table = state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        let files = self.facts(table).await?;
        match choose(&files, table.dataset.is_open_import()) {
            None => Ok(None),
            Some(job) => compact::run(self, &state, table, &files, job, options).await.map(Some),
        }
    }

    async fn facts(&self, table: &TableState) -> Result<Vec<plan::FileFacts>> {
        let schema = table.metadata.current_schema();
        let key = table.dataset.definition.key.first().map_or("", String::as_str);
        scan_plan::live_files(&self.shared, table, |file| Some(plan::FileFacts::of(file, schema, key))).await
    }

    fn scratch(&self) -> Result<std::path::PathBuf> {
        let folder = self.shared.folder().join(SCRATCH).join(uuid::Uuid::now_v7().to_string());
        files::create_folder(&folder)?;
        Ok(folder)
    }
}
