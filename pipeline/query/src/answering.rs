//! Carrying out a reading: from the lake's streams to the batches that come out.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array},
        compute::filter_record_batch,
        datatypes::{DataType, Schema, SchemaRef},
    },
    common::{DataFusionError, Result, runtime::SpawnedTask},
    execution::{SendableRecordBatchStream, memory_pool::MemoryReservation},
    physical_expr::{LexOrdering, PhysicalSortExpr, expressions::Column as ColumnExpr},
    physical_plan::{
        metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, RecordOutput},
        sorts::streaming_merge::StreamingMergeBuilder,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use lake::{Part, ScanRequest, TableSnapshot};

use crate::{
    distinct_keys::DistinctKeys,
    error::external,
    key_codes::Coder,
    layout::{DiffSide, Layout},
    rows::{Collector, OUTPUT_ROWS, Resolver},
    sieve::Sieve,
    ways::{self, Way},
    windows::Windows,
    winnow::Winnow,
};

/// More keys than these are not asked for by name.
const MOST_KEYS_NAMED: usize = 1 << 16;

type Sender = tokio::sync::mpsc::Sender<Result<RecordBatch>>;

/// Reads one dataset and sends what comes out, until nobody listens any more.
pub(crate) struct Answering {
    pub(crate) table: TableSnapshot,
    pub(crate) layout: Arc<Layout>,
    pub(crate) request: ScanRequest,
    pub(crate) memory: MemoryReservation,
    pub(crate) scanned: Count,
    pub(crate) metrics: BaselineMetrics,
    pub(crate) sender: Sender,
}

impl Answering {
    /// Reads to the end.
    pub(crate) async fn run(self) -> Result<()> {
        match ways::choose(&self.table, &self.layout, &self.request).await? {
            Way::Exact => self.exact().await,
            Way::Merged { adjoining } => self.merged(adjoining).await,
            Way::Winnowed => self.winnowed().await,
            Way::WinnowedSides(before, after) => self.winnowed_sides(before, after).await,
            Way::CollectedChanged(before, after) => self.collected_changed(before, after).await,
            Way::Collected => self.collected().await,
        }
    }

    async fn exact(self) -> Result<()> {
        let columns = ways::exact_columns(&self.layout);
        let request = ways::exact_request(&self.layout, &self.request);
        let schema: SchemaRef = Arc::new(self.layout.scan_schema.project(&columns)?);
        let streams = if self.layout.output.is_empty() {
            // Rows without columns have no order.
            let request = ScanRequest { columns: Vec::new(), ..request };
            vec![self.counted(self.table.scan(request).map_err(external)?, Arc::new(Schema::empty()))]
        } else {
            self.sorted(request, &schema).await?
        };
        let at = |column: usize| columns.binary_search(&column).unwrap_or_default();
        let order: Vec<usize> = ways::exact_order(&self.layout).into_iter().map(at).collect();
        let mut rows = merge(streams, &schema, &order, &self.memory)?;
        while let Some(batch) = rows.try_next().await? {
            let column = |column| match ways::stored_as(&self.layout, column) {
                Some(stored) => batch.column(at(stored)).clone(),
                None => new_null_array(&lake::model::arrow_layout::timestamp_type(), batch.num_rows()),
            };
            let columns: Vec<ArrayRef> = self.layout.output.iter().map(|&wanted| column(wanted)).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let output = self.layout.output_schema.clone();
            if !self.send(RecordBatch::try_new_with_options(output, columns, &options)?).await {
                break;
            }
        }
        self.metrics.done();
        Ok(())
    }

    async fn winnowed(self) -> Result<()> {
        let mut collector = Collector::new(self.layout.clone(), self.memory.new_empty());
        for batch in self.latest_rows(self.request.clone()).await? {
            collector.push(&batch)?;
        }
        self.resolved(collector.finish()?).await
    }

    /// What both sides of a diff show are rows that both have, overridden by those that only one has.
    async fn winnowed_sides(self, before: DiffSide, after: DiffSide) -> Result<()> {
        let mut collector = Collector::new(self.layout.clone(), self.memory.new_empty());
        let changed = self.latest_rows(ways::changed(&self.request, before, after)).await?;
        if !changed.is_empty() {
            let unchanged = self.latest_rows(ways::unchanged(&self.request, before, after)).await?;
            changed.iter().chain(&unchanged).try_for_each(|batch| collector.push(batch))?;
        }
        self.resolved(collector.finish()?).await
    }

    /// The latest row of each key among those a request asks for, all valid at one instant.
    async fn latest_rows(&self, request: ScanRequest) -> Result<Vec<RecordBatch>> {
        let types: Vec<DataType> =
            self.layout.keys.iter().map(|&key| self.layout.scan_schema.field(key).data_type().clone()).collect();
        let coder = Arc::new(Coder::as_stored(&types)?);
        let sieve = Sieve::new(&self.layout, coder.clone(), self.memory.new_empty());
        let request = ScanRequest { chooser: Some(Arc::new(sieve)), ..request };
        let mut winnow = Winnow::new(self.layout.clone(), coder, self.memory.new_empty());
        let mut batches = self.table.scan(request).map_err(external)?;
        // What the sieve lets through is little beside what it looked at, on all cores.
        while let Some(batch) = batches.try_next().await.map_err(external)? {
            self.scanned.add(batch.num_rows());
            winnow.push(batch)?;
        }
        winnow.finish()
    }

    async fn collected(self) -> Result<()> {
        let resolver = self.collect(self.request.clone()).await?;
        self.resolved(resolver).await
    }

    /// Keys of which only one side of a diff has rows, with all their rows.
    async fn collected_changed(self, before: DiffSide, after: DiffSide) -> Result<()> {
        let changed = ways::changed(&self.request, before, after);
        let changed = sorted_by_key(self.collect(changed).await?).await?;
        if changed.is_empty() {
            return self.resolved(changed).await;
        }
        let mut request = self.request.clone();
        let Some(keys) = DistinctKeys::of(&changed, &self.layout, MOST_KEYS_NAMED)? else {
            return self.collected().await;
        };
        drop(changed);
        request.key_filters.extend(keys.filters());
        let resolver = self.collect(request).await?;
        self.resolved(resolver).await
    }

    async fn resolved(self, resolver: Resolver) -> Result<()> {
        let resolving = SpawnedTask::spawn_blocking(move || self.give_out(resolver));
        resolving.join().await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?
    }

    /// Runs on a thread that may be busy for long.
    fn give_out(self, mut resolver: Resolver) -> Result<()> {
        resolver.sort();
        while let Some(batch) = resolver.next_batch()? {
            if self.sender.blocking_send(Ok(batch.record_output(&self.metrics))).is_err() {
                break;
            }
        }
        self.metrics.done();
        Ok(())
    }

    async fn merged(self, adjoining: bool) -> Result<()> {
        let appended = self.collect(ScanRequest { part: Part::Appended, ..self.request.clone() }).await?;
        let appended = sorted_by_key(appended).await?;
        let schema = self.layout.scan_schema.clone();
        let mut streams = self.exact_streams(&appended, adjoining).await?;
        if !appended.is_empty() {
            streams.push(rows_of(appended, schema.clone()));
        }
        let mut rows = merge(streams, &schema, &self.layout.keys, &self.memory)?;
        let mut windows = Windows::new(self.layout.clone(), self.memory.new_empty());
        while let Some(batch) = rows.try_next().await? {
            if let Some(batch) = windows.push(batch)?
                && !self.send(batch).await
            {
                return Ok(());
            }
        }
        if let Some(batch) = windows.finish()? {
            self.send(batch).await;
        }
        self.metrics.done();
        Ok(())
    }

    /// The rows of exact files that are needed: of keys with appended rows all, of others perhaps fewer.
    async fn exact_streams(&self, appended: &Resolver, adjoining: bool) -> Result<Vec<SendableRecordBatchStream>> {
        let schema = &self.layout.scan_schema;
        let sufficient = ways::sufficient(&self.layout, &self.request, adjoining);
        let fewer = sufficient.changed_between.is_some();
        if !fewer || appended.is_empty() {
            return self.sorted(sufficient, schema).await;
        }
        let all = ScanRequest { part: Part::Exact, ..self.request.clone() };
        let Some(keys) = DistinctKeys::of(appended, &self.layout, MOST_KEYS_NAMED)? else {
            return self.sorted(all, schema).await;
        };
        let keys = Arc::new(keys);
        let mut key_filters = all.key_filters.clone();
        key_filters.extend(keys.filters());
        let of_these = self.sorted(ScanRequest { key_filters, ..all }, schema).await?;
        let of_others = self.sorted(sufficient, schema).await?;
        let only = |streams: Vec<SendableRecordBatchStream>, wanted: bool| {
            let keys = keys.clone();
            streams.into_iter().map(move |rows| only_keys(rows, keys.clone(), wanted))
        };
        Ok(only(of_these, true).chain(only(of_others, false)).collect())
    }

    async fn collect(&self, request: ScanRequest) -> Result<Resolver> {
        let mut collector = Collector::new(self.layout.clone(), self.memory.new_empty());
        let mut batches = self.table.scan(request).map_err(external)?;
        while let Some(batch) = batches.try_next().await.map_err(external)? {
            self.scanned.add(batch.num_rows());
            collector.push(&batch)?;
        }
        collector.finish()
    }

    async fn sorted(&self, request: ScanRequest, schema: &SchemaRef) -> Result<Vec<SendableRecordBatchStream>> {
        let streams = self.table.scan_sorted(request).await.map_err(external)?;
        Ok(streams.into_iter().map(|rows| self.counted(rows, schema.clone())).collect())
    }

    fn counted(&self, rows: Scan, schema: SchemaRef) -> SendableRecordBatchStream {
        let scanned = self.scanned.clone();
        let rows = rows.map_err(external).inspect_ok(move |batch| scanned.add(batch.num_rows()));
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }

    /// Whether somebody listens.
    async fn send(&self, batch: RecordBatch) -> bool {
        self.sender.send(Ok(batch.record_output(&self.metrics))).await.is_ok()
    }
}

type Scan = BoxStream<'static, lake::Result<RecordBatch>>;

/// The rows taken in, sorted on a thread that may be busy for long.
async fn sorted_by_key(mut rows: Resolver) -> Result<Resolver> {
    let sorting = SpawnedTask::spawn_blocking(move || {
        rows.sort();
        rows
    });
    sorting.join().await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))
}

/// Sorted streams as one, by these columns.
fn merge(
    mut streams: Vec<SendableRecordBatchStream>,
    schema: &SchemaRef,
    by: &[usize],
    memory: &MemoryReservation,
) -> Result<SendableRecordBatchStream> {
    if streams.len() < 2 {
        let nothing = || Box::pin(RecordBatchStreamAdapter::new(schema.clone(), stream::empty())) as _;
        return Ok(streams.pop().unwrap_or_else(nothing));
    }
    let expression =
        |&column: &usize| PhysicalSortExpr::new_default(Arc::new(ColumnExpr::new(schema.field(column).name(), column)));
    let Some(order) = LexOrdering::new(by.iter().map(expression)) else {
        return Err(crate::resolution::internal("a dataset has no key columns".to_owned()));
    };
    StreamingMergeBuilder::new()
        .with_streams(streams)
        .with_schema(schema.clone())
        .with_expressions(&order)
        .with_metrics(BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), 0))
        .with_batch_size(OUTPUT_ROWS)
        .with_reservation(memory.new_empty())
        .with_round_robin_tie_breaker(false)
        .build()
}

/// The rows taken in, as they are, in the order of their keys.
fn rows_of(sorted: Resolver, schema: SchemaRef) -> SendableRecordBatchStream {
    let batches =
        stream::try_unfold(sorted, |mut sorted| async { Ok(sorted.next_rows()?.map(|batch| (batch, sorted))) });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// The rows whose key is one of these, or is none of them.
fn only_keys(rows: SendableRecordBatchStream, keys: Arc<DistinctKeys>, wanted: bool) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let kept = rows.map(move |batch| {
        let batch = batch?;
        let keep: BooleanArray = keys.contains(&batch)?.into_iter().map(|found| Some(found == wanted)).collect();
        Ok(filter_record_batch(&batch, &keep)?)
    });
    let some = kept.try_filter(|batch| std::future::ready(batch.num_rows() > 0));
    Box::pin(RecordBatchStreamAdapter::new(schema, some))
}
