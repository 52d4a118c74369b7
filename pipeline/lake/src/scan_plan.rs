//! Which data files, row groups and pages can hold what a scan asks for, judged by bounds and statistics alone.

use std::{cmp::Ordering, collections::HashMap, path::PathBuf, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::DataFile;
use model::TIME_COLUMNS;
use parquet::{
    arrow::arrow_reader::{RowSelection, RowSelector},
    file::{metadata::ParquetMetaData, page_index::column_index::ColumnIndexMetaData},
};

use crate::{
    Part, Result, ScanRequest,
    bounds::{Bound, ColumnRange, from_datum},
    files::{blocking, path_of},
    filter::Filter,
    lake::{Shared, TableState},
    layout::EXACT_SORT_ORDER_ID,
    scan::{Query, Read},
    scan_read::{RowGroup, SmallFile, Unit},
};

/// Files below this are decoded whole, and what was decoded is kept. Exact files are sorted by key, so that their
/// pages leave little to decode, and are not written again and again.
const SMALL_FILE_BYTES: u64 = 8 << 20;
const SMALL_EXACT_FILE_BYTES: u64 = 256 << 10;
/// So much of what one scan reads is decoded whole, the latest first: about what is kept of decoded files holds. More would only
/// drive out what is kept, and columns would be decoded that nobody asks for. Of files below the second bound it does not
/// pay to open them for some of their columns.
const WHOLE_BYTES: u64 = 32 << 20;
const TINY_FILE_BYTES: u64 = 128 << 10;
/// Small files are answered together up to so many rows or bytes on disk.
const GROUP_ROWS: u64 = 1 << 15;
const GROUP_BYTES: u64 = SMALL_FILE_BYTES;
const LOADED_AT_ONCE: usize = 8;

/// The files of a table, with what they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanFiles {
    /// Data files.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their size.
    pub bytes: u64,
}

/// How many of the data files of the part asked for the bounds of each condition leave, one condition after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruning {
    /// All of them.
    pub files: u64,
    /// Those that hold rows known at the system times asked for.
    pub known: u64,
    /// And rows valid where it is asked for.
    pub valid: u64,
    /// And rows of the keys asked for.
    pub keys: u64,
}

/// How many files of each kind may hold rows that are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Assertions as they were appended.
    pub appended: u64,
    /// Exact rectangles that were not superseded.
    pub current: u64,
    /// Exact rectangles some of which were.
    pub superseded: u64,
}

/// A data file that may hold rows, with the conditions its bounds leave open.
struct ScanFile {
    path: PathBuf,
    rows: u64,
    bytes: u64,
    exact: bool,
    filter: Filter,
    /// The ranges of the key columns.
    keys: Vec<ColumnRange>,
    /// When the last row became known.
    known: Option<Bound>,
}

fn is_exact(file: &DataFile) -> bool {
    file.sort_order_id() == Some(EXACT_SORT_ORDER_ID)
}

impl Part {
    fn has(self, file: &DataFile) -> bool {
        match self {
            Part::All => true,
            Part::Exact => is_exact(file),
            Part::Appended => !is_exact(file),
        }
    }
}

/// The range of a column in a file, by the column's name in files.
fn file_range(field_ids: &HashMap<String, i32>, file: &DataFile, column: &str) -> ColumnRange {
    let rows = file.record_count();
    let Some(&id) = field_ids.get(column) else {
        return ColumnRange { rows, ..ColumnRange::default() };
    };
    ColumnRange {
        min: file.lower_bounds().get(&id).and_then(from_datum),
        max: file.upper_bounds().get(&id).and_then(from_datum),
        nulls: file.null_value_counts().get(&id).copied(),
        rows,
    }
}

/// Counts what the bounds of a request's conditions leave of the table's files.
pub(crate) async fn pruning(read: &Read, request: &ScanRequest) -> Result<Pruning> {
    let known = request.known();
    let nowhere = request.valid_overlap.is_some_and(|(from, to)| from >= to);
    let valid = match request.valid_overlap {
        Some((from, to)) if !nowhere => Filter::default().valid_within(from, to),
        _ => Filter::default(),
    };
    let mut keys = Filter::default();
    for filter in &request.key_filters {
        keys = read.one_of(keys, filter)?;
    }
    let field_ids = read.table.dataset.columns.field_ids();
    let mut counted = Pruning::default();
    live_files(&read.shared, &read.table, |file| {
        if !request.part.has(file) {
            return None::<()>;
        }
        let left = |filter: &Filter| filter.within(|column| file_range(&field_ids, file, column)).is_some();
        let known = left(&known);
        let valid = known && !nowhere && left(&valid);
        counted.files += 1;
        counted.known += u64::from(known);
        counted.valid += u64::from(valid);
        counted.keys += u64::from(valid && left(&keys));
        None
    })
    .await?;
    Ok(counted)
}

/// Counts the files that may hold rows of a checked scan, by kind.
pub(crate) async fn kinds(query: &Query) -> Result<Kinds> {
    let mut counted = Kinds::default();
    live_files(&query.read.shared, &query.read.table, |file| {
        let range = |column: &str| file_range(&query.field_ids, file, column);
        if query.part.has(file) && query.filter.within(range).is_some() {
            let kind = match range("system_to").nulls {
                _ if !is_exact(file) => &mut counted.appended,
                Some(nulls) if nulls == file.record_count() => &mut counted.current,
                _ => &mut counted.superseded,
            };
            *kind += 1;
        }
        None::<()>
    })
    .await?;
    Ok(counted)
}

/// Counts the files of a table.
pub(crate) async fn count_files(shared: &Shared, table: &TableState) -> Result<ScanFiles> {
    let files = live_files(shared, table, |file| Some((file.record_count(), file.file_size_in_bytes()))).await?;
    let mut counted = ScanFiles { files: files.len() as u64, ..ScanFiles::default() };
    for (rows, bytes) in files {
        counted.rows += rows;
        counted.bytes += bytes;
    }
    Ok(counted)
}

pub(crate) async fn live_files<T>(
    shared: &Shared,
    table: &TableState,
    mut pick: impl FnMut(&DataFile) -> Option<T>,
) -> Result<Vec<T>> {
    let mut picked = Vec::new();
    let loads: Vec<_> = table.manifests.iter().map(|manifest| shared.manifests.load(manifest)).collect();
    let mut manifests = stream::iter(loads).buffered(LOADED_AT_ONCE);
    while let Some(entries) = manifests.try_next().await? {
        picked.extend(entries.iter().filter(|entry| entry.is_alive()).filter_map(|entry| pick(entry.data_file())));
    }
    Ok(picked)
}

async fn scan_files(query: &Query) -> Result<Vec<ScanFile>> {
    // Key columns are stored first, and have been there from the first.
    let read = &query.read;
    let keys = &read.table.dataset.columns.all()[..read.dataset.definition.key.len()];
    live_files(&read.shared, &read.table, |file| {
        let range = |column: &str| file_range(&query.field_ids, file, column);
        if !query.part.has(file) {
            return None;
        }
        let filter = query.filter.within(range)?;
        let keys = keys.iter().map(|key| range(&key.name)).collect();
        let (rows, bytes, exact) = (file.record_count(), file.file_size_in_bytes(), is_exact(file));
        let known = range("system_from").max;
        Some(ScanFile { path: path_of(file.file_path()), rows, bytes, exact, filter, keys, known })
    })
    .await
}

/// The pieces of work that answer a scan in any order. What became known last comes first, as far as that goes: rows that
/// it overrides are then never kept by whoever looks for the latest.
pub(crate) async fn units_of(query: &Arc<Query>) -> Result<Vec<Unit>> {
    let mut files = scan_files(query).await?;
    files.sort_by(|a, b| b.known.partial_cmp(&a.known).unwrap_or(Ordering::Equal));
    let mut whole_bytes = 0;
    let (small, large): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| {
        whole_bytes += if file.is_small() { file.bytes } else { 0 };
        file.is_small() && (whole_bytes <= WHOLE_BYTES || file.bytes < TINY_FILE_BYTES)
    });
    let large = large.into_iter().map(|file| {
        let query = query.clone();
        blocking(move || row_groups(&query.read.shared, file))
    });
    let groups: Vec<Vec<RowGroup>> = stream::iter(large).buffered(LOADED_AT_ONCE).try_collect().await?;
    let mut units: Vec<Unit> = group_small(small).into_iter().map(Unit::Small).collect();
    // Within a file rows were written in the order in which they became known.
    units.extend(groups.into_iter().flat_map(|groups| groups.into_iter().rev()).map(Unit::RowGroup));
    Ok(units)
}

/// The row groups of sorted files, in chains in which keys ascend from file to file.
pub(crate) async fn chains(query: &Arc<Query>) -> Result<Vec<Vec<RowGroup>>> {
    let files = chained(scan_files(query).await?, |file| &file.keys);
    let mut chains: Vec<Vec<RowGroup>> = files.iter().map(|_| Vec::new()).collect();
    let loads =
        files.into_iter().enumerate().flat_map(|(chain, files)| files.into_iter().map(move |file| (chain, file)));
    let loads = loads.map(|(chain, file)| {
        let query = query.clone();
        blocking(move || Ok((chain, row_groups(&query.read.shared, file)?)))
    });
    let mut loaded = stream::iter(loads).buffered(LOADED_AT_ONCE);
    while let Some((chain, groups)) = loaded.try_next().await? {
        chains[chain].extend(groups);
    }
    chains.retain(|groups| !groups.is_empty());
    Ok(chains)
}

/// Spreads files over as few chains as their key ranges allow; within a chain no two files share a key.
fn chained<T>(mut files: Vec<T>, keys: impl Fn(&T) -> &Vec<ColumnRange>) -> Vec<Vec<T>> {
    files.sort_by(|a, b| {
        let order = |(a, b): (&ColumnRange, &ColumnRange)| a.min.partial_cmp(&b.min).unwrap_or(Ordering::Equal);
        keys(a).iter().zip(keys(b)).map(order).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    let mut chains: Vec<Vec<T>> = Vec::new();
    for file in files {
        let fits = |chain: &&mut Vec<T>| chain.last().is_some_and(|last| precedes(keys(last), keys(&file)));
        match chains.iter_mut().find(fits) {
            Some(chain) => chain.push(file),
            None => chains.push(vec![file]),
        }
    }
    chains
}

/// Whether every key within the first ranges is less than every key within the second.
fn precedes(first: &[ColumnRange], second: &[ColumnRange]) -> bool {
    for (first, second) in first.iter().zip(second) {
        let (Some(max), Some(min)) = (&first.max, &second.min) else { return false };
        match max.partial_cmp(min) {
            Some(Ordering::Less) => return true,
            // The next column decides if this one has a single value.
            Some(Ordering::Equal) if first.min == first.max && second.min == second.max => {}
            _ => return false,
        }
    }
    false
}

impl ScanFile {
    fn is_small(&self) -> bool {
        self.bytes < if self.exact { SMALL_EXACT_FILE_BYTES } else { SMALL_FILE_BYTES }
    }
}

fn group_small(files: Vec<ScanFile>) -> Vec<Vec<SmallFile>> {
    let mut groups: Vec<Vec<SmallFile>> = Vec::new();
    let (mut rows, mut bytes) = (u64::MAX, 0);
    for file in files {
        if rows.saturating_add(file.rows) > GROUP_ROWS || bytes + file.bytes > GROUP_BYTES {
            groups.push(Vec::new());
            (rows, bytes) = (0, 0);
        }
        rows += file.rows;
        bytes += file.bytes;
        if let Some(group) = groups.last_mut() {
            group.push(SmallFile { path: file.path, filter: file.filter });
        }
    }
    groups
}

fn row_groups(shared: &Shared, file: ScanFile) -> Result<Vec<RowGroup>> {
    let footer = shared.files.footer(&file.path)?;
    let metadata = footer.metadata().clone();
    let mut groups = Vec::new();
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let rows = group.num_rows().unsigned_abs();
        let filter = file.filter.within(|column| {
            match leaf_of(&metadata, column) {
                Some(leaf) => ColumnRange::of_statistics(group.column(leaf).statistics(), rows),
                // The file is older than the column.
                None if !TIME_COLUMNS.contains(&column) => {
                    ColumnRange { nulls: Some(rows), rows, ..ColumnRange::default() }
                }
                None => ColumnRange { rows, ..ColumnRange::default() },
            }
        });
        let Some(filter) = filter else { continue };
        let selection = selection(&metadata, index, &filter);
        if selection.as_ref().is_none_or(RowSelection::selects_any) {
            groups.push(RowGroup { path: file.path.clone(), footer: footer.clone(), index, filter, selection });
        }
    }
    Ok(groups)
}

/// Where a column is in a file.
pub(crate) fn leaf_of(metadata: &ParquetMetaData, column: &str) -> Option<usize> {
    metadata.file_metadata().schema_descr().columns().iter().position(|leaf| leaf.name() == column)
}

/// The rows of a row group that lie in pages in which every condition may be met; `None` for all of them.
fn selection(metadata: &ParquetMetaData, group: usize, filter: &Filter) -> Option<RowSelection> {
    let mut selected: Option<RowSelection> = None;
    for condition in filter.conditions() {
        // The pages of two columns begin at different rows.
        let Some(column) = condition.only_column() else { continue };
        let pages = page_ranges(metadata, group, column).unwrap_or_default();
        let selectors: Vec<RowSelector> = pages
            .into_iter()
            .map(|page| RowSelector { row_count: page.rows as usize, skip: condition.excludes(&page) })
            .collect();
        if selectors.iter().any(|selector| selector.skip) {
            let here = RowSelection::from(selectors);
            selected = Some(match selected {
                Some(before) => before.intersection(&here),
                None => here,
            });
        }
    }
    selected
}

/// The range of each page of a column, where the file has them.
fn page_ranges(metadata: &ParquetMetaData, group: usize, column: &str) -> Option<Vec<ColumnRange>> {
    let leaf = leaf_of(metadata, column)?;
    let index = metadata.column_index()?.get(group)?.get(leaf)?;
    let pages = metadata.offset_index()?.get(group)?.get(leaf)?.page_locations();
    // Files of appended rows have no statistics of pages.
    if matches!(index, ColumnIndexMetaData::NONE) || index.num_pages() != pages.len() as u64 {
        return None;
    }
    let rows_of_group = metadata.row_group(group).num_rows();
    let range = |page: usize| {
        let end = pages.get(page + 1).map_or(rows_of_group, |next| next.first_row_index);
        let rows = end.checked_sub(pages[page].first_row_index).and_then(|rows| u64::try_from(rows).ok())?;
        Some(ColumnRange::of_page(index, page, rows))
    };
    (0..pages.len()).map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ranges: &[(&str, &str)]) -> Vec<ColumnRange> {
        let text = |text: &str| Some(Bound::Text(text.into()));
        let range =
            |&(min, max): &(&str, &str)| ColumnRange { min: text(min), max: text(max), nulls: Some(0), rows: 1 };
        ranges.iter().map(range).collect()
    }

    #[test]
    fn files_are_chained_where_no_key_can_be_in_two() {
        let files = vec![key(&[("c", "f")]), key(&[("a", "b")]), key(&[("b", "d")]), key(&[("e", "g")])];
        let chains = chained(files, |file| file);
        let shown: Vec<Vec<_>> = chains.iter().map(|chain| chain.iter().map(|f| f[0].min.clone()).collect()).collect();
        let text = |text: &str| Some(Bound::Text(text.into()));
        assert_eq!(shown, [vec![text("a"), text("c")], vec![text("b"), text("e")]]);
    }

    #[test]
    fn a_second_column_decides_where_the_first_has_one_value() {
        assert!(precedes(&key(&[("a", "a"), ("a", "m")]), &key(&[("a", "a"), ("n", "z")])));
        assert!(!precedes(&key(&[("a", "a"), ("a", "m")]), &key(&[("a", "a"), ("m", "z")])));
        assert!(!precedes(&key(&[("a", "b"), ("a", "m")]), &key(&[("b", "b"), ("n", "z")])));
        assert!(!precedes(&[ColumnRange::default()], &key(&[("a", "a")])));
    }
}
