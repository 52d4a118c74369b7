//! The lake on a real folder: SQLite, Parquet, manifests and metadata are all there.

#![allow(clippy::unwrap_used, reason = "helpers of tests assume as tests do")]

mod backup;
mod commits;
mod definitions;
mod evolution;
mod outside;
mod rescales;
mod scans;
mod support;
mod upkeep;
