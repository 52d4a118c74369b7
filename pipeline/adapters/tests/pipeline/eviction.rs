//! Time to live of the state on real stores: with nearly everything evicted and fetched back, with upkeep, restarts, other
//! slots and other columns between, every answer as of every epoch is the one there is without.

use super::{
    evolution::{changes, narrow, renaming, widening},
    *,
};

/// What one run told: counts, and as of each epoch what held.
#[derive(Debug, PartialEq)]
struct Told {
    committed: u64,
    unchanged: u64,
    rows: u64,
    as_of: Vec<(u64, Vec<Vec<Option<i64>>>)>,
}

/// When what happens: requests after which columns change, and after which all is closed and opened with other slots.
#[derive(Debug, Clone)]
struct Script {
    slots: [u16; 3],
    max_records: u64,
    columns_change_after: (usize, usize),
    restarts_after: (usize, usize),
    upkeep: bool,
}

fn scripts() -> impl Strategy<Value = Script> {
    let after = || (0..14_usize, 0..14_usize);
    let parts = (prop::array::uniform3(1..5_u16), 1..60_u64, after(), after(), any::<bool>());
    parts.prop_map(|(slots, max_records, columns_change_after, restarts_after, upkeep)| Script {
        slots,
        max_records,
        columns_change_after,
        restarts_after,
        upkeep,
    })
}

async fn play(requests: &[Vec<Draft>], kind: Kind, script: &Script, state_ttl: Option<Duration>) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let mut slots = script.slots.into_iter().cycle();
    let mut opened = Opened::open(folder.path(), &narrow(kind), slots.next().unwrap(), script.max_records).await;
    opened.state_ttl = state_ttl;
    let (widen_after, rename_after) = script.columns_change_after;
    let rename_after = widen_after + 1 + rename_after;
    for (index, drafts) in requests.iter().enumerate() {
        let lines: Vec<String> = drafts.iter().map(|draft| line(draft, kind)).collect();
        opened.send(&lines, false).await;
        let restarts = index == script.restarts_after.0 || index == script.restarts_after.1;
        if index == widen_after || index == rename_after || restarts {
            match script.upkeep {
                true => opened.drain_under_upkeep().await,
                false => opened.drain().await,
            }
        }
        let change = if index == widen_after { Some(widening()) } else { None };
        let change = if index == rename_after { Some(renaming()) } else { change };
        if let Some(change) = change {
            let changed = opened.lake.change_definition("facts", &change).await.unwrap();
            opened.use_definition(&changed);
        }
        if restarts {
            drop(opened);
            opened = Opened::open(folder.path(), &narrow(kind), slots.next().unwrap(), script.max_records).await;
            opened.state_ttl = state_ttl;
            if script.upkeep {
                opened.lake.compact("facts", CompactOptions::default()).await.unwrap();
            }
        }
    }
    if widen_after >= requests.len() {
        opened.lake.change_definition("facts", &widening()).await.unwrap();
    }
    opened.stream.append(Request::mark()).await.unwrap();
    opened.drain().await;
    let counts = opened.lake.counts().await.unwrap()[0];
    let mut as_of = Vec::new();
    for epoch in opened.lake.epochs_after(0, u32::MAX).await.unwrap() {
        as_of.push((epoch.position, committed_by(&opened.lake, epoch.system_time.micros()).await));
    }
    Told { committed: counts.committed, unchanged: counts.unchanged, rows: counts.rows, as_of }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn with_a_time_to_live_every_answer_stays(
        requests in drafts(), until_changed in any::<bool>(), sequenced in any::<bool>(), script in scripts(),
    ) {
        let kind = Kind { until_changed, sequenced };
        runtime().block_on(async {
            let kept = play(&requests, kind, &script, None).await;
            let evicted = play(&requests, kind, &script, Some(Duration::ZERO)).await;
            prop_assert_eq!(&evicted.as_of.last().unwrap().1, &oracle(&requests, kind));
            prop_assert_eq!(evicted, kept);
            Ok(())
        })?;
    }
}

fn state_entries(opened: &Opened) -> (usize, usize) {
    use engine::ports::StateStore;
    let (mut heads, mut others) = (0, 0);
    opened
        .state
        .scan(&[0], &mut |address, _| {
            *(if address.len() == 5 { &mut others } else { &mut heads }) += 1;
            Ok(true)
        })
        .unwrap();
    (heads, others)
}

#[test]
fn what_ended_goes_and_is_recognised_when_it_is_said_again_by_other_columns() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let definition: DatasetDefinition = serde_json::from_str(
            r#"{"columns":[{"name":"k","type":"int32"},{"name":"v","type":"int32"},{"name":"d","type":"decimal(9,2)"},
                {"name":"f","type":"float64"},{"name":"b","type":"bool"},{"name":"t","type":"string"},
                {"name":"day","type":"date"},{"name":"at","type":"timestamp"},{"name":"gone","type":"string"},
                {"name":"a","type":"timestamp"},{"name":"z","type":"timestamp"}],
                "key":["k"],"valid_from":"a","valid_to":"z","mode":"interval"}"#,
        )
        .unwrap();
        let mut opened = Opened::open(folder.path(), &definition, 2, 1_000).await;
        opened.state_ttl = Some(Duration::ZERO);
        let lines = |gone: &str| -> Vec<String> {
            let text = |k: i64| {
                let values = format!(
                    r#""v":{},"d":"{k}.5","f":-{k}.25,"b":{},"t":"käse {k}","day":"2020-02-{:02}","at":{}"#,
                    -k,
                    k % 2 == 0,
                    1 + k % 28,
                    day(3)
                );
                format!(r#"{{"k":{k},{values},"a":{},"z":{}{gone}}}"#, day(0), day(1))
            };
            (0..40).map(text).chain([format!(r#"{{"k":-1,"a":{},"z":{}}}"#, day(0), day(1))]).collect()
        };
        opened.send(&lines(""), false).await;
        opened.send(&[format!(r#"{{"k":99,"gone":"there","a":{},"z":{}}}"#, day(0), day(1))], false).await;
        opened.drain().await;
        let (heads, marks) = state_entries(&opened);
        assert!(heads == 0 && marks > 0, "{heads} timelines are left");
        opened.lake.compact("facts", CompactOptions::default()).await.unwrap();
        let text = r#"[{"add":{"name":"x","type":"bool"}},{"widen":{"column":"v","type":"int64"}},
            {"widen":{"column":"k","type":"int64"}},{"widen":{"column":"d","type":"decimal(30,2)"}},
            {"rename":{"from":"v","to":"value"}},{"drop":{"column":"gone"}}]"#;
        let changed = opened.lake.change_definition("facts", &changes(text)).await.unwrap();
        opened.use_definition(&changed);
        let told = |opened: &Opened| {
            let lake = opened.lake.clone();
            async move { lake.counts().await.unwrap()[0] }
        };
        opened.send(&lines(""), false).await;
        opened.drain().await;
        assert_eq!((told(&opened).await.committed, told(&opened).await.unchanged), (42, 41));
        // What a dropped column had is in the fingerprint, as it would be without a time to live.
        opened.send(&[format!(r#"{{"k":99,"a":{},"z":{}}}"#, day(0), day(1))], false).await;
        opened.drain().await;
        assert_eq!(told(&opened).await.committed, 43);
        assert_eq!(state_entries(&opened).0, 0, "and all of it went again");
    });
}
