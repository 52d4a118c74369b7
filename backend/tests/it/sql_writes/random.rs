//! Random statements against the events that the standard's rules make of them, worked out from the rows they meet.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{Mode, Pair};

const STATEMENTS: usize = 36;
const ITEMS: [&str; 3] = ["A", "B", "C'c"];

#[test]
fn random_statements_and_their_events_leave_the_same_tables() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let given = std::env::var("TIDEMARK_SEED").ok();
    let seed = given.map_or(clock, |text| text.parse().unwrap_or_else(|e| panic!("TIDEMARK_SEED={text}: {e}")));
    eprintln!("TIDEMARK_SEED={seed}");
    for mode in [Mode::Interval, Mode::UntilChanged] {
        let mut pair = Pair::new(mode);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for step in 0..STATEMENTS {
            let rows = pair.server.rows("SELECT * FROM posted ORDER BY item, valid_from");
            let statement = Statement::random(&mut rng, mode, step, &rows);
            let answer = pair.step(&statement.sql, &statement.events);
            assert_eq!(answer["versions"], statement.versions, "TIDEMARK_SEED={seed}: {}", statement.sql);
        }
        pair.compare_history();
    }
}

struct Statement {
    sql: String,
    events: Vec<Value>,
    versions: usize,
}

/// A stretch of valid time; texts in RFC 3339, which sort as the instants do.
struct Portion {
    sql: String,
    from: Option<String>,
    to: Option<String>,
}

/// What a SET clause does. In `until_changed` mode no two versions may come to say the same: a change that no version
/// shows any more still ends what is put before it, and the two sides need not have the same of those.
#[derive(Clone, Copy)]
enum Assignment {
    Add(i64),
    Note(&'static str),
    Forget,
    Price(&'static str),
}

impl Assignment {
    fn sql(self) -> String {
        match self {
            Assignment::Add(more) => format!("amount = amount + {more}"),
            Assignment::Note(note) => format!("note = '{note}'"),
            Assignment::Forget => "amount = NULL, note = NULL".to_owned(),
            Assignment::Price(price) => format!("price = {price}"),
        }
    }

    fn apply(self, event: &mut Value) {
        match self {
            Assignment::Add(more) => {
                if let Some(amount) = event["amount"].as_i64() {
                    event["amount"] = json!(amount + more);
                }
            }
            Assignment::Note(note) => event["note"] = json!(note),
            Assignment::Forget => {
                event["amount"] = Value::Null;
                event["note"] = Value::Null;
            }
            Assignment::Price(price) => event["price"] = json!(price),
        }
    }
}

fn month(index: usize) -> String {
    format!("{}-{:02}-01T00:00:00Z", 2020 + index / 12, 1 + index % 12)
}

impl Statement {
    fn random(rng: &mut ChaCha8Rng, mode: Mode, step: usize, rows: &[Value]) -> Statement {
        match rng.random_range(0..10) {
            0..3 => Statement::insert(rng, mode, step),
            _ if step < 4 => Statement::insert(rng, mode, step),
            choice => Statement::change(rng, mode, step, rows, choice < 7),
        }
    }

    fn insert(rng: &mut ChaCha8Rng, mode: Mode, step: usize) -> Statement {
        let count = rng.random_range(1..=3);
        let (mut values, mut events) = (Vec::new(), Vec::new());
        for index in 0..count {
            let item = ITEMS[rng.random_range(0..ITEMS.len())];
            let start = rng.random_range(0..20_usize);
            let (from, end) = (month(start), month(start + rng.random_range(1..=8_usize)));
            let to = (mode == Mode::Interval && rng.random_bool(0.7)).then_some(end);
            // Above what all updates together can add.
            let unique = ((3 * step + index + 1) as i64) << 40;
            let amount = if mode == Mode::Interval { rng.random_range(0..3) } else { unique };
            let mut event = json!({"item": item, "amount": amount, "note": null, "op": "put", "begins": from});
            let quoted = item.replace('\'', "''");
            if mode == Mode::Interval {
                let shown = to.as_ref().map_or("NULL".to_owned(), |to| format!("'{to}'"));
                values.push(format!("('{quoted}', {amount}, '{from}', {shown})"));
                event["ends"] = json!(to);
            } else {
                values.push(format!("('{quoted}', {amount}, '{from}')"));
            }
            events.push(event);
        }
        let columns =
            if mode == Mode::Interval { "item, amount, valid_from, valid_to" } else { "item, amount, valid_from" };
        let sql = format!("INSERT INTO written ({columns}) VALUES {}", values.join(", "));
        Statement { sql, events, versions: count }
    }

    /// An update, or else a delete, of all or of a portion of what meets a condition.
    fn change(rng: &mut ChaCha8Rng, mode: Mode, step: usize, rows: &[Value], update: bool) -> Statement {
        let portion = rng.random_bool(0.7).then(|| Portion::random(rng));
        let item = rng.random_bool(0.6).then(|| ITEMS[rng.random_range(0..ITEMS.len())]);
        let add = Assignment::Add(1 << step);
        let assignment = match (mode, rng.random_range(0..5)) {
            (Mode::UntilChanged, _) | (_, 0 | 1) => add,
            (_, 2) => Assignment::Note("noted"),
            (_, 3) => Assignment::Forget,
            _ => Assignment::Price("12.50"),
        };
        let of_portion = portion.as_ref().map_or(String::new(), |portion| portion.sql.clone());
        let condition = item.map_or(String::new(), |item| format!(" WHERE item = '{}'", item.replace('\'', "''")));
        let sql = if update {
            format!("UPDATE written{of_portion} SET {}{condition}", assignment.sql())
        } else {
            format!("DELETE FROM written{of_portion}{condition}")
        };
        let assignment = update.then_some(assignment);
        let (mut events, mut versions) = (Vec::new(), 0);
        for row in rows.iter().filter(|row| item.is_none_or(|item| row["item"] == item)) {
            let changed = events_of(mode, row, portion.as_ref(), assignment);
            versions += usize::from(!changed.is_empty());
            events.extend(changed);
        }
        Statement { sql, events, versions }
    }
}

impl Portion {
    fn random(rng: &mut ChaCha8Rng) -> Portion {
        let (a, b) = (rng.random_range(0..30_usize), rng.random_range(0..30_usize));
        let bound = |index: usize, open: bool| (!open).then(|| month(index));
        let from = bound(a.min(b), rng.random_bool(0.15));
        let to = bound(a.max(b), rng.random_bool(0.15));
        let shown = |bound: &Option<String>| bound.as_ref().map_or("NULL".to_owned(), |bound| format!("'{bound}'"));
        let sql = format!(" FOR PORTION OF VALID_TIME FROM {} TO {}", shown(&from), shown(&to));
        Portion { sql, from, to }
    }
}

/// The events that change one version within the portion; none where they share no instant.
fn events_of(mode: Mode, row: &Value, portion: Option<&Portion>, assignment: Option<Assignment>) -> Vec<Value> {
    // Later than every text that is a time.
    const OPEN: &str = "~";
    let (starts, ends) = (row["valid_from"].as_str().expect("a start"), row["valid_to"].as_str().unwrap_or(OPEN));
    let lower = portion.and_then(|portion| portion.from.as_deref()).unwrap_or_default();
    let upper = portion.and_then(|portion| portion.to.as_deref()).unwrap_or(OPEN);
    let (from, to) = (starts.max(lower), ends.min(upper));
    // Equal bounds hold no instant, even inside a version.
    if from >= to {
        return Vec::new();
    }
    let put = |begins: &str| {
        json!({"item": row["item"], "amount": row["amount"], "price": row["price"], "note": row["note"],
            "op": "put", "begins": begins})
    };
    let mut event = put(from);
    match assignment {
        Some(assignment) => assignment.apply(&mut event),
        None => event = json!({"item": row["item"], "op": "delete", "begins": from}),
    }
    match mode {
        Mode::Interval => {
            event["ends"] = if to == OPEN { Value::Null } else { json!(to) };
            vec![event]
        }
        Mode::UntilChanged if to < ends => vec![event, put(to)],
        Mode::UntilChanged => vec![event],
    }
}
