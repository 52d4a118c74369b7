//! What is told of savepoints, by API and command line alike.

use lake::Lake;
use model::Instant;
use serde::{Deserialize, Serialize};

use super::{
    SavepointRecord,
    fit::{Found, Misfit},
    restore::judge,
};
use crate::error::Result;

/// What a savepoint is to be called.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Its name.
    pub name: String,
    /// Anything worth remembering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What taking a savepoint came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavepointReport {
    /// What was taken.
    #[serde(flatten)]
    pub savepoint: Summary,
    /// Files whose contents were not in the place before.
    pub new_files: u64,
    /// Their bytes.
    pub new_bytes: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A savepoint without its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// Whether Tidemark took it by itself, and removes it by itself.
    pub automatic: bool,
    /// What whoever took it had to say.
    pub note: Option<String>,
    /// The lake, as in its snapshot tokens.
    pub lake: String,
    /// The last epoch that all of it has; 0 before the first.
    pub epoch: u64,
    /// The system time of that epoch.
    pub system_time: Option<Instant>,
    /// The stream position behind which records are needed when it is restored.
    pub position: u64,
    /// Workers the pipeline had.
    pub slots: u16,
    /// When it was taken.
    pub taken: Instant,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether it can be restored now; `None` where that was not looked at. Its files were not read for this.
    pub restorable: Option<bool>,
    /// Why not, and what to do.
    pub reason: Option<String>,
}

/// What deleting a savepoint came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deleted {
    /// Which.
    pub name: String,
    /// Contents that nothing else needed and that are gone.
    pub removed_files: u64,
    /// Their bytes.
    pub removed_bytes: u64,
}

impl Summary {
    /// Of records, and whether each can be restored, with a look at the lake's history.
    pub async fn of_all(records: &[SavepointRecord], found: &Found, lake: &Lake) -> Result<Vec<Summary>> {
        let mut summaries = Vec::with_capacity(records.len());
        for record in records {
            summaries.push(Summary::of(record, Some(judge(record, found, lake).await?)));
        }
        Ok(summaries)
    }

    /// Of a record, and whether it can be restored, as far as that was looked at.
    pub fn of(record: &SavepointRecord, fit: Option<std::result::Result<(), Misfit>>) -> Summary {
        Summary {
            name: record.name.clone(),
            automatic: record.automatic,
            note: record.note.clone(),
            lake: record.lake.clone(),
            epoch: record.epoch,
            system_time: record.system_time,
            position: record.position,
            slots: record.slots,
            taken: record.taken,
            files: record.files.len() as u64,
            bytes: record.bytes(),
            restorable: fit.as_ref().map(std::result::Result::is_ok),
            reason: fit.and_then(std::result::Result::err).map(|misfit| misfit.to_string()),
        }
    }
}
