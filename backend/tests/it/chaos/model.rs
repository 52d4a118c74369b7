//! What has to be there: the acknowledged requests, one event after the other, on dense grids of valid time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::clients::{BULK, BULK_KEYS, Request, Told};
use crate::support::Server;

/// In `until_changed` mode.
pub const POSITIONS: &str = "positions";
/// In `interval` mode.
pub const LIMITS: &str = "limits";
pub const DATASETS: [&str; 2] = [POSITIONS, LIMITS];
/// Seconds of valid time; what holds in the last holds for ever.
pub const CELLS: u64 = 50;
/// Where the records begin that number requests.
const MARKS: u64 = 100;

/// The datasets.
pub fn definitions() -> [(&'static str, Value); 3] {
    let column = |name: &str, of: &str| json!({"name": name, "type": of});
    let [account, since, until] =
        [("account", "string"), ("since", "timestamp"), ("until", "timestamp")].map(|(name, of)| column(name, of));
    let [amount, op] = [("amount", "int64"), ("op", "string")].map(|(name, of)| column(name, of));
    [
        (
            POSITIONS,
            json!({"columns": [account, since, amount, op], "key": ["account"], "valid_from": "since",
                   "operation": "op", "mode": "until_changed"}),
        ),
        (
            LIMITS,
            json!({"columns": [account, since, until, amount, op], "key": ["account"], "valid_from": "since",
                   "valid_to": "until", "operation": "op", "mode": "interval"}),
        ),
        (
            BULK,
            json!({"columns": [account, since, amount], "key": ["account"], "valid_from": "since",
                   "mode": "until_changed"}),
        ),
    ]
}

/// One event. Valid time in seconds.
#[derive(Debug, Clone)]
pub struct Event {
    pub dataset: &'static str,
    pub key: String,
    pub from: u64,
    /// Looked at in interval mode.
    pub to: u64,
    /// None deletes.
    pub value: Option<i64>,
}

impl Event {
    /// The record that numbers a request.
    pub fn mark(dataset: &'static str, writer: usize, round: u64, number: u64) -> Event {
        let (from, value) = (MARKS + number, Some(number as i64));
        Event { dataset, key: mark_key(writer, round), from, to: from + 1, value }
    }

    /// A second as text.
    pub fn instant(second: u64) -> String {
        format!("2026-01-01T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
    }

    /// Its end as text; none where it has none.
    pub fn end(&self) -> Option<String> {
        (self.to != CELLS).then(|| Event::instant(self.to))
    }
}

fn mark_key(writer: usize, round: u64) -> String {
    format!("mark-{writer}-{round}")
}

/// What holds of a key.
#[derive(Debug, Clone, Default)]
struct Line {
    /// In interval mode by second; else where it changes.
    said: BTreeMap<u64, Option<i64>>,
}

impl Line {
    fn held(&self, second: u64) -> Option<i64> {
        self.said.range(..=second).next_back().and_then(|(_, value)| *value)
    }

    /// Lets an event act; tells whether it changed what holds.
    fn take(&mut self, event: &Event) -> bool {
        if event.dataset == POSITIONS {
            let changes = self.held(event.from) != event.value;
            if changes {
                self.said.insert(event.from, event.value);
            }
            return changes;
        }
        let open = event.to == CELLS;
        let mut inside = self.said.range(event.from..if open { u64::MAX } else { event.to });
        let changes = self.held(event.from) != event.value || inside.any(|(_, value)| *value != event.value);
        let after = self.held(event.to);
        self.said.retain(|second, _| *second < event.from || (*second >= event.to && !open));
        self.said.insert(event.from, event.value);
        if !open {
            self.said.entry(event.to).or_insert(after);
        }
        changes
    }

    /// Where it changes, neighbours that say the same joined.
    fn changes(&self) -> Vec<(u64, Option<i64>)> {
        let mut changes: Vec<(u64, Option<i64>)> = Vec::new();
        for (second, value) in &self.said {
            if changes.last().map_or(value.is_some(), |(_, last)| last != value) {
                changes.push((*second, *value));
            }
        }
        changes
    }
}

/// Records by what became of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    received: u64,
    committed: u64,
    unchanged: u64,
    quarantined: u64,
}

/// All that has to be there.
#[derive(Default)]
pub struct Model {
    lines: BTreeMap<(&'static str, String), Line>,
    counts: BTreeMap<&'static str, Counts>,
    /// Requests acknowledged.
    pub acknowledged: u64,
    /// Large requests that are in.
    pub bulk: u64,
}

impl Model {
    /// Takes in what the clients of a round were told. Of what was not answered the server has to have all or nothing.
    pub fn take_in(&mut self, server: &Server, told: &Told, round: u64) {
        told.acknowledged.iter().for_each(|request| self.take(request));
        self.acknowledged += told.acknowledged.len() as u64 + told.bulk - self.bulk;
        let waited = told.acknowledged.iter().rev().filter(|request| request.committed_at.is_some());
        for request in waited.take(3) {
            for dataset in request.datasets() {
                let as_of = request.committed_at.as_deref();
                assert!(is_there(server, dataset, request, round, as_of), "not there when it was told: {request:?}");
            }
        }
        for request in &told.unanswered {
            let datasets: Vec<&str> = request.datasets().collect();
            let there = datasets.iter().filter(|dataset| is_there(server, dataset, request, round, None)).count();
            assert!(there == 0 || there == datasets.len(), "a transaction is there in part: {request:?}");
            if there > 0 {
                self.take(request);
            }
        }
        let rows = server.rows("SELECT amount, count(*) AS n FROM bulk GROUP BY amount ORDER BY amount");
        let whole = |amount: u64| json!([{"amount": amount, "n": BULK_KEYS}]);
        let one_more = told.bulk_unanswered && json!(rows) == whole(told.bulk + 1);
        self.bulk = told.bulk + u64::from(one_more);
        assert!(self.bulk == 0 && rows.is_empty() || json!(rows) == whole(self.bulk), "{rows:?}, {}", self.bulk);
    }

    fn take(&mut self, request: &Request) {
        for event in &request.events {
            let counts = self.counts.entry(event.dataset).or_default();
            counts.received += 1;
            match self.lines.entry((event.dataset, event.key.clone())).or_default().take(event) {
                true => counts.committed += 1,
                false => counts.unchanged += 1,
            }
        }
        let counts = self.counts.entry(request.events[0].dataset).or_default();
        counts.received += request.refused;
        counts.quarantined += request.refused;
    }

    /// Row by row what is there, and the counts.
    pub fn check(&self, server: &Server) {
        for dataset in DATASETS {
            let mut found = stored(server, dataset);
            for ((_, key), line) in self.lines.iter().filter(|((of, _), _)| *of == dataset) {
                let there = found.remove(key).unwrap_or_default();
                assert_eq!(there, line.changes(), "{dataset}, {key}");
            }
            assert!(found.is_empty(), "nobody sent this: {found:?}");
            let expected = self.counts.get(dataset).copied().unwrap_or_default();
            assert_eq!(counts(server, dataset), expected, "{dataset}");
        }
        let all = self.bulk * BULK_KEYS;
        let expected = Counts { received: all, committed: all, ..Counts::default() };
        assert_eq!(counts(server, BULK), expected);
    }
}

/// Whether the record that numbers a request is there, now or as of a system time.
fn is_there(server: &Server, dataset: &str, request: &Request, round: u64, as_of: Option<&str>) -> bool {
    let (mark, number) = (mark_key(request.writer, round), request.number);
    let sql = format!("SELECT amount FROM {dataset} WHERE account = '{mark}' AND amount = {number}");
    let question = json!({"sql": sql, "system_time": as_of});
    let rows = server.post_sql(&question, "application/json").expect_status(200).json();
    let rows = rows.as_array().expect("rows").clone();
    assert!(rows.len() < 2, "{rows:?}");
    !rows.is_empty()
}

/// By key where what holds changes, neighbours that say the same joined.
fn stored(server: &Server, dataset: &str) -> BTreeMap<String, Vec<(u64, Option<i64>)>> {
    let mut stored: BTreeMap<String, Vec<(u64, Option<i64>)>> = BTreeMap::new();
    let columns = "account, amount, valid_from, valid_to";
    for row in server.rows(&format!("SELECT {columns} FROM {dataset} ORDER BY account, valid_from")) {
        let changes = stored.entry(row["account"].as_str().expect("text").to_owned()).or_default();
        let (starts, amount) = (second(&row["valid_from"]).expect("a time"), row["amount"].as_i64());
        // Nothing holds from where the row before ends, if this one does not begin there.
        if changes.last() == Some(&(starts, None)) {
            changes.pop();
        }
        if changes.last().is_none_or(|(_, last)| *last != amount) {
            changes.push((starts, amount));
        }
        if let Some(ends) = second(&row["valid_to"]) {
            changes.push((ends, None));
        }
    }
    stored
}

/// The second of a time; none of none.
fn second(time: &Value) -> Option<u64> {
    let time = time.as_str()?;
    let part = |from: usize| time[from..from + 2].parse::<u64>().expect("a time of day");
    Some(part(11) * 3_600 + part(14) * 60 + part(17))
}

fn counts(server: &Server, dataset: &str) -> Counts {
    let shown = server.get(&format!("/api/v1/datasets/{dataset}")).expect_status(200).json();
    let number = |name: &str| shown["counts"][name].as_u64().expect("a count");
    assert_eq!(number("in_flight"), 0, "{shown}");
    Counts {
        received: number("received"),
        committed: number("committed"),
        unchanged: number("unchanged"),
        quarantined: number("quarantined"),
    }
}
