//! Data files read before: small ones decoded whole, large ones by their footers. Everything here blocks.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    file::metadata::PageIndexPolicy,
};

use crate::{Error, Result, error::parquet_error, objects::DataFiles, weighted_lru::WeightedLru};

const DECODED_BYTES: usize = 256 << 20;
const FOOTER_BYTES: usize = 32 << 20;
const ROWS_PER_DECODED_BATCH: usize = 1 << 16;

/// Bounded by the Arrow memory it holds (256 MiB) and the memory of footers (32 MiB).
pub(crate) struct FileCache {
    data: DataFiles,
    decoded: Mutex<WeightedLru<PathBuf, Decoded>>,
    footers: Mutex<WeightedLru<PathBuf, ArrowReaderMetadata>>,
}

/// All columns and rows of a file.
pub(crate) type Decoded = Arc<Vec<RecordBatch>>;

impl FileCache {
    pub(crate) fn new(data: DataFiles) -> FileCache {
        FileCache::with_limits(data, DECODED_BYTES, FOOTER_BYTES)
    }

    fn with_limits(data: DataFiles, decoded: usize, footers: usize) -> FileCache {
        FileCache {
            data,
            decoded: Mutex::new(WeightedLru::new(decoded)),
            footers: Mutex::new(WeightedLru::new(footers)),
        }
    }

    /// Where the files are read from.
    pub(crate) fn data(&self) -> &DataFiles {
        &self.data
    }

    /// The whole of a small file.
    pub(crate) fn decoded(&self, path: &Path) -> Result<Decoded> {
        let key = path.to_path_buf();
        if let Some(decoded) = lock(&self.decoded).get(&key) {
            return Ok(decoded);
        }
        let decoded = Arc::new(decode(path, self.data.read(path)?)?);
        let weight = decoded.iter().map(RecordBatch::get_array_memory_size).sum();
        lock(&self.decoded).put(key, decoded.clone(), weight);
        Ok(decoded)
    }

    /// The footer of a large file, with what it says of the file's pages.
    pub(crate) fn footer(&self, path: &Path) -> Result<ArrowReaderMetadata> {
        let key = path.to_path_buf();
        if let Some(footer) = lock(&self.footers).get(&key) {
            return Ok(footer);
        }
        let file = self.data.open(path)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let footer = ArrowReaderMetadata::load(&file, options).map_err(|e| parquet_error(path, e))?;
        lock(&self.footers).put(key, footer.clone(), footer.metadata().memory_size());
        Ok(footer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn decode(path: &Path, bytes: Bytes) -> Result<Vec<RecordBatch>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.with_batch_size(ROWS_PER_DECODED_BATCH).build())
        .map_err(|e| parquet_error(path, e))?;
    let corrupt = |e| Error::corrupt("a Parquet file cannot be decoded").with("path", path.display()).because(e);
    reader.map(|batch| batch.map_err(corrupt)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use arrow::{
        array::{ArrayRef, Int64Array},
        record_batch::RecordBatch,
    };
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn file(folder: &Path, name: &str, rows: i64) -> PathBuf {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let path = folder.join(name);
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    #[test]
    fn a_small_file_is_decoded_once_and_memory_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FileCache::with_limits(DataFiles::default(), 20_000, 1_000);
        let paths: Vec<PathBuf> = (0..4).map(|i| file(folder.path(), &format!("{i}.parquet"), 1_000)).collect();
        let first = cache.decoded(&paths[0]).unwrap();
        assert_eq!(first.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_000);
        fs::remove_file(&paths[0]).unwrap();
        assert!(Arc::ptr_eq(&first, &cache.decoded(&paths[0]).unwrap()));
        for path in &paths[1..] {
            cache.decoded(path).unwrap();
        }
        assert!(lock(&cache.decoded).held() <= 20_000);
        assert_eq!(cache.decoded(&paths[0]).unwrap_err().kind(), crate::ErrorKind::Io);
    }

    #[test]
    fn bytes_that_are_no_parquet_are_said_to_be_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        fs::write(&path, b"not a Parquet file at all").unwrap();
        let cache = FileCache::new(DataFiles::default());
        assert_eq!(cache.decoded(&path).unwrap_err().kind(), crate::ErrorKind::Corrupt);
        assert_eq!(cache.footer(&path).unwrap_err().kind(), crate::ErrorKind::Corrupt);
    }
}
