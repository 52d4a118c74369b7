//! The semantic layer: one definition per dataset of what its figures mean, stored like dashboards in a dataset of Tidemark's own
//! (`system.semantics` in SQL), with who changed it, when and why. `MEASURE(name)` in SQL reads the same rows.

use std::{collections::BTreeMap, sync::Arc};

use app::dashboards::{Problem, VersionList, semantics::Semantics};
use lake::Lake;
use model::Instant;
use query::{FormulaMistake, Position, QueryEngine};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use crate::{
    api::sql::from_query,
    dashboards::{
        history::{self, Change, Reason, Saved, Version},
        reading::{self, Mistake, Syntax, canonical},
        saving::{self, Done, Expected, Outcome},
        store::{self, Current, Store},
    },
    error::{Error, ErrorKind, Result},
    ingest::Ingest,
    live::Live,
};

/// The semantic definitions of all datasets.
pub struct SemanticLayer {
    store: Store,
}

impl SemanticLayer {
    /// Over what a lake has stored.
    pub fn new(lake: Lake, query: Arc<QueryEngine>, ingest: Arc<Ingest>) -> SemanticLayer {
        SemanticLayer { store: Store::new(&history::SEMANTICS, lake, query, ingest) }
    }

    /// Reads what is stored, once, before anybody asks.
    pub async fn load(&self) -> Result<()> {
        self.store.read_again().await.map(|_| ())
    }

    /// Reads what is stored again whenever a commit has changed it, until the server stops.
    pub async fn follow(self: Arc<SemanticLayer>, live: Arc<Live>) {
        let mut messages = live.listen();
        while self.store.changed(&mut messages).await {
            if let Err(error) = self.store.read_again().await {
                self.store.forget();
                tracing::warn!(%error, "semantic definitions cannot be read; it is tried again when one is asked for");
            }
        }
    }

    async fn current(&self) -> Result<Arc<Current>> {
        match self.store.kept() {
            Some(current) => Ok(current),
            None => self.store.read_again().await,
        }
    }

    /// When the definition of each dataset was stored, by dataset; of those that have one.
    pub async fn stored_at(&self) -> Result<BTreeMap<String, Instant>> {
        let current = self.current().await?;
        let there = current.values().filter(|saved| !saved.deleted());
        Ok(there.map(|saved| (saved.name.clone(), saved.system_time)).collect())
    }

    /// What is defined of a dataset; nothing where it has no definition, or one of another release that this one cannot read.
    pub async fn meaning(&self, dataset: &str) -> Result<Semantics> {
        let current = self.current().await?;
        let there = current.get(dataset).filter(|saved| !saved.deleted());
        Ok(there.and_then(|saved| read_stored(saved).ok()).unwrap_or_else(|| Semantics::none(dataset)))
    }

    /// The definition of a dataset, now or as known at a system time; an error that says who deleted it, where somebody did.
    pub async fn definition(&self, dataset: &str, system_time: Option<Instant>) -> Result<(Semantics, Saved)> {
        let last = match system_time {
            None => self.current().await?.get(dataset).cloned(),
            Some(_) => self.store.history.one(dataset, system_time).await?,
        };
        match last {
            Some(saved) if !saved.deleted() => Ok((read_stored(&saved)?, saved)),
            last => Err(missing(dataset, last.as_ref())),
        }
    }

    /// All versions of the definition of a dataset, the last first.
    pub async fn versions(&self, dataset: &str) -> Result<VersionList> {
        let saved = self.store.history.versions(dataset).await?;
        if saved.is_empty() {
            return Err(missing(dataset, None));
        }
        let versions = saved.iter().rev().map(Saved::listed).collect();
        Ok(VersionList { name: dataset.to_owned(), title: dataset.to_owned(), beneath: None, versions })
    }

    /// Reads a definition that is sent for a dataset. All that is wrong with it is told, each with its place.
    pub async fn read(&self, dataset: &str, text: &str, syntax: Syntax) -> Result<Semantics> {
        let semantics: Semantics = reading::read_as(text, syntax).map_err(refused)?;
        if semantics.dataset != dataset {
            let reason = format!("is '{}', and the definition is sent to '{dataset}'", semantics.dataset);
            let problem = Problem { path: "dataset".to_owned(), reason };
            return Err(refused(reading::placed(text, vec![problem])));
        }
        let found = self
            .store
            .history
            .lake
            .dataset(dataset)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no dataset '{dataset}'")))?;
        let mut problems = semantics.problems_in(&found.definition);
        let formulas =
            semantics.measures.iter().map(|measure| (measure.name.clone(), measure.formula.clone())).collect();
        let mistakes = self.store.history.query.check_measures(dataset, formulas).await.map_err(from_query)?;
        problems.extend(mistakes.into_iter().map(problem_of));
        match problems.is_empty() {
            true => Ok(semantics),
            false => Err(refused(reading::placed(text, problems))),
        }
    }

    /// Stores the definition of a dataset.
    pub async fn save(self: &Arc<Self>, semantics: Semantics, expected: Expected, reason: Reason) -> Result<Done> {
        let turn = self.store.turn().await?;
        let layer = Arc::clone(self);
        store::to_the_end(async move {
            let last = layer.store.read_again().await?.get(&semantics.dataset).cloned();
            check(&semantics.dataset, &expected, last.as_ref())?;
            let there = last.filter(|saved| !saved.deleted());
            let definition = canonical(&semantics);
            if let Some(saved) = there.as_ref().filter(|saved| saved.definition == definition) {
                let tag = Some(saved.system_time.to_string());
                return Ok(Done { name: semantics.dataset, outcome: Outcome::Unchanged, tag, system_time: None });
            }
            let change = if there.is_some() { Change::Replaced } else { Change::Created };
            let told = vec![semantics.description];
            layer.commit(Version { name: semantics.dataset, change, told, definition }, reason, turn).await
        })
        .await
    }

    /// Deletes the definition of a dataset. Its versions are kept.
    pub async fn delete(self: &Arc<Self>, dataset: String, expected: Expected, reason: Reason) -> Result<Done> {
        let turn = self.store.turn().await?;
        let layer = Arc::clone(self);
        store::to_the_end(async move {
            let last = layer.store.read_again().await?.get(&dataset).cloned();
            check(&dataset, &expected, last.as_ref())?;
            let Some(saved) = last.as_ref().filter(|saved| !saved.deleted()) else {
                return Err(missing(&dataset, last.as_ref()));
            };
            // What cannot be read any more can still be deleted.
            let description = read_stored(saved).map(|semantics| semantics.description).unwrap_or_default();
            let definition = saved.definition.clone();
            let version = Version { name: dataset, change: Change::Deleted, told: vec![description], definition };
            layer.commit(version, reason, turn).await
        })
        .await
    }

    async fn commit(&self, version: Version, reason: Reason, turn: OwnedMutexGuard<()>) -> Result<Done> {
        let (name, change) = (version.name.clone(), version.change);
        let (system_time, _turn) = self.store.commit(vec![version], &reason, turn).await?;
        if let Err(error) = self.store.read_again().await {
            self.store.forget();
            tracing::warn!(%error, "semantic definitions cannot be read after a change; it is tried again when one is asked for");
        }
        let tag = (change != Change::Deleted).then(|| system_time.to_string());
        Ok(Done { name, outcome: Outcome::of(change), tag, system_time: Some(system_time) })
    }
}

fn read_stored(saved: &Saved) -> Result<Semantics> {
    reading::read_as(&saved.definition, Syntax::Json).map_err(|mistakes| {
        let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
        let message = format!(
            "the semantic definition of '{}' of {} cannot be read: {first}; store another one",
            saved.name, saved.system_time
        );
        Error::new(ErrorKind::Unprocessable, message)
    })
}

fn problem_of(mistake: FormulaMistake) -> Problem {
    let place = match mistake.position {
        Some(Position { line: 1, column }) => format!(" at character {column}"),
        Some(Position { line, column }) => format!(" at line {line}, character {column}"),
        None => String::new(),
    };
    let path = format!("measures[{}].formula", mistake.measure);
    Problem { path, reason: format!("is not right{place}: {}", mistake.message) }
}

/// A mistake, also with a JSON pointer to its member (RFC 6901).
#[derive(Serialize)]
struct Pointed {
    pointer: String,
    #[serde(flatten)]
    mistake: Mistake,
}

fn refused(mistakes: Vec<Mistake>) -> Error {
    let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
    let pointed = mistakes.into_iter().map(|mistake| Pointed { pointer: pointer_of(&mistake.path), mistake });
    let listed = serde_json::to_value(pointed.collect::<Vec<_>>()).unwrap_or_default();
    Error::new(ErrorKind::Unprocessable, format!("this is not a semantic definition: {first}")).with("problems", listed)
}

/// `/measures/2/formula` for `measures[2].formula`; empty for the whole.
fn pointer_of(path: &str) -> String {
    let members = path.split(['.', '[']).filter(|member| !member.is_empty());
    members.map(|member| format!("/{}", member.trim_end_matches(']'))).collect()
}

/// Refuses a change that was made of another version than the last.
fn check(dataset: &str, expected: &Expected, last: Option<&Saved>) -> Result<()> {
    let there = last.filter(|saved| !saved.deleted());
    let tag = there.map(|saved| saved.system_time.to_string());
    let refused = match (expected, last) {
        (Expected::Anything, _) => return Ok(()),
        (Expected::Nothing, _) if tag.is_none() => return Ok(()),
        (Expected::Nothing, _) => format!("there is a semantic definition of '{dataset}' already"),
        (Expected::Tag(wanted), _) if tag.as_ref() == Some(wanted) => return Ok(()),
        (Expected::Tag(_), Some(saved)) => {
            saving::changed_since(&format!("the semantic definition of '{dataset}'"), saved)
        }
        (Expected::Tag(_), None) => format!("there is no semantic definition of '{dataset}'"),
    };
    let definition = there.map(|saved| serde_json::from_str::<Value>(&saved.definition).unwrap_or_default());
    let version = last.map(saving::told);
    Err(saving::was_quicker(&refused, json!({ "tag": tag, "version": version, "definition": definition })))
}

/// Says that there is no definition, and who deleted it.
fn missing(dataset: &str, last: Option<&Saved>) -> Error {
    match last {
        Some(saved) => {
            let by = if saved.author.is_empty() { String::new() } else { format!(" by {}", saved.author) };
            let message = format!("the semantic definition of '{dataset}' was deleted{by} at {}", saved.system_time);
            Error::new(ErrorKind::NotFound, message).with("deleted", saving::told(saved))
        }
        None => Error::new(ErrorKind::NotFound, format!("the dataset '{dataset}' has no semantic definition")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_pointer() {
        assert_eq!(pointer_of("measures[2].formula"), "/measures/2/formula");
        assert_eq!(pointer_of("hierarchies[0].levels[11]"), "/hierarchies/0/levels/11");
        assert_eq!(pointer_of(""), "");
    }
}
