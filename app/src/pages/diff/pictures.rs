//! From answers to what the parts of the page show.

use std::sync::Arc;

use model::DatasetSummary;

use crate::{
    arrow::{Column, Table},
    charts::{Channel, ChartSpec, Data, Mark, ScaleKind, SeriesStyle, ValueFormat},
    components::{
        chart::Picture,
        data_grid::{GridData, PairColumn},
    },
    format::number,
    queries::{
        client::{Others, Reduction},
        diff::{ROWS, side_name},
    },
    state::diff::Kind,
};

/// Categories that a chart has room for.
const KEYS_MOST: usize = 12;

/// Columns of values that stand before those of the effective time.
const FEW_VALUES: usize = 2;
/// Rows by which it is told which values differ.
const ROWS_LOOKED_AT: usize = 1_000;

type Shown<T> = Result<Result<T, String>, String>;

const SAME: &str = "A and B say the same. Move A further back, or widen the effective range.";

/// How many rows differ, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    added: u64,
    /// Of those added, what had been effective already when A was known.
    pub(super) late: u64,
    removed: u64,
    changed: u64,
}

impl Counts {
    /// Of one kind, or all.
    pub(super) fn of(self, kind: Option<Kind>) -> u64 {
        match kind {
            None => self.added + self.removed + self.changed,
            Some(Kind::Added) => self.added,
            Some(Kind::Removed) => self.removed,
            Some(Kind::Changed) => self.changed,
        }
    }
}

pub(super) fn counts(table: &Arc<Table>) -> Shown<Counts> {
    let [added, late, removed, changed] = table.columns(["added", "late", "removed", "changed"])?;
    let count = |column: &Column| column.count(0).ok_or("a count is missing from the answer");
    Ok(Ok(Counts { added: count(added)?, late: count(late)?, removed: count(removed)?, changed: count(changed)? }))
}

/// How many of how many rows are shown.
pub(super) fn shown_note(shown: usize, total: u64) -> String {
    let total_text = number::count_text(total);
    if total > shown as u64 {
        return format!("first {} of {total_text} rows", number::count_text(shown as u64));
    }
    format!("{total_text} rows")
}

pub(super) fn rows(table: &Arc<Table>, dataset: &DatasetSummary) -> Shown<GridData> {
    if table.rows() == 0 {
        return Ok(Err(SAME.to_owned()));
    }
    let definition = &dataset.definition;
    let plain = |channel: Channel| PairColumn { channel, before: None };
    let keys = definition.key.iter().map(|name| plain(Channel::of(name)));
    let times = [("valid_from", "Effective from"), ("valid_to", "until")];
    let times: Vec<_> = times.map(|(column, title)| plain(Channel::of(column).called(title, ""))).into();
    let values = definition.value_columns().map(|column| {
        let [before, after] = ["before", "after"].map(|side| side_name(&column.name, side));
        let channel = Channel::of(&after).called(&column.name, "");
        PairColumn { before: Some(Channel { column: before, ..channel.clone() }), channel }
    });
    // Where few values were put right they come first, so that a narrow screen shows them beside the key; many would push the
    // times out of sight. Of what is new or gone all values differ, which says nothing.
    let changed: Vec<usize> = (0..table.rows().min(ROWS_LOOKED_AT)).filter(|row| is_changed(table, *row)).collect();
    let (differing, same): (Vec<_>, Vec<_>) = values.partition(|value| differs(table, value, &changed));
    let (first, then) = match differing.len() <= FEW_VALUES {
        true => (differing, times.into_iter().chain(same).collect()),
        false => (times, differing.into_iter().chain(same).collect::<Vec<_>>()),
    };
    let known = Channel::of("known").called("Known since", "").written(ValueFormat::Second);
    let columns = keys.chain(first).chain(then).chain([plain(known)]).collect();
    Ok(Ok(GridData::of_changes(table.clone(), "change", columns)?))
}

fn is_changed(table: &Table, row: usize) -> bool {
    table.column("change").is_ok_and(|change| change.text(row) == Some(Kind::Changed.word()))
}

/// Whether a value is another after the change than before it, in any of these rows.
fn differs(table: &Table, value: &PairColumn, rows: &[usize]) -> bool {
    let cells = |channel: &Channel| table.column(&channel.column).ok();
    let Some((after, before)) = cells(&value.channel).zip(value.before.as_ref().and_then(cells)) else { return false };
    rows.iter().any(|row| after.plain_text(*row) != before.plain_text(*row))
}

pub(super) fn by_day(table: &Arc<Table>) -> Shown<Picture> {
    let count = Channel::of("n").called("Rows", "rows per day").written(ValueFormat::Whole);
    let day = Channel::of("day").written(ValueFormat::Day);
    let spec = ChartSpec {
        by: Some("change".to_owned()),
        styles: [(Kind::Changed, 7), (Kind::Added, 3), (Kind::Removed, 8)].map(style).to_vec(),
        ..ChartSpec::new("Rows by the day B came to know them", Mark::StackedBar, day, vec![count])
    };
    drawn(spec, table, "No row of this range became known between A and B.")
}

fn style((kind, color): (Kind, usize)) -> SeriesStyle {
    let word = kind.word();
    SeriesStyle { value: word.to_owned(), name: format!("{} {word}", kind.sign()), color, dashed: false }
}

pub(super) fn by_key(table: &Arc<Table>) -> Shown<Picture> {
    let count = Channel::of("n").called("Rows", "rows").written(ValueFormat::Whole);
    let column = table.names().first().cloned().unwrap_or_default();
    let key = Channel { scale: ScaleKind::Category, ..Channel::of(&column) };
    drawn(ChartSpec::new("Rows by key", Mark::Bar, key, vec![count]), table, SAME)
}

pub(super) fn steps(table: &Arc<Table>, value: &str) -> Shown<Picture> {
    let amounts = table.column("amount")?;
    if (0..table.rows()).all(|row| amounts.number(row).unwrap_or_default() == 0.0) {
        let nothing = match value {
            ROWS => "As many rows are there as before. Choose a value to see what the changes come to.",
            _ => "The differences of this value add up to nothing, whatever their reason.",
        };
        return Ok(Err(nothing.to_owned()));
    }
    let amount = match value {
        ROWS => Channel::of("amount").called("Rows", "rows").written(ValueFormat::Whole),
        _ => Channel::of("amount").called(value, ""),
    };
    let spec = ChartSpec::new("What the differences come to", Mark::Waterfall, Channel::of("step"), vec![amount]);
    drawn(spec, table, SAME)
}

fn drawn(spec: ChartSpec, table: &Arc<Table>, empty: &str) -> Shown<Picture> {
    let data = Data::new(Arc::new(spec), table.clone())?;
    if data.is_empty() {
        return Ok(Err(empty.to_owned()));
    }
    Ok(Ok(Picture::new(data)))
}

/// What the server makes of counts by key before it sends them: no more than there is room for.
pub(super) fn fewer_keys(column: &str) -> Reduction {
    Reduction::Top { by: column.to_owned(), of: vec!["n".to_owned()], n: KEYS_MOST as u32, others: Others::Sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_total_is_shown_beside_what_is_shown() {
        assert_eq!(shown_note(500, 12_345), "first 500 of 12,345 rows");
        assert_eq!(shown_note(41, 41), "41 rows");
    }

    #[test]
    fn all_is_the_sum_of_its_kinds_and_late_is_a_part_of_added() {
        let counts = Counts { added: 5, late: 2, removed: 1, changed: 3 };
        assert_eq!(
            [None, Some(Kind::Added), Some(Kind::Removed), Some(Kind::Changed)].map(|kind| counts.of(kind)),
            [9, 5, 1, 3]
        );
    }
}
