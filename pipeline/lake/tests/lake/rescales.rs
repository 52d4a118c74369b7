//! The wanted number of slots and past rescales, over a reopening.

use lake::model::{Instant, KeptSlots, RescaleOutcome, RescalePhase, RescaleReason, RescaleRecord};

use crate::support::open;

fn record(id: u64) -> RescaleRecord {
    RescaleRecord {
        id,
        reason: RescaleReason::Hand { text: "market 'close'; --".to_owned() },
        asked_by: "a test".to_owned(),
        requested: Instant(1_790_000_000_000_001),
        slots_before: 2,
        slots_after: 8,
        key_groups_moved: 112,
        expected_wait_micros: 100,
        expected_pause_micros: 200,
        phase: RescalePhase::Requested,
        waited_micros: None,
        pause_micros: None,
        state_bytes: None,
        epoch: None,
        ended: None,
        outcome: None,
        error: None,
    }
}

#[tokio::test]
async fn rescales_and_the_wanted_number_of_slots_survive_a_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = |wanted: u16| KeptSlots { configured: 2, wanted };
    let done = RescaleRecord {
        phase: RescalePhase::Resumed,
        pause_micros: Some(900),
        state_bytes: Some(1 << 40),
        ended: Some(Instant(1_790_000_000_000_900)),
        outcome: Some(RescaleOutcome::Done),
        ..record(1)
    };
    {
        let lake = open(folder.path()).await;
        assert_eq!(lake.kept_slots().await.unwrap(), None);
        assert_eq!(lake.rescales(10).await.unwrap(), []);
        lake.keep_rescales(&[record(1)], wanted(8)).await.unwrap();
        assert_eq!(lake.rescales(10).await.unwrap(), [record(1)]);
        lake.keep_rescales(&[done.clone(), record(2)], wanted(8)).await.unwrap();
    }
    let lake = open(folder.path()).await;
    assert_eq!(lake.kept_slots().await.unwrap(), Some(wanted(8)));
    assert_eq!(lake.rescales(10).await.unwrap(), [record(2), done], "latest first, each as it was last");
    assert_eq!(lake.rescales(1).await.unwrap(), [record(2)]);
    lake.keep_slots(wanted(3)).await.unwrap();
    assert_eq!(lake.kept_slots().await.unwrap(), Some(wanted(3)));
}

#[tokio::test]
async fn of_very_many_rescales_the_oldest_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let many: Vec<RescaleRecord> = (1..=10_003).map(record).collect();
    lake.keep_rescales(&many, KeptSlots { configured: 1, wanted: 1 }).await.unwrap();
    let kept = lake.rescales(20_000).await.unwrap();
    assert_eq!((kept.len(), kept[0].id, kept[9_999].id), (10_000, 10_003, 4));
}
