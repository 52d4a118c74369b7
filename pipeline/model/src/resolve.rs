//! From assertions to versions: which assertion holds where, as of one system time, and which was the first to.
//!
//! The rule of the lake: a row is overridden wherever a row of the same key with a later `system_from` covers the same
//! valid time. Rows of one key that share a `system_from` are disjoint in valid time.

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::steps::step;

/// One assertion row of a key, already known as of the system time asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assertion {
    /// First valid instant.
    pub from: i64,
    /// First valid instant after; [`crate::OPEN`] when unbounded.
    pub to: i64,
    /// When it became known.
    pub system_from: i64,
    /// False for a delete.
    pub put: bool,
}

/// A maximal stretch of valid time over which one assertion holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Index of the assertion whose values hold.
    pub assertion: usize,
    /// First valid instant.
    pub from: i64,
    /// First valid instant after; [`crate::OPEN`] when unbounded.
    pub to: i64,
}

/// Resolves the assertions of one key to the versions that hold, in order of valid time, disjoint, deletes left out.
///
/// Neighbours with the same `system_from` and the same values (told by `same_values` from two indices) are joined, so
/// that the result depends on facts alone and not on how rows were cut when they were written. Takes n·log n.
pub fn resolve(assertions: &[Assertion], same_values: impl Fn(usize, usize) -> bool) -> Vec<Piece> {
    paint(assertions, |_| true, |system_from| system_from, same_values)
}

/// What was said first of each valid instant: of the puts that cover it the one that became known earliest, in order of
/// valid time, disjoint. A delete says nothing here: not before the first put, and not after it.
///
/// Neighbours are joined as by [`resolve`]. Superseded rows have to be among the assertions. Takes n·log n.
pub fn first_published(assertions: &[Assertion], same_values: impl Fn(usize, usize) -> bool) -> Vec<Piece> {
    // The complement turns the order round, and cannot overflow as negation can.
    paint(assertions, |assertion| assertion.put, |system_from| !system_from, same_values)
}

/// Of the assertions that count, the one whose system time ranks highest holds at each instant.
fn paint(
    assertions: &[Assertion],
    counts: impl Fn(&Assertion) -> bool,
    rank: impl Fn(i64) -> i64,
    same_values: impl Fn(usize, usize) -> bool,
) -> Vec<Piece> {
    if let [only] = assertions {
        let piece = Piece { assertion: 0, from: only.from, to: only.to };
        return if only.put { vec![piece] } else { Vec::new() };
    }
    let covers = |assertion: &Assertion| assertion.from < assertion.to && counts(assertion);
    let mut starts: Vec<usize> = (0..assertions.len()).filter(|&i| covers(&assertions[i])).collect();
    starts.sort_unstable_by(|&a, &b| {
        step();
        assertions[a].from.cmp(&assertions[b].from)
    });
    let mut pieces: Vec<Piece> = Vec::with_capacity(starts.len());
    let mut active: BinaryHeap<Active> = BinaryHeap::new();
    let mut next = starts.iter().copied().peekable();
    let mut at = i64::MIN;
    loop {
        step();
        while active.peek().is_some_and(|top| top.to <= at) {
            step();
            active.pop();
        }
        if active.is_empty() {
            let Some(&index) = next.peek() else { break };
            at = assertions[index].from;
        }
        while let Some(index) = next.next_if(|&index| assertions[index].from <= at) {
            step();
            let Assertion { to, system_from, .. } = assertions[index];
            active.push(Active { rank: rank(system_from), index, to });
        }
        let Some(top) = active.peek() else { break };
        let until = next.peek().map_or(top.to, |&index| assertions[index].from.min(top.to));
        push(&mut pieces, assertions, Piece { assertion: top.index, from: at, to: until }, &same_values);
        at = until;
    }
    pieces
}

fn push(pieces: &mut Vec<Piece>, assertions: &[Assertion], piece: Piece, same_values: &impl Fn(usize, usize) -> bool) {
    if !assertions[piece.assertion].put {
        return;
    }
    if let Some(last) = pieces.last_mut().filter(|last| last.to == piece.from) {
        let (a, b) = (last.assertion, piece.assertion);
        if a == b || (assertions[a].system_from == assertions[b].system_from && same_values(a, b)) {
            last.to = piece.to;
            return;
        }
    }
    pieces.push(piece);
}

/// An assertion that covers the instant being looked at; the greatest is the one that holds.
struct Active {
    rank: i64,
    index: usize,
    to: i64,
}

impl Ord for Active {
    fn cmp(&self, other: &Active) -> Ordering {
        step();
        (self.rank, self.index).cmp(&(other.rank, other.index))
    }
}

impl PartialOrd for Active {
    fn partial_cmp(&self, other: &Active) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Active {
    fn eq(&self, other: &Active) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Active {}
