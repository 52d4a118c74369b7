//! The bitemporal plane of a key: a rectangle for each version, effective from left to right, known from bottom to top. Its
//! top edge is now, and what is open reaches the edge of the frame.

use super::spanning;
use crate::charts::{
    Data, Layout, View,
    scene::{Anchor, CHARACTER_WIDTH, Ink, Layer, Target},
};

/// Rectangles smaller than that have no edges.
const EDGED: f64 = 3.0;
/// Rectangles lower than that hold no text.
const TEXT_HEIGHT: f64 = 13.0;
/// Side of the square that holds the letter of a rectangle that was chosen.
const LETTER: f64 = 15.0;

/// A rectangle for each version; what is known no longer is grey.
pub(super) fn rectangles(data: &Data, view: &View, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    let frame = layout.frame;
    let (mut known, mut past, mut labels, mut targets) = (vec![], vec![], vec![], vec![]);
    for row in 0..data.table.rows() {
        let ((x, x_end), (y, y_end)) = (data.x_of(row), data.y_of(0, row));
        if !x.is_finite() || !y.is_finite() {
            continue;
        }
        let left = layout.x_pixel(x);
        let right = x_end.map_or(frame.left + frame.width, |end| layout.x_pixel(end));
        let bottom = layout.y_pixel(y);
        let top = y_end.map_or(frame.top, |end| layout.y_pixel(end));
        let area = spanning((left, top), (right, bottom));
        let [left, top, width, height] = area;
        // What never held is no version; what is narrower than a pixel is drawn as one.
        if width <= 0.0 || height <= 0.0 {
            continue;
        }
        if y_end.is_none() {
            known.push(area)
        } else {
            past.push(area)
        }
        targets.push(Target { area, row, series: 0 });
        let text = data.color_text(row).unwrap_or_default();
        if height >= TEXT_HEIGHT && text.chars().count() as f64 * CHARACTER_WIDTH + 2.0 <= width {
            let place = (left + width / 2.0, top + height / 2.0);
            labels.push(Layer::Label { ink: Ink::Text, text, place, anchor: Anchor::Middle });
        }
    }
    // Edges of what is hardly wider than they are would be all there is to see.
    let edged = |area: &&[f64; 4]| area[2] >= EDGED && area[3] >= EDGED;
    let outlines: Vec<[f64; 4]> = past.iter().chain(&known).filter(edged).copied().collect();
    let mut layers = vec![
        Layer::Boxes { ink: Ink::Past, strength: 0.16, boxes: past },
        Layer::Boxes { ink: Ink::Series(1), strength: 0.22, boxes: known },
        Layer::Outlines { ink: Ink::Axis, boxes: outlines },
    ];
    layers.extend(labels);
    layers.extend(letters(view, layout, &targets));
    (layers, targets)
}

/// The letters of the rectangles that were chosen, each in their upper left corner, and an edge around them.
fn letters(view: &View, layout: &Layout, targets: &[Target]) -> Vec<Layer> {
    let frame = layout.frame;
    let of = |row: usize| targets.iter().find(|target| target.row == row).map(|target| target.area);
    let lettered = view.marked.iter().zip(["A", "B"]);
    let marked: Vec<([f64; 4], &str)> = lettered.filter_map(|(row, letter)| Some((of(*row)?, letter))).collect();
    if marked.is_empty() {
        return Vec::new();
    }
    // Of a rectangle at the right or lower edge the letter stays inside, and B beside A.
    let mut squares: Vec<[f64; 4]> = Vec::new();
    for ([left, top, ..], _) in &marked {
        let (right, bottom) = (frame.left + frame.width - LETTER, frame.top + frame.height - LETTER);
        let (mut left, top) = (left.min(right), top.min(bottom));
        if let Some([before, above, ..]) = squares.first()
            && (left - before).abs() < LETTER
            && (top - above).abs() < LETTER
        {
            left = if before + 2.0 * LETTER < right { before + LETTER + 1.0 } else { before - LETTER - 1.0 };
        }
        squares.push([left, top, LETTER, LETTER]);
    }
    let letter = |(square, (_, letter)): (&[f64; 4], &([f64; 4], &str))| {
        let place = (square[0] + LETTER / 2.0, square[1] + LETTER / 2.0);
        Layer::Label { ink: Ink::Surface, text: (*letter).to_owned(), place, anchor: Anchor::Middle }
    };
    let labels: Vec<Layer> = squares.iter().zip(&marked).map(letter).collect();
    let mut layers = vec![
        Layer::Outlines { ink: Ink::Text, boxes: marked.iter().map(|(area, _)| *area).collect() },
        Layer::Boxes { ink: Ink::Text, strength: 1.0, boxes: squares },
    ];
    layers.extend(labels);
    layers
}
