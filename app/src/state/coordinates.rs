//! The two coordinates as the address carries them. Pure: nothing here knows a router or a clock.

use crate::format::time::{self, DAY_MICROS};

/// The system time a page is read as of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The last commit, whatever it is.
    Now,
    /// A moment in the past, in microseconds.
    At(i64),
}

impl Known {
    /// Reads an address parameter: missing or `now` is now, anything else a time.
    pub fn parse(parameter: Option<&str>) -> Result<Known, String> {
        match parameter.map(str::trim) {
            None | Some("" | "now") => Ok(Known::Now),
            Some(text) => time::parse_field(text).map(Known::At),
        }
    }

    /// The address parameter; now needs none.
    pub fn parameter(self) -> Option<String> {
        self.instant().map(time::iso)
    }

    /// The moment, when it is in the past.
    pub fn instant(self) -> Option<i64> {
        match self {
            Known::Now => None,
            Known::At(micros) => Some(micros),
        }
    }

    /// `now`, or the moment.
    pub fn text(self) -> String {
        self.instant().map_or_else(|| "now".to_owned(), time::moment_text)
    }

    /// The clause that reads a table as of this time; empty for now.
    pub fn clause(self) -> String {
        let instant = self.instant().map(time::iso);
        instant.map(|iso| format!(" FOR SYSTEM_TIME AS OF TIMESTAMP '{iso}'")).unwrap_or_default()
    }
}

/// Where an effective range starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Three months before its end.
    Usual,
    /// The first fact there is.
    First,
    /// A day, in days since 1970-01-01.
    Day(i64),
}

/// A range of valid time, in whole days, as the address carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveRange {
    /// Where it starts.
    pub start: Start,
    /// Its last day; `None` is the last fact there is.
    pub end: Option<i64>,
}

/// A range with its days worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// First day; `None` is the first fact there is.
    pub from: Option<i64>,
    /// Last day; `None` is the last fact there is.
    pub to: Option<i64>,
}

impl EffectiveRange {
    /// Reads the address parameters `from` (`first`, a day, or missing) and `to` (a day, `latest` or missing). What cannot be read is
    /// named in the error, and the usual range stands in for it.
    pub fn parse(from: Option<&str>, to: Option<&str>) -> (EffectiveRange, Option<String>) {
        let mut problem = None;
        let mut day = |text: &str| match time::parse_field(text) {
            Ok(micros) => Some(time::day_of(micros)),
            Err(reason) => {
                problem = Some(reason);
                None
            }
        };
        let start = match from.map(str::trim) {
            None | Some("") => Start::Usual,
            Some("first") => Start::First,
            Some(text) => day(text).map_or(Start::Usual, Start::Day),
        };
        let end = to.map(str::trim).filter(|text| !matches!(*text, "" | "latest" | "now")).and_then(&mut day);
        let range = EffectiveRange { start, end };
        match (range.start, range.end) {
            (Start::Day(from), Some(to)) if from > to => {
                let reason = format!("the range ends on {}, before it starts", time::day_text(to));
                (EffectiveRange { start: Start::Usual, end: Some(to) }, Some(reason))
            }
            _ => (range, problem),
        }
    }

    /// The address parameters `from` and `to`.
    pub fn parameters(self) -> (Option<String>, Option<String>) {
        let from = match self.start {
            Start::Usual => None,
            Start::First => Some("first".to_owned()),
            Start::Day(day) => Some(time::iso_day(day)),
        };
        (from, self.end.map(time::iso_day))
    }

    /// The days, seen from a day called today.
    pub fn days(self, today: i64) -> Days {
        let from = match self.start {
            Start::Usual => Some(time::months_before(self.end.unwrap_or(today), 3)),
            Start::First => None,
            Start::Day(day) => Some(day),
        };
        Days { from, to: self.end }
    }
}

impl Days {
    /// `1 Jan – 31 Mar 2026`, `from 1 Jan 2026`, `until 31 Mar 2026` or `all`.
    pub fn text(self) -> String {
        match (self.from, self.to) {
            (Some(from), Some(to)) => time::day_range_text(from, to),
            (Some(from), None) => format!("from {}", time::day_text(from)),
            (None, Some(to)) => format!("until {}", time::day_text(to)),
            (None, None) => "all".to_owned(),
        }
    }

    /// The first instant after the range.
    pub fn end_micros(self) -> Option<i64> {
        self.to.map(|to| (to + 1) * DAY_MICROS)
    }

    /// ` AND column >= … AND column < …` for facts that start inside the range; empty for all.
    pub fn starts_inside(self, column: &str) -> String {
        let from = self.from.map(|from| format!(" AND {column} >= TIMESTAMP '{}'", time::iso(from * DAY_MICROS)));
        let to = self.end_micros().map(|end| format!(" AND {column} < TIMESTAMP '{}'", time::iso(end)));
        from.unwrap_or_default() + &to.unwrap_or_default()
    }

    /// ` AND …` for facts that hold at some instant of the range; empty for all.
    pub fn overlaps(self, valid_from: &str, valid_to: &str) -> String {
        let from = self.from.map(|from| {
            format!(" AND ({valid_to} IS NULL OR {valid_to} > TIMESTAMP '{}')", time::iso(from * DAY_MICROS))
        });
        let to = self.end_micros().map(|end| format!(" AND {valid_from} < TIMESTAMP '{}'", time::iso(end)));
        from.unwrap_or_default() + &to.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARCH_31: i64 = 20_543;

    #[test]
    fn what_an_address_says_reads_back() {
        for (from, to) in [(None, None), (Some("first"), None), (Some("2026-01-01"), Some("2026-03-31"))] {
            let (range, problem) = EffectiveRange::parse(from, to);
            assert_eq!(problem, None);
            let (a, b) = range.parameters();
            assert_eq!((a.as_deref(), b.as_deref()), (from, to));
        }
        for text in [None, Some("2026-03-31T18:00:00Z")] {
            assert_eq!(Known::parse(text).unwrap().parameter().as_deref(), text);
        }
        assert_eq!(Known::parse(Some("now")), Ok(Known::Now));
        assert!(Known::parse(Some("soon")).is_err());
    }

    #[test]
    fn the_usual_range_is_the_three_months_before_its_end() {
        let usual = EffectiveRange { start: Start::Usual, end: None };
        assert_eq!(usual.days(MARCH_31).text(), "from 31 Dec 2025");
        let ended = EffectiveRange { start: Start::Usual, end: Some(MARCH_31) };
        assert_eq!(ended.days(MARCH_31 + 200).text(), "31 Dec 2025 – 31 Mar 2026");
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_named() {
        let (range, problem) = EffectiveRange::parse(Some("2026-04-01"), Some("2026-03-31"));
        assert_eq!(range.start, Start::Usual);
        assert_eq!(problem.unwrap(), "the range ends on 31 Mar 2026, before it starts");
        assert!(EffectiveRange::parse(Some("x"), None).1.unwrap().contains("'x'"));
    }

    #[test]
    fn ranges_are_half_open_in_sql() {
        let days = Days { from: Some(MARCH_31), to: Some(MARCH_31) };
        assert_eq!(
            days.starts_inside("p.valid_from"),
            " AND p.valid_from >= TIMESTAMP '2026-03-31T00:00:00Z' AND p.valid_from < TIMESTAMP '2026-04-01T00:00:00Z'"
        );
        assert_eq!(
            days.overlaps("valid_from", "valid_to"),
            " AND (valid_to IS NULL OR valid_to > TIMESTAMP '2026-03-31T00:00:00Z') AND valid_from < TIMESTAMP '2026-04-01T00:00:00Z'"
        );
        assert_eq!(Days { from: None, to: None }.overlaps("a", "b"), "");
        assert_eq!(Known::At(0).clause(), " FOR SYSTEM_TIME AS OF TIMESTAMP '1970-01-01T00:00:00Z'");
        assert_eq!(Known::Now.clause(), "");
    }
}
