//! Values of a question as parameters of its statement.

use std::collections::BTreeMap;

use model::Instant;

use super::ValueType;

/// Digits that a decimal can have.
const DECIMAL_DIGITS: usize = 38;

/// The parameters of a statement while it is made.
#[derive(Debug, Default)]
pub(super) struct Bound(pub(super) BTreeMap<String, String>);

impl Bound {
    /// A text as a parameter; gives what stands for it in the statement.
    pub(super) fn text(&mut self, text: &str) -> String {
        let name = format!("q{}", self.0.len() + 1);
        let placeholder = format!("${name}");
        self.0.insert(name, text.to_owned());
        placeholder
    }

    /// A value of a type. Says why where the text is none.
    pub(super) fn value(&mut self, text: &str, value: ValueType) -> Result<String, String> {
        let trimmed = text.trim();
        match value {
            ValueType::Text => Ok(self.text(text)),
            ValueType::Truth => match trimmed.to_ascii_lowercase().as_str() {
                "true" => Ok("TRUE".to_owned()),
                "false" => Ok("FALSE".to_owned()),
                _ => Err(format!("'{trimmed}' is neither true nor false")),
            },
            ValueType::Whole | ValueType::Decimal => self.number(trimmed),
            ValueType::Float => {
                let number: f64 = trimmed.parse().map_err(|_| format!("'{trimmed}' is no number"))?;
                let finite = number.is_finite().then_some(trimmed);
                let finite = finite.ok_or_else(|| format!("'{trimmed}' is no number that can be compared with"))?;
                Ok(format!("CAST({} AS DOUBLE)", self.text(finite)))
            }
            ValueType::Day => {
                Instant::parse_date_days(trimmed).map_err(|_| format!("'{trimmed}' is no day; write 2026-03-31"))?;
                Ok(format!("CAST({} AS DATE)", self.text(trimmed)))
            }
            ValueType::Instant => {
                let instant = Instant::parse(trimmed)
                    .map_err(|_| format!("'{trimmed}' is no moment; write 2026-03-31 or 2026-03-31T18:00:00Z"))?;
                Ok(format!("CAST({} AS TIMESTAMP)", self.text(&instant.to_string())))
            }
        }
    }

    /// A number with every digit: an integer or a decimal, written without exponent.
    pub(super) fn number(&mut self, text: &str) -> Result<String, String> {
        let no_number = || format!("'{text}' is no number; write 1250 or -12.50");
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !plain(whole) || !plain(part) {
            return Err(no_number());
        }
        let whole = whole.trim_start_matches('0');
        let precision = (whole.len() + part.len()).max(1);
        if precision > DECIMAL_DIGITS {
            return Err(format!("'{text}' has more than {DECIMAL_DIGITS} digits"));
        }
        let sign = if text.starts_with('-') { "-" } else { "" };
        let canonical = format!(
            "{sign}{}{}{part}",
            if whole.is_empty() { "0" } else { whole },
            if part.is_empty() { "" } else { "." }
        );
        Ok(format!("CAST({} AS DECIMAL({precision}, {}))", self.text(&canonical), part.len()))
    }
}

/// `"name"`, with quotation marks inside doubled.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str, value: ValueType) -> Result<(String, String), String> {
        let mut bound = Bound::default();
        let sql = bound.value(text, value)?;
        Ok((sql, bound.0.into_values().next().unwrap_or_default()))
    }

    #[test]
    fn no_value_becomes_part_of_the_text() {
        let evil = "'; DROP TABLE x --";
        assert_eq!(bound(evil, ValueType::Text).unwrap(), ("$q1".to_owned(), evil.to_owned()));
        assert!(bound(evil, ValueType::Float).is_err());
        assert_eq!(
            bound("-012.50", ValueType::Decimal).unwrap(),
            ("CAST($q1 AS DECIMAL(4, 2))".into(), "-12.50".into())
        );
        assert_eq!(bound("7", ValueType::Whole).unwrap().0, "CAST($q1 AS DECIMAL(1, 0))");
        assert_eq!(bound("2026-03-31", ValueType::Day).unwrap().0, "CAST($q1 AS DATE)");
        assert_eq!(bound("2026-03-31", ValueType::Instant).unwrap().1, "2026-03-31T00:00:00Z");
    }

    #[test]
    fn what_is_no_value_of_the_type_is_named() {
        for (text, value) in [
            ("1e3", ValueType::Decimal),
            ("", ValueType::Whole),
            (".", ValueType::Whole),
            ("yes", ValueType::Truth),
            ("31.3.2026", ValueType::Day),
            ("NaN", ValueType::Float),
        ] {
            let reason = bound(text, value).unwrap_err();
            assert!(reason.contains(&format!("'{text}'")), "{reason}");
        }
    }
}
