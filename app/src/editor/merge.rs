//! Two people's changes of one dashboard: what each changed, what goes together by itself, and what has to be chosen.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Place, dashboard_of};
use crate::{dashboards::Dashboard, words::numbered};

/// Whose change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// That of whoever edits here.
    Mine,
    /// That of whoever published meanwhile.
    Theirs,
}

/// A member that was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The tile's id; none for members of the dashboard itself.
    pub tile: Option<String>,
    /// The tile's title, for people.
    pub tile_title: String,
    /// The member; empty where the whole tile came or went.
    pub member: String,
    /// What it was before both.
    pub base: Option<Value>,
    /// What I made of it.
    pub mine: Option<Value>,
    /// What they made of it.
    pub theirs: Option<Value>,
}

impl Change {
    /// Whether both changed it, not in the same way.
    pub fn conflicts(&self) -> bool {
        self.mine != self.base && self.theirs != self.base && self.mine != self.theirs
    }

    /// Whose is taken where nobody chooses: theirs where I left it alone, mine otherwise.
    pub fn usual(&self) -> Side {
        if self.mine == self.base { Side::Theirs } else { Side::Mine }
    }

    /// The place of the member, for people.
    pub fn place(&self) -> String {
        let member = words(&self.member);
        match (&self.tile, self.member.is_empty()) {
            (None, _) => format!("Dashboard, {member}"),
            (Some(_), true) => format!("Tile '{}'", self.tile_title),
            (Some(_), false) => format!("Tile '{}', {member}", self.tile_title),
        }
    }

    /// What a side says, for people.
    pub fn text(&self, side: Side) -> String {
        let value = match side {
            Side::Mine => &self.mine,
            Side::Theirs => &self.theirs,
        };
        match value {
            None if self.member.is_empty() => "removed".to_owned(),
            None => "nothing".to_owned(),
            Some(_) if self.member.is_empty() => "there".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }
}

fn words(member: &str) -> String {
    match member {
        ORDER => "order of tiles".to_owned(),
        "query" => "question and picture".to_owned(),
        "rows" => "height".to_owned(),
        member => member.replace('_', " "),
    }
}

/// The member that stands for the order of tiles.
const ORDER: &str = "tiles";

/// A dashboard as members: of itself, and of each tile by its id.
struct Parts {
    head: Map<String, Value>,
    tiles: BTreeMap<String, Map<String, Value>>,
    order: Vec<String>,
}

impl Parts {
    fn of(dashboard: &Dashboard) -> Parts {
        let object = |value: Value| match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let value = |value: Result<Value, serde_json::Error>| object(value.unwrap_or_default());
        let mut head = value(serde_json::to_value(dashboard));
        head.remove(ORDER);
        let order: Vec<String> = dashboard.tiles.iter().map(|tile| tile.id.clone()).collect();
        let tiles = dashboard.tiles.iter().map(|tile| (tile.id.clone(), value(serde_json::to_value(tile)))).collect();
        Parts { head, tiles, order }
    }

    /// The order of those tiles that all have: what came and went is no change of it.
    fn order_of(&self, known: &[&Parts]) -> Value {
        let common = self.order.iter().filter(|id| known.iter().all(|parts| parts.tiles.contains_key(*id)));
        Value::Array(common.map(|id| Value::String(id.clone())).collect())
    }
}

/// My dashboard with other ids for those tiles that I have added under an id under which they have added another: both are kept.
pub fn with_own_ids(mut mine: Dashboard, base: &Dashboard, theirs: &Dashboard) -> Dashboard {
    let has = |dashboard: &Dashboard, id: &str| dashboard.tiles.iter().any(|tile| tile.id == id);
    let both: Vec<String> = mine.tiles.iter().map(|tile| tile.id.clone()).collect();
    for id in both.into_iter().filter(|id| !has(base, id) && has(theirs, id)) {
        let free = numbered(&id, "-", |free| has(&mine, free) || has(theirs, free) || has(base, free));
        mine.tiles.iter_mut().filter(|tile| tile.id == id).for_each(|tile| tile.id.clone_from(&free));
    }
    mine
}

/// What a tile asks and how it is drawn, which only go together as they are.
const QUESTION: [&str; 5] = ["query", "sql", "parameters", "reduce", "picture"];

/// A tile's members, with what it asks and its picture as one, named as the first of them.
fn with_one_question(tile: &Map<String, Value>) -> Map<String, Value> {
    let (asked, mut members): (Map<_, _>, Map<_, _>) =
        tile.clone().into_iter().partition(|(name, _)| QUESTION.contains(&name.as_str()));
    if !asked.is_empty() {
        members.insert(QUESTION[0].to_owned(), Value::Object(asked));
    }
    members
}

/// What was changed on either side since `base`.
pub fn changes(base: &Dashboard, mine: &Dashboard, theirs: &Dashboard) -> Vec<Change> {
    let [base, mine, theirs] = [base, mine, theirs].map(Parts::of);
    let mut found = members(None, "", &base.head, &mine.head, &theirs.head);
    let all = [&base, &mine, &theirs];
    let [was, is_mine, is_theirs] = all.map(|parts| Some(parts.order_of(&all)));
    if was != is_mine || was != is_theirs {
        let order = (ORDER.to_owned(), String::new());
        found.push(Change {
            tile: None,
            tile_title: order.1,
            member: order.0,
            base: was,
            mine: is_mine,
            theirs: is_theirs,
        });
    }
    let mut ids: Vec<&String> = theirs.order.iter().chain(&mine.order).chain(&base.order).collect();
    let mut seen = std::collections::BTreeSet::new();
    ids.retain(|id| seen.insert(*id));
    for id in ids {
        let [before, here, there] = all.map(|parts| parts.tiles.get(id));
        let title = [here, there, before].into_iter().flatten().find_map(|tile| tile.get("title")?.as_str());
        let title = title.unwrap_or(id);
        match (before, here, there) {
            (before, Some(here), Some(there)) => {
                let before = before.map(with_one_question).unwrap_or_default();
                let [here, there] = [here, there].map(with_one_question);
                found.extend(members(Some(id), title, &before, &here, &there));
            }
            _ => {
                let [base, mine, theirs] = [before, here, there].map(|tile| tile.cloned().map(Value::Object));
                let tile = Some(id.clone());
                let change = Change { tile, tile_title: title.to_owned(), member: String::new(), base, mine, theirs };
                // What is gone from both is nothing to be told.
                if change.mine != change.theirs {
                    found.push(change);
                }
            }
        }
    }
    found
}

fn members(
    tile: Option<&String>,
    title: &str,
    base: &Map<String, Value>,
    mine: &Map<String, Value>,
    theirs: &Map<String, Value>,
) -> Vec<Change> {
    let mut names: Vec<&String> = base.keys().chain(mine.keys()).chain(theirs.keys()).collect();
    names.sort();
    names.dedup();
    let change = |name: &String| Change {
        tile: tile.cloned(),
        tile_title: title.to_owned(),
        member: name.clone(),
        base: base.get(name).cloned(),
        mine: mine.get(name).cloned(),
        theirs: theirs.get(name).cloned(),
    };
    names.into_iter().map(change).filter(|change| change.mine != change.base || change.theirs != change.base).collect()
}

/// The dashboard with the chosen side of each change; those that nothing is chosen of are as [`Change::usual`] says. `choices`
/// are by the places of [`changes`]. Fails where what was chosen makes no dashboard.
pub fn merged(
    base: &Dashboard,
    mine: &Dashboard,
    theirs: &Dashboard,
    choices: &BTreeMap<usize, Side>,
) -> Result<Dashboard, String> {
    let all = changes(base, mine, theirs);
    let (mine, theirs) = (Parts::of(mine), Parts::of(theirs));
    let mut head = theirs.head.clone();
    let mut tiles = theirs.tiles.clone();
    let mut by_mine = false;
    for (place, change) in all.into_iter().enumerate() {
        let side = choices.get(&place).copied().unwrap_or_else(|| change.usual());
        let value = if side == Side::Mine { change.mine } else { change.theirs };
        let member = change.member;
        match change.tile {
            None if member == ORDER => by_mine = side == Side::Mine,
            None => set(&mut head, member, value),
            Some(id) if member.is_empty() => match value {
                Some(Value::Object(tile)) => drop(tiles.insert(id, tile)),
                _ => drop(tiles.remove(&id)),
            },
            Some(id) if member == QUESTION[0] => {
                let tile = tiles.entry(id).or_default();
                tile.retain(|name, _| !QUESTION.contains(&name.as_str()));
                if let Some(Value::Object(asked)) = value {
                    tile.extend(asked);
                }
            }
            Some(id) => set(tiles.entry(id).or_default(), member, value),
        }
    }
    let (first, second) = if by_mine { (&mine.order, &theirs.order) } else { (&theirs.order, &mine.order) };
    let order = in_order(first, second);
    let ordered: Vec<Value> = order.into_iter().filter_map(|id| tiles.remove(id).map(Value::Object)).collect();
    head.insert(ORDER.to_owned(), Value::Array(ordered));
    let merged = dashboard_of(Value::Object(head));
    merged.map(with_places).map_err(|error| format!("what was chosen does not go together: {error}"))
}

/// The dashboard in which what stood on a tab or in a section that one side took away stands where it can.
fn with_places(mut dashboard: Dashboard) -> Dashboard {
    let tabs: Vec<String> = dashboard.tabs.iter().map(|tab| tab.id.clone()).collect();
    for section in dashboard.sections.iter_mut().filter(|section| !tabs.contains(&section.tab)) {
        section.tab.clear();
    }
    let places: Vec<Place> = dashboard.tiles.iter().map(|tile| Place::shown(tile, &dashboard)).collect();
    dashboard.tiles.iter_mut().zip(places).for_each(|(tile, place)| place.put(tile));
    dashboard
}

fn set(members: &mut Map<String, Value>, name: String, value: Option<Value>) {
    match value {
        Some(value) => drop(members.insert(name, value)),
        None => drop(members.remove(&name)),
    }
}

/// One order, with what only the other has behind what it follows there.
fn in_order<'a>(first: &'a [String], second: &'a [String]) -> Vec<&'a String> {
    let mut order: Vec<&String> = first.iter().collect();
    for (place, id) in second.iter().enumerate() {
        if !order.contains(&id) {
            let before =
                second[..place].iter().rev().find_map(|known| order.iter().position(|placed| *placed == known));
            order.insert(before.map_or(0, |before| before + 1), id);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dashboards::TileDefinition;

    fn dashboard(title: &str, tiles: &[(&str, &str, u8)]) -> Dashboard {
        let tiles: Vec<Value> = tiles
            .iter()
            .map(|(id, title, width)| {
                serde_json::json!({"id": id, "title": title, "width": width, "sql": "SELECT 1", "picture": {"grid": {}}})
            })
            .collect();
        serde_json::from_value(serde_json::json!({"name": "desk", "title": title, "tiles": tiles})).unwrap()
    }

    fn together(base: &Dashboard, mine: &Dashboard, theirs: &Dashboard) -> Dashboard {
        merged(base, mine, theirs, &BTreeMap::new()).unwrap()
    }

    #[test]
    fn changes_of_different_members_go_together() {
        let base = dashboard("Desk", &[("a", "A", 6), ("b", "B", 6)]);
        let mine = dashboard("Desk", &[("a", "Mine", 6), ("b", "B", 6), ("c", "C", 3)]);
        let theirs = dashboard("Their desk", &[("b", "B", 6), ("a", "A", 12)]);
        let all = changes(&base, &mine, &theirs);
        assert!(all.iter().all(|change| !change.conflicts()), "{all:?}");
        let merged = together(&base, &mine, &theirs);
        assert_eq!(merged, dashboard("Their desk", &[("b", "B", 6), ("c", "C", 3), ("a", "Mine", 12)]));
    }

    #[test]
    fn what_stood_on_a_tab_that_somebody_took_away_still_stands_somewhere() {
        let mut base = dashboard("Desk", &[("a", "A", 6)]);
        base.tabs = serde_json::from_value(serde_json::json!([{"id": "t", "title": "T"}])).unwrap();
        let mut mine = base.clone();
        mine.tiles[0].tab = "t".into();
        let mut theirs = base.clone();
        theirs.tabs.clear();
        let merged = together(&base, &mine, &theirs);
        assert_eq!((merged.tiles[0].tab.as_str(), merged.problems().len()), ("", 0));
    }

    #[test]
    fn what_both_changed_is_chosen() {
        let base = dashboard("Desk", &[("a", "A", 6)]);
        let (mine, theirs) = (dashboard("Mine", &[]), dashboard("Theirs", &[("a", "New", 6)]));
        let all = changes(&base, &mine, &theirs);
        let conflicts: Vec<String> = all.iter().filter(|change| change.conflicts()).map(Change::place).collect();
        assert_eq!(conflicts, ["Dashboard, title", "Tile 'New'"]);
        assert_eq!((all[0].text(Side::Mine), all[1].text(Side::Mine)), ("Mine".to_owned(), "removed".to_owned()));
        let choices = (0..all.len()).map(|place| (place, Side::Theirs)).collect();
        assert_eq!(merged(&base, &mine, &theirs, &choices).unwrap(), theirs);
        assert_eq!(together(&base, &mine, &theirs), mine);
    }

    #[test]
    fn what_a_tile_asks_and_its_picture_are_one_change() {
        let base = dashboard("Desk", &[("a", "A", 6)]);
        let (mut mine, mut theirs) = (base.clone(), base.clone());
        mine.tiles[0].sql = "SELECT 2".to_owned();
        let picture = serde_json::json!({"grid": {"columns": [{"column": "x"}]}});
        theirs.tiles[0].picture = serde_json::from_value(picture).unwrap();
        let all = changes(&base, &mine, &theirs);
        assert_eq!(all.iter().map(Change::place).collect::<Vec<_>>(), ["Tile 'A', question and picture"]);
        assert!(all[0].conflicts());
        let choices = [(0, Side::Theirs)].into();
        assert_eq!(merged(&base, &mine, &theirs, &choices).unwrap(), theirs);
    }

    #[test]
    fn two_new_tiles_of_one_id_are_both_kept() {
        let base = dashboard("Desk", &[("a", "A", 6)]);
        let mine = dashboard("Desk", &[("a", "A", 6), ("tile", "Mine", 6), ("tile-2", "Also mine", 6)]);
        let theirs = dashboard("Desk", &[("a", "A", 6), ("tile", "Theirs", 6)]);
        let mine = with_own_ids(mine, &base, &theirs);
        assert_eq!(ids(&mine), ["a", "tile-3", "tile-2"]);
        let mut titles: Vec<String> =
            together(&base, &mine, &theirs).tiles.into_iter().map(|tile| tile.title).collect();
        titles.sort();
        assert_eq!(titles, ["A", "Also mine", "Mine", "Theirs"]);
    }

    fn any_dashboard() -> impl Strategy<Value = Dashboard> {
        let tile = ("[a-d]", "[A-C]", 1_u8..4);
        ("[X-Z]", prop::collection::vec(tile, 0..5)).prop_map(|(title, mut tiles)| {
            let mut seen = std::collections::BTreeSet::new();
            tiles.retain(|tile| seen.insert(tile.0.clone()));
            let tiles: Vec<(&str, &str, u8)> =
                tiles.iter().map(|(id, title, width)| (&id[..], &title[..], *width)).collect();
            dashboard(&title, &tiles)
        })
    }

    fn ids(dashboard: &Dashboard) -> Vec<String> {
        dashboard.tiles.iter().map(|tile: &TileDefinition| tile.id.clone()).collect()
    }

    proptest! {
        #[test]
        fn whose_changes_are_alone_are_taken_whole(base in any_dashboard(), other in any_dashboard()) {
            prop_assert_eq!(&together(&base, &other, &base), &other);
            prop_assert_eq!(&together(&base, &base, &other), &other);
            prop_assert_eq!(&together(&base, &other, &other), &other);
            prop_assert_eq!(changes(&base, &base, &base), []);
        }

        #[test]
        fn all_of_one_side_is_that_side(base in any_dashboard(), mine in any_dashboard(), theirs in any_dashboard()) {
            let count = changes(&base, &mine, &theirs).len();
            for (side, wanted) in [(Side::Mine, &mine), (Side::Theirs, &theirs)] {
                let choices = (0..count).map(|place| (place, side)).collect();
                let got = merged(&base, &mine, &theirs, &choices).unwrap();
                let mut sorted = [ids(&got), ids(wanted)];
                sorted.iter_mut().for_each(|ids| ids.sort());
                prop_assert_eq!(&sorted[0], &sorted[1]);
                prop_assert_eq!(&got.title, &wanted.title);
            }
        }
    }
}
