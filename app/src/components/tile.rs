//! A tile: title, what it holds, and how it stands. Loading keeps the last picture; so does an error, which says what to do.

use leptos::prelude::*;

use super::whole::{Whole, WholeChildren, WholeView};
use crate::{
    format::time,
    queries::client::Request,
    state::{
        coordinates::Known,
        tile::{Phase, TileStatus},
    },
};

/// A framed part of a page. `note` stands beside the title, `testid` names the tile for tests. `shown` is what the picture
/// answers, where that may be older than what was answered last. `elsewhere` is where to go, and its words, when it cannot be read.
#[component]
pub fn TileFrame(
    #[prop(into)] title: String,
    #[prop(into)] testid: String,
    status: TileStatus,
    #[prop(optional, into)] note: Option<Signal<String>>,
    #[prop(optional, into)] shown: Option<Signal<Option<Request>>>,
    #[prop(optional, into)] elsewhere: Option<(String, &'static str)>,
    children: WholeChildren,
) -> impl IntoView {
    let phase = status.phase;
    let word = move || phase.with(Phase::word);
    let heading = format!("{testid}-title");
    let labelled_by = heading.clone();
    let loading = title.clone();
    // Only what a reader has to know is announced: that a tile is loading, that it failed. Refreshes are silent.
    let announcement = move || match phase.get() {
        Phase::Loading => format!("{loading}: loading"),
        Phase::Ready => String::new(),
        Phase::Empty(why) | Phase::Error(why) => format!("{loading}: {why}"),
    };
    // As known then, or of the commit that is shown.
    let shown = shown.unwrap_or_else(|| status.answered.into());
    let read = move || shown.with(|shown| shown.as_ref().and_then(Request::read_at));
    let fresh = move || match read() {
        Some((Known::At(micros), _)) => format!("↕ {}", time::moment_text(micros)),
        Some((_, commit)) => time::clock_seconds_text(commit),
        None => String::new(),
    };
    let fresh_title =
        move || read().map(|(_, commit)| format!("Read as of the commit of {}", time::moment_seconds_text(commit)));
    let trouble = move || match phase.get() {
        Phase::Error(why) => Some(trouble_view(why, status, elsewhere.clone())),
        Phase::Empty(why) => Some(view! { <p class="tile-empty">{why}</p> }.whole()),
        Phase::Loading | Phase::Ready => None,
    };
    view! {
        <section class="tile" data-testid=testid data-state=word aria-labelledby=labelled_by>
            <header class="tile-header">
                <h2 id=heading>{title}</h2>
                {note.map(|note| view! { <p class="tile-note">{note}</p> })}
                <p class="tile-fresh" title=fresh_title>
                    {fresh}
                </p>
            </header>
            <div class="tile-progress" aria-hidden="true"></div>
            <p class="visually-hidden" role="status">{announcement}</p>
            {trouble}
            <div class="tile-body">{children.view()}</div>
        </section>
    }
    .whole()
}

fn trouble_view(why: String, status: TileStatus, elsewhere: Option<(String, &'static str)>) -> WholeView {
    let elsewhere = elsewhere.map(|(address, words)| view! { <a href=address>{words}</a> });
    view! {
        <div class="tile-error">
            <p>
                <strong>"This could not be read: "</strong>
                {why.trim_end_matches('.').to_owned()}
                ". What is shown below, if anything, is older."
            </p>
            <button type="button" on:click=move |_| status.retries.update(|count| *count += 1)>
                "Retry"
            </button>
            {elsewhere}
        </div>
    }
    .whole()
}
