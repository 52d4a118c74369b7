//! `GET /api/v1/datasets/{name}/quarantine`: records that could not be accepted, newest first, as they came.

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
};
use model::Instant;
use serde::Serialize;

use super::{ApiState, access::Action};
use crate::error::{Error, ErrorKind, Result};

/// Most records given at once.
const RECORDS_MAX: usize = 1_000;

/// One record in quarantine.
#[derive(Debug, Serialize)]
pub struct Record {
    /// Its request in the stream.
    position: u64,
    /// Its line in the request.
    line: u32,
    /// When it arrived.
    arrival: Instant,
    /// Why it was not accepted, and what to do.
    reason: String,
    /// Its bytes, where they are UTF-8.
    raw: Option<String>,
    /// Its bytes in hexadecimal, where they are not.
    raw_hex: Option<String>,
}

/// The records of one dataset.
pub async fn list(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Vec<Record>>> {
    state.access.authorise(&headers, Action::Read)?;
    let missing = || Error::new(ErrorKind::NotFound, format!("there is no dataset '{name}'"));
    let dataset = state.lake.dataset(&name).ok_or_else(missing)?;
    let stream = state.stream.clone();
    let read = tokio::task::spawn_blocking(move || stream.quarantined(Some(dataset.id), RECORDS_MAX));
    let records =
        read.await.map_err(|e| Error::new(ErrorKind::Internal, "the quarantine was not read").because(e))??;
    Ok(Json(records.into_iter().map(to_record).collect()))
}

fn to_record(record: adapters::QuarantinedRecord) -> Record {
    let adapters::QuarantinedRecord { position, line, arrival, reason, raw, .. } = record;
    let (raw, raw_hex) = match String::from_utf8(raw) {
        Ok(text) => (Some(text), None),
        Err(not_text) => (None, Some(not_text.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect())),
    };
    Record { position, line, arrival, reason, raw, raw_hex }
}
