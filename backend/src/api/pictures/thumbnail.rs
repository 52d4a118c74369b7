//! `GET /api/v1/dashboards/{name}/thumbnail.svg` and `.png`: a dashboard in small, at the coordinates of its address. What cannot
//! be asked or drawn of one tile is a plain block in its place and takes nothing from the others.

use std::collections::BTreeMap;

use app::{
    dashboards::{Clock, Dashboard, Options, VERSION},
    pictures::{Thumbnail, ThumbnailTile},
    queries::client::{About, Request},
};
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};

use super::{Form, answer, ask, clock, drawn_by, parameters, png, read_options, respond};
use crate::{
    api::{ApiState, access::Action},
    error::{Error, ErrorKind, Result},
};

/// Bytes of an answer for a tile at most: what is more is no picture of this size.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// The parameters of an address, decoded.
type Parameters = [(String, String)];

/// `GET /api/v1/dashboards/{name}/thumbnail.svg`
pub async fn svg(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Read)?;
    show(&state, &name, query.as_deref().unwrap_or_default(), Form::Svg).await
}

/// `GET /api/v1/dashboards/{name}/thumbnail.png`
pub async fn pixels(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response> {
    state.access.authorise(&headers, Action::Read)?;
    show(&state, &name, query.as_deref().unwrap_or_default(), Form::Png).await
}

async fn show(state: &ApiState, name: &str, query: &str, form: Form) -> Result<Response> {
    let parameters = parameters(query);
    let (version, known) = (value(&parameters, VERSION), value(&parameters, "known"));
    let dashboard = state.dashboards.shown(name, version.as_deref(), known.as_deref()).await?.definition;
    let thumbnail = Thumbnail::read(&dashboard, |name| value(&parameters, name))
        .map_err(|reason| Error::new(ErrorKind::BadRequest, reason))?;
    let clock = clock(state).await?;
    // Names the state that all tiles are read from, and refuses a token that is none before any of them could hide it.
    let nothing = Request::new("SELECT 1 AS one".to_owned(), None, About::default());
    let (_, snapshot) = answer(state, nothing, value(&parameters, "snapshot"), ANSWER_BYTES_MAX).await?;
    let (mut drawn, mut options) = (BTreeMap::new(), Options::new());
    for tile in thumbnail.pictured() {
        let of = Of { dashboard: &dashboard, parameters: &parameters, clock, snapshot: &snapshot };
        match of.draw(state, tile, &mut options).await {
            Ok(Some(picture)) => {
                drawn.insert(tile.id.clone(), picture);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(dashboard = %name, tile = %tile.id, %error, "a tile of a thumbnail is left plain")
            }
        }
    }
    let compose = move || {
        let svg = thumbnail.compose(&drawn);
        match form {
            Form::Svg => Ok::<_, Error>((svg.into_bytes(), "image/svg+xml")),
            Form::Png => Ok((png(&svg, thumbnail.size())?, "image/png")),
        }
    };
    let (bytes, content_type) = drawn_by(compose).await?;
    Ok(respond(bytes, content_type, &snapshot))
}

fn value(parameters: &Parameters, name: &str) -> Option<String> {
    parameters.iter().find(|known| known.0 == name).map(|known| known.1.clone())
}

/// What all tiles of a thumbnail are drawn of.
struct Of<'a> {
    dashboard: &'a Dashboard,
    parameters: &'a Parameters,
    clock: Clock,
    snapshot: &'a str,
}

impl Of<'_> {
    /// A tile's picture; `None` where it has none at this address. `options` gets what can be chosen of its variables.
    async fn draw(&self, state: &ApiState, tile: &ThumbnailTile, options: &mut Options) -> Result<Option<String>> {
        let get = |name: &str| match name {
            "snapshot" => Some(self.snapshot.to_owned()),
            _ => value(self.parameters, name),
        };
        read_options(state, self.dashboard, &tile.id, self.clock, get, options).await?;
        let Some(request) = tile.picture(self.dashboard, self.clock, options, get) else {
            return Ok(None);
        };
        let (answers, _) = ask(state, &request, Some(self.snapshot.to_owned()), ANSWER_BYTES_MAX).await?;
        // Where there is nothing to draw the block says as much.
        drawn_by(move || Ok(request.draw_bare(answers).ok())).await
    }
}
