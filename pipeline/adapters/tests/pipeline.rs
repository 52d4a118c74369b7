//! The pipeline on real adapters against a naive oracle: whatever the epochs, requests and slots, what is committed
//! resolves to what a dense grid says.

// A test's assumption that does not hold is a failed test.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use adapters::{EmbeddedStream, LakeSink, Request, RocksDbState, StateOptions, SystemClock};
use arrow::{
    array::{Array, AsArray},
    datatypes::{Int64Type, TimestampMicrosecondType},
};
use engine::{
    Decoder, Pipeline, PipelineOptions, Progress,
    event_batch::{EventBatch, Place},
    model::{Assertion, DatasetDefinition, OPEN, resolve},
    ports::EpochLimits,
};
use futures::TryStreamExt;
use lake::{Lake, ScanRequest};
use proptest::{prelude::*, test_runner::Config};

/// Valid time is 1970-01-01 and the days after; the last stands for all that follow.
const DAYS: usize = 40;
const KEYS: usize = 4;

#[derive(Debug, Clone)]
struct Draft {
    key: usize,
    from: usize,
    length: Option<usize>,
    value: Option<i64>,
}

fn drafts() -> impl Strategy<Value = Vec<Vec<Draft>>> {
    let one = (0..KEYS, 0..DAYS - 1, prop::option::of(1..12_usize), prop::option::weighted(0.85, 0..4_i64));
    let draft = one.prop_map(|(key, from, length, value)| Draft { key, from, length, value });
    prop::collection::vec(prop::collection::vec(draft, 1..25), 1..14)
}

fn definition(until_changed: bool) -> DatasetDefinition {
    let columns = r#"{"name":"k","type":"string"},{"name":"v","type":"int64"},{"name":"a","type":"timestamp"},
                     {"name":"op","type":"string"}"#;
    let (end, rest) = match until_changed {
        true => ("", r#""mode":"until_changed""#),
        false => (r#",{"name":"b","type":"timestamp"}"#, r#""valid_to":"b","mode":"interval""#),
    };
    let text = format!(r#"{{"columns":[{columns}{end}],"key":["k"],"valid_from":"a","operation":"op",{rest}}}"#);
    serde_json::from_str(&text).unwrap()
}

fn day(day: usize) -> String {
    format!("\"1970-{:02}-{:02}\"", 1 + day / 28, 1 + day % 28)
}

/// Days of this calendar have gaps at the month's end; this is the instant of one.
fn micros(index: usize) -> i64 {
    engine::model::Instant::parse(day(index).trim_matches('"')).unwrap().micros()
}

fn line(draft: &Draft) -> String {
    let end = draft.length.map(|length| draft.from + length).filter(|&to| to < DAYS).map_or("null".into(), day);
    let (op, value) = draft.value.map_or(("delete", 0), |value| ("put", value));
    format!(r#"{{"k":"key-{}","v":{value},"a":{},"b":{end},"op":"{op}"}}"#, draft.key, day(draft.from))
}

/// What holds on each day, for each key, after all events in order.
fn oracle(requests: &[Vec<Draft>], until_changed: bool) -> Vec<Vec<Option<i64>>> {
    let mut cells = vec![vec![None; DAYS]; KEYS];
    let mut changes = vec![vec![false; DAYS]; KEYS];
    for draft in requests.iter().flatten() {
        let cells = &mut cells[draft.key];
        if !until_changed {
            let to = draft.length.map_or(DAYS, |length| (draft.from + length).min(DAYS));
            cells[draft.from..to].fill(draft.value);
        } else if cells[draft.from] != draft.value {
            let changes = &mut changes[draft.key];
            changes[draft.from] = true;
            let to = (draft.from + 1..DAYS).find(|&day| changes[day]).unwrap_or(DAYS);
            cells[draft.from..to].fill(draft.value);
        }
    }
    cells
}

async fn run(
    requests: &[Vec<Draft>],
    until_changed: bool,
    slots: u16,
    max_records: u64,
    restart_after: usize,
) -> Vec<Vec<Option<i64>>> {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = requests.split_at(restart_after.min(requests.len()));
    let mut cells = Vec::new();
    for part in [first, second] {
        let clock = Arc::new(SystemClock);
        let stream = Arc::new(EmbeddedStream::open(&folder.path().join("stream"), clock.clone()).unwrap());
        let state = Arc::new(RocksDbState::open(&folder.path().join("state"), StateOptions::default()).unwrap());
        let lake = Lake::open(&folder.path().join("lake")).await.unwrap();
        let dataset = Arc::clone(lake.define_dataset("facts", &definition(until_changed)).await.unwrap().dataset());
        let decoder = Decoder::new(Arc::new(dataset.definition.clone()));
        for drafts in part {
            let mut request = Request::default();
            let mut batch = EventBatch::new(decoder.definition());
            for (index, draft) in drafts.iter().enumerate() {
                let (text, number) = (line(draft), index as u32 + 1);
                decoder.decode(text.as_bytes(), Place { position: 0, line: number }, false, &mut batch).unwrap();
                request.accept(dataset.id, number, batch.hashes[index], 1, text.as_bytes());
            }
            stream.append(request).await.unwrap();
        }
        let pipeline = Pipeline {
            source: stream.clone(),
            state,
            sink: Arc::new(LakeSink::new(lake.clone(), tokio::runtime::Handle::current())),
            clock,
            options: PipelineOptions {
                slots,
                epoch_interval: Duration::ZERO,
                limits: EpochLimits { max_records, max_bytes: 1 << 20 },
                ..PipelineOptions::default()
            },
            progress: Arc::new(Progress::default()),
            on_commit: Box::new(|_, _| {}),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let running = tokio::task::spawn_blocking(move || pipeline.run(&stopping));
        let last = stream.last_position();
        lake.subscribe().wait_for(|head| last == 0 || head.as_ref().is_some_and(|h| h.position >= last)).await.unwrap();
        stop.store(true, Ordering::Relaxed);
        running.await.unwrap().unwrap();
        cells = committed(&lake).await;
        let counts = lake.counts().await.unwrap();
        let told: u64 = counts.iter().map(|c| c.committed + c.unchanged + c.quarantined).sum();
        let received: u64 = stream.counts().values().map(|c| c.received).sum();
        assert_eq!(told, received, "every record is accounted for");
    }
    cells
}

/// What is committed, resolved day by day.
async fn committed(lake: &Lake) -> Vec<Vec<Option<i64>>> {
    let table = lake.snapshot(None).await.unwrap().table("facts").unwrap();
    let columns = ["k", "v", "valid_from", "valid_to", "system_from", "operation"].map(str::to_owned).to_vec();
    let request = ScanRequest { columns, system_from_at_most: i64::MAX, valid_overlap: None, key_filters: Vec::new() };
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
    #![proptest_config(Config { cases: 24, max_shrink_iters: 60, ..Config::default() })]

    #[test]
    fn whatever_the_epochs_and_slots_the_lake_says_what_the_events_said(
        requests in drafts(), until_changed in any::<bool>(), slots in 1..5_u16, max_records in 1..60_u64, restart_after in 0..14_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let found = runtime.block_on(run(&requests, until_changed, slots, max_records, restart_after));
        prop_assert_eq!(found, oracle(&requests, until_changed));
    }
}
