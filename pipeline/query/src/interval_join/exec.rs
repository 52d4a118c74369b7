//! The operator: reads both sides, sweeps, checks the rest of the condition on the pairs, gives out what the kind of
//! join asks for. Both sides are kept under the query's memory reservation.

use std::{any::Any, collections::HashMap, fmt, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array},
        buffer::BooleanBuffer,
        compute::{concat_batches, take},
        datatypes::{Schema, SchemaRef, TimestampMicrosecondType},
        row::{RowConverter, Rows, SortField},
    },
    common::{
        DataFusionError, JoinSide, JoinType, NullEquality, Result, exec_err, runtime::SpawnedTask,
        utils::memory::get_record_batch_memory_size,
    },
    execution::{
        SendableRecordBatchStream, TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    physical_expr::{EquivalenceProperties, PhysicalExprRef},
    physical_plan::{
        DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        joins::utils::{ColumnIndex, JoinFilter, build_join_schema},
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput},
        stream::RecordBatchReceiverStream,
    },
};
use futures::TryStreamExt;
use lake::model::{OPEN, arrow_layout::timestamp_type};

use super::{
    Join, PeriodExpr,
    sweep::{Entry, sweep},
};

/// Pairs whose condition is checked together, and rows of a batch that comes out.
const PAIRS: usize = 8_192;
/// Batches that may wait for the operator above.
const WAITING_BATCHES: usize = 2;

/// Joins two sides on periods that share an instant.
pub(crate) struct IntervalJoinExec {
    join: Arc<Join>,
    shape: Arc<Shape>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What comes out.
struct Shape {
    schema: SchemaRef,
    columns: Vec<ColumnIndex>,
}

impl IntervalJoinExec {
    /// Fails when the projection names columns that the join does not have.
    pub(crate) fn new(join: Join) -> Result<IntervalJoinExec> {
        let (schema, mut columns) = build_join_schema(&join.left.schema(), &join.right.schema(), &join.join_type);
        let schema = match &join.projection {
            None => Arc::new(schema),
            Some(projection) => {
                columns = projection.iter().map(|&index| columns[index].clone()).collect();
                Arc::new(schema.project(projection)?)
            }
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let shape = Arc::new(Shape { schema, columns });
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(IntervalJoinExec { join: Arc::new(join), shape, properties: Arc::new(properties), metrics })
    }
}

impl fmt::Debug for IntervalJoinExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for IntervalJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on: Vec<String> = self.join.on.iter().map(|(left, right)| format!("({left}, {right})")).collect();
        let Join { join_type, filter, .. } = self.join.as_ref();
        write!(f, "IntervalJoinExec: join_type={join_type:?}, on=[{}], filter={}", on.join(", "), filter.expression())
    }
}

impl ExecutionPlan for IntervalJoinExec {
    fn name(&self) -> &'static str {
        "IntervalJoinExec"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition, Distribution::SinglePartition]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.join.left, &self.join.right]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let [left, right] =
            children.try_into().map_err(|_| DataFusionError::Internal("a join has two sides".to_owned()))?;
        let Join { on, null_equality, filter, join_type, projection, left_period, right_period, .. } =
            self.join.as_ref();
        let join = Join {
            left,
            right,
            on: on.clone(),
            null_equality: *null_equality,
            filter: filter.clone(),
            join_type: *join_type,
            projection: projection.clone(),
            left_period: left_period.clone(),
            right_period: right_period.clone(),
        };
        Ok(Arc::new(IntervalJoinExec::new(join)?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (join, shape) = (self.join.clone(), self.shape.clone());
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let memory = MemoryConsumer::new("joining by periods").register(context.memory_pool());
        let left = join.left.execute(0, context.clone())?;
        let right = join.right.execute(0, context)?;
        let mut builder = RecordBatchReceiverStream::builder(shape.schema.clone(), WAITING_BATCHES);
        let sender = builder.tx();
        builder.spawn(async move {
            let left = collect(left, &memory).await?;
            let right = collect(right, &memory).await?;
            let joining = SpawnedTask::spawn_blocking(move || {
                let closed = || sender.is_closed();
                let mut give = |batch: RecordBatch| sender.blocking_send(Ok(batch.record_output(&metrics))).is_ok();
                let done = Joining::new(&join, &shape, left, right, &memory)?.run(&mut give, &closed);
                metrics.done();
                done
            });
            joining.join().await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?
        });
        Ok(builder.build())
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

async fn collect(mut stream: SendableRecordBatchStream, memory: &MemoryReservation) -> Result<RecordBatch> {
    let schema = stream.schema();
    let mut batches = Vec::new();
    while let Some(batch) = stream.try_next().await? {
        // Twice: as it comes, and in the one batch made of all.
        memory.try_grow(2 * get_record_batch_memory_size(&batch))?;
        batches.push(batch);
    }
    let kept: usize = batches.iter().map(get_record_batch_memory_size).sum();
    let all = concat_batches(&schema, &batches)?;
    drop(batches);
    memory.try_shrink(kept)?;
    if u32::try_from(all.num_rows()).is_err() {
        return exec_err!("one side of a join has more than {} rows", u32::MAX);
    }
    Ok(all)
}

/// One side: its rows, and the intervals of those that can meet others.
struct Side {
    rows: RecordBatch,
    entries: Vec<Entry>,
    /// Rows that have met another; only where the kind of join asks.
    met: Vec<bool>,
}

struct Joining<'a> {
    join: &'a Join,
    shape: &'a Shape,
    left: Side,
    right: Side,
    _memory: &'a MemoryReservation,
}

impl<'a> Joining<'a> {
    fn new(
        join: &'a Join,
        shape: &'a Shape,
        left: RecordBatch,
        right: RecordBatch,
        memory: &'a MemoryReservation,
    ) -> Result<Joining<'a>> {
        memory.try_grow((left.num_rows() + right.num_rows()) * (size_of::<Entry>() + 1))?;
        let (left_groups, right_groups) = groups(join, &left, &right, memory)?;
        let left_entries = entries(&join.left_period, &left, &left_groups)?;
        let right_entries = entries(&join.right_period, &right, &right_groups)?;
        let left = Side { met: vec![false; left.num_rows()], rows: left, entries: left_entries };
        let right = Side { met: vec![false; right.num_rows()], rows: right, entries: right_entries };
        Ok(Joining { join, shape, left, right, _memory: memory })
    }

    /// Ends early when nobody takes batches any more.
    fn run(mut self, give: &mut dyn FnMut(RecordBatch) -> bool, closed: &dyn Fn() -> bool) -> Result<()> {
        let (mut lefts, mut rights) = (Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS));
        let (mut left_entries, mut right_entries) =
            (std::mem::take(&mut self.left.entries), std::mem::take(&mut self.right.entries));
        let mut listened_to = true;
        sweep(&mut left_entries, &mut right_entries, |left, right| {
            lefts.push(left);
            rights.push(right);
            if lefts.len() == PAIRS {
                // Looked at for each lot, because none of its pairs may have to be given out.
                listened_to =
                    !closed() && self.settle(std::mem::take(&mut lefts), std::mem::take(&mut rights), give)?;
            }
            Ok::<bool, DataFusionError>(listened_to)
        })?;
        if listened_to && self.settle(lefts, rights, give)? {
            self.give_rest(give)?;
        }
        Ok(())
    }

    /// Checks the condition on pairs, remembers who met, gives out the pairs where they are asked for.
    fn settle(&mut self, lefts: Vec<u32>, rights: Vec<u32>, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        if lefts.is_empty() {
            return Ok(true);
        }
        let (lefts, rights) = (UInt32Array::from(lefts), UInt32Array::from(rights));
        let holds = self.condition(&lefts, &rights)?;
        let kept = |indices: &UInt32Array| -> Vec<Option<u32>> {
            (0..indices.len()).filter(|&pair| holds.value(pair)).map(|pair| Some(indices.value(pair))).collect()
        };
        let (lefts, rights) = (kept(&lefts), kept(&rights));
        lefts.iter().flatten().for_each(|&row| self.left.met[row as usize] = true);
        rights.iter().flatten().for_each(|&row| self.right.met[row as usize] = true);
        let pairs = matches!(self.join.join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full);
        if !pairs || lefts.is_empty() {
            return Ok(true);
        }
        Ok(give(self.batch(&lefts.into(), &rights.into(), None)?))
    }

    fn condition(&self, lefts: &UInt32Array, rights: &UInt32Array) -> Result<BooleanBuffer> {
        let JoinFilterParts { columns, schema, expression } = parts(&self.join.filter);
        let arrays = columns.iter().map(|column| match column.side {
            JoinSide::Right => Ok(take(self.right.rows.column(column.index), rights, None)?),
            _ => Ok(take(self.left.rows.column(column.index), lefts, None)?),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(lefts.len()));
        let batch = RecordBatch::try_new_with_options(schema, arrays.collect::<Result<_>>()?, &options)?;
        let holds = expression.evaluate(&batch)?.into_array(lefts.len())?;
        let holds = holds.as_boolean();
        // Null is not true.
        Ok(match holds.nulls() {
            Some(valid) => holds.values() & valid.inner(),
            None => holds.values().clone(),
        })
    }

    /// Rows that are given out for having met others or for not having.
    fn give_rest(&self, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        let rows = |side: &Side, met: bool| -> Vec<Option<u32>> {
            (0_u32..).zip(&side.met).filter(|(_, has)| **has == met).map(|(row, _)| Some(row)).collect()
        };
        let all = |side: &Side| -> Vec<Option<u32>> { (0_u32..).zip(&side.met).map(|(row, _)| Some(row)).collect() };
        let (left, right) = (&self.left, &self.right);
        match self.join.join_type {
            JoinType::Inner => Ok(()),
            JoinType::Left => self.give_side(&rows(left, false), JoinSide::Left, give),
            JoinType::Right => self.give_side(&rows(right, false), JoinSide::Right, give),
            JoinType::Full => {
                self.give_side(&rows(left, false), JoinSide::Left, give)?;
                self.give_side(&rows(right, false), JoinSide::Right, give)
            }
            JoinType::LeftSemi => self.give_side(&rows(left, true), JoinSide::Left, give),
            JoinType::LeftAnti => self.give_side(&rows(left, false), JoinSide::Left, give),
            JoinType::RightSemi => self.give_side(&rows(right, true), JoinSide::Right, give),
            JoinType::RightAnti => self.give_side(&rows(right, false), JoinSide::Right, give),
            JoinType::LeftMark => self.give_side(&all(left), JoinSide::Left, give),
            JoinType::RightMark => self.give_side(&all(right), JoinSide::Right, give),
        }
    }

    /// Rows of one side, with nulls for the other.
    fn give_side(&self, rows: &[Option<u32>], side: JoinSide, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        for rows in rows.chunks(PAIRS) {
            let nothing = UInt32Array::new_null(rows.len());
            let given = UInt32Array::from(rows.to_vec());
            let met = if side == JoinSide::Right { &self.right.met } else { &self.left.met };
            let marks: BooleanArray = rows.iter().map(|row| row.map(|row| met[row as usize])).collect();
            let batch = match side {
                JoinSide::Right => self.batch(&nothing, &given, Some(marks))?,
                _ => self.batch(&given, &nothing, Some(marks))?,
            };
            if !give(batch) {
                break;
            }
        }
        Ok(())
    }

    fn batch(&self, lefts: &UInt32Array, rights: &UInt32Array, marks: Option<BooleanArray>) -> Result<RecordBatch> {
        let column = |column: &ColumnIndex| -> Result<ArrayRef> {
            match column.side {
                JoinSide::Left => Ok(take(self.left.rows.column(column.index), lefts, None)?),
                JoinSide::Right => Ok(take(self.right.rows.column(column.index), rights, None)?),
                JoinSide::None => match &marks {
                    Some(marks) => Ok(Arc::new(marks.clone())),
                    None => exec_err!("a join gives marks that were not made"),
                },
            }
        };
        let columns = self.shape.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(lefts.len()));
        Ok(RecordBatch::try_new_with_options(self.shape.schema.clone(), columns, &options)?)
    }
}

struct JoinFilterParts<'a> {
    columns: &'a [ColumnIndex],
    schema: SchemaRef,
    expression: &'a PhysicalExprRef,
}

/// The condition, with every column nullable: the pairs are made of rows, and what is null in them shows.
fn parts(filter: &JoinFilter) -> JoinFilterParts<'_> {
    let fields: Vec<_> = filter.schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    JoinFilterParts {
        columns: filter.column_indices(),
        schema: Arc::new(Schema::new(fields)),
        expression: filter.expression(),
    }
}

/// For each row the number of its key, by which both sides are matched; `None` where the key can match nothing.
type Groups = Vec<Option<u32>>;

fn groups(
    join: &Join,
    left: &RecordBatch,
    right: &RecordBatch,
    memory: &MemoryReservation,
) -> Result<(Groups, Groups)> {
    if join.on.is_empty() {
        return Ok((vec![Some(0); left.num_rows()], vec![Some(0); right.num_rows()]));
    }
    let evaluate = |expression: &PhysicalExprRef, rows: &RecordBatch| {
        expression.evaluate(rows).and_then(|value| value.into_array(rows.num_rows()))
    };
    let left_keys = join.on.iter().map(|(key, _)| evaluate(key, left)).collect::<Result<Vec<_>>>()?;
    let right_keys = join.on.iter().map(|(_, key)| evaluate(key, right)).collect::<Result<Vec<_>>>()?;
    let fields = left_keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let (left_rows, right_rows) = (converter.convert_columns(&left_keys)?, converter.convert_columns(&right_keys)?);
    memory.try_grow(left_rows.size() + right_rows.size())?;
    let mut numbers: HashMap<&[u8], u32> = HashMap::new();
    let null_is_equal = join.null_equality == NullEquality::NullEqualsNull;
    let can_match = |keys: &[ArrayRef], row: usize| null_is_equal || keys.iter().all(|key| key.is_valid(row));
    let mut left_groups = Vec::with_capacity(left.num_rows());
    for row in 0..left.num_rows() {
        let next = numbers.len() as u32;
        let key = bytes(&left_rows, row);
        left_groups.push(can_match(&left_keys, row).then(|| *numbers.entry(key).or_insert(next)));
    }
    let of_right = |row: usize| numbers.get(bytes(&right_rows, row)).copied().filter(|_| can_match(&right_keys, row));
    let right_groups = (0..right.num_rows()).map(of_right).collect();
    Ok((left_groups, right_groups))
}

fn bytes(rows: &Rows, row: usize) -> &[u8] {
    rows.row(row).data()
}

/// The intervals of the rows that have one and whose key can match.
fn entries(period: &PeriodExpr, rows: &RecordBatch, groups: &Groups) -> Result<Vec<Entry>> {
    let times = |expression: &PhysicalExprRef| -> Result<ArrayRef> {
        let array = expression.evaluate(rows)?.into_array(rows.num_rows())?;
        match array.data_type() == &timestamp_type() {
            true => Ok(array),
            false => exec_err!("a period is made of {}", array.data_type()),
        }
    };
    let (starts, ends) = match period {
        PeriodExpr::Bounds(from, to) => (times(from)?, Some(times(to)?)),
        PeriodExpr::Instant(instant) => (times(instant)?, None),
    };
    let starts = starts.as_primitive::<TimestampMicrosecondType>();
    let ends = ends.as_ref().map(|ends| ends.as_primitive::<TimestampMicrosecondType>());
    let entry = |(row, group): (u32, &Option<u32>)| {
        let index = row as usize;
        let from = starts.is_valid(index).then(|| starts.value(index))?;
        let to = match ends {
            None => from.saturating_add(1),
            Some(ends) if ends.is_null(index) => OPEN,
            Some(ends) => ends.value(index),
        };
        (from < to).then_some(Entry { group: (*group)?, from, row, to })
    };
    Ok((0_u32..).zip(groups).filter_map(entry).collect())
}
