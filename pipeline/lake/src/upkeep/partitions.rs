//! The rows of a compaction by ranges of keys, each range small enough to be held in memory and sorted there.
//!
//! Rows that fit together stay in memory. More are first surveyed for the quantiles of their keys, then dealt out to one
//! scratch file per range. What is in scratch files is of no worth after a crash.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, UInt32Array},
    compute::{BatchCoalescer, concat_batches, take_record_batch},
    datatypes::{SchemaRef, TimestampMicrosecondType},
    ipc::{reader::StreamReader, writer::StreamWriter},
    row::{OwnedRow, RowConverter, Rows, SortField},
};
use model::TIME_COLUMNS;
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};

use super::progress::Progress;
use crate::{Error, Result, conform, error::parquet_error, objects::DataFiles};

/// Memory of the rows of one range, roughly.
const RANGE_BYTES: usize = 64 << 20;
const READ_ROWS: usize = 1 << 16;
const SPILL_ROWS: usize = 1 << 13;
/// Rows whose keys and times are looked at before dealing out.
const SAMPLED_ROWS: u64 = 1 << 17;

/// Which files to read, and what their rows look like.
pub(crate) struct Input {
    pub(crate) data: DataFiles,
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) rows: u64,
    pub(crate) schema: SchemaRef,
    /// Key columns come first.
    pub(crate) key_columns: usize,
}

/// What a look at a sample of the rows showed.
#[derive(Default)]
pub(crate) struct Survey {
    pub(crate) system_from: Vec<i64>,
    pub(crate) valid_from: Vec<i64>,
    keys: Vec<OwnedRow>,
}

/// The rows, range by range in the order of keys.
pub(crate) enum Ranges {
    Memory(Option<RecordBatch>),
    Scratch { schema: SchemaRef, paths: Vec<PathBuf>, next: usize },
}

impl Input {
    /// Reads every so many rows' key and times.
    pub(crate) fn survey(&self, progress: &Progress) -> Result<Survey> {
        let stride = usize::try_from(self.rows.div_ceil(SAMPLED_ROWS).max(1)).unwrap_or(usize::MAX);
        let column = |name: &str| self.schema.index_of(name).map_err(Error::from);
        let (valid_from, system_from) = (column(TIME_COLUMNS[0])?, column(TIME_COLUMNS[2])?);
        let columns: Vec<usize> = (0..self.key_columns).chain([valid_from, system_from]).collect();
        let surveyed: SchemaRef = Arc::new(self.schema.project(&columns)?);
        let converter = self.converter()?;
        let mut survey = Survey::default();
        let mut skip = 0;
        for path in &self.paths {
            for batch in read(&self.data, path, &surveyed)? {
                let batch = batch?;
                progress.add(batch.num_rows());
                let picked: UInt32Array = (skip..batch.num_rows()).step_by(stride).map(|row| row as u32).collect();
                skip = (skip + picked.len() * stride).saturating_sub(batch.num_rows());
                let picked = take_record_batch(&batch, &picked)?;
                let times = |at: usize| picked.column(at).as_primitive::<TimestampMicrosecondType>().values().to_vec();
                survey.valid_from.extend(times(self.key_columns));
                survey.system_from.extend(times(self.key_columns + 1));
                let rows = converter.convert_columns(&picked.columns()[..self.key_columns])?;
                survey.keys.extend(rows.iter().map(|row| row.owned()));
            }
        }
        survey.keys.sort_unstable();
        Ok(survey)
    }

    /// The rows by ranges of keys. Scratch files go to a folder, which is there.
    pub(crate) fn ranges(&self, survey: &Survey, scratch: &Path, progress: &Progress) -> Result<Ranges> {
        let ranges = self.range_count()?;
        if ranges < 2 || survey.keys.len() < ranges {
            let mut batches = Vec::new();
            for path in &self.paths {
                batches.extend(read(&self.data, path, &self.schema)?.collect::<Result<Vec<RecordBatch>>>()?);
            }
            progress.add(batches.iter().map(RecordBatch::num_rows).sum());
            return Ok(Ranges::Memory(Some(concat_batches(&self.schema, &batches)?)));
        }
        let mut borders: Vec<OwnedRow> =
            (1..ranges).map(|range| survey.keys[range * survey.keys.len() / ranges].clone()).collect();
        borders.dedup();
        let paths = self.deal(&borders, scratch, progress)?;
        Ok(Ranges::Scratch { schema: self.schema.clone(), paths, next: 0 })
    }

    fn range_count(&self) -> Result<usize> {
        let Some(path) = self.paths.first() else { return Ok(0) };
        let Some(batch) = columns_of(&self.data, path, None)?.next().transpose()? else { return Ok(0) };
        let row_bytes = batch.get_array_memory_size().div_ceil(batch.num_rows().max(1)) as u64;
        let bytes = self.rows.saturating_mul(row_bytes);
        Ok(usize::try_from(bytes.div_ceil(RANGE_BYTES as u64)).unwrap_or(usize::MAX))
    }

    fn deal(&self, borders: &[OwnedRow], scratch: &Path, progress: &Progress) -> Result<Vec<PathBuf>> {
        let paths: Vec<PathBuf> = (0..=borders.len()).map(|range| scratch.join(format!("{range}.arrow"))).collect();
        let mut spills = paths.iter().map(|path| Spill::create(path, &self.schema)).collect::<Result<Vec<_>>>()?;
        let converter = self.converter()?;
        let mut places: Vec<Vec<u32>> = vec![Vec::new(); spills.len()];
        for path in &self.paths {
            for batch in read(&self.data, path, &self.schema)? {
                let batch = batch?;
                progress.add(batch.num_rows());
                let keys = converter.convert_columns(&batch.columns()[..self.key_columns])?;
                for (row, key) in keys.iter().enumerate() {
                    places[borders.partition_point(|border| border.row() <= key)].push(row as u32);
                }
                for (spill, places) in spills.iter_mut().zip(&mut places).filter(|(_, places)| !places.is_empty()) {
                    spill.push(&batch, std::mem::take(places))?;
                }
            }
        }
        spills.into_iter().try_for_each(Spill::finish)?;
        Ok(paths)
    }

    fn converter(&self) -> Result<RowConverter> {
        key_converter(&self.schema, self.key_columns)
    }
}

impl Ranges {
    /// The rows of the next range; `None` behind the last. What was read is removed from scratch.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>> {
        match self {
            Ranges::Memory(batch) => Ok(batch.take()),
            Ranges::Scratch { schema, paths, next } => {
                let Some(path) = paths.get(*next) else { return Ok(None) };
                *next += 1;
                let file = File::open(path).map_err(|e| Error::io("open a scratch file", path, e))?;
                let batches: Vec<RecordBatch> =
                    StreamReader::try_new(BufReader::new(file), None)?.collect::<std::result::Result<_, _>>()?;
                let range = concat_batches(schema, &batches)?;
                fs::remove_file(path).map_err(|e| Error::io("remove a scratch file", path, e))?;
                Ok(Some(range))
            }
        }
    }
}

struct Spill {
    path: PathBuf,
    waiting: BatchCoalescer,
    writer: StreamWriter<BufWriter<File>>,
}

impl Spill {
    fn create(path: &Path, schema: &SchemaRef) -> Result<Spill> {
        let file = File::create(path).map_err(|e| Error::io("create a scratch file", path, e))?;
        let writer = StreamWriter::try_new(BufWriter::new(file), schema)?;
        Ok(Spill { path: path.to_path_buf(), waiting: BatchCoalescer::new(schema.clone(), SPILL_ROWS), writer })
    }

    fn push(&mut self, batch: &RecordBatch, places: Vec<u32>) -> Result<()> {
        self.waiting.push_batch(take_record_batch(batch, &UInt32Array::from(places))?)?;
        self.write_completed()
    }

    fn write_completed(&mut self) -> Result<()> {
        while let Some(batch) = self.waiting.next_completed_batch() {
            self.writer
                .write(&batch)
                .map_err(|e| Error::io("write a scratch file", &self.path, std::io::Error::other(e)))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.waiting.finish_buffered_batch()?;
        self.write_completed()?;
        self.writer.finish().map_err(|e| Error::io("write a scratch file", &self.path, std::io::Error::other(e)))
    }
}

/// The batches of a data file, with the columns and types of a schema.
pub(crate) fn read(
    data: &DataFiles,
    path: &Path,
    schema: &SchemaRef,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    let schema = schema.clone();
    Ok(columns_of(data, path, Some(&schema))?.map(move |batch| conform::batch(&batch?, &schema)))
}

/// The batches of a data file: all its columns, or those that a schema has too.
fn columns_of(
    data: &DataFiles,
    path: &Path,
    wanted: Option<&SchemaRef>,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    let file = data.open_whole(path)?;
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| parquet_error(path, e))?;
    if let Some(wanted) = wanted {
        let there = builder.schema().fields().iter().enumerate();
        let there: Vec<usize> =
            there.filter(|(_, field)| wanted.index_of(field.name()).is_ok()).map(|(index, _)| index).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), there);
        builder = builder.with_projection(mask);
    }
    let reader = builder.with_batch_size(READ_ROWS).build().map_err(|e| parquet_error(path, e))?;
    let path = path.to_path_buf();
    Ok(reader.map(move |batch| {
        batch.map_err(|e| Error::corrupt("a Parquet file cannot be decoded").with("path", path.display()).because(e))
    }))
}

/// A range of rows in the order of their keys.
pub(crate) struct KeyOrder {
    keys: Rows,
    /// The first eight bytes behind what all keys begin with, and the row.
    entries: Vec<(u64, u32)>,
}

impl KeyOrder {
    pub(crate) fn new(batch: &RecordBatch, key_columns: usize) -> Result<KeyOrder> {
        let columns: &[ArrayRef] = &batch.columns()[..key_columns];
        let keys = key_converter(&batch.schema(), key_columns)?.convert_columns(columns)?;
        let common = common_prefix(&keys);
        let prefix = |key: &[u8]| {
            let mut eight = [0; 8];
            let rest = &key[common.min(key.len())..];
            let length = rest.len().min(8);
            eight[..length].copy_from_slice(&rest[..length]);
            u64::from_be_bytes(eight)
        };
        let mut entries: Vec<(u64, u32)> =
            keys.iter().enumerate().map(|(row, key)| (prefix(key.data()), row as u32)).collect();
        entries.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| keys.row(a.1 as usize).cmp(&keys.row(b.1 as usize))).then(a.1.cmp(&b.1))
        });
        Ok(KeyOrder { keys, entries })
    }

    /// The rows of each key, keys ascending.
    pub(crate) fn groups(&self) -> impl Iterator<Item = impl Iterator<Item = usize> + Clone> {
        let same =
            |a: &(u64, u32), b: &(u64, u32)| a.0 == b.0 && self.keys.row(a.1 as usize) == self.keys.row(b.1 as usize);
        self.entries.chunk_by(same).map(|group| group.iter().map(|entry| entry.1 as usize))
    }
}

fn common_prefix(keys: &Rows) -> usize {
    let Some(first) = keys.iter().next() else { return 0 };
    let first = first.data();
    let shared = |key: &[u8]| first.iter().zip(key).take_while(|(a, b)| a == b).count();
    keys.iter().map(|key| shared(key.data())).min().unwrap_or(0)
}

fn key_converter(schema: &SchemaRef, key_columns: usize) -> Result<RowConverter> {
    let fields = schema.fields()[..key_columns].iter().map(|field| SortField::new(field.data_type().clone()));
    Ok(RowConverter::new(fields.collect())?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{Int64Array, StringArray},
        datatypes::{DataType, Field, Schema},
    };

    use super::*;

    #[test]
    fn rows_of_a_key_come_together_and_keys_ascend() {
        let schema = Schema::new(vec![
            Field::new("a", DataType::Utf8, false),
            Field::new("b", DataType::Int64, false),
            Field::new("v", DataType::Int64, true),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["key-2", "key-1", "key-10", "key-2", "key-1"])),
            Arc::new(Int64Array::from(vec![1, -5, 0, 1, 7])),
            Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4])),
        ];
        let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let order = KeyOrder::new(&batch, 2).unwrap();
        let groups: Vec<Vec<usize>> = order.groups().map(Iterator::collect).collect();
        assert_eq!(groups, [vec![1], vec![4], vec![2], vec![0, 3]]);
    }
}
