//! What pages change on the server, one module for each thing that is changed. Each is one call; what it refuses comes back
//! as a sentence for the user. Everything that only reads is in `queries`.

pub mod dashboards;
pub mod publishing;
pub mod rescale;
pub mod semantics;
