//! The categories that weigh most.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use datafusion::arrow::{
    array::{
        Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
    },
    datatypes::Int64Type,
};
use proptest::prelude::*;

use super::{batch, names, reduced, texts};
use crate::{
    ErrorKind,
    reduce::{Others, Reduction},
};

/// Category, day, value in hundredths.
type Row = (Option<u8>, Option<u8>, Option<i64>);

/// Day, sum and categories.
type Folded = (Option<u8>, Option<i64>, BTreeSet<Option<u8>>);

fn top(n: usize, others: Others) -> Reduction {
    Reduction::Top { by: "category".to_owned(), of: names(&["value", "exact"]), n, others }
}

fn rows_of(rows: &[Row]) -> RecordBatch {
    let category: StringArray = rows.iter().map(|row| row.0.map(|category| format!("c{category}"))).collect();
    let value: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>());
    let day: ArrayRef = Arc::new(rows.iter().map(|row| row.1.map(i64::from)).collect::<Int64Array>());
    let exact: Decimal128Array = rows.iter().map(|row| row.2.map(i128::from)).collect();
    let exact: ArrayRef = Arc::new(exact.with_precision_and_scale(9, 2).unwrap());
    batch(vec![("category", Arc::new(category)), ("value", value), ("day", day), ("exact", exact)])
}

/// The categories that keep their rows, null being the last of equals.
fn first(rows: &[Row], n: usize) -> BTreeSet<Option<u8>> {
    let mut weights: BTreeMap<Option<u8>, i64> = BTreeMap::new();
    for row in rows {
        *weights.entry(row.0).or_default() += row.2.unwrap_or(0).abs();
    }
    let mut order: Vec<(i64, bool, Option<u8>)> =
        weights.into_iter().map(|(category, weight)| (-weight, category.is_none(), category)).collect();
    order.sort_unstable();
    order.into_iter().take(n).map(|(_, _, category)| category).collect()
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or("NULL".to_owned(), |value| value.to_string())
}

fn hundredths(value: i64) -> String {
    format!("{}{}.{:02}", if value < 0 { "-" } else { "" }, value.abs() / 100, value.abs() % 100)
}

/// The rows that come out, as texts.
fn naive(rows: &[Row], n: usize, others: Others) -> Vec<Vec<String>> {
    let first = first(rows, n);
    let category = |row: &Row| shown(row.0.map(|category| format!("c{category}")));
    let mut wanted: Vec<Vec<String>> = Vec::new();
    for row in rows.iter().filter(|row| first.contains(&row.0)) {
        let exact = shown(row.2.map(hundredths));
        wanted.push(vec![category(row), shown(row.2), shown(row.1), exact, "NULL".to_owned()]);
    }
    let mut folded: Vec<Folded> = Vec::new();
    for row in rows.iter().filter(|row| !first.contains(&row.0)) {
        let at = folded.iter().position(|(day, ..)| *day == row.1).unwrap_or_else(|| {
            folded.push((row.1, None, BTreeSet::new()));
            folded.len() - 1
        });
        folded[at].1 = row.2.map_or(folded[at].1, |value| Some(folded[at].1.unwrap_or(0) + value));
        folded[at].2.insert(row.0);
    }
    if others == Others::Sum {
        wanted.extend(folded.into_iter().map(|(day, sum, categories)| {
            vec!["NULL".to_owned(), shown(sum), shown(day), shown(sum.map(hundredths)), categories.len().to_string()]
        }));
    }
    wanted
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_first_keep_their_rows_and_the_others_add_up(
        rows in proptest::collection::vec(
            (proptest::option::weighted(0.9, 0..9_u8), proptest::option::of(0..3_u8), proptest::option::of(-9..9_i64)),
            0..120,
        ),
        n in 1..12_usize,
        part in 1..60_usize,
        sum: bool,
    ) {
        let others = if sum { Others::Sum } else { Others::None };
        let output = reduced(&top(n, others), &rows_of(&rows), part).unwrap();
        prop_assert_eq!(texts(&output), naive(&rows, n, others));
        if sum {
            let values = output.column_by_name("value").unwrap().as_primitive::<Int64Type>();
            let all: i64 = rows.iter().filter_map(|row| row.2).sum();
            prop_assert_eq!(values.iter().flatten().sum::<i64>(), all);
        }
    }
}

#[test]
fn sums_that_do_not_fit_are_refused() {
    let category: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let refused = |values: ArrayRef| -> crate::Error {
        let input = batch(vec![("category", category.clone()), ("value", values)]);
        let reduction = Reduction::Top { by: "category".to_owned(), of: names(&["value"]), n: 1, others: Others::Sum };
        reduced(&reduction, &input, 2).unwrap_err().into()
    };
    for (values, room) in [
        (
            Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, i64::MAX])) as ArrayRef,
            "64 bits; cast it to decimal in the query",
        ),
        (Arc::new(UInt64Array::from(vec![u64::MAX, u64::MAX, u64::MAX])), "64 bits; cast it to decimal in the query"),
        (
            Arc::new(Decimal128Array::from(vec![10_i128.pow(38) - 1; 3]).with_precision_and_scale(38, 3).unwrap()),
            "38 digits; round it in the query",
        ),
    ] {
        let error = refused(values);
        assert_eq!(error.kind(), ErrorKind::Execution);
        assert_eq!(error.message(), format!("a sum of 'value' does not fit in {room}"));
    }
}

#[test]
fn floating_point_numbers_add_up_in_any_order() {
    let category: ArrayRef = Arc::new(StringArray::from(vec!["big", "a", "b", "c", "d"]));
    let value: ArrayRef = Arc::new(Float64Array::from(vec![1e300, 1e16, 1.0, -1e16, f64::NAN]));
    let input = batch(vec![("category", category), ("value", value)]);
    let reduction = Reduction::Top { by: "category".to_owned(), of: names(&["value"]), n: 1, others: Others::Sum };
    let output = reduced(&reduction, &input, 1).unwrap();
    assert_eq!(texts(&output), [["big", "1e300", "NULL"], ["NULL", "1.0", "4"]]);
    assert!(output.column(0).is_null(1));
}
