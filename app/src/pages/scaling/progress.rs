//! A rescale as it goes on: its steps, and the measured pause beside the expected one.

use leptos::prelude::*;
use model::{RescaleOutcome, RescalePhase, RescaleRecord};

use super::{follow::Following, words};
use crate::{
    components::whole::{Whole, WholeView, changing},
    format::{number, time},
};

/// The steps: name, and what happens in it.
const STEPS: [(RescalePhase, &str, &str); 4] = [
    (
        RescalePhase::Requested,
        "Request",
        "Kept with the lake. It can be cancelled until the running epoch is committed.",
    ),
    (RescalePhase::Draining, "Drain", "The running epoch is brought to its end. Records are processed meanwhile."),
    (RescalePhase::HandingOver, "Hand over", "Key groups change owners. This alone is the pause."),
    (RescalePhase::Resumed, "Resume", "The pipeline goes on with the new number of slots."),
];

/// The tile with the steps.
pub(super) fn progress(following: Following) -> WholeView {
    let record = following.record;
    let said = move || record.with(|record| record.as_ref().map(words::state).unwrap_or_default());
    let word = move || {
        record.with(|record| match record {
            None => "none",
            Some(record) => record.outcome.map_or_else(|| record.phase.word(), RescaleOutcome::word),
        })
    };
    let title = move || {
        record.with(|record| {
            record.as_ref().map_or_else(|| "Steps".to_owned(), |record| format!("Rescale {}", record.id))
        })
    };
    view! {
        <section class="tile" data-testid="tile-progress" data-rescale=word aria-labelledby="progress-title">
            <header class="tile-header">
                <h2 id="progress-title">{title}</h2>
                <p class="tile-note" role="status" data-testid="progress-said">{changing(said)}</p>
            </header>
            <div class="tile-body">
                <ol class="steps">{changing(move || record.with(|record| steps(record.as_ref())))}</ol>
                {changing(move || record.with(|record| record.as_ref().and_then(compared)))}
            </div>
        </section>
    }
    .whole()
}

/// How a step stands: `done`, `current`, `todo` or `not`, where it will never be.
fn stands(record: Option<&RescaleRecord>, step: RescalePhase) -> &'static str {
    match record {
        None => "todo",
        Some(RescaleRecord { outcome: Some(RescaleOutcome::Cancelled | RescaleOutcome::Failed), phase, .. }) => {
            if step < *phase || step == RescalePhase::Requested { "done" } else { "not" }
        }
        Some(RescaleRecord { outcome: Some(_), .. }) => "done",
        Some(RescaleRecord { phase, .. }) if step < *phase => "done",
        Some(RescaleRecord { phase, .. }) if step == *phase => "current",
        Some(_) => "todo",
    }
}

fn steps(record: Option<&RescaleRecord>) -> Vec<WholeView> {
    let step = |(step, name, what): &(RescalePhase, &'static str, &'static str)| {
        let stands = stands(record, *step);
        let detail = record.and_then(|record| detail(record, *step)).unwrap_or_else(|| (*what).to_owned());
        let sign = match stands {
            "done" => "✓",
            "current" => "●",
            "not" => "×",
            _ => "○",
        };
        view! {
            <li class="step" data-step=stands aria-current=(stands == "current").then_some("step")>
                <span class="step-sign" aria-hidden="true">{sign}</span>
                <strong>{*name}</strong>
                <span class="step-detail">{detail}</span>
            </li>
        }
        .whole()
    };
    STEPS.iter().map(step).collect()
}

/// What was measured of a step; none before it is over.
fn detail(record: &RescaleRecord, step: RescalePhase) -> Option<String> {
    let duration = |micros: u64| number::duration_text(micros as f64);
    match step {
        RescalePhase::Requested => {
            let at = time::moment_seconds_text(record.requested.micros());
            Some(format!("{at}, by {}: {}", record.asked_by, record.reason))
        }
        RescalePhase::Draining => record.waited_micros.map(|waited| {
            format!("{} from the request, expected {}", duration(waited), duration(record.expected_wait_micros))
        }),
        RescalePhase::HandingOver => record.pause_micros.map(|_| {
            let state = record.state_bytes.map_or_else(String::new, |bytes| {
                format!(", {} of state stayed where it was", number::bytes_text(bytes as f64))
            });
            format!("{} key groups changed owner{state}", record.key_groups_moved)
        }),
        RescalePhase::Resumed => {
            let ended = record.ended.filter(|_| record.phase == RescalePhase::Resumed)?;
            let at = time::moment_seconds_text(ended.micros());
            let epoch =
                record.epoch.map_or_else(String::new, |epoch| format!(", after epoch {}", number::count_text(epoch)));
            Some(format!("{at}{epoch}"))
        }
    }
}

/// The two pauses, one above the other, in one scale.
fn compared(record: &RescaleRecord) -> Option<WholeView> {
    let measured = record.pause_micros?;
    let expected = record.expected_pause_micros;
    let longest = measured.max(expected).max(1) as f64;
    let bar = |name: &'static str, testid: &'static str, class: &'static str, micros: u64| {
        let width = format!("{:.2}", 100.0 * micros as f64 / longest);
        view! {
            <div class="pause-row">
                <dt>{name}</dt>
                <dd>
                    <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                        <rect class=class x="0" y="0" width=width height="8" />
                    </svg>
                    <span data-testid=testid>{number::duration_text(micros as f64)}</span>
                </dd>
            </div>
        }
        .whole()
    };
    Some(
        view! {
            <dl class="pauses" aria-label="Pause, measured and expected">
                {bar("Measured pause", "pause-measured", "pause-bar measured", measured)}
                {bar("Expected pause", "pause-expected", "pause-bar", expected)}
            </dl>
        }
        .whole(),
    )
}

#[cfg(test)]
mod tests {
    use model::{Instant, RescaleReason};

    use super::*;

    fn record(phase: RescalePhase, outcome: Option<RescaleOutcome>) -> RescaleRecord {
        RescaleRecord {
            id: 1,
            reason: RescaleReason::Hand { text: "close".to_owned() },
            asked_by: "page".to_owned(),
            requested: Instant(1_774_980_000_000_000),
            slots_before: 2,
            slots_after: 4,
            key_groups_moved: 96,
            expected_wait_micros: 1_000,
            expected_pause_micros: 1_000,
            phase,
            waited_micros: None,
            pause_micros: None,
            state_bytes: None,
            epoch: None,
            ended: None,
            outcome,
            error: None,
        }
    }

    fn all(record: Option<&RescaleRecord>) -> [&'static str; 4] {
        STEPS.map(|(step, _, _)| stands(record, step))
    }

    #[test]
    fn steps_stand_as_far_as_the_rescale_is() {
        assert_eq!(all(None), ["todo"; 4]);
        assert_eq!(all(Some(&record(RescalePhase::Requested, None))), ["current", "todo", "todo", "todo"]);
        assert_eq!(all(Some(&record(RescalePhase::HandingOver, None))), ["done", "done", "current", "todo"]);
        assert_eq!(all(Some(&record(RescalePhase::Resumed, Some(RescaleOutcome::Done)))), ["done"; 4]);
        let cancelled = record(RescalePhase::Requested, Some(RescaleOutcome::Cancelled));
        assert_eq!(all(Some(&cancelled)), ["done", "not", "not", "not"]);
        let failed = record(RescalePhase::HandingOver, Some(RescaleOutcome::Failed));
        assert_eq!(all(Some(&failed)), ["done", "done", "not", "not"]);
    }

    #[test]
    fn what_was_measured_takes_the_place_of_what_happens() {
        let asked = record(RescalePhase::Requested, None);
        assert!(detail(&asked, RescalePhase::Requested).unwrap().ends_with("by page: close"));
        assert_eq!(detail(&asked, RescalePhase::Draining), None);
        assert_eq!(detail(&asked, RescalePhase::Resumed), None);
        let done = RescaleRecord {
            phase: RescalePhase::Resumed,
            waited_micros: Some(310_000),
            pause_micros: Some(930),
            ended: Some(Instant(1_774_980_000_400_000)),
            epoch: Some(7),
            ..asked
        };
        assert!(detail(&done, RescalePhase::Draining).unwrap().starts_with("310\u{a0}ms from the request"));
        assert!(detail(&done, RescalePhase::HandingOver).unwrap().starts_with("96 key groups"));
        assert!(detail(&done, RescalePhase::Resumed).unwrap().ends_with("after epoch 7"));
        assert!(compared(&done).is_some() && compared(&record(RescalePhase::Draining, None)).is_none());
    }
}
