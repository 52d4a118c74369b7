//! What is read out: at the cursor, in the summary, and of an earlier period.

use super::*;

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
fn what_is_read_out_of_a_stack_lies_on_the_edges_that_are_drawn() {
    let rows = table(vec![
        ("s", words(&["a", "a", "a", "b", "b", "b"])),
        ("t", times([0, 1, 2, 0, 1, 2].map(|day| Some((20_000 + day) * DAY)))),
        ("v", numbers([2.0, 4.0, 3.0, 4.0, 1.0, 7.0].map(Some))),
    ]);
    let data = data(ChartSpec { by: Some("s".into()), ..line_spec(Mark::StackedArea) }, rows);
    let (layout, view) = (scene(&data).layout, View::whole(300.0, 136.0));
    let readout = Index::default().at(&data, &view, &layout, (20_002 * DAY) as f64).unwrap();
    let read: Vec<_> = readout.entries.iter().map(|entry| (entry.text.as_str(), entry.y)).collect();
    assert_eq!(read, [("7", layout.y_pixel(10.0)), ("3", layout.y_pixel(3.0))]);
    // Without the lower one the upper stands on the ground.
    let hidden = View { hidden: vec![0], ..view };
    let readout = Index::default().at(&data, &hidden, &layout, (20_002 * DAY) as f64).unwrap();
    assert_eq!(readout.entries[0].y, layout.y_pixel(7.0));
}

#[test]
fn names_are_read_out_short_and_each_in_its_own_direction() {
    let long = "N".repeat(400);
    let rows = table(vec![
        ("s", words(&[&long, "سعر", "b"])),
        ("t", times([Some(20_000 * DAY); 3])),
        ("v", numbers([1.0, 2.0, 3.0].map(Some))),
    ]);
    let data = data(ChartSpec { by: Some("s".into()), ..line_spec(Mark::Line) }, rows);
    let (layout, view) = (scene(&data).layout, View::whole(300.0, 136.0));
    let readout = Index::default().at(&data, &view, &layout, (20_000 * DAY) as f64).unwrap();
    assert_eq!(readout.text(), format!("4 Oct 2024 · {}… 1 · \u{2068}سعر\u{2069} 2 · b 3", "N".repeat(23)));
}

#[test]
fn what_has_no_end_holds_since_its_beginning() {
    let rows = table(vec![
        ("t", times([Some(20_000 * DAY), Some(20_001 * DAY)])),
        ("until", times([Some(20_001 * DAY), None])),
    ]);
    let channel = Channel::of("t").until("until");
    assert_eq!(channel.range_text(&rows, 0), "4 Oct 2024 – 5 Oct 2024");
    assert_eq!(channel.range_text(&rows, 1), "since 5 Oct 2024");
}

#[test]
fn a_series_that_only_an_earlier_period_has_is_not_drawn_without_a_name() {
    let of = |days: [i64; 2], names: &[&str]| {
        table(vec![
            ("s", words(names)),
            ("t", times(days.map(|day| Some(day * DAY)))),
            ("v", numbers([1.0, 2.0].map(Some))),
        ])
    };
    let spec = ChartSpec { by: Some("s".into()), ..line_spec(Mark::Line) };
    let (later, earlier) = (of([20_000, 20_001], &["a", "a"]), of([19_990, 19_990], &["a", "gone"]));
    let told = told(&scene(&beside_ten_days_before(spec, later, earlier)));
    assert!(told.iter().all(|layer| !layer.contains("Series(0)")), "{told:?}");
}
