//! Code in the documentation: SQL that can be copied, linked to and run, and what is only shown.

use leptos_router::location::Url;
use serde_json::Value;

use super::escaped;

/// What an example comes to when the demo is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It reads, and finds rows.
    Rows,
    /// It reads, and may find nothing, depending on the day.
    Any,
    /// It writes, or changes what there is.
    Written,
    /// It is refused with a reason.
    Refused,
    /// It is not for Tidemark, or not whole.
    Shown,
}

/// A statement of the documentation.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Last part of the address of the page it stands on.
    pub page: &'static str,
    /// Its name, unique among all examples.
    pub id: String,
    /// The statement.
    pub sql: String,
    /// The request's `parameters`, where it has any.
    pub parameters: Option<Value>,
    /// The request's `reduce`, where its answer is reduced.
    pub reduce: Option<Value>,
    /// What it comes to.
    pub outcome: Outcome,
}

impl Example {
    /// From the line that opens its block: `sql NAME [any|write|refused|shown] [parameters=JSON] [reduce=JSON]`.
    pub fn read(page: &'static str, opening: &str, sql: &str) -> Result<Example, String> {
        let (opening, reduce) = member(opening, "reduce")?;
        let (opening, parameters) = member(opening, "parameters")?;
        let mut words = opening.split_whitespace().skip(1);
        let id = words.next().ok_or_else(|| format!("an example without a name: {sql}"))?.to_owned();
        let outcome = match words.next() {
            None => Outcome::Rows,
            Some("any") => Outcome::Any,
            Some("write") => Outcome::Written,
            Some("refused") => Outcome::Refused,
            Some("shown") => Outcome::Shown,
            Some(other) => return Err(format!("example '{id}' comes to '{other}', which is nothing known")),
        };
        Ok(Example { page, id, sql: sql.trim_end().to_owned(), parameters, reduce, outcome })
    }

    /// Id of its figure in the page.
    pub fn anchor(&self) -> String {
        format!("example-{}", self.id)
    }

    /// Where its answer can be had with a GET request; `None` where it writes, or needs parameters.
    fn address(&self) -> Option<String> {
        let reads = matches!(self.outcome, Outcome::Rows | Outcome::Any | Outcome::Refused);
        let reduce = |reduce: &Value| format!("&reduce={}", Url::escape(&reduce.to_string()));
        let reduce = self.reduce.as_ref().map(reduce).unwrap_or_default();
        (reads && self.parameters.is_none()).then(|| format!("/api/v1/sql?sql={}{reduce}", Url::escape(&self.sql)))
    }

    /// The figure: the code, what is to be said of it, and what can be done with it.
    pub fn html(&self) -> String {
        let name = escaped(&self.id);
        let mut links = format!("<a href=\"#{}\" rel=\"external\">Link{}</a>", self.anchor(), to_example(&name));
        if let Some(address) = self.address() {
            let more = format!("<a href=\"{}\" rel=\"external\">Run{}</a>", escaped(&address), to_example(&name));
            links.push_str(&more);
        }
        let note = match self.outcome {
            Outcome::Rows | Outcome::Any => "",
            Outcome::Written => "Writes.",
            Outcome::Refused => "Is refused.",
            Outcome::Shown => "Not run here.",
        };
        let mut notes = if note.is_empty() { String::new() } else { format!("<span>{note}</span>") };
        for (label, member) in [("Parameters", &self.parameters), ("Reduced", &self.reduce)] {
            if let Some(member) = member {
                notes.push_str(&format!("<span>{label}: <code>{}</code></span>", escaped(&member.to_string())));
            }
        }
        figure(&self.anchor(), &format!("SQL, example {name}"), &self.sql, &format!("{notes}{links}{}", button(&name)))
    }
}

/// An opening line without the JSON of a member that stands at its end, and that.
fn member<'a>(opening: &'a str, name: &str) -> Result<(&'a str, Option<Value>), String> {
    let Some((before, json)) = opening.split_once(&format!(" {name}=")) else { return Ok((opening, None)) };
    let value = serde_json::from_str(json).map_err(|error| format!("{name} of '{before}': {error}"))?;
    Ok((before, Some(value)))
}

/// Code of another language, such as a call of the API.
pub fn other(id: &str, language: &str, code: &str) -> String {
    let label = match language {
        "sh" => "Command",
        "json" => "JSON",
        "ebnf" => "Grammar",
        _ => "Text",
    };
    let tools = if language == "ebnf" { String::new() } else { button(&escaped(id)) };
    figure(id, &format!("{label}, {}", escaped(id)), code.trim_end(), &tools)
}

/// Takes HTML, but for the code.
fn figure(id: &str, label: &str, code: &str, tools: &str) -> String {
    let caption = if tools.is_empty() { String::new() } else { format!("<figcaption>{tools}</figcaption>") };
    format!(
        "<figure class=\"docs-example\" id=\"{}\"><pre tabindex=\"0\" role=\"group\" aria-label=\"{label}\"><code>{}</code>\
         </pre>{caption}</figure>\n",
        escaped(id),
        escaped(code)
    )
}

fn button(name: &str) -> String {
    format!("<button type=\"button\" data-copy><span>Copy</span>{}</button>", to_example(name))
}

fn to_example(name: &str) -> String {
    format!("<span class=\"visually-hidden\"> {name}</span>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_line_says_all_there_is_to_say() {
        let example = Example::read("grammar", "sql in-list any parameters=[[\"A\", \"B\"]]", "SELECT 1\n").unwrap();
        assert_eq!((example.id.as_str(), example.outcome), ("in-list", Outcome::Any));
        assert_eq!(example.parameters, Some(serde_json::json!([["A", "B"]])));
        assert_eq!((example.sql.as_str(), example.address()), ("SELECT 1", None));
        assert_eq!(Example::read("grammar", "sql plain", "SELECT 1").unwrap().outcome, Outcome::Rows);
        let reduced = Example::read("api", r#"sql thin reduce={"m4": {"x": "a", "columns": 9}}"#, "SELECT 1").unwrap();
        assert_eq!(reduced.reduce, Some(serde_json::json!({"m4": {"x": "a", "columns": 9}})));
        assert!(reduced.address().is_some_and(|address| address.contains("&reduce=%7B")), "{:?}", reduced.address());
        for opening in ["sql", "sql a sometimes", "sql a parameters={"] {
            assert!(Example::read("grammar", opening, "SELECT 1").is_err(), "{opening}");
        }
    }

    #[test]
    fn code_and_addresses_are_escaped() {
        let html = Example::read("grammar", "sql less", "SELECT 1 < 2 AND 'a&b' = ''").unwrap().html();
        assert!(html.contains("SELECT 1 &lt; 2 AND &#x27;a&amp;b&#x27;"), "{html}");
        assert!(html.contains("href=\"/api/v1/sql?sql=SELECT%201%20%3C%202%20AND%20%27a%26b%27"), "{html}");
        let write = Example::read("grammar", "sql gone write", "DELETE FROM a").unwrap().html();
        assert!(!write.contains("/api/v1/sql"), "{write}");
    }
}
