//! What is known of each key, in a table of open addresses.
//!
//! The table is looked up in blocks: reading the slots of a block of rows first lets the memory answer many of them at
//! a time.

use crate::key_codes::{Code, Coder, Keys};

const FIRST_SLOTS: usize = 1 << 8;
/// Rows whose slots are read before the first of them is worked on.
const BLOCK_ROWS: usize = 128;
/// After so many rows it is seen whether keys come again at all.
const ROWS_TO_JUDGE_BY: usize = 1 << 20;

/// Whether so many keys of so many rows say that looking for rows of the same key is hardly worth it.
pub(crate) fn hardly_any_comes_again(keys: usize, rows: usize) -> bool {
    rows > ROWS_TO_JUDGE_BY && keys > rows / 4 * 3
}

/// Aligned so that no slot lies across two lines of the cache.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Slot<V> {
    code: Code,
    value: V,
}

/// A value for each key.
pub(crate) struct KeyTable<V> {
    /// A power of two of them, at most four fifths of them taken: what is small stays near.
    slots: Vec<Slot<V>>,
    /// The value of a key that was not entered.
    none: V,
    keys: usize,
    /// The bytes of long keys, each behind its length.
    long_keys: Vec<u8>,
}

impl<V: Copy + PartialEq> KeyTable<V> {
    /// An empty table. The value `none` is that of no key.
    pub(crate) fn new(none: V) -> KeyTable<V> {
        let slots = vec![Slot { code: Code::NONE, value: none }; FIRST_SLOTS];
        KeyTable { slots, none, keys: 0, long_keys: Vec::new() }
    }

    /// Keys in the table.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot<V>>() + self.long_keys.capacity()
    }

    /// Gives each row, the slot of its key and the key's value to `see`, which has to change the value of a key that
    /// comes for the first time.
    pub(crate) fn look_up(
        &mut self,
        coder: &Coder,
        keys: &Keys,
        rows: impl ExactSizeIterator<Item = usize>,
        mut see: impl FnMut(usize, usize, &mut V),
    ) {
        self.make_room(coder, rows.len());
        let mask = self.slots.len() - 1;
        let mut rows = rows;
        let mut block = [(0, 0); BLOCK_ROWS];
        loop {
            let (mut filled, mut touched) = (0, 0);
            for (place, row) in block.iter_mut().zip(rows.by_ref()) {
                let start = coder.hash(keys.codes[row]) as usize & mask;
                *place = (row, start);
                touched |= usize::from(self.slots[start].code == Code::NONE);
                filled += 1;
            }
            std::hint::black_box(touched);
            for &(row, start) in &block[..filled] {
                let slot = self.slot_of(start, keys, row);
                see(row, slot, &mut self.slots[slot].value);
            }
            if filled < BLOCK_ROWS {
                return;
            }
        }
    }

    /// The value in a slot.
    pub(crate) fn at(&mut self, slot: usize) -> &mut V {
        &mut self.slots[slot].value
    }

    /// The values of all keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().map(|slot| &slot.value).filter(|value| **value != self.none)
    }

    /// The values of all keys, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let none = self.none;
        self.slots.iter_mut().map(|slot| &mut slot.value).filter(move |value| **value != none)
    }

    /// The slot of a row's key, which is entered if it is new.
    fn slot_of(&mut self, start: usize, keys: &Keys, row: usize) -> usize {
        let (code, mask) = (keys.codes[row], self.slots.len() - 1);
        let mut at = start;
        loop {
            let held = &self.slots[at];
            if held.value == self.none {
                break;
            }
            let same = match held.code.place() {
                None => held.code == code,
                Some(place) => held.code.bare() == code && self.long_key(place) == keys.bytes(row),
            };
            if same {
                return at;
            }
            at = (at + 1) & mask;
        }
        self.keys += 1;
        self.slots[at].code = match code.place() {
            None => code,
            Some(_) => code.kept_at(self.add_long_key(keys.bytes(row))),
        };
        at
    }

    fn long_key(&self, place: u64) -> &[u8] {
        let start = place as usize + 8;
        let mut length = [0; 8];
        length.copy_from_slice(&self.long_keys[place as usize..start]);
        &self.long_keys[start..start + u64::from_le_bytes(length) as usize]
    }

    fn add_long_key(&mut self, bytes: &[u8]) -> u64 {
        let place = self.long_keys.len() as u64;
        self.long_keys.extend((bytes.len() as u64).to_le_bytes());
        self.long_keys.extend(bytes);
        place
    }

    /// Makes sure that so many new keys find room.
    fn make_room(&mut self, coder: &Coder, new: usize) {
        let wanted = (self.keys + new).div_ceil(4).saturating_mul(5).next_power_of_two();
        if wanted <= self.slots.len() {
            return;
        }
        let mask = wanted - 1;
        let empty = Slot { code: Code::NONE, value: self.none };
        let before = std::mem::replace(&mut self.slots, vec![empty; wanted]);
        for slot in before.into_iter().filter(|slot| slot.value != self.none) {
            let mut at = coder.hash(slot.code.bare()) as usize & mask;
            while self.slots[at].value != self.none {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }
}
