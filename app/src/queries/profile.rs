//! What a dataset holds, asked without knowing it: how far it reaches, and how the values of each column are distributed.

use crate::{
    arrow::Table,
    dashboards::builder::{Extent, Field},
    format::time,
    queries::diff::quoted,
};

/// Values of a column that are shown, those that are there most often.
pub const COMMON_MOST: usize = 8;

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

/// What there is in the columns of a dataset: one row with, for each by its place, `n0` values that are not null and `d0`
/// different ones; of numbers and times the least `a0` and the greatest `b0` too.
pub fn columns(dataset: &str, fields: &[&Field]) -> String {
    let one = |(place, field): (usize, &&Field)| {
        let name = quoted(&field.name);
        let ends = match field.value.is_number() || field.value.is_time() {
            true => format!(", min({name}) AS a{place}, max({name}) AS b{place}"),
            false => String::new(),
        };
        format!("count({name}) AS n{place}, count(DISTINCT {name}) AS d{place}{ends}")
    };
    let all: Vec<String> = fields.iter().enumerate().map(one).collect();
    format!("SELECT count(*) AS facts, {} FROM {}", all.join(", "), quoted(dataset))
}

/// The values of a column that are there most often: rows with `value` and `facts`.
pub fn common(dataset: &str, field: &Field) -> String {
    let (name, dataset) = (quoted(&field.name), quoted(dataset));
    format!(
        "SELECT {name} AS value, count(*) AS facts FROM {dataset} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {COMMON_MOST}"
    )
}

/// The values of a column, to be counted in stretches.
pub fn values(dataset: &str, field: &Field) -> String {
    format!("SELECT {} AS value FROM {}", quoted(&field.name), quoted(dataset))
}

/// How much became known day by day: rows with `at` and `facts`.
pub fn revisions(dataset: &str) -> String {
    let dataset = quoted(dataset);
    format!(
        "SELECT date_trunc('day', system_from) AS at, count(*) AS facts FROM {dataset} FOR SYSTEM_TIME ALL GROUP BY 1 ORDER BY 1"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboards::builder::ValueType;

    #[test]
    fn every_column_is_asked_for_once() {
        let field = |name: &str, value| Field { name: name.to_owned(), value, key: false };
        let (name, value) = (field("na\"me", ValueType::Text), field("value", ValueType::Float));
        assert_eq!(
            columns("gdp", &[&name, &value]),
            "SELECT count(*) AS facts, count(\"na\"\"me\") AS n0, count(DISTINCT \"na\"\"me\") AS d0, count(\"value\") AS n1, \
             count(DISTINCT \"value\") AS d1, min(\"value\") AS a1, max(\"value\") AS b1 FROM \"gdp\""
        );
        assert!(extent("gdp", &["a".to_owned(), "b".to_owned()]).contains("SELECT DISTINCT \"a\", \"b\" FROM"));
    }
}
