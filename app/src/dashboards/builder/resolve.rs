//! Definitions as pages take them: with the statements of their questions, made for the datasets as they are.

use model::DatasetDefinition;

use super::{Fields, Problem, Question, TileQuery, compile};
use crate::dashboards::{Dashboard, TileDefinition, semantics::DefinedMeasure};

/// A dataset that a question is asked of.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its definition.
    pub definition: DatasetDefinition,
    /// Whether it can be read.
    pub readable: bool,
    /// The measures that its semantic definition has.
    pub measures: Vec<DefinedMeasure>,
}

/// Finds a dataset by its name.
pub type Find<'a> = &'a dyn Fn(&str) -> Option<Asked>;

impl Dashboard {
    /// Puts statements in the place of questions. What cannot be asked says why in its tile.
    pub fn resolve(&mut self, find: Find<'_>) {
        self.tiles.iter_mut().for_each(|tile| tile.resolve(find));
    }
}

impl TileDefinition {
    fn resolve(&mut self, find: Find<'_>) {
        let Some(query) = self.query.take() else { return };
        match asked(&query, find) {
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

fn asked(query: &TileQuery, find: Find<'_>) -> Result<Question, Vec<Problem>> {
    match find(&query.dataset) {
        Some(Asked { definition, readable: true, measures }) => {
            compile(query, &Fields::of(&definition).measured_by(measures))
        }
        Some(_) => {
            let reason = format!("nothing of '{}' can be read before its import is sealed", query.dataset);
            Err(vec![Problem::at("/dataset", reason)])
        }
        None => Err(vec![Problem::at("/dataset", format!("there is no dataset '{}' any more", query.dataset))]),
    }
}
