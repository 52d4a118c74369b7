//! A whole answer: named columns of one length.

use super::{Column, decode};

/// An answer, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    /// Decodes an Arrow IPC stream. Fails with a plain sentence where the bytes are not one, end too early, or hold a type that
    /// pages do not show.
    pub fn decode(bytes: &[u8]) -> Result<Table, String> {
        decode::decode(bytes).map_err(|reason| format!("the answer could not be decoded: {reason}"))
    }

    /// Names and columns, which all have `rows` cells.
    pub(super) fn new(names: Vec<String>, columns: Vec<Column>, rows: usize) -> Table {
        Table { names, columns, rows }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Result<&Column, String> {
        let position = self.names.iter().position(|known| known == name);
        position.map(|position| &self.columns[position]).ok_or_else(|| format!("the answer has no column '{name}'"))
    }

    /// Several columns, in the order asked for.
    pub fn columns<const N: usize>(&self, names: [&str; N]) -> Result<[&Column; N], String> {
        let mut found = [const { &Column::EMPTY }; N];
        for (column, name) in found.iter_mut().zip(names) {
            *column = self.column(name)?;
        }
        Ok(found)
    }
}
