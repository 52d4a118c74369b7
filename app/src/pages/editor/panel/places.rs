//! The tabs and the sections of the dashboard that is edited, and where one of its tiles stands.

use leptos::prelude::*;

use super::Panel;
use crate::{
    browser,
    components::whole::{Whole, WholeView, changing},
    dashboards::{Dashboard, Section, Tab},
    editor::{Command, Place, free_name},
    pages::editor::{
        fields::{Options, button, check, choice, remove, text},
        hands::{empty_place, place_of_empty},
        state::Editing,
    },
};

/// The choice of no tab.
const NO_TAB: &str = "";

fn head<T>(editing: Editing, part: impl FnOnce(&Dashboard) -> T) -> T {
    editing.document.with(|document| part(document.head()))
}

pub(super) fn tabs(editing: Editing) -> WholeView {
    let ids = Memo::new(move |_| head(editing, |head| head.tabs.iter().map(|tab| tab.id.clone()).collect::<Vec<_>>()));
    let add = move || {
        editing.arrange("Added a tab", |head| {
            let title = format!("Tab {}", head.tabs.len() + 1);
            let id = free_name(&title, "tab", |id| head.tabs.iter().any(|tab| tab.id == id));
            head.tabs.push(Tab { id, title });
        });
    };
    view! {
        <fieldset class="field-group">
            <legend>"Tabs"</legend>
            <For each=move || ids.get() key=String::clone children=move |id| tab(editing, id) />
            {button("Add a tab", "add-tab", add)}
        </fieldset>
    }
    .whole()
}

fn tab(editing: Editing, id: String) -> WholeView {
    let id = StoredValue::new(id);
    let of = move |head: &Dashboard| id.with_value(|id| head.tabs.iter().position(|tab| tab.id == *id));
    let title = move || head(editing, |head| of(head).map(|place| head.tabs[place].title.clone())).unwrap_or_default();
    let typed = move |title: String| {
        editing.describe("tabs", |head| {
            if let Some(place) = of(head) {
                head.tabs[place].title = title;
            }
        });
    };
    let earlier = move || {
        editing.arrange("Moved a tab one place up", |head| {
            if let Some(place) = of(head).filter(|place| *place > 0) {
                head.tabs.swap(place - 1, place);
            }
        });
    };
    let take_away = move || {
        editing.apply(Command::RemoveTab(id.get_value()));
        browser::focus(super::HEADING);
    };
    let is_first = Memo::new(move |_| head(editing, |head| of(head) == Some(0)));
    let named = id.get_value();
    let move_up = {
        let named = named.clone();
        move || (!is_first.get()).then(|| earlier_button(format!("tab-{named}-earlier"), earlier))
    };
    let called = move || format!("Tab {}", title());
    view! {
        <div class="field-row" role="group" aria-label=called>
            {text("Title", format!("tab-{named}-title"), title, typed, move || editing.settle())}
            {changing(move_up)}
            {remove("this tab", format!("tab-{named}-remove"), take_away)}
        </div>
    }
    .whole()
}

/// A button that puts a row of a form before the one above it.
fn earlier_button(testid: String, act: impl Fn() + Send + Sync + 'static) -> WholeView {
    view! {
        <button type="button" class="field-remove" aria-label="Move one place up" title="Move one place up" data-testid=testid on:click=move |_| act()>
            <span aria-hidden="true">"↑"</span>
        </button>
    }
    .whole()
}

pub(super) fn sections(editing: Editing) -> WholeView {
    let ids = Memo::new(move |_| {
        head(editing, |head| head.sections.iter().map(|section| section.id.clone()).collect::<Vec<_>>())
    });
    let add = move || {
        let tab = untrack(|| editing.shown_tab()).unwrap_or_default();
        editing.arrange("Added a section", |head| {
            let title = format!("Section {}", head.sections.len() + 1);
            let id = free_name(&title, "section", |id| head.sections.iter().any(|section| section.id == id));
            head.sections.push(Section { id, title, tab, folded: false });
        });
    };
    view! {
        <fieldset class="field-group">
            <legend>"Sections"</legend>
            <For each=move || ids.get() key=String::clone children=move |id| section(editing, id) />
            {button("Add a section", "add-section", add)}
        </fieldset>
    }
    .whole()
}

fn section(editing: Editing, id: String) -> WholeView {
    let named = id.clone();
    let id = StoredValue::new(id);
    let of = move |head: &Dashboard| id.with_value(|id| head.sections.iter().position(|section| section.id == *id));
    let read = move || head(editing, |head| of(head).map(|place| head.sections[place].clone()));
    let change = move |change: &dyn Fn(&mut Section)| {
        editing.describe("sections", |head| {
            if let Some(place) = of(head) {
                change(&mut head.sections[place]);
            }
        });
    };
    let earlier = move || {
        editing.arrange("Moved a section one place up", |head| {
            if let Some(place) = of(head).filter(|place| *place > 0) {
                head.sections.swap(place - 1, place);
            }
        });
    };
    let take_away = move || {
        editing.apply(Command::RemoveSection(id.get_value()));
        browser::focus(super::HEADING);
    };
    let is_first = Memo::new(move |_| head(editing, |head| of(head) == Some(0)));
    let has_tabs = Memo::new(move |_| head(editing, |head| !head.tabs.is_empty()));
    let tabs = move || -> Options {
        let all =
            head(editing, |head| head.tabs.iter().map(|tab| (tab.id.clone(), tab.title.clone())).collect::<Vec<_>>());
        std::iter::once((NO_TAB.to_owned(), "The page itself".to_owned())).chain(all).collect()
    };
    let on_tab = {
        let named = named.clone();
        move || {
            has_tabs.get().then(|| {
                let current = move || read().map(|section| section.tab).unwrap_or_default();
                choice("On", format!("section-{named}-tab"), tabs, current, move |tab| {
                    change(&|section| section.tab.clone_from(&tab));
                    editing.settle();
                })
            })
        }
    };
    let move_up = {
        let named = named.clone();
        move || (!is_first.get()).then(|| earlier_button(format!("section-{named}-earlier"), earlier))
    };
    let called = move || format!("Section {}", read().map(|section| section.title).unwrap_or_default());
    view! {
        <div class="field-part" role="group" aria-label=called>
        <div class="field-row">
            {text(
                "Title",
                format!("section-{named}-title"),
                move || read().map(|section| section.title).unwrap_or_default(),
                move |title| change(&|section| section.title.clone_from(&title)),
                move || editing.settle(),
            )}
            {changing(move_up)}
            {remove("this section", format!("section-{named}-remove"), take_away)}
        </div>
        {changing(on_tab)}
        {check(
            "Folded until somebody opens it",
            format!("section-{named}-folded"),
            move || read().is_some_and(|section| section.folded),
            move |folded| {
                change(&|section| section.folded = folded);
                editing.settle();
            },
        )}
        </div>
    }
    .whole()
}

/// Where a tile stands; nothing where there is but one place.
pub(super) fn of_tile(panel: Panel) -> WholeView {
    let editing = panel.editing;
    let several = Memo::new(move |_| head(editing, |head| !head.tabs.is_empty() || !head.sections.is_empty()));
    let options = move || -> Options {
        head(editing, |head| {
            let page = (empty_place(&Place::Page), "On the page itself".to_owned());
            let tab = |tab: &Tab| (empty_place(&Place::Tab(tab.id.clone())), format!("On the tab {}", tab.title));
            let section =
                |it: &Section| (empty_place(&Place::Section(it.id.clone())), format!("In the section {}", it.title));
            let tabs = head.tabs.iter().map(tab);
            std::iter::once(page).chain(tabs).chain(head.sections.iter().map(section)).collect()
        })
    };
    let current = move || panel.tile.with(|tile| empty_place(&Place::of(tile)));
    let choose = move |word: String| {
        if let (Some(place), Some(id)) = (place_of_empty(&word), panel.id.try_get_value()) {
            editing.apply(Command::Stand(id, place));
        }
    };
    changing(move || several.get().then(|| choice("Stands", "tile-place", options, current, choose))).whole()
}
