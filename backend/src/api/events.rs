//! `/api/v1/datasets/{name}/events`, `…/seal` and `/api/v1/transactions`: taking records in.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::HeaderMap,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiState, REQUEST_BYTES_MAX, access::Action};
use crate::{
    error::{Error, ErrorKind, Result},
    ingest::{Receipt, Wait},
};

/// Parameters of a request that takes records in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    #[serde(default)]
    wait: Wait,
}

type Asked = Result<Query<Parameters>, QueryRejection>;

/// `POST /api/v1/datasets/{name}/events?wait=durable|committed`
pub async fn append(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    parameters: Asked,
    body: Body,
) -> Result<Json<Receipt>> {
    state.access.authorise(&headers, Action::Write)?;
    let wait = wait(parameters)?;
    let body = whole(body).await?;
    Ok(Json(state.ingest.events(&name, body, wait).await?))
}

/// `POST /api/v1/transactions?wait=durable|committed`
pub async fn transaction(
    State(state): State<ApiState>,
    headers: HeaderMap,
    parameters: Asked,
    body: Body,
) -> Result<Json<Receipt>> {
    state.access.authorise(&headers, Action::Write)?;
    let wait = wait(parameters)?;
    let body = whole(body).await?;
    Ok(Json(state.ingest.transaction(body, wait).await?))
}

/// `POST /api/v1/datasets/{name}/seal`
pub async fn seal(State(state): State<ApiState>, Path(name): Path<String>, headers: HeaderMap) -> Result<Json<Value>> {
    state.access.authorise(&headers, Action::Write)?;
    let system_time = state.ingest.seal(&name).await?;
    Ok(Json(json!({ "sealed": system_time.is_some(), "system_time": system_time })))
}

fn wait(parameters: Asked) -> Result<Wait> {
    let not_understood = |_| Error::new(ErrorKind::BadRequest, "the only parameter is wait=durable or wait=committed");
    Ok(parameters.map_err(not_understood)?.0.wait)
}

/// The whole body of a request, up to the limit.
pub async fn whole(body: Body) -> Result<Bytes> {
    axum::body::to_bytes(body, REQUEST_BYTES_MAX).await.map_err(|e| {
        let message = format!("the request could not be read whole; it may have at most {REQUEST_BYTES_MAX} bytes, nothing of it was taken");
        Error::new(ErrorKind::TooLarge, message).because(e)
    })
}
