//! Makes a copy of a lake work in the folder it lies in.
//!
//! Locations in table metadata are absolute, so a copy still points at where it was taken. Each table gets new metadata
//! with one snapshot of one manifest, which names all files at their new places. Rows say since when and until when they
//! were known, so older snapshots are not needed for any answer, and stay behind.

use std::{fs, path::Path, str::FromStr};

use iceberg::{
    MetadataLocation,
    io::FileIO,
    spec::{DataFile, MAIN_BRANCH, Operation, Snapshot, Summary, TableMetadata},
};
use sqlx::Row;

use super::{in_table, place_in_table};
use crate::{
    Error, ErrorKind, Result,
    catalog::{Catalog, DatasetRow, TableMove, move_table},
    commit::new_snapshot_id,
    files,
    lake::{CATALOG_FILE, WAREHOUSE, json},
    layout::TableFolders,
    manifests::{ManifestCache, NewSnapshot, describe_anew, described_at, load_list},
};

/// Makes the copy of a lake in a folder, as [`crate::LakeMoment::files`] names its files, a lake of that place. It keeps
/// its identity, so snapshot tokens stay good.
///
/// Fails with `NotFound` where there is no catalog, and with `Corrupt` where a file of a table is missing or has another
/// size than the table says.
pub async fn relocate(folder: &Path) -> Result<()> {
    let path = folder.join(CATALOG_FILE);
    if !path.is_file() {
        return Err(Error::new(ErrorKind::NotFound, "there is no catalog of a lake").with("path", path.display()));
    }
    let folder = folder.canonicalize().map_err(|e| Error::io("find a folder", folder, e))?;
    let warehouse = folder.join(WAREHOUSE);
    files::create_folder(&warehouse)?;
    let catalog = Catalog::open(&folder.join(CATALOG_FILE)).await?;
    let (rows, _) = catalog.load().await?;
    for row in &rows {
        let folders = TableFolders::of(&warehouse, &row.name);
        let metadata = metadata_of(row, &folders).await?;
        let moved = relocate_table(row, &metadata, &folders).await?;
        catalog.relocate(row, &metadata, &folders, &moved).await?;
    }
    catalog.pool().close().await;
    files::sync(&folder)
}

/// The metadata of a table as the copy has it.
async fn metadata_of(row: &DatasetRow, folders: &TableFolders) -> Result<TableMetadata> {
    let old = files::path_of(&row.metadata_location);
    let name = old
        .file_name()
        .ok_or_else(|| Error::corrupt("the catalog names no metadata file of a table").with("dataset", &row.name))?;
    let bytes = files::read(&files::location_of(&folders.metadata().join(name))?).await?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::corrupt("table metadata cannot be read").with("dataset", &row.name).because(e))
}

/// Writes the metadata of a table at its new place. Gives its location.
async fn relocate_table(row: &DatasetRow, metadata: &TableMetadata, folders: &TableFolders) -> Result<String> {
    let location = folders.location()?;
    files::create_folder(&folders.data())?;
    let snapshot = match metadata.current_snapshot() {
        Some(current) => Some(snapshot_at(metadata, current, folders).await?),
        None => None,
    };
    let old: Vec<i64> = metadata.snapshots().map(|snapshot| snapshot.snapshot_id()).collect();
    let builder = metadata.clone().into_builder(None).set_location(location).remove_snapshots(&old);
    let builder = match snapshot {
        Some(snapshot) => builder.set_branch_snapshot(snapshot, MAIN_BRANCH)?,
        None => builder,
    };
    let written = without_log(&builder.build()?.metadata)?;
    let next = MetadataLocation::from_str(&row.metadata_location)?.with_next_version().to_string();
    let name = files::path_of(&next).file_name().map(Path::new).map(Path::to_path_buf).unwrap_or_default();
    let path = folders.metadata().join(name);
    let location = files::location_of(&path)?;
    files::blocking(move || {
        files::write_synced(&path, &json(&written)?)?;
        path.parent().map_or(Ok(()), files::sync)
    })
    .await?;
    Ok(location)
}

/// The metadata without its log of earlier metadata files, which are not there.
fn without_log(metadata: &TableMetadata) -> Result<TableMetadata> {
    let unwritable = |e| Error::internal("table metadata could not be written").because(e);
    let mut value = serde_json::to_value(metadata).map_err(unwritable)?;
    value["metadata-log"] = serde_json::Value::Array(Vec::new());
    serde_json::from_value(value).map_err(unwritable)
}

/// The one snapshot of a table at its new place, with all files of the current one.
async fn snapshot_at(metadata: &TableMetadata, current: &Snapshot, folders: &TableFolders) -> Result<Snapshot> {
    let moved = |location: &str| -> Result<String> {
        files::location_of(&files::path_of(&folders.location()?).join(in_table(metadata, location)?))
    };
    let mut manifests = load_list(&moved(current.manifest_list())?).await?;
    for manifest in &mut manifests {
        manifest.manifest_path = moved(&manifest.manifest_path)?;
    }
    let new =
        NewSnapshot { id: new_snapshot_id(metadata), parent: None, sequence_number: metadata.next_sequence_number() };
    let located = metadata.clone().into_builder(None).set_location(folders.location()?).build()?.metadata;
    let describe = |file: &DataFile| {
        let place = place_in_table(metadata, file.file_path())?;
        at(file, files::location_of(&files::path_of(&folders.location()?).join(place))?)
    };
    let cache = ManifestCache::new();
    let written = describe_anew(&cache, &FileIO::new_with_fs(), &located, &manifests, describe, new).await?;
    Ok(Snapshot::builder()
        .with_snapshot_id(new.id)
        .with_parent_snapshot_id(new.parent)
        .with_sequence_number(new.sequence_number)
        // Iceberg wants time to go forward from one metadata file to the next; the copy is of the last one's time.
        .with_timestamp_ms(metadata.last_updated_ms())
        .with_manifest_list(written.list_location)
        .with_summary(summary(current))
        .with_schema_id(metadata.current_schema_id())
        .build())
}

/// The identity of the last epoch and the totals stay with the table.
fn summary(current: &Snapshot) -> Summary {
    let properties = &current.summary().additional_properties;
    let kept = properties.iter().filter(|(key, _)| key.starts_with("tidemark.") || key.starts_with("total-"));
    let additional_properties = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    Summary { operation: Operation::Replace, additional_properties }
}

/// The description of a data file at another location, where it has to be.
fn at(file: &DataFile, location: String) -> Result<DataFile> {
    let path = files::path_of(&location);
    let there = fs::metadata(&path).ok().map(|metadata| metadata.len());
    if there != Some(file.file_size_in_bytes()) {
        return Err(Error::corrupt("a data file is missing or has another size than its table says")
            .with("path", path.display())
            .with("bytes", file.file_size_in_bytes()));
    }
    described_at(file, location)
}

impl Catalog {
    /// Moves a table, and what is kept of its files, to its new place. Files that were replaced are not in the copy.
    async fn relocate(
        &self,
        row: &DatasetRow,
        metadata: &TableMetadata,
        folders: &TableFolders,
        to: &str,
    ) -> Result<()> {
        let (before, after) = (format!("{}/", metadata.location()), format!("{}/", folders.location()?));
        let characters = i64::try_from(before.chars().count()).unwrap_or(i64::MAX);
        let archived = self.archived_in_copy(folders, &before).await?;
        let mut transaction = self.writing().await?;
        move_table(&mut transaction, &TableMove { name: &row.name, from: &row.metadata_location, to }).await?;
        sqlx::query("UPDATE iceberg_tables SET previous_metadata_location = NULL WHERE metadata_location = ?")
            .bind(to)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE tidemark_file_digests SET location = ? || substr(location, ? + 1) WHERE substr(location, 1, ?) = ?",
        )
        .bind(after)
        .bind(characters)
        .bind(characters)
        .bind(before)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM tidemark_replaced_files WHERE dataset = ?")
            .bind(&row.name)
            .execute(&mut *transaction)
            .await?;
        for (from, to) in archived {
            sqlx::query("UPDATE tidemark_file_digests SET location = ? WHERE location = ?")
                .bind(to)
                .bind(from)
                .execute(&mut *transaction)
                .await?;
        }
        // What the lake it was taken of has in its archive stays that lake's; the copy begins an archive of its own.
        sqlx::query("DELETE FROM tidemark_archive").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Data files of a table that were archived, whose digests are kept and which lie among the others now: where each
    /// was, and where it is. `before` begins the locations of those that were not archived.
    async fn archived_in_copy(&self, folders: &TableFolders, before: &str) -> Result<Vec<(String, String)>> {
        let rows = sqlx::query("SELECT location FROM tidemark_file_digests").fetch_all(self.pool()).await?;
        let mut archived = Vec::new();
        for row in rows {
            let from: String = row.try_get(0)?;
            let name = from.rsplit('/').next().unwrap_or_default();
            let path = folders.data().join(name);
            if !from.starts_with(before) && path.is_file() {
                archived.push((from, files::location_of(&path)?));
            }
        }
        Ok(archived)
    }
}
