//! Lengths of time as people say them: `7d`, `3m`, `1y`.

use crate::format::time::{self, DAY_MICROS, HOUR_MICROS};

/// A length of time back from now; at least one of its unit, at most [`Span::MOST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Hours of 60 minutes.
    Hours(i64),
    /// Days of 24 hours.
    Days(i64),
    /// Calendar months.
    Months(i64),
}

impl Span {
    /// The greatest count of any unit.
    pub const MOST: i64 = 9_996;

    /// Reads `12h`, `7d`, `2w`, `3m` or `1y`.
    pub fn parse(text: &str) -> Option<Span> {
        let unit = text.chars().next_back()?;
        let digits = text.strip_suffix(unit)?;
        if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let count: i64 = digits.parse().ok()?;
        let (span, count) = match unit {
            'h' => (Span::Hours(count), count),
            'd' => (Span::Days(count), count),
            'w' => (Span::Days(count * 7), count * 7),
            'm' => (Span::Months(count), count),
            'y' => (Span::Months(count * 12), count * 12),
            _ => return None,
        };
        (1..=Span::MOST).contains(&count).then_some(span)
    }

    /// As [`Span::parse`] reads it, in the largest unit that fits: `12h`, `7d`, `3m`, `1y`.
    pub fn parameter(self) -> String {
        match self {
            Span::Hours(hours) => format!("{hours}h"),
            Span::Days(days) => format!("{days}d"),
            Span::Months(months) if months % 12 == 0 => format!("{}y", months / 12),
            Span::Months(months) => format!("{months}m"),
        }
    }

    /// `12 hours`, `1 day`, `3 months`, `1 year`.
    pub fn text(self) -> String {
        let (count, unit) = match self {
            Span::Hours(hours) => (hours, "hour"),
            Span::Days(days) => (days, "day"),
            Span::Months(months) if months % 12 == 0 => (months / 12, "year"),
            Span::Months(months) => (months, "month"),
        };
        format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
    }

    /// The day so long before a day; hours count as the days they fill.
    pub fn before_day(self, day: i64) -> i64 {
        match self {
            Span::Hours(hours) => day - hours / 24,
            Span::Days(days) => day - days,
            Span::Months(months) => time::months_before(day, months),
        }
    }

    /// The moment so long before a moment, both in microseconds.
    pub fn before_moment(self, micros: i64) -> i64 {
        match self {
            Span::Hours(hours) => micros - hours * HOUR_MICROS,
            Span::Days(days) => micros - days * DAY_MICROS,
            Span::Months(months) => {
                time::months_before(time::day_of(micros), months) * DAY_MICROS + micros.rem_euclid(DAY_MICROS)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_in_the_largest_unit() {
        for (text, written, said) in [
            ("7d", "7d", "7 days"),
            ("1w", "7d", "7 days"),
            ("12m", "1y", "1 year"),
            ("18m", "18m", "18 months"),
            ("1h", "1h", "1 hour"),
        ] {
            let span = Span::parse(text).unwrap();
            assert_eq!((span.parameter().as_str(), span.text().as_str()), (written, said));
        }
    }

    #[test]
    fn what_is_no_span_is_none() {
        for text in ["", "d", "0d", "7", "-7d", "+7d", "7x", "99999d", "9999y", "7 d", "٣d"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_month_before_the_last_of_march_is_the_last_of_february() {
        let march_31 = 20_543;
        assert_eq!(Span::Months(1).before_day(march_31), 20_512);
        assert_eq!(Span::Months(1).before_moment(march_31 * DAY_MICROS + 5), 20_512 * DAY_MICROS + 5);
        assert_eq!(Span::Hours(30).before_moment(march_31 * DAY_MICROS), 20_542 * DAY_MICROS - 6 * HOUR_MICROS);
    }
}
