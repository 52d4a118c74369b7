//! Scaling: how many slots the pipeline has, changing their number, and what that cost.

mod control;
mod follow;
mod history;
mod progress;
mod words;

use std::sync::Arc;

use leptos::prelude::*;
use model::PipelineSample;

use crate::{
    arrow::Table,
    charts::{Channel, ChartSpec, Data, Mark, Note, ValueFormat},
    components::{
        chart::{ChartView, Picture, SharedCrosshair},
        data_grid::DataGrid,
        kpi::{Figure, Kpi},
        tile::TileFrame,
        whole::{Whole, changing},
    },
    format::{number, style::track_style},
    live::Live,
    queries::{
        client::{About, Request},
        scaling,
    },
    state::tile::use_tile,
};
use control::control;
use follow::Following;
use history::{History, history_picture};
use progress::progress;

/// What is drawn over time, one above the other: title, unit, column of [`scaling::samples`], mark, name for tests.
const CHARTS: [(&str, &str, &str, Mark, &str); 3] = [
    ("Load", "records/s", "records_per_second", Mark::Line, "load"),
    ("Capacity", "slots", "slots", Mark::Area, "capacity"),
    ("Lag", "records", "lag_records", Mark::Line, "lag"),
];

/// The page, made anew when the reader wants it written in another way.
#[component]
pub fn Scaling() -> impl IntoView {
    view! {
        {changing(move || {
            track_style();
            view! { <Page /> }.whole()
        })}
    }
    .whole()
}

#[component]
fn Page() -> impl IntoView {
    let live = expect_context::<Live>();
    SharedCrosshair::provide();
    let following = Following::begin(live);
    // System tables are about the process, not about facts: they are read as they are, under no snapshot.
    let ask = |sql: String, tick: i64| Request::new(sql, None, About { tick, ..About::default() });
    let until = Memo::new(move |_| {
        let sampled = live.sample.with(|sample| sample.as_ref().map(|sample| sample.at.micros()));
        sampled.unwrap_or_else(|| live.now.get_untracked())
    });
    let samples = use_tile(
        None,
        move || Some(ask(scaling::samples(until.get()), until.get())),
        |table, _| samples_picture(table),
    );
    let history = use_tile(
        None,
        move || Some(ask(scaling::rescales(), following.changes.get().cast_signed())),
        |table, _| history_picture(table),
    );
    let notes = Signal::derive(move || {
        history.data.with(|history| history.as_ref().map(|history| Arc::new(history.notes.clone())).unwrap_or_default())
    });
    let grid =
        Signal::derive(move || history.data.with(|history| history.as_ref().map(|history| history.grid.clone())));
    let window = RwSignal::new(None);
    let charts = CHARTS.iter().enumerate().map(move |(index, (title, _, _, _, name))| {
        let picture =
            Signal::derive(move || samples.data.with(|samples| samples.as_ref().map(|s| s.pictures[index].clone())));
        view! {
            <section class="scaling-chart" aria-label=*title>
                <h3>{*title}</h3>
                <ChartView testid=format!("chart-{name}") table_testid=format!("table-{name}") picture window notes />
            </section>
        }
        .whole()
    });
    view! {
        <Figures samples=samples.data history=history.data following />
        <div class="scaling">
            <TileFrame title="Load, capacity and lag" testid="tile-load" status=samples.status note=Signal::derive(|| "Rescales are marked".to_owned())>
                {charts.collect_view()}
            </TileFrame>
            <div class="scaling-side">
                {control(following)}
                {progress(following)}
            </div>
        </div>
        <TileFrame title="Rescales" testid="tile-rescales" status=history.status>
            <DataGrid label=Signal::derive(|| "Table of rescales".to_owned()) testid="table-rescales" data=grid />
        </TileFrame>
    }
    .whole()
}

/// The figures above all.
#[component]
fn Figures(
    samples: RwSignal<Option<Arc<Samples>>>,
    history: RwSignal<Option<Arc<History>>>,
    following: Following,
) -> impl IntoView {
    let live = expect_context::<Live>();
    let sample = Memo::new(move |_| {
        live.sample.get().or_else(|| samples.with(|samples| samples.as_ref().map(|samples| samples.last)))
    });
    let figure = move |of: fn(&PipelineSample) -> Figure| {
        Signal::derive(move || sample.with(|sample| sample.as_ref().map_or_else(Figure::none, of)))
    };
    let slots = Signal::derive(move || {
        following.status.with(|status| match status {
            None => Figure::none(),
            Some(status) if status.slots != status.slots_wanted => {
                Figure::new(number::count_text(status.slots.into()), format!("{} wanted", status.slots_wanted))
            }
            Some(status) => Figure::new(number::count_text(status.slots.into()), words::processors(status)),
        })
    });
    let pause = Signal::derive(move || {
        history.with(|history| {
            let last = history.as_ref().and_then(|history| history.last_pause);
            last.map_or_else(
                || Figure::new("–".to_owned(), "no rescale yet"),
                |(measured, expected)| {
                    let expected = number::duration_text(expected);
                    Figure::new(number::duration_text(measured), format!("expected {expected}"))
                },
            )
        })
    });
    view! {
        <dl class="kpi-row">
            <Kpi name="Slots" testid="kpi-slots" figure=slots />
            <Kpi name="Load" unit="records/s" testid="kpi-load" figure=figure(load_figure) />
            <Kpi name="Lag" unit="records" testid="kpi-lag" figure=figure(lag_figure) />
            <Kpi name="State size" testid="kpi-state" figure=figure(state_figure) />
            <Kpi name="Last pause" testid="kpi-pause" figure=pause />
        </dl>
    }
    .whole()
}

fn load_figure(sample: &PipelineSample) -> Figure {
    Figure::new(number::fixed_text(sample.records_per_second, 0), "committed in the last second")
}

fn lag_figure(sample: &PipelineSample) -> Figure {
    Figure::new(number::count_text(sample.lag_records), "acknowledged, not committed yet")
}

fn state_figure(sample: &PipelineSample) -> Figure {
    Figure::new(number::bytes_text(sample.state_bytes as f64), "stays where it is")
}

/// What the charts show, and the last sample.
#[derive(Debug)]
struct Samples {
    pictures: [Arc<Picture>; 3],
    last: PipelineSample,
}

fn samples_picture(table: &Arc<Table>) -> Result<Result<Samples, String>, String> {
    let Some(last) = super::pipeline::last_sample(table)? else {
        return Ok(Err("The pipeline has not been running for a second yet; samples appear by themselves.".to_owned()));
    };
    let picture = |(title, unit, column, mark, _): &(&str, &str, &str, Mark, &str)| {
        let at = Channel::of("at").written(ValueFormat::Second);
        let value = Channel::of(column).called(title, unit).written(ValueFormat::Whole).from_zero();
        let spec = ChartSpec::new(title, *mark, at, vec![value]);
        Data::new(Arc::new(spec), table.clone()).map(|data| Arc::new(Picture::new(data)))
    };
    let [load, capacity, lag] = CHARTS.each_ref().map(picture);
    Ok(Ok(Samples { pictures: [load?, capacity?, lag?], last }))
}

/// A rescale on the charts.
fn note(at: f64, before: u64, after: u64, reason: &str) -> Note {
    let text = format!("{before} → {after}");
    Note { at, text: if reason.is_empty() { text } else { format!("{text}, {reason}") } }
}
