//! A place for contents in a folder.
//!
//! ```text
//! DIR/incoming/    what is being written; savepoint-incoming/ of savepoints
//! DIR/lock         held while something is written or removed; savepoint-lock of savepoints
//! ```

use std::{
    any::Any,
    fs::{self, File, TryLockError},
    io::{ErrorKind as IoErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    Copying, Kind, Object, RECORD_ENDING, Store, copy_hashing, files::cannot_read, holds_none, is_name, no_such_record,
    record_exists,
};
use crate::error::{Error, ErrorKind, Result};

/// Backups or savepoints in a folder.
pub struct FolderStore {
    folder: PathBuf,
    kind: Kind,
}

impl FolderStore {
    /// What is kept in a folder, which is made where it is missing.
    pub fn create(folder: &Path, kind: Kind) -> Result<FolderStore> {
        let store = FolderStore { folder: folder.to_path_buf(), kind };
        for inner in [store.objects_folder(), store.records(), store.incoming()] {
            fs::create_dir_all(&inner).map_err(|e| store.failed("written", e))?;
        }
        Ok(store)
    }

    /// What is kept in a folder. Fails with `NotFound` where it holds none.
    pub fn open(folder: &Path, kind: Kind) -> Result<FolderStore> {
        let store = FolderStore { folder: folder.to_path_buf(), kind };
        if !store.records().is_dir() {
            return Err(holds_none(kind, &store.place()));
        }
        Ok(store)
    }

    fn objects_folder(&self) -> PathBuf {
        self.folder.join(self.kind.objects())
    }

    fn records(&self) -> PathBuf {
        self.folder.join(self.kind.many)
    }

    fn incoming(&self) -> PathBuf {
        self.folder.join(format!("{}incoming", self.kind.prefix))
    }

    fn path_of(&self, object: &Object) -> PathBuf {
        let start = object.sha256.get(..2).unwrap_or_default();
        self.objects_folder().join(start).join(&object.sha256)
    }

    fn path_of_record(&self, id: &str) -> PathBuf {
        self.records().join(format!("{id}{RECORD_ENDING}"))
    }

    fn failed(&self, what: &str, source: std::io::Error) -> Error {
        // Whoever named the folder is told what is wrong with it.
        let message = format!("the {} folder {} cannot be {what}: {source}", self.kind.one, self.place());
        Error::new(ErrorKind::Io, message)
    }
}

impl Store for FolderStore {
    fn lock(&self) -> Result<Box<dyn Any + Send>> {
        let path = self.folder.join(format!("{}lock", self.kind.prefix));
        let options = File::options().create(true).truncate(false).write(true).open(path);
        let lock = options.map_err(|e| self.failed("written", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let (one, place) = (self.kind.one, self.place());
                let message = format!("another {one} into {place} is under way; try again when it has ended");
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
            return Err(record_exists(self.kind, id, &self.place()));
        }
        let write = || {
            let objects = self.objects_folder();
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
        let none = || no_such_record(self.kind, id, &self.place());
        if !is_name(id) {
            return Err(none());
        }
        fs::read(self.path_of_record(id)).map_err(|e| match e.kind() {
            IoErrorKind::NotFound => none(),
            _ => self.failed("read", e),
        })
    }

    fn retract(&self, id: &str) -> Result<()> {
        let none = || no_such_record(self.kind, id, &self.place());
        if !is_name(id) {
            return Err(none());
        }
        let removed = fs::remove_file(self.path_of_record(id)).and_then(|()| sync(&self.records()));
        removed.map_err(|e| match e.kind() {
            IoErrorKind::NotFound => none(),
            _ => self.failed("written", e),
        })
    }

    fn objects(&self) -> Result<Vec<Object>> {
        let list = || -> std::io::Result<Vec<Object>> {
            let mut objects = Vec::new();
            for folder in fs::read_dir(self.objects_folder())? {
                for entry in fs::read_dir(folder?.path())? {
                    let entry = entry?;
                    let sha256 = entry.file_name().into_string().unwrap_or_default();
                    let object = Object { sha256, bytes: entry.metadata()?.len() };
                    objects.extend(Some(object).filter(Object::is_sound));
                }
            }
            Ok(objects)
        };
        list().map_err(|e| self.failed("read", e))
    }

    fn remove(&self, object: &Object) -> Result<()> {
        match fs::remove_file(self.path_of(object)) {
            Err(e) if e.kind() != IoErrorKind::NotFound => Err(self.failed("written", e)),
            _ => Ok(()),
        }
    }

    fn place(&self) -> String {
        self.folder.display().to_string()
    }
}

/// Syncs a file or a folder.
pub fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::{BACKUPS, SAVEPOINTS, remove_unused};

    #[test]
    fn contents_are_kept_once_and_found_by_their_hash() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::create(&folder.path().join("backups"), BACKUPS).unwrap();
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
        assert_eq!(FolderStore::open(folder.path(), BACKUPS).err().map(|e| e.kind()), Some(ErrorKind::NotFound));
        let store = FolderStore::create(folder.path(), BACKUPS).unwrap();
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

    #[test]
    fn contents_that_no_record_names_are_removed_and_records_by_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::create(&folder.path().join("kept"), BACKUPS).unwrap();
        let put = |text: &str| {
            let source = folder.path().join("source");
            fs::write(&source, text).unwrap();
            store.put(&source).unwrap().0
        };
        let (used, unused) = (put("used"), put("of no use"));
        store.publish("a", b"1").unwrap();
        assert_eq!(remove_unused(&store, &BTreeSet::from([used.clone()])).unwrap(), (1, unused.bytes));
        assert_eq!(store.objects().unwrap(), [used]);
        assert_eq!(store.retract("../objects").unwrap_err().kind(), ErrorKind::NotFound);
        // Of another kind in the same place nothing is touched.
        let savepoints = FolderStore::create(&folder.path().join("kept"), SAVEPOINTS).unwrap();
        assert_eq!(remove_unused(&savepoints, &BTreeSet::new()).unwrap(), (0, 0));
        let lock = store.lock().unwrap();
        savepoints.lock().unwrap();
        drop(lock);
        assert_eq!((store.objects().unwrap().len(), store.ids().unwrap().len()), (1, 1));
        store.retract("a").unwrap();
        assert!(store.ids().unwrap().is_empty());
        assert_eq!(store.retract("a").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
