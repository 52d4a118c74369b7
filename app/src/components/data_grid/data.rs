//! What a grid shows: columns, and cells that are written when they come into sight. A million rows cost what is in sight.

use std::sync::Arc;

use crate::{
    arrow::Table,
    charts::{Channel, Data, Mark, SeriesInfo, ValueFormat},
    format::{number, style::with_style},
    order,
    state::diff::Kind,
};

use super::change::CellChange;

/// A chart told as a table has one column for each series up to so many; beyond, a row for each row of the answer.
const PIVOTED_SERIES: usize = 12;
const PIVOTED_ROWS: usize = 20_000;

/// A column of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridColumn {
    /// Its header, with the unit.
    pub title: String,
    /// Numbers are set to the right in tabular figures.
    pub numeric: bool,
}

/// Columns and rows.
#[derive(Debug, Clone)]
pub struct GridData {
    /// The columns; the first names the row.
    pub columns: Vec<GridColumn>,
    source: Source,
    /// Where cells show a value before and after.
    changes: Option<Arc<Changes>>,
    /// How many of the last rows add up the others: they stay below them, whatever the order.
    totals: usize,
}

/// A column of rows that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct PairColumn {
    /// Its value; that after the change where there is one before.
    pub channel: Channel,
    /// Its value before.
    pub before: Option<Channel>,
}

/// What rows that changed were before.
#[derive(Debug)]
struct Changes {
    /// What happened to each row.
    kinds: Vec<Option<Kind>>,
    /// By column, where it has one.
    before: Vec<Option<Channel>>,
}

#[derive(Debug, Clone)]
enum Source {
    /// The rows of an answer, or those of them that are listed.
    Answer { table: Arc<Table>, channels: Vec<Channel>, rows: Option<Vec<u32>> },
    /// Written already.
    Written(Vec<Vec<String>>),
}

impl GridColumn {
    /// A column of text.
    pub fn text(title: &str) -> GridColumn {
        GridColumn { title: title.to_owned(), numeric: false }
    }

    /// A column of numbers.
    pub fn number(title: &str) -> GridColumn {
        GridColumn { title: title.to_owned(), numeric: true }
    }
}

impl GridData {
    /// Rows that are written already.
    pub fn written(columns: Vec<GridColumn>, rows: Vec<Vec<String>>) -> GridData {
        GridData { columns, source: Source::Written(rows), changes: None, totals: 0 }
    }

    /// The same, of which the last row adds up the others.
    pub fn with_total(self) -> GridData {
        GridData { totals: 1, ..self }
    }

    /// The rows of an answer: those columns of it that the channels name. Fails where it has no such column.
    pub fn of_answer(table: Arc<Table>, channels: Vec<Channel>) -> Result<GridData, String> {
        let column = |channel: &Channel| {
            let numeric = table.column(&channel.column)?.is_number();
            Ok(GridColumn { title: channel.header(), numeric })
        };
        let columns = channels.iter().map(column).collect::<Result<Vec<_>, String>>()?;
        Ok(GridData { columns, source: Source::Answer { table, channels, rows: None }, changes: None, totals: 0 })
    }

    /// Rows of an answer that changed: what happened to each by the word in a column, and their values before and after.
    pub fn of_changes(table: Arc<Table>, kind: &str, pairs: Vec<PairColumn>) -> Result<GridData, String> {
        let words = table.column(kind)?;
        let kinds = (0..table.rows()).map(|row| words.text(row).and_then(Kind::parse)).collect();
        let (mut channels, mut before): (Vec<Channel>, _) = (vec![Channel::of(kind).called("Change", "")], vec![None]);
        for pair in pairs {
            channels.push(pair.channel);
            before.push(pair.before);
        }
        let data = GridData::of_answer(table, channels)?;
        Ok(GridData { changes: Some(Arc::new(Changes { kinds, before })), ..data })
    }

    /// All columns of an answer under their own names.
    pub fn of_all(table: Arc<Table>) -> GridData {
        let channels: Vec<Channel> = table.names().iter().map(|name| Channel::of(name)).collect();
        let column = |channel: &Channel| GridColumn {
            title: channel.header(),
            numeric: table.column(&channel.column).is_ok_and(|column| column.is_number()),
        };
        GridData {
            columns: channels.iter().map(column).collect(),
            source: Source::Answer { table, channels, rows: None },
            changes: None,
            totals: 0,
        }
    }

    /// The same values as a chart, newest first where it runs over time.
    pub fn of_chart(data: &Data) -> GridData {
        let pivoted = (data.spec.by.is_some() || data.is_compared())
            && data.series.len() <= PIVOTED_SERIES
            && data.table.rows() <= PIVOTED_ROWS
            && !matches!(data.spec.mark, Mark::Scatter);
        if pivoted {
            return GridData::pivoted(data);
        }
        let ends = |channel: &Channel| {
            let end = channel.end.as_ref().map(|end| Channel {
                column: end.clone(),
                end: None,
                title: format!("{} until", channel.name()),
                ..channel.clone()
            });
            std::iter::once(channel.clone()).chain(end)
        };
        let mut channels: Vec<Channel> = ends(&time_titled(data)).collect();
        channels.extend(data.spec.by.as_deref().map(Channel::of));
        channels.extend(data.spec.y.iter().flat_map(ends));
        channels.extend(data.spec.color.clone());
        let rows = data.x_is_time().then(|| (0..data.table.rows() as u32).rev().collect());
        match GridData::of_answer(data.table.clone(), channels) {
            Ok(GridData { source: Source::Answer { table, channels, .. }, columns, .. }) => {
                GridData { columns, source: Source::Answer { table, channels, rows }, changes: None, totals: 0 }
            }
            Ok(other) => other,
            Err(reason) => GridData::written(vec![GridColumn::text(&reason)], Vec::new()),
        }
    }

    /// A row for each x, a column for each series.
    fn pivoted(data: &Data) -> GridData {
        let unit = data.spec.unit();
        let mut columns = vec![GridColumn::text(&time_titled(data).header())];
        let header = |name: &str| if unit.is_empty() { name.to_owned() } else { format!("{name}, {unit}") };
        columns.extend(data.series.iter().map(|series| GridColumn::number(&header(&series.name))));
        if data.is_compared() {
            let before = |series: &SeriesInfo| GridColumn::number(&header(&format!("{} before", series.name)));
            columns.extend(data.series.iter().map(before));
        }
        let xs = data.distinct_xs();
        let mut rows: Vec<Vec<String>> = vec![vec![String::new(); columns.len()]; xs.len()];
        let mut sums: Vec<Vec<Option<f64>>> = vec![vec![None; data.series.len()]; xs.len()];
        // As they are drawn: what stands on top of each other adds up.
        let adds_up = matches!(data.spec.mark, Mark::StackedArea | Mark::StackedBar);
        data.visit(&mut |spot| {
            let place = xs.partition_point(|x| *x < spot.x);
            let Some((cells, sums)) = rows.get_mut(place).zip(sums.get_mut(place)) else { return };
            if cells[0].is_empty() {
                cells[0] = data.x_text(spot.row);
            }
            if !spot.y.is_finite() && sums[spot.series].is_some() {
                return;
            }
            let sum = sums[spot.series].filter(|_| adds_up && spot.y.is_finite()).map(|sum| sum + spot.y);
            cells[spot.series + 1] = match sum {
                Some(sum) => sum_text(data.channel_of(spot.series), sum, &data.value_text(spot.series, spot.row)),
                None => data.value_text(spot.series, spot.row),
            };
            sums[spot.series] = sum.or(Some(spot.y).filter(|y| y.is_finite())).or(sums[spot.series]);
        });
        if data.is_compared() {
            for (x, cells) in xs.iter().zip(&mut rows) {
                for series in 0..data.series.len() {
                    cells[data.series.len() + 1 + series] = data.earlier_text(series, *x).unwrap_or_default();
                }
            }
        }
        if data.x_is_time() {
            rows.reverse();
        }
        GridData::written(columns, rows)
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match &self.source {
            Source::Answer { table, rows, .. } => rows.as_ref().map_or(table.rows(), Vec::len),
            Source::Written(rows) => rows.len(),
        }
    }

    /// The answer whose rows are shown, where they are an answer's.
    pub fn answer(&self) -> Option<Arc<Table>> {
        match &self.source {
            Source::Answer { table, .. } => Some(table.clone()),
            Source::Written(_) => None,
        }
    }

    /// The row of the answer that is shown at a place; the place itself where rows are written.
    pub fn answer_row(&self, row: usize) -> usize {
        match &self.source {
            Source::Answer { rows: Some(rows), .. } => rows.get(row).map_or(row, |row| *row as usize),
            _ => row,
        }
    }

    /// What happened to a row, where rows are changes.
    pub fn kind(&self, row: usize) -> Option<Kind> {
        *self.changes.as_ref()?.kinds.get(self.answer_row(row))?
    }

    /// A cell's value before and after, where it has both.
    pub fn change(&self, row: usize, column: usize) -> Option<CellChange> {
        let before = self.changes.as_ref()?.before.get(column)?.as_ref()?;
        let Source::Answer { table, channels, .. } = &self.source else { return None };
        let (kind, row) = (self.kind(row)?, self.answer_row(row));
        let text = |channel: &Channel| Some(channel.cell_text(table.column(&channel.column).ok()?, row));
        Some(CellChange { kind, before: text(before)?, after: text(channels.get(column)?)? })
    }

    /// A cell as it is shown.
    pub fn cell(&self, row: usize, column: usize) -> String {
        if let Some(change) = self.change(row, column) {
            return change.text();
        }
        match &self.source {
            Source::Answer { table, channels, .. } => {
                let Some(channel) = channels.get(column) else { return String::new() };
                let row = self.answer_row(row);
                channel.text_of(table, row)
            }
            Source::Written(rows) => rows.get(row).and_then(|row| row.get(column)).cloned().unwrap_or_default(),
        }
    }

    /// A cell as a number that an order goes by: of written cells what their digits say, of times when they are.
    fn rank(&self, row: usize, column: usize) -> Option<f64> {
        self.number(row, column).or_else(|| {
            let Source::Answer { table, channels, .. } = &self.source else { return None };
            let cells = table.column(&channels.get(column)?.column).ok()?;
            cells.instant_micros(self.answer_row(row)).map(|micros| micros as f64)
        })
    }

    /// A cell as a number, where it is one: of written cells what their digits say.
    fn number(&self, row: usize, column: usize) -> Option<f64> {
        match &self.source {
            Source::Answer { table, channels, .. } => {
                table.column(&channels.get(column)?.column).ok()?.number(self.answer_row(row))
            }
            Source::Written(rows) => written_number(rows.get(row)?.get(column)?),
        }
    }

    /// The rows that pass a filter, in an order, totals below. Null comes last in either direction; equal rows keep their order.
    pub fn arranged(&self, order: Option<Order>, filter: &Filter) -> Vec<u32> {
        let totals = self.rows().saturating_sub(self.totals) as u32;
        let passing = |rows: std::ops::Range<u32>| rows.filter(|row| filter.passes(self, *row as usize));
        let rows: Vec<u32> = passing(0..totals).collect();
        let rows = match order {
            Some(order) => self.ordered(rows, order),
            None => rows,
        };
        rows.into_iter().chain(passing(totals..self.rows() as u32)).collect()
    }

    fn ordered(&self, mut rows: Vec<u32>, Order { column, descending }: Order) -> Vec<u32> {
        if self.is_by_number(column) {
            let sign = if descending { -1.0 } else { 1.0 };
            let keys: Vec<f64> =
                rows.iter().map(|row| self.rank(*row as usize, column).map_or(f64::NAN, |key| key * sign)).collect();
            return order::by_number(&keys).into_iter().map(|place| rows[place as usize]).collect();
        }
        rows.sort_by_cached_key(|row| self.cell(*row as usize, column).to_lowercase());
        if descending {
            rows.reverse();
        }
        rows
    }

    fn is_by_number(&self, column: usize) -> bool {
        match &self.source {
            Source::Answer { table, channels, .. } => {
                let cells = channels.get(column).and_then(|channel| table.column(&channel.column).ok());
                cells.is_some_and(|cells| cells.is_number() || cells.is_time())
            }
            Source::Written(_) => self.columns.get(column).is_some_and(|column| column.numeric),
        }
    }
}

/// A sum with as many decimals as one of its parts has, where nothing else is said of them.
fn sum_text(channel: &Channel, sum: f64, part: &str) -> String {
    match channel.format {
        ValueFormat::Plain => number::fixed_text(sum, number::decimals_of(part)),
        format => format.number_text(sum),
    }
}

/// The number that a text says, written in the reader's locale.
fn written_number(text: &str) -> Option<f64> {
    let (group, decimal) = with_style(|style| (style.locale.group, style.locale.decimal));
    let plain = text.chars().filter(|c| *c != group && !c.is_whitespace()).map(|c| match c {
        '−' => '-',
        c if c == decimal => '.',
        c => c,
    });
    plain.collect::<String>().parse().ok()
}

/// The x channel with what its values are in its title.
fn time_titled(data: &Data) -> Channel {
    let channel = data.spec.x.clone();
    let title = match (channel.title.is_empty(), data.x_is_time(), channel.format) {
        (false, ..) | (_, false, _) => return channel,
        (true, true, ValueFormat::Day) => "Day, UTC",
        (true, true, _) => "Time",
    };
    Channel { title: title.to_owned(), ..channel }
}

/// By which column rows are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Its place.
    pub column: usize,
    /// The greatest first.
    pub descending: bool,
}

/// Which rows are shown: those with a text in any column, or with a number on one side of another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// The column that is looked at; any without.
    pub column: Option<usize>,
    /// What is typed: a text to be found, or `>`, `>=`, `<`, `<=`, `=` and a number.
    pub text: String,
}

impl Filter {
    fn passes(&self, data: &GridData, row: usize) -> bool {
        let text = self.text.trim();
        if text.is_empty() {
            return true;
        }
        let columns = match self.column {
            Some(column) => column..column + 1,
            None => 0..data.columns.len(),
        };
        if let Some((holds, bound)) = comparison(text) {
            return columns
                .into_iter()
                .any(|column| data.number(row, column).is_some_and(|number| holds(&number, &bound)));
        }
        let wanted = text.to_lowercase();
        columns.into_iter().any(|column| data.cell(row, column).to_lowercase().contains(&wanted))
    }
}

type Compare = fn(&f64, &f64) -> bool;

/// A comparison with a number, where the text is one.
fn comparison(text: &str) -> Option<(Compare, f64)> {
    const SIGNS: [(&str, Compare); 5] =
        [(">=", f64::ge), ("<=", f64::le), (">", f64::gt), ("<", f64::lt), ("=", f64::eq)];
    let (sign, holds) = SIGNS.into_iter().find(|(sign, _)| text.starts_with(sign))?;
    written_number(text[sign.len()..].trim()).map(|number| (holds, number))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, StringArray};

    use super::*;
    use crate::arrow::tests::table;

    fn grid() -> GridData {
        let names = StringArray::from(vec![Some("beta"), Some("Alpha"), None, Some("gamma")]);
        let values = Float64Array::from(vec![Some(2.0), Some(-10.0), Some(7.5), None]);
        GridData::of_all(Arc::new(table(vec![("name", Arc::new(names)), ("value", Arc::new(values))])))
    }

    fn order(column: usize, descending: bool) -> Option<Order> {
        Some(Order { column, descending })
    }

    #[test]
    fn rows_are_ordered_by_value_and_null_comes_last_both_ways() {
        let (grid, all) = (grid(), Filter::default());
        assert_eq!(grid.arranged(None, &all), [0, 1, 2, 3]);
        assert_eq!(grid.arranged(order(1, false), &all), [1, 0, 2, 3]);
        assert_eq!(grid.arranged(order(1, true), &all), [2, 0, 1, 3]);
        assert_eq!(grid.arranged(order(0, false), &all), [1, 0, 3, 2]);
    }

    #[test]
    fn a_filter_is_a_text_or_a_comparison() {
        let grid = grid();
        let rows = |column, text: &str| grid.arranged(None, &Filter { column, text: text.into() });
        assert_eq!(rows(None, "ALP"), [1]);
        assert_eq!(rows(None, "> 1"), [0, 2]);
        assert_eq!(rows(Some(1), "<=-10"), [1]);
        assert_eq!(rows(Some(0), "7"), Vec::<u32>::new());
        assert_eq!(rows(None, ">x"), Vec::<u32>::new());
    }

    #[test]
    fn written_numbers_are_ordered_as_numbers() {
        let rows = [["a", "1,000"], ["b", "−5"], ["c", ""]].map(|row| row.map(str::to_owned).to_vec()).to_vec();
        let grid = GridData::written(vec![GridColumn::text("k"), GridColumn::number("v")], rows);
        assert_eq!(grid.arranged(order(1, false), &Filter::default()), [1, 0, 2]);
    }
}
