//! One column, and its cells read with their types. Null is `None`; a type that cannot be what is asked for is `None` as well.
//!
//! A cell is read out of the bytes of the answer when somebody asks for it.

use std::ops::Range;

use super::{
    cells::{self, Kind},
    store::Store,
};
use crate::format::{number, time, value::Number};

/// A column of an answer.
#[derive(Debug, Clone)]
pub struct Column {
    pub(super) kind: Kind,
    /// The whole answer, or what of it is kept of this column.
    pub(super) store: Store,
    /// Where in it the column's cells are, batch by batch.
    pub(super) chunks: Vec<Chunk>,
}

/// The cells of a column in one batch. Every range lies inside the answer's bytes and is long enough for `rows`.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    /// Row of the answer that is the first here.
    pub(super) start: usize,
    pub(super) rows: usize,
    /// A bit for each row; empty where none is null.
    pub(super) validity: Range<usize>,
    /// Values, offsets of texts, or views.
    pub(super) values: Range<usize>,
    /// Texts: their bytes. Views: the buffers they point into.
    pub(super) data: Vec<Range<usize>>,
}

/// A cell's place: its chunk, and its row in it.
type Place<'a> = (&'a Chunk, usize);

impl Column {
    /// Where a cell that is not null lies.
    fn place(&self, row: usize) -> Option<Place<'_>> {
        let after = self.chunks.partition_point(|chunk| chunk.start <= row);
        let chunk = self.chunks.get(after.checked_sub(1)?)?;
        let row = row - chunk.start;
        (row < chunk.rows && self.kind != Kind::Null && self.is_valid(chunk, row)).then_some((chunk, row))
    }

    fn is_valid(&self, chunk: &Chunk, row: usize) -> bool {
        let at = chunk.validity.start + row / 8;
        chunk.validity.is_empty() || self.store.read_cell(at..at + 1, |byte| cells::bit(byte, row % 8))
    }

    /// Reads the bytes of a cell that is as wide as all others.
    fn read<R>(&self, (chunk, row): Place<'_>, read: impl FnOnce(&[u8]) -> R) -> R {
        let width = cells::width(self.kind);
        let at = chunk.values.start + row * width;
        self.store.read_cell(at..at + width, read)
    }

    /// The values of a batch where they are kept here, as texts are.
    fn values(&self, chunk: &Chunk) -> &[u8] {
        self.store.here().get(chunk.values.clone()).unwrap_or_default()
    }

    /// Whether the cell is null; a row that is not there is.
    pub fn is_null(&self, row: usize) -> bool {
        self.place(row).is_none()
    }

    /// Whether cells are numbers: integers, floats or decimals.
    pub fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Integer { .. } | Kind::Float { .. } | Kind::Decimal { .. })
    }

    /// Whether cells are days or instants.
    pub fn is_time(&self) -> bool {
        matches!(self.kind, Kind::Date | Kind::Instant { .. })
    }

    /// Whether cells are days.
    pub fn is_day(&self) -> bool {
        self.kind == Kind::Date
    }

    /// Whether the column holds nothing but nulls, by its type.
    pub fn is_untyped(&self) -> bool {
        self.kind == Kind::Null
    }

    /// Whether cells are texts.
    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text { .. } | Kind::TextView)
    }

    /// Text as it is.
    pub fn text(&self, row: usize) -> Option<&str> {
        let (chunk, row) = self.place(row)?;
        let values = self.values(chunk);
        let bytes = match self.kind {
            Kind::Text { offset_bytes } => {
                let range = cells::offset(values, row, offset_bytes)..cells::offset(values, row + 1, offset_bytes);
                self.store.here().get(chunk.data.first()?.clone())?.get(range)
            }
            Kind::TextView => cells::view(values, row, |buffer| self.store.here().get(chunk.data.get(buffer)?.clone())),
            _ => None,
        };
        // Checked when the answer was decoded.
        std::str::from_utf8(bytes?).ok()
    }

    /// An instant in microseconds since 1970-01-01 UTC; a day is its midnight.
    pub fn instant_micros(&self, row: usize) -> Option<i64> {
        self.read(self.place(row)?, |cell| cells::instant(self.kind, cell, 0))
    }

    /// An integer of any width, exactly.
    pub fn integer(&self, row: usize) -> Option<i128> {
        let Kind::Integer { bytes, signed } = self.kind else { return None };
        Some(self.read(self.place(row)?, |cell| cells::integer(cell, 0, bytes, signed)))
    }

    /// A count: an integer that is not negative.
    pub fn count(&self, row: usize) -> Option<u64> {
        self.integer(row).and_then(|value| u64::try_from(value).ok())
    }

    /// Yes or no.
    pub fn boolean(&self, row: usize) -> Option<bool> {
        let (chunk, row) = self.place(row)?;
        (self.kind == Kind::Bool).then(|| cells::bit(self.values(chunk), row))
    }

    /// A number for drawing, as near as a double comes. Not for showing: [`Column::display`] keeps the digits.
    pub fn number(&self, row: usize) -> Option<f64> {
        self.read(self.place(row)?, |cell| cells::number(self.kind, cell, 0))
    }

    /// A number with every digit it has.
    pub fn value(&self, row: usize) -> Option<Number> {
        self.read(self.place(row)?, |cell| match self.kind {
            Kind::Integer { bytes, signed } => Some(Number::integer(cells::integer(cell, 0, bytes, signed))),
            Kind::Decimal { bytes, scale } => {
                Some(Number::Exact { unscaled: cells::integer(cell, 0, bytes, true), scale })
            }
            kind => cells::number(kind, cell, 0).map(Number::Float),
        })
    }

    /// What a table shows: every digit of integers and decimals, times with their zone.
    pub fn display(&self, row: usize) -> Option<String> {
        match self.kind {
            Kind::Null => None,
            Kind::Text { .. } | Kind::TextView => self.text(row).map(str::to_owned),
            Kind::Bool => self.boolean(row).map(|yes| if yes { "yes" } else { "no" }.to_owned()),
            Kind::Integer { .. } => self.integer(row).map(number::integer_text),
            Kind::Float { .. } => self.number(row).map(number::float_text),
            Kind::Decimal { bytes, scale } => {
                let unscaled = self.read(self.place(row)?, |cell| cells::integer(cell, 0, bytes, true));
                Some(number::decimal_text(unscaled, scale))
            }
            Kind::Date => self.instant_micros(row).map(|micros| time::day_text(time::day_of(micros))),
            Kind::Instant { .. } => self.instant_micros(row).map(time::moment_text),
        }
    }

    /// A cell as the server reads it back: texts as they are, numbers without grouping, times in ISO. `None` for null.
    pub fn plain_text(&self, row: usize) -> Option<String> {
        match self.kind {
            Kind::Null => None,
            Kind::Text { .. } | Kind::TextView => self.text(row).map(str::to_owned),
            Kind::Bool => self.boolean(row).map(|yes| yes.to_string()),
            Kind::Integer { .. } => self.integer(row).map(|value| value.to_string()),
            Kind::Float { .. } => self.number(row).map(|value| value.to_string()),
            Kind::Decimal { bytes, scale } => {
                let unscaled = self.read(self.place(row)?, |cell| cells::integer(cell, 0, bytes, true));
                Some(number::plain_decimal_text(unscaled, scale))
            }
            Kind::Date => self.instant_micros(row).map(|micros| time::iso_day(time::day_of(micros))),
            Kind::Instant { .. } => self.instant_micros(row).map(time::iso),
        }
    }

    /// As [`Column::display`], with a dash for null.
    pub fn display_or_dash(&self, row: usize) -> String {
        self.display(row).unwrap_or_else(|| "–".to_owned())
    }

    /// Numbers for drawing of the rows of one batch ([`super::Table::batches`]), NaN for null. `into` is emptied first.
    pub fn numbers_into(&self, batch: usize, into: &mut Vec<f64>) {
        into.clear();
        let Some(chunk) = self.chunks.get(batch) else { return };
        self.store.read(chunk.values.clone(), |values| cells::numbers(self.kind, values, chunk.rows, into));
        self.mark_nulls(chunk, into);
    }

    /// Instants of the rows of one batch for drawing, in microseconds, NaN for null. `into` is emptied first.
    pub fn micros_into(&self, batch: usize, into: &mut Vec<f64>) {
        into.clear();
        let Some(chunk) = self.chunks.get(batch) else { return };
        self.store.read(chunk.values.clone(), |values| cells::instants(self.kind, values, chunk.rows, into));
        self.mark_nulls(chunk, into);
    }

    fn mark_nulls(&self, chunk: &Chunk, cells: &mut [f64]) {
        if chunk.validity.is_empty() {
            return;
        }
        self.store.read(chunk.validity.clone(), |bits| columns::mark_nulls(bits, cells));
    }
}
