//! Types of formulas, and their SQL.

use super::{
    Expression, FUNCTIONS, Fault, Node,
    parse::{Operator, Span},
};
use crate::dashboards::builder::{ValueType, literal::Bound, suggest::nearest};

/// A part of a formula, checked.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Checked {
    /// Its SQL; whatever it is, it stands in parentheses where it needs them.
    pub(in super::super) sql: String,
    /// What its values are; `None` of nothing but null.
    pub(in super::super) value: Option<ValueType>,
    /// Whether it is worked out of many facts rather than of each.
    pub(in super::super) aggregated: bool,
    /// Whether it names a field outside of what is put together.
    pub(in super::super) of_facts: bool,
    /// Whether exact numbers are multiplied in it: one product has room for its digits, one of products may not.
    pub(in super::super) multiplied: bool,
}

/// Parts that may lie inside each other, those of calculated fields in the place of their names included.
const DEPTH_MOST: usize = 200;

/// What formulas can name.
pub(in super::super) trait Context {
    /// A field by its name: its SQL, already checked.
    fn field(&mut self, name: &str, span: Span) -> Result<Checked, Fault>;
    /// Where parameters go.
    fn bound(&mut self) -> &mut Bound;
    /// How many parts lie around the one that is checked.
    fn depth(&mut self) -> &mut usize;
}

/// Checks a formula and writes it as SQL.
pub(in super::super) fn check(expression: &Expression, context: &mut dyn Context) -> Result<Checked, Fault> {
    *context.depth() += 1;
    let checked = match *context.depth() > DEPTH_MOST {
        true => {
            let reason = "too many parts lie inside each other; calculate it in fewer steps";
            Err(Fault::new(expression.span, reason))
        }
        false => part(expression, context),
    };
    *context.depth() -= 1;
    checked
}

fn part(expression: &Expression, context: &mut dyn Context) -> Result<Checked, Fault> {
    let span = expression.span;
    match &expression.node {
        Node::Null => Ok(plain("NULL".to_owned(), None)),
        Node::Truth(truth) => Ok(plain(if *truth { "TRUE" } else { "FALSE" }.to_owned(), Some(ValueType::Truth))),
        Node::Number(digits) => {
            let sql = context.bound().number(digits).map_err(|reason| Fault::new(span, reason))?;
            let value = if digits.contains('.') { ValueType::Decimal } else { ValueType::Whole };
            Ok(plain(sql, Some(value)))
        }
        Node::Text(text) => Ok(plain(context.bound().text(text), Some(ValueType::Text))),
        Node::Field(name) => context.field(name, span),
        Node::Negative(inside) => {
            let inside = numbers(check(inside, context)?, inside.span, "−")?;
            let sql = format!("(-{})", exact(&inside));
            Ok(Checked { sql, value: reckoned(inside.value), ..inside })
        }
        Node::Not(inside) => {
            let inside = truth(check(inside, context)?, inside.span, "'not'")?;
            Ok(Checked { sql: format!("(NOT {})", inside.sql), ..inside })
        }
        Node::Binary(operator, left, right) if operator.compares() => {
            comparison(*operator, [left, right], span, context)
        }
        Node::Binary(operator, left, right) => {
            let sides = [check(left, context)?, check(right, context)?];
            binary(*operator, sides, [left, right], span)
        }
        Node::Call(name, arguments) => call(name, arguments, span, context),
    }
}

fn plain(sql: String, value: Option<ValueType>) -> Checked {
    Checked { sql, value, aggregated: false, of_facts: false, multiplied: false }
}

/// What is made of several parts, all of which have to be of each fact or of many.
fn made(sql: String, value: Option<ValueType>, parts: &[Checked], span: Span) -> Result<Checked, Fault> {
    let (aggregated, of_facts) = (parts.iter().any(|part| part.aggregated), parts.iter().any(|part| part.of_facts));
    if aggregated && of_facts {
        let reason = "one part is worked out of many facts and another of each; put the other into sum, min or max too";
        return Err(Fault::new(span, reason));
    }
    let multiplied = parts.iter().any(|part| part.multiplied);
    Ok(Checked { sql, value, aggregated, of_facts, multiplied })
}

fn numbers(part: Checked, span: Span, what: &str) -> Result<Checked, Fault> {
    match part.value {
        Some(value) if !value.is_number() => {
            Err(Fault::new(span, format!("{what} takes numbers, and this is {}", value.word())))
        }
        _ => Ok(part),
    }
}

fn truth(part: Checked, span: Span, what: &str) -> Result<Checked, Fault> {
    match part.value {
        Some(ValueType::Truth) | None => Ok(part),
        Some(value) => Err(Fault::new(span, format!("{what} takes a condition, and this is {}", value.word()))),
    }
}

/// A number that never wraps around.
fn exact(part: &Checked) -> String {
    match part.value {
        Some(ValueType::Whole) | None => format!("CAST({} AS DECIMAL(20, 0))", part.sql),
        _ => part.sql.clone(),
    }
}

/// What comes of a number that was reckoned with.
fn reckoned(value: Option<ValueType>) -> Option<ValueType> {
    value.map(|value| if value == ValueType::Whole { ValueType::Decimal } else { value })
}

/// A floating number. What is no number after all, such as null, stays that.
fn float(part: &Checked) -> String {
    format!("CAST({} AS DOUBLE)", part.sql)
}

fn binary(operator: Operator, [left, right]: [Checked; 2], at: [&Expression; 2], span: Span) -> Result<Checked, Fault> {
    let sign = operator.sql().0;
    match operator {
        Operator::Or | Operator::And => {
            let word = format!("'{}'", sign.to_lowercase());
            let parts = [truth(left, at[0].span, &word)?, truth(right, at[1].span, &word)?];
            let sql = format!("({} {sign} {})", parts[0].sql, parts[1].sql);
            made(sql, Some(ValueType::Truth), &parts, span)
        }
        Operator::By => {
            let parts = [numbers(left, at[0].span, "÷")?, numbers(right, at[1].span, "÷")?];
            // Adding zero makes one zero of two: -0.0 is not 0.0 to NULLIF.
            let sql = format!("({} / NULLIF({} + 0.0, 0.0))", float(&parts[0]), float(&parts[1]));
            made(sql, Some(ValueType::Float), &parts, span)
        }
        _ => {
            let parts = [numbers(left, at[0].span, sign)?, numbers(right, at[1].span, sign)?];
            let multiplies = operator == Operator::Times;
            let too_long = multiplies && parts.iter().any(|part| part.multiplied);
            let floats = too_long || parts.iter().any(|part| part.value == Some(ValueType::Float));
            let side = if floats { float } else { exact };
            let sql = format!("({} {sign} {})", side(&parts[0]), side(&parts[1]));
            let value = if floats { ValueType::Float } else { ValueType::Decimal };
            let made = made(sql, Some(value), &parts, span)?;
            Ok(Checked { multiplied: !floats && (multiplies || made.multiplied), ..made })
        }
    }
}

/// A comparison. A text beside a time is read as one.
fn comparison(
    operator: Operator,
    [left, right]: [&Expression; 2],
    span: Span,
    context: &mut dyn Context,
) -> Result<Checked, Fault> {
    let is_text = |side: &Expression| matches!(side.node, Node::Text(_));
    let sides = match (is_text(left), is_text(right)) {
        (true, false) => {
            let right = check(right, context)?;
            [beside(left, &right, context)?, right]
        }
        (false, true) => {
            let left = check(left, context)?;
            let right = beside(right, &left, context)?;
            [left, right]
        }
        _ => [check(left, context)?, check(right, context)?],
    };
    unified(&sides, span, "can be compared")?;
    let sql = format!("({} {} {})", sides[0].sql, operator.sql().0, sides[1].sql);
    made(sql, Some(ValueType::Truth), &sides, span)
}

fn beside(text: &Expression, other: &Checked, context: &mut dyn Context) -> Result<Checked, Fault> {
    match (&text.node, other.value.filter(|value| value.is_time())) {
        (Node::Text(written), Some(wanted)) => {
            let sql = context.bound().value(written, wanted).map_err(|reason| Fault::new(text.span, reason))?;
            Ok(plain(sql, Some(wanted)))
        }
        _ => check(text, context),
    }
}

/// The type that several parts have in common; `None` where all are null.
fn unified(parts: &[Checked], span: Span, what: &str) -> Result<Option<ValueType>, Fault> {
    let mut common = None;
    for value in parts.iter().filter_map(|part| part.value) {
        common = match common {
            None => Some(value),
            Some(known) if known == value => Some(value),
            Some(known) if known.is_number() && value.is_number() => {
                let floats = [known, value].contains(&ValueType::Float);
                Some(if floats { ValueType::Float } else { ValueType::Decimal })
            }
            Some(known) if known.is_time() && value.is_time() => Some(ValueType::Instant),
            Some(known) => {
                let reason =
                    format!("{} and {} are given, and only values of one type {what}", known.word(), value.word());
                return Err(Fault::new(span, reason));
            }
        };
    }
    Ok(common)
}

fn call(name: &str, arguments: &[Expression], span: Span, context: &mut dyn Context) -> Result<Checked, Fault> {
    let Some(help) = FUNCTIONS.iter().find(|help| help.name == name) else {
        let names = FUNCTIONS.iter().map(|help| help.name.to_owned()).collect::<Vec<_>>();
        let meant = nearest(name, &names).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        return Err(Fault::new(span, format!("there is no function {name}{meant}")));
    };
    let parts = arguments.iter().map(|argument| check(argument, context)).collect::<Result<Vec<_>, _>>()?;
    let counts = match name {
        "count" => 0..=1,
        "round" => 1..=2,
        "if" => 3..=3,
        "case" => 2..=60,
        "coalesce" | "greatest" | "least" => 1..=60,
        _ => 1..=1,
    };
    if !counts.contains(&parts.len()) {
        let reason = format!("{name}({}) cannot be given {} of them", help.given, parts.len());
        return Err(Fault::new(span, reason));
    }
    let all = |parts: &[Checked]| parts.iter().map(|part| part.sql.clone()).collect::<Vec<_>>().join(", ");
    match name {
        "count" | "count_distinct" | "sum" | "avg" | "min" | "max" | "median" => {
            aggregate(name, parts, arguments, span)
        }
        "if" | "case" => branches(name, parts, arguments, span),
        "coalesce" | "greatest" | "least" => {
            let value = unified(&parts, span, &format!("can be given to {name}"))?;
            made(format!("{name}({})", all(&parts)), value, &parts, span)
        }
        "abs" => {
            let parts = [numbers(parts[0].clone(), arguments[0].span, name)?];
            made(format!("abs({})", exact(&parts[0])), reckoned(parts[0].value), &parts, span)
        }
        "floor" | "ceil" => {
            let parts = [numbers(parts[0].clone(), arguments[0].span, name)?];
            made(format!("{name}({})", float(&parts[0])), Some(ValueType::Float), &parts, span)
        }
        "round" => round(parts, arguments, span),
        "lower" | "upper" | "length" => match parts[0].value {
            Some(ValueType::Text) | None => {
                let sql = if name == "length" { "character_length" } else { name };
                let value = if name == "length" { ValueType::Whole } else { ValueType::Text };
                made(format!("{sql}({})", parts[0].sql), Some(value), &parts, span)
            }
            Some(value) => {
                Err(Fault::new(arguments[0].span, format!("{name} takes a text, and this is {}", value.word())))
            }
        },
        _ => match parts[0].value {
            Some(value) if !value.is_time() => {
                Err(Fault::new(arguments[0].span, format!("{name} takes a time, and this is {}", value.word())))
            }
            _ => made(
                format!("CAST(extract({name} FROM {}) AS BIGINT)", parts[0].sql),
                Some(ValueType::Whole),
                &parts,
                span,
            ),
        },
    }
}

fn aggregate(name: &str, parts: Vec<Checked>, arguments: &[Expression], span: Span) -> Result<Checked, Fault> {
    let multiplied = parts.iter().any(|part| part.multiplied);
    let done = |sql: String, value: Option<ValueType>| {
        Ok(Checked { sql, value, aggregated: true, of_facts: false, multiplied })
    };
    let Some(part) = parts.into_iter().next() else {
        // Steps at which nothing holds have a row without a fact.
        return done(format!("count({})", super::super::compile::FACT), Some(ValueType::Whole));
    };
    if part.aggregated {
        return Err(Fault::new(span, format!("{name} is given what is put together of many facts already")));
    }
    let part = match name {
        "sum" | "avg" | "median" => numbers(part, arguments[0].span, name)?,
        _ => part,
    };
    match name {
        "count" => done(format!("count({})", part.sql), Some(ValueType::Whole)),
        "count_distinct" => done(format!("count(DISTINCT {})", part.sql), Some(ValueType::Whole)),
        "sum" => done(format!("sum({})", exact(&part)), reckoned(part.value)),
        "avg" | "median" => done(format!("{name}({})", float(&part)), Some(ValueType::Float)),
        _ => done(format!("{name}({})", part.sql), part.value),
    }
}

fn branches(name: &str, parts: Vec<Checked>, arguments: &[Expression], span: Span) -> Result<Checked, Fault> {
    let mut sql = "(CASE".to_owned();
    let mut values = Vec::new();
    let mut at = 0;
    while at + 1 < parts.len() {
        let condition = truth(parts[at].clone(), arguments[at].span, &format!("{name} before a value"))?;
        sql.push_str(&format!(" WHEN {} THEN {}", condition.sql, parts[at + 1].sql));
        values.push(parts[at + 1].clone());
        at += 2;
    }
    if let Some(otherwise) = parts.get(at) {
        sql.push_str(&format!(" ELSE {}", otherwise.sql));
        values.push(otherwise.clone());
    }
    sql.push_str(" END)");
    let value = unified(&values, span, &format!("can be given by {name}"))?;
    made(sql, value, &parts, span)
}

fn round(parts: Vec<Checked>, arguments: &[Expression], span: Span) -> Result<Checked, Fault> {
    let parts: Vec<Checked> = parts
        .into_iter()
        .zip(arguments)
        .map(|(part, argument)| numbers(part, argument.span, "round"))
        .collect::<Result<_, _>>()?;
    let sql = match parts.get(1) {
        None => format!("round({})", float(&parts[0])),
        Some(decimals) => format!("round({}, TRY_CAST({} AS INT))", float(&parts[0]), decimals.sql),
    };
    made(sql, Some(ValueType::Float), &parts, span)
}
