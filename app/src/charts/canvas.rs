//! The renderer of the browser, sharp at any device pixel ratio: plotters draws the axes, and what can be dense goes to the
//! canvas directly, a path for each layer instead of a call for each mark.

use std::f64::consts::TAU;

use plotters_canvas::CanvasBackend;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::{
    Palette, Readout, Renderer, Rgb, Scene, Size,
    paint::PlottersRenderer,
    scene::{Anchor, DASH, FONT_SIZE, GAP, Layer, Place},
};

/// Places from which on a line is dense.
const DENSE: usize = 2_000;

/// Draws onto one canvas.
pub struct CanvasRenderer {
    canvas: HtmlCanvasElement,
}

impl CanvasRenderer {
    /// Takes the canvas to draw on. Its size in CSS pixels is the stylesheet's; its size in device pixels is set on each drawing.
    pub fn new(canvas: HtmlCanvasElement) -> CanvasRenderer {
        CanvasRenderer { canvas }
    }

    /// An empty canvas of the right size in device pixels.
    fn prepare(&self, size: Size) -> Result<CanvasRenderingContext2d, String> {
        let (width, height) = ((size.width * size.scale).round() as u32, (size.height * size.scale).round() as u32);
        let context = self.canvas.get_context("2d").ok().flatten().ok_or_else(no_canvas)?;
        let context: CanvasRenderingContext2d = context.dyn_into().map_err(|_| no_canvas())?;
        if (self.canvas.width(), self.canvas.height()) != (width, height) {
            self.canvas.set_width(width);
            self.canvas.set_height(height);
        } else {
            context.clear_rect(0.0, 0.0, width.into(), height.into());
        }
        Ok(context)
    }

    fn plotters(&self) -> Result<PlottersRenderer<CanvasBackend>, String> {
        CanvasBackend::with_canvas_object(self.canvas.clone()).map(PlottersRenderer::new).ok_or_else(no_canvas)
    }
}

fn no_canvas() -> String {
    "this browser offers no canvas to draw on".to_owned()
}

impl Renderer for CanvasRenderer {
    fn draw(&mut self, scene: Option<&Scene>, palette: &Palette, size: Size) -> Result<(), String> {
        let context = self.prepare(size)?;
        let Some(scene) = scene else { return Ok(()) };
        self.plotters()?.axes(scene, palette, size.scale)?;
        let brush = Brush { context: &context, palette, scale: size.scale };
        scene.layers.iter().for_each(|layer| brush.layer(layer));
        Ok(())
    }

    fn draw_crosshair(
        &mut self,
        scene: &Scene,
        readout: Option<&Readout>,
        palette: &Palette,
        size: Size,
    ) -> Result<(), String> {
        self.prepare(size)?;
        self.plotters()?.draw_crosshair(scene, readout, palette, size)
    }
}

/// Draws layers. Places are in CSS pixels and are scaled here, so that line widths of one pixel stay sharp.
struct Brush<'a> {
    context: &'a CanvasRenderingContext2d,
    palette: &'a Palette,
    scale: f64,
}

impl Brush<'_> {
    fn color(&self, Rgb(r, g, b): Rgb, strength: f64) {
        self.context.set_fill_style_str(&format!("rgba({r},{g},{b},{strength})"));
        self.context.set_stroke_style_str(&format!("rgba({r},{g},{b},{strength})"));
    }

    fn move_to(&self, (x, y): Place) {
        self.context.move_to(x * self.scale, y * self.scale);
    }

    fn line_to(&self, (x, y): Place) {
        self.context.line_to(x * self.scale, y * self.scale);
    }

    fn width(&self, width: f64) {
        self.context.set_line_width((width * self.scale).max(1.0));
    }

    fn layer(&self, layer: &Layer) {
        self.context.begin_path();
        match layer {
            Layer::Line { ink, width, dashed, places, breaks } => {
                self.color(self.palette.ink(*ink), 1.0);
                self.width(*width);
                self.dashed(*dashed);
                // Round corners cost as much as the line, and of a line as dense as that nobody sees them.
                self.context.set_line_join(if places.len() > DENSE { "bevel" } else { "round" });
                let mut breaks = breaks.iter().copied().peekable();
                for (index, place) in places.iter().enumerate() {
                    if index == 0 || breaks.next_if_eq(&index).is_some() {
                        self.move_to(*place);
                    } else {
                        self.line_to(*place);
                    }
                }
                self.context.stroke();
                self.dashed(false);
            }
            Layer::Area { ink, strength, upper, lower } => {
                self.color(self.palette.ink(*ink), *strength);
                let mut outline = upper.iter().chain(lower.iter().rev());
                if let Some(first) = outline.next() {
                    self.move_to(*first);
                }
                outline.for_each(|place| self.line_to(*place));
                self.context.fill();
            }
            Layer::Boxes { ink, strength, boxes } => {
                self.color(self.palette.ink(*ink), *strength);
                boxes.iter().for_each(|area| self.rect(area, 0.0));
                self.context.fill();
            }
            Layer::Outlines { ink, boxes } => {
                self.color(self.palette.ink(*ink), 1.0);
                self.width(1.0);
                boxes.iter().for_each(|area| self.rect(area, 0.5));
                self.context.stroke();
            }
            Layer::Segments { ink, width, segments } => {
                self.color(self.palette.ink(*ink), 1.0);
                self.width(*width);
                for (from, to) in segments {
                    self.move_to(*from);
                    self.line_to(*to);
                }
                self.context.stroke();
            }
            Layer::Dots { ink, radius, places } => {
                self.color(self.palette.ink(*ink), 1.0);
                for (x, y) in places {
                    let (x, y, radius) = (x * self.scale, y * self.scale, radius * self.scale);
                    self.context.move_to(x + radius, y);
                    // Fails for a negative radius only.
                    let _ = self.context.arc(x, y, radius, 0.0, TAU);
                }
                self.context.fill();
            }
            Layer::Label { ink, text, place, anchor } => {
                self.color(self.palette.ink(*ink), 1.0);
                self.context.set_font(&format!("{}px {}", FONT_SIZE * self.scale, self.palette.font_family));
                self.context.set_text_baseline("middle");
                self.context.set_text_align(match anchor {
                    Anchor::Left => "left",
                    Anchor::Middle => "center",
                    Anchor::Right => "right",
                });
                // Fails where the context is lost; then nothing is shown anyway.
                let _ = self.context.fill_text(text, place.0 * self.scale, place.1 * self.scale);
            }
        }
    }

    /// On whole device pixels, so that edges are sharp.
    fn rect(&self, [left, top, width, height]: &[f64; 4], offset: f64) {
        let (a, b) = ((left * self.scale).round(), (top * self.scale).round());
        let right = ((left + width) * self.scale).round().max(a + 1.0);
        let bottom = ((top + height) * self.scale).round().max(b + 1.0);
        self.context.rect(a + offset, b + offset, right - a - 2.0 * offset, bottom - b - 2.0 * offset);
    }

    fn dashed(&self, dashed: bool) {
        let lengths = if dashed { vec![DASH * self.scale, GAP * self.scale] } else { Vec::new() };
        let lengths: js_sys::Array = lengths.into_iter().map(JsValue::from).collect();
        // Fails for what is not a list of numbers only.
        let _ = self.context.set_line_dash(&lengths);
    }
}
