//! What is written down of a savepoint: one JSON document, which names every file of the state by its place, size and
//! hash.

use std::collections::BTreeSet;

use model::Instant;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    store::{FileRecord, Object},
};

/// The format this Tidemark writes, and the only one it reads.
pub const FORMAT: u32 = 1;
/// How names of automatic savepoints begin, and no others.
const AUTOMATIC: &str = "auto-";
const NAME_CHARACTERS_MAX: usize = 64;
const NOTE_CHARACTERS_MAX: usize = 1_000;

/// A savepoint, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavepointRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// Its name, one of a kind in its place.
    pub name: String,
    /// Whether Tidemark took it by itself, and removes it by itself.
    pub automatic: bool,
    /// What whoever took it had to say.
    pub note: Option<String>,
    /// The lake, as in its snapshot tokens: eight hexadecimal digits.
    pub lake: String,
    /// The last epoch that all of the state has; 0 before the first. What came after it is applied again at a start.
    pub epoch: u64,
    /// The system time of that epoch.
    pub system_time: Option<Instant>,
    /// The stream position at which that epoch ends. The stream has to hold all behind it.
    pub position: u64,
    /// The last epoch that some of the state has: `epoch`, or a later one that was being applied.
    pub last_epoch: u64,
    /// The system time of that epoch.
    pub last_system_time: Option<Instant>,
    /// Bytes that had ever been appended to the stream.
    pub stream_bytes: u64,
    /// Workers the pipeline had.
    pub slots: u16,
    /// When it was taken, by the clock of the machine.
    pub taken: Instant,
    /// The files of the state, by place.
    pub files: Vec<FileRecord>,
}

impl SavepointRecord {
    /// A record as it was written, under the name it was found by. Refuses what another format says, and what would
    /// reach outside the folder it is restored into.
    pub fn read(name: &str, text: &[u8]) -> Result<SavepointRecord> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let refused = |message: String| Error::new(ErrorKind::Unprocessable, message);
        let damaged = |e: serde_json::Error| {
            refused(format!("the record of savepoint {name} is damaged; delete it and use another savepoint"))
                .because(e)
        };
        let Versioned { format } = serde_json::from_slice(text).map_err(damaged)?;
        if format != FORMAT {
            return Err(refused(format!(
                "savepoint {name} has format {format}, and this Tidemark reads format {FORMAT} alone; use the Tidemark \
                 that wrote it"
            )));
        }
        let record: SavepointRecord = serde_json::from_slice(text).map_err(damaged)?;
        if record.name != name || !record.files.iter().all(FileRecord::is_sound) {
            let message = format!("the record of savepoint {name} is not what was written; delete it and use another");
            return Err(refused(message));
        }
        Ok(record)
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.object.bytes).sum()
    }
}

/// All contents that some records name.
pub fn objects_of(records: &[SavepointRecord]) -> BTreeSet<Object> {
    records.iter().flat_map(|record| record.files.iter().map(|file| file.object.clone())).collect()
}

/// Refuses names that cannot be file names everywhere, and those that Tidemark gives itself.
pub fn check_name(name: &str) -> Result<()> {
    let refused = |message: String| Err(Error::new(ErrorKind::Unprocessable, message));
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    if !begins || !rest || name.len() > NAME_CHARACTERS_MAX {
        return refused(format!(
            "'{name}' cannot name a savepoint; a name has lower-case letters, digits, '-', '_' and '.', begins with a \
             letter or digit and has at most {NAME_CHARACTERS_MAX} characters"
        ));
    }
    if name.starts_with(AUTOMATIC) {
        return refused(format!(
            "'{name}' cannot name a savepoint: names that begin with {AUTOMATIC} are of those that Tidemark takes by \
             itself; choose another"
        ));
    }
    Ok(())
}

/// Refuses notes that are too long to be shown.
pub fn check_note(note: Option<&str>) -> Result<()> {
    if note.is_some_and(|note| note.chars().count() > NOTE_CHARACTERS_MAX) {
        let message = format!("a note has at most {NOTE_CHARACTERS_MAX} characters");
        return Err(Error::new(ErrorKind::Unprocessable, message));
    }
    Ok(())
}

/// The name of an automatic savepoint taken at an instant. Later ones sort behind earlier ones.
pub fn automatic_name(taken: Instant, epoch: u64) -> String {
    const MILLI_MICROS: i64 = 1_000;
    let text = Instant(taken.0 - taken.0.rem_euclid(MILLI_MICROS)).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    format!("{AUTOMATIC}{digits:0<17}-{epoch}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn record(name: &str, epoch: u64) -> SavepointRecord {
        let object = Object { sha256: "0a".repeat(32), bytes: 5 };
        let system_time = Some(Instant(epoch as i64));
        SavepointRecord {
            format: FORMAT,
            name: name.to_owned(),
            automatic: name.starts_with(AUTOMATIC),
            note: None,
            lake: "00c0ffee".to_owned(),
            epoch,
            system_time,
            position: epoch * 10,
            last_epoch: epoch,
            last_system_time: system_time,
            stream_bytes: epoch * 100,
            slots: 2,
            taken: Instant(epoch as i64 * 1_000_000),
            files: vec![FileRecord { path: "state/000012.sst".to_owned(), object, modified_nanos: 7 }],
        }
    }

    fn reading(record: &SavepointRecord) -> Result<SavepointRecord> {
        SavepointRecord::read(&record.name, &serde_json::to_vec(record).unwrap())
    }

    #[test]
    fn a_record_reads_back_as_it_was_written_and_others_are_refused() {
        let record = record("before-rollout", 12);
        assert_eq!(reading(&record).unwrap(), record);
        let newer = SavepointRecord { format: FORMAT + 1, ..record.clone() };
        assert!(reading(&newer).unwrap_err().message().contains("format 2"));
        assert!(SavepointRecord::read("another", &serde_json::to_vec(&record).unwrap()).is_err());
        assert!(SavepointRecord::read("before-rollout", b"{\"format\": 1}").is_err());
        for place in ["state/../../elsewhere", "/elsewhere", "state//elsewhere", "state/./x", "state/", ""] {
            let mut outside = record.clone();
            outside.files[0].path = place.to_owned();
            assert!(reading(&outside).is_err(), "{place}");
        }
    }

    #[test]
    fn names_are_file_names_everywhere_and_not_those_of_automatic_ones() {
        for good in ["a", "before-rollout", "2026-03-31", "v1.2_x"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(NAME_CHARACTERS_MAX + 1);
        for bad in ["", ".", "..", "../x", "a/b", "A", "-a", "é", "a b", long.as_str(), "auto-x"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_note(Some("before the rollout")).is_ok() && check_note(Some(&"x".repeat(1_001))).is_err());
    }

    #[test]
    fn automatic_names_sort_by_time() {
        let second = 1_790_000_000_000_000;
        let names: Vec<String> =
            [0, 1_000, 250_000, 1_000_000, 60_000_000].map(|later| automatic_name(Instant(second + later), 7)).to_vec();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }
}
