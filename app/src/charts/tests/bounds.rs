//! What holds for any data: no mark outside the frame, no extreme lost, ticks in rising order.

use proptest::prelude::*;

use super::*;
use crate::charts::marks::cells::KEY_HEIGHT;

fn corners([left, top, width, height]: &[f64; 4]) -> [Place; 2] {
    [(*left, *top), (left + width, top + height)]
}

fn all_places(scene: &Scene) -> Vec<Place> {
    let of = |layer: &Layer| -> Vec<Place> {
        match layer {
            Layer::Line { places, .. } | Layer::Dots { places, .. } => places.clone(),
            Layer::Area { upper, lower, .. } => upper.iter().chain(lower).copied().collect(),
            Layer::Boxes { boxes, .. } | Layer::Outlines { boxes, .. } => boxes.iter().flat_map(corners).collect(),
            Layer::Segments { segments, .. } => segments.iter().flat_map(|(a, b)| [*a, *b]).collect(),
            Layer::Label { place, .. } => vec![*place],
        }
    };
    scene.layers.iter().flat_map(of).collect()
}

/// Where what is drawn can be met. Of dots, which are met from beside them too, the middle.
fn met_places(scene: &Scene, mark: Mark) -> Vec<Place> {
    let middle = |[left, top, width, height]: &[f64; 4]| (left + width / 2.0, top + height / 2.0);
    let areas = scene.targets.iter().map(|target| &target.area);
    if mark == Mark::Scatter { areas.map(middle).collect() } else { areas.flat_map(corners).collect() }
}

fn any_value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        4 => (-1e12_f64..1e12).prop_map(Some),
        1 => prop::sample::select(vec![None, Some(f64::NAN), Some(f64::INFINITY), Some(0.0)]),
    ]
}

fn any_time() -> impl Strategy<Value = Option<i64>> {
    prop::option::weighted(0.95, 0_i64..4_000_000_000_000_000)
}

fn any_series() -> impl Strategy<Value = Data> {
    use Mark::{Area, Bar, Histogram, Line, Scatter, StackedArea, StackedBar, Waterfall};
    let mark = prop::sample::select(vec![Line, Area, StackedArea, Bar, StackedBar, Histogram, Scatter, Waterfall]);
    let rows = prop::collection::vec((any_time(), any_value()), 0..60);
    (mark, rows, any::<bool>(), any::<bool>()).prop_map(|(mark, rows, sorted, log)| {
        let mut rows = rows;
        if sorted {
            rows.sort_by_key(|row| row.0);
        }
        let series: Vec<&str> = (0..rows.len()).map(|row| ["a", "b", "c"][row % 3]).collect();
        let rows = table(vec![
            ("s", words(&series)),
            ("t", times(rows.iter().map(|row| row.0))),
            ("v", numbers(rows.iter().map(|row| row.1))),
        ]);
        let mut spec = ChartSpec { by: Some("s".into()), ..line_spec(mark) };
        if log && matches!(mark, Mark::Line | Mark::Scatter) {
            spec.y[0].scale = ScaleKind::Log;
        }
        data(spec, rows)
    })
}

/// Four prices in no order: highs lie below lows as well.
fn any_candles() -> impl Strategy<Value = Data> {
    let row = (any_time(), prop::array::uniform4(any_value()));
    (prop::collection::vec(row, 0..60), any::<bool>()).prop_map(|(rows, log)| {
        let prices = |of: usize| numbers(rows.iter().map(|row| row.1[of]));
        let days = times(rows.iter().map(|row| row.0));
        let rows = table(vec![("t", days), ("o", prices(0)), ("h", prices(1)), ("l", prices(2)), ("c", prices(3))]);
        let channels = ["o", "h", "l", "c"].map(Channel::of).to_vec();
        let mut spec = ChartSpec::new("Prices", Mark::Candlestick, Channel::of("t"), channels);
        if log {
            spec.y[0].scale = ScaleKind::Log;
        }
        data(spec, rows)
    })
}

/// What an axis of cells is of.
#[derive(Debug, Clone, Copy)]
enum Axis {
    Words,
    Numbers,
    Times,
}

/// Where something begins, if it does, and how far from there it ends: behind, before, or nowhere.
type Stretch = (Option<i64>, Option<i64>);

fn any_stretch() -> impl Strategy<Value = Stretch> {
    (prop::option::weighted(0.9, 0_i64..40_000), prop::option::weighted(0.8, -100_i64..10_000))
}

fn column_of(axis: Axis, values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let word = |value: i64| format!("category {}", value.rem_euclid(7));
    match axis {
        Axis::Words => Arc::new(StringArray::from_iter(values.map(|value| value.map(word)))),
        Axis::Numbers => numbers(values.map(|value| value.map(|value| value as f64 / 2.0))),
        Axis::Times => times(values.map(|value| value.map(|value| value * DAY))),
    }
}

/// The columns with where stretches begin and end.
fn begins_and_ends(axis: Axis, stretches: impl Iterator<Item = Stretch> + Clone) -> [ArrayRef; 2] {
    let ends = stretches.clone().map(|(begin, length)| Some(begin? + length?));
    [column_of(axis, stretches.map(|(begin, _)| begin)), column_of(axis, ends)]
}

fn any_cells() -> impl Strategy<Value = Data> {
    let axis = || prop::sample::select(vec![Axis::Words, Axis::Numbers, Axis::Times]);
    let scale = || prop::sample::select(vec![ScaleKind::Auto, ScaleKind::Category]);
    let looks = || (axis(), scale(), any::<bool>());
    let rows = prop::collection::vec((any_stretch(), any_stretch(), any_value()), 0..60);
    (looks(), looks(), rows).prop_map(|((x, x_scale, x_bins), (y, y_scale, y_bins), rows)| {
        let channel = |column: &str, end: &str, scale: ScaleKind, bins: bool| {
            let channel = Channel { scale, ..Channel::of(column) };
            if bins { channel.until(end) } else { channel }
        };
        let [left, right] = begins_and_ends(x, rows.iter().map(|row| row.0));
        let [low, high] = begins_and_ends(y, rows.iter().map(|row| row.1));
        let values = numbers(rows.iter().map(|row| row.2));
        let rows = table(vec![("left", left), ("right", right), ("low", low), ("high", high), ("v", values)]);
        let (x, y) = (channel("left", "right", x_scale, x_bins), channel("low", "high", y_scale, y_bins));
        data(ChartSpec { color: Some(Channel::of("v")), ..ChartSpec::new("Heat", Mark::HeatMap, x, vec![y]) }, rows)
    })
}

/// Versions with two times, now and then from the year 1 on or up to the year 9999.
fn any_versions() -> impl Strategy<Value = Data> {
    let far: Vec<Stretch> = vec![(Some(-719_162), None), (Some(-719_162), Some(700_000)), (Some(0), Some(2_932_896))];
    let far = prop::option::weighted(0.1, (prop::sample::select(far), any::<bool>()));
    let rows = prop::collection::vec((any_stretch(), any_stretch(), prop::option::of("[a-z]{0,12}")), 0..60);
    (rows, far).prop_map(|(rows, far)| {
        let mut rows = rows;
        if let (Some(row), Some((far, known))) = (rows.first_mut(), far) {
            let stretch = if known { &mut row.1 } else { &mut row.0 };
            *stretch = far;
        }
        let [effective_from, effective_to] = begins_and_ends(Axis::Times, rows.iter().map(|row| row.0));
        let [known_from, known_to] = begins_and_ends(Axis::Times, rows.iter().map(|row| row.1));
        let rows = table(vec![
            ("vf", effective_from),
            ("vt", effective_to),
            ("sf", known_from),
            ("st", known_to),
            ("v", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.2.as_deref())))),
        ]);
        let (x, y) = (Channel::of("vf").until("vt"), Channel::of("sf").until("st"));
        data(ChartSpec { color: Some(Channel::of("v")), ..ChartSpec::new("Versions", Mark::Plane, x, vec![y]) }, rows)
    })
}

pub(super) fn any_data() -> impl Strategy<Value = Data> {
    prop_oneof![3 => any_series(), 1 => any_candles(), 1 => any_cells(), 1 => any_versions()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_mark_lies_outside_the_frame(
        data in any_data(),
        width in 60.0_f64..2_000.0,
        height in 60.0_f64..900.0,
        window in prop::option::of((0.0_f64..1.0, 0.01_f64..1.0)),
        hidden in prop::option::of(0_usize..3),
    ) {
        let mut view = View { hidden: hidden.into_iter().collect(), ..View::whole(width, height) };
        let whole = Layout::new(&data, &view).and_then(|layout| match layout.x {
            Scale::Time { from, to } | Scale::Linear { low: from, high: to } => Some((from, to)),
            Scale::Log { .. } | Scale::Band { .. } => None,
        });
        if let Some(((from, to), (start, share))) = whole.zip(window) {
            let from = from + (to - from) * start;
            view.x = Some((from, from + (to - from).max(1.0) * share));
        }
        let Some(scene) = Scene::new(&data, &view) else { return Ok(()) };
        let (frame, mark) = (scene.layout.frame, data.spec.mark);
        // The key of a heat map stands above the frame, and may be wider.
        let key = if mark == Mark::HeatMap { KEY_HEIGHT } else { 0.0 };
        let of_key = |(x, y): &Place| {
            (frame.top - key..frame.top - 0.01).contains(y) && (0.0..=frame.left + frame.width + 0.01).contains(x)
        };
        let drawn = all_places(&scene).into_iter().filter(|place| !of_key(place));
        for (x, y) in drawn.chain(met_places(&scene, mark)) {
            prop_assert!((frame.left - 0.01..=frame.left + frame.width + 1.01).contains(&x), "x {x} in {frame:?}");
            prop_assert!((frame.top - 0.01..=frame.top + frame.height + 1.01).contains(&y), "y {y} in {frame:?}");
        }
        prop_assert!(frame.left + frame.width <= width && frame.top + frame.height <= height.max(frame.top + 1.0));
        let rising = |ticks: &[Tick]| ticks.windows(2).all(|pair| pair[0].at < pair[1].at);
        prop_assert!(rising(&scene.layout.x_ticks) && rising(&scene.layout.y_ticks));
    }
}

proptest! {
    /// Columns that are series are met in runs, series told apart by a column row by row.
    #[test]
    fn rows_in_runs_are_drawn_as_rows_one_by_one(
        rows in prop::collection::vec((0_i64..3_000, prop::option::weighted(0.9, -10.0_f64..10.0)), 1..600),
        in_order in any::<bool>(),
        window in prop::option::of((0.0_f64..1.0, 0.01_f64..1.0)),
    ) {
        let mut rows = rows;
        if in_order {
            rows.sort_by_key(|row| row.0);
        }
        let odd = |(at, value): &(i64, Option<f64>)| match at % 97 {
            0 => Some(f64::NAN),
            1 => Some(f64::INFINITY),
            _ => *value,
        };
        let columns = || vec![
            ("t", times(rows.iter().map(|row| Some(row.0 * DAY)))),
            ("v", numbers(rows.iter().map(odd))),
            ("s", words(&vec!["v"; rows.len()])),
        ];
        let runs = data(line_spec(Mark::Line), table(columns()));
        let one_by_one = data(ChartSpec { by: Some("s".to_owned()), ..line_spec(Mark::Line) }, table(columns()));
        let seen = |data: &Data| data.series.iter().map(|s| (s.points, s.ends, s.extremes, s.sorted)).collect::<Vec<_>>();
        prop_assert_eq!(seen(&runs), seen(&one_by_one));
        let mut view = View::whole(240.0, 120.0);
        if let Some(((from, to), (start, share))) = runs.x_bounds().zip(window) {
            let from = from + (to - from) * start;
            view.x = Some((from, from + (to - from).max(1.0) * share));
        }
        let told_of = |data: &Data| Scene::new(data, &view).map(|scene| told(&scene));
        prop_assert_eq!(told_of(&runs), told_of(&one_by_one));
    }

    #[test]
    fn no_extreme_is_lost_however_many_rows_share_a_pixel(values in prop::collection::vec(-1e6_f64..1e6, 2..4_000)) {
        let table = series_over_days(&values.iter().copied().map(Some).collect::<Vec<_>>());
        let data = data(line_spec(Mark::Line), table);
        let scene = Scene::new(&data, &View::whole(120.0, 200.0)).unwrap();
        let Layer::Line { places, .. } = &scene.layers[0] else { panic!("no line") };
        let layout = &scene.layout;
        let (top, bottom) = places.iter().fold((f64::MAX, f64::MIN), |(a, b), (_, y)| (a.min(*y), b.max(*y)));
        let low = values.iter().copied().fold(f64::MAX, f64::min);
        let high = values.iter().copied().fold(f64::MIN, f64::max);
        prop_assert!((layout.y_pixel(high) - top).abs() < 1e-6 && (layout.y_pixel(low) - bottom).abs() < 1e-6);
        prop_assert!(places.len() <= 4 * (layout.frame.width as usize + 2), "{} places", places.len());
        // Each pixel column keeps its own extremes, too.
        for column in 0..layout.frame.width as usize {
            // Of a row on the border between two columns rounding decides where it falls.
            let at = |index: usize| {
                let place = layout.x_pixel((20_000 + index as i64) as f64 * DAY as f64) - layout.frame.left;
                place as usize == column && (1e-6..1.0 - 1e-6).contains(&place.fract())
            };
            let own = values.iter().enumerate().filter(|(index, _)| at(*index)).map(|(_, value)| *value);
            let Some(greatest) = own.reduce(f64::max) else { continue };
            let wanted = layout.y_pixel(greatest);
            let here = |x: f64| (x - layout.frame.left) as usize == column;
            let found = places.iter().any(|(x, y)| here(*x) && *y < wanted + 1e-6);
            prop_assert!(found, "column {column} lost {greatest}");
        }
    }
}
