//! Decisions about changing the number of slots: what may be asked for, what is to be expected, what a restart makes of
//! a rescale that was under way. All are pure functions over what was observed; [`Scaling`](crate::Scaling) holds what
//! they decide about.

use std::{fmt, time::Duration};

use model::{
    Instant, KEY_GROUPS,
    rescale::{KeptSlots, RescaleOutcome, RescalePhase, RescaleReason, RescaleRecord},
};
use serde::{Deserialize, Serialize};

/// Longest reason in somebody's own words, in characters.
pub const REASON_CHARS_MAX: usize = 500;
/// Longest name of who asks, in characters.
pub const ASKED_BY_CHARS_MAX: usize = 100;
/// Expected where nothing was measured yet.
const PAUSE_ASSUMED_MICROS: u64 = 10_000;
/// An idle pipeline looks at least so often whether something is asked of it.
pub(crate) const IDLE_WAIT: Duration = Duration::from_millis(200);

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescaleRequest {
    /// So many slots.
    pub slots: u16,
    /// Why.
    pub reason: RescaleReason,
    /// Who, as they name themselves; at most 100 characters.
    pub asked_by: String,
}

/// Why a rescale, or its end, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There are not so many key groups, or no slot at all.
    OutOfRange {
        /// What was asked for.
        slots: u16,
        /// The largest number there can be.
        most: u16,
    },
    /// That is the number of slots now.
    Same {
        /// It.
        slots: u16,
    },
    /// One at a time.
    UnderWay {
        /// The one.
        id: u64,
        /// What it leads to.
        slots: u16,
    },
    /// The reason or the name of who asks has too many characters.
    TooLong {
        /// Which of the two.
        what: &'static str,
        /// What it may have.
        most: usize,
    },
    /// The pipeline has stopped.
    NotRunning,
    /// Nothing is under way that could be cancelled.
    NothingUnderWay,
    /// It is too late to cancel.
    TooLate {
        /// The one that cannot be cancelled.
        id: u64,
        /// How far it is.
        phase: RescalePhase,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::OutOfRange { slots, most } => {
                write!(f, "{slots} slots cannot be: there are {KEY_GROUPS} key groups to share, so 1 to {most} slots")
            }
            Refusal::Same { slots } => write!(f, "the pipeline has {slots} slots already; ask for another number"),
            Refusal::UnderWay { id, slots } => {
                write!(f, "rescale {id} to {slots} slots is under way; wait until it is done, or cancel it before")
            }
            Refusal::TooLong { what, most } => write!(f, "the {what} has more than {most} characters; shorten it"),
            Refusal::NotRunning => {
                f.write_str("the pipeline has stopped, so its slots cannot change now; the log says why it stopped")
            }
            Refusal::NothingUnderWay => f.write_str("no rescale is under way, so there is nothing to cancel"),
            Refusal::TooLate { id, phase } => {
                let phase = phase.word().replace('_', " ");
                write!(f, "rescale {id} is {phase} and ends by itself; ask for the former number of slots afterwards")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// What an expectation is built on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Durations of the last epochs from close to state, the oldest first.
    pub epochs_micros: Vec<u64>,
    /// For how long an epoch has been running, if one is.
    pub running_micros: Option<u64>,
    /// Measured pauses of earlier rescales, the oldest first.
    pub pauses_micros: Vec<u64>,
    /// How long it last took to see which epochs the key groups have, outside of a rescale. It is most of a pause.
    pub check_micros: Option<u64>,
}

/// What an expected pause follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Earlier pauses.
    EarlierPauses,
    /// The same work, done when the pipeline started.
    StartOfPipeline,
    /// Nothing measured.
    Assumption,
}

/// What is to be expected of a rescale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// From the request until the running epoch has ended. Records are processed meanwhile.
    pub wait_micros: u64,
    /// For so long no record will be processed.
    pub pause_micros: u64,
    /// Where the pause was learned.
    pub basis: Basis,
}

/// What nine of ten rescales will keep to, as far as can be known. A running epoch is taken to last as long as nine of
/// ten did; without one the pipeline looks up when its wait for records is over.
pub fn expect(facts: &Facts) -> Expectation {
    let wait_micros = match facts.running_micros {
        Some(running) => ninth_decile(&facts.epochs_micros).unwrap_or(0).saturating_sub(running),
        None => IDLE_WAIT.as_micros() as u64 / 2,
    };
    let (pause_micros, basis) = match (ninth_decile(&facts.pauses_micros), facts.check_micros) {
        (Some(pause), _) => (pause, Basis::EarlierPauses),
        (None, Some(check)) => (check, Basis::StartOfPipeline),
        (None, None) => (PAUSE_ASSUMED_MICROS, Basis::Assumption),
    };
    Expectation { wait_micros, pause_micros, basis }
}

/// The smallest value that nine tenths do not exceed.
fn ninth_decile(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * 9).div_ceil(10);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// What would come of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescalePlan {
    /// Slots now.
    pub slots_before: u16,
    /// Slots wanted.
    pub slots_after: u16,
    /// Key groups that would belong to another slot, of 128.
    pub key_groups_moved: u16,
    /// What to expect.
    #[serde(flatten)]
    pub expectation: Expectation,
}

/// Slots a process begins with. What was wanted last holds on; but a configuration that says another number than it did
/// then was changed on purpose since, and holds.
pub fn slots_at_start(configured: u16, kept: Option<KeptSlots>) -> u16 {
    match kept {
        Some(kept) if kept.configured == configured && in_range(kept.wanted, KEY_GROUPS) => kept.wanted,
        _ => configured,
    }
}

/// Ends a rescale that was under way when a process ended, seen by the next one, which begins with `slots`.
pub fn ended_by_restart(record: &RescaleRecord, slots: u16, at: Instant) -> RescaleRecord {
    let mut record = RescaleRecord { ended: Some(at), ..record.clone() };
    if record.slots_after == slots {
        record.phase = RescalePhase::Resumed;
        record.outcome = Some(RescaleOutcome::AtRestart);
    } else {
        record.outcome = Some(RescaleOutcome::Failed);
        record.error = Some(format!("the process ended before, and the next one was started with {slots} slots"));
    }
    record
}

impl RescaleRequest {
    /// Refuses a reason or a name that is too long.
    pub(crate) fn check_lengths(&self) -> Result<(), Refusal> {
        let reason = match &self.reason {
            RescaleReason::Hand { text } => text,
            RescaleReason::Calendar { entry } => entry,
            RescaleReason::Lag { policy, .. } => policy,
        };
        let fits = |what, text: &str, most| {
            if text.chars().count() <= most { Ok(()) } else { Err(Refusal::TooLong { what, most }) }
        };
        fits("reason", reason, REASON_CHARS_MAX)?;
        fits("name of who asks", &self.asked_by, ASKED_BY_CHARS_MAX)
    }
}

/// Whether there can be so many slots.
pub(crate) fn in_range(slots: u16, most: u16) -> bool {
    (1..=most).contains(&slots)
}

#[cfg(test)]
mod tests;
