//! Files on the local disk: names, reading, and making sure that what was written stays written.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};

use crate::{Error, ErrorKind, Result, objects::location_at};

const SCHEME: &str = "file://";

/// The location of a path as it stands in table metadata.
pub(crate) fn location_of(path: &Path) -> Result<String> {
    if let Some(location) = location_at(path) {
        return Ok(location.to_owned());
    }
    let text = path.to_str().ok_or_else(|| {
        Error::internal("the lake's folder needs a name in UTF-8, for it is written into table metadata")
            .with("path", path.display())
    })?;
    Ok(format!("{SCHEME}{text}"))
}

/// The path a location in table metadata names; of an object, the location.
pub(crate) fn path_of(location: &str) -> PathBuf {
    PathBuf::from(location.strip_prefix(SCHEME).unwrap_or(location))
}

/// Reads the whole file at a location, off the executor.
pub(crate) async fn read(location: &str) -> Result<Vec<u8>> {
    let path = path_of(location);
    blocking(move || fs::read(&path).map_err(|e| Error::io("read a file", &path, e))).await
}

/// Opens a data file. Fails with `Unreachable`, and names the folder, where it is the file's folder that is not there.
pub(crate) fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| match path.parent() {
        Some(folder) if e.kind() == std::io::ErrorKind::NotFound && !folder.exists() => {
            let message = format!(
                "the folder {} is not there, and files of the lake lie in it; mount its disk or put it back, then try \
                 again",
                folder.display()
            );
            Error::new(ErrorKind::Unreachable, message).with("path", path.display()).because(e)
        }
        _ => Error::io("open a file", path, e),
    })
}

/// Writes a new file and syncs it. Its folder has to be synced by the caller, once for all files in it.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|e| Error::io("write a file", path, e))
}

/// Syncs a file or a folder that is there already.
pub(crate) fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|e| Error::io("sync to disk", path, e))
}

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| Error::io("create a folder", path, e))
}

/// Priority of background work, of 0 to 99: niceness 15 on Linux, which leaves it a thirtieth of what a busy thread of the
/// pipeline gets.
const BACKGROUND_PRIORITY: u8 = 10;

/// Runs long work of the background on a thread of its own, behind all others. A panic in it becomes an error.
pub(crate) async fn on_own_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let run = move || {
        if let Ok(priority) = ThreadPriorityValue::try_from(BACKGROUND_PRIORITY) {
            // Where that is not allowed the work is done all the same.
            let _ = set_current_thread_priority(ThreadPriority::Crossplatform(priority));
        }
        // Nobody listens any more only where the runtime is shutting down.
        let _ = sender.send(work());
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|e| Error::new(ErrorKind::Io, "no thread could be started").because(e))?;
    receiver.await.map_err(|e| Error::internal("work in the background did not end").because(e))?
}

/// Runs work that blocks or computes for long away from the executor's threads. A panic in it becomes an error.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => Err(Error::internal("work in the background did not end").because(join)),
    }
}
