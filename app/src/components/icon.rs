//! Icons: one stroke, 20 × 20, in the colour of the text beside them. Always beside a word, so hidden from readers.

use leptos::prelude::*;

/// An icon from its path.
pub fn icon(path: &'static str) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
            <path d=path />
        </svg>
    }
}

/// The product's mark: a square, its left half filled, as a tide leaves its line.
pub fn mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
            <rect class="mark-frame" x="2" y="2" width="16" height="16" rx="2" />
            <path class="mark-half" d="M2 4a2 2 0 0 1 2-2h6v16H4a2 2 0 0 1-2-2z" />
        </svg>
    }
}

/// A house.
pub const HOME: &str = "M3 9.5 10 3.5l7 6M5 8v8.5h10V8";
/// A line that rises.
pub const LINE: &str = "M3 3v14h14M6 12.5l3.5-4 3 2.5L17 5.5";
/// Two arrows, one each way.
pub const SWAP: &str = "M3 7h13m-3.5-3.5L16 7l-3.5 3.5M17 13H4m3.5-3.5L4 13l3.5 3.5";
/// An open book.
pub const BOOK: &str = "M10 5.5C8 4 5.5 3.5 3 4v11.5c2.5-.5 5 0 7 1.5 2-1.5 4.5-2 7-1.5V4c-2.5-.5-5 0-7 1.5zM10 5.5V17";
/// A magnifying glass.
pub const SEARCH: &str = "M14 8.5a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM12.5 12.5 17 17";
/// Two sliders.
pub const SLIDERS: &str = "M3 6h8m4 0h2M3 14h2m4 0h8M13 4v4M7 12v4";
/// Bars of different heights.
pub const BARS: &str = "M3 17h14M5 14V9M9 14V4M13 14v-4M17 14V7";
/// A pulse.
pub const PULSE: &str = "M2 10.5h4L8.5 4l3.5 12 2.5-5.5H18";
/// Steps that rise.
pub const STEPS: &str = "M3 16.5h4.5v-4H12v-4h4.5v-5";
/// A triangle that points on.
pub const PLAY: &str = "M6.5 4 15.5 10l-9 6z";
/// Two bars.
pub const PAUSE: &str = "M7 4v12M13 4v12";
/// One more of the same.
pub const COPY: &str = "M7 7h9v9H7zM4 13V4h9";
/// To be changed.
pub const PENCIL: &str = "M4 16l1-4L13.5 3.5l3 3L8 15z";
/// Away with it.
pub const CROSS: &str = "M5 5l10 10M15 5 5 15";
/// Four tiles.
pub const TILES: &str = "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z";
