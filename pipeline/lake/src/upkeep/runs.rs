//! What upkeep has done, kept in the catalog: each run with before and after, and the digest an auditor can check.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use model::Instant;
use serde::{Deserialize, Serialize};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::digest::PlaneDigest;
use crate::{
    Error, Lake, Result,
    catalog::{Catalog, signed, unsigned},
    files::{location_of, path_of},
};

/// What a piece of upkeep does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpkeepKind {
    /// Appended rows become exact rectangles.
    Compaction,
    /// Small appended files become few.
    Merge,
    /// Files of rows that are known no longer go to the archive.
    Archive,
    /// Old snapshots, and files that nothing refers to, go.
    Expiry,
}

impl fmt::Display for UpkeepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UpkeepKind::Compaction => "compaction",
            UpkeepKind::Merge => "merge",
            UpkeepKind::Archive => "archive",
            UpkeepKind::Expiry => "expiry",
        })
    }
}

impl FromStr for UpkeepKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<UpkeepKind> {
        [UpkeepKind::Compaction, UpkeepKind::Merge, UpkeepKind::Archive, UpkeepKind::Expiry]
            .into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| Error::corrupt("the catalog names an unknown kind of upkeep").with("kind", text))
    }
}

/// One run of upkeep on one dataset, done or failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpkeepRun {
    /// A UUID.
    pub run: String,
    /// What was done.
    pub kind: UpkeepKind,
    /// The dataset.
    pub dataset: String,
    /// Why.
    pub reason: String,
    /// When it began, by this machine's clock.
    pub started: Instant,
    /// How long it took.
    pub duration_micros: u64,
    /// What went wrong; none where it was done. A failed run has changed nothing.
    pub error: Option<String>,
    /// The last committed system time when it began: all rows known by then were looked at.
    pub system_time: Option<Instant>,
    /// Files of the dataset before.
    pub files_before: u64,
    /// And after.
    pub files_after: u64,
    /// Rows in them before.
    pub rows_before: u64,
    /// And after.
    pub rows_after: u64,
    /// Their bytes before.
    pub bytes_before: u64,
    /// And after.
    pub bytes_after: u64,
    /// Digest of the plane as it was known at `system_time`, the same before and after; of a compaction.
    pub digest: Option<String>,
}

/// A file's digest, kept beside the table.
#[derive(Debug, Clone)]
pub(crate) struct FileDigest {
    pub(crate) location: String,
    pub(crate) digest: PlaneDigest,
}

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS tidemark_upkeep_runs (
  run TEXT PRIMARY KEY, kind TEXT NOT NULL, dataset TEXT NOT NULL, reason TEXT NOT NULL, started INTEGER NOT NULL,
  duration_micros INTEGER NOT NULL, error TEXT, system_time INTEGER, files_before INTEGER NOT NULL,
  files_after INTEGER NOT NULL, rows_before INTEGER NOT NULL, rows_after INTEGER NOT NULL,
  bytes_before INTEGER NOT NULL, bytes_after INTEGER NOT NULL, digest TEXT);
CREATE INDEX IF NOT EXISTS tidemark_upkeep_runs_by_dataset ON tidemark_upkeep_runs (dataset, started);
CREATE TABLE IF NOT EXISTS tidemark_file_digests (location TEXT PRIMARY KEY, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tidemark_replaced_files (
  location TEXT PRIMARY KEY, dataset TEXT NOT NULL, replaced INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tidemark_archive (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), name TEXT NOT NULL);
";

impl Lake {
    /// The last runs of upkeep, latest first; of one dataset or of all.
    pub async fn upkeep_runs(&self, dataset: Option<&str>, limit: u32) -> Result<Vec<UpkeepRun>> {
        self.shared.catalog.upkeep_runs(dataset, limit).await
    }
}

impl Catalog {
    pub(crate) async fn upkeep_runs(&self, dataset: Option<&str>, limit: u32) -> Result<Vec<UpkeepRun>> {
        let rows = sqlx::query(
            "SELECT * FROM tidemark_upkeep_runs WHERE coalesce(dataset = ?, true) ORDER BY started DESC, run DESC LIMIT ?",
        )
        .bind(dataset)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(upkeep_run).collect()
    }

    pub(crate) async fn upkeep_run_is_there(&self, run: &str) -> Result<bool> {
        let found = sqlx::query("SELECT 1 FROM tidemark_upkeep_runs WHERE run = ?")
            .bind(run)
            .fetch_optional(self.pool())
            .await?;
        Ok(found.is_some())
    }

    /// Keeps a run that committed nothing.
    pub(crate) async fn keep_upkeep_run(&self, run: &UpkeepRun) -> Result<()> {
        let mut transaction = self.writing().await?;
        insert_run(&mut transaction, run).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Since when files of a dataset are replaced by others.
    pub(crate) async fn replaced_files(&self, dataset: &str) -> Result<HashMap<PathBuf, SystemTime>> {
        let rows = sqlx::query("SELECT location, replaced FROM tidemark_replaced_files WHERE dataset = ?")
            .bind(dataset)
            .fetch_all(self.pool())
            .await?;
        rows.iter()
            .map(|row| {
                let since = Duration::from_micros(unsigned(row.try_get(1)?)?);
                Ok((path_of(&row.try_get::<String, _>(0)?), UNIX_EPOCH + since))
            })
            .collect()
    }

    /// Forgets files that are removed.
    pub(crate) async fn forget_replaced(&self, paths: impl Iterator<Item = &Path>) -> Result<()> {
        let mut transaction = self.writing().await?;
        for path in paths {
            sqlx::query("DELETE FROM tidemark_replaced_files WHERE location = ?")
                .bind(location_of(path)?)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The digests of files, by location.
    pub(crate) async fn file_digests(&self) -> Result<HashMap<String, PlaneDigest>> {
        let rows = sqlx::query("SELECT location, digest FROM tidemark_file_digests").fetch_all(self.pool()).await?;
        rows.iter().map(|row| Ok((row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?.parse()?))).collect()
    }
}

pub(crate) async fn insert_run(transaction: &mut Transaction<'static, Sqlite>, run: &UpkeepRun) -> Result<()> {
    sqlx::query("INSERT INTO tidemark_upkeep_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(&run.run)
        .bind(run.kind.to_string())
        .bind(&run.dataset)
        .bind(&run.reason)
        .bind(run.started.micros())
        .bind(signed(run.duration_micros)?)
        .bind(&run.error)
        .bind(run.system_time.map(Instant::micros))
        .bind(signed(run.files_before)?)
        .bind(signed(run.files_after)?)
        .bind(signed(run.rows_before)?)
        .bind(signed(run.rows_after)?)
        .bind(signed(run.bytes_before)?)
        .bind(signed(run.bytes_after)?)
        .bind(&run.digest)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Data files of a dataset go and come: keeps the digests of those that come, and since when the others are of no use.
pub(crate) async fn change_files(
    transaction: &mut Transaction<'static, Sqlite>,
    dataset: &str,
    gone: impl Iterator<Item = &str>,
    new: &[FileDigest],
) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    for location in gone {
        sqlx::query("DELETE FROM tidemark_file_digests WHERE location = ?")
            .bind(location)
            .execute(&mut **transaction)
            .await?;
        sqlx::query("INSERT OR REPLACE INTO tidemark_replaced_files VALUES (?, ?, ?)")
            .bind(location)
            .bind(dataset)
            .bind(now)
            .execute(&mut **transaction)
            .await?;
    }
    for FileDigest { location, digest } in new {
        sqlx::query("INSERT INTO tidemark_file_digests VALUES (?, ?)")
            .bind(location)
            .bind(digest.to_string())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

fn upkeep_run(row: &SqliteRow) -> Result<UpkeepRun> {
    let count = |column: &str| -> Result<u64> { unsigned(row.try_get(column)?) };
    Ok(UpkeepRun {
        run: row.try_get("run")?,
        kind: row.try_get::<String, _>("kind")?.parse()?,
        dataset: row.try_get("dataset")?,
        reason: row.try_get("reason")?,
        started: Instant(row.try_get("started")?),
        duration_micros: count("duration_micros")?,
        error: row.try_get("error")?,
        system_time: row.try_get::<Option<i64>, _>("system_time")?.map(Instant),
        files_before: count("files_before")?,
        files_after: count("files_after")?,
        rows_before: count("rows_before")?,
        rows_after: count("rows_after")?,
        bytes_before: count("bytes_before")?,
        bytes_after: count("bytes_after")?,
        digest: row.try_get("digest")?,
    })
}
