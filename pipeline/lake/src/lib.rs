//! The lake: append-only Iceberg tables of Parquet files under one embedded catalog.
//!
//! A dataset is one table of assertion rows. Each epoch is one atomic commit over all tables it touches: new files
//! are written and synced first, then a single SQLite transaction moves every table to its new metadata and records
//! the epoch. Whatever a crash leaves behind before that transaction is never seen. Files, once written, never change,
//! so they are cached without a thought for staleness.
//!
//! What may not happen here: resolving assertions into versions (that is `query`'s), and any knowledge of events.

mod backup;
mod bounds;
mod catalog;
mod commit;
mod conform;
mod definitions;
mod error;
mod file_cache;
mod files;
mod filter;
mod lake;
mod layout;
mod manifests;
mod objects;
mod rescales;
mod scan;
mod scan_plan;
mod scan_read;
mod snapshot;
mod upkeep;
mod views;
mod weighted_lru;
mod writer;

pub use model;

pub use backup::{LakeFile, LakeMoment, LakeSource, relocate};
pub use commit::{DatasetCommit, EpochCommit};
pub use definitions::DefinitionVersion;
pub use error::{Error, ErrorKind, Result};
pub use lake::{Dataset, Defined, Lake, LakeOptions, StoredCounts};
pub use objects::{ObjectContents, ObjectFound, ObjectStore};
pub use scan::{KeyFilter, Part, RowChooser, ScanRequest};
pub use scan_plan::{Kinds, Pruning, ScanFiles};
pub use snapshot::{LakeSnapshot, TableSnapshot};
pub use upkeep::{
    ArchiveOptions, CompactOptions, ExpiryOptions, ExpiryPlan, Extent, MaintainOptions, PlaneDigest, UpkeepKind,
    UpkeepPlan, UpkeepRun, Verified,
};
pub use views::View;
pub use writer::{AssertionWriter, StagedFile};
