//! Benchmark index: its level over effective time, as known at any moment, beside what is known now.

use std::sync::Arc;

use leptos::prelude::*;
use model::DatasetSummary;

use crate::{
    arrow::Table,
    charts::{Channel, ChartSpec, Data, Mark, SeriesStyle, ValueFormat},
    components::{
        chart::{ChartView, Picture},
        data_grid::{DataGrid, GridColumn, GridData},
        known_banner::KnownBanner,
        kpi::{Figure, Kpi},
        tile::TileFrame,
        time_plane::{CompareChoice, EffectiveAxis, Gesture, KnownMark, TimePlane},
        whole::{Whole, changing},
    },
    format::{number, time},
    live::Live,
    order,
    queries::{client::About, index},
    root::with_datasets,
    state::{
        address::{Address, Step},
        coordinates::{Compare, Coordinates, Effective, Known, KnownChoice},
        datasets::{DatasetList, is_unsettled},
        tile::{PageRead, Phase, use_tile},
    },
};

/// Decimals of an index level.
const LEVEL_DECIMALS: usize = 2;

/// The page.
#[component]
pub fn BenchmarkIndex() -> impl IntoView {
    with_datasets(|datasets, problem| view! { <Dashboard datasets problem /> }.whole())
}

#[component]
fn Dashboard(datasets: Vec<DatasetSummary>, problem: Option<String>) -> impl IntoView {
    let live = expect_context::<Live>();
    let address = Address::of_page();
    let today = Memo::new(move |_| live.today());
    let read = Memo::new(move |_| Coordinates::read(|name| address.get(name)));
    let effective = Memo::new(move |_| read.get().0.effective);
    let compare = Memo::new(move |_| read.get().0.compare);
    let known_choice = Memo::new(move |_| read.get().0.known);
    let misread = Memo::new(move |_| read.get().1);
    let known = Memo::new(move |_| known_choice.get().at(live.now.get(), live.head_micros()));
    let days = Memo::new(move |_| effective.get().days(today.get()));
    let compared = Memo::new(move |_| compare.get()?.of(days.get(), today.get()));
    let coordinates = move || (known.get(), days.get(), compared.get());
    let page = PageRead::new(live, move || known.get() == Known::Now, coordinates);
    let about = move || About { known: known.get(), compared: compared.get(), ..About::default() };

    let levels = use_tile(
        Some(page),
        move || {
            let (known, days, compared) = coordinates();
            Some(page.request(index::levels(days, known, compared), about()))
        },
        level_picture,
    );
    let members = use_tile(
        Some(page),
        move || Some(page.request(index::constituents(days.get(), known.get()), about())),
        |table, _| constituents_picture(table),
    );
    let hidden = use_tile(
        Some(page),
        move || known.get().instant().map(|micros| page.request(index::hidden(days.get(), micros), about())),
        |table, about| hidden_picture(table, about.known),
    );
    let busy = Signal::derive(move || {
        [levels.status, members.status].iter().any(|status| status.phase.with(|phase| *phase == Phase::Loading))
    });

    let set_effective = Callback::new(move |(effective, gesture): (Effective, Gesture)| {
        address.set(Vec::from(effective.changes()), gesture.step());
    });
    let set_known = Callback::new(move |(known, gesture): (KnownChoice, Gesture)| {
        address.set(vec![("known", known.parameter())], gesture.step());
    });
    let set_compare = Callback::new(move |compare: Option<Compare>| {
        address.set(vec![("vs", compare.map(|compare| compare.parameter().to_owned()))], Step::Push);
    });
    let return_to_now = Callback::new(move |()| set_known.run((KnownChoice::NOW, Gesture::Choice)));

    let list = DatasetList::follow(live, datasets, problem, is_unsettled);
    let first = Memo::new(move |_| {
        let prices = |all: &Vec<DatasetSummary>| all.iter().find(|dataset| dataset.name == "prices")?.known;
        list.all.with(prices).map(|(first, _)| first.micros())
    });
    let facts = Memo::new(move |seen: Option<&Option<(i64, i64)>>| {
        let shown = levels.data.with(|levels| levels.as_ref().map(|levels| levels.seen));
        let both = seen.copied().flatten().into_iter().chain(shown);
        both.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    });
    let picture =
        Signal::derive(move || levels.data.with(|levels| levels.as_ref().map(|levels| levels.picture.clone())));
    let grid = Signal::derive(move || members.data.get().map(|members| members.grid.clone()));
    let compared_note = Signal::derive(move || {
        let earlier = levels.data.with(|levels| levels.as_ref().and_then(|levels| levels.earlier.clone()));
        earlier.map(|earlier| format!("compared with {earlier}, dashed")).unwrap_or_default()
    });
    let day_note = Signal::derive(move || {
        members
            .data
            .with(|members| members.as_ref().map(|members| format!("effective {}", members.day)))
            .unwrap_or_default()
    });
    let hidden_sentences = Signal::derive(move || {
        let known = known.get();
        hidden.data.with(|hidden| {
            let hidden = hidden.as_ref().filter(|hidden| hidden.known == known);
            hidden.map(|hidden| hidden_sentence(hidden)).unwrap_or_default()
        })
    });
    let figure = move |of: fn(&LevelPicture) -> Figure| {
        Signal::derive(move || {
            levels.data.with(|levels| levels.as_ref().map_or_else(Figure::none, |levels| of(levels)))
        })
    };
    view! {
        {changing(move || misread.get().map(|reason| view! { <p class="notice" role="alert">{reason} ". The usual coordinates are shown instead."</p> }))}
        <TimePlane
            live
            effective=EffectiveAxis { choice: effective, facts: facts.into(), set: set_effective, testid: "effective" }
            marks=vec![KnownMark { name: "Known", sign: "", testid: "known", choice: known_choice, known, set: set_known }]
            known_first=first
            compare=CompareChoice { choice: compare, compared, set: set_compare, testid: "compare" }
            busy
        />
        <KnownBanner known hidden=hidden_sentences return_to_now />
        <dl class="kpi-row">
            <Kpi name="Level" unit="index points" testid="kpi-level" figure=figure(level_figure) />
            <Kpi name="Change on the day before" unit="index points" testid="kpi-change" figure=figure(change_figure) />
            <Kpi name="Restated since then" unit="index points" testid="kpi-restated" figure=figure(restated_figure) />
        </dl>
        <TileFrame title=format!("{} level", index::INDEX_ID) testid="tile-level" status=levels.status note=compared_note>
            <ChartView testid="chart-level" table_testid="table-level" picture />
        </TileFrame>
        <TileFrame title="Constituents" testid="tile-constituents" status=members.status note=day_note>
            <DataGrid label=Signal::derive(|| "Table of constituents".to_owned()) testid="table-constituents" data=grid />
        </TileFrame>
    }
    .whole()
}

/// What the level tile shows.
struct LevelPicture {
    picture: Arc<Picture>,
    known: Known,
    /// First and last day that are shown.
    seen: (i64, i64),
    /// The last day shown, its level, and the level of the day before it.
    last: Option<(i64, f64, Option<f64>)>,
    /// The level of the last day now, when something else is shown.
    last_now: Option<f64>,
    /// The days of the earlier period that is shown beside.
    earlier: Option<String>,
}

fn level_picture(table: &Arc<Table>, about: &About) -> Result<Result<LevelPicture, String>, String> {
    let name = match about.known {
        Known::Now => "Level",
        Known::At(_) => "As known then",
        Known::First => "As first published",
    };
    let earlier = about.compared.map(|compared| compared.days.text());
    let (mut shown, mut now) = (days_of(table, "shown")?, days_of(table, "now")?);
    let first = shown.first().map(|(day, _)| *day);
    let Some((day, level)) = shown.pop() else {
        let why = match about.known {
            Known::At(_) => "Nothing was known of this range by then. Move known up, or choose an earlier range.",
            _ => "No prices are effective in this range. Choose a longer one.",
        };
        return Ok(Err(why.to_owned()));
    };
    now.retain(|(other, _)| *other == day);
    let style = |value: &str, name: &str, color, dashed| SeriesStyle {
        value: value.to_owned(),
        name: name.to_owned(),
        color,
        dashed,
    };
    let now_style = (about.known != Known::Now).then(|| style("now", "As known now", 2, true));
    let earlier_style = earlier.as_deref().map(|days| style("earlier", days, 3, true));
    let styles = now_style.into_iter().chain(earlier_style).chain([style("shown", name, 1, false)]).collect();
    let level_channel =
        Channel::of("level").called("Level", "index points").written(ValueFormat::Fixed(LEVEL_DECIMALS));
    let spec = ChartSpec {
        by: Some("series".to_owned()),
        styles,
        ..ChartSpec::new(
            &format!("{} level", index::INDEX_ID),
            Mark::Line,
            Channel::of("day").written(ValueFormat::Day),
            vec![level_channel],
        )
    };
    Ok(Ok(LevelPicture {
        picture: Arc::new(Picture::new(Data::new(Arc::new(spec), table.clone())?)),
        known: about.known,
        seen: (time::day_of(first.unwrap_or(day)), time::day_of(day)),
        last: Some((day, level, shown.pop().map(|(_, level)| level))),
        last_now: now.pop().map(|(_, level)| level),
        earlier,
    }))
}

/// Days and levels of a series, in order.
fn days_of(table: &Table, wanted: &str) -> Result<Vec<(i64, f64)>, String> {
    let [series, day, level] = table.columns(["series", "day", "level"])?;
    let rows = (0..table.rows()).filter(|row| series.text(*row) == Some(wanted));
    let days: Vec<(i64, f64)> = rows.filter_map(|row| day.instant_micros(row).zip(level.number(row))).collect();
    let keys: Vec<f64> = days.iter().map(|(day, _)| *day as f64).collect();
    Ok(order::by_number(&keys).into_iter().map(|place| days[place as usize]).collect())
}

fn level_figure(picture: &LevelPicture) -> Figure {
    let Some((day, level, _)) = picture.last else { return Figure::none() };
    let day = time::day_text(time::day_of(day));
    Figure::new(number::fixed_text(level, LEVEL_DECIMALS), format!("effective {day}, known {}", picture.known.text()))
}

fn change_figure(picture: &LevelPicture) -> Figure {
    let Some((_, level, Some(before))) = picture.last else { return Figure::none() };
    difference(level - before, before, "")
}

fn restated_figure(picture: &LevelPicture) -> Figure {
    let Some((_, level, _)) = picture.last else { return Figure::none() };
    match (picture.known, picture.last_now) {
        (Known::Now, _) => {
            Figure::new(number::fixed_text(0.0, LEVEL_DECIMALS), "known now: nothing later to compare with")
        }
        (Known::First, Some(now)) => difference(now - level, level, ", from first published to now"),
        (_, Some(now)) => difference(now - level, level, ", from then to now"),
        (_, None) => Figure::new("–".to_owned(), "this day is no longer priced"),
    }
}

fn difference(change: f64, base: f64, tail: &str) -> Figure {
    let value = number::change_text(change, LEVEL_DECIMALS);
    let (sign, direction) = match value.chars().next() {
        Some('+') => ("▲ ", "up"),
        Some(number::MINUS) => ("▼ ", "down"),
        _ => ("", ""),
    };
    let note = format!("{sign}{} %{tail}", number::change_text(change / base * 100.0, 2));
    Figure { value, note, direction }
}

/// What the constituents tile shows.
struct Constituents {
    day: String,
    grid: Arc<GridData>,
}

fn dash() -> String {
    "–".to_owned()
}

fn constituents_picture(table: &Table) -> Result<Result<Constituents, String>, String> {
    let [day, id, name, sector, weight] = table.columns(["day", "instrument_id", "name", "sector", "weight"])?;
    let [close, part, price_known, share_known] =
        table.columns(["close", "contribution", "price_known", "share_known"])?;
    let fixed = |value: Option<f64>, decimals| value.map_or_else(dash, |value| number::fixed_text(value, decimals));
    let row = |row: usize| {
        let known = price_known.instant_micros(row).max(share_known.instant_micros(row));
        vec![
            id.display_or_dash(row),
            name.display_or_dash(row),
            sector.display_or_dash(row),
            fixed(weight.number(row).map(|weight| weight * 100.0), 4),
            close.display_or_dash(row),
            fixed(part.number(row), 4),
            known.map_or_else(dash, time::moment_seconds_text),
        ]
    };
    let rows: Vec<Vec<String>> = (0..table.rows()).map(row).collect();
    let effective = day.instant_micros(0);
    let Some(effective) = effective else {
        return Ok(Err("The index had no priced constituents at the end of this range.".to_owned()));
    };
    let columns = vec![
        GridColumn::text("Instrument"),
        GridColumn::text("Name"),
        GridColumn::text("Sector"),
        GridColumn::number("Weight when set, %"),
        GridColumn::number("Close"),
        GridColumn::number("Contribution, index points"),
        GridColumn::number("Known since"),
    ];
    Ok(Ok(Constituents {
        day: time::day_text(time::day_of(effective)),
        grid: Arc::new(GridData::written(columns, rows)),
    }))
}

/// What a known time hides.
#[derive(Debug)]
struct Hidden {
    known: Known,
    corrections: u64,
    later_days: u64,
}

fn hidden_picture(table: &Table, known: Known) -> Result<Result<Hidden, String>, String> {
    let [corrections, later] = table.columns(["corrections", "later_days"])?;
    let missing = "a count is missing from the answer";
    let (corrections, later_days) = (corrections.count(0).ok_or(missing)?, later.count(0).ok_or(missing)?);
    Ok(Ok(Hidden { known, corrections, later_days }))
}

fn hidden_sentence(hidden: &Hidden) -> String {
    let corrections = match hidden.corrections {
        0 => "No later corrections hidden".to_owned(),
        1 => "1 later correction hidden".to_owned(),
        count => format!("{} later corrections hidden", number::count_text(count)),
    };
    match hidden.later_days {
        0 => format!("{corrections}."),
        count => format!("{corrections}, and {} prices of later days.", number::count_text(count)),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn picture(known: Known, last_now: Option<f64>) -> LevelPicture {
        let days = [20_542, 20_543, 20_543].map(|day| day * time::DAY_MICROS);
        let levels = [Some(1200.0), Some(1206.0), last_now];
        let table = crate::arrow::tests::table(vec![
            ("series", Arc::new(StringArray::from(vec!["shown", "shown", "now"]))),
            ("day", Arc::new(TimestampMicrosecondArray::from(days.to_vec()).with_timezone("+00:00"))),
            ("level", Arc::new(Float64Array::from(levels.to_vec()))),
        ]);
        level_picture(&Arc::new(table), &About { known, ..About::default() }).unwrap().unwrap()
    }

    #[test]
    fn figures_say_the_value_the_change_and_their_coordinates() {
        let picture = picture(Known::At(1_774_980_000_000_000), Some(1203.0));
        assert_eq!(level_figure(&picture).value, "1,206.00");
        assert_eq!(level_figure(&picture).note, "effective 31 Mar 2026, known 31 Mar 2026, 18:00 UTC");
        let change = change_figure(&picture);
        assert_eq!((change.value.as_str(), change.note.as_str(), change.direction), ("+6.00", "▲ +0.50 %", "up"));
        assert_eq!(restated_figure(&picture).value, "−3.00");
    }

    #[test]
    fn known_now_has_nothing_restated_and_a_day_without_price_says_so() {
        assert_eq!(restated_figure(&picture(Known::Now, None)).value, "0.00");
        assert_eq!(restated_figure(&picture(Known::At(0), None)).value, "–");
    }

    #[test]
    fn what_is_hidden_is_counted_in_words() {
        let sentence =
            |corrections, later_days| hidden_sentence(&Hidden { known: Known::Now, corrections, later_days });
        assert_eq!(sentence(2_314, 0), "2,314 later corrections hidden.");
        assert_eq!(sentence(1, 30), "1 later correction hidden, and 30 prices of later days.");
        assert_eq!(sentence(0, 0), "No later corrections hidden.");
    }
}
