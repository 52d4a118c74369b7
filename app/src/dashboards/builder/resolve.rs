//! Definitions as pages take them: with the statements of their questions, made for the datasets as they are.

use model::DatasetSummary;

use super::{Fields, Problem, TileQuery, compile};
use crate::dashboards::{Dashboard, TileDefinition};

/// A definition with statements in the place of questions. What cannot be asked says why in the tile. A text that is no
/// definition stays what it is, and whoever reads it says what is wrong.
pub fn resolved(definition: String, datasets: &[DatasetSummary]) -> String {
    let Ok(mut dashboard) = serde_json::from_str::<Dashboard>(&definition) else { return definition };
    if dashboard.tiles.iter().all(|tile| tile.query.is_none()) {
        return definition;
    }
    dashboard.tiles.iter_mut().for_each(|tile| tile.resolve(datasets));
    serde_json::to_string(&dashboard).unwrap_or(definition)
}

impl TileDefinition {
    /// Puts the statement in the place of the question; where it cannot be asked, the reason.
    pub fn resolve(&mut self, datasets: &[DatasetSummary]) {
        let Some(query) = self.query.take() else { return };
        match asked(&query, datasets) {
            Ok(question) => {
                self.sql = question.sql;
                self.parameters = question.parameters;
                self.reduce.splice(..0, question.reduce);
            }
            Err(problems) => {
                let reasons: Vec<String> = problems.iter().map(ToString::to_string).collect();
                self.problem = Some(reasons.join(". "));
            }
        }
    }
}

fn asked(query: &TileQuery, datasets: &[DatasetSummary]) -> Result<super::Question, Vec<Problem>> {
    match datasets.iter().find(|dataset| dataset.name == query.dataset) {
        Some(dataset) if dataset.readable => compile(query, &Fields::of(&dataset.definition)),
        Some(_) => {
            let reason = format!("nothing of '{}' can be read before its import is sealed", query.dataset);
            Err(vec![Problem::at("/dataset", reason)])
        }
        None => Err(vec![Problem::at("/dataset", format!("there is no dataset '{}' any more", query.dataset))]),
    }
}
