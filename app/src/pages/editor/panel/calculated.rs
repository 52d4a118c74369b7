//! Calculated fields: a name and a formula, with what is wrong in it as it is typed, and the functions there are.

use leptos::prelude::*;

use super::{Panel, is_within};
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::builder::{Calculated, FUNCTIONS, renamed},
    pages::editor::fields::{button, remove, text},
    words::numbered,
};

pub(super) fn list(panel: Panel) -> WholeView {
    let count = Memo::new(move |_| panel.of(|query| query.calculated.len()));
    let add = move || {
        panel.ask("calculated", |query| {
            let is_taken = |name: &str| query.calculated.iter().any(|field| field.name == name);
            let name = numbered("calculated", " ", is_taken);
            query.calculated.push(Calculated { name, formula: String::new() });
        });
        panel.editing.settle();
    };
    let help = FUNCTIONS.map(|function| {
        view! {
            <div>
                <dt>{format!("{}({})", function.name, function.given)}</dt>
                <dd>{function.gives}</dd>
            </div>
        }
        .whole()
    });
    view! {
        <fieldset class="field-group">
            <legend>"Calculated fields"</legend>
            <For each=move || 0..count.get() key=|index| *index children=move |index| row(panel, index) />
            {button("Add a calculated field", "add-calculated", add)}
            <details class="formula-help">
                <summary>"What a formula can say"</summary>
                <p>
                    "Numbers, 'texts', fields by their names (in [ ] where a name has spaces), + − × ÷, comparisons, and, or, not. "
                    "What cannot be worked out, such as a division by zero, is nothing."
                </p>
                <dl>{Vec::from(help)}</dl>
            </details>
        </fieldset>
    }
    .whole()
}

fn row(panel: Panel, index: usize) -> WholeView {
    let of = move || panel.of(|query| query.calculated.get(index).cloned()).unwrap_or_default();
    // The name by which others refer to it. While what is typed is the name of something else, they keep the one before.
    let referred = StoredValue::new((String::new(), String::new()));
    let rename = move |name: String| {
        let fields = untrack(|| panel.editing.fields(&panel.of(|query| query.dataset.clone())));
        panel.ask("calculated-name", |query| {
            let others = query.calculated.iter().enumerate().filter(|(place, _)| *place != index);
            let is_taken = fields.get(&name).is_some() || others.into_iter().any(|(_, field)| field.name == name);
            let now = query.calculated.get(index).map(|field| field.name.clone()).unwrap_or_default();
            let (typed, known) = referred.get_value();
            let before = if typed == now && !known.is_empty() { known } else { now };
            let follows = !name.is_empty() && !is_taken && !before.is_empty();
            if follows {
                *query = renamed(query, &before, &name);
            }
            referred.set_value((name.clone(), if follows { name.clone() } else { before }));
            if let Some(field) = query.calculated.get_mut(index) {
                field.name = name;
            }
        });
    };
    let formula = move |formula: String| {
        panel.ask("calculated-formula", |query| {
            if let Some(field) = query.calculated.get_mut(index) {
                field.formula = formula;
            }
        });
    };
    let take_away = move || {
        panel.ask("calculated", |query| {
            if index < query.calculated.len() {
                query.calculated.remove(index);
            }
        });
        panel.editing.settle();
        crate::browser::focus(super::HEADING);
    };
    let pointer = format!("/calculated/{index}");
    let hint = format!("problem-calculated-{index}");
    let described_by = hint.clone();
    let invalid = {
        let pointer = pointer.clone();
        move || panel.problem(&pointer).is_some().then_some("true")
    };
    // The letter at which it goes wrong is marked below the formula.
    let place = move || {
        let problem = panel.asks.with(|asks| {
            let problems = asks.as_ref().err()?;
            problems.iter().find(|problem| is_within(&problem.pointer, &pointer)).cloned()
        })?;
        let marked = problem.span.map(|(from, to)| {
            let letters: Vec<char> = of().formula.chars().collect();
            let part = |from: usize, to: usize| letters.get(from..to).unwrap_or_default().iter().collect::<String>();
            let (from, to) = (from.min(letters.len()), to.min(letters.len()));
            let inside = if from == to { " ".to_owned() } else { part(from, to) };
            view! { <code class="formula-place">{part(0, from)} <mark>{inside}</mark> {part(to, letters.len())}</code> }
        });
        Some(view! { <p class="field-problem" role="status">{problem.to_string()}</p> {marked} }.whole())
    };
    view! {
        <div class="field-row">
            {text("Name", format!("calculated-{index}-name"), move || of().name, rename, move || panel.editing.settle())}
            {remove(format!("calculated field {}", index + 1), format!("calculated-{index}-remove"), take_away)}
        </div>
        <label class="field">
            <span class="field-name">"Formula"</span>
            <textarea
                rows="2"
                spellcheck="false"
                autocomplete="off"
                data-testid=format!("calculated-{index}-formula")
                aria-describedby=described_by
                aria-invalid=invalid
                prop:value=move || of().formula
                on:input:target=move |event| formula(event.target().value())
                on:blur=move |_| panel.editing.settle()
            ></textarea>
        </label>
        <div id=hint>{changing(place)}</div>
    }
    .whole()
}
