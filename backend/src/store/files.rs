//! Files and their contents: what is written down of them, keeping those that are new, checking them, and putting them
//! back.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind as IoErrorKind, Read, Write, sink},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use lake::{LakeSource, ObjectStore};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Store, fetch};
use crate::error::{Error, ErrorKind, Result};

const COPIED_AT_ONCE_BYTES: usize = 1 << 20;

/// A file of a backup or savepoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its place, from the data folder, with `/` between the parts.
    pub path: String,
    /// What is in it.
    #[serde(flatten)]
    pub object: Object,
    /// When it was last written, in nanoseconds since 1970.
    pub modified_nanos: u64,
}

/// Contents, by their hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Object {
    /// SHA-256, 64 lowercase hexadecimal digits.
    pub sha256: String,
    /// How much it is.
    pub bytes: u64,
}

impl Object {
    /// Whether it is named as contents are.
    pub fn is_sound(&self) -> bool {
        let digits = self.sha256.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        digits && self.sha256.len() == 64
    }
}

impl FileRecord {
    /// Whether its place lies inside the folder it is restored into, and its contents are named as contents are.
    pub fn is_sound(&self) -> bool {
        let inside = self.path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        inside && self.object.is_sound()
    }
}

/// A file to be kept.
pub struct Source {
    /// Its place, from the data folder.
    pub place: String,
    /// Where it can be read.
    pub contents: LakeSource,
    /// Whether a file of this name never changes.
    pub immutable: bool,
}

/// What keeping files came to.
#[derive(Debug, Default)]
pub struct Kept {
    /// The files, in the order they were given.
    pub files: Vec<FileRecord>,
    /// Files whose contents were not in the store before.
    pub new_files: u64,
    /// Their bytes.
    pub new_bytes: u64,
}

/// Puts files into a store. One is not read where it never changes and stands in `earlier`, ordered by place, with the
/// same size and time. What lies in a bucket is brought to `scratch` first. Fails with `Unavailable` where it is told to
/// stop; what was copied is of use to the next.
pub fn keep_files(
    store: &dyn Store,
    sources: &[Source],
    earlier: &[FileRecord],
    objects: &dyn ObjectStore,
    scratch: &Path,
    stopping: &CancellationToken,
) -> Result<Kept> {
    let known = |source: &Source, bytes: u64, modified_nanos: u64| {
        let index = earlier.binary_search_by(|file| file.path.as_str().cmp(&source.place)).ok()?;
        // Another file can have come to the same name and size after a restore, but not to the same time.
        earlier
            .get(index)
            .filter(|file| source.immutable && file.object.bytes == bytes && file.modified_nanos == modified_nanos)
    };
    let mut kept = Kept::default();
    for source in sources {
        if stopping.is_cancelled() {
            let message = "Tidemark is stopping, so it was given up; what was copied is of use to the next";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let (bytes, modified_nanos) = size_and_time(&source.contents)?;
        let object = match known(source, bytes, modified_nanos) {
            Some(file) if store.has(&file.object)? => file.object.clone(),
            _ => {
                let (object, new) = put(store, &source.contents, objects, scratch)?;
                kept.new_files += u64::from(new);
                kept.new_bytes += if new { object.bytes } else { 0 };
                object
            }
        };
        kept.files.push(FileRecord { path: source.place.clone(), object, modified_nanos });
    }
    Ok(kept)
}

/// Puts contents into a store, wherever they lie.
fn put(store: &dyn Store, contents: &LakeSource, objects: &dyn ObjectStore, scratch: &Path) -> Result<(Object, bool)> {
    match contents {
        LakeSource::File(path) => store.put(path),
        LakeSource::Object { location, bytes } => {
            fetch(objects, location, *bytes, scratch)?;
            store.put(scratch)
        }
    }
}

/// Size in bytes, and nanoseconds since 1970 at which it was last written. An object never is again, nor is its name given
/// twice.
pub fn size_and_time(contents: &LakeSource) -> Result<(u64, u64)> {
    let path = match contents {
        LakeSource::File(path) => path,
        LakeSource::Object { bytes, .. } => return Ok((*bytes, 0)),
    };
    let metadata = fs::metadata(path).map_err(|e| cannot_read(path, e))?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((metadata.len(), u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX)))
}

/// What reading files whole found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The backup or savepoint.
    pub id: String,
    /// Its files.
    pub files: u64,
    /// Different contents, each read once.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Files whose contents are missing.
    pub missing: Vec<String>,
    /// Files whose contents are not what was kept.
    pub altered: Vec<String>,
    /// Those contents. What has the same is not stored anew while they are there.
    pub altered_objects: Vec<String>,
}

impl Verification {
    /// Whether all is there as it was kept.
    pub fn holds(&self) -> bool {
        self.missing.is_empty() && self.altered.is_empty()
    }

    /// What is wrong, for a sentence; empty where all is there.
    pub fn faults(&self) -> String {
        let faults = |what: &str, files: &[String]| match files.first() {
            None => String::new(),
            Some(first) => format!("; {} {what}, first {first}", files.len()),
        };
        faults("missing", &self.missing) + &faults("altered", &self.altered)
    }
}

/// The condition of contents.
enum Condition {
    Whole,
    Missing,
    Altered,
}

/// Reads all contents of some files and compares their hashes.
pub fn verify(store: &dyn Store, id: &str, files: &[FileRecord]) -> Result<Verification> {
    let mut by_object: BTreeMap<&Object, Vec<&FileRecord>> = BTreeMap::new();
    for file in files {
        by_object.entry(&file.object).or_default().push(file);
    }
    let mut found = Verification {
        id: id.to_owned(),
        files: files.len() as u64,
        objects: by_object.len() as u64,
        bytes: 0,
        missing: Vec::new(),
        altered: Vec::new(),
        altered_objects: Vec::new(),
    };
    for (object, files) in by_object {
        let places = files.iter().map(|file| file.path.clone());
        match condition(store, object)? {
            Condition::Whole => found.bytes += object.bytes,
            Condition::Missing => found.missing.extend(places),
            Condition::Altered => {
                found.altered.extend(places);
                found.altered_objects.push(object.sha256.clone());
            }
        }
    }
    Ok(found)
}

fn condition(store: &dyn Store, object: &Object) -> Result<Condition> {
    let Some(mut contents) = store.open(object)? else { return Ok(Condition::Missing) };
    match copy_hashing(&mut *contents, &mut sink()) {
        Ok(found) if found == *object => Ok(Condition::Whole),
        Ok(_) => Ok(Condition::Altered),
        Err(Copying::Reading(e) | Copying::Writing(e)) => Err(unreadable(store, object, &e)),
    }
}

/// Writes one file to a new place, durably, and checks what was written against its hash. `otherwise` tells what to do
/// where contents are missing or altered.
///
/// Fails with `Unprocessable` where they are, and with `Io` where the place cannot be written.
pub fn write(store: &dyn Store, file: &FileRecord, path: &Path, otherwise: &str) -> Result<()> {
    let spoilt = |what: &str| {
        let (place, hash) = (store.place(), &file.object.sha256);
        let message = format!("{} is {what} in {place} (object {hash}); nothing was restored, {otherwise}", file.path);
        Error::new(ErrorKind::Unprocessable, message)
    };
    let unwritable = |e| Error::new(ErrorKind::Io, format!("{} cannot be written: {e}", path.display()));
    let mut contents = store.open(&file.object)?.ok_or_else(|| spoilt("missing"))?;
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(unwritable)?;
    let mut written = File::create_new(path).map_err(unwritable)?;
    let found = copy_hashing(&mut *contents, &mut written).map_err(|e| match e {
        Copying::Reading(e) => unreadable(store, &file.object, &e),
        Copying::Writing(e) => unwritable(e),
    })?;
    if found != file.object {
        return Err(spoilt("altered"));
    }
    written.sync_all().map_err(unwritable)
}

fn unreadable(store: &dyn Store, object: &Object, source: &std::io::Error) -> Error {
    let message = format!("object {} in {} cannot be read: {source}", object.sha256, store.place());
    Error::new(ErrorKind::Io, message)
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

/// A file that was to be kept cannot be read.
pub(super) fn cannot_read(path: &Path, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{} cannot be read to be kept: {source}", path.display()))
}

/// The files of a database as RocksDB keeps them: tables never change, all others may. What it writes about itself and
/// does not need is left out.
pub fn files_of_database(name: &str, folder: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default().to_owned();
        if file == "LOCK" || file.starts_with("LOG") {
            continue;
        }
        let immutable = path.extension().is_some_and(|ending| ending == "sst");
        sources.push(Source { place: format!("{name}/{file}"), contents: LakeSource::File(path), immutable });
    }
    sources.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(sources)
}
