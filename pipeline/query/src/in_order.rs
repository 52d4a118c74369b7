//! Partitions one after another, so that the same query gives the same rows in the same order.
//!
//! A plan for one core still has partitions: UNION ALL makes one of each of its sides. DataFusion runs them at once and
//! takes batches as they come. Here the first is read to its end, then the second; merging sorted ones is told to keep
//! their order where rows are equal.

use std::{any::Any, fmt, sync::Arc};

use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    execution::{SendableRecordBatchStream, TaskContext},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
        coalesce_partitions::CoalescePartitionsExec, limit::GlobalLimitExec,
        sorts::sort_preserving_merge::SortPreservingMergeExec, stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

/// Makes every place where partitions come together one that keeps their order.
#[derive(Debug)]
pub(crate) struct KeepOrder;

impl PhysicalOptimizerRule for KeepOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let plan =
            plan.transform_up(|node| Ok(in_order(&node).map_or(Transformed::no(node), Transformed::yes))).data()?;
        // The reader of an answer would put its partitions together as they come.
        let several = plan.output_partitioning().partition_count() > 1;
        Ok(if several { Arc::new(InOrderExec::new(plan)) } else { plan })
    }

    fn name(&self) -> &'static str {
        "keep_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn in_order(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    if let Some(merge) = node.as_any().downcast_ref::<SortPreservingMergeExec>() {
        return Some(Arc::new(merge.clone().with_round_robin_repartition(false)));
    }
    let coalesce = node.as_any().downcast_ref::<CoalescePartitionsExec>()?;
    let all: Arc<dyn ExecutionPlan> = Arc::new(InOrderExec::new(coalesce.input().clone()));
    Some(match coalesce.fetch() {
        Some(rows) => Arc::new(GlobalLimitExec::new(all, 0, Some(rows))),
        None => all,
    })
}

/// Gives out the partitions of its input one after another.
#[derive(Debug)]
struct InOrderExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl InOrderExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> InOrderExec {
        let mut equivalences = input.equivalence_properties().clone();
        equivalences.clear_orderings();
        equivalences.clear_per_partition_constants();
        let one = Partitioning::UnknownPartitioning(1);
        let properties = PlanProperties::new(equivalences, one, input.pipeline_behavior(), input.boundedness())
            .with_scheduling_type(input.properties().scheduling_type);
        InOrderExec { input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for InOrderExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InOrderExec")
    }
}

impl ExecutionPlan for InOrderExec {
    fn name(&self) -> &'static str {
        "InOrderExec"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| self.input.clone());
        Ok(Arc::new(InOrderExec::new(input)))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, partitions) = (self.input.clone(), self.input.output_partitioning().partition_count());
        let streams = stream::iter(0..partitions).map(move |partition| input.execute(partition, context.clone()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), streams.try_flatten())))
    }
}
