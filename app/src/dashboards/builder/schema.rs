//! What a question can name: the columns of a dataset and the four times, with their types, and the measures that its semantic
//! definition has.

use model::{ColumnType, DatasetDefinition, TIME_COLUMNS};

use crate::dashboards::semantics::DefinedMeasure;

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

/// The fields of a dataset: its key, its values, the four times. And its measures, where they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    all: Vec<Field>,
    /// `None` where nobody has looked.
    measures: Option<Vec<DefinedMeasure>>,
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
        Fields { all: keys.chain(values).chain(TIME_COLUMNS.iter().map(time)).collect(), measures: None }
    }

    /// The same with all the measures that the dataset's semantic definition has.
    #[must_use]
    pub fn measured_by(self, measures: Vec<DefinedMeasure>) -> Fields {
        Fields { measures: Some(measures), ..self }
    }

    /// The measures, as far as they are known.
    pub fn measures(&self) -> &[DefinedMeasure] {
        self.measures.as_deref().unwrap_or_default()
    }

    /// The measure of that name.
    pub fn measure(&self, name: &str) -> Option<&DefinedMeasure> {
        self.measures().iter().find(|measure| measure.name == name)
    }

    /// Whether it is known which measures there are.
    pub fn knows_measures(&self) -> bool {
        self.measures.is_some()
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
