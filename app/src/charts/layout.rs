//! Where everything of a chart goes, in CSS pixels. No point lies outside the frame, whatever the data.

use super::{
    ChartSpec, Grain, Mark, Tick, ValueFormat,
    ticks::{time_ticks, value_ticks},
};
use crate::format::time::{DAY_MICROS, SECOND_MICROS};

/// Advance of a digit at the axis font size, generously: labels are placed without measuring.
const CHARACTER_WIDTH: f64 = 7.0;
/// A time label and the room it needs around it.
const TIME_LABEL_WIDTH: f64 = 76.0;
const VALUE_LABEL_HEIGHT: f64 = 44.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
const RIGHT: f64 = 14.0;

/// The rectangle in which data is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Width, at least 1.
    pub width: f64,
    /// Height, at least 1.
    pub height: f64,
}

/// A chart laid out on a canvas of some size.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Where data is drawn.
    pub frame: Frame,
    /// First and last x of the frame, in microseconds.
    pub x: (i64, i64),
    /// Lowest and highest value of the frame.
    pub y: (f64, f64),
    /// Labels of the x axis.
    pub x_ticks: Vec<Tick<i64>>,
    /// Labels of the value axis.
    pub y_ticks: Vec<Tick<f64>>,
    /// Width of a bar.
    pub bar_width: f64,
}

impl Layout {
    /// Lays a chart out on a canvas of `width` × `height` CSS pixels. `None` when there is nothing to draw.
    pub fn new(spec: &ChartSpec, width: f64, height: f64) -> Option<Layout> {
        let (x_first, x_last) = spec.x_bounds()?;
        let (y_low, y_high) = spec.y_bounds()?;
        let inner_height = (height - TOP - BOTTOM).max(1.0);
        let finest = if spec.format == ValueFormat::Whole { 1.0 } else { 0.0 };
        let y_ticks = value_ticks(y_low, y_high, (inner_height / VALUE_LABEL_HEIGHT).max(2.0) as usize, finest);
        let widest = y_ticks.iter().map(|tick| tick.label.chars().count()).max().unwrap_or(0);
        let left = (widest as f64 * CHARACTER_WIDTH + 12.0).min(width / 2.0);
        let frame = Frame { left, top: TOP, width: (width - left - RIGHT).max(1.0), height: inner_height };
        let x = padded(spec, x_first, x_last);
        let most = (frame.width / TIME_LABEL_WIDTH).max(1.0) as usize;
        let y = (y_ticks.first()?.at.min(y_low), y_ticks.last()?.at.max(y_high));
        let grain = grain_micros(spec.grain) as f64;
        let bar_width = (frame.width * grain / (x.1 - x.0) as f64 * 0.7).clamp(1.0, 28.0);
        let mut layout = Layout { frame, x, y, x_ticks: time_ticks(x.0, x.1, most), y_ticks, bar_width };
        layout.drop_labels_that_would_leave_the_canvas(width);
        Some(layout)
    }

    fn drop_labels_that_would_leave_the_canvas(&mut self, width: f64) {
        let ticks = std::mem::take(&mut self.x_ticks);
        let half = |tick: &Tick<i64>| tick.label.chars().count() as f64 * CHARACTER_WIDTH / 2.0;
        let stays = |tick: &Tick<i64>| {
            let center = self.x_pixel(tick.at);
            center - half(tick) >= 0.0 && center + half(tick) <= width
        };
        self.x_ticks = ticks.into_iter().filter(stays).collect();
    }

    /// Where an x lies, inside the frame.
    pub fn x_pixel(&self, x: i64) -> f64 {
        let share = (x as f64 - self.x.0 as f64) / (self.x.1 as f64 - self.x.0 as f64);
        self.frame.left + share.clamp(0.0, 1.0) * self.frame.width
    }

    /// Where a value lies, inside the frame.
    pub fn y_pixel(&self, y: f64) -> f64 {
        let share = (y - self.y.0) / (self.y.1 - self.y.0);
        self.frame.top + (1.0 - share.clamp(0.0, 1.0)) * self.frame.height
    }

    /// The x at a pixel, inside the frame.
    pub fn x_at(&self, pixel: f64) -> i64 {
        let share = ((pixel - self.frame.left) / self.frame.width).clamp(0.0, 1.0);
        self.x.0 + (share * (self.x.1 - self.x.0) as f64) as i64
    }
}

fn grain_micros(grain: Grain) -> i64 {
    match grain {
        Grain::Day => DAY_MICROS,
        Grain::Second => SECOND_MICROS,
    }
}

/// Bars need half a grain on both sides; a single point needs an axis around it.
fn padded(spec: &ChartSpec, first: i64, last: i64) -> (i64, i64) {
    let grain = grain_micros(spec.grain);
    let bars = spec.series.iter().any(|series| series.mark == Mark::Bars);
    if bars {
        return (first.saturating_sub(grain * 2 / 3), last.saturating_add(grain * 2 / 3));
    }
    if first == last { (first.saturating_sub(grain), last.saturating_add(grain)) } else { (first, last) }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::charts::{Point, Series};

    pub(crate) fn spec_of(points: Vec<(i64, f64)>, mark: Mark, from_zero: bool) -> ChartSpec {
        let mut points: Vec<Point> = points.into_iter().map(|(x, y)| Point { x, y }).collect();
        points.sort_by_key(|point| point.x);
        points.dedup_by_key(|point| point.x);
        ChartSpec {
            title: "Level".into(),
            unit: "points".into(),
            grain: Grain::Day,
            from_zero,
            format: ValueFormat::Fixed(2),
            series: vec![Series { points, ..Series::new("Level", 1, mark) }],
        }
    }

    pub(crate) fn any_spec() -> impl Strategy<Value = ChartSpec> {
        let point = (0_i64..40_000_000_000_000_000, -1e12_f64..1e12);
        let mark = prop_oneof![Just(Mark::Line), Just(Mark::Dashed), Just(Mark::Bars)];
        (prop::collection::vec(point, 1..40), mark, any::<bool>())
            .prop_map(|(points, mark, from_zero)| spec_of(points, mark, from_zero))
    }

    #[test]
    fn time_labels_do_not_overlap_at_phone_width() {
        let days = (0..400).map(|day| ((20_000 + day) * DAY_MICROS, 1_000.0 + day as f64)).collect();
        let layout = Layout::new(&spec_of(days, Mark::Line, false), 326.0, 240.0).unwrap();
        assert!(layout.x_ticks.len() >= 2, "{:?}", layout.x_ticks);
        let half = |tick: &Tick<i64>| tick.label.len() as f64 * CHARACTER_WIDTH / 2.0;
        for pair in layout.x_ticks.windows(2) {
            let gap = layout.x_pixel(pair[1].at) - layout.x_pixel(pair[0].at);
            assert!(gap > half(&pair[0]) + half(&pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn pixels_and_times_are_each_others_inverse() {
        let layout =
            Layout::new(&spec_of(vec![(0, 1.0), (100 * DAY_MICROS, 2.0)], Mark::Line, false), 600.0, 240.0).unwrap();
        let day = 37 * DAY_MICROS;
        assert!((layout.x_at(layout.x_pixel(day)) - day).abs() < DAY_MICROS / 100);
    }

    proptest! {
        #[test]
        fn no_point_lies_outside_the_frame(spec in any_spec(), width in 60.0_f64..2_000.0, height in 60.0_f64..900.0) {
            let layout = Layout::new(&spec, width, height).unwrap();
            let frame = layout.frame;
            for point in &spec.series[0].points {
                let (x, y) = (layout.x_pixel(point.x), layout.y_pixel(point.y));
                prop_assert!((frame.left..=frame.left + frame.width).contains(&x), "{x}");
                prop_assert!((frame.top..=frame.top + frame.height).contains(&y), "{y}");
            }
            prop_assert!(frame.left + frame.width <= width && frame.top + frame.height <= height);
        }
    }
}
