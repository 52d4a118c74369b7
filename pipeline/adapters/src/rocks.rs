//! What the RocksDB databases have in common: how their errors are told, and copies of them.

use std::path::Path;

use engine::{Error, ErrorKind, Result};
use rocksdb::{DB, checkpoint::Checkpoint};

/// How the operating system says that a disk is full (ENOSPC).
const DISK_FULL: &str = "No space left on device";

/// An error of RocksDB, with what could not be done.
pub(crate) fn io(message: &str, source: rocksdb::Error) -> Error {
    match source.kind() {
        rocksdb::ErrorKind::Corruption => Error::new(ErrorKind::Corrupt, message).because(source),
        _ if source.as_ref().contains(DISK_FULL) => {
            let advice = "the disk is full; free some space on it, then it goes on by itself";
            Error::new(ErrorKind::Io, format!("{message}: {advice}")).because(source)
        }
        _ => Error::new(ErrorKind::Io, message).because(source),
    }
}

/// Keeps a database as it is now in a new folder, where it can be opened as one of its own. What is in memory is written
/// out first; large files are links where the folder is on the same disk.
pub(crate) fn checkpoint(db: &DB, folder: &Path) -> Result<()> {
    let checkpoint = Checkpoint::new(db).and_then(|checkpoint| checkpoint.create_checkpoint(folder));
    checkpoint.map_err(|e| io("a database cannot be kept as it is", e).with("folder", folder.display()))
}
