//! One slot's part of an epoch: events of its key groups, key by key, against the state.
//!
//! In: decoded batches and the rows that belong to the slot. Out: the rows to append and the writes to the state.
//! Reads the state and writes nothing.

use std::{cell::OnceCell, cmp::Ordering, collections::HashMap, ops::Range};

use model::{
    Change, DatasetDefinition, Effect, Fingerprint, OPEN, Operation, Segment, Timeline, TimelineEvent,
    net_effect_within,
};

use crate::{
    Error, ErrorKind, Result,
    event_batch::EventBatch,
    ports::{StateStore, StateWrites},
    state_value::{PAGE_SEGMENTS_MAX, Page, key_group, page_address, page_start, write_head_address},
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
    dataset_id: u32,
    definition: &DatasetDefinition,
    batches: &[EventBatch],
    rows: &[RowRef],
    timing: Timing,
    state: &dyn StateStore,
    writes: &mut StateWrites,
) -> Result<Applied> {
    let keys = ranges_of_keys(batches, rows);
    let mut slot =
        SlotPass { definition, batches, timing, state, writes, applied: Applied::default(), buffer: Vec::new() };
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
            slot.apply_key(slices[index], head, &rows[chunk[index].clone()])
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
    batches: &'a [EventBatch],
    timing: Timing,
    state: &'a dyn StateStore,
    writes: &'a mut StateWrites,
    applied: Applied,
    buffer: Vec<u8>,
}

impl<'a> SlotPass<'a> {
    fn apply_key(&mut self, head_address: &[u8], head: Page, rows: &[RowRef]) -> Result<()> {
        let earliest = rows.iter().map(|&row| reaches_back_to(self.event(row))).min().unwrap_or(OPEN);
        let older = match head.covers_from {
            Some(covers_from) if earliest < covers_from => self.load_older(head_address, earliest)?,
            _ => Vec::new(),
        };
        let window_start = older.first().map(|(start, _)| *start).or(head.covers_from);
        let older_starts: Vec<i64> = older.iter().map(|(start, _)| *start).collect();
        let mut segments: Vec<Segment> = older.into_iter().flat_map(|(_, page)| page.segments).collect();
        segments.extend(head.segments);
        let before = segments.clone();
        let mut timeline = Timeline::new(self.definition.mode, self.definition.sequence.is_some(), segments);
        match self.timing {
            Timing::Epoch(system_time) => {
                self.apply_together(&mut timeline, rows, system_time, &KeySpeakers::new(rows, &before))?;
            }
            Timing::Carried => self.apply_by_carried_time(&mut timeline, rows, &before)?,
        }
        let after = timeline.into_segments();
        if after != before {
            self.store(head_address, window_start, &older_starts, after);
        }
        Ok(())
    }

    fn event(&self, row: RowRef) -> &'a TimelineEvent {
        &self.batches[row.batch as usize].events[row.row as usize]
    }

    fn load_older(&self, head_address: &[u8], earliest: i64) -> Result<Vec<(i64, Page)>> {
        let entries = self.state.scan_from_predecessor(head_address, &page_address(head_address, earliest))?;
        let pages = entries.into_iter().filter(|(address, _)| address.len() > head_address.len());
        pages.map(|(address, value)| Ok((page_start(head_address, &address)?, Page::decode(&value)?))).collect()
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
        let Some(key) = rows.last().copied().filter(|_| changed) else { return Ok(()) };
        for change in net_effect_within(&before, timeline.part(from, until), from, until) {
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

    /// Writes the timeline back, older half first when the head has grown too long.
    fn store(&mut self, head_address: &[u8], window_start: Option<i64>, older_starts: &[i64], segments: Vec<Segment>) {
        let head_from = if segments.len() > PAGE_SEGMENTS_MAX { segments.len() - PAGE_SEGMENTS_MAX / 2 } else { 0 };
        let (older, head) = segments.split_at(head_from);
        let whole = window_start.unwrap_or(i64::MIN);
        let mut written = Vec::new();
        for (index, chunk) in older.chunks(PAGE_SEGMENTS_MAX).enumerate() {
            let starts_at = if index == 0 { whole } else { chunk[0].from };
            Page { covers_from: None, segments: chunk.to_vec() }.encode(&mut self.buffer);
            self.writes.put(&page_address(head_address, starts_at), &self.buffer);
            written.push(starts_at);
        }
        for start in older_starts.iter().filter(|start| !written.contains(start)) {
            self.writes.delete(&page_address(head_address, *start));
        }
        let covers_from =
            if older.is_empty() { window_start.filter(|&start| start != i64::MIN) } else { Some(head[0].from) };
        if head.is_empty() && covers_from.is_none() {
            self.writes.delete(head_address);
            return;
        }
        Page { covers_from, segments: head.to_vec() }.encode(&mut self.buffer);
        self.writes.put(head_address, &self.buffer);
    }
}

/// How far back the timeline has to be known for an event. A retraction has to know what held before it.
fn reaches_back_to(event: &TimelineEvent) -> i64 {
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
