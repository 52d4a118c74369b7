//! What the page says, as sentences. Pure.

use model::{KEY_GROUPS, RescaleOutcome, RescalePhase, RescaleRecord, rescale::key_groups_moved};

use crate::{
    format::number,
    queries::scaling::{Basis, PipelineStatus},
};

/// Slots and their noun.
pub(super) fn slots(count: u16) -> String {
    let noun = if count == 1 { "slot" } else { "slots" };
    format!("{} {noun}", number::count_text(count.into()))
}

/// What the machine has for them.
pub(super) fn processors(status: &PipelineStatus) -> String {
    let noun = if status.processors == 1 { "processor" } else { "processors" };
    format!("on {} {noun}", number::count_text(status.processors.into()))
}

/// The number that was typed, or why it is none. `None` while nothing is typed.
pub(super) fn wanted(typed: &str, most: u16) -> Option<Result<u16, String>> {
    let typed = typed.trim();
    if typed.is_empty() {
        return None;
    }
    let number = typed.parse::<u16>().ok().filter(|slots| (1..=most).contains(slots));
    Some(number.ok_or_else(|| format!("Slots are a whole number from 1 to {most}.")))
}

/// The expected pause, and what it was learned from.
pub(super) fn pause(status: &PipelineStatus) -> (String, &'static str) {
    let basis = match status.expected.basis {
        Basis::EarlierPauses => "nine of ten earlier ones kept to it",
        Basis::StartOfPipeline => "from the same work at the start",
        Basis::Assumption => "assumed: nothing was measured yet",
    };
    (number::duration_text(status.expected.pause_micros as f64), basis)
}

/// When the pause would begin.
pub(super) fn wait(status: &PipelineStatus) -> String {
    match status.expected.wait_micros {
        0 => "at any moment, when the running epoch ends".to_owned(),
        micros => format!("in about {}, when the running epoch ends", number::duration_text(micros as f64)),
    }
}

/// What changes owner, and that nothing moves.
pub(super) fn moved(before: u16, after: u16) -> String {
    format!("{} of {KEY_GROUPS} change owner; no data moves", key_groups_moved(before, after))
}

/// What the number costs.
pub(super) fn cost(status: &PipelineStatus, wanted: u16) -> String {
    let processors = status.processors;
    if u32::from(wanted) <= processors {
        return format!(
            "{} of {processors} processors at work, and up to {} an epoch and dataset",
            wanted,
            files(wanted)
        );
    }
    format!("all {processors} processors, shared by {}; up to {} an epoch and dataset", slots(wanted), files(wanted))
}

fn files(count: u16) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// How a rescale stands, in one sentence that is also announced.
pub(super) fn state(record: &RescaleRecord) -> String {
    let change = format!("{} → {}", record.slots_before, slots(record.slots_after));
    match (record.outcome, record.phase) {
        (None, RescalePhase::Requested) => format!("{change}: requested, the running epoch is not committed yet"),
        (None, RescalePhase::Draining) => format!("{change}: the running epoch is brought to its end"),
        (None, RescalePhase::HandingOver | RescalePhase::Resumed) => format!("{change}: key groups are handed over"),
        (Some(RescaleOutcome::Done), _) => match record.pause_micros {
            Some(pause) => format!("{change}: done, with a pause of {}", number::duration_text(pause as f64)),
            None => format!("{change}: done"),
        },
        (Some(RescaleOutcome::AtRestart), _) => format!("{change}: done by a restart"),
        (Some(RescaleOutcome::Cancelled), _) => {
            format!("{change}: cancelled, there are {} as before", slots(record.slots_before))
        }
        (Some(RescaleOutcome::Failed), _) => {
            let why = record.error.as_deref().unwrap_or("the log says why");
            format!("{change}: failed, {why}")
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Instant, RescaleReason};

    use super::*;
    use crate::queries::scaling::Expected;

    fn status(processors: u32, wait_micros: u64) -> PipelineStatus {
        let expected = Expected { wait_micros, pause_micros: 1_120, basis: Basis::EarlierPauses };
        PipelineStatus { failed: false, slots: 2, slots_wanted: 2, slots_max: 128, processors, expected, rescale: None }
    }

    #[test]
    fn what_is_typed_is_a_number_of_slots_or_a_reason() {
        assert_eq!(wanted(" ", 128), None);
        assert_eq!(wanted(" 8 ", 128), Some(Ok(8)));
        for typed in ["0", "129", "-1", "2.5", "four", "99999999999"] {
            assert!(wanted(typed, 128).unwrap().unwrap_err().contains("1 to 128"), "{typed}");
        }
    }

    #[test]
    fn what_is_expected_is_said_in_sentences() {
        assert_eq!(pause(&status(4, 0)).0, "1.1\u{a0}ms");
        assert!(wait(&status(4, 0)).starts_with("at any moment"));
        assert!(wait(&status(4, 310_000)).starts_with("in about 310\u{a0}ms"));
        assert_eq!(moved(2, 4), "96 of 128 change owner; no data moves");
        assert!(cost(&status(4, 0), 3).starts_with("3 of 4 processors"));
        assert!(cost(&status(4, 0), 1).ends_with("up to 1 file an epoch and dataset"));
        assert!(cost(&status(4, 0), 9).starts_with("all 4 processors, shared by 9 slots"));
    }

    #[test]
    fn a_rescale_is_told_at_each_step() {
        let record = RescaleRecord {
            id: 1,
            reason: RescaleReason::Hand { text: String::new() },
            asked_by: "a test".to_owned(),
            requested: Instant(0),
            slots_before: 2,
            slots_after: 1,
            key_groups_moved: 64,
            expected_wait_micros: 1,
            expected_pause_micros: 1,
            phase: RescalePhase::Requested,
            waited_micros: None,
            pause_micros: Some(930),
            state_bytes: None,
            epoch: None,
            ended: None,
            outcome: None,
            error: None,
        };
        assert!(state(&record).starts_with("2 → 1 slot: requested"));
        let done = RescaleRecord { outcome: Some(RescaleOutcome::Done), ..record.clone() };
        assert_eq!(state(&done), "2 → 1 slot: done, with a pause of 930\u{a0}µs");
        let failed = RescaleRecord { outcome: Some(RescaleOutcome::Failed), error: Some("why".to_owned()), ..record };
        assert_eq!(state(&failed), "2 → 1 slot: failed, why");
    }
}
