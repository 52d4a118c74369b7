//! What the figures of a dataset mean, said once for tiles, Explore and SQL: its measures with their formulas, its dimensions and
//! hierarchies. Format version 1.
//!
//! Only shapes here, and what can be told of them without reading SQL; whether a formula is one is for the server to say.

use std::collections::BTreeSet;

use model::{DatasetDefinition, TIME_COLUMNS};
use serde::{Deserialize, Serialize};

use super::{Problem, builder::nearest};
use crate::charts::ValueFormat;

/// The version of the format that this code reads and writes.
pub const FORMAT: u32 = 1;
/// Parts of a definition at most.
const MEASURES_MOST: usize = 200;
const DIMENSIONS_MOST: usize = 500;
const HIERARCHIES_MOST: usize = 50;
const NAME_BYTES_MOST: usize = 63;

/// The semantic definition of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Semantics {
    /// The version of the format. 1 where it is not said.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The dataset.
    pub dataset: String,
    /// What a row of it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What is measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<DefinedMeasure>,
    /// By what it is measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<Dimension>,
    /// Ways down from what is wide to what is narrow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hierarchies: Vec<Hierarchy>,
}

/// A figure that has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DefinedMeasure {
    /// Its name in `MEASURE(name)`: lower-case letters, digits and `_`, a letter first. No column of the dataset has it.
    pub name: String,
    /// What people call it; its name where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// How it is worked out: an SQL expression over the dataset's columns that puts rows together, such as
    /// `sum(close * volume) / sum(volume)`. It may use other measures by `MEASURE(name)`.
    pub formula: String,
    /// Its unit, such as `index points`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// How its values are written.
    #[serde(default)]
    pub format: ValueFormat,
    /// Whether the figures of parts add up to that of the whole.
    #[serde(default)]
    pub additive: bool,
    /// What it says, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// A column by which is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// The column.
    pub name: String,
    /// What people call it; its name where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it says, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// How its values are written.
    #[serde(default)]
    pub format: ValueFormat,
    /// The unit of its values.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

/// A way down from what is wide to what is narrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hierarchy {
    /// Its name.
    pub name: String,
    /// What people call it; its name where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Columns, the widest first. At least two.
    pub levels: Vec<String>,
}

fn first_format() -> u32 {
    FORMAT
}

impl Dimension {
    /// What people call it.
    pub fn called(&self) -> &str {
        if self.title.is_empty() { &self.name } else { &self.title }
    }
}

impl Hierarchy {
    /// What people call it.
    pub fn called(&self) -> &str {
        if self.title.is_empty() { &self.name } else { &self.title }
    }
}

impl DefinedMeasure {
    /// What people call it.
    pub fn called(&self) -> &str {
        if self.title.is_empty() { &self.name } else { &self.title }
    }
}

impl Semantics {
    /// That of a dataset of which nothing is defined.
    pub fn none(dataset: &str) -> Semantics {
        Semantics {
            format: FORMAT,
            dataset: dataset.to_owned(),
            description: String::new(),
            measures: Vec::new(),
            dimensions: Vec::new(),
            hierarchies: Vec::new(),
        }
    }

    /// All that is wrong with it beside its shape, whatever columns the dataset has; formulas are not read.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if self.format == 0 || self.format > FORMAT {
            add(&mut found, "format", format!("is {}; this server reads format {FORMAT}", self.format));
        }
        let counts = [
            ("measures", self.measures.len(), MEASURES_MOST),
            ("dimensions", self.dimensions.len(), DIMENSIONS_MOST),
            ("hierarchies", self.hierarchies.len(), HIERARCHIES_MOST),
        ];
        for (list, count, most) in counts {
            if count > most {
                add(&mut found, list, format!("are {count}; at most {most} can be"));
            }
        }
        names(&mut found, "measures", self.measures.iter().map(|measure| &measure.name), true);
        names(&mut found, "dimensions", self.dimensions.iter().map(|dimension| &dimension.name), false);
        names(&mut found, "hierarchies", self.hierarchies.iter().map(|hierarchy| &hierarchy.name), true);
        for (index, hierarchy) in self.hierarchies.iter().enumerate() {
            let path = format!("hierarchies[{index}].levels");
            if hierarchy.levels.len() < 2 {
                add(
                    &mut found,
                    &path,
                    "has less than two levels, and leads nowhere; name columns, the widest first".into(),
                );
            }
            let mut seen = BTreeSet::new();
            for (place, level) in hierarchy.levels.iter().enumerate() {
                if !seen.insert(level) {
                    add(&mut found, &format!("{path}[{place}]"), format!("is '{level}', as another level before it"));
                }
            }
        }
        found
    }

    /// Names in it that do not go together with the columns of its dataset.
    pub fn problems_in(&self, definition: &DatasetDefinition) -> Vec<Problem> {
        let own = definition.key_columns().chain(definition.value_columns()).map(|column| column.name.clone());
        let columns: Vec<String> = own.chain(TIME_COLUMNS.map(str::to_owned)).collect();
        let mut found = Vec::new();
        for (index, measure) in self.measures.iter().enumerate() {
            if columns.contains(&measure.name) {
                let reason = format!("is '{}', as a column of the dataset; choose another name", measure.name);
                add(&mut found, &format!("measures[{index}].name"), reason);
            }
        }
        let dimensions = self.dimensions.iter().enumerate();
        let named = dimensions.map(|(index, dimension)| (format!("dimensions[{index}].name"), &dimension.name));
        let levels = self.hierarchies.iter().enumerate().flat_map(|(index, hierarchy)| {
            let levels = hierarchy.levels.iter().enumerate();
            levels.map(move |(place, level)| (format!("hierarchies[{index}].levels[{place}]"), level))
        });
        for (path, name) in named.chain(levels) {
            if !columns.contains(name) {
                let meant = nearest(name, &columns).map(|meant| format!("; did you mean '{meant}'?"));
                let reason = format!("is '{name}', and the dataset has no such column{}", meant.unwrap_or_default());
                add(&mut found, &path, reason);
            }
        }
        found
    }
}

fn add(found: &mut Vec<Problem>, path: &str, reason: String) {
    found.push(Problem { path: path.to_owned(), reason });
}

/// Each name once; `own` names are of the definition's own making, and no columns.
fn names<'a>(found: &mut Vec<Problem>, list: &str, all: impl Iterator<Item = &'a String>, own: bool) {
    let mut seen = BTreeSet::new();
    for (index, name) in all.enumerate() {
        let path = format!("{list}[{index}].name");
        if own && !is_name(name) {
            let reason = format!("is '{name}'; a name is made of a to z, 0 to 9 and _, a letter first, 63 at most");
            add(found, &path, reason);
        } else if !seen.insert(name) {
            add(found, &path, format!("is '{name}', as of another before it"));
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= NAME_BYTES_MOST && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"dataset": "prices", "description": "A close of a share.",
        "measures": [{"name": "vwap", "title": "VWAP", "formula": "sum(close * volume) / sum(volume)", "unit": "EUR",
            "format": {"fixed": 2}, "description": "What was paid on average."},
            {"name": "shares", "formula": "sum(volume)", "additive": true}],
        "dimensions": [{"name": "share", "title": "Share"}],
        "hierarchies": [{"name": "industry", "levels": ["sector", "share"]}]}"#;

    fn definition() -> DatasetDefinition {
        serde_json::from_str(
            r#"{"columns": [{"name": "sector", "type": "string"}, {"name": "share", "type": "string"},
                {"name": "close", "type": "float64"}, {"name": "volume", "type": "int64"}, {"name": "at", "type": "date"}],
                "key": ["share"], "valid_from": "at", "mode": "until_changed"}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_definition_says_the_same_again() {
        let semantics: Semantics = serde_json::from_str(TEXT).unwrap();
        assert_eq!(semantics.measures[0].format, ValueFormat::Fixed(2));
        assert_eq!(semantics.measures[1].called(), "shares");
        assert!(semantics.problems().is_empty() && semantics.problems_in(&definition()).is_empty());
        let text = serde_json::to_string(&semantics).unwrap();
        assert_eq!(serde_json::from_str::<Semantics>(&text).unwrap(), semantics);
        assert!(serde_json::from_str::<Semantics>(r#"{"dataset": "a", "measure": []}"#).is_err());
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let semantics: Semantics = serde_json::from_str(
            r#"{"format": 2, "dataset": "prices",
                "measures": [{"name": "A b", "formula": "x"}, {"name": "close", "formula": "x"}, {"name": "close", "formula": "x"}],
                "dimensions": [{"name": "sectr"}, {"name": "share"}, {"name": "share"}],
                "hierarchies": [{"name": "way", "levels": ["gone", "gone"]}, {"name": "short", "levels": ["share"]}]}"#,
        )
        .unwrap();
        let paths = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>();
        assert_eq!(
            paths(semantics.problems()),
            [
                "format",
                "measures[0].name",
                "measures[2].name",
                "dimensions[2].name",
                "hierarchies[0].levels[1]",
                "hierarchies[1].levels"
            ]
        );
        let in_dataset = semantics.problems_in(&definition());
        assert!(in_dataset[2].reason.contains("did you mean 'sector'?"), "{in_dataset:?}");
        assert_eq!(
            paths(in_dataset),
            [
                "measures[1].name",
                "measures[2].name",
                "dimensions[0].name",
                "hierarchies[0].levels[0]",
                "hierarchies[0].levels[1]"
            ]
        );
    }
}
