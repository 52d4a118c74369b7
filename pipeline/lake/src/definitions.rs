//! Versions of definitions. Like a view, a definition changes with the next epoch, so that under a snapshot token a
//! dataset has the columns it had; who changes it sees to it that there is a next epoch.
//!
//! The table's Iceberg schema changes at once: other engines see the columns the dataset has now, by their field ids.

use std::{sync::Arc, sync::atomic::Ordering};

use model::{DatasetDefinition, DefinitionChange, Instant, SnapshotToken, StoredColumns, evolve};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    Dataset, Error, ErrorKind, Lake, Result,
    catalog::{Catalog, TableMove, move_table, signed, unsigned},
    commit::settle_doubt,
    lake::{Shared, State, TableState, no_dataset, to_the_end},
    layout::with_columns,
    upkeep::{next_metadata, write_metadata},
};

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS tidemark_definitions (
  dataset_id INTEGER NOT NULL REFERENCES tidemark_datasets (id), version INTEGER NOT NULL,
  from_epoch INTEGER NOT NULL, definition TEXT NOT NULL, columns TEXT NOT NULL, changes TEXT NOT NULL,
  recorded_at INTEGER NOT NULL, PRIMARY KEY (dataset_id, version));
";

/// One version of a dataset's definition.
#[derive(Debug, Clone, PartialEq)]
pub struct DefinitionVersion {
    /// Counts from 1.
    pub version: u32,
    /// The first epoch whose state has it; 0 for the first version, which was there before any.
    pub from_epoch: u64,
    /// The system time of that epoch; `None` for the first version, and until the epoch is committed.
    pub system_time: Option<Instant>,
    /// The definition.
    pub definition: DatasetDefinition,
    /// What made it of the version before; nothing for the first.
    pub changes: Vec<DefinitionChange>,
    /// When it was recorded, by the machine's clock.
    pub recorded_at: Instant,
    /// The system time of the epoch before the first that has it, if there was one.
    pub(crate) known_before: Option<Instant>,
    pub(crate) columns: Arc<StoredColumns>,
}

impl DefinitionVersion {
    /// Names the last state of a lake that has the version before this one; `None` for the first version.
    pub fn snapshot_before(&self, lake: &Lake) -> Option<SnapshotToken> {
        let epoch = self.from_epoch.checked_sub(1)?;
        Some(SnapshotToken { lake: lake.id(), epoch, system_time: self.known_before.unwrap_or(Instant(0)) })
    }

    /// The first version of a new dataset.
    pub(crate) fn first(definition: DatasetDefinition) -> DefinitionVersion {
        let columns = Arc::new(StoredColumns::of(&definition));
        let recorded_at = now();
        DefinitionVersion {
            version: 1,
            from_epoch: 0,
            system_time: None,
            definition,
            changes: Vec::new(),
            recorded_at,
            known_before: None,
            columns,
        }
    }

    /// The dataset as this version has it.
    pub(crate) fn dataset(&self, id: u32, name: &str, sealed_epoch: Option<u64>) -> Dataset {
        Dataset {
            id,
            name: name.to_owned(),
            definition: self.definition.clone(),
            version: self.version,
            columns: self.columns.clone(),
            sealed_epoch,
        }
    }
}

fn now() -> Instant {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

impl TableState {
    /// The dataset with the definition that holds for an epoch.
    pub(crate) fn dataset_at(&self, epoch: u64) -> Arc<Dataset> {
        let of_epoch = self.versions.iter().rev().find(|version| version.from_epoch <= epoch);
        of_epoch.map_or_else(|| self.dataset.clone(), |version| self.dataset_of(version))
    }

    /// The dataset with the definition of a version.
    pub(crate) fn dataset_of_version(&self, version: u32) -> Result<Arc<Dataset>> {
        let found = self.versions.iter().find(|known| known.version == version);
        let missing = || {
            Error::new(ErrorKind::NotFound, format!("dataset '{}' has no such version", self.dataset.name))
                .with("version", version)
        };
        found.map(|version| self.dataset_of(version)).ok_or_else(missing)
    }

    fn dataset_of(&self, version: &DefinitionVersion) -> Arc<Dataset> {
        if version.version == self.dataset.version {
            return self.dataset.clone();
        }
        Arc::new(version.dataset(self.dataset.id, &self.dataset.name, self.dataset.sealed_epoch))
    }

    /// Whether the last version is one that no epoch had before this one.
    pub(crate) fn begins_with(&self, epoch: u64) -> bool {
        self.versions.last().is_some_and(|last| last.from_epoch == epoch)
    }

    /// The versions, those that hold from an epoch on with its system time.
    pub(crate) fn versions_timed(&self, epoch: u64, system_time: Instant) -> Arc<Vec<DefinitionVersion>> {
        let mut versions = Vec::clone(&self.versions);
        for version in versions.iter_mut().filter(|version| version.from_epoch == epoch) {
            version.system_time = Some(system_time);
        }
        Arc::new(versions)
    }
}

impl Lake {
    /// Changes a dataset's definition: all of the changes or none. Gives the dataset as it is from the next epoch on.
    ///
    /// Fails with `NotFound`, with `InvalidDefinition` where a change cannot be made, by JSON pointer into
    /// `{"changes": […]}`, and with `NotReadable` while the dataset is a history import that is not sealed.
    pub async fn change_definition(&self, name: &str, changes: &[DefinitionChange]) -> Result<Arc<Dataset>> {
        let (shared, name, changes) = (self.shared.clone(), name.to_owned(), changes.to_vec());
        to_the_end(async move { change(&shared, &name, changes).await }).await
    }

    /// What [`Lake::change_definition`] would fail with, if it would now.
    pub fn check_changes(&self, name: &str, changes: &[DefinitionChange]) -> Result<()> {
        let state = self.shared.state();
        let table = state.table(name).ok_or_else(|| no_dataset(name))?;
        evolved(&table.dataset, changes).map(drop)
    }

    /// All versions of a dataset's definition, the first one first. Fails with `NotFound`.
    pub fn definitions(&self, name: &str) -> Result<Arc<Vec<DefinitionVersion>>> {
        let state = self.shared.state();
        state.table(name).map(|table| table.versions.clone()).ok_or_else(|| no_dataset(name))
    }

    /// The dataset of an id with the definition of a version. Fails with `NotFound`.
    pub fn dataset_of_version(&self, id: u32, version: u32) -> Result<Arc<Dataset>> {
        let state = self.shared.state();
        let missing = || Error::new(ErrorKind::NotFound, "there is no dataset of this id").with("id", id);
        state.table_by_id(id).ok_or_else(missing)?.dataset_of_version(version)
    }

    /// The dataset of an id with the definition that holds for an epoch, committed or next.
    pub fn dataset_in(&self, id: u32, epoch: u64) -> Option<Arc<Dataset>> {
        self.shared.state().table_by_id(id).map(|table| table.dataset_at(epoch))
    }
}

fn evolved(dataset: &Dataset, changes: &[DefinitionChange]) -> Result<(DatasetDefinition, StoredColumns)> {
    if dataset.is_open_import() {
        let name = &dataset.name;
        let message = format!(
            "'{name}' is a history import whose last lines still wait to act; POST /api/v1/datasets/{name}/seal, and \
             change it then"
        );
        return Err(Error::new(ErrorKind::NotReadable, message));
    }
    evolve(&dataset.definition, &dataset.columns, changes).map_err(Error::definition)
}

async fn change(shared: &Shared, name: &str, changes: Vec<DefinitionChange>) -> Result<Arc<Dataset>> {
    let _changing = shared.changing.lock().await;
    settle_doubt(shared).await?;
    let state = shared.state();
    let table = state.table(name).ok_or_else(|| no_dataset(name))?;
    let (definition, columns) = evolved(&table.dataset, &changes)?;
    let version = DefinitionVersion {
        version: table.dataset.version + 1,
        from_epoch: state.next_epoch(),
        system_time: None,
        definition,
        changes,
        recorded_at: now(),
        known_before: state.head.as_ref().map(|head| head.system_time),
        columns: Arc::new(columns),
    };
    let (location, builder) = next_metadata(table)?;
    let (definition, columns) = (version.definition.clone(), version.columns.clone());
    let build = move || Ok(with_columns(builder, &definition, &columns)?.build()?);
    let metadata = write_metadata(location.clone(), build).await?;
    let moved = TableMove { name, from: &table.metadata_location, to: &location };
    let outcome = shared.catalog.change_definition(table.dataset.id, &version, &moved).await;
    // An error can reach us after the change reached the disk; then that is found out before the next commit.
    shared.in_doubt.fetch_or(outcome.is_err(), Ordering::Relaxed);
    outcome?;
    let dataset = Arc::new(version.dataset(table.dataset.id, name, table.dataset.sealed_epoch));
    let versions = Arc::new(table.versions.iter().cloned().chain([version]).collect());
    let mut next = State::clone(&state);
    next.put(TableState {
        dataset: dataset.clone(),
        versions,
        metadata: Arc::new(metadata),
        metadata_location: location,
        ..TableState::clone(table)
    });
    shared.set_state(next);
    Ok(dataset)
}

impl Catalog {
    /// All versions of all definitions, by dataset and version.
    pub(crate) async fn definitions(&self) -> Result<Vec<(u32, DefinitionVersion)>> {
        let query = "SELECT d.*, e.system_time, b.system_time AS known_before FROM tidemark_definitions d \
                     LEFT JOIN tidemark_epochs e ON e.epoch = d.from_epoch \
                     LEFT JOIN tidemark_epochs b ON b.epoch = d.from_epoch - 1 ORDER BY d.dataset_id, d.version";
        sqlx::query(query).fetch_all(self.pool()).await?.iter().map(version_of).collect()
    }

    async fn change_definition(
        &self,
        dataset_id: u32,
        version: &DefinitionVersion,
        moved: &TableMove<'_>,
    ) -> Result<()> {
        let mut transaction = self.writing().await?;
        move_table(&mut transaction, moved).await?;
        insert_version(&mut transaction, dataset_id, version).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Records a version of a dataset's definition.
pub(crate) async fn insert_version(
    transaction: &mut sqlx::Transaction<'static, sqlx::Sqlite>,
    dataset_id: u32,
    version: &DefinitionVersion,
) -> Result<()> {
    let unwritable = |e: serde_json::Error| Error::internal("a definition could not be written").because(e);
    sqlx::query("INSERT INTO tidemark_definitions VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(i64::from(dataset_id))
        .bind(i64::from(version.version))
        .bind(signed(version.from_epoch)?)
        .bind(serde_json::to_string(&version.definition).map_err(unwritable)?)
        .bind(serde_json::to_string(version.columns.as_ref()).map_err(unwritable)?)
        .bind(serde_json::to_string(&version.changes).map_err(unwritable)?)
        .bind(version.recorded_at.micros())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn version_of(row: &SqliteRow) -> Result<(u32, DefinitionVersion)> {
    let unreadable = |e: serde_json::Error| Error::corrupt("a definition in the catalog cannot be read").because(e);
    let small = |column: &str| -> Result<u32> {
        let value: i64 = row.try_get(column)?;
        u32::try_from(value).map_err(|_| Error::corrupt("a number of a definition is out of range"))
    };
    let text = |column: &str| row.try_get::<String, _>(column);
    let columns: StoredColumns = serde_json::from_str(&text("columns")?).map_err(unreadable)?;
    let version = DefinitionVersion {
        version: small("version")?,
        from_epoch: unsigned(row.try_get("from_epoch")?)?,
        system_time: row.try_get::<Option<i64>, _>("system_time")?.map(Instant),
        definition: serde_json::from_str(&text("definition")?).map_err(unreadable)?,
        changes: serde_json::from_str(&text("changes")?).map_err(unreadable)?,
        recorded_at: Instant(row.try_get("recorded_at")?),
        known_before: row.try_get::<Option<i64>, _>("known_before")?.map(Instant),
        columns: Arc::new(columns),
    };
    Ok((small("dataset_id")?, version))
}
