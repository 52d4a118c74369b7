//! Figures out of what was timed, and numbers that look drawn by lot and are the same each time.

use std::time::Duration;

use serde_json::{Value, json};

/// How long each of many runs took.
#[derive(Debug, Clone, Default)]
pub struct Timings(Vec<Duration>);

impl Timings {
    /// Adds a run.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// How many runs there were.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that this share of the runs, 0 to 1, did not exceed, in milliseconds; of no run, zero.
    pub fn quantile_millis(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).map_or(0.0, |duration| duration.as_secs_f64() * 1e3)
    }

    /// The middle run, in milliseconds.
    pub fn median_millis(&self) -> f64 {
        self.quantile_millis(0.5)
    }

    /// Middle and shortest run as they are printed.
    pub fn median_and_minimum(&self) -> Value {
        json!({ "median_millis": self.median_millis(), "minimum_millis": self.quantile_millis(0.0) })
    }

    /// Middle, near-worst and longest run as they are printed.
    pub fn tail(&self) -> Value {
        json!({
            "count": self.count(),
            "p50_millis": self.median_millis(),
            "p99_millis": self.quantile_millis(0.99),
            "maximum_millis": self.quantile_millis(1.0),
        })
    }
}

impl Extend<Duration> for Timings {
    fn extend<I: IntoIterator<Item = Duration>>(&mut self, durations: I) {
        self.0.extend(durations);
    }
}

impl FromIterator<Duration> for Timings {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Timings {
        Timings(durations.into_iter().collect())
    }
}

/// MurmurHash3's 64-bit finaliser (Austin Appleby).
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    z = (z ^ (z >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    z ^ (z >> 33)
}

/// A number for three others: what it is for, and two that tell one draw from the next.
pub fn draw(purpose: u64, a: u64, b: u64) -> u64 {
    mix(mix(mix(purpose).wrapping_add(a)).wrapping_add(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_runs_that_took_place() {
        let timings: Timings = [5, 1, 4, 2, 3].map(Duration::from_millis).into_iter().collect();
        assert!((timings.median_millis() - 3.0).abs() < 1e-9);
        assert!((timings.quantile_millis(0.0) - 1.0).abs() < 1e-9);
        assert!((timings.quantile_millis(0.99) - 5.0).abs() < 1e-9);
        assert!(Timings::default().median_millis().abs() < 1e-9);
    }
}
