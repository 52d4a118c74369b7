//! The live timeline of one key: how an event changes it, and what an epoch changed in all.
//!
//! A timeline holds, for each valid instant, the fingerprint of the values that hold there. Values themselves stay
//! in the event that carries them: a version is only ever written for what an event of this epoch says.

use crate::{Mode, OPEN};

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
}

/// One event as the kernel sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineEvent {
    /// Put or delete.
    pub operation: Operation,
    /// Start of its valid interval.
    pub from: i64,
    /// End of it, greater than `from`; not looked at in `until_changed` mode.
    pub to: i64,
    /// Sequence number; 0 where the dataset has no sequence column.
    pub sequence: i64,
    /// Fingerprint of its values; not looked at for a delete.
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
}

/// The live timeline of one key, or the part of it from some instant on: segments in order, disjoint.
///
/// In `until_changed` mode every change point is kept as the start of a segment, deletes included, because the next
/// late arrival ends there. With sequence numbers deletes are kept as well, because an older event may still arrive.
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

    /// Lets an event act. Looks at log n segments and those it overlaps.
    pub fn apply(&mut self, event: &TimelineEvent) -> Effect {
        match self.mode {
            Mode::Interval => self.apply_interval(event),
            Mode::UntilChanged => self.apply_until_changed(event),
        }
    }

    fn apply_interval(&mut self, event: &TimelineEvent) -> Effect {
        debug_assert!(event.from < event.to);
        let said = said_by(event);
        let start = self.segments.partition_point(|segment| segment.to <= event.from);
        let end = start + self.segments[start..].partition_point(|segment| segment.from < event.to);
        let mut pieces = Pieces { keep_deletes: self.sequenced, pieces: Vec::with_capacity(end - start + 3) };
        let mut effect = Effect::Unchanged;
        let mut at = event.from;
        let mut speak = |pieces: &mut Pieces, from: i64, to: i64, held: Fingerprint| {
            if held != said {
                effect = Effect::Changed;
            }
            pieces.push(Segment { from, to, sequence: event.sequence, fingerprint: said });
        };
        for segment in &self.segments[start..end] {
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
        let said = said_by(event);
        let after = self.segments.partition_point(|segment| segment.from <= event.from);
        let before = after.checked_sub(1).map(|index| self.segments[index]);
        let held = before.map_or(Fingerprint::NOTHING, |segment| segment.fingerprint);
        let same_instant = before.is_some_and(|segment| segment.from == event.from);
        let outdated = same_instant && before.is_some_and(|segment| segment.sequence > event.sequence);
        if outdated || (held == said && !self.sequenced) {
            return Effect::Unchanged;
        }
        if same_instant {
            let segment = &mut self.segments[after - 1];
            segment.fingerprint = said;
            segment.sequence = event.sequence;
        } else {
            let to = self.segments.get(after).map_or(OPEN, |next| next.from);
            if after > 0 {
                self.segments[after - 1].to = event.from;
            }
            let segment = Segment { from: event.from, to, sequence: event.sequence, fingerprint: said };
            self.segments.insert(after, segment);
        }
        if held == said { Effect::Unchanged } else { Effect::Changed }
    }
}

fn said_by(event: &TimelineEvent) -> Fingerprint {
    match event.operation {
        Operation::Put => event.fingerprint,
        Operation::Delete => Fingerprint::NOTHING,
    }
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
            }
            _ => self.pieces.push(segment),
        }
    }
}

/// Where and how `after` differs from `before`: maximal stretches with one new fingerprint, in order, disjoint.
/// This is exactly what an epoch appends for a key.
pub fn net_effect(before: &[Segment], after: &[Segment]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let (mut old, mut new) = (Cursor::new(before), Cursor::new(after));
    let mut at = i64::MIN;
    while at < OPEN {
        let (was, was_until) = old.at(at);
        let (is, is_until) = new.at(at);
        let until = was_until.min(is_until);
        if was != is {
            match changes.last_mut() {
                Some(last) if last.to == at && last.fingerprint == is => last.to = until,
                _ => changes.push(Change { from: at, to: until, fingerprint: is }),
            }
        }
        at = until;
    }
    changes
}

/// Walks segments forward, filling the gaps between them with nothing.
struct Cursor<'a> {
    rest: &'a [Segment],
}

impl<'a> Cursor<'a> {
    fn new(segments: &'a [Segment]) -> Cursor<'a> {
        Cursor { rest: segments }
    }

    /// What holds at an instant not before the last one asked for, and until when.
    fn at(&mut self, instant: i64) -> (Fingerprint, i64) {
        while let [first, rest @ ..] = self.rest {
            if instant < first.from {
                return (Fingerprint::NOTHING, first.from);
            }
            if instant < first.to {
                return (first.fingerprint, first.to);
            }
            self.rest = rest;
        }
        (Fingerprint::NOTHING, OPEN)
    }
}
