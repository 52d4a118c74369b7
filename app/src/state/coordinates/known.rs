//! The system time of a page: now, a moment, so long ago, or what each fact was when it was first published.

use super::Span;
use crate::format::time::{self, DAY_MICROS, HOUR_MICROS, SECOND_MICROS};

/// The system time that is read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The last commit, whatever it is.
    Now,
    /// A moment in the past, in microseconds.
    At(i64),
    /// Of each fact what was known of it first.
    First,
}

/// A choice of system time, as the address carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownChoice {
    /// It does not move with the clock.
    Exactly(Known),
    /// So long before now.
    Ago(Span),
}

impl Known {
    /// The moment, where it is one.
    pub fn instant(self) -> Option<i64> {
        match self {
            Known::Now | Known::First => None,
            Known::At(micros) => Some(micros),
        }
    }

    /// `now`, the moment, or `as first published`.
    pub fn text(self) -> String {
        match self {
            Known::Now => "now".to_owned(),
            Known::At(micros) => time::moment_text(micros),
            Known::First => "as first published".to_owned(),
        }
    }

    /// The `system_time` of a request that reads at this time; now needs none.
    pub fn system_time(self) -> Option<String> {
        match self {
            Known::Now => None,
            Known::At(micros) => Some(time::iso(micros)),
            Known::First => Some("first-published".to_owned()),
        }
    }

    /// A table, for the FROM of a statement, read at this time. `name` is quoted where it has to be.
    pub fn table(self, name: &str) -> String {
        match self {
            Known::Now => name.to_owned(),
            Known::At(micros) => format!("{name} FOR SYSTEM_TIME AS OF TIMESTAMP '{}'", time::iso(micros)),
            Known::First => format!("first_published({name})"),
        }
    }
}

impl KnownChoice {
    /// What an address without the parameter means.
    pub const NOW: KnownChoice = KnownChoice::Exactly(Known::Now);

    /// Reads an address parameter or what is typed: missing or `now`, `first`, `-7d`, or a time.
    pub fn parse(parameter: Option<&str>) -> Result<KnownChoice, String> {
        let text = parameter.unwrap_or_default().trim();
        let ago = text.strip_prefix(['-', '−']).or_else(|| text.strip_suffix(" ago"));
        match (text, ago.and_then(Span::parse)) {
            ("" | "now", _) => Ok(KnownChoice::NOW),
            ("first" | "first published" | "as first published", _) => Ok(KnownChoice::Exactly(Known::First)),
            (_, Some(span)) => Ok(KnownChoice::Ago(span)),
            _ => time::parse_field(text).map(|micros| KnownChoice::Exactly(Known::At(micros))),
        }
    }

    /// The address parameter; now needs none. A midnight is a date.
    pub fn parameter(self) -> Option<String> {
        match self {
            KnownChoice::Exactly(Known::Now) => None,
            KnownChoice::Exactly(Known::First) => Some("first".to_owned()),
            KnownChoice::Exactly(Known::At(micros)) if micros.rem_euclid(DAY_MICROS) == 0 => {
                Some(time::iso_day(time::day_of(micros)))
            }
            KnownChoice::Exactly(Known::At(micros)) => Some(time::iso(micros)),
            KnownChoice::Ago(span) => Some(format!("-{}", span.parameter())),
        }
    }

    /// As [`KnownChoice::parse`] reads it, for a typed field.
    pub fn field_text(self) -> String {
        match self {
            KnownChoice::Exactly(Known::At(micros)) => time::field_text(micros),
            KnownChoice::Exactly(known) => known.text(),
            KnownChoice::Ago(span) => format!("-{}", span.parameter()),
        }
    }

    /// The time to read at, seen from a moment called now. What is so long ago moves by the hour, or by the minute where it is
    /// counted in hours. Nothing is later than the last commit, at which the same was known.
    pub fn at(self, now: i64, last_commit: Option<i64>) -> Known {
        let moment = match self {
            KnownChoice::Exactly(Known::At(micros)) => micros,
            KnownChoice::Exactly(known) => return known,
            KnownChoice::Ago(span) => {
                let grain = if matches!(span, Span::Hours(_)) { 60 * SECOND_MICROS } else { HOUR_MICROS };
                span.before_moment(now).div_euclid(grain) * grain
            }
        };
        Known::At(last_commit.map_or(moment, |last| moment.min(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPRING: i64 = 1_774_980_000_000_000;

    #[test]
    fn a_table_is_read_at_the_time_that_was_chosen() {
        assert_eq!(Known::Now.table("prices"), "prices");
        assert_eq!(Known::At(0).table("prices"), "prices FOR SYSTEM_TIME AS OF TIMESTAMP '1970-01-01T00:00:00Z'");
        assert_eq!(Known::First.table("\"a b\""), "first_published(\"a b\")");
    }

    #[test]
    fn every_way_to_say_a_time_is_read() {
        let parse = |text| KnownChoice::parse(Some(text));
        assert_eq!(KnownChoice::parse(None), Ok(KnownChoice::NOW));
        assert_eq!(parse("now"), Ok(KnownChoice::NOW));
        assert_eq!(parse("first").unwrap().field_text(), "as first published");
        assert_eq!(parse("7d ago").unwrap().parameter().as_deref(), Some("-7d"));
        assert_eq!(parse("2026-03-31").unwrap().parameter().as_deref(), Some("2026-03-31"));
        assert_eq!(parse("2026-03-31T18:00:00Z"), Ok(KnownChoice::Exactly(Known::At(SPRING))));
        assert!(parse("soon").unwrap_err().contains("'soon'"));
    }

    #[test]
    fn so_long_ago_moves_by_the_hour() {
        let week = KnownChoice::Ago(Span::Days(7));
        let before = week.at(SPRING + 59 * 60 * SECOND_MICROS, None);
        assert_eq!(before, Known::At(SPRING - 7 * DAY_MICROS));
        assert_eq!(KnownChoice::Ago(Span::Hours(1)).at(SPRING + 1, None), Known::At(SPRING - HOUR_MICROS));
    }

    #[test]
    fn nothing_is_read_after_the_last_commit() {
        let choice = KnownChoice::Exactly(Known::At(SPRING));
        assert_eq!(choice.at(SPRING + 1, Some(SPRING - 5)), Known::At(SPRING - 5));
        assert_eq!(KnownChoice::NOW.at(SPRING, Some(0)), Known::Now);
    }
}
