//! Whether the past is what it was: the digests that upkeep kept, against the files of today.

use std::path::PathBuf;

use model::Instant;
use serde::{Deserialize, Serialize};

use super::{
    compact::schema_of,
    digest::PlaneDigest,
    partitions::read,
    plan::{FileFacts, FileKind},
    rows::add_exact,
    runs::{UpkeepKind, UpkeepRun},
};
use crate::{Error, Lake, Result, files, lake::no_dataset};

/// Digests checked in one reading of the files.
const CHECKED_AT_ONCE: usize = 64;

/// A moment whose digest was worked out again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// The run that kept the digest.
    pub run: String,
    /// The plane is taken as it was known then.
    pub system_time: Instant,
    /// As it was kept.
    pub kept: String,
    /// As it is now.
    pub found: String,
}

impl Verified {
    /// Whether every answer as of that time and before is what it was.
    pub fn holds(&self) -> bool {
        self.kept == self.found
    }
}

impl Lake {
    /// Works the digests of the last compactions of a dataset out again, from the files as they are now: up to 64,
    /// latest first. A difference means that what was known at that time, or before, is no longer what was kept.
    pub async fn verify_upkeep(&self, dataset: &str) -> Result<Vec<Verified>> {
        // The table first: what is kept after that is of no concern to it.
        let kept = self.upkeep_runs(Some(dataset), u32::MAX).await?;
        let state = self.shared.state();
        let table = state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        let facts = self.facts(table).await?;
        let (schema, columns) = schema_of(&table.dataset)?;
        let runs: Vec<UpkeepRun> = kept
            .into_iter()
            .filter(|run| run.kind == UpkeepKind::Compaction && run.error.is_none() && run.digest.is_some())
            .take(CHECKED_AT_ONCE)
            .collect();
        let known: Vec<i64> = runs.iter().map(|run| run.system_time.map_or(0, Instant::micros)).collect();
        let exact = facts.iter().filter(|file| file.kind != FileKind::Appended);
        let paths: Vec<PathBuf> = exact.map(FileFacts::path).collect();
        // The state is held until the files are read, so that none of them is removed.
        let (_held, data) = (state.clone(), self.shared.files.data().clone());
        let found = files::on_own_thread("upkeep", move || {
            let mut digests = vec![PlaneDigest::default(); known.len()];
            for path in &paths {
                for batch in read(&data, path, &schema)? {
                    add_exact(&batch?, &columns, &known, &mut digests)?;
                }
            }
            Ok::<_, Error>(digests)
        })
        .await?;
        let verified = runs.into_iter().zip(found).map(|(run, found)| Verified {
            system_time: run.system_time.unwrap_or(Instant(0)),
            run: run.run,
            kept: run.digest.unwrap_or_default(),
            found: found.to_string(),
        });
        Ok(verified.collect())
    }
}
