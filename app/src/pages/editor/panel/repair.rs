//! What a tile can be mended by when a column or a dataset that it names is gone.

use leptos::prelude::*;

use super::Panel;
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::builder::{Problem, nearest, renamed},
    pages::editor::fields::button,
};

/// A name that is gone, and what may have become of it.
#[derive(Debug, Clone, PartialEq)]
struct Offer {
    gone: String,
    others: Vec<String>,
    is_dataset: bool,
}

/// The offers; nothing while all that the tile names is there.
pub(super) fn offers(panel: Panel) -> WholeView {
    let offers = Memo::new(move |_| {
        let missing = panel.asks.with(|asks| {
            let problems = asks.as_ref().err()?;
            problems.iter().find(|problem| problem.missing.is_some()).cloned()
        })?;
        offer(panel, &missing)
    });
    changing(move || offers.get().map(|offer| offer_view(panel, offer))).whole()
}

fn offer(panel: Panel, problem: &Problem) -> Option<Offer> {
    let gone = problem.missing.clone()?;
    let is_dataset = problem.pointer == "/dataset";
    let names = match is_dataset {
        true => panel.editing.dataset_names(),
        false => {
            let (dataset, calculated) = panel.of(|query| (query.dataset.clone(), query.calculated.clone()));
            let fields = panel.editing.fields(&dataset);
            let own = fields.own().map(|field| field.name.clone());
            own.chain(calculated.into_iter().map(|field| field.name)).filter(|name| *name != gone).collect()
        }
    };
    // The nearest first.
    let near = nearest(&gone, &names).cloned();
    let others = near.iter().cloned().chain(names.into_iter().filter(|name| Some(name) != near.as_ref()));
    Some(Offer { others: others.take(4).collect(), gone, is_dataset })
}

fn offer_view(panel: Panel, Offer { gone, others, is_dataset }: Offer) -> WholeView {
    let what = if is_dataset { "dataset" } else { "column" };
    let one = |(place, name): (usize, String)| {
        let (gone, to) = (gone.clone(), name.clone());
        button(format!("Use {name}"), format!("repair-{place}"), move || {
            panel.ask("repair", |query| match is_dataset {
                true => query.dataset.clone_from(&to),
                false => *query = renamed(query, &gone, &to),
            });
            panel.editing.settle();
            crate::browser::focus(super::HEADING);
        })
    };
    let buttons = others.into_iter().enumerate().map(one).collect_view();
    let reason = format!("The {what} '{gone}' is not there any more: it was renamed or dropped. Mend it with another:");
    view! {
        <div class="repair" data-testid="repair" role="group" aria-label="Mend this tile">
            <p>{reason}</p>
            <div class="field-row">{buttons}</div>
        </div>
    }
    .whole()
}
