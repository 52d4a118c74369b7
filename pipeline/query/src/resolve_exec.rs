//! The one operator that turns assertion rows into versions.
//!
//! It is a leaf of the plan: it reads the scan itself (see `answering`), keeps rows under the query's memory reservation,
//! resolves them and gives versions out by key and then valid time. Filters on anything but key columns stay above it.

use std::{any::Any, fmt, sync::Arc};

use datafusion::{
    common::Result,
    execution::{SendableRecordBatchStream, TaskContext, memory_pool::MemoryConsumer},
    physical_expr::{EquivalenceProperties, PhysicalSortExpr, expressions::Column as ColumnExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType, SchedulingType},
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet},
        stream::RecordBatchReceiverStream,
    },
};
use lake::{Pruning, ScanRequest, TableSnapshot};

use crate::{
    answering::Answering,
    error::external,
    filters::KeyCondition,
    layout::{Column, Layout, Reading},
    ways::{self, Way},
};

/// Batches that may wait for the operator above.
const WAITING_BATCHES: usize = 2;

/// Reads one dataset at its coordinates.
pub(crate) struct ResolveExec {
    table: TableSnapshot,
    layout: Arc<Layout>,
    conditions: Vec<KeyCondition>,
    /// Of a plan that is shown: what each condition left of the dataset's files, and how these are read.
    pruning: Option<(Pruning, Way)>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ResolveExec {
    /// The versions of `table` in the shape of `layout`, of the keys that meet all conditions.
    pub(crate) fn new(table: TableSnapshot, layout: Layout, conditions: Vec<KeyCondition>) -> ResolveExec {
        let ordering = output_ordering(&layout);
        let equivalences = EquivalenceProperties::new_with_orderings(layout.output_schema.clone(), ordering);
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let (layout, properties) = (Arc::new(layout), Arc::new(properties));
        let metrics = ExecutionPlanMetricsSet::new();
        ResolveExec { table, layout, conditions, pruning: None, properties, metrics }
    }

    /// Counts what each axis prunes, to be shown with the plan.
    pub(crate) async fn with_pruning(mut self) -> Result<ResolveExec> {
        let request = self.scan_request()?;
        let pruning = self.table.pruning(&request).await.map_err(external)?;
        self.pruning = Some((pruning, ways::choose(&self.table, &self.layout, &request).await?));
        Ok(self)
    }

    fn scan_request(&self) -> Result<ScanRequest> {
        let key_filters: Result<Vec<_>> = self.conditions.iter().map(KeyCondition::to_key_filter).collect();
        Ok(ScanRequest { key_filters: key_filters?, ..ways::request_of(&self.layout) })
    }
}

/// Key columns in order as far as they are given out, then the start of validity.
fn output_ordering(layout: &Layout) -> Option<Vec<PhysicalSortExpr>> {
    let schema = &layout.output_schema;
    let by = |index: usize| {
        let column = Arc::new(ColumnExpr::new(schema.field(index).name(), index));
        PhysicalSortExpr::new_default(column)
    };
    let given = |wanted: Column| layout.output.iter().position(|column| *column == wanted);
    let keys: Vec<usize> = layout.keys.iter().map_while(|&key| given(Column::Stored(key))).collect();
    let start = given(Column::ValidFrom).filter(|_| keys.len() == layout.keys.len());
    // Rectangles of a key may begin at one valid instant; then the earlier known comes first.
    let known = given(Column::Stored(layout.times[2])).filter(|_| start.is_some());
    let ordering: Vec<PhysicalSortExpr> = keys.into_iter().chain(start).chain(known).map(by).collect();
    (!ordering.is_empty()).then_some(ordering)
}

impl fmt::Debug for ResolveExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for ResolveExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layout { description, output_schema, reading, passing, .. } = self.layout.as_ref();
        let projection: Vec<&str> = output_schema.fields().iter().map(|field| field.name().as_str()).collect();
        let conditions: Vec<String> = self.conditions.iter().map(KeyCondition::describe).collect();
        write!(
            f,
            "ResolveExec: dataset={}, {description}, projection=[{}], key_filters=[{}], rows={}",
            self.table.dataset().name,
            projection.join(", "),
            conditions.join(", "),
            match reading {
                _ if self.pruning.is_some_and(|(_, way)| way == Way::Exact) => "exact",
                Reading::Latest => "latest",
                Reading::Versions(_) => "versions",
                Reading::Rectangles(..) => "rectangles",
                Reading::First(_) => "first",
                Reading::Diff(..) => "differences",
            },
        )?;
        if let Some(passing) = passing {
            write!(f, ", of_sides=[{passing}]")?;
        }
        match &self.pruning {
            Some((Pruning { files, known, valid, keys }, _)) => {
                write!(f, ", files={files}, after_system_time={known}, after_valid_time={valid}, after_keys={keys}")
            }
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ResolveExec {
    fn name(&self) -> &'static str {
        "ResolveExec"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let name = format!("resolving {}", self.table.dataset().name);
        let mut builder = RecordBatchReceiverStream::builder(self.layout.output_schema.clone(), WAITING_BATCHES);
        let answering = Answering {
            table: self.table.clone(),
            layout: self.layout.clone(),
            request: self.scan_request()?,
            memory: MemoryConsumer::new(name).register(context.memory_pool()),
            scanned: MetricBuilder::new(&self.metrics).counter("rows_scanned", partition),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            sender: builder.tx(),
        };
        builder.spawn(answering.run());
        Ok(builder.build())
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
