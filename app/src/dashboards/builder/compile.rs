//! From a question to temporal SQL.

use std::collections::BTreeMap;

use super::{
    Aggregate, Comparison, Distribution, Facts, Fields, FilterDefinition, Grain, Measure, Over, Problem, TileQuery,
    TimeAxis, Top, ValueTest, ValueType, down, formula::Checked, literal::quoted, schema::ChosenAs, scope::Scope,
    suggest::nearest,
};
use crate::{
    charts::ValueFormat,
    dashboards::{has_parameter, name_refused},
    queries::client::{Others, Reduction},
    words::numbered,
};

/// What counts as a fact: a row without one is a step at which nothing holds.
pub(super) const FACT: &str = "f.\"valid_from\"";
/// Facts that come as they are, at most.
pub const ROWS_MOST: u32 = 100_000;
/// Categories that can be shown alone.
const TOP_MOST: u32 = 1_000;
/// Categories, measures and filters that there can be, each.
const PARTS_MOST: usize = 40;
/// Characters of a statement at most.
const STATEMENT_MOST: usize = 400_000;
/// Stretches that a distribution can have.
const STRETCHES_MOST: u32 = 400;

/// A question, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The statement. `$from` and `$to` are the effective range, half-open; other parameters are below.
    pub sql: String,
    /// The values of its other parameters.
    pub parameters: BTreeMap<String, String>,
    /// What is made of the rows before they are sent.
    pub reduce: Vec<Reduction>,
    /// What comes out.
    pub columns: Vec<OutputColumn>,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it is there for.
    pub role: Role,
    /// What its values are.
    pub value: ValueType,
    /// Their unit, where the semantic definition has one.
    pub unit: String,
    /// How they are written, where the semantic definition says so.
    pub format: Option<ValueFormat>,
}

impl OutputColumn {
    /// A column of which nothing is defined.
    pub fn new(name: &str, title: &str, role: Role, value: ValueType) -> OutputColumn {
        OutputColumn { name: name.to_owned(), title: title.to_owned(), role, value, unit: String::new(), format: None }
    }
}

/// What a column is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The steps of time that it is measured along.
    Time,
    /// When the only figure there is became effective.
    Latest,
    /// By what it is measured.
    Category,
    /// What is measured; `counts` says that it counts facts.
    Measure {
        /// Whether it counts.
        counts: bool,
    },
    /// A field of facts as they are.
    Plain,
    /// Where a stretch of a distribution begins, and where it ends.
    Stretch,
}

/// Makes a statement of a question. Says all that is wrong with it otherwise.
pub fn compile(query: &TileQuery, fields: &Fields) -> Result<Question, Vec<Problem>> {
    let lists = [("/by", query.by.len()), ("/measures", query.measures.len()), ("/filters", query.filters.len())];
    let too_long = lists.into_iter().filter(|(_, length)| *length > PARTS_MOST);
    let too_long: Vec<_> =
        too_long.map(|(pointer, _)| Problem::at(pointer, format!("at most {PARTS_MOST} can be there"))).collect();
    if !too_long.is_empty() {
        return Err(too_long);
    }
    let mut scope = Scope::new(&query.dataset, fields, &query.calculated);
    let mut problems = scope.problems();
    let conditions =
        collected(&query.filters, "/filters", &mut problems, |filter, pointer| condition(filter, pointer, &mut scope));
    let conditions: Vec<String> = conditions.into_iter().flatten().collect();
    let made = match (&query.distribution, &query.measures[..]) {
        (Some(distribution), measures) => distributed(query, distribution, measures, &conditions, &mut scope),
        (None, []) => plain(query, &conditions, &mut scope),
        (None, _) => measured(query, &conditions, &mut scope),
    };
    problems.extend(down::levels(query, fields).err());
    match made {
        Ok(made) if made.sql.len() > STATEMENT_MOST => {
            Err(vec![Problem::at("", "the statement is too long with all that is calculated; ask for less of it")])
        }
        Ok(made) if problems.is_empty() => {
            // What was looked at without becoming part of the statement is not sent with it.
            let used = scope.bound.0.into_iter().filter(|(name, _)| has_parameter(&made.sql, name));
            Ok(Question { parameters: used.collect(), ..made })
        }
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            problems.dedup();
            Err(problems)
        }
    }
}

/// What is made of each part of a list; what is wrong goes to `problems`.
fn collected<T, M>(
    parts: &[T],
    pointer: &str,
    problems: &mut Vec<Problem>,
    mut make: impl FnMut(&T, &str) -> Result<M, Problem>,
) -> Vec<M> {
    let mut made = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        match make(part, &format!("{pointer}/{index}")) {
            Ok(one) => made.push(one),
            Err(problem) => problems.push(problem),
        }
    }
    made
}

/// A condition in SQL; `None` where nothing was chosen yet.
fn condition(filter: &FilterDefinition, pointer: &str, scope: &mut Scope<'_>) -> Result<Option<String>, Problem> {
    let (sql, value) = scope.of_fact(&filter.field, &format!("{pointer}/field"))?;
    let place = format!("{pointer}/is");
    let mut typed = |text: &str| scope.bound.value(text, value).map_err(|reason| Problem::at(place.clone(), reason));
    let mut list = |values: &[Option<String>]| -> Result<(String, bool), Problem> {
        let some = values.iter().flatten().map(|text| typed(text)).collect::<Result<Vec<_>, _>>()?;
        Ok((some.join(", "), values.contains(&None)))
    };
    Ok(Some(match &filter.is {
        ValueTest::OneOf(values) | ValueTest::NoneOf(values) if values.is_empty() => return Ok(None),
        ValueTest::OneOf(values) => match list(values)? {
            (some, false) => format!("{sql} IN ({some})"),
            (some, true) if some.is_empty() => format!("{sql} IS NULL"),
            (some, true) => format!("({sql} IN ({some}) OR {sql} IS NULL)"),
        },
        ValueTest::NoneOf(values) => match list(values)? {
            (some, false) => format!("({sql} NOT IN ({some}) OR {sql} IS NULL)"),
            (some, true) if some.is_empty() => format!("{sql} IS NOT NULL"),
            (some, true) => format!("({sql} NOT IN ({some}) AND {sql} IS NOT NULL)"),
        },
        ValueTest::AtLeast(text) | ValueTest::LessThan(text) if text.trim().is_empty() => return Ok(None),
        ValueTest::AtLeast(text) => format!("{sql} >= {}", typed(text)?),
        ValueTest::LessThan(text) => format!("{sql} < {}", typed(text)?),
        ValueTest::Containing(text) if text.is_empty() => return Ok(None),
        ValueTest::Containing(text) if value == ValueType::Text => {
            format!("strpos(lower({sql}), lower({})) > 0", typed(text)?)
        }
        ValueTest::Containing(_) => {
            let reason = format!("only texts contain something, and '{}' is {}", filter.field, value.word());
            return Err(Problem::at(place, reason));
        }
        ValueTest::Missing(true) => format!("{sql} IS NULL"),
        ValueTest::Missing(false) => format!("{sql} IS NOT NULL"),
        ValueTest::Variable { name, .. } if name.is_empty() => return Ok(None),
        ValueTest::Variable { name, how } => {
            chosen(name, *how, (&sql, value), scope.fields).map_err(|reason| Problem::at(place.clone(), reason))?
        }
    }))
}

/// A condition on what is chosen of a variable. Its value is bound when it is asked, under the variable's name.
fn chosen(name: &str, how: Comparison, (sql, value): (&str, ValueType), fields: &Fields) -> Result<String, String> {
    let Ok(variable) = fields.variable(name) else {
        let names: Vec<String> = fields.variables().map(str::to_owned).collect();
        let meant = nearest(name, &names).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
        return Err(format!("the dashboard has no variable '{name}'{meant}"));
    };
    if let Some(why) = name_refused(name) {
        return Err(format!("'{name}' cannot be the name of a variable: {why}"));
    }
    if variable.is_some_and(|variable| variable.multiple) && how != Comparison::Is {
        return Err(format!("of '{name}' several values can be chosen, so facts can only be one of them"));
    }
    let fits = variable.is_none_or(|variable| match variable.bound {
        ChosenAs::Listed => true,
        ChosenAs::Words => value == ValueType::Text,
        ChosenAs::Number => value.is_number(),
        ChosenAs::Moment => value.is_time(),
    });
    if !fits {
        return Err(format!("what is chosen of '{name}' cannot be compared with {}", value.word()));
    }
    let bound = match value {
        ValueType::Text => format!("${name}"),
        ValueType::Truth => format!("CAST(${name} AS BOOLEAN)"),
        ValueType::Whole | ValueType::Decimal => format!("CAST(${name} AS DECIMAL(38, 18))"),
        ValueType::Float => format!("CAST(${name} AS DOUBLE)"),
        // A moment is one of its day.
        ValueType::Day => format!("CAST(CAST(${name} AS TIMESTAMP) AS DATE)"),
        ValueType::Instant => format!("CAST(${name} AS TIMESTAMP)"),
    };
    match how {
        Comparison::Is => Ok(format!("{sql} IN ({bound})")),
        Comparison::AtLeast => Ok(format!("{sql} >= {bound}")),
        Comparison::LessThan => Ok(format!("{sql} < {bound}")),
        Comparison::Containing if value == ValueType::Text => {
            Ok(format!("({bound} = '' OR strpos(lower({sql}), lower({bound})) > 0)"))
        }
        Comparison::Containing => Err(format!("only texts contain something, and this is {}", value.word())),
    }
}

/// Where facts come from, and what they have to meet.
fn source(query: &TileQuery, conditions: &[String]) -> String {
    let dataset = quoted(&query.dataset);
    let all = |own: &[String]| {
        let all: Vec<&str> = own.iter().chain(conditions).map(String::as_str).collect();
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    };
    let begins = [format!("{FACT} >= $from"), format!("{FACT} < $to")];
    match (query.over, query.facts) {
        (Some(Over { time: TimeAxis::AsOf, grain }), _) => {
            let joined: String = conditions.iter().map(|condition| format!(" AND {condition}")).collect();
            // Without categories a step at which nothing holds is shown as such. What is defined or calculated could take
            // it for a fact.
            let is_calculated = |name: &String| query.calculated.iter().any(|field| field.name == *name);
            let could =
                |measure: &Measure| measure.measure.is_some() || measure.field.as_ref().is_some_and(is_calculated);
            let could = query.measures.iter().any(could);
            let join = if query.by.is_empty() && !could { "LEFT JOIN" } else { "JOIN" };
            let word = grain.word();
            let step = match grain {
                Grain::Week => "7 days".to_owned(),
                Grain::Quarter => "3 months".to_owned(),
                _ => format!("1 {word}"),
            };
            format!(
                " FROM instants(date_trunc('{word}', CAST($from AS TIMESTAMP)), CAST($to AS TIMESTAMP), INTERVAL '{step}') AS i \
                 {join} {dataset} AS f ON f.VALID_TIME CONTAINS i.instant{joined} WHERE i.instant >= $from"
            )
        }
        (Some(Over { time: TimeAxis::Known, .. }), _) => {
            // What became known later than the page's known time is not known yet.
            let [from, to] = begins;
            let known = "f.\"system_from\" <= $known".to_owned();
            format!(" FROM {dataset} FOR SYSTEM_TIME ALL AS f{}", all(&[from, to, known]))
        }
        (Some(_), _) | (None, Facts::Beginning) => format!(" FROM {dataset} AS f{}", all(&begins)),
        (None, Facts::HoldingAtEnd) => {
            let last = "CAST($to AS TIMESTAMP) - INTERVAL '1 microsecond'";
            format!(" FROM {dataset} FOR VALID_TIME AS OF {last} AS f{}", all(&[]))
        }
    }
}

/// Facts as they are.
fn plain(query: &TileQuery, conditions: &[String], scope: &mut Scope<'_>) -> Result<Question, Vec<Problem>> {
    let mut problems = Vec::new();
    if query.over.is_some() {
        problems.push(Problem::at(
            "/over",
            "along a time something has to be measured; add a measure, such as the count of facts",
        ));
    }
    if query.top.is_some() {
        problems.push(Problem::at("/top", "the greatest can be told only of a measure; add one"));
    }
    let names: Vec<String> = match query.by.is_empty() {
        true => scope.fields.own().map(|field| field.name.clone()).chain(["valid_from".to_owned()]).collect(),
        false => query.by.clone(),
    };
    let columns = collected(&names, "/by", &mut problems, |name, pointer| {
        let (sql, value) = scope.of_fact(name, pointer)?;
        Ok((sql, column_of(name, Role::Plain, value, scope.fields)))
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    let (selected, columns) = selected(columns);
    let sql = format!("SELECT {selected}{} LIMIT {ROWS_MOST}", source(query, conditions));
    Ok(Question { sql, parameters: BTreeMap::new(), reduce: Vec::new(), columns })
}

/// Facts counted by stretches of a number or a time.
fn distributed(
    query: &TileQuery,
    distribution: &Distribution,
    measures: &[Measure],
    conditions: &[String],
    scope: &mut Scope<'_>,
) -> Result<Question, Vec<Problem>> {
    let one = |pointer: &str, reason: &str| Err(vec![Problem::at(pointer, reason)]);
    if !measures.is_empty() || query.over.is_some() || !query.by.is_empty() {
        return one("/distribution", "a distribution counts facts by itself; take measures, time and categories away");
    }
    if !(1..=STRETCHES_MOST).contains(&distribution.stretches) {
        return one("/distribution/stretches", "there can be 1 to 400 stretches");
    }
    let field = &distribution.field;
    let (sql, value) = scope.of_fact(field, "/distribution/field").map_err(|problem| vec![problem])?;
    if !value.is_number() && !value.is_time() {
        let reason =
            format!("only numbers and times lie in stretches, and '{field}' is {}; count by it instead", value.word());
        return one("/distribution/field", &reason);
    }
    let stretch = |name: &str| OutputColumn::new(name, field, Role::Stretch, value);
    let counts = OutputColumn::new("count", "Facts", Role::Measure { counts: true }, ValueType::Whole);
    let reduce = Reduction::Bins {
        x: "x".to_owned(),
        y: None,
        columns: distribution.stretches,
        rows: None,
        of: None,
        aggregate: "count".to_owned(),
    };
    let sql = format!("SELECT {sql} AS \"x\"{}", source(query, conditions));
    let columns = vec![stretch("x_from"), stretch("x_to"), counts];
    Ok(Question { sql, parameters: BTreeMap::new(), reduce: vec![reduce], columns })
}

/// Measures by categories along a time.
fn measured(query: &TileQuery, conditions: &[String], scope: &mut Scope<'_>) -> Result<Question, Vec<Problem>> {
    let mut problems = Vec::new();
    let order = order_of_facts(scope.fields);
    let categories = collected(&query.by, "/by", &mut problems, |name, pointer| {
        if query.by.iter().filter(|other| *other == name).count() > 1 {
            return Err(Problem::at(pointer, format!("'{name}' is there twice; take one of them away")));
        }
        let (sql, value) = scope.of_fact(name, pointer)?;
        Ok((sql, column_of(name, Role::Category, value, scope.fields)))
    });
    let measures = collected(&query.measures, "/measures", &mut problems, |measure, pointer| {
        measure_sql(measure, pointer, &order, scope)
    });
    let top = query.top.map(|top| check_top(top, query, scope)).transpose();
    problems.extend(top.as_ref().err().cloned());
    if !problems.is_empty() {
        return Err(problems);
    }
    let time = query.over.map(|over| {
        let at = match over.time {
            TimeAxis::EffectiveStart => format!("date_trunc('{}', {FACT})", over.grain.word()),
            TimeAxis::AsOf => "i.instant".to_owned(),
            TimeAxis::Known => format!("date_trunc('{}', f.\"system_from\")", over.grain.word()),
        };
        let title = if over.time == TimeAxis::Known { "Known" } else { "Effective" };
        (at, OutputColumn::new("at", title, Role::Time, ValueType::Instant))
    });
    let groups = usize::from(time.is_some()) + categories.len();
    let mut all: Vec<_> = time.into_iter().chain(categories).chain(measures).collect();
    if groups == 0 {
        let latest = OutputColumn::new("at", "Effective", Role::Latest, ValueType::Instant);
        all.push((format!("max({FACT})"), latest));
    }
    let (selected, columns) = selected(all);
    let places = |from: usize, to: usize| (from..=to).map(|place| place.to_string()).collect::<Vec<_>>().join(", ");
    let (grouped, ordered) = match (groups, query.over) {
        (0, _) => (String::new(), String::new()),
        (_, Some(_)) => (format!(" GROUP BY {}", places(1, groups)), format!(" ORDER BY {}", places(1, groups))),
        (_, None) => {
            let ordered = format!(" ORDER BY {} DESC NULLS LAST, {}", groups + 1, places(1, groups));
            (format!(" GROUP BY {}", places(1, groups)), ordered)
        }
    };
    let reduce = top.ok().flatten().map(|top| {
        let last = &columns[groups - 1];
        let measured = columns.iter().filter(|column| matches!(column.role, Role::Measure { .. }));
        let numbers = measured.filter(|column| column.value.is_number()).map(|column| column.name.clone());
        let others = if top.others { Others::Sum } else { Others::None };
        Reduction::Top { by: last.name.clone(), of: numbers.collect(), n: top.n, others }
    });
    let sql = format!("SELECT {selected}{}{grouped}{ordered}", source(query, conditions));
    Ok(Question { sql, parameters: BTreeMap::new(), reduce: reduce.into_iter().collect(), columns })
}

/// A column that is a field of facts, as the semantic definition says that it is called and written.
fn column_of(name: &str, role: Role, value: ValueType, fields: &Fields) -> OutputColumn {
    let mut column = OutputColumn::new(name, fields.called(name), role, value);
    if let Some(dimension) = fields.dimension(name) {
        column.unit.clone_from(&dimension.unit);
        column.format = (dimension.format != ValueFormat::Plain).then_some(dimension.format);
    }
    column
}

/// By what the first fact and the last are told: no two facts are equal in it.
fn order_of_facts(fields: &Fields) -> String {
    std::iter::once(FACT.to_owned())
        .chain(fields.key().map(|name| format!("f.{}", quoted(name))))
        .collect::<Vec<_>>()
        .join(", ")
}

fn measure_sql(
    measure: &Measure,
    pointer: &str,
    order: &str,
    scope: &mut Scope<'_>,
) -> Result<(String, OutputColumn), Problem> {
    if let Some(name) = &measure.measure {
        return defined(name, measure, pointer, scope);
    }
    // What is counted has no unit of the field; of anything else the unit stays.
    let unit = measure.field.as_deref().and_then(|field| scope.fields.dimension(field)).map(|known| known.unit.clone());
    let column = |value: ValueType, counts: bool| {
        let name = match (&measure.field, measure.aggregate) {
            (None, _) => "facts".to_owned(),
            (Some(field), None) => field.clone(),
            (Some(field), Some(aggregate)) => format!("{field}_{}", aggregate.words().0.replace('-', "_")),
        };
        let unit = unit.clone().filter(|_| !counts).unwrap_or_default();
        OutputColumn { unit, ..OutputColumn::new(&name, &measure.name(), Role::Measure { counts }, value) }
    };
    let Some(field) = &measure.field else {
        return match measure.aggregate {
            Some(Aggregate::Count) => Ok((format!("count({FACT})"), column(ValueType::Whole, true))),
            _ => {
                Err(Problem::at(format!("{pointer}/field"), "choose what is measured; facts alone can only be counted"))
            }
        };
    };
    let place = format!("{pointer}/field");
    let Checked { sql, value, aggregated, .. } = scope.named(field, &place)?;
    let value = value.unwrap_or(ValueType::Whole);
    let aggregate = match (measure.aggregate, aggregated) {
        (None, true) => return Ok((sql, column(value, false))),
        (None, false) => {
            let reason = format!("choose how the values of '{field}' are put together, such as by their sum");
            return Err(Problem::at(format!("{pointer}/aggregate"), reason));
        }
        (Some(_), true) => {
            let reason = format!("'{field}' puts facts together by itself; it takes no aggregation");
            return Err(Problem::at(format!("{pointer}/aggregate"), reason));
        }
        (Some(aggregate), false) => aggregate,
    };
    if aggregate.needs_numbers() && !value.is_number() {
        let reason =
            format!("a {} takes numbers, and '{field}' is {}", aggregate.words().1.to_lowercase(), value.word());
        return Err(Problem::at(format!("{pointer}/aggregate"), reason));
    }
    // No sum of integers wraps around, and no mean loses its decimals.
    let (sql, value) = match aggregate {
        Aggregate::Count => (format!("count({sql})"), ValueType::Whole),
        Aggregate::CountDistinct => (format!("count(DISTINCT {sql})"), ValueType::Whole),
        Aggregate::Sum if value == ValueType::Whole => {
            (format!("sum(CAST({sql} AS DECIMAL(20, 0)))"), ValueType::Decimal)
        }
        Aggregate::Sum => (format!("sum({sql})"), value),
        Aggregate::Avg | Aggregate::Median => {
            (format!("{}(CAST({sql} AS DOUBLE))", aggregate.words().0), ValueType::Float)
        }
        Aggregate::Min | Aggregate::Max => (format!("{}({sql})", aggregate.words().0), value),
        Aggregate::First => (format!("first_value({sql} ORDER BY {order})"), value),
        Aggregate::Last => (format!("last_value({sql} ORDER BY {order})"), value),
    };
    Ok((sql, column(value, matches!(aggregate, Aggregate::Count | Aggregate::CountDistinct))))
}

/// A measure of the dataset's semantic definition. Where it is not known which there are, its name is taken as it is: the server
/// says what is wrong with it when it is asked for.
fn defined(name: &str, measure: &Measure, pointer: &str, scope: &Scope<'_>) -> Result<(String, OutputColumn), Problem> {
    let place = format!("{pointer}/measure");
    if measure.field.is_some() || measure.aggregate.is_some() {
        let reason = format!("'{name}' is a measure of its own, without a field and an aggregation; leave these out");
        return Err(Problem::at(place, reason));
    }
    let known = scope.fields.measure(name);
    if known.is_none() && scope.fields.knows_meaning() {
        let names: Vec<String> = scope.fields.measures().iter().map(|measure| measure.name.clone()).collect();
        let meant = nearest(name, &names).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
        return Err(Problem::at(place, format!("'{}' has no measure '{name}'{meant}", scope.dataset)));
    }
    let title = match known {
        Some(known) if measure.title.is_empty() => known.called().to_owned(),
        _ => measure.name(),
    };
    let mut column = OutputColumn::new(name, &title, Role::Measure { counts: false }, ValueType::Float);
    column.unit = known.map(|known| known.unit.clone()).unwrap_or_default();
    column.format = known.map(|known| known.format);
    Ok((format!("MEASURE(f.{})", quoted(name)), column))
}

/// Whether the figures of parts add up to that of the whole, as far as that is known.
pub(super) fn adds_up(measure: &Measure, fields: &Fields) -> bool {
    match &measure.measure {
        Some(name) => fields.measure(name).map_or(!fields.knows_meaning(), |measure| measure.additive),
        None => measure.aggregate.is_some_and(Aggregate::adds_up),
    }
}

fn check_top(top: Top, query: &TileQuery, scope: &mut Scope<'_>) -> Result<Top, Problem> {
    if query.by.is_empty() {
        return Err(Problem::at("/top", "the greatest can be told only of something; choose by what it is measured"));
    }
    if !(1..=TOP_MOST).contains(&top.n) {
        return Err(Problem::at("/top/n", "1 to 1,000 can be shown"));
    }
    let first = query.measures.first().and_then(|measure| Some((measure.field.as_deref()?, measure.aggregate)));
    if let Some((field, Some(Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Last) | None)) = first {
        let value = scope.named(field, "/measures/0/field")?.value;
        if value.is_some_and(|value| !value.is_number()) {
            return Err(Problem::at("/top", format!("the greatest are told by numbers, and '{field}' is none")));
        }
    }
    match query.measures.iter().find(|measure| !adds_up(measure, scope.fields)) {
        Some(measure) if top.others => {
            let reason =
                format!("'{}' of all others does not follow from those of each; leave others out", measure.name());
            Err(Problem::at("/top/others", reason))
        }
        _ => Ok(top),
    }
}

/// What stands behind SELECT, each column under a name of its own.
fn selected(columns: Vec<(String, OutputColumn)>) -> (String, Vec<OutputColumn>) {
    let mut named: Vec<OutputColumn> = Vec::new();
    let mut parts = Vec::new();
    for (sql, column) in columns {
        let name = numbered(&column.name, "_", |name| named.iter().any(|known| known.name == name));
        parts.push(format!("{sql} AS {}", quoted(&name)));
        named.push(OutputColumn { name, ..column });
    }
    (parts.join(", "), named)
}
