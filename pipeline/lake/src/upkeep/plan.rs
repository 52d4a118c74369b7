//! What a compaction takes in: pure decisions over what is known of a table's files.
//!
//! All appended rows are taken, because each of them is later than every exact row and earlier than what is appended
//! from now on. Of the exact files only those are taken that appended rows can override, and those so small that
//! several of them are better one.

use std::{collections::HashMap, path::PathBuf};

use iceberg::spec::DataFile;

use crate::{
    bounds::{Bound, from_datum},
    files::path_of,
    layout::EXACT_SORT_ORDER_ID,
};

/// Exact files of about one size are put together once there are so many.
const FILES_PER_TIER: usize = 8;
/// Sizes of one tier differ by less than this factor.
const TIER_FACTOR: u64 = 8;
/// Files of so many rows are large enough.
const ROWS_ENOUGH: u64 = 1 << 18;

/// What is known of a data file without opening it.
#[derive(Debug, Clone)]
pub(crate) struct FileFacts {
    pub(crate) location: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) kind: FileKind,
    /// Of the first key column.
    pub(crate) keys: Option<(Bound, Bound)>,
    /// First and last instant, the end exclusive; none where unbounded or unknown.
    pub(crate) valid_from: Option<i64>,
    pub(crate) valid_to: Option<i64>,
    /// When the last of its rows ceased to be known; none where one is known still, or it is unknown.
    pub(crate) known_until: Option<i64>,
    /// Whether it lies elsewhere than in its table's folder.
    pub(crate) archived: bool,
}

/// What the rows of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum FileKind {
    /// As epochs brought them.
    Appended,
    /// Exact, known still, and holding for ever.
    Open,
    /// Exact, known still, with an end in valid time.
    Closed,
    /// Exact, and known no longer.
    Superseded,
}

impl FileFacts {
    /// `ids` are those of fields, by their names in files.
    pub(crate) fn of(file: &DataFile, table_location: &str, ids: &HashMap<String, i32>, key: &str) -> FileFacts {
        let id = |column: &str| ids.get(column).copied().unwrap_or_default();
        let low = |column: &str| file.lower_bounds().get(&id(column)).and_then(from_datum);
        let high = |column: &str| file.upper_bounds().get(&id(column)).and_then(from_datum);
        let no_nulls = |column: &str| file.null_value_counts().get(&id(column)) == Some(&0);
        let kind = match file.sort_order_id() {
            Some(EXACT_SORT_ORDER_ID) if no_nulls("system_to") => FileKind::Superseded,
            Some(EXACT_SORT_ORDER_ID) if no_nulls("valid_to") => FileKind::Closed,
            Some(EXACT_SORT_ORDER_ID) => FileKind::Open,
            _ => FileKind::Appended,
        };
        FileFacts {
            location: file.file_path().to_owned(),
            rows: file.record_count(),
            bytes: file.file_size_in_bytes(),
            kind,
            keys: low(key).zip(high(key)),
            valid_from: micros(low("valid_from")),
            valid_to: micros(high("valid_to")).filter(|_| no_nulls("valid_to")),
            known_until: micros(high("system_to")).filter(|_| no_nulls("system_to")),
            archived: !path_of(file.file_path()).starts_with(path_of(table_location)),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        path_of(&self.location)
    }

    /// Whether a row of the one can concern a row of the other.
    fn meets(&self, other: &FileFacts) -> bool {
        let before = |end: Option<i64>, start: Option<i64>| end.zip(start).is_some_and(|(end, start)| end <= start);
        let apart = before(self.valid_to, other.valid_from) || before(other.valid_to, self.valid_from);
        let other_keys = match (&self.keys, &other.keys) {
            (Some((a_low, a_high)), Some((b_low, b_high))) => a_high < b_low || b_high < a_low,
            _ => false,
        };
        !apart && !other_keys
    }

    fn tier(&self) -> u32 {
        self.rows.max(1).ilog(TIER_FACTOR)
    }
}

fn micros(bound: Option<Bound>) -> Option<i64> {
    match bound {
        Some(Bound::Number(value)) => i64::try_from(value).ok(),
        _ => None,
    }
}

/// The files a compaction has to take in, none of them twice; empty where there is nothing to do.
pub(crate) fn inputs(files: &[FileFacts]) -> Vec<FileFacts> {
    let appended: Vec<&FileFacts> = files.iter().filter(|file| file.kind == FileKind::Appended).collect();
    let taken = |file: &FileFacts| match file.kind {
        FileKind::Appended => true,
        FileKind::Superseded => many_of_a_size(files, file),
        _ => many_of_a_size(files, file) || appended.iter().any(|rows| rows.meets(file)),
    };
    files.iter().filter(|file| taken(file)).cloned().collect()
}

fn many_of_a_size(files: &[FileFacts], file: &FileFacts) -> bool {
    let alike = |other: &&FileFacts| other.kind == file.kind && other.rows < ROWS_ENOUGH && other.tier() == file.tier();
    file.rows < ROWS_ENOUGH && files.iter().filter(alike).count() >= FILES_PER_TIER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(location: &str, kind: FileKind, keys: (i128, i128), valid: (i64, Option<i64>), rows: u64) -> FileFacts {
        FileFacts {
            location: location.to_owned(),
            rows,
            bytes: rows,
            kind,
            keys: Some((Bound::Number(keys.0), Bound::Number(keys.1))),
            valid_from: Some(valid.0),
            valid_to: valid.1,
            known_until: None,
            archived: false,
        }
    }

    fn taken(files: &[FileFacts]) -> Vec<String> {
        inputs(files).into_iter().map(|file| file.location).collect()
    }

    #[test]
    fn exact_files_are_taken_where_appended_rows_can_override_them() {
        let mut files = vec![
            file("keys elsewhere", FileKind::Open, (20, 30), (0, None), 1_000_000),
            file("ended before", FileKind::Closed, (0, 9), (0, Some(100)), 1_000_000),
            file("touched", FileKind::Closed, (0, 9), (0, Some(101)), 1_000_000),
            file("open", FileKind::Open, (9, 12), (0, None), 1_000_000),
            file("known no longer", FileKind::Superseded, (0, 9), (0, None), 1_000_000),
        ];
        assert!(taken(&files).is_empty());
        files.push(file("appended", FileKind::Appended, (5, 10), (100, None), 10));
        assert_eq!(taken(&files), ["touched", "open", "appended"]);
    }

    #[test]
    fn small_files_of_a_size_become_one() {
        let small = |index: i64| file(&index.to_string(), FileKind::Superseded, (0, 0), (0, None), 100);
        let mut files: Vec<FileFacts> = (0..7).map(small).collect();
        files.push(file("larger", FileKind::Superseded, (0, 0), (0, None), 5_000));
        assert!(taken(&files).is_empty());
        files.push(small(7));
        assert_eq!(taken(&files).len(), 8);
        let enough = |_| file("x", FileKind::Superseded, (0, 0), (0, None), ROWS_ENOUGH);
        assert!(taken(&(0..20).map(enough).collect::<Vec<_>>()).is_empty());
    }
}
