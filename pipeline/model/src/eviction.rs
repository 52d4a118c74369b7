//! Which segments of a timeline need not be kept, because the lake gives them back, and how it does.
//!
//! The lake tells of a key what holds at each valid instant, as of any system time. It does not tell everything a
//! timeline knows: not the sequence number of a delete or of an event that changed nothing, not where a change was
//! withdrawn, and not where a change was said to what held anyway. A segment may go only where nothing of that is lost;
//! [`evict`] decides so from the timeline alone, and [`fill`] puts what the lake says where something is missing. So for
//! any timeline that agrees with the lake, evicting and filling gives the timeline there was.
//!
//! What goes, and what stays for good:
//!
//! * Only what ended by the instant before which is evicted. What holds on stays, but for a key of which nothing holds any
//!   more and all of which can go: it goes as a whole.
//! * `interval` without sequence numbers: all of it. What holds where is all there is to know.
//! * `interval` with numbers: a put whose number the lake has ([`Segment::recorded`]). A delete stays, because its number is
//!   in no row, and so does a put that was said again under a larger number, which is no row either.
//! * `until_changed` without numbers: a segment stays if the next one says the same, because the lake does not tell that a
//!   change was said there. A stretch of nothing goes only together with what held before it: the lake tells where that
//!   ends, but not that nothing was said where nothing had been.
//! * `until_changed` with numbers: a put whose number the lake has, and that differs from the next segment in number or
//!   values. Retractions, deletes and what a retraction follows stay.
//!
//! In a dataset whose columns were dropped, a retraction may write values again without those of the dropped columns, where
//! the timeline knows them with: of such a dataset in `until_changed` mode, as of an import that is not sealed, nothing
//! may be evicted. That is for the caller to know.

use crate::{Change, Fingerprint, Mode, OPEN, Segment, Timeline, steps::step};

/// What remains of a whole timeline, or in `interval` mode of any part of one, when all goes that may and that ended by an
/// instant. Later events that act at or behind the instant do on what remains what they would do on all of it.
pub fn evict(mode: Mode, sequenced: bool, segments: &[Segment], before: i64) -> Vec<Segment> {
    if mode == Mode::UntilChanged && !sequenced && ends_with_nothing(segments, before) {
        // Events behind the instant would take what is left for what held before them, so it goes as a whole or not at all.
        if evictable(mode, sequenced, segments, before, true).iter().all(|goes| *goes) {
            return Vec::new();
        }
    }
    let goes = evictable(mode, sequenced, segments, before, false);
    segments.iter().zip(goes).filter(|(_, goes)| !goes).map(|(segment, _)| *segment).collect()
}

/// Whether a key was deleted by an instant, and held something just before.
fn ends_with_nothing(segments: &[Segment], before: i64) -> bool {
    let [.., held, nothing] = segments else { return false };
    nothing.fingerprint == Fingerprint::NOTHING
        && nothing.to == OPEN
        && nothing.from <= before
        && held.to == nothing.from
}

/// For each segment whether it goes; `last_goes` says it of one that never ends.
fn evictable(mode: Mode, sequenced: bool, segments: &[Segment], before: i64, last_goes: bool) -> Vec<bool> {
    let mut goes = vec![false; segments.len()];
    for (index, segment) in segments.iter().enumerate().rev() {
        step();
        let nothing = segment.fingerprint == Fingerprint::NOTHING;
        let next = segments.get(index + 1).filter(|next| next.from == segment.to);
        let numbered = segment.recorded && !segment.retracted && !nothing;
        goes[index] = match mode {
            _ if segment.to == OPEN => last_goes,
            _ if segment.to > before => false,
            Mode::Interval => !sequenced || numbered,
            Mode::UntilChanged if sequenced => {
                numbered && next.is_some_and(|next| !next.retracted && !same(segment, next))
            }
            Mode::UntilChanged => {
                let differs = next.is_some_and(|next| next.fingerprint != segment.fingerprint);
                let before = index.checked_sub(1).map(|before| &segments[before]);
                let held_before =
                    before.is_some_and(|held| held.to == segment.from && held.fingerprint != Fingerprint::NOTHING);
                let with_next = next.is_some_and(|next| next.fingerprint != Fingerprint::NOTHING)
                    || goes.get(index + 1) == Some(&true);
                differs && if nothing { held_before } else { with_next }
            }
        };
    }
    goes
}

/// Whether the lake tells two segments that adjoin apart.
fn same(a: &Segment, b: &Segment) -> bool {
    (a.fingerprint, a.sequence) == (b.fingerprint, b.sequence)
}

/// The timeline from `from` on, of which `retained` is there and the lake says `found` between `from` and `until`: pieces in
/// order, disjoint. In `until_changed` mode `from` has to be the beginning of time. Where both speak, `retained` does.
pub fn fill(
    mode: Mode,
    sequenced: bool,
    retained: &[Segment],
    found: &[Segment],
    (from, until): (i64, i64),
) -> Vec<Segment> {
    let mut filled: Vec<Segment> = Vec::with_capacity(retained.len() + found.len());
    let mut rest = found;
    let mut gap_from = from;
    for next in retained.iter().map(Some).chain([None]) {
        step();
        let gap_until = next.map_or(OPEN, |next| next.from);
        let first_of_gap = filled.len();
        while let [piece, others @ ..] = rest {
            step();
            let (start, end) = (piece.from.max(gap_from), piece.to.min(gap_until).min(until));
            if start < end {
                push(
                    &mut filled,
                    first_of_gap,
                    mode,
                    sequenced,
                    Segment { from: start, to: end, recorded: sequenced, ..*piece },
                );
            }
            if piece.to > gap_until {
                break;
            }
            rest = others;
        }
        if gap_from < gap_until {
            close(&mut filled, mode, sequenced, gap_until);
        }
        if let Some(next) = next {
            filled.push(Segment { recorded: sequenced && next.recorded, ..*next });
            gap_from = gap_from.max(next.to);
        }
    }
    filled
}

/// Adds a piece to a gap that began with the segment of an index. In `until_changed` mode what follows is a change only if it
/// says something else, and where nothing holds behind what did, that was one.
fn push(filled: &mut Vec<Segment>, first_of_gap: usize, mode: Mode, sequenced: bool, piece: Segment) {
    if mode == Mode::UntilChanged {
        close(filled, mode, sequenced, piece.from);
        if let Some(last) = filled[first_of_gap..].last_mut()
            && last.to == piece.from
            && same(last, &piece)
        {
            last.to = piece.to;
            return;
        }
    }
    filled.push(piece);
}

/// In `until_changed` mode the segments of a timeline adjoin from the first on: up to here nothing has held since the last.
fn close(filled: &mut Vec<Segment>, mode: Mode, sequenced: bool, until: i64) {
    if mode == Mode::UntilChanged
        && !sequenced
        && let Some(last) = filled.last()
        && last.to < until
    {
        filled.push(Segment::nothing(last.to, until));
    }
}

impl Timeline {
    /// Says of each segment that meets a stretch of valid time whether the lake has all of it once the changes are
    /// written: wherever it holds, a row says the same under the same number. `before` are the segments there were in the
    /// stretch, and outside of it nothing changed. Of use where the dataset has sequence numbers.
    pub fn mark_recorded(&mut self, (from, until): (i64, i64), before: &[Segment], changes: &[Change]) {
        for segment in self.meeting_mut(from, until) {
            let says = segment.fingerprint != Fingerprint::NOTHING && !segment.retracted;
            segment.recorded = says && is_recorded(segment, before, changes);
        }
    }
}

fn is_recorded(segment: &Segment, before: &[Segment], changes: &[Change]) -> bool {
    let wanted = (segment.fingerprint, segment.sequence);
    let mut change = changes.partition_point(|change| change.to <= segment.from);
    let mut held = before.partition_point(|held| held.to <= segment.from);
    let mut at = segment.from;
    while at < segment.to {
        step();
        let next_change = changes.get(change);
        if let Some(written) = next_change.filter(|written| written.from <= at) {
            if (written.fingerprint, written.sequence) != wanted {
                return false;
            }
            at = written.to;
            change += 1;
            continue;
        }
        while before.get(held).is_some_and(|held| held.to <= at) {
            step();
            held += 1;
        }
        let Some(there) = before.get(held).filter(|held| held.from <= at && held.recorded) else { return false };
        if (there.fingerprint, there.sequence) != wanted {
            return false;
        }
        at = there.to.min(next_change.map_or(OPEN, |change| change.from));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: i64, to: i64, says: u128) -> Segment {
        Segment { fingerprint: Fingerprint(says), ..Segment::nothing(from, to) }
    }

    fn numbered(from: i64, to: i64, says: u128, sequence: i64) -> Segment {
        Segment { sequence, recorded: true, ..segment(from, to, says) }
    }

    const CHANGES: (Mode, bool) = (Mode::UntilChanged, false);

    fn evicted((mode, sequenced): (Mode, bool), segments: &[Segment], before: i64) -> Vec<Segment> {
        let remains = evict(mode, sequenced, segments, before);
        segments.iter().filter(|segment| !remains.contains(segment)).copied().collect()
    }

    #[test]
    fn what_holds_on_and_what_ended_too_late_stays() {
        let segments = [segment(0, 10, 1), segment(10, 20, 2), segment(20, 30, 3), segment(30, OPEN, 4)];
        for mode in [Mode::Interval, Mode::UntilChanged] {
            assert_eq!(evicted((mode, false), &segments, 20), segments[..2]);
            assert_eq!(evicted((mode, false), &segments, 19), segments[..1]);
            assert_eq!(evicted((mode, false), &segments, i64::MAX - 1), segments[..3]);
        }
    }

    #[test]
    fn a_change_to_what_held_anyway_is_remembered() {
        let segments = [segment(0, 10, 1), segment(10, 20, 1), segment(20, OPEN, 2)];
        assert_eq!(evicted(CHANGES, &segments, 50), segments[1..2]);
        assert_eq!(
            fill(Mode::UntilChanged, false, &[segments[0], segments[2]], &[segment(0, 20, 1)], (i64::MIN, 50)),
            segments
        );
    }

    #[test]
    fn nothing_goes_together_with_what_held_before_it() {
        let segments = [segment(0, 10, 1), segment(10, 20, 0), segment(20, OPEN, 2)];
        assert_eq!(evicted(CHANGES, &segments, 10), []);
        assert_eq!(evicted(CHANGES, &segments, 20), segments[..2]);
        assert_eq!(fill(Mode::UntilChanged, false, &segments[2..], &segments[..1], (i64::MIN, 20)), segments);
        let first = [segment(10, 20, 0), segment(20, OPEN, 2)];
        assert_eq!(evicted(CHANGES, &first, 50), [], "nothing was said where nothing had been");
    }

    #[test]
    fn a_deleted_key_goes_as_a_whole_or_not() {
        let gone = [segment(0, 10, 1), segment(10, OPEN, 0)];
        assert_eq!(evict(Mode::UntilChanged, false, &gone, 10), []);
        assert_eq!(evict(Mode::UntilChanged, false, &gone, 9), gone);
        assert_eq!(fill(Mode::UntilChanged, false, &[], &gone[..1], (i64::MIN, 10)), gone);
        let half = [segment(0, 5, 1), segment(5, 10, 1), segment(10, OPEN, 0)];
        assert_eq!(evict(Mode::UntilChanged, false, &half, 50), half);
        assert_eq!(evict(Mode::UntilChanged, false, &[segment(10, OPEN, 0)], 50), [segment(10, OPEN, 0)]);
    }

    #[test]
    fn a_number_that_no_row_has_stays() {
        let mut segments =
            [numbered(0, 10, 1, 5), numbered(10, 20, 1, 6), numbered(20, 30, 2, 6), numbered(30, OPEN, 3, 9)];
        for mode in [Mode::Interval, Mode::UntilChanged] {
            assert_eq!(evicted((mode, true), &segments, 30), segments[..3]);
        }
        segments[1].recorded = false;
        for mode in [Mode::Interval, Mode::UntilChanged] {
            assert_eq!(evicted((mode, true), &segments, 30), [segments[0], segments[2]]);
        }
        segments[2] = Segment { retracted: true, recorded: false, ..segments[2] };
        assert_eq!(evicted((Mode::UntilChanged, true), &segments, 30), segments[..1]);
        segments[1].recorded = true;
        assert_eq!(evicted((Mode::UntilChanged, true), &segments, 30), segments[..1], "a retraction follows");
        let deleted = [numbered(0, 10, 1, 5), Segment { recorded: false, ..numbered(10, 20, 0, 6) }];
        assert_eq!(evicted((Mode::Interval, true), &deleted, 30), deleted[..1]);
    }

    #[test]
    fn what_the_lake_says_fills_gaps_alone() {
        let retained = [numbered(10, 20, 0, 7), numbered(30, 40, 3, 1)];
        let found = [numbered(0, 15, 1, 1), numbered(18, 50, 2, 2)];
        let filled = fill(Mode::Interval, true, &retained, &found, (5, 45));
        let expected =
            [numbered(5, 10, 1, 1), retained[0], numbered(20, 30, 2, 2), retained[1], numbered(40, 45, 2, 2)];
        assert_eq!(filled, expected);
    }

    #[test]
    fn a_segment_is_recorded_where_rows_say_all_of_it_under_its_number() {
        let before = [numbered(0, 10, 1, 5), Segment { recorded: false, ..numbered(10, 20, 1, 5) }];
        let change = |from, to, sequence| Change { from, to, fingerprint: Fingerprint(1), said_at: from, sequence };
        let recorded = |after: Segment, changes: &[Change]| {
            let mut timeline = Timeline::new(Mode::Interval, true, vec![Segment { recorded: false, ..after }]);
            timeline.mark_recorded((i64::MIN, OPEN), &before, changes);
            timeline.segments()[0].recorded
        };
        assert!(recorded(numbered(0, 10, 1, 5), &[]));
        assert!(recorded(numbered(3, 7, 1, 5), &[]));
        assert!(!recorded(numbered(0, 11, 1, 5), &[]), "a part of it is not");
        assert!(!recorded(numbered(0, 10, 1, 6), &[]), "another number");
        assert!(recorded(numbered(0, 30, 1, 5), &[change(10, 30, 5)]));
        assert!(!recorded(numbered(0, 30, 1, 6), &[change(10, 30, 6)]));
        assert!(!recorded(numbered(-5, 10, 1, 5), &[]), "nothing was there");
    }
}
