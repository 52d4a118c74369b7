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

/// Time that goes on by one microsecond whenever it is asked for, and by as much as somebody sleeps.
#[derive(Default)]
pub struct Ticks {
    passed_micros: AtomicI64,
    set_forward_micros: AtomicI64,
}

impl Clock for Ticks {
    fn now(&self) -> Instant {
        let passed = self.passed_micros.fetch_add(1, Ordering::Relaxed);
        Instant(1_000_000_000_000_000 + passed + self.set_forward_micros.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.passed_micros.fetch_add(1, Ordering::Relaxed) as u64)
    }

    fn sleep(&self, pause: Duration) {
        self.passed_micros.fetch_add(pause.as_micros() as i64, Ordering::Relaxed);
    }
}

impl Ticks {
    /// Sets what people go by forward, or back where there is a minus.
    pub fn set_forward(&self, micros: i64) {
        self.set_forward_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// A record of a request.
#[derive(Debug, Clone)]
pub struct Line {
    pub dataset_id: u32,
    pub partition: u16,
    pub text: String,
}

/// A request: its lines, when it was acknowledged, and the imports it seals. One with neither lines nor seals takes up
/// a position and nothing else.
#[derive(Debug, Clone)]
pub struct Request {
    pub lines: Vec<Line>,
    pub seals: Vec<u32>,
    pub arrival: Instant,
}

impl Request {
    fn has_content(&self) -> bool {
        !self.lines.is_empty() || !self.seals.is_empty()
    }

    fn bytes(&self) -> u64 {
        self.lines.iter().map(|line| line.text.len() as u64).sum()
    }
}

/// Requests; a position is a request's place, counting from 1.
pub struct Requests {
    pub partitions: u16,
    pub requests: Mutex<Vec<Request>>,
    pub released: AtomicU64,
    /// By position, line and dataset.
    pub quarantine: Mutex<BTreeMap<(u64, u32, u32), Quarantined>>,
}

impl Requests {
    pub fn new(partitions: u16) -> Requests {
        let (requests, released, quarantine) = (Mutex::default(), AtomicU64::new(0), Mutex::default());
        Requests { partitions, requests, released, quarantine }
    }

    pub fn append(&self, request: Request) {
        self.requests.lock().unwrap().push(request);
    }

    /// Of the last request with content; 0 when there is none.
    pub fn last_position(&self) -> u64 {
        let requests = self.requests.lock().unwrap();
        requests.iter().rposition(Request::has_content).map_or(0, |index| index as u64 + 1)
    }

    fn within(&self, range: Range) -> Vec<(u64, Request)> {
        assert!(range.after >= self.released.load(Ordering::Relaxed), "what was let go of is asked for again");
        let requests = self.requests.lock().unwrap();
        let inside = requests[range.after as usize..range.up_to as usize].iter().cloned();
        (range.after + 1..).zip(inside).collect()
    }
}

impl Source for Requests {
    fn partitions(&self) -> u16 {
        self.partitions
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
        let mut cut: Option<Cut> = None;
        let mut bytes = 0;
        let behind = (after + 1..).zip(&requests[after as usize..]);
        for (position, request) in behind.filter(|(_, request)| request.has_content()) {
            let (so_far, arrival) = cut.map_or((0, request.arrival), |cut| (cut.records, cut.latest_arrival));
            let records = so_far + request.lines.len() as u64;
            bytes += request.bytes();
            if cut.is_some() && (records > limits.max_records || bytes > limits.max_bytes) {
                cut.iter_mut().for_each(|cut| cut.full = true);
                break;
            }
            let (latest_arrival, full) = (arrival.max(request.arrival), !request.seals.is_empty());
            cut = Some(Cut { position, records, latest_arrival, full });
            if full {
                break;
            }
        }
        Ok(cut)
    }

    fn read(&self, partition: u16, range: Range, visit: &mut VisitRecord<'_>) -> Result<()> {
        for (position, Request { lines, arrival, .. }) in self.within(range) {
            for (line, Line { dataset_id, text, .. }) in
                (1..).zip(&lines).filter(|(_, line)| line.partition == partition)
            {
                visit(SourceRecord { dataset_id: *dataset_id, position, line, arrival, bytes: text.as_bytes() })?;
            }
        }
        Ok(())
    }

    fn seals(&self, range: Range) -> Result<Vec<u32>> {
        Ok(self.within(range).into_iter().flat_map(|(_, request)| request.seals).collect())
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
        let place = |entry: &Quarantined| (entry.position, entry.line, entry.dataset_id);
        quarantine.extend(entries.iter().map(|entry| (place(entry), entry.clone())));
        Ok(())
    }
}

/// What the state holds; a clone of it is what a crash leaves.
#[derive(Debug, Clone, PartialEq)]
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
    /// Every read meets damage.
    pub damaged: AtomicBool,
    /// Every write takes so long.
    pub pause: Mutex<Duration>,
    /// Set at the next write, to stop the pipeline in the middle.
    pub stop_at_write: Mutex<Option<Arc<AtomicBool>>>,
    log: Log,
}

impl State {
    pub fn new(log: Log) -> State {
        let applied = vec![0; usize::from(KEY_GROUPS)];
        let contents = Contents { entries: BTreeMap::new(), applied, notes: BTreeMap::new() };
        let (fail_once, damaged, stop_at_write) = (AtomicBool::new(false), AtomicBool::new(false), Mutex::new(None));
        State { contents: Mutex::new(contents), fail_once, damaged, pause: Mutex::default(), stop_at_write, log }
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
        if self.damaged.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Corrupt, "the state is damaged; restore a savepoint"));
        }
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
        std::thread::sleep(*self.pause.lock().unwrap());
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

/// A row of a dataset: key `k`, value `v`, perhaps a sequence number `s`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub dataset_id: u32,
    /// The epoch that brought it.
    pub epoch: u64,
    pub key: String,
    pub value: Option<i64>,
    pub sequence: Option<i64>,
    pub from: i64,
    pub to: i64,
    pub system_from: i64,
    /// Where upkeep has written it down; else [`OPEN`].
    pub system_to: i64,
    pub put: bool,
}

impl Row {
    /// Whether it covers a place in both times. Of several that do, the one with the latest system time says what holds.
    pub fn covers(&self, instant: i64, system_time: i64) -> bool {
        let known = self.system_from <= system_time && (self.system_to == OPEN || system_time < self.system_to);
        known && self.from <= instant && instant < self.to
    }
}

/// A key and a stretch of valid time, half-open.
pub type Stretch = (String, (i64, i64));

/// Rows in a list.
pub struct Rows {
    pub definitions: BTreeMap<u32, Arc<DatasetDefinition>>,
    pub rows: Mutex<Vec<Row>>,
    pub epochs: Mutex<Vec<EpochRecord>>,
    pub sealed: Mutex<BTreeMap<u32, u64>>,
    /// Records committed, unchanged, quarantined, by epoch and dataset.
    pub counts: Mutex<BTreeMap<(u64, u32), [u64; 3]>>,
    /// Keys and instants asked for, call by call.
    pub asked: Mutex<Vec<Vec<(String, i64)>>>,
    /// Keys and stretches that were asked for, call by call.
    pub fetched_back: Mutex<Vec<Vec<Stretch>>>,
    pub panic_at_commit: AtomicBool,
    /// Fails so many commits, those that come next.
    pub fail_commits: AtomicU64,
    /// Every commit takes so long.
    pub pause: Mutex<Duration>,
    log: Log,
}

impl Rows {
    pub fn new(definitions: BTreeMap<u32, Arc<DatasetDefinition>>, log: Log) -> Rows {
        Rows {
            definitions,
            rows: Mutex::default(),
            epochs: Mutex::default(),
            sealed: Mutex::default(),
            counts: Mutex::default(),
            asked: Mutex::default(),
            fetched_back: Mutex::default(),
            panic_at_commit: AtomicBool::new(false),
            fail_commits: AtomicU64::new(0),
            pause: Mutex::default(),
            log,
        }
    }

    /// The row that holds, by the rule of the lake, with what was committed up to an epoch.
    pub fn holding(&self, dataset_id: u32, key: &str, instant: i64, system_time: i64, up_to_epoch: u64) -> Option<Row> {
        let rows = self.rows.lock().unwrap();
        let asked = |row: &&Row| row.dataset_id == dataset_id && row.key == key && row.epoch <= up_to_epoch;
        let covering = rows.iter().filter(asked).filter(|row| row.covers(instant, system_time));
        covering.max_by_key(|row| row.system_from).filter(|row| row.put).cloned()
    }

    /// [`Sink::values_at`] with what was committed up to an epoch.
    pub fn values_as_of(
        &self,
        dataset_id: u32,
        keys: &[ArrayRef],
        instants: &[i64],
        up_to_epoch: u64,
    ) -> Result<Vec<ArrayRef>> {
        let names = keys[0].as_string::<i32>();
        assert_eq!(names.len(), instants.len());
        let asked: Vec<(String, i64)> = (0..names.len()).map(|i| (names.value(i).to_owned(), instants[i])).collect();
        let mut found = Vec::new();
        for (key, instant) in &asked {
            let nothing = || Error::new(ErrorKind::Mismatch, "nothing holds").with("key", key).with("instant", instant);
            found.push(self.holding(dataset_id, key, *instant, i64::MAX, up_to_epoch).ok_or_else(nothing)?);
        }
        self.asked.lock().unwrap().push(asked);
        let column =
            |pick: fn(&Row) -> Option<i64>| Arc::new(found.iter().map(pick).collect::<Int64Array>()) as ArrayRef;
        let mut columns = vec![column(|row| row.value)];
        let sequenced = self.definitions[&dataset_id].sequence.is_some();
        columns.extend(sequenced.then(|| column(|row| row.sequence)));
        Ok(columns)
    }

    /// [`Sink::held_within`]. What is asked for was known before an epoch that is being worked out, so nobody doubts it.
    pub fn held_as_of(&self, dataset_id: u32, known_before: i64, keys: &[ArrayRef], within: &[(i64, i64)]) -> HeldRows {
        let names = keys[0].as_string::<i32>();
        let asked: Vec<_> = (0..names.len()).map(|i| (names.value(i).to_owned(), within[i])).collect();
        let rows = self.rows.lock().unwrap();
        let (mut held, mut values, mut sequences) = (HeldRows::default(), Vec::new(), Vec::new());
        for (index, (key, (from, until))) in asked.iter().enumerate() {
            let known = |row: &Row| row.system_from < known_before && known_before <= row.system_to;
            let meets = |row: &Row| row.from < *until && *from < row.to;
            let ours = |row: &&Row| row.dataset_id == dataset_id && row.key == *key && known(row) && meets(row);
            let met: Vec<&Row> = rows.iter().filter(ours).collect();
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
        let definition = &self.definitions[&dataset_id];
        let columns = StoredColumns::of(definition);
        let column = |name: &str, values: Vec<Option<i64>>| {
            (columns.field_id(name).unwrap(), Arc::new(Int64Array::from(values)) as ArrayRef)
        };
        held.columns.push(column("v", values));
        held.columns.extend(definition.sequence.is_some().then(|| column("s", sequences)));
        self.fetched_back.lock().unwrap().push(asked);
        held
    }

    fn take(&self, dataset_id: u32, epoch: u64, batch: &RecordBatch) {
        let integers = |name: &str| batch.column_by_name(name).map(|column| column.as_primitive::<Int64Type>().clone());
        let times = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>().clone();
        let (values, sequences) = (integers("v").unwrap(), integers("s"));
        let (from, to, system_from) = (times("valid_from"), times("valid_to"), times("system_from"));
        let words = batch.column_by_name("operation").unwrap().as_string::<i32>();
        let present = |column: &Int64Array, row: usize| column.is_valid(row).then(|| column.value(row));
        for row in 0..batch.num_rows() {
            self.rows.lock().unwrap().push(Row {
                dataset_id,
                epoch,
                key: batch.column_by_name("k").unwrap().as_string::<i32>().value(row).to_owned(),
                value: present(&values, row),
                sequence: sequences.as_ref().and_then(|column| present(column, row)),
                from: from.value(row),
                to: if to.is_null(row) { OPEN } else { to.value(row) },
                system_from: system_from.value(row),
                system_to: OPEN,
                put: words.value(row) == "put",
            });
        }
    }
}

impl Sink for Rows {
    fn dataset(&self, dataset_id: u32, _: u64) -> Option<DatasetInfo> {
        let definition = Arc::clone(self.definitions.get(&dataset_id)?);
        let sealed_epoch = self.sealed.lock().unwrap().get(&dataset_id).copied();
        let (name, columns) = (format!("facts-{dataset_id}"), Arc::new(StoredColumns::of(&definition)));
        Some(DatasetInfo { name, definition, version: 1, columns, sealed_epoch })
    }

    fn head(&self) -> Option<EpochRecord> {
        self.epochs.lock().unwrap().last().cloned()
    }

    fn epochs_after(&self, epoch: u64) -> Result<Vec<EpochRecord>> {
        Ok(self.epochs.lock().unwrap().iter().filter(|record| record.epoch > epoch).cloned().collect())
    }

    fn values_at(&self, dataset_id: u32, _: u32, keys: &[ArrayRef], instants: &[i64]) -> Result<Vec<ArrayRef>> {
        self.values_as_of(dataset_id, keys, instants, u64::MAX)
    }

    fn held_within(
        &self,
        dataset_id: u32,
        _: u32,
        known_before: i64,
        keys: &[ArrayRef],
        within: &[(i64, i64)],
    ) -> Result<HeldRows> {
        Ok(self.held_as_of(dataset_id, known_before, keys, within))
    }

    fn writer(&self, _: u32, _: u32) -> Result<Box<dyn RowWriter>> {
        Ok(Box::new(Staged(Vec::new())))
    }

    fn commit(&self, commit: EpochCommit) -> Result<()> {
        assert!(!self.panic_at_commit.load(Ordering::Relaxed), "made to panic");
        std::thread::sleep(*self.pause.lock().unwrap());
        let one_less = |left: u64| left.checked_sub(1);
        if self.fail_commits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            return Err(Error::new(
                ErrorKind::Io,
                "the lake cannot be written: the disk is full; free some space on it",
            ));
        }
        let EpochRecord { epoch, system_time, position, .. } = commit.record;
        let committed = self.epochs.lock().unwrap().iter().find(|record| record.epoch == epoch).cloned();
        if committed.is_some_and(|record| (record.system_time, record.position) == (system_time, position)) {
            return Ok(());
        }
        let head = self.head().map_or((0, Instant(i64::MIN), 0), |head| (head.epoch, head.system_time, head.position));
        if epoch != head.0 + 1 || system_time <= head.1 || position < head.2 {
            return Err(Error::new(ErrorKind::Conflict, "an epoch has to follow the last one").with("epoch", epoch));
        }
        for dataset in commit.datasets {
            let id = dataset.dataset_id;
            for file in dataset.files {
                file.handle
                    .downcast::<Vec<RecordBatch>>()
                    .unwrap()
                    .iter()
                    .for_each(|batch| self.take(id, epoch, batch));
            }
            let counts = [dataset.committed, dataset.unchanged, dataset.quarantined];
            self.counts.lock().unwrap().insert((epoch, id), counts);
            if dataset.seal {
                self.sealed.lock().unwrap().entry(id).or_insert(epoch);
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
