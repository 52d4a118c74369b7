//! What facts have to meet: a field, a test, and what it is tested against.

use leptos::prelude::*;

use super::{Panel, question::all_fields};
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::builder::{Comparison, FilterDefinition, ValueTest},
    pages::editor::fields::{Options, button, choice, named, remove, text},
};

/// What stands for null in a list that is typed.
const NOTHING: &str = "~";

/// Tests as they are chosen, in the order of [`word_of`]. The last four are against what is chosen of a variable.
const TESTS: [(&str, &str); 11] = [
    ("one-of", "is one of"),
    ("none-of", "is none of"),
    ("at-least", "is at least"),
    ("less-than", "is less than"),
    ("containing", "contains"),
    ("missing", "has no value"),
    ("there", "has a value"),
    ("variable-is", "is what is chosen of"),
    ("variable-at-least", "is at least what is chosen of"),
    ("variable-less-than", "is less than what is chosen of"),
    ("variable-containing", "contains what is chosen of"),
];
const WITH_VARIABLE: &str = "variable-";

fn word_of(test: &ValueTest) -> &'static str {
    match test {
        ValueTest::OneOf(_) => "one-of",
        ValueTest::NoneOf(_) => "none-of",
        ValueTest::AtLeast(_) => "at-least",
        ValueTest::LessThan(_) => "less-than",
        ValueTest::Containing(_) => "containing",
        ValueTest::Missing(true) => "missing",
        ValueTest::Missing(false) => "there",
        ValueTest::Variable { how: Comparison::Is, .. } => "variable-is",
        ValueTest::Variable { how: Comparison::AtLeast, .. } => "variable-at-least",
        ValueTest::Variable { how: Comparison::LessThan, .. } => "variable-less-than",
        ValueTest::Variable { how: Comparison::Containing, .. } => "variable-containing",
    }
}

/// The value of a test as it is typed: several with commas between them, and in quotes what would be read as something else.
fn typed_of(test: &ValueTest) -> String {
    let written = |value: &Option<String>| match value {
        None => NOTHING.to_owned(),
        Some(text) if text == NOTHING || text.trim() != text || text.is_empty() || text.contains([',', '"']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => text.clone(),
    };
    match test {
        ValueTest::OneOf(values) | ValueTest::NoneOf(values) => {
            values.iter().map(written).collect::<Vec<_>>().join(", ")
        }
        ValueTest::AtLeast(text) | ValueTest::LessThan(text) | ValueTest::Containing(text) => text.clone(),
        ValueTest::Missing(_) => String::new(),
        ValueTest::Variable { name, .. } => name.clone(),
    }
}

/// The values of a list as it is typed; a quote that is still open ends with the list.
fn values_of(typed: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = typed.trim_start();
    while !rest.is_empty() {
        let (value, behind) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (text, behind) = unquoted(quoted);
                (Some(Some(text)), behind.split_once(',').map_or("", |(_, behind)| behind))
            }
            None => {
                let (text, behind) = rest.split_once(',').unwrap_or((rest, ""));
                let text = text.trim();
                ((!text.is_empty()).then(|| Some(text.to_owned()).filter(|text| text != NOTHING)), behind)
            }
        };
        values.extend(value);
        rest = behind.trim_start();
    }
    values
}

/// What stands before the closing quote, and what stands behind it.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    while let Some((part, behind)) = rest.split_once('"') {
        value.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None => return (value, behind),
        }
    }
    value.push_str(rest);
    (value, "")
}

fn test_of(word: &str, typed: &str) -> ValueTest {
    let values = || values_of(typed);
    let variable = |how: Comparison| ValueTest::Variable { name: typed.to_owned(), how };
    match word {
        "variable-is" => variable(Comparison::Is),
        "variable-at-least" => variable(Comparison::AtLeast),
        "variable-less-than" => variable(Comparison::LessThan),
        "variable-containing" => variable(Comparison::Containing),
        "none-of" => ValueTest::NoneOf(values()),
        "at-least" => ValueTest::AtLeast(typed.to_owned()),
        "less-than" => ValueTest::LessThan(typed.to_owned()),
        "containing" => ValueTest::Containing(typed.to_owned()),
        "missing" => ValueTest::Missing(true),
        "there" => ValueTest::Missing(false),
        _ => ValueTest::OneOf(values()),
    }
}

pub(super) fn list(panel: Panel) -> WholeView {
    let count = Memo::new(move |_| panel.of(|query| query.filters.len()));
    let add = move || {
        let first =
            untrack(|| all_fields(panel, |_| true)).into_iter().next().map(|(name, _)| name).unwrap_or_default();
        panel.ask("filters", |query| {
            query.filters.push(FilterDefinition { field: first, is: ValueTest::OneOf(Vec::new()) });
        });
        panel.editing.settle();
    };
    view! {
        <fieldset class="field-group">
            <legend>"Filters"</legend>
            <For each=move || 0..count.get() key=|index| *index children=move |index| row(panel, index) />
            {button("Add a filter", "add-filter", add)}
        </fieldset>
    }
    .whole()
}

fn row(panel: Panel, index: usize) -> WholeView {
    let of = move || panel.of(|query| query.filters.get(index).cloned());
    let test = move || of().map_or(ValueTest::OneOf(Vec::new()), |filter| filter.is);
    // As it is typed, so that a comma at the end stays there.
    let typed = RwSignal::new(untrack(|| typed_of(&test())));
    Effect::new(move |_| {
        let now = test();
        if test_of(word_of(&now), &typed.get_untracked()) != now {
            typed.set(typed_of(&now));
        }
    });
    let change = move |change: &dyn Fn(&mut FilterDefinition)| {
        panel.ask("filter", |query| query.filters.get_mut(index).into_iter().for_each(change));
    };
    // Against variables only where there are some, or where one was chosen that is gone.
    let tests = move || -> Options {
        let some = !panel.editing.variables.with(|all| all.is_empty()) || matches!(test(), ValueTest::Variable { .. });
        let shown = TESTS.into_iter().filter(|(word, _)| some || !word.starts_with(WITH_VARIABLE));
        shown.map(|(value, word)| (value.to_owned(), word.to_owned())).collect()
    };
    let against = Memo::new(move |_| match test() {
        ValueTest::Missing(_) => Against::Nothing,
        ValueTest::Variable { .. } => Against::Variable,
        _ => Against::Value,
    });
    let label = Memo::new(move |_| match test() {
        ValueTest::OneOf(_) | ValueTest::NoneOf(_) => "Values, with commas between",
        _ => "Value",
    });
    let take_away = move || {
        panel.ask("filters", |query| {
            if index < query.filters.len() {
                query.filters.remove(index);
            }
        });
        panel.editing.settle();
        crate::browser::focus(super::HEADING);
    };
    let set = move |value: String| {
        typed.set(value.clone());
        change(&|filter| filter.is = test_of(word_of(&filter.is), &value));
    };
    let value = move || match against.get() {
        Against::Nothing => ().whole(),
        Against::Value => {
            text(label.get(), format!("filter-{index}-value"), move || typed.get(), set, move || panel.editing.settle())
        }
        Against::Variable => choice(
            "Variable",
            format!("filter-{index}-variable"),
            move || panel.editing.variables.with(|all| named(all.iter().map(|variable| variable.name.clone()))),
            move || typed.get(),
            move |name| {
                set(name);
                panel.editing.settle();
            },
        ),
    };
    view! {
        <div class="field-row">
            {choice(
                format!("Filter {}", index + 1),
                format!("filter-{index}-field"),
                move || all_fields(panel, |_| true),
                move || of().map(|filter| filter.field).unwrap_or_default(),
                move |field| {
                    change(&|filter| filter.field.clone_from(&field));
                    panel.editing.settle();
                },
            )}
            {choice("Test", format!("filter-{index}-test"), tests, move || word_of(&test()).to_owned(), move |word| {
                change(&|filter| {
                    filter.is = match (&filter.is, word.as_str()) {
                        // As they are, whatever is in them.
                        (ValueTest::OneOf(all) | ValueTest::NoneOf(all), "one-of") => ValueTest::OneOf(all.clone()),
                        (ValueTest::OneOf(all) | ValueTest::NoneOf(all), "none-of") => ValueTest::NoneOf(all.clone()),
                        // The name of a variable is no value, and no value is the name of one.
                        (ValueTest::Variable { name, .. }, word) if word.starts_with(WITH_VARIABLE) => {
                            test_of(word, name)
                        }
                        (ValueTest::Variable { .. }, word) => test_of(word, ""),
                        (_, word) if word.starts_with(WITH_VARIABLE) => test_of(word, &first_variable(panel)),
                        (_, word) => test_of(word, &typed.get_untracked()),
                    };
                });
                panel.editing.settle();
            })}
            {remove(format!("filter {}", index + 1), format!("filter-{index}-remove"), take_away)}
        </div>
        {changing(value)}
        {panel.problem_view(format!("/filters/{index}"))}
    }
    .whole()
}

/// What a field is tested against.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Against {
    Nothing,
    Value,
    Variable,
}

fn first_variable(panel: Panel) -> String {
    let first = panel.editing.variables.with_untracked(|all| all.first().map(|variable| variable.name.clone()));
    first.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_test_and_reads_back() {
        let one_of = test_of("one-of", "DEU, ~ ,, FRA");
        assert_eq!(one_of, ValueTest::OneOf(vec![Some("DEU".into()), None, Some("FRA".into())]));
        assert_eq!(typed_of(&one_of), "DEU, ~, FRA");
        for text in ["Korea, Rep.", "~", " a", "", "\"", "a\"b", "\","] {
            let all = ValueTest::NoneOf(vec![Some(text.into()), None, Some("plain".into())]);
            assert_eq!(test_of("none-of", &typed_of(&all)), all, "{text}");
        }
        assert_eq!(test_of("one-of", "\"open, and"), ValueTest::OneOf(vec![Some("open, and".into())]));
        for (word, _) in TESTS {
            assert_eq!(word_of(&test_of(word, "7")), word);
        }
    }
}
