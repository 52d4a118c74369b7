//! A dashboard from its definition: its tiles under one snapshot, at the page's two times, narrowed down by what was chosen
//! on any of them.

mod pictures;
mod tile;

use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use model::DatasetSummary;

use crate::{
    components::{
        chart::SharedCrosshair,
        known_banner::KnownBanner,
        time_plane::{EffectiveAxis, Gesture, KnownMark, TimePlane},
        whole::{Whole, WholeView, changing},
    },
    dashboards::{Dashboard, Filters},
    format::time::{self, DAY_MICROS},
    live::Live,
    pages::{
        filters::FilterRow,
        not_found::NotFound,
        versions::{Versions, VersionsDialog},
    },
    queries::dashboards::definition,
    root::{Text, with_datasets_and},
    state::{
        address::Address,
        coordinates::{Coordinates, Days, Effective, Known, KnownChoice},
        datasets::{DatasetList, is_unsettled},
        tile::PageRead,
    },
};
use tile::tile;

/// Days before the first commit that *all* of effective time reaches back on a page: what was known then may have begun long
/// before.
const DAYS_BEFORE_FIRST: i64 = 400;
/// Days from today on that *all* of effective time reaches ahead.
const DAYS_AHEAD: i64 = 31;

/// What all tiles of a page share.
#[derive(Clone, Copy)]
pub(super) struct Context {
    page: PageRead,
    address: Address,
    versions: Versions,
    known: Memo<Known>,
    /// The effective range as `$from` and `$to`, half-open.
    range: Memo<(i64, i64)>,
    filters: Memo<Filters>,
    /// How many tiles are reading.
    busy: RwSignal<u32>,
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
    let effective = Memo::new(move |_| read.get().0.effective);
    let known_choice = Memo::new(move |_| read.get().0.known);
    let misread = Memo::new(move |_| read.get().1);
    let known = Memo::new(move |_| known_choice.get().at(live.now.get(), live.head_micros()));
    let filters = Memo::new(move |_| Filters::parse(address.get("only").as_deref()));
    let list = DatasetList::follow(live, datasets, problem, is_unsettled);
    let first = Memo::new(move |_| {
        let known =
            |all: &Vec<DatasetSummary>| all.iter().filter_map(|dataset| dataset.known).map(|known| known.0).min();
        list.all.with(known).map(|first| first.micros())
    });
    let range = Memo::new(move |_| range_of(effective.get().days(today.get()), first.get(), today.get()));
    let key = move || (known.get(), range.get(), filters.get());
    let page = PageRead::new(live, move || known.get() == Known::Now, key);
    let versions = Versions { page, address };
    let context = Context { page, address, versions, known, range, filters, busy: RwSignal::new(0) };

    let set_effective = Callback::new(move |(effective, gesture): (Effective, Gesture)| {
        address.set(Vec::from(effective.changes()), gesture.step());
    });
    let set_known = Callback::new(move |(known, gesture): (KnownChoice, Gesture)| {
        address.set(vec![("known", known.parameter())], gesture.step());
    });
    let return_to_now = Callback::new(move |()| set_known.run((KnownChoice::NOW, Gesture::Choice)));
    let facts = Signal::derive(move || first.get().map(|first| (time::day_of(first), today.get())));
    let busy = Signal::derive(move || context.busy.try_get().unwrap_or_default() > 0);
    let tiles = dashboard.tiles.iter().map(|definition| tile(Arc::new(definition.clone()), context)).collect_view();
    let description = dashboard.description.clone();
    view! {
        {changing(move || list.problem.get().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        {changing(move || misread.get().map(|reason| view! { <p class="notice" role="alert">{reason} ". The usual coordinates are shown instead."</p> }))}
        <KnownBanner known hidden=Signal::derive(String::new) return_to_now />
        <p class="quiet">{description}</p>
        <TimePlane
            live
            effective=EffectiveAxis { choice: effective, facts, set: set_effective }
            marks=vec![KnownMark { name: "Known", sign: "", testid: "known", choice: known_choice, known, set: set_known }]
            known_first=first
            busy
        />
        <FilterRow filters address />
        <div class="dashboard">{tiles}</div>
        <VersionsDialog versions=context.versions list />
    }
    .whole()
}

/// The range in microseconds. What is open ends with today, but *all* has to have ends somewhere: well before anything was
/// known, and a month from today.
fn range_of(days: Days, first_known: Option<i64>, today: i64) -> (i64, i64) {
    let first = time::day_of(first_known.unwrap_or(today * DAY_MICROS)) - DAYS_BEFORE_FIRST;
    let from = days.from.unwrap_or(first);
    let ahead = if days.from.is_none() { DAYS_AHEAD } else { 0 };
    let to = days.to.unwrap_or((today + ahead).max(from)) + 1;
    (from * DAY_MICROS, to * DAY_MICROS)
}

impl Context {
    /// What `system_time` of a request is at the page's known time.
    fn system_time(self) -> Option<String> {
        match self.known.get() {
            Known::Now => None,
            Known::At(micros) => Some(time::iso(micros)),
            Known::First => Some("first-published".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_half_open_and_all_of_time_has_ends() {
        let days = |from, to| Days { from, to };
        assert_eq!(range_of(days(Some(10), Some(20)), None, 100), (10 * DAY_MICROS, 21 * DAY_MICROS));
        assert_eq!(range_of(days(Some(10), None), None, 100), (10 * DAY_MICROS, 101 * DAY_MICROS));
        assert_eq!(range_of(days(None, None), Some(1_000 * DAY_MICROS), 1_300), (600 * DAY_MICROS, 1_332 * DAY_MICROS));
    }
}
