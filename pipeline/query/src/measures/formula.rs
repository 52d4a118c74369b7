//! Formulas of measures: one expression over the columns of a dataset that puts rows together, and may use other measures of
//! the same dataset by `MEASURE(name)`.

use std::{collections::BTreeMap, ops::ControlFlow};

use datafusion::sql::sqlparser::{
    ast::{
        Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, Value, VisitMut, VisitorMut, visit_expressions,
        visit_expressions_mut,
    },
    dialect::GenericDialect,
    parser::Parser,
    tokenizer::{Location, Span, Token},
};

use super::call_of;
use crate::{
    clause::{self, NESTING_LIMIT},
    error::{Error, ErrorKind, Result, close_names, listed, quoted},
    micros,
    statement::{self, normalise, or_break, visited},
    text,
};

/// Operators that the formulas of one query may bring, those of the measures they use among them: chains of them become trees
/// as deep as they are long.
const OPERATORS_MOST: usize = 1_000;
/// Tokens that they may bring: a measure that uses another twice, which uses a third twice, doubles at each step.
const TOKENS_MOST: usize = 20_000;
/// Measures that may lie inside each other.
const MEASURES_DEEP: usize = 16;
/// Bytes of a formula at most.
const FORMULA_BYTES_MOST: usize = 4_000;

/// What further formulas may bring to a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    operators: usize,
    tokens: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { operators: OPERATORS_MOST, tokens: TOKENS_MOST }
    }
}

impl Budget {
    fn spend(&mut self, operators: usize, tokens: usize) -> Result<()> {
        let left = self.operators.checked_sub(operators).zip(self.tokens.checked_sub(tokens));
        let Some((operators, tokens)) = left else {
            let message = format!(
                "with all the measures it uses it has more than {OPERATORS_MOST} operators or {TOKENS_MOST} words and \
                 signs; define it in fewer"
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        *self = Budget { operators, tokens };
        Ok(())
    }
}

/// The formulas of a dataset's measures, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Formulas(BTreeMap<String, String>);

impl Formulas {
    /// Of names and formulas.
    pub(crate) fn of(all: impl IntoIterator<Item = (String, String)>) -> Formulas {
        Formulas(all.into_iter().collect())
    }

    /// Whether there is a measure of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The formula of a measure with those it uses put in. What goes wrong in its own text has its place there.
    pub(crate) fn expanded(&self, name: &str, budget: &mut Budget) -> Result<Expr> {
        Expanding { formulas: self, path: Vec::new(), budget }.of(name)
    }
}

struct Expanding<'a> {
    formulas: &'a Formulas,
    /// The measures that are being put in, from the outermost.
    path: Vec<String>,
    budget: &'a mut Budget,
}

impl Expanding<'_> {
    fn of(&mut self, name: &str) -> Result<Expr> {
        let formulas = self.formulas;
        let Some(formula) = formulas.0.get(name) else { return Err(self.no_such(name)) };
        if self.path.len() >= MEASURES_DEEP {
            let message = format!("more than {MEASURES_DEEP} measures lie inside each other; define it in fewer steps");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let Parsed { mut expression, operators, tokens } = parse(formula)?;
        self.budget.spend(operators, tokens)?;
        self.path.push(name.to_owned());
        let outcome = visited(VisitMut::visit(&mut expression, self));
        self.path.pop();
        outcome.map(|()| expression)
    }

    fn replace(&mut self, expression: &mut Expr) -> Result<()> {
        let Some(call) = call_of(expression)? else { return Ok(()) };
        let at = call.span.start;
        if let Some(first) = self.path.iter().position(|known| *known == call.name) {
            let circle: Vec<&str> = self.path[first..].iter().map(String::as_str).chain([&*call.name]).collect();
            let message = format!("a measure is made of itself: {}", circle.join(" → "));
            return Err(Error::new(ErrorKind::Unsupported, message).at(at));
        }
        if !self.formulas.has(&call.name) {
            return Err(self.no_such(&call.name).at(at));
        }
        let mut inner = self.of(&call.name).map_err(|error| {
            let named = |message: String| format!("in the measure '{}': {message}", call.name);
            error.without_place().map_message(named).at(at)
        })?;
        forget_places(&mut inner);
        *expression = Expr::Nested(Box::new(inner));
        Ok(())
    }

    fn no_such(&self, name: &str) -> Error {
        let names: Vec<&str> = self.formulas.names().collect();
        let near = close_names(name, names.iter().copied());
        let message = match near.is_empty() {
            false => format!("there is no measure '{name}'; did you mean {}?", quoted(&near)),
            true => format!("there is no measure '{name}'; there are {}", listed(&names)),
        };
        Error::new(ErrorKind::UnknownColumn, message)
    }
}

impl VisitorMut for Expanding<'_> {
    type Break = Error;

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        or_break(self.replace(expression))
    }
}

/// Places in the formula of another measure mean nothing here.
fn forget_places(expression: &mut Expr) {
    let _ = visit_expressions_mut(expression, |part| {
        if let Expr::Identifier(name) = part {
            name.span = Span::empty();
        }
        ControlFlow::<()>::Continue(())
    });
}

/// A formula, and how much of it there is.
struct Parsed {
    expression: Expr,
    operators: usize,
    tokens: usize,
}

fn parse(formula: &str) -> Result<Parsed> {
    if formula.len() > FORMULA_BYTES_MOST {
        let message = format!("the formula has {} bytes; it has at most {FORMULA_BYTES_MOST}", formula.len());
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let mut tokens = text::without_clauses(clause::tokens(formula)?)?;
    tokens.retain(|token| token.token != Token::EOF);
    let (operators, size) = (statement::operators(&tokens), tokens.len());
    let end = tokens.last().map_or(Location::empty(), |token| token.span.end);
    let mut parser =
        Parser::new(&GenericDialect {}).with_recursion_limit(NESTING_LIMIT).with_tokens_with_locations(tokens);
    let mut expression = parser.parse_expr().map_err(|error| Error::from(error).at(end))?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        let message = format!("expected the end of the formula, found: {}", next.token);
        return Err(Error::new(ErrorKind::Syntax, message).at(next.span.start));
    }
    micros::name_precision(&mut expression);
    check(&expression)?;
    Ok(Parsed { expression, operators, tokens: size })
}

/// A formula is one of rows of its own dataset, whatever query it comes to stand in.
fn check(expression: &Expr) -> Result<()> {
    let refused =
        |message: &str, place: Location| ControlFlow::Break(Error::new(ErrorKind::Unsupported, message).at(place));
    let flow = visit_expressions(expression, |part| match part {
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
            refused("a formula holds no query of its own", part.span().start)
        }
        Expr::CompoundIdentifier(names) => {
            let place = names.first().map_or(Location::empty(), |name| name.span.start);
            refused("columns and measures stand in a formula by their names alone", place)
        }
        Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
            refused("a formula takes no parameters", value.span.start)
        }
        Expr::Function(function) if has_all_columns_of_a_table(&function.args) => {
            refused("columns and measures stand in a formula by their names alone", function.name.span().start)
        }
        Expr::Function(function) if function.over.is_some() => {
            refused("a formula puts rows together and has no OVER", function.name.span().start)
        }
        Expr::Function(function) if matches!(function.args, FunctionArguments::Subquery(_)) => {
            refused("a formula holds no query of its own", function.name.span().start)
        }
        _ => ControlFlow::Continue(()),
    });
    visited(flow)
}

/// Whether `t.*` is among the arguments.
fn has_all_columns_of_a_table(arguments: &FunctionArguments) -> bool {
    let is_all =
        |argument: &FunctionArg| matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(_)));
    matches!(arguments, FunctionArguments::List(list) if list.args.iter().any(is_all))
}

/// Sees that an expanded formula puts rows together and names columns that are there. `is_aggregate` knows functions by name.
pub(super) fn check_expanded(expression: &Expr, columns: &[String], is_aggregate: impl Fn(&str) -> bool) -> Result<()> {
    let mut puts_together = false;
    let flow = visit_expressions(expression, |part| match part {
        Expr::Function(function) => {
            let name = function.name.0.last().and_then(|part| part.as_ident()).map(normalise).unwrap_or_default();
            puts_together |= is_aggregate(&name);
            ControlFlow::Continue(())
        }
        Expr::Identifier(name) if !columns.contains(&normalise(name)) => {
            let near = close_names(&name.value, columns.iter().map(String::as_str));
            let meant = match near.is_empty() {
                true => String::new(),
                false => format!("; did you mean {}?", quoted(&near)),
            };
            let message = format!("there is no column '{}'{meant}", name.value);
            ControlFlow::Break(Error::new(ErrorKind::UnknownColumn, message).at(name.span.start))
        }
        _ => ControlFlow::Continue(()),
    });
    visited(flow)?;
    match puts_together {
        true => Ok(()),
        false => {
            let message = "a formula puts rows together: use an aggregate function in it, such as sum or count";
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formulas() -> Formulas {
        let all = [
            ("turnover", "sum(close * volume)"),
            ("shares", "sum(volume)"),
            ("vwap", "MEASURE(turnover) / measure(shares)"),
            ("a", "MEASURE(b) + 1"),
            ("b", "2 * MEASURE(a)"),
            ("gone", "MEASURE(turnovr)"),
            ("broken", "sum(close"),
            ("uses_broken", "1 + MEASURE(broken)"),
        ];
        Formulas::of(all.map(|(name, formula)| (name.to_owned(), formula.to_owned())))
    }

    fn expanded(name: &str) -> Result<Expr> {
        formulas().expanded(name, &mut Budget::default())
    }

    fn refused(name: &str) -> String {
        expanded(name).unwrap_err().to_string()
    }

    #[test]
    fn measures_are_put_into_measures() {
        assert_eq!(expanded("vwap").unwrap().to_string(), "(sum(close * volume)) / (sum(volume))");
    }

    #[test]
    fn circles_and_names_that_are_not_there_are_told() {
        assert!(refused("a").contains("a measure is made of itself: a → b → a"), "{}", refused("a"));
        assert!(refused("gone").contains("did you mean 'turnover'? (line 1, column 1)"), "{}", refused("gone"));
        assert!(refused("uses_broken").starts_with("in the measure 'broken': "), "{}", refused("uses_broken"));
        assert!(refused("uses_broken").ends_with("(line 1, column 5)"), "{}", refused("uses_broken"));
        let mut few = Budget { operators: 1, ..Budget::default() };
        assert!(formulas().expanded("vwap", &mut few).unwrap_err().message().contains("operators"));
    }

    #[test]
    fn measures_that_double_at_each_step_end_soon() {
        let doubled = (1..12).map(|step| {
            let before = step - 1;
            (format!("m{step}"), format!("coalesce(MEASURE(m{before}), MEASURE(m{before}))"))
        });
        let formulas = Formulas::of(doubled.chain([("m0".to_owned(), "sum(volume)".to_owned())]));
        assert!(formulas.expanded("m3", &mut Budget::default()).is_ok());
        let refused = formulas.expanded("m11", &mut Budget::default()).unwrap_err();
        assert!(refused.message().contains("define it in fewer"), "{refused}");
        let long = (1..40).map(|step| (format!("m{step}"), format!("abs(MEASURE(m{}))", step - 1)));
        let formulas = Formulas::of(long.chain([("m0".to_owned(), "sum(volume)".to_owned())]));
        let refused = formulas.expanded("m39", &mut Budget::default()).unwrap_err();
        assert!(refused.message().contains("inside each other"), "{refused}");
    }

    #[test]
    fn what_is_no_single_expression_of_its_dataset_is_refused() {
        for formula in [
            "",
            "sum(a) FROM b",
            "sum(a), sum(b)",
            "sum(a) AS x",
            "(SELECT 1)",
            "sum(t.a)",
            "count(t.*)",
            "sum($1)",
            "sum(a) OVER ()",
            "sum(a); DROP TABLE b",
            "a IN (SELECT 1)",
        ] {
            assert!(parse(formula).is_err(), "{formula}");
        }
        let columns = ["close".to_owned()];
        let checked = |formula: &str| {
            let parsed = parse(formula).unwrap();
            check_expanded(&parsed.expression, &columns, |name| name == "sum").map_err(|error| error.to_string())
        };
        assert_eq!(checked("sum(close) / 2"), Ok(()));
        assert!(checked("close / 2").unwrap_err().contains("aggregate function"));
        assert!(checked("sum(clsoe)").unwrap_err().contains("did you mean 'close'? (line 1, column 5)"));
    }
}
