//! Temporal SQL over the lake. Only this crate knows DataFusion.
//!
//! A query goes through `clause` (takes `FOR VALID_TIME …` and `FOR SYSTEM_TIME …` out of the text), `statement` (one
//! statement that only reads), `coordinates` (times to instants), `catalog` (what names mean in one snapshot), and is
//! planned and run by DataFusion (`planner`, on the threads of `runtime`), with `resolve_exec` as the one place where assertion rows become versions.
//!
//! What may not happen here: writing, reading two states in one query, and letting a filter on anything but a key
//! below resolution. DataFusion's types do not leave the crate, but for Arrow's.

mod catalog;
mod clause;
mod coordinates;
mod engine;
mod error;
mod filters;
mod in_order;
mod keys;
mod layout;
mod planner;
mod resolve_exec;
mod rows;
mod runtime;
mod same_values;
mod statement;
mod yielding;

pub use catalog::SystemTables;
pub use engine::{BatchStream, QueryAnswer, QueryEngine, QueryOptions, QueryRequest};
pub use error::{Error, ErrorKind, Position, Result};
