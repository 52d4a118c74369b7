//! Definitions as the editor reads them: with their questions. A page gets statements in the place of questions, so that what
//! every page loads in a browser cannot read a question at all; what can is in the editor's own part.

use serde_json::Value;

use crate::dashboards::{Dashboard, builder::TileQuery};

/// Reads a definition. The error says which member is not right.
pub fn dashboard_of(mut definition: Value) -> Result<Dashboard, serde_json::Error> {
    let questions = questions_of(&mut definition);
    let mut dashboard: Dashboard = serde_json::from_value(definition)?;
    for (tile, question) in dashboard.tiles.iter_mut().zip(questions) {
        let question: Option<TileQuery> = question.map(serde_json::from_value).transpose()?;
        tile.query = question.map(Box::new);
    }
    Ok(dashboard)
}

/// Takes the questions out, by tile.
fn questions_of(definition: &mut Value) -> Vec<Option<Value>> {
    let tiles = definition.get_mut("tiles").and_then(Value::as_array_mut);
    let take = |tile: &mut Value| tile.as_object_mut()?.remove("query").filter(|question| !question.is_null());
    tiles.map(|tiles| tiles.iter_mut().map(take).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn questions_are_read_with_their_tiles() {
        let definition = json!({"name": "desk", "title": "Desk", "tiles": [
            {"id": "a", "title": "A", "sql": "SELECT 1", "picture": {"grid": {}}},
            {"id": "b", "title": "B", "query": {"dataset": "gdp", "by": ["country"]}, "picture": {"grid": {}}},
            {"id": "c", "title": "C", "query": null, "sql": "SELECT 2", "picture": {"grid": {}}}]});
        let dashboard = dashboard_of(definition.clone()).unwrap();
        assert_eq!(dashboard, serde_json::from_value(definition.clone()).unwrap());
        assert_eq!(dashboard.tiles[1].query.as_ref().unwrap().dataset, "gdp");
        let mut wrong = definition;
        wrong["tiles"][1]["query"]["bye"] = json!(1);
        assert!(dashboard_of(wrong).unwrap_err().to_string().contains("bye"));
        assert!(dashboard_of(json!({"tiles": 1})).is_err() && dashboard_of(json!([])).is_err());
    }
}
