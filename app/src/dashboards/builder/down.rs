//! What lies below a question: the same measured by the next level of a hierarchy, level by level, and then the facts.

use super::{Down, Facts, Fields, Problem, Question, TileQuery, TimeAxis, compile, fit_picture, suggest::nearest};
use crate::dashboards::{Level, OnPick, PictureDefinition, TileDefinition};

/// A question below another one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Below {
    /// The field of the question above, whose chosen value it is narrowed down to.
    pub(super) chosen: String,
    /// What is asked.
    pub(super) query: TileQuery,
}

/// A tile with the statements of a question and of what lies below it.
pub fn with_statements(
    tile: &TileDefinition,
    query: &TileQuery,
    fields: &Fields,
) -> Result<TileDefinition, Vec<Problem>> {
    let Question { sql, parameters, reduce, .. } = compile(query, fields)?;
    let mut made = TileDefinition { sql, parameters, query: None, ..tile.clone() };
    made.reduce.splice(..0, reduce);
    let below = levels(query, fields).map_err(|problem| vec![problem])?;
    for (place, level) in below.iter().enumerate() {
        let picked = Some(OnPick::Drill { column: level.chosen.clone() });
        match made.levels.last_mut() {
            None => made.on_pick = picked,
            Some(above) => above.on_pick = picked,
        }
        let Question { sql, parameters, reduce, columns } = compile(&level.query, fields)?;
        let (picture, on_pick) = match place + 1 == below.len() {
            true => {
                let key = fields.key().map(str::to_owned).collect();
                let versions = OnPick::Versions { dataset: level.query.dataset.clone(), key };
                (PictureDefinition::Grid { columns: Vec::new() }, Some(versions))
            }
            false => (fit_picture(&tile.title, &tile.picture, &columns, true), None),
        };
        // Those of filters and calculated fields, which are the same on each level under the same names.
        made.parameters.extend(parameters);
        made.levels.push(Level { sql, reduce, raw: false, picture, on_pick, on_brush: None });
    }
    Ok(made)
}

/// The questions below a question, from above; none where nothing lies there. Hierarchies that are not known are none.
pub(super) fn levels(query: &TileQuery, fields: &Fields) -> Result<Vec<Below>, Problem> {
    let Some(down) = &query.down else { return Ok(Vec::new()) };
    let problem = |reason: String| Err(Problem::at("/down", reason));
    if query.by.is_empty() || query.measures.is_empty() {
        return problem(
            "a choice leads down from what is measured by something; choose measures and categories".into(),
        );
    }
    let wanted = match (down, &query.by[..]) {
        (Down::Facts, [by]) if fields.get(by).is_some() => {
            return Ok(vec![Below { chosen: by.clone(), query: facts(query) }]);
        }
        (Down::Facts, _) => {
            return problem("facts are opened of a value of one column; measure by one column of the dataset".into());
        }
        (Down::Hierarchy(wanted), _) => wanted,
    };
    let Some(hierarchy) = fields.hierarchies().iter().find(|hierarchy| hierarchy.name == *wanted) else {
        if !fields.knows_meaning() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = fields.hierarchies().iter().map(|hierarchy| hierarchy.name.clone()).collect();
        let meant = nearest(wanted, &names).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
        return problem(format!("'{}' has no hierarchy '{wanted}'{meant}", query.dataset));
    };
    if let Some(gone) = hierarchy.levels.iter().find(|level| fields.get(level).is_none()) {
        return problem(format!("'{}' leads over '{gone}', and there is no such column any more", hierarchy.called()));
    }
    let level_of = |by: &String| hierarchy.levels.iter().position(|level| level == by);
    let measured = query.by.iter().enumerate().filter_map(|(place, by)| Some((place, level_of(by)?)));
    let Some((place, level)) = measured.max_by_key(|(_, level)| *level) else {
        let levels = hierarchy.levels.join(", ");
        return problem(format!("'{}' leads down from one of {levels}; measure by one of them", hierarchy.called()));
    };
    let (mut below, mut chosen) = (Vec::new(), query.by[place].clone());
    for next in &hierarchy.levels[level + 1..] {
        let mut by = query.by.clone();
        by[place].clone_from(next);
        below.push(Below { chosen, query: TileQuery { by, down: None, ..query.clone() } });
        chosen = next.clone();
    }
    below.push(Below { chosen, query: facts(query) });
    Ok(below)
}

/// The facts that a question reads.
fn facts(query: &TileQuery) -> TileQuery {
    let begins = query.over.is_some_and(|over| over.time != TimeAxis::AsOf);
    TileQuery {
        dataset: query.dataset.clone(),
        facts: if begins { Facts::Beginning } else { query.facts },
        calculated: query.calculated.clone(),
        filters: query.filters.clone(),
        ..TileQuery::default()
    }
}
