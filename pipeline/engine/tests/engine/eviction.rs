//! Time to live of the state: whatever is evicted when, the same rows are committed as if nothing ever were.

use std::{sync::atomic::Ordering, time::Duration};

use engine::{
    eviction::Sweep,
    model::{Mode, OPEN},
    ports::{Sink, StateStore},
};
use proptest::prelude::*;

use crate::{
    memory::Row,
    oracle::{Sent, check, check_disjoint, config, crashed, expect, kinds, requests},
    world::{CHANGES, IMPORT, Kind, NUMBERED, World, known, line, numbered, with},
};

const INTERVALS: Kind = Kind { mode: Mode::Interval, ..CHANGES };
/// When the clock of a world begins, in microseconds: what is before an instant of valid time has gone with a time to live
/// of so much less.
const CLOCK_MICROS: u64 = 1_000_000_000_000_000;

fn evicting(kind: Kind, ttl: Duration) -> World {
    let mut world = World::new(kind);
    world.options.state_ttl = Some(ttl);
    world
}

/// A put over an interval.
fn over(key: &str, from: i64, to: i64, value: i64) -> String {
    with(&line(key, "put", from, value), "b", &format!("\"{}\"", engine::model::Instant(to)))
}

/// What happens to a world: requests in three runs, with slots for each, and which key groups a crash sets back before
/// the third. An import is sealed after the first.
#[derive(Debug, Clone)]
struct Script {
    max_records: u64,
    cuts: (usize, usize),
    slots: [u16; 3],
    older_groups: u64,
}

fn scripts() -> impl Strategy<Value = Script> {
    let parts = (1..120_u64, (0..14_usize, 0..14_usize), prop::array::uniform3(1..129_u16), any::<u64>());
    parts.prop_map(|(max_records, cuts, slots, older_groups)| Script { max_records, cuts, slots, older_groups })
}

fn play(world: &mut World, kind: Kind, lines: &[Vec<String>], script: &Script) {
    world.options.limits.max_records = script.max_records;
    let cut = |at: usize| at.min(lines.len());
    let (first, second) = (cut(script.cuts.0.min(script.cuts.1)), cut(script.cuts.0.max(script.cuts.1)));
    let mut states = vec![world.state.contents()];
    let runs = [&lines[..first], &lines[first..second], &lines[second..]];
    for (run, (lines, slots)) in runs.into_iter().zip(script.slots).enumerate() {
        if let [.., older, newer] = &states[..] {
            world.state.put_back(crashed(older, newer, script.older_groups));
            world.source.released.store(0, Ordering::Relaxed);
        }
        world.restart(slots);
        lines.iter().for_each(|lines| world.send(lines));
        if run == 0 && kind.import {
            world.seal();
        }
        if !lines.is_empty() || (run == 0 && kind.import) {
            world.run().unwrap();
        }
        states.push(world.state.contents());
    }
}

fn rows(world: &World) -> Vec<Row> {
    let mut rows = world.sink.rows.lock().unwrap().clone();
    rows.sort_by(|a, b| (a.system_from, &a.key, a.from).cmp(&(b.system_from, &b.key, b.from)));
    rows
}

fn compare(drafts: &[Vec<Sent>], kind: Kind, script: &Script, ttl: Duration) -> Result<(), TestCaseError> {
    let expected = expect(drafts, kind);
    let (mut keeping, mut world) = (World::new(kind), evicting(kind, ttl));
    play(&mut keeping, kind, &expected.lines, script);
    play(&mut world, kind, &expected.lines, script);
    prop_assert_eq!(rows(&world), rows(&keeping));
    prop_assert_eq!(world.counts(), keeping.counts());
    if !kind.import {
        for epoch in world.sink.epochs.lock().unwrap().clone() {
            check(&world, epoch.system_time.micros(), &expected.after_request[epoch.position as usize - 1])?;
        }
    }
    check_disjoint(&world)?;
    world.check_counts();
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn with_a_time_to_live_the_same_is_committed(
        drafts in requests(), kind in kinds(), script in scripts(), kept in prop::option::of(0..100_u64),
    ) {
        let ttl = kept.map_or(Duration::ZERO, |until| Duration::from_micros(CLOCK_MICROS - until));
        compare(&drafts, kind, &script, ttl)?;
    }
}

#[test]
fn what_ended_goes_from_the_state_and_keys_with_it() {
    let world = evicting(INTERVALS, Duration::ZERO);
    world.commit(&[over("gone", 0, 10, 1), over("half", 0, 10, 1), line("half", "put", 20, 2)]);
    let entries = world.state.contents().entries;
    assert_eq!(entries.keys().filter(|address| address.len() > 5).count(), 1, "one key is left");
    assert_eq!(world.progress.evicted_segments.load(Ordering::Relaxed), 2);
    world.commit(&[over("gone", 2, 4, 1), over("half", 0, 10, 1)]);
    assert_eq!(world.last_rows(), [(0, 10, Some(1)), (0, 10, Some(1)), (20, OPEN, Some(2))], "nothing new was said");
    assert_eq!(world.counts(), [3, 2, 0]);
}

#[test]
fn a_late_event_finds_what_was_there() {
    let world = evicting(INTERVALS, Duration::ZERO);
    world.commit(&[over("k", 0, 10, 1), over("k", 10, 20, 2)]);
    world.commit(&[over("k", 5, 25, 2)]);
    assert_eq!(world.last_rows(), [(5, 10, Some(2)), (20, 25, Some(2))]);
    let changes = evicting(CHANGES, Duration::ZERO);
    changes.commit(&[line("k", "put", 0, 1), line("k", "put", 10, 2), line("k", "put", 20, 3)]);
    changes.commit(&[line("k", "put", 5, 7)]);
    assert_eq!(changes.last_rows(), [(5, 10, Some(7))]);
    changes.commit(&[line("k", "retract", 5, 0)]);
    assert_eq!(changes.last_rows(), [(5, 10, Some(1))]);
}

#[test]
fn all_late_keys_of_an_epoch_are_asked_for_at_once_and_others_not_at_all() {
    let world = evicting(INTERVALS, Duration::from_micros(CLOCK_MICROS - 100));
    let keys = |range: std::ops::Range<i64>, from: i64| -> Vec<String> {
        range.map(|i| over(&format!("key {i}"), from, from + 10, from + i)).collect()
    };
    world.commit(&keys(0..500, 0));
    assert_eq!(world.progress.evicted_segments.load(Ordering::Relaxed), 500);
    world.commit(&keys(0..500, 5_000));
    assert_eq!(world.sink.fetched_back.lock().unwrap().len(), 0, "nothing reaches what was evicted");
    world.commit(&[keys(0..50, 5), keys(100..150, 6_000)].concat());
    let asked = world.sink.fetched_back.lock().unwrap();
    assert_eq!((asked.len(), asked[0].len()), (1, 50));
    assert!(asked[0].iter().all(|(_, stretch)| *stretch == (5, 15)), "no more than they reach");
}

#[test]
fn a_replay_is_told_what_the_first_time_was_told() {
    let world = evicting(CHANGES, Duration::ZERO);
    world.commit(&[line("k", "put", 0, 1), line("k", "put", 10, 2), line("k", "put", 20, 3)]);
    let before = world.state.contents();
    world.commit(&[line("k", "put", 5, 7)]);
    world.commit(&[line("k", "retract", 10, 0), line("k", "put", 7, 8)]);
    let after = world.state.contents();
    world.state.put_back(before);
    world.source.released.store(0, Ordering::Relaxed);
    world.commit(&[line("k", "retract", 7, 0)]);
    assert_eq!(world.last_rows(), [(7, 20, Some(7))]);
    let sizes = |contents: &crate::memory::Contents| contents.entries.len();
    assert_eq!(sizes(&world.state.contents()), sizes(&after));
}

#[test]
fn what_the_lake_does_not_tell_stays() {
    let world = evicting(NUMBERED, Duration::ZERO);
    world.commit(&[
        numbered(5, &line("k", "put", 0, 1)),
        numbered(6, &line("k", "delete", 10, 0)),
        numbered(7, &line("k", "put", 20, 2)),
        numbered(7, &line("k", "put", 30, 3)),
    ]);
    assert_eq!(world.progress.evicted_segments.load(Ordering::Relaxed), 2, "but for the delete and what holds");
    // Said again under a larger number: no row says so.
    world.commit(&[numbered(9, &line("k", "put", 0, 1))]);
    world.commit(&[numbered(8, &line("k", "put", 0, 4)), numbered(5, &line("k", "put", 10, 4))]);
    assert_eq!(world.counts(), [4, 3, 0]);
}

#[test]
fn an_import_stays_whole_until_it_is_sealed() {
    let world = evicting(Kind { mode: Mode::Interval, ..IMPORT }, Duration::ZERO);
    world.commit(&[known(1, &over("k", 0, 10, 1)), known(2, &over("k", 20, 30, 1)), known(3, &over("l", 0, 1, 1))]);
    assert_eq!(world.progress.evicted_segments.load(Ordering::Relaxed), 0);
    world.seal();
    world.run().unwrap();
    assert_eq!(world.progress.evicted_segments.load(Ordering::Relaxed), 3);
    world.commit(&[over("k", 0, 10, 1)]);
    assert_eq!(world.counts()[1], 1);
}

#[test]
fn a_sweep_takes_bounded_steps_and_gets_round() {
    let world = World::new(INTERVALS);
    let count = 20_000;
    world.commit(&(0..count).map(|i| over(&format!("key {i}"), 0, 10, i)).collect::<Vec<_>>());
    assert_eq!(world.state.key_group_bytes().unwrap().iter().filter(|bytes| **bytes > 0).count(), 128);
    let (mut sweep, mut keys, mut steps) = (Sweep::new(Some(Duration::ZERO)), 0, 0);
    loop {
        let outcome = sweep.step(world.state.as_ref(), world.sink.as_ref() as &dyn Sink).unwrap();
        if outcome.entries == 0 {
            break;
        }
        assert!(outcome.entries <= 8_192 + 1);
        (keys, steps) = (keys + outcome.keys, steps + 1);
    }
    assert_eq!((keys, steps), (count as u64, 3));
    assert!(world.state.contents().entries.keys().all(|address| address.len() == 5), "until when is all that is left");
    // It does not begin again before there is something to do.
    assert_eq!(sweep.step(world.state.as_ref(), world.sink.as_ref()).unwrap().entries, 0);
}

#[test]
fn a_long_timeline_goes_page_by_page_and_comes_back_whole() {
    let world = evicting(CHANGES, Duration::ZERO);
    let count = 100;
    world.commit(&(0..count).map(|i| line("k", "put", 10 * i, i)).collect::<Vec<_>>());
    assert_eq!(world.state.contents().entries.len(), 2, "a head and until when");
    for i in [50, 1, 98] {
        world.commit(&[line("k", "put", 10 * i + 5, 1_000 + i)]);
        assert_eq!(world.last_rows(), [(10 * i + 5, 10 * i + 10, Some(1_000 + i))]);
        world.commit(&[line("k", "retract", 10 * i, 0)]);
        assert_eq!(world.last_rows(), [(10 * i, 10 * i + 5, Some(i - 1))]);
        assert_eq!(world.state.contents().entries.len(), 2);
    }
}
