//! What may be kept and what may not, times, values and filters sent beside the statement, settings in front of it, and
//! transactions that are refused whole.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::{
    bad_input::prices,
    quick,
    support::{Reply, Server},
};

const FOR_EVER: &str = "private, max-age=31536000, immutable";
/// A name that is SQL where it is not taken for data.
const BOBBY: &str = "x' OR '1'='1'; DROP VIEW v; --";

fn price(instrument: &str, day: &str, until: Option<&str>, volume: i64) -> Value {
    json!({"instrument": instrument, "day": day, "until": until, "close": "1.5", "volume": volume})
}

/// A server with prices of A, B and [`BOBBY`], and the system times of two commits. The second corrects A's January.
fn server_with_prices() -> (Server, [String; 2]) {
    let server = quick::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    let publish = |events: &[Value]| {
        let lines: String = events.iter().map(|event| event.to_string() + "\n").collect();
        let receipt = server.post_events("prices", "committed", lines).expect_status(200).json();
        receipt["system_time"].as_str().expect("a system time").to_owned()
    };
    let first = publish(&[
        price("A", "2026-01-01", Some("2026-02-01"), 1),
        price("A", "2026-02-01", None, 2),
        price("B", "2026-01-01", None, 10),
        price(BOBBY, "2026-01-01", None, 100),
    ]);
    let second = publish(&[price("A", "2026-01-01", Some("2026-02-01"), 3)]);
    (server, [first, second])
}

/// A browser, as far as these tests need one: any headers, and the headers of the answer.
struct Browser {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    sql: String,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Browser {
    fn of(server: &Server) -> Browser {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let http = reqwest::Client::builder().no_proxy().build();
        Browser {
            http: http.expect("an HTTP client can be made"),
            runtime: runtime.expect("a runtime can be made"),
            sql: format!("{}/api/v1/sql", server.base()),
        }
    }

    /// `GET /api/v1/sql` with these parameters and headers.
    fn get(&self, parameters: &[(&str, &str)], headers: &[(&'static str, &str)]) -> Answer {
        let mut request = self.http.get(&self.sql).query(parameters);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.runtime.block_on(async {
            let response = request.send().await.expect("an answer");
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Answer { status, headers, body: response.bytes().await.expect("a whole answer").to_vec() }
        })
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

fn ask(server: &Server, request: &Value) -> Reply {
    server.post_sql(request, "application/json")
}

fn token(server: &Server) -> String {
    let reply = ask(server, &json!({"sql": "SELECT 1 AS one"})).expect_status(200);
    reply.header("tidemark-snapshot").expect("a token").to_owned()
}

fn add_data(server: &Server, volume: i64) {
    let line = price("A", "2026-03-01", None, volume).to_string();
    server.post_events("prices", "committed", line).expect_status(200);
}

#[test]
fn an_answer_under_a_token_may_be_kept_for_ever() {
    let (server, _) = server_with_prices();
    let (browser, token) = (Browser::of(&server), token(&server));
    let sql = "SELECT * FROM prices ORDER BY instrument, valid_from";
    let parameters = [("sql", sql), ("snapshot", token.as_str())];
    let first = browser.get(&parameters, &[]);
    assert_eq!(first.status, 200);
    assert_eq!(first.header("cache-control"), Some(FOR_EVER));
    let tag = first.header("etag").expect("an answer under a token has a tag").to_owned();
    assert!(tag.trim_start_matches("W/").starts_with('"') && tag.ends_with('"'), "{tag}");

    add_data(&server, 7);
    let again = browser.get(&parameters, &[]);
    assert_eq!((again.header("etag"), &again.body), (Some(tag.as_str()), &first.body));
    for held in [tag.clone(), format!("\"other\", {tag}")] {
        let kept = browser.get(&parameters, &[("if-none-match", held.as_str())]);
        assert_eq!(kept.status, 304, "{held}");
        assert!(kept.body.is_empty(), "{held}");
        assert_eq!(kept.header("etag"), Some(tag.as_str()));
        assert_eq!(kept.header("cache-control"), Some(FOR_EVER));
    }
    let stale = browser.get(&parameters, &[("if-none-match", "\"other\"")]);
    assert_eq!((stale.status, &stale.body), (200, &first.body));

    let posted = ask(&server, &json!({"sql": sql, "snapshot": token})).expect_status(200);
    assert_eq!((posted.header("cache-control"), &posted.body), (Some(FOR_EVER), &first.body));
    assert!(posted.header("etag").is_some());

    // Another form, statement, value or state is another answer.
    let csv = browser.get(&parameters, &[("accept", "text/csv")]);
    let other_sql = browser.get(&[("sql", "SELECT 1 AS one"), ("snapshot", token.as_str())], &[]);
    let earlier = browser.get(&[("sql", sql), ("snapshot", token.as_str()), ("valid_time", "2026-01-15")], &[]);
    let later = browser.get(&[("sql", sql), ("snapshot", self::token(&server).as_str())], &[]);
    let bound = |value: &str| {
        let request = json!({"sql": "SELECT $1 AS a", "parameters": [value], "snapshot": token});
        ask(&server, &request).expect_status(200).header("etag").expect("a tag").to_owned()
    };
    let mut tags: Vec<String> = [csv, other_sql, earlier, later]
        .iter()
        .map(|answer| answer.header("etag").expect("a tag").to_owned())
        .chain([tag, bound("a"), bound("b")])
        .collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 7, "{tags:?}");
}

#[test]
fn what_moves_on_is_not_kept() {
    let (server, _) = server_with_prices();
    ask(&server, &json!({"sql": "CREATE VIEW moving AS SELECT now() AS moment"})).expect_status(200);
    let token = token(&server);
    let not_kept = |request: Value| {
        let reply = ask(&server, &request).expect_status(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{request}");
        assert_eq!(reply.header("etag"), None, "{request}");
    };
    not_kept(json!({"sql": "SELECT * FROM prices"}));
    not_kept(json!({"sql": "SELECT * FROM prices", "system_time": "2001-01-01"}));
    for sql in [
        "SELECT now() AS a",
        "SELECT current_timestamp AS a",
        "SELECT current_date AS a",
        "SELECT random() AS a",
        "SELECT count(*) AS n FROM system.epochs",
        "SELECT * FROM prices FOR VALID_TIME AS OF now()",
        "SELECT * FROM prices WHERE valid_from < now() - INTERVAL '1 day'",
        "WITH moment AS (SELECT now() AS a) SELECT p.instrument, a FROM prices AS p CROSS JOIN moment",
        "SELECT instrument FROM prices WHERE EXISTS (SELECT 1 FROM system.epochs)",
        "SELECT * FROM moving",
        "SET VALID_TIME = now(); SELECT * FROM prices",
    ] {
        not_kept(json!({"sql": sql, "snapshot": token}));
    }
    let refused = ask(&server, &json!({"sql": "SELECT nosuch FROM prices", "snapshot": token})).expect_status(422);
    assert_ne!(refused.header("cache-control"), Some(FOR_EVER), "a refusal is not kept for ever");
    // A name that only looks like it moves on.
    let fixed =
        ask(&server, &json!({"sql": "SELECT 'now()' AS now FROM prices", "snapshot": token})).expect_status(200);
    assert_eq!(fixed.header("cache-control"), Some(FOR_EVER));
}

fn volumes(server: &Server, request: Value) -> Vec<i64> {
    let reply = ask(server, &request).expect_status(200);
    let rows = reply.json();
    let rows = rows.as_array().expect("rows");
    let mut volumes: Vec<i64> = rows.iter().map(|row| row["volume"].as_i64().expect("a volume")).collect();
    volumes.sort_unstable();
    volumes
}

#[test]
fn values_sent_beside_a_statement_stay_values() {
    let (server, _) = server_with_prices();
    let by_name = |parameter: &str, parameters: Value| {
        let sql = format!("SELECT volume FROM prices WHERE instrument = {parameter}");
        volumes(&server, json!({"sql": sql, "parameters": parameters}))
    };
    for (parameter, parameters) in [
        ("$1", json!([BOBBY])),
        ("?", json!([BOBBY])),
        ("$name", json!({"name": BOBBY})),
        ("$2 AND $1 = 'A'", json!(["A", BOBBY])),
    ] {
        assert_eq!(by_name(parameter, parameters), [100], "{parameter}");
    }
    assert_eq!(by_name("$1", json!(["' OR true --"])), [0_i64; 0]);
    let ask_volumes = |sql: &str, parameters: Value| volumes(&server, json!({"sql": sql, "parameters": parameters}));
    let sql = "SELECT volume FROM prices WHERE volume >= ? AND instrument <> ?";
    assert_eq!(ask_volumes(sql, json!([3, BOBBY])), [3, 10]);
    let sql = "SELECT volume FROM prices WHERE volume > $low AND volume < $high AND volume <> $low + 1";
    assert_eq!(ask_volumes(sql, json!({"low": 1, "high": 100})), [3, 10]);
    assert_eq!(ask_volumes("SELECT volume FROM prices WHERE instrument IN ($1)", json!([["A", BOBBY]])), [2, 3, 100]);
    assert_eq!(ask_volumes("SELECT volume FROM prices WHERE volume IN ($1)", json!([[2, 10, 11]])), [2, 10]);
    assert_eq!(ask_volumes("SELECT volume FROM prices WHERE $1 AND volume < 3", json!([true])), [2]);
    assert_eq!(ask_volumes("SELECT volume FROM prices WHERE instrument = $1", json!([null])), [0_i64; 0]);
    assert_eq!(ask_volumes("SELECT volume FROM prices WHERE instrument = '$1' OR volume = $1", json!([10])), [10]);
    let shown = ask(&server, &json!({"sql": "SELECT $1 AS a, '? $1' AS b", "parameters": [BOBBY]})).expect_status(200);
    assert_eq!(shown.json(), json!([{"a": BOBBY, "b": "? $1"}]));

    for (sql, parameters) in [
        ("SELECT volume FROM prices WHERE instrument = $1", json!([])),
        ("SELECT volume FROM prices WHERE instrument = $2", json!(["A"])),
        ("SELECT volume FROM prices WHERE instrument = $name", json!({"other": "A"})),
        ("SELECT volume FROM prices WHERE instrument = ? AND volume = ?", json!(["A"])),
        ("SELECT volume FROM $1", json!(["prices"])),
        ("SELECT volume FROM prices FOR VALID_TIME AS OF $1", json!(["soon"])),
        ("SELECT volume FROM prices FOR VALID_TIME AS OF $1", json!([null])),
    ] {
        let reply = ask(&server, &json!({"sql": sql, "parameters": parameters}));
        assert!((400..500).contains(&reply.status), "{sql} {parameters}: {} {}", reply.status, reply.text());
    }
}

/// More than a float can tell from its neighbours.
const HUGE: i64 = 9_007_199_254_740_993;

#[test]
fn filters_sent_beside_a_statement_narrow_every_table_with_their_column() {
    let (server, _) = server_with_prices();
    add_data(&server, HUGE);
    server.put_dataset("more", &prices()).expect_status(201);
    server.post_events("more", "committed", price("A", "2026-01-01", None, 1).to_string()).expect_status(200);
    let sql = "SELECT volume FROM prices UNION ALL SELECT volume FROM history(more)";
    for (filters, applied, expected) in [
        (json!([]), "", vec![1, 2, 3, 10, 100, HUGE]),
        (json!([{"column": "instrument", "in": [BOBBY, null]}]), "0", vec![100]),
        (json!([{"column": "nowhere", "in": [1]}, {"column": "volume", "in": [HUGE, 1]}]), "1", vec![1, HUGE]),
        (json!([{"column": "volume", "from": 3, "to": 100}]), "0", vec![3, 10]),
        (json!([{"column": "volume", "from": HUGE}, {"column": "close", "in": ["1.50"]}]), "0, 1", vec![HUGE]),
        (json!([{"dataset": "more", "column": "volume", "to": 1, "from": null}]), "0", vec![2, 3, 10, 100, HUGE]),
        (json!([{"column": "valid_from", "from": "2026-02-01"}]), "0", vec![2, HUGE]),
        (json!([{"column": "valid_to", "in": ["2026-02-01"]}]), "0", vec![3]),
        (json!([{"column": "instrument", "in": []}]), "0", vec![]),
    ] {
        let reply = ask(&server, &json!({"sql": sql, "filters": filters})).expect_status(200);
        assert_eq!(reply.header("tidemark-filters"), Some(applied), "{filters}");
        assert_eq!(volumes(&server, json!({"sql": sql, "filters": filters})), expected, "{filters}");
        let browser = Browser::of(&server);
        let by_address = browser.get(&[("sql", sql), ("filters", &filters.to_string())], &[]);
        assert_eq!((by_address.status, &by_address.body), (200, &reply.body), "{filters}");
    }
    let plain = ask(&server, &json!({"sql": sql})).expect_status(200);
    assert_eq!(plain.header("tidemark-filters"), None);

    for (filters, words) in [
        (json!([{"column": "close", "in": [1, "much"]}]), "filter 0: 'much' does not fit column 'close' of 'more'"),
        (json!([{"column": "volume", "in": [1.5]}]), "filter 0: 1.5 does not fit column 'volume'"),
        (json!([{"column": "volume", "in": [[1]]}]), "filter 0, of column 'volume': a value is not a text"),
        (json!([{"column": "volume", "in": [1], "to": 2}]), "filter 0, of column 'volume': \"in\" stands alone"),
        (
            json!([{"column": "volume", "in": [1]}, {"column": "volume"}]),
            "filter 1, of column 'volume': it says nothing",
        ),
        (json!([{"columns": "volume"}]), "unknown field `columns`"),
        (json!({"column": "volume"}), "\"filters\" is an array"),
        (json!(vec![json!({"column": "nowhere", "in": [1]}); 65]), "there are 65 filters"),
    ] {
        let detail = ask(&server, &json!({"sql": sql, "filters": filters})).expect_status(400).json()["detail"].clone();
        assert!(detail.as_str().unwrap_or_default().contains(words), "{filters}: {detail}");
    }
    for sql in ["DELETE FROM more", "ALTER TABLE more DROP COLUMN close", "CREATE VIEW v AS SELECT 1 AS one"] {
        let filters = json!([{"column": "volume", "in": [1]}]);
        let refused = ask(&server, &json!({"sql": sql, "filters": filters})).expect_status(400).text();
        assert!(refused.contains("send none with a statement that writes"), "{sql}: {refused}");
    }
}

#[test]
fn filters_and_the_reading_as_first_published_are_part_of_what_is_kept() {
    let (server, [first, _]) = server_with_prices();
    let (browser, token) = (Browser::of(&server), token(&server));
    let sql = "SELECT instrument, volume, system_from FROM prices WHERE valid_from < '2026-01-15'";
    let none = [("sql", sql), ("snapshot", token.as_str())];
    let of = |further: (&'static str, &'static str)| [none[0], none[1], further];
    let narrowed = of(("filters", r#"[{"column":"instrument","in":["A"]},{"column":"nowhere","in":[]}]"#));
    let other = of(("filters", r#"[{"column":"instrument","in":["B"]}]"#));
    let published = of(("system_time", "first-published"));
    let answers =
        [browser.get(&none, &[]), browser.get(&narrowed, &[]), browser.get(&other, &[]), browser.get(&published, &[])];
    let mut tags: Vec<&str> = answers.iter().map(|answer| answer.header("etag").expect("a tag")).collect();
    let kept = browser.get(&narrowed, &[("if-none-match", tags[1])]);
    assert_eq!((kept.status, kept.header("tidemark-filters")), (304, Some("0")));
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 4, "{tags:?}");

    let of_a = |answer: &Answer| {
        let rows: Value = serde_json::from_slice(&answer.body).expect("JSON");
        rows.as_array().expect("rows").iter().find(|row| row["instrument"] == "A").cloned().unwrap_or_default()
    };
    assert_eq!(of_a(&answers[1])["volume"], 3);
    assert_eq!(of_a(&answers[2]), Value::Null);
    assert_eq!((&of_a(&answers[3])["volume"], &of_a(&answers[3])["system_from"]), (&json!(1), &json!(first)));
    // What is learned later is no part of it, and a clause comes before it.
    let later = price("C", "2026-01-01", None, 5);
    server.post_events("prices", "committed", later.to_string()).expect_status(200);
    assert_eq!(browser.get(&published, &[]).body, answers[3].body);
    let sql = format!("SELECT volume FROM prices FOR SYSTEM_TIME AS OF '{first}' WHERE instrument <> 'B'");
    assert_eq!(volumes(&server, json!({"sql": sql, "system_time": "first-published"})), [1, 2, 100]);
}

#[test]
fn times_can_be_sent_beside_a_statement() {
    let (server, [first, second]) = server_with_prices();
    let sql = "SELECT volume FROM prices FOR VALID_TIME AS OF $1 FOR SYSTEM_TIME AS OF $2 WHERE instrument = $3";
    let at = |known: &str| volumes(&server, json!({"sql": sql, "parameters": ["2026-01-15", known, "A"]}));
    assert_eq!(at(&first), [1]);
    assert_eq!(at(&second), [3]);
    let named = "SELECT volume FROM prices FOR SYSTEM_TIME AS OF $known AS p FOR VALID_TIME AS OF $valid
                 WHERE instrument = 'A'";
    let parameters = json!({"known": first, "valid": "2026-01-31T23:59:59.999999Z"});
    assert_eq!(volumes(&server, json!({"sql": named, "parameters": parameters})), [1]);
    let range =
        "SELECT volume FROM prices FOR VALID_TIME FROM ? TO ? FOR SYSTEM_TIME BETWEEN ? AND ? WHERE instrument = ?";
    let parameters = json!([null, "2026-02-01", first, second, "A"]);
    assert_eq!(volumes(&server, json!({"sql": range, "parameters": parameters})), [1, 3]);
    let parameters = json!(["2026-02-01", null, first, null, "A"]);
    assert_eq!(volumes(&server, json!({"sql": range, "parameters": parameters})), [2]);
}

#[test]
fn settings_in_front_of_a_statement_hold_for_it_alone() {
    let (server, [first, second]) = server_with_prices();
    let of_a = |before: &str, clauses: &str| {
        let sql = format!("{before} SELECT volume FROM prices {clauses} WHERE instrument = 'A'");
        volumes(&server, json!({ "sql": sql }))
    };
    let january = "SET VALID_TIME = '2026-01-15';";
    let known = format!("SET SYSTEM_TIME = '{first}';");
    assert_eq!(of_a(january, ""), [3]);
    assert_eq!(of_a(&known, ""), [1, 2]);
    assert_eq!(of_a(&format!("{january} {known}"), ""), [1]);
    assert_eq!(of_a(&format!("{known}\n{january}"), ""), [1], "in either order");
    // A clause on a table wins.
    assert_eq!(of_a(&format!("{january} {known}"), &format!("FOR SYSTEM_TIME AS OF '{second}'")), [3]);
    assert_eq!(of_a(&format!("{january} {known}"), "FOR VALID_TIME ALL"), [1, 2]);
    assert_eq!(of_a("", ""), [2, 3], "nothing is left of a setting");

    let members = json!({
        "sql": "SELECT volume FROM prices WHERE instrument = 'A'", "valid_time": "2026-01-15", "system_time": first,
    });
    assert_eq!(volumes(&server, members), [1]);
    for sql in [
        "SET VALID_TIME = 'soon'; SELECT 1 AS one",
        "SET SYSTEM_TIME = '2999-01-01'; SELECT * FROM prices",
        "SET search_path = 'x'; SELECT 1 AS one",
        "SELECT 1 AS one; SET VALID_TIME = '2026-01-15'",
    ] {
        let reply = ask(&server, &json!({ "sql": sql }));
        assert!((400..500).contains(&reply.status), "{sql}: {} {}", reply.status, reply.text());
    }
}

#[test]
fn one_bad_event_among_five_thousand_leaves_nothing_and_is_named() {
    const LINES: usize = 5_000;
    const BAD: usize = 3_217;
    let (server, [_, last]) = server_with_prices();
    server.put_dataset("more", &prices()).expect_status(201);
    let line = |index: usize| {
        let dataset = if index.is_multiple_of(2) { "prices" } else { "more" };
        // Of the bad one the end lies before the start.
        let day = if index + 1 == BAD { "2026-12-01" } else { "2026-01-01" };
        let event = price(&format!("N{index}"), day, Some("2026-02-01"), 1);
        json!({"dataset": dataset, "event": event}).to_string() + "\n"
    };
    let lines: String = (0..LINES).map(line).collect();
    let refused = server.post_transaction("committed", lines.clone()).expect_status(422).json();
    let rejected = refused["rejected"].as_array().expect("the lines that were refused");
    assert_eq!(rejected.len(), 1, "{refused}");
    assert_eq!(rejected[0]["line"], BAD);
    assert!(rejected[0]["reason"].as_str().unwrap_or_default().contains("until"), "{refused}");
    assert!(refused["detail"].as_str().unwrap_or_default().contains("nothing"), "{refused}");
    let count = "SELECT count(*) AS n, count(DISTINCT system_from) AS commits";
    for dataset in ["prices", "more"] {
        let rows = server.rows(&format!("{count} FROM {dataset} WHERE instrument LIKE 'N%'"));
        assert_eq!(rows, [json!({"n": 0, "commits": 0})], "{dataset}");
    }
    let reply = ask(&server, &json!({"sql": "SELECT 1 AS one"})).expect_status(200);
    assert_eq!(reply.header("tidemark-system-time"), Some(last.as_str()), "no commit was made");

    let mended = lines.replace("2026-12-01", "2026-01-01");
    let receipt = server.post_transaction("committed", mended).expect_status(200).json();
    assert_eq!(receipt["accepted"], LINES);
    let rows = server.rows(&format!(
        "{count} FROM (SELECT instrument, system_from FROM prices UNION ALL SELECT instrument, system_from FROM more) AS t
         WHERE instrument LIKE 'N%'"
    ));
    assert_eq!(rows, [json!({"n": LINES, "commits": 1})], "all of them in one commit");
}
