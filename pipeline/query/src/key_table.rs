//! What is known of each key, in tables of open addresses.
//!
//! Keys are divided into parts by the upper bits of the hash by which files have them in order, so rows of a file walk from
//! one small table to the next, each of which the cache can hold. Within its part a key's place is told by a secret hash:
//! whatever keys somebody chose, they are as far apart as others. Tables are looked up in blocks: reading the slots of
//! a block of rows first lets the memory answer many of them at a time.

use crate::key_codes::{Code, Coder, Keys};

const PART_BITS: u32 = 10;
const FIRST_SLOTS: usize = 8;
/// Rows whose slots are read before the first of them is worked on.
const BLOCK_ROWS: usize = 256;
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
    parts: Vec<Part<V>>,
    /// The value of a key that was not entered.
    none: V,
    keys: usize,
    slots: usize,
    /// The bytes of long keys, each behind its length.
    long_keys: Vec<u8>,
}

/// The keys whose hashes begin alike.
struct Part<V> {
    /// None, or a power of two of them, at most five eighths of them taken: most keys are found at the first look.
    slots: Vec<Slot<V>>,
    keys: usize,
}

/// Where a row's key is looked for.
#[derive(Clone, Copy, Default)]
struct Search {
    row: usize,
    part: usize,
    secret_hash: u64,
}

impl<V: Copy + PartialEq> KeyTable<V> {
    /// An empty table. The value `none` is that of no key.
    pub(crate) fn new(none: V) -> KeyTable<V> {
        let parts = (0..1 << PART_BITS).map(|_| Part { slots: Vec::new(), keys: 0 }).collect();
        KeyTable { parts, none, keys: 0, slots: 0, long_keys: Vec::new() }
    }

    /// Keys in the table.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.slots * size_of::<Slot<V>>() + self.parts.len() * size_of::<Part<V>>() + self.long_keys.capacity()
    }

    /// Gives each row and its key's value to `see`, which has to change the value of a key that comes for the first time.
    pub(crate) fn look_up(
        &mut self,
        coder: &Coder,
        keys: &Keys,
        mut rows: impl Iterator<Item = usize>,
        mut see: impl FnMut(usize, &mut V),
    ) {
        let mut block = [Search::default(); BLOCK_ROWS];
        loop {
            let mut filled = 0;
            for (search, row) in block.iter_mut().zip(rows.by_ref()) {
                let code = keys.codes[row];
                let part = (coder.hash(code) >> (u64::BITS - PART_BITS)) as usize;
                *search = Search { row, part, secret_hash: coder.secret_hash(code) };
                filled += 1;
            }
            // A loop of nothing else, so that the processor has as many reads under way as it can.
            let touched = block[..filled].iter().fold(0, |touched, search| touched | self.touch(search));
            std::hint::black_box(touched);
            for search in &block[..filled] {
                let slot = self.slot_of(coder, search, keys);
                see(search.row, &mut self.parts[search.part].slots[slot].value);
            }
            if filled < BLOCK_ROWS {
                return;
            }
        }
    }

    /// The values of all keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        let slots = self.parts.iter().flat_map(|part| &part.slots);
        slots.map(|slot| &slot.value).filter(|value| **value != self.none)
    }

    /// The values of all keys, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let none = self.none;
        let slots = self.parts.iter_mut().flat_map(|part| &mut part.slots);
        slots.map(|slot| &mut slot.value).filter(move |value| **value != none)
    }

    /// Reads where a key is looked for first.
    #[inline]
    fn touch(&self, search: &Search) -> u64 {
        let slots = &self.parts[search.part].slots;
        let start = search.secret_hash as usize & slots.len().wrapping_sub(1);
        slots.get(start).map_or(0, |slot| slot.code.low())
    }

    /// The slot of a row's key within its part, which is entered if it is new.
    fn slot_of(&mut self, coder: &Coder, search: &Search, keys: &Keys) -> usize {
        let code = keys.codes[search.row];
        let slots = &self.parts[search.part].slots;
        let mask = slots.len().wrapping_sub(1);
        let mut at = search.secret_hash as usize & mask;
        while let Some(held) = slots.get(at).filter(|held| held.value != self.none) {
            let same = match held.code.place() {
                None => held.code == code,
                Some(place) => held.code.bare() == code && self.long_key(place) == keys.bytes(search.row),
            };
            if same {
                return at;
            }
            at = (at + 1) & mask;
        }
        let code = match code.place() {
            None => code,
            Some(_) => code.kept_at(self.add_long_key(keys.bytes(search.row))),
        };
        self.keys += 1;
        let part = &mut self.parts[search.part];
        let before = part.slots.len();
        part.make_room(coder, self.none);
        self.slots += part.slots.len() - before;
        part.enter(code, search.secret_hash, self.none)
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
}

impl<V: Copy + PartialEq> Part<V> {
    /// Makes sure that one more key finds room.
    fn make_room(&mut self, coder: &Coder, none: V) {
        self.keys += 1;
        if self.keys * 8 <= self.slots.len() * 5 {
            return;
        }
        let wanted = (self.slots.len() * 2).max(FIRST_SLOTS);
        let before = std::mem::replace(&mut self.slots, vec![Slot { code: Code::NONE, value: none }; wanted]);
        for Slot { code, value } in before.into_iter().filter(|slot| slot.value != none) {
            let at = self.enter(code, coder.secret_hash(code.bare()), none);
            self.slots[at].value = value;
        }
    }

    /// Enters a key that is not there, and tells its slot.
    fn enter(&mut self, code: Code, secret_hash: u64, none: V) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = secret_hash as usize & mask;
        while self.slots[at].value != none {
            at = (at + 1) & mask;
        }
        self.slots[at].code = code;
        at
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc};

    use datafusion::arrow::{
        array::{ArrayRef, Int64Array},
        datatypes::DataType,
    };
    use lake::model::key_encoding::integer_key_hash;

    use super::*;

    /// Counts how often each key comes.
    fn counted(keys: &[i64]) -> HashMap<i64, i64> {
        let coder = Coder::as_stored(&[DataType::Int64]).unwrap();
        let mut table = KeyTable::new(0);
        for some in keys.chunks(1_000) {
            let column: ArrayRef = Arc::new(Int64Array::from(some.to_vec()));
            let codes = coder.keys(&[column]).unwrap();
            table.look_up(&coder, &codes, 0..some.len(), |_, count| *count += 1);
        }
        let mut counts = HashMap::new();
        let coded = coder.keys(&[Arc::new(Int64Array::from(keys.to_vec())) as ArrayRef]).unwrap();
        table.look_up(&coder, &coded, 0..keys.len(), |row, count| {
            counts.insert(keys[row], *count);
        });
        assert_eq!((table.keys(), table.values().count()), (counts.len(), counts.len()));
        counts
    }

    #[test]
    fn keys_in_any_order_and_such_as_somebody_chose_to_lie_together_are_counted() {
        let mut in_order: Vec<i64> = (0..20_000).collect();
        in_order.sort_by_key(|&key| integer_key_hash(key));
        let together: Vec<i64> = (0..).filter(|&key| integer_key_hash(key) >> 52 == 7).take(5_000).collect();
        for keys in [in_order, together, vec![3], Vec::new()] {
            let twice = [keys.as_slice(), &keys[keys.len() / 2..]].concat();
            let expected = keys.iter().enumerate().map(|(i, &key)| (key, if i < keys.len() / 2 { 1 } else { 2 }));
            assert_eq!(counted(&twice), expected.collect::<HashMap<_, _>>());
        }
    }
}
