//! What the pipeline measures of itself: counts and durations since the process began. They only grow, and whoever reads
//! them takes what is there.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::epoch::{EpochOutcome, SlotWork};

/// Upper bounds of the buckets of a [`Histogram`], in microseconds; what is longer is in one more.
pub const BOUNDS_MICROS: [u64; 17] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000,
];

/// How often which durations were seen.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_MICROS.len()],
    longer: AtomicU64,
    sum_micros: AtomicU64,
}

/// A [`Histogram`] as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramReading {
    /// For each of [`BOUNDS_MICROS`], how many durations did not exceed it.
    pub up_to: [u64; BOUNDS_MICROS.len()],
    /// How many there were.
    pub count: u64,
    /// Their sum.
    pub sum_micros: u64,
}

impl Histogram {
    /// Adds a duration.
    pub fn observe(&self, micros: u64) {
        let bucket = self.buckets.get(BOUNDS_MICROS.partition_point(|bound| *bound < micros));
        bucket.unwrap_or(&self.longer).fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was seen until now.
    pub fn read(&self) -> HistogramReading {
        let mut count = 0;
        let up_to = self.buckets.each_ref().map(|bucket| {
            count += bucket.load(Ordering::Relaxed);
            count
        });
        count += self.longer.load(Ordering::Relaxed);
        HistogramReading { up_to, count, sum_micros: self.sum_micros.load(Ordering::Relaxed) }
    }
}

/// What the pipeline's thread spends its time on. One at a time, so together they are the time that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// There was nothing to process.
    WaitForRecords,
    /// Records were there, and the epoch was not due.
    WaitForInterval,
    /// Reading and decoding.
    Decode,
    /// The slots apply to the state and write files.
    Apply,
    /// The commit.
    Commit,
    /// Writing the state.
    State,
    /// Making the state durable.
    Checkpoint,
    /// Handing over key groups.
    Rescale,
    /// Bringing the state up to the lake after a start or an error, and pausing after one.
    Recover,
}

impl Doing {
    /// All of them.
    pub const ALL: [Doing; 9] = [
        Doing::WaitForRecords,
        Doing::WaitForInterval,
        Doing::Decode,
        Doing::Apply,
        Doing::Commit,
        Doing::State,
        Doing::Checkpoint,
        Doing::Rescale,
        Doing::Recover,
    ];

    /// As it is called in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Doing::WaitForRecords => "wait_for_records",
            Doing::WaitForInterval => "wait_for_interval",
            Doing::Decode => "decode",
            Doing::Apply => "apply",
            Doing::Commit => "commit",
            Doing::State => "state",
            Doing::Checkpoint => "checkpoint",
            Doing::Rescale => "rescale",
            Doing::Recover => "recover",
        }
    }
}

/// All that is measured.
#[derive(Debug, Default)]
pub struct Meters {
    /// Epochs from their close to the end of their state.
    pub epochs: Histogram,
    /// Of each epoch the stages decode, apply, commit and state, in this order.
    pub stages: [Histogram; 4],
    /// Checkpoints.
    pub checkpoints: Histogram,
    doing_micros: [AtomicU64; Doing::ALL.len()],
    slots: Mutex<Vec<SlotWork>>,
}

/// The stages of an epoch, as they are called in metrics and in the order of [`Meters::stages`].
pub const STAGES: [Doing; 4] = [Doing::Decode, Doing::Apply, Doing::Commit, Doing::State];

impl Meters {
    /// Time was spent on something.
    pub fn spent(&self, doing: Doing, micros: u64) {
        self.doing_micros[doing as usize].fetch_add(micros, Ordering::Relaxed);
    }

    /// How much was spent on it, in microseconds.
    pub fn spent_micros(&self, doing: Doing) -> u64 {
        self.doing_micros[doing as usize].load(Ordering::Relaxed)
    }

    /// An epoch has ended.
    pub(crate) fn epoch(&self, outcome: &EpochOutcome) {
        let timings = outcome.timings;
        let stages = [timings.decode_micros, timings.apply_micros, timings.commit_micros, timings.state_micros];
        for ((histogram, doing), micros) in self.stages.iter().zip(STAGES).zip(stages) {
            histogram.observe(micros);
            self.spent(doing, micros);
        }
        self.epochs.observe(stages.iter().sum());
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() < outcome.slots.len() {
            slots.resize_with(outcome.slots.len(), SlotWork::default);
        }
        slots.iter_mut().zip(&outcome.slots).for_each(|(total, work)| total.add(work));
    }

    /// What each slot has done, as many as there ever were at once.
    pub fn slots(&self) -> Vec<SlotWork> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EpochTimings;

    #[test]
    fn a_duration_counts_for_the_first_bound_it_does_not_exceed_and_all_above() {
        let histogram = Histogram::default();
        for micros in [0, 100, 101, 1_000, 30_000_000, 30_000_001, u64::from(u32::MAX)] {
            histogram.observe(micros);
        }
        let HistogramReading { up_to, count, sum_micros } = histogram.read();
        assert_eq!((up_to[0], up_to[1], up_to[3], up_to[16], count), (2, 3, 4, 5, 7));
        assert_eq!(sum_micros, 1_201 + 60_000_001 + u64::from(u32::MAX));
        assert!(BOUNDS_MICROS.is_sorted() && up_to.is_sorted());
    }

    #[test]
    fn an_epoch_adds_to_its_stages_and_slots() {
        let meters = Meters::default();
        let timings = EpochTimings { decode_micros: 1, apply_micros: 20, commit_micros: 300, state_micros: 4_000 };
        let work = |records: u64| SlotWork { records, rows: 1, ..SlotWork::default() };
        let epoch = |slots: Vec<SlotWork>| EpochOutcome { timings, slots, ..EpochOutcome::default() };
        meters.epoch(&epoch(vec![work(5)]));
        meters.epoch(&epoch(vec![work(7), work(9)]));
        meters.epoch(&epoch(vec![work(1)]));
        assert_eq!(meters.slots().iter().map(|slot| (slot.records, slot.rows)).collect::<Vec<_>>(), [(13, 3), (9, 1)]);
        assert_eq!(STAGES.map(|doing| meters.spent_micros(doing)), [3, 60, 900, 12_000]);
        assert_eq!((meters.epochs.read().count, meters.epochs.read().sum_micros), (3, 3 * 4_321));
        assert_eq!(meters.stages.each_ref().map(|stage| stage.read().count), [3; 4]);
    }

    #[test]
    fn every_occupation_has_a_place_and_a_word_of_its_own() {
        for (place, doing) in Doing::ALL.into_iter().enumerate() {
            assert_eq!(doing as usize, place);
            assert!(Doing::ALL.iter().all(|other| *other == doing || other.word() != doing.word()));
        }
    }
}
