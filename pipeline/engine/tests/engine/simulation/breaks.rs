//! Ways to break what a port promises. The simulation has to find each of them.

use engine::{
    Result,
    model::Instant,
    ports::{EpochCommit, Sink},
};

use super::random::Random;
use crate::lake::Lake;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// After a commit that happened though it reported an error, the same records are committed under a new identity.
    CommitsAgain,
    /// Whether a commit happened that reported an error is not found out when it is asked for, but at any time after.
    StaysInDoubt,
    /// A commit says that it happened and did not.
    AcknowledgesOnly,
    /// One of several files of a commit is left out.
    DropsAFile,
    /// Of several datasets only the first gets its rows.
    CommitsHalf,
    /// What was committed last is gone after a crash.
    ForgetsACommit,
    /// Upkeep lets a version hold longer than it did.
    ShiftsABound,
    /// A write of the state is done in part, and marked as done.
    LosesStateWrites,
    /// Of several records for the quarantine the first is lost.
    LosesQuarantine,
}

impl Break {
    pub const ALL: [Break; 9] = [
        Break::CommitsAgain,
        Break::StaysInDoubt,
        Break::AcknowledgesOnly,
        Break::DropsAFile,
        Break::CommitsHalf,
        Break::ForgetsACommit,
        Break::ShiftsABound,
        Break::LosesStateWrites,
        Break::LosesQuarantine,
    ];

    /// A commit of a sink that is broken in this way.
    pub fn commit(self, lake: &Lake, mut commit: EpochCommit, random: &mut Random) -> Result<()> {
        if self == Break::CommitsAgain {
            let recorded = lake.rows.head();
            // No error tells that the epoch was committed: it becomes another one.
            let _ = lake.end_doubt();
            if let Some(recorded) = recorded.filter(|recorded| recorded.epoch >= commit.record.epoch) {
                let after = Instant(recorded.system_time.micros() + 1);
                commit.record.epoch = recorded.epoch + 1;
                commit.record.system_time = commit.record.system_time.max(after);
            }
            return lake.commit(commit);
        }
        lake.end_doubt()?;
        if random.per_mille(250) {
            match self {
                Break::AcknowledgesOnly => return Ok(()),
                Break::DropsAFile => {
                    if let Some(several) = commit.datasets.iter_mut().find(|dataset| dataset.files.len() > 1) {
                        several.files.pop();
                    }
                }
                Break::CommitsHalf => {
                    let with_files = commit.datasets.iter_mut().filter(|dataset| !dataset.files.is_empty());
                    with_files.skip(1).for_each(|dataset| dataset.files.clear());
                }
                _ => {}
            }
        }
        lake.commit(commit)
    }

    /// After a crash, what a sink that is broken in this way does.
    pub fn restart(self, lake: &Lake) {
        if self != Break::ForgetsACommit {
            return;
        }
        if let Some(forgotten) = lake.rows.epochs.lock().unwrap().pop() {
            lake.rows.rows.lock().unwrap().retain(|row| row.epoch != forgotten.epoch);
            lake.rows.counts.lock().unwrap().retain(|(epoch, _), _| *epoch != forgotten.epoch);
            lake.rows.sealed.lock().unwrap().retain(|_, epoch| *epoch != forgotten.epoch);
        }
    }

    /// After upkeep, what upkeep that is broken in this way has left.
    pub fn compacted(self, lake: &Lake) {
        if self != Break::ShiftsABound {
            return;
        }
        let mut rows = lake.rows.rows.lock().unwrap();
        if let Some(row) = rows.iter_mut().rfind(|row| row.put && row.to < 20) {
            row.to += 1;
        }
    }
}
