//! The running pipeline: samples, epochs, quarantine.

use crate::format::time::{self, SECOND_MICROS};

/// How far back the live charts look.
pub const WINDOW_MICROS: i64 = 5 * 60 * SECOND_MICROS;

/// `at`, `records_per_second`, `lag_records`, `epoch_duration_ms`, `state_bytes`, `epoch`, `slots` of the five minutes up to a moment.
pub fn samples(until_micros: i64) -> String {
    samples_of(until_micros, WINDOW_MICROS)
}

/// The same of a window of another length.
pub fn samples_of(until_micros: i64, window_micros: i64) -> String {
    let from = time::iso((until_micros - window_micros).div_euclid(SECOND_MICROS) * SECOND_MICROS);
    format!(
        "SELECT \"at\", records_per_second, lag_records, epoch_duration_ms, state_bytes, \"epoch\", slots \
         FROM system.pipeline_samples WHERE \"at\" >= TIMESTAMP '{from}' ORDER BY \"at\""
    )
}

/// `epoch`, `system_time`, `records`, `rows`, `duration_ms`, newest first.
pub fn epochs() -> String {
    "SELECT \"epoch\", system_time, records, \"rows\", duration_ms FROM system.epochs ORDER BY \"epoch\" DESC LIMIT 20"
        .to_owned()
}

/// `at`, `dataset`, `position`, `reason`, `raw`, `total`, newest first.
pub fn quarantine() -> String {
    "SELECT \"at\", dataset, \"position\", reason, raw, COUNT(*) OVER () AS total FROM system.quarantine \
     ORDER BY \"at\" DESC LIMIT 50"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_look_back_five_minutes_from_a_whole_second() {
        assert!(samples(1_774_980_000_700_000).contains("\"at\" >= TIMESTAMP '2026-03-31T17:55:00Z'"));
    }
}
