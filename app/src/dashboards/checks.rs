//! What a definition may not say although it has the right shape: names that are taken twice, references that lead nowhere.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    Dashboard, FORMAT, PictureDefinition, TileDefinition, Variable, VariableKind,
    builder::{TileQuery, ValueTest},
    definition::{GRID_COLUMNS, ROWS},
    has_parameter, name_refused,
};

/// Parts of a definition at most: a page with more would never be ready.
const TILES_MOST: usize = 200;
const VARIABLES_MOST: usize = 50;
const NAME_BYTES_MOST: usize = 100;

/// Something wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `tiles[2].width`.
    pub path: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// Whether this can be the name of a dashboard: `a` to `z`, `0` to `9` and `-`, a hundred at most.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= NAME_BYTES_MOST && name.chars().all(plain)
}

impl Dashboard {
    /// All that is wrong with it beside its shape; empty where it can be shown.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Found(Vec::new());
        if self.format == 0 || self.format > FORMAT {
            found.add("format", format!("is {}; this server reads format {FORMAT}", self.format));
        }
        if !is_name(&self.name) {
            found.add("name", format!("is '{}'; a name is made of a to z, 0 to 9 and -", self.name));
        }
        if self.title.trim().is_empty() {
            found.add("title", "is empty; say what people call it".to_owned());
        }
        let parts: Vec<&str> = self.folder.split('/').collect();
        if !self.folder.is_empty() && parts.iter().any(|part| part.trim().is_empty() || matches!(*part, "." | "..")) {
            found.add("folder", format!("is '{}'; it is like risk/credit, without a / at its ends", self.folder));
        }
        self.check_places(&mut found);
        self.check_variables(&mut found);
        if self.tiles.len() > TILES_MOST {
            found.add("tiles", format!("are {}; at most {TILES_MOST} can be", self.tiles.len()));
        }
        for (index, tile) in self.tiles.iter().enumerate() {
            self.check_tile(tile, &format!("tiles[{index}]"), &mut found);
        }
        found.unique("tiles", self.tiles.iter().map(|tile| tile.id.as_str()));
        found.0
    }

    fn check_places(&self, found: &mut Found) {
        found.unique("tabs", self.tabs.iter().map(|tab| tab.id.as_str()));
        found.unique("sections", self.sections.iter().map(|section| section.id.as_str()));
        for (index, section) in self.sections.iter().enumerate() {
            self.check_tab(&section.tab, &format!("sections[{index}].tab"), found);
        }
    }

    fn check_tab(&self, tab: &str, path: &str, found: &mut Found) {
        if !tab.is_empty() && !self.tabs.iter().any(|known| known.id == tab) {
            found.add(path, format!("is '{tab}', and there is no such tab; add it to tabs or leave this out"));
        }
    }

    fn check_variables(&self, found: &mut Found) {
        if self.variables.len() > VARIABLES_MOST {
            found.add("variables", format!("are {}; at most {VARIABLES_MOST} can be", self.variables.len()));
        }
        for (index, variable) in self.variables.iter().enumerate() {
            check_variable(variable, &self.variables, &format!("variables[{index}]"), found);
        }
        let names: Vec<&str> = self.variables.iter().map(|variable| variable.name.as_str()).collect();
        found.unique_by("variables", "name", names.into_iter());
    }

    fn check_tile(&self, tile: &TileDefinition, path: &str, found: &mut Found) {
        if !(1..=GRID_COLUMNS).contains(&tile.width) {
            found.add(&format!("{path}.width"), format!("is {}; it is 1 to {GRID_COLUMNS} columns", tile.width));
        }
        if tile.rows.is_some_and(|rows| !(ROWS.0..=ROWS.1).contains(&rows)) {
            let reason = format!("is {}; it is {} to {}", tile.rows.unwrap_or_default(), ROWS.0, ROWS.1);
            found.add(&format!("{path}.rows"), reason);
        }
        if tile.problem.is_some() {
            found.add(&format!("{path}.problem"), "is for the server to say; leave it out".to_owned());
        }
        if !tile.section.is_empty() && !self.sections.iter().any(|section| section.id == tile.section) {
            let reason =
                format!("is '{}', and there is no such section; add it to sections or leave this out", tile.section);
            found.add(&format!("{path}.section"), reason);
        }
        if !tile.section.is_empty() && !tile.tab.is_empty() {
            found.add(&format!("{path}.tab"), "is said by the tile's section; leave it out".to_owned());
        }
        self.check_tab(&tile.tab, &format!("{path}.tab"), found);
        let words = |picture: &PictureDefinition| matches!(picture, PictureDefinition::Markdown { .. });
        if tile.query.is_some() && !tile.sql.trim().is_empty() {
            found.add(&format!("{path}.sql"), "stands beside a query; leave one of both out".to_owned());
        }
        if let Some(query) = &tile.query {
            self.check_query(query, &format!("{path}.query"), found);
            if query.down.is_some() && (tile.on_pick.is_some() || !tile.levels.is_empty()) {
                let reason = "stands beside on_pick or levels, which say as well what a choice does; leave one out";
                found.add(&format!("{path}.query.down"), reason.to_owned());
            }
        }
        if words(&tile.picture) != (tile.sql.trim().is_empty() && tile.query.is_none()) {
            let reason = match words(&tile.picture) {
                true => "is not asked for by words; leave it out",
                false => "is missing; say what the tile asks",
            };
            found.add(&format!("{path}.sql"), reason.to_owned());
        }
        for (index, level) in tile.levels.iter().enumerate() {
            if words(&level.picture) || level.sql.trim().is_empty() {
                found.add(&format!("{path}.levels[{index}].sql"), "is missing; a level shows what it asks".to_owned());
            }
        }
    }
}

impl Dashboard {
    /// The variables that a question names have to be there.
    fn check_query(&self, query: &TileQuery, path: &str, found: &mut Found) {
        for (index, filter) in query.filters.iter().enumerate() {
            let ValueTest::Variable { name, .. } = &filter.is else { continue };
            if !name.is_empty() && !self.variables.iter().any(|variable| variable.name == *name) {
                let reason = format!("is '{name}', and there is no such variable; add it to variables");
                found.add(&format!("{path}.filters[{index}].is.variable.name"), reason);
            }
        }
    }
}

fn check_variable(variable: &Variable, all: &[Variable], path: &str, found: &mut Found) {
    if let Some(why) = name_refused(&variable.name) {
        found.add(&format!("{path}.name"), format!("is '{}'; {why}", variable.name));
    }
    let listed = matches!(variable.kind, VariableKind::Choice { .. } | VariableKind::Query { .. });
    if variable.multiple && !listed {
        found.add(&format!("{path}.multiple"), "is for a choice or a query; leave it out".to_owned());
    }
    if !variable.multiple && variable.default.len() > 1 {
        found.add(&format!("{path}.default"), "has several values; say multiple: true or leave one".to_owned());
    }
    match &variable.kind {
        VariableKind::Choice { options } if options.is_empty() => {
            found.add(&format!("{path}.kind.choice.options"), "has no value to choose".to_owned());
        }
        VariableKind::Choice { options } => {
            for value in variable.default.iter().filter(|value| !options.contains(*value)) {
                found.add(&format!("{path}.default"), format!("has '{value}', which is not among the options"));
            }
        }
        VariableKind::Query { sql } => {
            if let Some(other) = all.iter().find(|other| has_parameter(sql, &other.name)) {
                let reason = format!("has ${}; a variable's values cannot depend on another variable", other.name);
                found.add(&format!("{path}.kind.query.sql"), reason);
            }
        }
        VariableKind::Number { min: Some(min), max: Some(max), .. } if min > max => {
            found.add(&format!("{path}.kind.number.min"), format!("is {min}, more than max, which is {max}"));
        }
        VariableKind::Text | VariableKind::Number { .. } | VariableKind::Time => {}
    }
}

struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, path: &str, reason: String) {
        self.0.push(Problem { path: path.to_owned(), reason });
    }

    fn unique<'a>(&mut self, list: &str, ids: impl Iterator<Item = &'a str>) {
        self.unique_by(list, "id", ids);
    }

    fn unique_by<'a>(&mut self, list: &str, member: &str, ids: impl Iterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for (index, id) in ids.enumerate() {
            if id.is_empty() {
                self.add(&format!("{list}[{index}].{member}"), "is empty".to_owned());
            } else if !seen.insert(id.to_owned()) {
                self.add(&format!("{list}[{index}].{member}"), format!("is '{id}', as of another before it"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let dashboard: Dashboard = serde_json::from_str(text).unwrap();
        dashboard.problems().into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn what_comes_along_has_no_problems() {
        for (file, text) in super::super::BUILT_IN {
            let dashboard: Dashboard = serde_json::from_str(text).unwrap();
            assert_eq!(dashboard.problems(), [], "{file}");
        }
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let text = r#"{"format": 2, "name": "A b", "title": " ", "folder": "a//b",
            "variables": [
                {"name": "from", "kind": "text"},
                {"name": "x", "kind": "text", "multiple": true, "default": ["a", "b"]},
                {"name": "x", "kind": {"choice": {"options": []}}},
                {"name": "y", "kind": {"choice": {"options": ["a"]}}, "default": ["b"]},
                {"name": "q", "kind": {"query": {"sql": "SELECT $x"}}},
                {"name": "n", "kind": {"number": {"min": 2, "max": 1}}},
                {"name": "9", "kind": "time"}],
            "tabs": [{"id": "t", "title": "T"}, {"id": "t", "title": "T"}],
            "sections": [{"id": "s", "title": "S", "tab": "gone"}],
            "tiles": [
                {"id": "a", "title": "A", "width": 13, "sql": "SELECT 1", "picture": {"grid": {}}},
                {"id": "a", "title": "A", "section": "s", "tab": "t", "picture": {"markdown": {"text": "x"}}},
                {"id": "", "title": "A", "section": "gone", "tab": "", "picture": {"grid": {}}},
                {"id": "b", "title": "B", "sql": "SELECT 1", "picture": {"markdown": {"text": "x"}}}]}"#;
        assert_eq!(
            paths(text),
            [
                "format",
                "name",
                "title",
                "folder",
                "tabs[1].id",
                "sections[0].tab",
                "variables[0].name",
                "variables[1].multiple",
                "variables[2].kind.choice.options",
                "variables[3].default",
                "variables[4].kind.query.sql",
                "variables[5].kind.number.min",
                "variables[6].name",
                "variables[2].name",
                "tiles[0].width",
                "tiles[1].tab",
                "tiles[2].section",
                "tiles[2].sql",
                "tiles[3].sql",
                "tiles[1].id",
                "tiles[2].id",
            ]
        );
    }
}
