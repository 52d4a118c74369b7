//! History imports: events that carry the system time at which their publisher knew them.
//!
//! Events of one system time act together, and such a group may arrive in several requests. So the group with the
//! latest system time is held back, as raw lines in a note of the state, until a later time or the seal shows that it
//! is whole. Everything here is a decision over what arrived; it reads and writes nothing.

use std::collections::{BTreeMap, HashSet};

use model::Instant;
use serde::{Deserialize, Serialize};

use crate::{
    Error, ErrorKind, Result,
    apply::RowRef,
    event_batch::{EventBatch, Place},
    ports::Quarantined,
};

/// What is held back of all open imports, by dataset. Kept as a note of the state under the epoch it follows from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportTails {
    /// By dataset identifier.
    pub datasets: BTreeMap<u32, ImportTail>,
}

/// What is held back of one open import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportTail {
    /// The system time of the lines held back: everything before it is committed.
    pub system_time_micros: i64,
    /// The lines, in order of arrival.
    pub lines: Vec<HeldLine>,
}

/// A line held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLine {
    /// Its request.
    pub position: u64,
    /// Its line there.
    pub line: u32,
    /// When it arrived, in microseconds.
    pub arrival_micros: i64,
    /// The bytes as received; a line that decoded is UTF-8.
    pub raw: String,
}

impl ImportTails {
    /// The note's bytes.
    pub fn to_note(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| Error::new(ErrorKind::Internal, "the import tail cannot be written").because(e))
    }

    /// Reads the note.
    pub fn from_note(note: Option<&[u8]>) -> Result<ImportTails> {
        let Some(note) = note else { return Ok(ImportTails::default()) };
        serde_json::from_slice(note)
            .map_err(|e| Error::new(ErrorKind::Corrupt, "the import tail cannot be read").because(e))
    }
}

/// Which events of an open import act in this epoch.
#[derive(Debug, Default)]
pub struct Selection {
    /// Events that do not act now: held back or quarantined.
    pub excluded: HashSet<(u32, u32)>,
    /// What is held back from now on; `None` when nothing is.
    pub tail: Option<ImportTail>,
    /// Events refused.
    pub quarantined: Vec<Quarantined>,
}

impl Selection {
    /// Whether an event acts now.
    pub fn acts(&self, row: RowRef) -> bool {
        !self.excluded.contains(&(row.batch, row.row))
    }
}

/// Selects. `lines` are all lines of the dataset in this epoch, those held back before included, and are what the rows
/// of `batches` were decoded from. `epoch_time` bounds what can have been known; `sealing` lets everything act.
pub fn select(
    dataset_id: u32,
    batches: &[EventBatch],
    lines: Vec<HeldLine>,
    before: Option<&ImportTail>,
    epoch_time: Instant,
    sealing: bool,
) -> Selection {
    let earliest = before.map_or(i64::MIN, |tail| tail.system_time_micros);
    let fits = |time: i64| earliest <= time && time <= epoch_time.micros();
    let times = || batches.iter().flat_map(|batch| batch.system_times.iter().copied());
    let latest = times().filter(|&time| fits(time)).max();
    let mut selection = Selection::default();
    let mut held: HashSet<Place> = HashSet::new();
    let mut refused: BTreeMap<Place, (i64, u64)> = BTreeMap::new();
    for (batch_index, batch) in batches.iter().enumerate() {
        for (row, &time) in batch.system_times.iter().enumerate() {
            let reference = (batch_index as u32, row as u32);
            if !fits(time) {
                refused.entry(batch.places[row]).or_insert((time, 0)).1 += 1;
                selection.excluded.insert(reference);
            } else if !sealing && Some(time) == latest {
                held.insert(batch.places[row]);
                selection.excluded.insert(reference);
            }
        }
    }
    let place = |line: &HeldLine| Place { position: line.position, line: line.line };
    for line in lines.iter().filter(|line| refused.contains_key(&place(line))) {
        let (time, events) = refused[&place(line)];
        let time = Instant(time);
        let reason = if time.micros() < earliest {
            format!(
                "its system time {time} is earlier than {}, which is imported already; load history in its order",
                Instant(earliest)
            )
        } else {
            format!("its system time {time} is later than now; nothing can be known before it is")
        };
        let Place { position, line: number } = place(line);
        let arrival = Instant(line.arrival_micros);
        let raw = line.raw.clone().into_bytes();
        selection.quarantined.push(Quarantined { dataset_id, position, line: number, arrival, events, reason, raw });
    }
    if !sealing && let Some(system_time_micros) = latest.or(before.map(|tail| tail.system_time_micros)) {
        let lines = lines.into_iter().filter(|line| held.contains(&place(line))).collect();
        selection.tail = Some(ImportTail { system_time_micros, lines });
    }
    selection
}
