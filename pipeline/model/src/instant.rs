//! Instants: parsing and writing. Accepts RFC 3339 and ISO dates; a bare date is midnight UTC.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat};
use serde::{Deserialize, Serialize};

/// The unbounded end of an interval, where microseconds are compared. Stored and shown as null.
pub const OPEN: i64 = i64::MAX;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A moment in UTC, in microseconds since 1970-01-01. Serialised as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Instant {
    /// Microseconds since 1970-01-01 UTC.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Parses `2026-03-31`, `2026-03-31T18:00:00Z`, `2026-03-31T18:00:00.123456+02:00`, and the same with a space.
    /// A time of day without a zone is UTC. Digits beyond microseconds are refused rather than rounded.
    pub fn parse(text: &str) -> Result<Instant, String> {
        if let Some(micros) = parse_fixed(text.as_bytes()) {
            return Ok(Instant(micros));
        }
        parse_general(text).map(Instant)
    }

    /// Parses an ISO date to days since 1970-01-01.
    pub fn parse_date_days(text: &str) -> Result<i32, String> {
        if let Some(days) = parse_date_bytes(text.as_bytes()) {
            return i32::try_from(days).map_err(|_| out_of_range(text));
        }
        let date = parse_long_date(text)
            .ok_or_else(|| format!("'{}' is not an ISO date such as 2026-03-31", shorten(text)))?;
        let days = date.signed_duration_since(NaiveDate::default()).num_days();
        i32::try_from(days).map_err(|_| out_of_range(text))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_micros(self.0) {
            Some(moment) => f.write_str(&moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => write!(f, "{} µs", self.0),
        }
    }
}

impl Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
        let text = String::deserialize(deserializer)?;
        Instant::parse(&text).map_err(serde::de::Error::custom)
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

fn out_of_range(text: &str) -> String {
    format!("'{}' is outside the range of timestamps", shorten(text))
}

/// A date whose parts are not all of their usual length: years beyond 9999 have a sign, months and days may have one digit.
fn parse_long_date(text: &str) -> Option<NaiveDate> {
    let unsigned = text.strip_prefix(['+', '-']);
    let mut parts = unsigned.unwrap_or(text).split('-');
    let mut part = |most: usize| {
        let part = parts.next().filter(|part| (1..=most).contains(&part.len()))?;
        digits(part.as_bytes())
    };
    let year = i32::try_from(part(if unsigned.is_some() { 6 } else { 4 })?).ok()?;
    let (month, day) = (u32::try_from(part(2)?).ok()?, u32::try_from(part(2)?).ok()?);
    let year = if text.starts_with('-') { -year } else { year };
    parts.next().is_none().then(|| NaiveDate::from_ymd_opt(year, month, day))?
}

/// A time of day whose parts may have one digit. By the reader of RFC 3339: formats that are given as text bring a parser of their
/// own into every page.
fn parse_time_of_day(text: &str) -> Option<NaiveTime> {
    let mut parts = text.splitn(3, ':').map(|part| {
        let missing = if part.split('.').next().is_some_and(|whole| whole.len() == 1) { "0" } else { "" };
        format!("{missing}{part}")
    });
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let moment = DateTime::parse_from_rfc3339(&format!("1970-01-01T{hour}:{minute}:{second}Z")).ok()?;
    Some(moment.time())
}

fn parse_general(text: &str) -> Result<i64, String> {
    let naive = || {
        let (date, time) = text.split_once(['T', ' '])?;
        Some(parse_long_date(date)?.and_time(parse_time_of_day(time)?).and_utc().fixed_offset())
    };
    let moment = DateTime::parse_from_rfc3339(text)
        .or_else(|_| naive().ok_or(()))
        .or_else(|_| Instant::parse_date_days(text).map(|days| midnight(days).fixed_offset()))
        .map_err(|_: String| {
            format!("'{}' is not an RFC 3339 time or ISO date such as 2026-03-31T18:00:00Z", shorten(text))
        })?;
    let nanos = moment.timestamp_subsec_nanos();
    if !nanos.is_multiple_of(1_000) {
        return Err(format!("'{}' is finer than microseconds", shorten(text)));
    }
    let micros = moment.timestamp_micros();
    if micros == OPEN { Err(out_of_range(text)) } else { Ok(micros) }
}

fn midnight(days: i32) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp_micros(i64::from(days) * MICROS_PER_DAY).unwrap_or_default()
}

/// The common shapes, without allocation: `YYYY-MM-DD`, then optionally `THH:MM:SS[.f{1,6}]Z`.
fn parse_fixed(text: &[u8]) -> Option<i64> {
    let day = parse_date_bytes(text.get(..10)?)? * MICROS_PER_DAY;
    if text.len() == 10 {
        return Some(day);
    }
    let (last, rest) = text.get(10..)?.split_last()?;
    if *last != b'Z' || rest.len() < 9 || !matches!(rest[0], b'T' | b' ') || rest[3] != b':' || rest[6] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(&rest[1..3])?, digits(&rest[4..6])?, digits(&rest[7..9])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = match rest.get(9..)? {
        [] => 0,
        [b'.', f @ ..] if (1..=6).contains(&f.len()) => digits(f)? * 10_i64.pow(6 - f.len() as u32),
        _ => return None,
    };
    Some(day + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction)
}

fn parse_date_bytes(text: &[u8]) -> Option<i64> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..])?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if !(1..=12).contains(&month) || day < 1 || day > length[(month - 1) as usize] {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

/// Days since 1970-01-01 of a proleptic Gregorian date.
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0_i64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_date_is_midnight_utc() {
        assert_eq!(Instant::parse("1970-01-02"), Ok(Instant(MICROS_PER_DAY)));
        assert_eq!(Instant::parse("2008-06-30").unwrap().to_string(), "2008-06-30T00:00:00Z");
    }

    #[test]
    fn the_quick_and_the_general_parser_agree() {
        for text in ["2024-02-29T23:59:59.5Z", "1968-01-01", "0001-01-01T00:00:00Z", "2012-09-23 08:06:58.000001Z"] {
            assert_eq!(parse_fixed(text.as_bytes()), parse_general(&text.replace(' ', "T")).ok(), "{text}");
            assert!(parse_fixed(text.as_bytes()).is_some(), "{text}");
        }
        assert_eq!(Instant::parse("2026-03-31T20:00:00+02:00"), Instant::parse("2026-03-31T18:00:00Z"));
    }

    #[test]
    fn a_time_without_a_zone_is_utc_and_a_date_may_be_written_at_length() {
        for text in [
            "2026-03-31T18:00:00",
            "2026-03-31 18:00:00.000",
            "2026-03-31t18:00:00z",
            "2026-3-31 18:0:0",
            "+2026-03-31T18:0:00",
        ] {
            assert_eq!(Instant::parse(text), Instant::parse("2026-03-31T18:00:00Z"), "{text}");
        }
        assert_eq!(Instant::parse("2026-03-31T18:00:00.000001"), Instant::parse("2026-03-31T18:00:00.000001Z"));
        assert_eq!(Instant::parse_date_days("+1970-01-02"), Ok(1));
        assert_eq!(Instant::parse_date_days("-0001-01-01"), Ok(-719_893));
        assert_eq!(Instant::parse_date_days("2026-3-1"), Instant::parse_date_days("2026-03-01"));
        assert_eq!(Instant::parse_date_days("+12026-01-01").map(|days| days > 3_600_000), Ok(true));
        for text in
            ["2026-03-31T18:00:00", "12026-01-01", "2026-03", "2026-03-31-1", "2026-3-+1", "--1-01-01", "2026-2-30"]
        {
            assert!(Instant::parse_date_days(text).is_err(), "{text}");
        }
        assert_eq!(Instant::parse("2026-03-31 8:5:1.25"), Instant::parse("2026-03-31T08:05:01.25Z"));
        for text in [
            "2026-03-31 18:00:00 ",
            "2026-03-31 18:00",
            "2026-03-31 é:00:00",
            "2026-03-31 018:00:00",
            "2026-03-31T18:00:00ZZ",
        ] {
            assert!(Instant::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused_with_the_text_that_was_given() {
        for text in ["", "2023-02-29", "2026-13-01", "yesterday", "2026-03-31T25:00:00Z", "1700000000000"] {
            assert!(Instant::parse(text).unwrap_err().contains(text), "{text}");
        }
        assert!(Instant::parse("2026-03-31T18:00:00.0000001Z").unwrap_err().contains("finer than microseconds"));
    }
}
