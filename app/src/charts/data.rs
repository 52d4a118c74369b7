//! An answer bound to a chart: which rows belong to which series, what the axes span, where a value is. Worked out once for
//! an answer; drawing it at another size or over another stretch only reads from here.

use std::{collections::HashMap, sync::Arc};

use super::{
    ChartSpec, Mark, ScaleKind, ValueFormat,
    earlier::Earlier,
    seen::{Seen, Span},
    spec::Channel,
};
use crate::{
    arrow::{Column, Table},
    order,
};

/// Series that have a colour of their own; those behind them share the colour of 'others'.
pub const COLORED_SERIES: usize = 8;
/// Series at most. An answer with more is refused with advice.
const SERIES_LIMIT: usize = 10_000;
/// Categories at most on one axis.
const CATEGORY_LIMIT: usize = 10_000;

/// An answer as a chart sees it.
#[derive(Debug, Clone)]
pub struct Data {
    /// What is shown.
    pub spec: Arc<ChartSpec>,
    /// The rows.
    pub table: Arc<Table>,
    /// The series, lowest first.
    pub series: Vec<SeriesInfo>,
    pub(super) x: Places,
    pub(super) y: Vec<Places>,
    /// The series of each row, where a column tells series apart.
    series_of_row: Option<Vec<u32>>,
    /// The rows of an earlier period, which it is compared with.
    pub(super) earlier: Option<Arc<Earlier>>,
}

/// What is known of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesInfo {
    /// The value of the column that tells series apart, or the column of its values.
    pub value: String,
    /// In the user's words.
    pub name: String,
    /// Which token colours it: 1 is `--series-1`; 0 is `--series-others`.
    pub color: usize,
    /// Whether its line is thin and dashed.
    pub dashed: bool,
    /// Rows that have a place.
    pub points: usize,
    /// The rows with its first and last x.
    pub ends: Option<(usize, usize)>,
    /// The rows with its least and greatest value.
    pub extremes: Option<(usize, usize)>,
    /// Whether its rows come in order of x.
    pub sorted: bool,
}

/// Where the values of a channel lie, before they are scaled: numbers, microseconds or indices of categories.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) kind: PlaceKind,
    column: usize,
    end: Option<usize>,
    /// Names of the categories, in order.
    pub(super) labels: Arc<Vec<String>>,
    /// The category of each row; [`NO_CATEGORY`] for null.
    category_of_row: Arc<Vec<u32>>,
    /// The least and the greatest of all; of bins the ends too.
    pub(super) bounds: Option<(f64, f64)>,
}

/// What an axis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceKind {
    Number,
    Time,
    Category,
}

const NO_CATEGORY: u32 = u32::MAX;

/// One row of a series with its places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// The series it belongs to.
    pub series: usize,
    /// The row of the answer.
    pub row: usize,
    /// A number, microseconds, or the index of a category.
    pub x: f64,
    /// NaN where the value is null.
    pub y: f64,
}

/// Rows of one series, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    /// The series they belong to.
    pub(super) series: usize,
    /// The row of the answer that is the first of them.
    pub(super) first_row: usize,
    /// Their places along x; NaN where a row has none.
    pub(super) xs: &'a [f64],
    /// Their values; NaN for null.
    pub(super) ys: &'a [f64],
    /// Whether every row has an x, none before the one before it.
    pub(super) sorted: bool,
}

impl Data {
    /// Binds an answer. Fails with a sentence where a column is missing or of a type that cannot be drawn so.
    pub fn new(spec: Arc<ChartSpec>, table: Arc<Table>) -> Result<Data, String> {
        if spec.y.is_empty() {
            return Err(format!("the chart '{}' names no column to draw", spec.title));
        }
        let x = Places::bind(&table, &spec.x, spec.mark)?;
        let y =
            spec.y.iter().map(|channel| Places::bind_value(&table, channel, spec.mark)).collect::<Result<_, _>>()?;
        let (series, series_of_row) = series_of(&spec, &table)?;
        let mut data = Data { spec, table, series, x, y, series_of_row, earlier: None };
        data.measure();
        Ok(data)
    }

    /// Whether no row has a place.
    pub fn is_empty(&self) -> bool {
        self.x.bounds.is_none()
            || self.series.iter().all(|series| series.points == 0)
            || (self.spec.mark == Mark::HeatMap && !self.has_colors())
    }

    /// Whether any row has a value that a colour can say.
    fn has_colors(&self) -> bool {
        let cells = self.spec.color.as_ref().and_then(|channel| self.table.column(&channel.column).ok());
        cells.is_some_and(|cells| (0..self.table.rows()).any(|row| cells.number(row).is_some_and(f64::is_finite)))
    }

    /// First and last x and least and greatest value, over all series.
    fn measure(&mut self) {
        let mut x = Span::default();
        let mut y: Vec<Span> = vec![Span::default(); self.y.len()];
        let mut seen: Vec<Seen> = vec![Seen::default(); self.series.len()];
        let in_runs = self.visit_runs(&mut |run| {
            let mut here = Seen::default();
            let span = here.take_run(&run);
            x.take(span.low);
            x.take(span.high);
            y[run.series].take(here.low.0);
            y[run.series].take(here.high.0);
            // High, low and close of a candlestick belong to the series of its open.
            if let Some(seen) = seen.get_mut(run.series) {
                seen.append(&here);
            }
        });
        if !in_runs {
            self.visit(&mut |spot| {
                x.take(spot.x);
                if spot.y.is_finite() {
                    y[0].take(spot.y);
                    seen[spot.series].take(&spot);
                }
            });
        }
        self.x.take_ends(&self.table, &mut x);
        for (places, span) in self.y.iter().zip(&mut y) {
            places.take_ends(&self.table, span);
        }
        self.x.bounds = x.bounds().or(self.x.category_bounds());
        for (places, span) in self.y.iter_mut().zip(y) {
            places.bounds = span.bounds().or(places.category_bounds());
        }
        for (series, seen) in self.series.iter_mut().zip(seen) {
            seen.into_info(series);
        }
    }

    /// Goes through all rows batch by batch, where each column is a series: loops over what lies side by side are several times
    /// as quick as a call for each row. False, and none is met, where a column tells series apart.
    pub(super) fn visit_runs(&self, each: &mut dyn FnMut(Run<'_>)) -> bool {
        if self.series_of_row.is_some() {
            return false;
        }
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for batch in 0..self.table.batches() {
            let first_row = self.table.batch_start(batch);
            self.x.read(&self.table, batch, &mut xs);
            let sorted = columns::rises(&xs);
            for (series, places) in self.y.iter().enumerate() {
                places.read(&self.table, batch, &mut ys);
                each(Run { series, first_row, xs: &xs, ys: &ys, sorted });
            }
        }
        true
    }

    /// Every x, each once, in order.
    pub fn distinct_xs(&self) -> Vec<f64> {
        let mut xs = Vec::new();
        self.visit(&mut |spot| xs.push(spot.x));
        order::distinct(&xs)
    }

    /// Goes through all rows that have an x, batch by batch. A row is met once for each series it belongs to.
    pub fn visit(&self, each: &mut dyn FnMut(Spot)) {
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for batch in 0..self.table.batches() {
            let start = self.table.batch_start(batch);
            self.x.read(&self.table, batch, &mut xs);
            for (channel, places) in self.y.iter().enumerate() {
                places.read(&self.table, batch, &mut ys);
                match &self.series_of_row {
                    Some(_) if channel > 0 => break,
                    Some(series) => {
                        for ((at, x), y) in xs.iter().enumerate().zip(&ys) {
                            let series = series[start + at];
                            if x.is_finite() && series != NO_CATEGORY {
                                each(Spot { series: series as usize, row: start + at, x: *x, y: *y });
                            }
                        }
                    }
                    None => {
                        for ((at, x), y) in xs.iter().enumerate().zip(&ys) {
                            if x.is_finite() {
                                each(Spot { series: channel, row: start + at, x: *x, y: *y });
                            }
                        }
                    }
                }
            }
        }
    }

    /// The last x of a series and the first row there, where that is told without looking through all rows.
    pub(super) fn end_of(&self, series: usize) -> Option<(f64, usize)> {
        let info = self.series.get(series).filter(|info| info.sorted && self.series_of_row.is_none())?;
        let (_, mut row) = info.ends?;
        let (x, _) = self.x_of(row);
        while let Some(before) = row.checked_sub(1).filter(|before| self.x_of(*before).0 == x) {
            if !self.y_of(series, before).0.is_finite() {
                break;
            }
            row = before;
        }
        Some((x, row))
    }

    /// The place of a row on the x axis, and where it ends if it does.
    pub(super) fn x_of(&self, row: usize) -> (f64, Option<f64>) {
        self.x.of(&self.table, row)
    }

    /// The place of a row's value of a series.
    pub(super) fn y_of(&self, series: usize, row: usize) -> (f64, Option<f64>) {
        self.places_of(series).of(&self.table, row)
    }

    fn places_of(&self, series: usize) -> &Places {
        &self.y[if self.series_of_row.is_some() { 0 } else { series.min(self.y.len() - 1) }]
    }

    /// The channel that a series takes its values from.
    pub fn channel_of(&self, series: usize) -> &Channel {
        &self.spec.y[if self.series_of_row.is_some() { 0 } else { series.min(self.spec.y.len() - 1) }]
    }

    /// The value of a row as it is written, every digit; a dash for null.
    pub fn value_text(&self, series: usize, row: usize) -> String {
        let channel = self.channel_of(series);
        self.table.column(&channel.column).map_or_else(|_| String::new(), |column| channel.cell_text(column, row))
    }

    /// What stands on the x axis for a row, as it is written.
    pub fn x_text(&self, row: usize) -> String {
        self.spec.x.range_text(&self.table, row)
    }

    /// The value of the colour channel for a row, as it is written.
    pub fn color_text(&self, row: usize) -> Option<String> {
        let channel = self.spec.color.as_ref()?;
        self.table.column(&channel.column).ok().map(|column| channel.cell_text(column, row))
    }

    /// The first and the last x: microseconds of times, else numbers or indices of categories.
    pub fn x_bounds(&self) -> Option<(f64, f64)> {
        self.x.bounds
    }

    /// Whether the x axis is one of time.
    pub fn x_is_time(&self) -> bool {
        self.x.kind == PlaceKind::Time
    }
}

impl Channel {
    /// A row's cell of this channel as it is written. What stands for several categories says for how many.
    pub fn text_of(&self, table: &Table, row: usize) -> String {
        let Ok(column) = table.column(&self.column) else { return String::new() };
        match table.others(row).filter(|_| column.plain_text(row).is_none()) {
            Some(others) => format!("{} others", crate::format::number::count_text(others)),
            None => self.cell_text(column, row),
        }
    }

    /// What a row says of it where it has an end: from when until when, or since when.
    pub fn range_text(&self, table: &Table, row: usize) -> String {
        let first = self.text_of(table, row);
        match self.end.as_ref().and_then(|end| table.column(end).ok()) {
            Some(end) if end.plain_text(row).is_none() => format!("since {first}"),
            Some(end) => format!("{first} – {}", self.cell_text(end, row)),
            None => first,
        }
    }

    /// A cell of this channel's column as it is written; a dash for null.
    pub fn cell_text(&self, column: &Column, row: usize) -> String {
        let text = match self.format {
            ValueFormat::Day | ValueFormat::Second => {
                column.instant_micros(row).map(|micros| self.format.time_text(micros))
            }
            ValueFormat::Plain if column.is_time() => {
                column.instant_micros(row).map(|micros| self.format.time_text(micros))
            }
            _ => column.value(row).and_then(|value| self.format.value_text(value)),
        };
        text.unwrap_or_else(|| column.display_or_dash(row))
    }
}

/// Names, colours and the series of each row.
fn series_of(spec: &ChartSpec, table: &Table) -> Result<(Vec<SeriesInfo>, Option<Vec<u32>>), String> {
    let Some(by) = &spec.by else {
        let count = if spec.mark == Mark::Candlestick { 1 } else { spec.y.len() };
        let of = |(index, channel): (usize, &Channel)| SeriesInfo::new(spec, &channel.column, channel.name(), index);
        return Ok((spec.y[..count].iter().enumerate().map(of).collect(), None));
    };
    let column = table.column(by)?;
    let mut places: HashMap<String, u32> = HashMap::new();
    let mut names: Vec<String> = Vec::new();
    for style in &spec.styles {
        places.insert(style.value.clone(), names.len() as u32);
        names.push(style.value.clone());
    }
    let mut of_row = Vec::with_capacity(table.rows());
    for row in 0..table.rows() {
        let place = match column.text(row) {
            Some(text) => place_of(text, &mut places, &mut names),
            None => place_of(&Channel::of(by).text_of(table, row), &mut places, &mut names),
        };
        of_row.push(place);
        if names.len() > SERIES_LIMIT {
            return Err(format!(
                "'{by}' has more than {SERIES_LIMIT} values; show the top ones, or choose another column"
            ));
        }
    }
    let info = |(index, name): (usize, &String)| SeriesInfo::new(spec, name, name, index);
    Ok((names.iter().enumerate().map(info).collect(), Some(of_row)))
}

fn place_of(text: &str, places: &mut HashMap<String, u32>, names: &mut Vec<String>) -> u32 {
    if let Some(place) = places.get(text) {
        return *place;
    }
    let place = names.len() as u32;
    places.insert(text.to_owned(), place);
    names.push(text.to_owned());
    place
}

impl SeriesInfo {
    fn new(spec: &ChartSpec, value: &str, name: &str, index: usize) -> SeriesInfo {
        let automatic = if index < COLORED_SERIES { index + 1 } else { 0 };
        let style = spec.style(value);
        SeriesInfo {
            value: value.to_owned(),
            name: style.map_or_else(|| name.to_owned(), |style| style.name.clone()),
            color: style.map_or(automatic, |style| style.color),
            dashed: style.is_some_and(|style| style.dashed),
            points: 0,
            ends: None,
            extremes: None,
            sorted: true,
        }
    }
}

impl Places {
    /// A channel along the x axis.
    fn bind(table: &Table, channel: &Channel, mark: Mark) -> Result<Places, String> {
        let place = table.names().iter().position(|name| *name == channel.column);
        let place = place.ok_or_else(|| format!("the answer has no column '{}'", channel.column))?;
        let column = table.column(&channel.column)?;
        let banded = matches!(mark, Mark::Waterfall) || channel.scale == ScaleKind::Category;
        let kind = match () {
            () if banded => PlaceKind::Category,
            () if column.is_time() => PlaceKind::Time,
            () if column.is_number() => PlaceKind::Number,
            () if column.is_untyped() => PlaceKind::Number,
            () => PlaceKind::Category,
        };
        let end = channel.end.as_ref().map(|end| {
            let place = table.names().iter().position(|name| name == end);
            place.ok_or_else(|| format!("the answer has no column '{end}'"))
        });
        let mut places = Places {
            kind,
            column: place,
            end: end.transpose()?,
            labels: Arc::default(),
            category_of_row: Arc::default(),
            bounds: None,
        };
        if kind == PlaceKind::Category {
            places.categorise(table, column, channel)?;
        }
        Ok(places)
    }

    /// A channel along the value axis, which is of numbers except where cells and rectangles are drawn.
    fn bind_value(table: &Table, channel: &Channel, mark: Mark) -> Result<Places, String> {
        let places = Places::bind(table, channel, Mark::Line)?;
        if places.kind == PlaceKind::Number || matches!(mark, Mark::HeatMap | Mark::Plane) {
            return Ok(places);
        }
        Err(format!("column '{}' holds no numbers, so it cannot be drawn as a value", channel.column))
    }

    fn categorise(&mut self, table: &Table, column: &Column, channel: &Channel) -> Result<(), String> {
        let rows = table.rows();
        let (mut places, mut labels) = (HashMap::new(), Vec::new());
        let mut of_row = Vec::with_capacity(rows);
        for row in 0..rows {
            of_row.push(match column.text(row) {
                Some(text) => place_of(text, &mut places, &mut labels),
                None => place_of(&channel.text_of(table, row), &mut places, &mut labels),
            });
            if labels.len() > CATEGORY_LIMIT {
                let name = channel.name();
                return Err(format!(
                    "'{name}' has more than {CATEGORY_LIMIT} values; show the top ones, or choose another column"
                ));
            }
        }
        (self.labels, self.category_of_row) = (Arc::new(labels), Arc::new(of_row));
        Ok(())
    }

    /// Categories take the places that they have among these names; those that are not among them have none.
    pub(super) fn name_as(&mut self, labels: &Arc<Vec<String>>) {
        if self.kind != PlaceKind::Category {
            return;
        }
        let place = |label: &String| labels.iter().position(|known| known == label).map_or(NO_CATEGORY, |at| at as u32);
        let places: Vec<u32> = self.labels.iter().map(place).collect();
        let renamed = |old: &u32| places.get(*old as usize).copied().unwrap_or(NO_CATEGORY);
        self.category_of_row = Arc::new(self.category_of_row.iter().map(renamed).collect());
        self.labels = labels.clone();
    }

    fn read(&self, table: &Table, batch: usize, into: &mut Vec<f64>) {
        let Some(column) = table.column_at(self.column) else { return into.clear() };
        match self.kind {
            PlaceKind::Number => column.numbers_into(batch, into),
            PlaceKind::Time => column.micros_into(batch, into),
            PlaceKind::Category => {
                let (from, to) = (table.batch_start(batch), table.batch_start(batch + 1));
                into.clear();
                into.extend(self.category_of_row[from..to].iter().map(|place| place_of_category(*place)));
            }
        }
    }

    fn of(&self, table: &Table, row: usize) -> (f64, Option<f64>) {
        let value = |column: usize| {
            let column = table.column_at(column)?;
            match self.kind {
                PlaceKind::Number => column.number(row),
                PlaceKind::Time => column.instant_micros(row).map(|micros| micros as f64),
                PlaceKind::Category => None,
            }
        };
        match self.kind {
            PlaceKind::Category => {
                (self.category_of_row.get(row).map_or(f64::NAN, |place| place_of_category(*place)), None)
            }
            _ => (value(self.column).unwrap_or(f64::NAN), self.end.and_then(value)),
        }
    }

    fn take_ends(&self, table: &Table, span: &mut Span) {
        if self.end.is_some() {
            (0..table.rows()).filter_map(|row| self.of(table, row).1).for_each(|end| span.take(end));
        }
    }

    fn category_bounds(&self) -> Option<(f64, f64)> {
        let last = self.labels.len().checked_sub(1)?;
        Some((0.0, last as f64))
    }
}

fn place_of_category(place: u32) -> f64 {
    if place == NO_CATEGORY { f64::NAN } else { f64::from(place) }
}
