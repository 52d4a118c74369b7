//! How long the stream keeps what it may let go of: pure, by bytes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What is remembered of it is about so many places, however small the requests are.
const PLACES: u64 = 256;

/// What may be let go of and is kept all the same, so that records can be looked at after they were committed. It is written
/// into the stream whenever it changes: begun anew with each start, it would keep more with each of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Retention {
    /// Bytes appended up to the position behind.
    appended_bytes: u64,
    /// The last position that was counted.
    counted_up_to: u64,
    /// Up to where what may be let go of went, and how many bytes had been appended by then.
    passed: VecDeque<(u64, u64)>,
}

impl Retention {
    /// More was appended, up to a position.
    pub(crate) fn append(&mut self, bytes: u64, up_to: u64) {
        self.appended_bytes += bytes;
        self.counted_up_to = up_to;
    }

    /// The last position that was counted. What is appended after the last release is written by nobody before the next one,
    /// and has to be counted anew where there was a crash between.
    pub(crate) fn counted_up_to(&self) -> u64 {
        self.counted_up_to
    }

    /// Takes note that all up to a position may go; gives up to where to let go now, 0 for nothing, so that about `kept_bytes`
    /// stay, the newest.
    pub(crate) fn release(&mut self, up_to: u64, kept_bytes: u64) -> u64 {
        // Some of what was appended may lie behind `up_to`: then more is kept, never less.
        let appended = self.appended_bytes;
        match self.passed.back_mut() {
            Some((position, before)) if appended - *before < kept_bytes / PLACES => *position = up_to,
            Some((position, _)) if *position == up_to => {}
            _ => self.passed.push_back((up_to, appended)),
        }
        let mut released = 0;
        while let Some((position, before)) = self.passed.front().copied()
            && appended - before >= kept_bytes
        {
            released = position;
            self.passed.pop_front();
        }
        released
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_bytes_to_keep_all_goes_at_once() {
        let mut retention = Retention::default();
        assert_eq!(retention.release(5, 0), 5);
        retention.append(100, 9);
        assert_eq!(retention.release(9, 0), 9);
        assert_eq!(retention.release(9, 0), 9);
    }

    #[test]
    fn the_newest_bytes_stay() {
        let mut retention = Retention::default();
        let mut release = |bytes, up_to| {
            retention.append(bytes, up_to);
            retention.release(up_to, 100)
        };
        assert_eq!((release(60, 10), release(60, 20), release(39, 20)), (0, 0, 0));
        assert_eq!((release(1, 20), release(340, 30)), (10, 20));
    }

    #[test]
    fn starting_anew_again_and_again_keeps_no_more() {
        let mut text = serde_json::to_string(&Retention::default()).unwrap();
        let mut released = 0;
        for day in 1..=50 {
            let mut retention: Retention = serde_json::from_str(&text).unwrap();
            retention.append(40, day);
            released = retention.release(day, 100).max(released);
            text = serde_json::to_string(&retention).unwrap();
        }
        assert_eq!(released, 47);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut retention = Retention::default();
        for position in 1..100_000 {
            retention.append(1, position);
            retention.release(position, 10_000);
        }
        assert!(retention.passed.len() as u64 <= PLACES + 10, "{}", retention.passed.len());
    }
}
