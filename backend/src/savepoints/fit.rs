//! Pure decisions about savepoints: whether one belongs to a lake and its stream, which have had their day, and when the
//! next is due.

use std::{fmt, time::Duration};

use engine::{
    ports::Retained,
    recovery::{StreamMismatch, check_stream},
};
use model::{EpochRecord, Instant};

use super::SavepointRecord;

/// An automatic savepoint that is due because of what has arrived is not taken sooner after the last than this.
const APART_AT_LEAST: Duration = Duration::from_secs(60);

/// What was found of a lake and its stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The lake, as in its snapshot tokens.
    pub lake: String,
    /// The last epoch it has committed.
    pub head: Option<EpochRecord>,
    /// What the stream holds.
    pub retained: Retained,
}

/// Why a savepoint cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// It is of another lake.
    OtherLake {
        /// Which.
        savepoint: String,
        /// The lake there is.
        lake: String,
    },
    /// The lake has not committed what the savepoint holds.
    AheadOfLake {
        /// The savepoint's epoch.
        savepoint: u64,
        /// The lake's.
        lake: u64,
    },
    /// The lake has an epoch of that number, which is another one.
    OtherHistory {
        /// Which.
        epoch: u64,
    },
    /// The stream has let go of what came after it.
    Released {
        /// Behind this position records are needed.
        needed_behind: u64,
        /// And behind this one there are some.
        released_up_to: u64,
    },
    /// The stream has lost what the lake has committed.
    StreamBehindLake,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::OtherLake { savepoint, lake } => {
                write!(f, "it is of lake {savepoint}, and this is lake {lake}; use a savepoint of this lake")
            }
            Misfit::AheadOfLake { savepoint, lake } => write!(
                f,
                "it is at epoch {savepoint}, and the lake at epoch {lake}, as after restoring an older backup; use an \
                 earlier savepoint"
            ),
            Misfit::OtherHistory { epoch } => write!(
                f,
                "epoch {epoch} of the lake is another than that of the savepoint, as after restoring an older backup; \
                 use a savepoint from before, or one taken since"
            ),
            Misfit::Released { needed_behind, released_up_to } => write!(
                f,
                "the stream has let go of what came after it (needed behind position {needed_behind}, released up to \
                 {released_up_to}); use a later savepoint, and delete this one; savepoint_stream_bytes says how much \
                 the stream holds for savepoints"
            ),
            Misfit::StreamBehindLake => {
                write!(f, "the stream is older than the lake; restore a backup, which has both")
            }
        }
    }
}

/// Whether a savepoint can be restored: it is of this lake, the lake has all it holds, and the stream what came after.
pub fn fits(record: &SavepointRecord, found: &Found) -> Result<(), Misfit> {
    if record.lake != found.lake {
        return Err(Misfit::OtherLake { savepoint: record.lake.clone(), lake: found.lake.clone() });
    }
    let (epoch, position) = found.head.as_ref().map_or((0, 0), |head| (head.epoch, head.position));
    if record.last_epoch > epoch {
        return Err(Misfit::AheadOfLake { savepoint: record.last_epoch, lake: epoch });
    }
    check_stream(found.retained, position, record.position).map_err(|mismatch| match mismatch {
        StreamMismatch::BehindLake => Misfit::StreamBehindLake,
        StreamMismatch::RecordsReleased => {
            Misfit::Released { needed_behind: record.position, released_up_to: found.retained.released_up_to }
        }
    })
}

/// Whether the lake's epochs are those the savepoint was taken at. `committed` gives the lake's epoch of a number.
pub fn same_history(record: &SavepointRecord, committed: impl Fn(u64) -> Option<EpochRecord>) -> Result<(), Misfit> {
    let same = |epoch: u64, system_time: Option<Instant>| {
        epoch == 0 || committed(epoch).map(|found| found.system_time) == system_time
    };
    for (epoch, system_time) in [(record.epoch, record.system_time), (record.last_epoch, record.last_system_time)] {
        if !same(epoch, system_time) {
            return Err(Misfit::OtherHistory { epoch });
        }
    }
    Ok(())
}

/// When automatic savepoints are taken, and how long they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Automatic {
    /// Time between two of them.
    pub interval: Duration,
    /// How many are kept, the newest.
    pub kept: usize,
    /// How long at most; the newest stays.
    pub kept_for: Option<Duration>,
    /// Bytes of records that the stream holds for savepoints.
    pub stream_bytes: u64,
}

/// Where the pipeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// By the machine's clock.
    pub time: Instant,
    /// When the server started.
    pub started: Instant,
    /// The last committed epoch.
    pub epoch: u64,
    /// Bytes ever appended to the stream.
    pub stream_bytes: u64,
}

/// Whether an automatic savepoint is to be taken now: after the interval, and sooner where the stream has taken in half of
/// what it holds for savepoints, so that there is one that can be restored unless more arrives than that in a minute or two.
/// Never where nothing was committed since the last that can be restored, by whomever that was taken.
pub fn due(last: Option<&SavepointRecord>, now: Now, automatic: &Automatic) -> bool {
    if now.epoch == 0 || last.is_some_and(|last| last.epoch >= now.epoch) {
        return false;
    }
    let since = last.map_or(now.started, |last| last.taken);
    let age = Duration::from_micros(u64::try_from(now.time.0.saturating_sub(since.0)).unwrap_or(0));
    let arrived = now.stream_bytes.saturating_sub(last.map_or(0, |last| last.stream_bytes));
    age >= automatic.interval || (age >= APART_AT_LEAST && arrived >= automatic.stream_bytes / 2)
}

/// Which automatic savepoints have had their day: those that cannot be restored any more, those of which there are enough
/// newer ones, and those that are too old, except the newest. Named ones stay until they are deleted, and those of another
/// lake are not ours to judge.
pub fn expired(
    records: &[SavepointRecord],
    lake: &str,
    now: Instant,
    automatic: &Automatic,
    restorable: impl Fn(&SavepointRecord) -> bool,
) -> Vec<String> {
    let ours = records.iter().filter(|record| record.automatic && record.lake == lake);
    let mut of_interest: Vec<&SavepointRecord> = ours.collect();
    of_interest.sort_by_key(|record| std::cmp::Reverse((record.taken, &record.name)));
    let (useful, useless): (Vec<_>, Vec<_>) = of_interest.into_iter().partition(|record| restorable(record));
    let age = |record: &SavepointRecord| u128::try_from(now.0.saturating_sub(record.taken.0)).unwrap_or(0);
    let old = |record: &SavepointRecord| automatic.kept_for.is_some_and(|most| age(record) > most.as_micros());
    let enough = useful.into_iter().enumerate().filter(|(newer, record)| {
        let kept = *newer < automatic.kept && (*newer == 0 || !old(record));
        !kept
    });
    useless.into_iter().chain(enough.map(|(_, record)| record)).map(|record| record.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::savepoints::record::tests::record;

    fn head(epoch: u64) -> EpochRecord {
        let system_time = Instant(epoch as i64);
        EpochRecord { epoch, system_time, position: epoch * 10, records: 1, rows: 1, duration_micros: 1 }
    }

    fn found(epoch: u64, released_up_to: u64) -> Found {
        let retained = Retained { released_up_to, last_position: epoch * 10 + 5 };
        Found { lake: "00c0ffee".to_owned(), head: Some(head(epoch)), retained }
    }

    #[test]
    fn a_savepoint_fits_while_lake_and_stream_have_what_it_lacks() {
        let savepoint = record("a", 12);
        assert_eq!(fits(&savepoint, &found(12, 0)), Ok(()));
        assert_eq!(fits(&savepoint, &found(40, 120)), Ok(()));
        assert_eq!(
            fits(&savepoint, &found(40, 121)),
            Err(Misfit::Released { needed_behind: 120, released_up_to: 121 })
        );
        assert_eq!(fits(&savepoint, &found(11, 0)), Err(Misfit::AheadOfLake { savepoint: 12, lake: 11 }));
        let half_applied = SavepointRecord { last_epoch: 13, ..savepoint.clone() };
        assert_eq!(fits(&half_applied, &found(12, 0)), Err(Misfit::AheadOfLake { savepoint: 13, lake: 12 }));
        let other = Found { lake: "00000001".to_owned(), ..found(12, 0) };
        assert!(matches!(fits(&savepoint, &other), Err(Misfit::OtherLake { .. })));
        let lost = Found { retained: Retained { released_up_to: 0, last_position: 3 }, ..found(12, 0) };
        assert_eq!(fits(&savepoint, &lost), Err(Misfit::StreamBehindLake));
    }

    #[test]
    fn an_epoch_of_the_same_number_and_another_time_is_another_history() {
        let savepoint = SavepointRecord { last_epoch: 13, last_system_time: Some(Instant(13)), ..record("a", 12) };
        assert_eq!(same_history(&savepoint, |epoch| Some(head(epoch))), Ok(()));
        let other = |epoch: u64| Some(EpochRecord { system_time: Instant(99), ..head(epoch) });
        assert_eq!(same_history(&savepoint, other), Err(Misfit::OtherHistory { epoch: 12 }));
        let diverged = |epoch: u64| if epoch == 12 { Some(head(12)) } else { other(epoch) };
        assert_eq!(same_history(&savepoint, diverged), Err(Misfit::OtherHistory { epoch: 13 }));
        assert_eq!(same_history(&record("a", 0), |_| None), Ok(()));
    }

    const AUTOMATIC: Automatic = Automatic {
        interval: Duration::from_secs(600),
        kept: 2,
        kept_for: Some(Duration::from_secs(1_000)),
        stream_bytes: 1_000,
    };

    fn at(seconds: i64, epoch: u64, stream_bytes: u64) -> Now {
        Now { time: Instant(seconds * 1_000_000), started: Instant(0), epoch, stream_bytes }
    }

    #[test]
    fn one_is_due_after_the_interval_or_when_much_has_arrived() {
        assert!(!due(None, at(5_000, 0, 0), &AUTOMATIC), "nothing is committed");
        assert!(!due(None, at(599, 3, 0), &AUTOMATIC));
        assert!(due(None, at(600, 3, 0), &AUTOMATIC));
        let last = record("a", 10);
        assert!(!due(Some(&last), at(5_000, 10, 1_000), &AUTOMATIC), "nothing is committed since");
        assert!(!due(Some(&last), at(609, 11, 1_499), &AUTOMATIC));
        assert!(due(Some(&last), at(610, 11, 1_000), &AUTOMATIC));
        assert!(due(Some(&last), at(70, 11, 1_500), &AUTOMATIC));
        assert!(!due(Some(&last), at(69, 11, 9_999), &AUTOMATIC), "not all the time");
        assert!(!due(Some(&last), at(1, 11, 1_000), &AUTOMATIC), "the clock was set back");
    }

    #[test]
    fn the_newest_automatic_ones_stay_and_named_ones_do_in_any_case() {
        let records: Vec<SavepointRecord> = [("auto-1", 1), ("auto-2", 2), ("named", 3), ("auto-4", 4), ("auto-5", 5)]
            .map(|(n, e)| record(n, e))
            .into();
        let expired = |now: i64, gone: &[&str]| {
            let restorable = |r: &SavepointRecord| !gone.contains(&r.name.as_str());
            expired(&records, "00c0ffee", Instant(now * 1_000_000), &AUTOMATIC, restorable)
        };
        assert_eq!(expired(10, &[]), ["auto-2", "auto-1"]);
        assert_eq!(expired(10, &["auto-5", "named"]), ["auto-5", "auto-1"]);
        assert_eq!(expired(5_000, &[]), ["auto-4", "auto-2", "auto-1"], "the newest stays however old");
        assert!(super::expired(&records, "00000001", Instant(0), &AUTOMATIC, |_| false).is_empty(), "of another lake");
    }
}
