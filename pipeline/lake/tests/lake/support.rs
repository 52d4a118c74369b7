//! A lake in a folder of its own, rows for it, and the same questions answered the plain way.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    util::display::{ArrayFormatter, FormatOptions},
};
use futures::TryStreamExt;
use lake::{
    Dataset, DatasetCommit, Defined, EpochCommit, Lake, LakeSnapshot, ScanRequest, StagedFile,
    model::{
        ColumnDefinition, ColumnType, DatasetDefinition, EpochRecord, Instant, Mode, OPEN,
        arrow_layout::assertion_schema,
    },
};

pub const HOUR: i64 = 3_600_000_000;
/// System times of epochs count from here, a second each.
pub const START: i64 = 1_790_000_000_000_000;

/// One assertion row of the test datasets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub key: String,
    pub number: Option<i64>,
    pub price: Option<i128>,
    pub valid_from: i64,
    pub valid_to: Option<i64>,
    pub system_from: i64,
    pub put: bool,
}

pub fn row(key: &str, number: i64, valid: (i64, i64), system_from: i64) -> Row {
    let valid_to = (valid.1 != OPEN).then_some(valid.1);
    let (number, price) = (Some(number), Some(i128::from(number) * 10_000_000_000_000_000_000));
    Row { key: key.to_owned(), number, price, valid_from: valid.0, valid_to, system_from, put: number != Some(0) }
}

pub fn definition() -> DatasetDefinition {
    let column = |name: &str, column_type| ColumnDefinition { name: name.to_owned(), column_type, path: None };
    DatasetDefinition {
        columns: vec![
            column("key", ColumnType::String),
            column("number", ColumnType::Int64),
            column("price", ColumnType::Decimal { precision: 38, scale: 4 }),
            column("starts", ColumnType::Timestamp),
            column("ends", ColumnType::Timestamp),
        ],
        key: vec!["key".to_owned()],
        valid_from: "starts".to_owned(),
        valid_to: Some("ends".to_owned()),
        operation: None,
        sequence: None,
        system_time: None,
        mode: Mode::Interval,
        each: None,
    }
}

pub fn import_definition() -> DatasetDefinition {
    let mut definition = definition();
    let known = ColumnDefinition { name: "known".to_owned(), column_type: ColumnType::Timestamp, path: None };
    definition.columns.push(known);
    definition.system_time = Some("known".to_owned());
    definition
}

pub async fn open(folder: &Path) -> Lake {
    Lake::open(folder).await.unwrap()
}

pub async fn define(lake: &Lake, name: &str) -> Arc<Dataset> {
    match lake.define_dataset(name, &definition()).await.unwrap() {
        Defined::Created(dataset) | Defined::Same(dataset) => dataset,
    }
}

pub fn batch(dataset: &Dataset, rows: &[Row]) -> RecordBatch {
    let times = |pick: &dyn Fn(&Row) -> Option<i64>| -> ArrayRef {
        let array: TimestampMicrosecondArray = rows.iter().map(pick).collect();
        Arc::new(array.with_timezone("+00:00"))
    };
    let prices: Decimal128Array = rows.iter().map(|r| r.price).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.key))),
        Arc::new(rows.iter().map(|r| r.number).collect::<Int64Array>()),
        Arc::new(prices.with_precision_and_scale(38, 4).unwrap()),
        times(&|r| Some(r.valid_from)),
        times(&|r| r.valid_to),
        times(&|r| Some(r.system_from)),
        times(&|_| None),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| if r.put { "put" } else { "delete" }))),
    ];
    RecordBatch::try_new(assertion_schema(&dataset.definition), columns).unwrap()
}

pub fn stage(lake: &Lake, dataset: &Dataset, rows: &[Row]) -> Vec<StagedFile> {
    let mut writer = lake.writer(dataset).unwrap();
    writer.write(&batch(dataset, rows)).unwrap();
    writer.finish().unwrap()
}

/// The system time of an epoch of the tests.
pub fn time_of(epoch: u64) -> i64 {
    START + i64::try_from(epoch).unwrap() * 1_000_000
}

pub fn record(epoch: u64, rows: u64) -> EpochRecord {
    let system_time = Instant(time_of(epoch));
    EpochRecord { epoch, system_time, position: epoch * 10, records: rows, rows, duration_micros: 5 }
}

pub fn part(dataset: &Dataset, files: Vec<StagedFile>) -> DatasetCommit {
    let committed = files.iter().map(|file| file.rows).sum();
    let (dataset_id, version) = (dataset.id, dataset.version);
    DatasetCommit {
        dataset_id,
        version,
        files,
        committed,
        unchanged: 1,
        quarantined: 2,
        ignored_fields: 3,
        seal: false,
    }
}

pub fn epoch(epoch: u64, datasets: Vec<DatasetCommit>) -> EpochCommit {
    let rows = datasets.iter().flat_map(|dataset| &dataset.files).map(|file| file.rows).sum();
    EpochCommit { record: record(epoch, rows), datasets, checkpoint: format!("checkpoint-{epoch}") }
}

/// Commits rows of one dataset as the next epoch.
pub async fn commit_rows(lake: &Lake, dataset: &Dataset, rows: &[Row]) -> EpochRecord {
    let next = lake.head().map_or(1, |head| head.epoch + 1);
    let files = stage(lake, dataset, rows);
    lake.commit_epoch(epoch(next, vec![part(dataset, files)])).await.unwrap()
}

pub fn everything() -> ScanRequest {
    ScanRequest {
        columns: ["key", "number", "price", "valid_from", "valid_to", "system_from", "operation"]
            .map(str::to_owned)
            .to_vec(),
        ..ScanRequest::default()
    }
}

pub async fn batches(snapshot: &LakeSnapshot, dataset: &str, request: ScanRequest) -> Vec<RecordBatch> {
    snapshot.table(dataset).unwrap().scan(request).unwrap().try_collect().await.unwrap()
}

/// The rows a request with the columns of [`everything`] gives, sorted.
pub async fn rows_of(snapshot: &LakeSnapshot, dataset: &str, request: ScanRequest) -> Vec<Row> {
    let mut rows: Vec<Row> = batches(snapshot, dataset, request).await.iter().flat_map(read).collect();
    rows.sort();
    rows
}

fn read(batch: &RecordBatch) -> Vec<Row> {
    let strings = |i: usize| batch.column(i).as_any().downcast_ref::<StringArray>().unwrap().clone();
    let times = |i: usize| batch.column(i).as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap().clone();
    let numbers = batch.column(1).as_any().downcast_ref::<Int64Array>().unwrap();
    let prices = batch.column(2).as_any().downcast_ref::<Decimal128Array>().unwrap();
    let (keys, operations, from, to, known) = (strings(0), strings(6), times(3), times(4), times(5));
    (0..batch.num_rows())
        .map(|i| Row {
            key: keys.value(i).to_owned(),
            number: numbers.is_valid(i).then(|| numbers.value(i)),
            price: prices.is_valid(i).then(|| prices.value(i)),
            valid_from: from.value(i),
            valid_to: to.is_valid(i).then(|| to.value(i)),
            system_from: known.value(i),
            put: operations.value(i) == "put",
        })
        .collect()
}

/// Every value as text, for columns in any order.
pub fn text(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for batch in batches {
        let options = FormatOptions::default().with_null("null");
        let columns: Vec<ArrayFormatter> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        lines.extend((0..batch.num_rows()).map(|i| columns.iter().map(|c| c.value(i).to_string()).collect()));
    }
    lines.sort();
    lines
}

/// Numbers that look drawn by lot and are the same each time.
pub struct Lot(pub u64);

impl Lot {
    pub fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % u64::try_from(end).unwrap()).unwrap()
    }
}
