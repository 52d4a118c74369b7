//! History imports: retractions among carried system times, and what is kept of the lines held back.

use std::{sync::atomic::Ordering, time::Duration};

use engine::model::OPEN;

use crate::world::{IMPORT, World, known, line};

fn put(system_time: i64, from: i64, value: i64) -> String {
    known(system_time, &line("k", "put", from, value))
}

fn retract(system_time: i64, from: i64) -> String {
    known(system_time, &line("k", "retract", from, 0))
}

fn shown(world: &World) -> Vec<(i64, i64, i64, Option<i64>)> {
    let rows = world.sink.rows.lock().unwrap();
    rows.iter().map(|row| (row.system_from, row.from, row.to, row.put.then_some(row.value).flatten())).collect()
}

#[test]
fn an_earlier_system_time_of_the_epoch_gives_the_values() {
    let world = World::new(IMPORT);
    world.send(&[put(1, 0, 1), put(2, 10, 2), put(3, 20, 3), retract(4, 10), retract(5, 20)]);
    world.seal();
    world.run().unwrap();
    assert_eq!(
        shown(&world),
        [
            (1, 0, OPEN, Some(1)),
            (2, 10, OPEN, Some(2)),
            (3, 20, OPEN, Some(3)),
            (4, 10, 20, Some(1)),
            (5, 20, OPEN, Some(1))
        ]
    );
    assert_eq!(world.asked(), 0);
}

#[test]
fn an_earlier_epoch_of_the_import_gives_the_values_though_it_is_not_sealed() {
    let world = World::new(IMPORT);
    world.commit(&[put(1, 0, 1), put(2, 10, 2), put(3, 20, 3), put(4, 100, 4)]);
    world.commit(&[retract(5, 10), retract(6, 20), put(7, 100, 5)]);
    assert_eq!(shown(&world)[3..], [(4, 100, OPEN, Some(4)), (5, 10, 20, Some(1)), (6, 20, 100, Some(1))]);
    assert_eq!(*world.sink.asked.lock().unwrap(), [[("k".to_owned(), 0), ("k".to_owned(), 0)]]);
    world.seal();
    world.run().unwrap();
    assert_eq!(shown(&world)[6..], [(7, 100, OPEN, Some(5))]);
    world.check_counts();
}

#[test]
fn notes_of_what_is_held_back_do_not_pile_up() {
    let mut world = World::new(IMPORT);
    for i in 1..6 {
        world.commit(&[put(i, 10 * i, i)]);
    }
    assert_eq!(world.state.contents().notes.len(), 1, "each stop is a checkpoint, which clears those before");
    world.options.limits.max_records = 1;
    for i in 6..12 {
        world.send(&[put(i, 10 * i, i)]);
    }
    world.options.checkpoint_interval = Duration::ZERO;
    world.run().unwrap();
    assert_eq!(world.state.contents().notes.len(), 1);
    world.seal();
    world.run().unwrap();
    assert_eq!(shown(&world).len(), 11, "nothing that was held back is lost");
    world.check_counts();
}

#[test]
fn notes_since_the_last_checkpoint_outlive_a_crash() {
    let mut world = World::new(IMPORT);
    world.options.limits.max_records = 1;
    world.commit(&[put(1, 10, 1)]);
    let durable = world.state.contents();
    for i in 2..6 {
        world.send(&[put(i, 10 * i, i)]);
    }
    world.run().unwrap();
    world.state.put_back(durable);
    world.source.released.store(1, Ordering::Relaxed);
    world.seal();
    world.run().unwrap();
    assert_eq!(shown(&world), (1..6).map(|i| (i, 10 * i, OPEN, Some(i))).collect::<Vec<_>>());
    world.check_counts();
}

#[test]
fn what_was_held_back_outlives_a_state_that_could_not_be_written() {
    let run = |fails: bool| {
        let world = World::new(IMPORT);
        world.commit(&[put(1, 10, 1)]);
        world.state.fail_once.store(fails, Ordering::Relaxed);
        world.send(&[put(2, 20, 2)]);
        assert_eq!(world.run().is_err(), fails, "it was to stop by then, and did not try again");
        world.seal();
        world.run().unwrap();
        world.check_counts();
        (shown(&world), world.state.contents().entries)
    };
    assert_eq!(run(true), run(false), "the note before it is still there when the epoch is applied again");
}
