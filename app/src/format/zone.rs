//! Time zones: a name, and how far its clocks are ahead of UTC at an instant. Rules of zones are not kept here; whoever knows
//! them (the browser) hands in a function.

use std::borrow::Cow;

use super::{locale::MINUS, time::SECOND_MICROS};

/// Name of UTC.
pub const UTC: &str = "UTC";

/// Seconds by which the clocks of the zone with this name are ahead of UTC at an instant, in microseconds.
pub type AheadSecs = fn(zone: &str, micros: i64) -> i64;

/// A time zone.
#[derive(Debug, Clone)]
pub struct Zone {
    name: Cow<'static, str>,
    ahead_secs: AheadSecs,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Zone {
    /// UTC.
    pub const UTC: Zone = Zone { name: Cow::Borrowed(UTC), ahead_secs: |_, _| 0 };

    /// The zone with this IANA name, whose clocks are as the function says.
    pub fn new(name: String, ahead_secs: AheadSecs) -> Zone {
        if name == UTC { Zone::UTC } else { Zone { name: Cow::Owned(name), ahead_secs } }
    }

    /// Its IANA name: `Europe/Zurich`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the clocks there show at an instant, in microseconds, as if they were UTC's.
    pub fn clock_micros(&self, micros: i64) -> i64 {
        micros.saturating_add((self.ahead_secs)(&self.name, micros) * SECOND_MICROS)
    }

    /// What stands behind a clock of this zone at an instant: `UTC`, `UTC+2`, `UTC−3:30`.
    pub fn text_at(&self, micros: i64) -> String {
        offset_text((self.ahead_secs)(&self.name, micros))
    }

    /// A short name for where room is scarce: the last part, in words.
    pub fn short_name(&self) -> String {
        self.name.rsplit('/').next().unwrap_or_default().replace('_', " ")
    }
}

/// `UTC`, `UTC+2`, `UTC−3:30`, `UTC+0:34:08`.
fn offset_text(ahead_secs: i64) -> String {
    if ahead_secs == 0 {
        return UTC.to_owned();
    }
    let sign = if ahead_secs < 0 { MINUS } else { '+' };
    let secs = ahead_secs.abs();
    let mut text = format!("{UTC}{sign}{}", secs / 3_600);
    if secs % 3_600 != 0 {
        text.push_str(&format!(":{:02}", secs / 60 % 60));
    }
    if secs % 60 != 0 {
        text.push_str(&format!(":{:02}", secs % 60));
    }
    text
}

/// Reads what stands between `UTC` or `GMT` and the end of a text, in seconds ahead of UTC: nothing is 0, `+2`, `-03:30`,
/// `−3:30`, `+00:34:08`. Not more than 18 hours.
pub fn parse_offset(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return Some(0);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' | MINUS => -1,
        _ => return None,
    };
    let mut parts = text.trim_start_matches(['+', '-', MINUS]).split(':');
    let mut part = |most: i64| match parts.next() {
        None => Some(0),
        Some(digits) if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) => None,
        Some(digits) => digits.parse().ok().filter(|value| *value <= most),
    };
    let (hours, minutes, seconds): (i64, i64, i64) = (part(18)?, part(59)?, part(59)?);
    parts.next().is_none().then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
}

/// Parts a text that ends in `UTC` with or without an offset: what stands before, and the offset in seconds. `None` where it
/// does not end so.
pub fn split_offset(text: &str) -> Option<(&str, i64)> {
    let at = text.to_ascii_uppercase().rfind(UTC)?;
    Some((text[..at].trim_end(), parse_offset(&text[at + UTC.len()..])?))
}

/// Central European clocks of 2026, for tests: an hour ahead, two from 29 March to 25 October, 01:00 UTC.
#[cfg(test)]
pub fn central_europe(_: &str, micros: i64) -> i64 {
    let at = |month, day| (super::time::days_from_civil(2026, month, day) * 24 + 1) * 3_600 * SECOND_MICROS;
    if (at(3, 29)..at(10, 25)).contains(&micros) { 7_200 } else { 3_600 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_offset_is_written_as_short_as_it_is_exact() {
        for (secs, text) in
            [(0, "UTC"), (7_200, "UTC+2"), (-12_600, "UTC−3:30"), (20_700, "UTC+5:45"), (2_048, "UTC+0:34:08")]
        {
            assert_eq!(offset_text(secs), text);
            assert_eq!(split_offset(&format!("18:00 {text}")), Some(("18:00", secs)));
        }
    }

    #[test]
    fn offsets_are_read_as_browsers_and_people_write_them() {
        for (text, secs) in [("", 0), ("+02:00", 7_200), ("-03:30", -12_600), ("+2", 7_200), ("+00:34:08", 2_048)] {
            assert_eq!(parse_offset(text), Some(secs), "{text}");
        }
        for text in ["2", "+", "+x", "+2:", "+19", "+2:60", "+1:2:3:4"] {
            assert_eq!(parse_offset(text), None, "{text}");
        }
        assert_eq!(split_offset("2026-03-31 18:00"), None);
    }

    #[test]
    fn clocks_move_with_the_rules_of_their_zone() {
        let zone = Zone::new("Europe/Zurich".to_owned(), central_europe);
        let change = 1_774_746_000 * SECOND_MICROS;
        assert_eq!(zone.clock_micros(change - 1), change - 1 + 3_600 * SECOND_MICROS);
        assert_eq!(zone.clock_micros(change), change + 7_200 * SECOND_MICROS);
        assert_eq!((zone.text_at(change - 1), zone.text_at(change)), ("UTC+1".to_owned(), "UTC+2".to_owned()));
        assert_eq!(zone.short_name(), "Zurich");
        assert_eq!(Zone::new("UTC".to_owned(), central_europe).text_at(change), "UTC");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(secs in -64_800_i64..=64_800) {
            let text = offset_text(secs);
            prop_assert_eq!(split_offset(&text), Some(("", secs)));
        }
    }
}
