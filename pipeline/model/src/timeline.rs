//! The live timeline of one key: how an event changes it, and what an epoch changed in all.
//!
//! A timeline holds, for each valid instant, the fingerprint of the values that hold there. Values themselves stay
//! in the event that carries them: a version is only ever written for what an event of this epoch says.

use crate::{Mode, OPEN, steps::step};

/// 128-bit fingerprint of an event's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// Nothing holds.
    pub const NOTHING: Fingerprint = Fingerprint(0);
}

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Its values hold.
    Put,
    /// Nothing holds.
    Delete,
    /// In `until_changed` mode: the change at its instant is withdrawn, and what held before it extends over it.
    Retract,
}

/// A stretch of valid time over which the same holds. `from < to`; `to` is [`OPEN`] when unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// First instant.
    pub from: i64,
    /// First instant after.
    pub to: i64,
    /// Sequence number of the event that said so; 0 where the dataset has no sequence column.
    pub sequence: i64,
    /// What holds; [`Fingerprint::NOTHING`] where a delete has to be remembered.
    pub fingerprint: Fingerprint,
    /// Whether `from` is no change: one was withdrawn there, which has to be remembered because an event with a smaller
    /// sequence number may still arrive. What holds is what held before, and is repeated here, so that each part of a
    /// timeline can be read alone.
    pub retracted: bool,
    /// Whether the lake is known to say all of this, the sequence number too; see [`crate::eviction`]. The kernel makes
    /// what it knows of it no larger, [`Timeline::mark_recorded`] does.
    pub recorded: bool,
}

impl Segment {
    /// Nothing holds, and no number says so.
    pub const fn nothing(from: i64, to: i64) -> Segment {
        Segment { from, to, sequence: 0, fingerprint: Fingerprint::NOTHING, retracted: false, recorded: false }
    }
}

/// One event as the kernel sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineEvent {
    /// Put, delete or retract.
    pub operation: Operation,
    /// Start of its valid interval.
    pub from: i64,
    /// End of it, greater than `from`; in `until_changed` mode looked at only where it is exact.
    pub to: i64,
    /// In `until_changed` mode: whether it holds until `to` exactly, whatever the key changes to before, and what held
    /// there goes on holding from there. In interval mode every end is.
    pub exact: bool,
    /// Sequence number; 0 where the dataset has no sequence column.
    pub sequence: i64,
    /// Fingerprint of its values; looked at for a put alone.
    pub fingerprint: Fingerprint,
}

/// Whether an event changed what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It did.
    Changed,
    /// It said what held already, or an event with a larger sequence number had spoken.
    Unchanged,
}

/// A stretch of valid time where an epoch left something else than it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// First instant.
    pub from: i64,
    /// First instant after.
    pub to: i64,
    /// What holds now; [`Fingerprint::NOTHING`] is a delete.
    pub fingerprint: Fingerprint,
    /// Where the assertion begins whose values hold at `from`, if any do: there, or earlier where a retraction lets it
    /// extend. Where that lies before the part of the timeline at hand, the first instant of the part at which it holds.
    pub said_at: i64,
    /// Sequence number of the event that said it; with `said_at` before the part at hand it is not known, and any.
    pub sequence: i64,
}

/// The live timeline of one key, or the part of it from some instant on: segments in order, disjoint.
///
/// In `until_changed` mode every change point is kept as the start of a segment, deletes included, because the next
/// late arrival ends there. With sequence numbers deletes and retractions are kept as well, because an older event may
/// still arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    mode: Mode,
    sequenced: bool,
    segments: Vec<Segment>,
}

impl Timeline {
    /// A timeline of these segments, which are in order and disjoint.
    pub fn new(mode: Mode, sequenced: bool, segments: Vec<Segment>) -> Timeline {
        debug_assert!(segments.windows(2).all(|pair| pair[0].to <= pair[1].from));
        Timeline { mode, sequenced, segments }
    }

    /// The segments, in order and disjoint.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segments, in order and disjoint.
    pub fn into_segments(self) -> Vec<Segment> {
        self.segments
    }

    /// Lets an event act. Looks at log n segments and those it changes what holds in.
    ///
    /// A retraction where there is no change does nothing, and so it does in interval mode, which has none.
    pub fn apply(&mut self, event: &TimelineEvent) -> Effect {
        match (self.mode, event.operation) {
            (Mode::Interval, Operation::Retract) => Effect::Unchanged,
            (Mode::Interval, _) => self.apply_interval(event),
            (Mode::UntilChanged, _) if event.exact => self.apply_exact(event),
            (Mode::UntilChanged, _) => self.apply_until_changed(event),
        }
    }

    /// The stretch of valid time outside of which an event changes nothing. Of several events that act one after the
    /// other it is what their reaches cover together, each asked for before the first of them acts.
    pub fn reach(&self, event: &TimelineEvent) -> (i64, i64) {
        if self.mode == Mode::Interval || event.exact {
            return (event.from, event.to);
        }
        let after = self.count_while(0, |segment| segment.from <= event.from);
        let counted = |segment: &&Segment| {
            step();
            !segment.retracted
        };
        (event.from, self.segments[after..].iter().find(counted).map_or(OPEN, |next| next.from))
    }

    /// The segments that say what holds in a stretch of valid time, and whence.
    pub fn part(&self, from: i64, to: i64) -> &[Segment] {
        let mut start = self.count_while(0, |segment| segment.to <= from);
        let end = self.count_while(start, |segment| segment.from < to);
        while start > 0 && start < end && self.segments[start].retracted {
            step();
            start -= 1;
        }
        &self.segments[start..end]
    }

    /// The segments that meet a stretch of valid time.
    pub(crate) fn meeting_mut(&mut self, from: i64, to: i64) -> &mut [Segment] {
        let start = self.count_while(0, |segment| segment.to <= from);
        let end = self.count_while(start, |segment| segment.from < to);
        &mut self.segments[start..end]
    }

    fn apply_interval(&mut self, event: &TimelineEvent) -> Effect {
        debug_assert!(event.from < event.to);
        let (said, spoken) = (said_by(event), spoken_by(event));
        let start = self.count_while(0, |segment| segment.to <= event.from);
        let end = self.count_while(start, |segment| segment.from < event.to);
        let mut pieces = Pieces { keep_deletes: self.sequenced, pieces: Vec::with_capacity(end - start + 3) };
        let mut effect = Effect::Unchanged;
        let mut at = event.from;
        let mut speak = |pieces: &mut Pieces, from: i64, to: i64, held: Fingerprint| {
            if held != said {
                effect = Effect::Changed;
            }
            pieces.push(Segment { from, to, ..spoken });
        };
        for segment in &self.segments[start..end] {
            step();
            if segment.from < event.from {
                pieces.push(Segment { to: event.from, ..*segment });
            }
            let (from, to) = (segment.from.max(event.from), segment.to.min(event.to));
            if at < from {
                speak(&mut pieces, at, from, Fingerprint::NOTHING);
            }
            if self.sequenced && segment.sequence > event.sequence {
                pieces.push(Segment { from, to, ..*segment });
            } else {
                speak(&mut pieces, from, to, segment.fingerprint);
            }
            at = to;
            if segment.to > event.to {
                pieces.push(Segment { from: event.to, ..*segment });
            }
        }
        if at < event.to {
            speak(&mut pieces, at, event.to, Fingerprint::NOTHING);
        }
        if effect == Effect::Changed || self.sequenced {
            self.segments.splice(start..end, pieces.pieces);
        }
        effect
    }

    fn apply_until_changed(&mut self, event: &TimelineEvent) -> Effect {
        let after = self.count_while(0, |segment| segment.from <= event.from);
        let here = after.checked_sub(1).filter(|&index| self.segments[index].from == event.from);
        if here.is_some_and(|index| self.segments[index].sequence > event.sequence) {
            return Effect::Unchanged;
        }
        let retracts = event.operation == Operation::Retract;
        let held = self.held_before(after);
        let said = if retracts { self.held_before(here.unwrap_or(after)) } else { said_by(event) };
        let effect = if held == said { Effect::Unchanged } else { Effect::Changed };
        if self.sequenced {
            let index = self.say(here, after, event, said);
            if effect == Effect::Changed {
                self.extend_over_retracted(index, said);
            }
        } else if retracts {
            here.into_iter().for_each(|index| self.withdraw(index));
        } else if effect == Effect::Changed {
            self.say(here, after, event, said);
        }
        effect
    }

    /// Lets an event hold over exactly its interval: changes inside it go, but for those of a larger sequence number, and
    /// where it ends begins a change to what held there.
    fn apply_exact(&mut self, event: &TimelineEvent) -> Effect {
        debug_assert!(event.from < event.to);
        let (said, spoken) = (said_by(event), spoken_by(event));
        let start = self.count_while(0, |segment| segment.from < event.from);
        let end = self.count_while(start, |segment| segment.from < event.to);
        let (mut pieces, mut effect, mut speaking): (Vec<Segment>, _, _) = (Vec::new(), Effect::Unchanged, false);
        if self.segments.get(start).is_none_or(|first| first.from > event.from) {
            (pieces, speaking) = (vec![spoken], true);
            if self.held_before(start) != said {
                effect = Effect::Changed;
            }
        }
        for segment in &self.segments[start..end] {
            step();
            if self.sequenced && segment.sequence > event.sequence {
                pieces.push(Segment { retracted: false, ..*segment });
                speaking = false;
                continue;
            }
            if segment.fingerprint != said {
                effect = Effect::Changed;
            }
            if !speaking {
                pieces.push(Segment { from: segment.from, ..spoken });
                speaking = true;
            }
        }
        if effect == Effect::Changed || self.sequenced {
            self.resume_at_end(event.to, end, &mut pieces);
            self.replace(start..end, pieces);
        }
        effect
    }

    /// Where an exact event ends, what held there begins anew, unless a change begins there anyway.
    fn resume_at_end(&mut self, to: i64, end: usize, pieces: &mut Vec<Segment>) {
        if to == OPEN {
            return;
        }
        let held = end.checked_sub(1).map(|index| self.segments[index]);
        match self.segments.get_mut(end).filter(|next| next.from == to) {
            // What it repeats is no longer what holds before it.
            Some(next) => next.retracted = false,
            None => {
                let held = held.unwrap_or(Segment { sequence: i64::MIN, ..Segment::nothing(to, to) });
                pieces.push(Segment { from: to, retracted: false, ..held });
            }
        }
    }

    /// Puts pieces in the place of segments; each lasts until the next begins.
    fn replace(&mut self, range: std::ops::Range<usize>, mut pieces: Vec<Segment>) {
        let after = self.segments.get(range.end).map_or(OPEN, |next| next.from);
        let starts: Vec<i64> = pieces.iter().skip(1).map(|piece| piece.from).chain([after]).collect();
        pieces.iter_mut().zip(starts).for_each(|(piece, to)| piece.to = to);
        if let (Some(before), Some(first)) = (range.start.checked_sub(1), pieces.first()) {
            // Shorter, never longer: what ended before may have been evicted up to the first piece.
            self.segments[before].to = self.segments[before].to.min(first.from);
        }
        self.segments.splice(range, pieces);
    }

    /// What holds just before the segment of an index.
    fn held_before(&self, index: usize) -> Fingerprint {
        index.checked_sub(1).map_or(Fingerprint::NOTHING, |before| self.segments[before].fingerprint)
    }

    /// Writes what an event says into the segment that begins at its instant, or into a new one, which ends where the
    /// segment before it did. Returns its index.
    fn say(&mut self, here: Option<usize>, after: usize, event: &TimelineEvent, said: Fingerprint) -> usize {
        let to = self.segments.get(after).map_or(OPEN, |next| next.from);
        let retracted = event.operation == Operation::Retract;
        let segment = Segment { to, fingerprint: said, retracted, ..spoken_by(event) };
        if let Some(index) = here {
            self.segments[index] = segment;
            return index;
        }
        if let Some(before) = after.checked_sub(1) {
            self.segments[before].to = event.from;
        }
        self.segments.insert(after, segment);
        after
    }

    /// Retractions are no changes: what holds goes on over them.
    fn extend_over_retracted(&mut self, index: usize, said: Fingerprint) {
        for segment in self.segments[index + 1..].iter_mut().take_while(|segment| segment.retracted) {
            step();
            segment.fingerprint = said;
        }
    }

    /// Takes a change out for good; what held before it extends over it.
    fn withdraw(&mut self, index: usize) {
        let withdrawn = self.segments.remove(index);
        if let Some(before) = index.checked_sub(1) {
            self.segments[before].to = withdrawn.to;
        }
    }

    /// Index of the first segment from `start` on for which the condition no longer holds, by halving.
    fn count_while(&self, start: usize, condition: impl Fn(&Segment) -> bool) -> usize {
        let counted = |segment: &Segment| {
            step();
            condition(segment)
        };
        start + self.segments[start..].partition_point(counted)
    }
}

/// What a put or a delete makes hold.
fn said_by(event: &TimelineEvent) -> Fingerprint {
    match event.operation {
        Operation::Put => event.fingerprint,
        Operation::Delete | Operation::Retract => Fingerprint::NOTHING,
    }
}

/// What an event says, over its interval.
fn spoken_by(event: &TimelineEvent) -> Segment {
    let TimelineEvent { from, to, sequence, .. } = *event;
    Segment { sequence, fingerprint: said_by(event), ..Segment::nothing(from, to) }
}

/// Collects segments in order, joining neighbours that say the same.
struct Pieces {
    keep_deletes: bool,
    pieces: Vec<Segment>,
}

impl Pieces {
    fn push(&mut self, segment: Segment) {
        if segment.fingerprint == Fingerprint::NOTHING && !self.keep_deletes {
            return;
        }
        match self.pieces.last_mut() {
            Some(last)
                if last.to == segment.from
                    && last.fingerprint == segment.fingerprint
                    && last.sequence == segment.sequence =>
            {
                last.to = segment.to;
                last.recorded &= segment.recorded;
            }
            _ => self.pieces.push(segment),
        }
    }
}

/// Where and how `after` differs from `before`: maximal stretches with one new fingerprint, said under one sequence
/// number, in order, disjoint. This is exactly what an epoch appends for a key.
pub fn net_effect(before: &[Segment], after: &[Segment]) -> Vec<Change> {
    net_effect_within(before, after, i64::MIN, OPEN)
}

/// The same within a stretch of valid time, of whose ends it is known that nothing changed beyond; see
/// [`Timeline::part`].
pub fn net_effect_within(before: &[Segment], after: &[Segment], from: i64, until: i64) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let (mut old, mut new) = (Cursor::new(before), Cursor::new(after));
    let mut at = from;
    while at < until {
        step();
        let (was, was_until) = old.at(at);
        let (is, is_until) = new.at(at);
        let to = was_until.min(is_until).min(until);
        if was != is {
            let said = new.said.filter(|_| is != Fingerprint::NOTHING);
            let (said_at, sequence) = said.map_or((at, 0), |segment| (segment.from, segment.sequence));
            match changes.last_mut() {
                Some(last) if last.to == at && (last.fingerprint, last.sequence) == (is, sequence) => last.to = to,
                _ => changes.push(Change { from: at, to, fingerprint: is, said_at, sequence }),
            }
        }
        at = to;
    }
    changes
}

/// Walks segments forward, filling the gaps between them with nothing.
struct Cursor<'a> {
    rest: &'a [Segment],
    /// The last segment reached that is no retraction, or the first one of all: what it says holds.
    said: Option<&'a Segment>,
}

impl<'a> Cursor<'a> {
    fn new(segments: &'a [Segment]) -> Cursor<'a> {
        Cursor { rest: segments, said: None }
    }

    /// What holds at an instant not before the last one asked for, and until when.
    fn at(&mut self, instant: i64) -> (Fingerprint, i64) {
        while let [first, rest @ ..] = self.rest {
            if instant < first.from {
                return (Fingerprint::NOTHING, first.from);
            }
            if !first.retracted || self.said.is_none() {
                self.said = Some(first);
            }
            if instant < first.to {
                return (first.fingerprint, first.to);
            }
            step();
            self.rest = rest;
        }
        (Fingerprint::NOTHING, OPEN)
    }
}
