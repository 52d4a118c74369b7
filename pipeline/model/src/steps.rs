//! Counts the kernel's steps, so that a test can hold them to n·log n. Outside this crate's own tests there is nothing
//! to count and [`step`] is no code at all.
//!
//! A step is one comparison of a search or a sort, or one turn of a loop. What is not counted: moving the segments
//! behind one that is inserted or removed, which is one `memmove`. Pages of the state bound how many those are when an
//! epoch begins; within an epoch they are what it adds to one key.

/// Counts one step.
#[inline(always)]
pub(crate) fn step() {
    #[cfg(test)]
    tests::COUNTED.with(|counted| counted.set(counted.get() + 1));
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::{
        Assertion, Fingerprint, Mode, OPEN, Operation, Segment, StoredAssertion, Timeline, TimelineEvent,
        first_published, net_effect, rectangles, resolve,
    };

    thread_local! {
        pub(super) static COUNTED: Cell<u64> = const { Cell::new(0) };
    }

    const SIZES: [usize; 3] = [10, 1_000, 100_000];

    fn steps_of<T>(work: impl FnOnce() -> T) -> u64 {
        COUNTED.with(|counted| counted.set(0));
        let result = work();
        drop(result);
        COUNTED.with(Cell::get)
    }

    /// `least` tells a function that counts from one that does not.
    fn hold(what: &str, n: usize, counted: u64, least: u64) {
        let n = n as u64;
        let limit = 6 * n * u64::from(n.ilog2() + 1);
        assert!(counted <= limit, "{what}: {counted} steps for {n} versions, more than {limit}");
        assert!(counted >= least, "{what}: {counted} steps for {n} versions is less than there can be");
    }

    fn fingerprint(i: usize) -> Fingerprint {
        Fingerprint(1 + i as u128 % 7)
    }

    /// One segment after the other, with what `retracted` says.
    fn timeline(mode: Mode, sequenced: bool, n: usize, retracted: impl Fn(usize) -> bool) -> Timeline {
        let segment = |i: usize| Segment {
            from: 10 * i as i64,
            to: if i + 1 < n { 10 * (i as i64 + 1) } else { OPEN },
            sequence: i64::from(sequenced),
            fingerprint: if retracted(i) { fingerprint(0) } else { fingerprint(i) },
            retracted: retracted(i),
            recorded: false,
        };
        Timeline::new(mode, sequenced, (0..n).map(segment).collect())
    }

    fn event(operation: Operation, from: i64, to: i64) -> TimelineEvent {
        TimelineEvent { operation, from, to, exact: false, sequence: 2, fingerprint: Fingerprint(99) }
    }

    #[test]
    fn an_event_looks_at_log_n_segments_and_those_it_changes() {
        for n in SIZES {
            let (logarithm, middle) = (u64::from(n.ilog2() + 1), 10 * (n as i64 / 2));
            for sequenced in [false, true] {
                for (what, operation, from) in [
                    ("a put between changes", Operation::Put, middle + 5),
                    ("a put on a change", Operation::Put, middle),
                    ("a delete", Operation::Delete, middle + 5),
                    ("a retraction", Operation::Retract, middle),
                    ("a retraction of nothing", Operation::Retract, middle + 5),
                ] {
                    let mut timeline = timeline(Mode::UntilChanged, sequenced, n, |_| false);
                    let counted = steps_of(|| timeline.apply(&event(operation, from, OPEN)));
                    assert!(counted >= logarithm / 2 && counted <= 2 * logarithm + 2, "{what}: {counted} at {n}");
                }
                let mut short = timeline(Mode::Interval, sequenced, n, |_| false);
                let counted = steps_of(|| short.apply(&event(Operation::Put, middle + 1, middle + 3)));
                assert!(counted >= logarithm / 2 && counted <= 3 * logarithm + 6, "a short put: {counted} at {n}");
                let mut long = timeline(Mode::Interval, sequenced, n, |_| false);
                hold("a put over all", n, steps_of(|| long.apply(&event(Operation::Put, -5, OPEN))), n as u64);
            }
            // Everything behind the first change was retracted, and each of these says what holds now.
            let mut timeline = timeline(Mode::UntilChanged, true, n, |i| i > 0);
            let counted = steps_of(|| timeline.apply(&event(Operation::Put, 0, OPEN)));
            hold("a put before n retractions", n, counted, n as u64 - 1);
        }
    }

    #[test]
    fn the_part_an_event_can_change_is_found_in_log_n_steps() {
        for n in SIZES {
            let limit = 4 * u64::from(n.ilog2() + 1) + 4;
            for mode in [Mode::Interval, Mode::UntilChanged] {
                let timeline = timeline(mode, false, n, |_| false);
                let put = event(Operation::Put, 10 * (n as i64 / 2), 10 * (n as i64 / 2) + 15);
                let counted = steps_of(|| {
                    let (from, until) = timeline.reach(&put);
                    timeline.part(from, until).len()
                });
                assert!(counted >= limit / 8 && counted <= limit, "{counted} steps at {n}");
            }
            let retracted = timeline(Mode::UntilChanged, true, n, |i| i > 0);
            let counted = steps_of(|| retracted.part(10 * n as i64 - 5, OPEN).len());
            hold("a part behind n retractions", n, counted, n as u64 - 1);
        }
    }

    #[test]
    fn the_net_effect_walks_both_timelines_once() {
        for n in SIZES {
            let (before, after) =
                (timeline(Mode::Interval, false, n, |_| false), timeline(Mode::Interval, false, n / 2, |_| false));
            hold("net effect", n, steps_of(|| net_effect(before.segments(), after.segments())), n as u64);
        }
    }

    /// Shapes that are hard in different ways, in an order that is none.
    fn shapes(n: usize) -> [(&'static str, Vec<Assertion>); 5] {
        let scattered = |i: usize| (i * 7_919) % n;
        let rows = |row: &dyn Fn(i64) -> (i64, i64)| {
            (0..n)
                .map(|i| {
                    let (from, to) = row(scattered(i) as i64);
                    Assertion { from, to, system_from: scattered(scattered(i)) as i64, put: i % 5 > 0 }
                })
                .collect::<Vec<_>>()
        };
        let n = n as i64;
        [
            ("beside each other", rows(&|i| (10 * i, 10 * i + 10))),
            ("one in the other", rows(&|i| (i, 2 * n - i))),
            ("all the same", rows(&|_| (0, OPEN))),
            ("stairs", rows(&|i| (i, i + n / 2 + 1))),
            ("until further notice", rows(&|i| (i, OPEN))),
        ]
    }

    #[test]
    fn resolving_takes_n_log_n_steps() {
        for n in SIZES {
            for (shape, assertions) in shapes(n) {
                hold(shape, n, steps_of(|| resolve(&assertions, |_, _| false)), n as u64);
                // A fifth of them are deletes, which are passed over.
                hold(shape, n, steps_of(|| first_published(&assertions, |_, _| false)), n as u64 / 2);
            }
        }
    }

    #[test]
    fn drawing_rectangles_takes_n_log_n_steps() {
        for n in SIZES {
            for (shape, assertions) in shapes(n) {
                let stored: Vec<StoredAssertion> =
                    assertions.iter().map(|&assertion| StoredAssertion { assertion, system_to: OPEN }).collect();
                // Each assertion is two edges and up to three strips, all of them sorted and looked up in a tree.
                hold(shape, 4 * n, steps_of(|| rectangles(&stored, |_, _| false)), n as u64);
            }
        }
    }
}
