//! What dashboards are made of beside their tiles: the control of both times, what stands around a chart, and what a page is
//! narrowed down by. The times are the component itself, standing still; the rest is written as pages write it.

use leptos::prelude::*;

use super::samples::{LONG_NAME, MOMENT, RIGHT_TO_LEFT};
use crate::{
    components::{
        time_plane::{CompareChoice, EffectiveAxis, KnownMark, TimePlane},
        whole::{Whole, WholeView},
    },
    format::time::{DAY_MICROS, day_of},
    live::Live,
    state::coordinates::{Compare, Effective, Known, KnownChoice},
};

/// The control as a page has it, with a range, a known time in the past and an earlier period.
pub(super) fn times() -> WholeView {
    let today = day_of(MOMENT);
    let known = Known::At(MOMENT - 12 * DAY_MICROS);
    let range = Effective::Between { from: Some(today - 60), to: Some(today) };
    let compared = Compare::Previous.of(range.days(today), today);
    let effective = EffectiveAxis {
        choice: Memo::new(move |_| range),
        facts: Signal::stored(Some((today - 300, today))),
        set: Callback::new(|_| ()),
        testid: "design-effective",
    };
    let mark = KnownMark {
        name: "Known",
        sign: "",
        testid: "design-known",
        choice: Memo::new(move |_| KnownChoice::Exactly(known)),
        known: Memo::new(move |_| known),
        set: Callback::new(|_| ()),
    };
    let compare = CompareChoice {
        choice: Memo::new(|_| Some(Compare::Previous)),
        compared: Memo::new(move |_| compared),
        set: Callback::new(|_| ()),
        testid: "design-compare",
    };
    view! {
        <TimePlane
            live=Live::still(MOMENT)
            effective
            marks=vec![mark]
            known_first=Memo::new(|_| Some(MOMENT - 90 * DAY_MICROS))
            compare=Some(compare)
        />
    }
    .whole()
}

/// The head of a chart with a legend in all its states.
pub(super) fn charts() -> WholeView {
    let items = [
        ("Level", "series-1", "true"),
        ("Switched off", "series-2", "false"),
        ("Dashed", "series-3 dashed", "true"),
        (LONG_NAME, "series-4", "true"),
        (RIGHT_TO_LEFT, "series-5", "true"),
        ("1,204 others", "series-0", "true"),
    ];
    let item = |(name, series, pressed): (&'static str, &str, &'static str)| {
        let class = format!("swatch {series}");
        view! {
            <li>
                <button type="button" class="legend-item" aria-pressed=pressed title=name>
                    <span class=class aria-hidden="true"></span>
                    <span class="legend-name">{name}</span>
                </button>
            </li>
        }
        .whole()
    };
    view! {
        <div class="chart">
            <div class="chart-head">
                <p class="chart-unit">"index points"</p>
                <ul class="legend">{items.map(item).into_iter().collect_view()}</ul>
                <p class="chart-readout">"31 Mar 2026: Level 1,204.31, Dashed 1,111.11"</p>
                <button type="button" class="quiet-button">
                    "Show all"
                </button>
                <button type="button" class="quiet-button">
                    "Table"
                </button>
            </div>
        </div>
        <p class="prose quiet">
            "Every type of tile, with data that is unkind to it, is on the "
            <a href="/dashboards/gallery" rel="external">"gallery of tiles"</a> "."
        </p>
    }
    .whole()
}

/// Filters, variables, tabs and sections.
pub(super) fn places() -> WholeView {
    let chip = |column: &'static str, values: &'static str| {
        view! {
            <li class="filter-chip">
                <span>{column} ": " <strong>{values}</strong></span>
                <button type="button" aria-label=format!("Show all again: {column}")>
                    "✕"
                </button>
            </li>
        }
        .whole()
    };
    let tab = |(word, pressed): (&'static str, &'static str)| {
        view! {
            <button type="button" aria-pressed=pressed>
                {word}
            </button>
        }
        .whole()
    };
    let tabs = [("Overview", "true"), ("Corrections", "false"), (RIGHT_TO_LEFT, "false")].map(tab);
    view! {
        <div class="filter-row" role="group" aria-label="Shown only">
            <span class="quiet">"Only"</span>
            <ul>{chip("sector", "Energy, Utilities")} {chip("name", LONG_NAME)} {chip("index", RIGHT_TO_LEFT)}</ul>
            <button type="button">"Show all"</button>
        </div>
        <div class="variable-row" role="group" aria-label="Variables">
            <div class="variable">
                <label for="design-variable">"Currency"</label>
                <select id="design-variable">
                    <option>"EUR"</option>
                    <option>{LONG_NAME}</option>
                </select>
            </div>
            <div class="variable">
                <label for="design-variable-refused">"Least weight"</label>
                <input id="design-variable-refused" type="text" value="heavy" autocomplete="off" aria-invalid="true" />
                <p class="variable-trouble">"'heavy' is not a number."</p>
            </div>
            <div class="variable">
                <details class="variable-several">
                    <summary>
                        <span class="variable-name">"Sectors"</span>
                        " "
                        <span>"2 of 11"</span>
                    </summary>
                    <fieldset>
                        <legend class="visually-hidden">"Sectors"</legend>
                        <ul>
                            <li>
                                <label>
                                    <input type="checkbox" checked />
                                    "Energy"
                                </label>
                            </li>
                            <li>
                                <label>
                                    <input type="checkbox" />
                                    {LONG_NAME}
                                </label>
                            </li>
                        </ul>
                    </fieldset>
                </details>
            </div>
        </div>
        <div class="dashboard-tabs" role="group" aria-label="Tabs">
            {tabs.into_iter().collect_view()}
        </div>
        {section("Open", "true")}
        {section("Folded", "false")}
    }
    .whole()
}

fn section(title: &'static str, open: &'static str) -> WholeView {
    view! {
        <section class="dashboard-section">
            <h3>
                <button type="button" aria-expanded=open>
                    <span class="section-sign" aria-hidden="true"></span>
                    {title}
                </button>
            </h3>
        </section>
    }
    .whole()
}
