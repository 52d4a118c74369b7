//! The definitions that are stored: of each kind a dataset of the lake like any other, such as `system.dashboards` in SQL. Each
//! change is an event with who made it and why; the epoch it comes in says when. Nothing is ever taken out: what is deleted has
//! a last version that says so.
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
use serde_json::{Value, json};

use crate::{
    api::sql::from_query,
    error::{Error, ErrorKind, Result},
};

/// From when on definitions are effective: the first instant there is for most purposes.
const ALWAYS: &str = "1970-01-01T00:00:00Z";

/// A dataset of definitions.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The dataset's name in the lake.
    pub dataset: &'static str,
    /// Its name in the schema `system`.
    pub name: &'static str,
    /// What is told of a definition in columns of its own.
    told: &'static [&'static str],
}

/// The dashboards.
pub static DASHBOARDS: Table =
    Table { dataset: "tidemark_dashboards", name: "dashboards", told: &["title", "folder", "description", "tags"] };
/// The semantic definitions of datasets, each under the name of its dataset.
pub static SEMANTICS: Table = Table { dataset: query::MEASURES_DATASET, name: "semantics", told: &["description"] };

impl Table {
    fn columns(&self) -> impl Iterator<Item = &'static str> {
        ["name", "change"].into_iter().chain(self.told.iter().copied()).chain(["definition", "author", "note"])
    }

    /// The dataset's definition.
    pub fn definition(&self) -> Result<DatasetDefinition> {
        let mut columns: Vec<_> = self.columns().map(|name| json!({"name": name, "type": "string"})).collect();
        columns.push(json!({"name": "valid_from", "type": "timestamp"}));
        let definition = json!({"columns": columns, "key": ["name"], "valid_from": "valid_from", "mode": "interval"});
        serde_json::from_value(definition)
            .map_err(|e| Error::new(ErrorKind::Internal, "the dataset of definitions cannot be defined").because(e))
    }

    /// The line of a transaction that makes a version.
    pub fn event_line(&self, version: Version, reason: &Reason) -> String {
        let Version { name, change, told, definition } = version;
        let mut event = json!({
            "name": name,
            "change": change.word(),
            "definition": definition,
            "author": reason.author,
            "note": reason.note,
            "valid_from": ALWAYS,
        });
        if let Some(members) = event.as_object_mut() {
            members
                .extend(self.told.iter().zip(told).map(|(column, text)| ((*column).to_owned(), Value::String(text))));
        }
        json!({"dataset": self.dataset, "event": event}).to_string()
    }
}

/// A version that is to be stored.
#[derive(Debug, Clone)]
pub struct Version {
    /// The name of what is defined.
    pub name: String,
    /// What is done.
    pub change: Change,
    /// What the table tells of it in columns of its own, in their order.
    pub told: Vec<String>,
    /// The definition in JSON.
    pub definition: String,
}

/// What was done to a definition.
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
    /// The name of what is defined.
    pub name: String,
    /// What was done.
    pub change: Change,
    /// What people call it; its name where it has no title.
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
    /// Whether there is nothing in this version.
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

/// Reads what is stored.
#[derive(Clone)]
pub struct History {
    /// The lake.
    pub lake: Lake,
    /// Reads it.
    pub query: Arc<QueryEngine>,
    /// What is read.
    pub table: &'static Table,
}

impl History {
    /// The last version of each as known at a system time, or now; the deleted ones too.
    pub async fn as_of(&self, system_time: Option<Instant>) -> Result<Vec<Saved>> {
        self.read("", "ORDER BY name", None, system_time).await
    }

    /// The version of one that was the last at a system time, or is now.
    pub async fn one(&self, name: &str, system_time: Option<Instant>) -> Result<Option<Saved>> {
        Ok(self.read("", "", Some(name), system_time).await?.pop())
    }

    /// All versions of one, the first one first.
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
        if self.lake.dataset(self.table.dataset).is_none() || self.lake.head().is_none() {
            return Ok(Vec::new());
        }
        let columns = self.table.columns().collect::<Vec<_>>().join(", ");
        let narrowed = if name.is_some() { "WHERE name = $name" } else { "" };
        let parameters = name.map(|name| ("name".to_owned(), Parameter::Text(name.to_owned())));
        let request = QueryRequest {
            sql: format!(
                "SELECT {columns}, system_from, system_to FROM {} {clause} {narrowed} {order}",
                self.table.dataset
            ),
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
    Error::new(ErrorKind::Internal, "the stored definitions cannot be read")
}

fn saved_of(batch: &RecordBatch, row: usize) -> Option<Saved> {
    let text = |name: &str| Some(batch.column_by_name(name)?.as_string_opt::<i32>()?.value(row).to_owned());
    let time = |name: &str| {
        let times = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some((!times.is_null(row)).then(|| times.value(row)))
    };
    let name = text("name")?;
    Some(Saved {
        change: Change::of_word(&text("change")?)?,
        title: text("title").unwrap_or_else(|| name.clone()),
        definition: text("definition")?,
        author: text("author")?,
        note: text("note")?,
        system_time: Instant(time("system_from")??),
        until: time("system_to")?.map(Instant),
        name,
    })
}
