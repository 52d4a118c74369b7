//! The ports of the engine and the lake made real, one module each. Nothing here decides: what to do is theirs.

pub mod embedded_stream;
pub mod lake_sink;
mod rocks;
pub mod rocksdb_state;
pub mod s3;
pub mod system_clock;

pub use embedded_stream::{Appended, EmbeddedStream, QuarantinedRecord, Request, StreamCounts};
pub use lake_sink::LakeSink;
pub use rocksdb_state::{RocksDbState, StateOptions};
pub use s3::S3Objects;
pub use system_clock::SystemClock;
