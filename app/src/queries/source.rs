//! Where a version came from: the epoch, its place in the stream, and the records as they came.

use model::Instant;
use serde::Deserialize;

use super::client::fetch_text;
use crate::{dashboards::FilterValue, format::time};

/// The source of something that became known.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct VersionSource {
    /// The epoch in which it became known.
    pub epoch: u64,
    /// Its records lie behind this position of the stream,
    pub after: u64,
    /// up to this one.
    pub up_to: u64,
    /// Records that the epoch took in.
    pub records: u64,
    /// Whether the stream still has them.
    pub kept: bool,
    /// Those of the key, as they came.
    pub events: Vec<SourceEvent>,
}

/// A record of the stream.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SourceEvent {
    /// Its request.
    pub position: u64,
    /// Its line in the request.
    pub line: u32,
    /// When it was acknowledged.
    pub arrival: Instant,
    /// Its text.
    pub raw: String,
}

/// Asks where what a dataset says of a key came from. The error is a sentence for the user.
pub async fn source_of(dataset: String, key: Vec<FilterValue>, known_micros: i64) -> Result<VersionSource, String> {
    let key: Vec<String> = key.into_iter().map(Option::unwrap_or_default).collect();
    let key = serde_json::to_string(&key).map_err(|error| error.to_string())?;
    let part = |text: &str| js_sys::encode_uri_component(text);
    let (dataset, key) = (part(&dataset), part(&key));
    let known = time::iso(known_micros);
    let told = fetch_text(&format!("/api/v1/datasets/{dataset}/source?system_time={known}&key={key}")).await?;
    // No epoch has that time.
    let told =
        told.ok_or("it came with an import of history, which brings times of its own and no record in the stream")?;
    serde_json::from_str(&told).map_err(|error| error.to_string())
}
