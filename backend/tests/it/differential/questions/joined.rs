//! Questions that join datasets, or one with itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::{
    oracle::{Row, Scalar, Span, Table, Version, end, moment, start},
    workload::{PRICES, RATINGS, WEIGHTS},
};
use super::{Writer, number, sum};

/// Prices at one instant as known at two times, where they differ: a full join of the dataset with itself.
pub(super) fn changed_at_a_point(w: &mut Writer<'_>) -> (String, Table) {
    let (valid, before, after) = (w.instant(), w.known(), w.known());
    let mut side = |alias: &str, known: i64| {
        let clauses = [w.valid_as_of(valid), w.system_as_of(known)];
        w.table("prices", alias, &[&clauses[0], &clauses[1]])
    };
    let (a, b) = (side("a", before), side("b", after));
    let sql = format!(
        "SELECT coalesce(a.instrument, b.instrument) AS instrument, a.close AS old_close, b.close AS new_close
         FROM {a} FULL JOIN {b} ON a.instrument = b.instrument WHERE a.close IS DISTINCT FROM b.close ORDER BY 1"
    );
    let closes = |known: i64| -> BTreeMap<Scalar, Scalar> {
        let versions = w.oracle.datasets[PRICES].versions(Span::at(known), Span::at(valid));
        versions.into_iter().map(|v| (v.key[0].clone(), v.values[1].clone())).collect()
    };
    let (old, new) = (closes(before), closes(after));
    let instruments: BTreeSet<&Scalar> = old.keys().chain(new.keys()).collect();
    let close =
        |of: &BTreeMap<Scalar, Scalar>, instrument: &Scalar| of.get(instrument).cloned().unwrap_or(Scalar::Null);
    let rows = instruments.into_iter().map(|of| vec![of.clone(), close(&old, of), close(&new, of)]);
    let rows = rows.filter(|row| row[1] != row[2]);
    (sql, Table::new(&["instrument", "old_close", "new_close"], rows.collect()))
}

/// Versions known at one time against those known at another that they share valid time with, where the close differs.
pub(super) fn changed_over_time(w: &mut Writer<'_>) -> (String, Table) {
    let (system_a, before) = w.system();
    let (system_b, after) = w.system();
    let (a, b) = (w.table("prices", "a", &[&system_a]), w.table("prices", "b", &[&system_b]));
    let sql = format!(
        "SELECT a.instrument, a.valid_from AS old_from, b.valid_from AS new_from, a.close AS old_close, b.close AS new_close
         FROM {a} JOIN {b} ON a.instrument = b.instrument AND a.VALID_TIME OVERLAPS b.VALID_TIME
         WHERE a.close IS DISTINCT FROM b.close ORDER BY a.instrument, a.valid_from, b.valid_from"
    );
    let prices = &w.oracle.datasets[PRICES];
    let (old, new) = (prices.versions(Span::at(before), Span::ALL), prices.versions(Span::at(after), Span::ALL));
    let mut rows = Vec::new();
    for a in &old {
        for b in new.iter().filter(|b| a.key == b.key && a.meets_in_time(b) && a.values[1] != b.values[1]) {
            rows.push(vec![a.key[0].clone(), start(a.from), start(b.from), a.values[1].clone(), b.values[1].clone()]);
        }
    }
    (sql, Table::new(&["instrument", "old_from", "new_from", "old_close", "new_close"], rows))
}

/// Prices and ratings that share valid time, or of which one lies within the other; of the same name or of all.
pub(super) fn overlap(w: &mut Writer<'_>) -> (String, Table) {
    let (by_name, outer, contains) = (w.chance(0.6), w.chance(0.3), w.chance(0.3));
    let predicate = match (contains, w.below(3)) {
        (true, 0) => "period_contains(a.valid_from, a.valid_to, b.valid_from, b.valid_to)",
        (true, _) => "a.VALID_TIME CONTAINS b.VALID_TIME",
        (false, 0) => "period_overlaps(a.valid_from, a.valid_to, b.valid_from, b.valid_to)",
        (false, 1) => "PERIOD(a.valid_from, a.valid_to) OVERLAPS b.VALID_TIME",
        (false, _) => "a.VALID_TIME OVERLAPS b.VALID_TIME",
    };
    let (system_a, known_a) = w.system();
    let (system_b, known_b) = w.system();
    let (valid_clause, valid) = w.valid();
    let (a, b) = (w.table("prices", "a", &[&valid_clause, &system_a]), w.table("ratings", "b", &[&system_b]));
    let join = if outer { "LEFT JOIN" } else { "JOIN" };
    let on = if by_name { format!("a.instrument = b.issuer AND {predicate}") } else { predicate.to_owned() };
    let sql = format!(
        "SELECT a.instrument, a.valid_from AS a_from, a.valid_to AS a_to, b.issuer, b.valid_from AS b_from, a.close, b.grade
         FROM {a} {join} {b} ON {on} ORDER BY a.instrument, a.valid_from, b.issuer, b.valid_from"
    );
    let datasets = &w.oracle.datasets;
    let prices = datasets[PRICES].versions(Span::at(known_a), valid);
    let ratings = datasets[RATINGS].versions(Span::at(known_b), Span::ALL);
    let matches = |a: &Version, b: &Version| {
        let in_time = if contains { a.from <= b.from && b.to <= a.to } else { a.meets_in_time(b) };
        in_time && (!by_name || a.key == b.key)
    };
    let mut rows = Vec::new();
    for a in &prices {
        let left = [a.key[0].clone(), start(a.from), end(a.to)];
        let right: Vec<&Version> = ratings.iter().filter(|b| matches(a, b)).collect();
        let mut add = |right: [Scalar; 2], grade: Scalar| {
            rows.push([&left[..], &right[..], &[a.values[1].clone(), grade]].concat());
        };
        if right.is_empty() && outer {
            add([Scalar::Null, Scalar::Null], Scalar::Null);
        }
        right.iter().for_each(|b| add([b.key[0].clone(), start(b.from)], b.values[0].clone()));
    }
    (sql, Table::new(&["instrument", "a_from", "a_to", "issuer", "b_from", "close", "grade"], rows))
}

/// Prices at whose time no rating is known (or one is), of the same name or of any.
pub(super) fn existence(w: &mut Writer<'_>) -> (String, Table) {
    let (by_name, negated) = (w.chance(0.7), w.chance(0.7));
    let (system_p, known_p) = w.system();
    let (system_r, known_r) = w.system();
    let (p, r) = (w.table("prices", "p", &[&system_p]), w.table("ratings", "r", &[&system_r]));
    let not = if negated { "NOT " } else { "" };
    let same_name = if by_name { "r.issuer = p.instrument AND " } else { "" };
    let sql = format!(
        "SELECT p.instrument, p.valid_from, p.close FROM {p}
         WHERE {not}EXISTS (SELECT 1 FROM {r} WHERE {same_name}r.VALID_TIME OVERLAPS p.VALID_TIME)
         ORDER BY p.instrument, p.valid_from"
    );
    let datasets = &w.oracle.datasets;
    let ratings = datasets[RATINGS].versions(Span::at(known_r), Span::ALL);
    let exists = |p: &Version| ratings.iter().any(|r| (!by_name || r.key == p.key) && r.meets_in_time(p));
    let prices = datasets[PRICES].versions(Span::at(known_p), Span::ALL);
    let rows = prices.iter().filter(|p| exists(p) != negated);
    let rows = rows.map(|p| vec![p.key[0].clone(), start(p.from), p.values[1].clone()]).collect();
    (sql, Table::new(&["instrument", "valid_from", "close"], rows))
}

/// What each index is worth at one coordinate: an exact product of decimals, summed over a join.
pub(super) fn worth(w: &mut Writer<'_>) -> (String, Table) {
    let (valid, known) = (w.instant(), w.known());
    let (weights, prices) = if w.chance(0.5) {
        w.members = json!({"valid_time": moment(valid), "system_time": moment(known)});
        (w.table("weights", "w", &[]), w.table("prices", "p", &[]))
    } else {
        let clauses = [w.valid_as_of(valid), w.system_as_of(known)];
        let clauses = [clauses[0].as_str(), clauses[1].as_str()];
        (w.table("weights", "w", &clauses), w.table("prices", "p", &clauses))
    };
    let left_out = w.index();
    let keep_all = w.chance(0.7);
    let condition = if keep_all { String::new() } else { format!("WHERE w.index_id <> '{left_out}'") };
    let sql = format!(
        "SELECT w.index_id, count(*) AS n, sum(w.weight * p.close) AS worth
         FROM {weights} JOIN {prices} ON w.instrument = p.instrument {condition}
         GROUP BY w.index_id ORDER BY w.index_id"
    );
    let datasets = &w.oracle.datasets;
    let prices = datasets[PRICES].versions(Span::at(known), Span::at(valid));
    let mut products: BTreeMap<Scalar, Vec<Scalar>> = BTreeMap::new();
    for weight in datasets[WEIGHTS].versions(Span::at(known), Span::at(valid)) {
        if !keep_all && weight.key[0] == Scalar::Text(left_out.to_owned()) {
            continue;
        }
        for price in prices.iter().filter(|price| price.key[0] == weight.key[1]) {
            let product = match (&weight.values[0], &price.values[1]) {
                (Scalar::Decimal(a, scale_a), Scalar::Decimal(b, scale_b)) => Scalar::Decimal(a * b, scale_a + scale_b),
                _ => Scalar::Null,
            };
            products.entry(weight.key[0].clone()).or_default().push(product);
        }
    }
    let rows = products.into_iter().map(|(index, of)| vec![index, number(of.len()), sum(of.iter())]).collect();
    (sql, Table::new(&["index_id", "n", "worth"], rows))
}

/// Each weight with the price effective when it begins.
pub(super) fn as_of(w: &mut Writer<'_>) -> (String, Table) {
    let (system_w, known_w) = w.system();
    let (system_p, known_p) = w.system();
    let outer = w.chance(0.6);
    let weights = w.table("weights", "w", &[&system_w]);
    let prices = w.table("prices", "p", &["FOR VALID_TIME AS OF w.valid_from", &system_p]);
    let join = if outer { "LEFT JOIN" } else { "JOIN" };
    let sql = format!(
        "SELECT w.index_id, w.instrument, w.valid_from, p.valid_from AS since, p.close
         FROM {weights} {join} {prices} ON p.instrument = w.instrument ORDER BY w.index_id, w.instrument, w.valid_from"
    );
    let datasets = &w.oracle.datasets;
    let prices = datasets[PRICES].versions(Span::at(known_p), Span::ALL);
    let effective = |weight: &Version| {
        let price = prices.iter().find(|p| p.key[0] == weight.key[1] && p.from <= weight.from && weight.from < p.to);
        let found = price.map(|p| [start(p.from), p.values[1].clone()]);
        if outer { Some(found.unwrap_or([Scalar::Null, Scalar::Null])) } else { found }
    };
    let weights = datasets[WEIGHTS].versions(Span::at(known_w), Span::ALL);
    let rows: Vec<Row> = weights
        .iter()
        .filter_map(|weight| effective(weight).map(|price| [&weight.key[..], &[start(weight.from)], &price].concat()))
        .collect();
    (sql, Table::new(&["index_id", "instrument", "valid_from", "since", "close"], rows))
}

/// How often each of Allen's relations holds between prices and ratings of the same name.
pub(super) fn allen(w: &mut Writer<'_>) -> (String, Table) {
    let (system_a, known_a) = w.system();
    let (system_b, known_b) = w.system();
    let (a, b) = (w.table("prices", "a", &[&system_a]), w.table("ratings", "b", &[&system_b]));
    let sql = format!(
        "SELECT allen(a.valid_from, a.valid_to, b.valid_from, b.valid_to) AS relation, count(*) AS n
         FROM {a} JOIN {b} ON a.instrument = b.issuer GROUP BY relation ORDER BY relation"
    );
    let datasets = &w.oracle.datasets;
    let ratings = datasets[RATINGS].versions(Span::at(known_b), Span::ALL);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for a in datasets[PRICES].versions(Span::at(known_a), Span::ALL) {
        for b in ratings.iter().filter(|b| a.key == b.key) {
            *counts.entry(relation((a.from, a.to), (b.from, b.to))).or_default() += 1;
        }
    }
    let rows = counts.into_iter().map(|(name, n)| vec![Scalar::Text(name.to_owned()), number(n)]);
    (sql, Table::new(&["relation", "n"], rows.collect()))
}

fn relation(a: (usize, usize), b: (usize, usize)) -> &'static str {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match (a.0.cmp(&b.0), a.1.cmp(&b.1)) {
        _ if a.1 < b.0 => "before",
        _ if a.1 == b.0 => "meets",
        _ if b.1 < a.0 => "after",
        _ if b.1 == a.0 => "met_by",
        (Equal, Equal) => "equals",
        (Equal, Less) => "starts",
        (Equal, Greater) => "started_by",
        (Greater, Equal) => "finishes",
        (Less, Equal) => "finished_by",
        (Less, Less) => "overlaps",
        (Greater, Greater) => "overlapped_by",
        (Greater, Less) => "during",
        (Less, Greater) => "contains",
    }
}
