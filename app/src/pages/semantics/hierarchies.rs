//! The hierarchies of a definition: ways down from what is wide to what is narrow, column by column.

use leptos::prelude::*;

use super::{Defining, Listed};
use crate::{
    browser,
    components::whole::{Whole, WholeView},
    dashboards::semantics::Hierarchy,
    pages::editor::fields::{Options, choice, named, remove, text},
    words::numbered,
};

/// Id of the heading, which takes the focus when a hierarchy is taken away.
const HEADING: &str = "semantics-hierarchies";
/// The choice of no column.
const NONE: &str = "";

/// A hierarchy of the form.
#[derive(Clone, Copy)]
struct Row {
    defining: Defining,
    index: usize,
}

impl Row {
    /// A part of it; tracked.
    fn of<T: Default>(self, part: impl FnOnce(&Hierarchy) -> T) -> T {
        self.defining.of(|now| now.hierarchies.get(self.index).map(part)).unwrap_or_default()
    }

    fn change(self, change: impl FnOnce(&mut Hierarchy)) {
        self.defining.change(|now| {
            if let Some(hierarchy) = now.hierarchies.get_mut(self.index) {
                change(hierarchy);
            }
        });
    }
}

pub(super) fn list(defining: Defining) -> WholeView {
    let count = Memo::new(move |_| defining.of(|now| now.hierarchies.len()));
    let add = move || {
        defining.change(|now| {
            let is_taken = |name: &str| now.hierarchies.iter().any(|hierarchy| hierarchy.name == name);
            let name = numbered("way", "_", is_taken);
            now.hierarchies.push(Hierarchy { name, title: String::new(), levels: Vec::new() });
        });
    };
    let list = Listed {
        heading: HEADING,
        title: "Hierarchies",
        hint: Some("Ways down in tiles, from the widest column to the narrowest, such as sector, then share."),
        member: "hierarchies",
        add: ("Add a hierarchy", "add-hierarchy"),
    };
    list.view(defining, count, |defining, index| row(Row { defining, index }), Box::new(add))
}

fn row(row: Row) -> WholeView {
    let Row { defining, index } = row;
    let take_away = move || {
        defining.change(|now| {
            if index < now.hierarchies.len() {
                now.hierarchies.remove(index);
            }
        });
        browser::focus(HEADING);
    };
    let place = format!("hierarchies[{index}]");
    let count = Memo::new(move |_| row.of(|hierarchy| hierarchy.levels.len()));
    // One more than there are, to choose the next.
    view! {
        <fieldset class="field-group">
            <legend>{move || format!("Hierarchy {}", row.of(|it| it.name.clone()))}</legend>
            <div class="field-row">
                {text(
                    "Name",
                    format!("hierarchy-{index}-name"),
                    move || row.of(|it| it.name.clone()),
                    move |name| row.change(|it| it.name = name),
                    || (),
                )}
                {text(
                    "Title",
                    format!("hierarchy-{index}-title"),
                    move || row.of(|it| it.title.clone()),
                    move |title| row.change(|it| it.title = title),
                    || (),
                )}
                {remove(format!("hierarchy {}", index + 1), format!("hierarchy-{index}-remove"), take_away)}
            </div>
            <div class="field-row">
                <For each=move || 0..=count.get() key=|level| *level children=move |level| column(row, level) />
            </div>
            {defining.mistakes_at(move |path| path.starts_with(&place))}
        </fieldset>
    }
    .whole()
}

fn column(row: Row, level: usize) -> WholeView {
    let fields = row.defining.fields();
    let options = move || -> Options {
        let none = (NONE.to_owned(), "Nothing".to_owned());
        std::iter::once(none).chain(named(fields.own().map(|field| field.name.clone()))).collect()
    };
    let current = move || row.of(|hierarchy| hierarchy.levels.get(level).cloned().unwrap_or_default());
    let choose = move |name: String| {
        row.change(|hierarchy| match (name.is_empty(), hierarchy.levels.get_mut(level)) {
            (true, Some(_)) => drop(hierarchy.levels.remove(level)),
            (false, Some(known)) => *known = name,
            (false, None) => hierarchy.levels.push(name),
            (true, None) => {}
        });
    };
    let label = if level == 0 { "From" } else { "then" };
    choice(label, format!("hierarchy-{}-level-{level}", row.index), options, current, choose)
}
