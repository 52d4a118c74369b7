//! Views: values in, markup out. Nothing here reads data; colours and sizes are the stylesheet's.

pub mod chart;
pub mod chrome;
pub mod data_grid;
pub mod grid;
pub mod icon;
pub mod known_banner;
pub mod kpi;
pub mod theme;
pub mod tile;
pub mod time_plane;
pub mod whole;
