//! The sentence over old knowledge, and the way back to now.

use leptos::{ev, prelude::*};

use super::whole::{Whole, changing};
use crate::{format::time, state::coordinates::Known};

/// Says that a page does not show what is known now, whatever else does. Escape returns to now unless something on the page has
/// taken the key. While it is `fixed` it only says so: a kiosk has no way to other times.
#[component]
pub fn KnownBanner(
    known: Memo<Known>,
    /// What a moment in the past hides, as a sentence; empty while that is not known.
    hidden: Signal<String>,
    return_to_now: Callback<()>,
    #[prop(optional)] fixed: Option<Memo<bool>>,
) -> impl IntoView {
    Effect::new(move |_| {
        let escape = window_event_listener(ev::keydown, move |event| {
            let taken = event.default_prevented() || fixed.is_some_and(|fixed| fixed.get_untracked());
            if event.key() == "Escape" && !taken && known.get_untracked() != Known::Now {
                return_to_now.run(());
            }
        });
        on_cleanup(move || escape.remove());
    });
    let sentences = move || match known.get() {
        Known::Now => None,
        Known::At(micros) => Some((format!("As known on {}.", time::moment_text(micros)), hidden.get())),
        Known::First => {
            let rest = "Every fact is shown as it became known first: later corrections, ends and withdrawals are ignored, so what has ended still counts.";
            Some(("As first published.".to_owned(), rest.to_owned()))
        }
    };
    let way_back = move || {
        (!fixed.is_some_and(|fixed| fixed.get())).then(|| {
            view! {
                <button type="button" data-testid="return-to-now" on:click=move |_| return_to_now.run(())>
                    "Return to now"
                </button>
                <span class="key-hint">"or Escape"</span>
            }
            .whole()
        })
    };
    let banner = move |(first, rest): (String, String)| {
        view! {
            <div class="known-banner" data-testid="known-banner" role="status">
                <p>
                    <strong>{first}</strong>
                    " "
                    {rest}
                </p>
                {changing(way_back)}
            </div>
        }
        .whole()
    };
    view! { {changing(move || sentences().map(banner))} }.whole()
}
