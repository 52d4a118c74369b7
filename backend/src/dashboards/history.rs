//! The dashboards that are stored: a dataset of the lake like any other, `system.dashboards` in SQL. Each change is an event
//! with who made it and why; the epoch it comes in says when. Nothing is ever taken out: a dashboard that is deleted has a
//! last version that says so.
//!
//! Definitions have known times alone, so their effective time is all of time.

use std::sync::Arc;

use app::dashboards::{Dashboard, ListedVersion, ShownVersion};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::TimestampMicrosecondType,
};
use futures::TryStreamExt;
use lake::Lake;
use model::{DatasetDefinition, Instant};
use query::{Parameter, Parameters, QueryEngine, QueryRequest};
use serde::Serialize;
use serde_json::json;

use super::reading::canonical;
use crate::{
    api::sql::from_query,
    error::{Error, ErrorKind, Result},
};

/// The dataset's name in the lake.
pub const DATASET: &str = "tidemark_dashboards";
/// Its name in the schema `system`.
pub const TABLE: &str = "dashboards";
/// From when on definitions are effective: the first instant there is for most purposes.
const ALWAYS: &str = "1970-01-01T00:00:00Z";
const COLUMNS: &str =
    "name, change, title, folder, description, tags, definition, author, note, system_from, system_to";

/// What was done to a dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was not there before.
    Created,
    /// It was there.
    Replaced,
    /// An earlier version was saved again.
    Restored,
    /// It is there no longer.
    Deleted,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Change::Created => "created",
            Change::Replaced => "replaced",
            Change::Restored => "restored",
            Change::Deleted => "deleted",
        }
    }

    fn of_word(word: &str) -> Option<Change> {
        [Change::Created, Change::Replaced, Change::Restored, Change::Deleted].into_iter().find(|c| c.word() == word)
    }
}

/// A version as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// The dashboard's name.
    pub name: String,
    /// What was done.
    pub change: Change,
    /// What people call it.
    pub title: String,
    /// The definition in JSON; of one that was deleted, the last it had.
    pub definition: String,
    /// Who did it, as they said themselves.
    pub author: String,
    /// Why.
    pub note: String,
    /// When: the epoch's system time. It is the version's name, too.
    pub system_time: Instant,
    /// Until when it was the last; `None` of the last.
    pub until: Option<Instant>,
}

impl Saved {
    /// Whether the dashboard is not there in this version.
    pub fn deleted(&self) -> bool {
        self.change == Change::Deleted
    }

    /// Who saved it, when and why.
    pub fn shown(&self) -> ShownVersion {
        ShownVersion { system_time: self.system_time, author: self.author.clone(), note: self.note.clone() }
    }

    /// The version as it is listed.
    pub fn listed(&self) -> ListedVersion {
        ListedVersion {
            version: self.shown(),
            until: self.until,
            change: self.change.word().to_owned(),
            title: self.title.clone(),
        }
    }

    /// The definition as a value. Fails where another release has stored what this one does not understand.
    pub fn dashboard(&self) -> Result<Dashboard> {
        super::reading::read(&self.definition, super::reading::Syntax::Json).map_err(|mistakes| {
            let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
            let message = format!(
                "the version of '{}' of {} cannot be read: {first}; restore another one of its versions",
                self.name, self.system_time
            );
            Error::new(ErrorKind::Unprocessable, message)
        })
    }
}

/// Who does something, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// Who, as they say themselves: there is no sign-in yet.
    pub author: String,
    /// Why.
    pub note: String,
}

/// The dataset's definition.
pub fn definition() -> Result<DatasetDefinition> {
    let columns = ["name", "change", "title", "folder", "description", "tags", "definition", "author", "note"];
    let mut columns: Vec<_> = columns.iter().map(|name| json!({"name": name, "type": "string"})).collect();
    columns.push(json!({"name": "valid_from", "type": "timestamp"}));
    let definition = json!({"columns": columns, "key": ["name"], "valid_from": "valid_from", "mode": "interval"});
    serde_json::from_value(definition)
        .map_err(|e| Error::new(ErrorKind::Internal, "the dataset of dashboards cannot be defined").because(e))
}

/// The line of a transaction that makes a version.
pub fn event_line(dashboard: &Dashboard, change: Change, reason: &Reason) -> String {
    let event = json!({
        "name": dashboard.name,
        "change": change.word(),
        "title": dashboard.title,
        "folder": dashboard.folder,
        "description": dashboard.description,
        "tags": dashboard.tags.join(", "),
        "definition": canonical(dashboard),
        "author": reason.author,
        "note": reason.note,
        "valid_from": ALWAYS,
    });
    json!({"dataset": DATASET, "event": event}).to_string()
}

/// Reads what is stored.
#[derive(Clone)]
pub struct History {
    pub(super) lake: Lake,
    pub(super) query: Arc<QueryEngine>,
}

impl History {
    /// The last version of each dashboard as known at a system time, or now; the deleted ones too.
    pub async fn as_of(&self, system_time: Option<Instant>) -> Result<Vec<Saved>> {
        self.read("", "ORDER BY name", None, system_time).await
    }

    /// The version of a dashboard that was the last at a system time, or is now.
    pub async fn one(&self, name: &str, system_time: Option<Instant>) -> Result<Option<Saved>> {
        Ok(self.read("", "", Some(name), system_time).await?.pop())
    }

    /// All versions of a dashboard, the first one first.
    pub async fn versions(&self, name: &str) -> Result<Vec<Saved>> {
        self.read("FOR SYSTEM_TIME ALL", "ORDER BY system_from", Some(name), None).await
    }

    async fn read(
        &self,
        clause: &str,
        order: &str,
        name: Option<&str>,
        system_time: Option<Instant>,
    ) -> Result<Vec<Saved>> {
        if self.lake.dataset(DATASET).is_none() || self.lake.head().is_none() {
            return Ok(Vec::new());
        }
        let narrowed = if name.is_some() { "WHERE name = $name" } else { "" };
        let parameters = name.map(|name| ("name".to_owned(), Parameter::Text(name.to_owned())));
        let request = QueryRequest {
            sql: format!("SELECT {COLUMNS} FROM {DATASET} {clause} {narrowed} {order}"),
            system_time: system_time.map(|time| time.to_string()),
            parameters: Parameters(parameters.into_iter().collect()),
            ..QueryRequest::default()
        };
        let answer = self.query.query(request).await.map_err(from_query)?;
        let batches: Vec<RecordBatch> = answer.stream.try_collect().await.map_err(from_query)?;
        let mut saved = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                saved.push(saved_of(batch, row).ok_or_else(unreadable)?);
            }
        }
        Ok(saved)
    }
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Internal, "the stored dashboards cannot be read")
}

fn saved_of(batch: &RecordBatch, row: usize) -> Option<Saved> {
    let text = |name: &str| Some(batch.column_by_name(name)?.as_string_opt::<i32>()?.value(row).to_owned());
    let time = |name: &str| {
        let times = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some((!times.is_null(row)).then(|| times.value(row)))
    };
    Some(Saved {
        name: text("name")?,
        change: Change::of_word(&text("change")?)?,
        title: text("title")?,
        definition: text("definition")?,
        author: text("author")?,
        note: text("note")?,
        system_time: Instant(time("system_from")??),
        until: time("system_to")?.map(Instant),
    })
}
