//! Buckets of a column: aligned, of a width out of a nested series, as narrow as their number allows.
//!
//! Every width is a multiple of the one before, and every edge of a wider bucket is one of the narrower, so narrow ones
//! can be put together. Which width is used depends on the least and the greatest value alone. That edges depend on
//! anything else, above all on the order of rows, may not happen here.

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::numbers::Number;

/// Widths by level, each level wider than the one before. Above the last there is one bucket for all.
pub(crate) trait Steps<N> {
    /// How many levels there are.
    fn levels(&self) -> usize;

    /// The lowest level at which values of a range can be told apart and have an index.
    fn lowest_level(&self, low: N, high: N) -> usize;

    /// The number of the bucket a value lies in: 0 begins at the origin.
    fn index(&self, level: usize, value: N) -> i128;

    /// Where a bucket begins; what is beyond the kind becomes its least or greatest value.
    fn edge(&self, level: usize, index: i128) -> N;

    /// How many buckets of one level make one of a higher.
    fn ratio(&self, level: usize, higher: usize) -> i128;

    /// The least and the greatest value of the kind.
    fn ends(&self) -> (N, N);
}

/// Whole widths, each a multiple of the one before.
pub(crate) struct Chain {
    widths: Vec<i128>,
    /// Where buckets of every width have an edge.
    origin: i128,
}

/// The greatest width of what is told in 64 bits.
const WIDEST: i128 = i64::MAX as i128;
/// In nanoseconds.
const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;
/// Nanoseconds from the second to the week.
const CLOCK: [i128; 15] = [
    SECOND,
    5 * SECOND,
    15 * SECOND,
    30 * SECOND,
    60 * SECOND,
    300 * SECOND,
    900 * SECOND,
    1_800 * SECOND,
    3_600 * SECOND,
    3 * 3_600 * SECOND,
    6 * 3_600 * SECOND,
    12 * 3_600 * SECOND,
    DAY,
    7 * DAY,
    14 * DAY,
];

impl Chain {
    /// The widths for values of a type, in its own unit: of times those of clock and calendar, weeks beginning on
    /// Monday, of other numbers 1 and 5 times the powers of ten.
    pub(crate) fn of(data_type: &DataType) -> Chain {
        match data_type {
            DataType::Date32 => Chain::of_times(DAY),
            DataType::Timestamp(TimeUnit::Second, _) => Chain::of_times(SECOND),
            DataType::Timestamp(TimeUnit::Millisecond, _) => Chain::of_times(SECOND / 1_000),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Chain::of_times(SECOND / 1_000_000),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Chain::of_times(1),
            DataType::Decimal128(..) => Chain { widths: decimal_widths(i128::MAX), origin: 0 },
            _ => Chain { widths: decimal_widths(WIDEST), origin: 0 },
        }
    }

    fn of_times(unit_nanos: i128) -> Chain {
        let weeks = std::iter::successors(Some(28 * DAY), |width| Some(width * 2));
        let all = decimal_widths(SECOND - 1).into_iter().chain(CLOCK).chain(weeks);
        let whole = all.filter(|width| width % unit_nanos == 0).map(|width| width / unit_nanos);
        // The first Monday of 1970.
        Chain { widths: whole.take_while(|width| *width <= WIDEST).collect(), origin: 4 * DAY / unit_nanos }
    }

    fn bucket(&self, level: usize, value: i128) -> i128 {
        let (from_origin, width) = (value.saturating_sub(self.origin), self.widths[level]);
        // Dividing 128 bits takes several times as long.
        match (i64::try_from(from_origin), i64::try_from(width)) {
            (Ok(short), Ok(width)) => short.div_euclid(width).into(),
            _ => from_origin.div_euclid(width),
        }
    }

    fn start(&self, level: usize, index: i128) -> i128 {
        index.saturating_mul(self.widths[level]).saturating_add(self.origin)
    }
}

/// 1, 5, 10, 50 and so on.
fn decimal_widths(most: i128) -> Vec<i128> {
    let powers = std::iter::successors(Some(1_i128), |power| power.checked_mul(10));
    powers.flat_map(|power| [Some(power), power.checked_mul(5)]).flatten().take_while(|width| *width <= most).collect()
}

impl Steps<i128> for Chain {
    fn levels(&self) -> usize {
        self.widths.len()
    }

    fn lowest_level(&self, _: i128, _: i128) -> usize {
        0
    }

    fn index(&self, level: usize, value: i128) -> i128 {
        self.bucket(level, value)
    }

    fn edge(&self, level: usize, index: i128) -> i128 {
        self.start(level, index)
    }

    fn ratio(&self, level: usize, higher: usize) -> i128 {
        self.widths[higher] / self.widths[level]
    }

    fn ends(&self) -> (i128, i128) {
        (i128::MIN, i128::MAX)
    }
}

impl Steps<i64> for Chain {
    fn levels(&self) -> usize {
        self.widths.len()
    }

    fn lowest_level(&self, _: i64, _: i64) -> usize {
        0
    }

    fn index(&self, level: usize, value: i64) -> i128 {
        self.bucket(level, value.into())
    }

    fn edge(&self, level: usize, index: i128) -> i64 {
        self.start(level, index).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    fn ratio(&self, level: usize, higher: usize) -> i128 {
        self.widths[higher] / self.widths[level]
    }

    fn ends(&self) -> (i64, i64) {
        (i64::MIN, i64::MAX)
    }
}

/// 1 and 5 times the powers of ten, for floating-point numbers. An edge is the number nearest to the decimal that is
/// meant, and so the same at every level that has it.
#[derive(Default)]
pub(crate) struct DecimalSteps;

/// The power of the first level. What is smaller still lies beside zero.
const FIRST_POWER: i32 = -300;
const LAST_POWER: i32 = 308;
const DECIMAL_LEVELS: usize = 2 * (LAST_POWER - FIRST_POWER + 1) as usize;
/// Buckets from zero to a value, at most: neighbouring numbers are hardly closer, and indices stay exact.
const MOST_FROM_ZERO: f64 = 1e15;
/// The powers of ten that a floating-point number holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
const EXACT_INTEGERS: i128 = 1 << 53;

/// The number nearest to `digits` · 10^`power`.
fn scaled(digits: i128, power: i32) -> f64 {
    let exact = EXACT_POWERS.get(power.unsigned_abs() as usize).filter(|_| digits.abs() <= EXACT_INTEGERS);
    match exact {
        // One operation on exact numbers is rounded once.
        Some(ten) if power >= 0 => digits as f64 * ten,
        Some(ten) => digits as f64 / ten,
        None => format!("{digits}e{power}").parse().unwrap_or(f64::INFINITY),
    }
}

impl Steps<f64> for DecimalSteps {
    fn levels(&self) -> usize {
        DECIMAL_LEVELS
    }

    fn lowest_level(&self, low: f64, high: f64) -> usize {
        let most = low.abs().max(high.abs());
        if most == 0.0 {
            return 0;
        }
        let power = most.log10().floor() as i32 - 16;
        let start = 2 * (power - FIRST_POWER).max(0) as usize;
        let far_enough = |level: &usize| self.edge(*level, 1) * MOST_FROM_ZERO >= most;
        (start..DECIMAL_LEVELS).find(far_enough).unwrap_or(DECIMAL_LEVELS)
    }

    fn index(&self, level: usize, value: f64) -> i128 {
        let mut index = (value / self.edge(level, 1)).floor() as i128;
        while self.edge(level, index) > value {
            index -= 1;
        }
        while self.edge(level, index + 1) <= value {
            index += 1;
        }
        index
    }

    fn edge(&self, level: usize, index: i128) -> f64 {
        let digits = if level.is_multiple_of(2) { index } else { index.saturating_mul(5) };
        scaled(digits, FIRST_POWER + (level / 2) as i32)
    }

    fn ratio(&self, level: usize, higher: usize) -> i128 {
        let steps = (level..higher).map(|level| if level.is_multiple_of(2) { 5 } else { 2 });
        steps.fold(1, i128::saturating_mul)
    }

    fn ends(&self) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }
}

/// A bucket in use: where its state is kept, and what lies in it, from the first value to before the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bucket<N> {
    pub(crate) position: u32,
    pub(crate) from: N,
    pub(crate) to: N,
}

/// The buckets in use: neighbours, of one width, at most so many. The state of a bucket is kept at its number modulo
/// their most, so that nothing moves while the range grows to either side.
pub(crate) struct Scale<N: Number> {
    steps: N::Steps,
    most: u32,
    level: usize,
    range: Option<(N, N)>,
}

impl<N: Number> Scale<N> {
    /// At most so many buckets, one or more.
    pub(crate) fn new(steps: N::Steps, most: u32) -> Scale<N> {
        Scale { steps, most, level: 0, range: None }
    }

    /// Makes room for values of a range. Where buckets became wider, the new position of each old one is told.
    pub(crate) fn fit(&mut self, low: N, high: N) -> Option<Vec<u32>> {
        let before = self.range;
        let (low, high) = match before {
            Some((least, greatest)) => {
                (if low < least { low } else { least }, if high > greatest { high } else { greatest })
            }
            None => (low, high),
        };
        self.range = Some((low, high));
        let start = self.level.max(self.steps.lowest_level(low, high));
        let level = (start..self.steps.levels()).find(|&level| self.fits(level, low, high));
        let level = level.unwrap_or(self.steps.levels());
        let old = std::mem::replace(&mut self.level, level);
        let (least, _) = before.filter(|_| old < level)?;
        let first = self.steps.index(old, least);
        Some((0..self.most).map(|position| self.moved(old, self.index_at(first, position))).collect())
    }

    /// The bucket of a value within the range.
    pub(crate) fn bucket(&self, value: N) -> Bucket<N> {
        if self.level == self.steps.levels() {
            let (from, to) = self.steps.ends();
            return Bucket { position: 0, from, to };
        }
        let index = self.steps.index(self.level, value);
        let (from, to) = (self.steps.edge(self.level, index), self.steps.edge(self.level, index + 1));
        Bucket { position: self.position(index), from, to }
    }

    /// Positions in the order of their buckets, each with where its bucket begins and ends.
    pub(crate) fn in_order(&self) -> Vec<Bucket<N>> {
        let Some((low, high)) = self.range else { return Vec::new() };
        if self.level == self.steps.levels() {
            let (from, to) = self.around_origin(low, high);
            return vec![Bucket { position: 0, from, to }];
        }
        let edge = |index| self.steps.edge(self.level, index);
        let bucket = |index| Bucket { position: self.position(index), from: edge(index), to: edge(index + 1) };
        (self.steps.index(self.level, low)..=self.steps.index(self.level, high)).map(bucket).collect()
    }

    fn fits(&self, level: usize, low: N, high: N) -> bool {
        let span = self.steps.index(level, high).checked_sub(self.steps.index(level, low));
        span.is_some_and(|span| span < self.most.into())
    }

    fn position(&self, index: i128) -> u32 {
        match i64::try_from(index) {
            Ok(index) => index.rem_euclid(self.most.into()) as u32,
            Err(_) => index.rem_euclid(self.most.into()) as u32,
        }
    }

    /// The index of the bucket at a position, the first one's being known.
    fn index_at(&self, first: i128, position: u32) -> i128 {
        first.saturating_add((i128::from(position) - i128::from(self.position(first))).rem_euclid(self.most.into()))
    }

    fn moved(&self, old: usize, index: i128) -> u32 {
        if self.level == self.steps.levels() {
            return 0;
        }
        self.position(index.div_euclid(self.steps.ratio(old, self.level)))
    }

    /// The narrowest two neighbours at the origin that hold a range.
    fn around_origin(&self, low: N, high: N) -> (N, N) {
        let holds = |level: &usize| self.steps.index(*level, low) >= -1 && self.steps.index(*level, high) <= 0;
        let level = (self.steps.lowest_level(low, high)..self.steps.levels()).find(holds);
        level.map_or(self.steps.ends(), |level| (self.steps.edge(level, -1), self.steps.edge(level, 1)))
    }
}
