//! The engine's ports. Each says what whoever implements it must guarantee.

use std::{any::Any, fmt, sync::Arc, time::Duration};

use arrow::array::{ArrayRef, RecordBatch};
use model::{DatasetDefinition, EpochRecord, Instant, StoredColumns};

use crate::Result;

/// Takes one record.
pub type VisitRecord<'a> = dyn FnMut(SourceRecord<'_>) -> Result<()> + 'a;

/// Takes the value of the key with that index, if there is one.
pub type VisitValue<'a> = dyn FnMut(usize, Option<&[u8]>) -> Result<()> + 'a;

/// Takes an address and its value; says whether to go on.
pub type VisitEntry<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool> + 'a;

/// A partitioned, durable, replayable stream of records.
///
/// Positions are whole numbers that grow by request: all records of one request share one position, so a cut between
/// two positions never divides a request. Reading a range again gives the same records in the same order, until
/// [`Source::release`] has let go of it.
pub trait Source: Send + Sync {
    /// Number of partitions, fixed for the life of the source.
    fn partitions(&self) -> u16;

    /// Waits until something lies behind `after`, at most `timeout`; tells whether it does.
    fn wait(&self, after: u64, timeout: Duration) -> bool;

    /// Where the next epoch may end: as far behind `after` as the limits allow, at least one request when there is
    /// one. A control ends the epoch it is in.
    fn cut(&self, after: u64, limits: &EpochLimits) -> Result<Option<Cut>>;

    /// Hands over the records of one partition with `after < position <= up_to`, in order of position and line.
    fn read(&self, partition: u16, range: Range, visit: &mut VisitRecord<'_>) -> Result<()>;

    /// Seals asked for within a range: the identifiers of the datasets.
    fn seals(&self, range: Range) -> Result<Vec<u32>>;

    /// Records at or before this position are never asked for again.
    fn release(&self, up_to: u64) -> Result<()>;

    /// What can be read again.
    fn retained(&self) -> Result<Retained>;

    /// Keeps records that could not be accepted. Doing so twice for the same position and line changes nothing.
    fn quarantine(&self, entries: &[Quarantined]) -> Result<()>;
}

/// What of a source can be read again: positions `released_up_to < position <= last_position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// Let go of, up to here; 0 when nothing was.
    pub released_up_to: u64,
    /// The last request with records; 0 when there is none.
    pub last_position: u64,
}

/// Positions `after < position <= up_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Not included.
    pub after: u64,
    /// Included.
    pub up_to: u64,
}

/// How large an epoch may grow.
#[derive(Debug, Clone, Copy)]
pub struct EpochLimits {
    /// Records; a single request may exceed it.
    pub max_records: u64,
    /// Bytes of records; a single request may exceed it.
    pub max_bytes: u64,
}

/// The end of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Last position inside.
    pub position: u64,
    /// Records inside.
    pub records: u64,
    /// Latest arrival of a record inside.
    pub latest_arrival: Instant,
    /// Whether a limit or a control ended it, so that waiting for more is of no use.
    pub full: bool,
}

/// One record as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct SourceRecord<'a> {
    /// The dataset it is for.
    pub dataset_id: u32,
    /// Its request.
    pub position: u64,
    /// Its line in the request, counting from 1.
    pub line: u32,
    /// When it was acknowledged.
    pub arrival: Instant,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// A record that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The dataset it was for.
    pub dataset_id: u32,
    /// Its request.
    pub position: u64,
    /// Its line in the request, counting from 1.
    pub line: u32,
    /// When it arrived.
    pub arrival: Instant,
    /// Events it counts for: those it decoded to, or 1 when it did not decode.
    pub events: u64,
    /// Why it cannot be accepted and what to do.
    pub reason: String,
    /// The bytes as received.
    pub raw: Vec<u8>,
}

/// Timeline state by key: a head per key, and older pages of long timelines.
///
/// Writes of one call reach the disk together or not at all, and in the order of the calls: when a later call survives
/// a crash, so does an earlier one. They need not be durable before [`StateStore::flush`] returns.
pub trait StateStore: Send + Sync {
    /// For each key group, the last epoch applied to it; 0 at first.
    fn applied_epochs(&self) -> Result<Vec<u64>>;

    /// Looks up many keys, given in ascending order, and hands each value over with the key's index.
    fn load(&self, keys: &[&[u8]], visit: &mut VisitValue<'_>) -> Result<()>;

    /// All entries whose key starts with `prefix` and is not less than `from`, or the last one before `from` under the
    /// same prefix and everything behind it.
    fn scan_from_predecessor(&self, prefix: &[u8], from: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// Hands over entries of key groups in order, from an address on, until `visit` says false or there are no more.
    fn scan(&self, from: &[u8], visit: &mut VisitEntry<'_>) -> Result<()>;

    /// Applies the writes of one slot for one epoch and marks the key groups as having it.
    fn apply(&self, epoch: u64, key_groups: std::ops::Range<u16>, writes: &StateWrites) -> Result<()>;

    /// Keeps a note under an epoch (the import tail). Notes of epochs before `obsolete_before` may be dropped.
    fn put_note(&self, epoch: u64, note: &[u8], obsolete_before: u64) -> Result<()>;

    /// The note of that epoch, or of the last one before it that has one.
    fn note(&self, epoch: u64) -> Result<Option<Vec<u8>>>;

    /// Returns when all that was applied is durable.
    fn flush(&self) -> Result<()>;

    /// Bytes held, on disk and in write buffers.
    fn size_bytes(&self) -> u64;

    /// For each key group, about how many bytes of it are on disk; what is in write buffers alone is not counted.
    fn key_group_bytes(&self) -> Result<Vec<u64>>;
}

/// Writes to the state, in order, in one arena.
#[derive(Debug, Default, Clone)]
pub struct StateWrites {
    bytes: Vec<u8>,
    ends: Vec<(usize, usize, bool)>,
}

impl StateWrites {
    /// Sets a key.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.push(key, value, true);
    }

    /// Removes a key.
    pub fn delete(&mut self, key: &[u8]) {
        self.push(key, &[], false);
    }

    fn push(&mut self, key: &[u8], value: &[u8], put: bool) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((key_end, self.bytes.len(), put));
    }

    /// Key and value in the order they were given; a removal has no value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let mut start = 0;
        self.ends.iter().map(move |&(key_end, end, put)| {
            let entry = (&self.bytes[start..key_end], put.then(|| &self.bytes[key_end..end]));
            start = end;
            entry
        })
    }

    /// Number of writes.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Where epochs are committed.
pub trait Sink: Send + Sync {
    /// A dataset's definition as it holds for an epoch, committed or next, and its state of import; `None` for an
    /// identifier that was never given out.
    fn dataset(&self, dataset_id: u32, epoch: u64) -> Option<DatasetInfo>;

    /// The last committed epoch that is known of. It changes by commits of the engine's alone, except after one that
    /// failed: that may have taken place, and until [`Sink::settle`] returns it may become known at any time.
    fn head(&self) -> Option<EpochRecord>;

    /// Finds out whether a commit took place that failed, after which [`Sink::head`] tells it. Nothing to do for a sink
    /// that always knows.
    fn settle(&self) -> Result<()> {
        Ok(())
    }

    /// Committed epochs after one, in order.
    fn epochs_after(&self, epoch: u64) -> Result<Vec<EpochRecord>>;

    /// The values that hold for some keys at a valid instant each, as of the last committed epoch and also of a history
    /// import that is not sealed. `keys` are the key columns in key order, row `i` of them goes with `instants[i]`.
    /// Gives the value columns in the order of that version of the definition, row by row as asked. Fails with
    /// [`crate::ErrorKind::Mismatch`] where nothing holds.
    fn values_at(&self, dataset_id: u32, version: u32, keys: &[ArrayRef], instants: &[i64]) -> Result<Vec<ArrayRef>>;

    /// What held for some keys over a stretch of valid time each, as it was known just before a system time, whatever was
    /// committed since; of a dataset that is no history import or is a sealed one. `keys` are the key columns in key order,
    /// by that version of the definition, row `i` of them goes with `within[i]`. The same key may be asked for once only.
    fn held_within(
        &self,
        dataset_id: u32,
        version: u32,
        known_before: i64,
        keys: &[ArrayRef],
        within: &[(i64, i64)],
    ) -> Result<HeldRows>;

    /// Begins a file of assertion rows for a dataset, by a version of its definition. Nothing of it is visible before the
    /// commit.
    fn writer(&self, dataset_id: u32, version: u32) -> Result<Box<dyn RowWriter>>;

    /// Commits the epoch over all its datasets at once. An epoch that is committed already is recognised and left as it is.
    /// Fails with an error that may pass where a dataset was worked out by another version of its definition than holds for
    /// the epoch: it has to be worked out anew.
    fn commit(&self, commit: EpochCommit) -> Result<()>;
}

/// What [`Sink::held_within`] gives: of each key rows in the order of valid time, disjoint and clipped to the stretch; where
/// nothing held there is none. All members but `columns` have an entry for each row.
#[derive(Debug, Default)]
pub struct HeldRows {
    /// Index of the key as asked for.
    pub asked: Vec<u32>,
    /// First valid instant.
    pub from: Vec<i64>,
    /// First valid instant after; [`model::OPEN`] when unbounded.
    pub to: Vec<i64>,
    /// All value columns the dataset ever had, those that were dropped too, in the order of their field ids, which come with
    /// them. A value that was written before its column was widened may have the wider type.
    pub columns: Vec<(i32, ArrayRef)>,
}

/// What the engine has to know of a dataset.
#[derive(Debug, Clone)]
pub struct DatasetInfo {
    /// Its name.
    pub name: String,
    /// Its definition.
    pub definition: Arc<DatasetDefinition>,
    /// Which version of it that is.
    pub version: u32,
    /// Where the columns of that version are stored.
    pub columns: Arc<StoredColumns>,
    /// The epoch that sealed its history import, when it is one and is sealed.
    pub sealed_epoch: Option<u64>,
}

/// Writes rows of one dataset.
pub trait RowWriter: Send {
    /// Appends rows laid out as [`model::arrow_layout::assertion_schema`] says.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Makes the rows durable.
    fn finish(self: Box<Self>) -> Result<Vec<StagedFile>>;
}

/// A durable file that no one sees yet. What it is, only the sink knows.
pub struct StagedFile {
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The sink's own description.
    pub handle: Box<dyn Any + Send>,
}

/// All that becomes visible together.
pub struct EpochCommit {
    /// The epoch; `duration_micros` is set by whoever measures it last.
    pub record: EpochRecord,
    /// What it appends, by dataset.
    pub datasets: Vec<DatasetCommit>,
}

/// One dataset's part in an epoch.
#[derive(Default)]
pub struct DatasetCommit {
    /// The dataset.
    pub dataset_id: u32,
    /// The version of its definition that this was worked out by.
    pub version: u32,
    /// Its files.
    pub files: Vec<StagedFile>,
    /// Events that changed what is known.
    pub committed: u64,
    /// Events that did not.
    pub unchanged: u64,
    /// Events that could not be accepted.
    pub quarantined: u64,
    /// Fields that the definition does not name.
    pub ignored_fields: u64,
    /// Whether this epoch seals its history import.
    pub seal: bool,
}

/// The time. Nobody else tells the engine of it, so that a test can let it pass as it likes.
pub trait Clock: Send + Sync {
    /// Now, by the wall clock, which somebody may set back.
    fn now(&self) -> Instant;

    /// Time since some moment that stays the same. It never goes back, whatever becomes of the wall clock.
    fn monotonic(&self) -> Duration;

    /// Returns when so much time has passed.
    fn sleep(&self, pause: Duration);
}

/// Runs the parts of an epoch that do not depend on each other.
pub trait Workers: Send + Sync + fmt::Debug {
    /// Runs `part` once for each index below `count`, in any order and up to `at_once` of them together. All have
    /// returned when this does.
    fn run(&self, at_once: usize, count: usize, part: &(dyn Fn(usize) + Sync));
}
