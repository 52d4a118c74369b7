//! Source, state and sink in memory. They keep what their ports promise and can be made to fail.

use std::{
    collections::BTreeMap,
    ops::Range as Groups,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use engine::{
    Error, ErrorKind, Result,
    model::{Assertion, DatasetDefinition, EpochRecord, Instant, KEY_GROUPS, OPEN, StoredColumns, resolve},
    ports::{
        Clock, Cut, DatasetInfo, EpochCommit, EpochLimits, HeldRows, Quarantined, Range, Retained, RowWriter, Sink,
        Source, SourceRecord, StagedFile, StateStore, StateWrites, VisitEntry, VisitRecord, VisitValue,
    },
};

pub const DATASET: u32 = 1;

/// What happened, in order.
pub type Log = Arc<Mutex<Vec<String>>>;

/// Time that goes on by one microsecond whenever it is asked for.
#[derive(Default)]
pub struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Instant {
        Instant(1_000_000_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// A request: its lines, and whether it seals the import.
#[derive(Clone, Default)]
pub struct Request {
    pub lines: Vec<String>,
    pub seal: bool,
}

/// Requests of one dataset in one partition; a position is a request's place, counting from 1.
#[derive(Default)]
pub struct Requests {
    pub requests: Mutex<Vec<Request>>,
    pub released: AtomicU64,
    pub quarantine: Mutex<BTreeMap<(u64, u32), Quarantined>>,
}

impl Requests {
    pub fn append(&self, request: Request) {
        self.requests.lock().unwrap().push(request);
    }

    pub fn last_position(&self) -> u64 {
        self.requests.lock().unwrap().len() as u64
    }
}

impl Source for Requests {
    fn partitions(&self) -> u16 {
        1
    }

    fn wait(&self, after: u64, timeout: Duration) -> bool {
        let there = self.last_position() > after;
        if !there {
            std::thread::sleep(timeout.min(Duration::from_millis(1)));
        }
        there
    }

    fn cut(&self, after: u64, limits: &EpochLimits) -> Result<Option<Cut>> {
        let requests = self.requests.lock().unwrap();
        let mut cut = Cut { position: after, records: 0, latest_arrival: Instant(i64::MIN), full: false };
        for request in &requests[after as usize..] {
            let records = cut.records + request.lines.len() as u64;
            if cut.position > after && records > limits.max_records {
                cut.full = true;
                break;
            }
            cut = Cut { position: cut.position + 1, records, ..cut };
        }
        Ok((cut.position > after).then_some(cut))
    }

    fn read(&self, _: u16, range: Range, visit: &mut VisitRecord<'_>) -> Result<()> {
        assert!(range.after >= self.released.load(Ordering::Relaxed), "what was let go of is asked for again");
        let requests = self.requests.lock().unwrap();
        for position in range.after + 1..=range.up_to {
            for (index, line) in requests[position as usize - 1].lines.iter().enumerate() {
                let (line_number, arrival) = (index as u32 + 1, Instant(0));
                let bytes = line.as_bytes();
                visit(SourceRecord { dataset_id: DATASET, position, line: line_number, arrival, bytes })?;
            }
        }
        Ok(())
    }

    fn seals(&self, range: Range) -> Result<Vec<u32>> {
        let requests = self.requests.lock().unwrap();
        let seals = requests[range.after as usize..range.up_to as usize].iter().any(|request| request.seal);
        Ok(seals.then_some(DATASET).into_iter().collect())
    }

    fn release(&self, up_to: u64) -> Result<()> {
        self.released.fetch_max(up_to, Ordering::Relaxed);
        Ok(())
    }

    fn retained(&self) -> Result<Retained> {
        let released_up_to = self.released.load(Ordering::Relaxed);
        Ok(Retained { released_up_to, last_position: self.last_position() })
    }

    fn quarantine(&self, entries: &[Quarantined]) -> Result<()> {
        let mut quarantine = self.quarantine.lock().unwrap();
        quarantine.extend(entries.iter().map(|entry| ((entry.position, entry.line), entry.clone())));
        Ok(())
    }
}

/// What the state holds; a clone of it is what a crash leaves.
#[derive(Clone)]
pub struct Contents {
    pub entries: BTreeMap<Vec<u8>, Vec<u8>>,
    pub applied: Vec<u64>,
    pub notes: BTreeMap<u64, Vec<u8>>,
}

/// State in a map.
pub struct State {
    pub contents: Mutex<Contents>,
    /// Fails the next write.
    pub fail_once: AtomicBool,
    /// Set at the next write, to stop the pipeline in the middle.
    pub stop_at_write: Mutex<Option<Arc<AtomicBool>>>,
    log: Log,
}

impl State {
    pub fn new(log: Log) -> State {
        let applied = vec![0; usize::from(KEY_GROUPS)];
        let contents = Contents { entries: BTreeMap::new(), applied, notes: BTreeMap::new() };
        let (fail_once, stop_at_write) = (AtomicBool::new(false), Mutex::new(None));
        State { contents: Mutex::new(contents), fail_once, stop_at_write, log }
    }

    pub fn contents(&self) -> Contents {
        self.contents.lock().unwrap().clone()
    }

    pub fn put_back(&self, contents: Contents) {
        *self.contents.lock().unwrap() = contents;
    }
}

impl StateStore for State {
    fn applied_epochs(&self) -> Result<Vec<u64>> {
        Ok(self.contents().applied)
    }

    fn load(&self, keys: &[&[u8]], visit: &mut VisitValue<'_>) -> Result<()> {
        assert!(keys.is_sorted());
        // Whoever visits may ask for more.
        let value = |key: &&[u8]| self.contents.lock().unwrap().entries.get(*key).cloned();
        let found: Vec<_> = keys.iter().map(value).collect();
        found.iter().enumerate().try_for_each(|(index, value)| visit(index, value.as_deref()))
    }

    fn scan_from_predecessor(&self, prefix: &[u8], from: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let contents = self.contents.lock().unwrap();
        let under = |key: &&Vec<u8>| key.starts_with(prefix);
        let before = contents.entries.range(..=from.to_vec()).next_back().map(|(key, _)| key).filter(under);
        let start = before.cloned().unwrap_or_else(|| from.to_vec());
        let found = contents.entries.range(start..).take_while(|(key, _)| under(key));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn scan(&self, from: &[u8], visit: &mut VisitEntry<'_>) -> Result<()> {
        for (address, value) in self.contents().entries.range(from.to_vec()..) {
            if !visit(address, value)? {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, epoch: u64, key_groups: Groups<u16>, writes: &StateWrites) -> Result<()> {
        if let Some(stop) = self.stop_at_write.lock().unwrap().take() {
            stop.store(true, Ordering::Relaxed);
        }
        if self.fail_once.swap(false, Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Io, "the state cannot be written just now"));
        }
        let mut contents = self.contents.lock().unwrap();
        for (key, value) in writes.iter() {
            assert!(key_groups.contains(&u16::from(key[0])), "a write outside its key groups");
            match value {
                Some(value) => drop(contents.entries.insert(key.to_vec(), value.to_vec())),
                None => drop(contents.entries.remove(key)),
            }
        }
        key_groups.for_each(|group| contents.applied[usize::from(group)] = epoch);
        self.log.lock().unwrap().push(format!("state {epoch}"));
        Ok(())
    }

    fn put_note(&self, epoch: u64, note: &[u8], obsolete_before: u64) -> Result<()> {
        let mut contents = self.contents.lock().unwrap();
        contents.notes.retain(|&epoch, _| epoch >= obsolete_before);
        contents.notes.insert(epoch, note.to_vec());
        Ok(())
    }

    fn note(&self, epoch: u64) -> Result<Option<Vec<u8>>> {
        Ok(self.contents.lock().unwrap().notes.range(..=epoch).next_back().map(|(_, note)| note.clone()))
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.key_group_bytes().map_or(0, |groups| groups.iter().sum())
    }

    fn key_group_bytes(&self) -> Result<Vec<u64>> {
        let mut bytes = vec![0; usize::from(KEY_GROUPS)];
        for (address, value) in self.contents().entries {
            bytes[usize::from(address[0])] += (address.len() + value.len()) as u64;
        }
        Ok(bytes)
    }
}

/// A row of the dataset: key `k`, value `v`, perhaps a sequence number `s`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub key: String,
    pub value: Option<i64>,
    pub sequence: Option<i64>,
    pub from: i64,
    pub to: i64,
    pub system_from: i64,
    pub put: bool,
}

/// Rows in a list.
pub struct Rows {
    pub definition: Arc<DatasetDefinition>,
    pub rows: Mutex<Vec<Row>>,
    pub epochs: Mutex<Vec<EpochRecord>>,
    pub sealed_epoch: Mutex<Option<u64>>,
    /// Records committed, unchanged, quarantined.
    pub counts: Mutex<[u64; 3]>,
    /// Keys and instants asked for, call by call.
    pub asked: Mutex<Vec<Vec<(String, i64)>>>,
    /// Keys and stretches that were asked for, call by call.
    pub fetched_back: Mutex<Vec<Vec<(String, (i64, i64))>>>,
    pub panic_at_commit: AtomicBool,
    log: Log,
}

impl Rows {
    pub fn new(definition: DatasetDefinition, log: Log) -> Rows {
        Rows {
            definition: Arc::new(definition),
            rows: Mutex::default(),
            epochs: Mutex::default(),
            sealed_epoch: Mutex::default(),
            counts: Mutex::default(),
            asked: Mutex::default(),
            fetched_back: Mutex::default(),
            panic_at_commit: AtomicBool::new(false),
            log,
        }
    }

    /// The row that holds, by the rule of the lake.
    pub fn holding(&self, key: &str, instant: i64, system_time: i64) -> Option<Row> {
        let rows = self.rows.lock().unwrap();
        let covers = |row: &&Row| row.key == key && row.from <= instant && instant < row.to;
        let known = rows.iter().filter(covers).filter(|row| row.system_from <= system_time);
        known.max_by_key(|row| row.system_from).filter(|row| row.put).cloned()
    }

    fn take(&self, batch: &RecordBatch) {
        let integers = |name: &str| batch.column_by_name(name).map(|column| column.as_primitive::<Int64Type>().clone());
        let times = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>().clone();
        let (values, sequences) = (integers("v").unwrap(), integers("s"));
        let (from, to, system_from) = (times("valid_from"), times("valid_to"), times("system_from"));
        let words = batch.column_by_name("operation").unwrap().as_string::<i32>();
        let present = |column: &Int64Array, row: usize| column.is_valid(row).then(|| column.value(row));
        for row in 0..batch.num_rows() {
            self.rows.lock().unwrap().push(Row {
                key: batch.column_by_name("k").unwrap().as_string::<i32>().value(row).to_owned(),
                value: present(&values, row),
                sequence: sequences.as_ref().and_then(|column| present(column, row)),
                from: from.value(row),
                to: if to.is_null(row) { OPEN } else { to.value(row) },
                system_from: system_from.value(row),
                put: words.value(row) == "put",
            });
        }
    }
}

impl Sink for Rows {
    fn dataset(&self, dataset_id: u32, _: u64) -> Option<DatasetInfo> {
        let (definition, sealed_epoch) = (Arc::clone(&self.definition), *self.sealed_epoch.lock().unwrap());
        let (name, columns) = ("facts".to_owned(), Arc::new(StoredColumns::of(&definition)));
        (dataset_id == DATASET).then_some(DatasetInfo { name, definition, version: 1, columns, sealed_epoch })
    }

    fn head(&self) -> Option<EpochRecord> {
        self.epochs.lock().unwrap().last().cloned()
    }

    fn epochs_after(&self, epoch: u64) -> Result<Vec<EpochRecord>> {
        Ok(self.epochs.lock().unwrap().iter().filter(|record| record.epoch > epoch).cloned().collect())
    }

    fn values_at(&self, _: u32, _: u32, keys: &[ArrayRef], instants: &[i64]) -> Result<Vec<ArrayRef>> {
        let names = keys[0].as_string::<i32>();
        assert_eq!(names.len(), instants.len());
        let asked: Vec<(String, i64)> = (0..names.len()).map(|i| (names.value(i).to_owned(), instants[i])).collect();
        let mut found = Vec::new();
        for (key, instant) in &asked {
            let nothing = || Error::new(ErrorKind::Mismatch, "nothing holds").with("key", key).with("instant", instant);
            found.push(self.holding(key, *instant, i64::MAX).ok_or_else(nothing)?);
        }
        self.asked.lock().unwrap().push(asked);
        let column =
            |pick: fn(&Row) -> Option<i64>| Arc::new(found.iter().map(pick).collect::<Int64Array>()) as ArrayRef;
        let mut columns = vec![column(|row| row.value)];
        columns.extend(self.definition.sequence.is_some().then(|| column(|row| row.sequence)));
        Ok(columns)
    }

    fn held_within(
        &self,
        _: u32,
        _: u32,
        known_before: i64,
        keys: &[ArrayRef],
        within: &[(i64, i64)],
    ) -> Result<HeldRows> {
        let names = keys[0].as_string::<i32>();
        let asked: Vec<_> = (0..names.len()).map(|i| (names.value(i).to_owned(), within[i])).collect();
        let rows = self.rows.lock().unwrap();
        let (mut held, mut values, mut sequences) = (HeldRows::default(), Vec::new(), Vec::new());
        for (index, (key, (from, until))) in asked.iter().enumerate() {
            let met =
                |row: &&Row| row.key == *key && row.system_from < known_before && row.from < *until && *from < row.to;
            let met: Vec<&Row> = rows.iter().filter(met).collect();
            let assertion =
                |row: &&Row| Assertion { from: row.from, to: row.to, system_from: row.system_from, put: row.put };
            for piece in resolve(&met.iter().map(assertion).collect::<Vec<_>>(), |_, _| false) {
                held.asked.push(index as u32);
                held.from.push(piece.from.max(*from));
                held.to.push(piece.to.min(*until));
                values.push(met[piece.assertion].value);
                sequences.push(met[piece.assertion].sequence);
            }
        }
        let columns = StoredColumns::of(&self.definition);
        let column = |name: &str, values: Vec<Option<i64>>| {
            (columns.field_id(name).unwrap(), Arc::new(Int64Array::from(values)) as ArrayRef)
        };
        held.columns.push(column("v", values));
        held.columns.extend(self.definition.sequence.is_some().then(|| column("s", sequences)));
        self.fetched_back.lock().unwrap().push(asked);
        Ok(held)
    }

    fn writer(&self, _: u32, _: u32) -> Result<Box<dyn RowWriter>> {
        Ok(Box::new(Staged(Vec::new())))
    }

    fn commit(&self, commit: EpochCommit) -> Result<()> {
        assert!(!self.panic_at_commit.load(Ordering::Relaxed), "made to panic");
        let epoch = commit.record.epoch;
        assert_eq!(epoch, self.head().map_or(1, |head| head.epoch + 1));
        for dataset in commit.datasets {
            for file in dataset.files {
                file.handle.downcast::<Vec<RecordBatch>>().unwrap().iter().for_each(|batch| self.take(batch));
            }
            let mut counts = self.counts.lock().unwrap();
            counts[0] += dataset.committed;
            counts[1] += dataset.unchanged;
            counts[2] += dataset.quarantined;
            if dataset.seal {
                *self.sealed_epoch.lock().unwrap() = Some(epoch);
            }
        }
        self.epochs.lock().unwrap().push(commit.record);
        self.log.lock().unwrap().push(format!("commit {epoch}"));
        Ok(())
    }
}

struct Staged(Vec<RecordBatch>);

impl RowWriter for Staged {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.push(batch.clone());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<StagedFile>> {
        let rows = self.0.iter().map(|batch| batch.num_rows() as u64).sum();
        Ok(vec![StagedFile { rows, bytes: rows, handle: Box::new(self.0) }])
    }
}
