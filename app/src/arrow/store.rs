//! Where the bytes of an answer are: here, or where the browser has put them. A large answer stays outside of WebAssembly's
//! memory, which would grow by it and never shrink again; what is drawn of it is copied batch by batch, and single cells by
//! blocks, so that whoever goes through a column does not ask for each of them.

use std::{
    cell::RefCell,
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes outside.
pub trait Outside: fmt::Debug + Send + Sync {
    /// How many there are.
    fn byte_count(&self) -> usize;

    /// Copies those from `at` on, which are there.
    fn copy(&self, at: usize, into: &mut [u8]);
}

/// The bytes of an answer, or of a column of it.
#[derive(Debug, Clone)]
pub(super) enum Store {
    Here(Arc<Vec<u8>>),
    /// With a number that no other store has.
    Outside(Arc<dyn Outside>, u64),
}

/// Bytes of a block. Cells lie at multiples of their width or of eight bytes, so one may cross its edge.
const BLOCK: usize = 4_096;
/// Blocks that are kept, each at its place: enough for the columns that somebody goes through at once.
const BLOCKS: usize = 32;

/// A block that was copied: of which store and which of its blocks.
#[derive(Default)]
struct Block {
    of: Option<(u64, usize)>,
    bytes: Vec<u8>,
}

thread_local! {
    /// What is copied in to be read at once.
    static COPIED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static READ: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

static STORES: AtomicU64 = AtomicU64::new(0);

impl Store {
    /// Bytes that stay outside.
    pub(super) fn outside(bytes: Arc<dyn Outside>) -> Store {
        Store::Outside(bytes, STORES.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether the bytes are outside.
    pub(super) fn is_outside(&self) -> bool {
        matches!(self, Store::Outside(..))
    }

    pub(super) fn byte_count(&self) -> usize {
        match self {
            Store::Here(bytes) => bytes.len(),
            Store::Outside(outside, _) => outside.byte_count(),
        }
    }

    /// Reads a range, which has to lie inside. Not to be called again meanwhile.
    pub(super) fn read<R>(&self, range: Range<usize>, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Store::Here(bytes) => read(&bytes[range]),
            Store::Outside(outside, _) => COPIED.with_borrow_mut(|copied| {
                // Never shorter than before: what is added again would be filled again.
                copied.resize(copied.len().max(range.len()), 0);
                let copied = &mut copied[..range.len()];
                outside.copy(range.start, copied);
                read(copied)
            }),
        }
    }

    /// Reads a cell of at most 16 bytes, which has to lie inside.
    pub(super) fn read_cell<R>(&self, range: Range<usize>, read: impl FnOnce(&[u8]) -> R) -> R {
        let (outside, number) = match self {
            Store::Here(bytes) => return read(&bytes[range]),
            Store::Outside(outside, number) => (outside, *number),
        };
        let mut cell = [0; 16];
        let cell = &mut cell[..range.len().min(16)];
        let block = range.start / BLOCK;
        let at = range.start - block * BLOCK;
        if at + cell.len() > BLOCK {
            outside.copy(range.start, cell);
            return read(cell);
        }
        READ.with_borrow_mut(|blocks| {
            blocks.resize_with(BLOCKS, Block::default);
            // Columns often lie a power of two apart, and would share a place otherwise; so would two answers.
            let kept = &mut blocks[(block ^ (block / BLOCKS) ^ (block / BLOCKS / BLOCKS) ^ number as usize) % BLOCKS];
            if kept.of != Some((number, block)) {
                kept.bytes.resize(BLOCK.min(outside.byte_count() - block * BLOCK), 0);
                outside.copy(block * BLOCK, &mut kept.bytes);
                kept.of = Some((number, block));
            }
            cell.copy_from_slice(&kept.bytes[at..at + cell.len()]);
        });
        read(cell)
    }

    /// The bytes of a column that is read here; none where they are outside.
    pub(super) fn here(&self) -> &[u8] {
        match self {
            Store::Here(bytes) => bytes,
            Store::Outside(..) => &[],
        }
    }

    /// Adds a range to what is kept here; tells where it is then.
    pub(super) fn keep(&self, range: Range<usize>, kept: &mut Vec<u8>) -> Range<usize> {
        let start = kept.len();
        self.read(range, |bytes| kept.extend_from_slice(bytes));
        start..kept.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Bytes that count how often they are asked for.
    #[derive(Debug)]
    struct Counted(Vec<u8>, Mutex<usize>);

    impl Outside for Counted {
        fn byte_count(&self) -> usize {
            self.0.len()
        }

        fn copy(&self, at: usize, into: &mut [u8]) {
            *self.1.lock().unwrap() += 1;
            into.copy_from_slice(&self.0[at..at + into.len()]);
        }
    }

    #[test]
    fn cells_are_copied_by_blocks_and_of_each_store_its_own() {
        let bytes = |salt: usize| (0..10_001).map(|at| (at * 7 + salt) as u8).collect::<Vec<u8>>();
        let stores = [0, 1].map(|salt| Arc::new(Counted(bytes(salt), Mutex::new(0))));
        let outside = stores.clone().map(|bytes| Store::outside(bytes));
        for at in 0..10_001 - 8 {
            for (store, counted) in outside.iter().zip(&stores) {
                store.read_cell(at..at + 8, |cell| assert_eq!(cell, &counted.0[at..at + 8]));
            }
        }
        // One store alone: a copy for each block and for each cell across an edge.
        let alone = Arc::new(Counted(bytes(2), Mutex::new(0)));
        let store = Store::outside(alone.clone());
        for at in (0..10_000).step_by(8) {
            store.read_cell(at..at + 8, |cell| assert_eq!(cell, &alone.0[at..at + 8]));
        }
        assert_eq!(*alone.1.lock().unwrap(), 3);
    }

    #[test]
    fn rows_of_several_columns_a_power_of_two_apart_are_copied_by_blocks() {
        const COLUMN_BYTES: usize = 64 << 10;
        let all = Arc::new(Counted(vec![1; 6 * COLUMN_BYTES], Mutex::new(0)));
        let store = Store::outside(all.clone());
        for row in (0..COLUMN_BYTES).step_by(8) {
            for column in 0..6 {
                let at = column * COLUMN_BYTES + row;
                store.read_cell(at..at + 8, |cell| assert_eq!(cell, [1; 8]));
            }
        }
        assert_eq!(*all.1.lock().unwrap(), 6 * COLUMN_BYTES / BLOCK);
    }
}
