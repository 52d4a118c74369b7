//! `history(…)`, `first_published(…)`, `diff(…)`, `instants(…)` and `periods(…)` in FROM: each call becomes a private
//! name, which [`crate::catalog`] binds to what the call reads.

use std::{collections::HashMap, ops::ControlFlow};

use datafusion::{
    arrow::{compute::kernels::cast_utils::parse_interval_month_day_nano, datatypes::IntervalMonthDayNano},
    execution::SessionState,
    scalar::ScalarValue,
    sql::sqlparser::{
        ast::{
            Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Spanned, Statement, TableAlias, TableFactor,
            TableFunctionArgs, Value, VisitMut, VisitorMut,
        },
        tokenizer::Location,
    },
};
use lake::model::Instant;

use crate::{
    catalog::Bound,
    clause::Written,
    coordinates::{Coordinates, SystemTime, ValidTime, check_committed, constant, evaluate},
    error::{Error, ErrorKind, Result},
    layout::DiffSide,
    series,
    statement::visited,
};

const FUNCTIONS: [&str; 5] = ["history", "first_published", "diff", "instants", "periods"];

/// What the calls of a statement are bound against.
pub(crate) struct Calls<'a> {
    pub(crate) state: &'a SessionState,
    /// Of tables that name none.
    pub(crate) valid: ValidTime,
    pub(crate) last_committed: Instant,
    /// The dataset of that name, one to three parts; an error where there is none or it cannot be read.
    pub(crate) dataset: &'a (dyn Fn(&[String], Location) -> Result<String> + Sync),
    pub(crate) normalise: fn(&Ident) -> String,
}

/// Puts private names in the place of calls; gives what each name is bound to.
pub(crate) fn replace(statement: &mut Statement, calls: &Calls<'_>) -> Result<HashMap<String, Bound>> {
    let mut replacer = Replacer { calls, bound: HashMap::new(), rows_left: series::MOST_ROWS };
    visited(statement.visit(&mut replacer))?;
    Ok(replacer.bound)
}

struct Replacer<'a> {
    calls: &'a Calls<'a>,
    bound: HashMap<String, Bound>,
    /// Rows that further series may have.
    rows_left: usize,
}

impl VisitorMut for Replacer<'_> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table { name, alias, args, .. } = factor else { return ControlFlow::Continue(()) };
        let (Some(arguments), [part]) = (args.as_ref(), name.0.as_slice()) else { return ControlFlow::Continue(()) };
        let Some(function) = part.as_ident().map(|ident| ident.value.to_ascii_lowercase()) else {
            return ControlFlow::Continue(());
        };
        if !FUNCTIONS.contains(&function.as_str()) {
            return ControlFlow::Continue(());
        }
        let location = name.span().start;
        let bound = match self.calls.bind(&function, arguments, location, self.rows_left) {
            Ok(bound) => bound,
            Err(error) => return ControlFlow::Break(error.at(location)),
        };
        if let Bound::Rows(rows) = &bound {
            self.rows_left = self.rows_left.saturating_sub(rows.num_rows());
        }
        let private_name = format!("{function}()@{}", self.bound.len() + 1);
        let span = name.span();
        *name = ObjectName::from(vec![Ident::with_quote_and_span('"', span, private_name.clone())]);
        alias.get_or_insert_with(|| TableAlias {
            explicit: true,
            name: Ident::with_quote_and_span('"', span, function),
            columns: Vec::new(),
        });
        *args = None;
        self.bound.insert(private_name, bound);
        ControlFlow::Continue(())
    }
}

impl Calls<'_> {
    fn bind(
        &self,
        function: &str,
        arguments: &TableFunctionArgs,
        location: Location,
        most_rows: usize,
    ) -> Result<Bound> {
        let arguments = arguments.args.iter().map(|argument| plain(argument, location)).collect::<Result<Vec<_>>>()?;
        match (function, arguments.as_slice()) {
            ("history", [dataset]) => {
                let dataset = self.dataset_named(dataset)?;
                let system = SystemTime::Within { from: i64::MIN, until: self.last_committed };
                Ok(Bound::Dataset { dataset, coordinates: Coordinates { valid: ValidTime::All, system } })
            }
            ("first_published", [dataset, valid @ ..]) if valid.len() <= 1 => {
                let dataset = self.dataset_named(dataset)?;
                let valid = valid.first().map(|time| evaluate(self.state, time).map(ValidTime::At)).transpose()?;
                let system = SystemTime::First { until: self.last_committed };
                let coordinates = Coordinates { valid: valid.unwrap_or(self.valid), system };
                Ok(Bound::Dataset { dataset, coordinates })
            }
            ("diff", [dataset, before, after, valid @ ..]) if valid.len() <= 2 => {
                let dataset = self.dataset_named(dataset)?;
                let valid = valid.iter().map(|time| evaluate(self.state, time)).collect::<Result<Vec<_>>>()?;
                let side = |system: &Written, valid: Option<&Instant>| -> Result<DiffSide> {
                    let instant = evaluate(self.state, system)?;
                    check_committed(instant, self.last_committed).map_err(|error| error.at(system.location))?;
                    Ok(DiffSide { system: instant, valid: valid.copied() })
                };
                Ok(Bound::Diff { dataset, before: side(before, valid.first())?, after: side(after, valid.last())? })
            }
            ("instants", [from, to, step]) => {
                let (instants, _) = self.series(from, to, step, most_rows)?;
                series::instants_batch(instants).map(Bound::Rows).map_err(internal)
            }
            ("periods", [from, to, step]) => {
                let (instants, to) = self.series(from, to, step, most_rows)?;
                series::periods_batch(instants, to).map(Bound::Rows).map_err(internal)
            }
            _ => {
                let wanted = match function {
                    "history" => "history(dataset)",
                    "first_published" => "first_published(dataset [, valid_time])",
                    "diff" => "diff(dataset, system_time, system_time [, valid_time [, valid_time]])",
                    "instants" => "instants(from, to, step)",
                    _ => "periods(from, to, step)",
                };
                let message = format!("{function} takes other arguments: {wanted}");
                Err(Error::new(ErrorKind::Syntax, message).at(location))
            }
        }
    }

    fn dataset_named(&self, argument: &Written) -> Result<String> {
        let parts = match &argument.expression {
            Expr::Identifier(name) => vec![(self.normalise)(name)],
            Expr::CompoundIdentifier(parts) => parts.iter().map(self.normalise).collect(),
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(name) => name.split('.').map(str::to_owned).collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        if parts.is_empty() || parts.len() > 3 {
            let message = format!("{} is not the name of a dataset", argument.expression);
            return Err(Error::new(ErrorKind::UnknownTable, message).at(argument.location));
        }
        (self.dataset)(&parts, argument.location)
    }

    fn series(&self, from: &Written, to: &Written, step: &Written, most_rows: usize) -> Result<(Vec<i64>, Instant)> {
        let (start, end) = (evaluate(self.state, from)?, evaluate(self.state, to)?);
        let invalid = |reason: String, location| Error::new(ErrorKind::InvalidTime, reason).at(location);
        if start > end {
            let message = format!("the range begins at {start}, which is after its end {end}");
            return Err(invalid(message, from.location));
        }
        let interval = self.interval(step).map_err(|reason| invalid(reason, step.location))?;
        let instants =
            series::instants(start, end, interval, most_rows).map_err(|reason| invalid(reason, step.location))?;
        Ok((instants, end))
    }

    fn interval(&self, step: &Written) -> Result<IntervalMonthDayNano, String> {
        let not_interval = || format!("{} is not an interval, such as INTERVAL '1 day'", step.expression);
        let value = constant(self.state, &step.expression).map_err(|_| not_interval())?;
        if let Some(Some(text)) = value.try_as_str() {
            return parse_interval_month_day_nano(text).map_err(|_| not_interval());
        }
        match value {
            ScalarValue::IntervalMonthDayNano(Some(interval)) => Ok(interval),
            ScalarValue::IntervalDayTime(Some(interval)) => {
                let nanos = i64::from(interval.milliseconds) * 1_000_000;
                Ok(IntervalMonthDayNano::new(0, interval.days, nanos))
            }
            ScalarValue::IntervalYearMonth(Some(months)) => Ok(IntervalMonthDayNano::new(months, 0, 0)),
            _ => Err(not_interval()),
        }
    }
}

fn plain(argument: &FunctionArg, location: Location) -> Result<Written> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => {
            let own = expression.span().start;
            let location = if own.line > 0 { own } else { location };
            Ok(Written { expression: expression.clone(), location })
        }
        other => Err(Error::new(ErrorKind::Syntax, format!("expected a value, found: {other}")).at(location)),
    }
}

fn internal(reason: String) -> Error {
    Error::new(ErrorKind::Internal, reason)
}
