//! Published vintages of GDP, the same truth found by three ways: as-of reads, the history with plain comparisons, and
//! differences replayed one after the other.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::{
    import::{gdp_definition, import, lifecycle_definition},
    support::{Server, shared_data},
};

/// The columns, condition and grouping of one of the expected questions, in the form the expectation has.
fn wanted(question: &Value) -> (&'static str, String) {
    let key = question["key"].as_str().unwrap_or_default();
    match (question["dataset"].as_str(), question["kind"].as_str()) {
        (Some("gdp"), Some("point")) => ("value", format!("country = '{key}'")),
        (Some("gdp"), _) => (
            "count(*) AS count, max(CAST(value AS DOUBLE)) AS max,
             count(*) FILTER (WHERE CAST(value AS DOUBLE) > 1e12) AS keys_over_1e12",
            "true".to_owned(),
        ),
        (_, Some("point")) => {
            ("CAST(valid_from AS DATE) AS valid_from, CAST(valid_to AS DATE) AS valid_to", format!("cycle = '{key}'"))
        }
        _ => (
            "count(*) AS cycles_alive, count(DISTINCT split_part(cycle, '/', 1)) AS products_with_one",
            "true".to_owned(),
        ),
    }
}

fn only_answer(server: &Server, question: &Value, sql: &str) -> Value {
    let mut rows = server.rows(sql);
    assert!(rows.len() <= 1, "one truth: {sql}: {rows:?}");
    match rows.pop() {
        Some(row) if question["dataset"] == "gdp" && question["kind"] == "point" => row["value"].clone(),
        Some(row) => row,
        None => Value::Null,
    }
}

#[test]
fn forty_questions_have_the_same_answers_from_the_history() {
    let Some(data) = shared_data() else { return };
    let server = Server::start();
    import(&server, &data, "gdp", &gdp_definition());
    import(&server, &data, "eol_lifecycle", &lifecycle_definition());
    let questions = std::fs::read(data.join("expected_asof.json")).expect("the expectations");
    let questions: Vec<Value> = serde_json::from_slice(&questions).expect("JSON");
    assert_eq!(questions.len(), 40);
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for question in &questions {
        let text = |name: &str| question[name].as_str().expect("a text");
        let (dataset, valid, system) = (text("dataset"), text("valid_as_of"), text("system_as_of"));
        let (columns, condition) = wanted(question);
        let as_of = format!(
            "SELECT {columns} FROM {dataset} FOR SYSTEM_TIME AS OF '{system}' FOR VALID_TIME AS OF '{valid}'
             WHERE {condition}"
        );
        let until = format!(
            "SELECT {columns} FROM {dataset} FOR SYSTEM_TIME BETWEEN NULL AND '{system}' FOR VALID_TIME AS OF '{valid}'
             WHERE system_to IS NULL AND {condition}"
        );
        let (v, s) = (format!("TIMESTAMP '{valid}T00:00:00Z'"), format!("TIMESTAMP '{system}'"));
        let compared = format!(
            "SELECT {columns} FROM history({dataset})
             WHERE valid_from <= {v} AND (valid_to IS NULL OR valid_to > {v})
               AND system_from <= {s} AND (system_to IS NULL OR system_to > {s}) AND {condition}"
        );
        // A rectangle is cut where something learned later lies over a part of it, so its bounds are those of all history.
        let of_history = (!columns.contains("valid_from")).then_some(compared);
        for sql in [as_of, until].into_iter().chain(of_history) {
            asked += 1;
            let found = only_answer(&server, question, &sql);
            if found != question["expected"] {
                wrong.push(format!("{}: wanted {}, found {found}\n{sql}", question["id"], question["expected"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What holds from some instant on, and when that became known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Region {
    /// Exclusive end; [`OPEN`] when unbounded.
    to: String,
    value: Value,
    known: Value,
}

/// Sorts behind every time.
const OPEN: &str = "~";

/// For each country its regions by their start. Times are texts of one form, which sort as the instants do.
type State = BTreeMap<String, BTreeMap<String, Region>>;

fn end(value: &Value) -> String {
    value.as_str().unwrap_or(OPEN).to_owned()
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_else(|| panic!("no text '{name}' in {row}")).to_owned()
}

/// The state that a read shows.
fn read(server: &Server, known: &str) -> State {
    let mut state = State::new();
    for row in server.rows(&format!("SELECT * FROM gdp FOR SYSTEM_TIME AS OF '{known}'")) {
        assert_eq!(row["system_to"], Value::Null, "nothing learned later shows: {row}");
        let region =
            Region { to: end(&row["valid_to"]), value: row["value"].clone(), known: row["system_from"].clone() };
        let earlier = state.entry(text(&row, "country")).or_default().insert(text(&row, "valid_from"), region);
        assert_eq!(earlier, None, "two versions start at one instant: {row}");
    }
    state
}

/// Carries one row of a diff out on a state, seeing that what it calls before is there.
fn carry_out(state: &mut State, row: &Value) {
    let regions = state.entry(text(row, "country")).or_default();
    let (from, to) = (text(row, "valid_from"), end(&row["valid_to"]));
    // Cut at both bounds, so that the row covers whole regions.
    for cut in [&from, &to] {
        let around = regions.range_mut(..cut.clone()).next_back().filter(|(_, region)| region.to > *cut);
        if let Some((_, region)) = around {
            let behind = region.clone();
            region.to.clone_from(cut);
            regions.insert(cut.clone(), behind);
        }
    }
    let covered: Vec<String> = regions.range(from.clone()..to.clone()).map(|(start, _)| start.clone()).collect();
    let mut at = from.clone();
    for start in covered {
        let region = regions.remove(&start).expect("it was found a moment ago");
        assert_eq!(start, at, "there is a gap before a region that {row} covers");
        assert_eq!((&region.value, &region.known), (&row["value_before"], &row["system_from_before"]), "{row}");
        at = region.to;
    }
    let change = text(row, "change");
    assert_eq!(at, if change == "added" { from.clone() } else { to.clone() }, "what {row} says was there");
    if change == "removed" {
        assert_eq!((&row["value_after"], &row["system_from_after"]), (&Value::Null, &Value::Null), "{row}");
    } else {
        assert_ne!(row["value_before"], row["value_after"], "a difference without one");
        let region = Region { to, value: row["value_after"].clone(), known: row["system_from_after"].clone() };
        regions.insert(from, region);
    }
}

/// Joins neighbours that are the same, or that are the same but for when they became known.
fn joined(state: &State, known_matters: bool) -> State {
    let mut whole = State::new();
    for (country, regions) in state.iter().filter(|(_, regions)| !regions.is_empty()) {
        let mut merged: Vec<(String, Region)> = Vec::new();
        for (from, region) in regions {
            let known = if known_matters { region.known.clone() } else { Value::Null };
            match merged.last_mut() {
                Some((_, last)) if last.to == *from && last.value == region.value && last.known == known => {
                    last.to.clone_from(&region.to);
                }
                _ => merged.push((from.clone(), Region { known, ..region.clone() })),
            }
        }
        whole.insert(country.clone(), merged.into_iter().collect());
    }
    whole
}

fn assert_same(replayed: &State, read: &State, what: &str) {
    let countries = |state: &State| state.keys().cloned().collect::<Vec<String>>();
    assert_eq!(countries(replayed), countries(read), "{what}");
    for (country, regions) in read {
        assert_eq!(&replayed[country], regions, "{what}, {country}");
    }
}

fn server_with_gdp(data: &Path) -> (Server, Vec<String>) {
    let server = Server::start();
    import(&server, data, "gdp", &gdp_definition());
    let rows = server.rows("SELECT DISTINCT system_from FROM history(gdp) ORDER BY system_from");
    let known: Vec<String> = rows.iter().map(|row| text(row, "system_from")).collect();
    assert_eq!(known.len(), 6, "the vintages of the published file: {known:?}");
    (server, known)
}

fn diff(server: &Server, before: &str, after: &str) -> Vec<Value> {
    server.rows(&format!("SELECT * FROM diff(gdp, '{before}', '{after}')"))
}

#[test]
fn replayed_differences_rebuild_every_vintage_exactly() {
    let Some(data) = shared_data() else { return };
    let (server, known) = server_with_gdp(&data);
    // Before anything was known.
    let mut before = "2012-01-01T00:00:00Z".to_owned();
    let mut state = State::new();
    let mut restated = 0;
    for after in known {
        let rows = diff(&server, &before, &after);
        assert!(!rows.is_empty(), "nothing changed from {before} to {after}");
        restated += rows.iter().filter(|row| row["change"] == "changed").count();
        for row in &rows {
            carry_out(&mut state, row);
        }
        state = joined(&state, true);
        let asked = read(&server, &after);
        assert!(asked.values().map(BTreeMap::len).sum::<usize>() > 5_000, "a vintage has thousands of figures");
        assert_same(&state, &asked, &format!("as of {after}"));
        before = after;
    }
    assert!(restated > 10_000, "the vintages correct each other: {restated}");
}

#[test]
fn a_difference_over_many_vintages_leads_to_the_same_values() {
    let Some(data) = shared_data() else { return };
    let (server, known) = server_with_gdp(&data);
    let last = known.len() - 1;
    // Backwards too: what was known earlier against what was known later.
    for (from, to) in [(0, last), (1, last - 1), (0, 2), (last, 0)] {
        let mut state = read(&server, &known[from]);
        for row in diff(&server, &known[from], &known[to]) {
            carry_out(&mut state, &row);
        }
        let what = format!("from {} to {}", known[from], known[to]);
        assert_same(&joined(&state, false), &joined(&read(&server, &known[to]), false), &what);
    }
    assert_eq!(diff(&server, &known[last], &known[last]), Vec::<Value>::new(), "nothing differs from itself");
}
