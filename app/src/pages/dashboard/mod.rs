//! A dashboard from its definition: its tiles under one snapshot, at the page's two times, narrowed down by what was chosen
//! on any of them.

mod level;
mod notes;
pub(in crate::pages) mod own_times;
pub mod pictures;
pub(in crate::pages) mod tile;
mod times;

use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use model::DatasetSummary;

use crate::{
    charts::Note,
    components::{
        chart::SharedCrosshair,
        known_banner::KnownBanner,
        time_plane::{CompareChoice, EffectiveAxis, Gesture, KnownMark, TimePlane},
        whole::{Whole, WholeView, changing},
    },
    dashboards::{Dashboard, Filters, OWN_TIMES, PerTile, TileDefinition},
    format::time,
    live::Live,
    pages::{
        filters::FilterRow,
        not_found::NotFound,
        versions::{Versions, VersionsDialog},
    },
    queries::dashboards::definition,
    root::{Text, with_datasets_and},
    state::{
        address::{Address, Step},
        coordinates::{Compare, Coordinates, Effective, Known, KnownChoice},
        datasets::{DatasetList, is_unsettled},
        tile::PageRead,
    },
};
use notes::read_notes;
use own_times::OwnTimesDialog;
use tile::tile;
use times::Times;

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
    /// What is noted on charts that run over time.
    notes: Signal<Arc<Vec<Note>>>,
    /// How many tiles are reading.
    busy: RwSignal<u32>,
    /// The tile whose own times are being chosen.
    choosing: RwSignal<Option<String>>,
}

/// The page.
#[component]
pub fn DashboardPage() -> impl IntoView {
    let params = use_params_map();
    // Once more after the page is left, when its parameters are gone already: then the name stays what it was.
    let first = params.with_untracked(|params| params.get("dashboard")).unwrap_or_default();
    let name = move || params.try_with(|params| params.get("dashboard")).flatten().unwrap_or_else(|| first.clone());
    with_datasets_and(Resource::new_blocking(name, definition), of_definition)
}

fn of_definition(read: Text, datasets: Vec<DatasetSummary>, problem: Option<String>) -> WholeView {
    let parsed = read.and_then(|text| {
        let parse = |text: String| serde_json::from_str::<Dashboard>(&text);
        text.map(parse).transpose().map_err(|error| format!("The definition of this dashboard is not right: {error}."))
    });
    match parsed {
        Ok(Some(dashboard)) => view! { <Tiles dashboard datasets problem /> }.whole(),
        Ok(None) => view! { <NotFound /> }.whole(),
        Err(reason) => view! { <p class="notice" role="alert">{reason}</p> }.whole(),
    }
}

#[component]
fn Tiles(dashboard: Dashboard, datasets: Vec<DatasetSummary>, problem: Option<String>) -> impl IntoView {
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
    let notes = read_notes(dashboard.notes, page, of_page);
    let name = StoredValue::new(dashboard.name);
    let (busy, choosing) = (RwSignal::new(0), RwSignal::new(None));
    let context =
        Context { name, page, live, address, versions, today, of_page, times: of_page, filters, notes, busy, choosing };

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
    let all: Vec<_> = definitions.into_iter().zip(times).collect();
    let one = |(definition, times): &(Arc<TileDefinition>, Times)| {
        tile(definition.clone(), Context { times: *times, ..context })
    };
    let tiles = all.iter().map(one).collect_view();
    let description = dashboard.description.clone();
    view! {
        {changing(move || list.problem.get().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        {changing(move || misread.get().map(|reason| view! { <p class="notice" role="alert">{reason} ". The usual coordinates are shown instead."</p> }))}
        <KnownBanner known hidden=Signal::derive(String::new) return_to_now />
        <p class="quiet">{description}</p>
        <TimePlane
            live
            effective=EffectiveAxis { choice: effective, facts, set: set_effective, testid: "effective" }
            marks=vec![KnownMark { name: "Known", sign: "", testid: "known", choice: known_choice, known, set: set_known }]
            known_first=first
            compare=CompareChoice { choice: compare, compared, set: set_compare, testid: "compare" }
            busy
        />
        <FilterRow filters address />
        <div class="dashboard">{tiles}</div>
        <VersionsDialog versions=context.versions list />
        <OwnTimesDialog context first tiles=all />
    }
    .whole()
}
