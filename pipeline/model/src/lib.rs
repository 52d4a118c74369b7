//! The words of Tidemark and its pure bitemporal kernel.
//!
//! Everything here is a value or a pure function: no I/O, no clock, no threads, and it builds for wasm32, because
//! the browser speaks the same words. Instants are UTC microseconds since 1970-01-01; intervals are half-open; an
//! unbounded end is [`OPEN`].

pub mod announce;
pub mod arrow_layout;
pub mod column_type;
pub mod decimal;
pub mod definition;
pub mod difference;
pub mod eviction;
pub mod evolution;
pub mod instant;
pub mod key_encoding;
pub mod rectangles;
pub mod rescale;
pub mod resolve;
pub mod snapshot_token;
mod steps;
pub mod stored_columns;
pub mod timeline;

pub use announce::{CommitAnnouncement, DatasetCounts, DatasetSummary, EpochRecord, PipelineSample};
pub use column_type::ColumnType;
pub use decimal::decimal;
pub use definition::{ColumnDefinition, DatasetDefinition, DefinitionProblem, Mode, OperationColumn};
pub use difference::{Difference, differences};
pub use evolution::{DefinitionChange, evolve};
pub use instant::{Instant, OPEN};
pub use rectangles::{Rectangle, StoredAssertion, rectangles};
pub use rescale::{KeptSlots, RescaleOutcome, RescalePhase, RescaleReason, RescaleRecord};
pub use resolve::{Assertion, Piece, first_published, resolve};
pub use snapshot_token::SnapshotToken;
pub use stored_columns::{StoredColumn, StoredColumns};
pub use timeline::{
    Change, Effect, Fingerprint, Operation, Segment, Timeline, TimelineEvent, net_effect, net_effect_within,
};

/// Key groups the key space of every dataset is divided into. Fixed for the life of a lake: state moves in these units.
pub const KEY_GROUPS: u16 = 128;

/// The four time columns as SQL names them, in this order, whatever the incoming names were.
pub const TIME_COLUMNS: [&str; 4] = ["valid_from", "valid_to", "system_from", "system_to"];

/// The stored column that says whether an assertion row is a `put` or a `delete`. Not visible in SQL.
pub const OPERATION_COLUMN: &str = "operation";
