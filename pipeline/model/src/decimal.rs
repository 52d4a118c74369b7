//! Reading exact numbers: nothing here passes a digit through a float.

/// The number that a text says, `-12.50` or `1e3`, without its point at a scale: `-1250` at a scale of 2. Refuses, rather
/// than rounds, what does not fit, and says why; trailing zeros are no digits.
pub fn decimal(digits: &str, precision: u8, scale: u8) -> Result<i128, &'static str> {
    const NOT_A_NUMBER: &str = "it is not a number";
    let (negative, unsigned) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| NOT_A_NUMBER)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() || exponent.unsigned_abs() > 1_000 {
        return Err(NOT_A_NUMBER);
    }
    let mut value: i128 = 0;
    let mut behind_point = -exponent;
    for (index, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
        if !byte.is_ascii_digit() {
            return Err(NOT_A_NUMBER);
        }
        behind_point += i32::from(index >= whole.len());
        value = value.checked_mul(10).and_then(|v| v.checked_add(i128::from(byte - b'0'))).ok_or("too many digits")?;
    }
    while behind_point > i32::from(scale) && value % 10 == 0 && value != 0 {
        value /= 10;
        behind_point -= 1;
    }
    if value == 0 {
        return Ok(0);
    }
    if behind_point > i32::from(scale) {
        return Err("more digits behind the point than the column keeps");
    }
    let shift = u32::try_from(i32::from(scale) - behind_point).map_err(|_| NOT_A_NUMBER)?;
    let scaled = 10_i128.checked_pow(shift).and_then(|p| value.checked_mul(p)).ok_or("too many digits")?;
    if scaled >= 10_i128.pow(u32::from(precision)) {
        return Err("too many digits");
    }
    Ok(if negative { -scaled } else { scaled })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_to_the_last_digit_and_the_rest_is_refused() {
        for (text, value) in [
            ("12.5", 1_250),
            ("-12.50", -1_250),
            ("+1.2500", 125),
            ("1e3", 100_000),
            ("12500E-3", 1_250),
            ("99999999.99", 9_999_999_999),
            ("-0.00", 0),
            ("0e999", 0),
        ] {
            assert_eq!(decimal(text, 10, 2), Ok(value), "{text}");
        }
        for text in ["12.345", "100000000", "1e8", "1e99", "", ".", "-", "1,5", "0x1", "1e", "NaN", "1 "] {
            assert!(decimal(text, 10, 2).is_err(), "{text}");
        }
        assert_eq!(decimal("9223372036854775807", 19, 0), Ok(i128::from(i64::MAX)));
    }
}
