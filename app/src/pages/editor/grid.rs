//! The tiles that are edited, in their places: above all tabs, on the tab that is shown, in its sections.

use leptos::prelude::*;

use super::{
    fields::button,
    hands::{Hands, empty_place},
    state::Editing,
    tile::tile,
};
use crate::{
    browser,
    components::whole::{Whole, WholeView, changing},
    dashboards::Section,
    editor::Place,
};

/// All places. Tiles keep what they show when others come, go and move.
pub(super) fn grid(editing: Editing) -> WholeView {
    let hands = Hands::new();
    let keys = "Arrow keys move the tile. Arrow keys with Shift make it wider, narrower, higher or lower.";
    let tab = Memo::new(move |_| editing.shown_tab());
    let on_tab = move || tab.get().map(|tab| part(editing, hands, tab));
    view! {
        <p id="editor-keys" class="visually-hidden">{keys}</p>
        <div class="editor-places" data-testid="editor-grid">
            {part(editing, hands, String::new())}
            {tabs(editing, tab)}
            {changing(on_tab)}
        </div>
    }
    .whole()
}

/// What stands on a tab, or on the page itself where that is empty.
fn part(editing: Editing, hands: Hands, tab: String) -> WholeView {
    let place = if tab.is_empty() { Place::Page } else { Place::Tab(tab.clone()) };
    let sections = Memo::new(move |_| {
        editing.document.with(|document| {
            let head = document.head();
            let is_there = |id: &str| head.tabs.iter().any(|tab| tab.id == id);
            let on = |section: &Section| if is_there(&section.tab) { section.tab.clone() } else { String::new() };
            let here = head.sections.iter().filter(|section| on(section) == tab);
            here.map(|section| section.id.clone()).collect::<Vec<_>>()
        })
    });
    view! {
        {tiles(editing, hands, place)}
        <For each=move || sections.get() key=String::clone children=move |id| section(editing, hands, id) />
    }
    .whole()
}

/// The tiles at a place, or that there is none.
fn tiles(editing: Editing, hands: Hands, place: Place) -> WholeView {
    let here = place.clone();
    let ids = Memo::new(move |_| {
        editing.document.with(|document| {
            let here = document.tiles().iter().filter(|tile| Place::shown(tile, document.head()) == here);
            here.map(|tile| tile.id.clone()).collect::<Vec<_>>()
        })
    });
    // The page itself is a place of its own only where there are others.
    let is_shown = {
        let place = place.clone();
        Memo::new(move |_| {
            let others =
                move || editing.document.with(|it| !it.head().tabs.is_empty() || !it.head().sections.is_empty());
            ids.with(Vec::is_empty) && (place != Place::Page || others())
        })
    };
    let nothing = move || is_shown.get().then(|| nothing(editing, hands, place.clone()));
    view! {
        <div class="dashboard editor-grid">
            <For each=move || ids.get() key=String::clone children=move |id| tile(editing, id, hands) />
        </div>
        {changing(nothing)}
    }
    .whole()
}

/// That nothing stands here, and the way to change that.
fn nothing(editing: Editing, hands: Hands, place: Place) -> WholeView {
    let id = empty_place(&place);
    let target = {
        let id = id.clone();
        move || (hands.target.get().as_ref() == Some(&id)).then_some("true")
    };
    let words = match place {
        Place::Page => "Above all tabs and sections stands nothing.",
        Place::Tab(_) | Place::Section(_) => "Nothing stands here yet.",
    };
    // Beside sections it is no more than a place to put something.
    let slim = {
        let place = place.clone();
        Memo::new(move |_| match &place {
            Place::Page => true,
            Place::Tab(id) => editing.document.with(|it| it.head().sections.iter().any(|section| section.tab == *id)),
            Place::Section(_) => false,
        })
    };
    let add = move || {
        editing.add_tile(Some(place.clone()));
        browser::focus(super::panel::HEADING);
    };
    view! {
        <div class="editor-empty" data-slim=move || slim.get().then_some("true") data-cell=id.clone() data-place=id.clone() data-target=target data-testid=format!("empty-{id}")>
            <p>{words}</p>
            {button("Add a tile here", format!("add-{id}"), add)}
        </div>
    }
    .whole()
}

/// The tabs, of which one is shown; nothing where there are none.
fn tabs(editing: Editing, shown: Memo<Option<String>>) -> WholeView {
    let all = Memo::new(move |_| editing.document.with(|document| document.head().tabs.clone()));
    let one = move |tab: crate::dashboards::Tab| {
        let (id, testid) = (tab.id.clone(), format!("tab-{}", tab.id));
        let pressed = move || (shown.get().as_ref() == Some(&id)).to_string();
        let choose = move |_| editing.tab.set(tab.id.clone());
        let title = if tab.title.trim().is_empty() { "Without a title".to_owned() } else { tab.title };
        view! {
            <button type="button" aria-pressed=pressed data-testid=testid on:click=choose>
                {title}
            </button>
        }
        .whole()
    };
    let row = move || {
        let all = all.get();
        (!all.is_empty()).then(|| {
            view! {
                <div class="dashboard-tabs" role="group" aria-label="Tabs" data-testid="editor-tabs">
                    {all.into_iter().map(one).collect_view()}
                </div>
            }
            .whole()
        })
    };
    changing(row).whole()
}

/// A section with its tiles. It is never folded here.
fn section(editing: Editing, hands: Hands, id: String) -> WholeView {
    let (place, heading) = (Place::Section(id.clone()), format!("edit-section-{id}"));
    let of = move || {
        let is_this = |section: &&Section| section.id == id;
        editing.document.with(|document| document.head().sections.iter().find(is_this).cloned())
    };
    let title = move || {
        let section = of()?;
        let title = if section.title.trim().is_empty() { "Without a title".to_owned() } else { section.title };
        let folded = section.folded.then(|| view! { <span class="quiet">" folded at first"</span> });
        Some(view! { {title} {folded} }.whole())
    };
    let labelled_by = heading.clone();
    view! {
        <section class="dashboard-section editor-section" aria-labelledby=labelled_by>
            <h2 id=heading>{changing(title)}</h2>
            {tiles(editing, hands, place)}
        </section>
    }
    .whole()
}
