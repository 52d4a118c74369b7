//! Compaction and merging between commits, against a plain loop over all rows that were ever written.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use lake::{CompactOptions, Extent, Lake, MaintainOptions, ScanRequest, UpkeepKind, model::OPEN};

use crate::support::{
    HOUR, Lot, Row, batches, commit_rows, define, definition, epoch, import_definition, open, part, record, row, stage,
    time_of,
};

/// Ten rows of an epoch, of which none overlap for a key.
fn random_rows(lot: &mut Lot, epoch: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for key in 0..10 {
        let mut at = lot.below(30) * HOUR;
        for _ in 0..lot.below(3) {
            let until = if lot.below(4) == 0 { OPEN } else { at + (1 + lot.below(20)) * HOUR };
            // A value of 0 stands for a delete.
            rows.push(row(&format!("key-{key}"), lot.below(4), (at, until), time_of(epoch)));
            if until == OPEN {
                break;
            }
            at = until + lot.below(2) * HOUR;
        }
    }
    rows
}

/// Since when it is known, number and price.
type Said = (i64, Option<i64>, Option<i128>);
type Holding = BTreeMap<String, Said>;

/// What holds by the rows that were handed in.
fn expected(rows: &[Row], valid: i64, system: i64) -> Holding {
    let mut latest: BTreeMap<&str, &Row> = BTreeMap::new();
    let covers = |row: &&Row| {
        row.system_from <= system && row.valid_from <= valid && row.valid_to.is_none_or(|valid_to| valid_to > valid)
    };
    for row in rows.iter().filter(covers) {
        let best = latest.entry(&row.key).or_insert(row);
        if row.system_from > best.system_from {
            *best = row;
        }
    }
    let puts = latest.into_values().filter(|row| row.put);
    puts.map(|row| (row.key.clone(), (row.system_from, row.number, row.price))).collect()
}

/// What holds by the table's rows and the rule in the README.
async fn found(lake: &Lake, valid: i64, system: i64) -> Holding {
    let columns = ["key", "number", "price", "valid_from", "valid_to", "system_from", "system_to", "operation"];
    let request = ScanRequest {
        columns: columns.map(str::to_owned).to_vec(),
        system_from_at_most: system,
        valid_overlap: Some((valid, valid + 1)),
        ..ScanRequest::default()
    };
    let mut latest: BTreeMap<String, (bool, Said)> = BTreeMap::new();
    for batch in batches(&lake.snapshot(None).await.unwrap(), "prices", request).await {
        let times = |column: usize| batch.column(column).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        let numbers = batch.column(1).as_primitive::<arrow::datatypes::Int64Type>();
        let prices = batch.column(2).as_primitive::<arrow::datatypes::Decimal128Type>();
        for i in 0..batch.num_rows() {
            if times(6).is_valid(i) && times(6).value(i) <= system {
                continue;
            }
            let known = times(5).value(i);
            let number = numbers.is_valid(i).then(|| numbers.value(i));
            let price = prices.is_valid(i).then(|| prices.value(i));
            let put = batch.column(7).as_string::<i32>().value(i) == "put";
            let best = latest.entry(batch.column(0).as_string::<i32>().value(i).to_owned());
            let best = best.or_insert((false, (i64::MIN, None, None)));
            if known > best.1.0 {
                *best = (put, (known, number, price));
            }
        }
    }
    latest.into_iter().filter(|(_, (put, _))| *put).map(|(key, (_, row))| (key, row)).collect()
}

async fn compare(lake: &Lake, rows: &[Row], epochs: u64, seed: u64) {
    for epoch in (1..=epochs).step_by(3).chain([epochs]) {
        for valid in [0, 3, 7, 15, 20, 29, 45, 70] {
            let valid = valid * HOUR;
            let (expected, found) = (expected(rows, valid, time_of(epoch)), found(lake, valid, time_of(epoch)).await);
            assert_eq!(found, expected, "seed {seed}, valid {valid}, epoch {epoch}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_changes_whatever_is_compacted_when() {
    for seed in 1..=6 {
        let folder = tempfile::tempdir().unwrap();
        let mut lake = open(folder.path()).await;
        let dataset = define(&lake, "prices").await;
        let mut lot = Lot(seed);
        let mut all = Vec::new();
        for number in 1..=24 {
            let rows = random_rows(&mut lot, number);
            commit_rows(&lake, &dataset, &rows).await;
            all.extend(rows);
            let options = CompactOptions { rows_per_file: Some(20) };
            match lot.below(6) {
                0 => drop(lake.compact("prices", options).await.unwrap()),
                1 => drop(
                    lake.maintain("prices", MaintainOptions { compaction: options, ..MaintainOptions::default() })
                        .await
                        .unwrap(),
                ),
                2 => {
                    drop(lake);
                    lake = open(folder.path()).await;
                }
                _ => {}
            }
            if number % 8 == 0 {
                compare(&lake, &all, number, seed).await;
            }
        }
        lake.compact("prices", CompactOptions::default()).await.unwrap();
        compare(&lake, &all, 24, seed).await;
        let verified = lake.verify_upkeep("prices").await.unwrap();
        assert!(verified.len() >= 2 && verified.iter().all(lake::Verified::holds), "seed {seed}: {verified:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exact_rows_are_disjoint_and_deletes_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let dataset = define(&lake, "prices").await;
    let said = |number, valid, epoch| row("k", number, valid, time_of(epoch));
    commit_rows(&lake, &dataset, &[said(1, (0, OPEN), 1)]).await;
    commit_rows(&lake, &dataset, &[said(2, (3 * HOUR, 6 * HOUR), 2)]).await;
    commit_rows(&lake, &dataset, &[said(0, (5 * HOUR, 7 * HOUR), 3)]).await;
    let planned = lake.plan_upkeep("prices", Extent::All).await.unwrap().unwrap();
    assert_eq!((planned.kind, planned.files, planned.rows), (UpkeepKind::Compaction, 3, 3));
    let run = lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    assert_eq!((run.files_before, run.files_after, run.rows_before, run.rows_after), (3, 3, 3, 6));
    assert!(lake.compact("prices", CompactOptions::default()).await.unwrap().is_none(), "nothing is left to do");

    let columns = ["number", "valid_from", "valid_to", "system_from", "system_to", "operation"];
    let request = ScanRequest {
        columns: columns.map(str::to_owned).to_vec(),
        system_from_at_most: i64::MAX,
        ..ScanRequest::default()
    };
    let mut rows = crate::support::text(&batches(&lake.snapshot(None).await.unwrap(), "prices", request).await);
    rows.sort();
    let time = |hour: i64| format!("1970-01-01T{hour:02}:00:00Z");
    let known = |epoch: u64| lake::model::Instant(time_of(epoch)).to_string();
    let line = |number: &str, from: i64, to: Option<i64>, since: u64, until: Option<u64>| {
        let end = |end: Option<String>| end.unwrap_or_else(|| "null".to_owned());
        vec![number.to_owned(), time(from), end(to.map(time)), known(since), end(until.map(known)), "put".to_owned()]
    };
    let mut expected = vec![
        line("1", 0, Some(3), 1, None),
        line("1", 3, Some(6), 1, Some(2)),
        line("1", 6, Some(7), 1, Some(3)),
        line("1", 7, None, 1, None),
        line("2", 3, Some(5), 2, None),
        line("2", 5, Some(6), 2, Some(3)),
    ];
    expected.sort();
    assert_eq!(rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_put_together_and_not_resolved_until_it_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let dataset = lake.define_dataset("prices", &import_definition()).await.unwrap().dataset().clone();
    let mut all = Vec::new();
    for number in 1..=5_u64 {
        // Known long before the import.
        let rows: Vec<Row> = random_rows(&mut Lot(number), number)
            .into_iter()
            .map(|row| Row { system_from: row.system_from - 1_000 * HOUR, ..row })
            .collect();
        commit_rows(&lake, &dataset, &rows).await;
        all.extend(rows);
    }
    let run = lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    assert_eq!((run.kind, run.files_after, run.digest), (UpkeepKind::Merge, 1, None));
    let mut seal = part(&dataset, Vec::new());
    seal.seal = true;
    lake.commit_epoch(epoch(6, vec![seal])).await.unwrap();
    let run = lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    assert_eq!(run.kind, UpkeepKind::Compaction);
    for number in 1..=5 {
        let system = time_of(number) - 1_000 * HOUR;
        assert_eq!(found(&lake, 9 * HOUR, system).await, expected(&all, 9 * HOUR, system));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_commits_leave_few_files_without_being_asked() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let dataset = define(&lake, "prices").await;
    let (mut all, mut most) = (Vec::new(), 0);
    for number in 1..=300 {
        let rows = random_rows(&mut Lot(number), number);
        commit_rows(&lake, &dataset, &rows).await;
        all.extend(rows);
        lake.maintain("prices", MaintainOptions::default()).await.unwrap();
        most = most.max(lake.snapshot(None).await.unwrap().table("prices").unwrap().file_count().await.unwrap().files);
    }
    assert!(most <= 100, "{most} files");
    compare(&lake, &all, 300, 0).await;
    let runs = lake.upkeep_runs(Some("prices"), 100).await.unwrap();
    assert!(runs.len() >= 4 && runs.iter().all(|run| run.error.is_none()), "{runs:?}");
    assert!(runs.windows(2).all(|pair| pair[0].started >= pair[1].started));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_appended_while_compacting_stay() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let dataset = define(&lake, "prices").await;
    let mut all = Vec::new();
    for number in 1..=10 {
        let rows = random_rows(&mut Lot(number), number);
        commit_rows(&lake, &dataset, &rows).await;
        all.extend(rows);
    }
    let beside = lake.clone();
    let compacting = tokio::spawn(async move {
        for _ in 0..10 {
            beside.compact("prices", CompactOptions::default()).await.unwrap();
        }
    });
    for number in 11..=40 {
        let rows = random_rows(&mut Lot(number), number);
        let files = stage(&lake, &dataset, &rows);
        let record = record(number, rows.len() as u64);
        let commit = lake::EpochCommit { record, datasets: vec![part(&dataset, files)], checkpoint: String::new() };
        lake.commit_epoch(commit).await.unwrap();
        all.extend(rows);
    }
    compacting.await.unwrap();
    compare(&lake, &all, 40, 0).await;
    assert_eq!(definition().key, ["key"]);
}
