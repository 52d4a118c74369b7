//! Definitions that change: what is read under old tokens and new, whatever is compacted when, and what is refused.

use std::{path::Path, sync::Arc};

use arrow::array::{
    Array, ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use iceberg::{
    io::FileIO,
    spec::{ManifestList, TableMetadata},
};
use lake::{
    CompactOptions, Dataset, ErrorKind, KeyFilter, Lake, LakeSnapshot, ScanRequest, Verified,
    model::{DatasetDefinition, DefinitionChange, SnapshotToken, arrow_layout::assertion_schema},
    relocate,
};
use sqlx::{Connection, Row, SqliteConnection};

use crate::{
    backup::copy,
    support::{batches, epoch, import_definition, open, part, text, time_of},
};

const TABLE: &str = "prices";

fn definition() -> DatasetDefinition {
    let text = r#"{"columns":[{"name":"id","type":"int32"},{"name":"price","type":"decimal(9,2)"},
        {"name":"volume","type":"int32"},{"name":"at","type":"timestamp"}],
        "key":["id"],"valid_from":"at","mode":"until_changed"}"#;
    serde_json::from_str(text).unwrap()
}

fn changes(text: &str) -> Vec<DefinitionChange> {
    serde_json::from_str(text).unwrap()
}

fn all_four() -> Vec<DefinitionChange> {
    changes(
        r#"[{"add":{"name":"currency","type":"string"}},{"rename":{"from":"price","to":"close"}},
            {"drop":{"column":"volume"}},{"widen":{"column":"id","type":"int64"}},
            {"widen":{"column":"close","type":"decimal(18,2)"}}]"#,
    )
}

/// Rows whose first columns these are, known since an epoch and valid from its number on.
fn rows(dataset: &Dataset, mut columns: Vec<ArrayRef>, epoch: u64) -> RecordBatch {
    let count = columns[0].len();
    let times = |value: Option<i64>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![value; count]).with_timezone("+00:00"))
    };
    let known = time_of(epoch);
    columns.extend([times(Some(epoch as i64)), times(None), times(Some(known)), times(None)]);
    columns.push(Arc::new(StringArray::from(vec!["put"; count])));
    RecordBatch::try_new(assertion_schema(&dataset.definition), columns).unwrap()
}

fn decimals(values: &[Option<i128>], precision: u8) -> ArrayRef {
    let array: Decimal128Array = values.iter().copied().collect();
    Arc::new(array.with_precision_and_scale(precision, 2).unwrap())
}

fn old_rows(dataset: &Dataset, epoch: u64) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![1, 2, -3])),
        decimals(&[Some(150), None, Some(999_999_999)], 9),
        Arc::new(Int32Array::from(vec![Some(10), Some(20), None])),
    ];
    rows(dataset, columns, epoch)
}

fn new_rows(dataset: &Dataset, epoch: u64) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![2, 5_000_000_000])),
        decimals(&[Some(275), Some(1_234_567_890_123_456)], 18),
        Arc::new(StringArray::from(vec![Some("EUR"), None])),
    ];
    rows(dataset, columns, epoch)
}

async fn commit(lake: &Lake, dataset: &Dataset, batch: &RecordBatch) -> SnapshotToken {
    let next = lake.head().map_or(1, |head| head.epoch + 1);
    let mut writer = lake.writer(dataset).unwrap();
    writer.write(batch).unwrap();
    lake.commit_epoch(epoch(next, vec![part(dataset, writer.finish().unwrap())])).await.unwrap();
    lake.snapshot(None).await.unwrap().token().clone()
}

fn asking(columns: &[&str]) -> ScanRequest {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    ScanRequest { columns, system_to_after: Some(i64::MAX), ..ScanRequest::default() }
}

async fn found(snapshot: &LakeSnapshot, request: ScanRequest) -> Vec<String> {
    text(&batches(snapshot, TABLE, request).await).iter().map(|row| row.join(" ")).collect()
}

/// A lake with three old rows, then all four changes, then two new rows. Gives the tokens of both epochs.
async fn changed_lake(folder: &Path, compacted_before: bool) -> (Lake, [SnapshotToken; 2]) {
    let lake = open(folder).await;
    let old = lake.define_dataset(TABLE, &definition()).await.unwrap().dataset().clone();
    let first = commit(&lake, &old, &old_rows(&old, 1)).await;
    if compacted_before {
        lake.compact(TABLE, CompactOptions::default()).await.unwrap().unwrap();
    }
    let new = lake.change_definition(TABLE, &all_four()).await.unwrap();
    assert_eq!((old.version, new.version), (1, 2));
    let second = commit(&lake, &new, &new_rows(&new, 2)).await;
    (lake, [first, second])
}

async fn check_states(lake: &Lake, [first, second]: &[SnapshotToken; 2]) {
    let then = lake.snapshot(Some(first)).await.unwrap();
    assert_eq!(then.table(TABLE).unwrap().dataset().definition, definition());
    assert!(!then.table(TABLE).unwrap().hides_columns());
    let old = ["1 1.50 10", "2 null 20", "-3 9999999.99 null"];
    let all = || asking(&["id", "price", "volume"]);
    assert_eq!(sorted(found(&then, all()).await), sorted(old.map(str::to_owned).to_vec()));
    let one: ArrayRef = Arc::new(Int32Array::from(vec![2]));
    let key_filters = vec![KeyFilter { column: "id".into(), values: one }];
    assert_eq!(found(&then, ScanRequest { key_filters, ..all() }).await, ["2 null 20"]);
    let unknown = then.table(TABLE).unwrap().scan(asking(&["close"])).err().map(|e| e.kind());
    assert_eq!(unknown, Some(ErrorKind::NotFound));

    for snapshot in [lake.snapshot(None).await.unwrap(), lake.snapshot(Some(second)).await.unwrap()] {
        assert!(snapshot.table(TABLE).unwrap().hides_columns());
        let all = || asking(&["currency", "id", "close", "operation"]);
        let expected =
            ["EUR 2 2.75 put", "null -3 9999999.99 put", "null 1 1.50 put", "null 5000000000 12345678901234.56 put"];
        let rows = found(&snapshot, all()).await;
        for row in expected {
            assert!(rows.iter().any(|found| found == row), "{row} is not in {rows:?}");
        }
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 5_000_000_000]));
        let key_filters = vec![KeyFilter { column: "id".into(), values: ids }];
        assert_eq!(found(&snapshot, ScanRequest { key_filters, ..all() }).await, [expected[2], expected[3]]);
        // A column that older files do not have.
        let euros: ArrayRef = Arc::new(StringArray::from(vec!["EUR"]));
        let key_filters = vec![KeyFilter { column: "currency".into(), values: euros }];
        assert_eq!(found(&snapshot, ScanRequest { key_filters, ..all() }).await, [expected[0]]);
        let gone = snapshot.table(TABLE).unwrap().scan(asking(&["volume"])).err().map(|e| e.kind());
        assert_eq!(gone, Some(ErrorKind::NotFound));
    }
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_keeps_its_columns_whatever_is_compacted_when() {
    for compacted_before in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (lake, tokens) = changed_lake(folder.path(), compacted_before).await;
        check_states(&lake, &tokens).await;
        let run = lake.compact(TABLE, CompactOptions::default()).await.unwrap().unwrap();
        assert_eq!((run.rows_before, run.error), (5, None));
        check_states(&lake, &tokens).await;
        let verified = lake.verify_upkeep(TABLE).await.unwrap();
        assert_eq!(verified.len(), 1 + usize::from(compacted_before));
        assert!(verified.iter().all(Verified::holds), "{verified:?}");
        let versions = lake.definitions(TABLE).unwrap();
        drop(lake);
        let lake = open(folder.path()).await;
        check_states(&lake, &tokens).await;
        assert_eq!(lake.definitions(TABLE).unwrap(), versions);
        assert_eq!(versions[1].changes, all_four());
        assert_eq!((versions[1].from_epoch, versions[1].system_time), (2, lake.head().map(|head| head.system_time)));
        assert_eq!(versions[1].snapshot_before(&lake).as_ref(), Some(&tokens[0]));
        assert_eq!(versions[0].snapshot_before(&lake), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_from_the_next_epoch_and_what_was_worked_out_before_is_worked_out_anew() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let old = lake.define_dataset(TABLE, &definition()).await.unwrap().dataset().clone();
    commit(&lake, &old, &old_rows(&old, 1)).await;
    let mut writer = lake.writer(&old).unwrap();
    writer.write(&old_rows(&old, 2)).unwrap();
    let decoded_before = epoch(2, vec![part(&old, writer.finish().unwrap())]);
    let new = lake.change_definition(TABLE, &changes(r#"[{"drop":{"column":"volume"}}]"#)).await.unwrap();
    let now = lake.snapshot(None).await.unwrap().table(TABLE).unwrap();
    assert_eq!(now.dataset().definition, definition(), "no epoch has the change yet");
    assert_eq!(lake.dataset_in(old.id, 1), Some(old.clone()));
    assert_eq!(lake.dataset_in(old.id, 2), Some(new.clone()));

    let refused = lake.commit_epoch(decoded_before).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::DefinitionChanged);
    assert!(refused.retryable(), "{refused}");
    // Two changes before an epoch: the last one holds, and nothing of the first is lost.
    let newest =
        lake.change_definition(TABLE, &changes(r#"[{"add":{"name":"volume","type":"int64"}}]"#)).await.unwrap();
    assert_eq!((newest.version, lake.dataset_in(old.id, 2)), (3, Some(newest.clone())));
    lake.commit_epoch(epoch(2, Vec::new())).await.unwrap();
    let now = lake.snapshot(None).await.unwrap();
    assert_eq!(now.table(TABLE).unwrap().dataset(), &newest);
    let rows = sorted(found(&now, asking(&["id", "volume"])).await);
    assert_eq!(rows, ["-3 null", "1 null", "2 null"], "a new column of an old name has nothing of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_prune_across_a_change_and_manifests_keep_those_of_dropped_columns() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _) = changed_lake(folder.path(), false).await;
    let table = lake.snapshot(None).await.unwrap().table(TABLE).unwrap();
    for (id, files) in [(5_000_000_000_i64, 1), (1, 1), (2, 2), (-4, 0)] {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![id]));
        let key_filters = vec![KeyFilter { column: "id".to_owned(), values }];
        let pruned = table.pruning(&ScanRequest { key_filters, ..ScanRequest::default() }).await.unwrap();
        // The first file has keys from -3 to 2, the second one from 2 on.
        assert_eq!((pruned.files, pruned.keys), (2, files), "{id}");
    }
    lake.compact(TABLE, CompactOptions::default()).await.unwrap().unwrap();
    let metadata = metadata_of(folder.path()).await;
    let fields: Vec<String> = metadata
        .current_schema()
        .as_struct()
        .fields()
        .iter()
        .map(|field| format!("{} {} {}", field.id, field.name, field.field_type))
        .collect();
    let times = ["4 valid_from", "5 valid_to", "6 system_from", "7 system_to"];
    let times = times.map(|field| format!("{field} timestamptz"));
    let first = ["1 id long", "2 close decimal(18, 2)", "9 currency string"].map(str::to_owned);
    assert_eq!(fields, [first.to_vec(), times.to_vec(), vec!["8 operation string".to_owned()]].concat());

    let list = read(metadata.current_snapshot().unwrap().manifest_list());
    let list = ManifestList::parse_with_version(&list, metadata.format_version()).unwrap();
    let mut dropped = 0;
    for manifest in list.entries() {
        for entry in manifest.load_manifest(&FileIO::new_with_fs()).await.unwrap().entries() {
            if entry.is_alive() && entry.data_file().lower_bounds().contains_key(&3) {
                dropped += 1;
            }
        }
    }
    assert!(dropped > 0, "a compacted file has the dropped column and its bounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_elsewhere_has_every_state_too_and_goes_on() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lake, tokens) = changed_lake(&folder.path().join("lake"), true).await;
    let (moment, ()) = lake.hold_still(&folder.path().join("scratch"), || ()).await.unwrap();
    copy(&moment, elsewhere.path()).await;
    drop(lake);
    relocate(elsewhere.path()).await.unwrap();
    let lake = open(elsewhere.path()).await;
    check_states(&lake, &tokens).await;
    lake.compact(TABLE, CompactOptions::default()).await.unwrap().unwrap();
    check_states(&lake, &tokens).await;
    assert!(lake.verify_upkeep(TABLE).await.unwrap().iter().all(Verified::holds));
    let renamed = changes(r#"[{"rename":{"from":"close","to":"price"}}]"#);
    assert_eq!(lake.change_definition(TABLE, &renamed).await.unwrap().version, 3);
}

fn read(location: &str) -> Vec<u8> {
    std::fs::read(location.strip_prefix("file://").unwrap()).unwrap()
}

async fn metadata_of(folder: &Path) -> TableMetadata {
    let url = format!("sqlite://{}", folder.join("catalog.sqlite").display());
    let mut catalog = SqliteConnection::connect(&url).await.unwrap();
    let table = sqlx::query("SELECT metadata_location FROM iceberg_tables").fetch_one(&mut catalog).await.unwrap();
    serde_json::from_slice(&read(table.get(0))).unwrap()
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let dataset = lake.define_dataset(TABLE, &definition()).await.unwrap().dataset().clone();
    let half = changes(r#"[{"drop":{"column":"volume"}},{"drop":{"column":"id"}}]"#);
    let error = lake.change_definition(TABLE, &half).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.problems()[0].pointer.as_str()),
        (ErrorKind::InvalidDefinition, "/changes/1/drop/column")
    );
    assert_eq!(lake.check_changes(TABLE, &half).unwrap_err().kind(), ErrorKind::InvalidDefinition);
    assert_eq!(lake.change_definition("nothing", &half).await.unwrap_err().kind(), ErrorKind::NotFound);
    lake.define_dataset("vintages", &import_definition()).await.unwrap();
    let error = lake.change_definition("vintages", &changes(r#"[{"drop":{"column":"price"}}]"#)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReadable);
    assert_eq!(lake.dataset(TABLE), Some(dataset));
    assert_eq!(lake.definitions(TABLE).unwrap().len(), 1);
}
