//! The list of datasets: from the lake itself while the server renders, over HTTP in the browser.

#[cfg(not(feature = "ssr"))]
use leptos::__reexports::send_wrapper::SendWrapper;
use model::DatasetSummary;

/// All datasets, by name. The error is a sentence for the user.
#[cfg(feature = "ssr")]
pub async fn datasets() -> Result<Vec<DatasetSummary>, String> {
    let answer = crate::ports::lake()?.datasets();
    answer.await
}

/// All datasets, by name. The error is a sentence for the user.
#[cfg(not(feature = "ssr"))]
pub async fn datasets() -> Result<Vec<DatasetSummary>, String> {
    // A browser has one thread; the wrapper states that to those who ask for more.
    SendWrapper::new(super::client::fetch_json("/api/v1/datasets")).await
}
