//! Which rows a scan wants: conditions on single columns, judged first by bounds and then row by row.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, Scalar, TimestampMicrosecondArray},
    buffer::BooleanBuffer,
    compute::{cast, kernels::cmp},
    datatypes::DataType,
    error::ArrowError,
    row::{RowConverter, SortField},
};
use model::OPEN;

use crate::{
    Error, Result,
    bounds::{Bound, ColumnRange, sorted_values},
};

/// Up to so many values are compared one by one; above, looked up in a set.
const VALUES_COMPARED: usize = 8;

/// Conditions that all have to hold.
#[derive(Clone, Default)]
pub(crate) struct Filter {
    conditions: Vec<Arc<Condition>>,
}

/// A condition on one column; or on two, exactly one of which has to pass its test.
pub(crate) struct Condition {
    test: ColumnTest,
    xor: Option<ColumnTest>,
}

/// A test of the values of a column.
struct ColumnTest {
    column: String,
    test: Test,
}

enum Test {
    /// At most this; null never.
    AtMost(i64),
    /// Less than this; null never.
    Before(i64),
    /// Greater than this; null, which is unbounded, always.
    EndsAfter(i64),
    /// One of these; null never.
    OneOf { sorted: Option<Vec<Bound>>, values: Values, data_type: DataType },
}

enum Values {
    Few(Vec<ArrayRef>),
    Many { converter: RowConverter, rows: HashSet<Box<[u8]>> },
}

/// What bounds say of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    NoRow,
    SomeRows,
    AllRows,
}

impl Filter {
    /// Rows known at a system time, in microseconds.
    pub(crate) fn known_at(at_most: i64) -> Filter {
        let mut filter = Filter::default();
        filter.push("system_from", Test::AtMost(at_most));
        filter
    }

    /// And whose valid interval meets `[from, to)`, which is not empty.
    pub(crate) fn valid_within(mut self, from: i64, to: i64) -> Filter {
        if to != OPEN {
            self.push("valid_from", Test::Before(to));
        }
        self.push("valid_to", Test::EndsAfter(from));
        self
    }

    /// And known later than this, in microseconds, or to this day: their end in system time is later.
    pub(crate) fn known_after(mut self, after: i64) -> Filter {
        self.push("system_to", Test::EndsAfter(after));
        self
    }

    /// And known at exactly one of two system times, the first the earlier one.
    pub(crate) fn changed_between(mut self, first: i64, second: i64) -> Filter {
        self.push("system_from", Test::AtMost(second));
        self.push("system_to", Test::EndsAfter(first));
        // Such a row was known at the first if it began by then, and at the second if it ends after it.
        let test = ColumnTest { column: "system_from".to_owned(), test: Test::AtMost(first) };
        let xor = Some(ColumnTest { column: "system_to".to_owned(), test: Test::EndsAfter(second) });
        self.conditions.push(Arc::new(Condition { test, xor }));
        self
    }

    /// And whose column has one of these values.
    pub(crate) fn one_of(mut self, column: &str, values: &ArrayRef) -> Result<Filter> {
        let data_type = values.data_type().clone();
        let test = Test::OneOf { sorted: sorted_values(values), values: Values::new(values)?, data_type };
        self.push(column, test);
        Ok(self)
    }

    /// These conditions, and then those of another filter.
    pub(crate) fn and(mut self, other: Filter) -> Filter {
        self.conditions.extend(other.conditions);
        self
    }

    fn push(&mut self, column: &str, test: Test) {
        let test = ColumnTest { column: column.to_owned(), test };
        self.conditions.push(Arc::new(Condition { test, xor: None }));
    }

    /// The conditions, in the order in which they are best looked at.
    pub(crate) fn conditions(&self) -> &[Arc<Condition>] {
        &self.conditions
    }

    /// What is left to check where columns have these ranges: None where no row can match, and only the conditions
    /// that are not met by all rows.
    pub(crate) fn within(&self, range: impl Fn(&str) -> ColumnRange) -> Option<Filter> {
        let mut left = Vec::new();
        for condition in &self.conditions {
            match condition.judge(&range) {
                Verdict::NoRow => return None,
                Verdict::SomeRows => left.push(condition.clone()),
                Verdict::AllRows => {}
            }
        }
        Some(Filter { conditions: left })
    }

    /// For which rows of a batch all conditions hold.
    pub(crate) fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let mut holds = BooleanBuffer::new_set(batch.num_rows());
        for condition in &self.conditions {
            holds = &holds & &condition.evaluate(batch)?;
        }
        Ok(holds)
    }
}

/// Says that a file has not the columns its table has.
pub(crate) fn missing(column: &str) -> Error {
    Error::corrupt("a data file lacks a column of its table").with("column", column)
}

impl Condition {
    /// The columns looked at.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.test).chain(&self.xor).map(|test| test.column.as_str())
    }

    /// Whether a column has to have one of some values, as few rows do.
    pub(crate) fn names_values(&self) -> bool {
        matches!(self.test.test, Test::OneOf { .. })
    }

    /// The column looked at, if it is one.
    pub(crate) fn only_column(&self) -> Option<&str> {
        self.xor.is_none().then_some(self.test.column.as_str())
    }

    /// Whether no row can meet a condition on one column where the column has this range.
    pub(crate) fn excludes(&self, range: &ColumnRange) -> bool {
        self.xor.is_none() && self.test.judge(range) == Verdict::NoRow
    }

    fn judge(&self, range: &impl Fn(&str) -> ColumnRange) -> Verdict {
        let first = self.test.judge(&range(&self.test.column));
        let Some(xor) = &self.xor else { return first };
        match (first, xor.judge(&range(&xor.column))) {
            (Verdict::SomeRows, _) | (_, Verdict::SomeRows) => Verdict::SomeRows,
            (first, second) if first == second => Verdict::NoRow,
            _ => Verdict::AllRows,
        }
    }

    /// For which rows of a batch the condition holds.
    pub(crate) fn evaluate(&self, batch: &RecordBatch) -> std::result::Result<BooleanBuffer, ArrowError> {
        let holds = self.test.evaluate(batch)?;
        match &self.xor {
            Some(xor) => Ok(&holds ^ &xor.evaluate(batch)?),
            None => Ok(holds),
        }
    }
}

impl ColumnTest {
    fn judge(&self, range: &ColumnRange) -> Verdict {
        let all_null = range.nulls == Some(range.rows);
        let (min, max) = (range.min.as_ref(), range.max.as_ref());
        let number = |value: i64| Bound::Number(i128::from(value));
        let (no_row, all_rows) = match &self.test {
            Test::AtMost(limit) => {
                let limit = number(*limit);
                let no_nulls = range.nulls == Some(0);
                (all_null || min.is_some_and(|min| *min > limit), no_nulls && max.is_some_and(|max| *max <= limit))
            }
            Test::Before(limit) => {
                let limit = number(*limit);
                let no_nulls = range.nulls == Some(0);
                (all_null || min.is_some_and(|min| *min >= limit), no_nulls && max.is_some_and(|max| *max < limit))
            }
            Test::EndsAfter(limit) => {
                let limit = number(*limit);
                let none_open = range.nulls == Some(0);
                (none_open && max.is_some_and(|max| *max <= limit), all_null || min.is_some_and(|min| *min > limit))
            }
            Test::OneOf { sorted, .. } => {
                let outside = sorted.as_ref().is_some_and(|sorted| match (min, max) {
                    (Some(min), Some(max)) => {
                        sorted.get(sorted.partition_point(|value| value < min)).is_none_or(|value| value > max)
                    }
                    _ => false,
                });
                (all_null || outside, false)
            }
        };
        match (no_row, all_rows) {
            (true, _) => Verdict::NoRow,
            (false, true) => Verdict::AllRows,
            (false, false) => Verdict::SomeRows,
        }
    }

    fn evaluate(&self, batch: &RecordBatch) -> std::result::Result<BooleanBuffer, ArrowError> {
        let lacks = || ArrowError::SchemaError(format!("a data file lacks the column '{}' of its table", self.column));
        let column = match (batch.column_by_name(&self.column), &self.test) {
            // The file is older than the column.
            (None, Test::OneOf { .. }) => return Ok(BooleanBuffer::new_unset(batch.num_rows())),
            (column, _) => column.ok_or_else(lacks)?,
        };
        match &self.test {
            Test::AtMost(limit) => each_instant(column, false, |value| value <= *limit),
            Test::Before(limit) => each_instant(column, false, |value| value < *limit),
            Test::EndsAfter(limit) => each_instant(column, true, |value| value > *limit),
            // A file that is older than a widening has narrower values.
            Test::OneOf { values, data_type, .. } if column.data_type() != data_type => {
                values.hold(&cast(column, data_type)?)
            }
            Test::OneOf { values, .. } => values.hold(column),
        }
    }
}

fn each_instant(
    column: &ArrayRef,
    of_null: bool,
    test: impl Fn(i64) -> bool,
) -> std::result::Result<BooleanBuffer, ArrowError> {
    let times = column
        .as_any()
        .downcast_ref::<TimestampMicrosecondArray>()
        .ok_or_else(|| ArrowError::SchemaError(format!("a time column has the type {}", column.data_type())))?;
    let values = times.values();
    Ok(match times.nulls() {
        None => BooleanBuffer::collect_bool(values.len(), |i| test(values[i])),
        Some(nulls) => {
            BooleanBuffer::collect_bool(values.len(), |i| if nulls.is_null(i) { of_null } else { test(values[i]) })
        }
    })
}

impl Values {
    fn new(values: &ArrayRef) -> Result<Values> {
        if values.len() <= VALUES_COMPARED {
            let present = (0..values.len()).filter(|&i| values.is_valid(i));
            return Ok(Values::Few(present.map(|i| values.slice(i, 1)).collect()));
        }
        let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
        let rows = converter.convert_columns(std::slice::from_ref(values))?;
        let present = rows.iter().enumerate().filter(|(i, _)| values.is_valid(*i));
        let rows = present.map(|(_, row)| row.as_ref().into()).collect();
        Ok(Values::Many { converter, rows })
    }

    fn hold(&self, column: &ArrayRef) -> std::result::Result<BooleanBuffer, ArrowError> {
        match self {
            Values::Few(values) => {
                let mut holds = BooleanBuffer::new_unset(column.len());
                for value in values {
                    let (equal, nulls) = cmp::eq(column, &Scalar::new(value))?.into_parts();
                    let equal = nulls.map_or(equal.clone(), |nulls| &equal & nulls.inner());
                    holds = &holds | &equal;
                }
                Ok(holds)
            }
            Values::Many { converter, rows } => {
                let converted = converter.convert_columns(std::slice::from_ref(column))?;
                Ok(BooleanBuffer::collect_bool(column.len(), |i| rows.contains(converted.row(i).as_ref())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn range(min: i128, max: i128, nulls: u64) -> ColumnRange {
        ColumnRange { min: Some(Bound::Number(min)), max: Some(Bound::Number(max)), nulls: Some(nulls), rows: 10 }
    }

    fn judged(test: Test, range: &ColumnRange) -> Verdict {
        ColumnTest { column: String::new(), test }.judge(range)
    }

    #[test]
    fn bounds_decide_only_what_they_can() {
        use Verdict::{AllRows, NoRow, SomeRows};
        let all_null = ColumnRange { nulls: Some(10), rows: 10, ..ColumnRange::default() };
        let unknown = ColumnRange { rows: 10, ..ColumnRange::default() };
        assert_eq!(judged(Test::AtMost(4), &range(5, 9, 0)), NoRow);
        assert_eq!(judged(Test::AtMost(9), &range(5, 9, 0)), AllRows);
        assert_eq!(judged(Test::AtMost(9), &range(5, 9, 1)), SomeRows);
        assert_eq!(judged(Test::AtMost(9), &unknown), SomeRows);
        assert_eq!(judged(Test::Before(5), &range(5, 9, 0)), NoRow);
        assert_eq!(judged(Test::Before(10), &range(5, 9, 0)), AllRows);
        assert_eq!(judged(Test::EndsAfter(9), &range(5, 9, 0)), NoRow);
        assert_eq!(judged(Test::EndsAfter(9), &range(5, 9, 1)), SomeRows);
        assert_eq!(judged(Test::EndsAfter(4), &range(5, 9, 3)), AllRows);
        assert_eq!(judged(Test::EndsAfter(9), &all_null), AllRows);
        assert_eq!(judged(Test::EndsAfter(9), &unknown), SomeRows);
    }

    #[test]
    fn rows_known_at_one_of_two_times_are_those_a_plain_reading_finds() {
        let times = |values: &[Option<i64>]| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(values.to_vec()).with_timezone("+00:00"))
        };
        let spans: Vec<(i64, Option<i64>)> =
            (0..6).flat_map(|from| (from + 1..8).map(move |to| (from, (to < 7).then_some(to)))).collect();
        let from: Vec<Option<i64>> = spans.iter().map(|span| Some(span.0)).collect();
        let to: Vec<Option<i64>> = spans.iter().map(|span| span.1).collect();
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("system_from", times(&from), false),
            ("system_to", times(&to), true),
        ]);
        let batch = batch.unwrap();
        let known = |at: i64| move |span: &(i64, Option<i64>)| span.0 <= at && span.1.is_none_or(|to| to > at);
        for (first, second) in [(0, 1), (1, 4), (2, 3), (3, 9)] {
            let filter = Filter::default().changed_between(first, second);
            let expected = spans.iter().filter(|span| known(first)(span) != known(second)(span)).count();
            assert_eq!(filter.evaluate(&batch).unwrap().count_set_bits(), expected, "{first} {second}");
        }
        // Files whose rows were all known by the first and end after the second hold no such row.
        let filter = Filter::default().changed_between(5, 7);
        let ends =
            |to: ColumnRange| move |column: &str| if column == "system_to" { to.clone() } else { range(1, 5, 0) };
        assert!(filter.within(ends(ColumnRange { nulls: Some(10), rows: 10, ..ColumnRange::default() })).is_none());
        assert!(filter.within(ends(range(6, 9, 0))).is_some_and(|left| left.conditions().len() == 1));
        assert!(filter.within(ends(range(6, 7, 0))).is_some_and(|left| left.conditions().is_empty()));
    }

    #[test]
    fn values_between_the_bounds_count_whatever_lies_around_them() {
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(30), None, Some(1)]));
        let filter = Filter::default().one_of("k", &keys).unwrap();
        assert!(filter.within(|_| range(2, 29, 0)).is_none());
        assert!(filter.within(|_| range(2, 30, 0)).is_some());
        assert!(filter.within(|_| ColumnRange { rows: 3, ..ColumnRange::default() }).is_some());
        assert!(filter.within(|_| ColumnRange { rows: 3, nulls: Some(3), ..ColumnRange::default() }).is_none());
    }

    #[test]
    fn few_and_many_values_find_the_same_rows_and_never_null() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("z"), Some("k7"), Some("")]));
        let many: Vec<Option<String>> =
            (0..20).map(|i| Some(format!("k{i}"))).chain([None, Some("a".into())]).collect();
        let many = Values::new(&(Arc::new(StringArray::from(many)) as ArrayRef)).unwrap();
        let few = Values::new(&(Arc::new(StringArray::from(vec![Some("k7"), None, Some("a")])) as ArrayRef)).unwrap();
        assert!(matches!((&many, &few), (Values::Many { .. }, Values::Few(_))));
        let expected = BooleanBuffer::from(vec![true, false, false, true, false]);
        assert_eq!(many.hold(&column).unwrap(), expected);
        assert_eq!(few.hold(&column).unwrap(), expected);
    }
}
