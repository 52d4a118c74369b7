//! What pages change on the server, one module for each thing that is changed. Everything that only reads is in `queries`.

pub mod dashboards;
pub mod publishing;
