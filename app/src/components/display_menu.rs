//! The display menu: theme, density, locale and time zone, and the zone that is in force, which is always in sight.

use leptos::{ev::KeyboardEvent, html, prelude::*};

use super::{
    icon::{self, icon},
    theme::{self, Theme},
    whole::{Whole, WholeView, changing},
};
use crate::{
    format::{
        locale::LOCALES,
        style::{Style, with_style},
        time,
        zone::UTC,
    },
    pages::lazy::LazyPart,
    state::display::{DENSITIES, Display, OWN, ZONES},
};

/// The menu's id.
const MENU: &str = "display-menu";

/// A choice in a list: its value, its words.
type Choice = (String, String);

/// The button in the top bar, and the menu it opens.
#[component]
pub fn DisplayMenu() -> impl IntoView {
    let menu = NodeRef::<html::Div>::new();
    // What it holds is loaded when somebody is about to open it for the first time.
    let opened = RwSignal::new(false);
    let short_name = || with_style(|style| style.zone.short_name());
    let name = || with_style(|style| style.zone.name().to_owned());
    // The page does not hear of an Escape that closes the menu.
    let key = move |event: KeyboardEvent| {
        if event.key() == "Escape" {
            event.prevent_default();
            if menu.get_untracked().is_some_and(|menu| menu.hide_popover().is_err()) {
                leptos::logging::warn!("the display menu could not be closed");
            }
        }
    };
    view! {
        <button
            type="button"
            class="top-button"
            data-testid="display-open"
            popovertarget=MENU
            on:focus=move |_| opened.set(true)
            on:pointerenter=move |_| opened.set(true)
            on:keydown=key
        >
            {icon(icon::SLIDERS)}
            <span class="visually-hidden">"Display, time zone "</span>
            <span data-testid="zone" title=name>
                {short_name}
            </span>
        </button>
        <div
            id=MENU
            class="display-menu"
            popover="auto"
            role="group"
            aria-label="Display"
            data-testid="display-menu"
            node_ref=menu
            on:keydown=key
            on:toggle=move |_| opened.set(true)
        >
            {changing(move || opened.get().then(|| LazyPart::Display.view()))}
        </div>
    }
    .whole()
}

/// What the menu holds.
#[component]
pub fn Choices() -> impl IntoView {
    let theme = expect_context::<Theme>();
    let display = expect_context::<Display>();
    let words = |choices: &[(&str, &str)]| {
        choices.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect::<Vec<Choice>>()
    };
    let themes = words(&theme::CHOICES);
    let densities = words(&DENSITIES);
    let locales: Vec<Choice> = std::iter::once((OWN.to_owned(), "As the browser".to_owned()))
        .chain(LOCALES.iter().map(|locale| (locale.tag.to_owned(), locale.name.to_owned())))
        .collect();
    let sample = || with_style(sample_text);
    view! {
        {choice_list(
            "Theme",
            "theme-switch",
            Signal::derive(move || themes.clone()),
            Signal::derive(move || theme.choice.get().to_owned()),
            Callback::new(move |choice: String| theme.choose(&choice)),
        )}
        {choice_list(
            "Density",
            "density-switch",
            Signal::derive(move || densities.clone()),
            Signal::derive(move || display.density.get().to_owned()),
            Callback::new(move |choice: String| display.choose_density(&choice)),
        )}
        {choice_list(
            "Numbers and dates",
            "locale-switch",
            Signal::derive(move || locales.clone()),
            display.locale.into(),
            Callback::new(move |choice: String| display.choose_locale(&choice)),
        )}
        <ZoneChoice display />
        <p class="display-sample" data-testid="display-sample">{sample}</p>
    }
    .whole()
}

/// What a number and a moment look like, in any style.
fn sample_text(style: &Style) -> String {
    const MOMENT: i64 = 1_774_980_000_000_000;
    format!("{}, {}", style.locale.number(true, "1234567.89"), time::moment(MOMENT, style))
}

fn choice_list(
    name: &'static str,
    testid: &'static str,
    choices: Signal<Vec<Choice>>,
    chosen: Signal<String>,
    choose: Callback<String>,
) -> WholeView {
    let option = move |(value, word): Choice| {
        let this = value.clone();
        view! {
            <option value=value selected=move || chosen.with(|chosen| *chosen == this)>
                {word}
            </option>
        }
        .whole()
    };
    view! {
        <label>
            {name}
            <select
                data-testid=testid
                prop:value=move || chosen.get()
                on:change:target=move |event| choose.run(event.target().value())
            >
                {changing(move || choices.get().into_iter().map(option).collect::<Vec<_>>())}
            </select>
        </label>
    }
    .whole()
}

/// The zone, from a short list or by any name that the browser knows.
#[component]
fn ZoneChoice(display: Display) -> impl IntoView {
    let problem = RwSignal::new(String::new());
    let zones = Signal::derive(move || zone_choices(&display.zone.get()));
    let choose = Callback::new(move |zone: String| {
        problem.set(display.choose_zone(&zone).err().unwrap_or_default());
    });
    view! {
        {choice_list("Time zone", "zone-switch", zones, display.zone.into(), choose)}
        <label>
            "Another, by its IANA name"
            <input
                type="text"
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                placeholder="Europe/Zurich"
                aria-describedby="zone-problem"
                data-testid="zone-field"
                on:change:target=move |event| {
                    let field = event.target();
                    if !field.value().trim().is_empty() {
                        choose.run(field.value());
                        if problem.with_untracked(String::is_empty) {
                            field.set_value("");
                        }
                    }
                }
            />
        </label>
        <p class="field-problem" id="zone-problem" role="status">{changing(move || problem.get())}</p>
    }
    .whole()
}

/// UTC, the browser's, the short list, and what else was chosen.
fn zone_choices(chosen: &str) -> Vec<Choice> {
    let named = |zone: &str| (zone.to_owned(), zone.replace('_', " "));
    let first = [named(UTC), (OWN.to_owned(), "As the browser".to_owned())];
    let mut choices: Vec<Choice> = first.into_iter().chain(ZONES.into_iter().map(named)).collect();
    if choices.iter().all(|choice| choice.0 != chosen) {
        choices.push(named(chosen));
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_by_name_is_in_the_list_once() {
        let times = |zone: &str| zone_choices(zone).iter().filter(|choice| choice.0 == zone).count();
        assert_eq!((times("Asia/Tokyo"), times("Pacific/Chatham"), times(OWN)), (1, 1, 1));
    }

    #[test]
    fn the_sample_shows_separators_sign_date_and_zone() {
        assert_eq!(sample_text(&Style::DEFAULT), "−1,234,567.89, 31 Mar 2026, 18:00 UTC");
    }
}
