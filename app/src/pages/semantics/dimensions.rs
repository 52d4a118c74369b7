//! The columns of a dataset as dimensions: what each is called, its unit, how its values are written, what it says.

use leptos::prelude::*;

use super::Defining;
use crate::{
    charts::ValueFormat,
    components::whole::{Whole, WholeView, changing},
    dashboards::{
        builder::{Field, ValueType},
        semantics::{Dimension, Semantics},
    },
    pages::editor::fields::{button, chosen_format, format_word, value_formats},
    words::ended,
};

pub(super) fn table(defining: Defining) -> WholeView {
    let rows = defining.fields().own().map(|field| row(defining, field)).collect_view();
    view! {
        <section class="tile" aria-labelledby="semantics-dimensions">
            <header class="tile-header">
                <h2 id="semantics-dimensions">"Columns"</h2>
            </header>
            <div class="tile-body">
                <div class="table-box" role="region" aria-label="Columns: table" tabindex="0">
                    <table class="semantics-columns" data-testid="dimensions">
                        <caption class="visually-hidden">"Columns, and what is said of each"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Column"</th>
                                <th scope="col">"Title"</th>
                                <th scope="col">"Unit"</th>
                                <th scope="col">"Written"</th>
                                <th scope="col">"What it says"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
                {mistakes(defining)}
            </div>
        </section>
    }
    .whole()
}

/// What is wrong, with the column that it is wrong of; one that is gone can be left out.
fn mistakes(defining: Defining) -> WholeView {
    let found = move || {
        let found = defining.mistakes.get();
        let place = |path: &str| path.strip_prefix("dimensions[")?.split(']').next()?.parse::<usize>().ok();
        let placed = found.into_iter().filter_map(|mistake| Some((place(&mistake.path)?, mistake.reason)));
        placed.collect::<Vec<_>>()
    };
    let line = move |(place, reason): (usize, String)| {
        let name = defining.now.with_untracked(|now| now.dimensions.get(place).map(|it| it.name.clone()));
        let name = name.unwrap_or_default();
        let gone = defining.fields().get(&name).is_none();
        let left_out = name.clone();
        let leave_out = move || defining.change(|now| say(now, nothing(&left_out)));
        view! {
            <p class="field-problem" role="status">{ended(format!("'{name}' {reason}"))}</p>
            {gone.then(|| button(format!("Leave '{name}' out"), format!("dimension-{name}-leave-out"), leave_out))}
        }
        .whole()
    };
    changing(move || found().into_iter().map(line).collect_view()).whole()
}

/// What is said of a column; nothing where nothing is.
fn said(semantics: &Semantics, name: &str) -> Dimension {
    let found = semantics.dimensions.iter().find(|dimension| dimension.name == name);
    found.cloned().unwrap_or_else(|| nothing(name))
}

fn nothing(name: &str) -> Dimension {
    let [title, description, unit] = [(); 3].map(|()| String::new());
    Dimension { name: name.to_owned(), title, description, format: ValueFormat::default(), unit }
}

/// Says something else of a column. One of which nothing is said any more is no dimension.
fn say(semantics: &mut Semantics, dimension: Dimension) {
    let place = semantics.dimensions.iter().position(|known| known.name == dimension.name);
    let says_nothing = dimension == nothing(&dimension.name);
    match place {
        Some(place) if says_nothing => drop(semantics.dimensions.remove(place)),
        Some(place) => semantics.dimensions[place] = dimension,
        None if says_nothing => {}
        None => semantics.dimensions.push(dimension),
    }
}

fn row(defining: Defining, field: &Field) -> WholeView {
    let name = StoredValue::new(field.name.clone());
    let read = move || name.with_value(|name| defining.of(|now| said(now, name)));
    let change = move |change: &dyn Fn(&mut Dimension)| {
        defining.change(|now| {
            let mut dimension = name.with_value(|name| said(now, name));
            change(&mut dimension);
            say(now, dimension);
        });
    };
    type Part = (fn(&Dimension) -> &String, fn(&mut Dimension) -> &mut String);
    let text = move |word: &str, member: &str, (part, part_mut): Part| {
        let label = format!("{word} of {}", name.get_value());
        let testid = format!("dimension-{}-{member}", name.get_value());
        view! {
            <td>
                <input
                    type="text"
                    autocomplete="off"
                    aria-label=label
                    data-testid=testid
                    prop:value=move || part(&read()).clone()
                    on:input:target=move |event| {
                        let text = event.target().value();
                        change(&|dimension| part_mut(dimension).clone_from(&text));
                    }
                />
            </td>
        }
        .whole()
    };
    let is_number = field.value.is_number();
    let format = is_number.then(|| {
        // With the one that is defined, where it is none of these.
        let formats = Memo::new(move |_| value_formats(read().format));
        let options = move || {
            let option = |(value, word): (String, String)| view! { <option value=value>{word}</option> };
            formats.get().into_iter().map(option).collect_view()
        };
        let testid = format!("dimension-{}-format", field.name);
        view! {
            <select
                aria-label=format!("How {} is written", field.name)
                data-testid=testid
                prop:value=move || {
                    formats.track();
                    format_word(read().format)
                }
                on:change:target=move |event| {
                    let format = chosen_format(&event.target().value());
                    change(&|dimension| dimension.format = format.unwrap_or(dimension.format));
                }
            >
                {changing(options)}
            </select>
        }
        .whole()
    });
    let kind = match field.value {
        ValueType::Truth => "true or false",
        value => value.word().trim_start_matches("a "),
    };
    view! {
        <tr>
            <th scope="row">
                <code>{field.name.clone()}</code>
                <span class="quiet">" " {kind} {field.key.then_some(", key")}</span>
            </th>
            {text("Title", "title", (|it| &it.title, |it| &mut it.title))}
            {text("Unit", "unit", (|it| &it.unit, |it| &mut it.unit))}
            <td>{format}</td>
            {text("What it says", "description", (|it| &it.description, |it| &mut it.description))}
        </tr>
    }
    .whole()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_which_nothing_is_said_is_no_dimension() {
        let mut semantics = Semantics::none("prices");
        say(&mut semantics, Dimension { title: "Share".to_owned(), ..nothing("share") });
        say(&mut semantics, nothing("sector"));
        assert_eq!(semantics.dimensions.len(), 1);
        assert_eq!(said(&semantics, "share").title, "Share");
        say(&mut semantics, Dimension { unit: "EUR".to_owned(), ..nothing("share") });
        assert_eq!((semantics.dimensions.len(), said(&semantics, "share").unit.as_str()), (1, "EUR"));
        say(&mut semantics, nothing("share"));
        assert!(semantics.dimensions.is_empty());
    }
}
