//! The keys of the page that is open.

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_location;

use super::{
    chrome::{DIFF, DOCS, EXPLORE, PIPELINE, SCALING},
    dialog::Dialog,
    whole::{Whole, WholeView, changing},
};
use crate::{browser, pages::lazy::LazyPart};

/// Keys and what they do.
type Keys = &'static [(&'static str, &'static str)];

const EVERYWHERE: Keys = &[
    ("Ctrl K", "Search pages, dashboards, documentation, datasets and actions (⌘ K on a Mac)"),
    ("?", "Show these keys"),
    ("Escape", "Close what is open over the page"),
];
const ON_CHARTS: Keys = &[
    ("← →", "On a chart: from point to point, ten with Shift"),
    ("Home End", "On a chart: to the first and to the last point"),
    ("M", "On a chart: begin to mark a stretch at the point, and end it; it is zoomed into, or shown alone"),
    ("+ − 0", "On a chart of times or numbers: zoom in and out around the point, show all again"),
    ("PgUp PgDn", "On a chart that is zoomed into: show what comes before, what comes after"),
    ("Escape", "On a chart: drop what is marked, then the point"),
    ("Enter", "On a chart or a row that leads further: choose it"),
];
const ON_THE_TIMES: Keys = &[
    ("← →", "On the effective range or one of its ends: by a day, ten with Shift or a page key"),
    ("↑ ↓", "On the known time: by an hour, ten with Shift or a page key"),
    ("Home End", "On the times: to the first and to the last place"),
    ("Space", "On the times: play known through from the past, and stop"),
    ("Escape", "Return known to now"),
];
const ON_SLOTS: Keys = &[("↑ ↓", "On the wanted slots: one more, one less"), ("Enter", "In the fields: apply")];
const IN_TABLES: Keys = &[("↑ ↓ Home End", "In a table: from row to row, ten with Shift")];
const IN_THE_DOCUMENTATION: Keys = &[("/", "To the search field of the documentation")];

/// The keys of the page at a path, those of the page first.
fn keys_of(path: &str) -> Vec<(&'static str, &'static str)> {
    let own: &[Keys] = match path.trim_end_matches('/') {
        PIPELINE => &[ON_CHARTS, IN_TABLES],
        SCALING => &[ON_SLOTS, ON_CHARTS, IN_TABLES],
        DIFF => &[ON_THE_TIMES, ON_CHARTS, IN_TABLES],
        EXPLORE => &[ON_CHARTS, IN_TABLES],
        path if path.starts_with("/dashboards/") => &[ON_THE_TIMES, ON_CHARTS, IN_TABLES],
        path if path.starts_with(DOCS) => &[IN_THE_DOCUMENTATION],
        _ => &[],
    };
    own.iter().chain([&EVERYWHERE]).copied().flatten().copied().collect()
}

/// The list of keys; `?` opens it, unless it is typed into a field.
#[component]
pub fn KeysDialog(open: RwSignal<bool>) -> impl IntoView {
    Effect::new(move |_| {
        let question = window_event_listener(ev::keydown, move |event| {
            let with_modifier = event.ctrl_key() || event.meta_key() || event.alt_key();
            if event.key() == "?" && !with_modifier && !event.default_prevented() && !browser::is_typing(&event) {
                event.prevent_default();
                open.set(true);
            }
        });
        on_cleanup(move || question.remove());
    });
    view! {
        <Dialog class="sheet" label="Keys" testid="keys" open>
            <div class="sheet-head">
                <h2>"Keys"</h2>
                <button type="button" on:click=move |_| open.set(false)>
                    "Close"
                </button>
            </div>
            {changing(move || open.get().then(|| LazyPart::Keys.view()))}
        </Dialog>
    }
    .whole()
}

/// The keys of the page that is shown.
pub fn list() -> WholeView {
    let path = use_location().pathname;
    let row = |(key, what): (&'static str, &'static str)| {
        let keys = key.split(' ').map(|key| view! { <kbd>{key}</kbd> }).collect_view();
        view! {
            <div>
                <dt>{keys}</dt>
                <dd>{what}</dd>
            </div>
        }
        .whole()
    };
    view! { <dl class="keys">{changing(move || keys_of(&path.get()).into_iter().map(row).collect_view())}</dl> }.whole()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_tells_its_own_keys_before_those_of_all() {
        assert_eq!(keys_of("/")[0].0, "Ctrl K");
        assert_eq!(keys_of("/docs/grammar")[0].0, "/");
        let place = |what: &str| keys_of("/dashboards/benchmark-index/").iter().position(|key| key.1 == what).unwrap();
        assert!(place("Return known to now") < place("Show these keys"));
        assert!(keys_of("/admin/pipeline").iter().all(|key| key.1 != "Return known to now"));
    }
}
