//! The lake on a real folder: SQLite, Parquet, manifests and metadata are all there.

mod commits;
mod definitions;
mod outside;
mod scans;
mod support;
