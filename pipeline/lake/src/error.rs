//! The one error type of the lake.

use std::{error::Error as StdError, fmt, path::Path};

use model::DefinitionProblem;

/// Result of the lake.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of thing went wrong; callers decide by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no dataset of that name or id, or no such column.
    NotFound,
    /// The dataset exists and cannot be read yet, or not under this snapshot.
    NotReadable,
    /// The dataset exists with another definition.
    DefinitionDiffers,
    /// The definition cannot be used; see [`Error::problems`].
    InvalidDefinition,
    /// The definition changed while the epoch was worked out: it has to be worked out anew.
    DefinitionChanged,
    /// Another commit came first, or the epoch does not follow the last one.
    Conflict,
    /// A system time later than the last committed one was asked for.
    FutureSystemTime,
    /// The snapshot token names no state of this lake.
    UnknownSnapshot,
    /// Disk or database could not be read or written.
    Io,
    /// A folder or a bucket is out of reach just now, and files that are needed lie in it.
    Unreachable,
    /// A file or row is there and makes no sense.
    Corrupt,
    /// Upkeep wrote something that does not say what it read.
    ProofFailed,
    /// A rule of this crate was broken by its caller or by itself.
    Internal,
}

/// An error of the lake: kind, message, named context, and the error underneath.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    problems: Vec<DefinitionProblem>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind, with a message that says what is wrong and where it helps what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), context: Vec::new(), problems: Vec::new(), source: None }
    }

    /// Adds a named value.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Error {
        self.context.push((key, value.to_string()));
        self
    }

    /// Adds the error underneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message alone, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Named values that belong to it.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }

    /// What is wrong with the definition, by JSON pointer; empty for other kinds.
    pub fn problems(&self) -> &[DefinitionProblem] {
        &self.problems
    }

    /// Whether the same may succeed later, begun anew, without anything else being done.
    pub fn retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Io | ErrorKind::DefinitionChanged | ErrorKind::Unreachable)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Internal, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Conflict, message)
    }

    pub(crate) fn io(action: &str, path: &Path, source: std::io::Error) -> Error {
        Error::new(ErrorKind::Io, format!("cannot {action}")).with("path", path.display()).because(source)
    }

    pub(crate) fn definition(problems: Vec<DefinitionProblem>) -> Error {
        let listed: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.pointer, p.reason)).collect();
        let mut error = Error::new(ErrorKind::InvalidDefinition, listed.join("; "));
        error.problems = problems;
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (index, (key, value)) in self.context.iter().enumerate() {
            write!(f, "{}{key}: {value}", if index == 0 { " (" } else { ", " })?;
        }
        if !self.context.is_empty() {
            f.write_str(")")?;
        }
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

impl From<iceberg::Error> for Error {
    fn from(error: iceberg::Error) -> Error {
        let kind = match error.kind() {
            iceberg::ErrorKind::DataInvalid => ErrorKind::Corrupt,
            _ => ErrorKind::Internal,
        };
        Error::new(kind, "table metadata could not be handled").because(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        let kind = match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => ErrorKind::Conflict,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => ErrorKind::Corrupt,
            _ => ErrorKind::Io,
        };
        Error::new(kind, "the catalog could not do what was asked").because(error)
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Error {
        Error::internal("columns could not be handled").because(error)
    }
}

/// Wraps a Parquet error with the file it concerns: an I/O error underneath is told from bytes that make no sense.
pub(crate) fn parquet_error(path: &Path, error: parquet::errors::ParquetError) -> Error {
    let error = match error {
        // What reading from a bucket met.
        parquet::errors::ParquetError::External(source) => match source.downcast::<Error>() {
            Ok(ours) => return *ours,
            Err(source) => parquet::errors::ParquetError::External(source),
        },
        other => other,
    };
    let kind = match &error {
        parquet::errors::ParquetError::External(source) if source.is::<std::io::Error>() => ErrorKind::Io,
        _ => ErrorKind::Corrupt,
    };
    Error::new(kind, "a Parquet file could not be handled").with("path", path.display()).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_message_context_and_cause() {
        let error = Error::io("read a file", Path::new("/x"), std::io::Error::other("gone")).with("dataset", "prices");
        assert_eq!(error.to_string(), "cannot read a file (path: /x, dataset: prices): gone");
        assert!(error.retryable());
        assert!(!Error::conflict("later").retryable());
    }
}
