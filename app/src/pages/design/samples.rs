//! Texts and values that are hard on a layout.

use crate::format::value::{Currency, Format, Number};

/// A moment with a fraction of a second: 31 March 2026, 18:00:05.25 UTC.
pub const MOMENT: i64 = 1_774_980_005_250_000;

/// A name of 400 letters.
pub const LONG_NAME: &str = "consolidated_reference_data_of_all_counterparties_by_legal_entity_and_by_location_of_tra\
    de_as_reported_by_the_custodian_and_confirmed_by_the_administrator_before_the_close_of_business_and_corrected_af\
    ter_the_close_where_an_instruction_arrived_late_or_was_withdrawn_or_was_sent_twice_and_for_which_no_shorter_name\
    _was_agreed_by_the_committee_that_agrees_names_in_the_third_quarter_of_a_year_and_of_the";

/// A reason as a server may give it.
pub const LONG_REASON: &str = "The memory limit of 512 MiB for queries is reached: this statement sorts 180,000,000 rows of \
    'consolidated_reference_data_of_all_counterparties_by_legal_entity' by a column that no file is sorted by. Ask for a \
    shorter range, for fewer columns, or raise 'query.memory' and restart.";

/// A name that runs from right to left, with digits that do not.
pub const RIGHT_TO_LEFT: &str = "מדד תל־אביב 35, סדרה 2";

/// Names of formats with a number of each.
pub fn formats() -> Vec<(&'static str, Format, Number)> {
    let exact = |unscaled, scale| Number::Exact { unscaled, scale };
    let money = |code| Currency::of_code(code).map(Format::Money);
    let amounts = [("Money, EUR", "EUR"), ("Money, JPY", "JPY"), ("Money, XAU", "XAU")];
    let amounts = amounts.into_iter().filter_map(|(name, code)| Some((name, money(code)?, exact(-123_456_789, 2))));
    let others = [
        ("Every digit", Format::Plain, exact(-1_234_567_890_123_456_789_012_345_678_901, 10)),
        ("Two decimals", Format::Fixed(2), exact(12_043_149, 4)),
        ("A share as percent", Format::Share(Some(2)), Number::Float(0.004_2)),
        ("Percent as it is", Format::Percent(None), exact(-4_250, 3)),
        ("Compact", Format::Compact, Number::Float(1_234_567.0)),
        ("Bytes", Format::Bytes, Number::Float(13_002_342.0)),
        ("Duration", Format::Duration, Number::Float(7_530e6)),
        ("Day", Format::Date, Number::integer(20_543)),
        ("Moment", Format::Moment, Number::integer(MOMENT.into())),
    ];
    others.into_iter().chain(amounts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_name_is_as_long_as_it_says() {
        assert_eq!(LONG_NAME.chars().count(), 400);
    }

    #[test]
    fn there_is_a_sample_of_every_format() {
        let kinds: std::collections::HashSet<_> =
            formats().iter().map(|(_, format, _)| std::mem::discriminant(format)).collect();
        assert_eq!(kinds.len(), 10);
    }
}
