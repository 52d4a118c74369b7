//! What is placed where, chart type by chart type: snapshots of marks, and what holds for any data.

mod answers;
mod bounds;
mod cells;
mod drawing;
mod marks;
mod readings;

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

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

/// The row and the series of what can be met, in the order in which it was placed.
fn met(scene: &Scene) -> Vec<(usize, usize)> {
    scene.targets.iter().map(|target| (target.row, target.series)).collect()
}
