//! Heat maps: cells coloured by a value, which stands in them while it fits.

use super::spanning;
use crate::charts::{
    Data, Layout, Scale,
    layout::{cell_width, meets},
    scene::{Anchor, CHARACTER_WIDTH, Ink, Layer, Target},
};

/// Cells lower than that hold no text.
const TEXT_HEIGHT: f64 = 18.0;

/// What the key takes above the frame: how colours go from the least value to the greatest.
pub(in crate::charts) const KEY_HEIGHT: f64 = 16.0;
/// A step of the key, and how many of them it has.
const KEY_BOX: [f64; 2] = [10.0, 8.0];
const KEY_STEPS: u8 = 8;

/// So many steps as an eye can tell apart, and few enough to be drawn together.
const STEPS: u8 = 32;

fn level_of(step: u8) -> u8 {
    step * (u8::MAX / (STEPS - 1))
}

/// A cell for each row that has a value.
pub(super) fn heat_map(data: &Data, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    let Some(color) = data.spec.color.as_ref().and_then(|channel| data.table.column(&channel.column).ok()) else {
        return (Vec::new(), Vec::new());
    };
    let finite = |row| Some((color.number(row).filter(|value| value.is_finite())?, row));
    let values = || (0..data.table.rows()).filter_map(finite);
    let least = values().min_by(|a, b| a.0.total_cmp(&b.0));
    let greatest = values().max_by(|a, b| a.0.total_cmp(&b.0));
    let (Some((low, least)), Some((high, greatest))) = (least, greatest) else { return (Vec::new(), Vec::new()) };
    let mut cells: Vec<Vec<[f64; 4]>> = (0..STEPS).map(|_| Vec::new()).collect();
    let (mut labels, mut targets) = (Vec::new(), Vec::new());
    let width = cell_width(data);
    for row in 0..data.table.rows() {
        let Some(value) = color.number(row).filter(|value| value.is_finite()) else { continue };
        let Some(area) = cell(data, layout, row, width) else { continue };
        let share = if high > low { (value - low) / (high - low) } else { 1.0 };
        let step = (share * f64::from(STEPS - 1)).round() as u8;
        cells[usize::from(step)].push(area);
        let level = level_of(step);
        targets.push(Target { area, row, series: 0 });
        let text = data.color_text(row).unwrap_or_default();
        let [left, top, width, height] = area;
        if height >= TEXT_HEIGHT && text.chars().count() as f64 * CHARACTER_WIDTH + 4.0 <= width {
            let place = (left + width / 2.0, top + height / 2.0);
            labels.push(Layer::Label { ink: Ink::OnHeat(level), text, place, anchor: Anchor::Middle });
        }
    }
    let layer = |(step, boxes)| Layer::Boxes { ink: Ink::Heat(level_of(step)), strength: 1.0, boxes };
    let drawn = (0..STEPS).zip(cells).filter(|(_, boxes)| !boxes.is_empty());
    let mut layers: Vec<Layer> = drawn.map(layer).collect();
    layers.extend(labels);
    if high > low {
        layers.extend(key(data, layout, least, greatest));
    }
    (layers, targets)
}

/// What the colours mean, above the frame and to the right: the least value, the way of the colours, the greatest.
fn key(data: &Data, layout: &Layout, least: usize, greatest: usize) -> Vec<Layer> {
    let frame = layout.frame;
    // At the top, whatever stands between it and the frame.
    let y = KEY_HEIGHT;
    let [width, height] = KEY_BOX;
    let text = |row| data.color_text(row).unwrap_or_default();
    let (low, high) = (text(least), text(greatest));
    let length = |text: &str| text.chars().count() as f64 * CHARACTER_WIDTH;
    let right = frame.left + frame.width;
    let start = right - length(&high) - 6.0 - f64::from(KEY_STEPS) * width;
    if start - 6.0 - length(&low) < 0.0 {
        return Vec::new();
    }
    let step = |step: u8| {
        let level = (u16::from(step) * u16::from(u8::MAX) / u16::from(KEY_STEPS - 1)) as u8;
        let area = [start + f64::from(step) * width, y - height / 2.0, width, height];
        Layer::Boxes { ink: Ink::Heat(level), strength: 1.0, boxes: vec![area] }
    };
    let label = |text, x| Layer::Label { ink: Ink::Text, text, place: (x, y), anchor: Anchor::Right };
    (0..KEY_STEPS).map(step).chain([label(low, start - 6.0), label(high, right)]).collect()
}

/// The cell of a row: a band has its own width, a bin reaches to its end or is so wide.
fn cell(data: &Data, layout: &Layout, row: usize, width: f64) -> Option<[f64; 4]> {
    let (x, x_end) = data.x_of(row);
    let (y, y_end) = data.y_of(0, row);
    let x_end = x_end.or((width > 0.0).then_some(x + width));
    if !x.is_finite() || !y.is_finite() || !meets(&layout.x, x, x_end) {
        return None;
    }
    let frame = layout.frame;
    let span = |scale: &Scale, pixel: f64, end: Option<f64>, length: f64| match scale {
        Scale::Band { .. } => {
            let half = scale.band() * length / 2.0;
            (pixel - half, pixel + half)
        }
        _ => (pixel, end.unwrap_or(pixel)),
    };
    let (left, right) = span(&layout.x, layout.x_pixel(x), x_end.map(|end| layout.x_pixel(end)), frame.width);
    let (top, bottom) = span(&layout.y, layout.y_pixel(y), y_end.map(|end| layout.y_pixel(end)), frame.height);
    let [left, top, width, height] = spanning((left, top), (right, bottom));
    // A hair of ground between cells that are large enough.
    let gap = |length: f64| if length > 6.0 { 1.0 } else { 0.0 };
    Some([left, top, (width - gap(width)).max(0.5), (height - gap(height)).max(0.5)])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray};

    use super::*;
    use crate::{
        arrow::tests::table,
        charts::{Channel, ChartSpec, Mark, Note, Scene, View},
        format::time::DAY_MICROS,
    };

    fn labels(values: [f64; 2]) -> Vec<(String, f64)> {
        let days = [20_000, 20_010].map(|day| day * DAY_MICROS);
        let ends = days.map(|day| day + DAY_MICROS);
        let times = |of: [i64; 2]| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(of.to_vec()).with_timezone("+00:00"))
        };
        let rows = table(vec![
            ("from", times(days)),
            ("to", times(ends)),
            ("place", Arc::new(StringArray::from(vec!["here", "here"]))),
            ("count", Arc::new(Float64Array::from(values.to_vec()))),
        ]);
        let spec = ChartSpec {
            color: Some(Channel::of("count")),
            ..ChartSpec::new("Counts", Mark::HeatMap, Channel::of("from").until("to"), vec![Channel::of("place")])
        };
        let data = Data::new(Arc::new(spec), Arc::new(rows)).unwrap();
        let note = Note { at: (20_009 * DAY_MICROS) as f64, text: "Noted".to_owned() };
        let view = View { notes: Arc::new(vec![note]), ..View::whole(600.0, 200.0) };
        let scene = Scene::new(&data, &view).unwrap();
        let above = |layer: &Layer| match layer {
            Layer::Label { text, place, .. } if place.1 < scene.layout.frame.top => Some((text.clone(), place.1)),
            _ => None,
        };
        scene.layers.iter().filter_map(above).collect()
    }

    #[test]
    fn a_key_says_what_the_colours_mean_above_the_words_of_notes() {
        let found = labels([2.0, 9.0]);
        let of = |text: &str| found.iter().find(|label| label.0 == text).unwrap().1;
        assert_eq!(of("2"), of("9"));
        assert!(of("2") + 12.0 <= of("Noted"), "{found:?}");
    }

    #[test]
    fn one_colour_needs_no_key() {
        assert_eq!(labels([2.0, 2.0]).len(), 1);
    }
}
