//! Joins of rows whose periods share an instant, without comparing each with each.
//!
//! DataFusion plans a join on `a.VALID_TIME OVERLAPS b.VALID_TIME` as a nested loop, or within each key as one. Here such
//! joins are found in the finished plan and get an operator that sorts both sides by start and sweeps over them.

mod exec;
mod sweep;

use std::sync::Arc;

use datafusion::{
    common::{
        JoinSide, NullEquality, Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    logical_expr::{JoinType, Operator},
    physical_expr::{
        PhysicalExpr, PhysicalExprRef, ScalarFunctionExpr,
        expressions::{BinaryExpr, Column},
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        joins::{HashJoinExec, NestedLoopJoinExec, utils::JoinFilter},
        limit::GlobalLimitExec,
    },
};

pub(crate) use exec::IntervalJoinExec;

use crate::period_functions::{CONTAINS_INSTANT, CONTAINS_KNOWN, implies_overlap};

/// Puts the operator in the place of joins whose condition demands a common instant.
#[derive(Debug)]
pub(crate) struct JoinOverlapsBySweeping;

impl PhysicalOptimizerRule for JoinOverlapsBySweeping {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| match swept(&node)? {
            Some(join) => Ok(Transformed::yes(join)),
            None => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "join_overlaps_by_sweeping"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What a join has to do, whichever operator does it.
pub(crate) struct Join {
    pub(crate) left: Arc<dyn ExecutionPlan>,
    pub(crate) right: Arc<dyn ExecutionPlan>,
    /// Expressions over the left and the right side that have to be equal.
    pub(crate) on: Vec<(PhysicalExprRef, PhysicalExprRef)>,
    /// Whether null is equal to null.
    pub(crate) null_equality: NullEquality,
    /// The whole condition but for the equalities.
    pub(crate) filter: JoinFilter,
    pub(crate) join_type: JoinType,
    /// Columns of the join's schema that come out; all without it.
    pub(crate) projection: Option<Vec<usize>>,
    /// The periods that have to share an instant, over the columns of their sides.
    pub(crate) left_period: PeriodExpr,
    pub(crate) right_period: PeriodExpr,
}

/// What a period is made of.
#[derive(Debug, Clone)]
pub(crate) enum PeriodExpr {
    /// Its start, and the first instant after it or null.
    Bounds(PhysicalExprRef, PhysicalExprRef),
    /// One instant.
    Instant(PhysicalExprRef),
}

fn swept(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let found = if let Some(join) = node.as_any().downcast_ref::<NestedLoopJoinExec>() {
        let projection = join.projection().as_ref().map(|columns| columns.to_vec());
        let sides = (join.left(), join.right());
        described(sides, &[], NullEquality::NullEqualsNothing, join.filter(), *join.join_type(), projection)
    } else if let Some(join) = node.as_any().downcast_ref::<HashJoinExec>().filter(|join| !join.null_aware) {
        let projection = join.projection.as_ref().map(|columns| columns.to_vec());
        let sides = (join.left(), join.right());
        described(sides, join.on(), join.null_equality(), join.filter(), *join.join_type(), projection)
    } else {
        None
    };
    let Some(join) = found else { return Ok(None) };
    let swept: Arc<dyn ExecutionPlan> = Arc::new(IntervalJoinExec::new(join)?);
    Ok(Some(match node.fetch() {
        Some(rows) => Arc::new(GlobalLimitExec::new(swept, 0, Some(rows))),
        None => swept,
    }))
}

fn described(
    (left, right): (&Arc<dyn ExecutionPlan>, &Arc<dyn ExecutionPlan>),
    on: &[(PhysicalExprRef, PhysicalExprRef)],
    null_equality: NullEquality,
    filter: Option<&JoinFilter>,
    join_type: JoinType,
    projection: Option<Vec<usize>>,
) -> Option<Join> {
    let filter = filter?.clone();
    let (left_period, right_period) = overlap_of(filter.expression(), &filter)?;
    let (left, right) = (left.clone(), right.clone());
    let on = on.to_vec();
    Some(Join { left, right, on, null_equality, filter, join_type, projection, left_period, right_period })
}

/// The periods of a predicate that has to hold, the left side's first.
fn overlap_of(expression: &PhysicalExprRef, filter: &JoinFilter) -> Option<(PeriodExpr, PeriodExpr)> {
    if let Some(both) = expression.as_any().downcast_ref::<BinaryExpr>().filter(|both| *both.op() == Operator::And) {
        return overlap_of(both.left(), filter).or_else(|| overlap_of(both.right(), filter));
    }
    let call = expression.as_any().downcast_ref::<ScalarFunctionExpr>().filter(|call| implies_overlap(call.name()))?;
    let (first, second) = match call.args() {
        [from, to, instant] | [from, to, instant, _]
            if call.name() == CONTAINS_INSTANT || call.name() == CONTAINS_KNOWN =>
        {
            (PeriodExpr::Bounds(from.clone(), to.clone()), PeriodExpr::Instant(instant.clone()))
        }
        [from1, to1, from2, to2] => {
            (PeriodExpr::Bounds(from1.clone(), to1.clone()), PeriodExpr::Bounds(from2.clone(), to2.clone()))
        }
        _ => return None,
    };
    match (side_of(&first, filter)?, side_of(&second, filter)?) {
        (JoinSide::Left, JoinSide::Right) => Some((first.over_side(filter)?, second.over_side(filter)?)),
        (JoinSide::Right, JoinSide::Left) => Some((second.over_side(filter)?, first.over_side(filter)?)),
        _ => None,
    }
}

/// The one side whose columns a period is made of.
fn side_of(period: &PeriodExpr, filter: &JoinFilter) -> Option<JoinSide> {
    let mut sides = Vec::new();
    for expression in period.expressions() {
        let _ = expression.apply(|inner| {
            if let Some(column) = inner.as_any().downcast_ref::<Column>() {
                sides.push(filter.column_indices()[column.index()].side);
            }
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        });
    }
    let first = *sides.first()?;
    sides.iter().all(|side| *side == first).then_some(first)
}

impl PeriodExpr {
    fn expressions(&self) -> Vec<&PhysicalExprRef> {
        match self {
            PeriodExpr::Bounds(from, to) => vec![from, to],
            PeriodExpr::Instant(instant) => vec![instant],
        }
    }

    /// From columns of the condition to columns of the side.
    fn over_side(&self, filter: &JoinFilter) -> Option<PeriodExpr> {
        let over = |expression: &PhysicalExprRef| -> Option<PhysicalExprRef> {
            let moved = expression.clone().transform(|inner| {
                Ok(match inner.as_any().downcast_ref::<Column>() {
                    Some(column) => {
                        let index = filter.column_indices()[column.index()].index;
                        Transformed::yes(Arc::new(Column::new(column.name(), index)) as Arc<dyn PhysicalExpr>)
                    }
                    None => Transformed::no(inner),
                })
            });
            moved.data().ok()
        };
        Some(match self {
            PeriodExpr::Bounds(from, to) => PeriodExpr::Bounds(over(from)?, over(to)?),
            PeriodExpr::Instant(instant) => PeriodExpr::Instant(over(instant)?),
        })
    }
}
