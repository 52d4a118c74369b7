//! Fields of a form, each with its name: what it holds comes from a signal, and what is chosen or typed goes to a callback.

use leptos::prelude::*;

use crate::{
    charts::ValueFormat,
    components::whole::{Whole, WholeView, changing},
    dashboards::{
        builder::{Fields, explore::DEFINED},
        semantics::DefinedMeasure,
    },
    format::value::Currency,
};

// Forms have hundreds of fields: each is made by one function for all, and what differs is boxed.
type Gives<T> = Box<dyn Fn() -> T + Send + Sync>;
type Takes<T> = Box<dyn Fn(T) + Send + Sync>;

/// Values and what people call them.
pub(in crate::pages) type Options = Vec<(String, String)>;

/// Options whose values are their names.
pub(in crate::pages) fn named(names: impl IntoIterator<Item = String>) -> Options {
    names.into_iter().map(|name| (name.clone(), name)).collect()
}

/// Fields under what people call them.
pub(in crate::pages) fn called(fields: &Fields, names: impl IntoIterator<Item = String>) -> Options {
    let one = |name: String| {
        let called = fields.called(&name).to_owned();
        (name, called)
    };
    names.into_iter().map(one).collect()
}

/// The measures that a dataset's semantic definition has, under their titles and with their units.
pub(in crate::pages) fn defined(fields: &Fields) -> Options {
    let word = |measure: &DefinedMeasure| match &measure.unit[..] {
        "" => measure.called().to_owned(),
        unit => format!("{} ({unit})", measure.called()),
    };
    fields.measures().iter().map(|measure| (format!("{DEFINED}{}", measure.name), word(measure))).collect()
}

/// Ways to write numbers, as they are chosen.
const FORMATS: [(&str, &str); 9] = [
    ("plain", "As they are"),
    ("whole", "Whole numbers"),
    ("fixed-1", "One decimal"),
    ("fixed-2", "Two decimals"),
    ("fixed-4", "Four decimals"),
    ("percent", "Shares in percent"),
    ("compact", "Short: 1.2 M"),
    ("eur", "Amounts in EUR"),
    ("usd", "Amounts in USD"),
];
/// The word of a format that a definition has and that cannot be chosen.
const AS_DEFINED: &str = "as-defined";

/// The format of a word that is chosen; none where it stands for the one that is there already.
pub(in crate::pages) fn chosen_format(word: &str) -> Option<ValueFormat> {
    (word != AS_DEFINED).then(|| format_of(word))
}

fn format_of(word: &str) -> ValueFormat {
    let money = |code: &str| Currency::of_code(code).map_or(ValueFormat::Plain, ValueFormat::Money);
    match word {
        "whole" => ValueFormat::Whole,
        "fixed-1" => ValueFormat::Fixed(1),
        "fixed-2" => ValueFormat::Fixed(2),
        "fixed-4" => ValueFormat::Fixed(4),
        "percent" => ValueFormat::Percent(2),
        "compact" => ValueFormat::Compact,
        "eur" => money("EUR"),
        "usd" => money("USD"),
        _ => ValueFormat::Plain,
    }
}

/// The word of a format.
pub(in crate::pages) fn format_word(format: ValueFormat) -> &'static str {
    FORMATS.into_iter().find(|(word, _)| format_of(word) == format).map_or(AS_DEFINED, |(word, _)| word)
}

/// The formats that can be chosen, and that which is there already.
pub(in crate::pages) fn value_formats(current: ValueFormat) -> Options {
    let all = FORMATS.map(|(value, word)| (value.to_owned(), word.to_owned()));
    let defined = (format_word(current) == AS_DEFINED).then(|| (AS_DEFINED.to_owned(), "As defined".to_owned()));
    defined.into_iter().chain(all).collect()
}

/// A choice of how numbers are written.
pub(in crate::pages) fn value_format(
    testid: impl Into<String>,
    current: impl Fn() -> ValueFormat + Copy + Send + Sync + 'static,
    choose: impl Fn(ValueFormat) + Send + Sync + 'static,
) -> WholeView {
    let options = move || value_formats(current());
    choice(
        "Numbers",
        testid,
        options,
        move || format_word(current()).to_owned(),
        move |word| {
            if let Some(format) = chosen_format(&word) {
                choose(format);
            }
        },
    )
}

/// A choice of one of several. What is chosen stands in the list even where it cannot be chosen any more.
pub(in crate::pages) fn choice(
    label: impl Into<String>,
    testid: impl Into<String>,
    options: impl Fn() -> Options + Send + Sync + 'static,
    current: impl Fn() -> String + Send + Sync + 'static,
    choose: impl Fn(String) + Send + Sync + 'static,
) -> WholeView {
    choice_of(label.into(), testid.into(), Box::new(options), Box::new(current), Box::new(choose))
}

fn choice_of(
    label: String,
    testid: String,
    options: Gives<Options>,
    current: Gives<String>,
    choose: Takes<String>,
) -> WholeView {
    let current = Memo::new(move |_| current());
    let all = Memo::new(move |_| {
        let (mut all, current) = (options(), current.get());
        if !all.iter().any(|(value, _)| *value == current) {
            let word = if current.is_empty() { "Choose".to_owned() } else { format!("{current} (not there)") };
            all.insert(0, (current, word));
        }
        all
    });
    let option = move |(value, word): (String, String)| {
        let this = value.clone();
        view! {
            <option value=value selected=move || current.with(|current| *current == this)>
                {word}
            </option>
        }
        .whole()
    };
    view! {
        <label class="field">
            <span class="field-name">{label}</span>
            <select
                data-testid=testid
                prop:value=move || {
                    all.track();
                    current.get()
                }
                on:change:target=move |event| choose(event.target().value())
            >
                {changing(move || all.get().into_iter().map(option).collect_view())}
            </select>
        </label>
    }
    .whole()
}

/// A text to be typed; each letter goes to the callback, and `left` is called when the field is left.
pub(in crate::pages) fn text(
    label: impl Into<String>,
    testid: impl Into<String>,
    current: impl Fn() -> String + Send + Sync + 'static,
    typed: impl Fn(String) + Send + Sync + 'static,
    left: impl Fn() + Send + Sync + 'static,
) -> WholeView {
    text_of(label.into(), testid.into(), Box::new(current), Box::new(typed), Box::new(left))
}

fn text_of(label: String, testid: String, current: Gives<String>, typed: Takes<String>, left: Gives<()>) -> WholeView {
    view! {
        <label class="field">
            <span class="field-name">{label}</span>
            <input
                type="text"
                autocomplete="off"
                spellcheck="false"
                data-testid=testid
                prop:value=current
                on:input:target=move |event| typed(event.target().value())
                on:blur=move |_| left()
            />
        </label>
    }
    .whole()
}

/// A number within bounds.
pub(in crate::pages) fn number(
    label: impl Into<String>,
    testid: impl Into<String>,
    (least, most): (u32, u32),
    current: impl Fn() -> u32 + Send + Sync + 'static,
    typed: impl Fn(u32) + Send + Sync + 'static,
) -> WholeView {
    number_of(label.into(), testid.into(), (least, most), Box::new(current), Box::new(typed))
}

fn number_of(
    label: String,
    testid: String,
    (least, most): (u32, u32),
    current: Gives<u32>,
    typed: Takes<u32>,
) -> WholeView {
    let current = Memo::new(move |_| current());
    view! {
        <label class="field">
            <span class="field-name">{label}</span>
            <input
                type="number"
                min=least.to_string()
                max=most.to_string()
                data-testid=testid
                prop:value=move || current.get().to_string()
                on:change:target=move |event| {
                    let field = event.target();
                    if let Ok(number) = field.value().parse::<u32>() {
                        typed(number.clamp(least, most));
                    }
                    // What cannot be stays out of the field as well.
                    if let Some(current) = current.try_get_untracked() {
                        field.set_value(&current.to_string());
                    }
                }
            />
        </label>
    }
    .whole()
}

/// Something that is so or not.
pub(in crate::pages) fn check(
    label: impl Into<String>,
    testid: impl Into<String>,
    current: impl Fn() -> bool + Send + Sync + 'static,
    choose: impl Fn(bool) + Send + Sync + 'static,
) -> WholeView {
    check_of(label.into(), testid.into(), Box::new(current), Box::new(choose))
}

fn check_of(label: String, testid: String, current: Gives<bool>, choose: Takes<bool>) -> WholeView {
    view! {
        <label class="field-check">
            <input
                type="checkbox"
                data-testid=testid
                prop:checked=current
                on:change:target=move |event| choose(event.target().checked())
            />
            {label}
        </label>
    }
    .whole()
}

/// A button of a form.
pub(in crate::pages) fn button(
    word: impl Into<String>,
    testid: impl Into<String>,
    act: impl Fn() + Send + Sync + 'static,
) -> WholeView {
    button_of(word.into(), testid.into(), Box::new(act))
}

fn button_of(word: String, testid: String, act: Gives<()>) -> WholeView {
    view! {
        <button type="button" data-testid=testid on:click=move |_| act()>
            {word}
        </button>
    }
    .whole()
}

/// A button that takes a row of a form away; its word is for those who do not see where it stands.
pub(in crate::pages) fn remove(
    what: impl Into<String>,
    testid: impl Into<String>,
    act: impl Fn() + Send + Sync + 'static,
) -> WholeView {
    remove_of(format!("Remove {}", what.into()), testid.into(), Box::new(act))
}

fn remove_of(label: String, testid: String, act: Gives<()>) -> WholeView {
    view! {
        <button type="button" class="field-remove" aria-label=label data-testid=testid on:click=move |_| act()>
            <span aria-hidden="true">"✕"</span>
        </button>
    }
    .whole()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_one_of_its_own() {
        for (word, _) in FORMATS {
            assert_eq!(format_word(format_of(word)), word);
        }
        assert_eq!(value_formats(ValueFormat::Fixed(3)).len(), FORMATS.len() + 1);
        assert_eq!(value_formats(ValueFormat::Whole).len(), FORMATS.len());
    }
}
