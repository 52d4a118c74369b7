//! What a page is looking at: coordinates kept in the address, and tiles that read under them; what can be reached by
//! name; and how the reader wants it shown.

pub mod address;
pub mod commands;
pub mod coordinates;
pub mod datasets;
pub mod diff;
pub mod display;
pub mod mode;
pub mod tile;
