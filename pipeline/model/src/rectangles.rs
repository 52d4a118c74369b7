//! From assertions to rectangles: where in valid time and for how long in system time each assertion held.
//!
//! At each valid instant an assertion holds from its own system time until the next assertion of the key that covers
//! the instant. A rectangle is a maximal valid interval over which values and both system times are the same, so it
//! depends on facts alone and not on how rows were cut when they were written.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::{Assertion, OPEN, steps::step};

/// One assertion row of a key with the end of its system time, where upkeep has written that down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredAssertion {
    /// What is asserted.
    pub assertion: Assertion,
    /// First system time at which it held no longer; [`OPEN`] where none is stored.
    pub system_to: i64,
}

/// A stretch of both times over which one assertion held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// Index of the assertion whose values held and whose `system_from` it begins at.
    pub assertion: usize,
    /// First valid instant.
    pub from: i64,
    /// First valid instant after; [`OPEN`] when unbounded.
    pub to: i64,
    /// First system time at which it held no longer; [`OPEN`] while it holds.
    pub system_to: i64,
}

/// The rectangles of one key's assertions, in order of valid time and then system time, deletes left out.
///
/// `same_values` tells from two indices whether neighbours say the same. Sweeps over valid time with the assertions
/// that cover the instant ordered by system time; each that begins or ends touches its neighbour only: n·log n.
pub fn rectangles(assertions: &[StoredAssertion], same_values: impl Fn(usize, usize) -> bool) -> Vec<Rectangle> {
    if let [only] = assertions {
        let StoredAssertion { assertion, system_to } = *only;
        let holds = assertion.put && assertion.from < assertion.to && assertion.system_from < system_to;
        let rectangle = Rectangle { assertion: 0, from: assertion.from, to: assertion.to, system_to };
        return if holds { vec![rectangle] } else { Vec::new() };
    }
    let mut sweep = Sweep { assertions, covering: BTreeMap::new(), found: Vec::with_capacity(assertions.len()) };
    for Edge { at, begins, index } in edges(assertions) {
        if begins { sweep.begin(index, at) } else { sweep.end(index, at) }
    }
    let mut joined = join_neighbours(sweep.found, assertions, same_values);
    let order = |r: &Rectangle| (r.from, assertions[r.assertion].assertion.system_from);
    joined.sort_unstable_by(|a, b| counted(&order(a), &order(b)));
    joined
}

fn counted<T: Ord>(a: &T, b: &T) -> Ordering {
    step();
    a.cmp(b)
}

/// A valid instant at which an assertion begins or ends.
struct Edge {
    at: i64,
    begins: bool,
    index: usize,
}

/// In order; at one instant ends come first.
fn edges(assertions: &[StoredAssertion]) -> Vec<Edge> {
    let mut edges = Vec::with_capacity(2 * assertions.len());
    for (index, StoredAssertion { assertion, .. }) in assertions.iter().enumerate() {
        if assertion.from < assertion.to {
            edges.push(Edge { at: assertion.from, begins: true, index });
            edges.push(Edge { at: assertion.to, begins: false, index });
        }
    }
    let order = |edge: &Edge| (edge.at, edge.begins, edge.index);
    edges.sort_unstable_by(|a, b| counted(&order(a), &order(b)));
    edges
}

/// An assertion's place in system time: since when it is known, and its index.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(i64, usize);

impl Ord for Place {
    fn cmp(&self, other: &Place) -> Ordering {
        counted(&(self.0, self.1), &(other.0, other.1))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Place) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct Sweep<'a> {
    assertions: &'a [StoredAssertion],
    /// The assertions that cover the instant, by system time, each with the valid instant its strip began at.
    covering: BTreeMap<Place, i64>,
    found: Vec<Rectangle>,
}

impl Sweep<'_> {
    fn begin(&mut self, index: usize, at: i64) {
        let place = Place(self.assertions[index].assertion.system_from, index);
        self.close_below(place, at);
        self.covering.insert(place, at);
    }

    fn end(&mut self, index: usize, at: i64) {
        let place = Place(self.assertions[index].assertion.system_from, index);
        self.close(place, at);
        self.close_below(place, at);
        self.covering.remove(&place);
    }

    /// What lies directly below in system time changes its neighbour here: its strip ends and the next begins.
    fn close_below(&mut self, place: Place, at: i64) {
        let below = self.covering.range(..place).next_back().map(|(place, _)| *place);
        if let Some(below) = below {
            self.close(below, at);
            self.covering.insert(below, at);
        }
    }

    fn close(&mut self, place: Place, at: i64) {
        let Some(&from) = self.covering.get(&place) else { return };
        let Place(system_from, index) = place;
        let StoredAssertion { assertion, system_to } = self.assertions[index];
        let after = (std::ops::Bound::Excluded(place), std::ops::Bound::Unbounded);
        let next = self.covering.range(after).next().map_or(OPEN, |(place, _)| place.0);
        let system_to = system_to.min(next);
        if assertion.put && from < at && system_from < system_to {
            self.found.push(Rectangle { assertion: index, from, to: at, system_to });
        }
    }
}

fn join_neighbours(
    mut found: Vec<Rectangle>,
    assertions: &[StoredAssertion],
    same_values: impl Fn(usize, usize) -> bool,
) -> Vec<Rectangle> {
    let known = |rectangle: &Rectangle| assertions[rectangle.assertion].assertion.system_from;
    let order = |rectangle: &Rectangle| (known(rectangle), rectangle.from);
    found.sort_unstable_by(|a, b| counted(&order(a), &order(b)));
    let mut joined: Vec<Rectangle> = Vec::with_capacity(found.len());
    for rectangle in found {
        step();
        match joined.last_mut() {
            Some(last)
                if last.to == rectangle.from
                    && last.system_to == rectangle.system_to
                    && known(last) == known(&rectangle)
                    && (last.assertion == rectangle.assertion || same_values(last.assertion, rectangle.assertion)) =>
            {
                last.to = rectangle.to;
            }
            _ => joined.push(rectangle),
        }
    }
    joined
}
