//! M4.

use std::{collections::BTreeMap, sync::Arc};

use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
            TimestampMicrosecondArray, UInt32Array, UInt64Array,
        },
        datatypes::{DataType, Int64Type},
    },
    execution::memory_pool::{GreedyMemoryPool, MemoryPool, UnboundedMemoryPool},
};
use proptest::prelude::*;

use super::{batch, fold, names, reduced, texts};
use crate::{
    ErrorKind,
    reduce::{
        Reduction,
        scale::{Chain, DecimalSteps, Scale},
    },
};

/// x in thousandths, or nothing; two values; the series.
type Row = (Option<i64>, Option<i64>, Option<f64>, u8);

fn m4(columns: usize, by: &[&str]) -> Reduction {
    Reduction::M4 { x: "x".to_owned(), y: names(&["a", "b"]), by: names(by), columns }
}

/// The types that x is tried with.
const KINDS: [&str; 6] = ["timestamp", "date", "integer", "unsigned", "decimal", "float"];

fn column_of(kind: &str, values: &[Option<i64>]) -> ArrayRef {
    let values = values.iter().copied();
    match kind {
        "timestamp" => {
            let times: TimestampMicrosecondArray = values.map(|v| v.map(|v| v * 777_777)).collect();
            Arc::new(times.with_timezone("+00:00"))
        }
        "date" => Arc::new(values.map(|v| v.map(|v| v as i32)).collect::<Date32Array>()),
        "integer" => Arc::new(values.collect::<Int64Array>()),
        "unsigned" => Arc::new(values.map(|v| v.map(i64::unsigned_abs)).collect::<UInt64Array>()),
        "decimal" => {
            let array: Decimal128Array = values.map(|v| v.map(|v| i128::from(v) * 1_000_000_007)).collect();
            Arc::new(array.with_precision_and_scale(38, 4).unwrap())
        }
        // Every so often a number that is none.
        _ => Arc::new(
            values.map(|v| v.map(|v| if v % 17 == 3 { f64::NAN } else { v as f64 / 1000.0 })).collect::<Float64Array>(),
        ),
    }
}

fn rows_of(kind: &str, rows: &[Row]) -> RecordBatch {
    let x = column_of(kind, &rows.iter().map(|row| row.0).collect::<Vec<_>>());
    let a: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
    let b: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>());
    let series: StringArray = rows.iter().map(|row| (row.3 > 0).then(|| format!("s{}", row.3))).collect();
    let id: ArrayRef = Arc::new((0..rows.len() as i64).collect::<Int64Array>());
    batch(vec![("x", x), ("a", a), ("b", b), ("series", Arc::new(series)), ("id", id)])
}

/// x as it is ordered, without those that are none.
fn xs(batch: &RecordBatch) -> Vec<Option<f64>> {
    let numbers = datafusion::arrow::compute::cast(batch.column(0), &DataType::Float64);
    // Times are cast by way of integers. No value of the test loses digits that matter.
    let numbers = numbers.or_else(|_| {
        let whole = datafusion::arrow::compute::cast(batch.column(0), &DataType::Int64)?;
        datafusion::arrow::compute::cast(&whole, &DataType::Float64)
    });
    let numbers = numbers.unwrap();
    let numbers = numbers.as_primitive::<datafusion::arrow::datatypes::Float64Type>();
    numbers.iter().map(|x| x.filter(|x| x.is_finite())).collect()
}

fn ids(batch: &RecordBatch) -> Vec<i64> {
    batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().to_vec()
}

/// The bucket of each row, by the same scale; how buckets have to be is tested for itself.
fn buckets(kind: &str, batch: &RecordBatch, columns: u32) -> Vec<Option<String>> {
    use crate::reduce::numbers::{Column, Number};
    fn with<N: Number>(steps: N::Steps, column: &Column, rows: usize, columns: u32) -> Vec<Option<String>> {
        let values = N::slice(&column.numbers).unwrap();
        let mut scale: Scale<N> = Scale::new(steps, columns);
        if let Some((low, high)) = column.range(values) {
            scale.fit(low, high);
        }
        (0..rows).map(|row| column.value(values, row).map(|value| format!("{:?}", scale.bucket(value)))).collect()
    }
    let (column, rows) = (Column::of(batch.column(0)).unwrap(), batch.num_rows());
    let data_type = batch.column(0).data_type();
    match kind {
        "float" => with::<f64>(DecimalSteps, &column, rows, columns),
        "unsigned" | "decimal" => with::<i128>(Chain::of(data_type), &column, rows, columns),
        _ => with::<i64>(Chain::of(data_type), &column, rows, columns),
    }
}

/// The ids that M4 keeps, found by looking at all rows of each bucket.
fn naive(kind: &str, batch: &RecordBatch, columns: usize, by_series: bool) -> Vec<i64> {
    let xs = xs(batch);
    let buckets = buckets(kind, batch, columns as u32);
    let series = batch.column_by_name("series").unwrap().as_string::<i32>();
    let mut groups: BTreeMap<(Option<&str>, &String), Vec<usize>> = BTreeMap::new();
    for (row, bucket) in buckets.iter().enumerate() {
        if let Some(bucket) = bucket {
            let name = (by_series && series.is_valid(row)).then(|| series.value(row));
            groups.entry((name, bucket)).or_default().push(row);
        }
    }
    let all = groups.values().map(Vec::len).sum::<usize>() <= columns;
    let mut kept: Vec<usize> = Vec::new();
    for rows in groups.values_mut() {
        rows.sort_by(|&a, &b| xs[a].partial_cmp(&xs[b]).unwrap());
        kept.extend([rows[0], rows[rows.len() - 1]]);
        for y in ["a", "b"] {
            let column = batch.column_by_name(y).unwrap();
            let column = datafusion::arrow::compute::cast(column, &DataType::Float64).unwrap();
            let values = column.as_primitive::<datafusion::arrow::datatypes::Float64Type>();
            let value = |row: usize| values.is_valid(row).then(|| values.value(row)).filter(|value| value.is_finite());
            let valued: Vec<usize> = rows.iter().copied().filter(|&row| value(row).is_some()).collect();
            let least = valued.iter().copied().reduce(|a, b| if value(b) < value(a) { b } else { a });
            let greatest = valued.iter().copied().reduce(|a, b| if value(b) > value(a) { b } else { a });
            kept.extend(least.into_iter().chain(greatest));
        }
        if all {
            kept.extend(rows.iter());
        }
    }
    kept.sort_by(|&a, &b| xs[a].partial_cmp(&xs[b]).unwrap().then(a.cmp(&b)));
    kept.dedup();
    kept.into_iter().map(|row| row as i64).collect()
}

fn row() -> impl Strategy<Value = Row> {
    let x = prop_oneof![9 => (-400..4000_i64).prop_map(Some), 1 => Just(None)];
    let a = prop_oneof![9 => (-5..5_i64).prop_map(Some), 1 => Just(None)];
    let b = prop_oneof![
        8 => (-50..50_i64).prop_map(|b| Some(b as f64 / 8.0)),
        1 => Just(None),
        1 => prop_oneof![Just(Some(f64::NAN)), Just(Some(f64::INFINITY)), Just(Some(-0.0))],
    ];
    (x, a, b, 0..4_u8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rows_that_a_line_shows_are_kept_whatever_the_batches(
        rows in proptest::collection::vec(row(), 0..300),
        columns in 1..40_usize,
        part in 1..100_usize,
        kind in 0..KINDS.len(),
        by_series: bool,
        sorted: bool,
    ) {
        let mut rows = rows;
        if sorted {
            rows.sort_by_key(|row| row.0);
        }
        let (kind, by): (&str, &[&str]) = (KINDS[kind], if by_series { &["series"] } else { &[] });
        let input = rows_of(kind, &rows);
        let reduction = m4(columns, by);
        let output = reduced(&reduction, &input, part).unwrap();
        prop_assert_eq!(ids(&output), naive(kind, &input, columns, by_series));
        let whole: Vec<Vec<String>> = ids(&output).iter().map(|&id| texts(&input.slice(id as usize, 1)).remove(0)).collect();
        prop_assert_eq!(texts(&output), whole, "rows come as they are");
        let series = if by_series { 4 } else { 1 };
        prop_assert!(output.num_rows() <= columns.max(columns * series * 6));
        prop_assert_eq!(texts(&reduced(&reduction, &output, 7).unwrap()), texts(&output), "again, and nothing changes");
    }

    #[test]
    fn buckets_of_numbers_have_edges_that_hold_them_and_do_not_move(
        values in proptest::collection::vec((-1_000_000..1_000_000_i64, -12..12_i32), 1..60),
        columns in 2..50_u32,
    ) {
        let values: Vec<f64> = values.iter().map(|(digits, power)| *digits as f64 * 10_f64.powi(*power)).collect();
        let mut scale: Scale<f64> = Scale::new(DecimalSteps, columns);
        let mut positions: Vec<u32> = Vec::new();
        let mut held: Vec<(f64, f64)> = Vec::new();
        for (at, &value) in values.iter().enumerate() {
            if let Some(moved) = scale.fit(value, value) {
                positions.iter_mut().for_each(|position| *position = moved[*position as usize]);
            }
            let bucket = scale.bucket(value);
            prop_assert!(bucket.from <= value && value < bucket.to);
            positions.push(bucket.position);
            for (&earlier, &position) in values[..at].iter().zip(&positions) {
                prop_assert_eq!(scale.bucket(earlier).position, position, "an earlier value stays with its bucket");
            }
            // A wider bucket is made of narrower ones.
            let edges: Vec<(f64, f64)> = scale.in_order().iter().map(|bucket| (bucket.from, bucket.to)).collect();
            prop_assert!(edges.len() <= columns as usize);
            for (from, to) in &held {
                prop_assert!(edges.iter().any(|edge| edge.0 <= *from && *to <= edge.1), "{held:?} {edges:?}");
            }
            held = edges;
        }
    }
}

#[test]
fn buckets_of_times_follow_the_clock_and_the_calendar() {
    let micros = |text: &str| lake::model::Instant::parse(text).unwrap().0;
    let timestamp = DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Microsecond, None);
    for (from, to, columns, width_seconds, first) in [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:59Z", 60, 1, "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:07:00Z", "2026-01-01T09:00:00Z", 40, 900, "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:07:00Z", "2026-03-01T09:00:00Z", 60, 86_400, "2026-01-01T00:00:00Z"),
        // The first of January 2026 is a Thursday.
        ("2026-01-01T00:07:00Z", "2026-12-31T09:00:00Z", 60, 7 * 86_400, "2025-12-29T00:00:00Z"),
    ] {
        let mut scale: Scale<i64> = Scale::new(Chain::of(&timestamp), columns);
        scale.fit(micros(from), micros(to));
        let bucket = scale.bucket(micros(from));
        assert_eq!((bucket.to - bucket.from, bucket.from), (width_seconds * 1_000_000, micros(first)), "{from} {to}");
    }
}

#[test]
fn the_ends_of_a_type_have_buckets() {
    for columns in [1, 2, 3, 4_096] {
        let values = [Some(i64::MIN), Some(i64::MAX), Some(0), Some(-1), None, Some(i64::MAX - 1)];
        for part in [1, 6] {
            let rows: Vec<Row> = values.iter().map(|&x| (x, Some(1), Some(1.0), 0)).collect();
            let output = reduced(&m4(columns, &[]), &rows_of("integer", &rows), part).unwrap();
            assert!(ids(&output).starts_with(&[0]) && ids(&output).ends_with(&[1]), "{columns} {part}");
        }
        let floats = [f64::MIN, f64::MAX, 0.0, -0.0, f64::MIN_POSITIVE, 5e-324, 1.0, f64::INFINITY, f64::NAN, -1e-300];
        let x: ArrayRef = Arc::new(Float64Array::from(floats.to_vec()));
        let id: ArrayRef = Arc::new((0..floats.len() as i64).collect::<Int64Array>());
        let input = batch(vec![("x", x), ("a", id.clone()), ("b", id.clone()), ("id", id)]);
        let output = reduced(&m4(columns, &[]), &input, 1).unwrap();
        assert!(ids(&output).starts_with(&[0]) && ids(&output).ends_with(&[1]), "{columns}");
    }
}

#[test]
fn memory_is_bounded_by_what_is_drawn() {
    let rows = 400_000;
    let x: ArrayRef = Arc::new((0..rows).map(|row| row * 7_919 % rows).collect::<Int64Array>());
    let y: ArrayRef = Arc::new((0..rows).map(|row| (row * 104_729 % 1_000_003) as f64).collect::<Float64Array>());
    let input = batch(vec![("x", x.clone()), ("a", x.clone()), ("b", y), ("series", x.clone()), ("id", x)]);
    let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(2 << 20));
    let parts = || (0..rows as usize).step_by(8_192).map(|start| input.slice(start, 8_192.min(rows as usize - start)));
    // The slices share buffers of twelve megabytes: they are made their own.
    let own = || {
        parts().map(|part| {
            datafusion::arrow::compute::take_record_batch(
                &part,
                &UInt32Array::from_iter_values(0..part.num_rows() as u32),
            )
            .unwrap()
        })
    };
    let (_, batches) = fold(&m4(200, &[]), input.schema(), own(), &pool).unwrap();
    let given: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert!((200..=1_200).contains(&given), "{given}");
    let error: crate::Error = fold(&m4(200, &["series"]), input.schema(), own(), &pool).unwrap_err().into();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
    let unbounded: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    let error: crate::Error = fold(&m4(2, &["series"]), input.schema(), own(), &unbounded).unwrap_err().into();
    assert!(error.message().contains("more than 10000 series by 'series'"), "{error}");
}

#[test]
fn however_many_rows_come_and_in_whatever_order_a_few_for_each_stretch_are_kept() {
    let rows: i64 = 200_000;
    let spread = |row: i64| row.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17).rem_euclid(rows);
    for (in_order, series) in [(true, 1), (false, 1), (true, 20)] {
        let part = |start: i64| {
            let part = start..rows.min(start + 8_192);
            let time = |row: i64| if in_order { row } else { spread(row) };
            let x: TimestampMicrosecondArray = part.clone().map(|row| Some(time(row) * 250_000)).collect();
            let y: Float64Array = part.clone().map(|row| Some(spread(row) as f64 / 7.0)).collect();
            let name: StringArray = part.map(|row| Some(format!("series {}", row % series))).collect();
            batch(vec![("x", Arc::new(x) as ArrayRef), ("y", Arc::new(y)), ("series", Arc::new(name))])
        };
        let parts: Vec<RecordBatch> = (0..rows).step_by(8_192).map(part).collect();
        let by = if series > 1 { names(&["series"]) } else { Vec::new() };
        let reduction = Reduction::M4 { x: "x".to_owned(), y: names(&["y"]), by, columns: 1_200 };
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let (_, batches) = fold(&reduction, parts[0].schema(), parts.iter().cloned(), &pool).unwrap();
        let given: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert!(given < 6_000 * series as usize, "{given} rows of {series} series");
    }
}
