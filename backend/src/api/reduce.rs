//! `reduce` of a question: what its rows are reduced to, read from JSON. What the members mean is told in `openapi.json`;
//! which columns and numbers can stand in them is the query's to say.

use query::{Aggregate, Others, Reduction};
use serde::{Deserialize, de::DeserializeOwned};

use crate::error::{Error, ErrorKind, Result};

/// One reduction, named by its only member.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Written {
    M4(M4),
    Dots(Dots),
    AtMost(AtMost),
    Top(Top),
    Bins(Bins),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct M4 {
    x: String,
    #[serde(default)]
    y: Vec<String>,
    #[serde(default)]
    by: Vec<String>,
    columns: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dots {
    x: String,
    y: Vec<String>,
    #[serde(default)]
    by: Vec<String>,
    columns: usize,
    rows: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AtMost {
    rows: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Top {
    by: String,
    of: Vec<String>,
    n: usize,
    #[serde(default)]
    others: WrittenOthers,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenOthers {
    #[default]
    Sum,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bins {
    x: String,
    y: Option<String>,
    columns: usize,
    rows: Option<usize>,
    of: Option<String>,
    #[serde(default)]
    aggregate: WrittenAggregate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenAggregate {
    #[default]
    Count,
    Sum,
    Mean,
    Min,
    Max,
}

/// Reads an object, or an array of them to be done one after another; nothing for null.
pub(super) fn read(json: Option<&str>) -> Result<Vec<Reduction>> {
    let Some(json) = json.map(str::trim).filter(|json| *json != "null") else { return Ok(Vec::new()) };
    let written: Vec<Written> = if json.starts_with('[') { parsed(json)? } else { vec![parsed(json)?] };
    Ok(written.into_iter().map(Reduction::from).collect())
}

fn parsed<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|e| {
        let message = format!(
            "\"reduce\" is an object with one of m4, dots, top, bins and at_most, or an array of such objects: {e}"
        );
        Error::new(ErrorKind::BadRequest, message)
    })
}

impl From<Written> for Reduction {
    fn from(written: Written) -> Reduction {
        match written {
            Written::M4(M4 { x, y, by, columns }) => Reduction::M4 { x, y, by, columns },
            Written::Dots(Dots { x, y, by, columns, rows }) => Reduction::Dots { x, y, by, columns, rows },
            Written::AtMost(AtMost { rows }) => Reduction::AtMost { rows },
            Written::Top(Top { by, of, n, others }) => {
                let others = match others {
                    WrittenOthers::Sum => Others::Sum,
                    WrittenOthers::None => Others::None,
                };
                Reduction::Top { by, of, n, others }
            }
            Written::Bins(Bins { x, y, columns, rows, of, aggregate }) => {
                let aggregate = match aggregate {
                    WrittenAggregate::Count => Aggregate::Count,
                    WrittenAggregate::Sum => Aggregate::Sum,
                    WrittenAggregate::Mean => Aggregate::Mean,
                    WrittenAggregate::Min => Aggregate::Min,
                    WrittenAggregate::Max => Aggregate::Max,
                };
                Reduction::Bins { x, y, columns, rows, of, aggregate }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_several_are_read_and_what_is_not_said_has_a_default() {
        let m4 = r#"{"m4": {"x": "valid_from", "columns": 600}}"#;
        let bins = r#"{"bins": {"x": "weight", "columns": 60, "of": "value", "aggregate": "mean"}}"#;
        let first = Reduction::M4 { x: "valid_from".to_owned(), y: Vec::new(), by: Vec::new(), columns: 600 };
        assert_eq!(read(Some(m4)).unwrap(), std::slice::from_ref(&first));
        let [one, Reduction::Bins { rows: None, aggregate: Aggregate::Mean, .. }] =
            &read(Some(&format!("[{m4}, {bins}]"))).unwrap()[..]
        else {
            panic!("not what was written");
        };
        assert_eq!(one, &first);
        let dots = r#"{"dots": {"x": "a", "y": ["b"], "columns": 600, "rows": 300}}"#;
        let few = r#"{"at_most": {"rows": 9}}"#;
        let [Reduction::Dots { by, rows: 300, .. }, Reduction::AtMost { rows: 9 }] =
            &read(Some(&format!("[{dots}, {few}]"))).unwrap()[..]
        else {
            panic!("not what was written");
        };
        assert!(by.is_empty());
        assert!(read(None).unwrap().is_empty() && read(Some("null")).unwrap().is_empty());
    }

    #[test]
    fn what_is_misshapen_is_refused() {
        for json in [
            r#"{}"#,
            r#"{"m5": {}}"#,
            r#"{"m4": {"x": "a"}}"#,
            r#"{"m4": {"x": "a", "columns": -1}}"#,
            r#"{"m4": {"x": "a", "columns": 10, "width": 1}}"#,
            r#"{"m4": {"x": "a", "columns": 10}, "top": {"by": "a", "of": ["b"], "n": 1}}"#,
            r#"{"top": {"by": "a", "of": ["b"], "n": 1, "others": "mean"}}"#,
            r#""m4""#,
            r#"7"#,
        ] {
            let error = read(Some(json)).unwrap_err();
            assert!(error.to_string().contains("m4, dots, top, bins and at_most"), "{json}: {error}");
        }
    }
}
