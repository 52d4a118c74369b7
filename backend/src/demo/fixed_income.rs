//! Floating-rate notes: a coupon for each quarter, fixed two business days before it begins, some put right days later.
//!
//! Rates are percent in units of 10^-6.

use chrono::{Datelike, Months, NaiveDate};
use model::Instant;
use rand_chacha::ChaCha8Rng;

use super::{
    calendar::{add_business_days, at, is_business_day, odd_time, sub_business_days},
    draft::Draft,
    random::{Stream, bell, between, index_below, one_in, stream},
    universe::{COMPANIES, COUNTRIES, Company},
};

/// Notes there are.
const NOTES: usize = 12;

/// One basis point, in units of a rate.
const BASIS_POINT: i64 = 10_000;

/// Fixings have three decimals.
const FIXING_STEP: i64 = 1_000;

/// What never changes about a note.
#[derive(Debug, Clone)]
struct Note {
    isin: String,
    issuer: Company,
    spread_bp: i64,
}

/// A coupon period as it was truly fixed.
#[derive(Debug, Clone, Copy)]
struct Period {
    note: usize,
    from: NaiveDate,
    to: NaiveDate,
    coupon: i64,
}

/// All notes and the reference rates they float on.
#[derive(Clone)]
pub struct Notes {
    rng: ChaCha8Rng,
    notes: Vec<Note>,
    /// By country.
    rates: [i64; COUNTRIES.len()],
    /// Start of each note's next coupon period.
    next_reset: Vec<NaiveDate>,
    periods: Vec<Period>,
}

impl Notes {
    /// The notes with the coupon each pays on the first day, known before it begins.
    pub fn new(seed: u64, first_day: NaiveDate, out: &mut Vec<Draft>) -> Notes {
        let mut rng = stream(seed, Stream::Coupons);
        let rates = COUNTRIES.map(|_| between(&mut rng, 1_500, 4_500) * FIXING_STEP);
        let mut notes = Notes { rng, notes: Vec::new(), rates, next_reset: Vec::new(), periods: Vec::new() };
        for place in 0..NOTES {
            let issuer = COMPANIES[place * COMPANIES.len() / NOTES + 1];
            let spread_bp = between(&mut notes.rng, 8, 52) * 5;
            notes.notes.push(Note { isin: isin(41_700_000 + place as u64 * 1_713), issuer, spread_bp });
            let start = running_period(&mut notes.rng, first_day);
            notes.next_reset.push(start);
            let coupon = notes.fix(place);
            let due = at(first_day, 6, 30, 0);
            out.push(notes.event(&notes.periods[place], coupon, due));
        }
        notes
    }

    /// Moves the reference rates on business days and fixes the coupons whose period begins in two of them.
    pub fn decide(&mut self, day: NaiveDate, out: &mut Vec<Draft>) {
        if is_business_day(day) {
            for rate in &mut self.rates {
                *rate = (*rate + bell(&mut self.rng, 14 * FIXING_STEP)).clamp(250 * FIXING_STEP, 7_000 * FIXING_STEP);
            }
        }
        for note in 0..self.notes.len() {
            if day >= sub_business_days(self.next_reset[note], 2) {
                self.reset(note, day, out);
            }
        }
    }

    /// Publishes a note's next coupon; about one in seven wrong at first.
    fn reset(&mut self, note: usize, day: NaiveDate, out: &mut Vec<Draft>) {
        let before = self.periods.iter().rev().find(|period| period.note == note).map(|period| period.coupon);
        let coupon = self.fix(note);
        let period = self.periods[self.periods.len() - 1];
        let due = at(day, 11, 0, 0);
        if !one_in(&mut self.rng, 7) {
            out.push(self.event(&period, coupon, due));
            return;
        }
        // The fixing of the quarter before, or one of a day or two off.
        let stale = before.filter(|before| *before != coupon && one_in(&mut self.rng, 3));
        let wrong = stale.unwrap_or_else(|| self.other_coupon(coupon, 2, 25));
        let corrected = add_business_days(day, between(&mut self.rng, 1, 9));
        out.push(self.event(&period, wrong, due));
        let due = odd_time(corrected, &mut self.rng);
        out.push(self.event(&period, coupon, due));
    }

    /// Fixes a note's next coupon at today's rate and remembers the period.
    fn fix(&mut self, place: usize) -> i64 {
        let note = &self.notes[place];
        let from = self.next_reset[place];
        let to = from + Months::new(3);
        let fixing = self.rates[note.issuer.country] / FIXING_STEP * FIXING_STEP;
        let coupon = fixing + note.spread_bp * BASIS_POINT;
        self.next_reset[place] = to;
        self.periods.push(Period { note: place, from, to, coupon });
        coupon
    }

    /// Another coupon for a period that was fixed not more than a year before `today`. None before the first fixing.
    pub fn correction(&mut self, today: NaiveDate, now: Instant) -> Option<Draft> {
        let oldest = today - Months::new(12);
        let known: Vec<Period> =
            self.periods.iter().filter(|period| period.from <= today && period.from >= oldest).copied().collect();
        if known.is_empty() {
            return None;
        }
        let period = known[index_below(&mut self.rng, known.len())];
        let coupon = self.other_coupon(period.coupon, 1, 12);
        Some(self.event(&period, coupon, now))
    }

    /// A coupon between `low` and `high` basis points away.
    fn other_coupon(&mut self, coupon: i64, low: i64, high: i64) -> i64 {
        let distance = between(&mut self.rng, low * BASIS_POINT / FIXING_STEP, high * BASIS_POINT / FIXING_STEP);
        if one_in(&mut self.rng, 2) { coupon + distance * FIXING_STEP } else { coupon - distance * FIXING_STEP }
    }

    fn event(&self, period: &Period, coupon: i64, due: Instant) -> Draft {
        let note = &self.notes[period.note];
        Draft::new("bonds", due)
            .text("isin", &note.isin)
            .text("issuer", note.issuer.name)
            .decimal("coupon_rate", i128::from(coupon), 6)
            .text("reference_rate", note.issuer.country().reference_rate)
            .integer("spread_bp", note.spread_bp)
            .valid(period.from, Some(period.to))
    }
}

/// Start of the three months in which `day` lies, for a note that pays on some day of some month.
fn running_period(rng: &mut ChaCha8Rng, day: NaiveDate) -> NaiveDate {
    let day_of_month = between(rng, 1, 28).unsigned_abs() as u32;
    let months_back = between(rng, 0, 2).unsigned_abs() as u32;
    let this_month = day.with_day(day_of_month).unwrap_or(day);
    let start = if this_month > day { this_month - Months::new(1) } else { this_month };
    let start = start - Months::new(months_back);
    // One of the three starts is always less than three months back and not after the day.
    debug_assert!(start <= day && day < start + Months::new(3));
    start
}

/// An ISIN under ZZ, which no country uses.
fn isin(number: u64) -> String {
    let body = format!("ZZ{number:09}");
    let check = check_digit(&body);
    format!("{body}{check}")
}

/// Check digit of an ISIN's first eleven characters (ISO 6166: Luhn, a letter counting as the two digits of its place).
fn check_digit(body: &str) -> u32 {
    let values = body.chars().filter_map(|letter| letter.to_digit(36));
    let digits: Vec<u32> =
        values.flat_map(|value| [value / 10, value % 10].into_iter().skip(usize::from(value < 10))).collect();
    let doubled = |digit: u32| digit * 2 / 10 + digit * 2 % 10;
    let weighed = digits.iter().rev().enumerate().map(|(place, &d)| if place % 2 == 0 { doubled(d) } else { d });
    (10 - weighed.sum::<u32>() % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::{check_digit, isin};

    #[test]
    fn check_digits_are_right() {
        // Well-known examples.
        assert_eq!(check_digit("US037833100"), 5);
        assert_eq!(check_digit("AU0000XVGZA"), 3);
        assert_eq!(isin(1), "ZZ0000000016");
    }
}
