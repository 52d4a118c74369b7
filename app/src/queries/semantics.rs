//! What datasets say of their figures, for pages that offer it.

use super::client::fetch_text;
use crate::dashboards::semantics::Semantics;

/// The semantic definition of a dataset as it is now, or as it was known at a time in RFC 3339; one that says nothing where it
/// had none. The error is a sentence for the user.
pub async fn semantics(dataset: &str, known: Option<&str>) -> Result<Semantics, String> {
    let at = known.map(|known| format!("?system_time={known}")).unwrap_or_default();
    let text = fetch_text(&format!("/api/v1/datasets/{dataset}/semantics{at}")).await?;
    let Some(text) = text else { return Ok(Semantics::none(dataset)) };
    serde_json::from_str(&text).map_err(|error| format!("what '{dataset}' means could not be read: {error}"))
}
