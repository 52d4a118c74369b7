//! From an answer to what a tile shows, by the tile's definition.

use std::sync::Arc;

use crate::{
    arrow::Table,
    browser,
    charts::{Channel, ChartSpec, Data, Mark, ValueFormat},
    components::{
        chart::Picture,
        data_grid::{GridColumn, GridData},
        kpi::Figure,
    },
    dashboards::PictureDefinition,
    format::{number, time::DAY_MICROS},
    state::coordinates::Compared,
};

#[cfg(feature = "ssr")]
pub use super::notes::notes_of;

/// What a tile shows.
#[derive(Debug, Clone)]
pub enum TilePicture {
    /// A chart.
    Chart(Arc<Picture>),
    /// A table.
    Grid(Arc<GridData>),
    /// A figure, and the line of all figures before it.
    Kpi(Figure, Arc<Data>),
}

/// Makes the picture, or says why there is none.
pub fn picture_of(definition: &PictureDefinition, table: &Arc<Table>) -> Result<Result<TilePicture, String>, String> {
    if table.rows() == 0 {
        let why = "No row holds in this range. Choose a longer one, another known time, or fewer filters.";
        return Ok(Err(why.to_owned()));
    }
    match definition {
        PictureDefinition::Chart(chart) => {
            let bind = || Data::new(Arc::new(ChartSpec::clone(chart)), table.clone());
            let data = browser::timed("tidemark:bind", bind)?;
            if data.is_empty() {
                return Ok(Err("There are rows, but none of them has a value to draw.".to_owned()));
            }
            Ok(Ok(TilePicture::Chart(Arc::new(Picture::new(data)))))
        }
        PictureDefinition::Grid { columns } if columns.is_empty() => {
            Ok(Ok(TilePicture::Grid(Arc::new(GridData::of_all(table.clone())))))
        }
        PictureDefinition::Grid { columns } => {
            Ok(Ok(TilePicture::Grid(Arc::new(GridData::of_answer(table.clone(), columns.clone())?))))
        }
        PictureDefinition::Kpi { value, at } => {
            let spec = ChartSpec::new(value.name(), Mark::Line, at.clone(), vec![value.clone()]);
            let data = Data::new(Arc::new(spec), table.clone())?;
            match figure(&data) {
                Some(figure) => Ok(Ok(TilePicture::Kpi(figure, Arc::new(data)))),
                None => Ok(Err("There is no value in this range.".to_owned())),
            }
        }
        PictureDefinition::Pivot { rows, columns, value } => {
            Ok(Ok(TilePicture::Grid(Arc::new(pivot(table, rows, columns, value)?))))
        }
        PictureDefinition::Markdown { .. } => Err("words are not made of rows".to_owned()),
    }
}

impl TilePicture {
    /// The same beside what an earlier period gave. Fails where that cannot be drawn so.
    pub fn beside(
        &self,
        definition: &PictureDefinition,
        earlier: &Arc<Table>,
        compared: Compared,
    ) -> Result<TilePicture, String> {
        match self {
            TilePicture::Chart(now) => {
                // Its series have the places that they have now.
                let before = Data::new(Arc::new(now.data.spec_of_earlier()), earlier.clone())?;
                let shift_micros = (compared.shift_days * DAY_MICROS) as f64;
                Ok(TilePicture::Chart(Arc::new(Picture::new(now.data.clone().compared_with(before, shift_micros)))))
            }
            TilePicture::Kpi(figure, data) => match picture_of(definition, earlier)? {
                Ok(TilePicture::Kpi(_, before)) => {
                    let figure = figure_beside(data, &before, compared).unwrap_or_else(|| figure.clone());
                    Ok(TilePicture::Kpi(figure, data.clone()))
                }
                _ => Ok(self.clone()),
            },
            TilePicture::Grid(_) => Ok(self.clone()),
        }
    }
}

/// The last two rows that have a value and lie before an end, and the values, the last first.
fn last_values(data: &Data, end: f64) -> [Option<(f64, usize)>; 2] {
    let mut last = [None, None];
    data.visit(&mut |spot| {
        if spot.y.is_finite() && spot.x < end {
            last = [Some((spot.y, spot.row)), last[0]];
        }
    });
    last
}

/// The last value, with its change on the last of an earlier period. What a statement counts beyond the end of its range, such
/// as late corrections, is not of that period.
fn figure_beside(data: &Data, earlier: &Data, compared: Compared) -> Option<Figure> {
    let end = compared.days.to.filter(|_| earlier.x_is_time());
    let end = end.map_or(f64::INFINITY, |day| ((day + 1) * DAY_MICROS) as f64);
    let last = |data, end| last_values(data, end)[0];
    let (now, row) = last(data, f64::INFINITY)?;
    // What has nothing within it is compared with what comes after.
    let (before, row_before) = last(earlier, end).or_else(|| last(earlier, f64::INFINITY))?;
    let mut figure = Figure::new(data.value_text(0, row), "");
    let on = format!("from {} on {}", earlier.value_text(0, row_before), earlier.x_text(row_before));
    let (change, direction) = change_text(data, now, before, before <= 0.0 || now <= 0.0);
    (figure.note, figure.direction) = (format!("{change} {on}").trim_start().to_owned(), direction);
    Some(figure)
}

fn direction(change: f64) -> (&'static str, &'static str) {
    match () {
        () if change > 0.0 => ("▲ ", "up"),
        () if change < 0.0 => ("▼ ", "down"),
        () => ("", ""),
    }
}

/// What is said of a change that cannot be seen in the digits that are shown.
const UNCHANGED: &str = "unchanged";

/// What a change comes to, and its direction. Shares change by points, and counts by so many where that is asked for; of what
/// is or was nothing or less a share says nothing.
fn change_text(data: &Data, now: f64, before: f64, of_counts: bool) -> (String, &'static str) {
    let change = now - before;
    let (value, decimals, unit) = match data.spec.y.first().map(|channel| channel.format) {
        Some(ValueFormat::Percent(decimals)) => (change * 100.0, decimals, " points"),
        Some(ValueFormat::PercentValue(decimals)) => (change, decimals, " points"),
        Some(ValueFormat::Whole) if of_counts => (change, 0, ""),
        _ if before <= 0.0 || now <= 0.0 => return (String::new(), ""),
        _ => (change / before * 100.0, 2, " %"),
    };
    let text = number::change_text(value, decimals);
    if !text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        return (UNCHANGED.to_owned(), "");
    }
    let (sign, direction) = direction(change);
    (format!("{sign}{text}{unit}"), direction)
}

/// The last value, with its change on the one before.
fn figure(data: &Data) -> Option<Figure> {
    let [Some((value, row)), before] = last_values(data, f64::INFINITY) else { return None };
    let at = data.x_text(row);
    let mut figure = Figure::new(data.value_text(0, row), at.clone());
    if let Some(ValueFormat::Change(_)) = data.spec.y.first().map(|channel| channel.format) {
        figure.direction = direction(value).1;
        return Some(figure);
    }
    // From one second to the next a figure wavers; by how much says nothing.
    let sampled = data.spec.x.format == ValueFormat::Second;
    let Some((before, _)) = before.filter(|_| !sampled) else { return Some(figure) };
    let (change, direction) =
        if value == before { (UNCHANGED.to_owned(), "") } else { change_text(data, value, before, true) };
    figure.note = if change.is_empty() { at } else { format!("{change}, {at}") };
    figure.direction = direction;
    Some(figure)
}

/// Sums by row and column, with the sums of both.
fn pivot(table: &Table, rows: &Channel, columns: &Channel, value: &Channel) -> Result<GridData, String> {
    let [by_row, by_column, values] = table.columns([&rows.column, &columns.column, &value.column])?;
    if !values.is_number() {
        return Err(format!("column '{}' holds no numbers, so it cannot be added up", value.column));
    }
    let (mut row_names, mut column_names) = (Names::default(), Names::default());
    let mut cells: Vec<Vec<Cell>> = Vec::new();
    for row in 0..table.rows() {
        let place =
            (row_names.place(rows.cell_text(by_row, row)), column_names.place(columns.cell_text(by_column, row)));
        let Some(number) = values.number(row) else { continue };
        let (row_place, column_place) = place;
        if cells.len() <= row_place {
            cells.resize_with(row_place + 1, Vec::new);
        }
        let line = &mut cells[row_place];
        if line.len() <= column_place {
            line.resize_with(column_place + 1, Cell::default);
        }
        let cell = &mut line[column_place];
        *cell = Cell { sum: cell.sum + number, rows: cell.rows + 1, text: value.cell_text(values, row) };
    }
    // What is one row keeps every digit; sums are written with as many decimals as their parts.
    let cell_at = |(row, column): &(usize, usize)| cells.get(*row)?.get(*column).filter(|cell| cell.rows > 0);
    let decimals = cells.iter().flatten().map(|cell| number::decimals_of(&cell.text)).max().unwrap_or(0);
    let sum_text = |sum: f64| match value.format {
        ValueFormat::Plain => number::fixed_text(sum, decimals),
        format => format.number_text(sum),
    };
    let line = |name: &str, places: &dyn Fn(usize) -> Vec<(usize, usize)>| {
        let of = |column: usize| {
            let found: Vec<&Cell> = places(column).iter().filter_map(cell_at).collect();
            match &found[..] {
                [] => String::new(),
                [one] if one.rows == 1 => one.text.clone(),
                several => sum_text(several.iter().map(|cell| cell.sum).sum()),
            }
        };
        let all: Vec<(usize, usize)> = (0..column_names.0.len()).flat_map(places).collect();
        let total = sum_text(all.iter().filter_map(cell_at).map(|cell| cell.sum).sum());
        let cells = (0..column_names.0.len()).map(of);
        std::iter::once(name.to_owned()).chain(cells).chain([total]).collect::<Vec<String>>()
    };
    let mut lines: Vec<Vec<String>> =
        row_names.0.iter().enumerate().map(|(row, name)| line(name, &|column| vec![(row, column)])).collect();
    let every_row = row_names.0.len();
    lines.push(line("All", &|column| (0..every_row).map(|row| (row, column)).collect()));
    let heads = std::iter::once(GridColumn::text(rows.name()));
    let heads = heads.chain(column_names.0.iter().map(|name| GridColumn::number(name)));
    Ok(GridData::written(heads.chain([GridColumn::number("All")]).collect(), lines).with_total())
}

/// What stands in a cell of a pivot table.
#[derive(Debug, Clone, Default)]
struct Cell {
    sum: f64,
    rows: usize,
    text: String,
}

/// Names in the order in which they came first.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn place(&mut self, name: String) -> usize {
        self.0.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;
    use crate::{arrow::tests::table, state::coordinates::Days};

    #[test]
    fn a_figure_is_the_last_value_with_its_change() {
        let rows = table(vec![
            ("day", Arc::new(Date32Array::from(vec![20_542, 20_543, 20_544]))),
            ("v", Arc::new(Float64Array::from(vec![Some(8.0), Some(10.0), None]))),
        ]);
        let definition = PictureDefinition::Kpi { value: Channel::of("v"), at: Channel::of("day") };
        let Ok(Ok(TilePicture::Kpi(figure, _))) = picture_of(&definition, &Arc::new(rows)) else { panic!("no figure") };
        assert_eq!((figure.value.as_str(), figure.note.as_str()), ("10", "▲ +25.00 %, 31 Mar 2026"));
        assert_eq!(figure.direction, "up");
        // Of counts the difference, and of what stays the same no share.
        let said = |values: [i64; 2]| {
            let days = Arc::new(Date32Array::from(vec![20_542, 20_543]));
            let rows = table(vec![("day", days), ("v", Arc::new(Int64Array::from(values.to_vec())))]);
            let value = Channel { format: ValueFormat::Whole, ..Channel::of("v") };
            let definition = PictureDefinition::Kpi { value, at: Channel::of("day") };
            let Ok(Ok(TilePicture::Kpi(figure, _))) = picture_of(&definition, &Arc::new(rows)) else {
                panic!("no figure")
            };
            figure.note
        };
        assert_eq!(said([2, 1]), "▼ −1, 31 Mar 2026");
        assert_eq!(said([0, 3]), "▲ +3, 31 Mar 2026");
        assert_eq!(said([4, 4]), "unchanged, 31 Mar 2026");
    }

    #[test]
    fn of_what_is_sampled_each_second_no_change_is_told() {
        let at = TimestampMicrosecondArray::from(vec![0, 1_000_000]).with_timezone("+00:00");
        let rows = table(vec![("at", Arc::new(at)), ("v", Arc::new(Float64Array::from(vec![12_500.0, 40.0])))]);
        let at = Channel { format: ValueFormat::Second, ..Channel::of("at") };
        let definition = PictureDefinition::Kpi { value: Channel::of("v"), at };
        let Ok(Ok(TilePicture::Kpi(figure, _))) = picture_of(&definition, &Arc::new(rows)) else { panic!("no figure") };
        assert_eq!(
            (figure.value.as_str(), figure.note.as_str(), figure.direction),
            ("40", "1 Jan 1970, 00:00:01 UTC", "")
        );
    }

    #[test]
    fn a_figure_is_compared_with_the_last_one_within_the_earlier_period() {
        let rows = |days: [i32; 2], values: [i64; 2]| {
            let columns: [(&str, arrow_array::ArrayRef); 2] = [
                ("day", Arc::new(Date32Array::from(days.to_vec()))),
                ("v", Arc::new(Int64Array::from(values.to_vec()))),
            ];
            Arc::new(table(columns.to_vec()))
        };
        let definition = PictureDefinition::Kpi {
            value: Channel { format: ValueFormat::Whole, ..Channel::of("v") },
            at: Channel::of("day"),
        };
        let now = picture_of(&definition, &rows([20_542, 20_543], [1, 4])).unwrap().unwrap();
        let days = Days { from: Some(20_532), to: Some(20_533) };
        // The second was counted after the earlier period had ended.
        let beside = now.beside(&definition, &rows([20_533, 20_543], [2, 8]), Compared { days, shift_days: 10 });
        let Ok(TilePicture::Kpi(figure, _)) = beside else { panic!("no figure") };
        assert_eq!((figure.value.as_str(), figure.note.as_str()), ("4", "▲ +100.00 % from 2 on 21 Mar 2026"));
        // Of none there is no share, and what is only known of later days is better than nothing.
        let said = |earlier: Arc<Table>| match now.beside(&definition, &earlier, Compared { days, shift_days: 10 }) {
            Ok(TilePicture::Kpi(figure, _)) => figure.note,
            _ => panic!("no figure"),
        };
        assert_eq!(said(rows([20_532, 20_533], [2, 0])), "▲ +4 from 0 on 21 Mar 2026");
        assert_eq!(said(rows([20_540, 20_543], [2, 8])), "▼ −50.00 % from 8 on 31 Mar 2026");
    }

    #[test]
    fn a_pivot_adds_up_both_ways() {
        let rows = table(vec![
            ("sector", Arc::new(StringArray::from(vec!["Energy", "Energy", "Utilities", "Energy"]))),
            ("currency", Arc::new(StringArray::from(vec!["EUR", "USD", "EUR", "EUR"]))),
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ]);
        let channels = ["sector", "currency", "n"].map(Channel::of);
        let grid = pivot(&rows, &channels[0], &channels[1], &channels[2]).unwrap();
        let line = |row: usize| (0..grid.columns.len()).map(|column| grid.cell(row, column)).collect::<Vec<_>>();
        assert_eq!(line(0), ["Energy", "5", "2", "7"]);
        assert_eq!(line(1), ["Utilities", "3", "", "3"]);
        assert_eq!(line(2), ["All", "8", "2", "10"]);
    }

    #[test]
    fn no_rows_say_why() {
        let rows = table(vec![("v", Arc::new(Float64Array::from(Vec::<f64>::new())))]);
        let empty = picture_of(&PictureDefinition::Grid { columns: Vec::new() }, &Arc::new(rows)).unwrap();
        assert!(empty.unwrap_err().starts_with("No row holds"));
    }
}
