//! Who decides what happens next. Each call of a port is a step: before it, time passes and others may act; then it is
//! done, fails or is where the process dies. One seed, one generator, one thread: the same seed is the same run.

use std::{
    collections::BTreeMap,
    fmt,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use engine::{Error, ErrorKind, Result};

use super::{bystanders::Bystanders, random::Random};

/// What the engine asks of its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Wait,
    Cut,
    Read,
    Seals,
    Release,
    Retained,
    Quarantine,
    AppliedEpochs,
    Load,
    Scan,
    Apply,
    PutNote,
    Note,
    Flush,
    Dataset,
    Head,
    Settle,
    EpochsAfter,
    ValuesAt,
    HeldWithin,
    Writer,
    Write,
    Finish,
    Commit,
    Now,
    Sleep,
}

impl Call {
    pub const ALL: [Call; 26] = [
        Call::Wait,
        Call::Cut,
        Call::Read,
        Call::Seals,
        Call::Release,
        Call::Retained,
        Call::Quarantine,
        Call::AppliedEpochs,
        Call::Load,
        Call::Scan,
        Call::Apply,
        Call::PutNote,
        Call::Note,
        Call::Flush,
        Call::Dataset,
        Call::Head,
        Call::Settle,
        Call::EpochsAfter,
        Call::ValuesAt,
        Call::HeldWithin,
        Call::Writer,
        Call::Write,
        Call::Finish,
        Call::Commit,
        Call::Now,
        Call::Sleep,
    ];

    /// Whether it can report an error.
    pub fn can_fail(self) -> bool {
        !matches!(self, Call::Wait | Call::Dataset | Call::Head | Call::Now | Call::Sleep)
    }
}

/// How a life of the process ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// It is told to stop after so many calls.
    Stop { calls: u64 },
    /// It dies at a call of a kind, the first, second and so on, before it takes effect or after; told to stop if that
    /// does not come.
    Crash { call: Call, nth: u64, late: bool },
    /// It dies at whatever call is the so manieth.
    CrashAnywhere { calls: u64, late: bool },
    /// It is told to stop once there is nothing more to commit, and nothing goes wrong until then.
    Drained,
}

/// From when to when a process runs.
pub struct Life {
    pub end: End,
    /// Of a thousand calls that can fail, so many do.
    pub faults_per_mille: u64,
    /// Of a thousand calls, so many take seconds.
    pub slow_per_mille: u64,
    pub stop: Arc<AtomicBool>,
}

/// What a process that dies unwinds with.
pub struct Crash;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Done,
    /// An error is reported, and it did not happen.
    Fails,
    /// An error is reported although it happened.
    FailsLate,
    Crashes,
    CrashesLate,
}

/// What has been seen to happen, over one run or many.
#[derive(Debug, Default, Clone)]
pub struct Coverage {
    /// By call, and whether it had taken effect.
    pub crashes: BTreeMap<(Call, bool), u64>,
    pub faults: BTreeMap<(Call, bool), u64>,
    /// Everything else.
    pub others: BTreeMap<&'static str, u64>,
}

impl Coverage {
    pub fn count(&mut self, what: &'static str, more: u64) {
        *self.others.entry(what).or_default() += more;
    }

    pub fn add(&mut self, other: &Coverage) {
        other.crashes.iter().for_each(|(&key, more)| *self.crashes.entry(key).or_default() += more);
        other.faults.iter().for_each(|(&key, more)| *self.faults.entry(key).or_default() += more);
        other.others.iter().for_each(|(&key, more)| *self.others.entry(key).or_default() += more);
    }
}

/// The wall clock's first instant.
const WALL_START_MICROS: i64 = 1_000_000_000_000_000;
/// A life that has not ended by then is told to stop, and later ones are found not to.
const CALLS_MAX: u64 = 700;
const CALLS_UNTIL_STOPPED_MAX: u64 = 20_000;

/// What changes from step to step.
pub struct Moment {
    pub random: Random,
    pub wall_micros: i64,
    pub monotonic_micros: i64,
    pub trace: Vec<String>,
    pub coverage: Coverage,
    life: Life,
    calls: u64,
    calls_by_kind: BTreeMap<Call, u64>,
}

impl Moment {
    pub fn tell(&mut self, what: impl fmt::Display) {
        self.trace.push(format!("{:>5} {:>12} {what}", self.calls, self.wall_micros - WALL_START_MICROS));
    }

    fn passes(&mut self, micros: u64) {
        self.wall_micros += micros as i64;
        self.monotonic_micros += micros as i64;
    }

    /// Whether the life ends at this call, and if so whether behind its effect.
    fn crash(&self, call: Call) -> Option<bool> {
        match self.life.end {
            End::Crash { call: at, nth, late } if call == at && self.calls_by_kind[&call] == nth => Some(late),
            End::CrashAnywhere { calls, late } if self.calls == calls => Some(late),
            _ => None,
        }
    }

    fn fate(&mut self, call: Call) -> Fate {
        if let Some(late) = self.crash(call) {
            *self.coverage.crashes.entry((call, late)).or_default() += 1;
            self.tell(format_args!("the process dies {} {call:?}", if late { "behind" } else { "before" }));
            return if late { Fate::CrashesLate } else { Fate::Crashes };
        }
        // Of all that can fail, a commit has the most to tell.
        let weight = if call == Call::Commit { 5 } else { 1 };
        if call.can_fail() && self.random.per_mille(weight * self.life.faults_per_mille) {
            let late = self.random.per_mille(500);
            *self.coverage.faults.entry((call, late)).or_default() += 1;
            self.tell(format_args!("{call:?} fails{}", if late { ", though it happened" } else { "" }));
            return if late { Fate::FailsLate } else { Fate::Fails };
        }
        Fate::Done
    }
}

/// The schedule of a run.
pub struct Schedule {
    moment: Mutex<Moment>,
    bystanders: Arc<Bystanders>,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schedule")
    }
}

impl Schedule {
    pub fn new(random: Random, bystanders: Arc<Bystanders>) -> Schedule {
        let life = Life { end: End::Drained, faults_per_mille: 0, slow_per_mille: 0, stop: Arc::default() };
        let moment = Moment {
            random,
            wall_micros: WALL_START_MICROS,
            monotonic_micros: 0,
            trace: Vec::new(),
            coverage: Coverage::default(),
            life,
            calls: 0,
            calls_by_kind: BTreeMap::new(),
        };
        Schedule { moment: Mutex::new(moment), bystanders }
    }

    /// Looks at the moment or changes it.
    pub fn now<T>(&self, act: impl FnOnce(&mut Moment) -> T) -> T {
        act(&mut self.moment.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new process.
    pub fn begin(&self, life: Life) {
        self.now(|moment| {
            moment.life = life;
            moment.calls = 0;
            moment.calls_by_kind.clear();
        });
    }

    /// Before a call: time passes, others act, and its fate is drawn.
    pub fn step(&self, call: Call) -> Fate {
        // Who unwinds is dead, whatever is still tidied up.
        if std::thread::panicking() {
            return Fate::Done;
        }
        self.now(|moment| {
            moment.calls += u64::from(call != Call::Sleep);
            *moment.calls_by_kind.entry(call).or_default() += 1;
            let draining = matches!(moment.life.end, End::Drained);
            let stop_at = if let End::Stop { calls } = moment.life.end { calls } else { CALLS_MAX };
            if moment.calls >= stop_at && !draining && !moment.life.stop.swap(true, Ordering::Relaxed) {
                moment.tell("told to stop");
            }
            assert!(moment.calls < CALLS_UNTIL_STOPPED_MAX, "the pipeline does not come to an end");
            let slow = moment.random.per_mille(moment.life.slow_per_mille);
            let micros = if slow { moment.random.between(1, 20_000_000) } else { moment.random.below(200) };
            moment.passes(if micros < 60 { 0 } else { micros });
            if !draining && moment.random.per_mille(60) {
                self.bystanders.act(moment);
            }
            moment.fate(call)
        })
    }

    /// A call that can fail.
    pub fn call<T>(&self, call: Call, act: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.step(call) {
            Fate::Done => act(),
            Fate::Fails => Err(self.fault(call)),
            Fate::FailsLate => act().and_then(|_| Err(self.fault(call))),
            Fate::Crashes => crash(),
            Fate::CrashesLate => {
                let _ = act();
                crash()
            }
        }
    }

    /// A call that cannot.
    pub fn ask<T>(&self, call: Call, act: impl FnOnce() -> T) -> T {
        match self.step(call) {
            Fate::Crashes => crash(),
            Fate::CrashesLate => {
                act();
                crash()
            }
            Fate::Done | Fate::Fails | Fate::FailsLate => act(),
        }
    }

    /// The error of a fault: usually one that may pass.
    pub fn fault(&self, call: Call) -> Error {
        self.now(|moment| {
            let passes = !moment.random.per_mille(30);
            if !passes {
                moment.tell("for good");
            }
            let kind = if passes { ErrorKind::Io } else { ErrorKind::Corrupt };
            Error::new(kind, FAULT).with("call", format!("{call:?}"))
        })
    }

    /// Nothing lies behind the last position asked about: time passes, and usually somebody sends.
    pub fn idle(&self, micros: u64) {
        self.now(|moment| {
            moment.passes(micros);
            if matches!(moment.life.end, End::Drained) {
                moment.life.stop.store(true, Ordering::Relaxed);
            } else if moment.random.per_mille(600) {
                self.bystanders.act(moment);
            }
        });
    }

    /// Time passes in a pause.
    pub fn sleep(&self, micros: u64) {
        self.now(|moment| moment.passes(micros));
    }
}

/// What the message of each error begins with that was made.
pub const FAULT: &str = "made to fail";

/// The process dies: nothing runs on but the unwinding.
pub fn crash() -> ! {
    resume_unwind(Box::new(Crash))
}
