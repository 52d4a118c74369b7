//! Drilling down: the levels of a tile, what was chosen on the way, and the way back. Kept in the address, as all choices are.

use leptos::prelude::*;

use super::{Context, tile::named};
use crate::{
    components::whole::{Whole, WholeView},
    dashboards::{DRILL, Filter, Filters, PerTile, TileDefinition},
    state::address::Step,
};

/// What was chosen on the way down in a tile, from the top; tracked.
pub(super) fn path_of(definition: &TileDefinition, context: Context) -> Filters {
    definition.way_down(context.address.get(DRILL).as_deref())
}

/// Shows a tile so far down.
pub(super) fn go(tile: &str, context: Context, path: &Filters) {
    let drilled = PerTile::parse(untrack(|| context.address.get(DRILL)).as_deref());
    let drilled = drilled.with(tile, path.parameter());
    context.address.set(vec![(DRILL, drilled.parameter())], Step::Push);
}

/// The way down, each part of which leads back to it; none at the top.
pub(super) fn way_back(
    definition: &TileDefinition,
    title: Signal<String>,
    context: Context,
    path: &Filters,
) -> Option<WholeView> {
    let (last, before) = path.0.split_last()?;
    let back = |(depth, text): (usize, String)| {
        let (tile, path) = (definition.id.clone(), Filters(path.0[..depth].to_vec()));
        view! {
            <li>
                <button type="button" class="quiet-button" on:click=move |_| go(&tile, context, &path)>
                    {text}
                </button>
            </li>
        }
        .whole()
    };
    let texts = std::iter::once("All".to_owned()).chain(before.iter().map(Filter::text));
    let parts = texts.enumerate().map(back).collect_view();
    let label = named(title, "Way down in ", "");
    let testid = format!("way-{}", definition.id);
    Some(
        view! {
            <nav class="way-down" aria-label=label data-testid=testid>
                <ol>{parts} <li aria-current="true">{last.text()}</li></ol>
            </nav>
        }
        .whole(),
    )
}
