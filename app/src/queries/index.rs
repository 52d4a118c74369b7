//! The benchmark index: its level over time, its constituents, and what a known time hides.
//!
//! The level of a day is the sum of close × index shares over the constituents effective that day; the shares are
//! chain-linked, so no divisor is needed.

use crate::{
    format::time::{self, DAY_MICROS},
    state::coordinates::{Compared, Days, Known},
};

/// The index that the dashboard shows.
pub const INDEX_ID: &str = "TMK30";

/// `series` (`shown`; `now` when that is not what is known now; `earlier` for the days it is compared with, moved onto the days
/// that are shown), `day`, `level`, in no particular order.
pub fn levels(days: Days, known: Known, compared: Option<Compared>) -> String {
    let now = (known != Known::Now).then(|| level_of(days, "now", Known::Now, 0));
    let earlier = compared.map(|compared| level_of(compared.days, "earlier", known, compared.shift_days));
    let parts = [Some(level_of(days, "shown", known, 0)), now, earlier];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" UNION ALL ")
}

fn level_of(days: Days, series: &str, known: Known, shift_days: i64) -> String {
    let (prices, constituents) = (known.table("prices"), known.table("constituents"));
    let range = days.starts_inside("p.valid_from");
    format!(
        "SELECT '{series}' AS series, p.valid_from + INTERVAL '{shift_days} days' AS \"day\", SUM(p.close * c.index_shares) AS \"level\" \
         FROM {prices} p JOIN {constituents} c ON c.instrument_id = p.instrument_id \
         AND c.valid_from <= p.valid_from AND (c.valid_to IS NULL OR c.valid_to > p.valid_from) \
         WHERE c.index_id = '{INDEX_ID}'{range} GROUP BY p.valid_from"
    )
}

/// The constituents on the last day of the range that has prices: `day`, `instrument_id`, `name`, `sector`, `weight`, `close`,
/// `contribution`, `price_known`, `share_known`; largest contribution first.
pub fn constituents(days: Days, known: Known) -> String {
    let [prices, constituents, instruments] = ["prices", "constituents", "instruments"].map(|name| known.table(name));
    let end = days.end_micros().map(|end| format!(" WHERE valid_from < TIMESTAMP '{}'", time::iso(end)));
    let end = end.unwrap_or_default();
    format!(
        "SELECT p.valid_from AS \"day\", c.instrument_id, i.name, i.sector, c.weight, p.close, \
         p.close * c.index_shares AS contribution, p.system_from AS price_known, c.system_from AS share_known \
         FROM (SELECT MAX(valid_from) AS \"day\" FROM {prices}{end}) l \
         JOIN {prices} p ON p.valid_from = l.\"day\" \
         JOIN {constituents} c ON c.instrument_id = p.instrument_id \
         AND c.valid_from <= p.valid_from AND (c.valid_to IS NULL OR c.valid_to > p.valid_from) \
         LEFT JOIN {instruments} i ON i.instrument_id = c.instrument_id \
         AND i.valid_from <= p.valid_from AND (i.valid_to IS NULL OR i.valid_to > p.valid_from) \
         WHERE c.index_id = '{INDEX_ID}' ORDER BY contribution DESC, c.instrument_id"
    )
}

/// What a known time hides of the range: one row, `corrections` (later versions of prices for days that had begun by then)
/// and `later_days` (prices of days after it).
pub fn hidden(days: Days, known_micros: i64) -> String {
    let range = days.starts_inside("valid_from");
    let next_day = time::iso((time::day_of(known_micros) + 1) * DAY_MICROS);
    format!(
        "SELECT COALESCE(SUM(CASE WHEN valid_from < TIMESTAMP '{next_day}' THEN 1 ELSE 0 END), 0) AS corrections, \
         COALESCE(SUM(CASE WHEN valid_from >= TIMESTAMP '{next_day}' THEN 1 ELSE 0 END), 0) AS later_days \
         FROM prices WHERE system_from > TIMESTAMP '{}'{range}",
        time::iso(known_micros)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARCH: Days = Days { from: Some(20_513), to: Some(20_543) };

    #[test]
    fn known_in_the_past_reads_both_tables_as_of_then_and_compares_with_now() {
        let sql = levels(MARCH, Known::At(1_774_980_000_000_000), None);
        assert_eq!(sql.matches("FOR SYSTEM_TIME AS OF TIMESTAMP '2026-03-31T18:00:00Z'").count(), 2);
        assert!(sql.contains("'shown'") && sql.contains("UNION ALL SELECT 'now'"));
        assert_eq!(sql.matches("p.valid_from < TIMESTAMP '2026-04-01T00:00:00Z'").count(), 2);
    }

    #[test]
    fn known_now_names_no_system_time_so_that_the_snapshot_decides() {
        for sql in [levels(MARCH, Known::Now, None), constituents(MARCH, Known::Now)] {
            assert!(!sql.contains("SYSTEM_TIME") && !sql.contains("UNION"), "{sql}");
        }
    }

    #[test]
    fn as_first_published_reads_every_table_so_and_compares_with_now() {
        let sql = levels(MARCH, Known::First, None);
        assert!(sql.contains("FROM first_published(prices) p JOIN first_published(constituents) c"));
        assert!(sql.contains("'now' AS series") && sql.contains("FROM prices p JOIN constituents c"));
        assert_eq!(constituents(MARCH, Known::First).matches("first_published(").count(), 4);
    }

    #[test]
    fn an_earlier_period_is_read_at_the_same_known_time() {
        let february = Days { from: Some(20_485), to: Some(20_512) };
        let compared = Compared { days: february, shift_days: 28 };
        let sql = levels(MARCH, Known::At(1_774_980_000_000_000), Some(compared));
        let earlier = sql.split(" UNION ALL ").nth(2).unwrap();
        assert!(earlier.starts_with("SELECT 'earlier' AS series, p.valid_from + INTERVAL '28 days' AS \"day\""));
        assert!(earlier.contains("FOR SYSTEM_TIME AS OF") && earlier.contains("< TIMESTAMP '2026-03-01T00:00:00Z'"));
    }

    #[test]
    fn later_days_are_not_called_corrections() {
        let sql = hidden(Days { from: None, to: None }, 1_774_980_000_000_000);
        assert!(sql.contains("valid_from < TIMESTAMP '2026-04-01T00:00:00Z' THEN 1"));
        assert!(sql.ends_with("FROM prices WHERE system_from > TIMESTAMP '2026-03-31T18:00:00Z'"));
    }
}
