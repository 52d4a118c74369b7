//! Instants and days as people read them, and as they type them. Instants are written in the reader's zone and say so; days
//! are calendar days, the same in every zone. Addresses and SQL are in UTC whoever reads.

use model::Instant;

use super::{
    style::{Style, with_style},
    zone::split_offset,
};

/// Microseconds in a day.
pub const DAY_MICROS: i64 = 86_400_000_000;
/// Microseconds in an hour.
pub const HOUR_MICROS: i64 = 3_600_000_000;
/// Microseconds in a second.
pub const SECOND_MICROS: i64 = 1_000_000;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: i64,
    /// Day of the month, 1 to 31.
    pub day: i64,
}

/// The date so many days after 1970-01-01.
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
pub fn civil(days: i64) -> Civil {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    Civil { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
}

/// Days since 1970-01-01 of a date; a month outside 1 to 12 carries into the year.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The same day so many months earlier, or that month's last day where it is shorter.
pub fn months_before(days: i64, months: i64) -> i64 {
    let date = civil(days);
    let first = days_from_civil(date.year, date.month - months, 1);
    let length = days_from_civil(date.year, date.month - months + 1, 1) - first;
    first + date.day.min(length) - 1
}

/// The day an instant lies in, in days since 1970-01-01.
pub fn day_of(micros: i64) -> i64 {
    micros.div_euclid(DAY_MICROS)
}

/// `31 Mar 2026`.
pub fn day_text(days: i64) -> String {
    with_style(|style| style.locale.day(days))
}

/// `31 Mar`, where the year is plain.
pub fn day_of_year_text(days: i64) -> String {
    with_style(|style| style.locale.day_of_year(days))
}

/// `Mar 2026`, months from 1.
pub fn month_text(year: i64, month: i64) -> String {
    with_style(|style| style.locale.month(year, month))
}

/// `1 Jan – 31 Mar 2026`, with the first year only where it differs.
pub fn day_range_text(from: i64, to: i64) -> String {
    with_style(|style| style.locale.day_range(from, to))
}

/// Short name of a month, 1 to 12.
pub fn month_name(month: i64) -> &'static str {
    MONTHS[(month - 1).rem_euclid(12) as usize]
}

/// `18:00`, or `18:00:05` where there are seconds, or `18:00:05.25` where there is a fraction, of a clock that shows so many
/// microseconds.
fn clock(micros: i64, decimal: char) -> String {
    let of_day = micros.rem_euclid(DAY_MICROS);
    let seconds = of_day / SECOND_MICROS;
    let mut text = format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
    let fraction = of_day % SECOND_MICROS;
    if seconds % 60 != 0 || fraction != 0 {
        text.push_str(&format!(":{:02}", seconds % 60));
    }
    if fraction != 0 {
        text.push(decimal);
        text.push_str(format!("{fraction:06}").trim_end_matches('0'));
    }
    text
}

/// As [`clock`] to whole seconds, always with them.
fn clock_seconds(micros: i64) -> String {
    let seconds = micros.div_euclid(SECOND_MICROS).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// A moment in a style: `31 Mar 2026, 18:00 UTC`, to the microsecond where there is more.
pub fn moment(micros: i64, style: &Style) -> String {
    let shown = style.zone.clock_micros(micros);
    let (day, clock) = (style.locale.day(day_of(shown)), clock(shown, style.locale.decimal));
    format!("{day}, {clock} {}", style.zone.text_at(micros))
}

/// `18:00`, or with seconds and fraction where there are some, in the reader's zone, which is not named: for axes.
pub fn clock_text(micros: i64) -> String {
    with_style(|style| clock(style.zone.clock_micros(micros), style.locale.decimal))
}

/// `31 Mar 2026, 18:00 UTC`, to the microsecond where there is more.
pub fn moment_text(micros: i64) -> String {
    with_style(|style| moment(micros, style))
}

/// The day of an instant in the reader's zone: `31 Mar 2026`.
pub fn moment_day_text(micros: i64) -> String {
    with_style(|style| style.locale.day(day_of(style.zone.clock_micros(micros))))
}

/// `31 Mar 2026, 18:00:05 UTC`: whole seconds, for times that tick.
pub fn moment_seconds_text(micros: i64) -> String {
    format!("{}, {}", moment_day_text(micros), clock_seconds_text(micros))
}

/// `18:00:05 UTC`.
pub fn clock_seconds_text(micros: i64) -> String {
    with_style(|style| format!("{} {}", clock_seconds(style.zone.clock_micros(micros)), style.zone.text_at(micros)))
}

/// `31 Mar 2026` for a midnight of UTC, which is a day, else as [`moment_text`]: for valid times, which mostly are days.
pub fn valid_text(micros: i64) -> String {
    if micros.rem_euclid(DAY_MICROS) == 0 { day_text(day_of(micros)) } else { moment_text(micros) }
}

/// `2026-03-31`.
pub fn iso_day(days: i64) -> String {
    let date = civil(days);
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// `2026-03-31T18:00:00Z`, with a fraction only where there is one: for links and SQL.
pub fn iso(micros: i64) -> String {
    let mut clock = clock(micros, '.');
    if clock.len() == 5 {
        clock.push_str(":00");
    }
    format!("{}T{clock}Z", iso_day(day_of(micros)))
}

/// `2026-03-31 18:00 UTC`: what a typed field shows, in the reader's zone. [`parse_field`] reads it back.
pub fn field_text(micros: i64) -> String {
    with_style(|style| field(micros, style))
}

fn field(micros: i64, style: &Style) -> String {
    let shown = style.zone.clock_micros(micros);
    format!("{} {} {}", iso_day(day_of(shown)), clock(shown, '.'), style.zone.text_at(micros))
}

/// Reads what people type and what addresses say: an ISO date, or a date and time with or without seconds, with `UTC`,
/// `UTC+2`, `Z`, an offset or nothing, which is UTC.
pub fn parse_field(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let (bare, ahead_secs) = split_offset(text).unwrap_or((text, 0));
    let minutes_only = bare.len() == 16 && bare.is_ascii() && bare.as_bytes()[13] == b':';
    let full = if minutes_only { format!("{bare}:00Z") } else { bare.to_owned() };
    match Instant::parse(&full) {
        Ok(instant) => Ok(instant.micros().saturating_sub(ahead_secs * SECOND_MICROS)),
        Err(_) => {
            Err(format!("'{}' is not a time such as 2026-03-31 18:00 UTC", text.chars().take(40).collect::<String>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{
        locale::LOCALES,
        zone::{Zone, central_europe},
    };
    use proptest::prelude::*;

    const SPRING: i64 = 1_774_980_000_000_000;

    #[test]
    fn moments_read_as_people_write_them_and_name_their_zone() {
        assert_eq!(moment_text(SPRING), "31 Mar 2026, 18:00 UTC");
        assert_eq!(moment_text(SPRING + 5_250_000), "31 Mar 2026, 18:00:05.25 UTC");
        assert_eq!(moment_seconds_text(SPRING + 5_250_000), "31 Mar 2026, 18:00:05 UTC");
        assert_eq!(valid_text(20_543 * DAY_MICROS), "31 Mar 2026");
        assert_eq!(iso(SPRING), "2026-03-31T18:00:00Z");
        assert_eq!(iso(SPRING + 1), "2026-03-31T18:00:00.000001Z");
        assert_eq!(field_text(SPRING), "2026-03-31 18:00 UTC");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn in_another_zone_moments_keep_their_instant_over_a_change_of_clocks() {
        let style = Style { locale: &LOCALES[0], zone: Zone::new("Europe/Zurich".to_owned(), central_europe) };
        assert_eq!(moment(SPRING, &style), "31 Mar 2026, 20:00 UTC+2");
        let change = 1_774_746_000 * SECOND_MICROS;
        assert_eq!(moment(change - SECOND_MICROS, &style), "29 Mar 2026, 01:59:59 UTC+1");
        assert_eq!(moment(change, &style), "29 Mar 2026, 03:00 UTC+2");
        // In autumn one hour comes twice; what is behind the clock tells the two apart.
        let back = 1_792_890_000 * SECOND_MICROS;
        assert_eq!(field(back - HOUR_MICROS / 2, &style), "2026-10-25 02:30 UTC+2");
        assert_eq!(field(back + HOUR_MICROS / 2, &style), "2026-10-25 02:30 UTC+1");
    }

    #[test]
    fn ranges_name_the_year_once_where_once_is_enough() {
        let day = |text| i64::from(Instant::parse_date_days(text).unwrap());
        assert_eq!(day_range_text(day("2026-01-01"), day("2026-03-31")), "1 Jan – 31 Mar 2026");
        assert_eq!(day_range_text(day("2025-12-01"), day("2026-03-31")), "1 Dec 2025 – 31 Mar 2026");
    }

    #[test]
    fn months_before_stays_inside_the_shorter_month() {
        let day = |text| i64::from(Instant::parse_date_days(text).unwrap());
        assert_eq!(months_before(day("2026-05-31"), 3), day("2026-02-28"));
        assert_eq!(months_before(day("2026-01-15"), 1), day("2025-12-15"));
        assert_eq!(months_before(day("2024-02-29"), 12), day("2023-02-28"));
    }

    #[test]
    fn a_typed_time_is_read_in_every_usual_shape() {
        for text in [
            "2026-03-31 18:00 UTC",
            "2026-03-31 18:00",
            "2026-03-31T18:00:00Z",
            " 2026-03-31T20:00:00+02:00 ",
            "2026-03-31 20:00 UTC+2",
            "2026-03-31 14:30 utc-3:30",
        ] {
            assert_eq!(parse_field(text), Ok(SPRING), "{text}");
        }
        assert_eq!(parse_field("2026-03-31").map(day_of), Ok(20_543));
        assert!(parse_field("last spring").unwrap_err().contains("'last spring'"));
    }

    proptest! {
        #[test]
        fn dates_read_back(days in -700_000_i64..2_900_000) {
            let date = civil(days);
            prop_assert_eq!(days_from_civil(date.year, date.month, date.day), days);
        }

        #[test]
        fn what_a_field_shows_reads_back(micros in 0_i64..4_000_000_000_000_000) {
            prop_assert_eq!(parse_field(&iso(micros)), Ok(micros));
            let style = Style { locale: &LOCALES[2], zone: Zone::new("Europe/Zurich".to_owned(), central_europe) };
            prop_assert_eq!(parse_field(&field(micros, &style)), Ok(micros));
        }
    }
}
