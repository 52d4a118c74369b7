//! What stands under the pointer or the keyboard's cursor, read from the rows themselves: every digit, whatever was drawn.

use std::sync::OnceLock;

use super::{Data, Layout, Mark, Note, Scene, View, layout::shortened, notes};
use crate::{format::number, order};

/// Values more than that many pixels from the cursor are not read out.
pub(super) const REACH: f64 = 24.0;
/// Series that are read out at most; the rest is counted.
const LISTED: usize = 12;
/// Characters of a name that are read out.
const NAMED: usize = 24;
/// Hebrew, Arabic and their neighbours, as Unicode's blocks have them.
const RIGHT_TO_LEFT: std::ops::RangeInclusive<char> = '\u{590}'..='\u{8ff}';

/// What is read out at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Readout {
    /// What stands on the x axis.
    pub at: String,
    /// The values in the order of the legend; of what is stacked from the top down.
    pub entries: Vec<Entry>,
    /// Series with values there that are not listed.
    pub more: usize,
    /// What stood there in the earlier period that is compared with.
    pub earlier: Vec<Beside>,
    /// What is noted there.
    pub notes: Vec<String>,
    /// Where in the frame, in CSS pixels.
    pub x: f64,
    /// The cell or rectangle that is read out, which a line through it would strike out.
    pub area: Option<[f64; 4]>,
}

/// A value of an earlier period, and where it stood there.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// What stands on its own x axis.
    pub at: String,
    /// The value; its row is one of the earlier rows.
    pub entry: Entry,
}

/// A value that is read out.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The name of the series; empty where there is only one.
    pub name: String,
    /// Its colour.
    pub color: usize,
    /// The value.
    pub text: String,
    /// The row it stands in.
    pub row: usize,
    /// Where it lies, in CSS pixels.
    pub y: f64,
    /// Its series.
    pub series: usize,
}

/// Places that a cursor can step through, and the rows there.
#[derive(Debug, Default)]
pub struct Index {
    /// By series: x and row, in order of x.
    rows: OnceLock<Vec<Vec<(f64, u32)>>>,
    steps: OnceLock<Vec<f64>>,
}

impl Index {
    fn rows<'a>(&'a self, data: &Data) -> &'a [Vec<(f64, u32)>] {
        self.rows.get_or_init(|| {
            let mut rows: Vec<Vec<(f64, u32)>> = data.series.iter().map(|_| Vec::new()).collect();
            data.visit(&mut |spot| {
                if let Some(rows) = rows.get_mut(spot.series).filter(|_| spot.y.is_finite()) {
                    rows.push((spot.x, spot.row as u32));
                }
            });
            for rows in rows.iter_mut().filter(|rows| !rows.is_sorted_by(|a, b| a.0 <= b.0)) {
                let xs: Vec<f64> = rows.iter().map(|(x, _)| *x).collect();
                *rows = order::by_number(&xs).into_iter().map(|place| rows[place as usize]).collect();
            }
            rows
        })
    }

    /// All x at which some row is, in rising order.
    pub fn steps<'a>(&'a self, data: &Data) -> &'a [f64] {
        self.steps.get_or_init(|| {
            let rows = self.rows(data);
            order::distinct(&rows.iter().flatten().map(|(x, _)| *x).collect::<Vec<f64>>())
        })
    }

    /// The x nearest to a pixel at which a shown series has a row.
    pub fn nearest(&self, data: &Data, view: &View, layout: &Layout, pixel: f64) -> Option<f64> {
        let at = layout.x_at(pixel);
        let near = |rows: &Vec<(f64, u32)>| nearest(rows, at).map(|(x, _)| x);
        let shown = self.rows(data).iter().enumerate().filter(|(series, _)| view.shows(*series));
        let shown = shown.filter_map(|(_, rows)| near(rows)).filter(|x| layout.shows_x(*x));
        shown.min_by(|a, b| (a - at).abs().total_cmp(&(b - at).abs()))
    }

    /// What stands at an x.
    pub fn at(&self, data: &Data, view: &View, layout: &Layout, x: f64) -> Option<Readout> {
        let rows = self.rows(data);
        let nearest = |series: usize| nearest(rows.get(series)?, x).map(|(at, row)| (at, row as usize));
        Index::read_out(data, view, layout, x, nearest)
    }

    /// What stands at the last x that is shown.
    pub fn at_end(&self, data: &Data, view: &View, layout: &Layout) -> Option<Readout> {
        let shown: Vec<usize> = (0..data.series.len()).filter(|series| view.shows(*series)).collect();
        let ends: Option<Vec<(f64, usize)>> = shown.iter().map(|series| data.end_of(*series)).collect();
        if let Some(ends) = ends.filter(|_| view.x.is_none()) {
            let last = ends.iter().map(|(x, _)| *x).reduce(f64::max)?;
            let of = |series: usize| shown.iter().position(|known| *known == series).map(|at| ends[at]);
            return Index::read_out(data, view, layout, last, of).map(Readout::brief);
        }
        let last = self.steps(data).iter().rev().find(|x| layout.shows_x(**x))?;
        self.at(data, view, layout, *last).map(Readout::brief)
    }

    /// The last x of a series that is not behind this one, and the row there.
    pub(super) fn row_until(&self, data: &Data, series: usize, x: f64) -> Option<(f64, usize)> {
        let rows = self.rows(data).get(series)?;
        let behind = rows.partition_point(|(at, _)| *at <= x);
        rows.get(behind.checked_sub(1)?).map(|(at, row)| (*at, *row as usize))
    }

    /// Writes what the rows of each series say, which are at or near an x.
    fn read_out(
        data: &Data,
        view: &View,
        layout: &Layout,
        x: f64,
        near: impl Fn(usize) -> Option<(f64, usize)>,
    ) -> Option<Readout> {
        let pixel = layout.x_pixel(x);
        let several = data.series.len() > 1;
        let mut head = None;
        let mut entries = Vec::new();
        let stacked = matches!(data.spec.mark, Mark::StackedArea | Mark::StackedBar);
        // How far stacks reach up, and down.
        let mut reached = [0.0; 2];
        for series in 0..data.series.len() {
            let Some((at, row)) = near(series).filter(|_| view.shows(series)) else { continue };
            if (layout.x_pixel(at) - pixel).abs() > REACH {
                continue;
            }
            if at == x && head.is_none() {
                head = Some(data.x_text(row));
            }
            // A value beside the cursor says where it stands.
            let text = data.value_text(series, row);
            let text = if at == x { text } else { format!("{text} ({})", data.x_text(row)) };
            let name = if several { data.series[series].name.clone() } else { String::new() };
            let mut y = data.y_of(series, row).0;
            if stacked && y.is_finite() {
                let reached = &mut reached[usize::from(y < 0.0)];
                *reached += y;
                y = *reached;
            }
            let y = layout.y_pixel(y);
            entries.push(Entry { name, color: data.series[series].color, text, row, y, series });
        }
        if stacked {
            entries.reverse();
        }
        if entries.len() == 1 {
            entries = all_of_row(data, entries.remove(0));
        }
        let more = entries.len().saturating_sub(LISTED);
        entries.truncate(LISTED);
        let earlier = data.earlier.as_ref().map(|earlier| earlier.beside(view, layout, x)).unwrap_or_default();
        let notes = notes::near(view, layout, pixel);
        Some(Readout { at: head?, entries, more, earlier, notes, x: pixel, area: None })
    }
}

fn nearest(rows: &[(f64, u32)], at: f64) -> Option<(f64, u32)> {
    let after = rows.partition_point(|(x, _)| *x < at);
    let candidates = [after.checked_sub(1).and_then(|before| rows.get(before)), rows.get(after)];
    let near = candidates.into_iter().flatten().min_by(|a, b| (a.0 - at).abs().total_cmp(&(b.0 - at).abs()))?;
    // Of several rows at one x the first.
    let first = rows.partition_point(|(x, _)| *x < near.0);
    rows.get(first).copied()
}

/// What one target of a scene says: bars, dots, cells, candles and rectangles are met one by one.
pub fn of_target(data: &Data, view: &View, scene: &Scene, index: usize) -> Option<Readout> {
    let target = scene.targets.get(index)?;
    let [left, top, width, _] = target.area;
    let row = target.row;
    let entry = |name: &str, series: usize| Entry {
        name: name.to_owned(),
        color: data.series.get(series).map_or(0, |series| series.color),
        text: data.value_text(series, row),
        row,
        y: top,
        series,
    };
    let name = if data.series.len() > 1 { &data.series[target.series].name } else { "" };
    let entries = all_of_row(data, entry(name, target.series));
    let earlier = data.earlier.as_ref().map(|earlier| {
        let beside = earlier.beside(view, &scene.layout, data.x_of(row).0);
        beside.into_iter().filter(|beside| beside.entry.series == target.series).collect()
    });
    let earlier = earlier.unwrap_or_default();
    let x = left + width / 2.0;
    let notes = notes::near(view, &scene.layout, x);
    let area = matches!(data.spec.mark, Mark::HeatMap | Mark::Plane).then_some(target.area);
    Some(Readout { at: data.x_text(row), entries, more: 0, earlier, notes, x, area })
}

/// What a row says beside one of its values: all four of a candle; of a cell what its colour says, and where it stands.
fn all_of_row(data: &Data, one: Entry) -> Vec<Entry> {
    match data.spec.mark {
        Mark::Candlestick => {
            let of = |(series, name): (usize, &str)| Entry {
                name: name.to_owned(),
                text: data.value_text(series, one.row),
                ..one.clone()
            };
            ["open", "high", "low", "close"].into_iter().enumerate().map(of).collect()
        }
        Mark::HeatMap | Mark::Plane => {
            let y = data.channel_of(0);
            let place = Entry { name: y.name().to_owned(), text: y.range_text(&data.table, one.row), ..one };
            let name = data.spec.color.as_ref().map_or("", |channel| channel.name()).to_owned();
            let value = Entry { name, text: data.color_text(place.row).unwrap_or_default(), ..place.clone() };
            vec![value, place]
        }
        _ => vec![one],
    }
}

impl Readout {
    /// What is said while nobody asks: of several series not what was before.
    fn brief(mut self) -> Readout {
        if self.entries.len() > 2 {
            self.earlier.clear();
        }
        self
    }

    /// In one line: what stands there, then each value.
    pub fn text(&self) -> String {
        let value = |entry: &Entry| match entry.name.as_str() {
            "" => entry.text.clone(),
            name => format!("{} {}", isolated(name), entry.text),
        };
        let more = (self.more > 0).then(|| format!("and {} more", number::count_text(self.more as u64)));
        let before = |beside: &Beside| {
            let value = value(&beside.entry);
            if beside.at == self.at { format!("before {value}") } else { format!("before {value} ({})", beside.at) }
        };
        let entries = self.entries.iter().map(value).chain(self.earlier.iter().map(before));
        let notes = self.notes.iter().map(|note| format!("● {note}"));
        let parts = std::iter::once(self.at.clone()).chain(entries).chain(more).chain(notes);
        parts.collect::<Vec<_>>().join(" · ")
    }
}

/// A name in a line of others: as short as in the legend, and in its own direction, so that its value stays beside it.
fn isolated(name: &str) -> String {
    let short = shortened(name.to_owned(), NAMED);
    if short.chars().any(|c| RIGHT_TO_LEFT.contains(&c)) { format!("\u{2068}{short}\u{2069}") } else { short }
}

/// The chart in a few sentences, for those who do not see it.
pub fn summary(data: &Data, notes: &[Note]) -> String {
    let spec = &data.spec;
    let unit = if spec.unit().is_empty() { String::new() } else { format!(" in {}", spec.unit()) };
    let mut text = format!("{}{unit}.", spec.title);
    if data.is_empty() {
        return text + " Nothing to show.";
    }
    for (index, series) in data.series.iter().enumerate().take(LISTED) {
        let (Some((first, last)), Some((low, high))) = (series.ends, series.extremes) else { continue };
        text.push_str(&format!(
            " {}: {} points from {} to {}, last {}, lowest {}, highest {}.",
            series.name,
            number::count_text(series.points as u64),
            data.x_text(first),
            data.x_text(last),
            data.value_text(index, last),
            data.value_text(index, low),
            data.value_text(index, high),
        ));
    }
    if let Some(earlier) = &data.earlier {
        text.push_str(" Compared with an earlier period.");
        for (index, series) in earlier.data.series.iter().enumerate().take(earlier.series.min(LISTED)) {
            let Some((_, last)) = series.ends else { continue };
            let (at, value) = (earlier.data.x_text(last), earlier.data.value_text(index, last));
            text.push_str(&format!(" {}: {value} on {at}.", series.name));
        }
    }
    if data.series.len() > LISTED {
        text.push_str(&format!(" And {} more series.", number::count_text((data.series.len() - LISTED) as u64)));
    }
    for note in notes.iter().take(LISTED).filter(|_| data.x_is_time()) {
        text.push_str(&format!(" Noted on {}: {}.", data.spec.x.format.time_text(note.at as i64), note.text));
    }
    text
}
