//! Events on a timeline: each one, and in any order.

use model::{Effect, Fingerprint, Mode, Operation, Timeline};
use proptest::prelude::*;

use crate::grid::{CELLS, Draft, Grid, cells, config, drafts, event, modes};

/// What every timeline keeps to, whatever happened to it.
fn check_shape(timeline: &Timeline, mode: Mode, sequenced: bool) -> Result<(), TestCaseError> {
    let segments = timeline.segments();
    prop_assert!(segments.iter().all(|s| s.from < s.to));
    prop_assert!(segments.windows(2).all(|pair| pair[0].to <= pair[1].from));
    if mode == Mode::Interval {
        prop_assert!(segments.iter().all(|s| !s.retracted));
        return Ok(());
    }
    prop_assert!(segments.windows(2).all(|pair| pair[0].to == pair[1].from), "no gap between changes");
    prop_assert!(segments.last().is_none_or(|last| last.to == model::OPEN));
    prop_assert!(sequenced || segments.iter().all(|s| !s.retracted), "without numbers nothing has to be remembered");
    let before = std::iter::once(Fingerprint::NOTHING).chain(segments.iter().map(|s| s.fingerprint));
    prop_assert!(segments.iter().zip(before).all(|(s, before)| !s.retracted || s.fingerprint == before));
    Ok(())
}

fn shuffled(drafts: &[Draft], mut state: u64) -> Vec<Draft> {
    let mut shuffled = drafts.to_vec();
    for i in (1..shuffled.len()).rev() {
        state = (state | 1).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        shuffled.swap(i, (state >> 33) as usize % (i + 1));
    }
    shuffled
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_event_does_what_the_grid_says(drafts in drafts(60), mode in modes(), sequenced in any::<bool>()) {
        let mut timeline = Timeline::new(mode, sequenced, Vec::new());
        let mut grid = Grid::new(mode, sequenced);
        for draft in &drafts {
            let before = grid.cells();
            grid.take(draft);
            let effect = timeline.apply(&event(draft, sequenced));
            prop_assert_eq!(cells(&timeline), grid.cells(), "{:?}", draft);
            prop_assert_eq!(effect == Effect::Changed, before != grid.cells(), "{:?}", draft);
            check_shape(&timeline, mode, sequenced)?;
        }
    }

    /// Saying it again changes nothing, and says so.
    #[test]
    fn an_event_that_comes_twice_changes_nothing(drafts in drafts(40), mode in modes(), sequenced in any::<bool>()) {
        let mut timeline = Timeline::new(mode, sequenced, Vec::new());
        for draft in &drafts {
            timeline.apply(&event(draft, sequenced));
            let once = timeline.clone();
            prop_assert_eq!(timeline.apply(&event(draft, sequenced)), Effect::Unchanged);
            prop_assert_eq!(&timeline, &once);
        }
    }

    #[test]
    fn with_distinct_sequence_numbers_any_order_ends_the_same(
        drafts in drafts(60), later in drafts(10), mode in modes(), seed in any::<u64>(),
    ) {
        let number = |(i, draft): (usize, &Draft)| Draft { sequence: i as i64, ..*draft };
        let numbered: Vec<Draft> = drafts.iter().enumerate().map(number).collect();
        let run = |drafts: &[Draft]| {
            let mut timeline = Timeline::new(mode, true, Vec::new());
            drafts.iter().for_each(|draft| { timeline.apply(&event(draft, true)); });
            timeline
        };
        let (mut one, mut other) = (run(&numbered), run(&shuffled(&numbered, seed)));
        prop_assert_eq!(cells(&one), cells(&other));
        if mode == Mode::UntilChanged {
            prop_assert_eq!(&one, &other, "not what holds alone: what is remembered, too");
        }
        for draft in &later {
            one.apply(&event(draft, true));
            other.apply(&event(draft, true));
            prop_assert_eq!(cells(&one), cells(&other), "{:?}", draft);
        }
    }

    /// The last number at an instant decides alone, so what came before it there need never have come.
    #[test]
    fn of_numbered_changes_only_the_last_at_each_instant_counts(drafts in drafts(60), seed in any::<u64>()) {
        let number = |(i, draft): (usize, &Draft)| Draft { sequence: i as i64, exact: false, ..*draft };
        let numbered: Vec<Draft> = drafts.iter().enumerate().map(number).collect();
        let mut all = Timeline::new(Mode::UntilChanged, true, Vec::new());
        shuffled(&numbered, seed).iter().for_each(|draft| { all.apply(&event(draft, true)); });
        let mut last = Timeline::new(Mode::UntilChanged, false, Vec::new());
        for cell in 0..CELLS {
            let spoken = numbered.iter().rev().find(|draft| draft.from == cell);
            if let Some(draft) = spoken.filter(|draft| draft.operation != Operation::Retract) {
                last.apply(&event(draft, false));
            }
        }
        prop_assert_eq!(cells(&all), cells(&last));
    }
}
