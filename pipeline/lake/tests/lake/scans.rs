//! Scans: every kind of filter against the same rows filtered the plain way, over small and large files.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray};
use futures::TryStreamExt;
use lake::{
    ErrorKind, KeyFilter, Lake, LakeSnapshot, ScanRequest,
    model::{OPEN, arrow_layout::assertion_schema},
};

use crate::support::{
    HOUR, Lot, Row, batch, batches, commit_rows, define, epoch, everything, open, part, row, rows_of, text, time_of,
};

fn drawn(lot: &mut Lot, epoch: u64, count: i64) -> Vec<Row> {
    let one = |lot: &mut Lot| {
        let from = lot.below(1_000) * HOUR;
        let to = if lot.below(3) == 0 { OPEN } else { from + (1 + lot.below(100)) * HOUR };
        let mut row = row(&format!("k{}", lot.below(40)), lot.below(50) - 20, (from, to), time_of(epoch));
        if lot.below(10) == 0 {
            (row.number, row.price) = (None, None);
        }
        row
    };
    (0..count).map(|_| one(lot)).collect()
}

fn naive(rows: &[Row], keep: impl Fn(&Row) -> bool) -> Vec<Row> {
    let mut kept: Vec<Row> = rows.iter().filter(|row| keep(row)).cloned().collect();
    kept.sort();
    kept
}

fn keys(column: &str, values: ArrayRef) -> Vec<KeyFilter> {
    vec![KeyFilter { column: column.to_owned(), values }]
}

/// Asks with each filter and with all of them.
async fn check_all_filters(snapshot: &LakeSnapshot, rows: &[Row]) {
    let all = everything;
    for known in [time_of(0), time_of(2), time_of(3) + 1, i64::MAX] {
        let request = ScanRequest { system_from_at_most: known, ..all() };
        assert_eq!(rows_of(snapshot, "a", request).await, naive(rows, |r| r.system_from <= known), "known {known}");
    }
    let meets = |r: &Row, a: i64, b: i64| r.valid_from < b && r.valid_to.is_none_or(|to| to > a);
    for (a, b) in [(0, HOUR), (500 * HOUR, 500 * HOUR + 1), (2_000 * HOUR, OPEN), (i64::MIN, OPEN), (-HOUR, 0), (9, 9)]
    {
        let request = ScanRequest { valid_overlap: Some((a, b)), ..all() };
        assert_eq!(rows_of(snapshot, "a", request).await, naive(rows, |r| a < b && meets(r, a, b)), "valid {a} {b}");
    }
    let few: ArrayRef = Arc::new(StringArray::from(vec![Some("k7"), None, Some("absent"), Some("k30")]));
    let request = ScanRequest { key_filters: keys("key", few), ..all() };
    assert_eq!(rows_of(snapshot, "a", request).await, naive(rows, |r| r.key == "k7" || r.key == "k30"));
    let many: ArrayRef = Arc::new(Int64Array::from_iter_values(-15..5));
    let request = ScanRequest { key_filters: keys("number", many), ..all() };
    let in_range = |r: &Row| r.number.is_some_and(|n| (-15..5).contains(&n));
    assert_eq!(rows_of(snapshot, "a", request).await, naive(rows, in_range));
    let price = Decimal128Array::from(vec![-30_000_000_000_000_000_000_i128]).with_precision_and_scale(38, 4).unwrap();
    let request = ScanRequest { key_filters: keys("price", Arc::new(price)), ..all() };
    assert_eq!(rows_of(snapshot, "a", request).await, naive(rows, |r| r.number == Some(-3)));
    let none: ArrayRef = Arc::new(StringArray::from(Vec::<&str>::new()));
    let request = ScanRequest { key_filters: keys("key", none), ..all() };
    assert!(rows_of(snapshot, "a", request).await.is_empty());

    let one: ArrayRef = Arc::new(StringArray::from(vec!["k3"]));
    let (known, a, b) = (time_of(3), 100 * HOUR, 600 * HOUR);
    let request =
        ScanRequest { system_from_at_most: known, valid_overlap: Some((a, b)), key_filters: keys("key", one), ..all() };
    let expected = naive(rows, |r| r.system_from <= known && meets(r, a, b) && r.key == "k3");
    assert!(!expected.is_empty());
    assert_eq!(rows_of(snapshot, "a", request).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_answer_every_filter_like_a_plain_loop() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    let (mut lot, mut rows) = (Lot(7), Vec::new());
    for n in 1..=5 {
        let new = drawn(&mut lot, n, 400);
        commit_rows(&lake, &a, &new).await;
        rows.extend(new);
    }
    let now = lake.snapshot(None).await.unwrap();
    check_all_filters(&now, &rows).await;
    check_all_filters(&now, &rows).await;
    check_columns(&now, &rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_files_of_several_row_groups_answer_like_a_plain_loop() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let (rows, files) = large(&lake).await;
    assert!(files > 8 << 20, "large enough to be read by row group: {files} bytes");
    let now = lake.snapshot(None).await.unwrap();
    check_all_filters(&now, &rows).await;
    check_columns(&now, &rows).await;
}

/// One file of more than a million rows, with noise in it so that it stays large, and one small file after it.
async fn large(lake: &Lake) -> (Vec<Row>, u64) {
    let a = define(lake, "a").await;
    let mut lot = Lot(11);
    let mut rows = drawn(&mut lot, 1, 1_100_000);
    for row in &mut rows {
        // Keys after "k", so that no filter of the tests asks for them: bulk that has to be left out.
        if lot.below(100) > 0 {
            row.key = format!("noise-{:x}-{:x}", lot.below(1 << 30), lot.below(1 << 30));
        }
    }
    let mut writer = lake.writer(&a).unwrap();
    for chunk in rows.chunks(100_000) {
        writer.write(&batch(&a, chunk)).unwrap();
    }
    let files = writer.finish().unwrap();
    let bytes = files.iter().map(|file| file.bytes).max().unwrap();
    lake.commit_epoch(epoch(1, vec![part(&a, files)])).await.unwrap();
    for n in 2..=4 {
        let new = drawn(&mut lot, n, 500);
        commit_rows(lake, &a, &new).await;
        rows.extend(new);
    }
    (rows, bytes)
}

async fn check_columns(now: &LakeSnapshot, rows: &[Row]) {
    let only: ArrayRef = Arc::new(StringArray::from(vec!["k1"]));
    let request = |columns: &[&str]| ScanRequest {
        columns: columns.iter().map(|&c| c.to_owned()).collect(),
        key_filters: keys("key", only.clone()),
        ..everything()
    };
    let expected = naive(rows, |r| r.key == "k1");
    let found = batches(now, "a", request(&["number", "operation", "number", "system_to"])).await;
    let mut lines: Vec<Vec<String>> = expected
        .iter()
        .map(|r| {
            let number = r.number.map_or("null".to_owned(), |n| n.to_string());
            vec![number.clone(), if r.put { "put" } else { "delete" }.to_owned(), number, "null".to_owned()]
        })
        .collect();
    lines.sort();
    assert_eq!(text(&found), lines);
    let counted = batches(now, "a", request(&[])).await;
    assert_eq!(counted.iter().map(|batch| batch.num_rows()).sum::<usize>(), expected.len());
    assert!(counted.iter().all(|batch| batch.num_columns() == 0));
}

#[tokio::test]
async fn batches_have_the_columns_of_the_definition_and_wrong_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    commit_rows(&lake, &a, &[row("x", 1, (0, OPEN), time_of(1))]).await;
    let now = lake.snapshot(None).await.unwrap();
    let all = assertion_schema(&a.definition);
    let columns: Vec<String> = all.fields().iter().map(|field| field.name().clone()).collect();
    let found = batches(&now, "a", ScanRequest { columns, ..everything() }).await;
    assert_eq!(found[0].schema(), all);

    let table = now.table("a").unwrap();
    let refused = |request| table.scan(request).err().map(|e| e.kind());
    let unknown = ScanRequest { columns: vec!["nobody".to_owned()], ..everything() };
    assert_eq!(refused(unknown), Some(ErrorKind::NotFound));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let other_type = ScanRequest { key_filters: keys("key", numbers.clone()), ..everything() };
    assert_eq!(refused(other_type), Some(ErrorKind::Internal));
    let no_column = ScanRequest { key_filters: keys("nobody", numbers), ..everything() };
    assert_eq!(refused(no_column), Some(ErrorKind::NotFound));
    assert_eq!(now.table("b").err().map(|e| e.kind()), Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn an_empty_table_has_no_batches_and_a_lost_file_is_an_error_not_fewer_rows() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    let empty = lake.snapshot(None).await.unwrap();
    assert!(batches(&empty, "a", everything()).await.is_empty());
    assert_eq!(empty.table("a").unwrap().file_count().await.unwrap().files, 0);
    assert!(lake.writer(&a).unwrap().finish().unwrap().is_empty(), "no rows, no file");

    commit_rows(&lake, &a, &[row("x", 1, (0, OPEN), time_of(1))]).await;
    let data = folder.path().join("warehouse/a/data");
    for file in std::fs::read_dir(data).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let now = lake.snapshot(None).await.unwrap();
    let lost: Result<Vec<_>, _> = now.table("a").unwrap().scan(everything()).unwrap().try_collect().await;
    assert_eq!(lost.unwrap_err().kind(), ErrorKind::Io);
}

#[tokio::test]
async fn a_writer_takes_only_the_columns_of_its_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    let good = batch(&a, &[row("x", 1, (0, OPEN), time_of(1))]);
    let mut writer = lake.writer(&a).unwrap();
    assert_eq!(writer.write(&good.project(&[0, 1]).unwrap()).unwrap_err().kind(), ErrorKind::Internal);
    writer.write(&good).unwrap();
    let files = writer.finish().unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!((files[0].rows, files[0].system_from_min, files[0].system_from_max), (1, time_of(1), time_of(1)));
}
