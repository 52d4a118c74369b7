//! The theme: system, light or dark, kept in this browser.

use leptos::prelude::*;

use crate::browser;

const STORAGE_NAME: &str = "tidemark-theme";
/// Choices and their words; the first is usual.
pub const CHOICES: [(&str, &str); 3] = [("system", "System"), ("light", "Light"), ("dark", "Dark")];

/// The theme as the application sees it.
#[derive(Clone, Copy)]
pub struct Theme {
    /// One of [`CHOICES`].
    pub choice: RwSignal<&'static str>,
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

    /// Chooses one of [`CHOICES`]; anything else changes nothing.
    pub fn choose(self, choice: &str) {
        let Some((choice, _)) = CHOICES.iter().find(|(known, _)| *known == choice) else { return };
        self.choice.set(choice);
        browser::keep(STORAGE_NAME, choice);
        let dark = *choice == "dark" || (*choice == "system" && browser::system_is_dark());
        browser::set_root_attribute("data-theme-choice", choice);
        browser::set_root_attribute("data-theme", if dark { "dark" } else { "light" });
        self.bump();
    }
}
