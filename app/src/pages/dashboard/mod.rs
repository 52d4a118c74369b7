//! A dashboard from its definition: its tiles under one snapshot, at the page's two times, narrowed down by what was chosen
//! on any of them and by its variables.

pub(in crate::pages) mod choices;
mod head;
mod hidden;
mod level;
mod narrowed;
mod notes;
pub(in crate::pages) mod own_times;
pub mod pictures;
mod pinned;
mod places;
pub(in crate::pages) mod share;
pub(in crate::pages) mod tile;
mod times;
mod version;

use std::{collections::BTreeMap, sync::Arc};

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use model::DatasetSummary;

use crate::{
    charts::Note,
    components::{
        chart::SharedCrosshair,
        known_banner::KnownBanner,
        time_plane::{CompareChoice, EffectiveAxis, Gesture, KnownMark, TimePlane},
        whole::{Whole, WholeView, changing},
    },
    dashboards::{
        Filters, OWN_TIMES, PerTile, ShownDashboard, TileDefinition, VERSION, VERSION_AS_KNOWN, Values, values,
    },
    format::time,
    json,
    live::Live,
    pages::{
        duplicate::{DuplicateDialog, Original},
        filters::FilterRow,
        not_found::NotFound,
        versions::{Versions, VersionsDialog},
    },
    ports::DashboardDocument,
    queries::dashboards::document,
    root::{Text, with_datasets_and},
    state::{
        address::{Address, Step},
        coordinates::{Compare, Coordinates, Effective, Known, KnownChoice},
        datasets::{DatasetList, is_unsettled},
        mode::{MODE, PageMode},
        tile::PageRead,
    },
};
use head::Head;
use notes::read_notes;
use own_times::OwnTimesDialog;
use share::{ShareDialog, Shared};
use times::Times;
use version::Definition;

/// What all tiles of a page share, and the times of one of them.
#[derive(Clone, Copy)]
pub(in crate::pages) struct Context {
    /// The dashboard's name.
    name: StoredValue<String>,
    page: PageRead,
    live: Live,
    address: Address,
    versions: Versions,
    today: Memo<i64>,
    /// The page's own times.
    of_page: Times,
    /// Those of the tile.
    times: Times,
    filters: Memo<Filters>,
    /// What is bound for its variables.
    values: Memo<Values>,
    /// The words of tiles that are made of words, by tile, as HTML.
    html: StoredValue<BTreeMap<String, String>>,
    /// What is noted on charts that run over time.
    notes: Signal<Arc<Vec<Note>>>,
    /// How many tiles are reading.
    busy: RwSignal<u32>,
    /// The tile whose own times are being chosen.
    choosing: RwSignal<Option<String>>,
    /// How the page is shown.
    mode: Memo<PageMode>,
}

/// The page.
#[component]
pub fn DashboardPage() -> impl IntoView {
    let params = use_params_map();
    let first = params.with_untracked(|params| params.get("dashboard")).unwrap_or_default();
    let query = use_query_map();
    let wanted = Memo::new(move |last: Option<&DashboardDocument>| {
        let named = params.try_with(|params| params.get("dashboard")).flatten();
        // Once more while the page is left, when its parameters are gone already: then it stays what it was.
        let name = named.unwrap_or_else(|| match last {
            Some(DashboardDocument::Shown { name, .. }) => name.clone(),
            _ => first.clone(),
        });
        let parameter = |name: &str| query.try_with(|query| query.get(name)).flatten();
        let version = parameter(VERSION);
        // What was known matters to the definition only where the address says so: else it stays while the slider moves.
        let as_known = version.as_deref() == Some(VERSION_AS_KNOWN);
        DashboardDocument::Shown { name, version, known: as_known.then(|| parameter("known")).flatten() }
    });
    // Another dashboard, or another version of it, is another page: the one before goes at once, not when that is read.
    changing(move || {
        let wanted = wanted.get();
        with_datasets_and(Resource::new_blocking(move || wanted.clone(), document), of_document)
    })
}

fn of_document(read: Text, datasets: Vec<DatasetSummary>, problem: Option<String>) -> WholeView {
    let parsed = read.and_then(|text| {
        let parse = |text: String| json::read::<ShownDashboard>(&text);
        text.map(parse).transpose().map_err(|error| format!("The definition of this dashboard is not right: {error}."))
    });
    match parsed {
        Ok(Some(shown)) => view! { <Tiles shown datasets problem /> }.whole(),
        Ok(None) => view! { <NotFound /> }.whole(),
        Err(reason) => view! { <p class="notice" role="alert">{reason}</p> }.whole(),
    }
}

#[component]
fn Tiles(shown: ShownDashboard, datasets: Vec<DatasetSummary>, problem: Option<String>) -> impl IntoView {
    let live = expect_context::<Live>();
    let address = Address::of_page();
    SharedCrosshair::provide();
    let today = Memo::new(move |_| live.today());
    let read = Memo::new(move |_| Coordinates::read(|name| address.get(name)));
    let chosen = Memo::new(move |_| read.get().0);
    let misread = Memo::new(move |_| read.get().1);
    let filters = Memo::new(move |_| Filters::parse(address.get("only").as_deref()));
    let list = DatasetList::follow(live, datasets, problem, is_unsettled);
    let first = Memo::new(move |_| {
        let known =
            |all: &Vec<DatasetSummary>| all.iter().filter_map(|dataset| dataset.known).map(|known| known.0).min();
        list.all.with(known).map(|first| first.micros())
    });
    let of_page = Times::new(live, today, first, chosen);
    let mode = Memo::new(move |_| PageMode::parse(address.get(MODE).as_deref()));
    let kiosk = Memo::new(move |_| mode.get() == PageMode::Kiosk);
    let definition = Definition::of(&shown, address);
    let version_notice = version::notice(&shown, address);
    let ShownDashboard { definition: dashboard, html, .. } = shown;
    let places = places::Places::of(&dashboard);
    let definitions: Vec<Arc<_>> = dashboard.tiles.into_iter().map(Arc::new).collect();
    let times_of = |tile: &Arc<_>| Times::of_tile(live, today, first, address, tile);
    let times: Vec<Times> = definitions.iter().map(times_of).collect();
    let follows = {
        let times = times.clone();
        move || [of_page].iter().chain(&times).any(|times| times.known() == Known::Now)
    };
    let own = Memo::new(move |_| PerTile::parse(address.get(OWN_TIMES).as_deref()));
    let key = move || (of_page.moment.get(), filters.get(), own.get());
    let page = PageRead::new(live, follows, key);
    let versions = Versions { page, address };
    let variables = Arc::new(dashboard.variables);
    let options = choices::read_options(&variables, page, move || of_page.moment.get());
    let values = {
        let variables = variables.clone();
        Memo::new(move |_| options.known.with(|known| values(&variables, known, |name| address.get(name))))
    };
    let notes = read_notes(dashboard.notes, page, of_page, values);
    let (name, html) = (StoredValue::new(dashboard.name), StoredValue::new(html));
    let (busy, choosing) = (RwSignal::new(0), RwSignal::new(None));
    let context = Context {
        name,
        page,
        live,
        address,
        versions,
        today,
        of_page,
        times: of_page,
        filters,
        values,
        html,
        notes,
        busy,
        choosing,
        mode,
    };

    let set_effective = Callback::new(move |(effective, gesture): (Effective, Gesture)| {
        address.set(Vec::from(effective.changes()), gesture.step());
    });
    let set_known = Callback::new(move |(known, gesture): (KnownChoice, Gesture)| {
        address.set(vec![("known", known.parameter())], gesture.step());
    });
    let set_compare = Callback::new(move |compare: Option<Compare>| {
        address.set(vec![("vs", compare.map(|compare| compare.parameter().to_owned()))], Step::Push);
    });
    let return_to_now = Callback::new(move |()| set_known.run((KnownChoice::NOW, Gesture::Choice)));
    let facts = Signal::derive(move || first.get().map(|first| (time::day_of(first), today.get())));
    let effective = Memo::new(move |_| chosen.get().effective);
    let known_choice = Memo::new(move |_| chosen.get().known);
    let compare = Memo::new(move |_| chosen.get().compare);
    let known = Memo::new(move |_| of_page.known());
    let compared = Memo::new(move |_| of_page.moment.get().compared);
    let busy = Signal::derive(move || context.busy.try_get().unwrap_or_default() > 0);
    let all: Vec<(Arc<TileDefinition>, Times)> = definitions.into_iter().zip(times).collect();
    let tiles = places.view(Arc::new(all.clone()), context);
    let read = {
        let all = all.clone();
        Memo::new(move |_| {
            let mentioned = |dataset: &&DatasetSummary| all.iter().any(|(tile, _)| tile.mentions(&dataset.name));
            list.all.with(|list| list.iter().filter(mentioned).map(|dataset| dataset.name.clone()).collect::<Vec<_>>())
        })
    };
    let hidden = hidden::sentence(read, page, of_page);
    // What is asked of the server itself has no times that could be chosen.
    let timeless = all.iter().all(|(tile, _)| !tile.reads_range()) && read.with_untracked(Vec::is_empty);
    let (sharing, copying) = (RwSignal::new(false), RwSignal::new(None::<Original>));
    let (title, description) = (dashboard.title.clone(), dashboard.description.clone());
    let shared = Shared { context, title: title.clone(), definition, first, tiles: Arc::new(all.clone()) };
    let name = name.get_value();
    let head = Head { name, title, description, definition, times: of_page, mode, sharing, copying };
    let narrowed = narrowed::line(variables.clone(), options, filters, address);
    let time_plane = move || {
        view! {
            <TimePlane
                live
                effective=EffectiveAxis { choice: effective, facts, set: set_effective, testid: "effective" }
                marks=vec![KnownMark { name: "Known", sign: "", testid: "known", choice: known_choice, known, set: set_known }]
                known_first=first
                compare=Some(CompareChoice { choice: compare, compared, set: set_compare, testid: "compare" })
                busy
            />
        }
        .whole()
    };
    let controls = move || match kiosk.get() {
        true => narrowed(),
        false => Some(
            view! {
                {(!timeless).then(time_plane)}
                {choices::row(&variables, options, address)}
                <FilterRow filters address />
            }
            .whole(),
        ),
    };
    view! {
        {changing(move || list.problem.get().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        {changing(move || misread.get().map(|reason| view! { <p class="notice" role="alert">{reason} ". The usual coordinates are shown instead."</p> }))}
        {(!timeless).then(|| view! { <KnownBanner known hidden return_to_now fixed=kiosk /> })}
        {version_notice.view(known, kiosk)}
        {head.view()}
        {changing(controls)}
        {tiles}
        <VersionsDialog versions=context.versions list />
        <OwnTimesDialog context first tiles=all />
        <ShareDialog open=sharing shared />
        <DuplicateDialog copying />
    }
    .whole()
}
