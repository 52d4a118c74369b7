//! The lake as the engine's sink: staged Parquet files, one atomic commit an epoch.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::interleave,
    datatypes::TimestampMicrosecondType,
    row::{RowConverter, SortField},
};
use engine::{
    Error, ErrorKind, Result,
    model::{Assertion, EpochRecord, OPEN, OPERATION_COLUMN, arrow_layout::assertion_schema, resolve},
    ports::{DatasetInfo, EpochCommit, RowWriter, Sink, StagedFile},
};
use futures::TryStreamExt;
use lake::{AssertionWriter, KeyFilter, Lake, ScanRequest};
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

    fn known(&self, dataset_id: u32, version: u32) -> Result<Arc<lake::Dataset>> {
        self.lake.dataset_of_version(dataset_id, version).map_err(from_lake)
    }

    /// The assertion rows, with all their columns, that can hold for one of the keys at one of the instants.
    async fn rows_about(
        &self,
        dataset: &lake::Dataset,
        keys: &[ArrayRef],
        instants: &[i64],
    ) -> Result<Vec<RecordBatch>, lake::Error> {
        let columns = assertion_schema(&dataset.definition).fields().iter().map(|field| field.name().clone()).collect();
        let filter =
            |(column, values): (&String, &ArrayRef)| KeyFilter { column: column.clone(), values: values.clone() };
        let key_filters = dataset.definition.key.iter().zip(keys).map(filter).collect();
        let first = instants.iter().min().copied().unwrap_or(OPEN);
        let behind_last = instants.iter().max().map_or(OPEN, |last| last.saturating_add(1));
        let valid_overlap = Some((first, behind_last));
        // Of what upkeep has written, only what holds to this day.
        let system_to_after = Some(i64::MAX);
        let request = ScanRequest { columns, system_to_after, valid_overlap, key_filters, ..ScanRequest::default() };
        let table = self.lake.snapshot(None).await?.table_for_writer(&dataset.name, dataset.version)?;
        table.scan(request)?.try_collect().await
    }
}

/// What is known of one key that was asked for.
#[derive(Default)]
struct KeyRows {
    assertions: Vec<Assertion>,
    /// Batch and row of each.
    places: Vec<(usize, usize)>,
    /// Which questions are about this key.
    asked: Vec<usize>,
}

/// For each key and instant the batch and row that holds there; `None` where nothing does.
fn rows_holding(batches: &[RecordBatch], keys: &[ArrayRef], instants: &[i64]) -> Result<Vec<Option<(usize, usize)>>> {
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let wanted = converter.convert_columns(keys)?;
    let mut by_key: HashMap<&[u8], KeyRows> = HashMap::new();
    for index in 0..wanted.num_rows() {
        by_key.entry(wanted.row(index).data()).or_default().asked.push(index);
    }
    for (batch_index, batch) in batches.iter().enumerate() {
        let found = converter.convert_columns(&batch.columns()[..keys.len()])?;
        let assertions = assertions_of(batch)?;
        for (row, assertion) in assertions.into_iter().enumerate() {
            let known = by_key.get_mut(found.row(row).data());
            if let (Some(known), Some(assertion)) = (known, assertion) {
                known.assertions.push(assertion);
                known.places.push((batch_index, row));
            }
        }
    }
    let mut holding = vec![None; instants.len()];
    for KeyRows { assertions, places, asked } in by_key.into_values() {
        let pieces = resolve(&assertions, |_, _| false);
        for index in asked {
            let piece = pieces.get(pieces.partition_point(|piece| piece.to <= instants[index]));
            holding[index] = piece.filter(|piece| piece.from <= instants[index]).map(|piece| places[piece.assertion]);
        }
    }
    Ok(holding)
}

/// The assertion of each row; `None` where it is known no longer.
fn assertions_of(batch: &RecordBatch) -> Result<Vec<Option<Assertion>>> {
    let missing = |name: &str| Error::new(ErrorKind::Corrupt, "a stored row lacks a column").with("column", name);
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
    let times =
        |name: &str| column(name)?.as_primitive_opt::<TimestampMicrosecondType>().cloned().ok_or_else(|| missing(name));
    let (from, to) = (times("valid_from")?, times("valid_to")?);
    let (system_from, system_to) = (times("system_from")?, times("system_to")?);
    let words = column(OPERATION_COLUMN)?.as_string_opt::<i32>().ok_or_else(|| missing(OPERATION_COLUMN))?;
    let assertion = |row: usize| Assertion {
        from: from.value(row),
        to: if to.is_null(row) { OPEN } else { to.value(row) },
        system_from: system_from.value(row),
        put: words.value(row) == "put",
    };
    Ok((0..batch.num_rows()).map(|row| system_to.is_null(row).then(|| assertion(row))).collect())
}

impl Sink for LakeSink {
    fn dataset(&self, dataset_id: u32, epoch: u64) -> Option<DatasetInfo> {
        let dataset = self.lake.dataset_in(dataset_id, epoch)?;
        Some(DatasetInfo {
            name: dataset.name.clone(),
            definition: Arc::new(dataset.definition.clone()),
            version: dataset.version,
            columns: dataset.columns.clone(),
            sealed_epoch: dataset.sealed_epoch,
        })
    }

    fn head(&self) -> Option<EpochRecord> {
        self.lake.head()
    }

    fn settle(&self) -> Result<()> {
        self.runtime.block_on(self.lake.settle()).map_err(from_lake)
    }

    fn epochs_after(&self, epoch: u64) -> Result<Vec<EpochRecord>> {
        self.runtime.block_on(self.lake.epochs_after(epoch, u32::MAX)).map_err(from_lake)
    }

    fn values_at(&self, dataset_id: u32, version: u32, keys: &[ArrayRef], instants: &[i64]) -> Result<Vec<ArrayRef>> {
        let dataset = self.known(dataset_id, version)?;
        let batches = self.runtime.block_on(self.rows_about(&dataset, keys, instants)).map_err(from_lake)?;
        let mut rows = Vec::with_capacity(instants.len());
        for (index, place) in rows_holding(&batches, keys, instants)?.into_iter().enumerate() {
            rows.push(place.ok_or_else(|| {
                let message = "the timeline state knows of values that the lake does not have, so they do not belong \
                               together; restore both from one backup";
                let error = Error::new(ErrorKind::Mismatch, message).with("dataset", &dataset.name);
                error.with("valid at", engine::model::Instant(instants[index]))
            })?);
        }
        let value_count = dataset.definition.value_columns().count();
        let values = (keys.len()..keys.len() + value_count).map(|column| {
            let of_batches: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(column).as_ref()).collect();
            Ok(interleave(&of_batches, &rows)?)
        });
        values.collect()
    }

    fn writer(&self, dataset_id: u32, version: u32) -> Result<Box<dyn RowWriter>> {
        let writer = self.lake.writer(self.known(dataset_id, version)?.as_ref()).map_err(from_lake)?;
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
                version: part.version,
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
    Error::new(kind, "the lake could not do it").because(error)
}
