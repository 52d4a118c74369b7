//! A chart on the page: drawn on a canvas, read out under pointer and keys, zoomed and panned, and told again as a table.
//!
//! Keys: left and right step through the rows (with Shift by ten), Home and End go to the ends, Enter chooses what is read
//! out, M begins and ends a marked stretch, plus and minus zoom around it, 0 shows all again, Page Up and Page Down move what
//! is zoomed into, as stepping out of it does, Escape takes the mark or the cursor away.

mod gestures;
mod legend;
mod parts;

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    data_grid::{DataGrid, GridData},
    whole::{Whole, WholeView, changing},
};
use crate::charts::{Data, Index, Note, summary};
use legend::legend;
use parts::Parts;

/// An answer as a chart shows it, with what is worked out once for it.
#[derive(Debug)]
pub struct Picture {
    /// The rows, bound to the spec.
    pub data: Data,
    /// For reading out.
    pub index: Index,
}

impl Picture {
    /// A picture of bound rows.
    pub fn new(data: Data) -> Picture {
        Picture { data, index: Index::default() }
    }
}

/// What was chosen on a chart, by click or Enter.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// The row of the answer.
    pub row: usize,
    /// The series.
    pub series: usize,
}

/// The stretch of the x axis that is shown: microseconds of times, else numbers. `None` is all of it.
pub type Window = Option<(f64, f64)>;

/// The instant under the pointer or cursor of one chart, shown by all charts of a page that share it: in microseconds, and
/// which chart it comes from.
#[derive(Clone, Copy)]
pub struct SharedCrosshair(pub RwSignal<Option<(f64, u32)>>);

impl SharedCrosshair {
    /// For the charts of a page. Those outside any page have their own.
    pub fn provide() -> SharedCrosshair {
        let shared = SharedCrosshair(RwSignal::new(None));
        provide_context(shared);
        shared
    }
}

/// A chart with its table. `testid` names the chart, `table_testid` the table.
#[component]
pub fn ChartView(
    #[prop(into)] testid: String,
    #[prop(into)] table_testid: String,
    /// What is shown; nothing yet without.
    #[prop(into)]
    picture: Signal<Option<Arc<Picture>>>,
    /// The stretch that is shown, where somebody else has to know it.
    #[prop(optional)]
    window: Option<RwSignal<Window>>,
    /// Called with what was chosen.
    #[prop(optional_no_strip, into)]
    pick: Option<Callback<Pick>>,
    /// Called with a stretch that was dragged over; it is zoomed into without.
    #[prop(optional_no_strip, into)]
    brush: Option<Callback<(f64, f64)>>,
    /// What is noted on it, where it runs over time.
    #[prop(optional, into)]
    notes: Option<Signal<Arc<Vec<Note>>>>,
    /// The rows that are called A and B.
    #[prop(optional)]
    marked: Option<RwSignal<Vec<usize>>>,
) -> impl IntoView {
    let notes = notes.unwrap_or_else(|| Signal::stored(Arc::default()));
    let marked = marked.unwrap_or_else(|| RwSignal::new(Vec::new()));
    let window = window.unwrap_or_else(|| RwSignal::new(None));
    let parts = Parts::new(picture, window, (notes, marked), pick, brush);
    parts.draw_when_anything_changes();
    let as_table = RwSignal::new(false);
    let summary = move || {
        picture.with(|it| it.as_ref().map_or_else(|| "No data yet".to_owned(), |it| summary(&it.data, &notes.get())))
    };
    let unit = move || picture.with(|it| it.as_ref().map(|it| it.data.spec.axes()));
    let title = move || picture.with(|it| it.as_ref().map(|it| it.data.spec.title.clone())).unwrap_or_default();
    let spoken = move || if parts.spoken.get() { parts.readout_text() } else { String::new() };
    let toggle_word = move || if as_table.get() { "Chart" } else { "Table" };
    let toggle_testid = format!("{testid}-toggle");
    let grid = Memo::new_with_compare(
        move |_| {
            let shown = as_table.get();
            picture.with(|it| it.as_ref().filter(|_| shown).map(|it| Arc::new(GridData::of_chart(&it.data))))
        },
        |_, _| true,
    );
    view! {
        <div class="chart">
            <div class="chart-head">
                <p class="chart-unit">{unit}</p>
                {changing(move || legend(parts))}
                <p class="chart-readout">{changing(move || parts.readout_text())}</p>
                <button
                    type="button"
                    class="quiet-button"
                    hidden=move || parts.window.with(Option::is_none)
                    on:click=move |_| parts.show_all()
                >
                    "Show all"
                </button>
                <button
                    type="button"
                    class="quiet-button"
                    data-testid=toggle_testid
                    on:click=move |_| as_table.update(|shown| *shown = !*shown)
                >
                    {toggle_word}
                </button>
            </div>
            <div
                class="chart-canvas"
                role="img"
                tabindex="0"
                aria-label=summary
                data-testid=testid
                data-picks=move || pick.is_some().then_some("true")
                hidden=move || as_table.get()
                node_ref=parts.host
                on:pointerdown=move |event| parts.press(&event)
                on:pointermove=move |event| parts.point(&event)
                on:pointerup=move |event| parts.release(&event)
                on:pointercancel=move |_| parts.cancel()
                on:pointerleave=move |_| parts.leave()
                on:dblclick=move |_| parts.show_all()
                on:wheel=move |event| parts.wheel(&event)
                on:focus=move |_| parts.speak()
                on:blur=move |_| parts.leave()
                on:keydown=move |event| parts.key(&event)
            >
                <canvas node_ref=parts.canvas aria-hidden="true"></canvas>
                <canvas class="chart-overlay" node_ref=parts.overlay aria-hidden="true"></canvas>
                <div class="chart-brush" aria-hidden="true" node_ref=parts.brush_box hidden=move || parts.brushed.get().is_none()></div>
            </div>
            {numbered_notes(parts, as_table)}
            <p class="visually-hidden" aria-live="polite">{spoken}</p>
            <Show when=move || as_table.get()>
                <DataGrid label=Signal::derive(move || format!("{} as a table", title())) testid=table_testid.clone() data=grid />
            </Show>
        </div>
    }
    .whole()
}

/// What is noted where only a number had room, a line each, folded; it stays open while the chart is drawn anew.
fn numbered_notes(parts: Parts, as_table: RwSignal<bool>) -> WholeView {
    let lines = Memo::new(move |_| {
        let scene = parts.scene.get().filter(|_| !as_table.get());
        let mut lines = String::new();
        parts.picture.with(|it| {
            let (Some(it), Some(scene)) = (it, scene) else { return };
            for (index, note) in scene.numbered.iter().enumerate() {
                let joint = if index == 0 { "" } else { "\n" };
                lines.push_str(&format!("{joint}{} · {}", index + 1, note.line(&it.data)));
            }
        });
        lines
    });
    let head = move || match lines.with(|lines| lines.lines().count()) {
        1 => "Note 1".to_owned(),
        many => format!("Notes 1–{many}"),
    };
    view! {
        <details class="chart-notes" hidden=move || lines.with(String::is_empty)>
            <summary>{head}</summary>
            <p>{move || lines.get()}</p>
        </details>
    }
    .whole()
}
