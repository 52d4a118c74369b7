//! Parameters in the statements of a tile: another name for one of them, wherever it stands.

use crate::dashboards::{
    PictureDefinition, TileDefinition,
    builder::{TileQuery, ValueTest},
    has_parameter,
};

/// The tile with another name of a variable; none where it names no such variable.
pub(super) fn with_parameter_renamed(tile: &TileDefinition, from: &str, to: &str) -> Option<TileDefinition> {
    let levels = || tile.levels.iter().map(|level| level.sql.as_str());
    let in_sql = std::iter::once(tile.sql.as_str()).chain(levels()).any(|sql| has_parameter(sql, from));
    let in_query = tile.query.as_ref().is_some_and(|query| names_variable(query, from));
    let title = renamed(&tile.title, from, to);
    if !in_sql && !in_query && title == tile.title {
        return None;
    }
    let mut tile = TileDefinition { title, ..tile.clone() };
    let below = tile.levels.iter_mut().map(|level| &mut level.picture);
    for picture in std::iter::once(&mut tile.picture).chain(below) {
        if let PictureDefinition::Chart(chart) = picture {
            chart.title = renamed(&chart.title, from, to);
        }
    }
    tile.sql = renamed(&tile.sql, from, to);
    tile.levels.iter_mut().for_each(|level| level.sql = renamed(&level.sql, from, to));
    for filter in tile.query.iter_mut().flat_map(|query| &mut query.filters) {
        match &mut filter.is {
            ValueTest::Variable { name, .. } if name == from => to.clone_into(name),
            _ => {}
        }
    }
    Some(tile)
}

fn names_variable(query: &TileQuery, wanted: &str) -> bool {
    query.filters.iter().any(|filter| matches!(&filter.is, ValueTest::Variable { name, .. } if name == wanted))
}

/// A statement with `$to` in the place of `$from`.
pub(super) fn renamed(sql: &str, from: &str, to: &str) -> String {
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    let goes_on = |rest: &str| rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    for part in parts {
        text.push('$');
        match part.strip_prefix(from).filter(|rest| !goes_on(rest)) {
            Some(rest) => {
                text.push_str(to);
                text.push_str(rest);
            }
            None => text.push_str(part),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_renamed_and_nothing_else() {
        assert_eq!(renamed("SELECT $a, $ab, $a_b, a, '$', $a", "a", "x"), "SELECT $x, $ab, $a_b, a, '$', $x");
        let tile = serde_json::json!({"id": "t", "title": "T", "picture": {"grid": {}}, "query": {"dataset": "d",
            "filters": [{"field": "region", "is": {"variable": {"name": "a", "how": "is"}}}]}});
        let tile: TileDefinition = serde_json::from_value(tile).unwrap();
        let renamed = with_parameter_renamed(&tile, "a", "x").unwrap();
        assert!(names_variable(renamed.query.as_ref().unwrap(), "x"));
        assert_eq!(with_parameter_renamed(&tile, "region", "x"), None);
        let titled = TileDefinition { title: "Of $region".to_owned(), ..tile };
        assert_eq!(with_parameter_renamed(&titled, "region", "x").unwrap().title, "Of $x");
    }
}
