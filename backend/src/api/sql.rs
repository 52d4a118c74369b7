//! `POST /api/v1/sql`: answers questions, as Arrow, JSON or CSV.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use query::{QueryAnswer, QueryRequest};
use serde::Deserialize;

use super::{
    ApiState,
    access::Action,
    encode::{Encoder, Format},
    events::whole,
};
use crate::error::{Error, ErrorKind, Result};

/// The body of a question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    sql: String,
    valid_time: Option<String>,
    system_time: Option<String>,
    snapshot: Option<String>,
}

/// Answers one question. The first rows are made before the answer begins, so that an error still has its status.
pub async fn query(State(state): State<ApiState>, headers: HeaderMap, body: Body) -> Result<Response> {
    state.access.authorise(&headers, Action::Read)?;
    let format = Format::negotiate(headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()))?;
    let body = whole(body).await?;
    let question: Question = serde_json::from_slice(&body)
        .map_err(|e| Error::new(ErrorKind::BadRequest, format!("the body is not {{\"sql\": …}}: {e}")))?;
    let Question { sql, valid_time, system_time, snapshot } = question;
    let answer =
        state.query.query(QueryRequest { sql, valid_time, system_time, snapshot }).await.map_err(from_query)?;
    respond(answer, format).await
}

async fn respond(answer: QueryAnswer, format: Format) -> Result<Response> {
    let QueryAnswer { schema, token, system_time, stream } = answer;
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
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    insert(headers, "tidemark-snapshot", &token.to_string());
    insert(headers, "tidemark-system-time", &system_time.to_string());
    Ok(response)
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn from_query(error: query::Error) -> Error {
    use query::ErrorKind as Kind;
    let kind = match error.kind() {
        Kind::Syntax => ErrorKind::BadRequest,
        Kind::UnknownTable
        | Kind::UnknownColumn
        | Kind::InvalidTime
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
