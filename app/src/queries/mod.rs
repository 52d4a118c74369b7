//! Everything the pages read. Read only: no query changes anything. SQL text is made by pure functions and tested as text;
//! the client sends it.

pub mod client;
pub mod dashboards;
pub mod datasets;
pub mod diff;
pub mod docs;
pub mod hidden;
pub mod pipeline;
pub mod profile;
pub mod scaling;
pub mod semantics;
pub mod source;
