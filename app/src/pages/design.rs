//! The design system: every component in all its states, with samples that are unkind to it. Nothing here is read from the
//! lake, and no page uses anything from here. The server writes it like the documentation: no other page carries its weight.

mod colours;
mod dashboards;
mod formats;
mod samples;
mod tables;

use leptos::prelude::*;

use crate::{
    components::{
        kpi::{Figure, Kpi},
        tile::TileFrame,
        whole::{Whole, WholeView},
    },
    format::time,
    queries::docs::MARKS,
    state::tile::{Phase, TileStatus},
};
use samples::{LONG_NAME, LONG_REASON, RIGHT_TO_LEFT};

/// Parts of the page: id, title.
const PARTS: [(&str, &str); 11] = [
    ("type", "Type"),
    ("colours", "Colours"),
    ("controls", "Controls"),
    ("figures", "Figures"),
    ("formats", "Numbers, dates and moments"),
    ("times", "Effective and known time"),
    ("places", "Filters, variables, tabs and sections"),
    ("tiles", "Tiles"),
    ("charts", "Charts"),
    ("tables", "Tables"),
    ("messages", "Banners, notices and dialogs"),
];

/// What the server writes into the page, between the marks that the browser looks for.
pub fn html() -> String {
    format!("{}{}{}", MARKS.0, sheet().to_html(), MARKS.1)
}

fn sheet() -> WholeView {
    let links = PARTS.map(|(id, title)| view! { <li><a href=format!("#{id}") rel="external">{title}</a></li> }.whole());
    let contents = [
        type_scale,
        colours::view,
        controls,
        figures,
        formats::view,
        dashboards::times,
        dashboards::places,
        tiles,
        dashboards::charts,
        tables::view,
        messages,
    ];
    let parts = PARTS.iter().zip(contents).map(|((id, title), content)| {
        let heading = format!("{id}-title");
        let labelled_by = heading.clone();
        view! {
            <section id=*id class="design-part" aria-labelledby=labelled_by>
                <h2 id=heading class="section-title">{*title}</h2>
                {content()}
            </section>
        }
        .whole()
    });
    view! {
        <p class="prose">
            "What pages are made of, in all states, with names that are too long and texts that run from right to left. Theme
            and density are those of the display menu."
        </p>
        <nav aria-label="On this page">
            <ul class="design-contents">{Vec::from(links)}</ul>
        </nav>
        {parts.collect::<Vec<_>>()}
    }
    .whole()
}

fn type_scale() -> WholeView {
    let rows = [
        ("--size-large, strong", "design-large"),
        ("--size-base, strong", "design-base strong"),
        ("--size-base", "design-base"),
        ("--size-small, strong", "design-small strong"),
        ("--size-small", "design-small"),
        ("--size-small, mono", "design-small design-mono"),
    ];
    let rows = rows.map(|(name, class)| {
        view! {
            <div>
                <dt>{name}</dt>
                <dd class=class>"As known on 31 March, 1,204.31 was 1,111.11"</dd>
            </div>
        }
        .whole()
    });
    view! {
        <dl class="design-rows">{Vec::from(rows)}</dl>
        <p class="prose quiet">
            "Motion takes --motion, 120 ms, only to show where something went, and none where the reader asked for none."
        </p>
    }
    .whole()
}

fn controls() -> WholeView {
    let presets = ["1 month", "3 months", "1 year", "All"].into_iter().enumerate().map(|(index, word)| {
        let pressed = if index == 1 { "true" } else { "false" };
        view! {
            <button type="button" aria-pressed=pressed>
                {word}
            </button>
        }
        .whole()
    });
    view! {
        <div class="control-bar">
            <fieldset class="controls">
                <legend>"Buttons"</legend>
                <div class="presets">
                    <button type="button">"Usual"</button>
                    <button type="button" aria-pressed="true">"Pressed"</button>
                    <button type="button" disabled=true>"Not to be had"</button>
                    <button type="button">{LONG_NAME}</button>
                </div>
            </fieldset>
            <fieldset class="controls effective">
                <legend>"↔ Effective"</legend>
                <label>
                    "From"
                    <input type="text" class="day" value="2026-03-31" autocomplete="off" />
                </label>
                <div class="presets">{presets.collect::<Vec<_>>()}</div>
            </fieldset>
            <fieldset class="controls known">
                <legend>"↕ Known"</legend>
                <label>
                    "As of"
                    <input
                        type="text"
                        value="next spring"
                        autocomplete="off"
                        aria-invalid="true"
                        aria-describedby="design-problem"
                    />
                </label>
                <div class="presets">
                    <button type="button">"1 day ago"</button>
                    <button type="button" aria-pressed="true">"Now"</button>
                </div>
                <p class="field-problem" id="design-problem">
                    "'next spring' is not a time such as 2026-03-31 18:00 UTC"
                </p>
            </fieldset>
            <fieldset class="controls">
                <legend>"Fields"</legend>
                <label>
                    "Choice"
                    <select>
                        <option>"prices"</option>
                        <option>{LONG_NAME}</option>
                        <option>{RIGHT_TO_LEFT}</option>
                    </select>
                </label>
                <label>
                    "Empty"
                    <input type="text" class="day" placeholder="2026-03-31" autocomplete="off" />
                </label>
                <label>
                    "Not to be changed"
                    <input type="text" class="day" value="2026-03-31" disabled=true />
                </label>
            </fieldset>
        </div>
    }
    .whole()
}

fn figures() -> WholeView {
    let up = Figure { value: "+6.00".to_owned(), note: "▲ +0.50 %".to_owned(), direction: "up" };
    let down = Figure { value: "−84,572.45".to_owned(), note: "▼ −0.81 %".to_owned(), direction: "down" };
    let long = Figure::new("−170,141,183,460,469,231,731,687,303,715,884,105,728".to_owned(), LONG_NAME);
    view! {
        <dl class="kpi-row">
            <Kpi name="Level" unit="index points" testid="design-plain" figure=Figure::new("1,204.31".to_owned(), "effective 31 Mar 2026") />
            <Kpi name="Up" unit="index points" testid="design-up" figure=up />
            <Kpi name="Down" unit="euros" testid="design-down" figure=down />
            <Kpi name="None yet" testid="design-none" figure=Figure::none() />
            <Kpi name=LONG_NAME unit="a unit that has a name of some length as well" testid="design-long" figure=long />
            <Kpi name=RIGHT_TO_LEFT testid="design-rtl" figure=Figure::new(RIGHT_TO_LEFT.to_owned(), RIGHT_TO_LEFT) />
        </dl>
    }
    .whole()
}

fn tiles() -> WholeView {
    let picture = || view! { <p>"The picture, which stays while a newer one is read."</p> };
    let note = Signal::derive(|| LONG_NAME.to_owned());
    view! {
        <div class="tile-grid" data-sample="true">
            <TileFrame title="Ready" testid="design-ready" status=TileStatus::new(Phase::Ready)>
                {picture()}
            </TileFrame>
            <TileFrame title="Loading" testid="design-loading" status=TileStatus::new(Phase::Loading)>
                {picture()}
            </TileFrame>
            <TileFrame
                title="Empty"
                testid="design-empty"
                status=TileStatus::new(Phase::Empty("No prices are effective in this range. Choose a longer one.".to_owned()))
            >
                <div></div>
            </TileFrame>
            <section class="tile" data-testid="design-stale" data-state="ready" data-stale="true" aria-labelledby="design-stale-title">
                <header class="tile-header">
                    <h2 id="design-stale-title">"Not live"</h2>
                    <p class="tile-fresh">"18:00:05 UTC, not live"</p>
                </header>
                <div class="tile-body">{picture()}</div>
            </section>
            <TileFrame title="Error" testid="design-error" status=TileStatus::new(Phase::Error(LONG_REASON.to_owned()))>
                {picture()}
            </TileFrame>
            <TileFrame title=LONG_NAME testid="design-long-title" status=TileStatus::new(Phase::Ready) note>
                {picture()}
            </TileFrame>
            <TileFrame
                title=RIGHT_TO_LEFT
                testid="design-rtl-title"
                status=TileStatus::new(Phase::Empty(RIGHT_TO_LEFT.to_owned()))
            >
                <div></div>
            </TileFrame>
        </div>
    }
    .whole()
}

fn messages() -> WholeView {
    view! {
        <div class="known-banner">
            <p>
                <strong>"As known on " {time::moment_text(samples::MOMENT)} "."</strong>
                " 2,314 later corrections hidden."
            </p>
            <button type="button">"Return to now"</button>
            <span class="key-hint">"or Escape"</span>
        </div>
        <p class="notice">"There is no dataset 'prises'. Choose one from the list."</p>
        <p class="notice">{LONG_REASON}</p>
        <p>
            <button type="button" data-testid="design-dialog-open" popovertarget="design-dialog">
                "Open a dialog"
            </button>
        </p>
        <dialog id="design-dialog" class="sheet" aria-label="A sample" data-testid="design-dialog" popover="auto">
            <div class="sheet-head">
                <h2>{LONG_NAME}</h2>
                <button type="button" popovertarget="design-dialog" popovertargetaction="hide">
                    "Close"
                </button>
            </div>
            <p class="sheet-text">{LONG_REASON}</p>
        </dialog>
    }
    .whole()
}
