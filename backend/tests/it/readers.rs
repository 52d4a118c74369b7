//! Other engines read the tables: the README's plain SQL on DuckDB, PyIceberg through the catalog, against our own.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{Server, python};

fn prices() -> Value {
    json!({
        "columns": [
            {"name": "country", "type": "string"}, {"name": "value", "type": "decimal(18,2)"},
            {"name": "begins", "type": "date"}, {"name": "ends", "type": "date"}, {"name": "op", "type": "string"},
        ],
        "key": ["country"], "valid_from": "begins", "valid_to": "ends", "operation": "op", "mode": "interval",
    })
}

/// A query that the README shows for other engines, by the name of its block.
fn readme_sql(name: &str) -> String {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).expect("README.md");
    let block = readme.split(&format!("```sql {name}\n")).nth(1).expect("the README has this block");
    block.split("```").next().expect("the block ends").trim().trim_end_matches(';').to_owned()
}

const READER: &str = r#"
import json, os, sys
import duckdb, pyarrow as pa
from datetime import datetime, timezone
from duckdb_extensions import import_extension
from pyiceberg.catalog.sql import SqlCatalog

lake, sql, questions = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
catalog = SqlCatalog("tidemark", uri=f"sqlite:///{lake}/catalog.sqlite", warehouse=f"file://{lake}/warehouse")
table = catalog.load_table("lake.gdp")
scanned = table.scan().to_arrow()
con = duckdb.connect()
con.execute("SET TimeZone = 'UTC'")
extensions = os.path.join(os.path.dirname(os.path.abspath(sys.argv[4])), "duckdb-extensions")
con.execute(f"SET extension_directory = '{extensions}'")
for extension in ("avro", "iceberg"):
    import_extension(extension, con=con)
    con.load_extension(extension)
answers = {"pyiceberg": [], "duckdb": []}
for engine, source in (("pyiceberg", None), ("duckdb", f"iceberg_scan('{table.metadata_location}')")):
    if source is None:
        con.register("gdp", scanned)
    else:
        con.unregister("gdp")
        con.execute(f"CREATE VIEW gdp AS SELECT * FROM {source}")
    for valid_time, system_time in questions:
        text = sql.replace(":valid_time", f"TIMESTAMPTZ '{valid_time}'").replace(":system_time", f"TIMESTAMPTZ '{system_time}'")
        rows = con.execute(f"SELECT country, CAST(value AS VARCHAR) FROM ({text}) ORDER BY country").fetchall()
        answers[engine].append([list(row) for row in rows])
print(json.dumps(answers))
"#;

/// Valid time and system time.
type Coordinates = (String, String);

/// What Tidemark says at each of the coordinates.
fn ours(server: &Server, questions: &[Coordinates]) -> Vec<Value> {
    let ask = |(valid_time, system_time): &Coordinates| {
        let sql = format!(
            "SELECT country, CAST(value AS VARCHAR) AS value FROM gdp FOR VALID_TIME AS OF TIMESTAMP '{valid_time}'
             FOR SYSTEM_TIME AS OF TIMESTAMP '{system_time}' ORDER BY country"
        );
        server.rows(&sql).iter().map(|row| json!([row["country"], row["value"]])).collect()
    };
    questions.iter().map(ask).collect()
}

/// What both engines say.
fn read(server: &Server, python: &str, sql: &str, questions: &[Coordinates], when: &str) -> Value {
    let lake = server.data().join("lake");
    let script = server.data().join("reader.py");
    std::fs::write(&script, READER).expect("the script can be written");
    let asked = serde_json::to_string(questions).expect("JSON");
    let output = Command::new(python)
        .arg(&script)
        .args([lake.to_str().expect("a path"), sql, &asked, python])
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{when}: {}", String::from_utf8_lossy(&output.stderr));
    let last = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(last.lines().last().unwrap_or_default()).expect("JSON")
}

/// Asks both engines, and wants what Tidemark says.
fn compare(server: &Server, python: &str, sql: &str, questions: &[Coordinates], when: &str) {
    let theirs = read(server, python, sql, questions, when);
    let ours = json!(ours(server, questions));
    assert_eq!(theirs["pyiceberg"], ours, "PyIceberg {when}");
    assert_eq!(theirs["duckdb"], ours, "DuckDB iceberg_scan {when}");
}

/// Commits of which later ones override earlier ones; gives their system times.
fn commit_all(server: &Server) -> Vec<String> {
    let event = |country: &str, value: &str, begins: &str, ends: &str, op: &str| {
        json!({"country": country, "value": value, "begins": begins, "ends": ends, "op": op}).to_string() + "\n"
    };
    let commits = [
        event("DE", "10.50", "2020-01-01", "2024-01-01", "put")
            + &event("FR", "7.00", "2020-01-01", "2022-01-01", "put"),
        event("DE", "11.25", "2021-01-01", "2022-01-01", "put")
            + &event("IT", "3.10", "2021-01-01", "2021-06-01", "put"),
        event("DE", "0", "2021-03-01", "2021-09-01", "delete")
            + &event("FR", "7.00", "2020-06-01", "2021-06-01", "put"),
        event("DE", "12.00", "2021-05-01", "2021-06-01", "put"),
    ];
    let send = |lines: String| {
        let receipt = server.post_events("gdp", "committed", lines).expect_status(200).json();
        receipt["system_time"].as_str().expect("a time").to_owned()
    };
    commits.into_iter().map(send).collect()
}

#[test]
fn duckdb_and_pyiceberg_give_the_same_rows_with_plain_sql_before_and_after_compaction() {
    let Some(python) = python() else { return };
    let server = Server::start();
    server.put_dataset("gdp", &prices()).expect_status(201);
    let system_times = commit_all(&server);
    let valid_times = [
        "2019-12-31T00:00:00Z",
        "2020-07-01T00:00:00Z",
        "2021-02-01T00:00:00Z",
        "2021-05-15T00:00:00Z",
        "2023-01-01T00:00:00Z",
    ];
    let at = |system_time: &String| valid_times.map(|valid_time| (valid_time.to_owned(), system_time.clone()));
    let questions: Vec<Coordinates> = system_times.iter().flat_map(at).collect();
    let before = ours(&server, &questions);
    let distinct: std::collections::HashSet<String> = before.iter().map(Value::to_string).collect();
    assert!(distinct.len() >= 6, "the questions tell states apart: {before:?}");
    let as_of = readme_sql("as-of");
    compare(&server, &python, &as_of, &questions, "as it was appended");

    let order = r#"{"action":"compact"}"#;
    let done = server.post("/api/v1/datasets/gdp/upkeep", "application/json", order).expect_status(200).json();
    assert_eq!(done["run"]["kind"], "compaction", "{done}");
    assert_eq!(ours(&server, &questions), before);
    compare(&server, &python, &as_of, &questions, "compacted");
    let now = at(system_times.last().expect("a commit"));
    compare(&server, &python, &readme_sql("current"), &now, "compacted, without a window");

    server.post_events("gdp", "committed", appended_later()).expect_status(200);
    compare(&server, &python, &as_of, &questions, "compacted in part");
}

#[test]
fn duckdb_and_pyiceberg_see_the_columns_of_today_before_and_after_compaction() {
    let Some(python) = python() else { return };
    let server = Server::start();
    server.put_dataset("gdp", &prices()).expect_status(201);
    let mut system_times = commit_all(&server);
    let order = r#"{"action":"compact"}"#;
    server.post("/api/v1/datasets/gdp/upkeep", "application/json", order).expect_status(200);
    server.rows("ALTER TABLE gdp ALTER COLUMN value TYPE DECIMAL(28,2), ADD COLUMN note VARCHAR");
    let line = json!({"country": "DE", "value": "12345678901234567890.25", "note": "large", "begins": "2023-06-01", "op": "put"});
    let later = server.post_events("gdp", "committed", line.to_string()).expect_status(200).json();
    system_times.push(later["system_time"].as_str().expect("a time").to_owned());
    server.rows("ALTER TABLE gdp DROP COLUMN note, ADD COLUMN note BIGINT");
    let valid_times = ["2020-07-01T00:00:00Z", "2021-05-15T00:00:00Z", "2023-07-01T00:00:00Z"];
    let at = |system_time: &String| valid_times.map(|valid_time| (valid_time.to_owned(), system_time.clone()));
    let questions: Vec<Coordinates> = system_times.iter().flat_map(at).collect();
    let before = ours(&server, &questions);
    let as_of = readme_sql("as-of");
    compare(&server, &python, &as_of, &questions, "after columns changed");
    // One column under another name, and one of an old name with nothing of the old one.
    server.rows("ALTER TABLE gdp RENAME COLUMN value TO amount, ADD COLUMN value DECIMAL(28,2)");
    let renamed = as_of.replace("country, value", "country, amount AS value");
    let theirs = read(&server, &python, &renamed, &questions, "renamed");
    assert_eq!((&theirs["pyiceberg"], &theirs["duckdb"]), (&json!(before), &json!(before)), "renamed");
    server.post("/api/v1/datasets/gdp/upkeep", "application/json", order).expect_status(200);
    let theirs = read(&server, &python, &renamed, &questions, "renamed and compacted");
    assert_eq!((&theirs["pyiceberg"], &theirs["duckdb"]), (&json!(before), &json!(before)), "renamed and compacted");
    let notes = as_of.replace("country, value", "country, note AS value");
    let theirs = read(&server, &python, &notes, &questions, "a name taken again");
    let nothing = |answers: &Value| {
        let rows = answers.as_array().into_iter().flatten().flat_map(|answer| answer.as_array().into_iter().flatten());
        rows.map(|row| row[1].clone()).all(|note| note.is_null())
    };
    assert!(nothing(&theirs["pyiceberg"]) && nothing(&theirs["duckdb"]), "{theirs}");
}

fn appended_later() -> String {
    json!({"country": "IT", "value": "4.00", "begins": "2020-01-01", "ends": "2024-01-01", "op": "put"}).to_string()
}
