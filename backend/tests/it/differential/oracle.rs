//! What the answers must be, worked out the slow way.
//!
//! Valid time is a row of cells, one for each day; the last stands for all time from there on. For each key and cell
//! the oracle keeps what was said and when it became known, and every question is read off the cells one by one.
//! Nothing of the product is used here, so that no mistake is shared.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat};
use serde_json::json;

pub const DAY_MICROS: i64 = 86_400_000_000;
/// 2026-01-01T00:00:00Z, the first instant of cell 0.
pub const FIRST_MICROS: i64 = 1_767_225_600_000_000;
/// Cells of a timeline. As the end of an interval it stands for unbounded.
pub const CELLS: usize = 48;

/// One value, of any column type the test uses. Null sorts first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// The digits without the point, and how many of them stand behind it.
    Decimal(i128, usize),
    Text(String),
    /// Days since 1970-01-01.
    Day(i64),
    /// Microseconds since 1970-01-01 UTC.
    Instant(i64),
}

pub type Row = Vec<Scalar>;

impl Scalar {
    /// The value as CSV and JSON show it; nothing for null.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Scalar::Null => return None,
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(value) => value.to_string(),
            Scalar::Decimal(digits, scale) => decimal_text(*digits, *scale),
            Scalar::Text(text) => text.clone(),
            Scalar::Day(days) => moment(days * DAY_MICROS)[..10].to_owned(),
            Scalar::Instant(micros) => moment(*micros),
        })
    }

    fn csv(&self) -> String {
        let text = self.text().unwrap_or_default();
        if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    }

    fn json(&self) -> String {
        match (self, self.text()) {
            (Scalar::Null, _) | (_, None) => "null".to_owned(),
            (Scalar::Bool(_) | Scalar::Int(_), Some(text)) => text,
            (_, Some(text)) => json!(text).to_string(),
        }
    }
}

fn decimal_text(digits: i128, scale: usize) -> String {
    let text = format!("{:0>width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, behind) = text.split_at(text.len() - scale);
    let sign = if digits < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{behind}") }
}

/// An instant in RFC 3339, UTC.
pub fn moment(micros: i64) -> String {
    let moment = DateTime::from_timestamp_micros(micros).expect("the oracle stays within the calendar");
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The microseconds of an instant in RFC 3339.
pub fn micros(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap_or_else(|e| panic!("'{text}': {e}")).timestamp_micros()
}

/// The first instant of a cell.
pub fn cell_start(cell: usize) -> i64 {
    FIRST_MICROS + cell as i64 * DAY_MICROS
}

/// A half-open stretch of one axis, in microseconds; the extremes of `i64` are unbounded.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub from: i64,
    pub before: i64,
}

impl Span {
    pub const ALL: Span = Span { from: i64::MIN, before: i64::MAX };

    /// One instant.
    pub fn at(instant: i64) -> Span {
        Span { from: instant, before: instant + 1 }
    }

    fn is_empty(self) -> bool {
        self.from >= self.before
    }
}

/// An answer: named columns and rows in order.
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

impl Table {
    pub fn new(columns: &[&str], rows: Vec<Row>) -> Table {
        Table { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows }
    }

    pub fn csv(&self) -> String {
        assert!(self.columns.len() > 1, "an empty line would need quotes");
        let mut text = self.columns.join(",") + "\n";
        for row in &self.rows {
            text += &row.iter().map(Scalar::csv).collect::<Vec<_>>().join(",");
            text.push('\n');
        }
        text
    }

    pub fn json(&self) -> String {
        let member = |(name, value): (&String, &Scalar)| format!("{}:{}", json!(name), value.json());
        let object =
            |row: &Row| format!("{{{}}}", self.columns.iter().zip(row).map(member).collect::<Vec<_>>().join(","));
        format!("[{}]", self.rows.iter().map(object).collect::<Vec<_>>().join(","))
    }
}

/// How an event's valid interval is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Interval,
    UntilChanged,
}

/// One event. Without values it is a delete. Its end is not looked at in `until_changed` mode.
#[derive(Debug, Clone)]
pub struct Event {
    pub dataset: usize,
    pub key: Row,
    pub from: usize,
    pub to: usize,
    pub values: Option<Row>,
}

/// A rectangle: what held over `[from, to)` in cells, known over `[known_from, known_to)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub key: Row,
    pub values: Row,
    pub from: usize,
    pub to: usize,
    pub known_from: i64,
    pub known_to: Option<i64>,
}

impl Version {
    /// Whether its valid interval shares an instant with a span.
    pub fn shares(&self, valid: Span) -> bool {
        let end = if self.to == CELLS { i64::MAX } else { cell_start(self.to) };
        !valid.is_empty() && cell_start(self.from) < valid.before && end > valid.from
    }

    /// Whether two valid intervals share an instant.
    pub fn meets_in_time(&self, other: &Version) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// All columns as `SELECT *` gives them.
    pub fn row(&self) -> Row {
        let known_to = self.known_to.map_or(Scalar::Null, Scalar::Instant);
        let times = [start(self.from), end(self.to), Scalar::Instant(self.known_from), known_to];
        [self.key.clone(), self.values.clone(), times.to_vec()].concat()
    }
}

/// `valid_from` of an interval that starts with this cell.
pub fn start(cell: usize) -> Scalar {
    Scalar::Instant(cell_start(cell))
}

/// `valid_to` of an interval that ends before this cell.
pub fn end(cell: usize) -> Scalar {
    if cell == CELLS { Scalar::Null } else { Scalar::Instant(cell_start(cell)) }
}

/// Values and when they became known.
type Held = Option<(Row, i64)>;

/// A row of `diff`.
#[derive(Debug, Clone)]
pub struct Difference {
    pub key: Row,
    pub from: usize,
    pub to: usize,
    pub before: Held,
    pub after: Held,
}

impl Difference {
    /// All columns as `diff` gives them, for a dataset of so many value columns.
    pub fn row(&self, values: usize) -> Row {
        let change = match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        let mut row = self.key.clone();
        row.extend([start(self.from), end(self.to), Scalar::Text(change.to_owned())]);
        let value = |held: &Held, index: usize| held.as_ref().map_or(Scalar::Null, |(values, _)| values[index].clone());
        row.extend((0..values).flat_map(|index| [value(&self.before, index), value(&self.after, index)]));
        let known = |held: &Held| held.as_ref().map_or(Scalar::Null, |(_, known)| Scalar::Instant(*known));
        row.extend([known(&self.before), known(&self.after)]);
        row
    }
}

/// What was said of a cell, and when it became known; nothing holds from then on where it has no values.
struct Said {
    at: i64,
    values: Option<Row>,
}

/// One key: what holds now, cell by cell, the change points, and all that was ever said of each cell.
struct History {
    live: Vec<Option<Row>>,
    points: BTreeSet<usize>,
    said: Vec<Vec<Said>>,
}

impl History {
    fn new() -> History {
        History { live: vec![None; CELLS], points: BTreeSet::new(), said: (0..CELLS).map(|_| Vec::new()).collect() }
    }

    fn act(&mut self, mode: Mode, event: &Event) {
        let to = match mode {
            Mode::Interval => event.to,
            // What holds already is no change; anything else is one from here to the next.
            Mode::UntilChanged if self.live[event.from] == event.values => return,
            Mode::UntilChanged => {
                self.points.insert(event.from);
                self.points.range(event.from + 1..).next().copied().unwrap_or(CELLS)
            }
        };
        self.live[event.from..to].fill(event.values.clone());
    }

    /// What was known of a cell within a span of system time, as it was known at the span's end.
    fn known(&self, cell: usize, known: Span) -> Vec<(i64, Option<i64>, &Row)> {
        let said: Vec<&Said> = self.said[cell].iter().filter(|said| said.at < known.before).collect();
        let mut found = Vec::new();
        for (index, one) in said.iter().enumerate() {
            let until = said.get(index + 1).map(|next| next.at);
            if let Some(values) = &one.values
                && !known.is_empty()
                && until.is_none_or(|until| until > known.from)
            {
                found.push((one.at, until, values));
            }
        }
        found
    }

    fn held(&self, cell: usize, at: i64) -> Option<(&Row, i64)> {
        let last = self.said[cell].iter().rfind(|said| said.at <= at)?;
        last.values.as_ref().map(|values| (values, last.at))
    }
}

/// One dataset and its history.
pub struct Dataset {
    pub name: &'static str,
    pub keys: &'static [&'static str],
    pub values: &'static [&'static str],
    mode: Mode,
    histories: BTreeMap<Row, History>,
}

impl Dataset {
    pub fn new(
        name: &'static str,
        keys: &'static [&'static str],
        values: &'static [&'static str],
        mode: Mode,
    ) -> Dataset {
        Dataset { name, keys, values, mode, histories: BTreeMap::new() }
    }

    /// The columns of `SELECT *`.
    pub fn columns(&self) -> Vec<&'static str> {
        [self.keys, self.values, &["valid_from", "valid_to", "system_from", "system_to"]].concat()
    }

    fn commit(&mut self, at: i64, key: &Row, events: &[&Event]) {
        let mode = self.mode;
        let history = self.histories.entry(key.clone()).or_insert_with(History::new);
        let before = history.live.clone();
        events.iter().for_each(|event| history.act(mode, event));
        for ((was, is), said) in before.iter().zip(&history.live).zip(&mut history.said) {
            if was != is {
                said.push(Said { at, values: is.clone() });
            }
        }
    }

    /// The rectangles known within one span and valid within the other, by key, start and when they became known.
    pub fn versions(&self, known: Span, valid: Span) -> Vec<Version> {
        let mut found: Vec<Version> = Vec::new();
        for (key, history) in &self.histories {
            let first = found.len();
            for cell in 0..CELLS {
                for (known_from, known_to, values) in history.known(cell, known) {
                    let goes_on = |version: &&mut Version| {
                        (version.to, version.known_from, version.known_to) == (cell, known_from, known_to)
                            && version.values == *values
                    };
                    match found[first..].iter_mut().find(goes_on) {
                        Some(version) => version.to = cell + 1,
                        None => found.push(Version {
                            key: key.clone(),
                            values: values.clone(),
                            from: cell,
                            to: cell + 1,
                            known_from,
                            known_to,
                        }),
                    }
                }
            }
        }
        found.retain(|version| version.shares(valid));
        found.sort_by(|a, b| (&a.key, a.from, a.known_from).cmp(&(&b.key, b.from, b.known_from)));
        found
    }

    /// What differs over all of valid time between two system times.
    pub fn diff(&self, before_at: i64, after_at: i64) -> Vec<Difference> {
        let owned = |side: Option<(&Row, i64)>| side.map(|(values, known)| (values.clone(), known));
        let mut found: Vec<Difference> = Vec::new();
        for (key, history) in &self.histories {
            let first = found.len();
            for cell in 0..CELLS {
                let (before, after) = (history.held(cell, before_at), history.held(cell, after_at));
                if before.map(|(values, _)| values) == after.map(|(values, _)| values) {
                    continue;
                }
                let (before, after) = (owned(before), owned(after));
                match found[first..].last_mut() {
                    Some(last) if last.to == cell && last.before == before && last.after == after => {
                        last.to = cell + 1;
                    }
                    _ => found.push(Difference { key: key.clone(), from: cell, to: cell + 1, before, after }),
                }
            }
        }
        found
    }

    /// What differs, key by key, between two coordinates `(valid, system)`.
    pub fn diff_across(&self, before: (i64, i64), after: (i64, i64)) -> Vec<Difference> {
        let version = |key: &Row, (valid, system): (i64, i64)| {
            self.versions(Span::at(system), Span::at(valid)).into_iter().find(|version| version.key == *key)
        };
        let mut found = Vec::new();
        for key in self.histories.keys() {
            let (before, after) = (version(key, before), version(key, after));
            let values = |side: &Option<Version>| side.as_ref().map(|version| version.values.clone());
            let Some(shown) = after.as_ref().or(before.as_ref()) else { continue };
            if values(&before) == values(&after) {
                continue;
            }
            let (from, to) = (shown.from, shown.to);
            let held = |side: Option<Version>| side.map(|version| (version.values, version.known_from));
            found.push(Difference { key: key.clone(), from, to, before: held(before), after: held(after) });
        }
        found
    }
}

/// All datasets, and the system times of all commits.
pub struct Oracle {
    pub datasets: Vec<Dataset>,
    pub commits: Vec<i64>,
    /// Cells where some event's interval starts or ends.
    pub bounds: BTreeSet<usize>,
}

impl Oracle {
    pub fn new(datasets: Vec<Dataset>) -> Oracle {
        Oracle { datasets, commits: Vec::new(), bounds: BTreeSet::new() }
    }

    /// Lets the events of one epoch act one after the other; what they leave changed became known at `at`.
    pub fn commit(&mut self, at: i64, events: &[Event]) {
        let earlier = self.commits.last();
        assert!(earlier.is_none_or(|last| *last < at), "system time went from {earlier:?} to {at}");
        self.commits.push(at);
        let mut by_key: BTreeMap<(usize, &Row), Vec<&Event>> = BTreeMap::new();
        for event in events {
            self.bounds.extend([event.from, event.to].into_iter().filter(|cell| *cell < CELLS));
            by_key.entry((event.dataset, &event.key)).or_default().push(event);
        }
        for ((dataset, key), events) in by_key {
            self.datasets[dataset].commit(at, key, &events);
        }
    }

    /// The last commit's system time.
    pub fn last(&self) -> i64 {
        *self.commits.last().expect("something was committed")
    }
}
