//! What a reader chooses for the whole page: a control for each variable, whose value stands in the address.

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::{Moment, Options, Variable, VariableKind, options_of, question},
    format::time,
    queries::client::Request,
    state::{
        address::{Address, Step},
        tile::{PageRead, Phase, use_tile},
    },
};

/// What can be chosen of variables with a query, and what could not be read.
#[derive(Clone, Copy)]
pub(in crate::pages) struct Read {
    /// By variable; without those that are still being read.
    pub(in crate::pages) known: Memo<Options>,
    /// Why the last reading failed, by variable.
    failed: Memo<Vec<(String, String)>>,
}

/// Reads what can be chosen, under the page's snapshot at its coordinates, which `moment` gives, tracked.
pub(in crate::pages) fn read_options(
    variables: &[Variable],
    page: PageRead,
    moment: impl Fn() -> Moment + Copy + Send + Sync + 'static,
) -> Read {
    let reads = variables.iter().filter_map(|variable| {
        let VariableKind::Query { sql } = variable.kind.clone() else { return None };
        let request = move || {
            let moment = moment();
            Some(Request { snapshot: page.snapshot(), ..question(&sql, moment, moment.range, false, Vec::new()) })
        };
        Some((variable.name.clone(), use_tile(Some(page), request, |table, _| Ok(Ok(table.clone())))))
    });
    let reads = StoredValue::new(reads.collect::<Vec<_>>());
    let failed = Memo::new(move |_| {
        reads.with_value(|reads| {
            let why = |phase: &Phase| if let Phase::Error(why) = phase { Some(why.clone()) } else { None };
            let failed = reads.iter().filter_map(|(name, read)| Some((name.clone(), read.status.phase.with(why)?)));
            failed.collect::<Vec<_>>()
        })
    });
    let known = Memo::new(move |_| {
        reads.with_value(|reads| {
            // What could not be read has nothing to choose, so that what waits for it says so.
            let of_failed = failed.get().into_iter().map(|(name, _)| (name, Vec::new()));
            let read = reads.iter().filter_map(|(name, read)| Some((name.clone(), options_of(&*read.data.get()?))));
            of_failed.chain(read).collect()
        })
    });
    Read { known, failed }
}

/// The row of controls; nothing where there is no variable.
pub(in crate::pages) fn row(variables: &Arc<Vec<Variable>>, read: Read, address: Address) -> Option<WholeView> {
    let one = |variable: &Variable| control(Arc::new(variable.clone()), read, address);
    (!variables.is_empty()).then(|| {
        let controls = variables.iter().map(one).collect_view();
        view! {
            <div class="variable-row" role="group" aria-label="Variables" data-testid="variables">
                {controls}
            </div>
        }
        .whole()
    })
}

fn control(variable: Arc<Variable>, read: Read, address: Address) -> WholeView {
    let (parameter, name) = (variable.parameter(), variable.name.clone());
    let (title, id) = (variable.title().to_owned(), format!("variable-{name}"));
    let chosen = {
        let variable = variable.clone();
        let parameter = parameter.clone();
        Memo::new(move |_| {
            let said = address.get(&parameter);
            read.known.with(|known| variable.chosen(said.as_deref(), known))
        })
    };
    let choose = {
        let variable = variable.clone();
        Callback::new(move |values: Vec<String>| {
            let said = (!values.is_empty() || variable.multiple).then(|| variable.address_value(&values)).flatten();
            address.set_named(parameter.clone(), said, Step::Push);
        })
    };
    let failed = move || {
        let why = read.failed.with(|failed| failed.iter().find(|known| known.0 == name).map(|known| known.1.clone()));
        why.map(|why| view! { <p class="variable-trouble" role="alert">"Its values could not be read: " {why}</p> })
    };
    let field = match variable.kind {
        VariableKind::Choice { .. } | VariableKind::Query { .. } if variable.multiple => {
            return view! {
                <div class="variable">
                    {several(variable.clone(), id, read, chosen, choose)}
                    {changing(failed)}
                </div>
            }
            .whole();
        }
        VariableKind::Choice { .. } | VariableKind::Query { .. } => {
            one_of(variable.clone(), id.clone(), read, chosen, choose)
        }
        VariableKind::Text | VariableKind::Number { .. } | VariableKind::Time => {
            typed(&variable, id.clone(), chosen, choose)
        }
    };
    view! {
        <div class="variable">
            <label for=id>{title}</label>
            {field}
            {changing(failed)}
        </div>
    }
    .whole()
}

/// What is listed: what can be chosen, and what is chosen although it cannot be.
fn listed(variable: &Variable, read: Read, chosen: Memo<Vec<String>>) -> Vec<(String, bool)> {
    let chosen = chosen.get();
    let mut listed: Vec<(String, bool)> = read.known.with(|known| {
        let options = variable.options(known).unwrap_or_default();
        options.iter().map(|option| (option.clone(), chosen.contains(option))).collect()
    });
    let gone = chosen.into_iter().filter(|value| !listed.iter().any(|known| known.0 == *value));
    let gone: Vec<_> = gone.map(|value| (value, true)).collect();
    listed.extend(gone);
    listed
}

fn one_of(
    variable: Arc<Variable>,
    id: String,
    read: Read,
    chosen: Memo<Vec<String>>,
    choose: Callback<Vec<String>>,
) -> WholeView {
    let options = move || {
        let listed = listed(&variable, read, chosen);
        if listed.is_empty() {
            return view! { <option value="" selected disabled>"Nothing to choose"</option> }.whole();
        }
        let one = |(value, selected): (String, bool)| {
            let text = value.clone();
            view! { <option value=value selected=selected>{text}</option> }
        };
        listed.into_iter().map(one).collect_view().whole()
    };
    view! {
        <select id=id on:change=move |event| choose.run(vec![event_target_value(&event)])>
            {changing(options)}
        </select>
    }
    .whole()
}

fn several(
    variable: Arc<Variable>,
    id: String,
    read: Read,
    chosen: Memo<Vec<String>>,
    choose: Callback<Vec<String>>,
) -> WholeView {
    let title = variable.title().to_owned();
    let label = title.clone();
    let listed = {
        let variable = variable.clone();
        Memo::new(move |_| listed(&variable, read, chosen))
    };
    let said = move || {
        let (all, on) = listed.with(|listed| (listed.len(), listed.iter().filter(|option| option.1).count()));
        match (all, on) {
            (0, _) => "nothing to choose".to_owned(),
            (all, on) if all == on => "all".to_owned(),
            (_, 1..=2) => chosen.get().join(", "),
            (all, on) => format!("{on} of {all}"),
        }
    };
    let one = move |(value, on): (String, bool)| {
        let (text, named) = (value.clone(), value.clone());
        let checked = move || listed.with(|listed| listed.iter().any(|option| option.1 && option.0 == named));
        let toggle = move |_| {
            let now = listed.get_untracked();
            let kept = now.iter().filter(|option| option.1 != (option.0 == value));
            choose.run(kept.map(|option| option.0.clone()).collect());
        };
        view! {
            <li>
                <label>
                    <input type="checkbox" prop:checked=checked checked=on on:change=toggle />
                    {text}
                </label>
            </li>
        }
        .whole()
    };
    // Made anew only when there are other values: the box that was ticked keeps the focus.
    let names =
        Memo::new(move |_| listed.with(|listed| listed.iter().map(|option| option.0.clone()).collect::<Vec<_>>()));
    let boxes = move || {
        // Asked for, because what is only tracked is never worked out.
        let _ = names.get();
        listed.get_untracked().into_iter().map(one).collect_view().whole()
    };
    view! {
        <details class="variable-several" id=id>
            <summary>
                <span class="variable-name">{title}</span>
                " "
                <span>{changing(said)}</span>
            </summary>
            <fieldset>
                <legend class="visually-hidden">{label}</legend>
                <ul>{changing(boxes)}</ul>
            </fieldset>
        </details>
    }
    .whole()
}

fn typed(variable: &Variable, id: String, chosen: Memo<Vec<String>>, choose: Callback<Vec<String>>) -> WholeView {
    let is_time = variable.kind == VariableKind::Time;
    let value = move || {
        let said = chosen.get().into_iter().next().unwrap_or_default();
        // A field of days shows the day of a moment.
        match time::parse_field(&said) {
            Ok(micros) if is_time => time::iso_day(time::day_of(micros)),
            _ => said,
        }
    };
    let kind = match variable.kind {
        VariableKind::Number { .. } => "number",
        VariableKind::Time => "date",
        _ => "text",
    };
    let (min, max, step) = match variable.kind {
        VariableKind::Number { min, max, step } => {
            (min, max, Some(step.map_or_else(|| "any".to_owned(), |s| s.to_string())))
        }
        _ => (None, None, None),
    };
    let bound = |bound: Option<f64>| bound.map(|bound| bound.to_string());
    let change = move |event| {
        let value = event_target_value(&event);
        choose.run(if value.is_empty() { Vec::new() } else { vec![value] });
    };
    view! { <input id=id type=kind min=bound(min) max=bound(max) step=step prop:value=value value=value on:change=change /> }
        .whole()
}
