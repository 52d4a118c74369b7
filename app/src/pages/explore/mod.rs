//! Explore: a dataset at a glance. How far it reaches, one question about it that is refined by choices, the distribution of
//! each column, what became known when, and the facts themselves. Anything can be kept as a tile. All of it stands in the
//! address.

mod keep;
mod question;
mod tile;

use std::sync::Arc;

use leptos::{prelude::*, task::spawn_local};
use model::DatasetSummary;

use crate::{
    components::{
        chart::SharedCrosshair,
        chrome::semantics_address,
        known_banner::KnownBanner,
        kpi::{Figure, Kpi},
        whole::{Whole, WholeView, changing},
    },
    dashboards::{
        Filters,
        builder::{
            Extent, Fields,
            explore::{COLUMNS_MOST, Refinement, column_questions, facts, revisions},
        },
        semantics::Semantics,
    },
    format::{number, time},
    live::Live,
    pages::{
        editor::fields::{choice, named},
        filters::FilterRow,
    },
    queries::{
        client::{About, Request},
        profile,
        semantics::semantics,
    },
    root::with_datasets,
    state::{
        address::{Address, Step},
        coordinates::{Coordinates, Known},
        datasets::{DatasetList, is_unsettled},
        tile::{PageRead, Phase, use_tile},
    },
};

/// What all parts of the page share.
#[derive(Clone, Copy)]
struct Context {
    page: PageRead,
    address: Address,
    dataset: Memo<Option<DatasetSummary>>,
    fields: Memo<Fields>,
    known: Memo<Known>,
    filters: Memo<Filters>,
    /// How far the dataset reaches; none while that is not known.
    extent: Signal<Option<Extent>>,
    /// How many values each column lacks and how many different ones it has; empty while that is not known.
    counts: Memo<Vec<(u64, u64)>>,
    /// What is being kept as a tile.
    keeping: RwSignal<Option<keep::Kept>>,
}

/// The page.
#[component]
pub fn Explore() -> impl IntoView {
    with_datasets(|datasets, problem| view! { <Exploring datasets problem /> }.whole())
}

#[component]
fn Exploring(datasets: Vec<DatasetSummary>, problem: Option<String>) -> impl IntoView {
    let live = expect_context::<Live>();
    let address = Address::of_page();
    SharedCrosshair::provide();
    let list = DatasetList::follow(live, datasets, problem, is_unsettled);
    let dataset = Memo::new(move |_| {
        let named = address.get("dataset");
        list.all.with(|all| match named {
            Some(name) => all.iter().find(|dataset| dataset.name == name && dataset.readable).cloned(),
            None => all.iter().find(|dataset| dataset.readable).cloned(),
        })
    });
    let known =
        Memo::new(move |_| Coordinates::read(|name| address.get(name)).0.known.at(live.now.get(), live.head_micros()));
    let meaning = meaning_of(dataset, known);
    let fields = Memo::new(move |_| {
        dataset.with(|dataset| {
            let Some(dataset) = dataset else { return Fields::default() };
            let fields = Fields::of(&dataset.definition);
            meaning.with(|read| match read.as_ref().filter(|read| read.dataset == dataset.name) {
                Some(read) => fields.meaning(read.clone()),
                None => fields,
            })
        })
    });
    let filters = Memo::new(move |_| Filters::parse(address.get("only").as_deref()));
    let name = move || dataset.with(|dataset| dataset.as_ref().map(|dataset| dataset.name.clone()));
    let key = move || (name(), known.get(), filters.get());
    let page = PageRead::new(live, move || known.get() == Known::Now, key);
    let profile = use_tile(
        Some(page),
        move || {
            let asked = dataset.with(|dataset| {
                dataset
                    .as_ref()
                    .map(|dataset| (dataset.name.clone(), profile::extent(&dataset.name, &dataset.definition.key)))
            });
            let (dataset, sql) = asked?;
            let about = About { known: known.get(), dataset, ..About::default() };
            Some(Request { system_time: known.get().system_time(), ..page.request(sql, about) })
        },
        |table, about| {
            let extent = profile::extent_of(table)?;
            let keys = table.column("keys")?.count(0).unwrap_or_default();
            Ok(Ok((about.dataset.clone(), extent, keys)))
        },
    );
    // Of this dataset and no other.
    let read = Memo::new(move |_| {
        let read = profile.data.get()?;
        (Some(&read.0) == name().as_ref()).then(|| (read.1, read.2))
    });
    let extent = Signal::derive(move || read.get().map(|read| read.0));
    let counted = use_tile(
        Some(page),
        move || {
            let dataset = name()?;
            let own =
                fields.with(|fields| profile::columns(&dataset, &fields.own().take(COLUMNS_MOST).collect::<Vec<_>>()));
            let about = About { known: known.get(), dataset, ..About::default() };
            Some(Request { system_time: known.get().system_time(), ..page.request(own, about) })
        },
        |table, about| Ok(Ok((about.dataset.clone(), profile::columns_of(table)?))),
    );
    let counts = Memo::new(move |_| {
        let read = counted.data.get().filter(|read| Some(&read.0) == name().as_ref());
        read.map(|read| read.1.clone()).unwrap_or_default()
    });
    let keeping = RwSignal::new(None);
    let context = Context { page, address, dataset, fields, known, filters, extent, counts, keeping };
    let choose = move |name: String| {
        let gone = ["only", "measure", "as", "by", "along", "steps"].map(|name| (name, None));
        address.set([("dataset", Some(name))].into_iter().chain(gone).collect(), Step::Push);
    };
    let names = move || list.all.with(|all| named(all.iter().filter(|it| it.readable).map(|it| it.name.clone())));
    let missing = move || {
        let said = address.get("dataset");
        match (dataset.with(Option::is_none), said) {
            (true, Some(name)) => {
                Some(format!("There is no dataset '{name}' that can be read. Choose one from the list."))
            }
            (true, None) => Some("The lake holds no dataset yet. Define one and send it records.".to_owned()),
            (false, _) => None,
        }
    };
    let return_to_now = Callback::new(move |()| address.set(vec![("known", None)], Step::Push));
    let trouble = move || match profile.status.phase.get() {
        Phase::Error(why) => {
            Some(view! { <p class="notice" role="alert">{format!("The dataset could not be read: {why}.")}</p> })
        }
        _ => None,
    };
    let is_there = Memo::new(move |_| name().filter(|_| extent.with(Option::is_some)));
    view! {
        {changing(move || list.problem.get().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        {changing(move || missing().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        {changing(trouble)}
        <KnownBanner known hidden=Signal::derive(String::new) return_to_now />
        <div class="control-bar">
            {choice("Dataset", "explore-dataset", names, move || name().unwrap_or_default(), choose)}
            {changing(move || name().map(|name| {
                view! { <a href=semantics_address(&name) data-testid="explore-meaning">"What its figures mean"</a> }
            }))}
        </div>
        {figures(read, dataset, known)}
        <FilterRow filters address />
        {changing(move || is_there.get().map(|name| parts(context, &name)))}
        {keep::dialog(context)}
    }
    .whole()
}

/// What is defined of the dataset that is shown, as it was known then; none while that is not read. In the browser alone.
fn meaning_of(dataset: Memo<Option<DatasetSummary>>, known: Memo<Known>) -> RwSignal<Option<Arc<Semantics>>> {
    let meaning = RwSignal::new(None);
    let wanted = Memo::new(move |_| {
        let (name, stored) = dataset.with(|dataset| dataset.as_ref().map(|it| (it.name.clone(), it.semantics)))?;
        let at = match known.get() {
            Known::At(micros) => Some(time::iso(micros)),
            Known::Now | Known::First => None,
        };
        Some((name, stored, at))
    });
    Effect::new(move |_| {
        let Some(asked) = wanted.get() else { return };
        let (name, stored, at) = asked.clone();
        if stored.is_none() {
            meaning.set(Some(Arc::new(Semantics::none(&name))));
            return;
        }
        spawn_local(async move {
            // What cannot be read is not offered; the rest of the page goes without.
            let read = semantics(&name, at.as_deref()).await.unwrap_or_else(|_| Semantics::none(&name));
            if wanted.try_get_untracked().flatten().as_ref() == Some(&asked) {
                meaning.try_set(Some(Arc::new(read)));
            }
        });
    });
    meaning
}

/// How much there is and how far it reaches.
fn figures(read: Memo<Option<(Extent, u64)>>, dataset: Memo<Option<DatasetSummary>>, known: Memo<Known>) -> WholeView {
    let facts = Signal::derive(move || {
        let counted = |read: &(Extent, u64)| {
            Figure::new(number::count_text(read.0.facts), format!("known {}", known.get().text()))
        };
        read.with(|read| read.as_ref().map_or_else(Figure::none, counted))
    });
    let figure = move |of: fn(&(Extent, u64)) -> Figure| {
        Signal::derive(move || read.with(|read| read.as_ref().map_or_else(Figure::none, of)))
    };
    let effective = |(extent, _): &(Extent, u64)| match (extent.first, extent.last) {
        (Some(first), Some(last)) => {
            Figure::new(time::day_text(first), format!("to {}, when facts begin", time::day_text(last)))
        }
        _ => Figure::none(),
    };
    let key = Signal::derive(move || {
        dataset.with(|dataset| {
            dataset.as_ref().map_or_else(Figure::none, |it| {
                Figure::new(number::count_text(it.rows), format!("key: {}", it.definition.key.join(", ")))
            })
        })
    });
    view! {
        <dl class="kpi-row">
            <Kpi name="Facts" testid="explore-facts" figure=facts />
            <Kpi name="Keys" testid="explore-keys" figure=figure(|read| Figure::new(number::count_text(read.1), "different")) />
            <Kpi name="Effective" testid="explore-effective" figure=figure(effective) />
            <Kpi name="Rows stored" testid="explore-rows" figure=key />
        </dl>
    }
    .whole()
}

/// All tiles of a dataset.
fn parts(context: Context, dataset: &str) -> WholeView {
    let name = dataset.to_owned();
    let of = {
        let name = name.clone();
        move |filters: &Filters| context.fields.with(|fields| column_questions(&name, fields, filters))
    };
    let places = untrack(|| of(&Filters::default())).len();
    let column = {
        let of = of.clone();
        move |place: usize| {
            let of = of.clone();
            let ask = move || context.filters.with(|filters| of(filters).into_iter().nth(place).map(|it| it.query));
            tile::column(context, place, ask)
        }
    };
    let (of_facts, of_revisions, of_main) = (name.clone(), name.clone(), name);
    let main = move || {
        let extent = context.extent.get()?;
        let refinement = Refinement::read(|name| context.address.get(name));
        // With its unit and format, or not at all.
        if refinement.defined().is_some() && !context.fields.with(Fields::knows_meaning) {
            return None;
        }
        let question =
            |filters: &Filters| context.fields.with(|fields| refinement.question(&of_main, fields, &extent, filters));
        Some(context.filters.with(question))
    };
    view! {
        {question::form(context)}
        <div class="dashboard">{tile::tile(context, "main", 12, main)}</div>
        <h2 class="section-title">"Columns"</h2>
        <div class="dashboard">{(0..places).map(column).collect_view()}</div>
        <h2 class="section-title">"Known and effective"</h2>
        <div class="dashboard">
            {tile::tile(context, "revisions", 12, move || {
                Some(context.filters.with(|filters| context.fields.with(|fields| revisions(&of_revisions, fields, filters))))
            })}
            {tile::tile(context, "facts", 12, move || {
                Some(context.filters.with(|filters| context.fields.with(|fields| facts(&of_facts, fields, filters))))
            })}
        </div>
    }
    .whole()
}
