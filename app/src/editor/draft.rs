//! What is kept in the browser while somebody edits, so that nothing that was typed is lost.

use serde::Serialize;
use serde_json::Value;

use super::dashboard_of;
use crate::dashboards::Dashboard;

/// What the names of drafts in the browser begin with; the name of the dashboard follows, nothing for a new one, and of what is
/// edited on several pages at a time the number of the page, from the second on.
const STORAGE_NAME: &str = "tidemark-draft:";

/// A dashboard that has not been published yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// The name that the draft of a dashboard has in the browser, on the page of that number, from 1.
    pub fn storage_name(dashboard: Option<&str>, page: u32) -> String {
        let name = dashboard.unwrap_or_default();
        match page {
            ..=1 => format!("{STORAGE_NAME}{name}"),
            page => format!("{STORAGE_NAME}{name}~{page}"),
        }
    }

    /// Reads what the browser kept. What cannot be read, such as the draft of a later version of Tidemark, is no draft.
    pub fn read(text: &str) -> Option<Draft> {
        let mut kept: Value = serde_json::from_str(text).ok()?;
        let mut take = |name: &str| kept.get_mut(name).map(Value::take).unwrap_or_default();
        let (dashboard, base) = (take("dashboard"), take("base"));
        Some(Draft {
            dashboard: dashboard_of(dashboard).ok()?,
            base: if base.is_null() { None } else { Some(dashboard_of(base).ok()?) },
            version: take("version").as_str().map(str::to_owned),
            kept_at: take("kept_at").as_i64()?,
        })
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
        assert_eq!(Draft::storage_name(Some("desk"), 1), "tidemark-draft:desk");
        assert_eq!(Draft::storage_name(None, 2), "tidemark-draft:~2");
    }
}
