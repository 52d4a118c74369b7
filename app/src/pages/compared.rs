//! Two rectangles of a plane side by side: which were chosen, and what is written of both.

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    arrow::Table,
    charts::{Channel, ChartSpec, Data, ValueFormat},
    components::{
        chart::{Pick, Picture},
        data_grid::{DataGrid, GridColumn, GridData},
        whole::{Whole, WholeView, changing},
    },
    format::number,
    pages::lazy::LazyPart,
};

/// Rows that were chosen, at most two, each with the answer in which it stands: in a later one it may be another.
pub type Chosen = Vec<(Arc<Table>, usize)>;

/// Takes one more; after two it begins again.
pub fn choose(chosen: RwSignal<Chosen>, table: Arc<Table>, row: usize) {
    chosen.update(|chosen| {
        if chosen.len() == 2 {
            chosen.clear();
        }
        chosen.push((table, row));
    });
}

/// The rows of a picture that were chosen, found again in a later answer, where they may be others.
fn marked(chosen: &Chosen, data: &Data) -> Vec<usize> {
    let (spec, now) = (&data.spec, &data.table);
    // Where a rectangle ends is what changes of it.
    let ends = |name: &String| std::iter::once(&spec.x).chain(&spec.y).any(|axis| axis.end.as_ref() == Some(name));
    let written = |table: &Table, name: &str, row: usize| table.column(name).ok()?.plain_text(row);
    let found = |(table, row): &(Arc<Table>, usize)| {
        let same = |name: &String, other| ends(name) || written(now, name, other) == written(table, name, *row);
        let mut rows = 0..now.rows();
        let of_answer = Arc::ptr_eq(table, now).then_some(*row);
        // One that is not there any more has no place, and the other keeps its letter.
        of_answer.or_else(|| rows.find(|other| now.names().iter().all(|name| same(name, *other)))).unwrap_or(usize::MAX)
    };
    chosen.iter().map(found).collect()
}

/// Keeps the rows that are A and B those of what a chart shows.
pub fn mark(chosen: RwSignal<Chosen>, picture: Signal<Option<Arc<Picture>>>, rows: RwSignal<Vec<usize>>) {
    Effect::new(move |_| {
        let found = picture.with(|it| it.as_ref().map_or_else(Vec::new, |it| marked(&chosen.read(), &it.data)));
        if rows.with_untracked(|rows| *rows != found) {
            rows.set(found);
        }
    });
}

/// What to do next, once something was chosen.
pub fn hint(chosen: &Chosen) -> &'static str {
    match chosen.len() {
        0 => "",
        2 => "A and B are compared below. Choose another to begin again.",
        _ => "A is chosen. Choose B to compare them.",
    }
}

/// A line for each of these columns, with the difference where it is a number; `None` before two were chosen.
pub fn comparison(channels: impl IntoIterator<Item = Channel>, chosen: &Chosen) -> Option<GridData> {
    let [(table_a, a), (table_b, b)] = &chosen[..] else { return None };
    let line = |channel: Channel| {
        let (cells_a, cells_b) = (table_a.column(&channel.column).ok()?, table_b.column(&channel.column).ok()?);
        let written = [channel.cell_text(cells_a, *a), channel.cell_text(cells_b, *b)];
        let difference = match (cells_a.is_number(), cells_a.number(*a), cells_b.number(*b)) {
            (true, Some(a), Some(b)) => difference(b - a, channel.format, &written),
            _ => String::new(),
        };
        let [a, b] = written;
        Some(vec![channel.name().to_owned(), a, b, difference])
    };
    let heads = ["A", "B", "B − A"].map(GridColumn::number);
    let heads = std::iter::once(GridColumn::text("Column")).chain(heads).collect();
    Some(GridData::written(heads, channels.into_iter().filter_map(line).collect()))
}

/// With as many decimals as what it lies between; of shares in points.
fn difference(value: f64, format: ValueFormat, written: &[String; 2]) -> String {
    let decimals = written.iter().map(|text| number::decimals_of(text)).max().unwrap_or(0);
    match format {
        ValueFormat::Percent(_) => format!("{} points", number::change_text(value * 100.0, decimals)),
        ValueFormat::PercentValue(_) => format!("{} points", number::change_text(value, decimals)),
        _ => number::change_text(value, decimals),
    }
}

/// Of which plane rectangles are compared, and which were chosen: what a page provides for [`side_by_side`].
#[derive(Clone)]
pub struct OfPlane {
    /// The plane.
    pub spec: Arc<ChartSpec>,
    /// What it shows.
    pub picture: Signal<Option<Arc<Picture>>>,
    /// What was chosen on it.
    pub chosen: RwSignal<Chosen>,
    /// Where that stands in what it shows.
    pub marked: RwSignal<Vec<usize>>,
    /// Names the table for tests.
    pub testid: String,
}

/// Rectangles of a plane are compared where choosing them does nothing else: what takes a choice, and what it leads to.
pub fn comparing(
    chart: &ChartSpec,
    picture: Signal<Option<Arc<Picture>>>,
    id: &str,
) -> (Callback<Pick>, RwSignal<Vec<usize>>, WholeView) {
    let chosen = RwSignal::new(Chosen::new());
    let compare = Callback::new(move |pick: Pick| {
        if let Some(picture) = picture.get_untracked() {
            choose(chosen, picture.data.table.clone(), pick.row);
        }
    });
    let marked = RwSignal::new(Vec::new());
    let spec = Arc::new(chart.clone());
    let of_plane = OfPlane { spec, picture, chosen, marked, testid: format!("compared-{id}") };
    let any = Memo::new(move |_| chosen.with(|chosen| !chosen.is_empty()));
    let compared = move || {
        any.get().then(|| {
            provide_context(of_plane.clone());
            LazyPart::Versions.view()
        })
    };
    let view = view! {
        <p class="quiet" role="status">{changing(move || chosen.with(hint))}</p>
        {changing(compared)}
    };
    (compare, marked, view.whole())
}

/// What was chosen on the plane that is provided, side by side.
pub fn side_by_side() -> WholeView {
    let OfPlane { spec, picture, chosen, marked, testid } = expect_context();
    mark(chosen, picture, marked);
    let label = format!("{}: A and B", spec.title);
    let compared = Signal::derive(move || {
        chosen.with(|chosen| comparison(channels_of(&spec, chosen.first()?.0.names()), chosen)).map(Arc::new)
    });
    let label = Signal::stored(label);
    view! {
        <Show when=move || compared.with(Option::is_some)>
            <div class="side-by-side">
                <DataGrid label testid=testid.clone() data=compared />
            </div>
        </Show>
    }
    .whole()
}

/// What a plane draws, its times from and until, then what else stands in the answer.
fn channels_of(spec: &ChartSpec, names: &[String]) -> Vec<Channel> {
    let mut channels = Vec::new();
    for axis in std::iter::once(&spec.x).chain(&spec.y) {
        let from = if axis.end.is_some() { format!("{} from", axis.name()) } else { axis.name().to_owned() };
        channels.push(Channel { title: from, end: None, ..axis.clone() });
        channels.extend(axis.end.as_deref().map(|end| Channel::of(end).called("until", "").written(axis.format)));
    }
    channels.extend(spec.color.clone());
    let further = |name: &&String| !channels.iter().any(|channel| channel.column == **name);
    let further: Vec<Channel> = names.iter().filter(further).map(|name| Channel::of(name)).collect();
    channels.into_iter().chain(further).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::Mark;

    #[test]
    fn all_that_an_answer_says_of_a_rectangle_is_compared_once() {
        let known = Channel::of("system_from").until("system_to").called("Known", "");
        let effective = Channel::of("valid_from").until("valid_to").called("Effective", "");
        let spec = ChartSpec {
            color: Some(Channel::of("coupon")),
            ..ChartSpec::new("Coupon", Mark::Plane, effective, vec![known])
        };
        let names = ["valid_from", "valid_to", "system_from", "system_to", "coupon", "isin"].map(str::to_owned);
        let named: Vec<String> = channels_of(&spec, &names).iter().map(|channel| channel.name().to_owned()).collect();
        assert_eq!(named, ["Effective from", "until", "Known from", "until", "coupon", "isin"]);
    }

    #[test]
    fn what_was_chosen_is_found_again_in_a_later_answer() {
        use arrow_array::{ArrayRef, Int64Array, TimestampMicrosecondArray};

        type Row = (i64, Option<i64>, i64);
        let answer = |known: &[Row]| {
            let times = |of: &dyn Fn(&Row) -> Option<i64>| -> ArrayRef {
                Arc::new(TimestampMicrosecondArray::from_iter(known.iter().map(of)).with_timezone("+00:00"))
            };
            let (from, to) = (times(&|row| Some(row.0)), times(&|row| row.1));
            let value: ArrayRef = Arc::new(Int64Array::from_iter_values(known.iter().map(|row| row.2)));
            Arc::new(crate::arrow::tests::table(vec![
                ("at", times(&|_| Some(0))),
                ("from", from),
                ("to", to),
                ("v", value),
            ]))
        };
        let spec = ChartSpec {
            color: Some(Channel::of("v")),
            ..ChartSpec::new("V", Mark::Plane, Channel::of("at"), vec![Channel::of("from").until("to")])
        };
        let data = |table: &Arc<Table>| Data::new(Arc::new(spec.clone()), table.clone()).unwrap();
        let first = answer(&[(0, Some(10), 1), (10, None, 2)]);
        let chosen = vec![(first.clone(), 1), (first.clone(), 0)];
        assert_eq!(marked(&chosen, &data(&first)), [1, 0]);
        // A version before both came into sight, the last one has ended since, and the first is not asked for any more.
        let later = answer(&[(-5, Some(0), 0), (10, Some(20), 2), (20, None, 3)]);
        assert_eq!(marked(&chosen, &data(&later)), [1, usize::MAX]);
    }

    #[test]
    fn a_difference_is_as_exact_as_what_it_lies_between() {
        let of = |value, format, written: [&str; 2]| difference(value, format, &written.map(str::to_owned));
        assert_eq!(of(-139_255.0, ValueFormat::Plain, ["300,497", "161,242"]), "−139,255");
        assert_eq!(of(0.22, ValueFormat::Plain, ["191.2800", "191.5"]), "+0.2200");
        assert_eq!(of(0.00125, ValueFormat::Percent(3), ["4.125 %", "4.250 %"]), "+0.125 points");
        assert_eq!(of(0.125, ValueFormat::PercentValue(3), ["4.125 %", "4.250 %"]), "+0.125 points");
    }
}
