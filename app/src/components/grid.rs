//! Tables of values. Wide ones scroll inside their box, which takes the focus for that.

use std::sync::Arc;

use leptos::prelude::*;

use super::whole::Whole;

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its header, with the unit.
    pub title: String,
    /// Numbers are set to the right in tabular figures.
    pub numeric: bool,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grid {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its cells; the first of each row names it.
    pub rows: Vec<Vec<String>>,
}

impl Column {
    /// A column of text.
    pub fn text(title: &str) -> Column {
        Column { title: title.to_owned(), numeric: false }
    }

    /// A column of numbers.
    pub fn number(title: &str) -> Column {
        Column { title: title.to_owned(), numeric: true }
    }
}

fn class(numeric: bool) -> &'static str {
    if numeric { "number" } else { "" }
}

/// Shows a table in a box that scrolls. `label` names both; the table is empty while there is none.
#[component]
pub fn GridView(
    #[prop(into)] label: String,
    testid: &'static str,
    #[prop(into)] grid: Signal<Option<Arc<Grid>>>,
) -> impl IntoView {
    let head = move || {
        let columns = grid.with(|grid| grid.as_ref().map(|grid| grid.columns.clone())).unwrap_or_default();
        let cell = |column: Column| view! { <th scope="col" class=class(column.numeric)>{column.title}</th> };
        columns.into_iter().map(cell).collect_view()
    };
    let body = move || grid.with(|grid| grid.as_ref().map(|grid| rows(grid)));
    let caption = label.clone();
    view! {
        <div class="table-box" role="region" aria-label=label tabindex="0">
            <table data-testid=testid>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>{head}</tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
    .whole()
}

fn rows(grid: &Grid) -> Vec<AnyView> {
    let numeric: Vec<bool> = grid.columns.iter().map(|column| column.numeric).collect();
    let row = |cells: &Vec<String>| {
        let cells = cells.iter().enumerate().map(|(index, text)| {
            let class = class(numeric.get(index).copied().unwrap_or(false));
            let text = text.clone();
            if index == 0 {
                view! { <th scope="row" class=class>{text}</th> }.whole()
            } else {
                view! { <td class=class>{text}</td> }.whole()
            }
        });
        view! { <tr>{cells.collect_view()}</tr> }.whole()
    };
    grid.rows.iter().map(row).collect()
}
