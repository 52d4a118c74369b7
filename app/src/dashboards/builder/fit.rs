//! Which pictures an answer can be drawn as, the likeliest first, from what its columns are there for.

use super::{OutputColumn, Role, ValueType};
use crate::{
    charts::{Channel, ChartSpec, Mark, ValueFormat},
    dashboards::PictureDefinition,
};

/// A kind of picture that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum PictureKind {
    Line,
    Area,
    StackedArea,
    Bar,
    StackedBar,
    HeatMap,
    Scatter,
    Histogram,
    Candlestick,
    Waterfall,
    Figure,
    Pivot,
    Table,
    Plane,
    Words,
}

impl PictureKind {
    /// What people call it.
    pub fn word(self) -> &'static str {
        match self {
            PictureKind::Line => "Line",
            PictureKind::Area => "Area",
            PictureKind::StackedArea => "Stacked areas",
            PictureKind::Bar => "Bars",
            PictureKind::StackedBar => "Stacked bars",
            PictureKind::HeatMap => "Heat map",
            PictureKind::Scatter => "Scatter",
            PictureKind::Histogram => "Histogram",
            PictureKind::Candlestick => "Candlesticks",
            PictureKind::Waterfall => "Waterfall",
            PictureKind::Figure => "Figure",
            PictureKind::Pivot => "Pivot table",
            PictureKind::Table => "Table",
            PictureKind::Plane => "Plane of both times",
            PictureKind::Words => "Words",
        }
    }

    /// That of a picture.
    pub fn of(picture: &PictureDefinition) -> PictureKind {
        match picture {
            PictureDefinition::Grid { .. } => PictureKind::Table,
            PictureDefinition::Kpi { .. } => PictureKind::Figure,
            PictureDefinition::Pivot { .. } => PictureKind::Pivot,
            PictureDefinition::Markdown { .. } => PictureKind::Words,
            PictureDefinition::Chart(chart) => match chart.mark {
                Mark::Line => PictureKind::Line,
                Mark::Area => PictureKind::Area,
                Mark::StackedArea => PictureKind::StackedArea,
                Mark::Bar => PictureKind::Bar,
                Mark::StackedBar => PictureKind::StackedBar,
                Mark::Histogram => PictureKind::Histogram,
                Mark::Scatter => PictureKind::Scatter,
                Mark::Candlestick => PictureKind::Candlestick,
                Mark::HeatMap => PictureKind::HeatMap,
                Mark::Waterfall => PictureKind::Waterfall,
                Mark::Plane => PictureKind::Plane,
            },
        }
    }
}

/// What can be made of an answer's columns.
struct Shape<'a> {
    columns: &'a [OutputColumn],
    time: Option<&'a OutputColumn>,
    latest: Option<&'a OutputColumn>,
    categories: Vec<&'a OutputColumn>,
    /// Those that are numbers.
    measures: Vec<&'a OutputColumn>,
    stretch: Option<(&'a OutputColumn, &'a OutputColumn)>,
    plain: bool,
}

/// All pictures that an answer with these columns can be drawn as, the likeliest first. Never empty: anything is a table.
pub fn pictures(title: &str, columns: &[OutputColumn]) -> Vec<PictureDefinition> {
    let of = |role: Role| columns.iter().filter(move |column| column.role == role);
    let is_measure = |column: &&OutputColumn| match column.role {
        Role::Measure { .. } | Role::Plain => column.value.is_number(),
        _ => false,
    };
    let mut stretches = of(Role::Stretch);
    let shape = Shape {
        columns,
        time: of(Role::Time).next(),
        latest: of(Role::Latest).next(),
        categories: of(Role::Category).collect(),
        measures: columns.iter().filter(is_measure).collect(),
        stretch: stretches.next().zip(stretches.next()),
        plain: columns.iter().any(|column| column.role == Role::Plain),
    };
    order(&shape).into_iter().filter_map(|kind| shape.picture(kind, title)).collect()
}

/// Kinds in the order in which they suit a shape. Those that cannot be drawn are in it too.
fn order(shape: &Shape<'_>) -> Vec<PictureKind> {
    use PictureKind as Kind;
    let counts = shape.measures.first().is_some_and(|column| column.role == (Role::Measure { counts: true }));
    let first: &[Kind] = match (shape.time, shape.categories.len(), shape.measures.len()) {
        _ if shape.stretch.is_some() => &[Kind::Histogram],
        _ if shape.latest.is_some() => &[Kind::Figure],
        _ if shape.plain => &[Kind::Table, Kind::Scatter],
        (Some(_), 0, 4) => &[Kind::Line, Kind::Candlestick],
        (Some(_), 0, _) if counts => &[Kind::Bar, Kind::Line],
        (Some(_), 1, 1) if counts => &[Kind::StackedBar, Kind::Line],
        (Some(_), 0 | 1, _) => &[Kind::Line],
        (None, 1, 2) => &[Kind::Scatter, Kind::Bar],
        (None, 1, _) => &[Kind::Bar],
        (None, 2, 1) => &[Kind::HeatMap, Kind::StackedBar],
        _ => &[Kind::Table],
    };
    let all = [
        Kind::Line,
        Kind::Bar,
        Kind::Area,
        Kind::StackedArea,
        Kind::StackedBar,
        Kind::HeatMap,
        Kind::Scatter,
        Kind::Figure,
        Kind::Waterfall,
        Kind::Candlestick,
        Kind::Pivot,
        Kind::Table,
    ];
    first.iter().copied().chain(all.into_iter().filter(|kind| !first.contains(kind))).collect()
}

impl Shape<'_> {
    fn picture(&self, kind: PictureKind, title: &str) -> Option<PictureDefinition> {
        let first = self.measures.first();
        let chart = |mark: Mark, x: Channel, y: Vec<Channel>, by: Option<&&OutputColumn>| {
            let mut spec = ChartSpec::new(title, mark, x, y);
            spec.by = by.map(|column| column.name.clone());
            Some(PictureDefinition::Chart(Box::new(spec)))
        };
        let all = || self.measures.iter().map(|column| channel(column)).collect::<Vec<_>>();
        // Series are told apart by a category or are the measures, not both.
        let series = |by: Option<&&OutputColumn>| match by {
            Some(_) => all().into_iter().take(1).collect(),
            None => all(),
        };
        match kind {
            PictureKind::Line | PictureKind::Area => {
                let by = self.categories.first();
                let mark = if kind == PictureKind::Line { Mark::Line } else { Mark::Area };
                first?;
                chart(mark, channel(self.time?), series(by), by)
            }
            PictureKind::StackedArea => {
                let by = self.categories.first()?;
                chart(Mark::StackedArea, channel(self.time?), vec![channel(first?)], Some(by))
            }
            PictureKind::Bar | PictureKind::StackedBar if !self.plain => {
                let (x, by) = match self.time {
                    Some(time) => (time, self.categories.first()),
                    None => (*self.categories.first()?, self.categories.get(1)),
                };
                first?;
                match kind {
                    PictureKind::Bar => chart(Mark::Bar, channel(x), series(by), by),
                    _ => chart(Mark::StackedBar, channel(x), vec![channel(first?)], Some(by?)),
                }
            }
            PictureKind::HeatMap => {
                let mut axes = self.time.into_iter().chain(self.categories.iter().copied());
                let (x, y) = (axes.next()?, axes.next()?);
                let mut spec = ChartSpec::new(title, Mark::HeatMap, channel(x), vec![channel(y)]);
                spec.color = Some(channel(first?));
                Some(PictureDefinition::Chart(Box::new(spec)))
            }
            PictureKind::Scatter => {
                let (x, y) = (first?, self.measures.get(1)?);
                chart(Mark::Scatter, channel(x), vec![channel(y)], None)
            }
            PictureKind::Histogram => {
                let (from, to) = self.stretch?;
                let x = channel(from).until(&to.name);
                chart(Mark::Histogram, x, vec![channel(first?)], None)
            }
            PictureKind::Candlestick => {
                let four = (self.measures.len() == 4 && self.categories.is_empty()).then(all)?;
                chart(Mark::Candlestick, channel(self.time?), four, None)
            }
            PictureKind::Waterfall => {
                let one = (self.categories.len() == 1 && self.time.is_none()).then(|| self.categories[0])?;
                chart(Mark::Waterfall, channel(one), vec![channel(first?)], None)
            }
            PictureKind::Figure => {
                let at = self.latest.or(self.time.filter(|_| self.categories.is_empty()))?;
                Some(PictureDefinition::Kpi { value: channel(first?), at: channel(at) })
            }
            PictureKind::Pivot => {
                let mut axes = self.categories.iter().copied().chain(self.time);
                let (rows, columns) = (channel(axes.next()?), channel(axes.next()?));
                Some(PictureDefinition::Pivot { rows, columns, value: channel(first?) })
            }
            PictureKind::Table => Some(PictureDefinition::Grid { columns: self.columns.iter().map(channel).collect() }),
            PictureKind::Bar | PictureKind::StackedBar | PictureKind::Plane | PictureKind::Words => None,
        }
    }
}

fn channel(column: &OutputColumn) -> Channel {
    let title = if column.title == column.name { "" } else { &column.title };
    let format = column.format.unwrap_or(match (column.role, column.value) {
        (Role::Time | Role::Latest, _) => ValueFormat::Day,
        (Role::Measure { counts: true }, _) => ValueFormat::Whole,
        (Role::Measure { .. }, ValueType::Float) => ValueFormat::Fixed(2),
        _ => ValueFormat::Plain,
    });
    let counts = column.role == Role::Measure { counts: true };
    Channel { zero: counts, ..Channel::of(&column.name).called(title, &column.unit).written(format) }
}

/// The picture for an answer whose columns have become these, with what was chosen of its columns: the same kind where that can
/// still be drawn and is wanted, the likeliest otherwise.
pub fn fit_picture(
    title: &str,
    before: &PictureDefinition,
    columns: &[OutputColumn],
    keep_kind: bool,
) -> PictureDefinition {
    let is_there = |channel: &Channel| {
        let all = channel.end.iter().chain([&channel.column]);
        all.into_iter().all(|name| columns.iter().any(|column| column.name == *name))
    };
    let named = channels(before);
    let by = match before {
        PictureDefinition::Chart(chart) => chart.by.clone(),
        _ => None,
    };
    let shown = |column: &OutputColumn| {
        named.iter().any(|channel| channel.column == column.name || channel.end.as_ref() == Some(&column.name))
            || by.as_ref() == Some(&column.name)
    };
    let whole = columns.iter().all(|column| shown(column) || matches!(column.role, Role::Latest | Role::Plain));
    let by_is_there = by.as_ref().is_none_or(|by| columns.iter().any(|column| column.name == *by));
    if keep_kind && !named.is_empty() && named.iter().all(|channel| is_there(channel)) && by_is_there && whole {
        return before.clone();
    }
    let mut all = pictures(title, columns);
    let kind = PictureKind::of(before);
    let place = all.iter().position(|picture| PictureKind::of(picture) == kind).filter(|_| keep_kind).unwrap_or(0);
    with_choices(all.swap_remove(place), before)
}

/// An answer drawn in another way, with what was chosen of its columns; none where it cannot be drawn so.
pub fn as_kind(
    title: &str,
    before: &PictureDefinition,
    columns: &[OutputColumn],
    kind: PictureKind,
) -> Option<PictureDefinition> {
    let found = pictures(title, columns).into_iter().find(|picture| PictureKind::of(picture) == kind)?;
    Some(with_choices(found, before))
}

/// A picture with what was chosen of the columns of another.
fn with_choices(mut picture: PictureDefinition, before: &PictureDefinition) -> PictureDefinition {
    let named = channels(before);
    for channel in channels_mut(&mut picture) {
        if let Some(before) = named.iter().find(|known| known.column == channel.column) {
            let end = channel.end.take();
            *channel = Channel { end, ..(*before).clone() };
        }
    }
    picture
}

/// The channels whose numbers a picture is about; none of a table.
pub fn value_channels_mut(picture: &mut PictureDefinition) -> Vec<&mut Channel> {
    match picture {
        PictureDefinition::Grid { .. } | PictureDefinition::Markdown { .. } => Vec::new(),
        PictureDefinition::Kpi { value, .. } | PictureDefinition::Pivot { value, .. } => vec![value],
        PictureDefinition::Chart(chart) => match chart.mark {
            Mark::HeatMap => chart.color.iter_mut().collect(),
            _ => chart.y.iter_mut().collect(),
        },
    }
}

/// All channels of a picture.
pub fn channels(picture: &PictureDefinition) -> Vec<&Channel> {
    match picture {
        PictureDefinition::Grid { columns } => columns.iter().collect(),
        PictureDefinition::Kpi { value, at } => vec![value, at],
        PictureDefinition::Pivot { rows, columns, value } => vec![rows, columns, value],
        PictureDefinition::Markdown { .. } => Vec::new(),
        PictureDefinition::Chart(chart) => std::iter::once(&chart.x).chain(&chart.y).chain(&chart.color).collect(),
    }
}

/// The same to change them.
pub fn channels_mut(picture: &mut PictureDefinition) -> Vec<&mut Channel> {
    match picture {
        PictureDefinition::Grid { columns } => columns.iter_mut().collect(),
        PictureDefinition::Kpi { value, at } => vec![value, at],
        PictureDefinition::Pivot { rows, columns, value } => vec![rows, columns, value],
        PictureDefinition::Markdown { .. } => Vec::new(),
        PictureDefinition::Chart(chart) => {
            std::iter::once(&mut chart.x).chain(&mut chart.y).chain(&mut chart.color).collect()
        }
    }
}
