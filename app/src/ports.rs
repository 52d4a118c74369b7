//! What the pages need from the server while it renders them. The server provides both through Leptos context; the browser
//! never sees them.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use leptos::prelude::use_context;
use model::{CommitAnnouncement, DatasetSummary};

/// An answer that takes time.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// What the lake holds. Provide as `Arc<dyn LakeInfo>`.
pub trait LakeInfo: Send + Sync {
    /// All datasets, by name. An error is a sentence for the user.
    fn datasets(&self) -> Answer<Vec<DatasetSummary>>;

    /// The last commit; `None` before the first.
    fn head(&self) -> Option<CommitAnnouncement>;
}

/// What a page shows of dashboards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DashboardDocument {
    /// One of them, as a [`crate::dashboards::ShownDashboard`].
    Shown {
        /// Its name.
        name: String,
        /// The version, as the page's address says it; the last without.
        version: Option<String>,
        /// The known time, as the page's address says it, for the version that held then.
        known: Option<String>,
    },
    /// All of them, as a list of [`crate::dashboards::ListedDashboard`].
    List,
    /// The versions of one, as a [`crate::dashboards::VersionList`].
    Versions {
        /// Its name.
        name: String,
    },
}

/// The dashboards. Provide as `Arc<dyn DashboardStore>`.
pub trait DashboardStore: Send + Sync {
    /// Name and title of each.
    fn titles(&self) -> Vec<(String, String)>;

    /// A document in JSON; `None` where there is none. An error is a sentence for the user.
    fn document(&self, wanted: DashboardDocument) -> Answer<Option<String>>;
}

/// Names of the files, without their ending, that hold the code of single pages, by the name of the code. Provide by value.
#[derive(Debug, Clone, Default)]
pub struct CodeFiles(pub Arc<HashMap<String, Vec<String>>>);

/// Who is asking. Provide as `Arc<dyn Access>`; made anew for each request.
pub trait Access: Send + Sync {
    /// Whether the request may read. An error is a sentence for the user.
    fn may_read(&self) -> Result<(), String>;
}

/// Comes first in everything that reads on the server: refuses when access was not provided, or says no.
pub fn authorise_read() -> Result<(), String> {
    let access = use_context::<Arc<dyn Access>>().ok_or("this page was rendered without access to the lake")?;
    access.may_read()
}

/// The dashboards, for a request that may read.
pub fn dashboards() -> Result<Arc<dyn DashboardStore>, String> {
    authorise_read()?;
    use_context::<Arc<dyn DashboardStore>>().ok_or_else(|| "this page was rendered without dashboards".to_owned())
}

/// The lake, for a request that may read.
pub fn lake() -> Result<Arc<dyn LakeInfo>, String> {
    authorise_read()?;
    use_context::<Arc<dyn LakeInfo>>().ok_or_else(|| "this page was rendered without a lake".to_owned())
}
