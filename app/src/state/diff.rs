//! What an address asks to compare. Pure.

use super::coordinates::{Effective, Known, KnownChoice};
use crate::format::time::{self, DAY_MICROS};

/// Without an earlier known time in the address the page compares with the start of the day this many days ago.
const USUAL_DAYS_BACK: i64 = 7;

/// What happened to a row between A and B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only in B.
    Added,
    /// Only in A.
    Removed,
    /// In both, and not the same.
    Changed,
}

impl Kind {
    /// From its word.
    pub fn parse(word: &str) -> Option<Kind> {
        [Kind::Added, Kind::Removed, Kind::Changed].into_iter().find(|kind| kind.word() == word)
    }

    /// Stands before the word.
    pub fn sign(self) -> &'static str {
        match self {
            Kind::Added => "+",
            Kind::Removed => "−",
            Kind::Changed => "~",
        }
    }

    /// As addresses and answers name it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
        }
    }
}

/// What an address asks to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffChoice {
    /// The known time of A.
    pub a: KnownChoice,
    /// The known time of B.
    pub b: KnownChoice,
    /// The effective range of both, or the day of B.
    pub effective: Effective,
    /// The day of A, where it is not that of B and B is read at one day.
    pub a_day: Option<i64>,
    /// What in the address could not be read.
    pub problem: Option<String>,
}

impl DiffChoice {
    /// Reads the parameters `a`, `b`, `a-on` and those of the effective time.
    pub fn read(get: impl Fn(&str) -> Option<String>, today: i64) -> DiffChoice {
        let (effective, effective_problem) = Effective::read(&get);
        let usual = KnownChoice::Exactly(Known::At((today - USUAL_DAYS_BACK) * DAY_MICROS));
        let a = get("a").map_or(Ok(usual), |text| KnownChoice::parse(Some(&text)));
        let b = KnownChoice::parse(get("b").as_deref());
        let a_day = get("a-on").map(|text| time::parse_field(&text).map(time::day_of)).transpose();
        let problems = [effective_problem, a.clone().err(), b.clone().err(), a_day.clone().err()];
        let a_day = a_day.ok().flatten().filter(|_| matches!(effective, Effective::On(_)));
        DiffChoice {
            a: a.unwrap_or(usual),
            b: b.unwrap_or(KnownChoice::NOW),
            effective,
            a_day,
            problem: problems.into_iter().flatten().next(),
        }
    }

    /// The address parameter of A's known time, which is not now by itself.
    pub fn a_parameter(a: KnownChoice) -> String {
        a.parameter().unwrap_or_else(|| "now".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_parameters_compares_a_week_ago_with_now() {
        let choice = DiffChoice::read(|_| None, 20_543);
        assert_eq!(choice.a, KnownChoice::Exactly(Known::At(20_536 * DAY_MICROS)));
        assert_eq!((choice.b, choice.a_day, choice.problem), (KnownChoice::NOW, None, None));
        assert_eq!(choice.effective.days(20_543).text(), "from 31 Dec 2025");
    }

    #[test]
    fn what_cannot_be_read_is_named_and_replaced() {
        let choice = DiffChoice::read(|name| (name == "a").then(|| "yesterday".to_owned()), 20_543);
        assert!(choice.problem.unwrap().contains("'yesterday'"));
        assert_eq!(choice.a, KnownChoice::Exactly(Known::At(20_536 * DAY_MICROS)));
        assert_eq!(DiffChoice::read(|name| (name == "a").then(|| "now".to_owned()), 20_543).a, KnownChoice::NOW);
    }

    #[test]
    fn a_day_of_its_own_belongs_to_a_day() {
        let read = |effective: (&'static str, &'static str)| {
            let get = |name: &str| match name {
                "a-on" => Some("2026-03-01".to_owned()),
                name if name == effective.0 => Some(effective.1.to_owned()),
                _ => None,
            };
            DiffChoice::read(get, 20_543).a_day
        };
        assert_eq!(read(("on", "2026-03-31")), Some(20_513));
        assert_eq!(read(("last", "7d")), None);
    }

    #[test]
    fn every_kind_is_known_by_its_word() {
        for kind in [Kind::Added, Kind::Removed, Kind::Changed] {
            assert_eq!(Kind::parse(kind.word()), Some(kind));
        }
        assert_eq!(Kind::parse("moved"), None);
    }
}
