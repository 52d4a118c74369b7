//! Sums of a column by slot, and columns of them.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, Float64Array, Int64Array},
        datatypes::{DECIMAL128_MAX_PRECISION, DataType},
    },
    common::Result,
};

use crate::{Error, ErrorKind, error::external};

use super::{
    numbers::{Column, Kind, Number, Numbers, sum_type},
    slots,
    sums::{FLOAT_SUM_BYTES, FloatSum, IntegerSum},
};

/// Sums by slot, each with how many values it has. Nulls, NaN and the infinities take no part.
pub(crate) enum Totals {
    Integers(Vec<(IntegerSum, i64)>),
    Floats(Vec<(FloatSum, i64)>),
}

impl Totals {
    /// For a column of a type that can be added up.
    pub(crate) fn of(data_type: &DataType) -> Totals {
        match Kind::of(data_type) {
            Some(Kind::F64) => Totals::Floats(Vec::new()),
            _ => Totals::Integers(Vec::new()),
        }
    }

    /// Makes room for so many slots.
    pub(crate) fn reserve(&mut self, slots: usize) {
        match self {
            Totals::Integers(sums) => sums.resize(slots.max(sums.len()), (IntegerSum::default(), 0)),
            Totals::Floats(sums) => sums.resize(slots.max(sums.len()), (FloatSum::default(), 0)),
        }
    }

    /// Adds values to slots there is room for; each pair is a row and its slot.
    pub(crate) fn add(&mut self, column: &Column, rows: impl Iterator<Item = (usize, usize)>) -> Result<()> {
        match (self, &column.numbers) {
            (Totals::Integers(sums), Numbers::I64(values)) => {
                rows.for_each(|(row, slot)| add_integer(&mut sums[slot], column.value(values, row).map(i128::from)));
            }
            (Totals::Integers(sums), numbers) => {
                let values = i128::slice(numbers)?;
                rows.for_each(|(row, slot)| add_integer(&mut sums[slot], column.value(values, row)));
            }
            (Totals::Floats(sums), numbers) => {
                let values = f64::slice(numbers)?;
                for (row, slot) in rows {
                    if let Some(value) = column.value(values, row) {
                        sums[slot].0.add(value);
                        sums[slot].1 += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts slots together, see [`slots::merge`].
    pub(crate) fn merge(&mut self, to: &[u32]) {
        match self {
            Totals::Integers(sums) => slots::merge(sums, to, |held, other| {
                held.0.merge(other.0);
                held.1 += other.1;
            }),
            Totals::Floats(sums) => slots::merge(sums, to, |held, other| {
                held.0.merge(&other.0);
                held.1 += other.1;
            }),
        }
    }

    /// The sums of these slots, as a column of the sum type of a type; null where there are no values. Fails where a sum
    /// does not fit; `name` is the column's.
    pub(crate) fn sums(&self, slots: &[usize], data_type: &DataType, name: &str) -> Result<ArrayRef> {
        let sum_type = sum_type(data_type);
        match self {
            Totals::Floats(sums) => {
                let sum = |&slot: &usize| Some(sums[slot].0.value()).filter(|_| sums[slot].1 > 0);
                Ok(Arc::new(slots.iter().map(sum).collect::<Float64Array>()))
            }
            Totals::Integers(sums) => {
                let sum = |&slot: &usize| match sums[slot] {
                    (_, 0) => Ok(None),
                    (sum, _) => fitting(sum, &sum_type, name).map(Some),
                };
                let values: Vec<Option<i128>> = slots.iter().map(sum).collect::<Result<_>>()?;
                match sum_type {
                    // What does not fit was refused.
                    DataType::Int64 => {
                        let narrow = values.into_iter().map(|value| value.and_then(|value| i64::try_from(value).ok()));
                        i64::array(narrow.collect(), &DataType::Int64)
                    }
                    other => i128::array(values, &other),
                }
            }
        }
    }

    /// How many values these slots have.
    pub(crate) fn counts(&self, slots: &[usize]) -> ArrayRef {
        let count = |&slot: &usize| match self {
            Totals::Floats(sums) => Some(sums[slot].1),
            Totals::Integers(sums) => Some(sums[slot].1),
        };
        Arc::new(slots.iter().map(count).collect::<Int64Array>())
    }

    /// The means of these slots as floating-point numbers; null where there are no values.
    pub(crate) fn means(&self, slots: &[usize], data_type: &DataType) -> ArrayRef {
        let unit = match data_type {
            DataType::Decimal128(_, scale) => 10_f64.powi(i32::from(*scale)),
            _ => 1.0,
        };
        let mean = |&slot: &usize| match self {
            Totals::Floats(sums) => (sums[slot].1 > 0).then(|| sums[slot].0.value() / sums[slot].1 as f64),
            Totals::Integers(sums) => (sums[slot].1 > 0).then(|| sums[slot].0.nearest() / unit / sums[slot].1 as f64),
        };
        Arc::new(slots.iter().map(mean).collect::<Float64Array>())
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Totals::Integers(sums) => sums.capacity() * size_of::<(IntegerSum, i64)>(),
            Totals::Floats(sums) => sums.capacity() * (FLOAT_SUM_BYTES + size_of::<i64>()),
        }
    }
}

fn add_integer(sum: &mut (IntegerSum, i64), value: Option<i128>) {
    if let Some(value) = value {
        sum.0.add(value);
        sum.1 += 1;
    }
}

fn fitting(sum: IntegerSum, sum_type: &DataType, name: &str) -> Result<i128> {
    let most = 10_i128.pow(u32::from(DECIMAL128_MAX_PRECISION));
    let (fits, room) = match (sum.value(), sum_type) {
        (Some(sum), DataType::Int64) => (i64::try_from(sum).is_ok(), "64 bits; cast it to decimal in the query"),
        (Some(sum), DataType::UInt64) => (u64::try_from(sum).is_ok(), "64 bits; cast it to decimal in the query"),
        (Some(sum), _) => (-most < sum && sum < most, "38 digits; round it in the query"),
        (None, _) => (false, "38 digits; round it in the query"),
    };
    match sum.value().filter(|_| fits) {
        Some(sum) => Ok(sum),
        None => Err(external(Error::new(ErrorKind::Execution, format!("a sum of '{name}' does not fit in {room}")))),
    }
}
