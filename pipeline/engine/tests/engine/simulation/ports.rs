//! The ports in memory, on a schedule: each call is a step of it. What they keep and promise is what the ports of
//! `memory.rs` do; here is only when they fail, and what a process that dies leaves behind.

use std::{
    ops::Range as Groups,
    sync::{Arc, Mutex},
    time::Duration,
};

use arrow::array::{ArrayRef, RecordBatch};
use engine::{
    Error, ErrorKind, Result,
    model::{EpochRecord, Instant},
    ports::{
        Clock, Cut, DatasetInfo, EpochCommit, EpochLimits, HeldRows, Quarantined, Range, Retained, RowWriter, Sink,
        Source, StagedFile, StateStore, StateWrites, VisitEntry, VisitRecord, VisitValue, Workers,
    },
};

use super::{
    breaks::Break,
    random::Random,
    schedule::{Call, Fate, Schedule, crash},
};
use crate::{
    lake::Lake,
    memory::{Contents, Requests, State},
};

/// Requests on a schedule.
pub struct ScheduledSource {
    pub requests: Arc<Requests>,
    pub schedule: Arc<Schedule>,
    pub broken: Option<Break>,
}

impl Source for ScheduledSource {
    fn partitions(&self) -> u16 {
        self.requests.partitions()
    }

    fn wait(&self, after: u64, timeout: Duration) -> bool {
        self.schedule.ask(Call::Wait, || ());
        if self.requests.last_position() <= after {
            self.schedule.idle(timeout.as_micros() as u64);
        }
        self.requests.last_position() > after
    }

    fn cut(&self, after: u64, limits: &EpochLimits) -> Result<Option<Cut>> {
        self.schedule.call(Call::Cut, || self.requests.cut(after, limits))
    }

    fn read(&self, partition: u16, range: Range, visit: &mut VisitRecord<'_>) -> Result<()> {
        self.schedule.call(Call::Read, || self.requests.read(partition, range, visit))
    }

    fn seals(&self, range: Range) -> Result<Vec<u32>> {
        self.schedule.call(Call::Seals, || self.requests.seals(range))
    }

    fn release(&self, up_to: u64) -> Result<()> {
        self.schedule.call(Call::Release, || self.requests.release(up_to))
    }

    fn retained(&self) -> Result<Retained> {
        self.schedule.call(Call::Retained, || self.requests.retained())
    }

    fn quarantine(&self, entries: &[Quarantined]) -> Result<()> {
        let kept = if self.broken == Some(Break::LosesQuarantine) { &entries[1..] } else { entries };
        self.schedule.call(Call::Quarantine, || self.requests.quarantine(kept))
    }
}

/// State on a schedule, which forgets what was not made durable.
pub struct ScheduledState {
    pub state: Arc<State>,
    pub schedule: Arc<Schedule>,
    /// As it was made durable, and after each write since.
    pub since_flush: Mutex<Vec<Contents>>,
    pub broken: Option<Break>,
}

impl ScheduledState {
    pub fn new(state: Arc<State>, schedule: Arc<Schedule>, broken: Option<Break>) -> ScheduledState {
        let since_flush = Mutex::new(vec![state.contents()]);
        ScheduledState { state, schedule, since_flush, broken }
    }

    /// What a crash leaves: writes reach the disk in their order, so it is what held after one of them, whichever.
    /// Tells how many are lost.
    pub fn lose(&self, random: &mut Random) -> usize {
        let mut since_flush = self.since_flush.lock().unwrap();
        let kept = match random.below(4) {
            0 => since_flush.len() - 1,
            1 => 0,
            _ => random.below(since_flush.len() as u64) as usize,
        };
        let lost = since_flush.len() - 1 - kept;
        since_flush.truncate(kept + 1);
        self.state.put_back(since_flush[kept].clone());
        lost
    }

    fn written(&self, outcome: Result<()>) -> Result<()> {
        if outcome.is_ok() {
            self.since_flush.lock().unwrap().push(self.state.contents());
        }
        outcome
    }
}

impl StateStore for ScheduledState {
    fn applied_epochs(&self) -> Result<Vec<u64>> {
        self.schedule.call(Call::AppliedEpochs, || self.state.applied_epochs())
    }

    fn load(&self, keys: &[&[u8]], visit: &mut VisitValue<'_>) -> Result<()> {
        self.schedule.call(Call::Load, || self.state.load(keys, visit))
    }

    fn scan_from_predecessor(&self, prefix: &[u8], from: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.schedule.call(Call::Scan, || self.state.scan_from_predecessor(prefix, from))
    }

    fn scan(&self, from: &[u8], visit: &mut VisitEntry<'_>) -> Result<()> {
        self.schedule.call(Call::Scan, || self.state.scan(from, visit))
    }

    fn apply(&self, epoch: u64, key_groups: Groups<u16>, writes: &StateWrites) -> Result<()> {
        let mut kept = StateWrites::default();
        let count = if self.broken == Some(Break::LosesStateWrites) { writes.len() / 2 } else { writes.len() };
        for (key, value) in writes.iter().take(count) {
            match value {
                Some(value) => kept.put(key, value),
                None => kept.delete(key),
            }
        }
        self.schedule.call(Call::Apply, || self.written(self.state.apply(epoch, key_groups, &kept)))
    }

    fn put_note(&self, epoch: u64, note: &[u8], obsolete_before: u64) -> Result<()> {
        self.schedule.call(Call::PutNote, || self.written(self.state.put_note(epoch, note, obsolete_before)))
    }

    fn note(&self, epoch: u64) -> Result<Option<Vec<u8>>> {
        self.schedule.call(Call::Note, || self.state.note(epoch))
    }

    fn flush(&self) -> Result<()> {
        self.schedule.call(Call::Flush, || {
            let mut since_flush = self.since_flush.lock().unwrap();
            let durable = since_flush.pop().into_iter().collect();
            *since_flush = durable;
            Ok(())
        })
    }

    fn size_bytes(&self) -> u64 {
        self.state.size_bytes()
    }

    fn key_group_bytes(&self) -> Result<Vec<u64>> {
        self.state.key_group_bytes()
    }
}

/// A lake on a schedule.
pub struct ScheduledSink {
    pub lake: Arc<Lake>,
    pub schedule: Arc<Schedule>,
    pub broken: Option<Break>,
}

impl ScheduledSink {
    /// An error is reported: it happened or not, and whoever asks sees which, or only the next commit does.
    fn commit_with_error(&self, commit: EpochCommit, happens: bool) -> Result<()> {
        self.lake.end_doubt()?;
        let before = self.lake.shown_epoch();
        if happens {
            self.lake.commit(commit)?;
        }
        self.schedule.now(|moment| {
            if moment.random.per_mille(700) {
                self.lake.doubt(before);
                let what = if happens { "commits in doubt that happened" } else { "commits in doubt that did not" };
                moment.coverage.count(what, 1);
                moment.tell(format_args!("nobody knows of it yet, behind epoch {before}"));
            }
        });
        // No commit fails for good: what is there decides.
        Err(Error::new(ErrorKind::Io, super::schedule::FAULT).with("call", "Commit"))
    }
}

impl Sink for ScheduledSink {
    fn dataset(&self, dataset_id: u32, epoch: u64) -> Option<DatasetInfo> {
        self.schedule.ask(Call::Dataset, || self.lake.dataset(dataset_id, epoch))
    }

    fn head(&self) -> Option<EpochRecord> {
        if self.broken == Some(Break::StaysInDoubt) && self.schedule.now(|moment| moment.random.per_mille(200)) {
            let _ = self.lake.end_doubt();
        }
        self.schedule.ask(Call::Head, || self.lake.head())
    }

    fn settle(&self) -> Result<()> {
        let stays = matches!(self.broken, Some(Break::StaysInDoubt | Break::CommitsAgain));
        let settle = || if stays { Ok(()) } else { self.lake.settle() };
        self.schedule.call(Call::Settle, settle)
    }

    fn epochs_after(&self, epoch: u64) -> Result<Vec<EpochRecord>> {
        self.schedule.call(Call::EpochsAfter, || self.lake.epochs_after(epoch))
    }

    fn values_at(&self, dataset_id: u32, version: u32, keys: &[ArrayRef], instants: &[i64]) -> Result<Vec<ArrayRef>> {
        self.schedule.call(Call::ValuesAt, || self.lake.values_at(dataset_id, version, keys, instants))
    }

    fn held_within(
        &self,
        dataset_id: u32,
        version: u32,
        known_before: i64,
        keys: &[ArrayRef],
        within: &[(i64, i64)],
    ) -> Result<HeldRows> {
        self.schedule.call(Call::HeldWithin, || self.lake.held_within(dataset_id, version, known_before, keys, within))
    }

    fn writer(&self, dataset_id: u32, version: u32) -> Result<Box<dyn RowWriter>> {
        self.schedule.call(Call::Writer, || {
            let writer = self.lake.writer(dataset_id, version)?;
            Ok(Box::new(ScheduledWriter { writer, schedule: self.schedule.clone() }) as Box<dyn RowWriter>)
        })
    }

    fn commit(&self, commit: EpochCommit) -> Result<()> {
        let record = commit.record.clone();
        let outcome = match self.schedule.step(Call::Commit) {
            Fate::Crashes => crash(),
            Fate::CrashesLate => {
                let _ = self.lake.commit(commit);
                crash()
            }
            Fate::Fails => self.commit_with_error(commit, false),
            Fate::FailsLate => self.commit_with_error(commit, true),
            Fate::Done => match self.broken {
                Some(broken) => self.schedule.now(|moment| broken.commit(&self.lake, commit, &mut moment.random)),
                None => self.lake.commit(commit),
            },
        };
        let EpochRecord { epoch, position, system_time, records, .. } = record;
        self.schedule.now(|moment| {
            let how = outcome.as_ref().map_or_else(|error| format!(": {error}"), |()| String::new());
            let micros = system_time.micros();
            moment.tell(format_args!("commit of {epoch} up to {position} at {micros}, {records} records{how}"));
        });
        outcome
    }
}

struct ScheduledWriter {
    writer: Box<dyn RowWriter>,
    schedule: Arc<Schedule>,
}

impl RowWriter for ScheduledWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.schedule.call(Call::Write, || self.writer.write(batch))
    }

    fn finish(self: Box<Self>) -> Result<Vec<StagedFile>> {
        let ScheduledWriter { writer, schedule } = *self;
        schedule.call(Call::Finish, || writer.finish())
    }
}

/// The schedule's time.
pub struct ScheduledClock(pub Arc<Schedule>);

impl Clock for ScheduledClock {
    fn now(&self) -> Instant {
        self.0.ask(Call::Now, || ());
        Instant(self.0.now(|moment| moment.wall_micros))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.now(|moment| moment.monotonic_micros) as u64)
    }

    fn sleep(&self, pause: Duration) {
        self.0.ask(Call::Sleep, || ());
        self.0.sleep(pause.as_micros() as u64);
    }
}

/// Workers that take turns on one thread, in an order of the schedule's.
#[derive(Debug)]
pub struct InTurn(pub Arc<Schedule>);

impl Workers for InTurn {
    fn run(&self, _: usize, count: usize, part: &(dyn Fn(usize) + Sync)) {
        self.0.now(|moment| moment.random.order(count)).into_iter().for_each(part);
    }
}
