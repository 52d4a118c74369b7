//! Dashboards as values: which tiles there are, what each asks and how its answer is drawn. Nothing here reads or draws.

pub mod builder;
mod definition;
mod filters;
mod per_tile;
mod question;

#[cfg(feature = "ssr")]
pub use definition::BUILT_IN;
pub use definition::{DRILL, Dashboard, GRID_COLUMNS, ROWS, Level, OnBrush, OnPick, PictureDefinition, TileDefinition, has_parameter};
pub use filters::{Filter, FilterValue, Filters};
pub use per_tile::PerTile;
pub use question::{Clock, Moment, OWN_TIMES, question, range_of};
