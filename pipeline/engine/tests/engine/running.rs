//! How the pipeline announces, stops and fails.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arrow::array::ArrayRef;
use engine::{
    Error, ErrorKind, Result,
    model::EpochRecord,
    ports::{DatasetInfo, EpochCommit, HeldRows, RowWriter, Sink, StateStore},
};

use crate::{
    lake::Lake,
    world::{CHANGES, World, line, logged},
};

fn lines(from: i64) -> Vec<String> {
    vec![line("k", "put", from, from)]
}

#[test]
fn an_epoch_is_announced_after_its_commit_though_its_state_cannot_be_written() {
    let mut world = World::new(CHANGES);
    world.options.limits.max_records = 1;
    world.send(&lines(1));
    world.send(&lines(2));
    world.state.fail_once.store(true, Ordering::Relaxed);
    world.run().unwrap();
    assert_eq!(logged(&world.log), ["commit 1", "announce 1", "state 1", "commit 2", "announce 2", "state 2"]);
    assert_eq!(world.progress.records.load(Ordering::Relaxed), 2);
    assert_eq!(world.sink.rows.lock().unwrap().len(), 2, "and committed once");
    assert_eq!(world.released(), 2);
}

#[test]
fn a_panic_leaves_a_pipeline_that_says_it_failed() {
    let world = World::new(CHANGES);
    world.send(&lines(1));
    world.sink.panic_at_commit.store(true, Ordering::Relaxed);
    let (pipeline, stop) = world.pipeline();
    assert!(std::thread::spawn(move || pipeline.run(&stop)).join().is_err());
    assert!(world.progress.failed.load(Ordering::Relaxed));
    assert!(!world.progress.running.load(Ordering::Relaxed));
}

#[test]
fn a_stop_leaves_a_pipeline_that_does_not_run_and_did_not_fail() {
    let world = World::new(CHANGES);
    world.commit(&lines(1));
    assert!(!world.progress.running.load(Ordering::Relaxed));
    assert!(!world.progress.failed.load(Ordering::Relaxed));
}

#[test]
fn a_stop_while_catching_up_keeps_what_was_caught_up_and_lets_go_of_nothing() {
    let mut world = World::new(CHANGES);
    world.options.limits.max_records = 1;
    let empty = world.state.contents();
    (1..5).for_each(|from| world.send(&lines(from)));
    world.run().unwrap();
    let caught_up = world.state.contents();
    world.state.put_back(empty);
    world.source.released.store(0, Ordering::Relaxed);

    world.send(&lines(5));
    let (pipeline, stop) = world.pipeline();
    *world.state.stop_at_write.lock().unwrap() = Some(Arc::clone(&stop));
    pipeline.run(&stop).unwrap();
    let applied = world.state.applied_epochs().unwrap();
    assert!(applied.iter().all(|&epoch| epoch == 1), "the epoch it was at is finished: {applied:?}");
    assert_eq!(world.released(), 0);
    assert!(!world.progress.failed.load(Ordering::Relaxed));

    world.run().unwrap();
    assert_eq!(world.sink.rows.lock().unwrap().len(), 5);
    assert_eq!(world.released(), 5);
    assert!(world.state.contents().entries != caught_up.entries);
    world.check_counts();
}

/// A lake whose first commit happens and reports an error. Unless the pipeline finds out, somebody else does while the
/// next one is worked out.
struct Doubtful {
    lake: Lake,
    committed: AtomicBool,
}

impl Sink for Doubtful {
    fn dataset(&self, dataset_id: u32, epoch: u64) -> Option<DatasetInfo> {
        self.lake.dataset(dataset_id, epoch)
    }

    fn head(&self) -> Option<EpochRecord> {
        self.lake.head()
    }

    fn settle(&self) -> Result<()> {
        self.lake.settle()
    }

    fn epochs_after(&self, epoch: u64) -> Result<Vec<EpochRecord>> {
        self.lake.epochs_after(epoch)
    }

    fn values_at(&self, dataset_id: u32, version: u32, keys: &[ArrayRef], instants: &[i64]) -> Result<Vec<ArrayRef>> {
        self.lake.values_at(dataset_id, version, keys, instants)
    }

    fn held_within(
        &self,
        dataset_id: u32,
        version: u32,
        known_before: i64,
        keys: &[ArrayRef],
        within: &[(i64, i64)],
    ) -> Result<HeldRows> {
        self.lake.held_within(dataset_id, version, known_before, keys, within)
    }

    fn writer(&self, dataset_id: u32, version: u32) -> Result<Box<dyn RowWriter>> {
        self.lake.settle()?;
        self.lake.writer(dataset_id, version)
    }

    fn commit(&self, commit: EpochCommit) -> Result<()> {
        self.lake.commit(commit)?;
        if self.committed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.lake.doubt(0);
        Err(Error::new(ErrorKind::Io, "nobody knows whether it took place"))
    }
}

#[test]
fn a_commit_that_reports_an_error_though_it_happened_is_built_upon() {
    let mut world = World::new(CHANGES);
    world.options.limits.max_records = 1;
    world.send(&lines(1));
    world.send(&lines(2));
    let (mut pipeline, stop) = world.pipeline();
    pipeline.sink = Arc::new(Doubtful { lake: Lake::new(world.sink.clone()), committed: AtomicBool::new(false) });
    pipeline.run(&stop).unwrap();
    let epochs: Vec<(u64, u64)> = world.sink.epochs.lock().unwrap().iter().map(|e| (e.epoch, e.position)).collect();
    assert_eq!(epochs, [(1, 1), (2, 2)]);
    assert_eq!(world.last_rows(), [(2, engine::model::OPEN, Some(2))]);
    assert_eq!(world.sink.rows.lock().unwrap().len(), 2, "nothing twice");
    assert_eq!(world.released(), 2);
    world.check_counts();
}
