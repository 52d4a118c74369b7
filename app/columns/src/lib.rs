//! Passes over columns of numbers: what is done once for each of a million rows. They stand in a crate of their own because
//! Cargo sets how code is compiled by crate: these for speed, the rest of what a browser loads for size.
//!
//! Each is a function of its own and stays one: a browser compiles a function well after some calls, and one that has been
//! folded into what goes through all batches is called once.
//!
//! Nothing here knows a chart, an answer or Arrow; cells are little-endian, as all of those have them.

/// Adds cells of 8 bytes that are doubles.
#[inline(never)]
pub fn push_f64(cells: &[u8], into: &mut Vec<f64>) {
    into.extend(cells.as_chunks().0.iter().map(|cell| f64::from_le_bytes(*cell)));
}

/// Adds cells of 8 bytes that are integers, as near as a double comes.
#[inline(never)]
pub fn push_i64(cells: &[u8], into: &mut Vec<f64>) {
    into.extend(cells.as_chunks().0.iter().map(|cell| i64::from_le_bytes(*cell) as f64));
}

/// Adds cells of 4 bytes that are integers, each so many times, up to the ends of 64 bits.
#[inline(never)]
pub fn push_i32(cells: &[u8], times: i64, into: &mut Vec<f64>) {
    let product = |cell: &[u8; 4]| i64::from(i32::from_le_bytes(*cell)).saturating_mul(times) as f64;
    into.extend(cells.as_chunks().0.iter().map(product));
}

/// Adds cells of 16 bytes that are integers, divided by `factor`, as near as a double comes.
#[inline(never)]
pub fn push_i128(cells: &[u8], factor: f64, into: &mut Vec<f64>) {
    into.extend(cells.as_chunks().0.iter().map(|cell| {
        let value = i128::from_le_bytes(*cell);
        // Most fit 64 bits, which are converted in one step.
        i64::try_from(value).map_or(value as f64, |value| value as f64) / factor
    }));
}

/// Whether all of these are finite and none is below the one before it.
#[inline(never)]
pub fn rises(values: &[f64]) -> bool {
    let ends = [values.first(), values.last()].into_iter().flatten();
    // With finite ends nothing between that rises is infinite, and nothing compares with what is not a number.
    ends.fold(true, |all, end| all & end.is_finite()) && values.windows(2).all(|pair| pair[0] <= pair[1])
}

/// A value and its index.
pub type At = (f64, usize);

/// What is found in one pass over values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    /// How many are finite.
    pub finite: usize,
    /// The first of the least; infinity where none is finite.
    pub least: At,
    /// The first of the greatest; minus infinity where none is finite.
    pub greatest: At,
}

/// Least and greatest of those that are finite.
#[inline(never)]
pub fn extremes(values: &[f64]) -> Extremes {
    let mut all = Extremes { finite: 0, least: (f64::INFINITY, 0), greatest: (f64::NEG_INFINITY, 0) };
    let mut from = 0;
    while from < values.len() {
        let part = extremes_before_gap(&values[from..]);
        if part.least.0 < all.least.0 {
            all.least = (part.least.0, from + part.least.1);
        }
        if part.greatest.0 > all.greatest.0 {
            all.greatest = (part.greatest.0, from + part.greatest.1);
        }
        all.finite += part.finite;
        from += part.finite + 1;
    }
    all
}

/// Least and greatest of those before the first that is not finite; `finite` is how many those are.
#[inline(never)]
pub fn extremes_before_gap(values: &[f64]) -> Extremes {
    let (mut least, mut greatest) = ((f64::INFINITY, 0), (f64::NEG_INFINITY, 0));
    for (index, &value) in values.iter().enumerate() {
        if !value.is_finite() {
            return Extremes { finite: index, least, greatest };
        }
        if value < least.0 {
            least = (value, index);
        }
        if value > greatest.0 {
            greatest = (value, index);
        }
    }
    Extremes { finite: values.len(), least, greatest }
}

/// Sets those to NaN whose bit is not set: bits from the lowest of the first byte on, as Arrow has them.
#[inline(never)]
pub fn mark_nulls(bits: &[u8], values: &mut [f64]) {
    for (row, value) in values.iter_mut().enumerate() {
        if bits.get(row / 8).is_some_and(|byte| (byte >> (row % 8)) & 1 == 0) {
            *value = f64::NAN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_doubles() {
        let bytes = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut found = Vec::new();
        push_i64(&bytes(&[-1, i64::MAX]), &mut found);
        push_i32(&7_i32.to_le_bytes(), 10, &mut found);
        push_i128(&(-1_250_i128).to_le_bytes(), 100.0, &mut found);
        push_i128(&i128::MAX.to_le_bytes(), 1.0, &mut found);
        push_f64(&0.5_f64.to_le_bytes(), &mut found);
        assert_eq!(found, [-1.0, i64::MAX as f64, 70.0, -12.5, i128::MAX as f64, 0.5]);
    }

    #[test]
    fn only_finite_values_in_order_rise() {
        assert!(rises(&[]) && rises(&[1.0]) && rises(&[1.0, 1.0, 2.0]));
        for values in [&[2.0, 1.0][..], &[f64::NAN], &[1.0, f64::NAN, 2.0], &[1.0, f64::INFINITY], &[f64::NEG_INFINITY]]
        {
            assert!(!rises(values), "{values:?}");
        }
    }

    #[test]
    fn extremes_are_the_first_of_the_finite() {
        let values = [3.0, f64::NAN, 1.0, 5.0, f64::INFINITY, 1.0, 5.0];
        assert_eq!(extremes(&values), Extremes { finite: 5, least: (1.0, 2), greatest: (5.0, 3) });
        assert_eq!(extremes_before_gap(&values), Extremes { finite: 1, least: (3.0, 0), greatest: (3.0, 0) });
        assert_eq!(extremes_before_gap(&values[2..4]), Extremes { finite: 2, least: (1.0, 0), greatest: (5.0, 1) });
        assert_eq!(extremes(&[f64::NAN]).finite, 0);
    }

    #[test]
    fn what_has_no_bit_is_not_a_number() {
        let mut values: Vec<f64> = (0..19).map(f64::from).collect();
        mark_nulls(&[0b1111_1111, 0b1111_0110, 0b101], &mut values);
        let nulls: Vec<usize> = (0..19).filter(|row| values[*row].is_nan()).collect();
        assert_eq!(nulls, [8, 11, 17]);
        assert!((0..19).all(|row| values[row].is_nan() || values[row] == row as f64));
    }
}
