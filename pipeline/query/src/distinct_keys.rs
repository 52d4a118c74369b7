//! The keys of some rows: to ask the lake for them, and to tell their rows from others.

use std::collections::HashSet;

use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch},
        row::{RowConverter, SortField},
    },
    common::Result,
};
use lake::KeyFilter;

use crate::{layout::Layout, rows::Resolver};

/// Keys, each once.
pub(crate) struct DistinctKeys {
    /// Of the key in the scanned batches.
    columns: Vec<usize>,
    filters: Vec<KeyFilter>,
    converter: RowConverter,
    rows: HashSet<Box<[u8]>>,
}

impl DistinctKeys {
    /// The keys of sorted rows; `None` for more than `most`.
    pub(crate) fn of(sorted: &Resolver, layout: &Layout, most: usize) -> Result<Option<DistinctKeys>> {
        let Some(values) = sorted.distinct_keys(most)? else { return Ok(None) };
        let converter =
            RowConverter::new(values.iter().map(|column| SortField::new(column.data_type().clone())).collect())?;
        let converted = converter.convert_columns(&values)?;
        let rows = converted.iter().map(|row| row.data().into()).collect();
        let filter = |(&column, values): (&usize, ArrayRef)| {
            let column = layout.scan_schema.field(column).name().clone();
            KeyFilter { column, values }
        };
        let filters = layout.keys.iter().zip(values).map(filter).collect();
        Ok(Some(DistinctKeys { columns: layout.keys.clone(), filters, converter, rows }))
    }

    /// Conditions that these keys meet; of keys of several columns others may as well.
    pub(crate) fn filters(&self) -> Vec<KeyFilter> {
        self.filters.clone()
    }

    /// For each row of a scanned batch, whether its key is one of these.
    pub(crate) fn contains(&self, batch: &RecordBatch) -> Result<Vec<bool>> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|&column| batch.column(column).clone()).collect();
        let rows = self.converter.convert_columns(&columns)?;
        Ok(rows.iter().map(|row| self.rows.contains(row.data())).collect())
    }
}
