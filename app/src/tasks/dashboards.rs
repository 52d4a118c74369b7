//! Changes of dashboards. Each is one request, which is carried out whole or refused in words.

use gloo_net::http::{Method, RequestBuilder};
use serde_json::json;

use crate::queries::client::{refusal, unreachable};

/// Stores a dashboard under another name: its version of a moment, the last without. The error is a sentence for the user.
pub async fn duplicate(name: &str, version: Option<&str>, copy: &str, title: &str, author: &str) -> Result<(), String> {
    let body = json!({"name": copy, "title": title, "version": version, "author": author});
    send(Method::POST, &format!("{name}/duplicate"), None, Some(body.to_string())).await
}

/// Stores the version of a moment again, where the last version is still the one with this tag.
pub async fn restore(name: &str, version: &str, tag: Option<&str>, author: &str, note: &str) -> Result<(), String> {
    let body = json!({"version": version, "author": author, "note": note});
    send(Method::POST, &format!("{name}/restore"), tag, Some(body.to_string())).await
}

/// Deletes a stored dashboard, where its last version is still the one with this tag.
pub async fn delete(name: &str, tag: Option<&str>, author: &str, note: &str) -> Result<(), String> {
    let [author, note] = [author, note].map(|text| String::from(js_sys::encode_uri_component(text)));
    send(Method::DELETE, &format!("{name}?author={author}&note={note}"), tag, None).await
}

async fn send(method: Method, below: &str, tag: Option<&str>, body: Option<String>) -> Result<(), String> {
    let mut request = RequestBuilder::new(&format!("/api/v1/dashboards/{below}")).method(method);
    if let Some(tag) = tag {
        request = request.header("If-Match", &format!("\"{tag}\""));
    }
    let response = match body {
        Some(body) => request.header("Content-Type", "application/json").body(body).map_err(unreachable)?.send().await,
        None => request.send().await,
    };
    let response = response.map_err(unreachable)?;
    if response.ok() { Ok(()) } else { Err(refusal(&response).await) }
}
