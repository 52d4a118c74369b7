//! Simulation: the pipeline over ports in memory, under a schedule that one seed decides. Processes die at any call of a
//! port, before it takes effect or behind it; calls fail, take long, or report an error though they happened; what of the
//! state was not made durable is lost; slots change; clients send, send again and seal, upkeep compacts, clocks are set
//! back. After each life of the process everything that was acknowledged has to be where the invariants say.
//!
//! `TIDEMARK_SIMULATION_SEEDS=2000` asks for more seeds than 200; a failure prints its seed and all that happened, and
//! `TIDEMARK_SIMULATION_SEED=…` plays it again.

mod breaks;
mod bystanders;
mod expected;
mod invariants;
mod ports;
mod random;
mod run;
mod schedule;

use std::sync::Mutex;

use breaks::Break;
use run::{Outcome, run};
use schedule::{Call, Coverage};

const SEEDS: u64 = 200;
/// A port that is broken is found within so many seeds.
const SEEDS_UNTIL_FOUND_MAX: u64 = 50;

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn whatever_happens_nothing_is_lost_nothing_is_doubled_and_the_past_stays() {
    if let Some(seed) = given("TIDEMARK_SIMULATION_SEED") {
        run_or_tell(seed);
        return;
    }
    let seeds = given("TIDEMARK_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let total = Mutex::new(Coverage::default());
    // Each seed is a run of its own, on one thread.
    std::thread::scope(|scope| {
        for lane in 0..2 {
            let total = &total;
            scope.spawn(move || {
                for seed in (1..=seeds).filter(|seed| seed % 2 == lane) {
                    let coverage = run_or_tell(seed);
                    total.lock().unwrap().add(&coverage);
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    eprintln!("{seeds} seeds\ndied {:?}\nfailed {:?}\n{:?}", total.crashes, total.faults, total.others);
    if seeds >= SEEDS {
        check_coverage(&total);
    }
}

/// What never happened was not tested.
fn check_coverage(total: &Coverage) {
    for late in [false, true] {
        let seen = |calls: &std::collections::BTreeMap<(Call, bool), u64>, call| calls.contains_key(&(call, late));
        let not_died: Vec<Call> = Call::ALL.into_iter().filter(|call| !seen(&total.crashes, *call)).collect();
        assert!(not_died.is_empty(), "no process died at {not_died:?}, late: {late}");
        let fallible = Call::ALL.into_iter().filter(|call| call.can_fail());
        let not_failed: Vec<Call> = fallible.filter(|call| !seen(&total.faults, *call)).collect();
        assert!(not_failed.is_empty(), "never failed: {not_failed:?}, late: {late}");
    }
    for what in [
        "epochs",
        "records",
        "records in quarantine",
        "requests sent again",
        "answers",
        "compactions",
        "clocks set back",
        "rescales of a running process",
        "writes of the state lost",
        "commits in doubt that happened",
        "commits in doubt that did not",
        "doubts that upkeep settled",
    ] {
        assert!(total.others.get(what).is_some_and(|count| *count > 0), "there were no {what}");
    }
}

fn run_or_tell(seed: u64) -> Coverage {
    let Outcome { violation, trace, coverage } = run(seed, None);
    if let Some(what) = violation {
        let trace = trace.join("\n");
        panic!(
            "seed {seed}: {what}\n\nwhat happened, by call and clock:\n{trace}\n\nseed {seed}: {what}\n\
             to play it again: TIDEMARK_SIMULATION_SEED={seed}"
        );
    }
    coverage
}

#[test]
fn a_port_that_breaks_its_promise_is_found() {
    for broken in Break::ALL {
        let mut total = Coverage::default();
        let found = (1..=SEEDS_UNTIL_FOUND_MAX).find_map(|seed| {
            let Outcome { violation, coverage, .. } = run(seed, Some(broken));
            total.add(&coverage);
            violation.map(|what| (seed, what))
        });
        let (seed, what) = found.unwrap_or_else(|| {
            panic!("{broken:?} is not found in {SEEDS_UNTIL_FOUND_MAX} seeds: {:?}, {:?}", total.faults, total.others)
        });
        let first_line = what.lines().next().unwrap_or_default();
        eprintln!("{broken:?} is found with seed {seed}: {first_line}\n    until then {:?}", total.others);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 1..=5 {
        assert_eq!(run(seed, None).trace, run(seed, None).trace, "seed {seed}");
    }
}
