//! Time to live of the state: old segments go from it step by step, between epochs, and are fetched back from the lake
//! where an event reaches them (`fetch_back`). What may go is decided by `model::eviction`.
//!
//! A sweep passes over the whole state, key group by key group, with an instant that stays the same until it is through. A
//! step looks at a bounded number of entries and writes at once what remains of their timelines, until when the timelines of
//! their key groups are evicted, and the marks of the groups at the epoch they have. So a crash leaves a step whole or not
//! at all, at an epoch that the lake can be asked about, and what is replayed on it ends where it would have.

use std::{collections::BTreeSet, time::Duration};

use model::{KEY_GROUPS, Mode, eviction::evict};

use crate::{
    Error, ErrorKind, Result,
    fetch_back::read_evicted_before,
    ports::{DatasetInfo, Sink, StateStore, StateWrites},
    state_value::{Entry, Page, entry_of, eviction_address, page_start},
    timeline_pages::Window,
};

/// Entries a step looks at; the timeline it is at then is looked at to its end.
const ENTRIES_PER_STEP: usize = 8_192;
/// A new sweep begins once the instant would have moved on by so much of the time to live.
const SWEEPS_PER_TTL: u32 = 32;

/// Whether timelines of a dataset, whose import is over if it is one, may be evicted. Where columns were dropped, a retraction
/// may have written values without them that a timeline knows with them.
pub fn may_evict(info: &DatasetInfo) -> bool {
    !(info.definition.mode == Mode::UntilChanged && info.columns.hides_some())
}

/// Whether they may, once an epoch is in the state: not while the lake would give them back at the system times of an import.
fn may_evict_at(info: &DatasetInfo, epoch: u64) -> bool {
    let sealed = info.definition.system_time.is_none() || info.sealed_epoch.is_some_and(|sealed| sealed <= epoch);
    sealed && may_evict(info)
}

/// What a step did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct StepOutcome {
    /// Entries looked at.
    pub entries: u64,
    /// Segments evicted.
    pub segments: u64,
    /// Keys of which nothing is left.
    pub keys: u64,
}

/// Passes over the state again and again.
#[derive(Debug)]
pub struct Sweep {
    ttl_micros: Option<i64>,
    /// The instant before which this or the last sweep evicts.
    before: i64,
    /// Where to go on; `None` between sweeps.
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    address: Vec<u8>,
    /// Key groups that are left, the one of the address among them.
    groups_left: u16,
}

impl Sweep {
    /// Sweeps that leave in the state what ended less than this before the last epoch's system time; none without it.
    pub fn new(ttl: Option<Duration>) -> Sweep {
        let ttl_micros = ttl.map(|ttl| i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX));
        Sweep { ttl_micros, before: i64::MIN, place: None }
    }

    /// Goes on by one step, or begins anew where it is time. All key groups have the last committed epoch.
    pub fn step(&mut self, state: &dyn StateStore, sink: &dyn Sink) -> Result<StepOutcome> {
        let (Some(ttl_micros), Some(head)) = (self.ttl_micros, sink.head()) else { return Ok(StepOutcome::default()) };
        let place = match self.place.take() {
            Some(place) => place,
            None => {
                let before = head.system_time.micros().saturating_sub(ttl_micros);
                let due = self.before.saturating_add((ttl_micros / i64::from(SWEEPS_PER_TTL)).max(1));
                if before < due {
                    return Ok(StepOutcome::default());
                }
                self.before = before;
                // Elsewhere each time, so that groups get their turn however often a sweep is cut off by a stop.
                let first = (head.epoch % u64::from(KEY_GROUPS)) as u8;
                Place { address: vec![first], groups_left: KEY_GROUPS }
            }
        };
        let mut step = Step::new(sink, head.epoch, self.before);
        self.place = step.walk(state, place)?;
        step.finish(state)
    }
}

/// A step in the making.
struct Step<'a> {
    sink: &'a dyn Sink,
    epoch: u64,
    before: i64,
    /// Of the dataset at hand: its identifier, and what is known of it where it may be evicted.
    dataset: Option<(u32, Option<DatasetInfo>)>,
    at_hand: Option<KeyAtHand>,
    writes: StateWrites,
    buffer: Vec<u8>,
    /// Key groups and datasets of which something was evicted.
    evicted: BTreeSet<(u8, u32)>,
    outcome: StepOutcome,
}

/// A key whose entries are being read.
struct KeyAtHand {
    dataset_id: u32,
    head_address: Vec<u8>,
    head: Page,
    older: Vec<(i64, Page)>,
}

/// Why a scan ended before the entries did.
enum Stop {
    /// The step is long enough; the next one goes on at this address.
    Full(Vec<u8>),
    /// Entries up to this address are of no interest.
    Skip(Vec<u8>),
    /// This is of the next key group.
    GroupEnds,
}

impl<'a> Step<'a> {
    fn new(sink: &'a dyn Sink, epoch: u64, before: i64) -> Step<'a> {
        Step {
            sink,
            epoch,
            before,
            dataset: None,
            at_hand: None,
            writes: StateWrites::default(),
            buffer: Vec::new(),
            evicted: BTreeSet::new(),
            outcome: StepOutcome::default(),
        }
    }

    /// Looks at entries from a place on; gives the place to go on from, if there is one.
    fn walk(&mut self, state: &dyn StateStore, mut place: Place) -> Result<Option<Place>> {
        while place.groups_left > 0 {
            let group = place.address.first().copied().unwrap_or_default();
            let mut stop = Stop::GroupEnds;
            state.scan(&place.address, &mut |address, value| match self.visit(group, address, value)? {
                None => Ok(true),
                Some(reason) => {
                    stop = reason;
                    Ok(false)
                }
            })?;
            self.close_key()?;
            match stop {
                Stop::Full(address) => return Ok(Some(Place { address, ..place })),
                Stop::Skip(address) => place.address = address,
                Stop::GroupEnds => {
                    place.groups_left -= 1;
                    place.address = vec![((u16::from(group) + 1) % KEY_GROUPS) as u8];
                    if self.outcome.entries >= ENTRIES_PER_STEP as u64 && place.groups_left > 0 {
                        return Ok(Some(place));
                    }
                }
            }
        }
        Ok(None)
    }

    fn visit(&mut self, group: u8, address: &[u8], value: &[u8]) -> Result<Option<Stop>> {
        if address.first() != Some(&group) {
            return Ok(Some(Stop::GroupEnds));
        }
        let (dataset_id, entry) = entry_of(address)?;
        if entry == Entry::Eviction {
            return Ok(None);
        }
        if self.info_of(dataset_id).is_none() {
            let past = dataset_id.checked_add(1).map(|next| eviction_address(group, next).to_vec());
            return Ok(Some(past.map_or(Stop::GroupEnds, Stop::Skip)));
        }
        match (entry, &mut self.at_hand) {
            (Entry::OlderPage { head_bytes }, Some(key)) if address[..head_bytes] == *key.head_address => {
                key.older.push((page_start(&key.head_address, address)?, Page::decode(value)?));
            }
            (Entry::OlderPage { .. }, _) => {
                let message = "the timeline state has a page without the head it belongs to; restore a savepoint";
                return Err(Error::new(ErrorKind::Corrupt, message).with("key group", group));
            }
            _ => {
                self.close_key()?;
                if self.outcome.entries >= ENTRIES_PER_STEP as u64 {
                    return Ok(Some(Stop::Full(address.to_vec())));
                }
                let (head_address, head) = (address.to_vec(), Page::decode(value)?);
                self.at_hand = Some(KeyAtHand { dataset_id, head_address, head, older: Vec::new() });
            }
        }
        self.outcome.entries += 1;
        Ok(None)
    }

    /// What is known of a dataset, if its timelines may be evicted.
    fn info_of(&mut self, dataset_id: u32) -> Option<&DatasetInfo> {
        if self.dataset.as_ref().is_none_or(|(known, _)| *known != dataset_id) {
            let info = self.sink.dataset(dataset_id, self.epoch).filter(|info| may_evict_at(info, self.epoch));
            self.dataset = Some((dataset_id, info));
        }
        self.dataset.as_ref().and_then(|(_, info)| info.as_ref())
    }

    /// Evicts what may go of the key at hand.
    fn close_key(&mut self) -> Result<()> {
        let Some(KeyAtHand { dataset_id, head_address, head, older }) = self.at_hand.take() else { return Ok(()) };
        let before = self.before;
        let Some(info) = self.info_of(dataset_id) else { return Ok(()) };
        let (mode, sequenced) = (info.definition.mode, info.definition.sequence.is_some());
        let window = Window::of_pages(head, older);
        let remains = evict(mode, sequenced, &window.segments, before);
        if remains.len() < window.segments.len() {
            window.store(&head_address, &remains, &mut self.writes, &mut self.buffer);
            self.evicted.insert((head_address[0], dataset_id));
            self.outcome.segments += (window.segments.len() - remains.len()) as u64;
            self.outcome.keys += u64::from(remains.is_empty());
        }
        Ok(())
    }

    /// Writes what was decided.
    fn finish(mut self, state: &dyn StateStore) -> Result<StepOutcome> {
        let places: Vec<(u8, u32)> = self.evicted.iter().copied().collect();
        let (Some(first), Some(last)) = (places.first(), places.last()) else { return Ok(self.outcome) };
        let key_groups = u16::from(first.0)..u16::from(last.0) + 1;
        for (&(group, dataset_id), until_now) in places.iter().zip(read_evicted_before(state, &places)?) {
            // With a longer time to live than before, more may have gone already.
            let before = until_now.max(self.before);
            self.writes.put(&eviction_address(group, dataset_id), &before.to_be_bytes());
        }
        state.apply(self.epoch, key_groups, &self.writes)?;
        Ok(self.outcome)
    }
}
