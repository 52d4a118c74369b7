//! Columns as plain numbers, so that what folds them is compiled for three kinds and not for every type of Arrow.

use std::{fmt::Debug, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, UInt64Array},
        buffer::{NullBuffer, ScalarBuffer},
        compute::cast,
        datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Float64Type, Int64Type},
    },
    common::Result,
};

use crate::resolution::internal;

use super::scale::{Chain, DecimalSteps, Steps};

/// As what a column is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Integers, dates and timestamps.
    I64,
    /// Decimals, by their digits, and unsigned integers of 64 bits.
    I128,
    /// Floating-point numbers.
    F64,
}

impl Kind {
    /// The kind of a type; `None` for one that is no number and no time.
    pub(crate) fn of(data_type: &DataType) -> Option<Kind> {
        match data_type {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Some(Kind::I64),
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => Some(Kind::I64),
            DataType::Date32 | DataType::Timestamp(..) => Some(Kind::I64),
            DataType::UInt64 | DataType::Decimal128(..) => Some(Kind::I128),
            DataType::Float32 | DataType::Float64 => Some(Kind::F64),
            _ => None,
        }
    }
}

/// Whether values of a type can be added up.
pub(crate) fn adds_up(data_type: &DataType) -> bool {
    Kind::of(data_type).is_some() && !matches!(data_type, DataType::Date32 | DataType::Timestamp(..))
}

/// The type that sums of a type have: integers in 64 bits, decimals with all digits there can be.
pub(crate) fn sum_type(data_type: &DataType) -> DataType {
    match (Kind::of(data_type), data_type) {
        (_, DataType::UInt64) => DataType::UInt64,
        (_, DataType::Decimal128(_, scale)) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale),
        (Some(Kind::F64), _) => DataType::Float64,
        _ => DataType::Int64,
    }
}

/// The numbers of a column.
pub(crate) enum Numbers {
    I64(ScalarBuffer<i64>),
    I128(ScalarBuffer<i128>),
    F64(ScalarBuffer<f64>),
}

/// A column, unfolded.
pub(crate) struct Column {
    pub(crate) numbers: Numbers,
    nulls: Option<NullBuffer>,
}

impl Column {
    /// Reads a column of a type that has a kind. Types of the kind's own width are not copied.
    pub(crate) fn of(array: &ArrayRef) -> Result<Column> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let numbers = match (Kind::of(array.data_type()), array.data_type()) {
            (Some(Kind::I64), _) => {
                Numbers::I64(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().values().clone())
            }
            (Some(Kind::I128), DataType::UInt64) => {
                let wide = cast(array, &DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0))?;
                Numbers::I128(wide.as_primitive::<Decimal128Type>().values().clone())
            }
            (Some(Kind::I128), _) => Numbers::I128(array.as_primitive::<Decimal128Type>().values().clone()),
            (Some(Kind::F64), _) => {
                Numbers::F64(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().values().clone())
            }
            (None, other) => return Err(internal(format!("a column of type {other} has no numbers"))),
        };
        Ok(Column { numbers, nulls })
    }

    /// Whether a row's value is there, null or not being told apart only.
    pub(crate) fn is_valid(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }

    /// A row's value; `None` for null, NaN and the infinities.
    pub(crate) fn value<N: Number>(&self, numbers: &[N], row: usize) -> Option<N> {
        let value = numbers[row];
        (self.is_valid(row) && value.is_finite()).then_some(value)
    }

    /// The least and the greatest finite value.
    pub(crate) fn range<N: Number>(&self, numbers: &[N]) -> Option<(N, N)> {
        let mut values = (0..numbers.len()).filter_map(|row| self.value(numbers, row));
        let first = values.next()?;
        let wider = |(low, high): (N, N), value: N| {
            (if value < low { value } else { low }, if value > high { value } else { high })
        };
        Some(values.fold((first, first), wider))
    }

    /// How many rows have a finite value.
    pub(crate) fn finite(&self) -> usize {
        match &self.numbers {
            Numbers::F64(values) => (0..values.len()).filter(|&row| self.value::<f64>(values, row).is_some()).count(),
            Numbers::I64(values) => values.len() - self.null_count(),
            Numbers::I128(values) => values.len() - self.null_count(),
        }
    }

    fn null_count(&self) -> usize {
        self.nulls.as_ref().map_or(0, NullBuffer::null_count)
    }
}

/// What the numbers of a column are.
pub(crate) trait Number: Copy + PartialOrd + Debug + Send + Sync + 'static {
    /// The widths of buckets.
    type Steps: Steps<Self> + Send + Sync;

    /// The numbers of a column of this kind.
    fn slice(numbers: &Numbers) -> Result<&[Self]>;

    /// False for NaN and the infinities.
    fn is_finite(self) -> bool;

    /// A column of a type of this kind. What is beyond the type becomes its least or greatest value.
    fn array(values: Vec<Option<Self>>, data_type: &DataType) -> Result<ArrayRef>;
}

impl Number for i64 {
    type Steps = Chain;

    fn slice(numbers: &Numbers) -> Result<&[i64]> {
        match numbers {
            Numbers::I64(values) => Ok(values),
            _ => Err(other_kind()),
        }
    }

    fn is_finite(self) -> bool {
        true
    }

    fn array(values: Vec<Option<i64>>, data_type: &DataType) -> Result<ArrayRef> {
        Ok(cast(&Int64Array::from(values), data_type)?)
    }
}

impl Number for i128 {
    type Steps = Chain;

    fn slice(numbers: &Numbers) -> Result<&[i128]> {
        match numbers {
            Numbers::I128(values) => Ok(values),
            _ => Err(other_kind()),
        }
    }

    fn is_finite(self) -> bool {
        true
    }

    fn array(values: Vec<Option<i128>>, data_type: &DataType) -> Result<ArrayRef> {
        match data_type {
            DataType::Decimal128(precision, scale) => {
                let most = 10_i128.pow(u32::from(*precision)) - 1;
                let within = values.into_iter().map(|value| value.map(|value| value.clamp(-most, most)));
                let array: Decimal128Array = within.collect();
                Ok(Arc::new(array.with_precision_and_scale(*precision, *scale)?))
            }
            _ => {
                let within = |value: i128| u64::try_from(value.max(0)).unwrap_or(u64::MAX);
                Ok(Arc::new(values.into_iter().map(|value| value.map(within)).collect::<UInt64Array>()))
            }
        }
    }
}

impl Number for f64 {
    type Steps = DecimalSteps;

    fn slice(numbers: &Numbers) -> Result<&[f64]> {
        match numbers {
            Numbers::F64(values) => Ok(values),
            _ => Err(other_kind()),
        }
    }

    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }

    fn array(values: Vec<Option<f64>>, data_type: &DataType) -> Result<ArrayRef> {
        Ok(cast(&Float64Array::from(values), data_type)?)
    }
}

fn other_kind() -> datafusion::common::DataFusionError {
    internal("a column changed its type between batches".to_owned())
}
