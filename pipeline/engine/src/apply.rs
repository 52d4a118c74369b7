//! One slot's part of an epoch: events of its key groups, key by key, against the state.
//!
//! In: decoded batches and the rows that belong to the slot. Out: the rows to append and the writes to the state.
//! Reads the state, and the lake where events reach into what was evicted, and writes nothing.

use std::{borrow::Cow, cell::OnceCell, cmp::Ordering, collections::HashMap, ops::Range};

use model::{
    Change, DatasetDefinition, Effect, Fingerprint, OPEN, Operation, Segment, Timeline, TimelineEvent,
    eviction::{evict, fill},
    net_effect_within,
};

use crate::{
    Error, ErrorKind, Result,
    event_batch::EventBatch,
    eviction::may_evict,
    fetch_back::{FetchedBack, History},
    ports::{StateStore, StateWrites},
    state_value::{Page, key_group, write_head_address},
    timeline_pages::Window,
};

/// Keys looked up in the state at a time.
const KEYS_PER_LOOKUP: usize = 4_096;

/// An event by its batch and its row there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRef {
    /// Index of the batch.
    pub batch: u32,
    /// Row in it.
    pub row: u32,
}

/// A row to append: key (and, for a put, values) of an event, over a stretch of valid time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assertion {
    /// The event whose key and values it carries. The batch behind the last one stands for [`Applied::held`].
    pub source: RowRef,
    /// First valid instant.
    pub from: i64,
    /// First valid instant after.
    pub to: i64,
    /// When it became known.
    pub system_from: i64,
    /// False for a delete.
    pub put: bool,
}

/// Values that a retraction lets extend and that no event of the epoch carries: what the lake says of a key, before
/// the epoch, at a valid instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// An event with that key.
    pub key: RowRef,
    /// The instant.
    pub instant: i64,
}

/// What a slot did to one dataset in one epoch.
#[derive(Debug, Default)]
pub struct Applied {
    /// Rows to append.
    pub assertions: Vec<Assertion>,
    /// Values that the lake has to be asked for, if the rows are to be written.
    pub held: Vec<Held>,
    /// Events that changed what holds.
    pub committed: u64,
    /// Events that did not.
    pub unchanged: u64,
    /// Keys of which the lake was asked for what had been evicted.
    pub fetched_back: u64,
}

/// The rows of all batches whose key lies in these key groups and that `active` lets through, ordered by key and,
/// within a key, by arrival.
pub fn rows_of_slot(
    batches: &[EventBatch],
    key_groups: &dyn Fn(u16) -> bool,
    active: impl Fn(RowRef) -> bool,
) -> Vec<RowRef> {
    let mut rows: Vec<(u64, RowRef)> = Vec::new();
    for (batch_index, batch) in batches.iter().enumerate() {
        for (row, &hash) in batch.hashes.iter().enumerate() {
            let reference = RowRef { batch: batch_index as u32, row: row as u32 };
            if key_groups(key_group(hash)) && active(reference) {
                rows.push((hash, reference));
            }
        }
    }
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| compare_in_hash(batches, a.1, b.1)));
    rows.into_iter().map(|(_, row)| row).collect()
}

fn compare_in_hash(batches: &[EventBatch], a: RowRef, b: RowRef) -> Ordering {
    let (x, y) = (&batches[a.batch as usize], &batches[b.batch as usize]);
    let (key_x, key_y) = (x.key(a.row as usize), y.key(b.row as usize));
    let by_key = key_x.len().cmp(&key_y.len()).then_with(|| key_x.cmp(key_y));
    by_key
        .then_with(|| x.places[a.row as usize].cmp(&y.places[b.row as usize]))
        .then_with(|| (a.batch, a.row).cmp(&(b.batch, b.row)))
}

/// Applies the rows of a slot, as [`rows_of_slot`] orders them.
///
/// Rows become known at `system_time`; in an open history import at the system time each event carries, events of one
/// such time acting together.
pub fn apply_rows(
    batches: &[EventBatch],
    rows: &[RowRef],
    timing: Timing,
    history: History<'_>,
    state: &dyn StateStore,
    writes: &mut StateWrites,
) -> Result<Applied> {
    let keys = ranges_of_keys(batches, rows);
    let History { dataset_id, info, .. } = history;
    let fetched = history.fetch(state, batches, rows, keys.iter())?;
    let applied = Applied { fetched_back: fetched.len() as u64, ..Applied::default() };
    let (definition, evicts, buffer) = (info.definition.as_ref(), may_evict(info), Vec::new());
    let mut slot = SlotPass { definition, evicts, batches, timing, state, writes, applied, buffer };
    let mut addresses: Vec<u8> = Vec::new();
    let mut ends: Vec<usize> = Vec::new();
    let mut address = Vec::new();
    for chunk in keys.chunks(KEYS_PER_LOOKUP) {
        addresses.clear();
        ends.clear();
        for range in chunk {
            let first = rows[range.start];
            let batch = &batches[first.batch as usize];
            let (hash, key) = (batch.hashes[first.row as usize], batch.key(first.row as usize));
            write_head_address(&mut address, dataset_id, hash, key);
            addresses.extend_from_slice(&address);
            ends.push(addresses.len());
        }
        let slices: Vec<&[u8]> =
            ends.iter().enumerate().map(|(i, &end)| &addresses[if i == 0 { 0 } else { ends[i - 1] }..end]).collect();
        state.load(&slices, &mut |index, value| {
            let head = value.map(Page::decode).transpose()?.unwrap_or_default();
            let range = chunk[index].clone();
            slot.apply_key(slices[index], head, fetched.get(&range.start), &rows[range])
        })?;
    }
    Ok(slot.applied)
}

/// When the rows of an epoch become known.
#[derive(Debug, Clone, Copy)]
pub enum Timing {
    /// At the epoch's system time.
    Epoch(i64),
    /// At the system time each event carries (history import).
    Carried,
}

fn ranges_of_keys(batches: &[EventBatch], rows: &[RowRef]) -> Vec<Range<usize>> {
    let key = |row: RowRef| batches[row.batch as usize].key(row.row as usize);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (index, &row) in rows.iter().enumerate() {
        match ranges.last_mut() {
            Some(range) if key(rows[range.start]) == key(row) => range.end = index + 1,
            _ => ranges.push(index..index + 1),
        }
    }
    ranges
}

struct SlotPass<'a> {
    definition: &'a DatasetDefinition,
    /// Whether old segments may go from the state again.
    evicts: bool,
    batches: &'a [EventBatch],
    timing: Timing,
    state: &'a dyn StateStore,
    writes: &'a mut StateWrites,
    applied: Applied,
    buffer: Vec<u8>,
}

impl<'a> SlotPass<'a> {
    fn apply_key(
        &mut self,
        head_address: &[u8],
        head: Page,
        fetched: Option<&FetchedBack>,
        rows: &[RowRef],
    ) -> Result<()> {
        let earliest = rows.iter().map(|&row| reaches_back_to(self.event(row))).min().unwrap_or(OPEN);
        let earliest = fetched.map_or(earliest, |fetched| fetched.stretch.0);
        let window = Window::load(self.state, head_address, head, earliest)?;
        let (mode, sequenced) = (self.definition.mode, self.definition.sequence.is_some());
        let before: Cow<'_, [Segment]> = match fetched {
            Some(FetchedBack { stretch, found, .. }) => fill(mode, sequenced, &window.segments, found, *stretch).into(),
            None => window.segments.as_slice().into(),
        };
        let mut timeline = Timeline::new(mode, sequenced, before.to_vec());
        match self.timing {
            Timing::Epoch(system_time) => {
                self.apply_together(&mut timeline, rows, system_time, &KeySpeakers::new(rows, &before))?;
            }
            Timing::Carried => self.apply_by_carried_time(&mut timeline, rows, &before)?,
        }
        let mut after = timeline.into_segments();
        if after == *before {
            return Ok(());
        }
        if let Some(fetched) = fetched.filter(|_| self.evicts) {
            after = evict(mode, sequenced, &after, fetched.evicted_before);
        }
        if after != window.segments {
            window.store(head_address, &after, self.writes, &mut self.buffer);
        }
        Ok(())
    }

    fn event(&self, row: RowRef) -> &'a TimelineEvent {
        &self.batches[row.batch as usize].events[row.row as usize]
    }

    fn apply_by_carried_time(&mut self, timeline: &mut Timeline, rows: &[RowRef], before: &[Segment]) -> Result<()> {
        let carried = |row: &RowRef| self.batches[row.batch as usize].system_times[row.row as usize];
        let mut by_time: Vec<(i64, RowRef)> = rows.iter().map(|row| (carried(row), *row)).collect();
        by_time.sort_by_key(|(time, _)| *time);
        let speakers = KeySpeakers::new(rows, before);
        for group in by_time.chunk_by(|a, b| a.0 == b.0) {
            let rows: Vec<RowRef> = group.iter().map(|(_, row)| *row).collect();
            self.apply_together(timeline, &rows, group[0].0, &speakers)?;
        }
        Ok(())
    }

    /// Lets events act one after the other and records their net effect as known at one system time.
    fn apply_together(
        &mut self,
        timeline: &mut Timeline,
        rows: &[RowRef],
        system_from: i64,
        speakers: &KeySpeakers<'_, 'a>,
    ) -> Result<()> {
        let reaches = rows.iter().map(|&row| timeline.reach(self.event(row)));
        // Of a long timeline only the part that can change is looked at.
        let (from, until) =
            reaches.fold((OPEN, i64::MIN), |all, reach| (i64::min(all.0, reach.0), i64::max(all.1, reach.1)));
        let before = timeline.part(from, until).to_vec();
        let mut changed = false;
        for &row in rows {
            match timeline.apply(self.event(row)) {
                Effect::Changed => {
                    changed = true;
                    self.applied.committed += 1;
                }
                Effect::Unchanged => self.applied.unchanged += 1,
            }
        }
        let changes = match changed {
            true => net_effect_within(&before, timeline.part(from, until), from, until),
            false => Vec::new(),
        };
        if self.definition.sequence.is_some() {
            timeline.mark_recorded((from, until), &before, &changes);
        }
        let Some(key) = rows.last().copied() else { return Ok(()) };
        for change in changes {
            let put = change.fingerprint != Fingerprint::NOTHING;
            let source = if put { self.values_of(&change, key, speakers)? } else { key };
            let Change { from, to, .. } = change;
            self.applied.assertions.push(Assertion { source, from, to, system_from, put });
        }
        Ok(())
    }

    /// The event of this epoch that says what a change makes hold; where none does, an earlier assertion extends, and
    /// the lake has its values.
    fn values_of(&mut self, change: &Change, key: RowRef, speakers: &KeySpeakers<'_, 'a>) -> Result<RowRef> {
        if let Some(source) = speakers.of(self.batches, change.fingerprint, change.sequence) {
            return Ok(source);
        }
        let row = self.applied.held.len() as u32;
        self.applied.held.push(Held { key, instant: speakers.held_at(change)? });
        Ok(RowRef { batch: self.batches.len() as u32, row })
    }
}

/// How far back the timeline has to be known for an event. A retraction has to know what held before it.
pub(crate) fn reaches_back_to(event: &TimelineEvent) -> i64 {
    match event.operation {
        Operation::Put | Operation::Delete => event.from,
        Operation::Retract => event.from.saturating_sub(1),
    }
}

/// Finds among all events of a key in the epoch, of whatever system time, one that carries the values of a fingerprint.
/// The sequence number goes with it, because it is stored beside the values and has no part in the fingerprint.
struct KeySpeakers<'r, 'a> {
    rows: &'r [RowRef],
    /// The key's timeline before the epoch.
    before: &'r [Segment],
    /// Where in it each assertion begins; made when it is first asked for.
    held: OnceCell<HashMap<(Fingerprint, i64), i64>>,
    found: OnceCell<Speakers<'a>>,
}

enum Speakers<'a> {
    Few(&'a [EventBatch]),
    Many(HashMap<(Fingerprint, i64), RowRef>),
}

impl<'r, 'a> KeySpeakers<'r, 'a> {
    fn new(rows: &'r [RowRef], before: &'r [Segment]) -> KeySpeakers<'r, 'a> {
        KeySpeakers { rows, before, held: OnceCell::new(), found: OnceCell::new() }
    }

    /// An instant at which, before the epoch, the same held as a change makes hold now: usually where the assertion
    /// begins; elsewhere when an event of the epoch has cut it there.
    fn held_at(&self, change: &Change) -> Result<i64> {
        let after = self.before.partition_point(|segment| segment.from <= change.said_at);
        let there = after.checked_sub(1).map(|index| &self.before[index]).filter(|held| change.said_at < held.to);
        if there.is_some_and(|held| held.fingerprint == change.fingerprint) {
            return Ok(change.said_at);
        }
        let elsewhere = self.held.get_or_init(|| {
            let said = self.before.iter().filter(|segment| !segment.retracted);
            said.map(|segment| ((segment.fingerprint, segment.sequence), segment.from)).collect()
        });
        elsewhere.get(&(change.fingerprint, change.sequence)).copied().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "nothing in the epoch or before it says what a change makes hold")
                .with("valid from", change.from)
        })
    }

    fn of(&self, batches: &'a [EventBatch], fingerprint: Fingerprint, sequence: i64) -> Option<RowRef> {
        let wanted = (fingerprint, sequence);
        match self.found.get_or_init(|| Speakers::new(batches, self.rows)) {
            Speakers::Few(batches) => {
                self.rows.iter().rev().find(|row| Speakers::said(batches, **row) == Some(wanted)).copied()
            }
            Speakers::Many(by_fingerprint) => by_fingerprint.get(&wanted).copied(),
        }
    }
}

impl<'a> Speakers<'a> {
    fn new(batches: &'a [EventBatch], rows: &[RowRef]) -> Speakers<'a> {
        if rows.len() <= 8 {
            return Speakers::Few(batches);
        }
        let puts = rows.iter().filter_map(|row| Self::said(batches, *row).map(|said| (said, *row)));
        Speakers::Many(puts.collect())
    }

    fn said(batches: &[EventBatch], row: RowRef) -> Option<(Fingerprint, i64)> {
        let event = &batches[row.batch as usize].events[row.row as usize];
        (event.operation == Operation::Put).then_some((event.fingerprint, event.sequence))
    }
}
