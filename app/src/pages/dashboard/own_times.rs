//! Coordinates of one tile, chosen in a dialog: what differs from the page's stands in the address.

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    Context,
    times::{Times, own_text},
};
use crate::{
    components::{
        dialog::Dialog,
        time_plane::{CompareChoice, EffectiveAxis, Gesture, KnownMark, TimePlane},
        whole::{Whole, WholeView, changing},
    },
    dashboards::{OWN_TIMES, PerTile, TileDefinition, titled},
    format::time,
    pages::lazy::LazyPart,
    state::coordinates::{Compare, Coordinates, Effective, KnownChoice},
};

type OwnTile = (Arc<TileDefinition>, Times);

/// The dialog; closed while no tile's times are being chosen.
#[component]
pub(super) fn OwnTimesDialog(
    context: Context,
    /// The first moment anything was known, in microseconds.
    first: Memo<Option<i64>>,
    tiles: Vec<OwnTile>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let choosing = context.choosing;
    Effect::new(move |_| open.set(choosing.with(Option::is_some)));
    Effect::new(move |_| {
        if !open.get() && choosing.with_untracked(Option::is_some) {
            choosing.set(None);
        }
    });
    let content = move || {
        let id = choosing.get()?;
        let (tile, times) = tiles.iter().find(|(tile, _)| tile.id == id)?.clone();
        provide_context(Chosen { context, first, tile, times, open });
        Some(LazyPart::OwnTimes.view())
    };
    view! {
        <Dialog class="own-times" label="Times of one tile" testid="own-times" open>
            {changing(content)}
        </Dialog>
    }
    .whole()
}

/// The tile whose times are chosen.
#[derive(Clone)]
struct Chosen {
    context: Context,
    first: Memo<Option<i64>>,
    tile: Arc<TileDefinition>,
    times: Times,
    open: RwSignal<bool>,
}

/// The control for the tile that the dialog provides.
pub fn of_tile() -> WholeView {
    let Chosen { context, first, tile, times, open } = expect_context();
    let id = tile.id.clone();
    let set = Callback::new(move |(own, gesture): (Option<Coordinates>, Gesture)| {
        let text = own.and_then(|own| own_text(own, times.usual.get_untracked()));
        let all = PerTile::parse(untrack(|| context.address.get(OWN_TIMES)).as_deref());
        context.address.set(vec![(OWN_TIMES, all.with(&id, text).parameter())], gesture.step());
    });
    let now = move || times.chosen.get_untracked();
    let set_effective = Callback::new(move |(effective, gesture): (Effective, Gesture)| {
        set.run((Some(Coordinates { effective, ..now() }), gesture));
    });
    let set_known = Callback::new(move |(known, gesture): (KnownChoice, Gesture)| {
        set.run((Some(Coordinates { known, ..now() }), gesture));
    });
    let set_compare = Callback::new(move |compare: Option<Compare>| {
        set.run((Some(Coordinates { compare, ..now() }), Gesture::Choice));
    });
    let facts = Signal::derive(move || first.get().map(|first| (time::day_of(first), context.today.get())));
    let known_choice = Memo::new(move |_| times.chosen.get().known);
    let effective = Memo::new(move |_| times.chosen.get().effective);
    let compare = Memo::new(move |_| times.chosen.get().compare);
    let known = Memo::new(move |_| times.known());
    let compared = Memo::new(move |_| times.moment.get().compared);
    let compares = tile.compares();
    let compare =
        compares.then_some(CompareChoice { choice: compare, compared, set: set_compare, testid: "own-compare" });
    let mark = KnownMark { name: "Known", sign: "", testid: "own-known", choice: known_choice, known, set: set_known };
    let title = tile.title.clone();
    let title = move || context.values.with(|values| titled(&title, values));
    let usual = if tile.times.is_empty() { "Same as the page" } else { "As defined" };
    view! {
        <h2>{title}</h2>
        <p class="quiet">"What is chosen here holds for this tile alone."</p>
        <TimePlane
            live=context.live
            effective=EffectiveAxis { choice: effective, facts, set: set_effective, testid: "own-effective" }
            marks=vec![mark]
            known_first=first
            compare
        />
        <div class="dialog-actions">
            <button type="button" on:click=move |_| set.run((None, Gesture::Choice))>
                {usual}
            </button>
            <button type="button" on:click=move |_| open.set(false)>
                "Close"
            </button>
        </div>
    }
    .whole()
}
