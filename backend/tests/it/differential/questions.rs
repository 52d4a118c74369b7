//! Random questions with the answers the oracle gives, as text.
//!
//! [`Writer`] writes the parts questions share: tables with their clauses, times as literals or parameters. Each kind
//! of question is a function in [`single`] (one dataset) or [`joined`] (several). All of them order their rows.

mod joined;
mod single;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{
    oracle::{CELLS, DAY_MICROS, Dataset, Oracle, Row, Scalar, Span, Table, Version, cell_start, moment},
    workload::{INDICES, INSTRUMENTS},
};

/// A request to `POST /api/v1/sql` and the body that must come back.
pub struct Question {
    pub kind: &'static str,
    request: Value,
    pub accept: &'static str,
    pub expected: String,
    /// Whether it is about the last commit, so that more data changes the answer unless a token is sent.
    pub latest: bool,
}

impl Question {
    /// The request, under a token or not.
    pub fn request(&self, token: Option<&str>) -> Value {
        let mut request = self.request.clone();
        if let Some(token) = token {
            request["snapshot"] = json!(token);
        }
        request
    }
}

/// Writes the SQL of one question and works out its answer.
type Kind = fn(&mut Writer<'_>) -> (String, Table);

const KINDS: [(&str, Kind); 19] = [
    ("point", single::point),
    ("range", single::range),
    ("rectangles", single::rectangles),
    ("history", single::history),
    ("diff", single::diff),
    ("diff at an instant", single::diff_at),
    ("diff across", single::diff_across),
    ("grouped ratings", single::grouped_ratings),
    ("grouped weights", single::grouped_weights),
    ("except", single::except),
    ("daily", single::daily),
    ("by period", single::by_period),
    ("changed at a point", joined::changed_at_a_point),
    ("changed over time", joined::changed_over_time),
    ("overlap", joined::overlap),
    ("existence", joined::existence),
    ("worth", joined::worth),
    ("as of", joined::as_of),
    ("allen", joined::allen),
];

/// Random questions about what the oracle knows now, each kind in turn.
pub fn questions(oracle: &Oracle, rng: &mut ChaCha8Rng, of_each_kind: usize) -> Vec<Question> {
    let mut questions = Vec::new();
    for _ in 0..of_each_kind {
        for (kind, ask) in KINDS {
            let mut writer = Writer { oracle, rng: &mut *rng, members: json!({}), parameters: vec![], latest: false };
            let (sql, table) = ask(&mut writer);
            let Writer { members: mut request, parameters, latest, .. } = writer;
            request["sql"] = json!(sql);
            if !parameters.is_empty() {
                request["parameters"] = Value::Array(parameters);
            }
            let as_json = rng.random_bool(0.25);
            let accept = if as_json { "application/json" } else { "text/csv" };
            let expected = if as_json { table.json() } else { table.csv() };
            questions.push(Question { kind, request, accept, expected, latest });
        }
    }
    questions
}

struct Writer<'a> {
    oracle: &'a Oracle,
    rng: &'a mut ChaCha8Rng,
    /// Members of the request beside the SQL and its parameters.
    members: Value,
    parameters: Vec<Value>,
    latest: bool,
}

/// A condition on the last key column, or none.
struct KeyFilter {
    sql: String,
    instrument: Option<Scalar>,
}

impl KeyFilter {
    fn keep(&self, versions: &mut Vec<Version>) {
        versions.retain(|version| self.lets_through(&version.key));
    }

    fn lets_through(&self, key: &Row) -> bool {
        self.instrument.as_ref().is_none_or(|wanted| key.last() == Some(wanted))
    }
}

impl<'a> Writer<'a> {
    fn below(&mut self, bound: usize) -> usize {
        self.rng.random_range(0..bound)
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    fn dataset(&mut self) -> &'a Dataset {
        let index = self.below(3);
        &self.oracle.datasets[index]
    }

    /// A valid instant: somewhere in a day, a change point, or one microsecond beside one; sometimes beyond all data.
    fn instant(&mut self) -> i64 {
        let at = match self.below(8) {
            0 => -1,
            1 => CELLS as i64 + 5,
            2 | 3 => self.below(CELLS) as i64,
            _ => {
                let bounds = &self.oracle.bounds;
                let index = self.rng.random_range(0..bounds.len());
                bounds.iter().nth(index).map_or(0, |cell| *cell as i64)
            }
        };
        let beside = [0, 0, 1, -1, DAY_MICROS / 2][self.below(5)];
        cell_start(0) + at * DAY_MICROS + beside
    }

    /// A system time: of a commit, one microsecond before one, or between two.
    fn known(&mut self) -> i64 {
        let commits = &self.oracle.commits;
        let index = self.rng.random_range(0..commits.len());
        let at = commits[index];
        match self.rng.random_range(0..4) {
            0 => at - 1,
            1 => commits.get(index + 1).map_or(at, |next| at + (next - at) / 2),
            _ => at,
        }
    }

    fn two(&mut self, one: fn(&mut Self) -> i64) -> (i64, i64) {
        let (a, b) = (one(self), one(self));
        (a.min(b), a.max(b))
    }

    /// An instant as SQL: a literal of one form or another.
    fn literal(&mut self, micros: i64) -> String {
        let text = moment(micros);
        match self.below(4) {
            0 if micros.rem_euclid(DAY_MICROS) == 0 => format!("DATE '{}'", &text[..10]),
            1 => format!("TIMESTAMP '{text}'"),
            _ => format!("'{text}'"),
        }
    }

    /// An instant as SQL: a literal or a parameter.
    fn time(&mut self, micros: i64) -> String {
        if self.chance(0.2) {
            self.parameters.push(json!(moment(micros)));
            return format!("${}", self.parameters.len());
        }
        self.literal(micros)
    }

    fn valid_as_of(&mut self, at: i64) -> String {
        format!("FOR VALID_TIME AS OF {}", self.time(at))
    }

    fn system_as_of(&mut self, at: i64) -> String {
        format!("FOR SYSTEM_TIME AS OF {}", self.time(at))
    }

    /// One system time and the clause for it; sometimes no clause and so the last commit.
    fn system(&mut self) -> (String, i64) {
        if self.chance(0.15) {
            self.latest = true;
            return (String::new(), self.oracle.last());
        }
        let known = self.known();
        (self.system_as_of(known), known)
    }

    /// `FROM … TO …` or `BETWEEN … AND …` from one instant to another, now and then with an open end.
    fn bounds(&mut self, axis: &str, from: i64, to: i64) -> (String, Span) {
        let open_start = self.chance(0.15);
        let open_end = self.chance(0.15);
        let start = if open_start { "NULL".to_owned() } else { self.time(from) };
        let stop = if open_end { "NULL".to_owned() } else { self.time(to) };
        let both_included = self.chance(0.5);
        let before = if both_included { to + 1 } else { to };
        let span =
            Span { from: if open_start { i64::MIN } else { from }, before: if open_end { i64::MAX } else { before } };
        let clause =
            if both_included { format!("BETWEEN {start} AND {stop}") } else { format!("FROM {start} TO {stop}") };
        (format!("FOR {axis} {clause}"), span)
    }

    /// Any clause on valid time.
    fn valid(&mut self) -> (String, Span) {
        match self.below(5) {
            0 => (String::new(), Span::ALL),
            1 => ("FOR VALID_TIME ALL".to_owned(), Span::ALL),
            2 => {
                let at = self.instant();
                (self.valid_as_of(at), Span::at(at))
            }
            _ => {
                let (from, to) = self.two(Self::instant);
                self.bounds("VALID_TIME", from, to)
            }
        }
    }

    /// A table with its alias and clauses, in any order.
    fn table(&mut self, name: &str, alias: &str, clauses: &[&str]) -> String {
        let mut clauses: Vec<&str> = clauses.iter().copied().filter(|clause| !clause.is_empty()).collect();
        if self.chance(0.5) {
            clauses.reverse();
        }
        let at = self.below(clauses.len() + 1);
        let named = match (alias, self.chance(0.5)) {
            ("", _) => String::new(),
            (alias, true) => format!("AS {alias}"),
            (alias, false) => alias.to_owned(),
        };
        clauses.insert(at, &named);
        clauses.insert(0, name);
        clauses.retain(|part| !part.is_empty());
        clauses.join(" ")
    }

    fn key_filter(&mut self, dataset: &Dataset) -> KeyFilter {
        if self.chance(0.6) {
            return KeyFilter { sql: String::new(), instrument: None };
        }
        let instrument = INSTRUMENTS[self.below(INSTRUMENTS.len())];
        let column = dataset.keys.last().expect("a dataset has a key");
        let sql = format!("WHERE {column} = '{}'", instrument.replace('\'', "''"));
        KeyFilter { sql, instrument: Some(Scalar::Text(instrument.to_owned())) }
    }

    fn index(&mut self) -> &'static str {
        INDICES[self.below(INDICES.len())]
    }
}

/// `sum` of a column: null where there is nothing to add.
fn sum<'v>(values: impl Iterator<Item = &'v Scalar>) -> Scalar {
    values.fold(Scalar::Null, |sum, value| match (sum, value) {
        (sum, Scalar::Null) => sum,
        (Scalar::Null, value) => value.clone(),
        (Scalar::Int(a), Scalar::Int(b)) => Scalar::Int(a + b),
        (Scalar::Decimal(a, scale), Scalar::Decimal(b, _)) => Scalar::Decimal(a + b, scale),
        (sum, value) => panic!("{sum:?} and {value:?} cannot be added"),
    })
}

/// `count(column)`: values that are not null.
fn count<'v>(values: impl Iterator<Item = &'v Scalar>) -> Scalar {
    number(values.filter(|value| **value != Scalar::Null).count())
}

fn number(count: usize) -> Scalar {
    Scalar::Int(i64::try_from(count).expect("few"))
}
