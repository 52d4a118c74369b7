//! Scales: from values to places between 0 and 1, and back.

use super::ticks::{self, Tick};

/// Where values of an axis lie. Low is 0, high is 1.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// Numbers; `low < high`.
    Linear {
        /// Value at 0.
        low: f64,
        /// Value at 1.
        high: f64,
    },
    /// Positive numbers, by their logarithm; `0 < low < high`.
    Log {
        /// Value at 0.
        low: f64,
        /// Value at 1.
        high: f64,
    },
    /// Instants in microseconds; `from < to`.
    Time {
        /// Instant at 0.
        from: f64,
        /// Instant at 1.
        to: f64,
    },
    /// Categories; the value of one is its index.
    Band {
        /// Their names, in order; at least one.
        labels: Vec<String>,
    },
}

impl Scale {
    /// Numbers over a range, which is widened where it is empty.
    pub fn linear(low: f64, high: f64) -> Scale {
        if low < high { Scale::Linear { low, high } } else { Scale::Linear { low: low - 0.5, high: low + 0.5 } }
    }

    /// Positive numbers over a range.
    pub fn log(low: f64, high: f64) -> Scale {
        let low = if low.is_finite() && low > 0.0 { low } else { 1.0 };
        if high > low { Scale::Log { low, high } } else { Scale::Log { low: low / 2.0, high: low * 2.0 } }
    }

    /// Times over a range, which is widened by `around` on both sides where it is empty.
    pub fn time(from: f64, to: f64, around: f64) -> Scale {
        if from < to { Scale::Time { from, to } } else { Scale::Time { from: from - around, to: from + around } }
    }

    /// Where a value lies: 0 to 1, or outside for what is out of the range. Not a number where it has no place.
    pub fn share(&self, value: f64) -> f64 {
        match self {
            Scale::Linear { low, high } | Scale::Time { from: low, to: high } => (value - low) / (high - low),
            Scale::Log { .. } if value <= 0.0 => f64::NAN,
            Scale::Log { low, high } => (value / low).ln() / (high / low).ln(),
            Scale::Band { labels } => (value + 0.5) / labels.len() as f64,
        }
    }

    /// The value at a place; of a band the nearest category.
    pub fn value(&self, share: f64) -> f64 {
        match self {
            Scale::Linear { low, high } | Scale::Time { from: low, to: high } => low + share * (high - low),
            Scale::Log { low, high } => low * (high / low).powf(share),
            Scale::Band { labels } => {
                let last = labels.len().saturating_sub(1) as f64;
                (share * labels.len() as f64).floor().clamp(0.0, last)
            }
        }
    }

    /// The share of the axis that one category has; zero for other scales.
    pub fn band(&self) -> f64 {
        match self {
            Scale::Band { labels } => 1.0 / labels.len() as f64,
            _ => 0.0,
        }
    }

    /// Labelled places inside the range, at most `most`, in rising order.
    pub fn ticks(&self, most: usize, format: super::ValueFormat) -> Vec<Tick> {
        match self {
            Scale::Linear { low, high } => ticks::inside(ticks::value_ticks(*low, *high, most, format), *low, *high),
            Scale::Log { low, high } => ticks::log_ticks(*low, *high, most, format),
            Scale::Time { from, to } => ticks::time_ticks(*from as i64, *to as i64, most),
            Scale::Band { labels } => ticks::band_ticks(labels, most),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::ValueFormat, *};

    fn any_scale() -> impl Strategy<Value = Scale> {
        let range = (-1e9_f64..1e9, 0.0_f64..1e9);
        prop_oneof![
            range.clone().prop_map(|(low, span)| Scale::linear(low, low + span)),
            (1e-6_f64..1e6, 1.0_f64..1e6).prop_map(|(low, ratio)| Scale::log(low, low * ratio)),
            (0.0_f64..2e15, 0.0_f64..4e14).prop_map(|(from, span)| Scale::time(
                from.floor(),
                (from + span).floor(),
                1e6
            )),
            (1_usize..400).prop_map(|count| Scale::Band { labels: (0..count).map(|i| format!("c{i}")).collect() }),
        ]
    }

    proptest! {
        #[test]
        fn places_and_values_are_each_others_inverse(scale in any_scale(), share in 0.0_f64..1.0) {
            let back = scale.share(scale.value(share));
            let slack = scale.band().max(1e-6);
            prop_assert!((back - share).abs() <= slack, "{} for {}", back, share);
        }

        #[test]
        fn ticks_rise_lie_inside_and_are_not_too_many(scale in any_scale(), most in 1_usize..14) {
            let ticks = scale.ticks(most, ValueFormat::Plain);
            prop_assert!(ticks.len() <= most + 2, "{} of {}", ticks.len(), most);
            prop_assert!(ticks.windows(2).all(|pair| pair[0].at < pair[1].at));
            for tick in &ticks {
                let share = scale.share(tick.at);
                prop_assert!((-1e-9..=1.0 + 1e-9).contains(&share), "{:?} at {}", tick, share);
            }
        }
    }

    #[test]
    fn what_a_logarithm_cannot_place_has_no_place() {
        let scale = Scale::log(1.0, 100.0);
        assert!(scale.share(0.0).is_nan() && scale.share(-3.0).is_nan());
        assert!((scale.share(10.0) - 0.5).abs() < 1e-12);
    }
}
