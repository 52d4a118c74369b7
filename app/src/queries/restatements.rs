//! What changed between two known times, for any dataset, built from its definition.

use std::fmt::Write;

use model::DatasetDefinition;

use crate::state::coordinates::{Days, Known};

/// Rows that a comparison shows at most; the counts are of all.
pub const ROW_LIMIT: usize = 500;

/// Two readings of a dataset: as known at `a` and at `b`.
pub struct Comparison<'a> {
    /// The dataset's name.
    pub dataset: &'a str,
    /// Its definition.
    pub definition: &'a DatasetDefinition,
    /// The earlier reading.
    pub a: Known,
    /// The later reading.
    pub b: Known,
    /// Only facts effective in this range.
    pub days: Days,
}

/// `"name"`, with quotation marks inside doubled.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Comparison<'_> {
    /// One row: `added`, `removed`, `changed`.
    pub fn counts(&self) -> String {
        let added = "SUM(CASE WHEN a.valid_from IS NULL THEN 1 ELSE 0 END)";
        let removed = "SUM(CASE WHEN b.valid_from IS NULL THEN 1 ELSE 0 END)";
        let changed = "SUM(CASE WHEN a.valid_from IS NOT NULL AND b.valid_from IS NOT NULL THEN 1 ELSE 0 END)";
        format!(
            "SELECT COALESCE({added}, 0) AS added, COALESCE({removed}, 0) AS removed, COALESCE({changed}, 0) AS changed {}",
            self.differing()
        )
    }

    /// The rows that differ, [`ROW_LIMIT`] at most, changed before removed before added and latest effective first, because new
    /// facts are many and corrections are what a reader looks for: `key_0…`, `effective_from`, `a_valid_to`, `b_valid_to`,
    /// `in_a`, `in_b`, `known`, and `a_0…`, `b_0…` for each value column.
    pub fn rows(&self) -> String {
        let kind = "CASE WHEN a.valid_from IS NULL THEN 2 WHEN b.valid_from IS NULL THEN 1 ELSE 0 END";
        let mut columns = String::new();
        for (index, key) in self.definition.key_columns().enumerate() {
            let name = quoted(&key.name);
            let _ = write!(columns, "COALESCE(b.{name}, a.{name}) AS key_{index}, ");
        }
        for (index, value) in self.definition.value_columns().enumerate() {
            let name = quoted(&value.name);
            let _ = write!(columns, "a.{name} AS a_{index}, b.{name} AS b_{index}, ");
        }
        format!(
            "SELECT {columns}COALESCE(b.valid_from, a.valid_from) AS effective_from, a.valid_to AS a_valid_to, \
             b.valid_to AS b_valid_to, a.valid_from IS NOT NULL AS in_a, b.valid_from IS NOT NULL AS in_b, \
             b.system_from AS known {} ORDER BY {kind}, effective_from DESC, key_0 LIMIT {ROW_LIMIT}",
            self.differing()
        )
    }

    /// `day`, `restated`: rows that were added or changed, by the day on which they became known.
    pub fn by_day(&self) -> String {
        format!(
            "SELECT date_trunc('day', b.system_from) AS \"day\", COUNT(*) AS restated {} AND b.valid_from IS NOT NULL \
             GROUP BY date_trunc('day', b.system_from)",
            self.differing()
        )
    }

    /// `FROM … WHERE …`: the two readings side by side, and only what is not the same in both.
    fn differing(&self) -> String {
        let table = quoted(self.dataset);
        let side = |known: Known| {
            let range = self.days.overlaps("valid_from", "valid_to");
            format!("(SELECT * FROM {} WHERE TRUE{range})", known.table(&table))
        };
        let mut keys = String::new();
        for key in self.definition.key_columns() {
            let name = quoted(&key.name);
            let _ = write!(keys, "a.{name} = b.{name} AND ");
        }
        // In brackets, because the parser takes what follows IS DISTINCT FROM to the end of the condition.
        let mut differs =
            "a.valid_from IS NULL OR b.valid_from IS NULL OR (a.valid_to IS DISTINCT FROM b.valid_to)".to_owned();
        for value in self.definition.value_columns() {
            let name = quoted(&value.name);
            let _ = write!(differs, " OR (a.{name} IS DISTINCT FROM b.{name})");
        }
        format!(
            "FROM {} a FULL OUTER JOIN {} b ON {keys}a.valid_from = b.valid_from WHERE ({differs})",
            side(self.a),
            side(self.b)
        )
    }
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

    #[test]
    fn a_comparison_is_built_from_the_definition_alone() {
        let definition = definition();
        let comparison = Comparison {
            dataset: "reports",
            definition: &definition,
            a: Known::At(1_774_980_000_000_000),
            b: Known::Now,
            days: Days { from: Some(20_513), to: None },
        };
        let rows = comparison.rows();
        assert!(rows.starts_with("SELECT COALESCE(b.\"issuer_id\", a.\"issuer_id\") AS key_0, COALESCE(b.\"metric\""));
        assert!(rows.contains("a.\"Value\" AS a_0, b.\"Value\" AS b_0, a.\"status\" AS a_1"));
        assert!(rows.contains(
            "ON a.\"issuer_id\" = b.\"issuer_id\" AND a.\"metric\" = b.\"metric\" AND a.valid_from = b.valid_from"
        ));
        assert!(rows.contains("OR (a.\"Value\" IS DISTINCT FROM b.\"Value\")"));
        assert_eq!(rows.matches("FOR SYSTEM_TIME AS OF TIMESTAMP '2026-03-31T18:00:00Z'").count(), 1);
        assert_eq!(rows.matches("valid_to > TIMESTAMP '2026-03-01T00:00:00Z'").count(), 2);
        assert!(rows.ends_with("key_0 LIMIT 500"));
        assert!(comparison.by_day().contains("GROUP BY date_trunc('day', b.system_from)"));
    }

    #[test]
    fn names_cannot_leave_their_quotation_marks() {
        assert_eq!(quoted("a\"; DROP TABLE b"), "\"a\"\"; DROP TABLE b\"");
    }
}
