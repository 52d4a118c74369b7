//! Copies of a whole lake: a moment of it that stays as it is while its files are copied, and a copy made to work where
//! it lies.
//!
//! What may not happen here: holding commits back for longer than it takes to mark the moment. Files are copied after
//! that, by whoever asked for the moment.

mod relocate;

pub use relocate::relocate;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use iceberg::spec::{DataFile, TableMetadata};
use model::EpochRecord;

use crate::{
    Error, Lake, Result,
    catalog::Catalog,
    commit::settle_doubt,
    files,
    lake::{CATALOG_FILE, Shared, State, TableState, WAREHOUSE, to_the_end},
    layout::DATA,
    objects::location_at,
    scan_plan::live_files,
};

/// A moment of the lake, to be copied. Every file it names stays for as long as it is held, and so must its scratch
/// folder.
pub struct LakeMoment {
    shared: Arc<Shared>,
    state: Arc<State>,
    scratch: PathBuf,
}

/// Where a file of a moment can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LakeSource {
    /// On a disk of this machine.
    File(PathBuf),
    /// In a bucket.
    Object {
        /// `s3://bucket/key`
        location: String,
        /// Its size.
        bytes: u64,
    },
}

/// A file of such a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeFile {
    /// Where it belongs, from the lake's folder.
    pub place: PathBuf,
    /// Where it can be read.
    pub source: LakeSource,
    /// Whether a file of this name never changes.
    pub immutable: bool,
}

impl Lake {
    /// Marks a moment of the lake: the state after its last epoch. No commit takes place while `meanwhile` runs, on a
    /// thread of its own, so what it keeps elsewhere is of the same epoch; that should not take long. Catalog and table
    /// metadata are put into the scratch folder, which has to be empty and on the lake's disk.
    ///
    /// Fails with `Io` where the scratch folder cannot be written. Runs to its end even where the caller stops waiting.
    pub async fn hold_still<T: Send + 'static>(
        &self,
        scratch: &Path,
        meanwhile: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(LakeMoment, T)> {
        let (shared, scratch) = (self.shared.clone(), scratch.to_path_buf());
        to_the_end(async move {
            let _changing = shared.changing.lock().await;
            settle_doubt(&shared).await?;
            let state = shared.state();
            let kept = files::on_own_thread("backup", move || Ok(meanwhile())).await?;
            files::create_folder(&scratch)?;
            shared.catalog.copy_to(&scratch.join(CATALOG_FILE)).await?;
            let moment = LakeMoment { shared: shared.clone(), state, scratch };
            let links = moment.metadata_files()?;
            files::blocking(move || links.iter().try_for_each(|(from, to)| link(from, to))).await?;
            Ok((moment, kept))
        })
        .await
    }
}

impl LakeMoment {
    /// The last epoch in it; `None` before the first.
    pub fn head(&self) -> Option<&EpochRecord> {
        self.state.head.as_ref()
    }

    /// Each dataset with the place of its table's metadata, from the lake's folder.
    pub fn tables(&self) -> Result<Vec<(String, PathBuf)>> {
        let place =
            |table: &Arc<TableState>| Ok((table.dataset.name.clone(), place_of(table, &table.metadata_location)?));
        self.state.tables().map(place).collect()
    }

    /// All files that make up the lake at this moment.
    pub async fn files(&self) -> Result<Vec<LakeFile>> {
        let mut found = vec![LakeFile {
            place: PathBuf::from(CATALOG_FILE),
            source: LakeSource::File(self.scratch.join(CATALOG_FILE)),
            immutable: false,
        }];
        for table in self.state.tables() {
            for location in metadata_locations(table) {
                let place = place_of(table, location)?;
                found.push(LakeFile { source: LakeSource::File(self.scratch.join(&place)), place, immutable: true });
            }
            for manifest in table.manifests.iter() {
                let location = &manifest.manifest_path;
                let place = place_of(table, location)?;
                found.push(LakeFile { place, source: LakeSource::File(files::path_of(location)), immutable: true });
            }
            let in_warehouse = Path::new(WAREHOUSE).join(&table.dataset.name);
            let located = |file: &DataFile| Some((file.file_path().to_owned(), file.file_size_in_bytes()));
            for (location, bytes) in live_files(&self.shared, table, located).await? {
                let place = in_warehouse.join(place_in_table(&table.metadata, &location)?);
                let path = files::path_of(&location);
                let source = match location_at(&path) {
                    Some(_) => LakeSource::Object { location, bytes },
                    None => LakeSource::File(path),
                };
                found.push(LakeFile { place, source, immutable: true });
            }
        }
        Ok(found)
    }

    /// Metadata and manifest lists of all tables, and where they go in the scratch folder. Expiry looks after manifests
    /// and data files of whoever reads, but these it would remove.
    fn metadata_files(&self) -> Result<Vec<(PathBuf, PathBuf)>> {
        let mut links = Vec::new();
        for table in self.state.tables() {
            for location in metadata_locations(table) {
                links.push((files::path_of(location), self.scratch.join(place_of(table, location)?)));
            }
        }
        Ok(links)
    }
}

fn metadata_locations(table: &TableState) -> impl Iterator<Item = &str> {
    let list = table.metadata.current_snapshot().map(|snapshot| snapshot.manifest_list());
    [table.metadata_location.as_str()].into_iter().chain(list)
}

/// Where a file of a table belongs, from the lake's folder.
fn place_of(table: &TableState, location: &str) -> Result<PathBuf> {
    Ok(Path::new(WAREHOUSE).join(&table.dataset.name).join(in_table(&table.metadata, location)?))
}

/// Where a file of a table belongs, from the table's folder.
fn in_table(table: &TableMetadata, location: &str) -> Result<PathBuf> {
    let path = files::path_of(location);
    let rest = path.strip_prefix(files::path_of(table.location())).map(Path::to_path_buf);
    rest.map_err(|_| Error::corrupt("a table names a file outside its folder").with("location", location))
}

/// Where a data file belongs, from the table's folder. One in the archive belongs among the others: a copy needs no
/// archive.
fn place_in_table(table: &TableMetadata, location: &str) -> Result<PathBuf> {
    let path = files::path_of(location);
    match path.file_name() {
        Some(name) if !path.starts_with(files::path_of(table.location())) => Ok(Path::new(DATA).join(name)),
        _ => in_table(table, location),
    }
}

fn link(from: &Path, to: &Path) -> Result<()> {
    to.parent().map_or(Ok(()), files::create_folder)?;
    // Some file systems have no links.
    fs::hard_link(from, to)
        .or_else(|_| fs::copy(from, to).map(|_| ()))
        .map_err(|e| Error::io("keep a file for a backup", from, e))
}

impl Catalog {
    /// Writes a copy of the catalog as it is now into a new file, and syncs it.
    async fn copy_to(&self, path: &Path) -> Result<()> {
        let text = path
            .to_str()
            .ok_or_else(|| Error::internal("the lake's folder needs a name in UTF-8").with("path", path.display()))?;
        sqlx::query("VACUUM INTO ?").bind(text).execute(self.pool()).await?;
        files::sync(path)
    }
}
