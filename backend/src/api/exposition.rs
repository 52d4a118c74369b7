//! Prometheus text exposition, version 0.0.4: families of samples, each with its help and its type in front.

use std::fmt::{Display, Write as _};

use engine::meters::{BOUNDS_MICROS, HistogramReading};

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations by bucket.
    Histogram,
}

/// Names and values of labels.
pub type Labels<'a> = &'a [(&'a str, &'a dyn Display)];

/// The text, as far as it is written.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// A family whose samples follow.
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

impl Exposition {
    /// Begins a family. Its samples have to follow before the next one begins, which the borrow holds to.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: &mut self.text, name }
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: f64) {
        self.family(name, kind, help).sample(&[], value);
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Adds a sample.
    pub fn sample(&mut self, labels: Labels<'_>, value: f64) -> &mut Self {
        self.write("", labels, value);
        self
    }

    /// Adds a histogram of durations; its unit is seconds.
    pub fn histogram(&mut self, labels: Labels<'_>, reading: &HistogramReading) -> &mut Self {
        for (bound, count) in BOUNDS_MICROS.iter().zip(reading.up_to) {
            let bound = *bound as f64 / 1e6;
            self.bucket(labels, &bound, count);
        }
        self.bucket(labels, &"+Inf", reading.count);
        self.write("_sum", labels, reading.sum_micros as f64 / 1e6);
        self.write("_count", labels, reading.count as f64);
        self
    }

    fn bucket(&mut self, labels: Labels<'_>, bound: &dyn Display, count: u64) {
        let labels: Vec<(&str, &dyn Display)> = labels.iter().copied().chain([("le", bound)]).collect();
        self.write("_bucket", &labels, count as f64);
    }

    fn write(&mut self, suffix: &str, labels: Labels<'_>, value: f64) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (index, (name, value)) in labels.iter().enumerate() {
            let value = value.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{name}=\"{value}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use engine::meters::Histogram;

    use super::*;

    #[test]
    fn samples_follow_their_help_and_type() {
        let mut text = Exposition::default();
        text.single("tidemark_epoch", Kind::Gauge, "Last\nepoch.", 7.0);
        let mut family = text.family("tidemark_records_total", Kind::Counter, "Records.");
        family.sample(&[("dataset", &"a\"b\\c"), ("slot", &3_u16)], 1.5).sample(&[], 2e9);
        let lines = text.finish();
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(
            lines[..3],
            ["# HELP tidemark_epoch Last\\nepoch.", "# TYPE tidemark_epoch gauge", "tidemark_epoch 7"]
        );
        assert_eq!(lines[5], r#"tidemark_records_total{dataset="a\"b\\c",slot="3"} 1.5"#);
        assert_eq!(lines[6], "tidemark_records_total 2000000000");
    }

    #[test]
    fn a_histogram_has_growing_buckets_in_seconds_its_sum_and_its_count() {
        let seen = Histogram::default();
        [50, 200_000, 90_000_000].iter().for_each(|&micros| seen.observe(micros));
        let mut text = Exposition::default();
        text.family("d_seconds", Kind::Histogram, "D.").histogram(&[("stage", &"apply")], &seen.read());
        let text = text.finish();
        for line in [
            r#"d_seconds_bucket{stage="apply",le="0.0001"} 1"#,
            r#"d_seconds_bucket{stage="apply",le="0.25"} 2"#,
            r#"d_seconds_bucket{stage="apply",le="30"} 2"#,
            r#"d_seconds_bucket{stage="apply",le="+Inf"} 3"#,
            r#"d_seconds_sum{stage="apply"} 90.20005"#,
            r#"d_seconds_count{stage="apply"} 3"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
