//! What a choice on a tile does, and a stretch that is marked on its chart.

use leptos::prelude::*;

use super::{Panel, look::columns};
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::{
        OnBrush, OnPick, PictureDefinition, TileDefinition,
        builder::{Down, OutputColumn, Role, TileQuery, ValueType},
    },
    pages::editor::fields::{Options, choice},
};

/// Ways as they are chosen; a column or a hierarchy stands behind the colon.
const NOTHING: &str = "";
const FILTER: &str = "filter:";
const DOWN: &str = "down:";
const FACTS: &str = "facts";
const VERSIONS: &str = "versions";
const DRILL: &str = "levels";
const EFFECTIVE: &str = "effective";

pub(super) fn form(panel: Panel) -> WholeView {
    // What a definition says can be taken back, also where it cannot be chosen here.
    let defined = StoredValue::new(None::<OnPick>);
    Effect::new(move |_| {
        panel.tile.with(|tile| match &tile.on_pick {
            Some(way @ (OnPick::Drill { .. } | OnPick::Versions { .. })) if tile.query.is_none() => {
                defined.set_value(Some(way.clone()));
            }
            _ => {}
        });
    });
    let current = move || panel.tile.with(|tile| word_of_pick(tile));
    let choose = move |word: String| {
        let key = key_of(panel);
        panel.edit("on_pick", |tile| choose_pick(tile, &word, key, defined.get_value()));
        panel.editing.settle();
    };
    let brush = move || panel.tile.with(|tile| word_of_brush(tile));
    let mark = move |word: String| {
        panel.edit("on_brush", |tile| tile.on_brush = brush_of(&word));
        panel.editing.settle();
    };
    let marks = Memo::new(move |_| brushes(panel));
    let stretch = move || {
        let some = marks.with(|marks| marks.len() > 1);
        some.then(|| choice("A stretch that is marked", "on-brush", move || marks.get(), brush, mark))
    };
    view! {
        <fieldset class="field-group">
            <legend>"What a reader can do"</legend>
            {choice("A choice on it", "on-pick", move || picks(panel, defined), current, choose)}
            {panel.problem_view("/down".to_owned())}
            {changing(stretch)}
        </fieldset>
    }
    .whole()
}

fn option(value: impl Into<String>, word: impl Into<String>) -> (String, String) {
    (value.into(), word.into())
}

/// What a choice can do; tracked.
fn picks(panel: Panel, defined: StoredValue<Option<OnPick>>) -> Options {
    let columns = columns(panel);
    let mut all = vec![option(NOTHING, "Does nothing")];
    let own = panel.tile.with(|tile| tile.query.as_ref().map(|query| panel.editing.fields(&query.dataset)));
    // What is calculated is no column by which datasets can be narrowed down.
    let is_own = |name: &str| own.as_ref().is_none_or(|fields| fields.get(name).is_some());
    let categories = columns.iter().filter(|column| can_filter(column) && is_own(&column.name));
    all.extend(
        categories
            .map(|column| option(format!("{FILTER}{}", column.name), format!("Filters the page by {}", column.title))),
    );
    let query = panel.tile.with(|tile| tile.query.clone());
    let (Some(query), Some(fields)) = (query, &own) else {
        let now = panel.tile.with(|tile| tile.on_pick.clone());
        all.extend(match now.filter(|way| !matches!(way, OnPick::Filter { .. })).or_else(|| defined.get_value()) {
            Some(OnPick::Drill { .. }) => Some(option(DRILL, "Goes down its levels")),
            Some(OnPick::Versions { .. }) => Some(option(VERSIONS, "Opens the versions of a key")),
            _ => None,
        });
        return all;
    };
    if is_measured(&query) {
        let narrower = |levels: &[String]| levels.iter().any(|level| query.by.contains(level));
        let ways = fields.hierarchies().iter().filter(|way| narrower(&way.levels));
        all.extend(ways.map(|way| option(format!("{DOWN}{}", way.name), format!("Goes down by {}", way.called()))));
        let alone = matches!(&query.by[..], [by] if is_own(by));
        all.extend(alone.then(|| option(FACTS, "Opens the facts behind it")));
    } else if query.distribution.is_none() {
        let is_there = |key: &str| columns.iter().any(|column| column.name == key);
        all.extend(fields.key().all(is_there).then(|| option(VERSIONS, "Opens the versions of a fact")));
    }
    all
}

fn can_filter(column: &OutputColumn) -> bool {
    let listed = matches!(column.value, ValueType::Text | ValueType::Truth);
    column.role == Role::Category || (column.role == Role::Plain && listed)
}

/// Whether a choice on it has a value to lead down from.
fn is_measured(query: &TileQuery) -> bool {
    !query.measures.is_empty() && !query.by.is_empty()
}

/// The dataset of the tile and its key; untracked.
fn key_of(panel: Panel) -> (String, Vec<String>) {
    let dataset = untrack(|| panel.of(|query| query.dataset.clone()));
    let key = untrack(|| panel.editing.fields(&dataset)).key().map(str::to_owned).collect();
    (dataset, key)
}

fn word_of_pick(tile: &TileDefinition) -> String {
    match (&tile.on_pick, tile.query.as_ref().and_then(|query| query.down.as_ref())) {
        (_, Some(Down::Facts)) => FACTS.to_owned(),
        (_, Some(Down::Hierarchy(name))) => format!("{DOWN}{name}"),
        (None, None) => NOTHING.to_owned(),
        (Some(OnPick::Filter { column }), None) => format!("{FILTER}{column}"),
        (Some(OnPick::Versions { .. }), None) => VERSIONS.to_owned(),
        (Some(OnPick::Drill { .. }), None) => DRILL.to_owned(),
    }
}

fn choose_pick(tile: &mut TileDefinition, word: &str, (dataset, key): (String, Vec<String>), defined: Option<OnPick>) {
    // Of a statement it is as it was defined.
    if tile.query.is_none() && (word == DRILL || word == VERSIONS) {
        tile.on_pick = defined;
        return;
    }
    let down = match word.strip_prefix(DOWN) {
        Some(name) => Some(Down::Hierarchy(name.to_owned())),
        None => (word == FACTS).then_some(Down::Facts),
    };
    tile.query.iter_mut().for_each(|query| query.down.clone_from(&down));
    tile.on_pick = match word.strip_prefix(FILTER) {
        Some(column) => Some(OnPick::Filter { column: column.to_owned() }),
        None => (word == VERSIONS).then_some(OnPick::Versions { dataset, key }),
    };
}

/// What a stretch can do; tracked.
fn brushes(panel: Panel) -> Options {
    let mut all = vec![option(NOTHING, "Is zoomed into")];
    let x = panel.tile.with(|tile| match &tile.picture {
        PictureDefinition::Chart(chart) => Some(chart.x.column.clone()),
        _ => None,
    });
    let Some(x) = x else { return all };
    let columns = columns(panel);
    let Some(column) = columns.iter().find(|column| column.name == x) else { return all };
    let counted = panel.tile.with(|tile| tile.query.as_ref()?.distribution.as_ref().map(|counts| counts.field.clone()));
    match (column.role, counted) {
        (Role::Time, _) => all.push(option(EFFECTIVE, "Becomes the effective range of the page")),
        (Role::Stretch, Some(field)) => {
            all.push(option(format!("{FILTER}{field}"), format!("Filters the page by {field}")));
        }
        _ => {}
    }
    all
}

fn word_of_brush(tile: &TileDefinition) -> String {
    match &tile.on_brush {
        None => NOTHING.to_owned(),
        Some(OnBrush::Effective) => EFFECTIVE.to_owned(),
        Some(OnBrush::Filter { column }) => format!("{FILTER}{column}"),
    }
}

fn brush_of(word: &str) -> Option<OnBrush> {
    match word.strip_prefix(FILTER) {
        Some(column) => Some(OnBrush::Filter { column: column.to_owned() }),
        None => (word == EFFECTIVE).then_some(OnBrush::Effective),
    }
}

/// Takes away what a choice or a stretch did with columns that the answer does not have any more, and what lay below it where
/// that cannot be led down to any more.
pub(in crate::pages::editor) fn fit(tile: &mut TileDefinition, columns: &[OutputColumn], leads_down: bool) {
    let is_there = |name: &str| columns.iter().any(|column| column.name == name);
    let stays = match &tile.on_pick {
        Some(OnPick::Filter { column }) => is_there(column),
        Some(OnPick::Versions { key, .. }) => key.iter().all(|column| is_there(column)),
        Some(OnPick::Drill { .. }) | None => true,
    };
    if !stays {
        tile.on_pick = None;
    }
    let x = match &tile.picture {
        PictureDefinition::Chart(chart) => columns.iter().find(|column| column.name == chart.x.column),
        _ => None,
    };
    let counted = tile.query.as_ref().and_then(|query| query.distribution.as_ref());
    let stays = match &tile.on_brush {
        Some(OnBrush::Effective) => x.is_some_and(|column| column.role == Role::Time),
        Some(OnBrush::Filter { column }) => counted.is_some_and(|counted| counted.field == *column),
        None => true,
    };
    if !stays {
        tile.on_brush = None;
    }
    if !leads_down {
        tile.query.iter_mut().for_each(|query| query.down = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile() -> TileDefinition {
        TileDefinition { query: Some(Box::default()), ..TileDefinition::empty() }
    }

    #[test]
    fn what_is_chosen_reads_back() {
        for word in [NOTHING, "filter:region", "down:place", FACTS, VERSIONS] {
            let mut tile = tile();
            choose_pick(&mut tile, "filter:other", Default::default(), None);
            choose_pick(&mut tile, word, ("sales".to_owned(), vec!["region".to_owned()]), None);
            assert_eq!(word_of_pick(&tile), word);
        }
        for word in [NOTHING, EFFECTIVE, "filter:amount"] {
            let tile = TileDefinition { on_brush: brush_of(word), ..tile() };
            assert_eq!(word_of_brush(&tile), word);
        }
    }

    #[test]
    fn a_choice_on_a_column_goes_with_it() {
        let mut tile = tile();
        choose_pick(&mut tile, "filter:region", Default::default(), None);
        tile.on_brush = brush_of("filter:units");
        let column = OutputColumn::new("region", "region", Role::Category, ValueType::Text);
        fit(&mut tile, std::slice::from_ref(&column), true);
        assert_eq!(word_of_pick(&tile), "filter:region");
        assert_eq!(word_of_brush(&tile), NOTHING, "units are not counted");
        fit(&mut tile, &[], true);
        assert_eq!(word_of_pick(&tile), NOTHING);
        choose_pick(&mut tile, FACTS, Default::default(), None);
        fit(&mut tile, std::slice::from_ref(&column), true);
        assert_eq!(word_of_pick(&tile), FACTS);
        fit(&mut tile, &[column], false);
        assert_eq!(word_of_pick(&tile), NOTHING, "nothing lies below");
    }

    #[test]
    fn what_a_statement_does_can_be_taken_back() {
        let versions = OnPick::Versions { dataset: "sales".to_owned(), key: vec!["region".to_owned()] };
        let mut tile = TileDefinition { on_pick: Some(versions.clone()), ..TileDefinition::empty() };
        choose_pick(&mut tile, NOTHING, Default::default(), Some(versions.clone()));
        assert_eq!(word_of_pick(&tile), NOTHING);
        choose_pick(&mut tile, VERSIONS, Default::default(), Some(versions.clone()));
        assert_eq!(tile.on_pick, Some(versions));
    }
}
