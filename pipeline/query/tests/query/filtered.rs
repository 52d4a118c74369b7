//! Filters of a request against a plain WHERE around each table, over random histories, and against the grid for what
//! differs; what they cannot be, and that those of keys prune.

use std::fmt::Debug;

use proptest::{collection::vec, prelude::*};
use query::{ErrorKind, Filter, Parameter, Passing, QueryRequest};

use crate::{
    fixture,
    grid::{History, Said, TABLES, day, filled, histories, known},
    harness::{Answer, Harness, check_random},
};

/// A filter that can be said in three ways: in a request, in SQL, and of the grid's cells.
#[derive(Debug, Clone)]
enum Asked {
    Keys(Vec<usize>),
    Remainders(Vec<Option<i64>>),
    Numbers(Vec<Option<i64>>),
    NumberFrom(i64),
    Letters(Vec<u8>),
    Known(usize, usize),
    /// Days between which validity begins.
    Begins(usize, usize),
    /// Days on which validity may end, or that it does not.
    Ends(Vec<Option<usize>>),
    /// Nothing has an end that is known; or everything passes.
    Superseded(bool),
}

use Asked::{Begins, Ends, Keys, Known, Letters, NumberFrom, Numbers, Remainders, Superseded};

fn asked() -> impl Strategy<Value = Asked> {
    let numbers = || vec(prop::option::weighted(0.7, 0..2_i64), 0..3);
    prop_oneof![
        vec(0..4_usize, 0..3).prop_map(Keys),
        numbers().prop_map(Remainders),
        numbers().prop_map(Numbers),
        (0..3_i64).prop_map(NumberFrom),
        vec(0..3_u8, 0..3).prop_map(Letters),
        (0..4_usize, 0..5_usize).prop_map(|(from, to)| Known(from, to)),
        (0..12_usize, 0..13_usize).prop_map(|(from, to)| Begins(from, to)),
        vec(prop::option::weighted(0.7, 0..12_usize), 0..5).prop_map(Ends),
        any::<bool>().prop_map(Superseded),
    ]
}

fn text(value: impl ToString) -> Parameter {
    Parameter::Text(value.to_string())
}

fn number(value: i64) -> Parameter {
    Parameter::Number(value.to_string())
}

fn or_null<T>(value: Option<T>, parameter: impl Fn(T) -> Parameter) -> Parameter {
    value.map_or(Parameter::Null, parameter)
}

/// `column IN (…)`, with null as a value like others.
fn is_one_of(column: &str, values: &[Option<String>]) -> String {
    let each = values.iter().map(|value| match value {
        Some(value) => format!("{column} = {value}"),
        None => format!("{column} IS NULL"),
    });
    each.chain(["false".to_owned()]).collect::<Vec<_>>().join(" OR ")
}

impl Asked {
    fn filter(&self) -> Filter {
        let list = |column: &str, values| (column.to_owned(), Passing::In(values));
        let range = |column: &str, from, to| (column.to_owned(), Passing::Range { from: Some(from), to: Some(to) });
        let (column, passing) = match self {
            Keys(keys) => list("k", keys.iter().map(|key| text(format!("key {key}"))).collect()),
            Remainders(values) => list("n", values.iter().map(|value| or_null(*value, number)).collect()),
            Numbers(values) => list("number", values.iter().map(|value| or_null(*value, number)).collect()),
            NumberFrom(from) => ("number".to_owned(), Passing::Range { from: Some(number(*from)), to: None }),
            Letters(letters) => list("letter", letters.iter().map(text).collect()),
            Known(from, to) => range("system_from", text(known(*from)), text(known(*to))),
            Begins(from, to) => range("valid_from", text(day(*from)), text(day(*to))),
            Ends(days) => list("valid_to", days.iter().map(|at| or_null(*at, |at| text(day(at)))).collect()),
            Superseded(all) => list("system_to", if *all { vec![Parameter::Null] } else { Vec::new() }),
        };
        Filter { dataset: None, column, passing }
    }

    fn sql(&self) -> String {
        let quoted = |value: String| Some(format!("'{value}'"));
        let numbers = |values: &[Option<i64>]| values.iter().map(|n| n.map(|n| n.to_string())).collect::<Vec<_>>();
        match self {
            Keys(keys) => is_one_of("k", &keys.iter().map(|key| quoted(format!("key {key}"))).collect::<Vec<_>>()),
            Remainders(values) => is_one_of("n", &numbers(values)),
            Numbers(values) => is_one_of("number", &numbers(values)),
            NumberFrom(from) => format!("number >= {from}"),
            Letters(letters) => is_one_of("letter", &letters.iter().map(|l| quoted(l.to_string())).collect::<Vec<_>>()),
            Known(from, to) => format!("system_from >= '{}' AND system_from < '{}'", known(*from), known(*to)),
            Begins(from, to) => format!("valid_from >= '{}' AND valid_from < '{}'", day(*from), day(*to)),
            Ends(days) => {
                is_one_of("valid_to", &days.iter().map(|at| at.and_then(|at| quoted(day(at)))).collect::<Vec<_>>())
            }
            Superseded(all) => is_one_of("system_to", if *all { &[None] } else { &[] }),
        }
    }

    /// Whether a version with these values passes; `None` where that is a matter of its interval.
    fn passes(&self, key: usize, (epoch, number, letter): Said) -> Option<bool> {
        match self {
            Keys(keys) => Some(keys.contains(&key)),
            Remainders(values) => Some(values.contains(&Some(key as i64 % 2))),
            Numbers(values) => Some(values.contains(&number)),
            NumberFrom(from) => Some(number.is_some_and(|number| number >= *from)),
            Letters(letters) => Some(letters.contains(&letter)),
            Known(from, to) => Some((*from..*to).contains(&epoch)),
            Superseded(all) => Some(*all),
            Begins(..) | Ends(_) => None,
        }
    }
}

async fn ask(harness: &Harness, sql: &str, filters: &[Filter]) -> Answer {
    let request = QueryRequest { sql: sql.to_owned(), filters: Some(filters.to_vec()), ..QueryRequest::default() };
    harness.request(request).await.unwrap_or_else(|error| panic!("{sql} {filters:?}: {error}"))
}

/// Statements over a table, whose references are made by the function given.
fn statements(table: &str, history: &History, read: &dyn Fn(&str) -> String) -> Vec<String> {
    let (at, from) = (day(history.days.0), day(history.days.0.min(history.days.1)));
    let until = day(history.days.0.max(history.days.1));
    let first = known(history.known.0);
    let as_of = format!("{table} FOR SYSTEM_TIME AS OF '{first}' FOR VALID_TIME AS OF '{at}'");
    let range = format!("{table} FOR VALID_TIME BETWEEN '{from}' AND '{until}' FOR SYSTEM_TIME ALL");
    let [now, as_of, range] = [table.to_owned(), as_of, range].map(|reference| read(&reference));
    let [all, published] = ["history", "first_published"].map(|function| read(&format!("{function}({table})")));
    vec![
        format!("SELECT * FROM {now} AS t"),
        format!("SELECT t.letter, t.k FROM {as_of} AS t"),
        format!("SELECT * FROM {as_of} AS t"),
        format!("SELECT count(*) FROM {range} AS t"),
        format!("SELECT * FROM {all} AS t"),
        format!("SELECT number, letter FROM {published} AS t WHERE letter = '1'"),
        format!(
            "SELECT a.k, b.letter, a.number FROM {now} AS a JOIN {range} AS b ON a.k = b.k AND a.letter = b.letter"
        ),
        format!("SELECT a.*, b.letter FROM {now} AS a LEFT JOIN {now} AS b ON a.VALID_TIME OVERLAPS b.VALID_TIME"),
        format!("WITH {table} AS (SELECT k, number FROM {now} AS t) SELECT * FROM {table}"),
        format!("SELECT k FROM {all} AS t WHERE NOT EXISTS (SELECT 1 FROM {now} AS u WHERE u.k = t.k)"),
    ]
}

async fn check((history, asked): &(History, Vec<Asked>)) {
    let (mut harness, _) = filled(history).await;
    let filters: Vec<Filter> = asked.iter().map(Asked::filter).collect();
    let indices: Vec<usize> = (0..filters.len()).collect();
    let condition = asked.iter().map(|asked| format!("({})", asked.sql())).collect::<Vec<_>>().join(" AND ");
    for table in TABLES {
        let plain = statements(table, history, &str::to_owned);
        let wrapped = statements(table, history, &|read| format!("(SELECT * FROM {read} WHERE {condition})"));
        for (sql, meant) in plain.iter().zip(&wrapped) {
            let (answer, expected) = (ask(&harness, sql, &filters).await, harness.ask(meant).await);
            let expected = expected.unwrap_or_else(|error| panic!("{meant}: {error}"));
            assert_eq!(in_some_order(answer.rows), in_some_order(expected.rows), "{sql} is not {meant}");
            assert_eq!(answer.filters.as_ref(), Some(&indices), "{sql}");
        }
        check_diff(&harness, table, history, asked).await;
    }
    harness.lake.put_view("shown", "SELECT k, letter AS shown FROM compacted", false).await.unwrap();
    // A view holds from the next epoch on.
    harness.commit(&known(20), &[], &[]).await;
    let through = ask(&harness, &format!("SELECT * FROM shown FOR SYSTEM_TIME AS OF '{}'", known(0)), &filters).await;
    let meant = format!("SELECT k, letter FROM compacted FOR SYSTEM_TIME AS OF '{}' WHERE {condition}", known(0));
    assert_eq!(in_some_order(through.rows), in_some_order(harness.ask(&meant).await.unwrap().rows), "{meant}");
}

/// A join may give its rows in another order where its sides are of other sizes.
fn in_some_order<T: Ord + Debug>(mut rows: Vec<T>) -> Vec<T> {
    rows.sort();
    rows
}

/// What differs between what passes on either side; conditions on its own interval are a WHERE.
async fn check_diff(harness: &Harness, table: &str, history: &History, asked: &[Asked]) {
    let columns = "k, valid_from, valid_to, change, number_before, letter_before, number_after, letter_after";
    let (before, after) = history.known;
    let diff = format!("diff({table}, '{}', '{}')", known(before), known(after));
    let (of_rows, of_sides): (Vec<&Asked>, Vec<&Asked>) =
        asked.iter().partition(|asked| matches!(asked, Begins(..) | Ends(_)));
    let filters: Vec<Filter> = of_sides.iter().map(|asked| asked.filter()).collect();
    let passes = |key, said| of_sides.iter().all(|asked| asked.passes(key, said) != Some(false));
    let sql = format!("SELECT {columns} FROM {diff}");
    let answer = ask(harness, &sql, &filters).await;
    let rows: Vec<String> = answer.rows.iter().map(|row| row.join(" ")).collect();
    assert_eq!(rows, history.differences(before, after, passes), "{sql} {filters:?}");

    let all: Vec<Filter> = asked.iter().map(Asked::filter).collect();
    let condition = of_rows.iter().map(|asked| format!("({})", asked.sql())).collect::<Vec<_>>().join(" AND ");
    let meant = if of_rows.is_empty() { sql.clone() } else { format!("{sql} WHERE {condition}") };
    assert_eq!(ask(harness, &sql, &all).await.rows, ask(harness, &meant, &filters).await.rows, "{meant} {filters:?}");
    for at in [history.days.0, history.days.1] {
        let point = format!("diff({table}, '{}', '{}', '{}')", known(before), known(after), day(at));
        let whole = format!(
            "SELECT k, change, number_before, letter_after FROM {diff} WHERE VALID_TIME CONTAINS '{}'",
            day(at)
        );
        let sql = format!("SELECT k, change, number_before, letter_after FROM {point}");
        let (found, meant) = (ask(harness, &sql, &filters).await, ask(harness, &whole, &filters).await);
        assert_eq!(found.rows, meant.rows, "{sql} {filters:?}");
    }
}

#[test]
fn filters_are_a_where_around_each_table() {
    check_random(&(histories(), vec(asked(), 1..4)), check);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_at_two_valid_times_compares_what_passes_at_each() {
    let harness = fixture::history().await;
    let sql = "SELECT country, change, value_before, value_after, valid_from FROM diff(gdp, '2026-03-03T12:00:00Z',
               '2026-03-03T12:00:00Z', '2008-05-01', '2008-08-01')";
    let range = |from, to| Passing::Range { from: Some(number(from)), to: Some(number(to)) };
    let passing = |passing| vec![Filter { dataset: None, column: "value".into(), passing }];
    let rows = async |filters: Vec<Filter>| {
        let answer = ask(&harness, sql, &filters).await;
        answer.rows.iter().map(|row| row.join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(
        rows(passing(range(0, 1_000))).await,
        ["ESP changed 60 61 2008-06-01T00:00:00Z", "GER changed 105 100 2008-07-01T00:00:00Z"]
    );
    assert_eq!(
        rows(passing(range(61, 101))).await,
        ["ESP added NULL 61 2008-06-01T00:00:00Z", "GER added NULL 100 2008-07-01T00:00:00Z"]
    );
    assert_eq!(rows(passing(range(101, 106))).await, ["GER removed 105 NULL 2008-04-01T00:00:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_apply_where_a_dataset_with_the_column_is_read() {
    let harness = fixture::history().await;
    let filter = |dataset: Option<&str>, column: &str, values: &[Parameter]| Filter {
        dataset: dataset.map(str::to_owned),
        column: column.to_owned(),
        passing: Passing::In(values.to_vec()),
    };
    let filters = [
        filter(None, "country", &[text("GER")]),
        filter(Some("rates"), "country", &[text("FRA")]),
        filter(None, "nowhere", &[number(1)]),
        filter(None, "tenor", &[text("not a number")]),
    ];
    for (sql, applied, rows) in [
        ("SELECT count(*) FROM gdp FOR VALID_TIME AS OF '2008-05-01'", vec![0], "1"),
        ("SELECT count(*) FROM (SELECT * FROM gdp) AS g WHERE country = 'ESP'", vec![0], "0"),
        ("WITH rates AS (SELECT 1 AS tenor) SELECT tenor FROM rates", vec![], "1"),
        ("SELECT word FROM system.greetings", vec![], "hello"),
        ("SELECT 1", vec![], "1"),
        ("SELECT count(DISTINCT country) FROM tidemark.public.gdp", vec![0], "1"),
    ] {
        let answer = ask(&harness, sql, &filters).await;
        assert_eq!((answer.filters, answer.rows[0].join(" ").as_str()), (Some(applied), rows), "{sql}");
    }
    assert_eq!(harness.ask("SELECT 1").await.unwrap().filters, None);
    let request = |sql: &str, filters: &[Filter]| QueryRequest {
        sql: sql.to_owned(),
        filters: Some(filters.to_vec()),
        ..QueryRequest::default()
    };
    let misfit = harness.request(request("SELECT 1 FROM gdp, rates", &filters)).await.unwrap_err();
    assert_eq!(misfit.kind(), ErrorKind::InvalidFilter);
    let message = "filter 3: 'not a number' does not fit column 'tenor' of 'rates', which is int32";
    assert_eq!(misfit.message(), message);
    for sql in
        ["DELETE FROM gdp WHERE country = 'GER'", "CREATE VIEW v AS SELECT 1", "ALTER TABLE gdp DROP COLUMN note"]
    {
        let writes = request(sql, &[]);
        let refused = match sql.split(' ').next() {
            Some("DELETE") => harness.engine.write(writes).await.err(),
            Some("CREATE") => harness.engine.view_change(writes).await.err(),
            _ => harness.engine.alteration(&writes).err(),
        };
        assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::InvalidFilter), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_filters_of_keys_go_below_resolution() {
    let harness = fixture::history().await;
    let plan = async |column: &str, values: Vec<Parameter>, sql: &str| {
        let filter = Filter { dataset: None, column: column.to_owned(), passing: Passing::In(values) };
        let rows = ask(&harness, &format!("EXPLAIN {sql}"), &[filter]).await.rows;
        rows.iter().map(|row| row.join(" ")).collect::<Vec<_>>().join("\n")
    };
    let keys = || vec![text("GER"), Parameter::Null];
    for sql in
        ["SELECT value FROM gdp", "SELECT * FROM history(gdp)", "SELECT * FROM diff(gdp, '2026-03-02', '2026-03-03')"]
    {
        let shown = plan("country", keys(), sql).await;
        assert!(shown.contains("key_filters=[country IN (GER)]"), "{shown}");
        let private = ["gdp@", "history()@", "diff()@"].iter().any(|name| shown.contains(name));
        assert!(!private, "private names do not show: {shown}");
        let shown = plan("value", vec![number(100)], sql).await;
        assert!(shown.contains("key_filters=[]"), "{shown}");
        assert_eq!(shown.contains("of_sides=[value@"), sql.contains("diff"), "{shown}");
        let shown = plan("system_from", vec![text("2026-03-01T12:00:00Z")], sql).await;
        assert!(shown.contains("key_filters=[]"), "{shown}");
    }
}
