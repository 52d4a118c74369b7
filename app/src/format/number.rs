//! Numbers as text: grouped by thousands, a true minus sign, decimals and 64-bit integers with every digit.

/// The sign that stands before a negative number on screen.
pub const MINUS: char = '−';

/// An exact decimal: `unscaled / 10^scale`, every digit kept, grouped: `−1,234.5000`.
pub fn decimal_text(unscaled: i128, scale: i8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let plain = match usize::try_from(scale) {
        Ok(scale) if scale > 0 => {
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{whole}.{fraction}")
        }
        Ok(_) => digits,
        Err(_) => format!("{digits}{}", "0".repeat(scale.unsigned_abs() as usize)),
    };
    signed(unscaled < 0, &group(&plain))
}

/// An exact integer, grouped: `1,234,567`.
pub fn integer_text(value: i128) -> String {
    signed(value < 0, &group(&value.unsigned_abs().to_string()))
}

/// A count, grouped.
pub fn count_text(value: u64) -> String {
    integer_text(i128::from(value))
}

/// A double rounded to so many decimals, grouped: `1,204.31`. What is not a number is a dash.
pub fn fixed_text(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let plain = format!("{:.decimals$}", value.abs());
    let negative = value < 0.0 && plain.bytes().any(|b| (b'1'..=b'9').contains(&b));
    signed(negative, &group(&plain))
}

/// As [`fixed_text`], with a sign before what is not zero: `+0.42`.
pub fn change_text(value: f64, decimals: usize) -> String {
    let text = fixed_text(value, decimals);
    let positive = value > 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if positive { format!("+{text}") } else { text }
}

/// A double as short as it reads back, grouped.
pub fn float_text(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    signed(value < 0.0, &group(&value.abs().to_string()))
}

/// Bytes in the largest binary unit that leaves a whole part: `12.4 MiB`.
pub fn bytes_text(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", fixed_text(value, usize::from(unit > 0)), UNITS[unit])
}

fn signed(negative: bool, text: &str) -> String {
    if negative { format!("{MINUS}{text}") } else { text.to_owned() }
}

/// Commas between thousands of the whole part. Takes digits with at most one point; anything else is left as it is.
fn group(plain: &str) -> String {
    let whole = plain.bytes().take_while(u8::is_ascii_digit).count();
    let mut text = String::with_capacity(plain.len() + whole / 3);
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && index < whole && (whole - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_keep_every_digit() {
        assert_eq!(decimal_text(12_043_100, 4), "1,204.3100");
        assert_eq!(decimal_text(-5, 4), "−0.0005");
        assert_eq!(decimal_text(0, 2), "0.00");
        assert_eq!(decimal_text(12, -3), "12,000");
        assert_eq!(decimal_text(i128::MAX, 0).replace(',', ""), i128::MAX.to_string());
    }

    #[test]
    fn integers_are_exact_to_the_ends_of_their_range() {
        assert_eq!(integer_text(i128::from(i64::MIN)), "−9,223,372,036,854,775,808");
        assert_eq!(count_text(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(count_text(999), "999");
    }

    #[test]
    fn a_rounded_zero_carries_no_sign() {
        assert_eq!(fixed_text(-0.001, 2), "0.00");
        assert_eq!(change_text(0.001, 2), "0.00");
        assert_eq!(change_text(0.42, 2), "+0.42");
        assert_eq!(change_text(-1204.3, 1), "−1,204.3");
        assert_eq!(fixed_text(f64::NAN, 2), "–");
    }

    #[test]
    fn bytes_name_their_unit() {
        assert_eq!(bytes_text(512.0), "512 B");
        assert_eq!(bytes_text(13_002_342.0), "12.4 MiB");
    }

    proptest! {
        #[test]
        fn grouping_only_adds_commas(unscaled in any::<i128>(), scale in 0_i8..38) {
            let text = decimal_text(unscaled, scale).replace(',', "").replace(MINUS, "-");
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let plain = unscaled.unsigned_abs().to_string();
            prop_assert_eq!(digits.trim_start_matches('0'), plain.trim_start_matches('0'));
            prop_assert_eq!(text.starts_with('-'), unscaled < 0);
        }
    }
}
