//! A cell that shows a value before and after: what changed of a number is marked digit by digit.

use leptos::prelude::*;

use crate::{
    components::whole::{Whole, WholeView},
    format::{number::MINUS, style::with_style},
    state::diff::Kind,
};

/// A value before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellChange {
    /// What happened to the row.
    pub kind: Kind,
    /// As it was.
    pub before: String,
    /// As it is.
    pub after: String,
}

impl CellChange {
    /// As a view.
    pub fn view(self) -> WholeView {
        let CellChange { kind, before, after } = self;
        match kind {
            Kind::Added => view! { <ins>{after}</ins> }.whole(),
            Kind::Removed => view! { <del>{before}</del> }.whole(),
            Kind::Changed if before == after => view! { <span>{after}</span> }.whole(),
            Kind::Changed => {
                let Parts { head, before, after, tail } = difference(&before, &after);
                view! {
                    <span class="change">
                        <del>{head.clone()} <span class="digits">{before}</span> {tail.clone()}</del>
                        <span class="arrow" aria-hidden="true">" → "</span>
                        <ins>{head} <span class="digits">{after}</span> {tail}</ins>
                    </span>
                }
                .whole()
            }
        }
    }

    /// As text, for readers and for sorting.
    pub fn text(&self) -> String {
        match self.kind {
            Kind::Added => self.after.clone(),
            Kind::Removed => self.before.clone(),
            Kind::Changed if self.before == self.after => self.after.clone(),
            Kind::Changed => format!("{} → {}", self.before, self.after),
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
    let (group, decimal) = with_style(|style| (style.locale.group, style.locale.decimal));
    let belongs = |c: char| c.is_ascii_digit() || c == MINUS || c == group || c == decimal;
    let is_number = |text: &str| text.chars().all(belongs);
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
    fn a_reader_hears_what_there_was_and_what_there_is() {
        let change = |kind| CellChange { kind, before: "4".into(), after: "5".into() }.text();
        assert_eq!([Kind::Added, Kind::Removed, Kind::Changed].map(change), ["5", "4", "4 → 5"]);
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
