//! What the RocksDB databases have in common: how their errors are told, and copies of them.

use std::path::Path;

use engine::{Error, ErrorKind, Result};
use rocksdb::{DB, checkpoint::Checkpoint};

/// An error of RocksDB, with what could not be done.
pub(crate) fn io(message: &str, source: rocksdb::Error) -> Error {
    let kind = match source.kind() {
        rocksdb::ErrorKind::Corruption => ErrorKind::Corrupt,
        _ => ErrorKind::Io,
    };
    Error::new(kind, message).because(source)
}

/// Keeps a database as it is now in a new folder, where it can be opened as one of its own. What is in memory is written
/// out first; large files are links where the folder is on the same disk.
pub(crate) fn checkpoint(db: &DB, folder: &Path) -> Result<()> {
    let checkpoint = Checkpoint::new(db).and_then(|checkpoint| checkpoint.create_checkpoint(folder));
    checkpoint.map_err(|e| io("a database cannot be kept for a backup", e).with("folder", folder.display()))
}
