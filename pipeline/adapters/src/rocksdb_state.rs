//! Timeline state in RocksDB.
//!
//! There is no write-ahead log: the stream and the lake's epochs are the log, and what a crash takes is applied again
//! from them. RocksDB keeps writes in order, so what survives is always a beginning of what was written; each write
//! of a slot carries the marks of its key groups with it.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use engine::{
    Error, ErrorKind, Result,
    model::KEY_GROUPS,
    ports::{StateStore, StateWrites, VisitEntry, VisitValue},
};
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DB, DBCompressionType, Direction, IteratorMode, Options,
    ReadOptions, WriteBatch, WriteOptions,
};

use crate::rocks::{self, io};

/// First byte of a key group's mark. Timeline entries begin with a key group, which is smaller.
const MARK: u8 = 0xff;
/// First byte of a note.
const NOTE: u8 = 0xfe;

const UNREADABLE: &str = "the timeline state cannot be read";
const UNWRITABLE: &str = "the timeline state cannot be written";

/// Files kept open, which bounds what is kept of each beside its blocks: some ten kilobytes.
const OPEN_FILES_MAX: i32 = 512;
/// Size of a piece of an index or of a filter. Only the list of the pieces of a file stays in memory for good.
const METADATA_BLOCK_BYTES: usize = 16 << 10;
/// Read ahead by a compaction, and by a sweep over the state, from each file it reads.
const READ_AHEAD_BYTES: usize = 1 << 20;

/// How much memory the state may take, whatever the number of keys. Beside these two there are the tables of open files and
/// the buffers of compactions, some tens of megabytes.
#[derive(Debug, Clone, Copy)]
pub struct StateOptions {
    /// Blocks kept in memory: of timelines, of indices and of filters. Default 512 MiB.
    pub block_cache_bytes: usize,
    /// Writes kept in memory before they are written out, in all; when it is full writing waits. Default 256 MiB.
    pub write_buffer_bytes: usize,
}

/// Memory that the state takes now, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateMemory {
    /// Blocks in the cache.
    pub block_cache_bytes: u64,
    /// Writes that are not written out yet.
    pub write_buffer_bytes: u64,
    /// What is kept of open files beside blocks.
    pub open_files_bytes: u64,
}

impl Default for StateOptions {
    fn default() -> StateOptions {
        StateOptions { block_cache_bytes: 512 << 20, write_buffer_bytes: 256 << 20 }
    }
}

/// State in one RocksDB database.
pub struct RocksDbState {
    db: DB,
    block_cache: Cache,
    folder: PathBuf,
    applied: RwLock<Applied>,
}

/// The marks as they are in the database, so that nobody has to wait for a disk that is busy to know them. Whoever writes
/// shares the lock over the write, and whoever reads has it alone: so what is read is what was written, whole.
struct Applied {
    epochs: Vec<AtomicU64>,
    /// A write failed, and only the database knows whether it took place.
    in_doubt: AtomicBool,
}

/// An error of the state in a folder. One that is damaged cannot mend itself, and the error tells the way out.
fn failed(folder: &Path, message: &str, source: rocksdb::Error) -> Error {
    match source.kind() {
        rocksdb::ErrorKind::Corruption => damaged(message).because(source).with("folder", folder.display()),
        _ => io(message, source),
    }
}

fn damaged(what: &str) -> Error {
    let message = format!(
        "{what} because a file of it is damaged; stop Tidemark and restore a savepoint ('tidemark savepoint list --data \
         DIR' shows those there are), or a backup"
    );
    Error::new(ErrorKind::Corrupt, message)
}

fn number_at(db: &DB, folder: &Path, key: &[u8]) -> Result<u64> {
    let value = db.get_pinned(key).map_err(|e| failed(folder, UNREADABLE, e))?;
    let Some(value) = value else { return Ok(0) };
    let bytes = value.as_ref().try_into();
    let bytes = bytes.map_err(|_| damaged(UNREADABLE).with("folder", folder.display()))?;
    Ok(u64::from_be_bytes(bytes))
}

fn marks_of(db: &DB, folder: &Path) -> Result<Vec<u64>> {
    (0..KEY_GROUPS).map(|key_group| number_at(db, folder, &mark(key_group))).collect()
}

impl RocksDbState {
    /// Opens or creates the state in a folder. Only one process can have it open.
    pub fn open(folder: &Path, options: StateOptions) -> Result<RocksDbState> {
        let block_cache = Cache::new_lru_cache(options.block_cache_bytes);
        let mut db_options = Options::default();
        db_options.create_if_missing(true);
        db_options.set_write_buffer_size(options.write_buffer_bytes / 4);
        db_options.set_max_write_buffer_number(4);
        // Where all four are full, because the disk cannot follow, writing waits: memory does not grow.
        db_options.set_db_write_buffer_size(options.write_buffer_bytes);
        db_options.set_max_background_jobs(2);
        db_options.set_max_open_files(OPEN_FILES_MAX);
        db_options.set_compaction_readahead_size(READ_AHEAD_BYTES);
        // Where much was evicted, what is left of it must not be in the way of the next sweep: such files are rewritten first.
        db_options.add_compact_on_deletion_collector_factory(4_096, 2_048, 0.5);
        // Most of an entry is fingerprints, which do not compress.
        db_options.set_compression_type(DBCompressionType::None);
        db_options.set_level_compaction_dynamic_level_bytes(true);
        db_options.set_block_based_table_factory(&tables(&block_cache));
        let families = [(rocksdb::DEFAULT_COLUMN_FAMILY_NAME, db_options.clone())];
        let db = DB::open_cf_with_opts(&db_options, folder, families)
            .map_err(|e| failed(folder, "the timeline state cannot be opened", e))?;
        let epochs = marks_of(&db, folder)?.into_iter().map(AtomicU64::new).collect();
        let applied = RwLock::new(Applied { epochs, in_doubt: AtomicBool::new(false) });
        Ok(RocksDbState { db, block_cache, folder: folder.to_path_buf(), applied })
    }

    /// For each key group the last epoch applied to it, of a state that was kept in a folder and that nobody has open.
    /// Changes nothing of it.
    pub fn applied_epochs_in(folder: &Path) -> Result<Vec<u64>> {
        let db = DB::open_for_read_only(&Options::default(), folder, false)
            .map_err(|e| failed(folder, "the timeline state cannot be opened", e))?;
        marks_of(&db, folder)
    }

    /// What it takes of memory now.
    pub fn memory(&self) -> StateMemory {
        StateMemory {
            block_cache_bytes: self.block_cache.get_usage() as u64,
            write_buffer_bytes: self.property("rocksdb.cur-size-all-mem-tables"),
            open_files_bytes: self.property("rocksdb.estimate-table-readers-mem"),
        }
    }

    /// Whether it writes out or rearranges files just now, by itself, or is about to.
    pub fn is_rearranging(&self) -> bool {
        const WORK: [&str; 4] = [
            "rocksdb.num-running-flushes",
            "rocksdb.mem-table-flush-pending",
            "rocksdb.num-running-compactions",
            "rocksdb.compaction-pending",
        ];
        WORK.iter().any(|name| self.property(name) > 0)
    }

    /// Keeps the state as it is now in a new folder, which can be opened as a state of its own. What was applied before is
    /// in it, and of what is applied meanwhile a beginning.
    pub fn checkpoint(&self, folder: &Path) -> Result<()> {
        rocks::checkpoint(&self.db, folder)
    }

    fn unreadable(&self, source: rocksdb::Error) -> Error {
        failed(&self.folder, UNREADABLE, source)
    }

    fn property(&self, name: &str) -> u64 {
        self.db.property_int_value(name).ok().flatten().unwrap_or(0)
    }

    fn write(&self, batch: WriteBatch) -> Result<()> {
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.db.write_opt(batch, &options).map_err(|e| failed(&self.folder, UNWRITABLE, e))
    }
}

/// Tables of which everything but a list of pieces is in blocks of the cache: of 50 million keys filters alone would be larger
/// than a small cache.
fn tables(block_cache: &Cache) -> BlockBasedOptions {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(block_cache);
    blocks.set_bloom_filter(10.0, false);
    blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    blocks.set_partition_filters(true);
    blocks.set_metadata_block_size(METADATA_BLOCK_BYTES);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_top_level_index_and_filter(true);
    blocks
}

fn mark(key_group: u16) -> [u8; 3] {
    let [high, low] = key_group.to_be_bytes();
    [MARK, high, low]
}

fn note_key(epoch: u64) -> [u8; 9] {
    let mut key = [NOTE; 9];
    key[1..].copy_from_slice(&epoch.to_be_bytes());
    key
}

impl StateStore for RocksDbState {
    fn applied_epochs(&self) -> Result<Vec<u64>> {
        let applied = self.applied.write().unwrap_or_else(PoisonError::into_inner);
        if applied.in_doubt.load(Ordering::Relaxed) {
            for (known, found) in applied.epochs.iter().zip(marks_of(&self.db, &self.folder)?) {
                known.store(found, Ordering::Relaxed);
            }
            applied.in_doubt.store(false, Ordering::Relaxed);
        }
        Ok(applied.epochs.iter().map(|epoch| epoch.load(Ordering::Relaxed)).collect())
    }

    fn load(&self, keys: &[&[u8]], visit: &mut VisitValue<'_>) -> Result<()> {
        let family = self.db.cf_handle(rocksdb::DEFAULT_COLUMN_FAMILY_NAME);
        let family = family.ok_or_else(|| Error::new(ErrorKind::Internal, "no default column family"))?;
        for (index, found) in self.db.batched_multi_get_cf(family, keys.iter(), true).into_iter().enumerate() {
            let value = found.map_err(|e| self.unreadable(e))?;
            visit(index, value.as_deref())?;
        }
        Ok(())
    }

    fn scan_from_predecessor(&self, prefix: &[u8], from: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let before = self.db.iterator(IteratorMode::From(from, Direction::Reverse)).next().transpose();
        let before = before.map_err(|e| self.unreadable(e))?;
        let start = match &before {
            Some((key, _)) if key.starts_with(prefix) => key.as_ref(),
            _ => from,
        };
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        let mut found = Vec::new();
        for entry in self.db.iterator_opt(IteratorMode::From(start, Direction::Forward), options) {
            let (key, value) = entry.map_err(|e| self.unreadable(e))?;
            if !key.starts_with(prefix) {
                break;
            }
            found.push((key.into_vec(), value.into_vec()));
        }
        Ok(found)
    }

    fn scan(&self, from: &[u8], visit: &mut VisitEntry<'_>) -> Result<()> {
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        // What is read once must not drive out what is read all the time.
        options.fill_cache(false);
        options.set_readahead_size(READ_AHEAD_BYTES);
        options.set_iterate_upper_bound([NOTE]);
        for entry in self.db.iterator_opt(IteratorMode::From(from, Direction::Forward), options) {
            let (address, value) = entry.map_err(|e| self.unreadable(e))?;
            if !visit(&address, &value)? {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, epoch: u64, key_groups: Range<u16>, writes: &StateWrites) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (key, value) in writes.iter() {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        for key_group in key_groups.clone() {
            batch.put(mark(key_group), epoch.to_be_bytes());
        }
        let applied = self.applied.read().unwrap_or_else(PoisonError::into_inner);
        self.write(batch).inspect_err(|_| applied.in_doubt.store(true, Ordering::Relaxed))?;
        for known in applied.epochs.iter().take(key_groups.end.into()).skip(key_groups.start.into()) {
            known.store(epoch, Ordering::Relaxed);
        }
        Ok(())
    }

    fn put_note(&self, epoch: u64, note: &[u8], obsolete_before: u64) -> Result<()> {
        let mut batch = WriteBatch::default();
        batch.delete_range(note_key(0), note_key(obsolete_before));
        batch.put(note_key(epoch), note);
        self.write(batch)
    }

    fn note(&self, epoch: u64) -> Result<Option<Vec<u8>>> {
        let key = note_key(epoch);
        let entry = self.db.iterator(IteratorMode::From(&key, Direction::Reverse)).next().transpose();
        let entry = entry.map_err(|e| self.unreadable(e))?;
        Ok(entry.filter(|(key, _)| key.first() == Some(&NOTE)).map(|(_, value)| value.into_vec()))
    }

    fn flush(&self) -> Result<()> {
        self.db.flush().map_err(|e| failed(&self.folder, "the timeline state cannot be made durable", e))
    }

    fn size_bytes(&self) -> u64 {
        self.property("rocksdb.total-sst-files-size") + self.property("rocksdb.cur-size-all-mem-tables")
    }

    fn key_group_bytes(&self) -> Result<Vec<u64>> {
        let bounds: Vec<[u8; 1]> = (0..=KEY_GROUPS).map(|group| [group as u8]).collect();
        let ranges: Vec<rocksdb::Range<'_>> =
            bounds.windows(2).map(|pair| rocksdb::Range::new(&pair[0], &pair[1])).collect();
        Ok(self.db.get_approximate_sizes(&ranges))
    }
}
