//! `GET /api/v1/dashboards/{name}/tiles/{tile}.svg` and `.png`: a tile as a picture, at the coordinates of its address. All that
//! a picture shows is read under one snapshot, which the answer names.

pub mod thumbnail;

use std::sync::{Arc, LazyLock};

use app::{
    dashboards::{Clock, Dashboard, Options, VERSION},
    format::time::day_of,
    pictures::{PictureAnswers, TilePictureRequest, option_questions, options_of},
    queries::client::{About, Request},
};
use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use query::QueryRequest;
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg,
};

use super::{
    ApiState,
    access::Action,
    datasets,
    encode::{Encoder, Format},
    sql::{self, Question},
};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of an answer at most: a picture needs no more, because the server reduces what it asks.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The family of all words, for pictures that are no SVG any more. Under the SIL Open Font License, as its WOFF2 in `style/`.
const FONT: &[u8] = include_bytes!("inter-regular.ttf");

/// What a picture is written as.
#[derive(Clone, Copy)]
enum Form {
    Svg,
    Png,
}

/// `GET /api/v1/dashboards/{name}/tiles/{tile}.svg`
pub async fn show(
    State(state): State<ApiState>,
    Path((name, file)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Read)?;
    let missing = |what: String| Error::new(ErrorKind::NotFound, what);
    let (tile, form) = match file.rsplit_once('.') {
        Some((tile, "svg")) => (tile, Form::Svg),
        Some((tile, "png")) => (tile, Form::Png),
        _ => return Err(missing(format!("a picture of a tile ends with .svg or .png, which '{file}' does not"))),
    };
    let parameters = parameters(query.as_deref().unwrap_or_default());
    let get = |name: &str| parameters.iter().find(|known| known.0 == name).map(|known| known.1.clone());
    let shown = state.dashboards.shown(&name, get(VERSION).as_deref(), get("known").as_deref()).await?;
    let dashboard = shown.definition;
    let clock = clock(&state).await?;
    // Names the state that what can be chosen and the tile are read from.
    let nothing = Request::new("SELECT 1 AS one".to_owned(), None, About::default());
    let (_, snapshot) = answer(&state, nothing, get("snapshot"), ANSWER_BYTES_MAX).await?;
    let of_one_state = |name: &str| if name == "snapshot" { Some(snapshot.clone()) } else { get(name) };
    let mut options = Options::new();
    read_options(&state, &dashboard, tile, clock, of_one_state, &mut options).await?;
    let request = TilePictureRequest::read(&dashboard, tile, clock, &options, get)
        .ok_or_else(|| missing(format!("dashboard '{name}' has no tile '{tile}'")))?
        .map_err(|reason| Error::new(ErrorKind::BadRequest, reason))?;
    let (answers, snapshot) = ask(&state, &request, Some(snapshot.clone()), ANSWER_BYTES_MAX).await?;
    let draw = move || {
        let svg = request.draw(answers).map_err(|reason| Error::new(ErrorKind::Internal, reason))?;
        match form {
            Form::Svg => Ok::<_, Error>((svg.into_bytes(), "image/svg+xml")),
            Form::Png => Ok((png(&svg, request.size)?, "image/png")),
        }
    };
    let (bytes, content_type) = drawn_by(draw).await?;
    Ok(respond(bytes, content_type, &snapshot))
}

/// What a piece of drawing gives, done where it holds nothing else up.
async fn drawn_by<T: Send + 'static>(draw: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let drawn = tokio::task::spawn_blocking(draw).await;
    drawn.map_err(|e| Error::new(ErrorKind::Internal, "the picture was not drawn").because(e))?
}

/// A picture that was read from the state of a token.
fn respond(bytes: Vec<u8>, content_type: &'static str, snapshot: &str) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(snapshot) = HeaderValue::from_str(snapshot) {
        headers.insert("tidemark-snapshot", snapshot);
    }
    response
}

/// The parameters of an address, decoded; of several with one name the first.
fn parameters(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// The clock by which coordinates such as *last month* are understood.
async fn clock(state: &ApiState) -> Result<Clock> {
    let last_commit = state.lake.head().map(|head| head.system_time.micros());
    let known = datasets::summaries(state, None).await?.into_iter().filter_map(|dataset| dataset.known);
    let first_known = known.map(|(first, _)| first.micros()).min();
    let now = chrono::Utc::now().timestamp_micros();
    Ok(Clock { now, today: day_of(now), last_commit, first_known })
}

/// Adds what can be chosen of the variables that a tile has and the address says nothing of, unless it is there already.
async fn read_options(
    state: &ApiState,
    dashboard: &Dashboard,
    tile: &str,
    clock: Clock,
    get: impl Fn(&str) -> Option<String>,
    options: &mut Options,
) -> Result<()> {
    let snapshot = get("snapshot");
    for (variable, question) in option_questions(dashboard, tile, clock, get) {
        if options.contains_key(&variable) {
            continue;
        }
        let (bytes, _) = answer(state, question, snapshot.clone(), ANSWER_BYTES_MAX).await?;
        let values = options_of(bytes).map_err(|reason| Error::new(ErrorKind::Internal, reason))?;
        options.insert(variable, values);
    }
    Ok(())
}

/// Asks all that a picture needs, of one snapshot; gives its token too.
async fn ask(
    state: &ApiState,
    request: &TilePictureRequest,
    snapshot: Option<String>,
    bytes_max: usize,
) -> Result<(PictureAnswers, String)> {
    let questions = request.questions();
    let (now, snapshot) = answer(state, questions.now, snapshot, bytes_max).await?;
    let mut answers = PictureAnswers { now, ..PictureAnswers::default() };
    if let Some(earlier) = questions.earlier {
        answers.earlier = Some(answer(state, earlier, Some(snapshot.clone()), bytes_max).await?.0);
    }
    if let Some(notes) = questions.notes {
        answers.notes = Some(answer(state, notes, Some(snapshot.clone()), bytes_max).await?.0);
    }
    Ok((answers, snapshot))
}

/// One answer as an Arrow IPC stream of so many bytes at most, and the token of what it was read from.
async fn answer(
    state: &ApiState,
    request: Request,
    snapshot: Option<String>,
    bytes_max: usize,
) -> Result<(Vec<u8>, String)> {
    let request = Request { snapshot, ..request };
    let misread = |e| Error::new(ErrorKind::Internal, "a tile's question cannot be asked").because(e);
    let question = serde_json::to_vec(&request).map_err(misread)?;
    let question: Question = serde_json::from_slice(&question).map_err(misread)?;
    let question: QueryRequest = sql::request_of(question)?;
    let mut answer = state.query.query(question).await.map_err(sql::from_query)?;
    let mut encoder = Encoder::new(Format::Arrow, &answer.schema)?;
    let mut bytes = encoder.begin()?;
    while let Some(batch) = answer.stream.next().await {
        bytes.extend(encoder.batch(&batch.map_err(sql::from_query)?)?);
        if bytes.len() > bytes_max {
            let message = "the tile shows more rows than a picture can be made of; choose a shorter range";
            return Err(Error::new(ErrorKind::Unprocessable, message));
        }
    }
    bytes.extend(encoder.end()?);
    Ok((bytes, answer.token.to_string()))
}

/// The same picture in pixels.
fn png(svg: &str, (width, height): (u32, u32)) -> Result<Vec<u8>> {
    static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        fonts.set_sans_serif_family("Inter");
        Arc::new(fonts)
    });
    let failed = || Error::new(ErrorKind::Internal, "the picture could not be put into pixels");
    let options = usvg::Options { fontdb: FONTS.clone(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|e| failed().because(e))?;
    let mut pixels = Pixmap::new(width, height).ok_or_else(failed)?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| failed().because(e))
}
