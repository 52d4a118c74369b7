//! The pipeline on real adapters against a naive oracle: whatever the epochs, requests and slots, what is committed
//! resolves to what a dense grid says, with and without upkeep beside it.
//!
//! 24 cases; `PROPTEST_CASES=10000` asks for more. A failure prints its seed for `PROPTEST_RNG_SEED`.

// A test's assumption that does not hold is a failed test.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use adapters::{EmbeddedStream, LakeSink, Request, RocksDbState, StateOptions, SystemClock};
use arrow::{
    array::{Array, AsArray},
    datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType},
    util::display::{ArrayFormatter, FormatOptions},
};
use engine::{
    Decoder, Pipeline, PipelineOptions, Progress, Scaling,
    event_batch::{EventBatch, Place},
    model::{Assertion, DatasetDefinition, OPEN, RescaleReason, resolve},
    ports::EpochLimits,
    rescale::RescaleRequest,
};
use futures::TryStreamExt;
use lake::{CompactOptions, Dataset, ExpiryOptions, Lake, ScanRequest};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed},
};

#[path = "pipeline/eviction.rs"]
mod eviction;
#[path = "pipeline/evolution.rs"]
mod evolution;
#[path = "pipeline/retention.rs"]
mod retention;
#[path = "pipeline/state_memory.rs"]
mod state_memory;

/// Valid time is 1970-01-01 and the days after; the last stands for all that follow.
const DAYS: usize = 40;
const KEYS: usize = 4;

#[derive(Debug, Clone)]
struct Draft {
    key: usize,
    from: usize,
    length: Option<usize>,
    operation: Op,
    sequence: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Op {
    Put(i64),
    Delete,
    /// Withdraws a change; in interval mode, which has none, a delete.
    Retract,
}

/// What the dataset is like.
#[derive(Debug, Clone, Copy)]
struct Kind {
    until_changed: bool,
    sequenced: bool,
}

fn drafts() -> impl Strategy<Value = Vec<Vec<Draft>>> {
    let operation = prop_oneof![9 => (0..4_i64).prop_map(Op::Put), 2 => Just(Op::Delete), 5 => Just(Op::Retract)];
    let one = (0..KEYS, 0..DAYS - 1, prop::option::of(1..12_usize), operation, 0..200_i64);
    let draft =
        one.prop_map(|(key, from, length, operation, sequence)| Draft { key, from, length, operation, sequence });
    prop::collection::vec(prop::collection::vec(draft, 1..25), 1..14)
}

fn definition(kind: Kind) -> DatasetDefinition {
    let columns = r#"{"name":"k","type":"string"},{"name":"v","type":"int64"},{"name":"a","type":"timestamp"},
                     {"name":"op","type":"string"},{"name":"s","type":"int64"}"#;
    let (end, rest) = match kind.until_changed {
        true => ("", r#""mode":"until_changed""#),
        false => (r#",{"name":"b","type":"timestamp"}"#, r#""valid_to":"b","mode":"interval""#),
    };
    let sequence = if kind.sequenced { r#""sequence":"s","# } else { "" };
    let roles = r#""key":["k"],"valid_from":"a","operation":"op""#;
    serde_json::from_str(&format!(r#"{{"columns":[{columns}{end}],{sequence}{roles},{rest}}}"#)).unwrap()
}

fn day(day: usize) -> String {
    format!("\"1970-{:02}-{:02}\"", 1 + day / 28, 1 + day % 28)
}

/// Days of this calendar have gaps at the month's end; this is the instant of one.
fn micros(index: usize) -> i64 {
    engine::model::Instant::parse(day(index).trim_matches('"')).unwrap().micros()
}

fn line(draft: &Draft, kind: Kind) -> String {
    let end = draft.length.map(|length| draft.from + length).filter(|&to| to < DAYS).map_or("null".into(), day);
    let (op, value) = match draft.operation {
        Op::Put(value) => ("put", value),
        Op::Retract if kind.until_changed => ("retract", 0),
        Op::Delete | Op::Retract => ("delete", 0),
    };
    // Without the role it is a value like any other, and would make every put another.
    let sequence = if kind.sequenced { draft.sequence } else { 0 };
    let from = day(draft.from);
    format!(r#"{{"k":"key-{}","v":{value},"a":{from},"b":{end},"op":"{op}","s":{sequence}}}"#, draft.key)
}

/// What was said of one day, or at one instant, of a key: sequence number, and what; no value is nothing.
type Said = Option<(i64, Op)>;

/// What holds on each day, for each key, after all events in order.
fn oracle(requests: &[Vec<Draft>], kind: Kind) -> Vec<Vec<Option<i64>>> {
    let mut said: Vec<Vec<Said>> = vec![vec![None; DAYS]; KEYS];
    for draft in requests.iter().flatten() {
        let days = &mut said[draft.key];
        let sequence = if kind.sequenced { draft.sequence } else { 0 };
        let to = match draft.length {
            _ if kind.until_changed => draft.from + 1,
            None => DAYS,
            Some(length) => (draft.from + length).min(DAYS),
        };
        // Without sequence numbers, what says nothing new is no change.
        let same = spread(days, kind)[draft.from] == value(draft.operation) && draft.operation != Op::Retract;
        if kind.until_changed && !kind.sequenced && same {
            continue;
        }
        for day in days[draft.from..to].iter_mut().filter(|day| day.is_none_or(|(number, _)| number <= sequence)) {
            *day = Some((sequence, draft.operation));
        }
    }
    said.iter().map(|days| spread(days, kind)).collect()
}

fn value(operation: Op) -> Option<i64> {
    match operation {
        Op::Put(value) => Some(value),
        Op::Delete | Op::Retract => None,
    }
}

fn spread(said: &[Said], kind: Kind) -> Vec<Option<i64>> {
    let mut held = None;
    let mut days = Vec::with_capacity(said.len());
    for said in said {
        held = match said {
            Some((_, Op::Retract)) | None if kind.until_changed => held,
            Some((_, operation)) => value(*operation),
            None => None,
        };
        days.push(held);
    }
    days
}

/// The adapters over one folder, open.
struct Opened {
    stream: Arc<EmbeddedStream>,
    state: Arc<RocksDbState>,
    lake: Lake,
    decoder: Decoder,
    dataset_id: u32,
    slots: u16,
    max_records: u64,
    state_ttl: Option<Duration>,
}

impl Opened {
    async fn open(folder: &Path, definition: &DatasetDefinition, slots: u16, max_records: u64) -> Opened {
        let stream = EmbeddedStream::open(&folder.join("stream"), Arc::new(SystemClock)).unwrap();
        let state = RocksDbState::open(&folder.join("state"), StateOptions::default()).unwrap();
        let lake = Lake::open(&folder.join("lake")).await.unwrap();
        let dataset = match lake.dataset("facts") {
            Some(dataset) => dataset,
            None => lake.define_dataset("facts", definition).await.unwrap().dataset().clone(),
        };
        let decoder = Decoder::new(Arc::new(dataset.definition.clone()), &dataset.columns);
        let (stream, state) = (Arc::new(stream), Arc::new(state));
        Opened { stream, state, lake, decoder, dataset_id: dataset.id, slots, max_records, state_ttl: None }
    }

    /// Sends by another definition from now on.
    fn use_definition(&mut self, dataset: &Dataset) {
        self.decoder = Decoder::new(Arc::new(dataset.definition.clone()), &dataset.columns);
    }

    async fn send(&self, lines: &[String], importing: bool) {
        let mut request = Request::default();
        let mut batch = EventBatch::new(self.decoder.definition());
        for (index, text) in lines.iter().enumerate() {
            let place = Place { position: 0, line: index as u32 + 1 };
            self.decoder.decode(text.as_bytes(), place, importing, &mut batch).unwrap();
            request.accept(self.dataset_id, place.line, batch.hashes[index], 1, text.as_bytes());
        }
        self.stream.append(request).await.unwrap();
    }

    /// Runs a pipeline until all that was sent is committed, while upkeep compacts and expires all the time.
    async fn drain_under_upkeep(&self) {
        let (lake, ended) = (self.lake.clone(), Arc::new(AtomicBool::new(false)));
        let ending = Arc::clone(&ended);
        let upkeep = tokio::spawn(async move {
            while !ending.load(Ordering::Relaxed) {
                lake.compact("facts", CompactOptions::default()).await.unwrap();
                // The metadata of a commit that goes on is of no use to anybody yet.
                let grace = Duration::from_secs(60);
                lake.expire("facts", ExpiryOptions { grace, ..last_snapshot_only() }).await.unwrap();
            }
        });
        self.drain().await;
        ended.store(true, Ordering::Relaxed);
        upkeep.await.unwrap();
    }

    /// Runs a pipeline until all that was sent is committed.
    async fn drain(&self) {
        let scaling = Arc::new(Scaling::new(self.slots));
        let pipeline = Pipeline {
            source: self.stream.clone(),
            state: self.state.clone(),
            sink: Arc::new(LakeSink::new(self.lake.clone(), tokio::runtime::Handle::current())),
            clock: Arc::new(SystemClock),
            options: PipelineOptions {
                // Every slot has work, however little there is.
                small_epoch_records: 0,
                epoch_interval: Duration::ZERO,
                limits: EpochLimits { max_records: self.max_records, max_bytes: 1 << 20 },
                state_ttl: self.state_ttl,
                ..PipelineOptions::default()
            },
            scaling: scaling.clone(),
            progress: Arc::new(Progress::default()),
            // Other slots after each epoch. What cannot be is refused, which is as good as anything here.
            on_commit: Box::new(move |record, _| {
                let (slots, asked_by) = ((record.epoch % 5) as u16 + 1, "a test".to_owned());
                let request = RescaleRequest { slots, reason: RescaleReason::Hand { text: String::new() }, asked_by };
                let _ = scaling.request(request, record.system_time);
            }),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let running = tokio::task::spawn_blocking(move || pipeline.run(&stopping));
        let last = self.stream.last_position();
        let mut heads = self.lake.subscribe();
        heads.wait_for(|head| last == 0 || head.as_ref().is_some_and(|h| h.position >= last)).await.unwrap();
        stop.store(true, Ordering::Relaxed);
        running.await.unwrap().unwrap();
    }
}

fn last_snapshot_only() -> ExpiryOptions {
    let (keep_for, grace) = (Duration::ZERO, Duration::ZERO);
    ExpiryOptions { keep_for, keep_at_least: 1, keep_at_most: 1, grace }
}

async fn run(
    requests: &[Vec<Draft>],
    kind: Kind,
    slots: u16,
    max_records: u64,
    restart_after: usize,
    upkeep: bool,
) -> Vec<Vec<Option<i64>>> {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = requests.split_at(restart_after.min(requests.len()));
    let mut cells = Vec::new();
    for part in [first, second] {
        let opened = Opened::open(folder.path(), &definition(kind), slots, max_records).await;
        for drafts in part {
            let lines: Vec<String> = drafts.iter().map(|draft| line(draft, kind)).collect();
            opened.send(&lines, false).await;
        }
        match upkeep {
            true => opened.drain_under_upkeep().await,
            false => opened.drain().await,
        }
        cells = committed(&opened.lake).await;
        opened.lake.compact("facts", CompactOptions::default()).await.unwrap();
        opened.lake.expire("facts", last_snapshot_only()).await.unwrap();
        assert_eq!(committed(&opened.lake).await, cells, "upkeep changes nothing");
        let counts = opened.lake.counts().await.unwrap();
        let told: u64 = counts.iter().map(|c| c.committed + c.unchanged + c.quarantined).sum();
        let received: u64 = opened.stream.counts().values().map(|c| c.received).sum();
        assert_eq!(told, received, "every record is accounted for");
    }
    cells
}

/// What is committed and known to this day, resolved day by day.
async fn committed(lake: &Lake) -> Vec<Vec<Option<i64>>> {
    committed_by(lake, i64::MAX - 1).await
}

/// What was committed and known by a system time, resolved day by day.
async fn committed_by(lake: &Lake, system_time: i64) -> Vec<Vec<Option<i64>>> {
    let table = lake.snapshot(None).await.unwrap().table("facts").unwrap();
    let columns = ["k", "v", "valid_from", "valid_to", "system_from", "operation"].map(str::to_owned).to_vec();
    let (system_from_at_most, system_to_after) = (system_time, Some(system_time));
    let request = ScanRequest { columns, system_from_at_most, system_to_after, ..ScanRequest::default() };
    let batches: Vec<_> = table.scan(request).unwrap().try_collect().await.unwrap();
    let mut rows: BTreeMap<String, Vec<(Assertion, i64)>> = BTreeMap::new();
    for batch in &batches {
        let time = |column: usize| batch.column(column).as_primitive::<TimestampMicrosecondType>();
        let (from, to, system_from) = (time(2), time(3), time(4));
        for row in 0..batch.num_rows() {
            let put = batch.column(5).as_string::<i32>().value(row) == "put";
            let to = if to.is_null(row) { OPEN } else { to.value(row) };
            let assertion = Assertion { from: from.value(row), to, system_from: system_from.value(row), put };
            let value = batch.column(1).as_primitive::<Int64Type>().value(row);
            rows.entry(batch.column(0).as_string::<i32>().value(row).to_owned()).or_default().push((assertion, value));
        }
    }
    (0..KEYS)
        .map(|key| {
            let rows = rows.remove(&format!("key-{key}")).unwrap_or_default();
            let assertions: Vec<Assertion> = rows.iter().map(|(assertion, _)| *assertion).collect();
            let pieces = resolve(&assertions, |_, _| false);
            let held = |at: i64| pieces.iter().find(|p| p.from <= at && at < p.to).map(|p| rows[p.assertion].1);
            (0..DAYS).map(|index| held(micros(index))).collect()
        })
        .collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_the_epochs_and_slots_the_lake_says_what_the_events_said(
        requests in drafts(), until_changed in any::<bool>(), sequenced in any::<bool>(), slots in 1..5_u16,
        max_records in 1..60_u64, restart_after in 0..14_usize, upkeep in any::<bool>(),
    ) {
        let kind = Kind { until_changed, sequenced };
        let found = runtime().block_on(run(&requests, kind, slots, max_records, restart_after, upkeep));
        prop_assert_eq!(found, oracle(&requests, kind));
    }
}

fn config() -> Config {
    let given = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let cases = given("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(24);
    let seed = given("PROPTEST_RNG_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed"));
    eprintln!("{cases} cases; to play them again: PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed}");
    let rng_seed = RngSeed::Fixed(seed);
    Config { cases, rng_seed, failure_persistence: None, max_shrink_iters: 60, ..Config::default() }
}

#[test]
fn a_put_that_said_what_held_does_not_end_a_delete_that_comes_later() {
    let draft = |from, operation| Draft { key: 3, from, length: None, operation, sequence: 0 };
    let requests = [vec![draft(0, Op::Put(3)), draft(29, Op::Put(3)), draft(3, Op::Delete)]];
    let kind = Kind { until_changed: true, sequenced: false };
    let found = runtime().block_on(run(&requests, kind, 3, 18, 1, false));
    assert_eq!(found, oracle(&requests, kind));
    assert_eq!(found[3], (0..DAYS).map(|day| (day < 3).then_some(3)).collect::<Vec<_>>());
}

fn runtime() -> tokio::runtime::Runtime {
    // What the pipeline tries again is told nowhere else. Set already by another test: fine.
    let _ = tracing_subscriber::fmt()
        .with_test_writer()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .try_init();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A key of two columns, values of several types, some of them null.
fn quotes(import: bool) -> DatasetDefinition {
    let system_time = if import { r#""system_time":"known","# } else { "" };
    let known = if import { r#",{"name":"known","type":"timestamp"}"# } else { "" };
    let text = format!(
        r#"{{"columns":[{{"name":"venue","type":"string"}},{{"name":"number","type":"int64"}},
            {{"name":"price","type":"decimal(18,4)"}},{{"name":"note","type":"string"}},{{"name":"firm","type":"bool"}},
            {{"name":"a","type":"timestamp"}},{{"name":"op","type":"string"}}{known}],"key":["venue","number"],
            {system_time}"valid_from":"a","operation":"op","mode":"until_changed"}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn quote(op: &str, venue: &str, number: i64, from: usize, values: &str, known: usize) -> String {
    let (from, known) = (day(from), day(known));
    format!(r#"{{"op":"{op}","venue":"{venue}","number":{number},"a":{from},"known":{known}{values}}}"#)
}

/// Rows that became known last, as text: five columns and the operation by valid time.
async fn last_rows(lake: &Lake, shown: [&str; 5]) -> Vec<String> {
    let table = lake.snapshot(None).await.unwrap().table("facts").unwrap();
    let times = ["valid_from", "system_from", "operation"];
    let columns = shown.iter().chain(&times).map(|&column| column.to_owned()).collect();
    let request = ScanRequest { columns, ..ScanRequest::default() };
    let batches: Vec<_> = table.scan(request).unwrap().try_collect().await.unwrap();
    let options = FormatOptions::default().with_null("-");
    let mut rows: Vec<(i64, i64, String)> = Vec::new();
    for batch in &batches {
        let time = |column: usize| batch.column(column).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let text = |column: &usize| {
                ArrayFormatter::try_new(batch.column(*column).as_ref(), &options).unwrap().value(row).to_string()
            };
            let shown: Vec<String> = [0, 1, 2, 3, 4, 7].iter().map(text).collect();
            rows.push((time(6).value(row), time(5).value(row), shown.join(" ")));
        }
    }
    rows.sort();
    let last = rows.last().unwrap().0;
    rows.into_iter().filter(|row| row.0 == last).map(|row| row.2).collect()
}

#[test]
fn a_retraction_takes_the_values_of_its_own_key_from_the_lake() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let opened = Opened::open(folder.path(), &quotes(false), 2, 1_000).await;
        let full = r#","price":"1.2500","note":"first","firm":true"#;
        let sparse = r#","price":"-0.0001""#;
        // Keys of which each part is another's, too.
        let puts = |from: usize, values: &str| {
            [("A", 1), ("A", 2), ("B", 1)].map(|(venue, number)| quote("put", venue, number, from, values, 0)).to_vec()
        };
        opened.send(&puts(0, full), false).await;
        opened.drain().await;
        opened.send(&[quote("put", "A", 2, 0, sparse, 0), quote("delete", "B", 1, 3, "", 0)], false).await;
        opened.drain().await;
        opened.send(&puts(5, r#","price":"9""#), false).await;
        opened.drain().await;
        let retractions =
            [("A", 1), ("A", 2), ("B", 1)].map(|(venue, number)| quote("retract", venue, number, 5, "", 0));
        opened.send(&retractions, false).await;
        opened.drain().await;
        let mut rows = last_rows(&opened.lake, ["venue", "number", "price", "note", "firm"]).await;
        rows.sort();
        assert_eq!(rows, ["A 1 1.2500 first true put", "A 2 -0.0001 - - put", "B 1 - - - delete"]);
    });
}

#[test]
fn a_retraction_finds_its_values_in_an_import_that_is_not_sealed() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let opened = Opened::open(folder.path(), &quotes(true), 2, 1_000).await;
        let put = |from, price: &str, known| quote("put", "A", 1, from, &format!(r#","price":"{price}""#), known);
        opened.send(&[put(0, "1", 1), put(5, "2", 2), put(9, "3", 3)], true).await;
        opened.drain().await;
        opened.send(&[quote("retract", "A", 1, 5, "", 4), put(20, "4", 5)], true).await;
        opened.drain().await;
        opened.stream.append(Request::sealing(opened.dataset_id)).await.unwrap();
        opened.drain().await;
        let table = opened.lake.snapshot(None).await.unwrap().table("facts").unwrap();
        let columns = ["price", "valid_from", "system_from"].map(str::to_owned).to_vec();
        let known_by = engine::model::Instant::parse(day(4).trim_matches('"')).unwrap().micros();
        let request = ScanRequest { columns, system_from_at_most: known_by, ..ScanRequest::default() };
        let batches: Vec<_> = table.scan(request).unwrap().try_collect().await.unwrap();
        let mut rows: Vec<(i64, i64, i128)> = Vec::new();
        for batch in &batches {
            let time = |column: usize| batch.column(column).as_primitive::<TimestampMicrosecondType>();
            let price = batch.column(0).as_primitive::<Decimal128Type>();
            rows.extend((0..batch.num_rows()).map(|i| (time(2).value(i), time(1).value(i), price.value(i))));
        }
        rows.sort();
        let last = rows.last().unwrap();
        assert_eq!(*last, (known_by, micros(5), 10_000), "from the fifth day on the price of the first: {rows:?}");
    });
}
