//! Home: what the lake holds, how its records fared, and where to look next.

use leptos::prelude::*;
use model::{DatasetSummary, Mode};

use crate::{
    components::{
        chrome::{BENCHMARK_INDEX, DASHBOARD_LIST, DIFF, MARKET, PIPELINE, SCALING, dataset_address},
        icon::{self, icon},
        kpi::{Figure, Kpi},
        whole::{Whole, WholeView, changing},
    },
    format::{number, time},
    live::Live,
    root::with_datasets,
    state::datasets::DatasetList,
};

/// A dashboard: address, title, what it answers, icon.
const DASHBOARDS: [(&str, &str, &str, &str); 8] = [
    (
        BENCHMARK_INDEX,
        "Benchmark index",
        "The level of an index over time, as known at any moment you choose. Wind known back and see what was believed.",
        icon::LINE,
    ),
    (
        MARKET,
        "Market",
        "Prices, turnover, weights and corrections on one page, all of one moment. Choose on one tile to narrow down all.",
        icon::TILES,
    ),
    (
        "/dashboards/bond-desk?last=1y",
        "Bond desk",
        "What floating-rate notes pay, which coupons were put right after they were published, and what that comes to.",
        icon::TILES,
    ),
    (
        "/dashboards/restatements?last=1y",
        "Restatement watch",
        "Quarterly figures that say something else now than when they were published: whose, how much, how long after.",
        icon::TILES,
    ),
    (
        DIFF,
        "Diff",
        "What differs in a dataset between two known times or days: rows added, removed and changed, before and after.",
        icon::SWAP,
    ),
    (
        PIPELINE,
        "Pipeline",
        "How fast records come in, how many still wait, and which could not be accepted, as it happens.",
        icon::PULSE,
    ),
    (
        SCALING,
        "Scaling",
        "How many slots the pipeline has, what another number would cost, and how long earlier changes held it up.",
        icon::STEPS,
    ),
    (
        "/dashboards/operations",
        "Operations",
        "What the lake itself does: records, commits, upkeep, and the records that could not be accepted.",
        icon::TILES,
    ),
];

/// The page.
#[component]
pub fn Home() -> impl IntoView {
    with_datasets(|datasets, problem| view! { <Overview datasets problem /> }.whole())
}

#[component]
fn Overview(datasets: Vec<DatasetSummary>, problem: Option<String>) -> impl IntoView {
    let live = expect_context::<Live>();
    let DatasetList { all: list, problem, .. } = DatasetList::follow(live, datasets, problem, |_| true);
    let total = move |of: fn(&DatasetSummary) -> u64| {
        Signal::derive(move || {
            let sum = list.with(|list| list.iter().map(of).sum());
            Figure::new(number::count_text(sum), "")
        })
    };
    let count = Signal::derive(move || Figure::new(number::count_text(list.with(Vec::len) as u64), ""));
    let commit = Signal::derive(move || {
        live.head.with(|head| match head {
            None => Figure::none(),
            Some(head) => Figure::new(
                format!("epoch {}", number::count_text(head.epoch)),
                format!(
                    "{}, {} {}",
                    time::moment_seconds_text(head.system_time.micros()),
                    number::count_text(head.records),
                    if head.records == 1 { "record" } else { "records" }
                ),
            ),
        })
    });
    view! {
        {changing(move || problem.get().map(|reason| view! { <p class="notice" role="alert">"The list of datasets could not be read: " {reason} "."</p> }))}
        <dl class="kpi-row">
            <Kpi name="Datasets" testid="kpi-datasets" figure=count />
            <Kpi name="Rows" testid="kpi-rows" figure=total(|dataset| dataset.rows) />
            <Kpi name="In flight" unit="records" testid="kpi-in-flight" figure=total(|dataset| dataset.counts.in_flight) />
            <Kpi
                name="In quarantine"
                unit="records"
                testid="kpi-quarantined"
                figure=total(|dataset| dataset.counts.quarantined)
            />
            <Kpi name="Last commit" testid="kpi-last-commit" figure=commit />
        </dl>
        <section aria-labelledby="dashboards-title">
            <h2 id="dashboards-title" class="section-title">"Dashboards"</h2>
            <ul class="cards">{Vec::from(DASHBOARDS.map(card))}</ul>
            <p>
                <a href=DASHBOARD_LIST>"All dashboards"</a>
            </p>
        </section>
        <section
            class="tile"
            data-testid="tile-datasets"
            data-state=move || if list.with(Vec::is_empty) { "empty" } else { "ready" }
            aria-labelledby="datasets-title"
        >
            <header class="tile-header">
                <h2 id="datasets-title">"Datasets"</h2>
            </header>
            <div class="tile-body">{changing(move || dataset_table(&list.read()))}</div>
        </section>
        <FirstSteps />
    }
    .whole()
}

fn card((address, title, text, path_of_icon): (&'static str, &'static str, &'static str, &'static str)) -> WholeView {
    view! {
        <li class="card">
            {icon(path_of_icon)}
            <h3>
                <a href=address>{title}</a>
            </h3>
            <p>{text}</p>
        </li>
    }
    .whole()
}

fn dataset_table(list: &[DatasetSummary]) -> WholeView {
    if list.is_empty() {
        let text = "The lake holds no dataset yet. Define one and send it records, as shown below.";
        return view! { <p class="tile-empty">{text}</p> }.whole();
    }
    view! {
        <div class="table-box" role="region" aria-label="Table of datasets" tabindex="0">
            <table data-testid="table-datasets">
                <caption class="visually-hidden">"Datasets"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Dataset"</th>
                        <th scope="col">"Key"</th>
                        <th scope="col">"Effective"</th>
                        <th scope="col">"Known since"</th>
                        <th scope="col" class="number">"Rows"</th>
                        <th scope="col" class="number">"Received"</th>
                        <th scope="col" class="number">"In flight"</th>
                        <th scope="col" class="number">"In quarantine"</th>
                    </tr>
                </thead>
                <tbody>{list.iter().map(dataset_row).collect_view()}</tbody>
            </table>
        </div>
    }
    .whole()
}

fn dataset_row(dataset: &DatasetSummary) -> WholeView {
    let mode = match dataset.definition.mode {
        Mode::Interval => "over an interval",
        Mode::UntilChanged => "until changed",
    };
    let known = match (dataset.readable, dataset.known) {
        (false, _) => "import not sealed".to_owned(),
        (true, None) => "–".to_owned(),
        (true, Some((first, _))) => time::moment_seconds_text(first.micros()),
    };
    let address = dataset_address(&dataset.name);
    let numbers = [dataset.rows, dataset.counts.received, dataset.counts.in_flight, dataset.counts.quarantined];
    let numbers = numbers.map(|number| view! { <td class="number">{number::count_text(number)}</td> });
    view! {
        <tr>
            <th scope="row">
                <a href=address>{dataset.name.clone()}</a>
            </th>
            <td>{dataset.definition.key.join(", ")}</td>
            <td>{mode}</td>
            <td>{known}</td>
            {numbers}
        </tr>
    }
    .whole()
}

#[component]
fn FirstSteps() -> impl IntoView {
    view! {
        <section class="tile" aria-labelledby="steps-title">
            <header class="tile-header">
                <h2 id="steps-title">"First steps"</h2>
            </header>
            <div class="tile-body prose">
                <ol>
                    <li>
                        "Open " <a href=BENCHMARK_INDEX>"Benchmark index"</a>
                        " and move the known slider down: every figure becomes what was known then."
                    </li>
                    <li>
                        "Ask the same of any table, on both axes:"
                        <pre tabindex="0" aria-label="A query">
                            <code>
                                "tidemark query \"SELECT * FROM prices FOR VALID_TIME AS OF TIMESTAMP '2026-03-31' \\\n    FOR SYSTEM_TIME AS OF TIMESTAMP '2026-04-01T09:00:00Z' LIMIT 10\""
                            </code>
                        </pre>
                    </li>
                    <li>
                        "Bring your own records:"
                        <pre tabindex="0" aria-label="An ingestion">
                            <code>"tidemark ingest my_dataset records.ndjson"</code>
                        </pre>
                    </li>
                </ol>
            </div>
        </section>
    }
    .whole()
}
