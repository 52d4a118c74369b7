//! Benchmark indices: who is in, at what weight, with how many index shares.
//!
//! Reviewed after the close of the third Friday of March, June, September and December, effective on the next business
//! day. Chain-linked: new index shares are weight × level / close of the review day, so old and new shares give the
//! same level that day. Those closes are never corrected ([`Market::is_settled`]).

use chrono::NaiveDate;
use model::Instant;
use rand_chacha::ChaCha8Rng;

use super::{
    calendar::{at, is_review_day, next_business_day},
    draft::Draft,
    market::Market,
    random::{Stream, between, stream},
    universe::Instrument,
};

/// One, as a weight.
const WEIGHT_ONE: i128 = 10_i128.pow(10);

/// Level 1, in the product of the units of closes (10^-4) and index shares (10^-12).
const LEVEL_ONE: i128 = 10_i128.pow(16);

/// Level on the first day.
const BASE_LEVEL: i128 = 1_000 * LEVEL_ONE;

/// A member of an index.
#[derive(Debug, Clone, Copy)]
struct Member {
    instrument: usize,
    /// In 10^-10.
    weight: i128,
    /// In 10^-12.
    shares: i128,
}

#[derive(Clone)]
struct Index {
    id: &'static str,
    size: usize,
    /// Largest first. Empty before the first day.
    members: Vec<Member>,
}

/// All indices, and the free float they weight by.
#[derive(Clone)]
pub struct Indices {
    rng: ChaCha8Rng,
    float_shares: Vec<i64>,
    /// Largest first; each takes its members from those of the one before.
    indices: [Index; 2],
}

impl Indices {
    /// The indices before the first day.
    pub fn new(seed: u64, instruments: &[Instrument]) -> Indices {
        let index = |id, size| Index { id, size, members: Vec::new() };
        Indices {
            rng: stream(seed, Stream::Review),
            float_shares: instruments.iter().map(|instrument| instrument.float_shares).collect(),
            indices: [index("TMK30", 30), index("TMK10", 10)],
        }
    }

    /// The members whose moves are seen in every index, largest first.
    pub fn heavyweights(&self) -> impl ExactSizeIterator<Item = usize> {
        let [_, narrow] = &self.indices;
        narrow.members.iter().map(|member| member.instrument)
    }

    /// To be called once after each close. Sets up the indices on the first day, reviews them on review days.
    pub fn after_close(&mut self, market: &Market, out: &mut Vec<Draft>) {
        let Some(today) = market.last_day() else { return };
        let first = self.indices.iter().all(|index| index.members.is_empty());
        if first {
            self.review(&today.closes, today.day, at(today.day, 18, 30, 0), out);
        } else if is_review_day(today.day) {
            for shares in &mut self.float_shares {
                *shares += *shares * between(&mut self.rng, -100, 100) / 1_000;
            }
            self.review(&today.closes, next_business_day(today.day), at(today.day, 20, 0, 0), out);
        }
    }

    fn review(&mut self, closes: &[i64], effective: NaiveDate, due: Instant, out: &mut Vec<Draft>) {
        let values: Vec<i128> = closes
            .iter()
            .zip(&self.float_shares)
            .map(|(close, shares)| i128::from(*close) * i128::from(*shares))
            .collect();
        let mut eligible: Vec<usize> = (0..closes.len()).collect();
        for index in &mut self.indices {
            let level = index.level(closes).unwrap_or(BASE_LEVEL);
            let selected = index.select(&eligible, &values);
            let members = weighted(&selected, &values, level, closes);
            index.announce(&members, effective, due, out);
            index.members = members;
            eligible = selected;
        }
    }
}

impl Index {
    /// The level at these closes; none before the first day.
    fn level(&self, closes: &[i64]) -> Option<i128> {
        let level = self.members.iter().map(|member| i128::from(closes[member.instrument]) * member.shares).sum();
        (level > 0).then_some(level)
    }

    /// The largest of the eligible, largest first. A review changes one member in ten at least: where size alone brings
    /// fewer in, the smallest members make room for the largest outside.
    fn select(&self, eligible: &[usize], values: &[i128]) -> Vec<usize> {
        let by_size = |&instrument: &usize| (-values[instrument], instrument);
        let is_member = |instrument: &usize| self.members.iter().any(|member| member.instrument == *instrument);
        let mut selected = eligible.to_vec();
        selected.sort_by_key(by_size);
        let rest = selected.split_off(self.size);
        if self.members.is_empty() {
            return selected;
        }
        let new = selected.iter().filter(|instrument| !is_member(instrument)).count();
        let outside = rest.into_iter().filter(|instrument| !is_member(instrument));
        for instrument in outside.take((self.size / 10).saturating_sub(new)) {
            if let Some(place) = selected.iter().rposition(is_member) {
                selected[place] = instrument;
            }
        }
        selected.sort_by_key(by_size);
        selected
    }

    /// Puts for all members from the effective day on, until the next review says otherwise, and deletes for those who
    /// leave.
    fn announce(&self, members: &[Member], effective: NaiveDate, due: Instant, out: &mut Vec<Draft>) {
        let event = |operation: &str, instrument: usize| {
            Draft::new("constituents", due)
                .text("op", operation)
                .text("index_id", self.id)
                .text("instrument_id", super::universe::COMPANIES[instrument].id)
        };
        for member in members {
            let put = event("put", member.instrument).decimal("weight", member.weight, 10);
            out.push(put.decimal("index_shares", member.shares, 12).valid(effective, None));
        }
        let stays = |left: &Member| members.iter().any(|member| member.instrument == left.instrument);
        for left in self.members.iter().filter(|member| !stays(member)) {
            out.push(event("delete", left.instrument).valid(effective, None));
        }
    }
}

/// Members in proportion to value. The last takes what rounding leaves over, so the weights sum to exactly 1.
fn weighted(selected: &[usize], values: &[i128], level: i128, closes: &[i64]) -> Vec<Member> {
    let total: i128 = selected.iter().map(|&instrument| values[instrument]).sum();
    let mut left = WEIGHT_ONE;
    let members = selected.iter().enumerate().map(|(place, &instrument)| {
        let last = place + 1 == selected.len();
        let weight = if last { left } else { values[instrument] * WEIGHT_ONE / total };
        left -= weight;
        // weight 10^-10 × level 10^-16 / close 10^-4 is 10^-22; index shares are 10^-12. Rounded half up.
        let divisor = i128::from(closes[instrument]) * 10_i128.pow(10);
        Member { instrument, weight, shares: (weight * level + divisor / 2) / divisor }
    });
    members.collect()
}
