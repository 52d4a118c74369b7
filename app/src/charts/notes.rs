//! What is noted on charts that run over time: a line at an instant, with its words where all words have room, and with
//! its number in a list below where not.

use super::{
    Data, Frame, Layout, Scale, View,
    layout::shortened,
    scene::{Anchor, CHARACTER_WIDTH, Ink, Layer},
};

/// A note is read out where the cursor is so near to it, in CSS pixels.
const REACH: f64 = 8.0;
/// Characters of a note beside its line; the rest is read out.
const CHARACTERS: usize = 24;
/// How far from its line a note's text stands, in CSS pixels.
const BESIDE: f64 = 6.0;
/// Where the frame begins at most, in CSS pixels, where words are to have room.
const LEFT_MOST: f64 = 96.0;
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

impl Note {
    /// When and what, in one line.
    pub fn line(&self, data: &Data) -> String {
        format!("{} · {}", data.spec.x.format.time_text(self.at as i64), self.text)
    }
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

/// A line and a dot for each note; above the frame their words, where all of them have room, or else their numbers. And the
/// notes that are numbered, from 1 on.
pub(super) fn place(view: &View, layout: &Layout) -> (Vec<Layer>, Vec<Note>) {
    let notes = shown(view, layout);
    if notes.is_empty() {
        return Default::default();
    }
    let frame = layout.frame;
    let (top, bottom) = (frame.top, frame.top + frame.height);
    let segments = notes.iter().map(|(x, _)| ((*x, top - STRIP), (*x, bottom))).collect();
    let places = notes.iter().map(|(x, _)| (*x, top - STRIP / 2.0)).collect();
    let mut layers = vec![
        Layer::Segments { ink: Ink::Past, width: 1.0, segments },
        Layer::Dots { ink: Ink::Past, radius: 3.0, places },
    ];
    let words = words(view, layout);
    let numbered = if words.is_some() { Vec::new() } else { notes.iter().map(|(_, note)| (*note).clone()).collect() };
    let labels = words.unwrap_or_else(|| numbers(&notes, layout));
    layers.extend(labels.into_iter().map(|label| {
        let Beside { text, x, anchor } = label;
        Layer::Label { ink: Ink::Past, text, place: (x, top - STRIP / 2.0), anchor }
    }));
    (layers, numbered)
}

/// What stands beside the line of a note: its text, and where which end of that is.
struct Beside {
    text: String,
    x: f64,
    anchor: Anchor,
}

/// The words of all notes; `None` where some would cover those before or another note's line on a chart of that width,
/// however wide the labels of its axis are. These follow its height, which must not decide: numbers need a list below.
fn words(view: &View, layout: &Layout) -> Option<Vec<Beside>> {
    let left = (LEFT_MOST).max(layout.frame.left);
    let least = Frame { left, width: (layout.frame.left + layout.frame.width - left).max(1.0), ..layout.frame };
    let narrow = Layout { frame: least, ..layout.clone() };
    words_in(&shown(view, &narrow), &narrow)?;
    words_in(&shown(view, layout), layout)
}

fn words_in(notes: &[(f64, &Note)], layout: &Layout) -> Option<Vec<Beside>> {
    let mut free_from = layout.frame.left;
    let words = notes.iter().enumerate().map(|(index, (x, note))| {
        let next = next_of(notes, index, layout);
        let text = shortened(note.text.clone(), CHARACTERS);
        let width = text_width(&text);
        let (at, anchor) =
            if x + BESIDE + width <= next { (x + BESIDE, Anchor::Left) } else { (x - BESIDE, Anchor::Right) };
        let starts = if anchor == Anchor::Left { at } else { at - width };
        let has_room = starts >= free_from;
        free_from = if anchor == Anchor::Left { at + width } else { *x } + CHARACTER_WIDTH;
        has_room.then_some(Beside { text, x: at, anchor })
    });
    words.collect()
}

/// The numbers of notes; of those that stand too close, which they are: "3–5".
fn numbers(notes: &[(f64, &Note)], layout: &Layout) -> Vec<Beside> {
    let right = layout.frame.left + layout.frame.width;
    let mut groups: Vec<(usize, usize)> = Vec::new();
    let mut first = 0;
    for index in 0..notes.len() {
        let last = index + 1 == notes.len();
        if last || numbers_end(notes, (first, index)) + BESIDE <= next_of(notes, index, layout) {
            groups.push((first, index));
            first = index + 1;
        }
    }
    // At the right edge numbers stand before their line, where those before may be.
    let starts = |group: (usize, usize)| notes[group.0].0 - BESIDE - text_width(&numbers_text(group));
    while let [.., before, last] = groups[..]
        && numbers_end(notes, last) > right
        && starts(last) < numbers_end(notes, before) + BESIDE
    {
        groups.truncate(groups.len() - 2);
        groups.push((before.0, last.1));
    }
    let label = |group: (usize, usize)| {
        let before = numbers_end(notes, group) > right;
        let (x, anchor) = match before {
            // So many that they reach from edge to edge are named at the left one.
            true if starts(group) < layout.frame.left => (layout.frame.left, Anchor::Left),
            true => (notes[group.0].0 - BESIDE, Anchor::Right),
            false => (notes[group.1].0 + BESIDE, Anchor::Left),
        };
        Beside { text: numbers_text(group), x, anchor }
    };
    groups.into_iter().map(label).collect()
}

fn numbers_text((first, last): (usize, usize)) -> String {
    if first == last { format!("{}", first + 1) } else { format!("{}–{}", first + 1, last + 1) }
}

/// Where the numbers of notes end that stand behind the line of the last of these.
fn numbers_end(notes: &[(f64, &Note)], group: (usize, usize)) -> f64 {
    notes[group.1].0 + BESIDE + text_width(&numbers_text(group))
}

fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER_WIDTH
}

/// Where the note after one stands, or the frame ends.
fn next_of(notes: &[(f64, &Note)], index: usize, layout: &Layout) -> f64 {
    notes.get(index + 1).map_or(layout.frame.left + layout.frame.width, |(next, _)| *next)
}

/// What is noted at or near a place.
pub(super) fn near(view: &View, layout: &Layout, pixel: f64) -> Vec<String> {
    let near = shown(view, layout).into_iter().filter(|(x, _)| (x - pixel).abs() <= REACH);
    near.map(|(_, note)| note.text.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        charts::{Channel, ChartSpec, Mark, Scene},
        format::time::DAY_MICROS,
    };

    /// A line over a hundred days, 700 pixels wide, with notes on some of them.
    fn noted(width: f64, notes: &[(i64, &str)]) -> Scene {
        let days = (0..=100).map(|day| Some(day * DAY_MICROS));
        let times = arrow_array::TimestampMicrosecondArray::from_iter(days).with_timezone("+00:00");
        let values = arrow_array::Float64Array::from_iter((0..=100).map(|day| Some(f64::from(day))));
        let rows = crate::arrow::tests::table(vec![("t", Arc::new(times)), ("v", Arc::new(values))]);
        let spec = ChartSpec::new("Level", Mark::Line, Channel::of("t"), vec![Channel::of("v")]);
        let data = Data::new(Arc::new(spec), Arc::new(rows)).unwrap();
        let note = |(day, text): &(i64, &str)| Note { at: (*day * DAY_MICROS) as f64, text: (*text).to_owned() };
        let notes = Arc::new(notes.iter().map(note).collect());
        Scene::new(&data, &View { notes, ..View::whole(width, 200.0) }).unwrap()
    }

    fn labels(scene: &Scene) -> Vec<&str> {
        let label = scene.layers.iter().filter_map(|layer| match layer {
            Layer::Label { text, .. } => Some(text.as_str()),
            _ => None,
        });
        label.collect()
    }

    #[test]
    fn words_stand_beside_their_lines_where_all_of_them_have_room() {
        let scene = noted(700.0, &[(70, "Later"), (10, "Index rebalanced")]);
        assert_eq!(labels(&scene), ["Index rebalanced", "Later"]);
        assert!(scene.numbered.is_empty());
    }

    #[test]
    fn else_each_has_its_number_and_a_line_in_the_list() {
        let scene = noted(
            700.0,
            &[(10, "Index rebalanced"), (14, "A price was withdrawn"), (15, "And put right"), (80, "Last")],
        );
        assert_eq!(labels(&scene), ["1", "2–3", "4"]);
        let listed: Vec<&str> = scene.numbered.iter().map(|note| note.text.as_str()).collect();
        assert_eq!(listed, ["Index rebalanced", "A price was withdrawn", "And put right", "Last"]);
    }

    proptest! {
        #[test]
        fn no_label_covers_another_or_a_line_and_each_note_is_told(
            days in prop::collection::vec(0_i64..=100, 1..40),
            width in 120.0_f64..1_400.0,
        ) {
            let notes: Vec<(i64, &str)> = days.iter().map(|day| (*day, "Put right")).collect();
            let scene = noted(width, &notes);
            let frame = scene.layout.frame;
            let lines: Vec<f64> = days.iter().map(|day| scene.layout.x_pixel((day * DAY_MICROS) as f64)).collect();
            let (mut ends, mut told) = (frame.left - 0.01, 0);
            for layer in &scene.layers {
                let Layer::Label { text, place, anchor, .. } = layer else { continue };
                let wide = text_width(text);
                let starts = if *anchor == Anchor::Left { place.0 } else { place.0 - wide };
                prop_assert!(starts >= ends && starts + wide <= width, "{text} at {starts} after {ends}");
                ends = starts + wide;
                // All of them under one label may stand on their own lines.
                let first = text.split('–').next().and_then(|first| first.parse::<usize>().ok());
                let all = first == Some(1) && text.ends_with(&format!("–{}", days.len()));
                prop_assert!(all || !lines.iter().any(|line| (starts..ends).contains(line)), "{text} on a line");
                if let Some(first) = first {
                    prop_assert_eq!(first, told + 1);
                    told = text.split('–').next_back().and_then(|last| last.parse().ok()).unwrap_or(0);
                }
            }
            prop_assert_eq!(if scene.numbered.is_empty() { labels(&scene).len() } else { told }, days.len());
        }
    }
}
