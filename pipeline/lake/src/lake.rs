//! The lake as its users hold it, and what it remembers in memory: the current state of every table, and the head.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex as StdMutex, PoisonError, RwLock, Weak, atomic::AtomicBool},
    time::Instant as Stopwatch,
};

use futures::{StreamExt, TryStreamExt, stream};
use iceberg::{
    MetadataLocation,
    io::FileIO,
    spec::{ManifestFile, TableMetadata},
};
use model::{
    DatasetDefinition, DefinitionProblem, EpochRecord, Instant, SnapshotToken, StoredColumns,
    definition::check_dataset_name,
};
use tokio::sync::{Mutex, watch};

use crate::{
    AssertionWriter, DefinitionVersion, EpochCommit, Error, ErrorKind, LakeSnapshot, Result,
    catalog::{Catalog, DatasetRow},
    commit,
    file_cache::FileCache,
    files,
    layout::{TableFolders, file_schema, new_table},
    manifests::{ManifestCache, load_list},
    objects::{DataFiles, ObjectStore},
    upkeep::{self, Archive, ArchiveOptions},
    views::View,
    writer::{FileShape, Staging},
};

/// The catalog in the lake's folder, and the folder of all tables.
pub(crate) const CATALOG_FILE: &str = "catalog.sqlite";
pub(crate) const WAREHOUSE: &str = "warehouse";

const TABLES_LOADED_AT_ONCE: usize = 8;

/// One lake, open. Clones are the same lake.
#[derive(Clone)]
pub struct Lake {
    pub(crate) shared: Arc<Shared>,
}

/// What a lake is opened with.
#[derive(Debug, Clone, Default)]
pub struct LakeOptions {
    /// Where files of rows that are known no longer go, and when. Default: they stay where they are.
    pub archive: Option<ArchiveOptions>,
    /// Access to buckets. Default: none, and files in them cannot be read.
    pub objects: Option<Arc<dyn ObjectStore>>,
}

/// A dataset as the lake knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Counts from 1; never used again.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its definition.
    pub definition: DatasetDefinition,
    /// Which version of its definition that is, counting from 1.
    pub version: u32,
    /// Where the columns of that version are stored.
    pub columns: Arc<StoredColumns>,
    /// The epoch that sealed it, for a history import that is sealed.
    pub sealed_epoch: Option<u64>,
}

impl Dataset {
    /// Whether it is, or was until sealed, a history import.
    pub fn is_import(&self) -> bool {
        self.definition.system_time.is_some()
    }

    /// Whether it is a history import that is not sealed.
    pub fn is_open_import(&self) -> bool {
        self.is_import() && self.sealed_epoch.is_none()
    }
}

/// What defining a dataset did.
#[derive(Debug, Clone, PartialEq)]
pub enum Defined {
    /// It is new.
    Created(Arc<Dataset>),
    /// It was there with the same definition.
    Same(Arc<Dataset>),
}

impl Defined {
    /// The dataset, new or not.
    pub fn dataset(&self) -> &Arc<Dataset> {
        match self {
            Defined::Created(dataset) | Defined::Same(dataset) => dataset,
        }
    }
}

/// What was committed of a dataset since it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredCounts {
    /// The dataset.
    pub dataset_id: u32,
    /// Records that changed what is known.
    pub committed: u64,
    /// Records that changed nothing.
    pub unchanged: u64,
    /// Records in quarantine.
    pub quarantined: u64,
    /// Fields of records that the definition does not name.
    pub ignored_fields: u64,
    /// Assertion rows.
    pub rows: u64,
    /// Earliest and latest system time of the rows; None without rows.
    pub known: Option<(Instant, Instant)>,
}

pub(crate) struct Shared {
    pub(crate) id: u32,
    pub(crate) catalog: Catalog,
    pub(crate) file_io: FileIO,
    pub(crate) manifests: ManifestCache,
    pub(crate) files: FileCache,
    /// Held while the state on disk changes.
    pub(crate) changing: Mutex<()>,
    /// Whether a commit reported an error and it could not be found out whether it took place.
    pub(crate) in_doubt: AtomicBool,
    /// Held while upkeep runs: one piece at a time.
    pub(crate) upkeep: Mutex<()>,
    pub(crate) progress: Arc<upkeep::Progress>,
    pub(crate) staging: Staging,
    pub(crate) archive: Option<Archive>,
    /// When expiry last looked at a dataset, and when the lake was opened, which counts as a look at all.
    last_expiry: StdMutex<HashMap<u32, Stopwatch>>,
    opened: Stopwatch,
    folder: PathBuf,
    /// The tables that somebody may be reading, by dataset, the latest last.
    in_use: StdMutex<HashMap<u32, Vec<Weak<TableState>>>>,
    state: RwLock<Arc<State>>,
    announce: watch::Sender<Option<EpochRecord>>,
}

/// One consistent moment of the whole lake.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) head: Option<EpochRecord>,
    /// All versions of all views.
    pub(crate) views: Vec<Arc<View>>,
    tables: BTreeMap<String, Arc<TableState>>,
    by_id: HashMap<u32, Arc<TableState>>,
}

/// One table at such a moment.
#[derive(Clone)]
pub(crate) struct TableState {
    /// As the last version of its definition has it, which holds for the next epoch.
    pub(crate) dataset: Arc<Dataset>,
    /// All versions of its definition, the first one first.
    pub(crate) versions: Arc<Vec<DefinitionVersion>>,
    pub(crate) metadata: Arc<TableMetadata>,
    pub(crate) metadata_location: String,
    pub(crate) manifests: Arc<Vec<ManifestFile>>,
}

impl State {
    pub(crate) fn table(&self, name: &str) -> Option<&Arc<TableState>> {
        self.tables.get(name)
    }

    pub(crate) fn table_by_id(&self, id: u32) -> Option<&Arc<TableState>> {
        self.by_id.get(&id)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Arc<TableState>> {
        self.tables.values()
    }

    pub(crate) fn datasets(&self) -> Vec<Arc<Dataset>> {
        self.tables.values().map(|table| table.dataset.clone()).collect()
    }

    pub(crate) fn put(&mut self, table: TableState) {
        let table = Arc::new(table);
        self.by_id.insert(table.dataset.id, table.clone());
        self.tables.insert(table.dataset.name.clone(), table);
    }
}

impl Shared {
    /// The lake's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn warehouse(&self) -> PathBuf {
        self.folder.join(WAREHOUSE)
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the state. Only while `changing` is held.
    pub(crate) fn set_state(&self, state: State) {
        self.remember_tables(&state);
        let head = state.head.clone();
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        self.announce.send_if_modified(|announced| {
            let changed = *announced != head;
            *announced = head;
            changed
        });
    }
}

impl Shared {
    fn remember_tables(&self, state: &State) {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        for (&id, table) in &state.by_id {
            let tables = in_use.entry(id).or_default();
            if tables.last().is_none_or(|last| !std::ptr::eq(last.as_ptr(), Arc::as_ptr(table))) {
                tables.retain(|table| table.strong_count() > 0);
                tables.push(Arc::downgrade(table));
            }
        }
    }

    pub(crate) fn last_expiry(&self, dataset_id: u32) -> Stopwatch {
        let looked = self.last_expiry.lock().unwrap_or_else(PoisonError::into_inner);
        looked.get(&dataset_id).copied().unwrap_or(self.opened)
    }

    pub(crate) fn expiry_begins(&self, dataset: &str) {
        if let Some(table) = self.state().table(dataset) {
            let mut looked = self.last_expiry.lock().unwrap_or_else(PoisonError::into_inner);
            looked.insert(table.dataset.id, Stopwatch::now());
        }
    }

    /// The states of a table that somebody holds, the present one among them.
    pub(crate) fn tables_in_use(&self, dataset_id: u32) -> Vec<Arc<TableState>> {
        let in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.get(&dataset_id).into_iter().flatten().filter_map(Weak::upgrade).collect()
    }
}

impl Lake {
    /// Opens the lake in a folder, creating `catalog.sqlite` and `warehouse/` where missing.
    pub async fn open(folder: &Path) -> Result<Lake> {
        Lake::open_with(folder, LakeOptions::default()).await
    }

    /// The same with options. An archive need not be within reach before something of it is needed.
    pub async fn open_with(folder: &Path, options: LakeOptions) -> Result<Lake> {
        let warehouse = folder.join(WAREHOUSE);
        files::create_folder(&warehouse)?;
        let folder = folder.canonicalize().map_err(|e| Error::io("find a folder", folder, e))?;
        upkeep::clean_scratch(&folder)?;
        let catalog = Catalog::open(&folder.join(CATALOG_FILE)).await?;
        let id = catalog.identity().await?;
        let archive = match options.archive {
            Some(options) => Some(Archive::new(options, catalog.archive_name(id).await?)),
            None => None,
        };
        let state = load_state(&catalog).await?;
        let head = state.head.clone();
        let shared = Shared {
            id,
            catalog,
            file_io: FileIO::new_with_fs(),
            manifests: ManifestCache::new(),
            files: FileCache::new(DataFiles::new(options.objects)),
            changing: Mutex::new(()),
            in_doubt: AtomicBool::new(false),
            upkeep: Mutex::new(()),
            progress: Arc::default(),
            staging: Staging::default(),
            archive,
            last_expiry: StdMutex::default(),
            opened: Stopwatch::now(),
            in_use: StdMutex::default(),
            folder,
            state: RwLock::new(Arc::new(state)),
            announce: watch::Sender::new(head),
        };
        shared.remember_tables(&shared.state());
        Ok(Lake { shared: Arc::new(shared) })
    }

    /// Tells this lake from others: drawn by lot when it was created.
    pub fn id(&self) -> u32 {
        self.shared.id
    }

    /// Defines a dataset and creates its empty table.
    ///
    /// Fails with `InvalidDefinition` where name or definition cannot be used, and with `DefinitionDiffers` where the
    /// dataset exists and is another.
    pub async fn define_dataset(&self, name: &str, definition: &DatasetDefinition) -> Result<Defined> {
        let mut problems = definition.problems();
        if let Err(reason) = check_dataset_name(name) {
            problems.insert(0, DefinitionProblem { pointer: String::new(), reason });
        }
        if !problems.is_empty() {
            return Err(Error::definition(problems));
        }
        let (shared, name, definition) = (self.shared.clone(), name.to_owned(), definition.clone());
        to_the_end(async move { define(&shared, &name, definition).await }).await
    }

    /// The dataset of a name.
    pub fn dataset(&self, name: &str) -> Option<Arc<Dataset>> {
        self.shared.state().table(name).map(|table| table.dataset.clone())
    }

    /// The dataset of an id.
    pub fn dataset_by_id(&self, id: u32) -> Option<Arc<Dataset>> {
        self.shared.state().table_by_id(id).map(|table| table.dataset.clone())
    }

    /// All datasets, by name.
    pub fn datasets(&self) -> Vec<Arc<Dataset>> {
        self.shared.state().datasets()
    }

    /// The last committed epoch.
    pub fn head(&self) -> Option<EpochRecord> {
        self.shared.state().head.clone()
    }

    /// Follows the last committed epoch. A slow follower sees the latest and may miss those between.
    pub fn subscribe(&self) -> watch::Receiver<Option<EpochRecord>> {
        self.shared.announce.subscribe()
    }

    /// The epoch with this system time, and the stream position behind which it begins.
    pub async fn epoch_at(&self, system_time: Instant) -> Result<Option<(EpochRecord, u64)>> {
        self.shared.catalog.epoch_at(system_time).await
    }

    /// Up to `limit` epochs after one, ascending.
    pub async fn epochs_after(&self, epoch: u64, limit: u32) -> Result<Vec<EpochRecord>> {
        self.shared.catalog.epochs_after(epoch, limit).await
    }

    /// The last `limit` epochs, ascending.
    pub async fn recent_epochs(&self, limit: u32) -> Result<Vec<EpochRecord>> {
        self.shared.catalog.recent_epochs(limit).await
    }

    /// A writer of new assertion rows of a dataset, as the version of its definition says. It creates its file with the
    /// first row.
    pub fn writer(&self, dataset: &Dataset) -> Result<AssertionWriter> {
        let state = self.shared.state();
        let table = state.table_by_id(dataset.id).ok_or_else(|| no_dataset(&dataset.name))?;
        let folder = TableFolders::at(table.metadata.location()).data();
        let schema = file_schema(&dataset.definition, &dataset.columns);
        Ok(AssertionWriter::new(schema, folder, FileShape::APPENDED, self.shared.staging.clone()))
    }

    /// Commits an epoch: all of it, or nothing.
    ///
    /// The epoch has to follow the last one, with a later system time and no earlier position; else `Conflict`. An
    /// epoch that is committed already, by number, system time and position, is recognised and given back unchanged. Fails
    /// with `DefinitionChanged` where a dataset was worked out by another definition than holds for the epoch.
    /// Runs to its end even where the caller stops waiting.
    pub async fn commit_epoch(&self, commit: EpochCommit) -> Result<EpochRecord> {
        let shared = self.shared.clone();
        to_the_end(async move { commit::run(&shared, commit).await }).await
    }

    /// Finds out whether a commit took place of which that is not known. From then on the head is what is recorded.
    pub async fn settle(&self) -> Result<()> {
        let _changing = self.shared.changing.lock().await;
        commit::moved_on(&self.shared).await.map(drop)
    }

    /// What was committed, per dataset, by id.
    pub async fn counts(&self) -> Result<Vec<StoredCounts>> {
        self.shared.catalog.counts().await
    }

    /// The state a token names; without one, the state after the last epoch.
    ///
    /// Fails with `UnknownSnapshot` where the token is another lake's or names an epoch that was never committed.
    pub async fn snapshot(&self, token: Option<&SnapshotToken>) -> Result<LakeSnapshot> {
        let state = self.shared.state();
        let token = match token {
            None => token_of(self.shared.id, state.head.as_ref()),
            Some(token) => {
                self.check_token(token, state.head.as_ref()).await?;
                token.clone()
            }
        };
        Ok(LakeSnapshot::new(self.shared.clone(), state, token))
    }

    async fn check_token(&self, token: &SnapshotToken, head: Option<&EpochRecord>) -> Result<()> {
        let unknown = |reason: &str| Err(Error::new(ErrorKind::UnknownSnapshot, reason).with("snapshot", token));
        if token.lake != self.shared.id {
            return unknown("this snapshot token is of another lake");
        }
        if [token_of(self.shared.id, head), token_of(self.shared.id, None)].contains(token) {
            return Ok(());
        }
        if token.epoch > head.map_or(0, |head| head.epoch) {
            return unknown("this snapshot token names an epoch that is not committed");
        }
        match self.shared.catalog.epoch(token.epoch).await? {
            Some(epoch) if epoch.system_time == token.system_time => Ok(()),
            _ => unknown("this snapshot token names an epoch and a system time that do not belong together"),
        }
    }
}

pub(crate) fn no_dataset(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no dataset '{name}'"))
}

fn token_of(lake: u32, head: Option<&EpochRecord>) -> SnapshotToken {
    let (epoch, system_time) = head.map_or((0, Instant(0)), |head| (head.epoch, head.system_time));
    SnapshotToken { lake, epoch, system_time }
}

/// Runs a change to its end on a task of its own, so that memory and disk agree even when the caller goes away.
pub(crate) async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(change).await {
        Ok(result) => result,
        Err(join) => Err(Error::internal("a change of the lake did not end").because(join)),
    }
}

async fn define(shared: &Shared, name: &str, definition: DatasetDefinition) -> Result<Defined> {
    let _changing = shared.changing.lock().await;
    let state = shared.state();
    if let Some(table) = state.table(name) {
        if table.dataset.definition == definition {
            return Ok(Defined::Same(table.dataset.clone()));
        }
        let message = format!(
            "dataset '{name}' exists with a different definition; columns are added, renamed, dropped and widened with \
             PATCH /api/v1/datasets/{name} or ALTER TABLE"
        );
        return Err(Error::new(ErrorKind::DefinitionDiffers, message));
    }
    if state.standing_view(name).is_some() {
        return Err(Error::new(
            ErrorKind::DefinitionDiffers,
            format!("'{name}' is a view; a dataset needs another name"),
        ));
    }
    let folders = TableFolders::of(&shared.warehouse(), name);
    let location = folders.location()?;
    let version = DefinitionVersion::first(definition);
    let metadata = new_table(name, &location, &version.definition)?;
    let metadata_location = MetadataLocation::new_with_metadata(&location, &metadata).to_string();
    let (path, bytes) = (files::path_of(&metadata_location), json(&metadata)?);
    let warehouse = shared.warehouse();
    files::blocking(move || {
        files::create_folder(&folders.data())?;
        files::create_folder(&folders.metadata())?;
        files::write_synced(&path, &bytes)?;
        let metadata = folders.metadata();
        let above = metadata.parent().map(Path::to_path_buf);
        [Some(metadata), above, Some(warehouse)].iter().flatten().try_for_each(|folder| files::sync(folder))
    })
    .await?;
    let id = shared.catalog.insert_dataset(name, &version, &metadata_location).await?;
    let dataset = Arc::new(version.dataset(id, name, None));
    let versions = Arc::new(vec![version]);
    let mut next = State::clone(&state);
    let metadata = Arc::new(metadata);
    let manifests = Arc::default();
    next.put(TableState { dataset: dataset.clone(), versions, metadata, metadata_location, manifests });
    shared.set_state(next);
    Ok(Defined::Created(dataset))
}

/// Table metadata as it is written: compact.
pub(crate) fn json(metadata: &TableMetadata) -> Result<Vec<u8>> {
    serde_json::to_vec(metadata).map_err(|e| Error::internal("table metadata could not be written").because(e))
}

/// The state as the catalog has it.
pub(crate) async fn load_state(catalog: &Catalog) -> Result<State> {
    let (rows, head) = catalog.load().await?;
    let mut versions: HashMap<u32, Vec<DefinitionVersion>> = HashMap::new();
    for (dataset_id, version) in catalog.definitions().await? {
        versions.entry(dataset_id).or_default().push(version);
    }
    let loads = rows.into_iter().map(|row| {
        let versions = versions.remove(&row.id).unwrap_or_default();
        load_table(row, versions)
    });
    let loads: Vec<_> = loads.collect();
    let tables: Vec<TableState> = stream::iter(loads).buffer_unordered(TABLES_LOADED_AT_ONCE).try_collect().await?;
    let views = catalog.views().await?.into_iter().map(Arc::new).collect();
    let mut state = State { head, views, ..State::default() };
    tables.into_iter().for_each(|table| state.put(table));
    Ok(state)
}

async fn load_table(row: DatasetRow, versions: Vec<DefinitionVersion>) -> Result<TableState> {
    let bytes = files::read(&row.metadata_location).await?;
    let corrupt = |what: &str| Error::corrupt(what).with("dataset", &row.name);
    let metadata: TableMetadata =
        serde_json::from_slice(&bytes).map_err(|e| corrupt("table metadata cannot be read").because(e))?;
    let last = versions.last().ok_or_else(|| corrupt("the catalog has no definition of a dataset"))?;
    let dataset = last.dataset(row.id, &row.name, row.sealed_epoch);
    let manifests = match metadata.current_snapshot() {
        Some(snapshot) => load_list(snapshot.manifest_list()).await?,
        None => Vec::new(),
    };
    Ok(TableState {
        dataset: Arc::new(dataset),
        versions: Arc::new(versions),
        metadata: Arc::new(metadata),
        metadata_location: row.metadata_location,
        manifests: Arc::new(manifests),
    })
}
