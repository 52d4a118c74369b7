//! What to do at a start: a pure decision over what state and lake say of themselves.
//!
//! The lake is the truth. State follows it: an epoch is committed first and applied to the state afterwards, key group
//! by key group, without a log of its own. So after a crash each key group lags the lake by some epochs, and those are
//! applied again from the stream, with the system times and positions that the lake remembers.

use model::EpochRecord;

use crate::ports::Retained;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// For each key group, the last epoch applied to it.
    pub applied_epochs: Vec<u64>,
    /// The last epoch the lake has committed; 0 when none.
    pub committed_epoch: u64,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// State and lake agree: go on.
    Continue,
    /// Apply the epochs after this one again, to the key groups that lack them, committing nothing.
    Replay {
        /// Epochs up to this one are in every key group.
        after: u64,
    },
    /// State holds epochs the lake never committed: they do not belong together.
    Refuse {
        /// The key group that is ahead.
        key_group: usize,
        /// The epoch it is at.
        applied: u64,
    },
}

/// Decides. State can never be ahead of the lake it belongs to, because it is written after the commit.
pub fn decide(observed: &Observed) -> Decision {
    let ahead = observed.applied_epochs.iter().position(|&applied| applied > observed.committed_epoch);
    if let Some(key_group) = ahead {
        return Decision::Refuse { key_group, applied: observed.applied_epochs[key_group] };
    }
    match observed.applied_epochs.iter().min() {
        Some(&after) if after < observed.committed_epoch => Decision::Replay { after },
        _ => Decision::Continue,
    }
}

/// Why a stream does not belong to a lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamMismatch {
    /// The lake has committed what the stream never held.
    BehindLake,
    /// The state needs records again that the stream has let go of: it is older than the stream.
    RecordsReleased,
}

/// Whether a stream can go on where the lake is, and give the state what it lacks: everything behind `needed_after`.
pub fn check_stream(retained: Retained, committed_position: u64, needed_after: u64) -> Result<(), StreamMismatch> {
    if retained.last_position < committed_position {
        return Err(StreamMismatch::BehindLake);
    }
    if needed_after < retained.released_up_to {
        return Err(StreamMismatch::RecordsReleased);
    }
    Ok(())
}

/// The stream positions of one committed epoch: behind its predecessor's, up to its own.
pub fn epoch_range(previous: Option<&EpochRecord>, epoch: &EpochRecord) -> crate::ports::Range {
    crate::ports::Range { after: previous.map_or(0, |record| record.position), up_to: epoch.position }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(applied_epochs: &[u64], committed_epoch: u64) -> Observed {
        Observed { applied_epochs: applied_epochs.to_vec(), committed_epoch }
    }

    #[test]
    fn an_empty_place_and_a_clean_stop_go_on() {
        assert_eq!(decide(&observed(&[0, 0], 0)), Decision::Continue);
        assert_eq!(decide(&observed(&[7, 7], 7)), Decision::Continue);
    }

    #[test]
    fn the_key_group_that_lags_most_says_where_to_begin() {
        assert_eq!(decide(&observed(&[7, 4, 6], 7)), Decision::Replay { after: 4 });
        assert_eq!(decide(&observed(&[0, 0], 3)), Decision::Replay { after: 0 });
    }

    #[test]
    fn a_stream_that_is_older_than_its_lake_or_has_let_go_of_what_is_needed_is_refused() {
        let retained = Retained { released_up_to: 40, last_position: 50 };
        assert_eq!(check_stream(retained, 50, 50), Ok(()));
        assert_eq!(check_stream(retained, 45, 40), Ok(()));
        assert_eq!(check_stream(retained, 51, 51), Err(StreamMismatch::BehindLake));
        assert_eq!(check_stream(retained, 50, 39), Err(StreamMismatch::RecordsReleased));
        assert_eq!(check_stream(Retained { released_up_to: 0, last_position: 0 }, 0, 0), Ok(()));
    }

    #[test]
    fn state_ahead_of_its_lake_is_another_lakes_state() {
        assert_eq!(decide(&observed(&[7, 9], 7)), Decision::Refuse { key_group: 1, applied: 9 });
    }
}
