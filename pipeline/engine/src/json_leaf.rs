//! From the JSON text of one value to a typed one, keeping every digit.

use std::borrow::Cow;

use model::{ColumnType, Instant, decimal};

/// A typed value; text borrows from the record where it can.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Absent or null.
    Null,
    /// Text.
    String(Cow<'a, str>),
    /// True or false.
    Bool(bool),
    /// `int32`, or days since 1970-01-01 of a `date`.
    Int32(i32),
    /// `int64`, or microseconds of a `timestamp`.
    Int64(i64),
    /// Finite; never negative zero.
    Float64(f64),
    /// The digits of a decimal without the point, at the column's scale.
    Decimal(i128),
}

/// Reads the JSON text of a value as a column type wants it. Numbers may also come as text, so that no digit is lost
/// on the way here. The error says what was found and what is wanted.
pub fn parse(raw: &str, column_type: ColumnType) -> Result<Value<'_>, String> {
    if raw == "null" {
        return Ok(Value::Null);
    }
    let wrong = || format!("{} is not {}", shorten(raw), describe(column_type));
    match column_type {
        ColumnType::String => scalar_text(raw).map(Value::String).ok_or_else(wrong),
        ColumnType::Bool => match raw {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(wrong()),
        },
        ColumnType::Int32 => number(raw).and_then(|n| n.parse().ok()).map(Value::Int32).ok_or_else(wrong),
        ColumnType::Int64 => number(raw).and_then(|n| n.parse().ok()).map(Value::Int64).ok_or_else(wrong),
        ColumnType::Float64 => number(raw).and_then(|n| float(&n)).map(Value::Float64).ok_or_else(wrong),
        ColumnType::Decimal { precision, scale } => {
            let digits = number(raw).ok_or_else(wrong)?;
            decimal(&digits, precision, scale).map(Value::Decimal).map_err(|why| format!("{}: {why}", wrong()))
        }
        ColumnType::Date => {
            let text = text(raw).ok_or_else(wrong)?;
            Instant::parse_date_days(&text).map(Value::Int32)
        }
        ColumnType::Timestamp => {
            let text = text(raw).ok_or_else(wrong)?;
            Instant::parse(&text).map(|instant| Value::Int64(instant.micros()))
        }
    }
}

fn describe(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::String => "text".to_owned(),
        ColumnType::Bool => "true or false".to_owned(),
        ColumnType::Int32 | ColumnType::Int64 => format!("a whole number within {column_type}"),
        ColumnType::Float64 => "a finite number".to_owned(),
        ColumnType::Decimal { .. } => format!("a {column_type}"),
        ColumnType::Date => "a date such as \"2026-03-31\"".to_owned(),
        ColumnType::Timestamp => "a time such as \"2026-03-31T18:00:00Z\"".to_owned(),
    }
}

fn shorten(raw: &str) -> String {
    if raw.chars().count() <= 60 { raw.to_owned() } else { raw.chars().take(60).chain(['…']).collect() }
}

fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// Text, or the digits of a number or the word of a truth value as they stand: publishers mix `false` with dates and
/// numbers with codes, and nothing is lost by taking them literally. An object or array is no text.
fn scalar_text(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => text(raw),
        b'{' | b'[' => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

/// The text of a number, given as a JSON number or as a string.
fn number(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => text(raw).filter(|t| !t.is_empty()),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}

fn float(digits: &str) -> Option<f64> {
    let value: f64 = digits.parse().ok()?;
    value.is_finite().then_some(if value == 0.0 { 0.0 } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONEY: ColumnType = ColumnType::Decimal { precision: 10, scale: 2 };

    #[test]
    fn decimals_keep_every_digit_or_are_refused() {
        for (raw, cents) in [
            ("12.34", 1234),
            ("\"12.34\"", 1234),
            ("-0.5", -50),
            ("1e3", 100_000),
            ("1.20E-1", 12),
            ("7.1000", 710),
            ("0.000", 0),
            ("99999999.99", 9_999_999_999),
        ] {
            assert_eq!(parse(raw, MONEY), Ok(Value::Decimal(cents)), "{raw}");
        }
        for raw in ["0.001", "100000000", "\"\"", "\"-\"", "\"1.2.3\"", "true", "{}", "1e9999999999", "\"NaN\""] {
            assert!(parse(raw, MONEY).is_err(), "{raw}");
        }
        let wide = ColumnType::Decimal { precision: 38, scale: 4 };
        assert_eq!(parse("14769862000000.0", wide), Ok(Value::Decimal(147_698_620_000_000_000)));
    }

    #[test]
    fn integers_keep_every_digit_and_have_no_fraction() {
        assert_eq!(parse("9223372036854775807", ColumnType::Int64), Ok(Value::Int64(i64::MAX)));
        for raw in ["9223372036854775808", "1.0", "1e3", "\"x\"", "[]"] {
            assert!(parse(raw, ColumnType::Int64).is_err(), "{raw}");
        }
        assert!(parse("2147483648", ColumnType::Int32).is_err());
    }

    #[test]
    fn text_is_unescaped_and_other_scalars_are_taken_literally() {
        assert_eq!(parse(r#""a\u00e9\n""#, ColumnType::String), Ok(Value::String("aé\n".into())));
        assert_eq!(parse("1.50", ColumnType::String), Ok(Value::String("1.50".into())));
        assert_eq!(parse("false", ColumnType::String), Ok(Value::String("false".into())));
        assert!(parse("{\"a\":1}", ColumnType::String).unwrap_err().contains("is not text"));
    }

    #[test]
    fn floats_are_finite_and_zero_has_one_form() {
        assert_eq!(parse("-0.0", ColumnType::Float64), Ok(Value::Float64(0.0)));
        for raw in ["1e999", "\"inf\"", "\"NaN\"", "null1"] {
            assert!(parse(raw, ColumnType::Float64).is_err(), "{raw}");
        }
    }
}
