//! `/api/v1/dashboards`: the definitions of dashboards.

use app::{dashboards::builder::resolved, ports::DashboardStore};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, header::CONTENT_TYPE},
    response::IntoResponse,
};
use serde::Serialize;

use super::{ApiState, access::Action, datasets};
use crate::error::{Error, ErrorKind, Result};

/// A dashboard in the list.
#[derive(Debug, Serialize)]
pub struct Listed {
    name: String,
    title: String,
    description: String,
}

/// `GET /api/v1/dashboards`
pub async fn list(State(state): State<ApiState>, headers: HeaderMap) -> Result<Json<Vec<Listed>>> {
    state.access.authorise(&headers, Action::Read)?;
    let listed = |(name, title, description): (&str, &str, &str)| Listed {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
    };
    Ok(Json(state.dashboards.list().map(listed).collect()))
}

/// `GET /api/v1/dashboards/{name}`: the definition as it was written.
pub async fn show(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse> {
    state.access.authorise(&headers, Action::Read)?;
    let missing = || Error::new(ErrorKind::NotFound, format!("there is no dashboard '{name}'"));
    let definition = state.dashboards.definition(&name).ok_or_else(missing)?;
    Ok(([(CONTENT_TYPE, "application/json")], definition))
}

/// `GET /api/v1/dashboards/{name}/page`: the definition as a page takes it, with statements in the place of questions.
pub async fn page(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse> {
    state.access.authorise(&headers, Action::Read)?;
    let missing = || Error::new(ErrorKind::NotFound, format!("there is no dashboard '{name}'"));
    let definition = state.dashboards.definition(&name).ok_or_else(missing)?;
    let datasets = datasets::summaries(&state, None).await?;
    Ok(([(CONTENT_TYPE, "application/json")], resolved(definition, &datasets)))
}
