//! What is written down of a backup: one JSON document, which names every file by its place, size and hash.

use model::Instant;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    store::FileRecord,
};

/// The format this Tidemark writes, and the only one it reads.
pub const FORMAT: u32 = 1;

/// A backup, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// Its name. Later ones of the same lake sort behind earlier ones.
    pub id: String,
    /// The lake, as in its snapshot tokens: eight hexadecimal digits.
    pub lake: String,
    /// The last epoch in it; 0 before the first.
    pub epoch: u64,
    /// The system time of that epoch.
    pub system_time: Option<Instant>,
    /// When it was taken, by the clock of the machine.
    pub taken: Instant,
    /// The data folder it was taken of. Locations in table metadata begin with it.
    pub root: String,
    /// The tables.
    pub tables: Vec<TableRecord>,
    /// All files, by place.
    pub files: Vec<FileRecord>,
}

/// A table of a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableRecord {
    /// The dataset.
    pub dataset: String,
    /// The place of its current metadata.
    pub metadata: String,
}

impl BackupRecord {
    /// A record as it was written, under the name it was found by. Refuses what another format says, and what would
    /// reach outside the folder it is restored into.
    pub fn read(id: &str, text: &[u8]) -> Result<BackupRecord> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let damaged = |e: serde_json::Error| {
            Error::new(ErrorKind::Unprocessable, format!("the record of backup {id} is damaged; use another backup"))
                .because(e)
        };
        let Versioned { format } = serde_json::from_slice(text).map_err(damaged)?;
        if format != FORMAT {
            let message = format!(
                "backup {id} has format {format}, and this Tidemark reads format {FORMAT} alone; use the Tidemark that wrote it"
            );
            return Err(Error::new(ErrorKind::Unprocessable, message));
        }
        let record: BackupRecord = serde_json::from_slice(text).map_err(damaged)?;
        if record.id != id || !record.files.iter().all(FileRecord::is_sound) {
            let message = format!("the record of backup {id} is not what was written; use another backup");
            return Err(Error::new(ErrorKind::Unprocessable, message));
        }
        Ok(record)
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.object.bytes).sum()
    }
}

/// The name of a backup taken at an instant: it sorts by time and tells the lake.
pub fn id_of(taken: Instant, lake: &str, epoch: u64) -> String {
    const SECOND_MICROS: i64 = 1_000_000;
    let micros = taken.0.rem_euclid(SECOND_MICROS);
    let second = Instant(taken.0 - micros).to_string();
    let digits: String = second.chars().filter(|c| c.is_ascii_digit() || *c == 'T').collect();
    format!("{digits}.{micros:06}Z-{lake}-{epoch}")
}

/// Whether a backup's name says that it is of that lake.
pub fn is_of(id: &str, lake: &str) -> bool {
    id.split('-').nth(1) == Some(lake)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Object;

    fn record() -> BackupRecord {
        let object = Object { sha256: "0a".repeat(32), bytes: 5 };
        let taken = Instant(1_790_000_000_000_000);
        BackupRecord {
            format: FORMAT,
            id: id_of(taken, "00c0ffee", 12),
            lake: "00c0ffee".to_owned(),
            epoch: 12,
            system_time: Some(taken),
            taken,
            root: "/data".to_owned(),
            tables: Vec::new(),
            files: vec![FileRecord { path: "lake/catalog.sqlite".to_owned(), object, modified_nanos: 7 }],
        }
    }

    fn reading(record: &BackupRecord) -> Result<BackupRecord> {
        BackupRecord::read(&record.id, &serde_json::to_vec(record).unwrap())
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let record = record();
        assert_eq!(reading(&record).unwrap(), record);
        assert!(is_of(&record.id, "00c0ffee") && !is_of(&record.id, "00c0ffef"));
        for later in [1, 999_000, 1_000_000] {
            assert!(id_of(Instant(record.taken.0 + later), "00c0ffee", 11) > record.id, "{later}");
        }
    }

    #[test]
    fn other_formats_and_damaged_records_are_refused() {
        let newer = BackupRecord { format: FORMAT + 1, ..record() };
        let error = reading(&newer).unwrap_err();
        assert!(error.message().contains("format 2"), "{error}");
        assert!(BackupRecord::read("x", b"{\"format\": 1}").is_err());
        assert!(BackupRecord::read("another", &serde_json::to_vec(&record()).unwrap()).is_err());
        for path in ["../outside", "/etc/passwd", "", "lake/../../outside"] {
            let mut outside = record();
            outside.files[0].path = path.to_owned();
            assert!(reading(&outside).is_err(), "{path}");
        }
        let mut odd = record();
        odd.files[0].object.sha256 = "../".repeat(22);
        assert!(reading(&odd).is_err());
    }
}
