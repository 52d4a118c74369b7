//! `/api/v1/datasets`: defining datasets and saying what there is.

use std::collections::HashMap;

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use lake::{Dataset, Defined, StoredCounts};
use model::{
    DatasetCounts, DatasetDefinition, DatasetSummary, DefinitionChange, Instant, SnapshotToken,
    definition::{check_dataset_name, is_own},
};
use serde::{Deserialize, Serialize};

use super::{ApiState, access::Action, events::whole, sql_write};
use crate::{
    error::{Error, ErrorKind, Result},
    ingest::refuse_own,
};

/// `PUT /api/v1/datasets/{name}`
pub async fn define(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<DatasetSummary>)> {
    state.access.authorise(&headers, Action::Write)?;
    check_dataset_name(&name).map_err(|reason| Error::new(ErrorKind::Unprocessable, reason))?;
    refuse_own(&name)?;
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

/// The body of a change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    changes: Vec<DefinitionChange>,
}

/// What a change made of a dataset.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// The dataset as it is now.
    #[serde(flatten)]
    dataset: DatasetSummary,
    /// The version of its definition.
    version: u32,
    /// The system time from which on it holds.
    system_time: Instant,
}

/// `PATCH /api/v1/datasets/{name}`: adds, renames, drops and widens columns, all of it or nothing.
pub async fn change(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Changed>> {
    state.access.authorise(&headers, Action::Write)?;
    let body = whole(body).await?;
    let Changes { changes } = serde_json::from_slice(&body).map_err(|e| {
        let kind = if e.is_data() { ErrorKind::Unprocessable } else { ErrorKind::BadRequest };
        Error::new(kind, format!("this is not {{\"changes\": [{{\"add\": …}}, …]}}: {e}"))
    })?;
    // To the end even where the asker goes away, and in its turn: statements that write read the definition first.
    let changed = tokio::spawn(async move {
        let _turn = sql_write::turn(&state).await?;
        let (dataset, system_time) = state.ingest.change_definition(&name, &changes).await?;
        let gone = || Error::new(ErrorKind::Internal, "the changed dataset is not to be found");
        let summary = summaries(&state, Some(&dataset)).await?.pop().ok_or_else(gone)?;
        Ok(Changed { dataset: summary, version: dataset.version, system_time })
    });
    let lost = |e| Error::new(ErrorKind::Internal, "the change could not be carried to its end").because(e);
    changed.await.map_err(lost)?.map(Json)
}

/// A version of a definition.
#[derive(Debug, Serialize)]
pub struct Version {
    version: u32,
    /// The first epoch it holds for; 0 for the first version.
    from_epoch: u64,
    /// That epoch's system time; null for the first version, and until the epoch is committed.
    system_time: Option<Instant>,
    /// The last state with the version before; null for the first version.
    snapshot_before: Option<SnapshotToken>,
    recorded_at: Instant,
    changes: Vec<DefinitionChange>,
    definition: DatasetDefinition,
}

/// `GET /api/v1/datasets/{name}/definitions`: all versions of a definition, the first one first.
pub async fn definitions(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Vec<Version>>> {
    state.access.authorise(&headers, Action::Read)?;
    let versions = state.lake.definitions(&name)?;
    let shown = versions.iter().cloned().map(|known| Version {
        version: known.version,
        from_epoch: known.from_epoch,
        system_time: known.system_time,
        snapshot_before: known.snapshot_before(&state.lake),
        recorded_at: known.recorded_at,
        changes: known.changes,
        definition: known.definition,
    });
    Ok(Json(shown.collect()))
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

/// Summaries of one dataset or of all but Tidemark's own, by name. Whoever calls has authorised.
pub async fn summaries(state: &ApiState, only: Option<&Dataset>) -> Result<Vec<DatasetSummary>> {
    // What is committed is read first: whatever is added in between shows as in flight and never as lost.
    let stored: HashMap<u32, StoredCounts> =
        state.lake.counts().await?.into_iter().map(|counts| (counts.dataset_id, counts)).collect();
    let received = state.stream.counts();
    let semantics = state.semantics.stored_at().await?;
    let wanted = state.lake.datasets().into_iter().filter(|dataset| match only {
        Some(only) => only.id == dataset.id,
        None => !is_own(&dataset.name),
    });
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
                semantics: semantics.get(&dataset.name).copied(),
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
