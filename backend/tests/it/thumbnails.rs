//! Dashboards in small: what of them is drawn, under which state, what is refused, and that one tile spoils no other.

use std::fs;

use tempfile::TempDir;

use crate::{
    pictures::server_with_prices,
    support::{Reply, Server},
};

/// A chart, a figure, and all that cannot be drawn.
const MIXED: &str = r#"{
  "name": "mixed", "title": "Mixed dashboard",
  "variables": [{"name": "least", "kind": {"number": {"min": 0}}, "default": ["0"]}],
  "tabs": [{"id": "first", "title": "First"}, {"id": "second", "title": "Second"}],
  "tiles": [
    {"id": "line", "title": "Closing prices", "width": 4, "rows": 3,
     "sql": "SELECT valid_from AS day, close FROM prices WHERE valid_from >= $from AND valid_from < $to AND close >= $least ORDER BY valid_from",
     "picture": {"chart": {"title": "Close", "mark": "line", "x": {"column": "day", "format": "day"}, "y": [{"column": "close", "format": {"fixed": 2}}]}}},
    {"id": "figure", "title": "Close", "width": 4, "rows": 3,
     "sql": "SELECT valid_from AS day, close FROM prices WHERE valid_from >= $from AND valid_from < $to ORDER BY valid_from",
     "picture": {"kpi": {"value": {"column": "close", "format": {"fixed": 2}}, "at": {"column": "day", "format": "day"}}}},
    {"id": "gone", "title": "Gone & missing", "width": 4, "rows": 3, "sql": "SELECT a, b FROM nowhere",
     "picture": {"chart": {"title": "Gone", "mark": "line", "x": {"column": "a"}, "y": [{"column": "b"}]}}},
    {"id": "odd", "title": "Odd letters", "width": 4, "rows": 3, "sql": "SELECT chr(1) || 'odd' AS name, 2.0 AS n",
     "picture": {"chart": {"title": "Odd", "mark": "bar", "x": {"column": "name"}, "y": [{"column": "n"}]}}},
    {"id": "rows", "title": "Rows of prices", "width": 4, "rows": 3, "sql": "SELECT * FROM prices", "picture": {"grid": {}}},
    {"id": "words", "title": "Some words", "width": 4, "tab": "first", "picture": {"markdown": {"text": "words"}}},
    {"id": "else", "title": "Elsewhere", "width": 4, "tab": "second", "sql": "SELECT 1 AS one", "picture": {"grid": {}}}
  ]
}"#;

fn server(folder: &TempDir) -> (Server, String) {
    fs::write(folder.path().join("mixed.json"), MIXED).expect("the definition can be written");
    server_with_prices(folder)
}

fn thumbnail(server: &Server, form: &str, query: &str) -> Reply {
    server.get(&format!("/api/v1/dashboards/mixed/thumbnail.{form}?from=2026-03-01&to=2026-03-03&{query}"))
}

/// Width and height of a PNG.
fn sides(png: &[u8]) -> (u32, u32) {
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    (side(16), side(20))
}

#[test]
fn charts_and_figures_are_drawn_and_the_rest_is_named() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (server, before) = server(&folder);
    let reply = thumbnail(&server, "svg", "").expect_status(200);
    assert_eq!(reply.header("content-type"), Some("image/svg+xml"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.header("tidemark-snapshot").is_some());
    let svg = reply.text();
    assert!(svg.contains("<polyline") && svg.contains("99.00") && svg.contains("odd"), "{svg}");
    assert!(svg.contains("width=\"320\" height=\"200\""), "{svg}");
    for block in ["Gone &amp; missing", "Rows of prices", "Some words"] {
        assert!(svg.contains(block), "no '{block}' in {svg}");
    }
    for absent in ["Mixed dashboard", "Closing prices", "Effective", "Elsewhere", "\u{1}"] {
        assert!(!svg.contains(absent), "'{absent}' in {svg}");
    }
    let earlier = thumbnail(&server, "svg", &format!("snapshot={before}")).expect_status(200);
    assert_eq!(earlier.header("tidemark-snapshot"), Some(before.as_str()));
    assert!(earlier.text().contains("103.75"), "{}", earlier.text());
}

#[test]
fn the_address_says_what_is_shown() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (server, _) = server(&folder);
    let second = thumbnail(&server, "svg", "tab=second").expect_status(200).text();
    assert!(second.contains("Elsewhere") && !second.contains("Some words"), "{second}");
    // A variable without a value leaves its tile plain, and so does a range without rows.
    let refused = thumbnail(&server, "svg", "var.least=none").expect_status(200).text();
    assert!(refused.contains("Closing prices") && refused.contains("99.00"), "{refused}");
    let empty = server.get("/api/v1/dashboards/mixed/thumbnail.svg?on=2020-01-01").expect_status(200).text();
    assert!(empty.contains("Closing prices") && !empty.contains("99.00"), "{empty}");
}

#[test]
fn the_same_in_pixels_has_the_size_and_the_theme_asked_for() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (server, _) = server(&folder);
    let light = thumbnail(&server, "png", "width=480").expect_status(200);
    assert_eq!(light.header("content-type"), Some("image/png"));
    let dark = thumbnail(&server, "png", "width=480&theme=dark").expect_status(200).body;
    assert_eq!((sides(&light.body), sides(&dark)), ((480, 300), (480, 300)));
    assert_ne!(light.body, dark);
}

#[test]
fn what_is_no_thumbnail_is_refused_in_words() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (server, _) = server(&folder);
    let refused = |form: &str, query: &str, status: u16| {
        let reply = thumbnail(&server, form, query).expect_status(status).json();
        reply["detail"].as_str().expect("a detail").to_owned()
    };
    assert!(refused("svg", "width=9", 400).contains("64 to 4096"));
    assert!(refused("png", "theme=pink", 400).contains("light or dark"));
    assert!(refused("svg", "version=soon", 400).contains("a version is a moment"));
    assert!(refused("svg", "snapshot=nonsense", 422).contains("snapshot"));
    server.get("/api/v1/dashboards/elsewhere/thumbnail.svg").expect_status(404);
    server.get("/api/v1/dashboards/mixed/thumbnail.gif").expect_status(404);
}
