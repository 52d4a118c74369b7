//! The valid time of a page: a day, a range, the last so many days, or all.

use super::{Days, Span};
use crate::{format::time, state::address::Change};

/// A choice of valid time, in whole days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effective {
    /// One day.
    On(i64),
    /// From a day to a day, both included; a missing end is the first or the last fact there is.
    Between {
        /// First day.
        from: Option<i64>,
        /// Last day, not before the first.
        to: Option<i64>,
    },
    /// What ends with the last fact and moves with today.
    Last(Recent),
}

/// Where a range that moves with today starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recent {
    /// So long ago; never in hours.
    Span(Span),
    /// On the first of January.
    YearToDate,
    /// On the first of the month.
    MonthToDate,
}

impl Recent {
    /// Reads `7d`, `3m`, `1y`, `ytd` or `mtd`.
    pub fn parse(text: &str) -> Option<Recent> {
        match text {
            "ytd" => Some(Recent::YearToDate),
            "mtd" => Some(Recent::MonthToDate),
            _ => Span::parse(text).filter(|span| !matches!(span, Span::Hours(_))).map(Recent::Span),
        }
    }

    /// As [`Recent::parse`] reads it.
    pub fn parameter(self) -> String {
        match self {
            Recent::Span(span) => span.parameter(),
            Recent::YearToDate => "ytd".to_owned(),
            Recent::MonthToDate => "mtd".to_owned(),
        }
    }

    fn first_day(self, today: i64) -> i64 {
        let date = time::civil(today);
        match self {
            Recent::Span(span) => span.before_day(today),
            Recent::YearToDate => time::days_from_civil(date.year, 1, 1),
            Recent::MonthToDate => time::days_from_civil(date.year, date.month, 1),
        }
    }
}

impl Effective {
    /// What an address without parameters means: the last three months.
    pub const USUAL: Effective = Effective::Last(Recent::Span(Span::Months(3)));
    /// All facts.
    pub const ALL: Effective = Effective::Between { from: None, to: None };

    /// Reads the parameters `on`, `last`, or `from` (`first` or a day) and `to` (a day or `latest`) of an address. `to` alone
    /// is the three months before that day. What cannot be read is named, and the usual stands in for it.
    pub fn read(get: &impl Fn(&str) -> Option<String>) -> (Effective, Option<String>) {
        let text = |name: &str| get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let (on, last, from, to) = (text("on"), text("last"), text("from"), text("to"));
        let given = [on.is_some(), last.is_some(), from.is_some() || to.is_some()];
        if given.into_iter().filter(|given| *given).count() > 1 {
            let reason = "only one of on, last, and from with to can stand in an address";
            return (Effective::USUAL, Some(reason.to_owned()));
        }
        let read = match (on, last) {
            (Some(on), _) => day(&on).map(Effective::On),
            (_, Some(last)) => Recent::parse(&last).map(Effective::Last).ok_or_else(|| no_span(&last)),
            _ => between(from.as_deref(), to.as_deref()),
        };
        read.map_or_else(|reason| (Effective::USUAL, Some(reason)), |effective| (effective, None))
    }

    /// The parameters `on`, `last`, `from` and `to`; those it does not need are removed.
    pub fn changes(self) -> [Change; 4] {
        let (mut on, mut last, mut first, mut end) = (None, None, None, None);
        match self {
            Effective::On(day) => on = Some(time::iso_day(day)),
            Effective::USUAL => {}
            Effective::Last(recent) => last = Some(recent.parameter()),
            Effective::Between { from, to } => {
                first = Some(from.map_or_else(|| "first".to_owned(), time::iso_day));
                end = to.map(time::iso_day);
            }
        }
        [("on", on), ("last", last), ("from", first), ("to", end)]
    }

    /// Reads what is typed: `all`, `7d`, `3m`, `last 1y`, `ytd`, a day, or two days with `–`, `to` or `..` between them, each
    /// of which may be missing.
    pub fn parse_field(text: &str) -> Result<Effective, String> {
        let lower = text.trim().to_lowercase();
        let bare = lower.strip_prefix("last ").unwrap_or(&lower).trim();
        if let Some(recent) = Recent::parse(bare) {
            return Ok(Effective::Last(recent));
        }
        if lower == "all" {
            return Ok(Effective::ALL);
        }
        let dashed = lower.replace("..", "–").replace(" to ", "–").replace(" - ", "–").replace('—', "–");
        let read = match dashed.split_once('–') {
            Some((from, to)) => {
                let from = Some(from.trim()).filter(|from| !from.is_empty()).unwrap_or("first");
                between(Some(from), Some(to.trim()))
            }
            None => day(&lower).map(Effective::On),
        };
        read.map_err(|reason| match reason.starts_with('\'') {
            true => format!(
                "'{}' is no day or range such as 2026-03-31, 2026-01-01 – 2026-03-31, 3m, ytd or all",
                cut(text)
            ),
            false => reason,
        })
    }

    /// As [`Effective::parse_field`] reads it: `2026-03-31`, `2026-01-01 – 2026-03-31`, `last 3m`, `all`.
    pub fn field_text(self) -> String {
        match self {
            Effective::On(day) => time::iso_day(day),
            Effective::Last(recent) => format!("last {}", recent.parameter()),
            Effective::ALL => "all".to_owned(),
            Effective::Between { from, to } => {
                let end = |day: Option<i64>, word: &str| day.map_or_else(|| word.to_owned(), time::iso_day);
                format!("{} – {}", end(from, "first"), end(to, "latest"))
            }
        }
    }

    /// The days, seen from a day called today.
    pub fn days(self, today: i64) -> Days {
        match self {
            Effective::On(day) => Days { from: Some(day), to: Some(day) },
            Effective::Between { from, to } => Days { from, to },
            Effective::Last(recent) => Days { from: Some(recent.first_day(today)), to: None },
        }
    }
}

fn cut(text: &str) -> String {
    text.trim().chars().take(40).collect()
}

fn no_span(text: &str) -> String {
    format!("'{}' is no length of time such as 7d, 3m, 1y, ytd or mtd", cut(text))
}

fn day(text: &str) -> Result<i64, String> {
    time::parse_field(text).map(time::day_of)
}

fn between(from: Option<&str>, to: Option<&str>) -> Result<Effective, String> {
    let to = to.filter(|to| !matches!(*to, "" | "latest" | "now")).map(day).transpose()?;
    let from = match (from, to) {
        (None, None) => return Ok(Effective::USUAL),
        (None, Some(to)) => Some(time::months_before(to, 3)),
        (Some("first"), _) => None,
        (Some(from), _) => Some(day(from)?),
    };
    match (from, to) {
        (Some(from), Some(to)) if from > to => {
            Err(format!("the range ends on {}, before it starts", time::day_text(to)))
        }
        _ => Ok(Effective::Between { from, to }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARCH_31: i64 = 20_543;

    fn read(pairs: &[(&str, &str)]) -> (Effective, Option<String>) {
        Effective::read(&|name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
    }

    #[test]
    fn the_usual_range_is_the_last_three_months() {
        assert_eq!(read(&[]), (Effective::USUAL, None));
        assert_eq!(Effective::USUAL.days(MARCH_31).text(), "from 31 Dec 2025");
        let (ended, _) = read(&[("to", "2026-03-31")]);
        assert_eq!(ended.days(MARCH_31 + 200).text(), "31 Dec 2025 – 31 Mar 2026");
    }

    #[test]
    fn ranges_that_move_with_today_start_where_their_name_says() {
        let first = |last: &str| read(&[("last", last)]).0.days(MARCH_31).text();
        assert_eq!(first("7d"), "from 24 Mar 2026");
        assert_eq!(first("1y"), "from 31 Mar 2025");
        assert_eq!(first("ytd"), "from 1 Jan 2026");
        assert_eq!(first("mtd"), "from 1 Mar 2026");
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_named() {
        let (effective, problem) = read(&[("from", "2026-04-01"), ("to", "2026-03-31")]);
        assert_eq!(effective, Effective::USUAL);
        assert_eq!(problem.unwrap(), "the range ends on 31 Mar 2026, before it starts");
        for (name, text) in [("from", "x"), ("on", "x"), ("last", "x"), ("to", "x")] {
            assert!(read(&[(name, text)]).1.unwrap().contains("'x'"), "{name}");
        }
        assert!(read(&[("on", "2026-03-31"), ("last", "7d")]).1.unwrap().contains("only one of"));
    }

    #[test]
    fn what_a_field_shows_reads_back_and_so_does_what_people_type() {
        let between = |from, to| Effective::Between { from, to };
        for effective in [
            Effective::On(MARCH_31),
            Effective::USUAL,
            Effective::ALL,
            Effective::Last(Recent::MonthToDate),
            between(Some(MARCH_31), None),
            between(None, Some(MARCH_31)),
            between(Some(MARCH_31 - 90), Some(MARCH_31)),
        ] {
            assert_eq!(Effective::parse_field(&effective.field_text()), Ok(effective));
        }
        let march = between(Some(MARCH_31 - 30), Some(MARCH_31));
        for text in
            ["2026-03-01 to 2026-03-31", "2026-03-01..2026-03-31", "2026-03-01 - 2026-03-31", "2026-03-01–2026-03-31"]
        {
            assert_eq!(Effective::parse_field(text), Ok(march), "{text}");
        }
        assert_eq!(Effective::parse_field("2026-03-31 –"), Ok(between(Some(MARCH_31), None)));
        assert_eq!(Effective::parse_field("1Y"), Ok(Effective::Last(Recent::Span(Span::Months(12)))));
        assert!(Effective::parse_field("last spring").unwrap_err().contains("'last spring' is no day or range"));
        assert!(Effective::parse_field("2026-04-01 – 2026-03-31").unwrap_err().contains("before it starts"));
    }
}
