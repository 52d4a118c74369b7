//! Tables of any length: only the rows in sight are on the page. Sorted by a click on a header, filtered by a field, columns
//! chosen from a list. Wide ones scroll inside their box, which takes the focus for that.
//!
//! Keys in the box: up and down move the active row (with Shift by ten), Home and End go to the ends, Enter chooses it.

mod change;
mod data;
mod sight;

use std::sync::Arc;

use leptos::{
    ev::{FocusEvent, KeyboardEvent},
    html,
    prelude::*,
};

pub use data::{Filter, GridColumn, GridData, Order, PairColumn};
use sight::Sight;

use super::whole::{Whole, WholeView, changing};
use crate::{
    browser,
    format::number,
    state::{diff::Kind, display::Display},
};

/// Height of a row in CSS pixels where there is no stylesheet to ask.
const USUAL_ROW_PX: f64 = 38.0;
/// Steps that Shift makes of one.
const LONG_STEP: usize = 10;
/// Tables with fewer rows than that need no filter.
const FILTER_FROM: usize = 12;

type Shown = Signal<Option<Arc<GridData>>>;

#[derive(Clone, Copy)]
struct Parts {
    data: Shown,
    order: RwSignal<Option<Order>>,
    filter: RwSignal<Filter>,
    /// Columns that are not shown.
    hidden: RwSignal<Vec<usize>>,
    /// The rows that pass the filter, in order.
    rows: Memo<Arc<Vec<u32>>>,
    top_px: RwSignal<f64>,
    height_px: RwSignal<f64>,
    /// As `--row-height` says, which the density decides.
    row_px: RwSignal<f64>,
    active: RwSignal<Option<usize>>,
    scroll: NodeRef<html::Div>,
    pick: Option<Callback<usize>>,
}

/// A table in a box that scrolls. `label` names both; the table is empty while there is none.
#[component]
pub fn DataGrid(
    #[prop(into)] label: Signal<String>,
    #[prop(into)] testid: String,
    #[prop(into)] data: Shown,
    /// Called with the row of the answer that was chosen.
    #[prop(optional_no_strip, into)]
    pick: Option<Callback<usize>>,
) -> impl IntoView {
    let (order, filter) = (RwSignal::new(None), RwSignal::new(Filter::default()));
    let rows = Memo::new(move |_| {
        let (order, filter) = (order.get(), filter.get());
        let rows = data.with(|data| data.as_ref().map(|data| data.arranged(order, &filter)));
        Arc::new(rows.unwrap_or_default())
    });
    let parts = Parts {
        data,
        order,
        filter,
        hidden: RwSignal::new(Vec::new()),
        rows,
        top_px: RwSignal::new(0.0),
        height_px: RwSignal::new(440.0),
        row_px: RwSignal::new(USUAL_ROW_PX),
        active: RwSignal::new(None),
        scroll: NodeRef::new(),
        pick,
    };
    let display = expect_context::<Display>();
    Effect::new(move |_| {
        display.density.track();
        let height = browser::token("--row-height");
        if let Ok(px) = height.trim().trim_end_matches("px").parse::<f64>() {
            parts.row_px.set(px);
        }
    });
    // Other columns are another table.
    Effect::new(move |before: Option<usize>| {
        let columns = data.with(|data| data.as_ref().map_or(0, |data| data.columns.len()));
        if before.is_some_and(|before| before != columns) {
            parts.order.set(None);
            parts.hidden.set(Vec::new());
        }
        columns
    });
    let sight = Memo::new(move |_| {
        Sight::of(parts.rows.with(|rows| rows.len()), parts.row_px.get(), parts.height_px.get(), parts.top_px.get())
    });
    let (before, after) = (NodeRef::<html::Td>::new(), NodeRef::<html::Td>::new());
    Effect::new(move |_| {
        let sight = sight.get();
        for (cell, height) in [(before, sight.before_px), (after, sight.after_px)] {
            if let Some(cell) = cell.get() {
                // Fails for names that are none only.
                let _ = web_sys::HtmlElement::style(&cell).set_property("height", &format!("{height}px"));
            }
        }
    });
    let count = move || {
        let shown = parts.rows.with(|rows| rows.len());
        let all = data.with(|data| data.as_ref().map_or(0, |data| data.rows()));
        let text = |count: usize| number::count_text(count as u64);
        if shown == all { format!("{} rows", text(all)) } else { format!("{} of {} rows", text(shown), text(all)) }
    };
    // The tile around it is a region of the same name.
    let region = move || format!("{}: table", label.get());
    let spoken = move || {
        let (Some(place), Some(data)) = (parts.active.get(), data.get()) else { return String::new() };
        let row = parts.rows.with(|rows| rows.get(place).copied()).map(|row| row as usize);
        let cells = row.map(|row| (0..data.columns.len()).map(|column| data.cell(row, column)).collect::<Vec<_>>());
        cells.map(|cells| cells.join(", ")).unwrap_or_default()
    };
    view! {
        <div class="grid">
            {tools(parts, count)}
            <div
                class="table-box"
                role="region"
                aria-label=region
                tabindex="0"
                node_ref=parts.scroll
                on:scroll=move |_| parts.scrolled()
                on:keydown=move |event| parts.key(&event)
            >
                <table data-testid=testid aria-rowcount=move || (parts.rows.with(|rows| rows.len()) + 1).to_string()>
                    <caption class="visually-hidden">{label}</caption>
                    <thead>
                        <tr>{changing(move || head(parts))}</tr>
                    </thead>
                    <tbody>
                        <tr class="spacer" aria-hidden="true" hidden=move || sight.get().before_px == 0.0>
                            <td node_ref=before></td>
                        </tr>
                        {changing(move || body(parts, sight.get()))}
                        <tr class="spacer" aria-hidden="true" hidden=move || sight.get().after_px == 0.0>
                            <td node_ref=after></td>
                        </tr>
                    </tbody>
                </table>
            </div>
            <p class="visually-hidden" aria-live="polite">{spoken}</p>
        </div>
    }
    .whole()
}

fn tools(parts: Parts, count: impl Fn() -> String + Send + Sync + 'static) -> WholeView {
    let long = move || parts.data.with(|data| data.as_ref().is_some_and(|data| data.rows() >= FILTER_FROM));
    let choices = move || {
        let columns = parts.data.with(|data| data.as_ref().map(|data| data.columns.clone())).unwrap_or_default();
        let hidden = parts.hidden.get();
        let choice = |(index, column): (usize, GridColumn)| {
            let shown = !hidden.contains(&index);
            view! {
                <li>
                    <label>
                        <input
                            type="checkbox"
                            prop:checked=shown
                            checked=shown
                            on:change=move |_| parts.toggle_column(index)
                        />
                        {column.title}
                    </label>
                </li>
            }
            .whole()
        };
        columns.into_iter().enumerate().skip(1).map(choice).collect_view()
    };
    view! {
        <div class="grid-tools" hidden=move || !long()>
            <label>
                <span class="visually-hidden">"Show rows with"</span>
                <input
                    type="search"
                    placeholder="Filter: text, or > 10"
                    autocomplete="off"
                    spellcheck="false"
                    on:input:target=move |event| {
                        parts.filter.set(Filter { column: None, text: event.target().value() });
                        parts.active.set(None);
                    }
                />
            </label>
            <details class="grid-columns">
                <summary>"Columns"</summary>
                <ul>{choices}</ul>
            </details>
            <p class="quiet" role="status">{count}</p>
        </div>
    }
    .whole()
}

fn class(numeric: bool) -> &'static str {
    if numeric { "number" } else { "" }
}

/// What is made anew with each answer reads signals here and not in closures of its own: a signal that hardly ever changes
/// would go on remembering each of them.
fn head(parts: Parts) -> Vec<WholeView> {
    let columns = parts.data.with(|data| data.as_ref().map(|data| data.columns.clone())).unwrap_or_default();
    let order = parts.order.get();
    let cell = |(index, column): (usize, GridColumn)| {
        let (sorted, mark) = match order.filter(|order| order.column == index) {
            None => (None, ""),
            Some(Order { descending: true, .. }) => (Some("descending"), " ↓"),
            Some(_) => (Some("ascending"), " ↑"),
        };
        // Browsers leave what has the focus where it is as soon as 32 pixels of it are in sight.
        let reveal = |event: FocusEvent| browser::reveal_element(&event_target(&event));
        view! {
            <th scope="col" class=class(column.numeric) aria-sort=sorted>
                <button type="button" class="sort" on:focus=reveal on:click=move |_| parts.sort_by(index)>
                    {column.title}
                    <span aria-hidden="true">{mark}</span>
                </button>
            </th>
        }
        .whole()
    };
    let shown = |index: &usize| parts.hidden.with(|hidden| !hidden.contains(index));
    columns.into_iter().enumerate().filter(|(index, _)| shown(index)).map(cell).collect()
}

fn body(parts: Parts, sight: Sight) -> Vec<WholeView> {
    let Some(data) = parts.data.get() else { return Vec::new() };
    let rows = parts.rows.get();
    let (hidden, active) = (parts.hidden.get(), parts.active.get());
    let columns: Vec<usize> = (0..data.columns.len()).filter(|column| !hidden.contains(column)).collect();
    let row = |place: usize| {
        let row = *rows.get(place)? as usize;
        let cells = columns.iter().map(|column| {
            let class = class(data.columns[*column].numeric);
            match (*column, data.change(row, *column)) {
                (0, _) => view! { <th scope="row" class=class>{first_cell(&data, row)}</th> }.whole(),
                (_, Some(change)) => view! { <td class=class>{change.view()}</td> }.whole(),
                (column, None) => view! { <td class=class>{data.cell(row, column)}</td> }.whole(),
            }
        });
        let answer_row = data.answer_row(row);
        Some(
            view! {
                <tr
                    aria-rowindex=(place + 2).to_string()
                    data-kind=data.kind(row).map(Kind::word)
                    data-active=(active == Some(place)).then_some("true")
                    data-picks=parts.pick.is_some().then_some("true")
                    on:click=move |_| parts.choose(answer_row)
                >
                    {cells.collect_view()}
                </tr>
            }
            .whole(),
        )
    };
    (sight.first..sight.end).filter_map(row).collect()
}

/// What names a row; of a row that changed what happened to it, by a sign beside the word.
fn first_cell(data: &GridData, row: usize) -> WholeView {
    let Some(kind) = data.kind(row) else { return data.cell(row, 0).whole() };
    view! {
        <span class="change-kind">
            <span aria-hidden="true">{kind.sign()} " "</span>
            {kind.word()}
        </span>
    }
    .whole()
}

impl Parts {
    /// First upwards, then downwards, then as it came.
    fn sort_by(self, column: usize) {
        self.order.update(|order| {
            *order = match order {
                Some(Order { column: known, descending: false }) if *known == column => {
                    Some(Order { column, descending: true })
                }
                Some(Order { column: known, .. }) if *known == column => None,
                _ => Some(Order { column, descending: false }),
            };
        });
        self.active.set(None);
    }

    fn toggle_column(self, column: usize) {
        self.hidden.update(|hidden| match hidden.iter().position(|known| *known == column) {
            Some(place) => {
                hidden.remove(place);
            }
            None => hidden.push(column),
        });
    }

    fn scrolled(self) {
        let Some(scroll) = self.scroll.get_untracked() else { return };
        self.height_px.set(f64::from(scroll.client_height()));
        self.top_px.set(f64::from(scroll.scroll_top()));
    }

    fn choose(self, row: usize) {
        if let Some(pick) = self.pick {
            pick.run(row);
        }
    }

    fn key(self, event: &KeyboardEvent) {
        // Keys of a header's button are its own.
        let own = event.target().zip(event.current_target()).is_some_and(|(target, current)| target == current);
        let Some(last) = self.rows.with_untracked(|rows| rows.len()).checked_sub(1) else { return };
        if !own {
            return;
        }
        let step = if event.shift_key() { LONG_STEP } else { 1 };
        let active = self.active.get_untracked();
        let to = match event.key().as_str() {
            "ArrowDown" => active.map_or(0, |row| (row + step).min(last)),
            "ArrowUp" => active.map_or(last, |row| row.saturating_sub(step)),
            "Home" => 0,
            "End" => last,
            "Enter" => {
                let row = active.and_then(|place| self.rows.with_untracked(|rows| rows.get(place).copied()));
                let row = row.zip(self.data.get_untracked()).map(|(row, data)| data.answer_row(row as usize));
                // What opens may take the focus, and the key that opened it is not meant for it.
                event.prevent_default();
                return row.map_or((), |row| self.choose(row));
            }
            _ => return,
        };
        event.prevent_default();
        self.active.set(Some(to));
        self.bring_into_sight(to);
    }

    fn bring_into_sight(self, row: usize) {
        let Some(scroll) = self.scroll.get_untracked() else { return };
        let rows = self.rows.with_untracked(|rows| rows.len());
        let (height, top) = (f64::from(scroll.client_height()), f64::from(scroll.scroll_top()));
        if let Some(to) = Sight::scroll_to(row, rows, self.row_px.get_untracked(), height, top) {
            scroll.set_scroll_top(to as i32);
        }
    }
}
