//! `/api/v1/datasets/{name}/semantics`: what the figures of a dataset mean, as of any known time and changed one version at a
//! time. Like the definition of a dashboard, in JSON or YAML.

use app::dashboards::{VersionList, semantics_schema};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{
    ApiState,
    access::Action,
    dashboards::{
        Asked, ReasonParameters, ShowParameters, expected, of_definition, reason, respond, syntax_of, text_of,
        understood,
    },
    events::whole,
};
use crate::{
    dashboards::{
        parse_version,
        reading::{self, Syntax},
    },
    error::{Error, ErrorKind, Result},
    ingest::refuse_own,
};

/// `GET /api/v1/semantics/schema.json`: the JSON Schema of semantic definitions.
pub async fn schema(State(state): State<ApiState>, headers: HeaderMap) -> Result<impl IntoResponse> {
    state.access.authorise(&headers, Action::Read)?;
    Ok(([(header::CONTENT_TYPE, "application/schema+json")], semantics_schema()))
}

/// `GET /api/v1/datasets/{name}/semantics?system_time=…&format=json|yaml`: the definition.
pub async fn show(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    parameters: Asked<ShowParameters>,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Read)?;
    let ShowParameters { system_time, format } = understood(parameters, "system_time and format=json or format=yaml")?;
    let system_time = system_time.as_deref().map(parse_version).transpose()?;
    check_dataset(&state, &name)?;
    let (semantics, saved) = state.semantics.definition(&name, system_time).await?;
    let syntax = format.unwrap_or(Syntax::Json);
    let text = reading::write(&semantics, syntax)
        .map_err(|e| Error::new(ErrorKind::Internal, "the definition cannot be written").because(e))?;
    Ok(of_definition(text, syntax, Some(&saved.system_time.to_string()), Some(&saved)))
}

/// `PUT /api/v1/datasets/{name}/semantics?author=…&note=…`: stores a definition, in JSON or, by its content type, in YAML.
pub async fn put(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    parameters: Asked<ReasonParameters>,
    body: Body,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Write)?;
    refuse_own(&name)?;
    let reason = reason(understood(parameters, "author and note")?)?;
    let expected = expected(&headers)?;
    check_dataset(&state, &name)?;
    let body = whole(body).await?;
    let semantics = state.semantics.read(&name, &text_of(&body)?, syntax_of(&headers)).await?;
    Ok(respond(state.semantics.save(semantics, expected, reason).await?))
}

/// `DELETE /api/v1/datasets/{name}/semantics?author=…&note=…`
pub async fn delete(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    parameters: Asked<ReasonParameters>,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Write)?;
    let reason = reason(understood(parameters, "author and note")?)?;
    let expected = expected(&headers)?;
    check_dataset(&state, &name)?;
    Ok(respond(state.semantics.delete(name, expected, reason).await?))
}

/// `GET /api/v1/datasets/{name}/semantics/versions`: all versions, the last first.
pub async fn versions(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<VersionList>> {
    state.access.authorise(&headers, Action::Read)?;
    check_dataset(&state, &name)?;
    Ok(Json(state.semantics.versions(&name).await?))
}

fn check_dataset(state: &ApiState, name: &str) -> Result<()> {
    match state.lake.dataset(name) {
        Some(_) => Ok(()),
        None => Err(Error::new(ErrorKind::NotFound, format!("there is no dataset '{name}'"))),
    }
}
