//! Lets queries be ended and take turns while they join.
//!
//! A join makes many batches of one and hands them on without once giving up its thread; an aggregation above it would
//! take them all in one go, for minutes. Behind each join the batches are counted, and every so often the thread is
//! given up.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{ExecutionPlan, coop::CooperativeExec},
};

/// Operators that can give out more rows than they take in.
const MULTIPLYING: [&str; 7] = [
    "IntervalJoinExec",
    "CrossJoinExec",
    "NestedLoopJoinExec",
    "HashJoinExec",
    "SortMergeJoinExec",
    "PiecewiseMergeJoinExec",
    "UnnestExec",
];

/// Joins of one plan that give up their thread. Each takes a part of the same small budget (Tokio's, of 128) before it
/// lets those below it run, so a chain of more than that many would never get anywhere.
const MOST_YIELDING: usize = 32;

/// Puts DataFusion's own cooperation behind operators that multiply rows.
#[derive(Debug)]
pub(crate) struct YieldBehindJoins;

impl PhysicalOptimizerRule for YieldBehindJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let mut yielding = 0;
        plan.transform_up(|node| {
            if yielding < MOST_YIELDING && MULTIPLYING.contains(&node.name()) {
                yielding += 1;
                return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>));
            }
            Ok(Transformed::no(node))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "yield_behind_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
