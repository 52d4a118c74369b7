//! Definitions as text: reads JSON and YAML, and says of each mistake where it stands; writes both. Pure.

use std::fmt;

use app::dashboards::{Dashboard, FORMAT, Problem, semantics::Semantics};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_path_to_error::Track;
use serde_saphyr::{Options, Spanned};

/// Bytes of a definition at most, as text and as it is stored. As a part of an event it has to fit into a line.
pub const TEXT_BYTES_MAX: usize = 256 << 10;

/// How a definition is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// JSON.
    Json,
    /// YAML, which JSON is too.
    Yaml,
}

impl Syntax {
    /// By the ending of a file's name.
    pub fn of_file(name: &str) -> Option<Syntax> {
        match name.rsplit_once('.')?.1 {
            "json" => Some(Syntax::Json),
            "yaml" | "yml" => Some(Syntax::Yaml),
            _ => None,
        }
    }

    /// What is said of it in HTTP.
    pub fn content_type(self) -> &'static str {
        match self {
            Syntax::Json => "application/json",
            Syntax::Yaml => "application/yaml",
        }
    }

    /// The ending of files.
    pub fn ending(self) -> &'static str {
        match self {
            Syntax::Json => "json",
            Syntax::Yaml => "yaml",
        }
    }
}

/// A mistake in a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// The line, from 1; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// The member, such as `tiles[2].width`; empty for the whole.
    pub path: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{} ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

/// What is defined in a text.
pub trait Definition: DeserializeOwned + Serialize {
    /// The latest version of its format that can be read.
    const FORMAT: u32;
    /// Where whoever writes one finds what members there are.
    const HELP: &'static str;

    /// All that is wrong with it beside its shape.
    fn mistakes(&self) -> Vec<Problem>;
}

impl Definition for Dashboard {
    const FORMAT: u32 = FORMAT;
    const HELP: &'static str = "GET /api/v1/dashboards/schema.json lists what there is";

    fn mistakes(&self) -> Vec<Problem> {
        self.problems()
    }
}

impl Definition for Semantics {
    const FORMAT: u32 = app::dashboards::semantics::FORMAT;
    const HELP: &'static str = "GET /api/v1/semantics/schema.json lists what there is";

    fn mistakes(&self) -> Vec<Problem> {
        self.problems()
    }
}

/// Reads the definition of a dashboard.
pub fn read(text: &str, syntax: Syntax) -> Result<Dashboard, Vec<Mistake>> {
    read_as(text, syntax)
}

/// Reads a definition. Of what has the wrong shape the first mistake is told, of what has the right one all.
pub fn read_as<T: Definition>(text: &str, syntax: Syntax) -> Result<T, Vec<Mistake>> {
    let whole = |reason: String| Mistake { line: None, column: None, path: String::new(), reason };
    if text.len() > TEXT_BYTES_MAX {
        return Err(vec![whole(format!("has {} bytes; a definition has at most {TEXT_BYTES_MAX}", text.len()))]);
    }
    check_format(text, syntax, T::FORMAT)?;
    let definition: Result<T, Mistake> = match syntax {
        Syntax::Json => read_json(text),
        Syntax::Yaml => read_yaml(text),
    };
    let definition = definition.map_err(|mistake| vec![mistake])?;
    let problems = definition.mistakes();
    if problems.is_empty() {
        // What refers to itself in YAML may be longer than it was written.
        let bytes = canonical(&definition).len();
        return match bytes > TEXT_BYTES_MAX {
            true => Err(vec![whole(format!("has {bytes} bytes in JSON; a definition has at most {TEXT_BYTES_MAX}"))]),
            false => Ok(definition),
        };
    }
    Err(placed(text, problems))
}

/// Says of each problem where in the text it stands.
pub fn placed(text: &str, problems: Vec<Problem>) -> Vec<Mistake> {
    let places = Places::of(text);
    problems
        .into_iter()
        .map(|problem| {
            let place = places.find(&problem.path);
            let (line, column) = (place.map(|place| place.0), place.map(|place| place.1));
            Mistake { line, column, path: problem.path, reason: problem.reason }
        })
        .collect()
}

/// A definition of a later format has members that mean nothing here; then only its format is a mistake.
fn check_format(text: &str, syntax: Syntax, latest: u32) -> Result<(), Vec<Mistake>> {
    #[derive(Deserialize)]
    struct Head {
        format: Option<u64>,
    }
    let head: Option<Head> = match syntax {
        Syntax::Json => serde_json::from_str(text).ok(),
        Syntax::Yaml => serde_saphyr::from_str_with_options(text, options()).ok(),
    };
    // What cannot be read so is told by reading it whole.
    let Some(format) = head.and_then(|head| head.format).filter(|format| *format > u64::from(latest)) else {
        return Ok(());
    };
    let place = Places::of(text).find("format");
    let reason = format!(
        "is {format}, and this server reads formats up to {latest}; update Tidemark, or save the definition in format {latest}"
    );
    let (line, column) = (place.map(|place| place.0), place.map(|place| place.1));
    Err(vec![Mistake { line, column, path: "format".to_owned(), reason }])
}

fn read_json<T: Definition>(text: &str) -> Result<T, Mistake> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = Track::new();
    let read = T::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let read = read.and_then(|definition| json.end().map(|()| definition));
    read.map_err(|error| {
        let (line, column) = (error.line() as u64, error.column() as u64);
        let line = (line > 0).then_some(line);
        let (path, reason) = (path_text(track), reason_of(&error.to_string(), T::HELP));
        Mistake { line, column: line.map(|_| column), path, reason }
    })
}

fn read_yaml<T: Definition>(text: &str) -> Result<T, Mistake> {
    let mut path = String::new();
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| {
        let mut track = Track::new();
        let read = T::deserialize(serde_path_to_error::Deserializer::new(yaml, &mut track));
        if read.is_err() {
            path = path_text(track);
        }
        read
    });
    read.map_err(|error| {
        let place = error.location();
        let (line, column) = (place.as_ref().map(|p| p.line()), place.as_ref().map(|p| p.column()));
        Mistake { line, column, path, reason: reason_of(&error.without_snippet().to_string(), T::HELP) }
    })
}

fn options() -> Options {
    serde_saphyr::options! { with_snippet: false, strict_booleans: true }
}

fn path_text(track: Track) -> String {
    let path = track.path().to_string();
    // The whole is written as a point, and what is no member yet as a question.
    if path == "." { String::new() } else { path.trim_end_matches(".?").to_owned() }
}

/// A library's words without the place, which is told apart, and with what to do.
fn reason_of(message: &str, help: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    match message.starts_with("unknown field") {
        true => format!("is not understood: {message}; {help}"),
        false => format!("is not right: {message}"),
    }
}

/// A definition in JSON, always the same for the same definition.
pub fn canonical(definition: &impl Serialize) -> String {
    // Maps have texts for keys, and numbers are finite: nothing in it cannot be written.
    serde_json::to_string(definition).unwrap_or_default()
}

/// A definition for people. Fails where a library cannot write what it reads, which tests have not seen.
pub fn write(definition: &impl Serialize, syntax: Syntax) -> Result<String, String> {
    match syntax {
        Syntax::Json => serde_json::to_string_pretty(definition).map(|text| text + "\n").map_err(|e| e.to_string()),
        Syntax::Yaml => serde_saphyr::to_string(definition).map_err(|e| e.to_string()),
    }
}

/// Where each member stands in a text.
struct Places(Option<Spanned<Tree>>);

/// The shape of a text.
enum Tree {
    Members(Vec<(String, Spanned<Tree>)>),
    Items(Vec<Spanned<Tree>>),
    Leaf,
}

impl Places {
    /// JSON is YAML as well, and this only looks for places: what it cannot read has none.
    fn of(text: &str) -> Places {
        Places(serde_saphyr::from_str_with_options(text, options()).ok())
    }

    /// Line and column of the member at a path such as `tiles[2].width`, or of the nearest above it.
    fn find(&self, path: &str) -> Option<(u64, u64)> {
        let mut at = self.0.as_ref()?;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let next = match (&at.value, step.strip_suffix(']')) {
                (Tree::Items(items), Some(index)) => index.parse::<usize>().ok().and_then(|index| items.get(index)),
                (Tree::Members(members), None) => {
                    members.iter().find(|member| member.0 == step).map(|member| &member.1)
                }
                _ => None,
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        Some((at.referenced.line(), at.referenced.column()))
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Members(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Tree::Items(items))
            }

            fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }

            fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }

            fn visit_none<E: serde::de::Error>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Tree, D::Error> {
                IgnoredAny::deserialize(inner).map(|_| Tree::Leaf).map_err(D::Error::custom)
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str, syntax: Syntax) -> Mistake {
        read(text, syntax).unwrap_err().remove(0)
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = "name: desk\ntitle: Desk\nfolder: risk/credit\ntags: [a, 2026]\nvariables:\n  - name: region\n    kind: {choice: {options: [EU, \"no\"]}}\n    multiple: true\ntiles:\n  - id: a\n    title: A\n    sql: |\n      SELECT 1\n      FROM x\n    picture:\n      chart:\n        title: T\n        mark: stacked-bar\n        x: {column: at, format: {fixed: 2}}\n        y: [{column: v, format: {money: EUR}}]\n  - {id: w, title: W, picture: {markdown: {text: \"# on\"}}}\n";
        let dashboard = read(yaml, Syntax::Yaml).unwrap();
        assert_eq!(dashboard.format, 1);
        assert_eq!(dashboard.tags, ["a", "2026"]);
        assert_eq!(dashboard.tiles[0].sql, "SELECT 1\nFROM x\n");
        for syntax in [Syntax::Json, Syntax::Yaml] {
            let text = write(&dashboard, syntax).unwrap();
            assert_eq!(read(&text, syntax).as_ref(), Ok(&dashboard), "{text}");
        }
        assert_eq!(read(&canonical(&dashboard), Syntax::Json), Ok(dashboard));
    }

    #[test]
    fn a_mistake_has_line_column_path_and_what_to_do() {
        let json = "{\"name\": \"a\", \"title\": \"A\",\n \"tiles\": [{\"id\": \"x\", \"titel\": \"X\"}]}";
        let found = mistake(json, Syntax::Json);
        assert_eq!((found.line, found.path.as_str()), (Some(2), "tiles[0].titel"), "{found}");
        assert!(found.column.is_some() && found.reason.contains("schema.json"), "{found}");
        let yaml = "name: a\ntitle: A\ntiles:\n  - id: x\n    titel: X\n";
        let found = mistake(yaml, Syntax::Yaml);
        assert_eq!((found.line, found.column, found.path.as_str()), (Some(5), Some(5), "tiles[0].titel"), "{found}");
        let found = mistake("name: a\ntitle: A\ntiles:\n  - id: x\n    width: wide\n", Syntax::Yaml);
        assert_eq!((found.line, found.path.as_str()), (Some(5), "tiles[0].width"), "{found}");
    }

    #[test]
    fn what_has_the_right_shape_is_checked_too_and_all_of_it_told() {
        let yaml = "name: a\ntitle: A\ntiles:\n  - id: x\n    title: X\n    width: 13\n    sql: SELECT 1\n    picture: {grid: {}}\n  - id: x\n    title: X\n    section: gone\n    sql: SELECT 1\n    picture: {grid: {}}\n";
        let found = read(yaml, Syntax::Yaml).unwrap_err();
        let places: Vec<_> = found.iter().map(|m| (m.path.as_str(), m.line, m.column)).collect();
        assert_eq!(
            places,
            [
                ("tiles[0].width", Some(6), Some(12)),
                ("tiles[1].section", Some(11), Some(14)),
                ("tiles[1].id", Some(9), Some(9))
            ]
        );
        let json = "{\"name\": \"B\",\n \"title\": \"A\", \"tiles\": []}";
        assert_eq!(mistake(json, Syntax::Json).line, Some(1));
    }

    #[test]
    fn a_newer_format_says_which_this_server_reads() {
        for (text, syntax) in [
            ("{\"format\": 2, \"name\": \"a\", \"panels\": 1}", Syntax::Json),
            ("panels: 1\nformat: 2\n", Syntax::Yaml),
        ] {
            let found = mistake(text, syntax);
            assert_eq!(found.path, "format");
            assert!(found.reason.contains("is 2") && found.reason.contains("up to 1"), "{found}");
        }
    }

    #[test]
    fn what_is_no_definition_at_all_is_refused_and_never_a_panic() {
        let bomb = format!("a: &a [1,1]\n{}", (0..40).map(|i| format!("b{i}: [*a,*a]\n")).collect::<String>());
        for text in
            ["", "[", "{", "null", "- a", "\u{0}", "a: b: c", "name: [", "\t", "*x", &bomb, "name: a\n---\nname: b\n"]
        {
            for syntax in [Syntax::Json, Syntax::Yaml] {
                let found = mistake(text, syntax);
                assert!(!found.reason.is_empty(), "{text:?}");
            }
        }
        let long = " ".repeat(TEXT_BYTES_MAX + 1);
        assert!(mistake(&long, Syntax::Yaml).reason.contains("at most"));
        let deep = "[".repeat(100_000);
        assert!(read(&deep, Syntax::Json).is_err() && read(&deep, Syntax::Yaml).is_err());
    }
}
