//! `/api/v1/datasets`: defining datasets and saying what there is.

use std::collections::HashMap;

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use lake::{Dataset, Defined, StoredCounts};
use model::{DatasetCounts, DatasetDefinition, DatasetSummary, definition::check_dataset_name};

use super::{ApiState, access::Action, events::whole};
use crate::error::{Error, ErrorKind, Result};

/// `PUT /api/v1/datasets/{name}`
pub async fn define(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<DatasetSummary>)> {
    state.access.authorise(&headers, Action::Write)?;
    check_dataset_name(&name).map_err(|reason| Error::new(ErrorKind::Unprocessable, reason))?;
    let body = whole(body).await?;
    let definition: DatasetDefinition = serde_json::from_slice(&body).map_err(|e| {
        let kind = if e.is_data() { ErrorKind::Unprocessable } else { ErrorKind::BadRequest };
        Error::new(kind, format!("this is not a dataset definition: {e}"))
    })?;
    let problems = definition.problems();
    if !problems.is_empty() {
        let listed = serde_json::to_value(&problems).unwrap_or_default();
        let first = problems.first().map(|p| format!("{}: {}", p.pointer, p.reason)).unwrap_or_default();
        let message = format!("the definition has {} problem(s); the first is at {first}", problems.len());
        return Err(Error::new(ErrorKind::Unprocessable, message).with("problems", listed));
    }
    let (status, dataset) = match state.lake.define_dataset(&name, &definition).await? {
        Defined::Created(dataset) => (StatusCode::CREATED, dataset),
        Defined::Same(dataset) => (StatusCode::OK, dataset),
    };
    let mut summaries = summaries(&state, Some(&dataset)).await?;
    let summary =
        summaries.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "the new dataset is not to be found"))?;
    Ok((status, Json(summary)))
}

/// `GET /api/v1/datasets`
pub async fn list(State(state): State<ApiState>, headers: HeaderMap) -> Result<Json<Vec<DatasetSummary>>> {
    state.access.authorise(&headers, Action::Read)?;
    Ok(Json(summaries(&state, None).await?))
}

/// `GET /api/v1/datasets/{name}`
pub async fn show(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<DatasetSummary>> {
    state.access.authorise(&headers, Action::Read)?;
    let missing = || Error::new(ErrorKind::NotFound, format!("there is no dataset '{name}'"));
    let dataset = state.lake.dataset(&name).ok_or_else(missing)?;
    summaries(&state, Some(&dataset)).await?.pop().map(Json).ok_or_else(missing)
}

/// Summaries of one dataset or of all, by name. Whoever calls has authorised.
pub async fn summaries(state: &ApiState, only: Option<&Dataset>) -> Result<Vec<DatasetSummary>> {
    // What is committed is read first: whatever is added in between shows as in flight and never as lost.
    let stored: HashMap<u32, StoredCounts> =
        state.lake.counts().await?.into_iter().map(|counts| (counts.dataset_id, counts)).collect();
    let received = state.stream.counts();
    let wanted = state.lake.datasets().into_iter().filter(|dataset| only.is_none_or(|only| only.id == dataset.id));
    Ok(wanted
        .map(|dataset| {
            let stored = stored.get(&dataset.id);
            let arrived = received.get(&dataset.id).copied().unwrap_or_default();
            let committed = stored.map_or(0, |s| s.committed);
            let unchanged = stored.map_or(0, |s| s.unchanged);
            let quarantined = stored.map_or(0, |s| s.quarantined) + arrived.refused;
            let readable = !dataset.is_open_import();
            DatasetSummary {
                name: dataset.name.clone(),
                definition: dataset.definition.clone(),
                readable,
                rows: stored.map_or(0, |s| s.rows),
                known: stored.and_then(|s| s.known).filter(|_| readable),
                counts: DatasetCounts {
                    received: arrived.received,
                    committed,
                    unchanged,
                    quarantined,
                    in_flight: arrived.received.saturating_sub(committed + unchanged + quarantined),
                    ignored_fields: stored.map_or(0, |s| s.ignored_fields),
                },
            }
        })
        .collect())
}
