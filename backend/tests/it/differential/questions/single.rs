//! Questions about one dataset.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::{
    oracle::{CELLS, DAY_MICROS, Row, Scalar, Span, Table, Version, cell_start, end, moment, start},
    workload::{PRICES, RATINGS, WEIGHTS},
};
use super::{Writer, count, number, sum};

/// What holds at one instant, as known at another.
pub(super) fn point(w: &mut Writer<'_>) -> (String, Table) {
    let dataset = w.dataset();
    let (valid, known) = (w.instant(), w.known());
    let filter = w.key_filter(dataset);
    let table = if w.chance(0.3) {
        w.members = json!({"valid_time": moment(valid), "system_time": moment(known)});
        dataset.name.to_owned()
    } else {
        let clauses = [w.valid_as_of(valid), w.system_as_of(known)];
        w.table(dataset.name, "", &[&clauses[0], &clauses[1]])
    };
    let mut versions = dataset.versions(Span::at(known), Span::at(valid));
    filter.keep(&mut versions);
    let sql = format!("SELECT * FROM {table} {} ORDER BY {}", filter.sql, dataset.keys.join(", "));
    (sql, Table::new(&dataset.columns(), versions.iter().map(Version::row).collect()))
}

/// The versions over a stretch of valid time, with their bounds; sometimes through WITH, sometimes few columns.
pub(super) fn range(w: &mut Writer<'_>) -> (String, Table) {
    let dataset = w.dataset();
    let (valid_clause, valid) = w.valid();
    let (system_clause, known) = w.system();
    let filter = w.key_filter(dataset);
    let table = w.table(dataset.name, "d", &[&valid_clause, &system_clause]);
    let order = format!("{}, valid_from", dataset.keys.join(", "));
    let mut versions = dataset.versions(Span::at(known), valid);
    filter.keep(&mut versions);
    if w.chance(0.3) {
        let columns = [dataset.keys, &["valid_to"]].concat();
        let row = |v: &Version| [v.key.clone(), vec![end(v.to)]].concat();
        let sql = format!("SELECT {} FROM {table} {} ORDER BY {order}", columns.join(", "), filter.sql);
        return (sql, Table::new(&columns, versions.iter().map(row).collect()));
    }
    let sql = if w.chance(0.3) {
        format!("WITH shown AS (SELECT * FROM {table}) SELECT * FROM shown {} ORDER BY {order}", filter.sql)
    } else {
        format!("SELECT * FROM {table} {} ORDER BY {order}", filter.sql)
    };
    (sql, Table::new(&dataset.columns(), versions.iter().map(Version::row).collect()))
}

/// Rectangles over a stretch of system time, as known at its end.
pub(super) fn rectangles(w: &mut Writer<'_>) -> (String, Table) {
    let (from, to) = w.two(Writer::known);
    let (system_clause, known) = w.bounds("SYSTEM_TIME", from, to);
    if known.before == i64::MAX {
        w.latest = true;
    }
    all_rectangles(w, &system_clause, known)
}

/// All rectangles up to the last commit, by clause or by function.
pub(super) fn history(w: &mut Writer<'_>) -> (String, Table) {
    w.latest = true;
    if w.chance(0.5) {
        return all_rectangles(w, "FOR SYSTEM_TIME ALL", Span::ALL);
    }
    let dataset = w.dataset();
    let name = if w.chance(0.5) { dataset.name.to_owned() } else { format!("'{}'", dataset.name) };
    let filter = w.key_filter(dataset);
    let mut versions = dataset.versions(Span::ALL, Span::ALL);
    filter.keep(&mut versions);
    let sql = format!(
        "SELECT * FROM history({name}) {} ORDER BY {}, valid_from, system_from",
        filter.sql,
        dataset.keys.join(", ")
    );
    (sql, Table::new(&dataset.columns(), versions.iter().map(Version::row).collect()))
}

fn all_rectangles(w: &mut Writer<'_>, system_clause: &str, known: Span) -> (String, Table) {
    let dataset = w.dataset();
    let (valid_clause, valid) = w.valid();
    let filter = w.key_filter(dataset);
    let table = w.table(dataset.name, "", &[&valid_clause, system_clause]);
    let mut versions = dataset.versions(known, valid);
    filter.keep(&mut versions);
    let order = dataset.keys.join(", ");
    let sql = format!("SELECT * FROM {table} {} ORDER BY {order}, valid_from, system_from", filter.sql);
    (sql, Table::new(&dataset.columns(), versions.iter().map(Version::row).collect()))
}

/// What differs between two system times, at every valid instant; either may be the earlier.
pub(super) fn diff(w: &mut Writer<'_>) -> (String, Table) {
    let dataset = w.dataset();
    let (before, after) = (w.known(), w.known());
    let rows = dataset.diff(before, after).iter().map(|row| row.row(dataset.values.len())).collect();
    let times = [w.literal(before), w.literal(after)].join(", ");
    diff_question(dataset.name, dataset.keys, dataset.values, &times, rows)
}

/// The same, of the stretches that hold one valid instant.
pub(super) fn diff_at(w: &mut Writer<'_>) -> (String, Table) {
    let dataset = w.dataset();
    let (before, after, valid) = (w.known(), w.known(), w.instant());
    let holds = |from: usize, to: usize| cell_start(from) <= valid && (to == CELLS || valid < cell_start(to));
    let found = dataset.diff(before, after);
    let rows = found.iter().filter(|row| holds(row.from, row.to)).map(|row| row.row(dataset.values.len())).collect();
    let times = [w.literal(before), w.literal(after), w.literal(valid)].join(", ");
    diff_question(dataset.name, dataset.keys, dataset.values, &times, rows)
}

/// What differs between two coordinates that differ on both axes.
pub(super) fn diff_across(w: &mut Writer<'_>) -> (String, Table) {
    let dataset = w.dataset();
    let (before, after) = w.two(Writer::known);
    let (earlier, later) = w.two(Writer::instant);
    let later = if earlier == later { later + DAY_MICROS } else { later };
    let found = dataset.diff_across((earlier, before), (later, after));
    let rows = found.iter().map(|row| row.row(dataset.values.len())).collect();
    let times = [w.literal(before), w.literal(after), w.literal(earlier), w.literal(later)].join(", ");
    diff_question(dataset.name, dataset.keys, dataset.values, &times, rows)
}

fn diff_question(name: &str, keys: &[&str], values: &[&str], times: &str, rows: Vec<Row>) -> (String, Table) {
    let sql = format!("SELECT * FROM diff({name}, {times}) ORDER BY {}, valid_from", keys.join(", "));
    let mut columns: Vec<String> =
        keys.iter().copied().chain(["valid_from", "valid_to", "change"]).map(str::to_owned).collect();
    columns.extend(values.iter().flat_map(|name| [format!("{name}_before"), format!("{name}_after")]));
    columns.extend(["system_from_before", "system_from_after"].map(str::to_owned));
    (sql, Table { columns, rows })
}

fn grouped(versions: &[Version], by: fn(&Version) -> Scalar) -> BTreeMap<Scalar, Vec<&Version>> {
    let mut groups: BTreeMap<Scalar, Vec<&Version>> = BTreeMap::new();
    for version in versions {
        groups.entry(by(version)).or_default().push(version);
    }
    groups
}

/// Ratings by grade, one of the groups being those without.
pub(super) fn grouped_ratings(w: &mut Writer<'_>) -> (String, Table) {
    let at = w.instant();
    let clause = w.valid_as_of(at);
    let (system_clause, known) = w.system();
    let table = w.table("ratings", "", &[&clause, &system_clause]);
    let versions = w.oracle.datasets[RATINGS].versions(Span::at(known), Span::at(at));
    let rows = grouped(&versions, |v| v.values[0].clone()).into_iter().map(|(grade, group)| {
        let score = sum(group.iter().map(|v| &v.values[1]));
        let earliest = group.iter().map(|v| v.from).min().map_or(Scalar::Null, start);
        vec![grade, number(group.len()), score, earliest]
    });
    let sql = format!(
        "SELECT grade, count(*) AS n, sum(score) AS score, min(valid_from) AS earliest FROM {table}
         GROUP BY grade ORDER BY grade NULLS FIRST"
    );
    (sql, Table::new(&["grade", "n", "score", "earliest"], rows.collect()))
}

/// Weights by index, with a decimal sum and a latest date.
pub(super) fn grouped_weights(w: &mut Writer<'_>) -> (String, Table) {
    let (valid_clause, valid) = w.valid();
    let (system_clause, known) = w.system();
    let table = w.table("weights", "w", &[&valid_clause, &system_clause]);
    let versions = w.oracle.datasets[WEIGHTS].versions(Span::at(known), valid);
    let rows = grouped(&versions, |v| v.key[0].clone()).into_iter().map(|(index, group)| {
        let column = |position: usize| group.iter().map(move |v| &v.values[position]);
        let latest = column(1).max().cloned().unwrap_or(Scalar::Null);
        vec![index, number(group.len()), sum(column(0)), latest, count(column(2))]
    });
    let sql = format!(
        "SELECT index_id, count(*) AS n, sum(weight) AS weight, max(reviewed) AS latest, count(active) AS said
         FROM {table} GROUP BY index_id ORDER BY index_id"
    );
    (sql, Table::new(&["index_id", "n", "weight", "latest", "said"], rows.collect()))
}

/// What held at one instant as known once and no longer as known another time, by a set operation.
pub(super) fn except(w: &mut Writer<'_>) -> (String, Table) {
    let at = w.instant();
    let (before, after) = (w.known(), w.known());
    let mut side = |known: i64| {
        let clauses = [w.valid_as_of(at), w.system_as_of(known)];
        w.table("weights", "", &[&clauses[0], &clauses[1]])
    };
    let columns = ["index_id", "instrument", "weight", "reviewed"];
    let (first, second) = (side(before), side(after));
    let list = columns.join(", ");
    let sql = format!("SELECT {list} FROM {first} EXCEPT SELECT {list} FROM {second} ORDER BY index_id, instrument");
    let rows = |known: i64| -> Vec<Row> {
        let versions = w.oracle.datasets[WEIGHTS].versions(Span::at(known), Span::at(at));
        versions.into_iter().map(|v| [&v.key[..], &v.values[..2]].concat()).collect()
    };
    let later = rows(after);
    let rows = rows(before).into_iter().filter(|row| !later.contains(row)).collect();
    (sql, Table::new(&columns, rows))
}

/// One row for each day, those without any version too.
pub(super) fn daily(w: &mut Writer<'_>) -> (String, Table) {
    let (step, step_micros) =
        [("INTERVAL '1 day'", DAY_MICROS), ("'1 day'", DAY_MICROS), ("INTERVAL '12 hours'", DAY_MICROS / 2)]
            [w.below(3)];
    let from = cell_start(0) - 2 * DAY_MICROS;
    let to = cell_start(CELLS + 2);
    let (system_clause, known) = w.system();
    let series = format!("instants({}, {}, {step})", w.literal(from), w.literal(to));
    let table = w.table("prices", "p", &[&system_clause]);
    let sql = format!(
        "SELECT i.instant, count(p.instrument) AS n, sum(p.volume) AS volume, sum(p.close) AS total
         FROM {series} AS i LEFT JOIN {table} ON p.VALID_TIME CONTAINS i.instant
         GROUP BY i.instant ORDER BY i.instant"
    );
    let versions = w.oracle.datasets[PRICES].versions(Span::at(known), Span::ALL);
    let instants = (0..).map(|index| from + index * step_micros).take_while(|instant| *instant < to);
    let rows = instants.map(|instant| {
        let here: Vec<&Version> = versions.iter().filter(|v| v.shares(Span::at(instant))).collect();
        let column = |position: usize| here.iter().map(move |v| &v.values[position]);
        vec![Scalar::Instant(instant), number(here.len()), sum(column(0)), sum(column(1))]
    });
    (sql, Table::new(&["instant", "n", "volume", "total"], rows.collect()))
}

/// One row for each week or month, those without any version too; the last period is cut at the end.
pub(super) fn by_period(w: &mut Writer<'_>) -> (String, Table) {
    let last = 59 + w.below(10);
    // Day numbers from 2026-01-01.
    let (step, starts): (&str, Vec<usize>) =
        if w.chance(0.5) { ("7 days", (0..last).step_by(7).collect()) } else { ("1 month", vec![0, 31, 59]) };
    let mut bounds = starts;
    bounds.retain(|start| *start < last);
    bounds.push(last);
    let (system_clause, known) = w.system();
    let series = format!("periods({}, {}, INTERVAL '{step}')", w.literal(cell_start(0)), w.literal(cell_start(last)));
    let table = w.table("weights", "w", &[&system_clause]);
    let sql = format!(
        "SELECT p.valid_from, p.valid_to, count(w.instrument) AS n, sum(w.weight) AS weight
         FROM {series} AS p LEFT JOIN {table} ON w.VALID_TIME OVERLAPS p.VALID_TIME
         GROUP BY p.valid_from, p.valid_to ORDER BY p.valid_from"
    );
    let versions = w.oracle.datasets[WEIGHTS].versions(Span::at(known), Span::ALL);
    let rows = bounds.windows(2).map(|pair| {
        let (from, to) = (cell_start(pair[0]), cell_start(pair[1]));
        let here: Vec<&Version> = versions.iter().filter(|v| v.shares(Span { from, before: to })).collect();
        let weight = sum(here.iter().map(|v| &v.values[0]));
        vec![Scalar::Instant(from), Scalar::Instant(to), number(here.len()), weight]
    });
    (sql, Table::new(&["valid_from", "valid_to", "n", "weight"], rows.collect()))
}
