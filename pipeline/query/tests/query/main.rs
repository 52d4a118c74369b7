//! Queries over a real lake in a temporary folder: the `.slt` files, a property test against a dense grid, and what
//! only a program can ask.

#![allow(clippy::unwrap_used, missing_docs)]

mod engine;
mod evolving;
mod filtered;
mod fixture;
mod grid;
mod harness;
mod language;
mod measures;
mod reduce;
mod slt;
