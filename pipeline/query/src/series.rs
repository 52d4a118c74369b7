//! `instants(from, to, step)` and `periods(from, to, step)`: rows made of nothing but time, so that what is joined to
//! them keeps its gaps.

use std::sync::Arc;

use datafusion::arrow::{
    array::{RecordBatch, TimestampMicrosecondArray},
    datatypes::{Field, IntervalMonthDayNano, Schema, TimestampMicrosecondType},
};
use lake::model::{Instant, arrow_layout::timestamp_type};

/// Rows the series of one statement may have together.
pub(crate) const MOST_ROWS: usize = 1_000_000;

/// `from`, `from + step`, … before `to`. The n-th is n steps from `from`, so months keep their day where they have it.
///
/// Fails when the step does not go forward, when there would be too many rows, and outside the range of timestamps.
pub(crate) fn instants(
    from: Instant,
    to: Instant,
    step: IntervalMonthDayNano,
    most_rows: usize,
) -> Result<Vec<i64>, String> {
    let utc = "+00:00".parse().map_err(|_| "the time zone is not known".to_owned())?;
    let mut instants = Vec::new();
    let mut at = from.micros();
    while at < to.micros() {
        if instants.len() == most_rows {
            return Err(format!("this makes more than {MOST_ROWS} rows in all; use a longer step or a shorter range"));
        }
        instants.push(at);
        let next = times(step, instants.len())
            .and_then(|steps| TimestampMicrosecondType::add_month_day_nano(from.micros(), steps, utc))
            .ok_or_else(|| "the range is outside the range of timestamps".to_owned())?;
        if next <= at {
            return Err("the step must go forward; use an interval such as INTERVAL '1 day'".to_owned());
        }
        at = next;
    }
    Ok(instants)
}

fn times(step: IntervalMonthDayNano, count: usize) -> Option<IntervalMonthDayNano> {
    let factor = i32::try_from(count).ok()?;
    Some(IntervalMonthDayNano::new(
        step.months.checked_mul(factor)?,
        step.days.checked_mul(factor)?,
        step.nanoseconds.checked_mul(i64::from(factor))?,
    ))
}

/// The column `instant`.
pub(crate) fn instants_batch(instants: Vec<i64>) -> Result<RecordBatch, String> {
    batch(&["instant"], vec![instants])
}

/// The columns `valid_from` and `valid_to`: each instant to the next, the last one to `to`.
pub(crate) fn periods_batch(instants: Vec<i64>, to: Instant) -> Result<RecordBatch, String> {
    let ends = instants.iter().skip(1).copied().chain([to.micros()]).take(instants.len()).collect();
    batch(&["valid_from", "valid_to"], vec![instants, ends])
}

fn batch(names: &[&str], columns: Vec<Vec<i64>>) -> Result<RecordBatch, String> {
    let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, timestamp_type(), false)).collect();
    let arrays = columns
        .into_iter()
        .map(|micros| Arc::new(TimestampMicrosecondArray::from(micros).with_data_type(timestamp_type())) as _);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(from: &str, to: &str, step: IntervalMonthDayNano) -> Result<Vec<String>, String> {
        let (from, to) = (Instant::parse(from).unwrap(), Instant::parse(to).unwrap());
        Ok(instants(from, to, step, MOST_ROWS)?.into_iter().map(|micros| Instant(micros).to_string()).collect())
    }

    #[test]
    fn months_are_counted_from_the_first() {
        let found = texts("2024-01-31", "2024-05-01", IntervalMonthDayNano::new(1, 0, 0)).unwrap();
        assert_eq!(
            found,
            ["2024-01-31T00:00:00Z", "2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z", "2024-04-30T00:00:00Z"]
        );
    }

    #[test]
    fn days_and_parts_of_days_are_even() {
        let found = texts("1969-12-31", "1970-01-01", IntervalMonthDayNano::new(0, 0, 12 * 3_600_000_000_000)).unwrap();
        assert_eq!(found, ["1969-12-31T00:00:00Z", "1969-12-31T12:00:00Z"]);
        assert!(texts("2024-01-01", "2024-01-01", IntervalMonthDayNano::new(0, 1, 0)).unwrap().is_empty());
    }

    #[test]
    fn what_does_not_end_is_refused() {
        for step in [
            IntervalMonthDayNano::new(0, 0, 0),
            IntervalMonthDayNano::new(0, -1, 0),
            IntervalMonthDayNano::new(0, 0, 10),
        ] {
            assert!(texts("2024-01-01", "2024-02-01", step).is_err(), "{step:?}");
        }
    }

    #[test]
    fn the_last_period_ends_with_the_range() {
        let batch = periods_batch(vec![0, 10], Instant(15)).unwrap();
        let ends = batch.column(1).as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap();
        assert_eq!(ends.values().to_vec(), [10, 15]);
    }
}
