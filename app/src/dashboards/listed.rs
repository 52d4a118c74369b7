//! Dashboards and their versions as they are listed and compared: what the API says, pages show and the command line reads.

use model::Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ShownVersion;

/// A dashboard in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedDashboard {
    /// Its name in addresses.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// A sentence on what it is for.
    pub description: String,
    /// Its folder; empty at the top.
    pub folder: String,
    /// Words it can be found by.
    pub tags: Vec<String>,
    /// `stored` in the lake, `built-in`, or a `file` of the folder of dashboards.
    pub origin: String,
    /// What `If-Match` takes for this version, without its quotes.
    pub tag: String,
    /// Who saved it last; `None` of what comes with the server.
    pub version: Option<ShownVersion>,
}

impl ListedDashboard {
    /// Whether every word of a search is in what is said of it.
    pub fn has(&self, search: &str) -> bool {
        let said = [&self.name, &self.title, &self.description, &self.folder, &self.tags.join(" ")]
            .map(|text| text.to_lowercase())
            .join(" ");
        search.to_lowercase().split_whitespace().all(|word| said.contains(word))
    }
}

/// The versions of a dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionList {
    /// Its name.
    pub name: String,
    /// What people call it, by its last version.
    pub title: String,
    /// `built-in` or `file`, where it was there before anything was stored under its name, and is there when that is deleted.
    pub beneath: Option<String>,
    /// The stored versions, the last first.
    pub versions: Vec<ListedVersion>,
}

/// A stored version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedVersion {
    /// Who saved it, when and why.
    #[serde(flatten)]
    pub version: ShownVersion,
    /// Until when it was the last; `None` of the last.
    pub until: Option<Instant>,
    /// `created`, `replaced`, `restored` or `deleted`.
    pub change: String,
    /// What it was called.
    pub title: String,
}

/// What differs between two versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The one before; `None` of what comes with the server.
    pub a: Option<ShownVersion>,
    /// The one after.
    pub b: Option<ShownVersion>,
    /// Member by member, in the order of the format.
    pub changes: Vec<Difference>,
}

/// A member that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The member: `tiles[prices].sql`, where parts of lists go by their id or name.
    pub path: String,
    /// Its value before; `None` where it was not there.
    pub before: Option<Value>,
    /// Its value after; `None` where it is gone.
    pub after: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_words_anywhere_in_any_order() {
        let listed = ListedDashboard {
            name: "desk".to_owned(),
            title: "Bond desk".to_owned(),
            description: "Floating coupons".to_owned(),
            folder: "risk/credit".to_owned(),
            tags: vec!["EUR".to_owned()],
            origin: "stored".to_owned(),
            tag: String::new(),
            version: None,
        };
        for found in ["", "bond", "coup BOND", "eur credit", "risk/c"] {
            assert!(listed.has(found), "{found}");
        }
        assert!(!listed.has("bond usd"));
    }
}
