//! Values sent beside the text: `$1`, `?` and `$name`. They become literals of the parsed statement, never text.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use datafusion::sql::sqlparser::{
    ast::{Expr, UnaryOperator, Value, ValueWithSpan, VisitMut, VisitorMut},
    tokenizer::{Span, Token, TokenWithSpan},
};

use crate::{
    error::{Error, ErrorKind, Result},
    statement::{or_break, visited},
};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// SQL's null.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number as it is written, with every digit: `-12.50`.
    Number(String),
    /// A text, also for dates and times.
    Text(String),
    /// Several values for `IN ($1)`, also for `IN (CAST($1 AS …))`.
    List(Vec<Parameter>),
}

/// The values of a request, by what stands in the text: `1` for `$1` and the first `?`, or a name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(pub BTreeMap<String, Parameter>);

/// Gives each `?` its number, in the order of the text.
pub(crate) fn number(mut tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let numbered = tokens.iter().find(|token| matches!(&token.token, Token::Placeholder(name) if name != "?"));
    let numbered = numbered.is_some();
    let mut count = 0;
    for token in &mut tokens {
        let is_mark = matches!(&token.token, Token::Placeholder(name) if name == "?");
        if is_mark && numbered {
            let message = "? and named parameters cannot stand in one query; use $1, $2, …";
            return Err(Error::new(ErrorKind::Syntax, message).at(token.span.start));
        }
        if is_mark {
            count += 1;
            token.token = Token::Placeholder(format!("${count}"));
        }
    }
    Ok(tokens)
}

/// Puts values in and remembers which were used.
pub(crate) struct Binding<'a> {
    given: &'a Parameters,
    used: BTreeSet<String>,
}

impl<'a> Binding<'a> {
    pub(crate) fn new(given: &'a Parameters) -> Binding<'a> {
        Binding { given, used: BTreeSet::new() }
    }

    /// Binds everything in a part of the statement.
    pub(crate) fn bind(&mut self, part: &mut impl VisitMut) -> Result<()> {
        visited(part.visit(self))
    }

    /// Refuses values that nothing asked for.
    pub(crate) fn finish(self) -> Result<()> {
        match self.given.0.keys().find(|name| !self.used.contains(*name)) {
            None => Ok(()),
            Some(name) => {
                let message = format!("a parameter was sent that the query does not use: ${name}");
                Err(Error::new(ErrorKind::InvalidParameter, message))
            }
        }
    }

    fn value(&mut self, placeholder: &str, span: Span) -> Result<&'a Parameter> {
        let name = placeholder.trim_start_matches(['$', ':', '@', '#']);
        self.used.insert(name.to_owned());
        self.given.0.get(name).ok_or_else(|| {
            let message = format!("nothing is sent for the parameter {placeholder}; put it into \"parameters\"");
            Error::new(ErrorKind::InvalidParameter, message).at(span.start)
        })
    }

    fn replace(&mut self, expression: &mut Expr) -> Result<()> {
        if let Expr::InList { list, .. } = expression
            && let [alone] = list.as_slice()
            && let Some((name, span)) = placeholder(alone)
            && let Parameter::List(values) = self.value(name, span)?
        {
            let one = |value: &Parameter| Ok(in_place(alone, literal(value, span)?));
            *list = values.iter().map(one).collect::<Result<_>>()?;
            return Ok(());
        }
        if let Expr::Value(ValueWithSpan { value: Value::Placeholder(name), span }) = expression {
            let value = self.value(name, *span)?;
            *expression = literal(value, *span)?;
        }
        Ok(())
    }
}

impl VisitorMut for Binding<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        or_break(self.replace(expression))
    }
}

/// The placeholder that an expression is, or that it casts.
fn placeholder(expression: &Expr) -> Option<(&str, Span)> {
    match expression {
        Expr::Value(ValueWithSpan { value: Value::Placeholder(name), span }) => Some((name, *span)),
        Expr::Cast { expr, .. } => placeholder(expr),
        _ => None,
    }
}

/// The same casts of a literal, in the place of the placeholder.
fn in_place(expression: &Expr, literal: Expr) -> Expr {
    let mut made = expression.clone();
    let mut inner = &mut made;
    while let Expr::Cast { expr, .. } = inner {
        inner = expr;
    }
    *inner = literal;
    made
}

fn literal(parameter: &Parameter, span: Span) -> Result<Expr> {
    let value = |value: Value| Expr::Value(ValueWithSpan { value, span });
    Ok(match parameter {
        Parameter::Null => value(Value::Null),
        Parameter::Boolean(given) => value(Value::Boolean(*given)),
        Parameter::Text(text) => value(Value::SingleQuotedString(text.clone())),
        Parameter::Number(digits) => match digits.strip_prefix('-') {
            Some(positive) => {
                let expr = Box::new(value(Value::Number(positive.to_owned(), false)));
                Expr::UnaryOp { op: UnaryOperator::Minus, expr }
            }
            None => value(Value::Number(digits.clone(), false)),
        },
        Parameter::List(_) => {
            let message = "a list of values can only stand alone in IN (…)";
            return Err(Error::new(ErrorKind::InvalidParameter, message).at(span.start));
        }
    })
}
