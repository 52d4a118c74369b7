//! A pipeline over the ports in memory, and lines to send it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::{
    Pipeline, PipelineOptions, Progress, Result, Scaling,
    model::{DatasetDefinition, Instant, Mode, RescaleOutcome, RescaleReason},
    ports::{EpochLimits, Source},
    rescale::{Refusal, RescaleRequest},
};

use crate::memory::{DATASET, Line, Log, Request, Requests, Row, Rows, State, Ticks};

/// What the dataset is like.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub mode: Mode,
    pub sequenced: bool,
    pub import: bool,
}

pub const CHANGES: Kind = Kind { mode: Mode::UntilChanged, sequenced: false, import: false };
pub const NUMBERED: Kind = Kind { sequenced: true, ..CHANGES };
pub const IMPORT: Kind = Kind { import: true, ..CHANGES };

pub fn definition(kind: Kind) -> DatasetDefinition {
    let mut columns = vec![("k", "string"), ("v", "int64"), ("a", "timestamp"), ("op", "string")];
    let mut roles = vec![("valid_from", "a"), ("operation", "op")];
    if kind.mode == Mode::Interval {
        columns.push(("b", "timestamp"));
        roles.push(("valid_to", "b"));
    }
    if kind.sequenced {
        columns.push(("s", "int64"));
        roles.push(("sequence", "s"));
    }
    if kind.import {
        columns.push(("known", "timestamp"));
        roles.push(("system_time", "known"));
    }
    let columns: Vec<String> = columns.iter().map(|(name, t)| format!(r#"{{"name":"{name}","type":"{t}"}}"#)).collect();
    let roles: Vec<String> = roles.iter().map(|(role, column)| format!(r#","{role}":"{column}""#)).collect();
    let mode = if kind.mode == Mode::Interval { "interval" } else { "until_changed" };
    let text = format!(r#"{{"columns":[{}],"key":["k"],"mode":"{mode}"{}}}"#, columns.join(","), roles.concat());
    let definition: DatasetDefinition = serde_json::from_str(&text).unwrap();
    assert_eq!(definition.problems(), vec![]);
    definition
}

/// An event as text. Instants are whole microseconds since 1970.
pub fn line(key: &str, operation: &str, from: i64, value: i64) -> String {
    let from = Instant(from);
    format!(r#"{{"k":"{key}","op":"{operation}","a":"{from}","v":{value}}}"#)
}

/// The same with one more member.
pub fn with(line: &str, name: &str, value: &str) -> String {
    format!(r#"{},"{name}":{value}}}"#, line.strip_suffix('}').unwrap())
}

pub fn numbered(sequence: i64, line: &str) -> String {
    with(line, "s", &sequence.to_string())
}

pub fn known(system_time: i64, line: &str) -> String {
    with(line, "known", &format!("\"{}\"", Instant(system_time)))
}

/// A request for the one dataset.
pub fn request(lines: &[String]) -> Request {
    let line = |text: &String| Line { dataset_id: DATASET, partition: 0, text: text.clone() };
    Request { lines: lines.iter().map(line).collect(), seals: Vec::new(), arrival: Instant(0) }
}

pub struct World {
    pub source: Arc<Requests>,
    pub state: Arc<State>,
    pub sink: Arc<Rows>,
    pub progress: Arc<Progress>,
    pub options: PipelineOptions,
    pub scaling: Arc<Scaling>,
    /// Slots asked for once an epoch is committed: after epoch n the one at n, counting around.
    pub wanted_slots: Vec<u16>,
    pub log: Log,
    pub clock: Arc<Ticks>,
}

impl World {
    pub fn new(kind: Kind) -> World {
        let log = Log::default();
        World {
            source: Arc::new(Requests::new(1)),
            state: Arc::new(State::new(log.clone())),
            sink: Arc::new(Rows::new([(DATASET, Arc::new(definition(kind)))].into(), log.clone())),
            progress: Arc::new(Progress::default()),
            options: PipelineOptions {
                // Every slot has work, however little there is.
                small_epoch_records: 0,
                epoch_interval: Duration::ZERO,
                limits: EpochLimits { max_records: 1_000_000, max_bytes: 1 << 30 },
                // Not unless it stops, so that a crash may lose any epoch's state.
                checkpoint_interval: Duration::from_secs(3_600),
                ..PipelineOptions::default()
            },
            scaling: Arc::new(scaling(1, &log)),
            wanted_slots: Vec::new(),
            log,
            clock: Arc::new(Ticks::default()),
        }
    }

    pub fn send(&self, lines: &[String]) {
        self.source.append(request(lines));
    }

    pub fn seal(&self) {
        self.source.append(Request { lines: Vec::new(), seals: vec![DATASET], arrival: Instant(0) });
    }

    /// A pipeline that is told to stop once everything sent is committed.
    pub fn pipeline(&self) -> (Pipeline, Arc<AtomicBool>) {
        let (log, until) = (self.log.clone(), self.source.last_position());
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let (scaling, wanted_slots) = (self.scaling.clone(), self.wanted_slots.clone());
        let pipeline = Pipeline {
            source: self.source.clone(),
            state: self.state.clone(),
            sink: self.sink.clone(),
            clock: self.clock.clone(),
            options: self.options.clone(),
            scaling: self.scaling.clone(),
            progress: self.progress.clone(),
            on_commit: Box::new(move |record, _| {
                log.lock().unwrap().push(format!("announce {}", record.epoch));
                if let Some(&slots) = wanted_slots.get(record.epoch as usize % wanted_slots.len().max(1)) {
                    // What cannot be is refused, which is as good as anything here.
                    let _ = ask(&scaling, slots);
                }
                stopping.fetch_or(record.position >= until, Ordering::Relaxed);
            }),
        };
        (pipeline, stop)
    }

    /// Another process begins, with so many slots: what was asked of the former one is forgotten.
    pub fn restart(&mut self, slots: u16) {
        self.scaling = Arc::new(scaling(slots, &self.log));
    }

    /// Runs until everything sent is committed; there has to be something.
    pub fn run(&self) -> Result<()> {
        let (pipeline, stop) = self.pipeline();
        pipeline.run(&stop)
    }

    /// Sends a request and runs it.
    pub fn commit(&self, lines: &[String]) {
        self.send(lines);
        self.run().unwrap();
    }

    /// Rows of the last system time, in order of valid time, without that time.
    pub fn last_rows(&self) -> Vec<(i64, i64, Option<i64>)> {
        let rows = self.sink.rows.lock().unwrap();
        let last = rows.iter().map(|row| row.system_from).max();
        let mut shown: Vec<_> = rows.iter().filter(|row| Some(row.system_from) == last).map(show).collect();
        shown.sort_unstable();
        shown
    }

    /// How often the sink was asked for values.
    pub fn asked(&self) -> usize {
        self.sink.asked.lock().unwrap().len()
    }

    /// Records committed, unchanged, quarantined, of all epochs.
    pub fn counts(&self) -> [u64; 3] {
        let counts = self.sink.counts.lock().unwrap();
        let of = |fate: usize| counts.values().map(|counts| counts[fate]).sum();
        [of(0), of(1), of(2)]
    }

    /// Everything sent is accounted for.
    pub fn check_counts(&self) {
        let sent: usize = self.source.requests.lock().unwrap().iter().map(|request| request.lines.len()).sum();
        assert_eq!(self.sink.counts.lock().unwrap().values().flatten().sum::<u64>(), sent as u64);
    }

    pub fn released(&self) -> u64 {
        self.source.retained().unwrap().released_up_to
    }
}

/// So many slots, whose changes are written to the log.
fn scaling(slots: u16, log: &Log) -> Scaling {
    let log = log.clone();
    Scaling::new(slots).telling(Box::new(move |record| {
        let word = record.outcome.map_or_else(|| record.phase.word(), RescaleOutcome::word);
        log.lock().unwrap().push(format!("rescale {word}"));
    }))
}

/// Asks for another number of slots.
pub fn ask(scaling: &Scaling, slots: u16) -> Result<(), Refusal> {
    let reason = RescaleReason::Hand { text: String::new() };
    scaling.request(RescaleRequest { slots, reason, asked_by: "a test".to_owned() }, Instant(0)).map(|_| ())
}

fn show(row: &Row) -> (i64, i64, Option<i64>) {
    assert!(row.put || row.value.is_none(), "a delete has no values");
    (row.from, row.to, row.put.then_some(row.value).flatten())
}

/// The log as it is now.
pub fn logged(log: &Mutex<Vec<String>>) -> Vec<String> {
    log.lock().unwrap().clone()
}
