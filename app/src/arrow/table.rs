//! A whole answer: named columns of one length.

use std::sync::Arc;

use super::{
    Column, decode,
    store::{Outside, Store},
};

/// The column in which the server says how many categories it has put together in a row.
const OTHERS: &str = "others";

/// An answer, decoded.
#[derive(Debug, Clone)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    /// Decodes an Arrow IPC stream. Fails with a plain sentence where the bytes are not one, end too early, or hold a type that
    /// pages do not show.
    pub fn decode(bytes: Vec<u8>) -> Result<Table, String> {
        Table::of(Store::Here(Arc::new(bytes)))
    }

    /// The same for an answer that stays where it is: texts alone are copied.
    pub fn decode_outside(bytes: Arc<dyn Outside>) -> Result<Table, String> {
        Table::of(Store::outside(bytes))
    }

    fn of(store: Store) -> Result<Table, String> {
        decode::decode(&store).map_err(|reason| format!("the answer could not be decoded: {reason}"))
    }

    /// Names and columns, which all have `rows` cells.
    pub(super) fn new(names: Vec<String>, columns: Vec<Column>, rows: usize) -> Table {
        Table { names, columns, rows }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many batches there are; all columns are cut into the same ones.
    pub fn batches(&self) -> usize {
        self.columns.first().map_or(0, |column| column.chunks.len())
    }

    /// The first row of each batch.
    pub fn batch_start(&self, batch: usize) -> usize {
        self.columns.first().and_then(|column| column.chunks.get(batch)).map_or(self.rows, |chunk| chunk.start)
    }

    /// The names of all columns, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A column by its place.
    pub fn column_at(&self, place: usize) -> Option<&Column> {
        self.columns.get(place)
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Result<&Column, String> {
        let position = self.names.iter().position(|known| known == name);
        position.map(|position| &self.columns[position]).ok_or_else(|| format!("the answer has no column '{name}'"))
    }

    /// How many categories a row stands for, where the server has put them together as one.
    pub fn others(&self, row: usize) -> Option<u64> {
        self.column(OTHERS).ok()?.count(row)
    }

    /// Several columns, in the order asked for.
    pub fn columns<const N: usize>(&self, names: [&str; N]) -> Result<[&Column; N], String> {
        let found = names.iter().map(|name| self.column(name)).collect::<Result<Vec<_>, _>>()?;
        found.try_into().map_err(|_| "the answer has other columns than those asked for".to_owned())
    }
}
