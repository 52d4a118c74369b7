//! The variables of the dashboard that is edited: what a reader chooses for the whole page.

use leptos::prelude::*;

use super::settings::problems;
use crate::{
    browser,
    components::whole::{Whole, WholeView, changing},
    dashboards::{Variable, VariableKind, name_refused},
    editor::Command,
    pages::editor::{
        fields::{Options, button, check, choice, named, remove, text},
        state::Editing,
    },
    words::numbered,
};

/// Kinds as they are chosen, in the order of [`word_of`].
const KINDS: [(&str, &str); 5] = [
    ("choice", "One of these values"),
    ("query", "One of what a query gives"),
    ("text", "Any text"),
    ("number", "A number"),
    ("time", "A day or a moment"),
];
/// The choice of no default.
const FIRST: &str = "";

fn word_of(kind: &VariableKind) -> &'static str {
    match kind {
        VariableKind::Choice { .. } => "choice",
        VariableKind::Query { .. } => "query",
        VariableKind::Text => "text",
        VariableKind::Number { .. } => "number",
        VariableKind::Time => "time",
    }
}

fn kind_of(word: &str) -> VariableKind {
    match word {
        "choice" => VariableKind::Choice { options: Vec::new() },
        "query" => VariableKind::Query { sql: String::new() },
        "number" => VariableKind::Number { min: None, max: None, step: None },
        "time" => VariableKind::Time,
        _ => VariableKind::Text,
    }
}

/// A variable of another kind. What was chosen of the one before says nothing of it.
fn of_kind(variable: &Variable, word: &str) -> Variable {
    let kind = kind_of(word);
    let listed = matches!(kind, VariableKind::Choice { .. } | VariableKind::Query { .. });
    Variable { multiple: variable.multiple && listed, default: Vec::new(), kind, ..variable.clone() }
}

/// Why a variable cannot have this name.
fn refused(name: &str, index: usize, all: &[Variable]) -> Option<&'static str> {
    let is_taken = |(place, variable): (usize, &Variable)| place != index && variable.name == name;
    name_refused(name).or_else(|| all.iter().enumerate().any(is_taken).then_some("another variable has this name"))
}

/// The lines of a text that say something.
fn lines(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !found.iter().any(|known| known == line) {
            found.push(line.to_owned());
        }
    }
    found
}

/// A variable of the form.
#[derive(Clone, Copy)]
struct Row {
    editing: Editing,
    index: usize,
}

impl Row {
    fn read(self) -> Option<Variable> {
        self.editing.variables.with(|all| all.get(self.index).cloned())
    }

    fn change(self, change: impl FnOnce(&mut Variable)) {
        self.editing.describe("variables", |head| {
            if let Some(variable) = head.variables.get_mut(self.index) {
                change(variable);
            }
        });
    }

    /// The same as a step of its own.
    fn choose(self, change: impl FnOnce(&mut Variable)) {
        self.editing.arrange("Changed a variable", |head| {
            if let Some(variable) = head.variables.get_mut(self.index) {
                change(variable);
            }
        });
    }

    fn path(self, member: &str) -> String {
        format!("variables[{}].{member}", self.index)
    }

    /// What is wrong with a member of it.
    fn problems(self, member: &str) -> WholeView {
        let path = self.path(member);
        problems(self.editing, move |found| found.starts_with(&path))
    }
}

pub(super) fn list(editing: Editing) -> WholeView {
    let count = Memo::new(move |_| editing.variables.with(|all| all.len()));
    let add = move || {
        editing.arrange("Added a variable", |head| {
            let is_taken = |name: &str| head.variables.iter().any(|variable| variable.name == name);
            let name = numbered("choice", "_", is_taken);
            let kind = kind_of("choice");
            let (title, default) = (String::new(), Vec::new());
            head.variables.push(Variable { name, title, kind, multiple: false, default });
        });
    };
    view! {
        <fieldset class="field-group">
            <legend>"Variables, which a reader chooses"</legend>
            <For
                each=move || 0..count.get()
                key=|index| *index
                children=move |index| row(Row { editing, index })
            />
            {button("Add a variable", "add-variable", add)}
        </fieldset>
    }
    .whole()
}

fn row(row: Row) -> WholeView {
    let Row { editing, index } = row;
    let kind = Memo::new(move |_| row.read().map_or("text", |variable| word_of(&variable.kind)));
    let kinds = || -> Options { KINDS.map(|(value, word)| (value.to_owned(), word.to_owned())).to_vec() };
    let take_away = move || {
        editing.arrange("Removed a variable", |head| {
            if index < head.variables.len() {
                head.variables.remove(index);
            }
        });
        browser::focus(super::HEADING);
    };
    let several = move || {
        ["choice", "query"].contains(&kind.get()).then(|| {
            check(
                "Several can be chosen",
                format!("variable-{index}-multiple"),
                move || row.read().is_some_and(|variable| variable.multiple),
                move |multiple| {
                    row.choose(|variable| {
                        variable.multiple = multiple;
                        variable.default.truncate(if multiple { usize::MAX } else { 1 });
                    });
                },
            )
        })
    };
    let values = move || match kind.get() {
        "choice" => options(row),
        "query" => query(row),
        "number" => bounds(row),
        _ => ().whole(),
    };
    let legend = move || row.read().map(|variable| format!("Variable {}", variable.title())).unwrap_or_default();
    view! {
        <div class="field-part" role="group" aria-label=legend>
        <div class="field-row">
            {name(row)}
            {remove(format!("variable {}", index + 1), format!("variable-{index}-remove"), take_away)}
        </div>
        {text(
            "Title; the name without",
            format!("variable-{index}-title"),
            move || row.read().map(|variable| variable.title).unwrap_or_default(),
            move |title| row.change(|variable| variable.title = title),
            move || editing.settle(),
        )}
        {choice("Can be", format!("variable-{index}-kind"), kinds, move || kind.get().to_owned(), move |word| {
            row.choose(|variable| *variable = of_kind(variable, &word));
        })}
        {changing(values)}
        {changing(several)}
        {at_first(row, kind)}
        </div>
    }
    .whole()
}

/// Its name in statements. It is taken when it is typed to the end, so that statements follow once.
fn name(row: Row) -> WholeView {
    let Row { editing, index } = row;
    // What was typed and cannot be its name; it stays there to be mended.
    let typed = RwSignal::new(None::<String>);
    let current = Memo::new(move |_| row.read().map(|variable| variable.name).unwrap_or_default());
    Effect::new(move |_| {
        current.track();
        typed.set(None);
    });
    let problem = move || {
        let typed = typed.get()?;
        editing.variables.with(|all| refused(&typed, index, all))
    };
    let invalid = move || problem().map(|_| "true");
    let leave = move |text: String| {
        let text = text.trim().to_owned();
        let Some(Some(now)) = editing.variables.try_with_untracked(|all| all.get(index).cloned()) else { return };
        let wrong = editing.variables.with_untracked(|all| refused(&text, index, all)).is_some();
        typed.set(wrong.then(|| text.clone()));
        if !wrong && now.name != text {
            editing.apply(Command::RenameVariable { from: now.name, to: text });
        }
    };
    let told = move || {
        let why = problem()?;
        Some(view! { <span class="field-problem" role="status">"It cannot be its name: " {why} "."</span> })
    };
    view! {
        <label class="field">
            <span class="field-name">"Name, in statements behind $"</span>
            <input
                type="text"
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                data-testid=format!("variable-{index}-name")
                aria-invalid=invalid
                prop:value=move || typed.get().unwrap_or_else(|| current.get())
                on:change:target=move |event| leave(event.target().value())
            />
            {changing(told)}
        </label>
    }
    .whole()
}

/// The values of a choice, a line each.
fn options(row: Row) -> WholeView {
    let of = move || match row.read().map(|variable| variable.kind) {
        Some(VariableKind::Choice { options }) => options,
        _ => Vec::new(),
    };
    // What is chosen at first goes with its value, once nobody types any more.
    let leave = move || {
        row.editing.settle();
        row.change(|variable| {
            if let VariableKind::Choice { options } = &variable.kind {
                variable.default.retain(|value| options.contains(value));
            }
        });
        row.editing.settle();
    };
    let change = move |options: Vec<String>| {
        row.change(|variable| variable.kind = VariableKind::Choice { options });
    };
    view! {
        {of_lines(row, "Values, a line each", "options", Box::new(of), Box::new(change), Box::new(leave))}
        {row.problems("kind")}
    }
    .whole()
}

fn query(row: Row) -> WholeView {
    let sql = move || match row.read().map(|variable| variable.kind) {
        Some(VariableKind::Query { sql }) => sql,
        _ => String::new(),
    };
    view! {
        <label class="field">
            <span class="field-name">"SQL; its first column is what can be chosen"</span>
            <textarea
                class="statement"
                rows="3"
                spellcheck="false"
                autocomplete="off"
                autocapitalize="none"
                data-testid=format!("variable-{}-sql", row.index)
                prop:value=sql
                on:input:target=move |event| {
                    let sql = event.target().value();
                    row.change(|variable| variable.kind = VariableKind::Query { sql });
                }
                on:blur=move |_| row.editing.settle()
            ></textarea>
        </label>
        {row.problems("kind")}
    }
    .whole()
}

/// One of the bounds of a number.
type Bound = fn(&mut VariableKind) -> Option<&mut Option<f64>>;

/// The bounds of a number: word, name, and which.
const BOUNDS: [(&str, &str, Bound); 3] = [
    ("Least", "min", |kind| if let VariableKind::Number { min, .. } = kind { Some(min) } else { None }),
    ("Most", "max", |kind| if let VariableKind::Number { max, .. } = kind { Some(max) } else { None }),
    ("Moves by", "step", |kind| if let VariableKind::Number { step, .. } = kind { Some(step) } else { None }),
];

fn bounds(row: Row) -> WholeView {
    let one = |(word, name, of): (&'static str, &'static str, Bound)| {
        let current = move || {
            let bound = row.read().and_then(|mut variable| of(&mut variable.kind).copied().flatten());
            bound.map(|bound| bound.to_string()).unwrap_or_default()
        };
        let typed = move |typed: String| {
            let bound = typed.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            // What cannot be read leaves no bound, and none is shown.
            row.choose(|variable| {
                if let Some(known) = of(&mut variable.kind) {
                    *known = bound;
                }
            });
        };
        view! {
            <label class="field">
                <span class="field-name">{word}</span>
                <input
                    type="number"
                    step="any"
                    data-testid=format!("variable-{}-{name}", row.index)
                    prop:value=current
                    on:change:target=move |event| typed(event.target().value())
                />
            </label>
        }
        .whole()
    };
    view! {
        <div class="field-row">{Vec::from(BOUNDS.map(one))}</div>
        {row.problems("kind")}
    }
    .whole()
}

/// What is chosen before a reader chooses.
fn at_first(row: Row, kind: Memo<&'static str>) -> WholeView {
    let index = row.index;
    let multiple = Memo::new(move |_| row.read().is_some_and(|variable| variable.multiple));
    let values = move || match row.read() {
        Some(Variable { kind: VariableKind::Choice { options }, .. }) => options,
        _ => Vec::new(),
    };
    let first = move || row.read().and_then(|variable| variable.default.into_iter().next()).unwrap_or_default();
    let said = |value: String| Some(value).filter(|value| !value.is_empty()).into_iter().collect::<Vec<_>>();
    let set = move |value: String| row.choose(|variable| variable.default = said(value));
    let field = move || match (kind.get(), multiple.get()) {
        ("choice", false) => {
            let options = move || {
                let first = (FIRST.to_owned(), "The first".to_owned());
                std::iter::once(first).chain(named(values())).collect()
            };
            choice("At first", format!("variable-{index}-default"), options, first, set)
        }
        (_, true) => several_at_first(row),
        _ => text(
            "At first",
            format!("variable-{index}-default"),
            first,
            move |value| row.change(|variable| variable.default = said(value)),
            move || row.editing.settle(),
        ),
    };
    view! {
        {changing(field)}
        {row.problems("default")}
    }
    .whole()
}

/// Several values, a line each; all where there is none.
fn several_at_first(row: Row) -> WholeView {
    let of = move || row.read().map(|variable| variable.default).unwrap_or_default();
    let change = move |default: Vec<String>| row.change(|variable| variable.default = default);
    let leave = move || row.editing.settle();
    of_lines(row, "At first, a line each; all without", "default", Box::new(of), Box::new(change), Box::new(leave))
}

/// A field of values, a line each.
fn of_lines(
    row: Row,
    label: &'static str,
    member: &'static str,
    of: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    change: Box<dyn Fn(Vec<String>) + Send + Sync>,
    leave: Box<dyn Fn() + Send + Sync>,
) -> WholeView {
    let values = Memo::new(move |_| of());
    // As they are typed, so that a line at the end stays there.
    let typed = RwSignal::new(values.get_untracked().join("\n"));
    Effect::new(move |_| {
        let now = values.get();
        if lines(&typed.get_untracked()) != now {
            typed.set(now.join("\n"));
        }
    });
    let take = move |text: String| {
        let values = lines(&text);
        typed.set(text);
        change(values);
    };
    view! {
        <label class="field">
            <span class="field-name">{label}</span>
            <textarea
                rows="3"
                spellcheck="false"
                autocomplete="off"
                data-testid=format!("variable-{}-{member}", row.index)
                prop:value=move || typed.get()
                on:input:target=move |event| take(event.target().value())
                on:blur=move |_| leave()
            ></textarea>
        </label>
    }
    .whole()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Variable {
        let (title, default) = (String::new(), vec!["EU".to_owned()]);
        Variable { name: name.to_owned(), title, kind: kind_of("choice"), multiple: true, default }
    }

    #[test]
    fn kinds_read_back_and_forget_what_another_was() {
        for (word, _) in KINDS {
            let other = of_kind(&variable("a"), word);
            assert_eq!((word_of(&other.kind), other.default.is_empty()), (word, true));
            assert_eq!(other.multiple, ["choice", "query"].contains(&word));
        }
    }

    #[test]
    fn names_are_those_of_statements() {
        let all = [variable("region"), variable("day")];
        assert_eq!(refused("day", 1, &all), None);
        for wrong in ["", "9a", "a b", "from", "Day", "a-b", "day", "é", "q1"] {
            assert!(refused(wrong, 0, &all).is_some(), "{wrong}");
        }
        for right in ["to_day", "a__b", "a_", "q", "q1a"] {
            assert_eq!(refused(right, 0, &all), None, "{right}");
        }
    }

    #[test]
    fn values_are_lines_that_say_something() {
        assert_eq!(lines(" EU\n\nUS \nEU\n"), ["EU", "US"]);
    }
}
