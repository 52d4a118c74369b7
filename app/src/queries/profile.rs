//! What a dataset holds, asked without knowing it: how far it reaches, and how the values of each column are distributed.

use crate::{
    arrow::Table,
    dashboards::builder::{Extent, Field},
    format::time,
    queries::diff::quoted,
};

/// How far a dataset reaches: one row with `facts`, `keys`, `first` and `last`.
pub fn extent(dataset: &str, key: &[String]) -> String {
    let key: Vec<String> = key.iter().map(|name| quoted(name)).collect();
    let (key, dataset) = (key.join(", "), quoted(dataset));
    format!(
        "SELECT count(*) AS facts, (SELECT count(*) FROM (SELECT DISTINCT {key} FROM {dataset})) AS keys, \
         min(valid_from) AS first, max(valid_from) AS last FROM {dataset}"
    )
}

/// The extent in an answer to [`extent`].
pub fn extent_of(table: &Table) -> Result<Extent, String> {
    let [facts, first, last] = table.columns(["facts", "first", "last"])?;
    let day = |column: &crate::arrow::Column| column.instant_micros(0).map(time::day_of);
    Ok(Extent { facts: facts.count(0).unwrap_or_default(), first: day(first), last: day(last) })
}

/// What there is in the columns of a dataset: one row with `facts`, and for each column by its place `n0` values that are not
/// null and `d0` different ones.
pub fn columns(dataset: &str, fields: &[&Field]) -> String {
    let one = |(place, field): (usize, &&Field)| {
        let name = quoted(&field.name);
        format!("count({name}) AS n{place}, count(DISTINCT {name}) AS d{place}")
    };
    let all: Vec<String> = fields.iter().enumerate().map(one).collect();
    format!("SELECT count(*) AS facts, {} FROM {}", all.join(", "), quoted(dataset))
}

/// How many values each column lacks and how many different ones it has, in an answer to [`columns`].
pub fn columns_of(table: &Table) -> Result<Vec<(u64, u64)>, String> {
    let count = |name: &str| Ok::<u64, String>(table.column(name)?.count(0).unwrap_or_default());
    let facts = count("facts")?;
    let places = table.names().len() / 2;
    (0..places)
        .map(|place| Ok((facts.saturating_sub(count(&format!("n{place}"))?), count(&format!("d{place}"))?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;

    use super::*;
    use crate::{arrow::tests::table, dashboards::builder::ValueType};

    #[test]
    fn every_column_is_asked_for_once() {
        let field = |name: &str, value| Field { name: name.to_owned(), value, key: false };
        let (name, value) = (field("na\"me", ValueType::Text), field("value", ValueType::Float));
        assert_eq!(
            columns("gdp", &[&name, &value]),
            "SELECT count(*) AS facts, count(\"na\"\"me\") AS n0, count(DISTINCT \"na\"\"me\") AS d0, count(\"value\") AS n1, \
             count(DISTINCT \"value\") AS d1 FROM \"gdp\""
        );
        assert!(extent("gdp", &["a".to_owned(), "b".to_owned()]).contains("SELECT DISTINCT \"a\", \"b\" FROM"));
    }

    #[test]
    fn what_is_missing_is_what_is_not_there() {
        let one = |count: i64| Arc::new(Int64Array::from(vec![count]));
        let answer = table(vec![("facts", one(10)), ("n0", one(10)), ("d0", one(3)), ("n1", one(7)), ("d1", one(7))]);
        assert_eq!(columns_of(&answer).unwrap(), [(0, 3), (3, 7)]);
    }
}
