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
    // With those beside the stretch that is shown, from which areas come.
    let (first, last) = view.x.map_or((0, stack.xs.len()), |(from, to)| {
        let last = stack.xs.partition_point(|x| *x <= to);
        (stack.xs.partition_point(|x| *x < from).saturating_sub(1), (last + 1).min(stack.xs.len()))
    });
    let ends = stack.ends();
    let ends = ends.iter().flat_map(|series| &series[first..last]).flatten();
    let ends = ends.map(|&(a, b)| (a.min(b), a.max(b)));
    ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// A place along x where areas have a corner: between two of the stack's, so far from the first as a share of the way.
struct Corner {
    x: f64,
    between: (usize, usize),
    share: f64,
}

/// The corners in the stretch that is shown, with those at its edges, where areas come from beyond.
fn corners(xs: &[f64], layout: &Layout) -> Vec<Corner> {
    let (from, to) = (layout.x.value(0.0), layout.x.value(1.0));
    let at_edge = |edge: f64| {
        let next = xs.partition_point(|x| *x <= edge);
        let last = next.checked_sub(1).filter(|last| next < xs.len() && xs[*last] < edge)?;
        Some(Corner { x: edge, between: (last, next), share: (edge - xs[last]) / (xs[next] - xs[last]) })
    };
    let shown = (0..xs.len()).filter(|at| layout.shows_x(xs[*at]));
    let shown = shown.map(|at| Corner { x: xs[at], between: (at, at), share: 0.0 });
    at_edge(from).into_iter().chain(shown).chain(at_edge(to)).collect()
}

/// Areas on top of each other. Where a series has no value its area has no height; of a single x each is a dot.
pub(super) fn areas(data: &Data, view: &View, layout: &Layout) -> Vec<Layer> {
    let stack = Stack::of(data, view);
    let corners = corners(&stack.xs, layout);
    let mut base: Vec<(f64, f64)> = vec![(0.0, 0.0); stack.xs.len()];
    let mut layers = Vec::new();
    for ((series, _), ends) in stack.series.iter().zip(stack.ends()) {
        let ends_at = |at: usize| ends[at].unwrap_or((base[at].1, base[at].1));
        let (mut upper, mut lower): (Vec<Place>, Vec<Place>) = (Vec::new(), Vec::new());
        for Corner { x, between, share } in &corners {
            let (a, b) = (ends_at(between.0), ends_at(between.1));
            let pixel = layout.x_pixel(*x);
            lower.push((pixel, layout.y_pixel(a.0 + (b.0 - a.0) * share)));
            upper.push((pixel, layout.y_pixel(a.1 + (b.1 - a.1) * share)));
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
