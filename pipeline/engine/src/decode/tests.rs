use std::sync::Arc;

use arrow::array::{Array, AsArray};
use proptest::prelude::*;

use super::*;

fn decoder(definition: &str) -> Decoder {
    let definition: DatasetDefinition = serde_json::from_str(definition).unwrap();
    assert_eq!(definition.problems(), vec![]);
    let columns = StoredColumns::of(&definition);
    Decoder::new(Arc::new(definition), &columns)
}

fn lifecycle() -> Decoder {
    decoder(
        r#"{"columns":[{"name":"cycle","type":"string","path":"key"},{"name":"eol","type":"string","path":"value.eol"},
            {"name":"lts","type":"bool","path":"value.lts"},{"name":"valid_from","type":"date"},
            {"name":"valid_to","type":"date"},{"name":"op","type":"string"},{"name":"known","type":"timestamp","path":"system_time"}],
            "key":["cycle"],"valid_from":"valid_from","valid_to":"valid_to","mode":"interval","system_time":"known",
            "operation":{"column":"op","put":"assert","delete":"retract"}}"#,
    )
}

const PLACE: Place = Place { position: 1, line: 1 };

fn reject(decoder: &Decoder, line: &str) -> String {
    let mut batch = EventBatch::new(decoder.definition());
    let rejection = decoder.decode(line.as_bytes(), PLACE, false, &mut batch).unwrap_err();
    assert!(batch.is_empty(), "a rejected line leaves nothing behind");
    rejection.0
}

#[test]
fn nested_values_are_found_by_path_and_unnamed_fields_are_counted() {
    let decoder = lifecycle();
    let mut batch = EventBatch::new(decoder.definition());
    let line = br#"{"seq":1,"system_time":"2022-05-30T08:33:16Z","op":"assert","key":"a/8","valid_from":"2019-05-01",
        "valid_to":null,"value":{"eol":"2029-03-01","lts":false,"support":"2024-05-01"},"commit":"67e6"}"#;
    assert_eq!(decoder.decode(line, PLACE, true, &mut batch), Ok(1));
    assert_eq!(batch.ignored_fields, 3);
    assert_eq!(batch.events[0].to, OPEN);
    assert_eq!(batch.system_times, [1_653_899_596_000_000]);
    let columns = batch.finish_columns();
    assert_eq!(columns[0].as_string::<i32>().value(0), "a/8");
    assert_eq!(columns[1].as_string::<i32>().value(0), "2029-03-01");
    assert!(!columns[2].as_boolean().value(0));
}

#[test]
fn a_delete_carries_no_values_and_its_word_can_be_mapped() {
    let decoder = lifecycle();
    let mut batch = EventBatch::new(decoder.definition());
    let line = br#"{"op":"retract","key":"a/8","valid_from":"2019-05-01","value":{"eol":"x","lts":"not looked at"}}"#;
    assert_eq!(decoder.decode(line, PLACE, false, &mut batch), Ok(1));
    assert_eq!(batch.events[0].operation, Operation::Delete);
    assert!(batch.finish_columns()[1].is_null(0));
}

fn prices(operation: &str) -> Decoder {
    decoder(&format!(
        r#"{{"columns":[{{"name":"id","type":"string"}},{{"name":"price","type":"int64"}},{{"name":"at","type":"timestamp"}},
            {{"name":"op","type":"string"}},{{"name":"number","type":"int64"}}],"key":["id"],"valid_from":"at",
            "operation":{operation},"sequence":"number","mode":"until_changed"}}"#
    ))
}

#[test]
fn a_retraction_carries_no_values_and_its_word_can_be_mapped() {
    let line = r#"{"op":"WORD","id":"x","at":"2026-01-05","price":"not looked at","number":7}"#;
    for (operation, word) in [(r#""op""#, "retract"), (r#"{"column":"op","retract":"undo"}"#, "undo")] {
        let decoder = prices(operation);
        let mut batch = EventBatch::new(decoder.definition());
        assert_eq!(decoder.decode(line.replace("WORD", word).as_bytes(), PLACE, false, &mut batch), Ok(1));
        assert_eq!((batch.events[0].operation, batch.events[0].sequence), (Operation::Retract, 7));
        assert!(batch.finish_columns()[1].is_null(0));
        let reason = reject(&decoder, &line.replace("WORD", "other"));
        assert_eq!(reason, format!("column 'op' says \"other\", not 'put', 'delete' or '{word}'"));
    }
}

#[test]
fn where_delete_is_called_retract_nothing_can_be_retracted() {
    let decoder = prices(r#"{"column":"op","delete":"retract"}"#);
    let mut batch = EventBatch::new(decoder.definition());
    let line = br#"{"op":"retract","id":"x","at":"2026-01-05","number":7}"#;
    assert_eq!(decoder.decode(line, PLACE, false, &mut batch), Ok(1));
    assert_eq!(batch.events[0].operation, Operation::Delete);
}

#[test]
fn a_retraction_of_an_interval_is_rejected_with_what_to_do() {
    let decoder = decoder(
        r#"{"columns":[{"name":"id","type":"string"},{"name":"at","type":"date"},{"name":"op","type":"string"}],
            "key":["id"],"valid_from":"at","operation":{"column":"op","delete":"end"},"mode":"interval"}"#,
    );
    assert_eq!(
        reject(&decoder, r#"{"op":"retract","id":"x","at":"2026-01-05"}"#),
        "column 'op' says 'retract', but in interval mode there is no change to withdraw; say 'end' over the interval"
    );
}

#[test]
fn each_makes_one_event_per_element_or_none_at_all() {
    let decoder = decoder(
        r#"{"columns":[{"name":"desk","type":"string"},{"name":"id","type":"string","path":"rows.id"},
            {"name":"px","type":"decimal(9,2)","path":"rows.quote.px"},{"name":"day","type":"date"}],
            "key":["desk","id"],"valid_from":"day","mode":"until_changed","each":"rows"}"#,
    );
    let mut batch = EventBatch::new(decoder.definition());
    let line =
        br#"{"desk":"A","day":"2026-01-05","rows":[{"id":"x","quote":{"px":1.5}},{"id":"y","quote":{"px":"2"}}]}"#;
    assert_eq!(decoder.decode(line, PLACE, false, &mut batch), Ok(2));
    assert_ne!(batch.key(0), batch.key(1));
    let reason = reject(&decoder, r#"{"desk":"A","day":"2026-01-05","rows":[{"id":"x"},{"quote":{}}]}"#);
    assert_eq!(reason, "rows[1]: column 'id' is part of the key and must have a value");
    assert_eq!(
        reject(&decoder, r#"{"desk":"A","day":"2026-01-05","rows":[]}"#),
        "'rows' is empty; there is nothing to record"
    );
    let wide = format!(r#"{{"desk":"{}","day":"2026-01-05","rows":[{}]}}"#, "x".repeat(500_000), ["{}"; 100].join(","));
    assert!(reject(&decoder, &wide).contains("send fewer in a line"));
    assert!(reject(&decoder, r#"{"desk":"A","day":"2026-01-05","rows":7}"#).contains("'rows' is not an array"));
    assert!(reject(&decoder, r#"{"desk":"A","day":"2026-01-05"}"#).contains("'rows' is missing"));
}

#[test]
fn every_rejection_names_what_is_wrong() {
    let decoder = lifecycle();
    let good = r#"{"op":"assert","key":"k","valid_from":"2020-01-01","valid_to":"2021-01-01","value":{}}"#;
    for (line, reason) in [
        ("", "not an acceptable JSON object: EOF"),
        ("[]", "invalid type: sequence, expected a JSON object"),
        (&good[..40], "EOF while parsing"),
        (&format!("{good}x"), "trailing characters"),
        (&good.replace("\"k\"", "null"), "column 'cycle' is part of the key and must have a value"),
        (&good.replace("\"k\"", "[7]"), "column 'cycle': [7] is not text"),
        (&good.replace("2021", "2020"), "column 'valid_to' is not after the start of the valid interval"),
        (&good.replace("2021-01-01", "soon"), "column 'valid_to': 'soon' is not an ISO date"),
        (&good.replace("\"2020-01-01\"", "null"), "column 'valid_from' is the start of the valid interval"),
        (&good.replace("assert", "upsert"), "column 'op' says \"upsert\", not 'assert' or 'retract'"),
        (&good.replace("{}", r#"{"lts":1}"#), "column 'lts': 1 is not true or false"),
        (&good.replace("{}", r#"{"lts":true,"lts":false}"#), "member 'lts' appears twice"),
    ] {
        let found = reject(&decoder, line);
        assert!(found.contains(reason), "{line}\n  found: {found}\n wanted: {reason}");
    }
    let mut batch = EventBatch::new(decoder.definition());
    let not_utf8 = decoder.decode(b"{\"key\":\"\xff\"}", PLACE, false, &mut batch).unwrap_err();
    assert_eq!(not_utf8.0, "not UTF-8 from byte 9 on");
    assert!(reject(&decoder, &" ".repeat(LINE_BYTES_MAX + 1)).contains("at most 1048576 are accepted"));
    let import = decoder.decode(good.as_bytes(), PLACE, true, &mut batch).unwrap_err();
    assert!(import.0.contains("column 'known' is the system time"), "{import}");
}

proptest! {
    #[test]
    fn no_line_makes_the_decoder_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let decoder = lifecycle();
        let mut batch = EventBatch::new(decoder.definition());
        let accepted = decoder.decode(&line, PLACE, false, &mut batch).unwrap_or(0);
        prop_assert_eq!(batch.len(), accepted as usize);
    }

    #[test]
    fn no_damage_to_a_good_line_makes_the_decoder_panic(at in 0_usize..90, byte in any::<u8>()) {
        let mut line = br#"{"op":"assert","key":"k","valid_from":"2020-01-01","value":{"lts":true,"eol":"2021-01-01"}}"#.to_vec();
        line[at] = byte;
        let decoder = lifecycle();
        let mut batch = EventBatch::new(decoder.definition());
        let _ = decoder.decode(&line, PLACE, false, &mut batch);
    }
}
