//! The binary's one error type. Over HTTP it becomes a problem document, on the command line one sentence.

use std::{error::Error as StdError, fmt};

use serde_json::{Map, Value};

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is not what it should be.
    BadRequest,
    /// The request is well formed, but cannot be done as it stands.
    Unprocessable,
    /// There is no such thing.
    NotFound,
    /// Something is there already that differs.
    Conflict,
    /// Something else is there than was expected.
    PreconditionFailed,
    /// Not allowed.
    Forbidden,
    /// More than is accepted at once.
    TooLarge,
    /// Not now; trying again may help.
    Unavailable,
    /// A file, socket or disk failed.
    Io,
    /// Ours to mend.
    Internal,
}

/// Kind, message, further members of the problem document, source.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    members: Map<String, Value>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Result with the binary's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a message a person can act on. It is shown to whoever asked.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), members: Map::new(), source: None }
    }

    /// Adds a member to the problem document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Error {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds what caused it. Shown on the command line and in the log, never over HTTP.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// Its kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is told to whoever asked.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Further members of the problem document.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<engine::Error> for Error {
    fn from(source: engine::Error) -> Error {
        let kind = if source.retryable() { ErrorKind::Unavailable } else { ErrorKind::Internal };
        let message = match kind {
            ErrorKind::Unavailable => "the pipeline cannot take this now; try again",
            _ => "something went wrong inside Tidemark; the log says what",
        };
        Error::new(kind, message).because(source)
    }
}

impl From<lake::Error> for Error {
    fn from(source: lake::Error) -> Error {
        let kind = match source.kind() {
            lake::ErrorKind::NotFound => ErrorKind::NotFound,
            lake::ErrorKind::NotReadable | lake::ErrorKind::DefinitionDiffers => ErrorKind::Conflict,
            lake::ErrorKind::InvalidDefinition
            | lake::ErrorKind::FutureSystemTime
            | lake::ErrorKind::UnknownSnapshot => ErrorKind::Unprocessable,
            lake::ErrorKind::Conflict | lake::ErrorKind::DefinitionChanged | lake::ErrorKind::Unreachable => {
                ErrorKind::Unavailable
            }
            lake::ErrorKind::Io => ErrorKind::Io,
            lake::ErrorKind::Corrupt | lake::ErrorKind::ProofFailed | lake::ErrorKind::Internal => ErrorKind::Internal,
        };
        match kind {
            _ if source.kind() == lake::ErrorKind::ProofFailed => Error::new(
                kind,
                format!("upkeep was given up and has changed nothing: {}; the log says which files", source.message()),
            )
            .because(source),
            ErrorKind::Internal | ErrorKind::Io => {
                Error::new(kind, "something went wrong inside Tidemark; the log says what").because(source)
            }
            _ if !source.problems().is_empty() => {
                let problems = serde_json::to_value(source.problems()).unwrap_or_default();
                Error::new(kind, source.to_string()).with("problems", problems)
            }
            _ => Error::new(kind, source.to_string()),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(source: std::io::Error) -> Error {
        Error::new(ErrorKind::Io, "reading or writing failed").because(source)
    }
}
