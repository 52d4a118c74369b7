//! Which colours of the stylesheet stand on each other, and how well they can be told apart. Pure; the colours themselves are
//! in `style/tokens.css` alone.

use crate::charts::Rgb;

/// The least contrast of text.
pub const TEXT: f64 = 4.5;
/// The least contrast of marks, lines and controls that say something.
pub const MARK: f64 = 3.0;

/// Every pair that is used: foreground, background, least contrast (WCAG 2.2, 1.4.3 and 1.4.11). A test holds them in both
/// themes.
pub const PAIRS: [(&str, &str, f64); 50] = [
    ("--text", "--page", TEXT),
    ("--text", "--surface", TEXT),
    ("--text", "--surface-raised", TEXT),
    ("--text", "--known-tint", TEXT),
    ("--text", "--effective-tint", TEXT),
    ("--text", "--danger-tint", TEXT),
    ("--text", "--digit-before", TEXT),
    ("--text", "--digit-after", TEXT),
    ("--text-quiet", "--page", TEXT),
    ("--text-quiet", "--surface", TEXT),
    ("--text-quiet", "--surface-raised", TEXT),
    ("--link", "--page", TEXT),
    ("--link", "--surface", TEXT),
    ("--link", "--surface-raised", TEXT),
    ("--link", "--danger-tint", TEXT),
    ("--on-accent", "--accent", TEXT),
    ("--surface", "--known", TEXT),
    ("--effective", "--surface", TEXT),
    ("--effective", "--page", TEXT),
    ("--effective", "--effective-tint", TEXT),
    ("--known", "--surface", TEXT),
    ("--known", "--page", TEXT),
    ("--known", "--known-tint", TEXT),
    ("--added", "--surface", TEXT),
    ("--removed", "--surface", TEXT),
    ("--changed", "--surface", TEXT),
    ("--danger", "--danger-tint", TEXT),
    ("--danger", "--surface", TEXT),
    ("--danger", "--known-tint", TEXT),
    ("--chart-text", "--surface", TEXT),
    ("--chart-cursor", "--surface", MARK),
    ("--control-border", "--surface", MARK),
    ("--control-border", "--page", MARK),
    ("--control-border", "--surface-raised", MARK),
    ("--accent", "--surface", MARK),
    ("--accent", "--surface-raised", MARK),
    ("--focus", "--surface", MARK),
    ("--focus", "--page", MARK),
    ("--focus", "--surface-raised", MARK),
    ("--focus", "--known-tint", MARK),
    ("--live", "--surface", MARK),
    ("--series-1", "--surface", MARK),
    ("--series-2", "--surface", MARK),
    ("--series-3", "--surface", MARK),
    ("--series-4", "--surface", MARK),
    ("--series-5", "--surface", MARK),
    ("--series-6", "--surface", MARK),
    ("--series-7", "--surface", MARK),
    ("--series-8", "--surface", MARK),
    ("--series-others", "--surface", MARK),
];

/// The contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance).
pub fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(Rgb(r, g, b): Rgb) -> f64 {
    let linear = |channel: u8| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        assert!((contrast(Rgb(0, 0, 0), Rgb(255, 255, 255)) - 21.0).abs() < 1e-9);
        assert!((contrast(Rgb(119, 119, 119), Rgb(255, 255, 255)) - 4.478).abs() < 1e-3);
        assert!((contrast(Rgb(1, 2, 3), Rgb(1, 2, 3)) - 1.0).abs() < 1e-9);
    }
}
