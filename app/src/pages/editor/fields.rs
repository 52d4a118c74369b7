//! Fields of a form, each with its name: what it holds comes from a signal, and what is chosen or typed goes to a callback.

use leptos::prelude::*;

use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::{
        builder::{Fields, explore::DEFINED},
        semantics::DefinedMeasure,
    },
};

/// Values and what people call them.
pub(in crate::pages) type Options = Vec<(String, String)>;

/// Options whose values are their names.
pub(in crate::pages) fn named(names: impl IntoIterator<Item = String>) -> Options {
    names.into_iter().map(|name| (name.clone(), name)).collect()
}

/// The measures that a dataset's semantic definition has, under their titles and with their units.
pub(in crate::pages) fn defined(fields: &Fields) -> Options {
    let word = |measure: &DefinedMeasure| match &measure.unit[..] {
        "" => measure.called().to_owned(),
        unit => format!("{} ({unit})", measure.called()),
    };
    fields.measures().iter().map(|measure| (format!("{DEFINED}{}", measure.name), word(measure))).collect()
}

/// A choice of one of several. What is chosen stands in the list even where it cannot be chosen any more.
pub(in crate::pages) fn choice(
    label: impl Into<String>,
    testid: impl Into<String>,
    options: impl Fn() -> Options + Send + Sync + 'static,
    current: impl Fn() -> String + Send + Sync + 'static,
    choose: impl Fn(String) + Send + Sync + 'static,
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
    let (label, testid) = (label.into(), testid.into());
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
    let (label, testid) = (label.into(), testid.into());
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
    let current = Memo::new(move |_| current());
    let (label, testid) = (label.into(), testid.into());
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
    let (label, testid) = (label.into(), testid.into());
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
    let (word, testid) = (word.into(), testid.into());
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
    let (what, testid) = (what.into(), testid.into());
    view! {
        <button type="button" class="field-remove" aria-label=format!("Remove {what}") data-testid=testid on:click=move |_| act()>
            <span aria-hidden="true">"✕"</span>
        </button>
    }
    .whole()
}
