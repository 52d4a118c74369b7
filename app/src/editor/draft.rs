//! What is kept in the browser while somebody edits, so that nothing that was typed is lost.

use serde::{Deserialize, Serialize};

use crate::dashboards::Dashboard;

/// What the names of drafts in the browser begin with; the name of the dashboard follows, nothing for a new one.
const STORAGE_NAME: &str = "tidemark-draft:";

/// A dashboard that has not been published yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// As it is.
    pub dashboard: Dashboard,
    /// As it was published when editing began; none for a new one.
    pub base: Option<Dashboard>,
    /// The version that was edited, as the server named it.
    pub version: Option<String>,
    /// When it was kept, in microseconds.
    pub kept_at: i64,
}

impl Draft {
    /// The name that the draft of a dashboard has in the browser.
    pub fn storage_name(dashboard: Option<&str>) -> String {
        format!("{STORAGE_NAME}{}", dashboard.unwrap_or_default())
    }

    /// Reads what the browser kept. What cannot be read, such as the draft of a later version of Tidemark, is no draft.
    pub fn read(text: &str) -> Option<Draft> {
        serde_json::from_str(text).ok()
    }

    /// What the browser is to keep.
    pub fn text(&self) -> String {
        // Fails for maps whose keys are no texts only, of which there is none.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether it says anything that is not published.
    pub fn differs_from(&self, published: Option<&Dashboard>) -> bool {
        Some(&self.dashboard) != published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_reads_back_and_anything_else_is_none() {
        let dashboard: Dashboard = serde_json::from_str(r#"{"name": "desk", "title": "Desk", "tiles": []}"#).unwrap();
        let draft = Draft { dashboard: dashboard.clone(), base: None, version: Some("3".into()), kept_at: 7 };
        assert_eq!(Draft::read(&draft.text()), Some(draft.clone()));
        assert_eq!(Draft::read("{}"), None);
        assert!(!draft.differs_from(Some(&dashboard)) && draft.differs_from(None));
        assert_eq!(Draft::storage_name(Some("desk")), "tidemark-draft:desk");
    }
}
