//! The frame of a chart and its two axes, in CSS pixels.

use std::sync::Arc;

use super::{
    Data, Mark, Note, Scale, ScaleKind, Tick, ValueFormat,
    data::PlaceKind,
    marks::{cells, stack},
    notes,
    scene::CHARACTER_WIDTH,
    ticks,
};
use crate::format::time::{DAY_MICROS, SECOND_MICROS};

/// A time label and the room it needs around it.
const TIME_LABEL_WIDTH: f64 = 76.0;
/// The same of days without their year and of clock times without seconds, and how long these are.
const SHORT_TIME_LABEL_WIDTH: f64 = 58.0;
const SHORT_TIME_CHARACTERS: usize = 6;
const NUMBER_LABEL_WIDTH: f64 = 84.0;
const VALUE_LABEL_HEIGHT: f64 = 44.0;
/// The same of an axis of instants, whose labels are one or two lines.
const INSTANT_LABEL_HEIGHT: f64 = 30.0;
const CATEGORY_LABEL_HEIGHT: f64 = 18.0;
/// Characters of a category beside its axis; the rest is in the readout.
const CATEGORY_CHARACTERS: usize = 18;
/// Where not all of them have room side by side they stand upright: what each takes of the width, what all may take of the
/// height, and how many characters are worth it.
const UPRIGHT_LABEL_WIDTH: f64 = 16.0;
const UPRIGHT_SHARE: f64 = 0.52;
/// What a character of a name that stands upright takes at most: codes are all capitals and digits, words are not.
const CAPITAL_WIDTH: f64 = 7.8;
const LOWER_WIDTH: f64 = 7.4;
const UPRIGHT_LEAST_CHARACTERS: usize = 5;
/// From that width on, in CSS pixels, axes beside charts over time have room for so many characters at least.
const ALIKE_FROM_WIDTH: f64 = 480.0;
const ALIKE_CHARACTERS: usize = 6;
/// Room for what is open, as a share of what is not.
const OPEN_SHARE: f64 = 0.12;
/// Room beyond the steps of a waterfall, in CSS pixels, and at most as a share of what they span.
const AMOUNT_HEIGHT: f64 = 20.0;
const AMOUNT_SHARE: f64 = 0.3;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
const RIGHT: f64 = 14.0;

/// The rectangle in which data is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Width, at least 1.
    pub width: f64,
    /// Height, at least 1.
    pub height: f64,
}

/// How somebody looks at a chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// Width of the canvas in CSS pixels.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// The stretch of the x axis that is shown; all of it without. Of categories it has no meaning.
    pub x: Option<(f64, f64)>,
    /// Series that are switched off, by their index.
    pub hidden: Vec<usize>,
    /// What is noted on it, where it runs over time.
    pub notes: Arc<Vec<Note>>,
    /// The rows that are A and B beside the picture; drawn on planes.
    pub marked: Vec<usize>,
}

impl View {
    /// All of a chart on a canvas of a size.
    pub fn whole(width: f64, height: f64) -> View {
        View { width, height, ..View::default() }
    }

    /// Whether a series is shown.
    pub fn shows(&self, series: usize) -> bool {
        !self.hidden.contains(&series)
    }
}

/// A chart's frame and axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Where data is drawn.
    pub frame: Frame,
    /// From left to right.
    pub x: Scale,
    /// From bottom to top.
    pub y: Scale,
    /// Labels of the x axis.
    pub x_ticks: Vec<Tick>,
    /// Whether these stand upright, to be read from below.
    pub x_upright: bool,
    /// Labels of the value axis.
    pub y_ticks: Vec<Tick>,
}

impl Layout {
    /// Lays a chart out. `None` when there is nothing to draw.
    pub fn new(data: &Data, view: &View) -> Option<Layout> {
        if data.is_empty() {
            return None;
        }
        let x = x_scale(data, view)?;
        let lying = Layout::with_labels(data, view, &x, None)?;
        let Scale::Band { labels } = &x else { return Some(lying) };
        let lower = labels.iter().all(|label| label.contains(char::is_lowercase));
        let width = if lower { LOWER_WIDTH } else { CAPITAL_WIDTH };
        let room = (view.height * UPRIGHT_SHARE / width) as usize;
        let wanted = widest(labels.iter()).min(CATEGORY_CHARACTERS);
        let characters = wanted.min(room);
        if lying.x_ticks.len() == labels.len() || characters < wanted.min(UPRIGHT_LEAST_CHARACTERS) {
            return Some(lying);
        }
        Layout::with_labels(data, view, &x, Some((characters, width)))
    }

    /// With labels of the x axis that stand upright with so many characters of that width, or lie.
    fn with_labels(data: &Data, view: &View, x: &Scale, upright: Option<(usize, f64)>) -> Option<Layout> {
        let bottom = upright.map_or(BOTTOM, |(characters, width)| characters as f64 * width + 12.0);
        let top = TOP + above(data, view, x);
        let height = (view.height - top - bottom).max(1.0);
        let (y, y_ticks) = y_axis(data, view, x, height)?;
        // Charts over time below each other have their frames in one line, where there is room for that.
        let alike = matches!(x, Scale::Time { .. }) && view.width >= ALIKE_FROM_WIDTH;
        let least = if alike { ALIKE_CHARACTERS } else { 0 };
        let widest = widest(y_ticks.iter().map(|tick| &tick.label)).max(least);
        let left = (widest as f64 * CHARACTER_WIDTH + 12.0).min(view.width / 2.0);
        let frame = Frame { left, top, width: (view.width - left - RIGHT).max(1.0), height };
        let x_upright = upright.is_some();
        let mut layout = Layout { frame, x: x.clone(), y, x_ticks: Vec::new(), x_upright, y_ticks };
        layout.x_ticks = match upright {
            Some((characters, _)) => layout.upright_x_ticks(data, characters),
            None => layout.fitting_x_ticks(data, view.width),
        };
        Some(layout)
    }

    fn upright_x_ticks(&self, data: &Data, characters: usize) -> Vec<Tick> {
        let most = (self.frame.width / UPRIGHT_LABEL_WIDTH).max(1.0) as usize;
        let ticks = self.x.ticks(most, data.spec.x.format);
        ticks.into_iter().map(|tick| tick.short(characters)).collect()
    }

    fn fitting_x_ticks(&self, data: &Data, width: f64) -> Vec<Tick> {
        let format = data.spec.x.format;
        let of_width = |each: f64| self.x.ticks((self.frame.width / each).max(1.0) as usize, format);
        let each = match &self.x {
            Scale::Time { .. } => {
                let short = of_width(SHORT_TIME_LABEL_WIDTH);
                let are_short = widest(short.iter().map(|tick| &tick.label)) <= SHORT_TIME_CHARACTERS;
                if are_short { SHORT_TIME_LABEL_WIDTH } else { TIME_LABEL_WIDTH }
            }
            Scale::Band { labels } => {
                widest(labels.iter()).clamp(1, CATEGORY_CHARACTERS) as f64 * CHARACTER_WIDTH + 12.0
            }
            _ => NUMBER_LABEL_WIDTH,
        };
        let ticks = of_width(each);
        let stays = |tick: &Tick| {
            let (center, half) = (self.x_pixel(tick.at), tick.label.chars().count() as f64 * CHARACTER_WIDTH / 2.0);
            center - half >= 0.0 && center + half <= width
        };
        ticks.into_iter().map(|tick| tick.short(CATEGORY_CHARACTERS)).filter(stays).collect()
    }

    /// Where an x lies, inside the frame.
    pub fn x_pixel(&self, x: f64) -> f64 {
        self.frame.left + inside(self.x.share(x)) * self.frame.width
    }

    /// Where a value lies, inside the frame. The first category stands at the top, as in a table.
    pub fn y_pixel(&self, y: f64) -> f64 {
        let share = inside(self.y.share(y));
        let down = if matches!(self.y, Scale::Band { .. }) { share } else { 1.0 - share };
        self.frame.top + down * self.frame.height
    }

    /// The x at a pixel, inside the frame.
    pub fn x_at(&self, pixel: f64) -> f64 {
        self.x.value(((pixel - self.frame.left) / self.frame.width).clamp(0.0, 1.0))
    }

    /// The value at a pixel, inside the frame.
    pub fn y_at(&self, pixel: f64) -> f64 {
        let down = ((pixel - self.frame.top) / self.frame.height).clamp(0.0, 1.0);
        self.y.value(if matches!(self.y, Scale::Band { .. }) { down } else { 1.0 - down })
    }

    /// Whether an x is in the stretch that is shown.
    pub fn shows_x(&self, x: f64) -> bool {
        (0.0..=1.0).contains(&self.x.share(x))
    }
}

/// What stands above the frame: what the colours of a heat map mean, and below that the words of notes.
fn above(data: &Data, view: &View, x: &Scale) -> f64 {
    let noted = matches!(x, Scale::Time { .. }) && !view.notes.is_empty();
    let key = if data.spec.mark == Mark::HeatMap { cells::KEY_HEIGHT } else { 0.0 };
    key + if noted { notes::STRIP } else { 0.0 }
}

/// What has no place stands at the low end; marks leave it out before.
fn inside(share: f64) -> f64 {
    if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
}

impl Tick {
    fn short(mut self, most: usize) -> Tick {
        self.label = shortened(self.label, most);
        self
    }
}

/// A name of so many characters at most.
pub(super) fn shortened(name: String, most: usize) -> String {
    if name.chars().count() > most { name.chars().take(most - 1).chain(['…']).collect() } else { name }
}

/// Characters of the longest label.
fn widest<'a>(labels: impl Iterator<Item = &'a String>) -> usize {
    labels.map(|label| label.chars().count()).max().unwrap_or(0)
}

fn x_scale(data: &Data, view: &View) -> Option<Scale> {
    let (first, last) = data.x.bounds?;
    let bars = matches!(data.spec.mark, Mark::Bar | Mark::StackedBar | Mark::Candlestick);
    Some(match data.x.kind {
        PlaceKind::Category => Scale::Band { labels: data.x.labels.to_vec() },
        PlaceKind::Time => {
            let grain = if data.spec.x.format == ValueFormat::Second { SECOND_MICROS } else { DAY_MICROS } as f64;
            // Bars need half a step on both sides.
            let room = if bars { step(data) * 0.6 } else { 0.0 };
            let last = if data.spec.mark == Mark::Plane { beyond(first, last) } else { last + cell_width(data) };
            let (from, to) = view.x.unwrap_or((first - room, last + room));
            Scale::time(from, to, grain)
        }
        PlaceKind::Number => {
            let room = if bars { step(data) * 0.6 } else { 0.0 };
            let first = if data.spec.x.scale == ScaleKind::Log { least_positive(data).unwrap_or(first) } else { first };
            let (low, high) = view.x.unwrap_or((first - room, last + cell_width(data) + room));
            number_scale(data.spec.x.scale, low, high)
        }
    })
}

/// What is open on a plane has some room behind the last time that is known.
fn beyond(first: f64, last: f64) -> f64 {
    last + ((last - first) * OPEN_SHARE).max(DAY_MICROS as f64 / 24.0)
}

fn number_scale(kind: ScaleKind, low: f64, high: f64) -> Scale {
    if kind == ScaleKind::Log { Scale::log(low, high) } else { Scale::linear(low, high) }
}

/// The least x that has a place on an axis of ratios.
fn least_positive(data: &Data) -> Option<f64> {
    data.distinct_xs().into_iter().find(|x| *x > 0.0)
}

/// How wide a cell of a heat map is that does not say where it ends: it reaches to where the next may begin.
pub(super) fn cell_width(data: &Data) -> f64 {
    let reaches = data.spec.mark == Mark::HeatMap && data.spec.x.end.is_none();
    if reaches && data.x.kind != PlaceKind::Category { step(data) } else { 0.0 }
}

/// The least distance between neighbouring bars, or cells.
pub(super) fn step(data: &Data) -> f64 {
    let xs = data.distinct_xs();
    let least = xs.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    match least.is_finite() {
        true => least,
        false if data.x_is_time() => DAY_MICROS as f64,
        false => 1.0,
    }
}

fn y_axis(data: &Data, view: &View, x: &Scale, height: f64) -> Option<(Scale, Vec<Tick>)> {
    let channel = data.spec.y.first()?;
    let first = data.y.first()?;
    let most = (height / VALUE_LABEL_HEIGHT).max(2.0) as usize;
    match first.kind {
        PlaceKind::Category => {
            let scale = Scale::Band { labels: first.labels.to_vec() };
            let ticks = scale.ticks((height / CATEGORY_LABEL_HEIGHT).max(1.0) as usize, channel.format);
            Some((scale, ticks.into_iter().map(|tick| tick.short(CATEGORY_CHARACTERS)).collect()))
        }
        PlaceKind::Time => {
            let (from, to) = first.bounds?;
            let end = if data.spec.mark == Mark::Plane { beyond(from, to) } else { to };
            let scale = Scale::time(from, end, DAY_MICROS as f64);
            let mut ticks = scale.ticks((height / INSTANT_LABEL_HEIGHT).max(2.0) as usize, channel.format);
            // What is open is drawn beyond all that is known, where there are no instants to name yet.
            ticks.retain(|tick| tick.at <= to);
            Some((scale, ticks))
        }
        PlaceKind::Number => {
            let (low, high) = values_in_view(data, view, x)?;
            if channel.scale == ScaleKind::Log {
                let scale = Scale::log(low, high);
                let ticks = scale.ticks(most, channel.format);
                return Some((scale, ticks));
            }
            let (low, high) = if data.spec.from_zero() { (low.min(0.0), high.max(0.0)) } else { (low, high) };
            let ticks = ticks::value_ticks(low, high, most, channel.format);
            // Amounts are written above or below the steps.
            let waterfall = data.spec.mark == Mark::Waterfall;
            let room = if waterfall { (high - low) * (AMOUNT_HEIGHT / height).min(AMOUNT_SHARE) } else { 0.0 };
            let (low, high) = (if low < 0.0 { low - room } else { low }, if high > 0.0 { high + room } else { high });
            let scale = Scale::linear(ticks.first()?.at.min(low), ticks.last()?.at.max(high));
            Some((scale, ticks))
        }
    }
}

/// Whether what begins there, and ends there if it does, lies in the range of a scale, or some of it.
pub(super) fn meets(scale: &Scale, from: f64, to: Option<f64>) -> bool {
    let (a, b) = (scale.share(from), scale.share(to.unwrap_or(from)));
    a.min(b) <= 1.0 && a.max(b) >= 0.0
}

/// Least and greatest value of what is shown.
fn values_in_view(data: &Data, view: &View, x: &Scale) -> Option<(f64, f64)> {
    let log = data.spec.y.first().is_some_and(|channel| channel.scale == ScaleKind::Log);
    let all = data.y.iter().filter_map(|places| places.bounds).reduce(both);
    let own = own_values_in_view(data, view, x);
    let earlier = data.earlier.as_ref().and_then(|earlier| earlier.values_in_view(view, x, own_values_in_view));
    let found = own.into_iter().chain(earlier).reduce(both);
    found.or(all.filter(|_| !log)).or(Some((1.0, 10.0)))
}

fn both(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}

fn own_values_in_view(data: &Data, view: &View, x: &Scale) -> Option<(f64, f64)> {
    let log = data.spec.y.first().is_some_and(|channel| channel.scale == ScaleKind::Log);
    let all = || data.y.iter().filter_map(|places| places.bounds).reduce(both);
    if let Mark::StackedArea | Mark::StackedBar | Mark::Waterfall = data.spec.mark {
        return stack::bounds(data, view).or_else(all);
    }
    if let Some(named) = named_values(data, view).filter(|_| !log) {
        return Some(named);
    }
    if view.x.is_none() && view.hidden.is_empty() && !log {
        return all();
    }
    let have_ends = std::iter::once(&data.spec.x).chain(&data.spec.y).any(|channel| channel.end.is_some());
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    data.visit(&mut |spot| {
        let ends = have_ends.then(|| (data.x_of(spot.row).1, data.y_of(spot.series, spot.row).1));
        let (x_end, y_end) = ends.unwrap_or_default();
        if view.shows(spot.series) && meets(x, spot.x, x_end) {
            for y in [Some(spot.y), y_end].into_iter().flatten().filter(|y| y.is_finite() && (!log || *y > 0.0)) {
                (low, high) = (low.min(y), high.max(y));
            }
        }
    });
    (low <= high).then_some((low, high))
}

/// How many times what has a name the bar of the others may reach before it is cut off.
const OTHERS_TIMES: f64 = 2.0;

/// Least and greatest value of the bars that have names, where the bar of the others would flatten all of them.
fn named_values(data: &Data, view: &View) -> Option<(f64, f64)> {
    if data.spec.mark != Mark::Bar || data.x.kind != PlaceKind::Category {
        return None;
    }
    let (mut named, mut others) = (None, 0.0_f64);
    data.visit(&mut |spot| {
        if !view.shows(spot.series) || !spot.y.is_finite() {
            return;
        }
        match data.table.others(spot.row) {
            Some(_) => others = others.max(spot.y),
            None => named = Some(named.map_or((spot.y, spot.y), |named| both(named, (spot.y, spot.y)))),
        }
    });
    // Among amounts of both signs none is small for another one's sake.
    named.filter(|(low, high)| *low >= 0.0 && *high > 0.0 && others > high * OTHERS_TIMES)
}
