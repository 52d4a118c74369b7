//! `/api/v1/backups`: taking a backup into a folder of the server's machine, and what backups a folder holds.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
};
use lake::ObjectStore;
use model::Instant;
use serde::{Deserialize, Serialize};

use super::{ApiState, access::Action, events::whole};
use crate::{
    backup::{BackupRecord, BackupReport},
    error::{Error, ErrorKind, Result},
    store::{BACKUPS, bucket_place, open_store},
};

/// Which folder.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Absolute, on the server's machine, or `s3://bucket/prefix`.
    pub folder: PathBuf,
}

/// The backups in a folder.
#[derive(Debug, Serialize, Deserialize)]
pub struct Held {
    /// Oldest first.
    pub backups: Vec<Summary>,
}

/// A backup without its files.
#[derive(Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Its name.
    pub id: String,
    /// The lake, as in its snapshot tokens.
    pub lake: String,
    /// The last epoch in it; 0 before the first.
    pub epoch: u64,
    /// The system time of that epoch.
    pub system_time: Option<Instant>,
    /// When it was taken.
    pub taken: Instant,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// `POST /api/v1/backups`. Answers when the backup is whole; it goes on where the asker leaves.
pub async fn take(State(state): State<ApiState>, headers: HeaderMap, body: Body) -> Result<Json<BackupReport>> {
    state.access.authorise(&headers, Action::Write)?;
    let body = whole(body).await?;
    let Place { folder } = serde_json::from_slice(&body).map_err(|e| {
        let kind = if e.is_data() { ErrorKind::Unprocessable } else { ErrorKind::BadRequest };
        Error::new(kind, format!("the body is not {{\"folder\": \"/where/backups/are\"}}: {e}"))
    })?;
    Ok(Json(state.backups.take(&folder).await?))
}

/// `GET /api/v1/backups?folder=…`
pub async fn list(
    State(state): State<ApiState>,
    headers: HeaderMap,
    parameters: Result<Query<Place>, QueryRejection>,
) -> Result<Json<Held>> {
    state.access.authorise(&headers, Action::Read)?;
    let not_understood = |_| Error::new(ErrorKind::BadRequest, "the one parameter is folder=/where/backups/are");
    let Query(Place { folder }) = parameters.map_err(not_understood)?;
    if bucket_place(&folder)?.is_none() && !folder.is_absolute() {
        let message = format!("the backup folder {} has to be absolute, or like s3://bucket/prefix", folder.display());
        return Err(Error::new(ErrorKind::Unprocessable, message));
    }
    let listed = tokio::task::spawn_blocking(move || summaries(&folder, &state.backups.objects())).await;
    let backups = listed.map_err(|e| Error::new(ErrorKind::Internal, "the folder was not read").because(e))??;
    Ok(Json(Held { backups }))
}

/// The backups in a folder or bucket, oldest first. Fails with `NotFound` where it holds none.
pub fn summaries(folder: &Path, objects: &Arc<dyn ObjectStore>) -> Result<Vec<Summary>> {
    let store = open_store(folder, BACKUPS, objects)?;
    let summary = |id: String| {
        let record = BackupRecord::read(&id, &store.record(&id)?)?;
        let (files, bytes) = (record.files.len() as u64, record.bytes());
        let BackupRecord { id, lake, epoch, system_time, taken, .. } = record;
        Ok(Summary { id, lake, epoch, system_time, taken, files, bytes })
    };
    store.ids()?.into_iter().map(summary).collect()
}
