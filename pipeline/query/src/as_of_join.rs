//! `AS OF` a time that depends on rows: each row is joined to the version effective, or known, at its time.
//!
//! `FROM trades t JOIN prices FOR VALID_TIME AS OF t.traded_at AS p ON …` reads all versions of `prices`, and the
//! condition that the version's period contains the row's time goes where the table's other conditions are: into ON
//! where the table is joined, into WHERE where it stands in FROM. The planner does the rest (`interval_join`).

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::{
    ast::{
        BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
        JoinConstraint, JoinOperator, ObjectName, Query, Select, SetExpr, Statement, TableFactor, TableWithJoins,
        Value, VisitMut, VisitorMut, visit_expressions,
    },
    tokenizer::Location,
};
use lake::model::Instant;

use crate::{
    clause::{Axis, Written},
    error::{Error, ErrorKind, Result},
    period_functions::{CONTAINS_INSTANT, CONTAINS_KNOWN},
    statement::{normalise, or_break, visited},
};

/// A table whose times are taken from rows of others.
pub(crate) struct PerRow {
    pub(crate) private_name: String,
    pub(crate) axis: Axis,
    pub(crate) time: Written,
}

/// Adds the conditions. Every table has to be found in a FROM.
pub(crate) fn add_conditions(statement: &mut Statement, tables: &[PerRow], last_committed: Instant) -> Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    let mut joiner = Joiner { tables, last_committed, depth: 0 };
    visited(statement.visit(&mut joiner))
}

struct Joiner<'a> {
    tables: &'a [PerRow],
    last_committed: Instant,
    /// How many queries are around; only inside another can a time be taken from outside.
    depth: usize,
}

impl VisitorMut for Joiner<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        or_break(self.set_expression(&mut query.body))
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

impl Joiner<'_> {
    /// Queries in parentheses are visited on their own.
    fn set_expression(&self, body: &mut SetExpr) -> Result<()> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.set_expression(left)?;
                self.set_expression(right)
            }
            _ => Ok(()),
        }
    }

    fn select(&self, select: &mut Select) -> Result<()> {
        if let [TableWithJoins { relation, joins }] = select.from.as_slice()
            && joins.is_empty()
            && self.depth == 1
            && let Some(table) = self.of(relation).next()
        {
            let message = format!(
                "the time {} is not a constant, and there is no other table whose rows it could be taken from",
                table.time.expression
            );
            return Err(Error::new(ErrorKind::InvalidTime, message).at(table.time.location));
        }
        for from in &mut select.from {
            for condition in self.joined_item(from)? {
                select.selection = Some(both(select.selection.take(), condition));
            }
        }
        Ok(())
    }

    /// Conditions for tables that are joined go into ON; those for the first table are given back.
    fn joined_item(&self, from: &mut TableWithJoins) -> Result<Vec<Expr>> {
        let for_where = match &mut from.relation {
            TableFactor::NestedJoin { table_with_joins, .. } => self.joined_item(table_with_joins)?,
            relation => self.conditions(relation)?,
        };
        for join in &mut from.joins {
            let mut conditions = self.conditions(&join.relation)?;
            if let TableFactor::NestedJoin { table_with_joins, .. } = &mut join.relation {
                conditions.extend(self.joined_item(table_with_joins)?);
            }
            for condition in conditions {
                self.add_to_join(&join.relation, &mut join.join_operator, condition)?;
            }
            if !for_where.is_empty() && keeps_unmatched_right(&join.join_operator) {
                return Err(
                    self.refuse(&from.relation, "a table AS OF another's rows cannot stand left of RIGHT or FULL JOIN")
                );
            }
        }
        Ok(for_where)
    }

    fn add_to_join(&self, relation: &TableFactor, operator: &mut JoinOperator, condition: Expr) -> Result<()> {
        let constraint = match operator {
            JoinOperator::CrossJoin(_) => {
                *operator = JoinOperator::Inner(JoinConstraint::On(condition));
                return Ok(());
            }
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::Semi(constraint)
            | JoinOperator::LeftSemi(constraint)
            | JoinOperator::RightSemi(constraint)
            | JoinOperator::Anti(constraint)
            | JoinOperator::LeftAnti(constraint)
            | JoinOperator::RightAnti(constraint) => constraint,
            _ => return Err(self.refuse(relation, "AS OF another table's rows is not offered in this kind of join")),
        };
        match constraint {
            JoinConstraint::On(on) => *constraint = JoinConstraint::On(both(Some(on.clone()), condition)),
            JoinConstraint::None => *constraint = JoinConstraint::On(condition),
            _ => return Err(self.refuse(relation, "AS OF another table's rows needs JOIN … ON, not USING or NATURAL")),
        }
        Ok(())
    }

    fn conditions(&self, relation: &TableFactor) -> Result<Vec<Expr>> {
        let TableFactor::Table { alias: Some(alias), .. } = relation else { return Ok(Vec::new()) };
        let condition = |table: &PerRow| {
            if names_table(&table.time.expression, &alias.name) {
                let message =
                    format!("the time {} is of the table itself, not of another's rows", table.time.expression);
                return Err(Error::new(ErrorKind::InvalidTime, message).at(table.time.location));
            }
            Ok(contains(&alias.name, table, self.last_committed))
        };
        self.of(relation).map(condition).collect()
    }

    fn of(&self, relation: &TableFactor) -> impl Iterator<Item = &PerRow> {
        let name = match relation {
            TableFactor::Table { name, .. } => name.0.last().and_then(|part| part.as_ident()).map(|i| i.value.clone()),
            _ => None,
        };
        self.tables.iter().filter(move |table| name.as_ref() == Some(&table.private_name))
    }

    fn refuse(&self, relation: &TableFactor, message: &str) -> Error {
        let location = self.of(relation).next().map_or(Location::empty(), |table| table.time.location);
        Error::new(ErrorKind::Unsupported, message).at(location)
    }
}

fn names_table(expression: &Expr, alias: &Ident) -> bool {
    let mut own = false;
    let _ = visit_expressions(expression, |inner| {
        own |= matches!(inner, Expr::CompoundIdentifier(parts)
            if parts.len() > 1 && normalise(&parts[parts.len() - 2]) == normalise(alias));
        ControlFlow::<()>::Continue(())
    });
    own
}

fn keeps_unmatched_right(operator: &JoinOperator) -> bool {
    matches!(operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_))
}

fn both(first: Option<Expr>, second: Expr) -> Expr {
    let Some(first) = first else { return second };
    let nested = |expression| Box::new(Expr::Nested(Box::new(expression)));
    Expr::BinaryOp { left: nested(first), op: BinaryOperator::And, right: Box::new(second) }
}

/// `period_contains_instant(alias.valid_from, alias.valid_to, time)`; of system time with the last commit behind it, later
/// than which nothing can be asked for.
fn contains(alias: &Ident, table: &PerRow, last_committed: Instant) -> Expr {
    let (axis, function) = match table.axis {
        Axis::Valid => ("valid", CONTAINS_INSTANT),
        Axis::System => ("system", CONTAINS_KNOWN),
    };
    let bound = |end: &str| Expr::CompoundIdentifier(vec![alias.clone(), Ident::new(format!("{axis}_{end}"))]);
    let mut arguments = vec![bound("from"), bound("to"), table.time.expression.clone()];
    if table.axis == Axis::System {
        let last = Value::SingleQuotedString(last_committed.to_string());
        arguments.push(Expr::Value(last.with_empty_span()));
    }
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(function)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
