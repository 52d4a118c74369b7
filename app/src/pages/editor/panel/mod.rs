//! The panel of the tile that is chosen: what it asks, how it looks; of the dashboard itself while none is.

mod calculated;
pub(super) mod choosing;
mod filters;
mod look;
mod places;
mod question;
mod repair;
mod settings;
mod statement;
mod variables;

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    fields::{button, text},
    state::Editing,
    tile::{Asks, asks_of},
};
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::{
        PictureDefinition, TileDefinition,
        builder::{TileQuery, with_statements},
    },
};

/// Id of the panel's heading, which takes the focus when a panel is opened.
pub(super) const HEADING: &str = "editor-panel-title";

/// The tile of a panel.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    editing: Editing,
    id: StoredValue<String>,
    tile: Memo<Arc<TileDefinition>>,
    /// What it asks, as it is typed.
    asks: Memo<Asks>,
}

impl Panel {
    /// A part of the question; what it would be of none where the tile has a statement. Tracked.
    fn of<T>(self, part: impl FnOnce(&TileQuery) -> T) -> T {
        self.tile.with(|tile| match &tile.query {
            Some(query) => part(query),
            None => part(&TileQuery::default()),
        })
    }

    // A field that is taken away while it has the focus tells of its change after the panel is gone.
    fn ask(self, member: &'static str, change: impl FnOnce(&mut TileQuery)) {
        if let Some(id) = self.id.try_get_value() {
            self.editing.ask(&id, member, change);
        }
    }

    fn edit(self, member: &'static str, change: impl FnOnce(&mut TileDefinition)) {
        if let Some(id) = self.id.try_get_value() {
            self.editing.edit(&id, member, change);
        }
    }

    /// What is wrong with a part of the question, by where it stands; tracked.
    fn problem(self, pointer: &str) -> Option<String> {
        self.asks.with(|asks| {
            let problems = asks.as_ref().err()?;
            problems.iter().find(|problem| is_within(&problem.pointer, pointer)).map(ToString::to_string)
        })
    }

    /// The same as a line below a field.
    fn problem_view(self, pointer: String) -> WholeView {
        let id = format!("problem{}", pointer.replace('/', "-"));
        changing(move || {
            let problem = self.problem(&pointer);
            problem.map(|problem| view! { <p class="field-problem" id=id.clone() role="status">{problem}</p> })
        })
        .whole()
    }
}

/// Whether a JSON pointer leads to what another leads to, or into it.
fn is_within(pointer: &str, outer: &str) -> bool {
    pointer.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The panel.
pub(super) fn panel(editing: Editing) -> WholeView {
    let chosen = Memo::new(move |_| {
        let id = editing.selected.get()?;
        editing.document.with(|document| document.tile(&id).is_some()).then_some(id)
    });
    let content = move || match chosen.get() {
        Some(id) => of_tile(editing, id),
        None => settings::form(editing),
    };
    view! {
        <section class="editor-panel" aria-labelledby=HEADING data-testid="editor-panel">
            <h2 id=HEADING tabindex="-1">
                {move || if chosen.with(Option::is_some) { "Tile" } else { "Dashboard" }}
            </h2>
            {changing(content)}
        </section>
    }
    .whole()
}

fn of_tile(editing: Editing, id: String) -> WholeView {
    let last = StoredValue::new(Arc::new(TileDefinition::empty()));
    let tile = {
        let id = id.clone();
        Memo::new(move |_| {
            let found = editing.tile(&id);
            found.inspect(|tile| last.set_value(tile.clone())).unwrap_or_else(|| last.get_value())
        })
    };
    let panel =
        Panel { editing, id: StoredValue::new(id), tile, asks: Memo::new(move |_| asks_of(editing, &tile.get())) };
    let asks = Memo::new(move |_| {
        tile.with(|tile| match (&tile.query, &tile.picture) {
            (Some(_), _) => Form::Question,
            (None, PictureDefinition::Markdown { .. }) => Form::Words,
            (None, _) => Form::Statement,
        })
    });
    let form = move || match asks.get() {
        Form::Question => question::form(panel),
        Form::Words => words(panel),
        Form::Statement => statement::form(panel),
    };
    view! {
        {text(
            "Title",
            "tile-title",
            move || tile.with(|tile| tile.title.clone()),
            move |title| panel.edit("title", |tile| tile.title = title),
            move || editing.settle(),
        )}
        {repair::offers(panel)}
        {changing(form)}
        {look::form(panel)}
        {choosing_form(panel)}
    }
    .whole()
}

/// What a reader can do with it; nothing with words.
fn choosing_form(panel: Panel) -> WholeView {
    let asks = Memo::new(move |_| panel.tile.with(|tile| !matches!(tile.picture, PictureDefinition::Markdown { .. })));
    changing(move || asks.get().then(|| choosing::form(panel))).whole()
}

/// How a tile asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Question,
    Statement,
    /// Not at all.
    Words,
}

/// The words of a tile that is made of them.
fn words(panel: Panel) -> WholeView {
    let text = move || {
        panel.tile.with(|tile| match &tile.picture {
            PictureDefinition::Markdown { text } => text.clone(),
            _ => String::new(),
        })
    };
    let typed = move |text: String| panel.edit("words", |tile| tile.picture = PictureDefinition::Markdown { text });
    view! {
        <label class="field">
            <span class="field-name">"Words, in Markdown"</span>
            <textarea
                rows="8"
                data-testid="words"
                prop:value=text
                on:input:target=move |event| typed(event.target().value())
                on:blur=move |_| panel.editing.settle()
            ></textarea>
        </label>
    }
    .whole()
}

/// Writes the question as a statement, from where it can be changed by hand.
fn as_statement(panel: Panel) -> WholeView {
    let change = move || {
        let made = panel.tile.with_untracked(|tile| {
            let query = tile.query.as_ref()?;
            let fields = untrack(|| panel.editing.fields(&query.dataset));
            let alone = || with_statements(tile, &TileQuery { down: None, ..TileQuery::clone(query) }, &fields);
            with_statements(tile, query, &fields).or_else(|_| alone()).ok()
        });
        panel.edit("statement", |tile| match made {
            Some(made) => *tile = made,
            None => tile.query = None,
        });
        panel.editing.settle();
        crate::browser::focus(HEADING);
    };
    button("Write SQL instead", "use-sql", change)
}
