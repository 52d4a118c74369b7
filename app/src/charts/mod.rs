//! Charts: what is to be drawn ([`ChartSpec`]), an answer bound to it ([`Data`]), every mark with its place ([`Scene`]), and
//! who draws it ([`Renderer`]).
//!
//! All but the renderers are pure values and are tested natively. Colours come from the page's tokens ([`Palette`]) and never
//! from here. Nothing here fetches anything.

mod canvas;
mod data;
mod earlier;
mod layout;
mod marks;
mod notes;
mod paint;
mod palette;
mod readout;
mod scale;
mod scene;
mod seen;
mod spec;
mod ticks;

pub use canvas::CanvasRenderer;
pub use data::{COLORED_SERIES, Data, SeriesInfo, Spot};
pub use layout::{Frame, Layout, View};
pub use notes::Note;
pub use paint::PlottersRenderer;
pub use palette::{Palette, Rgb};
pub use readout::{Beside, Entry, Index, Readout, of_target, summary};
pub use scale::Scale;
pub use scene::{Anchor, Ink, Layer, Place, Scene, Target};
pub use spec::{Channel, ChartSpec, Mark, ScaleKind, SeriesStyle, ValueFormat};
pub use ticks::{Tick, time_ticks};

#[cfg(test)]
mod tests;

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

/// Draws scenes. An implementor draws what a scene says and nothing else, and takes every colour from the palette.
pub trait Renderer {
    /// Draws the whole chart, replacing what was there. Without a scene the canvas is left empty.
    fn draw(&mut self, scene: Option<&Scene>, palette: &Palette, size: Size) -> Result<(), String>;

    /// Draws a crosshair over an otherwise empty canvas: a line at an x, and a dot in its colour for each value.
    fn draw_crosshair(
        &mut self,
        scene: &Scene,
        readout: Option<&Readout>,
        palette: &Palette,
        size: Size,
    ) -> Result<(), String>;
}
