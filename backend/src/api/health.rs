//! `/healthz` and `/readyz`.

use std::sync::atomic::Ordering;

use adapters::Request;
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
    let unavailable = |message: String| Err(Error::new(ErrorKind::Unavailable, message));
    if state.stream.trouble().is_some() {
        // The last write failed; whether the next would is found out by one of nothing.
        if let Err(error) = state.stream.append(Request::default()).await {
            return unavailable(format!("records are refused: {error}"));
        }
    }
    let trouble = state.progress.trouble();
    if state.progress.failed.load(Ordering::Relaxed) {
        let why = trouble.unwrap_or_else(|| "the log says why".to_owned());
        return unavailable(format!("the pipeline has stopped, records are still taken in and kept: {why}"));
    }
    if let Some(why) = trouble {
        return unavailable(format!(
            "nothing is committed just now, records are taken in and kept; it is tried again: {why}"
        ));
    }
    if !state.progress.running.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Unavailable, "the pipeline is still catching up after the start"));
    }
    Ok("ready\n")
}
