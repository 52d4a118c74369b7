//! Asking for assertion rows: what a scan may ask for, checked against its table, and the streams that answer it.
//!
//! Which files and row groups can hold what is asked for is found out in `scan_plan`, decoding is in `scan_read`. In no
//! particular order, as many pieces of work are at once in hand as the machine has cores. In the order of keys, files
//! that follow upon one another make a chain, and each chain is read ahead of whoever puts the chains together.

use std::{collections::HashMap, fmt, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch},
    buffer::BooleanBuffer,
    datatypes::{Schema, SchemaRef},
    error::ArrowError,
};
use futures::{FutureExt, StreamExt, TryStreamExt, stream, stream::BoxStream};
use model::{
    StoredColumn,
    arrow_layout::{assertion_schema, data_type},
};

use crate::{
    Dataset, Error, ErrorKind, Result, conform,
    filter::Filter,
    lake::{Shared, TableState},
    scan_plan::{chains, units_of},
    scan_read::RowGroup,
};

/// Read ahead of a chain that is read alone: row groups in hand, and batches of each. Of several chains each has one
/// row group in hand, because all of them wait for their turn with what they have read.
const ALONE: (usize, usize) = (2, 16);
const AMONG_OTHERS: (usize, usize) = (1, 2);

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
    /// Instead of these columns all that the table ever had, in the order of their field ids and with their names in files:
    /// the key columns first, then values, times and operation, and what was added later.
    pub every_column: bool,
    /// Leaves out further rows while they are read. Rows it does not want may come all the same.
    pub chooser: Option<Arc<dyn RowChooser>>,
}

/// Chooses among rows while files are read, so that of rows nobody wants no other columns have to be decoded. Called by
/// several threads at once, with rows that became known last first as far as files tell.
pub trait RowChooser: fmt::Debug + Send + Sync {
    /// The columns it looks at.
    fn columns(&self) -> &[String];

    /// For each row of a batch, which has these columns in any order, whether it is wanted: at most those that `among`
    /// names, of which all conditions hold. Texts come as `Utf8` or as `Utf8View`.
    fn choose(&self, batch: &RecordBatch, among: &BooleanBuffer) -> std::result::Result<BooleanBuffer, ArrowError>;
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
            every_column: false,
            chooser: None,
        }
    }
}

impl ScanRequest {
    /// The condition on both system times.
    pub(crate) fn known(&self) -> Filter {
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

/// What is read: a table, with the columns of a version of its dataset.
pub(crate) struct Read {
    pub(crate) shared: Arc<Shared>,
    pub(crate) table: Arc<TableState>,
    pub(crate) dataset: Arc<Dataset>,
}

impl Read {
    /// What files call a column of the dataset.
    fn stored(&self, column: &str) -> Result<&StoredColumn> {
        self.dataset.columns.column(column).ok_or_else(|| {
            let message = format!("dataset '{}' has no column '{column}'", self.dataset.name);
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// Adds a condition on a column of the dataset to those on the columns of files.
    pub(crate) fn one_of(&self, filter: Filter, KeyFilter { column, values }: &KeyFilter) -> Result<Filter> {
        let stored = self.stored(column)?;
        // Files may have the column in its widest type, whose other values the version does not know.
        let all = self.table.dataset.columns.all().iter().find(|all| all.name == stored.name).unwrap_or(stored);
        filter.one_of(&stored.name, &conform::typed(values, &data_type(all.column_type))?)
    }
}

/// A scan that was checked against its table. Conditions name columns as files do.
pub(crate) struct Query {
    pub(crate) read: Read,
    pub(crate) part: Part,
    pub(crate) filter: Filter,
    pub(crate) chooser: Option<Arc<dyn RowChooser>>,
    pub(crate) output: SchemaRef,
    /// What files call the columns of the output.
    pub(crate) stored: Vec<String>,
    /// By the names in files.
    pub(crate) field_ids: HashMap<String, i32>,
}

/// Checks a request and gives the stream that answers it. Nothing is read before the stream is polled.
pub(crate) fn scan(read: Read, request: &ScanRequest) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let Some(query) = checked(read, request)? else { return Ok(stream::empty().boxed()) };
    let units = async move {
        let units = units_of(&query).await?;
        let at_once = std::thread::available_parallelism().map_or(2, usize::from);
        Ok::<_, Error>(stream::iter(units).map(move |unit| unit.read(query.clone())).flatten_unordered(at_once))
    };
    Ok(units.into_stream().try_flatten().boxed())
}

/// Checks a request and gives streams of the rows of exact files, each in the order of keys and then `valid_from` and
/// `system_from`. Nothing is read of a file before its stream is polled.
pub(crate) async fn scan_sorted(
    read: Read,
    request: ScanRequest,
) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
    let request = ScanRequest { part: Part::Exact, ..request };
    let Some(query) = checked(read, &request)? else { return Ok(Vec::new()) };
    let chains = chains(&query).await?;
    let ahead = if chains.len() > 1 { AMONG_OTHERS } else { ALONE };
    Ok(chains.into_iter().map(|groups| read_in_order(query.clone(), groups, ahead)).collect())
}

/// Row groups one after the other, the next ones being decoded while the first is given out.
fn read_in_order(
    query: Arc<Query>,
    groups: Vec<RowGroup>,
    (groups_ahead, batches_ahead): (usize, usize),
) -> BoxStream<'static, Result<RecordBatch>> {
    let start = move |group: RowGroup| {
        let query = query.clone();
        async move { group.start(query, batches_ahead) }
    };
    stream::iter(groups).map(start).buffered(groups_ahead).flatten().boxed()
}

/// Checks a request against its table; `None` when it asks for no valid instant.
pub(crate) fn checked(read: Read, request: &ScanRequest) -> Result<Option<Arc<Query>>> {
    let (stored, output) = columns_of(&read, request)?;
    // Keys come first: they leave the fewest rows whose other columns have to be looked at.
    let mut filter = Filter::default();
    for key_filter in &request.key_filters {
        let KeyFilter { column, values } = key_filter;
        let expected = data_type(read.stored(column)?.column_type);
        if *values.data_type() != expected {
            return Err(Error::internal("a column was filtered by values of another type")
                .with("column", column)
                .with("column type", expected)
                .with("values", values.data_type()));
        }
        filter = read.one_of(filter, key_filter)?;
    }
    filter = filter.and(request.known());
    if let Some((from, to)) = request.valid_overlap {
        if from >= to {
            return Ok(None);
        }
        filter = filter.valid_within(from, to);
    }
    let (part, chooser) = (request.part, request.chooser.clone());
    let field_ids = read.table.dataset.columns.field_ids();
    Ok(Some(Arc::new(Query { read, part, filter, chooser, output, stored, field_ids })))
}

/// What files call the columns asked for, and the schema of the answer.
fn columns_of(read: &Read, request: &ScanRequest) -> Result<(Vec<String>, SchemaRef)> {
    if request.every_column {
        let columns = &read.table.dataset.columns;
        return Ok((columns.all().iter().map(|column| column.name.clone()).collect(), columns.schema()));
    }
    let all = assertion_schema(&read.dataset.definition);
    let stored = request.columns.iter().map(|column| Ok(read.stored(column)?.name.clone()));
    let fields = request.columns.iter().map(|column| Ok(all.field_with_name(column)?.clone()));
    let (stored, fields) = (stored.collect::<Result<_>>()?, fields.collect::<Result<Vec<_>>>()?);
    Ok((stored, Arc::new(Schema::new(fields))))
}
