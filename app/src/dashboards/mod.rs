//! Dashboards as values: which tiles there are, what each asks and how its answer is drawn. Nothing here reads or draws.

mod definition;
mod filters;

pub use definition::{Dashboard, OnPick, PictureDefinition, TileDefinition, built_in, title_of};
pub use filters::{Filter, FilterValue, Filters};
