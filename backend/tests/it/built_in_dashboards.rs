//! The dashboards that come with the server, over the history of the demo: each of their tiles can be read at any coordinates.

use serde_json::Value;

use crate::docs_examples::server_with_demo;

/// Now; before the range begins; in the middle of it; a range that has not begun; one before there was anything.
const COORDINATES: [&str; 6] = [
    "",
    "last=1y",
    "last=30d&known=-60d",
    "last=1y&known=-100d",
    "from=2090-01-01&to=2090-02-01",
    "from=1950-01-01&to=1950-02-01&known=first",
];

#[test]
fn every_tile_can_be_read_at_any_coordinates() {
    let server = server_with_demo();
    let mut wrong = Vec::new();
    let mut read = 0;
    for listed in server.get("/api/v1/dashboards").json().as_array().expect("a list") {
        let name = listed["name"].as_str().expect("a name");
        let definition = server.get(&format!("/api/v1/dashboards/{name}")).expect_status(200).json();
        for tile in definition["tiles"].as_array().expect("tiles") {
            if !is_drawn(tile) {
                continue;
            }
            let id = tile["id"].as_str().expect("an id");
            for at in COORDINATES {
                let reply = server.get(&format!("/api/v1/dashboards/{name}/tiles/{id}.svg?{at}"));
                read += 1;
                if reply.status != 200 {
                    wrong.push(format!("{name}/{id}?{at}: {} {}", reply.status, reply.text()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {read}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(read > 100, "only {read} pictures");
}

/// Tables and words are not drawn.
fn is_drawn(tile: &Value) -> bool {
    ["chart", "kpi"].iter().any(|picture| tile["picture"].get(picture).is_some())
}
