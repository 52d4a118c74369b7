//! Rows in memory as a lake keeps them: what is recorded, and what the running process knows of it. After a commit of
//! which it is not known whether it took place these differ, until somebody settles it or the process is another.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use arrow::array::ArrayRef;
use engine::{
    Error, ErrorKind, Result,
    model::{Assertion, EpochRecord, StoredAssertion, rectangles},
    ports::{DatasetInfo, EpochCommit, HeldRows, RowWriter, Sink},
};

use crate::memory::{Row, Rows};

/// What holds of each key in each cell.
pub type Grids = Vec<Vec<i64>>;

/// A lake.
pub struct Lake {
    /// What is recorded.
    pub rows: Arc<Rows>,
    /// While in doubt, the last epoch that the process knows of.
    doubt: Mutex<Option<u64>>,
}

impl Lake {
    pub fn new(rows: Arc<Rows>) -> Lake {
        Lake { rows, doubt: Mutex::default() }
    }

    /// The last epoch that the process knows of; 0 for none.
    pub fn shown_epoch(&self) -> u64 {
        self.doubt.lock().unwrap().unwrap_or_else(|| self.rows.head().map_or(0, |head| head.epoch))
    }

    /// Whether a dataset can be read: a history import only once it is sealed.
    pub fn readable(&self, dataset_id: u32) -> bool {
        let imports = self.rows.definitions[&dataset_id].system_time.is_some();
        let sealed = self.rows.sealed.lock().unwrap().get(&dataset_id).copied();
        !imports || sealed.is_some_and(|sealed| sealed <= self.shown_epoch())
    }

    /// From now on nobody knows whether something was committed behind this epoch.
    pub fn doubt(&self, shown_epoch: u64) {
        *self.doubt.lock().unwrap() = Some(shown_epoch);
    }

    /// Ends the doubt. Where something was committed, whoever builds upon what was shown has to begin anew.
    pub fn end_doubt(&self) -> Result<()> {
        let shown = self.shown_epoch();
        *self.doubt.lock().unwrap() = None;
        match self.shown_epoch() == shown {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Io, "a commit that reported an error had taken place")),
        }
    }

    /// Rows of a dataset.
    pub fn rows_of(&self, dataset_id: u32) -> Vec<Row> {
        self.rows.rows.lock().unwrap().iter().filter(|row| row.dataset_id == dataset_id).cloned().collect()
    }

    /// What holds as of some system times, in ascending order; an error where two versions hold at one place.
    pub fn grids(&self, dataset_id: u32, keys: &[String], cells: usize, times: &[i64]) -> Result<Vec<Grids>, String> {
        let rows = self.rows_of(dataset_id);
        let mut grids = vec![vec![vec![0; cells]; keys.len()]; times.len()];
        for (key_index, key) in keys.iter().enumerate() {
            for (cell, instant) in (0..cells).zip(0_i64..) {
                let covers = |row: &&Row| row.key == *key && row.from <= instant && instant < row.to;
                let mut covering: Vec<&Row> = rows.iter().filter(covers).collect();
                covering.sort_by_key(|row| std::cmp::Reverse(row.system_from));
                for (time_index, time) in times.iter().enumerate() {
                    let mut holding = covering.iter().filter(|row| row.covers(instant, *time));
                    let Some(row) = holding.next() else { continue };
                    if holding.next().is_some_and(|other| other.system_from == row.system_from) {
                        return Err(format!("two versions of {key} hold at {cell} as of {time}: {covering:?}"));
                    }
                    if row.put {
                        grids[time_index][key_index][cell] = row.value.unwrap_or_default();
                    }
                }
            }
        }
        Ok(grids)
    }

    /// Puts exact rectangles in the place of a dataset's rows that were known at a system time; tells how many.
    pub fn compact(&self, dataset_id: u32, known_by: i64) -> usize {
        let chosen = |row: &Row| row.dataset_id == dataset_id && row.system_from <= known_by;
        let mut rows = self.rows.rows.lock().unwrap();
        let (taken, mut left): (Vec<Row>, Vec<Row>) = rows.drain(..).partition(chosen);
        let count = taken.len();
        let mut by_key: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        taken.into_iter().for_each(|row| by_key.entry(row.key.clone()).or_default().push(row));
        by_key.into_values().for_each(|rows| left.extend(exact(&rows)));
        *rows = left;
        count
    }
}

impl Sink for Lake {
    fn dataset(&self, dataset_id: u32, epoch: u64) -> Option<DatasetInfo> {
        let info = self.rows.dataset(dataset_id, epoch)?;
        let shown = self.shown_epoch();
        Some(DatasetInfo { sealed_epoch: info.sealed_epoch.filter(|sealed| *sealed <= shown), ..info })
    }

    fn head(&self) -> Option<EpochRecord> {
        let shown = self.shown_epoch();
        self.rows.epochs.lock().unwrap().iter().rfind(|record| record.epoch <= shown).cloned()
    }

    fn settle(&self) -> Result<()> {
        // Whoever asks builds upon nothing yet.
        let _ = self.end_doubt();
        Ok(())
    }

    /// As recorded, in doubt too.
    fn epochs_after(&self, epoch: u64) -> Result<Vec<EpochRecord>> {
        self.rows.epochs_after(epoch)
    }

    fn values_at(&self, dataset_id: u32, _: u32, keys: &[ArrayRef], instants: &[i64]) -> Result<Vec<ArrayRef>> {
        self.rows.values_as_of(dataset_id, keys, instants, self.shown_epoch())
    }

    fn held_within(
        &self,
        dataset_id: u32,
        version: u32,
        known_before: i64,
        keys: &[ArrayRef],
        within: &[(i64, i64)],
    ) -> Result<HeldRows> {
        self.rows.held_within(dataset_id, version, known_before, keys, within)
    }

    fn writer(&self, dataset_id: u32, version: u32) -> Result<Box<dyn RowWriter>> {
        self.rows.writer(dataset_id, version)
    }

    fn commit(&self, commit: EpochCommit) -> Result<()> {
        self.end_doubt()?;
        self.rows.commit(commit)
    }
}

/// The exact rows of one key.
fn exact(rows: &[Row]) -> Vec<Row> {
    let stored = |row: &Row| StoredAssertion {
        assertion: Assertion { from: row.from, to: row.to, system_from: row.system_from, put: row.put },
        system_to: row.system_to,
    };
    let assertions: Vec<StoredAssertion> = rows.iter().map(stored).collect();
    let said = |index: usize| (rows[index].value, rows[index].sequence);
    let found = rectangles(&assertions, |a, b| said(a) == said(b));
    let row = |found: engine::model::Rectangle| Row {
        from: found.from,
        to: found.to,
        system_to: found.system_to,
        ..rows[found.assertion].clone()
    };
    found.into_iter().map(row).collect()
}
