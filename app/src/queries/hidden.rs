//! What a known time in the past hides: facts that became known after it and hold somewhere in a range.

use std::fmt::Write;

use super::diff::quoted;
use crate::format::time::{self, DAY_MICROS};

/// One row over all of these datasets: `corrections`, of what had begun by the day of the known time, and `later`, of what began
/// after it. Has `$from` and `$to`, and is to be read as known now. `None` of no dataset.
pub fn hidden(datasets: &[String], known_micros: i64) -> Option<String> {
    let next_day = time::iso((time::day_of(known_micros) + 1) * DAY_MICROS);
    let known = time::iso(known_micros);
    let mut each = String::new();
    for dataset in datasets {
        if !each.is_empty() {
            each.push_str(" UNION ALL ");
        }
        let _ = write!(
            each,
            "SELECT valid_from < TIMESTAMP '{next_day}' AS begun FROM {} WHERE system_from > TIMESTAMP '{known}' \
             AND valid_from < $to AND (valid_to IS NULL OR valid_to > $from)",
            quoted(dataset)
        );
    }
    (!each.is_empty()).then(|| {
        format!(
            "SELECT COALESCE(SUM(CASE WHEN begun THEN 1 ELSE 0 END), 0) AS corrections, \
             COALESCE(SUM(CASE WHEN begun THEN 0 ELSE 1 END), 0) AS later FROM ({each}) AS hidden"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dataset_is_read_as_known_now() {
        let names = ["prices".to_owned(), "Odd \"name".to_owned()];
        let sql = hidden(&names, 1_774_980_000_000_000).unwrap();
        assert_eq!(sql.matches("system_from > TIMESTAMP '2026-03-31T18:00:00Z'").count(), 2);
        assert_eq!(sql.matches("valid_from < TIMESTAMP '2026-04-01T00:00:00Z'").count(), 2);
        assert!(sql.contains("FROM \"Odd \"\"name\"") && !sql.contains("FOR SYSTEM_TIME"));
        assert_eq!(hidden(&[], 0), None);
    }
}
