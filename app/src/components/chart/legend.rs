//! Names beside colours, where there is more than one series; each switches its series off and on.

use leptos::prelude::*;

use super::parts::Parts;
use crate::{
    charts::COLORED_SERIES,
    components::whole::{Whole, WholeView},
    format::number,
};

/// What a legend says; it stays as it is while answers bring other values of the same series.
#[derive(Clone, PartialEq)]
pub(super) struct Legend {
    named: Vec<Named>,
    others: usize,
}

#[derive(Clone, PartialEq)]
struct Named {
    name: String,
    color: usize,
    dashed: bool,
}

impl Legend {
    /// The legend of what is shown; none where there is only one series. Tracked.
    pub(super) fn of(parts: Parts) -> Option<Legend> {
        parts.picture.with(|picture| {
            let series = &picture.as_ref()?.data.series;
            let named = series.iter().take(COLORED_SERIES);
            let named = named.map(|it| Named { name: it.name.clone(), color: it.color, dashed: it.dashed }).collect();
            let others = series.len().saturating_sub(COLORED_SERIES);
            (series.len() > 1).then_some(Legend { named, others })
        })
    }
}

/// The legend, each name a switch.
pub(super) fn view(parts: Parts, Legend { named, others }: Legend) -> WholeView {
    let item = move |(index, series): (usize, Named)| {
        let dashed = if series.dashed { " dashed" } else { "" };
        let class = format!("swatch series-{}{dashed}", series.color);
        let shown = move || if parts.hidden.with(|hidden| hidden.contains(&index)) { "false" } else { "true" };
        view! {
            <li>
                <button
                    type="button"
                    class="legend-item"
                    aria-pressed=shown
                    title=series.name.clone()
                    on:click=move |_| parts.toggle(vec![index])
                >
                    <span class=class aria-hidden="true"></span>
                    <span class="legend-name">{series.name.clone()}</span>
                </button>
            </li>
        }
        .whole()
    };
    let rest: Vec<usize> = (COLORED_SERIES..COLORED_SERIES + others).collect();
    let shown = {
        let rest = rest.clone();
        move || {
            if parts.hidden.with(|hidden| rest.iter().all(|index| hidden.contains(index))) { "false" } else { "true" }
        }
    };
    let of_others = (others > 0).then(|| {
        view! {
            <li>
                <button type="button" class="legend-item" aria-pressed=shown on:click=move |_| parts.toggle(rest.clone())>
                    <span class="swatch series-0" aria-hidden="true"></span>
                    {format!("{} others", number::count_text(others as u64))}
                </button>
            </li>
        }
        .whole()
    });
    view! { <ul class="legend">{named.into_iter().enumerate().map(item).collect_view()} {of_others}</ul> }.whole()
}
