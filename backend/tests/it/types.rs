//! Every type is exact on its whole way: events, state, Parquet, SQL, and out as JSON, CSV and Arrow; through kill and
//! restart too. Times always say that they are UTC.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Cursor,
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::concat_batches,
    datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType},
    ipc::reader::StreamReader,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json, value::RawValue};

use crate::{quick, support::Client};

fn definition() -> Value {
    json!({
        "columns": [
            {"name": "id", "type": "string"}, {"name": "b", "type": "bool"}, {"name": "i32", "type": "int32"},
            {"name": "i64", "type": "int64"}, {"name": "f", "type": "float64"}, {"name": "d", "type": "decimal(38,10)"},
            {"name": "s", "type": "string"}, {"name": "day", "type": "date"}, {"name": "at", "type": "timestamp"},
            {"name": "begins", "type": "timestamp"}, {"name": "ends", "type": "timestamp"},
        ],
        "key": ["id"], "valid_from": "begins", "valid_to": "ends", "mode": "interval",
    })
}

const STRANGE: &str = "quote \" comma , apostrophe ' newline \n return \r tab \t backslash \\ ünï 漢字 🦀 ; -- $1 ?";
/// The most digits a `decimal(38,10)` has, and the same as whole digits.
const NINES: &str = "9999999999999999999999999999.9999999999";
const NINES_DIGITS: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

/// The events: numbers stand bare or as text, times with and without a zone.
fn events() -> String {
    let strange = json!(STRANGE);
    [
        format!(
            r#"{{"id":"max","b":true,"i32":2147483647,"i64":9223372036854775807,"f":1e308,"d":"{NINES}","s":{strange},
            "day":"9999-12-31","at":"9999-12-31T23:59:59.999999Z","begins":"2026-03-31T18:00:00.123456+02:00","ends":null}}"#
        ),
        format!(
            r#"{{"id":"min","b":false,"i32":-2147483648,"i64":-9223372036854775808,"f":5e-324,"d":-{NINES},"s":"",
            "day":"0001-01-01","at":"0001-01-01T00:00:00Z","begins":"0001-01-01","ends":"9999-12-31T23:59:59.999999Z"}}"#
        ),
        r#"{"id":"none","b":null,"i32":null,"i64":null,"f":null,"d":null,"s":null,"day":null,"at":null,"begins":"2026-01-01"}"#
            .to_owned(),
        r#"{"id":"offset","i32":0,"i64":"9007199254740993","f":"0.1","d":-0.0000000001,"s":"NULL","day":"2024-02-29",
            "at":"2026-01-01T00:00:00.5-11:30","begins":"2026-01-01T01:00:00+01:00","ends":"2026-01-02"}"#
            .to_owned(),
        r#"{"id":"small","b":true,"i64":0,"f":-0.0,"d":1E-10,"s":"null","day":"1970-01-01",
            "at":"1970-01-01T00:00:00.000001","begins":"2026-01-01T00:00:00Z"}"#
            .to_owned(),
    ]
    .map(|event| event.replace(['\n', '\r'], " ") + "\n")
    .concat()
}

const COLUMNS: [&str; 10] = ["id", "b", "i32", "i64", "d", "s", "day", "at", "valid_from", "valid_to"];

/// The same facts as they must come out, by `id`; beside each its `f`, whose text may differ and whose bits may not.
fn expected() -> [([Option<&'static str>; 10], Option<f64>); 5] {
    const MINUS_NINES: &str = "-9999999999999999999999999999.9999999999";
    let some = |texts: [&'static str; 10]| texts.map(|text| (text != "-").then_some(text));
    [
        (
            some([
                "max",
                "true",
                "2147483647",
                "9223372036854775807",
                NINES,
                STRANGE,
                "9999-12-31",
                "9999-12-31T23:59:59.999999Z",
                "2026-03-31T16:00:00.123456Z",
                "-",
            ]),
            Some(1e308),
        ),
        (
            some([
                "min",
                "false",
                "-2147483648",
                "-9223372036854775808",
                MINUS_NINES,
                "",
                "0001-01-01",
                "0001-01-01T00:00:00Z",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999999Z",
            ]),
            Some(5e-324),
        ),
        (some(["none", "-", "-", "-", "-", "-", "-", "-", "2026-01-01T00:00:00Z", "-"]), None),
        (
            some([
                "offset",
                "-",
                "0",
                "9007199254740993",
                "-0.0000000001",
                "NULL",
                "2024-02-29",
                "2026-01-01T11:30:00.500Z",
                "2026-01-01T00:00:00Z",
                "2026-01-02T00:00:00Z",
            ]),
            Some(0.1),
        ),
        (
            some([
                "small",
                "true",
                "-",
                "0",
                "0.0000000001",
                "null",
                "1970-01-01",
                "1970-01-01T00:00:00.000001Z",
                "2026-01-01T00:00:00Z",
                "-",
            ]),
            // Zero has one form.
            Some(0.0),
        ),
    ]
}

fn bytes(client: &Client, sql: &str, accept: &str) -> Vec<u8> {
    client.post_sql(&json!({"sql": sql}), accept).expect_status(200).body
}

fn check_csv(client: &Client) {
    let quoted = |text: &&str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => (*text).to_owned(),
    };
    let mut wanted = COLUMNS.join(",") + "\n";
    for (row, _) in expected() {
        wanted += &row.map(|value| value.as_ref().map(quoted).unwrap_or_default()).join(",");
        wanted.push('\n');
    }
    let sql = format!("SELECT {} FROM exact ORDER BY id", COLUMNS.join(", "));
    assert_eq!(String::from_utf8_lossy(&bytes(client, &sql, "text/csv")), wanted);
}

fn check_json(client: &Client) {
    let body = bytes(client, "SELECT * FROM exact ORDER BY id", "application/json");
    let rows: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_slice(&body).expect("an array of objects");
    assert_eq!(rows.len(), 5);
    for (row, (wanted, float)) in rows.iter().zip(expected()) {
        let id = wanted[0].unwrap_or_default();
        for (column, value) in COLUMNS.iter().zip(wanted) {
            let text = match value {
                None => "null".to_owned(),
                Some(text) if matches!(*column, "b" | "i32" | "i64") => text.to_owned(),
                Some(text) => json!(text).to_string(),
            };
            assert_eq!(row[*column].get(), text, "{column} of '{id}'");
        }
        let shown = row["f"].get();
        let found = (shown != "null").then(|| shown.parse::<f64>().expect("a number"));
        assert_eq!(found.map(f64::to_bits), float.map(f64::to_bits), "f of '{id}': {shown}");
        assert!(row["system_from"].get().ends_with("Z\""), "system times are UTC and say so");
        assert_eq!(row["system_to"].get(), "null");
    }
}

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))
}

/// The five rows as a batch with the columns of the definition, ordered by `id`; checks types and values.
fn check_batch(batch: &RecordBatch) {
    let column = |name: &str| batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    let types = [
        ("id", DataType::Utf8),
        ("b", DataType::Boolean),
        ("i32", DataType::Int32),
        ("i64", DataType::Int64),
        ("f", DataType::Float64),
        ("d", DataType::Decimal128(38, 10)),
        ("s", DataType::Utf8),
        ("day", DataType::Date32),
        ("at", utc()),
        ("valid_from", utc()),
        ("valid_to", utc()),
        ("system_from", utc()),
        ("system_to", utc()),
    ];
    for (name, wanted) in types {
        assert_eq!(column(name).data_type(), &wanted, "{name}");
    }
    assert_eq!(batch.num_rows(), 5);
    let ids: Vec<Option<&str>> = column("id").as_string::<i32>().iter().collect();
    assert_eq!(ids, ["max", "min", "none", "offset", "small"].map(Some));
    let i64s: Vec<Option<i64>> = column("i64").as_primitive::<Int64Type>().iter().collect();
    assert_eq!(i64s, [Some(i64::MAX), Some(i64::MIN), None, Some(9_007_199_254_740_993), Some(0)]);
    let bits: Vec<Option<u64>> =
        column("f").as_primitive::<Float64Type>().iter().map(|f| f.map(f64::to_bits)).collect();
    assert_eq!(bits, expected().map(|(_, float)| float.map(f64::to_bits)));
    let decimals: Vec<Option<i128>> = column("d").as_primitive::<Decimal128Type>().iter().collect();
    assert_eq!(decimals, [Some(NINES_DIGITS), Some(-NINES_DIGITS), None, Some(-1), Some(1)]);
    let texts: Vec<Option<&str>> = column("s").as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some(STRANGE), Some(""), None, Some("NULL"), Some("null")]);
    let days: Vec<Option<i32>> = column("day").as_primitive::<Date32Type>().iter().collect();
    assert_eq!(days, [Some(2_932_896), Some(-719_162), None, Some(19_782), Some(0)]);
    let micros = |name: &str| column(name).as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<_>>();
    let (first, last): (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
    assert_eq!(micros("at"), [Some(last), Some(first), None, Some(1_767_267_000_500_000), Some(1)]);
    assert_eq!(micros("valid_to"), [None, Some(last), None, Some(1_767_312_000_000_000), None]);
    assert_eq!(micros("valid_from")[..2], [Some(1_774_972_800_123_456), Some(first)]);
}

fn check_arrow(client: &Client) {
    let body = bytes(client, "SELECT * FROM exact ORDER BY id", "application/vnd.apache.arrow.stream");
    let reader = StreamReader::try_new(Cursor::new(body), None).expect("an Arrow stream");
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("a batch")).collect();
    check_batch(&concat_batches(&schema, &batches).expect("one schema"));
}

fn check_all(client: &Client) {
    check_csv(client);
    check_json(client);
    check_arrow(client);
}

fn counts(client: &Client, dataset: &str) -> (Value, Value) {
    let counts = client.get(&format!("/api/v1/datasets/{dataset}")).expect_status(200).json()["counts"].clone();
    (counts["committed"].clone(), counts["unchanged"].clone())
}

/// Files under a folder whose name ends so.
fn files_under(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn every_type_is_exact_everywhere_and_after_a_kill() {
    let server = quick::start();
    server.put_dataset("exact", &definition()).expect_status(201);
    let receipt = server.post_events("exact", "committed", events()).expect_status(200).json();
    assert_eq!((&receipt["accepted"], &receipt["rejected"]), (&json!(5), &json!([])), "{receipt}");
    check_all(&server);
    // The same facts in the same and in other words: the state knows all of them.
    server.post_events("exact", "committed", events()).expect_status(200);
    let other_words = r#"{"id":"small","b":true,"i64":"0","f":0,"d":"0.00000000010","s":"null","day":"1970-01-01","at":"1970-01-01T01:00:00.000001+01:00","begins":"2025-12-31T23:00:00-01:00"}"#;
    server.post_events("exact", "committed", other_words).expect_status(200);
    assert_eq!(counts(&server, "exact"), (json!(5), json!(6)));

    let server = quick::start_on(server.kill());
    check_all(&server);
    server.post_events("exact", "committed", events()).expect_status(200);
    assert_eq!(counts(&server, "exact"), (json!(5), json!(11)));
    check_all(&server);

    let data = server.stop();
    let mut seen = 0;
    for file in files_under(&data.path().join("lake"), ".parquet") {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file).expect("a file")).expect("Parquet");
        let schema = reader.schema().clone();
        let batches: Vec<RecordBatch> =
            reader.build().expect("a reader").map(|batch| batch.expect("a batch")).collect();
        let batch = concat_batches(&schema, &batches).expect("one schema");
        let Some(ids) = batch.column_by_name("id") else { continue };
        seen += ids.len();
        check_stored(&batch);
    }
    assert!(seen >= 5, "only {seen} rows are stored");
}

/// The extremes as they lie in a file, whatever rows it has.
fn check_stored(batch: &RecordBatch) {
    let column = |name: &str| batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    let ids = column("id").as_string::<i32>();
    let (i64s, floats) = (column("i64").as_primitive::<Int64Type>(), column("f").as_primitive::<Float64Type>());
    let decimals = column("d").as_primitive::<Decimal128Type>();
    let times = column("at").as_primitive::<TimestampMicrosecondType>();
    for row in 0..batch.num_rows() {
        match ids.value(row) {
            "max" => {
                assert_eq!((i64s.value(row), decimals.value(row)), (i64::MAX, NINES_DIGITS));
                assert_eq!((floats.value(row), times.value(row)), (1e308, 253_402_300_799_999_999));
                assert_eq!(column("s").as_string::<i32>().value(row), STRANGE);
            }
            "min" => {
                assert_eq!((i64s.value(row), decimals.value(row)), (i64::MIN, -NINES_DIGITS));
                assert_eq!(floats.value(row).to_bits(), 1, "the smallest subnormal number");
                assert_eq!(column("day").as_primitive::<Date32Type>().value(row), -719_162);
            }
            "none" => {
                for name in ["b", "i32", "i64", "f", "d", "s", "day", "at", "valid_to", "system_to"] {
                    assert!(column(name).is_null(row), "{name}");
                }
            }
            _ => {}
        }
    }
}

#[test]
fn the_last_digit_tells_facts_apart_in_state_and_conditions() {
    let server = quick::start();
    server.put_dataset("exact", &definition()).expect_status(201);
    server.post_events("exact", "committed", events()).expect_status(200);
    let ids = |condition: &str| -> Vec<String> {
        let rows = server.rows(&format!("SELECT id FROM exact {condition} ORDER BY id"));
        rows.iter().map(|row| row["id"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(ids("WHERE i64 = 9223372036854775807"), ["max"]);
    assert_eq!(ids("WHERE i64 < 0"), ["min"]);
    assert_eq!(ids(&format!("WHERE d = CAST('{NINES}' AS DECIMAL(38,10))")), ["max"]);
    assert_eq!(ids("WHERE d > 0 AND d < 0.0000000002"), ["small"]);
    assert_eq!(ids("WHERE day = DATE '9999-12-31'"), ["max"]);
    assert_eq!(ids("WHERE day = DATE '0001-01-01'"), ["min"]);
    assert_eq!(ids("WHERE at = '9999-12-31T23:59:59.999999Z'"), ["max"]);
    assert_eq!(ids("WHERE at > TIMESTAMP '2026-01-01T00:00:00Z'"), ["max", "offset"]);
    assert_eq!(ids("WHERE f = 5e-324"), ["min"]);
    assert_eq!(ids("WHERE s IS NULL"), ["none"]);
    assert_eq!(ids("WHERE s = ''"), ["min"]);
    // Bounds to the microsecond, at both ends of the calendar.
    assert_eq!(ids("FOR VALID_TIME AS OF '2026-03-31T16:00:00.123455Z'"), ["min", "none", "small"]);
    assert_eq!(ids("FOR VALID_TIME AS OF '2026-03-31T18:00:00.123456+02:00'"), ["max", "min", "none", "small"]);
    assert_eq!(ids("FOR VALID_TIME AS OF '0001-01-01'"), ["min"]);
    assert_eq!(ids("FOR VALID_TIME AS OF '9999-12-31T23:59:59.999998Z'"), ["max", "min", "none", "small"]);
    assert_eq!(ids("FOR VALID_TIME AS OF '9999-12-31T23:59:59.999999Z'"), ["max", "none", "small"]);

    let max = events().lines().next().expect("the first event").to_owned();
    let one_less = [
        ("9223372036854775807", "9223372036854775806"),
        (".9999999999\"", ".9999999998\""),
        ("23:59:59.999999Z", "23:59:59.999998Z"),
        ("1e308", "1.0000000000000002e308"),
        ("\"i32\":2147483647", "\"i32\":2147483646"),
        ("9999-12-31\"", "9999-12-30\""),
        ("🦀", "🦞"),
        ("\"b\":true", "\"b\":null"),
    ];
    for (index, (old, new)) in one_less.into_iter().enumerate() {
        assert!(max.contains(old), "{old}");
        server.post_events("exact", "committed", max.replace(old, new)).expect_status(200);
        assert_eq!(counts(&server, "exact"), (json!(6 + index), json!(0)), "{old} became {new}");
    }
}

#[test]
fn keys_are_exact_in_every_type() {
    let server = quick::start();
    let definition = json!({
        "columns": [
            {"name": "n", "type": "int64"}, {"name": "d", "type": "decimal(38,10)"}, {"name": "day", "type": "date"},
            {"name": "at", "type": "timestamp"}, {"name": "flag", "type": "bool"}, {"name": "name", "type": "string"},
            {"name": "x", "type": "int32"}, {"name": "begins", "type": "date"}, {"name": "ends", "type": "date"},
        ],
        "key": ["n", "d", "day", "at", "flag", "name"], "valid_from": "begins", "valid_to": "ends", "mode": "interval",
    });
    server.put_dataset("keyed", &definition).expect_status(201);
    let base = format!(
        r#"{{"n":9223372036854775807,"d":"{NINES}","day":"9999-12-31","at":"2026-03-31T18:00:00.123456+02:00","flag":true,"name":"a","x":1,"begins":"0001-01-01","ends":"9999-12-31"}}"#
    );
    let others = [
        ("5807", "5806"),
        (".9999999999\"", ".9999999998\""),
        ("\"day\":\"9999-12-31\"", "\"day\":\"9999-12-30\""),
        (".123456", ".123457"),
        ("true", "false"),
        ("\"name\":\"a\"", "\"name\":\"A\""),
    ];
    let mut lines = vec![base.clone()];
    lines.extend(others.map(|(old, new)| base.replace(old, new)));
    server.post_events("keyed", "committed", lines.join("\n")).expect_status(200);
    assert_eq!(counts(&server, "keyed"), (json!(7), json!(0)));
    let same = base.replace("18:00:00.123456+02:00", "16:00:00.123456Z");
    server.post_events("keyed", "committed", same).expect_status(200);
    assert_eq!(counts(&server, "keyed"), (json!(7), json!(1)));
    let keys = "n, d, day, at, flag, name";
    let rows = server.rows(&format!("SELECT {keys}, valid_from, valid_to FROM keyed ORDER BY {keys}"));
    assert_eq!(rows.len(), 7);
    let wanted = json!({
        "n": i64::MAX, "d": NINES, "day": "9999-12-31", "at": "2026-03-31T16:00:00.123457Z", "flag": true, "name": "a",
        "valid_from": "0001-01-01T00:00:00Z", "valid_to": "9999-12-31T00:00:00Z",
    });
    assert_eq!(rows.last(), Some(&wanted));
}

#[test]
fn what_does_not_fit_is_refused_and_never_rounded() {
    let server = quick::start();
    server.put_dataset("exact", &definition()).expect_status(201);
    let bad = [
        r#""i64":9223372036854775808"#,
        r#""i64":1.5"#,
        r#""i32":2147483648"#,
        r#""d":"10000000000000000000000000000""#,
        r#""d":0.00000000001"#,
        r#""f":1e309"#,
        r#""f":"NaN""#,
        r#""day":"2026-02-30""#,
        r#""day":"2026-03-31T00:00:00Z""#,
        r#""at":"2026-03-31T18:00:00.1234567Z""#,
        r#""at":"2026-03-31T25:00:00Z""#,
        r#""b":1"#,
    ];
    let lines: Vec<String> =
        bad.iter().map(|member| format!(r#"{{"id":"bad","begins":"2026-01-01",{member}}}"#)).collect();
    let receipt = server.post_events("exact", "committed", lines.join("\n")).expect_status(200).json();
    let refused: Vec<u64> =
        receipt["rejected"].as_array().expect("a list").iter().filter_map(|line| line["line"].as_u64()).collect();
    assert_eq!(refused, (1..=bad.len() as u64).collect::<Vec<_>>(), "{receipt}");
    assert_eq!(receipt["accepted"], 0);
}
