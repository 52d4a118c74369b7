//! Pipeline: what the running pipeline does, as it does it.

use std::sync::Arc;

use leptos::prelude::*;
use model::PipelineSample;

use crate::{
    arrow::Table,
    charts::{Channel, ChartSpec, Data, Mark, ValueFormat},
    components::{
        chart::{ChartView, Picture, SharedCrosshair},
        data_grid::{DataGrid, GridColumn, GridData},
        kpi::{Figure, Kpi},
        tile::TileFrame,
        whole::{Whole, changing},
    },
    format::{
        number,
        style::track_style,
        time::{self, SECOND_MICROS},
    },
    live::Live,
    queries::{
        client::{About, Request},
        pipeline,
    },
    state::tile::use_tile,
};

/// Seconds between two readings of the quarantine.
const QUARANTINE_EVERY_SECS: i64 = 5;

/// A live chart.
struct LiveChart {
    title: &'static str,
    unit: &'static str,
    /// The column of [`pipeline::samples`].
    column: &'static str,
    tile: &'static str,
    chart: &'static str,
    table: &'static str,
    format: ValueFormat,
}

const CHARTS: [LiveChart; 4] = [
    LiveChart {
        title: "Records committed",
        unit: "records/s",
        column: "records_per_second",
        tile: "tile-records",
        chart: "chart-records",
        table: "table-records",
        format: ValueFormat::Whole,
    },
    LiveChart {
        title: "Lag",
        unit: "records",
        column: "lag_records",
        tile: "tile-lag",
        chart: "chart-lag",
        table: "table-lag",
        format: ValueFormat::Whole,
    },
    LiveChart {
        title: "Epoch duration",
        unit: "ms",
        column: "epoch_duration_ms",
        tile: "tile-epoch-duration",
        chart: "chart-epoch-duration",
        table: "table-epoch-duration",
        format: ValueFormat::Fixed(1),
    },
    LiveChart {
        title: "State size",
        unit: "",
        column: "state_bytes",
        tile: "tile-state",
        chart: "chart-state",
        table: "table-state",
        format: ValueFormat::Bytes,
    },
];

/// The page, made anew when the reader wants it written in another way.
#[component]
pub fn Pipeline() -> impl IntoView {
    view! {
        {changing(move || {
            track_style();
            view! { <Dashboard /> }.whole()
        })}
    }
    .whole()
}

#[component]
fn Dashboard() -> impl IntoView {
    let live = expect_context::<Live>();
    SharedCrosshair::provide();
    // System tables are about the process, not about facts: they are read as they are, under no snapshot.
    let ask = |sql: String, tick: i64| Request::new(sql, None, About { tick, ..About::default() });
    let until = Memo::new(move |_| {
        let sampled = live.sample.with(|sample| sample.as_ref().map(|sample| sample.at.micros()));
        sampled.unwrap_or_else(|| live.now.get_untracked())
    });
    let samples = use_tile(
        None,
        move || Some(ask(pipeline::samples(until.get()), until.get())),
        |table, _| samples_picture(table),
    );
    let epoch = Memo::new(move |_| live.head.with(|head| head.as_ref().map_or(0, |head| head.epoch)));
    let epochs = use_tile(
        None,
        move || Some(ask(pipeline::epochs(), epoch.get().cast_signed())),
        |table, _| epochs_picture(table),
    );
    let beat = Memo::new(move |_| until.get() / (QUARANTINE_EVERY_SECS * SECOND_MICROS));
    let quarantine =
        use_tile(None, move || Some(ask(pipeline::quarantine(), beat.get())), |table, _| quarantine_picture(table));

    let sample = Memo::new(move |_| {
        live.sample.get().or_else(|| samples.data.with(|samples| samples.as_ref().map(|samples| samples.last)))
    });
    let figure = move |of: fn(&PipelineSample) -> Figure| {
        Signal::derive(move || sample.with(|sample| sample.as_ref().map_or_else(Figure::none, of)))
    };
    let charts = CHARTS.into_iter().enumerate().map(|(index, chart)| {
        let picture =
            Signal::derive(move || samples.data.with(|samples| samples.as_ref().map(|s| s.pictures[index].clone())));
        view! {
            <TileFrame title=chart.title testid=chart.tile status=samples.status>
                <ChartView testid=chart.chart table_testid=chart.table picture />
            </TileFrame>
        }
        .whole()
    });
    let epochs_grid = epochs.data;
    let quarantine_grid =
        Signal::derive(move || quarantine.data.with(|data| data.as_ref().map(|data| data.grid.clone())));
    let quarantine_note = Signal::derive(move || {
        quarantine.data.with(|data| data.as_ref().map(|data| data.note.clone()).unwrap_or_default())
    });
    view! {
        <dl class="kpi-row">
            <Kpi name="Records committed" unit="records/s" testid="kpi-records" figure=figure(records_figure) />
            <Kpi name="Lag" unit="records" testid="kpi-lag" figure=figure(lag_figure) />
            <Kpi name="Last epoch" unit="ms" testid="kpi-epoch-duration" figure=figure(duration_figure) />
            <Kpi name="State size" testid="kpi-state" figure=figure(state_figure) />
            <Kpi name="Epoch" testid="kpi-epoch" figure=figure(epoch_figure) />
            <Kpi name="Slots" testid="kpi-slots" figure=figure(slots_figure) />
        </dl>
        <div class="tile-grid">{charts.collect_view()}</div>
        <TileFrame title="Recent epochs" testid="tile-epochs" status=epochs.status>
            <DataGrid label=Signal::derive(|| "Table of recent epochs".to_owned()) testid="table-epochs" data=epochs_grid />
        </TileFrame>
        <TileFrame title="Quarantine" testid="tile-quarantine" status=quarantine.status note=quarantine_note>
            <DataGrid label=Signal::derive(|| "Table of quarantined records".to_owned()) testid="table-quarantine" data=quarantine_grid />
        </TileFrame>
    }
    .whole()
}

fn records_figure(sample: &PipelineSample) -> Figure {
    Figure::new(number::fixed_text(sample.records_per_second, 0), "in the last second")
}

fn lag_figure(sample: &PipelineSample) -> Figure {
    Figure::new(number::count_text(sample.lag_records), "acknowledged, not committed yet")
}

fn duration_figure(sample: &PipelineSample) -> Figure {
    Figure::new(number::fixed_text(sample.epoch_duration_ms, 1), "from its close to its commit")
}

fn state_figure(sample: &PipelineSample) -> Figure {
    Figure::new(number::bytes_text(sample.state_bytes as f64), "timelines of all keys")
}

fn epoch_figure(sample: &PipelineSample) -> Figure {
    Figure::new(number::count_text(sample.epoch), format!("at {}", time::moment_seconds_text(sample.at.micros())))
}

fn slots_figure(sample: &PipelineSample) -> Figure {
    Figure::new(number::count_text(sample.slots.into()), "parallel workers")
}

/// What the four charts show, and the last sample.
#[derive(Debug)]
struct Samples {
    pictures: [Arc<Picture>; 4],
    last: PipelineSample,
}

fn samples_picture(table: &Arc<Table>) -> Result<Result<Samples, String>, String> {
    let Some(last) = last_sample(table)? else {
        return Ok(Err("The pipeline has not been running for a second yet; samples appear by themselves.".to_owned()));
    };
    let picture = |chart: &LiveChart| {
        let at = Channel::of("at").written(ValueFormat::Second);
        let value = Channel::of(chart.column).called(chart.title, chart.unit).written(chart.format).from_zero();
        let spec = ChartSpec::new(chart.title, Mark::Line, at, vec![value]);
        Data::new(Arc::new(spec), table.clone()).map(|data| Arc::new(Picture::new(data)))
    };
    let [rate, lag, duration, state] = CHARTS.each_ref().map(picture);
    Ok(Ok(Samples { pictures: [rate?, lag?, duration?, state?], last }))
}

/// The last row of [`pipeline::samples`].
pub(super) fn last_sample(table: &Table) -> Result<Option<PipelineSample>, String> {
    let [at, rate, lag] = table.columns(["at", "records_per_second", "lag_records"])?;
    let [duration, state, epoch, slots] = table.columns(["epoch_duration_ms", "state_bytes", "epoch", "slots"])?;
    let Some(row) = table.rows().checked_sub(1) else { return Ok(None) };
    Ok(at.instant_micros(row).map(|micros| PipelineSample {
        at: model::Instant(micros),
        records_per_second: rate.number(row).unwrap_or(0.0),
        lag_records: lag.count(row).unwrap_or(0),
        epoch_duration_ms: duration.number(row).unwrap_or(0.0),
        state_bytes: state.count(row).unwrap_or(0),
        epoch: epoch.count(row).unwrap_or(0),
        slots: slots.count(row).and_then(|slots| u32::try_from(slots).ok()).unwrap_or(0),
    }))
}

fn epochs_picture(table: &Table) -> Result<Result<GridData, String>, String> {
    let [epoch, known, records] = table.columns(["epoch", "system_time", "records"])?;
    let [rows, duration] = table.columns(["rows", "duration_ms"])?;
    let row = |row: usize| {
        let duration = duration.number(row).map_or_else(|| "–".to_owned(), |ms| number::fixed_text(ms, 1));
        // To the second: an instant to the microsecond is as wide as a phone, and can be had from `system.epochs`.
        let known = known.instant_micros(row).map_or_else(|| "–".to_owned(), time::moment_seconds_text);
        let [epoch, records, rows] = [epoch, records, rows].map(|column| column.display_or_dash(row));
        vec![epoch, records, rows, duration, known]
    };
    let rows: Vec<_> = (0..table.rows()).map(row).collect();
    if rows.is_empty() {
        return Ok(Err("No epoch has been committed yet. The first follows the first records.".to_owned()));
    }
    let columns = vec![
        GridColumn::number("Epoch"),
        GridColumn::number("Records"),
        GridColumn::number("Rows"),
        GridColumn::number("Before commit, ms"),
        GridColumn::number("Known at"),
    ];
    Ok(Ok(GridData::written(columns, rows)))
}

/// What the quarantine tile shows.
struct Quarantine {
    grid: Arc<GridData>,
    note: String,
}

fn quarantine_picture(table: &Table) -> Result<Result<Quarantine, String>, String> {
    let [at, dataset, position, reason, raw, total] =
        table.columns(["at", "dataset", "position", "reason", "raw", "total"])?;
    let row = |row: usize| {
        let at = at.instant_micros(row).map_or_else(|| "–".to_owned(), time::moment_seconds_text);
        let [dataset, reason, position, raw] =
            [dataset, reason, position, raw].map(|column| column.display_or_dash(row));
        vec![dataset, reason, at, position, raw]
    };
    let rows: Vec<Vec<String>> = (0..table.rows()).map(row).collect();
    let Some(in_all) = total.integer(0) else {
        return Ok(Err(
            "Nothing is in quarantine. Records that cannot be accepted are kept here, with the reason.".to_owned()
        ));
    };
    let note = format!("{} of {} records", rows.len(), number::integer_text(in_all));
    let columns = ["Dataset", "Reason", "Received", "Position", "As received"].map(GridColumn::text).to_vec();
    Ok(Ok(Quarantine { grid: Arc::new(GridData::written(columns, rows)), note }))
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Float64Array, Int64Array, TimestampMicrosecondArray};

    use super::*;

    fn samples(seconds: i64) -> Table {
        let ats: Vec<i64> = (0..seconds).map(|second| second * SECOND_MICROS).collect();
        let floats: ArrayRef =
            Arc::new(Float64Array::from((0..seconds).map(|second| second as f64 + 0.5).collect::<Vec<_>>()));
        let wholes: ArrayRef = Arc::new(Int64Array::from((0..seconds).map(|second| second << 20).collect::<Vec<_>>()));
        crate::arrow::tests::table(vec![
            ("at", Arc::new(TimestampMicrosecondArray::from(ats).with_timezone("+00:00"))),
            ("records_per_second", floats.clone()),
            ("lag_records", wholes.clone()),
            ("epoch_duration_ms", floats),
            ("state_bytes", wholes.clone()),
            ("epoch", wholes.clone()),
            ("slots", wholes),
        ])
    }

    #[test]
    fn one_answer_makes_four_charts_and_the_last_sample() {
        let picture = samples_picture(&Arc::new(samples(3))).unwrap().unwrap();
        let last = |chart: usize| picture.pictures[chart].data.value_text(0, 2);
        assert_eq!((last(0), last(3)), ("2".to_owned(), "2.0\u{a0}MiB".to_owned()));
        assert_eq!((picture.last.epoch, picture.last.records_per_second), (2 << 20, 2.5));
    }

    #[test]
    fn no_samples_say_why() {
        assert!(samples_picture(&Arc::new(samples(0))).unwrap().unwrap_err().contains("by themselves"));
    }
}
