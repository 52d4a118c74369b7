//! The user interface: rendered on the server, then taken over by the browser, from the same code.
//!
//! Views take values; everything that reads is in [`queries`] and reads only; what arrives live is in [`live`]. The crate
//! draws and formats, and decides nothing about data: any number on screen is a cell of an Arrow answer or is formatted
//! from one. It must build for wasm32 and stay small there.

pub mod arrow;
mod browser;
pub mod charts;
mod components;
pub mod dashboards;
#[cfg(feature = "ssr")]
pub mod docs;
pub mod editor;
pub mod format;
mod json;
mod live;
mod order;
mod pages;
#[cfg(feature = "ssr")]
pub mod pictures;
pub mod ports;
pub mod queries;
mod root;
mod shell;
pub mod state;
mod tasks;
pub mod tokens;
mod words;

#[cfg(feature = "ssr")]
pub use components::chrome::PIPELINE;
pub use root::App;
#[cfg(feature = "hydrate")]
pub use root::hydrate;
pub use shell::{content_security_policy, shell};
