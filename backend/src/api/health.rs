//! `/healthz` and `/readyz`.

use std::sync::atomic::Ordering;

use axum::{extract::State, http::HeaderMap};

use super::{ApiState, access::Action};
use crate::error::{Error, ErrorKind, Result};

/// `GET /healthz`: the process answers.
pub async fn alive(State(state): State<ApiState>, headers: HeaderMap) -> Result<&'static str> {
    state.access.authorise(&headers, Action::Read)?;
    Ok("alive\n")
}

/// `GET /readyz`: the pipeline has recovered and closes epochs.
pub async fn ready(State(state): State<ApiState>, headers: HeaderMap) -> Result<&'static str> {
    state.access.authorise(&headers, Action::Read)?;
    if state.progress.failed.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Unavailable, "the pipeline has stopped; the log says why"));
    }
    if !state.progress.running.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Unavailable, "the pipeline is still catching up after the start"));
    }
    Ok("ready\n")
}
