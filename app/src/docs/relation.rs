//! Two periods one above the other, drawn from data, and the statement that asks how they lie to each other.
//!
//! The block opens with the words of the predicate, `relation MEETS`; its lines are the periods: `p 1 4` and `q 4 7`.

use std::fmt::Write;

use super::{
    escaped,
    example::{Example, Outcome},
};

/// Units of the drawing; periods lie between 1 and [`LAST`].
const WIDTH: i64 = 360;
const HEIGHT: i64 = 78;
const LEFT: i64 = 6;
const UNIT: i64 = 34;
const BAR: i64 = 20;
const LAST: i64 = 10;

/// A period: first instant, first instant after.
type Period = (i64, i64);

/// Two periods and the predicate that holds of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Relation {
    /// The predicate's words.
    words: String,
    p: Period,
    q: Period,
}

impl Relation {
    /// Reads the data. The error says what is wrong.
    pub fn read(words: &str, source: &str) -> Result<Relation, String> {
        if words.is_empty() {
            return Err("a drawing of two periods names no predicate".to_owned());
        }
        let period = |name: &str| {
            let line = source.lines().find_map(|line| line.strip_prefix(name));
            let numbers: Vec<i64> = line.unwrap_or_default().split_whitespace().flat_map(str::parse::<i64>).collect();
            match numbers[..] {
                [from, to] if 1 <= from && from < to && to <= LAST => Ok((from, to)),
                _ => Err(format!("{words}: '{name}' is no period between 1 and {LAST}")),
            }
        };
        Ok(Relation { words: words.to_owned(), p: period("p ")?, q: period("q ")? })
    }

    /// The drawing.
    pub fn html(&self) -> String {
        let Relation { words, p, q } = self;
        let label = format!("{words}: p from {} up to {}, q from {} up to {}", p.0, p.1, q.0, q.1);
        let mut html = format!(
            "<svg class=\"docs-relation\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escaped(&label)
        );
        for at in [p.0, p.1] {
            let x = x(at);
            let _ =
                write!(html, "<line class=\"relation-guide\" x1=\"{x}\" y1=\"2\" x2=\"{x}\" y2=\"{}\"/>", HEIGHT - 2);
        }
        for (name, period, y) in [("p", p, 10), ("q", q, 48)] {
            let (from, width) = (x(period.0), x(period.1) - x(period.0));
            let _ = write!(
                html,
                "<rect class=\"relation-{name}\" x=\"{from}\" y=\"{y}\" width=\"{width}\" height=\"{BAR}\"/><text \
                 class=\"relation-name\" x=\"{}\" y=\"{}\">{name}</text>",
                from + width / 2,
                y + 15
            );
        }
        html.push_str("</svg>\n");
        html
    }

    /// The statement that asks for it, in days of January.
    pub fn example(&self, page: &'static str) -> Example {
        let period = |(from, to): Period| format!("PERIOD(DATE '2026-01-{from:02}', DATE '2026-01-{to:02}')");
        Example {
            page,
            id: self.words.to_lowercase().replace([' ', '_'], "-"),
            sql: format!("SELECT {}\n  {} {} AS holds", period(self.p), self.words, period(self.q)),
            parameters: None,
            reduce: None,
            outcome: Outcome::Rows,
        }
    }
}

fn x(at: i64) -> i64 {
    LEFT + (at - 1) * UNIT + UNIT / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Allen's relations by their definition (J. F. Allen, "Maintaining Knowledge about Temporal Intervals", 1983).
    fn allen((a, b): Period, (c, d): Period) -> &'static str {
        match (a, b, c, d) {
            _ if b < c => "BEFORE",
            _ if d < a => "AFTER",
            _ if b == c => "MEETS",
            _ if d == a => "MET BY",
            _ if a == c && b == d => "EQUALS",
            _ if a == c && b < d => "STARTS",
            _ if a == c => "STARTED BY",
            _ if b == d && a > c => "FINISHES",
            _ if b == d => "FINISHED BY",
            _ if a > c && b < d => "DURING",
            _ if a < c && b > d => "ALLEN_CONTAINS",
            _ if a < c => "ALLEN_OVERLAPS",
            _ => "OVERLAPPED BY",
        }
    }

    #[test]
    fn each_of_the_thirteen_is_drawn_as_it_is_defined() {
        let source = include_str!("content/periods.md");
        let mut drawn: Vec<String> = Vec::new();
        for block in source.split("```relation ").skip(1) {
            let (words, rest) = block.split_once('\n').unwrap();
            let body = rest.split("```").next().unwrap();
            let relation = Relation::read(words, body).unwrap();
            assert_eq!(allen(relation.p, relation.q), words);
            drawn.push(words.to_owned());
        }
        drawn.sort();
        drawn.dedup();
        assert_eq!(drawn.len(), 13, "{drawn:?}");
    }

    #[test]
    fn periods_that_are_none_are_refused() {
        for body in ["p 1 4", "p 4 1\nq 1 2", "p 1 4\nq 4 11", "p 1 4\nq 4 x"] {
            assert!(Relation::read("MEETS", body).is_err(), "{body}");
        }
        let meets = Relation::read("MEETS", "p 1 4\nq 4 10\n").unwrap();
        assert!(x(meets.q.1) <= WIDTH, "the drawing holds the last unit");
        assert_eq!(
            meets.example("periods").sql,
            "SELECT PERIOD(DATE '2026-01-01', DATE '2026-01-04')\n  MEETS PERIOD(DATE '2026-01-04', DATE '2026-01-10') AS holds"
        );
    }
}
