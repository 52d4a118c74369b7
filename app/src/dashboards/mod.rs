//! Dashboards as values: which tiles there are, what each asks and how its answer is drawn. Nothing here reads or draws.

mod definition;
mod filters;

#[cfg(feature = "ssr")]
pub use definition::BUILT_IN;
pub use definition::{Dashboard, OnPick, PictureDefinition, TileDefinition};
pub use filters::{Filter, FilterValue, Filters};
