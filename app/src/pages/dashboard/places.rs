//! Where tiles stand: above all tabs, on the tab that is shown, in its sections. What is not shown asks nothing.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Context, tile::tile, times::Times};
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::{Dashboard, Section, Tab, TileDefinition},
    state::address::{Address, Step},
};

/// The address parameter with the tab that is shown; the first without.
const TAB: &str = "tab";

type Tiles = Arc<Vec<(Arc<TileDefinition>, Times)>>;

/// The tabs and sections of a dashboard.
pub(super) struct Places {
    tabs: Vec<Tab>,
    sections: Vec<Section>,
}

impl Places {
    pub(super) fn of(dashboard: &Dashboard) -> Places {
        Places { tabs: dashboard.tabs.clone(), sections: dashboard.sections.clone() }
    }

    /// All tiles in their places.
    pub(super) fn view(self, tiles: Tiles, context: Context) -> WholeView {
        let Places { tabs, sections } = self;
        let sections = Arc::new(sections);
        if tabs.is_empty() {
            return on_tab("", &tiles, &sections, context);
        }
        let address = context.address;
        let above = on_tab("", &tiles, &sections, context);
        let ids: Vec<String> = tabs.iter().map(|tab| tab.id.clone()).collect();
        // What the address names may be gone.
        let shown = Memo::new(move |_| {
            let named = address.get(TAB).filter(|named| ids.contains(named));
            named.or_else(|| ids.first().cloned()).unwrap_or_default()
        });
        let buttons = tabs.iter().enumerate().map(|(place, tab)| tab_button(place, tab, shown, address)).collect_view();
        let below = changing(move || on_tab(&shown.get(), &tiles, &sections, context));
        view! {
            {above}
            <div class="dashboard-tabs" role="group" aria-label="Tabs" data-testid="tabs">
                {buttons}
            </div>
            {below}
        }
        .whole()
    }
}

fn tab_button(place: usize, tab: &Tab, shown: Memo<String>, address: Address) -> WholeView {
    let (id, title) = (tab.id.clone(), tab.title.clone());
    let pressed = {
        let id = id.clone();
        move || shown.with(|shown| *shown == id).to_string()
    };
    // The first needs no parameter.
    let choose = move |_| address.set(vec![(TAB, (place > 0).then(|| id.clone()))], Step::Push);
    view! {
        <button type="button" aria-pressed=pressed on:click=choose>
            {title}
        </button>
    }
    .whole()
}

/// What stands on a tab, or on none.
fn on_tab(tab: &str, tiles: &Tiles, sections: &Arc<Vec<Section>>, context: Context) -> WholeView {
    let loose = grid(tiles, context, |tile| tile.section.is_empty() && tile.tab == tab);
    let there = sections.iter().filter(|section| section.tab == tab);
    let sections = there.map(|section| section_view(section, tiles, context)).collect_view();
    view! { {loose} {sections} }.whole()
}

fn grid(tiles: &Tiles, context: Context, here: impl Fn(&TileDefinition) -> bool) -> Option<WholeView> {
    let one = |(definition, times): &(Arc<TileDefinition>, Times)| {
        tile(definition.clone(), Context { times: *times, ..context })
    };
    let tiles: Vec<_> = tiles.iter().filter(|tile| here(&tile.0)).map(one).collect();
    (!tiles.is_empty()).then(|| view! { <div class="dashboard">{tiles}</div> }.whole())
}

fn section_view(section: &Section, tiles: &Tiles, context: Context) -> WholeView {
    let Section { id, title, folded, .. } = section.clone();
    let open = RwSignal::new(!folded);
    let (body, controlled) = (format!("section-{id}"), format!("section-{id}"));
    let tiles = tiles.clone();
    let content = move || open.get().then(|| grid(&tiles, context, |tile| tile.section == id)).flatten();
    view! {
        <section class="dashboard-section">
            <h2>
                <button
                    type="button"
                    aria-expanded=move || open.get().to_string()
                    aria-controls=controlled
                    on:click=move |_| open.update(|open| *open = !*open)
                >
                    <span class="section-sign" aria-hidden="true"></span>
                    {title}
                </button>
            </h2>
            <div id=body>{changing(content)}</div>
        </section>
    }
    .whole()
}
