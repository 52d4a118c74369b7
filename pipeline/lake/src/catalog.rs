//! The embedded catalog: one SQLite file with the standard SQL-catalog tables, which other engines read, and our own.
//!
//! Every table's current metadata location is here and nowhere else, so the transaction in [`Catalog::commit`] is the
//! one moment at which an epoch comes into being.

use std::path::Path;

use model::{EpochRecord, Instant};
use sqlx::{
    Row, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use uuid::Uuid;

use crate::{
    DefinitionVersion, Error, Result, StoredCounts,
    definitions::{self, insert_version},
    rescales, upkeep,
};

/// Name of the catalog and of its one namespace, as other engines see them.
const CATALOG: &str = "tidemark";
const NAMESPACE: &str = "lake";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS iceberg_tables (
  catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
  metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5),
  PRIMARY KEY (catalog_name, table_namespace, table_name));
CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
  catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL,
  property_key VARCHAR(255) NOT NULL, property_value VARCHAR(1000) NOT NULL,
  PRIMARY KEY (catalog_name, namespace, property_key));
CREATE TABLE IF NOT EXISTS tidemark_lake (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), uuid TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tidemark_datasets (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sealed_epoch INTEGER);
CREATE TABLE IF NOT EXISTS tidemark_epochs (
  epoch INTEGER PRIMARY KEY, system_time INTEGER NOT NULL UNIQUE, position INTEGER NOT NULL, records INTEGER NOT NULL,
  rows INTEGER NOT NULL, duration_micros INTEGER NOT NULL, checkpoint TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tidemark_dataset_counts (
  dataset_id INTEGER PRIMARY KEY REFERENCES tidemark_datasets (id), committed INTEGER NOT NULL,
  unchanged INTEGER NOT NULL, quarantined INTEGER NOT NULL, ignored_fields INTEGER NOT NULL, rows INTEGER NOT NULL,
  known_from INTEGER, known_to INTEGER);
CREATE TABLE IF NOT EXISTS tidemark_views (
  name TEXT NOT NULL, sql TEXT NOT NULL, from_epoch INTEGER NOT NULL, to_epoch INTEGER, PRIMARY KEY (name, from_epoch));
";

/// The SQLite file, opened.
pub(crate) struct Catalog {
    pool: SqlitePool,
}

/// A dataset as it is stored.
pub(crate) struct DatasetRow {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) sealed_epoch: Option<u64>,
    pub(crate) metadata_location: String,
}

/// All that one epoch changes.
pub(crate) struct CatalogCommit<'a> {
    pub(crate) record: &'a EpochRecord,
    pub(crate) checkpoint: &'a str,
    pub(crate) moves: Vec<TableMove<'a>>,
    /// What to add, per dataset; `rows` and `known` among it.
    pub(crate) counts: Vec<StoredCounts>,
    pub(crate) seals: Vec<u32>,
}

/// A table going from one metadata file to the next.
pub(crate) struct TableMove<'a> {
    pub(crate) name: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
}

impl Catalog {
    /// Opens the file, creating it and its tables where missing.
    pub(crate) async fn open(path: &Path) -> Result<Catalog> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(std::time::Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        let catalog = Catalog { pool };
        let mut transaction = catalog.writing().await?;
        sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
        sqlx::raw_sql(definitions::TABLES).execute(&mut *transaction).await?;
        sqlx::raw_sql(upkeep::TABLES).execute(&mut *transaction).await?;
        sqlx::raw_sql(rescales::TABLES).execute(&mut *transaction).await?;
        sqlx::query("INSERT OR IGNORE INTO tidemark_lake (only_row, uuid) VALUES (1, ?)")
            .bind(Uuid::new_v4().to_string())
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?, ?, 'exists', 'true')")
            .bind(CATALOG)
            .bind(NAMESPACE)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(catalog)
    }

    /// The lake's identity: the first 32 bits of its UUID.
    pub(crate) async fn identity(&self) -> Result<u32> {
        let row = sqlx::query("SELECT uuid FROM tidemark_lake").fetch_one(&self.pool).await?;
        let text: String = row.try_get(0)?;
        let uuid = Uuid::parse_str(&text).map_err(|e| Error::corrupt("the lake's identity is no UUID").because(e))?;
        Ok(uuid.as_fields().0)
    }

    /// All datasets and the last epoch, of one moment.
    pub(crate) async fn load(&self) -> Result<(Vec<DatasetRow>, Option<EpochRecord>)> {
        let mut transaction = self.pool.begin().await?;
        let query = "SELECT d.id, d.name, d.sealed_epoch, t.metadata_location FROM tidemark_datasets d \
                     JOIN iceberg_tables t ON t.catalog_name = ? AND t.table_namespace = ? AND t.table_name = d.name";
        let rows = sqlx::query(query).bind(CATALOG).bind(NAMESPACE).fetch_all(&mut *transaction).await?;
        let head = sqlx::query("SELECT * FROM tidemark_epochs ORDER BY epoch DESC LIMIT 1")
            .fetch_optional(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let datasets = rows.iter().map(dataset_row).collect::<Result<_>>()?;
        Ok((datasets, head.as_ref().map(epoch_record).transpose()?))
    }

    /// Stores a new dataset whose table starts with the metadata at a location. Gives its id.
    pub(crate) async fn insert_dataset(
        &self,
        name: &str,
        definition: &DefinitionVersion,
        metadata_location: &str,
    ) -> Result<u32> {
        let mut transaction = self.writing().await?;
        let row = sqlx::query("INSERT INTO tidemark_datasets (name) VALUES (?) RETURNING id")
            .bind(name)
            .fetch_one(&mut *transaction)
            .await?;
        let id = id(&row, "id")?;
        insert_version(&mut transaction, id, definition).await?;
        sqlx::query("INSERT INTO tidemark_dataset_counts VALUES (?, 0, 0, 0, 0, 0, NULL, NULL)")
            .bind(i64::from(id))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, iceberg_type) \
             VALUES (?, ?, ?, ?, 'TABLE')",
        )
        .bind(CATALOG)
        .bind(NAMESPACE)
        .bind(name)
        .bind(metadata_location)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Commits an epoch. Fails with `Conflict`, and changes nothing, where a table or the epoch is not as expected.
    pub(crate) async fn commit(&self, commit: &CatalogCommit<'_>) -> Result<()> {
        let mut transaction = self.writing().await?;
        for table in &commit.moves {
            move_table(&mut transaction, table).await?;
        }
        let EpochRecord { epoch, system_time, position, records, rows, duration_micros } = commit.record;
        sqlx::query("INSERT INTO tidemark_epochs VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(signed(*epoch)?)
            .bind(system_time.micros())
            .bind(signed(*position)?)
            .bind(signed(*records)?)
            .bind(signed(*rows)?)
            .bind(signed(*duration_micros)?)
            .bind(commit.checkpoint)
            .execute(&mut *transaction)
            .await?;
        for counts in &commit.counts {
            add_counts(&mut transaction, counts).await?;
        }
        for id in &commit.seals {
            sqlx::query("UPDATE tidemark_datasets SET sealed_epoch = ? WHERE id = ? AND sealed_epoch IS NULL")
                .bind(signed(*epoch)?)
                .bind(i64::from(*id))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Moves one table to other metadata, and changes nothing else.
    pub(crate) async fn move_alone(&self, table: &TableMove<'_>) -> Result<()> {
        let mut transaction = self.writing().await?;
        move_table(&mut transaction, table).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// One epoch.
    pub(crate) async fn epoch(&self, epoch: u64) -> Result<Option<EpochRecord>> {
        let Ok(epoch) = signed(epoch) else { return Ok(None) };
        let row =
            sqlx::query("SELECT * FROM tidemark_epochs WHERE epoch = ?").bind(epoch).fetch_optional(&self.pool).await?;
        row.as_ref().map(epoch_record).transpose()
    }

    /// The epoch with this system time, and the last position of the one before it.
    pub(crate) async fn epoch_at(&self, system_time: Instant) -> Result<Option<(EpochRecord, u64)>> {
        let rows =
            sqlx::query("SELECT * FROM tidemark_epochs WHERE system_time <= ? ORDER BY system_time DESC LIMIT 2")
                .bind(system_time.micros())
                .fetch_all(&self.pool)
                .await?;
        let records = rows.iter().map(epoch_record).collect::<Result<Vec<EpochRecord>>>()?;
        let before = records.get(1).map_or(0, |record| record.position);
        Ok(records.into_iter().next().filter(|record| record.system_time == system_time).map(|record| (record, before)))
    }

    /// The first epochs after one, ascending.
    pub(crate) async fn epochs_after(&self, epoch: u64, limit: u32) -> Result<Vec<EpochRecord>> {
        let rows = sqlx::query("SELECT * FROM tidemark_epochs WHERE epoch > ? ORDER BY epoch LIMIT ?")
            .bind(i64::try_from(epoch).unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(epoch_record).collect()
    }

    /// The last epochs, ascending.
    pub(crate) async fn recent_epochs(&self, limit: u32) -> Result<Vec<EpochRecord>> {
        let rows = sqlx::query("SELECT * FROM tidemark_epochs ORDER BY epoch DESC LIMIT ?")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().rev().map(epoch_record).collect()
    }

    /// Counts of every dataset, by id.
    pub(crate) async fn counts(&self) -> Result<Vec<StoredCounts>> {
        let rows =
            sqlx::query("SELECT * FROM tidemark_dataset_counts ORDER BY dataset_id").fetch_all(&self.pool).await?;
        rows.iter().map(stored_counts).collect()
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(crate) async fn writing(&self) -> Result<Transaction<'static, Sqlite>> {
        // IMMEDIATE: a transaction that will write waits for its turn at the start, and cannot fail in the middle for it.
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

pub(crate) async fn move_table(transaction: &mut Transaction<'static, Sqlite>, table: &TableMove<'_>) -> Result<()> {
    let moved = sqlx::query(
        "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ? \
         WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?",
    )
    .bind(table.to)
    .bind(table.from)
    .bind(CATALOG)
    .bind(NAMESPACE)
    .bind(table.name)
    .bind(table.from)
    .execute(&mut **transaction)
    .await?
    .rows_affected();
    if moved != 1 {
        return Err(Error::conflict("a table was changed by somebody else; only one process may write to a lake")
            .with("dataset", table.name));
    }
    Ok(())
}

async fn add_counts(transaction: &mut Transaction<'static, Sqlite>, counts: &StoredCounts) -> Result<()> {
    let (from, to) = counts.known.map(|(from, to)| (from.micros(), to.micros())).unzip();
    sqlx::query(
        "INSERT INTO tidemark_dataset_counts VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (dataset_id) DO UPDATE SET \
         committed = committed + excluded.committed, unchanged = unchanged + excluded.unchanged, \
         quarantined = quarantined + excluded.quarantined, ignored_fields = ignored_fields + excluded.ignored_fields, \
         rows = rows + excluded.rows, \
         known_from = min(coalesce(known_from, excluded.known_from), coalesce(excluded.known_from, known_from)), \
         known_to = max(coalesce(known_to, excluded.known_to), coalesce(excluded.known_to, known_to))",
    )
    .bind(i64::from(counts.dataset_id))
    .bind(signed(counts.committed)?)
    .bind(signed(counts.unchanged)?)
    .bind(signed(counts.quarantined)?)
    .bind(signed(counts.ignored_fields)?)
    .bind(signed(counts.rows)?)
    .bind(from)
    .bind(to)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn dataset_row(row: &SqliteRow) -> Result<DatasetRow> {
    Ok(DatasetRow {
        id: id(row, "id")?,
        name: row.try_get("name")?,
        sealed_epoch: row.try_get::<Option<i64>, _>("sealed_epoch")?.map(unsigned).transpose()?,
        metadata_location: row.try_get("metadata_location")?,
    })
}

fn epoch_record(row: &SqliteRow) -> Result<EpochRecord> {
    Ok(EpochRecord {
        epoch: unsigned(row.try_get("epoch")?)?,
        system_time: Instant(row.try_get("system_time")?),
        position: unsigned(row.try_get("position")?)?,
        records: unsigned(row.try_get("records")?)?,
        rows: unsigned(row.try_get("rows")?)?,
        duration_micros: unsigned(row.try_get("duration_micros")?)?,
    })
}

fn stored_counts(row: &SqliteRow) -> Result<StoredCounts> {
    let from: Option<i64> = row.try_get("known_from")?;
    let to: Option<i64> = row.try_get("known_to")?;
    Ok(StoredCounts {
        dataset_id: id(row, "dataset_id")?,
        committed: unsigned(row.try_get("committed")?)?,
        unchanged: unsigned(row.try_get("unchanged")?)?,
        quarantined: unsigned(row.try_get("quarantined")?)?,
        ignored_fields: unsigned(row.try_get("ignored_fields")?)?,
        rows: unsigned(row.try_get("rows")?)?,
        known: from.zip(to).map(|(from, to)| (Instant(from), Instant(to))),
    })
}

fn id(row: &SqliteRow, column: &str) -> Result<u32> {
    let value: i64 = row.try_get(column)?;
    u32::try_from(value).map_err(|_| Error::corrupt("a dataset's id is out of range"))
}

pub(crate) fn unsigned(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::corrupt("a count in the catalog is negative"))
}

pub(crate) fn signed(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::internal("a number is too large for the catalog").with("number", value))
}
