//! Random events against a naive dense grid: whatever the epochs, the pages, the rescales and the crashes, what is
//! committed says as of every system time what the events up to then said.
//!
//! 64 cases; `PROPTEST_CASES=10000` asks for more. A failure prints its seed for `PROPTEST_RNG_SEED`.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::atomic::Ordering,
};

use engine::model::Mode;
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed},
};

use crate::{
    grid::{Draft, Grid},
    memory::{Contents, DATASET, Row},
    world::{Kind, World},
};

/// Valid instants 0..CELLS, enough for timelines of several pages; the last stands for all that follow.
const CELLS: usize = 90;
pub const KEYS: [&str; 2] = ["one", "two"];

pub fn config() -> Config {
    let given = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let cases = given("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(64);
    let seed = given("PROPTEST_RNG_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed"));
    eprintln!("{cases} cases; to play them again: PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed}");
    Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() }
}

#[derive(Debug, Clone)]
pub struct Sent {
    draft: Draft,
    /// How much later than the event before it was known, in an import.
    later: i64,
}

pub fn requests() -> impl Strategy<Value = Vec<Vec<Sent>>> {
    let value = prop_oneof![1 => Just(Some(0)), 7 => (1..5_i64).prop_map(Some), 4 => Just(None)];
    let one = (0..KEYS.len(), value, 0..CELLS, prop::option::of(1..30_usize), 0..400_i64, 0..3_i64);
    let draft = one.prop_map(|(key, value, from, length, sequence, later)| {
        let to = length.map_or(CELLS, |length| (from + length).min(CELLS));
        Sent { draft: Draft { key, value, from, to, sequence }, later }
    });
    prop::collection::vec(prop::collection::vec(draft, 1..40), 1..14)
}

pub fn kinds() -> impl Strategy<Value = Kind> {
    let modes = prop_oneof![1 => Just(Mode::Interval), 3 => Just(Mode::UntilChanged)];
    (modes, any::<bool>(), any::<bool>()).prop_map(|(mode, sequenced, import)| Kind { mode, sequenced, import })
}

pub type Grids = Vec<Vec<i64>>;

/// What the events said, by request and by carried system time.
pub struct Expected {
    pub lines: Vec<Vec<String>>,
    pub after_request: Vec<Grids>,
    pub as_carried: BTreeMap<i64, Grids>,
}

pub fn expect(requests: &[Vec<Sent>], kind: Kind) -> Expected {
    let mut grids = vec![Grid::new(kind, CELLS); KEYS.len()];
    let mut expected = Expected { lines: Vec::new(), after_request: Vec::new(), as_carried: BTreeMap::new() };
    let mut system_time = 1_000;
    for sent in requests {
        let mut lines = Vec::new();
        for Sent { draft, later } in sent {
            system_time += later;
            grids[draft.key].take(draft);
            lines.push(draft.text(KEYS[draft.key], kind, CELLS, system_time));
            expected.as_carried.insert(system_time, grids.iter().map(Grid::cells).collect());
        }
        expected.lines.push(lines);
        expected.after_request.push(grids.iter().map(Grid::cells).collect());
    }
    expected
}

/// State of which some key groups are as they were earlier.
pub fn crashed(older: &Contents, newer: &Contents, key_groups: u64) -> Contents {
    let is_older = |group: usize| key_groups >> (group % 64) & 1 == 1;
    let of = |contents: &Contents, older: bool| {
        let entries = contents.entries.clone().into_iter();
        entries.filter(move |(key, _)| is_older(usize::from(key[0])) == older).collect::<Vec<_>>()
    };
    let applied = (0..newer.applied.len())
        .map(|group| if is_older(group) { older.applied[group] } else { newer.applied[group] })
        .collect();
    Contents {
        entries: of(older, true).into_iter().chain(of(newer, false)).collect(),
        applied,
        notes: older.notes.clone(),
    }
}

pub fn check(world: &World, system_time: i64, expected: &Grids) -> Result<(), TestCaseError> {
    for (key, cells) in KEYS.iter().zip(expected) {
        let held = |cell: usize| {
            let row = world.sink.holding(DATASET, key, cell as i64, system_time, u64::MAX);
            row.map_or(0, |row| row.value.unwrap_or_default())
        };
        prop_assert_eq!(&(0..CELLS).map(held).collect::<Vec<_>>(), cells, "key {} as of {}", key, system_time);
    }
    Ok(())
}

/// Rows of one key that became known together share no instant.
pub fn check_disjoint(world: &World) -> Result<(), TestCaseError> {
    let mut rows = world.sink.rows.lock().unwrap().clone();
    rows.sort_by(|a, b| (&a.key, a.system_from, a.from).cmp(&(&b.key, b.system_from, b.from)));
    let together = |a: &Row, b: &Row| (&a.key, a.system_from) == (&b.key, b.system_from);
    prop_assert!(rows.windows(2).all(|pair| !together(&pair[0], &pair[1]) || pair[0].to <= pair[1].from));
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_committed_says_what_the_events_said(
        requests in requests(), kind in kinds(), max_records in 1..120_u64, cuts in (0..14_usize, 0..14_usize),
        older_groups in any::<u64>(), wanted_slots in prop::collection::vec(0..=130_u16, 0..6),
        slots_after_restart in 1..=128_u16,
    ) {
        let expected = expect(&requests, kind);
        let mut world = World::new(kind);
        world.options.limits.max_records = max_records;
        world.wanted_slots = wanted_slots;
        let cut = |at: usize| at.min(expected.lines.len());
        let (first, second) = (cut(cuts.0.min(cuts.1)), cut(cuts.0.max(cuts.1)));
        let mut states = vec![world.state.contents()];
        for lines in [&expected.lines[..first], &expected.lines[first..second], &expected.lines[second..]] {
            if let [.., older, newer] = &states[..] {
                // What a crash takes was neither durable nor let go of by the source.
                world.state.put_back(crashed(older, newer, older_groups));
                world.source.released.store(0, Ordering::Relaxed);
                world.restart(slots_after_restart);
            }
            lines.iter().for_each(|lines| world.send(lines));
            if !lines.is_empty() {
                world.run().unwrap();
            }
            states.push(world.state.contents());
        }
        if kind.import {
            world.seal();
            world.run().unwrap();
            for (&system_time, grids) in &expected.as_carried {
                check(&world, system_time, grids)?;
            }
        } else {
            for epoch in world.sink.epochs.lock().unwrap().clone() {
                check(&world, epoch.system_time.micros(), &expected.after_request[epoch.position as usize - 1])?;
            }
        }
        check_disjoint(&world)?;
        world.check_counts();
        prop_assert!(world.source.quarantine.lock().unwrap().is_empty());
    }
}
