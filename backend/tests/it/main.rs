//! Tests through the real binary and of the repository itself. One test binary for all of them: each link against the
//! query engine takes long.

mod architecture;
mod bad_input;
mod crash;
mod import;
mod readers;
mod support;
