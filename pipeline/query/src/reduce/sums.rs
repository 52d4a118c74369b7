//! Sums that do not depend on the order of what is added up.

/// A sum of integers, exact beyond the width of what it is kept in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IntegerSum {
    /// How often `low` went over its ends.
    wraps: i64,
    low: i128,
}

impl IntegerSum {
    /// Adds a number.
    pub(crate) fn add(&mut self, value: i128) {
        let (low, wrapped) = self.low.overflowing_add(value);
        self.low = low;
        if wrapped {
            self.wraps += if value < 0 { -1 } else { 1 };
        }
    }

    /// Adds what another sum has.
    pub(crate) fn merge(&mut self, other: IntegerSum) {
        self.add(other.low);
        self.wraps += other.wraps;
    }

    /// The sum; `None` where it does not fit.
    pub(crate) fn value(self) -> Option<i128> {
        (self.wraps == 0).then_some(self.low)
    }

    /// The sum as a floating-point number.
    pub(crate) fn nearest(self) -> f64 {
        self.low as f64 + self.wraps as f64 * 2_f64.powi(128)
    }
}

/// A sum of floating-point numbers, rounded once, at the end (Shewchuk, "Adaptive Precision Floating-Point Arithmetic
/// and Fast Robust Geometric Predicates", 1997). What goes beyond the greatest number is infinite.
#[derive(Debug, Clone, Default)]
pub(crate) struct FloatSum {
    /// Numbers whose bits do not overlap, by size; together they are the sum.
    parts: Vec<f64>,
}

impl FloatSum {
    /// Adds a finite number.
    pub(crate) fn add(&mut self, value: f64) {
        if self.parts.first().is_some_and(|part| part.is_infinite()) {
            return;
        }
        let (mut high, mut kept) = (value, 0);
        for at in 0..self.parts.len() {
            let part = self.parts[at];
            let (greater, less) = if high.abs() < part.abs() { (part, high) } else { (high, part) };
            high = greater + less;
            let lost = less - (high - greater);
            if lost != 0.0 {
                self.parts[kept] = lost;
                kept += 1;
            }
        }
        self.parts.truncate(if high.is_finite() { kept } else { 0 });
        self.parts.push(high);
    }

    /// Adds what another sum has.
    pub(crate) fn merge(&mut self, other: &FloatSum) {
        for &part in &other.parts {
            if part.is_infinite() {
                self.parts = vec![part];
                return;
            }
            self.add(part);
        }
    }

    /// The number nearest to the sum.
    pub(crate) fn value(&self) -> f64 {
        let mut parts = self.parts.iter().rev().copied();
        let Some(mut high) = parts.next() else { return 0.0 };
        let mut lost = 0.0;
        for part in parts.by_ref() {
            let before = high;
            high = before + part;
            lost = part - (high - before);
            if lost != 0.0 {
                break;
            }
        }
        // Half-way between two numbers: what is left decides.
        let more = parts.next().is_some_and(|next| (lost < 0.0 && next < 0.0) || (lost > 0.0 && next > 0.0));
        let up = high + lost * 2.0;
        if more && lost * 2.0 == up - high { up } else { high }
    }
}

/// Memory that a floating-point sum takes, in bytes: nearly all have four parts or fewer.
pub(crate) const FLOAT_SUM_BYTES: usize = size_of::<FloatSum>() + 4 * size_of::<f64>();

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_the_same_in_any_order_and_grouping(
            values in proptest::collection::vec((-(1_i64 << 52)..1_i64 << 52, -40..20_i32), 0..60),
            cut in 0..60_usize,
            turn in 0..60_usize,
        ) {
            let floats: Vec<f64> = values.iter().map(|(digits, power)| *digits as f64 * 2_f64.powi(*power)).collect();
            let sum = |values: &[f64]| {
                let mut sum = FloatSum::default();
                values.iter().for_each(|value| sum.add(*value));
                sum
            };
            let (left, right) = floats.split_at(cut.min(floats.len()));
            let mut merged = sum(left);
            merged.merge(&sum(right));
            let mut turned = floats.clone();
            turned.rotate_left(turn.min(floats.len()));
            turned.reverse();
            // In units of 2^-40 all of it is whole.
            let exact: i128 = values.iter().map(|(digits, power)| i128::from(*digits) << (power + 40)).sum();
            prop_assert_eq!(sum(&floats).value(), exact as f64 / 2_f64.powi(40));
            prop_assert_eq!(merged.value(), sum(&floats).value());
            prop_assert_eq!(sum(&turned).value(), sum(&floats).value());
        }
    }

    #[test]
    fn an_integer_sum_may_go_beyond_its_width_and_come_back() {
        let mut sum = IntegerSum::default();
        (0..5).for_each(|_| sum.add(i128::MAX));
        assert_eq!(sum.value(), None);
        let mut back = IntegerSum::default();
        (0..5).for_each(|_| back.add(-i128::MAX));
        back.add(7);
        sum.merge(back);
        assert_eq!(sum.value(), Some(7));
    }

    #[test]
    fn a_float_sum_beyond_all_numbers_is_infinite() {
        let mut sum = FloatSum::default();
        [f64::MAX, f64::MAX, -1.0].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.value(), f64::INFINITY);
    }
}
