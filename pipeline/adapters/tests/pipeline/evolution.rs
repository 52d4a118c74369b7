//! Columns that change between epochs and while they are being worked out.

use super::*;

use engine::model::DefinitionChange;

pub fn changes(text: &str) -> Vec<DefinitionChange> {
    serde_json::from_str(text).unwrap()
}

/// The definition with narrow values, which the first changes widen.
pub fn narrow(kind: Kind) -> DatasetDefinition {
    let text = serde_json::to_string(&definition(kind)).unwrap();
    serde_json::from_str(&text.replace(r#""v","type":"int64""#, r#""v","type":"int32""#)).unwrap()
}

pub fn widening() -> Vec<DefinitionChange> {
    changes(r#"[{"widen":{"column":"v","type":"int64"}},{"add":{"name":"x","type":"string"}}]"#)
}

pub fn renaming() -> Vec<DefinitionChange> {
    changes(r#"[{"drop":{"column":"x"}},{"rename":{"from":"a","to":"starts"}},{"rename":{"from":"op","to":"what"}}]"#)
}

/// Changes after some of the requests, the first ones beside the running pipeline, and a restart.
async fn run_changing(
    requests: &[Vec<Draft>],
    kind: Kind,
    slots: u16,
    max_records: u64,
    (first, second, restart): (usize, usize, usize),
) -> Vec<Vec<Option<i64>>> {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = Opened::open(folder.path(), &narrow(kind), slots, max_records).await;
    for (index, drafts) in requests.iter().enumerate() {
        let lines: Vec<String> = drafts.iter().map(|draft| line(draft, kind)).collect();
        opened.send(&lines, false).await;
        if index == first {
            let widening = widening();
            let ((), changed) = tokio::join!(opened.drain(), opened.lake.change_definition("facts", &widening));
            opened.use_definition(&changed.unwrap());
        }
        if index == first + second {
            let changed = opened.lake.change_definition("facts", &renaming()).await.unwrap();
            opened.use_definition(&changed);
        }
        if index == restart {
            opened.drain().await;
            drop(opened);
            opened = Opened::open(folder.path(), &narrow(kind), slots, max_records).await;
        }
    }
    if first >= requests.len() {
        opened.lake.change_definition("facts", &widening()).await.unwrap();
    }
    // A change holds from an epoch on; there may have been none since.
    opened.stream.append(Request::mark()).await.unwrap();
    opened.drain().await;
    let counts = opened.lake.counts().await.unwrap();
    let told: u64 = counts.iter().map(|c| c.committed + c.unchanged + c.quarantined).sum();
    let received: u64 = opened.stream.counts().values().map(|c| c.received).sum();
    assert_eq!(told, received, "every record is accounted for");
    committed(&opened.lake).await
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_changes_when_the_lake_says_what_the_events_said(
        requests in drafts(), until_changed in any::<bool>(), sequenced in any::<bool>(), slots in 1..4_u16,
        max_records in 1..60_u64, at in (0..10_usize, 1..4_usize, 0..14_usize),
    ) {
        let kind = Kind { until_changed, sequenced };
        let found = runtime().block_on(run_changing(&requests, kind, slots, max_records, at));
        prop_assert_eq!(found, oracle(&requests, kind));
    }
}

#[test]
fn what_is_said_again_after_a_column_was_added_or_widened_is_nothing_new() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let definition: DatasetDefinition = serde_json::from_str(
            r#"{"columns":[{"name":"k","type":"int32"},{"name":"v","type":"int32"},{"name":"d","type":"decimal(9,2)"},
                {"name":"a","type":"timestamp"}],"key":["k"],"valid_from":"a","mode":"until_changed"}"#,
        )
        .unwrap();
        let mut opened = Opened::open(folder.path(), &definition, 2, 1_000).await;
        let lines: Vec<String> = (0..20)
            .map(|k| format!(r#"{{"k":{k},"v":{},"d":"{k}.5","a":{}}}"#, -k, day(0)))
            .chain([format!(r#"{{"k":-1,"a":{}}}"#, day(0))])
            .collect();
        opened.send(&lines, false).await;
        opened.drain().await;
        let text = r#"[{"add":{"name":"x","type":"bool"}},{"widen":{"column":"v","type":"int64"}},
            {"widen":{"column":"k","type":"int64"}},{"widen":{"column":"d","type":"decimal(30,2)"}},
            {"rename":{"from":"v","to":"value"}}]"#;
        let changed = opened.lake.change_definition("facts", &changes(text)).await.unwrap();
        opened.use_definition(&changed);
        opened.send(&lines, false).await;
        opened.drain().await;
        let counts = opened.lake.counts().await.unwrap()[0];
        assert_eq!((counts.committed, counts.unchanged, counts.rows), (21, 21, 21));
        opened.send(&[format!(r#"{{"k":3,"v":-3,"d":"3.5","x":true,"a":{}}}"#, day(0))], false).await;
        opened.drain().await;
        assert_eq!(opened.lake.counts().await.unwrap()[0].committed, 22, "the new column says something now");
    });
}

#[test]
fn a_retraction_takes_values_from_the_lake_by_the_columns_of_its_epoch() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mut opened = Opened::open(folder.path(), &quotes(false), 2, 1_000).await;
        let put = |from, values| quote("put", "A", 1, from, values, 0);
        opened.send(&[put(0, r#","price":"1.2500","note":"first","firm":true"#)], false).await;
        opened.drain().await;
        opened.send(&[put(5, r#","price":"9""#)], false).await;
        opened.drain().await;
        let text = r#"[{"rename":{"from":"price","to":"paid"}},{"drop":{"column":"note"}},
            {"add":{"name":"note","type":"int64"}},{"widen":{"column":"paid","type":"decimal(30,4)"}}]"#;
        let changed = opened.lake.change_definition("facts", &changes(text)).await.unwrap();
        opened.use_definition(&changed);
        opened.send(&[quote("retract", "A", 1, 5, "", 0)], false).await;
        opened.drain().await;
        let shown = ["venue", "number", "paid", "note", "firm"];
        assert_eq!(last_rows(&opened.lake, shown).await, ["A 1 1.2500 - true put"]);
    });
}
