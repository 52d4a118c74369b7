//! A timeline of which old segments are evicted and filled in again from rows, beside one that keeps everything: every
//! event does the same on both, and they write the same rows.

use model::{
    Assertion, Change, Effect, Fingerprint, Mode, OPEN, Operation, Segment, Timeline, TimelineEvent,
    eviction::{evict, fill},
    net_effect_within, resolve,
};
use proptest::prelude::*;

use crate::grid::{CELLS, Draft, config, drafts, event, modes};

/// What the lake has of the key: rows, each with what it says and under which number.
#[derive(Default)]
struct Rows {
    rows: Vec<(Assertion, Fingerprint, i64)>,
}

impl Rows {
    fn append(&mut self, changes: &[Change]) {
        let system_from = self.rows.len() as i64;
        self.rows.extend(changes.iter().map(|change| {
            let put = change.fingerprint != Fingerprint::NOTHING;
            let row = Assertion { from: change.from, to: change.to, system_from, put };
            (row, change.fingerprint, change.sequence)
        }));
    }

    /// What holds where, of the rows that meet a stretch.
    fn holding(&self, from: i64, until: i64, sequenced: bool) -> Vec<Segment> {
        let met: Vec<_> = self.rows.iter().filter(|(row, ..)| row.from < until && from < row.to).collect();
        let assertions: Vec<Assertion> = met.iter().map(|(row, ..)| *row).collect();
        let pieces = resolve(&assertions, |_, _| false).into_iter();
        pieces
            .map(|piece| {
                let (_, fingerprint, sequence) = *met[piece.assertion];
                let sequence = if sequenced { sequence } else { 0 };
                Segment { sequence, fingerprint, ..Segment::nothing(piece.from, piece.to) }
            })
            .collect()
    }
}

/// Lets the events of an epoch act; gives what each did and what is written. In interval mode an event of the epoch says
/// each change, so that it is of no interest since where.
fn act(
    timeline: &mut Timeline,
    events: &[TimelineEvent],
    (mode, sequenced): (Mode, bool),
) -> (Vec<Effect>, Vec<Change>) {
    let reaches = events.iter().map(|event| timeline.reach(event));
    let (from, until) = reaches.fold((OPEN, i64::MIN), |all, reach| (all.0.min(reach.0), all.1.max(reach.1)));
    let before = timeline.part(from, until).to_vec();
    let effects = events.iter().map(|event| timeline.apply(event)).collect();
    let changes = net_effect_within(&before, timeline.part(from, until), from, until);
    if sequenced {
        timeline.mark_recorded((from, until), &before, &changes);
    }
    let said_at = |change: &Change| if mode == Mode::Interval { change.from } else { change.said_at };
    (effects, changes.iter().map(|change| Change { said_at: said_at(change), ..*change }).collect())
}

fn reaches_back_to(event: &TimelineEvent) -> i64 {
    event.from - i64::from(event.operation == Operation::Retract)
}

/// What a timeline knows of each instant; in interval mode it does not matter how that is cut, and so not either how much of
/// a segment has to be recorded.
fn known(timeline: &[Segment], mode: Mode, sequenced: bool) -> Vec<Segment> {
    let number = |segment: &Segment| Segment { sequence: if sequenced { segment.sequence } else { 0 }, ..*segment };
    if mode == Mode::UntilChanged {
        return timeline.iter().map(number).collect();
    }
    let cell = |at: i64| {
        let there = timeline.iter().find(|segment| segment.from <= at && at < segment.to);
        there.map(|segment| Segment { from: at, to: at + 1, recorded: false, ..number(segment) })
    };
    (0..CELLS as i64).filter_map(cell).collect()
}

/// The evicted timeline and until when it is evicted.
struct Evicting {
    mode: Mode,
    sequenced: bool,
    retained: Vec<Segment>,
    before: i64,
}

impl Evicting {
    fn act(&mut self, events: &[TimelineEvent], rows: &Rows) -> (Vec<Effect>, Vec<Change>) {
        let Evicting { mode, sequenced, before, .. } = *self;
        let earliest = events.iter().map(reaches_back_to).min().unwrap_or(OPEN);
        let fetches = earliest < before;
        let latest = events.iter().map(|event| event.to).max().unwrap_or(OPEN);
        let stretch = match mode {
            Mode::Interval => (earliest, before.min(latest)),
            Mode::UntilChanged => (i64::MIN, before),
        };
        let segments = match fetches {
            true => fill(mode, sequenced, &self.retained, &rows.holding(stretch.0, stretch.1, sequenced), stretch),
            false => self.retained.clone(),
        };
        let mut timeline = Timeline::new(mode, sequenced, segments);
        let did = act(&mut timeline, events, (mode, sequenced));
        self.retained = timeline.into_segments();
        if fetches {
            self.evict(before);
        }
        did
    }

    fn evict(&mut self, before: i64) {
        self.before = self.before.max(before);
        self.retained = evict(self.mode, self.sequenced, &self.retained, self.before);
    }
}

fn check(epochs: &[(Vec<Draft>, Option<usize>)], mode: Mode, sequenced: bool) -> Result<(), TestCaseError> {
    let mut whole = Timeline::new(mode, sequenced, Vec::new());
    let mut evicting = Evicting { mode, sequenced, retained: Vec::new(), before: i64::MIN };
    let mut rows = Rows::default();
    for (drafts, cutoff) in epochs {
        let events: Vec<TimelineEvent> = drafts
            .iter()
            .map(|draft| TimelineEvent { exact: draft.exact && mode == Mode::UntilChanged, ..event(draft, sequenced) })
            .collect();
        let did = evicting.act(&events, &rows);
        prop_assert_eq!(&did, &act(&mut whole, &events, (mode, sequenced)));
        rows.append(&did.1);
        if let Some(cutoff) = cutoff {
            evicting.evict(*cutoff as i64);
        }
        let found = rows.holding(i64::MIN, evicting.before, sequenced);
        let filled = fill(mode, sequenced, &evicting.retained, &found, (i64::MIN, evicting.before));
        prop_assert_eq!(known(&filled, mode, sequenced), known(whole.segments(), mode, sequenced));
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_evicted_comes_back_as_it_was(
        epochs in prop::collection::vec((drafts(8), prop::option::of(0..CELLS + 4)), 1..12), mode in modes(),
        sequenced in any::<bool>(),
    ) {
        check(&epochs, mode, sequenced)?;
    }
}

#[test]
fn what_is_left_before_an_exact_event_is_not_lengthened() {
    let draft = |operation: Operation, from: usize, sequence: i64, exact: bool| {
        vec![Draft { operation, from, to: None, value: 1, sequence, exact }]
    };
    let epochs = [
        (draft(Operation::Put, 9, 2, false), None),
        (draft(Operation::Delete, 0, 0, false), Some(9)),
        // Goes again at once, from between a delete that stays and the first change.
        (draft(Operation::Put, 1, 0, false), None),
        (draft(Operation::Put, 9, 0, true), None),
    ];
    check(&epochs, Mode::UntilChanged, true).unwrap();
}
