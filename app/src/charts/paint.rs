//! Scenes by plotters, onto any of its backends: pictures that the server makes (SVG), the axes of charts in the browser,
//! and what tests look at. Text is placed without measuring, because measuring means a round trip through the page's layout
//! for each label.

use plotters::{
    backend::DrawingBackend,
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, PathElement, Polygon, Rectangle},
    style::{
        Color, FontTransform, IntoFont, RGBAColor, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    COLORED_SERIES, Frame, Palette, Readout, Renderer, Scene, SeriesInfo, Size,
    scene::{Anchor, CHARACTER_WIDTH, DASH, FONT_SIZE, GAP, Ink, Layer, Place},
};
use crate::format::number;

/// A line of the legend, and the height of its rows, in pixels.
const SWATCH: f64 = 16.0;
const LEGEND_ROW: f64 = 18.0;

/// Draws scenes with plotters.
pub struct PlottersRenderer<DB: DrawingBackend> {
    area: DrawingArea<DB, Shift>,
}

impl<DB: DrawingBackend> PlottersRenderer<DB> {
    /// Takes an empty backend, whose size is in device pixels.
    pub fn new(backend: DB) -> PlottersRenderer<DB> {
        PlottersRenderer { area: backend.into_drawing_area() }
    }

    /// Fills everything with the colour of the page's surface.
    pub fn ground(&mut self, palette: &Palette) -> Result<(), String> {
        let super::Rgb(r, g, b) = palette.surface;
        self.area.fill(&RGBColor(r, g, b)).map_err(drawing)
    }

    /// Words from a place on, of a height in pixels.
    pub fn words(&mut self, text: &str, place: Place, height_px: f64, palette: &Palette) -> Result<(), String> {
        let pen = Pen { area: &self.area, scale: height_px / FONT_SIZE, palette };
        let place = (place.0 / pen.scale, place.1 / pen.scale);
        pen.text(text, place, palette.strong_text, Pos::new(HPos::Left, VPos::Center))
    }

    /// A name for each series behind a line in its colour, from a place on, in rows of a width; gives their height.
    pub fn legend(
        &mut self,
        series: &[SeriesInfo],
        from: Place,
        width_px: f64,
        palette: &Palette,
    ) -> Result<f64, String> {
        let pen = Pen { area: &self.area, scale: 1.0, palette };
        let (mut x, mut y) = from;
        let others = series.len().saturating_sub(COLORED_SERIES);
        let named = series.iter().take(COLORED_SERIES).map(|series| (series.name.clone(), series.color));
        let rest = (others > 0).then(|| (format!("{} others", number::count_text(others as u64)), 0));
        for (name, color) in named.chain(rest) {
            let width = SWATCH + name.chars().count() as f64 * CHARACTER_WIDTH + 20.0;
            if x + width > from.0 + width_px && x > from.0 {
                (x, y) = (from.0, y + LEGEND_ROW);
            }
            pen.segment((x, y), (x + SWATCH, y), palette.series(color), 2.0)?;
            let place = (x + SWATCH + 6.0, y);
            pen.text(&name, place, palette.strong_text, Pos::new(HPos::Left, VPos::Center))?;
            x += width;
        }
        Ok(y - from.1 + LEGEND_ROW)
    }

    /// What lies below a height in pixels, to draw on with a frame of its own.
    pub fn below(&self, height_px: f64) -> PlottersRenderer<DB> {
        PlottersRenderer { area: self.area.split_vertically(height_px.round() as i32).1 }
    }

    /// The grid and the axes with their labels.
    pub fn axes(&mut self, scene: &Scene, palette: &Palette, scale: f64) -> Result<(), String> {
        Pen { area: &self.area, scale, palette }.axes(scene)?;
        self.area.present().map_err(drawing)
    }
}

impl<DB: DrawingBackend> Renderer for PlottersRenderer<DB> {
    fn draw(&mut self, scene: Option<&Scene>, palette: &Palette, size: Size) -> Result<(), String> {
        let Some(scene) = scene else { return Ok(()) };
        let pen = Pen { area: &self.area, scale: size.scale, palette };
        pen.axes(scene)?;
        scene.layers.iter().try_for_each(|layer| pen.layer(layer))?;
        self.area.present().map_err(drawing)
    }

    fn draw_crosshair(
        &mut self,
        scene: &Scene,
        readout: Option<&Readout>,
        palette: &Palette,
        size: Size,
    ) -> Result<(), String> {
        let Some(readout) = readout else { return Ok(()) };
        let pen = Pen { area: &self.area, scale: size.scale, palette };
        if let Some(area) = readout.area {
            let style = pen.stroke(palette.cursor, 2.0);
            self.area.draw(&Rectangle::new(pen.corners(&area), style)).map_err(drawing)?;
            return self.area.present().map_err(drawing);
        }
        let Frame { top, height, .. } = scene.layout.frame;
        pen.segment((readout.x, top), (readout.x, top + height), palette.cursor, 1.0)?;
        if scene.targets.is_empty() {
            for entry in readout.entries.iter().chain(readout.earlier.iter().map(|beside| &beside.entry)) {
                pen.dot((readout.x, entry.y), 5.0, palette.ink(Ink::Surface))?;
                pen.dot((readout.x, entry.y), 4.0, palette.series(entry.color))?;
            }
        }
        self.area.present().map_err(drawing)
    }
}

fn drawing(error: impl std::fmt::Display) -> String {
    format!("the chart could not be drawn: {error}")
}

struct Pen<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    scale: f64,
    palette: &'a Palette,
}

impl<DB: DrawingBackend> Pen<'_, DB> {
    fn device(&self, (x, y): Place) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn stroke(&self, super::Rgb(r, g, b): super::Rgb, width: f64) -> ShapeStyle {
        RGBColor(r, g, b).stroke_width((width * self.scale).round().max(1.0) as u32)
    }

    fn fill(&self, ink: Ink, strength: f64) -> ShapeStyle {
        let super::Rgb(r, g, b) = self.palette.ink(ink);
        RGBAColor(r, g, b, strength).filled()
    }

    fn segment(&self, from: Place, to: Place, color: super::Rgb, width: f64) -> Result<(), String> {
        self.path(vec![self.device(from), self.device(to)], color, width)
    }

    fn path(&self, points: Vec<(i32, i32)>, color: super::Rgb, width: f64) -> Result<(), String> {
        self.area.draw(&PathElement::new(points, self.stroke(color, width))).map_err(drawing)
    }

    fn dot(&self, place: Place, radius: f64, super::Rgb(r, g, b): super::Rgb) -> Result<(), String> {
        let radius = (radius * self.scale).round().max(1.0) as i32;
        self.area.draw(&Circle::new(self.device(place), radius, RGBColor(r, g, b).filled())).map_err(drawing)
    }

    fn text(&self, text: &str, place: Place, ink: super::Rgb, pos: Pos) -> Result<(), String> {
        self.turned_text(text, place, ink, pos, FontTransform::None)
    }

    fn turned_text(
        &self,
        text: &str,
        place: Place,
        ink: super::Rgb,
        pos: Pos,
        turn: FontTransform,
    ) -> Result<(), String> {
        let super::Rgb(r, g, b) = ink;
        let font = (self.palette.font_family.as_str(), FONT_SIZE * self.scale);
        let color = RGBColor(r, g, b);
        let style = TextStyle::from(font.into_font().transform(turn)).color(&color).pos(pos);
        self.area.draw_text(text, &style, self.device(place)).map_err(drawing)
    }

    fn axes(&self, scene: &Scene) -> Result<(), String> {
        let Frame { left, top, width, height } = scene.layout.frame;
        let (right, bottom) = (left + width, top + height);
        for (tick, place) in scene.y_labels() {
            self.segment((left, place.1), (right, place.1), self.palette.grid, 1.0)?;
            self.text(&tick.label, place, self.palette.text, Pos::new(HPos::Right, VPos::Center))?;
        }
        self.segment((left, bottom), (right, bottom), self.palette.axis, 1.0)?;
        for (tick, place) in scene.x_labels() {
            self.segment((place.0, bottom), (place.0, bottom + 4.0), self.palette.axis, 1.0)?;
            let (anchor, turn) = match scene.layout.x_upright {
                true => (Pos::new(HPos::Right, VPos::Center), FontTransform::Rotate270),
                false => (Pos::new(HPos::Center, VPos::Top), FontTransform::None),
            };
            self.turned_text(&tick.label, place, self.palette.text, anchor, turn)?;
        }
        Ok(())
    }

    fn layer(&self, layer: &Layer) -> Result<(), String> {
        match layer {
            Layer::Line { ink, width, dashed, places, breaks } => self.line(*ink, *width, *dashed, places, breaks),
            Layer::Area { ink, strength, upper, lower } => {
                let outline = upper.iter().chain(lower.iter().rev()).map(|place| self.device(*place));
                let outline: Vec<(i32, i32)> = outline.collect();
                if outline.len() < 3 {
                    return Ok(());
                }
                self.area.draw(&Polygon::new(outline, self.fill(*ink, *strength))).map_err(drawing)
            }
            Layer::Boxes { ink, strength, boxes } => {
                let style = self.fill(*ink, *strength);
                boxes
                    .iter()
                    .try_for_each(|area| self.area.draw(&Rectangle::new(self.corners(area), style)).map_err(drawing))
            }
            Layer::Outlines { ink, boxes } => {
                let style = self.stroke(self.palette.ink(*ink), 1.0);
                boxes
                    .iter()
                    .try_for_each(|area| self.area.draw(&Rectangle::new(self.corners(area), style)).map_err(drawing))
            }
            Layer::Segments { ink, width, segments } => {
                let color = self.palette.ink(*ink);
                segments.iter().try_for_each(|(from, to)| self.segment(*from, *to, color, *width))
            }
            Layer::Dots { ink, radius, places } => {
                let color = self.palette.ink(*ink);
                places.iter().try_for_each(|place| self.dot(*place, *radius, color))
            }
            Layer::Label { ink, text, place, anchor } => {
                let side = match anchor {
                    Anchor::Left => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::Right => HPos::Right,
                };
                self.text(text, *place, self.palette.ink(*ink), Pos::new(side, VPos::Center))
            }
        }
    }

    fn corners(&self, [left, top, width, height]: &[f64; 4]) -> [(i32, i32); 2] {
        let (a, b) = (self.device((*left, *top)), self.device((left + width, top + height)));
        // What has any extent is drawn.
        [a, (b.0.max(a.0 + 1), b.1.max(a.1 + 1))]
    }

    fn line(&self, ink: Ink, width: f64, dashed: bool, places: &[Place], breaks: &[usize]) -> Result<(), String> {
        let color = self.palette.ink(ink);
        let starts = std::iter::once(0).chain(breaks.iter().copied());
        let ends = breaks.iter().copied().chain([places.len()]);
        for (from, to) in starts.zip(ends) {
            let path: Vec<(i32, i32)> = places[from..to].iter().map(|place| self.device(*place)).collect();
            if path.len() < 2 {
                continue;
            }
            if !dashed {
                self.path(path, color, width)?;
                continue;
            }
            for dash in dashes(&path, DASH * self.scale, GAP * self.scale) {
                self.path(dash, color, width)?;
            }
        }
        Ok(())
    }
}

/// Cuts a path into dashes of one length with gaps of another.
fn dashes(path: &[(i32, i32)], dash: f64, gap: f64) -> Vec<Vec<(i32, i32)>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<(i32, i32)> = Vec::new();
    let (mut drawing, mut left) = (true, dash);
    for pair in path.windows(2) {
        let (from, to) = ((f64::from(pair[0].0), f64::from(pair[0].1)), (f64::from(pair[1].0), f64::from(pair[1].1)));
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        if drawing && piece.is_empty() {
            piece.push(pair[0]);
        }
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let share = done / length;
            let place = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            let place = (place.0.round() as i32, place.1.round() as i32);
            if drawing {
                piece.push(place);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece.push(place);
            }
            drawing = !drawing;
            left = if drawing { dash } else { gap };
        }
        left -= length - done;
        if drawing {
            piece.push(pair[1]);
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_follow_the_path_and_leave_gaps() {
        let pieces = dashes(&[(0, 0), (7, 0), (20, 0)], 5.0, 4.0);
        assert_eq!(pieces, [vec![(0, 0), (5, 0)], vec![(9, 0), (14, 0)], vec![(18, 0), (20, 0)]]);
    }
}
