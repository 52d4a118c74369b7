//! Numbers as the reader wants them: grouped, a true minus sign, decimals and 64-bit integers with every digit.

pub use super::locale::MINUS;
use super::{
    style::with_style,
    value::{Format, Number},
};

fn text(format: Format, number: Number) -> String {
    with_style(|style| format.text(number, style))
}

/// An exact decimal as machines read it: `unscaled / 10^scale`, no grouping, `-` as its sign.
pub fn plain_decimal_text(unscaled: i128, scale: i8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let sign = if unscaled < 0 { "-" } else { "" };
    match usize::try_from(scale) {
        Ok(0) => format!("{sign}{digits}"),
        Ok(scale) => {
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) => format!("{sign}{digits}{}", "0".repeat(scale.unsigned_abs().into())),
    }
}

/// An exact decimal: `unscaled / 10^scale`, every digit kept, grouped: `−1,234.5000`.
pub fn decimal_text(unscaled: i128, scale: i8) -> String {
    text(Format::Plain, Number::Exact { unscaled, scale })
}

/// An exact integer, grouped: `1,234,567`.
pub fn integer_text(value: i128) -> String {
    text(Format::Plain, Number::integer(value))
}

/// A count, grouped.
pub fn count_text(value: u64) -> String {
    integer_text(i128::from(value))
}

/// A double rounded to so many decimals, grouped: `1,204.31`.
pub fn fixed_text(value: f64, decimals: usize) -> String {
    text(Format::Fixed(decimals), Number::Float(value))
}

/// How many decimals a number has that is written in the reader's locale.
pub fn decimals_of(text: &str) -> usize {
    let decimal = with_style(|style| style.locale.decimal);
    text.rsplit_once(decimal).map_or(0, |(_, digits)| digits.chars().take_while(char::is_ascii_digit).count())
}

/// As [`fixed_text`], with a sign before what is not zero: `+0.42`.
pub fn change_text(value: f64, decimals: usize) -> String {
    signed(fixed_text(value, decimals), value > 0.0)
}

/// With a plus before what is positive, unless it was rounded to zero.
pub fn signed(text: String, positive: bool) -> String {
    let some = text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if positive && some { format!("+{text}") } else { text }
}

/// A double as short as it reads back, grouped; what is no finite number by its sign or in words.
pub fn float_text(value: f64) -> String {
    text(Format::Plain, Number::Float(value))
}

/// Bytes in the largest binary unit that leaves a whole part: `12.4 MiB`.
pub fn bytes_text(bytes: f64) -> String {
    text(Format::Bytes, Number::Float(bytes))
}

/// Microseconds in the units that suit them: `930 µs`, `1.1 ms`, `3 min 20 s`.
pub fn duration_text(micros: f64) -> String {
    text(Format::Duration, Number::Float(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_to_the_ends_of_their_range() {
        assert_eq!(integer_text(i128::from(i64::MIN)), "−9,223,372,036,854,775,808");
        assert_eq!(count_text(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(count_text(999), "999");
        assert_eq!(decimal_text(-5, 4), "−0.0005");
    }

    #[test]
    fn a_change_says_its_direction_and_a_rounded_zero_has_none() {
        assert_eq!(change_text(0.001, 2), "0.00");
        assert_eq!(change_text(-0.001, 2), "0.00");
        assert_eq!(change_text(0.42, 2), "+0.42");
        assert_eq!(change_text(-1204.3, 1), "−1,204.3");
        assert_eq!([f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(float_text), ["∞", "−∞", "not a number"]);
    }

    #[test]
    fn bytes_name_their_unit() {
        assert_eq!(bytes_text(13_002_342.0), "12.4\u{a0}MiB");
    }
}
