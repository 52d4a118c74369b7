//! How long the stream keeps what it may let go of: pure, by bytes.

use std::collections::VecDeque;

/// What may be let go of and is kept all the same, so that records can be looked at after they were committed.
#[derive(Debug)]
pub(crate) struct Retention {
    /// About so many bytes are kept, the newest.
    pub(crate) kept_bytes: u64,
    /// Up to where what may be let go of went, and how many bytes had been appended by then.
    passed: VecDeque<(u64, u64)>,
}

impl Retention {
    /// For a stream that ends at this position when it is opened. Nothing is kept.
    pub(crate) fn new(last_position: u64) -> Retention {
        Retention { kept_bytes: 0, passed: VecDeque::from([(last_position, 0)]) }
    }

    /// Takes note that all up to a position may go, after so many bytes were appended since the stream was opened; gives up to
    /// where to let go now, 0 for nothing.
    pub(crate) fn release(&mut self, up_to: u64, appended_bytes: u64) -> u64 {
        // Some of what was appended may lie behind `up_to`: then more is kept, never less.
        if self.passed.back().is_none_or(|(position, _)| *position != up_to) {
            self.passed.push_back((up_to, appended_bytes));
        }
        let mut released = 0;
        while let Some((position, before)) = self.passed.front().copied()
            && appended_bytes - before >= self.kept_bytes
        {
            released = position;
            self.passed.pop_front();
        }
        // What was there when the stream was opened may lie behind what may go by now.
        released.min(up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_bytes_to_keep_all_goes_at_once() {
        let mut retention = Retention::new(7);
        assert_eq!(retention.release(5, 0), 5);
        assert_eq!(retention.release(9, 100), 9);
    }

    #[test]
    fn the_newest_bytes_stay() {
        let mut retention = Retention { kept_bytes: 100, ..Retention::new(0) };
        assert_eq!(retention.release(10, 60), 0);
        assert_eq!(retention.release(20, 120), 0);
        assert_eq!(retention.release(20, 159), 0);
        assert_eq!(retention.release(20, 160), 10);
        assert_eq!(retention.release(30, 500), 20);
    }

    #[test]
    fn what_may_not_go_stays_whatever_was_there_at_the_start() {
        let mut retention = Retention { kept_bytes: 100, ..Retention::new(50) };
        assert_eq!(retention.release(20, 200), 20);
    }
}
