//! Views: named queries, kept beside the datasets and versioned by epoch, so that under a snapshot token a view stays
//! what it was. A change takes effect with the next epoch; its caller sees to it that there is one.
//!
//! What a view's text means is not looked at here.

use std::sync::Arc;

use model::definition::check_dataset_name;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    Error, ErrorKind, Lake, LakeSnapshot, Result,
    catalog::Catalog,
    lake::{Shared, State, to_the_end},
};

/// One version of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name; no dataset has it.
    pub name: String,
    /// The query it stands for.
    pub sql: String,
    /// The first epoch whose state has it.
    pub from_epoch: u64,
    /// The first epoch whose state has it no longer; `None` while it stands.
    pub to_epoch: Option<u64>,
}

impl View {
    fn is_of(&self, epoch: u64) -> bool {
        self.from_epoch <= epoch && self.to_epoch.is_none_or(|to| epoch < to)
    }
}

impl Lake {
    /// Creates a view, or replaces it where `replace` says so; gives the epoch from which on it is there.
    ///
    /// Fails with `InvalidDefinition` for a name that cannot be used and with `DefinitionDiffers` where a dataset, or
    /// without `replace` another view, has it.
    pub async fn put_view(&self, name: &str, sql: &str, replace: bool) -> Result<u64> {
        check_dataset_name(name).map_err(|reason| {
            let pointer = String::new();
            Error::definition(vec![model::DefinitionProblem { pointer, reason: reason.replace("dataset", "view") }])
        })?;
        let (shared, name, sql) = (self.shared.clone(), name.to_owned(), sql.to_owned());
        to_the_end(async move { put(&shared, &name, &sql, replace).await }).await
    }

    /// Drops a view; gives the epoch from which on it is gone. Fails with `NotFound` where there is none.
    pub async fn drop_view(&self, name: &str) -> Result<u64> {
        let (shared, name) = (self.shared.clone(), name.to_owned());
        to_the_end(async move { end(&shared, &name).await }).await
    }

    /// Whether a view of that name stands or will with the next epoch.
    pub fn has_view(&self, name: &str) -> bool {
        self.shared.state().standing_view(name).is_some()
    }
}

impl LakeSnapshot {
    /// The view of that name at this moment.
    pub fn view(&self, name: &str) -> Option<Arc<View>> {
        let epoch = self.token().epoch;
        self.state.views.iter().find(|view| view.name == name && view.is_of(epoch)).cloned()
    }

    /// The names of all views at this moment, in order.
    pub fn view_names(&self) -> Vec<String> {
        let epoch = self.token().epoch;
        let mut names: Vec<String> =
            self.state.views.iter().filter(|view| view.is_of(epoch)).map(|view| view.name.clone()).collect();
        names.sort_unstable();
        names
    }
}

impl State {
    pub(crate) fn standing_view(&self, name: &str) -> Option<&Arc<View>> {
        self.views.iter().find(|view| view.name == name && view.to_epoch.is_none())
    }

    /// The epoch from which on changes hold that are made now.
    pub(crate) fn next_epoch(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.epoch) + 1
    }

    /// Ends the standing version of a view; one that no epoch has seen yet was never there.
    fn end_view(&mut self, name: &str, epoch: u64) {
        self.views.retain(|view| view.name != name || view.from_epoch != epoch);
        for view in self.views.iter_mut().filter(|view| view.name == name && view.to_epoch.is_none()) {
            Arc::make_mut(view).to_epoch = Some(epoch);
        }
    }
}

async fn put(shared: &Shared, name: &str, sql: &str, replace: bool) -> Result<u64> {
    let _changing = shared.changing.lock().await;
    let mut next = State::clone(&shared.state());
    if next.table(name).is_some() {
        return Err(Error::new(
            ErrorKind::DefinitionDiffers,
            format!("'{name}' is a dataset; a view needs another name"),
        ));
    }
    if !replace && next.standing_view(name).is_some() {
        let message = format!("there is a view '{name}' already; CREATE OR REPLACE VIEW replaces it");
        return Err(Error::new(ErrorKind::DefinitionDiffers, message));
    }
    let epoch = next.next_epoch();
    shared.catalog.change_view(name, Some(sql), epoch).await?;
    next.end_view(name, epoch);
    let view = View { name: name.to_owned(), sql: sql.to_owned(), from_epoch: epoch, to_epoch: None };
    next.views.push(Arc::new(view));
    shared.set_state(next);
    Ok(epoch)
}

async fn end(shared: &Shared, name: &str) -> Result<u64> {
    let _changing = shared.changing.lock().await;
    let mut next = State::clone(&shared.state());
    if next.standing_view(name).is_none() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no view '{name}'")));
    }
    let epoch = next.next_epoch();
    shared.catalog.change_view(name, None, epoch).await?;
    next.end_view(name, epoch);
    shared.set_state(next);
    Ok(epoch)
}

impl Catalog {
    /// All versions of all views.
    pub(crate) async fn views(&self) -> Result<Vec<View>> {
        let rows = sqlx::query("SELECT * FROM tidemark_views").fetch_all(self.pool()).await?;
        rows.iter().map(view).collect()
    }

    /// From an epoch on a view is this text, or nothing.
    async fn change_view(&self, name: &str, sql: Option<&str>, epoch: u64) -> Result<()> {
        let epoch = i64::try_from(epoch).map_err(|_| Error::internal("an epoch is too large for the catalog"))?;
        let mut transaction = self.writing().await?;
        sqlx::query("DELETE FROM tidemark_views WHERE name = ? AND from_epoch = ?")
            .bind(name)
            .bind(epoch)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE tidemark_views SET to_epoch = ? WHERE name = ? AND to_epoch IS NULL")
            .bind(epoch)
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        if let Some(sql) = sql {
            sqlx::query("INSERT INTO tidemark_views (name, sql, from_epoch) VALUES (?, ?, ?)")
                .bind(name)
                .bind(sql)
                .bind(epoch)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

fn view(row: &SqliteRow) -> Result<View> {
    let epoch = |value: i64| u64::try_from(value).map_err(|_| Error::corrupt("an epoch in the catalog is negative"));
    Ok(View {
        name: row.try_get("name")?,
        sql: row.try_get("sql")?,
        from_epoch: epoch(row.try_get("from_epoch")?)?,
        to_epoch: row.try_get::<Option<i64>, _>("to_epoch")?.map(epoch).transpose()?,
    })
}
