//! The number of slots of the running pipeline, and the rescale under way if there is one.
//!
//! The state's addresses begin with the key group, so a key group changes owner without a byte of it moving: a rescale
//! is a decision taken between two epochs. [`Scaling`] is the handle that both sides share. Whoever wants another
//! number asks it; the pipeline asks it at each epoch boundary, and hands over what has to be seen first: that every
//! key group has the last committed epoch.
//!
//! The pause is measured from the moment at which the last epoch under the former slots has ended to the moment at
//! which the next may begin. In that time nothing is processed, and in no other because of a rescale.
//!
//! What may not happen here: I/O. Whoever keeps records is told of each change of one ([`Scaling::telling`]).

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant as Stopwatch},
};

use model::{
    Instant, KEY_GROUPS,
    rescale::{RescaleOutcome, RescalePhase, RescaleRecord, key_groups_moved},
};
use tracing::{info, warn};

use crate::{
    Error, ErrorKind, Result,
    recovery::{Decision, Observed, decide},
    rescale::{Expectation, Facts, Refusal, RescalePlan, RescaleRequest, expect, in_range},
};

/// How many epochs and pauses are remembered to expect the next by.
const REMEMBERED: usize = 32;

/// What is told of the number of slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingStatus {
    /// Slots now.
    pub slots: u16,
    /// Slots after the rescale under way; else the same.
    pub wanted: u16,
    /// The rescale under way.
    pub under_way: Option<RescaleRecord>,
    /// What to expect of one that is requested now.
    pub expectation: Expectation,
}

/// Told of a record whenever it changes, in order. It may hold up the pipeline, so it must come back at once, and must
/// not call [`Scaling`] itself.
pub type OnRescale = Box<dyn Fn(&RescaleRecord) + Send + Sync>;

/// The number of slots, and the rescale under way if there is one.
pub struct Scaling {
    inner: Mutex<Inner>,
    on_change: OnRescale,
}

struct Inner {
    slots: u16,
    slots_max: u16,
    last_id: u64,
    under_way: Option<UnderWay>,
    ended: bool,
    epochs_micros: VecDeque<u64>,
    running: Option<Stopwatch>,
    pauses_micros: VecDeque<u64>,
    check_micros: Option<u64>,
    state_bytes: u64,
}

struct UnderWay {
    record: RescaleRecord,
    requested: Stopwatch,
    /// Since when nothing is processed.
    pause: Option<Stopwatch>,
}

impl Scaling {
    /// A pipeline with so many slots, in which no rescale took place before. Nobody is told.
    pub fn new(slots: u16) -> Scaling {
        let inner = Inner {
            slots,
            slots_max: KEY_GROUPS,
            last_id: 0,
            under_way: None,
            ended: false,
            epochs_micros: VecDeque::new(),
            running: None,
            pauses_micros: VecDeque::new(),
            check_micros: None,
            state_bytes: 0,
        };
        Scaling { inner: Mutex::new(inner), on_change: Box::new(|_| {}) }
    }

    /// Goes on after earlier rescales, given from the oldest to the latest: counts on from them and expects by them.
    #[must_use]
    pub fn after<'a>(self, earlier: impl IntoIterator<Item = &'a RescaleRecord>) -> Scaling {
        let mut inner = self.lock();
        for record in earlier {
            inner.last_id = inner.last_id.max(record.id);
            if let Some(pause) = record.pause_micros {
                remember(&mut inner.pauses_micros, pause);
            }
        }
        drop(inner);
        self
    }

    /// Allows no more slots than that; never more than there are key groups.
    #[must_use]
    pub fn at_most(self, slots_max: u16) -> Scaling {
        self.lock().slots_max = slots_max.clamp(1, KEY_GROUPS);
        self
    }

    /// Tells of each change of a record.
    #[must_use]
    pub fn telling(self, on_change: OnRescale) -> Scaling {
        Scaling { on_change, ..self }
    }

    /// Slots now.
    pub fn slots(&self) -> u16 {
        self.lock().slots
    }

    /// How things stand.
    pub fn status(&self) -> ScalingStatus {
        let inner = self.lock();
        let under_way = inner.under_way.as_ref().map(|under_way| under_way.record.clone());
        let wanted = under_way.as_ref().map_or(inner.slots, |record| record.slots_after);
        ScalingStatus { slots: inner.slots, wanted, under_way, expectation: expect(&inner.facts()) }
    }

    /// What would come of asking for so many slots; refused for the same reasons.
    pub fn plan(&self, slots: u16) -> Result<RescalePlan, Refusal> {
        self.lock().plan(slots)
    }

    /// Asks for another number of slots. `at` is now. The pipeline comes to it when the running epoch has ended.
    pub fn request(&self, request: RescaleRequest, at: Instant) -> Result<RescaleRecord, Refusal> {
        let mut inner = self.lock();
        let plan = inner.plan(request.slots)?;
        request.check_lengths()?;
        inner.last_id += 1;
        let record = RescaleRecord {
            id: inner.last_id,
            reason: request.reason,
            asked_by: request.asked_by,
            requested: at,
            slots_before: plan.slots_before,
            slots_after: plan.slots_after,
            key_groups_moved: plan.key_groups_moved,
            expected_wait_micros: plan.expectation.wait_micros,
            expected_pause_micros: plan.expectation.pause_micros,
            phase: RescalePhase::Requested,
            waited_micros: None,
            pause_micros: None,
            state_bytes: None,
            epoch: None,
            ended: None,
            outcome: None,
            error: None,
        };
        inner.under_way = Some(UnderWay { record: record.clone(), requested: Stopwatch::now(), pause: None });
        (self.on_change)(&record);
        Ok(record)
    }

    /// Takes a request back while the pipeline has not come to it. With an `id` only that one.
    pub fn cancel(&self, id: Option<u64>, at: Instant) -> Result<RescaleRecord, Refusal> {
        let mut inner = self.lock();
        let Some(under_way) = inner.under_way.as_ref() else { return Err(Refusal::NothingUnderWay) };
        let RescaleRecord { id: known, phase, .. } = under_way.record;
        if id.is_some_and(|id| id != known) {
            return Err(Refusal::NothingUnderWay);
        }
        if phase != RescalePhase::Requested {
            return Err(Refusal::TooLate { id: known, phase });
        }
        let ended = self.end(&mut inner, RescaleOutcome::Cancelled, None, at);
        ended.ok_or(Refusal::NothingUnderWay)
    }

    /// The pipeline begins, perhaps anew.
    pub(crate) fn pipeline_began(&self) {
        self.lock().ended = false;
    }

    /// The pipeline has ended. What is under way failed where the pipeline did; else the next process ends it.
    pub(crate) fn pipeline_ended(&self, failure: Option<&str>, at: Instant) {
        let mut inner = self.lock();
        (inner.ended, inner.running) = (true, None);
        if let Some(failure) = failure {
            self.end(&mut inner, RescaleOutcome::Failed, Some(format!("the pipeline has stopped: {failure}")), at);
        }
    }

    /// How long it took to see which epochs the key groups have.
    pub(crate) fn checked(&self, took: Duration) {
        self.lock().check_micros = Some(micros(took));
    }

    /// So large the state is. Told between rescales: asking may have to wait for what the state does by itself, and a pause
    /// must not.
    pub(crate) fn state_is(&self, bytes: u64) {
        self.lock().state_bytes = bytes;
    }

    /// An epoch is closed and runs.
    pub(crate) fn epoch_began(&self) {
        self.lock().running = Some(Stopwatch::now());
    }

    /// The running epoch is committed; its state follows.
    pub(crate) fn epoch_committed(&self) {
        self.advance(&mut self.lock(), RescalePhase::Draining);
    }

    /// The running epoch has ended, or failed, which says nothing about how long epochs take.
    pub(crate) fn epoch_ended(&self, whole: bool) {
        let mut inner = self.lock();
        if let Some(running) = inner.running.take().filter(|_| whole) {
            remember(&mut inner.epochs_micros, micros(running.elapsed()));
        }
    }

    /// Between two epochs: changes the number of slots if that is asked for. `look` is called only then, and what it
    /// does is part of the pause. Where it fails, or what it sees says that the state must catch up first, the rescale
    /// stays under way and its pause goes on.
    pub(crate) fn at_boundary(
        &self,
        look: impl FnOnce() -> Result<Observed>,
        now: impl FnOnce() -> Instant,
    ) -> Result<()> {
        if !self.begin_handover() {
            return Ok(());
        }
        let committed_epoch = look().and_then(where_the_lake_is).inspect_err(|_| {
            self.advance(&mut self.lock(), RescalePhase::HandingOver);
        })?;
        // Asked for outside of the lock: the time is somebody else's to tell.
        let at = now();
        let mut inner = self.lock();
        let state_bytes = inner.state_bytes;
        let Some(under_way) = inner.under_way.as_mut() else { return Ok(()) };
        let pause_micros = micros(under_way.pause.map_or(Duration::ZERO, |pause| pause.elapsed()));
        inner.slots = under_way.record.slots_after;
        // From here on key groups have their new owners. Whoever is told may be woken by that and take the processor, so all
        // of it is told now.
        self.advance(&mut inner, RescalePhase::HandingOver);
        let Some(under_way) = inner.under_way.as_mut() else { return Ok(()) };
        under_way.record.phase = RescalePhase::Resumed;
        under_way.record.pause_micros = Some(pause_micros);
        under_way.record.state_bytes = Some(state_bytes);
        under_way.record.epoch = Some(committed_epoch);
        remember(&mut inner.pauses_micros, pause_micros);
        self.end(&mut inner, RescaleOutcome::Done, None, at);
        Ok(())
    }

    /// Whether key groups are to change owners now. From the first time on the pause is counted.
    fn begin_handover(&self) -> bool {
        let mut inner = self.lock();
        let Some(under_way) = inner.under_way.as_mut() else { return false };
        let requested = under_way.requested;
        if under_way.pause.is_none() {
            under_way.pause = Some(Stopwatch::now());
            under_way.record.waited_micros = Some(micros(requested.elapsed()));
        }
        true
    }

    fn advance(&self, inner: &mut Inner, phase: RescalePhase) {
        if let Some(under_way) = inner.under_way.as_mut().filter(|under_way| under_way.record.phase < phase) {
            under_way.record.phase = phase;
            (self.on_change)(&under_way.record);
        }
    }

    fn end(
        &self,
        inner: &mut Inner,
        outcome: RescaleOutcome,
        error: Option<String>,
        at: Instant,
    ) -> Option<RescaleRecord> {
        let UnderWay { record, .. } = inner.under_way.take()?;
        let record = RescaleRecord { outcome: Some(outcome), error, ended: Some(at), ..record };
        tell(&record);
        (self.on_change)(&record);
        Some(record)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The epoch that lake and state are both at, or that the state must catch up first.
fn where_the_lake_is(observed: Observed) -> Result<u64> {
    match decide(&observed) {
        Decision::Continue => Ok(observed.committed_epoch),
        _ => {
            let message = "a key group is not where the lake is; the state is looked at again before slots change";
            Err(Error::new(ErrorKind::Io, message).with("lake epoch", observed.committed_epoch))
        }
    }
}

impl Inner {
    fn facts(&self) -> Facts {
        Facts {
            epochs_micros: self.epochs_micros.iter().copied().collect(),
            running_micros: self.running.map(|running| micros(running.elapsed())),
            pauses_micros: self.pauses_micros.iter().copied().collect(),
            check_micros: self.check_micros,
        }
    }

    fn plan(&self, slots: u16) -> Result<RescalePlan, Refusal> {
        if !in_range(slots, self.slots_max) {
            return Err(Refusal::OutOfRange { slots, most: self.slots_max });
        }
        if self.ended {
            return Err(Refusal::NotRunning);
        }
        if let Some(UnderWay { record, .. }) = &self.under_way {
            return Err(Refusal::UnderWay { id: record.id, slots: record.slots_after });
        }
        if slots == self.slots {
            return Err(Refusal::Same { slots });
        }
        Ok(RescalePlan {
            slots_before: self.slots,
            slots_after: slots,
            key_groups_moved: key_groups_moved(self.slots, slots),
            expectation: expect(&self.facts()),
        })
    }
}

fn remember(values: &mut VecDeque<u64>, value: u64) {
    values.push_back(value);
    if values.len() > REMEMBERED {
        values.pop_front();
    }
}

/// Rounded up: what was measured took time, and a pause of none would be taken for one that nobody measured.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}

fn tell(record: &RescaleRecord) {
    let RescaleRecord { id, slots_before, slots_after, .. } = *record;
    let (reason, asked_by) = (&record.reason, &record.asked_by);
    match record.outcome {
        Some(RescaleOutcome::Failed) => {
            let error = record.error.as_deref().unwrap_or_default();
            warn!(id, slots_before, slots_after, %reason, asked_by, error, "the pipeline was not rescaled");
        }
        Some(RescaleOutcome::Cancelled) => info!(id, slots_before, slots_after, %reason, asked_by, "rescale cancelled"),
        _ => info!(
            id,
            slots_before,
            slots_after,
            key_groups_moved = record.key_groups_moved,
            %reason,
            asked_by,
            epoch = record.epoch,
            state_bytes = record.state_bytes,
            waited_micros = record.waited_micros,
            expected_pause_micros = record.expected_pause_micros,
            pause_micros = record.pause_micros,
            "pipeline rescaled"
        ),
    }
}

#[cfg(test)]
mod tests;
