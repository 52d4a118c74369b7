//! The lake as the engine's sink: staged Parquet files, one atomic commit an epoch.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::{cast, interleave},
    datatypes::TimestampMicrosecondType,
    row::{RowConverter, SortField},
};
use engine::{
    Error, ErrorKind, Result,
    model::{Assertion, EpochRecord, OPEN, OPERATION_COLUMN, TIME_COLUMNS, arrow_layout::assertion_schema, resolve},
    ports::{DatasetInfo, EpochCommit, HeldRows, RowWriter, Sink, StagedFile},
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

    /// The assertion rows a request asks for that can be of one of the keys.
    async fn rows_of_keys(
        &self,
        dataset: &lake::Dataset,
        keys: &[ArrayRef],
        request: ScanRequest,
    ) -> Result<Vec<RecordBatch>, lake::Error> {
        let filter =
            |(column, values): (&String, &ArrayRef)| KeyFilter { column: column.clone(), values: values.clone() };
        let key_filters = dataset.definition.key.iter().zip(keys).map(filter).collect();
        let table = self.lake.snapshot(None).await?.table_for_writer(&dataset.name, dataset.version)?;
        table.scan(ScanRequest { key_filters, ..request })?.try_collect().await
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

/// The rows of each key that is asked for, of batches whose first columns are the keys.
fn rows_by_key(batches: &[RecordBatch], keys: &[ArrayRef]) -> Result<Vec<KeyRows>> {
    // In batches a key column may have the wider type it was given later.
    let of_batches = batches.first().map_or(keys, |batch| &batch.columns()[..keys.len()]);
    let typed = |(key, column): (&ArrayRef, &ArrayRef)| Ok(cast(key, column.data_type())?);
    let keys: Vec<ArrayRef> = keys.iter().zip(of_batches).map(typed).collect::<Result<_>>()?;
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let wanted = converter.convert_columns(&keys)?;
    let mut by_key: HashMap<&[u8], KeyRows> = HashMap::new();
    for index in 0..wanted.num_rows() {
        by_key.entry(wanted.row(index).data()).or_default().asked.push(index);
    }
    for (batch_index, batch) in batches.iter().enumerate() {
        let found = converter.convert_columns(&batch.columns()[..keys.len()])?;
        for (row, assertion) in assertions_of(batch)?.into_iter().enumerate() {
            if let Some(known) = by_key.get_mut(found.row(row).data()) {
                known.assertions.push(assertion);
                known.places.push((batch_index, row));
            }
        }
    }
    Ok(by_key.into_values().collect())
}

/// For each key and instant the batch and row that holds there; `None` where nothing does.
fn rows_holding(batches: &[RecordBatch], keys: &[ArrayRef], instants: &[i64]) -> Result<Vec<Option<(usize, usize)>>> {
    let mut holding = vec![None; instants.len()];
    for KeyRows { assertions, places, asked } in rows_by_key(batches, keys)? {
        let pieces = resolve(&assertions, |_, _| false);
        for index in asked {
            let piece = pieces.get(pieces.partition_point(|piece| piece.to <= instants[index]));
            holding[index] = piece.filter(|piece| piece.from <= instants[index]).map(|piece| places[piece.assertion]);
        }
    }
    Ok(holding)
}

/// What holds of some keys over a stretch of valid time each, by all columns there ever were.
fn held_rows(batches: &[RecordBatch], keys: &[ArrayRef], within: &[(i64, i64)]) -> Result<HeldRows> {
    let mut pieces: Vec<(u32, i64, i64, (usize, usize))> = Vec::new();
    for KeyRows { assertions, places, asked } in rows_by_key(batches, keys)? {
        let resolved = resolve(&assertions, |_, _| false);
        for index in asked {
            let (from, until) = within[index];
            let clipped = resolved.iter().map(|piece| (piece.from.max(from), piece.to.min(until), piece.assertion));
            let clipped = clipped.filter(|(from, to, _)| from < to);
            pieces.extend(clipped.map(|(from, to, assertion)| (index as u32, from, to, places[assertion])));
        }
    }
    pieces.sort_unstable();
    let places: Vec<(usize, usize)> = pieces.iter().map(|(.., place)| *place).collect();
    let mut columns = Vec::new();
    if let Some(batch) = batches.first() {
        let schema = batch.schema();
        let is_value = |name: &str| !TIME_COLUMNS.contains(&name) && name != OPERATION_COLUMN;
        for (index, field) in schema.fields().iter().enumerate().skip(keys.len()) {
            if is_value(field.name()) {
                let of_batches: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(index).as_ref()).collect();
                let field_id = i32::try_from(index + 1).unwrap_or(i32::MAX);
                columns.push((field_id, interleave(&of_batches, &places)?));
            }
        }
    }
    Ok(HeldRows {
        asked: pieces.iter().map(|piece| piece.0).collect(),
        from: pieces.iter().map(|piece| piece.1).collect(),
        to: pieces.iter().map(|piece| piece.2).collect(),
        columns,
    })
}

/// The assertion of each row.
fn assertions_of(batch: &RecordBatch) -> Result<Vec<Assertion>> {
    let missing = |name: &str| Error::new(ErrorKind::Corrupt, "a stored row lacks a column").with("column", name);
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
    let times =
        |name: &str| column(name)?.as_primitive_opt::<TimestampMicrosecondType>().cloned().ok_or_else(|| missing(name));
    let (from, to, system_from) = (times("valid_from")?, times("valid_to")?, times("system_from")?);
    let words = column(OPERATION_COLUMN)?.as_string_opt::<i32>().ok_or_else(|| missing(OPERATION_COLUMN))?;
    let assertion = |row: usize| Assertion {
        from: from.value(row),
        to: if to.is_null(row) { OPEN } else { to.value(row) },
        system_from: system_from.value(row),
        put: words.value(row) == "put",
    };
    Ok((0..batch.num_rows()).map(assertion).collect())
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
        let schema = assertion_schema(&dataset.definition);
        let first = instants.iter().min().copied().unwrap_or(OPEN);
        let behind_last = instants.iter().max().map_or(OPEN, |last| last.saturating_add(1));
        let request = ScanRequest {
            columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
            // Of what upkeep has written, only what holds to this day.
            system_to_after: Some(i64::MAX),
            valid_overlap: Some((first, behind_last)),
            ..ScanRequest::default()
        };
        let batches = self.runtime.block_on(self.rows_of_keys(&dataset, keys, request)).map_err(from_lake)?;
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

    fn held_within(
        &self,
        dataset_id: u32,
        version: u32,
        known_before: i64,
        keys: &[ArrayRef],
        within: &[(i64, i64)],
    ) -> Result<HeldRows> {
        let dataset = self.known(dataset_id, version)?;
        let from = within.iter().map(|stretch| stretch.0).min().unwrap_or(OPEN);
        let until = within.iter().map(|stretch| stretch.1).max().unwrap_or(OPEN);
        let known_at = known_before.saturating_sub(1);
        let request = ScanRequest {
            every_column: true,
            system_from_at_most: known_at,
            system_to_after: Some(known_at),
            valid_overlap: Some((from, until)),
            ..ScanRequest::default()
        };
        let batches = self.runtime.block_on(self.rows_of_keys(&dataset, keys, request)).map_err(from_lake)?;
        held_rows(&batches, keys, within)
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
