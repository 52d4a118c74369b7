//! `/api/v1/sql`: answers questions, as Arrow, JSON or CSV, and carries out INSERT, UPDATE, DELETE and ALTER TABLE.
//!
//! An answer under a snapshot token never changes, so it may be cached for ever: it has an `ETag`, and whoever has it
//! already is told so before anything is read.

use axum::{
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use query::{Filter, Parameter, Parameters, Passing, QueryAnswer, QueryEngine, QueryRequest, StatementKind};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::Xxh3;

use super::{
    ApiState,
    access::Action,
    encode::{Encoder, Format},
    events::whole,
    reduce, sql_write,
};
use crate::error::{Error, ErrorKind, Result};

/// The body of a question; numbers among the parameters keep their digits.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// One statement.
    pub sql: String,
    /// Valid time of tables that name none.
    pub valid_time: Option<String>,
    /// System time of tables that name none.
    pub system_time: Option<String>,
    /// Token of the state to read.
    pub snapshot: Option<String>,
    /// An array for `$1`, `$2`, … or an object for `$name`.
    pub parameters: Option<Box<RawValue>>,
    /// What the rows are reduced to: an object, or an array of them.
    pub reduce: Option<Box<RawValue>>,
    /// An array of conditions, as [`read_filters`] takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Box<RawValue>>,
}

/// A question in an address. `parameters`, `reduce` and `filters` are JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    sql: String,
    valid_time: Option<String>,
    system_time: Option<String>,
    snapshot: Option<String>,
    parameters: Option<String>,
    reduce: Option<String>,
    filters: Option<String>,
}

/// `POST /api/v1/sql`. The first rows are made before the answer begins, so that an error still has its status.
pub async fn post(State(state): State<ApiState>, headers: HeaderMap, body: Body) -> Result<Response> {
    state.access.authorise(&headers, Action::Read)?;
    let format = format_of(&headers)?;
    let body = whole(body).await?;
    let question: Question = serde_json::from_slice(&body)
        .map_err(|e| Error::new(ErrorKind::BadRequest, format!("the body is not {{\"sql\": …}}: {e}")))?;
    let request = request_of(question)?;
    let kind = QueryEngine::statement_kind(&request.sql);
    if kind == StatementKind::Reads {
        return answer(&state, request, &headers, format).await;
    }
    state.access.authorise(&headers, Action::Write)?;
    if !request.reduce.is_empty() {
        let message = "\"reduce\" is for statements that read, and this one writes; leave it out";
        return Err(Error::new(ErrorKind::BadRequest, message));
    }
    // To the end even where the asker goes away: what is on its way will be committed, and the next has to see it.
    let written = tokio::spawn(async move {
        let turn = sql_write::turn(&state).await?;
        match state.query.view_change(request.clone()).await.map_err(from_query)? {
            Some(change) => sql_write::change_view(&state, change).await,
            None if kind == StatementKind::ChangesColumns => sql_write::alter(&state, &request).await,
            None => match state.query.write(request).await.map_err(from_query)? {
                Some(plan) => sql_write::carry_out(&state, plan, turn).await,
                None => Err(Error::new(ErrorKind::BadRequest, "this is no statement that writes")),
            },
        }
    });
    let lost = |e| Error::new(ErrorKind::Internal, "the statement could not be carried to its end").because(e);
    respond(written.await.map_err(lost)??, format, None).await
}

/// A question as the engine takes it. Fails on parameters, reductions and filters that cannot be read.
pub(super) fn request_of(question: Question) -> Result<QueryRequest> {
    let Question { sql, valid_time, system_time, snapshot, parameters, reduce, filters } = question;
    let parameters = read_parameters(parameters.as_deref().map(RawValue::get))?;
    let reduce = reduce::read(reduce.as_deref().map(RawValue::get))?;
    let filters = read_filters(filters.as_deref().map(RawValue::get))?;
    Ok(QueryRequest { sql, valid_time, system_time, snapshot, parameters, reduce, filters })
}

/// `GET /api/v1/sql?sql=…&snapshot=…`: reads only, and so can be cached by whatever lies between.
pub async fn get(
    State(state): State<ApiState>,
    headers: HeaderMap,
    address: Result<Query<Address>, QueryRejection>,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Read)?;
    let format = format_of(&headers)?;
    let not_understood = |e: QueryRejection| {
        let message = format!(
            "the address holds sql, and may hold valid_time, system_time, snapshot, parameters, reduce and filters: {}",
            e.body_text()
        );
        Error::new(ErrorKind::BadRequest, message)
    };
    let Address { sql, valid_time, system_time, snapshot, parameters, reduce, filters } =
        address.map_err(not_understood)?.0;
    let (parameters, reduce) = (read_parameters(parameters.as_deref())?, reduce::read(reduce.as_deref())?);
    let filters = read_filters(filters.as_deref())?;
    let request = QueryRequest { sql, valid_time, system_time, snapshot, parameters, reduce, filters };
    answer(&state, request, &headers, format).await
}

fn format_of(headers: &HeaderMap) -> Result<Format> {
    Format::negotiate(headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()))
}

async fn answer(state: &ApiState, request: QueryRequest, headers: &HeaderMap, format: Format) -> Result<Response> {
    let named = request.snapshot.is_some();
    let asked = request.clone();
    let answer = state.query.query(request).await.map_err(from_query)?;
    let tag = (named && !answer.volatile).then(|| entity_tag(&asked, &answer, format));
    if let Some(tag) = tag.as_deref().filter(|tag| has(headers, tag)) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        add_headers(response.headers_mut(), &answer, Some(tag));
        return Ok(response);
    }
    respond(answer, format, tag).await
}

/// Everything that decides an answer's bytes: the question, the state it is asked of, the form, and this program.
fn entity_tag(asked: &QueryRequest, answer: &QueryAnswer, format: Format) -> String {
    let QueryRequest { sql, valid_time, system_time, parameters, reduce, filters, snapshot: _ } = asked;
    let (token, form) = (answer.token.to_string(), format.content_type());
    let mut hash = Xxh3::new();
    let question = (sql, valid_time, system_time, parameters, reduce, filters, token, form);
    hash.update(format!("{} {question:?}", env!("CARGO_PKG_VERSION")).as_bytes());
    format!("\"{:032x}\"", hash.digest128())
}

/// Whether the asker has the answer already (RFC 9110, 13.1.2).
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

async fn respond(answer: QueryAnswer, format: Format, tag: Option<String>) -> Result<Response> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    add_headers(&mut headers, &answer, tag.as_deref());
    let QueryAnswer { schema, stream, .. } = answer;
    // Fused: an empty answer is asked for its next batch once more.
    let mut batches = stream.map(|batch| batch.map_err(from_query)).fuse();
    let first = batches.next().await.transpose()?;
    let mut encoder = Encoder::new(format, &schema)?;
    let mut head = encoder.begin()?;
    if let Some(first) = &first {
        head.extend(encoder.batch(first)?);
    }
    let rest = futures::stream::unfold(Some((batches, encoder)), async |state| {
        let (mut batches, mut encoder) = state?;
        match batches.next().await {
            Some(batch) => {
                let bytes = batch.and_then(|batch| encoder.batch(&batch));
                // After an error the connection is cut, so that no one takes a part for the whole.
                let next = bytes.is_ok().then_some((batches, encoder));
                Some((bytes.inspect_err(|error| tracing::error!(%error, "an answer broke off")), next))
            }
            None => Some((encoder.end(), None)),
        }
    });
    let body = Body::from_stream(futures::stream::iter([Ok(head)]).chain(rest));
    Ok((headers, body).into_response())
}

fn add_headers(headers: &mut HeaderMap, answer: &QueryAnswer, tag: Option<&str>) {
    insert(headers, HeaderName::from_static("tidemark-snapshot"), &answer.token.to_string());
    insert(headers, HeaderName::from_static("tidemark-system-time"), &answer.system_time.to_string());
    if let Some(applied) = &answer.filters {
        let indices: Vec<String> = applied.iter().map(usize::to_string).collect();
        insert(headers, HeaderName::from_static("tidemark-filters"), &indices.join(", "));
    }
    insert(headers, header::VARY, "accept");
    match tag {
        // Private: who may see an answer is decided for each asker.
        Some(tag) => {
            insert(headers, header::ETAG, tag);
            insert(headers, header::CACHE_CONTROL, "private, max-age=31536000, immutable");
        }
        None => insert(headers, header::CACHE_CONTROL, "no-store"),
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// An array for `$1`, `$2`, … or an object for `$name`. Numbers keep their digits.
fn read_parameters(json: Option<&str>) -> Result<Parameters> {
    let Some(json) = json.filter(|json| json.trim() != "null") else { return Ok(Parameters::default()) };
    let misshapen = |e: serde_json::Error| {
        let message = format!("\"parameters\" is an array for $1, $2, … or an object for $name: {e}");
        Error::new(ErrorKind::BadRequest, message)
    };
    let named: Vec<(String, &RawValue)> = if json.trim_start().starts_with('[') {
        let values: Vec<&RawValue> = serde_json::from_str(json).map_err(misshapen)?;
        values.into_iter().enumerate().map(|(index, value)| ((index + 1).to_string(), value)).collect()
    } else {
        let values: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(misshapen)?;
        values.into_iter().collect()
    };
    let read = |(name, value): (String, &RawValue)| Ok((name.clone(), parameter(&name, value.get())?));
    Ok(Parameters(named.into_iter().map(read).collect::<Result<_>>()?))
}

fn parameter(name: &str, json: &str) -> Result<Parameter> {
    let misfit = || {
        let message = format!("the parameter {name} is not a text, a number, true, false, null or a list of these");
        Error::new(ErrorKind::BadRequest, message)
    };
    if !json.starts_with('[') {
        return scalar(json).ok_or_else(misfit);
    }
    let values: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| misfit())?;
    let list: Option<Vec<Parameter>> = values.iter().map(|value| scalar(value.get())).collect();
    list.map(Parameter::List).ok_or_else(misfit)
}

/// A text, a number with its digits, true, false or null; `None` for anything else.
fn scalar(json: &str) -> Option<Parameter> {
    match json.as_bytes().first()? {
        b'n' => Some(Parameter::Null),
        b't' | b'f' => Some(Parameter::Boolean(json == "true")),
        b'"' => serde_json::from_str(json).map(Parameter::Text).ok(),
        b'-' | b'0'..=b'9' => Some(Parameter::Number(json.to_owned())),
        _ => None,
    }
}

/// One of a question's filters: `in`, or one or both of `from` and `to`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterText<'a> {
    dataset: Option<String>,
    column: String,
    #[serde(borrow, rename = "in")]
    listed: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
}

/// An array of conditions: `{"column", "in": […]}` or `{"column", "from", "to"}`, each perhaps with a `"dataset"`.
fn read_filters(json: Option<&str>) -> Result<Option<Vec<Filter>>> {
    let Some(json) = json.filter(|json| json.trim() != "null") else { return Ok(None) };
    let filters: Vec<FilterText<'_>> = serde_json::from_str(json).map_err(|e| {
        let message =
            format!("\"filters\" is an array of {{\"column\", \"in\"}} or {{\"column\", \"from\", \"to\"}}: {e}");
        Error::new(ErrorKind::BadRequest, message)
    })?;
    filters.into_iter().enumerate().map(read_filter).collect::<Result<_>>().map(Some)
}

fn read_filter((index, filter): (usize, FilterText<'_>)) -> Result<Filter> {
    let FilterText { dataset, column, listed, from, to } = filter;
    let wrong = |what: &str| Error::new(ErrorKind::BadRequest, format!("filter {index}, of column '{column}': {what}"));
    let value = |value: &RawValue| {
        scalar(value.get()).ok_or_else(|| wrong("a value is not a text, a number, true, false or null"))
    };
    let passing = match (listed, from, to) {
        (Some(values), None, None) => Passing::In(values.into_iter().map(value).collect::<Result<_>>()?),
        (None, None, None) => return Err(wrong("it says nothing; give \"in\", or \"from\" or \"to\" or both")),
        (None, from, to) => Passing::Range { from: from.map(value).transpose()?, to: to.map(value).transpose()? },
        _ => return Err(wrong("\"in\" stands alone; send a second filter for \"from\" and \"to\"")),
    };
    Ok(Filter { dataset, column, passing })
}

pub(crate) fn from_query(error: query::Error) -> Error {
    use query::ErrorKind as Kind;
    let kind = match error.kind() {
        Kind::Syntax | Kind::InvalidFilter => ErrorKind::BadRequest,
        Kind::Execution if error.retryable() => ErrorKind::Unavailable,
        Kind::UnknownTable
        | Kind::UnknownColumn
        | Kind::InvalidTime
        | Kind::InvalidParameter
        | Kind::FutureSystemTime
        | Kind::UnknownSnapshot
        | Kind::Unsupported
        | Kind::Execution => ErrorKind::Unprocessable,
        Kind::NotReadable => ErrorKind::Conflict,
        Kind::ResourcesExhausted => ErrorKind::Unavailable,
        Kind::Internal => ErrorKind::Internal,
    };
    let mut told = match kind {
        ErrorKind::Internal => Error::new(kind, "the question could not be answered; the log says why"),
        _ => Error::new(kind, error.message().to_owned()),
    };
    if let Some(position) = error.position() {
        told = told.with("line", position.line).with("column", position.column);
    }
    told.because(error)
}
