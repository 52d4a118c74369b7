//! The one error of this crate, and how DataFusion's and the lake's errors become it.
//!
//! Messages are one line, in the user's words, and never show the private names of [`crate::clause`].

use std::{error::Error as StdError, fmt};

use datafusion::{
    common::{Column, DataFusionError, SchemaError},
    sql::sqlparser::{parser::ParserError, tokenizer::Location},
};

/// What went wrong, for those who must act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is not a query that can be planned.
    Syntax,
    /// A table is named that does not exist.
    UnknownTable,
    /// A column is named that does not exist.
    UnknownColumn,
    /// A time of a clause or of the request is not a constant instant.
    InvalidTime,
    /// A parameter is missing, not used, or of a kind that cannot stand there.
    InvalidParameter,
    /// A filter's value does not fit a column it is for, or there are too many of them.
    InvalidFilter,
    /// The system time asked for is later than the last committed one.
    FutureSystemTime,
    /// The snapshot token names no state of this lake.
    UnknownSnapshot,
    /// The dataset exists and cannot be read yet: its history import is not sealed.
    NotReadable,
    /// Understood and not offered here.
    Unsupported,
    /// The query needs more memory than it may have. Asking again when less is going on may help.
    ResourcesExhausted,
    /// The query is right and its evaluation failed: a division by zero, a cast that does not fit, a read that failed.
    Execution,
    /// A defect of Tidemark.
    Internal,
}

/// A place in the text of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

impl From<Location> for Position {
    fn from(location: Location) -> Position {
        Position { line: location.line, column: location.column }
    }
}

/// A query that could not be answered.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    position: Option<Position>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of this crate's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of that kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), position: None, context: Vec::new(), source: None }
    }

    /// Adds the place in the query's text; a place told earlier stays.
    pub(crate) fn at(mut self, location: Location) -> Error {
        if location.line > 0 {
            self.position.get_or_insert(location.into());
        }
        self
    }

    /// Forgets the place: it is one in another text.
    pub(crate) fn without_place(mut self) -> Error {
        self.position = None;
        self
    }

    /// Changes the words.
    pub(crate) fn map_message(mut self, change: impl FnOnce(String) -> String) -> Error {
        self.message = change(self.message);
        self
    }

    /// Keeps what this error came from.
    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// One line for the user.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in the query's text, if that is known.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// What the error is about, as names and values.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }

    /// Whether the same query may succeed later with nothing changed by the user.
    pub fn retryable(&self) -> bool {
        match self.kind {
            ErrorKind::ResourcesExhausted => true,
            ErrorKind::Execution => self.lake_error().is_some_and(lake::Error::retryable),
            _ => false,
        }
    }

    fn lake_error(&self) -> Option<&lake::Error> {
        self.source.as_deref().and_then(|source| source.downcast_ref::<lake::Error>())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, " (line {line}, column {column})")?;
        }
        for (name, value) in &self.context {
            write!(f, " [{name}={value}]")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<lake::Error> for Error {
    fn from(error: lake::Error) -> Error {
        let kind = match error.kind() {
            lake::ErrorKind::NotFound => ErrorKind::UnknownTable,
            lake::ErrorKind::NotReadable => ErrorKind::NotReadable,
            lake::ErrorKind::FutureSystemTime => ErrorKind::FutureSystemTime,
            lake::ErrorKind::UnknownSnapshot => ErrorKind::UnknownSnapshot,
            _ => ErrorKind::Execution,
        };
        let context = error.context().to_vec();
        Error { context, ..Error::new(kind, one_line(error.message())) }.caused_by(error)
    }
}

/// Our error, wrapped so that it comes back whole from inside DataFusion.
pub(crate) fn external(error: impl Into<Error>) -> DataFusionError {
    DataFusionError::External(Box::new(error.into()))
}

impl From<ParserError> for Error {
    fn from(error: ParserError) -> Error {
        let text = match &error {
            ParserError::RecursionLimitExceeded => {
                return Error::new(ErrorKind::Syntax, "the query is nested too deeply; use WITH to name its parts");
            }
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => text.as_str(),
        };
        let (message, location) = split_location(text);
        Error { position: location, ..Error::new(ErrorKind::Syntax, one_line(message)) }
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Error {
        match take_ours(error) {
            Ok(ours) => ours,
            Err(error) => {
                let position = diagnosed(&error);
                let mut mapped = from_root(error.find_root());
                mapped.position = mapped.position.or(position);
                mapped.caused_by(error)
            }
        }
    }
}

/// Our own error, if that is what lies at the bottom of DataFusion's.
fn take_ours(error: DataFusionError) -> Result<Error, DataFusionError> {
    match error {
        DataFusionError::External(inner) => {
            inner.downcast::<Error>().map(|ours| *ours).map_err(DataFusionError::External)
        }
        DataFusionError::Context(text, inner) => {
            take_ours(*inner).map_err(|inner| DataFusionError::Context(text, Box::new(inner)))
        }
        DataFusionError::Diagnostic(diagnostic, inner) => {
            take_ours(*inner).map_err(|inner| DataFusionError::Diagnostic(diagnostic, Box::new(inner)))
        }
        other => Err(other),
    }
}

fn from_root(root: &DataFusionError) -> Error {
    let text = one_line(&root.message());
    match root {
        DataFusionError::SQL(parser, _) => parser.as_ref().clone().into(),
        DataFusionError::SchemaError(schema, _) => from_schema(schema),
        DataFusionError::NotImplemented(_) => Error::new(ErrorKind::Unsupported, format!("not supported: {text}")),
        DataFusionError::Plan(_) | DataFusionError::Configuration(_) => from_plan(text),
        DataFusionError::ResourcesExhausted(_) => Error::new(
            ErrorKind::ResourcesExhausted,
            "the query needs more memory than it may have; ask for fewer rows or columns, or name keys in WHERE",
        ),
        DataFusionError::Execution(_) | DataFusionError::ArrowError(..) | DataFusionError::IoError(_) => {
            Error::new(ErrorKind::Execution, text)
        }
        DataFusionError::External(source) => external_root(source.as_ref(), text),
        DataFusionError::Collection(errors) if !errors.is_empty() => from_root(errors[0].find_root()),
        DataFusionError::Shared(inner) => from_shared(inner),
        _ => Error::new(ErrorKind::Internal, text),
    }
}

fn from_plan(text: String) -> Error {
    let table = text.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found"));
    match table {
        Some(table) => {
            let table = table.strip_prefix("tidemark.").unwrap_or(table);
            let table = table.strip_prefix("public.").unwrap_or(table);
            Error::new(ErrorKind::UnknownTable, format!("there is no table '{table}'"))
        }
        None => Error::new(ErrorKind::Syntax, text),
    }
}

/// An error several readers share cannot be moved out: its kind and words are copied.
fn from_shared(inner: &DataFusionError) -> Error {
    match inner.find_root() {
        DataFusionError::External(source) => external_root(source.as_ref(), one_line(&source.to_string())),
        DataFusionError::Shared(deeper) => from_shared(deeper),
        root => from_root(root),
    }
}

fn external_root(source: &(dyn StdError + Send + Sync + 'static), text: String) -> Error {
    match source.downcast_ref::<Error>() {
        Some(ours) => Error {
            position: ours.position,
            context: ours.context.clone(),
            ..Error::new(ours.kind, ours.message.clone())
        },
        None => Error::new(ErrorKind::Execution, text),
    }
}

fn from_schema(schema: &SchemaError) -> Error {
    let (field, valid_fields) = match schema {
        SchemaError::FieldNotFound { field, valid_fields } => (field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            let message = format!("the column '{0}' is in several tables; write which, such as t.{0}", field.name);
            return Error::new(ErrorKind::UnknownColumn, message);
        }
        _ => return Error::new(ErrorKind::Syntax, one_line(&schema.to_string())),
    };
    let mut message = format!("there is no column '{}'", field.flat_name());
    let mut names: Vec<&str> = valid_fields.iter().map(Column::name).collect();
    names.sort_unstable();
    names.dedup();
    let near = close_names(&field.name, names.iter().copied());
    if !near.is_empty() {
        message.push_str(&format!("; did you mean {}?", quoted(&near)));
    } else if !names.is_empty() {
        message.push_str(&format!("; there are {}", listed(&names)));
    }
    Error::new(ErrorKind::UnknownColumn, message)
}

fn diagnosed(error: &DataFusionError) -> Option<Position> {
    let span = error.diagnostic()?.span?;
    (span.start.line > 0).then_some(Position { line: span.start.line, column: span.start.column })
}

/// Splits `… at Line: 2, Column: 7` off a parser's message.
fn split_location(text: &str) -> (&str, Option<Position>) {
    let parse = || {
        let (message, tail) = text.rsplit_once(" at Line: ")?;
        let (line, column) = tail.split_once(", Column: ")?;
        Some((message, Position { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? }))
    };
    parse().map_or((text, None), |(message, position)| (message, Some(position)))
}

fn one_line(text: &str) -> String {
    let text = text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Longer names are not compared with others.
const LONGEST_GUESSED: usize = 128;

/// The names within a few typing mistakes of `wanted`, nearest first, three at most.
pub(crate) fn close_names<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let length = wanted.chars().count();
    if length > LONGEST_GUESSED {
        return Vec::new();
    }
    let limit = 1 + length / 4;
    let mut near: Vec<(usize, &str)> = names
        .filter(|name| name.len() <= LONGEST_GUESSED)
        .map(|name| (edit_distance(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Names for a message: the first twenty and how many more there are.
pub(crate) fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(20).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 20 { format!("{shown} and {} more", names.len() - 20) } else { shown }
}

pub(crate) fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(" or ")
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            let least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            rows[i][j] = if swapped { least.min(rows[i - 2][j - 2] + 1) } else { least };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_message_gives_up_its_place() {
        let error = Error::from(ParserError::ParserError("Expected: x, found: y at Line: 3, Column: 14".into()));
        assert_eq!(error.position(), Some(Position { line: 3, column: 14 }));
        assert_eq!(error.message(), "Expected: x, found: y");
        assert_eq!(split_location("no place at all"), ("no place at all", None));
    }

    #[test]
    fn close_names_are_the_nearest() {
        assert_eq!(close_names("contry", ["value", "country", "county"].into_iter()), ["country", "county"]);
        assert_eq!(close_names("gpd", ["gdp", "rates"].into_iter()), ["gdp"]);
        assert!(close_names("zzz", ["value", "country"].into_iter()).is_empty());
    }

    #[test]
    fn our_error_comes_back_whole() {
        let ours =
            Error { context: vec![("dataset", "gdp".into())], ..Error::new(ErrorKind::NotReadable, "not sealed") };
        let wrapped = external(ours).context("while planning");
        let back = Error::from(wrapped);
        assert_eq!((back.kind(), back.message()), (ErrorKind::NotReadable, "not sealed"));
        assert_eq!(back.context(), [("dataset", "gdp".to_owned())]);
    }
}
