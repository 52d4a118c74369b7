//! What pages get of the server about dashboards: while it renders them, and over HTTP.

use std::{collections::BTreeMap, sync::Arc};

use app::{
    dashboards::{PictureDefinition, ShownDashboard, VERSION_AS_KNOWN, builder::Asked, html_of, semantics::Semantics},
    ports::{Answer, DashboardDocument, DashboardStore},
    state::coordinates::{Coordinates, Known},
};
use model::Instant;

use super::{Dashboards, Found, diff, missing};
use crate::error::{Error, ErrorKind, Result};

/// Changes that a page is told of at most, the last ones.
const CHANGES_TOLD: usize = 1_000;

impl Dashboards {
    /// A dashboard as its page shows it. `version` is a moment, or the word for the page's known time; `known` is that, as an
    /// address says it.
    pub async fn shown(&self, name: &str, version: Option<&str>, known: Option<&str>) -> Result<ShownDashboard> {
        let wanted = match version {
            None => None,
            Some(VERSION_AS_KNOWN) => self.known_moment(known),
            Some(moment) => Some(parse_version(moment)?),
        };
        let latest = self.find(name, None).await?;
        let found = match wanted {
            None => latest.clone(),
            Some(_) => self.find(name, wanted).await?,
        };
        // What was not there yet, or not any more, is shown as it is now.
        let absent = found.tag().is_none();
        let found = if absent { latest.clone() } else { found };
        let Some(mut dashboard) = found.dashboard()? else { return Err(missing(name, &found)) };
        let datasets = self.store.history.lake.datasets();
        let mut meanings = BTreeMap::new();
        // Of those datasets alone of which something defined is asked for.
        for dataset in dashboard.meant_datasets() {
            let meaning = Arc::new(self.semantics.meaning(&dataset).await?);
            meanings.insert(dataset, meaning);
        }
        dashboard.resolve(&|name| {
            let found = datasets.iter().find(|dataset| dataset.name == name)?;
            let semantics = meanings.get(name).cloned().unwrap_or_else(|| Arc::new(Semantics::none(name)));
            Some(Asked { definition: found.definition.clone(), readable: !found.is_open_import(), semantics })
        });
        let versions = match found.saved().or(latest.saved()) {
            Some(_) => self.store.history.versions(name).await?,
            None => Vec::new(),
        };
        let changes: Vec<Instant> = versions.iter().map(|saved| saved.system_time).collect();
        let html = dashboard.tiles.iter().filter_map(|tile| match &tile.picture {
            PictureDefinition::Markdown { text } => Some((tile.id.clone(), html_of(text))),
            _ => None,
        });
        Ok(ShownDashboard {
            html: html.collect(),
            version: found.saved().map(super::history::Saved::shown),
            latest: found.tag() == latest.tag(),
            absent: absent && wanted.is_some(),
            changes: changes[changes.len().saturating_sub(CHANGES_TOLD)..].to_vec(),
            definition: dashboard,
        })
    }

    /// What an address means by a known time, where that is a moment in the past.
    fn known_moment(&self, known: Option<&str>) -> Option<Instant> {
        let choice = Coordinates::read(|name| known.filter(|_| name == "known").map(str::to_owned)).0.known;
        let last_commit = self.store.history.lake.head().map(|head| head.system_time);
        let now = chrono::Utc::now().timestamp_micros();
        match choice.at(now, last_commit.map(Instant::micros)) {
            Known::At(micros) => last_commit.map(|last| last.min(Instant(micros))),
            Known::Now | Known::First => None,
        }
    }

    /// What differs between two versions; without the second between the first and the last.
    pub async fn compare(&self, name: &str, a: &str, b: Option<&str>) -> Result<app::dashboards::Comparison> {
        let (before, found_a) = self.dashboard(name, Some(parse_version(a)?)).await?;
        let b = b.map(parse_version).transpose()?;
        let (after, found_b) = self.dashboard(name, b).await?;
        let shown = |found: &Found| found.saved().map(super::history::Saved::shown);
        Ok(app::dashboards::Comparison {
            a: shown(&found_a),
            b: shown(&found_b),
            changes: diff::differences(&before, &after),
        })
    }

    /// A document of a page, in JSON; `None` where there is none.
    async fn document(&self, wanted: DashboardDocument) -> Result<Option<String>> {
        let text = |value: serde_json::Result<String>| {
            value
                .map(Some)
                .map_err(|e| Error::new(ErrorKind::Internal, "what a page shows cannot be written").because(e))
        };
        let read = match wanted {
            DashboardDocument::Shown { name, version, known } => {
                let shown = self.shown(&name, version.as_deref(), known.as_deref()).await;
                shown.map(|shown| serde_json::to_string(&shown))
            }
            DashboardDocument::List => self.list("", "", None).await.map(|list| serde_json::to_string(&list)),
            DashboardDocument::Versions { name } => {
                self.versions(&name).await.map(|versions| serde_json::to_string(&versions))
            }
        };
        match read {
            Ok(value) => text(value),
            Err(error) if error.kind() == ErrorKind::NotFound && !error.members().contains_key("deleted") => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A version as addresses name it: a moment, whose last version is meant.
pub fn parse_version(text: &str) -> Result<Instant> {
    Instant::parse(text).map_err(|reason| {
        let message =
            format!("a version is a moment such as 2026-03-31T18:00:00Z, whose last version is meant: {reason}");
        Error::new(ErrorKind::BadRequest, message)
    })
}

/// The store as pages see it.
pub struct PageStore(pub Arc<Dashboards>);

impl DashboardStore for PageStore {
    fn titles(&self) -> Vec<(String, String)> {
        self.0.titles()
    }

    fn document(&self, wanted: DashboardDocument) -> Answer<Option<String>> {
        let dashboards = Arc::clone(&self.0);
        Box::pin(async move { dashboards.document(wanted).await.map_err(|error| error.message().to_owned()) })
    }
}
