//! Random events, and what they mean, cell by cell.

use std::hash::{BuildHasher, RandomState};

use model::{Assertion, Change, Fingerprint, Mode, OPEN, Operation, Timeline, TimelineEvent};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed},
};

/// Valid instants 0..CELLS; the last stands for all that follow.
pub const CELLS: usize = 24;

/// The budget of a property and its seed, which is printed.
pub fn config() -> Config {
    let given = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let cases = given("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(64);
    let seed = given("PROPTEST_RNG_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed"));
    eprintln!("{cases} cases; to play them again: PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed}");
    Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() }
}

/// An event, small.
#[derive(Debug, Clone, Copy)]
pub struct Draft {
    pub operation: Operation,
    pub from: usize,
    pub to: Option<usize>,
    /// 1 to 3; 0 stands for nothing.
    pub value: u8,
    pub sequence: i64,
    /// Whether its end is exact where others hold until the next change; of datasets without sequence numbers.
    pub exact: bool,
}

pub fn drafts(most: usize) -> impl Strategy<Value = Vec<Draft>> {
    let operation = prop_oneof![6 => Just(Operation::Put), 1 => Just(Operation::Delete), 3 => Just(Operation::Retract)];
    let one = (operation, 0..CELLS - 1, prop::option::of(1..CELLS), 1..4_u8, 0..6_i64, prop::bool::weighted(0.2));
    let draft = one.prop_map(|(operation, from, length, value, sequence, exact)| {
        let to = length.map(|length| from + length).filter(|&to| to < CELLS);
        Draft { operation, from, to, value, sequence, exact: exact && operation != Operation::Retract }
    });
    prop::collection::vec(draft, 1..most)
}

pub fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Interval), Just(Mode::UntilChanged)]
}

pub fn instant(cell: usize) -> i64 {
    if cell < CELLS { cell as i64 } else { OPEN }
}

pub fn event(draft: &Draft, sequenced: bool) -> TimelineEvent {
    TimelineEvent {
        operation: draft.operation,
        from: draft.from as i64,
        to: instant(draft.to.unwrap_or(CELLS)),
        exact: draft.exact && !sequenced,
        sequence: if sequenced { draft.sequence } else { 0 },
        fingerprint: Fingerprint(u128::from(draft.value)),
    }
}

/// What a timeline says holds in each cell.
pub fn cells(timeline: &Timeline) -> Vec<u8> {
    let held = |cell: usize| {
        let found = timeline.segments().iter().find(|s| s.from <= cell as i64 && (cell as i64) < s.to);
        found.map_or(0, |s| s.fingerprint.0 as u8)
    };
    (0..CELLS).map(held).collect()
}

/// A key's grid.
#[derive(Debug, Clone)]
pub enum Grid {
    /// Each cell with what holds and the sequence number that said it.
    Painted { sequenced: bool, cells: Vec<(i64, u8)> },
    /// Change points without sequence: each holds until the next.
    Changes(Vec<Option<u8>>),
    /// By instant, what the largest sequence number said there; `None` for a retraction.
    Numbered(Vec<Option<(i64, Option<u8>)>>),
}

impl Grid {
    pub fn new(mode: Mode, sequenced: bool) -> Grid {
        match (mode, sequenced) {
            (Mode::Interval, _) => Grid::Painted { sequenced, cells: vec![(i64::MIN, 0); CELLS] },
            (Mode::UntilChanged, false) => Grid::Changes(vec![None; CELLS]),
            (Mode::UntilChanged, true) => Grid::Numbered(vec![None; CELLS]),
        }
    }

    pub fn take(&mut self, draft: &Draft) {
        let before = self.cells();
        let (held, to) = (before[draft.from], draft.to.unwrap_or(CELLS));
        let value = match draft.operation {
            Operation::Put => Some(draft.value),
            Operation::Delete => Some(0),
            Operation::Retract => None,
        };
        match self {
            Grid::Painted { sequenced, cells } => {
                let Some(value) = value else { return };
                let sequence = if *sequenced { draft.sequence } else { 0 };
                for cell in &mut cells[draft.from..to] {
                    if sequence >= cell.0 {
                        *cell = (sequence, value);
                    }
                }
            }
            Grid::Changes(points) if draft.exact => {
                if before[draft.from..to].iter().all(|held| Some(*held) == value) {
                    return;
                }
                points[draft.from] = value;
                points[draft.from + 1..to].fill(None);
                if to < CELLS && points[to].is_none() {
                    points[to] = Some(before[to]);
                }
            }
            Grid::Changes(points) => {
                // What says nothing new is no change.
                if value != Some(held) {
                    points[draft.from] = value;
                }
            }
            Grid::Numbered(points) => {
                if points[draft.from].is_none_or(|(sequence, _)| sequence <= draft.sequence) {
                    points[draft.from] = Some((draft.sequence, value));
                }
            }
        }
    }

    pub fn cells(&self) -> Vec<u8> {
        let spread = |points: Vec<Option<u8>>| {
            let mut held = 0;
            let mut cells = Vec::with_capacity(CELLS);
            for point in points {
                held = point.unwrap_or(held);
                cells.push(held);
            }
            cells
        };
        match self {
            Grid::Painted { cells, .. } => cells.iter().map(|cell| cell.1).collect(),
            Grid::Changes(points) => spread(points.clone()),
            Grid::Numbered(points) => spread(points.iter().map(|point| point.and_then(|(_, value)| value)).collect()),
        }
    }
}

/// What an epoch appends for a change.
pub fn row(change: &Change, system_from: usize) -> (Assertion, u8) {
    let put = change.fingerprint != Fingerprint::NOTHING;
    let assertion = Assertion { from: change.from, to: change.to, system_from: system_from as i64, put };
    (assertion, change.fingerprint.0 as u8)
}
