//! Dashboards as definitions with versions, through the real binary: each version opens as it was, from the API and from a
//! link; two writers; files in and out; restarts; what is refused and how.

use std::{fs, path::Path, process::Command, sync::Arc};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    quick,
    support::{Client, Reply, Server, python, tidemark},
};

const JSON: (&str, &str) = ("content-type", "application/json");
const YAML: (&str, &str) = ("content-type", "application/yaml");

fn desk(title: &str, sql: &str) -> Value {
    json!({
        "name": "desk",
        "title": title,
        "folder": "risk/credit",
        "tags": ["EUR"],
        "tiles": [{"id": "rows", "title": "Rows", "sql": sql, "picture": {"grid": {}}}],
    })
}

fn put(client: &Client, definition: &Value, query: &str, headers: &[(&str, &str)]) -> Reply {
    let path = format!("/api/v1/dashboards/{}{query}", definition["name"].as_str().expect("a name"));
    client.call("PUT", &path, &[&[JSON], headers].concat(), definition.to_string())
}

fn definition(client: &Client, name: &str, system_time: Option<&str>) -> Value {
    let at = system_time.map(|time| format!("?system_time={time}")).unwrap_or_default();
    client.get(&format!("/api/v1/dashboards/{name}{at}")).expect_status(200).json()
}

fn system_time(reply: &Reply) -> String {
    reply.json()["system_time"].as_str().expect("a system time").to_owned()
}

fn names(list: &Value) -> Vec<String> {
    let names = list.as_array().expect("a list").iter().map(|one| one["name"].as_str().expect("a name").to_owned());
    names.collect()
}

/// The five versions of `desk`: title and system time of each.
fn five_versions(client: &Client) -> Vec<(String, String)> {
    let one = |number: usize| {
        let title = format!("Desk {number}");
        let author = if number.is_multiple_of(2) { "Ann" } else { "Ben" };
        let made = put(
            client,
            &desk(&title, &format!("SELECT {number}")),
            &format!("?author={author}&note=step+{number}"),
            &[],
        );
        let made = made.expect_status(if number == 1 { 201 } else { 200 });
        let tag = format!("\"{}\"", system_time(&made));
        assert_eq!(made.header("etag"), Some(tag.as_str()));
        (title, system_time(&made))
    };
    (1..=5).map(one).collect()
}

#[test]
fn a_dashboard_changed_five_times_opens_at_each_of_its_versions() {
    let server = quick::start();
    let versions = five_versions(&server);
    for (title, time) in &versions {
        assert_eq!(definition(&server, "desk", Some(time))["title"], **title);
        // The link of a page, rendered on the server.
        let html = server.get(&format!("/dashboards/desk?version={time}")).expect_status(200).text();
        assert!(html.contains("tile-rows"), "no page at {time}");
        let page = server.get(&format!("/api/v1/dashboards/desk/page?version={time}")).expect_status(200).json();
        assert_eq!(page["definition"]["title"], **title);
        assert_eq!(page["version"]["system_time"], **time);
        assert_eq!(page["latest"], (*title == "Desk 5"));
        let earlier = html.contains("This is the dashboard as it was saved on");
        assert_eq!(earlier, title != "Desk 5", "{title}");
    }
    let listed = server.get("/api/v1/dashboards/desk/versions").expect_status(200).json();
    let listed: Vec<_> = listed["versions"].as_array().expect("versions").iter().map(|v| v["note"].clone()).collect();
    assert_eq!(listed, ["step 5", "step 4", "step 3", "step 2", "step 1"]);
    // Before the first version there was none; its page is the latest, and says so.
    let before = "2001-01-01T00:00:00Z";
    server.get(&format!("/api/v1/dashboards/desk?system_time={before}")).expect_status(404);
    let page = server.get(&format!("/api/v1/dashboards/desk/page?version={before}")).expect_status(200).json();
    assert_eq!((&page["absent"], &page["definition"]["title"]), (&json!(true), &json!("Desk 5")));
    // What was known decides where the link says so.
    let third = &versions[2].1;
    let then =
        server.get(&format!("/api/v1/dashboards/desk/page?version=known&known={third}")).expect_status(200).json();
    assert_eq!(then["definition"]["title"], "Desk 3");
    server.get("/api/v1/dashboards/desk?system_time=2999-01-01").expect_status(422);
    server.get("/api/v1/dashboards/desk/page?version=yesterday").expect_status(400);
}

#[test]
fn versions_outlive_a_restart_and_a_kill_and_are_a_dataset_in_sql() {
    let server = quick::start();
    let versions = five_versions(&server);
    let server = quick::start_on(server.stop());
    let server = quick::start_on(server.kill());
    for (title, time) in &versions {
        assert_eq!(definition(&server, "desk", Some(time))["title"], **title);
    }
    assert_eq!(definition(&server, "desk", None)["title"], "Desk 5");
    let rows = server.rows("SELECT title, author FROM system.dashboards FOR SYSTEM_TIME ALL ORDER BY system_from");
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[3], json!({"title": "Desk 4", "author": "Ann"}));
    let then = format!("SELECT title FROM system.dashboards FOR SYSTEM_TIME AS OF TIMESTAMP '{}'", versions[1].1);
    assert_eq!(server.rows(&then), [json!({"title": "Desk 2"})]);
    assert_eq!(
        server.rows("SELECT title FROM system.dashboards AS d WHERE d.name = 'desk'"),
        [json!({"title": "Desk 5"})]
    );
}

#[test]
fn two_writers_are_told_of_each_other_and_nothing_is_lost() {
    let server = quick::start();
    put(&server, &desk("First", "SELECT 1"), "?author=Ann", &[]).expect_status(201);
    let seen = server.get("/api/v1/dashboards/desk").header("etag").expect("a tag").to_owned();
    let matching = [("if-match", seen.as_str())];
    put(&server, &desk("Ann's", "SELECT 2"), "?author=Ann", &matching).expect_status(200);
    let refused = put(&server, &desk("Ben's", "SELECT 3"), "?author=Ben", &matching).expect_status(412).json();
    assert!(refused["detail"].as_str().expect("a detail").contains("changed by Ann"), "{refused}");
    assert_eq!(refused["current"]["definition"]["title"], "Ann's");
    assert_eq!(refused["current"]["version"]["author"], "Ann");
    // With the tag of what is there it goes through.
    let tag = format!("\"{}\"", refused["current"]["tag"].as_str().expect("a tag"));
    put(&server, &desk("Both", "SELECT 3"), "?author=Ben", &[("if-match", &tag)]).expect_status(200);
    put(&server, &desk("New", "SELECT 4"), "", &[("if-none-match", "*")]).expect_status(412);
    put(&server, &desk("New", "SELECT 4"), "", &[("if-match", "unquoted")]).expect_status(400);
    // An edit of a dashboard that was deleted meanwhile says by whom, and can still be stored as new.
    let tag = server.get("/api/v1/dashboards/desk").header("etag").expect("a tag").to_owned();
    server.call("DELETE", "/api/v1/dashboards/desk?author=Cleo&note=moved", &[], "").expect_status(200);
    let refused = put(&server, &desk("Late", "SELECT 5"), "", &[("if-match", &tag)]).expect_status(412).json();
    assert!(refused["detail"].as_str().expect("a detail").contains("deleted by Cleo"), "{refused}");
    let gone = server.get("/api/v1/dashboards/desk").expect_status(404).json();
    assert_eq!(gone["deleted"]["author"], "Cleo");
    put(&server, &desk("Late", "SELECT 5"), "", &[("if-none-match", "*")]).expect_status(201);

    // Many at once, each of the same version: one is stored, all others are told.
    let tag = server.get("/api/v1/dashboards/desk").header("etag").expect("a tag").to_owned();
    let writers = (0..8).map(|number| {
        let (client, tag) = (server.client(), tag.clone());
        std::thread::spawn(move || {
            put(&client, &desk(&format!("Writer {number}"), "SELECT 6"), "", &[("if-match", &tag)]).status
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut statuses: Vec<u16> = writers.into_iter().map(|writer| writer.join().expect("a writer ends")).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
}

#[test]
fn a_stored_dashboard_goes_before_what_comes_with_the_server_until_it_is_deleted() {
    let server = quick::start();
    let built_in = definition(&server, "market", None);
    let mut own = built_in.clone();
    own["title"] = json!("Our market");
    // The same says nothing new.
    let same = put(&server, &built_in, "", &[]).expect_status(200).json();
    assert_eq!(same["outcome"], "unchanged");
    put(&server, &own, "?author=Ann", &[]).expect_status(201);
    assert_eq!(definition(&server, "market", None)["title"], "Our market");
    let again = put(&server, &own, "?author=Ben", &[]).expect_status(200).json();
    assert_eq!(again["outcome"], "unchanged");
    server.call("DELETE", "/api/v1/dashboards/market", &[], "").expect_status(200);
    assert_eq!(definition(&server, "market", None), built_in);
    server.call("DELETE", "/api/v1/dashboards/market", &[], "").expect_status(409);
    let versions = server.get("/api/v1/dashboards/market/versions").expect_status(200).json();
    assert_eq!(versions["beneath"], "built-in");
    let own_version = versions["versions"][1]["system_time"].clone();
    let restored = json!({"version": own_version, "author": "Cleo"}).to_string();
    server.call("POST", "/api/v1/dashboards/market/restore", &[JSON], restored).expect_status(200);
    assert_eq!(definition(&server, "market", None)["title"], "Our market");
}

#[test]
fn versions_are_compared_restored_and_duplicated() {
    let server = quick::start();
    let versions = five_versions(&server);
    let (first, last) = (&versions[0].1, &versions[4].1);
    let found = server.get(&format!("/api/v1/dashboards/desk/diff?a={first}&b={last}")).expect_status(200).json();
    assert_eq!(
        found["changes"],
        json!([
            {"path": "tiles[rows].sql", "before": "SELECT 1", "after": "SELECT 5"},
            {"path": "title", "before": "Desk 1", "after": "Desk 5"}
        ])
    );
    let restore = json!({"version": versions[1].1, "author": "Ann"}).to_string();
    let restored = server.call("POST", "/api/v1/dashboards/desk/restore", &[JSON], restore).expect_status(200).json();
    assert_eq!(restored["outcome"], "restored");
    assert_eq!(definition(&server, "desk", None), definition(&server, "desk", Some(&versions[1].1)));
    let copy = json!({"name": "desk-2", "title": "Second", "version": versions[2].1}).to_string();
    server.call("POST", "/api/v1/dashboards/desk/duplicate", &[JSON], copy.clone()).expect_status(201);
    assert_eq!(definition(&server, "desk-2", None)["tiles"][0]["sql"], "SELECT 3");
    server.call("POST", "/api/v1/dashboards/desk/duplicate", &[JSON], copy).expect_status(409);
    let bad_name = json!({"name": "Desk 2"}).to_string();
    server.call("POST", "/api/v1/dashboards/desk/duplicate", &[JSON], bad_name).expect_status(422);
}

#[test]
fn dashboards_are_found_by_folder_and_words_now_and_then() {
    let server = quick::start();
    let made = system_time(&put(&server, &desk("Bond desk", "SELECT 1"), "", &[]).expect_status(201));
    let mut moved = desk("Bond desk", "SELECT 1");
    moved["folder"] = json!("trading");
    put(&server, &moved, "", &[]).expect_status(200);
    let list = |query: &str| names(&server.get(&format!("/api/v1/dashboards?{query}")).expect_status(200).json());
    assert!(list("").contains(&"market".to_owned()) && list("").contains(&"desk".to_owned()));
    assert_eq!(list("folder=trading"), ["desk"]);
    assert!(list("folder=risk").is_empty() && list("folder=trad").is_empty());
    assert_eq!(list(&format!("folder=risk&system_time={made}")), ["desk"]);
    assert_eq!(list("q=eur+BOND"), ["desk"]);
    assert!(list("q=eur+usd").is_empty());
    server.get("/api/v1/dashboards?folders=a").expect_status(400);
    let page = server.get("/dashboards").expect_status(200).text();
    assert!(page.contains("Bond desk") && page.contains("trading"), "the list of dashboards is not rendered");
    let page = server.get("/dashboards/desk/versions").expect_status(200).text();
    assert!(page.contains("Versions of Bond desk"), "the versions are not rendered");
}

fn dashboards(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let url = server.base().to_owned();
    let output = tidemark(&[&["dashboards"], arguments, &["--url", &url]].concat(), b"");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

#[test]
fn a_folder_of_files_is_applied_and_exported_again() {
    let server = quick::start();
    let folder = TempDir::new().expect("a temporary folder can be made");
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    };
    let dir = path_text(folder.path());
    write("a.yaml", "name: one\ntitle: One\ntiles: []\n");
    write("deep/b.json", &desk("Desk", "SELECT 1").to_string());
    let (code, out, _) = dashboards(&server, &["apply", dir, "--dry-run"]);
    assert_eq!(code, 2, "{out}");
    assert!(
        out.contains("would be created")
            && !names(&server.get("/api/v1/dashboards").json()).contains(&"one".to_owned())
    );
    let (code, out, err) = dashboards(&server, &["apply", dir, "--author", "Ann", "--note", "from files"]);
    assert_eq!(code, 0, "{out}{err}");
    let both = server.rows("SELECT name, note, system_from FROM system.dashboards ORDER BY name");
    assert_eq!(both.len(), 2);
    assert_eq!(both[0]["system_from"], both[1]["system_from"], "one epoch for all");
    let (code, out, _) = dashboards(&server, &["apply", dir]);
    assert!(code == 0 && out.contains("nothing to change"), "{out}");

    // Nothing half applied: one mistake, and none is stored.
    write("a.yaml", "name: one\ntitle: One, changed\ntiles: []\n");
    write("c.yaml", "name: three\ntitle: Three\ntiles:\n  - id: x\n    titel: X\n");
    let (code, _, err) = dashboards(&server, &["apply", dir]);
    assert!(code == 1 && err.contains("c.yaml:5:5: tiles[0].titel"), "{err}");
    assert_eq!(definition(&server, "one", None)["title"], "One");
    fs::remove_file(folder.path().join("c.yaml")).expect("a file can be removed");

    // Out, wiped, in again: the same.
    let exported = TempDir::new().expect("a temporary folder can be made");
    let out_dir = path_text(exported.path());
    let (code, out, err) = dashboards(&server, &["export", out_dir]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(exported.path().join("risk/credit/desk.yaml").is_file() && exported.path().join("one.yaml").is_file());
    let (_, out, _) = dashboards(&server, &["export", out_dir]);
    assert!(out.contains("unchanged") && !out.contains("written"), "{out}");
    let before = [definition(&server, "one", None), definition(&server, "desk", None)];
    let elsewhere = quick::start();
    let (code, _, err) = dashboards(&elsewhere, &["apply", out_dir]);
    assert_eq!(code, 0, "{err}");
    assert_eq!([definition(&elsewhere, "one", None), definition(&elsewhere, "desk", None)], before);

    // What no file defines goes only where that is wanted.
    fs::remove_file(exported.path().join("one.yaml")).expect("a file can be removed");
    dashboards(&elsewhere, &["apply", out_dir]);
    assert_eq!(definition(&elsewhere, "one", None)["title"], "One");
    let (code, out, _) = dashboards(&elsewhere, &["apply", out_dir, "--prune"]);
    assert!(code == 0 && out.contains("deleted") && out.contains("one"), "{out}");
    elsewhere.get("/api/v1/dashboards/one").expect_status(404);
    let empty = TempDir::new().expect("a temporary folder can be made");
    let (code, _, err) = dashboards(&elsewhere, &["apply", path_text(empty.path()), "--prune"]);
    assert!(code == 1 && err.contains("nothing was done"), "{err}");
}

#[test]
fn what_is_not_right_is_refused_with_its_place() {
    let server = quick::start();
    let refused = |body: &str, kind: (&str, &str), status: u16| {
        let reply = server.call("PUT", "/api/v1/dashboards/desk", &[kind], body.to_owned()).expect_status(status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        reply.json()
    };
    let problem = refused("name: desk\ntitle: A\ntiles:\n  - id: x\n    titel: X\n", YAML, 422);
    assert_eq!(problem["problems"][0]["line"], 5);
    assert_eq!(problem["problems"][0]["path"], "tiles[0].titel");
    let problem = refused(r#"{"format": 7, "name": "desk", "widgets": []}"#, JSON, 422);
    assert!(problem["detail"].as_str().expect("a detail").contains("reads formats up to 1"), "{problem}");
    let problem = refused(&desk("A", "").to_string(), JSON, 422);
    assert_eq!(problem["problems"][0]["path"], "tiles[0].sql");
    for text in ["", "[", "{\"name\": 1}", "\u{0}", "a: &a [*a]"] {
        refused(text, JSON, 422);
        refused(text, YAML, 422);
    }
    let reply = server.call("PUT", "/api/v1/dashboards/desk", &[JSON], vec![0xff, 0xfe]).expect_status(400);
    assert!(reply.text().contains("UTF-8"));
    let other = desk("A", "SELECT 1").to_string();
    server.call("PUT", "/api/v1/dashboards/other", &[JSON], other).expect_status(422);
    server.call("PUT", "/api/v1/dashboards/desk?autor=x", &[JSON], "{}").expect_status(400);
    for path in ["desk", "desk/versions", "desk/page", "desk/diff?a=2026-01-01", "desk/tiles/a.svg"] {
        server.get(&format!("/api/v1/dashboards/{path}")).expect_status(404);
    }
    server.call("DELETE", "/api/v1/dashboards/desk", &[], "").expect_status(404);
}

#[test]
fn what_is_tidemarks_own_is_filled_by_nobody_else() {
    let server = quick::start();
    // Before anything is stored the table is there and empty.
    assert!(server.rows("SELECT * FROM system.dashboards").is_empty());
    put(&server, &desk("Desk", "SELECT 1"), "", &[]).expect_status(201);
    let columns = json!([{"name": "k", "type": "string"}, {"name": "valid_from", "type": "timestamp"}]);
    let defined = json!({"columns": columns, "key": ["k"], "valid_from": "valid_from", "mode": "until_changed"});
    server.put_dataset("tidemark_dashboards", &defined).expect_status(403);
    server.put_dataset("tidemark_other", &defined).expect_status(403);
    server.post_events("tidemark_dashboards", "durable", "{}").expect_status(403);
    server.change_dataset("tidemark_dashboards", &json!([{"drop": {"column": "note"}}])).expect_status(403);
    let line = json!({"dataset": "tidemark_dashboards", "event": {"name": "x"}}).to_string();
    let refused = server.post_transaction("durable", line).expect_status(422);
    assert!(refused.text().contains("Tidemark's own"), "{}", refused.text());
    for sql in ["DELETE FROM tidemark_dashboards", "UPDATE tidemark_dashboards SET title = 'x'"] {
        let reply = server.post_sql(&json!({ "sql": sql }), "application/json");
        assert!((400..500).contains(&reply.status), "{sql}: {} {}", reply.status, reply.text());
    }
    assert_eq!(definition(&server, "desk", None)["title"], "Desk");
    let listed = names(&server.get("/api/v1/datasets").expect_status(200).json());
    assert!(listed.is_empty(), "{listed:?}");
}

#[test]
fn another_site_changes_nothing_and_reads_nothing() {
    let server = quick::start();
    let foreign = ("origin", "https://evil.example");
    let definition = desk("Desk", "SELECT 1").to_string();
    for (method, path) in [
        ("GET", "/api/v1/dashboards"),
        ("POST", "/api/v1/dashboards"),
        ("GET", "/api/v1/dashboards/schema.json"),
        ("GET", "/api/v1/dashboards/market"),
        ("PUT", "/api/v1/dashboards/desk"),
        ("DELETE", "/api/v1/dashboards/desk"),
        ("GET", "/api/v1/dashboards/market/page"),
        ("GET", "/api/v1/dashboards/market/versions"),
        ("GET", "/api/v1/dashboards/market/diff?a=2026-01-01"),
        ("POST", "/api/v1/dashboards/market/restore"),
        ("POST", "/api/v1/dashboards/market/duplicate"),
        ("POST", "/api/v1/markdown"),
    ] {
        let reply = server.call(method, path, &[JSON, foreign], definition.clone());
        assert_eq!(reply.status, 403, "{method} {path}");
    }
}

#[test]
fn variables_are_bound_and_never_spliced() {
    let server = quick::start();
    let definition = json!({
        "name": "chosen",
        "title": "Chosen",
        "variables": [
            {"name": "region", "kind": {"query": {"sql": "SELECT * FROM (VALUES ('Norden'), ('Iberia')) AS r(region)"}}, "multiple": true},
            {"name": "least", "kind": {"number": {"min": 0}}, "default": ["2"]},
        ],
        "tiles": [{
            "id": "bars", "title": "Bars",
            "sql": "SELECT region, v FROM (VALUES ('Norden', 1), ('Norden', 3), ('Iberia', 4)) AS t(region, v) WHERE region IN ($region) AND v >= $least",
            "picture": {"chart": {"title": "V", "mark": "bar", "x": {"column": "region"}, "y": [{"column": "v"}]}},
        }, {
            "id": "words", "title": "Words", "picture": {"markdown": {"text": "<script>alert(1)</script> [x](javascript:alert(1))"}},
        }],
    });
    put(&server, &definition, "", &[]).expect_status(201);
    let picture = |query: &str| server.get(&format!("/api/v1/dashboards/chosen/tiles/bars.svg?{query}"));
    let all = picture("").expect_status(200).text();
    assert!(all.contains("Norden") && all.contains("Iberia"), "{all}");
    let one = picture("var.region=Iberia").expect_status(200).text();
    assert!(one.contains("Iberia") && !one.contains("Norden"), "{one}");
    let none = picture("var.region=Iberia&var.least=5").expect_status(200).text();
    assert!(none.contains("No row holds"), "{none}");
    let hostile = picture("var.region=x%27%29+OR+1%3D1+--").expect_status(200).text();
    assert!(hostile.contains("No row holds"), "{hostile}");
    assert!(picture("var.least=1%3B").expect_status(400).text().contains("is a number of at least 0"));
    assert!(picture("var.region=~").expect_status(400).text().contains("Choose a value of region"));
    server.get("/api/v1/dashboards/chosen/tiles/words.svg").expect_status(400);
    let page = server.get("/dashboards/chosen").expect_status(200).text();
    assert!(!page.contains("<script>alert(1)") && !page.contains("href=\"javascript"), "hostile words run");
    assert!(page.contains("&lt;script&gt;alert(1)"), "the words are shown as they were written");
    let html = server.call("POST", "/api/v1/markdown", &[], "# A\n\n[b](/docs)").expect_status(200).text();
    assert_eq!(html, "<h3>A</h3>\n<p><a href=\"/docs\">b</a></p>\n");
}

/// Every definition there is, by the schema that the server gives and a validator that is not ours.
#[test]
fn the_schema_validates_every_definition_and_refuses_what_the_server_refuses() {
    let Some(python) = python() else { return };
    let server = quick::start();
    let folder = TempDir::new().expect("a temporary folder can be made");
    let schema = server.get("/api/v1/dashboards/schema.json").expect_status(200);
    assert_eq!(schema.header("content-type"), Some("application/schema+json"));
    fs::write(folder.path().join("schema.json"), &schema.body).expect("a file can be written");
    let mut files = Vec::new();
    for name in names(&server.get("/api/v1/dashboards").json()) {
        let path = folder.path().join(format!("{name}.json"));
        fs::write(&path, definition(&server, &name, None).to_string()).expect("a file can be written");
        files.push(path);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf();
    for kept in ["app/src/dashboards/built_in", "e2e/dashboards"] {
        for entry in fs::read_dir(root.join(kept)).expect("a folder of definitions") {
            let path = entry.expect("an entry").path();
            // What is YAML is read by the server alone.
            if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    let wrong = folder.path().join("wrong.json");
    let mut unknown = desk("A", "SELECT 1");
    unknown["tiles"][0]["titel"] = json!("X");
    fs::write(&wrong, unknown.to_string()).expect("a file can be written");
    let script = "import json, sys\nfrom jsonschema import Draft7Validator\nschema = json.load(open(sys.argv[1]))\n\
        Draft7Validator.check_schema(schema)\n\
        for file in sys.argv[2:]:\n    errors = list(Draft7Validator(schema).iter_errors(json.load(open(file))))\n    print(file, len(errors), errors[:1])\n";
    let output = Command::new(python)
        .args(["-c", script])
        .arg(folder.path().join("schema.json"))
        .args(&files)
        .arg(&wrong)
        .output()
        .expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let refused: Vec<&str> = told.lines().filter(|line| !line.contains(".json 0 []")).collect();
    assert_eq!(told.lines().count(), files.len() + 1);
    assert!(refused.len() == 1 && refused[0].contains("wrong.json"), "{refused:#?}");
}

#[test]
fn a_folder_of_the_server_is_beneath_what_is_stored() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let text = "name: desk\ntitle: From a file\ntiles: []\n";
    fs::write(folder.path().join("desk.yaml"), text).expect("a file can be written");
    let data = Arc::new(TempDir::new().expect("a temporary folder can be made"));
    let server = Server::start_on(data, &["--dashboards", path_text(folder.path())]);
    assert_eq!(definition(&server, "desk", None)["title"], "From a file");
    let tag = server.get("/api/v1/dashboards/desk").header("etag").expect("a tag").to_owned();
    put(&server, &desk("Stored", "SELECT 1"), "", &[("if-match", &tag)]).expect_status(201);
    assert_eq!(definition(&server, "desk", None)["title"], "Stored");
    let yaml = server.get("/api/v1/dashboards/desk?format=yaml").expect_status(200);
    assert_eq!(yaml.header("content-type"), Some("application/yaml"));
    server.call("PUT", "/api/v1/dashboards/desk", &[YAML], yaml.body.clone()).expect_status(200);
}
