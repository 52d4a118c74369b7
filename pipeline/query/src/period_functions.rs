//! Functions on periods: SQL:2011's predicates (part 2, 8.20), Allen's thirteen relations (Allen 1983, "Maintaining
//! knowledge about temporal intervals"), and which of the thirteen holds.
//!
//! A period is given as two timestamps, its start and the first instant after it. A null end is unbounded. The answer
//! is null where a start is null or a period holds no instant, because no relation holds then.

use std::{any::Any, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, TimestampMicrosecondArray},
        datatypes::{DataType, TimestampMicrosecondType},
    },
    common::{Result, exec_err, plan_err},
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};
use lake::model::{Instant, OPEN, arrow_layout::timestamp_type};

use crate::coordinates::check_committed;

/// Whether a period contains an instant: `(from, to, instant)`.
pub(crate) const CONTAINS_INSTANT: &str = "period_contains_instant";
/// The same of system time: `(from, to, instant, last committed)`. Fails for an instant later than the last, at which it is
/// not settled yet what is known.
pub(crate) const CONTAINS_KNOWN: &str = "period_contains_known";
/// Which of Allen's relations holds between two periods, as a word.
pub(crate) const RELATION: &str = "allen";

/// A period that holds at least one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period {
    from: i64,
    /// [`OPEN`] when unbounded.
    to: i64,
}

/// How two periods lie to each other; exactly one of the thirteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allen {
    Before,
    Meets,
    Overlaps,
    Starts,
    During,
    Finishes,
    Equals,
    After,
    MetBy,
    OverlappedBy,
    StartedBy,
    Contains,
    FinishedBy,
}

impl Allen {
    fn of(a: Period, b: Period) -> Allen {
        use std::cmp::Ordering::{Equal, Greater, Less};
        // An unbounded end meets nothing: no instant comes after it.
        if a.to < b.from {
            return Allen::Before;
        }
        if b.to < a.from {
            return Allen::After;
        }
        if a.to == b.from {
            return Allen::Meets;
        }
        if b.to == a.from {
            return Allen::MetBy;
        }
        match (a.from.cmp(&b.from), a.to.cmp(&b.to)) {
            (Less, Less) => Allen::Overlaps,
            (Less, Equal) => Allen::FinishedBy,
            (Less, Greater) => Allen::Contains,
            (Equal, Less) => Allen::Starts,
            (Equal, Equal) => Allen::Equals,
            (Equal, Greater) => Allen::StartedBy,
            (Greater, Less) => Allen::During,
            (Greater, Equal) => Allen::Finishes,
            (Greater, Greater) => Allen::OverlappedBy,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Allen::Before => "before",
            Allen::Meets => "meets",
            Allen::Overlaps => "overlaps",
            Allen::Starts => "starts",
            Allen::During => "during",
            Allen::Finishes => "finishes",
            Allen::Equals => "equals",
            Allen::After => "after",
            Allen::MetBy => "met_by",
            Allen::OverlappedBy => "overlapped_by",
            Allen::StartedBy => "started_by",
            Allen::Contains => "contains",
            Allen::FinishedBy => "finished_by",
        }
    }
}

/// A predicate, by the relations for which it is true.
struct Predicate {
    name: &'static str,
    holds: &'static [Allen],
}

const PREDICATES: [Predicate; 19] = {
    use Allen::{
        After, Before, Contains, During, Equals, FinishedBy, Finishes, Meets, MetBy, OverlappedBy, Overlaps, StartedBy,
        Starts,
    };
    const fn is(name: &'static str, holds: &'static [Allen]) -> Predicate {
        Predicate { name, holds }
    }
    [
        is(
            "period_overlaps",
            &[Overlaps, Starts, During, Finishes, Equals, OverlappedBy, StartedBy, Contains, FinishedBy],
        ),
        is("period_contains", &[Equals, StartedBy, Contains, FinishedBy]),
        is("period_equals", &[Equals]),
        is("period_precedes", &[Before, Meets]),
        is("period_succeeds", &[After, MetBy]),
        is("period_immediately_precedes", &[Meets]),
        is("period_immediately_succeeds", &[MetBy]),
        is("period_before", &[Before]),
        is("period_after", &[After]),
        is("period_meets", &[Meets]),
        is("period_met_by", &[MetBy]),
        is("period_allen_overlaps", &[Overlaps]),
        is("period_overlapped_by", &[OverlappedBy]),
        is("period_starts", &[Starts]),
        is("period_started_by", &[StartedBy]),
        is("period_during", &[During]),
        is("period_allen_contains", &[Contains]),
        is("period_finishes", &[Finishes]),
        is("period_finished_by", &[FinishedBy]),
    ]
};

/// Whether a predicate of that name is true only of periods that share an instant.
pub(crate) fn implies_overlap(function: &str) -> bool {
    let apart = [Allen::Before, Allen::Meets, Allen::After, Allen::MetBy];
    function == CONTAINS_INSTANT
        || function == CONTAINS_KNOWN
        || PREDICATES.iter().any(|p| p.name == function && !p.holds.iter().any(|relation| apart.contains(relation)))
}

/// All functions on periods.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let relation = Computes::Relation;
    let predicates =
        PREDICATES.iter().enumerate().map(|(index, predicate)| (predicate.name, Computes::Predicate(index)));
    let others = [
        (CONTAINS_INSTANT, Computes::ContainsInstant),
        (CONTAINS_KNOWN, Computes::ContainsKnown),
        (RELATION, relation),
    ];
    let function = |(name, computes)| {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(PeriodFunction { name, computes, signature }))
    };
    predicates.chain(others).map(function).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Computes {
    /// The predicate of that index.
    Predicate(usize),
    ContainsInstant,
    ContainsKnown,
    Relation,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PeriodFunction {
    name: &'static str,
    computes: Computes,
    signature: Signature,
}

impl ScalarUDFImpl for PeriodFunction {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(if self.computes == Computes::Relation { DataType::Utf8 } else { DataType::Boolean })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (wanted, words) = match self.computes {
            Computes::ContainsInstant => (3, "a period's start and end and an instant"),
            Computes::ContainsKnown => (4, "a period's start and end, an instant and the last commit"),
            _ => (4, "the starts and ends of two periods"),
        };
        if types.len() != wanted {
            return plan_err!("{} takes {words}, {wanted} times in all, not {}", self.name, types.len());
        }
        for data_type in types {
            let is_time = matches!(
                data_type,
                DataType::Timestamp(..)
                    | DataType::Date32
                    | DataType::Date64
                    | DataType::Utf8
                    | DataType::LargeUtf8
                    | DataType::Utf8View
                    | DataType::Null
            );
            if !is_time {
                return plan_err!("{} takes times, not {data_type}", self.name);
            }
        }
        Ok(vec![timestamp_type(); wanted])
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { arguments.number_rows };
        let arrays =
            arguments.args.into_iter().map(|argument| argument.into_array(rows)).collect::<Result<Vec<_>>>()?;
        if arrays.iter().any(|array| array.data_type() != &timestamp_type()) {
            return exec_err!("{} was given other types than it asked for", self.name);
        }
        let times: Vec<&TimestampMicrosecondArray> =
            arrays.iter().map(|array| array.as_primitive::<TimestampMicrosecondType>()).collect();
        if self.computes == Computes::ContainsKnown {
            check_known(times[2], times[3], rows)?;
        }
        let computed = self.compute(&times, rows);
        if scalar {
            return datafusion::scalar::ScalarValue::try_from_array(&computed, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(computed))
    }
}

impl PeriodFunction {
    fn compute(&self, times: &[&TimestampMicrosecondArray], rows: usize) -> ArrayRef {
        let relation = |row: usize| Some(Allen::of(period(times[0], times[1], row)?, period(times[2], times[3], row)?));
        match self.computes {
            Computes::Predicate(index) => {
                let holds = PREDICATES[index].holds;
                Arc::new(
                    (0..rows).map(|row| relation(row).map(|found| holds.contains(&found))).collect::<BooleanArray>(),
                )
            }
            Computes::Relation => {
                Arc::new((0..rows).map(|row| relation(row).map(Allen::word)).collect::<StringArray>())
            }
            Computes::ContainsInstant | Computes::ContainsKnown => {
                let contains = |row: usize| {
                    let Period { from, to } = period(times[0], times[1], row)?;
                    let instant = times[2].is_valid(row).then(|| times[2].value(row))?;
                    Some(from <= instant && instant < to)
                };
                Arc::new((0..rows).map(contains).collect::<BooleanArray>())
            }
        }
    }
}

fn check_known(instants: &TimestampMicrosecondArray, last: &TimestampMicrosecondArray, rows: usize) -> Result<()> {
    let later = |row: &usize| instants.is_valid(*row) && last.is_valid(*row) && instants.value(*row) > last.value(*row);
    match (0..rows).find(later) {
        None => Ok(()),
        Some(row) => {
            check_committed(Instant(instants.value(row)), Instant(last.value(row))).map_err(crate::error::external)
        }
    }
}

/// The period of a row; `None` where it has no start or holds no instant.
fn period(starts: &TimestampMicrosecondArray, ends: &TimestampMicrosecondArray, row: usize) -> Option<Period> {
    let from = starts.is_valid(row).then(|| starts.value(row))?;
    let to = if ends.is_null(row) { OPEN } else { ends.value(row) };
    (from < to).then_some(Period { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(a: (i64, i64), b: (i64, i64)) -> Allen {
        Allen::of(Period { from: a.0, to: a.1 }, Period { from: b.0, to: b.1 })
    }

    /// The relations by the instants they share and their ends, found without comparing bounds.
    #[test]
    fn exactly_one_relation_holds_of_any_two_periods() {
        let periods: Vec<(i64, i64)> = (0..6).flat_map(|from| (from + 1..7).map(move |to| (from, to))).collect();
        for &a in &periods {
            for &b in &periods {
                let holding: Vec<&str> = PREDICATES[7..]
                    .iter()
                    .chain(&PREDICATES[2..3])
                    .filter(|predicate| predicate.holds.contains(&relation(a, b)))
                    .map(|predicate| predicate.name)
                    .collect();
                assert_eq!(holding.len(), 1, "{a:?} {b:?}: {holding:?}");
                let shares = (0..7).any(|at| (a.0..a.1).contains(&at) && (b.0..b.1).contains(&at));
                assert_eq!(PREDICATES[0].holds.contains(&relation(a, b)), shares, "{a:?} {b:?}");
                let within = (b.0..b.1).all(|at| (a.0..a.1).contains(&at));
                assert_eq!(PREDICATES[1].holds.contains(&relation(a, b)), within, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn unbounded_periods_end_together() {
        assert_eq!(relation((0, OPEN), (5, OPEN)), Allen::FinishedBy);
        assert_eq!(relation((0, OPEN), (0, OPEN)), Allen::Equals);
        assert_eq!(relation((0, 5), (5, OPEN)), Allen::Meets);
    }

    #[test]
    fn predicates_that_need_a_common_instant_are_known() {
        for name in ["period_overlaps", "period_equals", "period_during", CONTAINS_INSTANT] {
            assert!(implies_overlap(name), "{name}");
        }
        for name in ["period_precedes", "period_meets", "period_after", RELATION, "lower"] {
            assert!(!implies_overlap(name), "{name}");
        }
    }
}
