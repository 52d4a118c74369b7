//! What differs between two definitions, member by member. Pure.

use app::dashboards::{Dashboard, Difference};
use serde_json::{Map, Value};

/// The members that differ, in the order of the format. Parts of lists are told apart by their id or name, so that one that
/// moved is no change of all that stand behind it; a change of the order is told once for the list.
pub fn differences(before: &Dashboard, after: &Dashboard) -> Vec<Difference> {
    let mut found = Vec::new();
    // What can be stored can be written.
    let value = |dashboard: &Dashboard| serde_json::to_value(dashboard).unwrap_or_default();
    compare(String::new(), Some(&value(before)), Some(&value(after)), &mut found);
    found
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => compare_members(&path, before, after, found),
        (Some(Value::Array(before)), Some(Value::Array(after))) if are_named(before) && are_named(after) => {
            compare_lists(&path, before, after, found);
        }
        (before, after) if before == after => {}
        (before, after) => found.push(Difference { path, before: before.cloned(), after: after.cloned() }),
    }
}

fn compare_members(path: &str, before: &Map<String, Value>, after: &Map<String, Value>, found: &mut Vec<Difference>) {
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        compare(below, before.get(key), after.get(key), found);
    }
}

fn compare_lists(path: &str, before: &[Value], after: &[Value], found: &mut Vec<Difference>) {
    let find = |list: &[Value], name: &str| list.iter().position(|part| name_of(part) == Some(name));
    for part in before {
        let Some(name) = name_of(part) else { continue };
        let other = find(after, name).and_then(|place| after.get(place));
        compare(format!("{path}[{name}]"), Some(part), other, found);
    }
    for part in after {
        let Some(name) = name_of(part).filter(|name| find(before, name).is_none()) else { continue };
        compare(format!("{path}[{name}]"), None, Some(part), found);
    }
    let kept = |list: &[Value], other: &[Value]| -> Vec<Value> {
        let names = list.iter().filter_map(name_of).filter(|name| find(other, name).is_some());
        names.map(|name| Value::String(name.to_owned())).collect()
    };
    let (was, is) = (kept(before, after), kept(after, before));
    if was != is {
        let path = format!("{path} (order)");
        found.push(Difference { path, before: Some(Value::Array(was)), after: Some(Value::Array(is)) });
    }
}

fn name_of(part: &Value) -> Option<&str> {
    part.get("id").or_else(|| part.get("name"))?.as_str()
}

/// Whether the parts of a list can be told apart by name. An empty list goes with any.
fn are_named(list: &[Value]) -> bool {
    list.iter().all(|part| name_of(part).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dashboard(tiles: &str, more: &str) -> Dashboard {
        serde_json::from_str(&format!(r#"{{"name": "a", "title": "A", "tiles": [{tiles}]{more}}}"#)).unwrap()
    }

    fn tile(id: &str, sql: &str) -> String {
        format!(r#"{{"id": "{id}", "title": "T", "sql": "{sql}", "picture": {{"grid": {{}}}}}}"#)
    }

    #[test]
    fn members_are_told_by_path_with_before_and_after() {
        let before = dashboard(&[tile("x", "SELECT 1"), tile("y", "SELECT 2")].join(","), "");
        let after = dashboard(&[tile("x", "SELECT 3"), tile("z", "SELECT 4")].join(","), r#", "folder": "risk""#);
        let found = differences(&before, &after);
        let told: Vec<_> = found.iter().map(|d| (d.path.as_str(), d.before.is_some(), d.after.is_some())).collect();
        assert_eq!(
            told,
            [
                ("tiles[x].sql", true, true),
                ("tiles[y]", true, false),
                ("tiles[z]", false, true),
                ("folder", false, true)
            ]
        );
        assert_eq!(found[0].before, Some(Value::from("SELECT 1")));
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn another_order_is_one_difference() {
        let (x, y, z) = (tile("x", "SELECT 1"), tile("y", "SELECT 2"), tile("z", "SELECT 3"));
        let before = dashboard(&[x.clone(), y.clone(), z.clone()].join(","), "");
        let after = dashboard(&[z, x, y].join(","), "");
        let found = differences(&before, &after);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, "tiles (order)");
    }
}
