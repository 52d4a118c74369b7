//! The lake as the engine's sink: staged Parquet files, one atomic commit an epoch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use engine::{
    Error, ErrorKind, Result,
    model::EpochRecord,
    ports::{DatasetInfo, EpochCommit, RowWriter, Sink, StagedFile},
};
use lake::{AssertionWriter, Lake};
use tokio::runtime::Handle;

/// Commits to a lake. Its methods block, so they may be called from plain threads only.
pub struct LakeSink {
    lake: Lake,
    runtime: Handle,
}

impl LakeSink {
    /// A sink for a lake; `runtime` drives the lake's I/O.
    pub fn new(lake: Lake, runtime: Handle) -> LakeSink {
        LakeSink { lake, runtime }
    }

    fn known(&self, dataset_id: u32) -> Result<Arc<lake::Dataset>> {
        self.lake
            .dataset_by_id(dataset_id)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "no such dataset").with("dataset", dataset_id))
    }
}

impl Sink for LakeSink {
    fn dataset(&self, dataset_id: u32) -> Option<DatasetInfo> {
        let dataset = self.lake.dataset_by_id(dataset_id)?;
        Some(DatasetInfo {
            name: dataset.name.clone(),
            definition: Arc::new(dataset.definition.clone()),
            sealed_epoch: dataset.sealed_epoch,
        })
    }

    fn head(&self) -> Option<EpochRecord> {
        self.lake.head()
    }

    fn epochs_after(&self, epoch: u64) -> Result<Vec<EpochRecord>> {
        self.runtime.block_on(self.lake.epochs_after(epoch, u32::MAX)).map_err(from_lake)
    }

    fn writer(&self, dataset_id: u32) -> Result<Box<dyn RowWriter>> {
        let writer = self.lake.writer(self.known(dataset_id)?.as_ref()).map_err(from_lake)?;
        Ok(Box::new(Rows(writer)))
    }

    fn commit(&self, commit: EpochCommit) -> Result<()> {
        let mut datasets = Vec::with_capacity(commit.datasets.len());
        for part in commit.datasets {
            let staged = part.files.into_iter().map(|file| {
                file.handle.downcast::<lake::StagedFile>().map(|file| *file).map_err(|_| {
                    Error::new(ErrorKind::Internal, "a staged file of another sink").with("dataset", part.dataset_id)
                })
            });
            datasets.push(lake::DatasetCommit {
                dataset_id: part.dataset_id,
                files: staged.collect::<Result<_>>()?,
                committed: part.committed,
                unchanged: part.unchanged,
                quarantined: part.quarantined,
                ignored_fields: part.ignored_fields,
                seal: part.seal,
            });
        }
        let checkpoint = format!("epoch-{}", commit.record.epoch);
        let commit = lake::EpochCommit { record: commit.record, datasets, checkpoint };
        self.runtime.block_on(self.lake.commit_epoch(commit)).map_err(from_lake)?;
        Ok(())
    }
}

struct Rows(AssertionWriter);

impl RowWriter for Rows {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.write(batch).map_err(from_lake)
    }

    fn finish(self: Box<Self>) -> Result<Vec<StagedFile>> {
        let files = self.0.finish().map_err(from_lake)?;
        let staged =
            files.into_iter().map(|file| StagedFile { rows: file.rows, bytes: file.bytes, handle: Box::new(file) });
        Ok(staged.collect())
    }
}

fn from_lake(error: lake::Error) -> Error {
    let kind = match error.kind() {
        lake::ErrorKind::Conflict => ErrorKind::Conflict,
        lake::ErrorKind::Corrupt => ErrorKind::Corrupt,
        _ if error.retryable() => ErrorKind::Io,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, "the lake did not accept it").because(error)
}
