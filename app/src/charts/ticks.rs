//! Where axes are labelled: round values, whole calendar steps, never more labels than fit.

use super::ValueFormat;
use crate::format::{
    number,
    time::{self, DAY_MICROS, HOUR_MICROS, SECOND_MICROS},
};

/// A labelled place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The value there: a number, an instant in microseconds, or the index of a category.
    pub at: f64,
    /// What stands there.
    pub label: String,
}

/// From here on an axis counts in thousands, millions and so on.
const LONG: f64 = 1e7;

/// Round values that cover `low..=high`: the first is at or below `low`, the last at or above `high`. Between 2 and
/// `most + 2` of them. Of whole numbers none has a fraction.
pub fn value_ticks(low: f64, high: f64, most: usize, format: ValueFormat) -> Vec<Tick> {
    let (low, high) = widened(low, high);
    let greatest = low.abs().max(high.abs());
    let (factor, sign) = match format {
        ValueFormat::Percent(_) => (100.0, " %"),
        ValueFormat::PercentValue(_) => (1.0, " %"),
        ValueFormat::Compact | ValueFormat::Money(_) => short_unit(greatest),
        ValueFormat::Duration => duration_unit(greatest),
        ValueFormat::Bytes => bytes_unit(greatest),
        // Longer numbers would take the room of the picture.
        _ if greatest >= LONG && high - low >= greatest * 1e-3 => short_unit(greatest),
        _ => (1.0, ""),
    };
    let finest = if format == ValueFormat::Whole { factor.min(1.0) } else { 0.0 };
    let step = round_step((high - low) * factor / most.max(1) as f64).max(finest);
    let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let first = (low * factor / step).floor();
    let last = (high * factor / step).ceil();
    let count = (last - first).clamp(1.0, 64.0) as usize;
    (0..=count)
        .map(|index| {
            let at = (first + index as f64) * step;
            Tick { at: at / factor, label: format!("{}{sign}", number::fixed_text(at, decimals)) }
        })
        .collect()
}

/// What bytes are multiplied by to be of the largest unit that leaves a whole part, and that unit.
fn bytes_unit(greatest: f64) -> (f64, &'static str) {
    let units = [(" GiB", 1_073_741_824.0), (" MiB", 1_048_576.0), (" KiB", 1_024.0)];
    let unit = units.into_iter().find(|(_, bytes)| greatest >= *bytes);
    unit.map_or((1.0, " B"), |(unit, bytes)| (1.0 / bytes, unit))
}

/// The same for large numbers of whatever is counted.
fn short_unit(greatest: f64) -> (f64, &'static str) {
    let units = [(" tn", 1e12), (" bn", 1e9), (" M", 1e6), (" k", 1e3)];
    // Four digits are read as they are.
    let unit = units.into_iter().find(|(_, size)| greatest >= *size && greatest >= 1e4);
    unit.map_or((1.0, ""), |(unit, size)| (1.0 / size, unit))
}

/// The same for microseconds.
fn duration_unit(greatest: f64) -> (f64, &'static str) {
    let second = SECOND_MICROS as f64;
    let units = [(" h", 3_600.0 * second), (" min", 60.0 * second), (" s", second), (" ms", 1_000.0)];
    let unit = units.into_iter().find(|(_, micros)| greatest >= 2.0 * *micros);
    unit.map_or((1.0, " µs"), |(unit, micros)| (1.0 / micros, unit))
}

/// Those that lie inside a range, with a little slack for what rounding does at its ends.
pub(super) fn inside(ticks: Vec<Tick>, low: f64, high: f64) -> Vec<Tick> {
    let slack = (high - low) * 1e-9;
    ticks.into_iter().filter(|tick| (low - slack..=high + slack).contains(&tick.at)).collect()
}

/// Powers of ten, with 2 and 5 times them where there is room; over less than a decade round values.
pub fn log_ticks(low: f64, high: f64, most: usize, format: ValueFormat) -> Vec<Tick> {
    let most = most.max(1);
    let decades = (high / low).log10();
    let tick = |at: f64| Tick { at, label: short_label(at, format) };
    if decades < 1.0 {
        return inside(value_ticks(low, high, most, format), low, high);
    }
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let within = |at: &f64| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(at);
    let of = |factors: &'static [f64], every: i32| {
        let powers = (first..=last).filter(move |power| power.rem_euclid(every) == 0);
        powers.flat_map(move |power| factors.iter().map(move |factor| factor * 10_f64.powi(power))).filter(within)
    };
    for (factors, every) in
        [(&[1.0, 2.0, 5.0][..], 1), (&[1.0], 1), (&[1.0], 2), (&[1.0], 3), (&[1.0], 5), (&[1.0], 10)]
    {
        let found: Vec<f64> = of(factors, every).collect();
        if found.len() <= most {
            return found.into_iter().map(tick).collect();
        }
    }
    of(&[1.0], 25).take(most).map(tick).collect()
}

/// A value of an axis in few characters.
fn short_label(value: f64, format: ValueFormat) -> String {
    match format {
        ValueFormat::Percent(_) | ValueFormat::PercentValue(_) | ValueFormat::Duration => {
            return format.number_text(value);
        }
        // Its currency stands with the unit of the axis.
        ValueFormat::Money(_) | ValueFormat::Compact => return ValueFormat::Compact.number_text(value),
        _ => {}
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e7).contains(&magnitude) {
        return number::float_text(value);
    }
    let power = magnitude.log10().floor();
    format!("{}e{power}", number::float_text((value / 10_f64.powf(power) * 1e6).round() / 1e6))
}

/// Every category, or every so many where there are more than fit.
pub fn band_ticks(labels: &[String], most: usize) -> Vec<Tick> {
    let every = labels.len().div_ceil(most.max(1)).max(1);
    let shown = labels.iter().enumerate().step_by(every);
    shown.map(|(index, label)| Tick { at: index as f64, label: label.clone() }).collect()
}

/// A flat line still needs an axis around it.
fn widened(low: f64, high: f64) -> (f64, f64) {
    let least = (low.abs().max(high.abs()) * 1e-6).max(1e-9);
    if high - low > least {
        return (low, high);
    }
    let room = if low == 0.0 && high == 0.0 { 1.0 } else { (low.abs() * 0.01).max(least) };
    if low == 0.0 { (0.0, room) } else { (low - room, high + room) }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * 0.999_999).unwrap_or(10.0);
    factor * power
}

/// No month is longer.
const MONTH_MICROS: i64 = 31 * DAY_MICROS;
/// What lies before the year 1 or after the year 9999 has no label: no calendar that people use goes there.
const FIRST_LABELLED: i64 = -62_135_596_800_000_000;
const LAST_LABELLED: i64 = 253_402_300_799_999_999;

/// Calendar steps inside `from..=to` with labels in UTC; at most `most` of them.
pub fn time_ticks(from: i64, to: i64, most: usize) -> Vec<Tick> {
    let (from, to, most) = (from.max(FIRST_LABELLED), to.min(LAST_LABELLED), most.max(1));
    if from > to {
        return Vec::new();
    }
    let span = to.saturating_sub(from).max(1);
    const FIXED: [i64; 21] = [
        SECOND_MICROS,
        2 * SECOND_MICROS,
        5 * SECOND_MICROS,
        10 * SECOND_MICROS,
        15 * SECOND_MICROS,
        30 * SECOND_MICROS,
        60 * SECOND_MICROS,
        2 * 60 * SECOND_MICROS,
        5 * 60 * SECOND_MICROS,
        10 * 60 * SECOND_MICROS,
        15 * 60 * SECOND_MICROS,
        30 * 60 * SECOND_MICROS,
        HOUR_MICROS,
        2 * HOUR_MICROS,
        3 * HOUR_MICROS,
        6 * HOUR_MICROS,
        12 * HOUR_MICROS,
        DAY_MICROS,
        2 * DAY_MICROS,
        7 * DAY_MICROS,
        14 * DAY_MICROS,
    ];
    // Steps far too fine are not counted out.
    let near = |step: i64| span / step <= 6 * most as i64;
    let fixed = FIXED.into_iter().filter(|step| near(*step)).map(|step| every(from, to, step));
    let years = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000].map(|years| years * 12);
    let months = [1, 2, 3, 6].into_iter().chain(years).filter(|months| near(months * MONTH_MICROS));
    let mut finer = Vec::new();
    for ticks in fixed.chain(months.map(|months| every_months(from, to, months))) {
        if ticks.len() <= most {
            return if ticks.len() < 2 && most > 1 { thinned(finer, most).unwrap_or(ticks) } else { ticks };
        }
        finer = ticks;
    }
    Vec::new()
}

/// Every so many of labels that are too many: one alone would not say how long an axis is. Among clock times the one that
/// names the day stays; where it would be the only one, there are none.
fn thinned(ticks: Vec<Tick>, most: usize) -> Option<Vec<Tick>> {
    let every = ticks.len().div_ceil(most).max(1);
    let is_day = |tick: &Tick| tick.at as i64 % DAY_MICROS == 0;
    let days = ticks.iter().position(is_day).filter(|_| !ticks.iter().all(is_day));
    let from = days.map_or(0, |day| day % every);
    Some(ticks.into_iter().skip(from).step_by(every).collect()).filter(|ticks: &Vec<Tick>| ticks.len() > 1)
}

/// Weeks start on Mondays, and 1970-01-01 was a Thursday.
const FIRST_MONDAY: i64 = 4 * DAY_MICROS;

fn every(from: i64, to: i64, step: i64) -> Vec<Tick> {
    let origin = if step % (7 * DAY_MICROS) == 0 { FIRST_MONDAY } else { 0 };
    let first = (from - origin).div_euclid(step) * step + origin;
    let label = |at: i64| {
        // Between clock times midnight says which day begins.
        if at % DAY_MICROS == 0 {
            return time::day_of_year_text(time::day_of(at));
        }
        time::clock_text(at)
    };
    (0..)
        .map(|index| first + index * step)
        .skip_while(|at| *at < from)
        .take_while(|at| *at <= to)
        .map(|at| Tick { at: at as f64, label: label(at) })
        .collect()
}

fn every_months(from: i64, to: i64, months: i64) -> Vec<Tick> {
    let date = time::civil(time::day_of(from));
    let start = (date.year * 12 + date.month - 1).div_euclid(months) * months;
    (0..)
        .map(|index| start + index * months)
        .map(|month| (month, time::days_from_civil(0, month + 1, 1) * DAY_MICROS))
        .skip_while(|(_, at)| *at < from)
        .take_while(|(_, at)| *at <= to)
        .map(|(month, at)| {
            let year = month.div_euclid(12);
            let label = match months {
                1..12 => time::month_text(year, month.rem_euclid(12) + 1),
                _ => year.to_string(),
            };
            Tick { at: at as f64, label }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(from: &str, to: &str, most: usize) -> Vec<String> {
        let micros = |text| model::Instant::parse(text).unwrap().micros();
        time_ticks(micros(from), micros(to), most).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn values_are_labelled_at_round_steps_that_cover_the_data() {
        let labels: Vec<_> =
            value_ticks(1187.3, 1243.9, 4, ValueFormat::Plain).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["1,180", "1,200", "1,220", "1,240", "1,260"]);
        let labels: Vec<_> = value_ticks(0.0, 0.31, 4, ValueFormat::Plain).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["0.0", "0.1", "0.2", "0.3", "0.4"]);
    }

    #[test]
    fn shares_are_labelled_in_percent_and_ratios_by_powers_of_ten() {
        let labels = |ticks: Vec<Tick>| ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        assert_eq!(labels(value_ticks(0.0, 0.31, 4, ValueFormat::Percent(1))), ["0 %", "10 %", "20 %", "30 %", "40 %"]);
        let bytes = value_ticks(0.0, 3.0 * 1_048_576.0, 3, ValueFormat::Bytes);
        assert_eq!(labels(bytes), ["0 MiB", "1 MiB", "2 MiB", "3 MiB"]);
        let money = ValueFormat::Money(crate::format::value::Currency::of_code("EUR").unwrap());
        assert_eq!(labels(value_ticks(0.0, 3.1e6, 3, money)), ["0 M", "2 M", "4 M"]);
        assert_eq!(labels(value_ticks(0.0, 9_000.0, 2, ValueFormat::Compact)), ["0", "5,000", "10,000"]);
        assert_eq!(labels(value_ticks(0.0, 9e6, 2, ValueFormat::Duration)), ["0 s", "5 s", "10 s"]);
        assert_eq!(labels(log_ticks(1.0, 1_000.0, 5, ValueFormat::Plain)), ["1", "10", "100", "1,000"]);
        assert_eq!(labels(log_ticks(1.0, 100.0, 9, ValueFormat::Plain)), ["1", "2", "5", "10", "20", "50", "100"]);
        assert_eq!(labels(log_ticks(1e-9, 1e12, 4, ValueFormat::Plain)), ["1e-5", "1", "100,000", "1e10"]);
    }

    #[test]
    fn counts_are_not_labelled_with_fractions() {
        let labels: Vec<_> = value_ticks(0.0, 2.0, 8, ValueFormat::Whole).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["0", "1", "2"]);
    }

    #[test]
    fn a_flat_line_gets_an_axis() {
        assert_eq!(value_ticks(0.0, 0.0, 4, ValueFormat::Plain).first().map(|tick| tick.at), Some(0.0));
        let ticks = value_ticks(1_000.0, 1_000.0, 4, ValueFormat::Plain);
        assert!(ticks[0].at < 1_000.0 && ticks[ticks.len() - 1].at > 1_000.0);
    }

    #[test]
    fn times_are_labelled_at_whole_calendar_steps() {
        assert_eq!(
            labels("2026-11-23T10:00:30Z", "2026-11-23T10:05:30Z", 6),
            ["10:01", "10:02", "10:03", "10:04", "10:05"]
        );
        assert_eq!(labels("2026-01-01", "2026-01-29", 6), ["5 Jan", "12 Jan", "19 Jan", "26 Jan"]);
        assert_eq!(labels("2026-01-15", "2026-06-20", 6), ["Feb 2026", "Mar 2026", "Apr 2026", "May 2026", "Jun 2026"]);
        assert_eq!(labels("2020-03-01", "2026-03-01", 3), ["2022", "2024", "2026"]);
    }

    #[test]
    fn narrow_axes_have_two_labels_rather_than_one() {
        assert_eq!(labels("2026-11-24", "2026-12-01T12:00:00Z", 2), ["25 Nov", "29 Nov"]);
        assert_eq!(labels("2026-09-10", "2026-11-25", 2), ["Oct 2026", "Nov 2026"]);
        assert_eq!(labels("2025-12-05", "2026-03-30", 2), ["Jan 2026", "Mar 2026"]);
        assert_eq!(labels("2026-11-24T08:10:00Z", "2026-11-24T12:40:00Z", 2), ["10:00", "12:00"]);
        // The day is named rather than one time of day twice.
        assert_eq!(labels("2026-12-01T11:00:00Z", "2026-12-02T13:00:00Z", 2), ["2 Dec"]);
        assert_eq!(labels("2026-12-01T21:00:00Z", "2026-12-02T03:30:00Z", 2), ["2 Dec"]);
    }

    #[test]
    fn all_of_time_is_labelled_by_few_round_years() {
        let ticks = time_ticks(i64::MIN, i64::MAX, 6);
        let years: Vec<&str> = ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(years, ["2000", "4000", "6000", "8000"]);
        assert!(time_ticks(i64::MAX - 1, i64::MAX, 6).is_empty());
    }

    proptest! {
        #[test]
        fn value_ticks_cover_the_data_in_rising_order(low in -1e12_f64..1e12, span in 0.0_f64..1e9, most in 1_usize..12) {
            let high = low + span;
            let ticks = value_ticks(low, high, most, ValueFormat::Plain);
            prop_assert!(ticks.len() >= 2 && ticks.len() <= most + 3);
            let slack = (ticks[1].at - ticks[0].at) * 1e-6;
            prop_assert!(ticks[0].at <= low + slack);
            prop_assert!(ticks[ticks.len() - 1].at >= high - slack);
            prop_assert!(ticks.windows(2).all(|pair| pair[0].at < pair[1].at));
        }

        #[test]
        fn time_ticks_lie_inside_and_are_never_too_many(
            from in 0_i64..2_000_000_000_000_000,
            span in prop_oneof![1_i64..400_000_000_000_000, 1_i64..200_000_000_000_000_000],
            most in 1_usize..14,
        ) {
            let ticks = time_ticks(from, from + span, most);
            prop_assert!(ticks.len() <= most);
            // A day's name alone may be all there is room for beside clock times.
            prop_assert!(ticks.len() > 1 || most < 2 || span < 3 * DAY_MICROS, "{ticks:?}");
            prop_assert!(ticks.windows(2).all(|pair| pair[0].label != pair[1].label), "{ticks:?}");
            prop_assert!(ticks.iter().all(|tick| (from as f64..=(from + span) as f64).contains(&tick.at)));
            prop_assert!(ticks.windows(2).all(|pair| pair[0].at < pair[1].at));
        }
    }
}
