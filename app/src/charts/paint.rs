//! Draws a chart onto any plotters backend, in device pixels. Text is placed without measuring, because measuring means
//! a round trip through the page's layout for each label.

use plotters::{
    backend::DrawingBackend,
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, PathElement, Rectangle},
    style::{
        Color, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{ChartSpec, Frame, Layout, Mark, Palette, Point, Rgb, Series, Size};

const FONT_SIZE: f64 = 12.0;
/// Line width of a series in CSS pixels.
const LINE_WIDTH: f64 = 2.0;
const DASHED_WIDTH: f64 = 1.25;
const DASH: f64 = 5.0;
const GAP: f64 = 4.0;

type Area<'a, DB> = &'a DrawingArea<DB, Shift>;

/// Draws the whole chart. What cannot be laid out (an empty chart) leaves the canvas empty.
pub fn chart<DB: DrawingBackend>(backend: DB, spec: &ChartSpec, palette: &Palette, size: Size) -> Result<(), String> {
    let Some(layout) = Layout::new(spec, size.width, size.height) else { return Ok(()) };
    let area = backend.into_drawing_area();
    let pen = Pen { area: &area, scale: size.scale, palette };
    pen.axes(&layout)?;
    for series in &spec.series {
        match series.mark {
            Mark::Line => pen.line(&layout, series)?,
            Mark::Dashed => pen.dashed(&layout, series)?,
            Mark::Bars => pen.bars(&layout, series)?,
        }
    }
    area.present().map_err(drawing)
}

/// Draws the crosshair at an x: a vertical line and a dot on each series.
pub fn crosshair<DB: DrawingBackend>(
    backend: DB,
    spec: &ChartSpec,
    palette: &Palette,
    size: Size,
    at: i64,
) -> Result<(), String> {
    let Some(layout) = Layout::new(spec, size.width, size.height) else { return Ok(()) };
    let area = backend.into_drawing_area();
    let pen = Pen { area: &area, scale: size.scale, palette };
    let Frame { top, height, .. } = layout.frame;
    let x = layout.x_pixel(at);
    pen.segment((x, top), (x, top + height), palette.cursor, 1.0)?;
    for series in &spec.series {
        if let Some(point) = series.at(at) {
            let place = (x, layout.y_pixel(point.y));
            pen.dot(place, 5.0, palette.surface)?;
            pen.dot(place, 4.0, palette.series(series.color))?;
        }
    }
    area.present().map_err(drawing)
}

fn drawing(error: impl std::fmt::Display) -> String {
    format!("the chart could not be drawn: {error}")
}

struct Pen<'a, DB: DrawingBackend> {
    area: Area<'a, DB>,
    scale: f64,
    palette: &'a Palette,
}

impl<DB: DrawingBackend> Pen<'_, DB> {
    fn device(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn stroke(&self, Rgb(r, g, b): Rgb, width: f64) -> ShapeStyle {
        RGBColor(r, g, b).stroke_width((width * self.scale).round().max(1.0) as u32)
    }

    fn segment(&self, from: (f64, f64), to: (f64, f64), color: Rgb, width: f64) -> Result<(), String> {
        self.path(vec![self.device(from), self.device(to)], color, width)
    }

    fn path(&self, points: Vec<(i32, i32)>, color: Rgb, width: f64) -> Result<(), String> {
        self.area.draw(&PathElement::new(points, self.stroke(color, width))).map_err(drawing)
    }

    fn dot(&self, place: (f64, f64), radius: f64, Rgb(r, g, b): Rgb) -> Result<(), String> {
        let radius = (radius * self.scale).round() as i32;
        self.area.draw(&Circle::new(self.device(place), radius, RGBColor(r, g, b).filled())).map_err(drawing)
    }

    fn text(&self, text: &str, place: (f64, f64), pos: Pos) -> Result<(), String> {
        let Rgb(r, g, b) = self.palette.text;
        let font = (self.palette.font_family.as_str(), FONT_SIZE * self.scale);
        let color = RGBColor(r, g, b);
        let style = TextStyle::from(font).color(&color).pos(pos);
        self.area.draw_text(text, &style, self.device(place)).map_err(drawing)
    }

    fn axes(&self, layout: &Layout) -> Result<(), String> {
        let Frame { left, top, width, height } = layout.frame;
        let (right, bottom) = (left + width, top + height);
        for tick in &layout.y_ticks {
            let y = layout.y_pixel(tick.at);
            self.segment((left, y), (right, y), self.palette.grid, 1.0)?;
            self.text(&tick.label, (left - 8.0, y), Pos::new(HPos::Right, VPos::Center))?;
        }
        self.segment((left, bottom), (right, bottom), self.palette.axis, 1.0)?;
        for tick in &layout.x_ticks {
            let x = layout.x_pixel(tick.at);
            self.segment((x, bottom), (x, bottom + 4.0), self.palette.axis, 1.0)?;
            self.text(&tick.label, (x, bottom + 8.0), Pos::new(HPos::Center, VPos::Top))?;
        }
        Ok(())
    }

    fn places(&self, layout: &Layout, points: &[Point]) -> Vec<(i32, i32)> {
        points.iter().map(|point| self.device((layout.x_pixel(point.x), layout.y_pixel(point.y)))).collect()
    }

    fn line(&self, layout: &Layout, series: &Series) -> Result<(), String> {
        let color = self.palette.series(series.color);
        if series.points.len() > 1 {
            self.path(self.places(layout, &series.points), color, LINE_WIDTH)?;
        }
        let Some(last) = series.points.last() else { return Ok(()) };
        self.dot((layout.x_pixel(last.x), layout.y_pixel(last.y)), 3.0, color)
    }

    fn dashed(&self, layout: &Layout, series: &Series) -> Result<(), String> {
        let color = self.palette.series(series.color);
        let places = self.places(layout, &series.points);
        for dash in dashes(&places, DASH * self.scale, GAP * self.scale) {
            self.path(dash, color, DASHED_WIDTH)?;
        }
        Ok(())
    }

    fn bars(&self, layout: &Layout, series: &Series) -> Result<(), String> {
        let Rgb(r, g, b) = self.palette.series(series.color);
        let base = layout.y_pixel(0.0);
        for point in &series.points {
            let (x, y) = (layout.x_pixel(point.x), layout.y_pixel(point.y));
            let half = layout.bar_width / 2.0;
            let Frame { left, width, .. } = layout.frame;
            let corners = [
                self.device(((x - half).max(left), y.min(base))),
                self.device(((x + half).min(left + width), y.max(base))),
            ];
            self.area.draw(&Rectangle::new(corners, RGBColor(r, g, b).filled())).map_err(drawing)?;
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
    use std::{cell::RefCell, convert::Infallible, rc::Rc};

    use plotters_backend::{BackendColor, BackendStyle, BackendTextStyle, DrawingErrorKind};
    use proptest::prelude::*;

    use super::*;
    use crate::charts::{layout::tests::any_spec, layout::tests::spec_of};

    type Drawn<T> = Result<T, DrawingErrorKind<Infallible>>;

    /// Remembers every coordinate and colour it was asked to draw.
    #[derive(Default)]
    struct Record {
        places: Vec<(i32, i32)>,
        texts: Vec<String>,
        colors: Vec<(u8, u8, u8)>,
    }

    struct Recorder(Rc<RefCell<Record>>, (u32, u32));

    impl Recorder {
        fn note(&self, places: impl IntoIterator<Item = (i32, i32)>, color: (u8, u8, u8)) {
            let mut record = self.0.borrow_mut();
            record.places.extend(places);
            record.colors.push(color);
        }
    }

    impl DrawingBackend for Recorder {
        type ErrorType = Infallible;

        fn get_size(&self) -> (u32, u32) {
            self.1
        }

        fn ensure_prepared(&mut self) -> Drawn<()> {
            Ok(())
        }

        fn present(&mut self) -> Drawn<()> {
            Ok(())
        }

        fn draw_pixel(&mut self, point: (i32, i32), color: BackendColor) -> Drawn<()> {
            self.note([point], color.rgb);
            Ok(())
        }

        fn draw_rect<S: BackendStyle>(&mut self, a: (i32, i32), b: (i32, i32), style: &S, _: bool) -> Drawn<()> {
            self.note([a, b], style.color().rgb);
            Ok(())
        }

        fn draw_path<S: BackendStyle, I: IntoIterator<Item = (i32, i32)>>(&mut self, path: I, style: &S) -> Drawn<()> {
            self.note(path, style.color().rgb);
            Ok(())
        }

        fn draw_circle<S: BackendStyle>(&mut self, center: (i32, i32), _: u32, style: &S, _: bool) -> Drawn<()> {
            self.note([center], style.color().rgb);
            Ok(())
        }

        fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, pos: (i32, i32)) -> Drawn<()> {
            self.note([pos], style.color().rgb);
            self.0.borrow_mut().texts.push(text.to_owned());
            Ok(())
        }
    }

    fn palette() -> Palette {
        let token = |name: &str| match name {
            "--series-1" => "#0072b2".to_owned(),
            "--font-family" => "Inter".to_owned(),
            _ => "#808080".to_owned(),
        };
        Palette::read(token).expect("a whole palette")
    }

    fn draw(spec: &ChartSpec, size: Size) -> Record {
        let record = Rc::new(RefCell::new(Record::default()));
        let device = ((size.width * size.scale).round() as u32, (size.height * size.scale).round() as u32);
        chart(Recorder(record.clone(), device), spec, &palette(), size).unwrap();
        record.take()
    }

    #[test]
    fn a_line_is_drawn_in_its_series_colour_with_labels_on_both_axes() {
        let day = crate::format::time::DAY_MICROS;
        let spec = spec_of((0..90).map(|d| ((20_000 + d) * day, 1_000.0 + d as f64)).collect(), Mark::Line, false);
        let record = draw(&spec, Size { width: 600.0, height: 240.0, scale: 2.0 });
        assert!(record.colors.contains(&(0, 0x72, 0xb2)));
        assert!(record.texts.iter().any(|text| text == "1,050"), "{:?}", record.texts);
        assert!(record.texts.iter().any(|text| text.contains("2024")), "{:?}", record.texts);
    }

    #[test]
    fn an_empty_chart_draws_nothing() {
        let record = draw(&spec_of(vec![], Mark::Line, false), Size { width: 600.0, height: 240.0, scale: 1.0 });
        assert!(record.places.is_empty() && record.texts.is_empty());
    }

    #[test]
    fn dashes_follow_the_path_and_leave_gaps() {
        let pieces = dashes(&[(0, 0), (7, 0), (20, 0)], 5.0, 4.0);
        assert_eq!(pieces, [vec![(0, 0), (5, 0)], vec![(9, 0), (14, 0)], vec![(18, 0), (20, 0)]]);
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_outside_the_canvas(spec in any_spec(), width in 80.0_f64..1_500.0, height in 80.0_f64..800.0, scale in 1.0_f64..3.0) {
            let size = Size { width, height, scale };
            let (right, bottom) = ((width * scale).round() as i32, (height * scale).round() as i32);
            for (x, y) in draw(&spec, size).places {
                prop_assert!((0..=right).contains(&x) && (0..=bottom).contains(&y), "{x},{y} on {right}x{bottom}");
            }
        }
    }
}
