//! The command line's clients. They speak HTTP to a running Tidemark like anyone else; what works on a folder of backups
//! alone needs none.

pub mod backup;
pub mod dashboards;
pub mod ingest;
mod input;
pub mod maintain;
pub mod query;

use reqwest::Response;

use crate::error::{Error, ErrorKind, Result};

/// Address of a Tidemark on this machine.
pub const DEFAULT_URL: &str = "http://127.0.0.1:3000";

/// Runs a client to its end.
fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// A request that found no one.
fn unreachable(url: &str, source: reqwest::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("no answer from {url}; is 'tidemark serve' running there?"))
        .because(source)
}

/// The answer, or the problem it tells.
async fn accepted(response: Response) -> Result<Response> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let problem: serde_json::Value = response.json().await.unwrap_or_default();
    let detail = problem["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
    let place = match (problem["line"].as_u64(), problem["column"].as_u64()) {
        (Some(line), Some(column)) => format!(" (line {line}, column {column})"),
        _ => String::new(),
    };
    Err(Error::new(ErrorKind::Unprocessable, format!("{detail}{place}")))
}
