//! The latest row of each key, found while batches stream in, so that all others are forgotten at once.
//!
//! A table holds, for each key, when its latest row became known and where the row is.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array},
        buffer::BooleanBuffer,
        compute::{filter_record_batch, take_record_batch},
        datatypes::TimestampMicrosecondType,
    },
    common::{Result, utils::memory::get_record_batch_memory_size},
    execution::memory_pool::MemoryReservation,
};

use crate::{
    key_codes::{Coder, Keys},
    key_table::{KeyTable, hardly_any_comes_again},
    layout::Layout,
};

/// Of a batch in which fewer rows than one in so many are the latest, these alone are kept.
const SPARSE: usize = 4;
/// Rows kept for each key, on average, and in any case, before those that were overridden are let go.
const ROWS_PER_KEY: usize = 3;
const ROWS_IN_ANY_CASE: usize = 1 << 18;
/// The latest row of a key, as far as was seen.
#[derive(Clone, Copy, PartialEq)]
struct Latest {
    system_from: i64,
    chunk: u32,
    row: u32,
}

const NOWHERE: Latest = Latest { system_from: i64::MIN, chunk: u32::MAX, row: 0 };

/// Takes in the batches of a scan of rows that are all valid at the instant asked for, and keeps the latest of each key.
pub(crate) struct Winnow {
    layout: Arc<Layout>,
    coder: Arc<Coder>,
    latest: KeyTable<Latest>,
    /// Batches with rows that are or were the latest.
    chunks: Vec<RecordBatch>,
    chunk_rows: usize,
    chunk_bytes: usize,
    rows_seen: usize,
    /// False once it showed that hardly any key has a second row: batches are then kept as they are.
    looking: bool,
    memory: MemoryReservation,
}

impl Winnow {
    /// For batches of the layout's scan; the reservation is that of what is kept.
    pub(crate) fn new(layout: Arc<Layout>, coder: Arc<Coder>, memory: MemoryReservation) -> Winnow {
        let (latest, chunks) = (KeyTable::new(NOWHERE), Vec::new());
        let (chunk_rows, chunk_bytes, rows_seen, looking) = (0, 0, 0, true);
        Winnow { layout, coder, latest, chunks, chunk_rows, chunk_bytes, rows_seen, looking, memory }
    }

    /// Takes one batch.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows_seen += batch.num_rows();
        if self.looking {
            self.look_up(batch)?;
        } else {
            self.keep(batch);
        }
        if self.looking && hardly_any_comes_again(self.latest.keys(), self.rows_seen) {
            self.chunks = self.latest_rows()?;
            (self.latest, self.looking) = (KeyTable::new(NOWHERE), false);
        }
        if self.looking && self.chunk_rows > ROWS_IN_ANY_CASE.max(ROWS_PER_KEY * self.latest.keys()) {
            self.let_go()?;
        }
        self.memory.try_resize(self.chunk_bytes + self.latest.bytes())
    }

    /// The rows that are left, in no particular order: one for each key, unless hardly any key had a second.
    pub(crate) fn finish(self) -> Result<Vec<RecordBatch>> {
        if self.looking { self.latest_rows() } else { Ok(self.chunks) }
    }

    fn keep(&mut self, batch: RecordBatch) {
        self.chunk_rows += batch.num_rows();
        self.chunk_bytes += get_record_batch_memory_size(&batch);
        self.chunks.push(batch);
    }

    fn look_up(&mut self, batch: RecordBatch) -> Result<()> {
        let columns: Vec<ArrayRef> = self.layout.keys.iter().map(|&key| batch.column(key).clone()).collect();
        let keys = self.coder.keys(&columns)?;
        let times = batch.column(self.layout.times[2]).as_primitive::<TimestampMicrosecondType>().clone();
        let chunk = self.chunks.len() as u32;
        let mut won: Vec<u32> = Vec::new();
        self.latest.look_up(&self.coder, &keys, 0..batch.num_rows(), |row, held| {
            let system_from = times.value(row);
            if system_from > held.system_from {
                *held = Latest { system_from, chunk, row: row as u32 };
                won.push(row as u32);
            }
        });
        self.keep_won(batch, &keys, chunk, won)
    }

    /// Keeps a batch for the rows in it that are the latest so far; only them if they are few.
    fn keep_won(&mut self, batch: RecordBatch, keys: &Keys, chunk: u32, won: Vec<u32>) -> Result<()> {
        if won.is_empty() {
            return Ok(());
        }
        if won.len() > batch.num_rows() / SPARSE {
            self.keep(batch);
            return Ok(());
        }
        let (mut place, rows) = (0, won.iter().map(|&row| row as usize));
        self.latest.look_up(&self.coder, keys, rows, |row, held| {
            if held.chunk == chunk && held.row == row as u32 {
                held.row = place;
            }
            place += 1;
        });
        self.keep(take_record_batch(&batch, &UInt32Array::from(won))?);
        Ok(())
    }

    /// Lets go of rows that were overridden.
    fn let_go(&mut self) -> Result<()> {
        let bits = self.latest_bits();
        let left = self.filtered(&bits)?;
        let mut places: Vec<(u32, Vec<u32>)> = Vec::with_capacity(bits.len());
        let mut chunk = 0;
        for bits in &bits {
            let mut row = 0;
            let place = |&latest: &bool| {
                let place = row;
                row += u32::from(latest);
                place
            };
            places.push((chunk, bits.iter().map(place).collect()));
            chunk += u32::from(row > 0);
        }
        for held in self.latest.values_mut() {
            let (chunk, rows) = &places[held.chunk as usize];
            (held.chunk, held.row) = (*chunk, rows[held.row as usize]);
        }
        self.chunks.clear();
        (self.chunk_rows, self.chunk_bytes) = (0, 0);
        left.into_iter().for_each(|batch| self.keep(batch));
        Ok(())
    }

    /// The latest row of each key.
    fn latest_rows(&self) -> Result<Vec<RecordBatch>> {
        self.filtered(&self.latest_bits())
    }

    /// The rows marked; no batch where there are none.
    fn filtered(&self, bits: &[Vec<bool>]) -> Result<Vec<RecordBatch>> {
        let some = self.chunks.iter().zip(bits).filter(|(_, bits)| bits.contains(&true));
        let rows = |(chunk, bits): (&RecordBatch, &Vec<bool>)| {
            Ok(filter_record_batch(chunk, &BooleanArray::new(BooleanBuffer::from(bits.as_slice()), None))?)
        };
        some.map(rows).collect()
    }

    /// For each row of each chunk, whether it is the latest of its key.
    fn latest_bits(&self) -> Vec<Vec<bool>> {
        let mut bits: Vec<_> = self.chunks.iter().map(|chunk| vec![false; chunk.num_rows()]).collect();
        for held in self.latest.values() {
            bits[held.chunk as usize][held.row as usize] = true;
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use datafusion::{
        arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray},
        execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool},
    };
    use lake::model::{DatasetDefinition, Instant, OPERATION_COLUMN};

    use super::*;
    use crate::coordinates::{Coordinates, SystemTime, ValidTime};

    const DEFINITION: &str = r#"{"columns":[{"name":"k","type":"string"},{"name":"n","type":"int64"},
        {"name":"from","type":"date"}],"key":["k"],"valid_from":"from","mode":"until_changed"}"#;

    fn layout() -> Arc<Layout> {
        let definition: DatasetDefinition = serde_json::from_str(DEFINITION).unwrap();
        let at = Instant(10);
        let coordinates = Coordinates { valid: ValidTime::At(at), system: SystemTime::AsOf(at) };
        Arc::new(Layout::new(&definition, coordinates, Some(&[0, 1])))
    }

    /// Rows of key, number and time, as the layout's scan gives them.
    fn batch(layout: &Layout, rows: &[(String, i64, i64)]) -> RecordBatch {
        let column = |name: &str| -> ArrayRef {
            match name {
                "k" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0))),
                "n" => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))),
                OPERATION_COLUMN => Arc::new(StringArray::from_iter_values(rows.iter().map(|_| "put"))),
                _ => {
                    let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.2));
                    Arc::new(times.with_timezone("+00:00"))
                }
            }
        };
        let columns = layout.scan_schema.fields().iter().map(|field| column(field.name())).collect();
        RecordBatch::try_new(layout.scan_schema.clone(), columns).unwrap()
    }

    fn left(rows: &[(String, i64, i64)], batch_rows: usize) -> Vec<(String, i64)> {
        let layout = layout();
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let memory = MemoryConsumer::new("test").register(&pool);
        let coder = Arc::new(Coder::new(&[datafusion::arrow::datatypes::DataType::Utf8]).unwrap());
        let mut winnow = Winnow::new(layout.clone(), coder, memory);
        for rows in rows.chunks(batch_rows) {
            winnow.push(batch(&layout, rows)).unwrap();
        }
        let mut found = Vec::new();
        for batch in winnow.finish().unwrap() {
            let (keys, numbers) = (batch.column(0).as_string::<i32>(), batch.column(1));
            let numbers = numbers.as_primitive::<datafusion::arrow::datatypes::Int64Type>();
            found.extend((0..batch.num_rows()).map(|row| (keys.value(row).to_owned(), numbers.value(row))));
        }
        assert!(pool.reserved() == 0, "what is given out is no longer reserved");
        found.sort();
        found
    }

    fn naive(rows: &[(String, i64, i64)]) -> Vec<(String, i64)> {
        let mut latest: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for (key, number, known) in rows {
            let held = latest.entry(key).or_insert((*known, *number));
            if *known > held.0 {
                *held = (*known, *number);
            }
        }
        latest.into_iter().map(|(key, (_, number))| (key.to_owned(), number)).collect()
    }

    #[test]
    fn the_latest_row_of_each_key_is_left_in_whatever_order_rows_come() {
        let drawn = |i: i64, among: i64| (i * 7_919 + i / 13 * 104_729) % among;
        for (keys, rows, key_of) in [
            (50, 5_000, (|k| format!("k{k}")) as fn(i64) -> String),
            (3_000, 40_000, |k| format!("a key that is longer than fifteen bytes {k}")),
            (9_000, 900_000, |k| format!("{k}")),
        ] {
            let row = |i: i64| (key_of(drawn(i, keys)), i, drawn(i, 1_000_003) * 1_000 + i % 1_000);
            let rows: Vec<_> = (0..rows).map(row).collect();
            assert_eq!(left(&rows, 1_000), naive(&rows));
            let ascending: Vec<_> = rows.iter().map(|(key, number, _)| (key.clone(), *number, *number)).collect();
            assert_eq!(left(&ascending, 777), naive(&ascending));
        }
    }

    #[test]
    fn keys_that_never_come_again_are_kept_as_they_are() {
        let rows: Vec<_> = (0..1_200_000).map(|i| (format!("k{i}"), i, i)).collect();
        assert_eq!(left(&rows, 8_192).len(), rows.len());
    }
}
