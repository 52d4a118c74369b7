//! The kernel against a naive dense grid that shares no code with it: one cell for each valid instant.
//!
//! `PROPTEST_CASES=10000 cargo test -p model` asks for more cases; a failure prints its seed and is kept for replay.

use model::{
    Assertion, Effect, Fingerprint, Mode, OPEN, Operation, Segment, Timeline, TimelineEvent, net_effect, resolve,
};
use proptest::prelude::*;

/// Valid instants 0..CELLS; the last stands for all that follow.
const CELLS: usize = 24;

#[derive(Debug, Clone, Copy)]
struct Draft {
    put: bool,
    from: usize,
    to: Option<usize>,
    value: u8,
    sequence: i64,
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let one = (any::<bool>(), 0..CELLS - 1, prop::option::of(1..CELLS), 1..4_u8, 0..6_i64);
    let draft = one.prop_map(|(put, from, length, value, sequence)| {
        let to = length.map(|length| from + length).filter(|&to| to < CELLS);
        Draft { put: put || value > 1, from, to, value, sequence }
    });
    prop::collection::vec(draft, 1..40)
}

fn event(draft: &Draft, sequenced: bool) -> TimelineEvent {
    TimelineEvent {
        operation: if draft.put { Operation::Put } else { Operation::Delete },
        from: draft.from as i64,
        to: draft.to.map_or(OPEN, |to| to as i64),
        sequence: if sequenced { draft.sequence } else { 0 },
        fingerprint: Fingerprint(u128::from(draft.value)),
    }
}

fn held_at(segments: &[Segment], instant: i64) -> u8 {
    let found = segments.iter().find(|s| s.from <= instant && instant < s.to);
    found.map_or(0, |s| s.fingerprint.0 as u8)
}

fn cells(segments: &[Segment]) -> Vec<u8> {
    (0..CELLS).map(|cell| held_at(segments, cell as i64)).collect()
}

/// Interval mode: paint; with sequence numbers a cell keeps the largest that painted it.
fn paint(grid: &mut [(i64, u8)], draft: &Draft, sequenced: bool) -> bool {
    let mut changed = false;
    for cell in grid.iter_mut().take(draft.to.unwrap_or(CELLS)).skip(draft.from) {
        let sequence = if sequenced { draft.sequence } else { 0 };
        if sequence >= cell.0 {
            let value = if draft.put { draft.value } else { 0 };
            changed |= cell.1 != value;
            *cell = (sequence, value);
        }
    }
    changed
}

/// Until-changed mode: change points, each holding until the next; what says nothing new is no change point.
fn note_change(points: &mut [Option<u8>], draft: &Draft) -> bool {
    let value = if draft.put { draft.value } else { 0 };
    let held = points[..=draft.from].iter().rev().find_map(|point| *point).unwrap_or(0);
    if held == value {
        return false;
    }
    points[draft.from] = Some(value);
    true
}

fn spread(points: &[Option<u8>]) -> Vec<u8> {
    points
        .iter()
        .scan(0, |held, point| {
            *held = point.unwrap_or(*held);
            Some(*held)
        })
        .collect()
}

proptest! {
    #[test]
    fn interval_events_paint(drafts in drafts(), sequenced in any::<bool>()) {
        let mut timeline = Timeline::new(Mode::Interval, sequenced, Vec::new());
        let mut grid = vec![(i64::MIN, 0); CELLS];
        for draft in &drafts {
            let effect = timeline.apply(&event(draft, sequenced));
            let changed = paint(&mut grid, draft, sequenced);
            prop_assert_eq!(effect == Effect::Changed, changed, "{:?}", draft);
            prop_assert_eq!(cells(timeline.segments()), grid.iter().map(|c| c.1).collect::<Vec<_>>());
            prop_assert!(timeline.segments().windows(2).all(|p| p[0].to <= p[1].from && p[0].from < p[0].to));
        }
    }

    #[test]
    fn until_changed_events_fill_their_own_gap(drafts in drafts()) {
        let mut timeline = Timeline::new(Mode::UntilChanged, false, Vec::new());
        let mut points = vec![None; CELLS];
        for draft in &drafts {
            let effect = timeline.apply(&event(draft, false));
            prop_assert_eq!(effect == Effect::Changed, note_change(&mut points, draft));
            prop_assert_eq!(cells(timeline.segments()), spread(&points));
        }
    }

    #[test]
    fn with_distinct_sequence_numbers_any_order_ends_the_same(
        drafts in drafts(), mode in prop_oneof![Just(Mode::Interval), Just(Mode::UntilChanged)], seed in any::<u64>(),
    ) {
        let numbered: Vec<Draft> =
            drafts.iter().enumerate().map(|(i, draft)| Draft { sequence: i as i64, ..*draft }).collect();
        let mut shuffled = numbered.clone();
        let mut state = seed | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        let run = |drafts: &[Draft]| {
            let mut timeline = Timeline::new(mode, true, Vec::new());
            drafts.iter().for_each(|draft| { timeline.apply(&event(draft, true)); });
            cells(timeline.segments())
        };
        prop_assert_eq!(run(&numbered), run(&shuffled));
    }

    /// What epochs append, resolved as of each system time, is the timeline as it was then.
    #[test]
    fn appended_changes_resolve_to_every_past_state(
        epochs in prop::collection::vec(drafts(), 1..8), mode in prop_oneof![Just(Mode::Interval), Just(Mode::UntilChanged)],
    ) {
        let mut timeline = Timeline::new(mode, false, Vec::new());
        let mut rows: Vec<(Assertion, u8)> = Vec::new();
        let mut past: Vec<Vec<u8>> = Vec::new();
        for (system_from, drafts) in epochs.iter().enumerate() {
            let before = timeline.segments().to_vec();
            drafts.iter().for_each(|draft| { timeline.apply(&event(draft, false)); });
            for change in net_effect(&before, timeline.segments()) {
                let put = change.fingerprint != Fingerprint::NOTHING;
                let row = Assertion { from: change.from, to: change.to, system_from: system_from as i64, put };
                rows.push((row, change.fingerprint.0 as u8));
            }
            past.push(cells(timeline.segments()));
        }
        for (system_time, expected) in past.iter().enumerate() {
            let known: Vec<_> = rows.iter().filter(|(row, _)| row.system_from <= system_time as i64).copied().collect();
            let assertions: Vec<Assertion> = known.iter().map(|(row, _)| *row).collect();
            let pieces = resolve(&assertions, |a, b| known[a].1 == known[b].1);
            prop_assert!(pieces.windows(2).all(|p| p[0].to <= p[1].from));
            let found: Vec<u8> = (0..CELLS as i64)
                .map(|cell| pieces.iter().find(|p| p.from <= cell && cell < p.to).map_or(0, |p| known[p.assertion].1))
                .collect();
            prop_assert_eq!(&found, expected, "as of {}", system_time);
        }
    }

    /// Cutting rows differently changes no version.
    #[test]
    fn rows_cut_differently_resolve_to_the_same_versions(drafts in drafts(), cut in 1..CELLS as i64) {
        let whole: Vec<(Assertion, u8)> = drafts.iter().enumerate().map(|(i, d)| {
            let row = Assertion { from: d.from as i64, to: d.to.map_or(OPEN, |to| to as i64), system_from: i as i64, put: d.put };
            (row, d.value)
        }).collect();
        let pieces_of = |(row, value): (Assertion, u8)| {
            let inside = row.from < cut && cut < row.to;
            let first = Assertion { to: if inside { cut } else { row.to }, ..row };
            std::iter::once((first, value)).chain(inside.then_some((Assertion { from: cut, ..row }, value)))
        };
        let halves: Vec<(Assertion, u8)> = whole.iter().copied().flat_map(pieces_of).collect();
        let versions = |rows: &[(Assertion, u8)]| {
            let assertions: Vec<Assertion> = rows.iter().map(|(row, _)| *row).collect();
            let pieces = resolve(&assertions, |a, b| rows[a].1 == rows[b].1);
            pieces.iter().map(|p| (p.from, p.to, assertions[p.assertion].system_from, rows[p.assertion].1)).collect::<Vec<_>>()
        };
        prop_assert_eq!(versions(&whole), versions(&halves));
    }
}

fn put(from: i64, to: i64, value: u128) -> TimelineEvent {
    TimelineEvent { operation: Operation::Put, from, to, sequence: 0, fingerprint: Fingerprint(value) }
}

fn delete(from: i64, to: i64) -> TimelineEvent {
    TimelineEvent { operation: Operation::Delete, ..put(from, to, 0) }
}

fn spans(timeline: &Timeline) -> Vec<(i64, i64, u128)> {
    timeline.segments().iter().map(|s| (s.from, s.to, s.fingerprint.0)).collect()
}

#[test]
fn a_put_supersedes_the_middle_and_leaves_both_sides() {
    let mut timeline = Timeline::new(Mode::Interval, false, Vec::new());
    timeline.apply(&put(0, OPEN, 1));
    timeline.apply(&put(10, 20, 2));
    assert_eq!(spans(&timeline), [(0, 10, 1), (10, 20, 2), (20, OPEN, 1)]);
}

#[test]
fn a_delete_makes_nothing_hold_over_exactly_its_interval() {
    let mut timeline = Timeline::new(Mode::Interval, false, Vec::new());
    timeline.apply(&put(0, 30, 1));
    assert_eq!(timeline.apply(&delete(10, 20)), Effect::Changed);
    assert_eq!(timeline.apply(&delete(12, 18)), Effect::Unchanged);
    assert_eq!(spans(&timeline), [(0, 10, 1), (20, 30, 1)]);
}

#[test]
fn a_late_arrival_does_not_run_over_what_follows() {
    let mut timeline = Timeline::new(Mode::UntilChanged, false, Vec::new());
    timeline.apply(&put(0, OPEN, 1));
    timeline.apply(&put(20, OPEN, 3));
    timeline.apply(&put(10, OPEN, 2));
    assert_eq!(spans(&timeline), [(0, 10, 1), (10, 20, 2), (20, OPEN, 3)]);
}

#[test]
fn a_put_that_says_what_holds_is_no_change_point() {
    let mut timeline = Timeline::new(Mode::UntilChanged, false, Vec::new());
    timeline.apply(&put(0, OPEN, 1));
    assert_eq!(timeline.apply(&put(5, OPEN, 1)), Effect::Unchanged);
    timeline.apply(&put(3, OPEN, 2));
    assert_eq!(spans(&timeline), [(0, 3, 1), (3, OPEN, 2)]);
}

#[test]
fn an_older_sequence_number_changes_nothing_that_a_newer_one_said() {
    let numbered = |event: TimelineEvent, sequence| TimelineEvent { sequence, ..event };
    let mut timeline = Timeline::new(Mode::Interval, true, Vec::new());
    timeline.apply(&numbered(delete(10, 20), 5));
    assert_eq!(timeline.apply(&numbered(put(12, 18, 1), 4)), Effect::Unchanged);
    assert_eq!(timeline.apply(&numbered(put(5, 15, 2), 3)), Effect::Changed);
    assert_eq!(cells(timeline.segments())[4..11], [0, 2, 2, 2, 2, 2, 0]);
}

#[test]
fn there_and_back_within_an_epoch_leaves_no_trace() {
    let mut timeline = Timeline::new(Mode::Interval, false, Vec::new());
    timeline.apply(&put(0, 10, 1));
    let before = timeline.segments().to_vec();
    timeline.apply(&put(0, 10, 2));
    timeline.apply(&put(0, 10, 1));
    assert_eq!(net_effect(&before, timeline.segments()), []);
}
