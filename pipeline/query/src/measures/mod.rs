//! `MEASURE(name)`: the formula that a dataset's semantic definition gives the measure, put in the place of the call before
//! anything is planned.
//!
//! A call stands in SELECT, HAVING, QUALIFY or ORDER BY and is of a table that this very SELECT reads. The definition is the one
//! that was known at the system time the table is read at, so an old page has old formulas. Where no call stands in a
//! statement nothing is read.

mod formula;
mod stored;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::{
    ast::{
        Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, OrderBy, Query, Select, SelectItem, SetExpr,
        Spanned, Statement, TableFactor, TableWithJoins, VisitMut, VisitorMut, visit_expressions,
        visit_expressions_mut,
    },
    tokenizer::{Location, Span},
};
use lake::model::Instant;

pub use stored::{DATASET, FormulaMistake};

use formula::Budget;
use stored::{Known, Stored};

use crate::{
    catalog::{Bound, DATASETS, Datasets},
    error::{Error, ErrorKind, Result, close_names, listed, quoted},
    planner::qualified,
    statement::{self, WithNames, normalise, or_break, visited},
};

/// The name of the function.
const MEASURE: &str = "measure";

/// A call of MEASURE.
struct Call {
    /// The table it is of, where it says so.
    table: Option<String>,
    /// The measure.
    name: String,
    /// Where the call stands.
    span: Span,
}

/// Whether a statement calls MEASURE anywhere.
pub(crate) fn stand_in(statement: &Statement) -> bool {
    first_call(statement).is_some()
}

/// Puts formulas in the place of calls.
pub(crate) fn put(statement: &mut Statement, datasets: &Datasets, stored: &Stored) -> Result<()> {
    let mut putting =
        Putting { datasets, stored, with: WithNames::default(), budget: Budget::default(), in_view: false };
    visited(VisitMut::visit(statement, &mut putting))?;
    let in_view = putting.in_view;
    match first_call(statement) {
        None => Ok(()),
        Some(place) => {
            let message = "MEASURE stands in SELECT, HAVING, QUALIFY or ORDER BY of a SELECT that reads its dataset";
            let error = Error::new(ErrorKind::Syntax, message);
            Err(if in_view { error } else { error.at(place) })
        }
    }
}

/// Where the first call stands.
fn first_call(statement: &Statement) -> Option<Location> {
    let found = visit_expressions(statement, |part| match place_of_call(part) {
        Some(span) => ControlFlow::Break(span.start),
        None => ControlFlow::Continue(()),
    });
    found.break_value()
}

/// Where an expression that calls MEASURE has the function's name.
fn place_of_call(expression: &Expr) -> Option<Span> {
    let Expr::Function(function) = expression else { return None };
    let [part] = function.name.0.as_slice() else { return None };
    let is_measure = part.as_ident().is_some_and(|name| normalise(name) == MEASURE);
    is_measure.then(|| function.name.span())
}

/// The call that an expression is; an error where it calls MEASURE in a way that means nothing.
fn call_of(expression: &Expr) -> Result<Option<Call>> {
    let (Some(span), Expr::Function(function)) = (place_of_call(expression), expression) else { return Ok(None) };
    let refused = |message: &str| Err(Error::new(ErrorKind::Syntax, message).at(span.start));
    let is_plain = function.over.is_none()
        && function.filter.is_none()
        && function.null_treatment.is_none()
        && function.within_group.is_empty();
    if !is_plain {
        return refused("MEASURE takes no FILTER, OVER or WITHIN GROUP; its formula says which rows are put together");
    }
    let names: &[Ident] = match &function.args {
        FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => {
            match list.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name)))] => std::slice::from_ref(name),
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(names)))] => names,
                _ => &[],
            }
        }
        _ => &[],
    };
    match names {
        [name] => Ok(Some(Call { table: None, name: normalise(name), span })),
        [table, name] => Ok(Some(Call { table: Some(normalise(table)), name: normalise(name), span })),
        _ => refused("MEASURE takes the name of one measure: MEASURE(name), or MEASURE(t.name) of the table t"),
    }
}

/// A table that a SELECT reads.
struct Table<'a> {
    /// What its columns are qualified with.
    called: String,
    /// Its measures; none of what is no dataset.
    known: Option<&'a Known>,
    /// Whether the SELECT is part of a view, whose text has places of its own.
    in_view: bool,
}

struct Putting<'a> {
    datasets: &'a Datasets,
    stored: &'a Stored,
    with: WithNames,
    budget: Budget,
    /// Whether a view is part of the statement.
    in_view: bool,
}

impl VisitorMut for Putting<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.with.enter(query);
        let Query { body, order_by, .. } = query;
        or_break(self.in_body(body, order_by))
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.with.leave(query);
        ControlFlow::Continue(())
    }
}

impl<'a> Putting<'a> {
    /// The order belongs to a SELECT that is all of a query; of several put together it names their columns.
    fn in_body(&mut self, body: &mut SetExpr, order: &mut Option<OrderBy>) -> Result<()> {
        match body {
            SetExpr::Select(select) => self.in_select(select, order),
            SetExpr::SetOperation { left, right, .. } => {
                self.in_body(left, &mut None)?;
                self.in_body(right, &mut None)
            }
            _ => Ok(()),
        }
    }

    fn in_select(&mut self, select: &mut Select, order: &mut Option<OrderBy>) -> Result<()> {
        let tables = self.tables_of(select);
        self.in_view |= tables.iter().any(|table| table.in_view);
        select.projection.iter_mut().try_for_each(name_column)?;
        let mut calls = Calls { tables: &tables, budget: &mut self.budget, depth: 0 };
        visited(VisitMut::visit(&mut select.projection, &mut calls))?;
        visited(VisitMut::visit(&mut select.having, &mut calls))?;
        visited(VisitMut::visit(&mut select.qualify, &mut calls))?;
        visited(VisitMut::visit(order, &mut calls))
    }

    fn tables_of(&self, select: &Select) -> Vec<Table<'a>> {
        let mut factors = Vec::new();
        factors_of(&select.from, &mut factors);
        factors.into_iter().filter_map(|factor| self.table_of(factor)).collect()
    }

    fn table_of(&self, factor: &TableFactor) -> Option<Table<'a>> {
        let (name, alias, is_table) = match factor {
            TableFactor::Table { name, alias, args, .. } => (statement::parts(name), alias.as_ref(), args.is_none()),
            TableFactor::Derived { alias, .. } => (Vec::new(), alias.as_ref(), false),
            _ => return None,
        };
        let called = alias.map(|alias| normalise(&alias.name)).or_else(|| name.last().cloned())?;
        // Columns that have other names here are not those that formulas name.
        let as_defined = alias.is_none_or(|alias| alias.columns.is_empty());
        let known = if is_table && as_defined { self.known(&name) } else { None };
        let in_view = matches!(&name[..], [one] if one.contains("@v") || one.matches('@').count() > 1);
        Some(Table { called, known, in_view })
    }

    /// The measures of the dataset that a name stands for, as known at the system time at which it is read.
    fn known(&self, name: &[String]) -> Option<&'a Known> {
        let (dataset, at) = match name {
            [one] if self.with.sees(one) => return None,
            [one] if self.datasets.bound.contains_key(one) => read_by(self.datasets.bound.get(one)?)?,
            name => match qualified(name) {
                (Some(DATASETS), dataset) => (dataset, self.datasets.defaults.known()),
                _ => return None,
            },
        };
        self.stored.get(&(dataset.to_owned(), at))
    }
}

/// The dataset whose rows a private name stands for, and what was known of it at the latest.
fn read_by(bound: &Bound) -> Option<(&str, Instant)> {
    match bound {
        Bound::Dataset { dataset, coordinates } => Some((dataset, coordinates.known())),
        Bound::Diff { .. } | Bound::Rows(_) => None,
    }
}

fn factors_of<'s>(from: &'s [TableWithJoins], found: &mut Vec<&'s TableFactor>) {
    for TableWithJoins { relation, joins } in from {
        for factor in std::iter::once(relation).chain(joins.iter().map(|join| &join.relation)) {
            match factor {
                TableFactor::NestedJoin { table_with_joins, alias: None } => {
                    factors_of(std::slice::from_ref(&**table_with_joins), found);
                }
                other => found.push(other),
            }
        }
    }
}

/// A column that is a measure and has no name has the measure's.
fn name_column(item: &mut SelectItem) -> Result<()> {
    if let SelectItem::UnnamedExpr(expression) = item
        && let Some(call) = call_of(expression)?
    {
        let alias = Ident::with_quote_and_span('"', call.span, call.name);
        *item = SelectItem::ExprWithAlias { expr: expression.clone(), alias };
    }
    Ok(())
}

/// The calls of one SELECT. Those in queries inside it are their own SELECT's.
struct Calls<'t, 'a> {
    tables: &'t [Table<'a>],
    budget: &'t mut Budget,
    /// How many queries lie around the visitor, inside the SELECT.
    depth: usize,
}

impl VisitorMut for Calls<'_, '_> {
    type Break = Error;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        or_break(self.replace(expression))
    }
}

impl<'t, 'a> Calls<'t, 'a> {
    fn replace(&mut self, expression: &mut Expr) -> Result<()> {
        let Some(call) = call_of(expression).map_err(|error| self.placed(error))? else { return Ok(()) };
        let at = call.span.start;
        let (called, known) = self.found(&call).map_err(|error| self.placed(error.at(at)))?;
        let mut formula = known.formulas.expanded(&call.name, self.budget).map_err(|error| {
            let named = |message: String| format!("in the measure '{}' of '{}': {message}", call.name, known.dataset);
            self.placed(error.without_place().map_message(named).at(at))
        })?;
        qualify(&mut formula, called, known, &call).map_err(|error| self.placed(error.at(at)))?;
        *expression = Expr::Nested(Box::new(formula));
        Ok(())
    }

    /// In a view places are those of another text.
    fn placed(&self, error: Error) -> Error {
        if self.tables.iter().any(|table| table.in_view) { error.without_place() } else { error }
    }

    /// The one table that has the measure, by what its columns are qualified with.
    fn found(&self, call: &Call) -> Result<(&'t str, &'a Known)> {
        let all: &'t [Table<'a>] = self.tables;
        let named = |table: &&'t Table<'a>| call.table.as_ref().is_none_or(|name| *name == table.called);
        let tables: Vec<&'t Table<'a>> = all.iter().filter(named).collect();
        if let (Some(name), true) = (&call.table, tables.is_empty()) {
            let message = format!("MEASURE names the table '{name}', which this SELECT does not read");
            return Err(Error::new(ErrorKind::UnknownTable, message));
        }
        let datasets: Vec<(&'t str, &'a Known)> =
            tables.iter().filter_map(|table| Some((table.called.as_str(), table.known?))).collect();
        let mut having = datasets.iter().filter(|(_, known)| known.formulas.has(&call.name));
        match (having.next(), having.next()) {
            (Some(one), None) => Ok(*one),
            (Some((called, _)), Some(_)) => {
                let message = format!(
                    "several tables have the measure '{0}'; write which, such as MEASURE({called}.{0})",
                    call.name
                );
                Err(Error::new(ErrorKind::UnknownColumn, message))
            }
            (None, _) => Err(no_such(&call.name, &datasets)),
        }
    }
}

fn no_such(name: &str, datasets: &[(&str, &Known)]) -> Error {
    if datasets.is_empty() {
        let message =
            format!("MEASURE({name}) is of a dataset, and this SELECT reads none; write it where one is read");
        return Error::new(ErrorKind::UnknownColumn, message);
    }
    let mut read: Vec<&str> = datasets.iter().map(|(_, known)| known.dataset.as_str()).collect();
    read.dedup();
    let names: Vec<&str> = datasets.iter().flat_map(|(_, known)| known.formulas.names()).collect();
    let near = close_names(name, names.iter().copied());
    let of = quoted(&read);
    let message = match (near.is_empty(), names.is_empty()) {
        (false, _) => format!("there is no measure '{name}' of {of}; did you mean {}?", quoted(&near)),
        (true, false) => format!("there is no measure '{name}' of {of}; there are {}", listed(&names)),
        (true, true) => {
            format!("there is no measure '{name}' of {of}: none was defined at the system time it is read at")
        }
    };
    Error::new(ErrorKind::UnknownColumn, message)
}

/// Says of each column of a formula whose it is. An error names one that the dataset has no more.
fn qualify(formula: &mut Expr, called: &str, known: &Known, call: &Call) -> Result<()> {
    let part = |value: &str| Ident::with_quote_and_span('"', call.span, value);
    let flow = visit_expressions_mut(formula, |expression| {
        let Expr::Identifier(name) = expression else { return ControlFlow::Continue(()) };
        let column = normalise(name);
        if !known.columns.contains(&column) {
            let message = format!(
                "the measure '{}' of '{}', as it was known at {}, is made of the column '{column}', which '{1}' does not have any more",
                call.name, known.dataset, known.at
            );
            return ControlFlow::Break(Error::new(ErrorKind::UnknownColumn, message));
        }
        *expression = Expr::CompoundIdentifier(vec![part(called), part(&column)]);
        ControlFlow::Continue(())
    });
    visited(flow)
}
