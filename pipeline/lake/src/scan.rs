//! Reading assertion rows: which files and row groups can hold what is asked for, and decoding them off the executor.
//!
//! Small files, of which there is one a second while records stream in, are decoded whole, kept, and answered from
//! memory many at a time. Large ones are read by row group, with only the columns needed. Each piece of work gives its
//! own batches as it is polled; as many are at work at once as the machine has cores.

use std::{fs::File, path::PathBuf, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions},
    compute::concat_batches,
    datatypes::{Schema, SchemaRef},
};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, future, stream, stream::BoxStream};
use iceberg::spec::DataFile;
use model::arrow_layout::assertion_schema;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowFilter},
};
use tokio::sync::mpsc;

use crate::{
    Error, ErrorKind, Result,
    bounds::{ColumnRange, from_datum},
    error::parquet_error,
    files::{blocking, path_of},
    filter::{Filter, missing},
    lake::{Shared, TableState},
    layout::EXACT_SORT_ORDER_ID,
};

const SMALL_FILE_BYTES: u64 = 8 << 20;
/// Small files are answered together up to so many rows or bytes on disk.
const GROUP_ROWS: u64 = 1 << 15;
const GROUP_BYTES: u64 = SMALL_FILE_BYTES;
/// Above this, batches are handed on as they are and not copied into one.
const CONCAT_BYTES: usize = 64 << 20;
const BATCH_ROWS: usize = 8_192;
const READ_AHEAD_BATCHES: usize = 2;
const LOADED_AT_ONCE: usize = 8;

/// Which of a table's files to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    #[default]
    All,
    /// Those of exact rectangles, which upkeep made.
    Exact,
    /// Those of assertions as they were appended.
    Appended,
}

/// What to read of a table. By default no columns of all rows.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// Columns of the assertion rows, in the order in which batches will have them. May be none: batches then only
    /// count rows.
    pub columns: Vec<String>,
    /// The files to read.
    pub part: Part,
    /// Rows known later than this are left out, in microseconds. The snapshot's own system time is kept to in any case.
    pub system_from_at_most: i64,
    /// Keep rows whose `system_to` is null or later than this, in microseconds.
    pub system_to_after: Option<i64>,
    /// Keep rows known at exactly one of these two system times, in microseconds, the first the earlier one: rows with
    /// `system_from` at or before it and `system_to` null or later.
    pub changed_between: Option<(i64, i64)>,
    /// Keep rows whose `[valid_from, valid_to)` meets `[a, b)`, in microseconds; [`model::OPEN`] as `b` is unbounded.
    pub valid_overlap: Option<(i64, i64)>,
    /// Keep rows for which all of these hold.
    pub key_filters: Vec<KeyFilter>,
}

impl Default for ScanRequest {
    fn default() -> ScanRequest {
        ScanRequest {
            columns: Vec::new(),
            part: Part::All,
            system_from_at_most: i64::MAX,
            system_to_after: None,
            changed_between: None,
            valid_overlap: None,
            key_filters: Vec::new(),
        }
    }
}

impl ScanRequest {
    /// The condition on both system times.
    fn known(&self) -> Filter {
        let mut filter = Filter::known_at(self.system_from_at_most);
        if let Some(after) = self.system_to_after {
            filter = filter.known_after(after);
        }
        match self.changed_between {
            Some((first, second)) => filter.changed_between(first, second),
            None => filter,
        }
    }
}

/// Keeps rows whose column is one of some values. Null is never one of them.
#[derive(Debug, Clone)]
pub struct KeyFilter {
    /// The column, usually of the key.
    pub column: String,
    /// The values, of the column's Arrow type.
    pub values: ArrayRef,
}

/// The files of a table, with what they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanFiles {
    /// Data files.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their size.
    pub bytes: u64,
}

/// How many of the data files of the part asked for the bounds of each condition leave, one condition after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruning {
    /// All of them.
    pub files: u64,
    /// Those that hold rows known at the system times asked for.
    pub known: u64,
    /// And rows valid where it is asked for.
    pub valid: u64,
    /// And rows of the keys asked for.
    pub keys: u64,
}

/// A scan that was checked against its table.
struct Query {
    shared: Arc<Shared>,
    table: Arc<TableState>,
    part: Part,
    filter: Filter,
    output: SchemaRef,
}

/// A data file that may hold rows, with the conditions its bounds leave open.
struct ScanFile {
    path: PathBuf,
    rows: u64,
    bytes: u64,
    filter: Filter,
}

enum Unit {
    Small(Vec<ScanFile>),
    RowGroup { path: PathBuf, footer: ArrowReaderMetadata, index: usize, filter: Filter },
}

/// Checks a request and gives the stream that answers it. Nothing is read before the stream is polled.
pub(crate) fn scan(
    shared: Arc<Shared>,
    table: Arc<TableState>,
    request: &ScanRequest,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let Some(query) = checked(shared, table, request)? else { return Ok(stream::empty().boxed()) };
    let units = async move {
        let units = plan(&query).await?;
        let at_once = std::thread::available_parallelism().map_or(2, usize::from);
        Ok::<_, Error>(stream::iter(units).map(move |unit| unit.read(query.clone())).flatten_unordered(at_once))
    };
    Ok(units.into_stream().try_flatten().boxed())
}

/// Checks a request against its table; `None` when it asks for no valid instant.
fn checked(shared: Arc<Shared>, table: Arc<TableState>, request: &ScanRequest) -> Result<Option<Arc<Query>>> {
    let all = assertion_schema(&table.dataset.definition);
    let index = |column: &str| {
        all.index_of(column).map_err(|_| {
            let message = format!("dataset '{}' has no column '{column}'", table.dataset.name);
            Error::new(ErrorKind::NotFound, message)
        })
    };
    let indices = request.columns.iter().map(|column| index(column)).collect::<Result<Vec<_>>>()?;
    let fields: Vec<_> = indices.iter().map(|&i| all.fields()[i].clone()).collect();
    let mut filter = request.known();
    if let Some((from, to)) = request.valid_overlap {
        if from >= to {
            return Ok(None);
        }
        filter = filter.valid_within(from, to);
    }
    for KeyFilter { column, values } in &request.key_filters {
        let expected = all.field(index(column)?).data_type();
        if values.data_type() != expected {
            return Err(Error::internal("a column was filtered by values of another type")
                .with("column", column)
                .with("column type", expected)
                .with("values", values.data_type()));
        }
        filter = filter.one_of(column, values)?;
    }
    let (part, output) = (request.part, Arc::new(Schema::new(fields)));
    Ok(Some(Arc::new(Query { shared, table, part, filter, output })))
}

impl Part {
    fn has(self, file: &DataFile) -> bool {
        match self {
            Part::All => true,
            Part::Exact => is_exact(file),
            Part::Appended => !is_exact(file),
        }
    }
}

fn is_exact(file: &DataFile) -> bool {
    file.sort_order_id() == Some(EXACT_SORT_ORDER_ID)
}

/// Counts what the bounds of a request's conditions leave of the table's files.
pub(crate) async fn pruning(shared: &Shared, table: &TableState, request: &ScanRequest) -> Result<Pruning> {
    let schema = table.metadata.current_schema();
    let known = request.known();
    let nowhere = request.valid_overlap.is_some_and(|(from, to)| from >= to);
    let valid = match request.valid_overlap {
        Some((from, to)) if !nowhere => Filter::default().valid_within(from, to),
        _ => Filter::default(),
    };
    let mut keys = Filter::default();
    for KeyFilter { column, values } in &request.key_filters {
        keys = keys.one_of(column, values)?;
    }
    let mut counted = Pruning::default();
    live_files(shared, table, |file| {
        if !request.part.has(file) {
            return None::<()>;
        }
        let left = |filter: &Filter| {
            let range = |column: &str| match schema.field_id_by_name(column) {
                Some(id) => file_range(file, id),
                None => ColumnRange { rows: file.record_count(), ..ColumnRange::default() },
            };
            filter.within(range).is_some()
        };
        let known = left(&known);
        let valid = known && !nowhere && left(&valid);
        counted.files += 1;
        counted.known += u64::from(known);
        counted.valid += u64::from(valid);
        counted.keys += u64::from(valid && left(&keys));
        None
    })
    .await?;
    Ok(counted)
}

/// Counts the files of a table.
pub(crate) async fn count_files(shared: &Shared, table: &TableState) -> Result<ScanFiles> {
    let files = live_files(shared, table, |file| Some((file.record_count(), file.file_size_in_bytes()))).await?;
    let mut counted = ScanFiles { files: files.len() as u64, ..ScanFiles::default() };
    for (rows, bytes) in files {
        counted.rows += rows;
        counted.bytes += bytes;
    }
    Ok(counted)
}

async fn live_files<T>(
    shared: &Shared,
    table: &TableState,
    mut pick: impl FnMut(&DataFile) -> Option<T>,
) -> Result<Vec<T>> {
    let mut picked = Vec::new();
    let loads: Vec<_> = table.manifests.iter().map(|manifest| shared.manifests.load(manifest)).collect();
    let mut manifests = stream::iter(loads).buffered(LOADED_AT_ONCE);
    while let Some(entries) = manifests.try_next().await? {
        picked.extend(entries.iter().filter(|entry| entry.is_alive()).filter_map(|entry| pick(entry.data_file())));
    }
    Ok(picked)
}

async fn plan(query: &Arc<Query>) -> Result<Vec<Unit>> {
    let schema = query.table.metadata.current_schema();
    let files = live_files(&query.shared, &query.table, |file| {
        if !query.part.has(file) {
            return None;
        }
        let filter = query.filter.within(|column| match schema.field_id_by_name(column) {
            Some(id) => file_range(file, id),
            None => ColumnRange { rows: file.record_count(), ..ColumnRange::default() },
        })?;
        let (rows, bytes) = (file.record_count(), file.file_size_in_bytes());
        Some(ScanFile { path: path_of(file.file_path()), rows, bytes, filter })
    })
    .await?;
    let (small, large): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.bytes < SMALL_FILE_BYTES);
    let large = large.into_iter().map(|file| {
        let query = query.clone();
        blocking(move || row_groups(&query.shared, file))
    });
    let groups: Vec<Vec<Unit>> = stream::iter(large).buffered(LOADED_AT_ONCE).try_collect().await?;
    let mut units: Vec<Unit> = groups.into_iter().flatten().collect();
    units.extend(group_small(small).into_iter().map(Unit::Small));
    Ok(units)
}

fn file_range(file: &DataFile, id: i32) -> ColumnRange {
    ColumnRange {
        min: file.lower_bounds().get(&id).and_then(from_datum),
        max: file.upper_bounds().get(&id).and_then(from_datum),
        nulls: file.null_value_counts().get(&id).copied(),
        rows: file.record_count(),
    }
}

fn group_small(files: Vec<ScanFile>) -> Vec<Vec<ScanFile>> {
    let mut groups: Vec<Vec<ScanFile>> = Vec::new();
    let (mut rows, mut bytes) = (u64::MAX, 0);
    for file in files {
        if rows.saturating_add(file.rows) > GROUP_ROWS || bytes + file.bytes > GROUP_BYTES {
            groups.push(Vec::new());
            (rows, bytes) = (0, 0);
        }
        rows += file.rows;
        bytes += file.bytes;
        if let Some(group) = groups.last_mut() {
            group.push(file);
        }
    }
    groups
}

fn row_groups(shared: &Shared, file: ScanFile) -> Result<Vec<Unit>> {
    let footer = shared.files.footer(&file.path)?;
    let columns = footer.metadata().file_metadata().schema_descr();
    let mut units = Vec::new();
    for (index, group) in footer.metadata().row_groups().iter().enumerate() {
        let rows = group.num_rows().unsigned_abs();
        let filter = file.filter.within(|column| {
            let position = columns.columns().iter().position(|leaf| leaf.name() == column);
            ColumnRange::of_statistics(position.and_then(|position| group.column(position).statistics()), rows)
        });
        units.extend(filter.map(|filter| {
            let (path, footer) = (file.path.clone(), footer.clone());
            Unit::RowGroup { path, footer, index, filter }
        }));
    }
    Ok(units)
}

impl Unit {
    fn read(self, query: Arc<Query>) -> BoxStream<'static, Result<RecordBatch>> {
        match self {
            Unit::Small(files) => {
                let batches = blocking(move || read_small(&query, &files));
                batches.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).into_stream().try_flatten().boxed()
            }
            Unit::RowGroup { path, footer, index, filter } => {
                from_thread(move |batches| read_row_group(&query, &path, footer, index, &filter, batches))
            }
        }
    }
}

fn read_small(query: &Query, files: &[ScanFile]) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for file in files {
        for batch in query.shared.files.decoded(&file.path)?.iter() {
            let kept = file.filter.apply(batch.clone())?;
            if kept.num_rows() > 0 {
                batches.push(query.project(&kept)?);
            }
        }
    }
    let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    if batches.len() < 2 || bytes > CONCAT_BYTES {
        return Ok(batches);
    }
    if query.output.fields().is_empty() {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        return Ok(vec![batch_of(&query.output, Vec::new(), rows)?]);
    }
    Ok(vec![concat_batches(&query.output, &batches)?])
}

fn read_row_group(
    query: &Query,
    path: &PathBuf,
    footer: ArrowReaderMetadata,
    index: usize,
    filter: &Filter,
    batches: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let file = File::open(path).map_err(|e| Error::io("open a file", path, e))?;
    let parquet_schema = footer.metadata().file_metadata().schema_descr_ptr();
    let arrow_schema = footer.schema().clone();
    let mask = |columns: &mut dyn Iterator<Item = &str>| -> Result<ProjectionMask> {
        let indices: Result<Vec<usize>> =
            columns.map(|column| arrow_schema.index_of(column).map_err(|_| missing(column))).collect();
        Ok(ProjectionMask::roots(&parquet_schema, indices?))
    };
    let mut predicates: Vec<Box<dyn ArrowPredicate>> = Vec::new();
    for condition in filter.conditions() {
        let (mask, condition) = (mask(&mut condition.columns())?, condition.clone());
        predicates.push(Box::new(ArrowPredicateFn::new(mask, move |batch: RecordBatch| {
            condition.evaluate(&batch).map(|holds| BooleanArray::new(holds, None))
        })));
    }
    let projection = mask(&mut query.output.fields().iter().map(|field| field.name().as_str()))?;
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer)
        .with_projection(projection)
        .with_row_groups(vec![index])
        .with_batch_size(BATCH_ROWS);
    if !predicates.is_empty() {
        builder = builder.with_row_filter(RowFilter::new(predicates));
    }
    for batch in builder.build().map_err(|e| parquet_error(path, e))? {
        let batch = batch
            .map_err(|e| Error::corrupt("a Parquet file cannot be decoded").with("path", path.display()).because(e))?;
        let nobody_listens = batch.num_rows() > 0 && batches.blocking_send(query.project(&batch)).is_err();
        if nobody_listens {
            break;
        }
    }
    Ok(())
}

impl Query {
    /// The columns asked for, in their order, out of a batch that has them.
    fn project(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let column = |name: &str| batch.column_by_name(name).cloned().ok_or_else(|| missing(name));
        let columns = self.output.fields().iter().map(|field| column(field.name())).collect::<Result<Vec<_>>>()?;
        batch_of(&self.output, columns, batch.num_rows())
    }
}

fn batch_of(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(|e| Error::corrupt("a data file has other columns than its table").because(e))
}

/// Runs blocking work that sends batches, and streams them. Its own error, and a panic in it, end the stream as errors,
/// so that a result is never cut short in silence.
fn from_thread(
    work: impl FnOnce(&mpsc::Sender<Result<RecordBatch>>) -> Result<()> + Send + 'static,
) -> BoxStream<'static, Result<RecordBatch>> {
    let start = async move {
        let (sender, receiver) = mpsc::channel(READ_AHEAD_BATCHES);
        let ended = tokio::spawn(blocking(move || work(&sender)));
        let batches = stream::unfold(receiver, |mut receiver| async {
            let batch = receiver.recv().await?;
            Some((batch, receiver))
        });
        let end = ended.map(|ended| match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(error)),
            Err(join) => Some(Err(Error::internal("reading a file did not end").because(join))),
        });
        batches.chain(end.into_stream().filter_map(future::ready))
    };
    start.flatten_stream().boxed()
}
