//! Snapshots of heat maps and of the plane of both times.

use super::*;

#[test]
fn cells_of_a_heat_map_are_coloured_from_least_to_greatest_and_a_key_says_so() {
    let rows = table(vec![
        ("x", words(&["a", "b", "a", "b"])),
        ("y", words(&["Mo", "Mo", "Tu", "Tu"])),
        ("v", numbers([Some(1.0), Some(9.0), None, Some(3.0)])),
    ]);
    let spec = ChartSpec {
        color: Some(Channel::of("v")),
        ..ChartSpec::new("Heat", Mark::HeatMap, Channel::of("x"), vec![Channel::of("y")])
    };
    let data = data(spec, rows);
    let scene = scene(&data);
    assert_eq!(
        told(&scene),
        [
            "boxes Heat(0) 26,26,129,41",
            "boxes Heat(64) 156,68,129,41",
            "boxes Heat(248) 156,26,129,41",
            "label OnHeat(0) 1 91,47",
            "label OnHeat(248) 9 221,47",
            "label OnHeat(64) 3 221,89",
            "boxes Heat(0) 193,12,10,8",
            "boxes Heat(36) 203,12,10,8",
            "boxes Heat(72) 213,12,10,8",
            "boxes Heat(109) 223,12,10,8",
            "boxes Heat(145) 233,12,10,8",
            "boxes Heat(182) 243,12,10,8",
            "boxes Heat(218) 253,12,10,8",
            "boxes Heat(255) 263,12,10,8",
            "label Text 1 187,16",
            "label Text 9 286,16",
        ]
    );
    assert_eq!(met(&scene), [(0, 0), (1, 0), (3, 0)]);
    assert_eq!(of_target(&data, &View::whole(240.0, 120.0), &scene, 1).unwrap().text(), "b · v 9 · y Mo");
}

#[test]
fn cells_of_bins_reach_to_their_ends_and_one_colour_needs_no_key() {
    let rows = table(vec![
        ("from", numbers([0.0, 1.0].map(Some))),
        ("to", numbers([1.0, 2.0].map(Some))),
        ("low", numbers([0.0, 5.0].map(Some))),
        ("high", numbers([5.0, 10.0].map(Some))),
        ("v", numbers([2.0, 2.0].map(Some))),
    ]);
    let spec = ChartSpec {
        color: Some(Channel::of("v")),
        ..ChartSpec::new("Heat", Mark::HeatMap, Channel::of("from").until("to"), vec![Channel::of("low").until("high")])
    };
    assert_eq!(
        told(&scene(&data(spec, rows))),
        ["boxes Heat(248) 26,68,129,41 156,26,129,41", "label OnHeat(248) 2 91,89", "label OnHeat(248) 2 221,47"]
    );
}

#[test]
fn what_is_open_reaches_the_edges_of_the_plane_and_what_never_held_is_not_there() {
    let rows = table(vec![
        ("vf", times([0, 0, 3].map(|day| Some(day * DAY)))),
        ("vt", times([Some(10 * DAY), None, Some(3 * DAY)])),
        ("sf", times([0, 5, 0].map(|day| Some(day * DAY)))),
        ("st", times([Some(5 * DAY), None, Some(5 * DAY)])),
        ("v", words(&["old", "new", "never"])),
    ]);
    let spec = ChartSpec {
        color: Some(Channel::of("v")),
        ..ChartSpec::new("Versions", Mark::Plane, Channel::of("vf").until("vt"), vec![Channel::of("sf").until("st")])
    };
    let data = data(spec, rows);
    let scene = scene(&data);
    assert_eq!(
        told(&scene),
        [
            "boxes Past 47,21,213,89",
            "boxes Series(1) 47,10,239,11",
            "outlines Axis 47,21,213,89 47,10,239,11",
            "label Text old 154,65",
        ]
    );
    assert_eq!(met(&scene), [(0, 0), (1, 0)]);
    let frame = scene.layout.frame;
    let newest = scene.targets[1].area;
    assert!((newest[0] + newest[2] - frame.left - frame.width).abs() < 1e-6, "{newest:?}");

    // What was chosen has its letter; what never held has none.
    let marking = |marked: &[usize]| {
        let view = View { marked: marked.to_vec(), ..View::whole(300.0, 136.0) };
        told(&Scene::new(&data, &view).unwrap()).split_off(4)
    };
    assert_eq!(marking(&[2]), [""; 0]);
    assert_eq!(
        marking(&[1, 0]),
        [
            "outlines Text 47,10,239,11 47,21,213,89",
            "boxes Text 47,10,15,15 63,21,15,15",
            "label Surface A 55,18",
            "label Surface B 71,28",
        ]
    );
    // A line through a rectangle would strike out what it says.
    let readout = of_target(&data, &View::whole(300.0, 136.0), &scene, 0).unwrap();
    assert_eq!(readout.area, Some(scene.targets[0].area));
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
