//! What can be chosen on the page beside the two times.

use leptos::prelude::*;
use model::DatasetSummary;

use super::{Context, pictures::Counts};
use crate::{
    components::whole::{Whole, WholeView, changing},
    format::{number, time},
    queries::diff::{ROWS, addends},
    state::{
        address::{Address, Step},
        coordinates::Effective,
        datasets::DatasetList,
        diff::{DiffChoice, Kind},
        tile::Tile,
    },
};

/// Dataset, key, the day of A, and swapping.
pub(super) fn bar(context: Context, list: DatasetList, choice: Memo<DiffChoice>) -> WholeView {
    let address = context.address;
    let names = Memo::new(move |_| {
        list.all.with(|all| {
            let readable = all.iter().filter(|dataset| dataset.readable);
            readable.map(|dataset| dataset.name.clone()).collect::<Vec<_>>()
        })
    });
    let current = Memo::new(move |_| context.dataset.with(|dataset| dataset.as_ref().map(|d| d.name.clone())));
    let choose = move |name: String| {
        // What was chosen of another dataset's key means nothing here.
        address.set(vec![("dataset", Some(name)), ("only", None), ("value", None), ("by", None)], Step::Push);
    };
    let swap = move |_| {
        let choice = choice.get_untracked();
        let (a, b) = (choice.a, choice.b);
        let mut changes = vec![("a", Some(DiffChoice::a_parameter(b))), ("b", a.parameter())];
        if let (Effective::On(day), Some(a_day)) = (choice.effective, choice.a_day) {
            changes.extend([("on", Some(time::iso_day(a_day))), ("a-on", Some(time::iso_day(day)))]);
        }
        address.set(changes, Step::Push);
    };
    let a_day = move || {
        let choice = choice.get();
        let Effective::On(day) = choice.effective else { return None };
        let value = time::iso_day(choice.a_day.unwrap_or(day));
        Some(
            view! {
                <label class="choice">
                    "A effective on"
                    <input
                        type="date"
                        data-testid="a-day"
                        prop:value=value
                        on:change:target=move |event| {
                            let chosen = Some(event.target().value()).filter(|chosen| !chosen.is_empty());
                            address.set(vec![("a-on", chosen)], Step::Push);
                        }
                    />
                </label>
            }
            .whole(),
        )
    };
    view! {
        <div class="control-bar">
            {select("Dataset", "dataset-select", names, |name| name, current, choose)}
            <label class="choice">
                "Key contains"
                <input
                    type="search"
                    data-testid="find"
                    autocomplete="off"
                    spellcheck="false"
                    prop:value=move || context.find.get()
                    on:change:target=move |event| set_text(address, "find", event.target().value())
                />
            </label>
            {changing(a_day)}
            <button type="button" data-testid="swap" on:click=swap>
                "Swap A and B"
            </button>
        </div>
    }
    .whole()
}

fn set_text(address: Address, name: &'static str, text: String) {
    address.set(vec![(name, Some(text).filter(|text| !text.trim().is_empty()))], Step::Push);
}

/// How many rows differ, by kind; each is a choice of what the parts below show.
pub(super) fn kinds(context: Context, counts: Tile<Counts>) -> WholeView {
    let kinds = [None, Some(Kind::Changed), Some(Kind::Removed), Some(Kind::Added)];
    let button = |kind: Option<Kind>| {
        let word = kind.map_or("all", Kind::word);
        let name = kind.map_or("All", Kind::word);
        let sign = kind.map_or("", Kind::sign);
        let count = move || {
            let counts = counts.data.get();
            counts.map_or_else(|| "–".to_owned(), |counts| number::count_text(counts.of(kind)))
        };
        let note = move || match kind {
            None => "rows differ".to_owned(),
            Some(Kind::Changed) => "known at both, not the same".to_owned(),
            Some(Kind::Removed) => "known at A, no longer at B".to_owned(),
            Some(Kind::Added) => {
                let late = counts.data.get().map_or(0, |counts| counts.late);
                format!("known at B, not at A; {} of them late", number::count_text(late))
            }
        };
        let chosen = move || context.kind.get() == kind;
        let choose = move |_| {
            context.address.set(vec![("kind", kind.map(|kind| kind.word().to_owned()))], Step::Push);
        };
        view! {
            <button type="button" class="kind" data-kind=word aria-pressed=move || chosen().to_string() on:click=choose>
                <span class="kind-name">
                    <span class="sign" aria-hidden="true">{sign}</span>
                    " "
                    {name}
                </span>
                <span class="kind-count" data-testid=format!("count-{word}")>{count}</span>
                <span class="kind-note">{note}</span>
            </button>
        }
        .whole()
    };
    let buttons: Vec<WholeView> = kinds.into_iter().map(button).collect();
    view! {
        <div class="kinds" role="group" aria-label="Which rows are shown" data-state=move || counts.status.phase.with(|phase| phase.word())>
            {buttons}
        </div>
    }
    .whole()
}

/// By which column of the key rows are counted.
pub(super) fn by_choice(context: Context) -> WholeView {
    let names = Memo::new(move |_| names_of(context, |dataset| dataset.definition.key.clone()));
    let current = Memo::new(move |_| Some(context.by.get()));
    let choose = move |name| context.address.set(vec![("by", Some(name))], Step::Push);
    view! { <div class="grid-tools">{select("By", "by-select", names, |name| name, current, choose)}</div> }.whole()
}

/// What is added up.
pub(super) fn value_choice(context: Context) -> WholeView {
    let names = Memo::new(move |_| names_of(context, |dataset| addends(&dataset.definition)));
    let called = |name: String| if name == ROWS { "Rows".to_owned() } else { name };
    let choose = move |name| context.address.set(vec![("value", Some(name).filter(|name| name != ROWS))], Step::Push);
    view! { <div class="grid-tools">{select("Value", "value-select", names, called, context.value, choose)}</div> }
        .whole()
}

fn names_of(context: Context, names: fn(&DatasetSummary) -> Vec<String>) -> Vec<String> {
    context.dataset.with(|dataset| dataset.as_ref().map(names)).unwrap_or_default()
}

fn select(
    label: &'static str,
    testid: &'static str,
    names: Memo<Vec<String>>,
    called: fn(String) -> String,
    current: Memo<Option<String>>,
    choose: impl Fn(String) + Send + Sync + 'static,
) -> WholeView {
    let option = move |name: String| {
        let (value, this) = (name.clone(), name.clone());
        let name = called(name);
        view! {
            <option value=value selected=move || current.get().as_ref() == Some(&this)>
                {name}
            </option>
        }
        .whole()
    };
    view! {
        <label class="choice">
            {label}
            <select
                data-testid=testid
                prop:value=move || current.get().unwrap_or_default()
                on:change:target=move |event| choose(event.target().value())
            >
                {changing(move || names.get().into_iter().map(option).collect_view())}
            </select>
        </label>
    }
    .whole()
}
