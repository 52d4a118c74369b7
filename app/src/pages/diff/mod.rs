//! What differs between two coordinates of a dataset, A and B: how much, when B came to know it, what it comes to, and the
//! rows with the value before and after. Works for any dataset, from its definition; all of it stands in the address.

mod pictures;
mod tools;

use std::sync::Arc;

use leptos::prelude::*;
use model::{DatasetDefinition, DatasetSummary};

use crate::{
    arrow::Table,
    components::{
        chart::{ChartView, Pick, Picture},
        data_grid::{DataGrid, GridData},
        tile::TileFrame,
        time_plane::{EffectiveAxis, Gesture, KnownMark, TimePlane},
        whole::{Whole, WholeView, changing},
    },
    dashboards::{Filter, Filters},
    live::Live,
    queries::{
        client::{About, Reduction, Request},
        diff::{Comparison, Extent, addends},
    },
    root::with_datasets,
    state::{
        address::Address,
        coordinates::{Effective, Known, KnownChoice},
        datasets::{DatasetList, is_unsettled},
        diff::{DiffChoice, Kind},
        tile::{PageRead, Tile, use_tile},
    },
};

use super::{
    filters::{FilterRow, show_only},
    versions::{Versions, VersionsDialog},
};

/// A statement, and what the server makes of its rows; `None` where there is nothing to ask.
type Asked = Option<(String, Vec<Reduction>)>;

/// What all parts of the page share.
#[derive(Clone, Copy)]
struct Context {
    page: PageRead,
    address: Address,
    dataset: Memo<Option<DatasetSummary>>,
    a: Memo<Known>,
    b: Memo<Known>,
    extent: Memo<Extent>,
    kind: Memo<Option<Kind>>,
    find: Memo<String>,
    only: Memo<Filters>,
    /// What is added up, one of [`addends`], and the column of the key by which rows are counted.
    value: Memo<Option<String>>,
    by: Memo<String>,
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
pub fn Diff() -> impl IntoView {
    with_datasets(|datasets, problem| view! { <Comparing datasets problem /> }.whole())
}

#[component]
fn Comparing(datasets: Vec<DatasetSummary>, problem: Option<String>) -> impl IntoView {
    let live = expect_context::<Live>();
    let address = Address::of_page();
    let today = Memo::new(move |_| live.today());
    let choice = Memo::new(move |_| DiffChoice::read(|name| address.get(name), today.get()));
    let a_choice = Memo::new(move |_| choice.get().a);
    let b_choice = Memo::new(move |_| choice.get().b);
    let effective = Memo::new(move |_| choice.get().effective);
    let known =
        move |choice: Memo<KnownChoice>| Memo::new(move |_| choice.get().at(live.now.get(), live.head_micros()));
    let (a, b) = (known(a_choice), known(b_choice));
    let extent = Memo::new(move |_| extent_of(&choice.get(), today.get()));
    let list = DatasetList::follow(live, datasets, problem, is_unsettled);
    let dataset = Memo::new(move |_| {
        let named = address.get("dataset");
        list.all.with(|datasets| chosen(datasets, named.as_deref()))
    });
    let kind = Memo::new(move |_| address.get("kind").as_deref().and_then(Kind::parse));
    let find = Memo::new(move |_| address.get("find").unwrap_or_default().trim().to_owned());
    let only = Memo::new(move |_| Filters::parse(address.get("only").as_deref()));
    let named = move |parameter: &'static str, names: fn(&DatasetDefinition) -> Vec<String>| {
        Memo::new(move |_| {
            let names = dataset.with(|dataset| dataset.as_ref().map(|dataset| names(&dataset.definition)))?;
            let wanted = address.get(parameter);
            let known = wanted.filter(|wanted| names.contains(wanted));
            known.or_else(|| names.into_iter().next())
        })
    };
    let value = named("value", addends);
    let by = named("by", |definition| definition.key.clone());
    let by = Memo::new(move |_| by.get().unwrap_or_default());
    let key = move || {
        let name = dataset.with(|dataset| dataset.as_ref().map(|dataset| dataset.name.clone()));
        (a.get(), b.get(), extent.get(), name, find.get(), only.get())
    };
    let follows = move || [a.get(), b.get()].iter().any(|known| *known != Known::First && known.instant().is_none());
    let page = PageRead::new(live, follows, key);
    let context = Context { page, address, dataset, a, b, extent, kind, find, only, value, by };

    let set_effective = Callback::new(move |(effective, gesture): (Effective, Gesture)| {
        let mut changes = Vec::from(effective.changes());
        if !matches!(effective, Effective::On(_)) {
            changes.push(("a-on", None));
        }
        address.set(changes, gesture.step());
    });
    let set_a = Callback::new(move |(known, gesture): (KnownChoice, Gesture)| {
        address.set(vec![("a", Some(DiffChoice::a_parameter(known)))], gesture.step());
    });
    let set_b = Callback::new(move |(known, gesture): (KnownChoice, Gesture)| {
        address.set(vec![("b", known.parameter())], gesture.step());
    });
    let known_first = Memo::new(move |_| dataset.with(|dataset| Some(dataset.as_ref()?.known?.0.micros())));
    let marks = vec![
        KnownMark { name: "Known, A", sign: "A", testid: "known-a", choice: a_choice, known: a, set: set_a },
        KnownMark { name: "Known, B", sign: "B", testid: "known-b", choice: b_choice, known: b, set: set_b },
    ];
    let missing = move || {
        let named = address.get("dataset")?;
        dataset.with(Option::is_none).then(|| format!("There is no dataset '{named}'. Choose one from the list."))
    };
    let misread = move || Some(format!("{}. The usual coordinates are shown instead.", choice.get().problem?));
    let versions = Versions { page, address };
    let is_there = Memo::new(move |_| dataset.with(Option::is_some));
    view! {
        {changing(move || list.problem.get().map(notice))}
        {changing(move || missing().map(notice))}
        {changing(move || misread().map(notice))}
        {tools::bar(context, list, choice)}
        <TimePlane
            live
            effective=EffectiveAxis { choice: effective, facts: Signal::stored(None), set: set_effective, testid: "effective" }
            marks
            known_first
        />
        <FilterRow filters=only address />
        {changing(move || is_there.get().then(|| tiles(context, versions)))}
        <VersionsDialog versions list />
    }
    .whole()
}

fn notice(reason: String) -> WholeView {
    view! { <p class="notice" role="alert">{reason}</p> }.whole()
}

/// One day is read as it begins, at A on a day of its own where there is one; more is compared instant by instant.
fn extent_of(choice: &DiffChoice, today: i64) -> Extent {
    match choice.effective {
        Effective::On(day) => Extent::Days(choice.a_day.unwrap_or(day), day),
        effective => Extent::Range(effective.days(today)),
    }
}

fn tiles(context: Context, versions: Versions) -> WholeView {
    let all = |sql: String| Some((sql, Vec::new()));
    let counts = context.tile(move |comparison, _| all(comparison.counts()), |table, _| pictures::counts(table));
    let rows = context.tile(move |comparison, kind| all(comparison.rows(kind)), pictures::rows);
    let by_day = context.tile(move |comparison, kind| all(comparison.by_day(kind)), |table, _| pictures::by_day(table));
    let by_key = context.tile(
        move |comparison, kind| {
            let by = context.by.get();
            Some((comparison.by_key(&by, kind), vec![pictures::fewer_keys(&by)]))
        },
        |table, _| pictures::by_key(table),
    );
    let note = Signal::derive(move || {
        let total = counts.data.with(|counts| counts.as_ref().map(|counts| counts.of(context.kind.get())));
        let shown = rows.data.with(|rows| rows.as_ref().map(|rows| rows.rows()));
        shown.zip(total).map(|(shown, total)| pictures::shown_note(shown, total)).unwrap_or_default()
    });
    let picks_key = Callback::new(move |pick: Pick| {
        let column = context.by.get_untracked();
        let cell = by_key.data.with_untracked(|picture: &Option<Arc<Picture>>| {
            let table = &picture.as_ref()?.data.table;
            // Several keys as one are none that could be chosen.
            let one = table.others(pick.row).is_none();
            one.then(|| Some(table.column(&column).ok()?.plain_text(pick.row)))?
        });
        if let Some(value) = cell {
            show_only(context.address, &context.only.get_untracked().toggled(&column, value));
        }
    });
    let opens = Callback::new(move |row: usize| {
        let table = rows.data.with_untracked(|rows: &Option<Arc<GridData>>| rows.as_ref()?.answer());
        let (Some(table), Some(dataset)) = (table, context.dataset.get_untracked()) else { return };
        let cell = |name: &String| table.column(name).ok().and_then(|cells| cells.plain_text(row));
        let key: Vec<Option<String>> = dataset.definition.key.iter().map(cell).collect();
        versions.open(&dataset.name, &key);
    });
    let (day_picture, key_picture) = (picture_of(by_day), picture_of(by_key));
    let label = Signal::derive(|| "Rows that differ".to_owned());
    view! {
        {tools::kinds(context, counts)}
        <div class="dashboard">
            <div class="dashboard-tile width-4">
                <TileFrame title="By the day B came to know them" testid="tile-days" status=by_day.status>
                    <ChartView testid="chart-days" table_testid="table-days" picture=day_picture />
                </TileFrame>
            </div>
            <div class="dashboard-tile width-4">
                <TileFrame title="By key" testid="tile-keys" status=by_key.status>
                    {tools::by_choice(context)}
                    <ChartView testid="chart-keys" table_testid="table-keys" picture=key_picture pick=picks_key />
                </TileFrame>
            </div>
            {steps_tile(context)}
        </div>
        <TileFrame title="Rows that differ" testid="tile-changes" status=rows.status note>
            <DataGrid label testid="table-changes" data=Signal::derive(move || rows.data.get()) pick=opens />
        </TileFrame>
    }
    .whole()
}

/// What the differences come to: in rows, or added up of a value that somebody chose.
fn steps_tile(context: Context) -> WholeView {
    let steps = context.tile(
        move |comparison, _| Some((comparison.steps(&context.value.get()?), Vec::new())),
        move |table, _| pictures::steps(table, &context.value.get_untracked().unwrap_or_default()),
    );
    let picture = picture_of(steps);
    view! {
        <div class="dashboard-tile width-4">
            <TileFrame title="What the differences come to" testid="tile-steps" status=steps.status>
                {tools::value_choice(context)}
                <ChartView testid="chart-steps" table_testid="table-steps" picture />
            </TileFrame>
        </div>
    }
    .whole()
}

fn picture_of(tile: Tile<Picture>) -> Signal<Option<Arc<Picture>>> {
    Signal::derive(move || tile.data.get())
}

impl Context {
    /// A tile that asks about the differences.
    fn tile<T: Send + Sync + 'static>(
        self,
        ask: impl Fn(&Comparison<'_>, Option<Kind>) -> Asked + Send + Sync + 'static,
        picture: impl Fn(&Arc<Table>, &DatasetSummary) -> Result<Result<T, String>, String> + Send + Sync + 'static,
    ) -> Tile<T> {
        let find = move |name: &str| self.dataset.get_untracked().filter(|dataset| dataset.name == name);
        use_tile(
            Some(self.page),
            move || self.request(&ask),
            move |table, about| {
                let dataset = find(&about.dataset).ok_or("another dataset was chosen")?;
                picture(table, &dataset)
            },
        )
    }

    /// What a tile asks; tracked. Nothing before the page has a snapshot, whose moment is what *now* means.
    fn request(self, ask: &dyn Fn(&Comparison<'_>, Option<Kind>) -> Asked) -> Option<Request> {
        let now = self.page.moment()?;
        let (a, b, find) = (self.a.get(), self.b.get(), self.find.get());
        self.dataset.with(|dataset| {
            let DatasetSummary { name, definition, .. } = dataset.as_ref()?;
            let comparison =
                Comparison { dataset: name, definition, a, b, now, effective: self.extent.get(), find: &find };
            let about = About { known: b, dataset: name.clone(), ..About::default() };
            let (sql, reduce) = ask(&comparison, self.kind.get())?;
            let (parameters, filters) = (comparison.parameters(), self.filters(definition));
            Some(Request { parameters, filters, reduce, ..self.page.request(sql, about) })
        })
    }

    /// What is chosen of the key; other columns may hold one value at A and another at B.
    fn filters(self, definition: &DatasetDefinition) -> Vec<Filter> {
        self.only.get().0.into_iter().filter(|filter| definition.key.contains(&filter.column)).collect()
    }
}
