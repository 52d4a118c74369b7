//! The question as it is written in a definition.

use serde::{Deserialize, Serialize};

use crate::format::time::{Civil, civil};

/// What a tile asks of a dataset, in the member `query` of a tile.
///
/// Without measures the facts come as they are, with the columns that `by` names or all of them. With `distribution` they are
/// counted by stretches of one number.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TileQuery {
    /// The dataset.
    pub dataset: String,
    /// Which of its facts are read where no time is named.
    #[serde(default, skip_serializing_if = "Facts::is_usual")]
    pub facts: Facts,
    /// Fields that are worked out from others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calculated: Vec<Calculated>,
    /// What is measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
    /// Along which time, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
    /// The fields by whose values it is measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// What facts have to meet, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<FilterDefinition>,
    /// How many values of the last of `by` are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<Top>,
    /// What a choice on its picture leads down to, level by level. Of what is measured by something only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Down>,
    /// A number that facts are counted by instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

/// What lies below the values that something is measured by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Down {
    /// The facts that a value stands for, and from each its versions.
    Facts,
    /// The same measured by the next level of this hierarchy of the semantic definition, down to the last, then the facts.
    Hierarchy(String),
}

/// Which facts are read where no time is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Facts {
    /// Those that hold at the end of the effective range.
    #[default]
    HoldingAtEnd,
    /// Those that begin in the effective range.
    Beginning,
}

impl Facts {
    fn is_usual(&self) -> bool {
        *self == Facts::default()
    }
}

/// A field that is worked out from others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Calculated {
    /// Its name.
    pub name: String,
    /// How.
    pub formula: String,
}

/// Something that is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// A measure of the dataset's semantic definition, in the place of field and aggregation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// The field; none where facts are counted. A calculated field that adds up by itself has no aggregation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// How its values are put together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    /// What people call it; made of field and aggregation where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
}

/// How values are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// How many facts, or how many that have a value.
    Count,
    /// How many different values.
    CountDistinct,
    /// All added up.
    Sum,
    /// The mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The one in the middle.
    Median,
    /// That of the fact that is effective first.
    First,
    /// That of the fact that is effective last.
    Last,
}

impl Aggregate {
    /// All of them.
    pub const ALL: [Aggregate; 9] = [
        Aggregate::Count,
        Aggregate::CountDistinct,
        Aggregate::Sum,
        Aggregate::Avg,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::Median,
        Aggregate::First,
        Aggregate::Last,
    ];

    /// As it is written, and what people call it.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Aggregate::Count => ("count", "Count"),
            Aggregate::CountDistinct => ("count-distinct", "Different values"),
            Aggregate::Sum => ("sum", "Sum"),
            Aggregate::Avg => ("avg", "Mean"),
            Aggregate::Min => ("min", "Least"),
            Aggregate::Max => ("max", "Greatest"),
            Aggregate::Median => ("median", "Median"),
            Aggregate::First => ("first", "First"),
            Aggregate::Last => ("last", "Last"),
        }
    }

    /// Whether the results of parts add up to that of the whole.
    pub fn adds_up(self) -> bool {
        matches!(self, Aggregate::Count | Aggregate::Sum)
    }

    /// Whether it takes numbers alone.
    pub fn needs_numbers(self) -> bool {
        matches!(self, Aggregate::Sum | Aggregate::Avg | Aggregate::Median)
    }

    /// The one that a field begins with. Of numbers the mean, because nothing says yet that they may be added up: prices, rates
    /// and currencies may not.
    pub fn first_of(is_number: bool) -> Aggregate {
        if is_number { Aggregate::Avg } else { Aggregate::CountDistinct }
    }
}

/// Along which time it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Over {
    /// Which time.
    pub time: TimeAxis,
    /// In what steps.
    pub grain: Grain,
}

/// What is put on the axis of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TimeAxis {
    /// When facts begin to be effective: each counts in the step in which it begins.
    EffectiveStart,
    /// What holds at the beginning of each step.
    AsOf,
    /// When facts became known, and those that were superseded since too.
    Known,
}

impl TimeAxis {
    /// All of them, as they are written and as people call them.
    pub const ALL: [(TimeAxis, &'static str, &'static str); 3] = [
        (TimeAxis::EffectiveStart, "effective-start", "When facts begin"),
        (TimeAxis::AsOf, "as-of", "What holds at each step"),
        (TimeAxis::Known, "known", "When facts became known"),
    ];
}

/// Steps of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Grain {
    /// Days.
    Day,
    /// Weeks from Monday.
    Week,
    /// Months.
    Month,
    /// Quarters.
    Quarter,
    /// Years.
    Year,
}

impl Grain {
    /// All of them, from short to long.
    pub const ALL: [Grain; 5] = [Grain::Day, Grain::Week, Grain::Month, Grain::Quarter, Grain::Year];

    /// As it is written, which is what SQL calls it.
    pub fn word(self) -> &'static str {
        match self {
            Grain::Day => "day",
            Grain::Week => "week",
            Grain::Month => "month",
            Grain::Quarter => "quarter",
            Grain::Year => "year",
        }
    }

    /// The shortest that cuts so many days into no more steps than can be told apart.
    pub fn for_days(days: i64) -> Grain {
        match days {
            ..=120 => Grain::Day,
            121..=730 => Grain::Week,
            731..=3_650 => Grain::Month,
            3_651..=7_300 => Grain::Quarter,
            _ => Grain::Year,
        }
    }

    /// The step in which a day lies, as a number that rises by one from step to step; weeks start on Mondays.
    pub fn step_of(self, day: i64) -> i64 {
        let Civil { year, month, .. } = civil(day);
        let months = year * 12 + month - 1;
        match self {
            Grain::Day => day,
            // 1970-01-01 was a Thursday.
            Grain::Week => (day + 3).div_euclid(7),
            Grain::Month => months,
            Grain::Quarter => months.div_euclid(3),
            Grain::Year => year,
        }
    }
}

/// What facts have to meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FilterDefinition {
    /// The field.
    pub field: String,
    /// What its values have to be.
    pub is: ValueTest,
}

/// What values have to be. Values are written as texts and read by the type of the field: `12.50`, `2026-03-31`, `true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ValueTest {
    /// One of these; null is no value.
    OneOf(Vec<Option<String>>),
    /// None of these.
    NoneOf(Vec<Option<String>>),
    /// This or more.
    AtLeast(String),
    /// Less than this.
    LessThan(String),
    /// Texts with this in them, capital or not.
    Containing(String),
    /// Whether there is no value.
    Missing(bool),
    /// What is chosen of a variable of the dashboard.
    Variable {
        /// Its name.
        name: String,
        /// What values have to be beside what is chosen.
        how: Comparison,
    },
}

/// What values have to be beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// One of them.
    Is,
    /// This or more.
    AtLeast,
    /// Less than this.
    LessThan,
    /// Texts with this in them, capital or not; all where it is empty.
    Containing,
}

/// How many values are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Top {
    /// So many, those for which the first measure is greatest.
    pub n: u32,
    /// Whether all others are added up as one. Only of what adds up: counts and sums.
    #[serde(default)]
    pub others: bool,
}

/// A number that facts are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// The field.
    pub field: String,
    /// Stretches at most, from 1 to 400.
    #[serde(default = "usual_stretches")]
    pub stretches: u32,
}

fn usual_stretches() -> u32 {
    40
}

impl Measure {
    /// Counts facts.
    pub fn count() -> Measure {
        Measure { measure: None, field: None, aggregate: Some(Aggregate::Count), title: String::new() }
    }

    /// A measure of the semantic definition, under a title; under its name where that is empty.
    pub fn defined(name: &str, title: &str) -> Measure {
        Measure { measure: Some(name.to_owned()), field: None, aggregate: None, title: title.to_owned() }
    }

    /// A field and how its values are put together.
    pub fn of(field: &str, aggregate: Aggregate) -> Measure {
        Measure { measure: None, field: Some(field.to_owned()), aggregate: Some(aggregate), title: String::new() }
    }

    /// What people call it.
    pub fn name(&self) -> String {
        match (&self.title[..], self.measure.as_ref().or(self.field.as_ref()), self.aggregate) {
            ("", None, _) => "Facts".to_owned(),
            ("", Some(field), None) => field.clone(),
            ("", Some(field), Some(aggregate)) => format!("{} of {field}", aggregate.words().1),
            (title, ..) => title.to_owned(),
        }
    }
}
