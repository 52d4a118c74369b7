//! One column, and its cells read with their types. Null is `None`; a type that cannot be what is asked for is `None` as well.

use crate::format::{number, time};

/// A column of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// False where a cell is null.
    pub(super) valid: Vec<bool>,
    /// The cells, as many as `valid`; what stands in a null cell says nothing.
    pub(super) values: Values,
}

/// The cells of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// Nulls only.
    Null,
    Text(Vec<String>),
    Bool(Vec<bool>),
    /// Integers of any width.
    Integer(Vec<i128>),
    Float(Vec<f64>),
    /// `unscaled / 10^scale`.
    Decimal(Vec<i128>, i8),
    /// Days since 1970-01-01.
    Date(Vec<i64>),
    /// Microseconds since 1970-01-01 UTC.
    Instant(Vec<i64>),
}

impl Column {
    /// No cells.
    pub(super) const EMPTY: Column = Column { valid: Vec::new(), values: Values::Null };

    fn is_valid(&self, row: usize) -> bool {
        self.valid.get(row).copied().unwrap_or(false)
    }

    /// Text as it is.
    pub fn text(&self, row: usize) -> Option<&str> {
        match &self.values {
            Values::Text(cells) if self.is_valid(row) => cells.get(row).map(String::as_str),
            _ => None,
        }
    }

    /// An instant in microseconds since 1970-01-01 UTC; a day is its midnight.
    pub fn instant_micros(&self, row: usize) -> Option<i64> {
        match &self.values {
            Values::Instant(cells) if self.is_valid(row) => cells.get(row).copied(),
            Values::Date(cells) if self.is_valid(row) => cells.get(row).map(|days| days * time::DAY_MICROS),
            _ => None,
        }
    }

    /// An integer of any width, exactly.
    pub fn integer(&self, row: usize) -> Option<i128> {
        match &self.values {
            Values::Integer(cells) if self.is_valid(row) => cells.get(row).copied(),
            _ => None,
        }
    }

    /// A count: an integer that is not negative.
    pub fn count(&self, row: usize) -> Option<u64> {
        self.integer(row).and_then(|value| u64::try_from(value).ok())
    }

    /// Yes or no.
    pub fn boolean(&self, row: usize) -> Option<bool> {
        match &self.values {
            Values::Bool(cells) if self.is_valid(row) => cells.get(row).copied(),
            _ => None,
        }
    }

    /// A number for drawing, as near as a double comes. Not for showing: [`Column::display`] keeps the digits.
    pub fn number(&self, row: usize) -> Option<f64> {
        match &self.values {
            Values::Float(cells) if self.is_valid(row) => cells.get(row).copied(),
            Values::Decimal(cells, scale) if self.is_valid(row) => {
                cells.get(row).map(|unscaled| *unscaled as f64 / 10_f64.powi(i32::from(*scale)))
            }
            _ => self.integer(row).map(|value| value as f64),
        }
    }

    /// What a table shows: every digit of integers and decimals, times with their zone.
    pub fn display(&self, row: usize) -> Option<String> {
        match &self.values {
            Values::Null => None,
            Values::Text(_) => self.text(row).map(str::to_owned),
            Values::Bool(_) => self.boolean(row).map(|yes| if yes { "yes" } else { "no" }.to_owned()),
            Values::Integer(_) => self.integer(row).map(number::integer_text),
            Values::Float(_) => self.number(row).map(number::float_text),
            Values::Decimal(cells, scale) => {
                cells.get(row).filter(|_| self.is_valid(row)).map(|unscaled| number::decimal_text(*unscaled, *scale))
            }
            Values::Date(_) => self.instant_micros(row).map(|micros| time::day_text(time::day_of(micros))),
            Values::Instant(_) => self.instant_micros(row).map(time::moment_text),
        }
    }

    /// As [`Column::display`], with a dash for null.
    pub fn display_or_dash(&self, row: usize) -> String {
        self.display(row).unwrap_or_else(|| "–".to_owned())
    }
}
