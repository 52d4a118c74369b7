//! How long the stream keeps what it may let go of: pure, by bytes and by what savepoints need.

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
    /// The same of what would be gone by now and is held for savepoints.
    #[serde(default)]
    held: VecDeque<(u64, u64)>,
}

/// How much is kept of what may be let go of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Keep {
    /// About so many bytes, the newest.
    pub(crate) bytes: u64,
    /// All behind this position, where something needs it.
    pub(crate) behind: Option<u64>,
    /// But of that no more than about so many bytes, the newest.
    pub(crate) behind_bytes_max: u64,
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

    /// Bytes ever appended, as far as they were counted.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// Takes note that all up to a position may go; gives up to where to let go now, 0 for nothing.
    pub(crate) fn release(&mut self, up_to: u64, keep: Keep) -> u64 {
        // Some of what was appended may lie behind `up_to`: then more is kept, never less.
        let appended = self.appended_bytes;
        match self.passed.back_mut() {
            Some((position, before)) if appended - *before < keep.bytes / PLACES => *position = up_to,
            Some((position, _)) if *position == up_to => {}
            _ => self.passed.push_back((up_to, appended)),
        }
        while let Some((position, before)) = self.passed.front().copied()
            && appended - before >= keep.bytes
        {
            self.passed.pop_front();
            self.hold(position, before, keep.behind_bytes_max / PLACES);
        }
        let mut released = 0;
        while let Some((position, before)) = self.held.front().copied()
            && (keep.behind.is_none_or(|needed| position <= needed) || appended - before >= keep.behind_bytes_max)
        {
            released = position;
            self.held.pop_front();
        }
        released
    }

    fn hold(&mut self, position: u64, before: u64, apart_bytes: u64) {
        match self.held.back_mut() {
            // What is held together goes together, where it is for the want of room up to one part in PLACES early.
            Some((last, first_before)) if before - *first_before < apart_bytes => *last = position,
            _ => self.held.push_back((position, before)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(bytes: u64) -> Keep {
        Keep { bytes, ..Keep::default() }
    }

    #[test]
    fn what_a_savepoint_needs_stays_until_it_is_not_needed_or_too_much() {
        let mut retention = Retention::default();
        let mut release = |up_to, behind| {
            retention.append(100, up_to);
            retention.release(up_to, Keep { bytes: 0, behind, behind_bytes_max: 1_000 })
        };
        // A savepoint at position 2 needs what is behind it.
        let first: Vec<u64> = (1..=4).map(|position| release(position, Some(2))).collect();
        assert_eq!(first, [1, 2, 0, 0]);
        // A thousand bytes after 3 was passed there is no room for it any more, and then one goes after the other.
        let then: Vec<u64> = (5..=14).map(|position| release(position, Some(2))).collect();
        assert_eq!(then, [0, 0, 0, 0, 0, 0, 0, 0, 3, 4]);
        // Without a savepoint all goes at once.
        assert_eq!(release(15, None), 15);
    }

    #[test]
    fn what_is_remembered_for_savepoints_is_bounded_too() {
        let mut retention = Retention::default();
        let keep = Keep { bytes: 100, behind: Some(0), behind_bytes_max: 10_000 };
        let mut released = 0;
        for position in 1..100_000 {
            retention.append(1, position);
            released = retention.release(position, keep).max(released);
        }
        assert!(retention.held.len() as u64 <= PLACES + 10, "{}", retention.held.len());
        assert!((89_900..90_100).contains(&released), "{released}");
    }

    #[test]
    fn without_bytes_to_keep_all_goes_at_once() {
        let mut retention = Retention::default();
        assert_eq!(retention.release(5, Keep::default()), 5);
        retention.append(100, 9);
        assert_eq!(retention.release(9, Keep::default()), 9);
        assert_eq!(retention.release(9, Keep::default()), 9);
    }

    #[test]
    fn the_newest_bytes_stay() {
        let mut retention = Retention::default();
        let mut release = |bytes, up_to| {
            retention.append(bytes, up_to);
            retention.release(up_to, newest(100))
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
            released = retention.release(day, newest(100)).max(released);
            text = serde_json::to_string(&retention).unwrap();
        }
        assert_eq!(released, 47);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut retention = Retention::default();
        for position in 1..100_000 {
            retention.append(1, position);
            retention.release(position, newest(10_000));
        }
        assert!(retention.passed.len() as u64 <= PLACES + 10, "{}", retention.passed.len());
    }
}
