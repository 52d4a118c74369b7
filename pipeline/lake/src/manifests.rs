//! Manifests and manifest lists: reading them through a bounded cache, and writing the ones an append needs.
//!
//! With a commit a second a table would soon have thousands of manifests of one file each. Once more than
//! [`SMALL_MANIFESTS_MAX`] small ones have gathered, the commit that would add the next writes all of them and its own
//! files into one. Entries keep the snapshot and the sequence numbers they were added with.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use iceberg::{
    io::FileIO,
    spec::{
        DataContentType, DataFile, DataFileBuilder, FormatVersion, Manifest, ManifestEntryRef, ManifestFile,
        ManifestList, ManifestListWriter, ManifestStatus, ManifestWriter, ManifestWriterBuilder, TableMetadata,
    },
};
use uuid::Uuid;

use crate::{
    Error, Result, files,
    layout::{TableFolders, schema_with_all},
    weighted_lru::WeightedLru,
};

const SMALL_MANIFESTS_MAX: usize = 64;
const SMALL_MANIFEST_BYTES: i64 = 1 << 20;
const CACHE_BYTES: usize = 128 << 20;
/// Iceberg's mark for a sequence number that is taken over from the manifest list.
const UNASSIGNED: i64 = -1;

/// The entries of one manifest, with all they take over from the manifest list filled in.
pub(crate) type Entries = Arc<Vec<ManifestEntryRef>>;

/// Manifests read before, by location.
pub(crate) struct ManifestCache {
    entries: Mutex<WeightedLru<String, Entries>>,
}

impl ManifestCache {
    pub(crate) fn new() -> ManifestCache {
        ManifestCache { entries: Mutex::new(WeightedLru::new(CACHE_BYTES)) }
    }

    /// The entries of a manifest.
    pub(crate) async fn load(&self, manifest: &ManifestFile) -> Result<Entries> {
        if let Some(entries) = self.lock().get(&manifest.manifest_path) {
            return Ok(entries);
        }
        let bytes = files::read(&manifest.manifest_path).await?;
        let file = manifest.clone();
        let entries = files::blocking(move || parse(&bytes, &file)).await?;
        self.lock().put(manifest.manifest_path.clone(), entries.clone(), weight(&entries));
        Ok(entries)
    }

    fn lock(&self) -> MutexGuard<'_, WeightedLru<String, Entries>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Roughly the memory of entries: a handful of maps by column each.
fn weight(entries: &[ManifestEntryRef]) -> usize {
    entries.iter().map(|entry| 400 + 250 * entry.data_file.value_counts().len()).sum()
}

fn parse(bytes: &[u8], file: &ManifestFile) -> Result<Entries> {
    let (entries, _) = Manifest::parse_avro(bytes)
        .map_err(|e| Error::corrupt("a manifest cannot be read").with("location", &file.manifest_path).because(e))?
        .into_parts();
    let filled = entries.into_iter().map(|entry| {
        let mut entry = Arc::unwrap_or_clone(entry);
        entry.snapshot_id = entry.snapshot_id.or(Some(file.added_snapshot_id));
        if entry.status == ManifestStatus::Added {
            entry.sequence_number = entry.sequence_number.or(Some(file.sequence_number));
            entry.file_sequence_number = entry.file_sequence_number.or(Some(file.sequence_number));
        }
        Arc::new(entry)
    });
    Ok(Arc::new(filled.collect()))
}

/// The manifests a manifest list names.
pub(crate) async fn load_list(location: &str) -> Result<Vec<ManifestFile>> {
    let bytes = files::read(location).await?;
    let list = ManifestList::parse_with_version(&bytes, FormatVersion::V2)
        .map_err(|e| Error::corrupt("a manifest list cannot be read").with("location", location).because(e))?;
    Ok(list.consume_entries().into_iter().collect())
}

/// What an append wrote: the manifests the table has now, and the list that names them.
pub(crate) struct Appended {
    pub(crate) manifests: Vec<ManifestFile>,
    pub(crate) list_location: String,
}

/// The snapshot an append is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewSnapshot {
    pub(crate) id: i64,
    pub(crate) parent: Option<i64>,
    pub(crate) sequence_number: i64,
}

/// Writes and syncs the manifest and the manifest list of a snapshot that adds files. Their folder is synced by
/// whoever writes the table metadata after them.
pub(crate) async fn append(
    cache: &ManifestCache,
    file_io: &FileIO,
    table: &TableMetadata,
    before: &[ManifestFile],
    added: Vec<DataFile>,
    snapshot: NewSnapshot,
) -> Result<Appended> {
    let (manifest_location, list_location) = new_locations(table, snapshot)?;
    let is_small = |manifest: &ManifestFile| manifest.manifest_length < SMALL_MANIFEST_BYTES;
    let merge = before.iter().filter(|manifest| is_small(manifest)).count() >= SMALL_MANIFESTS_MAX;
    let (merged, mut manifests): (Vec<_>, Vec<_>) =
        before.iter().cloned().partition(|manifest| merge && is_small(manifest));

    let mut writer = manifest_writer(file_io, table, &manifest_location, snapshot)?;
    for manifest in &merged {
        for entry in cache.load(manifest).await?.iter().filter(|entry| entry.is_alive()) {
            let (id, sequence_number) = identity(entry, manifest)?;
            writer.add_existing_file(entry.data_file.clone(), id, sequence_number, entry.file_sequence_number)?;
        }
    }
    for file in added {
        writer.add_file(file, UNASSIGNED)?;
    }
    manifests.push(finish(writer, snapshot).await?);
    write_list(file_io, &manifest_location, list_location, manifests, snapshot).await
}

/// Writes and syncs one manifest with all files of a table, less those that go and with those that come, and the
/// manifest list of the snapshot that does it. Fails with `Conflict` where a file that is to go is not there.
pub(crate) async fn rewrite(
    cache: &ManifestCache,
    file_io: &FileIO,
    table: &TableMetadata,
    before: &[ManifestFile],
    added: Vec<DataFile>,
    removed: &HashSet<String>,
    snapshot: NewSnapshot,
) -> Result<Appended> {
    let (manifest_location, list_location) = new_locations(table, snapshot)?;
    let mut writer = manifest_writer(file_io, table, &manifest_location, snapshot)?;
    let mut found = 0;
    for manifest in before {
        for entry in cache.load(manifest).await?.iter().filter(|entry| entry.is_alive()) {
            let (id, sequence_number) = identity(entry, manifest)?;
            let file = entry.data_file.clone();
            if removed.contains(file.file_path()) {
                found += 1;
                writer.add_delete_file(file, sequence_number, entry.file_sequence_number)?;
            } else {
                writer.add_existing_file(file, id, sequence_number, entry.file_sequence_number)?;
            }
        }
    }
    if found != removed.len() {
        return Err(Error::conflict("files that were to be replaced are no longer those of the table")
            .with("to be replaced", removed.len())
            .with("found", found));
    }
    for file in added {
        writer.add_file(file, UNASSIGNED)?;
    }
    let manifests = vec![finish(writer, snapshot).await?];
    write_list(file_io, &manifest_location, list_location, manifests, snapshot).await
}

/// Writes and syncs one manifest with all files of a table, each as `describe` has it, and the manifest list of the
/// snapshot that holds them. Entries keep the snapshot and the sequence numbers they were added with.
pub(crate) async fn describe_anew(
    cache: &ManifestCache,
    file_io: &FileIO,
    table: &TableMetadata,
    before: &[ManifestFile],
    describe: impl Fn(&DataFile) -> Result<DataFile>,
    snapshot: NewSnapshot,
) -> Result<Appended> {
    let (manifest_location, list_location) = new_locations(table, snapshot)?;
    let mut writer = manifest_writer(file_io, table, &manifest_location, snapshot)?;
    for manifest in before {
        for entry in cache.load(manifest).await?.iter().filter(|entry| entry.is_alive()) {
            let (id, sequence_number) = identity(entry, manifest)?;
            let file = describe(entry.data_file())?;
            writer.add_existing_file(file, id, sequence_number, entry.file_sequence_number)?;
        }
    }
    let manifests = vec![finish(writer, snapshot).await?];
    write_list(file_io, &manifest_location, list_location, manifests, snapshot).await
}

/// The description of a data file with its location changed. Fails with `Corrupt` for a file of deletes.
pub(crate) fn described_at(file: &DataFile, location: String) -> Result<DataFile> {
    if file.content_type() != DataContentType::Data {
        return Err(Error::corrupt("a table of a lake has rows only, no delete files").with("location", location));
    }
    let mut described = DataFileBuilder::default();
    if let Some(id) = file.sort_order_id() {
        described.sort_order_id(id);
    }
    described
        .content(file.content_type())
        .file_path(location)
        .file_format(file.file_format())
        .partition(file.partition().clone())
        .record_count(file.record_count())
        .file_size_in_bytes(file.file_size_in_bytes())
        .column_sizes(file.column_sizes().clone())
        .value_counts(file.value_counts().clone())
        .null_value_counts(file.null_value_counts().clone())
        .nan_value_counts(file.nan_value_counts().clone())
        .lower_bounds(file.lower_bounds().clone())
        .upper_bounds(file.upper_bounds().clone())
        .key_metadata(file.key_metadata().map(<[u8]>::to_vec))
        .split_offsets(file.split_offsets().map(<[i64]>::to_vec))
        .build()
        .map_err(|e| Error::internal("a file could not be described").because(e.to_string()))
}

fn new_locations(table: &TableMetadata, snapshot: NewSnapshot) -> Result<(String, String)> {
    let folder = TableFolders::at(table.location()).metadata();
    let commit = Uuid::now_v7();
    let manifest = files::location_of(&folder.join(format!("{commit}-m0.avro")))?;
    let list = files::location_of(&folder.join(format!("snap-{}-0-{commit}.avro", snapshot.id)))?;
    Ok((manifest, list))
}

fn manifest_writer(
    file_io: &FileIO,
    table: &TableMetadata,
    location: &str,
    snapshot: NewSnapshot,
) -> Result<ManifestWriter> {
    let builder = ManifestWriterBuilder::new(
        file_io.new_output(location)?,
        Some(snapshot.id),
        schema_with_all(table).clone(),
        table.default_partition_spec().as_ref().clone(),
    );
    Ok(builder.build_v2_data())
}

/// The snapshot a file was added in, and its sequence number.
fn identity(entry: &ManifestEntryRef, manifest: &ManifestFile) -> Result<(i64, i64)> {
    entry.snapshot_id.zip(entry.sequence_number).ok_or_else(|| {
        Error::corrupt("a manifest entry has no sequence number").with("location", &manifest.manifest_path)
    })
}

async fn finish(writer: ManifestWriter, snapshot: NewSnapshot) -> Result<ManifestFile> {
    let mut written = writer.write_manifest_file().await?;
    written.sequence_number = snapshot.sequence_number;
    if written.min_sequence_number == UNASSIGNED {
        written.min_sequence_number = snapshot.sequence_number;
    }
    Ok(written)
}

async fn write_list(
    file_io: &FileIO,
    manifest_location: &str,
    list_location: String,
    manifests: Vec<ManifestFile>,
    snapshot: NewSnapshot,
) -> Result<Appended> {
    let output = file_io.new_output(&list_location)?.writer().await?;
    let mut list = ManifestListWriter::v2(output, snapshot.id, snapshot.parent, snapshot.sequence_number);
    list.add_manifests(manifests.iter().cloned())?;
    list.close().await?;

    let written = [files::path_of(manifest_location), files::path_of(&list_location)];
    files::blocking(move || written.iter().try_for_each(|path| files::sync(path))).await?;
    Ok(Appended { manifests, list_location })
}
