//! What becomes of answers that are long, large, odd, or no chart at all.

use super::*;

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
