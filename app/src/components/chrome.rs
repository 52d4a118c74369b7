//! What frames every page: the top bar with the two coordinates always in sight, and the navigation.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    hooks::{use_location, use_query_map},
    params::ParamsMap,
};

use super::{
    display_menu::DisplayMenu,
    icon::{self, icon, mark},
    palette::CommandPalette,
    whole::{Whole, WholeChildren, WholeView, changing},
};
use crate::{
    format::time,
    live::{Connection, Live},
    pages::{docs, lazy::LazyPart},
    root::DashboardTitles,
    state::{
        coordinates::{Coordinates as Choice, Known},
        diff::DiffChoice,
        mode::{MODE, PageMode},
    },
};

/// A page of the navigation: address, title, word, icon.
pub const PAGES: [(&str, &str, &str, &str); 7] = [
    ("/", "Home", "Home", icon::HOME),
    (DASHBOARD_LIST, "Dashboards", "Dashboards", icon::TILES),
    (EXPLORE, "Explore", "Explore", icon::BARS),
    (DIFF, "Diff", "Diff", icon::SWAP),
    (PIPELINE, "Pipeline", "Pipeline", icon::PULSE),
    (SCALING, "Scaling", "Scaling", icon::STEPS),
    (DOCS, "Documentation", "Docs", icon::BOOK),
];

/// What the addresses of dashboards begin with.
const DASHBOARDS: &str = "/dashboards/";
/// Address of the list of all dashboards.
pub const DASHBOARD_LIST: &str = "/dashboards";
/// Address of the dashboard *Benchmark index*.
pub const BENCHMARK_INDEX: &str = "/dashboards/benchmark-index";
/// Address of the dashboard *Market*.
pub const MARKET: &str = "/dashboards/market";
/// Address of what a dataset holds.
pub const EXPLORE: &str = "/explore";
/// Address of what the figures of a dataset mean.
pub const SEMANTICS: &str = "/semantics";
/// Address of a new dashboard.
pub const NEW_DASHBOARD: &str = "/dashboards/new";
/// Address of what differs between two coordinates.
pub const DIFF: &str = "/diff";
/// Address of the page of how the pipeline runs.
pub const PIPELINE: &str = "/admin/pipeline";
/// Address of the page that changes the number of slots.
pub const SCALING: &str = "/admin/scaling";
/// Address of the documentation; its pages are below.
pub const DOCS: &str = "/docs";
/// Address of the design system, which the navigation leaves to the documentation and the palette.
pub const DESIGN: &str = "/design";

/// Address of what there is to see of a dataset.
pub fn dataset_address(name: &str) -> String {
    format!("{DIFF}?dataset={name}")
}

/// Address of a dashboard.
pub fn dashboard_address(name: &str) -> String {
    format!("{DASHBOARDS}{name}")
}

/// Address of what a dataset holds.
pub fn explore_address(name: &str) -> String {
    format!("{EXPLORE}?dataset={name}")
}

/// Address of what the figures of a dataset mean.
pub fn semantics_address(name: &str) -> String {
    format!("{SEMANTICS}?dataset={name}")
}

/// The dashboard whose versions are at this address.
pub fn dashboard_of_versions(path: &str) -> Option<&str> {
    path.trim_end_matches('/').strip_prefix(DASHBOARDS)?.strip_suffix("/versions").filter(|name| !name.contains('/'))
}

/// The dashboard that is edited at this address.
pub fn dashboard_of_editor(path: &str) -> Option<&str> {
    path.trim_end_matches('/').strip_prefix(DASHBOARDS)?.strip_suffix("/edit").filter(|name| !name.contains('/'))
}

/// Whether a dashboard is edited at this address, one there is or a new one.
pub fn is_editor(path: &str) -> bool {
    path.trim_end_matches('/') == NEW_DASHBOARD || dashboard_of_editor(path).is_some()
}

/// Whether a dashboard is shown at this address.
pub fn is_dashboard(path: &str) -> bool {
    let name = path.trim_end_matches('/').strip_prefix(DASHBOARDS);
    name.is_some_and(|name| !name.is_empty() && !name.contains('/')) && !is_editor(path)
}

/// Whether a page is shown as a kiosk, which dashboards alone can be.
fn is_kiosk(path: &str, query: &ParamsMap) -> bool {
    is_dashboard(path) && PageMode::parse(query.get(MODE).as_deref()) == PageMode::Kiosk
}

/// The coordinates of a page in words.
#[derive(Clone, PartialEq)]
struct Coordinates {
    effective: String,
    known: String,
    past: bool,
}

fn title_of(path: &str, dashboards: &DashboardTitles) -> String {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    let title = PAGES.iter().find(|page| page.0 == path).map(|page| page.1);
    let title = title.or_else(|| (path == DESIGN).then_some("Design"));
    let title = title.or_else(|| (path == SEMANTICS).then_some("Semantic layer"));
    let called = |name: &str| dashboards.0.iter().find(|(known, _)| known == name).map(|(_, title)| title.as_str());
    if let Some(name) = dashboard_of_versions(path) {
        return format!("Versions of {}", called(name).unwrap_or(name));
    }
    if let Some(name) = dashboard_of_editor(path) {
        return format!("Edit {}", called(name).unwrap_or(name));
    }
    let title = title.or_else(|| (path == NEW_DASHBOARD).then_some("New dashboard"));
    // One that was stored after the page was opened is not among those it knows.
    let title = title.or_else(|| path.strip_prefix(DASHBOARDS).map(|name| called(name).unwrap_or("Dashboard")));
    title.or_else(|| docs::title_of(path)).unwrap_or("Page not found").to_owned()
}

/// The coordinates that an address names, seen from a moment and a last commit, both in microseconds. From the address alone, so
/// that the server and the browser say the same.
fn coordinates_of(path: &str, query: &ParamsMap, now: i64, last_commit: Option<i64>) -> Coordinates {
    let get = |name: &str| query.get(name);
    let today = time::day_of(now);
    match path.trim_end_matches('/') {
        DIFF => {
            let choice = DiffChoice::read(get, today);
            let [a, b] = [choice.a, choice.b].map(|known| known.at(now, last_commit).text());
            let (from, days) = (choice.a_day.map(time::day_text), choice.effective.days(today).text());
            let effective = from.map_or_else(|| days.clone(), |from| format!("{from} → {days}"));
            Coordinates { effective, known: format!("{a} → {b}"), past: false }
        }
        PIPELINE => Coordinates { effective: "last 5 minutes".to_owned(), known: "now".to_owned(), past: false },
        SCALING => Coordinates { effective: "last 15 minutes".to_owned(), known: "now".to_owned(), past: false },
        EXPLORE => {
            let choice = Choice::read(get).0;
            let known = choice.known.at(now, last_commit);
            Coordinates { effective: "all".to_owned(), known: known.text(), past: known != Known::Now }
        }
        path if path.starts_with(DASHBOARDS) && dashboard_of_versions(path).is_none() => {
            let choice = Choice::read(get).0;
            let known = choice.known.at(now, last_commit);
            Coordinates {
                effective: choice.effective.days(today).text(),
                known: known.text(),
                past: known != Known::Now,
            }
        }
        _ => Coordinates { effective: "all".to_owned(), known: "now".to_owned(), past: false },
    }
}

/// The frame around a page.
#[component]
pub fn Chrome(children: WholeChildren) -> impl IntoView {
    let live = expect_context::<Live>();
    let path = use_location().pathname;
    let query = use_query_map();
    let coordinates = Memo::new(move |_| {
        let (now, last_commit) = (live.now.get(), live.head_micros());
        path.with(|path| query.with(|query| coordinates_of(path, query, now, last_commit)))
    });
    let dashboards = use_context::<DashboardTitles>().unwrap_or_default();
    let title = Memo::new(move |_| path.with(|path| title_of(path, &dashboards)));
    // The server writes the head when the page's values may be gone already; then what was true at first still is.
    let first_title = title.get_untracked();
    let head_title = move || format!("{} · Tidemark", title.try_get().unwrap_or_else(|| first_title.clone()));
    let page = move || if coordinates.get().past { "past" } else { "now" };
    let kiosk = Memo::new(move |_| path.with(|path| query.with(|query| is_kiosk(path, query))));
    let mode = move || kiosk.get().then_some(PageMode::Kiosk.word());
    let tools = move || if kiosk.get() { LazyPart::Kiosk.view() } else { tools(live) };
    view! {
        <Title text=head_title />
        <a class="skip-link" href="#main">"Skip to content"</a>
        <div class="frame" data-known=page data-mode=mode>
            <header class="top-bar">
                {changing(move || (!kiosk.get()).then(brand))}
                <h1 class="page-title">{title}</h1>
                <dl class="coordinates">
                    <div class="coordinate effective">
                        <dt>
                            <span aria-hidden="true">"↔ "</span>
                            "effective"
                        </dt>
                        <dd data-testid="coordinate-effective">{changing(move || coordinates.get().effective)}</dd>
                    </div>
                    <div class="coordinate known">
                        <dt>
                            <span aria-hidden="true">"↕ "</span>
                            "known"
                        </dt>
                        <dd data-testid="coordinate-known">{changing(move || coordinates.get().known)}</dd>
                    </div>
                </dl>
                <LiveStatus live />
                {changing(tools)}
            </header>
            {changing(move || (!kiosk.get()).then(|| navigation(path)))}
            <main id="main" tabindex="-1">
                {children.view()}
            </main>
        </div>
    }
    .whole()
}

fn brand() -> WholeView {
    view! {
        <a class="brand" href="/">
            {mark()}
            <span>"Tidemark"</span>
        </a>
    }
    .whole()
}

/// What can be done from every page.
fn tools(live: Live) -> WholeView {
    view! {
        <PauseButton live />
        <CommandPalette />
        <DisplayMenu />
    }
    .whole()
}

fn navigation(path: Memo<String>) -> WholeView {
    view! {
        <nav class="side-nav" aria-label="Pages">
            <ul>{Vec::from(PAGES.map(|page| nav_item(page, path)))}</ul>
        </nav>
    }
    .whole()
}

fn nav_item(
    (address, _, word, path_of_icon): (&'static str, &str, &'static str, &'static str),
    path: Memo<String>,
) -> WholeView {
    // A page below stands for its section, which is then not the page itself.
    let current = move || {
        path.with(|path| match path {
            path if path == address => Some("page"),
            path if address == DOCS && docs::slug_of(path).is_some() => Some("true"),
            path if address == DASHBOARD_LIST && path.starts_with(DASHBOARDS) => Some("true"),
            _ => None,
        })
    };
    view! {
        <li>
            <a href=address aria-current=current>
                {icon(path_of_icon)}
                <span>{word}</span>
            </a>
        </li>
    }
    .whole()
}

/// Whether news arrive, and the exact time of the last commit. Not announced: it changes every second.
#[component]
fn LiveStatus(live: Live) -> impl IntoView {
    let connection = move || match live.connection.get() {
        Connection::Connecting => "connecting",
        Connection::Live => "live",
        Connection::Reconnecting => "reconnecting",
    };
    let paused = move || live.paused.get();
    let word = move || if paused() { "paused" } else { connection() };
    let epoch = move || live.head.with(|head| head.as_ref().map_or(0, |head| head.epoch)).to_string();
    let day = move || live.head_micros().map(|micros| time::moment_day_text(micros) + ", ");
    let clock = move || live.head_micros().map_or_else(|| "no commit yet".to_owned(), time::clock_seconds_text);
    view! {
        <p class="live" data-testid="live-status" data-connection=connection data-paused=move || paused().then_some("true") data-epoch=epoch title="Time of the last commit">
            <span class="live-dot" aria-hidden="true"></span>
            <span class="live-word">{word}</span>
            <span class="live-time">
                <span class="live-day">{day}</span>
                {clock}
            </span>
        </p>
    }
    .whole()
}

/// Lets pages stand still, and go on.
#[component]
fn PauseButton(live: Live) -> impl IntoView {
    let paused = move || live.paused.get();
    view! {
        <button
            type="button"
            class="live-pause"
            data-testid="pause"
            aria-pressed=move || paused().to_string()
            aria-label="Pause live updates"
            title=move || if paused() { "Go on with live updates" } else { "Pause live updates" }
            on:click=move |_| live.toggle_pause()
        >
            <span aria-hidden="true">{move || if paused() { "▶" } else { "❚❚" }}</span>
        </button>
    }
    .whole()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&'static str, &str)]) -> ParamsMap {
        let mut map = ParamsMap::new();
        pairs.iter().for_each(|(name, value)| map.insert(*name, (*value).to_owned()));
        map
    }

    #[test]
    fn dashboards_alone_can_be_kiosks() {
        let kiosk = query(&[("mode", "kiosk")]);
        assert!(is_kiosk("/dashboards/market", &kiosk) && is_kiosk("/dashboards/pipeline/", &kiosk));
        for path in ["/", "/dashboards", "/dashboards/new", "/dashboards/market/edit", "/dashboards/market/versions"] {
            assert!(!is_kiosk(path, &kiosk), "{path}");
        }
        assert!(!is_kiosk("/dashboards/market", &query(&[("mode", "read")])));
    }

    #[test]
    fn the_coordinates_in_sight_are_the_address_in_words() {
        let now = 20_543 * time::DAY_MICROS + 20 * time::HOUR_MICROS;
        let query = query(&[("from", "2026-01-01"), ("to", "2026-03-31"), ("known", "2026-03-31T18:00:00Z")]);
        let coordinates = coordinates_of(BENCHMARK_INDEX, &query, now, None);
        assert_eq!(coordinates.effective, "1 Jan – 31 Mar 2026");
        assert_eq!(coordinates.known, "31 Mar 2026, 18:00 UTC");
        assert!(coordinates.past);
        assert_eq!(coordinates_of("/", &ParamsMap::new(), now, None).known, "now");
        let title = |path| title_of(path, &DashboardTitles(vec![("desk".to_owned(), "Bond desk".to_owned())]));
        assert_eq!(title("/admin/pipeline/"), "Pipeline");
        assert_eq!(title("/dashboards/desk"), "Bond desk");
        assert_eq!(title("/docs/grammar"), "Grammar");
        assert_eq!(title(DESIGN), "Design");
        assert_eq!(title("/dashboards/elsewhere"), "Dashboard");
        assert_eq!(title("/dashboards"), "Dashboards");
        assert_eq!(title("/dashboards/desk/versions"), "Versions of Bond desk");
        assert_eq!(title("/dashboards/desk/edit"), "Edit Bond desk");
        assert_eq!(title("/dashboards/new"), "New dashboard");
        assert_eq!(title("/elsewhere"), "Page not found");
    }
}
