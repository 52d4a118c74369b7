//! The types a column can have. 64-bit integers and decimals keep every digit everywhere.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A column's type, written as in a dataset definition: `string bool int32 int64 float64 decimal(p,s) date timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    /// UTF-8 text.
    String,
    /// True or false.
    Bool,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
    /// IEEE 754 double.
    Float64,
    /// Exact decimal of `precision` digits (1 to 38), `scale` of them (0 to precision) behind the point.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// A calendar day.
    Date,
    /// A moment in UTC, to the microsecond.
    Timestamp,
}

impl ColumnType {
    /// Whether a column of this type can carry one of the four times.
    pub fn is_time(self) -> bool {
        matches!(self, ColumnType::Date | ColumnType::Timestamp)
    }

    /// Whether a column of this type may become one of another: every value it can have has to stay the same value, in
    /// files that were written before too. Says why not.
    pub fn check_widening(self, wanted: ColumnType) -> Result<(), String> {
        use ColumnType::{Decimal, Int32, Int64};
        match (self, wanted) {
            (present, wanted) if present == wanted => Err("it has that type already".to_owned()),
            (Int32, Int64) => Ok(()),
            (Decimal { scale, .. }, Decimal { scale: other, .. }) if scale != other => {
                Err(format!("a decimal keeps its {scale} digits behind the point; add a column for other digits"))
            }
            (Decimal { precision, .. }, Decimal { precision: more, .. }) if more > precision => Ok(()),
            (Int64, Int32) | (Decimal { .. }, Decimal { .. }) => {
                Err("a column is never made narrower, because values there are may not fit; add a column".to_owned())
            }
            _ => Err(format!(
                "it cannot become {wanted}; int32 becomes int64, and a decimal one of more digits. For another type add a \
                 column and drop this one"
            )),
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnType::String => f.write_str("string"),
            ColumnType::Bool => f.write_str("bool"),
            ColumnType::Int32 => f.write_str("int32"),
            ColumnType::Int64 => f.write_str("int64"),
            ColumnType::Float64 => f.write_str("float64"),
            ColumnType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            ColumnType::Date => f.write_str("date"),
            ColumnType::Timestamp => f.write_str("timestamp"),
        }
    }
}

impl From<ColumnType> for String {
    fn from(value: ColumnType) -> String {
        value.to_string()
    }
}

impl TryFrom<String> for ColumnType {
    type Error = String;

    fn try_from(text: String) -> Result<ColumnType, String> {
        text.parse()
    }
}

impl FromStr for ColumnType {
    type Err = String;

    fn from_str(text: &str) -> Result<ColumnType, String> {
        let named = match text.trim() {
            "string" => Some(ColumnType::String),
            "bool" => Some(ColumnType::Bool),
            "int32" => Some(ColumnType::Int32),
            "int64" => Some(ColumnType::Int64),
            "float64" => Some(ColumnType::Float64),
            "date" => Some(ColumnType::Date),
            "timestamp" => Some(ColumnType::Timestamp),
            _ => None,
        };
        named.or_else(|| parse_decimal(text.trim())).ok_or_else(|| {
            format!("'{text}' is not a column type; use string, bool, int32, int64, float64, decimal(p,s), date or timestamp")
        })
    }
}

fn parse_decimal(text: &str) -> Option<ColumnType> {
    let (precision, scale) = text.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=38).contains(&precision) && scale <= precision).then_some(ColumnType::Decimal { precision, scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_back_as_it_is_written() {
        for text in ["string", "bool", "int32", "int64", "float64", "decimal(38,10)", "date", "timestamp"] {
            assert_eq!(text.parse::<ColumnType>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_decimal_that_cannot_be_is_refused() {
        for text in ["decimal(39,2)", "decimal(5,6)", "decimal(0,0)", "decimal(5)", "numeric"] {
            assert!(text.parse::<ColumnType>().is_err(), "{text}");
        }
    }
}
