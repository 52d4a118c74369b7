//! Changing stored dashboards. One change at a time is carried out, from reading what is there to the commit, so that each is
//! checked against what those before it did; what belongs together comes in one epoch, or not at all.

use std::{collections::BTreeSet, sync::Arc};

use app::dashboards::Dashboard;
use model::Instant;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use super::{
    Dashboards, Found,
    history::{Change, Reason, Saved, Version},
    missing,
    reading::canonical,
    store,
};
use crate::error::{Error, ErrorKind, Result};

/// What a change expects to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Anything,
    /// Nothing: `If-None-Match: *`.
    Nothing,
    /// The version with this tag: `If-Match`.
    Tag(String),
}

/// What became of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was not there before.
    Created,
    /// It was there, and is another now.
    Replaced,
    /// An earlier version is there again.
    Restored,
    /// It is there no longer.
    Deleted,
    /// It said the same already.
    Unchanged,
}

impl Outcome {
    /// What a change made of a definition.
    pub fn of(change: Change) -> Outcome {
        match change {
            Change::Created => Outcome::Created,
            Change::Replaced => Outcome::Replaced,
            Change::Restored => Outcome::Restored,
            Change::Deleted => Outcome::Deleted,
        }
    }
}

/// A change that was made, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// What was defined: a dashboard, or a dataset with its semantic definition.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What `If-Match` takes now; none of what is not there, or would be made.
    pub tag: Option<String>,
    /// When it was committed; none where nothing was.
    pub system_time: Option<Instant>,
}

/// How a list of dashboards is applied.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Whether stored dashboards that are not in the list are deleted.
    pub prune: bool,
    /// Whether it is only told what would be done.
    pub dry_run: bool,
}

/// A change that is wanted: the dashboard, what is done to it.
struct Step {
    dashboard: Dashboard,
    change: Change,
}

impl Dashboards {
    /// Stores a dashboard under its name.
    pub async fn save(self: &Arc<Self>, dashboard: Dashboard, expected: Expected, reason: Reason) -> Result<Done> {
        self.to_the_end(|dashboards, turn| async move {
            let found = dashboards.find(&dashboard.name, None).await?;
            check(&dashboard.name, &expected, &found)?;
            let change = if matches!(found, Found::Stored(_)) { Change::Replaced } else { Change::Created };
            dashboards.carry_out_one(Step { dashboard, change }, &found, reason, turn).await
        })
        .await
    }

    /// Deletes a stored dashboard. What comes with the server under its name is there again.
    pub async fn delete(self: &Arc<Self>, name: String, expected: Expected, reason: Reason) -> Result<Done> {
        self.to_the_end(|dashboards, turn| async move {
            let found = dashboards.find(&name, None).await?;
            check(&name, &expected, &found)?;
            let saved = match &found {
                Found::Stored(saved) => saved,
                Found::Beneath(..) => {
                    let message = format!(
                        "the dashboard '{name}' comes with this server and cannot be deleted; one that is stored can"
                    );
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
                Found::Deleted(_) | Found::Missing => return Err(missing(&name, &found)),
            };
            // What cannot be read any more can still be deleted.
            let dashboard = saved.dashboard().unwrap_or_else(|_| named(saved));
            dashboards.carry_out_one(Step { dashboard, change: Change::Deleted }, &found, reason, turn).await
        })
        .await
    }

    /// Stores again the version of a dashboard that was the last at a moment, also of one that is deleted.
    pub async fn restore(
        self: &Arc<Self>,
        name: String,
        version: Instant,
        expected: Expected,
        reason: Reason,
    ) -> Result<Done> {
        self.to_the_end(|dashboards, turn| async move {
            let found = dashboards.find(&name, None).await?;
            check(&name, &expected, &found)?;
            let (dashboard, _) = dashboards.dashboard(&name, Some(version)).await?;
            let note = match reason.note.is_empty() {
                true => format!("the version of {version}"),
                false => reason.note,
            };
            let reason = Reason { note, ..reason };
            dashboards.carry_out_one(Step { dashboard, change: Change::Restored }, &found, reason, turn).await
        })
        .await
    }

    /// Stores a dashboard under another name, which nothing may have yet.
    pub async fn duplicate(self: &Arc<Self>, copy: Dashboard, reason: Reason) -> Result<Done> {
        let taken = self.find(&copy.name, None).await?;
        if taken.tag().is_some() {
            let message = format!("there is a dashboard '{}' already; choose another name", copy.name);
            return Err(Error::new(ErrorKind::Conflict, message).with("current", told_of(&taken)));
        }
        self.save(copy, Expected::Nothing, reason).await
    }

    /// Stores all dashboards of a list in one epoch. The list names none twice.
    pub async fn apply(self: &Arc<Self>, list: Vec<Dashboard>, manner: Manner, reason: Reason) -> Result<Vec<Done>> {
        self.to_the_end(|dashboards, turn| async move {
            let named: BTreeSet<String> = list.iter().map(|dashboard| dashboard.name.clone()).collect();
            let (mut steps, mut done) = (Vec::new(), Vec::new());
            for dashboard in list {
                let found = dashboards.find(&dashboard.name, None).await?;
                if says_the_same(&dashboard, &found) {
                    done.push(unchanged(&found, &dashboard.name));
                    continue;
                }
                let change = if matches!(found, Found::Stored(_)) { Change::Replaced } else { Change::Created };
                steps.push(Step { dashboard, change });
            }
            if manner.prune {
                let current = dashboards.current().await?;
                let gone = current.values().filter(|saved| !saved.deleted() && !named.contains(&saved.name));
                steps.extend(gone.map(|saved| Step {
                    dashboard: saved.dashboard().unwrap_or_else(|_| self::named(saved)),
                    change: Change::Deleted,
                }));
            }
            let system_time = match manner.dry_run || steps.is_empty() {
                true => None,
                false => Some(dashboards.commit(&steps, &reason, turn).await?),
            };
            done.extend(steps.iter().map(|step| done_of(step, system_time)));
            done.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(done)
        })
        .await
    }

    async fn carry_out_one(
        &self,
        step: Step,
        found: &Found,
        reason: Reason,
        turn: OwnedMutexGuard<()>,
    ) -> Result<Done> {
        if step.change != Change::Deleted && says_the_same(&step.dashboard, found) {
            return Ok(unchanged(found, &step.dashboard.name));
        }
        let steps = [step];
        let system_time = self.commit(&steps, &reason, turn).await?;
        let [step] = steps;
        Ok(done_of(&step, Some(system_time)))
    }

    async fn commit(&self, steps: &[Step], reason: &Reason, turn: OwnedMutexGuard<()>) -> Result<Instant> {
        let versions = steps.iter().map(version_of).collect();
        let (system_time, _turn) = self.store.commit(versions, reason, turn).await?;
        if let Err(error) = self.reload().await {
            self.store.forget();
            tracing::warn!(%error, "dashboards cannot be read after a change; it is tried again when one is asked for");
        }
        Ok(system_time)
    }

    /// Carries a change to its end even where whoever wants it goes away, in its turn.
    async fn to_the_end<T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(Arc<Dashboards>, OwnedMutexGuard<()>) -> F,
    ) -> Result<T> {
        let turn = self.store.turn().await?;
        // What was read before it was this change's turn may be older than the change before.
        self.reload().await?;
        store::to_the_end(work(Arc::clone(self), turn)).await
    }
}

fn version_of(step: &Step) -> Version {
    let Step { dashboard, change } = step;
    Version {
        name: dashboard.name.clone(),
        change: *change,
        told: vec![
            dashboard.title.clone(),
            dashboard.folder.clone(),
            dashboard.description.clone(),
            dashboard.tags.join(", "),
        ],
        definition: canonical(dashboard),
    }
}

fn done_of(step: &Step, system_time: Option<Instant>) -> Done {
    let outcome = Outcome::of(step.change);
    let there = step.change != Change::Deleted;
    let tag = system_time.filter(|_| there).map(|time| time.to_string());
    Done { name: step.dashboard.name.clone(), outcome, tag, system_time }
}

fn unchanged(found: &Found, name: &str) -> Done {
    Done { name: name.to_owned(), outcome: Outcome::Unchanged, tag: found.tag(), system_time: None }
}

fn says_the_same(dashboard: &Dashboard, found: &Found) -> bool {
    match found {
        // By its text: what is stored may be what this release cannot read.
        Found::Stored(saved) => saved.definition == canonical(dashboard),
        Found::Beneath(source, _) => source.dashboard == *dashboard,
        Found::Deleted(_) | Found::Missing => false,
    }
}

/// A dashboard of which nothing but name and title can be read.
fn named(saved: &Saved) -> Dashboard {
    Dashboard { name: saved.name.clone(), title: saved.title.clone(), ..Dashboard::empty() }
}

/// Refuses a change that was made of another version than the last, with who made that and what it is.
fn check(name: &str, expected: &Expected, found: &Found) -> Result<()> {
    let tag = found.tag();
    let refused = match expected {
        Expected::Anything => return Ok(()),
        Expected::Nothing if tag.is_none() => return Ok(()),
        Expected::Nothing => format!("there is a dashboard '{name}' already"),
        Expected::Tag(wanted) if tag.as_ref() == Some(wanted) => return Ok(()),
        Expected::Tag(_) => match found {
            Found::Stored(saved) | Found::Deleted(saved) | Found::Beneath(_, Some(saved)) => {
                changed_since(&format!("the dashboard '{name}'"), saved)
            }
            Found::Beneath(_, None) => {
                format!("the dashboard '{name}' comes with this server, and is another than this change was made of")
            }
            Found::Missing => format!("there is no dashboard '{name}' any more"),
        },
    };
    Err(was_quicker(&refused, told_of(found)))
}

/// Says that something is no longer as it was when a change of it was made.
pub fn changed_since(thing: &str, last: &Saved) -> String {
    let by = if last.author.is_empty() { String::new() } else { format!(" by {}", last.author) };
    let done = if last.deleted() { "deleted" } else { "changed" };
    format!("{thing} was {done}{by} at {}, after the version this change was made of", last.system_time)
}

/// The refusal of a change that was made of something else than is there; `current` is that.
pub fn was_quicker(refused: &str, current: Value) -> Error {
    let what_to_do = "nothing was stored; compare the two and send the change again with the tag of what is there";
    Error::new(ErrorKind::PreconditionFailed, format!("{refused}; {what_to_do}")).with("current", current)
}

/// What there is, for whoever expected something else.
fn told_of(found: &Found) -> Value {
    let definition =
        found.dashboard().ok().flatten().map(|dashboard| serde_json::to_value(dashboard).unwrap_or_default());
    let saved = match found {
        Found::Stored(saved) | Found::Deleted(saved) | Found::Beneath(_, Some(saved)) => Some(told(saved)),
        Found::Beneath(_, None) | Found::Missing => None,
    };
    json!({ "tag": found.tag(), "version": saved, "definition": definition })
}

/// A stored version in a few words.
pub fn told(saved: &Saved) -> Value {
    serde_json::to_value(saved.listed()).unwrap_or_default()
}
