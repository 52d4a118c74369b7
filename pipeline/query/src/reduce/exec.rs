//! The operator: takes in all batches of the plan below it, then gives out what they are reduced to. What it keeps is
//! under the query's memory reservation.

use std::{any::Any, fmt, sync::Arc};

use datafusion::{
    arrow::array::RecordBatch,
    common::{DataFusionError, Result, config::ConfigOptions},
    execution::{
        SendableRecordBatchStream, SessionState, SessionStateBuilder, TaskContext, memory_pool::MemoryConsumer,
    },
    physical_expr::EquivalenceProperties,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType, SchedulingType},
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{TryStreamExt, stream};

use crate::{Error, ErrorKind, error::Result as OurResult};

use super::{Fold, MOST_REDUCTIONS, Reduction, bind::Bound};

/// A state whose plans end in these reductions, the first taking the rows of the query.
pub(crate) fn on_top(state: SessionState, reductions: &[Reduction]) -> OurResult<SessionState> {
    if reductions.is_empty() {
        return Ok(state);
    }
    if reductions.len() > MOST_REDUCTIONS {
        let message = format!("'reduce' has {} reductions; there are at most {MOST_REDUCTIONS}", reductions.len());
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    let rule = Arc::new(ReduceOnTop(reductions.to_vec()));
    Ok(SessionStateBuilder::new_from_existing(state).with_physical_optimizer_rule(rule).build())
}

/// Puts reductions on top of a finished plan: behind all other rules, so that nothing below is planned otherwise.
#[derive(Debug)]
struct ReduceOnTop(Vec<Reduction>);

impl PhysicalOptimizerRule for ReduceOnTop {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        self.0.iter().try_fold(plan, |plan, reduction| {
            let reduced: Arc<dyn ExecutionPlan> = Arc::new(ReduceExec::new(plan, reduction.clone())?);
            Ok(reduced)
        })
    }

    fn name(&self) -> &'static str {
        "reduce_on_top"
    }

    fn schema_check(&self) -> bool {
        false
    }
}

/// Reduces the rows of one plan.
struct ReduceExec {
    input: Arc<dyn ExecutionPlan>,
    reduction: Reduction,
    bound: Arc<Bound>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ReduceExec {
    /// Fails when the reduction cannot be done with the input's columns.
    fn new(input: Arc<dyn ExecutionPlan>, reduction: Reduction) -> Result<ReduceExec> {
        let bound = Arc::new(Bound::new(&reduction, &input.schema())?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(bound.schema().clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let (properties, metrics) = (Arc::new(properties), ExecutionPlanMetricsSet::new());
        Ok(ReduceExec { input, reduction, bound, properties, metrics })
    }
}

impl fmt::Debug for ReduceExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for ReduceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReduceExec: {}", self.reduction)
    }
}

impl ExecutionPlan for ReduceExec {
    fn name(&self) -> &'static str {
        "ReduceExec"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| self.input.clone());
        Ok(Arc::new(ReduceExec::new(input, self.reduction.clone())?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("reducing").register(context.memory_pool());
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let input = self.input.execute(0, context)?;
        let folder = self.bound.folder(memory)?;
        let batches = stream::once(async move {
            let batches = folded(folder, input).await?;
            let counted = move |batch: Result<RecordBatch>| batch.map(|batch| batch.record_output(&metrics));
            Ok::<_, DataFusionError>(stream::iter(batches.map(counted)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.bound.schema().clone(), batches.try_flatten())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Takes all batches in. Between two of them others may run, and the query may end.
async fn folded(mut folder: Box<dyn Fold>, mut input: SendableRecordBatchStream) -> Result<super::Batches> {
    while let Some(batch) = input.try_next().await? {
        if batch.num_rows() > 0 {
            folder.push(batch)?;
        }
        tokio::task::coop::consume_budget().await;
    }
    drop(input);
    folder.finish()
}
