//! Where rows lie along one column: numbers and times between round edges, everything else at a place for each value.

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, UInt32Array, new_null_array},
        compute::{SortOptions, concat, sort_to_indices, take},
        datatypes::DataType,
    },
    common::Result,
};

use crate::{Error, ErrorKind, error::external};

use super::{
    groups::Groups,
    numbers::{Column, Kind, Number},
    scale::{Bucket, Chain, DecimalSteps, Scale},
};

/// One axis. A position is below the axis' most bins, or that for what has no bin.
pub(crate) enum Axis {
    I64(Scale<i64>, u32),
    I128(Scale<i128>, u32),
    F64(Scale<f64>, u32),
    Categories(Categories),
}

/// The values of an axis that has no order to put neighbours together by.
pub(crate) struct Categories {
    reduction: &'static str,
    name: String,
    most: u32,
    groups: Groups,
    values: Vec<ArrayRef>,
}

impl Axis {
    /// Nothing on it yet. A reduction of that name is what says that there are too many values.
    pub(crate) fn of(reduction: &'static str, name: &str, data_type: &DataType, most: u32) -> Result<Axis> {
        Ok(match Kind::of(data_type) {
            Some(Kind::I64) => Axis::I64(Scale::new(Chain::of(data_type), most), most),
            Some(Kind::I128) => Axis::I128(Scale::new(Chain::of(data_type), most), most),
            Some(Kind::F64) => Axis::F64(Scale::new(DecimalSteps, most), most),
            None => {
                let groups = Groups::new(std::slice::from_ref(data_type))?;
                Axis::Categories(Categories { reduction, name: name.to_owned(), most, groups, values: Vec::new() })
            }
        })
    }

    /// The position of each row; and where bins became wider, the new position of each old one.
    pub(crate) fn positions(&mut self, column: &ArrayRef) -> Result<(Vec<u32>, Option<Vec<u32>>)> {
        match self {
            Axis::I64(scale, most) => positions(scale, *most, column),
            Axis::I128(scale, most) => positions(scale, *most, column),
            Axis::F64(scale, most) => positions(scale, *most, column),
            Axis::Categories(categories) => Ok((categories.positions(column)?, None)),
        }
    }

    /// Positions in the order in which they come out, and for these the columns that name their bins.
    pub(crate) fn in_order(&self, data_type: &DataType) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        match self {
            Axis::I64(scale, most) => edges(scale, *most, data_type),
            Axis::I128(scale, most) => edges(scale, *most, data_type),
            Axis::F64(scale, most) => edges(scale, *most, data_type),
            Axis::Categories(categories) => categories.in_order(data_type),
        }
    }
}

fn positions<N: Number>(scale: &mut Scale<N>, most: u32, column: &ArrayRef) -> Result<(Vec<u32>, Option<Vec<u32>>)> {
    let column = Column::of(column)?;
    let values = N::slice(&column.numbers)?;
    let moved = column.range(values).and_then(|(low, high)| scale.fit(low, high));
    let mut bucket: Option<Bucket<N>> = None;
    let position = |row| {
        let Some(value) = column.value(values, row) else { return most };
        match bucket {
            Some(Bucket { position, from, to }) if from <= value && value < to => position,
            _ => bucket.insert(scale.bucket(value)).position,
        }
    };
    let positions = (0..values.len()).map(position).collect();
    // What has no bin stays where it is.
    let moved = moved.map(|moved| moved.into_iter().chain([most]).collect());
    Ok((positions, moved))
}

/// Where bins begin and end; nothing for what has no bin, which comes last.
fn edges<N: Number>(scale: &Scale<N>, most: u32, data_type: &DataType) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
    let buckets = scale.in_order();
    let positions = buckets.iter().map(|bucket| bucket.position).chain([most]).collect();
    let from = buckets.iter().map(|bucket| Some(bucket.from)).chain([None]).collect();
    let to = buckets.iter().map(|bucket| Some(bucket.to)).chain([None]).collect();
    Ok((positions, vec![N::array(from, data_type)?, N::array(to, data_type)?]))
}

impl Categories {
    fn positions(&mut self, column: &ArrayRef) -> Result<Vec<u32>> {
        let mut first = Vec::new();
        let positions = self.groups.number(std::slice::from_ref(column), |row| first.push(row))?;
        if self.groups.len() > self.most as usize {
            let message = format!(
                "{}: '{}' has more than {} different values; narrow them down in the statement, or reduce with top first",
                self.reduction, self.name, self.most
            );
            return Err(external(Error::new(ErrorKind::Execution, message)));
        }
        if !first.is_empty() {
            self.values.push(take(column, &UInt32Array::from(first), None)?);
        }
        Ok(positions)
    }

    fn in_order(&self, data_type: &DataType) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        if self.values.is_empty() {
            return Ok((Vec::new(), vec![new_null_array(data_type, 0)]));
        }
        let values: Vec<&dyn Array> = self.values.iter().map(AsRef::as_ref).collect();
        let values = concat(&values)?;
        let options = SortOptions { descending: false, nulls_first: false };
        let order = sort_to_indices(&values, Some(options), None)?;
        let sorted = take(&values, &order, None)?;
        Ok((order.values().to_vec(), vec![sorted]))
    }
}
