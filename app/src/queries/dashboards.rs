//! What pages show of dashboards: from the server itself while it renders, over HTTP in the browser.

#[cfg(not(feature = "ssr"))]
use leptos::__reexports::send_wrapper::SendWrapper;

use super::client::fetch_json;
use crate::{dashboards::Comparison, ports::DashboardDocument};

/// What differs between two versions of a dashboard, each named by its moment. The error is a sentence for the user.
pub async fn compare(name: &str, a: &str, b: &str) -> Result<Comparison, String> {
    fetch_json(&format!("/api/v1/dashboards/{name}/diff?a={a}&b={b}")).await
}

/// A document in JSON; `None` where there is none. The error is a sentence for the user.
#[cfg(feature = "ssr")]
pub async fn document(wanted: DashboardDocument) -> Result<Option<String>, String> {
    crate::ports::dashboards()?.document(wanted).await
}

/// A document in JSON; `None` where there is none. The error is a sentence for the user.
#[cfg(not(feature = "ssr"))]
pub async fn document(wanted: DashboardDocument) -> Result<Option<String>, String> {
    let encoded = |text: &str| String::from(js_sys::encode_uri_component(text));
    let address = match wanted {
        DashboardDocument::Shown { name, version, known } => {
            let parameter =
                |name: &str, value: Option<String>| value.map(|value| format!("{name}={}&", encoded(&value)));
            let parameters = [parameter("version", version), parameter("known", known)];
            format!("/{name}/page?{}", parameters.into_iter().flatten().collect::<String>())
        }
        DashboardDocument::List => String::new(),
        DashboardDocument::Versions { name } => format!("/{name}/versions"),
    };
    // A browser has one thread; the wrapper states that to those who ask for more.
    SendWrapper::new(async move { super::client::fetch_text(&format!("/api/v1/dashboards{address}")).await }).await
}
