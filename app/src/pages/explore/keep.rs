//! Keeping what is shown as a tile: of a new dashboard, or of one there is. Either way the editor goes on from there, and
//! nothing is published before somebody says so.

use leptos::{prelude::*, task::spawn_local};

use super::Context;
use crate::{
    browser::{self, claim::claim_first},
    components::{
        dialog::Dialog,
        whole::{Whole, WholeView, changing},
    },
    dashboards::{
        Dashboard, PictureDefinition, TileDefinition,
        builder::{TileQuery, title_of},
    },
    editor::{Command, Document, Draft},
    format::time,
    pages::editor::fields::{Options, choice},
    ports::DashboardDocument,
    queries::dashboards::document,
    tasks::publishing::published,
};

/// What is kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) query: TileQuery,
    pub(super) picture: PictureDefinition,
    /// The effective days that are shown.
    pub(super) days: Option<(i64, i64)>,
}

impl Kept {
    fn tile(&self) -> TileDefinition {
        let days = self.days.map(|(from, to)| [("from", from), ("to", to)]);
        let times = days.into_iter().flatten().map(|(name, day)| (name.to_owned(), time::iso_day(day))).collect();
        TileDefinition {
            title: title_of(&self.query),
            query: Some(Box::new(self.query.clone())),
            picture: self.picture.clone(),
            times,
            ..TileDefinition::empty()
        }
    }
}

/// A dashboard with one tile more, as a draft; what the browser has kept of it already stays.
fn draft_with(kept: &Kept, draft: Option<Draft>, base: Option<(Dashboard, Option<String>)>) -> Draft {
    let now = draft.as_ref().map(|draft| draft.dashboard.clone());
    let now = now.or_else(|| base.as_ref().map(|base| base.0.clone())).unwrap_or_else(Dashboard::empty);
    let mut document = Document::new(now);
    document.apply(Command::Add(Box::new(kept.tile()), None));
    let (base, version) = match draft {
        Some(draft) => (draft.base, draft.version),
        None => base.map_or((None, None), |(dashboard, version)| (Some(dashboard), version)),
    };
    Draft { dashboard: document.dashboard(), base, version, kept_at: browser::now_micros() }
}

/// The names of dashboards, as the server lists them.
#[derive(serde::Deserialize)]
struct Listed {
    name: String,
    title: String,
}

/// The dialog; closed while nothing is being kept.
pub(super) fn dialog(context: Context) -> WholeView {
    let open = RwSignal::new(false);
    let keeping = context.keeping;
    Effect::new(move |_| open.set(keeping.with(Option::is_some)));
    Effect::new(move |_| {
        if !open.get() && keeping.with_untracked(Option::is_some) {
            keeping.set(None);
        }
    });
    view! {
        <Dialog class="keep" label="Keep as a tile" testid="keep" open>
            {changing(move || keeping.get().map(|kept| content(context, kept)))}
        </Dialog>
    }
    .whole()
}

fn content(context: Context, kept: Kept) -> WholeView {
    let (dashboards, chosen, problem) =
        (RwSignal::new(Options::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    spawn_local(async move {
        let read = document(DashboardDocument::List).await;
        let listed =
            read.map(|text| serde_json::from_str::<Vec<Listed>>(&text.unwrap_or_default()).unwrap_or_default());
        match listed {
            Ok(listed) => drop(dashboards.try_set(listed.into_iter().map(|it| (it.name, it.title)).collect())),
            Err(reason) => drop(problem.try_set(format!("The dashboards could not be read: {reason}."))),
        }
    });
    let options = move || {
        let new = (String::new(), "A new dashboard".to_owned());
        std::iter::once(new).chain(dashboards.get()).collect()
    };
    let title = title_of(&kept.query);
    let go_on = move |_| {
        let (kept, name) = (kept.clone(), Some(chosen.get_untracked()).filter(|name| !name.is_empty()));
        spawn_local(async move {
            // Where the editor that is opened next looks for it; the draft of a page that is open elsewhere is left alone.
            let (page, claim) = claim_first(|page| Draft::storage_name(name.as_deref(), page)).await;
            let storage = Draft::storage_name(name.as_deref(), page);
            let draft = browser::recall(&storage).and_then(|text| Draft::read(&text));
            let base = match &name {
                None => Ok(None),
                Some(name) => published(name).await,
            };
            match base {
                Ok(base) => {
                    let base = base.map(|base| (base.dashboard, base.version));
                    browser::keep(&storage, &draft_with(&kept, draft, base).text());
                    drop(claim);
                    let address = name.map_or("/dashboards/new".to_owned(), |name| format!("/dashboards/{name}/edit"));
                    browser::open(&address);
                }
                Err(reason) => drop(problem.try_set(format!("The dashboard could not be read: {reason}."))),
            }
        });
    };
    view! {
        <h2>"Keep as a tile"</h2>
        <p class="quiet">{title}</p>
        {choice("Of", "keep-dashboard", options, move || chosen.get(), move |name| chosen.set(name))}
        <p class="field-problem" role="status">{changing(move || problem.get())}</p>
        <p class="field-row">
            <button type="button" class="primary" data-testid="keep-go" on:click=go_on>
                "Go on in the editor"
            </button>
            <button type="button" on:click=move |_| context.keeping.set(None)>
                "Stay here"
            </button>
        </p>
    }
    .whole()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboards::builder::Measure;

    #[test]
    fn what_is_kept_is_one_tile_more() {
        let query = TileQuery { dataset: "gdp".to_owned(), measures: vec![Measure::count()], ..TileQuery::default() };
        let picture = PictureDefinition::Grid { columns: Vec::new() };
        let kept = Kept { query, picture, days: Some((0, 31)) };
        let first = draft_with(&kept, None, None);
        assert_eq!((first.dashboard.tiles[0].title.as_str(), first.base.is_none()), ("Facts", true));
        assert_eq!(first.dashboard.tiles[0].times["to"], "1970-02-01");
        let second = draft_with(&kept, Some(first), Some((Dashboard::empty(), Some("v1".to_owned()))));
        assert_eq!(second.dashboard.tiles.len(), 2);
        assert_eq!(second.version, None, "as the draft began");
    }
}
