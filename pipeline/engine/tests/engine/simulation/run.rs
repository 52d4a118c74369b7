//! One run: a process that lives several times over the same stream, state and lake, and what must hold after each life.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use engine::{
    Pipeline, PipelineOptions, Progress, Scaling,
    model::{
        EpochRecord, Mode,
        rescale::{RescaleOutcome, RescaleRecord},
    },
    ports::EpochLimits,
};

use super::{
    breaks::Break,
    bystanders::{Bystanders, Facts},
    invariants::{check, check_drained},
    ports::{InTurn, ScheduledClock, ScheduledSink, ScheduledSource, ScheduledState},
    random::Random,
    schedule::{Call, Coverage, Crash, End, FAULT, Life, Schedule},
};
use crate::{
    lake::Lake,
    memory::{Log, Requests, Rows, State},
    world::{Kind, definition},
};

/// A run that is over.
pub struct Outcome {
    /// The invariant that was broken, if one was.
    pub violation: Option<String>,
    /// All that happened, in order.
    pub trace: Vec<String>,
    pub coverage: Coverage,
}

struct Run {
    schedule: Arc<Schedule>,
    bystanders: Arc<Bystanders>,
    state: Arc<ScheduledState>,
    announced: Arc<Mutex<Vec<EpochRecord>>>,
    rescales: Arc<AtomicU64>,
    broken: Option<Break>,
    /// Whether the state has a time to live, of nothing.
    forgets: bool,
}

/// Runs a seed, with a port broken or all as they promise.
pub fn run(seed: u64, broken: Option<Break>) -> Outcome {
    let run = Run::new(seed, broken);
    // A panic of the engine or of a port is a violation like any other.
    let outcome = catch_unwind(AssertUnwindSafe(|| run.live_and_check()));
    let outcome = outcome.unwrap_or_else(|panic| Err(format!("panicked: {}", text_of(panic.as_ref()))));
    let (trace, coverage) = run.schedule.now(|moment| (moment.trace.clone(), moment.coverage.clone()));
    Outcome { violation: outcome.err(), trace, coverage }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

impl Run {
    fn new(seed: u64, broken: Option<Break>) -> Run {
        let mut random = Random::new(seed);
        let facts = facts(&mut random);
        // Not by the seed's own numbers, which would make other lives of it.
        let forgets = broken.is_none() && seed % 2 == 1;
        let definitions = facts.iter().map(|facts| (facts.id, Arc::new(definition(facts.kind)))).collect();
        let requests = Arc::new(Requests::new(random.between(1, 4) as u16));
        let lake = Arc::new(Lake::new(Arc::new(Rows::new(definitions, Log::default()))));
        let bystanders = Arc::new(Bystanders::new(facts, requests, lake, broken));
        let schedule = Arc::new(Schedule::new(random, bystanders.clone()));
        schedule.now(|moment| bystanders.facts.iter().for_each(|facts| moment.tell(format_args!("{facts:?}"))));
        let state = Arc::new(ScheduledState::new(Arc::new(State::new(Log::default())), schedule.clone(), broken));
        Run { schedule, bystanders, state, announced: Arc::default(), rescales: Arc::default(), broken, forgets }
    }

    fn live_and_check(&self) -> Result<(), String> {
        for _ in 0..self.schedule.now(|moment| moment.random.between(2, 7)) {
            self.live(false)?;
            check(&self.bystanders, &self.announced.lock().unwrap())?;
        }
        let imports: Vec<u32> = self.bystanders.facts.iter().filter(|f| f.kind.import).map(|f| f.id).collect();
        self.schedule.now(|moment| self.bystanders.seal_all(moment, &imports));
        self.live(true)?;
        let expected = check(&self.bystanders, &self.announced.lock().unwrap())?;
        check_drained(&self.bystanders, &expected, &self.state.state, self.forgets)?;
        self.schedule.now(|moment| {
            moment.coverage.count("epochs", self.bystanders.lake.rows.epochs.lock().unwrap().len() as u64);
            moment.coverage.count("records in quarantine", expected.quarantine.len() as u64);
            moment.coverage.count("rescales of a running process", self.rescales.load(Ordering::Relaxed));
        });
        Ok(())
    }

    /// A process starts, runs and ends.
    fn live(&self, drained: bool) -> Result<(), String> {
        let stop = Arc::new(AtomicBool::new(false));
        let life = self.schedule.now(|moment| life(&mut moment.random, drained, &stop));
        self.schedule.now(|moment| moment.tell(format_args!("a process starts, to end so: {:?}", life.end)));
        self.schedule.begin(life);
        let pipeline = self.pipeline();
        let outcome = catch_unwind(AssertUnwindSafe(|| pipeline.run(&stop)));
        let running = pipeline.progress.running.load(Ordering::Relaxed);
        if running {
            return Err("a pipeline that has ended says that it runs".to_owned());
        }
        let crashed = match outcome {
            Err(panic) if panic.is::<Crash>() => true,
            Err(panic) => return Err(format!("the engine panicked: {}", text_of(panic.as_ref()))),
            Ok(Ok(())) => false,
            // For good, or told to stop before it could try again.
            Ok(Err(error)) => {
                let text = error.to_string();
                let made = text.contains(FAULT) || (error.retryable() && stop.load(Ordering::Relaxed));
                self.schedule.now(|moment| moment.tell(format_args!("the pipeline gives up: {text}")));
                if !made {
                    return Err(format!("the pipeline gave up for no fault of others: {text}"));
                }
                self.schedule.now(|moment| moment.random.per_mille(500))
            }
        };
        self.end(crashed, drained);
        Ok(())
    }

    /// What is left of a process: of one that died, only what had reached the disk. Others go on, unless it was the last.
    fn end(&self, crashed: bool, last: bool) {
        // The next one reads what is recorded.
        let _ = self.bystanders.lake.end_doubt();
        if crashed {
            self.broken.iter().for_each(|broken| broken.restart(&self.bystanders.lake));
        }
        self.schedule.now(|moment| {
            if crashed {
                let lost = self.state.lose(&mut moment.random);
                moment.coverage.count("writes of the state lost", lost as u64);
                moment.tell(format_args!("{lost} writes of the state are lost"));
            }
            for _ in 0..if last { 0 } else { moment.random.below(3) } {
                self.bystanders.act(moment);
            }
        });
    }

    /// The slots of a process. Told of a change, it may hold the schedule's moment, so that is counted later.
    fn scaling(&self, slots: u16) -> Scaling {
        let rescales = self.rescales.clone();
        let count = move |record: &RescaleRecord| {
            rescales.fetch_add(u64::from(record.outcome == Some(RescaleOutcome::Done)), Ordering::Relaxed);
        };
        Scaling::new(slots).telling(Box::new(count))
    }

    fn pipeline(&self) -> Pipeline {
        let (schedule, broken, announced) = (self.schedule.clone(), self.broken, self.announced.clone());
        let options = schedule.now(|moment| {
            let random = &mut moment.random;
            let millis = |random: &mut Random, choices: &[u64]| Duration::from_millis(random.one_of(choices));
            let options = PipelineOptions {
                slots: random.between(1, 6) as u16,
                epoch_interval: millis(random, &[0, 0, 1, 150, 1_000]),
                limits: EpochLimits { max_records: random.between(1, 40), max_bytes: random.between(200, 20_000) },
                small_epoch_records: random.one_of(&[0, 0, 0, 6]),
                checkpoint_interval: millis(random, &[0, 5, 1_000, 30_000]),
                checkpoint_max_records: random.one_of(&[1_000_000, 1_000_000, 30]),
                // These go by the time of the machine, which is nobody's to decide.
                checkpoint_max_work: Duration::MAX,
                slow_epoch: Duration::MAX,
                workers: Arc::new(InTurn(schedule.clone())),
                state_ttl: self.forgets.then_some(Duration::ZERO),
            };
            moment.tell(format_args!("{options:?}"));
            options
        });
        let scaling = Arc::new(self.scaling(options.slots));
        self.bystanders.operate(scaling.clone());
        Pipeline {
            source: Arc::new(ScheduledSource {
                requests: self.bystanders.requests.clone(),
                schedule: schedule.clone(),
                broken,
            }),
            state: self.state.clone(),
            sink: Arc::new(ScheduledSink { lake: self.bystanders.lake.clone(), schedule: schedule.clone(), broken }),
            clock: Arc::new(ScheduledClock(schedule)),
            options,
            scaling,
            progress: Arc::new(Progress::default()),
            on_commit: Box::new(move |record, _| announced.lock().unwrap().push(record.clone())),
        }
    }
}

/// Two or three datasets, of several kinds.
fn facts(random: &mut Random) -> Vec<Facts> {
    let count = random.between(2, 3) as u32;
    let kinds: BTreeMap<u32, Kind> = (1..=count)
        .map(|id| {
            let mode = if random.per_mille(400) { Mode::Interval } else { Mode::UntilChanged };
            (id, Kind { mode, sequenced: random.per_mille(400), import: random.per_mille(350) })
        })
        .collect();
    // Names over all key groups, so that any slot may have any of them.
    let name = |random: &mut Random, key: u64| format!("key-{key}-{}", random.below(10_000));
    let keys = |random: &mut Random| (0..random.between(1, 4)).map(|key| name(random, key)).collect();
    kinds.into_iter().map(|(id, kind)| Facts { id, kind, keys: keys(random) }).collect()
}

fn life(random: &mut Random, drained: bool, stop: &Arc<AtomicBool>) -> Life {
    let stop = stop.clone();
    if drained {
        return Life { end: End::Drained, faults_per_mille: 0, slow_per_mille: 0, stop };
    }
    let late = random.per_mille(500);
    let end = match random.below(10) {
        0..2 => End::Stop { calls: random.between(1, 500) },
        2..4 => End::CrashAnywhere { calls: random.between(1, 600), late },
        4..6 => {
            let call = random.one_of(&[Call::Commit, Call::Apply, Call::PutNote, Call::Release, Call::Flush]);
            End::Crash { call, nth: random.between(1, 8), late }
        }
        // Seldom asked for.
        6 => {
            let call = random.one_of(&[Call::ValuesAt, Call::Scan, Call::EpochsAfter, Call::Quarantine]);
            End::Crash { call, nth: random.between(1, 2), late }
        }
        _ => End::Crash { call: random.one_of(&Call::ALL), nth: random.between(1, 6), late },
    };
    let faults_per_mille = random.one_of(&[0, 2, 10, 40]);
    Life { end, faults_per_mille, slow_per_mille: random.one_of(&[0, 5, 50]), stop }
}
