//! How far the piece of upkeep is that runs now.

use std::sync::atomic::{AtomicU64, Ordering};

/// Rows handled and to be handled, each once for each time it is gone through. Shared between the work and whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    done: AtomicU64,
    all: AtomicU64,
}

impl Progress {
    /// Begins anew.
    pub(crate) fn begin(&self, all: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.all.store(all, Ordering::Relaxed);
    }

    /// More rows were handled.
    pub(crate) fn add(&self, rows: usize) {
        self.done.fetch_add(rows as u64, Ordering::Relaxed);
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
