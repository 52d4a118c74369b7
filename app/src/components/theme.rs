//! The theme: system, light or dark, kept in this browser.

use leptos::prelude::*;

use crate::browser;

const STORAGE_NAME: &str = "tidemark-theme";
const CHOICES: [(&str, &str); 3] = [("system", "System"), ("light", "Light"), ("dark", "Dark")];

/// The theme as the application sees it.
#[derive(Clone, Copy)]
pub struct Theme {
    choice: RwSignal<&'static str>,
    /// Changes whenever colours do; what draws with them draws again.
    pub version: RwSignal<u32>,
}

impl Theme {
    /// Takes over from the script that ran before the first paint.
    pub fn provide() -> Theme {
        let theme = Theme { choice: RwSignal::new("system"), version: RwSignal::new(0) };
        provide_context(theme);
        Effect::new(move |_| {
            let kept = browser::recall(STORAGE_NAME);
            if let Some((choice, _)) = CHOICES.iter().find(|(choice, _)| kept.as_deref() == Some(choice)) {
                theme.choice.set(choice);
            }
            let changed = window_event_listener_untyped("tidemark-theme", move |_| theme.bump());
            on_cleanup(move || changed.remove());
        });
        theme
    }

    fn bump(self) {
        self.version.update(|version| *version += 1);
    }

    fn choose(self, choice: &'static str) {
        self.choice.set(choice);
        browser::keep(STORAGE_NAME, choice);
        let dark = choice == "dark" || (choice == "system" && browser::system_is_dark());
        if let Some(root) = browser::root_element() {
            let set = [("data-theme-choice", choice), ("data-theme", if dark { "dark" } else { "light" })];
            if set.into_iter().any(|(name, value)| root.set_attribute(name, value).is_err()) {
                leptos::logging::warn!("the theme could not be set");
            }
        }
        self.bump();
    }
}

/// The theme switch.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let theme = expect_context::<Theme>();
    let options = CHOICES.map(|(choice, word)| {
        view! {
            <option value=choice selected=move || theme.choice.get() == choice>
                {word}
            </option>
        }
    });
    let change = move |value: String| {
        if let Some((choice, _)) = CHOICES.iter().find(|(choice, _)| *choice == value) {
            theme.choose(choice);
        }
    };
    view! {
        <label class="theme-switch">
            <span class="visually-hidden">"Theme"</span>
            <select
                data-testid="theme-switch"
                prop:value=move || theme.choice.get()
                on:change:target=move |event| change(event.target().value())
            >
                {options}
            </select>
        </label>
    }
}
