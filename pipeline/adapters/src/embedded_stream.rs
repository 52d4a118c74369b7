//! The embedded stream: partitioned, durable, in RocksDB.
//!
//! A request is written with one synchronised write, over all its partitions, and has one position; so it is in the
//! stream whole or not at all, and it is on disk before it is acknowledged. One thread writes, and takes all requests
//! that wait into one write, so that many small ones share the cost of the disk. Each partition is a column family
//! with positions in ascending order: nothing is ever rewritten, and what is released is dropped file by file.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use engine::{
    Error, ErrorKind, Result,
    model::Instant,
    ports::{Clock, Cut, EpochLimits, Quarantined, Range, Retained, Source, SourceRecord, VisitRecord},
    state_value::{read_varint, take},
};
use rocksdb::{ColumnFamily, DB, DBCompressionType, Direction, IteratorMode, Options, WriteBatch, WriteOptions};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::{error, info};

use crate::{
    retention::{Keep, Retention},
    rocks::{self, io},
    stream_entries::{
        IndexEntry, Lag, QuarantinedRecord, corrupt, decode_quarantined, encode_quarantined, from_json, partition_name,
        position_of, to_json,
    },
    stream_request::{Refused, Request, WAITING_KIB_MAX},
};

/// Partitions of a new stream.
pub const PARTITIONS: u16 = 8;
/// Bytes taken into one write.
const WRITE_BYTES_MAX: usize = 32 << 20;

const INDEX: &str = "index";
const CONTROLS: &str = "controls";
const QUARANTINE: &str = "quarantine";
const META: &str = "meta";
const NEXT_POSITION: &[u8] = b"next_position";
const LAST_ARRIVAL: &[u8] = b"last_arrival";
const RELEASED_UP_TO: &[u8] = b"released_up_to";
const RETENTION: &[u8] = b"retention";
const HELD_BEHIND: &[u8] = b"held_behind";

/// What the stream has counted of a dataset, ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCounts {
    /// Events that arrived, refused records included.
    pub received: u64,
    /// Records refused on arrival.
    pub refused: u64,
}

/// An acknowledged request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its position: it is committed once an epoch with at least this position is.
    pub position: u64,
    /// When it was written.
    pub arrival: Instant,
}

struct Waiting {
    request: Request,
    reply: oneshot::Sender<Result<Appended>>,
    /// Given back when the request is taken to be written.
    _room: OwnedSemaphorePermit,
}

/// The embedded stream.
pub struct EmbeddedStream {
    shared: Arc<Shared>,
    /// Taken away when the stream closes, which ends the writer.
    appends: Option<Sender<Waiting>>,
    room: Arc<Semaphore>,
    writer: Option<JoinHandle<()>>,
    /// About so many bytes of what is released stay, the newest.
    kept_bytes: u64,
    /// And of what savepoints need about so many.
    held_bytes_max: u64,
}

impl Drop for EmbeddedStream {
    /// Waits for the writer, so that the folder can be opened again.
    fn drop(&mut self) {
        self.appends = None;
        if let Some(writer) = self.writer.take() {
            // It has nothing left to write; had it panicked, whoever waited for it knows.
            let _ = writer.join();
        }
    }
}

struct Shared {
    db: DB,
    clock: Arc<dyn Clock>,
    /// Position of the last request with content, 0 when none.
    last_position: Mutex<u64>,
    grown: Condvar,
    appended_records: AtomicU64,
    retention: Mutex<Retention>,
    /// Positions behind which records are held.
    held_behind: Mutex<Vec<u64>>,
    counts: Mutex<BTreeMap<u32, StreamCounts>>,
    /// Why the last write failed, where it did.
    trouble: Mutex<Option<String>>,
    write_failures: AtomicU64,
}

impl EmbeddedStream {
    /// Opens or creates the stream in a folder and starts its writer. Only one process can have it open.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<EmbeddedStream> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_max_background_jobs(2);
        options.set_max_total_wal_size(256 << 20);
        let names: Vec<String> =
            (0..PARTITIONS).map(partition_name).chain([INDEX, CONTROLS, QUARANTINE, META].map(str::to_owned)).collect();
        let mut family_options = Options::default();
        family_options.set_compression_type(DBCompressionType::Lz4);
        family_options.set_write_buffer_size(16 << 20);
        let families = names.iter().map(|name| (name.as_str(), family_options.clone()));
        let db = DB::open_cf_with_opts(&options, folder, families)
            .map_err(|e| io("the embedded stream cannot be opened", e))?;
        let shared = Shared {
            db,
            clock,
            last_position: Mutex::new(0),
            grown: Condvar::new(),
            appended_records: AtomicU64::new(0),
            retention: Mutex::default(),
            held_behind: Mutex::default(),
            trouble: Mutex::default(),
            write_failures: AtomicU64::new(0),
            counts: Mutex::new(BTreeMap::new()),
        };
        shared.restore()?;
        let shared = Arc::new(shared);
        let (appends, waiting) = channel();
        let writing = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("stream-writer".to_owned())
            .spawn(move || writing.write_all(&waiting))
            .map_err(|e| Error::new(ErrorKind::Io, "the stream's writer cannot be started").because(e))?;
        let room = Arc::new(Semaphore::new(WAITING_KIB_MAX as usize));
        Ok(EmbeddedStream {
            shared,
            appends: Some(appends),
            room,
            writer: Some(writer),
            kept_bytes: 0,
            held_bytes_max: 0,
        })
    }

    /// Keeps about so many bytes of what is released, the newest, so that records can be looked at after they were committed.
    pub fn keeping(mut self, kept_bytes: u64) -> EmbeddedStream {
        self.kept_bytes = kept_bytes;
        self
    }

    /// Keeps about so many bytes at most of what [`EmbeddedStream::hold_behind`] asks for.
    pub fn holding(mut self, held_bytes_max: u64) -> EmbeddedStream {
        self.held_bytes_max = held_bytes_max;
        self
    }

    /// Holds what lies behind any of these positions, also after it was released, as far as there is room for it. Takes
    /// the place of what was asked before, is durable when it returns, and outlasts a restart.
    pub fn hold_behind(&self, mut positions: Vec<u64>) -> Result<()> {
        positions.sort_unstable();
        positions.dedup();
        let mut held = lock(&self.shared.held_behind);
        if *held == positions {
            return Ok(());
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        let written = self.shared.db.put_cf_opt(self.shared.family(META)?, HELD_BEHIND, to_json(&positions)?, &options);
        written.map_err(|e| io("what savepoints need cannot be written down", e))?;
        *held = positions;
        Ok(())
    }

    /// The positions behind which records are held.
    pub fn held_behind(&self) -> Vec<u64> {
        lock(&self.shared.held_behind).clone()
    }

    /// Bytes of records that were ever appended.
    pub fn appended_bytes(&self) -> u64 {
        lock(&self.shared.retention).appended_bytes()
    }

    /// Why nothing can be written just now, as far as the last write tells; `None` where it succeeded.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.shared.trouble).clone()
    }

    /// Writes that failed since the stream was opened.
    pub fn write_failures(&self) -> u64 {
        self.shared.write_failures.load(Ordering::Relaxed)
    }

    /// Appends a request and returns once it is on disk. Waits when many others do.
    pub async fn append(&self, request: Request) -> Result<Appended> {
        let room = Arc::clone(&self.room).acquire_many_owned(request.kib()).await.map_err(|_| writer_gone())?;
        let (reply, answer) = oneshot::channel();
        let Some(appends) = &self.appends else { return Err(writer_gone()) };
        appends.send(Waiting { request, reply, _room: room }).map_err(|_| writer_gone())?;
        answer.await.map_err(|_| writer_gone())?
    }

    /// Keeps the stream as it is now in a new folder, which can be opened as a stream of its own. All that was
    /// acknowledged before is in it.
    pub fn checkpoint(&self, folder: &Path) -> Result<()> {
        rocks::checkpoint(&self.shared.db, folder)
    }

    /// What the stream has counted, by dataset.
    pub fn counts(&self) -> BTreeMap<u32, StreamCounts> {
        lock(&self.shared.counts).clone()
    }

    /// Position of the last request; 0 when there is none.
    pub fn last_position(&self) -> u64 {
        *lock(&self.shared.last_position)
    }

    /// What lies behind a position.
    pub fn lag_after(&self, position: u64) -> Result<Lag> {
        let mut lag = Lag::default();
        self.shared.walk_index(position, |_, entry| {
            lag.add(&entry);
            true
        })?;
        Ok(lag)
    }

    /// Events appended since the stream was opened.
    pub fn appended_records(&self) -> u64 {
        self.shared.appended_records.load(Ordering::Relaxed)
    }

    /// The records in quarantine, newest first, at most `limit`, of one dataset or of all.
    pub fn quarantined(&self, dataset_id: Option<u32>, limit: usize) -> Result<Vec<QuarantinedRecord>> {
        let family = self.shared.family(QUARANTINE)?;
        let mut found = Vec::new();
        for entry in self.shared.db.iterator_cf(family, IteratorMode::End) {
            let (_, value) = entry.map_err(|e| io("the quarantine cannot be read", e))?;
            let record = decode_quarantined(&value)?;
            if dataset_id.is_none_or(|id| id == record.dataset_id) {
                found.push(record);
            }
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }
}

impl Shared {
    fn family(&self, name: &str) -> Result<&ColumnFamily> {
        self.db.cf_handle(name).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "a part of the embedded stream is missing").with("part", name)
        })
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get_cf(self.family(META)?, key).map_err(|e| io("the embedded stream cannot be read", e))
    }

    fn meta_number(&self, key: &[u8]) -> Result<Option<u64>> {
        let value = self.meta(key)?;
        value.map(|bytes| take::<8>(&mut bytes.as_slice()).map(u64::from_be_bytes)).transpose()
    }

    fn released_up_to(&self) -> Result<u64> {
        Ok(self.meta_number(RELEASED_UP_TO)?.unwrap_or(0))
    }

    fn restore(&self) -> Result<()> {
        let last = self.db.iterator_cf(self.family(INDEX)?, IteratorMode::End).next().transpose();
        if let Some((key, _)) = last.map_err(|e| io("the embedded stream cannot be read", e))? {
            *lock(&self.last_position) = position_of(&key)?;
        }
        self.restore_retention()?;
        if let Some(positions) = self.meta(HELD_BEHIND)? {
            *lock(&self.held_behind) = from_json(&positions)?;
        }
        let prefix = b"counts/";
        let mut counts = lock(&self.counts);
        for entry in self.db.iterator_cf(self.family(META)?, IteratorMode::From(prefix, Direction::Forward)) {
            let (key, value) = entry.map_err(|e| io("the embedded stream cannot be read", e))?;
            let Some(id) = key.strip_prefix(prefix) else { break };
            let dataset_id = u32::from_be_bytes(take::<4>(&mut &*id)?);
            counts.insert(dataset_id, from_json(&value)?);
        }
        Ok(())
    }

    /// What was remembered, and what was appended since. If it cannot be read all that is there is counted anew.
    fn restore_retention(&self) -> Result<()> {
        let mut retention = lock(&self.retention);
        if let Some(remembered) = self.meta(RETENTION)? {
            *retention = from_json(&remembered).unwrap_or_default();
        }
        let (mut bytes, mut last) = (0, retention.counted_up_to());
        self.walk_index(retention.counted_up_to(), |position, entry| {
            (bytes, last) = (bytes + entry.bytes, position);
            true
        })?;
        retention.append(bytes, last);
        Ok(())
    }

    fn write_all(&self, waiting: &Receiver<Waiting>) {
        while let Ok(first) = waiting.recv() {
            let mut bytes = first.request.bytes;
            let mut group = vec![first];
            while bytes < WRITE_BYTES_MAX as u64
                && let Ok(next) = waiting.try_recv()
            {
                bytes += next.request.bytes;
                group.push(next);
            }
            let (requests, replies): (Vec<Request>, Vec<_>) = group.into_iter().map(|w| (w.request, w.reply)).unzip();
            match self.write_group(requests) {
                Ok(appended) => {
                    self.mended();
                    for (reply, appended) in replies.into_iter().zip(appended) {
                        // Whoever asked may have gone; the records are kept all the same.
                        let _ = reply.send(Ok(appended));
                    }
                }
                Err(error) => {
                    let text = error.to_string();
                    self.failed(&text);
                    for reply in replies {
                        let told = Error::new(error.kind(), error.message());
                        let _ = reply.send(Err(told.because(text.clone())));
                    }
                }
            }
        }
    }

    fn failed(&self, why: &str) {
        self.write_failures.fetch_add(1, Ordering::Relaxed);
        let before = lock(&self.trouble).replace(why.to_owned());
        if before.as_deref() != Some(why) {
            error!(error = why, "records are refused until the stream can be written again; has its disk room?");
        }
    }

    fn mended(&self) {
        if lock(&self.trouble).take().is_some() {
            info!("the stream can be written again");
        }
    }

    /// Writes requests in one synchronised write and tells their positions.
    fn write_group(&self, requests: Vec<Request>) -> Result<Vec<Appended>> {
        let mut batch = WriteBatch::default();
        let mut position = self.meta_number(NEXT_POSITION)?.unwrap_or(1);
        let last_arrival = self.meta_number(LAST_ARRIVAL)?.map_or(i64::MIN, |micros| micros as i64);
        let arrival = self.clock.now().max(Instant(last_arrival));
        let mut counts = lock(&self.counts).clone();
        let mut appended = Vec::with_capacity(requests.len());
        let (mut records, mut bytes, mut last_content) = (0, 0, None);
        for request in requests {
            if request.has_content() {
                last_content = Some(position);
                bytes += request.bytes;
            }
            records += request.records;
            for (dataset_id, more) in &request.counts {
                let total = counts.entry(*dataset_id).or_default();
                total.received += more.received;
                total.refused += more.refused;
            }
            self.put_request(&mut batch, request, position, arrival)?;
            appended.push(Appended { position, arrival });
            position += 1;
        }
        let meta = self.family(META)?;
        batch.put_cf(meta, NEXT_POSITION, position.to_be_bytes());
        batch.put_cf(meta, LAST_ARRIVAL, arrival.micros().to_be_bytes());
        for (dataset_id, total) in &counts {
            batch.put_cf(meta, [b"counts/".as_slice(), &dataset_id.to_be_bytes()].concat(), to_json(total)?);
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db
            .write_opt(batch, &options)
            .map_err(|e| io("the records cannot be written; nothing of the request was taken", e))?;
        *lock(&self.counts) = counts;
        self.appended_records.fetch_add(records, Ordering::Relaxed);
        lock(&self.retention).append(bytes, position - 1);
        if let Some(last) = last_content {
            *lock(&self.last_position) = last;
            self.grown.notify_all();
        }
        Ok(appended)
    }

    fn put_request(&self, batch: &mut WriteBatch, request: Request, position: u64, arrival: Instant) -> Result<()> {
        if request.has_content() {
            let Request { records, bytes, seal, mark, .. } = request;
            let (arrival_micros, control) = (arrival.micros(), seal.is_some() || mark);
            let by_partition = request.records_by_partition();
            let entry = IndexEntry { records, bytes, arrival_micros, control, by_partition };
            batch.put_cf(self.family(INDEX)?, position.to_be_bytes(), to_json(&entry)?);
        }
        if let Some(dataset_id) = request.seal {
            batch.put_cf(self.family(CONTROLS)?, position.to_be_bytes(), dataset_id.to_be_bytes());
        }
        for ((partition, dataset_id), chunk) in request.chunks {
            let mut value = Vec::with_capacity(chunk.bytes.len() + 12);
            value.extend_from_slice(&arrival.micros().to_be_bytes());
            value.extend_from_slice(&chunk.bytes);
            let key = [position.to_be_bytes().as_slice(), &dataset_id.to_be_bytes()].concat();
            batch.put_cf(self.family(&partition_name(partition))?, key, value);
        }
        for Refused { dataset_id, line, reason, raw } in request.refused {
            let entry = Quarantined { dataset_id, position, line, arrival, events: 1, reason, raw };
            self.put_quarantined(batch, &entry)?;
        }
        Ok(())
    }

    fn put_quarantined(&self, batch: &mut WriteBatch, entry: &Quarantined) -> Result<()> {
        let key = [entry.position.to_be_bytes().as_slice(), &entry.line.to_be_bytes(), &entry.dataset_id.to_be_bytes()]
            .concat();
        batch.put_cf(self.family(QUARANTINE)?, key, encode_quarantined(entry)?);
        Ok(())
    }

    /// Visits index entries behind a position until told to stop.
    fn walk_index(&self, after: u64, mut visit: impl FnMut(u64, IndexEntry) -> bool) -> Result<()> {
        let start = (after + 1).to_be_bytes();
        for entry in self.db.iterator_cf(self.family(INDEX)?, IteratorMode::From(&start, Direction::Forward)) {
            let (key, value) = entry.map_err(|e| io("the embedded stream cannot be read", e))?;
            if !visit(position_of(&key)?, from_json(&value)?) {
                break;
            }
        }
        Ok(())
    }
}

impl Source for EmbeddedStream {
    fn partitions(&self) -> u16 {
        PARTITIONS
    }

    fn wait(&self, after: u64, timeout: Duration) -> bool {
        let last = lock(&self.shared.last_position);
        let waited = self.shared.grown.wait_timeout_while(last, timeout, |last| *last <= after);
        let (last, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *last > after
    }

    fn cut(&self, after: u64, limits: &EpochLimits) -> Result<Option<Cut>> {
        let mut cut: Option<Cut> = None;
        let mut bytes = 0;
        self.shared.walk_index(after, |position, entry| {
            let so_far = cut.map_or(0, |cut| cut.records);
            if cut.is_some() && (so_far + entry.records > limits.max_records || bytes + entry.bytes > limits.max_bytes)
            {
                cut.iter_mut().for_each(|cut| cut.full = true);
                return false;
            }
            bytes += entry.bytes;
            let latest_arrival =
                Instant(entry.arrival_micros).max(cut.map_or(Instant(i64::MIN), |cut| cut.latest_arrival));
            cut = Some(Cut { position, records: so_far + entry.records, latest_arrival, full: entry.control });
            !entry.control
        })?;
        Ok(cut)
    }

    fn read(&self, partition: u16, range: Range, visit: &mut VisitRecord<'_>) -> Result<()> {
        let family = self.shared.family(&partition_name(partition))?;
        let start = (range.after + 1).to_be_bytes();
        for entry in self.shared.db.iterator_cf(family, IteratorMode::From(&start, Direction::Forward)) {
            let (key, value) = entry.map_err(|e| io("the embedded stream cannot be read", e))?;
            let key = &mut &*key;
            let position = u64::from_be_bytes(take::<8>(key)?);
            if position > range.up_to {
                break;
            }
            let dataset_id = u32::from_be_bytes(take::<4>(key)?);
            let rest = &mut &*value;
            let arrival = Instant(i64::from_be_bytes(take::<8>(rest)?));
            while !rest.is_empty() {
                let line = u32::try_from(read_varint(rest)?).map_err(|_| corrupt())?;
                let length = usize::try_from(read_varint(rest)?).map_err(|_| corrupt())?;
                let (bytes, after) = rest.split_at_checked(length).ok_or_else(corrupt)?;
                *rest = after;
                visit(SourceRecord { dataset_id, position, line, arrival, bytes })?;
            }
        }
        Ok(())
    }

    fn seals(&self, range: Range) -> Result<Vec<u32>> {
        let start = (range.after + 1).to_be_bytes();
        let mut seals = Vec::new();
        for entry in
            self.shared.db.iterator_cf(self.shared.family(CONTROLS)?, IteratorMode::From(&start, Direction::Forward))
        {
            let (key, value) = entry.map_err(|e| io("the embedded stream cannot be read", e))?;
            if position_of(&key)? > range.up_to {
                break;
            }
            seals.push(u32::from_be_bytes(take::<4>(&mut &*value)?));
        }
        Ok(seals)
    }

    fn release(&self, up_to: u64) -> Result<()> {
        let failed = |e| io("released records cannot be removed", e);
        let gone = self.shared.released_up_to()?;
        // What a savepoint needs and is gone in part is of no use to it.
        let held = lock(&self.shared.held_behind);
        let behind = held.iter().copied().find(|position| *position >= gone);
        let keep = Keep { bytes: self.kept_bytes, behind, behind_bytes_max: self.held_bytes_max };
        let (released, remembered) = {
            let mut retention = lock(&self.shared.retention);
            let before = to_json(&*retention)?;
            let released = retention.release(up_to, keep);
            (released, Some(to_json(&*retention)?).filter(|after| *after != before))
        };
        let released = Some(released).filter(|released| *released > gone);
        let mut mark = WriteBatch::default();
        if let Some(remembered) = &remembered {
            mark.put_cf(self.shared.family(META)?, RETENTION, remembered);
        }
        if let Some(released) = released {
            mark.put_cf(self.shared.family(META)?, RELEASED_UP_TO, released.to_be_bytes());
        }
        if mark.is_empty() {
            return Ok(());
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.shared.db.write_opt(mark, &options).map_err(failed)?;
        let Some(up_to) = released else { return Ok(()) };
        let (first, end) = (0_u64.to_be_bytes(), (up_to + 1).to_be_bytes());
        for name in (0..PARTITIONS).map(partition_name) {
            let family = self.shared.family(&name)?;
            // Whole files first. Their end counts as inside, but no key of a partition is as short as a position.
            self.shared.db.delete_file_in_range_cf(family, first, end).map_err(failed)?;
            self.shared.db.delete_range_cf(family, first, end).map_err(failed)?;
        }
        self.shared.db.delete_range_cf(self.shared.family(CONTROLS)?, first, end).map_err(failed)?;
        // The last entry stays, so that the position is found again after a restart.
        let end = up_to.to_be_bytes();
        self.shared.db.delete_range_cf(self.shared.family(INDEX)?, first, end).map_err(failed)
    }

    fn retained(&self) -> Result<Retained> {
        Ok(Retained { released_up_to: self.shared.released_up_to()?, last_position: self.last_position() })
    }

    fn quarantine(&self, entries: &[Quarantined]) -> Result<()> {
        let mut batch = WriteBatch::default();
        for entry in entries {
            self.shared.put_quarantined(&mut batch, entry)?;
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.shared.db.write_opt(batch, &options).map_err(|e| io("the quarantine cannot be written", e))
    }
}

/// Nothing that holds one of these locks can fail halfway.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn writer_gone() -> Error {
    Error::new(ErrorKind::Io, "the stream's writer has stopped; start Tidemark again")
}
