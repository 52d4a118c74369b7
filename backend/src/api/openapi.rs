//! `GET /api/v1/openapi.json`: the whole API, described.

use axum::{
    extract::State,
    http::{HeaderMap, header::CONTENT_TYPE},
    response::IntoResponse,
};

use super::{ApiState, access::Action};
use crate::error::Result;

const DOCUMENT: &str = include_str!("openapi.json");

/// The document, OpenAPI 3.1.
pub async fn document(State(state): State<ApiState>, headers: HeaderMap) -> Result<impl IntoResponse> {
    state.access.authorise(&headers, Action::Read)?;
    Ok(([(CONTENT_TYPE, "application/json")], DOCUMENT))
}
