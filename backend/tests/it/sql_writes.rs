//! Writing in SQL and posting the events it stands for leave identical tables, now and as of every commit; and what
//! SQL:2011 says of portions holds literally.

mod random;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    quick,
    support::{Reply, Server},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Interval,
    UntilChanged,
}

fn definition(mode: Mode) -> Value {
    let mut definition = json!({
        "columns": [
            {"name": "item", "type": "string"}, {"name": "amount", "type": "int64"},
            {"name": "price", "type": "decimal(12,2)"}, {"name": "note", "type": "string"},
            {"name": "begins", "type": "timestamp"}, {"name": "op", "type": "string"},
        ],
        "key": ["item"], "valid_from": "begins", "operation": "op", "mode": "until_changed",
    });
    if mode == Mode::Interval {
        let columns = definition["columns"].as_array_mut().expect("columns");
        columns.push(json!({"name": "ends", "type": "timestamp"}));
        definition["valid_to"] = json!("ends");
        definition["mode"] = json!("interval");
    }
    definition
}

/// Two datasets with equal definitions: `written` in SQL, `posted` through events.
struct Pair {
    server: Server,
    mode: Mode,
    /// The number of the step that each system time belongs to.
    step_of: BTreeMap<String, usize>,
    /// For each step the last system time of either side.
    known: Vec<[Option<String>; 2]>,
}

const SIDES: [&str; 2] = ["written", "posted"];

impl Pair {
    fn new(mode: Mode) -> Pair {
        let server = quick::start();
        for side in SIDES {
            server.put_dataset(side, &definition(mode)).expect_status(201);
        }
        Pair { server, mode, step_of: BTreeMap::new(), known: Vec::new() }
    }

    /// Runs a statement on one side, posts the events to the other, and compares. Gives the statement's answer.
    fn step(&mut self, sql: &str, events: &[Value]) -> Value {
        let answer = write(&self.server, sql);
        let written = answer["system_time"].as_str().map(str::to_owned);
        let posted = if events.is_empty() { None } else { Some(post(&self.server, events)) };
        let step = self.known.len();
        let mut known = self.known.last().cloned().unwrap_or_default();
        for (side, time) in known.iter_mut().zip([written, posted]) {
            if let Some(time) = time {
                self.step_of.insert(time.clone(), step);
                *side = Some(time);
            }
        }
        self.known.push(known);
        let [written, posted] = SIDES.map(|side| self.rows(side));
        assert_eq!(written, posted, "after step {step}, {sql}");
        answer
    }

    /// What holds now, with steps in the place of system times.
    fn rows(&self, side: &str) -> Vec<Value> {
        self.with_steps(&format!("SELECT * FROM {side} ORDER BY item, valid_from"))
    }

    fn with_steps(&self, sql: &str) -> Vec<Value> {
        let mut rows = self.server.rows(sql);
        for row in &mut rows {
            for column in ["system_from", "system_to"] {
                if let Some(time) = row[column].as_str() {
                    let step = self.step_of.get(time);
                    row[column] = json!(step.unwrap_or_else(|| panic!("no step committed at {time}: {sql}")));
                }
            }
        }
        rows
    }

    /// Compares as of every step, and all rectangles.
    fn compare_history(&self) {
        for (step, known) in self.known.iter().enumerate() {
            let [written, posted] = [0, 1].map(|side| match &known[side] {
                Some(time) => self.with_steps(&format!(
                    "SELECT * FROM {} FOR SYSTEM_TIME AS OF '{time}' ORDER BY item, valid_from",
                    SIDES[side]
                )),
                None => Vec::new(),
            });
            assert_eq!(written, posted, "as of step {step}");
        }
        let [written, posted] = SIDES.map(|side| {
            self.with_steps(&format!("SELECT * FROM history({side}) ORDER BY item, valid_from, system_from"))
        });
        assert_eq!(written, posted, "all rectangles");
    }

    /// What holds now in short: `item amount price note from to`, days alone, `-` for null.
    fn table(&self) -> Vec<String> {
        self.server.rows("SELECT * FROM written ORDER BY item, valid_from").iter().map(short).collect()
    }

    fn event(
        &self,
        op: &str,
        item: &str,
        values: Option<(i64, Option<&str>, &str)>,
        from: &str,
        to: Option<&str>,
    ) -> Value {
        let mut event = json!({"item": item, "op": op, "begins": from});
        if let Some((amount, price, note)) = values {
            event["amount"] = json!(amount);
            event["price"] = json!(price);
            event["note"] = json!(note);
        }
        if self.mode == Mode::Interval {
            event["ends"] = json!(to);
        }
        event
    }

    fn put(&self, item: &str, values: (i64, Option<&str>, &str), from: &str, to: Option<&str>) -> Value {
        self.event("put", item, Some(values), from, to)
    }

    fn delete(&self, item: &str, from: &str, to: Option<&str>) -> Value {
        self.event("delete", item, None, from, to)
    }
}

fn short(row: &Value) -> String {
    let text = |name: &str| match &row[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) if name.starts_with("valid_") => text.trim_end_matches("T00:00:00Z").to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    ["item", "amount", "price", "note", "valid_from", "valid_to"].map(text).join(" ")
}

/// Runs a statement that writes; gives its answer, one row.
fn write(server: &Server, sql: &str) -> Value {
    let rows = server.rows(sql);
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    let verb = sql.split_whitespace().next().unwrap_or_default().to_lowercase();
    assert_eq!(rows[0]["operation"].as_str().map(str::to_lowercase), Some(verb), "{sql}");
    rows[0].clone()
}

/// Posts events to `posted`; gives the system time of their commit.
fn post(server: &Server, events: &[Value]) -> String {
    let lines: String = events.iter().map(|event| event.to_string() + "\n").collect();
    let receipt = server.post_events("posted", "committed", lines).expect_status(200).json();
    assert_eq!(receipt["accepted"], events.len(), "{receipt}");
    receipt["system_time"].as_str().expect("a system time").to_owned()
}

#[test]
fn statements_and_their_events_leave_the_same_intervals() {
    let mut pair = Pair::new(Mode::Interval);
    let (first, it_s) = ((1, Some("10.50"), "first"), (2, None, "it's"));
    let events = [pair.put("A", first, "2020-01-01", None), pair.put("B", it_s, "2020-01-01", Some("2021-01-01"))];
    let answer = pair.step(
        "INSERT INTO written (item, amount, price, note, valid_from, valid_to) VALUES
         ('A', 1, 10.50, 'first', '2020-01-01', NULL),
         ('B', 2, NULL, 'it''s', '2020-01-01', TIMESTAMP '2021-01-01T00:00:00Z')",
        &events,
    );
    assert_eq!((&answer["versions"], &answer["events"]), (&json!(2), &json!(2)));

    let event = pair.put("A", (11, Some("10.50"), "first"), "2020-03-01", Some("2020-06-01"));
    let answer = pair.step(
        "UPDATE written FOR PORTION OF VALID_TIME FROM '2020-03-01' TO '2020-06-01' SET amount = amount + 10
         WHERE item = 'A'",
        &[event],
    );
    assert_eq!(answer["versions"], 1);
    let events = [
        pair.put("A", (1, Some("10.50"), "early"), "2020-01-01", Some("2020-02-01")),
        pair.put("B", (2, None, "early"), "2020-01-01", Some("2020-02-01")),
    ];
    let answer = pair
        .step("UPDATE written FOR PORTION OF VALID_TIME FROM NULL TO DATE '2020-02-01' SET note = 'early'", &events);
    assert_eq!(answer["versions"], 2);
    let event = pair.delete("A", "2020-04-01", Some("2020-05-01"));
    pair.step(
        "DELETE FROM written FOR PORTION OF VALID_TIME FROM '2020-04-01' TO '2020-05-01' WHERE item = 'A'",
        &[event],
    );
    let events = [pair.delete("A", "2020-10-01", None), pair.delete("B", "2020-10-01", None)];
    pair.step("DELETE FROM written FOR PORTION OF VALID_TIME FROM '2020-10-01' TO NULL", &events);
    let events = [
        pair.put("A", (1, Some("99.99"), "early"), "2020-01-01", Some("2020-02-01")),
        pair.put("B", (2, Some("99.99"), "early"), "2020-01-01", Some("2020-02-01")),
    ];
    pair.step("UPDATE written SET price = 99.99 WHERE note = 'early'", &events);
    let events = [
        pair.put("C", (2, None, "early"), "2020-01-01", Some("2020-02-01")),
        pair.put("C", (2, None, "first"), "2020-02-01", Some("2020-03-01")),
        pair.put("C", (22, None, "first"), "2020-03-01", Some("2020-04-01")),
        pair.put("C", (22, None, "first"), "2020-05-01", Some("2020-06-01")),
        pair.put("C", (2, None, "first"), "2020-06-01", Some("2020-10-01")),
    ];
    let answer = pair.step(
        "INSERT INTO written (item, amount, note, valid_from, valid_to)
         SELECT 'C', amount * 2, note, valid_from, valid_to FROM written WHERE item = 'A'",
        &events,
    );
    assert_eq!(answer["versions"], 5);
    let event = pair.delete("B", "2020-01-01", Some("2020-10-01"));
    let answer = pair.step("DELETE FROM written WHERE item = 'B'", &[event]);
    assert_eq!(answer["versions"], 2);

    let expected = [
        "A 1 99.99 early 2020-01-01 2020-02-01",
        "A 1 10.50 first 2020-02-01 2020-03-01",
        "A 11 10.50 first 2020-03-01 2020-04-01",
        "A 11 10.50 first 2020-05-01 2020-06-01",
        "A 1 10.50 first 2020-06-01 2020-10-01",
        "C 2 - early 2020-01-01 2020-02-01",
        "C 2 - first 2020-02-01 2020-03-01",
        "C 22 - first 2020-03-01 2020-04-01",
        "C 22 - first 2020-05-01 2020-06-01",
        "C 2 - first 2020-06-01 2020-10-01",
    ];
    assert_eq!(pair.table(), expected);
    pair.compare_history();
}

#[test]
fn statements_and_their_events_leave_the_same_changes() {
    let mut pair = Pair::new(Mode::UntilChanged);
    let (first, second) = ((1, Some("10.50"), "first"), (5, Some("10.50"), "second"));
    let events = [
        pair.put("A", first, "2020-01-01", None),
        pair.put("A", second, "2020-07-01", None),
        pair.put("B", (2, None, "it's"), "2020-01-01", None),
    ];
    pair.step(
        "INSERT INTO written (item, amount, price, note, valid_from) VALUES ('A', 1, 10.50, 'first', '2020-01-01'),
         ('A', 5, 10.50, 'second', '2020-07-01'), ('B', 2, NULL, 'it''s', '2020-01-01')",
        &events,
    );
    // What lies behind the portion is said once more, where the portion ends.
    let eleven = (11, Some("10.50"), "first");
    let events = [pair.put("A", eleven, "2020-03-01", None), pair.put("A", first, "2020-06-01", None)];
    pair.step(
        "UPDATE written FOR PORTION OF VALID_TIME FROM '2020-03-01' TO '2020-06-01' SET amount = amount + 10
         WHERE item = 'A'",
        &events,
    );
    let events = [
        pair.put("A", (1, Some("10.50"), "early"), "2020-01-01", None),
        pair.put("A", first, "2020-02-01", None),
        pair.put("B", (2, None, "early"), "2020-01-01", None),
        pair.put("B", (2, None, "it's"), "2020-02-01", None),
    ];
    pair.step("UPDATE written FOR PORTION OF VALID_TIME FROM NULL TO '2020-02-01' SET note = 'early'", &events);
    let events = [pair.delete("A", "2020-04-01", None), pair.put("A", eleven, "2020-05-01", None)];
    pair.step(
        "DELETE FROM written FOR PORTION OF VALID_TIME FROM '2020-04-01' TO '2020-05-01' WHERE item = 'A'",
        &events,
    );
    let events = [pair.delete("A", "2020-10-01", None), pair.delete("B", "2020-10-01", None)];
    pair.step("DELETE FROM written FOR PORTION OF VALID_TIME FROM '2020-10-01' TO NULL", &events);
    let events = [
        pair.put("A", (1, Some("99.99"), "early"), "2020-01-01", None),
        pair.put("B", (2, Some("99.99"), "early"), "2020-01-01", None),
    ];
    pair.step("UPDATE written SET price = 99.99 WHERE note = 'early'", &events);
    let events = [pair.delete("B", "2020-01-01", None), pair.delete("B", "2020-02-01", None)];
    pair.step("DELETE FROM written WHERE item = 'B'", &events);
    let expected = [
        "A 1 99.99 early 2020-01-01 2020-02-01",
        "A 1 10.50 first 2020-02-01 2020-03-01",
        "A 11 10.50 first 2020-03-01 2020-04-01",
        "A 11 10.50 first 2020-05-01 2020-06-01",
        "A 1 10.50 first 2020-06-01 2020-07-01",
        "A 5 10.50 second 2020-07-01 2020-10-01",
    ];
    assert_eq!(pair.table(), expected);
    pair.compare_history();
}

/// Two changes that say the same are one version; a portion over both of them changes all of it.
#[test]
fn a_portion_changes_everything_inside_it_where_changes_have_become_one_version() {
    let server = quick::start();
    server.put_dataset("written", &definition(Mode::UntilChanged)).expect_status(201);
    write(
        &server,
        "INSERT INTO written (item, amount, valid_from) VALUES ('A', 1, '2020-01-01'), ('A', 2, '2020-05-01')",
    );
    write(&server, "UPDATE written SET amount = 7");
    write(&server, "UPDATE written FOR PORTION OF VALID_TIME FROM '2020-02-01' TO '2020-08-01' SET amount = 9");
    let rows: Vec<String> = server.rows("SELECT * FROM written ORDER BY valid_from").iter().map(short).collect();
    assert_eq!(rows, ["A 7 - - 2020-01-01 2020-02-01", "A 9 - - 2020-02-01 2020-08-01", "A 7 - - 2020-08-01 -"]);
}

fn server_with_one_version() -> Server {
    let server = quick::start();
    server.put_dataset("written", &definition(Mode::Interval)).expect_status(201);
    let columns = "item, amount, price, valid_from, valid_to";
    write(&server, &format!("INSERT INTO written ({columns}) VALUES ('A', 1, 1.00, '2020-01-01', '2021-01-01')"));
    server
}

fn refused(server: &Server, sql: &str) -> Value {
    let before = state(server);
    let reply: Reply = server.post_sql(&json!({"sql": sql}), "application/json");
    assert!((400..500).contains(&reply.status), "{sql}: {} {}", reply.status, reply.text());
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{sql}");
    assert_eq!(state(server), before, "{sql} left something behind");
    reply.json()
}

/// All rectangles and the last commit.
fn state(server: &Server) -> (Vec<u8>, Option<String>) {
    let sql = "SELECT * FROM history(written) ORDER BY item, valid_from, system_from";
    let reply = server.post_sql(&json!({"sql": sql}), "text/csv").expect_status(200);
    let known = reply.header("tidemark-system-time").map(str::to_owned);
    (reply.body, known)
}

#[test]
fn equal_bounds_and_what_matches_nothing_do_nothing() {
    let server = server_with_one_version();
    let before = state(&server);
    for sql in [
        "UPDATE written FOR PORTION OF VALID_TIME FROM '2020-03-01' TO '2020-03-01' SET amount = 2",
        "DELETE FROM written FOR PORTION OF VALID_TIME FROM DATE '2020-03-01' TO DATE '2020-03-01'",
        "DELETE FROM written FOR PORTION OF VALID_TIME FROM '2021-01-01' TO NULL",
        "UPDATE written SET amount = 2 WHERE item = 'nosuch'",
        "DELETE FROM written WHERE amount > 1",
        "INSERT INTO written (item, valid_from) SELECT item, valid_from FROM written WHERE false",
    ] {
        let answer = write(&server, sql);
        assert_eq!(answer["system_time"], Value::Null, "{sql}");
        assert_eq!((&answer["versions"], &answer["events"]), (&json!(0), &json!(0)), "{sql}");
    }
    assert_eq!(state(&server), before);
}

#[test]
fn null_bounds_are_unbounded_and_bounds_may_be_bound() {
    let server = server_with_one_version();
    write(&server, "UPDATE written FOR PORTION OF VALID_TIME FROM NULL TO NULL SET amount = 2");
    let sql = "UPDATE written FOR PORTION OF VALID_TIME FROM $1 TO $2 SET note = $3 WHERE item = $4";
    let parameters = json!([null, "2020-06-01", "x'); DELETE FROM written; --", "A"]);
    server.post_sql(&json!({"sql": sql, "parameters": parameters}), "application/json").expect_status(200);
    let rows: Vec<String> = server.rows("SELECT * FROM written ORDER BY valid_from").iter().map(short).collect();
    let expected = ["A 2 1.00 x'); DELETE FROM written; -- 2020-01-01 2020-06-01", "A 2 1.00 - 2020-06-01 2021-01-01"];
    assert_eq!(rows, expected);
}

#[test]
fn what_cannot_be_written_is_refused_whole() {
    let server = server_with_one_version();
    for sql in [
        "UPDATE written FOR PORTION OF VALID_TIME FROM '2020-06-01' TO '2020-03-01' SET amount = 2",
        "DELETE FROM written FOR PORTION OF VALID_TIME FROM '2020-06-01' TO '2020-03-01'",
        "UPDATE written FOR PORTION OF VALID_TIME FROM 'soon' TO '2020-03-01' SET amount = 2",
        "UPDATE written SET system_from = '2020-01-01'",
        "UPDATE written SET amount = 2, system_to = NULL",
        "INSERT INTO written (item, valid_from, system_from) VALUES ('B', '2020-01-01', '2020-01-01')",
        "UPDATE written SET valid_from = '2020-01-01'",
        "UPDATE written SET item = 'B'",
        "UPDATE written SET nosuch = 2",
        "DELETE FROM written WHERE nosuch = 2",
    ] {
        let problem = refused(&server, sql);
        assert!(
            problem["line"].is_u64() && problem["column"].is_u64(),
            "{sql} is refused without a position: {problem}"
        );
    }
    for sql in [
        "UPDATE nosuch SET amount = 2",
        "UPDATE written SET price = 12345678901234.5",
        "UPDATE written SET amount = amount / (amount - 1)",
        "UPDATE written FOR PORTION OF SYSTEM_TIME FROM '2020-06-01' TO '2020-07-01' SET amount = 2",
        "INSERT INTO written (item, amount) VALUES ('B', 1)",
    ] {
        refused(&server, sql);
    }
    // What is written acts on what holds now, not on what a reader has chosen.
    let token =
        server.post_sql(&json!({"sql": "SELECT 1 AS one"}), "text/csv").header("tidemark-snapshot").map(str::to_owned);
    let before = state(&server);
    for (member, value) in
        [("snapshot", json!(token)), ("valid_time", json!("2020-06-01")), ("system_time", json!("2001-01-01"))]
    {
        let mut request = json!({"sql": "DELETE FROM written"});
        request[member] = value;
        let reply = server.post_sql(&request, "application/json");
        assert!((400..500).contains(&reply.status), "{member}: {} {}", reply.status, reply.text());
    }
    assert_eq!(state(&server), before);
}

#[test]
fn one_bad_row_among_many_leaves_nothing_of_an_insert() {
    let server = server_with_one_version();
    let bad = [
        "(NULL, 1, 1.0, '2020-01-01', NULL)",
        "('bad', 1, 1.0, NULL, NULL)",
        "('bad', 1, 1.0, '2020-01-01', '2020-01-01')",
        "('bad', 1, 1.0, '2020-02-01', '2020-01-01')",
        "('bad', 1, 12345678901234.5, '2020-01-01', NULL)",
    ];
    for bad in bad {
        let good = |index: usize| format!("('N{index}', {index}, 1.5, '2020-01-01', NULL)");
        let rows: Vec<String> = (0..200).map(|index| if index == 150 { bad.to_owned() } else { good(index) }).collect();
        let sql = "INSERT INTO written (item, amount, price, valid_from, valid_to) VALUES ";
        refused(&server, &format!("{sql}{}", rows.join(", ")));
    }
    assert_eq!(server.rows("SELECT count(*) AS n FROM written"), [json!({"n": 1})]);
}

#[test]
fn get_reads_only() {
    let server = server_with_one_version();
    let before = state(&server);
    for sql in [
        "DELETE%20FROM%20written",
        "UPDATE%20written%20SET%20amount%20%3D%202",
        "CREATE%20VIEW%20v%20AS%20SELECT%201%20AS%20one",
    ] {
        let reply = server.get(&format!("/api/v1/sql?sql={sql}"));
        assert!((400..500).contains(&reply.status), "{sql}: {}", reply.status);
    }
    assert_eq!(state(&server), before);
    let reply = server.get("/api/v1/sql?sql=SELECT%20count(*)%20AS%20n%20FROM%20written").expect_status(200);
    assert_eq!(reply.json(), json!([{"n": 1}]));
}

#[test]
fn what_an_update_does_not_name_keeps_every_bit() {
    let server = quick::start();
    let definition = json!({
        "columns": [
            {"name": "id", "type": "int64"}, {"name": "f", "type": "float64"}, {"name": "note", "type": "string"},
            {"name": "from", "type": "date"}
        ],
        "key": ["id"], "valid_from": "from", "mode": "until_changed"
    });
    server.put_dataset("floats", &definition).expect_status(201);
    let floats = [1.0 / 11.0, 0.1 + 0.2, 1e-308, 5e-324, 1.7976931348623157e308, 123_456_789.123_456_79];
    let lines: Vec<String> = (0..)
        .zip(&floats)
        .map(|(id, f)| format!(r#"{{"id": {id}, "f": {f:e}, "note": "before", "from": "2020-01-01"}}"#))
        .collect();
    server.post_events("floats", "committed", lines.join("\n")).expect_status(200);
    write(&server, "UPDATE floats SET note = 'after'");
    let request = json!({"sql": "SELECT f FROM floats WHERE note = 'after' ORDER BY id"});
    let text = server.post_sql(&request, "text/csv").expect_status(200).text();
    let kept: Vec<f64> = text.lines().skip(1).map(|line| line.parse().expect("a number")).collect();
    assert_eq!(kept.iter().map(|f| f.to_bits()).collect::<Vec<_>>(), floats.map(f64::to_bits));
}
