//! Corporate actions: dividends and splits, announced ahead, some amended, postponed or withdrawn.
//!
//! Prices are split-adjusted throughout, so a split moves no close and no level.

use chrono::{Datelike, Days, Months, NaiveDate};
use model::Instant;
use rand_chacha::ChaCha8Rng;

use super::{
    calendar::{add_business_days, at, business_day_from, is_business_day, odd_time},
    draft::Draft,
    market::Market,
    random::{Stream, between, index_below, nudge, one_in, stream},
    universe::COMPANIES,
};

/// When and how generously a share pays.
#[derive(Debug, Clone)]
struct Payer {
    /// Ex-dividend date not announced yet.
    next: NaiveDate,
    /// Months between dividends.
    every: u32,
    /// Days between announcement and ex-dividend date.
    ahead: u64,
    /// Of the price, each time, in millionths.
    yield_ppm: i64,
    has_split: bool,
}

/// One action on one day.
#[derive(Debug, Clone)]
struct Action {
    id: String,
    instrument: &'static str,
    kind: &'static str,
    /// Shares for each share before, in 10^-8; of splits only.
    ratio: Option<i128>,
    /// Per share, in 1/10,000 of the share's currency; of dividends only.
    amount: Option<i128>,
    day: NaiveDate,
}

/// All corporate actions.
#[derive(Clone)]
pub struct CorporateActions {
    rng: ChaCha8Rng,
    payers: Vec<Payer>,
}

impl CorporateActions {
    /// The calendar before the first day.
    pub fn new(seed: u64, instruments: usize, first_day: NaiveDate) -> CorporateActions {
        let mut rng = stream(seed, Stream::Actions);
        let payers = (0..instruments).map(|_| {
            let every = [3, 6, 12][index_below(&mut rng, 3)];
            let ahead = between(&mut rng, 20, 42).unsigned_abs();
            let first = first_day + Days::new(ahead + between(&mut rng, 0, i64::from(every) * 30).unsigned_abs());
            let yield_ppm = between(&mut rng, 700, 3_200) * i64::from(every);
            Payer { next: first, every, ahead, yield_ppm, has_split: false }
        });
        let payers = payers.collect();
        CorporateActions { rng, payers }
    }

    /// Announces what is due for it on a business day.
    pub fn decide(&mut self, day: NaiveDate, market: &Market, out: &mut Vec<Draft>) {
        if !is_business_day(day) {
            return;
        }
        for instrument in 0..self.payers.len() {
            let payer = &mut self.payers[instrument];
            if day + Days::new(payer.ahead) >= payer.next {
                let ex_day = business_day_from(payer.next);
                payer.next = payer.next + Months::new(payer.every);
                let amount = (market.price(instrument) * payer.yield_ppm / 1_000_000 / 100 * 100).max(100);
                self.dividend(instrument, i128::from(amount), day, ex_day, out);
            }
        }
        if one_in(&mut self.rng, 80) {
            self.split(day, out);
        }
    }

    fn dividend(&mut self, instrument: usize, amount: i128, day: NaiveDate, ex_day: NaiveDate, out: &mut Vec<Draft>) {
        let rng = &mut self.rng;
        let company = COMPANIES[instrument].id;
        let id = format!("DIV-{company}-{}{:02}", ex_day.year(), ex_day.month());
        let action =
            Action { id, instrument: company, kind: "dividend", ratio: None, amount: Some(amount), day: ex_day };
        out.push(action.put(at(day, 7, 0, 0)));
        let later = odd_time(add_business_days(day, between(rng, 2, 12)), rng);
        match between(rng, 1, 100) {
            1..=12 => {
                let amended = nudge(rng, amount, 30_000, 250_000) / 100 * 100;
                // Amended late as well: up to a week after it was paid.
                let due =
                    if one_in(rng, 3) { odd_time(add_business_days(ex_day, between(rng, 1, 5)), rng) } else { later };
                out.push(Action { amount: Some(amended.max(100)), ..action }.put(due));
            }
            13..=18 => {
                let postponed = Action { day: add_business_days(ex_day, between(rng, 3, 10)), ..action.clone() };
                out.push(action.delete(later));
                out.push(postponed.put(later));
            }
            19..=23 => out.push(action.delete(later)),
            _ => {}
        }
    }

    fn split(&mut self, day: NaiveDate, out: &mut Vec<Draft>) {
        let rng = &mut self.rng;
        let instrument = index_below(rng, self.payers.len());
        let effective = add_business_days(day, between(rng, 10, 25));
        let ratio = [2, 2, 3, 4, 5, 10][index_below(rng, 6)];
        if std::mem::replace(&mut self.payers[instrument].has_split, true) {
            return;
        }
        let company = COMPANIES[instrument].id;
        let id = format!("SPL-{company}-{}{:02}", effective.year(), effective.month());
        let ratio = Some(ratio * 10_i128.pow(8));
        let action = Action { id, instrument: company, kind: "split", ratio, amount: None, day: effective };
        out.push(action.put(at(day, 7, 0, 0)));
    }
}

impl Action {
    fn put(&self, due: Instant) -> Draft {
        let event = self.event("put", due).text("instrument_id", self.instrument).text("kind", self.kind);
        let event = optional(event, "ratio", self.ratio, 8);
        optional(event, "amount", self.amount, 4)
    }

    fn delete(&self, due: Instant) -> Draft {
        self.event("delete", due)
    }

    fn event(&self, operation: &str, due: Instant) -> Draft {
        Draft::new("corporate_actions", due)
            .text("op", operation)
            .text("action_id", &self.id)
            .valid(self.day, Some(self.day + Days::new(1)))
    }
}

fn optional(event: Draft, column: &str, units: Option<i128>, scale: u32) -> Draft {
    match units {
        Some(units) => event.decimal(column, units, scale),
        None => event.null(column),
    }
}
