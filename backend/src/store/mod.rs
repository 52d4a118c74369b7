//! Where backups and savepoints are kept: contents by their hash, each once, and a record per backup or savepoint,
//! written last. In a folder or in a bucket, with the same layout:
//!
//! ```text
//! PLACE/objects/<first two digits>/<sha256>    contents of backups
//! PLACE/backups/<id>.json                      records of backups
//! PLACE/savepoint-objects/…                    contents of savepoints
//! PLACE/savepoints/<name>.json                 records of savepoints
//! ```
//!
//! Backups and savepoints can have one place: neither touches anything of the other.
//!
//! What may not happen here: knowing what a file is for. What belongs to a backup or a savepoint is theirs to say.

mod bucket;
mod files;
mod folder;

pub use bucket::{bucket_place, create_store, fetch, open_store};
pub use files::{Copying, FileRecord, Object, Source, copy_hashing, files_of_database, keep_files, verify, write};
pub use folder::{FolderStore, sync};

use std::{any::Any, collections::BTreeSet, io::Read, path::Path};

use tracing::warn;

use crate::error::{Error, Result};

/// Ending of the name of a record.
pub const RECORD_ENDING: &str = ".json";

/// What records in a store are of, in its layout and in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// What one is called.
    pub one: &'static str,
    /// What many are called, and the folder of their records.
    pub many: &'static str,
    /// How to see which there are.
    pub listing: &'static str,
    /// What its other folders and files in a place begin with, so that each kind has its own.
    prefix: &'static str,
}

impl Kind {
    /// The folder of their contents.
    fn objects(self) -> String {
        format!("{}objects", self.prefix)
    }
}

/// Backups of the whole data folder.
pub const BACKUPS: Kind = Kind { one: "backup", many: "backups", listing: "--list", prefix: "" };
/// Savepoints of the timeline state.
pub const SAVEPOINTS: Kind =
    Kind { one: "savepoint", many: "savepoints", listing: "tidemark savepoint list", prefix: "savepoint-" };

/// A place for backups or savepoints. Everything blocks.
pub trait Store: Send + Sync {
    /// Takes the right to write, given back when the answer is dropped. Fails with `Conflict` where another has it.
    fn lock(&self) -> Result<Box<dyn Any + Send>>;

    /// Whether contents are there, judged by hash and size and not read.
    fn has(&self, object: &Object) -> Result<bool>;

    /// Keeps the contents of a file; tells what they are and whether they are new here.
    fn put(&self, source: &Path) -> Result<(Object, bool)>;

    /// Contents, as they are; `None` where they are missing.
    fn open(&self, object: &Object) -> Result<Option<Box<dyn Read + '_>>>;

    /// Makes all that was put durable, then a record of that name. Fails with `Conflict` where there is another one.
    fn publish(&self, id: &str, record: &[u8]) -> Result<()>;

    /// The names of all records, ascending.
    fn ids(&self) -> Result<Vec<String>>;

    /// A record. Fails with `NotFound` where there is none of that name.
    fn record(&self, id: &str) -> Result<Vec<u8>>;

    /// Removes a record, durably. Its contents stay until [`remove_unused`]. Fails with `NotFound` where there is none of
    /// that name.
    fn retract(&self, id: &str) -> Result<()>;

    /// All contents that are there.
    fn objects(&self) -> Result<Vec<Object>>;

    /// Removes contents. Those that are not there are no error.
    fn remove(&self, object: &Object) -> Result<()>;

    /// Where it is, for messages.
    fn place(&self) -> String;
}

/// Removes contents that no record names; gives how many they were, and their bytes. `used` has to name the contents of
/// *all* records. Whoever calls this holds the lock.
pub fn remove_unused(store: &dyn Store, used: &BTreeSet<Object>) -> Result<(u64, u64)> {
    let (mut objects, mut bytes) = (0, 0);
    for object in store.objects()?.iter().filter(|object| !used.contains(object)) {
        match store.remove(object) {
            Ok(()) => (objects, bytes) = (objects + 1, bytes + object.bytes),
            // The next time goes on here.
            Err(error) => warn!(%error, "contents of no use could not be removed, and are tried again"),
        }
    }
    Ok((objects, bytes))
}

/// Whether a record can have that name. It comes from outside, and must not lead to another place.
fn is_name(id: &str) -> bool {
    !id.is_empty()
        && !id.starts_with('.')
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// There is no record of that name.
fn no_such_record(kind: Kind, id: &str, place: &str) -> Error {
    let Kind { one, listing, .. } = kind;
    let message = format!("there is no {one} {id} in {place}; {listing} shows those there are");
    Error::new(crate::error::ErrorKind::NotFound, message)
}

/// There is one already.
fn record_exists(kind: Kind, id: &str, place: &str) -> Error {
    let message = format!("there is a {} {id} in {place} already", kind.one);
    Error::new(crate::error::ErrorKind::Conflict, message)
}

/// There are no records at all.
fn holds_none(kind: Kind, place: &str) -> Error {
    let many = kind.many;
    let message = format!("{place} holds no {many}; name the place that {many} were taken into");
    Error::new(crate::error::ErrorKind::NotFound, message)
}
