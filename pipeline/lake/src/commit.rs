//! The atomic commit of an epoch over all tables it touches.
//!
//! First everything that the epoch needs on disk is written and synced: manifests, manifest lists, table metadata. Then
//! one SQLite transaction moves all tables and records the epoch. A crash before it leaves files nobody refers to; a
//! crash after it leaves a commit that is recognised when it is asked for again.

use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Arc, atomic::Ordering},
};

use futures::future::try_join_all;
use iceberg::{
    MetadataLocation,
    spec::{MAIN_BRANCH, ManifestFile, Operation, Snapshot, Summary, TableMetadata},
};
use model::{EpochRecord, Instant};
use uuid::Uuid;

use crate::{
    Dataset, Error, ErrorKind, Result, StagedFile, StoredCounts,
    catalog::{CatalogCommit, TableMove},
    files,
    lake::{Shared, State, TableState, json, load_state},
    manifests::{self, NewSnapshot},
};

/// One epoch, ready to be committed.
#[derive(Debug, Clone)]
pub struct EpochCommit {
    /// The epoch as it will be remembered.
    pub record: EpochRecord,
    /// What it does to each dataset; a dataset at most once.
    pub datasets: Vec<DatasetCommit>,
    /// The checkpoint it belongs to. Kept with the epoch and in every snapshot's summary.
    pub checkpoint: String,
}

/// What one epoch does to one dataset. Counts are of this epoch alone.
#[derive(Debug, Clone)]
pub struct DatasetCommit {
    /// The dataset.
    pub dataset_id: u32,
    /// The version of its definition that all this was worked out by.
    pub version: u32,
    /// Files to append.
    pub files: Vec<StagedFile>,
    /// Records that changed what is known.
    pub committed: u64,
    /// Records that changed nothing.
    pub unchanged: u64,
    /// Records that went to quarantine.
    pub quarantined: u64,
    /// Fields of records that the definition does not name.
    pub ignored_fields: u64,
    /// Whether this epoch ends the dataset's history import. No effect on one that is sealed.
    pub seal: bool,
}

/// A table whose next metadata is on disk and not yet the current one.
struct Prepared {
    table: Arc<TableState>,
    metadata: TableMetadata,
    metadata_location: String,
    manifests: Vec<ManifestFile>,
    dropped: Vec<String>,
}

/// Commits an epoch; see [`crate::Lake::commit_epoch`].
pub(crate) async fn run(shared: &Shared, commit: EpochCommit) -> Result<EpochRecord> {
    let _changing = shared.changing.lock().await;
    settle_doubt(shared).await?;
    let state = shared.state();
    if let Some(known) = recognise(shared, state.head.as_ref(), &commit.record).await? {
        return Ok(known);
    }
    check_follows(state.head.as_ref(), &commit.record)?;
    let tables = check_datasets(&state, &commit)?;
    let appends = commit.datasets.iter().zip(&tables).filter(|(dataset, _)| !dataset.files.is_empty());
    let prepared =
        try_join_all(appends.map(|(dataset, table)| prepare(shared, table.clone(), dataset, &commit))).await?;
    let moves = prepared.iter().map(|p| TableMove {
        name: &p.table.dataset.name,
        from: &p.table.metadata_location,
        to: &p.metadata_location,
    });
    let catalog_commit = CatalogCommit {
        record: &commit.record,
        checkpoint: &commit.checkpoint,
        moves: moves.collect(),
        counts: commit.datasets.iter().map(counts).collect(),
        seals: commit.datasets.iter().filter(|dataset| dataset.seal).map(|dataset| dataset.dataset_id).collect(),
    };
    if let Err(error) = shared.catalog.commit(&catalog_commit).await {
        // An error can reach us after the commit reached the disk. What is recorded decides.
        let recorded = shared.catalog.epoch(commit.record.epoch).await;
        shared.in_doubt.store(recorded.is_err(), Ordering::Relaxed);
        if !recorded.is_ok_and(|recorded| recorded.is_some_and(|recorded| same(&recorded, &commit.record))) {
            return Err(error);
        }
    }
    if commit.datasets.iter().any(|dataset| !dataset.files.is_empty()) {
        shared.progress.committed();
    }
    let dropped = advance(shared, &state, &commit, prepared);
    tokio::task::spawn_blocking(move || remove(&dropped));
    Ok(commit.record)
}

/// After a commit of which it is not known whether it took place: reads the catalog anew. Where it did, memory moves on
/// to it, and the caller has to begin again from there, which the error tells: it is one that may pass.
pub(crate) async fn settle_doubt(shared: &Shared) -> Result<()> {
    if !moved_on(shared).await? {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Io,
        "a commit that reported an error had taken place; what follows it is worked out anew",
    ))
}

/// The same for callers who build upon nothing yet: tells whether such a commit had taken place.
pub(crate) async fn moved_on(shared: &Shared) -> Result<bool> {
    if !shared.in_doubt.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let recorded = load_state(&shared.catalog).await?;
    shared.in_doubt.store(false, Ordering::Relaxed);
    let moved = recorded.head != shared.state().head;
    shared.set_state(recorded);
    Ok(moved)
}

/// The epoch as it was committed, if this one was.
async fn recognise(shared: &Shared, head: Option<&EpochRecord>, record: &EpochRecord) -> Result<Option<EpochRecord>> {
    let committed = match head {
        Some(head) if head.epoch == record.epoch => Some(head.clone()),
        Some(head) if head.epoch > record.epoch => shared.catalog.epoch(record.epoch).await?,
        _ => None,
    };
    Ok(committed.filter(|committed| same(committed, record)))
}

fn same(a: &EpochRecord, b: &EpochRecord) -> bool {
    (a.epoch, a.system_time, a.position) == (b.epoch, b.system_time, b.position)
}

fn check_follows(head: Option<&EpochRecord>, record: &EpochRecord) -> Result<()> {
    let (epoch, system_time, position) =
        head.map_or((0, Instant(0), 0), |head| (head.epoch, head.system_time, head.position));
    let reason = if record.epoch.checked_sub(1) != Some(epoch) {
        "an epoch has to follow the last committed one"
    } else if record.system_time <= system_time {
        "an epoch's system time has to be later than that of the last committed one"
    } else if record.position < position {
        "an epoch cannot go back in the stream"
    } else {
        return Ok(());
    };
    let last = format!("epoch {epoch} at {system_time}, position {position}");
    let given = format!("epoch {} at {}, position {}", record.epoch, record.system_time, record.position);
    Err(Error::conflict(reason).with("last", last).with("given", given))
}

/// Finds the tables of a commit, in its order, and refuses rows that would change what was readable before.
fn check_datasets(state: &State, commit: &EpochCommit) -> Result<Vec<Arc<TableState>>> {
    let mut tables: Vec<Arc<TableState>> = Vec::with_capacity(commit.datasets.len());
    for dataset in &commit.datasets {
        let table = state.table_by_id(dataset.dataset_id).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no dataset of this id").with("id", dataset.dataset_id)
        })?;
        if tables.iter().any(|other| other.dataset.id == dataset.dataset_id) {
            return Err(Error::internal("a dataset is twice in one epoch").with("dataset", &table.dataset.name));
        }
        if dataset.version != table.dataset.version {
            return Err(Error::new(
                ErrorKind::DefinitionChanged,
                "the dataset's definition changed while the epoch was worked out; it is worked out anew",
            )
            .with("dataset", &table.dataset.name)
            .with("worked out by version", dataset.version)
            .with("version", table.dataset.version));
        }
        if dataset.seal && !table.dataset.is_import() {
            return Err(Error::internal("only a history import can be sealed").with("dataset", &table.dataset.name));
        }
        check_rows(&table.dataset, &dataset.files, state.head.as_ref(), &commit.record)?;
        tables.push(table.clone());
    }
    Ok(tables)
}

/// Rows of a dataset that can be read become known with the epoch that brings them: not before the last one ended, nor
/// after this one. The history of an open import may be of any time, for nobody has read it.
fn check_rows(
    dataset: &Dataset,
    staged: &[StagedFile],
    head: Option<&EpochRecord>,
    record: &EpochRecord,
) -> Result<()> {
    let last = head.map_or(i64::MIN, |head| head.system_time.micros());
    let fits = |file: &StagedFile| file.system_from_min > last && file.system_from_max <= record.system_time.micros();
    match staged.iter().find(|file| !dataset.is_open_import() && !fits(file)) {
        None => Ok(()),
        Some(file) => Err(Error::internal("rows have system times that are not of their epoch")
            .with("dataset", &dataset.name)
            .with("from", Instant(file.system_from_min))
            .with("to", Instant(file.system_from_max))
            .with("epoch", record.system_time)),
    }
}

async fn prepare(
    shared: &Shared,
    table: Arc<TableState>,
    dataset: &DatasetCommit,
    commit: &EpochCommit,
) -> Result<Prepared> {
    let metadata = &table.metadata;
    let snapshot = NewSnapshot {
        id: new_snapshot_id(metadata),
        parent: metadata.current_snapshot_id(),
        sequence_number: metadata.next_sequence_number(),
    };
    let added = dataset.files.iter().map(|file| file.data_file.clone()).collect();
    let appended =
        manifests::append(&shared.manifests, &shared.file_io, metadata, &table.manifests, added, snapshot).await?;
    // Iceberg wants time to go forward from one metadata file to the next; clocks do not always.
    let timestamp_ms = commit.record.system_time.micros().div_euclid(1_000).max(metadata.last_updated_ms());
    let snapshot = Snapshot::builder()
        .with_snapshot_id(snapshot.id)
        .with_parent_snapshot_id(snapshot.parent)
        .with_sequence_number(snapshot.sequence_number)
        .with_timestamp_ms(timestamp_ms)
        .with_manifest_list(appended.list_location)
        .with_summary(summary(metadata, &dataset.files, commit))
        .with_schema_id(metadata.current_schema_id())
        .build();
    let metadata_location = MetadataLocation::from_str(&table.metadata_location)?.with_next_version().to_string();
    let (before, before_location) = (metadata.clone(), table.metadata_location.clone());
    let path = files::path_of(&metadata_location);
    let built = files::blocking(move || {
        let builder = TableMetadata::clone(&before).into_builder(Some(before_location));
        let built = builder.set_branch_snapshot(snapshot, MAIN_BRANCH)?.build()?;
        files::write_synced(&path, &json(&built.metadata)?)?;
        path.parent().map_or(Ok(()), files::sync)?;
        Ok(built)
    })
    .await?;
    let dropped = built.expired_metadata_logs.into_iter().map(|log| log.metadata_file).collect();
    let (metadata, manifests) = (built.metadata, appended.manifests);
    Ok(Prepared { table, metadata, metadata_location, manifests, dropped })
}

pub(crate) fn new_snapshot_id(metadata: &TableMetadata) -> i64 {
    loop {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        let id = ((high ^ low) >> 1).cast_signed();
        if id != 0 && metadata.snapshot_by_id(id).is_none() {
            return id;
        }
    }
}

fn summary(metadata: &TableMetadata, added: &[StagedFile], commit: &EpochCommit) -> Summary {
    let files = added.len() as u64;
    let rows: u64 = added.iter().map(|file| file.rows).sum();
    let bytes: u64 = added.iter().map(|file| file.bytes).sum();
    let total = |key: &str, more: u64| {
        let before = metadata.current_snapshot().and_then(|s| s.summary().additional_properties.get(key));
        (before.and_then(|text| text.parse().ok()).unwrap_or(0_u64) + more).to_string()
    };
    let EpochRecord { epoch, system_time, position, .. } = &commit.record;
    let properties = [
        ("added-data-files", files.to_string()),
        ("added-records", rows.to_string()),
        ("added-files-size", bytes.to_string()),
        ("total-data-files", total("total-data-files", files)),
        ("total-records", total("total-records", rows)),
        ("total-files-size", total("total-files-size", bytes)),
        ("total-delete-files", "0".to_owned()),
        ("total-position-deletes", "0".to_owned()),
        ("total-equality-deletes", "0".to_owned()),
        ("tidemark.epoch", epoch.to_string()),
        ("tidemark.system-time", system_time.to_string()),
        ("tidemark.source-positions", serde_json::json!({ "stream": position }).to_string()),
        ("tidemark.checkpoint", commit.checkpoint.clone()),
    ];
    let additional_properties: HashMap<String, String> =
        properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Summary { operation: Operation::Append, additional_properties }
}

fn counts(dataset: &DatasetCommit) -> StoredCounts {
    let from = dataset.files.iter().map(|file| file.system_from_min).min();
    let to = dataset.files.iter().map(|file| file.system_from_max).max();
    StoredCounts {
        dataset_id: dataset.dataset_id,
        committed: dataset.committed,
        unchanged: dataset.unchanged,
        quarantined: dataset.quarantined,
        ignored_fields: dataset.ignored_fields,
        rows: dataset.files.iter().map(|file| file.rows).sum(),
        known: from.zip(to).map(|(from, to)| (Instant(from), Instant(to))),
    }
}

/// Makes memory what the disk is now. Gives the metadata files that are no longer listed.
fn advance(shared: &Shared, state: &State, commit: &EpochCommit, prepared: Vec<Prepared>) -> Vec<String> {
    let mut next = State::clone(state);
    let mut dropped = Vec::new();
    for Prepared { table, metadata, metadata_location, manifests, dropped: of_table } in prepared {
        let (metadata, manifests) = (Arc::new(metadata), Arc::new(manifests));
        next.put(TableState { metadata, metadata_location, manifests, ..TableState::clone(&table) });
        dropped.extend(of_table);
    }
    for sealed in commit.datasets.iter().filter(|dataset| dataset.seal) {
        if let Some(table) = next.table_by_id(sealed.dataset_id).filter(|table| table.dataset.is_open_import()) {
            let dataset = Dataset { sealed_epoch: Some(commit.record.epoch), ..Dataset::clone(&table.dataset) };
            next.put(TableState { dataset: Arc::new(dataset), ..TableState::clone(table) });
        }
    }
    let EpochRecord { epoch, system_time, .. } = commit.record;
    let begin: Vec<Arc<TableState>> = next.tables().filter(|table| table.begins_with(epoch)).cloned().collect();
    for table in begin {
        let versions = table.versions_timed(epoch, system_time);
        next.put(TableState { versions, ..TableState::clone(&table) });
    }
    next.head = Some(commit.record.clone());
    shared.set_state(next);
    dropped
}

/// Removes superseded metadata files, as the table property `write.metadata.delete-after-commit.enabled` says. Snapshots
/// and all they need stay: each metadata file repeats them.
fn remove(locations: &[String]) {
    for path in locations.iter().map(|location| files::path_of(location)) {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "a superseded metadata file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: u64, system_time: i64, position: u64) -> EpochRecord {
        EpochRecord { epoch, system_time: Instant(system_time), position, records: 0, rows: 0, duration_micros: 0 }
    }

    #[test]
    fn an_epoch_follows_by_number_time_and_position() {
        let head = record(4, 1_000, 70);
        assert!(check_follows(Some(&head), &record(5, 1_001, 70)).is_ok());
        assert!(check_follows(None, &record(1, 1, 0)).is_ok());
        for (head, next) in [
            (Some(&head), record(4, 1_001, 71)),
            (Some(&head), record(6, 1_001, 71)),
            (Some(&head), record(5, 1_000, 71)),
            (Some(&head), record(5, 1_001, 69)),
            (None, record(0, 1, 0)),
            (None, record(2, 1, 0)),
        ] {
            assert_eq!(check_follows(head, &next).unwrap_err().kind(), ErrorKind::Conflict, "{next:?}");
        }
    }

    fn nothing(record: EpochRecord) -> EpochCommit {
        EpochCommit { record, datasets: Vec::new(), checkpoint: String::new() }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_in_doubt_is_found_and_built_upon() {
        let folder = tempfile::tempdir().unwrap();
        let lake = crate::Lake::open(folder.path()).await.unwrap();
        // Another handle stands for the commit whose answer was lost.
        let lost = crate::Lake::open(folder.path()).await.unwrap();
        let first = lost.commit_epoch(nothing(record(1, 1_000, 5))).await.unwrap();
        lake.shared.in_doubt.store(true, Ordering::Relaxed);
        let error = lake.commit_epoch(nothing(record(1, 1_001, 5))).await.unwrap_err();
        assert!(error.retryable(), "{error}");
        assert_eq!(lake.head(), Some(first));
        lake.commit_epoch(nothing(record(2, 1_002, 5))).await.unwrap();
        // Where nothing had taken place, the commit goes on.
        lake.shared.in_doubt.store(true, Ordering::Relaxed);
        assert_eq!(lake.commit_epoch(nothing(record(3, 1_003, 5))).await.unwrap().epoch, 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_asks_before_the_next_commit_finds_it_too() {
        let folder = tempfile::tempdir().unwrap();
        let lake = crate::Lake::open(folder.path()).await.unwrap();
        let lost = crate::Lake::open(folder.path()).await.unwrap();
        let first = lost.commit_epoch(nothing(record(1, 1_000, 5))).await.unwrap();
        lake.settle().await.unwrap();
        assert_eq!(lake.head(), None, "nothing is in doubt");
        lake.shared.in_doubt.store(true, Ordering::Relaxed);
        lake.settle().await.unwrap();
        assert_eq!(lake.head(), Some(first));
        lake.commit_epoch(nothing(record(2, 1_002, 5))).await.unwrap();
    }
}
