//! Who changes something. There is no sign-in, so it is what somebody says, kept in this browser.

use leptos::prelude::*;

use crate::{browser, components::whole::Whole};

/// The name is kept under this name.
const KEPT: &str = "tidemark-author";

/// What was said last.
pub fn author() -> String {
    browser::recall(KEPT).unwrap_or_default()
}

/// The field.
#[component]
pub fn AuthorField() -> impl IntoView {
    let said = RwSignal::new(String::new());
    Effect::new(move |_| said.set(author()));
    let change = move |event| {
        said.set(event_target_value(&event));
        browser::keep(KEPT, &said.get_untracked());
    };
    view! {
        <label class="author">
            "Your name, kept with the change"
            <input type="text" autocomplete="name" data-testid="author" prop:value=move || said.get() on:input=change />
        </label>
    }
    .whole()
}
