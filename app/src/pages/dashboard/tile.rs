//! One tile: what it asks at the page's coordinates and its own window, and how its answer is shown.

use std::{sync::Arc, time::Duration};

use leptos::{html, prelude::*};

use super::{
    Context,
    pictures::{TilePicture, picture_of},
};
use crate::{
    charts::Mark,
    components::{
        chart::{ChartView, Pick, Window},
        data_grid::DataGrid,
        spark::spark,
        tile::TileFrame,
        whole::{Whole, WholeView, changing},
    },
    dashboards::{OnPick, PictureDefinition, TileDefinition},
    format::time,
    pages::filters::show_only,
    queries::client::{About, Request},
    state::tile::{Phase, Tile, use_tile},
};

/// A window that stood still for so long is asked for; until then the rows that are there are drawn in it.
const SETTLED_AFTER: Duration = Duration::from_millis(120);

/// A tile from its definition.
pub(super) fn tile(definition: Arc<TileDefinition>, context: Context) -> WholeView {
    let window = RwSignal::new(None::<(f64, f64)>);
    let asked = settled(window);
    let read = {
        let (definition, made) = (definition.clone(), definition.clone());
        use_tile(
            Some(context.page),
            move || Some(request(&definition, context, asked.get())),
            move |table, _| picture_of(&made.picture, table),
        )
    };
    // Another range of the page is another picture, in which an old window has no place.
    Effect::new(move |before: Option<(i64, i64)>| {
        let range = context.range.get();
        if before.is_some_and(|before| before != range) {
            window.set(None);
        }
        range
    });
    count_as_busy(context, read);
    let section = NodeRef::<html::Div>::new();
    let enlarge = move |_| {
        if let Some(section) = section.get_untracked() {
            // Refused where nobody asked for it by hand; then the tile stays as it is.
            let _ = section.request_fullscreen();
        }
    };
    let class = format!("dashboard-tile width-{}{}", definition.width, if definition.tall { " tall" } else { "" });
    let testid = format!("tile-{}", definition.id);
    let title = definition.title.clone();
    let note = Signal::derive(move || own_window(asked.get()));
    let enlarge_label = format!("Show {title} on the full screen");
    view! {
        <div class=class node_ref=section>
            <TileFrame title testid status=read.status note>
                <button type="button" class="tile-enlarge" aria-label=enlarge_label on:click=enlarge>
                    "⤢"
                </button>
                {picture_view(&definition, context, read, window)}
            </TileFrame>
        </div>
    }
    .whole()
}

/// What the tile asks for; tracked.
fn request(definition: &TileDefinition, context: Context, window: Window) -> Request {
    let (mut from, mut to) = context.range.get();
    if let Some((first, last)) = window.filter(|_| zooms(definition)) {
        // A little beyond both edges, so that lines leave the frame where they should.
        let beyond = ((last - first) * 0.02) as i64;
        (from, to) = ((first as i64 - beyond).max(from), (last as i64 + beyond).min(to));
    }
    let parameters = [("from", time::iso(from)), ("to", time::iso(to))];
    // A parameter that a statement does not name is refused.
    let named = |(name, _): &(&str, String)| definition.sql.contains(&format!("${name}"));
    let about = About { known: context.known.get(), ..About::default() };
    Request {
        system_time: context.system_time(),
        parameters: parameters.into_iter().filter(named).map(|(name, value)| (name.to_owned(), value)).collect(),
        filters: context.filters.get().0,
        reduce: definition.reductions(),
        ..context.page.request(definition.sql.clone(), about)
    }
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
    let day = |micros: f64| time::day_of(micros as i64);
    let text = |(from, to): (f64, f64)| {
        // What is no time is a plain stretch of numbers, which the axis shows.
        (from.abs() > 1e12).then(|| format!("↔ {}", time::day_range_text(day(from), day(to))))
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
}

fn picture_view(
    definition: &Arc<TileDefinition>,
    context: Context,
    read: Tile<TilePicture>,
    window: RwSignal<Window>,
) -> WholeView {
    let (chart_id, table_id) = (format!("chart-{}", definition.id), format!("table-{}", definition.id));
    match &definition.picture {
        PictureDefinition::Chart(_) => {
            let picture = Signal::derive(move || match read.data.get().as_deref() {
                Some(TilePicture::Chart(picture)) => Some(picture.clone()),
                _ => None,
            });
            let picks = definition.on_pick.is_some();
            let definition = definition.clone();
            let pick = Callback::new(move |pick: Pick| {
                if let Some(picture) = picture.get_untracked()
                    && picture.data.table.others(pick.row).is_none()
                {
                    context.act(&definition, |column| {
                        picture.data.table.column(column).ok().and_then(|cells| cells.plain_text(pick.row))
                    });
                }
            });
            if picks {
                view! { <ChartView testid=chart_id table_testid=table_id picture window pick /> }.whole()
            } else {
                view! { <ChartView testid=chart_id table_testid=table_id picture window /> }.whole()
            }
        }
        PictureDefinition::Grid { .. } | PictureDefinition::Pivot { .. } => {
            let data = Signal::derive(move || match read.data.get().as_deref() {
                Some(TilePicture::Grid(data)) => Some(data.clone()),
                _ => None,
            });
            let label = definition.title.clone();
            let definition = definition.clone();
            let picks = definition.on_pick.is_some();
            let pick = Callback::new(move |row: usize| {
                let table = data.get_untracked().and_then(|data| data.answer());
                if let Some(table) = table {
                    context
                        .act(&definition, |column| table.column(column).ok().and_then(|cells| cells.plain_text(row)));
                }
            });
            let label = Signal::derive(move || label.clone());
            if picks {
                view! { <DataGrid label testid=table_id data pick /> }.whole()
            } else {
                view! { <DataGrid label testid=table_id data /> }.whole()
            }
        }
        PictureDefinition::Kpi { value, .. } => kpi_view(read, value.unit.clone(), &definition.id),
    }
}

fn kpi_view(read: Tile<TilePicture>, unit: String, id: &str) -> WholeView {
    let figure = Memo::new(move |_| match read.data.get().as_deref() {
        Some(TilePicture::Kpi(figure, _)) => figure.clone(),
        _ => crate::components::kpi::Figure::none(),
    });
    let line = move || match read.data.get().as_deref() {
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

impl Context {
    /// Does what a choice on a tile is for. `cell` gives the chosen row's value of a column as it is, `None` for null.
    fn act(self, definition: &TileDefinition, cell: impl Fn(&str) -> Option<String>) {
        match &definition.on_pick {
            Some(OnPick::Filter { column }) => {
                let filters = self.filters.get_untracked().toggled(column, cell(column));
                show_only(self.address, &filters);
            }
            Some(OnPick::Versions { dataset, key }) => {
                let key: Vec<Option<String>> = key.iter().map(|column| cell(column)).collect();
                self.versions.open(dataset, &key);
            }
            None => {}
        }
    }
}
