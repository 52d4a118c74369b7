//! What single tiles of a page have of their own, in one address parameter: `prices(last:1y,known:-7d)weights(known:first)`.

/// A text for each of some tiles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PerTile(Vec<(String, String)>);

/// What has a meaning in the parameter, and is written as `%` and its code where it is part of a text.
const MARKS: [(char, &str); 3] = [('%', "%25"), ('(', "%28"), (')', "%29")];

impl PerTile {
    /// Reads an address parameter. What cannot be read is left out.
    pub fn parse(parameter: Option<&str>) -> PerTile {
        let one = |part: &str| part.split_once('(').map(|(tile, text)| (unescaped(tile), unescaped(text)));
        PerTile(parameter.unwrap_or_default().split(')').filter_map(one).collect())
    }

    /// The address parameter; none where no tile has anything of its own.
    pub fn parameter(&self) -> Option<String> {
        let one = |(tile, text): &(String, String)| format!("{}({})", escaped(tile), escaped(text));
        (!self.0.is_empty()).then(|| self.0.iter().map(one).collect())
    }

    /// The text of a tile.
    pub fn of(&self, tile: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == tile).map(|(_, text)| text.as_str())
    }

    /// The same with another text for a tile, or none.
    pub fn with(mut self, tile: &str, text: Option<String>) -> PerTile {
        self.0.retain(|(known, _)| known != tile);
        self.0.extend(text.map(|text| (tile.to_owned(), text)));
        self
    }
}

fn escaped(text: &str) -> String {
    let character = |c: char| match MARKS.iter().find(|mark| mark.0 == c) {
        Some((_, code)) => (*code).to_owned(),
        None => c.to_string(),
    };
    text.chars().map(character).collect()
}

fn unescaped(text: &str) -> String {
    // The escape itself last, so that what it makes is not read again.
    MARKS.iter().rev().fold(text.to_owned(), |text, (mark, code)| text.replace(code, &mark.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tile_has_one_text_or_none() {
        let own = PerTile::parse(Some("prices(last=1y,known=-7d)weights(known=first)"));
        assert_eq!((own.of("prices"), own.of("sectors")), (Some("last=1y,known=-7d"), None));
        let own = own.with("prices", None).with("weights", Some("on=2026-01-01".to_owned()));
        assert_eq!(own.parameter().as_deref(), Some("weights(on=2026-01-01)"));
        assert_eq!(own.with("weights", None).parameter(), None);
        assert_eq!(PerTile::parse(Some(")x(")), PerTile(vec![("x".to_owned(), String::new())]));
    }

    proptest! {
        #[test]
        fn what_an_address_says_reads_back(tiles in prop::collection::btree_map(".{1,8}", ".{0,12}", 0..4)) {
            let own = PerTile(tiles.into_iter().collect());
            prop_assert_eq!(PerTile::parse(own.parameter().as_deref()), own);
        }
    }
}
