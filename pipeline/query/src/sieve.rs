//! Tells while files are read which rows cannot be the latest of their key, so that nothing else of them is decoded.
//!
//! The lake gives the rows that became known last first, so most rows of long histories are told. Threads that read
//! each know only what they have read themselves: what is left has to be winnowed all the same.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
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
    key_table::{KeyTable, hardly_any_comes_again},
    layout::Layout,
};

/// Chooses the rows of a scan, all of which are valid at the instant asked for, that may be the latest of their key.
pub(crate) struct Sieve {
    /// Those of the key, and when a row became known behind them.
    columns: Vec<String>,
    coder: Arc<Coder>,
    idle: Mutex<Vec<Seen>>,
    memory: MemoryReservation,
}

/// What one thread at a time has seen.
struct Seen {
    /// When the latest row of each key became known, in microseconds.
    latest: KeyTable<i64>,
    rows: usize,
    /// False once there is no memory for it, or hardly any key comes again.
    looking: bool,
    memory: MemoryReservation,
}

const NEVER: i64 = i64::MIN;

impl Sieve {
    /// For the scan of a layout; what is remembered of keys is reserved beside the reservation given.
    pub(crate) fn new(layout: &Layout, coder: Arc<Coder>, memory: MemoryReservation) -> Sieve {
        let columns = layout.keys.iter().chain([&layout.times[2]]);
        let columns = columns.map(|&column| layout.scan_schema.field(column).name().clone()).collect();
        Sieve { columns, coder, idle: Mutex::default(), memory }
    }
}

impl RowChooser for Sieve {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn choose(&self, batch: &RecordBatch, among: &BooleanBuffer) -> Result<BooleanBuffer, ArrowError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let before = idle().pop();
        let mut seen = before.unwrap_or_else(|| Seen::new(self.memory.new_empty()));
        let chosen = seen.choose(self, batch, among);
        idle().push(seen);
        chosen
    }
}

impl fmt::Debug for Sieve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sieve").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Seen {
    fn new(memory: MemoryReservation) -> Seen {
        Seen { latest: KeyTable::new(NEVER), rows: 0, looking: true, memory }
    }

    fn choose(
        &mut self,
        sieve: &Sieve,
        batch: &RecordBatch,
        among: &BooleanBuffer,
    ) -> Result<BooleanBuffer, ArrowError> {
        if !self.looking {
            return Ok(among.clone());
        }
        let column = |name: &String| {
            let lacks = || ArrowError::SchemaError(format!("a scan gave no column '{name}' to choose rows by"));
            batch.column_by_name(name).cloned().ok_or_else(lacks)
        };
        let mut columns = sieve.columns.iter().map(column).collect::<Result<Vec<ArrayRef>, _>>()?;
        let Some(times) = columns.pop() else { return Ok(among.clone()) };
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let keys = sieve.coder.keys(&columns)?;
        let mut chosen = MutableBuffer::new_null(among.len());
        self.rows += among.count_set_bits();
        self.latest.look_up(&sieve.coder, &keys, among.set_indices(), |row, latest| {
            let system_from = times.value(row);
            if system_from > *latest {
                *latest = system_from;
                bit_util::set_bit(chosen.as_slice_mut(), row);
            }
        });
        self.stop_if_useless();
        Ok(BooleanBuffer::new(chosen.into(), 0, among.len()))
    }

    fn stop_if_useless(&mut self) {
        let hardly_any = hardly_any_comes_again(self.latest.keys(), self.rows);
        if hardly_any || self.memory.try_resize(self.latest.bytes()).is_err() {
            self.looking = false;
            self.latest = KeyTable::new(NEVER);
            self.memory.free();
        }
    }
}
