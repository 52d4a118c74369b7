//! Epoch after epoch: what is appended, resolved as of each system time, drawn as rectangles, and compared.

use model::{
    Assertion, Fingerprint, Mode, OPEN, Operation, Piece, Rectangle, StoredAssertion, Timeline, differences,
    first_published, net_effect, net_effect_within, rectangles, resolve,
};
use proptest::prelude::*;

use crate::grid::{CELLS, Draft, Grid, cells, config, drafts, event, instant, modes, row};

/// A value and since when it is known.
type Version = (u8, i64);

/// Something said from an instant to another.
type Run<T> = (i64, i64, T);

/// What was appended over some epochs, one system time each, and what the grid said after each.
struct History {
    rows: Vec<(Assertion, u8)>,
    past: Vec<Vec<u8>>,
}

fn histories() -> impl Strategy<Value = (Vec<Vec<Draft>>, Mode, bool)> {
    (prop::collection::vec(drafts(14), 1..9), modes(), any::<bool>())
}

fn run(epochs: &[Vec<Draft>], mode: Mode, sequenced: bool) -> Result<History, TestCaseError> {
    let mut timeline = Timeline::new(mode, sequenced, Vec::new());
    let mut grid = Grid::new(mode, sequenced);
    let mut history = History { rows: Vec::new(), past: Vec::new() };
    for (system_from, drafts) in epochs.iter().enumerate() {
        let (before, cells_before) = (timeline.clone(), grid.cells());
        let reaches = drafts.iter().map(|draft| before.reach(&event(draft, sequenced)));
        let (from, until) = reaches.fold((OPEN, i64::MIN), |all, reach| (all.0.min(reach.0), all.1.max(reach.1)));
        for draft in drafts {
            timeline.apply(&event(draft, sequenced));
            grid.take(draft);
        }
        let changes = net_effect(before.segments(), timeline.segments());
        let within = net_effect_within(before.part(from, until), timeline.part(from, until), from, until);
        prop_assert_eq!(&within, &changes, "nothing changes outside {}..{}", from, until);
        for change in changes {
            history.rows.push(row(&change, system_from));
            let said = drafts.iter().map(|draft| event(draft, sequenced)).any(|event| {
                event.operation == Operation::Put
                    && (event.fingerprint, event.sequence) == (change.fingerprint, change.sequence)
            });
            let same = |held: u8| u128::from(held) == change.fingerprint.0;
            // An exact end may cut what a retraction of the same epoch let extend: then it held somewhere else.
            let exact = drafts.iter().any(|draft| draft.exact) && !sequenced;
            let held = same(cells_before[change.said_at as usize]) || (exact && cells_before.iter().any(|&c| same(c)));
            prop_assert!(change.fingerprint == Fingerprint::NOTHING || said || held, "whence its values? {:?}", change);
        }
        prop_assert_eq!(cells(&timeline), grid.cells());
        history.past.push(grid.cells());
    }
    Ok(history)
}

impl History {
    /// The rows known at a system time, and their values.
    fn known_at(&self, system_time: usize) -> (Vec<Assertion>, Vec<u8>) {
        self.rows.iter().filter(|(row, _)| row.system_from <= system_time as i64).copied().unzip()
    }

    /// Versions as of a system time, by the grid: value and since when it is known, where something holds.
    fn versions(&self, system_time: usize) -> Vec<Option<Version>> {
        let version = |cell: usize| {
            let value = self.past[system_time][cell];
            let mut since = system_time;
            while since > 0 && self.past[since - 1][cell] == value {
                since -= 1;
            }
            (value != 0).then_some((value, since as i64))
        };
        (0..CELLS).map(version).collect()
    }

    /// What was the first to hold as of a system time, by the grid: value and since when it is known.
    fn first_versions(&self, system_time: usize) -> Vec<Option<Version>> {
        let first = |cell: usize| {
            let said = |since: &usize| self.past[*since][cell] != 0;
            (0..=system_time).find(said).map(|since| (self.past[since][cell], since as i64))
        };
        (0..CELLS).map(first).collect()
    }
}

/// Neighbouring cells of which the same is said, as intervals.
fn runs<T: PartialEq + Clone>(cells: &[Option<T>]) -> Vec<Run<T>> {
    let mut runs: Vec<Run<T>> = Vec::new();
    for (cell, said) in cells.iter().enumerate() {
        let Some(said) = said else { continue };
        match runs.last_mut() {
            Some((_, to, last)) if *to == cell as i64 && last == said => *to = instant(cell + 1),
            _ => runs.push((cell as i64, instant(cell + 1), said.clone())),
        }
    }
    runs
}

fn resolved(rows: &[Assertion], values: &[u8]) -> (Vec<Piece>, Vec<Run<Version>>) {
    let pieces = resolve(rows, |a, b| values[a] == values[b]);
    let shown = |p: &Piece| (p.from, p.to, (values[p.assertion], rows[p.assertion].system_from));
    let versions = pieces.iter().map(shown).collect();
    (pieces, versions)
}

fn published_first(rows: &[(Assertion, u8)]) -> Vec<Run<Version>> {
    let (rows, values): (Vec<Assertion>, Vec<u8>) = rows.iter().copied().unzip();
    let pieces = first_published(&rows, |a, b| values[a] == values[b]);
    pieces.iter().map(|p| (p.from, p.to, (values[p.assertion], rows[p.assertion].system_from))).collect()
}

/// Rectangles as from, to, value, known from and until.
type Drawn = Vec<Run<(u8, i64, i64)>>;

fn drawn(rows: &[(StoredAssertion, u8)]) -> Drawn {
    let stored: Vec<StoredAssertion> = rows.iter().map(|(row, _)| *row).collect();
    let show = |r: &Rectangle| {
        let (row, value) = rows[r.assertion];
        (r.from, r.to, (value, row.assertion.system_from, r.system_to))
    };
    rectangles(&stored, |a, b| rows[a].1 == rows[b].1).iter().map(show).collect()
}

fn open(rows: &[(Assertion, u8)]) -> Vec<(StoredAssertion, u8)> {
    rows.iter().map(|&(assertion, value)| (StoredAssertion { assertion, system_to: OPEN }, value)).collect()
}

/// Rows as compaction would write them: one for each rectangle, deletes gone.
fn compacted(drawn: &Drawn) -> Vec<(StoredAssertion, u8)> {
    let row = |&(from, to, (value, system_from, system_to)): &Run<(u8, i64, i64)>| {
        (StoredAssertion { assertion: Assertion { from, to, system_from, put: true }, system_to }, value)
    };
    drawn.iter().map(row).collect()
}

/// The rectangles by the grid: for each cell the system times at which it changed, then neighbours joined.
fn drawn_by_grid(past: &[Vec<u8>]) -> Drawn {
    let mut found = Drawn::new();
    for since in 0..past.len() {
        let rectangle = |cell: usize| {
            let value = past[since][cell];
            let begins = value != 0 && (since == 0 || past[since - 1][cell] != value);
            let until = (since + 1..past.len()).find(|&later| past[later][cell] != value);
            begins.then_some((value, since as i64, until.map_or(OPEN, |until| until as i64)))
        };
        found.extend(runs(&(0..CELLS).map(rectangle).collect::<Vec<_>>()));
    }
    found.sort_by_key(|&(from, _, (_, system_from, _))| (from, system_from));
    found
}

/// Rows cut in two at a valid instant.
fn cut(rows: &[(Assertion, u8)], at: i64) -> Vec<(Assertion, u8)> {
    let halves = |&(row, value): &(Assertion, u8)| {
        let inside = row.from < at && at < row.to;
        let first = Assertion { to: if inside { at } else { row.to }, ..row };
        std::iter::once((first, value)).chain(inside.then_some((Assertion { from: at, ..row }, value)))
    };
    rows.iter().flat_map(halves).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_appended_resolves_to_every_past_state((epochs, mode, sequenced) in histories()) {
        let history = run(&epochs, mode, sequenced)?;
        for system_time in 0..history.past.len() {
            let (rows, values) = history.known_at(system_time);
            let (_, versions) = resolved(&rows, &values);
            prop_assert_eq!(versions, runs(&history.versions(system_time)), "as of {}", system_time);
        }
    }

    #[test]
    fn rectangles_are_those_of_the_grid((epochs, mode, sequenced) in histories()) {
        let history = run(&epochs, mode, sequenced)?;
        for system_time in 0..history.past.len() {
            let known: Vec<_> =
                history.rows.iter().filter(|(row, _)| row.system_from <= system_time as i64).copied().collect();
            prop_assert_eq!(drawn(&open(&known)), drawn_by_grid(&history.past[..=system_time]), "at {}", system_time);
        }
    }

    /// As appended, cut, compacted as of the end, which lets go of deletes, and only its first epochs.
    #[test]
    fn what_was_published_first_is_what_the_grid_says(
        (epochs, mode, sequenced) in histories(), until in 0..9_i64, at in 1..CELLS as i64,
    ) {
        let history = run(&epochs, mode, sequenced)?;
        let (old, new): (Vec<_>, Vec<_>) = history.rows.iter().copied().partition(|(row, _)| row.system_from <= until);
        let plain = |rows: Vec<(StoredAssertion, u8)>| rows.into_iter().map(|(row, value)| (row.assertion, value));
        let partly: Vec<_> = plain(compacted(&drawn(&open(&old)))).chain(new).collect();
        let tables = [
            history.rows.clone(), cut(&history.rows, at), plain(compacted(&drawn_by_grid(&history.past))).collect(), partly,
        ];
        for system_time in 0..history.past.len() {
            let expected = runs(&history.first_versions(system_time));
            for (kind, rows) in tables.iter().enumerate() {
                let known: Vec<_> =
                    rows.iter().filter(|(row, _)| row.system_from <= system_time as i64).copied().collect();
                prop_assert_eq!(published_first(&known), expected.clone(), "as of {}, table {}", system_time, kind);
            }
        }
    }

    /// Rows written anew, all or only those of the first epochs, cut or not, in any order.
    #[test]
    fn upkeep_changes_no_answer(
        (epochs, mode, sequenced) in histories(), until in 0..9_i64, at in 1..CELLS as i64, turn in 0..40_usize,
    ) {
        let history = run(&epochs, mode, sequenced)?;
        let expected = drawn_by_grid(&history.past);
        prop_assert_eq!(drawn(&compacted(&expected)), expected.clone(), "all compacted");
        let (old, new): (Vec<_>, Vec<_>) = history.rows.iter().copied().partition(|(row, _)| row.system_from <= until);
        let mut partly = compacted(&drawn(&open(&old)));
        partly.extend(open(&cut(&new, at)));
        let places = partly.len().max(1);
        partly.rotate_left(turn % places);
        prop_assert_eq!(drawn(&partly), expected, "compacted up to {}", until);
        for system_time in 0..history.past.len() {
            let holds = |row: &StoredAssertion| {
                (row.assertion.system_from..row.system_to).contains(&(system_time as i64))
            };
            let (rows, values): (Vec<_>, Vec<_>) =
                partly.iter().filter(|(row, _)| holds(row)).map(|(row, value)| (row.assertion, *value)).unzip();
            prop_assert_eq!(resolved(&rows, &values).1, runs(&history.versions(system_time)), "as of {}", system_time);
        }
    }

    /// Any rows, also such as no timeline would have appended.
    #[test]
    fn rows_cut_differently_give_the_same_versions_and_rectangles(drafts in drafts(40), at in 1..CELLS as i64) {
        let whole: Vec<(Assertion, u8)> = drafts.iter().enumerate().map(|(system_from, draft)| {
            let (from, to) = (draft.from as i64, instant(draft.to.unwrap_or(CELLS)));
            let put = draft.operation == Operation::Put;
            (Assertion { from, to, system_from: system_from as i64, put }, draft.value)
        }).collect();
        let halves = cut(&whole, at);
        let versions = |rows: &[(Assertion, u8)]| {
            let (rows, values): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
            resolved(&rows, &values).1
        };
        prop_assert_eq!(versions(&whole), versions(&halves));
        prop_assert_eq!(drawn(&open(&whole)), drawn(&open(&halves)));
    }

    #[test]
    fn differences_of_any_two_system_times_are_those_of_the_grid((epochs, mode, sequenced) in histories()) {
        let history = run(&epochs, mode, sequenced)?;
        for first in 0..history.past.len() {
            for second in 0..history.past.len() {
                let (old, old_values) = history.known_at(first);
                let (new, new_values) = history.known_at(second);
                let (was, is) = (resolved(&old, &old_values).0, resolved(&new, &new_values).0);
                let shown: Vec<_> = differences(&was, &is, |a, b| old_values[a] == new_values[b])
                    .iter()
                    .map(|d| {
                        let before = d.before.map(|i| (old_values[i], old[i].system_from));
                        (d.from, d.to, (before, d.after.map(|i| (new_values[i], new[i].system_from))))
                    })
                    .collect();
                let both = history.versions(first).into_iter().zip(history.versions(second));
                let differ = |(was, is): (Option<Version>, Option<Version>)| {
                    (was.map(|v| v.0) != is.map(|v| v.0)).then_some((was, is))
                };
                prop_assert_eq!(shown, runs(&both.map(differ).collect::<Vec<_>>()), "{} to {}", first, second);
            }
        }
    }
}
