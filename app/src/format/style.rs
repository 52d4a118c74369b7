//! How the person who reads wants values written: the locale and the time zone.
//!
//! The server writes everyone the same, [`Style::DEFAULT`]. A browser has one reader, whose style is a signal of its one
//! thread: whatever is written while something reactive runs is written again when the style changes.

use super::{
    locale::{LOCALES, Locale},
    zone::Zone,
};

/// The locale and the time zone of whoever reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Style {
    /// Separators and the order of dates.
    pub locale: &'static Locale,
    /// The zone in which instants are written.
    pub zone: Zone,
}

impl Style {
    /// What is written before anything is known of the reader: en-GB, UTC.
    pub const DEFAULT: Style = Style { locale: &LOCALES[0], zone: Zone::UTC };
}

#[cfg(target_arch = "wasm32")]
mod reader {
    use leptos::prelude::{ArcRwSignal, GetUntracked, Set, With};

    use super::Style;

    thread_local! {
        static STYLE: ArcRwSignal<Style> = ArcRwSignal::new(Style::DEFAULT);
    }

    /// Gives the reader's style to a function; tracked.
    pub fn with_style<T>(write: impl FnOnce(&Style) -> T) -> T {
        STYLE.with(|style| style.with(write))
    }

    /// Changes the reader's style.
    pub fn set_style(style: Style) {
        STYLE.with(|current| {
            if current.get_untracked() != style {
                current.set(style);
            }
        });
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod reader {
    use super::Style;

    /// Gives the reader's style to a function; outside a browser it is always the same.
    pub fn with_style<T>(write: impl FnOnce(&Style) -> T) -> T {
        write(&Style::DEFAULT)
    }

    /// Outside a browser there is no reader.
    pub fn set_style(_: Style) {}
}

pub use reader::{set_style, with_style};

/// Makes whatever reactive runs run again when the style changes: for pages that keep what they wrote.
pub fn track_style() {
    with_style(|_| ());
}
