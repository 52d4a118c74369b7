//! Asking for another number of slots, and taking that back.

use gloo_net::http::{Request as HttpRequest, Response};
use model::RescaleRecord;
use serde_json::json;

use crate::queries::client::{refusal, unreachable};

const RESCALE_ADDRESS: &str = "/api/v1/pipeline/rescale";
/// How the server knows who asked.
const ASKED_BY: &str = "page";

/// Asks for so many slots. Gives the record of what has begun.
pub async fn rescale(slots: u16, reason: &str) -> Result<RescaleRecord, String> {
    let order = json!({ "slots": slots, "reason": reason, "asked_by": ASKED_BY });
    let post = HttpRequest::post(RESCALE_ADDRESS).header("Content-Type", "application/json");
    let post = post.body(order.to_string()).map_err(unreachable)?;
    record(post.send().await.map_err(unreachable)?).await
}

/// Takes back the rescale of that number, while the pipeline has not come to it.
pub async fn cancel(id: u64) -> Result<RescaleRecord, String> {
    let address = format!("{RESCALE_ADDRESS}?id={id}");
    record(HttpRequest::delete(&address).send().await.map_err(unreachable)?).await
}

async fn record(response: Response) -> Result<RescaleRecord, String> {
    if !response.ok() {
        return Err(refusal(&response).await);
    }
    let text = response.text().await.map_err(unreachable)?;
    serde_json::from_str(&text).map_err(|error| format!("the answer could not be read: {error}"))
}
