//! Restatements: what changed in a dataset between two known times. Works for any dataset, from its definition.

use std::sync::Arc;

use leptos::prelude::*;
use model::DatasetSummary;

use crate::{
    arrow::Table,
    charts::{Channel, ChartSpec, Data, Mark, ValueFormat},
    components::{
        chart::{ChartView, Picture},
        kpi::{Figure, Kpi},
        tile::TileFrame,
        time_plane::{EffectiveAxis, Gesture, KnownMark, TimePlane},
        whole::{Whole, changing},
    },
    format::{
        number,
        time::{self, DAY_MICROS},
    },
    live::Live,
    pages::change_cells::{Change, Changes, Kind, changes_table},
    queries::{client::About, restatements::Comparison},
    root::with_datasets,
    state::{
        address::{Address, Step},
        coordinates::{Effective, Known, KnownChoice},
        datasets::{DatasetList, is_unsettled},
        tile::{PageRead, use_tile},
    },
};

/// One of the statements of a comparison.
type Statement = for<'a> fn(&Comparison<'a>) -> String;

/// Without an earlier known time in the address the page compares with the start of the day this many days ago.
const USUAL_DAYS_BACK: i64 = 7;

/// What an address asks to compare.
pub struct Choice {
    /// The earlier known time.
    pub a: KnownChoice,
    /// The later known time.
    pub b: KnownChoice,
    /// The effective range.
    pub effective: Effective,
    /// What in the address could not be read.
    pub problem: Option<String>,
}

/// Reads the address, parameter by parameter.
pub fn choice_of(get: impl Fn(&str) -> Option<String>, today: i64) -> Choice {
    let (effective, effective_problem) = Effective::read(&get);
    let usual = KnownChoice::Exactly(Known::At((today - USUAL_DAYS_BACK) * DAY_MICROS));
    let a = get("a").map_or(Ok(usual), |text| KnownChoice::parse(Some(&text)));
    let b = KnownChoice::parse(get("b").as_deref());
    let problem = effective_problem.or_else(|| a.clone().err()).or_else(|| b.clone().err());
    Choice { a: a.unwrap_or(usual), b: b.unwrap_or(KnownChoice::NOW), effective, problem }
}

/// The address parameter of the earlier known time, which is not now by itself.
fn a_parameter(a: KnownChoice) -> String {
    a.parameter().unwrap_or_else(|| "now".to_owned())
}

/// The dataset that is shown: the one named, else one in which restatements are usual, else the first.
fn chosen(datasets: &[DatasetSummary], named: Option<&str>) -> Option<DatasetSummary> {
    let find = |name: &str| datasets.iter().find(|dataset| dataset.name == name);
    let found = match named {
        Some(name) => find(name),
        None => find("prices").or_else(|| datasets.iter().find(|dataset| dataset.readable)),
    };
    found.cloned()
}

/// The page.
#[component]
pub fn Restatements() -> impl IntoView {
    with_datasets(|datasets, problem| view! { <Dashboard datasets problem /> }.whole())
}

#[component]
fn Dashboard(datasets: Vec<DatasetSummary>, problem: Option<String>) -> impl IntoView {
    let live = expect_context::<Live>();
    let address = Address::of_page();
    let today = Memo::new(move |_| live.today());
    let choice = move || choice_of(|name| address.get(name), today.get());
    let a_choice = Memo::new(move |_| choice().a);
    let b_choice = Memo::new(move |_| choice().b);
    let effective = Memo::new(move |_| choice().effective);
    let known =
        move |choice: Memo<KnownChoice>| Memo::new(move |_| choice.get().at(live.now.get(), live.head_micros()));
    let (a, b) = (known(a_choice), known(b_choice));
    let days = Memo::new(move |_| effective.get().days(today.get()));
    let misread = Memo::new(move |_| choice().problem);
    let list = DatasetList::follow(live, datasets, problem, is_unsettled);
    let dataset = Memo::new(move |_| {
        let named = address.get("dataset");
        list.all.with(|datasets| chosen(datasets, named.as_deref()))
    });
    let missing = move || {
        let named = address.get("dataset")?;
        dataset.with(Option::is_none).then(|| format!("There is no dataset '{named}'. Choose one from the list."))
    };

    let page = PageRead::new(
        live,
        move || b.get() == Known::Now,
        move || {
            (a.get(), b.get(), days.get(), dataset.with(|dataset| dataset.as_ref().map(|dataset| dataset.name.clone())))
        },
    );
    let ask = move |sql: Statement| {
        dataset.with(|dataset| {
            let DatasetSummary { name, definition, .. } = dataset.as_ref()?;
            let (a, b, days) = (a.get(), b.get(), days.get());
            let about = About { known: b, dataset: name.clone(), ..About::default() };
            Some(page.request(sql(&Comparison { dataset: name, definition, a, b, days }), about))
        })
    };
    let find = move |name: &str| list.all.with_untracked(|datasets| chosen(datasets, Some(name)));
    let counts = use_tile(Some(page), move || ask(|comparison| comparison.counts()), |table, _| counts_picture(table));
    let rows = use_tile(
        Some(page),
        move || ask(|comparison| comparison.rows()),
        move |table, about| {
            let dataset = find(&about.dataset).ok_or("the dataset is no longer there")?;
            rows_picture(table, &dataset)
        },
    );
    let by_day = use_tile(Some(page), move || ask(|comparison| comparison.by_day()), |table, _| by_day_picture(table));

    let set_effective = Callback::new(move |(effective, gesture): (Effective, Gesture)| {
        address.set(Vec::from(effective.changes()), gesture.step());
    });
    let set_a = Callback::new(move |(known, gesture): (KnownChoice, Gesture)| {
        address.set(vec![("a", Some(a_parameter(known)))], gesture.step());
    });
    let set_b = Callback::new(move |(known, gesture): (KnownChoice, Gesture)| {
        address.set(vec![("b", known.parameter())], gesture.step());
    });
    let swap = move || {
        let (a, b) = (a_choice.get_untracked(), b_choice.get_untracked());
        address.set(vec![("a", Some(a_parameter(b))), ("b", a.parameter())], Step::Push);
    };
    let known_first = Memo::new(move |_| dataset.with(|dataset| Some(dataset.as_ref()?.known?.0.micros())));
    let marks = vec![
        KnownMark { name: "Known, A", sign: "A", testid: "known-a", choice: a_choice, known: a, set: set_a },
        KnownMark { name: "Known, B", sign: "B", testid: "known-b", choice: b_choice, known: b, set: set_b },
    ];
    let figure = move |of: fn(&Counts) -> u64, note: &'static str| {
        Signal::derive(move || {
            counts.data.with(|counts| {
                let figure = |counts: &Arc<Counts>| Figure::new(number::count_text(of(counts)), note);
                counts.as_ref().map_or_else(Figure::none, figure)
            })
        })
    };
    let note = Signal::derive(move || {
        let total = counts.data.with(|counts| counts.as_ref().map(|counts| counts.total()));
        let shown = rows.data.with(|rows| rows.as_ref().map(|rows| rows.rows.len()));
        shown.zip(total).map(|(shown, total)| shown_note(shown, total)).unwrap_or_default()
    });
    view! {
        {changing(move || list.problem.get().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        {changing(move || missing().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        {changing(move || {
            let tail = ". The usual coordinates are shown instead.";
            misread.get().map(|reason| view! { <p class="notice" role="alert">{reason} {tail}</p> })
        })}
        <div class="control-bar">
            <DatasetSelect list dataset address />
            <button type="button" data-testid="swap" on:click=move |_| swap()>
                "Swap A and B"
            </button>
        </div>
        <TimePlane
            live
            effective=EffectiveAxis { choice: effective, facts: Signal::stored(None), set: set_effective }
            marks
            known_first
        />
        <dl class="kpi-row">
            <Kpi name="+ added" unit="rows" testid="kpi-added" figure=figure(|counts| counts.added, "known at B, not at A") />
            <Kpi name="− removed" unit="rows" testid="kpi-removed" figure=figure(|counts| counts.removed, "known at A, no longer at B") />
            <Kpi name="~ changed" unit="rows" testid="kpi-changed" figure=figure(|counts| counts.changed, "known at both, not the same") />
        </dl>
        <TileFrame title="Added and changed rows, by the day they became known" testid="tile-restated" status=by_day.status>
            <div class="short-chart">
                <ChartView testid="chart-restated" table_testid="table-restated" picture=by_day.data />
            </div>
        </TileFrame>
        <TileFrame title="Rows that differ" testid="tile-changes" status=rows.status note>
            {changing(move || rows.data.with(|rows| rows.as_ref().map(|rows| changes_table(rows))))}
        </TileFrame>
    }
    .whole()
}

#[component]
fn DatasetSelect(list: DatasetList, dataset: Memo<Option<DatasetSummary>>, address: Address) -> impl IntoView {
    let current =
        move || dataset.with(|dataset| dataset.as_ref().map(|dataset| dataset.name.clone())).unwrap_or_default();
    let names = Memo::new(move |_| {
        list.all.with(|all| {
            let readable = all.iter().filter(|dataset| dataset.readable);
            readable.map(|dataset| dataset.name.clone()).collect::<Vec<_>>()
        })
    });
    let option = move |name: String| {
        let (value, this) = (name.clone(), name.clone());
        view! {
            <option value=value selected=move || current() == this>
                {name}
            </option>
        }
        .whole()
    };
    view! {
        <label class="choice">
            "Dataset"
            <select
                data-testid="dataset-select"
                prop:value=current
                on:change:target=move |event| {
                    address.set(vec![("dataset", Some(event.target().value()))], Step::Push);
                }
            >
                {changing(move || names.get().into_iter().map(option).collect_view())}
            </select>
        </label>
    }
    .whole()
}

/// How many rows differ, and how.
struct Counts {
    added: u64,
    removed: u64,
    changed: u64,
}

impl Counts {
    fn total(&self) -> u64 {
        self.added + self.removed + self.changed
    }
}

fn shown_note(shown: usize, total: u64) -> String {
    let total_text = number::count_text(total);
    if total > shown as u64 {
        return format!("first {} of {total_text} rows", number::count_text(shown as u64));
    }
    format!("{total_text} rows")
}

fn counts_picture(table: &Table) -> Result<Result<Counts, String>, String> {
    let [added, removed, changed] = table.columns(["added", "removed", "changed"])?;
    let count = |column: &crate::arrow::Column| column.count(0).ok_or("a count is missing from the answer");
    Ok(Ok(Counts { added: count(added)?, removed: count(removed)?, changed: count(changed)? }))
}

fn rows_picture(table: &Table, dataset: &DatasetSummary) -> Result<Result<Changes, String>, String> {
    let definition = &dataset.definition;
    let [valid_from, a_to, b_to, in_a, in_b, known] =
        table.columns(["effective_from", "a_valid_to", "b_valid_to", "in_a", "in_b", "known"])?;
    let numbered = |prefix: &str, count: usize| {
        (0..count).map(|index| table.column(&format!("{prefix}_{index}"))).collect::<Result<Vec<_>, _>>()
    };
    let keys = numbered("key", definition.key.len())?;
    let value_names: Vec<String> = definition.value_columns().map(|column| column.name.clone()).collect();
    let (before, after) = (numbered("a", value_names.len())?, numbered("b", value_names.len())?);
    let end = |column: &crate::arrow::Column, row| {
        column.instant_micros(row).map_or_else(|| "open".to_owned(), time::valid_text)
    };
    let row = |row: usize| Change {
        kind: Kind::of(in_a.boolean(row) == Some(true), in_b.boolean(row) == Some(true)),
        keys: keys.iter().map(|column| column.display(row).unwrap_or_default()).collect(),
        valid_from: valid_from.instant_micros(row).map(time::valid_text).unwrap_or_default(),
        valid_to: (end(a_to, row), end(b_to, row)),
        values: before.iter().zip(&after).map(|(a, b)| (a.display(row), b.display(row))).collect(),
        known: known.instant_micros(row).map_or_else(|| "–".to_owned(), time::moment_seconds_text),
    };
    let rows: Vec<Change> = (0..table.rows()).map(row).collect();
    if rows.is_empty() {
        return Ok(Err(
            "Both known times say the same about this range. Move A further back, or widen the range.".to_owned()
        ));
    }
    let numeric = definition.value_columns().map(|column| is_number(column.column_type)).collect();
    Ok(Ok(Changes { key_names: definition.key.clone(), value_names, numeric, rows }))
}

fn is_number(column_type: model::ColumnType) -> bool {
    use model::ColumnType as Type;
    matches!(column_type, Type::Int32 | Type::Int64 | Type::Float64 | Type::Decimal { .. })
}

fn by_day_picture(table: &Arc<Table>) -> Result<Result<Picture, String>, String> {
    let count = Channel::of("restated").called("Added and changed", "rows per day known").written(ValueFormat::Whole);
    let day = Channel::of("day").written(ValueFormat::Day);
    let spec = ChartSpec::new("Added and changed rows", Mark::Bar, day, vec![count]);
    let data = Data::new(Arc::new(spec), table.clone())?;
    if data.is_empty() {
        return Ok(Err("No row of this range became known between A and B.".to_owned()));
    }
    Ok(Ok(Picture::new(data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_parameters_compares_a_week_ago_with_now() {
        let choice = choice_of(|_| None, 20_543);
        assert_eq!(choice.a, KnownChoice::Exactly(Known::At(20_536 * DAY_MICROS)));
        assert_eq!((choice.b, choice.problem), (KnownChoice::NOW, None));
        assert_eq!(choice.effective.days(20_543).text(), "from 31 Dec 2025");
    }

    #[test]
    fn what_cannot_be_read_is_named_and_replaced() {
        let choice = choice_of(|name| (name == "a").then(|| "yesterday".to_owned()), 20_543);
        assert!(choice.problem.unwrap().contains("'yesterday'"));
        assert_eq!(choice.a, KnownChoice::Exactly(Known::At(20_536 * DAY_MICROS)));
        assert_eq!(choice_of(|name| (name == "a").then(|| "now".to_owned()), 20_543).a, KnownChoice::NOW);
    }

    #[test]
    fn the_true_total_is_shown_beside_what_is_shown() {
        assert_eq!(shown_note(500, 12_345), "first 500 of 12,345 rows");
        assert_eq!(shown_note(41, 41), "41 rows");
    }
}
