//! Faults on purpose: damaged rows that the proof has to find, and work cut off at each step.

mod archive;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures::TryStreamExt;
use model::{
    ColumnDefinition, ColumnType, DatasetDefinition, EpochRecord, Instant, Mode, OPEN,
    arrow_layout::{assertion_schema, timestamp_type},
};

use super::{
    CompactOptions, ExpiryOptions,
    rows::{Class, ExactRow},
};
use crate::{Dataset, DatasetCommit, EpochCommit, Error, ErrorKind, Lake, Result, ScanRequest};

/// Something that goes wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    RowDropped,
    RowDoubled,
    ValidBoundShifted,
    SystemBoundShifted,
    CopySpoilt,
    CrashAt(Step),
}

/// Steps of a piece of upkeep, after each of which it may be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    PartWritten,
    FilesWritten,
    MetadataWritten,
    Committed,
    FilesRemoved,
}

/// Damages what is about to be written, once.
pub(crate) fn damage(options: &CompactOptions, by_class: &mut BTreeMap<Class, Vec<ExactRow>>) {
    let Some(rows) = by_class.values_mut().max_by_key(|rows| rows.len()) else { return };
    let middle = rows.len() / 2;
    match options.fault {
        Some(Fault::RowDropped) => drop(rows.remove(middle)),
        Some(Fault::RowDoubled) => rows.insert(middle, rows[middle]),
        Some(Fault::ValidBoundShifted) => rows[middle].region.valid_from += 1,
        Some(Fault::SystemBoundShifted) => {
            let region = &mut rows[middle].region;
            region.system_to = if region.system_to == OPEN { region.system_from + 1 } else { region.system_to + 1 };
        }
        _ => {}
    }
}

/// Ends here, as a crash would: nothing is cleaned up, and memory knows nothing of what comes after.
pub(crate) fn crash(fault: Option<Fault>, step: Step) -> Result<()> {
    if fault == Some(Fault::CrashAt(step)) { Err(Error::internal("cut off on purpose")) } else { Ok(()) }
}

/// Changes a byte of a file.
pub(crate) fn spoil(fault: Option<Fault>, path: &Path) {
    if fault == Some(Fault::CopySpoilt) {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
}

const START: i64 = 1_790_000_000_000_000;

fn definition() -> DatasetDefinition {
    let column = |name: &str, column_type| ColumnDefinition { name: name.to_owned(), column_type, path: None };
    DatasetDefinition {
        columns: vec![
            column("key", ColumnType::String),
            column("value", ColumnType::Int64),
            column("starts", ColumnType::Timestamp),
            column("ends", ColumnType::Timestamp),
        ],
        key: vec!["key".to_owned()],
        valid_from: "starts".to_owned(),
        valid_to: Some("ends".to_owned()),
        operation: None,
        sequence: None,
        system_time: None,
        mode: Mode::Interval,
        each: None,
    }
}

/// Ten epochs of fifty rows that override each other much.
async fn filled(folder: &Path) -> (Lake, Arc<Dataset>) {
    let lake = Lake::open(folder).await.unwrap();
    let dataset = lake.define_dataset("prices", &definition()).await.unwrap().dataset().clone();
    for epoch in 1..=10_u64 {
        append(&lake, &dataset, epoch).await;
    }
    (lake, dataset)
}

async fn append(lake: &Lake, dataset: &Dataset, epoch: u64) {
    append_rows(lake, dataset, epoch, &rows(epoch, START + epoch as i64 * 1_000_000)).await;
}

async fn append_rows(lake: &Lake, dataset: &Dataset, epoch: u64, rows: &RecordBatch) {
    let system_time = START + epoch as i64 * 1_000_000;
    let mut writer = lake.writer(dataset).unwrap();
    writer.write(rows).unwrap();
    let files = writer.finish().unwrap();
    let commit = DatasetCommit {
        dataset_id: dataset.id,
        version: dataset.version,
        files,
        committed: 50,
        unchanged: 0,
        quarantined: 0,
        ignored_fields: 0,
        seal: false,
    };
    let record = EpochRecord {
        epoch,
        system_time: Instant(system_time),
        position: epoch,
        records: 50,
        rows: 50,
        duration_micros: 1,
    };
    lake.commit_epoch(EpochCommit { record, datasets: vec![commit], checkpoint: String::new() }).await.unwrap();
}

fn rows(epoch: u64, system_time: i64) -> RecordBatch {
    let index = |row: i64| (row * 7 + epoch as i64 * 3) % 40;
    let times = |values: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(values.into_iter().collect::<TimestampMicrosecondArray>().with_data_type(timestamp_type()))
    };
    let rows = 0..50_i64;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.clone().map(|row| format!("key-{row}")))),
        Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row * 100 + epoch as i64))),
        times(rows.clone().map(|row| Some(index(row))).collect()),
        times(rows.clone().map(|row| (row % 3 > 0).then_some(index(row) + 15)).collect()),
        times(rows.clone().map(|_| Some(system_time)).collect()),
        times(rows.clone().map(|_| None).collect()),
        Arc::new(StringArray::from_iter_values(
            rows.map(|row| if (row + epoch as i64) % 5 == 0 { "delete" } else { "put" }),
        )),
    ];
    RecordBatch::try_new(assertion_schema(&definition()), columns).unwrap()
}

/// What holds at each of many coordinates, by the rule that any engine can say in SQL.
async fn answers(lake: &Lake, epochs: u64) -> Vec<String> {
    let columns = ["key", "value", "valid_from", "valid_to", "system_from", "system_to", "operation"];
    let request = ScanRequest { columns: columns.map(str::to_owned).to_vec(), ..ScanRequest::default() };
    let snapshot = lake.snapshot(None).await.unwrap();
    let batches: Vec<RecordBatch> =
        snapshot.table("prices").unwrap().scan(request).unwrap().try_collect().await.unwrap();
    let mut found = Vec::new();
    for epoch in 1..=epochs as i64 {
        for valid in (0..60).step_by(3) {
            found.extend(holding(&batches, valid, START + epoch * 1_000_000));
        }
    }
    found
}

fn holding(batches: &[RecordBatch], valid: i64, system: i64) -> Vec<String> {
    let mut latest: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for batch in batches {
        let times = |column: usize| batch.column(column).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        let end = |column: usize, row: usize| if times(column).is_null(row) { OPEN } else { times(column).value(row) };
        for row in 0..batch.num_rows() {
            let known = times(4).value(row);
            if times(2).value(row) > valid || end(3, row) <= valid || known > system || end(5, row) <= system {
                continue;
            }
            let value = batch.column(1).as_primitive::<arrow::datatypes::Int64Type>().value(row);
            let said = format!("{} {value}", batch.column(6).as_string::<i32>().value(row));
            let entry = latest.entry(batch.column(0).as_string::<i32>().value(row).to_owned());
            let best = entry.or_insert((i64::MIN, String::new()));
            if known > best.0 {
                *best = (known, said);
            }
        }
    }
    let puts = latest.into_iter().filter(|(_, (_, said))| said.starts_with("put"));
    puts.map(|(key, (known, said))| format!("{valid} {system} {key} {known} {said}")).collect()
}

fn with(fault: Fault) -> CompactOptions {
    CompactOptions { fault: Some(fault), ..CompactOptions::default() }
}

fn data_files(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("warehouse/prices/data")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_rows_are_found_by_the_digest_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _) = filled(folder.path()).await;
    let (before, files) = (answers(&lake, 10).await, data_files(folder.path()));
    for fault in [Fault::RowDropped, Fault::RowDoubled, Fault::ValidBoundShifted, Fault::SystemBoundShifted] {
        let error = lake.compact("prices", with(fault)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProofFailed, "{fault:?}: {error}");
        assert_eq!(data_files(folder.path()), files, "{fault:?}: what was written is gone again");
        let kept = &lake.upkeep_runs(Some("prices"), 1).await.unwrap()[0];
        assert!(kept.error.as_ref().is_some_and(|error| error.contains("digest before")), "{kept:?}");
    }
    assert_eq!(answers(&lake, 10).await, before);
    lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    assert_eq!(answers(&lake, 10).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_at_any_step_the_answers_stay_and_the_next_run_ends_it() {
    for step in [Step::FilesWritten, Step::MetadataWritten, Step::Committed] {
        let folder = tempfile::tempdir().unwrap();
        let (lake, dataset) = filled(folder.path()).await;
        let before = answers(&lake, 10).await;
        lake.compact("prices", with(Fault::CrashAt(step))).await.unwrap_err();
        drop(lake);
        let lake = Lake::open(folder.path()).await.unwrap();
        assert_eq!(answers(&lake, 10).await, before, "{step:?}");
        append(&lake, &dataset, 11).await;
        let before = answers(&lake, 11).await;
        let run = lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
        assert!(run.files_after <= 4, "{run:?}");
        assert_eq!(answers(&lake, 11).await, before, "{step:?}");
        assert!(lake.verify_upkeep("prices").await.unwrap().iter().all(super::Verified::holds));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_finds_a_past_that_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, dataset) = filled(folder.path()).await;
    for epoch in 11..=14 {
        lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
        append(&lake, &dataset, epoch).await;
    }
    let verified = lake.verify_upkeep("prices").await.unwrap();
    assert_eq!(verified.len(), 4);
    assert!(verified.iter().all(super::Verified::holds), "{verified:?}");
    // Another digest in the catalog stands for another past in the files.
    sqlx::query("UPDATE tidemark_upkeep_runs SET digest = replace(digest, substr(digest, 1, 1), 'f') WHERE run = ?")
        .bind(&verified[2].run)
        .execute(lake.shared.catalog.pool())
        .await
        .unwrap();
    let holds: Vec<bool> = lake.verify_upkeep("prices").await.unwrap().iter().map(super::Verified::holds).collect();
    assert_eq!(holds, [true, true, verified[2].kept.starts_with('f'), true]);
}

/// Keeps the last snapshot alone, and no file longer than needed.
fn everything_old(fault: Option<Fault>) -> ExpiryOptions {
    ExpiryOptions { keep_for: Duration::ZERO, keep_at_least: 1, keep_at_most: 1, grace: Duration::ZERO, fault }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_expiry_of_all_but_the_last_snapshot_every_time_still_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, dataset) = filled(folder.path()).await;
    let before = answers(&lake, 10).await;
    lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    std::fs::write(folder.path().join("warehouse/prices/data/left-by-a-crash.parquet"), b"x").unwrap();
    let planned = lake.plan_expiry("prices", everything_old(None)).await.unwrap();
    assert_eq!(planned.snapshots, 10);
    // A table somebody reads keeps its files, one that is being written its own.
    let reading = lake.snapshot(None).await.unwrap().table("prices").unwrap();
    let staged = {
        let mut writer = lake.writer(&dataset).unwrap();
        writer.write(&rows(11, START + 11_000_000)).unwrap();
        writer.finish().unwrap()
    };
    let run = lake.expire("prices", everything_old(None)).await.unwrap().unwrap();
    assert!(run.files_before > run.files_after, "{run:?}");
    assert_eq!(data_files(folder.path()), run_files(&lake).await + staged.len());
    assert!(staged[0].path().exists());
    drop((reading, staged));
    assert_eq!(answers(&lake, 10).await, before);
    lake.expire("prices", everything_old(None)).await.unwrap().unwrap();
    assert_eq!(data_files(folder.path()), run_files(&lake).await, "what was staged and given up is gone");
    assert!(lake.expire("prices", everything_old(None)).await.unwrap().is_none());
    drop(lake);
    let lake = Lake::open(folder.path()).await.unwrap();
    assert_eq!(answers(&lake, 10).await, before);
    append(&lake, &dataset, 11).await;
    assert!(lake.verify_upkeep("prices").await.unwrap().iter().all(super::Verified::holds));
}

async fn run_files(lake: &Lake) -> usize {
    lake.snapshot(None).await.unwrap().table("prices").unwrap().file_count().await.unwrap().files as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_keeps_the_files_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _) = filled(folder.path()).await;
    let reading = lake.snapshot(None).await.unwrap().table("prices").unwrap();
    lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    lake.expire("prices", everything_old(None)).await.unwrap().unwrap();
    let request =
        ScanRequest { columns: vec!["key".to_owned()], system_from_at_most: i64::MAX, ..ScanRequest::default() };
    let batches: Vec<RecordBatch> = reading.scan(request).unwrap().try_collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 500);
    drop(reading);
    let files = data_files(folder.path());
    lake.expire("prices", everything_old(None)).await.unwrap().unwrap();
    assert_eq!((files - 10, run_files(&lake).await), (data_files(folder.path()), data_files(folder.path())));
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_cut_off_at_any_step_is_ended_by_the_next() {
    for step in [Step::MetadataWritten, Step::Committed, Step::FilesRemoved] {
        let folder = tempfile::tempdir().unwrap();
        let (lake, dataset) = filled(folder.path()).await;
        let before = answers(&lake, 10).await;
        lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
        lake.expire("prices", everything_old(Some(Fault::CrashAt(step)))).await.unwrap_err();
        drop(lake);
        let lake = Lake::open(folder.path()).await.unwrap();
        assert_eq!(answers(&lake, 10).await, before, "{step:?}");
        lake.expire("prices", everything_old(None)).await.unwrap().unwrap();
        assert_eq!(answers(&lake, 10).await, before, "{step:?}");
        assert_eq!(data_files(folder.path()), run_files(&lake).await, "{step:?}");
        append(&lake, &dataset, 11).await;
    }
}
