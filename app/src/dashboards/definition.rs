//! The definition of a dashboard, as it is written in JSON or YAML: format version 1.
//!
//! Only shapes here. What a definition may not say although it has the right shape is in `checks`; how files are read, with the
//! place of each mistake, is the server's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Filters, PerTile, Variable, builder::TileQuery};
use crate::{
    charts::{Channel, ChartSpec, Mark, ScaleKind},
    queries::client::{ParameterValue, Reduction},
};

/// The address parameter with the way down in each tile.
pub const DRILL: &str = "drill";
/// Columns of the grid that tiles stand on.
pub const GRID_COLUMNS: u8 = 12;
/// Rows that a picture can be high, least and most.
pub const ROWS: (u8, u8) = (3, 16);
/// Rows of usual pictures, and of tall ones.
const ROWS_USUAL: (u8, u8) = (5, 8);
/// Points along an axis that a reduced answer has about, where nothing else is said: what a wide screen can show.
const REDUCED_COLUMNS: u32 = 1_200;
/// Cells from bottom to top that dots are told apart by.
const REDUCED_ROWS: u32 = 600;
/// Marks that a picture can still show, where each row has one of its own.
const MOST_MARKS: u32 = 100_000;

/// The version of the format that this code reads and writes.
pub const FORMAT: u32 = 1;

/// A dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// The version of the format. 1 where it is not said.
    #[serde(default = "first_format")]
    pub format: u32,
    /// Its name in addresses: `a` to `z`, `0` to `9` and `-`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// A sentence on what it is for.
    #[serde(default)]
    pub description: String,
    /// The folder it is listed in, parts from top to bottom with `/` between them; at the top where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// Words it can be found by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What is noted on every chart that runs over time: one statement that gives instants in `at` and words in `note`. `$from`
    /// and `$to` are the effective range of the page, half-open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// What a reader chooses for the whole page, bound as `$name` in every statement that has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// Its tabs, of which one is shown. A tile that stands on none is shown above all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tabs: Vec<Tab>,
    /// Its sections, which follow what stands in none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<Section>,
    /// Its tiles, from left to right and from top to bottom.
    pub tiles: Vec<TileDefinition>,
}

/// A tab of a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tab {
    /// Its name in the dashboard and in addresses.
    pub id: String,
    /// What people call it.
    pub title: String,
}

/// A part of a page under a heading, which can be folded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its name in the dashboard.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// The tab it stands on, by its id; on the page itself where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tab: String,
    /// Whether it is folded until somebody opens it. What is folded asks nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub folded: bool,
}

/// See [`crate::editor::dashboard_of`].
#[cfg(target_arch = "wasm32")]
fn left_to_the_editor<'de, D: serde::Deserializer<'de>>(query: D) -> Result<Option<Box<TileQuery>>, D::Error> {
    serde::de::IgnoredAny::deserialize(query).map(|_| None)
}

/// A tile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TileDefinition {
    /// Its name in the dashboard.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// The section it stands in, by its id; in none where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    /// The tab it stands on, by its id, where it is in no section; on none where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tab: String,
    /// How many of the twelve columns of the page it takes; all of them on a phone.
    #[serde(default = "half")]
    pub width: u8,
    /// Whether its picture is higher than usual.
    #[serde(default)]
    pub tall: bool,
    /// How high its picture is, in rows of 40 pixels, as many as [`ROWS`] allows; as `tall` says without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u8>,
    /// One statement that reads. `$from` and `$to` are the effective range of the page, half-open. It is read as of the page's
    /// known time; where it reads all of system time, `$known` is that time, and what became known later is its to leave out. Empty
    /// for words alone, and where there is a `query`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sql: String,
    /// What it asks, in the place of a statement. In browsers it is read by the editor alone.
    #[cfg_attr(target_arch = "wasm32", serde(deserialize_with = "left_to_the_editor"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Box<TileQuery>>,
    /// The values of other parameters that the statement has, or those of its levels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Why its question cannot be asked. The server says so to pages; no file does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What the server makes of the rows before it sends them, beyond what the picture asks for by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reduce: Vec<Reduction>,
    /// Whether what `reduce` leaves comes whole, however many more rows there are than the picture can show.
    #[serde(default)]
    pub raw: bool,
    /// How the answer is drawn.
    pub picture: PictureDefinition,
    /// What a choice on the tile does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_pick: Option<OnPick>,
    /// What a stretch that is marked on its chart does; the chart zooms into it without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_brush: Option<OnBrush>,
    /// Coordinates of its own, as an address says them: `last`, `on`, `from`, `to`, `known`, `vs`. Those that are not here are
    /// the page's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub times: BTreeMap<String, String>,
    /// What is shown below it, level by level, of what was chosen to be opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
}

/// A level below a tile. Its statement is narrowed down to what was chosen above it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// As of a tile.
    pub sql: String,
    /// As of a tile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reduce: Vec<Reduction>,
    /// As of a tile.
    #[serde(default)]
    pub raw: bool,
    /// As of a tile.
    pub picture: PictureDefinition,
    /// As of a tile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_pick: Option<OnPick>,
    /// As of a tile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_brush: Option<OnBrush>,
}

fn first_format() -> u32 {
    1
}

fn is_false(value: &bool) -> bool {
    !value
}

fn half() -> u8 {
    GRID_COLUMNS / 2
}

/// How an answer is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PictureDefinition {
    /// A chart: what goes where.
    Chart(Box<ChartSpec>),
    /// A table of rows.
    Grid {
        /// Its columns; all of the answer without.
        #[serde(default)]
        columns: Vec<Channel>,
    },
    /// One figure: the value of the last row, its change on the row before, and a line of all.
    Kpi {
        /// The column of the figure.
        value: Channel,
        /// The column by which rows are ordered, which says when the figure holds.
        at: Channel,
    },
    /// A table of sums: rows by one column, columns by another.
    Pivot {
        /// What rows are named by.
        rows: Channel,
        /// What columns are named by.
        columns: Channel,
        /// What stands in the cells; the values of several rows add up.
        value: Channel,
    },
    /// Words in Markdown. HTML in them is text, and links lead to this server or to http and https alone.
    Markdown {
        /// The words.
        text: String,
    },
}

/// What a choice on a tile does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OnPick {
    /// All tiles show only what has the chosen value in this column.
    Filter {
        /// A column of the answer, under the name it has in the datasets.
        column: String,
    },
    /// The tile opens what lies below: its next level, narrowed down to the chosen value of this column.
    Drill {
        /// A column of the answer, under the name it has in the datasets.
        column: String,
    },
    /// Opens the versions of a key.
    Versions {
        /// The dataset.
        dataset: String,
        /// The answer's columns that hold the key, in the order of the dataset's key.
        key: Vec<String>,
    },
}

/// What a stretch that is marked on a chart does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OnBrush {
    /// It becomes the effective range of the page. Of charts over effective time.
    Effective,
    /// All tiles show only what lies in it.
    Filter {
        /// The column, under the name it has in the datasets.
        column: String,
    },
}

impl Dashboard {
    /// A dashboard without a name and without tiles.
    pub fn empty() -> Dashboard {
        Dashboard {
            format: FORMAT,
            name: String::new(),
            title: String::new(),
            description: String::new(),
            folder: String::new(),
            tags: Vec::new(),
            notes: None,
            variables: Vec::new(),
            tabs: Vec::new(),
            sections: Vec::new(),
            tiles: Vec::new(),
        }
    }
}

impl TileDefinition {
    /// A tile that asks nothing and shows a table.
    pub fn empty() -> TileDefinition {
        TileDefinition {
            id: String::new(),
            title: String::new(),
            section: String::new(),
            tab: String::new(),
            width: half(),
            tall: false,
            rows: None,
            sql: String::new(),
            query: None,
            parameters: BTreeMap::new(),
            problem: None,
            reduce: Vec::new(),
            raw: false,
            picture: PictureDefinition::Grid { columns: Vec::new() },
            on_pick: None,
            on_brush: None,
            times: BTreeMap::new(),
            levels: Vec::new(),
        }
    }

    /// What was chosen on the way down in the tile, from the top, by the address parameter [`DRILL`].
    pub fn way_down(&self, parameter: Option<&str>) -> Filters {
        let mut way = Filters::parse(PerTile::parse(parameter).of(&self.id));
        way.0.truncate(self.levels.len());
        way
    }

    /// The tile as it is on a level: 0 is its own, those below follow.
    pub fn at_level(&self, level: usize) -> TileDefinition {
        let Some(below) = level.checked_sub(1).and_then(|index| self.levels.get(index)) else { return self.clone() };
        let Level { sql, reduce, raw, picture, on_pick, on_brush } = below.clone();
        // Of its own statement alone.
        let (query, problem) = (None, None);
        TileDefinition { sql, query, problem, reduce, raw, picture, on_pick, on_brush, ..self.clone() }
    }

    /// The values of those of its parameters that its statement has; others are refused by the server.
    pub fn bound_parameters(&self) -> BTreeMap<String, ParameterValue> {
        let has = |(name, _): &(&String, &String)| has_parameter(&self.sql, name);
        let bound = self.parameters.iter().filter(has);
        bound.map(|(name, value)| (name.clone(), ParameterValue::Text(value.clone()))).collect()
    }

    /// The classes of the stylesheet by which it has its size.
    pub fn size_class(&self) -> String {
        let height = match self.rows {
            Some(_) => format!(" rows-{}", self.rows()),
            None if self.tall => " tall".to_owned(),
            None => String::new(),
        };
        format!("width-{}{height}", self.width)
    }

    /// How many rows its picture is high.
    pub fn rows(&self) -> u8 {
        let usual = if self.tall { ROWS_USUAL.1 } else { ROWS_USUAL.0 };
        self.rows.unwrap_or(usual).clamp(ROWS.0, ROWS.1)
    }

    /// Whether it can be compared with an earlier period.
    pub fn compares(&self) -> bool {
        let drawn = match &self.picture {
            PictureDefinition::Chart(chart) => chart.compares(),
            PictureDefinition::Kpi { .. } => true,
            PictureDefinition::Grid { .. } | PictureDefinition::Pivot { .. } | PictureDefinition::Markdown { .. } => {
                false
            }
        };
        drawn && self.reads_range()
    }

    /// Whether its statement has the effective range of the page in it.
    pub fn reads_range(&self) -> bool {
        has_parameter(&self.sql, "from") || has_parameter(&self.sql, "to")
    }

    /// Whether one of its statements, or those of its levels, has the name of a dataset in it.
    pub fn mentions(&self, dataset: &str) -> bool {
        let statements = std::iter::once(&self.sql).chain(self.levels.iter().map(|level| &level.sql));
        let part = |c: char| !(c.is_alphanumeric() || c == '_');
        statements.flat_map(|sql| sql.split(part)).any(|word| word.eq_ignore_ascii_case(dataset))
    }

    /// What the server is to make of the rows: what the definition says, then what the picture can show. A tile never
    /// receives more than it can draw.
    pub fn reductions(&self) -> Vec<Reduction> {
        let mut reductions = self.reduce.clone();
        if !self.raw {
            reductions.extend(by_picture(&self.picture));
        }
        reductions
    }
}

/// Whether a statement has a parameter `$name`.
pub fn has_parameter(sql: &str, name: &str) -> bool {
    let whole = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    sql.split('$').skip(1).any(|rest| rest.strip_prefix(name).is_some_and(whole))
}

fn has_even_places(channel: &Channel) -> bool {
    !matches!(channel.scale, ScaleKind::Log | ScaleKind::Category)
}

/// Lines and dots keep what their pixels show of them. What has a mark, a cell or a step of a calculation for each row is
/// refused where it would be no picture any more; a table goes through all of its rows.
fn by_picture(picture: &PictureDefinition) -> Option<Reduction> {
    let chart = match picture {
        PictureDefinition::Chart(chart) => chart,
        PictureDefinition::Kpi { .. } | PictureDefinition::Pivot { .. } => {
            return Some(Reduction::AtMost { rows: MOST_MARKS });
        }
        PictureDefinition::Grid { .. } | PictureDefinition::Markdown { .. } => return None,
    };
    let (x, by) = (chart.x.column.clone(), chart.by.iter().cloned().collect());
    let y = chart.y.iter().map(|channel| channel.column.clone()).collect();
    Some(match chart.mark {
        Mark::Line | Mark::Area if chart.x.scale != ScaleKind::Category => {
            Reduction::M4 { x, y, by, columns: REDUCED_COLUMNS }
        }
        // Cells are as wide everywhere; where places are not, what shares one would not share a pixel.
        Mark::Scatter if std::iter::once(&chart.x).chain(&chart.y).all(has_even_places) => {
            Reduction::Dots { x, y, by, columns: REDUCED_COLUMNS, rows: REDUCED_ROWS }
        }
        _ => Reduction::AtMost { rows: MOST_MARKS },
    })
}

/// The dashboards that come with Tidemark: file and definition.
#[cfg(feature = "ssr")]
pub const BUILT_IN: [(&str, &str); 6] = [
    ("built_in/benchmark-index.json", include_str!("built_in/benchmark-index.json")),
    ("built_in/market.json", include_str!("built_in/market.json")),
    ("built_in/bond-desk.json", include_str!("built_in/bond-desk.json")),
    ("built_in/restatements.json", include_str!("built_in/restatements.json")),
    ("built_in/operations.json", include_str!("built_in/operations.json")),
    ("built_in/gallery.json", include_str!("built_in/gallery.json")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_mentions_what_stands_in_its_statements_as_a_word() {
        let market: Dashboard = serde_json::from_str(BUILT_IN[1].1).unwrap();
        let tile = |id: &str| market.tiles.iter().find(|tile| tile.id == id).unwrap();
        assert!(tile("prices").mentions("prices") && tile("prices").mentions("constituents"));
        assert!(!tile("prices").mentions("price") && !tile("volumes").mentions("constituents"));
        assert!(tile("traded-by").mentions("prices"));
    }

    #[test]
    fn a_line_asks_for_no_more_than_its_pixels_show() {
        let market: Dashboard = serde_json::from_str(BUILT_IN[1].1).unwrap();
        let line = market.tiles.iter().find(|tile| tile.id == "prices").unwrap();
        assert!(matches!(&line.reductions()[..], [Reduction::M4 { columns: REDUCED_COLUMNS, .. }]));
        let gallery: Dashboard = serde_json::from_str(BUILT_IN[5].1).unwrap();
        let of = |id: &str| gallery.tiles.iter().find(|tile| tile.id == id).unwrap().reductions();
        assert!(matches!(&of("scatter")[..], [Reduction::Dots { rows: REDUCED_ROWS, .. }]));
        assert!(matches!(&of("histogram")[..], [Reduction::Bins { .. }, Reduction::AtMost { rows: MOST_MARKS }]));
        assert!(matches!(&of("pivot")[..], [Reduction::AtMost { .. }]));
        assert!(of("million").is_empty() && of("empty").is_empty());
    }
}
