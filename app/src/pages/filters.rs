//! What a page is narrowed down to, each with a way back.

use leptos::prelude::*;

use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::{Filter, Filters},
    state::address::{Address, Step},
};

/// The row of filters; nothing while there are none.
#[component]
pub fn FilterRow(filters: Memo<Filters>, address: Address) -> impl IntoView {
    changing(move || row(&filters.get(), address)).whole()
}

/// Shows only what these filters leave.
pub fn show_only(address: Address, filters: &Filters) {
    address.set(vec![("only", filters.parameter())], Step::Push);
}

fn row(filters: &Filters, address: Address) -> Option<WholeView> {
    if filters.0.is_empty() {
        return None;
    }
    let chip = |filter: &Filter| {
        let values = filter.text();
        let (column, without) = (filter.column.clone(), filters.without(&filter.column));
        let label = format!("Show all again: {column}");
        view! {
            <li class="filter-chip">
                <span>{column} ": " <strong>{values}</strong></span>
                <button type="button" aria-label=label on:click=move |_| show_only(address, &without)>
                    "✕"
                </button>
            </li>
        }
        .whole()
    };
    let chips = filters.0.iter().map(chip).collect_view();
    Some(
        view! {
            <div class="filter-row" data-testid="filters" role="group" aria-label="Shown only">
                <span class="quiet">"Only"</span>
                <ul>{chips}</ul>
                <button type="button" on:click=move |_| show_only(address, &Filters::default())>
                    "Show all"
                </button>
            </div>
        }
        .whole(),
    )
}
