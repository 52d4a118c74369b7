//! What a page gets of the server about a dashboard: its definition in one version, and how that stands among the others.

use std::collections::BTreeMap;

use model::Instant;
use serde::{Deserialize, Serialize};

use super::Dashboard;

/// The address parameter with the version that is shown: a moment, whose version it is, or [`VERSION_AS_KNOWN`].
pub const VERSION: &str = "version";
/// The version that held at the page's known time.
pub const VERSION_AS_KNOWN: &str = "known";

/// A dashboard as a page shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownDashboard {
    /// The definition.
    pub definition: Dashboard,
    /// The words of tiles in Markdown, by tile, as HTML in which nothing runs.
    pub html: BTreeMap<String, String>,
    /// Who saved this version and when; `None` of what comes with the server.
    pub version: Option<ShownVersion>,
    /// Whether there is no later one.
    pub latest: bool,
    /// Whether one was asked for of a moment at which there was none. Then this is the latest.
    pub absent: bool,
    /// When it was changed, the first change first; the last thousand.
    pub changes: Vec<Instant>,
}

/// A version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownVersion {
    /// When it was saved. It is the version's name, too.
    pub system_time: Instant,
    /// Who saved it, as they said themselves; empty where they said nothing.
    pub author: String,
    /// Why.
    pub note: String,
}
