//! What is noted on charts that run over time: a line at an instant, with its words as far as there is room for them.

use super::{
    Layout, Scale, View,
    scene::{Anchor, CHARACTER_WIDTH, Ink, Layer},
};

/// A note is read out where the cursor is so near to it, in CSS pixels.
const REACH: f64 = 8.0;
/// Characters of a note beside its line; the rest is read out.
const CHARACTERS: usize = 24;
/// What the words take above the frame, in CSS pixels, so that they stand in front of nothing.
pub(super) const STRIP: f64 = 14.0;

/// Words at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// In microseconds.
    pub at: f64,
    /// The words.
    pub text: String,
}

/// The notes in the stretch that is shown, with their places from left to right.
fn shown<'a>(view: &'a View, layout: &Layout) -> Vec<(f64, &'a Note)> {
    if !matches!(layout.x, Scale::Time { .. }) {
        return Vec::new();
    }
    let shown = view.notes.iter().filter(|note| layout.shows_x(note.at));
    let mut shown: Vec<(f64, &Note)> = shown.map(|note| (layout.x_pixel(note.at), note)).collect();
    shown.sort_by(|a, b| a.0.total_cmp(&b.0));
    shown
}

/// A line and a dot for each note; its words above the frame, where those of the one before leave room.
pub(super) fn layers(view: &View, layout: &Layout) -> Vec<Layer> {
    let notes = shown(view, layout);
    if notes.is_empty() {
        return Vec::new();
    }
    let frame = layout.frame;
    let (top, bottom, right) = (frame.top, frame.top + frame.height, frame.left + frame.width);
    let segments = notes.iter().map(|(x, _)| ((*x, top - STRIP), (*x, bottom))).collect();
    let places = notes.iter().map(|(x, _)| (*x, top - STRIP / 2.0)).collect();
    let mut layers = vec![
        Layer::Segments { ink: Ink::Past, width: 1.0, segments },
        Layer::Dots { ink: Ink::Past, radius: 3.0, places },
    ];
    let mut free_from = frame.left;
    for (index, (x, note)) in notes.iter().enumerate() {
        let next = notes.get(index + 1).map_or(right, |(next, _)| *next);
        let mut text: String = note.text.chars().take(CHARACTERS).collect();
        if text.len() < note.text.len() {
            text.push('…');
        }
        let width = text.chars().count() as f64 * CHARACTER_WIDTH;
        let (left, anchor) = if x + 6.0 + width <= next { (x + 6.0, Anchor::Left) } else { (x - 6.0, Anchor::Right) };
        let starts = if anchor == Anchor::Left { left } else { left - width };
        let ends = if anchor == Anchor::Left { starts + width } else { *x };
        // Words that would cover those before or another note's line are read out alone.
        if starts >= free_from {
            free_from = ends + CHARACTER_WIDTH;
            layers.push(Layer::Label { ink: Ink::Past, text, place: (left, top - STRIP / 2.0), anchor });
        }
        free_from = free_from.max(*x);
    }
    layers
}

/// What is noted at or near a place.
pub(super) fn near(view: &View, layout: &Layout, pixel: f64) -> Vec<String> {
    let near = shown(view, layout).into_iter().filter(|(x, _)| (x - pixel).abs() <= REACH);
    near.map(|(_, note)| note.text.clone()).collect()
}
