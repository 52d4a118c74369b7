//! Coordinates: the valid time and the system time a table is read at, and how a written time becomes an instant.

use datafusion::{
    arrow::datatypes::{DataType, TimeUnit},
    common::DFSchema,
    execution::SessionState,
    logical_expr::{Expr as Planned, simplify::SimplifyContext},
    optimizer::simplify_expressions::ExprSimplifier,
    scalar::ScalarValue,
    sql::sqlparser::ast::{self, Expr, ExprWithAlias, Value},
};
use lake::model::{Instant, arrow_layout::timestamp_type};

use crate::{
    clause::{Clause, Time},
    error::{Error, ErrorKind, Result},
};

/// Where in time a table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coordinates {
    /// Only what holds at this instant; `None` for all valid time.
    pub(crate) valid: Option<Instant>,
    /// What was known at this instant.
    pub(crate) system: Instant,
}

impl Coordinates {
    /// For plans: `ALL` or `AS OF 2008-06-30T00:00:00Z`.
    pub(crate) fn describe_valid(self) -> String {
        self.valid.map_or_else(|| "ALL".to_owned(), |valid| format!("AS OF {valid}"))
    }

    /// These coordinates with what a reference's clauses say instead.
    pub(crate) fn overridden(
        mut self,
        state: &SessionState,
        valid_time: Option<&Clause>,
        system_time: Option<&Clause>,
        last_committed: Instant,
    ) -> Result<Coordinates> {
        if let Some(clause) = valid_time {
            self.valid = evaluate(state, clause)?;
        }
        if let Some(clause) = system_time
            && let Some(system) = evaluate(state, clause)?
        {
            check_committed(system, last_committed).map_err(|error| error.at(clause.location))?;
            self.system = system;
        }
        Ok(self)
    }
}

/// Refuses a system time at which it is not yet settled what was known.
pub(crate) fn check_committed(system: Instant, last_committed: Instant) -> Result<()> {
    if system <= last_committed {
        return Ok(());
    }
    let message = format!(
        "the system time {system} is later than the last committed system time {last_committed}; ask for that or earlier"
    );
    Err(Error::new(ErrorKind::FutureSystemTime, message))
}

/// A time of the request, as text.
pub(crate) fn parse_request_time(name: &'static str, text: &str) -> Result<Instant> {
    Instant::parse(text).map_err(|reason| Error::new(ErrorKind::InvalidTime, format!("{name}: {reason}")))
}

/// The instant of a clause, to the microsecond; `None` for ALL.
///
/// `now()` is the moment the query began, so a query that uses it may answer differently each time it is asked.
fn evaluate(state: &SessionState, clause: &Clause) -> Result<Option<Instant>> {
    let Time::AsOf(expression) = &clause.time else { return Ok(None) };
    let instant = match literal_text(expression) {
        Some(text) => Instant::parse(text),
        None => constant(state, expression),
    };
    instant.map(Some).map_err(|reason| Error::new(ErrorKind::InvalidTime, reason).at(clause.location))
}

/// The text of `'…'`, `DATE '…'` and `TIMESTAMP '…'`, read by our own parser: it knows every instant we can store.
fn literal_text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Nested(inner) => literal_text(inner),
        Expr::Value(value) => string(&value.value),
        Expr::TypedString(typed) => match typed.data_type {
            ast::DataType::Date | ast::DataType::Timestamp(..) => string(&typed.value.value),
            _ => None,
        },
        _ => None,
    }
}

fn string(value: &Value) -> Option<&str> {
    if let Value::SingleQuotedString(text) = value { Some(text) } else { None }
}

fn constant(state: &SessionState, expression: &Expr) -> Result<Instant, String> {
    let not_constant = || format!("the time {expression} is not a constant; use a time such as '2026-03-31' or now()");
    let aliased = ExprWithAlias { expr: expression.clone(), alias: None };
    let schema = DFSchema::empty();
    let planned = state.create_logical_expr_from_sql_expr(aliased, &schema).map_err(|_| not_constant())?;
    let context = SimplifyContext::default()
        .with_config_options(state.config_options().clone())
        .with_query_execution_start_time(state.execution_props().query_execution_start_time);
    let simplifier = ExprSimplifier::new(context);
    let simplified = simplifier.coerce(planned, &schema).and_then(|planned| simplifier.simplify(planned));
    let cannot = |reason: Error| format!("the time {expression} cannot be evaluated: {}", reason.message());
    match simplified.map_err(|error| cannot(error.into()))? {
        Planned::Literal(value, _) => to_instant(&value, expression),
        _ => Err(not_constant()),
    }
}

fn to_instant(value: &ScalarValue, expression: &Expr) -> Result<Instant, String> {
    if value.is_null() {
        return Err(format!("the time {expression} is null"));
    }
    if let Some(Some(text)) = value.try_as_str() {
        return Instant::parse(text);
    }
    let value = match value.data_type() {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => whole_micros(value),
        other => return Err(format!("the time {expression} is a {other}, not a date or timestamp")),
    };
    match value.cast_to(&timestamp_type()) {
        Ok(ScalarValue::TimestampMicrosecond(Some(micros), _)) if micros < i64::MAX => Ok(Instant(micros)),
        _ => Err(format!("the time {expression} is outside the range of timestamps")),
    }
}

/// Nanoseconds rounded down, where casting would round towards 1970.
fn whole_micros(value: &ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::TimestampNanosecond(Some(nanos), zone) => ScalarValue::new_timestamp::<
            datafusion::arrow::datatypes::TimestampMicrosecondType,
        >(Some(nanos.div_euclid(1_000)), zone.clone()),
        other => {
            debug_assert!(!matches!(other.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _)));
            other.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::{execution::SessionStateBuilder, prelude::SessionConfig};

    use super::*;

    fn read(time: &str) -> Result<Option<Instant>> {
        let config = SessionConfig::new().set_str("datafusion.execution.time_zone", "+00:00");
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        state.mark_start_execution();
        let rewritten = crate::clause::rewrite(&format!("SELECT * FROM t FOR VALID_TIME AS OF {time}")).unwrap();
        evaluate(&state, rewritten.references[0].valid_time.as_ref().unwrap())
    }

    #[test]
    fn constants_of_every_kind_are_the_same_instant() {
        let expected = Instant::parse("2008-06-30").unwrap();
        for time in [
            "'2008-06-30'",
            "'2008-06-30T00:00:00Z'",
            "'2008-06-30T02:00:00+02:00'",
            "DATE '2008-06-30'",
            "TIMESTAMP '2008-06-30 00:00:00'",
            "TIMESTAMP '2008-06-30T00:00:00Z'",
            "CAST('2008-06-30' AS DATE)",
            "CAST('2008-06-30T00:00:00' AS TIMESTAMP)",
            "('2008-06-30')",
            "DATE '2008-07-01' - INTERVAL '1 day'",
            "date_trunc('day', TIMESTAMP '2008-06-30 11:12:13')",
            "'2008-06' || '-30'",
        ] {
            assert_eq!(read(time).unwrap(), Some(expected), "{time}");
        }
        assert_eq!(read("DATE '0001-01-01'").unwrap(), Some(Instant::parse("0001-01-01").unwrap()));
    }

    #[test]
    fn now_is_a_time_of_today() {
        let now = read("now()").unwrap().unwrap();
        let earlier = read("now() - INTERVAL '1 hour'").unwrap().unwrap();
        let distance = now.micros() - earlier.micros();
        assert!((3_500_000_000..=3_600_000_000).contains(&distance), "{distance}");
    }

    #[test]
    fn what_is_not_a_constant_instant_is_refused_with_its_place() {
        for time in ["valid_from", "t.a", "NULL", "42", "true", "random()", "'yesterday'", "(SELECT now())", "$1"] {
            let error = read(time).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidTime, "{time}: {error}");
            assert_eq!(error.position().map(|at| (at.line, at.column)), Some((1, 38)), "{time}");
        }
    }
}
