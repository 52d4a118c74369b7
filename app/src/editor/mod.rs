//! Editing a dashboard, decided without a page: the document with its commands, undone and redone; where a tile goes that is
//! dragged; what of two people's changes goes together; what is kept as a draft; what can be typed next in a statement.
//!
//! Pure. Nothing here draws, reads or sends.

mod complete;
mod document;
mod draft;
mod layout;
mod merge;
mod parameters;
mod reading;
mod shape;

pub use complete::{Completion, Table, completions};
pub use document::{Command, Document, Place, Said, free_name, plain_name};
pub use draft::Draft;
pub use layout::{Direction, Rect, Resize, drop_place, place_in_direction, resized};
pub use merge::{Change, Side, changes, merged, with_own_ids};
pub use reading::dashboard_of;
pub use shape::columns_of;
