use super::*;

fn facts(epochs_micros: &[u64], running_micros: Option<u64>, pauses_micros: &[u64]) -> Facts {
    let (epochs_micros, pauses_micros) = (epochs_micros.to_vec(), pauses_micros.to_vec());
    Facts { epochs_micros, running_micros, pauses_micros, check_micros: None }
}

#[test]
fn nine_of_ten_values_are_at_or_below_their_ninth_decile() {
    assert_eq!(ninth_decile(&[]), None);
    assert_eq!(ninth_decile(&[7]), Some(7));
    assert_eq!(ninth_decile(&[2, 1]), Some(2));
    assert_eq!(ninth_decile(&(1..=10).rev().collect::<Vec<_>>()), Some(9));
    assert_eq!(ninth_decile(&(1..=32).collect::<Vec<_>>()), Some(29));
}

#[test]
fn the_wait_is_what_is_left_of_the_running_epoch() {
    let epochs = [300_000, 400_000, 500_000];
    assert_eq!(expect(&facts(&epochs, Some(100_000), &[])).wait_micros, 400_000);
    assert_eq!(expect(&facts(&epochs, Some(900_000), &[])).wait_micros, 0, "it may end at any moment");
    assert_eq!(expect(&facts(&[], Some(5), &[])).wait_micros, 0, "nothing is known of how long epochs take");
}

#[test]
fn without_an_epoch_the_wait_is_that_of_an_idle_pipeline() {
    let wait = expect(&facts(&[900_000], None, &[])).wait_micros;
    assert!(wait > 0 && u128::from(wait) < IDLE_WAIT.as_micros(), "{wait}");
}

#[test]
fn a_pause_is_expected_by_earlier_ones_else_by_the_start_else_assumed() {
    let known = Facts { check_micros: Some(700), ..facts(&[], None, &[900, 1_000, 800]) };
    let Expectation { pause_micros, basis, .. } = expect(&known);
    assert_eq!((pause_micros, basis), (1_000, Basis::EarlierPauses));
    let Expectation { pause_micros, basis, .. } = expect(&Facts { pauses_micros: Vec::new(), ..known });
    assert_eq!((pause_micros, basis), (700, Basis::StartOfPipeline));
    assert_eq!(expect(&Facts::default()).basis, Basis::Assumption);
}

#[test]
fn what_was_wanted_holds_over_a_restart_unless_the_configuration_changed() {
    let kept = Some(KeptSlots { configured: 2, wanted: 7 });
    assert_eq!(slots_at_start(2, kept), 7);
    assert_eq!(slots_at_start(3, kept), 3);
    assert_eq!(slots_at_start(2, None), 2);
    assert_eq!(slots_at_start(2, Some(KeptSlots { configured: 2, wanted: 0 })), 2, "what cannot be is not taken");
    assert_eq!(slots_at_start(2, Some(KeptSlots { configured: 2, wanted: 129 })), 2);
}

fn under_way(phase: RescalePhase) -> RescaleRecord {
    RescaleRecord {
        id: 3,
        reason: RescaleReason::Hand { text: String::new() },
        asked_by: "a test".to_owned(),
        requested: Instant(1),
        slots_before: 2,
        slots_after: 4,
        key_groups_moved: 96,
        expected_wait_micros: 1,
        expected_pause_micros: 1,
        phase,
        waited_micros: None,
        pause_micros: None,
        state_bytes: None,
        epoch: None,
        ended: None,
        outcome: None,
        error: None,
    }
}

#[test]
fn a_restart_ends_what_was_under_way() {
    for phase in [RescalePhase::Requested, RescalePhase::Draining, RescalePhase::HandingOver] {
        let taken_up = ended_by_restart(&under_way(phase), 4, Instant(9));
        assert_eq!((taken_up.phase, taken_up.outcome), (RescalePhase::Resumed, Some(RescaleOutcome::AtRestart)));
        assert_eq!((taken_up.ended, taken_up.pause_micros), (Some(Instant(9)), None), "nobody measured a pause");
        let overruled = ended_by_restart(&under_way(phase), 3, Instant(9));
        assert_eq!((overruled.phase, overruled.outcome), (phase, Some(RescaleOutcome::Failed)));
        assert!(overruled.error.is_some_and(|error| error.contains("3 slots")));
    }
}

#[test]
fn refusals_say_what_to_do() {
    let told = |refusal: Refusal| refusal.to_string();
    assert!(told(Refusal::OutOfRange { slots: 129, most: 128 }).contains("1 to 128"));
    assert!(told(Refusal::Same { slots: 2 }).contains("another number"));
    assert!(told(Refusal::UnderWay { id: 5, slots: 8 }).contains("rescale 5 to 8 slots"));
    assert!(told(Refusal::TooLong { what: "reason", most: 500 }).contains("500 characters"));
    let late = told(Refusal::TooLate { id: 5, phase: RescalePhase::HandingOver });
    assert!(late.contains("rescale 5 is handing over"), "{late}");
}
