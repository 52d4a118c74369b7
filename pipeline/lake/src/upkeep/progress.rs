//! How far the piece of upkeep is that runs now, and how much of the time it takes while commits come in.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant as Stopwatch},
};

/// While commits come in, upkeep rests so many times as long as it worked. A low priority alone is not enough: what it reads
/// and writes takes caches, memory and the disk from the pipeline.
const RESTS_PER_WORK: u32 = 2;
/// It rests no longer than that at once.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// Commits come in where the last is not longer ago.
const COMMITS_WITHIN: Duration = Duration::from_secs(3);

/// Rows handled and to be handled, each once for each time it is gone through. Shared between the work and whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    done: AtomicU64,
    all: AtomicU64,
    pace: Mutex<Pace>,
}

/// When upkeep began to work after its last rest, and when epochs were committed last.
#[derive(Debug, Default)]
struct Pace {
    working: Option<Stopwatch>,
    committed: Option<Stopwatch>,
}

impl Pace {
    /// How long to rest after work until `now`.
    fn rest(&self, now: Stopwatch) -> Duration {
        let commits = self.committed.is_some_and(|last| now.saturating_duration_since(last) <= COMMITS_WITHIN);
        let worked = self.working.filter(|_| commits).map(|since| now.saturating_duration_since(since));
        worked.map_or(Duration::ZERO, |worked| (worked * RESTS_PER_WORK).min(LONGEST_REST))
    }
}

impl Progress {
    /// Begins anew.
    pub(crate) fn begin(&self, all: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.all.store(all, Ordering::Relaxed);
        self.pace().working = Some(Stopwatch::now());
    }

    /// More rows were handled. Called from a thread of upkeep's own, which then makes room for the pipeline.
    pub(crate) fn add(&self, rows: usize) {
        self.done.fetch_add(rows as u64, Ordering::Relaxed);
        let rest = self.pace().rest(Stopwatch::now());
        if !rest.is_zero() {
            thread::sleep(rest);
        }
        self.pace().working = Some(Stopwatch::now());
    }

    /// An epoch was committed.
    pub(crate) fn committed(&self) {
        self.pace().committed = Some(Stopwatch::now());
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        // Nothing that holds it can fail halfway.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// More rows are to be handled than it seemed.
    pub(crate) fn expect(&self, rows: u64) {
        self.all.fetch_add(rows, Ordering::Relaxed);
    }

    /// From 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        let (done, all) = (self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed));
        if all == 0 { 0.0 } else { (done as f64 / all as f64).min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upkeep_rests_only_while_commits_come_in() {
        let now = Stopwatch::now();
        let ago = |millis| now.checked_sub(Duration::from_millis(millis));
        let rest = |working, committed| Pace { working: ago(working), committed }.rest(now);
        assert_eq!(rest(100, None), Duration::ZERO);
        assert_eq!(rest(100, ago(1_000)), Duration::from_millis(200));
        assert_eq!(rest(60_000, ago(1_000)), LONGEST_REST);
        assert_eq!(rest(100, ago(10_000)), Duration::ZERO);
    }
}
