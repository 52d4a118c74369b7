//! A chart as it stands on the page: every line, area, rectangle and label with its place in CSS pixels. A scene is a value;
//! who draws it decides nothing. Nothing in it lies outside its canvas, and no mark outside the frame.

use super::{Data, Frame, Layout, Note, Tick, View, marks, notes};

/// A chart, placed.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Where data is drawn and what the axes are.
    pub layout: Layout,
    /// What is drawn, lowest first.
    pub layers: Vec<Layer>,
    /// What the pointer can meet, where that is not told by its x alone.
    pub targets: Vec<Target>,
    /// The notes that have a number beside their line, from 1 on, for want of room for their words.
    pub numbered: Vec<Note>,
}

/// A place in CSS pixels.
pub type Place = (f64, f64);

/// A colour by its meaning; the palette knows the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// A series: 1 is `--series-1`, 0 is `--series-others`.
    Series(usize),
    /// What rose.
    Up,
    /// What fell.
    Down,
    /// A step on the way from `--heat-low` (0) to `--heat-high` (255).
    Heat(u8),
    /// Lines that help reading.
    Axis,
    /// What stands on the page: text.
    Text,
    /// Text on a cell of a heat map: whichever of the two can be read there.
    OnHeat(u8),
    /// The page's own ground.
    Surface,
    /// What is known no longer.
    Past,
}

/// Marks of one kind and colour.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// Connected places; where `breaks` names an index, a new line begins.
    Line {
        /// Colour.
        ink: Ink,
        /// In CSS pixels.
        width: f64,
        /// Whether it is dashed.
        dashed: bool,
        /// Places.
        places: Vec<Place>,
        /// Indices at which a new line begins, in rising order.
        breaks: Vec<usize>,
    },
    /// The ground between two lines of the same length.
    Area {
        /// Colour; drawn with a third of its strength below a line, fully in stacks.
        ink: Ink,
        /// Of 0 to 1.
        strength: f64,
        /// From left to right.
        upper: Vec<Place>,
        /// From left to right.
        lower: Vec<Place>,
    },
    /// Filled rectangles.
    Boxes {
        /// Colour.
        ink: Ink,
        /// Of 0 to 1.
        strength: f64,
        /// Left, top, width, height.
        boxes: Vec<[f64; 4]>,
    },
    /// Edges of rectangles.
    Outlines {
        /// Colour.
        ink: Ink,
        /// Left, top, width, height.
        boxes: Vec<[f64; 4]>,
    },
    /// Single lines.
    Segments {
        /// Colour.
        ink: Ink,
        /// In CSS pixels.
        width: f64,
        /// From, to.
        segments: Vec<(Place, Place)>,
    },
    /// Filled circles.
    Dots {
        /// Colour.
        ink: Ink,
        /// In CSS pixels.
        radius: f64,
        /// Centres.
        places: Vec<Place>,
    },
    /// Words.
    Label {
        /// Colour.
        ink: Ink,
        /// What they say.
        text: String,
        /// Where.
        place: Place,
        /// Which end of the words is there.
        anchor: Anchor,
    },
}

/// Which part of a label stands at its place; upright it is centred there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Left,
    /// Its middle.
    Middle,
    /// Its right end.
    Right,
}

/// Something the pointer can meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// Left, top, width, height.
    pub area: [f64; 4],
    /// The row it shows.
    pub row: usize,
    /// The series it belongs to.
    pub series: usize,
}

/// Of text on axes and marks, in pixels.
pub(super) const FONT_SIZE: f64 = 12.0;
/// Of dashed lines, in pixels: what is drawn, and what is left between.
pub(super) const DASH: f64 = 5.0;
pub(super) const GAP: f64 = 4.0;

/// Advance of a digit at the axis font size, generously: labels are placed without measuring.
pub(super) const CHARACTER_WIDTH: f64 = 7.0;

impl Scene {
    /// Places everything. `None` when there is nothing to draw.
    pub fn new(data: &Data, view: &View) -> Option<Scene> {
        let layout = Layout::new(data, view)?;
        let (mut layers, targets) = marks::place(data, view, &layout);
        let (above, numbered) = notes::place(view, &layout);
        layers.extend(above);
        Some(Scene { layout, layers, targets, numbered })
    }

    /// What stands under a place; of things on top of each other the uppermost.
    pub fn target_at(&self, place: Place) -> Option<&Target> {
        let within = |target: &&Target| {
            let [left, top, width, height] = target.area;
            (left..=left + width).contains(&place.0) && (top..=top + height).contains(&place.1)
        };
        self.targets.iter().rev().find(within)
    }

    /// The labels of the value axis with their places.
    pub fn y_labels(&self) -> impl Iterator<Item = (&Tick, Place)> {
        let left = self.layout.frame.left;
        self.layout.y_ticks.iter().map(move |tick| (tick, (left - 8.0, self.layout.y_pixel(tick.at))))
    }

    /// The labels of the x axis with their places.
    pub fn x_labels(&self) -> impl Iterator<Item = (&Tick, Place)> {
        let Frame { top, height, .. } = self.layout.frame;
        self.layout.x_ticks.iter().map(move |tick| (tick, (self.layout.x_pixel(tick.at), top + height + 8.0)))
    }
}
