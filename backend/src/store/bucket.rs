//! A place for contents in a bucket, with the layout of a folder, and which of the two a place is.

use std::{
    any::Any,
    fs::{self, File},
    io::{Cursor, Read, Write, sink},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use lake::{ObjectContents, ObjectStore};

use super::{
    Copying, FolderStore, Kind, Object, RECORD_ENDING, Store, copy_hashing, files::cannot_read, holds_none, is_name,
    no_such_record, record_exists,
};
use crate::error::{Error, ErrorKind, Result};

const SCHEME: &str = "s3://";
/// Of an object that is larger than can be held.
const READ_AT_ONCE_BYTES: u64 = 16 << 20;

/// The bucket and prefix that a place names, without a slash at the end; `None` where it names a folder. Fails with
/// `Unprocessable` where it names no bucket.
pub fn bucket_place(place: &Path) -> Result<Option<String>> {
    let Some(rest) = place.to_str().and_then(|text| text.strip_prefix(SCHEME)) else { return Ok(None) };
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() || rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        let message = format!("{} is no place in a bucket; it is like s3://bucket/prefix", place.display());
        return Err(Error::new(ErrorKind::Unprocessable, message));
    }
    Ok(Some(format!("{SCHEME}{rest}")))
}

/// What is kept at a place, a folder or in a bucket. Fails with `NotFound` where it holds none.
pub fn open_store(place: &Path, kind: Kind, objects: &Arc<dyn ObjectStore>) -> Result<Box<dyn Store>> {
    let Some(root) = bucket_place(place)? else { return Ok(Box::new(FolderStore::open(place, kind)?)) };
    let store = BucketStore { objects: objects.clone(), root, kind };
    if store.ids()?.is_empty() {
        return Err(holds_none(kind, &store.root));
    }
    Ok(Box::new(store))
}

/// What is kept at a place, which is a folder that is made where it is missing, or in a bucket that is there.
pub fn create_store(place: &Path, kind: Kind, objects: &Arc<dyn ObjectStore>) -> Result<Box<dyn Store>> {
    match bucket_place(place)? {
        None => Ok(Box::new(FolderStore::create(place, kind)?)),
        Some(root) => {
            let store = BucketStore { objects: objects.clone(), root, kind };
            // Whether it can be reached.
            store.ids()?;
            Ok(Box::new(store))
        }
    }
}

/// Brings an object of a known size here, into a file.
pub fn fetch(objects: &dyn ObjectStore, location: &str, bytes: u64, into: &Path) -> Result<()> {
    let unwritable = |e| Error::new(ErrorKind::Io, format!("{} cannot be written", into.display())).because(e);
    let mut contents = Stretches::new(objects, location.to_owned(), bytes);
    let mut file = File::create(into).map_err(unwritable)?;
    while let Some(stretch) = contents.next()? {
        file.write_all(&stretch).map_err(unwritable)?;
    }
    Ok(())
}

/// Backups or savepoints in a bucket.
struct BucketStore {
    objects: Arc<dyn ObjectStore>,
    root: String,
    kind: Kind,
}

impl BucketStore {
    fn location_of(&self, object: &Object) -> String {
        let start = object.sha256.get(..2).unwrap_or_default();
        format!("{}/{}/{start}/{}", self.root, self.kind.objects(), object.sha256)
    }

    fn records(&self) -> String {
        format!("{}/{}/", self.root, self.kind.many)
    }

    fn location_of_record(&self, id: &str) -> String {
        format!("{}{id}{RECORD_ENDING}", self.records())
    }
}

impl Store for BucketStore {
    /// Nothing to hold: an object is there whole or not at all, contents have the name of their hash and a record must
    /// have a new one. So whoever writes at the same time writes the same or something else, and never half of it. A lock
    /// would have to expire by a clock, and would protect less. Of savepoints a place belongs to one Tidemark that runs:
    /// two copies of one lake would each remove what the other is about to name, so whoever takes one looks afterwards
    /// whether it is whole.
    fn lock(&self) -> Result<Box<dyn Any + Send>> {
        Ok(Box::new(()))
    }

    fn has(&self, object: &Object) -> Result<bool> {
        let found = self.objects.find(&self.location_of(object))?;
        Ok(found.is_some_and(|found| found.bytes == object.bytes))
    }

    fn put(&self, source: &Path) -> Result<(Object, bool)> {
        let unreadable = |e| cannot_read(source, e);
        let bytes = fs::metadata(source).map_err(unreadable)?.len();
        // A file that may change is small, and is stored as it was hashed.
        let (contents, object) = if bytes <= READ_AT_ONCE_BYTES {
            let whole = fs::read(source).map_err(unreadable)?;
            let object = hash(&mut Cursor::new(&whole)).map_err(unreadable)?;
            (ObjectContents::Bytes(Bytes::from(whole)), object)
        } else {
            let object = hash(&mut File::open(source).map_err(unreadable)?).map_err(unreadable)?;
            (ObjectContents::File(source.to_path_buf()), object)
        };
        let new = !self.has(&object)?;
        if new {
            self.objects.put(&self.location_of(&object), contents, false)?;
        }
        Ok((object, new))
    }

    fn open(&self, object: &Object) -> Result<Option<Box<dyn Read + '_>>> {
        let location = self.location_of(object);
        Ok(match self.objects.find(&location)? {
            None => None,
            Some(found) => Some(Box::new(Stretches::new(&*self.objects, location, found.bytes))),
        })
    }

    fn publish(&self, id: &str, record: &[u8]) -> Result<()> {
        let location = self.location_of_record(id);
        match self.objects.put(&location, ObjectContents::Bytes(Bytes::copy_from_slice(record)), true) {
            Err(e) if e.kind() == lake::ErrorKind::Conflict => match self.objects.get(&location, None)? {
                // It is ours: the call was sent twice because the answer to the first was lost.
                Some(there) if there == record => Ok(()),
                _ => Err(record_exists(self.kind, id, &self.root)),
            },
            outcome => Ok(outcome?),
        }
    }

    fn ids(&self) -> Result<Vec<String>> {
        let records = self.records();
        let found = self.objects.list(&records)?;
        let id = |location: &str| location.strip_prefix(&records)?.strip_suffix(RECORD_ENDING).map(str::to_owned);
        let mut ids: Vec<String> = found.iter().filter_map(|found| id(&found.location)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn record(&self, id: &str) -> Result<Vec<u8>> {
        let contents = if is_name(id) { self.objects.get(&self.location_of_record(id), None)? } else { None };
        contents.map(|bytes| bytes.to_vec()).ok_or_else(|| no_such_record(self.kind, id, &self.root))
    }

    fn retract(&self, id: &str) -> Result<()> {
        let location = self.location_of_record(id);
        if !is_name(id) || self.objects.find(&location)?.is_none() {
            return Err(no_such_record(self.kind, id, &self.root));
        }
        Ok(self.objects.delete(&location)?)
    }

    fn objects(&self) -> Result<Vec<Object>> {
        let found = self.objects.list(&format!("{}/{}/", self.root, self.kind.objects()))?;
        let object = |found: lake::ObjectFound| {
            let sha256 = found.location.rsplit('/').next().unwrap_or_default().to_owned();
            Some(Object { sha256, bytes: found.bytes }).filter(Object::is_sound)
        };
        Ok(found.into_iter().filter_map(object).collect())
    }

    fn remove(&self, object: &Object) -> Result<()> {
        Ok(self.objects.delete(&self.location_of(object))?)
    }

    fn place(&self) -> String {
        self.root.clone()
    }
}

fn hash(contents: &mut dyn Read) -> std::io::Result<Object> {
    copy_hashing(contents, &mut sink()).map_err(|e| match e {
        Copying::Reading(e) | Copying::Writing(e) => e,
    })
}

/// An object from its first byte to its last.
struct Stretches<'a> {
    objects: &'a dyn ObjectStore,
    location: String,
    bytes: u64,
    next: u64,
    held: Cursor<Bytes>,
}

impl<'a> Stretches<'a> {
    fn new(objects: &'a dyn ObjectStore, location: String, bytes: u64) -> Stretches<'a> {
        Stretches { objects, location, bytes, next: 0, held: Cursor::default() }
    }

    /// `None` behind the last.
    fn next(&mut self) -> Result<Option<Bytes>> {
        if self.next >= self.bytes {
            return Ok(None);
        }
        let range = self.next..(self.next + READ_AT_ONCE_BYTES).min(self.bytes);
        self.next = range.end;
        let gone = || Error::new(ErrorKind::Io, format!("{} went away while it was read", self.location));
        self.objects.get(&self.location, Some(range))?.ok_or_else(gone).map(Some)
    }
}

impl Read for Stretches<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.held.read(buffer)?;
        if length > 0 || buffer.is_empty() {
            return Ok(length);
        }
        match self.next().map_err(std::io::Error::other)? {
            None => Ok(0),
            Some(stretch) => {
                self.held = Cursor::new(stretch);
                self.held.read(buffer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_in_a_bucket() {
        let place = |text: &str| bucket_place(Path::new(text)).map_err(|e| e.kind());
        assert_eq!(place("/var/backups"), Ok(None));
        assert_eq!(place("backups"), Ok(None));
        assert_eq!(place("s3://bucket"), Ok(Some("s3://bucket".to_owned())));
        assert_eq!(place("s3://bucket/a/b/"), Ok(Some("s3://bucket/a/b".to_owned())));
        for wrong in ["s3://", "s3:///a", "s3://bucket//a", "s3://bucket/../a"] {
            assert_eq!(place(wrong), Err(ErrorKind::Unprocessable), "{wrong}");
        }
    }
}
