//! INSERT, UPDATE and DELETE: what each would put or delete, worked out against the last committed state.
//!
//! SQL:2011's semantics for a portion of a period (part 2, 14.13 and 14.14): of every row that matches, the stretch
//! inside the portion changes and the pieces outside stay. A statement becomes a query for the rows it concerns; the
//! rows become puts and deletes, in the order in which they have to act. Writing is the caller's.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray, new_null_array},
        compute::{CastOptions, cast_with_options, concat_batches, filter_record_batch, kernels::cmp},
        datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType},
        util::display::{ArrayFormatter, FormatOptions},
    },
    common::utils::memory::get_record_batch_memory_size,
    execution::SessionState,
    sql::sqlparser::{
        ast::{
            AssignmentTarget, Delete, Expr, FromTable, Ident, Insert, ObjectName, Query, Select, SelectItem, SetExpr,
            Spanned, Statement, TableFactor, TableObject, TableWithJoins, Update,
        },
        tokenizer::Location,
    },
};
use futures::TryStreamExt;
use lake::{
    Dataset, TableSnapshot,
    model::{
        OPEN, TIME_COLUMNS,
        arrow_layout::{timestamp_type, version_schema},
    },
};

use crate::{
    clause::{Axis, Portion, Reference},
    coordinates::bounds,
    engine::{BatchStream, QueryRequest},
    error::{Error, ErrorKind, Result},
    statement::normalise,
    text::WritingText,
};

/// Rows one statement may concern, and their bytes in memory.
const MOST_ROWS: usize = 1_000_000;
const MOST_BYTES: usize = 256 << 20;

/// Which statement it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOperation {
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
}

/// Rows to put or to delete, each over exactly its valid interval whatever the dataset's mode. Columns: key, values,
/// `valid_from`, `valid_to`, of the types of the dataset.
#[derive(Debug, Clone)]
pub struct RowChange {
    /// Whether nothing is to hold over the rows' valid intervals; else their values.
    pub delete: bool,
    /// The rows.
    pub rows: RecordBatch,
}

/// What a statement would do.
#[derive(Debug, Clone)]
pub struct WritePlan {
    /// The dataset it writes to.
    pub dataset: Arc<Dataset>,
    /// Which statement it was.
    pub operation: WriteOperation,
    /// What has to be done: for each version it matched, or row it inserts, one row.
    pub change: RowChange,
}

/// A statement as a query for the rows it concerns, and what is to be done with them.
pub(crate) struct Prepared {
    pub(crate) rows_wanted: Statement,
    pub(crate) references: Vec<Reference>,
    pub(crate) target: Target,
}

/// What is to be done with the rows.
pub(crate) struct Target {
    dataset: Arc<Dataset>,
    operation: WriteOperation,
    /// The columns of the dataset that the query's columns are for; of an UPDATE first those that stay, all of them,
    /// then those that are assigned.
    columns: Vec<String>,
    /// In microseconds, `i64::MIN` and [`OPEN`] as unbounded.
    portion: (i64, i64),
}

type FindTable<'a> = &'a (dyn Fn(&[String], Location) -> Result<TableSnapshot> + Sync);

/// Turns a statement into a query for its rows.
pub(crate) fn prepare(
    state: &SessionState,
    text: WritingText,
    request: &QueryRequest,
    table: FindTable<'_>,
) -> Result<Prepared> {
    if request.snapshot.is_some() || request.system_time.is_some() || request.valid_time.is_some() {
        return Err(unsupported(
            "what is written acts on the last committed state; send no snapshot and no times with it",
        ));
    }
    let WritingText { statement, references, portion } = text;
    let bounds = portion_bounds(state, portion.as_ref())?;
    let (rows_wanted, mut target) = match statement {
        Statement::Insert(insert) => match &portion {
            Some(portion) => {
                return Err(
                    unsupported("INSERT has no FOR PORTION OF; give valid_from and valid_to").at(portion.location)
                );
            }
            None => insert_rows(insert, table)?,
        },
        Statement::Update(update) => update_rows(update, table)?,
        Statement::Delete(delete) => delete_rows(delete, table)?,
        _ => return Err(unsupported("only INSERT, UPDATE and DELETE write")),
    };
    target.portion = bounds;
    Ok(Prepared { rows_wanted, references, target })
}

fn portion_bounds(state: &SessionState, portion: Option<&Portion>) -> Result<(i64, i64)> {
    let Some(portion) = portion else { return Ok((i64::MIN, OPEN)) };
    if portion.axis == Axis::System {
        return Err(system_axis().at(portion.location));
    }
    let (from, to) = bounds(state, &portion.from, &portion.to)?;
    Ok((from.map_or(i64::MIN, |from| from.micros()), to.map_or(OPEN, |to| to.micros())))
}

fn system_axis() -> Error {
    unsupported("system time is written by commits alone: what is known since when cannot be changed")
}

fn insert_rows(insert: Insert, table: FindTable<'_>) -> Result<(Statement, Target)> {
    let TableObject::TableName(name) = &insert.table else { return Err(unsupported("INSERT writes to a dataset")) };
    let location = name.span().start;
    let extras = insert.on.is_some()
        || insert.returning.is_some()
        || insert.overwrite
        || insert.replace_into
        || insert.or.is_some()
        || insert.ignore
        || !insert.assignments.is_empty()
        || insert.partitioned.is_some();
    if extras {
        return Err(
            unsupported("of INSERT only INSERT INTO dataset (columns) VALUES … or SELECT … is offered").at(location)
        );
    }
    let dataset = table(&parts(name), location)?.dataset().clone();
    let Some(source) = insert.source else { return Err(unsupported("INSERT needs VALUES or a query").at(location)) };
    let columns = if insert.columns.is_empty() {
        writable(&dataset).iter().map(|field| field.name().clone()).collect()
    } else {
        insert.columns.iter().map(|column| writable_column(&dataset, column)).collect::<Result<Vec<_>>>()?
    };
    if let Some(twice) = columns.iter().enumerate().find(|(index, name)| columns[..*index].contains(name)) {
        let message = format!("INSERT names the column '{}' twice", twice.1);
        return Err(Error::new(ErrorKind::Syntax, message).at(location));
    }
    if !columns.iter().any(|column| column == "valid_from") {
        let message = "INSERT has to say since when it holds: the column valid_from is missing";
        return Err(Error::new(ErrorKind::Syntax, message).at(location));
    }
    let target = Target { dataset, operation: WriteOperation::Insert, columns, portion: (i64::MIN, OPEN) };
    Ok((Statement::Query(source), target))
}

fn update_rows(update: Update, table: FindTable<'_>) -> Result<(Statement, Target)> {
    let location = update.table.relation.span().start;
    let extras = update.from.is_some() || update.returning.is_some() || update.limit.is_some() || update.or.is_some();
    if extras {
        return Err(
            unsupported("of UPDATE only UPDATE dataset [FOR PORTION OF …] SET … [WHERE …] is offered").at(location)
        );
    }
    let (dataset, qualifier) = target_table(&update.table, table)?;
    let mut columns: Vec<String> = writable(&dataset).iter().map(|field| field.name().clone()).collect();
    let mut projection = projection_of(&columns, &qualifier);
    let kept = columns.len();
    for assignment in update.assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(unsupported("SET takes one column at a time").at(assignment.value.span().start));
        };
        let Some(column) = name.0.last().and_then(|part| part.as_ident()) else { continue };
        let name = writable_column(&dataset, column)?;
        if name == "valid_from" || name == "valid_to" {
            let message = "valid time is not assigned; say FOR PORTION OF VALID_TIME FROM … TO …";
            return Err(unsupported(message).at(column.span.start));
        }
        if dataset.definition.key.contains(&name) {
            let message =
                format!("'{name}' is part of the key, which says what a row is about; DELETE and INSERT instead");
            return Err(unsupported(&message).at(column.span.start));
        }
        if columns[kept..].contains(&name) {
            return Err(Error::new(ErrorKind::Syntax, format!("SET names '{name}' twice")).at(column.span.start));
        }
        let alias = Ident::with_quote('"', format!("set {name}"));
        projection.push(SelectItem::ExprWithAlias { expr: assignment.value, alias });
        columns.push(name);
    }
    let target = Target { dataset, operation: WriteOperation::Update, columns, portion: (i64::MIN, OPEN) };
    Ok((select(projection, update.table, update.selection)?, target))
}

fn delete_rows(delete: Delete, table: FindTable<'_>) -> Result<(Statement, Target)> {
    let extras = delete.using.is_some()
        || delete.returning.is_some()
        || delete.limit.is_some()
        || !delete.order_by.is_empty()
        || !delete.tables.is_empty();
    let FromTable::WithFromKeyword(mut from) = delete.from else {
        return Err(unsupported("DELETE needs FROM"));
    };
    let one = from.len() == 1 && !extras;
    let Some(from) = from.pop().filter(|_| one) else {
        return Err(unsupported("of DELETE only DELETE FROM dataset [FOR PORTION OF …] [WHERE …] is offered"));
    };
    let (dataset, qualifier) = target_table(&from, table)?;
    let columns: Vec<String> = writable(&dataset).iter().map(|field| field.name().clone()).collect();
    let projection = projection_of(&columns, &qualifier);
    let target = Target { dataset, operation: WriteOperation::Delete, columns, portion: (i64::MIN, OPEN) };
    Ok((select(projection, from, delete.selection)?, target))
}

/// The dataset that is written to, and the name its columns go by.
fn target_table(from: &TableWithJoins, table: FindTable<'_>) -> Result<(Arc<Dataset>, Ident)> {
    let location = from.relation.span().start;
    let TableFactor::Table { name, alias, args: None, .. } = &from.relation else {
        return Err(unsupported("only a dataset can be written to").at(location));
    };
    if !from.joins.is_empty() {
        return Err(unsupported("one dataset is written at a time; use a subquery in WHERE").at(location));
    }
    let parts = parts(name);
    if parts.last().is_some_and(|name| name.contains('@')) {
        return Err(unsupported("what is written has no FOR … AS OF; use FOR PORTION OF VALID_TIME").at(location));
    }
    let dataset = table(&parts, location)?.dataset().clone();
    let own = Ident::with_quote('"', parts.last().cloned().unwrap_or_default());
    Ok((dataset, alias.as_ref().map_or(own, |alias| alias.name.clone())))
}

fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(|part| part.as_ident()).map(normalise).collect()
}

/// The columns that can be written: key, values and valid time.
fn writable(dataset: &Dataset) -> Vec<Arc<Field>> {
    let versions = version_schema(&dataset.definition);
    versions.fields().iter().filter(|field| !is_system_time(field.name())).cloned().collect()
}

fn is_system_time(name: &str) -> bool {
    TIME_COLUMNS[2..].contains(&name)
}

fn writable_column(dataset: &Dataset, column: &Ident) -> Result<String> {
    let name = normalise(column);
    if is_system_time(&name) {
        return Err(system_axis().at(column.span.start));
    }
    if writable(dataset).iter().any(|field| *field.name() == name) {
        return Ok(name);
    }
    let there: Vec<String> = writable(dataset).iter().map(|field| field.name().clone()).collect();
    let message = format!("'{}' has no column '{name}'; there are {}", dataset.name, there.join(", "));
    Err(Error::new(ErrorKind::UnknownColumn, message).at(column.span.start))
}

fn projection_of(columns: &[String], qualifier: &Ident) -> Vec<SelectItem> {
    let item = |name: &String| {
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(vec![qualifier.clone(), Ident::with_quote('"', name)]))
    };
    columns.iter().map(item).collect()
}

fn select(projection: Vec<SelectItem>, from: TableWithJoins, selection: Option<Expr>) -> Result<Statement> {
    let template = crate::statement::parse_one(crate::clause::tokens("SELECT 1")?)?;
    let Statement::Query(mut query) = template else { return Err(internal("a query is not a query")) };
    let Query { body, .. } = query.as_mut();
    let SetExpr::Select(select) = body.as_mut() else { return Err(internal("a query selects nothing")) };
    **select = Select { projection, from: vec![from], selection, ..(**select).clone() };
    Ok(Statement::Query(query))
}

/// Reads the rows a statement concerns, up to the limit.
pub(crate) async fn collect(mut stream: BatchStream) -> Result<Vec<RecordBatch>> {
    let (mut batches, mut rows, mut bytes) = (Vec::new(), 0, 0);
    while let Some(batch) = stream.try_next().await? {
        rows += batch.num_rows();
        bytes += get_record_batch_memory_size(&batch);
        if rows > MOST_ROWS || bytes > MOST_BYTES {
            let message = format!(
                "the statement concerns more than {MOST_ROWS} rows or {MOST_BYTES} bytes; write in smaller parts"
            );
            return Err(unsupported(&message));
        }
        batches.push(batch);
    }
    Ok(batches)
}

/// What has to be done with the rows.
pub(crate) fn changes(target: Target, schema: SchemaRef, batches: &[RecordBatch]) -> Result<WritePlan> {
    let rows = concat_batches(&schema, batches).map_err(|e| internal("rows cannot be put together").caused_by(e))?;
    let Target { dataset, operation, columns, portion } = target;
    if rows.num_columns() != columns.len() {
        let message = format!("INSERT names {} columns and is given {} values", columns.len(), rows.num_columns());
        return Err(Error::new(ErrorKind::Syntax, message));
    }
    let found = arranged(&dataset, &columns, &rows, false)?;
    let change = match operation {
        WriteOperation::Insert => RowChange { delete: false, rows: found },
        WriteOperation::Update => changed(&found, &arranged(&dataset, &columns, &rows, true)?, portion, false)?,
        WriteOperation::Delete => changed(&found, &found, portion, true)?,
    };
    Ok(WritePlan { dataset, operation, change })
}

/// The rows with the dataset's columns and types; of columns that come twice the first or the last.
fn arranged(dataset: &Dataset, columns: &[String], rows: &RecordBatch, last: bool) -> Result<RecordBatch> {
    let mut arrays = Vec::new();
    let mut fields = Vec::new();
    for field in writable(dataset) {
        let at = match last {
            true => columns.iter().rposition(|column| column == field.name()),
            false => columns.iter().position(|column| column == field.name()),
        };
        arrays.push(match at {
            Some(at) => exact(rows.column(at), field.data_type(), field.name())?,
            None => new_null_array(field.data_type(), rows.num_rows()),
        });
        fields.push(field.as_ref().clone().with_nullable(true));
    }
    let schema = Arc::new(Schema::new(fields));
    RecordBatch::try_new(schema, arrays).map_err(|e| internal("rows have other columns than they should").caused_by(e))
}

/// Casts to a column's type. What would lose a digit or a time of day is refused, and what is of another kind.
fn exact(array: &ArrayRef, wanted: &DataType, column: &str) -> Result<ArrayRef> {
    if array.data_type() == wanted {
        return Ok(array.clone());
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let misfit = |reason: String| {
        Error::new(ErrorKind::Execution, format!("a value does not fit the column '{column}': {reason}"))
    };
    let given = array.data_type();
    if let (DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8, DataType::Decimal128(..)) = (given, wanted) {
        // Read with every digit first: reading with fewer would round.
        let whole = cast_with_options(array, &DataType::Decimal256(76, 38), &options);
        return exact(&whole.map_err(|error| misfit(error.to_string()))?, wanted, column);
    }
    let kinds_differ = (is_time_type(wanted) && (given.is_numeric() || *given == DataType::Boolean))
        || ((wanted.is_numeric() || *wanted == DataType::Boolean) && is_time_type(given))
        || (wanted.is_numeric() != given.is_numeric() && (*given == DataType::Boolean || *wanted == DataType::Boolean));
    if kinds_differ {
        return Err(misfit(format!("it is a {given}, not a {wanted}")));
    }
    let cast = cast_with_options(array, wanted, &options).map_err(|error| misfit(error.to_string()))?;
    if (given.is_numeric() && wanted.is_numeric()) || (is_time_type(given) && is_time_type(wanted)) {
        let back = cast_with_options(&cast, array.data_type(), &options).map_err(|error| misfit(error.to_string()))?;
        let same = cmp::not_distinct(&back, array).map_err(|error| misfit(error.to_string()))?;
        if let Some(row) = (0..same.len()).find(|&row| !same.value(row)) {
            let shown = ArrayFormatter::try_new(array, &FormatOptions::default()).map(|f| f.value(row).to_string());
            return Err(misfit(format!("{} is not exactly a {wanted}", shown.unwrap_or_default())));
        }
    }
    Ok(cast)
}

fn is_time_type(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
}

/// Of each row the stretch inside the portion, with what is to hold there.
fn changed(found: &RecordBatch, assigned: &RecordBatch, (from, to): (i64, i64), delete: bool) -> Result<RowChange> {
    let (starts, ends) = (times(found, 0), times(found, 1));
    let end = |row: usize| if ends.is_null(row) { OPEN } else { ends.value(row) };
    let clipped: Vec<(i64, i64)> =
        (0..found.num_rows()).map(|row| (starts.value(row).max(from), end(row).min(to))).collect();
    let inside: BooleanArray = clipped.iter().map(|(from, to)| Some(from < to)).collect();
    let rows = with_times(assigned, |row| clipped[row])?;
    let rows = filter_record_batch(&rows, &inside).map_err(|e| internal("rows cannot be chosen").caused_by(e))?;
    Ok(RowChange { delete, rows })
}

/// The column `valid_from` for 0 and `valid_to` for 1: the last two.
fn times(rows: &RecordBatch, which: usize) -> &TimestampMicrosecondArray {
    rows.column(rows.num_columns() - 2 + which).as_primitive::<TimestampMicrosecondType>()
}

fn with_times(rows: &RecordBatch, bounds: impl Fn(usize) -> (i64, i64)) -> Result<RecordBatch> {
    let array = |micros: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(micros).with_data_type(timestamp_type()))
    };
    let count = rows.num_rows();
    let mut columns = rows.columns()[..rows.num_columns() - 2].to_vec();
    columns.push(array((0..count).map(|row| Some(bounds(row).0)).collect()));
    columns.push(array((0..count).map(|row| Some(bounds(row).1).filter(|&to| to != OPEN)).collect()));
    RecordBatch::try_new(rows.schema(), columns).map_err(|e| internal("times do not fit their rows").caused_by(e))
}

fn unsupported(message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

fn internal(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}
