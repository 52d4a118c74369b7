//! The ports of the engine and the lake made real, one module each. Nothing here decides: what to do is theirs.

pub mod embedded_stream;
pub mod lake_sink;
mod retention;
mod rocks;
pub mod rocksdb_state;
pub mod s3;
mod stream_entries;
mod stream_request;
pub mod system_clock;

pub use embedded_stream::{Appended, EmbeddedStream, StreamCounts};
pub use lake_sink::LakeSink;
pub use rocksdb_state::{RocksDbState, StateMemory, StateOptions};
pub use s3::S3Objects;
pub use stream_entries::{Lag, QuarantinedRecord};
pub use stream_request::Request;
pub use system_clock::SystemClock;
