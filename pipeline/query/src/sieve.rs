//! Tells while files are read which rows cannot be the latest of their key, so that nothing else of them is decoded.
//!
//! The lake gives the rows that became known last first, so most rows of long histories are told. What has been seen is
//! known to all threads that read: it is divided into shares of the keys, each behind a lock of its own. A batch of
//! rows in the order of files has to do with one share or two.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, RecordBatch},
        buffer::{BooleanBuffer, MutableBuffer},
        datatypes::TimestampMicrosecondType,
        error::ArrowError,
        util::bit_util,
    },
    execution::memory_pool::MemoryReservation,
};
use lake::RowChooser;

use crate::{
    key_codes::Coder,
    key_table::{KeyTable, Search, hardly_any_comes_again},
    layout::Layout,
};

/// Shares of all keys, a power of two.
const SHARES: usize = 16;

/// Chooses the rows of a scan, all of which are valid at the instant asked for, that may be the latest of their key.
pub(crate) struct Sieve {
    /// Those of the key, and when a row became known behind them.
    columns: Vec<String>,
    coder: Arc<Coder>,
    /// When the latest row of each key became known, in microseconds.
    latest: Vec<Mutex<KeyTable<i64>>>,
    /// Rows seen, keys among them, and bytes that these take.
    rows: AtomicUsize,
    keys: AtomicUsize,
    bytes: AtomicUsize,
    /// False once there is no memory for it, or hardly any key comes again.
    looking: AtomicBool,
    memory: Mutex<MemoryReservation>,
}

const NEVER: i64 = i64::MIN;

impl Sieve {
    /// For the scan of a layout; what is remembered of keys is reserved with the reservation given.
    pub(crate) fn new(layout: &Layout, coder: Arc<Coder>, memory: MemoryReservation) -> Sieve {
        let columns = layout.keys.iter().chain([&layout.times[2]]);
        let columns = columns.map(|&column| layout.scan_schema.field(column).name().clone()).collect();
        let latest = (0..SHARES).map(|_| Mutex::new(KeyTable::of_share(NEVER, SHARES))).collect();
        let (rows, keys, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let (looking, memory) = (AtomicBool::new(true), Mutex::new(memory));
        Sieve { columns, coder, latest, rows, keys, bytes, looking, memory }
    }

    /// Gives up where it is of no use. Another thread may still look into a share: it then knows less, and lets more pass.
    fn stop_if_useless(&self) {
        let [rows, keys, bytes] = [&self.rows, &self.keys, &self.bytes].map(|count| count.load(Ordering::Relaxed));
        let memory = lock(&self.memory);
        if hardly_any_comes_again(keys, rows) || memory.try_resize(bytes).is_err() {
            self.looking.store(false, Ordering::Relaxed);
            self.latest.iter().for_each(|share| *lock(share) = KeyTable::of_share(NEVER, SHARES));
            memory.free();
        }
    }
}

/// Where a thread panicked its scan has failed, whatever is left here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RowChooser for Sieve {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn choose(&self, batch: &RecordBatch, among: &BooleanBuffer) -> Result<BooleanBuffer, ArrowError> {
        if !self.looking.load(Ordering::Relaxed) {
            return Ok(among.clone());
        }
        let column = |name: &String| {
            let lacks = || ArrowError::SchemaError(format!("a scan gave no column '{name}' to choose rows by"));
            batch.column_by_name(name).cloned().ok_or_else(lacks)
        };
        let mut columns = self.columns.iter().map(column).collect::<Result<Vec<ArrayRef>, _>>()?;
        let Some(times) = columns.pop() else { return Ok(among.clone()) };
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let keys = self.coder.keys(&columns)?;
        let mut shares: [Vec<Search>; SHARES] = Default::default();
        for row in among.set_indices() {
            let search = Search::new(&self.coder, &keys, row);
            shares[search.share(SHARES)].push(search);
        }
        let mut chosen = MutableBuffer::new_null(among.len());
        for (searches, latest) in shares.into_iter().zip(&self.latest).filter(|(searches, _)| !searches.is_empty()) {
            self.rows.fetch_add(searches.len(), Ordering::Relaxed);
            let mut latest = lock(latest);
            let (keys_before, bytes_before) = (latest.keys(), latest.bytes());
            latest.search(&self.coder, &keys, searches.into_iter(), |row, latest| {
                let system_from = times.value(row);
                if system_from > *latest {
                    *latest = system_from;
                    bit_util::set_bit(chosen.as_slice_mut(), row);
                }
            });
            self.keys.fetch_add(latest.keys() - keys_before, Ordering::Relaxed);
            self.bytes.fetch_add(latest.bytes() - bytes_before, Ordering::Relaxed);
        }
        self.stop_if_useless();
        Ok(BooleanBuffer::new(chosen.into(), 0, among.len()))
    }
}

impl fmt::Debug for Sieve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sieve").field("columns", &self.columns).finish_non_exhaustive()
    }
}
