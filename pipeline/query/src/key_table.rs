//! What is known of each key, in tables of open addresses.
//!
//! Keys lie in the order of the hash by which files have them in order, so rows of a file walk through the table from its
//! beginning to its end, and it is dense, because whoever walks through it waits for the memory most of all. It is divided
//! into parts, each of which grows by itself. That hash is known to everybody: where keys were chosen to lie together, a
//! part scatters its keys by a secret hash, so that these are as far apart as others. Tables are looked up in blocks:
//! reading the slots of a block of rows first lets the memory answer many of them at a time.

use crate::key_codes::{Code, Coder, Keys};

const PART_BITS: u32 = 10;
const PARTS: usize = 1 << PART_BITS;
const FIRST_SLOTS: usize = 8;
/// Keys that lie further behind their place than so many slots were chosen to.
const FARTHEST: usize = 512;
/// Rows whose slots are read before the first of them is worked on.
const BLOCK_ROWS: usize = 256;
/// After so many rows it is seen whether keys come again at all.
const ROWS_TO_JUDGE_BY: usize = 1 << 20;

/// Whether so many keys of so many rows say that looking for rows of the same key is hardly worth it.
pub(crate) fn hardly_any_comes_again(keys: usize, rows: usize) -> bool {
    rows > ROWS_TO_JUDGE_BY && keys > rows / 4 * 3
}

#[derive(Clone, Copy)]
struct Slot<V> {
    code: Code,
    value: V,
}

/// A value for each key.
pub(crate) struct KeyTable<V> {
    /// A power of two of them.
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
    /// At most three quarters of them taken.
    slots: Vec<Slot<V>>,
    keys: usize,
    /// Whether a secret hash tells their places.
    scattered: bool,
}

/// A row whose key is looked for, with the hash by which keys are in order.
#[derive(Clone, Copy, Default)]
pub(crate) struct Search {
    row: u32,
    hash: u64,
}

impl Search {
    /// For a row of coded keys.
    #[inline]
    pub(crate) fn new(coder: &Coder, keys: &Keys, row: usize) -> Search {
        Search { row: row as u32, hash: coder.hash(&keys.codes[row]) }
    }

    /// Which of so many shares of all keys it belongs to, a power of two: keys in order come to one after the other.
    #[inline]
    pub(crate) fn share(&self, shares: usize) -> usize {
        ((u128::from(self.hash) * shares as u128) >> u64::BITS) as usize
    }
}

impl<V: Copy + PartialEq> KeyTable<V> {
    /// An empty table. The value `none` is that of no key.
    pub(crate) fn new(none: V) -> KeyTable<V> {
        KeyTable::of_share(none, 1)
    }

    /// An empty table for one of so many shares of all keys.
    pub(crate) fn of_share(none: V, shares: usize) -> KeyTable<V> {
        let parts = (0..(PARTS / shares).max(1)).map(|_| Part { slots: Vec::new(), keys: 0, scattered: false });
        KeyTable { parts: parts.collect(), none, keys: 0, slots: 0, long_keys: Vec::new() }
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
        rows: impl Iterator<Item = usize>,
        see: impl FnMut(usize, &mut V),
    ) {
        self.search(coder, keys, rows.map(|row| Search::new(coder, keys, row)), see);
    }

    /// The same for rows whose keys have been hashed.
    pub(crate) fn search(
        &mut self,
        coder: &Coder,
        keys: &Keys,
        mut rows: impl Iterator<Item = Search>,
        mut see: impl FnMut(usize, &mut V),
    ) {
        let mut block = [Search::default(); BLOCK_ROWS];
        loop {
            let mut filled = 0;
            for (search, row) in block.iter_mut().zip(rows.by_ref()) {
                *search = row;
                filled += 1;
            }
            // A loop of nothing else, so that the processor has as many reads under way as it can.
            let touched = block[..filled].iter().fold(0, |touched, search| touched | self.touch(search));
            std::hint::black_box(touched);
            for search in &block[..filled] {
                let slot = self.slot_of(coder, search, keys);
                let part = self.part_of(search.hash);
                see(search.row as usize, &mut self.parts[part].slots[slot].value);
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

    #[inline]
    fn part_of(&self, hash: u64) -> usize {
        (hash >> (u64::BITS - PART_BITS)) as usize & (self.parts.len() - 1)
    }

    /// Reads where a key is looked for first.
    #[inline]
    fn touch(&self, search: &Search) -> u64 {
        let part = &self.parts[self.part_of(search.hash)];
        part.slots.get(part.in_order(search.hash)).map_or(0, |slot| slot.code.low())
    }

    /// The slot of a row's key within its part, which is entered if it is new.
    #[inline]
    fn slot_of(&mut self, coder: &Coder, search: &Search, keys: &Keys) -> usize {
        let row = search.row as usize;
        let code = &keys.codes[row];
        let part = &self.parts[self.part_of(search.hash)];
        let mut at = part.start(coder, search.hash, code);
        while let Some(held) = part.slots.get(at).filter(|held| held.value != self.none) {
            let same = match held.code.place() {
                None => held.code == *code,
                Some(place) => held.code.bare() == *code && self.long_key(place) == keys.bytes(row),
            };
            if same {
                return at;
            }
            at = part.next(at);
        }
        self.enter(coder, search, keys)
    }

    /// Enters a row's key, which is not there, and tells its slot.
    #[cold]
    fn enter(&mut self, coder: &Coder, search: &Search, keys: &Keys) -> usize {
        let row = search.row as usize;
        let code = match keys.codes[row].place() {
            None => keys.codes[row],
            Some(_) => keys.codes[row].kept_at(self.add_long_key(keys.bytes(row))),
        };
        self.keys += 1;
        let part = self.part_of(search.hash);
        let part = &mut self.parts[part];
        let before = part.slots.len();
        part.make_room(coder, self.none);
        self.slots += part.slots.len() - before;
        part.enter(coder, code, self.none)
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
    /// Where a key of this hash is looked for first.
    #[inline]
    fn start(&self, coder: &Coder, hash: u64, code: &Code) -> usize {
        self.in_order(if self.scattered { coder.secret_hash(code) } else { hash })
    }

    /// The place of a hash among those that begin with the same bits; 0 where there are no slots.
    #[inline]
    fn in_order(&self, hash: u64) -> usize {
        ((u128::from(hash << PART_BITS) * self.slots.len() as u128) >> u64::BITS) as usize
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// Makes sure that one more key finds room.
    fn make_room(&mut self, coder: &Coder, none: V) {
        self.keys += 1;
        if self.keys * 4 > self.slots.len() * 3 {
            self.arrange((self.slots.len() / 2 * 3).max(FIRST_SLOTS), coder, none);
        }
    }

    /// Enters all keys anew, into so many slots.
    fn arrange(&mut self, slots: usize, coder: &Coder, none: V) {
        let before = std::mem::replace(&mut self.slots, vec![Slot { code: Code::NONE, value: none }; slots]);
        for Slot { code, value } in before.into_iter().filter(|slot| slot.value != none) {
            let at = self.enter(coder, code, none);
            self.slots[at].value = value;
        }
    }

    /// Enters a key that is not there, and tells its slot.
    fn enter(&mut self, coder: &Coder, code: Code, none: V) -> usize {
        let bare = code.bare();
        let mut at = self.start(coder, coder.hash(&bare), &bare);
        let mut further = 0;
        while self.slots[at].value != none {
            at = self.next(at);
            further += 1;
        }
        if !self.scattered && further > FARTHEST {
            self.scattered = true;
            self.arrange(self.slots.len(), coder, none);
            return self.enter(coder, code, none);
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

    #[test]
    fn keys_that_lie_together_are_scattered_and_others_are_not() {
        let scattered = |keys: &[i64]| {
            let coder = Coder::as_stored(&[DataType::Int64]).unwrap();
            let codes = coder.keys(&[Arc::new(Int64Array::from(keys.to_vec())) as ArrayRef]).unwrap();
            let mut table = KeyTable::new(0);
            table.look_up(&coder, &codes, 0..keys.len(), |_, count| *count += 1);
            table.parts.iter().filter(|part| part.scattered).count()
        };
        assert_eq!(scattered(&(0..400_000).collect::<Vec<_>>()), 0);
        let together: Vec<i64> = (0..).filter(|&key| integer_key_hash(key) >> 48 == 7).take(1_000).collect();
        assert_eq!(scattered(&together), 1);
    }
}
