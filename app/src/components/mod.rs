//! Views: values in, markup out. Nothing here reads data but the palette, which asks for the names of what there is; colours
//! and sizes are the stylesheet's.

pub mod chart;
pub mod chrome;
pub mod data_grid;
pub mod dialog;
pub mod display_menu;
pub mod icon;
pub mod keys;
pub mod kiosk;
pub mod known_banner;
pub mod kpi;
pub mod palette;
pub mod spark;
pub mod theme;
pub mod tile;
pub mod time_plane;
pub mod whole;
