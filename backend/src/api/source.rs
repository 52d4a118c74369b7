//! `GET /api/v1/datasets/{name}/source`: the epoch in which something became known, where that lies in the stream, and the
//! records themselves as they came, as long as the stream keeps them.

use std::sync::Arc;

use adapters::EmbeddedStream;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::HeaderMap,
};
use engine::{
    Decoder,
    event_batch::{EventBatch, Place},
    ports::{Range, Source as _},
};
use lake::Dataset;
use model::Instant;
use serde::{Deserialize, Serialize};

use super::{ApiState, access::Action};
use crate::error::{Error, ErrorKind, Result};

/// Most records given.
const RECORDS_MAX: usize = 100;

/// Which source is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// When it became known.
    system_time: String,
    /// The values of the key as a JSON array of texts; records of all keys without.
    key: Option<String>,
}

/// Where something came from.
#[derive(Debug, Serialize)]
pub struct SourceOf {
    /// The epoch.
    epoch: u64,
    /// Its system time.
    system_time: Instant,
    /// Positions of the stream it took in: behind this one,
    after: u64,
    /// up to this one.
    up_to: u64,
    /// Records it took in, of all datasets.
    records: u64,
    /// Whether the stream still has all of them.
    kept: bool,
    /// Those of the dataset and the key, the first of them.
    events: Vec<SourceEvent>,
}

/// A record as it came.
#[derive(Debug, Serialize)]
pub struct SourceEvent {
    /// Its request in the stream.
    position: u64,
    /// Its line in the request.
    line: u32,
    /// When it was acknowledged.
    arrival: Instant,
    /// Its text.
    raw: String,
}

/// The source of what became known at a system time.
pub async fn show(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    asked: std::result::Result<Query<Asked>, QueryRejection>,
) -> Result<Json<SourceOf>> {
    state.access.authorise(&headers, Action::Read)?;
    let bad = |message: String| Error::new(ErrorKind::BadRequest, message);
    let Query(asked) = asked.map_err(|e| bad(format!("the address holds system_time, and may hold key: {e}")))?;
    let system_time = Instant::parse(&asked.system_time).map_err(|e| bad(format!("system_time: {e}")))?;
    let key: Option<Vec<String>> = asked
        .key
        .as_deref()
        .map(serde_json::from_str)
        .transpose()
        .map_err(|e| bad(format!("key is a JSON array with a text for each key column: {e}")))?;
    let missing = |message: String| Error::new(ErrorKind::NotFound, message);
    let dataset = state.lake.dataset(&name).ok_or_else(|| missing(format!("there is no dataset '{name}'")))?;
    let (record, after) = state.lake.epoch_at(system_time).await?.ok_or_else(|| {
        missing(format!(
            "no epoch has system time {system_time}; what a history import brings carries times of its own"
        ))
    })?;
    let range = Range { after, up_to: record.position };
    let stream = state.stream.clone();
    let read = tokio::task::spawn_blocking(move || events(&stream, &dataset, range, key.as_deref()));
    let (kept, events) =
        read.await.map_err(|e| Error::new(ErrorKind::Internal, "the stream was not read").because(e))??;
    let model::EpochRecord { epoch, position: up_to, records, .. } = record;
    Ok(Json(SourceOf { epoch, system_time, after, up_to, records, kept, events }))
}

/// The first records of a dataset and a key in a range, in order, and whether the stream still has all of the range.
fn events(
    stream: &EmbeddedStream,
    dataset: &Dataset,
    range: Range,
    key: Option<&[String]>,
) -> Result<(bool, Vec<SourceEvent>)> {
    let kept = stream.retained()?.released_up_to <= range.after;
    let decoder = Decoder::new(Arc::new(dataset.definition.clone()), &dataset.columns);
    let mut events = Vec::new();
    for partition in 0..stream.partitions() {
        let mut found = Vec::new();
        stream.read(partition, range, &mut |record| {
            let place = Place { position: record.position, line: record.line };
            let wanted = record.dataset_id == dataset.id && found.len() < RECORDS_MAX;
            if wanted && key.is_none_or(|key| has_key(&decoder, record.bytes, place, key)) {
                let raw = String::from_utf8_lossy(record.bytes).into_owned();
                found.push(SourceEvent { position: place.position, line: place.line, arrival: record.arrival, raw });
            }
            Ok(())
        })?;
        events.extend(found);
    }
    events.sort_by_key(|event| (event.position, event.line));
    events.truncate(RECORDS_MAX);
    Ok((kept, events))
}

/// Whether an event of a record has this key, as texts.
fn has_key(decoder: &Decoder, line: &[u8], place: Place, key: &[String]) -> bool {
    let mut batch = EventBatch::new(decoder.definition());
    if decoder.decode(line, place, false, &mut batch).is_err() {
        return false;
    }
    let rows = batch.len();
    let columns = batch.finish_columns();
    let options = FormatOptions::new();
    let same = |row: usize| {
        columns.iter().zip(key).all(|(column, wanted)| {
            ArrayFormatter::try_new(column, &options).is_ok_and(|text| text.value(row).to_string() == *wanted)
        })
    };
    (0..rows).any(same)
}
