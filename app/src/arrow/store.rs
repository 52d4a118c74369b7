//! Where the bytes of an answer are: here, or where the browser has put them. A large answer stays outside of WebAssembly's
//! memory, which would grow by it and never shrink again; what is drawn of it is copied batch by batch.

use std::{cell::RefCell, fmt, ops::Range, sync::Arc};

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
    Outside(Arc<dyn Outside>),
}

thread_local! {
    /// What is copied in to be read at once.
    static COPIED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Store {
    pub(super) fn byte_count(&self) -> usize {
        match self {
            Store::Here(bytes) => bytes.len(),
            Store::Outside(outside) => outside.byte_count(),
        }
    }

    /// Reads a range, which has to lie inside. Not to be called again meanwhile.
    pub(super) fn read<R>(&self, range: Range<usize>, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Store::Here(bytes) => read(&bytes[range]),
            Store::Outside(outside) => COPIED.with_borrow_mut(|copied| {
                copied.resize(range.len(), 0);
                outside.copy(range.start, copied);
                read(copied)
            }),
        }
    }

    /// Reads a cell of at most 16 bytes.
    pub(super) fn read_cell<R>(&self, range: Range<usize>, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Store::Here(bytes) => read(&bytes[range]),
            Store::Outside(outside) => {
                let mut cell = [0; 16];
                let cell = &mut cell[..range.len().min(16)];
                outside.copy(range.start, cell);
                read(cell)
            }
        }
    }

    /// The bytes of a column that is read here; none where they are outside.
    pub(super) fn here(&self) -> &[u8] {
        match self {
            Store::Here(bytes) => bytes,
            Store::Outside(_) => &[],
        }
    }

    /// Adds a range to what is kept here; tells where it is then.
    pub(super) fn keep(&self, range: Range<usize>, kept: &mut Vec<u8>) -> Range<usize> {
        let start = kept.len();
        self.read(range, |bytes| kept.extend_from_slice(bytes));
        start..kept.len()
    }
}
