//! What is placed where, chart type by chart type: snapshots of marks, and what holds for any data.

use std::{cell::RefCell, convert::Infallible, rc::Rc, sync::Arc};

use arrow_array::{ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray};
use plotters_backend::{BackendColor, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};
use proptest::prelude::*;

use super::*;
use crate::{
    arrow::{Table, tests::table},
    format::time::DAY_MICROS,
};

const DAY: i64 = DAY_MICROS;

fn times(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone("+00:00"))
}

fn numbers(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values))
}

fn words(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn data(spec: ChartSpec, table: Table) -> Data {
    Data::new(Arc::new(spec), Arc::new(table)).unwrap()
}

fn line_spec(mark: Mark) -> ChartSpec {
    ChartSpec::new("Level", mark, Channel::of("t"), vec![Channel::of("v").called("Level", "points")])
}

fn series_over_days(values: &[Option<f64>]) -> Table {
    let days = (0..values.len()).map(|day| Some((20_000 + day as i64) * DAY));
    table(vec![("t", times(days)), ("v", numbers(values.iter().copied()))])
}

/// Layers in a few words, for snapshots: kind, ink, and places rounded to whole pixels.
fn told(scene: &Scene) -> Vec<String> {
    let place = |(x, y): &Place| format!("{},{}", x.round(), y.round());
    let places = |places: &[Place]| places.iter().map(place).collect::<Vec<_>>().join(" ");
    let boxes = |boxes: &[[f64; 4]]| {
        boxes.iter().map(|b| b.map(|side| side.round().to_string()).join(",")).collect::<Vec<_>>().join(" ")
    };
    let layer = |layer: &Layer| match layer {
        Layer::Line { ink, dashed, places: path, breaks, .. } => {
            format!("line {ink:?}{} {} breaks {breaks:?}", if *dashed { " dashed" } else { "" }, places(path))
        }
        Layer::Area { ink, upper, lower, .. } => format!("area {ink:?} {} | {}", places(upper), places(lower)),
        Layer::Boxes { ink, boxes: all, .. } => format!("boxes {ink:?} {}", boxes(all)),
        Layer::Outlines { ink, boxes: all } => format!("outlines {ink:?} {}", boxes(all)),
        Layer::Segments { ink, segments, .. } => {
            let all: Vec<_> = segments.iter().map(|(a, b)| format!("{}>{}", place(a), place(b))).collect();
            format!("segments {ink:?} {}", all.join(" "))
        }
        Layer::Dots { ink, places: dots, .. } => format!("dots {ink:?} {}", places(dots)),
        Layer::Label { ink, text, place: at, .. } => format!("label {ink:?} {text} {}", place(at)),
    };
    scene.layers.iter().map(layer).collect()
}

fn scene(data: &Data) -> Scene {
    Scene::new(data, &View::whole(300.0, 136.0)).unwrap()
}

#[test]
fn a_line_breaks_where_a_value_is_missing_and_a_lone_row_is_a_dot() {
    let values = [Some(0.0), Some(10.0), None, Some(5.0), None, Some(10.0), Some(0.0)];
    let scene = scene(&data(line_spec(Mark::Line), series_over_days(&values)));
    assert_eq!(
        told(&scene),
        ["line Series(1) 26,110 69,10 156,60 243,10 286,110 breaks [2, 3]", "dots Series(1) 156,60 286,110",]
    );
    let labels: Vec<_> = scene.layout.y_ticks.iter().map(|tick| tick.label.as_str()).collect();
    assert_eq!(labels, ["0", "5", "10"]);
}

#[test]
fn an_area_stands_on_zero() {
    let scene = scene(&data(line_spec(Mark::Area), series_over_days(&[Some(5.0), Some(10.0)])));
    assert_eq!(told(&scene)[0], "area Series(1) 26,60 286,10 | 26,110 286,110");
}

#[test]
fn long_rows_become_series_with_their_own_looks() {
    let spec = ChartSpec {
        by: Some("s".into()),
        styles: vec![SeriesStyle { value: "now".into(), name: "As known now".into(), color: 2, dashed: true }],
        ..line_spec(Mark::Line)
    };
    let days = [0, 0, 1, 1].map(|day| Some(day * DAY));
    let rows = table(vec![
        ("s", words(&["then", "now", "then", "now"])),
        ("t", times(days)),
        ("v", numbers([1.0, 2.0, 3.0, 4.0].map(Some))),
    ]);
    let data = data(spec, rows);
    let names: Vec<_> = data.series.iter().map(|series| (series.name.as_str(), series.color, series.dashed)).collect();
    assert_eq!(names, [("As known now", 2, true), ("then", 2, false)]);
    let readout = Index::default().at(&data, &View::whole(300.0, 136.0), &scene(&data).layout, DAY as f64).unwrap();
    assert_eq!(readout.text(), "2 Jan 1970 · As known now 4 · then 3");
}

#[test]
fn bars_of_several_series_stand_beside_each_other_on_zero() {
    let rows = table(vec![
        ("c", words(&["a", "b"])),
        ("u", numbers([Some(10.0), Some(-10.0)])),
        ("w", numbers([Some(5.0), None])),
    ]);
    let spec = ChartSpec::new("Bars", Mark::Bar, Channel::of("c"), vec![Channel::of("u"), Channel::of("w")]);
    let scene = scene(&data(spec, rows));
    assert_eq!(told(&scene), ["boxes Series(1) 72,10,23,50 199,60,23,50", "boxes Series(2) 96,35,23,25"]);
    assert_eq!(scene.target_at((85.0, 30.0)).map(|target| (target.series, target.row)), Some((0, 0)));
    assert!(scene.target_at((85.0, 80.0)).is_none());
}

#[test]
fn stacks_grow_up_and_down_from_zero() {
    let rows = table(vec![
        ("c", words(&["a", "a", "a"])),
        ("s", words(&["x", "y", "z"])),
        ("v", numbers([Some(6.0), Some(4.0), Some(-10.0)])),
    ]);
    let spec = ChartSpec {
        by: Some("s".into()),
        ..ChartSpec::new("Stack", Mark::StackedBar, Channel::of("c"), vec![Channel::of("v")])
    };
    assert_eq!(
        told(&scene(&data(spec, rows))),
        ["boxes Series(1) 136,30,48,30", "boxes Series(2) 136,10,48,20", "boxes Series(3) 136,60,48,50"]
    );
}

#[test]
fn a_histogram_has_no_gaps_between_its_bins() {
    let rows = table(vec![
        ("from", numbers([0.0, 1.0].map(Some))),
        ("to", numbers([1.0, 2.0].map(Some))),
        ("count", numbers([10.0, 5.0].map(Some))),
    ]);
    let spec = ChartSpec::new("Counts", Mark::Histogram, Channel::of("from").until("to"), vec![Channel::of("count")]);
    assert_eq!(told(&scene(&data(spec, rows))), ["boxes Series(1) 26,10,129,100 156,60,129,50"]);
}

#[test]
fn a_waterfall_adds_up_with_signs_on_its_steps() {
    let rows = || table(vec![("c", words(&["late", "corrected"])), ("v", numbers([Some(10.0), Some(-4.0)]))]);
    let spec = ChartSpec::new("Steps", Mark::Waterfall, Channel::of("c"), vec![Channel::of("v")]);
    assert_eq!(
        told(&scene(&data(spec.clone(), rows()))),
        [
            "boxes Up 67,27,48,83",
            "boxes Down 197,27,48,33",
            "segments Axis 115,27>197,27",
            "label Text +10 91,19",
            "label Text −4 221,68",
        ]
    );
    // Totals stand on zero and have no sign.
    let told = told(&scene(&data(ChartSpec { totals: vec!["corrected".into()], ..spec }, rows())));
    assert!(told[0].starts_with("boxes Series(1) 199,"), "{told:?}");
}

/// A chart beside rows that lie ten days before.
fn beside_ten_days_before(spec: ChartSpec, later: Table, earlier: Table) -> Data {
    let later = data(spec, later);
    let earlier = data(later.spec_of_earlier(), earlier);
    later.compared_with(earlier, 10.0 * DAY as f64)
}

#[test]
fn an_earlier_period_is_a_dashed_line_in_the_same_frame() {
    let earlier = table(vec![
        ("t", times([0, 1, 2].map(|day| Some((19_990 + day) * DAY)))),
        ("v", numbers([20.0, 10.0, 20.0].map(Some))),
    ]);
    let later = series_over_days(&[Some(10.0), Some(20.0), Some(10.0)]);
    let data = beside_ten_days_before(line_spec(Mark::Line), later, earlier);
    let scene = scene(&data);
    let told = told(&scene);
    let xs = |line: &str| line.split(' ').filter_map(|place| place.split_once(',')).map(|at| at.0.to_owned()).collect();
    let (before, now): (Vec<String>, Vec<String>) = (xs(&told[0]), xs(&told[1]));
    assert!(told[0].starts_with("line Series(1) dashed"), "{told:?}");
    assert_eq!(before, now, "{told:?}");
    let view = View::whole(240.0, 120.0);
    let end = Index::default().at_end(&data, &view, &scene.layout).unwrap();
    assert_eq!(end.text(), "6 Oct 2024 · 10 · before 20 (26 Sep 2024)");
    assert_eq!(data.earlier_text(0, (20_001 * DAY) as f64).as_deref(), Some("10"));
    assert_eq!(data.earlier_text(0, (20_004 * DAY) as f64).as_deref(), Some("20 (26 Sep 2024)"));
    assert_eq!(data.earlier_text(0, (20_009 * DAY) as f64), None);
    assert!(
        summary(&data, &[]).ends_with("Compared with an earlier period. Level: 20 on 26 Sep 2024."),
        "{}",
        summary(&data, &[])
    );
}

#[test]
fn an_earlier_period_outlines_the_bars_of_the_same_categories() {
    let bars = |names: &[&str], values: &[f64]| {
        table(vec![("t", words(names)), ("v", numbers(values.iter().copied().map(Some)))])
    };
    let (later, earlier) = (bars(&["a", "b"], &[1.0, 2.0]), bars(&["gone", "b", "a"], &[9.0, 2.0, 1.0]));
    let data = beside_ten_days_before(line_spec(Mark::Bar), later, earlier);
    let scene = scene(&data);
    let boxes = |layer: &Layer| match layer {
        Layer::Boxes { boxes, .. } | Layer::Outlines { boxes, .. } => boxes.clone(),
        _ => Vec::new(),
    };
    let (filled, mut outlined) = (boxes(&scene.layers[0]), boxes(&scene.layers[1]));
    outlined.reverse();
    assert!(matches!(scene.layers[1], Layer::Outlines { .. }), "{:?}", told(&scene));
    assert_eq!(filled, outlined);
    let readout = of_target(&data, &View::whole(240.0, 120.0), &scene, 1).unwrap();
    assert_eq!(readout.text(), "b · 2 · before 2");
}

#[test]
fn categories_stand_upright_where_not_all_of_them_have_room_side_by_side() {
    let names = ["Technology", "Industrials", "Health", "Utilities"];
    let rows = table(vec![("t", words(&names)), ("v", numbers([1.0; 4].map(Some)))]);
    let data = data(line_spec(Mark::Bar), rows);
    let at = |width| Layout::new(&data, &View::whole(width, 240.0)).unwrap();
    let labels = |layout: &Layout| layout.x_ticks.iter().map(|tick| tick.label.clone()).collect::<Vec<_>>();
    for (width, upright) in [(200.0, true), (600.0, false)] {
        assert_eq!((labels(&at(width)), at(width).x_upright), (names.map(str::to_owned).to_vec(), upright));
    }
}

#[test]
fn a_candle_that_rose_is_hollow_and_one_that_fell_is_filled() {
    let rows = table(vec![
        ("t", times([0, 1].map(|day| Some(day * DAY)))),
        ("o", numbers([2.0, 8.0].map(Some))),
        ("h", numbers([10.0, 9.0].map(Some))),
        ("l", numbers([0.0, 1.0].map(Some))),
        ("c", numbers([8.0, 2.0].map(Some))),
    ]);
    let channels = ["o", "h", "l", "c"].map(Channel::of).to_vec();
    let data = data(ChartSpec::new("Prices", Mark::Candlestick, Channel::of("t"), channels), rows);
    let scene = scene(&data);
    let told = told(&scene);
    assert!(told[0].starts_with("segments Up") && told[3].starts_with("outlines Up"), "{told:?}");
    assert!(told[4].starts_with("boxes Down"), "{told:?}");
    let readout = of_target(&data, &View::whole(240.0, 120.0), &scene, 0).unwrap();
    assert_eq!(readout.text(), "1 Jan 1970 · open 2 · high 10 · low 0 · close 8");
}

#[test]
fn cells_of_a_heat_map_are_coloured_from_least_to_greatest() {
    let rows = table(vec![("x", words(&["a", "b"])), ("y", words(&["p", "p"])), ("v", numbers([1.0, 9.0].map(Some)))]);
    let spec = ChartSpec {
        color: Some(Channel::of("v")),
        ..ChartSpec::new("Heat", Mark::HeatMap, Channel::of("x"), vec![Channel::of("y")])
    };
    let data = data(spec, rows);
    let scene = scene(&data);
    let told = told(&scene);
    assert!(told[0].starts_with("boxes Heat(0)") && told[1].starts_with("boxes Heat(248)"), "{told:?}");
    assert_eq!(of_target(&data, &View::whole(240.0, 120.0), &scene, 1).unwrap().text(), "b · v 9 · y p");
}

#[test]
fn versions_narrower_than_a_pixel_are_drawn_and_can_be_met() {
    let days = 0..2_000_i64;
    let rows = table(vec![
        ("from", times(days.clone().map(|day| Some(day * DAY)))),
        ("to", times(days.clone().map(|day| Some((day + 1) * DAY)))),
        ("known", times(days.clone().map(|day| Some(day * DAY)))),
        ("until", times(days.clone().map(|_| None))),
        ("v", numbers(days.clone().map(|day| Some(day as f64)))),
    ]);
    let spec = ChartSpec {
        color: Some(Channel::of("v")),
        ..ChartSpec::new(
            "Versions",
            Mark::Plane,
            Channel::of("from").until("to"),
            vec![Channel::of("known").until("until")],
        )
    };
    let scene = scene(&data(spec, rows));
    assert_eq!(scene.targets.len(), 2_000);
    assert!(scene.layers.iter().any(|layer| matches!(layer, Layer::Boxes { boxes, .. } if boxes.len() == 2_000)));
}

#[test]
fn what_is_open_reaches_the_edges_of_the_plane() {
    let rows = table(vec![
        ("vf", times([0, 0].map(|day| Some(day * DAY)))),
        ("vt", times([Some(10 * DAY), None])),
        ("sf", times([0, 5].map(|day| Some(day * DAY)))),
        ("st", times([Some(5 * DAY), None])),
        ("v", words(&["old", "new"])),
    ]);
    let spec = ChartSpec {
        color: Some(Channel::of("v")),
        ..ChartSpec::new("Versions", Mark::Plane, Channel::of("vf").until("vt"), vec![Channel::of("sf").until("st")])
    };
    let scene = scene(&data(spec, rows));
    let told = told(&scene);
    assert!(told[0].starts_with("boxes Past"), "{told:?}");
    let frame = scene.layout.frame;
    let newest = scene.targets[1].area;
    assert!((newest[0] + newest[2] - frame.left - frame.width).abs() < 1e-6, "{newest:?}");
}

#[test]
fn what_cannot_be_drawn_is_said_in_a_sentence() {
    let rows = || table(vec![("t", words(&["a"])), ("v", words(&["b"]))]);
    let refused = |spec: ChartSpec| Data::new(Arc::new(spec), Arc::new(rows())).unwrap_err();
    assert_eq!(refused(line_spec(Mark::Line)), "column 'v' holds no numbers, so it cannot be drawn as a value");
    let other = ChartSpec { x: Channel::of("day"), ..line_spec(Mark::Line) };
    assert_eq!(refused(other), "the answer has no column 'day'");
}

#[test]
fn ten_thousand_series_are_drawn_and_one_more_is_refused_with_advice() {
    let of = |count: usize| {
        let names: Vec<String> = (0..count).map(|index| format!("s{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let rows = table(vec![
            ("s", words(&names)),
            ("t", times((0..count).map(|index| Some(index as i64 * DAY)))),
            ("v", numbers((0..count).map(|index| Some(index as f64)))),
        ]);
        let spec = ChartSpec { by: Some("s".into()), ..line_spec(Mark::Line) };
        Data::new(Arc::new(spec), Arc::new(rows))
    };
    let data = of(10_000).unwrap();
    assert_eq!(data.series[COLORED_SERIES].color, 0);
    assert!(summary(&data, &[]).ends_with("And 9,988 more series."));
    assert!(of(10_001).unwrap_err().contains("show the top ones"));
}

#[test]
fn a_single_point_equal_times_and_odd_values_have_a_sensible_chart() {
    for values in [vec![Some(3.0)], vec![Some(f64::NAN), Some(1.0), Some(f64::INFINITY)], vec![Some(2.0), Some(2.0)]] {
        let scene = scene(&data(line_spec(Mark::Line), series_over_days(&values)));
        assert!(scene.layout.y_ticks.len() >= 2, "{values:?}");
    }
    let same = table(vec![("t", times([Some(DAY); 3])), ("v", numbers([1.0, 2.0, 3.0].map(Some)))]);
    assert!(Scene::new(&data(line_spec(Mark::Line), same), &View::whole(300.0, 136.0)).is_some());
    for values in [vec![], vec![None, None], vec![Some(f64::NAN)]] {
        let data = data(line_spec(Mark::Line), series_over_days(&values));
        assert!(data.is_empty() && Scene::new(&data, &View::whole(300.0, 136.0)).is_none());
        assert_eq!(summary(&data, &[]), "Level in points. Nothing to show.");
    }
}

#[test]
fn the_summary_tells_ends_and_extremes() {
    let data = data(line_spec(Mark::Line), series_over_days(&[Some(1_200.0), Some(1_199.0), Some(1_204.31)]));
    assert_eq!(
        summary(&data, &[]),
        "Level in points. Level: 3 points from 4 Oct 2024 to 6 Oct 2024, last 1,204.31, lowest 1,199, highest 1,204.31."
    );
}

#[test]
fn keys_step_through_every_row_and_the_pointer_finds_the_nearest() {
    let data = data(line_spec(Mark::Line), series_over_days(&[Some(1.0), None, Some(3.0), Some(4.0)]));
    let (index, view) = (Index::default(), View::whole(300.0, 136.0));
    let layout = scene(&data).layout;
    assert_eq!(index.steps(&data).len(), 3);
    let at = |pixel: f64| {
        let x = index.nearest(&data, &view, &layout, pixel).unwrap();
        index.at(&data, &view, &layout, x).unwrap().entries[0].text.clone()
    };
    assert_eq!((at(0.0), at(layout.x_pixel(20_002.1 * DAY as f64)), at(1_000.0)), ("1".into(), "3".into(), "4".into()));
}

fn all_places(scene: &Scene) -> Vec<Place> {
    let corners = |[left, top, width, height]: &[f64; 4]| [(*left, *top), (left + width, top + height)];
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

fn any_mark() -> impl Strategy<Value = Mark> {
    use Mark::{Area, Bar, Histogram, Line, Scatter, StackedArea, StackedBar, Waterfall};
    prop::sample::select(vec![Line, Area, StackedArea, Bar, StackedBar, Histogram, Scatter, Waterfall])
}

fn any_rows() -> impl Strategy<Value = Vec<(Option<i64>, Option<f64>)>> {
    let value = prop_oneof![
        4 => (-1e12_f64..1e12).prop_map(Some),
        1 => prop::sample::select(vec![None, Some(f64::NAN), Some(f64::INFINITY), Some(0.0)]),
    ];
    prop::collection::vec((prop::option::weighted(0.95, 0_i64..4_000_000_000_000_000), value), 0..60)
}

fn any_data() -> impl Strategy<Value = Data> {
    (any_mark(), any_rows(), any::<bool>(), any::<bool>()).prop_map(|(mark, rows, sorted, log)| {
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

proptest! {
    #[test]
    fn no_mark_lies_outside_the_frame(
        data in any_data(),
        width in 60.0_f64..2_000.0,
        height in 60.0_f64..900.0,
        window in prop::option::of((0.0_f64..1.0, 0.01_f64..1.0)),
        hidden in prop::option::of(0_usize..3),
    ) {
        let mut view = View { hidden: hidden.into_iter().collect(), ..View::whole(width, height) };
        if let Some((Scale::Time { from, to }, (start, share))) = Layout::new(&data, &view).map(|layout| layout.x).zip(window) {
            let from = from + (to - from) * start;
            view.x = Some((from, from + (to - from).max(1.0) * share));
        }
        let Some(scene) = Scene::new(&data, &view) else { return Ok(()) };
        let frame = scene.layout.frame;
        for (x, y) in all_places(&scene) {
            prop_assert!((frame.left - 0.01..=frame.left + frame.width + 1.01).contains(&x), "x {x} in {frame:?}");
            prop_assert!((frame.top - 0.01..=frame.top + frame.height + 1.01).contains(&y), "y {y} in {frame:?}");
        }
        prop_assert!(frame.left + frame.width <= width && frame.top + frame.height <= height.max(frame.top + 1.0));
        let rising = |ticks: &[Tick]| ticks.windows(2).all(|pair| pair[0].at < pair[1].at);
        prop_assert!(rising(&scene.layout.x_ticks) && rising(&scene.layout.y_ticks));
    }

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

    #[test]
    fn plotters_draws_what_the_scene_says_and_nothing_outside(data in any_data(), scale in 1.0_f64..3.0) {
        let size = Size { width: 420.0, height: 240.0, scale };
        let Some(scene) = Scene::new(&data, &View::whole(size.width, size.height)) else { return Ok(()) };
        let record = drawn(&scene, size);
        let (right, bottom) = ((size.width * scale).round() as i32 + 1, (size.height * scale).round() as i32 + 1);
        for (x, y) in &record.places {
            prop_assert!((-1..=right).contains(x) && (-1..=bottom).contains(y), "{x},{y} on {right}x{bottom}");
        }
        for tick in &scene.layout.y_ticks {
            prop_assert!(record.texts.contains(&tick.label));
        }
    }
}

/// Remembers every coordinate and text it was asked to draw.
#[derive(Default)]
struct Record {
    places: Vec<(i32, i32)>,
    texts: Vec<String>,
}

struct Recorder(Rc<RefCell<Record>>, (u32, u32));

type Drawn<T> = Result<T, DrawingErrorKind<Infallible>>;

impl Recorder {
    fn note(&self, places: impl IntoIterator<Item = (i32, i32)>) {
        self.0.borrow_mut().places.extend(places);
    }
}

impl DrawingBackend for Recorder {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.1
    }

    fn ensure_prepared(&mut self) -> Drawn<()> {
        Ok(())
    }

    fn present(&mut self) -> Drawn<()> {
        Ok(())
    }

    fn draw_pixel(&mut self, point: (i32, i32), _: BackendColor) -> Drawn<()> {
        self.note([point]);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: (i32, i32), b: (i32, i32), _: &S, _: bool) -> Drawn<()> {
        self.note([a, b]);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = (i32, i32)>>(&mut self, path: I, _: &S) -> Drawn<()> {
        self.note(path);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = (i32, i32)>>(&mut self, path: I, _: &S) -> Drawn<()> {
        self.note(path);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: (i32, i32), _: u32, _: &S, _: bool) -> Drawn<()> {
        self.note([center]);
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, _: &S, pos: (i32, i32)) -> Drawn<()> {
        self.note([pos]);
        self.0.borrow_mut().texts.push(text.to_owned());
        Ok(())
    }
}

fn drawn(scene: &Scene, size: Size) -> Record {
    let record = Rc::new(RefCell::new(Record::default()));
    let device = ((size.width * size.scale).round() as u32, (size.height * size.scale).round() as u32);
    let token = |name: &str| if name == "--font-family" { "Inter".to_owned() } else { format!("#{:06x}", 0x72b2) };
    let palette = Palette::read(token).expect("a whole palette");
    let mut renderer = PlottersRenderer::new(Recorder(record.clone(), device));
    renderer.draw(Some(scene), &palette, size).unwrap();
    record.take()
}
