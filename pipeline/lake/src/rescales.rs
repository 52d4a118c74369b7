//! The number of slots that is wanted, and every rescale there was, kept in the catalog.
//!
//! They are about the pipeline and not about facts: no commit waits for them, and no answer depends on them.

use model::{KeptSlots, RescaleRecord};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    Error, Lake, Result,
    catalog::{Catalog, signed},
};

/// Rescales that are remembered; of more the oldest go.
const RESCALES_KEPT: u32 = 10_000;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS tidemark_slots (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1), configured INTEGER NOT NULL, wanted INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tidemark_rescales (id INTEGER PRIMARY KEY, record TEXT NOT NULL);
";

impl Lake {
    /// The number of slots that is wanted, if one was ever kept.
    pub async fn kept_slots(&self) -> Result<Option<KeptSlots>> {
        self.shared.catalog.kept_slots().await
    }

    /// Keeps the number of slots that is wanted.
    pub async fn keep_slots(&self, slots: KeptSlots) -> Result<()> {
        self.shared.catalog.keep(slots, &[]).await
    }

    /// Keeps rescales as they are now, each in the place of what was kept of it before, and the number that is wanted.
    pub async fn keep_rescales(&self, records: &[RescaleRecord], slots: KeptSlots) -> Result<()> {
        self.shared.catalog.keep(slots, records).await
    }

    /// The last rescales, latest first; at most 10,000 are kept.
    pub async fn rescales(&self, limit: u32) -> Result<Vec<RescaleRecord>> {
        self.shared.catalog.rescales(limit).await
    }
}

impl Catalog {
    async fn kept_slots(&self) -> Result<Option<KeptSlots>> {
        let row = sqlx::query("SELECT configured, wanted FROM tidemark_slots").fetch_optional(self.pool()).await?;
        row.map(|row| Ok(KeptSlots { configured: slots(&row, "configured")?, wanted: slots(&row, "wanted")? }))
            .transpose()
    }

    async fn keep(&self, slots: KeptSlots, records: &[RescaleRecord]) -> Result<()> {
        let mut transaction = self.writing().await?;
        sqlx::query("INSERT OR REPLACE INTO tidemark_slots VALUES (1, ?, ?)")
            .bind(i64::from(slots.configured))
            .bind(i64::from(slots.wanted))
            .execute(&mut *transaction)
            .await?;
        for record in records {
            let text = serde_json::to_string(record)
                .map_err(|e| Error::internal("a rescale cannot be written").because(e).with("rescale", record.id))?;
            sqlx::query("INSERT OR REPLACE INTO tidemark_rescales VALUES (?, ?)")
                .bind(signed(record.id)?)
                .bind(text)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query("DELETE FROM tidemark_rescales WHERE id <= (SELECT max(id) FROM tidemark_rescales) - ?")
            .bind(i64::from(RESCALES_KEPT))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn rescales(&self, limit: u32) -> Result<Vec<RescaleRecord>> {
        let rows = sqlx::query("SELECT record FROM tidemark_rescales ORDER BY id DESC LIMIT ?")
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?;
        let record = |row: &SqliteRow| {
            let text: String = row.try_get(0)?;
            serde_json::from_str(&text).map_err(|e| Error::corrupt("a kept rescale cannot be read").because(e))
        };
        rows.iter().map(record).collect()
    }
}

fn slots(row: &SqliteRow, column: &str) -> Result<u16> {
    let value: i64 = row.try_get(column)?;
    u16::try_from(value).map_err(|_| Error::corrupt("a kept number of slots is out of range"))
}
