//! Backups in a bucket, with the layout of a folder of them, and which of the two a place is.

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
    record::Object,
    store::{Copying, FolderStore, RECORD_ENDING, Store, cannot_read, copy_hashing},
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

/// The backups at a place, a folder or in a bucket. Fails with `NotFound` where it holds none.
pub fn open_store(place: &Path, objects: &Arc<dyn ObjectStore>) -> Result<Box<dyn Store>> {
    let Some(root) = bucket_place(place)? else { return Ok(Box::new(FolderStore::open(place)?)) };
    let store = BucketStore { objects: objects.clone(), root };
    if store.ids()?.is_empty() {
        let message = format!("{} holds no backups; name the place that backups were taken into", store.root);
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    Ok(Box::new(store))
}

/// The backups at a place, which is a folder that is made where it is missing, or in a bucket that is there.
pub fn create_store(place: &Path, objects: &Arc<dyn ObjectStore>) -> Result<Box<dyn Store>> {
    match bucket_place(place)? {
        None => Ok(Box::new(FolderStore::create(place)?)),
        Some(root) => {
            let store = BucketStore { objects: objects.clone(), root };
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

/// Backups in a bucket.
struct BucketStore {
    objects: Arc<dyn ObjectStore>,
    root: String,
}

impl BucketStore {
    fn location_of(&self, object: &Object) -> String {
        let start = object.sha256.get(..2).unwrap_or_default();
        format!("{}/objects/{start}/{}", self.root, object.sha256)
    }

    fn records(&self) -> String {
        format!("{}/backups/", self.root)
    }
}

impl Store for BucketStore {
    /// Nothing to hold: an object is there whole or not at all, contents have the name of their hash and a record must
    /// have a new one. So whoever writes at the same time writes the same or something else, and never half of it. A lock
    /// would have to expire by a clock, and would protect less.
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
        let location = format!("{}{id}{RECORD_ENDING}", self.records());
        self.objects.put(&location, ObjectContents::Bytes(Bytes::copy_from_slice(record)), true).map_err(|e| {
            match e.kind() {
                lake::ErrorKind::Conflict => {
                    Error::new(ErrorKind::Conflict, format!("there is a backup {id} in {} already", self.root))
                }
                _ => e.into(),
            }
        })
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
        let contents = match self.ids()?.iter().any(|known| known == id) {
            true => self.objects.get(&format!("{}{id}{RECORD_ENDING}", self.records()), None)?,
            false => None,
        };
        contents.map(|bytes| bytes.to_vec()).ok_or_else(|| {
            let message = format!("there is no backup {id} in {}; --list shows those there are", self.root);
            Error::new(ErrorKind::NotFound, message)
        })
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
