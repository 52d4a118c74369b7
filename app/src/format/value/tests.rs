//! What formats write: each by example, and that no digit and no sign is lost.

use proptest::prelude::*;

use super::*;
use crate::format::{
    locale::{LOCALES, Locale, MINUS},
    zone::{Zone, central_europe},
};

fn exact(unscaled: i128, scale: i8) -> Number {
    Number::Exact { unscaled, scale }
}

/// With plain spaces, which are easier to read in a test.
fn in_place(tag: &str, format: Format, number: Number) -> String {
    let style = Style { locale: Locale::of_tag(tag).unwrap(), zone: Zone::UTC };
    format.text(number, &style).replace(UNIT_SPACE, " ").replace('\u{202f}', "_")
}

fn text(format: Format, number: Number) -> String {
    in_place("en-GB", format, number)
}

fn money_of(code: &str) -> Format {
    Format::Money(Currency::of_code(code).unwrap())
}

#[test]
fn exact_numbers_keep_every_digit() {
    assert_eq!(text(Format::Plain, exact(12_043_100, 4)), "1,204.3100");
    assert_eq!(text(Format::Plain, exact(12, -3)), "12,000");
    assert_eq!(text(Format::Plain, exact(0, -3)), "0");
    assert_eq!(text(Format::Plain, exact(i128::MIN, 0)).replace([',', MINUS], ""), i128::MIN.to_string()[1..]);
    assert_eq!(text(Format::Share(None), exact(42_500, 7)), "0.42500 %");
    assert_eq!(text(Format::Share(None), exact(3, 0)), "300 %");
    assert_eq!(text(money_of("EUR"), exact(12_345_678, 4)), "€1,234.5678");
}

#[test]
fn rounding_is_exact_half_away_from_zero_and_a_rounded_zero_has_no_sign() {
    for (unscaled, scale, decimals, expected) in [
        (125, 2, 1, "1.3"),
        (-125, 2, 1, "−1.3"),
        (1_249, 3, 1, "1.2"),
        (-4, 1, 0, "0"),
        (5, 1, 0, "1"),
        (7, 0, 2, "7.00"),
        (7, -1, 1, "70.0"),
        (999_999, 3, 2, "1,000.00"),
        (1, 127, 2, "0.00"),
    ] {
        assert_eq!(text(Format::Fixed(decimals), exact(unscaled, scale)), expected, "{unscaled} {scale} {decimals}");
    }
    assert_eq!(text(Format::Fixed(2), Number::Float(-0.001)), "0.00");
    assert_eq!(text(Format::Fixed(2), Number::Float(f64::NAN)), "not a number");
    assert_eq!(text(Format::Money(Currency::of_code("EUR").unwrap()), Number::Float(f64::NEG_INFINITY)), "−∞");
}

#[test]
fn percent_is_of_one_or_as_it_is() {
    assert_eq!(text(Format::Share(Some(2)), Number::Float(0.0042)), "0.42 %");
    assert_eq!(text(Format::Percent(Some(2)), Number::Float(-0.42)), "−0.42 %");
    assert_eq!(in_place("de-DE", Format::Share(Some(1)), exact(12_345, 4)), "123,5 %");
}

#[test]
fn amounts_have_the_decimals_and_the_place_of_their_currency() {
    let places = |code, number| LOCALES.each_ref().map(|locale| in_place(locale.tag, money_of(code), number));
    let euros = ["−€1,234.50", "−€1,234.50", "−1.234,50 €", "−1_234,50 €", "€ −1’234.50", "EUR −1_234.50"];
    assert_eq!(places("EUR", exact(-12_345, 1)), euros);
    assert_eq!(text(money_of("jpy"), Number::Float(1_234.6)), "¥1,235");
    assert_eq!(text(money_of("KWD"), exact(1, 0)), "KWD 1.000");
    assert_eq!(text(money_of("SEK"), Number::Float(1.0)), "SEK 1.00");
    assert_eq!(in_place("de-DE", money_of("SEK"), Number::Float(1.0)), "1,00 SEK");
    assert_eq!((Currency::of_code("EURO"), Currency::of_code("E1R")), (None, None));
}

#[test]
fn short_forms_name_their_unit_and_never_round_into_the_next() {
    for (value, expected) in [
        (0.0, "0"),
        (0.26, "0.3"),
        (999.4, "999"),
        (999.6, "1 k"),
        (1_234.0, "1.2 k"),
        (12_340.0, "12.3 k"),
        (-1_234_567.0, "−1.2 M"),
        (99_960_000.0, "100 M"),
        (999_950_000.0, "1 bn"),
        (2e15, "2,000 tn"),
    ] {
        assert_eq!(text(Format::Compact, Number::Float(value)), expected, "{value}");
    }
    assert_eq!(text(Format::Bytes, Number::Float(512.0)), "512 B");
    assert_eq!(in_place("fr-FR", Format::Bytes, Number::Float(13_002_342.0)), "12,4 MiB");
}

#[test]
fn durations_read_as_people_say_them() {
    for (micros, expected) in [
        (0.0, "0 µs"),
        (850.0, "850 µs"),
        (12_340.0, "12.3 ms"),
        (4_200_000.0, "4.2 s"),
        (200e6, "3 min 20 s"),
        (59_990_000.0, "1 min"),
        (-7_500e6, "−2 h 5 min"),
        (86_400e6 * 3.0 + 3_600e6 * 4.0, "3 d 4 h"),
    ] {
        assert_eq!(text(Format::Duration, Number::Float(micros)), expected, "{micros}");
    }
}

#[test]
fn days_are_days_everywhere_and_moments_are_of_the_zone() {
    let style = |tag| Style {
        locale: Locale::of_tag(tag).unwrap(),
        zone: Zone::new("Europe/Zurich".to_owned(), central_europe),
    };
    let (day, moment) = (Number::integer(20_543), Number::integer(1_774_994_400_250_000));
    assert_eq!(Format::Date.text(day, &style("en-US")), "Mar 31, 2026");
    assert_eq!(Format::Moment.text(moment, &style("en-GB")), "1 Apr 2026, 00:00:00.25 UTC+2");
    assert_eq!(Format::Moment.text(moment, &style("de-DE")), "01.04.2026, 00:00:00,25 UTC+2");
}

/// The digits of a text, without the zeros before them.
fn digits_of(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').to_owned()
}

proptest! {
    #[test]
    fn no_place_and_no_exact_format_loses_a_digit_or_the_sign(unscaled in any::<i128>(), scale in 0_i8..60) {
        let plain = unscaled.unsigned_abs().to_string();
        for locale in &LOCALES {
            for format in [Format::Plain, Format::Share(None), Format::Percent(None), money_of("JPY")] {
                let text = in_place(locale.tag, format, exact(unscaled, scale));
                // A share of few decimals gets zeros behind; nothing else is added.
                let behind = if format == Format::Share(None) { usize::from(2_u8.saturating_sub(scale as u8)) } else { 0 };
                let expected = if unscaled == 0 { String::new() } else { format!("{plain}{}", "0".repeat(behind)) };
                prop_assert_eq!(digits_of(&text), expected, "{} {:?} {}", locale.tag, format, text);
                prop_assert_eq!(text.contains(MINUS), unscaled < 0);
            }
        }
    }

    #[test]
    fn rounding_moves_an_exact_number_by_half_a_step_at_most(
        unscaled in -1_000_000_000_000_i128..1_000_000_000_000,
        scale in 0_i8..12,
        decimals in 0_usize..12,
    ) {
        let text = text(Format::Fixed(decimals), exact(unscaled, scale)).replace([',', '.'], "").replace(MINUS, "-");
        let rounded: i128 = text.parse().unwrap();
        // Both in units of 10^-12, in which a step of so many decimals is this many.
        let step = 10_i128.pow(12 - decimals as u32);
        let moved = unscaled * 10_i128.pow(12 - scale as u32) - rounded * step;
        prop_assert!(moved.abs() * 2 <= step, "{text} by {moved}");
    }

    #[test]
    fn doubles_are_rounded_as_rust_rounds_them(value in -1e15_f64..1e15, decimals in 0_usize..6) {
        let text = text(Format::Fixed(decimals), Number::Float(value)).replace(',', "").replace(MINUS, "-");
        let plain = format!("{value:.decimals$}");
        prop_assert_eq!(text.parse::<f64>().unwrap(), plain.parse::<f64>().unwrap());
    }
}
