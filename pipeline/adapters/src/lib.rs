//! The engine's ports made real, one module each. Nothing here decides: what to do is the engine's.

pub mod embedded_stream;
pub mod lake_sink;
mod rocks;
pub mod rocksdb_state;
pub mod system_clock;

pub use embedded_stream::{Appended, EmbeddedStream, QuarantinedRecord, Request, StreamCounts};
pub use lake_sink::LakeSink;
pub use rocksdb_state::{RocksDbState, StateOptions};
pub use system_clock::SystemClock;
