//! Writing assertion rows to Parquet. Plain blocking code for the pipeline's worker threads; nothing here is seen by
//! readers until the files are committed.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Struct};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::{
        metadata::ParquetMetaData,
        properties::{EnabledStatistics, WriterProperties},
    },
};
use uuid::Uuid;

use crate::{
    Error, Result,
    bounds::{Bound, ColumnRange, to_datum},
    error::parquet_error,
    files,
    layout::{EXACT_SORT_ORDER_ID, field_id, iceberg_type},
};

/// A dictionary is decoded whole before the first of its pages, so where single keys are looked up it has to be small.
const DICTIONARY_BYTES: usize = 64 << 10;

/// How files are laid out inside, and how they are marked in the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileShape {
    rows_per_row_group: usize,
    /// With statistics for each page, and pages of few rows, where single keys are looked up.
    rows_per_page: Option<usize>,
    /// A file is ended once it has this size, so that reading can be spread over files.
    target_bytes: usize,
    sort_order_id: Option<i32>,
}

impl FileShape {
    /// Rows as an epoch brings them.
    pub(crate) const APPENDED: FileShape =
        FileShape { rows_per_row_group: 1 << 20, rows_per_page: None, target_bytes: 256 << 20, sort_order_id: None };
    /// Exact rectangles, sorted by key.
    pub(crate) const EXACT: FileShape = FileShape {
        rows_per_row_group: 1 << 16,
        rows_per_page: Some(1 << 12),
        target_bytes: 128 << 20,
        sort_order_id: Some(EXACT_SORT_ORDER_ID),
    };
    /// Appended rows of several epochs, sorted by key and not resolved.
    pub(crate) const MERGED: FileShape = FileShape { sort_order_id: None, ..FileShape::EXACT };
}

/// The files that are being written, or are written and wait to be committed. They are in use though nothing on disk
/// says so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Staging(Arc<Mutex<HashSet<PathBuf>>>);

impl Staging {
    /// All of them.
    pub(crate) fn paths(&self) -> HashSet<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Holds a file that is going to be written.
    pub(crate) fn hold(&self, path: &Path) -> Arc<InStaging> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_path_buf());
        Arc::new(InStaging { staging: self.clone(), path: path.to_path_buf() })
    }
}

/// Keeps a file in use for as long as somebody may commit it.
#[derive(Debug)]
pub(crate) struct InStaging {
    staging: Staging,
    path: PathBuf,
}

impl Drop for InStaging {
    fn drop(&mut self) {
        self.staging.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

/// Writes the assertion rows of one dataset into new files. Dropped without [`AssertionWriter::finish`], or finished
/// and never committed, it leaves files that nothing refers to.
pub struct AssertionWriter {
    shape: FileShape,
    schema: SchemaRef,
    folder: PathBuf,
    staging: Staging,
    open: Option<OpenFile>,
    staged: Vec<StagedFile>,
}

struct OpenFile {
    path: PathBuf,
    held: Arc<InStaging>,
    writer: ArrowWriter<File>,
}

/// A file that is written, on disk, and not committed yet.
#[derive(Debug, Clone)]
pub struct StagedFile {
    /// Rows in it; at least one.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Earliest system time in it, in microseconds.
    pub system_from_min: i64,
    /// Latest system time in it, in microseconds.
    pub system_from_max: i64,
    pub(crate) data_file: DataFile,
    _held: Arc<InStaging>,
}

impl StagedFile {
    pub(crate) fn path(&self) -> PathBuf {
        files::path_of(self.data_file.file_path())
    }
}

impl AssertionWriter {
    /// `schema` is that of the files, with field ids.
    pub(crate) fn new(schema: SchemaRef, folder: PathBuf, shape: FileShape, staging: Staging) -> AssertionWriter {
        AssertionWriter { shape, schema, folder, staging, open: None, staged: Vec::new() }
    }

    /// Appends rows, which have the columns of [`model::arrow_layout::assertion_schema`] under any names. Blocks on disk.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())
            .map_err(|e| Error::internal("rows do not have the columns of the dataset's assertions").because(e))?;
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(OpenFile::create(&self.folder, &self.schema, self.shape, &self.staging)?),
        };
        open.writer.write(&batch).map_err(|e| parquet_error(&open.path, e))?;
        if open.writer.bytes_written() >= self.shape.target_bytes {
            self.end_file()?;
        }
        Ok(())
    }

    /// Ends the last file and syncs what was written. Without rows there is no file.
    pub fn finish(mut self) -> Result<Vec<StagedFile>> {
        self.end_file()?;
        if !self.staged.is_empty() {
            files::sync(&self.folder)?;
        }
        Ok(self.staged)
    }

    fn end_file(&mut self) -> Result<()> {
        let Some(OpenFile { path, held, mut writer }) = self.open.take() else { return Ok(()) };
        let metadata = writer.finish().map_err(|e| parquet_error(&path, e))?;
        let file = writer.inner();
        file.sync_all().map_err(|e| Error::io("sync to disk", &path, e))?;
        let bytes = file.metadata().map_err(|e| Error::io("read a file", &path, e))?.len();
        self.staged.push(staged(&self.schema, &metadata, held, bytes, self.shape.sort_order_id)?);
        Ok(())
    }
}

impl OpenFile {
    fn create(folder: &Path, schema: &SchemaRef, shape: FileShape, staging: &Staging) -> Result<OpenFile> {
        let path = folder.join(format!("{}.parquet", Uuid::now_v7()));
        let level = ZstdLevel::try_new(1).map_err(|e| parquet_error(&path, e))?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(shape.rows_per_row_group))
            .set_statistics_enabled(EnabledStatistics::Chunk);
        if let Some(rows) = shape.rows_per_page {
            properties = properties
                .set_statistics_enabled(EnabledStatistics::Page)
                .set_data_page_row_count_limit(rows)
                .set_dictionary_page_size_limit(DICTIONARY_BYTES)
                .set_write_batch_size(rows);
        }
        let properties = properties.build();
        let held = staging.hold(&path);
        let file = File::create_new(&path).map_err(|e| Error::io("create a file", &path, e))?;
        let writer =
            ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(|e| parquet_error(&path, e))?;
        Ok(OpenFile { path, held, writer })
    }
}

/// Describes a written file as manifests do: sizes, counts and bounds per field, out of the Parquet footer.
fn staged(
    schema: &SchemaRef,
    metadata: &ParquetMetaData,
    held: Arc<InStaging>,
    bytes: u64,
    sort_order_id: Option<i32>,
) -> Result<StagedFile> {
    let rows = metadata.file_metadata().num_rows().unsigned_abs();
    let (mut sizes, mut values, mut nulls) = (HashMap::new(), HashMap::new(), HashMap::new());
    let (mut lower, mut upper) = (HashMap::new(), HashMap::new());
    let mut system_from = None;
    for (index, field) in schema.fields().iter().enumerate() {
        let id = field_id(field)?;
        let mut range: Option<ColumnRange> = None;
        let mut size = 0;
        for group in metadata.row_groups() {
            let column = group.column(index);
            let here = ColumnRange::of_statistics(column.statistics(), group.num_rows().unsigned_abs());
            range = Some(match range {
                Some(before) => before.and(here),
                None => here,
            });
            size += column.compressed_size().unsigned_abs();
        }
        let range = range.unwrap_or_default();
        let column_type = iceberg_type(field.data_type())?;
        sizes.insert(id, size);
        values.insert(id, rows);
        nulls.extend(range.nulls.map(|count| (id, count)));
        lower.extend(range.min.as_ref().and_then(|min| to_datum(min, &column_type)).map(|datum| (id, datum)));
        upper.extend(range.max.as_ref().and_then(|max| to_datum(max, &column_type)).map(|datum| (id, datum)));
        if field.name() == "system_from" {
            system_from = micros(range.min).zip(micros(range.max));
        }
    }
    let (system_from_min, system_from_max) =
        system_from.ok_or_else(|| Error::internal("a file was written without statistics of its system times"))?;
    let mut described = DataFileBuilder::default();
    if let Some(id) = sort_order_id {
        described.sort_order_id(id);
    }
    let data_file = described
        .content(DataContentType::Data)
        .file_path(files::location_of(&held.path)?)
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::empty())
        .record_count(rows)
        .file_size_in_bytes(bytes)
        .column_sizes(sizes)
        .value_counts(values)
        .null_value_counts(nulls)
        .lower_bounds(lower)
        .upper_bounds(upper)
        .split_offsets(Some(metadata.row_groups().iter().filter_map(|group| group.file_offset()).collect()))
        .build()
        .map_err(|e| Error::internal("a file could not be described").because(e.to_string()))?;
    Ok(StagedFile { rows, bytes, system_from_min, system_from_max, data_file, _held: held })
}

fn micros(bound: Option<Bound>) -> Option<i64> {
    match bound {
        Some(Bound::Number(value)) => i64::try_from(value).ok(),
        _ => None,
    }
}
