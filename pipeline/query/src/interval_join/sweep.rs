//! All pairs of two sets of intervals that share an instant, by a forward scan over both in the order of their starts
//! (Brinkhoff, Kriegel, Seeger 1993; Bouros, Mamoulis 2017): n·log n for the sorting, and one step for each pair.

/// A row's interval, which holds at least one instant, and the group within which it can meet others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) group: u32,
    pub(crate) from: i64,
    pub(crate) row: u32,
    pub(crate) to: i64,
}

/// Calls `meet` with the rows of each pair, left first, until it says to stop. Both sides are sorted here.
pub(crate) fn sweep<E>(
    left: &mut [Entry],
    right: &mut [Entry],
    mut meet: impl FnMut(u32, u32) -> Result<bool, E>,
) -> Result<(), E> {
    left.sort_unstable();
    right.sort_unstable();
    let mut rights = right.chunk_by(|a, b| a.group == b.group).peekable();
    for left in left.chunk_by(|a, b| a.group == b.group) {
        while rights.next_if(|right| right[0].group < left[0].group).is_some() {}
        let Some(right) = rights.next_if(|right| right[0].group == left[0].group) else { continue };
        if !sweep_group(left, right, &mut meet)? {
            break;
        }
    }
    Ok(())
}

fn sweep_group<E>(
    mut left: &[Entry],
    mut right: &[Entry],
    meet: &mut impl FnMut(u32, u32) -> Result<bool, E>,
) -> Result<bool, E> {
    while let ([first_left, rest_left @ ..], [first_right, rest_right @ ..]) = (left, right) {
        if first_left.from <= first_right.from {
            for met in right.iter().take_while(|entry| entry.from < first_left.to) {
                if !meet(first_left.row, met.row)? {
                    return Ok(false);
                }
            }
            left = rest_left;
        } else {
            for met in left.iter().take_while(|entry| entry.from < first_right.to) {
                if !meet(met.row, first_right.row)? {
                    return Ok(false);
                }
            }
            right = rest_right;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        vec((0..3_u32, 0..12_i64, 1..8_i64), 0..20).prop_map(|intervals| {
            let entry = |(row, (group, from, length)): (usize, (u32, i64, i64))| Entry {
                group,
                from,
                row: row as u32,
                to: if length == 7 { i64::MAX } else { from + length },
            };
            intervals.into_iter().enumerate().map(entry).collect()
        })
    }

    proptest! {
        #[test]
        fn finds_each_pair_once(mut left in entries(), mut right in entries()) {
            let mut expected = Vec::new();
            for a in &left {
                for b in &right {
                    // A common instant, looked for one by one.
                    if a.group == b.group && (0..20).any(|at| a.from <= at && at < a.to && b.from <= at && at < b.to) {
                        expected.push((a.row, b.row));
                    }
                }
            }
            let mut found = Vec::new();
            sweep::<()>(&mut left, &mut right, |a, b| { found.push((a, b)); Ok(true) }).unwrap();
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn stops_when_told() {
        let side =
            |count: u32| -> Vec<Entry> { (0..count).map(|row| Entry { group: 0, from: 0, row, to: 1 }).collect() };
        let mut pairs = 0;
        sweep::<()>(&mut side(100), &mut side(100), |_, _| {
            pairs += 1;
            Ok(pairs < 10)
        })
        .unwrap();
        assert_eq!(pairs, 10);
    }
}
