//! The dashboards that come with the server, over the history of the demo: each of their tiles can be read at any coordinates,
//! and an index is not said to have fallen where a price is missing.

use serde_json::{Value, json};

use crate::{docs_examples::server_with_demo, support::Server};

/// Now; before the range begins; in the middle of it; beside an earlier period; a range that has not begun; one before there was
/// anything.
const COORDINATES: [&str; 7] = [
    "",
    "last=1y",
    "last=30d&known=-60d",
    "last=1y&known=-100d",
    "last=3m&vs=prev",
    "from=2090-01-01&to=2090-02-01",
    "from=1800-01-01&to=1800-02-01&known=first",
];
const JSON: &str = "application/json";

#[test]
fn every_tile_can_be_read_at_any_coordinates() {
    let server = server_with_demo();
    let (mut wrong, mut read) = (Vec::new(), 0);
    for definition in definitions(&server) {
        let name = definition["name"].as_str().expect("a name");
        for tile in definition["tiles"].as_array().expect("tiles") {
            let id = tile["id"].as_str().expect("an id");
            // There to show what a failing tile looks like.
            if (name, id) == ("gallery", "failing") {
                continue;
            }
            let at: &[&str] = if is_drawn(tile) { &COORDINATES } else { &[] };
            for at in at {
                let reply = server.get(&format!("/api/v1/dashboards/{name}/tiles/{id}.svg?{at}"));
                read += 1;
                // A picture that cannot be made of the answer is one that says why.
                let text = reply.text();
                if reply.status != 200 || text.contains("has no column") {
                    wrong.push(format!("{name}/{id}?{at}: {} {text}", reply.status));
                }
            }
            // What is not drawn, and what is drilled down to.
            let levels = tile["levels"].as_array().into_iter().flatten();
            for sql in levels.chain(Some(tile).filter(|_| !is_drawn(tile))).filter_map(|part| part["sql"].as_str()) {
                let Some(question) = question(sql) else { continue };
                read += 1;
                let reply = server.post_sql(&question, JSON);
                if reply.status != 200 {
                    wrong.push(format!("{name}/{id}: {} {}\n{sql}", reply.status, reply.text()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {read}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(read > 150, "only {read} were read");
}

#[test]
fn a_day_on_which_a_price_is_missing_has_no_level() {
    let server = server_with_demo();
    let sql = definitions(&server)
        .into_iter()
        .filter(|definition| definition["name"] == "benchmark-index")
        .flat_map(|definition| definition["tiles"].as_array().expect("tiles").clone())
        .find(|tile| tile["id"] == "last")
        .and_then(|tile| Some(tile["sql"].as_str()?.to_owned()))
        .expect("the level");
    let question = question(&sql).expect("no variables");
    let days = || -> Vec<String> {
        let rows = server.post_sql(&question, JSON).expect_status(200).json();
        rows.as_array().expect("rows").iter().map(|row| row["day"].as_str().expect("a day").to_owned()).collect()
    };
    let before = days();
    let day = &before[before.len() / 2][..10];
    let missing = json!({"sql": format!(
        "SELECT p.instrument_id, p.valid_to FROM prices AS p JOIN constituents AS c ON c.instrument_id = p.instrument_id \
         AND c.VALID_TIME CONTAINS p.valid_from WHERE c.index_id = 'TMK30' AND p.valid_from = DATE '{day}' LIMIT 1"
    )});
    let price = &server.post_sql(&missing, JSON).expect_status(200).json()[0];
    let until = &price["valid_to"].as_str().expect("an end")[..10];
    let id = &price["instrument_id"];
    let event = json!({"op": "delete", "instrument_id": id, "valid_from": day, "valid_to": until});
    server.post_events("prices", "committed", format!("{event}\n")).expect_status(200);
    let expected: Vec<String> = before.iter().filter(|known| !known.starts_with(day)).cloned().collect();
    assert_eq!(days(), expected);
    assert_eq!(expected.len() + 1, before.len());
}

fn definitions(server: &Server) -> Vec<Value> {
    let listed = server.get("/api/v1/dashboards").json();
    let names = listed.as_array().expect("a list").iter().map(|one| one["name"].as_str().expect("a name"));
    names.map(|name| server.get(&format!("/api/v1/dashboards/{name}")).expect_status(200).json()).collect()
}

/// Tables and words are not drawn.
fn is_drawn(tile: &Value) -> bool {
    ["chart", "kpi"].iter().any(|picture| tile["picture"].get(picture).is_some())
}

/// What a tile asks where now is known, as pages ask it; `None` where it asks for more than times.
fn question(sql: &str) -> Option<Value> {
    let times = [("from", "2025-11-01"), ("to", "2099-01-01"), ("known", "9999-12-31T23:59:59Z")];
    let named = times.into_iter().filter(|(name, _)| sql.contains(&format!("${name}")));
    let parameters: serde_json::Map<String, Value> =
        named.map(|(name, value)| (name.to_owned(), value.into())).collect();
    let asked: usize = parameters.keys().map(|name| sql.matches(&format!("${name}")).count()).sum();
    (asked == sql.matches('$').count()).then(|| json!({"sql": sql, "parameters": parameters}))
}
