//! The kernel against a naive dense grid that shares no code with it: one cell for each valid instant.
//!
//! 64 cases each; `PROPTEST_CASES=10000 cargo test -p model` asks for more. A failure prints its seed, and
//! `PROPTEST_RNG_SEED=<seed>` with the same number of cases plays it again. What a seed once found stands in `cases`.

mod cases;
mod evicting;
mod evolution;
mod grid;
mod history;
mod timelines;
