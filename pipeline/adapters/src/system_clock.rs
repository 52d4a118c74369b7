//! The machine's clock.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use engine::{model::Instant, ports::Clock};

/// When [`Clock::monotonic`] was first asked for.
static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);

/// Reads the machine's clock, to the microsecond.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Instant(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX - 1))
    }

    fn monotonic(&self) -> Duration {
        START.elapsed()
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}
