//! Dataset definitions: what a dataset's columns are and which of them carry time, identity and operation.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{ColumnType, OPERATION_COLUMN, TIME_COLUMNS};

/// A named bitemporal table as its owner describes it. Unknown attributes are refused, so that a typing error is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetDefinition {
    /// All columns of an event, including those that the attributes below name.
    pub columns: Vec<ColumnDefinition>,
    /// Columns that together say what an event is about. At least one.
    pub key: Vec<String>,
    /// Column that carries the start of the valid interval.
    pub valid_from: String,
    /// Column that carries its end; null in it, or no such column, is unbounded. Not in `until_changed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<String>,
    /// Column that says whether an event is a put, a delete or, in `until_changed`, a retraction. Without it every event
    /// is a put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationColumn>,
    /// Column whose larger value wins between contradicting events, whatever order they arrive in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// Column that carries the system time during a history import. Its presence makes the dataset an import until sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_time: Option<String>,
    /// How an event's valid interval is found.
    pub mode: Mode,
    /// Path of an array; each of its elements makes one row. Column paths below it are looked up in the element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
}

/// One column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDefinition {
    /// Name in SQL.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Where it is found in an event, members separated by dots. Default: the name itself, one member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl ColumnDefinition {
    /// The members to descend through to reach the value. A column without a path is one member, dots and all.
    pub fn path_members(&self) -> Vec<&str> {
        match &self.path {
            Some(path) => path.split('.').collect(),
            None => vec![&self.name],
        }
    }
}

/// The operation column, with the words it uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OperationColumn {
    /// The column's name; its words are `put`, `delete` and, in `until_changed`, `retract`.
    Named(String),
    /// The column's name and its words.
    Mapped(OperationWords),
}

/// An operation column whose words differ from `put`, `delete` and `retract`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationWords {
    /// The column's name.
    pub column: String,
    /// Word for put. Default `put`.
    #[serde(default = "default_put")]
    pub put: String,
    /// Word for delete. Default `delete`.
    #[serde(default = "default_delete")]
    pub delete: String,
    /// Word for retract. Default `retract`, unless put or delete is called so: then nothing can be retracted. Only in
    /// `until_changed`, where an event is a change that can be withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retract: Option<String>,
}

/// The word for retract where a definition gives no other.
pub const RETRACT_WORD: &str = "retract";

fn default_put() -> String {
    "put".to_owned()
}

fn default_delete() -> String {
    "delete".to_owned()
}

impl OperationColumn {
    /// The column's name.
    pub fn column(&self) -> &str {
        match self {
            OperationColumn::Named(column) => column,
            OperationColumn::Mapped(words) => &words.column,
        }
    }

    /// The words for put and delete, in this order.
    pub fn words(&self) -> (&str, &str) {
        match self {
            OperationColumn::Named(_) => ("put", "delete"),
            OperationColumn::Mapped(words) => (&words.put, &words.delete),
        }
    }

    /// The word for retract in `until_changed` mode, if there is one.
    fn retract(&self) -> Option<&str> {
        match self {
            OperationColumn::Named(_) => Some(RETRACT_WORD),
            OperationColumn::Mapped(words) => {
                let taken = words.put == RETRACT_WORD || words.delete == RETRACT_WORD;
                words.retract.as_deref().or((!taken).then_some(RETRACT_WORD))
            }
        }
    }
}

/// Member of an `until_changed` dataset's event that ends its interval exactly there, null for never, whatever the key
/// changes to inside it. What statements that write mean can be said no other way; events of sources do not carry it.
pub const EXACT_END: &str = "$valid_to";

/// How an event's valid interval is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The event carries both ends.
    Interval,
    /// The event carries the start; it holds until the next change the key already has in valid time.
    UntilChanged,
}

/// What is wrong with a definition, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DefinitionProblem {
    /// JSON pointer into the definition (RFC 6901).
    pub pointer: String,
    /// What is wrong and what to do.
    pub reason: String,
}

/// What the names of Tidemark's own datasets begin with. In SQL `tidemark_dashboards` is `system.dashboards`.
pub const OWN_PREFIX: &str = "tidemark_";

/// Whether a dataset is one of Tidemark's own: no one else defines it, changes it or sends it events.
pub fn is_own(dataset: &str) -> bool {
    dataset.starts_with(OWN_PREFIX)
}

/// Checks a dataset's name: lower-case letters, digits and underscores, starting with a letter, 63 at most.
pub fn check_dataset_name(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if starts && rest && name.len() <= 63 {
        return Ok(());
    }
    Err("a dataset's name is 1 to 63 lower-case letters, digits and underscores and starts with a letter".to_owned())
}

impl DatasetDefinition {
    /// All that is wrong with this definition; empty when it can be used.
    pub fn problems(&self) -> Vec<DefinitionProblem> {
        let mut problems = Vec::new();
        self.check_columns(&mut problems);
        self.check_key(&mut problems);
        self.check_roles(&mut problems);
        problems
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&ColumnDefinition> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that identify, in key order.
    pub fn key_columns(&self) -> impl Iterator<Item = &ColumnDefinition> {
        self.key.iter().filter_map(|name| self.column(name))
    }

    /// The columns stored beside the key and the times, in the definition's order.
    pub fn value_columns(&self) -> impl Iterator<Item = &ColumnDefinition> {
        self.columns.iter().filter(|column| self.is_value(&column.name))
    }

    /// Whether a column is stored as a value: neither key, nor time, nor operation.
    pub fn is_value(&self, name: &str) -> bool {
        let operation = self.operation.as_ref().map(OperationColumn::column);
        !self.key.iter().any(|key| key == name)
            && self.valid_from != name
            && self.valid_to.as_deref() != Some(name)
            && self.system_time.as_deref() != Some(name)
            && operation != Some(name)
    }

    /// The word with which an event withdraws a change; `None` where this dataset knows no such events.
    pub fn retract_word(&self) -> Option<&str> {
        let operation = self.operation.as_ref().filter(|_| self.mode == Mode::UntilChanged);
        operation.and_then(OperationColumn::retract)
    }

    fn check_columns(&self, problems: &mut Vec<DefinitionProblem>) {
        if self.columns.len() > 1_000 {
            problems.push(problem("/columns", "a dataset has at most 1,000 columns"));
        }
        let mut seen = HashSet::new();
        for (index, column) in self.columns.iter().enumerate() {
            let pointer = format!("/columns/{index}/name");
            if let Err(reason) = check_column_name(&column.name) {
                problems.push(problem(&pointer, &reason));
            }
            if !seen.insert(column.name.to_ascii_lowercase()) {
                problems.push(problem(&pointer, &format!("there is a second column '{}'", column.name)));
            }
            let stored = self.is_value(&column.name) || self.key.contains(&column.name);
            let lower = column.name.to_ascii_lowercase();
            if stored && (TIME_COLUMNS.contains(&lower.as_str()) || lower == OPERATION_COLUMN) {
                let reason = format!(
                    "'{}' is a name Tidemark uses itself; give the column another name and its 'path'",
                    column.name
                );
                problems.push(problem(&pointer, &reason));
            }
            if column.path.as_ref().is_some_and(|path| path.split('.').any(str::is_empty)) {
                problems.push(problem(
                    &format!("/columns/{index}/path"),
                    "a path is member names separated by single dots",
                ));
            }
        }
        if self.each.as_ref().is_some_and(|path| path.split('.').any(str::is_empty)) {
            problems.push(problem("/each", "a path is member names separated by single dots"));
        }
    }

    fn check_key(&self, problems: &mut Vec<DefinitionProblem>) {
        if self.key.is_empty() {
            problems.push(problem("/key", "a dataset needs at least one key column"));
        }
        for (index, name) in self.key.iter().enumerate() {
            let pointer = format!("/key/{index}");
            match self.column(name) {
                None => problems.push(problem(&pointer, &format!("there is no column '{name}'"))),
                Some(column) if column.column_type == ColumnType::Float64 => {
                    problems
                        .push(problem(&pointer, "a float64 cannot identify anything; use decimal, int64 or string"));
                }
                Some(_) => {}
            }
            if self.key[..index].contains(name) {
                problems.push(problem(&pointer, &format!("'{name}' is named twice")));
            }
        }
    }

    fn check_roles(&self, problems: &mut Vec<DefinitionProblem>) {
        let is_time: fn(ColumnType) -> bool = ColumnType::is_time;
        let is_string = |t| t == ColumnType::String;
        let is_integer =
            |t| matches!(t, ColumnType::Int32 | ColumnType::Int64 | ColumnType::Timestamp | ColumnType::Date);
        let operation = self.operation.as_ref().map(OperationColumn::column);
        self.check_role(problems, "/valid_from", Some(&self.valid_from), "a date or timestamp", is_time);
        self.check_role(problems, "/valid_to", self.valid_to.as_deref(), "a date or timestamp", is_time);
        self.check_role(problems, "/system_time", self.system_time.as_deref(), "a date or timestamp", is_time);
        self.check_role(problems, "/operation", operation, "a string", is_string);
        self.check_role(
            problems,
            "/sequence",
            self.sequence.as_deref(),
            "an int32, int64, date or timestamp",
            is_integer,
        );
        if self.mode == Mode::UntilChanged && self.valid_to.is_some() {
            problems.push(problem("/valid_to", "in until_changed mode an event carries no end; leave valid_to out"));
        }
        self.check_operation_words(problems);
        let roles = [Some(self.valid_from.as_str()), self.valid_to.as_deref(), self.system_time.as_deref(), operation];
        let mut used: HashSet<&str> = self.key.iter().map(String::as_str).collect();
        for name in roles.into_iter().flatten() {
            if !used.insert(name) {
                problems.push(problem("", &format!("column '{name}' is used for two purposes")));
            }
        }
        if self.sequence.as_ref().is_some_and(|name| !self.is_value(name)) {
            problems.push(problem("/sequence", "the sequence column cannot be key, time or operation as well"));
        }
    }

    fn check_operation_words(&self, problems: &mut Vec<DefinitionProblem>) {
        let Some(operation) = &self.operation else { return };
        let (put, delete) = operation.words();
        if put == delete {
            problems.push(problem("/operation", "the words for put and delete are the same"));
        }
        let OperationColumn::Mapped(OperationWords { retract: Some(retract), .. }) = operation else { return };
        if self.mode == Mode::Interval {
            let reason = "an event in interval mode is no change that could be withdrawn; leave the word for retract \
                          out and delete the interval instead";
            problems.push(problem("/operation/retract", reason));
        } else if retract == put || retract == delete {
            problems
                .push(problem("/operation/retract", "put or delete has the same word; give retract one of its own"));
        }
    }

    fn check_role(
        &self,
        problems: &mut Vec<DefinitionProblem>,
        pointer: &str,
        name: Option<&str>,
        wanted: &str,
        fits: impl Fn(ColumnType) -> bool,
    ) {
        let Some(name) = name else { return };
        match self.column(name) {
            None => problems.push(problem(pointer, &format!("there is no column '{name}'"))),
            Some(column) if !fits(column.column_type) => {
                problems.push(problem(pointer, &format!("column '{name}' is {}, not {wanted}", column.column_type)));
            }
            Some(_) => {}
        }
    }
}

pub(crate) fn problem(pointer: &str, reason: &str) -> DefinitionProblem {
    DefinitionProblem { pointer: pointer.to_owned(), reason: reason.to_owned() }
}

fn check_column_name(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if starts && rest && name.len() <= 127 {
        return Ok(());
    }
    Err("a column's name is 1 to 127 letters, digits and underscores and does not start with a digit; use 'path' for what it is called in events".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> DatasetDefinition {
        serde_json::from_str(text).unwrap()
    }

    fn gdp() -> DatasetDefinition {
        parse(
            r#"{"columns":[{"name":"country","type":"string","path":"key"},{"name":"value","type":"string"},
                {"name":"valid_from","type":"date"},{"name":"valid_to","type":"date"},{"name":"op","type":"string"},
                {"name":"known","type":"timestamp","path":"system_time"}],"key":["country"],"valid_from":"valid_from",
                "valid_to":"valid_to","operation":{"column":"op","put":"assert","delete":"retract"},"system_time":"known","mode":"interval"}"#,
        )
    }

    #[test]
    fn a_definition_reads_back_as_it_is_written() {
        let definition = gdp();
        assert_eq!(definition.problems(), vec![]);
        assert_eq!(parse(&serde_json::to_string(&definition).unwrap()), definition);
        assert_eq!(definition.value_columns().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["value"]);
        assert_eq!(definition.operation.unwrap().words(), ("assert", "retract"));
    }

    #[test]
    fn each_problem_says_where_it_is() {
        let mut definition = gdp();
        definition.key = vec!["nation".into()];
        definition.mode = Mode::UntilChanged;
        definition.columns[1].name = "system_from".into();
        let pointers: Vec<_> = definition.problems().into_iter().map(|p| p.pointer).collect();
        assert_eq!(pointers, ["/columns/1/name", "/key/0", "/valid_to"]);
    }

    fn prices(operation: &str) -> DatasetDefinition {
        parse(&format!(
            r#"{{"columns":[{{"name":"id","type":"string"}},{{"name":"price","type":"int64"}},{{"name":"at","type":"timestamp"}},
                {{"name":"op","type":"string"}}],"key":["id"],"valid_from":"at","operation":{operation},"mode":"until_changed"}}"#
        ))
    }

    #[test]
    fn retract_has_its_own_word_or_none() {
        for (operation, word) in [
            (r#""op""#, Some("retract")),
            (r#"{"column":"op"}"#, Some("retract")),
            (r#"{"column":"op","retract":"undo"}"#, Some("undo")),
            (r#"{"column":"op","delete":"retract"}"#, None),
            (r#"{"column":"op","delete":"retract","retract":"undo"}"#, Some("undo")),
        ] {
            let definition = prices(operation);
            assert_eq!(definition.problems(), vec![]);
            assert_eq!(definition.retract_word(), word, "{operation}");
            assert_eq!(parse(&serde_json::to_string(&definition).unwrap()), definition);
        }
        assert_eq!(gdp().retract_word(), None);
    }

    #[test]
    fn a_word_for_retract_that_cannot_be_used_is_a_problem_with_its_place() {
        let pointers = |definition: &DatasetDefinition| -> Vec<String> {
            definition.problems().into_iter().map(|problem| problem.pointer).collect()
        };
        let mut definition = prices(r#"{"column":"op","retract":"delete"}"#);
        assert_eq!(pointers(&definition), ["/operation/retract"]);
        definition = prices(r#"{"column":"op","retract":"undo"}"#);
        definition.mode = Mode::Interval;
        assert_eq!(pointers(&definition), ["/operation/retract"]);
        definition.operation = Some(OperationColumn::Named("op".into()));
        assert_eq!(pointers(&definition), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_attribute_is_refused() {
        assert!(serde_json::from_str::<ColumnDefinition>(r#"{"name":"a","type":"string","nulable":true}"#).is_err());
    }

    #[test]
    fn dataset_names_are_plain() {
        assert!(check_dataset_name("index_levels2").is_ok());
        for name in ["", "2x", "Prices", "a-b", "a.b", "a b", &"x".repeat(64)] {
            assert!(check_dataset_name(name).is_err(), "{name}");
        }
    }
}
