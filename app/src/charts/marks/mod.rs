//! From rows to marks: one module for each way of drawing. What has no place (null, not a number, outside the stretch that
//! is shown) makes no mark; no mark lies outside the frame.

pub(super) mod bars;
mod candles;
pub(super) mod cells;
pub(super) mod lines;
mod plane;
mod points;
pub(super) mod stack;

use super::{
    Data, Layout, Mark, View,
    scene::{Ink, Layer, Target},
};

/// Places the rows of a chart: what is drawn, lowest first, and what the pointer can meet.
pub(super) fn place(data: &Data, view: &View, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    let (mut layers, targets) = of_mark(data, view, layout);
    if let Some(earlier) = &data.earlier {
        let earlier = earlier.layers(view, layout);
        let at = if data.spec.mark == Mark::Bar { layers.len() } else { 0 };
        layers.splice(at..at, earlier);
    }
    (layers, targets)
}

fn of_mark(data: &Data, view: &View, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    match data.spec.mark {
        Mark::Line => (lines::lines(data, view, layout, None), Vec::new()),
        Mark::Area => (lines::lines(data, view, layout, Some(0.18)), Vec::new()),
        Mark::StackedArea => (stack::areas(data, view, layout), Vec::new()),
        Mark::Bar => bars::side_by_side(data, view, layout),
        Mark::StackedBar => stack::bars(data, view, layout),
        Mark::Histogram => bars::histogram(data, view, layout),
        Mark::Waterfall => bars::waterfall(data, view, layout),
        Mark::Scatter => points::dots(data, view, layout),
        Mark::Candlestick => candles::candles(data, layout),
        Mark::HeatMap => cells::heat_map(data, layout),
        Mark::Plane => plane::rectangles(data, view, layout),
    }
}

fn ink_of(data: &Data, series: usize) -> Ink {
    Ink::Series(data.series.get(series).map_or(0, |series| series.color))
}

/// A rectangle between two places, whichever is left or above; at least a pixel wide and high where it has any.
fn spanning(a: (f64, f64), b: (f64, f64)) -> [f64; 4] {
    [a.0.min(b.0), a.1.min(b.1), (a.0 - b.0).abs(), (a.1 - b.1).abs()]
}
