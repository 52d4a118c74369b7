//! The versions of one key on the plane of both times, over the page: values on hover, two of them compared, and the same as
//! a list.

use std::{fmt::Write, sync::Arc};

use leptos::{prelude::*, task::spawn_local};
use model::{DatasetDefinition, DatasetSummary};

use super::{
    compared::{Chosen, OfPlane, choose, comparison, hint, mark, side_by_side},
    lazy::LazyPart,
};
use crate::{
    arrow::Table,
    charts::{Channel, ChartSpec, Data, Mark, ValueFormat},
    components::{
        chart::{ChartView, Pick, Picture},
        data_grid::{DataGrid, GridData},
        dialog::Dialog,
        tile::TileFrame,
        whole::{Whole, WholeView, changing},
    },
    dashboards::{Filter, FilterValue, Filters},
    format::{number, time},
    queries::{
        client::{About, ParameterValue, Request},
        diff::quoted,
        source::{SourceEvent, VersionSource, source_of},
    },
    state::{
        address::{Address, Step},
        datasets::DatasetList,
        tile::{PageRead, use_tile},
    },
    words::ended,
};

/// Versions that are shown at most.
const VERSIONS_MOST: usize = 2_000;

/// The address parameter with the key whose versions are shown: `prices:GALD`.
pub const PARAMETER: &str = "versions";

/// Where versions are shown: under a page's snapshot, with the key in its address.
#[derive(Clone, Copy)]
pub struct Versions {
    /// The snapshot.
    pub page: PageRead,
    /// The address.
    pub address: Address,
}

impl Versions {
    /// Shows the versions of a key.
    pub fn open(self, dataset: &str, key: &[FilterValue]) {
        let key = Filter { column: dataset.to_owned(), values: key.to_vec(), ..Filter::default() };
        self.address.set(vec![(PARAMETER, Filters(vec![key]).parameter())], Step::Push);
    }
}

/// The dialog; closed while the address names no key.
#[component]
pub fn VersionsDialog(versions: Versions, list: DatasetList) -> impl IntoView {
    let key = Memo::new(move |_| Filters::parse(versions.address.get(PARAMETER).as_deref()).0.into_iter().next());
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(key.with(Option::is_some)));
    // Closed by hand, the address follows.
    Effect::new(move |was: Option<bool>| {
        let is = open.get();
        if was == Some(true) && !is && key.with_untracked(Option::is_some) {
            versions.address.set(vec![(PARAMETER, None)], Step::Push);
        }
        is
    });
    let dataset = Memo::new(move |_| {
        let name = key.get()?.column;
        list.all.with(|all| all.iter().find(|dataset| dataset.name == name).cloned())
    });
    let content = move || {
        let (Some(key), Some(dataset)) = (key.get(), dataset.get()) else {
            return view! { <p class="quiet">"There is no such dataset."</p> }.whole();
        };
        provide_context(Key { page: versions.page, key, dataset });
        LazyPart::Versions.view()
    };
    view! {
        <Dialog class="versions" label="Versions" testid="versions" open>
            {content}
            <button type="button" on:click=move |_| open.set(false)>
                "Close"
            </button>
        </Dialog>
    }
    .whole()
}

/// Whose versions are shown.
#[derive(Clone)]
struct Key {
    page: PageRead,
    key: Filter,
    dataset: DatasetSummary,
}

/// What is asked for by what is provided: a plane of which rectangles are compared, or a key, by the dialog.
pub fn view() -> WholeView {
    if use_context::<OfPlane>().is_some() { side_by_side() } else { of_key() }
}

/// The versions of the key that the dialog provides.
fn of_key() -> WholeView {
    let Key { page, key, dataset } = expect_context();
    let definition = Arc::new(dataset.definition.clone());
    let columns: Vec<String> = definition.value_columns().map(|column| column.name.clone()).collect();
    let shown = RwSignal::new(columns.first().cloned().unwrap_or_default());
    let name = key.values.iter().map(|value| value.clone().unwrap_or_default()).collect::<Vec<_>>().join(", ");
    let read = {
        let (definition, key) = (definition.clone(), key.clone());
        use_tile(
            Some(page),
            move || Some(request(page, &key, &definition)),
            |table, _| {
                if table.rows() == 0 {
                    Ok(Err("Nothing was ever known of this key.".to_owned()))
                } else {
                    Ok(Ok(table.clone()))
                }
            },
        )
    };
    let table = move || read.data.get().map(|table| (*table).clone());
    let picture = Signal::derive(move || plane(&table()?, &shown.get()).map(Arc::new));
    let listed = {
        let columns = columns.clone();
        Signal::derive(move || list_of(table()?, &columns).map(Arc::new))
    };
    let chosen = RwSignal::new(Chosen::new());
    let marked = RwSignal::new(Vec::new());
    mark(chosen, picture, marked);
    let pick = Callback::new(move |pick: Pick| {
        if let Some(table) = untrack(table) {
            choose(chosen, table, pick.row);
        }
    });
    let source = source_of_last(&key, move || {
        let (table, row) = chosen.with(|chosen| chosen.last().cloned())?;
        table.column("system_from").ok()?.instant_micros(row)
    });
    let compared = {
        let columns = columns.clone();
        Signal::derive(move || chosen.with(|chosen| comparison(channels(&columns), chosen)).map(Arc::new))
    };
    let choice = |column: String| {
        let value = column.clone();
        view! { <option value=value>{column}</option> }.whole()
    };
    let choices = columns.iter().cloned().map(choice).collect_view();
    let hint = move || match chosen.with(Vec::is_empty) {
        true => "Choose a rectangle for its source, and another to compare both.",
        false => chosen.with(hint),
    };
    view! {
        <TileFrame title=format!("{name} in {}", key.column) testid="tile-versions" status=read.status>
            <div class="grid-tools">
                <label>
                    "Value "
                    <select data-testid="versions-value" on:change:target=move |event| shown.set(event.target().value())>
                        {choices}
                    </select>
                </label>
                <p class="quiet" role="status">{hint}</p>
            </div>
            <ChartView testid="chart-versions" table_testid="table-plane" picture pick marked />
            {changing(move || chosen_source(source.get()))}
            <Show when=move || compared.with(Option::is_some)>
                <DataGrid label=Signal::derive(|| "A and B".to_owned()) testid="table-compared" data=compared />
            </Show>
            <DataGrid label=Signal::derive(|| "All versions".to_owned()) testid="table-versions" data=listed />
        </TileFrame>
    }
    .whole()
}

/// What is known of a source: nothing is asked for, it is on its way, or an answer.
type Source = Option<Option<Result<VersionSource, String>>>;

/// The source of what became known at a moment, which is that of the rectangle chosen last.
fn source_of_last(key: &Filter, known: impl Fn() -> Option<i64> + Send + Sync + 'static) -> RwSignal<Source> {
    let (dataset, key) = (key.column.clone(), key.values.clone());
    let source = RwSignal::new(None);
    let known = Memo::new(move |_| known());
    Effect::new(move |_| {
        let Some(micros) = known.get() else { return source.set(None) };
        source.set(Some(None));
        let (dataset, key) = (dataset.clone(), key.clone());
        spawn_local(async move {
            let answer = source_of(dataset, key, micros).await;
            // Another may have been chosen meanwhile.
            if known.try_get_untracked().flatten() == Some(micros) {
                source.try_set(Some(Some(answer)));
            }
        });
    });
    source
}

fn chosen_source(source: Source) -> Option<WholeView> {
    let told = match source? {
        None => "Looking for its source …".to_owned(),
        Some(Err(reason)) => ended(format!("Its source is not told: {reason}")),
        Some(Ok(VersionSource { epoch, after, up_to, records, kept, events })) => {
            return Some(source_view(epoch, (after, up_to), records, kept, events));
        }
    };
    Some(view! { <p class="quiet" data-testid="source" role="status">{told}</p> }.whole())
}

fn source_view(epoch: u64, range: (u64, u64), records: u64, kept: bool, events: Vec<SourceEvent>) -> WholeView {
    let count = number::count_text;
    let place = if range.1 == range.0 + 1 {
        format!("request {}", count(range.1))
    } else {
        format!("requests {} to {}", count(range.0 + 1), count(range.1))
    };
    let records = format!("{} record{}", count(records), if records == 1 { "" } else { "s" });
    let told = format!("Became known with epoch {}: {place} of the stream, {records}.", count(epoch));
    let gone = (!kept && events.is_empty())
        .then(|| view! { <p class="quiet">"The stream has let go of these records; the versions are what stays."</p> });
    let event = |event: SourceEvent| {
        let place = format!("{}, line {}", count(event.position), event.line);
        let arrival = time::moment_seconds_text(event.arrival.micros());
        view! {
            <li>
                <p class="quiet">"Request " {place} ", arrived " {arrival}</p>
                <pre>{event.raw}</pre>
            </li>
        }
        .whole()
    };
    let events = events.into_iter().map(event).collect_view();
    view! {
        <section class="source" data-testid="source" aria-label="Source of the version chosen last">
            <p role="status">{told}</p>
            {gone}
            <ul>{events}</ul>
        </section>
    }
    .whole()
}

/// Every rectangle of the key, under the page's snapshot; tracked.
fn request(page: PageRead, key: &Filter, definition: &DatasetDefinition) -> Request {
    let (mut columns, mut conditions, mut parameters) = (String::new(), String::new(), Vec::new());
    for column in definition.value_columns() {
        let _ = write!(columns, ", {}", quoted(&column.name));
    }
    for (index, (column, value)) in definition.key_columns().zip(&key.values).enumerate() {
        let joint = if index == 0 { "WHERE" } else { "AND" };
        let _ = match value {
            Some(_) => write!(conditions, " {joint} {} = $key{index}", quoted(&column.name)),
            None => write!(conditions, " {joint} {} IS NULL", quoted(&column.name)),
        };
        parameters.extend(value.clone().map(|value| (format!("key{index}"), ParameterValue::Text(value))));
    }
    let sql = format!(
        "SELECT valid_from, valid_to, system_from, system_to{columns} FROM history({}){conditions} \
         ORDER BY valid_from, system_from LIMIT {VERSIONS_MOST}",
        quoted(&key.column)
    );
    Request { parameters: parameters.into_iter().collect(), ..page.request(sql, About::default()) }
}

fn plane(table: &Arc<Table>, value: &str) -> Option<Picture> {
    let effective = Channel::of("valid_from").until("valid_to").called("Effective", "").written(ValueFormat::Day);
    let known = Channel::of("system_from").until("system_to").called("Known", "");
    let spec = ChartSpec {
        color: Some(Channel::of(value)),
        ..ChartSpec::new("Versions", Mark::Plane, effective, vec![known])
    };
    Data::new(Arc::new(spec), table.clone()).ok().map(Picture::new)
}

fn time_channels() -> [Channel; 4] {
    [
        Channel::of("valid_from").called("Effective from", ""),
        Channel::of("valid_to").called("until", ""),
        Channel::of("system_from").called("Known from", ""),
        Channel::of("system_to").called("until", ""),
    ]
}

/// The times of a version, and its values.
fn channels(columns: &[String]) -> impl Iterator<Item = Channel> {
    time_channels().into_iter().chain(columns.iter().map(|name| Channel::of(name)))
}

fn list_of(table: Arc<Table>, columns: &[String]) -> Option<GridData> {
    GridData::of_answer(table, channels(columns).collect()).ok()
}
