//! A tile's question without SQL: what is measured of a dataset, by what, over which times. From it and the dataset's columns
//! [`compile`] makes a statement of temporal SQL with its parameters, or says what is wrong and where.
//!
//! Pure, and the same on the server and in the browser. No value becomes part of a statement's text: texts, numbers and
//! times are parameters, names are quoted.

mod compile;
mod down;
pub mod explore;
mod fit;
mod formula;
mod literal;
mod query;
#[cfg(feature = "ssr")]
mod resolve;
mod schema;
mod scope;
mod start;
mod suggest;
#[cfg(test)]
mod tests;

pub use compile::{OutputColumn, Question, ROWS_MOST, Role, compile};
pub use down::with_statements;
pub use fit::{PictureKind, as_kind, channels, channels_mut, fit_picture, pictures, value_channels_mut};
pub use formula::{FUNCTIONS, FunctionHelp};
pub use query::{
    Aggregate, Calculated, Comparison, Distribution, Down, Facts, FilterDefinition, Grain, Measure, Over, TileQuery,
    TimeAxis, Top, ValueTest,
};
#[cfg(feature = "ssr")]
pub use resolve::Asked;
pub use schema::{Field, Fields, ValueType};
pub use start::{Extent, first_question, title_of};
pub use suggest::{in_formula, nearest, renamed};

/// What is wrong with a question, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer into the question (RFC 6901).
    pub pointer: String,
    /// Where in a formula, in characters from 0; the end is the first behind it.
    pub span: Option<(usize, usize)>,
    /// The name that is not there, where that is what is wrong.
    pub missing: Option<String>,
    /// What is wrong and what to do.
    pub reason: String,
}

impl Problem {
    /// What is wrong with a statement that was written by hand.
    pub fn of_statement(reason: impl Into<String>) -> Problem {
        Problem::at("/sql", reason)
    }

    fn at(pointer: impl Into<String>, reason: impl Into<String>) -> Problem {
        Problem { pointer: pointer.into(), span: None, missing: None, reason: reason.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.span {
            // People count from 1.
            Some((from, _)) => write!(f, "{}, at character {}", self.reason, from + 1),
            None => f.write_str(&self.reason),
        }
    }
}
