//! One module per page: what it asks for, what it makes of the answers, how it is put together.

mod benchmark_index;
mod change_cells;
pub mod dashboard;
#[cfg(feature = "ssr")]
pub mod design;
pub mod docs;
pub mod home;
pub mod lazy;
pub mod not_found;
mod pipeline;
pub mod restatements;
