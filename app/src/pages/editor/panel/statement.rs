//! A tile's statement, typed by hand, with what can stand next offered by a list that works by keyboard.

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    html,
    prelude::*,
};

use super::Panel;
use crate::{
    browser,
    components::whole::{Whole, WholeView, changing},
    editor::{Completion, Table, completions},
    pages::editor::fields::button,
};

const LIST: &str = "completions";
const OPTION: &str = "completion";

/// What is offered: where what was typed of it begins, in characters, the list, and which of it Enter means.
#[derive(Debug, Clone, PartialEq, Default)]
struct Offered {
    start: usize,
    cursor: usize,
    list: Vec<Completion>,
    at: usize,
}

#[derive(Clone, Copy)]
struct Typing {
    panel: Panel,
    field: NodeRef<html::Textarea>,
    offered: RwSignal<Offered>,
}

/// Places in a text as browsers count them, in UTF-16, to characters, and back.
fn characters(text: &str, units: usize) -> usize {
    let mut seen = 0;
    text.chars()
        .take_while(|c| {
            seen += c.len_utf16();
            seen <= units
        })
        .count()
}

fn units(text: &str, characters: usize) -> usize {
    text.chars().take(characters).map(char::len_utf16).sum()
}

impl Typing {
    fn tables(self) -> Vec<Table> {
        self.panel.editing.list.all.with_untracked(|all| {
            let table = |dataset: &model::DatasetSummary| {
                let definition = &dataset.definition;
                let columns = definition.key_columns().chain(definition.value_columns());
                let columns = columns.map(|column| (column.name.clone(), column.column_type.to_string())).collect();
                let measures = self.panel.editing.meanings.with_untracked(|known| {
                    let defined =
                        known.get(&dataset.name).map(|(_, meaning)| &meaning.measures[..]).unwrap_or_default();
                    defined.iter().map(|measure| (measure.name.clone(), measure.called().to_owned())).collect()
                });
                Table { name: dataset.name.clone(), columns, measures }
            };
            all.iter().filter(|dataset| dataset.readable).map(table).collect()
        })
    }

    fn cursor(self, sql: &str) -> Option<usize> {
        let at = self.field.get_untracked()?.selection_start().ok()??;
        Some(characters(sql, at as usize))
    }

    /// Offers what can stand at the cursor.
    fn offer(self, even_before_a_letter: bool) {
        let Some(field) = self.field.get_untracked() else { return };
        let sql = field.value();
        let cursor = self.cursor(&sql).unwrap_or_default();
        let (start, list) = completions(&sql, cursor, &self.tables());
        let last = sql.chars().nth(cursor.saturating_sub(1)).filter(|_| cursor > 0);
        // Behind a space only where it was asked for, or where a clause of time goes on.
        let wanted = even_before_a_letter || start < cursor || last == Some('.');
        let list = if wanted { list } else { Vec::new() };
        self.offered.set(Offered { start, cursor, list, at: 0 });
    }

    fn close(self) {
        // The field tells that it is left also when it is taken away, with all that was read here.
        if self.offered.try_with_untracked(|offered| !offered.list.is_empty()) == Some(true) {
            self.offered.set(Offered::default());
        }
    }

    fn take(self, place: usize) {
        let offered = self.offered.get_untracked();
        let (Some(chosen), Some(field)) = (offered.list.get(place), self.field.get_untracked()) else { return };
        let sql = field.value();
        let before: String = sql.chars().take(offered.start).collect();
        let after: String = sql.chars().skip(offered.cursor).collect();
        let next = format!("{before}{}{after}", chosen.text);
        let cursor = units(&next, offered.start + chosen.text.chars().count()) as u32;
        field.set_value(&next);
        // Fails for places behind the end only.
        let _ = field.set_selection_range(cursor, cursor);
        self.typed(next);
        self.close();
        // What stands behind a clause is offered at once.
        self.offer(chosen.text.ends_with(' '));
    }

    fn typed(self, sql: String) {
        self.panel.edit("sql", |tile| tile.sql = sql);
    }

    fn key(self, event: &KeyboardEvent) {
        let (count, at) = self.offered.with_untracked(|offered| (offered.list.len(), offered.at));
        if event.key() == " " && event.ctrl_key() {
            event.prevent_default();
            return self.offer(true);
        }
        if count == 0 || event.ctrl_key() || event.meta_key() {
            return;
        }
        match event.key().as_str() {
            "ArrowDown" => self.move_to((at + 1) % count),
            "ArrowUp" => self.move_to((at + count - 1) % count),
            "Enter" | "Tab" if !event.shift_key() => self.take(at),
            "Escape" => self.close(),
            _ => return,
        }
        event.prevent_default();
    }

    fn move_to(self, at: usize) {
        self.offered.update(|offered| offered.at = at);
        browser::reveal(&format!("{OPTION}-{at}"));
    }
}

pub(super) fn form(panel: Panel) -> WholeView {
    let typing = Typing { panel, field: NodeRef::new(), offered: RwSignal::new(Offered::default()) };
    let count = Memo::new(move |_| typing.offered.with(|offered| offered.list.len()));
    let active =
        move || typing.offered.with(|offered| (!offered.list.is_empty()).then(|| format!("{OPTION}-{}", offered.at)));
    let heard = move || match count.get() {
        0 => String::new(),
        1 => "1 suggestion".to_owned(),
        count => format!("{count} suggestions"),
    };
    let first = move || {
        panel.edit("statement", |tile| {
            tile.query = Some(Box::default());
            tile.sql.clear();
            tile.parameters.clear();
            tile.reduce.clear();
            // What lay below the statement, and what was chosen of its columns.
            tile.levels.clear();
            (tile.on_pick, tile.on_brush) = (None, None);
        });
        panel.editing.settle();
        browser::focus(super::HEADING);
    };
    view! {
        <label class="field">
            <span class="field-name">"SQL; $from and $to are the effective range. Ctrl Space suggests."</span>
            <textarea
                class="statement"
                rows="8"
                spellcheck="false"
                autocomplete="off"
                autocapitalize="none"
                data-testid="sql"
                node_ref=typing.field
                aria-autocomplete="list"
                aria-controls=LIST
                aria-activedescendant=active
                aria-describedby="sql-problem"
                prop:value=move || panel.tile.with(|tile| tile.sql.clone())
                on:input:target=move |event| {
                    typing.typed(event.target().value());
                    typing.offer(false);
                }
                on:keydown=move |event| typing.key(&event)
                on:click=move |_| typing.close()
                on:blur=move |_| {
                    typing.close();
                    panel.editing.settle();
                }
            ></textarea>
        </label>
        <p class="visually-hidden" role="status">{heard}</p>
        {changing(move || list(typing))}
        <div id="sql-problem">{panel.problem_view("/sql".to_owned())}</div>
        <div class="field-row">{button("Ask without SQL instead", "use-fields", first)}</div>
    }
    .whole()
}

fn list(typing: Typing) -> WholeView {
    let all = Memo::new(move |_| typing.offered.with(|offered| offered.list.clone()));
    let option = move |(place, Completion { text, note }): (usize, Completion)| {
        let selected = move || typing.offered.with(|offered| offered.at == place).to_string();
        // Before the field would lose the focus.
        let take = move |event: MouseEvent| {
            event.prevent_default();
            typing.take(place);
        };
        view! {
            <li id=format!("{OPTION}-{place}") role="option" aria-selected=selected on:mousedown=take>
                <span>{text}</span>
                <span class="quiet">{note}</span>
            </li>
        }
        .whole()
    };
    view! {
        <ul
            id=LIST
            class="completions"
            role="listbox"
            aria-label="Suggestions"
            data-testid="completions"
            hidden=move || all.with(Vec::is_empty)
        >
            {changing(move || all.get().into_iter().enumerate().map(option).collect_view())}
        </ul>
    }
    .whole()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_browsers_count_them() {
        let text = "a𝄞é";
        assert_eq!([0, 1, 3, 4, 9].map(|at| characters(text, at)), [0, 1, 2, 3, 3]);
        assert_eq!([0, 1, 2, 3].map(|at| units(text, at)), [0, 1, 3, 4]);
    }
}
