//! A figure with its name, and a word about it.

use leptos::prelude::*;

use super::whole::{Whole, changing};

/// What a figure shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figure {
    /// The figure; a dash while there is none.
    pub value: String,
    /// What else is to be said, such as the change in percent.
    pub note: String,
    /// `up`, `down` or empty: beside a sign, never alone.
    pub direction: &'static str,
}

impl Figure {
    /// A figure with a note.
    pub fn new(value: String, note: impl Into<String>) -> Figure {
        Figure { value, note: note.into(), direction: "" }
    }

    /// No figure.
    pub fn none() -> Figure {
        Figure::new("–".to_owned(), "")
    }
}

/// A named figure. `testid` is on the value.
#[component]
pub fn Kpi(
    name: &'static str,
    #[prop(optional)] unit: &'static str,
    testid: &'static str,
    #[prop(into)] figure: Signal<Figure>,
) -> impl IntoView {
    let direction = move || figure.with(|figure| figure.direction);
    let unit = (!unit.is_empty()).then(|| view! { <span class="kpi-unit">{unit}</span> });
    view! {
        <div class="kpi">
            <dt>{name} " " {unit}</dt>
            <dd class="kpi-value" data-testid=testid data-direction=direction>
                {changing(move || figure.with(|figure| figure.value.clone()))}
            </dd>
            <dd class="kpi-note">{changing(move || figure.with(|figure| figure.note.clone()))}</dd>
        </div>
    }
    .whole()
}
