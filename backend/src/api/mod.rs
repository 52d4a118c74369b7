//! The HTTP API: one file per resource. Every handler authorises first; errors are problem documents (RFC 9457).

use std::sync::Arc;

use adapters::{EmbeddedStream, RocksDbState};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{any, get, post, put},
};
use engine::Progress;
use lake::Lake;
use query::QueryEngine;

use crate::{
    backup::Backups, dashboards::Dashboards, ingest::Ingest, live::Live, rescales::Rescales, savepoints::Savepoints,
    semantics::SemanticLayer, upkeep::Upkeep,
};

pub mod access;
pub mod backups;
pub mod dashboards;
pub mod datasets;
mod encode;
mod events;
mod exposition;
mod health;
mod live;
mod metrics;
mod openapi;
mod pictures;
pub mod pipeline;
pub mod problem;
mod quarantine;
mod reduce;
pub mod savepoints;
mod semantics;
mod source;
pub mod sql;
mod sql_write;
pub mod upkeep;

pub use access::Access;

/// Most bytes of one request.
pub const REQUEST_BYTES_MAX: usize = 64 << 20;

/// What handlers work with.
#[derive(Clone)]
pub struct ApiState {
    /// Who may do what.
    pub access: Arc<Access>,
    /// The lake.
    pub lake: Lake,
    /// The stream.
    pub stream: Arc<EmbeddedStream>,
    /// The timeline state.
    pub state: Arc<RocksDbState>,
    /// Takes records in.
    pub ingest: Arc<Ingest>,
    /// Answers SQL.
    pub query: Arc<QueryEngine>,
    /// Held by the SQL statement that writes.
    pub sql_writes: Arc<tokio::sync::Mutex<()>>,
    /// What is live.
    pub live: Arc<Live>,
    /// How the pipeline fares.
    pub progress: Arc<Progress>,
    /// Changes the number of slots.
    pub rescales: Arc<Rescales>,
    /// What dashboards there are.
    pub dashboards: Arc<Dashboards>,
    /// What the figures of datasets mean.
    pub semantics: Arc<SemanticLayer>,
    /// Keeps the lake quick and small.
    pub upkeep: Arc<Upkeep>,
    /// Takes backups.
    pub backups: Arc<Backups>,
    /// Takes savepoints.
    pub savepoints: Arc<Savepoints>,
}

/// All routes of the API.
pub fn routes(state: ApiState) -> Router {
    Router::new()
        .route("/api/v1/datasets", get(datasets::list))
        .route("/api/v1/datasets/{name}", put(datasets::define).get(datasets::show).patch(datasets::change))
        .route("/api/v1/datasets/{name}/definitions", get(datasets::definitions))
        .route("/api/v1/datasets/{name}/semantics", get(semantics::show).put(semantics::put).delete(semantics::delete))
        .route("/api/v1/datasets/{name}/semantics/versions", get(semantics::versions))
        .route("/api/v1/semantics/schema.json", get(semantics::schema))
        .route("/api/v1/datasets/{name}/events", post(events::append))
        .route("/api/v1/datasets/{name}/seal", post(events::seal))
        .route("/api/v1/datasets/{name}/quarantine", get(quarantine::list))
        .route("/api/v1/datasets/{name}/source", get(source::show))
        .route("/api/v1/datasets/{name}/upkeep", get(upkeep::plan).post(upkeep::carry_out))
        .route("/api/v1/upkeep", get(upkeep::past))
        .route("/api/v1/backups", get(backups::list).post(backups::take))
        .route("/api/v1/savepoints", get(savepoints::list).post(savepoints::take))
        .route("/api/v1/savepoints/{name}", get(savepoints::show).delete(savepoints::delete))
        .route("/api/v1/dashboards", get(dashboards::list).post(dashboards::apply))
        .route("/api/v1/dashboards/schema.json", get(dashboards::schema))
        .route("/api/v1/dashboards/{name}", get(dashboards::show).put(dashboards::put).delete(dashboards::delete))
        .route("/api/v1/dashboards/{name}/page", get(dashboards::page))
        .route("/api/v1/dashboards/{name}/versions", get(dashboards::versions))
        .route("/api/v1/dashboards/{name}/diff", get(dashboards::diff))
        .route("/api/v1/dashboards/{name}/restore", post(dashboards::restore))
        .route("/api/v1/dashboards/{name}/duplicate", post(dashboards::duplicate))
        .route("/api/v1/dashboards/{name}/tiles/{file}", get(pictures::show))
        .route("/api/v1/dashboards/{name}/thumbnail.svg", get(pictures::thumbnail::svg))
        .route("/api/v1/dashboards/{name}/thumbnail.png", get(pictures::thumbnail::pixels))
        .route("/api/v1/markdown", post(dashboards::markdown))
        .route("/api/v1/transactions", post(events::transaction))
        .route("/api/v1/sql", post(sql::post).get(sql::get))
        .route("/api/v1/live", get(live::stream))
        .route("/api/v1/pipeline", get(pipeline::show))
        .route("/api/v1/pipeline/rescale", post(pipeline::rescale).delete(pipeline::cancel))
        .route("/api/v1/pipeline/rescales", get(pipeline::history))
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/api/{*rest}", any(problem::no_such_call))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(state)
}
