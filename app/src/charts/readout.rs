//! What stands under the pointer or the keyboard's cursor, read from the rows themselves: every digit, whatever was drawn.

use std::sync::OnceLock;

use super::{Data, Layout, Mark, Scene, View};
use crate::{format::number, order};

/// Values more than that many pixels from the cursor are not read out.
const REACH: f64 = 24.0;
/// Series that are read out at most; the rest is counted.
const LISTED: usize = 12;

/// What is read out at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Readout {
    /// What stands on the x axis.
    pub at: String,
    /// The values, those drawn last first.
    pub entries: Vec<Entry>,
    /// Series with values there that are not listed.
    pub more: usize,
    /// Where in the frame, in CSS pixels.
    pub x: f64,
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
            data.visit(|spot| {
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
        let pixel = layout.x_pixel(x);
        let several = data.series.len() > 1;
        let mut head = None;
        let mut entries = Vec::new();
        for (series, rows) in self.rows(data).iter().enumerate().rev().filter(|(series, _)| view.shows(*series)) {
            let Some((at, row)) = nearest(rows, x) else { continue };
            if (layout.x_pixel(at) - pixel).abs() > REACH {
                continue;
            }
            let row = row as usize;
            if at == x && head.is_none() {
                head = Some(data.x_text(row));
            }
            // A value beside the cursor says where it stands.
            let text = data.value_text(series, row);
            let text = if at == x { text } else { format!("{text} ({})", data.x_text(row)) };
            let name = if several { data.series[series].name.clone() } else { String::new() };
            let y = layout.y_pixel(data.y_of(series, row).0);
            entries.push(Entry { name, color: data.series[series].color, text, row, y, series });
        }
        let more = entries.len().saturating_sub(LISTED);
        entries.truncate(LISTED);
        Some(Readout { at: head?, entries, more, x: pixel })
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
pub fn of_target(data: &Data, scene: &Scene, index: usize) -> Option<Readout> {
    let target = scene.targets.get(index)?;
    let [left, top, width, _] = target.area;
    let row = target.row;
    let entry = |name: &str, series: usize| Entry {
        name: name.to_owned(),
        color: data.series.get(target.series).map_or(0, |series| series.color),
        text: data.value_text(series, row),
        row,
        y: top,
        series: target.series,
    };
    let entries = match data.spec.mark {
        Mark::Candlestick => {
            ["open", "high", "low", "close"].iter().enumerate().map(|(series, name)| entry(name, series)).collect()
        }
        Mark::HeatMap | Mark::Plane => {
            let mut entry = entry(data.spec.y.first().map_or("", |channel| channel.name()), 0);
            if let Some(end) = data.spec.y.first().and_then(|channel| channel.end.as_deref()) {
                let end = data.table.column(end).ok().zip(data.spec.y.first());
                let end = end.map(|(column, channel)| channel.cell_text(column, row)).unwrap_or_default();
                entry.text = format!("{} – {end}", entry.text);
            }
            let name = data.spec.color.as_ref().map_or("", |channel| channel.name()).to_owned();
            let value = Entry { name, text: data.color_text(row).unwrap_or_default(), ..entry.clone() };
            vec![value, entry]
        }
        _ if data.series.len() > 1 => vec![entry(&data.series[target.series].name.clone(), target.series)],
        _ => vec![entry("", target.series)],
    };
    Some(Readout { at: data.x_text(row), entries, more: 0, x: left + width / 2.0 })
}

impl Readout {
    /// In one line: what stands there, then each value.
    pub fn text(&self) -> String {
        let value = |entry: &Entry| match entry.name.as_str() {
            "" => entry.text.clone(),
            name => format!("{name} {}", entry.text),
        };
        let more = (self.more > 0).then(|| format!("and {} more", number::count_text(self.more as u64)));
        let parts = std::iter::once(self.at.clone()).chain(self.entries.iter().map(value)).chain(more);
        parts.collect::<Vec<_>>().join(" · ")
    }
}

/// The chart in a sentence or two, for those who do not see it.
pub fn summary(data: &Data) -> String {
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
    if data.series.len() > LISTED {
        text.push_str(&format!(" And {} more series.", number::count_text((data.series.len() - LISTED) as u64)));
    }
    text
}
