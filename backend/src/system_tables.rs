//! Tables about Tidemark itself, in the SQL schema `system`. They are of the moment, not bitemporal, but for dashboards: these
//! are a dataset as soon as one is stored, and the empty table here stands for it until then.

use std::sync::Arc;

use adapters::EmbeddedStream;
use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    error::ArrowError,
};
use lake::{Dataset, DefinitionVersion, Lake};
use model::{
    EpochRecord, Instant, RescaleOutcome, RescaleReason, SnapshotToken, arrow_layout::version_schema,
    definition::is_own,
};
use query::SystemTables;

use crate::{
    dashboards::history::{self, TABLE},
    live::Live,
    rescales::Rescales,
    savepoints::Savepoints,
    upkeep::Upkeep,
};

/// Most quarantined records shown.
const QUARANTINE_SHOWN: usize = 1_000;
/// Most bytes shown of a quarantined record; the API gives all of them.
const RAW_SHOWN_BYTES: usize = 4_096;

const DEFINITIONS: &str = "definitions";
const EPOCHS: &str = "epochs";
const SAMPLES: &str = "pipeline_samples";
const QUARANTINE: &str = "quarantine";
const RESCALES: &str = "rescales";
const SAVEPOINTS: &str = "savepoints";
const UPKEEP: &str = "upkeep";

/// Rescales shown, the latest.
const RESCALES_SHOWN: usize = 1_000;

/// The tables and what they are read from.
pub struct Tables {
    /// Epochs and samples.
    pub live: Arc<Live>,
    /// The quarantine.
    pub stream: Arc<EmbeddedStream>,
    /// Names of datasets.
    pub lake: Lake,
    /// Past runs of upkeep.
    pub upkeep: Arc<Upkeep>,
    /// Rescales of the pipeline.
    pub rescales: Arc<Rescales>,
    /// Savepoints.
    pub savepoints: Arc<Savepoints>,
}

impl SystemTables for Tables {
    fn names(&self) -> Vec<String> {
        [TABLE, DEFINITIONS, EPOCHS, SAMPLES, QUARANTINE, RESCALES, SAVEPOINTS, UPKEEP].map(str::to_owned).to_vec()
    }

    fn table(&self, name: &str) -> Option<RecordBatch> {
        let table = match name {
            TABLE => no_dashboards(),
            DEFINITIONS => self.definitions(),
            EPOCHS => self.epochs(),
            SAMPLES => self.samples(),
            QUARANTINE => self.quarantine(),
            RESCALES => self.rescales(),
            SAVEPOINTS => self.savepoints(),
            UPKEEP => self.upkeep(),
            _ => return None,
        };
        table.inspect_err(|error| tracing::error!(%error, table = name, "a system table cannot be made")).ok()
    }
}

impl Tables {
    fn definitions(&self) -> Result<RecordBatch, ArrowError> {
        let mut datasets = self.lake.datasets();
        datasets.retain(|dataset| !is_own(&dataset.name));
        let versions_of = |dataset: &Arc<Dataset>| self.lake.definitions(&dataset.name).unwrap_or_default();
        let versions: Vec<(&str, DefinitionVersion)> = datasets
            .iter()
            .flat_map(|dataset| versions_of(dataset).iter().cloned().map(|of| (&*dataset.name, of)).collect::<Vec<_>>())
            .collect();
        let before = |version: &DefinitionVersion| version.snapshot_before(&self.lake).map(String::from);
        RecordBatch::try_from_iter([
            ("dataset", texts(versions.iter().map(|(name, _)| (*name).to_owned()))),
            ("version", integers(versions.iter().map(|(_, v)| u64::from(v.version)))),
            ("from_epoch", integers(versions.iter().map(|(_, v)| v.from_epoch))),
            ("system_time", optional_times(versions.iter().map(|(_, v)| v.system_time.map(Instant::micros)))),
            ("snapshot_before", optional_texts(versions.iter().map(|(_, v)| before(v)))),
            ("recorded_at", times(versions.iter().map(|(_, v)| v.recorded_at.micros()))),
            ("changes", texts(versions.iter().map(|(_, v)| json(&v.changes)))),
            ("definition", texts(versions.iter().map(|(_, v)| json(&v.definition)))),
        ])
    }

    fn epochs(&self) -> Result<RecordBatch, ArrowError> {
        let epochs = self.live.epochs();
        let lake = self.lake.id();
        let token = |e: &EpochRecord| SnapshotToken { lake, epoch: e.epoch, system_time: e.system_time }.to_string();
        RecordBatch::try_from_iter([
            ("epoch", integers(epochs.iter().map(|e| e.epoch))),
            ("system_time", times(epochs.iter().map(|e| e.system_time.micros()))),
            ("records", integers(epochs.iter().map(|e| e.records))),
            ("rows", integers(epochs.iter().map(|e| e.rows))),
            ("duration_ms", doubles(epochs.iter().map(|e| e.duration_micros as f64 / 1_000.0))),
            ("snapshot", texts(epochs.iter().map(token))),
        ])
    }

    fn samples(&self) -> Result<RecordBatch, ArrowError> {
        let samples = self.live.samples();
        RecordBatch::try_from_iter([
            ("at", times(samples.iter().map(|s| s.at.micros()))),
            ("records_per_second", doubles(samples.iter().map(|s| s.records_per_second))),
            ("lag_records", integers(samples.iter().map(|s| s.lag_records))),
            ("epoch_duration_ms", doubles(samples.iter().map(|s| s.epoch_duration_ms))),
            ("state_bytes", integers(samples.iter().map(|s| s.state_bytes))),
            ("epoch", integers(samples.iter().map(|s| s.epoch))),
            ("slots", integers(samples.iter().map(|s| u64::from(s.slots)))),
        ])
    }

    fn quarantine(&self) -> Result<RecordBatch, ArrowError> {
        let records = self.stream.quarantined(None, QUARANTINE_SHOWN).unwrap_or_default();
        let name = |id: u32| self.lake.dataset_by_id(id).map_or_else(|| id.to_string(), |dataset| dataset.name.clone());
        RecordBatch::try_from_iter([
            ("at", times(records.iter().map(|r| r.arrival.micros()))),
            ("dataset", texts(records.iter().map(|r| name(r.dataset_id)))),
            ("position", texts(records.iter().map(|r| format!("{}:{}", r.position, r.line)))),
            ("reason", texts(records.iter().map(|r| r.reason.clone()))),
            ("raw", texts(records.iter().map(|r| shown(&r.raw)))),
        ])
    }

    fn rescales(&self) -> Result<RecordBatch, ArrowError> {
        let records = self.rescales.records(RESCALES_SHOWN);
        let millis = |micros: u64| micros as f64 / 1_000.0;
        let outcome = |outcome: Option<RescaleOutcome>| outcome.map(|outcome| outcome.word().to_owned());
        RecordBatch::try_from_iter([
            ("id", integers(records.iter().map(|r| r.id))),
            ("requested", times(records.iter().map(|r| r.requested.micros()))),
            ("asked_by", texts(records.iter().map(|r| r.asked_by.clone()))),
            ("trigger", texts(records.iter().map(|r| trigger(&r.reason).to_owned()))),
            ("reason", texts(records.iter().map(|r| r.reason.to_string()))),
            ("slots_before", integers(records.iter().map(|r| r.slots_before.into()))),
            ("slots_after", integers(records.iter().map(|r| r.slots_after.into()))),
            ("key_groups_moved", integers(records.iter().map(|r| r.key_groups_moved.into()))),
            ("phase", texts(records.iter().map(|r| r.phase.word().to_owned()))),
            ("expected_pause_ms", doubles(records.iter().map(|r| millis(r.expected_pause_micros)))),
            ("pause_ms", optional_doubles(records.iter().map(|r| r.pause_micros.map(millis)))),
            ("expected_wait_ms", doubles(records.iter().map(|r| millis(r.expected_wait_micros)))),
            ("waited_ms", optional_doubles(records.iter().map(|r| r.waited_micros.map(millis)))),
            ("state_bytes", optional_integers(records.iter().map(|r| r.state_bytes))),
            ("epoch", optional_integers(records.iter().map(|r| r.epoch))),
            ("ended", optional_times(records.iter().map(|r| r.ended.map(Instant::micros)))),
            ("outcome", optional_texts(records.iter().map(|r| outcome(r.outcome)))),
            ("error", optional_texts(records.iter().map(|r| r.error.clone()))),
        ])
    }

    fn savepoints(&self) -> Result<RecordBatch, ArrowError> {
        let known = self.savepoints.known();
        let restorable: BooleanArray = known.iter().map(|s| s.restorable).collect();
        RecordBatch::try_from_iter([
            ("name", texts(known.iter().map(|s| s.name.clone()))),
            ("automatic", Arc::new(BooleanArray::from_iter(known.iter().map(|s| Some(s.automatic)))) as ArrayRef),
            ("taken", times(known.iter().map(|s| s.taken.micros()))),
            ("epoch", integers(known.iter().map(|s| s.epoch))),
            ("system_time", optional_times(known.iter().map(|s| s.system_time.map(Instant::micros)))),
            ("position", integers(known.iter().map(|s| s.position))),
            ("slots", integers(known.iter().map(|s| u64::from(s.slots)))),
            ("files", integers(known.iter().map(|s| s.files))),
            ("bytes", integers(known.iter().map(|s| s.bytes))),
            ("restorable", Arc::new(restorable)),
            ("reason", optional_texts(known.iter().map(|s| s.reason.clone()))),
            ("note", optional_texts(known.iter().map(|s| s.note.clone()))),
        ])
    }

    fn upkeep(&self) -> Result<RecordBatch, ArrowError> {
        let runs = self.upkeep.runs();
        RecordBatch::try_from_iter([
            ("started", times(runs.iter().map(|r| r.started.micros()))),
            ("dataset", texts(runs.iter().map(|r| r.dataset.clone()))),
            ("kind", texts(runs.iter().map(|r| r.kind.to_string()))),
            ("reason", texts(runs.iter().map(|r| r.reason.clone()))),
            ("error", optional_texts(runs.iter().map(|r| r.error.clone()))),
            ("duration_ms", doubles(runs.iter().map(|r| r.duration_micros as f64 / 1_000.0))),
            ("files_before", integers(runs.iter().map(|r| r.files_before))),
            ("files_after", integers(runs.iter().map(|r| r.files_after))),
            ("rows_before", integers(runs.iter().map(|r| r.rows_before))),
            ("rows_after", integers(runs.iter().map(|r| r.rows_after))),
            ("bytes_before", integers(runs.iter().map(|r| r.bytes_before))),
            ("bytes_after", integers(runs.iter().map(|r| r.bytes_after))),
            ("system_time", optional_times(runs.iter().map(|r| r.system_time.map(Instant::micros)))),
            ("digest", optional_texts(runs.iter().map(|r| r.digest.clone()))),
            ("run", texts(runs.iter().map(|r| r.run.clone()))),
        ])
    }
}

fn trigger(reason: &RescaleReason) -> &'static str {
    match reason {
        RescaleReason::Hand { .. } => "hand",
        RescaleReason::Calendar { .. } => "calendar",
        RescaleReason::Lag { .. } => "lag",
    }
}

/// The columns of the stored dashboards, without rows.
fn no_dashboards() -> Result<RecordBatch, ArrowError> {
    let definition = history::definition().map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
    Ok(RecordBatch::new_empty(version_schema(&definition)))
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn shown(raw: &[u8]) -> String {
    String::from_utf8_lossy(&raw[..raw.len().min(RAW_SHOWN_BYTES)]).into_owned()
}

fn integers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(|value| i64::try_from(value).unwrap_or(i64::MAX))))
}

fn doubles(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn optional_integers(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(values.map(|value| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX)))))
}

fn optional_doubles(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values))
}

fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn optional_texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn times(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("+00:00"))
}

fn optional_times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone("+00:00"))
}
