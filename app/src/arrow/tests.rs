//! What the library encodes is what is decoded here, type by type; what is broken is said plainly.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int32Array,
    Int64Array, LargeStringArray, NullArray, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow_ipc::writer::StreamWriter;
use proptest::prelude::*;

use super::{Outside, Table};

/// The bytes the server would send.
fn encode(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

/// Bytes somewhere else.
#[derive(Debug)]
struct Away(Vec<u8>);

impl Outside for Away {
    fn byte_count(&self) -> usize {
        self.0.len()
    }

    fn copy(&self, at: usize, into: &mut [u8]) {
        into.copy_from_slice(&self.0[at..at + into.len()]);
    }
}

/// The same answer twice: here, and somewhere else.
fn here_and_away(bytes: Vec<u8>) -> [Table; 2] {
    [Table::decode(bytes.clone()).unwrap(), Table::decode_outside(Arc::new(Away(bytes))).unwrap()]
}

/// A table of one batch, through the wire format.
pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> Table {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    Table::decode(encode(&[batch.unwrap()])).unwrap()
}

fn shown(array: ArrayRef) -> Vec<Option<String>> {
    let batch = RecordBatch::try_from_iter_with_nullable([("c", array, true)]).unwrap();
    let shown =
        |table: &Table| (0..table.rows()).map(|row| table.column("c").unwrap().display(row)).collect::<Vec<_>>();
    let [here, away] = here_and_away(encode(&[batch])).map(|table| shown(&table));
    assert_eq!(here, away);
    here
}

#[test]
fn every_type_is_shown_exactly_and_null_is_null() {
    let moment = 1_774_980_000_000_000_i64;
    let long = "a text that is longer than twelve bytes";
    let decimal = Decimal128Array::from(vec![Some(12_043_100_000_000_000_001), None]);
    let cases: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(decimal.with_precision_and_scale(38, 16).unwrap()), "1,204.3100000000000001"),
        (Arc::new(Int64Array::from(vec![Some(i64::MAX), None])), "9,223,372,036,854,775,807"),
        (Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])), "18,446,744,073,709,551,615"),
        (Arc::new(Int32Array::from(vec![Some(-7), None])), "−7"),
        (Arc::new(Int8Array::from(vec![Some(-128), None])), "−128"),
        (Arc::new(Float64Array::from(vec![Some(-0.1), None])), "−0.1"),
        (Arc::new(Float32Array::from(vec![Some(1.5), None])), "1.5"),
        (Arc::new(BooleanArray::from(vec![Some(true), None])), "yes"),
        (Arc::new(Date32Array::from(vec![Some(20_543), None])), "31 Mar 2026"),
        (Arc::new(StringArray::from(vec![Some(long), None])), long),
        (Arc::new(LargeStringArray::from(vec![Some(long), None])), long),
        (Arc::new(StringViewArray::from(vec![Some(long), None])), long),
        (Arc::new(StringViewArray::from(vec![Some("short"), None])), "short"),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![Some(moment), None]).with_timezone("+00:00")),
            "31 Mar 2026, 18:00 UTC",
        ),
        (Arc::new(TimestampNanosecondArray::from(vec![Some(moment * 1_000 + 7), None])), "31 Mar 2026, 18:00 UTC"),
        (Arc::new(TimestampMillisecondArray::from(vec![Some(moment / 1_000), None])), "31 Mar 2026, 18:00 UTC"),
        (Arc::new(TimestampSecondArray::from(vec![Some(moment / 1_000_000), None])), "31 Mar 2026, 18:00 UTC"),
    ];
    for (array, expected) in cases {
        assert_eq!(shown(array), [Some(expected.to_owned()), None]);
    }
    assert_eq!(shown(Arc::new(NullArray::new(2))), [None, None]);
}

#[test]
fn numbers_for_drawing_follow_the_scale_and_other_types_are_none() {
    let decimal = Decimal128Array::from(vec![12_043_100]).with_precision_and_scale(38, 4).unwrap();
    let table = table(vec![("d", Arc::new(decimal)), ("t", Arc::new(StringArray::from(vec!["x"])))]);
    let [d, t] = table.columns(["d", "t"]).unwrap();
    assert_eq!(d.number(0), Some(1204.31));
    assert_eq!((d.text(0), d.instant_micros(0), t.number(0), t.text(1)), (None, None, None, None));
    assert_eq!(table.columns(["d", "level"]).unwrap_err(), "the answer has no column 'level'");
}

#[test]
fn batches_follow_each_other_and_an_empty_answer_has_its_columns() {
    let batch = |values: Vec<&str>| {
        RecordBatch::try_from_iter([("name", Arc::new(StringArray::from(values)) as ArrayRef)]).unwrap()
    };
    let table = Table::decode(encode(&[batch(vec!["a", "b"]), batch(vec![]), batch(vec!["c"])])).unwrap();
    let names: Vec<_> = (0..table.rows()).map(|row| table.column("name").unwrap().text(row)).collect();
    assert_eq!(names, [Some("a"), Some("b"), Some("c")]);
    let empty = Table::decode(encode(&[batch(vec![])])).unwrap();
    assert_eq!((empty.rows(), empty.column("name").is_ok()), (0, true));
}

#[test]
fn broken_bytes_are_said_plainly() {
    let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap();
    let bytes = encode(&[batch]);
    assert!(Table::decode(b"not arrow".to_vec()).unwrap_err().starts_with("the answer could not be decoded"));
    assert_eq!(Table::decode(Vec::new()).unwrap_err(), "the answer could not be decoded: it is empty");
    for cut in [20, bytes.len() / 2, bytes.len() - 20] {
        assert!(Table::decode(bytes[..cut].to_vec()).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_type_that_pages_do_not_show_is_named() {
    let list = arrow_array::ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>([Some([Some(1)])]);
    let batch = RecordBatch::try_from_iter([("parts", Arc::new(list) as ArrayRef)]).unwrap();
    assert!(Table::decode(encode(&[batch])).unwrap_err().contains("column 'parts' has a type"));
}

proptest! {
    #[test]
    fn any_texts_and_integers_come_through(rows in prop::collection::vec((any::<Option<i64>>(), ".{0,30}"), 0..70)) {
        let texts: Vec<&str> = rows.iter().map(|row| row.1.as_str()).collect();
        let table = table(vec![
            ("n", Arc::new(Int64Array::from(rows.iter().map(|row| row.0).collect::<Vec<_>>()))),
            ("t", Arc::new(StringArray::from(texts.clone()))),
            ("v", Arc::new(StringViewArray::from(texts))),
        ]);
        let [n, t, v] = table.columns(["n", "t", "v"]).unwrap();
        for (row, (number, text)) in rows.iter().enumerate() {
            prop_assert_eq!(n.integer(row), number.map(i128::from));
            prop_assert_eq!(t.text(row), Some(text.as_str()));
            prop_assert_eq!(v.text(row), Some(text.as_str()));
        }
    }

    #[test]
    fn no_damage_makes_it_panic(at in 0_usize..2_000, value in any::<u8>()) {
        let batch = RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
            ("v", Arc::new(StringViewArray::from(vec!["a", "a text that is longer than twelve bytes", ""])) as ArrayRef),
            ("t", Arc::new(StringArray::from(vec!["x", "yy", "zzz"])) as ArrayRef),
        ]);
        let mut bytes = encode(&[batch.unwrap()]);
        let at = at % bytes.len();
        bytes[at] = value;
        let both = [Table::decode(bytes.clone()), Table::decode_outside(Arc::new(Away(bytes)))];
        prop_assert_eq!(both[0].is_ok(), both[1].is_ok());
        for (table, name) in both.iter().flatten().flat_map(|table| table.names().iter().map(move |name| (table, name))) {
            let column = table.column(name).unwrap();
            for row in 0..table.rows().min(10) {
                let _ = column.display(row);
            }
        }
    }

    #[test]
    fn batch_by_batch_is_row_by_row(
        rows in prop::collection::vec((any::<Option<i64>>(), any::<Option<i32>>(), any::<Option<f64>>()), 0..70),
        cut in 0_usize..70,
    ) {
        let batch = |rows: &[(Option<i64>, Option<i32>, Option<f64>)]| {
            let decimals: Vec<_> = rows.iter().map(|row| row.0.map(i128::from)).collect();
            let decimals = Decimal128Array::from(decimals).with_precision_and_scale(38, 4).unwrap();
            RecordBatch::try_from_iter_with_nullable([
                ("t", Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.0))) as ArrayRef, true),
                ("s", Arc::new(TimestampSecondArray::from_iter(rows.iter().map(|row| row.1.map(i64::from)))) as ArrayRef, true),
                ("day", Arc::new(Date32Array::from_iter(rows.iter().map(|row| row.1))) as ArrayRef, true),
                ("i", Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.1))) as ArrayRef, true),
                ("f", Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.2))) as ArrayRef, true),
                ("d", Arc::new(decimals) as ArrayRef, true),
            ]).unwrap()
        };
        let (head, tail) = rows.split_at(cut.min(rows.len()));
        let both = here_and_away(encode(&[batch(head), batch(tail)]));
        prop_assert_eq!(both.each_ref().map(Table::batches), [2, 2]);
        let (mut numbers, mut instants) = (Vec::new(), Vec::new());
        for (table, name) in both.iter().flat_map(|table| table.names().iter().map(move |name| (table, name))) {
            let column = table.column(name).unwrap();
            for batch in 0..2 {
                let start = table.batch_start(batch);
                column.numbers_into(batch, &mut numbers);
                column.micros_into(batch, &mut instants);
                for (at, (number, instant)) in numbers.iter().zip(&instants).enumerate() {
                    prop_assert_eq!(column.number(start + at).unwrap_or(f64::NAN).to_bits(), number.to_bits());
                    prop_assert_eq!(column.instant_micros(start + at).map_or(f64::NAN, |micros| micros as f64).to_bits(), instant.to_bits());
                }
            }
        }
    }
}
