//! Situations worth a name.

use model::{Assertion, Change, Effect, Fingerprint, Mode, OPEN, Operation, Rectangle, StoredAssertion, Timeline};
use model::{TimelineEvent, net_effect, rectangles, resolve};

fn put(from: i64, to: i64, value: u128) -> TimelineEvent {
    TimelineEvent { operation: Operation::Put, from, to, exact: false, sequence: 0, fingerprint: Fingerprint(value) }
}

fn change(from: i64, value: u128) -> TimelineEvent {
    put(from, OPEN, value)
}

fn delete(from: i64, to: i64) -> TimelineEvent {
    TimelineEvent { operation: Operation::Delete, ..put(from, to, 0) }
}

fn retract(from: i64) -> TimelineEvent {
    TimelineEvent { operation: Operation::Retract, ..put(from, OPEN, 0) }
}

fn numbered(event: TimelineEvent, sequence: i64) -> TimelineEvent {
    TimelineEvent { sequence, ..event }
}

fn intervals() -> Timeline {
    Timeline::new(Mode::Interval, false, Vec::new())
}

fn changes(events: &[TimelineEvent]) -> Timeline {
    let mut timeline = Timeline::new(Mode::UntilChanged, false, Vec::new());
    events.iter().for_each(|event| assert_eq!(timeline.apply(event), Effect::Changed, "{event:?}"));
    timeline
}

fn sequenced(events: &[TimelineEvent]) -> Timeline {
    let mut timeline = Timeline::new(Mode::UntilChanged, true, Vec::new());
    for event in events {
        timeline.apply(event);
    }
    timeline
}

/// What holds where, neighbours that say the same joined, nothing left out.
fn spans(timeline: &Timeline) -> Vec<(i64, i64, u128)> {
    let mut spans: Vec<(i64, i64, u128)> = Vec::new();
    for segment in timeline.segments().iter().filter(|s| s.fingerprint != Fingerprint::NOTHING) {
        match spans.last_mut() {
            Some(last) if last.1 == segment.from && last.2 == segment.fingerprint.0 => last.1 = segment.to,
            _ => spans.push((segment.from, segment.to, segment.fingerprint.0)),
        }
    }
    spans
}

#[test]
fn a_put_supersedes_the_middle_and_leaves_both_sides() {
    let mut timeline = intervals();
    timeline.apply(&put(0, OPEN, 1));
    timeline.apply(&put(10, 20, 2));
    assert_eq!(spans(&timeline), [(0, 10, 1), (10, 20, 2), (20, OPEN, 1)]);
}

#[test]
fn a_delete_makes_nothing_hold_over_exactly_its_interval() {
    let mut timeline = intervals();
    timeline.apply(&put(0, 30, 1));
    assert_eq!(timeline.apply(&delete(10, 20)), Effect::Changed);
    assert_eq!(timeline.apply(&delete(12, 18)), Effect::Unchanged);
    assert_eq!(spans(&timeline), [(0, 10, 1), (20, 30, 1)]);
}

#[test]
fn intervals_have_no_change_to_retract() {
    let mut timeline = intervals();
    timeline.apply(&put(0, 30, 1));
    assert_eq!(timeline.apply(&retract(0)), Effect::Unchanged);
    assert_eq!(spans(&timeline), [(0, 30, 1)]);
}

#[test]
fn a_late_arrival_does_not_run_over_what_follows() {
    let timeline = changes(&[change(0, 1), change(20, 3), change(10, 2)]);
    assert_eq!(spans(&timeline), [(0, 10, 1), (10, 20, 2), (20, OPEN, 3)]);
}

#[test]
fn a_put_that_says_what_holds_is_no_change() {
    let mut timeline = changes(&[change(0, 1)]);
    assert_eq!(timeline.apply(&change(5, 1)), Effect::Unchanged);
    assert_eq!(timeline.apply(&retract(5)), Effect::Unchanged);
    timeline.apply(&change(3, 2));
    assert_eq!(spans(&timeline), [(0, 3, 1), (3, OPEN, 2)]);
}

#[test]
fn what_a_retraction_withdraws_goes_to_the_one_before() {
    let timeline = changes(&[change(0, 1), change(10, 2), change(20, 3), retract(10)]);
    assert_eq!(spans(&timeline), [(0, 20, 1), (20, OPEN, 3)]);
    assert_eq!(timeline.segments().len(), 2, "nothing is remembered of it");
}

#[test]
fn without_one_before_a_retraction_leaves_nothing_until_the_next() {
    let timeline = changes(&[change(0, 1), change(10, 2), retract(0)]);
    assert_eq!(spans(&timeline), [(10, OPEN, 2)]);
    assert_eq!(spans(&changes(&[change(0, 1), retract(0)])), []);
}

#[test]
fn a_retraction_beside_every_change_does_nothing() {
    let mut timeline = changes(&[change(0, 1), change(10, 2)]);
    for at in [-1, 1, 9, 11, i64::MIN, OPEN - 1] {
        assert_eq!(timeline.apply(&retract(at)), Effect::Unchanged);
    }
    assert_eq!(spans(&timeline), [(0, 10, 1), (10, OPEN, 2)]);
}

#[test]
fn a_retracted_delete_gives_back_what_it_ended() {
    let timeline = changes(&[change(0, 1), delete(10, OPEN), change(20, 2), retract(10)]);
    assert_eq!(spans(&timeline), [(0, 20, 1), (20, OPEN, 2)]);
}

#[test]
fn a_retraction_behind_a_delete_leaves_nothing() {
    let timeline = changes(&[change(0, 1), delete(10, OPEN), change(20, 2), retract(20)]);
    assert_eq!(spans(&timeline), [(0, 10, 1)]);
}

#[test]
fn a_retraction_withdraws_what_was_said_last_and_nothing_returns_from_under_it() {
    let timeline = changes(&[change(0, 1), change(10, 2), change(10, 3), retract(10)]);
    assert_eq!(spans(&timeline), [(0, OPEN, 1)]);
}

#[test]
fn a_change_that_came_to_say_what_holds_anyway_can_be_retracted() {
    let mut timeline = changes(&[change(0, 1), change(10, 2), change(10, 1)]);
    assert_eq!(timeline.apply(&retract(10)), Effect::Unchanged);
    timeline.apply(&change(5, 4));
    assert_eq!(spans(&timeline), [(0, 5, 1), (5, OPEN, 4)], "it is no change any more");
}

#[test]
fn a_retraction_that_comes_before_its_put_keeps_it_out() {
    let put_first = sequenced(&[numbered(change(0, 1), 1), numbered(change(10, 2), 2), numbered(retract(10), 3)]);
    let retraction_first =
        sequenced(&[numbered(retract(10), 3), numbered(change(10, 2), 2), numbered(change(0, 1), 1)]);
    assert_eq!(spans(&put_first), [(0, OPEN, 1)]);
    assert_eq!(put_first, retraction_first);
}

#[test]
fn a_newer_put_returns_to_a_retracted_instant() {
    let timeline = sequenced(&[numbered(change(0, 1), 1), numbered(retract(10), 3), numbered(change(10, 2), 4)]);
    assert_eq!(spans(&timeline), [(0, 10, 1), (10, OPEN, 2)]);
}

#[test]
fn a_late_put_runs_over_retracted_instants_to_the_next_change() {
    let timeline = sequenced(&[
        numbered(change(30, 9), 1),
        numbered(retract(10), 2),
        numbered(retract(20), 3),
        numbered(change(5, 4), 4),
        numbered(change(0, 1), 5),
    ]);
    assert_eq!(spans(&timeline), [(0, 5, 1), (5, 30, 4), (30, OPEN, 9)]);
    assert_eq!(timeline.segments().len(), 5, "both retractions are remembered");
}

#[test]
fn an_older_sequence_number_changes_nothing_that_a_newer_one_said() {
    let mut timeline = Timeline::new(Mode::Interval, true, Vec::new());
    timeline.apply(&numbered(delete(10, 20), 5));
    assert_eq!(timeline.apply(&numbered(put(12, 18, 1), 4)), Effect::Unchanged);
    assert_eq!(timeline.apply(&numbered(put(5, 15, 2), 3)), Effect::Changed);
    assert_eq!(spans(&timeline), [(5, 10, 2)]);
}

#[test]
fn there_and_back_within_an_epoch_leaves_no_trace() {
    let mut timeline = intervals();
    timeline.apply(&put(0, 10, 1));
    let before = timeline.segments().to_vec();
    timeline.apply(&put(0, 10, 2));
    timeline.apply(&put(0, 10, 1));
    assert_eq!(net_effect(&before, timeline.segments()), []);
    let before = changes(&[change(0, 1)]);
    let after = changes(&[change(0, 1), change(5, 2), retract(5)]);
    assert_eq!(net_effect(before.segments(), after.segments()), []);
}

#[test]
fn a_net_effect_says_where_its_values_were_said() {
    let before = changes(&[change(0, 1), change(10, 2), change(20, 3), change(30, 4)]);
    let after = changes(&[change(0, 1), change(25, 5)]);
    let expected =
        |from, to, value, said_at| Change { from, to, fingerprint: Fingerprint(value), said_at, sequence: 0 };
    assert_eq!(net_effect(before.segments(), after.segments()), [expected(10, 25, 1, 0), expected(25, OPEN, 5, 25)]);
    // The part at hand begins with a retraction: its first instant is as far back as can be said.
    let whole = sequenced(&[numbered(change(0, 1), 1), numbered(retract(10), 2), numbered(change(20, 3), 3)]);
    let mut part = Timeline::new(Mode::UntilChanged, true, whole.segments()[1..].to_vec());
    part.apply(&numbered(retract(20), 4));
    let found = net_effect(&whole.segments()[1..], part.segments());
    assert_eq!(found.iter().map(|c| (c.from, c.fingerprint.0, c.said_at)).collect::<Vec<_>>(), [(20, 1, 10)]);
}

#[test]
fn equal_values_under_two_sequence_numbers_are_two_changes() {
    let mut timeline = Timeline::new(Mode::Interval, true, Vec::new());
    timeline.apply(&numbered(put(0, 10, 1), 5));
    timeline.apply(&numbered(put(10, 20, 1), 7));
    let found = net_effect(&[], timeline.segments());
    assert_eq!(found.iter().map(|c| (c.from, c.to, c.sequence)).collect::<Vec<_>>(), [(0, 10, 5), (10, 20, 7)]);
}

fn row(from: i64, to: i64, system_from: i64, put: bool) -> Assertion {
    Assertion { from, to, system_from, put }
}

#[test]
fn a_later_assertion_hides_only_what_it_covers_and_a_delete_shows_nothing() {
    let rows = [row(0, OPEN, 1, true), row(10, 20, 2, true), row(15, 30, 3, false)];
    let found = resolve(&rows, |_, _| false);
    let shown: Vec<_> = found.iter().map(|p| (p.assertion, p.from, p.to)).collect();
    assert_eq!(shown, [(0, 0, 10), (1, 10, 15), (0, 30, OPEN)]);
}

#[test]
fn what_is_said_again_where_nothing_held_is_another_rectangle() {
    let rows = [row(0, 10, 1, true), row(0, 10, 2, false), row(0, 10, 3, true)];
    let stored = rows.map(|assertion| StoredAssertion { assertion, system_to: OPEN });
    let found = rectangles(&stored, |_, _| true);
    let expected = |assertion, system_to| Rectangle { assertion, from: 0, to: 10, system_to };
    assert_eq!(found, [expected(0, 2), expected(2, OPEN)]);
}

#[test]
fn an_assertion_under_several_later_ones_is_cut_where_each_begins() {
    let rows = [row(0, 40, 1, true), row(10, 30, 2, true), row(20, OPEN, 3, true)];
    let stored = rows.map(|assertion| StoredAssertion { assertion, system_to: OPEN });
    let shown: Vec<_> =
        rectangles(&stored, |_, _| false).iter().map(|r| (r.assertion, r.from, r.to, r.system_to)).collect();
    assert_eq!(
        shown,
        [(0, 0, 10, OPEN), (0, 10, 30, 2), (1, 10, 20, OPEN), (1, 20, 30, 3), (2, 20, OPEN, OPEN), (0, 30, 40, 3)]
    );
}

fn exactly(from: i64, to: i64, value: u128) -> TimelineEvent {
    TimelineEvent { exact: true, ..put(from, to, value) }
}

#[test]
fn an_exact_end_takes_out_changes_inside_and_lets_go_on_what_held() {
    let mut timeline = Timeline::new(Mode::UntilChanged, false, Vec::new());
    for event in [change(0, 1), change(10, 2), change(20, 3)] {
        timeline.apply(&event);
    }
    assert_eq!(timeline.apply(&exactly(5, 15, 9)), Effect::Changed);
    let shown: Vec<(i64, u128)> = timeline.segments().iter().map(|s| (s.from, s.fingerprint.0)).collect();
    assert_eq!(shown, [(0, 1), (5, 9), (15, 2), (20, 3)]);
    assert_eq!(timeline.apply(&exactly(6, 12, 9)), Effect::Unchanged, "it holds there already");
    assert_eq!(timeline.apply(&exactly(12, OPEN, 4)), Effect::Changed);
    let shown: Vec<(i64, u128)> = timeline.segments().iter().map(|s| (s.from, s.fingerprint.0)).collect();
    assert_eq!(shown, [(0, 1), (5, 9), (12, 4)]);
}

#[test]
fn an_exact_end_where_nothing_held_is_remembered() {
    let mut timeline = Timeline::new(Mode::UntilChanged, false, Vec::new());
    timeline.apply(&exactly(0, 10, 1));
    timeline.apply(&change(-5, 2));
    let shown: Vec<(i64, i64, u128)> = timeline.segments().iter().map(|s| (s.from, s.to, s.fingerprint.0)).collect();
    assert_eq!(shown, [(-5, 0, 2), (0, 10, 1), (10, OPEN, 0)]);
}
