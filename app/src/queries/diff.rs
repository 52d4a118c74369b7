//! What differs between two coordinates, for any dataset, built from its definition.

use std::{collections::BTreeMap, fmt::Write};

use model::{ColumnDefinition, DatasetDefinition};

use crate::{
    format::time::{self, DAY_MICROS},
    queries::client::ParameterValue,
    state::{
        coordinates::{Days, Known},
        diff::Kind,
    },
};

/// Rows that are shown at most; the counts are of all.
pub const ROW_LIMIT: usize = 5_000;

/// Two readings of a dataset, A and B.
pub struct Comparison<'a> {
    /// The dataset's name.
    pub dataset: &'a str,
    /// Its definition.
    pub definition: &'a DatasetDefinition,
    /// As known at A. `Now` is the moment of the snapshot.
    pub a: Known,
    /// As known at B.
    pub b: Known,
    /// The moment of the snapshot in microseconds.
    pub now: i64,
    /// What is compared of effective time.
    pub effective: Extent,
    /// Only keys with this text in any of their columns; all without.
    pub find: &'a str,
}

/// What is compared of effective time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Whatever holds at some instant of these days, each instant with itself.
    Range(Days),
    /// What holds when a day begins, at A and at B.
    Days(i64, i64),
}

/// `"name"`, with quotation marks inside doubled.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The name of a value column as it is at A or at B.
pub fn side_name(column: &str, side: &str) -> String {
    format!("{column}_{side}")
}

/// In place of a column that is added up: how many rows there are. What adds up and what does not, such as prices and rates,
/// cannot be told from a type.
pub const ROWS: &str = "";

/// What can be added up: [`ROWS`], then the value columns that are numbers.
pub fn addends(definition: &DatasetDefinition) -> Vec<String> {
    use model::ColumnType as Type;
    let is_amount = |column: &&ColumnDefinition| {
        matches!(column.column_type, Type::Int32 | Type::Int64 | Type::Float64 | Type::Decimal { .. })
    };
    let amounts = definition.value_columns().filter(is_amount).map(|column| column.name.clone());
    std::iter::once(ROWS.to_owned()).chain(amounts).collect()
}

impl Comparison<'_> {
    /// One row: `added`, of which `late`, `removed`, `changed`. Late is what had been effective already when A was known.
    pub fn counts(&self) -> String {
        let count = |condition: &str| format!("COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)");
        format!(
            "SELECT {} AS added, {} AS late, {} AS removed, {} AS changed {}",
            count("change = 'added'"),
            count(&format!("change = 'added' AND {}", self.is_late())),
            count("change = 'removed'"),
            count("change = 'changed'"),
            self.differing()
        )
    }

    /// The rows that differ, [`ROW_LIMIT`] at most, changed before removed before added and latest effective first, because
    /// new facts are many and corrections are what a reader looks for: `change`, the key, `valid_from`, `valid_to`, each
    /// value with `_before` and `_after`, and `known`: since when B knows it, null of what was removed.
    pub fn rows(&self, kind: Option<Kind>) -> String {
        let mut columns = String::new();
        for key in self.definition.key_columns() {
            let _ = write!(columns, "{}, ", quoted(&key.name));
        }
        columns.push_str("valid_from, valid_to, ");
        for value in self.definition.value_columns() {
            for side in ["before", "after"] {
                let _ = write!(columns, "{}, ", quoted(&side_name(&value.name, side)));
            }
        }
        let only = kind.map(|kind| format!(" AND change = '{}'", kind.word())).unwrap_or_default();
        let order = "CASE change WHEN 'changed' THEN 0 WHEN 'removed' THEN 1 ELSE 2 END";
        format!(
            "SELECT change, {columns}system_from_after AS known {}{only} \
             ORDER BY {order}, valid_from DESC, {} LIMIT {ROW_LIMIT}",
            self.differing(),
            self.key_list()
        )
    }

    /// `day`, `change`, `n`: rows by the day on which B came to know them. What was removed has none.
    pub fn by_day(&self, kind: Option<Kind>) -> String {
        let only = kind.map(|kind| format!(" AND change = '{}'", kind.word())).unwrap_or_default();
        format!(
            "SELECT date_trunc('day', system_from_after) AS \"day\", change, COUNT(*) AS n {} \
             AND system_from_after IS NOT NULL{only} GROUP BY 1, 2 ORDER BY 1",
            self.differing()
        )
    }

    /// The column and `n`: rows by one column of the key.
    pub fn by_key(&self, column: &str, kind: Option<Kind>) -> String {
        let only = kind.map(|kind| format!(" AND change = '{}'", kind.word())).unwrap_or_default();
        let name = quoted(column);
        format!("SELECT {name}, COUNT(*) AS n {}{only} GROUP BY {name} ORDER BY n DESC, {name}", self.differing())
    }

    /// `place`, `step`, `amount`: what the differences of a value come to, or of [`ROWS`] how many there are more or fewer, by
    /// why there is one.
    pub fn steps(&self, column: &str) -> String {
        let [before, after] = ["before", "after"].map(|side| quoted(&side_name(column, side)));
        let late = self.is_late();
        let amount = match column {
            ROWS => "SUM(CASE change WHEN 'added' THEN 1 WHEN 'removed' THEN -1 ELSE 0 END)".to_owned(),
            _ => format!("SUM(COALESCE({after}, 0) - COALESCE({before}, 0))"),
        };
        let sum = |place: u8, step: &str, condition: &str| {
            format!(
                "SELECT {place} AS place, '{step}' AS step, {amount} AS amount {} AND {condition}",
                self.differing()
            )
        };
        let steps = [
            sum(1, "Late", &format!("change = 'added' AND {late}")),
            sum(2, "Corrected", "change = 'changed'"),
            sum(3, "Withdrawn", "change = 'removed'"),
            sum(4, "New", &format!("change = 'added' AND NOT ({late})")),
        ];
        format!("SELECT place, step, COALESCE(amount, 0) AS amount FROM ({}) ORDER BY place", steps.join(" UNION ALL "))
    }

    /// The values of `$name` in the statements.
    pub fn parameters(&self) -> BTreeMap<String, ParameterValue> {
        let text = || ParameterValue::Text(self.find.to_lowercase());
        let find = (!self.find.is_empty()).then(|| ("find".to_owned(), text()));
        find.into_iter().collect()
    }

    fn key_list(&self) -> String {
        self.definition.key_columns().map(|key| quoted(&key.name)).collect::<Vec<_>>().join(", ")
    }

    /// Whether a row that B alone knows had been effective already when A was known.
    fn is_late(&self) -> String {
        match self.a {
            Known::At(micros) => format!("valid_from < TIMESTAMP '{}'", time::iso(micros)),
            Known::Now | Known::First => "TRUE".to_owned(),
        }
    }

    /// `FROM … WHERE …`: the rows that differ, in the range and of the keys that are looked for.
    fn differing(&self) -> String {
        let range = match self.effective {
            Extent::Range(days) => days.overlaps("valid_from", "valid_to"),
            Extent::Days(..) => String::new(),
        };
        let key =
            |column: &ColumnDefinition| format!("strpos(lower(CAST({} AS VARCHAR)), $find) > 0", quoted(&column.name));
        let found: Vec<String> = self.definition.key_columns().map(key).collect();
        let find = if self.find.is_empty() { String::new() } else { format!(" AND ({})", found.join(" OR ")) };
        let source = match [self.a, self.b].contains(&Known::First) {
            true => self.side_by_side(),
            false => self.diff_call(),
        };
        format!("FROM {source} WHERE TRUE{range}{find}")
    }

    fn diff_call(&self) -> String {
        let known = |known: Known| time::iso(known.instant().unwrap_or(self.now));
        let days = match self.effective {
            Extent::Range(_) => String::new(),
            Extent::Days(a, b) => format!(", TIMESTAMP '{}', TIMESTAMP '{}'", day_start(a), day_start(b)),
        };
        let (a, b) = (known(self.a), known(self.b));
        format!("diff({}, TIMESTAMP '{a}', TIMESTAMP '{b}'{days})", quoted(self.dataset))
    }

    /// What `diff` does not know of: what was first published, beside another reading. Rows are paired by key and, over a
    /// range, by where they begin.
    fn side_by_side(&self) -> String {
        let days = match self.effective {
            Extent::Range(_) => [None, None],
            Extent::Days(a, b) => [Some(a), Some(b)],
        };
        let table = quoted(self.dataset);
        let side = |known: Known, day: Option<i64>| {
            let at = day.map(|day| {
                let start = day_start(day);
                format!(
                    " WHERE valid_from <= TIMESTAMP '{start}' AND (valid_to IS NULL OR valid_to > TIMESTAMP '{start}')"
                )
            });
            format!("(SELECT * FROM {}{})", known.table(&table), at.unwrap_or_default())
        };
        let mut on: Vec<String> = self
            .definition
            .key_columns()
            .map(|key| format!("(a.{0} IS NOT DISTINCT FROM b.{0})", quoted(&key.name)))
            .collect();
        if days[0].is_none() {
            on.push("a.valid_from = b.valid_from".to_owned());
        }
        let mut columns = String::new();
        for key in self.definition.key_columns() {
            let _ = write!(columns, ", COALESCE(b.{0}, a.{0}) AS {0}", quoted(&key.name));
        }
        let mut differs = "a.valid_from IS NULL OR b.valid_from IS NULL".to_owned();
        if days[0].is_none() {
            differs.push_str(" OR (a.valid_to IS DISTINCT FROM b.valid_to)");
        }
        for value in self.definition.value_columns() {
            let [before, after] = ["before", "after"].map(|side| quoted(&side_name(&value.name, side)));
            let name = quoted(&value.name);
            let _ = write!(columns, ", a.{name} AS {before}, b.{name} AS {after}");
            // In brackets, because the parser takes what follows IS DISTINCT FROM to the end of the condition.
            let _ = write!(differs, " OR (a.{name} IS DISTINCT FROM b.{name})");
        }
        let change =
            "CASE WHEN a.valid_from IS NULL THEN 'added' WHEN b.valid_from IS NULL THEN 'removed' ELSE 'changed' END";
        format!(
            "(SELECT {change} AS change{columns}, COALESCE(b.valid_from, a.valid_from) AS valid_from, \
             CASE WHEN b.valid_from IS NULL THEN a.valid_to ELSE b.valid_to END AS valid_to, \
             a.system_from AS system_from_before, b.system_from AS system_from_after \
             FROM {} a FULL OUTER JOIN {} b ON {} WHERE {differs})",
            side(self.a, days[0]),
            side(self.b, days[1]),
            on.join(" AND ")
        )
    }
}

fn day_start(day: i64) -> String {
    time::iso(day * DAY_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> DatasetDefinition {
        serde_json::from_str(
            r#"{"columns":[{"name":"issuer_id","type":"string"},{"name":"metric","type":"string"},{"name":"from","type":"date"},
                {"name":"Value","type":"decimal(24,2)"},{"name":"status","type":"string"}],
                "key":["issuer_id","metric"],"valid_from":"from","mode":"interval"}"#,
        )
        .unwrap()
    }

    fn comparison(definition: &DatasetDefinition, a: Known, effective: Extent) -> Comparison<'_> {
        Comparison { dataset: "reports", definition, a, b: Known::Now, now: 1_775_000_000_000_000, effective, find: "" }
    }

    #[test]
    fn two_moments_are_compared_by_diff() {
        let definition = definition();
        let range = Extent::Range(Days { from: Some(20_513), to: None });
        let comparison = comparison(&definition, Known::At(1_774_980_000_000_000), range);
        let rows = comparison.rows(Some(Kind::Changed));
        assert!(rows.contains(
            "FROM diff(\"reports\", TIMESTAMP '2026-03-31T18:00:00Z', TIMESTAMP '2026-03-31T23:33:20Z') WHERE TRUE AND"
        ));
        assert!(rows.starts_with("SELECT change, \"issuer_id\", \"metric\", valid_from, valid_to, \"Value_before\", "));
        assert!(
            rows.contains("valid_to > TIMESTAMP '2026-03-01T00:00:00Z'") && rows.contains(" AND change = 'changed'")
        );
        assert!(comparison.counts().contains("valid_from < TIMESTAMP '2026-03-31T18:00:00Z'"));
        assert!(comparison.parameters().is_empty());
    }

    #[test]
    fn a_day_is_compared_with_another_as_it_began() {
        let definition = definition();
        let rows = comparison(&definition, Known::Now, Extent::Days(20_513, 20_543)).rows(None);
        assert!(
            rows.contains("TIMESTAMP '2026-03-01T00:00:00Z', TIMESTAMP '2026-03-31T00:00:00Z') WHERE TRUE ORDER BY")
        );
    }

    #[test]
    fn what_was_first_published_is_read_beside_the_other() {
        let definition = definition();
        let rows = comparison(&definition, Known::First, Extent::Range(Days { from: None, to: None })).rows(None);
        assert!(rows.contains(
            "FROM (SELECT * FROM first_published(\"reports\")) a FULL OUTER JOIN (SELECT * FROM \"reports\") b"
        ));
        assert!(
            rows.contains("(a.\"metric\" IS NOT DISTINCT FROM b.\"metric\") AND a.valid_from = b.valid_from WHERE")
        );
        assert!(rows.contains("a.\"Value\" AS \"Value_before\", b.\"Value\" AS \"Value_after\""));
    }

    #[test]
    fn what_is_looked_for_is_bound_and_names_stay_in_their_quotation_marks() {
        let definition = definition();
        let all = Extent::Range(Days { from: None, to: None });
        let comparison = Comparison { find: "Gal'd", ..comparison(&definition, Known::Now, all) };
        assert!(comparison.counts().contains("strpos(lower(CAST(\"metric\" AS VARCHAR)), $find) > 0)"));
        assert_eq!(
            comparison.parameters().into_values().collect::<Vec<_>>(),
            [ParameterValue::Text("gal'd".to_owned())]
        );
        assert_eq!(quoted("a\"; DROP TABLE b"), "\"a\"\"; DROP TABLE b\"");
    }
}
