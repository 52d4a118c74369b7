//! How a definition changes: columns are added, renamed, dropped and widened, and nothing else.

use serde::{Deserialize, Serialize};

use crate::{
    ColumnDefinition, ColumnType, DatasetDefinition, DefinitionProblem, OperationColumn, StoredColumns,
    definition::problem,
};

/// Columns a table may have in all, those that were dropped among them.
const STORED_COLUMNS_MAX: usize = 1_000;

/// One change of a definition, written `{"add": {…}}`, `{"rename": {…}}`, `{"drop": {…}}` or `{"widen": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DefinitionChange {
    /// A new value column comes last. It is null in all rows there are.
    Add(ColumnDefinition),
    /// A column gets another name; what it is to the dataset goes with it.
    Rename {
        /// Its name until now.
        from: String,
        /// Its name from now on.
        to: String,
        /// Where it is found in an event from now on. Default: where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// A value column is no longer shown, nor taken from events.
    Drop {
        /// Its name.
        column: String,
    },
    /// A column takes more values: an int32 becomes an int64, a decimal gets more digits before the point.
    Widen {
        /// Its name.
        column: String,
        /// Its type from now on.
        #[serde(rename = "type")]
        column_type: ColumnType,
    },
}

/// Applies changes one after the other: the definition and where its columns are stored from then on. All are applied
/// or, where something is wrong, none: then it is told what, by JSON pointer into `{"changes": […]}`.
pub fn evolve(
    definition: &DatasetDefinition,
    stored: &StoredColumns,
    changes: &[DefinitionChange],
) -> Result<(DatasetDefinition, StoredColumns), Vec<DefinitionProblem>> {
    if changes.is_empty() {
        return Err(vec![problem("/changes", "there is nothing to change; name at least one change")]);
    }
    let mut evolving = Evolving { definition: definition.clone(), stored: stored.clone() };
    for (index, change) in changes.iter().enumerate() {
        let at = format!("/changes/{index}");
        match change {
            DefinitionChange::Add(column) => evolving.add(column, &format!("{at}/add")),
            DefinitionChange::Rename { from, to, path } => {
                evolving.rename(from, to, path.as_deref(), &format!("{at}/rename"))
            }
            DefinitionChange::Drop { column } => evolving.drop_column(column, &format!("{at}/drop")),
            DefinitionChange::Widen { column, column_type } => {
                evolving.widen(column, *column_type, &format!("{at}/widen"))
            }
        }?;
    }
    Ok((evolving.definition, evolving.stored))
}

type Checked = Result<(), Vec<DefinitionProblem>>;

struct Evolving {
    definition: DatasetDefinition,
    stored: StoredColumns,
}

impl Evolving {
    fn add(&mut self, column: &ColumnDefinition, at: &str) -> Checked {
        if self.stored.all().len() >= STORED_COLUMNS_MAX {
            let reason = format!(
                "a table has at most {STORED_COLUMNS_MAX} columns, those that were dropped among them; define another \
                 dataset for more"
            );
            return refused(at, &reason);
        }
        let index = self.definition.columns.len();
        self.definition.columns.push(column.clone());
        self.check(&format!("/columns/{index}"), at)?;
        self.stored.add(&column.name, column.column_type);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str, path: Option<&str>, at: &str) -> Checked {
        let index = self.index(from, &format!("{at}/from"))?;
        if from == to && path.is_none() {
            return refused(&format!("{at}/to"), &format!("column '{from}' has that name already"));
        }
        let is_stored = self.is_stored(from);
        let column = &mut self.definition.columns[index];
        let path = path.or(column.path.as_deref()).unwrap_or(from);
        column.path = Some(path.to_owned()).filter(|path| path != to);
        column.name = to.to_owned();
        self.rename_roles(from, to);
        self.check_rename(index, at)?;
        if is_stored {
            self.stored.rename(from, to);
        }
        Ok(())
    }

    fn check_rename(&self, index: usize, at: &str) -> Checked {
        // The second of two columns of one name is told, which may be the other one.
        let name = &self.definition.columns[index].name;
        let same =
            |(other, column): (usize, &ColumnDefinition)| other != index && column.name.eq_ignore_ascii_case(name);
        if self.definition.columns.iter().enumerate().any(same) {
            return refused(&format!("{at}/to"), &format!("there is a column '{name}' already"));
        }
        let pointer = format!("/columns/{index}");
        self.check(&pointer, at).map_err(|problems| {
            let place = |pointer: String| pointer.replace(&format!("{at}/name"), &format!("{at}/to"));
            problems.into_iter().map(|p| DefinitionProblem { pointer: place(p.pointer), ..p }).collect()
        })
    }

    fn rename_roles(&mut self, from: &str, to: &str) {
        let definition = &mut self.definition;
        let named = [&mut definition.valid_from].into_iter().chain(&mut definition.valid_to);
        let named = named.chain(&mut definition.sequence).chain(&mut definition.system_time);
        let operation = definition.operation.iter_mut().map(|operation| match operation {
            OperationColumn::Named(column) => column,
            OperationColumn::Mapped(words) => &mut words.column,
        });
        for name in named.chain(operation).chain(&mut definition.key).filter(|name| *name == from) {
            to.clone_into(name);
        }
    }

    fn drop_column(&mut self, name: &str, at: &str) -> Checked {
        let at = format!("{at}/column");
        let index = self.index(name, &at)?;
        if let Some(role) = self.role(name) {
            let reason = format!("column '{name}' is {role} and cannot be dropped; define another dataset without it");
            return refused(&at, &reason);
        }
        self.definition.columns.remove(index);
        self.stored.hide(name);
        Ok(())
    }

    /// What a column is to the dataset beside a value.
    fn role(&self, name: &str) -> Option<&'static str> {
        let definition = &self.definition;
        let is = |role: &Option<String>| role.as_deref() == Some(name);
        let operation = definition.operation.as_ref().is_some_and(|operation| operation.column() == name);
        [
            (definition.key.iter().any(|key| key == name), "part of the key"),
            (definition.valid_from == name, "the start of the valid interval"),
            (is(&definition.valid_to), "the end of the valid interval"),
            (is(&definition.sequence), "the sequence"),
            (is(&definition.system_time), "the system time of the history import"),
            (operation, "the operation"),
        ]
        .into_iter()
        .find_map(|(is, role)| is.then_some(role))
    }

    fn widen(&mut self, name: &str, wanted: ColumnType, at: &str) -> Checked {
        let index = self.index(name, &format!("{at}/column"))?;
        let present = self.definition.columns[index].column_type;
        if let Err(reason) = present.check_widening(wanted) {
            return refused(&format!("{at}/type"), &format!("column '{name}' is {present}: {reason}"));
        }
        self.definition.columns[index].column_type = wanted;
        self.check("", at)?;
        self.stored.widen(name, wanted);
        Ok(())
    }

    fn index(&self, name: &str, at: &str) -> Result<usize, Vec<DefinitionProblem>> {
        let index = self.definition.columns.iter().position(|column| column.name == name);
        index.ok_or_else(|| vec![problem(at, &format!("there is no column '{name}'"))])
    }

    fn is_stored(&self, name: &str) -> bool {
        self.definition.is_value(name) || self.definition.key.iter().any(|key| key == name)
    }

    /// The problems of the definition as it is now, those below one pointer being told below another.
    fn check(&self, below: &str, at: &str) -> Checked {
        let problems = self.definition.problems();
        let place = |pointer: &str| format!("{at}{}", pointer.strip_prefix(below).unwrap_or_default());
        let told = problems.into_iter().map(|p| DefinitionProblem { pointer: place(&p.pointer), ..p });
        let told: Vec<DefinitionProblem> = told.collect();
        if told.is_empty() { Ok(()) } else { Err(told) }
    }
}

fn refused(at: &str, reason: &str) -> Checked {
    Err(vec![problem(at, reason)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> DatasetDefinition {
        serde_json::from_str(
            r#"{"columns":[{"name":"id","type":"int32"},{"name":"price","type":"decimal(9,2)","path":"value.price"},
                {"name":"volume","type":"int32"},{"name":"n","type":"int64"},{"name":"at","type":"timestamp"},
                {"name":"op","type":"string"}],
                "key":["id"],"valid_from":"at","operation":"op","sequence":"n","mode":"until_changed"}"#,
        )
        .unwrap()
    }

    fn changes(text: &str) -> Vec<DefinitionChange> {
        serde_json::from_str(text).unwrap()
    }

    fn evolved(text: &str) -> Result<(DatasetDefinition, StoredColumns), Vec<DefinitionProblem>> {
        let definition = definition();
        assert_eq!(definition.problems(), vec![]);
        evolve(&definition, &StoredColumns::of(&definition), &changes(text))
    }

    #[test]
    fn each_change_does_what_it_says() {
        let (definition, stored) = evolved(
            r#"[{"add":{"name":"currency","type":"string","path":"value.ccy"}},{"rename":{"from":"id","to":"instrument"}},
                {"rename":{"from":"at","to":"begins"}},{"rename":{"from":"op","to":"kind","path":"action"}},
                {"drop":{"column":"volume"}},{"widen":{"column":"instrument","type":"int64"}},
                {"widen":{"column":"price","type":"decimal(18,2)"}},{"add":{"name":"volume","type":"int64"}}]"#,
        )
        .unwrap();
        let expected: DatasetDefinition = serde_json::from_str(
            r#"{"columns":[{"name":"instrument","type":"int64","path":"id"},
                {"name":"price","type":"decimal(18,2)","path":"value.price"},{"name":"n","type":"int64"},
                {"name":"begins","type":"timestamp","path":"at"},{"name":"kind","type":"string","path":"action"},
                {"name":"currency","type":"string","path":"value.ccy"},{"name":"volume","type":"int64"}],
                "key":["instrument"],"valid_from":"begins","operation":"kind","sequence":"n","mode":"until_changed"}"#,
        )
        .unwrap();
        assert_eq!(definition, expected);
        let names: Vec<&str> = stored.all().iter().map(|column| column.name.as_str()).collect();
        let times = ["valid_from", "valid_to", "system_from", "system_to", "operation"];
        assert_eq!(names, [&["id", "price", "volume", "n"], &times[..], &["currency", "volume#11"]].concat());
        assert_eq!(stored.column("instrument").map(|c| c.column_type), Some(ColumnType::Int64));
        assert_eq!(
            (stored.field_id("instrument"), stored.field_id("volume"), stored.field_id("id")),
            (Some(1), Some(11), None)
        );
        assert!(stored.hides_some());
    }

    #[test]
    fn a_name_given_back_leaves_the_definition_as_it_was() {
        let back = evolved(
            r#"[{"rename":{"from":"price","to":"p"}},{"rename":{"from":"p","to":"price"}},
            {"rename":{"from":"id","to":"key"}},{"rename":{"from":"key","to":"id"}}]"#,
        );
        assert_eq!(back.unwrap(), (definition(), StoredColumns::of(&definition())));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place_and_reason() {
        for (text, pointer, reason) in [
            ("[]", "/changes", "nothing to change"),
            (r#"[{"add":{"name":"PRICE","type":"int64"}}]"#, "/changes/0/add/name", "second column"),
            (r#"[{"add":{"name":"system_to","type":"int64"}}]"#, "/changes/0/add/name", "Tidemark uses itself"),
            (r#"[{"add":{"name":"x","type":"int64","path":"a..b"}}]"#, "/changes/0/add/path", "single dots"),
            (r#"[{"rename":{"from":"x","to":"y"}}]"#, "/changes/0/rename/from", "no column 'x'"),
            (r#"[{"rename":{"from":"id","to":"Price"}}]"#, "/changes/0/rename/to", "a column 'Price' already"),
            (r#"[{"rename":{"from":"id","to":"1"}}]"#, "/changes/0/rename/to", "does not start with a digit"),
            (r#"[{"rename":{"from":"id","to":"id"}}]"#, "/changes/0/rename/to", "has that name already"),
            (r#"[{"drop":{"column":"id"}}]"#, "/changes/0/drop/column", "part of the key"),
            (r#"[{"drop":{"column":"at"}}]"#, "/changes/0/drop/column", "start of the valid interval"),
            (r#"[{"drop":{"column":"op"}}]"#, "/changes/0/drop/column", "the operation"),
            (r#"[{"drop":{"column":"n"}}]"#, "/changes/0/drop/column", "the sequence"),
            (r#"[{"widen":{"column":"n","type":"int32"}}]"#, "/changes/0/widen/type", "never made narrower"),
            (r#"[{"widen":{"column":"volume","type":"int32"}}]"#, "/changes/0/widen/type", "already"),
            (r#"[{"widen":{"column":"volume","type":"string"}}]"#, "/changes/0/widen/type", "add a column"),
            (r#"[{"widen":{"column":"price","type":"decimal(18,4)"}}]"#, "/changes/0/widen/type", "keeps its 2 digits"),
            (
                r#"[{"drop":{"column":"volume"}},{"widen":{"column":"volume","type":"int64"}}]"#,
                "/changes/1/widen/column",
                "no column 'volume'",
            ),
        ] {
            let problems = evolved(text).unwrap_err();
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert_eq!(problems[0].pointer, pointer, "{text}");
            assert!(problems[0].reason.contains(reason), "{text}: {}", problems[0].reason);
        }
    }

    #[test]
    fn a_table_does_not_grow_for_ever() {
        let (mut definition, mut stored) = (definition(), StoredColumns::of(&definition()));
        let again = changes(r#"[{"add":{"name":"x","type":"int64"}},{"drop":{"column":"x"}}]"#);
        let refused = loop {
            match evolve(&definition, &stored, &again) {
                Ok(evolved) => (definition, stored) = evolved,
                Err(problems) => break problems,
            }
        };
        assert_eq!((stored.all().len(), refused[0].pointer.as_str()), (STORED_COLUMNS_MAX, "/changes/0/add"));
    }

    #[test]
    fn what_is_not_one_change_is_not_read() {
        for text in [
            r#"{"add":{"name":"x","type":"int64","nullable":true}}"#,
            r#"{"rename":{"from":"x"}}"#,
            r#"{"drop":{"column":"x"},"add":{"name":"y","type":"int64"}}"#,
            r#"{"drop":{"column":"x","cascade":true}}"#,
            r#"{"replace":{"column":"x"}}"#,
        ] {
            assert!(serde_json::from_str::<DefinitionChange>(text).is_err(), "{text}");
        }
    }
}
