//! Colours of a chart, read from the page's tokens.

use super::scene::Ink;
use crate::tokens::contrast;

/// Opaque colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// How many `--series-…` tokens there are.
pub const SERIES_COLORS: usize = 8;

/// The colours a chart is drawn with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    /// `--series-1` onwards.
    pub series: [Rgb; SERIES_COLORS],
    /// `--series-others`: what has no colour of its own.
    pub others: Rgb,
    /// `--added`: what rose.
    pub up: Rgb,
    /// `--removed`: what fell.
    pub down: Rgb,
    /// `--heat-low` and `--heat-high`.
    pub heat: (Rgb, Rgb),
    /// `--on-heat-dark` and `--on-heat-light`, of which one can be read on each step from low heat to high.
    pub on_heat: (Rgb, Rgb),
    /// `--text`.
    pub strong_text: Rgb,
    /// `--chart-grid`.
    pub grid: Rgb,
    /// `--chart-axis`.
    pub axis: Rgb,
    /// `--chart-text`.
    pub text: Rgb,
    /// `--chart-cursor`.
    pub cursor: Rgb,
    /// `--surface`: what the chart stands on.
    pub surface: Rgb,
    /// `--font-family`.
    pub font_family: String,
}

impl Palette {
    /// Reads the tokens through `token`, which returns a custom property's value. `None` when one is missing or not `#rrggbb`.
    pub fn read(token: impl Fn(&str) -> String) -> Option<Palette> {
        let color = |name: &str| Rgb::parse(&token(name));
        let mut series = [Rgb(0, 0, 0); SERIES_COLORS];
        for (index, slot) in series.iter_mut().enumerate() {
            *slot = color(&format!("--series-{}", index + 1))?;
        }
        Some(Palette {
            series,
            others: color("--series-others")?,
            up: color("--added")?,
            down: color("--removed")?,
            heat: (color("--heat-low")?, color("--heat-high")?),
            on_heat: (color("--on-heat-dark")?, color("--on-heat-light")?),
            strong_text: color("--text")?,
            grid: color("--chart-grid")?,
            axis: color("--chart-axis")?,
            text: color("--chart-text")?,
            cursor: color("--chart-cursor")?,
            surface: color("--surface")?,
            font_family: token("--font-family").trim().to_owned(),
        })
    }

    /// Colour of a series: 1 is `--series-1`, 0 the colour of others; beyond the last they start again.
    pub fn series(&self, color: usize) -> Rgb {
        color.checked_sub(1).map_or(self.others, |index| self.series[index % SERIES_COLORS])
    }

    /// The colour that a meaning has.
    pub fn ink(&self, ink: Ink) -> Rgb {
        match ink {
            Ink::Series(color) => self.series(color),
            Ink::Up => self.up,
            Ink::Down => self.down,
            Ink::Heat(level) => self.heat_at(level),
            Ink::Axis => self.axis,
            Ink::Text => self.strong_text,
            Ink::OnHeat(level) => {
                let ground = self.heat_at(level);
                let (dark, light) = self.on_heat;
                if contrast(dark, ground) >= contrast(light, ground) { dark } else { light }
            }
            Ink::Surface => self.surface,
            Ink::Past => self.text,
        }
    }

    fn heat_at(&self, level: u8) -> Rgb {
        let (Rgb(r0, g0, b0), Rgb(r1, g1, b1)) = self.heat;
        let between = |a: u8, b: u8| {
            let mixed = i32::from(a) + (i32::from(b) - i32::from(a)) * i32::from(level) / 255;
            mixed.clamp(0, 255) as u8
        };
        Rgb(between(r0, r1), between(g0, g1), between(b0, b1))
    }
}

impl Rgb {
    /// Parses `#rrggbb`.
    pub fn parse(text: &str) -> Option<Rgb> {
        let digits = text.trim().strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let part = |index: usize| u8::from_str_radix(&digits[index..index + 2], 16).ok();
        Some(Rgb(part(0)?, part(2)?, part(4)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::tokens::{MARK, PAIRS};

    const TOKENS: &str = include_str!("../../../style/tokens.css");

    /// The custom properties of the block that a selector opens.
    fn tokens(selector: &str) -> HashMap<String, String> {
        let start = TOKENS.find(selector).unwrap_or_else(|| panic!("no block {selector}"));
        let block = &TOKENS[start..][..TOKENS[start..].find('}').unwrap()];
        let declarations = block.split(['{', ';']).filter_map(|line| line.trim().split_once(':'));
        declarations.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    }

    #[test]
    fn both_themes_keep_the_contrast_that_reading_needs() {
        for theme in ["[data-theme=\"light\"]", "[data-theme=\"dark\"]"] {
            let tokens = tokens(theme);
            let color = |name: &str| Rgb::parse(&tokens[name]).unwrap_or_else(|| panic!("{theme} {name}"));
            for (front, back, least) in PAIRS {
                let found = contrast(color(front), color(back));
                assert!(found >= least, "{theme}: {front} on {back} is {found:.2}, below {least}");
            }
            for index in 1..=SERIES_COLORS {
                let name = format!("--series-{index}");
                assert!(PAIRS.contains(&(name.as_str(), "--surface", MARK)), "{name} is not tested");
            }
            let palette = Palette::read(|name| tokens.get(name).cloned().unwrap_or_default()).expect("a whole palette");
            for level in 0..=u8::MAX {
                let found = contrast(palette.ink(Ink::OnHeat(level)), palette.ink(Ink::Heat(level)));
                assert!(found >= 4.5, "{theme}: text on heat {level} is {found:.2}, below 4.5");
            }
        }
    }

    #[test]
    fn both_themes_have_the_same_tokens_and_a_whole_palette() {
        let (light, dark) = (tokens("[data-theme=\"light\"]"), tokens("[data-theme=\"dark\"]"));
        let names = |tokens: &HashMap<String, String>| {
            let mut names: Vec<_> = tokens.keys().cloned().collect();
            names.sort();
            names
        };
        assert_eq!(names(&light), names(&dark));
        let palette = Palette::read(|name| light.get(name).cloned().unwrap_or_default()).expect("a whole palette");
        assert_eq!(palette.series(1), palette.series(1 + SERIES_COLORS));
    }

    #[test]
    fn only_six_digit_colours_are_taken() {
        assert_eq!(Rgb::parse(" #0072b2 "), Some(Rgb(0, 0x72, 0xb2)));
        for text in ["", "#fff", "0072b2", "#0072bg", "rgb(0,0,0)"] {
            assert_eq!(Rgb::parse(text), None, "{text}");
        }
    }
}
