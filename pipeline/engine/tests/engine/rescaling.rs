//! Another number of slots while the pipeline runs: when it comes, what it leaves alone, and what a crash makes of it.

use std::sync::atomic::Ordering;

use engine::{model::KEY_GROUPS, rescale::Refusal};

use crate::{
    memory::DATASET,
    world::{CHANGES, World, ask, line, logged},
};

/// Lines of so many keys, over all key groups.
fn lines(keys: i64, value: i64) -> Vec<String> {
    (0..keys).map(|key| line(&format!("key {key}"), "put", value, value)).collect()
}

/// What holds of every key after so many of its values, each known by its epoch.
fn check(world: &World, keys: i64, values: i64) {
    for key in 0..keys {
        for value in 1..=values {
            let held = world.sink.holding(DATASET, &format!("key {key}"), value, i64::MAX, u64::MAX);
            assert_eq!(held.and_then(|row| row.value), Some(value), "key {key} at {value}");
        }
    }
    assert_eq!(world.sink.rows.lock().unwrap().len() as i64, keys * values, "nothing twice");
    world.check_counts();
}

#[test]
fn slots_change_between_two_epochs_once_the_state_has_the_first() {
    let mut world = World::new(CHANGES);
    world.options.limits.max_records = 1;
    // After the first epoch; after the second that number is there already.
    world.wanted_slots = vec![3];
    world.send(&[line("k", "put", 1, 1)]);
    world.send(&[line("k", "put", 2, 2)]);
    world.run().unwrap();
    let log = logged(&world.log);
    let (first, second) = log.split_at(7);
    assert_eq!(first[..4], ["commit 1", "announce 1", "rescale requested", "rescale draining"]);
    assert_eq!(first[4..], ["state 1", "rescale handing_over", "rescale done"]);
    assert_eq!(second, ["commit 2", "announce 2", "state 2", "state 2", "state 2"], "one write by each slot");
    assert_eq!(world.scaling.slots(), 3);
}

#[test]
fn an_idle_pipeline_changes_its_slots_too() {
    let world = World::new(CHANGES);
    ask(&world.scaling, 7).unwrap();
    world.commit(&lines(1, 1));
    assert_eq!(logged(&world.log)[..3], ["rescale requested", "rescale handing_over", "rescale done"]);
    assert_eq!(world.scaling.slots(), 7);
}

#[test]
fn any_number_of_slots_up_to_that_of_key_groups_gives_the_same_answers() {
    let mut world = World::new(CHANGES);
    world.wanted_slots = vec![1, KEY_GROUPS, 3, 127, 0, KEY_GROUPS + 1, 64];
    world.options.limits.max_records = 1;
    (1..=9).for_each(|value| world.send(&lines(300, value)));
    world.run().unwrap();
    let done = logged(&world.log).iter().filter(|entry| *entry == "rescale done").count();
    assert!(done >= 5, "{done} of them");
    check(&world, 300, 9);
}

#[test]
fn a_write_that_fails_under_a_rescale_is_made_up_for_before_slots_change() {
    let mut world = World::new(CHANGES);
    world.restart(4);
    world.options.limits.max_records = 1;
    world.wanted_slots = vec![9];
    (1..=3).for_each(|value| world.send(&lines(50, value)));
    // One of four slots fails; the others have written.
    world.state.fail_once.store(true, Ordering::Relaxed);
    world.run().unwrap();
    let log = logged(&world.log);
    let place = |entry: &str| log.iter().position(|found| found == entry).unwrap();
    let state_1 = log.iter().rposition(|found| found == "state 1").unwrap();
    assert!(state_1 < place("rescale handing_over"), "{log:?}");
    assert!(place("rescale done") < place("commit 2"), "{log:?}");
    assert_eq!(world.scaling.slots(), 9);
    check(&world, 50, 3);
}

#[test]
fn a_crash_between_commit_and_state_is_replayed_under_another_number_of_slots() {
    for (before, after) in [(1, 8), (8, 1), (2, 3), (3, KEY_GROUPS), (KEY_GROUPS, 5)] {
        let mut world = World::new(CHANGES);
        world.restart(before);
        world.commit(&lines(200, 1));
        let older = world.state.contents();
        world.commit(&lines(200, 2));
        let mut crashed = world.state.contents();
        // What of the second epoch was written is what half of the slots wrote.
        let written = before / 2 * KEY_GROUPS / before;
        for group in usize::from(written)..usize::from(KEY_GROUPS) {
            crashed.applied[group] = older.applied[group];
            crashed.entries.retain(|key, _| usize::from(key[0]) != group);
            let entries = older.entries.iter().filter(|(key, _)| usize::from(key[0]) == group);
            crashed.entries.extend(entries.map(|(key, value)| (key.clone(), value.clone())));
        }
        world.state.put_back(crashed);
        world.source.released.store(0, Ordering::Relaxed);
        world.restart(after);
        world.commit(&lines(200, 3));
        check(&world, 200, 3);
    }
}

#[test]
fn a_pipeline_that_broke_takes_no_request() {
    let world = World::new(CHANGES);
    world.send(&lines(1, 1));
    world.sink.panic_at_commit.store(true, Ordering::Relaxed);
    let (pipeline, stop) = world.pipeline();
    assert!(std::thread::spawn(move || pipeline.run(&stop)).join().is_err());
    assert_eq!(ask(&world.scaling, 4), Err(Refusal::NotRunning));
}
