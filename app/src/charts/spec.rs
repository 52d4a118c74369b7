//! What a chart shows, as values: built in one pass from Arrow batches, drawn by a renderer, told again as a table.

use crate::{
    arrow::Table,
    format::{number, time},
};

/// One point of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Microseconds since 1970-01-01 UTC.
    pub x: i64,
    /// The value; never NaN or infinite.
    pub y: f64,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A solid line with a dot on its last point.
    Line,
    /// A thin dashed line.
    Dashed,
    /// Bars that stand on zero, one for each grain of the x axis.
    Bars,
}

/// Points in order of x, under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name, in the user's words.
    pub name: String,
    /// Which token colours it: 1 is `--series-1`.
    pub color: usize,
    /// How it is drawn.
    pub mark: Mark,
    /// Its points, in order of x.
    pub points: Vec<Point>,
}

/// What one step of the x axis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Days; times of day are not shown.
    Day,
    /// Seconds.
    Second,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueFormat {
    /// So many decimals.
    Fixed(usize),
    /// Whole numbers.
    Whole,
}

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartSpec {
    /// What is measured, such as `Level`.
    pub title: String,
    /// Its unit, such as `index points`.
    pub unit: String,
    /// What one step of the x axis is.
    pub grain: Grain,
    /// Whether the value axis has to contain zero. Amounts do; a level that is read for its movement need not.
    pub from_zero: bool,
    /// How values are written.
    pub format: ValueFormat,
    /// What is drawn, first series lowest.
    pub series: Vec<Series>,
}

/// A chart told as a table: the same values, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// Column names, the time first.
    pub headers: Vec<String>,
    /// Cells; empty where a series has no point.
    pub rows: Vec<Vec<String>>,
}

impl Series {
    /// A series without points.
    pub fn new(name: &str, color: usize, mark: Mark) -> Series {
        Series { name: name.to_owned(), color, mark, points: Vec::new() }
    }

    /// The point at an x, exactly.
    pub fn at(&self, x: i64) -> Option<&Point> {
        self.points.binary_search_by_key(&x, |point| point.x).ok().map(|index| &self.points[index])
    }
}

/// Fills series from an answer in one pass: column `x` is the time, and each of `columns` goes to the series at the same place.
/// Nulls and values that are not finite are left out.
pub fn fill_by_column(table: &Table, x: &str, columns: &[&str], series: &mut [Series]) -> Result<(), String> {
    let x = table.column(x)?;
    let columns = columns.iter().map(|name| table.column(name)).collect::<Result<Vec<_>, _>>()?;
    for row in 0..table.rows() {
        let Some(x) = x.instant_micros(row) else { continue };
        for (series, column) in series.iter_mut().zip(&columns) {
            if let Some(y) = column.number(row).filter(|y| y.is_finite()) {
                series.points.push(Point { x, y });
            }
        }
    }
    series.iter_mut().for_each(sort);
    Ok(())
}

/// Fills series from an answer in one pass: column `label` says which series, by name, a row belongs to. Rows of other names
/// are left out.
pub fn fill_by_label(table: &Table, [label, x, y]: [&str; 3], series: &mut [(&str, Series)]) -> Result<(), String> {
    let [label, x, y] = table.columns([label, x, y])?;
    for row in 0..table.rows() {
        let (Some(name), Some(x)) = (label.text(row), x.instant_micros(row)) else { continue };
        let Some(y) = y.number(row).filter(|y| y.is_finite()) else { continue };
        if let Some((_, series)) = series.iter_mut().find(|(wanted, _)| *wanted == name) {
            series.points.push(Point { x, y });
        }
    }
    series.iter_mut().for_each(|(_, series)| sort(series));
    Ok(())
}

fn sort(series: &mut Series) {
    if !series.points.is_sorted_by_key(|point| point.x) {
        series.points.sort_by_key(|point| point.x);
    }
}

impl ChartSpec {
    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.points.is_empty())
    }

    /// The first and last x, over all series.
    pub fn x_bounds(&self) -> Option<(i64, i64)> {
        let ends = self.series.iter().filter_map(|series| Some((series.points.first()?.x, series.points.last()?.x)));
        ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Where the uppermost series ends: what a reader looks at first.
    pub fn last_x(&self) -> Option<i64> {
        self.series.last()?.points.last().map(|point| point.x)
    }

    /// The least and greatest value, over all series, with zero where the axis has to contain it.
    pub fn y_bounds(&self) -> Option<(f64, f64)> {
        let values = self.series.iter().flat_map(|series| &series.points).map(|point| (point.y, point.y));
        let (low, high) = values.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        Some(if self.from_zero { (low.min(0.0), high.max(0.0)) } else { (low, high) })
    }

    /// A value as it is written everywhere: axis readout, table and summary.
    pub fn value_text(&self, value: f64) -> String {
        match self.format {
            ValueFormat::Fixed(decimals) => number::fixed_text(value, decimals),
            ValueFormat::Whole => number::fixed_text(value, 0),
        }
    }

    /// An x as it is written in readout and table.
    pub fn x_text(&self, x: i64) -> String {
        match self.grain {
            Grain::Day => time::day_text(time::day_of(x)),
            Grain::Second => time::moment_seconds_text(x),
        }
    }

    /// All x at which some series has a point, in order.
    pub fn xs(&self) -> Vec<i64> {
        let mut xs: Vec<i64> = self.series.iter().flat_map(|series| &series.points).map(|point| point.x).collect();
        xs.sort_unstable();
        xs.dedup();
        xs
    }

    /// What stands at an x: the time, then each series that has a point there.
    pub fn readout(&self, x: i64) -> String {
        let values = self
            .series
            .iter()
            .filter_map(|series| series.at(x).map(|point| format!("{} {}", series.name, self.value_text(point.y))));
        std::iter::once(self.x_text(x)).chain(values).collect::<Vec<_>>().join(" · ")
    }

    /// The chart in a sentence or two, for those who do not see it.
    pub fn summary(&self) -> String {
        let mut text = format!("{} in {}.", self.title, self.unit);
        for series in &self.series {
            let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else { continue };
            let low = series.points.iter().map(|point| point.y).fold(f64::INFINITY, f64::min);
            let high = series.points.iter().map(|point| point.y).fold(f64::NEG_INFINITY, f64::max);
            text.push_str(&format!(
                " {}: {} points from {} to {}, last {}, lowest {}, highest {}.",
                series.name,
                number::count_text(series.points.len() as u64),
                self.x_text(first.x),
                self.x_text(last.x),
                self.value_text(last.y),
                self.value_text(low),
                self.value_text(high),
            ));
        }
        text
    }

    /// The same values as a table, newest first.
    pub fn twin(&self) -> Twin {
        let time = match self.grain {
            Grain::Day => "Day, UTC",
            Grain::Second => "Time",
        };
        let headers = std::iter::once(time.to_owned())
            .chain(self.series.iter().map(|series| format!("{}, {}", series.name, self.unit)))
            .collect();
        let row = |x: &i64| {
            let cells =
                self.series.iter().map(|series| series.at(*x).map_or(String::new(), |point| self.value_text(point.y)));
            std::iter::once(self.x_text(*x)).chain(cells).collect()
        };
        Twin { headers, rows: self.xs().iter().rev().map(row).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Decimal128Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn levels(rows: &[(&str, i64, Option<i128>)]) -> Table {
        let names = rows.iter().map(|row| row.0).collect::<Vec<_>>();
        let days = rows.iter().map(|row| row.1 * time::DAY_MICROS).collect::<Vec<_>>();
        let values = Decimal128Array::from(rows.iter().map(|row| row.2).collect::<Vec<_>>());
        crate::arrow::tests::table(vec![
            ("series", Arc::new(StringArray::from(names))),
            ("day", Arc::new(TimestampMicrosecondArray::from(days).with_timezone("+00:00"))),
            ("level", Arc::new(values.with_precision_and_scale(38, 4).unwrap())),
        ])
    }

    fn spec() -> ChartSpec {
        let table = levels(&[
            ("shown", 20_544, Some(12_043_100)),
            ("now", 20_543, Some(11_990_000)),
            ("shown", 20_543, Some(12_000_000)),
            ("shown", 20_545, None),
            ("else", 20_546, Some(1)),
        ]);
        let mut series =
            [("shown", Series::new("As known", 1, Mark::Line)), ("now", Series::new("As known now", 2, Mark::Dashed))];
        fill_by_label(&table, ["series", "day", "level"], &mut series).unwrap();
        ChartSpec {
            title: "Level".into(),
            unit: "index points".into(),
            grain: Grain::Day,
            from_zero: false,
            format: ValueFormat::Fixed(2),
            series: series.into_iter().map(|(_, series)| series).collect(),
        }
    }

    #[test]
    fn a_spec_is_built_in_one_pass_over_all_batches_and_leaves_nulls_out() {
        let spec = spec();
        assert_eq!(spec.series[0].points.len(), 2);
        assert_eq!(spec.series[0].points[0], Point { x: 20_543 * time::DAY_MICROS, y: 1200.0 });
        assert_eq!(spec.x_bounds(), Some((20_543 * time::DAY_MICROS, 20_544 * time::DAY_MICROS)));
        assert_eq!(spec.y_bounds(), Some((1199.0, 1204.31)));
    }

    #[test]
    fn the_twin_the_readout_and_the_summary_tell_the_same_values() {
        let spec = spec();
        let twin = spec.twin();
        assert_eq!(twin.headers, ["Day, UTC", "As known, index points", "As known now, index points"]);
        assert_eq!(twin.rows, [vec!["1 Apr 2026", "1,204.31", ""], vec!["31 Mar 2026", "1,200.00", "1,199.00"]]);
        assert_eq!(spec.readout(20_543 * time::DAY_MICROS), "31 Mar 2026 · As known 1,200.00 · As known now 1,199.00");
        assert!(spec.summary().contains("As known: 2 points from 31 Mar 2026 to 1 Apr 2026, last 1,204.31"));
    }

    #[test]
    fn amounts_stand_on_zero() {
        let spec = ChartSpec { from_zero: true, ..spec() };
        assert_eq!(spec.y_bounds(), Some((0.0, 1204.31)));
    }
}
