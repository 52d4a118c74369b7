//! Days on which the simulated market trades, and moments of a day. Monday to Friday, no holidays.

use chrono::{DateTime, Datelike, Days, NaiveDate, Weekday};
use model::Instant;
use rand_chacha::ChaCha8Rng;

use super::random::between;

/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Microseconds of a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;

/// Whether the market trades that day.
pub fn is_business_day(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// First business day after `day`.
pub fn next_business_day(day: NaiveDate) -> NaiveDate {
    add_business_days(day, 1)
}

/// First business day at or after `day`.
pub fn business_day_from(day: NaiveDate) -> NaiveDate {
    if is_business_day(day) { day } else { next_business_day(day) }
}

/// The `count`-th business day after `day`; `day` itself for 0.
pub fn add_business_days(day: NaiveDate, count: i64) -> NaiveDate {
    let mut at = day;
    let mut left = count;
    while left > 0 {
        at = at + Days::new(1);
        left -= i64::from(is_business_day(at));
    }
    at
}

/// The `count`-th business day before `day`; `day` itself for 0.
pub fn sub_business_days(day: NaiveDate, count: i64) -> NaiveDate {
    let mut at = day;
    let mut left = count;
    while left > 0 {
        at = at - Days::new(1);
        left -= i64::from(is_business_day(at));
    }
    at
}

/// Whether the indices are reviewed after the close of that day: third Friday of March, June, September and December.
pub fn is_review_day(day: NaiveDate) -> bool {
    day.month().is_multiple_of(3) && day.weekday() == Weekday::Fri && (15..=21).contains(&day.day())
}

/// A moment of a day, UTC.
pub fn at(day: NaiveDate, hour: i64, minute: i64, second: i64) -> Instant {
    let days = day.signed_duration_since(NaiveDate::default()).num_days();
    Instant(days * MICROS_PER_DAY + ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND)
}

/// Some second of a day when people are at work somewhere, 06:00 to 22:59 UTC.
pub fn odd_time(day: NaiveDate, rng: &mut ChaCha8Rng) -> Instant {
    at(day, between(rng, 6, 22), between(rng, 0, 59), between(rng, 0, 59))
}

/// The UTC date of an instant.
pub fn day_of(instant: Instant) -> NaiveDate {
    DateTime::from_timestamp_micros(instant.micros()).unwrap_or_default().date_naive()
}
