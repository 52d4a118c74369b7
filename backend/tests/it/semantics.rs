//! Semantic definitions through the real binary: defined, asked for by `MEASURE(name)`, changed, asked for as of before, deleted;
//! two writers; restarts; what is refused and where.

use serde_json::{Value, json};

use crate::{
    quick,
    support::{Client, Reply, Server},
};

const JSON: (&str, &str) = ("content-type", "application/json");
const PATH: &str = "/api/v1/datasets/prices/semantics";

/// A server with two prices: 1 share at 10.00 and 2 at 40.00.
fn started() -> Server {
    let server = quick::start();
    let columns = json!([
        {"name": "share", "type": "string"}, {"name": "sector", "type": "string"},
        {"name": "close", "type": "decimal(10,2)"}, {"name": "volume", "type": "int64"},
        {"name": "at", "type": "timestamp"},
    ]);
    let definition = json!({"columns": columns, "key": ["share"], "valid_from": "at", "mode": "until_changed"});
    server.put_dataset("prices", &definition).expect_status(201);
    let lines = [
        json!({"share": "A", "sector": "Bank", "close": "10.00", "volume": 1, "at": "2026-01-01T00:00:00Z"}),
        json!({"share": "B", "sector": "Food", "close": "40.00", "volume": 2, "at": "2026-01-01T00:00:00Z"}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    server.post_events("prices", "committed", lines.join("\n")).expect_status(200);
    server
}

/// A definition whose `turnover` has this formula, and `vwap` is made of it.
fn semantics(turnover: &str) -> Value {
    json!({
        "dataset": "prices",
        "description": "A close of a share.",
        "measures": [
            {"name": "turnover", "title": "Turnover", "formula": turnover, "unit": "EUR", "format": {"fixed": 2}, "additive": true},
            {"name": "vwap", "title": "VWAP", "formula": "MEASURE(turnover) / sum(volume)", "unit": "EUR"},
        ],
        "dimensions": [{"name": "sector", "title": "Sector"}],
        "hierarchies": [{"name": "industry", "levels": ["sector", "share"]}],
    })
}

fn put(client: &Client, definition: &Value, query: &str, headers: &[(&str, &str)]) -> Reply {
    client.call("PUT", &format!("{PATH}{query}"), &[&[JSON], headers].concat(), definition.to_string())
}

fn system_time(reply: &Reply) -> String {
    reply.json()["system_time"].as_str().expect("a system time").to_owned()
}

fn refused(client: &Client, sql: &str) -> Value {
    let reply = client.post_sql(&json!({ "sql": sql }), "application/json");
    assert!((400..500).contains(&reply.status), "{sql}: {} {}", reply.status, reply.text());
    reply.json()
}

#[test]
fn a_measure_is_asked_for_by_its_name_and_an_old_page_has_the_old_formula() {
    let server = started();
    let first =
        system_time(&put(&server, &semantics("sum(close * volume)"), "?author=Ann&note=first", &[]).expect_status(201));
    let asked = "SELECT MEASURE(turnover) FROM prices";
    assert_eq!(server.rows(asked), [json!({"turnover": "90.00"})]);
    let by = "SELECT sector, CAST(MEASURE(p.vwap) AS DOUBLE) AS v FROM prices AS p GROUP BY sector HAVING MEASURE(turnover) > 0 ORDER BY MEASURE(turnover) DESC";
    assert_eq!(server.rows(by), [json!({"sector": "Food", "v": 40.0}), json!({"sector": "Bank", "v": 10.0})]);

    put(&server, &semantics("sum(volume)"), "?author=Ben&note=in+shares", &[]).expect_status(200);
    assert_eq!(server.rows(asked), [json!({"turnover": 3})]);
    let then = format!("SELECT MEASURE(turnover) FROM prices FOR SYSTEM_TIME AS OF TIMESTAMP '{first}'");
    assert_eq!(server.rows(&then), [json!({"turnover": "90.00"})]);
    let request = json!({"sql": asked, "system_time": first});
    assert_eq!(server.post_sql(&request, "application/json").expect_status(200).json(), json!([{"turnover": "90.00"}]));
    let shown = server.get(&format!("{PATH}?system_time={first}")).expect_status(200).json();
    assert_eq!(shown["measures"][0]["formula"], "sum(close * volume)");

    // Over a restart and a kill, and in views.
    let view = "CREATE VIEW by_sector AS SELECT sector, MEASURE(turnover) AS t FROM prices GROUP BY sector";
    server.post_sql(&json!({ "sql": view }), "application/json").expect_status(200);
    let server = quick::start_on(server.stop());
    let server = quick::start_on(server.kill());
    assert_eq!(server.rows("SELECT sum(t) AS t FROM by_sector"), [json!({"t": 3})]);
    let then = format!("SELECT max(t) AS t FROM by_sector FOR SYSTEM_TIME AS OF TIMESTAMP '{first}'");
    assert_eq!(server.rows(&then), [json!({"t": "80.00"})]);

    server.call("DELETE", &format!("{PATH}?author=Cleo&note=moved"), &[], "").expect_status(200);
    let problem = refused(&server, asked);
    assert!(problem["detail"].as_str().expect("a detail").contains("none was defined"), "{problem}");
    let gone = server.get(PATH).expect_status(404).json();
    assert_eq!(gone["deleted"]["author"], "Cleo");
    let then = format!("SELECT MEASURE(turnover) FROM prices FOR SYSTEM_TIME AS OF TIMESTAMP '{first}'");
    assert_eq!(server.rows(&then), [json!({"turnover": "90.00"})]);
}

#[test]
fn versions_are_kept_with_who_when_and_why_and_are_a_dataset_in_sql() {
    let server = started();
    assert!(server.rows("SELECT * FROM system.semantics").is_empty());
    let summary = |server: &Server| server.get("/api/v1/datasets/prices").expect_status(200).json();
    assert_eq!(summary(&server)["semantics"], Value::Null);
    server.get(PATH).expect_status(404);
    server.get(&format!("{PATH}/versions")).expect_status(404);
    let made = put(&server, &semantics("sum(close)"), "?author=Ann&note=first", &[]).expect_status(201);
    assert_eq!(made.header("etag"), Some(format!("\"{}\"", system_time(&made)).as_str()));
    assert_eq!(summary(&server)["semantics"], system_time(&made));
    let same = put(&server, &semantics("sum(close)"), "?author=Ben", &[]).expect_status(200).json();
    assert_eq!(same["outcome"], "unchanged");
    put(&server, &semantics("sum(volume)"), "?author=Ben&note=second", &[]).expect_status(200);
    server.get(&format!("{PATH}?system_time=2999-01-01")).expect_status(422);
    let listed = server.get(&format!("{PATH}/versions")).expect_status(200).json();
    assert_eq!(listed["name"], "prices");
    let notes: Vec<&Value> = listed["versions"].as_array().expect("versions").iter().map(|v| &v["note"]).collect();
    assert_eq!(notes, ["second", "first"]);
    let rows = server.rows("SELECT name, author FROM system.semantics FOR SYSTEM_TIME ALL ORDER BY system_from");
    assert_eq!(rows, [json!({"name": "prices", "author": "Ann"}), json!({"name": "prices", "author": "Ben"})]);
    let yaml = server.get(&format!("{PATH}?format=yaml")).expect_status(200);
    assert_eq!(yaml.header("content-type"), Some("application/yaml"));
    let kind = ("content-type", "application/yaml");
    let again = server.call("PUT", PATH, &[kind], yaml.body.clone()).expect_status(200).json();
    assert_eq!(again["outcome"], "unchanged");
}

#[test]
fn two_writers_are_told_of_each_other() {
    let server = started();
    put(&server, &semantics("sum(close)"), "?author=Ann", &[("if-none-match", "*")]).expect_status(201);
    put(&server, &semantics("sum(close)"), "", &[("if-none-match", "*")]).expect_status(412);
    let seen = server.get(PATH).header("etag").expect("a tag").to_owned();
    let matching = [("if-match", seen.as_str())];
    put(&server, &semantics("sum(volume)"), "?author=Ann", &matching).expect_status(200);
    let problem = put(&server, &semantics("min(close)"), "?author=Ben", &matching).expect_status(412).json();
    assert!(problem["detail"].as_str().expect("a detail").contains("changed by Ann"), "{problem}");
    assert_eq!(problem["current"]["definition"]["measures"][0]["formula"], "sum(volume)");
    put(&server, &semantics("min(close)"), "", &[("if-match", "unquoted")]).expect_status(400);
    server.call("DELETE", PATH, &[matching[0]], "").expect_status(412);
    let tag = format!("\"{}\"", problem["current"]["tag"].as_str().expect("a tag"));
    server.call("DELETE", PATH, &[("if-match", &tag)], "").expect_status(200);
    server.call("DELETE", PATH, &[], "").expect_status(404);
    let late = put(&server, &semantics("min(close)"), "", &matching).expect_status(412).json();
    assert!(late["detail"].as_str().expect("a detail").contains("deleted"), "{late}");
}

#[test]
fn what_is_not_right_is_refused_with_its_place() {
    let server = started();
    let mut wrong = semantics("sum(clsoe)");
    wrong["measures"][1]["formula"] = json!("close * 2");
    wrong["dimensions"][0]["name"] = json!("sectr");
    let reply = put(&server, &wrong, "", &[]).expect_status(422);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    let places: Vec<&Value> = problem["problems"].as_array().expect("problems").iter().map(|p| &p["pointer"]).collect();
    assert_eq!(places, ["/dimensions/0/name", "/measures/0/formula", "/measures/1/formula"], "{problem}");
    let reason = problem["problems"][1]["reason"].as_str().expect("a reason");
    assert!(reason.contains("at character 5") && reason.contains("did you mean 'close'?"), "{reason}");
    assert!(problem["problems"][1]["line"].is_u64(), "{problem}");

    let first = |measures: Value| {
        let definition = json!({"dataset": "prices", "measures": measures});
        let problem = put(&server, &definition, "", &[]).expect_status(422).json();
        (problem["problems"][0]["pointer"].clone(), problem["problems"][0]["reason"].to_string())
    };
    let one = |formula: &str| first(json!([{"name": "a", "formula": formula}]));
    for (formula, words) in [
        ("sum(close", "is not right"),
        ("", "is not right"),
        ("sum(close) FROM prices", "expected the end of the formula"),
        ("MEASURE(a)", "made of itself"),
        ("MEASURE(b)", "there is no measure 'b'"),
        ("(SELECT 1)", "no query of its own"),
        ("close", "aggregate function"),
        ("sum(close) + volume", "is not right"),
    ] {
        let (pointer, reason) = one(formula);
        assert_eq!(pointer, "/measures/0/formula", "{formula}");
        assert!(reason.contains(words), "{formula}: {reason}");
    }
    let circle = json!([{"name": "a", "formula": "MEASURE(b)"}, {"name": "b", "formula": "1 + MEASURE(a)"}]);
    assert!(first(circle).1.contains("a → b → a"));
    let twice = json!([{"name": "a", "formula": "count(*)"}, {"name": "a", "formula": "count(*)"}]);
    assert_eq!(first(twice).0, "/measures/1/name");
    assert_eq!(first(json!([{"name": "close", "formula": "count(*)"}])).0, "/measures/0/name");
    assert_eq!(first(json!([{"name": "a", "formula": "count(*)", "titel": "A"}])).0, "/measures/0/titel");
    for text in
        ["", "[", "{\"dataset\": 1}", "\u{0}", r#"{"format": 7, "dataset": "prices"}"#, r#"{"dataset": "other"}"#]
    {
        server.call("PUT", PATH, &[JSON], text.to_owned()).expect_status(422);
    }
    server.call("PUT", PATH, &[JSON], vec![0xff, 0xfe]).expect_status(400);
    server.call("PUT", &format!("{PATH}?autor=x"), &[JSON], "{}").expect_status(400);
    server.get("/api/v1/datasets/gone/semantics").expect_status(404);
    server.call("PUT", "/api/v1/datasets/gone/semantics", &[JSON], r#"{"dataset": "gone"}"#).expect_status(404);
    server.call("PUT", "/api/v1/datasets/tidemark_dashboards/semantics", &[JSON], "{}").expect_status(403);
    assert!(server.rows("SELECT * FROM system.semantics").is_empty(), "nothing of it was stored");
}

#[test]
fn a_question_that_names_no_measure_is_told_where_and_which_there_are() {
    let server = started();
    put(&server, &semantics("sum(close)"), "", &[]).expect_status(201);
    let problem = refused(&server, "SELECT share,\n  MEASURE(turnovr) FROM prices GROUP BY share");
    assert_eq!((&problem["line"], &problem["column"]), (&json!(2), &json!(3)), "{problem}");
    assert!(problem["detail"].as_str().expect("a detail").contains("did you mean 'turnover'?"), "{problem}");
    for sql in [
        "SELECT share FROM prices WHERE MEASURE(turnover) > 1",
        "SELECT MEASURE(turnover)",
        "SELECT MEASURE(turnover, vwap) FROM prices",
        "SELECT MEASURE(turnover) FROM system.semantics",
        "SELECT MEASURE(turnover) FROM prices AS a CROSS JOIN prices AS b",
    ] {
        let problem = refused(&server, sql);
        assert!(problem["column"].is_u64(), "{sql}: {problem}");
    }
}

#[test]
fn the_schema_says_what_a_definition_is_made_of() {
    let server = started();
    let schema = server.get("/api/v1/semantics/schema.json").expect_status(200);
    assert_eq!(schema.header("content-type"), Some("application/schema+json"));
    let schema = schema.json();
    assert_eq!((&schema["required"], &schema["additionalProperties"]), (&json!(["dataset"]), &json!(false)));
    let members = semantics("sum(close)");
    for member in members.as_object().expect("members").keys() {
        assert!(schema["properties"][member].is_object(), "{member}: {schema}");
    }
}

#[test]
fn a_tile_names_a_measure_without_sql() {
    let server = started();
    put(&server, &semantics("sum(close * volume)"), "", &[]).expect_status(201);
    let definition = json!({
        "name": "desk",
        "title": "Desk",
        "tiles": [{
            "id": "bars", "title": "Turnover by sector",
            "query": {"dataset": "prices", "measures": [{"measure": "turnover"}], "by": ["sector"]},
            "picture": {"chart": {"title": "Turnover", "mark": "bar", "x": {"column": "sector"}, "y": [{"column": "turnover"}]}},
        }],
    });
    server.call("PUT", "/api/v1/dashboards/desk", &[JSON], definition.to_string()).expect_status(201);
    let page = server.get("/api/v1/dashboards/desk/page").expect_status(200).json();
    let sql = page["definition"]["tiles"][0]["sql"].as_str().expect("a statement");
    assert!(sql.contains("MEASURE(f.\"turnover\") AS \"turnover\""), "{sql}");
    let picture = server.get("/api/v1/dashboards/desk/tiles/bars.svg?on=2026-02-01").expect_status(200).text();
    assert!(picture.contains("Food") && picture.contains("Bank"), "{picture}");
}

#[test]
fn a_choice_on_a_tile_leads_down_the_hierarchy_to_the_versions_of_a_fact() {
    let server = started();
    let mut meaning = semantics("sum(close * volume)");
    put(&server, &meaning, "", &[]).expect_status(201);
    let query = json!({"dataset": "prices", "measures": [{"measure": "turnover"}], "by": ["sector"],
        "filters": [{"field": "volume", "is": {"at-least": "0"}}], "down": {"hierarchy": "industry"}});
    let chart = json!({"title": "Turnover", "mark": "bar", "x": {"column": "sector"}, "y": [{"column": "turnover"}]});
    let tile = json!({"id": "bars", "title": "Turnover", "query": query, "picture": {"chart": chart}});
    let mut definition = json!({"name": "desk", "title": "Desk", "tiles": [tile]});
    server.call("PUT", "/api/v1/dashboards/desk", &[JSON], definition.to_string()).expect_status(201);

    let page = server.get("/api/v1/dashboards/desk/page").expect_status(200).json();
    let tile = &page["definition"]["tiles"][0];
    assert_eq!(tile["on_pick"], json!({"drill": {"column": "sector"}}), "{tile}");
    let [shares, facts] = &tile["levels"].as_array().expect("levels")[..] else { panic!("{tile}") };
    assert_eq!(shares["on_pick"], json!({"drill": {"column": "share"}}));
    assert_eq!(shares["picture"]["chart"]["x"]["column"], "share");
    assert_eq!(facts["on_pick"], json!({"versions": {"dataset": "prices", "key": ["share"]}}));
    // Each level is asked as its tile is, narrowed down to what was chosen above.
    let asked = |level: &Value, filters: Value| {
        let mut parameters = json!({"from": "2026-01-01", "to": "2026-03-01", "q1": tile["parameters"]["q1"]});
        // A parameter that a statement does not have is refused.
        let has = |name: &str| level["sql"].as_str().expect("a statement").contains(&format!("${name}"));
        parameters.as_object_mut().expect("parameters").retain(|name, _| has(name));
        let body = json!({"sql": level["sql"], "parameters": parameters, "filters": filters}).to_string();
        let answer = server.call("POST", "/api/v1/sql", &[JSON, ("accept", "application/json")], body);
        answer.expect_status(200).json().as_array().expect("rows").clone()
    };
    let food = json!([{"column": "sector", "in": ["Food"]}]);
    let all = asked(shares, json!([])).len();
    let below = asked(shares, food.clone()).len();
    assert!(0 < below && below < all, "{below} of {all}");
    let rows = asked(facts, food);
    assert!(rows.iter().all(|row| row["sector"] == "Food" && row["share"].is_string()), "{rows:?}");

    // Without the hierarchy the tile says so, and beside a choice of its own it is refused.
    meaning["hierarchies"] = json!([]);
    put(&server, &meaning, "", &[]).expect_status(200);
    let page = server.get("/api/v1/dashboards/desk/page").expect_status(200).json();
    let problem = page["definition"]["tiles"][0]["problem"].as_str().expect("a reason").to_owned();
    assert!(problem.contains("no hierarchy 'industry'"), "{problem}");
    definition["tiles"][0]["on_pick"] = json!({"filter": {"column": "sector"}});
    let refused = server.call("PUT", "/api/v1/dashboards/desk", &[JSON], definition.to_string()).expect_status(422);
    assert!(refused.text().contains("tiles[0].query.down"), "{}", refused.text());
}

#[test]
fn another_site_changes_nothing_and_reads_nothing() {
    let server = started();
    let foreign = ("origin", "https://evil.example");
    for (method, path) in [
        ("GET", PATH.to_owned()),
        ("PUT", PATH.to_owned()),
        ("DELETE", PATH.to_owned()),
        ("GET", format!("{PATH}/versions")),
        ("GET", "/api/v1/semantics/schema.json".to_owned()),
    ] {
        let reply = server.call(method, &path, &[JSON, foreign], semantics("sum(close)").to_string());
        assert_eq!(reply.status, 403, "{method} {path}");
    }
}
