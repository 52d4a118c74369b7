//! Tiles as pictures that the server makes: what they say, at which coordinates, and what is refused.

use std::{fs, sync::Arc};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    bad_input::prices,
    quick,
    support::{Reply, Server},
};

const DASHBOARD: &str = r#"{
  "name": "desk", "title": "Desk",
  "notes": "SELECT TIMESTAMP '2026-03-02' AS at, 'Merger' AS note",
  "tiles": [
    {"id": "line", "title": "Closing prices & more",
     "sql": "SELECT valid_from AS day, close FROM prices WHERE valid_from >= $from AND valid_from < $to ORDER BY valid_from",
     "picture": {"chart": {"title": "Close", "mark": "line", "x": {"column": "day", "format": "day"}, "y": [{"column": "close", "format": {"fixed": 2}}]}}},
    {"id": "figure", "title": "Close",
     "sql": "SELECT valid_from AS day, close FROM prices WHERE valid_from >= $from AND valid_from < $to ORDER BY valid_from",
     "picture": {"kpi": {"value": {"column": "close", "format": {"fixed": 2}}, "at": {"column": "day", "format": "day"}}}},
    {"id": "both", "title": "Both",
     "sql": "SELECT valid_from AS day, close, volume FROM prices WHERE valid_from >= $from AND valid_from < $to ORDER BY valid_from",
     "picture": {"chart": {"title": "Both", "mark": "line", "x": {"column": "day"}, "y": [{"column": "close", "title": "Closing"}, {"column": "volume", "title": "Traded"}]}}},
    {"id": "rows", "title": "Rows", "sql": "SELECT * FROM prices", "picture": {"grid": {}}}
  ]
}"#;

/// Three days' prices of one instrument, the last of which is corrected afterwards, and the dashboards of a folder; gives the
/// snapshot before.
pub fn server_with_prices(folder: &TempDir) -> (Server, String) {
    fs::write(folder.path().join("desk.json"), DASHBOARD).expect("the definition can be written");
    let settings = format!("dashboards = {:?}\n", folder.path());
    let server = quick::start_with(Arc::new(TempDir::new().expect("a temporary folder can be made")), &settings);
    server.put_dataset("prices", &prices()).expect_status(201);
    let event = |day: &str, until: &str, close: &str| {
        json!({"instrument": "A", "day": day, "until": until, "close": close, "volume": 1}).to_string() + "\n"
    };
    let lines = [
        event("2026-03-01", "2026-03-02", "101.25"),
        event("2026-03-02", "2026-03-03", "102.50"),
        event("2026-03-03", "2026-03-04", "103.75"),
    ];
    server.post_events("prices", "committed", lines.concat()).expect_status(200);
    let before = server.post_sql(&json!({"sql": "SELECT 1 AS one"}), "application/json");
    let before = before.header("tidemark-snapshot").expect("a token").to_owned();
    server.post_events("prices", "committed", event("2026-03-03", "2026-03-04", "99.00")).expect_status(200);
    (server, before)
}

fn picture(server: &Server, file: &str, query: &str) -> Reply {
    server.get(&format!("/api/v1/dashboards/desk/tiles/{file}?from=2026-03-01&to=2026-03-03&{query}"))
}

#[test]
fn a_chart_is_drawn_as_its_page_shows_it() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (server, before) = server_with_prices(&folder);
    let line = picture(&server, "line.svg", "").expect_status(200);
    assert_eq!(line.header("content-type"), Some("image/svg+xml"));
    assert!(line.header("tidemark-snapshot").is_some());
    let svg = line.text();
    assert!(svg.contains("<polyline"), "{svg}");
    for words in ["Closing prices &amp; more", "Effective 1 Mar – 3 Mar 2026, known now", "Merger"] {
        assert!(svg.contains(words), "no '{words}' in {svg}");
    }
    assert!(svg.contains("width=\"800\"") && svg.contains("height=\"400\""), "{svg}");
    let both = picture(&server, "both.svg", "").expect_status(200).text();
    assert!(both.contains("Closing") && both.contains("Traded"), "no legend in {both}");
    let figure = picture(&server, "figure.svg", "").expect_status(200).text();
    assert!(figure.contains("99.00"), "{figure}");
    let figure = picture(&server, "figure.svg", &format!("snapshot={before}")).expect_status(200).text();
    assert!(figure.contains("103.75"), "{figure}");
    let nothing = server.get("/api/v1/dashboards/desk/tiles/line.svg?on=2020-01-01").expect_status(200).text();
    assert!(nothing.contains("No row holds in this range"), "{nothing}");
}

#[test]
fn the_same_in_pixels_has_the_size_and_the_theme_asked_for() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (server, _) = server_with_prices(&folder);
    let png = |query: &str| picture(&server, "line.png", query).expect_status(200).body;
    let (light, dark) = (png("width=640&height=320"), png("width=640&height=320&theme=dark"));
    assert_eq!(light[..8], *b"\x89PNG\r\n\x1a\n");
    let side = |at: usize| u32::from_be_bytes(light[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((side(16), side(20)), (640, 320));
    assert_ne!(light, dark);
}

#[test]
fn what_is_no_picture_is_refused_in_words() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (server, _) = server_with_prices(&folder);
    let refused = |file: &str, query: &str, status: u16| {
        let reply = picture(&server, file, query).expect_status(status).json();
        reply["detail"].as_str().expect("a detail").to_owned()
    };
    assert!(refused("rows.svg", "", 400).contains("is a table"));
    assert!(refused("line.svg", "width=9", 400).contains("64 to 4096"));
    assert!(refused("line.svg", "theme=pink", 400).contains("light or dark"));
    assert!(refused("gone.svg", "", 404).contains("no tile 'gone'"));
    assert!(refused("line.gif", "", 404).contains(".svg or .png"));
    assert!(refused("line.svg", "snapshot=nonsense", 422).contains("snapshot"));
}
