//! The rows of a comparison: before and after side by side, the changed part marked, the kind said by sign and colour.

use leptos::prelude::*;

use crate::{
    components::whole::{Whole, WholeView},
    format::number::MINUS,
};

/// What happened to a row between A and B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only in B.
    Added,
    /// Only in A.
    Removed,
    /// In both, and not the same.
    Changed,
}

impl Kind {
    /// From where the row is.
    pub fn of(in_a: bool, in_b: bool) -> Kind {
        match (in_a, in_b) {
            (false, _) => Kind::Added,
            (true, false) => Kind::Removed,
            (true, true) => Kind::Changed,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Kind::Added => "+",
            Kind::Removed => "−",
            Kind::Changed => "~",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
        }
    }
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened to it.
    pub kind: Kind,
    /// Its key, column by column.
    pub keys: Vec<String>,
    /// From when it is effective.
    pub valid_from: String,
    /// Until when, in A and in B.
    pub valid_to: (String, String),
    /// Its values, column by column, in A and in B.
    pub values: Vec<(Option<String>, Option<String>)>,
    /// When B came to know it.
    pub known: String,
}

/// The rows that differ, with the names of their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Key columns.
    pub key_names: Vec<String>,
    /// Value columns.
    pub value_names: Vec<String>,
    /// Which value columns are numbers.
    pub numeric: Vec<bool>,
    /// The rows.
    pub rows: Vec<Change>,
}

/// The table.
pub fn changes_table(changes: &Changes) -> WholeView {
    let class = |numeric: bool| if numeric { "number" } else { "" };
    let keys = changes.key_names.iter().map(|name| view! { <th scope="col">{name.clone()}</th> }.whole());
    let values = changes.value_names.iter().zip(&changes.numeric);
    let values =
        values.map(|(name, numeric)| view! { <th scope="col" class=class(*numeric)>{name.clone()}</th> }.whole());
    view! {
        <div class="table-box tall" role="region" aria-label="Table of rows that differ" tabindex="0">
            <table data-testid="table-changes">
                <caption class="visually-hidden">"Rows that differ between A and B, values of A before values of B"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Change"</th>
                        {keys.collect::<Vec<_>>()}
                        <th scope="col">"Effective from – until"</th>
                        {values.collect::<Vec<_>>()}
                        <th scope="col">"Known at"</th>
                    </tr>
                </thead>
                <tbody>{changes.rows.iter().map(|change| row(change, &changes.numeric)).collect::<Vec<_>>()}</tbody>
            </table>
        </div>
    }
    .whole()
}

fn row(change: &Change, numeric: &[bool]) -> WholeView {
    let kind = change.kind;
    let keys = change.keys.iter().map(|key| view! { <td class="key">{key.clone()}</td> }.whole());
    let values = change.values.iter().zip(numeric).map(|((before, after), numeric)| {
        let class = if *numeric { "number" } else { "" };
        view! { <td class=class>{value_cell(kind, before.as_deref(), after.as_deref())}</td> }.whole()
    });
    let (a_to, b_to) = &change.valid_to;
    let end = match kind {
        Kind::Added => plain(b_to),
        Kind::Removed => plain(a_to),
        Kind::Changed => value_cell(kind, Some(a_to), Some(b_to)),
    };
    view! {
        <tr data-kind=kind.word()>
            <th scope="row" class="change-kind">
                <span class="sign" aria-hidden="true">{kind.sign()}</span>
                " "
                {kind.word()}
            </th>
            {keys.collect::<Vec<_>>()}
            <td>{change.valid_from.clone()} " – " {end}</td>
            {values.collect::<Vec<_>>()}
            <td>{change.known.clone()}</td>
        </tr>
    }
    .whole()
}

fn plain(text: &str) -> WholeView {
    view! { <span>{text.to_owned()}</span> }.whole()
}

fn value_cell(kind: Kind, before: Option<&str>, after: Option<&str>) -> WholeView {
    let shown = |value: Option<&str>| value.unwrap_or("null").to_owned();
    let (before, after) = (shown(before), shown(after));
    match kind {
        Kind::Added => plain(&after),
        Kind::Removed => view! { <del>{before}</del> }.whole(),
        Kind::Changed if before == after => plain(&after),
        Kind::Changed => {
            let parts = difference(&before, &after);
            view! {
                <span class="change">
                    <del>{parts.head.clone()} <span class="digits">{parts.before}</span> {parts.tail.clone()}</del>
                    <span class="arrow" aria-hidden="true">" → "</span>
                    <ins>{parts.head} <span class="digits">{parts.after}</span> {parts.tail}</ins>
                </span>
            }
            .whole()
        }
    }
}

/// What two numbers share at both ends, and what differs between. Words differ as a whole.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    head: String,
    before: String,
    after: String,
    tail: String,
}

fn difference(before: &str, after: &str) -> Parts {
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.' | MINUS));
    if !is_number(before) || !is_number(after) {
        let (before, after) = (before.to_owned(), after.to_owned());
        return Parts { head: String::new(), before, after, tail: String::new() };
    }
    let (a, b): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    let head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let text = |chars: &[char]| chars.iter().collect::<String>();
    Parts {
        head: text(&a[..head]),
        before: text(&a[head..a.len() - tail]),
        after: text(&b[head..b.len() - tail]),
        tail: text(&a[a.len() - tail..]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(head: &str, before: &str, after: &str, tail: &str) -> Parts {
        Parts { head: head.into(), before: before.into(), after: after.into(), tail: tail.into() }
    }

    #[test]
    fn only_the_digits_that_changed_are_marked() {
        assert_eq!(difference("4.125", "4.250"), parts("4.", "125", "250", ""));
        assert_eq!(difference("1,204.31", "1,214.31"), parts("1,2", "0", "1", "4.31"));
        assert_eq!(difference("11", "111"), parts("11", "", "1", ""));
        assert_eq!(difference("", "5"), parts("", "", "5", ""));
        assert_eq!(difference("closing", "correction"), parts("", "closing", "correction", ""));
    }

    #[test]
    fn a_row_is_added_removed_or_changed() {
        assert_eq!(Kind::of(false, true), Kind::Added);
        assert_eq!(Kind::of(true, false), Kind::Removed);
        assert_eq!(Kind::of(true, true), Kind::Changed);
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_both_texts(before in "[0-9.−a]{0,12}", after in "[0-9.−a]{0,12}") {
            let parts = difference(&before, &after);
            prop_assert_eq!(format!("{}{}{}", parts.head, parts.before, parts.tail), before);
            prop_assert_eq!(format!("{}{}{}", parts.head, parts.after, parts.tail), after);
        }
    }
}
