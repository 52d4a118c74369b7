//! Questions of tiles that are put together without SQL: they run on the real binary, give what a plain loop over the facts
//! gives, and say why where they cannot be asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use app::dashboards::{
    Variable,
    builder::{
        Aggregate, Calculated, Comparison, Facts, Fields, FilterDefinition, Grain, Measure, Over, TileQuery, TimeAxis,
        Top, ValueTest, compile,
    },
};
use model::DatasetDefinition;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;

use crate::{quick, support::Server};

const FACTS: usize = 240;
const SAMPLE: usize = 250;
/// The range that is asked for, in days from 1 January 2025.
const RANGE: (i64, i64) = (40, 260);

/// A fact of the test.
#[derive(Debug, Clone)]
struct Fact {
    from: i64,
    to: i64,
    region: Option<&'static str>,
    units: Option<i64>,
    share: Option<f64>,
    open: bool,
}

fn definition() -> Value {
    json!({
        "columns": [
            {"name": "id", "type": "int64"}, {"name": "region", "type": "string"}, {"name": "units", "type": "int64"},
            {"name": "share", "type": "float64"}, {"name": "open", "type": "bool"}, {"name": "gross_x", "type": "decimal(12,2)"},
            {"name": "begins", "type": "date"}, {"name": "ends", "type": "date"}],
        "key": ["id"], "valid_from": "begins", "valid_to": "ends", "mode": "interval"
    })
}

fn fields() -> Fields {
    let definition: DatasetDefinition = serde_json::from_value(definition()).expect("a definition");
    Fields::of(&definition)
}

/// The day so many days after 1 January 2025.
fn date_of(day: i64) -> String {
    model::Instant(1_735_689_600_000_000 + day * 86_400_000_000).to_string().chars().take(10).collect()
}

fn facts(rng: &mut ChaCha8Rng) -> Vec<Fact> {
    let one = |_| {
        let from = rng.random_range(0..300);
        Fact {
            from,
            to: from + rng.random_range(1..60),
            region: [Some("North"), Some("South"), Some("it's \"East\""), None][rng.random_range(0..4)],
            units: [None, Some(0), Some(rng.random_range(-50..1_000)), Some(rng.random_range(1..9))]
                [rng.random_range(0..4)],
            share: [None, Some(0.0), Some(-0.0), Some(rng.random_range(-2.0..2.0))][rng.random_range(0..4)],
            open: rng.random_bool(0.5),
        }
    };
    (0..FACTS).map(one).collect()
}

fn server_with(facts: &[Fact]) -> Server {
    let server = quick::start();
    server.put_dataset("orders", &definition()).expect_status(201);
    let line = |(id, fact): (usize, &Fact)| {
        let gross = fact.units.map(|units| format!("{units}.25"));
        json!({"id": id, "region": fact.region, "units": fact.units, "share": fact.share, "open": fact.open,
            "gross_x": gross, "begins": date_of(fact.from), "ends": date_of(fact.to)})
        .to_string()
            + "\n"
    };
    let lines: String = facts.iter().enumerate().map(line).collect();
    server.post_events("orders", "committed", lines).expect_status(200);
    server
}

/// Asks a question over [`RANGE`].
fn ask(server: &Server, query: &TileQuery) -> Result<Vec<Value>, String> {
    let question = compile(query, &fields()).map_err(|problems| format!("{problems:?}"))?;
    let mut parameters = question.parameters.clone();
    for (name, day) in [("from", RANGE.0), ("to", RANGE.1)] {
        // A parameter that a statement does not have is refused.
        if app::dashboards::has_parameter(&question.sql, name) {
            parameters.insert(name.to_owned(), format!("{}T00:00:00Z", date_of(day)));
        }
    }
    if app::dashboards::has_parameter(&question.sql, "known") {
        parameters.insert("known".to_owned(), "2100-01-01T00:00:00Z".to_owned());
    }
    let reduce = serde_json::to_value(&question.reduce).expect("JSON");
    let body = json!({"sql": question.sql, "parameters": parameters, "reduce": reduce});
    let reply = server.post_sql(&body, "application/json");
    if reply.status != 200 {
        return Err(format!("{}: {}\n{}", reply.status, reply.text(), question.sql));
    }
    let rows = exact(&reply.text());
    let wanted: BTreeSet<&str> = question.columns.iter().map(|column| column.name.as_str()).collect();
    for row in rows.iter().take(1) {
        let found: BTreeSet<&str> = row.as_object().expect("a row").keys().map(String::as_str).collect();
        assert!(wanted.is_subset(&found), "{wanted:?} {found:?}: {}", question.sql);
    }
    Ok(rows)
}

/// The rows of an answer, numbers with a point or an exponent by their digits: read as numbers they could be the next ones.
fn exact(answer: &str) -> Vec<Value> {
    let rows: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(answer).expect("rows");
    let value = |raw: Box<RawValue>| match raw.get() {
        digits if !digits.starts_with(['"', '{', '[', 't', 'f', 'n']) && digits.contains(['.', 'e', 'E']) => {
            Value::String(digits.to_owned())
        }
        other => serde_json::from_str(other).expect("a value"),
    };
    let row = |row: BTreeMap<String, Box<RawValue>>| row.into_iter().map(|(name, raw)| (name, value(raw))).collect();
    rows.into_iter().map(|of| Value::Object(row(of))).collect()
}

/// A number of an answer, whatever it is written as; null is none.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.parse().unwrap_or_else(|_| panic!("no number: {text}"))),
        value => Some(value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))),
    }
}

fn aggregated(aggregate: Aggregate, facts: &[&Fact]) -> Option<f64> {
    let mut ordered: Vec<&&Fact> = facts.iter().collect();
    // Stable: of facts that begin together the one with the lesser key comes first.
    ordered.sort_by_key(|fact| fact.from);
    let mut values: Vec<i64> = facts.iter().filter_map(|fact| fact.units).collect();
    values.sort_unstable();
    let count = values.len();
    let float = |value: i64| value as f64;
    match aggregate {
        Aggregate::Count => Some(count as f64),
        Aggregate::CountDistinct => Some(values.iter().collect::<BTreeSet<_>>().len() as f64),
        Aggregate::First => ordered.first()?.units.map(float),
        Aggregate::Last => ordered.last()?.units.map(float),
        _ if count == 0 => None,
        Aggregate::Sum => Some(values.iter().sum::<i64>() as f64),
        Aggregate::Avg => Some(values.iter().sum::<i64>() as f64 / count as f64),
        Aggregate::Min => values.first().copied().map(float),
        Aggregate::Max => values.last().copied().map(float),
        Aggregate::Median if count % 2 == 1 => Some(values[count / 2] as f64),
        Aggregate::Median => Some((values[count / 2 - 1] + values[count / 2]) as f64 / 2.0),
    }
}

fn month_of(day: i64) -> String {
    format!("{}-01", &date_of(day)[..7])
}

/// Facts by month (empty without) and region, as a plain loop puts them together.
fn grouped<'a>(
    facts: &'a [Fact],
    over: Option<TimeAxis>,
    kind: Facts,
    by_region: bool,
) -> BTreeMap<(String, Option<&'static str>), Vec<&'a Fact>> {
    let mut groups: BTreeMap<_, Vec<&Fact>> = BTreeMap::new();
    let mut add = |month: String, fact: &'a Fact| {
        groups.entry((month, fact.region.filter(|_| by_region))).or_default().push(fact);
    };
    let begins = |fact: &&Fact| (RANGE.0..RANGE.1).contains(&fact.from);
    match (over, kind) {
        (Some(TimeAxis::AsOf), _) => {
            for day in (RANGE.0..RANGE.1).filter(|day| date_of(*day).ends_with("-01")) {
                facts.iter().filter(|fact| fact.from <= day && day < fact.to).for_each(|fact| add(month_of(day), fact));
            }
        }
        (Some(_), _) => facts.iter().filter(begins).for_each(|fact| add(month_of(fact.from), fact)),
        (None, Facts::Beginning) => facts.iter().filter(begins).for_each(|fact| add(String::new(), fact)),
        (None, Facts::HoldingAtEnd) => {
            let holds = |fact: &&Fact| fact.from < RANGE.1 && RANGE.1 <= fact.to;
            facts.iter().filter(holds).for_each(|fact| add(String::new(), fact));
        }
    }
    groups
}

#[test]
fn measures_are_what_a_plain_loop_makes_of_the_facts() {
    let seed = 6_001;
    let facts = facts(&mut ChaCha8Rng::seed_from_u64(seed));
    let server = server_with(&facts);
    for aggregate in Aggregate::ALL {
        for (over, kind) in [
            (None, Facts::HoldingAtEnd),
            (None, Facts::Beginning),
            (Some(TimeAxis::EffectiveStart), Facts::HoldingAtEnd),
            (Some(TimeAxis::AsOf), Facts::HoldingAtEnd),
        ] {
            for by_region in [false, true] {
                let query = TileQuery {
                    dataset: "orders".to_owned(),
                    facts: kind,
                    measures: vec![Measure::of("units", aggregate)],
                    over: over.map(|time| Over { time, grain: Grain::Month }),
                    by: if by_region { vec!["region".to_owned()] } else { Vec::new() },
                    ..TileQuery::default()
                };
                let rows = ask(&server, &query).unwrap_or_else(|reason| panic!("seed {seed}: {reason}"));
                let name = format!("units_{}", aggregate.words().0.replace('-', "_"));
                let found: BTreeMap<(String, Option<String>), Option<f64>> = rows
                    .iter()
                    .map(|row| {
                        let month = if over.is_some() {
                            row["at"].as_str().expect("a time")[..10].to_owned()
                        } else {
                            String::new()
                        };
                        ((month, row["region"].as_str().map(str::to_owned)), number(&row[&name]))
                    })
                    .collect();
                let groups = grouped(&facts, over, kind, by_region);
                let wanted: BTreeMap<(String, Option<String>), Option<f64>> = groups
                    .iter()
                    .map(|((month, region), group)| {
                        ((month.clone(), region.map(str::to_owned)), aggregated(aggregate, group))
                    })
                    .collect();
                assert_eq!(found.len(), wanted.len(), "seed {seed}: {query:?}\n{found:?}\n{wanted:?}");
                for (group, wanted) in wanted {
                    let found = found[&group];
                    let near = match (found, wanted) {
                        (Some(found), Some(wanted)) => (found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
                        (found, wanted) => found == wanted,
                    };
                    assert!(near, "seed {seed}: {query:?} at {group:?}: found {found:?}, wanted {wanted:?}");
                }
            }
        }
    }
}

#[test]
fn formulas_give_nothing_rather_than_an_error() {
    let facts = facts(&mut ChaCha8Rng::seed_from_u64(6_002));
    let server = server_with(&facts);
    let values = |formula: &str| {
        let calculated = vec![Calculated { name: "x".to_owned(), formula: formula.to_owned() }];
        let by = ["id", "x"].map(str::to_owned).to_vec();
        let query =
            TileQuery { dataset: "orders".to_owned(), facts: Facts::Beginning, calculated, by, ..TileQuery::default() };
        let rows = ask(&server, &query).unwrap_or_else(|reason| panic!("{formula}: {reason}"));
        rows.into_iter()
            .map(|row| (row["id"].as_u64().expect("a key") as usize, row["x"].clone()))
            .collect::<BTreeMap<_, _>>()
    };
    for (id, value) in values("units ÷ share") {
        let share = facts[id].share.filter(|share| *share != 0.0);
        let wanted = facts[id].units.zip(share).map(|(units, share)| units as f64 / share);
        assert_eq!(number(&value), wanted, "{:?}", facts[id]);
    }
    assert!(values("1 / 0").values().all(Value::is_null));
    assert!(values("units / (share - share)").values().all(Value::is_null));
    for (id, value) in values("if(units > 5 and open, 'large', coalesce(region, 'none'))") {
        let large = facts[id].units.is_some_and(|units| units > 5) && facts[id].open;
        assert_eq!(value, if large { "large" } else { facts[id].region.unwrap_or("none") });
    }
    // Would wrap around as an integer.
    for (id, value) in values("units * 9000000000000000000 − 1") {
        let wanted = facts[id].units.map(|units| (i128::from(units) * 9_000_000_000_000_000_000 - 1).to_string());
        let written = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(Some(&value).filter(|value| !value.is_null()).map(written), wanted);
    }
    for formula in [
        "round(share, 1) + floor(share) * ceil(share)",
        "abs(−units) + [gross_x] * 2",
        "least(units, 3) + greatest(1, units, 2)",
        "length(upper(lower(region)))",
        "year(valid_from) * 100 + month(valid_from) + day(valid_from)",
        "case(units > 100, 1, units > 10, 2.5)",
        "not open or valid_from ≥ '2025-03-01'",
        "null",
        "coalesce(null, units)",
        "null + 1",
        "share = 0 or units <> 3",
        "if(valid_to > valid_from, region, null)",
        "-(-share)",
        "case(open, share, units)",
    ] {
        values(formula);
    }
    let ratio = TileQuery {
        dataset: "orders".to_owned(),
        facts: Facts::Beginning,
        calculated: vec![Calculated { name: "ratio".to_owned(), formula: "sum(units) / count()".to_owned() }],
        measures: vec![Measure {
            measure: None,
            field: Some("ratio".to_owned()),
            aggregate: None,
            title: String::new(),
        }],
        ..TileQuery::default()
    };
    let begin: Vec<&Fact> = facts.iter().filter(|fact| (RANGE.0..RANGE.1).contains(&fact.from)).collect();
    let wanted = begin.iter().filter_map(|fact| fact.units).sum::<i64>() as f64 / begin.len() as f64;
    assert_eq!(number(&ask(&server, &ratio).expect("an answer")[0]["ratio"]), Some(wanted));
}

#[test]
fn filters_are_typed_and_say_what_a_plain_loop_says() {
    let facts = facts(&mut ChaCha8Rng::seed_from_u64(6_003));
    let server = server_with(&facts);
    let text = |text: &str| Some(text.to_owned());
    type Passes = Box<dyn Fn(&Fact) -> bool>;
    let cases: Vec<(&str, ValueTest, Passes)> = vec![
        (
            "region",
            ValueTest::OneOf(vec![text("it's \"East\""), None]),
            Box::new(|fact| fact.region.is_none_or(|region| region.contains("East"))),
        ),
        ("region", ValueTest::NoneOf(vec![text("North")]), Box::new(|fact| fact.region != Some("North"))),
        (
            "region",
            ValueTest::NoneOf(vec![text("North"), None]),
            Box::new(|fact| fact.region.is_some_and(|region| region != "North")),
        ),
        ("region", ValueTest::Containing("OUT".to_owned()), Box::new(|fact| fact.region == Some("South"))),
        ("units", ValueTest::AtLeast("12.5".to_owned()), Box::new(|fact| fact.units.is_some_and(|units| units > 12))),
        ("units", ValueTest::LessThan("-3".to_owned()), Box::new(|fact| fact.units.is_some_and(|units| units < -3))),
        ("share", ValueTest::AtLeast("0.5".to_owned()), Box::new(|fact| fact.share.is_some_and(|share| share >= 0.5))),
        ("open", ValueTest::OneOf(vec![text("true")]), Box::new(|fact| fact.open)),
        ("units", ValueTest::Missing(true), Box::new(|fact| fact.units.is_none())),
        ("valid_from", ValueTest::LessThan("2025-04-01".to_owned()), Box::new(|fact| fact.from < 90)),
        ("gross_x", ValueTest::AtLeast("7.25".to_owned()), Box::new(|fact| fact.units.is_some_and(|units| units >= 7))),
    ];
    for (field, is, passes) in cases {
        let filter = FilterDefinition { field: field.to_owned(), is };
        let query = TileQuery {
            dataset: "orders".to_owned(),
            facts: Facts::Beginning,
            measures: vec![Measure::count()],
            filters: vec![filter],
            ..TileQuery::default()
        };
        let rows = ask(&server, &query).unwrap_or_else(|reason| panic!("{query:?}: {reason}"));
        let begin = facts.iter().filter(|fact| (RANGE.0..RANGE.1).contains(&fact.from));
        let wanted = begin.filter(|fact| passes(fact)).count();
        assert_eq!(rows[0]["facts"], json!(wanted), "{query:?}");
    }
}

#[test]
fn the_greatest_and_all_others_add_up_to_the_whole() {
    let facts = facts(&mut ChaCha8Rng::seed_from_u64(6_004));
    let server = server_with(&facts);
    let query = |top: Option<Top>| TileQuery {
        dataset: "orders".to_owned(),
        facts: Facts::Beginning,
        measures: vec![Measure::count(), Measure::of("units", Aggregate::Sum)],
        by: vec!["id".to_owned()],
        top,
        ..TileQuery::default()
    };
    let sum = |rows: &[Value], name: &str| rows.iter().filter_map(|row| number(&row[name])).sum::<f64>();
    let all = ask(&server, &query(None)).expect("an answer");
    let top = ask(&server, &query(Some(Top { n: 5, others: true }))).expect("an answer");
    assert_eq!(top.len(), 6);
    assert_eq!(sum(&top, "facts"), sum(&all, "facts"));
    assert_eq!(sum(&top, "units_sum"), sum(&all, "units_sum"));
    assert_eq!(ask(&server, &query(Some(Top { n: 5, others: false }))).expect("an answer").len(), 5);
}

/// Whatever can be put together in the editor; most of it makes sense.
fn random_query(rng: &mut ChaCha8Rng) -> TileQuery {
    let names = ["region", "units", "share", "open", "gross_x", "calc", "id", "valid_from"];
    let formulas = [
        "units / share",
        "if(open, units, 0)",
        "upper(region)",
        "units + share * 2",
        "share > 0",
        "round([gross_x], 1)",
        "sum(units) / count()",
    ];
    let axes = [None, Some(TimeAxis::EffectiveStart), Some(TimeAxis::AsOf), Some(TimeAxis::Known)];
    let mut pick = |count: usize| rng.random_range(0..count);
    let measure = |field: usize, aggregate: usize| match field {
        0 => Measure::count(),
        field => Measure::of(names[field - 1], Aggregate::ALL[aggregate]),
    };
    let test = |kind: usize| match kind {
        0 => ValueTest::OneOf(vec![Some("5".to_owned()), None]),
        1 => ValueTest::NoneOf(vec![Some("North".to_owned())]),
        2 => ValueTest::AtLeast("2025-02-01".to_owned()),
        3 => ValueTest::LessThan("17".to_owned()),
        4 => ValueTest::Containing("o".to_owned()),
        _ => ValueTest::Missing(false),
    };
    let measures = (0..pick(3)).map(|_| measure(pick(8), pick(9))).collect();
    let by = (0..pick(3)).map(|_| names[pick(8)].to_owned()).collect();
    let filters =
        (0..pick(3)).map(|_| FilterDefinition { field: names[pick(8)].to_owned(), is: test(pick(6)) }).collect();
    let over = axes[pick(4)].map(|time| Over { time, grain: Grain::ALL[pick(5)] });
    TileQuery {
        dataset: "orders".to_owned(),
        facts: if pick(2) == 0 { Facts::Beginning } else { Facts::HoldingAtEnd },
        calculated: vec![Calculated { name: "calc".to_owned(), formula: formulas[pick(7)].to_owned() }],
        measures,
        over,
        by,
        filters,
        top: (pick(3) == 0).then(|| Top { n: 2, others: pick(2) == 0 }),
        down: None,
        distribution: None,
    }
}

#[test]
fn every_question_that_can_be_asked_is_answered() {
    let seed = 6_005;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let server = server_with(&facts(&mut rng));
    let mut asked = 0;
    for _ in 0..4_000 {
        let query = random_query(&mut rng);
        if compile(&query, &fields()).is_err() {
            continue;
        }
        asked += 1;
        if let Err(reason) = ask(&server, &query) {
            panic!("seed {seed}: {}\n{reason}", serde_json::to_string_pretty(&query).unwrap_or_default());
        }
        if asked == SAMPLE {
            return;
        }
    }
    panic!("only {asked} of the questions could be asked");
}

#[test]
fn what_is_chosen_of_a_variable_narrows_a_question_whatever_its_type() {
    let server = quick::start();
    let definition = json!({
        "columns": [
            {"name": "id", "type": "int64"}, {"name": "region", "type": "string"}, {"name": "units", "type": "int64"},
            {"name": "share", "type": "float64"}, {"name": "open", "type": "bool"}, {"name": "due", "type": "date"},
            {"name": "begins", "type": "date"}, {"name": "ends", "type": "date"}],
        "key": ["id"], "valid_from": "begins", "valid_to": "ends", "mode": "interval"
    });
    server.put_dataset("orders", &definition).expect_status(201);
    let event = |id: u32, region: &str, units: u32, share: f64, due: &str| {
        json!({"id": id, "region": region, "units": units, "share": share, "due": due, "open": id == 1,
            "begins": "2026-01-01", "ends": null})
    };
    let mut nowhere = event(3, "", 0, 0.0, "2020-01-01");
    nowhere["region"] = Value::Null;
    let events = [event(1, "North", 5, 0.5, "2026-02-01"), event(2, "South", 7, 0.25, "2026-03-01"), nowhere];
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    server.post_events("orders", "committed", lines.join("\n")).expect_status(200);
    let variables = json!([
        {"name": "region", "kind": {"choice": {"options": ["North", "South"]}}, "multiple": true},
        {"name": "one", "kind": {"query": {"sql": "SELECT DISTINCT units FROM orders ORDER BY 1"}}},
        {"name": "some", "kind": {"query": {"sql": "SELECT DISTINCT units FROM orders ORDER BY 1"}}, "multiple": true},
        {"name": "least", "kind": {"number": {}}}, {"name": "day", "kind": "time"}, {"name": "word", "kind": "text"}]);
    let variables: Vec<Variable> = serde_json::from_value(variables).expect("variables");
    let definition: DatasetDefinition = serde_json::from_value(definition).expect("a definition");
    let fields = Fields::of(&definition).chosen_by(&variables);
    let found = |field: &str, name: &str, how: Comparison, value: Value| -> Vec<i64> {
        let is = ValueTest::Variable { name: name.to_owned(), how };
        let filters = vec![FilterDefinition { field: field.to_owned(), is }];
        let (by, facts) = (vec!["id".to_owned()], Facts::Beginning);
        let query = TileQuery { dataset: "orders".to_owned(), filters, by, facts, ..TileQuery::default() };
        let question = compile(&query, &fields).unwrap_or_else(|problems| panic!("{problems:?}"));
        let parameters = json!({"from": "2025-01-01", "to": "2027-01-01", name: value});
        let body = json!({"sql": question.sql, "parameters": parameters}).to_string();
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        let rows = server.call("POST", "/api/v1/sql", &headers, body).expect_status(200).json();
        let ids = rows.as_array().expect("rows").iter().map(|row| row["id"].as_i64().expect("an id"));
        let mut ids: Vec<i64> = ids.collect();
        ids.sort_unstable();
        ids
    };
    use Comparison::{AtLeast, Containing, Is, LessThan};
    assert_eq!(found("region", "region", Is, json!(["North", "South"])), [1, 2]);
    assert_eq!(found("region", "region", Is, json!(["South"])), [2]);
    assert_eq!(found("region", "word", Containing, json!("NOR")), [1]);
    assert_eq!(found("region", "word", Containing, json!("")), [1, 2, 3]);
    // Values of a query are texts, whatever they are values of.
    assert_eq!(found("units", "one", Is, json!("7")), [2]);
    assert_eq!(found("units", "some", Is, json!(["5", "7"])), [1, 2]);
    assert_eq!(found("share", "some", Is, json!(["0.5"])), [1]);
    assert_eq!(found("open", "some", Is, json!(["true"])), [1]);
    assert_eq!(found("due", "some", Is, json!(["2026-03-01"])), [2]);
    assert_eq!(found("units", "least", AtLeast, json!(5.5)), [2]);
    assert_eq!(found("share", "least", LessThan, json!(0.5)), [2, 3]);
    assert_eq!(found("due", "day", AtLeast, json!("2026-02-02T00:00:00Z")), [2]);
    assert_eq!(found("due", "day", Is, json!("2026-02-01T00:00:00Z")), [1]);
}

#[test]
fn pages_get_statements_and_pictures_are_drawn_of_questions() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let tile =
        |id: &str, query: Value, picture: Value| json!({"id": id, "title": id, "query": query, "picture": picture});
    let sum = json!({"dataset": "orders", "measures": [{"field": "units", "aggregate": "sum"}], "by": ["region"],
        "filters": [{"field": "open", "is": {"one-of": ["true"]}}]});
    let bars =
        json!({"chart": {"title": "Units", "mark": "bar", "x": {"column": "region"}, "y": [{"column": "units_sum"}]}});
    let mut gone = sum.clone();
    gone["dataset"] = json!("former");
    let mut dropped = sum.clone();
    dropped["by"] = json!(["regoin"]);
    let dashboard = json!({"name": "desk", "title": "Desk", "tiles": [
        tile("units", sum, bars.clone()), tile("gone", gone, bars.clone()), tile("dropped", dropped, bars)]});
    fs::write(folder.path().join("desk.json"), dashboard.to_string()).expect("the definition can be written");
    let settings = format!("dashboards = {:?}\n", folder.path());
    let server = quick::start_with(Arc::new(TempDir::new().expect("a temporary folder can be made")), &settings);
    server.put_dataset("orders", &definition()).expect_status(201);
    let event =
        json!({"id": 1, "region": "North & South", "units": 12, "open": true, "begins": "2026-01-01", "ends": null});
    server.post_events("orders", "committed", event.to_string()).expect_status(200);

    let page = server.get("/api/v1/dashboards/desk/page").expect_status(200).json();
    let tile = |place: usize| &page["definition"]["tiles"][place];
    assert!(tile(0)["sql"].as_str().expect("a statement").starts_with("SELECT f.\"region\""), "{page}");
    assert_eq!(tile(0)["query"], Value::Null);
    assert!(tile(1)["problem"].as_str().expect("a reason").contains("no dataset 'former'"), "{page}");
    assert!(tile(2)["problem"].as_str().expect("a reason").contains("did you mean 'region'"), "{page}");
    let written = server.get("/api/v1/dashboards/desk").expect_status(200).json();
    assert_eq!(written["tiles"][0]["query"]["dataset"], "orders");
    server.get("/api/v1/dashboards/elsewhere/page").expect_status(404);

    let picture =
        |tile: &str| server.get(&format!("/api/v1/dashboards/desk/tiles/{tile}.svg?from=2026-01-01&to=2026-03-01"));
    let drawn = picture("units").expect_status(200).text();
    assert!(drawn.contains("North &amp; South"), "{drawn}");
    assert!(picture("gone").expect_status(400).text().contains("no dataset 'former'"));
}
