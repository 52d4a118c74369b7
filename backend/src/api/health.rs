//! `/healthz`, `/readyz`, `/metrics`.

use std::{fmt::Write as _, sync::atomic::Ordering};

use axum::{
    extract::State,
    http::{HeaderMap, header::CONTENT_TYPE},
    response::IntoResponse,
};

use super::{ApiState, access::Action, datasets::summaries};
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

/// `GET /metrics`: Prometheus text exposition, version 0.0.4.
pub async fn metrics(State(state): State<ApiState>, headers: HeaderMap) -> Result<impl IntoResponse> {
    state.access.authorise(&headers, Action::Read)?;
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: f64| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    };
    let epoch = state.lake.head().map_or(0, |head| head.epoch);
    gauge("tidemark_epoch", "Last committed epoch.", epoch as f64);
    let running = state.progress.running.load(Ordering::Relaxed);
    gauge("tidemark_pipeline_running", "1 while epochs are being closed.", f64::from(u8::from(running)));
    let evicted = state.progress.evicted_segments.load(Ordering::Relaxed);
    let help = "Segments of timelines that went from the state since the start, because they ended long ago.";
    gauge("tidemark_state_evicted_segments", help, evicted as f64);
    if let Some(sample) = state.live.samples().last() {
        gauge("tidemark_records_per_second", "Records committed in the last second.", sample.records_per_second);
        gauge("tidemark_lag_records", "Records acknowledged and not yet committed.", sample.lag_records as f64);
        gauge("tidemark_epoch_duration_seconds", "Duration of the last epoch.", sample.epoch_duration_ms / 1_000.0);
        gauge("tidemark_state_bytes", "Bytes of timeline state.", sample.state_bytes as f64);
        gauge("tidemark_slots", "Parallel workers.", f64::from(sample.slots));
    }
    let _ = writeln!(
        text,
        "# HELP tidemark_records_total Records by dataset and fate.\n# TYPE tidemark_records_total counter"
    );
    for summary in summaries(&state, None).await? {
        let counts = summary.counts;
        for (fate, value) in [
            ("received", counts.received),
            ("committed", counts.committed),
            ("unchanged", counts.unchanged),
            ("quarantined", counts.quarantined),
        ] {
            let _ = writeln!(text, "tidemark_records_total{{dataset=\"{}\",fate=\"{fate}\"}} {value}", summary.name);
        }
    }
    write_upkeep(&mut text, &state).await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

async fn write_upkeep(text: &mut String, state: &ApiState) -> Result<()> {
    let head = |name: &str, help: &str, kind: &str| format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    let mut runs =
        head("tidemark_upkeep_runs_total", "Runs of upkeep since the start, by kind and outcome.", "counter");
    let mut last = head("tidemark_upkeep_last_duration_seconds", "Duration of the last such run.", "gauge");
    for ((kind, done), tally) in state.upkeep.tallies() {
        let labels = format!("{{kind=\"{kind}\",outcome=\"{}\"}}", if done { "done" } else { "failed" });
        let _ = writeln!(runs, "tidemark_upkeep_runs_total{labels} {}", tally.runs);
        let _ = writeln!(last, "tidemark_upkeep_last_duration_seconds{labels} {}", tally.last_duration_seconds);
    }
    let mut files = head("tidemark_dataset_files", "Data files by dataset.", "gauge");
    let snapshot = state.lake.snapshot(None).await?;
    for dataset in snapshot.datasets() {
        let count = snapshot.table_for_writer(&dataset.name, dataset.version)?.file_count().await?;
        let _ = writeln!(files, "tidemark_dataset_files{{dataset=\"{}\"}} {}", dataset.name, count.files);
    }
    [runs, last, files].iter().for_each(|part| text.push_str(part));
    Ok(())
}
