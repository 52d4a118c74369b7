//! One module per page: what it asks for, what it makes of the answers, how it is put together.

mod author;
mod compared;
pub mod dashboard;
mod dashboard_list;
mod dashboard_versions;
#[cfg(feature = "ssr")]
pub mod design;
mod diff;
pub mod docs;
mod duplicate;
mod editor;
mod explore;
mod filters;
pub mod home;
pub mod lazy;
pub mod not_found;
mod pipeline;
mod scaling;
mod semantics;
mod versions;
