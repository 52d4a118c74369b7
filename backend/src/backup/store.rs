//! Where backups are kept: contents by their hash, each once, and a record per backup, written last. In a folder here.
//!
//! ```text
//! DIR/objects/<first two digits>/<sha256>    contents
//! DIR/backups/<id>.json                      records
//! DIR/incoming/                              what is being written
//! DIR/lock                                   held while a backup is written
//! ```

use std::{
    any::Any,
    fs::{self, File, TryLockError},
    io::{ErrorKind as IoErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::record::Object;
use crate::error::{Error, ErrorKind, Result};

const COPIED_AT_ONCE_BYTES: usize = 1 << 20;
pub const RECORD_ENDING: &str = ".json";

/// A place for backups. Everything blocks.
pub trait Store: Send + Sync {
    /// Takes the right to write, given back when the answer is dropped. Fails with `Conflict` where another has it.
    fn lock(&self) -> Result<Box<dyn Any + Send>>;

    /// Whether contents are there, judged by hash and size and not read.
    fn has(&self, object: &Object) -> Result<bool>;

    /// Keeps the contents of a file; tells what they are and whether they are new here.
    fn put(&self, source: &Path) -> Result<(Object, bool)>;

    /// Contents, as they are; `None` where they are missing.
    fn open(&self, object: &Object) -> Result<Option<Box<dyn Read + '_>>>;

    /// Makes all that was put durable, then a record of that name, which has to be new.
    fn publish(&self, id: &str, record: &[u8]) -> Result<()>;

    /// The names of all records, ascending.
    fn ids(&self) -> Result<Vec<String>>;

    /// A record. Fails with `NotFound` where there is none of that name.
    fn record(&self, id: &str) -> Result<Vec<u8>>;

    /// Where it is, for messages.
    fn place(&self) -> String;
}

/// Backups in a folder.
pub struct FolderStore {
    folder: PathBuf,
}

impl FolderStore {
    /// The backups in a folder, which is made where it is missing.
    pub fn create(folder: &Path) -> Result<FolderStore> {
        let store = FolderStore { folder: folder.to_path_buf() };
        for inner in [store.objects(), store.records(), store.incoming()] {
            fs::create_dir_all(&inner).map_err(|e| store.failed("written", e))?;
        }
        Ok(store)
    }

    /// The backups in a folder. Fails with `NotFound` where it holds none.
    pub fn open(folder: &Path) -> Result<FolderStore> {
        let store = FolderStore { folder: folder.to_path_buf() };
        if !store.records().is_dir() {
            let message = format!("{} holds no backups; name the folder that backups were taken into", store.place());
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        Ok(store)
    }

    fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }

    fn records(&self) -> PathBuf {
        self.folder.join("backups")
    }

    fn incoming(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    fn path_of(&self, object: &Object) -> PathBuf {
        let start = object.sha256.get(..2).unwrap_or_default();
        self.objects().join(start).join(&object.sha256)
    }

    fn path_of_record(&self, id: &str) -> PathBuf {
        self.records().join(format!("{id}{RECORD_ENDING}"))
    }

    fn failed(&self, what: &str, source: std::io::Error) -> Error {
        // Whoever named the folder is told what is wrong with it.
        Error::new(ErrorKind::Io, format!("the backup folder {} cannot be {what}: {source}", self.place()))
    }
}

impl Store for FolderStore {
    fn lock(&self) -> Result<Box<dyn Any + Send>> {
        let path = self.folder.join("lock");
        let options = File::options().create(true).truncate(false).write(true).open(path);
        let lock = options.map_err(|e| self.failed("written", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("another backup into {} is under way; try again when it has ended", self.place());
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            Err(TryLockError::Error(e)) => return Err(self.failed("locked", e)),
        }
        Ok(Box::new(lock))
    }

    fn has(&self, object: &Object) -> Result<bool> {
        match fs::metadata(self.path_of(object)) {
            Ok(found) => Ok(found.len() == object.bytes),
            Err(e) if e.kind() == IoErrorKind::NotFound => Ok(false),
            Err(e) => Err(self.failed("read", e)),
        }
    }

    fn put(&self, source: &Path) -> Result<(Object, bool)> {
        // Only one writes at a time, so one name will do. What was cut off under it is overwritten.
        let part = self.incoming().join("object");
        let mut from = File::open(source).map_err(|e| cannot_read(source, e))?;
        let mut to = File::create(&part).map_err(|e| self.failed("written", e))?;
        let object = copy_hashing(&mut from, &mut to).map_err(|e| match e {
            Copying::Reading(e) => cannot_read(source, e),
            Copying::Writing(e) => self.failed("written", e),
        })?;
        let new = !self.has(&object)?;
        let path = self.path_of(&object);
        let keep = || {
            to.sync_all()?;
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::rename(&part, &path)
        };
        let kept = if new { keep() } else { fs::remove_file(&part) };
        kept.map_err(|e| self.failed("written", e))?;
        Ok((object, new))
    }

    fn open(&self, object: &Object) -> Result<Option<Box<dyn Read + '_>>> {
        match File::open(self.path_of(object)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(e) if e.kind() == IoErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed("read", e)),
        }
    }

    fn publish(&self, id: &str, record: &[u8]) -> Result<()> {
        let (part, path) = (self.incoming().join("record"), self.path_of_record(id));
        if path.exists() {
            return Err(Error::new(ErrorKind::Conflict, format!("there is a backup {id} in {} already", self.place())));
        }
        let write = || {
            let objects = self.objects();
            for entry in fs::read_dir(&objects)? {
                sync(&entry?.path())?;
            }
            sync(&objects)?;
            let mut file = File::create(&part)?;
            file.write_all(record)?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            sync(&self.records())?;
            sync(&self.folder)
        };
        write().map_err(|e| self.failed("written", e))
    }

    fn ids(&self) -> Result<Vec<String>> {
        let list = || -> std::io::Result<Vec<String>> {
            let mut ids = Vec::new();
            for entry in fs::read_dir(self.records())? {
                let name = entry?.file_name();
                ids.extend(name.to_str().and_then(|name| name.strip_suffix(RECORD_ENDING)).map(str::to_owned));
            }
            ids.sort_unstable();
            Ok(ids)
        };
        list().map_err(|e| self.failed("read", e))
    }

    fn record(&self, id: &str) -> Result<Vec<u8>> {
        // The name comes from outside, and must not lead to another place.
        if !self.ids()?.iter().any(|known| known == id) {
            let message = format!("there is no backup {id} in {}; --list shows those there are", self.place());
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        fs::read(self.path_of_record(id)).map_err(|e| self.failed("read", e))
    }

    fn place(&self) -> String {
        self.folder.display().to_string()
    }
}

/// Which side of a copy failed.
pub enum Copying {
    /// What was copied.
    Reading(std::io::Error),
    /// Where it went.
    Writing(std::io::Error),
}

/// Copies to the end, and tells what was copied.
pub fn copy_hashing(from: &mut dyn Read, to: &mut dyn Write) -> Result<Object, Copying> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; COPIED_AT_ONCE_BYTES];
    let mut bytes = 0;
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(e) if e.kind() == IoErrorKind::Interrupted => continue,
            Err(e) => return Err(Copying::Reading(e)),
        };
        let read = buffer.get(..length).unwrap_or_default();
        hasher.update(read);
        to.write_all(read).map_err(Copying::Writing)?;
        bytes += length as u64;
    }
    Ok(Object { sha256: format!("{:x}", hasher.finalize()), bytes })
}

/// Syncs a file or a folder.
pub fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

pub fn cannot_read(path: &Path, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{} cannot be read for the backup: {source}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_kept_once_and_found_by_their_hash() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::create(&folder.path().join("backups")).unwrap();
        let source = folder.path().join("source");
        fs::write(&source, "abc").unwrap();
        let (object, new) = store.put(&source).unwrap();
        assert_eq!(object.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((object.bytes, new), (3, true));
        assert!(!store.put(&source).unwrap().1);
        assert!(store.has(&object).unwrap());
        assert!(!store.has(&Object { bytes: 4, ..object.clone() }).unwrap());
        let mut text = String::new();
        store.open(&object).unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        assert_eq!(fs::read_dir(store.incoming()).unwrap().count(), 0);
    }

    #[test]
    fn one_writes_at_a_time_and_records_have_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(FolderStore::open(folder.path()).err().map(|e| e.kind()), Some(ErrorKind::NotFound));
        let store = FolderStore::create(folder.path()).unwrap();
        let lock = store.lock().unwrap();
        assert_eq!(store.lock().err().map(|e| e.kind()), Some(ErrorKind::Conflict));
        drop(lock);
        store.lock().unwrap();
        store.publish("b", b"2").unwrap();
        store.publish("a", b"1").unwrap();
        assert_eq!(store.publish("a", b"3").unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(store.ids().unwrap(), ["a", "b"]);
        assert_eq!(store.record("a").unwrap(), b"1");
        assert_eq!(store.record("../lock").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
