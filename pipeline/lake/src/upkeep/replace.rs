//! The commit of upkeep: some files of a table go, others come, in one step, and nothing else changes.
//!
//! It takes its turn with the commits of epochs. What epochs appended since the work began stays. Manifests are written
//! anew, all entries into one, with those that go marked as deleted by this snapshot, as Iceberg's `replace` wants it.

use std::{collections::HashSet, str::FromStr, sync::Arc, sync::atomic::Ordering};

use iceberg::{
    MetadataLocation,
    spec::{
        DataFile, MAIN_BRANCH, Operation, Snapshot, Summary, TableMetadata, TableMetadataBuildResult,
        TableMetadataBuilder,
    },
};

use super::{
    CompactOptions,
    runs::{FileDigest, UpkeepRun, change_files, insert_run},
};
use crate::{
    Error, Lake, Result,
    catalog::{Catalog, TableMove, move_table},
    commit::{new_snapshot_id, settle_doubt},
    files,
    lake::{Shared, State, TableState, json},
    layout::exact_sort_order,
    manifests::{self, NewSnapshot},
};

/// What takes the place of what.
pub(crate) struct Replacement {
    pub(crate) dataset_id: u32,
    /// Locations of data files.
    pub(crate) removed: HashSet<String>,
    pub(crate) added: Vec<DataFile>,
    pub(crate) digests: Vec<FileDigest>,
}

/// Commits it, and the run with it. Fails with `Conflict`, and changes nothing, where a file that is to go is not there.
pub(crate) async fn replace(
    lake: &Lake,
    replacement: Replacement,
    run: &UpkeepRun,
    _options: &CompactOptions,
) -> Result<()> {
    let shared = &lake.shared;
    let _changing = shared.changing.lock().await;
    settle_doubt(shared).await?;
    let state = shared.state();
    let table = state
        .table_by_id(replacement.dataset_id)
        .ok_or_else(|| Error::internal("there is no dataset of this id").with("id", replacement.dataset_id))?;
    #[cfg(test)]
    super::tests::crash(_options.fault, super::tests::Step::FilesWritten)?;
    let (next, location) = prepare(shared, table, &replacement, run).await?;
    #[cfg(test)]
    super::tests::crash(_options.fault, super::tests::Step::MetadataWritten)?;
    let moved = TableMove { name: &table.dataset.name, from: &table.metadata_location, to: &location };
    if let Err(error) = shared.catalog.replace(&moved, &replacement, run).await {
        // An error can reach us after the commit reached the disk. What is recorded decides.
        let recorded = shared.catalog.upkeep_run_is_there(&run.run).await;
        shared.in_doubt.store(recorded.is_err(), Ordering::Relaxed);
        if !recorded.is_ok_and(|recorded| recorded) {
            return Err(error);
        }
    }
    #[cfg(test)]
    super::tests::crash(_options.fault, super::tests::Step::Committed)?;
    let mut changed = State::clone(&state);
    changed.put(next);
    shared.set_state(changed);
    Ok(())
}

async fn prepare(
    shared: &Shared,
    table: &Arc<TableState>,
    replacement: &Replacement,
    run: &UpkeepRun,
) -> Result<(TableState, String)> {
    let metadata = &table.metadata;
    let new = NewSnapshot {
        id: new_snapshot_id(metadata),
        parent: metadata.current_snapshot_id(),
        sequence_number: metadata.next_sequence_number(),
    };
    let written = manifests::rewrite(
        &shared.manifests,
        &shared.file_io,
        metadata,
        &table.manifests,
        replacement.added.clone(),
        &replacement.removed,
        new,
    )
    .await?;
    let snapshot = Snapshot::builder()
        .with_snapshot_id(new.id)
        .with_parent_snapshot_id(new.parent)
        .with_sequence_number(new.sequence_number)
        // Iceberg wants time to go forward from one metadata file to the next; upkeep is of the last epoch's time.
        .with_timestamp_ms(metadata.last_updated_ms())
        .with_manifest_list(written.list_location)
        .with_summary(summary(metadata, replacement, run))
        .with_schema_id(metadata.current_schema_id())
        .build();
    let (location, builder) = next_metadata(table)?;
    let order = exact_sort_order(&table.dataset.definition, metadata.current_schema())?;
    let build = move || Ok(builder.add_sort_order(order)?.set_branch_snapshot(snapshot, MAIN_BRANCH)?.build()?);
    let written_metadata = write_metadata(location.clone(), build).await?;
    let next = TableState {
        metadata: Arc::new(written_metadata),
        metadata_location: location.clone(),
        manifests: Arc::new(written.manifests),
        ..TableState::clone(table)
    };
    Ok((next, location))
}

/// Where a table's next metadata goes, and what it is built from.
pub(crate) fn next_metadata(table: &TableState) -> Result<(String, TableMetadataBuilder)> {
    let location = MetadataLocation::from_str(&table.metadata_location)?.with_next_version().to_string();
    let builder = TableMetadata::clone(&table.metadata).into_builder(Some(table.metadata_location.clone()));
    Ok((location, builder))
}

/// Builds table metadata and writes it to its place, synced. Metadata files that are listed no longer stay until expiry
/// finds that nothing refers to them.
pub(crate) async fn write_metadata(
    location: String,
    build: impl FnOnce() -> Result<TableMetadataBuildResult> + Send + 'static,
) -> Result<TableMetadata> {
    files::blocking(move || {
        let built = build()?;
        let path = files::path_of(&location);
        files::write_synced(&path, &json(&built.metadata)?)?;
        path.parent().map_or(Ok(()), files::sync)?;
        Ok(built.metadata)
    })
    .await
}

/// The identity of the last epoch stays with the table; beside it stands what was done.
fn summary(metadata: &TableMetadata, replacement: &Replacement, run: &UpkeepRun) -> Summary {
    let before = metadata.current_snapshot().map(|snapshot| &snapshot.summary().additional_properties);
    let kept = before.into_iter().flatten().filter(|(key, _)| {
        key.starts_with("tidemark.")
            || (key.starts_with("total-") && key.ends_with("-deletes"))
            || *key == "total-delete-files"
    });
    let added: u64 = replacement.added.iter().map(DataFile::record_count).sum();
    let properties = [
        ("added-data-files", replacement.added.len().to_string()),
        ("deleted-data-files", replacement.removed.len().to_string()),
        ("added-records", added.to_string()),
        ("total-data-files", run.files_after.to_string()),
        ("total-records", run.rows_after.to_string()),
        ("total-files-size", run.bytes_after.to_string()),
        ("tidemark.upkeep", run.kind.to_string()),
        ("tidemark.upkeep-run", run.run.clone()),
    ];
    let mut additional_properties: std::collections::HashMap<String, String> =
        kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    additional_properties.extend(properties.map(|(key, value)| (key.to_owned(), value)));
    additional_properties.extend(run.digest.clone().map(|digest| ("tidemark.plane-digest".to_owned(), digest)));
    Summary { operation: Operation::Replace, additional_properties }
}

impl Catalog {
    async fn replace(&self, table: &TableMove<'_>, replacement: &Replacement, run: &UpkeepRun) -> Result<()> {
        let mut transaction = self.writing().await?;
        move_table(&mut transaction, table).await?;
        insert_run(&mut transaction, run).await?;
        let gone = replacement.removed.iter().map(String::as_str);
        change_files(&mut transaction, &run.dataset, gone, &replacement.digests).await?;
        transaction.commit().await?;
        Ok(())
    }
}
