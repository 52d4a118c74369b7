//! The one place that sorts: each type that is sorted elsewhere would bring a sorting algorithm of its own to the browser.

/// The places of numbers in rising order; equal ones stay as they came, what is not a number comes last.
pub fn by_number(keys: &[f64]) -> Vec<u32> {
    let mut order: Vec<(f64, u32)> = keys.iter().copied().zip(0..).collect();
    // Minus nothing is nothing, so that both zeros are equal.
    let rank = |key: f64| if key.is_nan() { f64::INFINITY } else { key + 0.0 };
    order.sort_by(|a, b| rank(a.0).total_cmp(&rank(b.0)).then(a.0.is_nan().cmp(&b.0.is_nan())));
    order.into_iter().map(|(_, place)| place).collect()
}

/// The finite numbers, each once, in rising order.
pub fn distinct(keys: &[f64]) -> Vec<f64> {
    let finite: Vec<f64> = keys.iter().copied().filter(|key| key.is_finite()).collect();
    let mut sorted: Vec<f64> = by_number(&finite).into_iter().map(|place| finite[place as usize]).collect();
    sorted.dedup();
    sorted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_numbers_stay_as_they_came_and_what_is_none_comes_last() {
        assert_eq!(by_number(&[2.0, f64::NAN, -1.0, 2.0, 0.0, -0.0, f64::INFINITY]), [2, 4, 5, 0, 3, 6, 1]);
        assert_eq!(distinct(&[2.0, f64::NAN, 1.0, 2.0, f64::INFINITY]), [1.0, 2.0]);
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_sorting(keys in prop::collection::vec(-1e9_f64..1e9, 0..200)) {
            let mut expected = keys.clone();
            expected.sort_by(f64::total_cmp);
            let found: Vec<f64> = by_number(&keys).into_iter().map(|place| keys[place as usize]).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
