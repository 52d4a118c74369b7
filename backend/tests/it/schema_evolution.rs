//! Columns that change, by API and SQL: what events, questions and old tokens see of it, what is refused, and kill -9.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    quick,
    support::{Client, Reply, Server},
};

const JSON: &str = "application/json";

fn prices() -> Value {
    json!({
        "columns": [
            {"name": "id", "type": "int32"}, {"name": "price", "type": "decimal(9,2)"},
            {"name": "venue", "type": "string"}, {"name": "at", "type": "date"}, {"name": "op", "type": "string"},
        ],
        "key": ["id"], "valid_from": "at", "operation": "op", "mode": "until_changed",
    })
}

fn send(server: &Server, lines: &[Value]) -> Value {
    let lines: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    server.post_events("prices", "committed", lines).expect_status(200).json()
}

fn event(id: i64, price: &str, at: &str) -> Value {
    json!({"id": id, "price": price, "venue": "X", "at": at, "op": "put"})
}

fn counts(server: &Server) -> Value {
    let counts = server.get("/api/v1/datasets/prices").expect_status(200).json()["counts"].clone();
    let number = |name: &str| counts[name].as_u64().expect("a count");
    let told = number("committed") + number("unchanged") + number("quarantined") + number("in_flight");
    assert_eq!(number("received"), told, "{counts}");
    counts
}

fn sql(server: &Server, sql: &str, snapshot: Option<&str>) -> Reply {
    let question = match snapshot {
        Some(token) => json!({ "sql": sql, "snapshot": token }),
        None => json!({ "sql": sql }),
    };
    server.post_sql(&question, "text/csv")
}

fn csv(server: &Server, statement: &str, snapshot: Option<&str>) -> String {
    sql(server, statement, snapshot).expect_status(200).text()
}

fn token(server: &Server) -> String {
    let reply = sql(server, "SELECT 1 AS one", None).expect_status(200);
    reply.header("tidemark-snapshot").expect("a token").to_owned()
}

fn compact(server: &Server) {
    let order = r#"{"action":"compact"}"#;
    server.post("/api/v1/datasets/prices/upkeep", JSON, order).expect_status(200);
    let verified =
        server.post("/api/v1/datasets/prices/upkeep", JSON, r#"{"action":"verify"}"#).expect_status(200).json();
    let digests = verified["verified"].as_array().expect("digests");
    assert!(!digests.is_empty() && digests.iter().all(|digest| digest["kept"] == digest["found"]), "{verified}");
}

const EVERYTHING: &str = "SELECT * EXCEPT (system_from, system_to) FROM prices ORDER BY 1, valid_from";

#[test]
fn columns_change_by_api_and_old_tokens_keep_what_they_showed() {
    let server = quick::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    send(&server, &[event(1, "1.50", "2026-01-01"), event(2, "9999999.99", "2026-01-02")]);
    server.rows("CREATE VIEW cheap AS SELECT id FROM prices WHERE price < 5");
    let (before, then) = (csv(&server, EVERYTHING, None), token(&server));
    assert_eq!(before.lines().next(), Some("id,price,venue,valid_from,valid_to"));

    let changes = json!([
        {"add": {"name": "currency", "type": "string", "path": "terms.currency"}},
        {"rename": {"from": "price", "to": "close"}}, {"drop": {"column": "venue"}},
        {"widen": {"column": "id", "type": "int64"}}, {"widen": {"column": "close", "type": "decimal(18,2)"}},
    ]);
    let changed = server.change_dataset("prices", &changes).expect_status(200).json();
    assert_eq!((&changed["name"], &changed["version"]), (&json!("prices"), &json!(2)));
    assert_eq!(changed["definition"]["columns"][1], json!({"name": "close", "type": "decimal(18,2)", "path": "price"}));
    // Events look as they did, may have more, and say the same where they said it before.
    let mut third = event(5_000_000_000, "123456789012.25", "2026-01-03");
    third["terms"] = json!({"currency": "EUR"});
    send(&server, &[event(1, "1.50", "2026-02-01"), third]);
    let expected = "id,close,currency,valid_from,valid_to\n\
                    1,1.50,,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z\n\
                    1,1.50,,2026-02-01T00:00:00Z,\n\
                    2,9999999.99,,2026-01-02T00:00:00Z,\n\
                    5000000000,123456789012.25,EUR,2026-01-03T00:00:00Z,\n";
    let check = |when: &str| {
        assert_eq!(csv(&server, EVERYTHING, None), expected, "{when}");
        assert_eq!(csv(&server, EVERYTHING, Some(&then)), before, "{when}, as it was");
        let known = changed["system_time"].as_str().expect("a time");
        let earlier = format!("SELECT id, close FROM prices FOR SYSTEM_TIME AS OF TIMESTAMP '{known}' ORDER BY 1");
        assert_eq!(
            csv(&server, &earlier, None),
            "id,close\n1,1.50\n2,9999999.99\n",
            "{when}, new columns for old rows"
        );
        let gone = sql(&server, "SELECT venue FROM prices", None).expect_status(422).json();
        assert!(gone["detail"].as_str().is_some_and(|detail| detail.contains("was dropped in epoch")), "{gone}");
        let by_view = sql(&server, "SELECT * FROM cheap", None).expect_status(422).json();
        let told = by_view["detail"].as_str().unwrap_or_default();
        assert!(told.contains("was renamed to 'close' in epoch") && told.contains("the view 'cheap'"), "{by_view}");
        assert_eq!(csv(&server, "SELECT * FROM cheap", Some(&then)), "id\n1\n", "{when}, a view as it was");
    };
    check("as appended");
    compact(&server);
    check("compacted");
    let versions = server.get("/api/v1/datasets/prices/definitions").expect_status(200).json();
    assert_eq!(versions[1]["changes"], changes);
    assert_eq!(versions[1]["system_time"], changed["system_time"]);
    assert_eq!(versions[0]["definition"], prices());
    let row = &server.rows("SELECT * FROM system.definitions WHERE dataset = 'prices' AND version = 2")[0];
    let before_it = row["snapshot_before"].as_str().expect("a token");
    assert_eq!(csv(&server, EVERYTHING, Some(before_it)), before);
    assert_eq!(versions[1]["snapshot_before"], row["snapshot_before"]);
    let past = server.rows(&format!("SELECT records FROM system.epochs WHERE snapshot = '{then}'"));
    assert_eq!(past.len(), 1, "{past:?}");
    let asked_again = server.put_dataset("prices", &changed["definition"]).expect_status(200).json();
    assert_eq!(asked_again["definition"], changed["definition"]);
    let stale = server.put_dataset("prices", &prices()).expect_status(409).json();
    assert!(stale["detail"].as_str().is_some_and(|detail| detail.contains("PATCH")), "{stale}");
    let server = quick::start_on(server.stop());
    assert_eq!(csv(&server, EVERYTHING, None), expected);
    assert_eq!(csv(&server, EVERYTHING, Some(&then)), before);
    counts(&server);
}

#[test]
fn columns_change_by_sql_and_statements_that_write_know_them_at_once() {
    let server = quick::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    send(&server, &[event(1, "1.50", "2026-01-01")]);
    let done = server.rows("ALTER TABLE prices ADD COLUMN lots BIGINT, RENAME COLUMN price TO close");
    assert_eq!((&done[0]["operation"], &done[0]["version"]), (&json!("alter table"), &json!(2)));
    assert!(done[0]["system_time"].is_string());
    server.rows("UPDATE prices SET lots = 9007199254740993 WHERE id = 1");
    server.rows("INSERT INTO prices (id, close, lots, valid_from) VALUES (2, 7.25, 3, DATE '2026-03-01')");
    server.rows("ALTER TABLE prices ALTER COLUMN close SET DATA TYPE DECIMAL(20, 2), DROP COLUMN venue");
    server.rows("ALTER TABLE prices ADD COLUMN venue INTEGER");
    let expected = "id,close,lots,venue,valid_from,valid_to\n\
                    1,1.50,9007199254740993,,2026-01-01T00:00:00Z,\n\
                    2,7.25,3,,2026-03-01T00:00:00Z,\n";
    assert_eq!(csv(&server, EVERYTHING, None), expected);
    compact(&server);
    assert_eq!(csv(&server, EVERYTHING, None), expected);

    for (statement, reason, column) in [
        ("ALTER TABLE prices DROP COLUMN id", "part of the key", 32),
        ("ALTER TABLE prices ADD COLUMN lots INT", "second column 'lots'", 31),
        ("ALTER TABLE prices ADD COLUMN a INT, ALTER COLUMN close TYPE INTEGER", "cannot become int32", 51),
        ("ALTER TABLE nothing ADD COLUMN a INT", "no dataset 'nothing'", 13),
        ("ALTER TABLE prices ALTER COLUMN close SET NOT NULL", "of ALTER only", 33),
    ] {
        let refused = sql(&server, statement, None).expect_status(422).json();
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains(reason)), "{statement}: {refused}");
        assert_eq!((&refused["line"], &refused["column"]), (&json!(1), &json!(column)), "{statement}: {refused}");
    }
    let read_only = server.get("/api/v1/sql?sql=ALTER%20TABLE%20prices%20DROP%20COLUMN%20lots");
    assert_eq!(read_only.expect_status(422).json()["title"], "The request cannot be carried out");
    assert_eq!(csv(&server, EVERYTHING, None), expected, "nothing of what was refused was done");
}

#[test]
fn what_cannot_be_changed_is_told_with_its_place() {
    let server = quick::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    for (changes, pointer) in [
        (json!([]), "/changes"),
        (json!([{"add": {"name": "x", "type": "int64"}}, {"drop": {"column": "op"}}]), "/changes/1/drop/column"),
        (json!([{"widen": {"column": "price", "type": "decimal(18,4)"}}]), "/changes/0/widen/type"),
        (json!([{"rename": {"from": "price", "to": "valid_to"}}]), "/changes/0/rename/to"),
    ] {
        let refused = server.change_dataset("prices", &changes).expect_status(422).json();
        assert_eq!(refused["problems"][0]["pointer"], pointer, "{refused}");
        assert!(refused["problems"][0]["reason"].as_str().is_some_and(|reason| reason.len() > 20), "{refused}");
    }
    server.change_dataset("prices", &json!([{"add": {"name": "x", "type": "money"}}])).expect_status(422);
    server.change_dataset("prices", &json!("all")).expect_status(422);
    server.change_dataset("nothing", &json!([{"drop": {"column": "x"}}])).expect_status(404);
    server.get("/api/v1/datasets/nothing/definitions").expect_status(404);
    let mut import = prices();
    import["columns"].as_array_mut().expect("columns").push(json!({"name": "known", "type": "timestamp"}));
    import["system_time"] = json!("known");
    server.put_dataset("vintages", &import).expect_status(201);
    let open = server.change_dataset("vintages", &json!([{"drop": {"column": "venue"}}])).expect_status(409).json();
    assert!(open["detail"].as_str().is_some_and(|detail| detail.contains("/seal")), "{open}");
    server.seal("vintages").expect_status(200);
    server.change_dataset("vintages", &json!([{"drop": {"column": "venue"}}])).expect_status(200);
    let versions = server.get("/api/v1/datasets/prices/definitions").expect_status(200).json();
    assert_eq!(versions.as_array().map(Vec::len), Some(1));
}

/// Changes between which there is a kill.
fn rounds() -> [Value; 3] {
    [
        json!([{"widen": {"column": "id", "type": "int64"}}, {"add": {"name": "lots", "type": "int32"}}]),
        json!([{"rename": {"from": "price", "to": "close"}}, {"widen": {"column": "lots", "type": "int64"}}]),
        json!([{"drop": {"column": "venue"}}, {"widen": {"column": "close", "type": "decimal(18,2)"}}]),
    ]
}

/// Sends one event after the other until the server is gone; gives the ids that were acknowledged.
fn stream_until_gone(client: &Client, round: i64) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let id = round * 1_000_000 + number;
        let line = json!({"id": id, "price": "2.50", "venue": "V", "lots": number, "at": "2026-01-01", "op": "put"});
        match client.try_post_events("prices", "durable", line.to_string()) {
            Some(reply) if reply.status == 200 => acknowledged.push(id),
            _ => break,
        }
    }
    acknowledged
}

fn settle(server: &Server) {
    for _ in 0..600 {
        if counts(server)["in_flight"] == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("the stream does not drain: {}", server.log());
}

#[test]
fn after_kill_9_around_changes_everything_acknowledged_is_there_and_states_are_what_they_were() {
    let mut server = quick::start();
    server.put_dataset("prices", &prices()).expect_status(201);
    let mut acknowledged: Vec<i64> = Vec::new();
    let mut past: Vec<(String, String)> = Vec::new();
    for (round, changes) in (0..).zip(rounds()) {
        let client = server.client();
        let data = thread::scope(|scope| {
            let writer = scope.spawn(|| stream_until_gone(&client, round));
            thread::sleep(Duration::from_millis(300));
            let state = token(&server);
            past.push((csv(&server, EVERYTHING, Some(&state)), state));
            // The first time it is killed long after the change, then ever closer to it, at last amid it.
            let changing = scope.spawn(|| client.try_change_dataset("prices", &changes));
            thread::sleep(Duration::from_millis([600, 120, 15][round as usize]));
            let data = server.kill();
            acknowledged.extend(writer.join().expect("the writer does not panic"));
            drop(changing.join().expect("the asker does not panic"));
            data
        });
        server = quick::start_on(data);
        settle(&server);
        let versions = server.get("/api/v1/datasets/prices/definitions").expect_status(200).json();
        if versions.as_array().map_or(0, Vec::len) < round as usize + 2 {
            // It was not made; then it can be made now.
            server.change_dataset("prices", &changes).expect_status(200);
        }
        let rows = server.rows("SELECT id FROM prices ORDER BY id");
        let stored: Vec<i64> = rows.iter().filter_map(|row| row["id"].as_i64()).collect();
        let unanswered = stored.iter().filter(|id| !acknowledged.contains(id)).count();
        assert!(acknowledged.iter().all(|id| stored.contains(id)), "round {round}");
        // Of each round one request may have been cut off before its answer.
        assert!(unanswered <= round as usize + 1, "round {round}: {unanswered}");
        for (answer, token) in &past {
            assert_eq!(&csv(&server, EVERYTHING, Some(token)), answer, "round {round}");
        }
    }
    assert!(acknowledged.len() > 20, "{} records were acknowledged", acknowledged.len());
    // The state was caught up by the definition of each epoch: what is said again is nothing new.
    let unchanged = |server: &Server| counts(server)["unchanged"].as_u64().expect("a count");
    let (before, first) = (unchanged(&server), &acknowledged[0]);
    let again = json!({"id": first, "price": "2.50", "at": "2026-01-01", "op": "put"});
    send(&server, &[again.clone(), again]);
    // It was said with a venue, which is dropped by now: the first of the two takes back what no one sees any more.
    assert_eq!(unchanged(&server), before + 1);
}
