//! Tables about Tidemark itself, in the SQL schema `system`. They are of the moment, not bitemporal.

use std::sync::Arc;

use adapters::EmbeddedStream;
use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    error::ArrowError,
};
use lake::Lake;
use query::SystemTables;

use crate::live::Live;

/// Most quarantined records shown.
const QUARANTINE_SHOWN: usize = 1_000;
/// Most bytes shown of a quarantined record; the API gives all of them.
const RAW_SHOWN_BYTES: usize = 4_096;

const EPOCHS: &str = "epochs";
const SAMPLES: &str = "pipeline_samples";
const QUARANTINE: &str = "quarantine";

/// The tables and what they are read from.
pub struct Tables {
    /// Epochs and samples.
    pub live: Arc<Live>,
    /// The quarantine.
    pub stream: Arc<EmbeddedStream>,
    /// Names of datasets.
    pub lake: Lake,
}

impl SystemTables for Tables {
    fn names(&self) -> Vec<String> {
        [EPOCHS, SAMPLES, QUARANTINE].map(str::to_owned).to_vec()
    }

    fn table(&self, name: &str) -> Option<RecordBatch> {
        let table = match name {
            EPOCHS => self.epochs(),
            SAMPLES => self.samples(),
            QUARANTINE => self.quarantine(),
            _ => return None,
        };
        table.inspect_err(|error| tracing::error!(%error, table = name, "a system table cannot be made")).ok()
    }
}

impl Tables {
    fn epochs(&self) -> Result<RecordBatch, ArrowError> {
        let epochs = self.live.epochs();
        RecordBatch::try_from_iter([
            ("epoch", integers(epochs.iter().map(|e| e.epoch))),
            ("system_time", times(epochs.iter().map(|e| e.system_time.micros()))),
            ("records", integers(epochs.iter().map(|e| e.records))),
            ("rows", integers(epochs.iter().map(|e| e.rows))),
            ("duration_ms", doubles(epochs.iter().map(|e| e.duration_micros as f64 / 1_000.0))),
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

fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn times(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("+00:00"))
}
