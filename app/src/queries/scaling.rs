//! The number of slots: how things stand, what load there was, and every rescale.

use model::RescaleRecord;
use serde::Deserialize;

use super::{client::fetch_json, pipeline};
use crate::format::time::SECOND_MICROS;

/// How far back the charts look: as far as samples are kept.
pub const WINDOW_MICROS: i64 = 15 * 60 * SECOND_MICROS;

/// The pipeline, as far as its slots are concerned.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PipelineStatus {
    /// Whether it had to give up.
    pub failed: bool,
    /// Slots now.
    pub slots: u16,
    /// Slots after the rescale that is under way; else the same.
    pub slots_wanted: u16,
    /// The largest number there can be.
    pub slots_max: u16,
    /// Processors of the server's machine.
    pub processors: u32,
    /// What to expect of a rescale.
    pub expected: Expected,
    /// The rescale that is under way.
    pub rescale: Option<RescaleRecord>,
}

/// What to expect of a rescale, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Expected {
    /// Until the running epoch has ended.
    pub wait_micros: u64,
    /// For so long nothing is processed.
    pub pause_micros: u64,
    /// Where that was learned.
    pub basis: Basis,
}

/// Where an expected pause was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// From earlier rescales.
    EarlierPauses,
    /// From the same work at the start.
    StartOfPipeline,
    /// Nowhere.
    Assumption,
}

/// How the pipeline stands. The error is a sentence for the user.
pub async fn status() -> Result<PipelineStatus, String> {
    fetch_json("/api/v1/pipeline").await
}

/// The rescale of that number as it is now, if it is among the last; the last of all where none is named.
pub async fn record(id: Option<u64>) -> Result<Option<RescaleRecord>, String> {
    #[derive(Deserialize)]
    struct History {
        rescales: Vec<RescaleRecord>,
    }
    let History { rescales } = fetch_json("/api/v1/pipeline/rescales?limit=20").await?;
    // They come newest first.
    Ok(rescales.into_iter().find(|record| id.is_none_or(|id| record.id == id)))
}

/// `at`, `records_per_second`, `lag_records`, `epoch_duration_ms`, `state_bytes`, `epoch`, `slots` of the last quarter of an
/// hour up to a moment.
pub fn samples(until_micros: i64) -> String {
    pipeline::samples_of(until_micros, WINDOW_MICROS)
}

/// The last rescales, newest first.
pub fn rescales() -> String {
    "SELECT id, requested, ended, slots_before, slots_after, reason, asked_by, expected_pause_ms, pause_ms, waited_ms, \
     state_bytes, \"epoch\", phase, outcome, error FROM system.rescales ORDER BY id DESC LIMIT 200"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_look_back_a_quarter_of_an_hour() {
        assert!(samples(1_774_980_000_700_000).contains("\"at\" >= TIMESTAMP '2026-03-31T17:45:00Z'"));
    }

    #[test]
    fn what_the_server_says_is_read() {
        let text = r#"{"running":true,"failed":false,"slots":2,"slots_wanted":8,"slots_max":128,"processors":4,
            "expected":{"wait_micros":5,"pause_micros":9,"basis":"start_of_pipeline"},"rescale":null,"epoch":3,
            "lag_records":0,"partitions":[],"key_groups":[],"state_bytes":1}"#;
        let status: PipelineStatus = serde_json::from_str(text).unwrap();
        assert_eq!((status.slots_wanted, status.expected.basis), (8, Basis::StartOfPipeline));
    }
}
