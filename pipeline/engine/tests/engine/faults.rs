//! Faults of what the pipeline stands on: a clock set back, a full or slow disk, a damaged state. Each is told, nothing is
//! lost and nothing comes twice.

use std::{sync::atomic::Ordering, time::Duration};

use crate::world::{CHANGES, World, line, request};

const HOUR_MICROS: i64 = 3_600_000_000;

fn lines(from: i64) -> Vec<String> {
    vec![line("k", "put", from, from)]
}

fn system_times(world: &World) -> Vec<i64> {
    world.sink.epochs.lock().unwrap().iter().map(|record| record.system_time.micros()).collect()
}

#[test]
fn system_time_goes_on_where_the_clock_is_set_back_and_somebody_is_told() {
    let world = World::new(CHANGES);
    let behind = || world.progress.clock_behind_micros.load(Ordering::Relaxed);
    world.commit(&lines(1));
    assert_eq!(behind(), 0);
    world.clock.set_forward(-HOUR_MICROS);
    world.commit(&lines(2));
    world.commit(&lines(3));
    assert!(behind() > HOUR_MICROS as u64 / 2, "{}", behind());
    world.clock.set_forward(HOUR_MICROS);
    world.commit(&lines(4));
    assert_eq!(behind(), 0);
    let times = system_times(&world);
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert!(times[2] - times[0] < 1_000, "by microseconds until the clock has caught up: {times:?}");
    world.check_counts();
}

#[test]
fn a_disk_that_is_full_for_a_while_delays_commits_and_loses_nothing() {
    let mut world = World::new(CHANGES);
    world.options.limits.max_records = 1;
    (1..=4).for_each(|from| world.send(&lines(from)));
    world.sink.fail_commits.store(3, Ordering::Relaxed);
    world.run().unwrap();
    assert_eq!(world.progress.failures.load(Ordering::Relaxed), 3);
    assert_eq!(world.progress.trouble(), None, "and it is over");
    assert_eq!(world.sink.rows.lock().unwrap().len(), 4);
    world.check_counts();
}

#[test]
fn what_stands_against_commits_is_told_until_it_is_over() {
    let world = World::new(CHANGES);
    world.send(&lines(1));
    world.sink.fail_commits.store(u64::MAX, Ordering::Relaxed);
    let (pipeline, stop) = world.pipeline();
    let (progress, sink) = (world.progress.clone(), world.sink.clone());
    let running = std::thread::spawn(move || pipeline.run(&stop));
    while progress.trouble().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let trouble = progress.trouble().unwrap();
    assert!(trouble.contains("the disk is full"), "{trouble}");
    assert!(!progress.failed.load(Ordering::Relaxed), "it is tried again");
    sink.fail_commits.store(0, Ordering::Relaxed);
    running.join().unwrap().unwrap();
    assert_eq!(progress.trouble(), None);
    world.check_counts();
}

#[test]
fn a_slow_disk_makes_epochs_larger_and_is_told() {
    let mut world = World::new(CHANGES);
    world.options.slow_epoch = Duration::from_millis(2);
    *world.sink.pause.lock().unwrap() = Duration::from_millis(2);
    *world.state.pause.lock().unwrap() = Duration::from_millis(1);
    (1..=200).for_each(|from| world.send(&lines(from)));
    let (pipeline, stop) = world.pipeline();
    let source = world.source.clone();
    // While epochs are slow more arrives.
    let more = std::thread::spawn(move || {
        for from in 201..=400 {
            source.append(request(&lines(from)));
        }
    });
    pipeline.run(&stop).unwrap();
    more.join().unwrap();
    let epochs = world.sink.epochs.lock().unwrap().len() as u64;
    assert_eq!(world.progress.slow_epochs.load(Ordering::Relaxed), epochs);
    assert!(epochs < 200, "{epochs} epochs for 400 requests");
    // What arrived after the pipeline was told to stop waits for the next start.
    if world.source.last_position() > world.sink.epochs.lock().unwrap().last().unwrap().position {
        world.run().unwrap();
    }
    assert_eq!(world.sink.rows.lock().unwrap().len(), 400);
    world.check_counts();
}

#[test]
fn a_damaged_state_stops_the_pipeline_which_says_why() {
    let world = World::new(CHANGES);
    world.commit(&lines(1));
    world.send(&lines(2));
    world.state.damaged.store(true, Ordering::Relaxed);
    assert!(world.run().is_err());
    assert!(world.progress.failed.load(Ordering::Relaxed));
    assert!(world.progress.trouble().unwrap().contains("restore a savepoint"));
    assert_eq!(world.sink.rows.lock().unwrap().len(), 1, "nothing is committed on what cannot be read");
}

#[test]
fn the_state_is_made_durable_after_so_many_records_whatever_the_time() {
    let mut world = World::new(CHANGES);
    world.options.limits.max_records = 1;
    world.options.checkpoint_max_records = 2;
    (1..=5).for_each(|from| world.send(&lines(from)));
    let source = world.source.clone();
    let (mut pipeline, stop) = world.pipeline();
    let released = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, told) = (released.clone(), pipeline.on_commit);
    pipeline.on_commit = Box::new(move |record, datasets| {
        seen.lock().unwrap().push(source.released.load(Ordering::Relaxed));
        told(record, datasets);
    });
    pipeline.run(&stop).unwrap();
    assert_eq!(*released.lock().unwrap(), [0, 0, 2, 2, 4]);
    assert_eq!(world.released(), 5);
}
