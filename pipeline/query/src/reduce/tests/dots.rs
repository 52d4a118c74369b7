//! Dots, and answers that have to be small.

use std::{collections::HashSet, sync::Arc};

use datafusion::arrow::{
    array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array},
    compute::{cast, take_record_batch},
    datatypes::{DataType, Float64Type, Int64Type},
};
use proptest::prelude::*;

use super::{batch, names, reduced, texts};
use crate::{
    ErrorKind,
    reduce::{Aggregate, Reduction},
};

const COLUMNS: usize = 4;
const ROWS: usize = 3;

fn dots(y: &[&str], by: &[&str]) -> Reduction {
    Reduction::Dots { x: "x".to_owned(), y: names(y), by: names(by), columns: COLUMNS, rows: ROWS }
}

/// x, y, and the number of a word.
type Row = (Option<f64>, Option<i64>, u8);

fn rows_of(rows: &[Row]) -> RecordBatch {
    let x: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Float64Array>());
    let y: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
    let word: StringArray = rows.iter().map(|row| Some(format!("w{}", row.2))).collect();
    let number: ArrayRef = Arc::new((0..rows.len() as i64).map(Some).collect::<Int64Array>());
    batch(vec![("x", x), ("y", y), ("word", Arc::new(word)), ("number", number)])
}

fn row() -> impl Strategy<Value = Row> {
    let x = prop_oneof![
        9 => (-30..30_i32).prop_map(|n| Some(f64::from(n) / 4.0)),
        1 => prop_oneof![Just(None), Just(Some(f64::NAN)), Just(Some(f64::INFINITY))],
    ];
    (x, prop_oneof![9 => (-20..20_i64).prop_map(Some), 1 => Just(None)], 0..3_u8)
}

fn kept(reduced: &RecordBatch) -> Vec<i64> {
    reduced.column_by_name("number").unwrap().as_primitive::<Int64Type>().values().to_vec()
}

/// The cell of each value: `bins` says where its edges are.
fn bins_of(rows: &RecordBatch, column: &str, columns: usize) -> Vec<(f64, f64)> {
    let bins =
        Reduction::Bins { x: column.to_owned(), y: None, columns, rows: None, of: None, aggregate: Aggregate::Count };
    let edges = reduced(&bins, rows, 7).unwrap();
    let ends = ["x_from", "x_to"].map(|name| {
        let column = edges.column_by_name(name).unwrap();
        cast(column, &DataType::Float64).unwrap()
    });
    let [from, to] = ends.each_ref().map(|column| column.as_primitive::<Float64Type>());
    from.iter().zip(to).filter_map(|(from, to)| Some((from?, to?))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn of_each_cell_and_series_the_first_row_stays(
        rows in prop::collection::vec(row(), 0..200),
        part in 1..90_usize,
        by in any::<bool>(),
    ) {
        let all = rows_of(&rows);
        let by: &[&str] = if by { &["word"] } else { &[] };
        let found = reduced(&dots(&["y"], by), &all, part).unwrap();
        if rows.len() <= COLUMNS * 8 {
            prop_assert_eq!(kept(&found), (0..rows.len() as i64).collect::<Vec<_>>());
            return Ok(());
        }
        // Both axes span what has a place on them, whether or not it has one on the other.
        let (along_x, along_y) = (bins_of(&all, "x", COLUMNS), bins_of(&all, "y", ROWS));
        let at = |cells: &[(f64, f64)], value: f64| cells.iter().position(|(from, to)| *from <= value && value < *to);
        let mut taken = HashSet::new();
        let mut expected = Vec::new();
        for (number, (x, y, word)) in (0_i64..).zip(&rows) {
            let (Some(x), Some(y)) = (x.filter(|x| x.is_finite()), y) else { continue };
            let series = if by.is_empty() { 0 } else { *word };
            if taken.insert((series, at(&along_x, x).unwrap(), at(&along_y, *y as f64).unwrap())) {
                expected.push(number);
            }
        }
        prop_assert_eq!(kept(&found), expected);
        // They come as they are.
        let places = kept(&found).iter().map(|number| Some(*number as u32)).collect::<UInt32Array>();
        prop_assert_eq!(texts(&found), texts(&take_record_batch(&all, &places).unwrap()));
        // How rows were cut into batches changes nothing.
        let whole = reduced(&dots(&["y"], by), &all, rows.len()).unwrap();
        prop_assert_eq!(kept(&whole), kept(&found));
    }
}

#[test]
fn a_row_stays_that_is_the_first_of_any_of_its_values() {
    // The same x and y again and again, then another word's number.
    let rows: Vec<Row> = (0..40).map(|at| (Some(1.0), Some(if at == 39 { 5 } else { 2 }), 0)).collect();
    let found = reduced(&dots(&["y", "number"], &[]), &rows_of(&rows), 9).unwrap();
    // Of y there are cells up to 5 and from 5 on, of the numbers one up to 50.
    assert_eq!(kept(&found), [0, 39]);
}

#[test]
fn texts_have_a_place_each() {
    let rows: Vec<Row> = (0..60).map(|at| (Some(f64::from(at % 2)), Some(0), at as u8 % 3)).collect();
    let by_word =
        Reduction::Dots { x: "word".to_owned(), y: names(&["x"]), by: Vec::new(), columns: COLUMNS, rows: ROWS };
    assert_eq!(kept(&reduced(&by_word, &rows_of(&rows), 11).unwrap()), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn what_cannot_be_dots_is_refused_with_a_reason() {
    let all = rows_of(&[(Some(1.0), Some(1), 0)]);
    for (reduction, words) in [
        (dots(&[], &[]), "dots: 'y' names no column"),
        (dots(&["z"], &[]), "dots: the answer has no column 'z'"),
        (
            Reduction::Dots { x: "x".to_owned(), y: names(&["y"]), by: Vec::new(), columns: 0, rows: 1 },
            "dots: 'columns' is 0; it is a number from 1 to 4096",
        ),
        (Reduction::AtMost { rows: 0 }, "at_most: 'rows' is 0; it is a number from 1 to 1000000"),
    ] {
        let error = reduced(&reduction, &all, 1).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn an_answer_with_more_rows_than_may_come_is_refused() {
    let all = rows_of(&(0..30).map(|at| (Some(f64::from(at)), Some(1), 0)).collect::<Vec<_>>());
    assert_eq!(texts(&reduced(&Reduction::AtMost { rows: 30 }, &all, 7).unwrap()), texts(&all));
    let error = reduced(&Reduction::AtMost { rows: 29 }, &all, 7).unwrap_err();
    let error = crate::Error::from(error);
    assert_eq!(error.kind(), ErrorKind::Execution);
    assert!(error.to_string().contains("more than 29 rows; group them"), "{error}");
}
