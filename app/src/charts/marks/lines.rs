//! Lines and areas. Of a series with more rows than pixels each pixel column keeps its first, least, greatest and last row:
//! what is drawn is what all rows would have drawn (M4; Jugel, Jerzak, Hackenbroich, Markl, VLDB 2014).

use super::ink_of;
use crate::{
    charts::{
        Data, Layout, Scale, View,
        data::Run,
        scene::{Layer, Place},
    },
    order,
};

/// Line width of a series in CSS pixels.
const LINE_WIDTH: f64 = 2.0;
const DASHED_WIDTH: f64 = 1.25;
/// How far rounding may put a row beyond the frame's edge that it lies on, in CSS pixels.
const ROUNDING: f64 = 1e-3;

/// A line for each series that is shown; with `ground` the area below it, of this strength.
pub(in crate::charts) fn lines(data: &Data, view: &View, layout: &Layout, ground: Option<f64>) -> Vec<Layer> {
    let mut paths: Vec<Path> = data.series.iter().map(|_| Path::default()).collect();
    let place = Placer::new(layout);
    if data.series.iter().all(|series| series.sorted) {
        let in_runs = data.visit_runs(&mut |run| paths[run.series].take_run(&place, &run));
        if !in_runs {
            data.visit(&mut |spot| paths[spot.series].take(&place, spot.x, spot.y));
        }
    } else {
        in_order(data, &place, &mut paths);
    }
    let mut layers = Vec::new();
    for (series, mut path) in paths.into_iter().enumerate().filter(|(series, _)| view.shows(*series)) {
        path.flush(&place);
        let Path { places, breaks, .. } = path;
        let ink = ink_of(data, series);
        if let Some(strength) = ground {
            let base = layout.y_pixel(0.0);
            for piece in pieces(&places, &breaks) {
                let lower = piece.iter().map(|(x, _)| (*x, base)).collect();
                layers.push(Layer::Area { ink, strength, upper: piece.to_vec(), lower });
            }
        }
        let dashed = data.series[series].dashed;
        // A row without neighbours has no line, and is there all the same.
        let alone: Vec<Place> =
            pieces(&places, &breaks).filter(|piece| piece.len() == 1).map(|piece| piece[0]).collect();
        let last = (!dashed).then(|| places.last().copied()).flatten();
        let width = if dashed { DASHED_WIDTH } else { LINE_WIDTH };
        layers.push(Layer::Line { ink, width, dashed, places, breaks });
        let dots: Vec<Place> = alone.into_iter().chain(last).collect();
        if !dots.is_empty() {
            layers.push(Layer::Dots { ink, radius: 3.0, places: dots });
        }
    }
    layers
}

/// The connected pieces of a path.
fn pieces<'a>(places: &'a [Place], breaks: &'a [usize]) -> impl Iterator<Item = &'a [Place]> {
    let starts = std::iter::once(0).chain(breaks.iter().copied());
    let ends = breaks.iter().copied().chain([places.len()]);
    starts.zip(ends).filter(|(from, to)| from < to).map(|(from, to)| &places[from..to])
}

/// Rows that do not come in order of x are sorted first.
fn in_order(data: &Data, place: &Placer<'_>, paths: &mut [Path]) {
    let mut spots: Vec<Vec<(f64, f64)>> = paths.iter().map(|_| Vec::new()).collect();
    data.visit(&mut |spot| spots[spot.series].push((spot.x, spot.y)));
    for (path, spots) in paths.iter_mut().zip(spots) {
        let xs: Vec<f64> = spots.iter().map(|(x, _)| *x).collect();
        for index in order::by_number(&xs) {
            let (x, y) = spots[index as usize];
            path.take(place, x, y);
        }
    }
}

/// The scales of a layout as a multiplication and an addition, where they are that simple.
struct Placer<'a> {
    layout: &'a Layout,
    x: Option<(f64, f64)>,
    y: Option<(f64, f64)>,
}

impl Placer<'_> {
    fn new(layout: &Layout) -> Placer<'_> {
        let factors = |scale: &Scale, length: f64, offset: f64| match scale {
            Scale::Linear { low, high } | Scale::Time { from: low, to: high } => {
                let factor = length / (high - low);
                Some((factor, offset - low * factor))
            }
            _ => None,
        };
        let frame = layout.frame;
        let y = factors(&layout.y, -frame.height, frame.top + frame.height);
        Placer { layout, x: factors(&layout.x, frame.width, frame.left), y }
    }

    /// Not yet kept inside the frame.
    fn x(&self, x: f64) -> f64 {
        match self.x {
            Some((factor, offset)) => x * factor + offset,
            None => self.layout.frame.left + self.layout.x.share(x) * self.layout.frame.width,
        }
    }

    fn y(&self, y: f64) -> f64 {
        let frame = self.layout.frame;
        match self.y {
            Some((factor, offset)) => (y * factor + offset).clamp(frame.top, frame.top + frame.height),
            None => self.layout.y_pixel(y),
        }
    }
}

/// A line as its rows go by in order of x.
#[derive(Default)]
struct Path {
    places: Vec<Place>,
    breaks: Vec<usize>,
    /// The pixel column that rows fall into, and what it keeps.
    column: i64,
    kept: Option<Kept>,
    /// The last row left of the frame: the line comes from there.
    before: Option<(f64, f64)>,
    /// Whether a row right of the frame was met: the line goes there, and ends.
    ended: bool,
    broken: bool,
}

/// First, least, greatest and last row of a pixel column, as values, with their x in pixels.
#[derive(Clone, Copy)]
struct Kept {
    first: (f64, f64),
    least: (f64, f64),
    greatest: (f64, f64),
    last: (f64, f64),
}

impl Kept {
    /// Takes rows of the same pixel column, in order, up to the first without a value; gives how many those are.
    fn take_values(&mut self, place: &Placer<'_>, xs: &[f64], ys: &[f64]) -> usize {
        let found = columns::extremes_before_gap(ys);
        let Some(last) = found.finite.checked_sub(1) else { return 0 };
        let at = |(y, index): columns::At| (place.x(xs[index]), y);
        if found.least.0 < self.least.1 {
            self.least = at(found.least);
        }
        if found.greatest.0 > self.greatest.1 {
            self.greatest = at(found.greatest);
        }
        self.last = at((ys[last], last));
        found.finite
    }
}

/// How many of these, which are in order, come before the first for which it does not hold. Quick where they are few.
fn reach(xs: &[f64], holds: impl Fn(f64) -> bool) -> usize {
    let mut step = 1;
    while step < xs.len() && holds(xs[step]) {
        step *= 2;
    }
    let (from, to) = (step / 2, step.min(xs.len()));
    from + xs[from..to].partition_point(|x| holds(*x))
}

impl Path {
    fn take(&mut self, place: &Placer<'_>, x: f64, y: f64) {
        if self.ended {
            return;
        }
        let frame = place.layout.frame;
        let pixel = place.x(x);
        if !(y.is_finite() && pixel.is_finite() && place.layout.y.share(y).is_finite()) {
            self.flush(place);
            (self.broken, self.before) = (true, None);
            return;
        }
        if pixel < frame.left - ROUNDING {
            self.before = Some((pixel, y));
            return;
        }
        let before = self.before.take();
        if let Some(before) = before {
            self.push(place, at_edge(before, (pixel, y), frame.left));
        }
        if pixel > frame.left + frame.width + ROUNDING {
            let from = self.kept.map(|kept| kept.last).or(before);
            self.flush(place);
            if let Some(from) = from {
                self.push(place, at_edge(from, (pixel, y), frame.left + frame.width));
            }
            self.ended = true;
            return;
        }
        let column = (pixel - frame.left) as i64;
        match &mut self.kept {
            Some(kept) if column == self.column => {
                if y < kept.least.1 {
                    kept.least = (pixel, y);
                }
                if y > kept.greatest.1 {
                    kept.greatest = (pixel, y);
                }
                kept.last = (pixel, y);
            }
            _ => {
                self.flush(place);
                let here = (pixel, y);
                self.column = column;
                self.kept = Some(Kept { first: here, least: here, greatest: here, last: here });
            }
        }
    }

    /// The same for rows one after the other. Of sorted ones those of a pixel column lie side by side: only their ends are
    /// looked for, and their values looked through.
    fn take_run(&mut self, place: &Placer<'_>, run: &Run<'_>) {
        let (xs, ys) = (run.xs, run.ys);
        let frame = place.layout.frame;
        let direct = run.sorted && place.x.is_some() && place.y.is_some();
        let mut at = 0;
        while at < xs.len() && !self.ended {
            self.take_with_x(place, xs[at], ys[at]);
            at += 1;
            let Some(column) = self.kept.map(|_| self.column).filter(|_| direct) else { continue };
            let next_column = frame.left + (column + 1) as f64;
            let right = next_column.min(frame.left + frame.width);
            let end = at + reach(&xs[at..], |x| place.x(x) < right);
            if let Some(kept) = &mut self.kept {
                at += kept.take_values(place, &xs[at..end], &ys[at..end]);
            }
        }
    }

    /// Rows without a place are none.
    fn take_with_x(&mut self, place: &Placer<'_>, x: f64, y: f64) {
        if x.is_finite() {
            self.take(place, x, y);
        }
    }

    fn flush(&mut self, place: &Placer<'_>) {
        let Some(Kept { first, least, greatest, last }) = self.kept.take() else { return };
        let (a, b) = if least.0 <= greatest.0 { (least, greatest) } else { (greatest, least) };
        let mut before = None;
        for row in [first, a, b, last] {
            if before != Some(row) {
                self.push(place, row);
            }
            before = Some(row);
        }
    }

    fn push(&mut self, place: &Placer<'_>, (pixel, y): (f64, f64)) {
        if std::mem::take(&mut self.broken) && !self.places.is_empty() {
            self.breaks.push(self.places.len());
        }
        self.places.push((pixel, place.y(y)));
    }
}

/// Where the line between two rows crosses an edge of the frame.
fn at_edge(a: (f64, f64), b: (f64, f64), edge: f64) -> (f64, f64) {
    let share = if b.0 > a.0 { (edge - a.0) / (b.0 - a.0) } else { 1.0 };
    (edge, a.1 + (b.1 - a.1) * share)
}
