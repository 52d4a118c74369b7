//! Commits: all or nothing, once, in order, and there again after reopening.

use std::path::Path;

use lake::{
    EpochCommit, ErrorKind, ScanFiles, StoredCounts,
    model::{Instant, OPEN, SnapshotToken},
};

use crate::support::{
    HOUR, Row, batches, commit_rows, define, epoch, everything, import_definition, open, part, record, row, rows_of,
    stage, time_of,
};

fn some_rows(epoch: u64, count: i64) -> Vec<Row> {
    (0..count).map(|i| row(&format!("k{i}"), i + 1, (i * HOUR, OPEN), time_of(epoch))).collect()
}

#[tokio::test]
async fn an_epoch_over_two_tables_is_there_at_once_and_announced() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let (a, b) = (define(&lake, "a").await, define(&lake, "b").await);
    let mut announced = lake.subscribe();
    let before = lake.snapshot(None).await.unwrap();
    assert_eq!(before.token(), &SnapshotToken { lake: lake.id(), epoch: 0, system_time: Instant(0) });
    assert!(batches(&before, "a", everything()).await.is_empty());

    let commit =
        epoch(1, vec![part(&a, stage(&lake, &a, &some_rows(1, 3))), part(&b, stage(&lake, &b, &some_rows(1, 5)))]);
    let committed = lake.commit_epoch(commit).await.unwrap();
    assert_eq!(committed, record(1, 8));
    assert_eq!(lake.head(), Some(record(1, 8)));
    announced.changed().await.unwrap();
    assert_eq!(*announced.borrow(), Some(record(1, 8)));

    let after = lake.snapshot(None).await.unwrap();
    assert_eq!(rows_of(&after, "a", everything()).await, some_rows(1, 3));
    assert_eq!(rows_of(&after, "b", everything()).await, some_rows(1, 5));
    assert!(batches(&before, "a", everything()).await.is_empty());
    let again = lake.snapshot(Some(before.token())).await.unwrap();
    assert!(batches(&again, "b", everything()).await.is_empty());
}

#[tokio::test]
async fn what_does_not_follow_is_refused_and_a_committed_epoch_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    for n in 1..=3 {
        commit_rows(&lake, &a, &some_rows(n, 2)).await;
    }
    let again =
        |n: u64, rows: u64| EpochCommit { record: record(n, rows), datasets: vec![], checkpoint: String::new() };
    for n in [1, 3] {
        let known = lake.commit_epoch(EpochCommit { record: record(n, 99), ..again(n, 99) }).await.unwrap();
        assert_eq!(known, record(n, 2), "given back as it was committed");
    }
    let mut other_time = again(3, 0);
    other_time.record.system_time = Instant(time_of(3) + 1);
    let mut back = again(4, 0);
    back.record.position = 1;
    for commit in [other_time, back, again(5, 0), again(0, 0)] {
        assert_eq!(lake.commit_epoch(commit).await.unwrap_err().kind(), ErrorKind::Conflict);
    }
    assert_eq!(lake.counts().await.unwrap()[0].rows, 6);
    assert_eq!(lake.head().map(|head| head.epoch), Some(3));
}

#[tokio::test]
async fn a_second_process_cannot_commit_over_the_first_and_its_files_are_never_seen() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    let (a, b) = (define(&first, "a").await, define(&first, "b").await);
    let second = open(folder.path()).await;
    commit_rows(&first, &b, &some_rows(1, 1)).await;

    let mut late =
        epoch(1, vec![part(&a, stage(&second, &a, &some_rows(1, 7))), part(&b, stage(&second, &b, &some_rows(1, 7)))]);
    late.record.position += 1;
    assert_eq!(second.commit_epoch(late).await.unwrap_err().kind(), ErrorKind::Conflict);
    let third = open(folder.path()).await;
    let now = third.snapshot(None).await.unwrap();
    assert!(rows_of(&now, "a", everything()).await.is_empty(), "not even the table that could have moved");
    assert_eq!(rows_of(&now, "b", everything()).await, some_rows(1, 1));
    assert_eq!(third.counts().await.unwrap().iter().map(|counts| counts.rows).sum::<u64>(), 1);
}

#[tokio::test]
async fn rows_that_would_change_the_past_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    commit_rows(&lake, &a, &some_rows(1, 2)).await;
    for wrong in [time_of(1), time_of(2) + 1] {
        let files = stage(&lake, &a, &[row("x", 1, (0, OPEN), wrong)]);
        let error = lake.commit_epoch(epoch(2, vec![part(&a, files)])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    }
    let mut unknown = part(&a, vec![]);
    unknown.dataset_id = 99;
    assert_eq!(lake.commit_epoch(epoch(2, vec![unknown])).await.unwrap_err().kind(), ErrorKind::NotFound);
    let twice = epoch(2, vec![part(&a, vec![]), part(&a, vec![])]);
    assert_eq!(lake.commit_epoch(twice).await.unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(lake.head().map(|head| head.epoch), Some(1));
}

#[tokio::test]
async fn everything_is_there_after_reopening_and_old_tokens_still_read_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    let mut tokens = Vec::new();
    for n in 1..=5 {
        commit_rows(&lake, &a, &some_rows(n, 2)).await;
        let snapshot = lake.snapshot(None).await.unwrap();
        tokens.push((snapshot.token().clone(), rows_of(&snapshot, "a", everything()).await));
    }
    let (head, counts) = (lake.head(), lake.counts().await.unwrap());
    assert_eq!(
        counts,
        [StoredCounts {
            dataset_id: a.id,
            committed: 10,
            unchanged: 5,
            quarantined: 10,
            ignored_fields: 15,
            rows: 10,
            known: Some((Instant(time_of(1)), Instant(time_of(5)))),
        }]
    );
    drop(lake);

    let lake = open(folder.path()).await;
    assert_eq!((lake.head(), lake.counts().await.unwrap()), (head, counts));
    assert_eq!(lake.recent_epochs(2).await.unwrap(), [record(4, 2), record(5, 2)]);
    assert_eq!(lake.epochs_after(1, 2).await.unwrap(), [record(2, 2), record(3, 2)]);
    commit_rows(&lake, &a, &some_rows(6, 2)).await;
    for (token, expected) in &tokens {
        let snapshot = lake.snapshot(Some(token)).await.unwrap();
        assert_eq!(&rows_of(&snapshot, "a", everything()).await, expected, "{token}");
    }
    let known = lake.commit_epoch(epoch(5, vec![])).await.unwrap();
    assert_eq!(known, record(5, 2), "recognised after a restart");
}

#[tokio::test]
async fn a_token_that_names_nothing_of_this_lake_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    commit_rows(&lake, &a, &some_rows(1, 1)).await;
    commit_rows(&lake, &a, &some_rows(2, 1)).await;
    let token = |lake: u32, epoch: u64, time: i64| SnapshotToken { lake, epoch, system_time: Instant(time) };
    for good in [token(lake.id(), 0, 0), token(lake.id(), 1, time_of(1)), token(lake.id(), 2, time_of(2))] {
        assert_eq!(lake.snapshot(Some(&good)).await.unwrap().token(), &good);
    }
    for bad in [
        token(lake.id() ^ 1, 1, time_of(1)),
        token(lake.id(), 1, time_of(2)),
        token(lake.id(), 0, 5),
        token(lake.id(), 3, time_of(3)),
        token(lake.id(), u64::MAX, 0),
    ] {
        let error = lake.snapshot(Some(&bad)).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::UnknownSnapshot, "{bad}");
    }
}

#[tokio::test]
async fn an_import_cannot_be_read_before_the_epoch_that_seals_it() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    lake.define_dataset("gdp", &import_definition()).await.unwrap();
    let gdp = lake.dataset("gdp").unwrap();
    assert!(gdp.is_import() && gdp.is_open_import());
    let vintages: Vec<Row> = (0..4).map(|i| row("x", i + 1, (0, OPEN), i * HOUR)).collect();
    commit_rows(&lake, &gdp, &vintages[..3]).await;
    let open_import = lake.snapshot(None).await.unwrap();
    let error = open_import.table("gdp").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotReadable);
    assert!(error.message().contains("POST /api/v1/datasets/gdp/seal"), "{error}");

    let mut seal = part(&gdp, stage(&lake, &gdp, &vintages[3..]));
    seal.seal = true;
    lake.commit_epoch(epoch(2, vec![seal])).await.unwrap();
    let sealed = lake.dataset("gdp").unwrap();
    assert_eq!((sealed.sealed_epoch, sealed.is_import(), sealed.is_open_import()), (Some(2), true, false));
    let now = lake.snapshot(None).await.unwrap();
    assert_eq!(rows_of(&now, "gdp", everything()).await, vintages);
    let mut early = everything();
    early.system_from_at_most = HOUR;
    assert_eq!(rows_of(&now, "gdp", early).await, vintages[..2]);
    let before = lake.snapshot(Some(open_import.token())).await.unwrap();
    assert_eq!(before.table("gdp").err().map(|e| e.kind()), Some(ErrorKind::NotReadable));

    let files = stage(&lake, &gdp, &[row("x", 9, (0, OPEN), HOUR)]);
    let error = lake.commit_epoch(epoch(3, vec![part(&gdp, files)])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "a sealed import takes no more history");
    drop(lake);
    assert_eq!(open(folder.path()).await.dataset("gdp").unwrap().sealed_epoch, Some(2));
}

#[tokio::test]
async fn many_commits_keep_every_file_and_few_metadata_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    let mut expected = Vec::new();
    for n in 1..=150 {
        commit_rows(&lake, &a, &some_rows(n, 2)).await;
        expected.extend(some_rows(n, 2));
        if n % 60 == 0 {
            drop(lake);
            lake = open(folder.path()).await;
        }
    }
    expected.sort();
    let now = lake.snapshot(None).await.unwrap();
    assert_eq!(rows_of(&now, "a", everything()).await, expected);
    let ScanFiles { files, rows, bytes } = now.table("a").unwrap().file_count().await.unwrap();
    assert_eq!((files, rows), (150, 300));
    assert!(bytes > 0);
    let names = names(&folder.path().join("warehouse/a/metadata"));
    let of = |what: &dyn Fn(&str) -> bool| names.iter().filter(|name| what(name)).count();
    assert_eq!(of(&|name| name.ends_with(".metadata.json")), 101, "the current one and those the log lists");
    assert_eq!(of(&|name| name.starts_with("snap-")), 150, "snapshots are kept");

    drop(lake);
    let lake = open(folder.path()).await;
    let now = lake.snapshot(None).await.unwrap();
    assert_eq!(rows_of(&now, "a", everything()).await, expected, "merged manifests read the same from disk");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_whole_epochs_while_commits_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let (a, b) = (define(&lake, "a").await, define(&lake, "b").await);
    let reader = {
        let lake = lake.clone();
        tokio::spawn(async move {
            let mut seen = 0;
            while seen < 30 {
                let now = lake.snapshot(None).await.unwrap();
                let (in_a, in_b) = (rows_of(&now, "a", everything()).await, rows_of(&now, "b", everything()).await);
                assert_eq!(in_a, in_b);
                assert_eq!(in_a.len() as u64, now.token().epoch);
                seen = now.token().epoch;
            }
        })
    };
    for n in 1..=30 {
        let rows = [row("k", i64::try_from(n).unwrap(), (0, OPEN), time_of(n))];
        let datasets = vec![part(&a, stage(&lake, &a, &rows)), part(&b, stage(&lake, &b, &rows))];
        lake.commit_epoch(epoch(n, datasets)).await.unwrap();
    }
    reader.await.unwrap();
}
