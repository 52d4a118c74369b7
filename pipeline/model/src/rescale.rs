//! A rescale as it is told and kept: what was asked, what was expected of it, what was measured. How one is carried out
//! is the engine's part.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Instant, KEY_GROUPS};

/// Why the number of slots is to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trigger", rename_all = "snake_case")]
pub enum RescaleReason {
    /// Somebody asked for it.
    Hand {
        /// In their own words; may be empty.
        #[serde(default)]
        text: String,
    },
    /// The calendar said so.
    Calendar {
        /// Name of its entry.
        entry: String,
    },
    /// A policy saw the lag.
    Lag {
        /// Name of the policy.
        policy: String,
        /// Records acknowledged and not committed at that moment.
        lag_records: u64,
    },
}

impl fmt::Display for RescaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RescaleReason::Hand { text } if text.is_empty() => f.write_str("by hand"),
            RescaleReason::Hand { text } => f.write_str(text),
            RescaleReason::Calendar { entry } => write!(f, "calendar: {entry}"),
            RescaleReason::Lag { policy, lag_records } => write!(f, "policy {policy}: a lag of {lag_records} records"),
        }
    }
}

/// How far a rescale is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RescalePhase {
    /// Accepted; the pipeline has not come to it yet. It can still be cancelled.
    Requested,
    /// The running epoch is committed and brings its state to an end.
    Draining,
    /// No epoch runs: key groups change owners.
    HandingOver,
    /// The pipeline goes on with the new number of slots.
    Resumed,
}

/// How a rescale ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RescaleOutcome {
    /// While the pipeline ran.
    Done,
    /// The process ended before the pipeline came to it; the next one began with the new number of slots.
    AtRestart,
    /// Whoever asked changed their mind.
    Cancelled,
    /// The pipeline stopped before; the number of slots is as it was.
    Failed,
}

impl RescalePhase {
    /// As it is written in JSON and SQL.
    pub fn word(self) -> &'static str {
        match self {
            RescalePhase::Requested => "requested",
            RescalePhase::Draining => "draining",
            RescalePhase::HandingOver => "handing_over",
            RescalePhase::Resumed => "resumed",
        }
    }
}

impl RescaleOutcome {
    /// As it is written in JSON and SQL.
    pub fn word(self) -> &'static str {
        match self {
            RescaleOutcome::Done => "done",
            RescaleOutcome::AtRestart => "at_restart",
            RescaleOutcome::Cancelled => "cancelled",
            RescaleOutcome::Failed => "failed",
        }
    }
}

/// A change of the number of slots, from its request to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescaleRecord {
    /// Counts up from 1 in the life of a lake.
    pub id: u64,
    /// Why.
    pub reason: RescaleReason,
    /// Who asked, as they named themselves.
    pub asked_by: String,
    /// When, by this machine's clock.
    pub requested: Instant,
    /// Slots at that moment.
    pub slots_before: u16,
    /// Slots wanted.
    pub slots_after: u16,
    /// Key groups that belong to another slot afterwards, of 128.
    pub key_groups_moved: u16,
    /// Expected from the request until the running epoch has ended. Records are processed meanwhile.
    pub expected_wait_micros: u64,
    /// Expected pause.
    pub expected_pause_micros: u64,
    /// How far it is.
    pub phase: RescalePhase,
    /// Measured from the request until the running epoch had ended.
    pub waited_micros: Option<u64>,
    /// The measured pause: for so long no record was processed because of the rescale.
    pub pause_micros: Option<u64>,
    /// Bytes of timeline state when key groups changed owners.
    pub state_bytes: Option<u64>,
    /// Last epoch under the former slots.
    pub epoch: Option<u64>,
    /// When it ended, by this machine's clock.
    pub ended: Option<Instant>,
    /// How it ended; none while it is under way.
    pub outcome: Option<RescaleOutcome>,
    /// What went wrong, where it failed.
    pub error: Option<String>,
}

impl RescaleRecord {
    /// Whether it has not ended.
    pub fn is_under_way(&self) -> bool {
        self.outcome.is_none()
    }

    /// The number of slots that is wanted once this is so.
    pub fn wanted_slots(&self) -> u16 {
        match self.outcome {
            None | Some(RescaleOutcome::Done | RescaleOutcome::AtRestart) => self.slots_after,
            Some(RescaleOutcome::Cancelled | RescaleOutcome::Failed) => self.slots_before,
        }
    }
}

/// The number of slots as it is kept beside the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptSlots {
    /// What the configuration said when the number was last wanted.
    pub configured: u16,
    /// The number.
    pub wanted: u16,
}

/// The slot that owns a key group; each owns neighbours, and their numbers differ by one at most.
pub fn slot_of_group(key_group: u16, slots: u16) -> u16 {
    let (group, groups, slots) = (u32::from(key_group), u32::from(KEY_GROUPS), u32::from(slots.max(1)));
    // The last slot whose first group, ⌊slot · groups / slots⌋, is not behind this one.
    (((group + 1) * slots - 1) / groups) as u16
}

/// How many key groups change owner from one number of slots to another.
pub fn key_groups_moved(before: u16, after: u16) -> u16 {
    (0..KEY_GROUPS).filter(|&group| slot_of_group(group, before) != slot_of_group(group, after)).count() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_owns_neighbours_and_as_many_as_any_other() {
        for slots in 1..=KEY_GROUPS {
            let owners: Vec<u16> = (0..KEY_GROUPS).map(|group| slot_of_group(group, slots)).collect();
            assert!(owners.is_sorted(), "{slots} slots: {owners:?}");
            let owned = |slot: u16| owners.iter().filter(|&&owner| owner == slot).count();
            let counts: Vec<usize> = (0..slots).map(owned).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(*least >= 1 && most - least <= 1, "{slots} slots own {counts:?}");
            assert_eq!(counts.iter().sum::<usize>(), usize::from(KEY_GROUPS));
        }
    }

    #[test]
    fn what_moves_is_what_changes_owner() {
        assert_eq!(key_groups_moved(3, 3), 0);
        assert_eq!(key_groups_moved(1, 2), 64);
        assert_eq!(key_groups_moved(2, 1), 64);
        assert_eq!(key_groups_moved(1, KEY_GROUPS), 127);
        // The first half of slot 0's stays with it; slots 1, 2 and 3 get what was another's.
        assert_eq!(key_groups_moved(2, 4), 96);
    }

    #[test]
    fn words_are_those_of_the_json() {
        for phase in [RescalePhase::Requested, RescalePhase::Draining, RescalePhase::HandingOver, RescalePhase::Resumed]
        {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.word());
        }
        for outcome in
            [RescaleOutcome::Done, RescaleOutcome::AtRestart, RescaleOutcome::Cancelled, RescaleOutcome::Failed]
        {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.word());
        }
    }

    #[test]
    fn reasons_read_as_sentences_and_travel_with_their_trigger() {
        let hand = |text: &str| RescaleReason::Hand { text: text.to_owned() };
        assert_eq!(hand("").to_string(), "by hand");
        assert_eq!(hand("market close").to_string(), "market close");
        let lag = RescaleReason::Lag { policy: "close".to_owned(), lag_records: 70_000 };
        assert_eq!(lag.to_string(), "policy close: a lag of 70000 records");
        let text = serde_json::to_string(&lag).unwrap();
        assert_eq!(text, r#"{"trigger":"lag","policy":"close","lag_records":70000}"#);
        assert_eq!(serde_json::from_str::<RescaleReason>(&text).unwrap(), lag);
        assert_eq!(serde_json::from_str::<RescaleReason>(r#"{"trigger":"hand"}"#).unwrap(), hand(""));
    }
}
