//! Answers of the lake in the browser: Arrow IPC streams decoded, and cells read with their types.
//!
//! Only `arrow-ipc`, `arrow-array` and `arrow-schema` are used: no casting kernels and no readers of other formats, because
//! every one of them would travel to each visitor.

mod cells;
mod table;

pub use cells::{date_days, display, instant_micros, integer, number, text};
pub use table::Table;
