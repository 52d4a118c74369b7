//! Retractions from line to row: whose values extend, where they come from, and timelines of several pages.

use std::sync::atomic::Ordering;

use engine::{model::OPEN, state_value::PAGE_SEGMENTS_MAX};

use crate::{
    memory::DATASET,
    world::{CHANGES, NUMBERED, World, line, numbered},
};

fn puts(changes: &[(i64, i64)]) -> Vec<String> {
    changes.iter().map(|&(from, value)| line("k", "put", from, value)).collect()
}

fn retract(from: i64) -> Vec<String> {
    vec![line("k", "retract", from, 0)]
}

/// One change every ten microseconds, more than fit three pages, each request with one.
fn long_world() -> (World, i64) {
    let world = World::new(CHANGES);
    let count = 3 * PAGE_SEGMENTS_MAX as i64 + 5;
    for i in 0..count {
        world.send(&puts(&[(10 * i, i)]));
    }
    let mut world = world;
    world.options.limits.max_records = 1;
    world.run().unwrap();
    let pages = world.state.contents().entries.len();
    assert!(pages > 3, "{pages} pages");
    (world, count)
}

#[test]
fn values_of_an_earlier_epoch_extend_over_what_is_withdrawn() {
    let world = World::new(CHANGES);
    world.commit(&puts(&[(0, 1), (10, 2), (20, 3)]));
    world.commit(&retract(10));
    assert_eq!(world.last_rows(), [(10, 20, Some(1))]);
    assert_eq!(*world.sink.asked.lock().unwrap(), [[("k".to_owned(), 0)]]);
    world.commit(&retract(20));
    assert_eq!(world.last_rows(), [(20, OPEN, Some(1))]);
}

#[test]
fn values_of_the_same_epoch_are_not_asked_for() {
    let world = World::new(CHANGES);
    world.commit(&puts(&[(10, 2), (20, 3)]));
    world.commit(&[puts(&[(0, 1), (15, 5)]), retract(10), retract(20)].concat());
    assert_eq!(world.last_rows(), [(0, 15, Some(1)), (15, OPEN, Some(5))]);
    assert_eq!(world.asked(), 0);
}

#[test]
fn what_holds_before_the_epoch_is_asked_for_and_not_what_held_once() {
    let world = World::new(CHANGES);
    world.commit(&puts(&[(0, 1), (10, 2)]));
    world.commit(&puts(&[(0, 7)]));
    world.commit(&retract(10));
    assert_eq!(world.last_rows(), [(10, OPEN, Some(7))]);
}

#[test]
fn behind_a_delete_and_behind_nothing_a_retraction_writes_a_delete() {
    let world = World::new(CHANGES);
    world.commit(&[vec![line("k", "put", 0, 1), line("k", "delete", 10, 0)], puts(&[(20, 2)])].concat());
    world.commit(&retract(20));
    assert_eq!(world.last_rows(), [(20, OPEN, None)]);
    world.commit(&retract(0));
    assert_eq!(world.last_rows(), [(0, 10, None)]);
    assert_eq!(world.asked(), 0, "nothing has no values");
}

#[test]
fn all_keys_of_an_epoch_are_asked_for_at_once() {
    let world = World::new(CHANGES);
    let lines = |operation: &str, from: i64| -> Vec<String> {
        (0..50).map(|i| line(&format!("key {i}"), operation, from, i + from)).collect()
    };
    world.commit(&[lines("put", 0), lines("put", 10)].concat());
    world.commit(&lines("retract", 10));
    assert_eq!(world.asked(), 1);
    assert_eq!(world.last_rows(), (0..50).map(|i| (10, OPEN, Some(i))).collect::<Vec<_>>());
}

#[test]
fn a_null_that_was_said_extends_as_a_null_and_not_as_a_delete() {
    let world = World::new(CHANGES);
    world.commit(&[line("k", "put", 0, 0).replace(r#""v":0"#, r#""v":null"#), line("k", "put", 10, 2)]);
    world.commit(&retract(10));
    let rows = world.sink.rows.lock().unwrap();
    assert!(rows.last().is_some_and(|row| row.put && row.value.is_none() && row.from == 10), "{rows:?}");
}

#[test]
fn any_change_of_a_long_timeline_can_be_withdrawn_wherever_its_page_begins() {
    let (world, count) = long_world();
    for i in (1..count).step_by(2) {
        world.commit(&retract(10 * i));
        let until = if i + 1 < count { 10 * (i + 1) } else { OPEN };
        assert_eq!(world.last_rows(), [(10 * i, until, Some(i - 1))]);
    }
    // Again one by one, from the end: what is left falls back to what is left before it.
    for i in (2..count).step_by(2).collect::<Vec<_>>().into_iter().rev() {
        world.commit(&retract(10 * i));
        assert_eq!(world.last_rows(), [(10 * i, OPEN, Some(i - 2))]);
    }
    world.commit(&retract(0));
    assert_eq!(world.last_rows(), [(0, OPEN, None)]);
    assert!(world.state.contents().entries.is_empty(), "nothing is left to remember");
}

#[test]
fn a_whole_long_timeline_can_be_withdrawn_at_once() {
    let (world, count) = long_world();
    world.commit(&(1..count).flat_map(|i| retract(10 * i)).collect::<Vec<_>>());
    assert_eq!(world.last_rows(), [(10, OPEN, Some(0))]);
    assert_eq!(world.state.contents().entries.len(), 1, "no page is left behind");
}

#[test]
fn pages_that_begin_with_a_retraction_say_what_holds() {
    let world = World::new(NUMBERED);
    let count = 4 * PAGE_SEGMENTS_MAX as i64;
    let at = |i: i64, operation: &str, sequence: i64| numbered(sequence, &line("k", operation, 10 * i, i));
    // Withdrawn before they come, all but the first and the last.
    let withdrawn: Vec<String> = (1..count - 1).map(|i| at(i, "retract", 5)).collect();
    world.commit(&[vec![at(count - 1, "put", 1)], withdrawn].concat());
    world.commit(&[at(0, "put", 1)]);
    assert_eq!(world.last_rows(), [(0, 10 * (count - 1), Some(0))]);
    world.commit(&(1..count - 1).map(|i| at(i, "put", 4)).collect::<Vec<_>>());
    assert_eq!(world.last_rows(), [(0, 10 * (count - 1), Some(0))], "older numbers do not come back");
    world.commit(&[at(count - 1, "retract", 6)]);
    assert_eq!(world.last_rows(), [(10 * (count - 1), OPEN, Some(0))]);
    world.commit(&[at(20, "put", 6)]);
    assert_eq!(world.last_rows(), [(200, OPEN, Some(20))]);
    world.commit(&[at(20, "retract", 7)]);
    assert_eq!(world.last_rows(), [(200, OPEN, Some(0))]);
    world.check_counts();
}

#[test]
fn a_sequence_number_extends_with_the_values_it_came_with() {
    let world = World::new(NUMBERED);
    world.commit(&[numbered(3, &line("k", "put", 0, 1)), numbered(4, &line("k", "put", 10, 2))]);
    // The same values under another number, elsewhere: not those that extend.
    world.commit(&[numbered(9, &line("k", "put", 50, 1)), numbered(8, &line("k", "retract", 10, 0))]);
    let rows = world.sink.rows.lock().unwrap();
    let extended = rows.iter().find(|row| row.from == 10 && row.system_from > rows[0].system_from).unwrap();
    assert_eq!((extended.to, extended.value, extended.sequence), (50, Some(1), Some(3)));
}

#[test]
fn a_replay_asks_for_nothing_and_ends_in_the_same_state() {
    let world = World::new(CHANGES);
    world.commit(&puts(&[(0, 1), (10, 2), (20, 3)]));
    let before = world.state.contents();
    world.commit(&retract(10));
    let (after, asked) = (world.state.contents(), world.asked());
    assert_eq!(asked, 1);
    world.state.put_back(before);
    world.source.released.store(0, Ordering::Relaxed);
    world.commit(&puts(&[(0, 1)]));
    assert_eq!(world.asked(), asked, "the lake has the epoch already");
    assert_eq!(world.state.contents().entries, after.entries);
}

#[test]
fn a_retraction_in_interval_mode_is_quarantined_with_its_reason() {
    let world = World::new(crate::world::Kind { mode: engine::model::Mode::Interval, ..CHANGES });
    world.commit(&[line("k", "put", 0, 1), line("k", "retract", 0, 0)]);
    let quarantine = world.source.quarantine.lock().unwrap();
    let entry = &quarantine[&(1, 2, DATASET)];
    assert_eq!(entry.dataset_id, DATASET);
    assert_eq!(
        entry.reason,
        "column 'op' says 'retract', but in interval mode there is no change to withdraw; say 'delete' over the interval"
    );
    world.check_counts();
}
