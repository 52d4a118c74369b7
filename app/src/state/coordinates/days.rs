//! A range of valid time with its days worked out.

use crate::format::time::{self, DAY_MICROS};

/// Whole days, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// First day, in days since 1970-01-01; `None` is the first fact there is.
    pub from: Option<i64>,
    /// Last day; `None` is the last fact there is.
    pub to: Option<i64>,
}

impl Days {
    /// `31 Mar 2026`, `1 Jan – 31 Mar 2026`, `from 1 Jan 2026`, `until 31 Mar 2026` or `all`.
    pub fn text(self) -> String {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from == to => time::day_text(from),
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
    }

    #[test]
    fn days_read_as_people_write_them() {
        let text = |from, to| Days { from, to }.text();
        assert_eq!(text(Some(MARCH_31), Some(MARCH_31)), "31 Mar 2026");
        assert_eq!(text(Some(MARCH_31), None), "from 31 Mar 2026");
        assert_eq!(text(None, Some(MARCH_31)), "until 31 Mar 2026");
        assert_eq!(text(None, None), "all");
    }
}
