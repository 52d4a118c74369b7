//! Everybody but the pipeline: clients that send and seal, upkeep, readers, an operator who rescales, and whoever sets the
//! clock. They act between the pipeline's calls.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use engine::{
    Scaling,
    model::{Instant, Mode, key_encoding::text_key_hash, rescale::RescaleReason},
    rescale::RescaleRequest,
    state_value::{key_group, partition_of},
};

use super::{breaks::Break, random::Random, schedule::Moment};
use crate::{
    grid::Draft,
    lake::{Grids, Lake},
    memory::{Line, Request, Requests},
    world::{Kind, line, with},
};

/// Cells of valid time, enough for timelines of several pages.
pub const CELLS: usize = 48;
/// A dataset that is none.
const NOBODYS: u32 = 99;
const REQUESTS_MAX: usize = 90;

/// A dataset and its keys.
#[derive(Debug, Clone)]
pub struct Facts {
    pub id: u32,
    pub kind: Kind,
    pub keys: Vec<String>,
}

/// What a client knows of a record it sent.
#[derive(Debug, Clone)]
pub enum Truth {
    /// It cannot be accepted.
    Bad,
    /// It says this; in an import it was known then.
    Says { draft: Draft, known: Option<i64> },
}

/// A record that was acknowledged.
#[derive(Debug, Clone)]
pub struct Sent {
    pub dataset_id: u32,
    pub truth: Truth,
    pub line: Line,
}

/// A request that was acknowledged; its place in the ledger, counting from 1, is its position.
#[derive(Debug, Clone, Default)]
pub struct Acknowledged {
    pub arrival_micros: i64,
    pub records: Vec<Sent>,
    pub seals: Vec<u32>,
}

#[derive(Default)]
struct Memory {
    ledger: Vec<Acknowledged>,
    /// When the last record of an import was known.
    known: BTreeMap<u32, i64>,
    /// Answers by dataset and system time.
    past: BTreeMap<(u32, i64), Grids>,
    /// What a reader found wrong.
    wrong: Option<String>,
    /// Of the process that runs.
    scaling: Option<Arc<Scaling>>,
}

/// All of them.
pub struct Bystanders {
    pub facts: Vec<Facts>,
    pub requests: Arc<Requests>,
    pub lake: Arc<Lake>,
    pub broken: Option<Break>,
    memory: Mutex<Memory>,
}

impl Bystanders {
    pub fn new(facts: Vec<Facts>, requests: Arc<Requests>, lake: Arc<Lake>, broken: Option<Break>) -> Bystanders {
        Bystanders { facts, requests, lake, broken, memory: Mutex::default() }
    }

    fn memory<T>(&self, act: impl FnOnce(&mut Memory) -> T) -> T {
        act(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All that was acknowledged, in order.
    pub fn ledger(&self) -> Vec<Acknowledged> {
        self.memory(|memory| memory.ledger.clone())
    }

    /// What a reader found wrong, if one did.
    pub fn wrong(&self) -> Option<String> {
        self.memory(|memory| memory.wrong.clone())
    }

    /// One of them does something.
    pub fn act(&self, moment: &mut Moment) {
        match moment.random.below(100) {
            0..60 => self.send(moment),
            60..64 => self.seal(moment),
            64..77 => self.compact(moment),
            77..90 => self.read(moment),
            90..95 => self.rescale(moment),
            _ => set_clock(moment),
        }
    }

    /// The process that runs from now on has these slots.
    pub fn operate(&self, scaling: Arc<Scaling>) {
        self.memory(|memory| memory.scaling = Some(scaling));
    }

    /// An operator asks for another number of slots, or takes that back.
    fn rescale(&self, moment: &mut Moment) {
        let Some(scaling) = self.memory(|memory| memory.scaling.clone()) else { return };
        let at = Instant(moment.wall_micros);
        let done = if moment.random.per_mille(150) {
            scaling.cancel(None, at)
        } else {
            let slots = moment.random.between(1, 9) as u16;
            let (reason, asked_by) = (RescaleReason::Hand { text: String::new() }, "simulation".to_owned());
            scaling.request(RescaleRequest { slots, reason, asked_by }, at)
        };
        // What cannot be is refused, which is as good as anything here.
        if let Ok(record) = done {
            moment.tell(format_args!("asked for {} slots: {:?}", record.slots_after, record.phase));
        }
    }

    /// A client sends a request: new records, or once more what it sent before.
    fn send(&self, moment: &mut Moment) {
        let memory = &mut *self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.ledger.len() >= REQUESTS_MAX {
            return;
        }
        let again = Some(memory.ledger.len() as u64).filter(|count| *count > 0 && moment.random.per_mille(120));
        let records = match again.map(|count| moment.random.below(count) as usize) {
            Some(index) => memory.ledger[index].records.clone(),
            None => {
                let datasets = moment.random.order(self.facts.len());
                let wanted = 1 + moment.random.below(2) as usize;
                let mut records = Vec::new();
                for facts in datasets.into_iter().take(wanted).map(|index| &self.facts[index]) {
                    for _ in 0..moment.random.below(9) {
                        let known = memory.known.entry(facts.id).or_insert(1_000);
                        records.push(self.record(facts, known, moment));
                    }
                }
                records
            }
        };
        let what = if again.is_some() { " again" } else { "" };
        moment.coverage.count("records", records.len() as u64);
        moment.coverage.count("requests sent again", u64::from(again.is_some()));
        self.acknowledge(memory, moment, Acknowledged { records, ..Acknowledged::default() }, what);
    }

    fn acknowledge(&self, memory: &mut Memory, moment: &mut Moment, request: Acknowledged, what: &str) {
        let last = memory.ledger.last().map_or(i64::MIN, |last| last.arrival_micros);
        let arrival_micros = moment.wall_micros.max(last);
        let lines = request.records.iter().map(|sent| sent.line.clone()).collect();
        self.requests.append(Request { lines, seals: request.seals.clone(), arrival: Instant(arrival_micros) });
        let (records, seals) = (request.records.len(), &request.seals);
        let position = memory.ledger.len() + 1;
        moment.tell(format_args!("request {position}{what}: {records} records, seals {seals:?}, at {arrival_micros}"));
        memory.ledger.push(Acknowledged { arrival_micros, ..request });
    }

    fn record(&self, facts: &Facts, last_known: &mut i64, moment: &mut Moment) -> Sent {
        let Facts { id, kind, keys } = facts;
        let random = &mut moment.random;
        let draft = draft(random, keys.len());
        *last_known += random.below(3) as i64;
        let known = match random.below(100) {
            0..3 => *last_known - 1 - random.below(20) as i64,
            // Later than any clock here will be.
            3 => 4_000_000_000_000_000,
            _ => *last_known,
        };
        let key = &keys[draft.key];
        let group = key_group(text_key_hash(key.as_bytes()));
        let partition = partition_of(group, self.requests.partitions);
        let good = draft.text(key, *kind, CELLS, known);
        if random.per_mille(50) {
            let (dataset_id, text) = bad(random, facts, &good);
            let line = Line { dataset_id, partition, text };
            return Sent { dataset_id, truth: Truth::Bad, line };
        }
        let known = kind.import.then_some(known);
        let line = Line { dataset_id: *id, partition, text: good };
        Sent { dataset_id: *id, truth: Truth::Says { draft, known }, line }
    }

    /// A client seals an import; sometimes one that is none, or is sealed.
    fn seal(&self, moment: &mut Moment) {
        let id = moment.random.one_of(&self.facts.iter().map(|facts| facts.id).collect::<Vec<_>>());
        self.seal_all(moment, &[id]);
    }

    /// Seals these, one request each.
    pub fn seal_all(&self, moment: &mut Moment, datasets: &[u32]) {
        for &id in datasets {
            let request = Acknowledged { seals: vec![id], ..Acknowledged::default() };
            self.memory(|memory| self.acknowledge(memory, moment, request, ""));
        }
    }

    /// Upkeep puts exact rows in the place of others. It settles what is in doubt first.
    fn compact(&self, moment: &mut Moment) {
        // Where the same records are committed again, upkeep does not look either.
        let moved = self.broken != Some(Break::CommitsAgain) && self.lake.end_doubt().is_err();
        let facts = &self.facts[moment.random.below(self.facts.len() as u64) as usize];
        if !self.lake.readable(facts.id) {
            return;
        }
        let epochs = self.lake.rows.epochs.lock().unwrap().clone();
        let known_by = match moment.random.below(epochs.len() as u64 + 3) as usize {
            index if index < epochs.len() => epochs[index].system_time.micros(),
            _ => i64::MAX,
        };
        let count = self.lake.compact(facts.id, known_by);
        self.broken.iter().for_each(|broken| broken.compacted(&self.lake));
        moment.coverage.count("compactions", u64::from(count > 0));
        moment.coverage.count("doubts that upkeep settled", u64::from(moved));
        let settled = if moved { ", and settled a doubt" } else { "" };
        moment.tell(format_args!("compacted {count} rows of dataset {}{settled}", facts.id));
    }

    /// A reader asks as of some system time; what it saw then, it has to see for ever.
    fn read(&self, moment: &mut Moment) {
        let epochs: Vec<i64> = self.lake.rows.epochs.lock().unwrap().iter().map(|e| e.system_time.micros()).collect();
        let shown = self.lake.shown_epoch().min(epochs.len() as u64);
        if shown == 0 {
            return;
        }
        let facts = &self.facts[moment.random.below(self.facts.len() as u64) as usize];
        let at = epochs[moment.random.below(shown) as usize];
        let carried = facts.kind.import && moment.random.per_mille(500);
        let at = if carried { 1_000 + moment.random.below(400) as i64 } else { at };
        if self.lake.readable(facts.id) {
            self.memory(|memory| self.look(memory, facts, &[at]));
            moment.coverage.count("answers", 1);
        }
    }

    /// All that readers saw, once more.
    pub fn read_again(&self) {
        self.memory(|memory| {
            for facts in &self.facts {
                let times = memory.past.keys().filter(|(id, _)| *id == facts.id).map(|(_, at)| *at);
                let times: Vec<i64> = times.collect();
                self.look(memory, facts, &times);
            }
        });
    }

    fn look(&self, memory: &mut Memory, facts: &Facts, times: &[i64]) {
        match self.lake.grids(facts.id, &facts.keys, CELLS, times) {
            Err(wrong) => memory.wrong = Some(wrong),
            Ok(grids) => {
                for (at, seen) in times.iter().zip(grids) {
                    let before = memory.past.entry((facts.id, *at)).or_insert_with(|| seen.clone());
                    if *before != seen {
                        let id = facts.id;
                        memory.wrong =
                            Some(format!("dataset {id} as of {at} was\n{before:?} and is\n{seen:?}: the past changed"));
                    }
                }
            }
        }
    }
}

/// Somebody sets the wall clock, by up to an hour.
fn set_clock(moment: &mut Moment) {
    let micros = moment.random.below(3_600_000_000) as i64;
    let back = moment.random.per_mille(600);
    moment.wall_micros += if back { -micros } else { micros };
    moment.coverage.count("clocks set back", u64::from(back));
    moment.tell(format_args!("the clock is set {} by {micros} µs", if back { "back" } else { "forward" }));
}

fn draft(random: &mut Random, keys: usize) -> Draft {
    let value = match random.below(12) {
        0 => Some(0),
        1..9 => Some(random.between(1, 4) as i64),
        _ => None,
    };
    // Often where others begin, so that changes are withdrawn and said again.
    let from = if random.per_mille(500) { 8 * random.below(6) } else { random.below(CELLS as u64) } as usize;
    let open = random.per_mille(400);
    let to = if open { CELLS } else { (from + random.between(1, 20) as usize).min(CELLS) };
    Draft { key: random.below(keys as u64) as usize, value, from, to, sequence: random.below(300) as i64 }
}

/// A record that cannot be accepted, made of a good one, and the dataset it is for.
fn bad(random: &mut Random, facts: &Facts, good: &str) -> (u32, String) {
    let key = &facts.keys[0];
    let text = match random.below(7) {
        0 => good[..good.len() / 2].to_owned(),
        1 => good.replacen("\"k\":", "\"other\":", 1),
        2 => line(key, "burn", 3, 1),
        3 => line(key, "put", 3, 1).replace("\"v\":1", "\"v\":\"many\""),
        4 => line(key, "put", 3, 1).replacen("\"a\":\"", "\"a\":\"soon ", 1),
        5 if facts.kind.mode == Mode::Interval => with(&line(key, "put", 3, 1), "b", "\"1970-01-01\""),
        5 if facts.kind.sequenced => line(key, "put", 3, 1),
        _ => return (NOBODYS, good.to_owned()),
    };
    (facts.id, text)
}
