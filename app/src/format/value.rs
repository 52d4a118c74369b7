//! How the values of a column are written. Digits of exact numbers are dropped only where so many decimals are asked for.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    locale::UNIT_SPACE,
    style::Style,
    time::{self, DAY_MICROS, HOUR_MICROS, SECOND_MICROS},
};

/// A number as it arrived.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// `unscaled / 10^scale`, exactly. An integer has scale 0.
    Exact {
        /// All its digits.
        unscaled: i128,
        /// How many of them are decimals; below 0 zeros follow.
        scale: i8,
    },
    /// A double.
    Float(f64),
}

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Every digit there is; a double as short as it reads back.
    Plain,
    /// Rounded to so many decimals; of exact numbers a half goes away from zero, a double goes to what is nearer to it.
    Fixed(usize),
    /// A share of one as percent: 0.0042 is `0.42 %`. `None` keeps every digit.
    Share(Option<usize>),
    /// What is percent already: 0.42 is `0.42 %`. `None` keeps every digit.
    Percent(Option<usize>),
    /// An amount of money, with at least the decimals of its currency; a double with exactly these.
    Money(Currency),
    /// As short as an axis or a figure wants it: `1.2 M`.
    Compact,
    /// Bytes in the largest binary unit that leaves a whole part: `12.4 MiB`.
    Bytes,
    /// Microseconds in the units that suit them: `3 min 20 s`.
    Duration,
    /// Days since 1970-01-01, as a calendar day.
    Date,
    /// Microseconds since 1970-01-01 UTC, as a moment in the reader's zone.
    Moment,
}

/// A currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    code: [u8; 3],
    symbol: Option<&'static str>,
    decimals: usize,
}

/// Code, symbol, decimals (ISO 4217). A code that is not here stands for itself, with two decimals.
const CURRENCIES: [(&str, &str, usize); 15] = [
    ("AUD", "A$", 2),
    ("BHD", "BHD", 3),
    ("BRL", "R$", 2),
    ("CAD", "CA$", 2),
    ("CHF", "CHF", 2),
    ("CNY", "CN¥", 2),
    ("EUR", "€", 2),
    ("GBP", "£", 2),
    ("INR", "₹", 2),
    ("ISK", "ISK", 0),
    ("JPY", "¥", 0),
    ("KRW", "₩", 0),
    ("KWD", "KWD", 3),
    ("NZD", "NZ$", 2),
    ("USD", "$", 2),
];

impl Currency {
    /// The currency with this ISO 4217 code. `None` where it is not three letters.
    pub fn of_code(code: &str) -> Option<Currency> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        if !letters.iter().all(u8::is_ascii_alphabetic) {
            return None;
        }
        let code = letters.map(|letter| letter.to_ascii_uppercase());
        let known = CURRENCIES.iter().find(|known| known.0.as_bytes() == code);
        Some(Currency { code, symbol: known.map(|known| known.1), decimals: known.map_or(2, |known| known.2) })
    }

    /// Its ISO 4217 code.
    pub fn code(&self) -> &str {
        // Three letters of ASCII, which are always text.
        std::str::from_utf8(&self.code).unwrap_or_default()
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        let code = String::deserialize(deserializer)?;
        let refused = || D::Error::custom(format!("'{code}' is no currency code of three letters"));
        Currency::of_code(&code).ok_or_else(refused)
    }
}

#[cfg(feature = "ssr")]
impl schemars::JsonSchema for Currency {
    fn schema_name() -> String {
        "Currency".to_owned()
    }

    fn json_schema(_: &mut schemars::r#gen::SchemaGenerator) -> schemars::schema::Schema {
        let letters =
            schemars::schema::StringValidation { pattern: Some("^[A-Za-z]{3}$".to_owned()), ..Default::default() };
        let code = schemars::schema::InstanceType::String.into();
        schemars::schema::SchemaObject {
            instance_type: Some(code),
            string: Some(Box::new(letters)),
            ..Default::default()
        }
        .into()
    }
}

/// A number as sign and plain digits: `1234.50`.
struct Digits {
    negative: bool,
    plain: String,
}

impl Digits {
    fn text(&self, style: &Style) -> String {
        style.locale.number(self.negative, &self.plain)
    }

    /// `text` with a unit behind it.
    fn with_unit(&self, style: &Style, unit: &str) -> String {
        format!("{}{UNIT_SPACE}{unit}", self.text(style))
    }
}

impl Number {
    /// An integer.
    pub fn integer(value: i128) -> Number {
        Number::Exact { unscaled: value, scale: 0 }
    }

    /// As near as a double comes.
    pub fn float(self) -> f64 {
        match self {
            Number::Exact { unscaled, scale } => unscaled as f64 / 10_f64.powi(i32::from(scale)),
            Number::Float(value) => value,
        }
    }

    /// A hundred times as much, exactly where it is exact.
    fn hundredfold(self) -> Number {
        match self {
            Number::Exact { unscaled, scale } if scale > i8::MIN + 1 => Number::Exact { unscaled, scale: scale - 2 },
            Number::Exact { .. } | Number::Float(_) => Number::Float(self.float() * 100.0),
        }
    }

    /// The number as a whole one, cut at its decimals and at the ends of 64 bits.
    fn whole(self) -> i64 {
        match self {
            Number::Exact { unscaled, scale: 0 } => {
                i64::try_from(unscaled).unwrap_or(if unscaled < 0 { i64::MIN } else { i64::MAX })
            }
            _ => self.float() as i64,
        }
    }

    /// Every digit there is.
    fn digits(self) -> Digits {
        match self {
            Number::Exact { unscaled, scale } => {
                Digits { negative: unscaled < 0, plain: exact_plain(unscaled.unsigned_abs(), scale) }
            }
            Number::Float(value) => Digits { negative: value < 0.0, plain: value.abs().to_string() },
        }
    }

    /// Every digit there is, and zeros up to so many decimals.
    fn digits_at_least(self, decimals: usize) -> Digits {
        let mut digits = self.digits();
        let there = digits.plain.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        if there == 0 && decimals > 0 {
            digits.plain.push('.');
        }
        digits.plain.push_str(&"0".repeat(decimals.saturating_sub(there)));
        digits
    }

    /// Rounded to so many decimals; what rounds to zero has no sign.
    fn rounded(self, decimals: usize) -> Digits {
        let plain = match self {
            Number::Exact { unscaled, scale } => {
                let surplus = u32::try_from(i64::from(scale) - decimals as i64).unwrap_or(0);
                if surplus == 0 {
                    return self.digits_at_least(decimals);
                }
                exact_plain(divide_rounding(unscaled.unsigned_abs(), surplus), decimals.min(127) as i8)
            }
            Number::Float(value) => format!("{:.decimals$}", value.abs()),
        };
        let negative = self.float() < 0.0 && plain.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
        Digits { negative, plain }
    }
}

/// `value / 10^scale` with every digit, without sign or separators.
fn exact_plain(value: u128, scale: i8) -> String {
    let digits = value.to_string();
    match usize::try_from(scale) {
        Ok(0) => digits,
        Ok(scale) => {
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{whole}.{fraction}")
        }
        Err(_) if value == 0 => digits,
        Err(_) => format!("{digits}{}", "0".repeat(scale.unsigned_abs().into())),
    }
}

/// `value / 10^power`, half up.
fn divide_rounding(value: u128, power: u32) -> u128 {
    // More than that many digits no value has.
    let Some(by) = 10_u128.checked_pow(power) else { return 0 };
    let (whole, rest) = (value / by, value % by);
    whole + u128::from(rest >= by / 2)
}

impl Format {
    /// The number as text. What is not finite is written as what it is.
    pub fn text(self, number: Number, style: &Style) -> String {
        match number {
            Number::Float(value) if value.is_nan() => return "not a number".to_owned(),
            Number::Float(f64::INFINITY) => return "∞".to_owned(),
            Number::Float(f64::NEG_INFINITY) => return "−∞".to_owned(),
            Number::Float(_) | Number::Exact { .. } => {}
        }
        match self {
            Format::Plain => number.digits().text(style),
            Format::Fixed(decimals) => number.rounded(decimals).text(style),
            Format::Share(decimals) => percent(number.hundredfold(), decimals, style),
            Format::Percent(decimals) => percent(number, decimals, style),
            Format::Money(currency) => money(number, currency, style),
            Format::Compact => compact(number.float(), style),
            Format::Bytes => bytes(number.float(), style),
            Format::Duration => duration(number.float(), style),
            Format::Date => style.locale.day(number.whole()),
            Format::Moment => time::moment(number.whole(), style),
        }
    }
}

fn percent(number: Number, decimals: Option<usize>, style: &Style) -> String {
    decimals.map_or_else(|| number.digits(), |decimals| number.rounded(decimals)).with_unit(style, "%")
}

fn money(number: Number, currency: Currency, style: &Style) -> String {
    let Digits { negative, plain } = match number {
        Number::Exact { .. } => number.digits_at_least(currency.decimals),
        Number::Float(_) => number.rounded(currency.decimals),
    };
    let code = currency.code();
    let amount = style.locale.number(false, &plain);
    style.locale.amount(negative, &amount, code, currency.symbol.unwrap_or(code))
}

/// Two figures or more: one decimal below a hundred, where it is not zero.
fn compact(value: f64, style: &Style) -> String {
    const UNITS: [&str; 5] = ["", "k", "M", "bn", "tn"];
    // Where rounding would make a thousand of it, the next unit has it as one.
    let (value, unit) = in_unit(value, 1_000.0, 999.5, UNITS.len());
    let decimals = if value.abs() < 99.95 { 1 } else { 0 };
    let mut digits = Number::Float(value).rounded(decimals);
    if digits.plain.ends_with(".0") {
        digits.plain.truncate(digits.plain.len() - 2);
    }
    if unit == 0 { digits.text(style) } else { digits.with_unit(style, UNITS[unit]) }
}

fn bytes(value: f64, style: &Style) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (value, unit) = in_unit(value, 1_024.0, 1_024.0, UNITS.len());
    Number::Float(value).rounded(usize::from(unit > 0)).with_unit(style, UNITS[unit])
}

/// The value in the first of so many units, each `factor` times the last, in which it is below `limit`.
fn in_unit(value: f64, factor: f64, limit: f64, units: usize) -> (f64, usize) {
    let mut value = value;
    let mut unit = 0;
    while value.abs() >= limit && unit + 1 < units {
        value /= factor;
        unit += 1;
    }
    (value, unit)
}

/// Below a minute in one unit with up to one decimal, above it in two whole ones.
fn duration(micros: f64, style: &Style) -> String {
    const PAIRS: [(i64, &str, i64, &str); 3] = [
        (DAY_MICROS, "d", HOUR_MICROS, "h"),
        (HOUR_MICROS, "h", 60 * SECOND_MICROS, "min"),
        (60 * SECOND_MICROS, "min", SECOND_MICROS, "s"),
    ];
    let size = micros.abs();
    let negative = micros < 0.0;
    let part =
        |count: i64, negative: bool, unit: &str| Digits { negative, plain: count.to_string() }.with_unit(style, unit);
    // Rounded to the lesser unit of the pair first, so that 59.99 s are a minute and never 60 s.
    for (large, large_name, small, small_name) in PAIRS {
        let smalls = (size / small as f64).round() as i64;
        let (larges, rest) = (smalls / (large / small), smalls % (large / small));
        if larges > 0 && size >= large as f64 * 0.999 {
            let first = part(larges, negative, large_name);
            return if rest == 0 { first } else { format!("{first} {}", part(rest, false, small_name)) };
        }
    }
    let (factor, unit) = match size {
        size if size < 1e3 => (1.0, "µs"),
        size if size < 1e6 => (1e3, "ms"),
        _ => (1e6, "s"),
    };
    let mut digits = Number::Float(micros / factor).rounded(usize::from(size / factor < 100.0));
    if digits.plain.ends_with(".0") {
        digits.plain.truncate(digits.plain.len() - 2);
    }
    digits.with_unit(style, unit)
}

#[cfg(test)]
mod tests;
