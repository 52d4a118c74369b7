//! How a dataset's rows are best read, depending on which kinds of files hold what is asked for.

use datafusion::common::Result;
use lake::{Kinds, Part, ScanRequest, TableSnapshot};

use crate::{
    coordinates::ValidTime,
    error::external,
    layout::{Column, DiffSide, Layout, Reading},
};

/// From files to what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Rows of exact files are what comes out; nothing overrides or adjoins them.
    Exact,
    /// Exact files are read in the order of keys, with appended rows sorted in among them; there may be rows of theirs that
    /// adjoin and say the same: superseded ones, and those that differ in what is hidden by now.
    Merged { adjoining: bool },
    /// There are appended rows alone, of which the latest of each key holds: only these are kept, and sorted.
    Winnowed,
    /// There are appended rows alone, of which each side of a diff shows the latest of each key: only these are kept.
    WinnowedSides(DiffSide, DiffSide),
    /// There are appended rows alone: of the keys that a diff can concern all are taken in and sorted.
    CollectedChanged(DiffSide, DiffSide),
    /// There are appended rows alone: all are taken in and sorted.
    Collected,
}

/// Finds the way for a request, judging by the bounds of files.
pub(crate) async fn choose(table: &TableSnapshot, layout: &Layout, request: &ScanRequest) -> Result<Way> {
    let kinds = table.kinds(request).await.map_err(external)?;
    Ok(way_of(layout.reading, layout.valid_overlap.is_some(), kinds, table.hides_columns()))
}

/// `at_instant` says that all rows read are valid at the instant asked for. Exact rows that differ only in columns that
/// are hidden by now have to be joined, like superseded ones.
fn way_of(reading: Reading, at_instant: bool, kinds: Kinds, hides_columns: bool) -> Way {
    match (reading, kinds) {
        (Reading::Latest, Kinds { current: 0, superseded: 0, .. }) => Way::Winnowed,
        (Reading::Diff(before, after), Kinds { current: 0, superseded: 0, .. }) if before.valid == after.valid => {
            if at_instant {
                Way::WinnowedSides(before, after)
            } else {
                Way::CollectedChanged(before, after)
            }
        }
        (_, Kinds { current: 0, superseded: 0, .. }) => Way::Collected,
        // One exact row of a key covers an instant.
        (Reading::Latest, Kinds { appended: 0, .. }) => Way::Exact,
        // Current rows have been joined to what they are; of superseded ones neighbours may have to be.
        (Reading::Versions(_) | Reading::First(_), Kinds { appended: 0, superseded: 0, .. }) if !hides_columns => {
            Way::Exact
        }
        (_, Kinds { superseded, .. }) => Way::Merged { adjoining: superseded > 0 || hides_columns },
    }
}

/// Asks for what a layout needs of the files of both kinds.
pub(crate) fn request_of(layout: &Layout) -> ScanRequest {
    let system_to_after = match layout.reading {
        Reading::Latest | Reading::Versions(_) => Some(layout.known.micros()),
        // What ended before both sides is known at neither.
        Reading::Diff(before, after) => Some(before.system.min(after.system).micros()),
        Reading::Rectangles(..) | Reading::First(_) => None,
    };
    ScanRequest {
        columns: layout.scan_schema.fields().iter().map(|field| field.name().clone()).collect(),
        system_from_at_most: layout.known.micros(),
        system_to_after,
        valid_overlap: layout.valid_overlap,
        ..ScanRequest::default()
    }
}

/// Where versions have to be valid to come out, if anywhere.
fn asked(layout: &Layout) -> Option<(i64, i64)> {
    match layout.reading {
        Reading::Versions(valid) | Reading::First(valid) => match valid {
            ValidTime::All => None,
            ValidTime::At(at) => Some((at.micros(), at.micros().saturating_add(1))),
            ValidTime::Within { from, to } => Some((from, to)),
        },
        _ => None,
    }
}

/// Asks for the rows of exact files that are what comes out.
pub(crate) fn exact_request(layout: &Layout, request: &ScanRequest) -> ScanRequest {
    let names = exact_columns(layout).into_iter().map(|column| layout.scan_schema.field(column).name().clone());
    ScanRequest {
        columns: names.collect(),
        part: Part::Exact,
        // Their bounds are right whatever else is read.
        valid_overlap: request.valid_overlap.or(asked(layout)),
        ..request.clone()
    }
}

/// The scanned columns, ascending, that are given out as they are or decide the order.
pub(crate) fn exact_columns(layout: &Layout) -> Vec<usize> {
    let stored = layout.output.iter().filter_map(|column| stored_as(layout, *column));
    let mut columns: Vec<usize> = stored.chain(exact_order(layout)).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The scanned columns by which exact rows that come out are in order.
pub(crate) fn exact_order(layout: &Layout) -> Vec<usize> {
    let start = (layout.reading != Reading::Latest).then_some(layout.times[0]);
    layout.keys.iter().copied().chain(start).collect()
}

/// The scanned column that a column of exact rows comes out of; `None` for one that is null in all of them.
pub(crate) fn stored_as(layout: &Layout, column: Column) -> Option<usize> {
    match column {
        Column::Stored(column) => Some(column),
        Column::ValidFrom => Some(layout.times[0]),
        Column::ValidTo => Some(layout.times[1]),
        _ => None,
    }
}

/// Asks for the rows of exact files that keys without appended rows need; of a diff other keys need more.
pub(crate) fn sufficient(layout: &Layout, request: &ScanRequest, adjoining: bool) -> ScanRequest {
    let request = ScanRequest { part: Part::Exact, ..request.clone() };
    match layout.reading {
        // Current rows adjoin nothing that they could be joined with, and cut nothing that is later known.
        Reading::Versions(_) if !adjoining => {
            ScanRequest { valid_overlap: request.valid_overlap.or(asked(layout)), ..request }
        }
        // What was known at both sides says the same at both; between two valid instants that is no help.
        Reading::Diff(before, after) if before.valid == after.valid => {
            ScanRequest { changed_between: Some(in_order(before, after)), ..request }
        }
        // What ended before the range is no part of it and adjoins nothing that is.
        Reading::Rectangles(_, from) => ScanRequest { system_to_after: Some(from), ..request },
        _ => request,
    }
}

/// Asks for the appended rows that one side of a diff has and the other has not.
pub(crate) fn changed(request: &ScanRequest, before: DiffSide, after: DiffSide) -> ScanRequest {
    ScanRequest { changed_between: Some(in_order(before, after)), ..request.clone() }
}

/// Asks for the appended rows that both sides of a diff have.
pub(crate) fn unchanged(request: &ScanRequest, before: DiffSide, after: DiffSide) -> ScanRequest {
    ScanRequest { system_from_at_most: in_order(before, after).0, ..request.clone() }
}

fn in_order(before: DiffSide, after: DiffSide) -> (i64, i64) {
    (before.system.min(after.system).micros(), before.system.max(after.system).micros())
}

#[cfg(test)]
mod tests {
    use lake::model::Instant;

    use super::*;

    #[test]
    fn exact_rows_are_the_answer_where_nothing_overrides_or_adjoins_them() {
        let kinds = |appended, current, superseded| Kinds { appended, current, superseded };
        let (versions, first) = (Reading::Versions(ValidTime::All), Reading::First(ValidTime::All));
        let side = |micros| DiffSide { system: Instant(micros), valid: None };
        let (before, after) = (side(1), side(2));
        let diff = Reading::Diff(before, after);
        let elsewhere = Reading::Diff(before, DiffSide { valid: Some(Instant(5)), ..after });
        for (reading, kinds, hides, expected) in [
            (Reading::Latest, kinds(0, 1, 1), false, Way::Exact),
            (Reading::Latest, kinds(1, 1, 0), false, Way::Merged { adjoining: false }),
            (Reading::Latest, kinds(3, 0, 0), false, Way::Winnowed),
            (Reading::Latest, kinds(0, 0, 0), false, Way::Winnowed),
            (versions, kinds(3, 0, 0), false, Way::Collected),
            (versions, kinds(0, 4, 0), false, Way::Exact),
            (versions, kinds(0, 4, 1), false, Way::Merged { adjoining: true }),
            (first, kinds(3, 0, 0), false, Way::Collected),
            (first, kinds(0, 4, 0), false, Way::Exact),
            (first, kinds(0, 4, 1), false, Way::Merged { adjoining: true }),
            (first, kinds(0, 4, 0), true, Way::Merged { adjoining: true }),
            (Reading::Rectangles(ValidTime::All, 0), kinds(0, 4, 0), false, Way::Merged { adjoining: false }),
            (diff, kinds(0, 4, 0), false, Way::Merged { adjoining: false }),
            (diff, kinds(3, 0, 0), false, Way::CollectedChanged(before, after)),
            (elsewhere, kinds(3, 0, 0), false, Way::Collected),
            (Reading::Latest, kinds(0, 1, 1), true, Way::Exact),
            (versions, kinds(3, 0, 0), true, Way::Collected),
            (versions, kinds(0, 4, 0), true, Way::Merged { adjoining: true }),
        ] {
            let found = way_of(reading, false, kinds, hides);
            assert_eq!(found, expected, "{reading:?} {kinds:?} {hides}");
        }
        assert_eq!(way_of(diff, true, kinds(3, 0, 0), false), Way::WinnowedSides(before, after));
    }
}
