//! From the rows of a range of keys to exact rectangles, and the digest of the plane on the way.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array},
    compute::{take, take_record_batch},
    datatypes::{SchemaRef, TimestampMicrosecondType},
};
use model::{
    Assertion, OPEN, OPERATION_COLUMN, StoredAssertion, TIME_COLUMNS, arrow_layout::timestamp_type, rectangles,
};

use super::{
    digest::{PlaneDigest, Region, Stroke, paint, statements},
    partitions::KeyOrder,
    plan::FileKind,
    time_tree::TimeTree,
};
use crate::{Error, Result};

/// Where columns are in a batch of assertion rows.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    pub(crate) keys: usize,
    /// Key and value columns with their field ids, `system_from` with its own: what a row says.
    said: Vec<(i32, usize)>,
    /// All columns with their field ids.
    all: Vec<(i32, usize)>,
    times: [usize; 4],
    operation: usize,
}

impl Columns {
    /// Of a schema whose first columns are the key.
    pub(crate) fn of(schema: &SchemaRef, keys: usize) -> Result<Columns> {
        let index = |name: &str| schema.index_of(name).map_err(Error::from);
        let [valid_from, valid_to, system_from, system_to] = TIME_COLUMNS.map(index);
        let times = [valid_from?, valid_to?, system_from?, system_to?];
        let operation = index(OPERATION_COLUMN)?;
        let all: Vec<(i32, usize)> = (1..).zip(0..schema.fields().len()).collect();
        let not_said = [times[0], times[1], times[3], operation];
        let said = all.iter().copied().filter(|(_, column)| !not_said.contains(column)).collect();
        Ok(Columns { keys, said, all, times, operation })
    }

    fn times<'a>(&self, batch: &'a RecordBatch) -> Times<'a> {
        let [valid_from, valid_to, system_from, system_to] =
            self.times.map(|column| batch.column(column).as_primitive::<TimestampMicrosecondType>());
        Times { valid_from, valid_to, system_from, system_to }
    }
}

struct Times<'a> {
    valid_from: &'a TimestampMicrosecondArray,
    valid_to: &'a TimestampMicrosecondArray,
    system_from: &'a TimestampMicrosecondArray,
    system_to: &'a TimestampMicrosecondArray,
}

impl Times<'_> {
    fn region(&self, row: usize) -> Region {
        let end = |ends: &TimestampMicrosecondArray| if ends.is_null(row) { OPEN } else { ends.value(row) };
        Region {
            valid_from: self.valid_from.value(row),
            valid_to: end(self.valid_to),
            system_from: self.system_from.value(row),
            system_to: end(self.system_to),
        }
    }
}

/// Which file a row goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Class {
    pub(crate) kind: FileKind,
    /// Of the time tree of the kind.
    pub(crate) node: u32,
}

/// How rows are divided over files.
pub(crate) struct Classes {
    /// By valid time, for rows that are known still and have an end.
    pub(crate) closed: TimeTree,
    /// By system time, for rows that are known no longer.
    pub(crate) superseded: TimeTree,
}

impl Classes {
    fn of(&self, region: &Region) -> Class {
        let Region { valid_from, valid_to, system_from, system_to } = *region;
        match (system_to, valid_to) {
            (OPEN, OPEN) => Class { kind: FileKind::Open, node: 1 },
            (OPEN, _) => Class { kind: FileKind::Closed, node: self.closed.node(valid_from, valid_to) },
            _ => Class { kind: FileKind::Superseded, node: self.superseded.node(system_from, system_to) },
        }
    }
}

/// A row to be written: which one it was, and where it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExactRow {
    row: u32,
    pub(crate) region: Region,
}

/// The exact rows of a range of keys, by class, each in the order of the exact sort order.
pub(crate) struct ExactRows {
    batch: RecordBatch,
    columns: Columns,
    pub(crate) by_class: BTreeMap<Class, Vec<ExactRow>>,
    /// Of the rows that came in.
    pub(crate) digest: PlaneDigest,
}

impl ExactRows {
    /// Resolves a range of rows.
    pub(crate) fn resolve(batch: RecordBatch, columns: &Columns, classes: &Classes) -> Result<ExactRows> {
        let said = statements(&batch, &columns.said)?;
        let puts = puts(batch.column(columns.operation))?;
        let order = KeyOrder::new(&batch, columns.keys)?;
        let mut exact = ExactRows {
            batch: batch.clone(),
            columns: columns.clone(),
            by_class: BTreeMap::new(),
            digest: PlaneDigest::default(),
        };
        let times = columns.times(&batch);
        let mut group = Group::default();
        for rows in order.groups() {
            group.clear();
            for row in rows {
                group.push(row, times.region(row), puts[row], said[row], &mut exact.digest);
            }
            group.resolve(&mut exact.digest);
            for row in group.exact.drain(..) {
                exact.by_class.entry(classes.of(&row.region)).or_default().push(row);
            }
        }
        Ok(exact)
    }

    /// Rows of a class as they are written.
    pub(crate) fn rows(&self, rows: &[ExactRow]) -> Result<RecordBatch> {
        let places = UInt32Array::from_iter_values(rows.iter().map(|row| row.row));
        let times = |pick: fn(&Region) -> i64| -> ArrayRef {
            let instants = rows.iter().map(|row| Some(pick(&row.region)).filter(|&instant| instant != OPEN));
            Arc::new(instants.collect::<TimestampMicrosecondArray>().with_data_type(timestamp_type()))
        };
        let [valid_from, valid_to, _, system_to] = self.columns.times;
        let column = |(index, column): (usize, &ArrayRef)| -> Result<ArrayRef> {
            Ok(match index {
                _ if index == valid_from => times(|region| region.valid_from),
                _ if index == valid_to => times(|region| region.valid_to),
                _ if index == system_to => times(|region| region.system_to),
                _ => take(column, &places, None)?,
            })
        };
        let columns = self.batch.columns().iter().enumerate().map(column).collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(self.batch.schema(), columns)?)
    }
}

fn puts(operations: &ArrayRef) -> Result<Vec<bool>> {
    let words: &StringArray = operations.as_string::<i32>();
    let put = |word: Option<&str>| match word {
        Some("put") => Ok(true),
        Some("delete") => Ok(false),
        other => Err(Error::corrupt("a stored row has an unknown operation").with("operation", format!("{other:?}"))),
    };
    words.iter().map(put).collect()
}

/// The rows of one key.
#[derive(Default)]
struct Group {
    rows: Vec<u32>,
    assertions: Vec<StoredAssertion>,
    strokes: Vec<Stroke>,
    exact: Vec<ExactRow>,
}

impl Group {
    fn clear(&mut self) {
        self.rows.clear();
        self.assertions.clear();
        self.strokes.clear();
        self.exact.clear();
    }

    /// A row that is known no longer is exact already.
    fn push(&mut self, row: usize, region: Region, put: bool, statement: u128, digest: &mut PlaneDigest) {
        let row = row as u32;
        if region.system_to != OPEN {
            digest.add_region(statement, region);
            self.exact.push(ExactRow { row, region });
            return;
        }
        let Region { valid_from, valid_to, system_from, system_to } = region;
        let assertion = Assertion { from: valid_from, to: valid_to, system_from, put };
        self.rows.push(row);
        self.assertions.push(StoredAssertion { assertion, system_to });
        self.strokes.push(Stroke { valid_from, valid_to, system_from, put, statement });
    }

    fn resolve(&mut self, digest: &mut PlaneDigest) {
        let said = |index: usize| self.strokes[index].statement;
        for found in rectangles(&self.assertions, |a, b| said(a) == said(b)) {
            let system_from = self.assertions[found.assertion].assertion.system_from;
            let region = Region { valid_from: found.from, valid_to: found.to, system_from, system_to: found.system_to };
            self.exact.push(ExactRow { row: self.rows[found.assertion], region });
        }
        self.exact.sort_unstable_by_key(|row| (row.region.valid_from, row.region.system_from));
        paint(&mut self.strokes, digest);
    }
}

/// Adds exact rows as they are on disk, each for itself, to the digest of the plane as it was known at each of some
/// system times.
pub(crate) fn add_exact(
    batch: &RecordBatch,
    columns: &Columns,
    known: &[i64],
    digests: &mut [PlaneDigest],
) -> Result<()> {
    let said = statements(batch, &columns.said)?;
    let times = columns.times(batch);
    for (row, statement) in said.into_iter().enumerate() {
        let region = times.region(row);
        for (&known, digest) in known.iter().zip(digests.iter_mut()) {
            if region.system_from <= known {
                let system_to = if region.system_to > known { OPEN } else { region.system_to };
                digest.add_region(statement, Region { system_to, ..region });
            }
        }
    }
    Ok(())
}

/// The digest of rows that are not resolved: of all their columns as they are.
pub(crate) fn digest_of_rows(batch: &RecordBatch, columns: &Columns) -> Result<PlaneDigest> {
    let mut digest = PlaneDigest::default();
    statements(batch, &columns.all)?.into_iter().for_each(|row| digest.add_row(row));
    Ok(digest)
}

/// The rows of a range in the order of their keys, earlier known first.
pub(crate) fn by_key(batch: &RecordBatch, columns: &Columns) -> Result<RecordBatch> {
    let times = columns.times(batch);
    let mut places = Vec::with_capacity(batch.num_rows());
    for rows in KeyOrder::new(batch, columns.keys)?.groups() {
        let start = places.len();
        places.extend(rows.map(|row| row as u32));
        places[start..].sort_unstable_by_key(|&row| {
            let region = times.region(row as usize);
            (region.system_from, region.valid_from)
        });
    }
    Ok(take_record_batch(batch, &UInt32Array::from(places))?)
}
