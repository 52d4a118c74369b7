//! `/metrics`: what the pipeline, the stream, the state and upkeep measure of themselves, for Prometheus.
//!
//! Names are in the README. Durations are in seconds, sizes in bytes; what ends in `_total` only grows, since the process
//! began unless its help says otherwise.

use std::sync::atomic::Ordering;

use adapters::SystemClock;
use axum::{
    extract::State,
    http::{HeaderMap, header::CONTENT_TYPE},
    response::IntoResponse,
};
use engine::{
    meters::{Doing, Meters, STAGES},
    ports::{Clock, StateStore},
};

use super::{
    ApiState,
    access::Action,
    datasets::summaries,
    exposition::{Exposition, Kind},
};
use crate::error::{Error, ErrorKind, Result};

/// `GET /metrics`: Prometheus text exposition, version 0.0.4.
pub async fn metrics(State(state): State<ApiState>, headers: HeaderMap) -> Result<impl IntoResponse> {
    state.access.authorise(&headers, Action::Read)?;
    let mut text = Exposition::default();
    write_now(&mut text, &state);
    write_datasets(&mut text, &state).await?;
    write_lag_and_state(&mut text, &state).await?;
    write_epochs(&mut text, &state.progress.meters);
    write_slots(&mut text, &state);
    write_rescales(&mut text, &state);
    write_faults(&mut text, &state);
    write_savepoints(&mut text, &state);
    write_upkeep(&mut text, &state);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.finish()))
}

fn write_now(text: &mut Exposition, state: &ApiState) {
    let mut gauge = |name: &str, help: &str, value: f64| text.single(name, Kind::Gauge, help, value);
    let epoch = state.lake.head().map_or(0, |head| head.epoch);
    gauge("tidemark_epoch", "Last committed epoch.", epoch as f64);
    let flag = |set: bool| f64::from(u8::from(set));
    let (running, failed) = (&state.progress.running, &state.progress.failed);
    gauge("tidemark_pipeline_running", "1 while epochs are being closed.", flag(running.load(Ordering::Relaxed)));
    gauge("tidemark_pipeline_failed", "1 once the pipeline had to give up.", flag(failed.load(Ordering::Relaxed)));
    if let Some(sample) = state.live.samples().last() {
        gauge("tidemark_records_per_second", "Records committed in the last second.", sample.records_per_second);
        gauge("tidemark_epoch_duration_seconds", "Duration of the last epoch.", sample.epoch_duration_ms / 1_000.0);
    }
}

async fn write_datasets(text: &mut Exposition, state: &ApiState) -> Result<()> {
    let help = "Records by dataset and fate, in the life of the lake.";
    let mut records = text.family("tidemark_records_total", Kind::Counter, help);
    for summary in summaries(state, None).await? {
        let counts = summary.counts;
        for (fate, value) in [
            ("received", counts.received),
            ("committed", counts.committed),
            ("unchanged", counts.unchanged),
            ("quarantined", counts.quarantined),
        ] {
            records.sample(&[("dataset", &summary.name), ("fate", &fate)], value as f64);
        }
    }
    let mut files = text.family("tidemark_dataset_files", Kind::Gauge, "Data files by dataset.");
    let snapshot = state.lake.snapshot(None).await?;
    for dataset in snapshot.datasets() {
        let count = snapshot.table_for_writer(&dataset.name, dataset.version)?.file_count().await?;
        files.sample(&[("dataset", &dataset.name)], count.files as f64);
    }
    Ok(())
}

async fn write_lag_and_state(text: &mut Exposition, state: &ApiState) -> Result<()> {
    let position = state.lake.head().map_or(0, |head| head.position);
    let (stream, timelines) = (state.stream.clone(), state.state.clone());
    let measured = tokio::task::spawn_blocking(move || -> engine::Result<_> {
        Ok((stream.lag_after(position)?, timelines.size_bytes(), timelines.key_group_bytes()?))
    });
    let measured = measured.await.map_err(|e| Error::new(ErrorKind::Internal, "the lag was not counted").because(e))?;
    let (lag, state_bytes, key_group_bytes) = measured?;
    let mut gauge = |name: &str, help: &str, value: f64| text.single(name, Kind::Gauge, help, value);
    gauge("tidemark_lag_records", "Records acknowledged and not yet committed.", lag.records as f64);
    gauge("tidemark_lag_bytes", "Their bytes.", lag.bytes as f64);
    let waited = lag.since.map_or(0, |since| SystemClock.now().micros() - since.micros());
    gauge("tidemark_lag_seconds", "For how long the oldest of them has waited.", waited.max(0) as f64 / 1e6);
    gauge("tidemark_state_bytes", "Bytes of timeline state, in files and in write buffers.", state_bytes as f64);
    let evicted = state.progress.evicted_segments.load(Ordering::Relaxed);
    let help = "Segments of timelines that went from the state since the start, because they ended long ago.";
    text.single("tidemark_state_evicted_segments_total", Kind::Counter, help, evicted as f64);
    let help = "Records acknowledged and not yet committed, by partition of the stream.";
    let mut partitions = text.family("tidemark_partition_lag_records", Kind::Gauge, help);
    for (partition, records) in lag.by_partition.iter().enumerate() {
        partitions.sample(&[("partition", &partition)], *records as f64);
    }
    let help = "Bytes of timeline state in files, by key group, as its indexes estimate them.";
    let mut groups = text.family("tidemark_key_group_state_bytes", Kind::Gauge, help);
    for (key_group, bytes) in key_group_bytes.iter().enumerate() {
        groups.sample(&[("key_group", &key_group)], *bytes as f64);
    }
    Ok(())
}

fn write_epochs(text: &mut Exposition, meters: &Meters) {
    let help = "What the pipeline's one thread spent its time on: waiting, or a stage.";
    let mut doing = text.family("tidemark_pipeline_seconds_total", Kind::Counter, help);
    for of in Doing::ALL {
        doing.sample(&[("doing", &of.word())], meters.spent_micros(of) as f64 / 1e6);
    }
    let help = "Duration of epochs, from their close until their state is written.";
    text.family("tidemark_epoch_seconds", Kind::Histogram, help).histogram(&[], &meters.epochs.read());
    let help = "Duration of the stages of epochs. Slots work side by side in apply and state.";
    let mut stages = text.family("tidemark_epoch_stage_seconds", Kind::Histogram, help);
    for (stage, seen) in STAGES.iter().zip(&meters.stages) {
        stages.histogram(&[("stage", &stage.word())], &seen.read());
    }
    let help = "Duration of checkpoints, which make the state durable.";
    text.family("tidemark_checkpoint_seconds", Kind::Histogram, help).histogram(&[], &meters.checkpoints.read());
}

fn write_slots(text: &mut Exposition, state: &ApiState) {
    let scaling = state.rescales.scaling().status();
    text.single("tidemark_slots", Kind::Gauge, "Parallel workers.", f64::from(scaling.slots));
    let help = "Parallel workers once the rescale under way is done.";
    text.single("tidemark_slots_wanted", Kind::Gauge, help, f64::from(scaling.wanted));
    let slots = state.progress.meters.slots();
    let mut records = text.family("tidemark_slot_records_total", Kind::Counter, "Records taken in, by slot.");
    for (slot, work) in slots.iter().enumerate() {
        records.sample(&[("slot", &slot)], work.records as f64);
    }
    let mut rows = text.family("tidemark_slot_rows_total", Kind::Counter, "Rows appended, by slot.");
    for (slot, work) in slots.iter().enumerate() {
        rows.sample(&[("slot", &slot)], work.rows as f64);
    }
    let help = "What slots spent their time on in the stage apply: the state, files, or waiting for the slowest slot.";
    let mut seconds = text.family("tidemark_slot_seconds_total", Kind::Counter, help);
    for (slot, work) in slots.iter().enumerate() {
        for (doing, micros) in
            [("apply", work.apply_micros), ("stage", work.stage_micros), ("wait_for_slots", work.wait_micros)]
        {
            seconds.sample(&[("slot", &slot), ("doing", &doing)], micros as f64 / 1e6);
        }
    }
}

fn write_rescales(text: &mut Exposition, state: &ApiState) {
    let tally = state.rescales.tally();
    let mut rescales = text.family("tidemark_rescales_total", Kind::Counter, "Rescales by outcome.");
    for (outcome, count) in tally.by_outcome {
        rescales.sample(&[("outcome", &outcome.word())], count as f64);
    }
    let help = "Pauses of rescales: for so long no record was processed because of one.";
    text.family("tidemark_rescale_pause_seconds", Kind::Histogram, help).histogram(&[], &tally.pauses);
    let expected = state.rescales.scaling().status().expectation.pause_micros as f64 / 1e6;
    let help = "Pause to be expected of a rescale that is asked for now.";
    text.single("tidemark_rescale_expected_pause_seconds", Kind::Gauge, help, expected);
}

/// What went wrong.
fn write_faults(text: &mut Exposition, state: &ApiState) {
    let mut counter = |name: &str, help: &str, value: u64| text.single(name, Kind::Counter, help, value as f64);
    let progress = &state.progress;
    let help = "Writes of records that failed; none of these was acknowledged.";
    counter("tidemark_stream_write_failures_total", help, state.stream.write_failures());
    let help = "Attempts to commit that failed and were begun anew.";
    counter("tidemark_epoch_failures_total", help, progress.failures.load(Ordering::Relaxed));
    let help = "Epochs that took very long, as on a slow disk.";
    counter("tidemark_slow_epochs_total", help, progress.slow_epochs.load(Ordering::Relaxed));
    let help = "How far the machine's clock was behind the system time at the last epoch.";
    let behind = progress.clock_behind_micros.load(Ordering::Relaxed) as f64 / 1e6;
    text.single("tidemark_clock_behind_seconds", Kind::Gauge, help, behind);
}

/// What there is against it.
fn write_savepoints(text: &mut Exposition, state: &ApiState) {
    let help = "Savepoints that could not be taken.";
    text.single("tidemark_savepoint_failures_total", Kind::Counter, help, state.savepoints.failures() as f64);
    let known = state.savepoints.known();
    let restorable = known.iter().filter(|savepoint| savepoint.restorable == Some(true));
    let newest = restorable.clone().map(|savepoint| savepoint.taken.micros()).max().unwrap_or(0);
    let help = "Savepoints that can be restored.";
    text.single("tidemark_savepoints_restorable", Kind::Gauge, help, restorable.count() as f64);
    let help = "When the newest of them was taken; 0 where there is none.";
    text.single("tidemark_savepoint_newest_timestamp_seconds", Kind::Gauge, help, newest as f64 / 1e6);
}

fn write_upkeep(text: &mut Exposition, state: &ApiState) {
    let tallies = state.upkeep.tallies();
    let outcome = |done: bool| if done { "done" } else { "failed" };
    let mut runs = text.family(
        "tidemark_upkeep_runs_total",
        Kind::Counter,
        "Runs of upkeep since the start, by kind and outcome.",
    );
    for ((kind, done), tally) in &tallies {
        runs.sample(&[("kind", kind), ("outcome", &outcome(*done))], tally.runs as f64);
    }
    let help = "Duration of the last such run.";
    let mut last = text.family("tidemark_upkeep_last_duration_seconds", Kind::Gauge, help);
    for ((kind, done), tally) in &tallies {
        last.sample(&[("kind", kind), ("outcome", &outcome(*done))], tally.last_duration_seconds);
    }
}
