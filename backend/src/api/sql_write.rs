//! INSERT, UPDATE and DELETE: the rows that `query` works out become events, which go the way of all events. And views and
//! columns, whose changes take effect with the next epoch, so that a snapshot token never means two things.
//!
//! One statement that writes is carried out at a time, from reading to commit, so that each sees what those before it
//! did. Events that arrive beside it act in the order of their arrival, as always.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{Field, Float64Type, Schema},
    json::{LineDelimitedWriter, WriterBuilder, writer::LineDelimited},
};
use futures::{StreamExt, stream};
use lake::Dataset;
use model::{
    ColumnType, DatasetDefinition, Instant, Mode, SnapshotToken, arrow_layout::timestamp_type, definition::EXACT_END,
};
use query::{Alteration, QueryAnswer, QueryRequest, RowChange, ViewChange, WriteOperation, WritePlan};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedMutexGuard;

use super::{ApiState, encode::DecimalsAsText, sql::from_query};
use crate::{
    error::{Error, ErrorKind, Result},
    ingest::Wait,
};

/// How long a statement waits for those before it.
const TURN_WAIT_MAX: Duration = Duration::from_secs(60);

/// The right to read and write, held from reading to commit, so that each statement sees what those before it did.
pub type Turn = OwnedMutexGuard<()>;

/// Waits for the turn.
pub async fn turn(state: &ApiState) -> Result<Turn> {
    let turn = tokio::time::timeout(TURN_WAIT_MAX, Arc::clone(&state.sql_writes).lock_owned()).await;
    turn.map_err(|_| {
        let message = "a statement before this one still waits for its commit; nothing of this one was done";
        Error::new(ErrorKind::Unavailable, message)
    })
}

/// Puts a statement's events into the stream and waits for the commit. All of them come in one epoch, or none.
pub async fn carry_out(state: &ApiState, plan: WritePlan, turn: Turn) -> Result<QueryAnswer> {
    let lines = event_lines(&plan)?;
    let events = lines.len() as i64;
    let system_time = if lines.is_empty() { None } else { Some(commit(state, lines, turn).await?) };
    let head = state.lake.snapshot(None).await?.token().clone();
    answer(&plan, events, system_time, head)
}

/// Changes a view and closes the epoch before the change, so that whoever asks next sees it.
pub async fn change_view(state: &ApiState, change: ViewChange) -> Result<QueryAnswer> {
    let (word, name) = match &change {
        ViewChange::Put { name, .. } => ("create view", name.clone()),
        ViewChange::Drop { name, .. } => ("drop view", name.clone()),
    };
    let system_time = match change {
        ViewChange::Drop { name, if_exists: true } if !state.lake.has_view(&name) => None,
        ViewChange::Drop { name, .. } => {
            state.lake.drop_view(&name).await?;
            Some(state.ingest.close_epoch().await?)
        }
        ViewChange::Put { name, sql, replace } => {
            state.lake.put_view(&name, &sql, replace).await?;
            Some(state.ingest.close_epoch().await?)
        }
    };
    let token = state.lake.snapshot(None).await?.token().clone();
    one_row(vec![("operation", words(word)), ("view", words(&name))], system_time, token)
}

/// Changes a dataset's columns.
pub async fn alter(state: &ApiState, request: &QueryRequest) -> Result<QueryAnswer> {
    if request.snapshot.is_some() || request.system_time.is_some() || request.valid_time.is_some() {
        let message = "columns change from now on; send no snapshot and no times with ALTER TABLE";
        return Err(Error::new(ErrorKind::Unprocessable, message));
    }
    let Some(Alteration { dataset, changes }) = state.query.alteration(request).map_err(from_query)? else {
        return Err(Error::new(ErrorKind::BadRequest, "this is no statement that writes"));
    };
    let (changed, system_time) = state.ingest.change_definition(&dataset, &changes).await?;
    let token = state.lake.snapshot(None).await?.token().clone();
    let version: ArrayRef = Arc::new(Int64Array::from(vec![i64::from(changed.version)]));
    let columns = vec![("operation", words("alter table")), ("dataset", words(&dataset)), ("version", version)];
    one_row(columns, Some(system_time), token)
}

async fn commit(state: &ApiState, lines: Vec<String>, turn: Turn) -> Result<Instant> {
    let body = bytes::Bytes::from(lines.join("\n"));
    let receipt = state.ingest.transaction(body, Wait::Committed).await?;
    if let Some(system_time) = receipt.system_time {
        return Ok(system_time);
    }
    // The next statement must not read before these events act: the turn goes on until an epoch behind them is there.
    let ingest = Arc::clone(&state.ingest);
    tokio::spawn(async move {
        let _turn = turn;
        while ingest.close_epoch().await.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let message = "the events are on disk and not committed yet; they will be, and are not to be sent again";
    Err(Error::new(ErrorKind::Unavailable, message))
}

fn answer(plan: &WritePlan, events: i64, system_time: Option<Instant>, token: SnapshotToken) -> Result<QueryAnswer> {
    let word = match plan.operation {
        WriteOperation::Insert => "insert",
        WriteOperation::Update => "update",
        WriteOperation::Delete => "delete",
    };
    let versions = i64::try_from(plan.change.rows.num_rows()).unwrap_or(i64::MAX);
    let count = |number: i64| Arc::new(Int64Array::from(vec![number])) as ArrayRef;
    let columns = vec![("operation", words(word)), ("versions", count(versions)), ("events", count(events))];
    one_row(columns, system_time, token)
}

fn words(text: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![text]))
}

/// An answer of one row: what was done, and the system time it was committed at, null where nothing was.
fn one_row(columns: Vec<(&str, ArrayRef)>, system_time: Option<Instant>, token: SnapshotToken) -> Result<QueryAnswer> {
    let (names, mut arrays): (Vec<&str>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let mut fields: Vec<Field> =
        names.iter().zip(&arrays).map(|(name, array)| Field::new(*name, array.data_type().clone(), false)).collect();
    fields.push(Field::new("system_time", timestamp_type(), true));
    let micros: TimestampMicrosecondArray = [system_time.map(Instant::micros)].into_iter().collect();
    arrays.push(Arc::new(micros.with_data_type(timestamp_type())));
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), arrays)
        .map_err(|e| internal("what was done cannot be told").because(e))?;
    let system_time = system_time.unwrap_or(token.system_time);
    Ok(QueryAnswer {
        schema,
        token,
        system_time,
        volatile: true,
        filters: None,
        stream: stream::iter([Ok(batch)]).boxed(),
    })
}

/// A part of an event. Values stay the text they are, so that no digit passes through a float.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Json {
    Value(Box<RawValue>),
    Word(String),
    Null,
    Object(BTreeMap<String, Json>),
    Elements(Vec<Json>),
}

type Members = BTreeMap<String, Json>;
type Row = BTreeMap<String, Box<RawValue>>;

/// The events as lines of a transaction.
fn event_lines(plan: &WritePlan) -> Result<Vec<String>> {
    #[derive(Serialize)]
    struct Line<'a> {
        dataset: &'a str,
        event: Members,
    }
    let RowChange { delete, rows } = &plan.change;
    check_finite(rows)?;
    let line = |row| {
        let line = Line { dataset: &plan.dataset.name, event: event(plan, *delete, row)? };
        serde_json::to_string(&line).map_err(|e| internal("an event cannot be written").because(e))
    };
    json_rows(rows)?.into_iter().map(line).collect()
}

/// JSON has no words for them, and null is something else.
fn check_finite(rows: &RecordBatch) -> Result<()> {
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let Some(floats) = column.as_primitive_opt::<Float64Type>() else { continue };
        if floats.iter().flatten().any(|value| !value.is_finite()) {
            let message = format!("a value for the column '{}' is infinite or not a number", field.name());
            return Err(Error::new(ErrorKind::Unprocessable, message));
        }
    }
    Ok(())
}

fn json_rows(rows: &RecordBatch) -> Result<Vec<Row>> {
    let unreadable = |e: serde_json::Error| internal("a row cannot be made an event").because(e);
    let builder = WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(DecimalsAsText));
    let mut writer: LineDelimitedWriter<Vec<u8>> = builder.build::<_, LineDelimited>(Vec::new());
    let write = |writer: &mut LineDelimitedWriter<Vec<u8>>| {
        writer.write(rows)?;
        writer.finish()
    };
    write(&mut writer).map_err(|e| internal("rows cannot be made events").because(e))?;
    let text = writer.into_inner();
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(unreadable)).collect()
}

/// A row as the dataset's events look: its columns' names and paths, its words for put and delete.
fn event(plan: &WritePlan, delete: bool, mut row: Row) -> Result<Members> {
    let dataset = &plan.dataset;
    let definition = &dataset.definition;
    if delete && definition.operation.is_none() {
        let message =
            "the definition of '{}' names no operation column, so its events cannot delete; nothing was written";
        return Err(Error::new(ErrorKind::Unprocessable, message.replace("{}", &dataset.name)));
    }
    let (mut root, mut element) = (Members::new(), Members::new());
    for column in &definition.columns {
        let name = column.name.as_str();
        let value = if name == definition.valid_from {
            valid_time(dataset, name, row.remove("valid_from"))?
        } else if definition.valid_to.as_deref() == Some(name) {
            valid_time(dataset, name, row.remove("valid_to"))?
        } else if let Some(operation) = definition.operation.as_ref().filter(|o| o.column() == name) {
            let (put, delete_word) = operation.words();
            Json::Word(if delete { delete_word } else { put }.to_owned())
        } else {
            match row.remove(name) {
                Some(value) => Json::Value(value),
                None => continue,
            }
        };
        place(definition, &column.path_members(), value, &mut root, &mut element);
    }
    let end = row.remove("valid_to");
    let bounded = end.as_ref().is_some_and(|end| end.get() != "null");
    if definition.mode == Mode::UntilChanged {
        // A row inserted without an end holds until the next change, like any event. All else is exactly this stretch,
        // whatever the key changes to inside it.
        if plan.operation != WriteOperation::Insert || bounded {
            root.insert(EXACT_END.to_owned(), end.map_or(Json::Null, Json::Value));
        }
    } else if bounded {
        let message = "the definition of '{}' names no column for the end of validity, so valid_to has to be null; \
                       nothing was written";
        return Err(Error::new(ErrorKind::Unprocessable, message.replace("{}", &dataset.name)));
    }
    if let Some(each) = &definition.each {
        put_at(&mut root, &each.split('.').collect::<Vec<_>>(), Json::Elements(vec![Json::Object(element)]));
    }
    Ok(root)
}

fn place(definition: &DatasetDefinition, path: &[&str], value: Json, root: &mut Members, element: &mut Members) {
    let each: Vec<&str> = definition.each.iter().flat_map(|path| path.split('.')).collect();
    match path.strip_prefix(each.as_slice()) {
        Some(below) if !each.is_empty() && !below.is_empty() => put_at(element, below, value),
        _ => put_at(root, path, value),
    }
}

fn put_at(object: &mut Members, path: &[&str], value: Json) {
    match path {
        [] => {}
        [last] => drop(object.insert((*last).to_owned(), value)),
        [first, rest @ ..] => {
            let below = object.entry((*first).to_owned()).or_insert_with(|| Json::Object(Members::new()));
            if let Json::Object(below) = below {
                put_at(below, rest, value);
            }
        }
    }
}

/// A bound as the dataset's column has it: a day where it counts in days, and then it has to be a midnight.
fn valid_time(dataset: &Dataset, column: &str, value: Option<Box<RawValue>>) -> Result<Json> {
    let Some(value) = value else { return Ok(Json::Null) };
    let days = dataset.definition.column(column).is_some_and(|column| column.column_type == ColumnType::Date);
    let text = value.get().trim_matches('"');
    match text.split_once('T') {
        _ if !days || text == "null" => Ok(Json::Value(value)),
        Some((day, "00:00:00Z")) => Ok(Json::Word(day.to_owned())),
        _ => {
            let message = format!(
                "'{}' counts valid time in days, and {text} is not a midnight in UTC; nothing was written",
                dataset.name
            );
            Err(Error::new(ErrorKind::Unprocessable, message))
        }
    }
}

fn internal(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}
