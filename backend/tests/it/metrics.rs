//! `/metrics`, read by the rules of Prometheus' text format 0.0.4, and whether its figures are true.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{quick, support::Server};

/// A sample's name and labels, and its value.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Reads an exposition; panics where a rule is broken.
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line ends with a line feed");
    let (mut samples, mut types) = (Samples::new(), BTreeMap::<String, String>::new());
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
            assert!(!help.is_empty() && !types.contains_key(name), "a family stands together, with one help: {line}");
            family = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
            assert_eq!(name, family, "the type follows the help: {line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "counters alone end so: {line}");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "one type: {line}");
        } else {
            let (name, labels, value) = sample(line);
            let base = match types.get(&family).map(String::as_str) {
                Some("histogram") => {
                    let suffixes = ["_bucket", "_sum", "_count"];
                    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name).to_owned()
                }
                Some(_) => name.clone(),
                None => panic!("a sample without a type: {line}"),
            };
            assert_eq!(base, family, "samples follow their type: {line}");
            assert!(samples.insert((name, labels), value).is_none(), "twice: {line}");
        }
    }
    for (name, _) in types.iter().filter(|(_, kind)| *kind == "histogram") {
        check_histogram(&samples, name);
    }
    samples
}

/// `name{label="value",…} number`
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (value, after) = quoted(value).unwrap_or_else(|| panic!("no end of a label: {line}"));
            assert!(labels.insert(label.to_owned(), value).is_none(), "a label twice: {line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').and_then(|value| value.parse().ok());
    (name.to_owned(), labels, value.unwrap_or_else(|| panic!("no number: {line}")))
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// The text up to the closing quote, without its escapes, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            letter => value.push(letter),
        }
    }
    None
}

/// Buckets grow with their bounds up to `+Inf`, which is the count; there is a sum.
fn check_histogram(samples: &Samples, name: &str) {
    let mut series: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    for ((bucket, labels), count) in samples.iter().filter(|((of, _), _)| *of == format!("{name}_bucket")) {
        let mut labels = labels.clone();
        let bound = labels.remove("le").unwrap_or_else(|| panic!("{bucket} has no bound"));
        series.entry(labels).or_default().push((bound.parse().unwrap_or(f64::NAN), *count));
    }
    assert!(!series.is_empty(), "{name} has no buckets");
    for (labels, mut buckets) in series {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name} {labels:?}: {buckets:?}");
        let (bound, count) = buckets[buckets.len() - 1];
        assert!(bound.is_infinite(), "{name} {labels:?}");
        assert_eq!(samples.get(&(format!("{name}_count"), labels.clone())), Some(&count), "{name} {labels:?}");
        assert!(samples.contains_key(&(format!("{name}_sum"), labels.clone())), "{name} {labels:?}");
    }
}

fn metrics(server: &Server) -> Samples {
    let reply = server.get("/metrics").expect_status(200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    parse(&reply.text())
}

fn value(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    *samples.get(&(name.to_owned(), labels)).unwrap_or_else(|| panic!("no {name}"))
}

/// All samples of a name, added up.
fn sum(samples: &Samples, name: &str) -> f64 {
    samples.iter().filter(|((of, _), _)| of == name).map(|(_, value)| value).sum()
}

fn labels(samples: &Samples, name: &str, label: &str) -> BTreeSet<String> {
    samples.keys().filter(|(of, _)| of == name).filter_map(|(_, labels)| labels.get(label).cloned()).collect()
}

#[test]
fn metrics_can_be_read_and_are_true() {
    let data = std::sync::Arc::new(tempfile::TempDir::new().expect("a temporary folder can be made"));
    let server = quick::start_with(data, "small_epoch_records = 0\ncheckpoint_interval_secs = 1");
    let before = metrics(&server);
    assert_eq!(value(&before, "tidemark_slots", &[]), 2.0);
    let definition = json!({
        "columns": [{"name": "k", "type": "string"}, {"name": "at", "type": "date"}, {"name": "v", "type": "int64"}],
        "key": ["k"], "valid_from": "at", "mode": "until_changed",
    });
    server.put_dataset("facts", &definition).expect_status(201);
    let lines =
        |day: u32| (0..500).map(move |key| format!("{{\"k\":\"k{key}\",\"at\":\"2026-01-{day:02}\",\"v\":{day}}}\n"));
    for day in 1..=4 {
        server.post_events("facts", "committed", lines(day).collect::<String>()).expect_status(200);
    }
    server.post("/api/v1/pipeline/rescale?wait=60", "application/json", r#"{"slots":3}"#).expect_status(200);
    server.post_events("facts", "committed", lines(5).collect::<String>()).expect_status(200);
    // A commit is announced before its state is written.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let mut after = metrics(&server);
    while sum(&after, "tidemark_slot_records_total") < 2_500.0
        || value(&after, "tidemark_checkpoint_seconds_count", &[]) < 1.0
    {
        assert!(std::time::Instant::now() < until, "figures do not come");
        after = metrics(&server);
    }
    assert_eq!(sum(&after, "tidemark_slot_records_total"), 2_500.0);
    assert_eq!(sum(&after, "tidemark_slot_rows_total"), 2_500.0);
    assert_eq!(labels(&after, "tidemark_slot_records_total", "slot").len(), 3);
    assert_eq!(value(&after, "tidemark_records_total", &[("dataset", "facts"), ("fate", "committed")]), 2_500.0);
    assert_eq!(value(&after, "tidemark_slots", &[]), 3.0);
    assert_eq!(value(&after, "tidemark_slots_wanted", &[]), 3.0);
    assert_eq!(value(&after, "tidemark_rescales_total", &[("outcome", "done")]), 1.0);
    assert_eq!(value(&after, "tidemark_rescale_pause_seconds_count", &[]), 1.0);
    assert!(value(&after, "tidemark_rescale_expected_pause_seconds", &[]) > 0.0);
    assert_eq!(labels(&after, "tidemark_partition_lag_records", "partition").len(), 8);
    assert_eq!(sum(&after, "tidemark_partition_lag_records"), value(&after, "tidemark_lag_records", &[]));
    let epochs = value(&after, "tidemark_epoch_seconds_count", &[]);
    assert!(epochs >= 5.0, "{epochs}");
    for stage in ["decode", "apply", "commit", "state"] {
        assert_eq!(value(&after, "tidemark_epoch_stage_seconds_count", &[("stage", stage)]), epochs, "{stage}");
    }
    assert!(value(&after, "tidemark_pipeline_seconds_total", &[("doing", "wait_for_records")]) > 0.0);
    assert!(value(&after, "tidemark_pipeline_seconds_total", &[("doing", "rescale")]) > 0.0);
    assert_eq!(labels(&after, "tidemark_slot_seconds_total", "doing").len(), 3);
    assert_eq!(labels(&after, "tidemark_key_group_state_bytes", "key_group").len(), 128);
    assert!(value(&after, "tidemark_state_bytes", &[]) > 0.0);
    // What ends in _total never falls.
    for ((name, labels), value) in before.iter().filter(|((name, _), _)| name.ends_with("_total")) {
        assert!(after.get(&(name.clone(), labels.clone())).is_some_and(|later| later >= value), "{name} {labels:?}");
    }
}
