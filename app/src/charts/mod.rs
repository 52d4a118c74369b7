//! Charts: what is to be drawn ([`ChartSpec`]), where it goes ([`Layout`]), and who draws it ([`Renderer`]).
//!
//! Specs and layouts are pure values and are tested natively. Colours come from the page's tokens ([`Palette`]) and never
//! from here. Nothing here fetches anything.

mod canvas;
mod layout;
mod paint;
mod palette;
mod spec;
mod ticks;

pub use canvas::CanvasRenderer;
pub use layout::{Frame, Layout};
pub use palette::{Palette, Rgb};
pub use spec::{ChartSpec, Grain, Mark, Point, Series, Twin, ValueFormat, fill_by_column, fill_by_label};
pub use ticks::{Tick, time_ticks, value_ticks};

/// A canvas in CSS pixels, and how many device pixels one of them has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Width in CSS pixels.
    pub width: f64,
    /// Height in CSS pixels.
    pub height: f64,
    /// Device pixels per CSS pixel.
    pub scale: f64,
}

/// Draws charts. An implementor draws nothing outside the canvas and takes every colour from the palette.
pub trait Renderer {
    /// Draws the whole chart, replacing what was there.
    fn draw(&mut self, spec: &ChartSpec, palette: &Palette, size: Size) -> Result<(), String>;

    /// Draws the crosshair at a point of the x axis over an otherwise empty canvas; `None` leaves it empty.
    fn draw_crosshair(
        &mut self,
        spec: &ChartSpec,
        palette: &Palette,
        size: Size,
        at: Option<i64>,
    ) -> Result<(), String>;
}
