//! A server that closes epochs soon, for tests that wait for many commits one after the other.

use std::{fs, sync::Arc};

use tempfile::TempDir;

use crate::support::{Environment, Server};

/// A server over an empty folder.
pub fn start() -> Server {
    start_on(Arc::new(TempDir::new().expect("a temporary folder can be made")))
}

/// A server over this folder.
pub fn start_on(data: Arc<TempDir>) -> Server {
    start_with(data, "")
}

/// A server over this folder, with further lines of the settings file.
pub fn start_with(data: Arc<TempDir>, further: &str) -> Server {
    start_in(data, further, &[])
}

/// The same with further environment variables.
pub fn start_in(data: Arc<TempDir>, further: &str, environment: Environment<'_>) -> Server {
    let settings = data.path().join("settings.toml");
    fs::write(&settings, format!("epoch_interval_ms = 20\n{further}\n")).expect("the settings can be written");
    let settings = settings.to_str().expect("a readable path").to_owned();
    Server::start_in(data, &["--config", &settings], environment)
}
