//! Definitions of dashboards as they are edited: read with their version, and published over the version that was read.

use gloo_net::http::{Request, Response};

use crate::{
    dashboards::Dashboard,
    editor::dashboard_of,
    queries::client::{NOT_FOUND, refusal, unreachable},
};

/// What the server answers where somebody else has published meanwhile.
const CONFLICTS: [u16; 2] = [409, 412];

/// A definition and its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The definition.
    pub dashboard: Dashboard,
    /// Names its version to [`publish`]; none where it has none yet.
    pub version: Option<String>,
}

/// What became of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// It is published, as this version.
    Done(Option<String>),
    /// Somebody else has published meanwhile.
    Conflict,
}

fn address(name: &str) -> String {
    format!("/api/v1/dashboards/{}", String::from(js_sys::encode_uri_component(name)))
}

fn version_of(response: &Response) -> Option<String> {
    response.headers().get("etag")
}

/// The definition of that name as it is published; `None` where there is none. The error is a sentence for the user.
pub async fn published(name: &str) -> Result<Option<Published>, String> {
    let request = Request::get(&address(name)).header("Accept", "application/json").header("Cache-Control", "no-cache");
    let response = request.send().await.map_err(unreachable)?;
    if response.status() == NOT_FOUND {
        return Ok(None);
    }
    if !response.ok() {
        return Err(refusal(&response).await);
    }
    let version = version_of(&response);
    let text = response.text().await.map_err(unreachable)?;
    let dashboard = serde_json::from_str(&text)
        .and_then(dashboard_of)
        .map_err(|error| format!("the definition of this dashboard is not right: {error}"))?;
    Ok(Some(Published { dashboard, version }))
}

/// Publishes a definition in the place of a version, or as the first where none is expected, in the name of an author, who may
/// be nobody. The error is a sentence for the user.
pub async fn publish(dashboard: &Dashboard, over: Over<'_>, author: &str) -> Result<Publication, String> {
    let body = serde_json::to_string(dashboard).map_err(|error| error.to_string())?;
    let address = match author {
        "" => address(&dashboard.name),
        author => format!("{}?author={}", address(&dashboard.name), String::from(js_sys::encode_uri_component(author))),
    };
    let request = Request::put(&address).header("Content-Type", "application/json");
    let request = match over {
        Over::Version(version) => request.header("If-Match", version),
        Over::Nothing => request.header("If-None-Match", "*"),
        Over::Anything => request,
    };
    let response = request.body(body).map_err(unreachable)?.send().await.map_err(unreachable)?;
    match response.status() {
        status if CONFLICTS.contains(&status) => Ok(Publication::Conflict),
        _ if response.ok() => Ok(Publication::Done(version_of(&response))),
        _ => Err(refusal(&response).await),
    }
}

/// What is to be there before a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over<'a> {
    /// This version.
    Version(&'a str),
    /// No dashboard of that name.
    Nothing,
    /// Whatever there is.
    Anything,
}
