//! Dashboards as values: which tiles there are, what each asks and how its answer is drawn. Nothing here reads or draws.

pub mod builder;
mod checks;
mod definition;
mod filters;
mod listed;
#[cfg(feature = "ssr")]
mod markdown;
mod per_tile;
mod question;
#[cfg(feature = "ssr")]
mod schema;
pub mod semantics;
mod shown;
mod variables;

pub use checks::{Problem, is_name};
#[cfg(feature = "ssr")]
pub use definition::BUILT_IN;
pub use definition::{
    DRILL, Dashboard, FORMAT, GRID_COLUMNS, Level, OnBrush, OnPick, PictureDefinition, ROWS, Section, Tab,
    TileDefinition, has_parameter,
};
pub use filters::{Filter, FilterValue, Filters};
pub use listed::{Comparison, Difference, ListedDashboard, ListedVersion, VersionList};
#[cfg(feature = "ssr")]
pub use markdown::html_of;
pub use per_tile::PerTile;
pub use question::{Clock, Moment, OWN_TIMES, question, range_of};
#[cfg(feature = "ssr")]
pub use schema::{json_schema, semantics_schema};
pub use shown::{ShownDashboard, ShownVersion, VERSION, VERSION_AS_KNOWN};
pub use variables::{
    Options, Values, Variable, VariableKind, name_refused, options_of, titled, titled_picture, values, values_for,
};
