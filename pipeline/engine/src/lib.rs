//! The pipeline's engine: `source → decode → route by key group → apply to state → stage files → commit epoch → announce`.
//!
//! What may not happen here: I/O. Streams, state, files and clocks are reached through [`ports`]; what to do after a
//! crash is a pure decision in [`recovery`]. Threads are only those of [`parallel`], joined before an epoch ends.

pub use model;

pub mod apply;
pub mod decode;
pub mod epoch;
pub mod error;
pub mod event_batch;
pub mod eviction;
pub mod fetch_back;
pub mod import;
pub mod json_leaf;
pub mod meters;
pub mod parallel;
pub mod pipeline;
pub mod ports;
pub mod recovery;
pub mod rescale;
pub mod scaling;
pub mod staging;
pub mod state_value;
pub mod timeline_pages;
pub mod timing;

pub use decode::{Decoder, Rejection};
pub use epoch::{EpochOutcome, EpochTimings, SlotWork};
pub use error::{Error, ErrorKind, Result};
pub use pipeline::{Pipeline, PipelineOptions, Progress};
pub use scaling::Scaling;
