//! Snapshots of lines, areas, dots, bars and candles.

use super::*;

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
fn a_fan_of_revisions_has_a_line_for_each_moment_as_far_as_was_known_then() {
    let days = |days: [i64; 6]| times(days.map(|day| Some((20_000 + day) * DAY)));
    let rows = table(vec![
        ("known", days([1, 3, 3, 5, 5, 5])),
        ("t", days([0, 0, 2, 0, 2, 4])),
        ("v", numbers([0.0, 2.0, 5.0, 4.0, 7.0, 10.0].map(Some))),
    ]);
    let data = data(ChartSpec { by: Some("known".into()), ..line_spec(Mark::Line) }, rows);
    let names: Vec<_> = data.series.iter().map(|series| series.name.as_str()).collect();
    assert_eq!(names, ["5 Oct 2024", "7 Oct 2024", "9 Oct 2024"]);
    assert_eq!(
        told(&scene(&data)),
        [
            "line Series(1) 26,110 breaks []",
            "dots Series(1) 26,110 26,110",
            "line Series(2) 26,90 156,60 breaks []",
            "dots Series(2) 156,60",
            "line Series(3) 26,70 156,40 286,10 breaks []",
            "dots Series(3) 286,10",
        ]
    );
}

#[test]
fn an_area_stands_on_zero_and_breaks_with_its_line() {
    let values = [Some(5.0), Some(10.0), None, Some(2.0), Some(4.0)];
    assert_eq!(
        told(&scene(&data(line_spec(Mark::Area), series_over_days(&values)))),
        [
            "area Series(1) 26,60 91,10 | 26,110 91,110",
            "area Series(1) 221,90 286,70 | 221,110 286,110",
            "line Series(1) 26,60 91,10 221,90 286,70 breaks [2]",
            "dots Series(1) 286,70",
        ]
    );
}

#[test]
fn areas_lie_on_each_other_and_have_no_height_where_a_value_is_missing() {
    let rows = table(vec![
        ("s", words(&["x", "x", "x", "y", "y"])),
        ("t", times([0, 1, 2, 0, 2].map(|day| Some((20_000 + day) * DAY)))),
        ("v", numbers([2.0, 4.0, 3.0, 4.0, 7.0].map(Some))),
    ]);
    let spec = ChartSpec { by: Some("s".into()), ..line_spec(Mark::StackedArea) };
    assert_eq!(
        told(&scene(&data(spec, rows))),
        [
            "area Series(1) 26,90 156,70 286,80 | 26,110 156,110 286,110",
            "line Series(1) 26,90 156,70 286,80 breaks []",
            "area Series(2) 26,50 156,70 286,10 | 26,90 156,70 286,80",
            "line Series(2) 26,50 156,70 286,10 breaks []",
        ]
    );
}

#[test]
fn dots_of_a_series_that_share_a_pixel_are_one_and_what_has_no_place_is_none() {
    let rows = table(vec![
        ("s", words(&["a", "a", "a", "b", "b", "b", "a"])),
        ("x", numbers([Some(0.0), Some(4.0), Some(4.0), Some(4.0), Some(10.0), None, Some(2.0)])),
        ("y", numbers([0.0, 5.0, 5.0, 5.0, 10.0, 3.0, f64::NAN].map(Some))),
    ]);
    let spec = ChartSpec {
        by: Some("s".into()),
        ..ChartSpec::new("Dots", Mark::Scatter, Channel::of("x"), vec![Channel::of("y")])
    };
    let scene = scene(&data(spec, rows));
    assert_eq!(told(&scene), ["dots Series(1) 26,110 130,60", "dots Series(2) 130,60 286,10"]);
    assert_eq!(met(&scene), [(0, 0), (1, 0), (3, 1), (4, 1)]);
    assert_eq!(scene.target_at((135.0, 62.0)).map(|target| (target.row, target.series)), Some((3, 1)));
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
    assert_eq!(
        told(&scene(&data(ChartSpec { totals: vec!["corrected".into()], ..spec }, rows()))),
        [
            "boxes Series(1) 199,66,48,18",
            "boxes Up 72,22,48,44",
            "boxes Down ",
            "segments Axis 120,22>199,22",
            "label Text +10 96,74",
            "label Text −4 223,92",
        ]
    );
}

/// Open, high, low and close of days.
fn prices<const DAYS: usize>(columns: [[Option<f64>; DAYS]; 4]) -> Data {
    let names = ["o", "h", "l", "c"];
    let days = times((0..DAYS).map(|day| Some(day as i64 * DAY)));
    let columns = names.into_iter().zip(columns.map(numbers));
    let channels = names.map(Channel::of).to_vec();
    let spec = ChartSpec::new("Prices", Mark::Candlestick, Channel::of("t"), channels);
    data(spec, table([("t", days)].into_iter().chain(columns).collect()))
}

#[test]
fn a_candle_that_rose_is_hollow_and_one_that_fell_is_filled() {
    let data = prices([[2.0, 8.0], [10.0, 9.0], [0.0, 1.0], [8.0, 2.0]].map(|column| column.map(Some)));
    let scene = scene(&data);
    assert_eq!(
        told(&scene),
        [
            "segments Up 97,10>97,30 97,90>97,110",
            "segments Down 215,20>215,30 215,90>215,100",
            "boxes Surface 73,30,48,60",
            "outlines Up 73,30,48,60",
            "boxes Down 191,30,48,60",
        ]
    );
    assert_eq!(met(&scene), [(0, 0), (1, 0)]);
    let readout = of_target(&data, &View::whole(240.0, 120.0), &scene, 0).unwrap();
    assert_eq!(readout.text(), "1 Jan 1970 · open 2 · high 10 · low 0 · close 8");
    // Nor does a cursor that stands at its day say less.
    let at = Index::default().at(&data, &View::whole(240.0, 120.0), &scene.layout, 0.0).unwrap();
    assert_eq!(at.text(), readout.text());
}

#[test]
fn a_candle_that_did_not_move_is_a_pixel_high_and_without_all_four_prices_there_is_none() {
    let [open, high] = [[5.0, 2.0], [10.0, 9.0]].map(|column| column.map(Some));
    let scene = scene(&prices([open, high, [Some(0.0), None], [Some(5.0), Some(8.0)]]));
    assert_eq!(
        told(&scene),
        [
            "segments Up 97,10>97,60 97,60>97,110",
            "segments Down ",
            "boxes Surface 73,60,48,1",
            "outlines Up 73,60,48,1",
            "boxes Down ",
        ]
    );
    assert_eq!(met(&scene), [(0, 0)]);
}

#[test]
fn the_bar_of_the_others_is_cut_off_where_it_would_flatten_all_that_have_a_name() {
    let spec = || ChartSpec::new("Rows", Mark::Bar, Channel::of("k"), vec![Channel::of("v")]);
    let of = |others: f64| {
        let counts: ArrayRef = Arc::new(Int64Array::from(vec![None, None, Some(28)]));
        let columns = vec![
            ("k", words(&["a", "b", "28 others"])),
            ("v", numbers([6.0, 4.0, others].map(Some))),
            ("others", counts),
        ];
        scene(&data(spec(), table(columns)))
    };
    let top = |scene: &Scene| scene.layout.y_ticks.last().unwrap().at;
    let modest = of(11.0);
    assert!(top(&modest) >= 11.0 && !told(&modest).iter().any(|layer| layer.starts_with("label")));
    let cut = of(168.0);
    assert_eq!(top(&cut), 10.0);
    let [left, from, _, height] = cut.targets[2].area;
    assert_eq!((from, from + height), (cut.layout.frame.top, cut.layout.frame.top + cut.layout.frame.height));
    let told = told(&cut);
    assert!(told.contains(&format!("label Text ↑ 168 {},18", left.round() - 4.0)), "{told:?}");
    assert!(told.iter().any(|layer| layer.starts_with("boxes Surface")), "{told:?}");
    // What was before is an outline and nothing else, cut off by the frame.
    let bars = |others: f64| {
        let counts: ArrayRef = Arc::new(Int64Array::from(vec![None, None, Some(28)]));
        let values = numbers([6.0, 4.0, others].map(Some));
        data(spec(), table(vec![("k", words(&["a", "b", "28 others"])), ("v", values), ("others", counts)]))
    };
    let compared = scene(&bars(168.0).compared_with(bars(150.0), 0.0));
    let labels: Vec<_> = super::told(&compared).into_iter().filter(|layer| layer.starts_with("label")).collect();
    assert_eq!(labels.len(), 1, "{labels:?}");
    // Among amounts of both signs nothing is cut off.
    let both = scene(&bars(-100.0));
    assert!(both.layout.y_ticks[0].at <= -100.0 && both.targets[2].area[3] > 30.0);
}
