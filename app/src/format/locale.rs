//! How numbers and dates are written in a place: separators, the order of dates, where a currency stands. Words stay English.

use super::time::{Civil, civil, month_name};

/// The sign that stands before a negative number on screen.
pub const MINUS: char = '−';
/// Between a number and its unit: no line breaks there.
pub const UNIT_SPACE: char = '\u{a0}';

/// How a place writes.
#[derive(Debug, PartialEq, Eq)]
pub struct Locale {
    /// Its BCP 47 tag, or `iso`.
    pub tag: &'static str,
    /// Its name, in English.
    pub name: &'static str,
    /// Between thousands of the whole part.
    pub group: char,
    /// Before the decimals.
    pub decimal: char,
    dates: Dates,
    currency: CurrencyPlace,
}

/// The order of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dates {
    /// `31 Mar 2026`.
    DayMonthYear,
    /// `Mar 31, 2026`.
    MonthDayYear,
    /// `31.03.2026`, with whatever stands between.
    Numbers(char),
    /// `2026-03-31`.
    Iso,
}

/// Where a currency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CurrencyPlace {
    /// `€1.50`, and a code with a space.
    Before,
    /// `€ 1.50`.
    BeforeWithSpace,
    /// `1,50 €`.
    After,
    /// `EUR 1.50`.
    Code,
}

/// All that are known. The first is what the server writes.
pub const LOCALES: [Locale; 6] = [
    locale("en-GB", "English, United Kingdom", ',', '.', Dates::DayMonthYear, CurrencyPlace::Before),
    locale("en-US", "English, United States", ',', '.', Dates::MonthDayYear, CurrencyPlace::Before),
    locale("de-DE", "German, Germany", '.', ',', Dates::Numbers('.'), CurrencyPlace::After),
    locale("fr-FR", "French, France", '\u{202f}', ',', Dates::Numbers('/'), CurrencyPlace::After),
    locale("de-CH", "German, Switzerland", '’', '.', Dates::Numbers('.'), CurrencyPlace::BeforeWithSpace),
    locale("iso", "International (ISO)", '\u{202f}', '.', Dates::Iso, CurrencyPlace::Code),
];

const fn locale(
    tag: &'static str,
    name: &'static str,
    group: char,
    decimal: char,
    dates: Dates,
    currency: CurrencyPlace,
) -> Locale {
    Locale { tag, name, group, decimal, dates, currency }
}

impl Locale {
    /// The one with this tag.
    pub fn of_tag(tag: &str) -> Option<&'static Locale> {
        LOCALES.iter().find(|locale| locale.tag == tag)
    }

    /// The nearest to a language that a browser names: the same, else the first of the same language, else the first of all.
    pub fn nearest(language: &str) -> &'static Locale {
        let same = LOCALES.iter().find(|locale| locale.tag.eq_ignore_ascii_case(language));
        let spoken = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let near = || LOCALES.iter().find(|locale| spoken(locale.tag) == spoken(language));
        same.or_else(near).unwrap_or(&LOCALES[0])
    }

    /// A number from its sign and its plain digits, `1234.5`: grouped, with this place's separators. Digits stay as they are.
    pub fn number(&self, negative: bool, plain: &str) -> String {
        let whole = plain.bytes().take_while(u8::is_ascii_digit).count();
        let mut text = String::with_capacity(plain.len() + whole);
        if negative {
            text.push(MINUS);
        }
        for (index, digit) in plain.chars().enumerate() {
            if index > 0 && index < whole && (whole - index).is_multiple_of(3) {
                text.push(self.group);
            }
            text.push(if digit == '.' { self.decimal } else { digit });
        }
        text
    }

    /// An amount, from its number without sign: the currency at its place, the sign before all.
    pub fn amount(&self, negative: bool, number: &str, code: &str, symbol: &str) -> String {
        let sign = if negative { MINUS.to_string() } else { String::new() };
        match self.currency {
            CurrencyPlace::Before if symbol.chars().all(|letter| letter.is_ascii_alphabetic()) => {
                format!("{sign}{symbol}{UNIT_SPACE}{number}")
            }
            CurrencyPlace::Before => format!("{sign}{symbol}{number}"),
            CurrencyPlace::BeforeWithSpace => format!("{symbol}{UNIT_SPACE}{sign}{number}"),
            CurrencyPlace::After => format!("{sign}{number}{UNIT_SPACE}{symbol}"),
            CurrencyPlace::Code => format!("{code}{UNIT_SPACE}{sign}{number}"),
        }
    }

    /// A day, so many after 1970-01-01.
    pub fn day(&self, days: i64) -> String {
        let date = civil(days);
        let Civil { year, month, day } = date;
        match self.dates {
            Dates::DayMonthYear | Dates::MonthDayYear => self.named(date, true),
            Dates::Numbers(between) => format!("{day:02}{between}{month:02}{between}{year:04}"),
            Dates::Iso => format!("{year:04}-{month:02}-{day:02}"),
        }
    }

    /// Two days with a dash between; the first without its year where both have the same and months have names.
    pub fn day_range(&self, from: i64, to: i64) -> String {
        let (a, b) = (civil(from), civil(to));
        let named = matches!(self.dates, Dates::DayMonthYear | Dates::MonthDayYear);
        let first = if named && a.year == b.year { self.named(a, false) } else { self.day(from) };
        format!("{first} – {}", self.day(to))
    }

    /// A day without its year, where the year is plain from what stands around it.
    pub fn day_of_year(&self, days: i64) -> String {
        let date = civil(days);
        let Civil { month, day, .. } = date;
        match self.dates {
            Dates::DayMonthYear | Dates::MonthDayYear => self.named(date, false),
            Dates::Numbers(between) => {
                let end = if between == '.' { "." } else { "" };
                format!("{day:02}{between}{month:02}{end}")
            }
            Dates::Iso => format!("{month:02}-{day:02}"),
        }
    }

    /// A month of a year, 1 to 12.
    pub fn month(&self, year: i64, month: i64) -> String {
        match self.dates {
            Dates::DayMonthYear | Dates::MonthDayYear => format!("{} {year}", month_name(month)),
            Dates::Numbers(between) => format!("{month:02}{between}{year:04}"),
            Dates::Iso => format!("{year:04}-{month:02}"),
        }
    }

    fn named(&self, Civil { year, month, day }: Civil, with_year: bool) -> String {
        let month = month_name(month);
        match (self.dates, with_year) {
            (Dates::MonthDayYear, true) => format!("{month} {day}, {year}"),
            (Dates::MonthDayYear, false) => format!("{month} {day}"),
            (_, true) => format!("{day} {month} {year}"),
            (_, false) => format!("{day} {month}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARCH_31: i64 = 20_543;

    fn texts(of: impl Fn(&Locale) -> String) -> Vec<String> {
        LOCALES.iter().map(of).collect()
    }

    #[test]
    fn each_place_has_its_separators() {
        let texts = texts(|locale| locale.number(true, "1234567.5"));
        let expected = ["−1,234,567.5", "−1,234,567.5", "−1.234.567,5", "−1\u{202f}234\u{202f}567,5", "−1’234’567.5"];
        assert_eq!(texts[..5], expected);
        assert_eq!(texts[5], "−1\u{202f}234\u{202f}567.5");
    }

    #[test]
    fn each_place_has_its_order_of_dates() {
        let texts = texts(|locale| locale.day(MARCH_31));
        assert_eq!(texts, ["31 Mar 2026", "Mar 31, 2026", "31.03.2026", "31/03/2026", "31.03.2026", "2026-03-31"]);
    }

    #[test]
    fn each_place_has_its_short_days_and_months() {
        let days = texts(|locale| locale.day_of_year(MARCH_31));
        assert_eq!(days, ["31 Mar", "Mar 31", "31.03.", "31/03", "31.03.", "03-31"]);
        let months = texts(|locale| locale.month(2026, 3));
        assert_eq!(months, ["Mar 2026", "Mar 2026", "03.2026", "03/2026", "03.2026", "2026-03"]);
    }

    #[test]
    fn ranges_name_the_year_once_where_months_have_names() {
        let texts = texts(|locale| locale.day_range(MARCH_31 - 89, MARCH_31));
        assert_eq!(texts[..3], ["1 Jan – 31 Mar 2026", "Jan 1 – Mar 31, 2026", "01.01.2026 – 31.03.2026"]);
        assert_eq!(LOCALES[0].day_range(MARCH_31 - 120, MARCH_31), "1 Dec 2025 – 31 Mar 2026");
    }

    #[test]
    fn a_language_finds_the_nearest() {
        for (language, tag) in [
            ("en-US", "en-US"),
            ("en", "en-GB"),
            ("en-AU", "en-GB"),
            ("de", "de-DE"),
            ("de-AT", "de-DE"),
            ("DE-ch", "de-CH"),
            ("fr-CA", "fr-FR"),
            ("ja", "en-GB"),
            ("", "en-GB"),
        ] {
            assert_eq!(Locale::nearest(language).tag, tag, "{language}");
        }
    }

    proptest! {
        #[test]
        fn grouping_adds_separators_and_loses_no_digit(whole in "[1-9][0-9]{0,40}", fraction in "[0-9]{0,20}", negative in any::<bool>()) {
            let plain = if fraction.is_empty() { whole.clone() } else { format!("{whole}.{fraction}") };
            for locale in &LOCALES {
                let text = locale.number(negative, &plain);
                prop_assert_eq!(text.starts_with(MINUS), negative);
                let text = text.trim_start_matches(MINUS);
                let (head, tail) = text.split_once(locale.decimal).unwrap_or((text, ""));
                prop_assert_eq!(tail, &fraction);
                prop_assert_eq!(head.replace(locale.group, ""), whole.clone());
                let groups: Vec<&str> = head.split(locale.group).collect();
                prop_assert!((1..=3).contains(&groups[0].len()));
                prop_assert!(groups[1..].iter().all(|group| group.len() == 3));
            }
        }
    }
}
