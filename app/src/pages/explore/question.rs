//! The choices by which the first question is refined.

use leptos::prelude::*;

use super::Context;
use crate::{
    components::whole::{Whole, WholeView},
    dashboards::builder::{
        Aggregate, Grain, TileQuery, TimeAxis,
        explore::{FACTS, NONE, Refinement},
    },
    pages::editor::fields::{Options, choice, named},
    state::address::Step,
};

pub(super) fn form(context: Context) -> WholeView {
    let question = Memo::new(move |_| {
        let extent = context.extent.get()?;
        let dataset = context.dataset.with(|dataset| dataset.as_ref().map(|dataset| dataset.name.clone()))?;
        let refinement = Refinement::read(|name| context.address.get(name));
        let asked = context
            .filters
            .with(|filters| context.fields.with(|fields| refinement.question(&dataset, fields, &extent, filters)));
        Some(asked)
    });
    let of = move |part: fn(&TileQuery) -> String| {
        move || question.with(|question| question.as_ref().map(part).unwrap_or_default())
    };
    let set = move |name: &'static str| move |value: String| context.address.set(vec![(name, Some(value))], Step::Push);
    let own = move |first: (&str, &str)| {
        let first = (first.0.to_owned(), first.1.to_owned());
        move || -> Options {
            let names = context.fields.with(|fields| fields.own().map(|field| field.name.clone()).collect::<Vec<_>>());
            std::iter::once(first.clone()).chain(named(names)).collect()
        }
    };
    let words = |all: Vec<(&'static str, &'static str)>| {
        move || -> Options { all.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect() }
    };
    let axes = std::iter::once((NONE, "No time")).chain(TimeAxis::ALL.map(|axis| (axis.1, axis.2)));
    let measured = |query: &TileQuery| {
        query.measures.first().and_then(|measure| measure.field.clone()).unwrap_or_else(|| FACTS.to_owned())
    };
    let aggregated = |query: &TileQuery| {
        let aggregate = query.measures.first().and_then(|measure| measure.aggregate);
        aggregate.map_or(String::new(), |aggregate| aggregate.words().0.to_owned())
    };
    let along = |query: &TileQuery| {
        let axis = query.over.and_then(|over| TimeAxis::ALL.into_iter().find(|axis| axis.0 == over.time));
        axis.map_or(NONE, |axis| axis.1).to_owned()
    };
    let steps = |query: &TileQuery| query.over.map_or(Grain::Year, |over| over.grain).word().to_owned();
    let by = |query: &TileQuery| query.by.first().cloned().unwrap_or_else(|| NONE.to_owned());
    view! {
        <div class="control-bar" role="group" aria-label="What is shown">
            {choice("Measure", "explore-measure", own((FACTS, "Facts")), of(measured), set("measure"))}
            {choice("As", "explore-as", words(Aggregate::ALL.map(Aggregate::words).to_vec()), of(aggregated), set("as"))}
            {choice("By", "explore-by", own((NONE, "Nothing")), of(by), set("by"))}
            {choice("Along", "explore-along", words(axes.collect()), of(along), set("along"))}
            {choice(
                "In steps of",
                "explore-steps",
                words(Grain::ALL.map(|grain| (grain.word(), grain.word())).to_vec()),
                of(steps),
                set("steps"),
            )}
        </div>
    }
    .whole()
}
