//! Definitions of dashboards: from the server itself while it renders, over HTTP in the browser.

#[cfg(not(feature = "ssr"))]
use leptos::__reexports::send_wrapper::SendWrapper;

/// The definition of that name as a page takes it, in JSON, with statements in the place of questions; `None` where there is
/// none. The error is a sentence for the user.
#[cfg(feature = "ssr")]
pub async fn definition(name: String) -> Result<Option<String>, String> {
    let Some(definition) = crate::ports::dashboards()?.definition(&name) else { return Ok(None) };
    let datasets = crate::ports::lake()?.datasets();
    Ok(Some(crate::dashboards::builder::resolved(definition, &datasets.await?)))
}

/// The definition of that name as a page takes it, in JSON, with statements in the place of questions; `None` where there is
/// none. The error is a sentence for the user.
#[cfg(not(feature = "ssr"))]
pub async fn definition(name: String) -> Result<Option<String>, String> {
    // A browser has one thread; the wrapper states that to those who ask for more.
    SendWrapper::new(async move { super::client::fetch_text(&format!("/api/v1/dashboards/{name}/page")).await }).await
}
