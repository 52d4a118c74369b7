//! Bars: side by side, of a histogram, and the steps of a waterfall.

use super::{ink_of, spanning};
use crate::charts::{
    Data, Layout, Scale, View,
    layout::{meets, step},
    scene::{Anchor, CHARACTER_WIDTH, Ink, Layer, Target},
};

/// Share of the room of a bar that it takes.
const FILL: f64 = 0.72;
/// How far from the edge of the frame a bar that goes on beyond it is cut, in CSS pixels.
const CUT_INSIDE: f64 = 8.0;
/// Bars are not wider than that, in CSS pixels.
const WIDEST: f64 = 48.0;

/// A place along x, kept inside the frame.
fn within(layout: &Layout, x: f64) -> f64 {
    x.clamp(layout.frame.left, layout.frame.left + layout.frame.width)
}

/// A box between two values, kept inside the frame.
pub(super) fn upright(layout: &Layout, left: f64, right: f64, from: f64, to: f64) -> [f64; 4] {
    spanning((within(layout, left), layout.y_pixel(from)), (within(layout, right), layout.y_pixel(to)))
}

/// The width of a bar in CSS pixels.
pub(super) fn width(data: &Data, layout: &Layout) -> f64 {
    let room = match &layout.x {
        Scale::Band { .. } => layout.x.band() * layout.frame.width,
        scale => {
            let step = step(data);
            let start = layout.x.value(0.0);
            (scale.share(start + step) - scale.share(start)).abs() * layout.frame.width
        }
    };
    (room * FILL).clamp(1.0, WIDEST)
}

/// Bars that stand on zero; where several series share an x, beside each other.
pub(in crate::charts) fn side_by_side(data: &Data, view: &View, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    let shown: Vec<usize> = (0..data.series.len()).filter(|series| view.shows(*series)).collect();
    let all = width(data, layout);
    let each = all / shown.len().max(1) as f64;
    let mut boxes: Vec<Vec<[f64; 4]>> = shown.iter().map(|_| Vec::new()).collect();
    let (mut targets, mut cuts) = (Vec::new(), Vec::new());
    data.visit(&mut |spot| {
        let lane = shown.binary_search(&spot.series).ok();
        let Some(lane) = lane.filter(|_| spot.y.is_finite() && layout.shows_x(spot.x)) else { return };
        let left = layout.x_pixel(spot.x) - all / 2.0 + lane as f64 * each;
        let area = upright(layout, left, left + (each - 1.0).max(each * 0.8), 0.0, spot.y);
        boxes[lane].push(area);
        targets.push(Target { area, row: spot.row, series: spot.series });
        if layout.y.share(spot.y) > 1.0 && data.table.others(spot.row).is_some() {
            cuts.push((area, data.value_text(spot.series, spot.row)));
        }
    });
    let layer =
        |(series, boxes): (&usize, Vec<[f64; 4]>)| Layer::Boxes { ink: ink_of(data, *series), strength: 1.0, boxes };
    let labels: Vec<Layer> = cuts.iter().filter_map(|(area, value)| cut_label(layout, &boxes, *area, value)).collect();
    let mut layers: Vec<Layer> = shown.iter().zip(boxes).map(layer).collect();
    if !cuts.is_empty() {
        let gap = |([left, top, width, _], _): ([f64; 4], String)| [left, top + CUT_INSIDE - 1.5, width, 3.0];
        layers.push(Layer::Boxes { ink: Ink::Surface, strength: 1.0, boxes: cuts.into_iter().map(gap).collect() });
    }
    layers.extend(labels);
    (layers, targets)
}

/// The value of a bar that goes on beyond the frame, beside its end, as far as no other bar is there.
fn cut_label(layout: &Layout, boxes: &[Vec<[f64; 4]>], [left, top, ..]: [f64; 4], value: &str) -> Option<Layer> {
    let y = top + CUT_INSIDE;
    let ends = boxes.iter().flatten().filter(|other| other[0] < left && other[1] <= y + CUT_INSIDE);
    let free_from = ends.map(|other| other[0] + other[2]).fold(layout.frame.left, f64::max);
    let text = format!("↑ {value}");
    let fits = free_from + text.chars().count() as f64 * CHARACTER_WIDTH + 8.0 <= left;
    fits.then_some(Layer::Label { ink: Ink::Text, text, place: (left - 4.0, y), anchor: Anchor::Right })
}

/// Bars from the start of each bin to its end.
pub(super) fn histogram(data: &Data, view: &View, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    let mut boxes: Vec<Vec<[f64; 4]>> = data.series.iter().map(|_| Vec::new()).collect();
    let mut targets = Vec::new();
    data.visit(&mut |spot| {
        let (from, to) = data.x_of(spot.row);
        if !spot.y.is_finite() || !view.shows(spot.series) || !meets(&layout.x, from, to) {
            return;
        }
        let to = to.unwrap_or(from);
        let (left, right) = (layout.x_pixel(from), layout.x_pixel(to));
        // A hair between neighbours, where there is room for one.
        let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
        let area = upright(layout, left, (right - gap).max(left + 1.0), 0.0, spot.y);
        boxes[spot.series].push(area);
        targets.push(Target { area, row: spot.row, series: spot.series });
    });
    let layer =
        |(series, boxes): (usize, Vec<[f64; 4]>)| Layer::Boxes { ink: ink_of(data, series), strength: 1.0, boxes };
    (boxes.into_iter().enumerate().map(layer).collect(), targets)
}

/// A step of a waterfall.
pub(super) struct Step {
    x: f64,
    row: usize,
    pub(super) from: f64,
    pub(super) to: f64,
    total: bool,
}

/// The steps in the order of the rows, each beginning where the one before ended; totals begin at zero.
pub(super) fn steps(data: &Data) -> Vec<Step> {
    let mut sum = 0.0;
    let mut steps = Vec::new();
    data.visit(&mut |spot| {
        if spot.series == 0 && spot.y.is_finite() {
            let totals = &data.spec.totals;
            let total = !totals.is_empty() && totals.contains(&data.x_text(spot.row));
            let from = if total { 0.0 } else { sum };
            sum = from + spot.y;
            steps.push(Step { x: spot.x, row: spot.row, from, to: sum, total });
        }
    });
    steps
}

/// Steps that add up: up and down in their colours and with their signs, totals plain, joined by thin lines.
pub(super) fn waterfall(data: &Data, _: &View, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    let half = width(data, layout) / 2.0;
    let (mut totals, mut up, mut down, mut joints, mut labels, mut targets) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let steps = steps(data);
    for (index, step) in steps.iter().enumerate() {
        let center = layout.x_pixel(step.x);
        let area = upright(layout, center - half, center + half, step.from, step.to);
        if step.total {
            totals.push(area)
        } else if step.to >= step.from {
            up.push(area)
        } else {
            down.push(area)
        }
        targets.push(Target { area, row: step.row, series: 0 });
        if let Some(next) = steps.get(index + 1) {
            let y = layout.y_pixel(step.to);
            joints.push(((within(layout, center + half), y), (within(layout, layout.x_pixel(next.x) - half), y)));
        }
        labels.extend(step_label(data, layout, step, area));
    }
    let mut layers = vec![
        Layer::Boxes { ink: Ink::Up, strength: 1.0, boxes: up },
        Layer::Boxes { ink: Ink::Down, strength: 1.0, boxes: down },
        Layer::Segments { ink: Ink::Axis, width: 1.0, segments: joints },
    ];
    if !totals.is_empty() {
        layers.insert(0, Layer::Boxes { ink: Ink::Series(1), strength: 1.0, boxes: totals });
    }
    layers.extend(labels);
    (layers, targets)
}

/// The amount above a step that rises or below one that falls, where there is room.
fn step_label(data: &Data, layout: &Layout, step: &Step, area: [f64; 4]) -> Option<Layer> {
    let [left, top, width, height] = area;
    let text = data.value_text(0, step.row);
    let rises = step.to >= step.from;
    let text = if rises && step.to != step.from && !step.total { format!("+{text}") } else { text };
    let room = layout.x.band() * layout.frame.width;
    if text.chars().count() as f64 * CHARACTER_WIDTH > room {
        return None;
    }
    let frame = layout.frame;
    let above = (left + width / 2.0, top - 8.0);
    let below = (left + width / 2.0, top + height + 8.0);
    let fits = |y: f64| (frame.top + 6.0..=frame.top + frame.height - 6.0).contains(&y);
    let place = if rises && fits(above.1) || !fits(below.1) { above } else { below };
    fits(place.1).then_some(Layer::Label { ink: Ink::Text, text, place, anchor: Anchor::Middle })
}
