//! The choices by which the first question is refined.

use leptos::prelude::*;

use super::Context;
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::builder::{
        Aggregate, Grain, TileQuery, TimeAxis,
        explore::{DEFINED, FACTS, NONE, Refinement},
    },
    pages::editor::fields::{Options, called, choice, defined},
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
    // How another measure was put together need not be a way for this one.
    let set_measure =
        move |value: String| context.address.set(vec![("measure", Some(value)), ("as", None)], Step::Push);
    let own = move |first: (&str, &str)| {
        let first = (first.0.to_owned(), first.1.to_owned());
        move || -> Options {
            let all = context.fields.with(|fields| called(fields, fields.own().map(|field| field.name.clone())));
            std::iter::once(first.clone()).chain(all).collect()
        }
    };
    let words = |all: Vec<(&'static str, &'static str)>| {
        move || -> Options { all.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect() }
    };
    let axes = std::iter::once((NONE, "No time")).chain(TimeAxis::ALL.map(|axis| (axis.1, axis.2)));
    let measured = |query: &TileQuery| {
        let first = query.measures.first();
        match first.and_then(|measure| measure.measure.as_ref()) {
            Some(name) => format!("{DEFINED}{name}"),
            None => first.and_then(|measure| measure.field.clone()).unwrap_or_else(|| FACTS.to_owned()),
        }
    };
    let of_fields = own((FACTS, "Facts"));
    let measures = move || -> Options { context.fields.with(defined).into_iter().chain(of_fields()).collect() };
    let ways = move || -> Options {
        let first = |query: &TileQuery| query.measures.first().cloned();
        match question.with(|question| question.as_ref().and_then(first)) {
            Some(measure) if measure.measure.is_some() => vec![(String::new(), "By its formula".to_owned())],
            // Facts alone can only be counted.
            Some(measure) if measure.field.is_none() => vec![named_by(Aggregate::Count.words())],
            _ => Aggregate::ALL.map(|aggregate| named_by(aggregate.words())).to_vec(),
        }
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
    let has_steps =
        Memo::new(move |_| question.with(|question| question.as_ref().is_some_and(|question| question.over.is_some())));
    view! {
        <div class="control-bar" role="group" aria-label="What is shown">
            {choice("Measure", "explore-measure", measures, of(measured), set_measure)}
            {choice("As", "explore-as", ways, of(aggregated), set("as"))}
            {choice("By", "explore-by", own((NONE, "Nothing")), of(by), set("by"))}
            {choice("Along", "explore-along", words(axes.collect()), of(along), set("along"))}
            {changing(move || has_steps.get().then(|| {
                choice(
                    "In steps of",
                    "explore-steps",
                    words(Grain::ALL.map(|grain| (grain.word(), grain.word())).to_vec()),
                    of(steps),
                    set("steps"),
                )
            }))}
        </div>
    }
    .whole()
}

fn named_by((value, word): (&str, &str)) -> (String, String) {
    (value.to_owned(), word.to_owned())
}
