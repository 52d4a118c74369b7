//! The engine over ports that keep everything in memory: what epochs commit, what survives a crash, how it stops.

// A test's assumption that does not hold is a failed test.
#![allow(clippy::unwrap_used)]

mod eviction;
mod imports;
mod memory;
mod oracle;
mod retractions;
mod running;
mod world;
