//! A tile: title, what it holds, and how it stands. Loading keeps the last picture; so does an error, which says what to do.

use leptos::{html, prelude::*};

use super::whole::{Whole, WholeChildren, WholeView};
use crate::{
    format::time,
    live::{Connection, Live},
    queries::client::Request,
    state::{
        coordinates::Known,
        tile::{Phase, TileStatus},
    },
    words::ended,
};

/// A framed part of a page. `note` stands beside the title, `testid` names the tile for tests. `shown` is what the picture
/// answers, where that may be older than what was answered last. `elsewhere` is where to go, and its words, when it cannot be read.
#[component]
pub fn TileFrame(
    #[prop(into)] title: Signal<String>,
    #[prop(into)] testid: String,
    status: TileStatus,
    #[prop(optional, into)] note: Option<Signal<String>>,
    #[prop(optional, into)] shown: Option<Signal<Option<Request>>>,
    #[prop(optional, into)] elsewhere: Option<(String, &'static str)>,
    children: WholeChildren,
) -> impl IntoView {
    let phase = status.phase;
    let frame = NodeRef::<html::Section>::new();
    let word = move || phase.with(Phase::word);
    let heading = format!("{testid}-title");
    let labelled_by = heading.clone();
    // Only what a reader has to know is announced: that a tile is loading, that it failed. Refreshes are silent.
    let announcement = move || match phase.get() {
        Phase::Loading => format!("{}: loading", title.get()),
        Phase::Ready => String::new(),
        Phase::Empty(why) | Phase::Error(why) => format!("{}: {why}", title.get()),
    };
    // As known then, or of the commit that is shown.
    let shown = shown.unwrap_or_else(|| status.answered.into());
    let read = move || shown.with(|shown| shown.as_ref().and_then(Request::read_at));
    // Without news a picture of what is known now may be behind; what was known then stays as it is.
    let lost = use_context::<Live>().map(|live| live.connection);
    let stale = Memo::new(move |_| {
        let lost = lost.is_some_and(|connection| connection.get() == Connection::Reconnecting);
        lost && read().is_some_and(|(known, _)| known == Known::Now)
    });
    let fresh = move || match read() {
        Some((Known::At(micros), _)) => format!("↕ {}", time::moment_text(micros)),
        Some((Known::First, _)) => format!("↕ {}", Known::First.text()),
        Some((_, commit)) if stale.get() => format!("{}, not live", time::clock_seconds_text(commit)),
        Some((_, commit)) => time::clock_seconds_text(commit),
        None => String::new(),
    };
    let fresh_title =
        move || read().map(|(_, commit)| format!("Read as of the commit of {}", time::moment_seconds_text(commit)));
    let trouble = move || match phase.get() {
        Phase::Error(why) => {
            // The button goes with the error, and must not take the focus along.
            let retry = move || {
                status.retries.update(|count| *count += 1);
                if let Some(frame) = frame.get_untracked() {
                    // Fails for what cannot have the focus only.
                    let _ = frame.focus();
                }
            };
            Some(trouble_view(why, retry, elsewhere.clone()))
        }
        Phase::Empty(why) => Some(view! { <p class="tile-empty">{why}</p> }.whole()),
        Phase::Loading | Phase::Ready => None,
    };
    view! {
        <section class="tile" tabindex="-1" node_ref=frame data-testid=testid data-state=word data-shown=move || shown.with(Option::is_some).then_some("true") data-stale=move || stale.get().then_some("true") aria-labelledby=labelled_by>
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

fn trouble_view(why: String, retry: impl Fn() + 'static, elsewhere: Option<(String, &'static str)>) -> WholeView {
    let elsewhere = elsewhere.map(|(address, words)| view! { <a href=address>{words}</a> });
    view! {
        <div class="tile-error">
            <p>
                <strong>"This could not be read: "</strong>
                {ended(why)}
                <span class="tile-older">" What is shown below is older."</span>
            </p>
            <button type="button" on:click=move |_| retry()>
                "Retry"
            </button>
            {elsewhere}
        </div>
    }
    .whole()
}
