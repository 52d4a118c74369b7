//! The plane in small, as numbers: where days and moments lie on the strip, what is grabbed on it, and where a movement leads.
//! Pure; shares of the strip are in percent, from its left and from its top.

use crate::{
    format::time::{self, DAY_MICROS, HOUR_MICROS},
    state::coordinates::{Days, Effective, Known},
};

/// How near a pointer has to come to an edge, in pixels.
const REACH: f64 = 12.0;
/// This near to the top edge it is now, in pixels.
const TOP_REACH: f64 = 3.0;
/// A play-through takes about so many steps.
const PLAY_STEPS: i64 = 40;
/// Where one pixel is more than so much, a pointer moves known by whole days.
const FINE_MICROS: f64 = 3.0 * HOUR_MICROS as f64;

/// What the strip shows of both times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plane {
    /// First day, in days since 1970-01-01.
    pub first_day: i64,
    /// Last day, not before the first.
    pub last_day: i64,
    /// The first moment at which something is known, in microseconds: the lower edge.
    pub foot: i64,
    /// The last commit: the top edge, now.
    pub top: i64,
}

/// What of the effective range moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its start.
    From,
    /// Its end.
    To,
    /// All of it.
    Whole,
}

/// What a pointer has taken hold of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grab {
    /// Moves effective.
    Effective(Part),
    /// Moves the known time with this index.
    Known(usize),
    /// Moves effective or the known time with this index, as the first movement goes sideways or not.
    Either(usize),
    /// As [`Grab::Either`], but beside the range, which comes here when the pointer is let go without a movement.
    Beside(usize),
}

/// A way along a slider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// So many grains forth.
    By(i64),
    /// To the first place.
    First,
    /// To the last place.
    Last,
}

impl Way {
    /// What a key does: arrows move by the grain, with Shift by ten, as the page keys do; Home and End go to the ends.
    pub fn of_key(key: &str, shift: bool) -> Option<Way> {
        let by = if shift { 10 } else { 1 };
        match key {
            "ArrowRight" | "ArrowUp" => Some(Way::By(by)),
            "ArrowLeft" | "ArrowDown" => Some(Way::By(-by)),
            "PageUp" => Some(Way::By(10)),
            "PageDown" => Some(Way::By(-10)),
            "Home" => Some(Way::First),
            "End" => Some(Way::Last),
            _ => None,
        }
    }

    /// Grains to go, between the most that can be gone back and forth.
    pub fn grains(self, back: i64, forth: i64) -> i64 {
        match self {
            Way::By(by) => by.clamp(-back.max(0), forth.max(0)),
            Way::First => -back.max(0),
            Way::Last => forth.max(0),
        }
    }
}

impl Plane {
    /// The plane over facts that are effective in `facts` (first and last day, as far as they have been seen) and were known
    /// from `known_first` on, so wide that it holds what is chosen. `top` is the last commit. Facts are mostly effective about
    /// when they become known, so what is known says where to begin; with nothing known it is the year before.
    pub fn over(facts: Option<(i64, i64)>, known_first: Option<i64>, chosen: Days, top: i64) -> Plane {
        let today = time::day_of(top);
        let first_known = known_first.map_or_else(|| time::months_before(today, 12), time::day_of);
        let firsts = [Some(first_known), facts.map(|facts| facts.0), chosen.from, chosen.to];
        let lasts = [Some(today), facts.map(|facts| facts.1), chosen.to, chosen.from];
        let first_day = firsts.into_iter().flatten().min().unwrap_or(today);
        let last_day = lasts.into_iter().flatten().max().unwrap_or(today);
        let known_first = known_first.unwrap_or(top - DAY_MICROS).min(top - 1);
        let hour = ceil(known_first, HOUR_MICROS);
        Plane { first_day, last_day, foot: if hour < top { hour } else { known_first }, top }
    }

    /// The days of a range, both included.
    pub fn span(&self, days: Days) -> (i64, i64) {
        let from = days.from.unwrap_or(self.first_day);
        (from, days.to.unwrap_or(self.last_day).max(from))
    }

    /// Where a day begins, in percent from the left.
    pub fn x(&self, day: i64) -> f64 {
        share(day - self.first_day, self.last_day + 1 - self.first_day)
    }

    /// Where a moment lies, in percent from the top.
    pub fn y(&self, micros: i64) -> f64 {
        100.0 - share(micros - self.foot, self.top - self.foot)
    }

    /// The moment a known time stands for on the strip. First published is the diagonal; its handle stands where the range ends.
    pub fn moment(&self, known: Known, end_day: i64) -> i64 {
        match known {
            Known::Now => self.top,
            Known::At(micros) => micros,
            Known::First => ((end_day + 1) * DAY_MICROS).clamp(self.foot, self.top),
        }
    }

    /// A range of days after a movement by so many days; it stays on the strip, and keeps its length where all of it moves.
    pub fn moved(&self, (from, to): (i64, i64), part: Part, way: Way) -> (i64, i64) {
        let (back, forth) = (from - self.first_day, self.last_day - to);
        match part {
            Part::From => (from + way.grains(back, to - from), to),
            Part::To => (from, to + way.grains(to - from, forth)),
            Part::Whole => {
                let by = way.grains(back, forth);
                (from + by, to + by)
            }
        }
    }

    /// A known time so many hours from another, on the full hour.
    pub fn stepped(&self, from: i64, way: Way) -> Known {
        match way {
            Way::First => self.settled(self.foot),
            Way::Last => Known::Now,
            Way::By(hours) if hours < 0 => self.settled(ceil(from, HOUR_MICROS) + hours * HOUR_MICROS),
            Way::By(hours) => self.settled(from.div_euclid(HOUR_MICROS) * HOUR_MICROS + hours * HOUR_MICROS),
        }
    }

    /// The known time a pointer has brought a moment to: `by` pixels down on a strip that is `height` pixels high, where the
    /// pointer is `y` pixels below its top.
    pub fn dragged(&self, from: i64, by: f64, y: f64, height: f64) -> Known {
        if y <= TOP_REACH {
            return Known::Now;
        }
        let pixel = (self.top - self.foot) as f64 / height.max(1.0);
        let grain = if pixel > FINE_MICROS { DAY_MICROS } else { HOUR_MICROS };
        let moment = from - (by * pixel) as i64;
        self.settled((moment + grain / 2).div_euclid(grain) * grain)
    }

    /// Days that so many pixels are on a strip that is `width` pixels wide.
    pub fn days(&self, pixels: f64, width: f64) -> i64 {
        (pixels / width.max(1.0) * (self.last_day + 1 - self.first_day) as f64).round() as i64
    }

    /// Hours from the lower edge to a moment, for a slider's value.
    pub fn hours(&self, micros: i64) -> i64 {
        (ceil(micros, HOUR_MICROS) - self.foot).max(0).div_euclid(HOUR_MICROS)
    }

    /// Where playing through begins: at the moment that is chosen, else where the range starts, as far as anything is known.
    pub fn play_start(&self, known: Known, from_day: i64) -> i64 {
        let start = known.instant().unwrap_or(from_day * DAY_MICROS);
        if (self.foot..self.top).contains(&start) { start } else { self.foot }
    }

    /// Microseconds of a step in playing through from a moment: a round length.
    pub fn play_step(&self, from: i64) -> i64 {
        const HOURS: [i64; 8] = [1, 3, 6, 12, 24, 48, 168, 336];
        let most = (self.top - from) / PLAY_STEPS;
        HOURS.map(|hours| hours * HOUR_MICROS).into_iter().find(|step| *step >= most).unwrap_or(most)
    }

    /// The known time after a moment in playing through.
    pub fn play_next(&self, moment: i64, step: i64) -> Known {
        self.settled((moment.div_euclid(step) + 1) * step)
    }

    fn settled(&self, micros: i64) -> Known {
        if micros >= self.top { Known::Now } else { Known::At(micros.max(self.foot)) }
    }
}

/// What is grabbed at a place on the strip: `at`, the edges of the range and the heights of the known times all in pixels, on a
/// strip of this width.
pub fn grab((x, y): (f64, f64), width: f64, (left, right): (f64, f64), heights: &[f64], is_point: bool) -> Grab {
    let away = |height: f64| (height - y).abs();
    let nearest = (0..heights.len()).min_by(|a, b| away(heights[*a]).total_cmp(&away(heights[*b]))).unwrap_or(0);
    // Lines that are near each other are taken at the ends where their marks are.
    let nearest = match heights {
        [a, b] if away(*a).max(away(*b)) <= REACH => usize::from(x > width / 2.0),
        _ => nearest,
    };
    let on_line = heights.get(nearest).is_some_and(|height| away(*height) <= REACH);
    let at_end = x > width - REACH || (x < REACH && heights.len() > 1);
    if x > width + REACH / 2.0 || (at_end && on_line) {
        return Grab::Known(nearest);
    }
    if is_point && x >= left - REACH && x <= right + REACH {
        return Grab::Either(nearest);
    }
    // Of a narrow range the edges are taken from outside, so that its middle can be taken too.
    let inside = ((right - left) / 3.0).clamp(0.0, REACH);
    if x >= left - REACH && x <= left + inside {
        return Grab::Effective(Part::From);
    }
    if x >= right - inside && x <= right + REACH {
        return Grab::Effective(Part::To);
    }
    if (left..right).contains(&x) {
        return Grab::Either(nearest);
    }
    if on_line { Grab::Known(nearest) } else { Grab::Beside(nearest) }
}

/// The choice that a movement has made of another.
pub fn chosen(before: Effective, days: Days, part: Part, (from, to): (i64, i64)) -> Effective {
    match (before, part) {
        (Effective::On(_), _) => Effective::On(from),
        (_, Part::Whole) => Effective::Between { from: Some(from), to: Some(to) },
        (_, Part::From) => Effective::Between { from: Some(from), to: days.to },
        (_, Part::To) => Effective::Between { from: days.from, to: Some(to) },
    }
}

fn ceil(micros: i64, step: i64) -> i64 {
    -(-micros).div_euclid(step) * step
}

fn share(part: i64, whole: i64) -> f64 {
    (part as f64 / whole.max(1) as f64 * 100.0).clamp(0.0, 100.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARCH_31: i64 = 20_543;
    const NOON: i64 = MARCH_31 * DAY_MICROS + 12 * HOUR_MICROS;

    fn plane() -> Plane {
        let known_first = (MARCH_31 - 364) * DAY_MICROS + 1;
        Plane::over(None, Some(known_first), Days { from: Some(MARCH_31 - 30), to: None }, NOON + 5)
    }

    #[test]
    fn the_strip_holds_what_is_known_what_was_seen_and_what_is_chosen() {
        let plane = plane();
        assert_eq!((plane.first_day, plane.last_day), (MARCH_31 - 364, MARCH_31));
        assert_eq!(plane.foot % HOUR_MICROS, 0);
        let wide = Plane::over(Some((MARCH_31 - 900, MARCH_31 + 9)), None, Days { from: Some(0), to: Some(5) }, NOON);
        assert_eq!((wide.first_day, wide.last_day), (0, MARCH_31 + 9));
        assert!(wide.foot < wide.top);
        let young = Plane::over(None, Some(NOON - 1), Days { from: None, to: None }, NOON);
        assert!(young.foot < young.top);
    }

    #[test]
    fn days_lie_from_left_to_right_and_moments_from_bottom_to_top() {
        let plane = plane();
        assert_eq!((plane.x(plane.first_day), plane.x(plane.last_day + 1)), (0.0, 100.0));
        assert_eq!((plane.y(plane.top), plane.y(plane.foot)), (0.0, 100.0));
        assert_eq!(plane.days(10.0, 365.0), 10);
    }

    #[test]
    fn keys_move_by_the_grain_and_to_the_ends() {
        let plane = plane();
        let range = (MARCH_31 - 30, MARCH_31 - 1);
        let key = |part, key, shift| plane.moved(range, part, Way::of_key(key, shift).unwrap());
        assert_eq!(key(Part::Whole, "ArrowRight", false), (MARCH_31 - 29, MARCH_31));
        assert_eq!(key(Part::Whole, "ArrowRight", true), (MARCH_31 - 29, MARCH_31));
        assert_eq!(key(Part::From, "ArrowLeft", true), (MARCH_31 - 40, MARCH_31 - 1));
        assert_eq!(key(Part::To, "Home", false), (MARCH_31 - 30, MARCH_31 - 30));
        assert_eq!(key(Part::Whole, "Home", false), (MARCH_31 - 364, MARCH_31 - 335));
        assert_eq!(Way::of_key("a", false), None);
    }

    #[test]
    fn known_moves_by_full_hours_and_ends_at_now() {
        let plane = plane();
        let down = plane.stepped(plane.top, Way::By(-1));
        assert_eq!(down, Known::At(NOON));
        assert_eq!(plane.stepped(NOON, Way::By(-10)), Known::At(NOON - 10 * HOUR_MICROS));
        assert_eq!(plane.stepped(NOON, Way::By(1)), Known::Now);
        assert_eq!(plane.stepped(NOON, Way::First), Known::At(plane.foot));
        assert_eq!(plane.stepped(plane.foot, Way::By(-1)), Known::At(plane.foot));
    }

    #[test]
    fn a_pointer_moves_known_by_days_where_a_pixel_is_hours() {
        let plane = plane();
        assert_eq!(plane.dragged(plane.top, 50.0, 50.0, 100.0), Known::At((MARCH_31 - 182) * DAY_MICROS));
        assert_eq!(plane.dragged(NOON, -90.0, 2.0, 100.0), Known::Now);
        let low = Plane { foot: plane.top - 10 * DAY_MICROS, ..plane };
        assert_eq!(low.dragged(NOON, 10.0, 10.0, 100.0), Known::At(NOON - DAY_MICROS));
    }

    #[test]
    fn edges_lines_and_middles_are_told_apart() {
        let at = |x, y| grab((x, y), 400.0, (100.0, 200.0), &[30.0, 80.0], false);
        assert_eq!(at(95.0, 50.0), Grab::Effective(Part::From));
        assert_eq!(at(208.0, 50.0), Grab::Effective(Part::To));
        assert_eq!(at(150.0, 70.0), Grab::Either(1));
        assert_eq!(at(300.0, 33.0), Grab::Known(0));
        assert_eq!(at(300.0, 55.0), Grab::Beside(0));
        assert_eq!(at(420.0, 60.0), Grab::Known(1));
        let narrow = |x| grab((x, 50.0), 400.0, (100.0, 103.0), &[0.0], false);
        assert_eq!(narrow(101.5), Grab::Either(0));
        assert_eq!(narrow(96.0), Grab::Effective(Part::From));
        assert_eq!(grab((96.0, 50.0), 400.0, (100.0, 101.0), &[0.0], true), Grab::Either(0));
    }

    #[test]
    fn a_moved_edge_leaves_the_other_as_it_was() {
        let open = Days { from: Some(MARCH_31 - 30), to: None };
        let moved = chosen(Effective::USUAL, open, Part::From, (MARCH_31 - 20, MARCH_31));
        assert_eq!(moved, Effective::Between { from: Some(MARCH_31 - 20), to: None });
        assert_eq!(chosen(Effective::On(3), open, Part::Whole, (4, 4)), Effective::On(4));
    }

    proptest! {
        #[test]
        fn playing_through_comes_to_now_in_a_bounded_number_of_steps(ago_hours in 1_i64..200_000) {
            let top = NOON + 5;
            let plane = Plane::over(None, Some(top - ago_hours * HOUR_MICROS), Days { from: None, to: None }, top);
            let mut moment = plane.play_start(Known::Now, plane.first_day);
            let step = plane.play_step(moment);
            for _ in 0..=PLAY_STEPS {
                match plane.play_next(moment, step) {
                    Known::At(next) => {
                        prop_assert!(next > moment);
                        moment = next;
                    }
                    _ => return Ok(()),
                }
            }
            prop_assert!(false, "more than {} steps", PLAY_STEPS);
        }

        #[test]
        fn a_range_stays_on_the_strip(by in -2_000_i64..2_000, part in 0..3) {
            let plane = plane();
            let range = (MARCH_31 - 100, MARCH_31 - 50);
            let part = [Part::From, Part::To, Part::Whole][part as usize];
            let (from, to) = plane.moved(range, part, Way::By(by));
            prop_assert!(plane.first_day <= from && from <= to && to <= plane.last_day);
            prop_assert!(part != Part::Whole || to - from == 50);
        }
    }
}
