//! The earlier period that a range is compared with.

use super::Days;
use crate::format::time;

/// Which earlier period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// The period of the same length just before.
    Previous,
    /// The same days a year before.
    YearBefore,
}

/// An earlier period, and how far it lies back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Its days; both ends are there.
    pub days: Days,
    /// Days from its first to the first of the range it is compared with: so far its values are moved to lie over those.
    pub shift_days: i64,
}

impl Compare {
    /// Reads the address parameter `vs`: `prev`, `1y`, `none` or missing.
    pub fn parse(parameter: Option<&str>) -> Result<Option<Compare>, String> {
        match parameter.map(str::trim) {
            None | Some("" | "none") => Ok(None),
            Some("prev") => Ok(Some(Compare::Previous)),
            Some("1y") => Ok(Some(Compare::YearBefore)),
            Some(text) => {
                let text: String = text.chars().take(40).collect();
                Err(format!("'{text}' is no comparison; there are prev and 1y"))
            }
        }
    }

    /// The address parameter.
    pub fn parameter(self) -> &'static str {
        match self {
            Compare::Previous => "prev",
            Compare::YearBefore => "1y",
        }
    }

    /// The earlier period for a range, whose missing end is a day called today. A range without a first day has none.
    pub fn of(self, days: Days, today: i64) -> Option<Compared> {
        let from = days.from?;
        let to = days.to.unwrap_or(today).max(from);
        let earlier = match self {
            Compare::Previous => from - (to - from + 1),
            Compare::YearBefore => time::months_before(from, 12),
        };
        let last = match self {
            Compare::Previous => from - 1,
            Compare::YearBefore => time::months_before(to, 12),
        };
        Some(Compared { days: Days { from: Some(earlier), to: Some(last) }, shift_days: from - earlier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JANUARY_1: i64 = 20_454;
    const MARCH_31: i64 = 20_543;

    #[test]
    fn the_period_before_is_as_long_and_ends_the_day_before() {
        let quarter = Days { from: Some(JANUARY_1), to: Some(MARCH_31) };
        let before = Compare::Previous.of(quarter, MARCH_31 + 100).unwrap();
        assert_eq!(before.days.text(), "3 Oct – 31 Dec 2025");
        assert_eq!(before.shift_days, 90);
        let day = Days { from: Some(MARCH_31), to: Some(MARCH_31) };
        assert_eq!(Compare::Previous.of(day, 0).unwrap().days.text(), "30 Mar 2026");
    }

    #[test]
    fn a_year_before_has_the_same_days_of_the_calendar() {
        let open = Days { from: Some(JANUARY_1), to: None };
        let before = Compare::YearBefore.of(open, MARCH_31).unwrap();
        assert_eq!(before.days.text(), "1 Jan – 31 Mar 2025");
        assert_eq!(before.shift_days, 365);
    }

    #[test]
    fn all_facts_have_no_earlier_period() {
        assert_eq!(Compare::Previous.of(Days { from: None, to: Some(MARCH_31) }, MARCH_31), None);
        assert!(Compare::parse(Some("yesterday")).unwrap_err().contains("'yesterday'"));
    }
}
