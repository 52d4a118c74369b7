//! Random changes of columns: whatever is accepted, each column stays where it is stored, and nothing else is there.

use std::collections::BTreeMap;

use model::{ColumnType, DatasetDefinition, DefinitionChange, StoredColumns, evolve};
use proptest::{collection::vec, prelude::*};

fn definition() -> DatasetDefinition {
    let text = r#"{"columns":[{"name":"a","type":"int32"},{"name":"b","type":"decimal(9,2)"},{"name":"c","type":"int32"},
        {"name":"d","type":"date"},{"name":"e","type":"date"},{"name":"f","type":"string"}],
        "key":["a"],"valid_from":"d","valid_to":"e","operation":"f","mode":"interval"}"#;
    serde_json::from_str(text).expect("a definition")
}

/// Names and types are few, so that many changes are refused and many names are taken again.
fn change() -> impl Strategy<Value = DefinitionChange> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d", "f", "g", "G", "valid_to", "9"]);
    let kind = prop::sample::select(vec!["int32", "int64", "decimal(9,2)", "decimal(18,2)", "decimal(18,4)", "string"]);
    (0..4_u8, name(), name(), kind).prop_map(|(which, name, other, kind)| {
        let text = match which {
            0 => format!(r#"{{"add":{{"name":"{name}","type":"{kind}"}}}}"#),
            1 => format!(r#"{{"rename":{{"from":"{name}","to":"{other}"}}}}"#),
            2 => format!(r#"{{"drop":{{"column":"{name}"}}}}"#),
            _ => format!(r#"{{"widen":{{"column":"{name}","type":"{kind}"}}}}"#),
        };
        serde_json::from_str(&text).expect("a change")
    })
}

/// The field ids of the columns that are shown, kept by a list of our own: ids count on with each column that is added.
#[derive(Clone)]
struct Known {
    ids: BTreeMap<String, i32>,
    next: i32,
}

impl Known {
    fn take(&mut self, change: &DefinitionChange) {
        match change {
            DefinitionChange::Add(column) => {
                self.ids.insert(column.name.clone(), self.next);
                self.next += 1;
            }
            DefinitionChange::Rename { from, to, .. } => {
                let id = self.ids.remove(from);
                self.ids.extend(id.map(|id| (to.clone(), id)));
            }
            DefinitionChange::Drop { column } => drop(self.ids.remove(column)),
            DefinitionChange::Widen { .. } => {}
        }
    }
}

fn shown(definition: &DatasetDefinition, stored: &StoredColumns) -> BTreeMap<String, i32> {
    let columns = definition.key_columns().chain(definition.value_columns());
    columns.filter_map(|column| Some((column.name.clone(), stored.field_id(&column.name)?))).collect()
}

fn holds(definition: &DatasetDefinition, stored: &StoredColumns) -> Result<(), TestCaseError> {
    prop_assert_eq!(definition.problems(), vec![]);
    for column in definition.key_columns().chain(definition.value_columns()) {
        let of = stored.column(&column.name);
        prop_assert_eq!(of.map(|of| of.column_type), Some(column.column_type), "{}", column.name);
    }
    for time in ["valid_from", "valid_to", "system_from", "system_to", "operation"] {
        prop_assert_eq!(stored.column(time).map(|of| of.name.as_str()), Some(time));
    }
    let mut names: Vec<String> = stored.all().iter().map(|column| column.name.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    prop_assert_eq!(names.len(), stored.all().len(), "two columns of one name in files");
    Ok(())
}

fn only_widened(before: ColumnType, after: ColumnType) -> bool {
    before == after || before.check_widening(after).is_ok()
}

proptest! {
    #[test]
    fn columns_stay_where_they_are_stored(lists in vec(vec(change(), 1..4), 0..30)) {
        let (mut definition, mut stored) = (definition(), StoredColumns::of(&definition()));
        let mut known = Known { ids: shown(&definition, &stored), next: 9 };
        for changes in lists {
            let Ok((next, next_stored)) = evolve(&definition, &stored, &changes) else { continue };
            holds(&next, &next_stored)?;
            for change in &changes {
                known.take(change);
            }
            prop_assert_eq!(&shown(&next, &next_stored), &known.ids, "{:?}", changes);
            prop_assert_eq!(next_stored.all().len() + 1, usize::try_from(known.next).unwrap_or_default());
            for (before, after) in stored.all().iter().zip(next_stored.all()) {
                prop_assert_eq!((&before.name, before.required), (&after.name, after.required));
                prop_assert!(only_widened(before.column_type, after.column_type), "{:?} {:?}", before, after);
            }
            let written = serde_json::to_string(&next_stored).expect("JSON");
            prop_assert_eq!(&serde_json::from_str::<StoredColumns>(&written).expect("JSON"), &next_stored);
            (definition, stored) = (next, next_stored);
        }
    }
}
