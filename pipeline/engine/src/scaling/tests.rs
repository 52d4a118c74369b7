use std::sync::Arc;

use model::rescale::RescaleReason;

use super::*;

fn request(slots: u16) -> RescaleRequest {
    let reason = RescaleReason::Hand { text: "a burst at the close".to_owned() };
    RescaleRequest { slots, reason, asked_by: "a test".to_owned() }
}

fn boundary(applied: u64, committed_epoch: u64) -> Result<Observed> {
    Ok(Observed { applied_epochs: vec![applied; usize::from(KEY_GROUPS)], committed_epoch })
}

/// A handle, and the phases and outcomes it tells of.
fn told(slots: u16) -> (Scaling, Arc<Mutex<Vec<String>>>) {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let writing = Arc::clone(&log);
    let scaling = Scaling::new(slots).telling(Box::new(move |record| {
        let word = record.outcome.map_or_else(|| record.phase.word(), RescaleOutcome::word);
        writing.lock().unwrap().push(format!("{} {word}", record.id));
    }));
    (scaling, log)
}

#[test]
fn a_rescale_under_an_epoch_goes_through_every_phase_and_is_measured() {
    let (scaling, log) = told(2);
    scaling.epoch_began();
    let asked = scaling.request(request(8), Instant(10)).unwrap();
    assert_eq!((asked.phase, asked.slots_before, asked.slots_after), (RescalePhase::Requested, 2, 8));
    assert_eq!(scaling.slots(), 2, "not before the epoch has ended");
    scaling.epoch_committed();
    scaling.epoch_ended(true);
    scaling.at_boundary(|| boundary(4, 4), || Instant(20)).unwrap();
    assert_eq!(scaling.slots(), 8);
    assert_eq!(*log.lock().unwrap(), ["1 requested", "1 draining", "1 handing_over", "1 done"]);
    assert_eq!(scaling.status().under_way, None);
    assert_eq!(scaling.status().expectation.basis, crate::rescale::Basis::EarlierPauses);
}

#[test]
fn the_record_says_what_was_seen() {
    let last: Arc<Mutex<Option<RescaleRecord>>> = Arc::default();
    let keeping = Arc::clone(&last);
    let keep = move |record: &RescaleRecord| *keeping.lock().unwrap() = Some(record.clone());
    let scaling = Scaling::new(1).telling(Box::new(keep));
    scaling.state_is(5_000);
    scaling.request(request(2), Instant(10)).unwrap();
    scaling.at_boundary(|| boundary(9, 9), || Instant(30)).unwrap();
    let record = last.lock().unwrap().clone().unwrap();
    assert_eq!((record.requested, record.ended), (Instant(10), Some(Instant(30))));
    assert_eq!((record.epoch, record.state_bytes, record.key_groups_moved), (Some(9), Some(5_000), 64));
    assert_eq!((record.phase, record.outcome), (RescalePhase::Resumed, Some(RescaleOutcome::Done)));
    assert!(record.waited_micros.is_some() && record.pause_micros.is_some());
}

#[test]
fn nothing_is_looked_at_where_nothing_is_asked() {
    let scaling = Scaling::new(2);
    scaling.at_boundary(|| panic!("no one asked"), || panic!("no one asked")).unwrap();
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let scaling = Scaling::new(2).at_most(16);
    let refused = |slots| scaling.request(request(slots), Instant(0)).unwrap_err();
    assert_eq!(refused(0), Refusal::OutOfRange { slots: 0, most: 16 });
    assert_eq!(refused(17), Refusal::OutOfRange { slots: 17, most: 16 });
    assert_eq!(refused(2), Refusal::Same { slots: 2 });
    let long = RescaleRequest { asked_by: "x".repeat(101), ..request(3) };
    assert!(matches!(scaling.request(long, Instant(0)), Err(Refusal::TooLong { most: 100, .. })));
    let wordy = RescaleReason::Hand { text: "ü".repeat(501) };
    let wordy = RescaleRequest { reason: wordy, ..request(3) };
    assert!(matches!(scaling.request(wordy, Instant(0)), Err(Refusal::TooLong { what: "reason", .. })));
    assert_eq!(scaling.request(request(3), Instant(0)).unwrap().id, 1, "what was refused has no number");
    assert_eq!(refused(4), Refusal::UnderWay { id: 1, slots: 3 });
}

#[test]
fn there_are_never_more_slots_than_key_groups() {
    let scaling = Scaling::new(1).at_most(u16::MAX);
    assert!(scaling.plan(KEY_GROUPS).is_ok());
    assert_eq!(scaling.plan(KEY_GROUPS + 1), Err(Refusal::OutOfRange { slots: 129, most: 128 }));
}

#[test]
fn a_request_can_be_taken_back_until_the_pipeline_comes_to_it() {
    let (scaling, log) = told(2);
    assert_eq!(scaling.cancel(None, Instant(0)), Err(Refusal::NothingUnderWay));
    scaling.request(request(3), Instant(0)).unwrap();
    assert_eq!(scaling.cancel(Some(7), Instant(0)), Err(Refusal::NothingUnderWay), "another one than is meant");
    let cancelled = scaling.cancel(Some(1), Instant(5)).unwrap();
    assert_eq!((cancelled.outcome, cancelled.ended), (Some(RescaleOutcome::Cancelled), Some(Instant(5))));
    scaling.at_boundary(|| panic!("cancelled"), || Instant(6)).unwrap();
    scaling.request(request(4), Instant(7)).unwrap();
    scaling.epoch_committed();
    let late = scaling.cancel(None, Instant(8));
    assert_eq!(late, Err(Refusal::TooLate { id: 2, phase: RescalePhase::Draining }));
    assert_eq!(*log.lock().unwrap(), ["1 requested", "1 cancelled", "2 requested", "2 draining"]);
}

#[test]
fn a_state_that_lags_catches_up_before_slots_change() {
    let scaling = Scaling::new(2);
    scaling.request(request(5), Instant(0)).unwrap();
    let refused = scaling.at_boundary(|| boundary(3, 4), || Instant(1)).unwrap_err();
    assert!(refused.retryable(), "{refused}");
    assert_eq!(scaling.slots(), 2);
    let failed = || Err(Error::new(ErrorKind::Io, "the disk does not answer"));
    assert!(scaling.at_boundary(failed, || Instant(2)).is_err());
    assert_eq!(scaling.status().under_way.map(|record| record.phase), Some(RescalePhase::HandingOver));
    scaling.at_boundary(|| boundary(4, 4), || Instant(3)).unwrap();
    assert_eq!(scaling.slots(), 5);
}

#[test]
fn a_pipeline_that_failed_ends_its_rescale_and_takes_no_other() {
    let (scaling, log) = told(2);
    scaling.request(request(3), Instant(0)).unwrap();
    scaling.pipeline_ended(Some("the lake is gone"), Instant(1));
    assert_eq!((scaling.slots(), scaling.status().wanted), (2, 2));
    assert_eq!(scaling.request(request(3), Instant(2)), Err(Refusal::NotRunning));
    scaling.pipeline_began();
    assert_eq!(scaling.request(request(3), Instant(3)).unwrap().id, 2);
    assert_eq!(*log.lock().unwrap(), ["1 requested", "1 failed", "2 requested"]);
}

#[test]
fn a_pipeline_that_was_stopped_leaves_its_rescale_to_the_next_one() {
    let scaling = Scaling::new(2);
    scaling.request(request(3), Instant(0)).unwrap();
    scaling.pipeline_ended(None, Instant(1));
    assert_eq!(scaling.status().under_way.map(|record| record.id), Some(1));
    scaling.pipeline_began();
    scaling.at_boundary(|| boundary(0, 0), || Instant(2)).unwrap();
    assert_eq!(scaling.slots(), 3);
}

#[test]
fn numbers_and_expectations_go_on_from_earlier_rescales() {
    let last: Arc<Mutex<Option<RescaleRecord>>> = Arc::default();
    let keeping = Arc::clone(&last);
    let first = Scaling::new(1).telling(Box::new(move |record| *keeping.lock().unwrap() = Some(record.clone())));
    first.request(request(2), Instant(0)).unwrap();
    first.at_boundary(|| boundary(0, 0), || Instant(0)).unwrap();
    let earlier = RescaleRecord { id: 41, pause_micros: Some(777), ..last.lock().unwrap().clone().unwrap() };
    let scaling = Scaling::new(2).after([&earlier]);
    assert_eq!(scaling.status().expectation.pause_micros, 777);
    assert_eq!(scaling.request(request(1), Instant(1)).unwrap().id, 42);
}

#[test]
fn a_failed_epoch_says_nothing_of_how_long_epochs_take() {
    let scaling = Scaling::new(1);
    scaling.epoch_began();
    scaling.epoch_ended(false);
    assert!(scaling.lock().epochs_micros.is_empty());
    scaling.epoch_began();
    scaling.epoch_ended(true);
    assert_eq!(scaling.lock().epochs_micros.len(), 1);
}

#[test]
fn what_was_measured_took_at_least_a_microsecond() {
    assert_eq!(super::micros(Duration::ZERO), 0);
    assert_eq!(super::micros(Duration::from_nanos(1)), 1);
    assert_eq!(super::micros(Duration::from_nanos(2_000)), 2);
}
