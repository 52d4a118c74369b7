//! What is worked out of rows as they go by: what they span, and of each series its ends and extremes.

use super::{SeriesInfo, Spot, data::Run};

/// Least and greatest of finite numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Default for Span {
    fn default() -> Span {
        Span { low: f64::INFINITY, high: f64::NEG_INFINITY }
    }
}

impl Span {
    pub(super) fn take(&mut self, value: f64) {
        if value.is_finite() {
            self.low = self.low.min(value);
            self.high = self.high.max(value);
        }
    }

    pub(super) fn bounds(self) -> Option<(f64, f64)> {
        (self.low <= self.high).then_some((self.low, self.high))
    }
}

/// What goes by of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    points: usize,
    first: (f64, usize),
    last: (f64, usize),
    /// The least value and its row.
    pub(super) low: (f64, usize),
    /// The greatest value and its row.
    pub(super) high: (f64, usize),
    before: f64,
    sorted: bool,
}

impl Default for Seen {
    fn default() -> Seen {
        let (up, down) = ((f64::INFINITY, 0), (f64::NEG_INFINITY, 0));
        Seen { points: 0, first: up, last: down, low: up, high: down, before: f64::NEG_INFINITY, sorted: true }
    }
}

impl Seen {
    pub(super) fn take(&mut self, spot: &Spot) {
        self.points += 1;
        self.sorted &= self.before <= spot.x;
        self.before = spot.x;
        if spot.x < self.first.0 {
            self.first = (spot.x, spot.row);
        }
        if spot.x >= self.last.0 {
            self.last = (spot.x, spot.row);
        }
        if spot.y < self.low.0 {
            self.low = (spot.y, spot.row);
        }
        if spot.y > self.high.0 {
            self.high = (spot.y, spot.row);
        }
    }

    /// Takes the rows of a run, the first that are seen; gives what they span along x, values or none.
    pub(super) fn take_run(&mut self, run: &Run<'_>) -> Span {
        let mut span = Span::default();
        if !run.sorted {
            for ((at, &x), &y) in run.xs.iter().enumerate().zip(run.ys) {
                span.take(x);
                if x.is_finite() && y.is_finite() {
                    self.take(&Spot { series: run.series, row: run.first_row + at, x, y });
                }
            }
            return span;
        }
        let finite = |y: &f64| y.is_finite();
        if let (Some(first), Some(last)) = (run.xs.first(), run.xs.last()) {
            span = Span { low: *first, high: *last };
        }
        let (Some(first), Some(last)) = (run.ys.iter().position(finite), run.ys.iter().rposition(finite)) else {
            return span;
        };
        let found = columns::extremes(run.ys);
        let row = |(value, index): columns::At| (value, run.first_row + index);
        // Of rows at the first x the first counts, of those at the last the last.
        self.first = (run.xs[first], run.first_row + first);
        self.last = (run.xs[last], run.first_row + last);
        (self.low, self.high) = (row(found.least), row(found.greatest));
        (self.points, self.before) = (found.finite, run.xs[last]);
        span
    }

    /// Takes what was seen of the rows behind these.
    pub(super) fn append(&mut self, next: &Seen) {
        if next.points == 0 {
            return;
        }
        self.points += next.points;
        self.sorted &= next.sorted && self.before <= next.first.0;
        self.before = next.before;
        if next.first.0 < self.first.0 {
            self.first = next.first;
        }
        if next.last.0 >= self.last.0 {
            self.last = next.last;
        }
        if next.low.0 < self.low.0 {
            self.low = next.low;
        }
        if next.high.0 > self.high.0 {
            self.high = next.high;
        }
    }

    pub(super) fn into_info(self, series: &mut SeriesInfo) {
        series.points = self.points;
        series.sorted = self.sorted;
        if self.points > 0 {
            series.ends = Some((self.first.1, self.last.1));
            series.extremes = Some((self.low.1, self.high.1));
        }
    }
}
