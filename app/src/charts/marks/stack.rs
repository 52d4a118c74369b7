//! Values on top of each other: areas and bars. Positive values grow upwards from zero, negative ones downwards.

use super::ink_of;
use crate::charts::{
    Data, Layout, Mark, View,
    scene::{Layer, Place, Target},
};

/// The values of all shown series at each x, with the row of each.
struct Stack {
    xs: Vec<f64>,
    /// By series that is shown: its index, and at each x value and row.
    series: Vec<(usize, Vec<Cell>)>,
}

/// A value and its row, where there is one.
type Cell = Option<(f64, usize)>;

impl Stack {
    fn of(data: &Data, view: &View) -> Stack {
        let xs = data.distinct_xs();
        let mut values: Vec<Vec<Cell>> = data.series.iter().map(|_| vec![None; xs.len()]).collect();
        data.visit(&mut |spot| {
            let at = xs.partition_point(|x| *x < spot.x);
            if let Some(cell) = values[spot.series].get_mut(at).filter(|_| spot.y.is_finite()) {
                // Rows of one series and one x add up.
                *cell = Some(cell.map_or((spot.y, spot.row), |(sum, row)| (sum + spot.y, row)));
            }
        });
        let series = values.into_iter().enumerate().filter(|(series, _)| view.shows(*series)).collect();
        Stack { xs, series }
    }

    /// For each shown series the lower and the upper end at each x; `None` where it has no value.
    fn ends(&self) -> Vec<Vec<Option<(f64, f64)>>> {
        let mut sums = vec![(0.0, 0.0); self.xs.len()];
        let pile = |(sum, value): (&mut (f64, f64), &Cell)| {
            let (value, _) = (*value)?;
            let side = if value < 0.0 { &mut sum.0 } else { &mut sum.1 };
            let from = *side;
            *side += value;
            Some((from, *side))
        };
        self.series.iter().map(|(_, values)| sums.iter_mut().zip(values).map(pile).collect()).collect()
    }
}

/// Least and greatest end of what is shown; of a waterfall, of its steps.
pub(in crate::charts) fn bounds(data: &Data, view: &View) -> Option<(f64, f64)> {
    if data.spec.mark == Mark::Waterfall {
        let steps = super::bars::steps(data);
        let ends = steps.iter().flat_map(|step| [step.from, step.to]);
        return ends.map(|end| (end, end)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    }
    let stack = Stack::of(data, view);
    let shown = |x: &f64| view.x.is_none_or(|(from, to)| (from..=to).contains(x));
    let ends = stack.ends();
    let ends = ends.iter().flat_map(|series| series.iter().zip(&stack.xs)).filter(|(_, x)| shown(x));
    let ends = ends.filter_map(|(ends, _)| *ends).map(|(a, b)| (a.min(b), a.max(b)));
    ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Areas on top of each other. Where a series has no value its area has no height; of a single x each is a dot.
pub(super) fn areas(data: &Data, view: &View, layout: &Layout) -> Vec<Layer> {
    let stack = Stack::of(data, view);
    let shown: Vec<usize> = (0..stack.xs.len()).filter(|at| layout.shows_x(stack.xs[*at])).collect();
    let mut base: Vec<(f64, f64)> = vec![(0.0, 0.0); stack.xs.len()];
    let mut layers = Vec::new();
    for ((series, _), ends) in stack.series.iter().zip(stack.ends()) {
        let place = |at: usize, value: f64| -> Place { (layout.x_pixel(stack.xs[at]), layout.y_pixel(value)) };
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        for &at in &shown {
            let (from, to) = ends[at].unwrap_or((base[at].1, base[at].1));
            lower.push(place(at, from));
            upper.push(place(at, to));
        }
        for (base, ends) in base.iter_mut().zip(&ends) {
            *base = ends.unwrap_or(*base);
        }
        let ink = ink_of(data, *series);
        if let [alone] = upper[..] {
            layers.push(Layer::Dots { ink, radius: 3.0, places: vec![alone] });
        }
        layers.push(Layer::Area { ink, strength: 0.75, upper: upper.clone(), lower });
        layers.push(Layer::Line { ink, width: 1.25, dashed: false, places: upper, breaks: Vec::new() });
    }
    layers
}

/// Bars on top of each other.
pub(super) fn bars(data: &Data, view: &View, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    let stack = Stack::of(data, view);
    let half = super::bars::width(data, layout) / 2.0;
    let (mut layers, mut targets) = (Vec::new(), Vec::new());
    for ((series, values), ends) in stack.series.iter().zip(stack.ends()) {
        let mut boxes = Vec::new();
        for (at, x) in stack.xs.iter().enumerate().filter(|(_, x)| layout.shows_x(**x)) {
            let (Some((from, to)), Some((_, row))) = (ends[at], values[at]) else { continue };
            let center = layout.x_pixel(*x);
            let area = super::bars::upright(layout, center - half, center + half, from, to);
            boxes.push(area);
            targets.push(Target { area, row, series: *series });
        }
        layers.push(Layer::Boxes { ink: ink_of(data, *series), strength: 1.0, boxes });
    }
    (layers, targets)
}
