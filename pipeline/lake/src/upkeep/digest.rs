//! A digest of the resolved plane: a number that two sets of rows have in common exactly when they answer every question
//! alike, whatever files the rows are in, in whatever order, and however they are cut.
//!
//! A row that holds over `[valid_from, valid_to)` × `[system_from, system_to)` adds a hash of what it says at two of the
//! corners of its rectangle and takes it away at the other two, modulo 2¹²⁸. Where a rectangle is cut in two, the corners
//! along the cut cancel each other (the discrete form of the inclusion–exclusion of a two-dimensional prefix sum), so
//! rows are added one by one, as they stream by, and no order is needed. What a row says is its key, its values and
//! since when it is known.
//!
//! The digest guards against faults, not against somebody who looks for collisions of XXH3.

use std::{
    collections::BTreeMap,
    fmt,
    ops::{Add, AddAssign},
    str::FromStr,
};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
        RecordBatch, StringArray, TimestampMicrosecondArray,
    },
    datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use model::OPEN;
use xxhash_rust::xxh3::xxh3_128;

use crate::{Error, Result};

/// The sum over all rows. Shown and stored as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaneDigest(u128);

/// Where a statement holds, in microseconds; [`OPEN`] where an end is unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) valid_from: i64,
    pub(crate) valid_to: i64,
    pub(crate) system_from: i64,
    pub(crate) system_to: i64,
}

impl PlaneDigest {
    /// Adds what holds over a region. An empty region adds nothing.
    pub(crate) fn add_region(&mut self, statement: u128, region: Region) {
        let Region { valid_from, valid_to, system_from, system_to } = region;
        if valid_from >= valid_to || system_from >= system_to {
            return;
        }
        let corner = |valid: i64, system: i64| {
            let mut bytes = [0; 32];
            bytes[..16].copy_from_slice(&statement.to_le_bytes());
            bytes[16..24].copy_from_slice(&valid.to_le_bytes());
            bytes[24..].copy_from_slice(&system.to_le_bytes());
            xxh3_128(&bytes)
        };
        self.0 = self
            .0
            .wrapping_add(corner(valid_from, system_from))
            .wrapping_sub(corner(valid_to, system_from))
            .wrapping_sub(corner(valid_from, system_to))
            .wrapping_add(corner(valid_to, system_to));
    }

    /// Adds a whole row, for rows that are compared as they are.
    pub(crate) fn add_row(&mut self, row: u128) {
        self.0 = self.0.wrapping_add(row);
    }
}

impl Add for PlaneDigest {
    type Output = PlaneDigest;

    fn add(self, other: PlaneDigest) -> PlaneDigest {
        PlaneDigest(self.0.wrapping_add(other.0))
    }
}

impl AddAssign for PlaneDigest {
    fn add_assign(&mut self, other: PlaneDigest) {
        *self = *self + other;
    }
}

impl fmt::Display for PlaneDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for PlaneDigest {
    type Err = Error;

    fn from_str(text: &str) -> Result<PlaneDigest> {
        u128::from_str_radix(text, 16)
            .map(PlaneDigest)
            .map_err(|e| Error::corrupt("a digest in the catalog is no number").with("digest", text).because(e))
    }
}

/// One row of a key, as far as painting needs it. All of them are known until something overrides them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stroke {
    pub(crate) valid_from: i64,
    pub(crate) valid_to: i64,
    pub(crate) system_from: i64,
    pub(crate) put: bool,
    pub(crate) statement: u128,
}

/// Adds what the rows of one key say, worked out by painting them over each other in the order in which they became
/// known. [`model::rectangles`], which compaction uses, sweeps over valid time instead; the two share no code, so a
/// fault of one shows as a difference.
pub(crate) fn paint(strokes: &mut [Stroke], digest: &mut PlaneDigest) {
    strokes.sort_by_key(|stroke| stroke.system_from);
    // What shows now: by start, the end and the stroke.
    let mut shown: BTreeMap<i64, (i64, usize)> = BTreeMap::new();
    let mut painted = |stroke: &Stroke, valid_from: i64, valid_to: i64, system_to: i64| {
        if stroke.put {
            let system_from = stroke.system_from;
            digest.add_region(stroke.statement, Region { valid_from, valid_to, system_from, system_to });
        }
    };
    for (index, stroke) in strokes.iter().enumerate().filter(|(_, stroke)| stroke.valid_from < stroke.valid_to) {
        let first = shown.range(..=stroke.valid_from).next_back().map_or(stroke.valid_from, |(&from, _)| from);
        let under: Vec<(i64, (i64, usize))> = shown
            .range(first..stroke.valid_to)
            .map(|(&from, &below)| (from, below))
            .filter(|(_, (to, _))| *to > stroke.valid_from)
            .collect();
        for (from, (to, below)) in under {
            shown.remove(&from);
            painted(&strokes[below], from.max(stroke.valid_from), to.min(stroke.valid_to), stroke.system_from);
            if from < stroke.valid_from {
                shown.insert(from, (stroke.valid_from, below));
            }
            if to > stroke.valid_to {
                shown.insert(stroke.valid_to, (to, below));
            }
        }
        shown.insert(stroke.valid_from, (stroke.valid_to, index));
    }
    for (from, (to, index)) in shown {
        painted(&strokes[index], from, to, OPEN);
    }
}

/// A column of a batch, by its type.
enum Values<'a> {
    Text(&'a StringArray),
    Bool(&'a BooleanArray),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Real(&'a Float64Array),
    Decimal(&'a Decimal128Array),
    Date(&'a Date32Array),
    Instant(&'a TimestampMicrosecondArray),
}

impl<'a> Values<'a> {
    fn of(column: &'a ArrayRef) -> Result<Values<'a>> {
        Ok(match column.data_type() {
            DataType::Utf8 => Values::Text(column.as_string::<i32>()),
            DataType::Boolean => Values::Bool(column.as_boolean()),
            DataType::Int32 => Values::Int32(column.as_primitive::<Int32Type>()),
            DataType::Int64 => Values::Int64(column.as_primitive::<Int64Type>()),
            DataType::Float64 => Values::Real(column.as_primitive::<Float64Type>()),
            DataType::Decimal128(..) => Values::Decimal(column.as_primitive::<Decimal128Type>()),
            DataType::Date32 => Values::Date(column.as_primitive::<Date32Type>()),
            DataType::Timestamp(..) => Values::Instant(column.as_primitive::<TimestampMicrosecondType>()),
            other => return Err(Error::internal("a column has a type that tables do not have").with("type", other)),
        })
    }

    /// Integers of any width are written alike, so that a column that was widened says the same.
    fn append(&self, row: usize, bytes: &mut Vec<u8>) {
        let integer = |value: i128, bytes: &mut Vec<u8>| {
            bytes.push(1);
            bytes.extend_from_slice(&value.to_le_bytes());
        };
        match self {
            Values::Text(array) => {
                let text = array.value(row).as_bytes();
                bytes.push(2);
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.extend_from_slice(text);
            }
            Values::Real(array) => {
                bytes.push(3);
                bytes.extend_from_slice(&array.value(row).to_bits().to_le_bytes());
            }
            Values::Bool(array) => integer(i128::from(array.value(row)), bytes),
            Values::Int32(array) => integer(i128::from(array.value(row)), bytes),
            Values::Int64(array) => integer(i128::from(array.value(row)), bytes),
            Values::Decimal(array) => integer(array.value(row), bytes),
            Values::Date(array) => integer(i128::from(array.value(row)), bytes),
            Values::Instant(array) => integer(i128::from(array.value(row)), bytes),
        }
    }
}

/// Hashes what each row of a batch says in these columns, given with their field ids. Nulls are left out and columns are
/// told apart by id, so that a column that is added later changes no row that has nothing in it.
pub(crate) fn statements(batch: &RecordBatch, columns: &[(i32, usize)]) -> Result<Vec<u128>> {
    let columns = columns
        .iter()
        .map(|&(id, column)| Ok((id, batch.column(column), Values::of(batch.column(column))?)))
        .collect::<Result<Vec<_>>>()?;
    let mut bytes = Vec::new();
    let mut hashes = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        bytes.clear();
        for (id, column, values) in &columns {
            if column.is_valid(row) {
                bytes.extend_from_slice(&id.to_le_bytes());
                values.append(row, &mut bytes);
            }
        }
        hashes.push(xxh3_128(&bytes));
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(valid_from: i64, valid_to: i64, system_from: i64, system_to: i64) -> Region {
        Region { valid_from, valid_to, system_from, system_to }
    }

    fn sum(parts: &[(u128, Region)]) -> PlaneDigest {
        let mut digest = PlaneDigest::default();
        parts.iter().for_each(|(statement, region)| digest.add_region(*statement, *region));
        digest
    }

    #[test]
    fn cuts_and_order_do_not_matter_and_everything_else_does() {
        let whole = sum(&[(7, region(0, 10, 1, OPEN))]);
        assert_eq!(whole, sum(&[(7, region(4, 10, 1, OPEN)), (7, region(0, 4, 1, OPEN))]));
        assert_eq!(whole, sum(&[(7, region(0, 10, 5, OPEN)), (7, region(0, 3, 1, 5)), (7, region(3, 10, 1, 5))]));
        assert_eq!(whole, sum(&[(7, region(0, 10, 1, OPEN)), (9, region(3, 3, 0, 5)), (9, region(0, 3, 5, 5))]));
        for other in [
            sum(&[]),
            sum(&[(8, region(0, 10, 1, OPEN))]),
            sum(&[(7, region(0, 11, 1, OPEN))]),
            sum(&[(7, region(0, 10, 2, OPEN))]),
            sum(&[(7, region(0, 10, 1, 9))]),
            sum(&[(7, region(0, 10, 1, OPEN)), (7, region(0, 10, 1, OPEN))]),
        ] {
            assert_ne!(whole, other);
        }
        assert_eq!(whole.to_string().parse::<PlaneDigest>().unwrap(), whole);
    }

    #[test]
    fn painting_closes_what_is_painted_over() {
        let stroke = |valid_from, valid_to, system_from, put| Stroke {
            valid_from,
            valid_to,
            system_from,
            put,
            statement: u128::from(system_from.unsigned_abs()),
        };
        let mut digest = PlaneDigest::default();
        let mut strokes = [stroke(5, 7, 3, false), stroke(0, OPEN, 1, true), stroke(3, 6, 2, true)];
        paint(&mut strokes, &mut digest);
        let expected = [
            (1, region(0, 3, 1, OPEN)),
            (1, region(3, 6, 1, 2)),
            (1, region(6, 7, 1, 3)),
            (1, region(7, OPEN, 1, OPEN)),
            (2, region(3, 5, 2, OPEN)),
            (2, region(5, 6, 2, 3)),
        ];
        assert_eq!(digest, sum(&expected));
    }
}
