//! `/api/v1/savepoints`: taking savepoints of the timeline state, what savepoints there are, and deleting one. Restoring one
//! needs a Tidemark that is stopped: `tidemark savepoint restore`.

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};

use super::{ApiState, access::Action, events::whole};
use crate::{
    error::{Error, ErrorKind, Result},
    savepoints::{Deleted, Order, SavepointReport, Summary},
    store::FileRecord,
};

/// The savepoints of a lake.
#[derive(Debug, Serialize, Deserialize)]
pub struct Held {
    /// Where they are.
    pub place: String,
    /// What the last attempt to take one failed with, where it did.
    pub problem: Option<String>,
    /// What is wrong with each record that cannot be read.
    pub damaged: Vec<String>,
    /// Oldest first.
    pub savepoints: Vec<Summary>,
}

/// A savepoint with its files.
#[derive(Debug, Serialize, Deserialize)]
pub struct Described {
    /// All but the files.
    #[serde(flatten)]
    pub savepoint: Summary,
    /// The files of the state, by place.
    pub contents: Vec<FileRecord>,
}

/// `GET /api/v1/savepoints`
pub async fn list(State(state): State<ApiState>, headers: HeaderMap) -> Result<Json<Held>> {
    state.access.authorise(&headers, Action::Read)?;
    let (savepoints, damaged) = state.savepoints.list().await?;
    let (place, problem) = (state.savepoints.place(), state.savepoints.problem());
    Ok(Json(Held { place, problem, damaged, savepoints }))
}

/// `POST /api/v1/savepoints`. Answers when the savepoint is whole; it goes on where the asker leaves.
pub async fn take(
    State(state): State<ApiState>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<SavepointReport>)> {
    state.access.authorise(&headers, Action::Write)?;
    let body = whole(body).await?;
    let order: Order = serde_json::from_slice(&body).map_err(|e| {
        let kind = if e.is_data() { ErrorKind::Unprocessable } else { ErrorKind::BadRequest };
        Error::new(kind, format!("the body is not {{\"name\": \"before-rollout\", \"note\": \"…\"}}: {e}"))
    })?;
    Ok((StatusCode::CREATED, Json(state.savepoints.take(order).await?)))
}

/// `GET /api/v1/savepoints/{name}`
pub async fn show(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Described>> {
    state.access.authorise(&headers, Action::Read)?;
    let (savepoint, record) = state.savepoints.show(&name).await?;
    Ok(Json(Described { savepoint, contents: record.files }))
}

/// `DELETE /api/v1/savepoints/{name}`
pub async fn delete(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Deleted>> {
    state.access.authorise(&headers, Action::Write)?;
    Ok(Json(state.savepoints.delete(&name).await?))
}
