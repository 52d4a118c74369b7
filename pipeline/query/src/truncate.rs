//! `date_trunc` of instants in UTC. DataFusion works out each in the calendar of its time zone, in nanoseconds that wrap around
//! before 1677 and after 2262; in UTC every day has 86,400 seconds, so that here it is arithmetic on days, right in every year
//! and in a tenth of the time. What else is truncated is truncated by DataFusion.

use std::{any::Any, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, AsArray, TimestampMicrosecondArray},
        datatypes::{DataType, FieldRef, TimeUnit, TimestampMicrosecondType},
    },
    common::{Result, ScalarValue},
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        sort_properties::{ExprProperties, SortProperties},
    },
};

/// What DataFusion calls it.
pub(crate) const NAME: &str = "date_trunc";
const DAY_MICROS: i64 = 86_400_000_000;

/// The function, in the place of DataFusion's.
pub(crate) fn function(general: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Truncate { general }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Truncate {
    /// DataFusion's.
    general: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Truncate {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        self.general.aliases()
    }

    fn signature(&self) -> &Signature {
        self.general.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.general.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.general.return_field_from_args(arguments)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.general.output_ordering(inputs)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(unit), instants] = &arguments.args[..] else {
            return self.general.invoke_with_args(arguments);
        };
        let unit = unit.try_as_str().flatten().and_then(Unit::of).filter(|_| is_utc(&instants.data_type()));
        match (unit, instants) {
            (Some(unit), ColumnarValue::Array(instants)) => {
                let instants = instants.as_primitive::<TimestampMicrosecondType>();
                let begun: TimestampMicrosecondArray = instants.unary(|micros| unit.start(micros));
                Ok(ColumnarValue::Array(Arc::new(begun.with_data_type(instants.data_type().clone()))))
            }
            (Some(unit), ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(micros, zone))) => {
                let begun = micros.map(|micros| unit.start(micros));
                Ok(ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(begun, zone.clone())))
            }
            _ => self.general.invoke_with_args(arguments),
        }
    }
}

fn is_utc(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, zone) => zone.as_deref().is_none_or(|zone| zone == "+00:00"),
        _ => false,
    }
}

/// A stretch of the clock, or of the calendar, which begins with a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// So many microseconds, of which a day has a whole number.
    Clock(i64),
    Day,
    /// From Monday.
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    fn of(word: &str) -> Option<Unit> {
        let all = [
            ("microsecond", Unit::Clock(1)),
            ("millisecond", Unit::Clock(1_000)),
            ("second", Unit::Clock(1_000_000)),
            ("minute", Unit::Clock(60_000_000)),
            ("hour", Unit::Clock(3_600_000_000)),
            ("day", Unit::Day),
            ("week", Unit::Week),
            ("month", Unit::Month),
            ("quarter", Unit::Quarter),
            ("year", Unit::Year),
        ];
        all.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, unit)| unit)
    }

    /// The beginning of the stretch in which an instant lies, both in microseconds since 1970-01-01.
    fn start(self, micros: i64) -> i64 {
        let day = micros.div_euclid(DAY_MICROS);
        let first = match self {
            Unit::Clock(step) => return micros.div_euclid(step).saturating_mul(step),
            Unit::Day => day,
            // 1970-01-01 was a Thursday.
            Unit::Week => day - (day + 3).rem_euclid(7),
            Unit::Month => day - day_of_month(day),
            Unit::Quarter => first_of_months(day, 3),
            Unit::Year => first_of_months(day, 12),
        };
        first.saturating_mul(DAY_MICROS)
    }
}

/// Year from 1 March, the month from March on, and the day in it, each from 0, of a day since 1970-01-01 in the proleptic
/// Gregorian calendar: `civil_from_days` of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn from_march(day: i64) -> (i64, i64, i64) {
    // From 0000-03-01, in eras of 400 years.
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    (era * 400 + year, month, of_year - (153 * month + 2) / 5)
}

/// The day since 1970-01-01 on which a month begins, which is counted from March of its year: `days_from_civil`.
fn first_of(year_from_march: i64, month_from_march: i64) -> i64 {
    let (era, year) = (year_from_march.div_euclid(400), year_from_march.rem_euclid(400));
    let of_year = (153 * month_from_march + 2) / 5;
    era * 146_097 + year * 365 + year / 4 - year / 100 + of_year - 719_468
}

fn day_of_month(day: i64) -> i64 {
    from_march(day).2
}

/// The first day of the stretch of so many months from January on in which a day lies.
fn first_of_months(day: i64, months: i64) -> i64 {
    let (year, month, _) = from_march(day);
    // From January, of the year that people say.
    let (year, month) = if month < 10 { (year, month + 2) } else { (year + 1, month - 10) };
    let month = month - month % months;
    // And back.
    if month >= 2 { first_of(year, month - 2) } else { first_of(year - 1, month + 10) }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::SessionStateDefaults;
    use proptest::prelude::*;

    use super::*;

    const UNITS: [&str; 5] = ["day", "Week", "month", "quarter", "YEAR"];

    fn general() -> Arc<ScalarUDF> {
        let all = SessionStateDefaults::default_scalar_functions();
        all.into_iter().find(|function| function.name() == NAME).unwrap()
    }

    fn invoked(function: &ScalarUDF, unit: &str, instants: ColumnarValue, rows: usize) -> Arc<dyn Array> {
        let unit = ColumnarValue::Scalar(ScalarValue::from(unit));
        let field = |data_type: DataType| Arc::new(datafusion::arrow::datatypes::Field::new("f", data_type, true));
        let data_type = instants.data_type();
        let arguments = ScalarFunctionArgs {
            args: vec![unit, instants],
            arg_fields: vec![field(DataType::Utf8), field(data_type.clone())],
            number_rows: rows,
            return_field: field(data_type),
            config_options: Arc::default(),
        };
        function.invoke_with_args(arguments).unwrap().into_array(rows).unwrap()
    }

    fn truncated(function: &ScalarUDF, unit: &str, instants: &TimestampMicrosecondArray) -> TimestampMicrosecondArray {
        let array = invoked(function, unit, ColumnarValue::Array(Arc::new(instants.clone())), instants.len());
        assert_eq!(array.data_type(), instants.data_type());
        array.as_primitive::<TimestampMicrosecondType>().clone()
    }

    proptest! {
        #[test]
        fn every_instant_is_truncated_as_datafusion_does(
            micros in prop::collection::vec(prop::option::of(-9_000_000_000_000_000_i64..9_000_000_000_000_000), 1..40),
            zone in prop::sample::select(vec![None, Some("+00:00"), Some("+02:00")]),
        ) {
            let (general, own) = (general(), function(general()));
            let instants = TimestampMicrosecondArray::from(micros).with_timezone_opt(zone);
            for unit in UNITS.into_iter().chain(["hour", "minute", "second", "millisecond"]) {
                prop_assert_eq!(truncated(&own, unit, &instants), truncated(&general, unit, &instants), "{}", unit);
            }
        }
    }

    #[test]
    fn one_instant_is_truncated_as_a_column_of_it() {
        // 1600-06-15 and 9999-12-31, which no nanoseconds reach.
        for micros in [-11_661_753_600_000_000 + 15 * DAY_MICROS / 2, 253_402_300_799_999_999] {
            let column = TimestampMicrosecondArray::from(vec![micros]).with_timezone("+00:00");
            for unit in UNITS.into_iter().chain(["hour", "minute", "second"]) {
                let of_column = truncated(&function(general()), unit, &column).value(0);
                let instant = ScalarValue::TimestampMicrosecond(Some(micros), Some("+00:00".into()));
                let of_one = invoked(&function(general()), unit, ColumnarValue::Scalar(instant), 1);
                assert_eq!(of_one.as_primitive::<TimestampMicrosecondType>().value(0), of_column, "{unit}");
                assert!(
                    of_column <= micros && micros - of_column < 366 * DAY_MICROS,
                    "{unit} of {micros}: {of_column}"
                );
            }
        }
    }

    #[test]
    fn days_beside_leap_days_and_far_years_have_their_month() {
        let start = |unit: Unit, day: i64| unit.start(day * DAY_MICROS + 1) / DAY_MICROS;
        // 2024-02-29, 2024-03-01, 2100-02-28, 9999-12-31.
        assert_eq!(start(Unit::Month, 19_782), 19_754);
        assert_eq!(start(Unit::Month, 19_783), 19_783);
        assert_eq!(start(Unit::Quarter, 19_782), 19_723);
        assert_eq!(start(Unit::Year, 47_540), 47_482);
        assert_eq!(start(Unit::Year, 2_932_896), 2_932_532);
        assert_eq!(Unit::Year.start(i64::MIN), Unit::Year.start(i64::MIN + 1));
    }
}
