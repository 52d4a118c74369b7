//! `/api/v1/dashboards`: dashboards as definitions with versions, read as of any known time and changed one version at a time.
//!
//! A change may say who makes it (`author`) and why (`note`). There is no sign-in yet, so who is what they say; and favourites
//! are nobody's but the browser's own.

use app::dashboards::{
    Comparison, Dashboard, FORMAT, ListedDashboard, ShownDashboard, VersionList, html_of, json_schema,
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::Instant;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{ApiState, access::Action, events::whole};
use crate::{
    dashboards::{
        history::{Reason, Saved},
        parse_version,
        reading::{self, Mistake, Syntax},
        saving::{Done, Expected, Manner, Outcome},
    },
    error::{Error, ErrorKind, Result},
};

/// Bytes of a note or a name of an author at most.
const WORDS_BYTES_MAX: usize = 2_000;
/// Files of one request at most.
const FILES_MAX: usize = 1_000;

/// The parameters of an address, understood or not.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

/// Which dashboards are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    #[serde(default)]
    folder: String,
    #[serde(default)]
    q: String,
    system_time: Option<String>,
}

/// `GET /api/v1/dashboards?folder=…&q=…&system_time=…`
pub async fn list(
    State(state): State<ApiState>,
    headers: HeaderMap,
    parameters: Asked<ListParameters>,
) -> Result<Json<Vec<ListedDashboard>>> {
    state.access.authorise(&headers, Action::Read)?;
    let ListParameters { folder, q, system_time } = understood(parameters, "folder, q and system_time")?;
    let system_time = system_time.as_deref().map(parse_version).transpose()?;
    Ok(Json(state.dashboards.list(&folder, &q, system_time).await?))
}

/// `GET /api/v1/dashboards/schema.json`: the JSON Schema of definitions.
pub async fn schema(State(state): State<ApiState>, headers: HeaderMap) -> Result<impl IntoResponse> {
    state.access.authorise(&headers, Action::Read)?;
    Ok(([(header::CONTENT_TYPE, "application/schema+json")], json_schema()))
}

/// Which version is read, and how it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowParameters {
    pub(super) system_time: Option<String>,
    pub(super) format: Option<Syntax>,
}

/// `GET /api/v1/dashboards/{name}?system_time=…&format=json|yaml`: the definition.
pub async fn show(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    parameters: Asked<ShowParameters>,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Read)?;
    let ShowParameters { system_time, format } = understood(parameters, "system_time and format=json or format=yaml")?;
    let system_time = system_time.as_deref().map(parse_version).transpose()?;
    let (dashboard, found) = state.dashboards.dashboard(&name, system_time).await?;
    let syntax = format.unwrap_or(Syntax::Json);
    let text = reading::write(&dashboard, syntax)
        .map_err(|e| Error::new(ErrorKind::Internal, "the definition cannot be written").because(e))?;
    Ok(of_definition(text, syntax, found.tag().as_deref(), found.saved()))
}

/// Which version a page shows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageParameters {
    version: Option<String>,
    known: Option<String>,
}

/// `GET /api/v1/dashboards/{name}/page?version=…&known=…`: what its page shows.
pub async fn page(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    parameters: Asked<PageParameters>,
) -> Result<Json<ShownDashboard>> {
    state.access.authorise(&headers, Action::Read)?;
    let PageParameters { version, known } = understood(parameters, "version and known")?;
    Ok(Json(state.dashboards.shown(&name, version.as_deref(), known.as_deref()).await?))
}

/// Who changes something, and why.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonParameters {
    #[serde(default)]
    author: String,
    #[serde(default)]
    note: String,
}

/// `PUT /api/v1/dashboards/{name}?author=…&note=…`: stores a definition, in JSON or, by its content type, in YAML.
pub async fn put(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    parameters: Asked<ReasonParameters>,
    body: Body,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Write)?;
    let reason = reason(understood(parameters, "author and note")?)?;
    let expected = expected(&headers)?;
    let body = whole(body).await?;
    let dashboard = read(&body, syntax_of(&headers))?;
    if dashboard.name != name {
        let message = format!(
            "the definition names its dashboard '{}', and is sent to '{name}'; a name is not changed, a dashboard is duplicated under another",
            dashboard.name
        );
        return Err(Error::new(ErrorKind::Unprocessable, message));
    }
    Ok(respond(state.dashboards.save(dashboard, expected, reason).await?))
}

/// `DELETE /api/v1/dashboards/{name}?author=…&note=…`
pub async fn delete(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    parameters: Asked<ReasonParameters>,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Write)?;
    let reason = reason(understood(parameters, "author and note")?)?;
    Ok(respond(state.dashboards.delete(name, expected(&headers)?, reason).await?))
}

/// `GET /api/v1/dashboards/{name}/versions`: all versions, the last first.
pub async fn versions(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<VersionList>> {
    state.access.authorise(&headers, Action::Read)?;
    Ok(Json(state.dashboards.versions(&name).await?))
}

/// Which versions are compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffParameters {
    a: String,
    b: Option<String>,
}

/// `GET /api/v1/dashboards/{name}/diff?a=…&b=…`: what differs, member by member; without `b` up to the last version.
pub async fn diff(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    parameters: Asked<DiffParameters>,
) -> Result<Json<Comparison>> {
    state.access.authorise(&headers, Action::Read)?;
    let DiffParameters { a, b } = understood(parameters, "a and b, each the moment of a version")?;
    Ok(Json(state.dashboards.compare(&name, &a, b.as_deref()).await?))
}

/// The body of a restoration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    version: Instant,
    #[serde(default)]
    author: String,
    #[serde(default)]
    note: String,
}

/// `POST /api/v1/dashboards/{name}/restore`: stores again the version of a moment.
pub async fn restore(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Write)?;
    let expected = expected(&headers)?;
    let Restoration { version, author, note } = read_body(body, r#"{"version", "author"?, "note"?}"#).await?;
    let reason = reason(ReasonParameters { author, note })?;
    Ok(respond(state.dashboards.restore(name, version, expected, reason).await?))
}

/// The body of a duplication.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplication {
    name: String,
    title: Option<String>,
    folder: Option<String>,
    version: Option<Instant>,
    #[serde(default)]
    author: String,
    #[serde(default)]
    note: String,
}

/// `POST /api/v1/dashboards/{name}/duplicate`: stores it under another name.
pub async fn duplicate(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Write)?;
    let shape = r#"{"name", "title"?, "folder"?, "version"?, "author"?, "note"?}"#;
    let wanted: Duplication = read_body(body, shape).await?;
    let (dashboard, _) = state.dashboards.dashboard(&name, wanted.version).await?;
    let copy = Dashboard {
        title: wanted.title.unwrap_or_else(|| format!("{} (copy)", dashboard.title)),
        folder: wanted.folder.unwrap_or(dashboard.folder.clone()),
        name: wanted.name,
        format: FORMAT,
        ..dashboard
    };
    if let Some(problem) = copy.problems().first() {
        return Err(Error::new(ErrorKind::Unprocessable, format!("{} {}", problem.path, problem.reason)));
    }
    let note = if wanted.note.is_empty() { format!("a copy of {name}") } else { wanted.note };
    let reason = reason(ReasonParameters { author: wanted.author, note })?;
    Ok(respond(state.dashboards.duplicate(copy, reason).await?))
}

/// How files are applied.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyParameters {
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    prune: bool,
}

/// A folder of definitions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The files.
    pub files: Vec<DefinitionFile>,
    /// Who applies them.
    #[serde(default)]
    pub author: String,
    /// Why.
    #[serde(default)]
    pub note: String,
}

/// A file with a definition.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionFile {
    /// Its name; the ending says how it is written.
    pub file: String,
    /// What is in it.
    pub text: String,
}

/// What was applied, or would be.
#[derive(Debug, Serialize, Deserialize)]
pub struct Applied {
    /// By name.
    pub changes: Vec<Done>,
}

/// A mistake in one of several files.
#[derive(Debug, Serialize, Deserialize)]
pub struct FileMistake {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    #[serde(flatten)]
    pub mistake: Mistake,
}

/// `POST /api/v1/dashboards?dry_run=…&prune=…`: stores all of these files in one epoch, or none where one of them is not right.
pub async fn apply(
    State(state): State<ApiState>,
    headers: HeaderMap,
    parameters: Asked<ApplyParameters>,
    body: Body,
) -> Result<Json<Applied>> {
    state.access.authorise(&headers, Action::Write)?;
    let ApplyParameters { dry_run, prune } = understood(parameters, "dry_run and prune, true or false")?;
    let Files { files, author, note } = read_body(body, r#"{"files": [{"file", "text"}], "author"?, "note"?}"#).await?;
    let reason = reason(ReasonParameters { author, note })?;
    let dashboards = read_files(&files)?;
    Ok(Json(Applied { changes: state.dashboards.apply(dashboards, Manner { prune, dry_run }, reason).await? }))
}

/// `POST /api/v1/markdown`: words in Markdown as HTML in which nothing runs, as a tile shows them.
pub async fn markdown(State(state): State<ApiState>, headers: HeaderMap, body: Body) -> Result<impl IntoResponse> {
    state.access.authorise(&headers, Action::Read)?;
    let body = whole(body).await?;
    if body.len() > reading::TEXT_BYTES_MAX {
        let message =
            format!("these are {} bytes of words; a tile has at most {}", body.len(), reading::TEXT_BYTES_MAX);
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html_of(&text_of(&body)?)))
}

/// All definitions of a list of files, or all that is wrong with any of them.
fn read_files(files: &[DefinitionFile]) -> Result<Vec<Dashboard>> {
    if files.len() > FILES_MAX {
        let message = format!("these are {} files; at most {FILES_MAX} are taken at once", files.len());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let (mut dashboards, mut mistakes): (Vec<Dashboard>, Vec<FileMistake>) = (Vec::new(), Vec::new());
    let whole = |reason: String| Mistake { line: None, column: None, path: String::new(), reason };
    for DefinitionFile { file, text } in files {
        let read = match Syntax::of_file(file) {
            Some(syntax) => reading::read(text, syntax),
            None => Err(vec![whole("ends with none of .yaml, .yml and .json".to_owned())]),
        };
        match read {
            Ok(dashboard) if dashboards.iter().any(|known| known.name == dashboard.name) => {
                let mistake = whole(format!("names its dashboard '{}', and so does another file", dashboard.name));
                mistakes.push(FileMistake { file: file.clone(), mistake });
            }
            Ok(dashboard) => dashboards.push(dashboard),
            Err(found) => mistakes.extend(found.into_iter().map(|mistake| FileMistake { file: file.clone(), mistake })),
        }
    }
    match mistakes.first() {
        None => Ok(dashboards),
        Some(first) => {
            let message = format!(
                "nothing was applied, because {} mistake(s) were found; the first is in {}: {}",
                mistakes.len(),
                first.file,
                first.mistake
            );
            let listed = serde_json::to_value(&mistakes).unwrap_or_default();
            Err(Error::new(ErrorKind::Unprocessable, message).with("problems", listed))
        }
    }
}

fn read(body: &Bytes, syntax: Syntax) -> Result<Dashboard> {
    reading::read(&text_of(body)?, syntax).map_err(|mistakes| {
        let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
        let listed = serde_json::to_value(&mistakes).unwrap_or_default();
        Error::new(ErrorKind::Unprocessable, format!("this is not a definition of a dashboard: {first}"))
            .with("problems", listed)
    })
}

/// A body as text.
pub(super) fn text_of(body: &Bytes) -> Result<String> {
    let broken = |_| Error::new(ErrorKind::BadRequest, "the body is not text in UTF-8");
    String::from_utf8(body.to_vec()).map_err(broken)
}

async fn read_body<T: DeserializeOwned>(body: Body, shape: &str) -> Result<T> {
    let body = whole(body).await?;
    serde_json::from_slice(&body).map_err(|e| {
        let kind = if e.is_data() { ErrorKind::Unprocessable } else { ErrorKind::BadRequest };
        Error::new(kind, format!("the body is not {shape}: {e}"))
    })
}

/// The answer with a definition: its tag, and when it was stored.
pub(super) fn of_definition(text: String, syntax: Syntax, tag: Option<&str>, saved: Option<&Saved>) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(syntax.content_type()));
    add_tag(headers, tag);
    if let Some(saved) = saved
        && let Ok(time) = HeaderValue::from_str(&saved.system_time.to_string())
    {
        headers.insert(HeaderName::from_static("tidemark-system-time"), time);
    }
    response
}

/// The parameters, or the refusal that says which there are.
pub(super) fn understood<T>(parameters: Asked<T>, there_are: &str) -> Result<T> {
    let not_understood = |e: QueryRejection| {
        Error::new(ErrorKind::BadRequest, format!("the parameters are {there_are}: {}", e.body_text()))
    };
    Ok(parameters.map_err(not_understood)?.0)
}

/// Who changes something and why, as plain words.
pub(super) fn reason(parameters: ReasonParameters) -> Result<Reason> {
    let ReasonParameters { author, note } = parameters;
    for (name, words) in [("author", &author), ("note", &note)] {
        if words.len() > WORDS_BYTES_MAX || words.chars().any(|c| c.is_control() && c != '\n') {
            let message = format!("{name} is at most {WORDS_BYTES_MAX} bytes of plain words");
            return Err(Error::new(ErrorKind::Unprocessable, message));
        }
    }
    Ok(Reason { author: author.trim().to_owned(), note: note.trim().to_owned() })
}

/// How a body is written, by its content type.
pub(super) fn syntax_of(headers: &HeaderMap) -> Syntax {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if said.contains("yaml") { Syntax::Yaml } else { Syntax::Json }
}

/// What a change expects: `If-Match` with a tag, `If-None-Match: *`, or neither.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected> {
    let said = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim().to_owned());
    match (said(header::IF_MATCH), said(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Expected::Anything),
        (None, Some(any)) if any == "*" => Ok(Expected::Nothing),
        (Some(tag), None) => match tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) {
            Some(tag) => Ok(Expected::Tag(tag.to_owned())),
            None => Err(Error::new(ErrorKind::BadRequest, "If-Match takes one tag in quotes, as ETag gave it")),
        },
        _ => Err(Error::new(ErrorKind::BadRequest, "a change takes If-Match with a tag or If-None-Match: *, not more")),
    }
}

/// The answer to a change.
pub(super) fn respond(done: Done) -> Response {
    let status = if done.outcome == Outcome::Created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, Json(&done)).into_response();
    add_tag(response.headers_mut(), done.tag.as_deref());
    response
}

fn add_tag(headers: &mut HeaderMap, tag: Option<&str>) {
    if let Some(Ok(tag)) = tag.map(|tag| HeaderValue::from_str(&format!("\"{tag}\""))) {
        headers.insert(header::ETAG, tag);
    }
}
