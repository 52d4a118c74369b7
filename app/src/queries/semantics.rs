//! The measures that datasets define, for pages that offer them.

use serde::Deserialize;

use super::client::fetch_text;
use crate::dashboards::semantics::DefinedMeasure;

/// What a page reads of a semantic definition.
#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    measures: Vec<DefinedMeasure>,
}

/// The measures of a dataset as they are now, or as they were known at a time in RFC 3339; none where it had no definition. The
/// error is a sentence for the user.
pub async fn measures(dataset: &str, known: Option<&str>) -> Result<Vec<DefinedMeasure>, String> {
    let at = known.map(|known| format!("?system_time={known}")).unwrap_or_default();
    let text = fetch_text(&format!("/api/v1/datasets/{dataset}/semantics{at}")).await?;
    let Some(text) = text else { return Ok(Vec::new()) };
    let read: Result<Read, _> = serde_json::from_str(&text);
    read.map(|read| read.measures).map_err(|error| format!("the measures of '{dataset}' could not be read: {error}"))
}
