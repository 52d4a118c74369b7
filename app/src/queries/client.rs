//! Sends SQL to the lake and decodes the Arrow stream that comes back.

use std::sync::Arc;

use gloo_net::http::{Request as HttpRequest, Response};
use serde::{Deserialize, Serialize};

use crate::{
    arrow::Table,
    state::coordinates::{Compared, Known},
};

const SQL_ADDRESS: &str = "/api/v1/sql";
const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// A statement, and the snapshot it is to be read under; without one it reads the last commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// The statement.
    pub sql: String,
    /// The snapshot token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// What the answer will be about; stays here.
    #[serde(skip)]
    pub about: About,
}

/// What a statement asks about, kept beside it, so that an answer is never shown under coordinates it was not read at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The known time.
    pub known: Known,
    /// The earlier period it is compared with.
    pub compared: Option<Compared>,
    /// The dataset, where the page shows any.
    pub dataset: String,
    /// Moves on when the same statement has to be asked again.
    pub tick: i64,
}

impl Default for About {
    fn default() -> About {
        About { known: Known::Now, compared: None, dataset: String::new(), tick: 0 }
    }
}

/// An answer and the snapshot it was read under.
pub struct Answer {
    /// The rows.
    pub table: Arc<Table>,
    /// The snapshot token; `None` where the answer carries none.
    pub snapshot: Option<String>,
}

/// A problem document, as far as it is shown.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

/// Asks the lake. The error is a sentence for the user: what the server said, or that it could not be reached.
pub async fn ask(request: &Request) -> Result<Answer, String> {
    let body = serde_json::to_string(request).map_err(|error| error.to_string())?;
    let request =
        HttpRequest::post(SQL_ADDRESS).header("Content-Type", "application/json").header("Accept", ARROW_STREAM);
    let response = request.body(body).map_err(unreachable)?.send().await.map_err(unreachable)?;
    if !response.ok() {
        return Err(refusal(&response).await);
    }
    let snapshot = response.headers().get("tidemark-snapshot");
    let bytes = response.binary().await.map_err(unreachable)?;
    Ok(Answer { table: Arc::new(Table::decode(bytes)?), snapshot })
}

/// Fetches a JSON document of this server.
pub async fn fetch_json<T: for<'a> Deserialize<'a>>(address: &str) -> Result<T, String> {
    let response = HttpRequest::get(address).header("Accept", "application/json").send().await.map_err(unreachable)?;
    if !response.ok() {
        return Err(refusal(&response).await);
    }
    let text = response.text().await.map_err(unreachable)?;
    serde_json::from_str(&text).map_err(|error| format!("the answer could not be read: {error}"))
}

async fn refusal(response: &Response) -> String {
    let problem = response.text().await.ok().and_then(|text| serde_json::from_str::<Problem>(&text).ok());
    let said = problem.and_then(|problem| problem.detail.or(problem.title));
    said.unwrap_or_else(|| format!("the server answered with status {}", response.status()))
}

fn unreachable(_: gloo_net::Error) -> String {
    "the server could not be reached; check that it is running".to_owned()
}
