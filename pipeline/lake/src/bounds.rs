//! Least and greatest values of a column, in files and row groups, and the same as Iceberg writes them down.

use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::DataType,
};
use iceberg::spec::{Datum, PrimitiveLiteral, PrimitiveType};
use parquet::{
    data_type::AsBytes,
    file::{page_index::column_index::ColumnIndexMetaData, statistics::Statistics},
};

/// A value that can be compared with others of its column. Never compared across columns.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(crate) enum Bound {
    /// Booleans, integers, dates, timestamps, unscaled decimals.
    Number(i128),
    /// Doubles; never NaN.
    Real(f64),
    /// UTF-8.
    Text(Vec<u8>),
}

/// What is known of a column in a file or row group. Bounds enclose all values, and need not be values themselves.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ColumnRange {
    /// No value is less.
    pub(crate) min: Option<Bound>,
    /// No value is greater.
    pub(crate) max: Option<Bound>,
    /// Nulls, where counted.
    pub(crate) nulls: Option<u64>,
    /// Rows, nulls among them.
    pub(crate) rows: u64,
}

impl ColumnRange {
    /// The range of two stretches of rows together.
    pub(crate) fn and(self, other: ColumnRange) -> ColumnRange {
        let all_null = |range: &ColumnRange| range.nulls == Some(range.rows);
        let pick = |a: Option<Bound>, b: Option<Bound>, less: bool| match (a, b) {
            (Some(a), Some(b)) => Some(if (b < a) == less { b } else { a }),
            // Without values of its own a stretch does not widen the other; without statistics nothing is known.
            (a, None) if all_null(&other) => a,
            (None, b) if all_null(&self) => b,
            _ => None,
        };
        let (min, max) =
            (pick(self.min.clone(), other.min.clone(), true), pick(self.max.clone(), other.max.clone(), false));
        let nulls = self.nulls.zip(other.nulls).map(|(a, b)| a + b);
        ColumnRange { min, max, nulls, rows: self.rows + other.rows }
    }

    /// Of a column in a row group.
    pub(crate) fn of_statistics(statistics: Option<&Statistics>, rows: u64) -> ColumnRange {
        let Some(statistics) = statistics else { return ColumnRange { rows, ..ColumnRange::default() } };
        let (min, max) = statistics_bounds(statistics).unzip();
        ColumnRange { min, max, nulls: statistics.null_count_opt(), rows }
    }

    /// Of a column in a page.
    pub(crate) fn of_page(index: &ColumnIndexMetaData, page: usize, rows: u64) -> ColumnRange {
        if matches!(index, ColumnIndexMetaData::NONE) {
            return ColumnRange { rows, ..ColumnRange::default() };
        }
        let (min, max) = page_bounds(index, page).unzip();
        let counted = index.null_count(page).and_then(|nulls| u64::try_from(nulls).ok());
        let nulls = if index.is_null_page(page) { Some(rows) } else { counted };
        ColumnRange { min, max, nulls, rows }
    }
}

fn page_bounds(index: &ColumnIndexMetaData, page: usize) -> Option<(Bound, Bound)> {
    use ColumnIndexMetaData as Index;
    Some(match index {
        Index::BOOLEAN(of) => (number(*of.min_value(page)?), number(*of.max_value(page)?)),
        Index::INT32(of) => (number(*of.min_value(page)?), number(*of.max_value(page)?)),
        Index::INT64(of) => (number(*of.min_value(page)?), number(*of.max_value(page)?)),
        Index::DOUBLE(of) => (Bound::Real(*of.min_value(page)?), Bound::Real(*of.max_value(page)?)),
        Index::BYTE_ARRAY(of) => (Bound::Text(of.min_value(page)?.to_vec()), Bound::Text(of.max_value(page)?.to_vec())),
        Index::FIXED_LEN_BYTE_ARRAY(of) => {
            (Bound::Number(big_endian(of.min_value(page)?)?), Bound::Number(big_endian(of.max_value(page)?)?))
        }
        Index::NONE | Index::INT96(_) | Index::FLOAT(_) => return None,
    })
}

fn statistics_bounds(statistics: &Statistics) -> Option<(Bound, Bound)> {
    let number = |value: i128| Bound::Number(value);
    Some(match statistics {
        Statistics::Boolean(s) => (number(i128::from(*s.min_opt()?)), number(i128::from(*s.max_opt()?))),
        Statistics::Int32(s) => (number(i128::from(*s.min_opt()?)), number(i128::from(*s.max_opt()?))),
        Statistics::Int64(s) => (number(i128::from(*s.min_opt()?)), number(i128::from(*s.max_opt()?))),
        Statistics::Double(s) => (Bound::Real(*s.min_opt()?), Bound::Real(*s.max_opt()?)),
        Statistics::ByteArray(s) => {
            (Bound::Text(s.min_opt()?.as_bytes().to_vec()), Bound::Text(s.max_opt()?.as_bytes().to_vec()))
        }
        // The one fixed-length type there is here: a decimal of more than 18 digits, big-endian.
        Statistics::FixedLenByteArray(s) => {
            (number(big_endian(s.min_opt()?.as_bytes())?), number(big_endian(s.max_opt()?.as_bytes())?))
        }
        Statistics::Int96(_) | Statistics::Float(_) => return None,
    })
}

fn big_endian(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first()? & 0x80 != 0;
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide.get_mut(16_usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// A bound from a manifest.
pub(crate) fn from_datum(datum: &Datum) -> Option<Bound> {
    match datum.literal() {
        PrimitiveLiteral::Boolean(value) => Some(Bound::Number(i128::from(*value))),
        PrimitiveLiteral::Int(value) => Some(Bound::Number(i128::from(*value))),
        PrimitiveLiteral::Long(value) => Some(Bound::Number(i128::from(*value))),
        PrimitiveLiteral::Int128(value) => Some(Bound::Number(*value)),
        PrimitiveLiteral::Double(value) => Some(Bound::Real(value.0)),
        PrimitiveLiteral::String(value) => Some(Bound::Text(value.as_bytes().to_vec())),
        _ => None,
    }
}

/// A bound for a manifest. None where the type has none or the bytes are no text; a bound may always be left out.
pub(crate) fn to_datum(bound: &Bound, column_type: &PrimitiveType) -> Option<Datum> {
    match (bound, column_type) {
        (Bound::Number(value), PrimitiveType::Boolean) => Some(Datum::bool(*value != 0)),
        (Bound::Number(value), PrimitiveType::Int) => Some(Datum::int(i32::try_from(*value).ok()?)),
        (Bound::Number(value), PrimitiveType::Date) => Some(Datum::date(i32::try_from(*value).ok()?)),
        (Bound::Number(value), PrimitiveType::Long) => Some(Datum::long(i64::try_from(*value).ok()?)),
        (Bound::Number(value), PrimitiveType::Timestamptz) => {
            Some(Datum::timestamptz_micros(i64::try_from(*value).ok()?))
        }
        (Bound::Number(value), PrimitiveType::Decimal { .. }) => {
            Datum::try_from_bytes(&value.to_be_bytes(), column_type.clone()).ok()
        }
        (Bound::Real(value), PrimitiveType::Double) => Some(Datum::double(*value)),
        (Bound::Text(value), PrimitiveType::String) => Some(Datum::string(std::str::from_utf8(value).ok()?)),
        _ => None,
    }
}

/// The values of an array, nulls left out, ascending. None for a type that is not compared by bounds.
pub(crate) fn sorted_values(values: &ArrayRef) -> Option<Vec<Bound>> {
    let any = values.as_any();
    let mut bounds: Vec<Bound> = match values.data_type() {
        DataType::Utf8 => any.downcast_ref::<StringArray>()?.iter().flatten().map(text).collect(),
        DataType::Boolean => any.downcast_ref::<BooleanArray>()?.iter().flatten().map(number).collect(),
        DataType::Int32 => any.downcast_ref::<Int32Array>()?.iter().flatten().map(number).collect(),
        DataType::Int64 => any.downcast_ref::<Int64Array>()?.iter().flatten().map(number).collect(),
        DataType::Date32 => any.downcast_ref::<Date32Array>()?.iter().flatten().map(number).collect(),
        DataType::Timestamp(..) => {
            any.downcast_ref::<TimestampMicrosecondArray>()?.iter().flatten().map(number).collect()
        }
        DataType::Decimal128(..) => any.downcast_ref::<Decimal128Array>()?.iter().flatten().map(number).collect(),
        _ => return None,
    };
    bounds.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    Some(bounds)
}

fn number(value: impl Into<i128>) -> Bound {
    Bound::Number(value.into())
}

fn text(value: &str) -> Bound {
    Bound::Text(value.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_decimals_keep_their_sign_through_bytes() {
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0x00, 0x80]), Some(128));
        let column_type = PrimitiveType::Decimal { precision: 38, scale: 2 };
        for value in [-12_345_678_901_234_567_890_i128, 0, 7] {
            let datum = to_datum(&Bound::Number(value), &column_type).unwrap();
            let back = Datum::try_from_bytes(&datum.to_bytes().unwrap(), column_type.clone()).unwrap();
            assert_eq!(from_datum(&back), Some(Bound::Number(value)));
        }
    }

    #[test]
    fn a_stretch_of_nulls_does_not_widen_and_one_without_statistics_unknows() {
        let range = |min: i128, max: i128| ColumnRange {
            min: Some(Bound::Number(min)),
            max: Some(Bound::Number(max)),
            nulls: Some(0),
            rows: 5,
        };
        let nulls = ColumnRange { nulls: Some(3), rows: 3, ..ColumnRange::default() };
        let unknown = ColumnRange { rows: 2, ..ColumnRange::default() };
        let both = range(1, 4).and(range(3, 9));
        assert_eq!((both.min.clone(), both.max.clone()), (Some(Bound::Number(1)), Some(Bound::Number(9))));
        let with_nulls = both.clone().and(nulls);
        assert_eq!((with_nulls.min, with_nulls.nulls, with_nulls.rows), (both.min.clone(), Some(3), 13));
        assert_eq!(both.and(unknown).min, None);
    }
}
