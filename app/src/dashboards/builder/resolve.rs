//! Definitions as pages take them: with the statements of their questions, made for the datasets as they are.

use std::{collections::BTreeSet, sync::Arc};

use model::DatasetDefinition;

use super::{Down, Fields, Problem, TileQuery, with_statements};
use crate::dashboards::{Dashboard, TileDefinition, Variable, semantics::Semantics};

/// A dataset that a question is asked of.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its definition.
    pub definition: DatasetDefinition,
    /// Whether it can be read.
    pub readable: bool,
    /// What its semantic definition says.
    pub semantics: Arc<Semantics>,
}

/// Finds a dataset by its name.
pub type Find<'a> = &'a dyn Fn(&str) -> Option<Asked>;

impl Dashboard {
    /// The datasets of which questions name what their semantic definitions have.
    pub fn meant_datasets(&self) -> BTreeSet<String> {
        let questions = self.tiles.iter().filter_map(|tile| tile.query.as_deref());
        let names = |query: &&TileQuery| {
            matches!(query.down, Some(Down::Hierarchy(_)))
                || query.measures.iter().any(|measure| measure.measure.is_some())
        };
        questions.filter(names).map(|query| query.dataset.clone()).collect()
    }

    /// Puts statements in the place of questions. What cannot be asked says why in its tile.
    pub fn resolve(&mut self, find: Find<'_>) {
        let variables = &self.variables;
        self.tiles.iter_mut().for_each(|tile| tile.resolve(find, variables));
    }
}

impl TileDefinition {
    fn resolve(&mut self, find: Find<'_>, variables: &[Variable]) {
        let Some(query) = self.query.take() else { return };
        match fields_of(&query, find, variables).and_then(|fields| with_statements(self, &query, &fields)) {
            Ok(resolved) => *self = resolved,
            Err(problems) => {
                let reasons: Vec<String> = problems.iter().map(ToString::to_string).collect();
                self.problem = Some(reasons.join(". "));
            }
        }
    }
}

/// The fields that a question can name.
fn fields_of(query: &TileQuery, find: Find<'_>, variables: &[Variable]) -> Result<Fields, Vec<Problem>> {
    match find(&query.dataset) {
        Some(Asked { definition, readable: true, semantics }) => {
            Ok(Fields::of(&definition).meaning(semantics).chosen_by(variables))
        }
        Some(_) => {
            let reason = format!("nothing of '{}' can be read before its import is sealed", query.dataset);
            Err(vec![Problem::at("/dataset", reason)])
        }
        None => Err(vec![Problem::at("/dataset", format!("there is no dataset '{}' any more", query.dataset))]),
    }
}
