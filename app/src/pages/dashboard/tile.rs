//! One tile: what it asks at the page's coordinates and its own window, and how its answer is shown.

use std::{sync::Arc, time::Duration};

use leptos::{html, prelude::*};

use super::{
    Context,
    level::{go, path_of, way_back},
    pictures::{TilePicture, picture_of},
    times::difference_text,
};
use crate::{
    arrow::Table,
    browser,
    charts::Mark,
    components::{
        chart::{ChartView, Pick, Picture, Window},
        data_grid::DataGrid,
        spark::spark,
        tile::TileFrame,
        whole::{Whole, WholeView, changing},
    },
    dashboards::{
        Filter, Filters, OnBrush, OnPick, PictureDefinition, TileDefinition, question, titled, titled_picture,
        values_for,
    },
    format::time,
    pages::{compared::comparing, filters::show_only},
    queries::client::Request,
    state::{
        address::Step,
        coordinates::{Effective, Known},
        mode::PageMode,
        tile::{Phase, Tile, TileStatus, use_tile},
    },
};

/// What a tile shows.
type Shown = Signal<Option<Arc<TilePicture>>>;

/// What a part of a tile is called.
pub(super) type Name = Box<dyn FnMut() -> String + Send>;

/// A window that stood still for so long is asked for; until then the rows that are there are drawn in it.
const SETTLED_AFTER: Duration = Duration::from_millis(120);
/// Of a shorter stretch of time the days alone say too little.
const SHORT_MICROS: i64 = time::DAY_MICROS;

/// A tile from its definition: what it shows on the level that was drilled down to.
pub(super) fn tile(definition: Arc<TileDefinition>, context: Context) -> WholeView {
    let section = NodeRef::<html::Div>::new();
    let class = format!("dashboard-tile {}", definition.size_class());
    // Of its own: the page says for itself that it shows old knowledge.
    let past = move || {
        let own = context.times.known() != context.of_page.known() && context.times.known() != Known::Now;
        own.then_some("true")
    };
    if let PictureDefinition::Markdown { .. } = definition.picture {
        return words(&definition, class, context);
    }
    if definition.levels.is_empty() {
        let content = on_level(definition, Filters::default(), context, section);
        return view! { <div class=class data-past=past node_ref=section>{content}</div> }.whole();
    }
    let path = {
        let definition = definition.clone();
        Memo::new(move |_| path_of(&definition, context))
    };
    // What had the focus goes with the level that is left.
    Effect::new(move |before: Option<()>| {
        path.track();
        if let Some(section) = section.get_untracked().filter(|_| before.is_some()) {
            // Fails for what cannot have the focus only.
            let _ = section.focus();
        }
    });
    let content = move || {
        let path = path.get();
        on_level(Arc::new(definition.at_level(path.0.len())), path, context, section)
    };
    view! {
        <div class=class data-past=past node_ref=section tabindex="-1">
            {changing(content)}
        </div>
    }
    .whole()
}

/// A tile that is made of words asks nothing.
fn words(definition: &TileDefinition, class: String, context: Context) -> WholeView {
    let html = context.html.with_value(|html| html.get(&definition.id).cloned()).unwrap_or_default();
    let (title, testid) = (title_of(definition, context), format!("tile-{}", definition.id));
    let heading = format!("{testid}-title");
    let labelled_by = heading.clone();
    view! {
        <div class=class>
            <section class="tile words" data-testid=testid data-state="ready" aria-labelledby=labelled_by>
                <header class="tile-header">
                    <h2 id=heading>{title}</h2>
                </header>
                <div class="tile-body">
                    <div class="prose" inner_html=html></div>
                </div>
            </section>
        </div>
    }
    .whole()
}

fn on_level(
    definition: Arc<TileDefinition>,
    path: Filters,
    context: Context,
    section: NodeRef<html::Div>,
) -> WholeView {
    let window = RwSignal::new(None::<(f64, f64)>);
    let asked = settled(window);
    let read = {
        let (definition, made, path) = (definition.clone(), definition.clone(), path.clone());
        let asks = definition.problem.is_none();
        use_tile(
            Some(context.page),
            move || request(&definition, context, &path, asked.get(), false).filter(|_| asks),
            move |table, _| match table.rows() {
                // No other range would help.
                0 if !made.reads_range() => Ok(Err("There is nothing to show yet.".to_owned())),
                _ => context.values.with_untracked(|values| picture_of(&titled_picture(&made.picture, values), table)),
            },
        )
    };
    // What has no value for one of its variables cannot be asked.
    let sql = definition.sql.clone();
    let waits = Memo::new(move |_| context.values.with(|values| values_for(&sql, values).err()));
    Effect::new(move |_| {
        if let Some(why) = waits.get().filter(|why| !why.is_empty()) {
            read.data.set(None);
            read.status.phase.set(Phase::Empty(why));
        }
    });
    if let Some(problem) = &definition.problem {
        read.status.phase.set(Phase::Error(problem.clone()));
    }
    // Another range of the page is another picture, in which an old window has no place.
    Effect::new(move |before: Option<(i64, i64)>| {
        let range = context.times.moment.get().range;
        if before.is_some_and(|before| before != range) {
            window.set(None);
        }
        range
    });
    count_as_busy(context, read);
    let earlier = earlier_of(&definition, &path, context, asked);
    let (picture, answered) = picture_beside(&definition, read, earlier);
    let title = title_of(&definition, context);
    let way = compared_way(&definition.picture);
    let note = Signal::derive(move || note(context, asked.get(), read.status, earlier, way));
    let way_back = way_back(&definition, title, context, &path);
    let testid = format!("tile-{}", definition.id);
    view! {
        <TileFrame title testid status=read.status note shown=answered elsewhere=versions_address(context)>
            {tools(&definition, title, context, section)}
            {way_back}
            {repair_link(&definition, context)}
            {picture_view(&definition, title, context, picture, window)}
        </TileFrame>
    }
    .whole()
}

/// Its title, with what was chosen for the variables that it names.
fn title_of(definition: &TileDefinition, context: Context) -> Signal<String> {
    let title = definition.title.clone();
    match title.contains('$') {
        true => Signal::derive(move || context.values.with(|values| titled(&title, values))),
        false => Signal::stored(title),
    }
}

/// A name that has the title of a tile in it. Of one type, so that it is compiled once.
pub(super) fn named(title: Signal<String>, before: &'static str, after: &'static str) -> Name {
    Box::new(move || title.with(|title| format!("{before}{title}{after}")))
}

/// Where a question that cannot be asked any more can be mended.
fn repair_link(definition: &TileDefinition, context: Context) -> Option<WholeView> {
    definition.problem.as_ref()?;
    let href = format!("/dashboards/{}/edit?tile={}", context.name.get_value(), definition.id);
    let link = move || {
        let edits = context.mode.get() == PageMode::Usual;
        edits.then(|| view! { <p><a href=href.clone()>"Repair it in the editor"</a></p> }.whole())
    };
    Some(changing(link).whole())
}

/// Where earlier versions of what asks are, for a question that cannot be answered any more.
fn versions_address(context: Context) -> (String, &'static str) {
    (format!("/dashboards/{}/versions", context.name.get_value()), "Versions of this dashboard")
}

/// What can be done with the tile itself.
fn tools(
    definition: &TileDefinition,
    title: Signal<String>,
    context: Context,
    section: NodeRef<html::Div>,
) -> WholeView {
    let enlarge = move |_| {
        if browser::is_full_screen() {
            browser::set_full_screen(false);
        } else if let Some(section) = section.get_untracked() {
            // Refused where nobody asked for it by hand; then the tile stays as it is.
            let _ = section.request_fullscreen();
        }
    };
    let id = definition.id.clone();
    let (times_label, enlarge_label) = (named(title, "Times of ", ""), named(title, "Show ", " on the full screen"));
    let times_testid = format!("times-{id}");
    view! {
        <div class="tile-tools">
            {picture_link(definition, title, context)}
            <button
                type="button"
                title="Times"
                aria-label=times_label
                aria-haspopup="dialog"
                data-testid=times_testid
                on:click=move |_| context.choosing.set(Some(id.clone()))
            >
                <span class="plane-sign" aria-hidden="true">"◫"</span>
            </button>
            <button type="button" class="tile-enlarge" title="Full screen" aria-label=enlarge_label on:click=enlarge>
                "⤢"
            </button>
        </div>
    }
    .whole()
}

/// The tile as a picture that the server makes, at the coordinates and of the snapshot of the page.
fn picture_link(definition: &TileDefinition, title: Signal<String>, context: Context) -> Option<WholeView> {
    if !matches!(definition.picture, PictureDefinition::Chart(_) | PictureDefinition::Kpi { .. }) {
        return None;
    }
    let label = named(title, "Picture of ", "");
    let id = definition.id.clone();
    let href = move || {
        let query = context.address.query();
        let joint = if query.is_empty() { "?" } else { "&" };
        let snapshot = context.page.snapshot().map(|token| format!("{joint}snapshot={token}")).unwrap_or_default();
        format!("/api/v1/dashboards/{}/tiles/{id}.svg{query}{snapshot}", context.name.get_value())
    };
    Some(
        view! {
            <a class="tile-tool" href=href title="Picture" aria-label=label target="_blank" rel="external">
                "▧"
            </a>
        }
        .whole(),
    )
}

/// How a picture shows the period that it is compared with, as it follows the days of that; `None` for tables and words.
fn compared_way(picture: &PictureDefinition) -> Option<&'static str> {
    match picture {
        PictureDefinition::Chart(chart) if chart.mark == Mark::Bar => Some(", outlined"),
        PictureDefinition::Chart(_) => Some(", dashed"),
        PictureDefinition::Kpi { .. } => Some(""),
        _ => None,
    }
}

/// What stands beside the title: the tile's own coordinates, its window, what does not narrow it down although it does the page,
/// and what it is compared with.
fn note(
    context: Context,
    window: Window,
    status: TileStatus,
    earlier: Option<Tile<Arc<Table>>>,
    way: Option<&str>,
) -> String {
    let (own, page) = (context.times.chosen.get(), context.of_page.chosen.get());
    let own = difference_text(own, page, context.times.known(), context.today.get());
    let compared = context.times.moment.get().compared.zip(way).map(|(compared, way)| {
        let days = compared.days.text();
        match earlier.map(|earlier| earlier.status.phase.get()) {
            None => "not compared".to_owned(),
            Some(Phase::Error(_)) => "the earlier period could not be read".to_owned(),
            Some(Phase::Empty(_)) => ["nothing to compare in ", &days].concat(),
            Some(Phase::Loading | Phase::Ready) => ["compared with ", &days, way].concat(),
        }
    });
    let mut unfiltered = status.unfiltered.get();
    if !unfiltered.is_empty() {
        unfiltered.insert_str(0, "not narrowed by ");
    }
    let parts = [own, own_window(window), unfiltered, compared.unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// Reads the earlier period that the tile is compared with, while it is; `None` where it cannot be.
fn earlier_of(
    definition: &Arc<TileDefinition>,
    path: &Filters,
    context: Context,
    window: RwSignal<Window>,
) -> Option<Tile<Arc<Table>>> {
    if !definition.compares() {
        return None;
    }
    let (definition, path) = (definition.clone(), path.clone());
    Some(use_tile(
        Some(context.page),
        move || {
            let compared = context.times.moment.get().compared;
            compared.and_then(|_| request(&definition, context, &path, window.get(), true))
        },
        |table, _| Ok(if table.rows() == 0 { Err("No row held then.".to_owned()) } else { Ok(table.clone()) }),
    ))
}

/// The picture, beside that of the earlier period: both read under one snapshot, at the same coordinates. And what it answers.
fn picture_beside(
    definition: &Arc<TileDefinition>,
    read: Tile<TilePicture>,
    earlier: Option<Tile<Arc<Table>>>,
) -> (Shown, Signal<Option<Request>>) {
    let Some(earlier) = earlier else { return (read.data.into(), read.status.answered.into()) };
    let definition = definition.clone();
    let beside = Memo::new_with_compare(
        move |last: Option<&Option<Beside>>| {
            let (now, asked) = (read.data.get()?, read.status.answered.get()?);
            let (before, before_asked) = (earlier.data.get(), earlier.status.answered.get());
            let Some(compared) = asked.about.compared else { return Some(Beside { asked, picture: now }) };
            let picture = match (before, before_asked) {
                (Some(before), Some(of)) if of.goes_with(&asked) => {
                    now.beside(&definition.picture, &before, compared).map_or(now, Arc::new)
                }
                (None, Some(of)) if of.goes_with(&asked) => now,
                _ if earlier.status.phase.with(|phase| matches!(phase, Phase::Error(_))) => now,
                // A newer commit of the same: what is there stays until both have been read under it.
                _ => match last.and_then(Option::as_ref).filter(|last| last.asked.asks_the_same(&asked)) {
                    Some(last) => return Some(last.clone()),
                    None => now,
                },
            };
            Some(Beside { asked, picture })
        },
        |before, after| match (before.and_then(Option::as_ref), after.and_then(Option::as_ref)) {
            (Some(before), Some(after)) => before.asked != after.asked || !Arc::ptr_eq(&before.picture, &after.picture),
            (before, after) => before.is_some() || after.is_some(),
        },
    );
    let picture = Signal::derive(move || beside.get().map(|beside| beside.picture));
    // What is empty answers too.
    let asked = move || beside.get().map(|beside| beside.asked).or_else(|| read.status.answered.get());
    (picture, Signal::derive(asked))
}

/// A picture with what it is compared with, and what it answers.
#[derive(Clone)]
struct Beside {
    asked: Request,
    picture: Arc<TilePicture>,
}

/// What the tile asks for, or asks of the earlier period that it is compared with; `None` while one of its variables has no
/// value. Tracked.
fn request(
    definition: &TileDefinition,
    context: Context,
    path: &Filters,
    window: Window,
    earlier: bool,
) -> Option<Request> {
    let moment = context.times.moment.get();
    let (mut from, mut to) = moment.range;
    if let Some((first, last)) = window.filter(|_| zooms(definition)) {
        // A little beyond both edges, so that lines leave the frame where they should.
        let beyond = ((last - first) * 0.02) as i64;
        (from, to) = ((first as i64 - beyond).max(from), (last as i64 + beyond).min(to));
    }
    let filters = context.filters.get().0.into_iter().chain(path.0.clone()).collect();
    let mut asked = question(&definition.sql, moment, (from, to), earlier, filters);
    asked.parameters.extend(context.values.with(|values| values_for(&definition.sql, values)).ok()?);
    asked.parameters.extend(definition.bound_parameters());
    Some(Request { reduce: definition.reductions(), snapshot: context.page.snapshot(), ..asked })
}

/// Whether a window of the picture is a range of effective time that can be asked for.
fn zooms(definition: &TileDefinition) -> bool {
    let PictureDefinition::Chart(chart) = &definition.picture else { return false };
    matches!(chart.mark, Mark::Line | Mark::Area)
}

/// The window once it stands still.
fn settled(window: RwSignal<Window>) -> RwSignal<Window> {
    let asked = RwSignal::new(None);
    let moves = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let now = window.get();
        moves.update_value(|moves| *moves += 1);
        let this = moves.get_value();
        let ask = move || {
            if moves.try_get_value() == Some(this) && asked.try_get_untracked() != Some(now) {
                asked.try_set(now);
            }
        };
        set_timeout(ask, SETTLED_AFTER);
    });
    asked
}

fn own_window(window: Window) -> String {
    let text = |(from, to): (f64, f64)| {
        let (from, to) = (from as i64, to as i64);
        let stretch = || match to - from < SHORT_MICROS {
            true => format!("{} – {}", time::moment_seconds_text(from), time::moment_seconds_text(to)),
            false => time::day_range_text(time::day_of(from), time::day_of(to)),
        };
        // What is no time is a plain stretch of numbers, which the axis shows.
        (from.abs() > 1_000_000_000_000).then(|| format!("↔ {}", stretch()))
    };
    window.and_then(text).unwrap_or_default()
}

fn count_as_busy(context: Context, read: Tile<TilePicture>) {
    let counted = StoredValue::new(false);
    let count = move |busy: bool| {
        if counted.try_get_value() == Some(!busy) {
            counted.try_set_value(busy);
            context.busy.try_update(|count| *count = if busy { *count + 1 } else { count.saturating_sub(1) });
        }
    };
    Effect::new(move |_| count(read.status.phase.with(|phase| *phase == Phase::Loading)));
    on_cleanup(move || count(false));
}

fn picture_view(
    definition: &Arc<TileDefinition>,
    title: Signal<String>,
    context: Context,
    shown: Shown,
    window: RwSignal<Window>,
) -> WholeView {
    let (chart_id, table_id) = (format!("chart-{}", definition.id), format!("table-{}", definition.id));
    match &definition.picture {
        PictureDefinition::Chart(chart) => {
            let picture = Signal::derive(move || match shown.get().as_deref() {
                Some(TilePicture::Chart(picture)) => Some(picture.clone()),
                _ => None,
            });
            let brush = brush_of(definition, context, picture);
            let compares = chart.mark == Mark::Plane && definition.on_pick.is_none();
            let compared = compares.then(|| comparing(chart, picture, &definition.id));
            let (compare, marked, compared) = match compared {
                Some((compare, marked, compared)) => (Some(compare), marked, Some(compared)),
                None => (None, RwSignal::new(Vec::new()), None),
            };
            let definition = definition.clone();
            let pick = definition.on_pick.clone().map(|_| {
                Callback::new(move |pick: Pick| {
                    if let Some(picture) = picture.get_untracked()
                        && picture.data.table.others(pick.row).is_none()
                    {
                        context.act(&definition, |column| {
                            picture.data.table.column(column).ok().and_then(|cells| cells.plain_text(pick.row))
                        });
                    }
                })
            });
            let (notes, pick) = (context.notes, pick.or(compare));
            view! {
                <ChartView testid=chart_id table_testid=table_id picture window pick brush notes marked />
                {compared}
            }
            .whole()
        }
        PictureDefinition::Grid { .. } | PictureDefinition::Pivot { .. } => {
            let data = Signal::derive(move || match shown.get().as_deref() {
                Some(TilePicture::Grid(data)) => Some(data.clone()),
                _ => None,
            });
            let definition = definition.clone();
            let pick = definition.on_pick.clone().map(|_| {
                Callback::new(move |row: usize| {
                    let table = data.get_untracked().and_then(|data| data.answer());
                    if let Some(table) = table {
                        context.act(&definition, |column| {
                            table.column(column).ok().and_then(|cells| cells.plain_text(row))
                        });
                    }
                })
            });
            view! { <DataGrid label=title testid=table_id data pick /> }.whole()
        }
        PictureDefinition::Kpi { value, .. } => kpi_view(shown, value.unit.clone(), &definition.id),
        // Shown without asking.
        PictureDefinition::Markdown { .. } => ().whole(),
    }
}

/// A figure, and the line of all before it.
pub(in crate::pages) fn kpi_view(shown: Shown, unit: String, id: &str) -> WholeView {
    let figure = Memo::new(move |_| match shown.get().as_deref() {
        Some(TilePicture::Kpi(figure, _)) => figure.clone(),
        _ => crate::components::kpi::Figure::none(),
    });
    let line = move || match shown.get().as_deref() {
        Some(TilePicture::Kpi(_, data)) => spark(data),
        _ => None,
    };
    let testid = format!("kpi-{id}");
    let unit = (!unit.is_empty()).then(|| view! { <span class="kpi-unit">" " {unit}</span> });
    view! {
        <div class="kpi-tile">
            <p class="kpi-value" data-testid=testid data-direction=move || figure.get().direction>
                {changing(move || figure.get().value)}
                {unit}
            </p>
            <p class="kpi-note">{changing(move || figure.get().note)}</p>
            {line}
        </div>
    }
    .whole()
}

/// What a marked stretch does, where it does not zoom.
fn brush_of(
    definition: &TileDefinition,
    context: Context,
    picture: Signal<Option<Arc<Picture>>>,
) -> Option<Callback<(f64, f64)>> {
    let marked = definition.on_brush.clone()?;
    Some(Callback::new(move |(from, to): (f64, f64)| {
        let of_time = picture.with_untracked(|picture| picture.as_ref().is_some_and(|it| it.data.x_is_time()));
        match &marked {
            OnBrush::Effective if of_time => {
                let day = |micros: f64| Some(time::day_of(micros as i64));
                let effective = Effective::Between { from: day(from), to: day(to) };
                context.address.set(Vec::from(effective.changes()), Step::Push);
            }
            // No range of time was marked.
            OnBrush::Effective => {}
            OnBrush::Filter { column } => {
                let times = || [from, to].map(|end| time::iso(end as i64));
                let [from, to] = if of_time { times() } else { ends_text(from, to) };
                show_only(context.address, &context.filters.get_untracked().within(column, from, to));
            }
        }
    }))
}

/// Both ends of a stretch, with no more digits than somebody can mark.
fn ends_text(from: f64, to: f64) -> [String; 2] {
    let decimals = (3.0 - (to - from).abs().log10()).ceil().clamp(0.0, 12.0) as usize;
    [from, to].map(|end| format!("{end:.decimals$}"))
}

impl Context {
    /// Does what a choice on a tile is for. `cell` gives the chosen row's value of a column as it is, `None` for null.
    fn act(self, definition: &TileDefinition, cell: impl Fn(&str) -> Option<String>) {
        match &definition.on_pick {
            Some(OnPick::Filter { column }) => {
                let filters = self.filters.get_untracked().toggled(column, cell(column));
                show_only(self.address, &filters);
            }
            Some(OnPick::Drill { column }) => {
                let mut path = untrack(|| path_of(definition, self));
                path.0.push(Filter::one(column, cell(column)));
                go(&definition.id, self, &path);
            }
            Some(OnPick::Versions { dataset, key }) => {
                let key: Vec<Option<String>> = key.iter().map(|column| cell(column)).collect();
                self.versions.open(dataset, &key);
            }
            None => {}
        }
    }
}
