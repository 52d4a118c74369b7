//! What a question can name: the columns of a dataset and the four times, with their types, what its semantic definition has, and
//! the variables of its dashboard.

use std::sync::Arc;

use model::{ColumnType, DatasetDefinition, TIME_COLUMNS};

use crate::dashboards::{
    Variable, VariableKind,
    semantics::{DefinedMeasure, Dimension, Hierarchy, Semantics},
};

/// What a value is, as far as it decides what can be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A text.
    Text,
    /// True or false.
    Truth,
    /// An integer.
    Whole,
    /// A number with exact decimals.
    Decimal,
    /// A floating number.
    Float,
    /// A calendar day.
    Day,
    /// A moment.
    Instant,
}

impl ValueType {
    /// Whether it can be reckoned with.
    pub fn is_number(self) -> bool {
        matches!(self, ValueType::Whole | ValueType::Decimal | ValueType::Float)
    }

    /// Whether it lies in time.
    pub fn is_time(self) -> bool {
        matches!(self, ValueType::Day | ValueType::Instant)
    }

    /// For people, with its article.
    pub fn word(self) -> &'static str {
        match self {
            ValueType::Text => "a text",
            ValueType::Truth => "true or false",
            ValueType::Whole | ValueType::Decimal | ValueType::Float => "a number",
            ValueType::Day => "a day",
            ValueType::Instant => "a moment",
        }
    }
}

impl From<ColumnType> for ValueType {
    fn from(column: ColumnType) -> ValueType {
        match column {
            ColumnType::String => ValueType::Text,
            ColumnType::Bool => ValueType::Truth,
            ColumnType::Int32 | ColumnType::Int64 => ValueType::Whole,
            ColumnType::Float64 => ValueType::Float,
            ColumnType::Decimal { .. } => ValueType::Decimal,
            ColumnType::Date => ValueType::Day,
            ColumnType::Timestamp => ValueType::Instant,
        }
    }
}

/// A field of a dataset as SQL shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub value: ValueType,
    /// Whether it is part of the key.
    pub key: bool,
}

/// The fields of a dataset: its key, its values, the four times. And what they mean, where that is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    all: Vec<Field>,
    /// `None` where nobody has looked.
    semantics: Option<Arc<Semantics>>,
    /// `None` where there is no dashboard.
    variables: Option<Vec<Choosable>>,
}

/// A variable, as far as questions have to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choosable {
    pub(super) name: String,
    /// What is bound.
    pub(super) bound: ChosenAs,
    pub(super) multiple: bool,
}

/// What is bound for a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChosenAs {
    Number,
    Moment,
    /// Texts of a list, which can be those of any type.
    Listed,
    /// Any text, at first an empty one.
    Words,
}

impl Fields {
    /// Those of a dataset.
    pub fn of(definition: &DatasetDefinition) -> Fields {
        let field = |column: &model::ColumnDefinition, key: bool| Field {
            name: column.name.clone(),
            value: column.column_type.into(),
            key,
        };
        let keys = definition.key_columns().map(|column| field(column, true));
        let values = definition.value_columns().map(|column| field(column, false));
        let time = |name: &&str| Field { name: (*name).to_owned(), value: ValueType::Instant, key: false };
        Fields { all: keys.chain(values).chain(TIME_COLUMNS.iter().map(time)).collect(), ..Fields::default() }
    }

    /// The same with what the dataset's semantic definition says.
    #[must_use]
    pub fn meaning(self, semantics: Arc<Semantics>) -> Fields {
        Fields { semantics: Some(semantics), ..self }
    }

    /// The same with the variables of a dashboard.
    #[must_use]
    pub fn chosen_by(self, variables: &[Variable]) -> Fields {
        let one = |variable: &Variable| Choosable {
            name: variable.name.clone(),
            bound: match variable.kind {
                VariableKind::Number { .. } => ChosenAs::Number,
                VariableKind::Time => ChosenAs::Moment,
                VariableKind::Choice { .. } | VariableKind::Query { .. } => ChosenAs::Listed,
                VariableKind::Text => ChosenAs::Words,
            },
            multiple: variable.multiple,
        };
        Fields { variables: Some(variables.iter().map(one).collect()), ..self }
    }

    /// The measures, as far as they are known.
    pub fn measures(&self) -> &[DefinedMeasure] {
        self.semantics.as_ref().map(|semantics| &semantics.measures[..]).unwrap_or_default()
    }

    /// The ways down, as far as they are known.
    pub fn hierarchies(&self) -> &[Hierarchy] {
        self.semantics.as_ref().map(|semantics| &semantics.hierarchies[..]).unwrap_or_default()
    }

    /// What is said of a column; none where nothing is known of it.
    pub fn dimension(&self, name: &str) -> Option<&Dimension> {
        self.semantics.as_ref()?.dimensions.iter().find(|dimension| dimension.name == name)
    }

    /// What people call a field: its title, or its name.
    pub fn called<'a>(&'a self, name: &'a str) -> &'a str {
        self.dimension(name).map_or(name, Dimension::called)
    }

    /// The names of the variables, as far as they are known.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().flatten().map(|variable| variable.name.as_str())
    }

    /// The variable of that name; an error where there is none, and none inside where it is not known which there are.
    pub(super) fn variable(&self, name: &str) -> Result<Option<&Choosable>, ()> {
        match &self.variables {
            None => Ok(None),
            Some(all) => all.iter().find(|variable| variable.name == name).map(Some).ok_or(()),
        }
    }

    /// The measure of that name.
    pub fn measure(&self, name: &str) -> Option<&DefinedMeasure> {
        self.measures().iter().find(|measure| measure.name == name)
    }

    /// Whether it is known what is defined beside the columns.
    pub fn knows_meaning(&self) -> bool {
        self.semantics.is_some()
    }

    /// All of them.
    pub fn all(&self) -> &[Field] {
        &self.all
    }

    /// The field of that name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.all.iter().find(|field| field.name == name)
    }

    /// The names of the key, in its order.
    pub fn key(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter(|field| field.key).map(|field| field.name.as_str())
    }

    /// All but the four times.
    pub fn own(&self) -> impl Iterator<Item = &Field> {
        self.all.iter().filter(|field| !TIME_COLUMNS.contains(&field.name.as_str()))
    }
}
