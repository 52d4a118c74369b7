//! Tests through the real binary and of the repository itself. One test binary for all of them: each link against the
//! query engine takes long.

mod architecture;
mod backup;
mod bad_input;
mod bench;
mod bucket;
mod buckets;
mod built_in_dashboards;
mod caching;
mod chaos;
mod dashboards;
mod differential;
mod docs_examples;
mod faults;
mod gdp_vintages;
mod import;
mod metrics;
mod pictures;
mod quick;
mod readers;
mod reduce;
mod rescale;
mod savepoints;
mod schema_evolution;
mod semantics;
mod source;
mod sql_writes;
mod state_ttl;
mod support;
mod thumbnails;
mod tile_queries;
mod types;
mod upkeep;
