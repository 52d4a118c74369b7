//! The engine over ports that keep everything in memory: what epochs commit, what survives a crash, how it stops.

// A test's assumption that does not hold is a failed test.
#![allow(clippy::unwrap_used)]

mod eviction;
mod faults;
mod grid;
mod imports;
mod lake;
mod memory;
mod oracle;
mod rescaling;
mod retractions;
mod running;
mod simulation;
mod world;
