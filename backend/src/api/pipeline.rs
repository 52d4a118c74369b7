//! `/api/v1/pipeline`: how the pipeline stands, its slots, and changing their number.

use std::{sync::atomic::Ordering, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use engine::{
    epoch::groups_of_slot,
    ports::StateStore,
    rescale::{Expectation, RescalePlan, RescaleRequest},
};
use model::{KEY_GROUPS, RescaleReason, RescaleRecord};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{ApiState, access::Action, events::whole};
use crate::{
    error::{Error, ErrorKind, Result},
    rescales::refused,
};

/// Rescales given where the question names no number.
const RESCALES_GIVEN: usize = 100;
/// Most rescales given at once.
const RESCALES_MAX: usize = 1_000;
/// Longest time to wait for a rescale to end.
const WAIT_SECS_MAX: u64 = 300;
/// Who asks where the request does not say.
const SOMEBODY: &str = "api";

/// How the pipeline stands.
#[derive(Debug, Serialize)]
pub struct PipelineStatus {
    /// Whether it closes epochs.
    running: bool,
    /// Whether it had to give up; the log says why.
    failed: bool,
    /// Slots now.
    slots: u16,
    /// Slots after the rescale that is under way; else the same.
    slots_wanted: u16,
    /// The largest number there can be: that of the key groups.
    slots_max: u16,
    /// Processors of this machine. More slots than that share them.
    processors: usize,
    /// What to expect of a rescale that is asked for now.
    expected: Expectation,
    /// The rescale that is under way.
    rescale: Option<RescaleRecord>,
    /// The last committed epoch.
    epoch: u64,
    /// Records acknowledged and not committed yet.
    lag_records: u64,
    /// The same by partition of the stream.
    partitions: Vec<PartitionLag>,
    /// Which key groups each slot owns.
    key_groups: Vec<SlotGroups>,
    /// Bytes of timeline state.
    state_bytes: u64,
}

/// What lags of a partition.
#[derive(Debug, Serialize)]
pub struct PartitionLag {
    /// Its number.
    partition: usize,
    /// Records acknowledged and not committed yet.
    lag_records: u64,
}

/// What a slot owns.
#[derive(Debug, Serialize)]
pub struct SlotGroups {
    /// Its number.
    slot: u16,
    /// Its first key group.
    first: u16,
    /// Its last.
    last: u16,
}

/// The body of a request for another number of slots.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// So many.
    pub slots: u16,
    /// Why, in somebody's own words.
    #[serde(default)]
    pub reason: String,
    /// Who asks, as they name themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// Only say what is to be expected.
    #[serde(default)]
    pub dry_run: bool,
}

/// What is to be expected, where nothing is done.
#[derive(Debug, Serialize, Deserialize)]
pub struct Planned {
    /// It.
    pub plan: RescalePlan,
}

/// Parameters of a request for another number of slots.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RescaleParameters {
    /// Answer when the rescale has ended, or after so many seconds.
    wait: Option<u64>,
}

/// Parameters of taking one back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelParameters {
    /// Only that one.
    id: Option<u64>,
}

/// Parameters of a question about past rescales.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryParameters {
    limit: Option<usize>,
}

/// Past rescales, and the one under way.
#[derive(Debug, Serialize, Deserialize)]
pub struct History {
    /// Latest first.
    pub rescales: Vec<RescaleRecord>,
}

/// `GET /api/v1/pipeline`
pub async fn show(State(state): State<ApiState>, headers: HeaderMap) -> Result<Json<PipelineStatus>> {
    state.access.authorise(&headers, Action::Read)?;
    let scaling = state.rescales.scaling().status();
    let head = state.lake.head();
    let position = head.as_ref().map_or(0, |head| head.position);
    let (stream, timelines) = (state.stream.clone(), state.state.clone());
    // Counting what lags reads from disk.
    let measured = tokio::task::spawn_blocking(move || -> engine::Result<_> {
        Ok((stream.lag_after(position)?, timelines.size_bytes()))
    });
    let measured = measured.await.map_err(|e| Error::new(ErrorKind::Internal, "the lag was not counted").because(e))?;
    let (lag, state_bytes) = measured?;
    let partitions = lag.by_partition.iter().enumerate();
    let slots = |slot: u16| {
        let groups = groups_of_slot(slot, scaling.slots);
        SlotGroups { slot, first: groups.start, last: groups.end - 1 }
    };
    Ok(Json(PipelineStatus {
        running: state.progress.running.load(Ordering::Relaxed),
        failed: state.progress.failed.load(Ordering::Relaxed),
        slots: scaling.slots,
        slots_wanted: scaling.wanted,
        slots_max: KEY_GROUPS,
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        expected: scaling.expectation,
        rescale: scaling.under_way,
        epoch: head.map_or(0, |head| head.epoch),
        lag_records: lag.records,
        partitions: partitions.map(|(partition, &lag_records)| PartitionLag { partition, lag_records }).collect(),
        key_groups: (0..scaling.slots).map(slots).collect(),
        state_bytes,
    }))
}

/// `POST /api/v1/pipeline/rescale?wait=…`: 202 with the record, or 200 once it has ended where that was waited for. A dry
/// run gives 200 and what is to be expected.
pub async fn rescale(
    State(state): State<ApiState>,
    headers: HeaderMap,
    parameters: Result<Query<RescaleParameters>, QueryRejection>,
    body: Body,
) -> Result<(StatusCode, Json<Value>)> {
    state.access.authorise(&headers, Action::Write)?;
    let wait = wait(parameters)?;
    let Order { slots, reason, asked_by, dry_run } = order(&whole(body).await?)?;
    if dry_run {
        let plan = state.rescales.scaling().plan(slots).map_err(refused)?;
        return Ok((StatusCode::OK, document(&Planned { plan })?));
    }
    let asked_by = asked_by.unwrap_or_else(|| SOMEBODY.to_owned());
    let reason = RescaleReason::Hand { text: reason.trim().to_owned() };
    let asked = state.rescales.request(RescaleRequest { slots, reason, asked_by }).await?;
    let record = match wait {
        Some(timeout) => state.rescales.ended(asked.id, timeout).await.unwrap_or(asked),
        None => asked,
    };
    let status = if record.is_under_way() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, document(&record)?))
}

/// `DELETE /api/v1/pipeline/rescale?id=…`: takes back what the pipeline has not come to yet.
pub async fn cancel(
    State(state): State<ApiState>,
    headers: HeaderMap,
    parameters: Result<Query<CancelParameters>, QueryRejection>,
) -> Result<Json<RescaleRecord>> {
    state.access.authorise(&headers, Action::Write)?;
    let CancelParameters { id } = understood(parameters, "the only parameter is id=N, the number of a rescale")?;
    Ok(Json(state.rescales.cancel(id).await?))
}

/// `GET /api/v1/pipeline/rescales?limit=…`
pub async fn history(
    State(state): State<ApiState>,
    headers: HeaderMap,
    parameters: Result<Query<HistoryParameters>, QueryRejection>,
) -> Result<Json<History>> {
    state.access.authorise(&headers, Action::Read)?;
    let about = format!("the only parameter is limit=N with N from 1 to {RESCALES_MAX}");
    let limit = understood(parameters, &about)?.limit.unwrap_or(RESCALES_GIVEN);
    if !(1..=RESCALES_MAX).contains(&limit) {
        return Err(Error::new(ErrorKind::BadRequest, about));
    }
    Ok(Json(History { rescales: state.rescales.records(limit) }))
}

fn wait(parameters: Result<Query<RescaleParameters>, QueryRejection>) -> Result<Option<Duration>> {
    let about = format!("the only parameter is wait=SECONDS, from 0 to {WAIT_SECS_MAX}");
    match understood(parameters, &about)?.wait {
        Some(seconds) if seconds > WAIT_SECS_MAX => Err(Error::new(ErrorKind::BadRequest, about)),
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

fn order(body: &[u8]) -> Result<Order> {
    serde_json::from_slice(body).map_err(|e| {
        let kind = if e.is_data() { ErrorKind::Unprocessable } else { ErrorKind::BadRequest };
        Error::new(kind, format!("the body is not {{\"slots\": 1 to {KEY_GROUPS}, \"reason\": \"…\"}}: {e}"))
    })
}

fn understood<T: DeserializeOwned>(parameters: Result<Query<T>, QueryRejection>, about: &str) -> Result<T> {
    parameters.map(|Query(parameters)| parameters).map_err(|_| Error::new(ErrorKind::BadRequest, about))
}

fn document(value: &impl Serialize) -> Result<Json<Value>> {
    let unwritable = |e| Error::new(ErrorKind::Internal, "the answer cannot be written").because(e);
    serde_json::to_value(value).map(Json).map_err(unwritable)
}
