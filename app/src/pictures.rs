//! Tiles as pictures that the server makes: the same questions, the same bindings and the same scenes as on a page, drawn as
//! SVG. Pure: who asks runs the questions and brings the answers.

mod thumbnail;

use std::sync::Arc;

use plotters::backend::SVGBackend;

use crate::{
    arrow::Table,
    charts::{Data, Note, Palette, PlottersRenderer, Renderer, Scene, Size, View},
    dashboards::{
        Clock, DRILL, Dashboard, Filters, Moment, Options, PictureDefinition, TileDefinition, Values, VariableKind,
        has_parameter, question, titled, titled_picture, values, values_for,
    },
    format::time::{self, DAY_MICROS},
    pages::dashboard::pictures::{TilePicture, notes_of, picture_of},
    queries::client::{Reduction, Request},
};

pub use thumbnail::{Thumbnail, ThumbnailTile};

/// Both themes' tokens; the picture's colours come from them.
const TOKENS: &str = include_str!("../../style/tokens.css");
/// Above the chart: title, and coordinates.
const HEAD_PX: f64 = 52.0;
/// A line for a note that is numbered, and what share of a chart these may take.
const NOTE_ROW_PX: f64 = 18.0;
const NOTES_SHARE: f64 = 0.34;
/// Sizes of pictures in pixels, least and greatest.
pub const SIDES_PX: (u32, u32) = (64, 4_096);

/// Which colours a picture has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureTheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A picture that was asked for.
#[derive(Debug, Clone)]
pub struct TilePictureRequest {
    tile: TileDefinition,
    notes: Option<String>,
    moment: Moment,
    filters: Filters,
    values: Values,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Its colours.
    pub theme: PictureTheme,
    /// Points along an axis that a reduced answer has at most.
    columns: u32,
}

/// The answers that a picture is made of, each as an Arrow IPC stream.
#[derive(Debug, Default)]
pub struct PictureAnswers {
    /// What the tile shows.
    pub now: Vec<u8>,
    /// The earlier period that it is compared with.
    pub earlier: Option<Vec<u8>>,
    /// What is noted on it.
    pub notes: Option<Vec<u8>>,
}

/// What has to be asked for a picture, of one snapshot.
#[derive(Debug, Clone)]
pub struct PictureQuestions {
    /// What the tile shows.
    pub now: Request,
    /// The earlier period that it is compared with.
    pub earlier: Option<Request>,
    /// What is noted on it.
    pub notes: Option<Request>,
}

/// What has to be asked to know what can be chosen of the variables that a tile has and the address says nothing of: each by
/// its variable, of the page's coordinates.
pub fn option_questions(
    dashboard: &Dashboard,
    tile: &str,
    clock: Clock,
    get: impl Fn(&str) -> Option<String>,
) -> Vec<(String, Request)> {
    let Some(tile) = dashboard.tiles.iter().find(|known| known.id == tile) else { return Vec::new() };
    let tile = tile.at_level(tile.way_down(get(DRILL).as_deref()).0.len());
    let moment = Moment::of(crate::state::coordinates::Coordinates::read(&get).0, clock);
    let open = dashboard.variables.iter().filter(|variable| {
        let named = has_parameter(&tile.sql, &variable.name) || has_parameter(&tile.title, &variable.name);
        named && variable.said(get(&variable.parameter()).as_deref()).is_none()
    });
    let asked = open.filter_map(|variable| match &variable.kind {
        VariableKind::Query { sql } => {
            Some((variable.name.clone(), question(sql, moment, moment.range, false, Vec::new())))
        }
        _ => None,
    });
    asked.collect()
}

/// What can be chosen, of an answer as an Arrow IPC stream.
pub fn options_of(answer: Vec<u8>) -> Result<Vec<String>, String> {
    Ok(crate::dashboards::options_of(&Table::decode(answer)?))
}

impl TilePictureRequest {
    /// Reads the parameters of an address, which are those of the dashboard's page, and `width`, `height` and `theme`. `None`
    /// where the dashboard has no such tile; an error is a sentence for the user.
    pub fn read(
        dashboard: &Dashboard,
        tile: &str,
        clock: Clock,
        options: &Options,
        get: impl Fn(&str) -> Option<String>,
    ) -> Option<Result<TilePictureRequest, String>> {
        let tile = dashboard.tiles.iter().find(|known| known.id == tile)?;
        let way_down = tile.way_down(get(DRILL).as_deref());
        let tile = tile.at_level(way_down.0.len());
        let read = || {
            if let PictureDefinition::Grid { .. } | PictureDefinition::Pivot { .. } = tile.picture {
                return Err(format!("'{}' is a table and has no picture; ask for its rows by SQL", tile.id));
            }
            if let Some(problem) = &tile.problem {
                return Err(format!("'{}' cannot be asked: {problem}", tile.id));
            }
            if let PictureDefinition::Markdown { .. } = tile.picture {
                return Err(format!("'{}' is made of words and has no picture", tile.id));
            }
            let values = values(&dashboard.variables, options, &get);
            values_for(&tile.sql, &values)?;
            let size = (side("width", 800, &get)?, side("height", 400, &get)?);
            let (theme, moment) = (PictureTheme::read(&get)?, Moment::of(tile.coordinates(&get, true), clock));
            let mut filters = Filters::parse(get("only").as_deref());
            filters.0.extend(way_down.0.clone());
            let (notes, columns) = (dashboard.notes.clone(), u32::MAX);
            Ok(TilePictureRequest { tile, notes, moment, filters, values, size, theme, columns })
        };
        Some(read())
    }

    /// What has to be asked.
    pub fn questions(&self) -> PictureQuestions {
        let ask = |sql: &str, earlier: bool, filters: Filters| {
            let mut asked = question(sql, self.moment, self.moment.range, earlier, filters.0);
            asked.parameters.extend(values_for(sql, &self.values).unwrap_or_default());
            asked
        };
        let of_tile = |earlier: bool| {
            let mut asked = ask(&self.tile.sql, earlier, self.filters.clone());
            asked.parameters.extend(self.tile.bound_parameters());
            Request { reduce: self.reductions(), ..asked }
        };
        let compares = self.tile.compares() && self.moment.compared.is_some();
        let notes = self.notes.as_deref().map(|sql| ask(sql, false, Filters::default()));
        PictureQuestions { now: of_tile(false), earlier: compares.then(|| of_tile(true)), notes }
    }

    /// What the server makes of the rows of the tile.
    fn reductions(&self) -> Vec<Reduction> {
        let mut reductions = self.tile.reductions();
        for reduction in &mut reductions {
            if let Reduction::M4 { columns, .. } = reduction {
                *columns = (*columns).min(self.columns);
            }
        }
        reductions
    }

    /// Draws the answers. What cannot be drawn is told in the picture, in words.
    pub fn draw(&self, answers: PictureAnswers) -> Result<String, String> {
        self.draw_on(answers, HEAD_PX)
    }

    /// Draws the answers without words around them. An error where there is nothing to draw.
    pub fn draw_bare(&self, answers: PictureAnswers) -> Result<String, String> {
        self.draw_on(answers, 0.0)
    }

    fn draw_on(&self, answers: PictureAnswers, head_px: f64) -> Result<String, String> {
        let picture = self.picture(&answers);
        let notes = answers.notes.map(Table::decode).transpose()?;
        let notes = notes.map(|table| notes_of(&table)).transpose()?.unwrap_or_default();
        let mut svg = String::new();
        let paper = Paper { request: self, palette: self.theme.palette()?, notes: Arc::new(notes), head_px };
        paper.draw(SVGBackend::with_string(&mut svg, self.size), picture)?;
        Ok(svg)
    }

    fn picture(&self, answers: &PictureAnswers) -> Result<TilePicture, String> {
        let now = picture_of(
            &titled_picture(&self.tile.picture, &self.values),
            &Arc::new(Table::decode(answers.now.clone())?),
        )??;
        match (&answers.earlier, self.moment.compared) {
            (Some(earlier), Some(compared)) => {
                now.beside(&self.tile.picture, &Arc::new(Table::decode(earlier.clone())?), compared)
            }
            _ => Ok(now),
        }
    }

    /// The coordinates in words.
    fn coordinates_text(&self) -> String {
        let (from, to) = self.moment.range;
        let day = |micros: i64| time::day_of(micros);
        let effective = time::day_range_text(day(from), day(to - DAY_MICROS));
        let compared = self.moment.compared.filter(|_| self.tile.compares());
        let compared = compared.map(|compared| format!(", compared with {}", compared.days.text()));
        format!("Effective {effective}, known {}{}", self.moment.known.text(), compared.unwrap_or_default())
    }
}

impl PictureTheme {
    /// Reads the parameter `theme` of an address, light where it says nothing.
    fn read(get: &impl Fn(&str) -> Option<String>) -> Result<PictureTheme, String> {
        match get("theme").as_deref() {
            None | Some("light") => Ok(PictureTheme::Light),
            Some("dark") => Ok(PictureTheme::Dark),
            Some(_) => Err("theme is light or dark".to_owned()),
        }
    }

    /// The value of one of its tokens.
    fn token(self, name: &str) -> &'static str {
        let theme = match self {
            PictureTheme::Light => "[data-theme=\"light\"]",
            PictureTheme::Dark => "[data-theme=\"dark\"]",
        };
        token(theme, name).or_else(|| token(":root", name)).unwrap_or_default()
    }

    fn palette(self) -> Result<Palette, String> {
        let read = Palette::read(|name| self.token(name).to_owned());
        read.ok_or_else(|| "the colours of pictures are incomplete".to_owned())
    }
}

/// A side of a picture, by the parameter of an address that has its name.
fn side(name: &str, usual: u32, get: &impl Fn(&str) -> Option<String>) -> Result<u32, String> {
    match get(name).map(|text| text.parse::<u32>()) {
        None => Ok(usual),
        Some(Ok(side)) if (SIDES_PX.0..=SIDES_PX.1).contains(&side) => Ok(side),
        Some(_) => Err(format!("{name} is a number of pixels from {} to {}", SIDES_PX.0, SIDES_PX.1)),
    }
}

/// The value of a custom property in the block that a selector opens.
fn token(selector: &str, name: &str) -> Option<&'static str> {
    let block = &TOKENS[TOKENS.find(selector)?..];
    let declarations = block[..block.find('}')?].split(['{', ';']);
    declarations
        .filter_map(|line| line.trim().split_once(':'))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.trim())
}

/// What numbered notes say, in so many lines at most.
fn note_lines(data: &Data, numbered: &[Note], most: usize) -> Vec<String> {
    let listed = if numbered.len() > most { most.saturating_sub(1) } else { numbered.len() };
    let one = |(index, note): (usize, &Note)| format!("{} · {}", index + 1, note.line(data));
    let left_out = numbered.len() - listed;
    let more = (left_out > 0 && most > 0).then(|| format!("and {left_out} more notes"));
    numbered.iter().take(listed).enumerate().map(one).chain(more).collect()
}

/// A picture while it is drawn.
struct Paper<'a> {
    request: &'a TilePictureRequest,
    palette: Palette,
    notes: Arc<Vec<Note>>,
    /// Room for title and coordinates; without it the picture is drawn without words around it.
    head_px: f64,
}

impl Paper<'_> {
    fn draw(&self, backend: SVGBackend<'_>, picture: Result<TilePicture, String>) -> Result<(), String> {
        let (width, height) = (f64::from(self.request.size.0), f64::from(self.request.size.1));
        let (head, bare) = (self.head_px, self.head_px == 0.0);
        let mut renderer = PlottersRenderer::new(backend);
        renderer.ground(&self.palette)?;
        let size = Size { width, height: (height - head).max(1.0), scale: 1.0 };
        if !bare {
            let title = titled(&self.request.tile.title, &self.request.values);
            renderer.words(&title, (14.0, 18.0), 15.0, &self.palette)?;
            renderer.words(&self.request.coordinates_text(), (14.0, 38.0), 12.0, &self.palette)?;
        }
        match picture {
            Err(why) if bare => Err(why),
            Err(why) => renderer.words(&why, (14.0, head + 20.0), 12.0, &self.palette),
            Ok(TilePicture::Chart(chart)) => {
                let series = &chart.data.series;
                let legend = match series.len() {
                    0 | 1 => 0.0,
                    _ if bare => 0.0,
                    _ => renderer.legend(series, (14.0, head + 6.0), width - 28.0, &self.palette)?,
                };
                let size = Size { height: (size.height - legend).max(1.0), ..size };
                self.chart(renderer.below((head + legend).min(height)), &chart.data, size)
            }
            Ok(TilePicture::Kpi(figure, data)) => {
                renderer.words(&figure.value, (14.0, head + 20.0), 28.0, &self.palette)?;
                renderer.words(&figure.note, (14.0, head + 48.0), 12.0, &self.palette)?;
                let top = (head + 64.0).min(height);
                self.chart(renderer.below(top), &data, Size { height: (height - top).max(1.0), ..size })
            }
            Ok(TilePicture::Grid(_)) => Err("a table has no picture".to_owned()),
        }
    }

    fn chart(&self, mut renderer: PlottersRenderer<SVGBackend<'_>>, data: &Data, size: Size) -> Result<(), String> {
        let view = View { notes: self.notes.clone(), ..View::whole(size.width, size.height) };
        let mut scene = Scene::new(data, &view);
        let numbered = scene.as_ref().map_or(&[][..], |scene| &scene.numbered);
        let lines = note_lines(data, numbered, (size.height * NOTES_SHARE / NOTE_ROW_PX) as usize);
        let size = Size { height: size.height - lines.len() as f64 * NOTE_ROW_PX, ..size };
        for (line, text) in lines.iter().enumerate() {
            let y = size.height + (line as f64 + 0.3) * NOTE_ROW_PX;
            renderer.words(text, (14.0, y), 12.0, &self.palette)?;
        }
        if !lines.is_empty() {
            scene = Scene::new(data, &View { height: size.height, ..view });
        }
        renderer.draw(scene.as_ref(), &self.palette, size)
    }
}
