//! What clauses look like when they are taken out, and where errors point.

use super::*;
use crate::error::Position;

/// The rewritten text, and `name V S` of each reference.
fn rewritten(sql: &str) -> (String, Vec<String>) {
    let rewritten = rewrite(sql).unwrap();
    let words: Vec<String> = rewritten.tokens.iter().map(|token| token.token.to_string()).collect();
    let time = |clause: &Option<Clause>| match clause {
        None => "-".to_owned(),
        Some(Clause { time: Time::All, .. }) => "ALL".to_owned(),
        Some(Clause { time: Time::AsOf(time), .. }) => time.expression.to_string(),
        Some(Clause { time: Time::FromTo(from, to), .. }) => format!("[{}, {})", from.expression, to.expression),
        Some(Clause { time: Time::Between(from, to), .. }) => format!("[{}, {}]", from.expression, to.expression),
    };
    let references = rewritten.references.iter();
    let references =
        references.map(|r| format!("{} {} {}", r.name.join("."), time(&r.valid_time), time(&r.system_time)));
    (words.join(" "), references.collect())
}

fn refused(sql: &str) -> (ErrorKind, Option<(u64, u64)>) {
    let error = rewrite(sql).unwrap_err();
    (error.kind(), error.position().map(|Position { line, column }| (line, column)))
}

#[test]
fn a_query_without_clauses_stays_as_it_is() {
    let (sql, references) =
        rewritten("SELECT a.b, 'FOR SYSTEM_TIME AS OF 1' FROM a -- FOR VALID_TIME AS OF 2\n WHERE x");
    assert_eq!(sql, "SELECT a . b , 'FOR SYSTEM_TIME AS OF 1' FROM a WHERE x");
    assert!(references.is_empty());
}

#[test]
fn both_orders_and_all_places_of_an_alias() {
    for (sql, alias) in [
        ("SELECT * FROM gdp FOR VALID_TIME AS OF 'v' FOR SYSTEM_TIME AS OF 's' WHERE x", "\"gdp\""),
        ("SELECT * FROM GDP for system_time as of 's' for valid_time as of 'v' WHERE x", "\"gdp\""),
        ("SELECT * FROM gdp FOR VALID_TIME AS OF 'v' FOR SYSTEM_TIME AS OF 's' AS g WHERE x", "g"),
        ("SELECT * FROM gdp AS g FOR VALID_TIME AS OF 'v' FOR SYSTEM_TIME AS OF 's' WHERE x", "g"),
        ("SELECT * FROM gdp FOR VALID_TIME AS OF 'v' AS g FOR SYSTEM_TIME AS OF 's' WHERE x", "g"),
    ] {
        let (text, references) = rewritten(sql);
        assert_eq!(text, format!("SELECT * FROM \"gdp@1\" AS {alias} WHERE x"), "{sql}");
        assert_eq!(references, ["gdp 'v' 's'"], "{sql}");
    }
    let (text, _) = rewritten("SELECT * FROM gdp g FOR VALID_TIME AS OF 'v', gdp FOR VALID_TIME AS OF 'w' h");
    assert_eq!(text, "SELECT * FROM \"gdp@1\" g , \"gdp@2\" h");
}

#[test]
fn joins_subqueries_and_qualified_names() {
    let (text, references) = rewritten(
        "WITH c AS (SELECT * FROM public.gdp FOR SYSTEM_TIME AS OF 'a')
         SELECT * FROM c JOIN (SELECT 1 FROM b FOR VALID_TIME AS OF now() - INTERVAL '1 day') s ON true
         LEFT JOIN d FOR VALID_TIME ALL USING (k) UNION ALL SELECT * FROM e FOR SYSTEM_TIME AS OF DATE '2020-01-01'",
    );
    assert!(text.contains("FROM \"gdp@1\" AS \"gdp\" )"), "{text}");
    assert!(text.contains("FROM \"b@2\" AS \"b\" )"), "{text}");
    assert!(text.contains("LEFT JOIN \"d@3\" AS \"d\" USING"), "{text}");
    assert_eq!(references, ["public.gdp - 'a'", "b now() - INTERVAL '1 day' -", "d ALL -", "e - DATE '2020-01-01'"]);
}

#[test]
fn ranges_end_where_the_next_word_begins() {
    let (text, references) = rewritten(
        "SELECT * FROM a FOR VALID_TIME FROM '1' TO now() - INTERVAL '1' DAY FOR SYSTEM_TIME ALL AS x
         JOIN b FOR SYSTEM_TIME BETWEEN f('2' , (3 AND 4)) AND '5' ON x.k = b.k AND true
         WHERE 1 BETWEEN 0 AND 2",
    );
    assert!(text.contains("JOIN \"b@2\" AS \"b\" ON x . k"), "{text}");
    assert!(text.ends_with("WHERE 1 BETWEEN 0 AND 2"), "{text}");
    assert_eq!(references, ["a ['1', now() - INTERVAL '1' DAY) ALL", "b - [f('2', (3 AND 4)), '5']"]);
}

#[test]
fn words_that_only_look_like_clauses_are_left_alone() {
    for sql in [
        "SELECT substring(a FROM 1 FOR system_time) FROM t",
        "SELECT \"FOR\" FROM t AS \"FOR\"",
        "SELECT $$ t FOR SYSTEM_TIME AS OF 'x' $$ /* t FOR VALID_TIME AS OF 'y' */",
        "SELECT 'it''s t FOR SYSTEM_TIME AS OF now()' FROM t",
    ] {
        assert!(rewrite(sql).unwrap().references.is_empty(), "{sql}");
    }
}

#[test]
fn errors_point_into_the_users_text() {
    use ErrorKind::{InvalidTime, Syntax, Unsupported};
    for (sql, kind, at) in [
        ("SELECT * FROM\n  t FOR VALID_TIME CONTAINED IN (1, 2)", Unsupported, (2, 5)),
        ("SELECT * FROM t FOR SYSTEM_TIME BETWEEN 1", Syntax, (1, 41)),
        ("SELECT * FROM t FOR SYSTEM_TIME BETWEEN AND 2", Syntax, (1, 33)),
        ("SELECT * FROM t FOR VALID_TIME FROM 1 2 TO 3", Syntax, (1, 39)),
        ("SELECT * FROM t FOR VALID_TIME FROM 1 TO WHERE x", Syntax, (1, 42)),
        ("SELECT * FROM t FOR VALID_TIME AS OF 'a'\nFOR VALID_TIME AS OF 'b'", Syntax, (2, 1)),
        ("SELECT * FROM (SELECT 1) FOR VALID_TIME AS OF 'a'", Syntax, (1, 26)),
        ("SELECT * FROM (SELECT 1) AS s FOR VALID_TIME AS OF 'a'", Syntax, (1, 31)),
        ("SELECT * FROM range(1) FOR VALID_TIME AS OF 'a'", Syntax, (1, 24)),
        ("FOR VALID_TIME AS OF 'a'", Syntax, (1, 1)),
        ("SELECT * FROM t WHERE a = b FOR VALID_TIME AS OF 'a'", Syntax, (1, 29)),
        ("SELECT * FROM t FOR VALID_TIME AS OF WHERE a", Syntax, (1, 38)),
        ("SELECT 'open", Syntax, (1, 8)),
    ] {
        assert_eq!(refused(sql), (kind, Some(at)), "{sql}");
    }
    let long = format!("SELECT * FROM t FOR VALID_TIME AS OF 1{}", " + 1".repeat(500));
    assert_eq!(refused(&long), (InvalidTime, Some((1, 38))));
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("SELECT * FROM t FOR VALID_TIME AS OF {}1{}", "(".repeat(150), ")".repeat(150));
    assert_eq!(refused(&deep).0, ErrorKind::Syntax);
}
