//! Answers of the lake in the browser: Arrow IPC streams decoded into columns whose cells are read with their types.
//!
//! `arrow-ipc` reads the messages. Arrays and kernels stay on the server: general arrays, with all their types, would be a
//! third of what each visitor downloads, and a page shows a dozen types. That what is decoded here is what the library
//! encodes is tested for each of them. Cells stay in the bytes they came in; numbers and
//! times of a large answer stay outside of WebAssembly (`store.rs`).

mod cells;
mod column;
mod decode;
mod store;
mod table;

pub use column::Column;
pub use store::Outside;
pub use table::Table;

#[cfg(test)]
pub(crate) mod tests;
