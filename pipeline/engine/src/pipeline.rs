//! The running pipeline: recovers, then closes one epoch after the other until it is told to stop.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{EpochRecord, Instant};
use tracing::{debug, error, info, warn};

use crate::{
    Error, ErrorKind, Result,
    epoch::{EpochContext, EpochOutcome, EpochPlan, EpochTimings, Pass, commit_epoch},
    eviction::Sweep,
    import::ImportTails,
    meters::{Doing, Meters},
    parallel::Threads,
    ports::{Clock, EpochLimits, Sink, Source, StateStore, Workers},
    recovery::{Decision, Observed, StreamMismatch, check_stream, decide, epoch_range},
    rescale::IDLE_WAIT,
    scaling::Scaling,
    timing::{Unsaved, checkpoint_due, due_in},
};

/// A clock that is behind by less is as good as right.
const CLOCK_BEHIND_MICROS: u64 = 1_000_000;

/// How the pipeline runs.
#[derive(Debug, Clone)]
pub struct PipelineOptions {
    /// Parallel workers to begin with; from then on [`Scaling`] has their number. Default 2.
    pub slots: u16,
    /// Below so many records an epoch is not worth several threads and files. Default 4,096.
    pub small_epoch_records: u64,
    /// Shortest time between the closes of two epochs that limits have not filled; a quarter of it where many records
    /// wait. Default 1 s.
    pub epoch_interval: Duration,
    /// Size of an epoch. Default 262,144 records or 256 MiB.
    pub limits: EpochLimits,
    /// Time between checkpoints: the state is made durable and the source may let go. Default 30 s.
    pub checkpoint_interval: Duration,
    /// And it is sooner after so many records: these, and the epoch that passes them, are what a start after a crash has to
    /// apply again at most. Default 1,000,000.
    pub checkpoint_max_records: u64,
    /// And sooner after so much work on the state, which a start has to do again, then with cold caches. Default 1.5 s.
    pub checkpoint_max_work: Duration,
    /// An epoch that takes longer is told of as slow. Default 10 s.
    pub slow_epoch: Duration,
    /// Who runs what can run together. Default [`Threads`].
    pub workers: Arc<dyn Workers>,
    /// How long before the last epoch's system time something has to have ended to go from the state; a late event has it
    /// fetched back from the lake. Default: nothing goes.
    pub state_ttl: Option<Duration>,
}

impl Default for PipelineOptions {
    fn default() -> PipelineOptions {
        PipelineOptions {
            slots: 2,
            small_epoch_records: 4_096,
            epoch_interval: Duration::from_secs(1),
            limits: EpochLimits { max_records: 262_144, max_bytes: 256 << 20 },
            checkpoint_interval: Duration::from_secs(30),
            checkpoint_max_records: 1_000_000,
            checkpoint_max_work: Duration::from_millis(1_500),
            slow_epoch: Duration::from_secs(10),
            workers: Arc::new(Threads),
            state_ttl: None,
        }
    }
}

/// What the pipeline tells while it runs; read by the sampler and the health check.
#[derive(Debug, Default)]
pub struct Progress {
    /// Records in committed epochs since the start.
    pub records: AtomicU64,
    /// Duration of the last epoch, from its close to its commit.
    pub epoch_duration_micros: AtomicU64,
    /// What was measured since the start.
    pub meters: Meters,
    /// Segments of timelines that went from the state since the start, because they ended longer ago than its time to live.
    pub evicted_segments: AtomicU64,
    /// Set once recovery is over and epochs are being closed.
    pub running: AtomicBool,
    /// Set when the pipeline had to give up; [`Progress::trouble`] says why.
    pub failed: AtomicBool,
    /// Attempts at epochs and checkpoints that failed and were begun anew.
    pub failures: AtomicU64,
    /// Epochs that took longer than [`PipelineOptions::slow_epoch`].
    pub slow_epochs: AtomicU64,
    /// How far the clock was behind the system time at the last epoch; the system time goes on all the same.
    pub clock_behind_micros: AtomicU64,
    /// Why nothing is committed just now.
    trouble: Mutex<Option<String>>,
}

impl Progress {
    /// Why nothing is committed just now: what the last attempt failed with, or what ended the pipeline. `None` where
    /// nothing stands against it.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// The clock was found to be so far behind.
    fn clock_behind(&self, micros: u64) {
        let before = self.clock_behind_micros.swap(micros, Ordering::Relaxed);
        let seconds = micros as f64 / 1e6;
        match (before >= CLOCK_BEHIND_MICROS, micros >= CLOCK_BEHIND_MICROS) {
            (false, true) => warn!(
                seconds,
                "the machine's clock is behind the last commit, it was set back; system time goes on by microseconds \
                 until the clock has caught up, so set it right"
            ),
            (true, false) => info!("the machine's clock has caught up with the last commit"),
            _ => {}
        }
    }
}

/// Called after each commit with its record and the names of the datasets in which something changed, before the state
/// has the epoch: what is committed is true, whatever becomes of the state.
pub type OnCommit = Box<dyn Fn(&EpochRecord, &[String]) + Send>;

/// The pipeline and what it needs.
pub struct Pipeline {
    /// Where records come from.
    pub source: Arc<dyn Source>,
    /// Where timelines are.
    pub state: Arc<dyn StateStore>,
    /// Where rows go.
    pub sink: Arc<dyn Sink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How it runs.
    pub options: PipelineOptions,
    /// How many slots it has, asked at each epoch boundary.
    pub scaling: Arc<Scaling>,
    /// What it tells.
    pub progress: Arc<Progress>,
    /// Whom it tells.
    pub on_commit: OnCommit,
}

/// However the pipeline ends, it says that it does not run any more; after a panic also that it failed.
struct Ending<'a>(&'a Pipeline);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let Pipeline { progress, scaling, clock, .. } = self.0;
        if std::thread::panicking() {
            const WHY: &str = "a broken invariant; restart Tidemark, records are kept until then";
            progress.failed.store(true, Ordering::Relaxed);
            progress.set_trouble(Some(WHY.to_owned()));
            error!("the pipeline has stopped on {WHY}");
            scaling.pipeline_ended(Some(WHY), clock.now());
        }
        progress.running.store(false, Ordering::Relaxed);
    }
}

impl Pipeline {
    /// Runs until `stop` is set. Errors that may pass are logged and tried again; the others end it.
    pub fn run(&self, stop: &AtomicBool) -> Result<()> {
        let _ending = Ending(self);
        self.scaling.pipeline_began();
        let outcome = self.run_with_retries(stop);
        if let Err(error) = &outcome {
            self.progress.failed.store(true, Ordering::Relaxed);
            self.progress.set_trouble(Some(error.to_string()));
            error!(%error, "the pipeline has stopped; records are still acknowledged and kept, but not committed");
        }
        let failure = outcome.as_ref().err().map(Error::to_string);
        self.scaling.pipeline_ended(failure.as_deref(), self.clock.now());
        outcome
    }

    fn run_with_retries(&self, stop: &AtomicBool) -> Result<()> {
        const PAUSE_MAX: Duration = Duration::from_secs(10);
        let mut pause = Duration::from_millis(100);
        loop {
            let before = self.sink.head();
            match self.run_once(stop) {
                Err(error) if error.retryable() && !stop.load(Ordering::Relaxed) => {
                    // Progress since the last failure: start again with the short pause.
                    if self.sink.head() != before {
                        pause = Duration::from_millis(100);
                    }
                    self.progress.failures.fetch_add(1, Ordering::Relaxed);
                    self.progress.set_trouble(Some(error.to_string()));
                    warn!(%error, pause_ms = pause.as_millis() as u64, "an epoch failed; trying again");
                    let stopped = self.timed(Doing::Recover, || stopped_within(self.clock.as_ref(), stop, pause));
                    if stopped {
                        return Ok(());
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                outcome => return outcome,
            }
        }
    }

    fn run_once(&self, stop: &AtomicBool) -> Result<()> {
        let Some((mut tails, mut unsaved)) = self.timed(Doing::Recover, || self.recover(stop))? else {
            // Stopped while catching up: what the state has by now is kept, and the source lets go of nothing.
            return self.state.flush();
        };
        self.progress.running.store(true, Ordering::Relaxed);
        self.scaling.state_is(self.state.size_bytes());
        let mut last_close = None;
        let mut has_notes = self.state.note(u64::MAX)?.is_some();
        let mut sweep = Sweep::new(self.options.state_ttl);
        if self.progress.trouble().is_some() {
            // What could not be written a moment ago can be again, or it is found out here.
            self.checkpoint(has_notes.then_some(&tails))?;
            has_notes = false;
            if !self.source.wait(self.sink.head().map_or(0, |head| head.position), Duration::ZERO) {
                self.progress.set_trouble(None);
            }
        }
        let mut last_checkpoint = self.clock.monotonic();
        while !stop.load(Ordering::Relaxed) {
            self.timed(Doing::Rescale, || self.scaling.at_boundary(|| self.boundary(), || self.clock.now()))?;
            if let Some(outcome) = self.next_epoch(&tails, &mut last_close)? {
                has_notes |= outcome.tails != tails;
                unsaved.add(&outcome);
                tails = outcome.tails;
                self.progress.set_trouble(None);
            }
            let swept = sweep.step(self.state.as_ref(), self.sink.as_ref())?;
            self.progress.evicted_segments.fetch_add(swept.segments, Ordering::Relaxed);
            if checkpoint_due(unsaved, self.since(last_checkpoint), &self.options) {
                self.checkpoint(has_notes.then_some(&tails))?;
                has_notes = false;
                (last_checkpoint, unsaved) = (self.clock.monotonic(), Unsaved::default());
            }
        }
        self.checkpoint(has_notes.then_some(&tails))
    }

    /// Brings the state to the last committed epoch; returns what is held back of imports there, and nothing when
    /// stopped before.
    /// Gives what of imports goes on, and what was applied again; `None` where it was told to stop.
    fn recover(&self, stop: &AtomicBool) -> Result<Option<(ImportTails, Unsaved)>> {
        // Before anything is built upon the head: else a commit of which nobody knew could become known in between.
        self.sink.settle()?;
        let head = self.sink.head();
        let committed_epoch = head.as_ref().map_or(0, |record| record.epoch);
        let started = self.clock.monotonic();
        let applied_epochs = self.state.applied_epochs()?;
        self.scaling.checked(self.since(started));
        let observed = Observed { applied_epochs, committed_epoch };
        match decide(&observed) {
            Decision::Continue => {
                let position = head.as_ref().map_or(0, |record| record.position);
                self.check_stream(position, position)?;
                self.tails_after(committed_epoch).map(|tails| Some((tails, Unsaved::default())))
            }
            Decision::Replay { after } => self.replay(after, &observed.applied_epochs, stop),
            Decision::Refuse { key_group, applied } => Err(Error::new(
                ErrorKind::Mismatch,
                "the timeline state is ahead of the lake, so they do not belong together; stop Tidemark and restore a \
                 savepoint, or both from one backup",
            )
            .with("key group", key_group)
            .with("state epoch", applied)
            .with("lake epoch", committed_epoch)),
        }
    }

    fn replay(&self, after: u64, applied_epochs: &[u64], stop: &AtomicBool) -> Result<Option<(ImportTails, Unsaved)>> {
        let started = self.clock.monotonic();
        let mut tails = self.tails_after(after)?;
        // The predecessor of the first epoch to replay says where its range begins.
        let records = self.sink.epochs_after(after.saturating_sub(1))?;
        let mut previous = records.first().filter(|record| record.epoch == after).cloned();
        let committed = records.last().map_or(0, |record| record.position);
        self.check_stream(committed, previous.as_ref().map_or(0, |record| record.position))?;
        let (mut replayed, mut unsaved) = (0_u64, Unsaved::default());
        for record in records.iter().filter(|record| record.epoch > after) {
            if stop.load(Ordering::Relaxed) {
                info!(epochs = replayed, "stopped while the timeline state was catching up with the lake");
                return Ok(None);
            }
            let range = epoch_range(previous.as_ref(), record);
            let plan = EpochPlan { epoch: record.epoch, system_time: record.system_time, range };
            let outcome = commit_epoch(self.context(), &plan, &tails, Pass::Replay { applied_epochs })?.settle()?;
            unsaved.add(&outcome);
            tails = outcome.tails;
            previous = Some(record.clone());
            replayed += 1;
        }
        let millis = self.since(started).as_millis() as u64;
        info!(epochs = replayed, records = unsaved.records, millis, "timeline state caught up with the lake");
        Ok(Some((tails, unsaved)))
    }

    fn check_stream(&self, committed_position: u64, needed_after: u64) -> Result<()> {
        let retained = self.source.retained()?;
        let message = match check_stream(retained, committed_position, needed_after) {
            Ok(()) => return Ok(()),
            Err(StreamMismatch::BehindLake) => {
                "the stream is older than the lake, so they do not belong together; restore both from one backup"
            }
            Err(StreamMismatch::RecordsReleased) => {
                "the timeline state is older than what the stream still holds; stop Tidemark and restore a savepoint \
                 ('tidemark savepoint list --data DIR' shows those there are), or state and stream from one backup"
            }
        };
        let error = Error::new(ErrorKind::Mismatch, message).with("committed position", committed_position);
        Err(error.with("stream released up to", retained.released_up_to).with("stream ends at", retained.last_position))
    }

    fn tails_after(&self, epoch: u64) -> Result<ImportTails> {
        ImportTails::from_note(self.state.note(epoch)?.as_deref())
    }

    /// Waits for records, closes the epoch when it is time, runs it.
    fn next_epoch(&self, tails: &ImportTails, last_close: &mut Option<Duration>) -> Result<Option<EpochOutcome>> {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let head = self.sink.head();
        let after = head.as_ref().map_or(0, |record| record.position);
        if !self.timed(Doing::WaitForRecords, || self.source.wait(after, IDLE_WAIT)) {
            return Ok(None);
        }
        let Some(mut cut) = self.source.cut(after, &self.options.limits)? else { return Ok(None) };
        // Before the first close there was none to keep a distance from.
        let since_last_close = last_close.map_or(Duration::MAX, |last| self.since(last));
        let due = due_in(&cut, since_last_close, &self.options);
        if !due.is_zero() {
            self.timed(Doing::WaitForInterval, || self.clock.sleep(due.min(LOOK_EVERY)));
            if due > LOOK_EVERY {
                return Ok(None);
            }
            let Some(later) = self.source.cut(after, &self.options.limits)? else { return Ok(None) };
            cut = later;
        }
        *last_close = Some(self.clock.monotonic());
        let epoch = head.as_ref().map_or(1, |record| record.epoch + 1);
        let range = crate::ports::Range { after, up_to: cut.position };
        let plan = EpochPlan { epoch, system_time: self.system_time(head.as_ref(), cut.latest_arrival), range };
        self.scaling.epoch_began();
        let outcome = self.run_epoch(&plan, tails);
        self.scaling.epoch_ended(outcome.is_ok());
        outcome.map(Some)
    }

    fn run_epoch(&self, plan: &EpochPlan, tails: &ImportTails) -> Result<EpochOutcome> {
        let committed = commit_epoch(self.context(), plan, tails, Pass::Commit)?;
        self.announce(plan, committed.outcome());
        self.scaling.epoch_committed();
        let outcome = committed.settle()?;
        self.progress.meters.epoch(&outcome);
        debug!(epoch = plan.epoch, state_micros = outcome.timings.state_micros, "timeline state written");
        self.look_at_duration(plan.epoch, &outcome);
        self.scaling.state_is(self.state.size_bytes());
        Ok(outcome)
    }

    /// What is to be seen between two epochs, before key groups change owners.
    fn boundary(&self) -> Result<Observed> {
        let committed_epoch = self.sink.head().map_or(0, |record| record.epoch);
        Ok(Observed { applied_epochs: self.state.applied_epochs()?, committed_epoch })
    }

    /// One clock: later than every epoch before, not earlier than the arrival of any record in this one.
    fn system_time(&self, head: Option<&EpochRecord>, latest_arrival: Instant) -> Instant {
        let after_head = Instant(head.map_or(i64::MIN, |record| record.system_time.micros() + 1));
        let (now, earliest) = (self.clock.now(), latest_arrival.max(after_head));
        let behind = earliest.micros().saturating_sub(now.micros());
        self.progress.clock_behind(u64::try_from(behind).unwrap_or(0));
        now.max(earliest)
    }

    /// Slowness loses nothing: records wait in the stream, and epochs grow. But somebody should know.
    fn look_at_duration(&self, epoch: u64, outcome: &EpochOutcome) {
        let EpochTimings { decode_micros, apply_micros, commit_micros, state_micros } = outcome.timings;
        let micros = decode_micros + apply_micros + commit_micros + state_micros;
        if Duration::from_micros(micros) < self.options.slow_epoch {
            return;
        }
        self.progress.slow_epochs.fetch_add(1, Ordering::Relaxed);
        warn!(
            epoch,
            records = outcome.records,
            seconds = micros as f64 / 1e6,
            decode_micros,
            apply_micros,
            commit_micros,
            state_micros,
            "an epoch took long, records wait; where commit or state take most of it the disk is slow"
        );
    }

    fn announce(&self, plan: &EpochPlan, outcome: &EpochOutcome) {
        let timings = outcome.timings;
        let duration_micros = timings.decode_micros + timings.apply_micros + timings.commit_micros;
        self.progress.records.fetch_add(outcome.records, Ordering::Relaxed);
        self.progress.epoch_duration_micros.store(duration_micros, Ordering::Relaxed);
        info!(
            epoch = plan.epoch,
            records = outcome.records,
            rows = outcome.rows,
            bytes = outcome.bytes,
            decode_micros = timings.decode_micros,
            apply_micros = timings.apply_micros,
            commit_micros = timings.commit_micros,
            slots = outcome.slots.len(),
            slots_wait_micros = outcome.slots.iter().map(|slot| slot.wait_micros).sum::<u64>(),
            "epoch committed"
        );
        if let Some(record) = self.sink.head() {
            (self.on_commit)(&record, &outcome.datasets);
        }
    }

    /// Makes the state durable; after that the source may let go of what is in it, and what was noted of imports before
    /// is of no more use. `tails` is what is held back of them now, where notes of earlier epochs may be left.
    fn checkpoint(&self, tails: Option<&ImportTails>) -> Result<()> {
        let started = self.clock.monotonic();
        let outcome = self.timed(Doing::Checkpoint, || self.write_checkpoint(tails));
        if outcome.is_ok() {
            let micros = micros_of(self.since(started));
            self.progress.meters.checkpoints.observe(micros);
            debug!(micros, state_bytes = self.state.size_bytes(), "checkpoint");
        }
        outcome
    }

    fn write_checkpoint(&self, tails: Option<&ImportTails>) -> Result<()> {
        self.state.flush()?;
        let Some(record) = self.sink.head() else { return Ok(()) };
        if let Some(tails) = tails {
            self.state.put_note(record.epoch, &tails.to_note()?, record.epoch)?;
        }
        self.source.release(record.position)
    }

    /// Does something and remembers how long it took.
    fn timed<T>(&self, doing: Doing, work: impl FnOnce() -> T) -> T {
        let started = self.clock.monotonic();
        let done = work();
        self.progress.meters.spent(doing, micros_of(self.since(started)));
        done
    }

    fn context(&self) -> EpochContext<'_> {
        EpochContext {
            source: self.source.as_ref(),
            state: self.state.as_ref(),
            sink: self.sink.as_ref(),
            slots: self.scaling.slots(),
            small_epoch_records: self.options.small_epoch_records,
            workers: self.options.workers.as_ref(),
        }
    }

    fn since(&self, earlier: Duration) -> Duration {
        self.clock.monotonic().saturating_sub(earlier)
    }
}

fn micros_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Waits, but no longer than until stopped; tells whether it was.
fn stopped_within(clock: &dyn Clock, stop: &AtomicBool, pause: Duration) -> bool {
    const STEP: Duration = Duration::from_millis(20);
    let until = clock.monotonic() + pause;
    loop {
        if stop.load(Ordering::Relaxed) {
            return true;
        }
        let left = until.saturating_sub(clock.monotonic());
        if left.is_zero() {
            return false;
        }
        clock.sleep(left.min(STEP));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Time that passes in pauses alone; after so many of them it sets the stop.
    struct Pauses<'a> {
        slept: Mutex<Vec<Duration>>,
        stop: &'a AtomicBool,
        stop_after: usize,
    }

    impl Clock for Pauses<'_> {
        fn now(&self) -> Instant {
            Instant(0)
        }

        fn monotonic(&self) -> Duration {
            self.slept.lock().unwrap().iter().sum()
        }

        fn sleep(&self, pause: Duration) {
            let mut slept = self.slept.lock().unwrap();
            slept.push(pause);
            self.stop.store(slept.len() >= self.stop_after, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_pause_ends_with_a_stop_or_by_itself() {
        let millis = |pauses: &[u64]| pauses.iter().map(|&pause| Duration::from_millis(pause)).collect::<Vec<_>>();
        for (pause, stop_after, stopped, slept) in
            [(50, 9, false, millis(&[20, 20, 10])), (600_000, 2, true, millis(&[20, 20])), (0, 9, false, Vec::new())]
        {
            let stop = AtomicBool::new(false);
            let clock = Pauses { slept: Mutex::default(), stop: &stop, stop_after };
            assert_eq!(stopped_within(&clock, &stop, Duration::from_millis(pause)), stopped);
            assert_eq!(*clock.slept.lock().unwrap(), slept);
        }
    }
}
