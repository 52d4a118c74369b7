//! One cell of a column, read with its type. Null is `None`; a type that cannot be what is asked for is `None` as well.

use arrow_array::{
    Array, ArrayRef,
    cast::AsArray,
    types::{
        Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
        UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType, TimeUnit};

use crate::format::{number, time};

/// Text as it is.
pub fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(column.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(column.as_string_view().value(row)),
        _ => None,
    }
}

/// An instant in microseconds since 1970-01-01 UTC; a day is its midnight. Nanoseconds are cut down.
pub fn instant_micros(column: &ArrayRef, row: usize) -> Option<i64> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Some(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Some(column.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            column.as_primitive::<TimestampMillisecondType>().value(row).checked_mul(1_000)
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            column.as_primitive::<TimestampSecondType>().value(row).checked_mul(1_000_000)
        }
        DataType::Date32 => date_days(column, row).map(|days| days * time::DAY_MICROS),
        _ => None,
    }
}

/// A day, in days since 1970-01-01.
pub fn date_days(column: &ArrayRef, row: usize) -> Option<i64> {
    let is_date = *column.data_type() == DataType::Date32 && !column.is_null(row);
    is_date.then(|| i64::from(column.as_primitive::<Date32Type>().value(row)))
}

/// An integer of any width, exactly.
pub fn integer(column: &ArrayRef, row: usize) -> Option<i128> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        _ => return None,
    })
}

/// A number for drawing, as near as a double comes. Not for showing: [`display`] keeps the digits.
pub fn number(column: &ArrayRef, row: usize) -> Option<f64> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => Some(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Decimal128(_, scale) => {
            let unscaled = column.as_primitive::<Decimal128Type>().value(row);
            Some(unscaled as f64 / 10_f64.powi(i32::from(*scale)))
        }
        _ => integer(column, row).map(|value| value as f64),
    }
}

/// What a table shows: every digit of integers and decimals, times with their zone.
pub fn display(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Boolean => Some(if column.as_boolean().value(row) { "yes" } else { "no" }.to_owned()),
        DataType::Decimal128(_, scale) => {
            Some(number::decimal_text(column.as_primitive::<Decimal128Type>().value(row), *scale))
        }
        DataType::Float64 | DataType::Float32 => number(column, row).map(number::float_text),
        DataType::Date32 => date_days(column, row).map(time::day_text),
        DataType::Timestamp(_, _) => instant_micros(column, row).map(time::moment_text),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => text(column, row).map(str::to_owned),
        _ => integer(column, row).map(number::integer_text),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, TimestampMicrosecondArray,
        TimestampNanosecondArray,
    };

    use super::*;

    fn decimal(unscaled: i128, scale: i8) -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![Some(unscaled), None]).with_precision_and_scale(38, scale).unwrap())
    }

    #[test]
    fn every_type_is_shown_exactly() {
        let moment = 1_774_980_000_000_000;
        let cases: Vec<(ArrayRef, &str)> = vec![
            (decimal(12_043_100_000_000_000_001, 16), "1,204.3100000000000001"),
            (Arc::new(Int64Array::from(vec![i64::MAX])), "9,223,372,036,854,775,807"),
            (Arc::new(Float64Array::from(vec![-0.1])), "−0.1"),
            (Arc::new(BooleanArray::from(vec![true])), "yes"),
            (Arc::new(Date32Array::from(vec![20_543])), "31 Mar 2026"),
            (Arc::new(TimestampMicrosecondArray::from(vec![moment]).with_timezone("+00:00")), "31 Mar 2026, 18:00 UTC"),
            (Arc::new(TimestampNanosecondArray::from(vec![moment * 1_000 + 7])), "31 Mar 2026, 18:00 UTC"),
        ];
        for (column, expected) in cases {
            assert_eq!(display(&column, 0).as_deref(), Some(expected));
        }
    }

    #[test]
    fn null_and_unfit_types_are_none() {
        assert_eq!(display(&decimal(1, 0), 1), None);
        assert_eq!(number(&decimal(1, 0), 1), None);
        assert_eq!(text(&decimal(1, 0), 0), None);
        assert_eq!(instant_micros(&decimal(1, 0), 0), None);
    }

    #[test]
    fn numbers_for_drawing_follow_the_scale() {
        assert_eq!(number(&decimal(12_043_100, 4), 0), Some(1204.31));
    }
}
