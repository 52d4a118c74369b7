//! Decoding what a scan has to read, away from the executor's threads.
//!
//! Small files, of which there is one a second while records stream in, are decoded whole, kept, and answered from
//! memory many at a time. Large ones are read by row group, with only the columns and pages needed.

use std::{path::PathBuf, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringArray, new_null_array},
    buffer::BooleanBuffer,
    compute::{concat_batches, filter_record_batch},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
    error::ArrowError,
};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, future, stream, stream::BoxStream};
use model::arrow_layout::data_type;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder, RowFilter, RowSelection,
        },
    },
    errors::ParquetError,
    file::statistics::Statistics,
};
use tokio::sync::mpsc;

use crate::{
    Error, Result, RowChooser, conform,
    error::parquet_error,
    files::blocking,
    filter::{Condition, Filter, missing},
    scan::Query,
    scan_plan::leaf_of,
};

/// Above this, batches are handed on as they are and not copied into one.
const CONCAT_BYTES: usize = 64 << 20;
const BATCH_ROWS: usize = 8_192;
const READ_AHEAD_BATCHES: usize = 2;

/// A piece of work.
pub(crate) enum Unit {
    /// Files that are answered together.
    Small(Vec<SmallFile>),
    RowGroup(RowGroup),
}

/// A file to be decoded whole.
pub(crate) struct SmallFile {
    pub(crate) path: PathBuf,
    pub(crate) filter: Filter,
}

/// A row group that may hold rows, with the conditions its statistics leave open.
pub(crate) struct RowGroup {
    pub(crate) path: PathBuf,
    pub(crate) footer: ArrowReaderMetadata,
    pub(crate) index: usize,
    pub(crate) filter: Filter,
    /// Rows in pages that may hold rows asked for; `None` for all of them.
    pub(crate) selection: Option<RowSelection>,
}

impl Unit {
    /// The rows asked for. Nothing is read before the stream is polled.
    pub(crate) fn read(self, query: Arc<Query>) -> BoxStream<'static, Result<RecordBatch>> {
        match self {
            Unit::Small(files) => {
                let batches = blocking(move || read_small(&query, &files));
                batches.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).into_stream().try_flatten().boxed()
            }
            Unit::RowGroup(group) => {
                async move { group.start(query, READ_AHEAD_BATCHES) }.into_stream().flatten().boxed()
            }
        }
    }
}

fn read_small(query: &Query, files: &[SmallFile]) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for file in files {
        for batch in query.read.shared.files.decoded(&file.path)?.iter() {
            let mut wanted = file.filter.evaluate(batch)?;
            if let Some(chooser) = query.chooser_of(&batch.schema()) {
                wanted = chooser.choose(batch, &wanted)?;
            }
            if wanted.count_set_bits() > 0 {
                batches.push(query.kept(batch, wanted)?);
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

impl RowGroup {
    /// Starts decoding within a Tokio runtime, so many batches ahead of whoever takes them. No thread is held while
    /// nobody does, and decoding ends when the stream is dropped.
    pub(crate) fn start(self, query: Arc<Query>, ahead: usize) -> BoxStream<'static, Result<RecordBatch>> {
        let (sender, receiver) = mpsc::channel(ahead);
        let ended = tokio::spawn(async move {
            let mut opened = blocking(move || self.open(query)).await?;
            loop {
                let (batch, same) = blocking(move || Ok((opened.next()?, opened))).await?;
                let Some(batch) = batch else { return Ok(()) };
                opened = same;
                let nobody_listens = batch.num_rows() > 0 && sender.send(Ok(batch)).await.is_err();
                if nobody_listens {
                    return Ok(());
                }
            }
        });
        let batches = stream::unfold(receiver, |mut receiver| async {
            let batch = receiver.recv().await?;
            Some((batch, receiver))
        });
        // An error, and a panic, end the stream as errors, so that a result is never cut short in silence.
        let end = ended.map(|ended| match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(error)),
            Err(join) => Some(Err(Error::internal("reading a file did not end").because(join))),
        });
        batches.chain(end.into_stream().filter_map(future::ready)).boxed()
    }

    fn open(self, query: Arc<Query>) -> Result<OpenRowGroup> {
        let asked = || query.stored.iter().zip(query.output.fields());
        let known: Vec<Option<ArrayRef>> = asked().map(|(stored, field)| self.only_value(stored, field)).collect();
        let RowGroup { path, footer, index, filter, selection } = self;
        let chooser = query.chooser_of(footer.schema());
        let footer = match chooser {
            Some(chooser) => texts_as_views(footer, chooser.columns(), &filter).map_err(|e| parquet_error(&path, e))?,
            None => footer,
        };
        let parquet_schema = footer.metadata().file_metadata().schema_descr_ptr();
        let arrow_schema = footer.schema().clone();
        let mask = |columns: &mut dyn Iterator<Item = &str>| -> Result<ProjectionMask> {
            let indices: Result<Vec<usize>> =
                columns.map(|column| arrow_schema.index_of(column).map_err(|_| missing(column))).collect();
            Ok(ProjectionMask::roots(&parquet_schema, indices?))
        };
        let tests = row_tests(&filter, chooser);
        let decoded = || query.stored.iter().zip(&known).filter(|(_, known)| known.is_none());
        let needed = decoded().map(|(stored, _)| stored.as_str()).chain(tests.iter().flat_map(RowTest::columns));
        let file = query.read.shared.files.data().open_row_group(&path, footer.metadata(), index, needed)?;
        let mut predicates: Vec<Box<dyn ArrowPredicate>> = Vec::new();
        for test in tests {
            let mask = mask(&mut test.columns())?;
            predicates.push(Box::new(ArrowPredicateFn::new(mask, move |batch: RecordBatch| {
                test.evaluate(&batch).map(|holds| BooleanArray::new(holds, None))
            })));
        }
        let projection = mask(&mut decoded().map(|(stored, _)| stored.as_str()))?;
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer)
            .with_projection(projection)
            .with_row_groups(vec![index])
            .with_batch_size(BATCH_ROWS);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        if !predicates.is_empty() {
            builder = builder.with_row_filter(RowFilter::new(predicates));
        }
        let reader = builder.build().map_err(|e| parquet_error(&path, e))?;
        Ok(OpenRowGroup { path, reader, known, query })
    }

    /// A batch of the one value that a column has in all rows, where statistics say so of a text or of null, or the file
    /// is older than the column: nothing of it has to be decoded then.
    fn only_value(&self, stored: &str, field: &Field) -> Option<ArrayRef> {
        let metadata = self.footer.metadata();
        let group = metadata.row_group(self.index);
        let Some(leaf) = leaf_of(metadata, stored) else {
            return field.is_nullable().then(|| new_null_array(field.data_type(), BATCH_ROWS));
        };
        let statistics = group.column(leaf).statistics()?;
        let nulls = statistics.null_count_opt()?;
        if field.is_nullable() && nulls == group.num_rows().unsigned_abs() {
            return Some(new_null_array(field.data_type(), BATCH_ROWS));
        }
        let Statistics::ByteArray(bytes) = statistics else { return None };
        let (min, max) = (bytes.min_opt()?, bytes.max_opt()?);
        let exact = statistics.min_is_exact() && statistics.max_is_exact() && min == max && nulls == 0;
        if !exact || field.data_type() != &DataType::Utf8 {
            return None;
        }
        let value = min.as_utf8().ok()?;
        Some(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, BATCH_ROWS))))
    }
}

/// A footer by which texts a chooser looks at are read as views, which copies less, unless conditions look at them too.
fn texts_as_views(
    footer: ArrowReaderMetadata,
    chosen_by: &[String],
    filter: &Filter,
) -> std::result::Result<ArrowReaderMetadata, ParquetError> {
    let tested = |name: &str| filter.conditions().iter().flat_map(|condition| condition.columns()).any(|c| c == name);
    let becomes_view = |field: &Field| {
        field.data_type() == &DataType::Utf8 && chosen_by.contains(field.name()) && !tested(field.name())
    };
    let fields = footer.schema().fields().iter();
    if !fields.clone().any(|field| becomes_view(field)) {
        return Ok(footer);
    }
    let typed = |field: &FieldRef| match becomes_view(field) {
        true => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        false => field.clone(),
    };
    let schema = Schema::new_with_metadata(fields.map(typed).collect::<Vec<_>>(), footer.schema().metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    ArrowReaderMetadata::try_new(footer.metadata().clone(), options)
}

/// What is tested of rows at once, out of the columns of all of it.
struct RowTest {
    conditions: Vec<Arc<Condition>>,
    chooser: Option<Arc<dyn RowChooser>>,
}

/// Tests that few rows pass come first, each by itself: of the other rows nothing else is decoded. Most rows pass those
/// of times, so their columns are decoded together.
fn row_tests(filter: &Filter, chooser: Option<&Arc<dyn RowChooser>>) -> Vec<RowTest> {
    let conditions = filter.conditions().iter().cloned();
    let (few, most): (Vec<_>, Vec<_>) = conditions.partition(|condition| condition.names_values());
    let few = few.into_iter().map(|condition| RowTest { conditions: vec![condition], chooser: None });
    let most = RowTest { conditions: most, chooser: chooser.cloned() };
    let is_test = !most.conditions.is_empty() || most.chooser.is_some();
    few.chain(is_test.then_some(most)).collect()
}

impl RowTest {
    fn columns(&self) -> impl Iterator<Item = &str> {
        let of_conditions = self.conditions.iter().flat_map(|condition| condition.columns());
        of_conditions.chain(self.chooser.iter().flat_map(|chooser| chooser.columns()).map(String::as_str))
    }

    fn evaluate(&self, batch: &RecordBatch) -> std::result::Result<BooleanBuffer, ArrowError> {
        let mut passed = BooleanBuffer::new_set(batch.num_rows());
        for condition in &self.conditions {
            passed = &passed & &condition.evaluate(batch)?;
        }
        match &self.chooser {
            Some(chooser) => chooser.choose(batch, &passed),
            None => Ok(passed),
        }
    }
}

/// A row group that is being decoded.
struct OpenRowGroup {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    /// Of each column asked for: a batch of the one value it has; `None` for a column that is decoded.
    known: Vec<Option<ArrayRef>>,
    query: Arc<Query>,
}

impl OpenRowGroup {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let corrupt =
            |e| Error::corrupt("a Parquet file cannot be decoded").with("path", self.path.display()).because(e);
        let batch = batch.map_err(corrupt)?;
        let Query { output, stored, .. } = self.query.as_ref();
        let column = |((field, stored), known): ((&FieldRef, &String), &Option<ArrayRef>)| match known {
            Some(value) => Ok(value.slice(0, batch.num_rows())),
            None => conform::column(batch.column_by_name(stored), field, batch.num_rows()),
        };
        let columns: Result<Vec<ArrayRef>> = output.fields().iter().zip(stored).zip(&self.known).map(column).collect();
        batch_of(&self.query.output, columns?, batch.num_rows()).map(Some)
    }
}

impl Query {
    /// The chooser, for a file that calls the columns it looks at as the dataset does, and has them of the same types.
    fn chooser_of(&self, file: &Schema) -> Option<&Arc<dyn RowChooser>> {
        let same = |name: &String| {
            let stored = self.read.dataset.columns.column(name).filter(|stored| stored.name == *name);
            let field = file.field_with_name(name).ok();
            stored.zip(field).is_some_and(|(stored, field)| *field.data_type() == data_type(stored.column_type))
        };
        self.chooser.as_ref().filter(|chooser| chooser.columns().iter().all(same))
    }

    /// The columns asked for of the rows that are wanted. Other rows may hold what does not fit: they are never cast.
    fn kept(&self, batch: &RecordBatch, wanted: BooleanBuffer) -> Result<RecordBatch> {
        if wanted.count_set_bits() == batch.num_rows() {
            return self.project(batch);
        }
        let schema = batch.schema_ref();
        let read: Vec<usize> = self.stored.iter().filter_map(|name| schema.index_of(name).ok()).collect();
        self.project(&filter_record_batch(&batch.project(&read)?, &BooleanArray::new(wanted, None))?)
    }

    /// The columns asked for, in their order, out of a batch that has them.
    fn project(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let column = |(field, stored): (&FieldRef, &String)| conform::column(batch.column_by_name(stored), field, rows);
        let columns = self.output.fields().iter().zip(&self.stored).map(column).collect::<Result<Vec<_>>>()?;
        batch_of(&self.output, columns, rows)
    }
}

fn batch_of(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(|e| Error::corrupt("a data file has other columns than its table").because(e))
}
