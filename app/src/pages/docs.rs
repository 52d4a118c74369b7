//! Documentation, and the design system. The server writes the text into the page, and the browser has none of it compiled in: where a navigation
//! brings it to a text that is not in the page, it asks the server for the page that holds it.

use std::time::Duration;

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    html,
    prelude::*,
    task::spawn_local,
};
use leptos_router::hooks::use_location;
use wasm_bindgen::JsCast;

use crate::{
    browser,
    components::{
        chrome::{DESIGN, DOCS},
        whole::{Whole, changing},
    },
    queries::docs,
};

/// The pages below [`DOCS`]: last part of the address, title. The first is the overview, the last the search.
pub const PAGES: [(&str, &str); 9] = [
    ("", "Documentation"),
    ("semantics", "Semantics"),
    ("grammar", "Grammar"),
    ("periods", "Periods"),
    ("recipes", "Recipes"),
    ("api", "HTTP API"),
    ("upkeep", "Upkeep"),
    ("scaling", "Scaling and metrics"),
    ("search", "Search the documentation"),
];

/// The search field's id in the text.
pub const SEARCH_FIELD: &str = "docs-search";
/// How long a button says that it has copied.
const COPIED_FOR: Duration = Duration::from_secs(2);

/// Last part of the address of a documentation page; `None` for other pages.
pub fn slug_of(path: &str) -> Option<&str> {
    match path.strip_prefix(DOCS)? {
        "" | "/" => Some(""),
        rest => rest.strip_prefix('/').map(|slug| slug.trim_end_matches('/')),
    }
}

/// Address of a documentation page, by the last part of it.
pub fn address_of(slug: &str) -> String {
    if slug.is_empty() { DOCS.to_owned() } else { format!("{DOCS}/{slug}") }
}

/// Title of a documentation page; `None` where there is no such page.
pub fn title_of(path: &str) -> Option<&'static str> {
    let slug = slug_of(path)?;
    PAGES.iter().find(|page| page.0 == slug).map(|page| page.1)
}

/// Whether the text of the page at an address is written by the server alone.
fn is_written(path: &str) -> bool {
    path.trim_end_matches('/') == DESIGN || slug_of(path).is_some()
}

/// The text of a page, where it is rendered by the server.
#[cfg(feature = "ssr")]
fn written(path: &str, question: Option<String>) -> String {
    if path.trim_end_matches('/') == DESIGN {
        return super::design::html();
    }
    let page = crate::docs::page(slug_of(path).unwrap_or_default(), question.as_deref().unwrap_or_default());
    if !page.found
        && let Some(response) = use_context::<leptos_axum::ResponseOptions>()
    {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
    page.html
}

/// The browser finds the text in the page: taking it over, Leptos leaves what is inside as the server wrote it.
#[cfg(not(feature = "ssr"))]
fn written(_: &str, _: Option<String>) -> String {
    String::new()
}

/// The page, whichever of them it is.
#[component]
pub fn Docs() -> impl IntoView {
    let location = use_location();
    let (path, search, hash) = (location.pathname, location.search, location.hash);
    let address = Memo::new(move |_| match search.get() {
        search if search.is_empty() => path.get(),
        search => format!("{}?{search}", path.get()),
    });
    let question = location.query.with_untracked(|query| query.get("q"));
    let first = path.with_untracked(|path| written(path, question));
    let text = NodeRef::<html::Div>::new();
    let state = RwSignal::new("ready");
    let problem = RwSignal::new(None::<String>);
    let said = RwSignal::new("");

    Effect::new(move |shown: Option<Option<String>>| {
        let wanted = address.get();
        let element = text.get()?;
        let shown = shown.flatten();
        let is_there = shown.as_ref() == Some(&wanted) || (shown.is_none() && element.child_element_count() > 0);
        if !is_there && path.with_untracked(|path| is_written(path)) {
            state.set("loading");
            let asked = wanted.clone();
            spawn_local(async move {
                let answer = docs::text(&asked).await;
                // Something else may be wanted by now, or the page may be gone: everything below only tries.
                if address.try_get_untracked().as_ref() != Some(&asked) {
                    return;
                }
                state.try_set(if answer.is_ok() { "ready" } else { "error" });
                problem.try_set(answer.as_ref().err().cloned());
                if let Ok(html) = answer {
                    element.set_inner_html(&html);
                    if let Some(place) = hash.try_get_untracked() {
                        browser::scroll_to(place.trim_start_matches('#'));
                    }
                }
            });
        }
        Some(wanted)
    });
    Effect::new(move |_| {
        let slash = window_event_listener(leptos::ev::keydown, |event| focus_search(&event));
        on_cleanup(move || slash.remove());
    });
    view! {
        {changing(move || {
            let again = move || address.get();
            problem.get().map(|reason| {
                view! {
                    <p class="notice" role="alert">
                        {reason} " " <a href=again rel="external">"Load the page again"</a>
                    </p>
                }
            })
        })}
        <p class="visually-hidden" role="status">{changing(move || said.get())}</p>
        <div
            class="docs"
            data-testid="docs"
            data-state=move || state.get()
            node_ref=text
            on:click=move |event| copy_example(&event, said)
            inner_html=first
        ></div>
    }
    .whole()
}

/// `/` leads to the search field, unless it is typed into another.
fn focus_search(event: &KeyboardEvent) {
    let with_modifier = event.ctrl_key() || event.meta_key() || event.alt_key();
    if event.key() == "/"
        && !with_modifier
        && !browser::is_typing(event)
        && !event.default_prevented()
        && browser::focus(SEARCH_FIELD)
    {
        event.prevent_default();
    }
}

/// Copies the example whose button was clicked; the button says so for a moment.
fn copy_example(event: &MouseEvent, said: RwSignal<&'static str>) {
    let clicked = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let Some(button) = clicked.and_then(|element| element.closest("[data-copy]").ok().flatten()) else { return };
    let figure = button.closest("figure").ok().flatten();
    let code = figure.and_then(|figure| figure.query_selector("code").ok().flatten());
    let (Some(text), Some(word)) = (code.and_then(|code| code.text_content()), button.first_element_child()) else {
        return;
    };
    spawn_local(async move {
        let copied = browser::copy(&text).await;
        word.set_text_content(Some(if copied { "Copied" } else { "Not copied" }));
        said.try_set(if copied { "Copied" } else { "The browser does not allow copying; select the text instead" });
        let restore = move || {
            word.set_text_content(Some("Copy"));
            said.try_set("");
        };
        set_timeout(restore, COPIED_FOR);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_page_of_the_documentation_or_is_not() {
        assert_eq!((slug_of("/docs"), slug_of("/docs/")), (Some(""), Some("")));
        assert_eq!(slug_of("/docs/grammar"), Some("grammar"));
        assert_eq!((slug_of("/docsearch"), slug_of("/")), (None, None));
        assert_eq!(title_of("/docs/periods"), Some("Periods"));
        assert_eq!(title_of("/docs/nothing"), None);
    }
}
