//! Objects: data files that lie in a bucket and not on a disk. What the lake asks of a store of them, and how it reads
//! files from wherever they lie.
//!
//! The path of an object is its location, `s3://bucket/key`. An object, like a file, never changes.

use std::{
    collections::VecDeque,
    fmt,
    fs::File,
    io::{BufReader, Cursor, Read},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use parquet::{
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::ParquetMetaData,
        reader::{ChunkReader, Length},
    },
};

use crate::{Error, ErrorKind, Result, files, scan_plan::leaf_of};

const SCHEME: &str = "s3://";
/// What is read of the end of an object at once: footer and page index of most files.
const TAIL_BYTES: u64 = 256 << 10;
/// Column chunks are read together where what lies between them is not more than this.
const GAP_BYTES: u64 = 1 << 20;

/// A store of objects, which are named by their location: `s3://bucket/key`. Every call blocks, and any thread may wait
/// for it. It tries again by itself for a while; errors are `Unreachable` after that and say what to do.
pub trait ObjectStore: fmt::Debug + Send + Sync {
    /// Stores an object. Where it has to be `new` and there is one already, fails with `Conflict`.
    fn put(&self, location: &str, contents: ObjectContents, new: bool) -> Result<()>;

    /// An object, or a range of its bytes; `None` where there is none.
    fn get(&self, location: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>>;

    /// What is known of an object without reading it; `None` where there is none.
    fn find(&self, location: &str) -> Result<Option<ObjectFound>>;

    /// All objects whose locations begin so.
    fn list(&self, prefix: &str) -> Result<Vec<ObjectFound>>;

    /// Removes an object. One that is not there is no error.
    fn delete(&self, location: &str) -> Result<()>;
}

/// What an object is made of.
#[derive(Debug, Clone)]
pub enum ObjectContents {
    /// These bytes.
    Bytes(Bytes),
    /// What is in a file.
    File(PathBuf),
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFound {
    /// Where.
    pub location: String,
    /// Its size.
    pub bytes: u64,
    /// When it was stored, in seconds since 1970.
    pub written_secs: i64,
}

/// The location a path names, where it names an object.
pub(crate) fn location_at(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.starts_with(SCHEME))
}

/// Data files, wherever they lie.
#[derive(Debug, Clone, Default)]
pub(crate) struct DataFiles {
    objects: Option<Arc<dyn ObjectStore>>,
}

impl DataFiles {
    pub(crate) fn new(objects: Option<Arc<dyn ObjectStore>>) -> DataFiles {
        DataFiles { objects }
    }

    /// The store of objects. Fails with `Unreachable` where the lake was opened without one.
    pub(crate) fn objects(&self) -> Result<&Arc<dyn ObjectStore>> {
        let message = "files of the lake lie in a bucket, and it was opened without access to any";
        self.objects.as_ref().ok_or_else(|| Error::new(ErrorKind::Unreachable, message))
    }

    /// The whole of a file. Fails with `Unreachable` where its folder or bucket cannot be reached.
    pub(crate) fn read(&self, path: &Path) -> Result<Bytes> {
        if let Some(location) = location_at(path) {
            return self.objects()?.get(location, None)?.ok_or_else(|| missing(location));
        }
        let mut bytes = Vec::new();
        files::open(path)?.read_to_end(&mut bytes).map_err(|e| Error::io("read a file", path, e))?;
        Ok(Bytes::from(bytes))
    }

    /// A file whose footer is to be read. Errors as [`DataFiles::read`].
    pub(crate) fn open(&self, path: &Path) -> Result<Contents> {
        let Some(location) = location_at(path) else { return Ok(Contents::Disk(files::open(path)?)) };
        let objects = self.objects()?;
        let bytes = objects.find(location)?.ok_or_else(|| missing(location))?.bytes;
        Ok(Contents::Object(Object::new(objects, location, bytes)))
    }

    /// A file that is to be read from its first row to its last. Errors as [`DataFiles::read`].
    pub(crate) fn open_whole(&self, path: &Path) -> Result<Contents> {
        match location_at(path) {
            None => Ok(Contents::Disk(files::open(path)?)),
            Some(_) => Ok(Contents::Memory(self.read(path)?)),
        }
    }

    /// A file of which some columns of a row group are to be read. Of an object they are read here, all of them, because
    /// decoding would hide what kind of error it met. Errors as [`DataFiles::read`].
    pub(crate) fn open_row_group<'a>(
        &self,
        path: &Path,
        metadata: &ParquetMetaData,
        group: usize,
        columns: impl Iterator<Item = &'a str>,
    ) -> Result<Contents> {
        let Some(location) = location_at(path) else { return Ok(Contents::Disk(files::open(path)?)) };
        let object = Object::new(self.objects()?, location, 0);
        let group = metadata.row_group(group);
        let leaves = columns.filter_map(|column| leaf_of(metadata, column));
        let chunks = leaves.map(|leaf| {
            let (start, length) = group.column(leaf).byte_range();
            start..start + length
        });
        for range in together(chunks.collect()) {
            object.fetch(range)?;
        }
        Ok(Contents::Object(object))
    }
}

fn missing(location: &str) -> Error {
    Error::corrupt("a data file is missing in its bucket; restore a backup that has it").with("location", location)
}

/// Ranges in order, those that lie close together as one.
fn together(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end + GAP_BYTES => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// A data file as Parquet is read from it.
pub(crate) enum Contents {
    Disk(File),
    Memory(Bytes),
    Object(Object),
}

/// An object, with the stretches of it that were read.
pub(crate) struct Object {
    objects: Arc<dyn ObjectStore>,
    location: String,
    bytes: u64,
    held: Mutex<VecDeque<(u64, Bytes)>>,
}

impl Object {
    fn new(objects: &Arc<dyn ObjectStore>, location: &str, bytes: u64) -> Object {
        Object { objects: objects.clone(), location: location.to_owned(), bytes, held: Mutex::default() }
    }

    /// Reads a stretch, to be held.
    fn fetch(&self, range: Range<u64>) -> Result<()> {
        let bytes = self.objects.get(&self.location, Some(range.clone()))?.ok_or_else(|| missing(&self.location))?;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push_front((range.start, bytes));
        Ok(())
    }

    /// What is held from a place on, of at least so many bytes.
    fn held_from(&self, start: u64, length: usize) -> Option<Bytes> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().find_map(|(first, bytes)| {
            let offset = usize::try_from(start.checked_sub(*first)?).ok()?;
            (offset.checked_add(length)? <= bytes.len() && offset < bytes.len()).then(|| bytes.slice(offset..))
        })
    }

    fn from(&self, start: u64, length: usize) -> Result<Bytes> {
        if let Some(held) = self.held_from(start, length) {
            return Ok(held);
        }
        let end = start + length as u64;
        let in_tail = end + TAIL_BYTES > self.bytes && end <= self.bytes;
        let range = if in_tail { start.min(self.bytes.saturating_sub(TAIL_BYTES))..self.bytes } else { start..end };
        self.fetch(range)?;
        self.held_from(start, length).ok_or_else(|| Error::internal("a stretch of an object is not what was asked for"))
    }
}

impl Length for Contents {
    fn len(&self) -> u64 {
        match self {
            Contents::Disk(file) => file.len(),
            Contents::Memory(bytes) => bytes.len() as u64,
            Contents::Object(object) => object.bytes,
        }
    }
}

impl ChunkReader for Contents {
    type T = Stretch;

    fn get_read(&self, start: u64) -> ParquetResult<Stretch> {
        match self {
            Contents::Disk(file) => file.get_read(start).map(Stretch::Disk),
            Contents::Memory(bytes) => {
                self.get_bytes(start, bytes.len().saturating_sub(start as usize)).map(Stretch::of)
            }
            Contents::Object(object) => object.from(start, 1).map(Stretch::of).map_err(external),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Contents::Disk(file) => file.get_bytes(start, length),
            Contents::Memory(bytes) => bytes.get_bytes(start, length),
            Contents::Object(object) => object.from(start, length).map(|held| held.slice(..length)).map_err(external),
        }
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// What is read of a data file from one place on.
pub(crate) enum Stretch {
    Disk(BufReader<File>),
    Memory(Cursor<Bytes>),
}

impl Stretch {
    fn of(bytes: Bytes) -> Stretch {
        Stretch::Memory(Cursor::new(bytes))
    }
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stretch::Disk(file) => file.read(buffer),
            Stretch::Memory(bytes) => bytes.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_that_lie_close_are_read_together() {
        let far = 10 * GAP_BYTES;
        assert_eq!(together(vec![far..far + 5, 0..10, 20..30, 5..15]), [0..30, far..far + 5]);
        assert!(together(Vec::new()).is_empty());
    }
}
