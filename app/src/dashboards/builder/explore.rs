//! Questions that show a dataset to somebody who does not know it, and the one that is refined by choices.

use super::{
    Aggregate, Distribution, Extent, Facts, Field, Fields, FilterDefinition, Grain, Measure, Over, TileQuery, TimeAxis,
    Top, ValueTest, ValueType, compile::adds_up, first_question,
};
use crate::dashboards::{Filter, Filters};

/// Values of a column that are shown alone.
const COMMON_MOST: u32 = 8;
/// Columns that are shown.
pub const COLUMNS_MOST: usize = 24;

/// What was chosen of the question that is refined, by the parameters of an address. What is not said is as a dataset begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refinement {
    /// The field that is measured, `facts` for counting, or a defined measure behind [`DEFINED`]; parameter `measure`.
    pub measure: Option<String>,
    /// How; parameter `as`.
    pub aggregate: Option<Aggregate>,
    /// The category, empty for none; parameter `by`.
    pub by: Option<String>,
    /// The time, `None` inside for no time; parameter `along`.
    pub along: Option<Option<TimeAxis>>,
    /// The steps; parameter `steps`.
    pub steps: Option<Grain>,
}

/// What stands for counting facts.
pub const FACTS: &str = "facts";
/// What stands before the name of a measure of the semantic definition.
pub const DEFINED: &str = "measure:";
/// What stands for no time and no category.
pub const NONE: &str = "none";

impl Refinement {
    /// Reads an address. What cannot be read is as if it were not said.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Refinement {
        let aggregate = get("as").and_then(|word| Aggregate::ALL.into_iter().find(|it| it.words().0 == word));
        let along = get("along").and_then(|word| match &word[..] {
            NONE => Some(None),
            word => TimeAxis::ALL.into_iter().find(|axis| axis.1 == word).map(|axis| Some(axis.0)),
        });
        let steps = get("steps").and_then(|word| Grain::ALL.into_iter().find(|grain| grain.word() == word));
        let by = get("by").map(|by| if by == NONE { String::new() } else { by });
        Refinement { measure: get("measure"), aggregate, by, along, steps }
    }

    /// The name of the defined measure that is asked for, if it is one.
    pub fn defined(&self) -> Option<&str> {
        self.measure.as_deref().and_then(|measure| measure.strip_prefix(DEFINED))
    }

    /// The question that it makes of a dataset.
    pub fn question(&self, dataset: &str, fields: &Fields, extent: &Extent, filters: &Filters) -> TileQuery {
        let first = first_question(dataset, fields, Some(extent));
        let measure = match (self.defined(), self.measure.as_deref()) {
            (Some(name), _) => {
                Measure::defined(name, fields.measure(name).map_or("", |measure| measure.title.as_str()))
            }
            (None, None) => first.measures.first().cloned().unwrap_or_else(Measure::count),
            (None, Some(FACTS)) => Measure::count(),
            (None, Some(field)) => {
                let is_number = fields.get(field).is_some_and(|field| field.value.is_number());
                Measure::of(field, Aggregate::first_of(is_number))
            }
        };
        let measure = match (self.aggregate, &measure.field) {
            (Some(aggregate), Some(_)) => Measure { aggregate: Some(aggregate), ..measure },
            _ => measure,
        };
        let grain = self.steps.or_else(|| extent.grain()).unwrap_or(Grain::Day);
        let over = match self.along {
            None => first.over.map(|over| Over { grain, ..over }),
            Some(axis) => axis.map(|time| Over { time, grain }),
        };
        let by: Vec<String> = self.by.iter().filter(|by| !by.is_empty()).cloned().collect();
        let others = adds_up(&measure, fields);
        TileQuery {
            top: (!by.is_empty()).then_some(Top { n: COMMON_MOST, others }),
            measures: vec![measure],
            over,
            by,
            facts: Facts::Beginning,
            filters: conditions(fields, filters),
            ..first
        }
    }
}

/// What an address narrows a dataset down to, as conditions of a question; of fields that it has.
pub fn conditions(fields: &Fields, filters: &Filters) -> Vec<FilterDefinition> {
    let of = |filter: &Filter| {
        let one = |is: ValueTest| FilterDefinition { field: filter.column.clone(), is };
        match &filter.values[..] {
            [] => {
                let from = filter.from.clone().map(ValueTest::AtLeast);
                let to = filter.to.clone().map(ValueTest::LessThan);
                from.into_iter().chain(to).map(one).collect::<Vec<_>>()
            }
            values => vec![one(ValueTest::OneOf(values.to_vec()))],
        }
    };
    filters.0.iter().filter(|filter| fields.get(&filter.column).is_some()).flat_map(of).collect()
}

/// A column, and the question that shows its values.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnQuestion {
    /// The column.
    pub field: Field,
    /// How its values are distributed: by stretches, or those that are there most often.
    pub query: TileQuery,
}

/// The questions that show the columns of a dataset, the first ones of it.
pub fn column_questions(dataset: &str, fields: &Fields, filters: &Filters) -> Vec<ColumnQuestion> {
    let begin = |query: TileQuery| TileQuery {
        dataset: dataset.to_owned(),
        facts: Facts::Beginning,
        filters: conditions(fields, filters),
        ..query
    };
    let one = |field: &Field| {
        let query = match field.value {
            ValueType::Text | ValueType::Truth => TileQuery {
                measures: vec![Measure::count()],
                by: vec![field.name.clone()],
                top: Some(Top { n: COMMON_MOST, others: true }),
                ..TileQuery::default()
            },
            _ => {
                let distribution = Distribution { field: field.name.clone(), stretches: 40 };
                TileQuery { distribution: Some(distribution), ..TileQuery::default() }
            }
        };
        ColumnQuestion { field: field.clone(), query: begin(query) }
    };
    fields.own().take(COLUMNS_MOST).map(one).collect()
}

/// How much became known day by day.
pub fn revisions(dataset: &str, fields: &Fields, filters: &Filters) -> TileQuery {
    TileQuery {
        dataset: dataset.to_owned(),
        measures: vec![Measure::count()],
        over: Some(Over { time: TimeAxis::Known, grain: Grain::Day }),
        filters: conditions(fields, filters),
        ..TileQuery::default()
    }
}

/// The facts themselves.
pub fn facts(dataset: &str, fields: &Fields, filters: &Filters) -> TileQuery {
    TileQuery {
        dataset: dataset.to_owned(),
        facts: Facts::Beginning,
        filters: conditions(fields, filters),
        ..TileQuery::default()
    }
}

#[cfg(test)]
mod tests {
    use model::DatasetDefinition;

    use super::*;
    use crate::dashboards::builder::compile;

    fn fields() -> Fields {
        let definition: DatasetDefinition = serde_json::from_str(
            r#"{"columns": [{"name": "country", "type": "string"}, {"name": "value", "type": "float64"},
                {"name": "revised", "type": "bool"}, {"name": "from", "type": "date"}],
                "key": ["country"], "valid_from": "from", "mode": "until_changed"}"#,
        )
        .unwrap();
        Fields::of(&definition)
    }

    const EXTENT: Extent = Extent { facts: 10, first: Some(0), last: Some(20_000) };

    #[test]
    fn every_question_of_a_dataset_can_be_asked() {
        let filters = Filters::parse(Some("country:DEU,~;value:1~20;gone:1"));
        let fields = fields();
        let mut all: Vec<TileQuery> =
            column_questions("gdp", &fields, &filters).into_iter().map(|it| it.query).collect();
        all.extend([revisions("gdp", &fields, &filters), facts("gdp", &fields, &filters)]);
        all.push(Refinement::default().question("gdp", &fields, &EXTENT, &filters));
        for query in &all {
            assert_eq!(query.filters.len(), 3);
            compile(query, &fields).unwrap_or_else(|problems| panic!("{query:?}: {problems:?}"));
        }
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn an_address_refines_the_question() {
        let read = |pairs: &[(&str, &str)]| {
            let get = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
            Refinement::read(get).question("gdp", &fields(), &EXTENT, &Filters::default())
        };
        assert_eq!(read(&[]).measures, [Measure::of("value", Aggregate::Avg)]);
        assert_eq!(read(&[]).over.unwrap().grain, Grain::Year);
        let refined = read(&[("measure", "value"), ("as", "max"), ("by", "country"), ("along", "none")]);
        assert_eq!((refined.measures, refined.over), (vec![Measure::of("value", Aggregate::Max)], None));
        assert_eq!(refined.top, Some(Top { n: 8, others: false }));
        let counted =
            read(&[("measure", "facts"), ("as", "avg"), ("along", "known"), ("steps", "month"), ("by", "none")]);
        assert_eq!(counted.measures, [Measure::count()]);
        assert_eq!(counted.over, Some(Over { time: TimeAxis::Known, grain: Grain::Month }));
        assert_eq!(read(&[("measure", "country")]).measures, [Measure::of("country", Aggregate::CountDistinct)]);
        assert_eq!(read(&[("measure", "measure:level"), ("as", "avg")]).measures, [Measure::defined("level", "")]);
    }
}
