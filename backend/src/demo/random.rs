//! Random draws in whole numbers. Each generator draws from a stream of its own, so that a draw more in one of them
//! leaves the others as they were.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Who draws.
#[derive(Debug, Clone, Copy)]
pub enum Stream {
    /// Sizes, prices and tempers of the instruments at the start.
    Universe = 1,
    /// Renames and reclassifications.
    Registry,
    /// True closes.
    Closes,
    /// What of the closes is published wrong, and when it is put right.
    Publication,
    /// Free float at index reviews.
    Review,
    /// Reference rates and coupon resets.
    Coupons,
    /// Company figures.
    Reports,
    /// Dividends and splits.
    Actions,
    /// Everything unplanned in the live feed.
    Live,
}

/// The random numbers of one generator.
pub fn stream(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

/// A whole number from `low` to `high`, both included.
pub fn between(rng: &mut ChaCha8Rng, low: i64, high: i64) -> i64 {
    rng.random_range(low..=high)
}

/// True once in `n` times.
pub fn one_in(rng: &mut ChaCha8Rng, n: i64) -> bool {
    between(rng, 1, n) == 1
}

/// An index below `len`, which is not 0.
pub fn index_below(rng: &mut ChaCha8Rng, len: usize) -> usize {
    usize::try_from(rng.random_range(0..len as u64)).unwrap_or_default()
}

/// Bell-shaped around 0 with standard deviation `sigma`; never beyond 4.2 of them. A sum of six uniform draws, because
/// logarithms and roots may differ in their last digit between machines.
pub fn bell(rng: &mut ChaCha8Rng, sigma: i64) -> i64 {
    let sum: i64 = (0..6).map(|_| between(rng, -1_000, 1_000)).sum();
    sum * sigma / 1_414
}

/// `base` changed by a uniform draw from `low_ppm` to `high_ppm` millionths, up or down.
pub fn nudge(rng: &mut ChaCha8Rng, base: i128, low_ppm: i64, high_ppm: i64) -> i128 {
    let size = base * i128::from(between(rng, low_ppm, high_ppm)) / 1_000_000;
    if one_in(rng, 2) { base + size } else { base - size }
}

/// A number that depends on its arguments alone and looks random: SplitMix64's finaliser over their mix.
pub fn scatter(seed: u64, who: u64, when: u64) -> u64 {
    let mut z = seed ^ who.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ when.wrapping_mul(0xD1B5_4A32_D192_ED03);
    for _ in 0..2 {
        z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
    }
    z
}
