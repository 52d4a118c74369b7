//! When an epoch is closed and when a checkpoint is taken: pure, over what has come together since the last.

use std::time::Duration;

use crate::{epoch::EpochOutcome, pipeline::PipelineOptions, ports::Cut};

/// So many records are worth the files of an epoch of their own, a slot or two each. They wait no longer than
/// [`BUSY_SHARE`] of the interval.
const BUSY_RECORDS: u64 = 8_192;
/// Part of the interval after which an epoch of [`BUSY_RECORDS`] is closed.
const BUSY_SHARE: u32 = 4;

/// How long until what is waiting is to be closed as an epoch; zero where that is now.
///
/// A few records wait for the whole interval, so that trickles do not end in many small files. Where many come in the
/// interval would cost readers more than files cost upkeep, and the epoch is closed as soon as it fills its files.
pub fn due_in(waiting: &Cut, since_last_close: Duration, options: &PipelineOptions) -> Duration {
    if waiting.full {
        return Duration::ZERO;
    }
    let busy = waiting.records >= BUSY_RECORDS;
    let interval = if busy { options.epoch_interval / BUSY_SHARE } else { options.epoch_interval };
    interval.saturating_sub(since_last_close)
}

/// What came to the state since it was last made durable. That is what a crash costs: it is applied again at the next start,
/// before anything else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsaved {
    /// Records.
    pub records: u64,
    /// What they took to be read, applied and written, without their commit.
    pub work: Duration,
}

impl Unsaved {
    /// And what an epoch brought.
    pub fn add(&mut self, outcome: &EpochOutcome) {
        let timings = &outcome.timings;
        self.records += outcome.records;
        self.work += Duration::from_micros(timings.decode_micros + timings.apply_micros + timings.state_micros);
    }
}

/// Whether the state is to be made durable now.
pub fn checkpoint_due(unsaved: Unsaved, since_last: Duration, options: &PipelineOptions) -> bool {
    let much = unsaved.records >= options.checkpoint_max_records || unsaved.work >= options.checkpoint_max_work;
    much || since_last >= options.checkpoint_interval
}

#[cfg(test)]
mod tests {
    use model::Instant;

    use super::*;

    fn waiting(records: u64, full: bool) -> Cut {
        Cut { position: 1, records, latest_arrival: Instant(0), full }
    }

    fn millis(waiting: &Cut, since_last_close: u64) -> u64 {
        let options = PipelineOptions { epoch_interval: Duration::from_millis(1_000), ..PipelineOptions::default() };
        due_in(waiting, Duration::from_millis(since_last_close), &options).as_millis() as u64
    }

    #[test]
    fn few_records_wait_for_the_interval_and_many_for_a_quarter_of_it() {
        assert_eq!(millis(&waiting(1, false), 0), 1_000);
        assert_eq!(millis(&waiting(BUSY_RECORDS - 1, false), 300), 700);
        assert_eq!(millis(&waiting(BUSY_RECORDS, false), 200), 50);
        assert_eq!(millis(&waiting(BUSY_RECORDS, false), 300), 0);
        assert_eq!(millis(&waiting(1, false), 5_000), 0, "after a pause at once");
        assert_eq!(millis(&waiting(1, true), 0), 0, "a limit or a control does not wait");
    }

    #[test]
    fn a_checkpoint_is_due_after_its_interval_its_records_or_its_work() {
        let options = PipelineOptions {
            checkpoint_max_records: 100,
            checkpoint_max_work: Duration::from_millis(1_500),
            ..PipelineOptions::default()
        };
        let due = |records, work, seconds| {
            let unsaved = Unsaved { records, work: Duration::from_millis(work) };
            checkpoint_due(unsaved, Duration::from_secs(seconds), &options)
        };
        assert!(!due(99, 1_499, 29));
        assert!(due(100, 0, 0) && due(0, 1_500, 0) && due(0, 0, 30));
    }
}
