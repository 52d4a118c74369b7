//! Filters of a request: conditions on the columns of whatever datasets a statement reads, typed to each of them.
//!
//! They act on what a dataset shows, as a WHERE does, and on each side of a diff. Nothing here decides which of them may
//! go below resolution: that is `filters`' for these as for any other condition. No value becomes a part of a text.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datafusion::{
    common::Column,
    logical_expr::{Expr, expr::InList},
    prelude::lit,
    scalar::ScalarValue,
};
use lake::model::{ColumnType, DatasetDefinition, Instant, TIME_COLUMNS, decimal};

use crate::{
    error::{Error, ErrorKind, Result},
    parameters::Parameter,
};

/// Filters that one request may give.
const MOST_FILTERS: usize = 64;
/// Values that one filter may list.
const MOST_VALUES: usize = 10_000;
/// Values that all filters together may bring into a plan, each counted wherever a table is read that it applies to.
const MOST_VALUES_PLANNED: usize = 1_000_000;

/// A condition on every dataset with a column of some name that a statement reads, in whatever way it names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The only dataset that is meant; `None` for each that has the column.
    pub dataset: Option<String>,
    /// A key column, a value or one of the four times.
    pub column: String,
    /// What passes.
    pub passing: Passing,
}

/// The values that pass a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Passing {
    /// Those in a list; a null passes where null is in it. Nothing passes an empty one.
    In(Vec<Parameter>),
    /// Those from `from` on and less than `to`, either of which may be missing. A null does not pass.
    Range {
        /// The first that passes.
        from: Option<Parameter>,
        /// The first that does not.
        to: Option<Parameter>,
    },
}

/// A filter, typed to one dataset's column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    column: String,
    expression: Expr,
    null_passes: bool,
}

/// What the filters of a request are for one statement.
#[derive(Debug, Default)]
pub(crate) struct Filtered {
    /// What the rows of a dataset have to meet, by its name.
    pub(crate) conditions: HashMap<String, Vec<Condition>>,
    /// The filters that apply to a dataset which is read, as indices; `None` where the request gave none.
    pub(crate) applied: Option<Vec<usize>>,
}

/// Types filters to the datasets that a statement reads, each given with how many of its tables are that dataset.
pub(crate) fn bind(filters: &[Filter], read: &BTreeMap<String, (DatasetDefinition, usize)>) -> Result<Filtered> {
    check_sizes(filters)?;
    let (mut conditions, mut applied) = (HashMap::<String, Vec<Condition>>::new(), BTreeSet::new());
    let mut planned: usize = 0;
    for (index, filter) in filters.iter().enumerate() {
        for (name, (definition, tables)) in read {
            let meant = filter.dataset.as_ref().is_none_or(|dataset| dataset == name);
            let Some(column_type) = type_of(definition, &filter.column).filter(|_| meant) else { continue };
            let condition = condition(filter, definition, column_type).map_err(|value| {
                let Filter { column, .. } = filter;
                let message = format!(
                    "filter {index}: {value} does not fit column '{column}' of '{name}', which is {column_type}"
                );
                Error::new(ErrorKind::InvalidFilter, message)
            })?;
            conditions.entry(name.clone()).or_default().push(condition);
            applied.insert(index);
            planned += tables * values_of(filter);
        }
    }
    if planned > MOST_VALUES_PLANNED {
        let message = format!(
            "the filters' values, counted for each table they apply to, are {planned}; at most {MOST_VALUES_PLANNED} can be taken"
        );
        return Err(Error::new(ErrorKind::InvalidFilter, message));
    }
    Ok(Filtered { conditions, applied: Some(applied.into_iter().collect()) })
}

fn check_sizes(filters: &[Filter]) -> Result<()> {
    let message = match filters.iter().position(|filter| values_of(filter) > MOST_VALUES) {
        _ if filters.len() > MOST_FILTERS => {
            format!("there are {} filters; send at most {MOST_FILTERS}", filters.len())
        }
        Some(index) => {
            let Filter { column, .. } = &filters[index];
            format!("filter {index} lists more than {MOST_VALUES} values of column '{column}'; send fewer, or a range")
        }
        None => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidFilter, message))
}

fn values_of(filter: &Filter) -> usize {
    match &filter.passing {
        Passing::In(values) => values.len(),
        Passing::Range { .. } => 2,
    }
}

/// The type of a column that SQL shows of a dataset; `None` where it has none of that name.
fn type_of(definition: &DatasetDefinition, column: &str) -> Option<ColumnType> {
    let found = definition.key_columns().chain(definition.value_columns()).find(|known| known.name == column);
    let time = TIME_COLUMNS.contains(&column).then_some(ColumnType::Timestamp);
    found.map(|known| known.column_type).or(time)
}

/// A filter as a condition; a value that does not fit the type, in words, where there is one.
fn condition(filter: &Filter, definition: &DatasetDefinition, column_type: ColumnType) -> Result<Condition, String> {
    let column = || Expr::Column(Column::new_unqualified(&filter.column));
    let typed = |value: &Parameter| scalar(value, column_type).ok_or_else(|| told(value));
    let (expression, null_passes) = match &filter.passing {
        Passing::In(values) => {
            let some = values.iter().filter(|value| **value != Parameter::Null);
            let list = some.map(|value| typed(value).map(lit)).collect::<Result<Vec<Expr>, String>>()?;
            // A key is never null; a condition that does not ask for it can go below resolution.
            let null = values.contains(&Parameter::Null) && !definition.key.contains(&filter.column);
            (one_of(column(), list, null), null)
        }
        Passing::Range { from, to } => {
            let from = from.as_ref().map(typed).transpose()?.map(|from| column().gt_eq(lit(from)));
            let to = to.as_ref().map(typed).transpose()?.map(|to| column().lt(lit(to)));
            let both = from.into_iter().chain(to).reduce(Expr::and);
            (both.unwrap_or_else(|| column().is_not_null()), false)
        }
    };
    Ok(Condition { column: filter.column.clone(), expression, null_passes })
}

fn one_of(column: Expr, list: Vec<Expr>, null: bool) -> Expr {
    let listed =
        (!list.is_empty()).then(|| Expr::InList(InList { expr: Box::new(column.clone()), list, negated: false }));
    let null = null.then(|| column.is_null());
    listed.into_iter().chain(null).reduce(Expr::or).unwrap_or_else(|| lit(false))
}

/// A value as one of a column's type, with every digit; `None` where it is none.
fn scalar(value: &Parameter, column_type: ColumnType) -> Option<ScalarValue> {
    let text = if let Parameter::Text(text) = value { Some(text.as_str()) } else { None };
    let digits = if let Parameter::Number(digits) = value { Some(digits.as_str()) } else { text };
    let whole = || decimal(digits?, 19, 0).ok();
    Some(match column_type {
        ColumnType::String => ScalarValue::Utf8(Some(text?.to_owned())),
        ColumnType::Bool => match value {
            Parameter::Boolean(value) => ScalarValue::Boolean(Some(*value)),
            // As a page has it of a table's cell.
            _ => ScalarValue::Boolean(Some(text?.parse().ok()?)),
        },
        ColumnType::Int32 => ScalarValue::Int32(Some(whole()?.try_into().ok()?)),
        ColumnType::Int64 => ScalarValue::Int64(Some(whole()?.try_into().ok()?)),
        // Zero is stored with one sign.
        ColumnType::Float64 => {
            let value = digits?.parse().ok().filter(|value: &f64| value.is_finite())?;
            ScalarValue::Float64(Some(if value == 0.0 { 0.0 } else { value }))
        }
        ColumnType::Decimal { precision, scale } => {
            let value = decimal(digits?, precision, scale).ok()?;
            ScalarValue::Decimal128(Some(value), precision, scale.cast_signed())
        }
        ColumnType::Date => ScalarValue::Date32(Some(Instant::parse_date_days(text?).ok()?)),
        ColumnType::Timestamp => {
            let Instant(micros) = Instant::parse(text?).ok()?;
            ScalarValue::TimestampMicrosecond(Some(micros), Some("+00:00".into()))
        }
    })
}

/// A value for messages, shortened.
fn told(value: &Parameter) -> String {
    let text = match value {
        Parameter::Null => "null".to_owned(),
        Parameter::Boolean(value) => value.to_string(),
        Parameter::Number(digits) => digits.clone(),
        Parameter::Text(text) => format!("'{text}'"),
        Parameter::List(_) => "a list".to_owned(),
    };
    if text.chars().count() <= 60 { text } else { text.chars().take(60).chain(['…']).collect() }
}

/// All of them; `None` for no condition.
pub(crate) fn all(conditions: &[Condition]) -> Option<Expr> {
    conditions.iter().map(|condition| condition.expression.clone()).reduce(Expr::and)
}

/// What the rows of a diff have to meet: the conditions on what both of its sides have in common.
pub(crate) fn of_differences(conditions: &[Condition], definition: &DatasetDefinition) -> Vec<Condition> {
    let common = |condition: &&Condition| !is_of_a_side(condition, definition);
    conditions.iter().filter(common).cloned().collect()
}

/// What a version has to meet to be seen on a side of a diff: the conditions on values and system time. As of a side
/// nothing is known to end.
pub(crate) fn of_sides(conditions: &[Condition], definition: &DatasetDefinition) -> Vec<Condition> {
    let of_side = |condition: &&Condition| is_of_a_side(condition, definition);
    let as_of = |condition: &Condition| match condition.column == TIME_COLUMNS[3] {
        true => Condition { expression: lit(condition.null_passes), ..condition.clone() },
        false => condition.clone(),
    };
    conditions.iter().filter(of_side).map(as_of).collect()
}

fn is_of_a_side(condition: &Condition, definition: &DatasetDefinition) -> bool {
    !definition.key.contains(&condition.column) && !TIME_COLUMNS[..2].contains(&condition.column.as_str())
}

#[cfg(test)]
mod tests {
    use lake::model::arrow_layout::data_type;

    use super::*;

    const DEFINITION: &str = r#"{"columns":[{"name":"k","type":"string"},{"name":"n","type":"int64"},
        {"name":"d","type":"decimal(10,2)"},{"name":"from","type":"date"}],"key":["k"],"valid_from":"from",
        "mode":"until_changed"}"#;

    fn text(text: &str) -> Parameter {
        Parameter::Text(text.to_owned())
    }

    fn number(digits: &str) -> Parameter {
        Parameter::Number(digits.to_owned())
    }

    fn filter(column: &str, passing: Passing) -> Filter {
        Filter { dataset: None, column: column.to_owned(), passing }
    }

    fn read(tables: usize) -> BTreeMap<String, (DatasetDefinition, usize)> {
        BTreeMap::from([("t".to_owned(), (serde_json::from_str(DEFINITION).unwrap(), tables))])
    }

    #[test]
    fn values_are_of_the_columns_type_with_every_digit_or_are_refused() {
        let money = ColumnType::Decimal { precision: 10, scale: 2 };
        for (column_type, fits, misfits) in [
            (ColumnType::String, vec![text("")], vec![number("1"), Parameter::Boolean(true)]),
            (ColumnType::Bool, vec![Parameter::Boolean(false), text("true")], vec![text("yes"), number("1")]),
            (ColumnType::Int32, vec![number("-2147483648"), number("1e3")], vec![number("2147483648"), number("1.5")]),
            (ColumnType::Int64, vec![number("9223372036854775807"), text("7")], vec![number("9223372036854775808")]),
            (ColumnType::Float64, vec![number("1e-300"), text("0.1")], vec![number("1e999"), text("NaN"), text("")]),
            (money, vec![number("12.5"), text("99999999.99")], vec![number("0.001"), number("100000000"), text("x")]),
            (ColumnType::Date, vec![text("2026-03-31")], vec![text("2026-02-30"), text("soon"), number("1")]),
            (ColumnType::Timestamp, vec![text("2026-03-31"), text("2026-03-31T18:00:00+02:00")], vec![text("18:00")]),
        ] {
            for value in fits {
                let typed = scalar(&value, column_type).map(|typed| typed.data_type());
                assert_eq!(typed, Some(data_type(column_type)), "{value:?}");
            }
            for value in misfits.into_iter().chain([Parameter::Null, Parameter::List(Vec::new())]) {
                assert_eq!(scalar(&value, column_type), None, "{value:?} as {column_type}");
            }
        }
        let exact = scalar(&number("12.5"), money);
        assert_eq!(exact, Some(ScalarValue::Decimal128(Some(1_250), 10, 2)));
    }

    #[test]
    fn a_filter_is_the_condition_it_stands_for() {
        let definition = read(1).remove("t").unwrap().0;
        let shown = |column: &str, passing: Passing| {
            let filter = filter(column, passing);
            condition(&filter, &definition, type_of(&definition, column).unwrap()).unwrap().expression.to_string()
        };
        let range = |from, to| Passing::Range { from, to };
        assert_eq!(shown("n", Passing::In(vec![number("1"), Parameter::Null])), "n IN ([Int64(1)]) OR n IS NULL");
        assert_eq!(shown("n", Passing::In(vec![Parameter::Null])), "n IS NULL");
        assert_eq!(shown("n", Passing::In(Vec::new())), "Boolean(false)");
        assert_eq!(shown("k", Passing::In(vec![Parameter::Null, text("a")])), "k IN ([Utf8(\"a\")])");
        assert_eq!(shown("n", range(Some(number("1")), Some(number("2")))), "n >= Int64(1) AND n < Int64(2)");
        assert_eq!(shown("n", range(None, Some(number("2")))), "n < Int64(2)");
    }

    #[test]
    fn only_filters_of_columns_that_are_read_apply() {
        let list = || Passing::In(vec![number("1")]);
        let elsewhere = Filter { dataset: Some("other".to_owned()), ..filter("n", list()) };
        let filters =
            [filter("n", list()), filter("from", list()), elsewhere, filter("system_to", Passing::In(vec![]))];
        let found = bind(&filters, &read(1)).unwrap();
        assert_eq!(found.applied, Some(vec![0, 3]));
        let definition = &read(1)["t"].0;
        let columns = |conditions: Vec<Condition>| conditions.into_iter().map(|c| c.column).collect::<Vec<_>>();
        assert_eq!(columns(of_sides(&found.conditions["t"], definition)), ["n", "system_to"]);
        assert!(of_differences(&found.conditions["t"], definition).is_empty());
    }

    #[test]
    fn what_is_too_much_or_does_not_fit_is_told() {
        let many = |values: usize| filter("n", Passing::In(vec![number("1"); values]));
        let money = filter("d", Passing::In(vec![number("0.001")]));
        for (filters, tables, message) in [
            (vec![many(1), money], 1, "filter 1: 0.001 does not fit column 'd' of 't', which is decimal(10,2)"),
            (vec![many(10_001)], 1, "filter 0 lists more than 10000 values of column 'n'; send fewer, or a range"),
            (vec![many(1); 65], 1, "there are 65 filters; send at most 64"),
            (vec![many(10_000); 2], 51, "the filters' values, counted for each table they apply to, are 1020000"),
        ] {
            let error = bind(&filters, &read(tables)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidFilter);
            assert!(error.message().starts_with(message), "{error}");
        }
        assert!(bind(&vec![many(10_000); 64], &read(1)).is_ok());
    }
}
