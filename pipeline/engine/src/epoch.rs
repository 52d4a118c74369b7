//! One epoch, from a range of the source to a commit and an updated state.
//!
//! The same functions serve the first time and a replay after a crash: given the same range, epoch, system time and
//! state they do the same, except that a replay commits nothing, asks the lake for nothing that only rows need and leaves
//! key groups alone that have the epoch. What was evicted of the state is fetched back from the lake as it was known before
//! the epoch, in a replay too, so that it does not matter what has been evicted until then.

use std::{
    collections::BTreeMap,
    ops::Range as Groups,
    sync::{Arc, Mutex, PoisonError},
    time::Instant as Stopwatch,
};

use arrow::array::ArrayRef;
use model::{EpochRecord, Instant, KEY_GROUPS};
use tracing::debug;

use crate::{
    Result,
    apply::{Applied, Timing, apply_rows, rows_of_slot},
    decode::Decoder,
    event_batch::{EventBatch, Place},
    fetch_back::History,
    import::{HeldLine, ImportTail, ImportTails, Selection, select},
    parallel::in_parallel,
    ports::{
        DatasetCommit, DatasetInfo, EpochCommit, Quarantined, Range, Sink, Source, StateStore, StateWrites, Workers,
    },
    staging::stage,
};

/// What an epoch needs.
#[derive(Clone, Copy)]
pub struct EpochContext<'a> {
    /// Where records come from.
    pub source: &'a dyn Source,
    /// Where timelines are.
    pub state: &'a dyn StateStore,
    /// Where rows go.
    pub sink: &'a dyn Sink,
    /// Parallel workers; each owns whole key groups.
    pub slots: u16,
    /// Below so many records an epoch is not worth several slots and files.
    pub small_epoch_records: u64,
    /// Who runs what can run together.
    pub workers: &'a dyn Workers,
}

/// What an epoch is.
#[derive(Debug, Clone, Copy)]
pub struct EpochPlan {
    /// Its number.
    pub epoch: u64,
    /// Its system time.
    pub system_time: Instant,
    /// Its records.
    pub range: Range,
}

/// First time or replay.
#[derive(Clone, Copy)]
pub enum Pass<'a> {
    /// Stage files and commit.
    Commit,
    /// Only bring the state up: `applied_epochs` says for each key group which epochs it has.
    Replay {
        /// For each key group, the last epoch applied.
        applied_epochs: &'a [u64],
    },
}

impl Pass<'_> {
    /// Whether a key group has the epoch already.
    fn has(&self, epoch: u64, key_group: u16) -> bool {
        match self {
            Pass::Commit => false,
            Pass::Replay { applied_epochs } => applied_epochs[usize::from(key_group)] >= epoch,
        }
    }
}

/// What an epoch did.
#[derive(Debug, Default)]
pub struct EpochOutcome {
    /// Records taken in.
    pub records: u64,
    /// Rows appended.
    pub rows: u64,
    /// Bytes of files written.
    pub bytes: u64,
    /// Datasets in which something changed, by name.
    pub datasets: Vec<String>,
    /// What is held back of imports from now on.
    pub tails: ImportTails,
    /// Where the time went.
    pub timings: EpochTimings,
    /// What each slot did that took part.
    pub slots: Vec<SlotWork>,
}

/// What a slot did, in one epoch or in many.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SlotWork {
    /// Events it took in.
    pub records: u64,
    /// Rows it appended.
    pub rows: u64,
    /// Applying to the state, in microseconds.
    pub apply_micros: u64,
    /// Writing files.
    pub stage_micros: u64,
    /// Waiting for the slowest slot.
    pub wait_micros: u64,
}

impl SlotWork {
    /// Adds what was done elsewhere.
    pub fn add(&mut self, other: &SlotWork) {
        self.records += other.records;
        self.rows += other.rows;
        self.apply_micros += other.apply_micros;
        self.stage_micros += other.stage_micros;
        self.wait_micros += other.wait_micros;
    }
}

/// Wall-clock time by stage, in microseconds.
#[derive(Debug, Default, Clone, Copy)]
pub struct EpochTimings {
    /// Reading and decoding.
    pub decode_micros: u64,
    /// Applying to the state and writing files.
    pub apply_micros: u64,
    /// The commit.
    pub commit_micros: u64,
    /// Writing the state.
    pub state_micros: u64,
}

/// The key groups of a slot.
pub fn groups_of_slot(slot: u16, slots: u16) -> Groups<u16> {
    let bound = |s: u16| (u32::from(s) * u32::from(KEY_GROUPS) / u32::from(slots.max(1))) as u16;
    bound(slot)..bound(slot + 1)
}

/// One dataset's records in an epoch.
struct DatasetWork {
    dataset_id: u32,
    info: DatasetInfo,
    importing: bool,
    sealing: bool,
    batches: Vec<EventBatch>,
    /// Lines as received; only of an open import.
    lines: Vec<HeldLine>,
    columns: Vec<Vec<ArrayRef>>,
    selection: Selection,
    quarantined: u64,
}

impl DatasetWork {
    fn new(dataset_id: u32, prepared: &Prepared, sealing: bool) -> DatasetWork {
        DatasetWork {
            dataset_id,
            info: prepared.info.clone(),
            importing: prepared.importing,
            sealing,
            batches: Vec::new(),
            lines: Vec::new(),
            columns: Vec::new(),
            selection: Selection::default(),
            quarantined: 0,
        }
    }

    fn acting_events(&self) -> u64 {
        let decoded: usize = self.batches.iter().map(EventBatch::len).sum();
        (decoded - self.selection.excluded.len()) as u64
    }
}

/// An epoch that is committed, with what still has to follow: quarantine and state.
pub struct CommittedEpoch<'a> {
    context: EpochContext<'a>,
    plan: EpochPlan,
    pass: Pass<'a>,
    outcome: EpochOutcome,
    tails_changed: bool,
    quarantined: Vec<Quarantined>,
    /// By slot.
    writes: Vec<StateWrites>,
}

/// Runs an epoch up to its commit. `tails` is what was held back before it.
pub fn commit_epoch<'a>(
    context: EpochContext<'a>,
    plan: &EpochPlan,
    tails: &ImportTails,
    pass: Pass<'a>,
) -> Result<CommittedEpoch<'a>> {
    let mut watch = Stopwatch::now();
    let mut outcome = EpochOutcome::default();
    let (works, quarantined) = prepare(&context, plan, tails, &mut outcome)?;
    outcome.timings.decode_micros = lap(&mut watch);

    let small = outcome.records < context.small_epoch_records;
    let slots = if small { 1 } else { context.slots.max(1) };
    let results = in_parallel(context.workers, usize::from(slots), usize::from(slots), |slot| {
        run_slot(&context, plan, &pass, &works, groups_of_slot(slot as u16, slots))
    })?;
    outcome.timings.apply_micros = lap(&mut watch);

    let mut writes = Vec::with_capacity(results.len());
    let mut commits = Vec::with_capacity(results.len());
    for SlotOutcome { writes: slot_writes, commits: slot_commits, mut work } in results {
        work.wait_micros = outcome.timings.apply_micros.saturating_sub(work.apply_micros + work.stage_micros);
        outcome.slots.push(work);
        writes.push(slot_writes);
        commits.push(slot_commits);
    }
    let datasets = merge_commits(&works, commits);
    for (work, commit) in works.iter().zip(&datasets) {
        outcome.rows += commit.files.iter().map(|file| file.rows).sum::<u64>();
        outcome.bytes += commit.files.iter().map(|file| file.bytes).sum::<u64>();
        if !commit.files.is_empty() || commit.seal {
            outcome.datasets.push(work.info.name.clone());
        }
    }
    if matches!(pass, Pass::Commit) {
        let record = EpochRecord {
            epoch: plan.epoch,
            system_time: plan.system_time,
            position: plan.range.up_to,
            records: outcome.records,
            rows: outcome.rows,
            duration_micros: outcome.timings.decode_micros + outcome.timings.apply_micros,
        };
        context.sink.commit(EpochCommit { record, datasets })?;
    }
    outcome.timings.commit_micros = lap(&mut watch);
    let tails_changed = outcome.tails != *tails;
    Ok(CommittedEpoch { context, plan: *plan, pass, outcome, tails_changed, quarantined, writes })
}

impl CommittedEpoch<'_> {
    /// What it did.
    pub fn outcome(&self) -> &EpochOutcome {
        &self.outcome
    }

    /// Writes quarantine and state. Where this fails the epoch stays committed, and a replay makes up for it.
    ///
    /// Quarantine not before the commit: another attempt has another system time, which may let a record in. After a
    /// crash here the epoch is replayed, because its marks are missing, and writes the same entries.
    pub fn settle(mut self) -> Result<EpochOutcome> {
        let mut watch = Stopwatch::now();
        let EpochContext { source, state, workers, .. } = self.context;
        let epoch = self.plan.epoch;
        if !self.quarantined.is_empty() {
            source.quarantine(&self.quarantined)?;
        }
        if self.tails_changed {
            // Earlier ones are still needed if state is lost from here back to the last checkpoint, which clears them.
            state.put_note(epoch, &self.outcome.tails.to_note()?, 0)?;
        }
        let slots = self.writes.len();
        in_parallel(workers, slots, slots, |slot| {
            let groups = groups_of_slot(slot as u16, slots as u16);
            for lacking in groups_lacking(groups, &|group| self.pass.has(epoch, group)) {
                state.apply(epoch, lacking.clone(), &writes_within(&self.writes[slot], &lacking))?;
            }
            Ok(())
        })?;
        self.outcome.timings.state_micros = lap(&mut watch);
        Ok(self.outcome)
    }
}

/// Microseconds since the watch was set, which sets it anew.
fn lap(watch: &mut Stopwatch) -> u64 {
    let micros = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX);
    *watch = Stopwatch::now();
    micros
}

/// Decodes an epoch's records and decides which of them act now.
fn prepare(
    context: &EpochContext<'_>,
    plan: &EpochPlan,
    tails: &ImportTails,
    outcome: &mut EpochOutcome,
) -> Result<(Vec<DatasetWork>, Vec<Quarantined>)> {
    let (mut works, mut quarantined) = decode_all(context, plan, tails)?;
    settle_imports(&mut works, plan, tails, &mut outcome.tails);
    for work in works.values_mut() {
        quarantined.append(&mut work.selection.quarantined);
        work.columns = work.batches.iter_mut().map(EventBatch::finish_columns).collect();
    }
    for entry in &quarantined {
        if let Some(work) = works.get_mut(&entry.dataset_id) {
            work.quarantined += entry.events;
        }
    }
    outcome.records = works.values().map(DatasetWork::acting_events).sum();
    Ok((works.into_values().collect(), quarantined))
}

/// Maximal runs of key groups that do not have the epoch yet.
fn groups_lacking(groups: Groups<u16>, has_epoch: &dyn Fn(u16) -> bool) -> Vec<Groups<u16>> {
    let mut lacking: Vec<Groups<u16>> = Vec::new();
    for group in groups.filter(|group| !has_epoch(*group)) {
        match lacking.last_mut() {
            Some(run) if run.end == group => run.end = group + 1,
            _ => lacking.push(group..group + 1),
        }
    }
    lacking
}

/// The writes whose address lies in these key groups. Usually all of them, which are then not copied.
fn writes_within<'a>(writes: &'a StateWrites, groups: &Groups<u16>) -> std::borrow::Cow<'a, StateWrites> {
    let inside = |address: &[u8]| address.first().is_some_and(|group| groups.contains(&u16::from(*group)));
    if writes.iter().all(|(address, _)| inside(address)) {
        return std::borrow::Cow::Borrowed(writes);
    }
    let mut within = StateWrites::default();
    for (address, value) in writes.iter().filter(|(address, _)| inside(address)) {
        match value {
            Some(value) => within.put(address, value),
            None => within.delete(address),
        }
    }
    std::borrow::Cow::Owned(within)
}

type Works = BTreeMap<u32, DatasetWork>;

/// Records of one partition, decoded.
#[derive(Default)]
struct Decoded {
    batches: BTreeMap<u32, EventBatch>,
    lines: BTreeMap<u32, Vec<HeldLine>>,
    quarantined: Vec<Quarantined>,
}

/// A dataset as an epoch decodes for it.
struct Prepared {
    info: DatasetInfo,
    decoder: Decoder,
    importing: bool,
}

fn decode_all(context: &EpochContext<'_>, plan: &EpochPlan, tails: &ImportTails) -> Result<(Works, Vec<Quarantined>)> {
    let prepared: Mutex<BTreeMap<u32, Option<Arc<Prepared>>>> = Mutex::new(BTreeMap::new());
    let prepare = |dataset_id: u32| {
        let mut prepared = prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = prepared.entry(dataset_id).or_insert_with(|| {
            let info = context.sink.dataset(dataset_id, plan.epoch)?;
            let open = info.sealed_epoch.is_none_or(|sealed| plan.epoch <= sealed);
            let importing = info.definition.system_time.is_some() && open;
            let decoder = Decoder::new(Arc::clone(&info.definition), &info.columns);
            Some(Arc::new(Prepared { decoder, info, importing }))
        });
        entry.clone()
    };
    let mut held = Decoded::default();
    for (&dataset_id, tail) in &tails.datasets {
        for line in &tail.lines {
            let arrival = Instant(line.arrival_micros);
            let place = Place { position: line.position, line: line.line };
            decode_one(&mut held, dataset_id, place, arrival, line.raw.as_bytes(), prepare(dataset_id).as_deref());
        }
    }
    // Counted when the lines first came.
    held.batches.values_mut().for_each(|batch| batch.ignored_fields = 0);
    let partitions = usize::from(context.source.partitions());
    let read = in_parallel(context.workers, usize::from(context.slots.max(1)), partitions, |partition| {
        let mut decoded = Decoded::default();
        let mut last: Option<(u32, Option<Arc<Prepared>>)> = None;
        context.source.read(partition as u16, plan.range, &mut |record| {
            if last.as_ref().is_none_or(|(dataset_id, _)| *dataset_id != record.dataset_id) {
                last = Some((record.dataset_id, prepare(record.dataset_id)));
            }
            let prepared = last.as_ref().and_then(|(_, prepared)| prepared.as_deref());
            let place = Place { position: record.position, line: record.line };
            decode_one(&mut decoded, record.dataset_id, place, record.arrival, record.bytes, prepared);
            Ok(())
        })?;
        Ok(decoded)
    })?;
    let seals = context.source.seals(plan.range)?;
    seals.iter().for_each(|&dataset_id| drop(prepare(dataset_id)));
    let mut works = Works::new();
    for (&dataset_id, prepared) in prepared.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if let Some(prepared) = prepared {
            let sealing = prepared.importing && seals.contains(&dataset_id);
            works.insert(dataset_id, DatasetWork::new(dataset_id, prepared, sealing));
        }
    }
    let mut quarantined = Vec::new();
    for decoded in std::iter::once(held).chain(read) {
        for (dataset_id, batch) in decoded.batches {
            if let Some(work) = works.get_mut(&dataset_id) {
                work.batches.push(batch);
            }
        }
        for (dataset_id, mut lines) in decoded.lines {
            if let Some(work) = works.get_mut(&dataset_id) {
                work.lines.append(&mut lines);
            }
        }
        quarantined.extend(decoded.quarantined);
    }
    Ok((works, quarantined))
}

fn decode_one(
    decoded: &mut Decoded,
    dataset_id: u32,
    place: Place,
    arrival: Instant,
    bytes: &[u8],
    prepared: Option<&Prepared>,
) {
    let outcome = match prepared {
        None => Err("there is no such dataset any more".to_owned()),
        Some(prepared) => {
            let batch = decoded.batches.entry(dataset_id).or_insert_with(|| EventBatch::new(&prepared.info.definition));
            prepared.decoder.decode(bytes, place, prepared.importing, batch).map_err(|rejection| rejection.0)
        }
    };
    let Place { position, line } = place;
    match outcome {
        Err(reason) => {
            let raw = bytes.to_vec();
            decoded.quarantined.push(Quarantined { dataset_id, position, line, arrival, events: 1, reason, raw });
        }
        Ok(_) if prepared.is_some_and(|prepared| prepared.importing) => {
            let raw = String::from_utf8_lossy(bytes).into_owned();
            let held = HeldLine { position, line, arrival_micros: arrival.micros(), raw };
            decoded.lines.entry(dataset_id).or_default().push(held);
        }
        Ok(_) => {}
    }
}

/// Decides for every open import what acts now and what is held back.
fn settle_imports(works: &mut Works, plan: &EpochPlan, before: &ImportTails, after: &mut ImportTails) {
    *after = before.clone();
    for work in works.values_mut().filter(|work| work.importing) {
        let tail: Option<&ImportTail> = before.datasets.get(&work.dataset_id);
        let lines = std::mem::take(&mut work.lines);
        work.selection = select(work.dataset_id, &work.batches, lines, tail, plan.system_time, work.sealing);
        match work.selection.tail.take() {
            Some(tail) => after.datasets.insert(work.dataset_id, tail),
            None => after.datasets.remove(&work.dataset_id),
        };
    }
}

/// What came of one slot.
struct SlotOutcome {
    writes: StateWrites,
    /// By dataset.
    commits: Vec<DatasetCommit>,
    work: SlotWork,
}

fn run_slot(
    context: &EpochContext<'_>,
    plan: &EpochPlan,
    pass: &Pass<'_>,
    works: &[DatasetWork],
    groups: Groups<u16>,
) -> Result<SlotOutcome> {
    let mut watch = Stopwatch::now();
    let mut slot = SlotOutcome {
        writes: StateWrites::default(),
        commits: Vec::with_capacity(works.len()),
        work: SlotWork::default(),
    };
    for work in works {
        let ours = |group: u16| groups.contains(&group) && !pass.has(plan.epoch, group);
        let rows = rows_of_slot(&work.batches, &ours, |row| work.selection.acts(row));
        let timing = if work.importing { Timing::Carried } else { Timing::Epoch(plan.system_time.micros()) };
        let history = History {
            sink: context.sink,
            dataset_id: work.dataset_id,
            info: &work.info,
            columns: &work.columns,
            known_before: plan.system_time.micros(),
        };
        let applied = apply_rows(&work.batches, &rows, timing, history, context.state, &mut slot.writes)?;
        if applied.fetched_back > 0 {
            debug!(epoch = plan.epoch, dataset = work.info.name, keys = applied.fetched_back, "history fetched back");
        }
        slot.work.records += rows.len() as u64;
        slot.work.apply_micros += lap(&mut watch);
        let files = match pass {
            Pass::Commit => stage(context.sink, work.dataset_id, &work.info, &work.columns, &applied)?,
            Pass::Replay { .. } => Vec::new(),
        };
        slot.work.rows += files.iter().map(|file| file.rows).sum::<u64>();
        slot.work.stage_micros += lap(&mut watch);
        let Applied { committed, unchanged, .. } = applied;
        slot.commits.push(DatasetCommit {
            dataset_id: work.dataset_id,
            version: work.info.version,
            files,
            committed,
            unchanged,
            ..DatasetCommit::default()
        });
    }
    Ok(slot)
}

/// Adds up what the slots did, dataset by dataset.
fn merge_commits(works: &[DatasetWork], by_slot: Vec<Vec<DatasetCommit>>) -> Vec<DatasetCommit> {
    let start = |work: &DatasetWork| DatasetCommit {
        dataset_id: work.dataset_id,
        version: work.info.version,
        quarantined: work.quarantined,
        ignored_fields: work.batches.iter().map(|batch| batch.ignored_fields).sum(),
        seal: work.sealing,
        ..DatasetCommit::default()
    };
    let mut merged: Vec<DatasetCommit> = works.iter().map(start).collect();
    for commits in by_slot {
        for (total, part) in merged.iter_mut().zip(commits) {
            total.committed += part.committed;
            total.unchanged += part.unchanged;
            total.files.extend(part.files);
        }
    }
    merged
}
