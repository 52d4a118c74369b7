//! Closes: a random walk of market, sector and share, published at 18:00 UTC of the day, some of them wrong at first.
//!
//! All prices are whole numbers of 1/10,000 and multiples of [`TICK`].

use std::collections::VecDeque;

use chrono::{Days, NaiveDate};
use model::Instant;
use rand_chacha::ChaCha8Rng;

use super::{
    calendar::{add_business_days, at, is_review_day, odd_time},
    draft::Draft,
    random::{Stream, bell, between, one_in, stream},
    universe::{Instrument, SECTORS},
};

/// Smallest difference between two prices, in 1/10,000.
pub const TICK: i64 = 100;

/// Trading days that are kept for later corrections.
const DAYS_KEPT: usize = 64;

/// Free-float value from which a company counts as large.
const LARGE_COMPANY: i64 = 15_000_000_000;

/// The true prices of one business day, by place of the instrument.
#[derive(Debug, Clone)]
pub struct TradingDay {
    /// The day.
    pub day: NaiveDate,
    /// Closes of the business day before.
    pub opens: Vec<i64>,
    /// Closes.
    pub closes: Vec<i64>,
    /// Shares traded.
    pub volumes: Vec<i64>,
}

/// The market.
#[derive(Clone)]
pub struct Market {
    instruments: Vec<Instrument>,
    path: ChaCha8Rng,
    publication: ChaCha8Rng,
    /// Mean daily move of the whole market in this phase of it, in millionths, and the days it still lasts.
    phase: (i64, i64),
    first_day: Option<NaiveDate>,
    recent: VecDeque<TradingDay>,
}

impl Market {
    /// The market before its first day.
    pub fn new(seed: u64, instruments: Vec<Instrument>) -> Market {
        Market {
            instruments,
            path: stream(seed, Stream::Closes),
            publication: stream(seed, Stream::Publication),
            phase: (0, 0),
            first_day: None,
            recent: VecDeque::new(),
        }
    }

    /// The instruments; all vectors of a [`TradingDay`] are in their order.
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The last trading day, once there is one.
    pub fn last_day(&self) -> Option<&TradingDay> {
        self.recent.back()
    }

    /// The last trading days, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &TradingDay> {
        self.recent.iter()
    }

    /// Last close of an instrument, or its price before the first day.
    pub fn price(&self, instrument: usize) -> i64 {
        self.last_day().map_or(self.instruments[instrument].price, |day| day.closes[instrument])
    }

    /// Whether the closes of a day are never corrected: index shares are computed from them.
    pub fn is_settled(&self, day: NaiveDate) -> bool {
        self.first_day == Some(day) || is_review_day(day)
    }

    /// Trades one business day, the one after the last.
    pub fn step(&mut self, day: NaiveDate) {
        let market_ppm = self.market_move_ppm();
        let sectors_ppm = SECTORS.map(|_| bell(&mut self.path, 3_500));
        let count = self.instruments.len();
        let opens: Vec<i64> = (0..count).map(|instrument| self.price(instrument)).collect();
        let (mut closes, mut volumes) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (instrument, open) in self.instruments.iter().zip(&opens) {
            let usual_ppm = bell(&mut self.path, instrument.volatility_ppm);
            let own_ppm = if one_in(&mut self.path, 150) { usual_ppm * 4 } else { usual_ppm };
            let move_ppm =
                market_ppm * instrument.beta_percent / 100 + sectors_ppm[instrument.company.sector] + own_ppm;
            closes.push(moved(*open, move_ppm.clamp(-250_000, 250_000)));
            // A move of 2 % doubles the volume.
            let activity = between(&mut self.path, 60, 140) + move_ppm.abs() / 200;
            volumes.push(instrument.volume * activity / 100);
        }
        if self.recent.len() == DAYS_KEPT {
            self.recent.pop_front();
        }
        self.first_day.get_or_insert(day);
        self.recent.push_back(TradingDay { day, opens, closes, volumes });
    }

    fn market_move_ppm(&mut self) -> i64 {
        if self.phase.1 == 0 {
            self.phase = (between(&mut self.path, -900, 1_500), between(&mut self.path, 12, 45));
        }
        self.phase.1 -= 1;
        self.phase.0 + bell(&mut self.path, 5_500)
    }

    /// Publishes the last trading day: most closes right, 1.5 % wrong and corrected within 20 business days, one in a
    /// thousand withdrawn and restored.
    pub fn publish(&mut self, out: &mut Vec<Draft>) {
        let Some(today) = self.recent.back() else { return };
        let settled = self.is_settled(today.day);
        let rng = &mut self.publication;
        for (index, instrument) in self.instruments.iter().enumerate() {
            let quote = Quote {
                instrument: instrument.company.id,
                day: today.day,
                close: today.closes[index],
                volume: today.volumes[index],
            };
            match between(rng, 1, 2_000) {
                1..=30 if !settled => {
                    let wrong = wrong_close(rng, &quote, today.opens[index], instrument.float_shares);
                    publish_wrong(rng, &quote, wrong, out);
                }
                31..=32 if !settled => publish_withdrawn(rng, &quote, out),
                _ => out.push(quote.put(published_at(quote.day), "closing")),
            }
        }
    }
}

/// One close of one instrument.
#[derive(Debug, Clone, Copy)]
pub struct Quote {
    /// The instrument.
    pub instrument: &'static str,
    /// The business day.
    pub day: NaiveDate,
    /// Its close.
    pub close: i64,
    /// Shares traded.
    pub volume: i64,
}

impl Quote {
    /// The event that says so.
    pub fn put(&self, due: Instant, source: &str) -> Draft {
        Draft::new("prices", due)
            .text("op", "put")
            .text("instrument_id", self.instrument)
            .decimal("close", i128::from(self.close), 4)
            .integer("volume", self.volume)
            .text("source", source)
            .valid(self.day, Some(self.day + Days::new(1)))
    }

    /// The event that takes it back.
    pub fn delete(&self, due: Instant) -> Draft {
        Draft::new("prices", due)
            .text("op", "delete")
            .text("instrument_id", self.instrument)
            .valid(self.day, Some(self.day + Days::new(1)))
    }
}

/// When the closes of a day are published.
pub fn published_at(day: NaiveDate) -> Instant {
    at(day, 18, 0, 0)
}

/// The nearest price there is.
pub fn snap(price: i64) -> i64 {
    ((price + TICK / 2) / TICK * TICK).max(TICK)
}

/// A price after a move of so many millionths.
pub fn moved(price: i64, move_ppm: i64) -> i64 {
    snap(price + price * move_ppm / 1_000_000)
}

/// A close that is wrong when published, put right later; once in eight times the first correction misses as well.
fn publish_wrong(rng: &mut ChaCha8Rng, quote: &Quote, wrong: i64, out: &mut Vec<Draft>) {
    out.push(Quote { close: wrong, ..*quote }.put(published_at(quote.day), "closing"));
    // Most are found within a week, a few take a month; nobody overlooks a misplaced decimal point for long.
    let longest = if wrong.abs_diff(quote.close) > quote.close.unsigned_abs() / 2 { 3 } else { 20 };
    let mut delay = 1 + between(rng, 0, 19) * between(rng, 0, longest - 1) / 19;
    if delay < longest && one_in(rng, 8) {
        let missed = Quote { close: off_by_ticks(rng, quote.close, 8), ..*quote };
        out.push(missed.put(odd_time(add_business_days(quote.day, delay), rng), "correction"));
        delay = between(rng, delay + 1, longest);
    }
    out.push(quote.put(odd_time(add_business_days(quote.day, delay), rng), "correction"));
}

/// A close that is right, is withdrawn all the same and comes back.
fn publish_withdrawn(rng: &mut ChaCha8Rng, quote: &Quote, out: &mut Vec<Draft>) {
    let withdrawn = add_business_days(quote.day, between(rng, 1, 5));
    let restored = add_business_days(withdrawn, between(rng, 1, 3));
    out.push(quote.put(published_at(quote.day), "closing"));
    out.push(quote.delete(odd_time(withdrawn, rng)));
    out.push(quote.put(odd_time(restored, rng), "restored"));
}

/// A wrong close as people and machines make them: a misplaced decimal point (2 %), one digit off (18 %), the close of
/// the day before (12 %), else some ticks. Ten times too much gets past the checks for smaller companies only.
fn wrong_close(rng: &mut ChaCha8Rng, quote: &Quote, previous: i64, float_shares: i64) -> i64 {
    let truth = quote.close;
    let large = truth / 10_000 * float_shares > LARGE_COMPANY;
    let wrong = match between(rng, 1, 100) {
        1 if !large => truth * 10,
        1..=2 => snap(truth / 10),
        3..=20 => {
            let digit = between(rng, 1, 9) * if truth > 1_000_000 { 10_000 } else { 1_000 };
            if one_in(rng, 2) { truth + digit } else { (truth - digit).max(TICK) }
        }
        21..=32 => previous,
        _ => truth,
    };
    if wrong == truth { off_by_ticks(rng, truth, 60) } else { wrong }
}

/// A price next to this one, up to `most` ticks away, never the same.
fn off_by_ticks(rng: &mut ChaCha8Rng, price: i64, most: i64) -> i64 {
    let distance = between(rng, 1, most) * TICK;
    if one_in(rng, 2) || price <= distance { price + distance } else { price - distance }
}
