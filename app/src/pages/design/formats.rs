//! Each format in each locale, in UTC.

use std::sync::Arc;

use leptos::prelude::*;

use super::samples;
use crate::{
    components::{
        data_grid::{DataGrid, GridColumn, GridData},
        whole::{Whole, WholeView},
    },
    format::{
        locale::LOCALES,
        style::{Style, with_style},
        value::{Format, Number},
    },
};

/// The table of formats.
pub fn view() -> WholeView {
    let grid = Signal::derive(|| Some(Arc::new(with_style(grid_of))));
    view! {
        <section class="tile">
            <div class="tile-body design-tile">
                <DataGrid label=Signal::derive(|| "Table of formats".to_owned()) testid="design-formats" data=grid />
            </div>
        </section>
    }
    .whole()
}

fn grid_of(style: &Style) -> GridData {
    let columns =
        std::iter::once(GridColumn::text("Format")).chain(LOCALES.iter().map(|locale| GridColumn::number(locale.tag)));
    let row = |(name, format, number): (&'static str, Format, Number)| {
        let texts = LOCALES.iter().map(|locale| format.text(number, &Style { locale, zone: style.zone.clone() }));
        std::iter::once(name.to_owned()).chain(texts).collect()
    };
    GridData::written(columns.collect(), samples::formats().into_iter().map(row).collect())
}
