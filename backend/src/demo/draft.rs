//! Events before they are published: a line of JSON in the making, and the moment it is due.

use std::fmt::Write;

use chrono::NaiveDate;
use model::Instant;
use serde_json::Value;

use super::DemoEvent;

/// An event that is due at some moment. Its `known_at` is written when it is published, because a live feed that was
/// away publishes late.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Dataset it belongs to.
    pub dataset: &'static str,
    /// When it becomes known if nothing holds it up.
    pub due: Instant,
    /// The members so far, each followed by a comma.
    members: String,
}

impl Draft {
    /// An event without members.
    pub fn new(dataset: &'static str, due: Instant) -> Draft {
        Draft { dataset, due, members: String::with_capacity(200) }
    }

    /// Adds a text.
    pub fn text(self, column: &str, value: &str) -> Draft {
        self.member(column, Value::from(value))
    }

    /// Adds a whole number.
    pub fn integer(self, column: &str, value: i64) -> Draft {
        self.member(column, value)
    }

    /// Adds an exact decimal of `units` × 10^-`scale`, as a string.
    pub fn decimal(self, column: &str, units: i128, scale: u32) -> Draft {
        let (sign, digits) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
        let one = 10_u128.pow(scale);
        let width = scale as usize;
        self.member(column, format_args!("\"{sign}{}.{:0width$}\"", digits / one, digits % one))
    }

    /// Adds a null.
    pub fn null(self, column: &str) -> Draft {
        self.member(column, Value::Null)
    }

    /// Adds the valid interval; without an end it is unbounded.
    pub fn valid(self, from: NaiveDate, to: Option<NaiveDate>) -> Draft {
        let draft = self.valid_from(from);
        match to {
            Some(to) => draft.member("valid_to", format_args!("\"{to}\"")),
            None => draft.null("valid_to"),
        }
    }

    /// Adds the start of the valid interval.
    pub fn valid_from(self, from: NaiveDate) -> Draft {
        self.member("valid_from", format_args!("\"{from}\""))
    }

    /// The event as it is published at `known_at`.
    pub fn publish(&self, known_at: Instant) -> DemoEvent {
        let json = format!("{{{}\"known_at\":\"{known_at}\"}}", self.members);
        DemoEvent { dataset: self.dataset, known_at, json }
    }

    fn member(mut self, column: &str, value: impl std::fmt::Display) -> Draft {
        // Writing to a String cannot fail.
        let _ = write!(self.members, "\"{column}\":{value},");
        self
    }
}
