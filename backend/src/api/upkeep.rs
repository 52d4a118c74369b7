//! `/api/v1/upkeep` and `/api/v1/datasets/{name}/upkeep`: what upkeep did, what it would do, and having it done.

use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::HeaderMap,
};
use lake::{Extent, UpkeepPlan, UpkeepRun, Verified};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ApiState, access::Action, events::whole};
use crate::{
    error::{Error, ErrorKind, Result},
    upkeep::Running,
};

const RUNS_GIVEN: u32 = 100;
/// Most runs given at once.
const RUNS_MAX: u32 = 1_000;

/// Parameters of a question about past runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    dataset: Option<String>,
    limit: Option<u32>,
}

/// Past runs, and the one that goes on.
#[derive(Debug, Serialize)]
pub struct Past {
    /// Of whatever dataset.
    running: Option<Running>,
    /// Latest first.
    runs: Vec<UpkeepRun>,
}

/// What would be done now; null where there is nothing to do.
#[derive(Debug, Serialize)]
pub struct Plans {
    /// By upkeep itself.
    maintain: Option<UpkeepPlan>,
    /// When told to compact.
    compact: Option<UpkeepPlan>,
    /// When told to archive.
    archive: Option<UpkeepPlan>,
}

/// What upkeep can be told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpkeepAction {
    /// Resolve all there is to resolve.
    Compact,
    /// Move all that is old enough to the archive.
    Archive,
    /// What is due.
    Maintain,
    /// Work the kept digests out again.
    Verify,
}

/// The body of a request for upkeep.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What to do.
    pub action: UpkeepAction,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// A kept digest, worked out again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checked {
    /// What was kept and what was found.
    #[serde(flatten)]
    pub digest: Verified,
    /// Whether they are the same.
    pub holds: bool,
}

/// `GET /api/v1/upkeep?dataset=…&limit=…`
pub async fn past(
    State(state): State<ApiState>,
    headers: HeaderMap,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<Past>> {
    state.access.authorise(&headers, Action::Read)?;
    let not_understood = || {
        let message = format!("the parameters are dataset=NAME and limit=N with N from 1 to {RUNS_MAX}");
        Error::new(ErrorKind::BadRequest, message)
    };
    let Query(Parameters { dataset, limit }) = parameters.map_err(|_| not_understood())?;
    let limit = limit.unwrap_or(RUNS_GIVEN);
    if !(1..=RUNS_MAX).contains(&limit) {
        return Err(not_understood());
    }
    if let Some(name) = &dataset {
        must_be_there(&state, name)?;
    }
    let runs = state.lake.upkeep_runs(dataset.as_deref(), limit).await?;
    Ok(Json(Past { running: state.upkeep.running(), runs }))
}

/// `GET /api/v1/datasets/{name}/upkeep`
pub async fn plan(State(state): State<ApiState>, Path(name): Path<String>, headers: HeaderMap) -> Result<Json<Plans>> {
    state.access.authorise(&headers, Action::Read)?;
    let maintain = state.lake.plan_upkeep(&name, Extent::Due).await?;
    let compact = state.lake.plan_upkeep(&name, Extent::All).await?;
    let archive = state.lake.plan_upkeep(&name, Extent::Archive).await?;
    Ok(Json(Plans { maintain, compact, archive }))
}

/// `POST /api/v1/datasets/{name}/upkeep`. Answers when it is done; what was begun goes on even where the asker leaves.
pub async fn carry_out(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    state.access.authorise(&headers, Action::Write)?;
    must_be_there(&state, &name)?;
    let body = whole(body).await?;
    let Order { action, dry_run } = serde_json::from_slice(&body).map_err(|e| {
        let kind = if e.is_data() { ErrorKind::Unprocessable } else { ErrorKind::BadRequest };
        let message =
            format!("the body is not {{\"action\": \"compact\", \"archive\", \"maintain\" or \"verify\"}}: {e}");
        Error::new(kind, message)
    })?;
    let extent = match action {
        UpkeepAction::Compact => Extent::All,
        UpkeepAction::Archive if !state.lake.has_archive() => {
            let message = "there is no archive; start the server with --archive and --archive-after-days";
            return Err(Error::new(ErrorKind::Unprocessable, message));
        }
        UpkeepAction::Archive => Extent::Archive,
        UpkeepAction::Maintain => Extent::Due,
        UpkeepAction::Verify if dry_run => {
            let message = "verifying changes nothing, so there is no dry run of it; leave dry_run out";
            return Err(Error::new(ErrorKind::Unprocessable, message));
        }
        UpkeepAction::Verify => {
            let digests = state.lake.verify_upkeep(&name).await?;
            let verified = digests.into_iter().map(|digest| Checked { holds: digest.holds(), digest });
            return Ok(Json(json!({ "verified": verified.collect::<Vec<_>>() })));
        }
    };
    if dry_run {
        let plan = state.lake.plan_upkeep(&name, extent).await?;
        return Ok(Json(json!({ "plan": plan })));
    }
    Ok(Json(json!({ "run": state.upkeep.run(&name, extent).await? })))
}

fn must_be_there(state: &ApiState, name: &str) -> Result<()> {
    let missing = || Error::new(ErrorKind::NotFound, format!("there is no dataset '{name}'"));
    state.lake.dataset(name).map(|_| ()).ok_or_else(missing)
}
