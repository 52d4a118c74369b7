//! A question without SQL: dataset, measures, time, categories, the greatest, and further below filters and calculated fields.

use leptos::prelude::*;

use super::{Panel, as_statement, calculated, filters};
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::builder::{Aggregate, Distribution, Facts, Grain, Measure, Over, TimeAxis, Top, explore::DEFINED},
    pages::editor::fields::{Options, button, called, check, choice, defined, named, number, remove},
};

/// Categories shown at first, where somebody asks for the greatest.
const TOP_FIRST: u32 = 8;
/// The choice of none.
const NONE: &str = "";
/// How facts are counted by stretches of a number instead of being measured.
const DISTRIBUTION: &str = "distribution";
const MEASURES: &str = "measures";
const ROWS: &str = "rows";

pub(super) fn form(panel: Panel) -> WholeView {
    let editing = panel.editing;
    let choose = move |dataset: String| {
        editing.choose_dataset(&panel.id.get_value(), dataset);
        editing.settle();
    };
    let has_dataset = Memo::new(move |_| panel.of(|query| !query.dataset.is_empty()));
    let kind = Memo::new(move |_| {
        panel.of(|query| match (&query.distribution, query.measures.is_empty()) {
            (Some(_), _) => DISTRIBUTION,
            (None, true) => ROWS,
            (None, false) => MEASURES,
        })
    });
    let rest = move || {
        has_dataset.get().then(|| {
            view! {
                {choice("Shows", "shows", kinds, move || kind.get().to_owned(), move |kind| choose_kind(panel, &kind))}
                {changing(move || match kind.get() {
                    DISTRIBUTION => distribution(panel),
                    ROWS => view! { {categories(panel, "Columns")} {facts(panel)} }.whole(),
                    _ => measured(panel),
                })}
                {filters::list(panel)}
                {calculated::list(panel)}
                <div class="field-row">{as_statement(panel)}</div>
            }
            .whole()
        })
    };
    view! {
        {choice(
            "Dataset",
            "dataset",
            move || named(editing.dataset_names()),
            move || panel.of(|query| query.dataset.clone()),
            choose,
        )}
        {panel.problem_view("/dataset".to_owned())}
        {changing(rest)}
    }
    .whole()
}

fn kinds() -> Options {
    [(MEASURES, "Measures"), (DISTRIBUTION, "How a number is distributed"), (ROWS, "Facts as they are")]
        .map(|(value, word)| (value.to_owned(), word.to_owned()))
        .to_vec()
}

fn choose_kind(panel: Panel, kind: &str) {
    let numbers = fields_of(panel, |value| value.is_number() || value.is_time());
    panel.ask("shows", |query| {
        query.distribution = None;
        match kind {
            MEASURES if query.measures.is_empty() => query.measures.push(Measure::count()),
            MEASURES => {}
            kind => {
                query.measures.clear();
                (query.over, query.top) = (None, None);
                if kind == DISTRIBUTION {
                    query.by.clear();
                    let field = numbers.first().map(|(name, _)| name.clone()).unwrap_or_default();
                    query.distribution = Some(Distribution { field, stretches: 40 });
                }
            }
        }
    });
    panel.editing.settle();
}

/// The fields of the dataset whose values are so, those that are calculated among them; untracked.
fn fields_of(panel: Panel, fits: impl Fn(crate::dashboards::builder::ValueType) -> bool) -> Options {
    untrack(|| all_fields(panel, fits))
}

/// The same, tracked.
pub(super) fn all_fields(panel: Panel, fits: impl Fn(crate::dashboards::builder::ValueType) -> bool) -> Options {
    let (dataset, calculated) = panel.of(|query| (query.dataset.clone(), query.calculated.clone()));
    let fields = panel.editing.fields(&dataset);
    let own = fields.all().iter().filter(|field| fits(field.value)).map(|field| field.name.clone());
    called(&fields, own.chain(calculated.into_iter().map(|field| field.name)))
}

fn measured(panel: Panel) -> WholeView {
    let count = Memo::new(move |_| panel.of(|query| query.measures.len()));
    let rows = move || (0..count.get()).map(|index| measure(panel, index)).collect_view();
    let over = move || panel.of(|query| query.over);
    let axes = || {
        let all = TimeAxis::ALL.map(|(_, value, word)| (value.to_owned(), word.to_owned()));
        std::iter::once((NONE.to_owned(), "No time".to_owned())).chain(all).collect()
    };
    let axis_word = move || {
        let found = over().and_then(|over| TimeAxis::ALL.into_iter().find(|axis| axis.0 == over.time));
        found.map_or(NONE, |axis| axis.1).to_owned()
    };
    let choose_axis = move |value: String| {
        let axis = TimeAxis::ALL.into_iter().find(|axis| axis.1 == value).map(|axis| axis.0);
        let grain = panel.editing.extents.with_untracked(|extents| {
            let dataset = panel.tile.with_untracked(|tile| tile.query.as_ref().map(|query| query.dataset.clone()));
            extents.get(&dataset?).copied().flatten()?.grain()
        });
        panel.ask("over", |query| {
            let grain = query.over.map(|over| over.grain).or(grain).unwrap_or(Grain::Month);
            query.over = axis.map(|time| Over { time, grain });
        });
        panel.editing.settle();
    };
    let has_over = Memo::new(move |_| over().is_some());
    let grain = move || match has_over.get() {
        true => choice(
            "In steps of",
            "grain",
            || Grain::ALL.map(|grain| (grain.word().to_owned(), format!("A {}", grain.word()))).to_vec(),
            move || over().map_or(NONE, |over| over.grain.word()).to_owned(),
            move |word| {
                let grain = Grain::ALL.into_iter().find(|grain| grain.word() == word);
                panel.ask("grain", |query| {
                    if let (Some(over), Some(grain)) = (&mut query.over, grain) {
                        over.grain = grain;
                    }
                });
                panel.editing.settle();
            },
        ),
        false => facts(panel),
    };
    let add = move || {
        panel.ask("measures", |query| query.measures.push(Measure::count()));
        panel.editing.settle();
    };
    view! {
        <fieldset class="field-group">
            <legend>"Measures"</legend>
            {changing(rows)}
            {button("Add a measure", "add-measure", add)}
        </fieldset>
        <fieldset class="field-group">
            <legend>"Time"</legend>
            {choice("Along", "over", axes, axis_word, choose_axis)}
            {changing(grain)}
        </fieldset>
        {categories(panel, "By")}
        {top(panel)}
    }
    .whole()
}

fn measure(panel: Panel, index: usize) -> WholeView {
    let of = move || panel.of(|query| query.measures.get(index).cloned());
    let field = move || match of() {
        Some(Measure { measure: Some(name), .. }) => format!("{DEFINED}{name}"),
        Some(measure) => measure.field.unwrap_or_default(),
        None => String::new(),
    };
    let fields = move || {
        let dataset = panel.of(|query| query.dataset.clone());
        let mut all = defined(&panel.editing.fields(&dataset));
        all.push((NONE.to_owned(), "Facts".to_owned()));
        all.extend(all_fields(panel, |_| true));
        all
    };
    let aggregates = move || {
        if of().is_some_and(|measure| measure.measure.is_some()) {
            return vec![(NONE.to_owned(), "By its formula".to_owned())];
        }
        let all = Aggregate::ALL.map(|aggregate| {
            let (value, word) = aggregate.words();
            (value.to_owned(), word.to_owned())
        });
        let mut all = Vec::from(all);
        if of().is_some_and(|measure| measure.aggregate.is_none()) {
            all.insert(0, (NONE.to_owned(), "By its formula".to_owned()));
        }
        all
    };
    let aggregate =
        move || of().and_then(|measure| measure.aggregate).map_or(NONE, |aggregate| aggregate.words().0).to_owned();
    let choose_field = move |name: String| {
        let fields = untrack(|| panel.editing.fields(&panel.of(|query| query.dataset.clone())));
        if let Some(defined) = name.strip_prefix(DEFINED) {
            let title = fields.measure(defined).map(|measure| measure.title.clone()).unwrap_or_default();
            panel.ask("measure-field", |query| {
                if let Some(measure) = query.measures.get_mut(index) {
                    *measure = Measure::defined(defined, &title);
                }
            });
            panel.editing.settle();
            return;
        }
        panel.ask("measure-field", |query| {
            let formula = query.calculated.iter().find(|field| field.name == name).map(|field| field.formula.clone());
            let Some(measure) = query.measures.get_mut(index) else { return };
            // The title was that of the measure.
            if measure.measure.take().is_some() {
                measure.title.clear();
            }
            measure.field = (!name.is_empty()).then(|| name.clone());
            let is_number = fields.get(&name).is_none_or(|field| field.value.is_number());
            measure.aggregate = match (name.is_empty(), formula) {
                (true, _) => Some(Aggregate::Count),
                (_, Some(formula)) if puts_together(&formula) => None,
                _ if !is_number && measure.aggregate.is_none_or(Aggregate::needs_numbers) => {
                    Some(Aggregate::CountDistinct)
                }
                _ if measure.aggregate.is_none_or(|aggregate| aggregate == Aggregate::Count) => {
                    Some(Aggregate::first_of(is_number))
                }
                _ => measure.aggregate,
            };
        });
        panel.editing.settle();
    };
    let choose_aggregate = move |word: String| {
        let aggregate = Aggregate::ALL.into_iter().find(|aggregate| aggregate.words().0 == word);
        panel.ask("measure-aggregate", |query| {
            if let Some(measure) = query.measures.get_mut(index) {
                measure.aggregate = aggregate;
            }
        });
        panel.editing.settle();
    };
    let take_away = move || {
        panel.ask("measures", |query| {
            if index < query.measures.len() {
                query.measures.remove(index);
            }
        });
        panel.editing.settle();
    };
    let several = Memo::new(move |_| panel.of(|query| query.measures.len() > 1));
    let number = index + 1;
    view! {
        <div class="field-row">
            {choice(format!("Measure {number}"), format!("measure-{index}-field"), fields, field, choose_field)}
            {choice("As", format!("measure-{index}-aggregate"), aggregates, aggregate, choose_aggregate)}
            {changing(move || several.get().then(|| remove(format!("measure {number}"), format!("measure-{index}-remove"), take_away)))}
        </div>
        {panel.problem_view(format!("/measures/{index}"))}
    }
    .whole()
}

/// Whether a formula puts facts together by itself.
fn puts_together(formula: &str) -> bool {
    let lower = formula.to_lowercase();
    ["sum(", "avg(", "count(", "count_distinct(", "median(", "min(", "max("].iter().any(|call| lower.contains(call))
}

fn categories(panel: Panel, word: &'static str) -> WholeView {
    let count = Memo::new(move |_| panel.of(|query| query.by.len()));
    let row = move |index: usize| {
        let choose = move |name: String| {
            panel.ask("by", |query| match (name.is_empty(), query.by.get_mut(index)) {
                (true, Some(_)) => drop(query.by.remove(index)),
                (false, Some(by)) => *by = name,
                (false, None) => query.by.push(name),
                (true, None) => {}
            });
            if untrack(|| panel.of(|query| query.by.is_empty())) {
                panel.ask("by", |query| query.top = None);
            }
            panel.editing.settle();
        };
        let options = move || {
            let mut all = all_fields(panel, |_| true);
            all.insert(0, (NONE.to_owned(), "Nothing".to_owned()));
            all
        };
        let current = move || panel.of(|query| query.by.get(index).cloned()).unwrap_or_default();
        let label = if index == 0 { word.to_owned() } else { format!("{word}, then") };
        view! {
            {choice(label, format!("by-{index}"), options, current, choose)}
            {panel.problem_view(format!("/by/{index}"))}
        }
        .whole()
    };
    // One more than there are, to choose the next. Those that are there already stay, and keep the focus.
    view! {
        <fieldset class="field-group">
            <legend>{if word == "By" { "Categories" } else { "Columns" }}</legend>
            <For each=move || 0..=count.get() key=|index| *index children=row />
        </fieldset>
    }
    .whole()
}

fn top(panel: Panel) -> WholeView {
    let has_by = Memo::new(move |_| panel.of(|query| !query.by.is_empty()));
    let has_top = Memo::new(move |_| panel.of(|query| query.top.is_some()));
    let toggle = move |on: bool| {
        panel.ask("top", |query| {
            let others = query.measures.iter().all(|measure| measure.aggregate.is_some_and(Aggregate::adds_up));
            query.top = on.then_some(Top { n: TOP_FIRST, others });
        });
        panel.editing.settle();
    };
    let of = move || panel.of(|query| query.top).unwrap_or(Top { n: TOP_FIRST, others: false });
    let set = move |change: fn(&mut Top, u32), to: u32| {
        panel.ask("top", |query| query.top.iter_mut().for_each(|top| change(top, to)));
        panel.editing.settle();
    };
    let more = move || {
        has_top.get().then(|| {
            view! {
                <div class="field-row">
                    {number("How many", "top-n", (1, 1_000), move || of().n, move |n| set(|top, n| top.n = n, n))}
                    {check("All others as one", "top-others", move || of().others, move |on| {
                        set(|top, on| top.others = on == 1, u32::from(on));
                    })}
                </div>
                {panel.problem_view("/top".to_owned())}
            }
            .whole()
        })
    };
    changing(move || {
        has_by.get().then(|| {
            view! {
                {check("Only the greatest", "top", move || has_top.get(), toggle)}
                {changing(more)}
            }
            .whole()
        })
    })
    .whole()
}

/// Which facts are read where no time is named.
fn facts(panel: Panel) -> WholeView {
    let options = || {
        [("end", "Those that hold at the end"), ("begin", "Those that begin in the range")]
            .map(|(value, word)| (value.to_owned(), word.to_owned()))
            .to_vec()
    };
    let current = move || panel.of(|query| if query.facts == Facts::Beginning { "begin" } else { "end" }).to_owned();
    let choose = move |value: String| {
        let facts = if value == "begin" { Facts::Beginning } else { Facts::HoldingAtEnd };
        panel.ask("facts", |query| query.facts = facts);
        panel.editing.settle();
    };
    choice("Facts", "facts", options, current, choose)
}

fn distribution(panel: Panel) -> WholeView {
    let of = move || panel.of(|query| query.distribution.clone());
    let set = move |change: &dyn Fn(&mut Distribution)| {
        panel.ask("distribution", |query| query.distribution.iter_mut().for_each(change));
        panel.editing.settle();
    };
    view! {
        {choice(
            "Of",
            "distribution-field",
            move || all_fields(panel, |value| value.is_number() || value.is_time()),
            move || of().map(|distribution| distribution.field).unwrap_or_default(),
            move |field| set(&|distribution| distribution.field.clone_from(&field)),
        )}
        {number(
            "Stretches at most",
            "stretches",
            (1, 400),
            move || of().map_or(40, |distribution| distribution.stretches),
            move |stretches| set(&|distribution| distribution.stretches = stretches),
        )}
        {panel.problem_view("/distribution".to_owned())}
        {facts(panel)}
    }
    .whole()
}
