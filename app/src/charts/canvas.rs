//! The renderer of the browser: plotters on a `<canvas>`, sharp at any device pixel ratio.

use plotters_canvas::CanvasBackend;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::{ChartSpec, Palette, Renderer, Size, paint};

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
    fn prepare(&self, size: Size) -> Result<CanvasBackend, String> {
        let failed = || "this browser offers no canvas to draw on".to_owned();
        let (width, height) = ((size.width * size.scale).round() as u32, (size.height * size.scale).round() as u32);
        if (self.canvas.width(), self.canvas.height()) != (width, height) {
            self.canvas.set_width(width);
            self.canvas.set_height(height);
        }
        let context = self.canvas.get_context("2d").ok().flatten().ok_or_else(failed)?;
        let context: CanvasRenderingContext2d = context.dyn_into().map_err(|_| failed())?;
        context.clear_rect(0.0, 0.0, width.into(), height.into());
        context.set_line_join("round");
        CanvasBackend::with_canvas_object(self.canvas.clone()).ok_or_else(failed)
    }
}

impl Renderer for CanvasRenderer {
    fn draw(&mut self, spec: &ChartSpec, palette: &Palette, size: Size) -> Result<(), String> {
        paint::chart(self.prepare(size)?, spec, palette, size)
    }

    fn draw_crosshair(
        &mut self,
        spec: &ChartSpec,
        palette: &Palette,
        size: Size,
        at: Option<i64>,
    ) -> Result<(), String> {
        let backend = self.prepare(size)?;
        at.map_or(Ok(()), |at| paint::crosshair(backend, spec, palette, size, at))
    }
}
