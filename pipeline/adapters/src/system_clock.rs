//! The machine's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use engine::{model::Instant, ports::Clock};

/// Reads the machine's clock, to the microsecond.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Instant(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX - 1))
    }
}
