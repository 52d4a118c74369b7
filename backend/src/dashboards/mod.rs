//! The dashboards this server shows: those stored in the lake, with all their versions, and beneath them those that come with
//! Tidemark and those of a folder. A stored one goes before one of the same name beneath, which is there again when the stored
//! one is deleted.
//!
//! Reading is here, changing in `saving`. What is stored last is kept in memory (`store`); the past is read from the lake each
//! time. How definitions are stored and read as text knows nothing of dashboards, and is used for those of datasets too.

pub mod diff;
pub mod history;
pub mod reading;
#[cfg(test)]
mod round_trip;
pub mod saving;
mod shown;
mod sources;
pub mod store;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use app::dashboards::{Dashboard, ListedDashboard, VersionList};
use lake::Lake;
use model::Instant;
use query::QueryEngine;
use xxhash_rust::xxh3::xxh3_64;

pub use shown::{PageStore, parse_version};
pub use sources::{Origin, Source, Sources};

use crate::{
    dashboards::{
        history::Saved,
        store::{Current, Store},
    },
    error::{Error, ErrorKind, Result},
    ingest::Ingest,
    live::Live,
    semantics::SemanticLayer,
};

/// Dashboards by name.
pub struct Dashboards {
    sources: Sources,
    store: Store,
    /// What the measures are that tiles name.
    semantics: Arc<SemanticLayer>,
    /// Name and title of each, as they were when last read.
    titles: RwLock<Vec<(String, String)>>,
}

/// What there is under a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A stored version.
    Stored(Saved),
    /// What comes with the server, and the stored version that was deleted before it came to sight again.
    Beneath(Arc<Source>, Option<Saved>),
    /// Nothing any more: the last version says who deleted it.
    Deleted(Saved),
    /// Nothing.
    Missing,
}

impl Found {
    /// The definition, if there is one.
    pub fn dashboard(&self) -> Result<Option<Dashboard>> {
        match self {
            Found::Stored(saved) => saved.dashboard().map(Some),
            Found::Beneath(source, _) => Ok(Some(source.dashboard.clone())),
            Found::Deleted(_) | Found::Missing => Ok(None),
        }
    }

    /// What `If-Match` takes, without its quotes; `None` where there is nothing to match.
    pub fn tag(&self) -> Option<String> {
        match self {
            Found::Stored(saved) => Some(saved.system_time.to_string()),
            Found::Beneath(source, _) => Some(source.tag()),
            Found::Deleted(_) | Found::Missing => None,
        }
    }

    /// The stored version that is behind it.
    pub fn saved(&self) -> Option<&Saved> {
        match self {
            Found::Stored(saved) => Some(saved),
            Found::Beneath(..) | Found::Deleted(_) | Found::Missing => None,
        }
    }
}

impl Source {
    fn tag(&self) -> String {
        format!("{}-{:016x}", origin_word(self.origin), xxh3_64(reading::canonical(&self.dashboard).as_bytes()))
    }
}

/// An origin as it is written.
pub fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Stored => "stored",
        Origin::BuiltIn => "built-in",
        Origin::File => "file",
    }
}

impl Dashboards {
    /// Over these sources, and what a lake has stored.
    pub fn new(
        sources: Sources,
        semantics: Arc<SemanticLayer>,
        lake: Lake,
        query: Arc<QueryEngine>,
        ingest: Arc<Ingest>,
    ) -> Dashboards {
        Dashboards {
            sources,
            semantics,
            store: Store::new(&history::DASHBOARDS, lake, query, ingest),
            titles: RwLock::new(Vec::new()),
        }
    }

    /// Reads what is stored again whenever a commit has changed it, until the server stops.
    pub async fn follow(self: Arc<Dashboards>, live: Arc<Live>) {
        let mut messages = live.listen();
        while self.store.changed(&mut messages).await {
            if let Err(error) = self.reload().await {
                self.store.forget();
                tracing::warn!(%error, "the stored dashboards cannot be read; it is tried again when one is asked for");
            }
        }
    }

    /// Reads what is stored, once, before anybody asks.
    pub async fn load(&self) -> Result<()> {
        self.reload().await.map(|_| ())
    }

    /// Name and title of each, as they were when last read.
    pub fn titles(&self) -> Vec<(String, String)> {
        self.titles.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last version of each dashboard that was ever stored.
    async fn current(&self) -> Result<Arc<Current>> {
        match self.store.kept() {
            Some(current) => Ok(current),
            None => self.reload().await,
        }
    }

    async fn reload(&self) -> Result<Arc<Current>> {
        let current = self.store.read_again().await?;
        let mut titles: BTreeMap<String, String> =
            self.sources.all().map(|source| (source.dashboard.name.clone(), source.dashboard.title.clone())).collect();
        let there = current.values().filter(|saved| !saved.deleted());
        titles.extend(there.map(|saved| (saved.name.clone(), saved.title.clone())));
        let mut kept = self.titles.write().unwrap_or_else(PoisonError::into_inner);
        // A reading that began later may have ended earlier.
        if self.store.kept().is_some_and(|last| Arc::ptr_eq(&last, &current)) {
            *kept = titles.into_iter().collect();
        }
        drop(kept);
        Ok(current)
    }

    /// What there is under a name: now, or as known at a system time.
    pub async fn find(&self, name: &str, system_time: Option<Instant>) -> Result<Found> {
        let stored = match system_time {
            None => self.current().await?.get(name).cloned(),
            Some(_) => self.store.history.one(name, system_time).await?,
        };
        Ok(self.of_stored(name, stored))
    }

    fn of_stored(&self, name: &str, stored: Option<Saved>) -> Found {
        match (stored, self.sources.get(name)) {
            (Some(saved), _) if !saved.deleted() => Found::Stored(saved),
            (deleted, Some(source)) => Found::Beneath(source.clone(), deleted),
            (Some(deleted), None) => Found::Deleted(deleted),
            (None, None) => Found::Missing,
        }
    }

    /// The definition of that name, now or at a system time; an error that says who deleted it, where somebody did.
    pub async fn dashboard(&self, name: &str, system_time: Option<Instant>) -> Result<(Dashboard, Found)> {
        let found = self.find(name, system_time).await?;
        match found.dashboard()? {
            Some(dashboard) => Ok((dashboard, found)),
            None => Err(missing(name, &found)),
        }
    }

    /// Those of a folder and the folders in it whose words have all those of a search, by folder and title: now, or as known at a
    /// system time.
    pub async fn list(&self, folder: &str, search: &str, system_time: Option<Instant>) -> Result<Vec<ListedDashboard>> {
        let stored: Vec<Saved> = match system_time {
            None => self.current().await?.values().cloned().collect(),
            Some(_) => self.store.history.as_of(system_time).await?,
        };
        let mut found: BTreeMap<String, Found> = self
            .sources
            .all()
            .map(|source| (source.dashboard.name.clone(), Found::Beneath(source.clone(), None)))
            .collect();
        for saved in stored {
            found.insert(saved.name.clone(), self.of_stored(&saved.name.clone(), Some(saved)));
        }
        let folder = folder.trim_matches('/');
        let inside = |listed: &ListedDashboard| {
            let below = listed.folder.strip_prefix(folder);
            folder.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut listed: Vec<ListedDashboard> = found.values().filter_map(listed_of).collect();
        listed.retain(|listed| inside(listed) && listed.has(search));
        listed.sort_by(|a, b| (&a.folder, &a.title, &a.name).cmp(&(&b.folder, &b.title, &b.name)));
        Ok(listed)
    }

    /// All versions of a dashboard.
    pub async fn versions(&self, name: &str) -> Result<VersionList> {
        let saved = self.store.history.versions(name).await?;
        let beneath = self.sources.get(name);
        let title = match (saved.last(), beneath) {
            (Some(last), _) if !last.deleted() => last.title.clone(),
            (_, Some(source)) => source.dashboard.title.clone(),
            (Some(last), None) => last.title.clone(),
            (None, None) => return Err(missing(name, &Found::Missing)),
        };
        let beneath = beneath.map(|source| origin_word(source.origin).to_owned());
        let versions = saved.iter().rev().map(Saved::listed).collect();
        Ok(VersionList { name: name.to_owned(), title, beneath, versions })
    }
}

/// A dashboard as it is listed; `None` where there is none. One that cannot be read is listed under its name.
fn listed_of(found: &Found) -> Option<ListedDashboard> {
    let tag = found.tag()?;
    let of = |dashboard: &Dashboard, origin: Origin, saved: Option<&Saved>| ListedDashboard {
        name: dashboard.name.clone(),
        title: dashboard.title.clone(),
        description: dashboard.description.clone(),
        folder: dashboard.folder.clone(),
        tags: dashboard.tags.clone(),
        origin: origin_word(origin).to_owned(),
        tag: tag.clone(),
        version: saved.map(Saved::shown),
    };
    Some(match found {
        Found::Beneath(source, _) => of(&source.dashboard, source.origin, None),
        Found::Stored(saved) => match saved.dashboard() {
            Ok(dashboard) => of(&dashboard, Origin::Stored, Some(saved)),
            Err(error) => ListedDashboard {
                name: saved.name.clone(),
                title: saved.title.clone(),
                description: error.message().to_owned(),
                folder: String::new(),
                tags: Vec::new(),
                origin: origin_word(Origin::Stored).to_owned(),
                tag,
                version: Some(saved.shown()),
            },
        },
        Found::Deleted(_) | Found::Missing => return None,
    })
}

/// Says that there is no such dashboard, and who deleted it.
pub fn missing(name: &str, found: &Found) -> Error {
    match found {
        Found::Deleted(saved) => {
            let by = if saved.author.is_empty() { String::new() } else { format!(" by {}", saved.author) };
            let message = format!(
                "the dashboard '{name}' was deleted{by} at {}; its versions are kept, restore the one you want",
                saved.system_time
            );
            Error::new(ErrorKind::NotFound, message).with("deleted", saving::told(saved))
        }
        _ => Error::new(ErrorKind::NotFound, format!("there is no dashboard '{name}'")),
    }
}
