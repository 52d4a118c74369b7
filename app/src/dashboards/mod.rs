//! Dashboards as values: which tiles there are, what each asks and how its answer is drawn. Nothing here reads or draws.

mod definition;
mod filters;
mod per_tile;
mod question;

#[cfg(feature = "ssr")]
pub use definition::BUILT_IN;
pub use definition::{DRILL, Dashboard, Level, OnBrush, OnPick, PictureDefinition, TileDefinition, has_parameter};
pub use filters::{Filter, FilterValue, Filters};
pub use per_tile::PerTile;
pub use question::{Clock, Moment, OWN_TIMES, question, range_of};
