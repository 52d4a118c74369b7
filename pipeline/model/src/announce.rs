//! What the running lake tells about itself: the same values on the live stream, in the API and on screen.

use serde::{Deserialize, Serialize};

use crate::{DatasetDefinition, Instant, SnapshotToken};

/// Sent once for each committed epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommitAnnouncement {
    /// The epoch, counting from 1.
    pub epoch: u64,
    /// Its system time.
    pub system_time: Instant,
    /// Names the state after it.
    pub snapshot: SnapshotToken,
    /// Datasets in which something changed, by name.
    pub datasets: Vec<String>,
    /// Records the epoch took in.
    pub records: u64,
}

/// One committed epoch as the lake remembers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, counting from 1.
    pub epoch: u64,
    /// Its system time.
    pub system_time: Instant,
    /// Position in the embedded stream up to which (inclusive) records are contained.
    pub position: u64,
    /// Records taken in.
    pub records: u64,
    /// Assertion rows appended, over all datasets.
    pub rows: u64,
    /// Decoding and applying. The commit that stores this is not in it; samples say how long all of it took.
    pub duration_micros: u64,
}

/// A moment of the pipeline's life, taken once a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PipelineSample {
    /// When it was taken.
    pub at: Instant,
    /// Records committed in the second before.
    pub records_per_second: f64,
    /// Records acknowledged and not yet committed.
    pub lag_records: u64,
    /// Duration of the last epoch, from its close to its commit.
    pub epoch_duration_ms: f64,
    /// Bytes of timeline state, on disk and in write buffers.
    pub state_bytes: u64,
    /// Last committed epoch.
    pub epoch: u64,
    /// Parallel workers.
    pub slots: u32,
}

/// Where a dataset's records went. `received = committed + unchanged + quarantined + in_flight` at every moment;
/// once the stream is drained and every import sealed, `in_flight` is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetCounts {
    /// Records that arrived, accepted or not.
    pub received: u64,
    /// Records that changed what is known.
    pub committed: u64,
    /// Records that said what was known already, or that an older sequence number made void.
    pub unchanged: u64,
    /// Records that could not be accepted and are kept in quarantine.
    pub quarantined: u64,
    /// Records acknowledged and not in a committed epoch yet.
    pub in_flight: u64,
    /// Fields of events that the definition does not name, ignored.
    pub ignored_fields: u64,
}

/// A dataset as the API and the catalog page show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetSummary {
    /// Its name.
    pub name: String,
    /// Its definition.
    pub definition: DatasetDefinition,
    /// False while a history import is not sealed: nothing of it can be read until then.
    pub readable: bool,
    /// Assertion rows stored.
    pub rows: u64,
    /// Earliest and latest system time of its rows; null while it has none or is not readable.
    pub known: Option<(Instant, Instant)>,
    /// When its semantic definition was stored; `None` while it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semantics: Option<Instant>,
    /// Where its records went.
    pub counts: DatasetCounts,
}
