//! Semantic definitions of datasets as they are edited: read with their version, and stored over the version that was read.

use gloo_net::http::{Request, RequestBuilder, Response};
use serde::Deserialize;

use crate::{
    dashboards::{VersionList, semantics::Semantics},
    queries::client::{NOT_FOUND, refusal, unreachable},
};

/// What the server answers where somebody else has stored one meanwhile.
const CONFLICTS: [u16; 2] = [409, 412];
/// What it answers where the definition is not right.
const NOT_RIGHT: u16 = 422;

/// A definition and its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The definition; one that says nothing where there is none.
    pub semantics: Semantics,
    /// Names its version to [`store`]; none where nothing is stored.
    pub version: Option<String>,
}

/// Something that is not right, by its member: `measures[2].formula`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Mistake {
    /// The member; empty for the whole.
    pub path: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// Why a definition was not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Somebody else has stored one meanwhile.
    Conflict,
    /// These are not right.
    Mistakes(Vec<Mistake>),
    /// A sentence for the user.
    Other(String),
}

/// What the server says of a refusal.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    detail: String,
    #[serde(default)]
    problems: Vec<Mistake>,
}

fn escaped(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}

fn address(dataset: &str) -> String {
    format!("/api/v1/datasets/{}/semantics", escaped(dataset))
}

fn version_of(response: &Response) -> Option<String> {
    response.headers().get("etag")
}

/// The definition of a dataset as it is stored, or as it was known at a system time. The error is a sentence for the user.
pub async fn stored(dataset: &str, system_time: Option<&str>) -> Result<Stored, String> {
    let at = system_time.map(|moment| format!("?system_time={}", escaped(moment))).unwrap_or_default();
    let request = Request::get(&format!("{}{at}", address(dataset)));
    let request = request.header("Accept", "application/json").header("Cache-Control", "no-cache");
    let response = request.send().await.map_err(unreachable)?;
    // Of a moment at which there was none there is nothing to open.
    if response.status() == NOT_FOUND && system_time.is_none() {
        return Ok(Stored { semantics: Semantics::none(dataset), version: None });
    }
    if !response.ok() {
        return Err(refusal(&response).await);
    }
    let version = version_of(&response);
    let text = response.text().await.map_err(unreachable)?;
    let semantics = serde_json::from_str(&text).map_err(|error| format!("the definition is not right: {error}"))?;
    Ok(Stored { semantics, version })
}

/// All versions of the definition of a dataset, the last first; none where there never was one. The error is a sentence.
pub async fn versions(dataset: &str) -> Result<Option<VersionList>, String> {
    let response = Request::get(&format!("{}/versions", address(dataset))).send().await.map_err(unreachable)?;
    if response.status() == NOT_FOUND {
        return Ok(None);
    }
    if !response.ok() {
        return Err(refusal(&response).await);
    }
    let text = response.text().await.map_err(unreachable)?;
    serde_json::from_str(&text).map(Some).map_err(|error| format!("the versions are not right: {error}"))
}

/// Who changes a definition, and why.
#[derive(Debug, Clone, Copy)]
pub struct Reason<'a> {
    /// Who, which may be nobody.
    pub author: &'a str,
    /// Why, which may be nothing.
    pub note: &'a str,
}

impl Reason<'_> {
    fn parameters(self) -> String {
        format!("?author={}&note={}", escaped(self.author), escaped(self.note))
    }
}

/// The request with the version over which it is carried out; with none, that there is none.
fn over(request: RequestBuilder, version: Option<&str>) -> RequestBuilder {
    match version {
        Some(version) => request.header("If-Match", version),
        None => request.header("If-None-Match", "*"),
    }
}

/// Stores a definition in the place of a version, or as the first. Gives the new version.
pub async fn store(
    semantics: &Semantics,
    version: Option<&str>,
    reason: Reason<'_>,
) -> Result<Option<String>, Refused> {
    let gone = |error: gloo_net::Error| Refused::Other(unreachable(error));
    let body = serde_json::to_string(semantics).map_err(|error| Refused::Other(error.to_string()))?;
    let request = Request::put(&format!("{}{}", address(&semantics.dataset), reason.parameters()));
    let request = over(request, version).header("Content-Type", "application/json");
    let response = request.body(body).map_err(gone)?.send().await.map_err(gone)?;
    match response.status() {
        _ if response.ok() => Ok(version_of(&response)),
        status if CONFLICTS.contains(&status) => Err(Refused::Conflict),
        NOT_RIGHT => {
            let said = response.text().await.ok().and_then(|text| serde_json::from_str::<Said>(&text).ok());
            Err(match said {
                Some(Said { problems, .. }) if !problems.is_empty() => Refused::Mistakes(problems),
                Some(Said { detail, .. }) => Refused::Other(detail),
                None => Refused::Other("the definition is not right".to_owned()),
            })
        }
        _ => Err(Refused::Other(refusal(&response).await)),
    }
}

/// Deletes the definition of a dataset. Its versions are kept.
pub async fn delete(dataset: &str, version: Option<&str>, reason: Reason<'_>) -> Result<(), Refused> {
    let gone = |error: gloo_net::Error| Refused::Other(unreachable(error));
    let request = Request::delete(&format!("{}{}", address(dataset), reason.parameters()));
    let response = over(request, version).send().await.map_err(gone)?;
    match response.status() {
        _ if response.ok() => Ok(()),
        status if CONFLICTS.contains(&status) => Err(Refused::Conflict),
        _ => Err(Refused::Other(refusal(&response).await)),
    }
}
