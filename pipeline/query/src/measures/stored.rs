//! What is stored of measures: reads the formulas of one committed state as they were known, and checks those that are to be
//! stored.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use datafusion::{
    arrow::array::AsArray,
    sql::sqlparser::ast::{Expr, Ident, SelectItem, SetExpr, Statement},
};
use futures::{StreamExt, TryStreamExt};
use lake::model::{Instant, arrow_layout::version_schema};
use serde_json::Value;

use super::{
    formula::{Budget, Formulas, check_expanded},
    read_by,
};
use crate::{
    catalog::{self, DATASETS, Datasets},
    coordinates::{Coordinates, SystemTime, ValidTime},
    engine::QueryRequest,
    error::{Error, ErrorKind, Position, Result},
    parameters::{Parameter, Parameters},
    planner::{Planner, answer, qualified},
    request_filters::Filtered,
    statement::Relation,
    text::{self, Text},
    write,
};

/// The dataset in which semantic definitions are stored: columns `name` (the dataset a definition is of), `change` and
/// `definition` (JSON with `measures`, each with `name` and `formula`), among others.
pub const DATASET: &str = "tidemark_semantics";

/// What is wrong with the formula of a measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormulaMistake {
    /// Which of the measures, from 0.
    pub measure: usize,
    /// Where in the formula, if that is known.
    pub position: Option<Position>,
    /// What is wrong, in one line.
    pub message: String,
}

/// The measures of a dataset as they were known at a system time.
#[derive(Debug)]
pub(crate) struct Known {
    pub(super) dataset: String,
    pub(super) at: Instant,
    pub(super) formulas: Formulas,
    /// The columns that the dataset has.
    pub(super) columns: Vec<String>,
}

/// By dataset and the system time at which it is read.
pub(crate) type Stored = BTreeMap<(String, Instant), Known>;

impl Planner {
    /// The measures of all datasets that a statement with these relations reads.
    pub(crate) async fn stored_measures(&self, datasets: &Datasets, relations: &[Relation]) -> Result<Stored> {
        let mut stored = Stored::new();
        for (dataset, at) in read(datasets, relations) {
            // What cannot be read, planning tells; a name of WITH may be that of a dataset that cannot.
            let Ok(Some(table)) = datasets.find(&dataset) else { continue };
            let schema = version_schema(&table.dataset().definition);
            let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
            let formulas = self.formulas(datasets, &dataset, at).await?;
            stored.insert((dataset.clone(), at), Known { dataset, at, formulas, columns });
        }
        Ok(stored)
    }

    async fn formulas(&self, datasets: &Datasets, dataset: &str, at: Instant) -> Result<Formulas> {
        if datasets.find(DATASET)?.is_none() {
            return Ok(Formulas::default());
        }
        let sql = format!("SELECT definition FROM {DATASET} WHERE name = $name AND change <> 'deleted'");
        let name = ("name".to_owned(), Parameter::Text(dataset.to_owned()));
        let Text { statement, .. } = text::read(&sql, &Parameters([name].into()))?;
        let defaults = Coordinates { valid: ValidTime::All, system: SystemTime::AsOf(at) };
        let definitions = Datasets {
            snapshot: Arc::clone(&datasets.snapshot),
            defaults,
            bound: HashMap::new(),
            filtered: Filtered::default(),
            explain: false,
        };
        let mut state = self.state();
        state.register_catalog_list(self.catalogs(definitions));
        let stream = answer(&state, statement).await.map_err(Error::from)?;
        let batches = write::collect(stream.map_err(Error::from).boxed()).await?;
        let texts = batches.iter().filter_map(|batch| batch.column(0).as_string_opt::<i32>());
        let first = texts.flat_map(|texts| texts.iter().flatten()).next();
        Ok(first.map(formulas_of).unwrap_or_default())
    }

    /// All that is wrong with the formulas of a dataset's measures, each a name and a formula. Each that can be read is
    /// planned as well, where the dataset can be: then the types of its columns are known to fit.
    pub(crate) async fn check_measures(
        &self,
        dataset: &str,
        measures: &[(String, String)],
    ) -> Result<Vec<FormulaMistake>> {
        let Some(found) = self.lake.dataset(dataset) else {
            return Err(Error::new(ErrorKind::UnknownTable, format!("there is no dataset '{dataset}'")));
        };
        let schema = version_schema(&found.definition);
        let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let snapshot = self.snapshot(None).await?;
        let is_readable = matches!(catalog::find(&snapshot, dataset), Ok(Some(_)));
        let formulas = Formulas::of(measures.iter().cloned());
        let mut mistakes = Vec::new();
        for (measure, (name, _)) in measures.iter().enumerate() {
            let expanded = self.checked(&formulas, name, &columns);
            let outcome = match expanded {
                Ok(formula) if is_readable => {
                    self.plan_formula(dataset, formula).await.map_err(|error| error.without_place())
                }
                outcome => outcome.map(|_| ()),
            };
            if let Err(error) = outcome {
                // What the lake fails at is no mistake of the formula.
                if error.retryable() {
                    return Err(error);
                }
                let message = error.message().to_owned();
                mistakes.push(FormulaMistake { measure, position: error.position(), message });
            }
        }
        Ok(mistakes)
    }

    fn checked(&self, formulas: &Formulas, name: &str, columns: &[String]) -> Result<Expr> {
        let formula = formulas.expanded(name, &mut Budget::default())?;
        check_expanded(&formula, columns, |function| self.is_aggregate(function))?;
        Ok(formula)
    }

    async fn plan_formula(&self, dataset: &str, formula: Expr) -> Result<()> {
        let sql = format!("SELECT 0 FROM {}", Ident::with_quote('"', dataset));
        let mut text = text::read(&sql, &Parameters::default())?;
        if let Statement::Query(query) = &mut text.statement
            && let SetExpr::Select(select) = &mut *query.body
        {
            select.projection = vec![SelectItem::UnnamedExpr(formula)];
        }
        self.plan_text(text, &QueryRequest::default(), self.state()).await.map(|_| ())
    }
}

/// Each dataset that is read, with what is known of it at the latest.
fn read(datasets: &Datasets, relations: &[Relation]) -> BTreeSet<(String, Instant)> {
    let bound = datasets.bound.values().filter_map(read_by);
    let plain = relations.iter().filter_map(|relation| match qualified(&relation.name) {
        (Some(DATASETS), name) if !datasets.bound.contains_key(name) => Some((name, datasets.defaults.known())),
        _ => None,
    });
    bound.chain(plain).map(|(name, at)| (name.to_owned(), at)).collect()
}

/// The formulas of a stored definition. What another release has stored and this one cannot read has none.
fn formulas_of(definition: &str) -> Formulas {
    let definition: Value = serde_json::from_str(definition).unwrap_or_default();
    let measures = definition.get("measures").and_then(Value::as_array).into_iter().flatten();
    let text = |measure: &Value, name: &str| Some(measure.get(name)?.as_str()?.to_owned());
    Formulas::of(measures.filter_map(|measure| Some((text(measure, "name")?, text(measure, "formula")?))))
}
