//! Work over several threads, which are joined before it returns.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::{Error, ErrorKind, Result, ports::Workers};

/// Workers that are threads of their own, started for the work and joined behind it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Threads;

impl Workers for Threads {
    fn run(&self, at_once: usize, count: usize, part: &(dyn Fn(usize) + Sync)) {
        if at_once <= 1 || count <= 1 {
            return (0..count).for_each(part);
        }
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..at_once.min(count) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            break;
                        }
                        part(index);
                    }
                });
            }
        });
    }
}

/// Runs `task` for each index below `count`, up to `at_once` together, and returns the results in order. After a
/// failure no more tasks are begun.
pub(crate) fn in_parallel<T: Send>(
    workers: &dyn Workers,
    at_once: usize,
    count: usize,
    task: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let failed = AtomicBool::new(false);
    let results: Vec<Mutex<Option<Result<T>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    workers.run(at_once, count, &|index| {
        let Some(place) = results.get(index).filter(|_| !failed.load(Ordering::Relaxed)) else { return };
        let result = task(index);
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    });
    let mut done = Vec::with_capacity(count);
    for result in results.into_iter().filter_map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner)) {
        done.push(result?);
    }
    if done.len() == count { Ok(done) } else { Err(Error::new(ErrorKind::Internal, "a task never ran")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_from_however_many_threads() {
        for at_once in [0, 1, 3, 50] {
            let squares = in_parallel(&Threads, at_once, 20, |index| Ok(index * index)).unwrap();
            assert_eq!(squares, (0..20).map(|index| index * index).collect::<Vec<_>>(), "{at_once} at once");
        }
    }

    #[test]
    fn a_failure_is_told_and_ends_the_work() {
        for at_once in [1, 3] {
            let begun = AtomicUsize::new(0);
            let outcome = in_parallel(&Threads, at_once, 1_000_000, |index| {
                begun.fetch_add(1, Ordering::Relaxed);
                if index == 5 { Err(Error::new(ErrorKind::Io, "the sixth fails")) } else { Ok(()) }
            });
            assert_eq!(outcome.unwrap_err().to_string(), "the sixth fails");
            assert!(at_once > 1 || begun.into_inner() == 6);
        }
    }
}
