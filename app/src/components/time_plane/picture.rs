//! What lies under the handles of the strip, as SVG: ticks, the range, the period it is compared with, what is hidden.
//! Places are in percent, because only a browser knows the strip's width, and pages may not style by attribute.

use std::fmt::Write;

use super::plane::Plane;
use crate::{
    charts::time_ticks,
    format::time::{self, DAY_MICROS},
    state::coordinates::{Days, Known},
};

/// Labels on the effective axis, at most.
const LABELS: usize = 6;
/// A label nearer to an end than this, in percent, would leave the strip.
const LABEL_ROOM: f64 = 5.0;

/// What is chosen on the strip.
pub struct Picture<'a> {
    /// The strip.
    pub plane: &'a Plane,
    /// The effective range.
    pub days: Days,
    /// Whether the range is one day by choice.
    pub is_point: bool,
    /// The period it is compared with.
    pub compared: Option<Days>,
    /// The known times.
    pub known: &'a [Known],
}

impl Picture<'_> {
    /// The drawing, as what stands inside an SVG element.
    pub fn svg(&self) -> String {
        let mut svg = String::from("<rect class=\"strip-ground\" width=\"100%\" height=\"100%\"/>");
        if let Some(compared) = self.compared {
            self.band(&mut svg, "strip-compared", compared);
        }
        self.band(&mut svg, "strip-range", self.days);
        self.ticks(&mut svg);
        if let [known] = self.known {
            self.hidden(&mut svg, *known);
        }
        for x in self.crossings() {
            let _ = write!(svg, "<line class=\"strip-edge\" x1=\"{x:.2}%\" y1=\"0\" x2=\"{x:.2}%\" y2=\"100%\"/>");
        }
        svg.push_str("<line class=\"strip-axis effective\" x1=\"0\" y1=\"100%\" x2=\"100%\" y2=\"100%\"/>");
        svg.push_str("<line class=\"strip-axis known\" x1=\"100%\" y1=\"0\" x2=\"100%\" y2=\"100%\"/>");
        for known in self.known {
            self.known_line(&mut svg, *known);
        }
        svg
    }

    fn ticks(&self, svg: &mut String) {
        let (from, to) = (self.plane.first_day * DAY_MICROS, (self.plane.last_day + 1) * DAY_MICROS);
        for tick in time_ticks(from, to, LABELS) {
            let x = self.plane.x(time::day_of(tick.at as i64));
            let _ = write!(svg, "<line class=\"strip-grid\" x1=\"{x:.2}%\" y1=\"0\" x2=\"{x:.2}%\" y2=\"100%\"/>");
            if (LABEL_ROOM..=100.0 - LABEL_ROOM).contains(&x) {
                let label = tick.label;
                let _ = write!(svg, "<text class=\"strip-label\" x=\"{x:.2}%\" y=\"100%\" dy=\"20\">{label}</text>");
            }
        }
    }

    fn band(&self, svg: &mut String, class: &str, days: Days) {
        let (left, right) = self.edges(days);
        let width = right - left;
        let _ = write!(svg, "<rect class=\"{class}\" x=\"{left:.2}%\" y=\"0\" width=\"{width:.2}%\" height=\"100%\"/>");
    }

    fn edges(&self, days: Days) -> (f64, f64) {
        let (from, to) = self.plane.span(days);
        (self.plane.x(from), self.plane.x(to + 1))
    }

    /// Where effective crosses known: at both edges of a range, in the middle of a day.
    fn crossings(&self) -> Vec<f64> {
        let (left, right) = self.edges(self.days);
        if self.is_point { vec![(left + right) / 2.0] } else { vec![left, right] }
    }

    /// What became known later lies above the known time; above the diagonal where it is what was first published.
    fn hidden(&self, svg: &mut String, known: Known) {
        match known {
            Known::Now => {}
            Known::At(micros) => {
                let y = self.plane.y(micros);
                let _ = write!(svg, "<rect class=\"strip-hidden\" width=\"100%\" height=\"{y:.2}%\"/>");
            }
            Known::First => {
                let [(x1, y1), (x2, y2)] = self.diagonal();
                let _ = write!(
                    svg,
                    "<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 100 100\" preserveAspectRatio=\"none\">\
                     <polygon class=\"strip-hidden\" points=\"0,0 0,{y1:.2} {x1:.2},{y1:.2} {x2:.2},{y2:.2} {x2:.2},0\"/></svg>"
                );
            }
        }
    }

    /// From where the first facts became known on the day they were effective, to where the last did.
    fn diagonal(&self) -> [(f64, f64); 2] {
        let plane = self.plane;
        let first = plane.foot.max(plane.first_day * DAY_MICROS);
        let last = plane.top.min((plane.last_day + 1) * DAY_MICROS);
        [first, last].map(|moment| (plane.x(time::day_of(moment)), plane.y(moment)))
    }

    fn known_line(&self, svg: &mut String, known: Known) {
        if known == Known::First {
            let [(x1, y1), (x2, y2)] = self.diagonal();
            let _ = write!(
                svg,
                "<line class=\"strip-known\" x1=\"{x1:.2}%\" y1=\"{y1:.2}%\" x2=\"{x2:.2}%\" y2=\"{y2:.2}%\"/>"
            );
            return;
        }
        let y = self.plane.y(self.plane.moment(known, self.plane.last_day));
        let _ = write!(svg, "<line class=\"strip-known\" x1=\"0\" y1=\"{y:.2}%\" x2=\"100%\" y2=\"{y:.2}%\"/>");
        if let Some(x) = self.crossings().last() {
            let _ = write!(svg, "<circle class=\"strip-cross\" cx=\"{x:.2}%\" cy=\"{y:.2}%\" r=\"4\"/>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARCH_31: i64 = 20_543;

    fn svg(known: &[Known], compared: Option<Days>) -> String {
        let days = Days { from: Some(MARCH_31 - 99), to: Some(MARCH_31 - 50) };
        let first = (MARCH_31 - 99) * DAY_MICROS;
        let plane = Plane::over(None, Some(first), days, (MARCH_31 + 1) * DAY_MICROS - 1);
        Picture { plane: &plane, days, is_point: false, compared, known }.svg()
    }

    #[test]
    fn now_hides_nothing_and_a_moment_what_lies_above_it() {
        assert!(!svg(&[Known::Now], None).contains("strip-hidden"));
        let half = svg(&[Known::At((MARCH_31 - 49) * DAY_MICROS)], None);
        assert!(half.contains("<rect class=\"strip-hidden\" width=\"100%\" height=\"50.00%\"/>"), "{half}");
        assert!(half.contains("<rect class=\"strip-range\" x=\"0.00%\" y=\"0\" width=\"50.00%\" height=\"100%\"/>"));
    }

    #[test]
    fn as_first_published_is_the_diagonal() {
        let first = svg(&[Known::First], None);
        assert!(first.contains("class=\"strip-known\" x1=\"0.00%\" y1=\"100.00%\""), "{first}");
    }

    #[test]
    fn two_known_times_hide_nothing() {
        let both = svg(&[Known::At(MARCH_31 * DAY_MICROS), Known::Now], None);
        assert_eq!(both.matches("strip-cross").count(), 2);
        assert!(!both.contains("strip-hidden"));
    }

    #[test]
    fn the_compared_period_is_drawn_as_far_as_the_strip_reaches() {
        let earlier = Days { from: Some(MARCH_31 - 200), to: Some(MARCH_31 - 90) };
        let drawn = svg(&[Known::Now], Some(earlier));
        assert!(drawn.contains("class=\"strip-compared\" x=\"0.00%\" y=\"0\" width=\"10.00%\""), "{drawn}");
    }
}
