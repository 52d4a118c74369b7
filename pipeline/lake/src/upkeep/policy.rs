//! What upkeep is due: pure decisions over the files of a table.

use model::Instant;
use serde::{Deserialize, Serialize};

use super::{
    plan::{FileFacts, FileKind, inputs},
    runs::UpkeepKind,
};

/// Appended files a table may have before something is done about them.
const APPENDED_FILES: usize = 64;
/// Appended rows that are worth resolving however few files they are in.
const APPENDED_ROWS: u64 = 4 << 20;
/// Exact rows that may be rewritten for each appended row.
const REWRITE_FACTOR: u64 = 4;
/// Exact rows that may be rewritten for any number of appended rows.
const REWRITE_ROWS: u64 = 1 << 18;
/// Appended files of about one size that are put together, and the factor by which sizes of one tier differ.
const MERGE_FILES: usize = 16;
const MERGE_TIER_FACTOR: u64 = 8;
/// Appended files of so many bytes stay as they are.
const MERGE_BYTES: u64 = 64 << 20;
/// Bytes that are archived in one go by itself, so that what a stop of the server cuts off is not much.
const ARCHIVE_BYTES: u64 = 4 << 30;

/// How much upkeep is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What is due by the number, size and age of files.
    Due,
    /// All there is to resolve.
    All,
    /// All that is old enough for the archive.
    Archive,
}

/// One piece of upkeep: which files, and what to do with them.
#[derive(Debug, Clone)]
pub struct UpkeepJob {
    pub(crate) kind: UpkeepKind,
    pub(crate) reason: String,
    pub(crate) inputs: Vec<FileFacts>,
}

/// What a piece of upkeep would take in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpkeepPlan {
    /// The dataset.
    pub dataset: String,
    /// What would be done.
    pub kind: UpkeepKind,
    /// Why.
    pub reason: String,
    /// Files that would be replaced.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their size.
    pub bytes: u64,
}

impl UpkeepJob {
    /// The same without archived files, where the archive is out of reach. These are known no longer, so that nothing
    /// overrides them, and are taken in for their size alone.
    pub(crate) fn without_archived(mut self) -> Option<UpkeepJob> {
        self.inputs.retain(|file| !file.archived);
        (!self.inputs.is_empty()).then_some(self)
    }

    pub(crate) fn plan(&self, dataset: &str) -> UpkeepPlan {
        UpkeepPlan {
            dataset: dataset.to_owned(),
            kind: self.kind,
            reason: self.reason.clone(),
            files: self.inputs.len() as u64,
            rows: self.inputs.iter().map(|file| file.rows).sum(),
            bytes: self.inputs.iter().map(|file| file.bytes).sum(),
        }
    }
}

/// What to do. Files whose rows ceased to be known before `archive_before`, in microseconds, may be archived.
pub(crate) fn chosen(
    extent: Extent,
    files: &[FileFacts],
    open_import: bool,
    archive_before: Option<i64>,
) -> Option<UpkeepJob> {
    let archived = |bytes_max| archive_before.and_then(|before| archive(files, before, bytes_max));
    match extent {
        Extent::All => forced(files, open_import),
        Extent::Archive => archived(u64::MAX),
        Extent::Due => due(files, open_import).or_else(|| archived(ARCHIVE_BYTES)),
    }
}

/// The files that have been superseded whole before an instant and are not archived, those that have been so for longest
/// first, up to so many bytes and at least one.
fn archive(files: &[FileFacts], before: i64, bytes_max: u64) -> Option<UpkeepJob> {
    let old = |file: &&FileFacts| {
        file.kind == FileKind::Superseded && !file.archived && file.known_until.is_some_and(|until| until <= before)
    };
    let mut inputs: Vec<FileFacts> = files.iter().filter(old).cloned().collect();
    inputs.sort_by_key(|file| file.known_until);
    let mut bytes = 0_u64;
    let fitting = inputs.iter().take_while(|file| {
        let fits = bytes == 0 || bytes.saturating_add(file.bytes) <= bytes_max;
        bytes = bytes.saturating_add(file.bytes);
        fits
    });
    let fitting = fitting.count();
    inputs.truncate(fitting);
    let until = Instant(inputs.last()?.known_until?);
    let reason = format!("{} superseded files, known no longer since {until} or before", inputs.len());
    Some(UpkeepJob { kind: UpkeepKind::Archive, reason, inputs })
}

/// What to do when told to: everything there is to resolve; of an import that is not sealed, which nobody may resolve
/// yet, all its files become few.
fn forced(files: &[FileFacts], open_import: bool) -> Option<UpkeepJob> {
    let (kind, inputs) = if open_import {
        let appended = files.iter().filter(|file| file.kind == FileKind::Appended && file.bytes < MERGE_BYTES);
        (UpkeepKind::Merge, appended.cloned().collect::<Vec<_>>())
    } else {
        (UpkeepKind::Compaction, inputs(files))
    };
    let enough = if kind == UpkeepKind::Merge { inputs.len() > 1 } else { !inputs.is_empty() };
    enough.then(|| UpkeepJob { kind, reason: "asked for".to_owned(), inputs })
}

/// What to do by itself.
///
/// Appended rows are resolved once they are many, or in many files, unless that would rewrite far more exact rows than
/// there are appended ones; then small appended files are put together instead, sizes alike, so that each row is
/// rewritten a few times in all and not once for each commit.
fn due(files: &[FileFacts], open_import: bool) -> Option<UpkeepJob> {
    let appended: Vec<&FileFacts> = files.iter().filter(|file| file.kind == FileKind::Appended).collect();
    let rows: u64 = appended.iter().map(|file| file.rows).sum();
    let compaction = inputs(files);
    let many = appended.len() >= APPENDED_FILES;
    if open_import {
        return if many { merge(&appended) } else { None };
    }
    let rewritten: u64 = compaction.iter().filter(|file| file.kind != FileKind::Appended).map(|file| file.rows).sum();
    let worth_it = rewritten <= REWRITE_ROWS.max(rows.saturating_mul(REWRITE_FACTOR));
    let reason = match () {
        () if many => format!("{} appended files", appended.len()),
        () if rows >= APPENDED_ROWS => format!("{rows} appended rows"),
        () if appended.is_empty() && !compaction.is_empty() => "small exact files".to_owned(),
        () => return None,
    };
    if worth_it || appended.is_empty() {
        return Some(UpkeepJob { kind: UpkeepKind::Compaction, reason, inputs: compaction });
    }
    if many { merge(&appended) } else { None }
}

/// Puts the appended files of one size together, of the smallest size of which there are enough.
fn merge(appended: &[&FileFacts]) -> Option<UpkeepJob> {
    let tier = |file: &FileFacts| file.bytes.max(1).ilog(MERGE_TIER_FACTOR);
    let mut tiers: Vec<u32> = appended.iter().filter(|file| file.bytes < MERGE_BYTES).map(|file| tier(file)).collect();
    tiers.sort_unstable();
    let chosen = *tiers.iter().find(|&&chosen| tiers.iter().filter(|tier| **tier == chosen).count() >= MERGE_FILES)?;
    let of_tier = |file: &&&FileFacts| file.bytes < MERGE_BYTES && tier(file) == chosen;
    let inputs: Vec<FileFacts> = appended.iter().filter(of_tier).map(|file| FileFacts::clone(file)).collect();
    let reason = format!("{} appended files, of which {} are small and alike", appended.len(), inputs.len());
    Some(UpkeepJob { kind: UpkeepKind::Merge, reason, inputs })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(kind: FileKind, count: usize, rows: u64, bytes: u64) -> Vec<FileFacts> {
        let file = FileFacts {
            location: String::new(),
            rows,
            bytes,
            kind,
            keys: None,
            valid_from: None,
            valid_to: None,
            known_until: None,
            archived: false,
        };
        vec![file; count]
    }

    fn chosen(files: &[Vec<FileFacts>]) -> Option<(UpkeepKind, usize)> {
        due(&files.concat(), false).map(|job| (job.kind, job.inputs.len()))
    }

    #[test]
    fn appended_rows_are_resolved_once_they_are_many_or_in_many_files() {
        use FileKind::{Appended, Open};
        assert_eq!(chosen(&[files(Appended, 63, 10, 1_000)]), None);
        assert_eq!(chosen(&[files(Appended, 64, 10, 1_000)]), Some((UpkeepKind::Compaction, 64)));
        assert_eq!(chosen(&[files(Appended, 2, APPENDED_ROWS / 2, 1 << 30)]), Some((UpkeepKind::Compaction, 2)));
        let small = files(Open, 1, REWRITE_ROWS, 1 << 20);
        assert_eq!(chosen(&[files(Appended, 64, 10, 1_000), small]), Some((UpkeepKind::Compaction, 65)));
    }

    #[test]
    fn a_large_table_is_not_rewritten_for_a_few_rows() {
        use FileKind::{Appended, Open};
        let large = files(Open, 10, 1 << 20, 1 << 26);
        assert_eq!(chosen(&[files(Appended, 64, 10, 1_000), large.clone()]), Some((UpkeepKind::Merge, 64)));
        let unlike: Vec<Vec<FileFacts>> = (0..8).map(|tier| files(Appended, 8, 10, 8_u64.pow(tier))).collect();
        assert_eq!(chosen(&[unlike.concat(), large.clone()]), None);
        assert_eq!(chosen(&[files(Appended, 64, 1 << 16, 1 << 20), large]), Some((UpkeepKind::Compaction, 74)));
    }

    #[test]
    fn files_superseded_long_ago_are_archived_oldest_first() {
        let file = |kind, known_until, archived| FileFacts {
            known_until,
            archived,
            ..files(kind, 1, 10, ARCHIVE_BYTES / 2).remove(0)
        };
        let held = [
            file(FileKind::Superseded, Some(30), false),
            file(FileKind::Superseded, Some(10), false),
            file(FileKind::Superseded, Some(20), false),
            file(FileKind::Superseded, Some(5), true),
            file(FileKind::Superseded, Some(31), false),
            file(FileKind::Superseded, None, false),
            file(FileKind::Closed, None, false),
        ];
        let chosen = |extent, before| {
            let job = super::chosen(extent, &held, false, before)?;
            assert_eq!(job.kind, UpkeepKind::Archive);
            Some(job.inputs.iter().filter_map(|file| file.known_until).collect::<Vec<i64>>())
        };
        assert_eq!(chosen(Extent::Archive, Some(30)), Some(vec![10, 20, 30]));
        assert_eq!(chosen(Extent::Due, Some(30)), Some(vec![10, 20]));
        assert_eq!(chosen(Extent::Due, Some(9)), None);
        assert_eq!(chosen(Extent::Archive, None), None);
        assert_eq!(chosen(Extent::All, Some(30)), None);
        let large = [FileFacts { bytes: 2 * ARCHIVE_BYTES, ..held[0].clone() }];
        assert!(super::chosen(Extent::Due, &large, false, Some(30)).is_some(), "one goes whatever its size");
        let appended = files(FileKind::Appended, APPENDED_FILES, 10, 1_000);
        let job = super::chosen(Extent::Due, &[&held[..], &appended].concat(), false, Some(30)).unwrap();
        assert_eq!(job.kind, UpkeepKind::Compaction, "what can be resolved comes first");
    }

    #[test]
    fn nobody_resolves_an_import_that_is_not_whole() {
        let appended = files(FileKind::Appended, 100, 1 << 20, 1_000);
        assert_eq!(due(&appended, true).map(|job| job.kind), Some(UpkeepKind::Merge));
        assert_eq!(forced(&appended, true).map(|job| job.kind), Some(UpkeepKind::Merge));
        assert!(forced(&appended[..1], true).is_none());
    }
}
