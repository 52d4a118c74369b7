//! What other engines find: the standard catalog tables and Iceberg metadata that reads back with what we promise.

use std::collections::{BTreeSet, HashMap};

use iceberg::{
    io::FileIO,
    spec::{FormatVersion, ManifestList, TableMetadata},
};
use lake::model::OPEN;
use sqlx::{Connection, Row, SqliteConnection};

use crate::support::{commit_rows, define, open, row, time_of};

#[tokio::test]
async fn the_standard_catalog_points_at_metadata_that_tells_of_the_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    commit_rows(&lake, &a, &[row("x", 1, (0, OPEN), time_of(1))]).await;
    commit_rows(&lake, &a, &[row("x", 2, (0, OPEN), time_of(2)), row("y", 3, (0, OPEN), time_of(2))]).await;

    let url = format!("sqlite://{}", folder.path().join("catalog.sqlite").display());
    let mut catalog = SqliteConnection::connect(&url).await.unwrap();
    let table = sqlx::query("SELECT * FROM iceberg_tables").fetch_one(&mut catalog).await.unwrap();
    let text = |column: &str| table.get::<String, _>(column);
    assert_eq!(
        ["catalog_name", "table_namespace", "table_name", "iceberg_type"].map(text),
        ["tidemark", "lake", "a", "TABLE"]
    );
    let namespaces = sqlx::query("SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = 'tidemark'");
    assert_eq!(namespaces.fetch_one(&mut catalog).await.unwrap().get::<String, _>(0), "lake");
    let checkpoint = sqlx::query("SELECT checkpoint FROM tidemark_epochs WHERE epoch = 2");
    assert_eq!(checkpoint.fetch_one(&mut catalog).await.unwrap().get::<String, _>(0), "checkpoint-2");

    let location = text("metadata_location");
    assert_ne!(location, text("previous_metadata_location"));
    let path = location.strip_prefix("file://").unwrap();
    let metadata: TableMetadata = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(metadata.format_version(), FormatVersion::V2);
    assert_eq!((metadata.snapshots().len(), metadata.history().len(), metadata.metadata_log().len()), (2, 2, 2));
    let summary = &metadata.current_snapshot().unwrap().summary().additional_properties;
    for (key, value) in [
        ("tidemark.epoch", "2"),
        ("tidemark.checkpoint", "checkpoint-2"),
        ("tidemark.source-positions", r#"{"stream":20}"#),
        ("added-records", "2"),
        ("total-records", "3"),
        ("total-data-files", "2"),
    ] {
        assert_eq!(summary[key], value, "{key}");
    }
    assert!(summary["tidemark.system-time"].ends_with('Z'));
}

#[tokio::test]
async fn merged_manifests_are_few_and_every_file_keeps_its_snapshot_and_sequence_number() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let a = define(&lake, "a").await;
    for n in 1..=140 {
        commit_rows(&lake, &a, &[row("x", 1, (0, OPEN), time_of(n))]).await;
    }
    let url = format!("sqlite://{}", folder.path().join("catalog.sqlite").display());
    let mut catalog = SqliteConnection::connect(&url).await.unwrap();
    let table = sqlx::query("SELECT metadata_location FROM iceberg_tables").fetch_one(&mut catalog).await.unwrap();
    let read = |location: &str| std::fs::read(location.strip_prefix("file://").unwrap()).unwrap();
    let metadata: TableMetadata = serde_json::from_slice(&read(table.get(0))).unwrap();
    let list = read(metadata.current_snapshot().unwrap().manifest_list());
    let list = ManifestList::parse_with_version(&list, FormatVersion::V2).unwrap();
    // The 65th commit takes the 64 before it, the 129th takes that one and the 63 since; then one each.
    assert_eq!(list.entries().len(), 12);
    assert_eq!(list.entries()[0].existing_files_count, Some(128));
    assert_eq!(list.entries()[0].min_sequence_number, 1);

    let added_by: HashMap<i64, i64> = metadata.snapshots().map(|s| (s.snapshot_id(), s.sequence_number())).collect();
    let mut sequence_numbers = BTreeSet::new();
    for manifest in list.entries() {
        for entry in manifest.load_manifest(&FileIO::new_with_fs()).await.unwrap().entries() {
            assert_eq!(added_by[&entry.snapshot_id().unwrap()], entry.sequence_number().unwrap());
            sequence_numbers.insert(entry.sequence_number().unwrap());
        }
    }
    assert_eq!(sequence_numbers, (1..=140).collect());
}
