//! What differs between two readings of one key: where values appeared, went away or changed.

use crate::{OPEN, Piece};

/// A maximal stretch of valid time over which the same two assertions face each other and say different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// First valid instant.
    pub from: i64,
    /// First valid instant after; [`OPEN`] when unbounded.
    pub to: i64,
    /// The assertion that held in the first reading; `None` where nothing did and the values were added.
    pub before: Option<usize>,
    /// The assertion that holds in the second reading; `None` where nothing does and the values were removed.
    pub after: Option<usize>,
}

/// Compares two readings, each in order of valid time and disjoint, as [`crate::resolve`] gives them.
///
/// `same_values` tells from an index of the first and one of the second whether both say the same; where they do,
/// nothing differs, whenever it became known. Takes as many steps as there are pieces.
pub fn differences(before: &[Piece], after: &[Piece], same_values: impl Fn(usize, usize) -> bool) -> Vec<Difference> {
    let mut found = Vec::new();
    let (mut old, mut new) = (Walk(before), Walk(after));
    let mut at = i64::MIN;
    while at < OPEN {
        let ((was, was_until), (is, is_until)) = (old.at(at), new.at(at));
        let until = was_until.min(is_until);
        let differs = match (was, is) {
            (None, None) => false,
            (Some(was), Some(is)) => !same_values(was, is),
            _ => true,
        };
        if differs {
            found.push(Difference { from: at, to: until, before: was, after: is });
        }
        at = until;
    }
    found
}

/// Walks pieces forward.
struct Walk<'a>(&'a [Piece]);

impl Walk<'_> {
    /// What holds at an instant not before the last one asked for, and until when.
    fn at(&mut self, instant: i64) -> (Option<usize>, i64) {
        while let [first, rest @ ..] = self.0 {
            if instant < first.from {
                return (None, first.from);
            }
            if instant < first.to {
                return (Some(first.assertion), first.to);
            }
            self.0 = rest;
        }
        (None, OPEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(assertion: usize, from: i64, to: i64) -> Piece {
        Piece { assertion, from, to }
    }

    fn shown(before: &[Piece], after: &[Piece], same: impl Fn(usize, usize) -> bool) -> Vec<String> {
        let word = |index: Option<usize>| index.map_or("-".to_owned(), |index| index.to_string());
        let line = |d: Difference| format!("{}..{} {} {}", d.from, d.to, word(d.before), word(d.after));
        differences(before, after, same).into_iter().map(line).collect()
    }

    #[test]
    fn added_removed_and_changed_stretches_are_told_apart() {
        let before = [piece(0, 0, 10), piece(1, 20, OPEN)];
        let after = [piece(2, 5, 25), piece(3, 25, 30)];
        let open = OPEN.to_string();
        assert_eq!(
            shown(&before, &after, |was, is| (was, is) == (1, 2)),
            [
                "0..5 0 -".to_owned(),
                "5..10 0 2".into(),
                "10..20 - 2".into(),
                "25..30 1 3".into(),
                format!("30..{open} 1 -")
            ]
        );
    }

    #[test]
    fn equal_readings_do_not_differ() {
        let pieces = [piece(0, 0, 10), piece(1, 10, OPEN)];
        assert!(differences(&pieces, &pieces, |was, is| was == is).is_empty());
        assert!(differences(&[], &[], |_, _| true).is_empty());
    }
}
