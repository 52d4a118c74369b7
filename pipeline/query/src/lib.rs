//! Temporal SQL over the lake. Only this crate knows DataFusion.
//!
//! A query goes through `text` (`clause` takes `FOR VALID_TIME …` and `FOR SYSTEM_TIME …` out of it, `periods` turns
//! predicates on periods into calls, `parameters` puts values in, `statement` sees that it is one that only reads),
//! `coordinates` (times to instants), `table_functions` and `as_of_join` (what FROM may hold beside tables), `catalog`
//! (what names mean in one snapshot), `measures` (formulas in
//! the place of `MEASURE(name)`), `request_filters` (what passes besides), and is planned and run by DataFusion
//! (`planner`, on the threads of `runtime`), with `resolve_exec` as the one place where assertion rows become versions,
//! `interval_join` for periods that overlap, and `reduce` on top where an answer is to have no more rows than can be drawn.
//!
//! INSERT, UPDATE and DELETE are only worked out here (`write`): which rows would have to be put or deleted. So is ALTER
//! TABLE (`alter`): which columns would have to change.
//!
//! What may not happen here: writing, reading two states in one query, and letting a filter on anything but a key
//! below resolution. DataFusion's types do not leave the crate, but for Arrow's.

mod alter;
mod answering;
mod as_of_join;
mod catalog;
mod clause;
mod coordinates;
mod distinct_keys;
mod engine;
mod error;
mod filters;
mod gone;
mod in_order;
mod interval_join;
mod key_codes;
mod key_table;
mod keys;
mod last_commit;
mod layout;
mod measures;
mod micros;
mod parameters;
mod period_functions;
mod periods;
mod planner;
mod reduce;
mod request_filters;
mod resolution;
mod resolve_exec;
mod rows;
mod runtime;
mod same_values;
mod series;
mod sieve;
mod statement;
mod table_functions;
mod text;
mod truncate;
mod views;
mod ways;
mod windows;
mod winnow;
mod write;
mod yielding;

pub use alter::Alteration;
pub use catalog::SystemTables;
pub use engine::{BatchStream, QueryAnswer, QueryEngine, QueryOptions, QueryRequest};
pub use error::{Error, ErrorKind, Position, Result};
pub use measures::{DATASET as MEASURES_DATASET, FormulaMistake};
pub use parameters::{Parameter, Parameters};
pub use reduce::{Aggregate, Others, Reduction};
pub use request_filters::{Filter, Passing};
pub use statement::StatementKind;
pub use views::ViewChange;
pub use write::{RowChange, WriteOperation, WritePlan};
