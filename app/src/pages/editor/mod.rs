//! The editor of a dashboard: its tiles on the grid as they will be, a panel for the one that is chosen, and publishing.
//!
//! What is decided is decided in [`crate::editor`] and [`crate::dashboards::builder`]; here it is shown. The definition is read
//! by the browser, with its version.

mod conflict;
pub(in crate::pages) mod fields;
mod grid;
mod hands;
mod head;
mod panel;
mod publishing;
mod state;
mod tile;
mod variables;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use leptos::{ev, prelude::*, task::spawn_local};
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_params_map},
};
use model::DatasetSummary;

use crate::{
    browser::{
        self,
        claim::{Held, claim_first},
    },
    components::{
        chart::SharedCrosshair,
        whole::{Whole, WholeView, changing},
    },
    dashboards::{Dashboard, TileDefinition},
    editor::{Command, Document, Draft, plain_name},
    live::Live,
    root::with_datasets,
    state::{
        address::Address,
        coordinates::{Coordinates, Known},
        datasets::DatasetList,
        tile::PageRead,
    },
    tasks::publishing::{Published, published},
};
use state::Editing;

/// What the browser has of the dashboard that is edited.
#[derive(Debug, Clone, PartialEq)]
enum Begin {
    /// Not known yet.
    Reading,
    /// A new one.
    New,
    /// One that is published.
    Existing(Box<Published>),
    /// There is none of that name, or it could not be read.
    Failed(String),
}

/// The page.
#[component]
pub fn Editor() -> impl IntoView {
    let params = use_params_map();
    let name = Memo::new(move |last: Option<&Option<String>>| {
        // Once more after the page is left, when its parameters are gone already: then the name stays what it was.
        let name = params.try_with(|params| params.get("dashboard")).flatten();
        name.or_else(|| last.cloned().flatten())
    });
    with_datasets(move |datasets, problem| begin(name.get(), datasets, problem))
}

/// Reads what is edited and shows the editor of it.
fn begin(name: Option<String>, datasets: Vec<DatasetSummary>, problem: Option<String>) -> WholeView {
    let start = RwSignal::new(Begin::Reading);
    // The name of the draft, for as long as this page is open.
    let held = Held::none();
    let storage = StoredValue::new(String::new());
    let list = DatasetList::follow(expect_context::<Live>(), datasets, problem, |_| true);
    let asked = name.clone();
    let read = move || {
        let name = asked.clone();
        start.set(Begin::Reading);
        spawn_local(async move {
            if !held.is_some() {
                let (page, claim) = claim_first(|page| Draft::storage_name(name.as_deref(), page)).await;
                storage.try_set_value(Draft::storage_name(name.as_deref(), page));
                held.keep(claim);
            }
            let next = match &name {
                None => Begin::New,
                Some(name) => match published(name).await {
                    Ok(Some(published)) => Begin::Existing(Box::new(published)),
                    Ok(None) => Begin::Failed(format!("There is no dashboard '{name}'.")),
                    Err(reason) => Begin::Failed(format!("The dashboard could not be read: {reason}.")),
                },
            };
            start.try_set(next);
        });
    };
    let again = read.clone();
    Effect::new(move |_| read());
    let content = move || match start.get() {
        Begin::Reading => view! { <p class="quiet" role="status">"Loading"</p> }.whole(),
        Begin::New => editor(None, list, storage.get_value()),
        Begin::Existing(published) => editor(Some(*published), list, storage.get_value()),
        Begin::Failed(reason) => failed(name.clone(), reason, again.clone(), list, storage.get_value()),
    };
    changing(content).whole()
}

/// What is left of a dashboard that is not there: the draft of it, if this browser has one.
fn failed(
    name: Option<String>,
    reason: String,
    again: impl Fn() + Clone + Send + Sync + 'static,
    list: DatasetList,
    storage: String,
) -> WholeView {
    let draft = browser::recall(&storage).and_then(|text| Draft::read(&text));
    let goes_on = RwSignal::new(false);
    let has_draft = draft.is_some();
    let draft = StoredValue::new(draft);
    let offer = move || {
        view! {
            <button type="button" data-testid="go-on" on:click=move |_| goes_on.set(true)>
                "Go on with the draft that this browser has kept"
            </button>
        }
    };
    let notice = move || {
        let again = again.clone();
        view! {
            <div class="notice" role="alert">
                <p>{reason.clone()}</p>
                <p class="field-row">
                    <button type="button" on:click=move |_| again()>
                        "Try again"
                    </button>
                    {has_draft.then(offer)}
                    <a href="/dashboards/new">"Make a new one"</a>
                </p>
            </div>
        }
        .whole()
    };
    let again = StoredValue::new(notice);
    changing(move || match goes_on.get() {
        true => of_draft(name.clone(), draft.get_value(), list, storage.clone()),
        false => again.with_value(|notice| notice()),
    })
    .whole()
}

fn of_draft(name: Option<String>, draft: Option<Draft>, list: DatasetList, storage: String) -> WholeView {
    let dashboard = draft.map(|draft| draft.dashboard).unwrap_or_else(Dashboard::empty);
    let editing = Editing::of(dashboard, None, list, storage);
    // It goes on being the draft of that dashboard.
    editing.named.set(name.is_some());
    editing.name.set_value(name);
    shown(editing)
}

fn editor(published: Option<Published>, list: DatasetList, storage: String) -> WholeView {
    let draft = browser::recall(&storage).and_then(|text| Draft::read(&text));
    let now = published.as_ref().map(|published| &published.dashboard);
    let draft = draft.filter(|draft| draft.differs_from(now));
    let dashboard = now.cloned().unwrap_or_else(Dashboard::empty);
    let editing = Editing::of(dashboard, published, list, storage);
    if let Some(Draft { dashboard, base, version, kept_at }) = draft {
        let when = crate::format::time::moment_text(kept_at);
        // A name that was typed stays when the title changes.
        let named = editing.named.get_untracked() || dashboard.name != plain_name(&dashboard.title);
        editing.named.set(named);
        // What was published meanwhile is found by publishing over the version that the draft began with.
        if let Some(base) = base {
            editing.published.set(Some(Published { dashboard: base, version }));
        }
        editing.apply(Command::Replace(Box::new(dashboard), format!("Went on with the draft of {when}")));
        editing.restored.set(Some(when));
    }
    shown(editing)
}

impl Editing {
    fn of(dashboard: Dashboard, published: Option<Published>, list: DatasetList, storage: String) -> Editing {
        let live = expect_context::<Live>();
        let address = Address::of_page();
        let navigate = use_navigate();
        let first = Memo::new(move |_| {
            let known = |all: &Vec<DatasetSummary>| all.iter().filter_map(|it| it.known).map(|known| known.0).min();
            list.all.with(known).map(|first| first.micros())
        });
        let chosen = Memo::new(move |_| Coordinates::read(|name| address.get(name)).0);
        let follows = move || chosen.get().known.at(live.now.get(), live.head_micros()) == Known::Now;
        let page = PageRead::new(live, follows, move || chosen.get());
        let wanted = untrack(|| address.get("tile")).filter(|id| dashboard.tiles.iter().any(|tile| tile.id == *id));
        let name = StoredValue::new(published.as_ref().map(|published| published.dashboard.name.clone()));
        // That of the tile that is to be edited.
        let at = wanted.as_ref().and_then(|id| dashboard.tiles.iter().find(|tile| tile.id == *id));
        let tab = at.map(|tile| tab_of(&dashboard, tile)).unwrap_or_default();
        let document = RwSignal::new(Document::new(dashboard));
        Editing {
            document,
            selected: RwSignal::new(wanted),
            said: RwSignal::new(String::new()),
            read: StoredValue::new(published.clone()),
            published: RwSignal::new(published),
            name,
            storage: StoredValue::new(storage),
            restored: RwSignal::new(None),
            go: StoredValue::new(Arc::new(move |to: &str| {
                navigate(to, NavigateOptions { replace: true, ..NavigateOptions::default() });
            })),
            named: RwSignal::new(name.with_value(Option::is_some)),
            automatic: RwSignal::new(BTreeSet::new()),
            columns: RwSignal::new(BTreeMap::new()),
            extents: RwSignal::new(BTreeMap::new()),
            variables: Memo::new(move |_| document.with(|document| Arc::new(document.head().variables.clone()))),
            problems: Memo::new(move |_| document.with(|document| document.head().problems())),
            options: RwSignal::new(BTreeMap::new()),
            tab: RwSignal::new(tab),
            meanings: RwSignal::new(BTreeMap::new()),
            list,
            page,
            live,
            address,
            first,
        }
    }

    /// Another title; the name of a new dashboard follows while nobody has given it another.
    pub(super) fn title(self, title: String) {
        let follows = !self.named.get_untracked();
        self.describe("title", |head| {
            if follows {
                head.name = plain_name(&title);
            }
            head.title = title;
        });
    }
}

/// The tab on which a tile is shown; nothing where it stands above all of them.
fn tab_of(dashboard: &Dashboard, tile: &TileDefinition) -> String {
    let section = dashboard.sections.iter().find(|section| section.id == tile.section);
    section.map_or(&tile.tab, |section| &section.tab).clone()
}

fn shown(editing: Editing) -> WholeView {
    SharedCrosshair::provide();
    publishing::keep_drafts(editing);
    editing.follow_meanings();
    let path = use_location().pathname;
    Effect::new(move |_| {
        let keys = window_event_listener(ev::keydown, move |event| {
            let with = (event.ctrl_key() || event.meta_key()) && !event.alt_key();
            // Everything that is typed here is of the document, so its steps are those that are taken back.
            let forth = match event.key().to_lowercase().as_str() {
                "z" if with => event.shift_key(),
                "y" if with => true,
                _ => return,
            };
            // What is typed in a dialog is none of the document's.
            let elsewhere = document().query_selector("dialog[open]").ok().flatten().is_some();
            if !elsewhere && path.with_untracked(|path| path.starts_with("/dashboards/")) {
                event.prevent_default();
                editing.step(forth);
            }
        });
        on_cleanup(move || keys.remove());
    });
    // Tabs and sections say themselves that nothing stands there.
    let is_empty = |document: &Document| {
        document.tiles().is_empty() && document.head().tabs.is_empty() && document.head().sections.is_empty()
    };
    let empty = Memo::new(move |_| editing.document.with(is_empty));
    let hint = move || {
        empty.get().then(|| {
            view! {
                <div class="editor-empty">
                    <p>"This dashboard has no tile yet."</p>
                    {fields::button("Add the first tile", "add-first", move || {
                        editing.add_tile(None);
                        browser::focus(panel::HEADING);
                    })}
                </div>
            }
            .whole()
        })
    };
    view! {
        {head::head(editing)}
        <p class="visually-hidden" role="status" data-testid="editor-said">{changing(move || editing.said.get())}</p>
        <div class="editor">
            <div class="editor-main">
                {variables::row(editing)}
                {changing(hint)}
                {grid::grid(editing)}
            </div>
            {panel::panel(editing)}
        </div>
    }
    .whole()
}
