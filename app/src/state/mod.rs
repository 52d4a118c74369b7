//! What a page is looking at: coordinates kept in the address, and tiles that read under them.

pub mod address;
pub mod coordinates;
pub mod datasets;
pub mod tile;
