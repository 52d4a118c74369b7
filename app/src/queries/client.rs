//! Sends SQL to the lake and decodes the Arrow stream that comes back.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use gloo_net::http::{Request as HttpRequest, Response};
use js_sys::Uint8Array;
use model::SnapshotToken;
use send_wrapper::SendWrapper;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, AbortSignal};

use crate::{
    arrow::{Outside, Table},
    browser,
    dashboards::Filter,
    format::number,
    state::coordinates::{Compared, Known},
};

/// What is answered where there is nothing at an address.
pub const NOT_FOUND: u16 = 404;
const SQL_ADDRESS: &str = "/api/v1/sql";
/// From so many bytes on an answer stays where the browser has put it.
const LARGE_BYTES: u32 = 2 << 20;
/// Longer addresses are not sure to arrive.
const ADDRESS_BYTES: usize = 6_000;
const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// A statement, and the snapshot it is to be read under; without one it reads the last commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// The statement.
    pub sql: String,
    /// The snapshot token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The system time of tables that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_time: Option<String>,
    /// The values of `$name` in the statement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, ParameterValue>,
    /// What every table is narrowed down to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// What the server makes of the rows, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reduce: Vec<Reduction>,
    /// What the answer will be about; stays here.
    #[serde(skip)]
    pub about: About,
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A text; of times too.
    Text(String),
    /// A number that a double keeps.
    Number(#[serde(serialize_with = "short")] f64),
    /// Several texts, for `IN ($name)`.
    Several(Vec<String>),
}

impl ParameterValue {
    /// As people read it.
    pub fn text(&self) -> String {
        match self {
            ParameterValue::Text(text) => text.clone(),
            ParameterValue::Number(number) => number::float_text(*number),
            ParameterValue::Several(texts) => texts.join(", "),
        }
    }
}

/// A whole number without a fraction, as `LIMIT` wants it.
fn short<S: serde::Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match number.fract() == 0.0 && number.abs() < 1e15 {
        true => serializer.serialize_i64(*number as i64),
        false => serializer.serialize_f64(*number),
    }
}

impl From<String> for ParameterValue {
    fn from(text: String) -> ParameterValue {
        ParameterValue::Text(text)
    }
}

// Numbers among parameters are finite: what is not is no number that anybody wrote.
impl Eq for ParameterValue {}

/// What the server makes of rows before it sends them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reduction {
    /// Of each series and each stretch of x: the rows with the first and last x and the least and greatest values.
    M4 {
        /// The column along which stretches lie.
        x: String,
        /// The columns whose extremes are kept.
        y: Vec<String>,
        /// The columns that tell series apart.
        #[serde(default)]
        by: Vec<String>,
        /// Stretches at most.
        columns: u32,
    },
    /// Of each series and each cell of a grid the first row. Follows from a picture, and stands in no definition.
    #[serde(skip_deserializing)]
    Dots {
        /// The column from left to right.
        x: String,
        /// The columns from bottom to top.
        y: Vec<String>,
        /// The columns that tell series apart.
        by: Vec<String>,
        /// Cells along x at most.
        columns: u32,
        /// Cells along y at most.
        rows: u32,
    },
    /// All rows, refused where there are more. Follows from a picture, and stands in no definition.
    #[serde(skip_deserializing)]
    AtMost {
        /// Rows at most.
        rows: u32,
    },
    /// The categories with the greatest values, all others as one.
    Top {
        /// The column of the category.
        by: String,
        /// The columns that are added up; the first ranks.
        of: Vec<String>,
        /// Categories that stay.
        n: u32,
        /// What becomes of the others.
        others: Others,
    },
    /// Counts by stretches of one column or two.
    Bins {
        /// The column from left to right.
        x: String,
        /// The column from bottom to top.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        y: Option<String>,
        /// Stretches of x at most.
        columns: u32,
        /// Stretches of y at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u32>,
        /// The column that is aggregated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// How: `count`, `sum`, `mean`, `min` or `max`.
        aggregate: String,
    },
}

/// What becomes of the rows of categories that are not among the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// They are added up.
    Sum,
    /// They are left out.
    None,
}

impl Request {
    /// A statement at the coordinates that stand in it.
    pub fn new(sql: String, snapshot: Option<String>, about: About) -> Request {
        let (parameters, filters, reduce) = (BTreeMap::new(), Vec::new(), Vec::new());
        Request { sql, snapshot, system_time: None, parameters, filters, reduce, about }
    }

    /// The known time it asks of, and the moment of the commit it is asked under, in microseconds.
    pub fn read_at(&self) -> Option<(Known, i64)> {
        let token: SnapshotToken = self.snapshot.as_deref()?.parse().ok()?;
        Some((self.about.known, token.system_time.micros()))
    }

    /// Whether two statements were asked of the same state, at the same coordinates and narrowed down alike, so that what they
    /// say may stand in one picture.
    pub fn goes_with(&self, other: &Request) -> bool {
        let of = |request: &Request| {
            (request.snapshot.clone(), request.system_time.clone(), request.filters.clone(), request.about.clone())
        };
        of(self) == of(other)
    }

    /// Whether two requests differ in nothing but the state they are asked of.
    pub fn asks_the_same(&self, other: &Request) -> bool {
        Request { snapshot: None, ..self.clone() } == Request { snapshot: None, ..other.clone() }
    }

    /// Its address, where what comes back never changes and a browser may keep it; none where it would be too long.
    fn address(&self) -> Option<String> {
        let snapshot = self.snapshot.as_deref()?;
        let parts = [
            ("sql", Some(self.sql.clone())),
            ("snapshot", Some(snapshot.to_owned())),
            ("system_time", self.system_time.clone()),
            (
                "parameters",
                (!self.parameters.is_empty()).then(|| serde_json::to_string(&self.parameters).ok()).flatten(),
            ),
            ("filters", (!self.filters.is_empty()).then(|| serde_json::to_string(&self.filters).ok()).flatten()),
            ("reduce", (!self.reduce.is_empty()).then(|| serde_json::to_string(&self.reduce).ok()).flatten()),
        ];
        let part = |(name, value): (&str, Option<String>)| {
            value.map(|value| format!("{name}={}", js_sys::encode_uri_component(&value)))
        };
        let query: Vec<String> = parts.into_iter().filter_map(part).collect();
        Some(format!("{SQL_ADDRESS}?{}", query.join("&"))).filter(|address| address.len() <= ADDRESS_BYTES)
    }
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
    /// Places of the filters that could narrow it down; `None` where none was asked.
    pub filters: Option<String>,
}

/// A problem document, as far as it is shown.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

thread_local! {
    /// What is asked hangs on this line.
    static LINE: RefCell<Option<AbortController>> = const { RefCell::new(None) };
}

/// Breaks off whatever is being asked: the network is gone, and nothing of it would ever come back.
pub fn hang_up() {
    if let Some(line) = LINE.take() {
        line.abort();
    }
}

/// The line of a new question; none where the browser has no such thing.
fn line() -> Option<AbortSignal> {
    LINE.with_borrow_mut(|line| {
        if line.is_none() {
            *line = AbortController::new().ok();
        }
        line.as_ref().map(AbortController::signal)
    })
}

/// Asks the lake. The error is a sentence for the user: what the server said, or that it could not be reached.
pub async fn ask(request: &Request) -> Result<Answer, String> {
    let line = line();
    let kept = request.address().map(|address| HttpRequest::get(&address).abort_signal(line.as_ref()));
    if let Some(get) = kept
        && let Ok(response) = get.header("Accept", ARROW_STREAM).send().await
        && let Ok(answer) = answer_of(response).await
    {
        return answer;
    }
    // A browser may fail at what it wanted to keep, such as an answer of many megabytes. What it does not keep comes through.
    let body = serde_json::to_string(request).map_err(|error| error.to_string())?;
    let post = HttpRequest::post(SQL_ADDRESS).header("Content-Type", "application/json");
    let post = post.header("Accept", ARROW_STREAM).abort_signal(line.as_ref()).body(body).map_err(unreachable)?;
    answer_of(post.send().await.map_err(unreachable)?).await?
}

/// What the server answered. Fails where the answer did not arrive whole.
async fn answer_of(response: Response) -> Result<Result<Answer, String>, String> {
    if !response.ok() {
        return Ok(Err(refusal(&response).await));
    }
    let header = |name: &str| response.headers().get(name);
    let (snapshot, filters) = (header("tidemark-snapshot"), header("tidemark-filters"));
    let buffer = arrived(response).await?;
    let table = browser::timed("tidemark:decode", || table_of(js_sys::Uint8Array::new(&buffer)));
    Ok(table.map(|table| Answer { table: Arc::new(table), snapshot, filters }))
}

fn table_of(bytes: Uint8Array) -> Result<Table, String> {
    if bytes.byte_length() < LARGE_BYTES {
        return Table::decode(bytes.to_vec());
    }
    Table::decode_outside(Arc::new(InBrowser(SendWrapper::new(bytes))))
}

/// Bytes that the browser has.
#[derive(Debug)]
struct InBrowser(SendWrapper<Uint8Array>);

impl Outside for InBrowser {
    fn byte_count(&self) -> usize {
        self.0.byte_length() as usize
    }

    fn copy(&self, at: usize, into: &mut [u8]) {
        self.0.subarray(at as u32, (at + into.len()) as u32).copy_to(into);
    }
}

/// Fetches a JSON document of this server, as text; `None` where there is none at that address.
pub async fn fetch_text(address: &str) -> Result<Option<String>, String> {
    let response = HttpRequest::get(address).header("Accept", "application/json").send().await.map_err(unreachable)?;
    if response.status() == NOT_FOUND {
        return Ok(None);
    }
    if !response.ok() {
        return Err(refusal(&response).await);
    }
    response.text().await.map(Some).map_err(unreachable)
}

/// Fetches a JSON document of this server.
pub async fn fetch_json<T: for<'a> Deserialize<'a>>(address: &str) -> Result<T, String> {
    let text = fetch_text(address).await?.ok_or_else(|| format!("there is nothing at {address}"))?;
    serde_json::from_str(&text).map_err(|error| format!("the answer could not be read: {error}"))
}

/// The whole body, still outside of WebAssembly.
async fn arrived(response: Response) -> Result<JsValue, String> {
    let cut_off = |_| "the answer broke off; try again".to_owned();
    let body = web_sys::Response::from(response).array_buffer().map_err(cut_off)?;
    JsFuture::from(body).await.map_err(cut_off)
}

/// Why the server refused, as a sentence for the user.
pub async fn refusal(response: &Response) -> String {
    let problem = response.text().await.ok().and_then(|text| serde_json::from_str::<Problem>(&text).ok());
    let said = problem.and_then(|problem| problem.detail.or(problem.title));
    said.unwrap_or_else(|| format!("the server answered with status {}", response.status()))
}

/// The sentence for a server that does not answer.
pub fn unreachable(_: gloo_net::Error) -> String {
    "the server could not be reached; check that it is running".to_owned()
}
