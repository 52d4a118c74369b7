//! One moment of the lake, to be read any number of times with the same answer.
//!
//! Tables are read with the files they have now; rows that became known after the moment are left out by their system
//! time. That is exact, because rows appended later have later system times: a commit is refused otherwise.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use model::SnapshotToken;

use crate::{
    Dataset, Error, ErrorKind, Kinds, Pruning, Result, ScanFiles, ScanRequest,
    lake::{Shared, State, TableState, no_dataset},
    scan::{self, Read},
    scan_plan,
};

/// The state of all datasets after one epoch.
#[derive(Clone)]
pub struct LakeSnapshot {
    shared: Arc<Shared>,
    pub(crate) state: Arc<State>,
    token: SnapshotToken,
}

/// One dataset at that moment.
#[derive(Clone)]
pub struct TableSnapshot {
    shared: Arc<Shared>,
    table: Arc<TableState>,
    dataset: Arc<Dataset>,
    token: SnapshotToken,
}

impl LakeSnapshot {
    pub(crate) fn new(shared: Arc<Shared>, state: Arc<State>, token: SnapshotToken) -> LakeSnapshot {
        LakeSnapshot { shared, state, token }
    }

    /// Names this state.
    pub fn token(&self) -> &SnapshotToken {
        &self.token
    }

    /// One dataset. Fails with `NotFound`, and with `NotReadable` for a history import that was not sealed by then.
    pub fn table(&self, dataset: &str) -> Result<TableSnapshot> {
        let table = self.state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        check_readable(&table.dataset, self.token.epoch)?;
        Ok(self.of_table(table, table.dataset_at(self.token.epoch)))
    }

    /// One dataset with the definition of a version, readable or not: for the pipeline, which has to see what it wrote of
    /// an import that is not sealed, by the definition it writes by.
    pub fn table_for_writer(&self, dataset: &str, version: u32) -> Result<TableSnapshot> {
        let table = self.state.table(dataset).ok_or_else(|| no_dataset(dataset))?;
        Ok(self.of_table(table, table.dataset_of_version(version)?))
    }

    fn of_table(&self, table: &Arc<TableState>, dataset: Arc<Dataset>) -> TableSnapshot {
        TableSnapshot { shared: self.shared.clone(), table: table.clone(), dataset, token: self.token.clone() }
    }

    /// All datasets with the definitions of this moment, by name, readable or not.
    pub fn datasets(&self) -> Vec<Arc<Dataset>> {
        self.state.tables().map(|table| table.dataset_at(self.token.epoch)).collect()
    }
}

fn check_readable(dataset: &Dataset, epoch: u64) -> Result<()> {
    let name = &dataset.name;
    let message = match dataset.sealed_epoch {
        _ if !dataset.is_import() => return Ok(()),
        Some(sealed) if sealed <= epoch => return Ok(()),
        Some(sealed) => {
            format!("history import of '{name}' was sealed in epoch {sealed}, after this snapshot; read a later one")
        }
        None => format!("history import of '{name}' is not sealed yet; POST /api/v1/datasets/{name}/seal"),
    };
    Err(Error::new(ErrorKind::NotReadable, message))
}

impl TableSnapshot {
    /// The dataset, with the definition of the moment.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// Whether rows may differ in columns that the dataset does not have any more: then exact rows that adjoin may say
    /// the same.
    pub fn hides_columns(&self) -> bool {
        self.dataset.columns.hides_some()
    }

    /// Names the state this is part of.
    pub fn token(&self) -> &SnapshotToken {
        &self.token
    }

    /// Streams the assertion rows a request asks for, in no particular order and in batches of any size; no rows, no
    /// batch. Has to be polled within a Tokio runtime, which it leaves free while files are decoded.
    ///
    /// Fails with `NotFound` for a column that is not there.
    pub fn scan(&self, request: ScanRequest) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        scan::scan(self.read(), &self.of_moment(request))
    }

    /// Streams the rows of exact files a request asks for, whatever part it names: each stream in the order of keys,
    /// then `valid_from` and `system_from`, each reading ahead of what is taken from it; to be merged. There may be no
    /// stream. Otherwise like [`TableSnapshot::scan`].
    pub async fn scan_sorted(&self, request: ScanRequest) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        scan::scan_sorted(self.read(), self.of_moment(request)).await
    }

    /// Counts the files whose bounds say that they may hold rows a request asks for, by what kind of rows they hold.
    pub async fn kinds(&self, request: &ScanRequest) -> Result<Kinds> {
        let request = self.of_moment(request.clone());
        match scan::checked(self.read(), &request)? {
            Some(query) => scan_plan::kinds(&query).await,
            None => Ok(Kinds::default()),
        }
    }

    fn read(&self) -> Read {
        Read { shared: self.shared.clone(), table: self.table.clone(), dataset: self.dataset.clone() }
    }

    /// Nothing that became known after this moment.
    fn of_moment(&self, request: ScanRequest) -> ScanRequest {
        let known = request.system_from_at_most.min(self.token.system_time.micros());
        ScanRequest { system_from_at_most: known, ..request }
    }

    /// Counts what the conditions of a request leave of the table's files, judged by the files' bounds alone.
    pub async fn pruning(&self, request: &ScanRequest) -> Result<Pruning> {
        let request = self.of_moment(request.clone());
        scan_plan::pruning(&self.read(), &request).await
    }

    /// Counts the table's data files, whatever rows of them are of this moment.
    pub async fn file_count(&self) -> Result<ScanFiles> {
        scan_plan::count_files(&self.shared, &self.table).await
    }
}
