//! Names beside colours, where there is more than one series; each switches its series off and on.

use leptos::prelude::*;

use super::parts::Parts;
use crate::{
    charts::{COLORED_SERIES, SeriesInfo},
    components::whole::{Whole, WholeView},
    format::number,
};

/// The legend of what is shown; none where there is only one series.
pub(super) fn legend(parts: Parts) -> Option<WholeView> {
    let series: Vec<SeriesInfo> = parts.picture.with(|it| it.as_ref().map(|it| it.data.series.clone()))?;
    if series.len() < 2 {
        return None;
    }
    let others = series.len().saturating_sub(COLORED_SERIES);
    let named: Vec<(usize, SeriesInfo)> = series.into_iter().enumerate().take(COLORED_SERIES).collect();
    // Read once, not by each name: see the head of a grid.
    let hidden = parts.hidden.get();
    let item = |(index, series): (usize, SeriesInfo)| {
        let dashed = if series.dashed { " dashed" } else { "" };
        let class = format!("swatch series-{}{dashed}", series.color);
        let shown = if hidden.contains(&index) { "false" } else { "true" };
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
    let shown = if rest.iter().all(|index| hidden.contains(index)) { "false" } else { "true" };
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
    Some(view! { <ul class="legend">{named.into_iter().map(item).collect_view()} {of_others}</ul> }.whole())
}
