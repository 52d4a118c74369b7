use model::DatasetDefinition;
use proptest::prelude::*;

use super::*;
use crate::{
    charts::ValueFormat,
    dashboards::{PictureDefinition, Variable, semantics::Semantics},
    queries::client::{Others, Reduction},
};

fn fields() -> Fields {
    let definition: DatasetDefinition = serde_json::from_str(
        r#"{"columns": [
            {"name": "region", "type": "string"}, {"name": "product \"x\"", "type": "string"},
            {"name": "amount", "type": "decimal(18,2)"}, {"name": "units", "type": "int64"},
            {"name": "share", "type": "float64"}, {"name": "open", "type": "bool"}, {"name": "due", "type": "date"},
            {"name": "from", "type": "date"}],
            "key": ["region", "product \"x\""], "valid_from": "from", "mode": "until_changed"}"#,
    )
    .unwrap();
    Fields::of(&definition)
}

fn fields_meaning(semantics: &str) -> Fields {
    let semantics: Semantics = serde_json::from_str(semantics).unwrap();
    fields().meaning(semantics.into())
}

fn query(json: &str) -> TileQuery {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn asked(json: &str) -> Question {
    compile(&query(json), &fields()).unwrap_or_else(|problems| panic!("{json}: {problems:?}"))
}

fn refused(json: &str) -> Vec<(String, String)> {
    let problems = compile(&query(json), &fields()).unwrap_err();
    problems.iter().map(|problem| (problem.pointer.clone(), problem.to_string())).collect()
}

#[test]
fn a_measure_by_a_category_reads_what_holds_at_the_end() {
    let question =
        asked(r#"{"dataset": "sales", "measures": [{"field": "amount", "aggregate": "sum"}], "by": ["region"]}"#);
    assert_eq!(
        question.sql,
        "SELECT f.\"region\" AS \"region\", sum(f.\"amount\") AS \"amount_sum\" FROM \"sales\" FOR VALID_TIME AS OF \
         CAST($to AS TIMESTAMP) - INTERVAL '1 microsecond' AS f GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1"
    );
    assert_eq!(question.columns[1].title, "Sum of amount");
}

#[test]
fn along_a_time_each_fact_counts_where_it_begins_or_where_it_holds() {
    let begin = asked(
        r#"{"dataset": "sales", "measures": [{"aggregate": "count"}], "over": {"time": "effective-start", "grain": "month"}}"#,
    );
    assert_eq!(
        begin.sql,
        "SELECT date_trunc('month', f.\"valid_from\") AS \"at\", count(f.\"valid_from\") AS \"facts\" FROM \"sales\" AS f \
         WHERE f.\"valid_from\" >= $from AND f.\"valid_from\" < $to GROUP BY 1 ORDER BY 1"
    );
    let hold = asked(
        r#"{"dataset": "sales", "measures": [{"aggregate": "count"}], "over": {"time": "as-of", "grain": "quarter"},
            "filters": [{"field": "region", "is": {"one-of": ["EU"]}}]}"#,
    );
    assert!(hold.sql.contains("INTERVAL '3 months') AS i LEFT JOIN \"sales\" AS f ON f.VALID_TIME CONTAINS i.instant"));
    assert!(hold.sql.contains("AND f.\"region\" IN ($q1) WHERE i.instant >= $from"), "{}", hold.sql);
    assert_eq!(hold.parameters["q1"], "EU");
    let known = asked(
        r#"{"dataset": "sales", "measures": [{"aggregate": "count"}], "over": {"time": "known", "grain": "day"}}"#,
    );
    assert!(known.sql.contains("date_trunc('day', f.\"system_from\")") && known.sql.contains("FOR SYSTEM_TIME ALL"));
    assert!(known.sql.contains("f.\"system_from\" <= $known"), "{}", known.sql);
}

#[test]
fn a_defined_measure_is_asked_for_by_its_name() {
    let asks = r#"{"dataset": "sales", "measures": [{"measure": "margin"}], "by": ["region"], "top": {"n": 3, "others": true}}"#;
    let known = fields_meaning(
        r#"{"dataset": "sales", "measures": [{"name": "margin", "title": "Margin", "formula": "sum(amount) / sum(units)",
            "unit": "EUR", "format": {"fixed": 3}}]}"#,
    );
    // Without the definition the name is taken as it is.
    let question = asked(asks);
    assert!(question.sql.starts_with("SELECT f.\"region\" AS \"region\", MEASURE(f.\"margin\") AS \"margin\" FROM"));
    let places = |json: &str, fields: &Fields| {
        let problems = compile(&query(json), fields).unwrap_err();
        problems.into_iter().map(|problem| problem.pointer).collect::<Vec<_>>()
    };
    assert_eq!(places(asks, &known), ["/top/others"], "shares of it do not add up");
    let alone = r#"{"dataset": "sales", "measures": [{"measure": "margin"}], "by": ["region"]}"#;
    let question = compile(&query(alone), &known).unwrap();
    let column = &question.columns[1];
    assert_eq!(
        (column.title.as_str(), column.unit.as_str(), column.format),
        ("Margin", "EUR", Some(ValueFormat::Fixed(3)))
    );
    let PictureDefinition::Chart(chart) = pictures("", &question.columns).remove(0) else { panic!("no chart") };
    assert_eq!((chart.y[0].unit.as_str(), chart.y[0].format), ("EUR", ValueFormat::Fixed(3)));
    assert_eq!(places(&alone.replace("margin", "margn"), &known), ["/measures/0/measure"]);
    let both = r#"{"dataset": "sales", "measures": [{"measure": "margin", "aggregate": "sum"}]}"#;
    assert_eq!(places(both, &known), ["/measures/0/measure"]);
    // A step at which nothing holds is no fact to a formula such as count(*).
    let steps = asked(
        r#"{"dataset": "sales", "measures": [{"measure": "margin"}], "over": {"time": "as-of", "grain": "month"}}"#,
    );
    assert!(steps.sql.contains(" AS i JOIN \"sales\" AS f"), "{}", steps.sql);
}

#[test]
fn names_are_quoted_and_values_bound() {
    let question = asked(
        r#"{"dataset": "sales", "measures": [{"field": "due", "aggregate": "last"}], "by": ["product \"x\""],
            "filters": [{"field": "product \"x\"", "is": {"containing": "' OR 1=1 --"}},
                        {"field": "amount", "is": {"at-least": "12.50"}}, {"field": "due", "is": {"less-than": "2026-01-01"}},
                        {"field": "region", "is": {"none-of": [null, "EU"]}}, {"field": "open", "is": {"one-of": []}}]}"#,
    );
    assert!(!question.sql.contains("OR 1=1"), "{}", question.sql);
    assert!(question.sql.contains("f.\"product \"\"x\"\"\""));
    assert!(question.sql.contains("f.\"amount\" >= CAST($q2 AS DECIMAL(4, 2)) AND f.\"due\" < CAST($q3 AS DATE)"));
    assert!(question.sql.contains("(f.\"region\" NOT IN ($q4) AND f.\"region\" IS NOT NULL)"));
    assert!(question.sql.contains("last_value(f.\"due\" ORDER BY f.\"valid_from\", f.\"region\""));
    assert_eq!(question.parameters["q1"], "' OR 1=1 --");
}

#[test]
fn calculated_fields_stand_wherever_fields_do() {
    let question = asked(
        r#"{"dataset": "sales", "calculated": [{"name": "per unit", "formula": "amount / units"},
              {"name": "size", "formula": "if([per unit] >= 10, 'large', 'small')"},
              {"name": "mean", "formula": "sum(amount) / sum(units)"}],
            "measures": [{"field": "per unit", "aggregate": "avg"}, {"field": "mean"}], "by": ["size"]}"#,
    );
    let per_unit = "(CAST(f.\"amount\" AS DOUBLE) / NULLIF(CAST(f.\"units\" AS DOUBLE) + 0.0, 0.0))";
    assert!(
        question.sql.contains(&format!("(CASE WHEN ({per_unit} >= CAST($q1 AS DECIMAL(2, 0))) THEN $q2 ELSE $q3 END)"))
    );
    assert!(question.sql.contains("avg(CAST("), "{}", question.sql);
    assert!(question.sql.contains("sum(CAST(f.\"units\" AS DECIMAL(20, 0)))"), "{}", question.sql);
    assert_eq!(question.parameters.len(), 3);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let formula = |formula: &str| {
        let json = serde_json::json!({"dataset": "sales", "calculated": [{"name": "x", "formula": formula}],
            "measures": [{"aggregate": "count"}]});
        let (pointer, reason) = refused(&json.to_string()).remove(0);
        assert_eq!(pointer, "/calculated/0/formula");
        reason
    };
    assert_eq!(formula("amount + region"), "+ takes numbers, and this is a text, at character 10");
    assert_eq!(formula("amuont * 2"), "'sales' has no field 'amuont'; did you mean 'amount'?, at character 1");
    assert_eq!(formula("roud(amount)"), "there is no function roud; did you mean round?, at character 1");
    assert_eq!(
        formula("if(amount, 1, 2)"),
        "if before a value takes a condition, and this is a number, at character 4"
    );
    assert!(formula("if(open, 1, 'a')").contains("only values of one type can be given by if"));
    assert!(formula("sum(amount) + amount").contains("of many facts"));
    assert!(formula("sum(sum(amount))").contains("already"));
    assert!(formula("due > 'tomorrow'").contains("is no day"));
    assert!(formula("x + 1").contains("refers to itself: x → x"));
    assert!(formula("abs()").contains("cannot be given 0"));
    let by = refused(r#"{"dataset": "sales", "measures": [{"field": "regin", "aggregate": "sum"}], "by": ["gone"]}"#);
    assert_eq!(by.iter().map(|problem| &problem.0[..]).collect::<Vec<_>>(), ["/by/0", "/measures/0/field"]);
    let sum = refused(r#"{"dataset": "sales", "measures": [{"field": "region", "aggregate": "sum"}]}"#);
    assert_eq!(sum[0].0, "/measures/0/aggregate");
    let top = r#"{"dataset": "sales", "measures": [{"field": "amount", "aggregate": "avg"}], "by": ["region"], "top": {"n": 3, "others": true}}"#;
    assert_eq!(refused(top)[0].0, "/top/others");
}

#[test]
fn a_circle_of_calculated_fields_is_refused_with_its_way() {
    let problems = refused(
        r#"{"dataset": "sales", "calculated": [{"name": "a", "formula": "b + 1"}, {"name": "b", "formula": "c * 2"},
              {"name": "c", "formula": "a - 1"}], "measures": [{"field": "a", "aggregate": "sum"}]}"#,
    );
    assert!(problems[0].1.contains("a → b → c → a"), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.0 == "/measures/0/field"));
}

#[test]
fn fields_that_grow_without_end_are_refused() {
    let calculated: Vec<_> = (0..50)
        .map(|index| {
            let before = if index == 0 { "amount".to_owned() } else { format!("f{}", index - 1) };
            serde_json::json!({"name": format!("f{index}"), "formula": format!("{before} + {before}")})
        })
        .collect();
    let json = serde_json::json!({"dataset": "sales", "calculated": calculated, "measures": [{"aggregate": "count"}]});
    assert!(refused(&json.to_string())[0].1.contains("too long"));
}

#[test]
fn what_is_long_or_deep_is_refused_before_it_costs_anything() {
    let many = vec!["\"region\""; 41].join(", ");
    let refusals =
        refused(&format!(r#"{{"dataset": "sales", "measures": [{{"aggregate": "count"}}], "by": [{many}]}}"#));
    assert_eq!(refusals, [("/by".to_owned(), "at most 40 can be there".to_owned())]);
    let twice = refused(r#"{"dataset": "sales", "measures": [{"aggregate": "count"}], "by": ["region", "region"]}"#);
    assert!(twice[0].1.contains("'region' is there twice"), "{twice:?}");
    // Each a chain, and each in the deepest place of the next.
    let chain = "+1".repeat(150);
    let calculated = (0..20).map(|step| {
        let before = if step == 0 { "units".to_owned() } else { format!("c{}", step - 1) };
        format!(r#"{{"name": "c{step}", "formula": "{before}{chain}"}}"#)
    });
    let calculated = calculated.collect::<Vec<_>>().join(", ");
    let deep = refused(&format!(
        r#"{{"dataset": "sales", "calculated": [{calculated}], "measures": [{{"field": "c19", "aggregate": "sum"}}]}}"#
    ));
    assert!(deep.iter().any(|(_, reason)| reason.contains("too many parts lie inside each other")), "{deep:?}");
}

#[test]
fn what_only_looks_at_a_field_sends_nothing_of_it() {
    let question = asked(
        r#"{"dataset": "sales", "calculated": [{"name": "size", "formula": "if(units >= 10, 'large', 'small')"}],
            "measures": [{"aggregate": "count"}], "filters": [{"field": "size", "is": {"one-of": []}}]}"#,
    );
    assert!(question.parameters.is_empty(), "{question:?}");
}

#[test]
fn a_step_at_which_nothing_holds_is_no_fact_to_a_formula() {
    let steps = asked(
        r#"{"dataset": "sales", "calculated": [{"name": "some", "formula": "coalesce(share, 0)"}],
            "measures": [{"field": "some", "aggregate": "count"}], "over": {"time": "as-of", "grain": "month"}}"#,
    );
    assert!(steps.sql.contains(" AS i JOIN \"sales\" AS f"), "{}", steps.sql);
}

#[test]
fn a_product_of_products_has_room_for_its_digits() {
    let product = asked(
        r#"{"dataset": "sales", "calculated": [{"name": "p", "formula": "amount * amount"}, {"name": "q", "formula": "p * amount"}],
            "measures": [{"field": "q", "aggregate": "sum"}], "by": ["region"]}"#,
    );
    assert!(product.sql.contains("CAST((f.\"amount\" * f.\"amount\") AS DOUBLE)"), "{}", product.sql);
}

#[test]
fn the_greatest_come_from_the_server() {
    let question = asked(
        r#"{"dataset": "sales", "measures": [{"field": "amount", "aggregate": "sum"}], "by": ["region"],
            "over": {"time": "effective-start", "grain": "year"}, "top": {"n": 5, "others": true}}"#,
    );
    let top = Reduction::Top { by: "region".into(), of: vec!["amount_sum".into()], n: 5, others: Others::Sum };
    assert_eq!(question.reduce, [top]);
}

#[test]
fn the_shape_of_an_answer_suggests_its_picture() {
    let kinds = |json: &str| {
        let columns = asked(json).columns;
        pictures("Sales", &columns).iter().map(PictureKind::of).collect::<Vec<_>>()
    };
    let sum = r#""dataset": "sales", "measures": [{"field": "amount", "aggregate": "sum"}]"#;
    let month = r#""over": {"time": "effective-start", "grain": "month"}"#;
    assert_eq!(kinds(&format!("{{{sum}}}"))[0], PictureKind::Figure);
    assert_eq!(kinds(&format!("{{{sum}, {month}}}"))[0], PictureKind::Line);
    assert_eq!(kinds(&format!(r#"{{{sum}, {month}, "by": ["region"]}}"#))[0], PictureKind::Line);
    assert_eq!(kinds(&format!(r#"{{{sum}, "by": ["region"]}}"#))[0], PictureKind::Bar);
    assert_eq!(kinds(&format!(r#"{{{sum}, "by": ["region", "open"]}}"#))[0], PictureKind::HeatMap);
    assert_eq!(
        kinds(r#"{"dataset": "sales", "distribution": {"field": "amount"}}"#),
        [PictureKind::Histogram, PictureKind::Table]
    );
    assert_eq!(kinds(r#"{"dataset": "sales"}"#)[0], PictureKind::Table);
    assert!(kinds(&format!(r#"{{{sum}, "by": ["region"]}}"#)).contains(&PictureKind::Waterfall));
}

#[test]
fn a_picture_keeps_its_kind_and_what_was_chosen_of_it() {
    let columns = |by: &str| {
        asked(&format!(
            r#"{{"dataset": "sales", "measures": [{{"field": "amount", "aggregate": "sum"}}], "by": [{by}]}}"#
        ))
        .columns
    };
    let empty = PictureDefinition::Grid { columns: Vec::new() };
    let mut bars = fit_picture("Sales", &empty, &columns("\"region\""), false);
    assert_eq!(PictureKind::of(&bars), PictureKind::Bar);
    for channel in fit::channels_mut(&mut bars) {
        channel.format = ValueFormat::Compact;
    }
    assert_eq!(fit_picture("Sales", &bars, &columns("\"region\""), true), bars);
    let other = fit_picture("Sales", &bars, &columns("\"open\""), true);
    let PictureDefinition::Chart(chart) = &other else { panic!("{other:?}") };
    assert_eq!((chart.x.column.as_str(), chart.y[0].format), ("open", ValueFormat::Compact));
    // Another category is shown rather than hidden.
    let two = fit_picture("Sales", &bars, &columns("\"region\", \"open\""), true);
    let PictureDefinition::Chart(chart) = &two else { panic!("{two:?}") };
    assert_eq!(chart.by.as_deref(), Some("open"));
}

#[test]
fn another_name_is_put_in_everywhere() {
    let before = query(
        r#"{"dataset": "sales", "calculated": [{"name": "x", "formula": "amount * 2 + [amount] - 'amount'"}],
            "measures": [{"field": "amount", "aggregate": "sum"}], "by": ["amount"],
            "filters": [{"field": "amount", "is": {"missing": false}}]}"#,
    );
    let after = renamed(&before, "amount", "gross value");
    assert_eq!(after.calculated[0].formula, "[gross value] * 2 + [gross value] - 'amount'");
    assert_eq!(after.by, ["gross value"]);
    assert_eq!(renamed(&after, "gross value", "amount").by, before.by);
    let names: Vec<String> = ["amount_eur", "region", "units"].map(str::to_owned).to_vec();
    assert_eq!(nearest("amount", &names).map(String::as_str), Some("amount_eur"));
    assert_eq!(nearest("unit", &names).map(String::as_str), Some("units"));
    assert_eq!(nearest("xyz_nothing", &names), None);
}

#[test]
fn a_dataset_begins_with_a_question_that_shows_something() {
    let day = |text: &str| i64::from(model::Instant::parse_date_days(text).unwrap());
    let extent = Extent { facts: 900, first: Some(day("1960-01-01")), last: Some(day("2023-01-01")) };
    let first = first_question("sales", &fields(), Some(&extent));
    assert_eq!(first.measures, [Measure::of("amount", Aggregate::Avg)]);
    assert_eq!(first.over, Some(Over { time: TimeAxis::EffectiveStart, grain: Grain::Year }));
    assert!(compile(&first, &fields()).is_ok());
    assert_eq!(title_of(&first), "Mean of amount by year");
    let page = (day("2026-01-01"), day("2026-04-01"));
    assert_eq!(extent.times_beside(page), Some((day("1960-01-01"), day("2023-01-01"))));
    let recent = Extent { last: Some(day("2026-02-01")), ..extent };
    assert_eq!(recent.times_beside(page), None);
    let texts: DatasetDefinition = serde_json::from_str(
        r#"{"columns": [{"name": "id", "type": "int64"}, {"name": "note", "type": "string"}, {"name": "from", "type": "date"}],
            "key": ["id"], "valid_from": "from", "mode": "until_changed"}"#,
    )
    .unwrap();
    let first = first_question("notes", &Fields::of(&texts), None);
    assert_eq!((first.measures, first.over), (vec![Measure::count()], None));
}

#[test]
fn days_lie_in_steps_as_a_calendar_has_them() {
    let day = |text: &str| i64::from(model::Instant::parse_date_days(text).unwrap());
    let same = |grain: Grain, a: &str, b: &str| grain.step_of(day(a)) == grain.step_of(day(b));
    // A Sunday and the Monday after it.
    assert!(same(Grain::Week, "2026-11-23", "2026-11-29") && !same(Grain::Week, "2026-11-29", "2026-11-30"));
    assert!(same(Grain::Month, "2024-02-01", "2024-02-29") && !same(Grain::Month, "2024-02-29", "2024-03-01"));
    assert!(same(Grain::Quarter, "2026-10-01", "2026-12-31") && !same(Grain::Quarter, "2026-09-30", "2026-10-01"));
    assert!(same(Grain::Year, "1969-01-01", "1969-12-31") && !same(Grain::Year, "1969-12-31", "1970-01-01"));
    assert!(!same(Grain::Day, "1969-12-31", "1970-01-01"));
}

const MEANING: &str = r#"{"dataset": "sales",
    "dimensions": [{"name": "region", "title": "Sales region"}, {"name": "amount", "unit": "EUR", "format": {"fixed": 2}}],
    "hierarchies": [{"name": "place", "levels": ["region", "product \"x\"", "open"]}]}"#;

#[test]
fn columns_are_called_and_written_as_is_defined() {
    let known = fields_meaning(MEANING);
    let by = query(r#"{"dataset": "sales", "measures": [{"aggregate": "count"}], "by": ["region", "open"]}"#);
    let columns = compile(&by, &known).unwrap().columns;
    assert_eq!([&columns[0].title, &columns[1].title], ["Sales region", "open"]);
    let facts = compile(&query(r#"{"dataset": "sales", "by": ["amount"]}"#), &known).unwrap().columns;
    assert_eq!((facts[0].unit.as_str(), facts[0].format), ("EUR", Some(ValueFormat::Fixed(2))));
    // What is made of many values of a field has its unit; how many they are has none.
    let unit = |aggregate: &str| {
        let measures = format!(r#"[{{"field": "amount", "aggregate": "{aggregate}"}}]"#);
        let made = query(&format!(r#"{{"dataset": "sales", "measures": {measures}}}"#));
        compile(&made, &known).unwrap().columns[0].unit.clone()
    };
    assert_eq!(["avg", "max", "count", "count-distinct"].map(unit), ["EUR", "EUR", "", ""]);
}

#[test]
fn what_is_chosen_of_a_variable_is_compared_by_the_type_of_the_field() {
    let variables: Vec<Variable> = serde_json::from_str(
        r#"[{"name": "land", "kind": {"choice": {"options": ["EU"]}}, "multiple": true}, {"name": "least", "kind": {"number": {}}},
            {"name": "day", "kind": "time"}, {"name": "word", "kind": "text"}]"#,
    )
    .unwrap();
    let known = fields().chosen_by(&variables);
    let filter = |field: &str, name: &str, how: &str| {
        let is = format!(r#"{{"variable": {{"name": "{name}", "how": "{how}"}}}}"#);
        query(&format!(r#"{{"dataset": "sales", "filters": [{{"field": "{field}", "is": {is}}}]}}"#))
    };
    let condition = |field: &str, name: &str, how: &str| {
        let question = compile(&filter(field, name, how), &known).unwrap();
        assert!(question.parameters.is_empty(), "bound by the page");
        let sql = question.sql.split(" AND ").last().unwrap_or_default();
        let from = sql.find(" WHERE ").map_or(0, |at| at + 7);
        sql[from..sql.rfind(" LIMIT").unwrap()].to_owned()
    };
    assert_eq!(condition("region", "land", "is"), r#"f."region" IN ($land)"#);
    assert_eq!(condition("units", "least", "at-least"), r#"f."units" >= CAST($least AS DECIMAL(38, 18))"#);
    assert_eq!(condition("share", "least", "less-than"), r#"f."share" < CAST($least AS DOUBLE)"#);
    assert_eq!(condition("due", "day", "is"), r#"f."due" IN (CAST(CAST($day AS TIMESTAMP) AS DATE))"#);
    assert_eq!(
        condition("region", "word", "containing"),
        r#"($word = '' OR strpos(lower(f."region"), lower($word)) > 0)"#
    );
    let refused = |field: &str, name: &str, how: &str| {
        let problems = compile(&filter(field, name, how), &known).unwrap_err();
        assert_eq!(problems[0].pointer, "/filters/0/is");
        problems[0].reason.clone()
    };
    assert!(refused("region", "lnd", "is").contains("did you mean 'land'?"));
    assert!(refused("region", "land", "at-least").contains("several"));
    assert!(refused("region", "least", "is").contains("cannot be compared with a text"));
    assert!(refused("units", "day", "is").contains("cannot be compared with a number"));
    assert!(refused("units", "word", "is").contains("cannot be compared with a number"));
    assert!(refused("units", "least", "containing").contains("only texts contain"));
    // Nothing of a name becomes part of the statement that is not one.
    assert!(compile(&filter("region", "a) OR (1=1", "is"), &fields()).is_err());
    assert!(compile(&filter("region", "q1", "is"), &fields()).is_err(), "as values in questions are called");
    assert!(compile(&filter("region", "", "is"), &fields()).unwrap().parameters.is_empty());
}

#[test]
fn a_choice_leads_down_a_hierarchy_and_then_to_the_facts() {
    let known = fields_meaning(MEANING);
    let asks = |down: &str, by: &str| {
        query(&format!(
            r#"{{"dataset": "sales", "measures": [{{"aggregate": "count"}}], "by": [{by}], "down": {down},
                "over": {{"time": "known", "grain": "day"}}, "filters": [{{"field": "units", "is": {{"at-least": "1"}}}}]}}"#
        ))
    };
    let below = down::levels(&asks(r#"{"hierarchy": "place"}"#, r#""open", "region""#), &known).unwrap();
    let chosen: Vec<&str> = below.iter().map(|below| below.chosen.as_str()).collect();
    assert_eq!(chosen, ["open"], "the deepest category that is a level");
    let below = down::levels(&asks(r#"{"hierarchy": "place"}"#, r#""share", "region""#), &known).unwrap();
    // The deepest level that it is measured by, wherever it stands.
    let deepest = down::levels(&asks(r#"{"hierarchy": "place"}"#, r#""open", "region""#), &known).unwrap();
    assert_eq!(deepest.iter().map(|below| &below.chosen[..]).collect::<Vec<_>>(), ["open"]);
    // A level that is there already is passed over.
    let skipping = down::levels(&asks(r#"{"hierarchy": "place"}"#, r#""product \"x\"", "region""#), &known).unwrap();
    let chosen: Vec<&str> = skipping.iter().map(|below| below.chosen.as_str()).collect();
    assert_eq!(chosen, ["product \"x\"", "open"]);
    let told: Vec<(&str, &[String])> = below.iter().map(|below| (&below.chosen[..], &below.query.by[..])).collect();
    let [first, second] = [["share", "product \"x\""], ["share", "open"]].map(|by| by.map(str::to_owned));
    assert_eq!(told, [("region", &first[..]), ("product \"x\"", &second[..]), ("open", &[])]);
    assert_eq!((below[2].query.facts, below[2].query.filters.len()), (Facts::Beginning, 1));
    for below in &below {
        let level = compile(&below.query, &known).unwrap();
        assert_eq!(level.parameters["q1"], "1", "the same under the same name on each level");
    }
    let place =
        |down: &str, by: &str, fields: &Fields| compile(&asks(down, by), fields).unwrap_err()[0].pointer.clone();
    assert_eq!(place(r#"{"hierarchy": "plce"}"#, r#""region""#, &known), "/down");
    assert_eq!(place(r#"{"hierarchy": "place"}"#, r#""due""#, &known), "/down");
    assert_eq!(place(r#""facts""#, "", &known), "/down");
    assert_eq!(place(r#""facts""#, r#""region", "due""#, &known), "/down", "a choice says one of them");
    assert_eq!(down::levels(&asks(r#""facts""#, r#""due""#), &fields()).unwrap()[0].chosen, "due");
    // Until it is known what there is, nothing lies below.
    assert_eq!(down::levels(&asks(r#"{"hierarchy": "place"}"#, r#""region""#), &fields()), Ok(Vec::new()));
}

/// Anything that can be put together in the editor, sensible or not.
fn any_query() -> impl Strategy<Value = TileQuery> {
    let name = || {
        prop::sample::select(vec!["region", "product \"x\"", "amount", "units", "share", "open", "due", "calc", "gone"])
    };
    let aggregate = prop::option::of(prop::sample::select(Aggregate::ALL.to_vec()));
    let measure = (prop::option::of(name()), aggregate).prop_map(|(field, aggregate)| Measure {
        measure: None,
        field: field.map(str::to_owned),
        aggregate,
        title: String::new(),
    });
    let formula = prop::sample::select(vec![
        "amount / units",
        "abs(share) * 2",
        "sum(amount) / count()",
        "if(open, 1, 0)",
        "region",
        "1 / 0",
        "calc + 1",
        "(",
        "due > '2026-01-01'",
        "coalesce(share, 0)",
        "round(amount / 3, 2)",
        "case(amount > 5, 'a', amount > 2, 'b', 'c')",
    ]);
    let test = prop_oneof![
        prop::collection::vec(prop::option::of("[0-9a-z'-]{0,4}"), 0..3).prop_map(ValueTest::OneOf),
        prop::collection::vec(prop::option::of("[0-9]{1,4}"), 0..3).prop_map(ValueTest::NoneOf),
        "[0-9.-]{0,5}".prop_map(ValueTest::AtLeast),
        "[0-9.-]{0,5}".prop_map(ValueTest::LessThan),
        ".{0,4}".prop_map(ValueTest::Containing),
        any::<bool>().prop_map(ValueTest::Missing),
        (".{0,3}|[a-z]{1,3}", prop::sample::select(vec![Comparison::Is, Comparison::AtLeast, Comparison::Containing]))
            .prop_map(|(name, how)| ValueTest::Variable { name, how }),
    ];
    let down = prop_oneof![Just(Down::Facts), Just(Down::Hierarchy("place".to_owned()))];
    let filter = (name(), test).prop_map(|(field, is)| FilterDefinition { field: field.to_owned(), is });
    let axes: Vec<TimeAxis> = TimeAxis::ALL.iter().map(|axis| axis.0).collect();
    let over = (prop::sample::select(axes), prop::sample::select(Grain::ALL.to_vec()))
        .prop_map(|(time, grain)| Over { time, grain });
    let top = (0_u32..4, any::<bool>()).prop_map(|(n, others)| Top { n, others });
    let distribution =
        (name(), 0_u32..50).prop_map(|(field, stretches)| Distribution { field: field.to_owned(), stretches });
    (
        prop::collection::vec(measure, 0..3),
        prop::collection::vec(name(), 0..3),
        prop::option::weighted(0.7, formula),
        prop::collection::vec(filter, 0..3),
        (prop::option::of(over), prop::option::of(top), prop::option::weighted(0.2, distribution), any::<bool>()),
        prop::option::weighted(0.2, down),
    )
        .prop_map(|(measures, by, formula, filters, (over, top, distribution, beginning), down)| TileQuery {
            dataset: "sales".to_owned(),
            facts: if beginning { Facts::Beginning } else { Facts::HoldingAtEnd },
            calculated: formula
                .map(|formula| Calculated { name: "calc".into(), formula: formula.into() })
                .into_iter()
                .collect(),
            measures,
            over,
            by: by.into_iter().map(str::to_owned).collect(),
            filters,
            top,
            down,
            distribution,
        })
}

proptest! {
    #[test]
    fn any_question_is_a_statement_or_has_reasons_with_places(query in any_query()) {
        match compile(&query, &fields()) {
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                prop_assert!(problems.iter().all(|problem| problem.pointer.starts_with('/') && !problem.reason.is_empty()));
            }
            Ok(question) => {
                let names: std::collections::BTreeSet<_> = question.columns.iter().map(|column| &column.name).collect();
                prop_assert_eq!(names.len(), question.columns.len());
                // Every parameter is used, and none is missing: either is refused by the server.
                for name in question.parameters.keys() {
                    prop_assert!(crate::dashboards::has_parameter(&question.sql, name), "{} {}", name, question.sql);
                }
                let shown = pictures("Sales", &question.columns);
                prop_assert!(!shown.is_empty());
                for picture in &shown {
                    for channel in fit::channels(picture) {
                        prop_assert!(names.contains(&channel.column));
                    }
                    // What is fitted fits, and stays.
                    let fitted = fit_picture("Sales", picture, &question.columns, true);
                    prop_assert_eq!(&fit_picture("Sales", &fitted, &question.columns, true), &fitted);
                }
            }
        }
    }

    #[test]
    fn a_question_reads_back_as_it_was_written(query in any_query()) {
        let text = serde_json::to_string(&query).unwrap();
        prop_assert_eq!(serde_json::from_str::<TileQuery>(&text).unwrap(), query);
    }
}
