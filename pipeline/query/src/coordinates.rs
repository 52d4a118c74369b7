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
use lake::model::{Instant, OPEN, arrow_layout::timestamp_type};

use crate::{
    clause::{Axis, Clause, Time, Written},
    error::{Error, ErrorKind, Result},
};

/// Which valid times a table is read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValidTime {
    /// All of it.
    All,
    /// What holds at one instant.
    At(Instant),
    /// What holds at some instant of `[from, to)`, in microseconds; [`OPEN`] as `to` is unbounded. Rows are not cut.
    Within { from: i64, to: i64 },
}

/// Which system times a table is read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemTime {
    /// What was known at one instant; nothing learned later shows.
    AsOf(Instant),
    /// Rectangles that were known at some instant from `from` (in microseconds) on, as they were known at `until`.
    Within { from: i64, until: Instant },
    /// Of each valid instant what was the first to be known, as far as anything was by then.
    First { until: Instant },
}

/// Where in time a table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coordinates {
    pub(crate) valid: ValidTime,
    pub(crate) system: SystemTime,
}

/// The coordinates of a table reference, and the times in it that depend on rows of other tables.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) coordinates: Coordinates,
    /// `AS OF` times that are not constants: of each row, the version at that time is wanted.
    pub(crate) per_row: Vec<(Axis, Written)>,
}

impl Coordinates {
    /// What was known at the latest: rows of a later system time are not read.
    pub(crate) fn known(&self) -> Instant {
        match self.system {
            SystemTime::AsOf(known) | SystemTime::Within { until: known, .. } | SystemTime::First { until: known } => {
                known
            }
        }
    }

    /// Whether a range holds no instant, so that nothing is read.
    pub(crate) fn hold_nothing(&self) -> bool {
        matches!(self.valid, ValidTime::Within { from, to } if from >= to)
            || matches!(self.system, SystemTime::Within { from, until } if from > until.micros())
    }

    /// For plans: `ALL`, `AS OF 2008-06-30T00:00:00Z` or `FROM … TO …`.
    pub(crate) fn describe_valid(&self) -> String {
        match self.valid {
            _ if self.hold_nothing() => "NOTHING".to_owned(),
            ValidTime::All => "ALL".to_owned(),
            ValidTime::At(instant) => format!("AS OF {instant}"),
            ValidTime::Within { from, to } => format!("FROM {} TO {}", bound_text(from), bound_text(to)),
        }
    }

    /// For plans: `AS OF …`, `FROM … UNTIL …` or `FIRST UNTIL …`, the last of which is still known.
    pub(crate) fn describe_system(&self) -> String {
        match self.system {
            _ if self.hold_nothing() => "NOTHING".to_owned(),
            SystemTime::AsOf(instant) => format!("AS OF {instant}"),
            SystemTime::Within { from, until } => format!("FROM {} UNTIL {until}", bound_text(from)),
            SystemTime::First { until } => format!("FIRST UNTIL {until}"),
        }
    }

    /// These coordinates with what a reference's clauses say instead.
    pub(crate) fn overridden(
        mut self,
        state: &SessionState,
        valid_time: Option<&Clause>,
        system_time: Option<&Clause>,
        last_committed: Instant,
    ) -> Result<Evaluated> {
        let mut per_row = Vec::new();
        if let Some(clause) = valid_time {
            match &clause.time {
                Time::AsOf(written) if depends_on_rows(&written.expression) => {
                    check_qualified(written)?;
                    per_row.push((Axis::Valid, written.clone()));
                    self.valid = ValidTime::All;
                }
                time => self.valid = valid_range(state, time)?,
            }
        }
        if let Some(clause) = system_time {
            match &clause.time {
                Time::AsOf(written) if depends_on_rows(&written.expression) => {
                    check_qualified(written)?;
                    let valid_as_of = matches!(self.valid, ValidTime::At(_)) || !per_row.is_empty();
                    if !valid_as_of {
                        let message = "SYSTEM_TIME AS OF another table's rows needs VALID_TIME AS OF as well";
                        return Err(Error::new(ErrorKind::Unsupported, message).at(written.location));
                    }
                    per_row.push((Axis::System, written.clone()));
                    self.system = SystemTime::Within { from: i64::MIN, until: last_committed };
                }
                time => self.system = system_range(state, time, last_committed)?,
            }
        }
        Ok(Evaluated { coordinates: self, per_row })
    }
}

fn system_range(state: &SessionState, time: &Time, last_committed: Instant) -> Result<SystemTime> {
    let settled = |instant: Instant, written: &Written| {
        check_committed(instant, last_committed).map_err(|error| error.at(written.location))
    };
    // An empty range must not lie where nothing is settled either.
    let within = |from: &Written, start: Option<Instant>, until: Instant| {
        start.map_or(Ok(()), |start| settled(start, from))?;
        Ok(SystemTime::Within { from: start.map_or(i64::MIN, Instant::micros), until })
    };
    match time {
        Time::All => Ok(SystemTime::Within { from: i64::MIN, until: last_committed }),
        Time::AsOf(written) => {
            let instant = evaluate(state, written)?;
            settled(instant, written)?;
            Ok(SystemTime::AsOf(instant))
        }
        Time::FromTo(from, to) => {
            let (start, end) = bounds(state, from, to)?;
            let until = end.map_or(last_committed, |end| Instant(end.micros().saturating_sub(1)));
            // The bound as it is written is what the message names.
            settled(if until > last_committed { end.unwrap_or(until) } else { until }, to)?;
            within(from, start, until)
        }
        Time::Between(from, to) => {
            let (start, end) = bounds(state, from, to)?;
            let until = end.unwrap_or(last_committed);
            settled(until, to)?;
            within(from, start, until)
        }
    }
}

fn valid_range(state: &SessionState, time: &Time) -> Result<ValidTime> {
    let micros = |bound: Option<Instant>, open: i64| bound.map_or(open, Instant::micros);
    Ok(match time {
        Time::All => ValidTime::All,
        Time::AsOf(written) => ValidTime::At(evaluate(state, written)?),
        Time::FromTo(from, to) => {
            let (from, to) = bounds(state, from, to)?;
            ValidTime::Within { from: micros(from, i64::MIN), to: micros(to, OPEN) }
        }
        Time::Between(from, to) => {
            let (from, to) = bounds(state, from, to)?;
            ValidTime::Within { from: micros(from, i64::MIN), to: micros(to, OPEN).saturating_add(1) }
        }
    })
}

/// The bounds of a range, `None` for null, which is unbounded.
pub(crate) fn bounds(state: &SessionState, from: &Written, to: &Written) -> Result<(Option<Instant>, Option<Instant>)> {
    let (start, end) = (evaluate_or_null(state, from)?, evaluate_or_null(state, to)?);
    match (start, end) {
        (Some(start), Some(end)) if start > end => {
            let message = format!("the range begins at {start}, which is after its end {end}");
            Err(Error::new(ErrorKind::InvalidTime, message).at(from.location))
        }
        bounds => Ok(bounds),
    }
}

fn bound_text(micros: i64) -> String {
    if micros == i64::MIN || micros == OPEN { "unbounded".to_owned() } else { Instant(micros).to_string() }
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

/// The request's word for what was first published, where a system time could stand.
const FIRST_PUBLISHED: &str = "first-published";

/// The request's system time: an instant, or the word for what was first published; what was known at the end of what
/// is committed without it.
pub(crate) fn parse_request_system_time(text: Option<&str>, last_committed: Instant) -> Result<SystemTime> {
    match text {
        None => Ok(SystemTime::AsOf(last_committed)),
        Some(FIRST_PUBLISHED) => Ok(SystemTime::First { until: last_committed }),
        Some(text) => {
            let instant = parse_request_time("system_time", text)?;
            check_committed(instant, last_committed)?;
            Ok(SystemTime::AsOf(instant))
        }
    }
}

/// The system time that a text sets in front of its query; the same as the request's.
pub(crate) fn evaluate_system_setting(
    state: &SessionState,
    time: &Written,
    last_committed: Instant,
) -> Result<SystemTime> {
    if literal_text(&time.expression) == Some(FIRST_PUBLISHED) {
        return Ok(SystemTime::First { until: last_committed });
    }
    let instant = evaluate(state, time)?;
    check_committed(instant, last_committed).map_err(|error| error.at(time.location))?;
    Ok(SystemTime::AsOf(instant))
}

/// A time of the request, as text.
pub(crate) fn parse_request_time(name: &'static str, text: &str) -> Result<Instant> {
    Instant::parse(text).map_err(|reason| Error::new(ErrorKind::InvalidTime, format!("{name}: {reason}")))
}

/// The instant an expression is, to the microsecond. Null is refused.
///
/// `now()` is the moment the query began, so a query that uses it may answer differently each time it is asked.
pub(crate) fn evaluate(state: &SessionState, written: &Written) -> Result<Instant> {
    evaluate_or_null(state, written)?.ok_or_else(|| {
        let message = format!("the time {} is null", written.expression);
        Error::new(ErrorKind::InvalidTime, message).at(written.location)
    })
}

/// The instant an expression is, to the microsecond; `None` where it is null.
pub(crate) fn evaluate_or_null(state: &SessionState, written: &Written) -> Result<Option<Instant>> {
    let instant = match literal_text(&written.expression) {
        Some(text) => Instant::parse(text).map(Some),
        None => constant(state, &written.expression).and_then(|value| to_instant(&value, &written.expression)),
    };
    instant.map_err(|reason| Error::new(ErrorKind::InvalidTime, reason).at(written.location))
}

/// Whether an expression names a column. `now` and its like are functions or, without parentheses, keywords. A subquery
/// is neither a constant nor a time of a row.
pub(crate) fn depends_on_rows(expression: &Expr) -> bool {
    let (mut named, mut asks) = (false, false);
    let _ = ast::visit_expressions(expression, |inner| {
        asks |= matches!(inner, Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. });
        named |= matches!(inner, Expr::CompoundIdentifier(_)) || is_bare_column(inner);
        std::ops::ControlFlow::<()>::Continue(())
    });
    named && !asks
}

fn is_bare_column(expression: &Expr) -> bool {
    matches!(expression, Expr::Identifier(name) if !is_constant_word(&name.value))
}

/// A time of another table's rows says whose it is: a bare name would be one of the table's own columns.
fn check_qualified(time: &Written) -> Result<()> {
    let mut bare = None;
    let _ = ast::visit_expressions(&time.expression, |inner| {
        if bare.is_none() && is_bare_column(inner) {
            bare = Some(inner.to_string());
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
    match bare {
        None => Ok(()),
        Some(name) => {
            let message = format!("the time {name} is not a constant; of another table's rows write t.{name}");
            Err(Error::new(ErrorKind::InvalidTime, message).at(time.location))
        }
    }
}

fn is_constant_word(word: &str) -> bool {
    ["current_timestamp", "current_date", "current_time"].iter().any(|constant| word.eq_ignore_ascii_case(constant))
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

/// The value of an expression that names no column.
pub(crate) fn constant(state: &SessionState, expression: &Expr) -> Result<ScalarValue, String> {
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
        Planned::Literal(value, _) => Ok(value),
        _ => Err(not_constant()),
    }
}

fn to_instant(value: &ScalarValue, expression: &Expr) -> Result<Option<Instant>, String> {
    if value.is_null() {
        return Ok(None);
    }
    if let Some(Some(text)) = value.try_as_str() {
        return Instant::parse(text).map(Some);
    }
    let value = match value.data_type() {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => whole_micros(value),
        other => return Err(format!("the time {expression} is a {other}, not a date or timestamp")),
    };
    match value.cast_to(&timestamp_type()) {
        Ok(ScalarValue::TimestampMicrosecond(Some(micros), _)) if micros < i64::MAX => Ok(Some(Instant(micros))),
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

    fn read(time: &str) -> Result<Instant> {
        let config = SessionConfig::new().set_str("datafusion.execution.time_zone", "+00:00");
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        state.mark_start_execution();
        let rewritten = crate::clause::rewrite(&format!("SELECT * FROM t FOR VALID_TIME AS OF {time}")).unwrap();
        match &rewritten.references[0].valid_time.as_ref().unwrap().time {
            Time::AsOf(written) => evaluate(&state, written),
            other => panic!("{other:?}"),
        }
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
            assert_eq!(read(time).unwrap(), expected, "{time}");
        }
        assert_eq!(read("DATE '0001-01-01'").unwrap(), Instant::parse("0001-01-01").unwrap());
    }

    #[test]
    fn now_is_a_time_of_today() {
        let now = read("now()").unwrap();
        let earlier = read("now() - INTERVAL '1 hour'").unwrap();
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
