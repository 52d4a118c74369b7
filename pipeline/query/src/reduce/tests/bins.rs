//! Histograms and heat maps.

use std::{collections::BTreeMap, sync::Arc};

use datafusion::arrow::array::{
    ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use proptest::prelude::*;

use super::{batch, reduced, texts};
use crate::{
    ErrorKind,
    reduce::{Aggregate, Reduction},
};

fn bins(x: &str, y: Option<&str>, columns: usize, of: Option<&str>, aggregate: Aggregate) -> Reduction {
    let owned = |name: Option<&str>| name.map(str::to_owned);
    Reduction::Bins { x: x.to_owned(), y: owned(y), columns, rows: y.map(|_| 6), of: owned(of), aggregate }
}

/// A number, a whole number, the number of a word, and a value in eighths.
type Row = (Option<f64>, i32, Option<u8>, Option<i32>);

fn rows_of(rows: &[Row]) -> RecordBatch {
    let number: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Float64Array>());
    let whole: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int32Array>());
    let word: StringArray = rows.iter().map(|row| row.2.map(|word| format!("w{word}"))).collect();
    let eighths: ArrayRef =
        Arc::new(rows.iter().map(|row| row.3.map(|v| f64::from(v) / 8.0)).collect::<Float64Array>());
    let decimal: Decimal128Array = rows.iter().map(|row| row.3.map(i128::from)).collect();
    let decimal: ArrayRef = Arc::new(decimal.with_precision_and_scale(9, 2).unwrap());
    batch(vec![
        ("number", number),
        ("whole", whole),
        ("word", Arc::new(word)),
        ("eighths", eighths),
        ("decimal", decimal),
    ])
}

fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    let column = datafusion::arrow::compute::cast(column, &DataType::Float64).unwrap();
    column.as_primitive::<Float64Type>().iter().collect()
}

fn counts(batch: &RecordBatch) -> Vec<i64> {
    batch.column_by_name("count").unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn row() -> impl Strategy<Value = Row> {
    let number = prop_oneof![
        8 => (-3_000..3_000_i32).prop_map(|n| Some(f64::from(n) / 100.0)),
        1 => Just(None),
        1 => prop_oneof![Just(Some(f64::NAN)), Just(Some(f64::NEG_INFINITY)), Just(Some(f64::INFINITY))],
    ];
    (number, -40..40_i32, proptest::option::of(0..4_u8), proptest::option::of(-99..99_i32))
}

/// Whether a value lies in a bin; a bin without edges has what is no number.
fn lies_in(value: Option<f64>, from: Option<f64>, to: Option<f64>) -> bool {
    match (value.filter(|value| value.is_finite()), from, to) {
        (Some(value), Some(from), Some(to)) => from <= value && value < to,
        (value, from, to) => value.is_none() && from.is_none() && to.is_none(),
    }
}

fn aggregated(values: &[f64], aggregate: Aggregate) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    match aggregate {
        Aggregate::Count => Some(values.len() as f64),
        _ if values.is_empty() => None,
        Aggregate::Sum => Some(sum),
        Aggregate::Mean => Some(sum / values.len() as f64),
        Aggregate::Min => values.iter().copied().reduce(f64::min),
        Aggregate::Max => values.iter().copied().reduce(f64::max),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_is_counted_in_the_bin_it_lies_in(
        rows in proptest::collection::vec(row(), 0..200),
        columns in 1..30_usize,
        part in 1..80_usize,
        aggregate in proptest::sample::select(vec![
            Aggregate::Count, Aggregate::Sum, Aggregate::Mean, Aggregate::Min, Aggregate::Max,
        ]),
        two: bool,
        exact: bool,
    ) {
        let input = rows_of(&rows);
        let of = if exact { "decimal" } else { "eighths" };
        let reduction = bins("number", two.then_some("whole"), columns, Some(of), aggregate);
        let output = reduced(&reduction, &input, part).unwrap();
        prop_assert_eq!(texts(&reduced(&reduction, &input, rows.len()).unwrap()), texts(&output));
        prop_assert_eq!(counts(&output).iter().sum::<i64>(), rows.len() as i64);
        let (from, to) = (numbers(&output, "x_from"), numbers(&output, "x_to"));
        let with_edges: std::collections::BTreeSet<i64> = from.iter().flatten().map(|from| (from * 1e6) as i64).collect();
        prop_assert!(with_edges.len() <= columns, "{with_edges:?}");
        let y = two.then(|| (numbers(&output, "y_from"), numbers(&output, "y_to")));
        for bin in 0..output.num_rows() {
            let inside = |row: &&Row| {
                let along_y = y.as_ref().is_none_or(|(from, to)| lies_in(Some(f64::from(row.1)), from[bin], to[bin]));
                lies_in(row.0, from[bin], to[bin]) && along_y
            };
            let inside: Vec<&Row> = rows.iter().filter(inside).collect();
            prop_assert_eq!(counts(&output)[bin], inside.len() as i64);
            let unit = if exact { 100.0 } else { 8.0 };
            let values: Vec<f64> = inside.iter().filter_map(|row| row.3).map(f64::from).collect();
            let wanted = aggregated(&values, aggregate);
            let wanted = if aggregate == Aggregate::Count { wanted } else { wanted.map(|value| value / unit) };
            let found = numbers(&output, "value")[bin];
            prop_assert!(
                wanted.is_some() == found.is_some()
                    && wanted.zip(found).is_none_or(|(wanted, found)| (wanted - found).abs() < 1e-9),
                "{wanted:?} {found:?}"
            );
        }
        let order: Vec<(f64, f64)> = (0..output.num_rows())
            .map(|bin| (from[bin].unwrap_or(f64::MAX), y.as_ref().map_or(0.0, |y| y.0[bin].unwrap_or(f64::MAX))))
            .collect();
        prop_assert!(order.is_sorted(), "{order:?}");
    }

    #[test]
    fn a_text_has_a_bin_for_each_value(rows in proptest::collection::vec(row(), 0..100), part in 1..50_usize) {
        let output = reduced(&bins("word", None, 5, None, Aggregate::Count), &rows_of(&rows), part).unwrap();
        let mut wanted: BTreeMap<(bool, String), i64> = BTreeMap::new();
        for row in &rows {
            let name = row.2.map_or("NULL".to_owned(), |word| format!("w{word}"));
            *wanted.entry((row.2.is_none(), name)).or_default() += 1;
        }
        let wanted: Vec<Vec<String>> = wanted.into_iter().map(|((_, name), count)| vec![name, count.to_string()]).collect();
        prop_assert_eq!(texts(&output), wanted);
    }
}

#[test]
fn edges_are_round_and_of_the_columns_type() {
    let prices: ArrayRef = Arc::new(Float64Array::from(vec![1.23, 1.31, 1.99, 1.3, 1.23]));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![20_454, 20_455, 20_500, 20_812, 20_454]));
    let counts: ArrayRef = Arc::new(Int64Array::from(vec![0, 7, 1_234, 999, 0]));
    let input = batch(vec![("price", prices), ("day", days), ("n", counts)]);
    let of =
        |x: &str, columns: usize| texts(&reduced(&bins(x, None, columns, None, Aggregate::Count), &input, 2).unwrap());
    assert_eq!(of("price", 10), [["1.2", "1.3", "2"], ["1.3", "1.4", "2"], ["1.9", "2.0", "1"]]);
    assert_eq!(of("price", 3), [["1.0", "1.5", "4"], ["1.5", "2.0", "1"]]);
    assert_eq!(of("n", 3), [["0", "500", "3"], ["500", "1000", "1"], ["1000", "1500", "1"]]);
    let weeks = of("day", 60);
    assert_eq!(weeks[0], ["2025-12-29", "2026-01-05", "3"], "weeks begin on Monday");
}

#[test]
fn more_texts_than_bins_are_refused() {
    let rows: Vec<Row> = (0..9).map(|word| (Some(1.0), 0, Some(word), None)).collect();
    let error: crate::Error =
        reduced(&bins("word", None, 8, None, Aggregate::Count), &rows_of(&rows), 4).unwrap_err().into();
    assert_eq!(error.kind(), ErrorKind::Execution);
    assert_eq!(
        error.message(),
        "bins: 'word' has more than 8 different values; narrow them down in the statement, or reduce with top first"
    );
}
