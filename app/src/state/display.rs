//! How this reader wants pages shown: density, locale, time zone. Kept in this browser; the server knows nothing of it, so
//! pages start as it wrote them and follow the choices once they run.

use leptos::prelude::*;

use crate::{
    browser,
    format::{
        locale::Locale,
        style::{Style, set_style},
        zone::{UTC, Zone},
    },
};

/// The choice that stands for whatever the browser has: its language, its zone.
pub const OWN: &str = "browser";
/// Densities and their words; the first is usual.
pub const DENSITIES: [(&str, &str); 2] = [("comfortable", "Comfortable"), ("compact", "Compact")];
/// Zones that are one choice away, beside UTC and the browser's.
pub const ZONES: [&str; 8] = [
    "Europe/London",
    "Europe/Zurich",
    "America/New_York",
    "America/Chicago",
    "Asia/Kolkata",
    "Asia/Hong_Kong",
    "Asia/Tokyo",
    "Australia/Sydney",
];

/// The script in the shell knows this name too.
const DENSITY_NAME: &str = "tidemark-density";
const LOCALE_NAME: &str = "tidemark-locale";
const ZONE_NAME: &str = "tidemark-zone";

/// What was chosen. Provided once for the whole application.
#[derive(Clone, Copy)]
pub struct Display {
    /// One of [`DENSITIES`].
    pub density: RwSignal<&'static str>,
    /// The tag of a locale, or [`OWN`].
    pub locale: RwSignal<String>,
    /// The IANA name of a zone, or [`OWN`].
    pub zone: RwSignal<String>,
}

impl Display {
    /// Starts as the server wrote, and takes what is kept as soon as there is a browser.
    pub fn provide() -> Display {
        let display = Display {
            density: RwSignal::new(DENSITIES[0].0),
            locale: RwSignal::new(OWN.to_owned()),
            zone: RwSignal::new(UTC.to_owned()),
        };
        provide_context(display);
        Effect::new(move |_| {
            if let Some(density) = browser::recall(DENSITY_NAME).as_deref().and_then(density_of) {
                display.density.set(density);
            }
            if let Some(tag) = browser::recall(LOCALE_NAME).filter(|tag| Locale::of_tag(tag).is_some()) {
                display.locale.set(tag);
            }
            if let Some(zone) = browser::recall(ZONE_NAME).filter(|zone| browser_name(zone).is_some()) {
                display.zone.set(zone);
            }
            display.write_so();
        });
        display
    }

    /// Chooses one of [`DENSITIES`]; anything else changes nothing.
    pub fn choose_density(self, density: &str) {
        let Some(density) = density_of(density) else { return };
        self.density.set(density);
        browser::keep(DENSITY_NAME, density);
        browser::set_root_attribute("data-density", density);
    }

    /// Chooses a locale by its tag, or [`OWN`].
    pub fn choose_locale(self, tag: &str) {
        self.locale.set(tag.to_owned());
        browser::keep(LOCALE_NAME, tag);
        self.write_so();
    }

    /// Chooses a zone by its IANA name, or [`OWN`]. The error is a sentence for the user.
    pub fn choose_zone(self, zone: &str) -> Result<(), String> {
        let zone = zone.trim();
        let Some(known) = browser_name(zone) else {
            let typed: String = zone.chars().take(40).collect();
            return Err(format!("This browser knows no zone '{typed}'. Type a name such as Europe/Zurich."));
        };
        let chosen = spelled(zone, &known);
        browser::keep(ZONE_NAME, &chosen);
        self.zone.set(chosen);
        self.write_so();
        Ok(())
    }

    /// From now on everything is written as chosen.
    fn write_so(self) {
        let zone = self.zone.get_untracked();
        let name = if zone == OWN { browser::zone::own() } else { Some(zone) };
        let zone = name.map_or(Zone::UTC, |name| Zone::new(name, browser::zone::ahead_secs));
        let locale = self.locale.with_untracked(|tag| Locale::of_tag(tag));
        let locale = locale.unwrap_or_else(|| Locale::nearest(&browser::language()));
        set_style(Style { locale, zone });
    }
}

fn density_of(word: &str) -> Option<&'static str> {
    DENSITIES.iter().map(|density| density.0).find(|density| *density == word)
}

/// How a zone is named from now on: as usual where only small and large letters were typed otherwise. Some browsers know a
/// zone by an older name, such as Asia/Calcutta; it keeps the name by which it was chosen.
fn spelled(typed: &str, known: &str) -> String {
    let usual = ZONES.into_iter().chain([known]).find(|usual| usual.eq_ignore_ascii_case(typed));
    usual.unwrap_or(typed).to_owned()
}

/// The browser's name for a chosen zone; `None` where it knows none of this name.
fn browser_name(zone: &str) -> Option<String> {
    if zone == OWN { browser::zone::own() } else { browser::zone::canonical(zone) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_keeps_the_name_it_was_chosen_by_in_usual_letters() {
        assert_eq!(spelled("pacific/chatham", "Pacific/Chatham"), "Pacific/Chatham");
        assert_eq!(spelled("asia/kolkata", "Asia/Calcutta"), "Asia/Kolkata");
        assert_eq!(spelled("Asia/Saigon", "Asia/Ho_Chi_Minh"), "Asia/Saigon");
        assert_eq!((spelled(OWN, "Europe/Zurich"), density_of("dense")), (OWN.to_owned(), None));
    }
}
