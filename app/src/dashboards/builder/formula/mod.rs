//! The language of calculated fields: numbers, texts, fields, `+ − × ÷`, comparisons, `and`, `or`, `not` and some functions.
//! Parsed with positions, checked for types, and written as SQL whose values are parameters.
//!
//! What cannot be worked out is nothing rather than an error: a division by zero is null. Nothing wraps around: integers are
//! reckoned with as decimals.

mod check;
mod functions;
mod parse;

pub(super) use check::{Checked, Context, check};
pub use functions::{FUNCTIONS, FunctionHelp};
pub(super) use parse::{Expression, Node, parse};

/// What is wrong with a formula: the stretch of characters, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) span: (usize, usize),
    /// The field that is not there, where that is what is wrong.
    pub(super) missing: Option<String>,
    pub(super) reason: String,
}

impl Fault {
    fn new(span: (usize, usize), reason: impl Into<String>) -> Fault {
        Fault { span, missing: None, reason: reason.into() }
    }
}
