//! Whether two rows assert the same value, whatever batches they are in.

use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{
        ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimeUnit,
        TimestampMicrosecondType,
    },
};

/// Whether row `i` of `a` and row `j` of `b`, two parts of one column, are the same. Null is the same as null; floats
/// are the same when their bits are, so that a NaN does not differ from itself.
pub(crate) fn same_value(a: &ArrayRef, i: usize, b: &ArrayRef, j: usize) -> bool {
    if a.is_null(i) || b.is_null(j) {
        return a.is_null(i) && b.is_null(j);
    }
    match a.data_type() {
        DataType::Utf8 => a.as_string::<i32>().value(i) == b.as_string::<i32>().value(j),
        DataType::Boolean => a.as_boolean().value(i) == b.as_boolean().value(j),
        DataType::Int32 => same::<Int32Type>(a, i, b, j),
        DataType::Int64 => same::<Int64Type>(a, i, b, j),
        DataType::Date32 => same::<Date32Type>(a, i, b, j),
        DataType::Decimal128(..) => same::<Decimal128Type>(a, i, b, j),
        DataType::Timestamp(TimeUnit::Microsecond, _) => same::<TimestampMicrosecondType>(a, i, b, j),
        DataType::Float64 => {
            let bits = |array: &ArrayRef, row: usize| array.as_primitive::<Float64Type>().value(row).to_bits();
            bits(a, i) == bits(b, j)
        }
        _ => a.slice(i, 1).to_data() == b.slice(j, 1).to_data(),
    }
}

fn same<T: ArrowPrimitiveType>(a: &ArrayRef, i: usize, b: &ArrayRef, j: usize) -> bool {
    a.as_primitive::<T>().value(i) == b.as_primitive::<T>().value(j)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Decimal128Array, Float64Array, StringArray};

    use super::*;

    #[test]
    fn nulls_and_nans_are_themselves() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(1.0), None]));
        assert!(same_value(&floats, 0, &floats, 0));
        assert!(same_value(&floats, 1, &floats, 3));
        assert!(!same_value(&floats, 1, &floats, 2));
        assert!(!same_value(&floats, 0, &floats, 2));
    }

    #[test]
    fn parts_of_a_column_compare_by_value() {
        let a: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
        let b: ArrayRef = Arc::new(StringArray::from(vec!["y"]));
        assert!(same_value(&a, 1, &b, 0) && !same_value(&a, 0, &b, 0));
        let decimals: ArrayRef =
            Arc::new(Decimal128Array::from(vec![1, 1, 2]).with_data_type(DataType::Decimal128(38, 2)));
        assert!(same_value(&decimals, 0, &decimals, 1) && !same_value(&decimals, 1, &decimals, 2));
    }
}
