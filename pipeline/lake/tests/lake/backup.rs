//! A moment of the lake copied while commits, compaction and expiry go on, and the copy at work in another folder.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use lake::{CompactOptions, ErrorKind, ExpiryOptions, Lake, LakeMoment, LakeSource, model::OPEN, relocate};
use sqlx::{Connection, Row as _, SqliteConnection};

use crate::support::{
    HOUR, Row, batches, commit_rows, define, epoch, everything, import_definition, open, part, row, rows_of, stage,
    text, time_of,
};

/// Rows of an epoch that override some of the epoch before.
fn some_rows(epoch: u64) -> Vec<Row> {
    let from = i64::try_from(epoch).unwrap() * HOUR;
    (0..6).map(|i| row(&format!("k{i}"), 1 + from % 7 + i, (from, OPEN), time_of(epoch))).collect()
}

async fn commit_some(lake: &Lake, dataset: &lake::Dataset, epochs: std::ops::RangeInclusive<u64>) {
    for epoch in epochs {
        commit_rows(lake, dataset, &some_rows(epoch)).await;
    }
}

fn everything_goes() -> ExpiryOptions {
    ExpiryOptions { keep_for: Duration::ZERO, keep_at_least: 1, keep_at_most: 1, grace: Duration::ZERO }
}

pub async fn copy(moment: &LakeMoment, to: &Path) {
    for file in moment.files().await.unwrap() {
        let path = to.join(&file.place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let LakeSource::File(source) = &file.source else { panic!("{file:?}") };
        fs::copy(source, &path).unwrap_or_else(|e| panic!("{}: {e}", source.display()));
    }
}

/// All values of a table, of the moment of a token.
async fn table(lake: &Lake, token: &lake::model::SnapshotToken, dataset: &str) -> Vec<Vec<String>> {
    text(&batches(&lake.snapshot(Some(token)).await.unwrap(), dataset, everything()).await)
}

async fn locations(folder: &Path) -> Vec<String> {
    let url = format!("sqlite://{}", folder.join("catalog.sqlite").display());
    let mut catalog = SqliteConnection::connect(&url).await.unwrap();
    let all = "SELECT metadata_location FROM iceberg_tables UNION ALL SELECT location FROM tidemark_file_digests \
               UNION ALL SELECT location FROM tidemark_replaced_files UNION ALL \
               SELECT previous_metadata_location FROM iceberg_tables WHERE previous_metadata_location IS NOT NULL";
    sqlx::query(all).fetch_all(&mut catalog).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_works_in_another_folder_and_says_the_same() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lake = open(&folder.path().join("lake")).await;
    let (a, b) = (define(&lake, "a").await, define(&lake, "b").await);
    define(&lake, "empty").await;
    commit_some(&lake, &a, 1..=8).await;
    lake.compact("a", CompactOptions::default()).await.unwrap().unwrap();
    let early = lake.snapshot(None).await.unwrap().token().clone();
    commit_some(&lake, &a, 9..=10).await;
    commit_some(&lake, &b, 11..=14).await;
    let token = lake.snapshot(None).await.unwrap().token().clone();
    let mut before = Vec::new();
    for (token, dataset) in [(&early, "a"), (&token, "a"), (&token, "b"), (&token, "empty")] {
        before.push(table(&lake, token, dataset).await);
    }

    let scratch = folder.path().join("scratch");
    let (moment, ()) = lake.hold_still(&scratch, || ()).await.unwrap();
    assert_eq!(moment.head().map(|head| head.epoch), Some(14));
    assert_eq!(moment.tables().unwrap().len(), 3);
    // What goes on meanwhile takes nothing away.
    commit_some(&lake, &a, 15..=18).await;
    for dataset in ["a", "b"] {
        lake.compact(dataset, CompactOptions::default()).await.unwrap();
        lake.expire(dataset, everything_goes()).await.unwrap();
    }
    let restored = elsewhere.path().join("restored");
    copy(&moment, &restored).await;
    drop(moment);
    drop(lake);
    fs::remove_dir_all(folder.path()).unwrap();

    relocate(&restored).await.unwrap();
    let place = restored.canonicalize().unwrap();
    for location in locations(&restored).await {
        let path = PathBuf::from(location.strip_prefix("file://").unwrap());
        assert!(path.starts_with(&place) && path.is_file(), "{location}");
    }
    let lake = open(&restored).await;
    for (index, (token, dataset)) in
        [(&early, "a"), (&token, "a"), (&token, "b"), (&token, "empty")].into_iter().enumerate()
    {
        assert_eq!(table(&lake, token, dataset).await, before[index], "{dataset} under {token}");
    }
    assert_eq!(lake.head().map(|head| head.epoch), Some(14));
    let verified = lake.verify_upkeep("a").await.unwrap();
    assert!(!verified.is_empty() && verified.iter().all(lake::Verified::holds), "{verified:?}");
    // It is a lake like any other.
    commit_some(&lake, &a, 15..=20).await;
    lake.compact("a", CompactOptions::default()).await.unwrap().unwrap();
    lake.expire("a", everything_goes()).await.unwrap();
    let rows = rows_of(&lake.snapshot(None).await.unwrap(), "b", everything()).await;
    assert_eq!(rows, (11..=14).flat_map(some_rows).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    // And can be copied again, from the place it has now.
    let (moment, ()) = lake.hold_still(&elsewhere.path().join("scratch"), || ()).await.unwrap();
    copy(&moment, &elsewhere.path().join("again")).await;
    relocate(&elsewhere.path().join("again")).await.unwrap();
    let again = open(&elsewhere.path().join("again")).await;
    assert_eq!(table(&again, &token, "b").await, before[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_commit_takes_place_while_a_moment_is_marked() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder.path().join("lake")).await;
    let a = define(&lake, "a").await;
    commit_some(&lake, &a, 1..=2).await;
    let waiting = epoch(3, vec![part(&a, stage(&lake, &a, &some_rows(3)))]);
    let (watched, committing) = (lake.clone(), lake.clone());
    let (began, begun) = tokio::sync::oneshot::channel();
    let commit = tokio::spawn(async move {
        begun.await.unwrap();
        committing.commit_epoch(waiting).await
    });
    let meanwhile = move || {
        began.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        watched.head().map(|head| head.epoch)
    };
    let (moment, seen) = lake.hold_still(&folder.path().join("scratch"), meanwhile).await.unwrap();
    assert_eq!((seen, moment.head().map(|head| head.epoch)), (Some(2), Some(2)));
    assert_eq!(commit.await.unwrap().unwrap().epoch, 3);
}

#[tokio::test]
async fn an_import_that_is_not_sealed_and_an_empty_lake_come_along() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder.path().join("lake")).await;
    let empty = folder.path().join("empty");
    let (moment, ()) = lake.hold_still(&folder.path().join("scratch-of-empty"), || ()).await.unwrap();
    copy(&moment, &empty).await;
    relocate(&empty).await.unwrap();
    assert_eq!((open(&empty).await.head(), open(&empty).await.id()), (None, lake.id()));

    let import = lake.define_dataset("a", &import_definition()).await.unwrap().dataset().clone();
    commit_some(&lake, &import, 1..=3).await;
    let (moment, ()) = lake.hold_still(&folder.path().join("scratch"), || ()).await.unwrap();
    let restored = folder.path().join("restored");
    copy(&moment, &restored).await;
    relocate(&restored).await.unwrap();
    let copied = open(&restored).await;
    assert!(copied.dataset("a").unwrap().is_open_import());
    let rows = |lake: &Lake| {
        let lake = lake.clone();
        async move {
            let snapshot = lake.snapshot(None).await.unwrap();
            snapshot.table_for_writer("a", 1).unwrap().file_count().await.unwrap()
        }
    };
    assert_eq!(rows(&copied).await, rows(&lake).await);
}

#[tokio::test]
async fn a_copy_that_lacks_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder.path().join("lake")).await;
    let a = define(&lake, "a").await;
    commit_some(&lake, &a, 1..=2).await;
    let (moment, ()) = lake.hold_still(&folder.path().join("scratch"), || ()).await.unwrap();
    let restored = folder.path().join("restored");
    assert_eq!(relocate(&restored).await.unwrap_err().kind(), ErrorKind::NotFound);
    copy(&moment, &restored).await;
    let data =
        moment.files().await.unwrap().into_iter().find(|file| file.place.to_string_lossy().ends_with(".parquet"));
    let data = restored.join(data.unwrap().place);
    fs::write(&data, "short").unwrap();
    assert_eq!(relocate(&restored).await.unwrap_err().kind(), ErrorKind::Corrupt);
    fs::remove_file(&data).unwrap();
    assert_eq!(relocate(&restored).await.unwrap_err().kind(), ErrorKind::Corrupt);
}
