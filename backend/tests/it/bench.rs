//! Benchmarks with tiny sizes: that they come to their end and print the figures they are for.

use serde_json::Value;

use crate::support::tidemark;

/// Runs a benchmark in a folder that is not there yet; gives its last line.
fn bench(name: &str, options: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = folder.path().join("bench");
    let data = data.to_str().expect("a readable path");
    let output = tidemark(&[&["bench", name, "--data", data], options].concat(), b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON on the last line");
    assert!(!std::path::Path::new(data).exists(), "the folder is removed");
    figures
}

fn is_positive(figures: &Value, pointer: &str) {
    let value = figures.pointer(pointer).and_then(Value::as_f64);
    assert!(value.is_some_and(|value| value > 0.0), "{pointer} in {figures}");
}

#[test]
fn recovery_is_measured_and_every_acknowledged_record_found() {
    let figures = bench("recovery", &["--state-gib", "0.002", "--load-seconds", "1", "--kills", "2", "--rate", "500"]);
    for pointer in ["/state_bytes", "/keys", "/processing_seconds_max", "/ready/p50_millis", "/processing/p99_millis"] {
        is_positive(&figures, pointer);
    }
    assert_eq!(figures["processing"]["count"], 2);
    assert!(figures["received"].as_u64() >= figures["acknowledged"].as_u64(), "{figures}");
}

#[test]
fn freshness_is_measured_from_acknowledgement_to_answer() {
    let figures = bench("freshness", &["--rate", "500", "--seconds", "2", "--requests", "20", "--keys", "100"]);
    for pointer in ["/freshness/p50_millis", "/freshness/p99_millis", "/epochs_kept", "/pipeline_seconds/commit"] {
        is_positive(&figures, pointer);
    }
    assert_eq!((&figures["events"], &figures["freshness"]["count"]), (&1000.into(), &8.into()));
}

#[test]
fn a_burst_is_measured_with_and_without_checkpoints() {
    for options in [&["--without-checkpoints"][..], &["--savepoint-every-secs", "1"]] {
        let figures = bench("burst", &[&["--records", "20000", "--keys", "1000"], options].concat());
        is_positive(&figures, "/records_per_second");
        assert_eq!(figures["checkpoints"], options[0] != "--without-checkpoints");
        assert!(figures["savepoints_kept"].as_u64().is_some(), "{figures}");
    }
}
