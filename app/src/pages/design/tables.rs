//! Tables: wide, long, without rows, with names that are too long and texts that run from right to left.

use std::sync::Arc;

use leptos::prelude::*;

use super::samples::{LONG_NAME, RIGHT_TO_LEFT};
use crate::{
    components::{
        data_grid::{DataGrid, GridColumn, GridData},
        whole::{Whole, WholeView},
    },
    format::{number, time},
};

const WIDE_COLUMNS: i64 = 18;
const LONG_ROWS: i64 = 200;

/// The tables.
pub fn view() -> WholeView {
    let grids = [
        ("Wide", "design-wide", wide()),
        ("Long", "design-long-table", long()),
        ("Without rows", "design-no-rows", GridData::written(columns(), Vec::new())),
        ("Names", "design-names", names()),
    ];
    let tiles = grids.map(|(title, testid, grid)| {
        let grid = Signal::stored(Some(Arc::new(grid)));
        view! {
            <section class="tile">
                <header class="tile-header">
                    <h3>{title}</h3>
                </header>
                <div class="tile-body">
                    <DataGrid label=Signal::derive(move || format!("Table, {title}")) testid data=grid />
                </div>
            </section>
        }
        .whole()
    });
    view! { <div class="design-tables">{Vec::from(tiles)}</div> }.whole()
}

fn columns() -> Vec<GridColumn> {
    vec![GridColumn::text("Day"), GridColumn::number("Close"), GridColumn::text("Name")]
}

fn wide() -> GridData {
    let columns = (0..WIDE_COLUMNS).map(|index| GridColumn::number(&format!("Column {}", index + 1)));
    let row =
        |row: i64| (0..WIDE_COLUMNS).map(move |column| number::integer_text(i128::from(7_i64.pow(3) * row * column)));
    GridData::written(columns.collect(), (1..=4).map(|index| row(index).collect()).collect())
}

fn long() -> GridData {
    let row = |index: i64| {
        let day = time::day_text(20_543 - index);
        vec![day, number::decimal_text(i128::from(12_043_100 - 17 * index), 4), "Galdhøpiggen".to_owned()]
    };
    GridData::written(columns(), (0..LONG_ROWS).map(row).collect())
}

fn names() -> GridData {
    let day = time::day_text(20_543);
    let close = number::decimal_text(12_043_100, 4);
    let row = |name: &str| vec![day.clone(), close.clone(), name.to_owned()];
    GridData::written(columns(), vec![row(LONG_NAME), row(RIGHT_TO_LEFT), row("–")])
}
